//go:build !linux

package wire

// wakeFor does nothing: a reader is waked for every byte.
func (*socket) wakeFor(int) {}

// wakeForMuch does nothing.
func (*socket) wakeForMuch(int) bool { return false }
