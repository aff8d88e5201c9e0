package requests_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/seed-9ea40bd3/requests"
)

// pizzaAuth is an authentication of the caller's own.
type pizzaAuth struct{ username string }

func (a pizzaAuth) Authenticate(_ context.Context, p *requests.PreparedRequest) error {
	p.Headers.Set("X-Pizza", a.username)
	return nil
}

func ExampleAuth() {
	server := newEcho("X-Pizza")
	defer server.Close()

	r, err := requests.Get(ctx, server.URL+"/admin", requests.Auth(pizzaAuth{"kenneth"}))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// GET /admin
	// X-Pizza: kenneth
}

// Any function can be an authentication.
func ExampleAuthFunc() {
	server := newEcho("X-Signature")
	defer server.Close()

	sign := requests.AuthFunc(func(_ context.Context, p *requests.PreparedRequest) error {
		body, _ := p.Body.Bytes()
		p.Headers.Set("X-Signature", fmt.Sprintf("%s %s %d", p.Method, p.PathURL(), len(body)))
		return nil
	})
	r, err := requests.Put(ctx, server.URL+"/x", requests.BodyText("abc"), requests.Auth(sign))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// PUT /x
	// X-Signature: PUT /x 3
	// abc
}

func ExampleBasicAuth() {
	server := newBin()
	defer server.Close()

	r, err := requests.Get(ctx, server.URL+"/basic-auth/user/pass", requests.BasicAuth("user", "pass"))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.StatusCode)
	// Output:
	// 200
}

func ExampleBearerAuth() {
	server := newEcho("Authorization")
	defer server.Close()

	r, err := requests.Get(ctx, server.URL, requests.BearerAuth("abc"))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// GET /
	// Authorization: Bearer abc
}

// A challenge is answered, and its nonce kept: the second call is let in at
// once.
func ExampleDigestAuth() {
	server := newBin()
	defer server.Close()

	s := requests.NewSession(requests.DigestAuth("user", "pass"))
	defer s.Close()
	for range 2 {
		r, err := s.Get(ctx, server.URL+"/digest-auth/auth/user/pass/SHA-256")
		if err != nil {
			panic(err)
		}
		fmt.Println(r, len(r.History))
	}
	// Output:
	// <Response [200]> 1
	// <Response [200]> 0
}

// NoAuth stops the session's, for one call.
func ExampleNewSession_noAuth() {
	server := newEcho("Authorization")
	defer server.Close()

	s := requests.NewSession(requests.BearerAuth("abc"))
	defer s.Close()
	r, err := s.Get(ctx, server.URL, requests.Auth(requests.NoAuth))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// GET /
}

// An event hook sees each response before its body is read.
func ExampleOnResponse() {
	server := newBin()
	defer server.Close()

	printPath := func(_ context.Context, r *requests.Response) (*requests.Response, error) {
		fmt.Println(r, r.Request.PathURL())
		return nil, nil // changes nothing
	}
	count := 0
	countResponses := func(context.Context, *requests.Response) (*requests.Response, error) {
		count++
		return nil, nil
	}
	if _, err := requests.Get(ctx, server.URL+"/redirect/1", requests.OnResponse(printPath, countResponses)); err != nil {
		panic(err)
	}
	fmt.Println(count)
	// Output:
	// <Response [302]> /redirect/1
	// <Response [200]> /get
	// 2
}

// An error of a hook's ends the call and comes back as it is: here a status
// is made an error for the whole session.
func ExampleOnResponse_session() {
	server := newBin()
	defer server.Close()

	s := requests.NewSession(requests.OnResponse(
		func(_ context.Context, r *requests.Response) (*requests.Response, error) {
			return nil, r.RaiseForStatus()
		}))
	defer s.Close()
	_, err := s.Get(ctx, server.URL+"/status/500")
	fmt.Println(errors.Is(err, requests.ErrHTTP))
	// Output:
	// true
}

// A call's hooks take the place of the session's; these are added to them.
func ExampleAlsoOnResponse() {
	server := newEcho()
	defer server.Close()

	say := func(word string) requests.Hook {
		return func(context.Context, *requests.Response) (*requests.Response, error) {
			fmt.Println(word)
			return nil, nil
		}
	}
	s := requests.NewSession(requests.OnResponse(say("session")))
	defer s.Close()
	if _, err := s.Get(ctx, server.URL, requests.OnResponse(say("call"))); err != nil {
		panic(err)
	}
	if _, err := s.Get(ctx, server.URL, requests.AlsoOnResponse(say("also"))); err != nil {
		panic(err)
	}
	// Output:
	// call
	// session
	// also
}

// A hook may put another response in the place of the one it is given.
func ExampleHook() {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()

	fallback := func(_ context.Context, r *requests.Response) (*requests.Response, error) {
		if r.OK() {
			return nil, nil
		}
		return requests.NewResponse(r.Request, http.StatusOK, "OK", requests.NewHeaders(), nil), nil
	}
	r, err := requests.Get(ctx, server.URL, requests.OnResponse(fallback))
	fmt.Println(r, err)
	// Output:
	// <Response [200]> <nil>
}
