package wire

import "syscall"

// wakeFor has a reader that waits be waked for n bytes, and not for fewer unless the
// connection ends. It reports whether the system does that.
func (s *socket) wakeFor(n int) bool {
	ok := false
	err := s.raw.Control(func(fd uintptr) {
		ok = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, n) == nil
	})
	return ok && err == nil
}
