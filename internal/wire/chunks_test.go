package wire

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// cutUp cuts s into reads of random sizes.
func cutUp(s string, random *rand.Rand) [][]byte {
	var out [][]byte
	for len(s) > 0 {
		n := min(1+random.IntN(9), len(s))
		if random.IntN(4) == 0 {
			n = len(s)
		}
		out = append(out, []byte(s[:n]))
		s = s[n:]
	}
	return out
}

// tracked is a connection that gives reads, armed for one request.
func tracked(reads [][]byte, end error, track bool) *Conn {
	c := New(&fakeSocket{room: -1, reads: reads, end: end})
	c.Arm(fixedHead(ourHead), termIf(track, Track), nil)
	return c
}

// readPieces reads a body to its end and returns it cut where the connection
// says that chunks end.
func readPieces(c *Conn, body io.Reader) (pieces []string, err error) {
	var piece []byte
	buf := make([]byte, 1<<10)
	total := int64(0)
	for {
		n, err := body.Read(buf)
		total += int64(n)
		piece = append(piece, buf[:n]...)
		if n > 0 && c.AtChunkEnd(total) {
			pieces = append(pieces, string(piece))
			piece = piece[:0]
		}
		if err != nil {
			if len(piece) > 0 {
				pieces = append(pieces, "open:"+string(piece))
			}
			if err == io.EOF {
				err = nil
			}
			return pieces, err
		}
	}
}

func TestChunkEnds(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	tests := []struct {
		name string
		wire string
		want []string
	}{
		{"one", head + "3\r\nabc\r\n0\r\n\r\n", []string{"abc"}},
		{"several", head + "3\r\nabc\r\n1\r\nd\r\n2\r\nef\r\n0\r\n\r\n", []string{"abc", "d", "ef"}},
		{"none", head + "0\r\n\r\n", nil},
		{"extension", head + "3;a=\"b\"\r\nabc\r\n1;x\r\nd\r\n0;last\r\n\r\n", []string{"abc", "d"}},
		{"hex in both cases", head + "A\r\n0123456789\r\nb\r\n0123456789a\r\n0\r\n\r\n", []string{"0123456789", "0123456789a"}},
		{"leading zeros", head + "0003\r\nabc\r\n000\r\n\r\n", []string{"abc"}},
		{"line ends in the data", head + "4\r\n\r\n\r\n\r\n2\r\n0\n\r\n0\r\n\r\n", []string{"\r\n\r\n", "0\n"}},
		{"trailers", head + "1\r\na\r\n0\r\nX: 1\r\n\r\n", []string{"a"}},
		{"bare line feeds in the head", "HTTP/1.1 200 OK\ntransfer-encoding:chunked\n\n3\r\nabc\r\n0\r\n\r\n", []string{"abc"}},
		{"after interim heads", "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + head + "1\r\na\r\n0\r\n\r\n", []string{"a"}},
		{"long line in the head", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2*maxTrackedLine) +
			"\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n", []string{"a", "b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(20) {
				c := tracked(cutUp(tt.wire, rand.New(rand.NewPCG(seed, 1))), io.EOF, true)
				br := bufio.NewReader(c)
				resp, err := http.ReadResponse(br, nil)
				for err == nil && resp.StatusCode < 200 {
					resp, err = http.ReadResponse(br, nil)
				}
				require.NoError(t, err)
				require.True(t, c.Tracked())
				got, err := readPieces(c, resp.Body)
				require.NoError(t, err)
				require.Equal(t, tt.want, got, "seed %d", seed)
			}
		})
	}
}

func TestNotTracked(t *testing.T) {
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
	tests := []struct {
		name  string
		wire  string
		track bool
	}{
		{"not asked for", chunked, false},
		{"a length", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", true},
		{"until close", "HTTP/1.1 200 OK\r\n\r\nabc", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := tracked([][]byte{[]byte(tt.wire)}, io.EOF, tt.track)
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			require.NoError(t, err)
			assert.False(t, c.Tracked())
			got, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			assert.Equal(t, "abc", string(got))
			assert.False(t, c.AtChunkEnd(3))
		})
	}
}

// A second response on the connection is followed from its own head.
func TestTrackerFollowsEachTurn(t *testing.T) {
	const one = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n"
	const two = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ncd\r\n0\r\n\r\n"
	const plain = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nef"
	c := tracked([][]byte{[]byte(one), []byte(two), []byte(plain)}, io.EOF, true)
	br := bufio.NewReader(c)
	for _, want := range [][]string{{"a", "b"}, {"cd"}, {"open:ef"}} {
		resp, err := http.ReadResponse(br, nil)
		require.NoError(t, err)
		got, err := readPieces(c, resp.Body)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		c.Arm(fixedHead(ourHead), Reused|Track, nil)
		_, _ = c.Write([]byte(theirHead)) // the last one finds the end
	}
	assert.False(t, c.Tracked())
}

// The error of the connection comes after all bytes, whatever was held back.
func TestHeldBackBeforeError(t *testing.T) {
	const wire = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n5\r\nbc"
	c := tracked([][]byte{[]byte(wire)}, errSocket, true)
	got, err := io.ReadAll(c)
	assert.ErrorIs(t, err, errSocket)
	assert.Equal(t, wire, string(got))
	_, err = c.Read(make([]byte, 1))
	assert.ErrorIs(t, err, errSocket, "the error stays")
}

// The property: tracking changes how reads are cut and nothing else, whatever
// the server sends, as far as it belongs to the response.
func FuzzTrackerLosesNothing(f *testing.F) {
	const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	f.Add([]byte(head+"3\r\nabc\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), uint64(1))
	f.Add([]byte(head+"ffffffffffffffff\r\nabc"), uint64(2))
	f.Add([]byte(head+"3\r\nabcX\r\n-1\r\n\r\n"), uint64(3))
	f.Add([]byte("HTTP/1.1 100 \r\n\r\n"+head+"1\r\na"), uint64(4))
	f.Add([]byte("\n\n\n\n"), uint64(5))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 0))
		own := watch(data, false, nil).own
		c := tracked(cutUp(string(data), random), errSocket, true)
		var got []byte
		for {
			buf := make([]byte, 1+random.IntN(12))
			n, err := c.Read(buf)
			got = append(got, buf[:n]...)
			if err != nil {
				if own == len(data) {
					assert.ErrorIs(t, err, errSocket)
				}
				break
			}
			if n == 0 {
				t.Fatal("a read gave nothing and no error")
			}
		}
		if !bytes.Equal(got, data[:own]) {
			t.Fatalf("got %q\nwant %q", got, data[:own])
		}
	})
}

// The property: the pieces are the server's chunks, and joined they are what
// the standard library's reader makes of the same bytes.
func FuzzChunkEnds(f *testing.F) {
	f.Add([]byte{1, 2, 3}, uint64(1))
	f.Add([]byte{255, 1, 0, 200}, uint64(2))
	f.Add([]byte{}, uint64(3))
	f.Fuzz(func(t *testing.T, sizes []byte, seed uint64) {
		if len(sizes) > 64 {
			sizes = sizes[:64]
		}
		random := rand.New(rand.NewPCG(seed, 0))
		var body strings.Builder
		var want []string
		for _, size := range sizes {
			if size == 0 {
				continue
			}
			chunk := make([]byte, int(size)*(1+random.IntN(8)))
			for i := range chunk {
				chunk[i] = "\r\n0a;"[random.IntN(5)]
			}
			extension := [...]string{"", ";a", ";b=\"c\""}[random.IntN(3)]
			fmt.Fprintf(&body, "%x%s\r\n%s\r\n", len(chunk), extension, chunk)
			want = append(want, string(chunk))
		}
		body.WriteString("0\r\n\r\n")
		c := tracked(cutUp("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+body.String(), random), io.EOF, true)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := readPieces(c, readerOf(func(p []byte) (int, error) {
			return resp.Body.Read(p[:1+random.IntN(len(p))])
		}))
		if err != nil {
			t.Fatal(err)
		}
		oracle, err := io.ReadAll(httputil.NewChunkedReader(strings.NewReader(body.String())))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Join(got, "") != string(oracle) {
			t.Fatalf("joined: got %q\nwant %q", strings.Join(got, ""), oracle)
		}
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Fatalf("pieces: got %q\nwant %q", got, want)
		}
	})
}

type readerOf func([]byte) (int, error)

func (f readerOf) Read(p []byte) (int, error) { return f(p) }
