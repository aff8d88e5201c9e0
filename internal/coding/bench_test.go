package coding

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
)

// BenchmarkDecode decodes 10 MiB of JSON.
func BenchmarkDecode(b *testing.B) {
	var text strings.Builder
	for i := 0; text.Len() < 10<<20; i++ {
		fmt.Fprintf(&text, `{"id":%d,"name":"user %d","tags":["a%d","b"],"score":%d.5},`, i, i*7919%10007, i%13, i%997)
	}
	for _, name := range single {
		body := encode(b, []byte(text.String()), name)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(text.Len()))
			b.ReportAllocs()
			buf := make([]byte, 256<<10)
			for b.Loop() {
				r, err := NewReader(bytes.NewReader(body), []string{field(name)}, Limits{})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r}, buf); err != nil {
					b.Fatal(err)
				}
				r.Close()
			}
		})
	}
}
