package testserver

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// A Watch remembers how things stood before a fault, and checks afterwards
// that nothing is left of it. Make it first thing in a test, with [NewWatch].
type Watch struct {
	tb     testing.TB
	before goleak.Option
	files  []string // open descriptors, as what they lead to
	temp   string
}

// watchLimit is how long what a fault leaves may take to go away.
const watchLimit = 2 * time.Second

// NewWatch notes goroutines and file descriptors, and gives the test a folder
// of its own for temporary files.
func NewWatch(tb testing.TB) *Watch {
	tb.Helper()
	temp := tb.TempDir()
	// A fuzz target's F can set nothing. Windows has no TMPDIR.
	if t, ok := tb.(interface{ Setenv(key, value string) }); ok && runtime.GOOS != "windows" {
		t.Setenv("TMPDIR", temp)
	}
	return &Watch{tb: tb, before: goleak.IgnoreCurrent(), files: descriptors(), temp: temp}
}

// descriptors lists the open file descriptors, where the system can tell.
func descriptors() []string {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		to, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name()))
		// The poller is the runtime's, made at first use, and the folder
		// that is being listed is ours.
		if err != nil || strings.HasPrefix(to, "anon_inode:") || strings.HasPrefix(to, "/proc/") {
			continue
		}
		out = append(out, to)
	}
	return out
}

// Conditions are what has to hold after a fault. Fields that are nil are not
// looked at.
type Conditions struct {
	// Server is the one that was faulty.
	Server *Faults
	// Faulty is the number of the connection that must not be used again;
	// zero is the one of the ledger's first arrival, below zero none.
	Faulty int
	// Next sends another request and returns an error where that fails.
	Next func() error
	// Close closes the client.
	Close func() error
	// Body is what was uploaded.
	Body *Source
	// Repeats allows a request that is not idempotent to have come twice.
	Repeats bool
}

// Check checks the conditions, in the order of the fields, and at last that
// nothing is left. The server is closed on the way.
func (w *Watch) Check(c Conditions) {
	w.tb.Helper()
	if c.Body != nil {
		c.Body.check(w.tb)
	}
	// What is in the ledger by now belongs to the fault, and the rest to what
	// came after it.
	before := 0
	if c.Server != nil {
		before = len(c.Server.Ledger())
	}
	if c.Next != nil {
		if err := c.Next(); err != nil {
			w.tb.Errorf("after the fault: the next request failed: %v", err)
		}
	}
	if c.Server != nil {
		w.checkLedger(c, before)
	}
	if c.Close != nil {
		if err := c.Close(); err != nil {
			w.tb.Errorf("after the fault: the client did not close: %v", err)
		}
	}
	if c.Server != nil {
		// Asked before the server closes, which would close them all.
		if left := c.Server.Settle(watchLimit); len(left) > 0 {
			w.tb.Errorf("after the fault: the client left connections %v open", left)
		}
		c.Server.Close()
	}
	w.Nothing()
}

// checkLedger checks which connections requests came on, and that none came
// twice that must not.
func (w *Watch) checkLedger(c Conditions, before int) {
	w.tb.Helper()
	ledger := c.Server.Ledger()
	faulty := c.Faulty
	if faulty == 0 && before > 0 {
		faulty = ledger[0].Conn
	}
	seen := map[string]int{}
	for i, a := range ledger {
		if i >= before && a.Conn == faulty {
			w.tb.Errorf("after the fault: connection %d was used again", faulty)
		}
		// The other methods that tests use are idempotent (RFC 9110, section 9.2.2).
		if a.Method == "POST" || a.Method == "PATCH" {
			if seen[a.Target]++; seen[a.Target] == 2 && !c.Repeats {
				w.tb.Errorf("after the fault: %s %s came twice", a.Method, a.Target)
			}
		}
	}
}

// Nothing checks that no goroutine, no file descriptor and no temporary file
// is there that was not before.
func (w *Watch) Nothing() {
	w.tb.Helper()
	if err := goleak.Find(w.before); err != nil {
		w.tb.Errorf("after the fault: goroutines are left: %v", err)
	}
	var left []string
	for wait := time.Duration(0); wait < watchLimit; wait += settleStep {
		// The system may take a moment to close what was given up.
		if left = beyond(descriptors(), w.files); len(left) == 0 {
			break
		}
		time.Sleep(settleStep)
	}
	if len(left) > 0 {
		w.tb.Errorf("after the fault: file descriptors are left:\n%s", strings.Join(left, "\n"))
	}
	files, err := filepath.Glob(filepath.Join(w.temp, "*"))
	if err != nil || len(files) > 0 {
		w.tb.Errorf("after the fault: temporary files are left: %v %v", files, err)
	}
}

// beyond returns what is in now and was not before, as often as it is too many.
func beyond(now, before []string) []string {
	known := map[string]int{}
	for _, to := range before {
		known[to]++
	}
	var left []string
	for _, to := range now {
		if known[to]--; known[to] < 0 {
			left = append(left, to)
		}
	}
	return left
}
