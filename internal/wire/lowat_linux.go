package wire

import "syscall"

// wakeFor has a reader that waits be waked for n bytes, and not for fewer unless the
// connection ends.
func (s *socket) wakeFor(n int) {
	_ = s.raw.Control(func(fd uintptr) { _ = setLowat(fd, n) })
}

// wakeForMuch is wakeFor as far as there is room for four times as much, for which
// it sees: where the window is full before the reader is waked the peer stands still
// each time. It reports whether the system does that.
func (s *socket) wakeForMuch(n int) (ok bool) {
	err := s.raw.Control(func(fd uintptr) {
		// Linux makes room for what is asked for, and takes less where it may not.
		if setLowat(fd, 4*n) != nil {
			return
		}
		most, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT)
		ok = err == nil && setLowat(fd, most/4) == nil
	})
	return ok && err == nil
}

func setLowat(fd uintptr, n int) error {
	return syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, n)
}
