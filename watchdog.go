package requests

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// errReadTimeout is the cause of a context that the watchdog ended.
var errReadTimeout = errors.New("nothing was received in time")

// watchdog ends a request whose peer is silent for too long while it is
// waited for. It looks at a count of bytes four times in the limit instead of
// setting a deadline for each read, which would cost a fifth of small reads;
// so it acts between one and one and a quarter of the limit. A nil watchdog
// watches nothing.
type watchdog struct {
	look     time.Duration
	progress func() int64
	expire   func()
	interim  atomic.Int64 // the size of the interim responses: part of progress

	mu      sync.Mutex  // guards what follows
	timer   *time.Timer // nil before the first wait
	waiting bool        // for the peer; else it is the caller who takes his time
	fresh   bool        // a wait began since the last look
	ended   bool        // no look follows
	last    int64       // progress at the last look
	silent  int         // looks in a row without progress
	expired bool        // the watchdog has ended the request
}

// looks is how many looks without progress in a row expire.
const looks = 4

// newWatchdog makes a watchdog that is at rest. progress must differ whenever
// something crossed since it was asked last, and is asked during waits alone;
// expire is called once at most,
// under the lock, and must not call back.
func newWatchdog(limit time.Duration, progress func() int64, expire func()) *watchdog {
	return &watchdog{look: max(limit/looks, 1), progress: progress, expire: expire}
}

// start begins a wait for the peer.
func (w *watchdog) start() {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting, w.fresh = true, true
	if w.timer == nil && !w.ended {
		w.timer = time.AfterFunc(w.look, w.tick)
	}
}

// rest ends a wait.
func (w *watchdog) rest() {
	if w == nil {
		return
	}
	w.mu.Lock()
	w.waiting = false
	w.mu.Unlock()
}

// end stops watching.
func (w *watchdog) end() {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	if w.timer != nil {
		w.timer.Stop()
	}
}

// over reports whether the watchdog ended the request.
func (w *watchdog) over() bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.expired
}

// tick is a look. It runs in the timer's goroutine, and asks for the next one
// itself so that looks never overlap.
func (w *watchdog) tick() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return
	}
	// A wait that began after the last look has not lasted a whole interval: it
	// is not counted, lest the watchdog act too early. Between waits nothing is
	// looked at: what progress is of may be changed then.
	if !w.waiting {
		w.silent = 0
	} else if now := w.progress(); w.fresh || now != w.last {
		w.silent, w.fresh, w.last = 0, false, now
	} else {
		w.silent++
	}
	if w.silent >= looks {
		w.ended, w.expired = true, true
		w.expire()
		return
	}
	w.timer.Reset(w.look)
}
