//go:build unix && (!linux || 386 || s390x)

package wire

import "syscall"

// peek looks at a socket's first byte and takes nothing.
func peek(fd uintptr) (n int, errno syscall.Errno) {
	var b [1]byte
	n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	if err != nil {
		errno, _ = err.(syscall.Errno)
		return 0, errno
	}
	return n, 0
}
