//go:build unix

package wire

import (
	"net"
	"syscall"
)

// peeker looks at a socket without reading from it: a peer that has closed,
// or that has sent what nobody asked for, will not answer. A look costs no
// round trip, and a socket that cannot be looked at counts as alive. The look
// goes around the runtime's poller, where the transport's reader waits. It
// belongs to whoever writes the connection; nil sees every socket alive.
type peeker struct {
	socket syscall.RawConn
	look   func(fd uintptr) // made once, since every request looks
	open   bool
}

// newPeeker returns nil for a connection without a socket, such as one of a
// test.
func newPeeker(c net.Conn) *peeker {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	socket, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	p := &peeker{socket: socket}
	p.look = func(fd uintptr) {
		_, errno := peek(fd)
		// Only a socket with nothing to read is as it should be: an end, an error
		// and bytes all mean that it serves no further request.
		p.open = errno == syscall.EAGAIN || errno == syscall.EWOULDBLOCK || errno == syscall.EINTR
	}
	return p
}

// alive reports whether the peer is still there and silent.
func (p *peeker) alive() bool {
	if p == nil {
		return true
	}
	err := p.socket.Control(p.look)
	return err != nil || p.open
}
