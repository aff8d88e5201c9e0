package requests

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

func gzipped(s string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return b.Bytes()
}

// chunkedServer answers each request with the chunks, each as it is, and
// counts its connections.
// piecesOf is what Chunks hands out.
// Large pieces are as large as they were asked for.
// Over a connection the chunks come as the server framed them.
// Decoded chunks come as they can be decoded, and whole.
// A body in memory is cut anew each time; any other can be had once.
// A piece that the error has cut short is not handed out.
// Leaving early costs the connection, and the next call dials anew.
// The states of a body: what each reader gives after each other one.
func TestBodyStates(t *testing.T) {
	readSome := func(r *Response) { _, _ = io.ReadFull(r, make([]byte, 2)) }
	readAll := func(r *Response) { _, _ = io.Copy(io.Discard, onlyReader{r}) }
	tests := []struct {
		name   string
		before func(r *Response)
		want   string // of Content
		err    error
	}{
		{"fresh", func(*Response) {}, "abcd", nil},
		{"after Content", func(r *Response) { r.Content() }, "abcd", nil},
		{"after a part", readSome, "", ErrStreamConsumed},
		{"after the whole", readAll, "", ErrStreamConsumed},
		{"after Close", func(r *Response) { r.Close() }, "", ErrStreamConsumed},
		{"after Content and Close", func(r *Response) { r.Content(); r.Close() }, "abcd", nil},
		{"after a part and Close", func(r *Response) { readSome(r); r.Close() }, "", ErrStreamConsumed},
		{"after Chunks", func(r *Response) {
			for range r.Chunks(0) {
			}
		}, "", ErrStreamConsumed},
		{"after Raw", func(r *Response) { _, _ = io.ReadAll(r.Raw()) }, "", ErrStreamConsumed},
		{"after WriteTo", func(r *Response) { _, _ = r.WriteTo(io.Discard) }, "", ErrStreamConsumed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := given(nil, "ab", "cd")
			tt.before(r)
			for range 2 {
				got, err := r.ReadAll()
				assert.ErrorIs(t, err, tt.err)
				if tt.err == nil {
					assert.Equal(t, tt.want, string(got))
					assert.NoError(t, r.Err())
				} else {
					assert.ErrorIs(t, r.Err(), tt.err)
				}
				assert.Equal(t, tt.want, string(r.Content()))
				assert.Equal(t, tt.want, r.Text())
			}
		})
	}
}

// A part that was read can be read on.
func TestReadGoesOn(t *testing.T) {
	r := given(nil, "ab", "cd")
	b := make([]byte, 3)
	n, err := r.Read(b)
	require.NoError(t, err)
	assert.Equal(t, "ab", string(b[:n]))
	assert.Nil(t, r.Content(), "a second reader gets nothing")
	rest, err := io.ReadAll(onlyReader{r})
	require.NoError(t, err)
	assert.Equal(t, "cd", string(rest))
	n, err = r.Read(b)
	assert.Zero(t, n)
	assert.Equal(t, io.EOF, err)
}

func TestReadAfterClose(t *testing.T) {
	r := given(nil, "ab", "cd")
	_, err := r.Read(make([]byte, 2))
	require.NoError(t, err)
	require.NoError(t, r.Close())
	_, err = r.Read(make([]byte, 2))
	assert.ErrorIs(t, err, ErrStreamConsumed)
	_, err = r.Read(make([]byte, 2))
	assert.ErrorIs(t, err, ErrStreamConsumed)
}

// A failure stays: the same error each time, the part to be had apart.
func TestFailedBody(t *testing.T) {
	r := given(errBoom, "ab", "c")
	first, err := r.ReadAll()
	assert.ErrorIs(t, err, errBoom)
	assert.Equal(t, "abc", string(first))
	again, err2 := r.ReadAll()
	assert.Equal(t, err, err2)
	assert.Equal(t, "abc", string(again))
	assert.Nil(t, r.Content())
	assert.Empty(t, r.Text())
	assert.Equal(t, "abc", string(r.Partial()))
	assert.Equal(t, err, r.Err())
	_, err = r.Read(make([]byte, 1))
	assert.Equal(t, err2, err)
	_, err = r.WriteTo(io.Discard)
	assert.ErrorIs(t, err, errBoom)
	for _, err := range r.Chunks(0) {
		assert.ErrorIs(t, err, errBoom)
	}
	assert.ErrorIs(t, r.JSON(new(any)), errBoom)

	whole := given(nil, "abc")
	whole.Content()
	assert.Nil(t, whole.Partial(), "nothing is partial of a body that is whole")
}

func TestReadAndWriteToOfLoadedBody(t *testing.T) {
	r := given(nil, "abcde")
	require.Equal(t, "abcde", r.Text())
	b := make([]byte, 2)
	n, err := r.Read(b)
	require.NoError(t, err)
	assert.Equal(t, "ab", string(b[:n]))
	var rest bytes.Buffer
	m, err := r.WriteTo(&rest)
	require.NoError(t, err)
	assert.EqualValues(t, 3, m)
	assert.Equal(t, "cde", rest.String())
	_, err = r.Read(b)
	assert.Equal(t, io.EOF, err)
	m, err = r.WriteTo(&rest)
	require.NoError(t, err)
	assert.Zero(t, m)
	assert.Equal(t, "abcde", r.Text(), "Content does not move")
	got, err := io.ReadAll(r.Raw())
	require.NoError(t, err)
	assert.Empty(t, got)
}

func TestWriteTo(t *testing.T) {
	var b bytes.Buffer
	n, err := given(nil, "ab", "cd").WriteTo(&b)
	require.NoError(t, err)
	assert.EqualValues(t, 4, n)
	assert.Equal(t, "abcd", b.String())

	b.Reset()
	n, err = given(errBoom, "ab").WriteTo(&b)
	assert.ErrorIs(t, err, errBoom)
	assert.EqualValues(t, 2, n)

	_, err = given(nil, "ab").WriteTo(&writesOf{fail: 1})
	assert.ErrorIs(t, err, errBoom)
}

// Raw gives what crossed the wire, before any decoding.
func TestRaw(t *testing.T) {
	data := gzipped("hello")
	url := loopServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(data)
	})
	s := loopSession(t)
	r, err := s.Get(t.Context(), url, Stream())
	require.NoError(t, err)
	got, err := io.ReadAll(r.Raw())
	require.NoError(t, err)
	assert.Equal(t, data, got)

	r, err = s.Get(t.Context(), url)
	require.NoError(t, err)
	assert.Equal(t, "hello", r.Text())
}

// A body that ends early is an error always, whatever told its length.
func TestTruncatedBody(t *testing.T) {
	tests := []struct {
		name, answer string
		kind         error
		partial      string
	}{
		{"length", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", ErrChunkedEncoding, "abc"},
		{"chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n9\r\nd", ErrChunkedEncoding, "abcd"},
		{"no last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", ErrChunkedEncoding, "abc"},
		{"bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n", ErrChunkedEncoding, "abc"},
		{
			"coding", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n" + string(gzipped("abc")[:12]),
			ErrContentDecoding, "a",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
				if readHead(r) != "" {
					_, _ = io.WriteString(c, tt.answer)
				}
			})
			s := loopSession(t)
			_, err := s.Get(t.Context(), url+"/?secret=1")
			require.ErrorIs(t, err, tt.kind)
			e := asError(t, err)
			require.NotNil(t, e.Response)
			assert.Equal(t, tt.partial, string(e.Response.Partial()))
			assert.True(t, e.MaybeSent)
			assert.NotContains(t, err.Error(), "secret")
			assert.NotNil(t, e.Request)

			r, err := s.Get(t.Context(), url, Stream())
			require.NoError(t, err)
			assert.Nil(t, r.Content())
			assert.ErrorIs(t, r.Err(), tt.kind)
			assert.Equal(t, tt.partial, string(r.Partial()))
		})
	}
}

func TestLimits(t *testing.T) {
	url := loopServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bomb" {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(gzipped(strings.Repeat("x", 4<<20)))
			return
		}
		fmt.Fprint(w, "0123456789")
	})
	tests := []struct {
		path string
		opts []Option
		ok   bool
	}{
		{"/", []Option{MaxBody(10)}, true},
		{"/", []Option{MaxBody(9)}, false},
		{"/", []Option{MaxBody(-1)}, true},
		{"/bomb", nil, true},
		{"/bomb", []Option{MaxBody(4 << 20)}, true},
		{"/bomb", []Option{MaxBody(4<<20 - 1)}, false},
		{"/bomb", []Option{MaxExpansion(10)}, false},
		{"/bomb", []Option{MaxExpansion(1e6)}, true},
	}
	s := loopSession(t)
	for _, tt := range tests {
		r, err := s.Get(t.Context(), url+tt.path, tt.opts...)
		if tt.ok {
			require.NoError(t, err)
			assert.NotEmpty(t, r.Content())
			continue
		}
		assert.ErrorIs(t, err, ErrTooLarge)
		assert.NotErrorIs(t, err, ErrContentDecoding)
	}
	r, err := s.Get(t.Context(), url, Stream(), MaxBody(4))
	require.NoError(t, err)
	got, err := r.ReadAll()
	assert.ErrorIs(t, err, ErrTooLarge)
	assert.Equal(t, "0123", string(got), "the limit's worth is to be had")
}

func TestUnknownCodings(t *testing.T) {
	many := strings.Repeat("gzip, ", 20) + "gzip"
	url := loopServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", many)
		_, _ = w.Write([]byte("x"))
	})
	_, err := loopSession(t).Get(t.Context(), url)
	assert.ErrorIs(t, err, ErrContentDecoding)
}

// Many may read a response that was read whole.
func TestLoadedBodyIsShared(t *testing.T) {
	url := loopServer(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"a":1}`) })
	r, err := loopSession(t).Get(t.Context(), url)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			var v map[string]int
			assert.NoError(t, r.JSON(&v))
			assert.Equal(t, `{"a":1}`, r.Text())
			assert.Len(t, piecesOf(t, r, 3), 3)
			assert.Len(t, collectLines(t, r), 1)
			assert.NoError(t, r.Close())
		})
	}
	wg.Wait()
}

// What is foreseen of a coded body is a guess: right or wrong in either way the
// body comes whole, and what an error leaves of it is kept.
func TestForeseenBody(t *testing.T) {
	const n = 6 * enoughToTell * bufferSize / 4
	noise := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	dense, thin := string(noise), strings.Repeat("0123456789abcdef", n/16)
	text := thin + thin[:n/2]
	var body string
	var cut int
	url := loopServer(t, func(w http.ResponseWriter, r *http.Request) {
		zipped := thinned(body)
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Length", fmt.Sprint(len(zipped)))
		_, _ = w.Write(zipped[:len(zipped)-cut])
	})
	s := loopSession(t)
	get := func(of string, cutBy int, opts ...Option) (*Response, error) {
		body, cut = of, cutBy
		return s.Get(t.Context(), url, opts...)
	}
	for name, of := range map[string]string{
		"right": text, "too much": thin + dense, "too little": dense + thin,
		"beyond the measure": strings.Repeat("0", n) + dense + dense,
	} {
		t.Run(name, func(t *testing.T) {
			r, err := get(of, 0)
			require.NoError(t, err)
			assert.True(t, string(r.Content()) == of, "the body is another one")
			assert.Equal(t, len(of), cap(r.Content()), "what one caller appends is in another's way")
		})
	}
	r, err := get(text, 100)
	require.ErrorIs(t, err, ErrChunkedEncoding)
	partial := errorResponse(t, err).Partial()
	assert.Greater(t, len(partial), len(text)/2)
	assert.True(t, strings.HasPrefix(text, string(partial)), "what was kept is another text")
	require.Nil(t, r)
	const limit = enoughToTell*bufferSize + 1000
	_, err = get(text, 0, MaxBody(limit))
	require.ErrorIs(t, err, ErrTooLarge)
	assert.Len(t, errorResponse(t, err).Partial(), limit)
}

// What is foreseen is not collected in pieces first, which would cost the body's
// size once more.
func TestForeseenBodyIsReadOnce(t *testing.T) {
	if testserver.RaceDetector() {
		t.Skip("the race detector allocates for itself")
	}
	const size = 12 << 20
	zipped := thinned(strings.Repeat("0123456789abcdef", size/16))
	url := loopServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Length", fmt.Sprint(len(zipped)))
		_, _ = w.Write(zipped)
	})
	s := loopSession(t)
	var before, after runtime.MemStats
	runtime.GC() // empties the pools, the second time for good
	runtime.GC()
	runtime.ReadMemStats(&before)
	r, err := s.Get(t.Context(), url)
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	assert.Len(t, r.Content(), size)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(size+size/2))
}

// thinned is gzip that codes bytes and looks for no repetitions, so that the
// ratio of a text is that of its letters.
func thinned(s string) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.HuffmanOnly)
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return b.Bytes()
}

// errorResponse is the response that an error keeps.
func errorResponse(t *testing.T, err error) *Response {
	t.Helper()
	var e *Error
	require.ErrorAs(t, err, &e)
	require.NotNil(t, e.Response)
	return e.Response
}

// Bodies of every size are read whole: with a length and without, at the
// edges of the buffers.
func TestContentOfAllSizes(t *testing.T) {
	data := strings.Repeat("0123456789abcdef", 3*bufferSize/16)
	url := loopServer(t, func(w http.ResponseWriter, r *http.Request) {
		var n int
		_, _ = fmt.Sscan(r.URL.Query().Get("n"), &n)
		if r.URL.Path == "/length" {
			w.Header().Set("Content-Length", fmt.Sprint(n))
		} else {
			_ = http.NewResponseController(w).Flush()
		}
		_, _ = io.WriteString(w, data[:n])
	})
	s := loopSession(t)
	for _, n := range []int{0, 1, 511, bufferSize - 1, bufferSize, bufferSize + 1, 2 * bufferSize, 3 * bufferSize} {
		for _, path := range []string{"/length", "/chunked"} {
			r, err := s.Get(t.Context(), fmt.Sprintf("%s%s?n=%d", url, path, n))
			require.NoError(t, err)
			if r.Text() != data[:n] {
				t.Errorf("%s: %d bytes, want %d", path, len(r.Content()), n)
			}
		}
	}
}

func TestDrainedBodyKeepsItsError(t *testing.T) {
	h := &heldBody{Reader: bytes.NewReader([]byte("ab")), err: errBoom}
	got, err := io.ReadAll(h)
	assert.Equal(t, "ab", string(got))
	assert.ErrorIs(t, err, errBoom)
	assert.NoError(t, h.Close())
	h = &heldBody{Reader: bytes.NewReader([]byte("ab"))}
	_, err = io.ReadAll(h)
	assert.NoError(t, err)
}

func TestOnCloseOfClosedBody(t *testing.T) {
	n := 0
	r := given(nil, "a")
	require.NoError(t, r.Close())
	r.body.onClose(func() { n++ })
	assert.Equal(t, 1, n)
	r = given(nil, "a")
	r.body.onClose(func() { n++ })
	r.Close()
	r.Close()
	assert.Equal(t, 2, n)
	assert.True(t, errors.Is(r.body.load(r), ErrStreamConsumed))
}

// An empty body that nobody read costs its connection too; one that was read
// does not.
func TestEmptyBodyClosedUnread(t *testing.T) {
	for _, read := range []bool{false, true} {
		var conns atomic.Int32
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				conns.Add(1)
			}
		}
		srv.Start()
		s := loopSession(t)
		for range 2 {
			r, err := s.Get(t.Context(), srv.URL, Stream())
			require.NoError(t, err)
			if read {
				assert.Empty(t, r.Content())
			}
			require.NoError(t, r.Close())
		}
		want := 2
		if read {
			want = 1
		}
		assert.EqualValues(t, want, conns.Load())
		srv.Close()
	}
}

// How large a piece is without a size is not the server's to say alone.
