package main

import (
	"context"
	"fmt"
	"io"
	"math"
)

// bar is what this library must reach under a load; zero asks for nothing.
type bar struct {
	wall, cpu float64 // ratio to net/http
	allocs    float64 // for an operation
	bytes     float64
	peak      int64 // bytes of heap
}

// bars are those of the loads, in their order.
func bars() []bar {
	return []bar{
		{wall: 1.05, allocs: 50},
		{wall: 1.00, allocs: 50},
		{wall: 1.00, allocs: 75},
		{wall: 1.00, allocs: 76},
		{wall: 0.25, bytes: 10.6e6},
		{wall: 0.90, cpu: 0.75, peak: mib},
		{wall: 0.50, peak: mib},
		{wall: 0.50},
		{wall: 0.60},
		{wall: 1.05, allocs: 51},
		{wall: 1.00, allocs: 245},
	}
}

// barReport prints lines and remembers whether one is short.
type barReport struct {
	w     io.Writer
	short bool
}

func (b *barReport) line(name, measured, bar string, short bool) {
	verdict := "ok"
	if short {
		verdict, b.short = "short", true
	}
	fmt.Fprintf(b.w, "%-36s %-26s %-10s %s\n", name, measured, bar, verdict)
}

// ratio reports a ratio: short where its whole interval lies above the bar.
func (b *barReport) ratio(name string, ratios []float64, bar float64) {
	low, high := interval(ratios)
	b.line(name, fmt.Sprintf("%.3f [%.3f, %.3f]", median(ratios), low, high), fmt.Sprintf("<= %.2f", bar), !(low <= bar))
}

// count reports a number that repeats exactly but for what the runtime itself
// allocates now and then.
func (b *barReport) count(name string, got, bar float64) {
	b.line(name, fmt.Sprintf("%.0f", math.Round(got)), fmt.Sprintf("<= %.0f", bar), math.Round(got) > bar)
}

// runBars measures what the bars need and no more.
func runBars(ctx context.Context, w io.Writer) (bool, error) {
	t, stop, err := newTarget()
	if err != nil {
		return false, err
	}
	defer stop()
	ours := newOurs(t)
	peers := []*peer{newNetHTTP(t, floor), newNetHTTP(t, floorAgain), ours}
	rep := &barReport{w: w}
	wanted := bars()
	for i, l := range loads() {
		res := measureLoad(ctx, l, peers, t)
		if err := res.failed(); err != nil {
			return false, err
		}
		if err := rep.load(ctx, res, wanted[i], ours.name); err != nil {
			return false, err
		}
	}
	return !rep.short, pythonBars(ctx, rep, ours, t)
}

func (b *barReport) load(ctx context.Context, res result, want bar, name string) error {
	own := res.find(name)
	b.ratio(res.load.name+": wall", res.ratios(own, wallOf), want.wall)
	if want.cpu > 0 {
		b.ratio(res.load.name+": CPU", res.ratios(own, cpuOf), want.cpu)
	}
	if want.allocs > 0 {
		b.count(res.load.name+": allocations", median(own.figures(allocsOf)), want.allocs)
	}
	if want.bytes > 0 {
		b.count(res.load.name+": bytes", median(own.figures(bytesOf)), want.bytes)
	}
	if want.peak > 0 {
		peak, err := peakHeap(ctx, own.op)
		if err != nil {
			return err
		}
		b.count(res.load.name+": peak heap", float64(peak), float64(want.peak))
	}
	return nil
}
