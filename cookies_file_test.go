package requests

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCookieFileFormat(t *testing.T) {
	j := newTestJar()
	give(t, j, "https://x.a.test/d/", "a=1", "b= x \"y\" ; Domain=a.test; Path=/; Secure; HttpOnly; Max-Age=60", "c=")
	require.NoError(t, j.SetValue("own", "tab\tin it "))
	require.NoError(t, j.Set(&http.Cookie{Name: "gone", Expires: time.Unix(1, 0)}))
	var out strings.Builder
	n, err := j.WriteTo(&out)
	require.NoError(t, err)
	assert.Equal(t, "# Netscape HTTP Cookie File\n"+
		"x.a.test\tFALSE\t/d\tFALSE\t\ta\t1\n"+
		"x.a.test\tFALSE\t/d\tFALSE\t\tc\t\n"+
		"#HttpOnly_.a.test\tTRUE\t/\tTRUE\t1906545660\tb\tx \"y\"\n"+
		"\tFALSE\t/\tFALSE\t\town\ttab\tin it \n", out.String())
	assert.EqualValues(t, out.Len(), n)

	back := newTestJar()
	n, err = back.ReadFrom(iotest.OneByteReader(strings.NewReader(out.String())))
	require.NoError(t, err)
	assert.EqualValues(t, out.Len(), n)
	j.ClearExpired()
	assert.Equal(t, dump(j), dump(back))
}

func TestCookieFileRead(t *testing.T) {
	const later = "4102444800"
	tests := []struct {
		name, text string
		want       string // as dump shows it
		line       int    // of the error, 0 for none
	}{
		{"empty", "", "", 0},
		{"comments", "# Netscape HTTP Cookie File\n\n# x\ty\n   \n#\n", "", 0},
		{"comment after blanks", " # x\ty\n\t#x\n#HttpOnly_# x\n #HttpOnly_a.test\tFALSE\t/\tFALSE\t0\ta\t1\n", "", 0},
		{"comment with a dollar", "$x\n $ x\ty\n#HttpOnly_$x\n$a.test FALSE\t/\tFALSE\t0\ta\t1\n$" + strings.Repeat("v", 10_000), "", 0},
		{"host with a dollar", "$a.test\tFALSE\t/\tFALSE\t0\ta\t1\n", "$a.test / a=1", 0},
		{"long comment", "#" + strings.Repeat("v", 1_000_000) + "\na.test\tFALSE\t/\tFALSE\t0\ta\t1\n", "a.test / a=1", 0},
		{"no line end", "a.test\tFALSE\t/\tFALSE\t0\ta\t1", "a.test / a=1", 0},
		{"crlf", "a.test\tFALSE\t/\tFALSE\t0\ta\t1\r\n", "a.test / a=1", 0},
		{"dot and flag", ".a.test\tTRUE\t/\tTRUE\t" + later + "\ta\t1\n", ".a.test / a=1 secure 2100-01-01T00:00:00Z", 0},
		{"flag without dot", "A.test\tTRUE\t/\tFALSE\t0\ta\t1\n", ".a.test / a=1", 0},
		{"dot without flag", ".a.test\tfalse\t/\tFALSE\t0\ta\t1\n", "a.test / a=1", 0},
		{"every host with flag", "\tTRUE\t/\tFALSE\t0\ta\t1\n", " / a=1", 0},
		{"no expiry, as Python writes it", "a.test\tFALSE\t/\tFALSE\t\ta\t1\n", "a.test / a=1", 0},
		{"no path", "a.test\tFALSE\t\tFALSE\t0\ta\t1\n", "a.test / a=1", 0},
		{"six fields", "a.test\tFALSE\t/\tFALSE\t0\ta\n", "a.test / a=", 0},
		{"expired", "a.test\tFALSE\t/\tFALSE\t1000\ta\t1\n", "", 0},
		{"before 1970", "a.test\tFALSE\t/\tFALSE\t-5\ta\t1\n", "", 0},
		{"far away", "a.test\tFALSE\t/\tFALSE\t99999999999999999999\ta\t1\n", "a.test / a=1 9999-12-31T23:59:59Z", 0},
		{"no name", "a.test\tFALSE\t/\tFALSE\t0\t\tx\n", "", 0},
		{"the last of a key counts", "a.test\tFALSE\t/\tFALSE\t0\ta\t1\na.test\tFALSE\t/\tFALSE\t0\ta\t2\n", "a.test / a=2", 0},

		{"part of a second", "a.test\tFALSE\t/\tFALSE\t4102444800.75\ta\t1\n", "a.test / a=1 2100-01-01T00:00:00Z", 0},
		{"exponent and blanks", "a.test\tFALSE\t/\tFALSE\t +4.1024448e9 \ta\t1\n", "a.test / a=1 2100-01-01T00:00:00Z", 0},
		{"half a second of 1970", "a.test\tFALSE\t/\tFALSE\t0.5\ta\t1\n", "", 0},
		{"last second", "a.test\tFALSE\t/\tFALSE\t253402300798\ta\t1\n", "a.test / a=1 9999-12-31T23:59:58Z", 0},
		{"beyond all bounds", "a.test\tFALSE\t/\tFALSE\t1e999\ta\t1\n", "a.test / a=1 9999-12-31T23:59:59Z", 0},
		{"flags that are none", "a.test\tyes\t/\t1\t0\ta\t1\n", "a.test / a=1", 0},
		{"largest cookie", "#HttpOnly_." + strings.Repeat("d", 1023) + "\tTRUE\t/" + strings.Repeat("p", 1023) + "\tFALSE\t" + later +
			"\ta\t" + strings.Repeat("v", 4095) + "\n", "." + strings.Repeat("d", 1023) + " /" + strings.Repeat("p", 1023) + " a=" +
			strings.Repeat("v", 4095) + " httponly 2100-01-01T00:00:00Z", 0},

		{"few fields", "#\na.test\tFALSE\t/\tFALSE\t0\n", "", 2},
		{"spaces for tabs", "a.test FALSE / FALSE 0 a 1\n", "", 1},
		{"expiry", "a.test\tFALSE\t/\tFALSE\tsoon\ta\t1\n", "", 1},
		{"endless expiry", "a.test\tFALSE\t/\tFALSE\tinf\ta\t1\n", "", 1},
		{"hexadecimal expiry", "a.test\tFALSE\t/\tFALSE\t0x7fffffff\ta\t1\n", "", 1},
		{"blank expiry", "a.test\tFALSE\t/\tFALSE\t \ta\t1\n", "", 1},
		{"domain", "a b\tFALSE\t/\tFALSE\t0\ta\t1\n", "", 1},
		{"control in a value", "a.test\tFALSE\t/\tFALSE\t0\ta\t1\na.test\tFALSE\t/\tFALSE\t0\tb\t\x01\n", "", 2},
		{"control in a name", "a.test\tFALSE\t/\tFALSE\t0\ta\x7f\t1\n", "", 1},
		{"control in a path", "a.test\tFALSE\t/\x0b\tFALSE\t0\ta\t1\n", "", 1},
		{"carriage return", "a.test\tFALSE\t/\tFALSE\t0\ta\t1\rx\n", "", 1},
		{"semicolon", "a.test\tFALSE\t/\tFALSE\t0\ta\t1;b=2\n", "", 1},
		{"large cookie", "a.test\tFALSE\t/\tFALSE\t0\ta\t" + strings.Repeat("v", 4096) + "\n", "", 1},
		{"long line", "# x\na.test\tFALSE\t/\tFALSE\t0\ta\t" + strings.Repeat("v", 10_000) + "\tb.test\tFALSE\t/\tFALSE\t0\tb\t1\n", "", 2},
		{"endless comment", "# x\n#" + strings.Repeat("v", 1<<20+2), "", 2},
	}
	for _, tt := range tests {
		j := newTestJar()
		_, err := j.ReadFrom(strings.NewReader(tt.text))
		assert.Equal(t, tt.want, strings.Join(dump(j), "|"), tt.name)
		if tt.line == 0 {
			assert.NoError(t, err, tt.name)
			continue
		}
		var bad *CookieError
		require.ErrorAs(t, err, &bad, tt.name)
		assert.ErrorIs(t, err, ErrBadCookie, tt.name)
		assert.Equal(t, tt.line, bad.Line, tt.name)
		assert.Empty(t, bad.Name, tt.name)
	}
	_, err := newTestJar().ReadFrom(strings.NewReader("canary\tcanary\n"))
	assert.EqualError(t, err, "requests: cookie file line 1: bad cookie: line has not seven fields")

	j := newTestJar()
	j.Limits.CookieBytes = -1
	_, err = j.ReadFrom(strings.NewReader("a.test\tFALSE\t/\tFALSE\t0\ta\t" + strings.Repeat("v", 500_000)))
	require.NoError(t, err)
	assert.Len(t, j.Value("a"), 500_000)
}

// A cookie of a server cannot add a line to the file.
func TestCookieFileInjection(t *testing.T) {
	j := newTestJar()
	give(t, j, "http://a.test/",
		"a=x\nb.test\tTRUE\t/\tFALSE\t0\tevil\t1", "b=x\rb.test\tTRUE", "c=x\tb.test\tTRUE\t/\tFALSE\t0\tevil\t1",
		"d=1; Path=/\tFALSE\t0\tevil\t1", "e\tevil=1")
	var out strings.Builder
	_, err := j.WriteTo(&out)
	require.NoError(t, err)
	back := newTestJar()
	_, err = back.ReadFrom(strings.NewReader(out.String()))
	require.NoError(t, err)
	assert.Equal(t, []string{"a.test / c=x\tb.test\tTRUE\t/\tFALSE\t0\tevil\t1"}, dump(back))
}

func TestCookieFileErrors(t *testing.T) {
	j := newTestJar()
	require.NoError(t, j.SetValue("a", "1"))
	boom := errors.New("boom")
	n, err := j.ReadFrom(iotest.TimeoutReader(strings.NewReader("a.test\tFALSE\t/\tFALSE\t0\tb\t1\n")))
	assert.ErrorIs(t, err, iotest.ErrTimeout)
	assert.NotZero(t, n)
	_, err = j.ReadFrom(iotest.ErrReader(boom))
	assert.ErrorIs(t, err, boom)
	_, err = j.WriteTo(failingWriter{boom})
	assert.ErrorIs(t, err, boom)
	assert.Equal(t, []string{" / a=1"}, dump(j))
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestCookieFileSave(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "cookies.txt")
	j := newTestJar()
	give(t, j, "http://a.test/", "a=1")
	require.NoError(t, j.Save(path))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	back := newTestJar()
	require.NoError(t, back.Load(path))
	assert.Equal(t, dump(j), dump(back))

	// A link is replaced; what it pointed to stays.
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	require.NoError(t, os.WriteFile(target, []byte("precious"), 0o644))
	if err := os.Symlink(target, link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	require.NoError(t, j.Save(link))
	data, err := os.ReadFile(target)
	require.NoError(t, err)
	assert.Equal(t, "precious", string(data))
	info, err = os.Lstat(link)
	require.NoError(t, err)
	assert.True(t, info.Mode().IsRegular())
}

// A failed Save leaves the old file and nothing else.
func TestCookieFileSaveFails(t *testing.T) {
	dir := t.TempDir()
	j := newTestJar()
	path := filepath.Join(dir, "taken")
	require.NoError(t, os.MkdirAll(filepath.Join(path, "sub"), 0o755))
	assert.Error(t, j.Save(path))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1)
	assert.ErrorIs(t, j.Save(filepath.Join(dir, "none", "cookies.txt")), os.ErrNotExist)
	assert.ErrorIs(t, j.Load(filepath.Join(dir, "none")), os.ErrNotExist)
	assert.ErrorIs(t, syncDir(filepath.Join(dir, "none")), os.ErrNotExist)
	assert.Error(t, j.Load(dir))
}
