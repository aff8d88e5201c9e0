//go:build unix

package requests_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
)

func TestAuthenticators(t *testing.T) {
	const colon, control = "a user name of Basic auth holds a colon", "user or password of Basic auth holds a control character"
	const token = "bearer token is empty or holds white space or a control character"
	tests := []struct {
		name   string
		auth   requests.Authenticator
		want   string // all of the headers
		reason string // of the error, where there is one
	}{
		{"none", requests.NoAuth, "", ""},
		{"function", requests.AuthFunc(func(_ context.Context, p *requests.PreparedRequest) error {
			p.Headers.Set("X-Key", "k")
			return nil
		}), "X-Key: k", ""},
		{"basic", &requests.Basic{Username: "u", Password: "p:q"}, "Authorization: " + basic("u", "p:q"), ""},
		{"basic, empty", &requests.Basic{}, "Authorization: " + basic("", ""), ""},
		{"basic, UTF-8", &requests.Basic{Username: "ü", Password: "€"}, "Authorization: " + basic("ü", "€"), ""},
		{"basic, colon in the user", &requests.Basic{Username: "u:v", Password: "p"}, "", colon},
		{"basic, control character in the user", &requests.Basic{Username: "u\x00", Password: "p"}, "", control},
		{"basic, control character in the password", &requests.Basic{Username: "u", Password: "p\x7f"}, "", control},
		{"proxy", &requests.ProxyBasic{Username: "u", Password: "p"}, "Proxy-Authorization: " + basic("u", "p"), ""},
		{"proxy, colon in the user", &requests.ProxyBasic{Username: "u:v", Password: "p"}, "", colon},
		{"proxy, control character", &requests.ProxyBasic{Username: "u", Password: "p\r\n"}, "", control},
		{"bearer", requests.Bearer("t.o-k=="), "Authorization: Bearer t.o-k==", ""},
		{"bearer, empty", requests.Bearer(""), "", token},
		{"bearer, blank", requests.Bearer("a b"), "", token},
		{"bearer, tab", requests.Bearer("a\tb"), "", token},
		{"bearer, line end", requests.Bearer("a\nb"), "", token},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := requests.NewRequest("GET", "http://a.test/", requests.Auth(tt.auth)).Prepare(t.Context())
			if tt.reason != "" {
				require.ErrorIs(t, err, requests.ErrInvalidHeader)
				assert.Contains(t, err.Error(), tt.reason)
				return
			}
			require.NoError(t, err)
			got := ""
			for name, value := range p.Headers.All() {
				got += name + ": " + value
			}
			assert.Equal(t, tt.want, got)
		})
	}
}

// Printed and logged, credentials say their scheme and no more.
func TestAuthenticatorsPrintTheirScheme(t *testing.T) {
	for want, values := range map[string][]any{
		"Basic auth":       {requests.Basic{Username: "u", Password: "p"}, &requests.Basic{Username: "u", Password: "p"}},
		"Basic proxy auth": {requests.ProxyBasic{Username: "u", Password: "p"}, &requests.ProxyBasic{Username: "u", Password: "p"}},
		"Bearer auth":      {requests.Bearer("t")},
		"Digest auth":      {&requests.Digest{Username: "u", Password: "p"}},
	} {
		for _, v := range values {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
				assert.Equal(t, want, fmt.Sprintf(verb, v), "%T under %s", v, verb)
			}
			var log bytes.Buffer
			slog.New(slog.NewJSONHandler(&log, nil)).Info("", "auth", v)
			assert.Contains(t, log.String(), `"auth":"`+want+`"`, "%T", v)
		}
	}
}

// challenged is an authenticator that answers responses by a function.
type challenged func(r *requests.Response) (*requests.PreparedRequest, error)

func (challenged) Authenticate(context.Context, *requests.PreparedRequest) error { return nil }

func (c challenged) Challenge(_ context.Context, r *requests.Response) (*requests.PreparedRequest, error) {
	return c(r)
}

// What an authenticator of the caller's makes of a response.
func TestChallengeOfTheCallers(t *testing.T) {
	errNo := errors.New("no")
	again := func(r *requests.Response) (*requests.PreparedRequest, error) { return r.Request.Copy(), nil }
	tests := []struct {
		name string
		auth challenged
		sent int // requests in all, of which the last one's response is returned
		err  error
	}{
		{"left as it is", func(*requests.Response) (*requests.PreparedRequest, error) { return nil, nil }, 1, nil},
		{"answered once", func(r *requests.Response) (*requests.PreparedRequest, error) {
			if r.StatusCode != http.StatusUnauthorized {
				return nil, nil
			}
			p := r.Request.Copy()
			p.Headers.Set("Authorization", "Token "+r.Headers.Get("WWW-Authenticate"))
			return p, nil
		}, 2, nil},
		{"failed", func(*requests.Response) (*requests.PreparedRequest, error) { return nil, errNo }, 1, errNo},
		{"answered for ever", again, 101, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			a := w.scripted("http://a.test", func(_ int, req *http.Request, _ []byte) string {
				if req.Header.Get("Authorization") != "Token x" {
					return challenge("x")
				}
				return answerOK
			})
			r, err := w.session().Get(t.Context(), "http://a.test/", requests.Auth(tt.auth))
			require.Len(t, a.seen(), tt.sent)
			if tt.err != nil {
				require.ErrorIs(t, err, tt.err)
				require.ErrorIs(t, err, requests.ErrRequest)
				return
			}
			require.NoError(t, err)
			require.Len(t, r.History, tt.sent-1)
			for _, before := range r.History {
				assert.Equal(t, http.StatusUnauthorized, before.StatusCode)
			}
			assert.Equal(t, tt.name == "answered once", r.StatusCode == http.StatusOK)
		})
	}
}

// tokenAuth sends a token, and answers every refusal with it.
type tokenAuth struct{ asked []string } // the URLs whose responses it was shown

func (a *tokenAuth) Authenticate(_ context.Context, p *requests.PreparedRequest) error {
	p.Headers.Set("Authorization", "Token secret")
	return nil
}

func (a *tokenAuth) Challenge(ctx context.Context, r *requests.Response) (*requests.PreparedRequest, error) {
	a.asked = append(a.asked, r.URL)
	if r.StatusCode != http.StatusUnauthorized {
		return nil, nil
	}
	p := r.Request.Copy()
	return p, a.Authenticate(ctx, p)
}

// An authenticator is not asked about responses of an origin that a redirect
// takes its credentials from, however the redirect is followed.
func TestChallengeOfAnotherOrigin(t *testing.T) {
	tests := []struct {
		to    string // where http://a.test/ leads
		shown bool
	}{
		{"http://a.test/x", true},
		{"https://a.test/x", true},
		{"http://b.test/x", false},
		{"http://a.test:81/x", false},
		{"http://www.a.test/x", false},
	}
	follow := map[string]func(t *testing.T, s *requests.Session){
		"by a session": func(t *testing.T, s *requests.Session) { get(t, s, "http://a.test/") },
		"by hand": func(t *testing.T, s *requests.Session) {
			p, err := get(t, s, "http://a.test/", requests.AllowRedirects(false)).Next(t.Context())
			require.NoError(t, err)
			_, err = s.Send(t.Context(), p.Copy())
			require.NoError(t, err)
		},
		"by net/http": func(t *testing.T, s *requests.Session) {
			r, err := s.HTTPClient().Get("http://a.test/")
			require.NoError(t, err)
			require.NoError(t, r.Body.Close())
		},
	}
	for _, tt := range tests {
		for how, follow := range follow {
			t.Run(tt.to+" "+how, func(t *testing.T) {
				w := newWorld(t)
				script := func(_ int, req *http.Request, _ []byte) string {
					switch {
					case req.URL.Path == "/":
						return redirectTo(http.StatusFound, tt.to)
					case req.Header.Get("Authorization") == "":
						return challenge("Token")
					}
					return answerOK
				}
				at := w.scripted("http://a.test", script)
				if origin := strings.TrimSuffix(tt.to, "/x"); origin != "http://a.test" {
					at = w.scripted(origin, script)
				}
				auth := new(tokenAuth)
				follow(t, w.session(requests.Auth(auth)))
				require.NotEmpty(t, at.seen())
				assert.Equal(t, tt.shown, slices.Contains(auth.asked, tt.to), "asked about %q", auth.asked)
				if !tt.shown {
					assert.Len(t, at.seen(), 1)
					lacks(t, at.seen(), "Authorization")
				}
			})
		}
	}
}

// A redirect that comes back to the first origin is the authenticator's again.
func TestChallengeOfARedirectBack(t *testing.T) {
	w := newWorld(t)
	a := w.at("http://a.test", redirectTo(http.StatusFound, "http://b.test/"), challenge("Token"), answerOK)
	b := w.at("http://b.test", redirectTo(http.StatusFound, "http://a.test/back"))
	auth := new(tokenAuth)
	r := get(t, w.session(), "http://a.test/", requests.Auth(auth))
	assert.Equal(t, http.StatusOK, r.StatusCode)
	assert.Len(t, a.seen(), 3)
	lacks(t, b.seen(), "Authorization")
	assert.NotContains(t, auth.asked, "http://b.test/")
}
