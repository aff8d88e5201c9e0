//go:build unix

package requests_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// Work has to be linear in what comes in. What can be counted is: the bytes
// that are allocated for an input of n and for one of 2n. Where work costs no
// memory the clock alone tells, and its limit leaves room for a machine that
// is forty times slower; work that is quadratic takes minutes.

// linearTime is the limit for one mebibyte, which takes 250 ms at most.
const linearTime = 20 * time.Second

// inTime fails where a call takes longer than linear work does.
func inTime(t *testing.T, call func()) {
	t.Helper()
	start := time.Now()
	call()
	assert.Less(t, time.Since(start), linearTime)
}

// allocated returns how many bytes a call allocates: the least of two runs,
// since others allocate too.
func allocated(call func()) uint64 {
	least := ^uint64(0)
	for range 2 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		call()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

// mostLinear is how much more twice the work may allocate.
const mostLinear = 2.6

// linear runs work on inputs of n, 2n and 4n bytes, n being 256 KiB, or 32 in
// short tests, and compares what it allocates. What is next to nothing says nothing.
func linear(t *testing.T, build func(n int) string, work func(string)) {
	t.Helper()
	n, negligible := 256<<10, uint64(1<<20)
	if testing.Short() {
		n, negligible = 32<<10, 256<<10
	}
	small, large, most := build(n), build(2*n), build(4*n)
	inTime(t, func() { work(most) })
	one, two := allocated(func() { work(small) }), allocated(func() { work(large) })
	// What pools have lost is made anew, and under the race detector they lose a
	// quarter of all: that comes and goes, and what is not linear stays.
	for tries := 0; two > negligible && float64(two) > mostLinear*float64(one) && tries < 5; tries++ {
		two = min(two, allocated(func() { work(large) }))
	}
	if two > negligible {
		assert.LessOrEqual(t, float64(two)/float64(max(one, 1)), mostLinear, "%d bytes for n, %d for 2n", one, two)
	}
}

// repeated builds inputs of one unit.
func repeated(unit string) func(int) string { return wrapped("", unit, "") }

// wrapped builds inputs of one unit with something before and after it.
func wrapped(before, unit, after string) func(int) string {
	return func(n int) string {
		b := make([]byte, 0, n+len(before)+len(unit)+len(after))
		b = append(b, before...)
		for len(b) < n {
			b = append(b, unit...)
		}
		return string(append(b, after...))
	}
}
