package main

import (
	"context"
	"time"
)

// The bars of L1 to L3, and those of the short form, whose rounds are too
// short for a close look at speed. Losses are none in both.
const (
	plainRatio, plainRatioShort   = 70.0, 45.0 // % of bare net/http
	faultyRatio, faultyRatioShort = 45.0, 25.0 // % of bare net/http with a loop
	moreAllocs                    = 25.0       // per request, than bare net/http
	faultyTries                   = 1.5
	veryFaultyTries               = 2.2
	faultyWait                    = 50.0     // ms, the 99th percentile
	bareWaits, bareWaitsShort     = 1.5, 4.0 // or times that of bare net/http
)

// roundsOf are those of the duels of L1 and L2: 60 s of ours, or 4. They are
// many and short, so that what else the machine does falls on both clients.
func roundsOf(s settings) (n int, each time.Duration) {
	return choose(s, 120, 20), choose(s, 500*time.Millisecond, 200*time.Millisecond)
}

// runPlain is L1.
func runPlain(ctx context.Context, s settings, r *report) error {
	n, each := roundsOf(s)
	w := watch()
	d, err := race(ctx, plan{seed: s.seed}, n, each)
	if err != nil {
		return err
	}
	d.print(r)
	r.atLeast("of net/http's rate", d.ratio(), choose(s, plainRatio, plainRatioShort), " %")
	r.atMost("allocations above net/http's", d.ours.allocs()-d.bare.allocs(), moreAllocs, "")
	w.check(r)
	return nil
}

// runFaulty is L2. The wait of a percentile says as much about a busy machine
// as about the client: beyond the bar, what net/http takes counts.
func runFaulty(ctx context.Context, s settings, r *report) error {
	n, each := roundsOf(s)
	w := watch()
	d, err := race(ctx, plan{seed: s.seed, rate: 0.3}, n, each)
	if err != nil {
		return err
	}
	d.print(r)
	r.atLeast("of net/http's rate", d.ratio(), choose(s, faultyRatio, faultyRatioShort), " %")
	r.atMost("tries", d.ours.tries(), faultyTries, "")
	r.atMost("p99", quantile(d.ours.waits, 0.99), max(faultyWait, choose(s, bareWaits, bareWaitsShort)*quantile(d.bare.waits, 0.99)), " ms")
	w.check(r)
	return nil
}

// runVeryFaulty is L3.
func runVeryFaulty(ctx context.Context, s settings, r *report) error {
	w := watch()
	d, err := race(ctx, plan{seed: s.seed, rate: 0.6}, choose(s, 60, 10), 500*time.Millisecond)
	if err != nil {
		return err
	}
	d.print(r)
	r.atMost("tries", d.ours.tries(), veryFaultyTries, "")
	w.check(r)
	return nil
}
