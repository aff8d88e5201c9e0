package requests

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests/internal/uri"
)

func TestRedirectMethod(t *testing.T) {
	// For each status: what becomes of GET, HEAD, POST, PUT, DELETE.
	tests := map[int]string{
		301: "GET HEAD GET PUT DELETE",
		302: "GET HEAD GET GET GET",
		303: "GET HEAD GET GET GET",
		307: "GET HEAD POST PUT DELETE",
		308: "GET HEAD POST PUT DELETE",
		300: "GET HEAD POST PUT DELETE",
	}
	for status, want := range tests {
		var got []string
		for method := range strings.FieldsSeq("GET HEAD POST PUT DELETE") {
			got = append(got, redirectMethod(method, status))
		}
		assert.Equal(t, want, strings.Join(got, " "), "%d", status)
		assert.Equal(t, status != 300, isRedirect(status))
		assert.Equal(t, status == 307 || status == 308, keepsBody(status))
	}
	for _, status := range []int{0, 200, 201, 304, 305, 306, 309, 400} {
		assert.False(t, isRedirect(status), "%d", status)
	}
}

func TestStripsAuth(t *testing.T) {
	tests := []struct {
		from, to string
		want     bool
	}{
		{"http://a.test/", "http://a.test/x", false},
		{"http://a.test/", "http://A.TEST:80/x", false},
		{"http://a.test/", "https://a.test/", false},
		{"http://a.test:80/", "https://a.test:443/", false},
		{"https://a.test/", "https://a.test:443/", false},
		{"https://a.test/", "http://a.test/", true},
		{"http://a.test:8080/", "https://a.test/", true},
		{"http://a.test/", "https://a.test:8443/", true},
		{"http://a.test/", "http://a.test:8080/", true},
		{"http://a.test/", "http://b.a.test/", true},
		{"http://a.test/", "http://b.test/", true},
		{"http://a.test/", "http://a.test.evil/", true},
	}
	for _, tt := range tests {
		from, err := uri.Prepare(tt.from, nil, "")
		require.NoError(t, err)
		to, err := uri.Prepare(tt.to, nil, "")
		require.NoError(t, err)
		assert.Equal(t, tt.want, stripsAuth(from, to), "%s to %s", tt.from, tt.to)
	}
}

func TestRedirected(t *testing.T) {
	target := func(url string) uri.URL {
		u, err := uri.Prepare(url, nil, "")
		require.NoError(t, err)
		return u
	}
	full := func() *PreparedRequest {
		p, err := NewRequest("POST", "http://a.test/", BodyText("abc"), BearerAuth("t"),
			Header("Content-Type", "x/y"), Header("Cookie", "c=1"), Header("Proxy-Authorization", "p"), Header("X", "1")).
			Prepare(t.Context())
		require.NoError(t, err)
		return p
	}
	tests := []struct {
		status int
		to     string
		want   string // method, and names of headers
	}{
		{302, "http://a.test/x", "GET X Authorization"},
		{307, "http://a.test/x", "POST Content-Type X Content-Length Authorization body"},
		{302, "http://b.test/", "GET X"},
		{307, "http://b.test/", "POST Content-Type X Content-Length body"},
		{307, "https://a.test/", "POST Content-Type X Content-Length Authorization body"},
	}
	for _, tt := range tests {
		p := full()
		next := redirected(p, tt.status, target(tt.to))
		got := next.Method
		for name := range next.Headers.All() {
			got += " " + name
		}
		if next.Body != nil {
			got += " body"
		}
		assert.Equal(t, tt.want, got, "%d to %s", tt.status, tt.to)
		assert.Equal(t, tt.to, next.URL)
		assert.True(t, p.Headers.Has("Cookie"), "the request before stays as it was")
		assert.Equal(t, "POST", p.Method)
	}
}

// hop is a request as it arrived in a chain.
func hop(p *PreparedRequest) string {
	return strings.TrimSpace(p.Method + " " + p.URL + " " + p.Headers.Get("Authorization"))
}

// redirecting answers by a table from URL to status and Location; what is not
// in it is 200. It takes down the hops.
func redirecting(hops *[]string, table map[string]string) cannedAdapter {
	return func(_ context.Context, p *PreparedRequest, _ Settings) (*Response, error) {
		*hops = append(*hops, hop(p))
		var status int
		var location string
		_, _ = fmt.Sscan(table[p.URL], &status, &location)
		if status == 0 {
			return NewResponse(p, 200, "OK", Headers{}, strings.NewReader("end")), nil
		}
		var h Headers
		if location != "" {
			h.Set("Location", location)
		}
		return NewResponse(p, status, "Moved", h, strings.NewReader("moved")), nil
	}
}

func TestFollowRedirects(t *testing.T) {
	table := map[string]string{
		"http://a.test/":     "302 /b",
		"http://a.test/b":    "301 http://b.test/c?x=1#new",
		"http://a.test/f#f1": "302 /g",
		"http://a.test/none": "302",
		"http://a.test/300":  "300 /b",
		"http://a.test/loop": "302 /loop",
		"http://a.test/ftp":  "302 ftp://a.test/",
		"http://a.test/bad":  "302 http://[",
		"http://a.test/sch":  "302 //c.test/d",
		"http://a.test/utf":  "302 /%C3%A9?Ã©", // as its bytes are shown
		"http://a.test/e9":   "302 /é",
	}
	tests := []struct {
		url  string
		opts []Option
		want []string // the hops
		err  error
	}{
		{"http://a.test/", nil, []string{"GET http://a.test/", "GET http://a.test/b", "GET http://b.test/c?x=1#new"}, nil},
		{"http://a.test/", []Option{AllowRedirects(false)}, []string{"GET http://a.test/"}, nil},
		{"http://a.test/", []Option{MaxRedirects(2)}, []string{"GET http://a.test/", "GET http://a.test/b", "GET http://b.test/c?x=1#new"}, nil},
		{"http://a.test/", []Option{MaxRedirects(1)}, []string{"GET http://a.test/", "GET http://a.test/b"}, ErrTooManyRedirects},
		{"http://a.test/", []Option{MaxRedirects(0)}, []string{"GET http://a.test/"}, ErrTooManyRedirects},
		{"http://a.test/f#f1", nil, []string{"GET http://a.test/f#f1", "GET http://a.test/g#f1"}, nil},
		{"http://a.test/none", nil, []string{"GET http://a.test/none"}, nil},
		{"http://a.test/300", nil, []string{"GET http://a.test/300"}, nil},
		{"http://a.test/sch", nil, []string{"GET http://a.test/sch", "GET http://c.test/d"}, nil},
		{"http://a.test/utf", nil, []string{"GET http://a.test/utf", "GET http://a.test/%C3%A9?%C3%A9"}, nil},
		{"http://a.test/e9", nil, []string{"GET http://a.test/e9"}, ErrInvalidURL},
		{"http://a.test/bad", nil, []string{"GET http://a.test/bad"}, ErrInvalidURL},
		{
			"http://a.test/b",
			[]Option{BearerAuth("t")},
			[]string{"GET http://a.test/b Bearer t", "GET http://b.test/c?x=1#new"},
			nil,
		},
		{
			"http://a.test/f#f1",
			[]Option{BearerAuth("t")},
			[]string{"GET http://a.test/f#f1 Bearer t", "GET http://a.test/g#f1 Bearer t"},
			nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.url, func(t *testing.T) {
			var hops []string
			r, err := cannedSession(t, redirecting(&hops, table)).Get(t.Context(), tt.url, tt.opts...)
			assert.Equal(t, tt.want, hops)
			if tt.err != nil {
				require.ErrorIs(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			require.Len(t, r.History, len(hops)-1)
			for i, h := range r.History {
				assert.Equal(t, "moved", h.Text(), "the body of a redirect stays to be had")
				assert.Equal(t, hops[i], hop(h.Request))
			}
		})
	}
}

func TestTooManyRedirects(t *testing.T) {
	var hops []string
	s := cannedSession(t, redirecting(&hops, map[string]string{"http://a.test/loop": "302 /loop"}))
	_, err := s.Get(t.Context(), "http://a.test/loop")
	require.ErrorIs(t, err, ErrTooManyRedirects)
	assert.Len(t, hops, 31)
	e := asError(t, err)
	require.NotNil(t, e.Response, "the last redirect")
	assert.Equal(t, 302, e.Response.StatusCode)
	assert.True(t, e.MaybeSent)
	assert.Contains(t, err.Error(), "exceeded 30 redirects")
	assert.Equal(t, "moved", e.Response.Text(), "its body was read on the way")
}

// Another scheme has no adapter, unless one is mounted.
func TestRedirectToAnotherScheme(t *testing.T) {
	var hops []string
	f := redirecting(&hops, map[string]string{"http://a.test/": "302 ftp://a.test/x"})
	s := loopSession(t)
	s.Mount("http://", f)
	_, err := s.Get(t.Context(), "http://a.test/")
	assert.ErrorIs(t, err, ErrInvalidSchema)
	s.Mount("ftp://", f)
	r, err := s.Get(t.Context(), "http://a.test/")
	require.NoError(t, err)
	assert.Equal(t, "ftp://a.test/x", r.URL)
}

func TestHeadDoesNotFollow(t *testing.T) {
	var hops []string
	table := map[string]string{"http://a.test/": "302 /b"}
	s := cannedSession(t, redirecting(&hops, table))
	r, err := s.Head(t.Context(), "http://a.test/")
	require.NoError(t, err)
	assert.Equal(t, 302, r.StatusCode)
	r, err = s.Head(t.Context(), "http://a.test/", AllowRedirects(true))
	require.NoError(t, err)
	assert.Equal(t, 200, r.StatusCode)
	r, err = s.Do(t.Context(), "HEAD", "http://a.test/")
	require.NoError(t, err)
	assert.Equal(t, 200, r.StatusCode)
}

// Next is the request that was not followed.
func TestNext(t *testing.T) {
	var hops []string
	s := cannedSession(t, redirecting(&hops, map[string]string{"http://a.test/": "303 /b"}))
	r, err := s.Post(t.Context(), "http://a.test/", BodyText("x"), AllowRedirects(false))
	require.NoError(t, err)
	next, err := r.Next(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "GET http://a.test/b", hop(next))
	r, err = s.Send(t.Context(), next)
	require.NoError(t, err)
	next, err = r.Next(t.Context())
	require.NoError(t, err)
	assert.Nil(t, next)
}

// A body is sent again byte for byte, or not at all.
func TestRedirectBodyOverLoopback(t *testing.T) {
	var bodies []string
	url := loopServer(t, func(w http.ResponseWriter, r *http.Request) {
		b := new(strings.Builder)
		_, _ = fmt.Fprint(b, r.Header.Get("Content-Type"), "|", r.ContentLength, "|")
		_, _ = io.Copy(b, r.Body)
		bodies = append(bodies, b.String())
		if r.URL.Path == "/" {
			w.Header().Set("Location", "/end")
			w.WriteHeader(308)
		}
	})
	s := loopSession(t)
	for name, opt := range map[string]Option{
		"bytes":     BodyBytes([]byte("abc")),
		"seeker":    Body(strings.NewReader("abc")),
		"form":      Form("a", "b c"),
		"JSON":      JSON("abc"),
		"multipart": File("f", "n", strings.NewReader("abc")),
	} {
		t.Run(name, func(t *testing.T) {
			bodies = nil
			_, err := s.Put(t.Context(), url, opt)
			require.NoError(t, err)
			require.Len(t, bodies, 2)
			assert.Equal(t, bodies[0], bodies[1])
			assert.NotContains(t, bodies[0], "|0|")
		})
	}
	bodies = nil
	_, err := s.Put(t.Context(), url, Body(onlyReader{strings.NewReader("abc")}))
	require.ErrorIs(t, err, ErrUnrewindableBody)
	assert.Len(t, bodies, 1, "nothing was sent the second time")
	e := asError(t, err)
	assert.Equal(t, 308, e.Response.StatusCode)
	assert.True(t, e.MaybeSent)
}

// The cookies of a hop count at the next, and Host of the caller's does not
// lead another host's astray.
func TestRedirectCookies(t *testing.T) {
	var got []string
	s := cannedSession(t, func(_ context.Context, p *PreparedRequest, _ Settings) (*Response, error) {
		got = append(got, p.URL+" "+p.Headers.Get("Cookie"))
		h := NewHeaders("Set-Cookie", "hop=1; Path=/")
		switch p.URL {
		case "http://a.test/":
			h.Set("Location", "/b")
			return NewResponse(p, 302, "", h, nil), nil
		case "http://a.test/b":
			return NewResponse(p, 302, "", NewHeaders("Location", "http://b.test/"), nil), nil
		}
		return NewResponse(p, 200, "", Headers{}, nil), nil
	})
	_, err := s.Get(t.Context(), "http://a.test/", Cookie("mine", "1"))
	require.NoError(t, err)
	assert.Equal(t, []string{
		"http://a.test/ mine=1", "http://a.test/b mine=1; hop=1", "http://b.test/ ",
	}, got)
}

// A Cookie header of the caller's goes with a redirect, and a call's cookies keep
// the place that they had behind the jar's.
func TestRedirectCookieHeader(t *testing.T) {
	var got []string
	s := cannedSession(t, func(_ context.Context, p *PreparedRequest, _ Settings) (*Response, error) {
		got = append(got, p.Headers.Get("Cookie"))
		if p.URL == "http://a.test/" {
			return NewResponse(p, 302, "", NewHeaders("Location", "/b", "Set-Cookie", "hop=1"), nil), nil
		}
		return NewResponse(p, 200, "", NewHeaders("Set-Cookie", "jar=1"), nil), nil
	})
	for _, url := range []string{"http://a.test/first", "http://a.test/"} {
		_, err := s.Get(t.Context(), url, Cookie("mine", "1"), Header("Cookie", "own=1"))
		require.NoError(t, err)
	}
	assert.Equal(t, []string{"own=1", "own=1", "jar=1; hop=1; mine=1"}, got)
}

// An Authorization of the caller's is sent again on the same host: it was no
// answer of the digest's, and the target may ask anew.
func TestRedirectDigestBesideHeader(t *testing.T) {
	var got []string
	s := cannedSession(t, func(_ context.Context, p *PreparedRequest, _ Settings) (*Response, error) {
		scheme, _, _ := strings.Cut(p.Headers.Get("Authorization"), " ")
		got = append(got, p.URL+" "+scheme)
		switch {
		case scheme != "Digest":
			return NewResponse(p, 401, "", NewHeaders("WWW-Authenticate", `Digest realm="r", nonce="n"`), nil), nil
		case p.URL == "http://a.test/":
			return NewResponse(p, 302, "", NewHeaders("Location", "/b"), nil), nil
		}
		return NewResponse(p, 200, "", Headers{}, nil), nil
	})
	_, err := s.Get(t.Context(), "http://a.test/", Header("Authorization", "Bearer t"),
		Auth(&Digest{Username: "u", Password: "p"}))
	require.NoError(t, err)
	assert.Equal(t, []string{
		"http://a.test/ Bearer", "http://a.test/ Digest", "http://a.test/b Bearer", "http://a.test/b Digest",
	}, got)
}

// A redirect's netrc entry is that of where it goes.
func TestRedirectNetrc(t *testing.T) {
	var hops []string
	s := cannedSession(t, redirecting(&hops, map[string]string{"http://a.test/": "302 http://b.test/"}))
	withNetrc(t, s, "machine a.test login a password 1\nmachine b.test login b password 2\n")
	_, err := s.Get(t.Context(), "http://a.test/")
	require.NoError(t, err)
	assert.Equal(t, []string{"GET http://a.test/ Basic YTox", "GET http://b.test/ Basic Yjoy"}, hops)
}

// A netrc entry at a redirect frames the request anew, as any auth does.
func TestRedirectNetrcFrames(t *testing.T) {
	tests := []struct{ method, code, to, want string }{
		{"GET", "301", "http://b.test/", "[Authorization]"},
		{"PUT", "301", "http://b.test/", "[Authorization Content-Length]"},
		{"DELETE", "301", "http://b.test/", "[Authorization Content-Length]"},
		{"PUT", "307", "http://b.test/", "[Content-Length Authorization]"},
		{"PUT", "301", "/b", "[Authorization Content-Length]"},
		{"PUT", "307", "/b", "[Content-Length Authorization]"},
		{"PUT", "303", "/b", "[Authorization]"},
	}
	for _, tt := range tests {
		var last []string
		s := cannedSession(t, func(_ context.Context, p *PreparedRequest, _ Settings) (*Response, error) {
			if p.URL == "http://a.test/" {
				status, _ := strconv.Atoi(tt.code)
				return NewResponse(p, status, "", NewHeaders("Location", tt.to), nil), nil
			}
			for name := range p.Headers.All() {
				if name == "Authorization" || name == "Content-Length" {
					last = append(last, name)
				}
			}
			return NewResponse(p, 200, "", Headers{}, nil), nil
		})
		withNetrc(t, s, "default login b password 2\n")
		_, err := s.Do(t.Context(), tt.method, "http://a.test/")
		require.NoError(t, err)
		assert.Equal(t, tt.want, fmt.Sprint(last), "%s %s %s", tt.method, tt.code, tt.to)
	}
}

func TestRedirectHooksSeeEachHop(t *testing.T) {
	var hops, seen []string
	s := cannedSession(t, redirecting(&hops, map[string]string{"http://a.test/": "302 /b"}),
		OnResponse(func(_ context.Context, r *Response) (*Response, error) {
			seen = append(seen, fmt.Sprint(r.StatusCode))
			return nil, nil
		}))
	_, err := s.Get(t.Context(), "http://a.test/")
	require.NoError(t, err)
	assert.Equal(t, []string{"302", "200"}, seen)
}

// A netrc entry at a redirect that Basic cannot carry is an error, and nothing
// goes out with half of it.
func TestRedirectToBadNetrcEntry(t *testing.T) {
	s := loopSession(t)
	withNetrc(t, s, "machine b.test login a:b password secret")
	p, err := s.Prepare(t.Context(), NewRequest("GET", "http://a.test/"))
	require.NoError(t, err)
	_, err = s.redirect(t.Context(), p, http.StatusFound, target(t, "http://b.test/"))
	require.ErrorIs(t, err, ErrInvalidHeader)
	assert.NotContains(t, err.Error(), "secret")
}

// target is a URL as it is sent to.
func target(t *testing.T, text string) uri.URL {
	t.Helper()
	u, err := uri.Prepare(text, nil, "")
	require.NoError(t, err)
	return u
}

// hopAdapter leads from each URL of a chain to the next, and notes by which proxies.
type hopAdapter struct {
	urls []string
	via  []string
}

func (a *hopAdapter) Send(_ context.Context, p *PreparedRequest, settings Settings) (*Response, error) {
	proxy, _ := selectProxy(p.target.Scheme, p.target.Host, settings.Proxies)
	a.via = append(a.via, proxy)
	if len(a.via) == len(a.urls) {
		return NewResponse(p, 200, "", Headers{}, nil), nil
	}
	return NewResponse(p, 302, "", NewHeaders("Location", a.urls[len(a.via)]), nil), nil
}

func (a *hopAdapter) Close() error { return nil }

// Each hop goes by the proxy that is for it, where the scheme, the host or the port
// alone is another one than before, and where the session's no_proxy begins to count.
func TestProxyOfEachHop(t *testing.T) {
	tests := []struct {
		name string
		send bool // by Session.Send, where the environment fills in a URL's scheme alone
		opts []Option
		urls []string
		via  []string
	}{
		{"scheme", true, nil, []string{"http://a.test/", "http://a.test/2", "http://a.test/3", "https://a.test/"}, []string{"http://p:1", "http://p:1", "http://p:1", "http://q:1"}},
		{"host", false, nil, []string{"http://a.test/", "http://a.test/2", "http://b.test/", "http://b.test/2", "http://a.test/"}, []string{"http://p:1", "http://p:1", "", "", "http://p:1"}},
		{"port", false, nil, []string{"http://c.test/", "http://c.test/2", "http://c.test:8080/", "http://c.test:8080/2", "http://c.test/"}, []string{"http://p:1", "http://p:1", "", "", "http://p:1"}},
		{"no_proxy of the session", false, []Option{Proxies(ProxyMap{"no_proxy": "a.test"})}, []string{"http://a.test/", "http://a.test/2", "http://a.test/3"}, []string{"http://p:1", "", ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := NewSession(tt.opts...)
			s.env.environ = func() []string {
				return []string{"http_proxy=http://p:1", "https_proxy=http://q:1", "no_proxy=b.test,c.test:8080"}
			}
			s.env.lookup = func(name string) (string, bool) { return lookupEnviron(s.env.environ(), name) }
			a := &hopAdapter{urls: tt.urls}
			s.Mount("http://", a)
			s.Mount("https://", a)
			get := s.Request
			if tt.send {
				get = func(ctx context.Context, r *Request) (*Response, error) {
					p, err := s.Prepare(ctx, r)
					require.NoError(t, err)
					return s.Send(ctx, p)
				}
			}
			_, err := get(t.Context(), NewRequest("GET", tt.urls[0]))
			require.NoError(t, err)
			assert.Equal(t, tt.via, a.via)
		})
	}
}
