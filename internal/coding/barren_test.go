package coding

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// barrenBody is a body of any size that decodes to nothing: head, filler and
// tail, with a comment or a frame to be skipped where the filler does not fit.
type barrenBody struct {
	name   string
	coding string
	head   string
	fill   string
	tail   string
}

// The fields of a gzip header that has a comment, and what may follow it.
const (
	gzipCommented = "\x1f\x8b\x08\x10\x00\x00\x00\x00\x00\xff"
	gzipPlain     = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
	gzipEmpty     = "\x03\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" // data, checksum, size
	storedEmpty   = "\x00\x00\x00\xff\xff"                               // a block of nothing
	zstdEmpty     = "\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00"
)

// barrenBodies are all that may be repeated and gives nothing.
var barrenBodies = []barrenBody{
	{"gzip comment", "gzip", gzipCommented, "x", "\x00" + gzipEmpty},
	{"gzip name", "gzip", "\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\xff", "x", "\x00" + gzipEmpty},
	{"gzip members", "gzip", gzipCommented, "\x00" + gzipEmpty + gzipCommented, "\x00" + gzipEmpty},
	{
		"gzip members with an extra field", "gzip", gzipCommented + "\x00" + gzipEmpty,
		"\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff" + "\xff\xff" + strings.Repeat("x", 0xffff) + gzipEmpty, "",
	},
	{"gzip padding", "gzip", gzipPlain + gzipEmpty, "\x00", ""},
	{"stored blocks in gzip", "gzip", gzipPlain, storedEmpty, gzipEmpty},
	{"stored blocks in deflate", "deflate", "\x78\x9c", storedEmpty, "\x03\x00\x00\x00\x00\x01"},
	{"stored blocks in bare deflate", "deflate", "", storedEmpty, "\x03\x00"},
	{"br metadata", "br", "\x0c", "\x06", "\x03"},
	{"zstd frames", "zstd", "", zstdEmpty, ""},
	{"zstd frames to skip", "zstd", "", "\x50\x2a\x4d\x18\x00\x00\x00\x00", ""},
	{"one zstd frame to skip", "zstd", "\x5f\x2a\x4d\x18\x00\x00\x20\x00", "x", ""},
}

// A body that decodes to nothing may be so long, whatever it is made of, and
// not one byte longer.
func TestBarren(t *testing.T) {
	t.Parallel()
	readers := []func(io.Reader) io.Reader{iotest.DataErrReader, iotest.HalfReader}
	if testserver.RaceDetector() {
		readers = readers[:1] // each byte is dear there
	}
	for _, b := range barrenBodies {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			body := func(size int) []byte {
				n := (size - len(b.head) - len(b.tail)) / len(b.fill)
				all := []byte(b.head + strings.Repeat(b.fill, n) + b.tail)
				if b.name == "one zstd frame to skip" {
					n := uint32(len(all) - 8)
					all[4], all[5], all[6], all[7] = byte(n), byte(n>>8), byte(n>>16), byte(n>>24)
				}
				return all
			}
			// The most that fits, and one filler more.
			for _, read := range readers {
				got, err := decode(read(bytes.NewReader(body(barrenFloor))), Limits{}, b.coding)
				require.NoError(t, err)
				require.Empty(t, got)
				got, err = decode(read(bytes.NewReader(body(barrenFloor+len(b.fill)))), Limits{}, b.coding)
				require.ErrorIs(t, err, ErrBarren)
				require.Empty(t, got)
				var e *Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, b.coding, e.Coding)
			}
			// Without an end it is read no further.
			wire := &counted{r: io.MultiReader(strings.NewReader(b.head), &repeated{text: b.fill})}
			if b.name != "one zstd frame to skip" {
				_, err := decode(wire, Limits{}, b.coding)
				require.ErrorIs(t, err, ErrBarren)
				assert.EqualValues(t, barrenFloor+1, wire.n)
			}
		})
	}
}

// Each decoded byte allows 32 more; exactly so where the wire gives one at a
// time.
func TestBarrenPastData(t *testing.T) {
	t.Parallel()
	data := encode(t, good(1000), "gzip")
	body := func(size int) io.Reader {
		r := bytes.NewReader(append(bytes.Clone(data), make([]byte, size-len(data))...))
		if testserver.RaceDetector() {
			return r // one byte at a time takes long there
		}
		return iotest.OneByteReader(r)
	}
	const most = barrenFloor + 1000*barrenRatio
	got, err := decode(body(most), Limits{}, "gzip")
	assert.NoError(t, err)
	assert.Len(t, got, 1000)
	got, err = decode(body(most+1), Limits{}, "gzip")
	assert.ErrorIs(t, err, ErrBarren)
	assert.Len(t, got, 1000, "what decodes is handed out")
}

// A byte now and then does not keep a body going for ever, and small pieces are
// no reason to refuse one.
func TestBarrenPieces(t *testing.T) {
	t.Parallel()
	pieces := 200_000
	if testserver.RaceDetector() {
		pieces /= 4
	}
	for _, name := range []string{"gzip", "zstd"} {
		piece := encode(t, []byte("x"), name)
		got, err := decode(bytes.NewReader(bytes.Repeat(piece, pieces)), Limits{}, name)
		assert.NoError(t, err, name)
		assert.Len(t, got, pieces, name)
	}
	drip := append(bytes.Repeat([]byte(gzipPlain+gzipEmpty), 50), encode(t, []byte("x"), "gzip")...)
	wire := &counted{r: &repeated{text: string(drip)}}
	got, err := decode(wire, Limits{MaxBytes: 1 << 20}, "gzip")
	assert.ErrorIs(t, err, ErrBarren)
	assert.Less(t, len(got), 20_000)
	assert.Less(t, wire.n, int64(barrenFloor+20_000*barrenRatio))
}

// In a chain each layer is judged by itself.
func TestBarrenLayers(t *testing.T) {
	t.Parallel()
	inner := strings.Repeat(gzipPlain+gzipEmpty, 300_000)
	_, err := decode(bytes.NewReader(encode(t, []byte(inner), "zstd")), Limits{}, "gzip, zstd")
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.ErrorIs(t, err, ErrBarren)
	assert.Equal(t, "gzip", e.Coding)
}

// A body without a coding has no such limit.
func TestBarrenPlain(t *testing.T) {
	t.Parallel()
	got, err := decode(bytes.NewReader(make([]byte, 2*barrenFloor)), Limits{MaxBytes: 4 * barrenFloor})
	assert.NoError(t, err)
	assert.Len(t, got, 2*barrenFloor)
}

// counted counts what is read.
type counted struct {
	r io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// repeated is a text without end.
type repeated struct {
	text string
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.text[r.at]
		r.at = (r.at + 1) % len(r.text)
	}
	return len(p), nil
}
