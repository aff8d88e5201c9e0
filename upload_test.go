package requests

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// watchedReader tells whether it is read after it must not be.
type watchedReader struct {
	io.Reader
	over  atomic.Bool // Send has returned
	under atomic.Int64
	late  atomic.Bool
}

func (w *watchedReader) Read(p []byte) (int, error) {
	w.under.Add(1)
	defer w.under.Add(-1)
	if w.over.Load() {
		w.late.Store(true)
	}
	n, err := w.Reader.Read(p)
	if w.over.Load() {
		w.late.Store(true)
	}
	return n, err
}

// after is called when Send has returned.
func (w *watchedReader) after(t testing.TB) {
	t.Helper()
	w.over.Store(true)
	assert.Zero(t, w.under.Load(), "a Read is under way")
	time.Sleep(20 * time.Millisecond)
	assert.False(t, w.late.Load(), "read after Send")
}

// An answer that comes before the body is sent is the answer.
func TestEarlyAnswer(t *testing.T) {
	tests := []struct {
		name, answer string
		status       int
		whole        bool // the body is sent to its end all the same
	}{
		{"refused", "HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge", 413, false},
		{"refused and kept", "HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\nlarge", 403, false},
		{"taken and closed", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge", 200, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			hold := make(chan struct{})
			url := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
				readHead(r)
				_, _ = io.WriteString(c, tt.answer)
				<-hold
			})
			defer close(hold)
			src := &watchedReader{Reader: &generated{1 << 40}}
			soon(t, slack(time.Second), func() {
				r, err := loopSession(t).Post(t.Context(), url, Body(src))
				require.NoError(t, err)
				assert.Equal(t, tt.status, r.StatusCode)
				assert.Equal(t, "large", r.Text())
			})
			src.after(t)
		})
	}
}

// A server that answers while it goes on reading gets the whole body.
func TestEarlyAnswerThatGoesOn(t *testing.T) {
	const size = 8 << 20
	got := make(chan int64, 1)
	url := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
		readHead(r)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		n, _ := io.CopyN(io.Discard, r, size)
		got <- n
	})
	src := &watchedReader{Reader: &generated{size}}
	r, err := loopSession(t).Post(t.Context(), url, PayloadOf(&Payload{reader: src, length: size}))
	require.NoError(t, err)
	assert.Equal(t, "ok", r.Text())
	src.after(t)
	assert.EqualValues(t, size, <-got)
}

// Where the answer came early and the source gives nothing more, the end of the
// caller's context ends the call.
func TestEarlyAnswerWhenTheContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	url := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
		readHead(r)
		_, _ = r.ReadByte()
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		time.AfterFunc(stallLook, cancel)
		_, _ = io.Copy(io.Discard, r)
	})
	src, more := io.Pipe()
	go func() { _, _ = more.Write([]byte("a")) }()
	defer src.Close()
	soon(t, slack(time.Second), func() {
		_, err := loopSession(t).Post(ctx, url, Body(src))
		require.ErrorIs(t, err, context.Canceled)
		assert.NotErrorIs(t, err, ErrTimeout)
		assert.True(t, asError(t, err).MaybeSent)
	})
}

// After an error, too, nobody reads the caller's reader.
func TestReaderIsFreeAfterError(t *testing.T) {
	url := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
		readHead(r)
		_ = c.(*net.TCPConn).SetLinger(0)
	})
	for _, opts := range [][]Option{nil, {Stream()}} {
		src := &watchedReader{Reader: &generated{1 << 40}}
		_, err := loopSession(t).Post(t.Context(), url, append(opts, Body(src))...)
		require.ErrorIs(t, err, ErrConnection)
		assert.True(t, asError(t, err).MaybeSent)
		src.after(t)
	}
}

// A reader that gives more, or less, than it said is a typed error.
func TestBodyOfWrongLength(t *testing.T) {
	url := loopServer(t, echoBody)
	for _, tt := range []struct {
		name   string
		said   int64
		length int
	}{
		{"shorter", 10, 5},
		{"longer", 10, 15},
		{"much shorter", 1 << 20, 5},
		{"much longer", 10, 1 << 20},
		{"nothing", 10, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			open := func() (io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader(strings.Repeat("x", tt.length))), nil
			}
			_, err := loopSession(t).Post(t.Context(), url, PayloadOf(FuncPayload(open, tt.said)))
			require.ErrorIs(t, err, ErrInvalidHeader)
			assert.NotErrorIs(t, err, ErrConnection)
			assert.Contains(t, err.Error(), fmt.Sprint(tt.said))
		})
	}
	// What was said to be nothing is nothing, and one that is right is right.
	for _, n := range []int{0, 1, 1 << 20} {
		open := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(strings.Repeat("x", n))), nil }
		r, err := loopSession(t).Post(t.Context(), url, PayloadOf(FuncPayload(open, int64(n))))
		require.NoError(t, err)
		assert.Len(t, r.Content(), n)
	}
}

// The source's own error is told, in whatever way the body is given.
func TestSourceError(t *testing.T) {
	url := loopServer(t, echoBody)
	var stopped bool
	for name, opt := range map[string]func() Option{
		"at once":     func() Option { return Body(&pieceReader{err: errBoom}) },
		"after a bit": func() Option { return Body(&pieceReader{pieces: []string{"abc"}, err: errBoom}) },
		"pieces":      func() Option { return BodyChunks(failingSeq(&stopped, "abc")) },
		"open": func() Option {
			return PayloadOf(FuncPayload(func() (io.ReadCloser, error) { return nil, errBoom }, 3))
		},
		"of ours": func() Option { return Body(&pieceReader{err: &Error{kind: ErrInvalidHeader, Err: errBoom}}) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, opts := range [][]Option{nil, {Stream()}} {
				_, err := loopSession(t).Post(t.Context(), url, append(opts, opt())...)
				require.ErrorIs(t, err, ErrRequest)
				assert.NotErrorIs(t, err, ErrConnection)
				assert.ErrorIs(t, err, errBoom)
				if name == "of ours" {
					assert.ErrorIs(t, err, ErrInvalidHeader)
				}
			}
		})
	}
}

// The caller's reader is never closed; what we opened is.
func TestWhoCloses(t *testing.T) {
	url := loopServer(t, echoBody)
	mine := &pieceReader{pieces: []string{"abc"}, err: io.EOF}
	_, err := loopSession(t).Post(t.Context(), url, Body(mine))
	require.NoError(t, err)
	assert.Zero(t, mine.closed)

	var open atomic.Int64
	opener := func() (io.ReadCloser, error) {
		open.Add(1)
		return closeCounter{strings.NewReader("abc"), &open}, nil
	}
	r, err := loopSession(t).Post(t.Context(), url, PayloadOf(FuncPayload(opener, 3)))
	require.NoError(t, err)
	assert.Equal(t, "abc", r.Text())
	require.Eventually(t, func() bool { return open.Load() == 0 }, 5*time.Second, time.Millisecond)
}

// Each piece of an iterator is one chunk on the wire.
func TestPiecesAreChunks(t *testing.T) {
	bodies := make(chan string, 1)
	url := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
		readHead(r)
		var raw strings.Builder
		for !strings.HasSuffix(raw.String(), "0\r\n\r\n") {
			b, err := r.ReadByte()
			if err != nil {
				return
			}
			raw.WriteByte(b)
		}
		bodies <- raw.String()
		_, _ = io.WriteString(c, okEmpty)
	})
	long := strings.Repeat("x", 100<<10)
	for _, method := range []string{"POST", "GET", "DELETE"} {
		_, err := loopSession(t).Do(t.Context(), method, url, BodyChunks(seqOf("abc", "", long, "d")))
		require.NoError(t, err)
		assert.Equal(t, fmt.Sprintf("3\r\nabc\r\n%x\r\n%s\r\n1\r\nd\r\n0\r\n\r\n", len(long), long), <-bodies)
	}
}

// flaky answers the n-th request, counted from 1, and closes the connection
// without a word on those before. It takes down the bodies.
func flaky(t testing.TB, n int) (url string, bodies func() []string) {
	var mu sync.Mutex
	var got []string
	url = rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			b, err := io.ReadAll(req.Body)
			if err != nil {
				return
			}
			mu.Lock()
			got = append(got, string(b))
			count := len(got)
			mu.Unlock()
			if count < n {
				return
			}
			if _, err := io.WriteString(c, okEmpty); err != nil {
				return
			}
		}
	})
	return url, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return got
	}
}

// A retry sends the body again byte for byte, or not at all.
func TestRetryReplaysBody(t *testing.T) {
	for name, opt := range map[string]func() Option{
		"bytes":  func() Option { return BodyText("abc") },
		"seeker": func() Option { return Body(movedTo(strings.NewReader("xxabc"), 2)) },
		"opener": func() Option {
			return PayloadOf(FuncPayload(func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("abc")), nil }, -1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			url, bodies := flaky(t, 3)
			r, err := tlsSession(t, &HTTPAdapter{MaxRetries: &Retry{Total: 3}}).Put(t.Context(), url, opt())
			require.NoError(t, err)
			assert.Equal(t, []string{"abc", "abc", "abc"}, bodies())
			assert.Len(t, r.Attempts(), 2)
			for _, a := range r.Attempts() {
				assert.ErrorIs(t, a.Err, ErrConnection)
			}
		})
	}
	url, bodies := flaky(t, 3)
	_, err := tlsSession(t, &HTTPAdapter{MaxRetries: &Retry{Total: 3}}).
		Put(t.Context(), url, Body(onlyReader{strings.NewReader("abc")}))
	require.ErrorIs(t, err, ErrUnrewindableBody)
	assert.ErrorIs(t, err, ErrConnection, "what the try came to is in it")
	assert.Equal(t, []string{"abc"}, bodies())
	assert.True(t, asError(t, err).MaybeSent)
}

// A body that can be sent only once was not sent where no connection was made.
func TestRetryOfUnsentBody(t *testing.T) {
	url := loopServer(t, echoBody)
	for name, body := range map[string]func() Option{
		"reader": func() Option { return Body(onlyReader{strings.NewReader("abc")}) },
		"pieces": func() Option {
			return BodyChunks(func(yield func([]byte, error) bool) { _ = yield([]byte("a"), nil) && yield([]byte("bc"), nil) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			refused := 2
			a := &HTTPAdapter{MaxRetries: &Retry{Total: 3}, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				if refused--; refused >= 0 {
					return nil, syscall.ECONNREFUSED
				}
				return new(net.Dialer).DialContext(ctx, network, address)
			}}
			s := tlsSession(t, a)
			r, err := s.Put(t.Context(), url, body())
			require.NoError(t, err)
			assert.Equal(t, "abc", r.Text())
			assert.Len(t, r.Attempts(), 2)

			refused = 1
			require.NoError(t, s.Close())
			a.MaxRetries = nil
			opt := body()
			_, err = s.Put(t.Context(), url, opt)
			require.ErrorIs(t, err, syscall.ECONNREFUSED)
			r, err = s.Put(t.Context(), url, opt)
			require.NoError(t, err, "the call may be made again")
			assert.Equal(t, "abc", r.Text())
		})
	}
}

// A kept connection that the server has closed costs a request nothing, even
// one whose body can be sent only once.
func TestStaleConnection(t *testing.T) {
	var conns atomic.Int64
	closed := make(chan struct{}, 10)
	url := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
		conns.Add(1)
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		b, _ := io.ReadAll(req.Body)
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(b), b)
		c.Close()
		closed <- struct{}{}
	})
	s := loopSession(t)
	for i, opt := range []Option{BodyText("abc"), Body(strings.NewReader("abc")), Body(onlyReader{strings.NewReader("abc")}), BodyChunks(seqOf("a", "bc"))} {
		r, err := s.Post(t.Context(), url, opt)
		require.NoError(t, err, "request %d", i)
		assert.Equal(t, "abc", r.Text())
		<-closed
	}
	assert.EqualValues(t, 4, conns.Load())
}

// A request that connection after connection loses ends.
func TestResendsAreBounded(t *testing.T) {
	var requests, conns atomic.Int64
	url := rawLoop(t, func(n int, c net.Conn, r *bufio.Reader) {
		conns.Add(1)
		for first := true; readHead(r) != ""; first = false {
			requests.Add(1)
			if !first {
				return // without a word: the transport sends it again elsewhere
			}
			if _, err := io.WriteString(c, okEmpty); err != nil {
				return
			}
		}
	})
	s := loopSession(t)
	// Open several connections, all of which will lose their second request.
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			r, err := s.Get(t.Context(), url, Stream())
			if assert.NoError(t, err) {
				time.Sleep(20 * time.Millisecond)
				assert.Empty(t, r.Content())
			}
		})
	}
	wg.Wait()
	before := requests.Load()
	_, _ = s.Get(t.Context(), url)
	assert.LessOrEqual(t, requests.Load()-before, int64(3), "sent again and again")
}

// Uploads of many goroutines at once, each with its own reader.
func TestConcurrentUploads(t *testing.T) {
	url := loopServer(t, echoBody)
	s := loopSession(t)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 10 {
				want := strings.Repeat(fmt.Sprintf("%d-%d ", i, j), 1000*(j%3))
				var opt Option
				switch j % 4 {
				case 0:
					opt = BodyText(want)
				case 1:
					opt = Body(onlyReader{strings.NewReader(want)})
				case 2:
					opt = BodyChunks(seqOf(want, ""))
				default:
					opt = Body(strings.NewReader(want))
				}
				r, err := s.Post(t.Context(), url, opt)
				if assert.NoError(t, err) {
					assert.Equal(t, want, r.Text())
				}
			}
		})
	}
	wg.Wait()
}

// The piece that a failed write took is not lost with the error.
func TestChunkUploadWriteFails(t *testing.T) {
	p := ChunksPayload(seqOf("abc", "d"))
	u := newUpload(p)
	rc, err := u.open()
	require.NoError(t, err)
	_, err = rc.(io.WriterTo).WriteTo(&writesOf{fail: 1})
	assert.ErrorIs(t, err, errBoom)
	require.NoError(t, rc.Close())
	u.end()
	u.end()

	u = newUpload(TextPayload("abc"))
	rc, err = u.open()
	require.NoError(t, err)
	u.stopped.Store(true)
	u.end()
	_, err = rc.Read(make([]byte, 3))
	assert.True(t, errors.Is(err, errUploadStopped))
	assert.NoError(t, u.failure())
}
