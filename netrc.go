package requests

import (
	"os"
	"path/filepath"
	"time"

	"github.com/seed-9ea40bd3/requests/internal/netrc"
)

// maxNetrc bounds a netrc file.
const maxNetrc = 1 << 20

// netrc returns user and password for a host: from the file that NETRC names
// or else from ~/.netrc or ~/_netrc, whichever is there. As in Requests a file
// that cannot be read or parsed says nothing.
func (e *environment) netrc(host string) (user, password string, ok bool) {
	if host == "" {
		return "", "", false
	}
	text, ok := e.netrcText()
	if !ok {
		return "", "", false
	}
	file, err := netrc.Parse(text)
	if err != nil {
		return "", "", false
	}
	entry, ok := file.Lookup(host)
	if !ok {
		return "", "", false
	}
	// As in Requests, where an account stands in for a login that is missing.
	if entry.Login == "" {
		entry.Login = entry.Account
	}
	return entry.Login, entry.Password, entry != netrc.Entry{}
}

// netrcText returns the text of the file that counts, if there is one.
func (e *environment) netrcText() (string, bool) {
	// A variable that is set and empty names no file, and the usual ones are not
	// looked for either.
	if path, set := e.get("NETRC"); set {
		if path == "" {
			return "", false
		}
		text, _, ok := readNetrc(path)
		return text, ok
	}
	home, _ := e.get(homeVariable)
	if home == "" {
		return "", false
	}
	// Every request without auth comes here, and nearly no home has such a file.
	known, now := e.homeNetrc(home), time.Now()
	if known.absent.rests(now) {
		return "", false
	}
	for _, path := range known.paths {
		if text, found, ok := readNetrc(path); found {
			return text, ok
		}
	}
	known.absent.missed(now)
	return "", false
}

// netrcPaths are the paths of the files in a user's directory, kept because
// every request without auth looks for them.
type netrcPaths struct {
	home   string
	paths  [2]string
	absent restedLook // neither is there
}

// homeNetrc returns the paths for a home directory, joined anew only where HOME
// has changed meanwhile.
func (e *environment) homeNetrc(home string) *netrcPaths {
	if known := e.netrcPaths.Load(); known != nil && known.home == home {
		return known
	}
	made := &netrcPaths{home: home, paths: [2]string{filepath.Join(home, ".netrc"), filepath.Join(home, "_netrc")}}
	e.netrcPaths.Store(made)
	return made
}

// readNetrc reads a file, and reports whether there is one and whether it
// could be read.
func readNetrc(path string) (text string, found, ok bool) {
	if absent(path) {
		return "", false, false
	}
	fi, err := os.Stat(path)
	if err != nil {
		return "", false, false
	}
	// A pipe or a device could hold up the request, or never end.
	if fi.Size() > maxNetrc || !fi.Mode().IsRegular() {
		return "", true, false
	}
	content, err := os.ReadFile(path)
	return string(content), true, err == nil
}
