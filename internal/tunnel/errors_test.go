package tunnel

import (
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"

	"github.com/seed-9ea40bd3/requests/internal/uri"
)

// What a text must not hold is quoted, by the rule that the errors of URLs have
// or by a stricter one.
func TestPrintable(t *testing.T) {
	for _, tt := range []struct{ status, want string }{
		{"403 Größe", "403 Größe"},
		{"403 a\x1b[2J", `"403 a\x1b[2J"`},
		{"403 a\u009b2J", `"403 a\u009b2J"`},
		{"403 a\x9b2J", `"403 a\x9b2J"`},
		{"403 a\u202eb", `"403 a\u202eb"`},
		{"403 \xff", `"403 \xff"`},
	} {
		err := &RefusedError{Status: tt.status, StatusCode: 403}
		assert.EqualError(t, err, "tunnel: proxy refused CONNECT: "+tt.want)
	}
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if text := (&RefusedError{Status: string(r)}).Error(); uri.Unprintable(r) && strings.ContainsRune(text, r) {
			t.Fatalf("%U is shown as it is", r)
		}
	}
}
