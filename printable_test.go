package requests

import (
	"errors"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

// An error's text does nothing to the terminal or the log that shows it.
func TestPrintable(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"plain", "404 Not Found", "404 Not Found"},
		{"letters", "Größe, размер, 大きさ, 📏", "Größe, размер, 大きさ, 📏"},
		{"one", "a", "a"},
		{"escape", "a\x1b[2Jb", "a\uFFFD[2Jb"},
		{"line ends", "a\r\nb", "a\uFFFD\uFFFDb"},
		{"delete", "a\x7fb", "a\uFFFDb"},
		{"the first of C1", "a\u0080b", "a\uFFFDb"},
		{"CSI of C1", "a\u009b2Jb", "a\uFFFD2Jb"},
		{"the last of C1", "a\u009fb", "a\uFFFDb"},
		{"past C1", "a\u00a0b", "a\u00a0b"},
		{"right to left", "a\u202eb", "a\uFFFDb"},
		{"isolate", "a\u2066b\u2069", "a\uFFFDb\uFFFD"},
		{"no width", "a\u200bb\ufeff", "a\uFFFDb\uFFFD"},
		{"soft hyphen", "a\u00adb", "a\uFFFDb"},
		{"tag", "a\U000E0041b", "a\uFFFDb"},
		{"separators", "a\u2028b\u2029", "a\uFFFDb\uFFFD"},
		{"CSI as a byte", "a\x9b2Jb", "a\uFFFD2Jb"},
		{"cut character", "a\xe2\x82", "a\uFFFD\uFFFD"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, printable(tt.text))
			assert.Equal(t, "requests: GET: "+tt.want+": "+tt.want, (&Error{Op: "GET", reason: tt.text, Err: errors.New(tt.text)}).Error())
			assert.Equal(t, "proxy refused the tunnel: "+tt.want, (&ProxyRefusedError{Status: tt.text}).Error())
			assert.Equal(t, "<Request ["+tt.want+"]>", Request{Method: tt.text}.String())
		})
	}
	for r := rune(0); r <= unicode.MaxRune; r++ {
		bad := unicode.In(r, unicode.Cc, unicode.Cf, unicode.Cs, unicode.Zl, unicode.Zp)
		if got := printable(string(r)); bad != (got != string(r)) && utf8.ValidRune(r) || !utf8.ValidString(got) {
			t.Fatalf("%U is shown as %q", r, got)
		}
	}
}
