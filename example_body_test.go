package requests_test

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed-9ea40bd3/requests"
)

// newForm starts a server that tells the parts of a multipart form.
func newForm() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		parts, err := req.MultipartReader()
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for part, err := parts.NextPart(); err == nil; part, err = parts.NextPart() {
			content, _ := io.ReadAll(part)
			fmt.Fprintf(w, "%s %q %s: %s\n", part.FormName(), part.FileName(), part.Header.Get("Content-Type"), content)
		}
	}))
}

// A value that is a list makes a parameter for each element. The order is the
// caller's.
func ExampleParam() {
	server := newEcho()
	defer server.Close()

	r, err := requests.Get(ctx, server.URL+"/get",
		requests.Param("key1", "value1"),
		requests.Param("key2", "value2", "value3"))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// GET /get?key1=value1&key2=value2&key2=value3
}

func ExampleParams() {
	server := newEcho()
	defer server.Close()

	r, err := requests.Get(ctx, server.URL, requests.Params(requests.Pairs("a", "1", "b", "2")))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// GET /?a=1&b=2
}

// A query that is ready is sent as it is.
func ExampleQuery() {
	server := newEcho()
	defer server.Close()

	r, err := requests.Get(ctx, server.URL, requests.Query("flag&path=/a/b"))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// GET /?flag&path=/a/b
}

func ExampleForm() {
	server := newEcho("Content-Type", "Content-Length")
	defer server.Close()

	r, err := requests.Post(ctx, server.URL,
		requests.Form("name", "Ada Lovelace"),
		requests.Form("lang", "de", "en"))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// POST /
	// Content-Type: application/x-www-form-urlencoded
	// Content-Length: 33
	// name=Ada+Lovelace&lang=de&lang=en
}

func ExampleFormFields() {
	server := newEcho()
	defer server.Close()

	var fields requests.Fields
	fields.Add("b", "2")
	fields.Add("a", "1")
	r, err := requests.Post(ctx, server.URL, requests.FormFields(fields))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// POST /
	// b=2&a=1
}

func ExampleJSON() {
	server := newEcho("Content-Type")
	defer server.Close()

	r, err := requests.Post(ctx, server.URL, requests.JSON(struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}{"tea", []string{"hot", "<b>"}}))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// POST /
	// Content-Type: application/json
	// {"name": "tea", "tags": ["hot", "<b>"]}
}

// A streaming upload: the file is never read into memory.
func ExampleBody() {
	server := newEcho("Content-Length")
	defer server.Close()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "massive-body")
	if err := os.WriteFile(path, []byte("a lot of bytes"), 0o600); err != nil {
		panic(err)
	}

	f, err := os.Open(path)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	r, err := requests.Post(ctx, server.URL+"/upload", requests.Body(f))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// POST /upload
	// Content-Length: 14
	// a lot of bytes
}

// A string that is ready is sent unchanged, and no Content-Type is added.
func ExampleBodyText() {
	server := newEcho("Content-Type")
	defer server.Close()

	r, err := requests.Post(ctx, server.URL, requests.BodyText(`{"sha":"a050faf"}`))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// POST /
	// {"sha":"a050faf"}
}

func ExampleBodyBytes() {
	server := newEcho("Content-Length")
	defer server.Close()

	r, err := requests.Put(ctx, server.URL, requests.BodyBytes([]byte("\x00\x01")))
	if err != nil {
		panic(err)
	}
	fmt.Printf("%q\n", r.Content())
	// Output:
	// "PUT /\nContent-Length: 2\n\x00\x01"
}

// A chunked request: each piece of an iterator is a chunk on the wire.
func ExampleBodyChunks() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		fmt.Fprintf(w, "%v %d %s", req.TransferEncoding, req.ContentLength, body)
	}))
	defer server.Close()

	var pieces iter.Seq2[[]byte, error] = func(yield func([]byte, error) bool) {
		_ = yield([]byte("hi"), nil) && yield([]byte("there"), nil)
	}
	r, err := requests.Post(ctx, server.URL, requests.BodyChunks(pieces))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// [chunked] -1 hithere
}

// A function that opens the body makes one that can be sent again, by a
// redirect for instance.
func ExampleFuncPayload() {
	server := newBin()
	defer server.Close()

	open := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("again")), nil }
	r, err := requests.Post(ctx, server.URL+"/redirect-to?status_code=307&url=/post",
		requests.Header("Content-Type", "text/plain"),
		requests.PayloadOf(requests.FuncPayload(open, 5)))
	echo, err := requests.Decode[struct{ Data string }](r, err)
	fmt.Println(len(r.History), echo.Data, err)
	// Output:
	// 1 again <nil>
}

// Several files of one field, as POST multiple multipart-encoded files has
// it.
func ExampleFiles() {
	server := newForm()
	defer server.Close()

	r, err := requests.Post(ctx, server.URL, requests.Files(
		requests.Part{Field: "images", FileName: "foo.png", ContentType: "image/png", Content: requests.TextPayload("FOO")},
		requests.Part{Field: "images", FileName: "bar.png", ContentType: "image/png", Content: requests.TextPayload("BAR")},
	))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// images "foo.png" image/png: FOO
	// images "bar.png" image/png: BAR
}

// A form with a file: fields go before files.
func ExampleFile() {
	server := newForm()
	defer server.Close()

	r, err := requests.Post(ctx, server.URL,
		requests.File("report", "report.csv", strings.NewReader("some,data")),
		requests.Form("author", "me"))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// author "" : me
	// report "report.csv" : some,data
}

// A file is opened when it is sent, and closed after.
func ExampleFilePath() {
	server := newForm()
	defer server.Close()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(path, []byte("buy oats"), 0o600); err != nil {
		panic(err)
	}

	r, err := requests.Post(ctx, server.URL, requests.FilePath("notes", path))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// notes "notes.txt" : buy oats
}

// SetBody keeps the headers in step.
func ExamplePreparedRequest_SetBody() {
	p, err := requests.NewRequest("POST", "https://example.com/", requests.BodyText("draft")).Prepare(ctx)
	if err != nil {
		panic(err)
	}
	p.SetBody(requests.TextPayload("the final text"))
	fmt.Println(p.Body, p.Headers.Get("Content-Length"))
	// Output:
	// body of 14 bytes 14
}

// Any reader can be a payload; its length is asked for, not guessed.
func ExampleNewPayload() {
	text := strings.NewReader("0123456789")
	if _, err := text.Seek(4, io.SeekStart); err != nil {
		panic(err)
	}
	p := requests.NewPayload(text)
	fmt.Println(p, p.Replayable())

	pipe, _ := io.Pipe()
	p = requests.NewPayload(pipe)
	fmt.Println(p, p.Replayable())
	// Output:
	// body of 6 bytes true
	// body of unknown length false
}

// What JSON has no form for is an error before anything is sent.
func ExampleJSON_invalid() {
	_, err := requests.Post(ctx, "https://example.com/", requests.JSON(math.NaN()))
	fmt.Println(errors.Is(err, requests.ErrInvalidJSON))
	// Output:
	// true
}
