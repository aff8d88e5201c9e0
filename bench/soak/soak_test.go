package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed-9ea40bd3/requests"
)

// play has a server answer one request with one fault, and returns what bare
// net/http makes of it.
func play(t *testing.T, f fault) ([]byte, error) {
	t.Helper()
	srv, err := listen(plan{seed: 7, rate: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	// The only kind there is; a number whose connection is not refused.
	srv.kinds = []fault{f}
	c := newBare()
	defer c.CloseIdleConnections()
	for {
		// Without a connection that was used before nothing is sent twice.
		c.CloseIdleConnections()
		refused := srv.refused.Load()
		body, err := once(t.Context(), c, srv.URL+"/5")
		if srv.refused.Load() == refused {
			return body, err
		}
	}
}

func once(ctx context.Context, c *http.Client, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// A fatal fault leaves nothing that a client could take for the whole answer,
// and any other leaves the answer.
func TestFaults(t *testing.T) {
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) {
			var want [bodySize]byte
			plan{seed: 7}.fill(want[:], 5)
			got, err := play(t, f)
			if f.fatal && err == nil {
				t.Errorf("taken for a whole answer of %d bytes", len(got))
			}
			if !f.fatal && (err != nil || !bytes.Equal(got, want[:])) {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
		})
	}
}

// The same seed gives the same faults, and about as many as asked for.
func TestPlan(t *testing.T) {
	const n = 10_000
	kinds := len(faults())
	draw := func(seed uint64) (all []int, met int) {
		p := plan{seed: seed, rate: 0.3}
		for id := range uint64(n) {
			kind, at := p.draw(id, 0, kinds)
			if kind >= 0 {
				met++
			}
			all = append(all, kind, at)
		}
		return all, met
	}
	first, met := draw(1)
	again, _ := draw(1)
	other, _ := draw(2)
	if !slices.Equal(first, again) {
		t.Error("the same seed gave other faults")
	}
	if slices.Equal(first, other) {
		t.Error("another seed gave the same faults")
	}
	if met < n*28/100 || met > n*32/100 {
		t.Errorf("%d of %d requests meet a fault, want 30 %%", met, n)
	}
	p := plan{seed: 1, rate: 0.3}
	a, _ := p.draw(3, 0, kinds)
	b := a
	for try := 1; try < 20 && a == b; try++ {
		b, _ = p.draw(3, try, kinds)
	}
	if a == b {
		t.Error("every try of a request meets the same fault")
	}
}

// A ledger that does not agree with what callers were told is short.
func TestJudge(t *testing.T) {
	fail := errors.New("failed")
	tests := []struct {
		name    string
		applied int
		told    outcome
		short   bool
	}{
		{"answered", 1, outcome{typed: true}, false},
		{"answered, not applied", 0, outcome{typed: true}, true},
		{"applied twice", 2, outcome{typed: true}, true},
		{"maybe, applied", 1, outcome{err: fail, maybe: true, typed: true}, false},
		{"maybe, not applied", 0, outcome{err: fail, maybe: true, typed: true}, false},
		{"never, not applied", 0, outcome{err: fail, typed: true}, false},
		{"never, but applied", 1, outcome{err: fail, typed: true}, true},
		{"another type", 0, outcome{err: fail}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := &server{applied: map[uint64]int{0: tt.applied}}
			r := &report{w: io.Discard}
			judge(srv, []outcome{tt.told}, r)
			if r.short != tt.short {
				t.Errorf("short is %t, want %t", r.short, tt.short)
			}
		})
	}
}

// What an error promises is read from it.
func TestTold(t *testing.T) {
	if got := told(nil); got.err != nil || !got.typed || got.maybe {
		t.Errorf("no error: got %+v", got)
	}
	if got := told(&requests.Error{MaybeSent: true}); !got.typed || !got.maybe {
		t.Errorf("maybe sent: got %+v", got)
	}
	if got := told(io.EOF); got.typed {
		t.Errorf("another type: got %+v", got)
	}
}

func TestReport(t *testing.T) {
	var b strings.Builder
	r := &report{w: &b}
	r.atMost("a", 2, 2, " ms")
	r.atLeast("b", 2, 2, "")
	r.none("c", 0)
	if r.short {
		t.Errorf("what holds is short:\n%s", &b)
	}
	r.atMost("d", 2.5, 2, " ms")
	if !r.short || !strings.Contains(b.String(), "2.5 ms") || !strings.Contains(b.String(), "SHORT") {
		t.Errorf("what does not hold is not short:\n%s", &b)
	}
}

func TestQuantile(t *testing.T) {
	var waits []time.Duration
	for i := range 100 {
		waits = append(waits, time.Duration(i+1)*time.Millisecond)
	}
	for _, tt := range []struct{ q, want float64 }{{0, 1}, {0.5, 50}, {0.99, 99}, {1, 100}} {
		if got := quantile(waits, tt.q); got != tt.want {
			t.Errorf("quantile %v: got %v, want %v", tt.q, got, tt.want)
		}
	}
}

// A client that gets through the faults of a plan gets every body whole.
func TestOursUnderFaults(t *testing.T) {
	srv, err := listen(plan{seed: 3, rate: 0.6}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	s := newSession(&requests.HTTPAdapter{MaxRetries: requests.Retries(maxTries - 1)})
	defer s.Close()
	var got tally
	for id := range uint64(300) {
		got.one(t.Context(), srv, ours(s), id)
	}
	if got.done != 300 || got.lost != 0 || got.wrong != 0 {
		t.Errorf("%d done, %d lost, %d wrong: %v", got.done, got.lost, got.wrong, got.errs)
	}
	if srv.arrivals.Load() <= 300 {
		t.Errorf("%s arrivals: no fault was met", strconv.FormatInt(srv.arrivals.Load(), 10))
	}
}
