package requests_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/mccutchen/go-httpbin/v2/httpbin"
	"github.com/seed-9ea40bd3/requests"
)

// ctx is that of the examples: yours comes from the caller.
var ctx = context.Background()

// newBin starts a server that answers as httpbin.org does.
func newBin() *httptest.Server { return httptest.NewServer(httpbin.New().Handler()) }

// newEcho starts a server that answers with what it was sent: the method and
// the target, then those of the headers, then the body.
func newEcho(headers ...string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		fmt.Fprintln(w, req.Method, req.RequestURI)
		for _, name := range headers {
			if value, ok := req.Header[name]; ok {
				fmt.Fprintln(w, name+":", value[0])
			}
		}
		_, _ = io.Copy(w, req.Body)
	}))
}

// silent is a log that nobody reads.
var silent = log.New(io.Discard, "", 0)

// newText starts a server that answers with the text, of that type.
func newText(contentType, text string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, text)
	}))
}

// A call, its response, and what to do about a status and an error.
func Example() {
	server := newBin()
	defer server.Close()

	r, err := requests.Get(ctx, server.URL+"/get",
		requests.Param("q", "go"),
		requests.Header("Accept", "application/json"),
		requests.Timeout(3*time.Second))
	if err != nil {
		panic(err) // never for a status alone
	}
	fmt.Println(r.StatusCode, r.Reason)
	fmt.Println(r.Headers.Get("content-type"), r.Encoding)

	var found struct {
		Args map[string][]string
	}
	if err := r.JSON(&found); err != nil {
		panic(err)
	}
	fmt.Println(found.Args["q"])
	// Output:
	// 200 OK
	// application/json; charset=utf-8 utf-8
	// [go]
}

func ExampleGet() {
	server := newEcho()
	defer server.Close()

	r, err := requests.Get(ctx, server.URL+"/search", requests.Param("q", "caf\u00e9"))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.StatusCode, r.Text())
	// Output:
	// 200 GET /search?q=caf%C3%A9
}

func ExampleOptions() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", "GET, HEAD, POST, OPTIONS")
	}))
	defer server.Close()

	r, err := requests.Options(ctx, server.URL)
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Headers.Get("allow"))
	// Output:
	// GET, HEAD, POST, OPTIONS
}

// A HEAD has headers and no body, and follows no redirects unless told to.
func ExampleHead() {
	server := newBin()
	defer server.Close()

	r, err := requests.Head(ctx, server.URL+"/range/26")
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Headers.Get("content-length"), len(r.Content()))

	r, err = requests.Head(ctx, server.URL+"/redirect/1")
	if err != nil {
		panic(err)
	}
	fmt.Println(r.StatusCode, r.IsRedirect())
	// Output:
	// 26 0
	// 302 true
}

func ExamplePost() {
	server := newEcho("Content-Type")
	defer server.Close()

	r, err := requests.Post(ctx, server.URL+"/comments", requests.Form("body", "Sounds great!"))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// POST /comments
	// Content-Type: application/x-www-form-urlencoded
	// body=Sounds+great%21
}

func ExamplePut() {
	server := newEcho()
	defer server.Close()

	r, err := requests.Put(ctx, server.URL+"/items/7", requests.JSON(map[string]int{"count": 3}))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// PUT /items/7
	// {"count": 3}
}

func ExamplePatch() {
	server := newEcho("Authorization")
	defer server.Close()

	r, err := requests.Patch(ctx, server.URL+"/comments/5804413",
		requests.JSON(map[string]string{"body": "once I have fed my cat"}),
		requests.BasicAuth("user", "pass"))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// PATCH /comments/5804413
	// Authorization: Basic dXNlcjpwYXNz
	// {"body": "once I have fed my cat"}
}

func ExampleDelete() {
	server := newBin()
	defer server.Close()

	r, err := requests.Delete(ctx, server.URL+"/status/204")
	if err != nil {
		panic(err)
	}
	fmt.Println(r.StatusCode, len(r.Content()))
	// Output:
	// 204 0
}

// Any method that a server takes can be sent.
func ExampleDo() {
	server := newEcho()
	defer server.Close()

	r, err := requests.Do(ctx, "MKCOL", server.URL+"/new-folder")
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// MKCOL /new-folder
}

type user struct {
	Name string `json:"name"`
}

// A status of 400 or more is an error here, and keeps the response.
func ExampleGetJSON() {
	server := newText("application/json", `{"name":"Ada"}`)
	defer server.Close()

	ada, err := requests.GetJSON[user](ctx, server.URL)
	fmt.Println(ada.Name, err)

	bin := newBin()
	defer bin.Close()
	_, err = requests.GetJSON[user](ctx, bin.URL+"/status/404")
	if status, ok := errors.AsType[*requests.HTTPError](err); ok {
		fmt.Println(status.Response.StatusCode, status.Response.Reason)
	}
	// Output:
	// Ada <nil>
	// 404 Not Found
}

// jsonEcho is what httpbin says that it was sent.
type jsonEcho struct {
	Method string
	JSON   user
}

func ExamplePostJSON() {
	server := newBin()
	defer server.Close()

	echo, err := requests.PostJSON[jsonEcho](ctx, server.URL+"/post", user{Name: "Ada"})
	fmt.Println(echo.Method, echo.JSON.Name, err)
	// Output:
	// POST Ada <nil>
}

func ExamplePutJSON() {
	server := newBin()
	defer server.Close()

	echo, err := requests.PutJSON[jsonEcho](ctx, server.URL+"/put", user{Name: "Ada"})
	fmt.Println(echo.Method, echo.JSON.Name, err)
	// Output:
	// PUT Ada <nil>
}

func ExamplePatchJSON() {
	server := newBin()
	defer server.Close()

	echo, err := requests.PatchJSON[jsonEcho](ctx, server.URL+"/patch", user{Name: "Ada"})
	fmt.Println(echo.Method, echo.JSON.Name, err)
	// Output:
	// PATCH Ada <nil>
}

// Decode takes what any verb returns, error and all.
func ExampleDecode() {
	server := newText("application/json", `[{"name":"Ada"},{"name":"Grace"}]`)
	defer server.Close()

	s := requests.NewSession()
	defer s.Close()
	users, err := requests.Decode[[]user](s.Get(ctx, server.URL))
	fmt.Println(users, err)
	// Output:
	// [{Ada} {Grace}] <nil>
}

// The package's verbs keep their connections, and nothing else, for reuse.
func ExampleCloseIdleConnections() {
	server := newEcho()
	defer server.Close()

	if _, err := requests.Get(ctx, server.URL); err != nil {
		panic(err)
	}
	requests.CloseIdleConnections()
	// Output:
}

// Kinds of errors are told by errors.Is, and have the parents that the
// exceptions of Requests have.
func ExampleError() {
	server := newBin()
	address := server.URL
	server.Close()

	_, err := requests.Get(ctx, address)
	fmt.Println(errors.Is(err, requests.ErrConnection), errors.Is(err, requests.ErrTimeout))

	_, err = requests.Get(ctx, "example.com")
	fmt.Println(errors.Is(err, requests.ErrMissingSchema))

	if e, ok := errors.AsType[*requests.Error](err); ok {
		fmt.Println(e.Op, e.MaybeSent)
	}
	// Output:
	// true false
	// true
	// GET false
}

// A context ends a call at any stage.
func ExampleError_cancelled() {
	server := newBin()
	defer server.Close()

	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	_, err := requests.Get(short, server.URL+"/delay/10")
	fmt.Println(errors.Is(err, context.DeadlineExceeded), errors.Is(err, requests.ErrTimeout))
	// Output:
	// true true
}

func ExampleHTTPError() {
	server := newBin()
	defer server.Close()

	r, err := requests.Get(ctx, server.URL+"/status/503")
	if err != nil {
		panic(err)
	}
	err = r.RaiseForStatus()
	if status, ok := errors.AsType[*requests.HTTPError](err); ok && status.Response.StatusCode >= 500 {
		fmt.Println("try again later")
	}
	// Output:
	// try again later
}
