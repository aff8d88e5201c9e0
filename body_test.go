package requests

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// onlyReader hides all but Read.
type onlyReader struct{ io.Reader }

// brokenSeeker fails in the n-th of its Seeks, counted from 1.
type brokenSeeker struct {
	*strings.Reader
	failAt int
	seeks  int
}

func (s *brokenSeeker) Seek(offset int64, whence int) (int64, error) {
	if s.seeks++; s.seeks == s.failAt {
		return 0, errBoom
	}
	return s.Reader.Seek(offset, whence)
}

// seekOnly has Read and Seek, but no Len.
type seekOnly struct{ io.ReadSeeker }

func readPayload(t testing.TB, p *Payload) string {
	t.Helper()
	rc, err := p.open()
	require.NoError(t, err)
	b, err := io.ReadAll(rc)
	require.NoError(t, err)
	require.NoError(t, rc.Close())
	return string(b)
}

func movedTo(r io.ReadSeeker, at int64) io.Reader {
	_, _ = r.Seek(at, io.SeekStart)
	return r
}

func TestPayloadLengthAndReplay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(path, []byte("0123456789"), 0o600))
	file := func() *os.File {
		f, err := os.Open(path)
		require.NoError(t, err)
		t.Cleanup(func() { f.Close() })
		return f
	}
	pr, pw, err := os.Pipe()
	require.NoError(t, err)
	go func() {
		fmt.Fprint(pw, "piped")
		pw.Close()
	}()
	defer pr.Close()
	tests := []struct {
		name    string
		payload *Payload
		length  int64
		replay  bool
		want    string
	}{
		{"bytes", BytesPayload([]byte("abc")), 3, true, "abc"},
		{"no bytes", BytesPayload(nil), 0, true, ""},
		{"text", TextPayload("é"), 2, true, "é"},
		{"no reader", NewPayload(nil), 0, true, ""},
		{"buffer", NewPayload(bytes.NewBufferString("abc")), 3, true, "abc"},
		{"strings reader", NewPayload(strings.NewReader("abc")), 3, true, "abc"},
		{"strings reader under way", NewPayload(movedTo(strings.NewReader("abc"), 1)), 2, true, "bc"},
		{"bytes reader at its end", NewPayload(movedTo(bytes.NewReader([]byte("abc")), 3)), 0, true, ""},
		{"beyond its end", NewPayload(movedTo(seekOnly{strings.NewReader("abc")}, 9)), 0, true, ""},
		{"seeker without Len", NewPayload(seekOnly{strings.NewReader("abc")}), 3, true, "abc"},
		{"file", NewPayload(file()), 10, true, "0123456789"},
		{"file under way", NewPayload(movedTo(file(), 4)), 6, true, "456789"},
		{"pipe", NewPayload(pr), -1, false, "piped"},
		{"reader", NewPayload(onlyReader{strings.NewReader("abc")}), -1, false, "abc"},
		{"buffered reader", NewPayload(bufio.NewReader(strings.NewReader("abc"))), -1, false, "abc"},
		{"seeker that cannot tell", NewPayload(&brokenSeeker{Reader: strings.NewReader("abc"), failAt: 1}), 3, false, "abc"},
		{"function", FuncPayload(func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("abc")), nil }, 3), 3, true, "abc"},
		{"function without a length", FuncPayload(func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader("abc")), nil
		}, -7), -1, true, "abc"},
		{"pieces", ChunksPayload(seqOf("a", "", "bc")), -1, false, "abc"},
		{"no pieces", ChunksPayload(seqOf()), -1, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.length, tt.payload.Len())
			assert.Equal(t, tt.replay, tt.payload.Replayable())
			assert.Equal(t, tt.want, readPayload(t, tt.payload))
			if tt.replay {
				for range 2 {
					assert.Equal(t, tt.want, readPayload(t, tt.payload))
				}
				return
			}
			_, err := tt.payload.open()
			assert.ErrorIs(t, err, ErrUnrewindableBody)
		})
	}
}

func TestNilPayload(t *testing.T) {
	var p *Payload
	assert.Zero(t, p.Len())
	assert.True(t, p.Replayable())
	_, ok := p.Bytes()
	assert.False(t, ok)
	assert.Equal(t, "no body", p.String())
	assert.True(t, p.empty())
}

func TestPayloadText(t *testing.T) {
	for _, tt := range []struct {
		p    *Payload
		want string
	}{
		{TextPayload("secret"), "body of 6 bytes"},
		{ChunksPayload(seqOf("secret")), "body of unknown length"},
	} {
		assert.Equal(t, tt.want, tt.p.String())
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			assert.Equal(t, tt.want, fmt.Sprintf(verb, tt.p), verb)
		}
	}
	b, ok := TextPayload("x").Bytes()
	assert.True(t, ok)
	assert.Equal(t, "x", string(b))
	_, ok = NewPayload(strings.NewReader("x")).Bytes()
	assert.False(t, ok)
}

// A reader goes back to where it stood, not to its beginning.
func TestPayloadRewindsToWhereItStood(t *testing.T) {
	r := strings.NewReader("0123456789")
	p := NewPayload(movedTo(r, 3))
	rc, err := p.open()
	require.NoError(t, err)
	part := make([]byte, 2)
	_, err = io.ReadFull(rc, part)
	require.NoError(t, err)
	assert.Equal(t, "34", string(part))
	assert.Equal(t, "3456789", readPayload(t, p))
}

func TestPayloadRewindFails(t *testing.T) {
	// Seeks: where it stands, there, and back.
	r := &brokenSeeker{Reader: strings.NewReader("abc"), failAt: 3}
	p := NewPayload(r)
	assert.True(t, p.Replayable())
	assert.Equal(t, "abc", readPayload(t, p))
	_, err := p.open()
	assert.ErrorIs(t, err, ErrUnrewindableBody)
	assert.ErrorIs(t, err, errBoom)
}

func TestPayloadMeasureFails(t *testing.T) {
	for _, failAt := range []int{2, 3} { // to the end, and back
		r := &brokenSeeker{Reader: strings.NewReader("abc"), failAt: failAt}
		p := NewPayload(seekOnly{r})
		assert.EqualValues(t, -1, p.Len(), "seek %d", failAt)
	}
}

func TestFuncPayloadOpenFails(t *testing.T) {
	_, err := FuncPayload(func() (io.ReadCloser, error) { return nil, errBoom }, 3).open()
	assert.ErrorIs(t, err, errBoom)
}

// A body of no length goes in chunks of a bounded size, whatever the reader is
// asked for.
func TestBlocksAreBounded(t *testing.T) {
	p := NewPayload(onlyReader{strings.NewReader(strings.Repeat("x", 3*fileBlock))})
	rc, err := p.open()
	require.NoError(t, err)
	n, err := rc.Read(make([]byte, 10*fileBlock))
	require.NoError(t, err)
	assert.Equal(t, fileBlock, n)
}

// failingSeq gives pieces, then an error.
func failingSeq(stopped *bool, pieces ...string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		defer func() { *stopped = true }()
		for _, p := range pieces {
			if !yield([]byte(p), nil) {
				return
			}
		}
		yield(nil, errBoom)
	}
}

func TestChunksPayloadError(t *testing.T) {
	var stopped bool
	rc, err := ChunksPayload(failingSeq(&stopped, "a", "b")).open()
	require.NoError(t, err)
	got, err := io.ReadAll(rc)
	assert.ErrorIs(t, err, errBoom)
	assert.Equal(t, "ab", string(got))
	assert.True(t, stopped, "the iterator is ended")
	_, err = rc.Read(make([]byte, 1))
	assert.ErrorIs(t, err, errBoom, "the error stays")
}

// writesOf takes down each Write.
type writesOf struct {
	got  []string
	fail int // of the writes, counted from 1
}

func (w *writesOf) Write(b []byte) (int, error) {
	w.got = append(w.got, string(b))
	if len(w.got) == w.fail {
		return 0, errBoom
	}
	return len(b), nil
}

// Each piece is one Write, so that it is one chunk.
func TestChunksPayloadWritesPieces(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	r := &chunkReader{seq: seqOf("a", "", long, "b")}
	var w writesOf
	n, err := r.WriteTo(&w)
	require.NoError(t, err)
	assert.EqualValues(t, 2+len(long), n)
	assert.Equal(t, []string{"a", long, "b"}, w.got)

	var stopped bool
	w = writesOf{fail: 1}
	_, err = (&chunkReader{seq: failingSeq(&stopped, "a", "b")}).WriteTo(&w)
	assert.ErrorIs(t, err, errBoom)
	assert.True(t, stopped)

	_, err = (&chunkReader{seq: failingSeq(&stopped, "a")}).WriteTo(new(writesOf))
	assert.ErrorIs(t, err, errBoom)
}

// What a request's body is made of, in Requests' order: data before files
// before JSON.
func TestBodyContent(t *testing.T) {
	part := Part{Field: "f", Content: TextPayload("c")}
	tests := []struct {
		name        string
		opts        []Option
		want        string // "-" is no body
		contentType string
		err         error
	}{
		{"nothing", nil, "-", "", nil},
		{"body", []Option{BodyText("b")}, "b", "", nil},
		{"form", []Option{Form("a", "1", "2"), Form("b c", "é&")}, "a=1&a=2&b+c=%C3%A9%26", "application/x-www-form-urlencoded", nil},
		{"form of nothing", []Option{Form("a")}, "-", "", nil},
		{"form and JSON", []Option{Form("a", "1"), JSON(1)}, "a=1", "application/x-www-form-urlencoded", nil},
		{"JSON", []Option{JSON(map[string]any{"a": "<é>"})}, `{"a": "<\u00e9>"}`, "application/json", nil},
		{
			"JSON of odd characters",
			[]Option{JSON("\b\f\n\r\t\x00\x1f\x7f\u2028\U0001F600\"\\/,:<&")},
			`"\b\f\n\r\t\u0000\u001f\u007f\u2028\ud83d\ude00\"\\/,:<&"`, "application/json", nil,
		},
		{"JSON null", []Option{JSON(nil)}, "-", "", nil},
		{"body and JSON", []Option{BodyText("b"), JSON(1)}, "b", "", nil},
		{"empty body and JSON", []Option{BodyText(""), JSON(1)}, "1", "application/json", nil},
		{"empty body and form", []Option{BodyBytes(nil), Form("a", "1")}, "a=1", "application/x-www-form-urlencoded", nil},
		{"empty file and JSON", []Option{Body(strings.NewReader("")), JSON(1)}, "", "", nil},
		{"empty file and form", []Option{Body(strings.NewReader("")), Form("a", "1")}, "", "", ErrInvalidOption},
		{"empty body", []Option{BodyText("")}, "-", "", nil},
		{"empty reader", []Option{Body(strings.NewReader(""))}, "", "", nil},
		{"body and form", []Option{BodyText("b"), Form("a", "1")}, "", "", ErrInvalidOption},
		{"body and files", []Option{BodyText("b"), Files(part)}, "", "", ErrInvalidOption},
		{"unencodable JSON", []Option{JSON(make(chan int))}, "", "", ErrInvalidJSON},
	}
	boundary := func() (string, error) { return "BOUND", nil }
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, contentType, err := NewRequest("POST", "", tt.opts...).bodyContent(boundary)
			if tt.err != nil {
				assert.ErrorIs(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.contentType, contentType)
			if tt.want == "-" {
				assert.Nil(t, p)
				return
			}
			assert.Equal(t, tt.want, readPayload(t, p))
		})
	}
	_, contentType, err := NewRequest("POST", "", Files(part), Form("a", "1")).bodyContent(boundary)
	require.NoError(t, err)
	assert.Equal(t, "multipart/form-data; boundary=BOUND", contentType)
	_, _, err = NewRequest("POST", "", Files(part)).bodyContent(func() (string, error) { return "", errBoom })
	assert.ErrorIs(t, err, errBoom)
}

// A source whose error wraps the end of another is broken, not at its end.
func TestWrappedEOFIsNoEnd(t *testing.T) {
	broken := fmt.Errorf("source: %w", io.EOF)
	url := loopServer(t, echoBody)
	s := loopSession(t)
	for name, opt := range map[string]Option{
		"body":   Body(&pieceReader{pieces: []string{"abc"}, err: broken}),
		"pieces": BodyChunks(func(yield func([]byte, error) bool) { _ = yield([]byte("abc"), nil) && yield(nil, broken) }),
		"part":   File("f", "n", &pieceReader{pieces: []string{"abc"}, err: broken}),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Post(t.Context(), url, opt)
			require.Error(t, err)
			assert.True(t, errors.Is(err, broken), "%v", err)
		})
	}
	_, err := given(broken, "abc").ReadAll()
	assert.ErrorIs(t, err, broken)
}
