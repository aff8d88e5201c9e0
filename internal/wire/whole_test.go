package wire

import (
	"cmp"
	"io"
	"math"
	"net"
	"runtime"
	"strconv"
	"strings"
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
func answered(t *testing.T, terms Terms, answer *Answer, pieces ...string) *Conn {
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
	c.Arm(fixedHead(ourHead), terms, answer)
	writePieces(t, c, theirHead)
	return c
}

// A response that one read brings leaves the transport with the head of one that
// has neither fields nor a body; any other goes to it as it came. Its head is the
// owner's either way.
func TestWholeResponse(t *testing.T) {
	const head, body = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nX: 12\r\n\r\n", "Hello, world"
	const bare, none = "HTTP/1.1 204\n\n", "HTTP/1.1 404 Not Found\r\nX: y\r\nContent-Length: 0\r\n\r\n"
	const closing = "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\nContent-Length: 12\r\n\r\n"
	const early = "HTTP/1.1 103 Early Hints\r\n\r\n"
	tests := []struct {
		name   string
		terms  Terms
		most   int32
		pieces []string
		head   string // of the answer, where it is not that constant
		read   string // by the transport
		body   string // taken
	}{
		{name: "one read", most: 12, pieces: []string{head + body}, read: bare, body: body},
		{name: "after an interim head", most: 12, pieces: []string{early + head + body}, read: early + bare, body: body},
		{name: "with a word on the connection", most: 12, pieces: []string{closing + body}, head: closing, read: "HTTP/1.0 204\nconnection: keep-alive\r\n\n", body: body},
		{name: "no body", most: 12, pieces: []string{none}, head: none, read: bare},
		{name: "HEAD", terms: Bodiless, most: 12, pieces: []string{head}, read: bare},
		{name: "and more", most: 12, pieces: []string{head + body + "HTTP/1.1 200 OK\r\n\r\n"}, read: head + body},
		{name: "too long", most: 11, pieces: []string{head + body}, read: head + body},
		{name: "not asked for", pieces: []string{head + body}, read: head + body},
		{name: "no body, not asked for", pieces: []string{none}, head: none, read: none},
		{name: "head in pieces", most: 12, pieces: []string{head[:20], head[20:] + body}, read: head + body},
		{name: "body in pieces", most: 12, pieces: []string{head + body[:5], body[5:]}, read: head + body},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer := &Answer{Most: tt.most}
			c := answered(t, tt.terms, answer, tt.pieces...)
			require.False(t, answer.Come())
			buf, got := make([]byte, 4<<10), ""
			for len(got) < len(tt.read) {
				n, err := c.Read(buf)
				require.NoError(t, err)
				got += string(buf[:n])
			}
			assert.Equal(t, tt.read, got)
			assert.True(t, answer.Come())
			assert.Equal(t, cmp.Or(tt.head, head), answer.Head)
			assert.Equal(t, tt.body, string(answer.Body))
			assert.Equal(t, strings.Contains(tt.read, " 204\n"), answer.Body != nil, "taken")
			assert.Equal(t, len(answer.Body), cap(answer.Body), "room that nobody uses")
			if answer.Body != nil {
				_, err := c.Read(buf)
				assert.Error(t, err, "nothing else answers the request")
			}
		})
	}
}

// The body of one response is not put where the next one's is wanted, nor where
// that of another request was.
func TestWholeIsOfItsRequest(t *testing.T) {
	first := &Answer{Most: 10}
	c := answered(t, 0, first,
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb")
	buf := make([]byte, 100)
	_, err := c.Read(buf)
	require.NoError(t, err)
	assert.Equal(t, "a", string(first.Body))
	c.Arm(fixedHead(ourHead), Reused|Replayable, nil) // asks for nothing
	writePieces(t, c, theirHead)
	n, err := c.Read(buf)
	require.NoError(t, err)
	assert.Contains(t, string(buf[:n]), "Content-Length: 1\r\n\r\nb")
	assert.Equal(t, "a", string(first.Body))
}

// The head is that of the response, where the one before had another or the same.
func TestHeadIsOfItsResponse(t *testing.T) {
	long := strings.Repeat("x", maxSharedHead)
	bodies := []string{"a", "bb", "cc", long, long, "d"}
	pieces := make([]string, len(bodies))
	for i, body := range bodies {
		pieces[i] = "HTTP/1.1 200 " + body + "\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
	}
	answer := &Answer{Most: math.MaxInt32}
	c := answered(t, 0, answer, pieces...)
	for i, body := range bodies {
		if i > 0 {
			*answer = Answer{Most: math.MaxInt32}
			c.Arm(fixedHead(ourHead), Reused|Replayable, answer)
			writePieces(t, c, theirHead)
		}
		_, err := c.Read(make([]byte, 3*maxSharedHead))
		require.NoError(t, err)
		assert.Equal(t, pieces[i], answer.Head+string(answer.Body))
		assert.Equal(t, body, string(answer.Body))
		assert.LessOrEqual(t, len(c.last), maxSharedHead)
	}
}

// A server may answer the first request before it has it; the body that it sends
// then is the transport's.
func TestWholeBeforeTheRequest(t *testing.T) {
	raw, peer := net.Pipe()
	c := New(raw)
	defer c.Close()
	answer := &Answer{Most: 10}
	c.Arm(fixedHead(ourHead), 0, answer)
	go func() { _, _ = io.WriteString(peer, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 1\r\n\r\na") }()
	buf := make([]byte, 100)
	n, err := c.Read(buf)
	require.NoError(t, err)
	assert.Contains(t, string(buf[:n]), "Content-Length: 1\r\n\r\na")
	assert.Equal(t, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 1\r\n\r\n", answer.Head)
	assert.Nil(t, answer.Body)
}

// A connection that is closed for the next request leaves the one before the time
// to take what was handed over for it.
func TestCloseWaitsForTheTaker(t *testing.T) {
	answer := &Answer{Most: 10}
	c := answered(t, 0, answer, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na")
	_, err := c.Read(make([]byte, 100))
	require.NoError(t, err)
	require.Equal(t, "a", string(answer.Body))
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
			c := answered(t, 0, &Answer{Most: 10}, answer)
			_, err := c.Read(make([]byte, 100))
			require.NoError(t, err)
			start := time.Now()
			require.NoError(t, c.Close())
			assert.Equal(t, want, time.Since(start), answer)
		})
	}
}

// A server may answer while the first request is on its way to the connection: what
// is read then does not look for a place that is just being told of.
func TestArmWhileReading(t *testing.T) {
	raw, peer := net.Pipe()
	c := New(raw)
	defer c.Close()
	var wg sync.WaitGroup
	wg.Go(func() {
		n, err := c.Read(make([]byte, 100))
		assert.NoError(t, err)
		assert.Positive(t, n)
	})
	_, err := io.WriteString(peer, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
	require.NoError(t, err)
	for range 1000 {
		runtime.Gosched() // so that the bytes are looked at before, nearly always
	}
	answer := &Answer{Most: 10}
	c.Arm(fixedHead(ourHead), 0, answer)
	wg.Wait()
	assert.Nil(t, answer.Body)
}

// A peer's word on how long it keeps the connection counts from the first
// response, which has come to its end when the word is heard, and then from the
// end of each.
func TestExpiryOfWholeResponse(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 1\r\n\r\na"
	synctest.Test(t, func(t *testing.T) {
		c := answered(t, 0, &Answer{Most: 10}, answer, answer, answer)
		_, err := c.Read(make([]byte, 100))
		require.NoError(t, err)
		c.Taken(c.Turn())
		c.ExpireIdle(time.Second)
		time.Sleep(time.Second - 1)
		c.Arm(fixedHead(ourHead), Reused|Replayable, &Answer{Most: 10})
		writePieces(t, c, theirHead)
		_, err = c.Read(make([]byte, 100))
		require.NoError(t, err)
		c.Taken(c.Turn())
		time.Sleep(time.Second - 1)
		c.Arm(fixedHead(ourHead), Reused|Replayable, nil)
		writePieces(t, c, theirHead)
		time.Sleep(time.Second)
		c.Arm(fixedHead(ourHead), Reused|Replayable, nil)
		_, err = c.Write([]byte(theirHead))
		require.ErrorIs(t, err, ErrStale)
	})
}
