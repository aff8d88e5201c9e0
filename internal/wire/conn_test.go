package wire

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var errSocket = errors.New("socket failed")

// fakeSocket takes down what is written, up to room bytes, and gives the reads
// of a script one by one.
type fakeSocket struct {
	net.Conn
	wrote  bytes.Buffer
	writes int
	room   int // how many bytes may be written before errSocket; below zero: any
	reads  [][]byte
	end    error // after the reads
	late   bool  // end comes apart from the last read
	closes int
}

func (f *fakeSocket) Write(b []byte) (int, error) {
	f.writes++
	if f.room >= 0 && len(b) > f.room {
		n, _ := f.wrote.Write(b[:f.room])
		f.room = 0
		return n, errSocket
	}
	if f.room >= 0 {
		f.room -= len(b)
	}
	return f.wrote.Write(b)
}

func (f *fakeSocket) Read(b []byte) (int, error) {
	if len(f.reads) == 0 {
		return 0, f.end
	}
	n := copy(b, f.reads[0])
	if f.reads[0] = f.reads[0][n:]; len(f.reads[0]) == 0 {
		f.reads = f.reads[1:]
	}
	if len(f.reads) == 0 && !f.late {
		return n, f.end
	}
	return n, nil
}

func (f *fakeSocket) Close() error {
	f.closes++
	return nil
}

// termIf returns t where on is true.
func termIf(on bool, t Terms) Terms {
	if on {
		return t
	}
	return 0
}

// fixedHead is the same head each time.
type fixedHead string

func (h fixedHead) AppendHead(b []byte) []byte { return append(b, h...) }

// writePieces writes s in pieces that end at cuts, and sees to it that each
// write takes all of its piece.
func writePieces(t testing.TB, c *Conn, s string, cuts ...int) {
	t.Helper()
	from := 0
	for _, to := range append(cuts, len(s)) {
		if to <= from {
			continue
		}
		n, err := c.Write([]byte(s[from:to]))
		require.NoError(t, err)
		require.Equal(t, to-from, n)
		from = to
	}
}

const (
	theirHead = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\r\n\r\r\nY: \n\n\r\n\r\n"
	ourHead   = "GET /x HTTP/1.1\r\nhost: A\r\nx-First: 1\r\n\r\n"
)

// The head of the transport goes wherever it is cut, and what follows it stays.
func TestHeadIsReplacedOverAnySplit(t *testing.T) {
	const body = "\r\n\r\nGET / HTTP/1.1\r\n\r\n"
	full := theirHead + body
	for i := range len(full) + 1 {
		for _, j := range []int{i, i + 1, i + 3, len(full)} {
			raw := &fakeSocket{room: -1}
			c := New(raw)
			c.Arm(fixedHead(ourHead), 0, nil)
			writePieces(t, c, full, i, min(j, len(full)))
			require.Equal(t, ourHead+body, raw.wrote.String(), "cut at %d and %d", i, j)
		}
	}
}

func TestHeadIsReplacedForEachRequest(t *testing.T) {
	raw := &fakeSocket{room: -1}
	c := New(raw)
	want := ""
	for _, head := range []string{"A / HTTP/1.1\r\n\r\n", ourHead, "B\r\n\r\n"} {
		c.Arm(fixedHead(head), 0, nil)
		writePieces(t, c, theirHead+"body", 5)
		writePieces(t, c, "more\r\n\r\n")
		want += head + "body" + "more\r\n\r\n"
	}
	assert.Equal(t, want, raw.wrote.String())
	assert.EqualValues(t, 3, c.Turn())
	_, written := c.Counts()
	assert.EqualValues(t, len(want), written)
}

func TestUnarmedConnPassesThrough(t *testing.T) {
	raw := &fakeSocket{room: -1}
	c := New(raw)
	writePieces(t, c, theirHead, 7)
	assert.Equal(t, theirHead, raw.wrote.String())
	assert.Nil(t, c.TLS())
}

// A small body goes out with the head; a large one is not copied.
func TestBodyWithHead(t *testing.T) {
	for _, tt := range []struct{ body, writes int }{
		{0, 1},
		{1, 1},
		{smallBody, 1},
		{smallBody + 1, 2},
		{passBlock, 2},
		{1 << 20, 33},
	} {
		raw := &fakeSocket{room: -1}
		c := New(raw)
		c.Arm(fixedHead(ourHead), 0, nil)
		body := strings.Repeat("b", tt.body)
		writePieces(t, c, theirHead+body)
		assert.Equal(t, tt.writes, raw.writes, "writes for a body of %d", tt.body)
		assert.Equal(t, ourHead+body, raw.wrote.String())
	}
}

// countedSocket looks at the connection's count at each write.
type countedSocket struct {
	fakeSocket
	of     *Conn
	counts []int64
}

func (s *countedSocket) Write(b []byte) (int, error) {
	_, written := s.of.Counts()
	s.counts = append(s.counts, written)
	return s.fakeSocket.Write(b)
}

// The count grows while a large write is under way, each block before it is
// written.
func TestLargeWriteShowsProgress(t *testing.T) {
	raw := &countedSocket{fakeSocket: fakeSocket{room: -1}}
	c := New(raw)
	raw.of = c
	n, err := c.Write(make([]byte, 3*passBlock+1))
	require.NoError(t, err)
	assert.Equal(t, 3*passBlock+1, n)
	assert.Equal(t, []int64{passBlock, 2 * passBlock, 3 * passBlock, 3*passBlock + 1}, raw.counts)
	n, err = c.Write(nil)
	require.NoError(t, err)
	assert.Zero(t, n)
}

// What a failed write returns tells the transport whether anything went out.
func TestFailedWriteTellsWhetherBytesWentOut(t *testing.T) {
	tests := []struct {
		room int // of the socket
		body int
		want int // bytes that Write says it took
	}{
		{0, 0, 0},
		{1, 0, 1},
		{len(ourHead) - 1, 0, 1},
		{len(ourHead), smallBody + 1, 1},
		{len(ourHead) + 5, smallBody + 1, 1},
		{0, smallBody + 1, 0},
	}
	for _, tt := range tests {
		raw := &fakeSocket{room: tt.room}
		c := New(raw)
		c.Arm(fixedHead(ourHead), 0, nil)
		n, err := c.Write([]byte(theirHead + strings.Repeat("b", tt.body)))
		assert.ErrorIs(t, err, errSocket)
		assert.Equal(t, tt.want, n, "room %d, body %d", tt.room, tt.body)
		_, written := c.Counts()
		assert.EqualValues(t, raw.wrote.Len(), written, "counted")
	}
}

func TestFailedWriteOfBody(t *testing.T) {
	raw := &fakeSocket{room: len(ourHead) + 3}
	c := New(raw)
	c.Arm(fixedHead(ourHead), 0, nil)
	writePieces(t, c, theirHead)
	n, err := c.Write([]byte("abcdef"))
	assert.ErrorIs(t, err, errSocket)
	assert.Equal(t, 3, n)
	_, written := c.Counts()
	assert.EqualValues(t, len(ourHead)+3, written)
}

// The property: whatever the transport writes, and in whatever pieces, what
// goes out is our head and all that follows the first blank line.
func FuzzHeadReplaced(f *testing.F) {
	f.Add([]byte(theirHead+"body"), uint64(1))
	f.Add([]byte("\r\n\r\n\r\n\r\n"), uint64(2))
	f.Add([]byte("a\r\r\n\r\r\n\r\n\n"), uint64(3))
	f.Add([]byte("\r\n\r"), uint64(4))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		_, after, found := bytes.Cut(data, []byte("\r\n\r\n"))
		want := ""
		if found {
			want = ourHead + string(after)
		}
		raw := &fakeSocket{room: -1}
		c := New(raw)
		c.Arm(fixedHead(ourHead), 0, nil)
		random := rand.New(rand.NewPCG(seed, 0))
		var cuts []int
		for at := 0; at < len(data); {
			at += 1 + random.IntN(7)
			cuts = append(cuts, min(at, len(data)))
		}
		writePieces(t, c, string(data), cuts...)
		if got := raw.wrote.String(); got != want {
			t.Fatalf("got %q\nwant %q", got, want)
		}
	})
}

func TestReadsAreCounted(t *testing.T) {
	c := New(&fakeSocket{reads: [][]byte{[]byte("abc"), []byte("de")}, end: io.EOF})
	got, err := io.ReadAll(c)
	require.NoError(t, err)
	assert.Equal(t, "abcde", string(got))
	read, written := c.Counts()
	assert.EqualValues(t, 5, read)
	assert.Zero(t, written)
}

// A connection that a response holds, or that is to be given up, serves no
// other request, and nothing is written to it.
func TestHeldAndRetiredAreStale(t *testing.T) {
	tests := []struct {
		name   string
		reused bool
		before func(c *Conn)
		want   error
	}{
		{"free", true, func(*Conn) {}, nil},
		{"held", true, func(c *Conn) { c.Hold() }, ErrStale},
		{"held twice, released once", true, func(c *Conn) { c.Hold(); c.Hold(); c.Release() }, ErrStale},
		{"released", true, func(c *Conn) { c.Hold(); c.Release() }, nil},
		{"retired", true, func(c *Conn) { c.Retire() }, ErrStale},
		{"held and new", false, func(c *Conn) { c.Hold() }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := &fakeSocket{room: -1}
			c := New(raw)
			tt.before(c)
			c.Arm(fixedHead(ourHead), termIf(tt.reused, Reused), nil)
			n, err := c.Write([]byte(theirHead))
			assert.ErrorIs(t, err, tt.want)
			if tt.want != nil {
				assert.Zero(t, n)
				assert.Zero(t, raw.wrote.Len())
				return
			}
			assert.Equal(t, ourHead, raw.wrote.String())
		})
	}
}

// A connection is looked at once for each request: what was written is no
// reason to call it stale.
func TestHeldAfterFirstWrite(t *testing.T) {
	raw := &fakeSocket{room: -1}
	c := New(raw)
	c.Arm(fixedHead(ourHead), Reused, nil)
	writePieces(t, c, theirHead, 4)
	c.Hold()
	writePieces(t, c, "body")
	assert.Equal(t, ourHead+"body", raw.wrote.String())
}

func TestRetire(t *testing.T) {
	arm := func(c *Conn) { c.Arm(fixedHead(ourHead), 0, nil) }
	tests := []struct {
		name  string
		steps func(c *Conn)
		want  bool // closed
	}{
		{"never used", func(c *Conn) { c.Retire() }, true},
		{"under way", func(c *Conn) { arm(c); c.Retire() }, false},
		{"under way, then done", func(c *Conn) { arm(c); c.Retire(); c.Rest(1) }, true},
		{"done, then retired", func(c *Conn) { arm(c); c.Rest(1); c.Retire() }, true},
		{"an earlier response ends late", func(c *Conn) { arm(c); arm(c); c.Retire(); c.Rest(1) }, false},
		{"done but not retired", func(c *Conn) { arm(c); c.Rest(1) }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := &fakeSocket{}
			c := New(raw)
			told := 0
			c.OnClose(func() { told++ })
			tt.steps(c)
			assert.Equal(t, tt.want, raw.closes > 0)
			assert.Equal(t, tt.want, told > 0)
		})
	}
}

func TestOnCloseRunsOnce(t *testing.T) {
	c := New(&fakeSocket{})
	told := 0
	c.OnClose(func() { told++ })
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	assert.Equal(t, 1, told)
	require.NoError(t, New(&fakeSocket{}).Close())
}

// A connection whose reader has failed serves no other request.
func TestDeadAfterFailedRead(t *testing.T) {
	raw := &fakeSocket{room: -1, end: io.EOF}
	c := New(raw)
	_, err := c.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	c.Arm(fixedHead(ourHead), Reused|Replayable, nil)
	_, err = c.Write([]byte(theirHead))
	assert.ErrorIs(t, err, ErrStale)
	assert.Zero(t, raw.wrote.Len())
}

// Bytes that answer no request are nobody's: they end the connection.
func TestUnasked(t *testing.T) {
	arm := func(c *Conn) { c.Arm(fixedHead(ourHead), 0, nil) }
	write := func(c *Conn) { _, _ = c.Write([]byte(theirHead)) }
	rest := func(c *Conn) { c.Rest(c.Turn()) }
	tests := []struct {
		name  string
		steps []func(*Conn)
		want  error
	}{
		{"before any request", nil, nil},
		{"before the first head went out", []func(*Conn){arm}, nil},
		{"the answer", []func(*Conn){arm, write}, nil},
		{"after the answer's end", []func(*Conn){arm, write, rest}, ErrUnasked},
		{"before the second head went out", []func(*Conn){arm, write, rest, arm}, ErrUnasked},
		{"the second answer", []func(*Conn){arm, write, rest, arm, write}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := &fakeSocket{room: -1, reads: [][]byte{[]byte("HTTP/1.1 200 OK\r\n\r\n")}}
			c := New(raw)
			for _, step := range tt.steps {
				step(c)
			}
			n, err := c.Read(make([]byte, 100))
			assert.ErrorIs(t, err, tt.want)
			assert.Equal(t, tt.want == nil, n > 0)
			if tt.want == nil {
				return
			}
			raw.wrote.Reset()
			c.Arm(fixedHead(ourHead), Reused|Replayable, nil)
			_, err = c.Write([]byte(theirHead))
			assert.ErrorIs(t, err, ErrStale)
			assert.Zero(t, raw.wrote.Len())
		})
	}
}
