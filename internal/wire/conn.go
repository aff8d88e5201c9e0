// Package wire is the connection under the transport. net/http frames bodies,
// pools connections and speaks HTTP/2; what it does not give is taken here, at
// the connection: the head as the caller ordered and spelled it, a look
// whether the server has gone before a reused connection is written to, a write
// that waits for no goroutine of the transport's, each chunk of a body in one
// write, large bodies in large reads, the count of what crossed, the ends of
// chunks, TLS that was cut short, the heads of responses as they were sent, and
// small responses whole, for which the transport's goroutines need not be waked.
package wire

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// ErrStale is what a write to a reused connection returns when the server has
// closed it meanwhile. Nothing was written, so the request may go elsewhere.
var ErrStale = errors.New("server closed the idle connection")

// ErrUnasked ends a connection on which bytes came that answer no request.
var ErrUnasked = errors.New("server sent what it was not asked for")

// ErrHeadTooLarge ends a response whose head, those of interim responses
// included, is beyond [Conn.MaxHead].
var ErrHeadTooLarge = errors.New("response head too large")

// Conn is a connection whose next request head can be replaced. It is one of
// HTTP/1.1: the transport writes a head and a body, then reads a response.
//
// [Conn.Arm], and [Conn.Send] where it is, are called before a request is written,
// by whoever hands the request to the transport; everything else is the
// transport's. The counters may be read by anyone at any time.
type Conn struct {
	// MaxHead bounds the bytes of a response's head; zero does not. It is set
	// before the connection is used.
	MaxHead int64

	net.Conn         // TLS over a socket, or a socket
	Pool     string  // the mark of its owner, set before the connection is used
	socket   *socket // may be nil
	tls      *tls.ConnectionState
	under    *UnderTLS // tls

	head    []byte  // to be written in the place of the transport's
	swallow int     // how many bytes of a blank line were seen; -1: pass through
	terms   Terms   // of the request, until its first write
	answer  *Answer // takes what is kept of the response; may be nil
	last    string  // the head of the last response, for the next to share
	refused error   // of the next write
	join    joiner  // the writer's
	ahead   ahead

	read    atomic.Int64 // bytes, of heads and bodies alike
	written atomic.Int64
	heldBy  atomic.Int32  // unread responses that hold the connection
	turn    atomic.Int64  // counts requests
	sent    atomic.Int64  // the turn whose head went out
	rested  atomic.Int64  // the turn whose response came to its end
	handed  atomic.Int64  // the turn whose response came to its end with its head, to the transport
	taken   atomic.Int64  // the turn whose response nobody waits for any more
	closing atomic.Bool   // somebody waits in Close, for takes
	takes   chan struct{} // wakes one of those
	dead    atomic.Bool   // a read has failed
	retired atomic.Bool   // no other request is to be served
	closed  atomic.Bool   // onClose was called
	onClose func()
	track   atomic.Bool // the ends of the response's chunks matter
	chunks  tracker     // the reader's
	heads   headWatch   // the reader's
	gather  gather      // the reader's

	bodiless atomic.Bool   // the response has no body, whatever its head says
	over     atomic.Bool   // the peer closed
	eof      atomic.Int64  // the turn whose response the peer cut short
	keep     atomic.Int64  // how long the peer keeps the connection idle, in ns
	idle     atomic.Int64  // when the last response came to its end, in ns of Unix time
	ended    chan struct{} // closed when nothing more is read
	endOnce  sync.Once
	cause    atomic.Pointer[error] // the first error of a read
}

const passThrough = -1

// New wraps a plain connection.
func New(raw net.Conn) *Conn { return newConn(raw, newSocket(raw)) }

// NewTLS wraps a TLS connection whose handshake is done, and which was made over
// under.
func NewTLS(client *tls.Conn, under *UnderTLS) *Conn {
	c := newConn(client, under.socket)
	state := client.ConnectionState()
	c.tls, c.under = &state, under
	return c
}

func newConn(conn net.Conn, s *socket) *Conn {
	return &Conn{
		Conn: conn, socket: s, swallow: passThrough,
		ahead: ahead{came: make(chan struct{}, 1)}, ended: make(chan struct{}), takes: make(chan struct{}, 1),
	}
}

// TLS returns the state of the TLS connection, or nil.
func (c *Conn) TLS() *tls.ConnectionState { return c.tls }

// Counts returns how many bytes were read and written.
func (c *Conn) Counts() (read, written int64) { return c.read.Load(), c.written.Load() }

// Hold keeps the connection from serving another request until
// [Conn.Release]: a request that the transport gives to it goes to another
// connection.
func (c *Conn) Hold() { c.heldBy.Add(1) }

// Release undoes one [Conn.Hold].
func (c *Conn) Release() { c.heldBy.Add(-1) }

// Head is a request's head: AppendHead appends the bytes that go on the wire.
type Head interface {
	AppendHead(b []byte) []byte
}

// Terms say how a request goes over a connection.
type Terms uint8

const (
	// Reused tells that the connection served requests before.
	Reused Terms = 1 << iota
	// Track tells that the ends of the response's chunks matter.
	Track
	// Bodiless tells that the response has no body, as that to a HEAD.
	Bodiless
	// Replayable tells that the request may go out again where a reused
	// connection loses it, so that the socket need not be looked at before.
	Replayable
	// Again tells that it was lost so: it goes over a new connection alone.
	Again
	// Chunked tells that the request's body comes in chunks.
	Chunked
)

// Arm sets the head of the request that is about to be written, which it
// keeps in a buffer of the connection's. The response is put into answer, unless
// that is nil.
func (c *Conn) Arm(head Head, terms Terms, answer *Answer) {
	c.head = head.AppendHead(c.head[:0])
	c.swallow = 0
	c.terms = terms
	c.join = joiner{on: terms&Chunked != 0}
	c.refused, c.answer = nil, answer
	c.ahead.on = false
	c.track.Store(terms&Track != 0)
	c.bodiless.Store(terms&Bodiless != 0)
	c.turn.Add(1)
}

// stale reports whether a request must not be written to the connection.
func (c *Conn) stale(terms Terms) bool {
	if terms&Reused == 0 {
		return false
	}
	// The look at the socket comes last: it is a system call.
	return terms&Again != 0 || c.heldBy.Load() > 0 || c.retired.Load() || c.dead.Load() || c.expired() ||
		terms&Replayable == 0 && !c.socket.alive()
}

// Refuse has the request that was armed fail with err, which ends it: the
// transport does not take it to another connection.
func (c *Conn) Refuse(err error) { c.refused = err }

// Answer is what a connection keeps of a response for the owner of its request. It
// is filled in before the transport has the response's head. Its zero value takes
// no body.
type Answer struct {
	// Head is that of the final response as it was sent, with the empty line behind
	// it.
	Head string
	// Body is the response's, and its owner's to keep; nil where the transport has
	// it.
	Body []byte
	// Most is how long a body may be that is taken with its head, where one read
	// brings all of the response and nothing is odd about it. Of such a response the
	// transport has a head alone, without fields: it lets go of the connection at
	// once, and needs not be waked for the body's end. Zero leaves all to the
	// transport.
	Most int32

	come atomic.Bool
}

// Come reports whether the answer is filled in. It is asked where the transport has
// returned no response: the connection may be read meanwhile.
func (a *Answer) Come() bool { return a != nil && a.come.Load() }

// maxSharedHead bounds the heads that a connection keeps for the next response.
const maxSharedHead = 4 << 10

// fill fills in the answer with what a read brought, of which b is the response's,
// and returns how much of it is left to the transport.
func (c *Conn) fill(a *Answer, turn int64, b []byte, surplus bool) int {
	h, left := &c.heads, len(b)
	if a.Head = c.last; a.Head != string(h.head) {
		a.Head, c.last = string(h.head), ""
		if len(a.Head) <= maxSharedHead {
			c.last = a.Head
		}
	}
	// Only when the request's head is known to have gone out is it the request's.
	if h.whole && !surplus && c.sent.Load() == turn && a.Most > 0 && h.body <= int(a.Most) {
		a.Body = append(make([]byte, 0, h.body), b[len(b)-h.body:]...)
		from := len(b) - h.body - len(h.head)
		left = from + len(h.appendBare(b[from:from]))
		c.Rest(turn)
	}
	h.head = nil
	a.come.Store(true)
	return left
}

// Taken notes that whoever waited for the response to the request of that turn
// has it, or has gone. It is owed for each request that was armed.
func (c *Conn) Taken(turn int64) {
	for old := c.taken.Load(); old < turn && !c.taken.CompareAndSwap(old, turn); {
		old = c.taken.Load()
	}
	if c.closing.Load() {
		wake(c.takes)
	}
}

// wake lets one of those go on that wait for sleeper.
func wake(sleeper chan<- struct{}) {
	select {
	case sleeper <- struct{}{}:
	default:
	}
}

// awaitTaken waits until a response without a body, to the transport, has reached
// its caller. The transport gives the connection to the next request before that:
// where this one fails at once, and so closes the connection, the first would fail
// with it.
func (c *Conn) awaitTaken() {
	turn := c.handed.Load()
	if c.taken.Load() >= turn {
		return
	}
	timer := time.NewTimer(writeWait)
	defer timer.Stop()
	c.closing.Store(true)
	for c.taken.Load() < turn {
		select {
		case <-c.takes:
		case <-timer.C:
			return
		}
	}
	wake(c.takes) // others may wait, too
}

// Answered reports whether a response can be that to the request of that turn:
// its head went out, or it is the first, which a server may answer unasked. By
// the time that this is asked the connection may serve the next one.
func (c *Conn) Answered(turn int64) bool { return turn <= 1 || c.sent.Load() >= turn }

// Turn numbers the request that was armed last.
func (c *Conn) Turn() int64 { return c.turn.Load() }

// Rest notes that the response to the request of that turn came to its end:
// the connection may be closed now without anything being cut short.
func (c *Conn) Rest(turn int64) {
	// Bodies are closed late by some, when the next request is under way.
	if old := c.rested.Load(); old < turn {
		c.rested.CompareAndSwap(old, turn) // else a later turn has come to rest
	}
	if c.keep.Load() > 0 {
		c.idle.Store(time.Now().UnixNano())
	}
	if c.retired.Load() && c.turn.Load() == turn {
		c.Close()
	}
}

// Retire closes the connection: at once where no request is under way, else
// when its response has come to its end.
func (c *Conn) Retire() {
	c.retired.Store(true)
	if turn := c.turn.Load(); c.rested.Load() == turn {
		c.Close()
	}
}

// OnClose has f called when the connection is closed. It is set once, before
// the connection is used.
func (c *Conn) OnClose(f func()) { c.onClose = f }

// Close closes the connection.
func (c *Conn) Close() error {
	c.awaitTaken()
	c.end()
	if c.onClose != nil && c.closed.CompareAndSwap(false, true) {
		c.onClose()
	}
	return c.Conn.Close()
}

// ExpireIdle has the connection serve no request after it was idle for so
// long: a peer that told when it closes is taken at its word. The response that
// told it may have come to its end already.
func (c *Conn) ExpireIdle(d time.Duration) {
	c.idle.Store(time.Now().UnixNano())
	c.keep.Store(int64(d))
}

// expired reports whether the peer has closed the connection by its own word.
func (c *Conn) expired() bool {
	keep, idle := c.keep.Load(), c.idle.Load()
	return keep > 0 && idle > 0 && time.Now().UnixNano()-idle >= keep
}

// ReadError returns what ended the reading, but for an end by either side: the
// transport closes the connection then, and a write fails of that alone.
func (c *Conn) ReadError() error {
	if p := c.cause.Load(); p != nil {
		return *p
	}
	return nil
}

// Over reports whether the peer has closed the connection.
func (c *Conn) Over() bool { return c.over.Load() }

// Cut reports whether the peer ended the connection within the head of the
// response to the request of that turn, or within its body.
func (c *Conn) Cut(turn int64) bool { return c.eof.Load() == turn }

// AtChunkEnd reports whether the body's first read bytes end at the end of a
// chunk, as far as chunks are told apart: see [Conn.Arm].
func (c *Conn) AtChunkEnd(read int64) bool { return c.chunks.at(read) }

// Tracked reports whether the response came in chunks whose ends are known.
func (c *Conn) Tracked() bool { return c.chunks.chunked() }

// Write passes b on, but for the head of a request, which it replaces.
func (c *Conn) Write(b []byte) (int, error) {
	if c.ahead.on {
		return c.drop(b)
	}
	if c.swallow == passThrough {
		n, err := c.passBody(b)
		// BODY-19: a server that answers early and closes has its answer read.
		if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
			c.failed()
		}
		return n, err
	}
	if err := c.refused; err != nil {
		c.refused = nil
		return 1, err // nothing was written, but 0 would say so
	}
	terms := c.terms
	c.terms = 0
	if c.stale(terms) {
		return 0, ErrStale
	}
	end := c.headEnd(b)
	if end < 0 {
		return len(b), nil
	}
	c.swallow = passThrough
	// A body that begins with the head is not followed: one in chunks does not.
	c.join.on = c.join.on && end == len(b)
	return c.writeHead(b, b[end:])
}

// passBody passes a piece of a body on, each chunk in one write.
func (c *Conn) passBody(b []byte) (int, error) {
	now := c.join.take(b)
	if len(now) == 0 {
		return len(b), nil
	}
	n, err := c.pass(now)
	return max(n-len(now)+len(b), 0), err // of b, which comes last
}

// passBlock is how much is passed on at once: the count of what was written
// must grow while a large write is under way, for it is what tells a slow peer
// from a silent one.
const passBlock = 32 << 10

// pass writes b as it is.
func (c *Conn) pass(b []byte) (total int, err error) {
	for {
		n, err := c.count(b[total:min(total+passBlock, len(b))])
		if total += n; err != nil || total == len(b) {
			return total, err
		}
	}
}

// count writes b and counts it, beforehand: an answer may be here before the
// write returns.
func (c *Conn) count(b []byte) (int, error) {
	c.written.Add(int64(len(b)))
	n, err := c.Conn.Write(b)
	if n < len(b) {
		c.written.Add(int64(n - len(b)))
	}
	return n, err
}

// headEnd returns where the head ends in b, or -1 where more of it follows.
func (c *Conn) headEnd(b []byte) int {
	const blank = "\r\n\r\n"
	if c.swallow == 0 {
		if i := bytes.Index(b, []byte(blank)); i >= 0 {
			return i + len(blank)
		}
	}
	for i, ch := range b {
		switch ch {
		case blank[c.swallow]:
			c.swallow++
		case '\r':
			c.swallow = 1
		default:
			c.swallow = 0
		}
		if c.swallow == len(blank) {
			return i + 1
		}
	}
	return -1
}

// smallBody is how much of a body is sent with the head in one write.
const smallBody = 16 << 10

// writeHead writes our head and what follows the transport's in b. What it
// returns counts b's bytes: none only where none of ours went out, since the
// transport takes that for a request that may be sent again.
func (c *Conn) writeHead(b, rest []byte) (int, error) {
	head := c.head
	if len(rest) <= smallBody {
		head = append(head, rest...)
		c.head = head[:0]
		rest = nil
	}
	c.sent.Store(c.turn.Load())
	n, err := c.count(head)
	if err == nil && len(rest) > 0 {
		var m int
		m, err = c.pass(rest)
		n += m
	}
	switch {
	case err == nil:
		return len(b), nil
	case n > 0:
		return 1, err
	}
	return 0, err
}

// Read reads as the connection does. With chunks being tracked no read goes
// beyond the end of one. TLS that ended without its closing alert in the
// middle of a response is [io.ErrUnexpectedEOF].
func (c *Conn) Read(b []byte) (int, error) {
	if n, err, ok := c.chunks.pending(b); ok {
		return n, err
	}
	c.gather.before(c.socket, c.heads.turn, c.read.Load(), c.heads.end.due())
	n, err := c.Conn.Read(b)
	if c.ahead.early.Load() {
		c.ahead.await(c.ended)
	}
	if n > 0 {
		var bad error
		if n, bad = c.follow(b[:n]); bad != nil {
			return 0, bad
		}
	}
	// Without its closing alert an attacker on the way may have cut it (RFC 8446,
	// section 6.1). A response that was whole is not hurt by that.
	if err == io.EOF && c.under != nil && c.under.eof.Load() && c.rested.Load() != c.turn.Load() {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		c.readFailed(err)
	}
	return c.chunks.hold(b[:n], err)
}

// follow takes what was read, and returns how much of it is the response's.
func (c *Conn) follow(b []byte) (own int, err error) {
	turn := c.turn.Load()
	// Bytes that answer nothing would be taken for the answer to the next
	// request: response splitting, or a server that is out of step.
	if c.unasked(turn) {
		c.dead.Store(true)
		return 0, ErrUnasked
	}
	c.read.Add(int64(len(b)))
	c.chunks.follow(turn, c.track.Load())
	c.heads.max = c.MaxHead
	own = c.heads.take(turn, c.bodiless.Load(), b)
	// What lies beyond the response must not be taken for the next one: it is
	// dropped, and the connection serves no other request. So does one whose end
	// nobody knows.
	if own < len(b) || c.heads.unknown() {
		c.retired.Store(true)
	}
	switch {
	case own == 0:
		c.dead.Store(true)
		return 0, ErrUnasked
	case c.MaxHead > 0 && c.heads.size > c.MaxHead:
		return 0, ErrHeadTooLarge
	}
	left := own
	// Before the first request there is nothing to put an answer into; as long as a
	// response's head is to come the next request is not armed.
	if c.heads.head != nil && turn > 0 && c.answer != nil {
		left = c.fill(c.answer, turn, b[:own], own < len(b))
	}
	if left < own || c.heads.done && c.heads.expect == 0 {
		c.handed.Store(turn)
	}
	return left, nil
}

// readFailed notes how the reading ended.
func (c *Conn) readFailed(err error) {
	if err != io.EOF && !errors.Is(err, net.ErrClosed) {
		c.cause.CompareAndSwap(nil, &err)
	}
	c.dead.Store(true)
	c.over.Store(err == io.EOF)
	if turn := c.turn.Load(); err == io.EOF && c.answering(turn) {
		c.eof.Store(turn)
	}
	c.end()
}

// unasked reports whether what is read now answers no request: the last
// response came to its end, or the head of the next request did not go out.
// The first response may come before its request.
func (c *Conn) unasked(turn int64) bool {
	return turn > 0 && c.rested.Load() == turn || turn > 1 && c.sent.Load() != turn
}

// answering reports whether bytes of the response to the request of that turn
// came, and not its end.
func (c *Conn) answering(turn int64) bool { return c.heads.turn == turn && c.rested.Load() != turn }

// end lets go of a writer that waits for the reader to be done.
func (c *Conn) end() { c.endOnce.Do(func() { close(c.ended) }) }

// writeWait bounds how long a failed write is held back.
const writeWait = 50 * time.Millisecond

// failed holds back the failure of a write in the middle of a request: the
// transport would close the connection, from which the answer that made the
// peer stop reading is still to be read.
func (c *Conn) failed() {
	timer := time.NewTimer(writeWait)
	defer timer.Stop()
	select {
	case <-c.ended:
	case <-timer.C:
	}
}
