package tunnel

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A scriptConn is a connection whose peer has said everything beforehand. It
// needs no goroutine and hands out its bytes in pieces of chosen sizes.
type scriptConn struct {
	net.Conn // nil: what is not overridden must not be called

	script   []byte
	sizes    []byte // of the pieces, used in a circle; zero stands for 256
	reads    int
	writeErr error
	readErr  error // after the script; nil stands for io.EOF
	sent     bytes.Buffer
}

func (c *scriptConn) Read(p []byte) (int, error) {
	if len(c.script) == 0 {
		if c.readErr != nil {
			return 0, c.readErr
		}
		return 0, io.EOF
	}
	n := len(p)
	if len(c.sizes) > 0 {
		size := int(c.sizes[c.reads%len(c.sizes)])
		if size == 0 {
			size = 256
		}
		n = min(n, size)
		c.reads++
	}
	n = copy(p[:n], c.script)
	c.script = c.script[n:]
	return n, nil
}

func (c *scriptConn) Write(p []byte) (int, error) {
	if c.writeErr != nil {
		return 0, c.writeErr
	}
	return c.sent.Write(p)
}

func (c *scriptConn) SetDeadline(time.Time) error { return nil }

// said is a connection whose peer says all of s at once.
func said(s string) *scriptConn { return &scriptConn{script: []byte(s)} }

// A peer is the other end of a pipe, as a proxy that the test plays.
type peer struct {
	net.Conn
	t *testing.T
}

// pipe returns both ends of a connection, closed with the test.
func pipe(t *testing.T) (net.Conn, peer) {
	t.Helper()
	a, b := net.Pipe()
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, peer{b, t}
}

// expect reads want.
func (p peer) expect(want string) {
	p.t.Helper()
	got := make([]byte, len(want))
	_, err := io.ReadFull(p, got)
	assert.NoError(p.t, err)
	assert.Equal(p.t, want, string(got))
}

// say writes s.
func (p peer) say(s string) {
	p.t.Helper()
	_, err := io.WriteString(p, s)
	assert.NoError(p.t, err)
}

// everyWay runs a test for each function of the package, against a proxy that
// reads the first message and then does what the test says.
func everyWay(t *testing.T, run func(t *testing.T, open func(context.Context, net.Conn) error)) {
	for name, open := range map[string]func(context.Context, net.Conn) error{
		"Connect": func(ctx context.Context, conn net.Conn) error {
			_, err := Connect(ctx, conn, "a.test:443", nil, Limits{})
			return err
		},
		"SOCKS5": func(ctx context.Context, conn net.Conn) error {
			return SOCKS5(ctx, conn, Addr{Host: "a.test", Port: 443}, "", "", false)
		},
		"SOCKS4A": func(ctx context.Context, conn net.Conn) error {
			return SOCKS4A(ctx, conn, "a.test", 443, "")
		},
	} {
		t.Run(name, func(t *testing.T) { run(t, open) })
	}
}

func TestContextEndsAtOnce(t *testing.T) {
	everyWay(t, func(t *testing.T, open func(context.Context, net.Conn) error) {
		t.Run("deadline", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn, proxy := pipe(t)
				go io.Copy(io.Discard, proxy) // hears and never answers
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				start := time.Now()
				err := open(ctx, conn)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, 3*time.Second, time.Since(start))
				conn.Close()
			})
		})
		t.Run("cancel", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn, _ := pipe(t) // nobody reads: the write blocks
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { cancel(os.ErrProcessDone) })
				start := time.Now()
				err := open(ctx, conn)
				assert.ErrorIs(t, err, context.Canceled)
				assert.ErrorIs(t, err, os.ErrProcessDone)
				assert.Equal(t, time.Second, time.Since(start))
			})
		})
		t.Run("before", func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			conn := said("")
			assert.Equal(t, context.Canceled, open(ctx, conn))
			assert.Empty(t, conn.sent.String())
		})
	})
}

// TestDeadlinesRestored uses a connection on after the context of its tunnel
// has ended, during and after the call.
func TestDeadlinesRestored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, proxy := pipe(t)
		ctx, cancel := context.WithCancel(t.Context())
		err := guard(ctx, conn, func() error {
			cancel()
			synctest.Wait() // the deadline has been set
			_, err := conn.Read(make([]byte, 1))
			return err
		})
		assert.Equal(t, context.Canceled, err)

		go proxy.say("x")
		got := make([]byte, 1)
		_, err = io.ReadFull(conn, got)
		require.NoError(t, err)
		assert.Equal(t, "x", string(got))
	})
	synctest.Test(t, func(t *testing.T) {
		conn, proxy := pipe(t)
		ctx, cancel := context.WithCancel(t.Context())
		require.NoError(t, guard(ctx, conn, func() error { return nil }))
		cancel()
		synctest.Wait()
		go proxy.say("x")
		_, err := conn.Read(make([]byte, 1))
		assert.NoError(t, err)
	})
}

// TestCutShort ends the connection after every number of bytes of a good
// answer.
func TestCutShort(t *testing.T) {
	answers := map[string]string{
		"Connect": "HTTP/1.1 200 OK\r\nA: b\r\n\r\n",
		"SOCKS5":  "\x05\x00\x05\x00\x00\x03\x03abc\x00\x50",
		"SOCKS4A": "\x00\x5a\x00\x50\x01\x02\x03\x04",
	}
	everyWay(t, func(t *testing.T, open func(context.Context, net.Conn) error) {
		answer := answers[t.Name()[len("TestCutShort/"):]]
		for n := range len(answer) {
			err := open(t.Context(), said(answer[:n]))
			var protocol *ProtocolError
			require.ErrorAs(t, err, &protocol, "after %d bytes", n)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, "after %d bytes", n)
			assert.ErrorContains(t, err, "the proxy closed the connection")
			assert.ErrorContains(t, err, protocol.Protocol)
		}
		assert.NoError(t, open(t.Context(), said(answer)))
	})
}

// TestBrokenConnection has an error of the system come through, both ways.
func TestBrokenConnection(t *testing.T) {
	everyWay(t, func(t *testing.T, open func(context.Context, net.Conn) error) {
		for name, conn := range map[string]*scriptConn{
			"read":  {readErr: syscall.ECONNRESET},
			"write": {writeErr: syscall.ECONNRESET},
		} {
			t.Run(name, func(t *testing.T) {
				err := open(t.Context(), conn)
				assert.ErrorIs(t, err, syscall.ECONNRESET)
				var protocol *ProtocolError
				assert.False(t, errors.As(err, &protocol), "%v", err)
			})
		}
	})
}

func TestReplayConn(t *testing.T) {
	beneath := said("later")
	c := &replayConn{Conn: beneath, early: []byte("early")}
	n, err := c.Read(nil)
	require.NoError(t, err)
	assert.Zero(t, n)
	p := make([]byte, 3)
	for _, want := range []string{"ear", "ly", "lat", "er"} {
		n, err := c.Read(p)
		require.NoError(t, err)
		assert.Equal(t, want, string(p[:n]))
	}
	assert.Same(t, beneath, c.NetConn())
}
