//go:build unix

package requests_test

import (
	"io"
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

// hundred is a body that is cut in half.
var hundred = []byte(strings.Repeat("0123456789", 10))

// framingFaults are the faults in the framing of a body.
func framingFaults() []faultRow {
	half := string(hundred[:50])
	incomplete := want{
		kinds: kinds(requests.ErrChunkedEncoding), causes: causes(io.ErrUnexpectedEOF), not: kinds(requests.ErrTimeout, requests.ErrSSL), sent: true,
	}
	cut := incomplete
	cut.partial = half
	counted := cut
	counted.text = "50"
	rows := []faultRow{
		{id: "F27", name: "length, cut", answers: script(testserver.Answer{Body: hundred, OnBody: testserver.Shut, BodyAt: 50}), want: counted},
		{id: "F27", name: "length, half-closed", answers: script(testserver.Answer{Body: hundred, OnBody: testserver.HalfClose, BodyAt: 50}), want: counted},
		{id: "F27", name: "an error status is cut", answers: script(testserver.Answer{Status: 500, Body: hundred, OnBody: testserver.Shut, BodyAt: 50}), want: with(cut, 500)},
		{id: "F27", name: "cut at once", answers: script(testserver.Answer{Body: hundred, OnBody: testserver.Shut}), want: with(incomplete, 200)},
		{
			id: "F28", name: "length, reset", answers: script(testserver.Answer{Body: hundred, OnBody: testserver.Deaf, BodyAt: 50}),
			run: testBodyReset,
		},
		{id: "F29", name: "more than its length", answers: rawEnd(raw("Content-Length: 2", "", "ok"+strings.Repeat("x", 18))), want: want{body: "ok"}},
		{
			id: "F30", name: "a second response", answers: rawAnswer(raw("Content-Length: 2", "", "ok") + raw("Content-Length: 4", "", "evil")),
			want: want{body: "ok"},
		},
		{
			id: "F31", name: "a length of 10^15", answers: script(testserver.Answer{Body: []byte("abc"), Length: "1000000000000000", OnEnd: testserver.Shut}),
			want: partially(incomplete, "abc"),
		},
		{id: "F33", name: "two equal lengths", answers: rawAnswer(raw("Content-Length: 2", "Content-Length: 2", "", "ok")), want: want{body: "ok"}, reuse: true},
		{
			// RFC 9112, 6.3: the coding counts, and the connection is not to be trusted.
			id: "F34", name: "length and coding", answers: rawAnswer(raw("Content-Length: 3", "Transfer-Encoding: chunked", "", "2\r\nok\r\n0\r\n\r\n")),
			want: want{body: "ok"},
		},
		{id: "F39", name: "bytes after the last chunk", answers: rawAnswer(raw("Transfer-Encoding: chunked", "", "2\r\nok\r\n0\r\n\r\njunk")), want: want{body: "ok"}},
		{
			id: "F40", name: "chunks under HTTP/1.0", answers: rawEnd("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
			want: want{kinds: kinds(requests.ErrConnection), sent: true},
		},
		{id: "F41", name: "no length, end", answers: script(testserver.Answer{Length: "-", OnEnd: testserver.Shut}), want: want{body: "ok"}},
		{id: "F42", name: "no length, reset", run: testOpenBodyReset},
		{id: "F43", name: "half-close", answers: script(testserver.Answer{Length: "-", OnEnd: testserver.HalfClose}), want: want{body: "ok"}},
	}
	for _, tt := range []struct {
		name, method string
		status       int
	}{{"HEAD", "HEAD", 200}, {"204", "GET", 204}, {"304", "GET", 304}} {
		rows = append(rows, faultRow{
			id: "F44", name: tt.name + " with a body", method: tt.method,
			answers: script(testserver.Answer{Status: tt.status, Body: []byte("surprise")}), want: want{status: tt.status},
		})
	}
	rows = append(rows, lengthRows()...)
	return append(rows, chunkRows(incomplete)...)
}

// with is a want with a status, partially one with a part of the body.
func with(w want, status int) want { w.status = status; return w }

func partially(w want, partial string) want { w.partial = partial; return w }

// lengthRows are lengths that are none.
func lengthRows() []faultRow {
	var rows []faultRow
	for _, tt := range []struct{ name, lines string }{
		{"two that differ", "Content-Length: 2\r\nContent-Length: 3"},
		{"a sign", "Content-Length: +2"},
		{"negative", "Content-Length: -2"},
		{"a list", "Content-Length: 2, 2"},
		{"empty", "Content-Length: "},
		{"20 digits", "Content-Length: 99999999999999999999"},
		{"letters", "Content-Length: 2abc"},
		{"hexadecimal", "Content-Length: 0x2"},
	} {
		rows = append(rows, faultRow{
			id: "F32", name: tt.name, answers: rawEnd(raw(tt.lines, "", "ok")),
			want: want{kinds: kinds(requests.ErrConnection), not: kinds(requests.ErrTimeout), sent: true},
		})
	}
	return rows
}

// chunkRows are faults in chunks. What came before them is kept.
func chunkRows(incomplete want) []faultRow {
	malformed := want{kinds: kinds(requests.ErrChunkedEncoding), not: kinds(requests.ErrTimeout), sent: true, status: 200}
	chunks := func(text string) []testserver.Answer { return rawEnd(raw("Transfer-Encoding: chunked", "", text)) }
	var rows []faultRow
	for _, tt := range []struct {
		id, name, text, partial string
		want                    want
	}{
		{"F35", "cut within a chunk", "3\r\nabc\r\n5\r\nde", "abcde", incomplete},
		{"F35", "no last chunk", "3\r\nabc\r\n", "abc", incomplete},
		{"F35", "cut within a size", "3\r\nabc\r\n1", "abc", incomplete},
		{"F36", "no line after the last chunk", "3\r\nabc\r\n0\r\n", "abc", incomplete},
		{"F37", "size in letters", "3\r\nabc\r\nzz\r\nabc\r\n0\r\n\r\n", "abc", malformed},
		{"F37", "negative size", "3\r\nabc\r\n-1\r\nabc\r\n0\r\n\r\n", "abc", malformed},
		{"F37", "size with 0x", "3\r\nabc\r\n0x3\r\nabc\r\n0\r\n\r\n", "abc", malformed},
		{"F37", "blank before the size", "3\r\nabc\r\n 3\r\nabc\r\n0\r\n\r\n", "abc", malformed},
		{"F37", "empty size", "3\r\nabc\r\n\r\nabc\r\n0\r\n\r\n", "abc", malformed},
		{"F37", "17 digits", "3\r\nabc\r\n10000000000000003\r\nabc\r\n0\r\n\r\n", "abc", malformed},
		{"F37", "bare LF after the size", "3\r\nabc\r\n3\nabc\r\n0\r\n\r\n", "abc", malformed},
		{"F37", "no CRLF after the data", "3\r\nabc\r\n3\r\nabcd\r\n0\r\n\r\n", "abcabc", malformed},
		{"F38", "an extension of 1 MiB", "3;x=" + strings.Repeat("y", 1<<20) + "\r\nabc\r\n0\r\n\r\n", "", malformed},
		{"F38", "a trailer of 2 MiB", "3\r\nabc\r\n0\r\nX: " + strings.Repeat("y", 2<<20) + "\r\n\r\n", "abc", malformed},
	} {
		rows = append(rows, faultRow{id: tt.id, name: tt.name, answers: chunks(tt.text), want: partially(with(tt.want, 200), tt.partial)})
	}
	many := strings.Repeat("1;"+strings.Repeat("e", 16)+"\r\na\r\n", 100_000)
	return append(rows, faultRow{
		id: "F38", name: "100 000 small extensions", answers: chunks(many + "0\r\n\r\n"),
		run: func(t *testing.T) { testEndlessExtensions(t, chunks(many+"0\r\n\r\n")) },
	})
}

// testEndlessExtensions wants an error; how much came before is up to the
// reader.
func testEndlessExtensions(t *testing.T, answers []testserver.Answer) {
	watch := testserver.NewWatch(t)
	srv := testserver.NewFaults(t, answers...)
	s := newFaultSession(nil)
	_, err := s.Get(t.Context(), srv.URL())
	require.ErrorIs(t, err, requests.ErrChunkedEncoding)
	watch.Check(testserver.Conditions{Server: srv, Next: func() error { return plainGet(t.Context(), s, srv.URL()) }, Close: s.Close})
}

// resetAfter streams a response of a server that sends this much and resets
// the connection once that was read: a reset takes with it what the client's
// system has not handed out.
func resetAfter(t *testing.T, length string, w want) {
	watch := testserver.NewWatch(t)
	received := make(chan struct{})
	srv := testserver.NewFaults(t, testserver.Answer{
		Body: hundred, Length: length, OnBody: testserver.Reset, BodyAt: 50, Hold: received,
	})
	s := newFaultSession(nil)
	r, err := s.Get(t.Context(), srv.URL(), requests.Stream())
	require.NoError(t, err)
	got := make([]byte, 50)
	_, err = io.ReadFull(r, got)
	require.NoError(t, err)
	assert.Equal(t, string(hundred[:50]), string(got))
	close(received)
	_, err = io.ReadAll(r)
	require.Error(t, err)
	judgeError(t, err, &w)
	assert.ErrorIs(t, r.Err(), syscall.ECONNRESET, "Err")
	assert.NoError(t, r.Close())
	watch.Check(testserver.Conditions{Server: srv, Next: func() error { return plainGet(t.Context(), s, srv.URL()) }, Close: s.Close})
}

func resetBody() want {
	return want{
		kinds: kinds(requests.ErrConnection, requests.ErrChunkedEncoding), causes: causes(syscall.ECONNRESET),
		not: kinds(requests.ErrTimeout), sent: true,
	}
}

func testBodyReset(t *testing.T)     { resetAfter(t, "", resetBody()) }
func testOpenBodyReset(t *testing.T) { resetAfter(t, "-", resetBody()) }

// bodyFaults are the faults of time, and of callers, in a body.
func bodyFaults() []faultRow {
	return []faultRow{
		{id: "F45", name: "stalled, read whole", run: testStalledBody},
		{id: "F45", name: "stalled, streamed", run: testStalledStream},
		{id: "F45", name: "stalled, over a socket", run: testStalledLargeBody},
		{id: "F46", name: "byte by byte, in time", run: testDrippedBody},
		{id: "F46", name: "byte by byte, beyond the total", run: testDrippedBodyTotal},
		{id: "F46", name: "a caller who idles", run: testIdleCaller},
		// A Close that drains would wait for a peer; as in Requests, what was
		// not read costs the connection.
		{id: "F47", name: "64 KiB left", run: func(t *testing.T) { testLeftUnread(t, 1) }},
		{id: "F47", name: "64 MiB left", run: func(t *testing.T) { testLeftUnread(t, 1024) }},
		{id: "F48", name: "never closed, context ends", run: testNeverClosed},
	}
}

func stalled() testserver.Answer {
	return testserver.Answer{Body: []byte("0123456789"), OnBody: testserver.Stall, BodyAt: 3}
}

// stalledBody is the wanted error of a body that stops after three bytes.
func stalledBody() want {
	return want{
		kinds: kinds(requests.ErrReadTimeout, requests.ErrTimeout, requests.ErrConnection), sent: true, timeout: true, status: 200, partial: "012",
	}
}

func testStalledBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, s := pipeSession(t, stalled())
		start := time.Now()
		failedGet(t, s, srv.URL()+"/", stalledBody(), requests.ReadTimeout(time.Second))
		within(t, start, time.Second)
		require.NoError(t, plainGet(t.Context(), s, srv.URL()+"/next"))
		assert.Equal(t, 2, srv.Accepted(), "connections")
		require.NoError(t, s.Close())
		assert.Empty(t, srv.Settle(2*time.Second))
	})
}

func testStalledStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, s := pipeSession(t, stalled())
		r, err := s.Get(t.Context(), srv.URL()+"/", requests.ReadTimeout(time.Second), requests.Stream())
		require.NoError(t, err)
		start := time.Now()
		got, err := io.ReadAll(r)
		assert.Equal(t, "012", string(got))
		require.Error(t, err)
		w := stalledBody()
		w.partial, w.status = "", 0 // they were handed out
		judgeError(t, err, &w)
		within(t, start, time.Second)
		require.NoError(t, s.Close())
		assert.Empty(t, srv.Settle(2*time.Second))
	})
}

// All that came of a large body is kept, though its reader is waked for much at a
// time.
func testStalledLargeBody(t *testing.T) {
	watch := testserver.NewWatch(t)
	const came = 3<<20 + 12345
	answer := testserver.Answer{Body: make([]byte, 8<<20), OnBody: testserver.Stall, BodyAt: came, Drip: 3 << 20, DripEvery: 20 * time.Millisecond}
	srv := testserver.NewFaults(t, answer, answer)
	s := newFaultSession(nil)
	for _, opt := range []requests.Option{
		requests.ReadTimeout(300 * time.Millisecond), requests.TotalTimeout(time.Second),
	} {
		_, err := s.Get(t.Context(), srv.URL(), opt)
		var e *requests.Error
		require.ErrorAs(t, err, &e)
		require.ErrorIs(t, err, requests.ErrTimeout)
		require.NotNil(t, e.Response)
		assert.Equal(t, came, len(e.Response.Partial()))
	}
	watch.Check(testserver.Conditions{Server: srv, Close: s.Close})
}

func dripped() testserver.Answer {
	return testserver.Answer{Body: hundred[:50], Drip: 1, DripEvery: 10 * time.Millisecond}
}

func testDrippedBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, s := pipeSession(t, dripped())
		start := time.Now()
		r, err := s.Get(t.Context(), srv.URL()+"/", requests.ReadTimeout(100*time.Millisecond))
		require.NoError(t, err)
		assert.Equal(t, string(hundred[:50]), r.Text())
		assert.Greater(t, time.Since(start), 500*time.Millisecond)
		require.NoError(t, s.Close())
		assert.Empty(t, srv.Settle(2*time.Second))
	})
}

func testDrippedBodyTotal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := dripped()
		answer.Raw = raw("Content-Length: 50", "", string(hundred[:50]))
		srv, s := pipeSession(t, answer)
		start := time.Now()
		_, err := s.Get(t.Context(), srv.URL()+"/", requests.ReadTimeout(100*time.Millisecond), requests.TotalTimeout(600*time.Millisecond))
		require.Error(t, err)
		judgeError(t, err, &want{kinds: kinds(requests.ErrTimeout), sent: true, timeout: true})
		assert.Equal(t, 600*time.Millisecond, time.Since(start))
		var e *requests.Error
		require.ErrorAs(t, err, &e)
		require.NotNil(t, e.Response)
		assert.NotEmpty(t, e.Response.Partial())
		require.NoError(t, s.Close())
		assert.Empty(t, srv.Settle(2*time.Second))
	})
}

// The read timeout is a wait for the peer: a caller may take its time.
func testIdleCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, s := pipeSession(t, testserver.Answer{Body: hundred})
		r, err := s.Get(t.Context(), srv.URL()+"/", requests.ReadTimeout(time.Second), requests.Stream())
		require.NoError(t, err)
		one := make([]byte, 1)
		_, err = r.Read(one)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		rest, err := io.ReadAll(r)
		require.NoError(t, err)
		assert.Len(t, rest, 99)
		require.NoError(t, s.Close())
		assert.Empty(t, srv.Settle(2*time.Second))
	})
}

// testLeftUnread leaves this many times 64 KiB of a body unread.
func testLeftUnread(t *testing.T, times int) {
	watch := testserver.NewWatch(t)
	srv := testserver.NewFaults(t, testserver.Answer{Body: make([]byte, 64<<10), Repeat: times})
	s := newFaultSession(nil)
	r, err := s.Get(t.Context(), srv.URL(), requests.Stream())
	require.NoError(t, err)
	start := time.Now()
	assert.NoError(t, r.Close())
	assert.Less(t, time.Since(start), time.Second)
	assert.Empty(t, r.Content())
	assert.ErrorIs(t, r.Err(), requests.ErrStreamConsumed)
	watch.Check(testserver.Conditions{Server: srv, Next: func() error { return plainGet(t.Context(), s, srv.URL()) }, Close: s.Close})
}

// A response that is never closed holds its connection, as documented, until
// its context ends. Closing the session lets requests under way go on.
func testNeverClosed(t *testing.T) {
	watch := testserver.NewWatch(t)
	srv := testserver.NewFaults(t, testserver.Answer{Body: make([]byte, 64<<10), Repeat: 100})
	s := newFaultSession(nil)
	r, err := s.Get(t.Context(), srv.URL(), requests.Stream(), requests.TotalTimeout(time.Minute))
	require.NoError(t, err)
	require.NoError(t, s.Close())
	n, err := r.Read(make([]byte, 10))
	assert.Positive(t, n)
	assert.NoError(t, err, "closing the session ended a response under way")
	assert.NoError(t, r.Close())
	watch.Check(testserver.Conditions{Server: srv, Close: s.Close})

	ctx, cancel := contextWithCancel(t)
	srv = testserver.NewFaults(t, testserver.Answer{Body: make([]byte, 64<<10), Repeat: 100})
	_, err = s.Get(ctx, srv.URL(), requests.Stream())
	require.NoError(t, err)
	cancel()
	watch.Check(testserver.Conditions{Server: srv, Close: s.Close})
}
