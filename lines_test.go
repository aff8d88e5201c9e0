package requests

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// slowLines is what LineBytes has to give, byte by byte.
func slowLines(data, delimiter string) []string {
	if data == "" {
		return nil
	}
	if delimiter != "" {
		return strings.Split(data, delimiter)
	}
	var lines []string
	start := 0
	for i := 0; i < len(data); i++ {
		at := i
		switch {
		case data[i] == '\r' && i+1 < len(data) && data[i+1] == '\n':
			i++
			fallthrough
		case data[i] == '\n' || data[i] == '\r':
			lines = append(lines, data[start:at])
			start = i + 1
		}
	}
	if start < len(data) {
		lines = append(lines, data[start:])
	}
	return lines
}

// cutRandomly cuts s into pieces of random sizes.
func cutRandomly(s string, random *rand.Rand) []string {
	var out []string
	for s != "" {
		n := min(1+random.IntN(1<<random.IntN(18)), len(s))
		out = append(out, s[:n])
		s = s[n:]
	}
	return out
}

func collectLines(t testing.TB, r *Response, delimiter ...string) []string {
	t.Helper()
	var got []string
	for line, err := range r.LineBytes(delimiter...) {
		require.NoError(t, err)
		got = append(got, string(line))
	}
	return got
}

func TestLineBytes(t *testing.T) {
	tests := []struct {
		data, delimiter string
		want            []string
	}{
		{"", "", nil},
		{"a", "", []string{"a"}},
		{"a\n", "", []string{"a"}},
		{"\n", "", []string{""}},
		{"\r\n", "", []string{""}},
		{"\n\n", "", []string{"", ""}},
		{"\n\r", "", []string{"", ""}},
		{"a\nb\rc\r\nd", "", []string{"a", "b", "c", "d"}},
		{"a\r\r\nb", "", []string{"a", "", "b"}},
		{"a\x0bb\x0cc\x1cd\u2028e", "", []string{"a\x0bb\x0cc\x1cd\u2028e"}},
		{"", "|", nil},
		{"a", "|", []string{"a"}},
		{"a|b", "|", []string{"a", "b"}},
		{"a|b|", "|", []string{"a", "b", ""}},
		{"|", "|", []string{"", ""}},
		{"a\nb|c", "|", []string{"a\nb", "c"}},
		{"a\r\nb\r\n", "\r\n", []string{"a", "b", ""}},
		{"aXYYbXYc", "XY", []string{"a", "Yb", "c"}},
		{"aaa", "aa", []string{"", "a"}},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, slowLines(tt.data, tt.delimiter), "oracle: %q by %q", tt.data, tt.delimiter)
		for size := 1; size <= len(tt.data)+1; size++ {
			var pieces []string
			for from := 0; from < len(tt.data); from += size {
				pieces = append(pieces, tt.data[from:min(from+size, len(tt.data))])
			}
			assert.Equal(t, tt.want, collectLines(t, given(nil, pieces...), tt.delimiter), "%q by %q, %d a read", tt.data, tt.delimiter, size)
		}
	}
}

// The property: however the body arrives, the lines are those of the oracle.
func FuzzLineBytes(f *testing.F) {
	f.Add("a\r\nb\rc\nd", "", uint64(1), uint8(0))
	f.Add("a||b|", "||", uint64(2), uint8(1))
	f.Add(strings.Repeat("x", 1000)+"\r", "", uint64(3), uint8(200))
	f.Add("\r\n\r\n\n\r", "\r", uint64(4), uint8(3))
	f.Fuzz(func(t *testing.T, data, delimiter string, seed uint64, times uint8) {
		data = strings.Repeat(data, int(times)+1)
		if len(data) > 1<<18 {
			return
		}
		random := rand.New(rand.NewPCG(seed, 0))
		got := collectLines(t, given(nil, cutRandomly(data, random)...), delimiter)
		want := slowLines(data, delimiter)
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Fatalf("got %q\nwant %q", got, want)
		}
	})
}

// Bodies of more than one window, cut at random.
func TestLineBytesAcrossWindows(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 30 {
		var b strings.Builder
		for b.Len() < 3*lineWindow {
			b.WriteString(strings.Repeat("x", random.IntN(1<<random.IntN(18))))
			b.WriteString([]string{"\n", "\r", "\r\n", "XY", "X"}[random.IntN(5)])
		}
		data := b.String()
		for _, delimiter := range []string{"", "XY", "\r\n"} {
			got := collectLines(t, given(nil, cutRandomly(data, random)...), delimiter)
			want := fastLines(data, delimiter)
			require.Equal(t, len(want), len(got))
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("line %d differs: %d bytes, want %d", i, len(got[i]), len(want[i]))
				}
			}
		}
	}
}

// fastLines is slowLines for large bodies.
func fastLines(data, delimiter string) []string {
	if delimiter != "" {
		return strings.Split(data, delimiter)
	}
	data = strings.ReplaceAll(strings.ReplaceAll(data, "\r\n", "\n"), "\r", "\n")
	return strings.Split(strings.TrimSuffix(data, "\n"), "\n")
}

// The work is linear in the body, whatever it looks like: none of these ends
// in time if every read looks at all that came before.
func TestLineBytesIsLinear(t *testing.T) {
	testserver.Timed(t)
	const size = 8 << 20
	tests := []struct {
		name      string
		data      string
		delimiter string
		piece     int
	}{
		{"one line", strings.Repeat("x", size), "", 64},
		{"nothing but \\r", strings.Repeat("\r", size/4), "", size},
		{"\\r and one \\n at the end", strings.Repeat("x\r", size/8) + "\n", "", size},
		{"nearly a delimiter", strings.Repeat("a", size/8), strings.Repeat("a", 30) + "b", 64},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			soon(t, 30*time.Second, func() {
				r := NewResponse(nil, 200, "", Headers{}, &smallReads{strings.NewReader(tt.data), tt.piece})
				n := 0
				for line, err := range r.LineBytes(tt.delimiter) {
					require.NoError(t, err)
					n += len(line)
				}
				assert.Equal(t, len(tt.data)-strings.Count(tt.data, "\r")-strings.Count(tt.data, "\n"), n)
			})
		})
	}
}

// smallReads gives at most n bytes a read.
type smallReads struct {
	io.Reader
	n int
}

func (s *smallReads) Read(b []byte) (int, error) { return s.Reader.Read(b[:min(len(b), s.n)]) }

// A line comes as soon as its end has arrived: also one that a \r ends, which
// a \n may follow.
func TestLinesComeAtOnce(t *testing.T) {
	var arrived int
	pieces := []string{"a\n", "b\r", "\nc\r", "d\n"}
	src := readerFunc(func(b []byte) (int, error) {
		if arrived == len(pieces) {
			return 0, io.EOF
		}
		arrived++
		return copy(b, pieces[arrived-1]), nil
	})
	var got []string
	for line, err := range NewResponse(nil, 200, "", Headers{}, src).LineBytes() {
		require.NoError(t, err)
		got = append(got, fmt.Sprintf("%s after %d", line, arrived))
	}
	assert.Equal(t, []string{"a after 1", "b after 2", "c after 3", "d after 4"}, got)
}

// The error comes last, and a line that it cut is not handed out.
func TestLinesError(t *testing.T) {
	var got []string
	var last error
	for line, err := range given(errBoom, "a\nb\r", "\nc").LineBytes() {
		if err != nil {
			last = err
			continue
		}
		got = append(got, string(line))
	}
	assert.Equal(t, []string{"a", "b"}, got)
	assert.ErrorIs(t, last, errBoom)

	got = nil
	r := given(errBoom, "a\nb")
	r.Encoding = "utf-8"
	for line, err := range r.Lines() {
		if err != nil {
			last = err
			continue
		}
		got = append(got, line)
	}
	assert.Equal(t, []string{"a"}, got)
	assert.ErrorIs(t, last, errBoom)
	assert.ErrorIs(t, r.Err(), errBoom)
}

func TestLinesLeftEarlyCloses(t *testing.T) {
	for name, leave := range map[string]func(r *Response){
		"LineBytes": func(r *Response) {
			for range r.LineBytes() {
				break
			}
		},
		"Lines": func(r *Response) {
			for range r.Lines() {
				break
			}
		},
		"last line": func(r *Response) {
			for line := range r.Lines() {
				if line == "c" {
					break
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			src := &pieceReader{pieces: []string{"a\nb\nc"}, err: io.EOF}
			r := NewResponse(nil, 200, "", Headers{}, src)
			leave(r)
			assert.Equal(t, 1, src.closed)
			for _, err := range r.Lines() {
				assert.ErrorIs(t, err, ErrStreamConsumed)
			}
		})
	}
}

// Lines of a body that was read whole can be had again and again.
func TestLinesOfLoadedBody(t *testing.T) {
	r := given(nil, "a\nb\n")
	require.NoError(t, r.body.load(r))
	for range 2 {
		assert.Equal(t, []string{"a", "b"}, collectLines(t, r))
		for range r.Lines() {
			break
		}
	}
	assert.Equal(t, "a\nb\n", r.Text())
}

func TestLinesOfConsumedBody(t *testing.T) {
	r := given(nil, "a\nb")
	assert.Equal(t, []string{"a", "b"}, collectLines(t, r))
	n := 0
	for line, err := range r.LineBytes() {
		n++
		assert.Nil(t, line)
		assert.ErrorIs(t, err, ErrStreamConsumed)
	}
	for line, err := range r.Lines() {
		n++
		assert.Empty(t, line)
		assert.ErrorIs(t, err, ErrStreamConsumed)
	}
	assert.Equal(t, 2, n)
}

func TestLinesEncodings(t *testing.T) {
	utf16 := func(s string) string {
		var b bytes.Buffer
		for _, r := range s {
			b.Write([]byte{byte(r), byte(r >> 8)})
		}
		return b.String()
	}
	tests := []struct {
		encoding, data, delimiter string
		want                      []string
	}{
		{"", "é\n\xff", "", []string{"é", "\xff"}},
		{"utf-8", "é\n\xffb", "", []string{"é", "\uFFFDb"}},
		{"iso-8859-1", "\xe9\n\xe8", "", []string{"é", "è"}},
		{"utf-16-le", utf16("aé\r\nb\nਊ"), "", []string{"aé", "b", "ਊ"}},
		{"shift_jis", "\x83\x5c|\x82\xa0", "|", []string{"ソ", "あ"}},
		{"no-such-charset", "é\na", "", []string{"é", "a"}},
		{"utf-8", "aéb", "é", []string{"a", "b"}},
	}
	for _, tt := range tests {
		t.Run(tt.encoding, func(t *testing.T) {
			for size := range 4 {
				var pieces []string
				for from := 0; from < len(tt.data); from += size + 1 {
					pieces = append(pieces, tt.data[from:min(from+size+1, len(tt.data))])
				}
				r := given(nil, pieces...)
				r.Encoding = tt.encoding
				var got []string
				for line, err := range r.Lines(tt.delimiter) {
					require.NoError(t, err)
					got = append(got, line)
				}
				assert.Equal(t, tt.want, got, "%d bytes a read", size+1)
			}
		})
	}
}

// A line may have any length.
func TestVeryLongLine(t *testing.T) {
	long := strings.Repeat("x", 5<<20)
	random := rand.New(rand.NewPCG(3, 4))
	got := collectLines(t, given(nil, cutRandomly("a\r\n"+long+"\r\nb", random)...))
	require.Len(t, got, 3)
	assert.True(t, got[1] == long)
	assert.Equal(t, "b", got[2])
}

// A source that gives nothing for a while is read on.
func TestLinesOverEmptyReads(t *testing.T) {
	n := 0
	src := readerFunc(func(b []byte) (int, error) {
		if n++; n == 10 {
			return copy(b, "a\n"), io.EOF
		}
		return 0, nil
	})
	assert.Equal(t, []string{"a"}, collectLines(t, NewResponse(nil, 200, "", Headers{}, src)))
}
