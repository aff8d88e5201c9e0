package requests

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An http.Client over a session has the session's headers, cookies and auth.
func TestHTTPClient(t *testing.T) {
	var heads []string
	base := loopServer(t, func(w http.ResponseWriter, r *http.Request) {
		heads = append(heads, fmt.Sprint(r.Method, " ", r.URL.Path, " ", r.Header.Get("Cookie"), " ", r.Header.Get("Authorization"), " ", r.Header.Get("X-App")))
		http.SetCookie(w, &http.Cookie{Name: "c", Value: "1", Path: "/"})
		switch r.URL.Path {
		case "/hop":
			http.Redirect(w, r, "/end", http.StatusFound)
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(gzipped("plain"))
		default:
			echoBody(w, r)
		}
	})
	s := loopSession(t, Header("X-App", "1"), BearerAuth("t"), Param("p", "1"))
	client := s.HTTPClient()
	assert.Nil(t, client.Jar)
	resp, err := client.Post(base+"/hop", "text/plain", strings.NewReader("abc"))
	require.NoError(t, err)
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Empty(t, b)
	assert.Equal(t, []string{"POST /hop  Bearer t 1", "GET /end c=1 Bearer t 1"}, heads)
	assert.Equal(t, 1, s.Cookies.Len())

	resp, err = client.Get(base + "/gzip")
	require.NoError(t, err)
	b, err = io.ReadAll(resp.Body)
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, "plain", string(b))
	assert.True(t, resp.Uncompressed)
	assert.EqualValues(t, -1, resp.ContentLength)
	assert.Empty(t, resp.Header.Get("Content-Encoding"))
	assert.Equal(t, "200 OK", resp.Status)
	assert.Equal(t, 1, resp.ProtoMajor)

	// A request that negotiates by itself gets the bytes as they are.
	req, err := http.NewRequestWithContext(t.Context(), "GET", base+"/gzip", nil)
	require.NoError(t, err)
	req.Header.Set("Accept-Encoding", "gzip")
	resp, err = client.Do(req)
	require.NoError(t, err)
	b, err = io.ReadAll(resp.Body)
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, gzipped("plain"), b)
	assert.Equal(t, "gzip", resp.Header.Get("Content-Encoding"))
	assert.False(t, resp.Uncompressed)
}

// A RoundTrip leaves the request as it is, follows nothing, and closes the
// body.
func TestRoundTripLeavesRequestAlone(t *testing.T) {
	base := loopServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hop" {
			w.Header().Set("Location", "/end")
			w.WriteHeader(302)
			return
		}
		w.WriteHeader(500)
		_, _ = io.Copy(w, r.Body)
	})
	s := loopSession(t, Header("X-App", "1"), BasicAuth("u", "p"))
	body := &pieceReader{pieces: []string{"abc"}, err: io.EOF}
	req, err := http.NewRequestWithContext(t.Context(), "PUT", base+"/x y?q", body)
	require.NoError(t, err)
	req.Header.Set("X-Own", "1")
	req.Header["x-lower"] = []string{"a", "b"}
	before, url := req.Header.Clone(), *req.URL
	resp, err := s.RoundTripper().RoundTrip(req)
	require.NoError(t, err)
	assert.Equal(t, 500, resp.StatusCode, "no error of a status")
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, "abc", string(b))
	assert.Equal(t, before, req.Header)
	assert.Equal(t, url, *req.URL)
	assert.Same(t, req, resp.Request)
	assert.Equal(t, 1, body.closed)

	req, err = http.NewRequestWithContext(t.Context(), "GET", base+"/hop", nil)
	require.NoError(t, err)
	resp, err = s.RoundTripper().RoundTrip(req)
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, 302, resp.StatusCode, "no redirect")
}

// Headers that net/http keeps out of a request's head are kept out here too.
func TestRoundTripHeaders(t *testing.T) {
	base := loopServer(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Host, " ", r.ContentLength, " ", r.Header.Get("X-Own"), " ", r.Header.Get("User-Agent"))
	})
	s := loopSession(t)
	req, err := http.NewRequestWithContext(t.Context(), "POST", base, strings.NewReader("abc"))
	require.NoError(t, err)
	req.Host = "other.test"
	req.Header = http.Header{
		"Content-Length": {"99"}, "Transfer-Encoding": {"gzip"}, "Host": {"evil.test"}, "X-Own": {"\xff"},
		"User-Agent": {"mine"},
	}
	resp, err := s.RoundTripper().RoundTrip(req)
	require.NoError(t, err)
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, "other.test 3 \xff mine", string(b))
}

// The rules of a client's redirects are this package's.
func TestHTTPClientRedirects(t *testing.T) {
	var got []string
	base := loopServer(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = append(got, fmt.Sprint(r.Method, " ", r.URL.Path, " ", string(b), " ", r.Header.Get("Authorization"), " ", r.Header.Get("Referer")))
		var status int
		_, _ = fmt.Sscan(r.URL.Query().Get("status"), &status)
		if status != 0 {
			w.Header().Set("Location", "/end")
			if r.URL.Query().Has("loop") {
				w.Header().Set("Location", r.URL.String())
			}
			w.WriteHeader(status)
		}
	})
	tests := []struct {
		method string
		status int
		want   string
	}{
		{"POST", 301, "GET /end   "},
		{"POST", 302, "GET /end   "},
		{"POST", 303, "GET /end   "},
		{"POST", 307, "POST /end abc  "},
		{"POST", 308, "POST /end abc  "},
		{"PUT", 301, "PUT /end   "},
		{"HEAD", 303, "HEAD /end   "},
	}
	s := loopSession(t)
	for _, tt := range tests {
		got = nil
		var body io.Reader
		if tt.method != "HEAD" {
			body = strings.NewReader("abc")
		}
		req, err := http.NewRequestWithContext(t.Context(), tt.method, fmt.Sprintf("%s/?status=%d", base, tt.status), body)
		require.NoError(t, err)
		resp, err := s.HTTPClient().Do(req)
		require.NoError(t, err, "%s %d", tt.method, tt.status)
		resp.Body.Close()
		require.Len(t, got, 2)
		assert.Equal(t, tt.want, got[1], "%s %d", tt.method, tt.status)
	}
	few := loopSession(t, MaxRedirects(3))
	got = nil
	_, err := few.HTTPClient().Get(base + "/?status=302&loop=1")
	assert.ErrorIs(t, err, ErrTooManyRedirects)
	assert.Len(t, got, 4)
	none := loopSession(t, AllowRedirects(false))
	resp, err := none.HTTPClient().Get(base + "/?status=302")
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, 302, resp.StatusCode)
}

// Credentials of the caller's stay with their origin.
func TestHTTPClientCredentials(t *testing.T) {
	var other string
	second := loopServer(t, func(_ http.ResponseWriter, r *http.Request) {
		other = r.Header.Get("Authorization") + r.Header.Get("Cookie") + r.Header.Get("Proxy-Authorization")
	})
	first := loopServer(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, second, http.StatusFound) })
	req, err := http.NewRequestWithContext(t.Context(), "GET", first, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "secret")
	req.Header.Set("Cookie", "secret=1")
	resp, err := loopSession(t).HTTPClient().Do(req)
	require.NoError(t, err)
	resp.Body.Close()
	assert.Empty(t, other)
}

func TestRoundTripErrors(t *testing.T) {
	s := loopSession(t)
	body := &pieceReader{err: io.EOF}
	for _, req := range []*http.Request{
		{Method: "GET", URL: &url.URL{Scheme: "http", Host: ""}, Body: body},
		{Method: "GET", URL: &url.URL{Scheme: "ftp", Host: "a.test"}, Body: body},
		{Method: "GET", URL: &url.URL{Scheme: "http", Host: "a.test"}, Header: http.Header{"X": {"a\nb"}}, Body: body},
	} {
		_, err := s.RoundTripper().RoundTrip(req)
		assert.ErrorIs(t, err, ErrRequest)
	}
	assert.Equal(t, 3, body.closed, "the body is closed always")
	s.Settings.Timeouts.Read = new(time.Duration(-1))
	_, err := s.RoundTripper().RoundTrip(&http.Request{Method: "GET", URL: &url.URL{Scheme: "http", Host: "a.test"}})
	assert.ErrorIs(t, err, ErrInvalidOption)
}

func TestRoundTripContext(t *testing.T) {
	base := loopServer(t, echoBody)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", base, nil)
	require.NoError(t, err)
	_, err = loopSession(t).HTTPClient().Do(req)
	assert.ErrorIs(t, err, context.Canceled)
}

// What a session gives the first request stays with its origin, whoever
// follows the redirect: this client, another with a mind of its own, or one
// that loses the way.
func TestHTTPClientKeepsSecrets(t *testing.T) {
	seen := ""
	note := func(r *http.Request) {
		seen += fmt.Sprintln(r.URL.RequestURI(), r.Header.Get("Authorization"), r.Header.Get("X-Key"), r.Header.Get("Cookie"), r.Header.Get("X-App"))
	}
	second := loopServer(t, func(w http.ResponseWriter, r *http.Request) {
		note(r)
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/end", http.StatusFound)
		}
	})
	first := loopServer(t, func(w http.ResponseWriter, r *http.Request) {
		note(r)
		http.Redirect(w, r, second, http.StatusFound)
	})
	second = strings.Replace(second, "127.0.0.1", "localhost", 1)
	options := []Option{
		BasicAuth("u", "secret"), Param("key", "secret"), SecretHeader("X-Key", "secret"), Header("X-App", "1"), Cookie("sid", "secret"),
	}
	const whole = "/?key=secret Basic dTpzZWNyZXQ= secret sid=secret 1\n"
	forget := roundTripFunc(func(s *Session, req *http.Request) (*http.Response, error) {
		resp, err := s.RoundTripper().RoundTrip(req)
		if resp != nil {
			resp.Request = req
		}
		return resp, err
	})
	tests := []struct {
		name   string
		client func(s *Session) *http.Client
		want   string
	}{
		{"HTTPClient", (*Session).HTTPClient, whole + "/    1\n/end    1\n"},
		{"another client", func(s *Session) *http.Client { return &http.Client{Transport: s.RoundTripper()} }, whole + "/    1\n/end    1\n"},
		{"a way that is lost", func(s *Session) *http.Client {
			return &http.Client{Transport: sessionRoundTripper{s, forget}}
		}, whole + "/    \n/end    \n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			seen = ""
			resp, err := tt.client(loopSession(t, options...)).Get(first)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, tt.want, seen)
		})
	}
}

// A Cookie header of the request's stays with its origin too, though net/http
// takes it along to another port.
func TestRoundTripKeepsCookieHeader(t *testing.T) {
	seen := ""
	second := loopServer(t, func(_ http.ResponseWriter, r *http.Request) { seen = r.Header.Get("Cookie") })
	first := loopServer(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, second, http.StatusFound) })
	req, err := http.NewRequestWithContext(t.Context(), "GET", first, nil)
	require.NoError(t, err)
	req.Header.Set("Cookie", "sid=secret")
	resp, err := (&http.Client{Transport: loopSession(t).RoundTripper()}).Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Empty(t, seen)
}

// roundTripFunc is a RoundTrip over a session.
type roundTripFunc func(s *Session, req *http.Request) (*http.Response, error)

type sessionRoundTripper struct {
	s *Session
	f roundTripFunc
}

func (t sessionRoundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	return t.f(t.s, req)
}

// What a CheckRedirect of the program's adds to a redirect is sent.
func TestHTTPClientOwnCheckRedirect(t *testing.T) {
	var got http.Header
	base := loopServer(t, func(w http.ResponseWriter, r *http.Request) {
		if got = r.Header; r.URL.Path == "/" {
			http.Redirect(w, r, "/end", http.StatusFound)
		}
	})
	client := loopSession(t, Header("X-App", "1")).HTTPClient()
	client.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		req.Header.Set("X-Hop", "1")
		req.Header.Set("X-Own", "changed")
		return nil
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", base, nil)
	require.NoError(t, err)
	req.Header.Set("X-Own", "first")
	resp, err := client.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, []string{"1", "changed", "1"}, []string{got.Get("X-Hop"), got.Get("X-Own"), got.Get("X-App")})
}

// A body that somebody put before the one that GetBody gives is sent.
func TestRoundTripOwnBody(t *testing.T) {
	var bodies []string
	base := loopServer(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(b))
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/end", http.StatusTemporaryRedirect)
		}
	})
	s := loopSession(t)
	req, err := http.NewRequestWithContext(t.Context(), "POST", base, strings.NewReader("old"))
	require.NoError(t, err)
	req.Body = io.NopCloser(strings.NewReader("new"))
	resp, err := s.HTTPClient().Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, []string{"new", "old"}, bodies)
}

// Trailers, framing and the end of a connection are where net/http has them.
func TestRoundTripFraming(t *testing.T) {
	var got http.Header
	base := loopServer(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		got = r.Trailer
		w.Header().Set("Trailer", "X-Sum")
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Sum", "42")
		w.Header().Set(http.TrailerPrefix+"X-Late", "1")
	})
	s := loopSession(t)
	req, err := http.NewRequestWithContext(t.Context(), "POST", base, &pieceReader{pieces: []string{"abc"}, err: io.EOF})
	require.NoError(t, err)
	req.Trailer = http.Header{"X-Out": {"7"}}
	resp, err := s.RoundTripper().RoundTrip(req)
	require.NoError(t, err)
	assert.Equal(t, []string{"chunked"}, resp.TransferEncoding)
	assert.Empty(t, resp.Header.Get("Transfer-Encoding"))
	assert.NotContains(t, resp.Header, "Trailer")
	assert.True(t, resp.Close)
	assert.Equal(t, http.Header{"X-Sum": nil}, resp.Trailer, "announced")
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	assert.Equal(t, http.Header{"X-Sum": {"42"}, "X-Late": {"1"}}, resp.Trailer)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.Header{"X-Out": {"7"}}, got)
}

// The head of a request says what net/http's would.
func TestRoundTripRequestHead(t *testing.T) {
	base := loopServer(t, func(w http.ResponseWriter, r *http.Request) {
		_, agent := r.Header["User-Agent"]
		fmt.Fprint(w, r.Method, " ", agent, " ", r.Header.Get("Cookie"), " ", r.Header.Get("Connection"))
	})
	s := loopSession(t, Cookie("jar", "1"))
	req, err := http.NewRequestWithContext(t.Context(), "purge", base, nil)
	require.NoError(t, err)
	req.Header.Set("User-Agent", "")
	req.AddCookie(&http.Cookie{Name: "own", Value: "1"})
	req.Close = true
	resp, err := s.RoundTripper().RoundTrip(req)
	require.NoError(t, err)
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, "purge false own=1; jar=1 close", string(b))
}
