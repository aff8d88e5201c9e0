package main

import (
	"context"
	"sync"
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
