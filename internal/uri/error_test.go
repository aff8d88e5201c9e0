package uri

import (
	"strings"
	"testing"
	"time"

	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

func TestErrorText(t *testing.T) {
	tests := []struct{ raw, want string }{
		{"x", "Invalid URL 'x': No scheme supplied. Perhaps you meant https://x?"},
		{"", "Invalid URL '': No scheme supplied. Perhaps you meant https://?"},
		{"http://", "Invalid URL 'http://': No host supplied"},
		{"http://*.a/", "Invalid URL 'http://*.a/': URL has an invalid label."},
		{"http://u:secret@a:x/", "Invalid URL 'http://***@a:x/': Failed to parse: the port is not a number from 0 to 65535."},
		{"http://[zz]/\n", `Invalid URL 'http://[zz]/\n': Failed to parse: the brackets do not hold an IPv6 address.`},
		{"http://[z\r\tz]/\x7f", `Invalid URL 'http://[z\r\tz]/\x7f': Failed to parse: the brackets do not hold an IPv6 address.`},
		{"x\xff", "Invalid URL 'x\uFFFD': Failed to parse: the text is not UTF-8."},
		{"http://[z\u009bz\u00adz]/", `Invalid URL 'http://[z\u009bz\u00adz]/': Failed to parse: the brackets do not hold an IPv6 address.`},
		{"x\u202e\u2028y\U000E0041", `Invalid URL 'x\u202e\u2028y\U000e0041': URL has an invalid label.`},
		{"a:\x00", `Invalid URL 'a:\x00': Failed to parse: the text has control characters.`},
	}
	for _, test := range tests {
		_, err := Prepare(test.raw, nil, "")
		if err == nil || err.Error() != test.want {
			t.Errorf("%q:\n got %v\nwant %v", test.raw, err, test.want)
		}
	}
	_, err := ParseProxy("u:secret@proxy.test:3128")
	want := "Invalid proxy URL '***@proxy.test:3128': " + badProxy
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %v", err, want)
	}
	for kind, want := range map[Kind]string{
		InvalidURL: "InvalidURL", MissingSchema: "MissingSchema", InvalidProxyURL: "InvalidProxyURL",
	} {
		if got := kind.String(); got != want {
			t.Errorf("got %q want %q", got, want)
		}
	}
}

func TestRedact(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", ""},
		{"http://a.test/x", "http://a.test/x"},
		{"http://u:p@a.test/x", "http://***@a.test/x"},
		{"http://u@a.test", "http://***@a.test"},
		{"//u:p@a.test", "//***@a.test"},
		{"http://u:p@ss@a.test/", "http://***@a.test/"},
		{"http://a.test/u:p@b.test/", "http://a.test/u:p@b.test/"},
		{"http://u:p@a.test/?m=x@y", "http://***@a.test/?m=x@y"},
		{"http://u:p/w@a.test/", "http://***@a.test/"},
		{"http://u:p#w@a.test/", "http://***@a.test/"},
		{"http://u:p?w@[::1]:80/", "http://***@[::1]:80/"},
		{"http://u:p@a.test:x/", "http://***@a.test:x/"},
		{"http://u:p@[zz/", "http://***@[zz/"},
		{"u:p@proxy.test:3128", "***@proxy.test:3128"},
		{"mailto:x@y", "***@y"},
		{"http:/u:p@a.test", "***@a.test"},
		{" http://u:p@a.test", "***@a.test"},
		{"ht tp://u:p@a.test", "***@a.test"},
		{"http://u:p\xff\x00@a.test", "http://***@a.test"},
	}
	for _, test := range tests {
		if got := Redact(test.text); got != test.want {
			t.Errorf("%q: got %q want %q", test.text, got, test.want)
		}
	}
}

// TestErrorKeepsSecret: an error that cuts a long text cuts it after the
// password is gone.
func TestErrorKeepsSecret(t *testing.T) {
	long := "http://u:" + strings.Repeat("secret", 20000) + "@a.test:x/" + strings.Repeat("é", 2*maxShown)
	base := prepared(t, "http://a.test/")
	for name, f := range map[string]func() (URL, error){
		"prepare": func() (URL, error) { return Prepare(long, nil, "") },
		"parse":   func() (URL, error) { return Parse(long) },
		"resolve": func() (URL, error) { return Resolve(base, long) },
		"proxy":   func() (URL, error) { return ParseProxy(long) },
	} {
		_, err := f()
		if err == nil || strings.Contains(err.Error(), "secret") || len(err.Error()) > 2*maxShown {
			t.Errorf("%s: got %.200v", name, err)
		}
	}
}

// TestLinear: a long run of what is costly to programs that look back at each
// step takes a moment, not an hour.
func TestLinear(t *testing.T) {
	testserver.Timed(t)
	const size = 1 << 17
	base := prepared(t, "http://a.test/a/b")
	start := time.Now()
	for _, unit := range []string{
		"@", "%", "%25", "%4", "/../", "/./", "/a/..", ":", "[", "]", "?", "#", "\\", "é", ".", "é.", "Σ", "\u0300", "%zz", " ", "\t",
	} {
		long := strings.Repeat(unit, size/len(unit))
		for _, prefix := range []string{"", "http://", "http://a.test/", "http://a.test/?", "http+x://"} {
			_, err := Prepare(prefix+long, nil, long)
			_, _ = err, Redact(prefix+long)
			_, _ = Parse(prefix + long)
			_, _ = ParseProxy(prefix + long)
		}
		_, _ = Resolve(base, long[:MaxLocation])
		_ = Requote(long)
	}
	if took := time.Since(start); took > 90*time.Second {
		t.Errorf("took %v", took)
	}
}
