package requests

import (
	"errors"
	"sync"
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

	mu      sync.Mutex
	timer   *time.Timer
	waiting bool
	fresh   bool // a wait began since the last look
	ended   bool
	last    int64
	silent  int
	expired bool
}

// looks is how many looks without progress in a row expire.
const looks = 4

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

func (w *watchdog) tick() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return
	}
	now := w.progress()
	if !w.waiting || w.fresh || now != w.last {
		w.silent = 0
	} else {
		w.silent++
	}
	w.fresh, w.last = false, now
	if w.silent >= looks {
		w.ended, w.expired = true, true
		w.expire()
		return
	}
	w.timer.Reset(w.look)
}
