//go:build unix

package requests_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// errWhy is the cause that a caller gives to its context.
var errWhy = errors.New("the user went away")

// ending is a way in which a context ends.
type ending struct {
	name    string
	context func(context.Context, time.Duration) (context.Context, func())
	want    []error
}

// endings are all ways: each after a time.
func endings() []ending {
	return []ending{
		{"canceled", func(ctx context.Context, d time.Duration) (context.Context, func()) {
			ctx, cancel := context.WithCancel(ctx)
			timer := time.AfterFunc(d, cancel)
			return ctx, func() { timer.Stop(); cancel() }
		}, []error{context.Canceled}},
		{"canceled with a cause", func(ctx context.Context, d time.Duration) (context.Context, func()) {
			ctx, cancel := context.WithCancelCause(ctx)
			timer := time.AfterFunc(d, func() { cancel(errWhy) })
			return ctx, func() { timer.Stop(); cancel(nil) }
		}, []error{context.Canceled, errWhy}},
		{"deadline", func(ctx context.Context, d time.Duration) (context.Context, func()) {
			return context.WithTimeout(ctx, d)
		}, []error{context.DeadlineExceeded, requests.ErrTimeout}},
		{"deadline with a cause", func(ctx context.Context, d time.Duration) (context.Context, func()) {
			return context.WithTimeoutCause(ctx, d, errWhy)
		}, []error{context.DeadlineExceeded, requests.ErrTimeout, errWhy}},
	}
}

// cancelStage is where a context ends.
type cancelStage struct {
	id, name string
	after    time.Duration // zero ends it before the start
	answers  []testserver.Answer
	silent   bool // nobody answers the dial
	retry    *requests.Retry
	opts     func() []requests.Option
	sent     bool
	partial  string
}

func cancelStages() []cancelStage {
	wait := 100 * time.Millisecond
	upload := func() []requests.Option { return []requests.Option{requests.Body(megabytes(64)())} }
	challenge := testserver.Answer{Status: 401, Header: []string{`WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"`}}
	return []cancelStage{
		{id: "F98", name: "before the start"},
		{id: "F98", name: "connecting", after: wait, silent: true},
		{id: "F98", name: "writing the body", after: wait, answers: script(testserver.Answer{OnHead: testserver.Stall}), opts: upload, sent: true},
		{id: "F98", name: "waiting for the head", after: wait, answers: script(testserver.Answer{OnResponse: testserver.Deaf}), sent: true},
		{id: "F98", name: "within the head", after: wait, answers: script(testserver.Answer{Raw: "HTTP/1.1 200 OK\r\nX", OnEnd: testserver.Deaf}), sent: true},
		{id: "F98", name: "within the body", after: wait, sent: true, partial: "012", answers: script(testserver.Answer{Body: hundred, OnBody: testserver.Deaf, BodyAt: 3})},
		{
			id: "F99", name: "in back-off", after: wait, sent: true, answers: script(testserver.Answer{Status: 503, Header: []string{"Retry-After: 60"}}),
			retry: requests.Retries(3),
		},
		{
			id: "F99", name: "in a redirect", after: wait, sent: true,
			answers: script(testserver.Answer{Status: 302, Header: []string{"Location: /b"}}, testserver.Answer{OnResponse: testserver.Deaf}),
		},
		{
			id: "F99", name: "answering a challenge", after: wait, sent: true, answers: script(challenge, testserver.Answer{OnResponse: testserver.Deaf}),
			opts: func() []requests.Option { return []requests.Option{requests.DigestAuth("u", "p")} },
		},
		{
			id: "F99", name: "reading a redirect's body", after: wait, sent: true,
			answers: script(testserver.Answer{Status: 302, Header: []string{"Location: /b"}, Body: hundred, OnBody: testserver.Deaf, BodyAt: 3}),
		},
	}
}

// cancelFaults are contexts that end at every stage, in every way.
func cancelFaults() []faultRow {
	var rows []faultRow
	for _, stage := range cancelStages() {
		for _, end := range endings() {
			rows = append(rows, faultRow{id: stage.id, name: stage.name + ", " + end.name, run: func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { testCancel(t, stage, end) })
			}})
		}
	}
	for _, end := range endings() {
		rows = append(rows, faultRow{id: "F98", name: "in the TLS handshake, " + end.name, run: func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testCancelHandshake(t, end) })
		}})
	}
	// Rows of one id stand together.
	var sorted []faultRow
	for _, id := range []string{"F98", "F99"} {
		for _, row := range rows {
			if row.id == id {
				sorted = append(sorted, row)
			}
		}
	}
	return append(
		sorted,
		faultRow{id: "F100", name: "GOMAXPROCS 1", run: func(t *testing.T) { testMixedFaults(t, 1) }},
		faultRow{id: "F100", name: "GOMAXPROCS 2", run: func(t *testing.T) { testMixedFaults(t, 2) }},
	)
}

func testCancel(t *testing.T, stage cancelStage, end ending) {
	srv := testserver.NewFaultsPipe(t, nil, stage.answers...)
	s := newFaultSession(func(a *requests.HTTPAdapter) {
		a.MaxRetries = stage.retry
		a.Dial = srv.Dial
		if stage.silent {
			a.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
		}
	})
	ctx, stop := end.context(t.Context(), stage.after)
	defer stop()
	if stage.after == 0 {
		<-ctx.Done()
	}
	start := time.Now()
	var opts []requests.Option
	method := "GET"
	if stage.opts != nil {
		opts = stage.opts()
		method = "POST"
	}
	_, err := s.Do(ctx, method, srv.URL()+"/", opts...)
	assert.Equal(t, stage.after, time.Since(start), "returns at once")
	require.Error(t, err)
	w := want{causes: end.want, sent: stage.sent, timeout: errors.Is(ctx.Err(), context.DeadlineExceeded), partial: stage.partial}
	w.not = kinds(requests.ErrReadTimeout, requests.ErrConnectTimeout)
	judgeError(t, err, &w)
	require.NoError(t, s.Close())
	assert.Empty(t, srv.Settle(2*time.Second), "connections are left")
}

func testCancelHandshake(t *testing.T, end ending) {
	ca, _, config := authority(t)
	srv := testserver.NewFaultsPipe(t, config, testserver.Answer{OnAccept: testserver.Deaf})
	s := trusting(ca, func(a *requests.HTTPAdapter) { a.Dial = srv.Dial })
	ctx, stop := end.context(t.Context(), time.Second)
	defer stop()
	start := time.Now()
	_, err := s.Get(ctx, srv.URL()+"/")
	assert.Equal(t, time.Second, time.Since(start))
	require.Error(t, err)
	judgeError(t, err, &want{causes: end.want, timeout: errors.Is(ctx.Err(), context.DeadlineExceeded)})
	require.NoError(t, s.Close())
	assert.Empty(t, srv.Settle(2*time.Second), "connections are left")
}

// testMixedFaults sends a thousand requests to a server whose faults are
// drawn by a seed. Each ends in the right answer or in an error of ours; what
// must not be sent twice is not.
func testMixedFaults(t *testing.T, procs int) {
	watch := testserver.NewWatch(t)
	t.Cleanup(func() { runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs)) })
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
	rng := rand.New(rand.NewPCG(testserver.Seed(t), 100))
	var mu sync.Mutex
	srv := testserver.NewFaults(t)
	calm := false
	srv.Choose = func(testserver.Arrival) testserver.Answer {
		mu.Lock()
		defer mu.Unlock()
		if calm {
			return testserver.Answer{}
		}
		if rng.IntN(10) < 3 {
			return testserver.Random(rng)
		}
		return testserver.Answer{Body: []byte(testserver.RandomBody)}
	}
	s := newFaultSession(func(a *requests.HTTPAdapter) { a.MaxRetries = requests.Retries(25) })
	methods := []string{"GET", "PUT", "POST", "DELETE"}
	jobs := make(chan int)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range jobs {
				mixedFault(t, s, srv.URL()+"/"+strconv.Itoa(i), methods[i%len(methods)])
			}
		})
	}
	for i := range rounds(1000, 300) {
		jobs <- i
	}
	close(jobs)
	wg.Wait()
	mu.Lock()
	calm = true
	mu.Unlock()
	watch.Check(testserver.Conditions{
		Server: srv, Faulty: -1, Next: func() error { return plainGet(t.Context(), s, srv.URL()+"/next") }, Close: s.Close,
	})
}

// mixedFault sends one request and checks that it ends well, either way.
func mixedFault(t *testing.T, s *requests.Session, url, method string) {
	r, err := s.Do(t.Context(), method, url, withBody(method, "body")...)
	if err == nil {
		if r.Text() != testserver.RandomBody {
			t.Errorf("%s %s: wrong body %q", method, url, r.Text())
		}
		return
	}
	var e *requests.Error
	if !errors.As(err, &e) {
		t.Errorf("%s %s: error of another type: %v", method, url, err)
		return
	}
	if !e.MaybeSent {
		t.Errorf("%s %s: said not to have been sent, by a server that reads all: %v", method, url, err)
	}
	if e.Response != nil {
		_, err := e.Response.ReadAll()
		if err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s %s: a broken body reads as a whole one", method, url)
		}
	}
}
