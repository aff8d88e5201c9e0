//go:build unix

package requests_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// idempotent are the methods that may be sent twice (RFC 9110, 9.2.2).
var idempotent = []string{"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"}

// keepAliveFaults are the faults of connections that wait for a request.
func keepAliveFaults() []faultRow {
	var rows []faultRow
	for _, method := range append([]string{"POST", "PATCH"}, idempotent...) {
		rows = append(rows, faultRow{id: "F49", name: method, run: func(t *testing.T) { testIdleClosed(t, method) }})
	}
	for _, method := range append([]string{"POST"}, idempotent...) {
		rows = append(rows, faultRow{id: "F50", name: method, run: func(t *testing.T) { testIdleRace(t, method, nil) }})
	}
	rows = append(rows, faultRow{id: "F50", name: "POST with a policy of retries", run: func(t *testing.T) {
		testIdleRace(t, "POST", &requests.Retry{Total: 3, AnyMethod: true})
	}})
	for _, method := range idempotent {
		rows = append(rows, faultRow{id: "F51", name: method, run: func(t *testing.T) { testUnanswered(t, method, true) }})
	}
	rows = append(
		rows,
		faultRow{id: "F51", name: "POST", run: func(t *testing.T) { testUnanswered(t, "POST", false) }},
		faultRow{id: "F51", name: "PATCH", run: func(t *testing.T) { testUnanswered(t, "PATCH", false) }},
		faultRow{id: "F51", name: "GET again and again", run: testUnansweredForEver},
		faultRow{id: "F52", name: "POST with an Idempotency-Key", run: testIdempotencyKey},
	)
	for _, method := range []string{"GET", "PUT", "DELETE", "POST"} {
		rows = append(rows, faultRow{id: "F53", name: method, run: func(t *testing.T) { testAlwaysClosed(t, method) }})
	}
	return append(
		rows,
		faultRow{
			id: "F54", name: "an unsolicited 408", want: want{body: "ok"},
			answers: rawAnswer(raw("Content-Length: 2", "", "ok") + "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"),
		},
		faultRow{id: "F55", name: "a hint of one second", run: testKeepAliveHint},
		faultRow{
			id: "F56", name: "Connection: close", answers: script(testserver.Answer{Header: []string{"Connection: close"}}), want: want{body: "ok"},
		},
		faultRow{id: "F56", name: "HTTP/1.0", answers: rawAnswer("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"), want: want{body: "ok"}},
		faultRow{id: "F57", name: "200 workers on 10 connections", run: testPoolLimit},
	)
}

// withBody gives methods that have one a body, as rewindable as it may be.
func withBody(method, text string) []requests.Option {
	switch method {
	case "POST", "PUT", "PATCH":
		return []requests.Option{requests.BodyText(text)}
	}
	return nil
}

// The server closes the connection while it is idle: nothing is lost,
// whatever the method, since nothing was sent.
func testIdleClosed(t *testing.T, method string) {
	watch := testserver.NewWatch(t)
	srv := testserver.NewFaults(t)
	srv.Choose = func(testserver.Arrival) testserver.Answer { return testserver.Answer{OnEnd: testserver.Shut} }
	s := newFaultSession(nil)
	n := rounds(400, 50)
	for i := range n {
		r, err := s.Do(t.Context(), method, fmt.Sprintf("%s/%d", srv.URL(), i), withBody(method, "body")...)
		require.NoError(t, err, "request %d", i)
		require.Equal(t, 200, r.StatusCode)
		require.True(t, srv.Closed(5*time.Second), "the server closes")
	}
	assert.Len(t, srv.Ledger(), n)
	watch.Check(testserver.Conditions{Server: srv, Faulty: -1, Close: s.Close})
}

// rounds is how often something is tried, and how often in short tests.
func rounds(full, short int) int {
	if !long() {
		return short
	}
	return full
}

// testIdleRace has the server close each connection at about the moment the
// next request is written. What is idempotent is never lost; of POST little
// is, told to have been sent or not as it was, and nothing arrives twice but
// where the caller allows it.
func testIdleRace(t *testing.T, method string, retry *requests.Retry) {
	watch := testserver.NewWatch(t)
	rng := rand.New(rand.NewPCG(testserver.Seed(t), 50))
	var mu sync.Mutex
	srv := testserver.NewFaults(t)
	srv.Choose = func(testserver.Arrival) testserver.Answer {
		mu.Lock()
		defer mu.Unlock()
		return testserver.Answer{Linger: time.Duration(rng.IntN(4000)) * time.Microsecond, OnEnd: testserver.Shut}
	}
	s := newFaultSession(func(a *requests.HTTPAdapter) { a.MaxRetries = retry })
	lost := 0
	for i := range rounds(512, 128) {
		_, err := s.Do(t.Context(), method, fmt.Sprintf("%s/%d", srv.URL(), i), withBody(method, "body")...)
		if err != nil {
			lost++
			var e *requests.Error
			require.ErrorAs(t, err, &e)
			assert.ErrorIs(t, err, requests.ErrConnection)
			assert.True(t, e.Reused, "Reused of %v", err)
			assert.True(t, e.MaybeSent, "MaybeSent of %v", err)
		}
		time.Sleep(2 * time.Millisecond) // it is this race that is looked for
	}
	if method == "POST" && retry == nil {
		// How wide the gap is, is up to this server and the load of the
		// machine; what is lost is told to have been sent.
		assert.LessOrEqual(t, lost, rounds(512, 128)/4, "lost")
	} else {
		assert.Zero(t, lost, "lost")
	}
	watch.Check(testserver.Conditions{Server: srv, Faulty: -1, Close: s.Close, Repeats: retry != nil})
}

// testUnanswered has the server read a request on a reused connection and
// close it without a word.
func testUnanswered(t *testing.T, method string, again bool) {
	watch := testserver.NewWatch(t)
	srv := testserver.NewFaults(t, testserver.Answer{}, testserver.Answer{OnResponse: testserver.Shut})
	s := newFaultSession(nil)
	require.NoError(t, plainGet(t.Context(), s, srv.URL()))
	r, err := s.Do(t.Context(), method, srv.URL()+"/second", withBody(method, "the body")...)
	ledger := srv.Ledger()
	if again {
		require.NoError(t, err)
		assert.Equal(t, 200, r.StatusCode)
		require.Len(t, ledger, 3)
		assert.Equal(t, ledger[1].Sum, ledger[2].Sum, "body of the second try")
		assert.True(t, ledger[2].Whole)
		assert.Equal(t, []int{1, 1, 2}, []int{ledger[0].Conn, ledger[1].Conn, ledger[2].Conn}, "connections")
	} else {
		require.Error(t, err)
		judgeError(t, err, &want{kinds: kinds(requests.ErrConnection), causes: causes(io.EOF), sent: true})
		var e *requests.Error
		errors.As(err, &e)
		assert.True(t, e.Reused, "Reused")
		assert.Len(t, ledger, 2)
	}
	watch.Check(testserver.Conditions{
		Server: srv, Next: func() error { return plainGet(t.Context(), s, srv.URL()+"/next") }, Close: s.Close,
	})
}

// A request that kills connection after connection is sent twice, not for
// ever.
func testUnansweredForEver(t *testing.T) {
	watch := testserver.NewWatch(t)
	srv := testserver.NewFaults(t)
	s := newFaultSession(nil)
	warm(t, s, srv, 8)
	srv.Enqueue(repeat(testserver.Answer{OnResponse: testserver.Shut}, 16)...)
	before := len(srv.Ledger())
	_, err := s.Get(t.Context(), srv.URL()+"/killer")
	require.Error(t, err)
	judgeError(t, err, &want{kinds: kinds(requests.ErrConnection), sent: true})
	assert.LessOrEqual(t, len(srv.Ledger())-before, 3, "arrivals")
	watch.Check(testserver.Conditions{Server: srv, Faulty: -1, Close: s.Close})
}

func repeat(a testserver.Answer, n int) []testserver.Answer {
	out := make([]testserver.Answer, n)
	for i := range out {
		out[i] = a
	}
	return out
}

// warm fills the pool with n connections.
func warm(t *testing.T, s *requests.Session, srv *testserver.Faults, n int) {
	t.Helper()
	hold := make(chan struct{})
	srv.Enqueue(repeat(testserver.Answer{Body: []byte("ok"), OnEnd: testserver.Nothing, Gate: hold}, n)...)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() { assert.NoError(t, plainGet(t.Context(), s, srv.URL()+"/warm")) })
	}
	for len(srv.Ledger()) < n && t.Context().Err() == nil {
		time.Sleep(time.Millisecond)
	}
	close(hold)
	wg.Wait()
}

// An Idempotency-Key says that the server keeps a POST from acting twice.
func testIdempotencyKey(t *testing.T) {
	watch := testserver.NewWatch(t)
	srv := testserver.NewFaults(t, testserver.Answer{}, testserver.Answer{OnResponse: testserver.Shut})
	s := newFaultSession(nil)
	require.NoError(t, plainGet(t.Context(), s, srv.URL()))
	r, err := s.Post(t.Context(), srv.URL()+"/second", requests.BodyText("the body"), requests.Header("Idempotency-Key", "7"))
	if assert.NoError(t, err) {
		assert.Equal(t, 200, r.StatusCode)
		ledger := srv.Ledger()
		require.Len(t, ledger, 3)
		assert.Equal(t, ledger[1].Sum, ledger[2].Sum, "body of the second try")
	}
	watch.Check(testserver.Conditions{Server: srv, Repeats: true, Close: s.Close})
}

// testAlwaysClosed has the server close after every answer, without saying so
// and without a pause.
func testAlwaysClosed(t *testing.T, method string) {
	watch := testserver.NewWatch(t)
	srv := testserver.NewFaults(t)
	srv.Choose = func(testserver.Arrival) testserver.Answer { return testserver.Answer{OnEnd: testserver.Shut} }
	s := newFaultSession(nil)
	lost := 0
	for i := range rounds(400, 100) {
		_, err := s.Do(t.Context(), method, fmt.Sprintf("%s/%d", srv.URL(), i), withBody(method, "body")...)
		if err != nil {
			lost++
			// What was not sent is sent on another connection.
			judgeError(t, err, &want{kinds: kinds(requests.ErrConnection), sent: true})
		}
	}
	if method != "POST" {
		assert.Zero(t, lost, "lost")
	}
	watch.Check(testserver.Conditions{Server: srv, Faulty: -1, Close: s.Close})
}

// A server that closes idle connections after a second says so, and the
// connection is not used when it is about to be closed.
func testKeepAliveHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hint := testserver.Answer{Header: []string{"Connection: keep-alive", "Keep-Alive: timeout=1"}}
		srv, s := pipeSession(t, hint, hint, hint)
		require.NoError(t, plainGet(t.Context(), s, srv.URL()))
		require.NoError(t, plainGet(t.Context(), s, srv.URL()))
		assert.Equal(t, 1, srv.Accepted(), "connections at once")
		time.Sleep(time.Second)
		require.NoError(t, plainGet(t.Context(), s, srv.URL()))
		assert.Equal(t, 2, srv.Accepted(), "connections after a second")
		require.NoError(t, s.Close())
		assert.Empty(t, srv.Settle(2*time.Second))
	})
}

func testPoolLimit(t *testing.T) {
	watch := testserver.NewWatch(t)
	srv := testserver.NewFaults(t)
	srv.Choose = func(testserver.Arrival) testserver.Answer { return testserver.Answer{Delay: time.Millisecond} }
	s := newFaultSession(func(a *requests.HTTPAdapter) { a.PoolMaxSize, a.PoolBlock = 10, true })
	var wg sync.WaitGroup
	var mu sync.Mutex
	var total, worst time.Duration
	const workers, each = 200, 5
	for range workers {
		wg.Go(func() {
			for range each {
				start := time.Now()
				assert.NoError(t, plainGet(t.Context(), s, srv.URL()))
				took := time.Since(start)
				mu.Lock()
				total, worst = total+took, max(worst, took)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	assert.LessOrEqual(t, srv.Peak(), 10, "connections at once")
	assert.Less(t, worst, 20*total/(workers*each), "the longest wait beside the mean")
	watch.Check(testserver.Conditions{Server: srv, Faulty: -1, Close: s.Close})
}

func contextWithCancel(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithCancel(t.Context())
}
