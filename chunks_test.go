package requests

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func chunkedServer(t testing.TB, head string, chunks ...string) (url string, conns *atomic.Int64) {
	conns = new(atomic.Int64)
	var answer strings.Builder
	answer.WriteString("HTTP/1.1 200 OK\r\n" + head + "Transfer-Encoding: chunked\r\n\r\n")
	for _, c := range chunks {
		fmt.Fprintf(&answer, "%x;n=v\r\n%s\r\n", len(c), c)
	}
	answer.WriteString("0\r\nX-Trailer: end\r\n\r\n")
	return rawLoop(t, func(n int, c net.Conn, r *bufio.Reader) {
		conns.Add(1)
		answerAll(answer.String())(n, c, r)
	}), conns
}

func piecesOf(t testing.TB, r *Response, size int) []string {
	t.Helper()
	var got []string
	for piece, err := range r.Chunks(size) {
		require.NoError(t, err)
		got = append(got, string(piece))
	}
	return got
}

func TestChunksSizes(t *testing.T) {
	tests := []struct {
		size   int
		pieces []string // as they arrive
		want   []string
	}{
		{0, []string{"ab", "c"}, []string{"ab", "c"}},
		{0, nil, nil},
		{-1, []string{"ab", "c"}, []string{"ab", "c"}},
		{1, []string{"ab", "c"}, []string{"a", "b", "c"}},
		{2, []string{"abc", "d", "e"}, []string{"ab", "cd", "e"}},
		{3, []string{"a", "b", "c", "d", "e", "f"}, []string{"abc", "def"}},
		{100, []string{"a", "b"}, []string{"ab"}},
		{100, nil, nil},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, piecesOf(t, given(nil, slices.Clone(tt.pieces)...), tt.size), "size %d of %q", tt.size, tt.pieces)
	}
}

func TestChunksLargerThanTheBuffer(t *testing.T) {
	const size = 3*arrivalBuffer + 7
	data := strings.Repeat("0123456789", 100_000)
	got := piecesOf(t, given(nil, data), size)
	want := len(data)
	for i, p := range got {
		if i < len(got)-1 {
			assert.Len(t, p, size)
		}
		want -= len(p)
	}
	assert.Zero(t, want)
	assert.Equal(t, data, strings.Join(got, ""))
}

func TestChunksAreTheServers(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	url, conns := chunkedServer(t, "", "a", "bcd", long, "ef")
	s := loopSession(t)
	tests := []struct {
		size int
		want []string
	}{
		{0, []string{"a", "bcd", long, "ef"}},
		{1 << 20, []string{"a", "bcd", long, "ef"}},
		{2, nil},
	}
	for _, tt := range tests {
		r, err := s.Get(t.Context(), url, Stream())
		require.NoError(t, err)
		got := piecesOf(t, r, tt.size)
		assert.Equal(t, "a"+"bcd"+long+"ef", strings.Join(got, ""))
		if tt.want != nil {
			assert.Equal(t, tt.want, got, "size %d", tt.size)
		} else {
			assert.Equal(t, []string{"a", "bc", "d", "xx"}, got[:4])
			assert.Equal(t, "ef", got[len(got)-1])
		}
		assert.Equal(t, "end", r.Trailers().Get("x-trailer"))
	}
	assert.EqualValues(t, 1, conns.Load(), "a body read to its end gives the connection back")
}

func TestChunksDecoded(t *testing.T) {
	data := gzipped(strings.Repeat("hello ", 1000))
	url, _ := chunkedServer(t, "Content-Encoding: gzip\r\n", string(data[:10]), string(data[10:]))
	s := loopSession(t)
	for _, size := range []int{0, 7, 1 << 20} {
		r, err := s.Get(t.Context(), url, Stream())
		require.NoError(t, err)
		got := piecesOf(t, r, size)
		assert.Equal(t, strings.Repeat("hello ", 1000), strings.Join(got, ""), "size %d", size)
	}
}

func TestChunksTwice(t *testing.T) {
	r := given(nil, "abc", "de")
	require.NoError(t, r.body.load(r))
	for range 2 {
		assert.Equal(t, []string{"ab", "cd", "e"}, piecesOf(t, r, 2))
		assert.Equal(t, []string{"abcde"}, piecesOf(t, r, 0))
		for range r.Chunks(1) {
			break
		}
	}
	r = given(nil, "abc")
	assert.Equal(t, []string{"abc"}, piecesOf(t, r, 0))
	n := 0
	for piece, err := range r.Chunks(0) {
		n++
		assert.Nil(t, piece)
		assert.ErrorIs(t, err, ErrStreamConsumed)
	}
	assert.Equal(t, 1, n)
}

func TestChunksError(t *testing.T) {
	tests := []struct {
		size    int
		want    []string
		partial string
	}{
		{3, []string{"abc"}, "d"},
		{2, []string{"ab", "cd"}, ""},
		{4, []string{"abcd"}, ""},
		{5, nil, "abcd"},
	}
	for _, tt := range tests {
		var got []string
		var last error
		r := given(errBoom, "abc", "d")
		for piece, err := range r.Chunks(tt.size) {
			if err != nil {
				last = err
				continue
			}
			got = append(got, string(piece))
		}
		assert.Equal(t, tt.want, got)
		assert.Equal(t, tt.partial, string(r.Partial()))
		assert.ErrorIs(t, last, errBoom)
	}
}

func TestChunksLeftEarly(t *testing.T) {
	url, conns := chunkedServer(t, "", "a", strings.Repeat("b", 1<<20), "c")
	s := loopSession(t)
	for range 2 {
		r, err := s.Get(t.Context(), url, Stream())
		require.NoError(t, err)
		for range r.Chunks(0) {
			break
		}
		assert.Nil(t, r.Content())
		assert.ErrorIs(t, r.Err(), ErrStreamConsumed)
	}
	assert.EqualValues(t, 2, conns.Load())
}

func TestTextChunks(t *testing.T) {
	tests := []struct {
		encoding string
		pieces   []string
		want     []string
	}{
		{"utf-8", []string{"a\xc3", "\xa9b"}, []string{"a", "éb"}},
		{"utf-8", []string{"a", "\xc3"}, []string{"a", "\uFFFD"}},
		{"", []string{"a\xc3", "\xa9"}, []string{"a\xc3", "\xa9"}},
		{"iso-8859-1", []string{"\xe9"}, []string{"é"}},
		{"no-such", []string{"\xc3", "\xa9"}, []string{"é"}},
	}
	for _, tt := range tests {
		r := given(nil, tt.pieces...)
		r.Encoding = tt.encoding
		var got []string
		for text, err := range r.TextChunks(0) {
			require.NoError(t, err)
			got = append(got, text)
		}
		assert.Equal(t, tt.want, got, tt.encoding)
	}
	var last error
	for _, err := range given(errBoom, "a").TextChunks(0) {
		last = err
	}
	assert.ErrorIs(t, last, errBoom)
	src := &pieceReader{pieces: []string{"a", "b"}, err: io.EOF}
	for range NewResponse(nil, 200, "", Headers{}, src).TextChunks(0) {
		break
	}
	assert.Equal(t, 1, src.closed)
}

func TestChunksAreBounded(t *testing.T) {
	const size = 3 << 20
	url := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
		_, _ = http.ReadRequest(r)
		_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", size, strings.Repeat("x", size))
	})
	r, err := loopSession(t).Get(t.Context(), url, Stream())
	require.NoError(t, err)
	total := 0
	for piece, err := range r.Chunks(0) {
		require.NoError(t, err)
		assert.LessOrEqual(t, len(piece), 2*maxPiece)
		total += len(piece)
	}
	assert.Equal(t, size, total)
}
