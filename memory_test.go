package requests

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

const mib = 1 << 20

// Peak heaps in bytes, of the client and the test's server together. They do
// not depend on how long a body is.
const (
	streamCeiling    = 8 * mib
	multipartCeiling = 8 * mib
)

// memorySize is n bytes, or less in a short run and under the race detector,
// which makes each byte dear and adds nothing to the count of them.
func memorySize(n int64) int64 {
	if testing.Short() || testserver.RaceDetector() {
		return n / 16
	}
	return n
}

// heapObjects is what the heap's objects take, those included that are dead
// and were not collected yet.
func heapObjects() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64())
}

// holdHeap fails the test where the heap grows by more than ceiling while f
// runs. It is looked at a thousand times a second, and each time f calls look.
func holdHeap(t *testing.T, ceiling int64, f func(look func())) {
	t.Helper()
	runtime.GC()
	runtime.GC()
	base := heapObjects()
	done, peak := make(chan struct{}), make(chan int64)
	looks := make(chan int64)
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		top := base
		for {
			select {
			case <-done:
				peak <- max(top, heapObjects()) - base
				return
			case now := <-looks:
				top = max(top, now)
			case <-tick.C:
				top = max(top, heapObjects())
			}
		}
	}()
	f(func() { looks <- heapObjects() })
	close(done)
	got := <-peak
	t.Logf("peak heap: %.2f MiB", float64(got)/mib)
	assert.LessOrEqual(t, got, ceiling, "peak heap in bytes")
}

// zeroReader gives zeros without an end.
type zeroReader struct{}

func (zeroReader) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// A stream costs the same however long it is.
func TestMemoryStreamDown(t *testing.T) {
	size := memorySize(1 << 30)
	block := make([]byte, 256<<10)
	url := loopServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
		for left := size; left > 0; left -= int64(len(block)) {
			if _, err := w.Write(block[:min(left, int64(len(block)))]); err != nil {
				return
			}
		}
	})
	readers := []struct {
		name string
		read func(r *Response) (int64, error)
	}{
		{"Read", func(r *Response) (int64, error) {
			return io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r}, make([]byte, 64<<10))
		}},
		{"WriteTo", func(r *Response) (int64, error) { return r.WriteTo(io.Discard) }},
		{"Chunks", func(r *Response) (n int64, err error) {
			for piece, err := range r.Chunks(64 << 10) {
				if err != nil {
					return n, err
				}
				n += int64(len(piece))
			}
			return n, nil
		}},
	}
	for _, tt := range readers {
		t.Run(tt.name, func(t *testing.T) {
			s := loopSession(t)
			holdHeap(t, streamCeiling, func(func()) {
				r, err := s.Get(t.Context(), url, Stream())
				require.NoError(t, err)
				defer r.Close()
				got, err := tt.read(r)
				require.NoError(t, err)
				assert.Equal(t, size, got)
			})
		})
	}
}

// An upload costs the same however long it is, with a length and without.
func TestMemoryStreamUp(t *testing.T) {
	size := memorySize(1 << 30)
	url := loopServer(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, strconv.FormatInt(n, 10))
	})
	zeros := func() io.Reader { return io.LimitReader(zeroReader{}, size) }
	tests := []struct {
		name string
		opt  Option
	}{
		{"chunked", Body(zeros())},
		{"with a length", PayloadOf(FuncPayload(func() (io.ReadCloser, error) { return io.NopCloser(zeros()), nil }, size))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := loopSession(t)
			holdHeap(t, streamCeiling, func(func()) {
				r, err := s.Put(t.Context(), url, tt.opt)
				require.NoError(t, err)
				assert.Equal(t, strconv.FormatInt(size, 10), r.Text())
			})
		})
	}
}

// A file of any size in a multipart body is streamed too.
func TestMemoryMultipart(t *testing.T) {
	size := memorySize(1 << 30)
	url := loopServer(t, func(w http.ResponseWriter, r *http.Request) {
		parts, err := r.MultipartReader()
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		part, err := parts.NextPart()
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		n, _ := io.Copy(io.Discard, part)
		_, _ = io.WriteString(w, strconv.FormatInt(n, 10))
	})
	s := loopSession(t)
	holdHeap(t, multipartCeiling, func(func()) {
		r, err := s.Post(t.Context(), url, File("file", "zeros.bin", io.LimitReader(zeroReader{}, size)))
		require.NoError(t, err)
		assert.Equal(t, strconv.FormatInt(size, 10), r.Text())
	})
}

// bombs are a coding each, and the peak heap that its decoder may take: its
// window, twice, since the heap doubles before what is dead is collected.
func bombs() map[string]struct {
	code    func(w io.Writer) (io.WriteCloser, error)
	ceiling int64
} {
	type bomb = struct {
		code    func(w io.Writer) (io.WriteCloser, error)
		ceiling int64
	}
	return map[string]bomb{
		"gzip":    {func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, gzip.BestSpeed) }, 8 * mib},
		"deflate": {func(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriterLevel(w, zlib.BestSpeed) }, 8 * mib},
		"br":      {func(w io.Writer) (io.WriteCloser, error) { return brotli.NewWriterLevel(w, brotli.BestSpeed), nil }, 20 * mib},
		"zstd": {func(w io.Writer) (io.WriteCloser, error) {
			return zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
		}, 24 * mib},
	}
}

// bombOf codes size zeros.
func bombOf(t *testing.T, code func(io.Writer) (io.WriteCloser, error), size int64) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := code(&b)
	require.NoError(t, err)
	_, err = io.CopyN(w, zeroReader{}, size)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

// A bomb under a limit gives as many bytes as the limit says, then
// ErrTooLarge, and never takes more than a decoder's window. One that is
// read whole takes no more than the limit besides.
func TestMemoryBomb(t *testing.T) {
	limit := memorySize(200 * mib)
	for name, tt := range bombs() {
		t.Run(name, func(t *testing.T) {
			body := bombOf(t, tt.code, limit+limit/4)
			url := loopServer(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", name)
				_, _ = w.Write(body)
			})
			s := loopSession(t)
			t.Run("streamed", func(t *testing.T) {
				holdHeap(t, tt.ceiling, func(func()) {
					r, err := s.Get(t.Context(), url, Stream(), MaxBody(limit))
					require.NoError(t, err)
					defer r.Close()
					got, err := io.Copy(io.Discard, r)
					assert.ErrorIs(t, err, ErrTooLarge)
					assert.Equal(t, limit, got)
				})
			})
			t.Run("read whole", func(t *testing.T) {
				const small = mib
				holdHeap(t, tt.ceiling+4*small, func(look func()) {
					_, err := s.Get(t.Context(), url, MaxBody(small))
					look()
					var e *Error
					require.ErrorAs(t, err, &e)
					assert.True(t, errors.Is(err, ErrTooLarge), err)
				})
			})
			t.Run("one call", func(t *testing.T) {
				holdHeap(t, tt.ceiling, func(look func()) {
					r, err := s.Get(t.Context(), url, Stream(), MaxBody(limit))
					require.NoError(t, err)
					defer r.Close()
					got, err := r.Read(make([]byte, 10))
					look()
					require.NoError(t, err)
					assert.Positive(t, got)
				})
			})
		})
	}
}

// A head of many folded lines has few fields, and takes no room for others.
func TestMemoryOfFoldedHead(t *testing.T) {
	const lines = 300_000
	head := "X-A: b\r\n" + strings.Repeat(" \n", lines) + "\r\n"
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	h := readHeaders(nil, head)
	runtime.ReadMemStats(&after)
	assert.Equal(t, 1, h.Len())
	// The value is a blank for each line, in a buffer that doubles.
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8*lines))
}

// liar is a body that counts bytes it has not written.
type liar struct{ left int }

func (l *liar) Read(p []byte) (int, error) {
	n := min(len(p), l.left)
	if l.left -= n; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (l *liar) Close() error { return nil }

// liars is a transport that answers with liars.
type liars struct{}

func (liars) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{},
		ContentLength: mib, Body: &liar{left: mib}, Request: req,
	}, nil
}

// What a reader of another says that it wrote, and has not, are zeros: memory
// that was somebody's before is for our own transport's bodies alone.
func TestMemoryOfOthersIsNotShown(t *testing.T) {
	litter := func() {
		for range 8 {
			copy(uncleared(mib), bytes.Repeat([]byte("secret "), mib/7))
		}
		runtime.GC()
		runtime.GC()
	}
	s := NewSession()
	defer s.Close()
	s.Mount("http://", &HTTPAdapter{Transport: liars{}})
	for range 8 {
		litter()
		r, err := s.Get(t.Context(), "http://a.test/")
		require.NoError(t, err)
		require.Len(t, r.Content(), mib)
		require.False(t, bytes.Contains(r.Content(), []byte("secret")), "what was in memory before is shown")
	}
}

// Memory that was not cleared is its owner's alone, and stays so.
func TestUncleared(t *testing.T) {
	var all [][]byte
	for i := range 64 {
		for _, n := range []int{1, 7, 4 << 10, 40 << 10, mib} {
			b := uncleared(n)
			require.Len(t, b, n)
			require.Equal(t, n, cap(b))
			for j := range b {
				b[j] = byte(i)
			}
			all = append(all, b)
		}
		if i%16 == 0 {
			runtime.GC()
		}
	}
	for i, b := range all {
		want := byte(i / 5)
		require.Equal(t, len(b), bytes.Count(b, []byte{want}), "block %d", i)
	}
}
