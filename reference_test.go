package requests_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
)

// These are tests of the reference's own suite that nothing else here shows;
// docs/parity.md has the whole list.

// script answers one request on each connection, the first with the first
// answer and so on, and then listens no more. It returns its URL and the bytes
// of the requests so far.
func scripted(t *testing.T, answers ...string) (url string, requests func() []string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var mu sync.Mutex
	var seen []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer l.Close()
		for _, answer := range answers {
			c, err := l.Accept()
			if err != nil {
				return
			}
			var raw bytes.Buffer
			if req, err := http.ReadRequest(bufio.NewReader(io.TeeReader(c, &raw))); err == nil {
				_, _ = io.Copy(io.Discard, req.Body)
			}
			mu.Lock()
			seen = append(seen, raw.String())
			mu.Unlock()
			_, _ = io.WriteString(c, answer)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return "http://" + l.Addr().String(), func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), seen...)
	}
}

const okay = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"

// found is a redirect to a location.
func found(location string) string {
	return "HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: " + location + "\r\n\r\n"
}

// TestBodyLengthByMethod is test_no_content_length, test_no_body_content_length
// and test_empty_content_length.
func TestBodyLengthByMethod(t *testing.T) {
	for method, want := range map[string]string{
		"GET": "", "HEAD": "", "POST": "0", "PUT": "0", "PATCH": "0", "OPTIONS": "0", "DELETE": "0",
	} {
		for _, opts := range [][]requests.Option{nil, {requests.BodyText("")}} {
			p, err := requests.NewRequest(method, "http://a.test/", opts...).Prepare(ctx)
			require.NoError(t, err)
			assert.Equal(t, want, p.Headers.Get("Content-Length"), "%s with %d options", method, len(opts))
		}
	}
}

// TestStreamsWithAuth is test_empty_stream_with_auth_does_not_set_content_length_header
// and test_stream_with_auth_does_not_set_transfer_encoding_header.
func TestStreamsWithAuth(t *testing.T) {
	auth := requests.BasicAuth("u", "p")
	p, err := requests.NewRequest("POST", "http://a.test/", auth, requests.Body(io.MultiReader())).Prepare(ctx)
	require.NoError(t, err)
	assert.Equal(t, "chunked", p.Headers.Get("Transfer-Encoding"))
	assert.False(t, p.Headers.Has("Content-Length"))

	p, err = requests.NewRequest("POST", "http://a.test/", auth, requests.Body(strings.NewReader("abc"))).Prepare(ctx)
	require.NoError(t, err)
	assert.Equal(t, "3", p.Headers.Get("Content-Length"))
	assert.False(t, p.Headers.Has("Transfer-Encoding"))
}

// TestPreparedURLs is test_long_authinfo_in_url, test_whitespaces_are_removed_from_url,
// test_params_are_merged_case_sensitive and test_uppercase_scheme.
func TestPreparedURLs(t *testing.T) {
	s := requests.NewSession(requests.Param("foo", "bar"))
	defer s.Close()
	long := strings.Repeat("LONG", 40)
	for given, want := range map[string]string{
		" http://example.com":               "http://example.com/?foo=bar&FOO=bar",
		"HTTP://example.com/":               "http://example.com/?foo=bar&FOO=bar",
		"http://u" + long + ":p@h.test/#at": "http://u" + long + ":p@h.test/?foo=bar&FOO=bar#at",
	} {
		p, err := s.Prepare(ctx, requests.NewRequest("GET", given, requests.Param("FOO", "bar")))
		require.NoError(t, err)
		assert.Equal(t, want, p.URL)
	}
}

// TestLeadingSlashesAreSent is test_request_url_handles_leading_path_separators.
func TestLeadingSlashesAreSent(t *testing.T) {
	url, seen := scripted(t, okay)
	_, err := requests.Get(ctx, url+"//v:h")
	require.NoError(t, err)
	assert.Contains(t, seen()[0], "GET //v:h HTTP/1.1\r\n")
}

// TestFragmentsOnRedirects is test_fragment_not_sent_with_request and
// test_fragment_update_on_redirect.
func TestFragmentsOnRedirects(t *testing.T) {
	url, seen := scripted(t, found("/get#relevant-section"), found("/final-url/"), okay)
	r, err := requests.Get(ctx, url+"/path/to/thing/#view=edit&token=hunter2")
	require.NoError(t, err)
	assert.Len(t, r.History, 2)
	assert.Equal(t, url+"/path/to/thing/#view=edit&token=hunter2", r.History[0].Request.URL)
	assert.Equal(t, url+"/get#relevant-section", r.History[1].Request.URL)
	assert.Equal(t, url+"/final-url/#relevant-section", r.URL)
	for _, head := range seen() {
		assert.NotContains(t, head, "#")
	}
}

// TestOneHostHeader is test_chunked_upload_uses_only_specified_host_header and
// test_chunked_upload_doesnt_skip_host_header.
func TestOneHostHeader(t *testing.T) {
	url, seen := scripted(t, okay, okay)
	body := func() requests.Option { return requests.Body(io.MultiReader(strings.NewReader("a"))) }
	_, err := requests.Post(ctx, url, body())
	require.NoError(t, err)
	_, err = requests.Post(ctx, url, body(), requests.Header("Host", "sample-host"))
	require.NoError(t, err)
	for i, want := range []string{strings.TrimPrefix(url, "http://"), "sample-host"} {
		assert.Equal(t, 1, strings.Count(seen()[i], "Host: "))
		assert.Contains(t, seen()[i], "Host: "+want+"\r\n")
	}
}

// TestChunkedBodyIsDroppedOnRedirect is test_transfer_enc_removal_on_redirect.
func TestChunkedBodyIsDroppedOnRedirect(t *testing.T) {
	url, seen := scripted(t, found("/next"), okay)
	r, err := requests.Post(ctx, url, requests.Header("Content-Type", "text/plain"),
		requests.Body(io.MultiReader(strings.NewReader("abc"))))
	require.NoError(t, err)
	assert.Equal(t, "GET", r.Request.Method)
	assert.Contains(t, seen()[0], "Transfer-Encoding: chunked")
	for _, name := range []string{"Transfer-Encoding", "Content-Type", "Content-Length"} {
		assert.NotContains(t, seen()[1], name)
	}
}

// TestRedirectBodyIsNotDecoded is test_redirect_with_wrong_gzipped_header.
func TestRedirectBodyIsNotDecoded(t *testing.T) {
	url, _ := scripted(t, strings.Replace(found("/next"), "Content-Length: 0", "Content-Encoding: gzip\r\nContent-Length: 3", 1)+"bad", okay)
	r, err := requests.Get(ctx, url)
	require.NoError(t, err)
	assert.Equal(t, "ok", r.Text())
}

// TestHistories is test_requests_history_is_saved: each history begins the
// next.
func TestHistories(t *testing.T) {
	server := newBin()
	defer server.Close()
	r, err := requests.Get(ctx, server.URL+"/redirect/4")
	require.NoError(t, err)
	require.Len(t, r.History, 4)
	for i, hop := range r.History {
		assert.Equal(t, r.History[:i], append([]*requests.Response{}, hop.History...))
		assert.Equal(t, hop.URL, hop.Request.URL)
	}
}

// TestTooManyRedirectsKeepsTheResponse is test_HTTP_302_TOO_MANY_REDIRECTS.
func TestTooManyRedirectsKeepsTheResponse(t *testing.T) {
	server := newBin()
	defer server.Close()
	_, err := requests.Get(ctx, server.URL+"/relative-redirect/50")
	require.ErrorIs(t, err, requests.ErrTooManyRedirects)
	var e *requests.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, server.URL+"/relative-redirect/20", e.Request.URL)
	assert.Equal(t, e.Request.URL, e.Response.URL)
	assert.Len(t, e.Response.History, 30)
}

// stuck is a body that cannot go back once it was read.
type stuck struct {
	*strings.Reader
	read bool
}

func (s *stuck) Read(b []byte) (int, error) {
	s.read = true
	return s.Reader.Read(b)
}

func (s *stuck) Seek(offset int64, whence int) (int64, error) {
	if s.read {
		return 0, errors.New("stuck")
	}
	return s.Reader.Seek(offset, whence)
}

// TestRewindFails is test_rewind_body_failed_seek.
func TestRewindFails(t *testing.T) {
	url, _ := scripted(t, strings.Replace(found("/next"), "302 Found", "307 Again", 1), okay)
	_, err := requests.Post(ctx, url, requests.Body(&stuck{Reader: strings.NewReader("abc")}))
	require.ErrorIs(t, err, requests.ErrUnrewindableBody)
}

// TestPartialReadThenNext is test_manual_redirect_with_partial_body_read.
func TestPartialReadThenNext(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/" {
			w.Header().Set("Location", "/next")
			w.WriteHeader(http.StatusFound)
		}
		_, _ = io.WriteString(w, "body of "+req.URL.Path)
	}))
	defer server.Close()
	s := requests.NewSession(requests.AllowRedirects(false), requests.Stream())
	defer s.Close()
	r, err := s.Get(ctx, server.URL)
	require.NoError(t, err)
	_, err = r.Read(make([]byte, 1))
	require.NoError(t, err)
	next, err := r.Next(ctx)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	r, err = s.Send(ctx, next)
	require.NoError(t, err)
	assert.Equal(t, "body of /next", r.Text())
}

// TestPreparedFlowAndEnvironment is the two tests named
// test_respect_proxy_env_on_send_…_prepared_request, and what the reference
// document says of bundles: Send sees the environment's proxies alone.
func TestPreparedFlowAndEnvironment(t *testing.T) {
	proxy := newForwarder()
	defer proxy.Close()
	t.Setenv("http_proxy", proxy.URL)
	t.Setenv("no_proxy", "127.0.0.1")
	s := requests.NewSession()
	defer s.Close()
	bare, err := requests.NewRequest("GET", "http://other.test/").Prepare(ctx)
	require.NoError(t, err)
	own, err := s.Prepare(ctx, requests.NewRequest("GET", "http://other.test/"))
	require.NoError(t, err)
	for _, p := range []*requests.PreparedRequest{bare, own} {
		r, err := s.Send(ctx, p)
		require.NoError(t, err)
		assert.Equal(t, "http://other.test/ for nobody", r.Text())
	}

	server := newTLS()
	defer server.Close()
	bundle, remove := writeBundle(server)
	defer remove()
	t.Setenv("REQUESTS_CA_BUNDLE", bundle)
	p, err := s.Prepare(ctx, requests.NewRequest("GET", server.URL))
	require.NoError(t, err)
	_, err = s.Send(ctx, p)
	require.ErrorIs(t, err, requests.ErrSSL)
	settings, err := s.MergeEnvironment(p.URL)
	require.NoError(t, err)
	_, err = s.Send(ctx, p, settings)
	require.NoError(t, err)
}

// TestProxyUserWithoutPassword is test_proxy_auth_empty_pass.
func TestProxyUserWithoutPassword(t *testing.T) {
	proxy := newForwarder()
	defer proxy.Close()
	r, err := requests.Get(ctx, "http://other.test/", requests.Proxy("http", "http://user:@"+proxy.Listener.Addr().String()))
	require.NoError(t, err)
	assert.Equal(t, "http://other.test/ for Basic dXNlcjo=", r.Text())
}

// TestNetrcIsOfTheHost is test_basicauth_with_netrc_leak: what stands before
// an at sign is no host.
func TestNetrcIsOfTheHost(t *testing.T) {
	server := newEcho("Authorization")
	defer server.Close()
	path := filepath.Join(t.TempDir(), "netrc")
	require.NoError(t, os.WriteFile(path, []byte("machine example.com login wrong password wrong\n"+
		"machine 127.0.0.1 login user password pass\n"), 0o600))
	t.Setenv("NETRC", path)
	r, err := requests.Get(ctx, "http://example.com:@"+server.Listener.Addr().String())
	require.NoError(t, err)
	assert.Contains(t, r.Text(), "Basic dXNlcjpwYXNz")
}

// TestCallCookieReplacesSessions is test_request_cookie_overrides_session_cookie.
func TestCallCookieReplacesSessions(t *testing.T) {
	server := newEcho("Cookie")
	defer server.Close()
	s := requests.NewSession(requests.Cookie("foo", "bar"))
	defer s.Close()
	r, err := s.Get(ctx, server.URL, requests.Cookie("foo", "baz"))
	require.NoError(t, err)
	assert.Contains(t, r.Text(), "Cookie: foo=baz\n")
	assert.Equal(t, "bar", s.Cookies.Value("foo"))
}

// TestDigestStreams is test_DIGEST_STREAM.
func TestDigestStreams(t *testing.T) {
	server := newBin()
	defer server.Close()
	r, err := requests.Get(ctx, server.URL+"/digest-auth/auth/user/pass", requests.DigestAuth("user", "pass"), requests.Stream())
	require.NoError(t, err)
	defer r.Close()
	body, err := io.ReadAll(r.Raw())
	require.NoError(t, err)
	assert.Contains(t, string(body), `"user": "user"`)
	assert.Positive(t, r.Elapsed) // test_time_elapsed_blank; the reference has 0 after a challenge
}

// TestHookOfPreparedRequest is test_prepared_request_hook.
func TestHookOfPreparedRequest(t *testing.T) {
	server := newEcho()
	defer server.Close()
	ran := 0
	p, err := requests.NewRequest("GET", server.URL, requests.OnResponse(
		func(context.Context, *requests.Response) (*requests.Response, error) { ran++; return nil, nil })).Prepare(ctx)
	require.NoError(t, err)
	s := requests.NewSession()
	defer s.Close()
	_, err = s.Send(ctx, p)
	require.NoError(t, err)
	assert.Equal(t, 1, ran)
}

// TestOriginSeesProxyAuthorization is test_proxy_authorization_preserved_on_request.
func TestOriginSeesProxyAuthorization(t *testing.T) {
	server := newEcho("Proxy-Authorization")
	defer server.Close()
	s := requests.NewSession(requests.Header("Proxy-Authorization", "Bearer XXX"))
	defer s.Close()
	r, err := s.Get(ctx, server.URL)
	require.NoError(t, err)
	assert.Contains(t, r.Text(), "Bearer XXX")
}

// TestReasons is test_response_reason_unicode and its fallback: a reason is
// ISO-8859-1, as Python reads it off the wire, and whatever it is it shows.
func TestReasons(t *testing.T) {
	for sent, want := range map[string]string{
		"Komm ur t\xe5get":     "500 Server Error: Komm ur t\u00e5get for url: ",
		"Komm ur t\xc3\xa5get": "500 Server Error: Komm ur t\u00c3\u00a5get for url: ",
	} {
		url, _ := scripted(t, "HTTP/1.1 500 "+sent+"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		r, err := requests.Get(ctx, url)
		require.NoError(t, err)
		assert.EqualError(t, r.RaiseForStatus(), want+url+"/")
	}
}

// TestConflictingContentLengths is test_conflicting_content_lengths: neither
// is taken.
func TestConflictingContentLengths(t *testing.T) {
	for _, lines := range []string{"Content-Length: 16\r\nContent-Length: 32", "Content-Length: 16, 32"} {
		url, _ := scripted(t, "HTTP/1.1 200 OK\r\n"+lines+"\r\n\r\n-- Bad Actor. -- Original Content\r\n")
		r, err := requests.Get(ctx, url)
		require.ErrorIs(t, err, requests.ErrInvalidHeader, lines)
		require.ErrorIs(t, err, requests.ErrConnection, lines)
		assert.Nil(t, r)
	}
}

// Lengths that are equal are one length, and shown as the fields they are.
func TestEqualContentLengths(t *testing.T) {
	url, _ := scripted(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok")
	r, err := requests.Get(ctx, url)
	require.NoError(t, err)
	assert.Equal(t, "ok", r.Text())
	assert.Equal(t, "2, 2", r.Headers.Get("Content-Length"))
}

// TestServerThatLeaves is test_multiple_requests: five answers, and no sixth.
func TestServerThatLeaves(t *testing.T) {
	url, _ := scripted(t, okay, okay, okay, okay, okay)
	for range 5 {
		_, err := requests.Get(ctx, url)
		require.NoError(t, err)
	}
	_, err := requests.Get(ctx, url)
	require.ErrorIs(t, err, requests.ErrConnection)
}

// TestConflictingBodies is test_conflicting_post_params.
func TestConflictingBodies(t *testing.T) {
	_, err := requests.Post(ctx, "http://a.test/", requests.BodyText("[{}]"),
		requests.File("f", "f", strings.NewReader("x")))
	require.ErrorIs(t, err, requests.ErrInvalidOption)
}
