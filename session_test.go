package requests

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// sentHeaders prepares a call of a session and returns its headers.
func sentHeaders(t testing.TB, s *Session, opts ...Option) string {
	t.Helper()
	p, err := s.Prepare(t.Context(), NewRequest("GET", "http://a.test/", opts...))
	require.NoError(t, err)
	return listed(p.Headers)
}

func TestSessionHeaders(t *testing.T) {
	defaults := listed(DefaultHeaders())
	tests := []struct {
		name    string
		session *Session
		call    []Option
		want    string
	}{
		{"defaults", NewSession(), nil, defaults},
		{"zero session", new(Session), nil, defaults},
		{"none on purpose", &Session{Headers: NewHeaders()}, nil, ""},
		{"of its own", &Session{Headers: NewHeaders("X", "1")}, nil, "X: 1\n"},
		{"added", NewSession(Header("X", "1")), []Option{Header("Y", "2")}, defaults + "X: 1\nY: 2\n"},
		{
			"replaced in their place", &Session{Headers: NewHeaders("A", "1", "B", "2")},
			[]Option{Header("a", "3"), Header("C", "4")},
			"a: 3\nB: 2\nC: 4\n",
		},
		{"left out", &Session{Headers: NewHeaders("A", "1", "B", "2")}, []Option{Without(Header("a", ""))}, "B: 2\n"},
		{
			"left out in the session", NewSession(Without(Header("Accept", ""), Header("connection", ""), Header("User-Agent", ""))), nil,
			"Accept-Encoding: " + acceptEncoding + "\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.session.IgnoreEnv = true
			before := listed(tt.session.Headers)
			assert.Equal(t, tt.want, sentHeaders(t, tt.session, tt.call...))
			assert.Equal(t, before, listed(tt.session.Headers), "the session stays as it was")
		})
	}
}

func TestSessionParams(t *testing.T) {
	tests := []struct {
		session, call []Option
		want          string
	}{
		{[]Option{Param("a", "1")}, []Option{Param("b", "2")}, "?a=1&b=2"},
		{[]Option{Param("a", "1"), Param("b", "2")}, []Option{Param("a", "3")}, "?a=3&b=2"},
		{[]Option{Param("a", "1"), Param("b", "2")}, []Option{Without(Param("a"))}, "?b=2"},
		{[]Option{Param("a", "1")}, []Option{Query("raw=1")}, "?raw=1"},
		{[]Option{Param("a", "1")}, []Option{Params(Pairs("a", "2", "a", "3"))}, "?a=2&a=3"},
	}
	for _, tt := range tests {
		p, err := loopSession(t, tt.session...).Prepare(t.Context(), NewRequest("GET", "http://a.test/", tt.call...))
		require.NoError(t, err)
		assert.Equal(t, "http://a.test/"+tt.want, p.URL)
	}
}

func TestSessionAuth(t *testing.T) {
	s := loopSession(t, BearerAuth("session"))
	for want, opts := range map[string][]Option{
		"Bearer session": nil,
		"Bearer call":    {BearerAuth("call")},
		"":               {Without(BearerAuth(""))},
	} {
		p, err := s.Prepare(t.Context(), NewRequest("GET", "http://u:p@a.test/", opts...))
		require.NoError(t, err)
		assert.Equal(t, want, p.Headers.Get("Authorization"))
	}
}

func TestSessionHooks(t *testing.T) {
	var ran []string
	mark := func(name string) Hook {
		return func(context.Context, *Response) (*Response, error) {
			ran = append(ran, name)
			return nil, nil
		}
	}
	tests := []struct {
		opts []Option
		want string
	}{
		{nil, "session"},
		{[]Option{OnResponse(mark("call"))}, "call"},
		{[]Option{OnResponse(mark("1"), mark("2"))}, "1 2"},
		{[]Option{AlsoOnResponse(mark("also"))}, "session also"},
		{[]Option{OnResponse(mark("call")), AlsoOnResponse(mark("also"))}, "call also"},
		{[]Option{Without(OnResponse())}, ""},
		{[]Option{OnResponse()}, "session"},
	}
	s := cannedSession(t, answerOK, OnResponse(mark("session")))
	for _, tt := range tests {
		ran = nil
		_, err := s.Get(t.Context(), "http://a.test/", tt.opts...)
		require.NoError(t, err)
		assert.Equal(t, tt.want, strings.Join(ran, " "))
	}
	require.Len(t, s.Hooks, 1)
}

// What a hook returns takes the response's place; an error ends the call and
// stays what it is.
func TestHooksReplaceAndFail(t *testing.T) {
	var srcs []*pieceReader
	s := cannedSession(t, func(_ context.Context, p *PreparedRequest, _ Settings) (*Response, error) {
		src := &pieceReader{pieces: []string{"first"}, err: io.EOF}
		srcs = append(srcs, src)
		return NewResponse(p, 200, "OK", Headers{}, src), nil
	})
	second := NewResponse(nil, 201, "", Headers{}, strings.NewReader("second"))
	var seen int
	r, err := s.Get(t.Context(), "http://a.test/", OnResponse(
		func(context.Context, *Response) (*Response, error) { return second, nil },
		func(_ context.Context, r *Response) (*Response, error) { seen = r.StatusCode; return nil, nil },
	))
	require.NoError(t, err)
	assert.Same(t, second, r)
	assert.Equal(t, "second", r.Text())
	assert.Equal(t, 201, seen)
	assert.Equal(t, 1, srcs[0].closed, "the one that was replaced is closed")

	_, err = s.Get(t.Context(), "http://a.test/", OnResponse(func(context.Context, *Response) (*Response, error) { return nil, errBoom }))
	assert.Equal(t, errBoom, err)
	assert.Equal(t, 1, srcs[1].closed)

	s.Hooks = []Hook{nil}
	_, err = s.Get(t.Context(), "http://a.test/")
	assert.ErrorIs(t, err, ErrInvalidOption)
}

func TestSessionSettingsMerge(t *testing.T) {
	var got Settings
	s := cannedSession(t, func(ctx context.Context, p *PreparedRequest, set Settings) (*Response, error) {
		got = set
		return answerOK(ctx, p, set)
	}, Timeout(5*time.Second), Verify(false), Proxy("http", "http://s"), MaxBody(10), Cert("session.pem"))
	tests := []struct {
		name  string
		opts  []Option
		check func() bool
	}{
		{"the session's", nil, func() bool {
			return *got.Timeouts.Read == 5*time.Second && got.Verify.Skip && got.Proxies["http"] == "http://s" &&
				got.Limits.Body == 10 && got.Cert.CertFile == "session.pem"
		}},
		{"one timeout", []Option{ReadTimeout(time.Second)}, func() bool {
			return *got.Timeouts.Read == time.Second && *got.Timeouts.Connect == 5*time.Second
		}},
		{"no timeout", []Option{Without(Timeout(0))}, func() bool { return *got.Timeouts.Read == 0 && *got.Timeouts.Connect == 0 }},
		{"verified", []Option{Verify(true)}, func() bool { return got.Verify == TLSVerify{Always: true} }},
		{"verified again", []Option{Without(Verify(false))}, func() bool { return got.Verify == TLSVerify{Always: true} }},
		{"bundle", []Option{CABundle("x")}, func() bool { return got.Verify == TLSVerify{CABundle: "x"} }},
		{"no proxy", []Option{Without(Proxy("http", ""))}, func() bool { _, ok := got.Proxies["http"]; return !ok }},
		{"another proxy", []Option{Proxy("https", "http://c")}, func() bool {
			return got.Proxies["http"] == "http://s" && got.Proxies["https"] == "http://c"
		}},
		{"no limit", []Option{Without(MaxBody(0))}, func() bool { return got.Limits.Body == -1 }},
		{"no certificate", []Option{Without(Cert(""))}, func() bool { return got.Cert.None }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.Get(t.Context(), "http://a.test/", tt.opts...)
			require.NoError(t, err)
			assert.True(t, tt.check(), "%+v", got)
			p, err := s.Prepare(t.Context(), NewRequest("GET", "http://a.test/"))
			require.NoError(t, err)
			_, err = s.Send(t.Context(), p, tt.opts...)
			require.NoError(t, err)
			assert.True(t, tt.check(), "by Send: %+v", got)
		})
	}
}

// Settings without sense are an error that nothing is sent for, whoever gave
// them and however the call is made.
func TestSettingsWithoutSense(t *testing.T) {
	below := -time.Second
	tests := map[string]Settings{
		"connect timeout": {Timeouts: Timeouts{Connect: &below}},
		"read timeout":    {Timeouts: Timeouts{Read: &below}},
		"total timeout":   {Timeouts: Timeouts{Total: &below}},
		"MaxRedirects":    {MaxRedirects: new(-1)},
	}
	for name, bad := range tests {
		t.Run(name, func(t *testing.T) {
			sent := 0
			s := cannedSession(t, func(ctx context.Context, p *PreparedRequest, set Settings) (*Response, error) {
				sent++
				return answerOK(ctx, p, set)
			})
			p, err := s.Prepare(t.Context(), NewRequest("GET", "http://a.test/"))
			require.NoError(t, err)
			check := func(err error) {
				t.Helper()
				require.ErrorIs(t, err, ErrInvalidOption)
				assert.Contains(t, err.Error(), name)
			}
			_, err = s.Get(t.Context(), "http://a.test/", bad)
			check(err)
			_, err = s.Send(t.Context(), p, bad)
			check(err)
			_, err = s.MergeEnvironment("http://a.test/", bad)
			check(err)
			s.Settings = bad
			_, err = s.Send(t.Context(), p)
			check(err)
			assert.Zero(t, sent)
		})
	}
}

// The environment's bundle comes after the session, its proxies before.
func TestMergeEnvironment(t *testing.T) {
	env := map[string]string{
		"REQUESTS_CA_BUNDLE": "/env/bundle", "CURL_CA_BUNDLE": "/env/curl",
		"http_proxy": "http://env", "https_proxy": "http://envs", "no_proxy": "direct.test",
	}
	tests := []struct {
		name    string
		env     map[string]string
		session []Option
		url     string
		call    []Option
		verify  TLSVerify
		proxy   string
	}{
		{"environment", env, nil, "https://a.test/", nil, TLSVerify{CABundle: "/env/bundle"}, "http://envs"},
		{"for http", env, nil, "http://a.test/", nil, TLSVerify{CABundle: "/env/bundle"}, "http://env"},
		{"no_proxy", env, nil, "https://direct.test/", nil, TLSVerify{CABundle: "/env/bundle"}, ""},
		{"second variable", map[string]string{"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": "/env/curl"}, nil, "https://a.test/", nil, TLSVerify{CABundle: "/env/curl"}, ""},
		{"session's verify wins", env, []Option{Verify(false)}, "https://a.test/", nil, TLSVerify{Skip: true}, "http://envs"},
		{"session's verify true wins", env, []Option{Verify(true)}, "https://a.test/", nil, TLSVerify{Always: true}, "http://envs"},
		{"call's verify wins", env, []Option{Verify(false)}, "https://a.test/", []Option{CABundle("c")}, TLSVerify{CABundle: "c"}, "http://envs"},
		{"session's proxy loses", env, []Option{Proxy("https", "http://s")}, "https://a.test/", nil, TLSVerify{CABundle: "/env/bundle"}, "http://envs"},
		{"call's proxy wins", env, []Option{Proxy("https", "http://s")}, "https://a.test/", []Option{Proxy("https", "http://c")}, TLSVerify{CABundle: "/env/bundle"}, "http://c"},
		{"nothing", nil, nil, "https://a.test/", nil, TLSVerify{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := NewSession(tt.session...)
			withEnviron(s, tt.env)
			got, err := s.MergeEnvironment(tt.url, tt.call...)
			require.NoError(t, err)
			assert.Equal(t, tt.verify, got.Verify)
			scheme, _, _ := strings.Cut(tt.url, ":")
			host := strings.Trim(tt.url[len(scheme)+3:], "/")
			proxy, _ := selectProxy(scheme, host, got.Proxies)
			assert.Equal(t, tt.proxy, proxy)
		})
	}
	s := NewSession()
	withEnviron(s, env)
	s.IgnoreEnv = true
	got, err := s.MergeEnvironment("https://a.test/")
	require.NoError(t, err)
	assert.True(t, got.Verify.isZero())
	assert.Empty(t, got.Proxies)

	_, err = s.MergeEnvironment("nonsense")
	assert.ErrorIs(t, err, ErrMissingSchema)
	_, err = s.MergeEnvironment("http://a.test/", Timeout(-1))
	assert.ErrorIs(t, err, ErrInvalidOption)
	_, err = NewSession(JSON(1)).MergeEnvironment("http://a.test/")
	assert.ErrorIs(t, err, ErrInvalidOption, "an option that the session was made with")
}

// Send sees the environment's proxies, and neither its bundle nor netrc.
func TestSendAndEnvironment(t *testing.T) {
	var got Settings
	s := cannedSession(t, func(ctx context.Context, p *PreparedRequest, set Settings) (*Response, error) {
		got = set
		return answerOK(ctx, p, set)
	})
	withEnviron(s, map[string]string{"REQUESTS_CA_BUNDLE": "/env/bundle", "https_proxy": "http://envs"})
	p, err := NewRequest("GET", "https://a.test/").Prepare(t.Context())
	require.NoError(t, err)
	_, err = s.Send(t.Context(), p)
	require.NoError(t, err)
	assert.True(t, got.Verify.isZero())
	assert.Equal(t, "http://envs", got.Proxies["https"])

	merged, err := s.MergeEnvironment(p.URL)
	require.NoError(t, err)
	_, err = s.Send(t.Context(), p, merged)
	require.NoError(t, err)
	assert.Equal(t, "/env/bundle", got.Verify.CABundle)

	_, err = s.Get(t.Context(), "https://a.test/")
	require.NoError(t, err)
	assert.Equal(t, "/env/bundle", got.Verify.CABundle)
}

// A request prepared by itself has nothing of a session.
func TestPrepareBySessionAndByItself(t *testing.T) {
	s := loopSession(t, Header("X", "1"), Param("p", "1"), BearerAuth("t"), Cookie("c", "1"), OnResponse(nilHook))
	r := NewRequest("GET", "http://a.test/", Header("Y", "2"))
	bySession, err := s.Prepare(t.Context(), r)
	require.NoError(t, err)
	assert.Equal(t, "http://a.test/?p=1", bySession.URL)
	assert.Equal(t, "c=1", bySession.Headers.Get("Cookie"))
	assert.True(t, bySession.Headers.Has("X") && bySession.Headers.Has("User-Agent"))
	assert.Len(t, bySession.Hooks, 1)
	alone, err := r.Prepare(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "http://a.test/", alone.URL)
	assert.Equal(t, "Y: 2\n", listed(alone.Headers))
	assert.Empty(t, alone.Hooks)
}

func TestNewSessionError(t *testing.T) {
	s := NewSession(JSON(1))
	_, err := s.Get(t.Context(), "http://a.test/")
	assert.ErrorIs(t, err, ErrInvalidOption)
	_, err = s.Send(t.Context(), &PreparedRequest{URL: "http://a.test/"})
	assert.ErrorIs(t, err, ErrInvalidOption)
	_, err = NewSession(Cookie("a b", "1\n")).Get(t.Context(), "http://a.test/")
	assert.Error(t, err)
	assert.ErrorIs(t, err, ErrRequest)
	_, err = NewSession(Cookies(nil)).Get(t.Context(), "http://a.test/")
	assert.ErrorIs(t, err, ErrRequest)
}

func TestVerbs(t *testing.T) {
	url := loopServer(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Method", r.Method) })
	s := loopSession(t)
	type verb = func(context.Context, string, ...Option) (*Response, error)
	for method, calls := range map[string][]verb{
		"GET":     {Get, s.Get},
		"OPTIONS": {Options, s.Options},
		"HEAD":    {Head, s.Head},
		"POST":    {Post, s.Post},
		"PUT":     {Put, s.Put},
		"PATCH":   {Patch, s.Patch},
		"DELETE":  {Delete, s.Delete},
	} {
		for _, call := range calls {
			r, err := call(t.Context(), url)
			require.NoError(t, err)
			assert.Equal(t, method, r.Headers.Get("X-Method"))
		}
	}
	r, err := Do(t.Context(), "mkcol", url)
	require.NoError(t, err)
	assert.Equal(t, "MKCOL", r.Headers.Get("X-Method"))
	r, err = s.Request(t.Context(), &Request{URL: url})
	require.NoError(t, err)
	assert.Equal(t, "GET", r.Headers.Get("X-Method"))
	CloseIdleConnections()
}

// The zero values work.
func TestZeroValues(t *testing.T) {
	url := loopServer(t, func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "c", Value: "1"})
		fmt.Fprint(w, r.Header.Get("User-Agent"), " ", r.Header.Get("Cookie"))
	})
	var s Session
	defer s.Close()
	r, err := s.Get(t.Context(), url)
	require.NoError(t, err)
	assert.Equal(t, userAgent+" ", r.Text())
	r, err = s.Get(t.Context(), url)
	require.NoError(t, err)
	assert.Equal(t, userAgent+" c=1", r.Text())
	assert.Equal(t, 1, s.Cookies.Len())

	var a HTTPAdapter
	defer a.Close()
	p, err := (&Request{URL: url}).Prepare(t.Context())
	require.NoError(t, err)
	r, err = a.Send(t.Context(), p, Settings{})
	require.NoError(t, err)
	assert.Equal(t, " ", r.Text())
	_, err = s.Request(t.Context(), &Request{})
	assert.ErrorIs(t, err, ErrMissingSchema)
	require.NoError(t, new(HTTPAdapter).Close())
	new(HTTPAdapter).CloseIdleConnections()
}

// One session serves many goroutines at once.
func TestSessionIsSharedByGoroutines(t *testing.T) {
	url := loopServer(t, func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: r.URL.Query().Get("n"), Value: "1"})
		if r.URL.Path == "/hop" {
			http.Redirect(w, r, "/?"+r.URL.RawQuery, http.StatusFound)
			return
		}
		fmt.Fprint(w, r.URL.Query().Get("n"), " ", r.Header.Get("X-N"))
	})
	s := loopSession(t, Header("X-App", "1"), BasicAuth("u", "p"), Param("all", "1"), Timeout(time.Minute), OnResponse(nilHook))
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for j := range 10 {
				n := fmt.Sprintf("n%d-%d", i, j)
				r, err := s.Get(t.Context(), url+"/hop", Param("n", n), Header("X-N", n))
				if assert.NoError(t, err) {
					assert.Equal(t, n+" "+n, r.Text())
				}
				if j == 5 {
					assert.NoError(t, s.Close())
				}
			}
		})
	}
	wg.Wait()
	assert.Equal(t, 180, s.Cookies.Len(), "as many as a host may have")
}

// countingServer counts its connections.
func countingServer(t testing.TB) (url string, conns *atomic.Int64) {
	conns = new(atomic.Int64)
	return rawLoop(t, func(n int, c net.Conn, r *bufio.Reader) {
		conns.Add(1)
		answerAll("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")(n, c, r)
	}), conns
}

// A closed session may be used again, on new connections.
func TestCloseAndUseAgain(t *testing.T) {
	url, conns := countingServer(t)
	s := loopSession(t)
	for want := range int64(3) {
		for range 2 {
			_, err := s.Get(t.Context(), url)
			require.NoError(t, err)
		}
		assert.Equal(t, want+1, conns.Load())
		require.NoError(t, s.Close())
	}
}

// An adapter shared by sessions: one's Close costs idle connections alone.
func TestSharedAdapter(t *testing.T) {
	url, conns := countingServer(t)
	shared := new(HTTPAdapter)
	defer shared.Close()
	a, b := loopSession(t), loopSession(t)
	a.Mount("http://", shared)
	b.Mount("http://", shared)
	for _, s := range []*Session{a, b, a, b} {
		_, err := s.Get(t.Context(), url)
		require.NoError(t, err)
	}
	assert.EqualValues(t, 1, conns.Load(), "sessions share the connection")
	require.NoError(t, a.Close())
	_, err := b.Get(t.Context(), url)
	require.NoError(t, err)
	_, err = a.Get(t.Context(), url)
	require.NoError(t, err)
}

// A stream that is under way outlives Close.
func TestCloseLeavesStreamsAlone(t *testing.T) {
	url, _ := chunkedServer(t, "", "a", strings.Repeat("b", 1<<20))
	s := loopSession(t)
	r, err := s.Get(t.Context(), url, Stream())
	require.NoError(t, err)
	require.NoError(t, s.Close())
	assert.Len(t, r.Content(), 1<<20+1)
}

// The package's verbs share connections and nothing else.
func TestPackageVerbsShareConnectionsAlone(t *testing.T) {
	client, transport := *http.DefaultClient, reflect.ValueOf(http.DefaultTransport).Pointer()
	var conns atomic.Int64
	var seen []string
	url := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
		conns.Add(1)
		for {
			head := readHead(r)
			if head == "" {
				return
			}
			seen = append(seen, head)
			if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nSet-Cookie: c=1\r\nContent-Length: 0\r\n\r\n"); err != nil {
				return
			}
		}
	})
	_, err := Get(t.Context(), url, Header("X", "1"), BearerAuth("t"), Cookie("mine", "1"), Param("p", "1"))
	require.NoError(t, err)
	_, err = Get(t.Context(), url)
	require.NoError(t, err)
	require.Len(t, seen, 2)
	assert.Contains(t, seen[0], "X: 1\r\n")
	for _, trace := range []string{"X:", "Authorization", "Cookie", "p=1"} {
		assert.NotContains(t, seen[1], trace)
	}
	assert.EqualValues(t, 1, conns.Load())
	CloseIdleConnections()
	_, err = Get(t.Context(), url)
	require.NoError(t, err)
	assert.EqualValues(t, 2, conns.Load())
	CloseIdleConnections()
	assert.Equal(t, client, *http.DefaultClient)
	assert.Equal(t, transport, reflect.ValueOf(http.DefaultTransport).Pointer())
	assert.Equal(t, http.Client{}, *http.DefaultClient)
}

// stages are servers that leave a call waiting at a stage of its own.
func stages(t *testing.T) map[string]func(ctx context.Context) error {
	silent := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) })
	head := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
		readHead(r)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nX: ")
		_, _ = io.Copy(io.Discard, r)
	})
	body := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
		readHead(r)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
		_, _ = io.Copy(io.Discard, r)
	})
	hop := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
		readHead(r)
		_, _ = io.WriteString(c, "HTTP/1.1 302 F\r\nLocation: "+silent+"\r\nContent-Length: 0\r\n\r\n")
		_, _ = io.Copy(io.Discard, r)
	})
	unread := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
		readHead(r)
		<-t.Context().Done()
	})
	s := loopSession(t)
	get := func(url string) func(context.Context) error {
		return func(ctx context.Context) error { _, err := s.Get(ctx, url); return err }
	}
	resolving := loopSession(t)
	resolving.Mount("http://", &HTTPAdapter{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	retrying := loopSession(t)
	retrying.Mount("http://", &HTTPAdapter{
		MaxRetries: &Retry{Total: 5, BackoffFactor: time.Hour, BackoffMax: time.Hour, StatusForcelist: []int{503}},
		Dial:       func(context.Context, string, string) (net.Conn, error) { return nil, errBoom },
	})
	blocked := loopSession(t)
	blocked.Mount("http://", &HTTPAdapter{PoolMaxSize: 1, PoolBlock: true})
	return map[string]func(context.Context) error{
		"dialling": func(ctx context.Context) error { _, err := resolving.Get(ctx, "http://a.test/"); return err },
		"head":     get(silent),
		"in head":  get(head),
		"in body":  get(body),
		"redirect": get(hop),
		"tls":      get(strings.Replace(silent, "http:", "https:", 1)),
		"backoff":  func(ctx context.Context) error { _, err := retrying.Get(ctx, "http://a.test/"); return err },
		"upload": func(ctx context.Context) error {
			_, err := s.Post(ctx, unread, Body(onlyReader{&generated{1 << 40}}))
			return err
		},
		"pool": func(ctx context.Context) error {
			r, err := blocked.Get(t.Context(), body, Stream())
			if err != nil {
				return err
			}
			defer r.Close()
			_, err = blocked.Get(ctx, body)
			return err
		},
		"stream": func(ctx context.Context) error {
			r, err := s.Get(ctx, body, Stream())
			if err != nil {
				return err
			}
			defer r.Close()
			_, err = r.ReadAll()
			return err
		},
	}
}

// A cancelled call ends at once, wherever it stands, and tells why.
func TestCancelAtEachStage(t *testing.T) {
	cause := errors.New("the caller's reason")
	for name, call := range stages(t) {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			done := make(chan error, 1)
			go func() { done <- call(ctx) }()
			select {
			case err := <-done:
				t.Fatalf("ended by itself: %v", err)
			case <-time.After(30 * time.Millisecond):
			}
			cancel(cause)
			select {
			case err := <-done:
				assert.ErrorIs(t, err, ErrRequest)
				assert.ErrorIs(t, err, context.Canceled)
				assert.ErrorIs(t, err, cause)
				assert.NotErrorIs(t, err, ErrTimeout)
				assert.NotErrorIs(t, err, ErrConnection)
			case <-time.After(slack(100 * time.Millisecond)):
				t.Error("went on")
				<-done
			}
		})
	}
}

// slack is a limit for this machine, which the race detector makes slow.
func slack(d time.Duration) time.Duration {
	if testserver.RaceDetector() {
		return 20 * d
	}
	return 5 * d
}

// The caller's deadline and the total timeout hold wherever a call stands.
func TestDeadlineAtEachStage(t *testing.T) {
	for name, call := range stages(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			soon(t, slack(200*time.Millisecond), func() {
				err := call(ctx)
				assert.ErrorIs(t, err, ErrTimeout)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.NotErrorIs(t, err, ErrReadTimeout)
				assert.NotErrorIs(t, err, context.Canceled)
				assert.True(t, asError(t, err).Timeout())
			})
		})
	}
}

// The total timeout covers a streamed body, and ends with it.
func TestTotalTimeout(t *testing.T) {
	url := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
		head := readHead(r)
		if strings.HasPrefix(head, "GET /good") {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		} else {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
		}
		_, _ = io.Copy(io.Discard, r)
	})
	s := loopSession(t)
	_, err := s.Get(t.Context(), url, TotalTimeout(50*time.Millisecond))
	assert.ErrorIs(t, err, ErrTimeout)
	assert.ErrorIs(t, err, context.DeadlineExceeded)

	r, err := s.Get(t.Context(), url, TotalTimeout(50*time.Millisecond), Stream())
	require.NoError(t, err)
	got, err := r.ReadAll()
	assert.ErrorIs(t, err, ErrTimeout)
	assert.Equal(t, "abc", string(got))

	r, err = s.Get(t.Context(), url+"/good", TotalTimeout(time.Minute), Stream())
	require.NoError(t, err)
	assert.Equal(t, "ok", r.Text())
}

// A call whose context has ended sends nothing.
func TestEndedContextSendsNothing(t *testing.T) {
	url, conns := countingServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := loopSession(t).Get(ctx, url)
	require.ErrorIs(t, err, context.Canceled)
	assert.False(t, asError(t, err).MaybeSent)
	assert.Zero(t, conns.Load())
}

// Elapsed is the time to the head alone.
func TestElapsed(t *testing.T) {
	s := cannedSession(t, func(ctx context.Context, p *PreparedRequest, set Settings) (*Response, error) {
		return NewResponse(p, 200, "", Headers{}, readerFunc(func([]byte) (int, error) { return 0, io.EOF })), nil
	})
	r, err := s.Get(t.Context(), "http://a.test/")
	require.NoError(t, err)
	assert.Positive(t, r.Elapsed)
}

// What a hook puts in the place of an answer to a challenge has its own history.
func TestHookReplacesAnswerToChallenge(t *testing.T) {
	seen := 0
	s := cannedSession(t, func(_ context.Context, p *PreparedRequest, _ Settings) (*Response, error) {
		if !p.Headers.Has("Authorization") {
			return NewResponse(p, 401, "", NewHeaders("WWW-Authenticate", `Digest realm="r", nonce="n"`), nil), nil
		}
		return NewResponse(p, 200, "", Headers{}, nil), nil
	})
	replace := func(_ context.Context, r *Response) (*Response, error) {
		seen = len(r.History)
		return NewResponse(r.Request, 299, "", Headers{}, nil), nil
	}
	r, err := s.Get(t.Context(), "http://a.test/", Auth(&Digest{Username: "u", Password: "p"}), OnResponse(replace))
	require.NoError(t, err)
	assert.Equal(t, 299, r.StatusCode)
	assert.Equal(t, 1, seen, "the refusal, as the hook saw it")
	assert.Empty(t, r.History)
}

// Settings that MergeEnvironment returned have a redirect ask the environment
// anew, as a verb's do, until somebody changes them; what was left out stays so.
func TestSendOfMergedSettings(t *testing.T) {
	var proxies []string
	s := cannedSession(t, func(ctx context.Context, p *PreparedRequest, set Settings) (*Response, error) {
		u, _ := selectProxy(p.target.Scheme, p.target.Host, set.Proxies)
		proxies = append(proxies, u)
		if p.target.Host == "a.test" {
			return NewResponse(p, 302, "", NewHeaders("Location", "http://direct.test/"), nil), nil
		}
		return answerOK(ctx, p, set)
	})
	withEnviron(s, map[string]string{"http_proxy": "http://env", "no_proxy": "direct.test"})
	p, err := s.Prepare(t.Context(), NewRequest("GET", "http://a.test/"))
	require.NoError(t, err)
	send := func(opts ...Option) []string {
		t.Helper()
		proxies = nil
		_, err := s.Send(t.Context(), p, opts...)
		require.NoError(t, err)
		return proxies
	}
	merged, err := s.MergeEnvironment(p.URL)
	require.NoError(t, err)
	assert.Equal(t, []string{"http://env", ""}, send(merged))
	assert.Equal(t, []string{"http://env", ""}, send(), "without them")

	merged.Proxies["http"] = "http://mine"
	assert.Equal(t, []string{"http://mine", "http://mine"}, send(merged), "changed")

	s.Proxies = ProxyMap{"http": "http://session"}
	withEnviron(s, nil)
	merged, err = s.MergeEnvironment(p.URL, Without(Proxy("http", "")))
	require.NoError(t, err)
	assert.Equal(t, []string{"", ""}, send(merged), "left out")
}

// The limit on a whole call holds while it is prepared, and its error is a
// timeout wherever it struck.
func TestTotalTimeoutOfPreparing(t *testing.T) {
	slow := AuthFunc(func(ctx context.Context, _ *PreparedRequest) error {
		<-ctx.Done()
		return ctx.Err()
	})
	s := cannedSession(t, answerOK)
	_, err := s.Get(t.Context(), "http://a.test/", Auth(slow), TotalTimeout(time.Millisecond))
	require.ErrorIs(t, err, ErrTimeout)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	s.Timeouts.Total = new(time.Millisecond)
	_, err = s.Get(t.Context(), "http://a.test/", Auth(slow))
	require.ErrorIs(t, err, ErrTimeout)
	_, err = s.Get(t.Context(), "http://a.test/", TotalTimeout(0))
	require.NoError(t, err)

	s = cannedSession(t, func(ctx context.Context, _ *PreparedRequest, _ Settings) (*Response, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	_, err = s.Get(t.Context(), "http://a.test/", TotalTimeout(time.Millisecond))
	require.ErrorIs(t, err, ErrTimeout, "in an adapter")
}

// A redirect that was followed has no next request, whatever the limit.
func TestNextOfHistory(t *testing.T) {
	var hops []string
	table := map[string]string{"http://a.test/": "302 /b", "http://a.test/b": "302 /c"}
	for _, opts := range [][]Option{nil, {MaxRedirects(2)}, {Stream()}} {
		r, err := cannedSession(t, redirecting(&hops, table)).Get(t.Context(), "http://a.test/", opts...)
		require.NoError(t, err)
		require.Len(t, r.History, 2)
		for _, before := range append(r.History, r) {
			next, err := before.Next(t.Context())
			require.NoError(t, err)
			assert.Nil(t, next)
		}
	}
	_, err := cannedSession(t, redirecting(&hops, table)).Get(t.Context(), "http://a.test/", MaxRedirects(1))
	_, err = asError(t, err).Response.Next(t.Context())
	assert.ErrorIs(t, err, ErrTooManyRedirects, "the one that was not followed")
}

// Calls share their settings only where all of them are the same: a field that is
// not looked at would be another call's.
func TestSettingsAreSharedByCallsThatHaveTheSame(t *testing.T) {
	s := NewSession()
	s.IgnoreEnv = true
	plain := s.keep(new(Settings))
	assert.Same(t, plain, s.keep(new(Settings)))
	for _, other := range []Settings{
		{Stream: new(bool)},
		{AllowRedirects: new(bool)},
		{MaxRedirects: new(int)},
		{Timeouts: Timeouts{Connect: new(time.Duration)}},
		{Timeouts: Timeouts{Read: new(time.Duration)}},
		{Timeouts: Timeouts{Total: new(time.Duration)}},
		{Verify: TLSVerify{Skip: true}},
		{Cert: ClientCert{CertFile: "a"}},
		{Proxies: ProxyMap{}},
		{Limits: Limits{Body: 1}},
		{Guard: new(Guard)},
		{environment: new(mergedProxies)},
	} {
		kept := s.keep(&other)
		assert.Equal(t, &other, kept)
		assert.NotSame(t, &other, kept, "the caller's own may change")
		assert.NotSame(t, kept, s.keep(new(Settings)), "%+v", other)
		if other.Proxies != nil {
			assert.NotSame(t, kept, s.keep(&other), "the map may change")
		}
	}
	assert.Equal(t, 10, reflect.TypeFor[Settings]().NumField(), "fields that same looks at")
}
