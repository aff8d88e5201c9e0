package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/seed-9ea40bd3/requests"
)

const (
	ledgerPosts, ledgerPostsShort = 20_000, 3_000
	// ledgerNowhere is how many POSTs there are to one that goes where nobody
	// listens, so that some errors are sure of not having been sent.
	ledgerNowhere = 50
)

// outcome is what the caller of a POST was told.
type outcome struct {
	err   error
	maybe bool // the error's MaybeSent
	typed bool
}

// runLedger is L4: POSTs, with a policy that allows no POST to be repeated once
// it may have been seen. The server counts those whose body it has read whole.
func runLedger(ctx context.Context, s settings, r *report) error {
	w := watch()
	srv, err := listen(plan{seed: s.seed, rate: 0.3}, nil)
	if err != nil {
		return err
	}
	session := newSession(&requests.HTTPAdapter{MaxRetries: requests.Retries(maxTries - 1), PoolMaxSize: connections})
	nowhere, err := closedPort()
	if err != nil {
		return err
	}
	outcomes := make([]outcome, choose(s, ledgerPosts, ledgerPostsShort))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for id := int(next.Add(1)) - 1; id < len(outcomes) && ctx.Err() == nil; id = int(next.Add(1)) - 1 {
				url := srv.URL
				if id%ledgerNowhere == 0 {
					url = nowhere
				}
				_, err := session.Post(ctx, url+"/"+strconv.Itoa(id), requests.BodyText("order "+strconv.Itoa(id)))
				outcomes[id] = told(err)
			}
		})
	}
	wg.Wait()
	session.Close()
	srv.Close()
	judge(srv, outcomes, r)
	w.check(r)
	return ctx.Err()
}

// told reads what an error promises.
func told(err error) outcome {
	var e *requests.Error
	typed := errors.As(err, &e)
	return outcome{err: err, typed: err == nil || typed, maybe: typed && e.MaybeSent}
}

// judge compares what callers were told with what the server did.
func judge(srv *server, outcomes []outcome, r *report) {
	var answered, maybe, never, twice, untold, wrong, untyped int
	var errs []string
	for id, o := range outcomes {
		n := srv.count(uint64(id))
		switch {
		case o.err == nil:
			answered++
		case o.maybe:
			maybe++
		default:
			never++
		}
		if n > 1 {
			twice++
		}
		if o.err == nil && n == 0 {
			untold++
		}
		if !o.typed {
			untyped++
		}
		if o.err != nil && !o.maybe && n > 0 {
			wrong++
			errs = append(errs, fmt.Sprintf("POST %d, applied %d times: %v", id, n, o.err))
		}
	}
	r.note("POSTs", "%d: %d answered, %d errors maybe sent, %d surely not", len(outcomes), answered, maybe, never)
	r.none("applied twice", twice)
	r.none("answered but not applied", untold)
	r.none("surely not sent, but applied", wrong)
	r.none("errors of another type", untyped)
	r.atLeast("surely not sent", float64(never), float64(len(outcomes)/ledgerNowhere), "")
	r.samples("wrong", slices.Clip(errs))
}

// closedPort returns a URL where nobody listens.
func closedPort() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return "http://" + ln.Addr().String(), nil
}
