package coding

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

func TestMaxBytes(t *testing.T) {
	t.Parallel()
	want := good(150_000)
	for _, names := range [][]string{{"gzip"}, {rawDeflate}, {"br"}, {"zstd"}, {"gzip", "br"}, {}} {
		body := encode(t, want, names...)
		for _, size := range []int64{1, 4096, 100_000, 149_999} {
			got, err := decode(bytes.NewReader(body), Limits{MaxBytes: size}, field(names...))
			assert.ErrorIs(t, err, ErrTooLarge, "%s to %d", names, size)
			assert.True(t, bytes.Equal(want[:size], got), "%s to %d: got %d", names, size, len(got))
		}
		for _, size := range []int64{150_000, 150_001, 1 << 40} {
			got, err := decode(bytes.NewReader(body), Limits{MaxBytes: size}, field(names...))
			assert.NoError(t, err, "%s to %d", names, size)
			assert.Len(t, got, 150_000, "%s to %d", names, size)
		}
	}
}

func TestMaxBytesPassesWireFaults(t *testing.T) {
	t.Parallel()
	got, err := decode(iotest.DataErrReader(cutReader([]byte("plain"), errWire)), Limits{MaxBytes: 5})
	assert.True(t, errors.Is(err, errWire), "%v", err)
	assert.Equal(t, "plain", string(got))
}

func TestMaxRatio(t *testing.T) {
	t.Parallel()
	zeros := make([]byte, 3<<20)
	for _, names := range [][]string{{"gzip"}, {"deflate"}, {"br"}, {"zstd"}, {"gzip", "gzip"}, {"zstd", "br"}} {
		body := encode(t, zeros, names...)
		got, err := decode(bytes.NewReader(body), Limits{MaxRatio: 100}, field(names...))
		assert.ErrorIs(t, err, ErrRatio, "%s", names)
		assert.Less(t, len(got), 2<<20, "%s", names)
	}
	for _, name := range single {
		got, err := decode(bytes.NewReader(encode(t, zeros[:1<<20], name)), Limits{MaxRatio: 1}, field(name))
		assert.NoError(t, err, "%s: small bodies are not judged", name)
		assert.Len(t, got, 1<<20)
		body := encode(t, good(1<<20+1), name)
		_, err = decode(bytes.NewReader(body), Limits{MaxRatio: 20}, field(name))
		assert.NoError(t, err, name)
	}
}

// A layer that decodes to much of what decodes to little is stopped too.
func TestInnerLayers(t *testing.T) {
	t.Parallel()
	members := 200_000
	if testserver.RaceDetector() {
		members = 120_000
	}
	body := encode(t, bytes.Repeat(encode(t, []byte("x"), "gzip"), members), "gzip")
	for _, tt := range []struct {
		lim  Limits
		want error
	}{
		{Limits{}, nil},
		{Limits{MaxBytes: 1 << 20}, ErrTooLarge},
		{Limits{MaxRatio: 50}, ErrRatio},
	} {
		got, err := decode(bytes.NewReader(body), tt.lim, "gzip, gzip")
		assert.ErrorIs(t, err, tt.want)
		assert.LessOrEqual(t, len(got), members)
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	frame := func(window int) []byte {
		var b bytes.Buffer
		enc, err := zstd.NewWriter(&b, zstd.WithWindowSize(window), zstd.WithSingleSegment(false))
		require.NoError(t, err)
		_, err = enc.Write(good(1 << 10))
		require.NoError(t, err)
		require.NoError(t, enc.Flush()) // so that the size is not known ahead
		require.NoError(t, enc.Close())
		return b.Bytes()
	}
	for _, tt := range []struct {
		window, limit int
		want          error
	}{
		{8 << 20, 0, nil},
		{16 << 20, 0, zstd.ErrWindowSizeExceeded},
		{16 << 20, 16 << 20, nil},
		{1 << 20, 512 << 10, zstd.ErrWindowSizeExceeded},
		{1 << 10, 1, nil},
	} {
		_, err := decode(bytes.NewReader(frame(tt.window)), Limits{Window: tt.limit}, "zstd")
		assert.ErrorIs(t, err, tt.want, "window %d, limit %d", tt.window, tt.limit)
	}
}

// A single-segment frame needs a window of its own size.
func TestSingleSegment(t *testing.T) {
	t.Parallel()
	frame := "\x28\xb5\x2f\xfd\xa0" + "\x01\x00\x80\x00" + "\x02\x00\x00x"
	_, err := decode(strings.NewReader(frame), Limits{}, "zstd")
	assert.ErrorIs(t, err, zstd.ErrDecoderSizeExceeded)
}

// bombs are 32 MiB of zeros each, with windows as large as they may be: what a
// look at them costs does not hang on how much more is behind.
func bombs(t *testing.T) map[string][]byte {
	t.Helper()
	zw := func(w io.Writer) io.WriteCloser {
		enc, err := zstd.NewWriter(w, zstd.WithWindowSize(8<<20), zstd.WithEncoderConcurrency(1))
		require.NoError(t, err)
		return enc
	}
	all := make(map[string][]byte)
	for name, open := range map[string]func(io.Writer) io.WriteCloser{
		"gzip":    func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"deflate": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
		"br": func(w io.Writer) io.WriteCloser {
			return brotli.NewWriterOptions(w, brotli.WriterOptions{Quality: 2, LGWin: 24})
		},
		"zstd": zw,
	} {
		var b bytes.Buffer
		w := open(&b)
		zeros := make([]byte, 1<<20)
		for range 32 {
			_, err := w.Write(zeros)
			require.NoError(t, err)
		}
		require.NoError(t, w.Close())
		all[name] = b.Bytes()
	}
	return all
}

// What a short look at a bomb allocates in all is below the ceiling for its
// peak; with the pools emptied first, so that nothing is ready.
func TestCeilings(t *testing.T) {
	ceilings := map[string]uint64{"gzip": 4 << 20, "deflate": 4 << 20, "zstd": 12 << 20, "br": 20 << 20}
	for name, body := range bombs(t) {
		for _, sizes := range [][]int{{1 << 10}, {1 << 10, 1 << 20}, {1 << 20, 1 << 10}} {
			bufs := make([][]byte, len(sizes))
			for i, size := range sizes {
				bufs[i] = make([]byte, size)
			}
			runtime.GC()
			runtime.GC()
			got := allocated(func() {
				r, err := NewReader(bytes.NewReader(body), []string{name}, Limits{})
				require.NoError(t, err)
				for _, buf := range bufs {
					_, err = io.ReadFull(r, buf)
					require.NoError(t, err)
				}
				require.NoError(t, r.Close())
			})
			t.Logf("%s %d: %d KiB", name, sizes, got>>10)
			assert.LessOrEqual(t, got, ceilings[name], "%s %d", name, sizes)
		}
	}
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
