package coding

import (
	"bytes"
	"compress/flate"
	"io"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
)

// rawDeflate is the test's name of a variant: deflate without the zlib frame.
const rawDeflate = "raw"

// flusher is what the encoders have in common.
type flusher interface {
	io.WriteCloser
	Flush() error
}

// newEncoder returns an encoder for a coding's name.
func newEncoder(t testing.TB, name string, w io.Writer) flusher {
	t.Helper()
	var (
		enc flusher
		err error
	)
	switch name {
	case "gzip", "x-gzip":
		enc = gzip.NewWriter(w)
	case "deflate":
		enc = zlib.NewWriter(w)
	case rawDeflate:
		enc, err = flate.NewWriter(w, flate.DefaultCompression)
	case "br":
		enc = brotli.NewWriterLevel(w, 4)
	case "zstd":
		enc, err = zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	default:
		t.Fatalf("no encoder for %q", name)
	}
	require.NoError(t, err)
	return enc
}

// encode applies codings in order.
func encode(t testing.TB, data []byte, names ...string) []byte {
	t.Helper()
	for _, name := range names {
		var b bytes.Buffer
		enc := newEncoder(t, name, &b)
		_, err := enc.Write(data)
		require.NoError(t, err)
		require.NoError(t, enc.Close())
		data = b.Bytes()
	}
	return data
}

// field is the Content-Encoding of what encode made.
func field(names ...string) string {
	return strings.ReplaceAll(strings.Join(names, ", "), rawDeflate, "deflate")
}

// decode reads all of a body.
func decode(body io.Reader, lim Limits, lines ...string) ([]byte, error) {
	r, err := NewReader(body, lines, lim)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}
