package wire

import (
	"bytes"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// wakes is for how many bytes a reader of the socket is waked.
func wakes(t *testing.T, s *socket) int {
	t.Helper()
	return option(t, s, syscall.SOL_SOCKET, syscall.SO_RCVLOWAT)
}

func option(t *testing.T, s *socket, level, name int) (n int) {
	t.Helper()
	require.NoError(t, s.raw.Control(func(fd uintptr) {
		var err error
		n, err = syscall.GetsockoptInt(int(fd), level, name)
		assert.NoError(t, err)
	}))
	return n
}

// The peer can go on while the reader is waked.
func TestGatherLeavesRoom(t *testing.T) {
	raw, _ := tcpPair(t)
	s := newSocket(raw)
	new(gather).before(s, 1, 0, 1<<40)
	assert.GreaterOrEqual(t, option(t, s, syscall.IPPROTO_TCP, syscall.TCP_WINDOW_CLAMP), 4*wakes(t, s))

	raw, _ = tcpPair(t)
	s = newSocket(raw)
	require.NoError(t, raw.(*net.TCPConn).SetReadBuffer(256<<10)) // a caller's, which stays
	room := option(t, s, syscall.SOL_SOCKET, syscall.SO_RCVBUF)
	new(gather).before(s, 1, 0, 1<<40)
	assert.Equal(t, room, option(t, s, syscall.SOL_SOCKET, syscall.SO_RCVBUF))
	assert.Equal(t, room/8, wakes(t, s))
}

func TestGather(t *testing.T) {
	raw, _ := tcpPair(t)
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

// A connection that is not package net's own is read as it was.
func TestGatherLeaves(t *testing.T) {
	raw, _ := tcpPair(t)
	var g gather
	for _, c := range []net.Conn{&guarded{TCPConn: raw.(*net.TCPConn)}, struct{ net.Conn }{raw}} {
		g.before(newSocket(c), 1, 0, 1<<40)
		assert.Equal(t, 1, wakes(t, newSocket(raw)))
	}
}

// largeHeads begin a large body, of known length or in one chunk.
var largeHeads = map[string]string{
	"length": "HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n",
	"chunk":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n800000\r\n",
}

// asked writes a request, which server reads.
func asked(t *testing.T, c *Conn, server net.Conn) {
	t.Helper()
	c.Arm(fixedHead(ourHead), 0, nil)
	writePieces(t, c, theirHead)
	_, err := io.ReadFull(server, make([]byte, len(ourHead)))
	require.NoError(t, err)
}

// A large body is read in large reads, until it pauses.
func TestGatherOfConn(t *testing.T) {
	for name, head := range largeHeads {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, c *Conn, server, _ net.Conn) {
				asked(t, c, server)
				_, err := io.WriteString(server, head+"abcd")
				require.NoError(t, err)
				_, err = io.ReadFull(c, make([]byte, len(head)))
				require.NoError(t, err)
				synctest.Test(t, func(t *testing.T) {
					_, err := io.ReadFull(c, make([]byte, 2))
					require.NoError(t, err)
					assert.Equal(t, gatherSize, wakes(t, c.socket))
					time.Sleep(3 * gatherTime)
					assert.Equal(t, 1, wakes(t, c.socket))
				})
			})
		})
	}
}

// What came is read when no more comes, though much is announced, and so are the
// response that comes next and an end.
func TestGatherLosesNothing(t *testing.T) {
	body := make([]byte, 8<<20)
	for i := range body {
		body[i] = byte(i % 251)
	}
	overBoth(t, func(t *testing.T, c *Conn, server, _ net.Conn) {
		require.NoError(t, c.SetReadDeadline(time.Now().Add(30*time.Second)))
		pass := func(b []byte) {
			t.Helper()
			go func() { _, _ = server.Write(b) }()
			got := make([]byte, len(b))
			_, err := io.ReadFull(c, got)
			require.NoError(t, err)
			require.True(t, bytes.Equal(b, got))
		}
		const first = 3<<20 + 12345
		for range 2 {
			asked(t, c, server)
			pass([]byte(largeHeads["length"]))
			rest := body
			for _, n := range []int{first, 1, 1000, 2 << 20} {
				pass(rest[:n])
				rest = rest[n:]
			}
			pass(rest)
			c.Rest(c.Turn())
		}
		asked(t, c, server)
		pass([]byte("HTTP/1.1 204 No Content\r\n\r\n"))
		c.Rest(c.Turn())
		asked(t, c, server)
		pass([]byte(largeHeads["length"]))
		pass(body[:first])
		server.Close()
		_, err := c.Read(make([]byte, 1))
		assert.Equal(t, io.EOF, err)
	})
}
