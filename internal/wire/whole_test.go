package wire

import (
	"io"
	"net"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// answered is a connection of which a request was written, and to which the peer
// writes the pieces of an answer, each of which is one read. It reads whatever
// else is written.
func answered(t *testing.T, terms Terms, ask func(c *Conn), pieces ...string) *Conn {
	t.Helper()
	raw, peer := net.Pipe()
	c := New(raw)
	t.Cleanup(func() { c.Close() })
	go func() {
		defer peer.Close()
		_, _ = io.ReadFull(peer, make([]byte, len(ourHead)))
		go func() { _, _ = io.Copy(io.Discard, peer) }()
		for _, piece := range pieces {
			if _, err := io.WriteString(peer, piece); err != nil {
				return
			}
		}
	}()
	c.Arm(fixedHead(ourHead), terms)
	if ask != nil {
		ask(c)
	}
	writePieces(t, c, theirHead)
	return c
}

// A response that one read brings leaves the transport with the head of one that
// has no body; any other goes to it as it came.
func TestWholeResponse(t *testing.T) {
	const head, body = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nX: 12\r\n\r\n", "Hello, world"
	const without = "HTTP/1.1 200 OK\r\nContent-Length: 00\r\nX: 12\r\n\r\n"
	tests := []struct {
		name   string
		terms  Terms
		most   int64
		pieces []string
		read   string // by the transport
		body   string // taken; empty for none
	}{
		{name: "one read", most: 12, pieces: []string{head + body}, read: without, body: body},
		{name: "after an interim head", most: 12, pieces: []string{"HTTP/1.1 103 Early Hints\r\n\r\n" + head + body}, read: "HTTP/1.1 103 Early Hints\r\n\r\n" + without, body: body},
		{name: "and more", most: 12, pieces: []string{head + body + "HTTP/1.1 200 OK\r\n\r\n"}, read: head + body},
		{name: "too long", most: 11, pieces: []string{head + body}, read: head + body},
		{name: "not asked for", pieces: []string{head + body}, read: head + body},
		{name: "head in pieces", most: 12, pieces: []string{head[:20], head[20:] + body}, read: head + body},
		{name: "body in pieces", most: 12, pieces: []string{head + body[:5], body[5:]}, read: head + body},
		{name: "HEAD", terms: Bodiless, most: 12, pieces: []string{head}, read: head},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var whole Whole
			c := answered(t, tt.terms, func(c *Conn) {
				if tt.most > 0 {
					c.TakeWhole(&whole, tt.most)
				}
			}, tt.pieces...)
			buf, got := make([]byte, 4<<10), ""
			for len(got) < len(tt.read) {
				n, err := c.Read(buf)
				require.NoError(t, err)
				got += string(buf[:n])
			}
			assert.Equal(t, tt.read, got)
			assert.Equal(t, tt.body, string(whole.Body))
			if tt.body != "" {
				assert.Equal(t, "12", whole.Length)
				assert.Equal(t, len(whole.Body), cap(whole.Body), "room that nobody uses")
				_, err := c.Read(buf)
				assert.Error(t, err, "nothing else answers the request")
			}
		})
	}
}

// The body of one response is not put where the next one's is wanted, nor where
// that of another request was.
func TestWholeIsOfItsRequest(t *testing.T) {
	var first Whole
	c := answered(t, 0, func(c *Conn) { c.TakeWhole(&first, 10) },
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb")
	buf := make([]byte, 100)
	_, err := c.Read(buf)
	require.NoError(t, err)
	assert.Equal(t, "a", string(first.Body))
	c.Arm(fixedHead(ourHead), Reused|Replayable) // asks for nothing
	writePieces(t, c, theirHead)
	n, err := c.Read(buf)
	require.NoError(t, err)
	assert.Contains(t, string(buf[:n]), "Content-Length: 1\r\n\r\nb")
	assert.Equal(t, "a", string(first.Body))
}

// The length is that of the response, where the one before had another or the same.
func TestWholeLengthIsOfItsResponse(t *testing.T) {
	answers := []string{"a", "bb", "cc", "d"}
	pieces := make([]string, len(answers))
	for i, body := range answers {
		pieces[i] = "HTTP/1.1 200 OK\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
	}
	var whole Whole
	c := answered(t, 0, func(c *Conn) { c.TakeWhole(&whole, 10) }, pieces...)
	for i, body := range answers {
		if i > 0 {
			c.Arm(fixedHead(ourHead), Reused|Replayable)
			c.TakeWhole(&whole, 10)
			writePieces(t, c, theirHead)
		}
		_, err := c.Read(make([]byte, 100))
		require.NoError(t, err)
		assert.Equal(t, Whole{Body: []byte(body), Length: strconv.Itoa(len(body))}, whole)
	}
}

// A server may answer the first request before it has it; what it sends then is
// the transport's alone.
func TestWholeBeforeTheRequest(t *testing.T) {
	raw, peer := net.Pipe()
	c := New(raw)
	defer c.Close()
	var whole Whole
	c.Arm(fixedHead(ourHead), 0)
	c.TakeWhole(&whole, 10)
	go func() { _, _ = io.WriteString(peer, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 1\r\n\r\na") }()
	buf := make([]byte, 100)
	n, err := c.Read(buf)
	require.NoError(t, err)
	assert.Contains(t, string(buf[:n]), "Content-Length: 1\r\n\r\na")
	assert.Nil(t, whole.Body)
}

// A connection that is closed for the next request leaves the one before the time
// to take what was handed over for it.
func TestCloseWaitsForTheTaker(t *testing.T) {
	var whole Whole
	c := answered(t, 0, func(c *Conn) { c.TakeWhole(&whole, 10) }, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na")
	_, err := c.Read(make([]byte, 100))
	require.NoError(t, err)
	require.Equal(t, "a", string(whole.Body))
	var taken atomic.Bool
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			assert.NoError(t, c.Close())
			assert.True(t, taken.Load(), "closed before")
		})
	}
	for !c.closing.Load() {
		runtime.Gosched()
	}
	taken.Store(true)
	c.Taken(c.Turn())
	wg.Wait()
	c.Taken(c.Turn() - 1)
	assert.EqualValues(t, c.Turn(), c.taken.Load(), "who comes late undoes nothing")
}

// It does not wait for ever, and not at all where the transport has a body to
// read before it gives the connection on.
func TestCloseWaitsForATime(t *testing.T) {
	const length = "Content-Length: 1\r\n\r\na"
	for answer, want := range map[string]time.Duration{
		"HTTP/1.1 200 OK\r\n" + length:             writeWait,
		"HTTP/1.1 204 No Content\r\n\r\n":          writeWait,
		"HTTP/1.1 200 OK\r\n" + length + "surplus": 0,
	} {
		synctest.Test(t, func(t *testing.T) {
			var whole Whole
			c := answered(t, 0, func(c *Conn) { c.TakeWhole(&whole, 10) }, answer)
			_, err := c.Read(make([]byte, 100))
			require.NoError(t, err)
			start := time.Now()
			require.NoError(t, c.Close())
			assert.Equal(t, want, time.Since(start), answer)
		})
	}
}

// A peer's word on how long it keeps the connection counts from the first
// response, which has come to its end when the word is heard.
func TestExpiryOfWholeResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var whole Whole
		c := answered(t, 0, func(c *Conn) { c.TakeWhole(&whole, 10) },
			"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 1\r\n\r\na")
		_, err := c.Read(make([]byte, 100))
		require.NoError(t, err)
		c.Taken(c.Turn())
		c.ExpireIdle(time.Second)
		time.Sleep(time.Second)
		c.Arm(fixedHead(ourHead), Reused|Replayable)
		_, err = c.Write([]byte(theirHead))
		require.ErrorIs(t, err, ErrStale)
	})
}
