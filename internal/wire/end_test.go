package wire

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// The end of a body, and what lies beyond it. A bar stands where it ends; where
// none does everything is taken.
func TestBodyEnd(t *testing.T) {
	long := strings.Repeat("x", maxChunkLine-3)
	tests := []struct {
		name   string
		length int64 // below zero for chunks
		body   string
	}{
		{"no body", 0, "|HTTP/1.1"},
		{"length", 3, "abc|HTTP/1.1"},
		{"one chunk", -1, "3\r\nabc\r\n0\r\n\r\n|HTTP/1.1"},
		{"no chunk", -1, "0\r\n\r\n|x"},
		{"large digits", -1, "A\r\n0123456789\r\n00\r\n\r\n|x"},
		{"extension", -1, "1;a=\"b\"\r\nx\r\n0;c\r\n\r\n|x"},
		{"blanks", -1, "1 \t\r\nx\r\n0\t\r\n\r\n|x"},
		{"trailer", -1, "0\r\nA: b\r\nC: \r\n\r\n|x"},
		{"trailer's bare line feed", -1, "0\r\nA: b\nC: d\r\n\r\n|x"},
		{"longest line", -1, "1;" + long + "\r\nx\r\n0\r\n\r\n|x"},

		{"longer line", -1, "1;" + long + "x\r\nx\r\n0\r\n\r\nx"},
		{"bare line feed", -1, "1\nx\r\n0\r\n\r\nx"},
		{"bare line feed at the end", -1, "0\r\n\nx"},
		{"bare line feed before a trailer's end", -1, "0\r\nA: b\n\r\n\r\nx"},
		{"bare line feed behind a byte", -1, "0\r\nA\n\r\n\r\nx"},
		{"bare line feed behind a field", -1, "0\r\nA: b\n\nx"},
		{"no line end", -1, "1\r\nxy\r\n0\r\n\r\nx"},
		{"half a line end", -1, "1\r\nx\r0\r\n\r\nx"},
		{"carriage return in the size", -1, "1\r;\r\nx\r\n0\r\n\r\nx"},
		{"carriage return in a trailer's place", -1, "0\r\n\rx\r\n\r\nx"},
		{"no size", -1, "\r\nx\r\n0\r\n\r\nx"},
		{"sign", -1, "+1\r\nx\r\n0\r\n\r\nx"},
		{"no digit", -1, "g\r\nx\r\n0\r\n\r\nx"},
		{"too many digits", -1, "00000000000000001\r\nx\r\n0\r\n\r\nx"},
		{"blank before an extension", -1, "1 ;a\r\nx\r\n0\r\n\r\nx"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := strings.Replace(tt.body, "|", "", 1)
			want := strings.Index(tt.body, "|")
			if want < 0 {
				want = len(body)
			}
			for _, step := range []int{1, 2, 3, 7, len(body)} {
				var e bodyEnd
				e.begin(tt.length, tt.length < 0)
				got := 0
				for i := 0; i < len(body); i += step {
					got += e.take([]byte(body[i:min(i+step, len(body))]))
				}
				assert.Equal(t, want, got, fmt.Sprint("in steps of ", step))
				assert.Equal(t, strings.Contains(tt.body, "|"), e.state == endOver)
			}
		})
	}
}
