package requests_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/seed-9ea40bd3/requests"
)

// A session keeps cookies over calls.
func ExampleSession() {
	server := newBin()
	defer server.Close()

	s := requests.NewSession()
	defer s.Close()
	if _, err := s.Get(ctx, server.URL+"/cookies/set", requests.Param("sessioncookie", "123456789")); err != nil {
		panic(err)
	}
	got, err := requests.Decode[map[string]map[string]string](s.Get(ctx, server.URL+"/cookies"))
	fmt.Println(got["cookies"], err)
	fmt.Println(s.Cookies.Value("sessioncookie"))
	// Output:
	// map[sessioncookie:123456789] <nil>
	// 123456789
}

// A session's defaults go with every call, and what a call says goes before
// them, for that call alone.
func ExampleNewSession() {
	server := newEcho("Authorization", "X-Test", "X-Test2")
	defer server.Close()

	s := requests.NewSession(
		requests.BasicAuth("user", "pass"),
		requests.Header("X-Test", "true"),
		requests.Timeout(5*time.Second))
	defer s.Close()

	r, err := s.Get(ctx, server.URL, requests.Header("X-Test2", "true"))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	r, err = s.Get(ctx, server.URL, requests.Header("X-Test", "other"))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// GET /
	// Authorization: Basic dXNlcjpwYXNz
	// X-Test: true
	// X-Test2: true
	//
	// GET /
	// Authorization: Basic dXNlcjpwYXNz
	// X-Test: other
}

// The fields of a session are open to be read and changed before use.
func ExampleSession_fields() {
	server := newEcho("X-App")
	defer server.Close()

	var s requests.Session
	s.Headers = requests.DefaultHeaders()
	s.Headers.Set("X-App", "demo")
	s.Params.Add("lang", "en")
	s.Timeouts.Connect = new(3 * time.Second)
	s.IgnoreEnv = true

	r, err := s.Get(ctx, server.URL)
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// GET /?lang=en
	// X-App: demo
}

// A call's cookies are sent once.
func ExampleCookie() {
	server := newEcho("Cookie")
	defer server.Close()

	s := requests.NewSession()
	defer s.Close()
	for _, opts := range [][]requests.Option{{requests.Cookie("from-my", "browser")}, nil} {
		r, err := s.Get(ctx, server.URL, opts...)
		if err != nil {
			panic(err)
		}
		fmt.Println(r.Text())
	}
	// Output:
	// GET /
	// Cookie: from-my=browser
	//
	// GET /
}

func ExampleCookies() {
	server := newEcho("Cookie")
	defer server.Close()

	r, err := requests.Get(ctx, server.URL, requests.Cookies(
		&http.Cookie{Name: "a", Value: "1"},
		&http.Cookie{Name: "b", Value: "2"}))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// GET /
	// Cookie: a=1; b=2
}

// Without is what None is in Requests: a default that this call goes without.
func ExampleWithout() {
	server := newEcho("X-App", "X-Trace")
	defer server.Close()

	s := requests.NewSession(
		requests.Header("X-App", "demo"),
		requests.Header("X-Trace", "on"),
		requests.Param("lang", "en"))
	defer s.Close()
	r, err := s.Get(ctx, server.URL, requests.Without(
		requests.Header("X-Trace", ""),
		requests.Param("lang")))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// GET /
	// X-App: demo
}

// Close gives the connections back, also where a call failed.
func ExampleSession_Close() {
	s := requests.NewSession()
	defer s.Close()

	_, err := s.Get(ctx, "nonsense://example.com/")
	fmt.Println(err)
	// Output:
	// requests: GET nonsense://example.com/: no adapter is mounted for "nonsense://example.com/"
}

// Every verb of the package is one of a session.
func ExampleSession_Do() {
	server := newEcho()
	defer server.Close()

	s := requests.NewSession(requests.Param("token", "t"))
	defer s.Close()
	for _, send := range []func(context.Context, string, ...requests.Option) (*requests.Response, error){
		s.Get, s.Options, s.Post, s.Put, s.Patch, s.Delete,
	} {
		r, err := send(ctx, server.URL+"/x")
		if err != nil {
			panic(err)
		}
		fmt.Print(r.Text())
	}
	r, err := s.Do(ctx, "propfind", server.URL+"/x")
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// GET /x?token=t
	// OPTIONS /x?token=t
	// POST /x?token=t
	// PUT /x?token=t
	// PATCH /x?token=t
	// DELETE /x?token=t
	// PROPFIND /x?token=t
}

func ExampleSession_Get() {
	server := newText("text/plain; charset=utf-8", "hello")
	defer server.Close()

	s := requests.NewSession()
	defer s.Close()
	r, err := s.Get(ctx, server.URL)
	if err != nil {
		panic(err)
	}
	fmt.Println(r, r.Text())
	// Output:
	// <Response [200]> hello
}

func ExampleSession_Head() {
	server := newBin()
	defer server.Close()

	s := requests.NewSession()
	defer s.Close()
	r, err := s.Head(ctx, server.URL+"/redirect/1", requests.AllowRedirects(true))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.StatusCode, len(r.History), r.Request.Method)
	// Output:
	// 200 1 HEAD
}

func ExampleSession_Post() {
	server := newEcho("Content-Type")
	defer server.Close()

	s := requests.NewSession()
	defer s.Close()
	r, err := s.Post(ctx, server.URL, requests.JSON([]int{1, 2}))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// POST /
	// Content-Type: application/json
	// [1, 2]
}

// A Request is a struct of plain fields, which options fill in.
func ExampleSession_Request() {
	server := newEcho()
	defer server.Close()

	s := requests.NewSession()
	defer s.Close()
	req := requests.Request{Method: "PUT", URL: server.URL + "/items", Body: requests.TextPayload("tea")}
	req.Params.Add("id", "7")
	r, err := s.Request(ctx, &req)
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// PUT /items?id=7
	// tea
}

// The headers that were received, and those that were sent.
func ExampleResponse() {
	server := newText("text/html; charset=utf-8", "<p>hi</p>")
	defer server.Close()

	r, err := requests.Get(ctx, server.URL)
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Headers.Get("CONTENT-TYPE"))
	for name, value := range r.Request.Headers.All() {
		fmt.Println(name+":", value)
	}
	// Output:
	// text/html; charset=utf-8
	// User-Agent: go-requests/0.1.0
	// Accept-Encoding: gzip, deflate, br, zstd
	// Accept: */*
	// Connection: keep-alive
}

// A request that is prepared by itself knows of no session. What is prepared
// may be changed before it is sent.
func ExampleRequest_Prepare() {
	server := newEcho("Content-Type", "X-Extra")
	defer server.Close()

	req := requests.NewRequest("POST", server.URL, requests.Form("k", "v"))
	p, err := req.Prepare(ctx)
	if err != nil {
		panic(err)
	}
	p.SetBody(requests.TextPayload("No, I want exactly this as the body."))
	p.Headers.Del("Content-Type")
	p.Headers.Set("X-Extra", "yes")

	s := requests.NewSession()
	defer s.Close()
	r, err := s.Send(ctx, p, requests.Timeout(5*time.Second), requests.AllowRedirects(false))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// POST /
	// X-Extra: yes
	// No, I want exactly this as the body.
}

// A request that a session prepares has the session's state.
func ExampleSession_Prepare() {
	s := requests.NewSession(requests.Header("X-App", "demo"), requests.Cookie("theme", "dark"))
	defer s.Close()

	p, err := s.Prepare(ctx, requests.NewRequest("GET", "https://example.com/a b", requests.Param("q", "x")))
	if err != nil {
		panic(err)
	}
	fmt.Println(p, p.URL)
	fmt.Println(p.Headers.Get("x-app"), p.Headers.Get("cookie"))
	// Output:
	// <PreparedRequest [GET]> https://example.com/a%20b?q=x
	// demo theme=dark
}

// What the environment says is merged on request when a prepared request is
// sent.
func ExampleSession_MergeEnvironment() {
	server := newEcho()
	defer server.Close()

	s := requests.NewSession()
	defer s.Close()
	p, err := s.Prepare(ctx, requests.NewRequest("GET", server.URL+"/get"))
	if err != nil {
		panic(err)
	}
	settings, err := s.MergeEnvironment(p.URL)
	if err != nil {
		panic(err)
	}
	r, err := s.Send(ctx, p, settings)
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// GET /get
}

// Send sends what was prepared, more than once if need be.
func ExampleSession_Send() {
	server := newEcho()
	defer server.Close()

	s := requests.NewSession()
	defer s.Close()
	p, err := s.Prepare(ctx, requests.NewRequest("PUT", server.URL, requests.BodyText("again")))
	if err != nil {
		panic(err)
	}
	for range 2 {
		r, err := s.Send(ctx, p)
		if err != nil {
			panic(err)
		}
		fmt.Println(r.Text())
	}
	// Output:
	// PUT /
	// again
	// PUT /
	// again
}

func ExampleNewRequest() {
	req := requests.NewRequest("GET", "https://example.com/", requests.Param("page", "2"))
	req.Params.Add("sort", "name")
	p, err := req.Prepare(ctx)
	fmt.Println(req, p.URL, err)
	// Output:
	// <Request [GET]> https://example.com/?page=2&sort=name <nil>
}

func ExamplePreparedRequest_PathURL() {
	p, err := requests.NewRequest("GET", "https://example.com/a?b=c#d").Prepare(ctx)
	if err != nil {
		panic(err)
	}
	fmt.Println(p.PathURL())
	// Output:
	// /a?b=c
}

func ExamplePreparedRequest_Copy() {
	p, err := requests.NewRequest("GET", "https://example.com/").Prepare(ctx)
	if err != nil {
		panic(err)
	}
	q := p.Copy()
	q.Headers.Set("X-Only", "here")
	fmt.Println(p.Headers.Has("X-Only"), q.Headers.Has("X-Only"))
	// Output:
	// false true
}

// Programs that want net/http's types get the session behind them.
func ExampleSession_HTTPClient() {
	server := newEcho("X-App")
	defer server.Close()

	s := requests.NewSession(requests.Header("X-App", "demo"))
	defer s.Close()
	resp, err := s.HTTPClient().Get(server.URL + "/old-program")
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
	// Output:
	// GET /old-program
	// X-App: demo
}

// A RoundTripper is one hop: no redirect is followed.
func ExampleSession_RoundTripper() {
	server := httptest.NewServer(http.RedirectHandler("/elsewhere", http.StatusFound))
	defer server.Close()

	s := requests.NewSession()
	defer s.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, http.NoBody)
	if err != nil {
		panic(err)
	}
	resp, err := s.RoundTripper().RoundTrip(req)
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode, resp.Header.Get("Location"))
	// Output:
	// 302 /elsewhere
}
