//go:build unix

package requests_test

import (
	"fmt"
	"io"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// headFaults are the faults before and inside the head of a response.
func headFaults() []faultRow {
	broken := want{kinds: kinds(requests.ErrConnection), not: kinds(requests.ErrTimeout, requests.ErrProxy, requests.ErrSSL), sent: true}
	cut := broken
	cut.causes = causes(io.ErrUnexpectedEOF)
	rows := []faultRow{
		{
			id: "F12", name: "reset after the request", answers: script(testserver.Answer{OnResponse: testserver.Reset}),
			want: want{kinds: kinds(requests.ErrConnection), causes: causes(syscall.ECONNRESET), sent: true},
		},
		{
			id: "F12", name: "end after the request", answers: script(testserver.Answer{OnResponse: testserver.Shut}),
			want: want{kinds: kinds(requests.ErrConnection), causes: causes(io.EOF), sent: true},
		},
		{
			id: "F12", name: "POST is not sent again", method: "POST", upload: texted("body"),
			adapter: func(a *requests.HTTPAdapter) { a.MaxRetries = requests.Retries(3) },
			answers: script(testserver.Answer{OnResponse: testserver.Reset}),
			want:    want{kinds: kinds(requests.ErrConnection), causes: causes(syscall.ECONNRESET), sent: true},
		},
		{
			id: "F12", name: "GET is sent again where retries are set",
			adapter: func(a *requests.HTTPAdapter) { a.MaxRetries = requests.Retries(3) },
			answers: script(testserver.Answer{OnResponse: testserver.Reset}, testserver.Answer{OnResponse: testserver.Shut}),
			want:    want{body: "ok"},
			check:   func(run *faultRun) { assert.Len(run, run.resp.Attempts(), 2) },
		},
		{id: "F15", name: "no answer at all", run: testNoAnswer},
		{id: "F16", name: "a head byte by byte, in time", run: testSlowHead},
		{id: "F16", name: "a head that stops", run: testStoppedHead},
		{id: "F18", name: "no reason phrase", answers: rawAnswer("HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok"), want: want{body: "ok"}, reuse: true},
		{id: "F18", name: "bare LF", answers: rawAnswer("HTTP/1.1 200 OK\nContent-Length: 2\n\nok"), want: want{body: "ok"}, reuse: true},
		{
			id: "F18", name: "folded line", answers: rawAnswer(raw("X-A: b", " c", "Content-Length: 2", "", "ok")), want: want{body: "ok"}, reuse: true,
			check: func(run *faultRun) { assert.Equal(run, "b c", run.resp.Headers.Get("X-A")) },
		},
		{
			id: "F18", name: "high bytes", answers: rawAnswer(raw("X-A: \xe9\xff", "Content-Length: 2", "", "ok")), want: want{body: "ok"}, reuse: true,
			check: func(run *faultRun) { assert.Equal(run, "éÿ", run.resp.Headers.Get("X-A")) },
		},
		{id: "F22", name: "a status line of 12 MiB", answers: rawEnd("HTTP/1.1 200 " + strings.Repeat("x", 12<<20) + "\r\n\r\n"), want: broken, check: quick(5 * time.Second)},
		{id: "F23", name: "interim answers within the limit", answers: interims(103, 5_000), want: want{body: "ok"}, reuse: true},
		{id: "F23", name: "100 000 early hints", answers: interims(103, 100_000), want: broken},
		{id: "F23", name: "60 000 times 100 Continue", answers: interims(100, 60_000), want: broken},
		{id: "F23", name: "a hook sees a bounded number", run: testInterimHook},
		{id: "F24", name: "101 that nobody asked for is an answer without a body, as in Requests", answers: rawEnd("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nbytes"), want: want{status: 101}},
		{
			id: "F25", name: "the answer before the request was read", upload: texted("body"), answers: script(testserver.Answer{Early: true, OnEnd: testserver.HalfClose}),
			want: want{body: "ok"},
		},
		{
			id: "F26", name: "5 000 cookies", answers: script(testserver.Answer{Header: setCookies(4_990)}), want: want{body: "ok"}, reuse: true,
			check: func(run *faultRun) { assert.Equal(run, 50, run.session.Cookies.Len()) },
		},
	}
	rows = append(rows, cutHeads(cut)...)
	rows = append(rows, junkHeads(broken)...)
	return append(rows, largeHeads(broken)...)
}

// rawAnswer is an answer of these bytes that leaves the connection open.
func rawAnswer(text string) []testserver.Answer { return script(testserver.Answer{Raw: text}) }

// rawEnd is an answer of these bytes, after which the server reads on.
func rawEnd(text string) []testserver.Answer {
	return script(testserver.Answer{Raw: text, OnEnd: testserver.HalfClose})
}

// quick fails a row that took longer.
func quick(limit time.Duration) func(*faultRun) {
	return func(run *faultRun) { assert.Less(run, run.took, limit) }
}

func interims(status, n int) []testserver.Answer {
	return script(testserver.Answer{Interim: fmt.Sprintf("HTTP/1.1 %d Interim\r\n\r\n", status), Interims: n})
}

func setCookies(n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf("Set-Cookie: c%d=v", i)
	}
	return lines
}

// cutHeads end within the head.
func cutHeads(w want) []faultRow {
	var rows []faultRow
	for _, tt := range []struct{ id, name, text string }{
		{"F13", "within the protocol", "HTT"},
		{"F13", "within the status", "HTTP/1.1 20"},
		{"F13", "within the phrase", "HTTP/1.1 200 O"},
		{"F14", "after the status line", "HTTP/1.1 200 OK\r\n"},
		{"F14", "within a name", "HTTP/1.1 200 OK\r\nContent-Le"},
		{"F14", "within a value", "HTTP/1.1 200 OK\r\nContent-Length: 1"},
		{"F14", "before the blank line", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"},
		{"F14", "within the second head", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200"},
	} {
		rows = append(rows, faultRow{id: tt.id, name: tt.name, answers: rawEnd(tt.text), want: w})
	}
	return rows
}

// junkHeads are heads that are none.
func junkHeads(w want) []faultRow {
	var rows []faultRow
	for _, tt := range []struct{ id, name, text string }{
		{"F17", "no HTTP", "abc\r\n\r\n"},
		{"F17", "two digits", "HTTP/1.1 20 OK\r\n\r\n"},
		{"F17", "another protocol", "ICY 200 OK\r\n\r\n"},
		{"F17", "no head at all", "<html>hello</html>"},
		{"F17", "HTTP/2.0 without HTTP/2", "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok"},
		{"F17", "control characters", "\x1b[31m\x00\x01\x02 200\r\n\r\n"},
		{"F19", "no colon", raw("nonsense", "Content-Length: 2", "", "ok")},
		{"F19", "NUL", raw("X-A: a\x00b", "Content-Length: 2", "", "ok")},
		{"F19", "bare CR", raw("X-A: a\rb", "Content-Length: 2", "", "ok")},
		{"F19", "no name", raw(": a", "Content-Length: 2", "", "ok")},
		{"F20", "blank before the colon", raw("Content-Length : 2", "", "ok")},
		{"F20", "blank within a name", raw("X A: 2", "Content-Length: 2", "", "ok")},
	} {
		rows = append(rows, faultRow{id: tt.id, name: tt.name, answers: rawEnd(tt.text), want: w})
	}
	return rows
}

// largeHeads stand on both sides of the limit: 1 MiB, and 5 000 lines.
func largeHeads(w want) []faultRow {
	long := func(n int) []testserver.Answer {
		head := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: "
		return script(testserver.Answer{Raw: head + strings.Repeat("a", n-len(head)-4) + "\r\n\r\nok"})
	}
	lines := func(n int) []testserver.Answer {
		return script(testserver.Answer{Raw: raw("Content-Length: 2", strings.Repeat("X-A: b\r\n", n-1), "ok")})
	}
	small := func(a *requests.HTTPAdapter) { a.MaxHeaderBytes = 4096 }
	return []faultRow{
		{id: "F21", name: "1 MiB", answers: long(1 << 20), want: want{body: "ok"}, reuse: true},
		{id: "F21", name: "1 MiB and more", answers: long(1<<20 + 8192), want: w},
		{id: "F21", name: "an owner's limit", answers: long(4096), adapter: small, want: want{body: "ok"}, reuse: true},
		{id: "F21", name: "beyond an owner's limit", answers: long(4096 + 8192), adapter: small, want: w},
		{id: "F21", name: "5 000 lines", answers: lines(5_000), want: want{body: "ok"}, reuse: true},
		{id: "F21", name: "5 001 lines", answers: lines(5_001), want: w},
	}
}

// pipeSession returns a server and a session over pipes, for a test whose
// clock is faked.
func pipeSession(t *testing.T, answers ...testserver.Answer) (*testserver.Faults, *requests.Session) {
	t.Helper()
	srv := testserver.NewFaultsPipe(t, nil, answers...)
	return srv, newFaultSession(func(a *requests.HTTPAdapter) { a.Dial = srv.Dial })
}

// readTimeoutBefore is the wanted error of a server that is silent before its
// response.
func readTimeoutBefore() want {
	return want{
		kinds: kinds(requests.ErrReadTimeout, requests.ErrTimeout),
		not:   kinds(requests.ErrConnectTimeout, requests.ErrConnection), sent: true, timeout: true,
	}
}

// within checks that a read timeout acts between its value and a quarter
// more.
func within(t *testing.T, start time.Time, timeout time.Duration) {
	t.Helper()
	took := time.Since(start)
	assert.GreaterOrEqual(t, took, timeout)
	assert.LessOrEqual(t, took, timeout+timeout/2)
}

func testNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, s := pipeSession(t, testserver.Answer{OnResponse: testserver.Stall})
		start := time.Now()
		failedGet(t, s, srv.URL()+"/", readTimeoutBefore(), requests.ReadTimeout(time.Second))
		within(t, start, time.Second)
		require.NoError(t, plainGet(t.Context(), s, srv.URL()+"/next"))
		assert.Equal(t, 2, srv.Accepted(), "connections")
		require.NoError(t, s.Close())
		assert.Empty(t, srv.Settle(2*time.Second))
	})
}

// The catalogue would end a slow head by a deadline on the whole. Here, as in
// Requests, the read timeout is the wait between bytes, in the head too, and
// the total timeout is what bounds the whole.
func testSlowHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := testserver.Answer{Drip: 1, DripEvery: 20 * time.Millisecond}
		srv, s := pipeSession(t, slow, slow)
		r, err := s.Get(t.Context(), srv.URL()+"/", requests.ReadTimeout(200*time.Millisecond))
		require.NoError(t, err)
		assert.Equal(t, "ok", r.Text())

		start := time.Now()
		failedGet(t, s, srv.URL()+"/", want{
			kinds: kinds(requests.ErrTimeout), not: kinds(requests.ErrConnectTimeout), sent: true, timeout: true,
		}, requests.ReadTimeout(200*time.Millisecond), requests.TotalTimeout(300*time.Millisecond))
		assert.Equal(t, 300*time.Millisecond, time.Since(start))
		require.NoError(t, s.Close())
		assert.Empty(t, srv.Settle(2*time.Second))
	})
}

func testStoppedHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, s := pipeSession(t, testserver.Answer{Raw: "HTTP/1.1 200 OK\r\nContent-Le", OnEnd: testserver.Stall})
		start := time.Now()
		failedGet(t, s, srv.URL()+"/", readTimeoutBefore(), requests.ReadTimeout(time.Second))
		within(t, start, time.Second)
		require.NoError(t, s.Close())
		assert.Empty(t, srv.Settle(2*time.Second))
	})
}

// A caller's trace sees interim answers until the limit ends them.
func testInterimHook(t *testing.T) {
	watch := testserver.NewWatch(t)
	srv := testserver.NewFaults(t, interims(103, 200_000)...)
	s := newFaultSession(nil)
	seen := 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(int, textproto.MIMEHeader) error { seen++; return nil },
	})
	_, err := s.Get(ctx, srv.URL())
	require.Error(t, err)
	judgeError(t, err, &want{kinds: kinds(requests.ErrConnection), sent: true})
	assert.Positive(t, seen)
	assert.LessOrEqual(t, seen, 1<<20/len("HTTP/1.1 103 Interim\r\n\r\n")+1)
	watch.Check(testserver.Conditions{Server: srv, Next: func() error { return plainGet(t.Context(), s, srv.URL()) }, Close: s.Close})
}
