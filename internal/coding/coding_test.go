package coding

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestChains(t *testing.T) {
	t.Parallel()
	data := []byte(strings.Repeat("hello decoded world, ", 5000))
	for _, names := range [][]string{
		{"gzip"},
		{"x-gzip"},
		{"deflate"},
		{rawDeflate},
		{"br"},
		{"zstd"},
		{"gzip", "gzip"},
		{"gzip", "br"},
		{"zstd", rawDeflate, "deflate"},
		{"br", "zstd", "gzip", "deflate", rawDeflate},
	} {
		t.Run(strings.Join(names, "+"), func(t *testing.T) {
			t.Parallel()
			for _, want := range [][]byte{data, {'x'}, {}} {
				body := encode(t, want, names...)

				got, err := decode(bytes.NewReader(body), Limits{}, field(names...))
				require.NoError(t, err)
				require.True(t, bytes.Equal(want, got), "in one go")

				got, err = decode(iotest.OneByteReader(bytes.NewReader(body)), Limits{}, field(names...))
				require.NoError(t, err)
				require.True(t, bytes.Equal(want, got), "by bytes")

				got, err = decode(iotest.DataErrReader(bytes.NewReader(body)), Limits{}, field(names...))
				require.NoError(t, err)
				require.True(t, bytes.Equal(want, got), "with the end beside the data")
			}
		})
	}
}

func TestAcceptIsDecoded(t *testing.T) {
	t.Parallel()
	for name := range strings.SplitSeq(Accept, ", ") {
		got, err := decode(bytes.NewReader(encode(t, []byte("x"), name)), Limits{}, name)
		require.NoError(t, err)
		assert.Equal(t, "x", string(got))
	}
}

// listTests are Content-Encoding lines and what they are taken for.
var listTests = []struct {
	lines []string
	want  []kind
	err   error
}{
	{nil, nil, nil},
	{[]string{""}, nil, nil},
	{[]string{" , ,\t,"}, nil, nil},
	{[]string{"identity", "Identity, IDENTITY"}, nil, nil},
	{[]string{" GZip\t"}, []kind{gzipped}, nil},
	{[]string{"X-GZIP"}, []kind{gzipped}, nil},
	{[]string{"gzip", "br"}, []kind{gzipped, brotlied}, nil},
	{[]string{"gzip,br ,,zstd", "deflate"}, []kind{gzipped, brotlied, zstandard, deflated}, nil},
	{[]string{"gzip, identity"}, []kind{gzipped}, nil},
	{[]string{"x-foo"}, nil, nil},
	{[]string{"identity, x-foo"}, nil, nil},
	{[]string{"g zip"}, nil, nil},
	{[]string{"\u017ftd"}, nil, nil},
	{[]string{"gzip, x-foo"}, nil, ErrUnknownCoding},
	{[]string{"x-foo", "gzip"}, nil, ErrUnknownCoding},
	{[]string{"x-foo, x-foo"}, nil, ErrUnknownCoding},
	{[]string{"gzip;q=1, br"}, nil, ErrUnknownCoding},
	{[]string{"gzip,gzip,gzip,gzip,gzip"}, []kind{gzipped, gzipped, gzipped, gzipped, gzipped}, nil},
	{[]string{"gzip,gzip,gzip,gzip,gzip,gzip"}, nil, ErrTooManyLayers},
	{[]string{"gzip,gzip,gzip", "gzip,gzip,gzip"}, nil, ErrTooManyLayers},
	{[]string{"gzip,gzip,gzip,gzip,gzip,x-foo"}, nil, ErrTooManyLayers},
	{[]string{strings.Repeat("gzip,", 1000)}, nil, ErrTooManyLayers},
	{[]string{strings.Repeat("identity,", 1000)}, nil, nil},
}

func TestList(t *testing.T) {
	t.Parallel()
	for _, tt := range listTests {
		got, err := parse(tt.lines, defaultLayers)
		assert.ErrorIs(t, err, tt.err, "%.60q", tt.lines)
		assert.Equal(t, tt.want, got, "%.60q", tt.lines)

		r, err := NewReader(http{}, tt.lines, Limits{})
		require.ErrorIs(t, err, tt.err)
		if tt.err != nil {
			assert.Nil(t, r)
			assert.ErrorAs(t, err, new(*Error))
		} else if tt.want == nil {
			assert.Equal(t, http{}, r, "%q: not left alone", tt.lines)
		}
	}
}

// http stands for a response's body.
type http struct{ io.ReadCloser }

func TestUntouched(t *testing.T) {
	var body io.Reader = &http{}
	lines := []string{"identity"}
	got := testing.AllocsPerRun(10, func() {
		if r, err := NewReader(body, lines, Limits{}); err != nil || r != body {
			t.Error("not left alone")
		}
	})
	assert.Zero(t, got)

	r, err := NewReader(strings.NewReader("plain"), nil, Limits{})
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	assert.Equal(t, "plain", string(b))
	assert.NoError(t, r.Close())
}

func TestLayers(t *testing.T) {
	t.Parallel()
	body := encode(t, []byte("x"), "gzip", "br")
	_, err := decode(bytes.NewReader(body), Limits{Layers: 1}, "gzip, br")
	assert.ErrorIs(t, err, ErrTooManyLayers)
	got, err := decode(bytes.NewReader(body), Limits{Layers: 2}, "gzip, br")
	assert.NoError(t, err)
	assert.Equal(t, "x", string(got))
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	_, err := NewReader(http{}, []string{"gzip, " + strings.Repeat("é\n", 99)}, Limits{})
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.Len(t, e.Coding, 32, "a name from the wire is shortened")
	assert.NotContains(t, err.Error(), "\n")
	assert.Contains(t, err.Error(), ErrUnknownCoding.Error())

	assert.Equal(t, `coding: "br": body expands too much`, (&Error{"br", ErrRatio}).Error())
	assert.Equal(t, `coding: decoded body too large`, (&Error{"", ErrTooLarge}).Error())
}

// errWire is an error of the connection.
var errWire = errors.New("connection reset")

// cutReader gives data and then an error.
func cutReader(data []byte, err error) io.Reader {
	return io.MultiReader(bytes.NewReader(data), iotest.ErrReader(err))
}
