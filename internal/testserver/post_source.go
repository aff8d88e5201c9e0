package testserver

import (
	"io"
	"sync/atomic"
	"testing"
)

// A Source is the reader of an upload that tells what was done with it. A
// client must not close it, and must not read it once the call that was given
// it has returned.
type Source struct {
	r       io.Reader    // what is watched over
	reading atomic.Int32 // reads under way
	reads   atomic.Int64 // reads that were begun
	given   atomic.Int64 // bytes handed out
	closed  atomic.Int32 // calls of Close
}

// NewSource watches over r.
func NewSource(r io.Reader) *Source { return &Source{r: r} }

// Read reads what is watched over.
func (s *Source) Read(p []byte) (int, error) {
	s.reading.Add(1)
	defer s.reading.Add(-1)
	s.reads.Add(1)
	n, err := s.r.Read(p)
	s.given.Add(int64(n))
	return n, err
}

// Close notes that it was called. It must not be.
func (s *Source) Close() error {
	s.closed.Add(1)
	return nil
}

// Given is how many bytes were read.
func (s *Source) Given() int64 { return s.given.Load() }

// Reading reports whether a read is under way.
func (s *Source) Reading() bool { return s.reading.Load() > 0 }

// check fails the test where the source was closed or is being read.
func (s *Source) check(tb testing.TB) {
	tb.Helper()
	if n := s.closed.Load(); n > 0 {
		tb.Errorf("after the fault: the caller's body was closed %d times", n)
	}
	if s.Reading() {
		tb.Error("after the fault: the caller's body is still being read")
	}
	// The test's end is the last moment at which a client that reads on can be
	// caught.
	before := s.reads.Load()
	tb.Cleanup(func() {
		if after := s.reads.Load(); after != before {
			tb.Errorf("after the fault: the caller's body was read %d times more", after-before)
		}
	})
}
