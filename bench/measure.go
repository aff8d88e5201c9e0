package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"syscall"
	"time"
)

// sample is what one operation of a burst cost, on the average.
type sample struct {
	wall, cpu     float64 // seconds
	allocs, bytes float64
}

// row is one client under one load.
type row struct {
	peer    *peer
	op      func(context.Context) error
	samples []sample
	err     error
}

// result is all rows of a load, the two of net/http first.
type result struct {
	load load
	rows []*row
}

// cpuTime is the user and system time of this process.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measureLoad runs every peer that can in turns. The order is another one
// each round, by a source of a fixed seed.
func measureLoad(ctx context.Context, l load, peers []*peer, t *target) result {
	res := result{load: l}
	for _, p := range peers {
		op := l.op(p, t)
		if op == nil {
			continue
		}
		r := &row{peer: p, op: op}
		// Connections and pools come up before anything is counted.
		r.err = run(ctx, op, max(l.parallel, min(l.burst, 50)), l.parallel)
		res.rows = append(res.rows, r)
	}
	order := rand.New(rand.NewPCG(1, 2))
	for range l.rounds {
		for _, i := range order.Perm(len(res.rows)) {
			if r := res.rows[i]; r.err == nil {
				var s sample
				if s, r.err = burst(ctx, l, r.op); r.err == nil {
					r.samples = append(r.samples, s)
				}
			}
		}
	}
	return res
}

// burst runs one burst on a clean heap.
func burst(ctx context.Context, l load, op func(context.Context) error) (sample, error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	cpu, start := cpuTime(), time.Now()
	err := run(ctx, op, l.burst, l.parallel)
	wall := time.Since(start)
	cpu = cpuTime() - cpu
	runtime.ReadMemStats(&after)
	n := float64(l.burst)
	return sample{
		wall: wall.Seconds() / n, cpu: cpu.Seconds() / n,
		allocs: float64(after.Mallocs-before.Mallocs) / n, bytes: float64(after.TotalAlloc-before.TotalAlloc) / n,
	}, err
}

// ratios are a row's figure over the mean of the two rows of net/http of the
// same round.
func (r result) ratios(of *row, figure func(sample) float64) []float64 {
	a, b := r.rows[0].samples, r.rows[1].samples
	n := min(len(a), len(b), len(of.samples))
	out := make([]float64, n)
	for i := range n {
		out[i] = 2 * figure(of.samples[i]) / (figure(a[i]) + figure(b[i]))
	}
	return out
}

// noise is net/http over itself, round by round.
func (r result) noise(figure func(sample) float64) []float64 {
	a, b := r.rows[0].samples, r.rows[1].samples
	out := make([]float64, min(len(a), len(b)))
	for i := range out {
		out[i] = figure(b[i]) / figure(a[i])
	}
	return out
}

// figures of a row, each for the median.
func (r *row) figures(figure func(sample) float64) []float64 {
	out := make([]float64, len(r.samples))
	for i, s := range r.samples {
		out[i] = figure(s)
	}
	return out
}

func wallOf(s sample) float64   { return s.wall }
func cpuOf(s sample) float64    { return s.cpu }
func allocsOf(s sample) float64 { return s.allocs }
func bytesOf(s sample) float64  { return s.bytes }

// find returns the row of a peer.
func (r result) find(name string) *row {
	for _, row := range r.rows {
		if row.peer.name == name {
			return row
		}
	}
	return nil
}

// peakHeap is how far the heap's objects, dead ones included, grow over the
// start in one operation: looked at every half millisecond.
func peakHeap(ctx context.Context, op func(context.Context) error) (int64, error) {
	read := func() int64 {
		s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(s)
		return int64(s[0].Value.Uint64())
	}
	runtime.GC()
	runtime.GC()
	base := read()
	done, peak := make(chan struct{}), make(chan int64)
	go func() {
		top := base
		tick := time.NewTicker(500 * time.Microsecond)
		defer tick.Stop()
		for {
			top = max(top, read())
			select {
			case <-done:
				peak <- max(top, read()) - base
				return
			case <-tick.C:
			}
		}
	}()
	err := op(ctx)
	close(done)
	return <-peak, err
}

// failed names the rows that broke off.
func (r result) failed() error {
	for _, row := range r.rows {
		if row.err != nil {
			return fmt.Errorf("%s, %s: %w", r.load.name, row.peer.name, row.err)
		}
	}
	return nil
}
