//go:build unix

package requests_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
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
