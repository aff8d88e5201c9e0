package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

// report prints the figures of a run and remembers whether one was short.
type report struct {
	w     io.Writer
	short bool
}

// note prints a figure that nothing is held against.
func (r *report) note(name, format string, args ...any) {
	fmt.Fprintf(r.w, "  %-34s %s\n", name, fmt.Sprintf(format, args...))
}

// atMost holds a figure to a ceiling, and atLeast to a floor.
func (r *report) atMost(name string, got, limit float64, unit string) {
	r.hold(name, got, "≤", limit, unit, got <= limit)
}

func (r *report) atLeast(name string, got, limit float64, unit string) {
	r.hold(name, got, "≥", limit, unit, got >= limit)
}

// none holds a count to zero.
func (r *report) none(name string, n int) { r.atMost(name, float64(n), 0, "") }

func (r *report) hold(name string, got float64, sign string, limit float64, unit string, ok bool) {
	verdict := "ok"
	if !ok {
		verdict = "SHORT"
		r.short = true
	}
	fmt.Fprintf(r.w, "  %-34s %-14s %s %-12s %s\n", name, number(got)+unit, sign, number(limit)+unit, verdict)
}

// number writes a figure with as many digits as anybody reads.
func number(x float64) string {
	if x == math.Trunc(x) || math.Abs(x) >= 1000 {
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.3g", x)
}

// samples prints at most a few errors, each once.
func (r *report) samples(name string, errs []string) {
	const few = 5
	errs = slices.Compact(slices.Sorted(slices.Values(errs)))
	for _, err := range errs[:min(few, len(errs))] {
		r.note(name, "%s", strings.ReplaceAll(err, "\n", " "))
	}
}

// quantile returns the q-th part of sorted durations in milliseconds.
func quantile(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := int(math.Ceil(q*float64(len(sorted)))) - 1
	return float64(sorted[min(max(at, 0), len(sorted)-1)]) / float64(time.Millisecond)
}
