package wire

import (
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// connected is a connection and its peer, over a loopback.
func connected(t *testing.T) (c, peer net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	c, err = net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	peer, err = l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { peer.Close() })
	return c, peer
}

// wakes is for how many bytes a reader of the socket is waked.
func wakes(t *testing.T, s *socket) (n int) {
	t.Helper()
	require.NoError(t, s.raw.Control(func(fd uintptr) {
		var err error
		n, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT)
		assert.NoError(t, err)
	}))
	return n
}

func TestGather(t *testing.T) {
	raw, _ := connected(t)
	s := newSocket(raw)
	const enough, rest, step = 2 * gatherSize, gatherSize + gatherRest, gatherTime / 2
	synctest.Test(t, func(t *testing.T) {
		var g gather
		before := func(turn, read int64, left uint64) int {
			g.before(s, turn, read, left)
			return wakes(t, s)
		}
		assert.Equal(t, 1, before(1, 0, enough-1), "little is to come")
		for range 2 { // chunks
			assert.Equal(t, gatherSize, before(1, 0, enough))
			for range 10 {
				time.Sleep(step)
				assert.Equal(t, gatherSize, before(1, 0, rest), "it is read")
			}
			assert.Equal(t, 1, before(1, 0, rest-1), "little is left")
		}
		assert.Equal(t, gatherSize, before(1, 0, enough))

		// A pause ends it, until more was read.
		read := int64(0)
		for range 3 {
			time.Sleep(gatherTime + step)
			assert.Equal(t, gatherSize, wakes(t, s))
			time.Sleep(gatherTime)
			assert.Equal(t, 1, wakes(t, s))
			assert.Equal(t, 1, before(1, read, enough))
			assert.Equal(t, 1, before(1, read+gatherPause-1, enough))
			read += gatherPause
			assert.Equal(t, gatherSize, before(1, read, enough))
		}
		time.Sleep(3 * gatherTime)
		assert.Equal(t, 1, before(1, read, enough))
		// Of the next body nothing is known.
		assert.Equal(t, gatherSize, before(2, read, enough))
		assert.Equal(t, 1, before(2, read, 0))
	})
}

// wrapped hides what it wraps but for its socket.
type wrapped struct{ *net.TCPConn }

func TestGatherLeaves(t *testing.T) {
	raw, _ := connected(t)
	var g gather
	for _, c := range []net.Conn{wrapped{raw.(*net.TCPConn)}, struct{ net.Conn }{raw}} {
		g.before(newSocket(c), 1, 0, 1<<40)
		assert.Equal(t, 1, wakes(t, newSocket(raw)))
	}
}

// What came is read when no more comes, though much is announced; and so is the
// response that comes next, and an end.
func TestGatherLosesNothing(t *testing.T) {
	raw, peer := connected(t)
	c := New(raw)
	const size, first = 8 << 20, 3<<20 + 12345
	body := strings.Repeat("x", size)
	read := func(n int) string {
		b := make([]byte, n)
		require.NoError(t, raw.SetReadDeadline(time.Now().Add(10*time.Second)))
		n, err := io.ReadFull(c, b)
		require.NoError(t, err)
		return string(b[:n])
	}
	send := func(s string) {
		go func() { _, _ = io.WriteString(peer, s) }()
	}
	for range 2 {
		c.Arm(fixedHead(ourHead), 0, nil)
		writePieces(t, c, theirHead)
		head := "HTTP/1.1 200 OK\r\nContent-Length: " + strconv.Itoa(size) + "\r\n\r\n"
		send(head + body[:first])
		read(len(head) + first)
		for _, n := range []int{1, 1000, 2 << 20} {
			send(body[:n])
			read(n)
		}
		last := size - first - 1 - 1000 - 2<<20
		send(body[:last])
		read(last)
		c.Rest(c.Turn())
	}
	c.Arm(fixedHead(ourHead), 0, nil)
	writePieces(t, c, theirHead)
	send("HTTP/1.1 204 No Content\r\n\r\n")
	assert.Equal(t, "HTTP/1.1 204 No Content\r\n\r\n", read(27))
}

// An end in the middle of a large body is told at once.
func TestGatherSeesTheEnd(t *testing.T) {
	raw, peer := connected(t)
	c := New(raw)
	c.Arm(fixedHead(ourHead), 0, nil)
	writePieces(t, c, theirHead)
	const head = "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n"
	go func() {
		_, _ = io.WriteString(peer, head+"abc")
		_ = peer.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(c)
	require.NoError(t, err)
	assert.Equal(t, head+"abc", string(got))
}
