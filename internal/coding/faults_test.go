package coding

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// single are all codings, as the tests name them.
var single = []string{"gzip", "deflate", rawDeflate, "br", "zstd"}

// good is data of hexadecimal digits, which no coding makes much smaller than half.
func good(n int) []byte {
	b := make([]byte, n)
	x := uint32(7919)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = "0123456789abcdef"[x>>28]
	}
	return b
}

// A body that is cut anywhere gives what it has and then an error, whether the
// wire calls it an end or a fault.
func TestCut(t *testing.T) {
	t.Parallel()
	want := good(3000)
	for _, name := range single {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			enc := newEncoder(t, name, &b)
			_, err := enc.Write(want[:2000])
			require.NoError(t, err)
			require.NoError(t, enc.Flush())
			flushed := b.Len()
			_, err = enc.Write(want[2000:])
			require.NoError(t, err)
			require.NoError(t, enc.Close())
			body := b.Bytes()

			for cut := 1; cut < len(body); cut += 1 + cut/50 {
				got, err := decode(bytes.NewReader(body[:cut]), Limits{}, field(name))
				var e *Error
				require.ErrorAs(t, err, &e, "cut at %d", cut)
				require.ErrorIs(t, err, io.ErrUnexpectedEOF, "cut at %d", cut)
				require.True(t, bytes.HasPrefix(want, got))
				if cut >= flushed {
					require.GreaterOrEqual(t, len(got), 2000, "cut at %d", cut)
				}

				for _, wire := range []error{errWire, io.ErrUnexpectedEOF} {
					again, err := decode(cutReader(body[:cut], wire), Limits{}, field(name))
					require.True(t, errors.Is(err, wire), "cut at %d: %v", cut, err)
					require.Equal(t, got, again, "cut at %d", cut)
				}
			}
		})
	}
}

// The wire fails after a body that is whole: still a fault of the wire, and one
// that did not happen where the coding's own fault came before it.
func TestWireFault(t *testing.T) {
	t.Parallel()
	for _, name := range single {
		body := encode(t, []byte("whole"), name, name)
		got, err := decode(cutReader(body, io.ErrUnexpectedEOF), Limits{}, field(name, name))
		assert.True(t, errors.Is(err, io.ErrUnexpectedEOF), "%s: %v", name, err)
		assert.Equal(t, "whole", string(got), name)

		got, err = decode(cutReader(nil, errWire), Limits{}, field(name))
		assert.True(t, errors.Is(err, errWire), "%s: %v", name, err)
		assert.Empty(t, got, name)

		junk := append(encode(t, []byte("whole"), name), "junk"...)
		_, err = decode(iotest.DataErrReader(cutReader(junk, errWire)), Limits{}, field(name))
		assert.ErrorIs(t, err, ErrTrailing, name)
	}
}

func TestTrailing(t *testing.T) {
	t.Parallel()
	for _, name := range single {
		for _, junk := range []string{"g", "garbage", "\r\n", "\x00\x00g", "<!-- -->" + strings.Repeat("x", 1<<16)} {
			for _, read := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.DataErrReader} {
				body := append(encode(t, []byte("good"), name), junk...)
				got, err := decode(read(bytes.NewReader(body)), Limits{}, field(name))
				assert.Equal(t, "good", string(got), "%s before %.9q", name, junk)
				var e *Error
				require.ErrorAs(t, err, &e, "%s before %.9q", name, junk)
				if name == "zstd" && len(junk) < 4 {
					assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
					continue // might still have become a frame
				}
				assert.ErrorIs(t, err, ErrTrailing, "%s before %.9q", name, junk)
			}
		}
	}
}

func TestPadding(t *testing.T) {
	t.Parallel()
	pad := make([]byte, 100_000)
	body := append(encode(t, []byte("good"), "gzip"), pad...)
	got, err := decode(bytes.NewReader(body), Limits{}, "gzip")
	assert.NoError(t, err)
	assert.Equal(t, "good", string(got))

	_, err = decode(bytes.NewReader(pad), Limits{}, "gzip")
	assert.ErrorIs(t, err, errHeader, "padding is no body")

	body = append(body, encode(t, []byte("more"), "gzip")...)
	_, err = decode(bytes.NewReader(body), Limits{}, "gzip")
	assert.ErrorIs(t, err, ErrTrailing, "a member behind padding")
}

// Everything that a checksum speaks of is delivered before it is found wrong.
func TestChecksum(t *testing.T) {
	t.Parallel()
	want := good(100_000)
	for name, at := range map[string]int{"gzip": 8, "deflate": 1, "zstd": 1} {
		body := encode(t, want, name)
		body[len(body)-at] ^= 1
		for _, size := range []int{7, 512, 1 << 20} {
			r, err := NewReader(bytes.NewReader(body), []string{name}, Limits{})
			require.NoError(t, err)
			var got bytes.Buffer
			_, err = io.CopyBuffer(struct{ io.Writer }{&got}, struct{ io.Reader }{r}, make([]byte, size))
			var e *Error
			assert.ErrorAs(t, err, &e)
			assert.True(t, bytes.Equal(want, got.Bytes()), "%s: %d of %d bytes", name, got.Len(), len(want))
			_, again := r.Read(make([]byte, 1))
			assert.Equal(t, err, again, "errors stay")
			require.NoError(t, r.Close())
		}
	}
}

// bodyTests are bodies by hand.
var bodyTests = []struct {
	name   string
	coding string
	body   string
	want   string
	err    error // nil: none
}{
	{"gzip size wrong", "gzip", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03K\xcb,*.Q\x00\x00\xfcz\xf1\x1c\x07\x00\x00\x00", "first ", errChecksum},
	{"gzip not", "gzip", "no gzip at all", "", errHeader},
	{"gzip not and short", "gzip", "no", "", errHeader},
	{"gzip not by its second byte", "gzip", "\x1fo", "", errHeader},
	{"gzip method", "gzip", "\x1f\x8b\x07\x00\x00\x00\x00\x00\x02\x03", "", errHeader},
	{"gzip reserved flag", "gzip", "\x1f\x8b\x08\x20\x00\x00\x00\x00\x02\x03", "", errHeader},
	{
		"gzip with all fields", "gzip",
		"\x1f\x8b\x08\x1f\x00\x00\x00\x00\x02\x03" + "\x03\x00abc" + "name\x00" + "note\x00" + "\x07\x7e" +
			"K\xcb,*.Q\x00\x00\xfcz\xf1\x1c\x06\x00\x00\x00", "first ", nil,
	},
	{"gzip with a wrong header checksum", "gzip", "\x1f\x8b\x08\x02\x00\x00\x00\x00\x02\x03\x00\x00", "", errChecksum},
	{"gzip with a cut name", "gzip", "\x1f\x8b\x08\x08\x00\x00\x00\x00\x02\x03name", "", io.ErrUnexpectedEOF},
	{"gzip then half a member", "gzip", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03K\xcb,*.Q\x00\x00\xfcz\xf1\x1c\x06\x00\x00\x00\x1f\x8b\x08", "first ", io.ErrUnexpectedEOF},
	{"gzip then a byte of a member", "gzip", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03K\xcb,*.Q\x00\x00\xfcz\xf1\x1c\x06\x00\x00\x00\x1f", "first ", io.ErrUnexpectedEOF},
	{"gzip then no member", "gzip", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03K\xcb,*.Q\x00\x00\xfcz\xf1\x1c\x06\x00\x00\x00\x1f\x8c", "first ", ErrTrailing},
	{"gzip then a broken member", "gzip", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03K\xcb,*.Q\x00\x00\xfcz\xf1\x1c\x06\x00\x00\x00\x1f\x8b\x09\x00\x00\x00\x00\x00\x02\x03", "first ", errHeader},
	{"deflate with a dictionary", "deflate", "\x78\xbb\x00\x00\x00\x00", "", errDictionary},
	{"deflate of one byte", "deflate", "x", "", io.ErrUnexpectedEOF},
	{"deflate of nothing, bare", "deflate", "\x03\x00", "", nil},
	{"br of a large window", "br", "\x11\x03\x03", "", nil},
	{"br of nothing", "br", "\x06", "", nil},
	{"zstd not", "zstd", "no zstd", "", zstd.ErrMagicMismatch},
	{"zstd of a frame to skip", "zstd", "\x50\x2a\x4d\x18\x03\x00\x00\x00abc", "", nil},
	{"zstd of an unknown dictionary", "zstd", "\x28\xb5\x2f\xfd\x21\x07\x00\x01\x00\x00", "", zstd.ErrUnknownDictionary},
}

func TestBodies(t *testing.T) {
	t.Parallel()
	for _, tt := range bodyTests {
		got, err := decode(iotest.OneByteReader(strings.NewReader(tt.body)), Limits{}, tt.coding)
		assert.Equal(t, tt.want, string(got), tt.name)
		if tt.name == "br of a large window" {
			var e *Error
			assert.ErrorAs(t, err, &e, tt.name)
			continue
		}
		assert.ErrorIs(t, err, tt.err, tt.name)
	}
}

func TestEmptyBody(t *testing.T) {
	t.Parallel()
	for _, list := range append(single, "gzip, br", "zstd, gzip") {
		got, err := decode(strings.NewReader(""), Limits{}, field(list))
		assert.NoError(t, err, list)
		assert.Empty(t, got, list)
	}
}

func TestFrames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"gzip", "zstd"} {
		body := append(encode(t, []byte("first "), name), encode(t, []byte("second"), name)...)
		got, err := decode(bytes.NewReader(body), Limits{}, name)
		assert.NoError(t, err, name)
		assert.Equal(t, "first second", string(got), name)
	}
}

// Many empty members need neither stack nor time without end.
func TestEmptyMembers(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"gzip", "zstd"} {
		body := bytes.Repeat(encode(t, nil, name), 40_000)
		if name == "zstd" { // whose encoder writes nothing for nothing
			body = bytes.Repeat([]byte("\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00"), 40_000)
		}
		body = append(body, encode(t, []byte("last"), name)...)
		got, err := decode(bytes.NewReader(body), Limits{}, name)
		assert.NoError(t, err, name)
		assert.Equal(t, "last", string(got), name)
	}
}

func TestExcessive(t *testing.T) {
	t.Parallel()
	require.Error(t, excessive())
	_, err := io.ReadAll(brotli.NewReader(strings.NewReader("\x06\x00")))
	assert.True(t, errors.Is(err, excessive()))
}
