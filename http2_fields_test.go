//go:build unix

package requests_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// Fields that HTTP/2 has no form for are refused by us and not by net/http;
// over HTTP/1.1 they go out as they are. Neither costs the connection.
func TestHTTP2RefusesFields(t *testing.T) {
	var got http.Header
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		w.Header().Set("X-Client", r.RemoteAddr)
	}))
	ca, _, config := authority(t)
	srv.TLS, srv.EnableHTTP2 = config, true
	srv.StartTLS()
	defer srv.Close()
	s := trusting(ca, func(a *requests.HTTPAdapter) { a.MaxRetries = requests.Retries(3) })
	defer s.Close()
	first, err := s.Get(t.Context(), srv.URL)
	require.NoError(t, err)
	require.Equal(t, "HTTP/2.0", first.Proto)
	for _, tt := range []struct{ name, value string }{
		{"X-Secret", "hush\x01"},
		{"X-Secret", "hush\x7f"},
		{"X y", "hush"},
		{"X ", "hush"},
		{"X(y)", "hush"},
	} {
		for _, body := range []requests.Option{requests.Header("X-A", "1"), requests.BodyText("body")} {
			got = nil
			_, err := s.Post(t.Context(), srv.URL, requests.Header(tt.name, tt.value), body)
			require.ErrorIs(t, err, requests.ErrInvalidHeader, "%q", tt)
			require.NotErrorIs(t, err, requests.ErrConnection)
			assert.NotContains(t, err.Error(), "hush")
			e := new(requests.Error)
			require.ErrorAs(t, err, &e)
			assert.False(t, e.MaybeSent)
			assert.Empty(t, e.Attempts(), "tried once")
			assert.Nil(t, got)
		}
	}
	// White space at the end is no part of a value.
	r, err := s.Get(t.Context(), srv.URL, requests.Header("X-A", "a b \t"), requests.Header("X-B", "é"))
	require.NoError(t, err)
	assert.Equal(t, []string{"a b"}, got["X-A"])
	assert.Equal(t, []string{"\xe9"}, got["X-B"])
	assert.Equal(t, first.Headers.Get("X-Client"), r.Headers.Get("X-Client"), "one connection")
}

func TestHTTP1SendsFieldsAsTheyAre(t *testing.T) {
	srv := testserver.NewFaults(t, testserver.Answer{})
	s := newFaultSession(nil)
	defer s.Close()
	_, err := s.Get(t.Context(), srv.URL()+"/", requests.Header("X-A", "a\x01b "), requests.Header("X y", "c"))
	require.NoError(t, err)
	require.Len(t, srv.Ledger(), 1)
	assert.Contains(t, srv.Ledger()[0].Head, "\r\nX-A: a\x01b \r\nX y: c\r\n")
}
