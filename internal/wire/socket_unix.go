//go:build unix

package wire

import (
	"net"
	"syscall"
)

// socket does at a socket what package net has no call for, and never waits. It
// goes around the runtime's poller, where the transport's reader waits, and belongs
// to whoever writes the connection. nil is one that nothing is known of.
type socket struct {
	raw syscall.RawConn
	own bool // nothing lies between the connection and raw

	look func(fd uintptr)      // made once, since every request looks
	open bool                  // what look saw
	send func(fd uintptr) bool // made once, since every request is sent
	b    []byte                // what send sends, and then what is left of it
}

// newSocket returns nil for a connection without a socket, such as one of a
// test.
func newSocket(c net.Conn) *socket {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	s := &socket{raw: raw}
	switch c.(type) {
	case *net.TCPConn, *net.UnixConn:
		s.own = true
	}
	s.look = func(fd uintptr) {
		_, errno := peek(fd)
		// Only a socket with nothing to read is as it should be: an end, an error
		// and bytes all mean that it serves no further request.
		s.open = errno == syscall.EAGAIN || errno == syscall.EWOULDBLOCK || errno == syscall.EINTR
	}
	s.send = func(fd uintptr) bool {
		if n, err := syscall.Write(int(fd), s.b); err == nil {
			s.b = s.b[n:]
		}
		return true // that is all for now
	}
	return s
}

// alive reports whether the peer is still there and silent: one that has closed,
// or has sent what nobody asked for, will not answer. A look costs no round trip,
// takes nothing, and a socket that cannot be looked at counts as alive.
func (s *socket) alive() bool {
	if s == nil {
		return true
	}
	err := s.raw.Control(s.look)
	return err != nil || s.open
}

// direct reports whether what put writes is what a write to the connection would:
// one that wraps another may have its own way with it.
func (s *socket) direct() bool { return s != nil && s.own }

// put writes of b what goes out at once, and returns how much that is. Why it is
// not more the next write will tell.
func (s *socket) put(b []byte) int {
	s.b = b
	_ = s.raw.Write(s.send)
	n := len(b) - len(s.b)
	s.b = nil
	return n
}
