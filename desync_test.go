package requests

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// A server that gives two answers at a time never has the second taken for
// that to another request, however many are made at once.
func TestSurplusAnswersNothing(t *testing.T) {
	const evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"
	big := strings.Repeat("x", 70<<10)
	chunked := func(path string) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(path), path) }
	tests := []struct {
		name   string
		answer func(path string) string
		opts   []Option
	}{
		{"length", func(p string) string {
			return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(p), p)
		}, nil},
		{"length behind a large head", func(p string) string {
			return fmt.Sprintf("HTTP/1.1 200 OK\r\nX: %s\r\nContent-Length: %d\r\n\r\n%s", big, len(p), p)
		}, nil},
		{"chunks", func(p string) string { return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(p) }, nil},
		{"chunks, streamed", func(p string) string {
			return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(p)
		}, []Option{Stream()}},
		{"chunks and a length", func(p string) string {
			return "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(p)
		}, nil},
		{"chunks behind a large interim head", func(p string) string {
			return "HTTP/1.1 103 Early\r\nX: " + big + "\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(p)
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
				for {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					if _, err := io.WriteString(c, tt.answer(req.URL.Path)+evil); err != nil {
						return
					}
				}
			})
			s := loopSession(t, tt.opts...)
			var wg sync.WaitGroup
			for w := range 8 {
				wg.Go(func() {
					for i := range 40 {
						path := fmt.Sprintf("/%d-%d", w, i)
						r, err := s.Get(t.Context(), url+path)
						if assert.NoError(t, err) && !assert.Equal(t, path, r.Text()) {
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// However large a head is, its framing is judged as that of a small one.
func TestFramingOfLargeHeads(t *testing.T) {
	field := "X: " + strings.Repeat("x", 70<<10) + "\r\n"
	var answer string
	var conns atomic.Int64
	url := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
		conns.Add(1)
		for {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			_, _ = io.WriteString(c, answer)
		}
	})
	s := loopSession(t)
	answer = "HTTP/1.0 200 OK\r\n" + field + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
	_, err := s.Get(t.Context(), url)
	require.ErrorIs(t, err, ErrChunkedEncoding, "HTTP/1.0 has no codings")

	answer = "HTTP/1.1 200 OK\r\n" + field + "Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
	conns.Store(0)
	for range 2 {
		r, err := s.Get(t.Context(), url)
		require.NoError(t, err)
		assert.Equal(t, "ok", r.Text())
		assert.Equal(t, "9", r.Headers.Get("Content-Length"))
	}
	assert.EqualValues(t, 2, conns.Load(), "two framings end a connection")
}

// Whatever a late write says, a reset stays a reset.
func TestResetIsToldOfUploads(t *testing.T) {
	url := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
		_, _ = http.ReadRequest(r)
		_ = c.(*net.TCPConn).SetLinger(0)
	})
	for range 20 {
		_, err := loopSession(t).Post(t.Context(), url, Body(strings.NewReader(strings.Repeat("x", 100))))
		require.ErrorIs(t, err, ErrConnection)
		// The reset may overtake the write, or be overtaken by the end.
		assert.True(t, errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF), "%v", err)
	}
}

// lazySource takes its time for a Read, and knows whether one is under way.
type lazySource struct{ reading atomic.Int64 }

func (s *lazySource) Read(b []byte) (int, error) {
	s.reading.Add(1)
	defer s.reading.Add(-1)
	time.Sleep(10 * time.Millisecond)
	return copy(b, "abc"), nil
}

// The source of an upload that a context ends is not read when the call
// returns, though its answer came long before.
func TestSourceIsAtRestAfterDeadline(t *testing.T) {
	url := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		_, _ = io.Copy(io.Discard, r)
	})
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		source := new(lazySource)
		_, err := loopSession(t).Post(ctx, url, Body(onlyReader{source}))
		cancel()
		assert.Zero(t, source.reading.Load(), "a Read is under way")
		if err != nil { // else the answer was taken, which is here
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
	}
}

// What HTTP/2 would have passed on to make another framing of is refused.
func TestMalformedHeadsOfHTTP2(t *testing.T) {
	ca := testserver.NewCA(t)
	tests := []struct {
		header http.Header
		kind   error
	}{
		{http.Header{"X": {"1"}}, nil},
		{http.Header{"Content-Length": {"2", "2"}}, nil},
		{http.Header{"Content-Length": {"2", "3"}}, ErrInvalidHeader},
		{http.Header{"Content-Length": {"+2"}}, ErrInvalidHeader},
		{http.Header{"Transfer-Encoding": {"chunked"}}, ErrInvalidHeader},
		{http.Header{"Connection": {"close"}}, ErrInvalidHeader},
	}
	for _, tt := range tests {
		err := checkHTTP2(tt.header)
		if tt.kind == nil {
			assert.NoError(t, err)
			continue
		}
		assert.ErrorIs(t, err, tt.kind)
		assert.ErrorIs(t, err, ErrConnection)
	}
	srv := testserver.NewFaults2(t, serverConfig(ca.Leaf("127.0.0.1")),
		testserver.Answer2{Status: 204, Body: []byte("ok"), Length: "-"}, testserver.Answer2{Status: 1000})
	s := tlsSession(t, new(HTTPAdapter), Settings{Verify: TLSVerify{Roots: ca.Pool()}})
	r, err := s.Get(t.Context(), srv.URL())
	require.NoError(t, err)
	assert.Empty(t, r.Content(), "204 has no body")
	_, err = s.Get(t.Context(), srv.URL())
	assert.ErrorIs(t, err, ErrConnection)
}
