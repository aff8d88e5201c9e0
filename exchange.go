package requests

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed-9ea40bd3/requests/internal/wire"
)

// trip is one request on its way through net/http, and its response until the
// body is done with.
type trip struct {
	p         *PreparedRequest
	settings  *Settings
	transport *transport              // nil where the caller's own is used
	proxyTurn *proxyTurn              // with a proxy that forwards; nil until then
	parent    context.Context         // the caller's
	stop      context.CancelCauseFunc // nil where nothing needs it
	ctx       tripContext
	tracer    *tracer

	conn    *wire.Conn   // of HTTP/1.1
	shared  *sharedConn  // of HTTP/2
	h2      http.Header  // filled in when the connection turns out to be HTTP/2
	turn    int64        // of conn
	written int64        // by conn, before this request
	read    int64        // from conn
	armed   atomic.Int32 // how many connections were given the request
	resends int8         // connections before conn that bytes of the request went out on
	reused  bool         // conn served others before
	holds   bool         // an unread response holds conn
	loads   bool         // the body is read whatever comes, before the caller sees it
	answer  *wire.Answer // by conn, which of a body that came with its head has what is unread

	upload *upload
	watch  *watchdog

	// What net/http and the caller are given lives here too: one allocation
	// for them all.
	req  http.Request
	url  url.URL
	from io.ReadCloser // the response's body, as net/http gave it
	fell error         // of every Read of it from now on
	with wire.Answer   // what answer points to first
	resp Response
	room [receivedFields]headerField // of resp, as long as they fit
}

// errTooManyResends ends a request that connection after connection lost.
var errTooManyResends = errors.New("server closed the connection again")

// another returns a new trip of the same request, on the same way.
func (t *trip) another() *trip {
	return &trip{p: t.p, settings: t.settings, transport: t.transport, loads: t.loads}
}

// roundTrip sends the request once and returns the response with its body unread.
func (a *HTTPAdapter) roundTrip(ctx context.Context, t *trip) (*Response, error) {
	t.parent, t.ctx.t = ctx, t
	rtr := a.Transport
	if t.transport != nil {
		rtr = t.transport.http
	}
	req, err := t.request(ctx)
	if err != nil {
		t.finish(err)
		return nil, err
	}
	if t.transport == nil {
		t.watch.start() // another's transport may tell of no connection
	}
	resp, err, left := t.dispatch(ctx, rtr, req)
	// The goroutine finishes the trip when net/http returns.
	if left {
		return nil, err
	}
	t.watch.rest()
	if err != nil {
		if bad := t.refused(); bad != nil {
			err = bad
		} else {
			err = t.failure(err)
		}
		if t.upload != nil && t.upload.lock(ctx) {
			t.upload.giveUp() // no Read of the source is under way, and none follows
			t.upload.unlock()
		}
		t.finish(err)
		return nil, err
	}
	// Before the upload is waited for: a response that is none decides nothing.
	if err := t.checkResponse(resp); err != nil {
		resp.Body.Close()
		err = t.failure(err)
		t.finish(err)
		return nil, err
	}
	if t.upload != nil && !t.upload.settle(ctx, resp) {
		err := t.failure(context.Cause(ctx))
		resp.Body.Close()
		t.finish(err)
		return nil, err
	}
	if t.upload != nil && t.upload.failure() != nil {
		resp.Body.Close()
		err := t.failure(t.upload.failure())
		t.finish(err)
		return nil, err
	}
	return t.response(resp), nil
}

// forwarded reports whether a proxy is sent the request in absolute form.
func (t *trip) forwarded() bool { return t.transport != nil && t.transport.route.forward }

// dispatch hands the request to net/http. That waits for a Read of the body's
// source to return, which a source of the caller's may never do: where the
// context ends meanwhile the request is left behind, to a goroutine that ends
// with the Read.
func (t *trip) dispatch(
	ctx context.Context, rtr http.RoundTripper, req *http.Request,
) (_ *http.Response, _ error, left bool) {
	if t.upload == nil || t.p.Body.ready() || ctx.Done() == nil {
		resp, err := t.roundTripOn(rtr, req)
		return resp, err, false
	}
	return t.dispatchAside(ctx, rtr, req)
}

// roundTripOn has the transport send the request, and tells the connection when
// nobody waits for the answer any more.
func (t *trip) roundTripOn(rtr http.RoundTripper, req *http.Request) (*http.Response, error) {
	resp, err := roundTripOf(rtr, req)
	t.untraced()
	if t.conn != nil {
		t.conn.Taken(t.turn)
	}
	return resp, err
}

// roundTripOf is a RoundTrip that keeps to its contract: a transport of the
// caller's may not.
func roundTripOf(rtr http.RoundTripper, req *http.Request) (*http.Response, error) {
	resp, err := rtr.RoundTrip(req)
	switch {
	case err != nil:
		return nil, err
	case resp == nil:
		return nil, errNoResponse
	case resp.Body == nil:
		resp.Body = http.NoBody
	}
	return resp, nil
}

// errNoResponse is of a transport that returned nothing.
var errNoResponse = errors.New("transport returned no response")

// dispatchAside is dispatch for a source that may block.
func (t *trip) dispatchAside(
	ctx context.Context, rtr http.RoundTripper, req *http.Request,
) (_ *http.Response, _ error, left bool) {
	done, gone := make(chan struct{}), make(chan struct{})
	var got *http.Response
	var failed error
	go func() {
		got, failed = t.roundTripOn(rtr, req)
		close(done)
		// Here left is settled: the caller has the response, or has gone.
		<-gone
		if left {
			if failed == nil {
				got.Body.Close()
			}
			t.finish(context.Cause(ctx))
		}
	}()
	defer close(gone)
	select {
	case <-done:
		return got, failed, false
	case <-ctx.Done():
	}
	// A source that heeds the context returns soon, and then nothing is left
	// behind.
	grace := time.NewTimer(cancelGrace)
	defer grace.Stop()
	select {
	case <-done:
		return got, failed, false
	case <-grace.C:
	}
	e := contextFailure(ctx)
	e.MaybeSent = true
	return nil, e, true
}

// request makes what net/http is given: enough for it to find a connection
// and to frame the body. The head is written by us.
func (t *trip) request(ctx context.Context) (*http.Request, error) {
	p := t.p
	made := http.Request{
		Method: p.Method, URL: t.target(), Host: p.Headers.Get("Host"),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: standIn(p),
	}
	req := &made
	// Whether it is to be HTTP/2 turns out with the connection: gotConn fills the
	// headers in then, and for HTTP/1.1 leaves them empty.
	if p.target.Scheme == "https" || t.transport == nil {
		t.h2 = http.Header{}
		req.Header = t.h2
		if t.transport == nil {
			t.fillHeader()
		}
	}
	if p.Body.Len() != 0 {
		req.Trailer = p.Body.trailer
		if err := t.attach(req); err != nil {
			return nil, err
		}
	}
	if t.forwarded() {
		if t.proxyTurn == nil {
			t.proxyTurn = new(proxyTurn)
		}
		var err error
		turn := t.proxyTurn
		if turn.header, err = t.transport.auth.value(t.transport.route.proxy, p, p.target.AbsoluteForm(), turn); err != nil {
			return nil, err
		}
	}
	t.ctx.Context = t.traced(t.stoppable(ctx))
	t.req = *req.WithContext(&t.ctx) // the copies stay on the stack
	return &t.req, nil
}

// stoppable returns a context that t.stop ends where something may have to
// end the request early: a read timeout. Everything else is ended by closing
// the response's body, but for a transport of the caller's, which is told.
func (t *trip) stoppable(ctx context.Context) context.Context {
	read := valueOr(t.settings.Timeouts.Read, 0)
	if read <= 0 && t.transport != nil {
		return ctx
	}
	ctx, t.stop = context.WithCancelCause(ctx)
	if read > 0 {
		t.watch = newWatchdog(read, t.progress, func() { t.stop(errReadTimeout) })
	}
	return ctx
}

// ourHeader has what stands for the headers of requests whose head is ours. The
// second marks a request that net/http may send again where a reused connection
// dies before it answers: RFC 9110, 9.2.2, has PUT and DELETE idempotent, which
// net/http believes of a request with such a key. Neither is ever written to.
var ourHeader = struct{ plain, replayable http.Header }{
	plain:      http.Header{"User-Agent": nil},
	replayable: http.Header{"User-Agent": nil, "X-Idempotency-Key": nil},
}

// standIn returns the headers that net/http is given. Of a GET it knows by itself
// that it may go out again.
func standIn(p *PreparedRequest) http.Header {
	if p.Method != http.MethodGet && replayable(p) {
		return ourHeader.replayable
	}
	return ourHeader.plain
}

// replayable reports whether a request may be sent twice: by its method, or
// since the caller gave it a key by which the server knows it again.
func replayable(p *PreparedRequest) bool {
	return replayableMethod(p.Method) || p.Headers.Has("Idempotency-Key") || p.Headers.Has("X-Idempotency-Key")
}

// replayableMethod reports whether sending a request twice does what sending
// it once does.
func replayableMethod(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// target is the URL that net/http picks a connection by. A request that a
// proxy forwards goes to the proxy.
func (t *trip) target() *url.URL {
	u, at := &t.p.target, &t.p.target
	if t.forwarded() {
		at = &t.transport.route.proxy
	}
	path := u.Target()
	out := &t.url
	*out = url.URL{Scheme: at.Scheme, Host: at.HostPort(), Opaque: path}
	// An opaque part that begins with slashes would be written as an absolute
	// URL.
	if strings.HasPrefix(path, "//") {
		out.Opaque, out.Path = "", path
	}
	return out
}

// oneWrite is how much of a body in memory goes out at once: it is sent
// before an answer can come.
const oneWrite = 32 << 10

// attach gives net/http the body.
func (t *trip) attach(req *http.Request) error {
	body := t.p.Body
	if data, ok := body.Bytes(); ok && len(data) <= oneWrite {
		// net/http knows such a reader, and sends it with the head.
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
		return nil
	}
	t.upload = newUpload(body)
	first, err := t.upload.open()
	if err != nil {
		return err
	}
	req.Body = first
	req.ContentLength = body.Len()
	if body.Len() < 0 {
		req.TransferEncoding = []string{"chunked"}
	}
	req.GetBody = t.upload.open
	return nil
}

// gotConn is told of the connection before the request is written to it.
func (t *trip) gotConn(info httptrace.GotConnInfo) {
	t.watch.rest() // of another connection, which lost the request
	t.armed.Add(1)
	t.unshare(false)
	t.reused = info.Reused
	// net/http has moved the request to another connection, after a part of it
	// went out on the one before.
	if t.conn != nil && t.sentBytes() {
		t.resends++
	}
	conn, ok := info.Conn.(*wire.Conn)
	if !ok {
		// Once only: whoever sent the headers before may still read them.
		if t.transport != nil && len(t.h2) == 0 {
			t.fillHeader()
		}
		t.share(info.Conn)
		t.watch.start()
		return
	}
	t.transport.hosts.touch(conn.Pool)
	t.conn = conn
	t.read, t.written = conn.Counts()
	// From here on the connection writes our head in the place of net/http's.
	conn.Arm(t, t.terms(), t.newAnswer())
	// Once more is what RFC 9110, section 9.2.2, has in mind; a server that
	// always closes would be asked for ever.
	if t.resends > 1 {
		conn.Refuse(errTooManyResends)
	}
	t.turn = conn.Turn()
	t.watch.start()
	// All that a server waits for is known: net/http's goroutine, which writes it,
	// need not be waked first.
	if t.upload == nil {
		body, _ := t.p.Body.Bytes()
		conn.Send(body)
	}
}

// newAnswer is what a connection may fill in: each has one of its own, since one
// that lost the request may still be read from. It may take a body with its head
// where nobody can see that the connection is free before the body is read.
func (t *trip) newAnswer() *wire.Answer {
	if t.answer == nil {
		t.answer = &t.with
	} else {
		t.answer = new(wire.Answer)
	}
	if t.loads && t.upload == nil {
		t.answer.Most = int32(min(t.settings.Limits.drain(), math.MaxInt32)) // a longer one costs its connection
	}
	return t.answer
}

// share notes that the request goes over a connection of HTTP/2.
func (t *trip) share(conn net.Conn) {
	client, ok := conn.(*tls.Conn)
	if !ok || t.transport == nil {
		return
	}
	shared, ok := client.NetConn().(*sharedConn)
	switch {
	case !ok:
	case shared.acquire(t.parent):
		t.shared = shared
	default:
		t.armed.Add(-1) // it does not go out here
	}
}

// unshare notes that the request is done with its connection of HTTP/2.
func (t *trip) unshare(answered bool) {
	if c := t.shared; c != nil {
		t.shared = nil
		c.release(answered)
	}
}

// terms say how the request goes over its connection. One that can be lost
// without harm is not preceded by a look at a reused socket, which costs more
// than anything else that is done for it here; where it is lost it goes out
// once more, over a new connection.
func (t *trip) terms() wire.Terms {
	var terms wire.Terms
	if t.reused {
		terms |= wire.Reused
	}
	if valueOr(t.settings.Stream, false) {
		terms |= wire.Track
	}
	if t.p.Method == http.MethodHead {
		terms |= wire.Bodiless
	}
	if t.p.Body == nil && replayableMethod(t.p.Method) && !t.forwarded() {
		terms |= wire.Replayable
	}
	if t.resends > 0 {
		terms |= wire.Again
	}
	if t.p.Body.Len() < 0 {
		terms |= wire.Chunked
	}
	return terms
}

// How often a request goes out over HTTP/2, where net/http sends it again for
// as long as servers refuse the stream or go away.
const (
	maxHTTP2Sends = 4
	// Some of the refusals that net/http repeats for any method come after
	// the server has acted.
	maxUnsafeHTTP2Sends = 2
)

// sentEnough reports whether no further connection is made for the request.
func (t *trip) sentEnough() bool {
	limit := int32(maxHTTP2Sends)
	if !replayableMethod(t.p.Method) {
		limit = maxUnsafeHTTP2Sends
	}
	return t.armed.Load() >= limit
}

// sentBytes reports whether any of the request went out on conn. An answer
// may be here before the count of what it answers.
func (t *trip) sentBytes() bool {
	read, written := t.conn.Counts()
	return written > t.written || read > t.read
}

// finish ends what belongs to the trip.
func (t *trip) finish(cause error) {
	t.watch.end()
	if t.holds {
		t.holds = false
		t.conn.Release()
	}
	t.unshare(cause == nil)
	if t.upload != nil {
		t.upload.end()
	}
	if t.stop != nil {
		if cause == nil {
			cause = context.Canceled
		}
		t.stop(cause)
	}
}

// gotInterim is told of an interim response: over HTTP/2 that is all there is to
// see of a server that is at work. Whoever is told has to bound them: sizes are
// those of RFC 9113, section 6.5.2.
func (t *trip) gotInterim(_ int, header textproto.MIMEHeader) error {
	const status, overhead = int64(len(":status103")), 32
	size := status + overhead
	for name, values := range header {
		for _, value := range values {
			size += int64(len(name)+len(value)) + overhead
		}
	}
	if limit := cmp.Or(t.transport.adapter.MaxHeaderBytes, defaultMaxHeaderBytes); t.watch.interim.Add(size) > limit {
		return wire.ErrHeadTooLarge
	}
	return nil
}

// progress is a number that changes when bytes cross, in either direction.
func (t *trip) progress() int64 {
	var n int64
	if t.watch != nil {
		n = t.watch.interim.Load()
	}
	if t.upload != nil {
		n = t.upload.progress()
	}
	if t.conn != nil {
		read, written := t.conn.Counts()
		n += read + written
	}
	return n
}
