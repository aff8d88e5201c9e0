package requests_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
)

// A secret header goes where the caller sends it and along on the same
// origin, and stays behind at the door of another one, for good.
func TestSecretHeaderStaysWithItsOrigin(t *testing.T) {
	var got []string
	note := func(r *http.Request) {
		got = append(got, r.URL.Path+" "+r.Header.Get("X-Api-Key")+" "+r.Header.Get("X-Plain"))
	}
	var home *httptest.Server
	away := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		note(r)
		http.Redirect(w, r, home.URL+"/back", http.StatusFound)
	}))
	defer away.Close()
	home = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		note(r)
		switch r.URL.Path {
		case "/start":
			http.Redirect(w, r, "/same", http.StatusFound)
		case "/same":
			http.Redirect(w, r, away.URL+"/away", http.StatusFound)
		}
	}))
	defer home.Close()

	for name, s := range map[string]*requests.Session{
		"of the call":             requests.NewSession(),
		"of the session":          requests.NewSession(requests.SecretHeader("X-Api-Key", "k")),
		"set anew by the call":    requests.NewSession(requests.SecretHeader("X-Api-Key", "old")),
		"set anew by an auth":     requests.NewSession(requests.SecretHeader("X-Api-Key", "old")),
		"set anew, not as secret": requests.NewSession(requests.SecretHeader("X-Api-Key", "old"), requests.Header("x-api-key", "k")),
	} {
		t.Run(name, func(t *testing.T) {
			defer s.Close()
			got = nil
			opts := []requests.Option{requests.Header("X-Plain", "p")}
			switch name {
			case "of the call":
				opts = append(opts, requests.SecretHeader("x-api-key", "k"))
			case "set anew by the call":
				opts = append(opts, requests.Header("x-api-key", "k"))
			case "set anew by an auth":
				opts = append(opts, requests.Auth(requests.AuthFunc(func(_ context.Context, p *requests.PreparedRequest) error {
					if p.Headers.Has("X-Api-Key") {
						p.Headers.Set("x-api-key", "k")
					}
					return nil
				})))
			}
			_, err := s.Get(t.Context(), home.URL+"/start", opts...)
			require.NoError(t, err)
			assert.Equal(t, []string{"/start k p", "/same k p", "/away  p", "/back  p"}, got)

			got = nil
			_, err = s.Get(t.Context(), home.URL+"/plain", append(opts, requests.Without(requests.SecretHeader("X-Api-Key", "")))...)
			require.NoError(t, err)
			assert.Equal(t, []string{"/plain  p"}, got)
		})
	}
}
