package requests

import (
	"os"
	"path/filepath"

	"github.com/seed-9ea40bd3/requests/internal/netrc"
)

// maxNetrc bounds a netrc file.
const maxNetrc = 1 << 20

// netrc returns user and password for a host: from the file that NETRC names
// or else from ~/.netrc or ~/_netrc, whichever is there. As in Requests a file
// that cannot be read or parsed says nothing.
func (e environment) netrc(host string) (user, password string, ok bool) {
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
	if entry.Login == "" {
		entry.Login = entry.Account
	}
	return entry.Login, entry.Password, entry != netrc.Entry{}
}

func (e environment) netrcText() (string, bool) {
	paths := make([]string, 0, 2)
	if path, set := e.get("NETRC"); set {
		if path == "" {
			return "", false
		}
		paths = append(paths, path)
	} else {
		home, _ := e.get(homeVariable)
		if home == "" {
			return "", false
		}
		paths = append(paths, filepath.Join(home, ".netrc"), filepath.Join(home, "_netrc"))
	}
	for _, path := range paths {
		fi, err := os.Stat(path)
		if err != nil {
			continue
		}
		if fi.Size() > maxNetrc || !fi.Mode().IsRegular() {
			return "", false
		}
		text, err := os.ReadFile(path)
		return string(text), err == nil
	}
	return "", false
}
