//go:build unix

package wire

import (
	"net"
	"syscall"
)

// alive looks at the socket without reading from it: a peer that has closed,
// or that has sent what nobody asked for, will not answer. A look costs no
// round trip, and a socket that cannot be looked at counts as alive. The
// look goes around the runtime's poller, where the transport's reader waits.
func alive(c net.Conn) bool {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return true
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return true
	}
	open := true
	err = rc.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		open = n <= 0 && (err == syscall.EAGAIN || err == syscall.EWOULDBLOCK || err == syscall.EINTR)
	})
	return err != nil || open
}
