//go:build unix

package requests_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data)
	w.Close()
	return b.Bytes()
}

// coded is an answer with a body that was coded already.
func coded(body []byte, codings ...string) testserver.Answer {
	a := testserver.Answer{Body: body}
	for _, c := range codings {
		a.Header = append(a.Header, "Content-Encoding: "+c)
	}
	return a
}

// codingFaults are the faults of content codings, and of disks.
func codingFaults() []faultRow {
	text := []byte(strings.Repeat("The quick brown fox jumps over the lazy dog. ", 2000))
	zipped := gzipped(text)
	badSum := bytes.Clone(zipped)
	badSum[len(badSum)-8] ^= 0xff
	undecoded := want{kinds: kinds(requests.ErrContentDecoding), not: kinds(requests.ErrConnection, requests.ErrTimeout), sent: true, status: 200}
	whole := want{body: string(text)}
	six := text
	for range 6 {
		six = gzipped(six)
	}
	rows := []faultRow{
		{id: "F93", name: "cut", answers: script(coded(zipped[:len(zipped)/2], "gzip")), run: func(t *testing.T) {
			testBadCoding(t, coded(zipped[:len(zipped)/2], "gzip"), text, 1)
		}},
		{id: "F93", name: "bad check sum", run: func(t *testing.T) { testBadCoding(t, coded(badSum, "gzip"), text, len(text)) }},
		{id: "F93", name: "no gzip at all", answers: script(coded(text, "gzip")), want: undecoded},
		// What is behind the end of a coding is told, as all that is lost is;
		// the whole text is kept beside the error.
		{id: "F94", name: "garbage after the end", answers: script(coded(append(bytes.Clone(zipped), "garbage"...), "gzip")), want: partially(undecoded, string(text)), reuse: true},
		{id: "F94", name: "zeros after the end", answers: script(coded(append(bytes.Clone(zipped), 0, 0, 0), "gzip")), want: whole, reuse: true},
		{id: "F94", name: "two members", answers: script(coded(append(gzipped([]byte("a")), gzipped([]byte("b"))...), "gzip")), want: want{body: "ab"}, reuse: true},
		{id: "F94", name: "empty body", answers: script(coded([]byte{}, "gzip")), reuse: true},
		{id: "F94", name: "HEAD", method: "HEAD", answers: rawAnswer(raw("Content-Encoding: gzip", "Content-Length: 100", "", "")), reuse: true},
		{id: "F94", name: "HEAD, six layers", method: "HEAD", answers: rawAnswer(raw("Content-Encoding: gzip, gzip, gzip, gzip, gzip, gzip", "Content-Length: 100", "", "")), reuse: true},
		{id: "F95", name: "gzip twice", answers: script(coded(gzipped(zipped), "gzip, gzip")), want: whole, reuse: true},
		{id: "F95", name: "gzip twice, on two lines", answers: script(coded(gzipped(zipped), "gzip", "gzip")), want: whole, reuse: true},
		{id: "F95", name: "six layers", answers: script(coded(six, "gzip, gzip, gzip, gzip, gzip, gzip")), want: undecoded},
		{
			id: "F95", name: "unknown coding", answers: script(coded(zipped, "x-foo")), want: want{body: leaveBody}, reuse: true,
			check: func(run *faultRun) {
				assert.Equal(run, zipped, run.resp.Content())
				assert.Equal(run, "x-foo", run.resp.Headers.Get("Content-Encoding"))
			},
		},
		{id: "F97", name: "disk full", run: testDiskFull},
	}
	for _, tt := range []struct {
		name string
		body func() []byte
		heap uint64 // MiB that a small read may cost
	}{{"gzip", bomb(gzipWriter), 4}, {"br", bomb(brotliWriter), 20}, {"zstd", bomb(zstdWriter), 12}} {
		rows = append(
			rows,
			faultRow{id: "F96", name: tt.name + ", read a little", run: func(t *testing.T) {
				testBomb(t, coded(tt.body(), tt.name), tt.heap, readLittle)
			}},
			faultRow{id: "F96", name: tt.name + ", on a redirect", run: func(t *testing.T) {
				a := coded(tt.body(), tt.name)
				a.Status, a.Header = 302, append(a.Header, "Location: /next")
				testBomb(t, a, 4, readAllOf)
			}},
			faultRow{id: "F96", name: tt.name + ", under a limit", run: func(t *testing.T) {
				testBomb(t, coded(tt.body(), tt.name), 24, readLimited)
			}},
		)
	}
	return rows
}

// bomb is 64 MiB of zeros in a coding, made when it is first asked for.
func bomb(coder func(io.Writer) io.WriteCloser) func() []byte {
	return sync.OnceValue(func() []byte {
		var b bytes.Buffer
		w := coder(&b)
		zeros := make([]byte, 1<<20)
		for range 64 {
			w.Write(zeros)
		}
		w.Close()
		return b.Bytes()
	})
}

func gzipWriter(w io.Writer) io.WriteCloser {
	z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
	return z
}

func brotliWriter(w io.Writer) io.WriteCloser { return brotli.NewWriterLevel(w, brotli.BestSpeed) }

func zstdWriter(w io.Writer) io.WriteCloser {
	z, _ := zstd.NewWriter(w, zstd.WithWindowSize(1<<20), zstd.WithEncoderConcurrency(1))
	return z
}

// testBadCoding wants an error, and at least so much of the text before it.
func testBadCoding(t *testing.T, answer testserver.Answer, text []byte, atLeast int) {
	watch := testserver.NewWatch(t)
	srv := testserver.NewFaults(t, answer)
	s := newFaultSession(nil)
	e := failedGet(t, s, srv.URL(), want{
		kinds: kinds(requests.ErrContentDecoding), not: kinds(requests.ErrConnection, requests.ErrTimeout), sent: true,
	})
	require.NotNil(t, e.Response)
	part := e.Response.Partial()
	assert.GreaterOrEqual(t, len(part), atLeast, "what was good is kept")
	assert.True(t, bytes.HasPrefix(text, part), "what is kept is the start of the text")
	watch.Check(testserver.Conditions{
		Server: srv, Faulty: -1, Next: func() error { return plainGet(t.Context(), s, srv.URL()) }, Close: s.Close,
	})
}

func readLittle(t *testing.T, s *requests.Session, url string) {
	r, err := s.Get(t.Context(), url, requests.Stream())
	require.NoError(t, err)
	got := make([]byte, 1024)
	_, err = io.ReadFull(r, got)
	require.NoError(t, err)
	assert.Equal(t, make([]byte, 1024), got)
	require.NoError(t, r.Close())
}

func readAllOf(t *testing.T, s *requests.Session, url string) {
	r, err := s.Get(t.Context(), url)
	require.NoError(t, err)
	assert.Equal(t, "ok", r.Text())
}

func readLimited(t *testing.T, s *requests.Session, url string) {
	_, err := s.Get(t.Context(), url, requests.MaxBody(1<<20))
	require.ErrorIs(t, err, requests.ErrTooLarge)
	var e *requests.Error
	require.True(t, errors.As(err, &e))
	assert.LessOrEqual(t, len(e.Response.Partial()), 1<<20)
}

// testBomb checks what a body that is small on the wire may cost.
func testBomb(t *testing.T, answer testserver.Answer, mib uint64, read func(*testing.T, *requests.Session, string)) {
	watch := testserver.NewWatch(t)
	srv := testserver.NewFaults(t, testserver.Answer{}, answer)
	s := newFaultSession(nil)
	require.NoError(t, plainGet(t.Context(), s, srv.URL()))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	read(t, s, srv.URL())
	runtime.ReadMemStats(&after)
	// All that was allocated is a bound of the peak.
	assert.LessOrEqual(t, (after.TotalAlloc-before.TotalAlloc)>>20, mib, "MiB allocated")
	watch.Check(testserver.Conditions{
		Server: srv, Faulty: -1, Next: func() error { return plainGet(t.Context(), s, srv.URL()) }, Close: s.Close,
	})
}

// A disk that is full is the caller's writer's error, and costs the caller no
// connection and no file.
func testDiskFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no /dev/full here")
	}
	defer full.Close()
	watch := testserver.NewWatch(t)
	srv := testserver.NewFaults(t, testserver.Answer{Body: make([]byte, 64<<10), Repeat: 64})
	s := newFaultSession(nil)
	r, err := s.Get(t.Context(), srv.URL(), requests.Stream())
	require.NoError(t, err)
	n, err := r.WriteTo(full)
	assert.ErrorIs(t, err, syscall.ENOSPC)
	assert.Zero(t, n)
	require.NoError(t, r.Close())
	watch.Check(testserver.Conditions{
		Server: srv, Next: func() error { return plainGet(t.Context(), s, srv.URL()) }, Close: s.Close,
	})
}
