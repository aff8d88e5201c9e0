package requests

import (
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// environment is what a session reads of the process, anew for each call.
type environment struct {
	lookup  func(string) (string, bool)
	environ func() []string

	netrcPaths atomic.Pointer[netrcPaths]
	noProxy    restedLook // the environment names no proxy
}

// restedLook is something that costs much to look for and is nearly never
// there: that it was not is taken for granted for a moment.
type restedLook struct{ at atomic.Int64 }

// lookRest is that moment. It spares calls in quick succession most of their
// looks, and is too short for anybody to wait for.
const lookRest = 20 * time.Millisecond

// rests reports whether the thing was missed within the moment before now.
func (l *restedLook) rests(now time.Time) bool {
	d := now.UnixNano() - l.at.Load()
	return 0 <= d && d < int64(lookRest)
}

// missed notes that the thing was not there.
func (l *restedLook) missed(now time.Time) { l.at.Store(now.UnixNano()) }

// all returns every variable, as name=value.
func (e *environment) all() []string {
	if e.environ == nil {
		return os.Environ()
	}
	return e.environ()
}

// proxyVariables is all, or nil where no variable names a proxy for URLs of
// that scheme. The names that people use are looked up for every request,
// those in a mixture of upper and lower case are looked for now and then.
func (e *environment) proxyVariables(scheme string, now time.Time) []string {
	if e.noProxy.rests(now) && !e.hasAny("all_proxy", "ALL_PROXY") &&
		(scheme == "http" && !e.hasAny("http_proxy", "HTTP_PROXY") || scheme == "https" && !e.hasAny("https_proxy", "HTTPS_PROXY")) {
		return nil
	}
	vars := e.all()
	if environProxies(vars) != nil {
		return vars
	}
	e.noProxy.missed(now)
	return nil
}

// hasAny reports whether one of the variables is set.
func (e *environment) hasAny(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		_, set := e.get(name)
		return set
	})
}

func (e *environment) get(name string) (string, bool) {
	if e.lookup == nil {
		return os.LookupEnv(name)
	}
	return e.lookup(name)
}

// bundle returns the path of the environment's CA bundle: an empty variable
// counts as unset.
func (e *environment) bundle() string {
	for _, name := range [...]string{"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"} {
		if path, _ := e.get(name); path != "" {
			return path
		}
	}
	return ""
}
