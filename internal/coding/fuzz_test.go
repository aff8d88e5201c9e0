package coding

import (
	"bytes"
	stdgzip "compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// FuzzRoundTrip: whatever was encoded comes back, through any chain and in
// pieces of any size.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("hello"), uint32(0), uint16(1))
	f.Add([]byte{}, uint32(2*1+3*6), uint16(1))
	f.Add(bytes.Repeat([]byte("ab"), 9000), uint32(1+2*6+3*36+4*216+5*1296), uint16(700))
	f.Fuzz(func(t *testing.T, data []byte, chain uint32, size uint16) {
		var names []string
		for ; chain > 0 && len(names) < defaultLayers; chain /= 6 {
			if i := chain % 6; i > 0 {
				names = append(names, single[i-1])
			}
		}
		body := encode(t, data, names...)
		got, err := decode(bytes.NewReader(body), Limits{}, field(names...))
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, got))

		r, err := NewReader(iotest.HalfReader(bytes.NewReader(body)), []string{field(names...)}, Limits{})
		require.NoError(t, err)
		var again bytes.Buffer
		_, err = io.CopyBuffer(struct{ io.Writer }{&again}, struct{ io.Reader }{r}, make([]byte, int(size)+1))
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, again.Bytes()))
		require.NoError(t, r.Close())
	})
}

// FuzzDecode: bytes that come one by one decode to the same, and fail the same
// way; nothing is beyond the limit; and gzip without an error is what the
// standard library makes of it.
func FuzzDecode(f *testing.F) {
	for _, tt := range bodyTests {
		f.Add([]byte(tt.body), tt.coding)
	}
	for _, name := range single {
		body := encode(f, good(500), name)
		f.Add(body, field(name))
		f.Add(append(body, 0, 0), field(name))
	}
	f.Fuzz(func(t *testing.T, body []byte, coding string) {
		const most = 1 << 20
		lim := Limits{MaxBytes: most}
		got, err := decode(bytes.NewReader(body), lim, coding)
		require.LessOrEqual(t, len(got), most)
		again, errAgain := decode(iotest.OneByteReader(bytes.NewReader(body)), lim, coding)
		require.Equal(t, err == nil, errAgain == nil, "%v, by bytes %v", err, errAgain)
		if err == nil || !strings.Contains(strings.ToLower(coding), "br") {
			// Brotli's decoder drops what it has when it finds a fault.
			require.True(t, bytes.Equal(got, again), "%d bytes, by bytes %d", len(got), len(again))
		}
		for _, err := range []error{err, errAgain} {
			require.True(t, err == nil || errors.As(err, new(*Error)), "%v", err)
		}
		if err == nil && coding == "gzip" && len(body) > 0 {
			requireGzip(t, body, got)
		}
	})
}

func requireGzip(t *testing.T, body, got []byte) {
	t.Helper()
	r, err := stdgzip.NewReader(bytes.NewReader(body))
	require.NoError(t, err)
	want, err := io.ReadAll(r)
	if err != nil { // the padding, which it does not know
		require.Zero(t, body[len(body)-1])
	}
	require.True(t, bytes.Equal(want, got))
}
