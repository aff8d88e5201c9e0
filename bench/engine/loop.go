package engine

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-9ea40bd3/requests/internal/wire"
)

// Loop sends requests of HTTP/1.1 on the caller's goroutine: it writes the
// request, and then reads the answer by [http.ReadResponse]. Only a body that
// may have to be waited for is written by a goroutine beside it. A server
// that agrees on HTTP/2 is left to the [http.Transport] that the settings
// come from.
type Loop struct {
	pool    pool
	http2   *http.Transport
	dials   dialers
	maxHead int64

	mu      sync.Mutex
	speaks2 map[key]bool       // guarded by mu
	agreed  map[string]*stash2 // guarded by mu; by address
}

// stash2 holds connections on their way to the transport of HTTP/2.
type stash2 struct{ conns []net.Conn }

// dialers are an [http.Transport]'s.
type dialers struct {
	plain, tls func(ctx context.Context, network, addr string) (net.Conn, error)
}

func (d dialers) dial(ctx context.Context, k key) (net.Conn, error) {
	if k.scheme == "https" {
		return d.tls(ctx, "tcp", k.address())
	}
	return d.plain(ctx, "tcp", k.address())
}

// NewLoop takes the pool's limits and the diallers of t, both of which it
// must have, and t for HTTP/2.
func NewLoop(t *http.Transport) *Loop {
	l := &Loop{
		http2: t, dials: dialers{t.DialContext, t.DialTLSContext},
		speaks2: map[key]bool{}, agreed: map[string]*stash2{},
	}
	if l.maxHead = t.MaxResponseHeaderBytes; l.maxHead <= 0 {
		l.maxHead = http.DefaultMaxHeaderBytes
	}
	l.pool = pool{limits: limitsOf(t), dial: l.dial}
	t.DialTLSContext = l.dialAgreed
	return l
}

func limitsOf(t *http.Transport) limits {
	return limits{maxIdle: t.MaxIdleConnsPerHost, maxOpen: t.MaxConnsPerHost, idleTimeout: t.IdleConnTimeout}
}

// RoundTrip is that of [http.RoundTripper].
func (l *Loop) RoundTrip(req *http.Request) (*http.Response, error) {
	k := keyOf(req.URL)
	if k.scheme == "https" && l.has2(k) {
		return l.http2.RoundTrip(req)
	}
	resp, err := l.pool.roundTrip(req)
	if err == errSpeaks2 {
		resp, err = l.http2.RoundTrip(req)
		l.unstash(k.address())
	}
	return resp, err
}

// CloseIdleConnections closes what waits for a request.
func (l *Loop) CloseIdleConnections() {
	l.pool.closeIdle()
	l.http2.CloseIdleConnections()
}

// errSpeaks2 says that a connection was made which is not the loop's.
var errSpeaks2 = errors.New("server speaks HTTP/2")

func (l *Loop) has2(k key) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.speaks2[k]
}

// dial makes a connection for the pool, or lays it by for HTTP/2.
func (l *Loop) dial(ctx context.Context, k key) (link, error) {
	c, err := l.dials.dial(ctx, k)
	if err != nil {
		return nil, err
	}
	if t, ok := c.(*tls.Conn); ok && t.ConnectionState().NegotiatedProtocol == "h2" {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.speaks2[k] = true
		s := l.agreed[k.address()]
		if s == nil {
			s = new(stash2)
			l.agreed[k.address()] = s
		}
		s.conns = append(s.conns, c)
		return nil, errSpeaks2
	}
	lc := &loopConn{loop: l, key: k, conn: c}
	lc.br = bufio.NewReader(&lc.in)
	lc.in.Reader = c
	lc.wire, _ = c.(*wire.Conn)
	return lc, nil
}

// dialAgreed is how the transport of HTTP/2 dials: what is laid by comes first.
func (l *Loop) dialAgreed(ctx context.Context, network, addr string) (net.Conn, error) {
	l.mu.Lock()
	if s := l.agreed[addr]; s != nil && len(s.conns) > 0 {
		c := s.conns[0]
		s.conns = s.conns[1:]
		l.mu.Unlock()
		return c, nil
	}
	l.mu.Unlock()
	return l.dials.tls(ctx, network, addr)
}

// unstash closes what the transport of HTTP/2 had no need of.
func (l *Loop) unstash(addr string) {
	l.mu.Lock()
	s := l.agreed[addr]
	delete(l.agreed, addr)
	l.mu.Unlock()
	if s != nil {
		for _, c := range s.conns {
			c.Close()
		}
	}
}

// loopConn is a connection of the loop's.
type loopConn struct {
	loop *Loop
	key  key
	conn net.Conn
	wire *wire.Conn // conn, where it writes heads of its own
	in   headReader
	br   *bufio.Reader
	out  []byte // of small requests
	dead atomic.Bool
}

func (c *loopConn) alive() bool { return !c.dead.Load() }

func (c *loopConn) shut() {
	c.dead.Store(true)
	c.conn.Close()
}

// drop takes the connection out of use.
func (c *loopConn) drop() {
	if !c.dead.Swap(true) {
		c.conn.Close()
		c.loop.pool.lost(c.key)
	}
}

// aLongTimeAgo is a deadline that ends what is under way.
var aLongTimeAgo = time.Unix(1, 0)

// cancel ends a request from another goroutine. TLS may wait for its closing
// alert to be taken, so the deadline comes first.
func (c *loopConn) cancel() {
	_ = c.conn.SetDeadline(aLongTimeAgo)
	c.drop()
}

// exchange is one request and its answer, which is read through it.
type exchange struct {
	c        *loopConn
	ctx      context.Context
	unhook   func() bool   // of the context; nil where it never ends
	written  chan struct{} // closed when the writer beside is done; nil without one
	writeErr error         // valid once written is closed
	answered atomic.Bool
	ended    atomic.Bool
	body     io.Reader
}

// do is a request on the caller's goroutine.
func (c *loopConn) do(req *http.Request, reused bool) (*http.Response, error) {
	ctx := req.Context()
	trace := httptrace.ContextClientTrace(ctx)
	x := &exchange{c: c, ctx: ctx}
	if ctx.Done() != nil {
		x.unhook = context.AfterFunc(ctx, c.cancel)
	}
	tell(trace, httptrace.GotConnInfo{Conn: c.conn, Reused: reused, WasIdle: reused})
	sendErr := x.send(req)
	if sendErr != nil && (x.ended.Load() || errors.Is(sendErr, wire.ErrStale)) {
		return nil, x.fail(sendErr)
	}
	resp, err := c.readHead(req, trace)
	if err != nil {
		return nil, x.fail(x.cause(sendErr, err))
	}
	x.answered.Store(true)
	if t, ok := c.conn.(*tls.Conn); ok {
		resp.TLS = new(t.ConnectionState())
	}
	reusable := !resp.Close && resp.StatusCode != http.StatusSwitchingProtocols && sendErr == nil
	if resp.Body == http.NoBody {
		x.finish(reusable)
		return resp, nil
	}
	x.body = resp.Body
	resp.Body = x
	if !reusable {
		resp.Body = &closing{x}
	}
	return resp, nil
}

// cause picks the error of a request that got no answer: what stopped the
// writing, where that came first.
func (x *exchange) cause(sendErr, readErr error) error {
	if err := x.ctx.Err(); err != nil {
		return context.Cause(x.ctx)
	}
	if x.written != nil {
		select {
		case <-x.written:
			sendErr = x.writeErr
		default:
		}
	}
	if sendErr != nil {
		return sendErr
	}
	return readErr
}

// fail ends an exchange that got no answer. Closing the connection ends the
// writer beside, unless that waits for the body's source.
func (x *exchange) fail(err error) error {
	x.finish(false)
	return err
}

// readHead reads the answer's head, and those of interim answers before it.
func (c *loopConn) readHead(req *http.Request, trace *httptrace.ClientTrace) (*http.Response, error) {
	c.in.left = c.loop.maxHead
	defer func() { c.in.left = math.MaxInt64 }()
	for {
		resp, err := http.ReadResponse(c.br, req)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode/100 != 1 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, nil
		}
		if trace != nil && trace.Got1xxResponse != nil {
			if err := trace.Got1xxResponse(resp.StatusCode, textproto.MIMEHeader(resp.Header)); err != nil {
				return nil, err
			}
		}
	}
}

// headReader bounds what is read for a head, interim ones included.
type headReader struct {
	io.Reader
	left int64
}

func (r *headReader) Read(b []byte) (int, error) {
	if r.left <= 0 {
		return 0, wire.ErrHeadTooLarge
	}
	n, err := r.Reader.Read(b)
	r.left -= int64(n)
	return n, err
}

// Read reads the answer's body. At its end the connection is free.
func (x *exchange) Read(b []byte) (int, error) {
	n, err := x.body.Read(b)
	switch {
	case err == io.EOF:
		x.finish(true)
	case err != nil:
		if cause := context.Cause(x.ctx); cause != nil {
			err = cause
		}
		x.finish(false)
	}
	return n, err
}

// Close ends the answer. It does not wait for a Read that is under way, but
// ends it.
func (x *exchange) Close() error {
	x.finish(false)
	return nil
}

// closing is the body of an answer that ends its connection.
type closing struct{ *exchange }

func (x *closing) Read(b []byte) (int, error) {
	n, err := x.body.Read(b)
	if err != nil {
		x.finish(false)
	}
	return n, err
}

// reuseWait is how long a request that is still being written holds up the
// reuse of its connection after the answer's end.
const reuseWait = 50 * time.Millisecond

// finish gives the connection back, or closes it.
func (x *exchange) finish(reusable bool) {
	if x.ended.Swap(true) {
		return
	}
	if x.unhook != nil && !x.unhook() {
		reusable = false // the context's end is closing it
	}
	if !reusable || x.c.br.Buffered() > 0 {
		x.c.drop()
		return
	}
	if x.written == nil {
		x.c.loop.pool.put(x.c.key, x.c)
		return
	}
	select {
	case <-x.written:
		x.putWritten()
	default:
		go func() {
			timer := time.NewTimer(reuseWait)
			defer timer.Stop()
			select {
			case <-x.written:
				x.putWritten()
			case <-timer.C:
				x.c.drop()
			}
		}()
	}
}

func (x *exchange) putWritten() {
	if x.writeErr != nil {
		x.c.drop()
		return
	}
	x.c.loop.pool.put(x.c.key, x.c)
}

// smallBody is how much of a body is written at once, on the caller's
// goroutine: as little as a socket takes without its peer reading.
const smallBody = 16 << 10

// errLength says that a body is not as long as it was said to be.
var errLength = errors.New("body has another length than was said")

// ready is a body whose Read never waits.
type ready interface{ Ready() bool }

// send writes the request. A body that may have to be waited for, by its
// source or by the peer, is written beside.
func (x *exchange) send(req *http.Request) error {
	c := x.c
	if c.wire == nil {
		return x.sendPlain(req)
	}
	// The connection puts its own head in the place of whatever ends with a
	// blank line.
	c.out = append(c.out[:0], "\r\n\r\n"...)
	if req.Body == nil || req.Body == http.NoBody {
		return x.write(c.out)
	}
	if r, ok := req.Body.(ready); ok && r.Ready() && req.ContentLength > 0 && req.ContentLength <= smallBody {
		var err error
		if c.out, err = appendBody(c.out, req); err != nil {
			x.finish(false)
			return err
		}
		return x.write(c.out)
	}
	if err := x.write(c.out); err != nil {
		req.Body.Close()
		return err
	}
	x.beside(func() error {
		defer req.Body.Close()
		return copyBody(c.conn, req)
	})
	return nil
}

// sendPlain has net/http write the head.
func (x *exchange) sendPlain(req *http.Request) error {
	write := func() error {
		bw := bufio.NewWriter(x.c.conn)
		if err := req.Write(bw); err != nil {
			return err
		}
		return bw.Flush()
	}
	if req.Body == nil || req.Body == http.NoBody {
		return write()
	}
	x.beside(write)
	return nil
}

// writeWait is how long an answer is waited for after a write has failed: the
// peer may have stopped reading because it has answered.
const writeWait = 50 * time.Millisecond

func (x *exchange) write(b []byte) error {
	_, err := x.c.conn.Write(b)
	if err != nil {
		_ = x.c.conn.SetReadDeadline(time.Now().Add(writeWait))
	}
	return err
}

// sourceError is one of the body's source.
type sourceError struct{ error }

func (e sourceError) Unwrap() error { return e.error }

// beside runs a writer in a goroutine of its own.
func (x *exchange) beside(write func() error) {
	x.written = make(chan struct{})
	go func() {
		defer close(x.written)
		x.writeErr = write()
		var source sourceError
		switch {
		case x.writeErr == nil:
		case errors.As(x.writeErr, &source):
			x.c.conn.Close() // the peer waits for what does not come
		case !x.answered.Load():
			_ = x.c.conn.SetReadDeadline(time.Now().Add(writeWait))
		}
	}()
}

// appendBody appends a body of known length.
func appendBody(b []byte, req *http.Request) ([]byte, error) {
	defer req.Body.Close()
	head, length := len(b), int(req.ContentLength)
	b = append(b, make([]byte, length)...)
	if _, err := io.ReadFull(req.Body, b[head:]); err != nil {
		return b, sourceError{err}
	}
	var beyond [1]byte
	if n, err := req.Body.Read(beyond[:]); n > 0 {
		return b, sourceError{errLength}
	} else if err != nil && err != io.EOF {
		return b, sourceError{err}
	}
	return b, nil
}

// copyBody writes a body of any length.
func copyBody(w io.Writer, req *http.Request) error {
	src := io.Reader(sourceReader{req.Body})
	if wt, ok := req.Body.(io.WriterTo); ok {
		src = struct {
			io.Reader
			io.WriterTo
		}{src, wt}
	}
	if req.ContentLength >= 0 {
		n, err := io.Copy(w, src)
		if err == nil && n != req.ContentLength {
			err = sourceError{errLength}
		}
		return err
	}
	cw := &chunker{bw: bufio.NewWriterSize(w, 4<<10)}
	if _, err := io.Copy(cw, src); err != nil {
		if !cw.failed {
			err = sourceError{err}
		}
		return err
	}
	_, err := io.WriteString(w, "0\r\n\r\n")
	return err
}

// sourceReader marks the errors of a body's source.
type sourceReader struct{ io.Reader }

func (r sourceReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if err != nil && err != io.EOF {
		err = sourceError{err}
	}
	return n, err
}

// chunker writes each Write as a chunk (RFC 9112, 7.1).
type chunker struct {
	bw     *bufio.Writer
	failed bool
	size   [18]byte
}

func (c *chunker) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil // it would be the last one
	}
	size := append(strconv.AppendInt(c.size[:0], int64(len(b)), 16), "\r\n"...)
	_, _ = c.bw.Write(size)
	n, _ := c.bw.Write(b)
	_, _ = c.bw.WriteString("\r\n")
	if err := c.bw.Flush(); err != nil {
		c.failed = true
		return n, err
	}
	return n, nil
}
