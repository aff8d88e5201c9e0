package requests

import (
	"crypto/tls"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// tlsLoader gives a transport's connections their TLS settings. They are made
// of files, some of them, that may be missing, be mended and be renewed: each
// new connection has them as they are then, which costs it a look at the
// files. No failure is kept.
type tlsLoader struct {
	settings TLSSettings
	verify   TLSVerify
	cert     ClientCert
	forward  bool // the proxy is the only peer

	current atomic.Pointer[tlsConfigs]
	mu      sync.Mutex // held by whoever loads; others wait for what that gives
}

// tlsConfigs are the settings that were made of one state of the files. They
// stay as they are, but for the sessions in their caches: new settings begin
// with none, so that no session goes on that a root of old vouched for, or
// that was opened under an older name.
type tlsConfigs struct {
	origin, proxy *tls.Config

	files   []fileStamp
	settled bool // no file was changed so shortly before that another change might not show
}

// fileStamp is how a file looked; info is nil where it was not there.
type fileStamp struct {
	path string
	info fs.FileInfo
}

// same reports whether a file looks as it did.
func (s fileStamp) same(other fileStamp) bool {
	a, b := s.info, other.info
	if s.path != other.path || a == nil || b == nil {
		return s.path == other.path && a == b
	}
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
}

// mtimeGrain is beyond the steps in which file systems count the time of a
// change: FAT's are two seconds. Within one a file may change and look the
// same.
const mtimeGrain = 3 * time.Second

// load returns the settings by the files as they are now.
func (l *tlsLoader) load() (*tlsConfigs, error) {
	before := l.current.Load()
	files := l.stamps()
	if before.of(files) && before.settled {
		return before, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	// Somebody else may have loaded meanwhile. The files are looked at before
	// they are read: a change that comes in between shows the next time.
	files = l.stamps()
	if now := l.current.Load(); now != before && now.of(files) {
		return now, nil
	}
	c, err := l.settings.config(l.verify, l.cert)
	if err != nil {
		return nil, err
	}
	configs := &tlsConfigs{origin: c, proxy: forProxy(c, l.forward), files: files, settled: atRest(files, time.Now())}
	l.current.Store(configs)
	return configs, nil
}

// of reports whether c was made of files that looked so.
func (c *tlsConfigs) of(files []fileStamp) bool {
	return c != nil && slices.EqualFunc(c.files, files, fileStamp.same)
}

// atRest reports whether any later change of the files shows.
func atRest(files []fileStamp, now time.Time) bool {
	return !slices.ContainsFunc(files, func(f fileStamp) bool {
		return f.info != nil && now.Sub(f.info.ModTime()).Abs() < mtimeGrain
	})
}

// stamps looks at all the files that the settings are made of.
func (l *tlsLoader) stamps() []fileStamp {
	var files []fileStamp
	look := func(path string) fs.FileInfo {
		info, err := os.Stat(path)
		if err != nil {
			info = nil
		}
		files = append(files, fileStamp{path, info})
		return info
	}
	if path := l.verify.CABundle; path != "" {
		if info := look(path); info != nil && info.IsDir() {
			entries, _ := os.ReadDir(path)
			for _, entry := range entries {
				look(filepath.Join(path, entry.Name()))
			}
		}
	}
	if l.cert.fromFiles() {
		look(l.cert.CertFile)
		if l.cert.KeyFile != "" {
			look(l.cert.KeyFile)
		}
	}
	return files
}
