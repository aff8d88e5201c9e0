//go:build !unix

package wire

import "net"

// socket can do nothing here, and takes the connection as it is.
type socket struct{}

// newSocket returns nil: there is nothing to look with.
func newSocket(net.Conn) *socket { return nil }

// alive is true for want of a look; a write will tell.
func (*socket) alive() bool { return true }

// direct is false, for a write might wait.
func (*socket) direct() bool { return false }

// put writes nothing.
func (*socket) put([]byte) int { return 0 }
