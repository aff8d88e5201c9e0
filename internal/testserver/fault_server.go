package testserver

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// An Arrival is a request as a faulty server saw it.
type Arrival struct {
	// Conn numbers the connection, from 1, in order of acceptance; Turn the
	// request on it, from 1.
	Conn, Turn int
	// Method and Target are those of the request line.
	Method, Target string
	// Head is the head as it came, with its blank line.
	Head string
	// Header has its fields, by canonical name.
	Header http.Header
	// Body is the start of the body, at most 64 KiB; Len and Sum are of all
	// that came.
	Body []byte
	Len  int64
	Sum  [sha256.Size]byte
	// Whole tells that the body came to its end.
	Whole bool
}

// maxArrivalBody is how much of a request's body a ledger keeps.
const maxArrivalBody = 64 << 10

// Faults is a server of HTTP/1.1 whose answers are values. Make one with
// [NewFaults] or [NewFaultsTLS]; it may be used by many goroutines.
type Faults struct {
	// Choose, when not nil, answers in the place of the script. It is called
	// when the head of a request has come, and must be set before the first.
	Choose func(Arrival) Answer

	tb     testing.TB
	tls    *tls.Config
	ln     net.Listener // nil where connections are pipes
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu       sync.Mutex // guards what follows
	script   []Answer
	ledger   []Arrival
	accepted int
	peak     int              // of open
	open     map[int]net.Conn // sockets by number
	settling bool
	settle   chan struct{} // closed when stalls are over
}

// NewFaults starts a server that answers with the script's answers in turn
// and after them with plain ones. It ends with the test.
func NewFaults(tb testing.TB, script ...Answer) *Faults {
	tb.Helper()
	return newFaults(tb, nil, true, script)
}

// NewFaultsTLS is [NewFaults] over TLS.
func NewFaultsTLS(tb testing.TB, config *tls.Config, script ...Answer) *Faults {
	tb.Helper()
	return newFaults(tb, config, true, script)
}

// NewFaultsPipe is [NewFaults] without a listener: connections are made by
// [Faults.Dial], in memory, so that a test's clock can be faked. There is no
// reset and no half-close between pipes: both are a close.
func NewFaultsPipe(tb testing.TB, config *tls.Config, script ...Answer) *Faults {
	tb.Helper()
	return newFaults(tb, config, false, script)
}

func newFaults(tb testing.TB, config *tls.Config, listens bool, script []Answer) *Faults {
	tb.Helper()
	f := &Faults{tb: tb, tls: config, script: script, open: map[int]net.Conn{}, settle: make(chan struct{})}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	tb.Cleanup(f.Close)
	if !listens {
		return f
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(tb, err)
	f.ln = ln
	f.wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if f.ctx.Err() != nil {
				return
			}
			if err != nil { // such as no file descriptors, which a test may have used up
				pause(f.ctx, settleStep)
				continue
			}
			f.start(conn)
		}
	})
	return f
}

// start serves a connection on a goroutine of its own.
func (f *Faults) start(conn net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	// Under the lock, so that Close either sees the connection or keeps it from
	// being served.
	if f.ctx.Err() != nil {
		_ = conn.Close()
		return
	}
	f.accepted++
	id := f.accepted
	f.open[id] = conn
	f.peak = max(f.peak, len(f.open))
	f.wg.Go(func() {
		c := &faultConn{f: f, id: id, raw: conn, conn: conn}
		c.serve()
		_ = conn.Close()
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.open, id)
	})
}

// Dial connects to the server in memory. Its arguments are those of an
// adapter's dial function and do not matter.
func (f *Faults) Dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	f.start(server)
	return client, nil
}

// Addr is the address that the server listens on, as host:port.
func (f *Faults) Addr() string { return f.ln.Addr().String() }

// URL is the server's URL, without a slash at its end.
func (f *Faults) URL() string {
	host := "pipe.test"
	if f.ln != nil {
		host = f.Addr()
	}
	if f.tls != nil {
		return "https://" + host
	}
	return "http://" + host
}

// Enqueue adds answers to the script.
func (f *Faults) Enqueue(answers ...Answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.script = append(f.script, answers...)
}

// Ledger returns what has arrived so far, in order of its heads.
func (f *Faults) Ledger() []Arrival {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.ledger)
}

// Accepted is how many connections were accepted.
func (f *Faults) Accepted() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.accepted
}

// Peak is how many connections were open at once.
func (f *Faults) Peak() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.peak
}

// next takes the answer to a request from the script, and enters the request
// into the ledger at the returned index.
func (f *Faults) next(a Arrival) (Answer, int) {
	f.mu.Lock()
	f.ledger = append(f.ledger, a)
	slot := len(f.ledger) - 1
	// It is called without the lock: it may look at the ledger, and wait.
	choose := f.Choose
	var answer Answer
	if choose == nil && len(f.script) > 0 {
		answer, f.script = f.script[0], f.script[1:]
	}
	f.mu.Unlock()
	if choose != nil {
		answer = choose(a)
	}
	return answer, slot
}

// onAccept takes an answer that is for a connection.
func (f *Faults) onAccept() Effect {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.script) == 0 || f.script[0].OnAccept == Nothing {
		return Nothing
	}
	// The answer is used up: the request, if one comes, has the next.
	e := f.script[0].OnAccept
	f.script = f.script[1:]
	return e
}

// enter completes an arrival when its body has come, as far as it did.
func (f *Faults) enter(slot int, body []byte, n int64, sum [sha256.Size]byte, whole bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a := &f.ledger[slot]
	a.Body, a.Len, a.Sum, a.Whole = body, n, sum, whole
}

// Closed waits until no connection is open, and reports whether that came
// within the limit.
func (f *Faults) Closed(limit time.Duration) bool { return len(f.wait(limit)) == 0 }

// Settle ends all stalls, and waits until the client has closed every
// connection. It returns the numbers of those that are open after the limit.
func (f *Faults) Settle(limit time.Duration) []int {
	f.mu.Lock()
	if !f.settling {
		f.settling = true
		close(f.settle)
	}
	f.mu.Unlock()
	return f.wait(limit)
}

// wait returns the numbers of the connections that are open after the limit,
// or none as soon as there is none.
func (f *Faults) wait(limit time.Duration) []int {
	var left []int
	for wait := time.Duration(0); wait < limit; wait += settleStep {
		f.mu.Lock()
		left = left[:0]
		for id := range f.open {
			left = append(left, id)
		}
		f.mu.Unlock()
		if len(left) == 0 {
			return nil
		}
		pause(f.ctx, settleStep)
	}
	slices.Sort(left)
	return left
}

// settleStep is how often [Faults.Settle] looks.
const settleStep = time.Millisecond

// Close ends the server and waits for all that it started.
func (f *Faults) Close() {
	// First, since it ends pauses, holds and stalls, and keeps new connections
	// out.
	f.cancel()
	if f.ln != nil {
		_ = f.ln.Close()
	}
	f.mu.Lock()
	for _, conn := range f.open {
		_ = conn.Close()
	}
	f.mu.Unlock()
	// Without the lock, which the goroutines that are waited for need to leave.
	f.wg.Wait()
}

// pause waits, unless the context ends first.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
