package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-9ea40bd3/requests"
)

// workers is how many goroutines send at once.
const workers = 16

// warmUp is for connections to be made.
const warmUp = 200 * time.Millisecond

// bareIDs is where the numbers of the requests of bare net/http begin, so that
// ours are the same in every run.
const bareIDs = 1 << 40

// tally is what came of some requests.
type tally struct {
	done, lost, wrong int
	waits             []time.Duration
	errs              []string
	elapsed           time.Duration
	mallocs           uint64
	arrivals          int64
	cpu               float64 // seconds, of the server too
}

func (t *tally) add(u tally) {
	t.done += u.done
	t.lost += u.lost
	t.wrong += u.wrong
	t.waits = append(t.waits, u.waits...)
	t.errs = append(t.errs, u.errs...)
	t.elapsed += u.elapsed
	t.mallocs += u.mallocs
	t.arrivals += u.arrivals
	t.cpu += u.cpu
}

func (t *tally) rate() float64   { return float64(t.done) / t.elapsed.Seconds() }
func (t *tally) allocs() float64 { return float64(t.mallocs) / float64(t.done) }
func (t *tally) tries() float64  { return float64(t.arrivals) / float64(t.done) }

// for a time, all workers get from srv as fast as they can. The numbers of the
// requests are the ones after ids.
func (t *tally) burst(ctx context.Context, srv *server, get getter, ids *atomic.Uint64, d time.Duration) {
	var before, after runtime.MemStats
	parts := make([]tally, workers)
	runtime.ReadMemStats(&before)
	cpu, begin, arrived := cpuTime(), time.Now(), srv.arrivals.Load()+srv.refused.Load()
	var wg sync.WaitGroup
	for i := range parts {
		wg.Go(func() {
			for end := begin.Add(d); time.Now().Before(end) && ctx.Err() == nil; {
				parts[i].one(ctx, srv, get, ids.Add(1))
			}
		})
	}
	wg.Wait()
	elapsed, spent := time.Since(begin), cpuTime()-cpu
	runtime.ReadMemStats(&after)
	for _, part := range parts {
		t.add(part)
	}
	t.add(tally{
		elapsed: elapsed, cpu: spent, mallocs: after.Mallocs - before.Mallocs,
		arrivals: srv.arrivals.Load() + srv.refused.Load() - arrived,
	})
}

// one gets one body and compares it with what it should be.
func (t *tally) one(ctx context.Context, srv *server, get getter, id uint64) {
	var want [bodySize]byte
	begin := time.Now()
	body, err := get(ctx, srv.URL+"/"+strconv.FormatUint(id, 10))
	t.waits = append(t.waits, time.Since(begin))
	t.done++
	if err != nil {
		t.lost++
		t.errs = append(t.errs, fmt.Sprintf("request %d: %v", id, err))
		return
	}
	srv.plan.fill(want[:], id)
	if sha256.Sum256(body) != sha256.Sum256(want[:]) {
		t.wrong++
	}
}

// duel is both clients under the same load, in turns.
type duel struct {
	ours, bare tally
	ratios     []float64 // of the rates, round by round
}

// race runs the rounds. Bare net/http gets a third of the time.
func race(ctx context.Context, p plan, rounds int, each time.Duration) (*duel, error) {
	srv, err := listen(p, nil)
	if err != nil {
		return nil, err
	}
	defer srv.Close()
	session := newSession(&requests.HTTPAdapter{MaxRetries: requests.Retries(maxTries - 1), PoolMaxSize: connections})
	defer session.Close()
	client := newBare()
	defer client.CloseIdleConnections()
	getOurs, getBare := ours(session), bare(client)

	var ids, theirs atomic.Uint64
	theirs.Store(bareIDs)
	var warm tally
	warm.burst(ctx, srv, getOurs, &ids, warmUp)
	warm.burst(ctx, srv, getBare, &theirs, warmUp)
	d := &duel{}
	// What was lost while connections came up was lost as well.
	d.ours.lost, d.ours.wrong, d.ours.errs = warm.lost, warm.wrong, warm.errs
	for range rounds {
		var a, b tally
		a.burst(ctx, srv, getOurs, &ids, each)
		b.burst(ctx, srv, getBare, &theirs, each/2)
		d.ratios = append(d.ratios, a.rate()/b.rate())
		d.ours.add(a)
		d.bare.add(b)
	}
	slices.Sort(d.ours.waits)
	slices.Sort(d.bare.waits)
	return d, ctx.Err()
}

// ratio is the median of the rounds, in percent.
func (d *duel) ratio() float64 {
	s := slices.Sorted(slices.Values(d.ratios))
	return 100 * s[len(s)/2]
}

// print notes what every load has in common, and holds the losses to none.
func (d *duel) print(r *report) {
	for _, c := range []struct {
		name string
		t    *tally
	}{{"ours", &d.ours}, {"net/http", &d.bare}} {
		r.note(c.name, "%d requests, %.0f/s, %.2f tries, p50 %.2f p99 %.2f max %.1f ms, %.1f allocs, %.0f µs of CPU", c.t.done, c.t.rate(),
			c.t.tries(), quantile(c.t.waits, 0.5), quantile(c.t.waits, 0.99), quantile(c.t.waits, 1), c.t.allocs(), 1e6*c.t.cpu/float64(c.t.done))
	}
	r.none("lost", d.ours.lost)
	r.none("wrong bodies, by SHA-256", d.ours.wrong)
	r.samples("lost", d.ours.errs)
}
