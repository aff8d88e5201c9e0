package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-9ea40bd3/requests"
)

const (
	cancelled, cancelledShort = 10_000, 3_000

	cancelWithin = 5 * time.Millisecond
	cancelPause  = 2 * time.Millisecond // of the server, at most
)

// storm is what came of cancelled requests.
type storm struct {
	whole, cut, odd int
	lates           []time.Duration // how long after the cancellation they ended
	errs            []string
}

func (st *storm) add(other storm) {
	st.whole += other.whole
	st.cut += other.cut
	st.odd += other.odd
	st.lates = append(st.lates, other.lates...)
	st.errs = append(st.errs, other.errs...)
}

// count notes what one request ended with.
func (st *storm) count(id uint64, late time.Duration, err error) {
	st.lates = append(st.lates, late)
	switch {
	case err == nil:
		st.whole++
	case errors.Is(err, context.Canceled):
		st.cut++
	default:
		st.odd++
		st.errs = append(st.errs, fmt.Sprintf("request %d: %v", id, err))
	}
}

// runCancelled is L12.
func runCancelled(ctx context.Context, s settings, r *report) error {
	w := watch()
	p := plan{seed: s.seed}
	srv, err := listen(p, func(id uint64) time.Duration {
		return time.Duration(p.source(id, 1).Int64N(int64(cancelPause)))
	})
	if err != nil {
		return err
	}
	session := newSession(&requests.HTTPAdapter{PoolMaxSize: connections})
	total := choose[uint64](s, cancelled, cancelledShort)
	parts := make([]storm, workers)
	var wg sync.WaitGroup
	for i := range parts {
		wg.Go(func() {
			for id := uint64(i); id < total; id += workers {
				late, err := cancelOne(ctx, session, srv, p, id)
				parts[i].count(id, late, err)
			}
		})
	}
	wg.Wait()
	var all storm
	for _, part := range parts {
		all.add(part)
	}
	slices.Sort(all.lates)
	r.note("requests", "%d: %d ended before, %d cancelled; %d goroutines", total, all.whole, all.cut, runtime.NumGoroutine())
	r.note("back after the cancellation", "p50 %.2f p99 %.2f max %.1f ms",
		quantile(all.lates, 0.5), quantile(all.lates, 0.99), quantile(all.lates, 1))
	r.none("other errors", all.odd)
	r.samples("other", all.errs)
	var after tally
	for id := range uint64(100) {
		after.one(ctx, srv, ours(session), id)
	}
	r.none("lost of 100 requests afterwards", after.lost+after.wrong)
	session.Close()
	srv.Close()
	w.check(r)
	return ctx.Err()
}

// cancelOne sends a request and cancels it at the
// moment that the plan has for it. It returns how long after that it ended.
func cancelOne(ctx context.Context, s *requests.Session, srv *server, p plan, id uint64) (late time.Duration, err error) {
	rng := p.source(id, 0)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var at atomic.Pointer[time.Time]
	timer := time.AfterFunc(time.Duration(rng.Int64N(int64(cancelWithin))), func() {
		at.Store(new(time.Now()))
		cancel()
	})
	err = sendAny(ctx, s, srv, rng, id)
	if !timer.Stop() {
		if then := at.Load(); then != nil {
			late = time.Since(*then)
		}
	}
	return late, err
}

// sendAny sends a request of one of several kinds.
func sendAny(ctx context.Context, s *requests.Session, srv *server, rng *rand.Rand, id uint64) error {
	url := srv.URL + "/" + strconv.FormatUint(id, 10)
	switch rng.IntN(4) {
	case 0:
		_, err := s.Post(ctx, url, requests.Body(io.LimitReader(zeros{}, 64<<10)))
		return err
	case 1:
		_, err := s.Put(ctx, url, requests.Body(strings.NewReader(strings.Repeat("x", 16<<10))))
		return err
	case 2:
		r, err := s.Get(ctx, srv.URL+"/down/262144", requests.Stream())
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = io.Copy(io.Discard, r)
		return err
	}
	_, err := s.Get(ctx, url)
	return err
}
