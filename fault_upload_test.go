//go:build unix

package requests_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// errDisk is a caller's own error.
var errDisk = errors.New("disk is gone")

// uploadFaults are the faults while a body is sent.
func uploadFaults() []faultRow {
	refused := testserver.Answer{Status: 413, Body: []byte("too large"), Early: true}
	closing, resetting := refused, refused
	closing.Header, closing.OnEnd = []string{"Connection: close"}, testserver.HalfClose
	resetting.OnEnd = testserver.Reset
	expect := requests.Header("Expect", "100-continue")
	return []faultRow{
		{
			id: "F58", name: "413 and close, of known length", upload: sized(8 << 20), answers: script(closing),
			want: want{status: 413, body: "too large"},
		},
		{
			id: "F58", name: "413 and close, in chunks", upload: megabytes(8), answers: script(closing),
			want: want{status: 413, body: "too large"},
		},
		{id: "F59", name: "413 and reset", run: func(t *testing.T) { testRefusedUploads(t, resetting) }},
		{
			id: "F60", name: "200 early, nothing is read", upload: megabytes(64), answers: script(testserver.Answer{Early: true, OnEnd: testserver.Stall}),
			want: want{body: "ok"},
		},
		{
			id: "F60", name: "200 early, all is read", upload: megabytes(8), answers: script(testserver.Answer{Early: true}), want: want{body: "ok"}, reuse: true,
			check: func(run *faultRun) { assert.EqualValues(run, 8<<20, run.source.Given()) },
		},
		{
			id: "F61", name: "nothing is read and nothing answered", upload: megabytes(64), answers: script(testserver.Answer{OnHead: testserver.Stall}),
			opts: []requests.Option{requests.ReadTimeout(300 * time.Millisecond)},
			want: want{kinds: kinds(requests.ErrReadTimeout), sent: true, timeout: true}, check: quick(3 * time.Second),
		},
		{
			id: "F61", name: "the upload stalls half way", upload: megabytes(64), answers: script(testserver.Answer{OnUpload: testserver.Stall, UploadAt: 1 << 20}),
			opts: []requests.Option{requests.ReadTimeout(300 * time.Millisecond)},
			want: want{kinds: kinds(requests.ErrReadTimeout), sent: true, timeout: true}, check: quick(3 * time.Second),
		},
		{
			id: "F61", name: "the upload is reset half way", upload: megabytes(64), answers: script(testserver.Answer{OnUpload: testserver.Reset, UploadAt: 1 << 20}),
			want: want{kinds: kinds(requests.ErrConnection), not: kinds(requests.ErrTimeout), sent: true},
		},
		// As in Requests an Expect is a header like others: the body follows
		// at once, so that no answer to it can be waited for.
		{id: "F62", name: "Expect without an answer", upload: texted("body"), opts: []requests.Option{expect}, want: want{body: "ok"}, reuse: true, check: wholeUpload("body")},
		{
			id: "F62", name: "Expect and 100", upload: texted("body"), opts: []requests.Option{expect},
			answers: interims(100, 1), want: want{body: "ok"}, reuse: true, check: wholeUpload("body"),
		},
		{
			id: "F63", name: "Expect and 417", upload: texted("body"), opts: []requests.Option{expect}, answers: script(testserver.Answer{Status: 417, Early: true}),
			want: want{status: 417, body: "ok"}, reuse: true, check: wholeUpload("body"),
		},
		{
			id: "F64", name: "Expect and a redirect", method: "POST", opts: []requests.Option{expect, requests.BodyText("body")},
			answers: script(testserver.Answer{Status: 307, Early: true, Header: []string{"Location: /other"}}),
			want:    want{body: "ok"}, reuse: true, check: wholeUpload("body"),
		},
		{
			id: "F65", name: "the reader fails", upload: func() io.Reader { return io.MultiReader(strings.NewReader("half"), failing{errDisk}) },
			want: want{causes: causes(errDisk), not: kinds(requests.ErrConnection, requests.ErrTimeout), sentAny: true}, check: noWholeUpload,
		},
		{
			id: "F65", name: "the reader fails at once", upload: func() io.Reader { return failing{errDisk} },
			want: want{causes: causes(errDisk), not: kinds(requests.ErrConnection, requests.ErrTimeout), sentAny: true}, check: noWholeUpload,
		},
		{id: "F66", name: "shorter than its length", run: func(t *testing.T) { testWrongLength(t, "abc", "3") }},
		{id: "F66", name: "longer than its length", run: func(t *testing.T) { testWrongLength(t, "abcdefghijk", "more") }},
		{id: "F67", name: "redirect", run: func(t *testing.T) {
			testSentAgain(t, nil, testserver.Answer{Status: 307, Header: []string{"Location: /again"}})
		}},
		{id: "F67", name: "retry", run: func(t *testing.T) {
			testSentAgain(t, &requests.Retry{Total: 2, AnyMethod: true, StatusForcelist: []int{503}}, testserver.Answer{Status: 503})
		}},
		{id: "F67", name: "retry after a reset", run: func(t *testing.T) {
			testSentAgain(t, &requests.Retry{Total: 2, AnyMethod: true}, testserver.Answer{OnResponse: testserver.Reset})
		}},
		{id: "F67", name: "challenge", run: func(t *testing.T) {
			testSentAgain(t, nil, testserver.Answer{Status: 401, Header: []string{`WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"`}})
		}},
		{id: "F68", name: "the reader blocks", run: testBlockedReader},
	}
}

// sized is an upload of known length.
func sized(n int) func() io.Reader {
	return func() io.Reader { return strings.NewReader(strings.Repeat("x", n)) }
}

// failing is a reader that fails.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// wholeUpload checks that the last request to arrive had this body.
func wholeUpload(text string) func(*faultRun) {
	return func(run *faultRun) {
		whole := func() bool {
			for _, a := range run.srv.Ledger() {
				if !a.Whole || string(a.Body) != text {
					return false
				}
			}
			return true
		}
		assert.Eventually(run, whole, 5*time.Second, 5*time.Millisecond, "body is whole")
	}
}

// noWholeUpload checks that the server took no body for a whole one.
func noWholeUpload(run *faultRun) {
	assert.True(run, run.srv.Closed(2*time.Second), "the connection is closed")
	for _, a := range run.srv.Ledger() {
		assert.False(run, a.Whole, "the server saw a whole body")
	}
}

// A refusal whose bytes came before the reset is delivered, 99 times of 100.
func testRefusedUploads(t *testing.T, answer testserver.Answer) {
	watch := testserver.NewWatch(t)
	srv := testserver.NewFaults(t)
	srv.Choose = func(a testserver.Arrival) testserver.Answer {
		if a.Method == "POST" {
			return answer
		}
		return testserver.Answer{}
	}
	s := newFaultSession(nil)
	delivered, n := 0, rounds(100, 20)
	for i := range n {
		source := testserver.NewSource(megabytes(8)())
		r, err := s.Post(t.Context(), srv.URL()+"/"+string(rune('a'+i%26))+strings.Repeat("x", i), requests.Body(source))
		if err == nil && r.StatusCode == 413 && r.Text() == "too large" {
			delivered++
		} else if err != nil {
			assert.ErrorIs(t, err, requests.ErrConnection)
		}
		assert.False(t, source.Reading(), "body is still read")
	}
	assert.GreaterOrEqual(t, delivered, n*99/100, "answers delivered")
	watch.Check(testserver.Conditions{
		Server: srv, Next: func() error { return plainGet(t.Context(), s, srv.URL()) }, Close: s.Close,
	})
}

// said has the length it says, whatever it gives.
type said struct {
	io.Reader
	n int
}

func (s said) Len() int { return s.n }

func testWrongLength(t *testing.T, text, gave string) {
	watch := testserver.NewWatch(t)
	srv := testserver.NewFaults(t)
	s := newFaultSession(nil)
	source := testserver.NewSource(strings.NewReader(text))
	_, err := s.Post(t.Context(), srv.URL(), requests.Body(said{source, 10}))
	require.Error(t, err)
	judgeError(t, err, &want{kinds: kinds(requests.ErrRequest), not: kinds(requests.ErrConnection), text: "10", sentAny: true})
	assert.Contains(t, err.Error(), gave)
	watch.Check(testserver.Conditions{
		Server: srv, Next: func() error { return plainGet(t.Context(), s, srv.URL()) }, Close: s.Close, Body: source,
	})
}

// testSentAgain sends bodies of each kind to a server whose first answer
// makes the client send them again: byte for byte, or not at all.
func testSentAgain(t *testing.T, retry *requests.Retry, first testserver.Answer) {
	text := strings.Repeat("0123456789", 20_000)
	bodies := []struct {
		name  string
		again bool
		body  requests.Option
	}{
		{"bytes", true, requests.BodyText(text)},
		{"reader that seeks", true, requests.Body(strings.NewReader(text))},
		{"reader that seeks from its middle", true, requests.Body(middle("skipped", text))},
		{"function", true, requests.PayloadOf(requests.FuncPayload(func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(text)), nil
		}, -1))},
		{"reader that does not", false, requests.Body(io.LimitReader(strings.NewReader(text), 1<<30))},
	}
	for _, tt := range bodies {
		t.Run(tt.name, func(t *testing.T) {
			watch := testserver.NewWatch(t)
			srv := testserver.NewFaults(t, first)
			s := newFaultSession(func(a *requests.HTTPAdapter) { a.MaxRetries = retry })
			r, err := s.Post(t.Context(), srv.URL()+"/again", tt.body, requests.DigestAuth("user", "pass"))
			ledger := srv.Ledger()
			if tt.again {
				require.NoError(t, err)
				assert.Equal(t, 200, r.StatusCode)
				require.Len(t, ledger, 2)
			} else {
				require.ErrorIs(t, err, requests.ErrUnrewindableBody)
				require.Len(t, ledger, 1)
			}
			for _, a := range ledger {
				assert.Equal(t, sha256.Sum256([]byte(text)), a.Sum, "body on the wire")
			}
			watch.Check(testserver.Conditions{Server: srv, Faulty: -1, Repeats: true, Close: s.Close})
		})
	}
}

// middle is a reader of both that stands at the second.
func middle(before, text string) io.Reader {
	r := strings.NewReader(before + text)
	_, _ = r.Seek(int64(len(before)), io.SeekStart)
	return r
}

// A reader that blocks cannot be stopped. The call returns when its context
// ends; the goroutine that reads ends with the read.
func testBlockedReader(t *testing.T) {
	watch := testserver.NewWatch(t)
	srv := testserver.NewFaults(t)
	s := newFaultSession(nil)
	pr, pw := io.Pipe()
	source := testserver.NewSource(pr)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for !source.Reading() {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	start := time.Now()
	_, err := s.Post(ctx, srv.URL(), requests.Body(source))
	assert.Less(t, time.Since(start), 2*time.Second)
	require.Error(t, err)
	judgeError(t, err, &want{causes: causes(context.Canceled), not: kinds(requests.ErrTimeout, requests.ErrConnection), sent: true})
	pw.Close()
	for source.Reading() {
		time.Sleep(time.Millisecond)
	}
	watch.Check(testserver.Conditions{
		Server: srv, Next: func() error { return plainGet(t.Context(), s, srv.URL()) }, Close: s.Close, Body: source,
	})
}
