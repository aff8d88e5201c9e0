package requests

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// BenchmarkPrepare prepares a request as a service sends it, and a bare one.
func BenchmarkPrepare(b *testing.B) {
	s := NewSession(Header("X-App", "demo"))
	s.IgnoreEnv = true
	defer s.Close()
	for i := range 10 {
		if err := s.Cookies.Set(&http.Cookie{Name: fmt.Sprint("c", i), Value: "value", Domain: "a.test"}); err != nil {
			b.Fatal(err)
		}
	}
	requests := map[string]*Request{
		"bare": NewRequest("GET", "http://a.test/"),
		"rich": NewRequest("POST", "http://a.test/api/items?x=1",
			Param("q", "search text"), Param("page", "2"), Param("tag", "a", "b"),
			Header("X-Request-Id", "0123456789"), Header("Accept-Language", "de"),
			BasicAuth("user", "secret"), Form("name", "a value"), Form("other", "1")),
	}
	for name, request := range requests {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Prepare(b.Context(), request); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkMergeHeaders lays a call's fields over a session's, a third of them
// under names that both have.
func BenchmarkMergeHeaders(b *testing.B) {
	for _, n := range []int{3, 12, 100} {
		var session, call Headers
		for i := range n {
			session.Set(fmt.Sprintf("X-Session-%d", i), "value")
			call.Set(fmt.Sprintf("X-Call-%d", i), "value")
			if i%3 == 0 {
				call.Set(fmt.Sprintf("x-session-%d", i), "another")
			}
		}
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				mergeHeaders(nil, session, call)
			}
		})
	}
}

// BenchmarkMultipart reads the body of a form and a file of 10 MiB.
func BenchmarkMultipart(b *testing.B) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 10<<20/16)
	form := Pairs("name", "a value", "other", "1")
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	buf := make([]byte, 64<<10)
	for b.Loop() {
		p, err := multipartPayload("BOUND", form, []Part{{Field: "f", FileName: "n.bin", Content: BytesPayload(content)}})
		if err != nil {
			b.Fatal(err)
		}
		r, err := p.open()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r}, buf); err != nil {
			b.Fatal(err)
		}
		r.Close()
	}
}

// BenchmarkLines cuts 10 MiB in memory into lines, by the ends of lines and by
// a delimiter.
func BenchmarkLines(b *testing.B) {
	for _, length := range []int{8, 80, 4000} {
		text := strings.Repeat(strings.Repeat("x", length-1)+"\n", 10<<20/length)
		for _, delimiter := range []string{"", "\n"} {
			b.Run(fmt.Sprintf("length=%d/delimiter=%q", length, delimiter), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					n := 0
					scanLines(strings.NewReader(text), delimiter, func(line []byte, err error) bool {
						n += len(line)
						return err == nil
					})
					if n == 0 {
						b.Fatal("no line")
					}
				}
			})
		}
	}
}
