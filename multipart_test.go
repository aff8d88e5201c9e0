package requests

import (
	"bytes"
	"fmt"
	"io"
	mimemultipart "mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// echoBody answers with the body of the request.
func echoBody(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Length", fmt.Sprint(r.ContentLength))
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	_, _ = w.Write(b)
}

// multipartText is the whole body of a form and files, with a fixed boundary.
func multipartText(t testing.TB, form Fields, files ...Part) (string, error) {
	t.Helper()
	p, err := multipartPayload("BOUND", form, files)
	if err != nil {
		return "", err
	}
	text := readPayload(t, p)
	if p.Len() >= 0 {
		require.EqualValues(t, len(text), p.Len(), "the length that is told")
	}
	return text, nil
}

func TestMultipartBytes(t *testing.T) {
	tests := []struct {
		name  string
		form  Fields
		files []Part
		want  string
	}{
		{"nothing", nil, nil, "--BOUND--\r\n"},
		{
			"fields before files", Pairs("a", "1", "b", ""),
			[]Part{{Field: "f", FileName: "n.txt", Content: TextPayload("content")}},
			"--BOUND\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n" +
				"--BOUND\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n\r\n" +
				"--BOUND\r\nContent-Disposition: form-data; name=\"f\"; filename=\"n.txt\"\r\n\r\ncontent\r\n--BOUND--\r\n",
		},
		{
			"file without a name", nil,
			[]Part{{Field: "f", Content: TextPayload("c")}},
			"--BOUND\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\nc\r\n--BOUND--\r\n",
		},
		{
			"no name told", nil,
			[]Part{{Field: "f", NoFileName: true, FileName: "n", Content: TextPayload("c")}},
			"--BOUND\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\nc\r\n--BOUND--\r\n",
		},
		{
			"empty name", nil,
			[]Part{{Field: "f", EmptyFileName: true, Content: TextPayload("c")}},
			"--BOUND\r\nContent-Disposition: form-data; name=\"f\"; filename=\"\"\r\n\r\nc\r\n--BOUND--\r\n",
		},
		{
			"headers in urllib3's order", nil,
			[]Part{{
				Field: "f", FileName: "n", ContentType: "text/plain", Content: TextPayload("c"),
				Headers: NewHeaders("X-A", "1", "content-location", "here", "Content-Disposition", "evil", "Content-Type", "text/html"),
			}},
			"--BOUND\r\nContent-Disposition: form-data; name=\"f\"; filename=\"n\"\r\nContent-Type: text/plain\r\n" +
				"X-A: 1\r\ncontent-location: here\r\n\r\nc\r\n--BOUND--\r\n",
		},
		{
			"headers in the usual spelling", nil,
			[]Part{{
				Field: "f", NoFileName: true, Content: TextPayload("c"),
				Headers: NewHeaders("X-A", "1", "Content-Location", "here", "Content-Type", "text/html"),
			}},
			"--BOUND\r\nContent-Disposition: form-data; name=\"f\"\r\nContent-Type: text/html\r\n" +
				"Content-Location: here\r\nX-A: 1\r\n\r\nc\r\n--BOUND--\r\n",
		},
		{
			"escaped", Pairs("a\"b\r\nc", "v\r\n"),
			[]Part{{Field: "f", FileName: "é\\\"\n.txt", Content: TextPayload("c")}},
			"--BOUND\r\nContent-Disposition: form-data; name=\"a%22b%0D%0Ac\"\r\n\r\nv\r\n\r\n" +
				"--BOUND\r\nContent-Disposition: form-data; name=\"f\"; filename=\"é\\%22%0A.txt\"\r\n\r\nc\r\n--BOUND--\r\n",
		},
		{
			"left out",
			Fields{{Name: "a", Omit: true}},
			[]Part{{Field: "f"}},
			"--BOUND--\r\n",
		},
		{
			"several under a field", nil,
			[]Part{{Field: "f", FileName: "1", Content: TextPayload("a")}, {Field: "f", FileName: "2", Content: TextPayload("")}},
			"--BOUND\r\nContent-Disposition: form-data; name=\"f\"; filename=\"1\"\r\n\r\na\r\n" +
				"--BOUND\r\nContent-Disposition: form-data; name=\"f\"; filename=\"2\"\r\n\r\n\r\n--BOUND--\r\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := multipartText(t, tt.form, tt.files...)
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestMultipartRefusesHeaders(t *testing.T) {
	for _, part := range []Part{
		{Field: "f", ContentType: "text/plain\r\nX: 1", Content: TextPayload("")},
		{Field: "f", Headers: NewHeaders("X\r\n", "1"), Content: TextPayload("")},
	} {
		_, err := multipartText(t, nil, part)
		assert.ErrorIs(t, err, ErrInvalidHeader)
	}
}

func TestBoundary(t *testing.T) {
	a, err := newBoundary()
	require.NoError(t, err)
	b, err := newBoundary()
	require.NoError(t, err)
	assert.Regexp(t, regexp.MustCompile("^[0-9a-f]{32}$"), a)
	assert.NotEqual(t, a, b)
}

// The property: the standard library reads back what was put in.
func FuzzMultipart(f *testing.F) {
	f.Add("a", "1", "f", "n.txt", "content", uint8(3))
	f.Add("a\"b", "\r\n--BOUND", "\r\n", "é\\", "", uint8(1))
	f.Fuzz(func(t *testing.T, name, value, field, file, content string, n uint8) {
		if strings.Contains(value+content, "--BOUND") || file == "" {
			return // the boundary is random in use
		}
		if strings.ContainsFunc(name+field+file, func(r rune) bool { return r != '\r' && r != '\n' && unicode.IsControl(r) }) {
			return // sent as they are, as urllib3 does, and refused by this reader
		}
		form := Pairs(name, value)
		var files []Part
		for i := range int(n % 4) {
			files = append(files, Part{
				Field: field, FileName: file, ContentType: "text/x", Headers: NewHeaders("X-N", fmt.Sprint(i)),
				Content: NewPayload(onlyReader{strings.NewReader(content)}),
			})
		}
		text, err := multipartText(t, form, files...)
		if err != nil {
			t.Fatal(err)
		}
		r := mimemultipart.NewReader(strings.NewReader(text), "BOUND")
		check := func(wantName, wantFile, want string) {
			p, err := r.NextRawPart()
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(p)
			if err != nil || string(got) != want {
				t.Fatalf("got %q, %v\nwant %q", got, err, want)
			}
			wantHead := `form-data; name="` + escapeForm(wantName) + `"`
			if wantFile != "" {
				wantHead += `; filename="` + escapeForm(wantFile) + `"`
			}
			if got := p.Header["Content-Disposition"]; len(got) != 1 || got[0] != strings.TrimSpace(wantHead) {
				t.Fatalf("got %q\nwant %q", got, wantHead)
			}
		}
		check(name, "", value)
		for range files {
			check(field, file, content)
		}
		if _, err := r.NextPart(); err != io.EOF {
			t.Fatalf("more than was put in: %v", err)
		}
	})
}

// A server takes the parts back, by whatever way their length is known.
func TestMultipartOverLoopback(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk.bin")
	require.NoError(t, os.WriteFile(path, bytes.Repeat([]byte("d"), 100<<10), 0o600))
	var framing atomic.Value
	url := loopServer(t, func(w http.ResponseWriter, r *http.Request) {
		framing.Store(fmt.Sprint(r.ContentLength >= 0, r.TransferEncoding))
		if err := r.ParseMultipartForm(1 << 20); err != nil {
			w.WriteHeader(400)
			return
		}
		fmt.Fprint(w, r.FormValue("a"), " ")
		for _, fh := range r.MultipartForm.File["f"] {
			f, err := fh.Open()
			if err != nil {
				return
			}
			b, _ := io.ReadAll(f)
			f.Close()
			fmt.Fprintf(w, "%s:%d ", fh.Filename, len(b))
		}
	})
	s := loopSession(t)
	r, err := s.Post(t.Context(), url, Form("a", "1"), FilePath("f", path), File("f", "two", strings.NewReader("22")))
	require.NoError(t, err)
	assert.Equal(t, "1 disk.bin:102400 two:2 ", r.Text())
	assert.Equal(t, "true []", framing.Load())

	r, err = s.Post(t.Context(), url, Form("a", "1"), FilePath("f", path), File("f", "two", onlyReader{strings.NewReader("22")}))
	require.NoError(t, err)
	assert.Equal(t, "1 disk.bin:102400 two:2 ", r.Text())
	assert.Equal(t, "false [chunked]", framing.Load())
}

// A boundary is given to a multipart type of the caller's that lacks one.
func TestMultipartContentType(t *testing.T) {
	part := Files(Part{Field: "f", Content: TextPayload("c")})
	tests := []struct{ given, want string }{
		{"", "^multipart/form-data; boundary=[0-9a-f]{32}$"},
		{"multipart/related", "^multipart/related; boundary=[0-9a-f]{32}$"},
		{"Multipart/Mixed; a=b; ", "^Multipart/Mixed; a=b; boundary=[0-9a-f]{32}$"},
		{"multipart/form-data; Boundary=mine", "^multipart/form-data; Boundary=mine$"},
		{"text/plain", "^text/plain$"},
	}
	for _, tt := range tests {
		opts := []Option{part}
		if tt.given != "" {
			opts = append(opts, Header("Content-Type", tt.given))
		}
		p, err := NewRequest("POST", "http://a.test/", opts...).Prepare(t.Context())
		require.NoError(t, err)
		assert.Regexp(t, tt.want, p.Headers.Get("Content-Type"))
	}
}

func TestMultipartReplay(t *testing.T) {
	seeker := Part{Field: "f", Content: NewPayload(strings.NewReader("abc"))}
	once := Part{Field: "f", Content: NewPayload(onlyReader{strings.NewReader("abc")})}
	p, err := multipartPayload("B", nil, []Part{seeker})
	require.NoError(t, err)
	require.True(t, p.Replayable())
	assert.Equal(t, readPayload(t, p), readPayload(t, p))

	p, err = multipartPayload("B", nil, []Part{seeker, once})
	require.NoError(t, err)
	assert.False(t, p.Replayable())
	assert.Contains(t, readPayload(t, p), "abc")
	_, err = p.open()
	assert.ErrorIs(t, err, ErrUnrewindableBody)
}

// A file that changes its size after the length was told is a typed error,
// never a body that is cut or padded.
func TestMultipartFileChangesSize(t *testing.T) {
	url := loopServer(t, echoBody)
	for name, content := range map[string]string{"shrinks": "12345", "grows": "12345678901"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			require.NoError(t, os.WriteFile(path, []byte("1234567890"), 0o600))
			opt := FilePath("f", path)
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
			_, err := loopSession(t).Post(t.Context(), url, opt)
			require.ErrorIs(t, err, ErrRequest)
			assert.NotErrorIs(t, err, ErrConnection)
			assert.Contains(t, err.Error(), "multipart body is")
		})
	}
}

// Parts of one reader that can seek are each sent in full, the first time and
// any other.
func TestMultipartSharesReader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(path, []byte("0123456789"), 0o600))
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	payload := NewPayload(strings.NewReader("one payload"))
	tests := []struct {
		name string
		a, b *Payload
		want [2]string
	}{
		{"file", NewPayload(file), NewPayload(movedTo(file, 4)), [2]string{"0123456789", "456789"}},
		{"payload", payload, payload, [2]string{"one payload", "one payload"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got [2]string
			url := loopServer(t, func(_ http.ResponseWriter, r *http.Request) { got = [2]string{partOf(r, "a"), partOf(r, "b")} })
			files := Files(Part{Field: "a", Content: tt.a}, Part{Field: "b", Content: tt.b})
			for range 2 {
				_, err := loopSession(t).Post(t.Context(), url, files)
				require.NoError(t, err)
				assert.Equal(t, tt.want, got)
			}
		})
	}
}

// partOf is the content of a file that came with a request.
func partOf(r *http.Request, field string) string {
	f, _, err := r.FormFile(field)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	b, _ := io.ReadAll(f)
	return string(b)
}

// A reader that can be read once has content for one part.
func TestMultipartRefusesSharedReader(t *testing.T) {
	src := &pieceReader{pieces: []string{"once"}, err: io.EOF}
	once := NewPayload(src)
	apart := func() *Payload { return NewPayload(onlyReader{strings.NewReader("x")}) }
	for name, tt := range map[string]struct {
		a, b *Payload
		err  error
	}{
		"one reader":  {NewPayload(src), NewPayload(src), ErrUnrewindableBody},
		"one payload": {once, once, ErrUnrewindableBody},
		"two":         {apart(), apart(), nil},
		"left out":    {once, nil, nil},
	} {
		_, err := NewRequest("POST", "http://a.test/", Files(Part{Field: "a", Content: tt.a}, Part{Field: "b", Content: tt.b})).
			Prepare(t.Context())
		assert.ErrorIs(t, err, tt.err, name)
	}
	assert.Len(t, src.pieces, 1, "nothing was read")
}

// A file that is said to be empty and is not has no length; one that is empty
// has.
func TestFilePartOfNoSize(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	assert.Zero(t, FilePart("f", empty).Content.Len())
	assert.EqualValues(t, unknownLength, FilePart("f", filepath.Join(empty, "nothing")).Content.Len())

	const made = "/proc/version"
	want, err := os.ReadFile(made)
	if err != nil {
		t.Skip("there is no file without a size")
	}
	assert.EqualValues(t, unknownLength, FilePart("f", made).Content.Len())
	var got string
	url := loopServer(t, func(_ http.ResponseWriter, r *http.Request) { got = partOf(r, "f") })
	_, err = loopSession(t).Post(t.Context(), url, FilePath("f", made))
	require.NoError(t, err)
	assert.Equal(t, string(want), got)
}

func TestMultipartSourceFails(t *testing.T) {
	url := loopServer(t, echoBody)
	open := func() (io.ReadCloser, error) { return nil, errBoom }
	for name, content := range map[string]*Payload{
		"in opening": FuncPayload(open, 3),
		"in reading": NewPayload(&pieceReader{pieces: []string{"a"}, err: errBoom}),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loopSession(t).Post(t.Context(), url, Files(Part{Field: "f", Content: content}))
			assert.ErrorIs(t, err, errBoom)
		})
	}
}

// closeCounter counts how many of a source are open.
type closeCounter struct {
	io.Reader
	open *atomic.Int64
}

func (c closeCounter) Close() error {
	c.open.Add(-1)
	return nil
}

// What is opened for a body is closed, where it is sent whole and where not.
func TestMultipartClosesWhatItOpened(t *testing.T) {
	var open atomic.Int64
	opener := func(r func() io.Reader) *Payload {
		return FuncPayload(func() (io.ReadCloser, error) {
			open.Add(1)
			return closeCounter{r(), &open}, nil
		}, 3)
	}
	good := func() io.Reader { return strings.NewReader("abc") }
	bad := func() io.Reader { return &pieceReader{pieces: []string{"a"}, err: errBoom} }
	url := loopServer(t, echoBody)
	for _, last := range []func() io.Reader{good, bad} {
		_, _ = loopSession(t).Post(t.Context(), url,
			Files(Part{Field: "a", Content: opener(good)}, Part{Field: "b", Content: opener(last)}))
		require.Eventually(t, func() bool { return open.Load() == 0 }, 5*time.Second, time.Millisecond)
	}
	m := &multipartReader{rest: []*Payload{opener(good)}}
	require.NoError(t, m.Close())
	_, err := m.Read(make([]byte, 1))
	require.NoError(t, err)
	assert.EqualValues(t, 1, open.Load())
	require.NoError(t, m.Close())
	assert.Zero(t, open.Load())
}

// generated is a reader of n bytes that are nowhere in memory.
type generated struct{ left int64 }

func (g *generated) Read(p []byte) (int, error) {
	if g.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), g.left))
	g.left -= int64(n)
	return n, nil
}

// A part is streamed: a file larger than any memory we would want to use.
func TestMultipartIsStreamed(t *testing.T) {
	size := int64(1 << 30)
	if testing.Short() || testserver.RaceDetector() {
		size = 64 << 20
	}
	var received atomic.Int64
	var length atomic.Int64
	url := loopServer(t, func(w http.ResponseWriter, r *http.Request) {
		length.Store(r.ContentLength)
		n, _ := io.Copy(io.Discard, r.Body)
		received.Store(n)
	})
	open := func() (io.ReadCloser, error) { return io.NopCloser(&generated{size}), nil }
	done := make(chan struct{})
	peak := make(chan uint64)
	go func() {
		var m runtime.MemStats
		var top uint64
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				peak <- top
				return
			case <-tick.C:
				runtime.ReadMemStats(&m)
				top = max(top, m.HeapInuse)
			}
		}
	}()
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := loopSession(t).Post(t.Context(), url, Files(Part{Field: "f", FileName: "big", Content: FuncPayload(open, size)}))
	close(done)
	top := <-peak
	require.NoError(t, err)
	assert.Equal(t, length.Load(), received.Load())
	assert.Greater(t, received.Load(), size)
	if grown := int64(top) - int64(before.HeapInuse); grown > 24<<20 {
		t.Errorf("the heap grew by %d MiB for a part of %d MiB", grown>>20, size>>20)
	}
}
