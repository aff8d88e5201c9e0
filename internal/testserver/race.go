package testserver

import (
	"runtime/debug"
	"testing"
)

// RaceDetector reports whether the test was built with the race detector, which
// makes some work forty times slower and allocates for itself.
func RaceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, s := range info.Settings {
		if s.Key == "-race" {
			return s.Value == "true"
		}
	}
	return false
}

// Timed skips a test that goes by the clock where that says nothing: under the
// race detector.
func Timed(tb testing.TB) {
	tb.Helper()
	if RaceDetector() {
		tb.Skip("SKIPPED: the clock says nothing under the race detector; go test without -race runs it")
	}
}
