// Package wire is the connection under the transport. net/http frames bodies,
// pools connections and speaks HTTP/2; what it does not give is taken here, at
// the connection: the head as the caller ordered and spelled it, a look
// whether the server has gone before a reused connection is written to, the
// count of what crossed, the ends of chunks, and TLS that was cut short.
package wire

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync/atomic"
)

// ErrStale is what a write to a reused connection returns when the server has
// closed it meanwhile. Nothing was written, so the request may go elsewhere.
var ErrStale = errors.New("server closed the idle connection")

// Conn is a connection whose next request head can be replaced. It is one of
// HTTP/1.1: the transport writes a head and a body, then reads a response.
//
// [Conn.Arm] is called before a request is written, by whoever hands the
// request to the transport; everything else is the transport's. The counters
// may be read by anyone at any time.
type Conn struct {
	net.Conn         // TLS over raw, or raw
	Pool     string  // the mark of its owner, set before the connection is used
	socket   *peeker // looks at the socket; may be nil
	tls      *tls.ConnectionState
	cut      *cutDetector

	head    []byte // to be written in the place of the transport's
	swallow int    // how many bytes of a blank line were seen; -1: pass through
	peek    bool   // look whether the peer is there before the next write
	refused error  // of the next write

	read    atomic.Int64
	written atomic.Int64
	heldBy  atomic.Int32 // unread responses that hold the connection
	turn    atomic.Int64 // counts requests
	rested  atomic.Int64 // the turn whose response came to its end
	retired atomic.Bool
	closed  atomic.Bool
	onClose func()
	track   atomic.Bool // the ends of the response's chunks matter
	chunks  tracker
	heads   headWatch
	framing atomic.Pointer[framing]
}

const passThrough = -1

// New wraps a plain connection.
func New(raw net.Conn) *Conn {
	return &Conn{Conn: raw, socket: newPeeker(raw), swallow: passThrough}
}

// NewTLS wraps a TLS connection whose handshake is done. raw is the socket
// under it, and cut the connection that the TLS client was made over.
func NewTLS(client *tls.Conn, raw net.Conn, cut net.Conn) *Conn {
	state := client.ConnectionState()
	c := &Conn{Conn: client, socket: newPeeker(raw), tls: &state, swallow: passThrough}
	c.cut, _ = cut.(*cutDetector)
	return c
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

// Arm sets the head of the request that is about to be written, which it
// keeps in a buffer of the connection's. reused tells that the connection
// served requests before, and track that the ends of the response's chunks
// matter.
func (c *Conn) Arm(head Head, reused, track bool) {
	c.head = head.AppendHead(c.head[:0])
	c.swallow = 0
	c.peek = reused
	c.refused = nil
	c.track.Store(track)
	c.turn.Add(1)
}

// Refuse has the request that was armed fail with err, which ends it: the
// transport does not take it to another connection.
func (c *Conn) Refuse(err error) { c.refused = err }

// Turn numbers the request that was armed last.
func (c *Conn) Turn() int64 { return c.turn.Load() }

// Rest notes that the response to the request of that turn came to its end:
// the connection may be closed now without anything being cut short.
func (c *Conn) Rest(turn int64) {
	c.rested.Store(turn)
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
	if c.onClose != nil && c.closed.CompareAndSwap(false, true) {
		c.onClose()
	}
	return c.Conn.Close()
}

// AtChunkEnd reports whether the body's first read bytes end at the end of a
// chunk, as far as chunks are told apart: see [Conn.Arm].
func (c *Conn) AtChunkEnd(read int64) bool { return c.chunks.at(read) }

// Framing returns the fields of the response to the request of that turn by
// which it is framed, as they were sent, where net/http takes some of them
// out of what it hands over.
func (c *Conn) Framing(turn int64) []Field {
	if f := c.framing.Load(); f != nil && f.turn == turn {
		return f.fields
	}
	return nil
}

// Tracked reports whether the response came in chunks whose ends are known.
func (c *Conn) Tracked() bool { return c.chunks.chunked() }

// Write passes b on, but for the head of a request, which it replaces.
func (c *Conn) Write(b []byte) (int, error) {
	if c.swallow == passThrough {
		n, err := c.Conn.Write(b)
		c.written.Add(int64(n))
		return n, err
	}
	if err := c.refused; err != nil {
		c.refused = nil
		return 1, err // nothing was written, but 0 would say so
	}
	if c.peek {
		c.peek = false
		if c.heldBy.Load() > 0 || c.retired.Load() || !c.socket.alive() {
			return 0, ErrStale
		}
	}
	end := c.headEnd(b)
	if end < 0 {
		return len(b), nil
	}
	c.swallow = passThrough
	return c.writeHead(b, b[end:])
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
	n, err := c.Conn.Write(head)
	c.written.Add(int64(n))
	if err == nil && len(rest) > 0 {
		var m int
		m, err = c.Conn.Write(rest)
		c.written.Add(int64(m))
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
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.read.Add(int64(n))
		turn := c.turn.Load()
		c.chunks.follow(turn, c.track.Load())
		if f := c.heads.take(turn, b[:n]); f != nil {
			c.framing.Store(f)
		}
	}
	if err == io.EOF && c.cut != nil && c.cut.eof.Load() && c.rested.Load() != c.turn.Load() {
		err = io.ErrUnexpectedEOF
	}
	return c.chunks.hold(b[:n], err)
}

// cutDetector notes that the socket under TLS ended.
type cutDetector struct {
	net.Conn
	eof atomic.Bool
}

// DetectCut wraps the socket that a TLS client is made over, so that
// [NewTLS] can tell an end from a cut.
func DetectCut(raw net.Conn) net.Conn { return &cutDetector{Conn: raw} }

func (d *cutDetector) Read(b []byte) (int, error) {
	n, err := d.Conn.Read(b)
	if err == io.EOF {
		d.eof.Store(true)
	}
	return n, err
}
