package coding

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each event is read before the next one is written: a decoder that waited for
// more would wait for ever, which synctest calls a deadlock.
func TestPrompt(t *testing.T) {
	t.Parallel()
	chains := [][]string{{"gzip", "gzip"}, {"zstd", "gzip"}, {"br", rawDeflate}}
	for _, name := range single {
		chains = append(chains, []string{name})
	}
	for _, names := range chains {
		t.Run(strings.Join(names, "+"), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { testPrompt(t, names) })
		})
	}
}

func testPrompt(t *testing.T, names []string) {
	pr, pw := io.Pipe()
	var w io.WriteCloser = pw
	encs := make([]flusher, len(names))
	for i := len(names) - 1; i >= 0; i-- {
		encs[i] = newEncoder(t, names[i], w)
		w = encs[i]
	}
	events := []string{"data: one\n\n", "data: " + strings.Repeat("two", 30_000) + "\n\n", "data: 3\n\n"}
	next := make(chan struct{})
	go func() {
		for _, event := range events {
			_, _ = io.WriteString(encs[0], event)
			for _, enc := range encs {
				_ = enc.Flush()
			}
			<-next
		}
		for _, enc := range encs {
			_ = enc.Close()
		}
		_ = pw.Close()
	}()

	r, err := NewReader(pr, []string{field(names...)}, Limits{})
	require.NoError(t, err)
	buf := make([]byte, 1<<20)
	for _, want := range events {
		n, err := io.ReadAtLeast(r, buf, len(want))
		require.NoError(t, err)
		require.Equal(t, want, string(buf[:n]))
		next <- struct{}{}
	}
	n, err := r.Read(buf)
	assert.Zero(t, n)
	assert.Equal(t, io.EOF, err)
	require.NoError(t, r.Close())
}

// Data that is whole is handed out before the wire is asked what follows it.
func TestPromptEnd(t *testing.T) {
	t.Parallel()
	for _, name := range single {
		body := encode(t, []byte("event"), name)
		asked := false
		wire := io.MultiReader(bytes.NewReader(body), readerFunc(func([]byte) (int, error) {
			asked = true
			return 0, io.EOF
		}))
		r, err := NewReader(wire, []string{field(name)}, Limits{})
		require.NoError(t, err)
		n, err := io.ReadFull(r, make([]byte, 5))
		assert.NoError(t, err)
		assert.Equal(t, 5, n)
		assert.False(t, asked, name)
		n, err = r.Read(make([]byte, 5))
		assert.Zero(t, n)
		assert.Equal(t, io.EOF, err)
		require.NoError(t, r.Close())
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestNothingIsReadAhead(t *testing.T) {
	t.Parallel()
	for _, name := range single {
		wire := &countReader{r: bytes.NewReader(encode(t, good(300_000), name))}
		r, err := NewReader(wire, []string{field(name)}, Limits{})
		require.NoError(t, err)
		assert.Zero(t, wire.n, "%s: read before the first Read", name)
		n, err := r.Read(nil)
		assert.Zero(t, n)
		assert.NoError(t, err)
		assert.Zero(t, wire.n, "%s: read for an empty Read", name)
		_, err = r.Read(make([]byte, 1))
		require.NoError(t, err)
		assert.LessOrEqual(t, wire.n, 128<<10+bufferSize, name) // a block of zstd
		require.NoError(t, r.Close())
	}
}

// countReader counts the bytes that it gives.
type countReader struct {
	r io.Reader
	n int
}

func (c *countReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// A wire that now and then gives nothing is asked again, but not for ever.
func TestNoProgress(t *testing.T) {
	t.Parallel()
	for _, name := range single {
		body := bytes.NewReader(encode(t, []byte("slow"), name))
		calls := 0
		wire := readerFunc(func(p []byte) (int, error) {
			if calls++; calls%3 != 0 {
				return 0, nil
			}
			return body.Read(p[:1])
		})
		got, err := decode(wire, Limits{}, field(name))
		assert.NoError(t, err, name)
		assert.Equal(t, "slow", string(got), name)

		_, err = decode(readerFunc(func([]byte) (int, error) { return 0, nil }), Limits{}, field(name))
		assert.True(t, errors.Is(err, io.ErrNoProgress), "%s: %v", name, err)
	}
}

type closeCounter struct {
	io.Reader
	n int
}

func (c *closeCounter) Close() error { c.n++; return nil }

func TestClose(t *testing.T) {
	t.Parallel()
	for _, name := range append(single, "gzip, zstd") {
		wire := &closeCounter{Reader: bytes.NewReader(encode(t, good(1000), strings.Split(name, ", ")...))}
		r, err := NewReader(wire, []string{field(name)}, Limits{})
		require.NoError(t, err)
		_, err = io.ReadFull(r, make([]byte, 10))
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.NoError(t, r.Close())
		n, err := r.Read(make([]byte, 10))
		assert.Zero(t, n)
		assert.Equal(t, ErrClosed, err)
		assert.Zero(t, wire.n, "the wire is the caller's to close")
	}
}

// Close during a Read returns at once; the decoders go back when the Read ends.
func TestCloseDuringRead(t *testing.T) {
	t.Parallel()
	for _, name := range single {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				pr, pw := io.Pipe()
				r, err := NewReader(pr, []string{field(name)}, Limits{})
				require.NoError(t, err)
				done := make(chan error)
				go func() {
					_, err := io.ReadAll(r)
					done <- err
				}()
				synctest.Wait() // the Read waits for the wire
				require.NoError(t, r.Close())
				require.NoError(t, r.Close())
				assert.NotNil(t, r.(*reader).layers[0].dec, "taken from under the Read")
				require.NoError(t, pw.CloseWithError(errWire))
				assert.Equal(t, errWire, <-done)
				assert.Nil(t, r.(*reader).layers[0].dec)
				_, err = r.Read(make([]byte, 1))
				assert.Equal(t, ErrClosed, err)
			})
		})
	}
}

// Close stops work that has no output to show.
func TestCloseStopsWork(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"gzip", "zstd"} {
		member := encode(t, nil, "gzip")
		if name == "zstd" {
			member = []byte("\x50\x2a\x4d\x18\x00\x00\x00\x00")
		}
		reads := 0
		var r io.ReadCloser
		endless := readerFunc(func(p []byte) (int, error) {
			if reads++; reads == 10_000 {
				_ = r.Close()
			}
			return copy(p, member), nil
		})
		r, err := NewReader(endless, []string{name}, Limits{})
		require.NoError(t, err)
		n, err := r.Read(make([]byte, 1))
		assert.Zero(t, n)
		assert.Equal(t, ErrClosed, err)
	}
}

// Decoders come back from the pool without a trace of what they did before,
// however they were left.
func TestPooled(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	var failed atomic.Int32
	for g := range 4 {
		wg.Go(func() {
			for i := range 40 {
				name := single[(g+i)%len(single)]
				want := good(100 + 37*i)
				body := encode(t, want, name)
				switch i % 4 {
				case 0: // left in the middle
					r, _ := NewReader(bytes.NewReader(body), []string{field(name)}, Limits{})
					_, _ = r.Read(make([]byte, 50))
					_ = r.Close()
				case 1: // left after a fault
					_, _ = decode(bytes.NewReader(body[:len(body)/2]), Limits{}, field(name))
				case 2:
					_, _ = decode(iotest.TimeoutReader(bytes.NewReader(good(99))), Limits{}, field(name))
				}
				got, err := decode(bytes.NewReader(body), Limits{}, field(name))
				if err != nil || !bytes.Equal(want, got) {
					failed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	assert.Zero(t, failed.Load())
}
