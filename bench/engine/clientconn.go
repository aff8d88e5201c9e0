package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
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
	shared map[key][]*streams // of HTTP/2; guarded by mu
}

// streams is a connection of HTTP/2, which serves many requests at once.
type streams struct {
	*http.ClientConn
	conn net.Conn
	used bool // guarded by mu of the pool's owner
}

// NewClientConns takes the pool's limits and the diallers of t, both of which
// it must have, and has t make the connections.
func NewClientConns(t *http.Transport) *ClientConns {
	c := &ClientConns{transport: t, shared: map[key][]*streams{}}
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
		if s, reused := c.reserve(k); s != nil {
			// HTTP/2 calls the trace itself in a transport, and not here.
			tell(httptrace.ContextClientTrace(req.Context()), httptrace.GotConnInfo{Conn: s.conn, Reused: reused})
			return s.RoundTrip(req)
		}
		resp, err := c.pool.roundTrip(req)
		if err != errSpeaks2 {
			return resp, err
		}
	}
}

// reserve finds a connection of HTTP/2 with room for a stream.
func (c *ClientConns) reserve(k key) (s *streams, reused bool) {
	if k.scheme != "https" {
		return nil, false
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
			reused, conns[i].used = conns[i].used, true
			return conns[i], reused
		}
		i++
	}
	return nil, false
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
		c.shared[k] = append(c.shared[k], &streams{ClientConn: cc, conn: conn})
		return nil, errSpeaks2
	}
	return &clientLink{pool: &c.pool, key: k, cc: cc, conn: conn}, nil
}

// clientLink is a connection of HTTP/1.1.
type clientLink struct {
	pool *pool
	key  key
	cc   *http.ClientConn
	conn net.Conn
}

func (l *clientLink) alive() bool { return l.cc.Err() == nil }
func (l *clientLink) shut()       { l.cc.Close() }

// done gives the connection back where net/http has freed it, which it does
// before it lets a reader see the answer's end. The hook that an
// [http.ClientConn] has for this may run later, in a goroutine of its own, and
// the next request would find no connection.
func (l *clientLink) done() {
	if l.cc.Available() > 0 {
		l.pool.put(l.key, l)
		return
	}
	l.end()
}

// end closes the connection of a request that failed.
func (l *clientLink) end() {
	l.cc.Close()
	l.pool.lost(l.key)
}

// clientBody is an answer's body, whose end frees its connection.
type clientBody struct {
	io.ReadCloser
	l     *clientLink
	ended atomic.Bool
}

func (b *clientBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !b.ended.Swap(true) {
		b.l.done()
	}
	return n, err
}

func (b *clientBody) Close() error {
	err := b.ReadCloser.Close()
	if !b.ended.Swap(true) {
		b.l.end()
	}
	return err
}

// do sends over the connection. It reserves it first: one that has closed
// meanwhile says so here. A failure before anything was written is that of a
// stale connection, which the transport's own pool would hide.
func (l *clientLink) do(req *http.Request, reused bool) (*http.Response, error) {
	if err := l.cc.Reserve(); err != nil {
		l.end()
		return nil, fmt.Errorf("%w: %w", wire.ErrStale, err)
	}
	before := l.written()
	trace := httptrace.ContextClientTrace(req.Context())
	tell(trace, httptrace.GotConnInfo{Conn: l.conn, Reused: reused, WasIdle: reused})
	resp, err := l.cc.RoundTrip(req)
	if err == nil {
		if resp.Body == http.NoBody {
			l.done()
		} else {
			resp.Body = &clientBody{ReadCloser: resp.Body, l: l}
		}
		return resp, nil
	}
	l.end()
	if reused && l.written() == before && req.Context().Err() == nil && !errors.Is(err, wire.ErrStale) {
		err = fmt.Errorf("%w: %w", wire.ErrStale, err)
	}
	return nil, err
}

// written counts what was, as far as the connection tells.
func (l *clientLink) written() int64 {
	if c, ok := l.conn.(*wire.Conn); ok {
		_, n := c.Counts()
		return n
	}
	return -1
}
