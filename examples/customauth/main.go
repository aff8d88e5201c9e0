// Customauth writes an authentication of its own: a token that is fetched
// once, kept, and fetched anew when the server no longer takes it, as OAuth's
// client credentials have it.
//
//	go run ./examples/customauth
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/seed-9ea40bd3/requests"
)

// tokenAuth is a requests.Authenticator. It may be used by many goroutines at
// once.
type tokenAuth struct {
	url          string // where tokens come from
	user, secret string

	mu     sync.Mutex
	token  string
	proven bool // the token was taken at least once
}

// Authenticate is called when a request is prepared, and may change it.
func (a *tokenAuth) Authenticate(ctx context.Context, p *requests.PreparedRequest) error {
	token, err := a.current(ctx)
	if err != nil {
		return err
	}
	p.Headers.Set("Authorization", "Bearer "+token)
	return nil
}

// Challenge is shown each response of the service, and none of another one that
// a redirect leads to. It answers a refusal with one more try where a new token
// may help; what it returns for any other is nil.
func (a *tokenAuth) Challenge(ctx context.Context, r *requests.Response) (*requests.PreparedRequest, error) {
	header := r.Request.Headers.Get("Authorization")
	if r.StatusCode != http.StatusUnauthorized {
		a.prove(header)
		return nil, nil
	}
	if !r.Request.Body.Replayable() || !a.forget(header) {
		return nil, nil
	}
	again := r.Request.Copy()
	return again, a.Authenticate(ctx, again)
}

// current returns the token, and fetches it where there is none.
func (a *tokenAuth) current(ctx context.Context) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token != "" {
		return a.token, nil
	}
	answer, err := requests.Decode[struct {
		Token string `json:"access_token"`
	}](requests.Post(ctx, a.url,
		requests.BasicAuth(a.user, a.secret),
		requests.Form("grant_type", "client_credentials")))
	if err != nil {
		return "", err
	}
	a.token, a.proven = answer.Token, false
	return a.token, nil
}

// prove remembers that a token was taken.
func (a *tokenAuth) prove(header string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.proven = a.proven || header == "Bearer "+a.token
}

// forget drops a token that was refused, and reports whether another may do
// better: one that was never taken says that this is not about its age. Where
// none was sent there is nothing to replace.
func (a *tokenAuth) forget(header string) bool {
	if header == "" {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if header != "Bearer "+a.token {
		return true // another goroutine has a newer one already
	}
	if !a.proven {
		return false
	}
	a.token = ""
	return true
}

func main() {
	var service tokenService
	server := httptest.NewServer(service.handler())
	defer server.Close()

	s := requests.NewSession(requests.Auth(&tokenAuth{url: server.URL + "/token", user: "app", secret: "hush"}))
	defer s.Close()
	for i := range 3 {
		if i == 2 {
			service.revoke()
		}
		r, err := s.Get(context.Background(), server.URL+"/api")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(r, r.Text(), "tries:", len(r.History)+1)
	}
}

// tokenService hands out tokens and takes the last one alone.
type tokenService struct {
	mu    sync.Mutex
	valid string
}

func (t *tokenService) revoke() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.valid = ""
}

func (t *tokenService) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, req *http.Request) {
		if user, secret, ok := req.BasicAuth(); !ok || user != "app" || secret != "hush" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		t.valid = rand.Text()
		fmt.Fprintf(w, `{"access_token":%q}`, t.valid)
	})
	mux.HandleFunc("GET /api", func(w http.ResponseWriter, req *http.Request) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.valid == "" || req.Header.Get("Authorization") != "Bearer "+t.valid {
			http.Error(w, "not you", http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, "hello")
	})
	return mux
}
