package requests

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// refusing is a server that refuses the upload once its head is there, keeps the
// connection, sends the answer's body later and reads on all the while.
func refusing(t testing.TB, later time.Duration) string {
	return rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
		readHead(r)
		_, _ = r.ReadByte()
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			_, _ = io.Copy(io.Discard, r)
		}()
		_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\n")
		time.Sleep(later)
		_, _ = io.WriteString(c, "large")
		<-drained
	})
}

// An upload without end is stopped by an answer that refuses it, though the
// server reads on and keeps the connection.
func TestRefusalStopsUpload(t *testing.T) {
	url := refusing(t, 0)
	ctx, cancel := context.WithTimeout(t.Context(), slack(5*time.Second))
	defer cancel()
	src := &watchedReader{Reader: &generated{1 << 50}}
	soon(t, slack(time.Second), func() {
		r, err := loopSession(t).Post(ctx, url, Body(src))
		require.NoError(t, err)
		assert.Equal(t, 413, r.StatusCode)
		assert.Equal(t, "large", r.Text())
	})
	src.after(t)
}

// What was not sent of the upload leaves the connection alone until the answer
// has been read, however late its body comes.
func TestRefusalWithLateBody(t *testing.T) {
	url := refusing(t, 150*time.Millisecond)
	for name, opt := range map[string]func() Option{
		"reader": func() Option { return Body(&generated{1 << 50}) },
		"pieces": func() Option {
			return BodyChunks(func(yield func([]byte, error) bool) {
				for yield(make([]byte, 1<<10), nil) {
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), slack(5*time.Second))
			defer cancel()
			r, err := loopSession(t).Post(ctx, url, opt())
			require.NoError(t, err)
			assert.Equal(t, 413, r.StatusCode)
			assert.Equal(t, "large", r.Text())
		})
	}
}

// A source that gives one byte more than it said: the server must not take what
// it said for a whole request.
func TestLongerBodyIsNeverWhole(t *testing.T) {
	for name, pieces := range map[string][]string{
		"in one piece":      {"0123456789x"},
		"behind the length": {"0123456789", "x"},
		"byte by byte":      strings.Split("0123456789x", ""),
	} {
		t.Run(name, func(t *testing.T) {
			got := make(chan string, 1)
			url := rawLoop(t, func(_ int, _ net.Conn, r *bufio.Reader) {
				assert.Contains(t, readHead(r), "Content-Length: 10\r\n")
				b, _ := io.ReadAll(r)
				got <- string(b)
			})
			src := func() (io.ReadCloser, error) { return &pieceReader{pieces: pieces, err: io.EOF}, nil }
			_, err := loopSession(t).Post(t.Context(), url, PayloadOf(FuncPayload(src, 10)))
			require.ErrorIs(t, err, ErrInvalidHeader)
			assert.Less(t, len(<-got), 10)
		})
	}
}

// heldReader gives what it holds, waits, and fails.
type heldReader struct {
	first string
	hold  <-chan struct{}
	err   error
}

func (h *heldReader) Read(p []byte) (int, error) {
	if h.first != "" {
		n := copy(p, h.first)
		h.first = h.first[n:]
		return n, nil
	}
	<-h.hold
	return 0, h.err
}

// A source that fails after an early answer: the server has half of a body, and
// its answer to it is no success.
func TestSourceFailsAfterEarlyAnswer(t *testing.T) {
	answered := make(chan struct{})
	url := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
		readHead(r)
		_, _ = io.WriteString(c, okEmpty)
		// The client has the answer, and waits for the upload.
		time.AfterFunc(2*stallLook, func() { close(answered) })
		_, _ = io.Copy(io.Discard, r)
	})
	soon(t, slack(2*time.Second), func() {
		_, err := loopSession(t).Post(t.Context(), url, Body(&heldReader{"half", answered, errBoom}))
		require.ErrorIs(t, err, errBoom)
		assert.NotErrorIs(t, err, ErrConnection)
		assert.True(t, asError(t, err).MaybeSent)
	})
}

// brokenPipe is a connection that takes nothing.
type brokenPipe struct{ net.Conn }

func (brokenPipe) Write([]byte) (int, error) { return 0, errBoom }

// A kept connection takes a request and dies, and the next one takes none of it:
// the server may have acted on what the first one took.
func TestMaybeSentBeforeRefusal(t *testing.T) {
	url := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
		if readHead(r) != "" {
			_, _ = io.WriteString(c, okEmpty)
			readHead(r)
		}
	})
	dials := 0
	s := tlsSession(t, &HTTPAdapter{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		dials++
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if dials == 1 || err != nil {
			return c, err
		}
		return brokenPipe{c}, nil
	}})
	_, err := s.Get(t.Context(), url)
	require.NoError(t, err)
	_, err = s.Get(t.Context(), url)
	require.ErrorIs(t, err, errBoom)
	assert.True(t, asError(t, err).MaybeSent)
	assert.Equal(t, 2, dials)
}

// closeTeller tells when it is read and when it is closed.
type closeTeller struct {
	begun  chan struct{}
	hold   chan struct{}
	closed atomic.Bool
}

func (c *closeTeller) Read([]byte) (int, error) {
	close(c.begun)
	<-c.hold
	return 1, nil
}

func (c *closeTeller) Close() error {
	c.closed.Store(true)
	return nil
}

// A source of ours that is being read when net/http closes the body is closed
// when its Read has returned, and not under it. HTTP/2 closes a body once.
func TestCloseDuringRead(t *testing.T) {
	src := &closeTeller{begun: make(chan struct{}), hold: make(chan struct{})}
	u := newUpload(FuncPayload(func() (io.ReadCloser, error) { return src, nil }, 1<<20))
	body, err := u.open()
	require.NoError(t, err)
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = body.Read(make([]byte, 10))
	}()
	<-src.begun
	require.NoError(t, body.Close())
	assert.False(t, src.closed.Load(), "closed under a Read")
	close(src.hold)
	<-read
	assert.True(t, src.closed.Load(), "left open")
}
