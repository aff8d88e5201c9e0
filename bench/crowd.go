package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http/httptrace"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-9ea40bd3/requests"
)

const (
	crowdSize = 10_000
	crowdPool = 100
)

// grant is when a request asked for a connection and when it got one, in time
// and in sequence.
type grant struct {
	asked, got     time.Time
	askedAt, gotAt int64
}

// crowdSession is one whose pool lets no more than crowdPool through.
func crowdSession() *requests.Session {
	s := requests.NewSession()
	s.Mount("http://", &requests.HTTPAdapter{PoolMaxSize: crowdPool, PoolBlock: true})
	return s
}

// runCrowd sends 10 000 requests at once over a pool of 100 that blocks, and
// the same by 100 workers: first come is first served, nobody waits for long,
// and the crowd costs less than twice the time.
func runCrowd(ctx context.Context, w io.Writer) (bool, error) {
	t, stop, err := newTarget()
	if err != nil {
		return false, err
	}
	defer stop()
	url := t.http + "/small"
	var crowds, workers []float64
	var grants []grant
	for range 3 {
		d, err := runtimeOf(func() error {
			_, err := crowd(ctx, url, false)
			return err
		})
		if err != nil {
			return false, err
		}
		crowds = append(crowds, d.Seconds())
		s := crowdSession()
		d, err = runtimeOf(func() error {
			return run(ctx, func(ctx context.Context) error {
				_, err := s.Get(ctx, url)
				return err
			}, crowdSize, crowdPool)
		})
		s.Close()
		if err != nil {
			return false, err
		}
		workers = append(workers, d.Seconds())
	}
	if grants, err = crowd(ctx, t.http+"/slow", true); err != nil {
		return false, err
	}
	rep := &barReport{w: w}
	out, longest, mean := unfairness(grants)
	rep.count("10 000 at once: served out of turn", float64(out), crowdSize/1000)
	rep.line("10 000 at once: longest wait", fmt.Sprintf("%.1f x the mean of %v", longest/mean.Seconds(), mean.Round(time.Millisecond)),
		"<= 20", longest > 20*mean.Seconds())
	ratio := median(crowds) / median(workers)
	rep.line("10 000 at once: time", fmt.Sprintf("%.2f x of 100 workers", ratio), "<= 2", ratio > 2)
	return !rep.short, nil
}

// crowd sends all requests at once. An orderly one stands in line one after
// the other, and no connection is made until all do, so that who came first is
// beyond doubt; at a server that takes its time who is served is seen at once.
func crowd(ctx context.Context, url string, orderly bool) ([]grant, error) {
	s := requests.NewSession()
	defer s.Close()
	all, next := make(chan struct{}), make(chan struct{}, crowdSize)
	a := &requests.HTTPAdapter{PoolMaxSize: crowdPool, PoolBlock: true}
	if orderly {
		a.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			<-all
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
	}
	s.Mount("http://", a)
	grants := make([]grant, crowdSize)
	errs := make([]error, crowdSize)
	var asked, got atomic.Int64
	var wg sync.WaitGroup
	for i := range crowdSize {
		wg.Go(func() {
			g := &grants[i]
			ctx := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
				GetConn: func(string) {
					g.asked, g.askedAt = time.Now(), asked.Add(1)
					next <- struct{}{}
				},
				GotConn: func(httptrace.GotConnInfo) { g.got, g.gotAt = time.Now(), got.Add(1) },
			})
			_, errs[i] = s.Get(ctx, url)
		})
		if orderly {
			<-next
			runtime.Gosched() // let it take its place
		}
	}
	close(all)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return grants, nil
}

// unfairness is how many requests were overtaken by more than the pool holds,
// the longest wait in seconds, and the mean one. What is seen of a grant is the
// goroutine that goes on with it: one that the scheduler stops right there
// looks as though it were overtaken, so that a few must be put up with.
func unfairness(grants []grant) (overtaken int, longest float64, mean time.Duration) {
	byAsking := slices.SortedFunc(slices.Values(grants), func(a, b grant) int { return int(a.askedAt - b.askedAt) })
	var sum time.Duration
	for i, g := range byAsking {
		wait := g.got.Sub(g.asked)
		sum += wait
		longest = max(longest, wait.Seconds())
		if g.gotAt-int64(i)-1 > crowdPool {
			overtaken++
		}
	}
	return overtaken, longest, sum / time.Duration(len(grants))
}
