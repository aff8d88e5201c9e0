package requests

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// TestMain keeps the environment out of the tests, and sees to it that they
// leave no goroutine behind.
func TestMain(m *testing.M) {
	flag.Parse()
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		lower := strings.ToLower(name)
		if strings.HasSuffix(lower, "_proxy") || lower == "netrc" ||
			name == "REQUESTS_CA_BUNDLE" || name == "CURL_CA_BUNDLE" {
			os.Unsetenv(name)
		}
	}
	code := m.Run()
	CloseIdleConnections()
	if fuzzing := flag.Lookup("test.fuzz"); code == 0 && (fuzzing == nil || fuzzing.Value.String() == "") {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// loopServer starts a server on the loopback interface that ends with the
// test, and returns its URL without a slash at the end.
func loopServer(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

// loopSession is a session that knows no environment and ends with the test.
func loopSession(t testing.TB, opts ...Option) *Session {
	t.Helper()
	s := NewSession(opts...)
	s.IgnoreEnv = true
	t.Cleanup(func() { s.Close() })
	return s
}

// rawLoop starts a server that speaks by hand: serve is called for each
// connection, numbered from 0, which is closed after it.
func rawLoop(t testing.TB, serve func(n int, c net.Conn, r *bufio.Reader)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var all sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	all.Go(func() {
		for n := 0; ; n++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			all.Go(func() {
				defer c.Close()
				serve(n, c, bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return "http://" + ln.Addr().String()
}

// readHead reads the head of a request, or returns "" where none comes.
func readHead(r *bufio.Reader) string {
	var head strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return ""
		}
		head.WriteString(line)
		if line == "\r\n" {
			return head.String()
		}
	}
}

// answerAll answers every request of a connection with the same bytes.
func answerAll(answer string) func(int, net.Conn, *bufio.Reader) {
	return func(_ int, c net.Conn, r *bufio.Reader) {
		for readHead(r) != "" {
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
		}
	}
}

const okEmpty = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

// cannedAdapter answers without a network.
type cannedAdapter func(ctx context.Context, p *PreparedRequest, settings Settings) (*Response, error)

func (f cannedAdapter) Send(ctx context.Context, p *PreparedRequest, settings Settings) (*Response, error) {
	return f(ctx, p, settings)
}

func (f cannedAdapter) Close() error { return nil }

// cannedSession is a session all of whose requests f answers.
func cannedSession(t testing.TB, f cannedAdapter, opts ...Option) *Session {
	s := loopSession(t, opts...)
	s.Mount("", f)
	s.Mount("http://", f)
	s.Mount("https://", f)
	return s
}

// given is a streamed response whose body arrives in the pieces given, and
// ends with err, or well where that is nil.
func given(err error, pieces ...string) *Response {
	if err == nil {
		err = io.EOF
	}
	return NewResponse(nil, 200, "OK", Headers{}, &pieceReader{pieces: pieces, err: err})
}

// pieceReader gives one piece a read, then an error.
type pieceReader struct {
	pieces []string
	err    error
	closed int
}

func (p *pieceReader) Read(b []byte) (int, error) {
	if len(p.pieces) == 0 {
		return 0, p.err
	}
	n := copy(b, p.pieces[0])
	if p.pieces[0] = p.pieces[0][n:]; p.pieces[0] == "" {
		p.pieces = p.pieces[1:]
	}
	return n, nil
}

func (p *pieceReader) Close() error {
	p.closed++
	return nil
}

var errBoom = errors.New("boom")

// soon fails the test where a call that has to end at once does not.
func soon(t testing.TB, limit time.Duration, call func()) {
	t.Helper()
	begin := time.Now()
	call()
	if took := time.Since(begin); took > limit {
		t.Errorf("took %v, want at most %v", took, limit)
	}
}

// asError returns the *Error in err.
func asError(t testing.TB, err error) *Error {
	t.Helper()
	var e *Error
	require.ErrorAs(t, err, &e)
	return e
}
