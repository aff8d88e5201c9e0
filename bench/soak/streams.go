package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/seed-9ea40bd3/requests"
)

const (
	streamSize, streamSizeShort   = 1 << 30, 64 << 20
	streamRatio, streamRatioShort = 70.0, 55.0 // % of bare net/http
	streamHeap                    = 8.0        // MiB, of client and server together
	streamTurns                   = 3
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

// carry moves size bytes by both clients, in turns.
func carry(ctx context.Context, c carrier, size int64, ratio float64, r *report) error {
	var rates, ratios []float64
	top := 0.0
	for range streamTurns {
		begin := time.Now()
		if n, err := c.bare(ctx, size); err != nil || n != size {
			return fmt.Errorf("net/http: %d bytes: %w", n, err)
		}
		theirs := time.Since(begin).Seconds()
		var n int64
		begin = time.Now()
		heap, err := peakHeap(func() (err error) { n, err = c.ours(ctx, size); return err })
		if err != nil {
			return err
		}
		if n != size {
			r.none(c.name+", bytes lost", int(size-n))
		}
		took := time.Since(begin).Seconds()
		rates = append(rates, float64(size)/1e6/took)
		ratios = append(ratios, 100*theirs/took)
		top = max(top, heap)
	}
	slices.Sort(rates)
	slices.Sort(ratios)
	r.note(c.name, "%d MiB, %.0f MB/s", size>>20, rates[len(rates)/2])
	r.atLeast(c.name+", of net/http's rate", ratios[len(ratios)/2], ratio, " %")
	r.atMost(c.name+", peak heap", top, streamHeap, " MiB")
	return nil
}

const (
	longLine   = 64 << 20 // bytes
	shortLines = 10_000_000
	lineTurns  = 3
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
		r.atMost(c.name, whole, lineTime, " s")
		r.atMost(c.name+", twice the work", whole/half, lineGrowth, " ×")
	}
	return nil
}

// readLines reads size bytes as lines, and returns the seconds of the best turn.
func readLines(ctx context.Context, s *requests.Session, url string, size int64, lines int) (float64, error) {
	best := math.Inf(1)
	for range lineTurns {
		begin := time.Now()
		r, err := s.Get(ctx, url+strconv.FormatInt(size, 10), requests.Stream())
		if err != nil {
			return 0, err
		}
		n, bytes := 0, int64(0)
		for line, err := range r.LineBytes() {
			if err != nil {
				return 0, err
			}
			n++
			bytes += int64(len(line))
		}
		if lines > 1 {
			bytes += int64(n) // the line feeds
		}
		if n != lines || bytes != size {
			return 0, fmt.Errorf("%d lines of %d bytes, want %d of %d", n, bytes, lines, size)
		}
		best = min(best, time.Since(begin).Seconds())
	}
	return best, nil
}
