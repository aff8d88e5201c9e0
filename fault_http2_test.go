//go:build unix

package requests_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// http2Faults are the faults of HTTP/2.
func http2Faults() []faultRow {
	unserved := testserver.Answer2{OnRequest: testserver.Effect2{GoAway: true}}
	leaving := testserver.Answer2{OnRequest: testserver.Effect2{GoAway: true, Served: true, Shut: true}}
	calm := testserver.Answer2{OnRequest: testserver.Effect2{
		GoAway: true, Served: true, Code: http2.ErrCodeEnhanceYourCalm, Debug: "too\nmany", Shut: true,
	}}
	refused := testserver.Answer2{OnRequest: testserver.Effect2{RstStream: true, Code: http2.ErrCodeRefusedStream}}
	internal := testserver.Effect2{RstStream: true, Code: http2.ErrCodeInternal}
	body := hundred
	broken := want{kinds: kinds(requests.ErrConnection), not: kinds(requests.ErrTimeout, requests.ErrSSL), sent: true}
	called := broken
	called.text = "ENHANCE_YOUR_CALM"
	incomplete := want{kinds: kinds(requests.ErrChunkedEncoding), not: kinds(requests.ErrTimeout), sent: true, partial: string(body[:50])}
	cut := incomplete
	cut.causes = causes(io.ErrUnexpectedEOF)
	fine := want{body: "ok"}
	row := func(id, name, method string, w want, arrivals int, answers ...testserver.Answer2) faultRow {
		return faultRow{id: id, name: name, run: func(t *testing.T) { testHTTP2(t, method, w, arrivals, answers, nil) }}
	}
	watched := func(name string, w want, arrivals int, answer testserver.Answer2) faultRow {
		return faultRow{id: "F92", name: name, run: func(t *testing.T) {
			testHTTP2(t, "GET", w, arrivals, []testserver.Answer2{answer}, nil, requests.ReadTimeout(time.Minute))
		}}
	}
	return []faultRow{
		row("F88", "GOAWAY without us, GET", "GET", fine, 2, unserved),
		row("F88", "GOAWAY without us, POST", "POST", fine, 2, unserved),
		row("F89", "GOAWAY with us, and the end", "POST", broken, 1, leaving),
		row("F89", "enhance your calm", "POST", called, 1, calm),
		row("F90", "refused once, GET", "GET", fine, 2, refused),
		row("F90", "refused once, POST", "POST", fine, 2, refused),
		{id: "F90", name: "refused for ever", skip: slow("the pauses between the tries are real"), run: func(t *testing.T) { testHTTP2(t, "GET", broken, -7, nil, &refused) }},
		row("F91", "INTERNAL_ERROR", "POST", broken, 1, testserver.Answer2{OnRequest: internal}),
		row("F91", "INTERNAL_ERROR within the body", "GET", incomplete, 1, testserver.Answer2{Body: body, OnBody: internal, BodyAt: 50}),
		row("F91", "end within the body", "GET", cut, 1, testserver.Answer2{Body: body, OnBody: testserver.Effect2{Shut: true}, BodyAt: 50}),
		row("F91", "a body shorter than its length", "GET", cut, 1, testserver.Answer2{Body: body[:50], Length: "100"}),
		row("F91", "end before the head", "POST", broken, 1, testserver.Answer2{OnRequest: testserver.Effect2{Shut: true}}),
		row("F92", "CONTINUATION without an end", "GET", broken, -2, testserver.Answer2{Continuations: 5_000}),
		row("F92", "3 000 interim answers", "GET", fine, 1, testserver.Answer2{Interims: 3_000}),
		row("F92", "100 000 interim answers", "GET", broken, -2, testserver.Answer2{Interims: 100_000}),
		// A read timeout has us told of each.
		watched("3 000 interim answers, watched", fine, 1, testserver.Answer2{Interims: 3_000}),
		watched("100 000 interim answers, watched", broken, -2, testserver.Answer2{Interims: 100_000}),
	}
}

// testHTTP2 sends a request to a server of HTTP/2, which has to see it so
// often; below zero, at most so often.
func testHTTP2(t *testing.T, method string, w want, arrivals int, answers []testserver.Answer2, always *testserver.Answer2, opts ...requests.Option) {
	watch := testserver.NewWatch(t)
	ca, _, config := authority(t)
	srv := testserver.NewFaults2(t, config, answers...)
	if always != nil {
		srv.Always(*always)
	}
	s := trusting(ca, nil)
	start := time.Now()
	opts = append(append(opts, withBody(method, "body")...), requests.TotalTimeout(3*time.Minute))
	r, err := s.Do(t.Context(), method, srv.URL()+"/fault", opts...)
	assert.Less(t, time.Since(start), 2*time.Minute)
	if w.fails() {
		require.Error(t, err)
		judgeError(t, err, &w)
		assert.False(t, strings.ContainsAny(err.Error(), "\n\r"))
	} else {
		require.NoError(t, err)
		assert.Equal(t, "HTTP/2.0", r.Proto)
		assert.Equal(t, w.body, r.Text())
	}
	if n := len(srv.Ledger()); arrivals < 0 {
		assert.LessOrEqual(t, n, -arrivals, "arrivals")
	} else {
		assert.Equal(t, arrivals, n, "arrivals")
	}
	srv.Always(testserver.Answer2{})
	assert.NoError(t, plainGet(t.Context(), s, srv.URL()+"/next"), "the next request")
	require.NoError(t, s.Close())
	srv.Close()
	watch.Nothing()
}
