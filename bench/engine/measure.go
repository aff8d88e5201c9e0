//go:build swapped

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/engine"
)

// This file is of the bench's package main, and of the overlay alone.

// newSwapped drives the library over an engine; nil is its own.
func newSwapped(t *target, name string, make func(*http.Transport) requests.Swapped) *peer {
	p := newOurs(t)
	s := requests.NewSession(requests.Settings{Verify: requests.TLSVerify{Roots: t.roots}})
	for _, prefix := range []string{"http://", "https://"} {
		s.Mount(prefix, &requests.HTTPAdapter{Engine: make})
	}
	p.name = name
	p.get = func(ctx context.Context, url string) (int, error) {
		r, err := s.Get(ctx, url)
		if err != nil {
			return 0, err
		}
		return len(r.Content()), nil
	}
	p.post = func(ctx context.Context, url string, in, out *item) error {
		r, err := s.Post(ctx, url, requests.JSON(in))
		if err != nil {
			return err
		}
		return r.JSON(out)
	}
	p.stream = func(ctx context.Context, url string) (io.ReadCloser, error) {
		return s.Get(ctx, url, requests.Stream())
	}
	p.upload = func(ctx context.Context, url, path string) error {
		_, err := s.Post(ctx, url, requests.FilePath("file", path))
		return err
	}
	return p
}

// runEngines prints the table of bench/ENGINE.md.
func runEngines(ctx context.Context, w io.Writer) error {
	t, stop, err := newTarget()
	if err != nil {
		return err
	}
	defer stop()
	fmt.Fprintln(w, "| load | client | wall | CPU | allocations | bytes | wall ratio (95 %) | CPU ratio (95 %) |\n|---|---|---|---|---|---|---|---|")
	all := loads()
	for _, i := range []int{0, 1, 3, 9, 4, 5, 6} {
		res := measureLoad(ctx, all[i], []*peer{
			newNetHTTP(t, floor), newNetHTTP(t, floorAgain),
			newSwapped(t, "standard adapter", nil),
			newSwapped(t, "over ClientConn", func(t *http.Transport) requests.Swapped { return engine.NewClientConns(t) }),
			newSwapped(t, "loop", func(t *http.Transport) requests.Swapped { return engine.NewLoop(t) }),
		}, t)
		if err := res.failed(); err != nil {
			return err
		}
		for _, r := range res.rows {
			fmt.Fprintf(w, "| %s | %s | %v | %v | %.1f | %.0f |", all[i].name, r.peer.name,
				seconds(median(r.figures(wallOf))), seconds(median(r.figures(cpuOf))),
				median(r.figures(allocsOf)), median(r.figures(bytesOf)))
			for _, f := range []func(sample) float64{wallOf, cpuOf} {
				low, high := interval(res.ratios(r, f))
				fmt.Fprintf(w, " %.2f (%.2f-%.2f) |", median(res.ratios(r, f)), low, high)
			}
			fmt.Fprintln(w)
		}
	}
	return nil
}

func seconds(s float64) time.Duration {
	d := time.Duration(s * float64(time.Second))
	return d.Round(max(d/1000, 1))
}
