// Command handler is a service that answers its requests with the help of
// another one, over a session that all its requests share.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/seed-9ea40bd3/requests"
)

func main() {
	upstream := httptest.NewServer(http.HandlerFunc(users))
	defer upstream.Close()
	greeter := newGreeter(upstream.URL)
	defer greeter.api.Close()
	service := httptest.NewServer(greeter)
	defer service.Close()

	for _, name := range []string{"ann", "bob", "slow"} {
		r, err := requests.Get(context.Background(), service.URL+"/"+name)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %d %s\n", name, r.StatusCode, strings.TrimSpace(r.Text()))
	}
}

// A greeter greets users that another service knows. Its session may be used
// by all its requests at once, since nothing changes the session's fields.
type greeter struct {
	api *requests.Session
	url string
}

// newGreeter makes the session once: its connections outlive each request.
func newGreeter(url string) *greeter {
	s := requests.NewSession(
		requests.BearerAuth("service-token"),
		requests.Header("Accept", "application/json"),
		requests.Timeout(200*time.Millisecond),
	)
	s.Mount(url+"/", &requests.HTTPAdapter{MaxRetries: &requests.Retry{Total: 2, Read: new(0)}})
	return &greeter{api: s, url: url}
}

// user is what the other service answers with.
type user struct {
	Name string `json:"name"`
}

// ServeHTTP hands on the request's context, so that a client that goes away
// ends the call to the other service too.
func (g *greeter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u, err := requests.Decode[user](g.api.Get(r.Context(), g.url+"/users"+r.URL.EscapedPath()))
	var status *requests.HTTPError
	switch {
	case err == nil:
		fmt.Fprintf(w, "hello, %s", u.Name)
	case errors.As(err, &status):
		http.Error(w, "who is that?", status.Response.StatusCode)
	case errors.Is(err, requests.ErrTimeout):
		http.Error(w, "try again later", http.StatusGatewayTimeout)
	default:
		http.Error(w, "out of order", http.StatusBadGateway)
	}
}

// users stands for the other service.
func users(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("Authorization") != "Bearer service-token":
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Path == "/users/slow":
		<-r.Context().Done() // until the caller has had enough
	case r.URL.Path == "/users/ann":
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(user{Name: "Ann"}); err != nil {
			log.Print(err)
		}
	default:
		http.NotFound(w, r)
	}
}
