package requests

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCookieHeaderOrder(t *testing.T) {
	j := newTestJar()
	give(t, j, "http://x.a.test/", "a=1; Path=/", "b=2; Path=/d/e", "c=3; Path=/d", "d=4; Path=/; Domain=a.test")
	give(t, j, "http://x.a.test/", "e=5; Path=/", "a=6; Path=/", "c=; Path=/d; Max-Age=0", "f=7; Path=/nowhere")
	require.NoError(t, j.SetValue("own", "8"))
	give(t, j, "http://x.a.test/", "c=9; Path=/d")
	// Longer paths first; then domains as they came; then by creation, which a
	// new value does not change.
	assert.Equal(t, "b=2; c=9; a=6; e=5; d=4; own=8", ask(t, j, "http://x.a.test/d/e/f"))
	assert.Equal(t, "d=4; own=8", ask(t, j, "http://a.test"))
	assert.Equal(t, "prefix a=6; e=5; d=4; own=8",
		string(j.header([]byte("prefix "), nil, cookieURL{host: "x.a.test"}, cookieRules{})))
}

// A domain keeps its place beside that of the same name with a dot when its last
// cookie goes (CK-11).
func TestCookieOrderOutlivesDeletion(t *testing.T) {
	j := newTestJar()
	give(t, j, "http://a.test/", "b=2; Path=/", "c=5; Path=/; Domain=a.test", "b=; Path=/; Max-Age=0", "a=6; Path=/")
	assert.Equal(t, "a=6; c=5", ask(t, j, "http://a.test/"))
	give(t, j, "http://a.test/", "a=; Path=/; Max-Age=0", "c=; Path=/; Domain=a.test; Max-Age=0")
	assert.Empty(t, j.store.sites, "nothing is left of what was deleted")
}

// A call's cookies lie on a copy of the jar (CK-12), and the jar's on them
// after a redirect (CK-18).
func TestCookieHeaderWithCall(t *testing.T) {
	call := func(cookies ...string) []*http.Cookie {
		var list []*http.Cookie
		for _, c := range cookies {
			domain, pair, _ := strings.Cut(c, "|")
			name, value, _ := strings.Cut(pair, "=")
			checked, err := checkCallCookie(&http.Cookie{Name: name, Value: value, Domain: domain}, testNow)
			require.NoError(t, err)
			list = append(list, checked)
		}
		return list
	}
	foreign, redirected := cookieRules{foreign: true}, cookieRules{jarWins: true}
	tests := []struct {
		name  string
		url   string
		jar   []string // put in by the caller, before the server's
		after []string // and after those
		extra []*http.Cookie
		rules cookieRules
		want  string
	}{
		{"alone", "http://b.test/", nil, nil, call("|b=2", "|a=1"), cookieRules{}, "b=2; a=1"},
		{"behind the server's", "http://a.test/", nil, nil, call("|srv=call"), cookieRules{}, "srv=1; srv2=2; srv=call"},
		{"in the place of the session's", "http://a.test/", []string{"z=1", "y=2"}, nil, call("|c=3", "|z=9"), cookieRules{}, "z=9; y=2; c=3; srv=1; srv2=2"},
		{"where the session's came later", "http://a.test/", nil, []string{"z=1"}, call("|c=3"), cookieRules{}, "srv=1; srv2=2; z=1; c=3"},
		{"twice", "http://b.test/", nil, nil, call("|a=1", "|b=2", "|a=3"), cookieRules{}, "a=3; b=2"},
		{"session wins after a redirect", "http://b.test/", []string{"a=sess"}, nil, call("|a=call", "|b=1"), redirected, "a=sess; b=1"},
		{"twice after a redirect", "http://b.test/", nil, nil, call("|a=1", "|a=3"), redirected, "a=3"},
		{"before the server's of a redirect", "http://a.test/", nil, nil, call("|a=1", ".a.test|b=2", "a.test|c=3"), redirected, "a=1; b=2; c=3; srv=1; srv2=2"},
		{
			"behind the server's from before", "http://a.test/", nil, nil, call("|a=1", ".a.test|b=2"),
			cookieRules{jarWins: true, since: 100},
			"srv=1; srv2=2; a=1; b=2",
		},
		{"on another host", "http://a.test/", []string{"z=1"}, nil, call("|a=1", ".a.test|b=2"), foreign, "srv=1; srv2=2; b=2"},
		{"of domains", "http://x.a.test/", nil, nil, call("a.test|a=1", ".a.test|b=2", "x.a.test|c=3", ".x.a.test|d=4"), cookieRules{}, "b=2; c=3; d=4"},
		{"in the server's place", "http://a.test/", nil, nil, call("a.test|new=1", "a.test|srv=call"), cookieRules{}, "srv=call; srv2=2; new=1"},
		{"by domain of first use", "http://a.test/", nil, nil, call("|a=1", ".a.test|b=2", "|c=3", "a.test|d=4"), cookieRules{}, "srv=1; srv2=2; d=4; a=1; c=3; b=2"},
	}
	for _, tt := range tests {
		j := newTestJar()
		for _, c := range call(prefixed(tt.jar)...) {
			require.NoError(t, j.Set(c))
		}
		give(t, j, "http://a.test/", "srv=1", "srv2=2")
		for _, c := range call(prefixed(tt.after)...) {
			require.NoError(t, j.Set(c))
		}
		before := dump(j)
		got := string(j.header(nil, tt.extra, stateURL(t, tt.url), tt.rules))
		assert.Equal(t, tt.want, got, tt.name)
		assert.Equal(t, before, dump(j), "%s: the jar has changed", tt.name)
	}
	var none *CookieJar
	assert.Equal(t, "a=1", string(none.header(nil, call("|a=1"), cookieURL{host: "a.test"}, cookieRules{})))
}

func prefixed(pairs []string) []string {
	var list []string
	for _, p := range pairs {
		list = append(list, "|"+p)
	}
	return list
}

// A call's cookie takes the jar's place even where it cannot be sent itself.
func TestCookieHeaderWithUnsent(t *testing.T) {
	u := stateURL(t, "http://a.test/x")
	for name, c := range map[string]*http.Cookie{
		"secure":  {Name: "a", Value: "2", Secure: true},
		"expired": {Name: "a", Value: "2", Expires: testNow},
		"removed": {Name: "a", Value: "2", MaxAge: -1},
	} {
		j := newTestJar()
		require.NoError(t, j.SetValue("a", "1"))
		checked, err := checkCallCookie(c, testNow)
		require.NoError(t, err)
		assert.Empty(t, string(j.header(nil, []*http.Cookie{checked}, u, cookieRules{})), name)
		assert.Equal(t, "a=1", string(j.header(nil, nil, u, cookieRules{})), name)
	}
	other := []*http.Cookie{{Name: "a", Value: "2", Path: "/y"}}
	assert.Empty(t, newTestJar().header(nil, other, u, cookieRules{}))
	_, err := checkCallCookie(&http.Cookie{Name: "a", Value: "1\n2"}, testNow)
	assert.ErrorIs(t, err, ErrBadCookie)
	sent, err := checkCallCookie(&http.Cookie{Name: "a", Value: "1;2"}, testNow)
	require.NoError(t, err)
	assert.Equal(t, "a=1;2", string(newTestJar().header(nil, []*http.Cookie{sent}, u, cookieRules{})))
}

func TestCookieForEveryHost(t *testing.T) {
	j := newTestJar()
	require.NoError(t, j.SetValue("a", "1"))
	require.NoError(t, j.Set(&http.Cookie{Name: "b", Value: "2", Path: "/x", Secure: true}))
	assert.Equal(t, "a=1", ask(t, j, "http://a.test/x"))
	assert.Equal(t, "b=2; a=1", ask(t, j, "https://[::1]/x"))
	assert.Empty(t, j.header(nil, nil, cookieURL{host: "b.test"}, cookieRules{foreign: true}))
}

func TestCookieExpiry(t *testing.T) {
	now := testNow
	j := &CookieJar{now: func() time.Time { return now }}
	give(t, j, "http://a.test/", "a=1; Max-Age=60", "b=2")
	now = now.Add(60*time.Second - 1)
	assert.Equal(t, "a=1; b=2", ask(t, j, "http://a.test/"))
	now = now.Add(1)
	assert.Equal(t, "b=2", ask(t, j, "http://a.test/"))
	assert.Equal(t, 2, j.Len(), "it is listed until room is needed")
	assert.Equal(t, 1, j.ClearExpired())
	assert.Equal(t, []string{"a.test / b=2"}, dump(j))
}

// Expired cookies do not pile up where the jar has no limits.
func TestCookieExpiredPurged(t *testing.T) {
	now := testNow
	j := &CookieJar{Limits: CookieLimits{PerHost: -1, Total: -1}, now: func() time.Time { return now }}
	for i := range 10_000 {
		give(t, j, "http://a.test/", fmt.Sprintf("c%d=1; Max-Age=1", i))
		now = now.Add(time.Second)
		if j.Len() > 2*minPurge {
			t.Fatalf("%d cookies are kept, of which one is good", j.Len())
		}
	}
}

func TestResponseCookies(t *testing.T) {
	j := newTestJar()
	got := give(t, j, "http://a.test/", "a=1", "b=2", "no", "c=3; Domain=b.test", "a=4", "d=5", "d=; Max-Age=0", "e=; Max-Age=0")
	var list []string
	for _, c := range got {
		list = append(list, c.Name+"="+c.Value)
	}
	assert.Equal(t, []string{"a=4", "b=2"}, list)
	assert.Equal(t, "a=4; b=2", ask(t, j, "http://a.test/"))
	assert.Nil(t, give(t, j, "http://a.test/"))

	copied := newTestJar()
	for _, c := range got {
		require.NoError(t, copied.Set(c), "what the jar gives out it takes back")
	}
	assert.Equal(t, dump(j), dump(copied))
}

func TestCookieLimits(t *testing.T) {
	j := newTestJar()
	line := func(name string, size int) string { return name + "=" + strings.Repeat("v", size-len(name)) }

	assert.Len(t, give(t, j, "http://a.test/", line("a", 4096)), 1)
	assert.Empty(t, give(t, j, "http://a.test/", line("b", 4097)))
	assert.ErrorIs(t, j.SetValue("b", strings.Repeat("v", 4096)), ErrBadCookie)
	assert.NoError(t, j.SetValue("b", strings.Repeat("v", 4095)))

	var many []string
	for i := range 51 {
		many = append(many, fmt.Sprintf("m%d=1", i), fmt.Sprintf("gone%d=; Max-Age=0", i))
	}
	assert.Len(t, give(t, j, "http://m.test/", many...), 50)
	give(t, j, "http://m.test/", "m0=; Max-Age=0")
	assert.Len(t, j.Map(CookieScope{Domain: "m.test"}), 49)
}

func TestCookieLimitPerHost(t *testing.T) {
	j := newTestJar()
	for i := range 180 {
		give(t, j, "http://a.test/", fmt.Sprintf("c%d=1; Path=/%d", i, i))
	}
	require.NoError(t, j.SetValue("own", "1"))
	assert.Equal(t, 181, j.Len())
	ask(t, j, "http://a.test/0") // now c1 is the oldest
	give(t, j, "http://a.test/", "next=1; Domain=a.test")
	assert.Equal(t, 181, j.Len())
	assert.Equal(t, "1", j.Value("c0"))
	assert.Equal(t, "", j.Value("c1"))

	// A flood in clear does not drive out what came over TLS.
	j = newTestJar()
	give(t, j, "https://a.test/", "safe=1; Secure")
	for i := range 500 {
		give(t, j, "http://a.test/", fmt.Sprintf("c%d=1", i))
	}
	assert.Equal(t, 180, j.Len())
	assert.Equal(t, "1", j.Value("safe"))

	// Where all are Secure the oldest of them goes, and one without finds no
	// room.
	j = &CookieJar{Limits: CookieLimits{PerHost: 2}, now: j.now}
	give(t, j, "https://a.test/", "a=1; Secure", "b=1; Secure", "c=1; Secure")
	assert.Equal(t, []string{"b", "c"}, j.Names())
	assert.Empty(t, give(t, j, "http://a.test/", "d=1"))
	assert.Equal(t, []string{"b", "c"}, j.Names())
}

func TestCookieLimitTotal(t *testing.T) {
	j := newTestJar()
	for i := range 3000 {
		give(t, j, fmt.Sprintf("http://h%d.test/", i), "c=1")
	}
	ask(t, j, "http://h0.test/")
	give(t, j, "http://h2.test/", "c=2") // a new value is a use
	assert.Equal(t, 3000, j.Len())
	give(t, j, "http://next.test/", "c=1")
	assert.Equal(t, 3000, j.Len())
	assert.Equal(t, "c=1", ask(t, j, "http://h0.test/"))
	assert.Empty(t, ask(t, j, "http://h1.test/"))
	give(t, j, "http://next2.test/", "c=1")
	assert.Equal(t, "c=2", ask(t, j, "http://h2.test/"))
	assert.Empty(t, ask(t, j, "http://h3.test/"))
}

// 20 000 cookies of 4 000 bytes from one host.
func TestCookieFlood(t *testing.T) {
	j := newTestJar()
	value := strings.Repeat("v", 4000)
	for i := range 400 {
		lines := make([]string, 50)
		for k := range lines {
			lines[k] = fmt.Sprintf("c%d=%s", i*50+k, value)
		}
		give(t, j, "http://a.test/", lines...)
	}
	assert.Equal(t, 180, j.Len())
	assert.LessOrEqual(t, len(ask(t, j, "http://a.test/")), 16<<10)
}

func TestCookieHeaderLimit(t *testing.T) {
	j := newTestJar()
	value := strings.Repeat("v", 4000)
	for i := range 4 {
		give(t, j, "http://a.test/", fmt.Sprintf("c%d=%s", i, value)) // 4003 bytes with the equals sign
	}
	rest := 16<<10 - (4*4003 + 4*len("; "))
	give(t, j, "http://a.test/", "d="+strings.Repeat("v", rest-2))
	assert.Len(t, ask(t, j, "http://a.test/"), 16<<10)
	give(t, j, "http://a.test/", "d="+strings.Repeat("v", rest-1))
	assert.Len(t, ask(t, j, "http://a.test/"), 4*4003+3*len("; "), "what comes last is left out")

	// The caller's own stay, whatever room they take.
	for i := range 5 {
		require.NoError(t, j.SetValue(fmt.Sprintf("o%d", i), value))
	}
	header := ask(t, j, "http://a.test/")
	assert.Equal(t, 5, strings.Count(header, "="))
	assert.Equal(t, 5, strings.Count(header, "o"))
	j.Limits.HeaderBytes = -1
	assert.Equal(t, 10, strings.Count(ask(t, j, "http://a.test/"), "="))
}

func TestCookieHeaderAllocs(t *testing.T) {
	j := newTestJar()
	give(t, j, "http://x.a.test/", "a=1; Path=/", "b=2; Path=/d; Domain=a.test", "c=3; Path=/d/e")
	give(t, j, "http://other.test/", "d=1")
	u := cookieURL{host: "x.a.test", path: "/d/e/f"}
	got := testing.AllocsPerRun(100, func() {
		if len(j.header(nil, nil, u, cookieRules{})) == 0 {
			t.Fatal("no header")
		}
	})
	assert.LessOrEqual(t, got, 1.0)
	other := cookieURL{host: "none.test", path: "/"}
	got = testing.AllocsPerRun(100, func() { j.header(nil, nil, other, cookieRules{}) })
	assert.Zero(t, got)
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	require.NoError(t, err)
	return u
}

// The jar under net/http's own client: the same rules, as far as net/http lets
// the lines through.
func TestCookieJarNetHTTP(t *testing.T) {
	var got []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("Cookie"))
		for _, line := range []string{
			"a=1", `q="x y"`, "s=1; Secure", "f=1; Domain=b.test", "old=1; Expires=Thu, 01-Jan-70 00:00:01 GMT",
			"sec=1; Secure =x", "m=1; Max-Age=60; Path=/", "gone=1; Max-Age=0",
		} {
			w.Header().Add("Set-Cookie", line)
		}
	}))
	defer srv.Close()
	j := newTestJar()
	client := &http.Client{Jar: j}
	for range 2 {
		resp, err := client.Get(srv.URL + "/")
		require.NoError(t, err)
		resp.Body.Close()
	}
	assert.Equal(t, []string{"", `a=1; q="x y"; m=1`}, got)
	assert.Equal(t, []string{
		"127.0.0.1 / a=1", `127.0.0.1 / q="x y"`, "127.0.0.1 / m=1 2030-06-01T12:01:00Z",
	}, dump(j))
}

func TestCookieJarNetHTTPEdges(t *testing.T) {
	j := newTestJar()
	j.SetCookies(mustURL(t, "https://a.test/d/e"), []*http.Cookie{
		{Name: "a", Value: "1", Expires: testNow.Add(time.Hour), HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode},
		{Name: "b", Value: "2", Domain: ".A.test", Path: "/"},
		{Name: "bad;", Value: "1"},
		{Name: "c", Value: "1\n"},
	})
	assert.Equal(t, []string{"a.test /d a=1 secure httponly 2030-06-01T13:00:00Z", ".a.test / b=2"}, dump(j))
	for _, u := range []string{"ftp://a.test/", "https:///", "https://%zz\u2488.test/"} {
		if parsed, err := url.Parse(u); err == nil {
			j.SetCookies(parsed, []*http.Cookie{{Name: "x", Value: "1"}})
			assert.Nil(t, j.Cookies(parsed), u)
		}
	}
	assert.Equal(t, 2, j.Len())
	for i := range 5 {
		require.NoError(t, j.Set(&http.Cookie{Name: fmt.Sprintf("x%d", i), Value: strings.Repeat("v", 4000), Domain: "a.test"}))
	}
	assert.Len(t, j.Cookies(mustURL(t, "https://a.test/d/x")), 5, "the header's limit holds")
}
