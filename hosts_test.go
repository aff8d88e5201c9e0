package requests

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests/internal/wire"
)

// countedConn tells whether it was closed.
type countedConn struct {
	net.Conn
	closed *int
}

func (c countedConn) Close() error {
	*c.closed++
	return nil
}

// The hosts that are kept are those used last.
func TestHostPools(t *testing.T) {
	h := hostPools{limit: 2}
	closed := map[string]*int{}
	for host := range strings.FieldsSeq("a b") {
		closed[host] = new(int)
		h.add(host, wire.New(countedConn{closed: closed[host]}))
	}
	h.touch("a") // b is now the one that goes
	closed["c"] = new(int)
	h.add("c", wire.New(countedConn{closed: closed["c"]}))
	assert.Equal(t, 0, *closed["a"])
	assert.Equal(t, 1, *closed["b"])
	assert.Equal(t, 0, *closed["c"])
	h.touch("d")
	assert.Equal(t, 1, *closed["a"])
	h.touch("e")
	h.touch("f")
	assert.Equal(t, 1, *closed["c"])
	assert.Equal(t, 2, h.order.Len())
	assert.Len(t, h.byHost, 2)
}

// A connection that closes by itself is forgotten.
func TestHostPoolsForgetClosed(t *testing.T) {
	h := hostPools{limit: 2}
	n := 0
	c := wire.New(countedConn{closed: &n})
	h.add("a", c)
	require.NoError(t, c.Close())
	p, _ := h.touchLocked("a")
	assert.Empty(t, p.conns)
}

// PoolConnections over a network: the connections of a host that was pushed
// out are closed, those of others serve on.
func TestPoolConnections(t *testing.T) {
	urls := map[string]string{}
	counts := map[string]func() int64{}
	for name := range strings.FieldsSeq("a b c") {
		url, conns := countingServer(t)
		urls[name], counts[name] = url, conns.Load
	}
	s := tlsSession(t, &HTTPAdapter{PoolConnections: 2})
	for i, step := range []struct {
		host string
		want int64 // connections of that host so far
	}{
		{"a", 1}, {"b", 1}, {"a", 1}, {"b", 1}, {"c", 1}, {"b", 1}, {"a", 2}, {"c", 2},
	} {
		_, err := s.Get(t.Context(), urls[step.host])
		require.NoError(t, err)
		assert.Equal(t, step.want, counts[step.host](), "step %d", i)
	}
}

// A stream of a host that was pushed out is read to its end.
func TestPushedOutHostServesOn(t *testing.T) {
	url, _ := chunkedServer(t, "", "a", strings.Repeat("b", 1<<20))
	other, _ := countingServer(t)
	s := tlsSession(t, &HTTPAdapter{PoolConnections: 1})
	r, err := s.Get(t.Context(), url, Stream())
	require.NoError(t, err)
	_, err = s.Get(t.Context(), other)
	require.NoError(t, err)
	assert.Len(t, r.Content(), 1<<20+1)
	_, err = s.Get(t.Context(), url)
	require.NoError(t, err)
}

// PoolMaxSize bounds idle connections; PoolBlock has others wait.
func TestPoolMaxSize(t *testing.T) {
	for _, block := range []bool{false, true} {
		url, conns := countingServer(t)
		s := tlsSession(t, &HTTPAdapter{PoolMaxSize: 2, PoolBlock: block})
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				for range 5 {
					_, err := s.Get(t.Context(), url)
					assert.NoError(t, err)
				}
			})
		}
		wg.Wait()
		if block {
			assert.LessOrEqual(t, conns.Load(), int64(2))
		}
	}
}

// Of too many sets of settings the least recently used goes.
func TestTransportsAreBounded(t *testing.T) {
	a := new(HTTPAdapter)
	defer a.Close()
	at := func(i int) *route { return &route{key: transportKey{proxy: fmt.Sprint(i)}} }
	first := a.transport(at(0))
	for i := 1; i < maxTransports; i++ {
		a.transport(at(i))
	}
	assert.Same(t, first, a.transport(at(0)), "used again")
	a.transport(at(maxTransports))
	assert.Len(t, a.transports, maxTransports)
	assert.Len(t, a.order, maxTransports)
	assert.Same(t, first, a.transport(at(0)))
	_, ok := a.transports[at(1).key]
	assert.False(t, ok, "the least recently used is gone")
	require.NoError(t, a.Close())
	assert.Empty(t, a.transports)
	assert.NotSame(t, first, a.transport(at(0)))
}

// A Unix socket, a dialer, an address to dial from.
func TestWaysToConnect(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Skip("no Unix sockets here")
	}
	defer ln.Close()
	var mu sync.Mutex
	heads := ""
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b := make([]byte, 1<<10)
				n, _ := c.Read(b)
				mu.Lock()
				heads += string(b[:n])
				mu.Unlock()
				_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nunix"))
			}()
		}
	}()
	for _, opts := range [][]Option{nil, {ConnectTimeout(1 << 40)}} {
		r, err := tlsSession(t, &HTTPAdapter{UnixSocket: path}).Get(t.Context(), "http://whatever.test/x", opts...)
		require.NoError(t, err)
		assert.Equal(t, "unix", r.Text())
	}
	// A proxy does not count, and its password does not reach the socket.
	s := tlsSession(t, &HTTPAdapter{UnixSocket: path})
	withEnviron(s, map[string]string{"http_proxy": "http://user:secret@p.test:1", "all_proxy": "socks5://p.test:1"})
	r, err := s.Get(t.Context(), "http://whatever.test/x")
	require.NoError(t, err)
	assert.Equal(t, "unix", r.Text())
	mu.Lock()
	assert.NotContains(t, heads, "Proxy")
	assert.Contains(t, heads, "GET /x HTTP/1.1")
	mu.Unlock()
	_, err = tlsSession(t, &HTTPAdapter{UnixSocket: path + "x"}).Get(t.Context(), "http://whatever.test/x")
	assert.ErrorIs(t, err, ErrConnection)

	url, _ := countingServer(t)
	var dialled string
	r, err = tlsSession(t, &HTTPAdapter{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled = network + " " + address
		return new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(url, "http://"))
	}}).Get(t.Context(), "http://a.test/")
	require.NoError(t, err)
	assert.Equal(t, "ok", r.Text())
	assert.Equal(t, "tcp a.test:80", dialled)

	_, err = tlsSession(t, &HTTPAdapter{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}).Get(t.Context(), url)
	assert.NoError(t, err)
}
