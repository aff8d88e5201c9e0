package wire

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// blocks gives pieces of one size each, until so many were given.
type blocks struct{ size, count int }

func (b *blocks) Read(p []byte) (int, error) {
	if b.count--; b.count < 0 {
		return 0, io.EOF
	}
	return copy(p, bytes.Repeat([]byte("a"), b.size)), nil
}

// The transport buffers 4 KiB, and so writes a larger chunk in three pieces.
func TestChunkGoesOutInOneWrite(t *testing.T) {
	for _, tt := range []struct{ size, writes int }{
		{5, 1},
		{4 << 10, 1},
		{fileBlock - 1, 1},
		{fileBlock, 1},
		{fileBlock + 1, 2}, // what is larger is not held
		{32 << 10, 3},
	} {
		t.Run(fmt.Sprint(tt.size), func(t *testing.T) {
			const count = 3
			raw := &fakeSocket{room: -1}
			c := New(raw)
			c.Arm(fixedHead(ourHead), Chunked, nil)
			req, err := http.NewRequest(http.MethodPost, "http://a.test/", &blocks{tt.size, count})
			require.NoError(t, err)
			w := bufio.NewWriter(c)
			require.NoError(t, req.Write(w))
			require.NoError(t, w.Flush())
			chunk := fmt.Sprintf("%x\r\n%s\r\n", tt.size, strings.Repeat("a", tt.size))
			want := ourHead + strings.Repeat(chunk, count) + "0\r\n\r\n"
			assert.Equal(t, want, raw.wrote.String())
			assert.Equal(t, 2+count*tt.writes, raw.writes, "the head, and the end")
			_, written := c.Counts()
			assert.EqualValues(t, len(want), written)
			assert.Empty(t, c.join.held, "memory that an idle connection keeps")
		})
	}
}

// fileBlock is what a body without a length is read by.
const fileBlock = 16 << 10

// The failure of a chunk that was held is that of its last write.
func TestJoinedWriteFails(t *testing.T) {
	for room := range 16 {
		raw := &fakeSocket{room: len(ourHead) + room}
		c := New(raw)
		c.Arm(fixedHead(ourHead), Chunked, nil)
		writePieces(t, c, theirHead)
		writePieces(t, c, "a\r\n012", 3)
		n, err := c.Write([]byte("3456789\r\n"))
		if room < len("a\r\n0123456789\r\n") {
			require.ErrorIs(t, err, errSocket)
			assert.Equal(t, max(room-6, 0), n, "room for %d", room)
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, 9, n)
	}
}

// A body that its head's write brings is not followed, nor one that was not said
// to come in chunks: what looks like one goes out as it is written.
func TestOnlyChunksAreJoined(t *testing.T) {
	for _, terms := range []Terms{0, Chunked} {
		raw := &fakeSocket{room: -1}
		c := New(raw)
		c.Arm(fixedHead(ourHead), terms, nil)
		first := theirHead
		if terms == Chunked {
			first += "3\r\nabc\r\n"
		}
		writePieces(t, c, first)
		before := raw.writes
		writePieces(t, c, "a\r\n012")
		assert.Equal(t, before+1, raw.writes)
	}
}

func TestChunkLength(t *testing.T) {
	for in, want := range map[string]int{
		"1\r\n": 6, "a\r\nb": 15, "4000\r\n": 16392, "fffffff\r\n": 1<<28 - 1 + 11,
		"": 0, "0\r\n\r\n": 0, "0\r\nX: 1\r\n\r\n": 0, "\r\n": 0, "5": 0, "-1\r\n": 0, "+1\r\n": 0, "x\r\n": 0, "10000000\r\n": 0,
	} {
		assert.Equal(t, want, chunkLength([]byte(in)), "%q", in)
	}
}

// The property: whatever is written, and however it is cut, goes out in its order,
// and nothing is held where a chunk ends.
func FuzzJoin(f *testing.F) {
	f.Add([]byte("3\r\nabc\r\n0\r\n\r\n"), uint64(1))
	f.Add([]byte("3\r\nabc\r\nx"), uint64(2))
	f.Add([]byte("4001\r\nabcdef"), uint64(3))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 0))
		j := joiner{on: true}
		var out []byte
		for rest := data; len(rest) > 0; {
			n := min(1+random.IntN(1<<random.IntN(5)), len(rest))
			out = append(out, j.take(rest[:n])...)
			rest = rest[n:]
			held := 0
			if j.left > 0 {
				held = len(j.held)
			}
			if at := len(data) - len(rest); held > maxJoined || len(out)+held != at {
				t.Fatalf("after %d bytes %d are out and %d held", at, len(out), held)
			}
		}
		if !bytes.Equal(out, data[:len(out)]) {
			t.Fatalf("%q went out\nof %q", out, data)
		}
	})
}
