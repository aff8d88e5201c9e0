package requests

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// http2Server counts the connections that were made to it, and those that are
// open.
type http2Server struct {
	url        string
	made, open atomic.Int64
}

func newHTTP2Server(t testing.TB, h http.HandlerFunc) *http2Server {
	s := new(http2Server)
	srv := httptest.NewUnstartedServer(h)
	srv.EnableHTTP2 = true
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			s.made.Add(1)
			s.open.Add(1)
		case http.StateClosed:
			s.open.Add(-1)
		}
	}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

// PoolConnections holds for HTTP/2: the idle connections of a host that was
// pushed out are closed, and those of others serve on.
func TestPoolConnectionsHTTP2(t *testing.T) {
	servers := map[string]*http2Server{}
	for name := range strings.FieldsSeq("a b c") {
		servers[name] = newHTTP2Server(t, echoBody)
	}
	a := &HTTPAdapter{PoolConnections: 2}
	s := tlsSession(t, a, Verify(false))
	for i, step := range []struct {
		host string
		want int64  // connections made to that host so far
		open string // the hosts to which one is open
	}{
		{"a", 1, "a"},
		{"b", 1, "ab"},
		{"a", 1, "ab"},
		{"c", 1, "ac"},
		{"a", 1, "ac"},
		{"b", 2, "ab"},
		{"c", 2, "bc"},
	} {
		r, err := s.Post(t.Context(), servers[step.host].url, BodyText("x"))
		require.NoError(t, err)
		assert.Equal(t, "HTTP/2.0", r.Proto)
		assert.Equal(t, step.want, servers[step.host].made.Load(), "step %d", i)
		for name, srv := range servers {
			want := int64(strings.Count(step.open, name))
			assert.Eventually(t, func() bool { return srv.open.Load() == want }, 2*time.Second, time.Millisecond, "step %d: %s", i, name)
		}
	}
}

// A stream of a host that was pushed out is read to its end, and the connection
// closed then, or kept where its host is used again meanwhile.
func TestPushedOutHostServesOnHTTP2(t *testing.T) {
	for _, again := range []bool{false, true} {
		more := make(chan struct{})
		slow := newHTTP2Server(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/quick" {
				return
			}
			_, _ = io.WriteString(w, "a")
			_ = http.NewResponseController(w).Flush()
			<-more
			_, _ = io.WriteString(w, strings.Repeat("b", 1<<20))
		})
		other := newHTTP2Server(t, echoBody)
		s := tlsSession(t, &HTTPAdapter{PoolConnections: 1}, Verify(false))
		r, err := s.Get(t.Context(), slow.url, Stream())
		require.NoError(t, err)
		_, err = s.Get(t.Context(), other.url)
		require.NoError(t, err)
		if again {
			_, err = s.Get(t.Context(), slow.url+"/quick")
			require.NoError(t, err)
		}
		close(more)
		assert.Len(t, r.Content(), 1<<20+1)
		if again {
			_, err = s.Get(t.Context(), slow.url+"/quick")
			require.NoError(t, err)
		}
		assert.Equal(t, int64(1), slow.made.Load())
		gone := slow
		if again {
			gone = other
		}
		assert.Eventually(t, func() bool { return gone.open.Load() == 0 }, 2*time.Second, time.Millisecond)
	}
}

// No request is lost to a connection that is closed for its host was pushed
// out, be its body one that can be sent only once.
func TestPushedOutHostsLoseNothingHTTP2(t *testing.T) {
	var urls []string
	for range 3 {
		urls = append(urls, newHTTP2Server(t, echoBody).url)
	}
	s := tlsSession(t, &HTTPAdapter{PoolConnections: 1}, Verify(false))
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 60 {
				body := strings.Repeat("x", 1+i)
				r, err := s.Post(t.Context(), urls[(i+n)%len(urls)], Body(onlyReader{strings.NewReader(body)}))
				if assert.NoError(t, err) {
					assert.Equal(t, body, r.Text())
				}
			}
		})
	}
	all.Wait()
}

// deafConn takes deadlines and does nothing about them.
type deafConn struct {
	net.Conn
	closed atomic.Bool
}

func (*deafConn) SetDeadline(time.Time) error { return nil }
func (c *deafConn) Close() error              { c.closed.Store(true); return nil }

func TestSharedConn(t *testing.T) {
	var h hostPools
	h.limit = 1
	add := func(host string) (*sharedConn, *deafConn) {
		raw := new(deafConn)
		c := &sharedConn{Conn: raw, pools: &h, host: host, noticed: make(chan struct{})}
		h.addShared(c)
		return c, raw
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()

	unused, _ := add("unused")
	a, raw := add("a")
	assert.False(t, unused.ending, "never used")
	require.True(t, a.acquire(t.Context()))
	h.touch("b")
	assert.True(t, a.retired)
	assert.False(t, a.ending, "in use")
	require.True(t, a.acquire(t.Context()))
	assert.False(t, a.retired, "used again")
	a.release(true)
	h.touch("b")
	assert.False(t, a.ending, "in use")
	a.release(false)
	assert.True(t, a.ending)
	assert.False(t, a.acquire(gone))
	assert.Eventually(t, raw.closed.Load, 5*time.Second, time.Millisecond, "closed without heed to deadlines")
	go a.Close()
	assert.False(t, a.acquire(t.Context()), "once net/http has put it away")
	require.NoError(t, a.Close())
	assert.Empty(t, h.byHost["b"].Value.(*hostPool).conns)
}

// A request that a kept connection of HTTP/2 takes to its grave goes out once
// more if that does no harm, as over HTTP/1.1.
func TestLostOnHTTP2(t *testing.T) {
	for method, want := range map[string]int{"GET": 3, "PUT": 3, "POST": 2} {
		t.Run(method, func(t *testing.T) {
			ca := testserver.NewCA(t)
			srv := testserver.NewFaults2(t, serverConfig(ca.Leaf("127.0.0.1")),
				testserver.Answer2{}, testserver.Answer2{OnRequest: testserver.Effect2{Shut: true}}, testserver.Answer2{})
			s := tlsSession(t, new(HTTPAdapter), Settings{Verify: TLSVerify{Roots: ca.Pool()}})
			_, err := s.Get(t.Context(), srv.URL())
			require.NoError(t, err)
			_, err = s.Do(t.Context(), method, srv.URL(), BodyText("abc"))
			if method == "POST" {
				require.ErrorIs(t, err, ErrConnection)
				assert.True(t, asError(t, err).MaybeSent)
			} else {
				require.NoError(t, err)
			}
			assert.Len(t, srv.Ledger(), want)
		})
	}
}
