//go:build unix

package requests

import "syscall"

// absent reports that there is surely no file at path. It makes neither a
// FileInfo nor an error, as [os.Stat] would: every request without auth asks,
// and nearly always there is none.
func absent(path string) bool {
	var st syscall.Stat_t
	return syscall.Stat(path, &st) == syscall.ENOENT
}
