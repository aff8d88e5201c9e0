//go:build unix

package requests_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-9ea40bd3/requests"
)

// fuzzLimit bounds bodies, and what a fuzzed response may hand out.
const fuzzLimit = 64 << 10

// pipeServer answers every request on every connection with the same bytes,
// after which it ends the connection.
type pipeServer struct {
	answer []byte
	wg     sync.WaitGroup
}

// dial is a connection of memory alone.
func (p *pipeServer) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	p.wg.Go(func() {
		defer server.Close()
		if _, err := readHead(bufio.NewReader(server)); err == nil {
			_, _ = server.Write(p.answer)
		}
	})
	return client, nil
}

// FuzzResponse sends a GET to a server that answers with any bytes. The
// properties: the call returns; with an error of this package's whose text is
// short and printable, or with a response; no more than the limit is handed
// out; a body that has a plain length, and no coding, is what net/http reads;
// reading it in pieces gives what reading it at once gave; and no goroutine is
// left.
func FuzzResponse(f *testing.F) {
	for _, seed := range []string{
		answerOK, redirectTo(302, "/x"), redirectTo(307, "http://b.test/"), challenge(`Digest realm="r", nonce="n"`, "Basic realm=x"),
		"HTTP/1.1 200 OK\r\n\r\nuntil the end", "HTTP/1.0 200\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\nx", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut",
		chunked("5\r\nhello\r\n0\r\nX-A: b\r\n\r\n", "Trailer: X-A"), chunked("5;a=b\r\nhello\r\n0\r\n\r\n", "Content-Length: 3"), chunked("zz\r\n"),
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answerOK, "HTTP/1.1 101 Switching Protocols\r\n\r\n",
		codedAnswer(gzipped([]byte("text")), "gzip"), codedAnswer(gzipped(gzipped([]byte("text"))), "gzip", "gzip"), codedAnswer(zstdFrame(13<<3), "zstd"),
		codedAnswer(gzipped(make([]byte, 2*fuzzLimit)), "gzip"), codedAnswer([]byte{0x0b, 0x02, 0x80, 'o', 'k', 0x03}, "br"), codedAnswer([]byte("x"), "deflate"),
		cookieAnswer("a=1; Domain=.test", "b=2; Secure", "__Host-c=3"), "HTTP/1.1 503 X\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n", "ICY 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-16\r\nContent-Length: 4\r\n\r\n\xff\xfe{\x00", "\x16\x03\x01\x02\x00\x01", "",
		"HTTP/1.1 200 OK\r\nLink: <a>; rel=next, <b>; rel=\"x y\"\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
		raw("X-A: b\r\n c", "Content-Length: 2", "Content-Length: 2", "", "okHTTP/1.1 200 OK\r\n\r\n"), raw("Keep-Alive: timeout=0", "Connection: close", "", ""),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		before := runtime.NumGoroutine()
		whole, err := fuzzedGet(t, answer)
		streamed, streamErr := fuzzedGet(t, answer, requests.Stream())
		if (err == nil) != (streamErr == nil) || err == nil && !bytes.Equal(whole, streamed) {
			t.Fatalf("at once %d bytes, %v; in pieces %d bytes, %v", len(whole), err, len(streamed), streamErr)
		}
		if want, plain := plainBody(answer); plain && (err != nil || !bytes.Equal(whole, want)) {
			t.Fatalf("got %q, %v\nwant %q", whole, err, want)
		}
		for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
			if time.Now().After(deadline) {
				stacks := make([]byte, 64<<10)
				t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
			}
		}
	})
}

// fuzzedGet sends a request to a server that answers with these bytes, and
// looks at what comes of it.
func fuzzedGet(t *testing.T, answer []byte, opts ...requests.Option) ([]byte, error) {
	t.Helper()
	server := &pipeServer{answer: answer}
	s := newFaultSession(func(a *requests.HTTPAdapter) { a.Dial = server.dial },
		requests.MaxBody(fuzzLimit), requests.TotalTimeout(20*time.Second), requests.MaxRedirects(3), requests.DigestAuth("u", "p"))
	defer server.wg.Wait()
	defer s.Close()
	r, err := s.Get(t.Context(), "http://a.test/", opts...)
	if err != nil {
		return nil, fuzzedError(t, r, err)
	}
	defer r.Close()
	var data []byte
	if len(opts) == 0 {
		data = r.Content()
	} else {
		for piece, err := range r.Chunks(1000) {
			if err != nil {
				return nil, fuzzedError(t, nil, err)
			}
			data = append(data, piece...)
		}
	}
	if len(data) > fuzzLimit {
		t.Fatalf("%d bytes, the limit is %d", len(data), fuzzLimit)
	}
	if r.StatusCode < 100 || r.StatusCode > 999 || len(r.History) > 4 {
		t.Fatalf("status %d after %d others", r.StatusCode, len(r.History))
	}
	for name, value := range r.Headers.All() {
		if name == "" || strings.ContainsAny(name+value, "\r\n\x00") {
			t.Fatalf("header %q: %q", name, value)
		}
	}
	_, _, _, _ = r.Text(), r.Links(), r.Cookies(), r.ApparentEncoding()
	return data, nil
}

// fuzzedError looks at an error.
func fuzzedError(t *testing.T, r *requests.Response, err error) error {
	t.Helper()
	var e *requests.Error
	switch text := err.Error(); {
	case r != nil:
		t.Fatal("a response beside an error")
	case !errors.As(err, &e) || !errors.Is(err, requests.ErrRequest):
		t.Fatalf("an error of another kind: %T %v", err, err)
	case errors.Is(err, requests.ErrTimeout):
		t.Fatalf("it would have hung: %v", err)
	case len(text) > 1024 || text != printableText(text):
		t.Fatalf("text of the error: %q", text)
	case e.Response != nil && len(e.Response.Partial()) > fuzzLimit:
		t.Fatalf("%d bytes were kept", len(e.Response.Partial()))
	}
	return err
}

// plainBody is what net/http reads of an answer that nobody could read
// otherwise: HTTP/1.1, 200, one length or none, no codings, no second answer.
func plainBody(answer []byte) ([]byte, bool) {
	if !bytes.HasPrefix(answer, []byte("HTTP/1.1 200 OK\r\n")) || bytes.Count(answer, []byte(":")) > 2 {
		return nil, false
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), nil)
	if err != nil || len(resp.TransferEncoding) > 0 {
		return nil, false
	}
	for name := range resp.Header {
		if name != "Content-Length" && name != "X-A" {
			return nil, false
		}
	}
	body, err := io.ReadAll(resp.Body)
	return body, err == nil && len(body) <= fuzzLimit
}

// FuzzHeaderCheck compares what is let through with what arrives. The
// properties: a field that is sent arrives as it was given, once, and no other
// does; one that is not sent is an ErrInvalidHeader, and there is a byte to
// blame.
func FuzzHeaderCheck(f *testing.F) {
	for _, seed := range [][2]string{
		{"X-A", "b"},
		{"X-A", "b\r\nX-Evil: 1"},
		{"X-A", "b\nc"},
		{"X-A", "b\x00"},
		{"X-A", " b"},
		{"X-A", "é"},
		{"X-A", "\u20ac"},
		{"X-A", "\xff"},
		{"X-A", ""},
		{"X-A\r\nX-Evil", "1"},
		{"X A", "1"},
		{"", "1"},
		{"X:A", "1"},
		{"Host", "b.test"},
		{"Host", "a b"},
		{"Content-Length", "5"},
		{"Transfer-Encoding", "chunked"},
		{"Connection", "close"},
		{"Expect", "100-continue"},
		{"TE", "trailers"},
		{"Cookie", "a=1"},
		{"X-A", "b\t"},
		{"X-A", "\x7f"},
		{"accept", "b "},
	} {
		f.Add(seed[0], seed[1], false)
		f.Add(seed[0], seed[1], true)
	}
	f.Fuzz(func(t *testing.T, name, value string, raw bool) {
		var head string
		dial := func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go func() {
				defer server.Close()
				head, _ = readHead(bufio.NewReader(server))
				_, _ = io.WriteString(server, answerOK)
			}()
			return client, nil
		}
		s := newFaultSession(func(a *requests.HTTPAdapter) { a.Dial = dial }, requests.TotalTimeout(20*time.Second))
		defer s.Close()
		s.Headers = requests.NewHeaders()
		option, sent := requests.Header(name, value), latin1(value)
		if raw {
			option, sent = requests.HeaderBytes(name, []byte(value)), value
		}
		r, err := s.Get(t.Context(), "http://a.test/", option)
		if err != nil {
			if !errors.Is(err, requests.ErrInvalidHeader) || errors.Is(err, requests.ErrConnection) {
				t.Fatalf("%q: %q fails late: %v", name, value, err)
			}
			if mayStand(name, value) {
				t.Fatalf("%q: %q is refused: %v", name, value, err)
			}
			return
		}
		if r.Text() != "ok" {
			t.Fatalf("got %q", r.Text())
		}
		if strings.EqualFold(name, "Transfer-Encoding") {
			return // of a request without a body: there is nothing to frame
		}
		lines := strings.Split(strings.TrimSuffix(head, "\r\n\r\n"), "\r\n")
		if lines[0] != "GET / HTTP/1.1" || len(lines) > 3 {
			t.Fatalf("%q: %q makes the head %q", name, value, head)
		}
		for _, line := range lines[1:] {
			if strings.TrimRight(line, " \t") == strings.TrimRight(name+": "+sent, " \t") {
				return
			}
		}
		t.Fatalf("%q: %q does not arrive, but %q", name, value, head)
	})
}

// latin1 is a text as it is sent: one byte for each character, where it is
// UTF-8 at all.
func latin1(s string) string {
	var b []byte
	for _, r := range s {
		if r == '\uFFFD' || r > 0xff {
			return s
		}
		b = append(b, byte(r))
	}
	return string(b)
}

// mayStand reports whether nothing can be said against a field: a token that
// frames nothing, and printable ASCII.
func mayStand(name, value string) bool {
	switch strings.ToLower(name) {
	case "", "host", "content-length", "transfer-encoding":
		return false
	}
	for _, c := range []byte(name + value) {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return !strings.ContainsAny(name, ": ") && !strings.HasPrefix(value, " ")
}
