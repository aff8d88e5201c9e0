package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/seed-9ea40bd3/requests"
)

const (
	streamSize, streamSizeShort   = 1 << 30, 256 << 20
	streamRatio, streamRatioShort = 70.0, 50.0 // % of bare net/http
	streamHeap                    = 8.0        // MiB, of client and server together
	streamTurns                   = 16
)

// zeros is a body without an end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// carrier moves n bytes and returns how many arrived.
type carrier struct {
	name       string
	ours, bare func(ctx context.Context, n int64) (int64, error)
}

// runStreams is L8.
func runStreams(ctx context.Context, s settings, r *report) error {
	w := watch()
	srv, err := listen(plan{}, nil)
	if err != nil {
		return err
	}
	session, client := newSession(&requests.HTTPAdapter{}), newBare()
	size := choose[int64](s, streamSize, streamSizeShort)
	for _, c := range carriers(srv, session, client) {
		if err := carry(ctx, c, size, choose(s, streamRatio, streamRatioShort), r); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	session.Close()
	client.CloseIdleConnections()
	srv.Close()
	w.check(r)
	return nil
}

// carriers are the two directions.
func carriers(srv *server, s *requests.Session, client *http.Client) []carrier {
	url := func(n int64) string { return srv.URL + "/down/" + strconv.FormatInt(n, 10) }
	drain := func(body io.ReadCloser) (int64, error) {
		defer body.Close()
		return io.CopyBuffer(onlyWriter{io.Discard}, struct{ io.Reader }{body}, make([]byte, 64<<10))
	}
	arrived := func(f func() error) (int64, error) {
		before := srv.uploaded.Load()
		err := f()
		return srv.uploaded.Load() - before, err
	}
	down := carrier{name: "down"}
	down.ours = func(ctx context.Context, n int64) (int64, error) {
		resp, err := s.Get(ctx, url(n), requests.Stream())
		if err != nil {
			return 0, err
		}
		return drain(resp)
	}
	down.bare = func(ctx context.Context, n int64) (int64, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url(n), nil)
		if err != nil {
			return 0, err
		}
		resp, err := client.Do(req)
		if err != nil {
			return 0, err
		}
		return drain(resp.Body)
	}
	up := carrier{name: "up"}
	up.ours = func(ctx context.Context, n int64) (int64, error) {
		return arrived(func() error {
			_, err := s.Post(ctx, srv.URL+"/1", requests.Body(io.LimitReader(zeros{}, n)))
			return err
		})
	}
	up.bare = func(ctx context.Context, n int64) (int64, error) {
		return arrived(func() error {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL+"/1", io.LimitReader(zeros{}, n))
			if err != nil {
				return err
			}
			resp, err := client.Do(req)
			if err != nil {
				return err
			}
			_, err = drain(resp.Body)
			return err
		})
	}
	return []carrier{down, up}
}

// carry moves size bytes by the library in one stream, and then as many by
// both clients in pieces, in turns: the best piece says what a client can do,
// the others what else the machine did.
func carry(ctx context.Context, c carrier, size int64, ratio float64, r *report) error {
	var moved int64
	begin := time.Now()
	heap, err := peakHeap(func() (err error) { moved, err = c.ours(ctx, size); return err })
	if err != nil {
		return err
	}
	r.note(c.name, "%d MiB, %.0f MB/s", size>>20, rate(size, begin))
	r.none(c.name+", bytes lost", int(size-moved))
	r.atMost(c.name+", peak heap", heap, streamHeap, " MiB")
	var best, bareBest float64
	piece := size / streamTurns
	for range streamTurns {
		begin = time.Now()
		if n, err := c.bare(ctx, piece); err != nil || n != piece {
			return fmt.Errorf("net/http: %d of %d bytes: %w", n, piece, err)
		}
		bareBest = max(bareBest, rate(piece, begin))
		begin = time.Now()
		if n, err := c.ours(ctx, piece); err != nil || n != piece {
			return fmt.Errorf("%d of %d bytes: %w", n, piece, err)
		}
		best = max(best, rate(piece, begin))
	}
	r.note(c.name+", best", "%.0f MB/s, net/http %.0f MB/s", best, bareBest)
	r.atLeast(c.name+", of net/http's rate", 100*best/bareBest, ratio, " %")
	return nil
}

// rate is how fast n bytes went since a moment, in MB/s.
func rate(n int64, begin time.Time) float64 { return float64(n) / 1e6 / time.Since(begin).Seconds() }

const (
	longLine   = 64 << 20 // bytes
	shortLines = 10_000_000
	lineTurns  = 5
	lineTime   = 1.0 // s, the best of the turns
	lineGrowth = 2.6 // for twice the work
)

// runLines is L9.
func runLines(ctx context.Context, s settings, r *report) error {
	srv, err := listen(plan{}, nil)
	if err != nil {
		return err
	}
	defer srv.Close()
	session := newSession(&requests.HTTPAdapter{})
	defer session.Close()
	const perLine = 10 // bytes
	for _, c := range []struct {
		name, path string
		size       int64
		lines      int
	}{
		{"one line", "/line/", choose[int64](s, longLine, longLine/8), 1},
		{"short lines", "/lines/", choose[int64](s, shortLines, shortLines/8) * perLine, choose(s, shortLines, shortLines/8)},
	} {
		half, err := readLines(ctx, session, srv.URL+c.path, c.size/2, max(c.lines/2, 1))
		if err != nil {
			return fmt.Errorf("half of %s: %w", c.name, err)
		}
		whole, err := readLines(ctx, session, srv.URL+c.path, c.size, c.lines)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		r.note(c.name+", half of it", "%s", half)
		r.note(c.name+", whole", "%s", whole)
		r.atMost(c.name, whole.wall, lineTime, " s")
		r.atMost(c.name+", bytes allocated", whole.bytes/half.bytes, lineGrowth, " × half's")
		r.atMost(c.name+", CPU time", whole.cpu/half.cpu, lineGrowth, " × half's")
	}
	return nil
}

// cost is what a piece of work took: seconds, and bytes allocated.
type cost struct{ wall, cpu, bytes float64 }

func (c cost) String() string {
	return fmt.Sprintf("%.2f s, %.2f s of CPU, %.1f MiB allocated", c.wall, c.cpu, c.bytes/(1<<20))
}

// costOf measures f on a clean heap, with all that goes on in the process.
func costOf(f func() error) (cost, error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	cpu, begin := cpuTime(), time.Now()
	err := f()
	c := cost{wall: time.Since(begin).Seconds(), cpu: cpuTime() - cpu}
	runtime.ReadMemStats(&after)
	// A few bytes are allocated in any case; so the least is not zero.
	c.bytes = float64(max(after.TotalAlloc-before.TotalAlloc, 1<<20))
	return c, err
}

// readLines reads size bytes as lines, and returns the best of each figure.
func readLines(ctx context.Context, s *requests.Session, url string, size int64, lines int) (cost, error) {
	best := cost{math.Inf(1), math.Inf(1), math.Inf(1)}
	for range lineTurns {
		c, err := costOf(func() error { return countLines(ctx, s, url, size, lines) })
		if err != nil {
			return best, err
		}
		best = cost{min(best.wall, c.wall), min(best.cpu, c.cpu), min(best.bytes, c.bytes)}
	}
	return best, nil
}

// countLines reads size bytes as lines and counts them.
func countLines(ctx context.Context, s *requests.Session, url string, size int64, lines int) error {
	r, err := s.Get(ctx, url+strconv.FormatInt(size, 10), requests.Stream())
	if err != nil {
		return err
	}
	defer r.Close()
	n, got := 0, int64(0)
	for line, err := range r.LineBytes() {
		if err != nil {
			return err
		}
		n++
		got += int64(len(line))
	}
	if lines > 1 {
		got += int64(n) // the line feeds
	}
	if n != lines || got != size {
		return fmt.Errorf("%d lines of %d bytes, want %d of %d", n, got, lines, size)
	}
	return nil
}
