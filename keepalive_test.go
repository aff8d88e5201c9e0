package requests

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A server that keeps a connection for no time at all is asked nothing on it any
// more.
func TestKeepAliveOfZero(t *testing.T) {
	for value, want := range map[string]int64{"timeout=0": 3, "max=5, Timeout=0": 3, "timeout=60": 1, "timeout=00": 3, "timeout=x": 1} {
		t.Run(value, func(t *testing.T) {
			var conns atomic.Int64
			url := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
				conns.Add(1)
				for readHead(r) != "" {
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nKeep-Alive: "+value+"\r\nContent-Length: 2\r\n\r\nok")
				}
			})
			s := loopSession(t)
			for _, opts := range [][]Option{nil, {Stream()}, nil} {
				r, err := s.Get(t.Context(), url, opts...)
				require.NoError(t, err)
				assert.Equal(t, "ok", r.Text())
				require.NoError(t, r.Close())
			}
			assert.Equal(t, want, conns.Load())
		})
	}
}

// A response that one read brings is the same to the caller as one that comes in
// pieces, and its body holds the connection while a hook has it unread.
func TestWholeResponseIsAsAnyOther(t *testing.T) {
	var conns atomic.Int64
	url := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
		conns.Add(1)
		for head := readHead(r); head != ""; head = readHead(r) {
			answer := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\nok"
			cut := len(answer)
			if strings.Contains(head, " /pieces ") {
				cut -= len("ok")
			}
			_, _ = io.WriteString(c, answer[:cut])
			if cut < len(answer) {
				time.Sleep(10 * time.Millisecond) // so that the rest is another read
			}
			_, _ = io.WriteString(c, answer[cut:])
		}
	})
	s := loopSession(t)
	for _, path := range []string{"/whole", "/pieces", "/whole"} {
		r, err := s.Get(t.Context(), url+path)
		require.NoError(t, err)
		assert.Equal(t, "ok", r.Text(), path)
		assert.Equal(t, []string{"2", "y"}, append(r.Headers.Values("Content-Length"), r.Headers.Values("X")...), path)
	}
	assert.EqualValues(t, 1, conns.Load())

	_, err := s.Get(t.Context(), url+"/whole", OnResponse(func(ctx context.Context, r *Response) (*Response, error) {
		_, err := s.Get(ctx, url+"/within")
		return nil, err
	}))
	require.NoError(t, err)
	assert.EqualValues(t, 2, conns.Load(), "the hook's response holds its connection")
}

// A body that cannot be decoded, and came to its end, costs no connection.
func TestUndecodableBodyKeepsConnection(t *testing.T) {
	var conns atomic.Int64
	url := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
		conns.Add(1)
		for readHead(r) != "" {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 20\r\n\r\n01234567890123456789")
		}
	})
	s := loopSession(t)
	for range 3 {
		_, err := s.Get(t.Context(), url)
		require.ErrorIs(t, err, ErrContentDecoding)
	}
	assert.EqualValues(t, 1, conns.Load())
}

// A request that is not to go out twice does not, where the server closes as soon
// as it has it: the request is sent before net/http writes it, which takes an
// end that comes before that for that of an idle connection.
func TestPostGoesOutOnce(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	url := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
		for first := true; ; first = false {
			head := readHead(r)
			if head == "" {
				return
			}
			_, path, _ := strings.Cut(head, " ")
			path, _, _ = strings.Cut(path, " ")
			mu.Lock()
			seen[path]++
			mu.Unlock()
			if !first {
				if len(path)%2 == 0 {
					_ = c.(*net.TCPConn).SetLinger(0)
				}
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	s := loopSession(t)
	for i := range 300 {
		_, err := s.Get(t.Context(), url+"/")
		require.NoError(t, err)
		path := "/" + strings.Repeat("x", 1+i%2) + strconv.Itoa(1000+i)
		_, err = s.Post(t.Context(), url+path)
		e, ok := errors.AsType[*Error](err)
		require.True(t, ok, "got %v", err)
		require.True(t, e.MaybeSent)
		mu.Lock()
		n := seen[path]
		mu.Unlock()
		require.Equal(t, 1, n, path)
	}
}
