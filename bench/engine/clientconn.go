package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"

	"github.com/seed-9ea40bd3/requests/internal/wire"
)

// ClientConns sends requests over [http.ClientConn]s in a pool of its own:
// net/http reads and writes, HTTP/2 included, and nothing but the pool of its
// transport is left out.
type ClientConns struct {
	pool      pool
	transport *http.Transport

	mu     sync.Mutex
	shared map[key][]*http.ClientConn // of HTTP/2; guarded by mu
}

// NewClientConns takes the pool's limits and the diallers of t, both of which
// it must have, and has t make the connections.
func NewClientConns(t *http.Transport) *ClientConns {
	c := &ClientConns{transport: t, shared: map[key][]*http.ClientConn{}}
	c.pool = pool{limits: limitsOf(t), dial: c.dial}
	t.MaxConnsPerHost = 0 // a ClientConn that closes would count below zero, and panic
	t.DialContext, t.DialTLSContext = noted(t.DialContext), noted(t.DialTLSContext)
	return c
}

// dialNote asks a dialler to say which connection it made.
type dialNote struct{}

type dialer = func(ctx context.Context, network, addr string) (net.Conn, error)

// noted is a dialler that does: an [http.ClientConn] does not tell.
func noted(dial dialer) dialer {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if note, ok := ctx.Value(dialNote{}).(*net.Conn); ok && err == nil {
			*note = conn
		}
		return conn, err
	}
}

// RoundTrip is that of [http.RoundTripper].
func (c *ClientConns) RoundTrip(req *http.Request) (*http.Response, error) {
	k := keyOf(req.URL)
	for {
		if cc := c.reserve(k); cc != nil {
			return cc.RoundTrip(req) // HTTP/2 calls the trace itself
		}
		resp, err := c.pool.roundTrip(req)
		if err != errSpeaks2 {
			return resp, err
		}
	}
}

// reserve finds a connection of HTTP/2 with room for a stream.
func (c *ClientConns) reserve(k key) *http.ClientConn {
	if k.scheme != "https" {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	conns := c.shared[k]
	for i := 0; i < len(conns); {
		if conns[i].Err() != nil {
			conns = append(conns[:i], conns[i+1:]...)
			c.shared[k] = conns
			continue
		}
		if conns[i].Reserve() == nil {
			return conns[i]
		}
		i++
	}
	return nil
}

// CloseIdleConnections closes what waits for a request.
func (c *ClientConns) CloseIdleConnections() {
	c.pool.closeIdle()
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, conns := range c.shared {
		for _, cc := range conns {
			if cc.InFlight() == 0 {
				cc.Close()
			}
		}
		delete(c.shared, k)
	}
}

// dial makes a connection for the pool, or for those that are shared.
func (c *ClientConns) dial(ctx context.Context, k key) (link, error) {
	var conn net.Conn
	cc, err := c.transport.NewClientConn(context.WithValue(ctx, dialNote{}, &conn), k.scheme, k.address())
	if err != nil {
		return nil, err
	}
	if t, ok := conn.(*tls.Conn); ok && t.ConnectionState().NegotiatedProtocol == "h2" {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.shared[k] = append(c.shared[k], cc)
		return nil, errSpeaks2
	}
	l := &clientLink{pool: &c.pool, key: k, cc: cc, conn: conn}
	cc.SetStateHook(l.changed)
	return l, nil
}

// clientLink is a connection of HTTP/1.1.
type clientLink struct {
	pool *pool
	key  key
	cc   *http.ClientConn
	conn net.Conn

	out  atomic.Bool // it serves a request
	dead atomic.Bool
}

func (l *clientLink) alive() bool { return l.cc.Err() == nil }

func (l *clientLink) shut() {
	l.dead.Store(true)
	l.cc.Close()
}

// changed is called when a request was done with, or the connection failed.
func (l *clientLink) changed(cc *http.ClientConn) {
	switch {
	case cc.Err() != nil:
		if l.out.Swap(false) && !l.dead.Swap(true) {
			l.pool.lost(l.key)
		}
	case cc.Available() > 0 && l.out.Swap(false):
		l.pool.put(l.key, l)
	}
}

// do reserves the connection first, lest the hook takes it for one that is
// free. A failure before anything was written is that of a stale connection,
// which the transport's own pool would hide.
func (l *clientLink) do(req *http.Request, reused bool) (*http.Response, error) {
	if err := l.cc.Reserve(); err != nil {
		l.out.Store(true)
		l.end()
		return nil, fmt.Errorf("%w: %w", wire.ErrStale, err)
	}
	l.out.Store(true)
	before := l.written()
	trace := httptrace.ContextClientTrace(req.Context())
	tell(trace, httptrace.GotConnInfo{Conn: l.conn, Reused: reused, WasIdle: reused})
	resp, err := l.cc.RoundTrip(req)
	if err == nil {
		return resp, nil
	}
	l.end()
	if reused && l.written() == before && req.Context().Err() == nil && !errors.Is(err, wire.ErrStale) {
		err = fmt.Errorf("%w: %w", wire.ErrStale, err)
	}
	return nil, err
}

// end closes the connection of a request that failed.
func (l *clientLink) end() {
	l.cc.Close()
	if l.out.Swap(false) && !l.dead.Swap(true) {
		l.pool.lost(l.key)
	}
}

// written counts what was, as far as the connection tells.
func (l *clientLink) written() int64 {
	if c, ok := l.conn.(*wire.Conn); ok {
		_, n := c.Counts()
		return n
	}
	return -1
}
