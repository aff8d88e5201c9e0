//go:build linux && !386 && !s390x

package wire

import (
	"syscall"
	"unsafe"
)

// peek looks at a socket's first byte and takes nothing. The call cannot
// block, so that the scheduler need not hear of it: that is most of its price.
func peek(fd uintptr) (n int, errno syscall.Errno) {
	var b [1]byte
	got, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b[0])), 1,
		syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
	return int(got), errno
}
