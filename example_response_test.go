package requests_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/seed-9ea40bd3/requests"
)

func ExampleResponse_JSON() {
	server := newText("application/json", `{"message":"hi","number":4}`)
	defer server.Close()

	r, err := requests.Get(ctx, server.URL)
	if err != nil {
		panic(err)
	}
	var got struct {
		Message string
		Number  int
	}
	fmt.Println(r.JSON(&got), got.Message, got.Number)

	var wrong []int
	fmt.Println(errors.Is(r.JSON(&wrong), requests.ErrJSONDecode))
	// Output:
	// <nil> hi 4
	// true
}

// The charset is the header's or, for text without one, ISO-8859-1. It can be
// set.
func ExampleResponse_Text() {
	server := newText("text/plain", "na\u00efve")
	defer server.Close()

	r, err := requests.Get(ctx, server.URL)
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Encoding, r.Text())
	r.Encoding = "utf-8"
	fmt.Println(r.Text())
	// Output:
	// ISO-8859-1 naÃ¯ve
	// naïve
}

// Where a header names no charset, and the type is no text, it is guessed.
func ExampleResponse_ApparentEncoding() {
	server := newText("application/octet-stream", "\xc8\xee\xe3\xe0\xed\xed \xd1\xe5\xe1\xe0\xf1\xf2\xfc\xff\xed "+
		"\xc1\xe0\xf5 - \xed\xe5\xec\xe5\xf6\xea\xe8\xe9 \xea\xee\xec\xef\xee\xe7\xe8\xf2\xee\xf0 \xe8 \xee\xf0\xe3\xe0\xed\xe8\xf1\xf2")
	defer server.Close()

	r, err := requests.Get(ctx, server.URL)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%q %s\n", r.Encoding, r.ApparentEncoding())
	fmt.Println(r.Text())
	// Output:
	// "" windows-1251
	// Иоганн Себастьян Бах - немецкий композитор и органист
}

func ExampleResponse_Content() {
	server := newText("application/octet-stream", "\x89PNG")
	defer server.Close()

	r, err := requests.Get(ctx, server.URL)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%q\n", r.Content())
	// Output:
	// "\x89PNG"
}

func ExampleResponse_RaiseForStatus() {
	server := newBin()
	defer server.Close()

	r, err := requests.Get(ctx, server.URL+"/status/404")
	if err != nil {
		panic(err)
	}
	text := fmt.Sprint(r.RaiseForStatus())
	fmt.Println(r.OK(), strings.TrimSuffix(text, server.URL+"/status/404"))
	// Output:
	// false 404 Client Error: Not Found for url:
}

// Link headers, keyed by their relation.
func ExampleResponse_Links() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", `<https://api.example.com/repos?page=2>; rel="next", `+
			`<https://api.example.com/repos?page=7>; rel="last"`)
	}))
	defer server.Close()

	r, err := requests.Head(ctx, server.URL)
	if err != nil {
		panic(err)
	}
	links := r.Links()
	fmt.Println(links["next"].URL, links["next"].Params)
	fmt.Println(links["last"].URL)
	// Output:
	// https://api.example.com/repos?page=2 map[rel:next]
	// https://api.example.com/repos?page=7
}

// The body content workflow: look at the head first, then decide.
func ExampleStream() {
	server := newBin()
	defer server.Close()

	const tooLong = 1000
	r, err := requests.Get(ctx, server.URL+"/range/26", requests.Stream())
	if err != nil {
		panic(err)
	}
	defer r.Close()
	if length := r.Headers.Get("Content-Length"); len(length) > len(fmt.Sprint(tooLong)) {
		return
	}
	content, err := r.ReadAll()
	fmt.Println(string(content), err)
	// Output:
	// abcdefghijklmnopqrstuvwxyz <nil>
}

// A streaming API: each line is there as soon as it has arrived. Leaving the
// loop early closes the response.
func ExampleResponse_Lines() {
	server := newText("text/plain; charset=utf-8", "{\"id\":0}\n\n{\"id\":1}\n{\"id\":2}\n")
	defer server.Close()

	r, err := requests.Get(ctx, server.URL, requests.Stream())
	if err != nil {
		panic(err)
	}
	defer r.Close()
	for line, err := range r.Lines() {
		if err != nil {
			panic(err)
		}
		if line == "" {
			continue // a keep-alive
		}
		fmt.Println(line)
		if strings.Contains(line, "1") {
			break
		}
	}
	// Output:
	// {"id":0}
	// {"id":1}
}

// A delimiter takes the place of line ends.
func ExampleResponse_LineBytes() {
	server := newText("text/plain", "one;two;three")
	defer server.Close()

	r, err := requests.Get(ctx, server.URL, requests.Stream())
	if err != nil {
		panic(err)
	}
	defer r.Close()
	for piece, err := range r.LineBytes(";") {
		if err != nil {
			panic(err)
		}
		fmt.Printf("%q\n", piece)
	}
	// Output:
	// "one"
	// "two"
	// "three"
}

func ExampleResponse_Chunks() {
	server := newBin()
	defer server.Close()

	r, err := requests.Get(ctx, server.URL+"/range/26", requests.Stream())
	if err != nil {
		panic(err)
	}
	defer r.Close()
	for chunk, err := range r.Chunks(10) {
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s\n", chunk)
	}
	// Output:
	// abcdefghij
	// klmnopqrst
	// uvwxyz
}

// A size of zero gives chunks as the server framed them.
func ExampleResponse_Chunks_framed() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, piece := range []string{"first", "second", "third"} {
			_, _ = io.WriteString(w, piece)
			_ = http.NewResponseController(w).Flush()
		}
	}))
	defer server.Close()

	r, err := requests.Get(ctx, server.URL, requests.Stream())
	if err != nil {
		panic(err)
	}
	defer r.Close()
	for chunk, err := range r.Chunks(0) {
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s\n", chunk)
	}
	// Output:
	// first
	// second
	// third
}

// A character that two pieces share comes whole.
func ExampleResponse_TextChunks() {
	server := newText("text/plain; charset=utf-8", "\u4f60\u597d")
	defer server.Close()

	r, err := requests.Get(ctx, server.URL, requests.Stream())
	if err != nil {
		panic(err)
	}
	defer r.Close()
	for text, err := range r.TextChunks(4) {
		if err != nil {
			panic(err)
		}
		fmt.Println(text)
	}
	// Output:
	// 你
	// 好
}

// A streamed response is an io.Reader.
func ExampleResponse_Read() {
	server := newText("text/plain", "straight to where it goes\n")
	defer server.Close()

	r, err := requests.Get(ctx, server.URL, requests.Stream())
	if err != nil {
		panic(err)
	}
	defer r.Close()
	if _, err := io.Copy(os.Stdout, r); err != nil {
		panic(err)
	}
	// Output:
	// straight to where it goes
}

// Raw is the body as it crossed the wire: here still compressed.
func ExampleResponse_Raw() {
	server := newBin()
	defer server.Close()

	r, err := requests.Get(ctx, server.URL+"/gzip", requests.Stream())
	if err != nil {
		panic(err)
	}
	defer r.Close()
	magic := make([]byte, 2)
	_, err = io.ReadFull(r.Raw(), magic)
	fmt.Printf("%x %v\n", magic, err)
	// Output:
	// 1f8b <nil>
}

// A body that breaks off is an error, and what came before is kept.
func ExampleResponse_ReadAll() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "half")
	}))
	defer server.Close()

	r, err := requests.Get(ctx, server.URL, requests.Stream())
	if err != nil {
		panic(err)
	}
	defer r.Close()
	content, err := r.ReadAll()
	fmt.Printf("%s %v\n", content, errors.Is(err, requests.ErrChunkedEncoding))
	// Output:
	// half true
}

func ExampleResponse_Trailers() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Checksum")
		_, _ = io.WriteString(w, "content")
		w.Header().Set("X-Checksum", "9a0364b9")
	}))
	defer server.Close()

	r, err := requests.Get(ctx, server.URL)
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text(), r.Trailers().Get("x-checksum"))
	// Output:
	// content 9a0364b9
}

// A redirect that was not followed can be, by hand.
func ExampleResponse_Next() {
	server := newBin()
	defer server.Close()

	s := requests.NewSession(requests.AllowRedirects(false))
	defer s.Close()
	r, err := s.Get(ctx, server.URL+"/redirect/1")
	if err != nil {
		panic(err)
	}
	for r.IsRedirect() {
		next, err := r.Next(ctx)
		if err != nil {
			panic(err)
		}
		fmt.Println(r, "leads to", next.PathURL())
		if r, err = s.Send(ctx, next); err != nil {
			panic(err)
		}
	}
	fmt.Println(r)
	// Output:
	// <Response [302]> leads to /get
	// <Response [200]>
}

func ExampleResponse_Cookies() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "yes"})
	}))
	defer server.Close()

	r, err := requests.Get(ctx, server.URL)
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Cookies().Value("seen"))
	// Output:
	// yes
}

// Redirects are followed, and the responses on the way kept.
func ExampleAllowRedirects() {
	server := newBin()
	defer server.Close()

	for _, follow := range []bool{true, false} {
		r, err := requests.Get(ctx, server.URL+"/redirect/2", requests.AllowRedirects(follow))
		if err != nil {
			panic(err)
		}
		fmt.Println(r, r.History)
	}
	// Output:
	// <Response [200]> [<Response [302]> <Response [302]>]
	// <Response [302]> []
}

func ExampleMaxRedirects() {
	server := newBin()
	defer server.Close()

	_, err := requests.Get(ctx, server.URL+"/redirect/5", requests.MaxRedirects(3))
	fmt.Println(errors.Is(err, requests.ErrTooManyRedirects))
	// Output:
	// true
}

// A bound on what a response may cost.
func ExampleMaxBody() {
	server := newText("text/plain", strings.Repeat("x", 1000))
	defer server.Close()

	_, err := requests.Get(ctx, server.URL, requests.MaxBody(100))
	fmt.Println(errors.Is(err, requests.ErrTooLarge))
	// Output:
	// true
}
