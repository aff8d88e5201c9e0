//go:build unix

package wire

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// overBoth runs f over a plain connection, and over one with TLS. server is the
// other end as the server has it, far the socket under that.
func overBoth(t *testing.T, f func(t *testing.T, c *Conn, server, far net.Conn)) {
	t.Run("plain", func(t *testing.T) {
		near, far := tcpPair(t)
		f(t, New(near), far, far)
	})
	t.Run("TLS", func(t *testing.T) {
		near, far := tcpPair(t)
		c, server := tlsOver(t, near, far)
		f(t, c, server, far)
	})
}

// A request goes out once, and before the transport writes it.
func TestSend(t *testing.T) {
	overBoth(t, func(t *testing.T, c *Conn, server, _ net.Conn) {
		for _, body := range []string{"", "body", strings.Repeat("x", smallBody)} {
			_, before := c.Counts()
			c.Arm(fixedHead(ourHead), 0, nil)
			c.Send([]byte(body))
			got := make([]byte, len(ourHead+body))
			_, err := io.ReadFull(server, got)
			require.NoError(t, err)
			require.Equal(t, ourHead+body, string(got))
			require.True(t, c.Answered(c.Turn()))
			writePieces(t, c, theirHead+body, 7)
			_, after := c.Counts()
			require.EqualValues(t, len(got), after-before)
			c.Rest(c.Turn())
		}
		// One that is written by the transport alone goes out behind them.
		c.Arm(fixedHead(ourHead), 0, nil)
		writePieces(t, c, theirHead+"late", 7)
		c.Close()
		rest, err := io.ReadAll(server)
		require.NoError(t, err)
		assert.Equal(t, ourHead+"late", string(rest))
	})
}

// guarded is a connection that has its own way with what is written.
type guarded struct {
	*net.TCPConn
	wrote bytes.Buffer
}

func (g *guarded) Write(b []byte) (int, error) {
	g.wrote.Write(b)
	return len(b), nil
}

// What Send must not send is left to the transport's writes.
func TestSendLeaves(t *testing.T) {
	tests := []struct {
		name  string
		terms Terms
		body  string
		do    func(c *Conn)
		err   error
	}{
		{"refused", 0, "", func(c *Conn) { c.Refuse(errSocket) }, errSocket},
		{"held by a response", Reused | Replayable, "", func(c *Conn) { c.Hold() }, ErrStale},
		{"lost before", Reused | Replayable | Again, "", func(*Conn) {}, ErrStale},
		{"large", 0, strings.Repeat("x", smallBody+1), func(*Conn) {}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			near, far := tcpPair(t)
			c := New(near)
			c.Arm(fixedHead(ourHead), tt.terms, nil)
			tt.do(c)
			c.Send([]byte(tt.body))
			_, written := c.Counts()
			require.Zero(t, written)
			_, err := c.Write([]byte(theirHead + tt.body))
			require.ErrorIs(t, err, tt.err)
			c.Close()
			got, err := io.ReadAll(far)
			require.NoError(t, err)
			assert.Equal(t, tt.err == nil, string(got) == ourHead+tt.body)
			assert.Equal(t, tt.err != nil, len(got) == 0)
		})
	}
	t.Run("wrapped", func(t *testing.T) {
		near, _ := tcpPair(t)
		g := &guarded{TCPConn: near.(*net.TCPConn)}
		c := New(g)
		c.Arm(fixedHead(ourHead), 0, nil)
		c.Send(nil)
		require.Zero(t, g.wrote.Len())
		writePieces(t, c, theirHead, 7)
		assert.Equal(t, ourHead, g.wrote.String())
	})
}

// A server may have answered, or gone, before the transport comes to write.
func TestSendAwaitsTheTransport(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	overBoth(t, func(t *testing.T, c *Conn, server, _ net.Conn) {
		c.Arm(fixedHead(ourHead), 0, nil)
		c.Send(nil)
		_, err := io.ReadFull(server, make([]byte, len(ourHead)))
		require.NoError(t, err)
		_, err = io.WriteString(server, answer)
		require.NoError(t, err)
		server.Close()
		type result struct {
			text string
			err  error
		}
		read := make(chan result)
		go func() {
			b, err := io.ReadAll(c)
			read <- result{string(b), err}
		}()
		require.Eventually(t, c.ahead.waits.Load, 10*time.Second, time.Millisecond)
		select {
		case r := <-read:
			t.Fatalf("read %q, %v before the request was written", r.text, r.err)
		default:
		}
		n, err := c.Write([]byte(theirHead))
		require.NoError(t, err)
		require.Equal(t, len(theirHead), n)
		assert.Equal(t, result{answer, nil}, <-read)
	})
}

// A transport that closes does not write any more, perhaps.
func TestSendOfClosed(t *testing.T) {
	overBoth(t, func(t *testing.T, c *Conn, _, _ net.Conn) {
		c.Arm(fixedHead(ourHead), 0, nil)
		c.Send(nil)
		done := make(chan error)
		go func() {
			_, err := c.Read(make([]byte, 1))
			done <- err
		}()
		c.Close()
		assert.Error(t, <-done)
		n, err := c.Write([]byte(theirHead))
		assert.NoError(t, err, "it went out")
		assert.Equal(t, len(theirHead), n)
	})
}

// fillUp writes until nothing more goes out, and returns how much went.
func fillUp(t *testing.T, c *Conn) (n int64) {
	t.Helper()
	require.True(t, c.socket.direct())
	block := make([]byte, 64<<10)
	for empty := 0; empty < 20; {
		m := c.socket.put(block)
		if n += int64(m); m > 0 {
			empty = 0
			continue
		}
		empty++ // the other end may yet make room
		time.Sleep(time.Millisecond)
	}
	return n
}

// Send does not wait for a server that reads nothing. The rest goes out with the
// transport's write, or is lost with the connection.
func TestSendDoesNotWait(t *testing.T) {
	body := strings.Repeat("x", smallBody)
	t.Run("rest", func(t *testing.T) {
		near, far := tcpPair(t)
		c := New(near)
		n := fillUp(t, c)
		c.Arm(fixedHead(ourHead), 0, nil)
		c.Send([]byte(body))
		got := make(chan string)
		go func() {
			_, _ = io.CopyN(io.Discard, far, n)
			b, _ := io.ReadAll(far)
			got <- string(b)
		}()
		writePieces(t, c, theirHead+body, 7)
		_, written := c.Counts()
		assert.EqualValues(t, len(ourHead+body), written)
		c.Close()
		assert.Equal(t, ourHead+body, <-got)
	})
	t.Run("rest of TLS", func(t *testing.T) {
		near, far := tcpPair(t)
		held := &holding{Conn: far}
		c, server := tlsOver(t, near, held)
		n := fillUp(t, c)
		c.Arm(fixedHead(ourHead), 0, nil)
		c.Send([]byte(body))
		held.skip = n // what filled the socket is not TLS's
		got := make(chan string)
		go func() {
			b, _ := io.ReadAll(server)
			got <- string(b)
		}()
		writePieces(t, c, theirHead+body, 7)
		c.Close()
		assert.Equal(t, ourHead+body, <-got)
	})
	overBoth(t, func(t *testing.T, c *Conn, _, far net.Conn) {
		for went := true; went; { // while the system finds some more room
			fillUp(t, c)
			c.Arm(fixedHead(ourHead), 0, nil)
			c.Send(nil)
			went = c.ahead.began
		}
		require.NoError(t, far.(*net.TCPConn).SetLinger(0))
		far.Close()
		n, err := c.Write([]byte(theirHead))
		require.Error(t, err)
		assert.Zero(t, n, "nothing of it went out")
	})
}

// What TLS writes goes out in order, whoever waits.
func TestUnderTLSKeepsOrder(t *testing.T) {
	near, far := tcpPair(t)
	u := Under(near)
	n := fillUp(t, &Conn{socket: u.socket})
	u.try()
	for _, text := range []string{"first", "second"} {
		m, err := u.Write([]byte(text))
		require.NoError(t, err)
		require.Equal(t, len(text), m)
		// There is room for the second, which has to wait for the first.
		_, err = io.CopyN(io.Discard, far, n)
		require.NoError(t, err)
		n = 0
	}
	u.tried()
	_, err := u.Write([]byte("third"))
	require.NoError(t, err)
	got := make([]byte, len("firstsecondthird"))
	_, err = io.ReadFull(far, got)
	require.NoError(t, err)
	require.Equal(t, "firstsecondthird", string(got))
	u.try()
	_, err = u.Write([]byte("fourth"))
	require.NoError(t, err)
	require.True(t, u.tried())
	u.try()
	require.False(t, u.tried(), "nothing was written meanwhile")
	near.Close()
	rest, err := io.ReadAll(far)
	require.NoError(t, err)
	assert.Equal(t, "fourth", string(rest))
}

// holding is a connection whose first bytes are not its reader's.
type holding struct {
	net.Conn
	skip int64
}

func (h *holding) Read(b []byte) (int, error) {
	if h.skip > 0 {
		if _, err := io.CopyN(io.Discard, h.Conn, h.skip); err != nil {
			return 0, err
		}
		h.skip = 0
	}
	return h.Conn.Read(b)
}

// Where some of a request went out the transport must not take it for one that
// did not.
func TestDropCounts(t *testing.T) {
	for _, tt := range []struct {
		name  string
		began bool
		room  int
		want  int
	}{
		{"nothing", false, 0, 0},
		{"some before", true, 0, 1},
		{"some now", false, 3, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := New(&fakeSocket{room: tt.room})
			c.Arm(fixedHead(ourHead), 0, nil)
			c.ahead.on, c.ahead.began, c.ahead.rest = true, tt.began, []byte("rest")
			n, err := c.Write([]byte(theirHead))
			assert.ErrorIs(t, err, errSocket)
			assert.Equal(t, tt.want, n)
		})
	}
}
