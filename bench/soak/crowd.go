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
	crowd        = 500
	crowdEach    = 10 // requests of each
	crowdSockets = 10
	crowdPause   = 2 * time.Millisecond // of the server
	crowdWait    = 20.0                 // times the mean
)

// runCrowd is L10.
func runCrowd(ctx context.Context, s settings, r *report) error {
	w := watch()
	srv, err := listen(plan{seed: s.seed}, func(uint64) time.Duration { return crowdPause })
	if err != nil {
		return err
	}
	session := newSession(&requests.HTTPAdapter{PoolMaxSize: crowdSockets, PoolBlock: true})
	get := ours(session)
	parts := make([]tally, crowd)
	var wg sync.WaitGroup
	for i := range parts {
		wg.Go(func() {
			for j := range crowdEach {
				parts[i].one(ctx, srv, get, uint64(i*crowdEach+j))
			}
		})
	}
	wg.Wait()
	var all tally
	for _, part := range parts {
		all.add(part)
	}
	var sum, longest time.Duration
	for _, wait := range all.waits {
		sum += wait
		longest = max(longest, wait)
	}
	mean := sum / time.Duration(len(all.waits))
	session.Close()
	srv.Close()
	r.note("requests", "%d, mean %.1f ms, longest %.1f ms", all.done, float64(mean)/1e6, float64(longest)/1e6)
	r.none("lost", all.lost)
	r.none("wrong bodies", all.wrong)
	r.samples("lost", all.errs)
	r.atMost("sockets at once", float64(srv.most.Load()), crowdSockets, "")
	r.atMost("longest wait, of the mean", float64(longest)/float64(mean), crowdWait, " ×")
	w.check(r)
	return nil
}

const (
	cancelled     = 10_000
	cancelWorkers = workers
	cancelWithin  = 5 * time.Millisecond
	cancelPause   = 2 * time.Millisecond // of the server, at most
)

// runCancelled is L12. The short form is as long: it takes a second or two.
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
	var (
		wg               sync.WaitGroup
		mu               sync.Mutex // guards what follows
		whole, cut, odd  int
		errs             []string
		lates            []time.Duration
		perWorker        = cancelled / cancelWorkers
		remaining, usual = cancelled % cancelWorkers, 0
	)
	for worker := range cancelWorkers {
		n := perWorker
		if worker < remaining {
			n++
		}
		wg.Go(func() {
			for i := range n {
				id := uint64(worker*cancelled + i)
				late, err := cancelOne(ctx, session, srv, p, id)
				mu.Lock()
				lates = append(lates, late)
				switch {
				case err == nil:
					whole++
				case errors.Is(err, context.Canceled):
					cut++
				default:
					odd++
					errs = append(errs, fmt.Sprintf("request %d: %v", id, err))
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for id := range uint64(100) {
		if _, err := session.Get(ctx, srv.URL+"/"+strconv.FormatUint(id, 10)); err == nil {
			usual++
		}
	}
	r.note("requests", "%d: %d ended before, %d cancelled; %d goroutines", whole+cut+odd, whole, cut, runtime.NumGoroutine())
	slices.Sort(lates)
	r.note("back after the cancellation", "p50 %.2f p99 %.2f max %.1f ms", quantile(lates, 0.5), quantile(lates, 0.99), quantile(lates, 1))
	session.Close()
	srv.Close()
	r.none("other errors", odd)
	r.samples("other", errs)
	r.atLeast("of 100 requests afterwards", float64(usual), 100, "")
	w.check(r)
	return nil
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
