package requests

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// testNow is where the clock stands in these tests.
var testNow = time.Date(2030, 6, 1, 12, 0, 0, 0, time.UTC)

// newTestJar is an empty jar whose clock stands still.
func newTestJar() *CookieJar {
	return &CookieJar{now: func() time.Time { return testNow }}
}

// give stores the Set-Cookie lines of a response from the URL.
func give(t testing.TB, j *CookieJar, url string, lines ...string) []*http.Cookie {
	t.Helper()
	return j.receive(stateURL(t, url), lines, j.clock())
}

// ask returns the Cookie header for a request to the URL.
func ask(t testing.TB, j *CookieJar, url string) string {
	t.Helper()
	return string(j.header(nil, nil, stateURL(t, url), cookieRules{}))
}

// dump lists the jar as "domain path name=value" with the attributes behind it.
func dump(j *CookieJar) []string {
	list := []string{}
	for c := range j.All() {
		s := fmt.Sprintf("%s %s %s=%s", c.Domain, c.Path, c.Name, c.Value)
		if c.Secure {
			s += " secure"
		}
		if c.HttpOnly {
			s += " httponly"
		}
		if !c.Expires.IsZero() {
			s += " " + c.Expires.UTC().Format(time.RFC3339)
		}
		list = append(list, s)
	}
	return list
}

func TestSetCookieLine(t *testing.T) {
	const from = "https://www.a.test/d/e?q=/x"
	year := testNow.AddDate(1, 0, 0).Format(http.TimeFormat)
	tests := []struct {
		line string
		want string // the jar's one cookie; empty: refused
	}{
		// Names and values, RFC 6265 5.2.
		{"a=1", "www.a.test /d a=1"},
		{" a\t= \t1 2 ", "www.a.test /d a=1 2"},
		{`a="x;y"`, `www.a.test /d a="x`},
		{`a="x\"y"`, `www.a.test /d a="x\"y"`},
		{"a=b=c==", "www.a.test /d a=b=c=="},
		{"a=", "www.a.test /d a="},
		{"a=x\ty", "www.a.test /d a=x\ty"},
		{"a b=1", "www.a.test /d a b=1"},
		{"a=\xff\u6625", "www.a.test /d a=\xff\u6625"},
		{"a", ""},
		{"", ""},
		{"=1", ""},
		{" =1; Secure", ""},
		{"; a=1", ""},
		{"a\tb=1", ""},
		{"a=1\x00", ""},
		{"a=1\x7f", ""},
		{"a=1\r", ""},
		{"a=1; x=\x1b", ""},

		// Domain, 5.2.3 and 5.3 steps 4 to 6.
		{"a=1; Domain=a.test", ".a.test /d a=1"},
		{"a=1; domain=.A.tEst", ".a.test /d a=1"},
		{"a=1; Domain=www.a.test", ".www.a.test /d a=1"},
		{"a=1; Domain=", "www.a.test /d a=1"},
		{"a=1; Domain", "www.a.test /d a=1"},
		{"a=1; Domain=.", "www.a.test /d a=1"},
		{"a=1; Domain=b.test; Domain=a.test", ".a.test /d a=1"},
		{"a=1; Domain=a.test; Domain=b.test", ""},
		{"a=1; Domain=b.test; Domain=", ""},
		{"a=1; Domain=test", ""},
		{"a=1; Domain=ww.a.test", ""},
		{"a=1; Domain=x.www.a.test", ""},
		{"a=1; Domain=.test", ""},
		{"a=1; Domain=a.test.", ""},
		{"a=1; Domain=a.test:443", ""},
		{"a=1; Domain=..a.test", ""},
		{`a=1; Domain="a.test"`, ""},

		// Path, 5.2.4.
		{"a=1; Path=/", "www.a.test / a=1"},
		{"a=1; Path=/other", "www.a.test /other a=1"},
		{"a=1; Path=x", "www.a.test /d a=1"},
		{"a=1; Path=/x; Path=", "www.a.test /d a=1"},
		{"a=1; Path=/%7ex", "www.a.test /%7ex a=1"},
		{"a=1; Path=/x\ty", ""},
		{"a=1; Path=/" + strings.Repeat("x", 1023), "www.a.test /" + strings.Repeat("x", 1023) + " a=1"},
		{"a=1; Path=/" + strings.Repeat("x", 1024), "www.a.test /d a=1"}, // too long: as if it were not there

		// Expiry, 5.2.1, 5.2.2 and 5.3 step 3.
		{"a=1; Expires=" + year, "www.a.test /d a=1 2031-06-01T12:00:00Z"},
		{"a=1; Expires=" + year + "; Expires=never", "www.a.test /d a=1 2031-06-01T12:00:00Z"},
		{"a=1; Expires=never", "www.a.test /d a=1"},
		{"a=1; Expires=Thu, 01-Jan-70 00:00:01 GMT", ""},
		{"a=1; Max-Age=60", "www.a.test /d a=1 2030-06-01T12:01:00Z"},
		{"a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:01 GMT", "www.a.test /d a=1 2030-06-01T12:01:00Z"},
		{"a=1; Max-Age=0; Expires=" + year, ""},
		{"a=1; Max-Age=-1", ""},
		{"a=1; Max-Age=-99999999999999999999", ""},
		{"a=1; Max-Age=10000000000", "www.a.test /d a=1 2347-04-22T05:46:40Z"},
		{"a=1; Max-Age=9223372036854775807", "www.a.test /d a=1 9999-12-31T23:59:59Z"},
		{"a=1; Max-Age=100000000000000000000", "www.a.test /d a=1 9999-12-31T23:59:59Z"},
		{"a=1; Max-Age=+1", "www.a.test /d a=1"},
		{"a=1; Max-Age=1.5", "www.a.test /d a=1"},
		{`a=1; Max-Age="0"`, "www.a.test /d a=1"},
		{"a=1; Max-Age=-", "www.a.test /d a=1"},
		{"a=1; Max-Age=", "www.a.test /d a=1"},

		// Flags and what is none.
		{"a=1; Secure", "www.a.test /d a=1 secure"},
		{"a=1; SECURE =x; HttpOnly=no", "www.a.test /d a=1 secure httponly"},
		{"a=1; Secure x", "www.a.test /d a=1"},
		{"a=1; Port=\"80\"; Version=1; Discard;;=;", "www.a.test /d a=1"},

		// Name prefixes, 6265bis 4.1.3.
		{"__Secure-a=1; Secure", "www.a.test /d __Secure-a=1 secure"},
		{"__Secure-a=1", ""},
		{"__secure-a=1", ""},
		{"__SECURE-=1", ""},
		{"__Host-a=1; Secure; Path=/", "www.a.test / __Host-a=1 secure"},
		{"__Host-a=1; Path=/", ""},
		{"__Host-a=1; Secure", ""},
		{"__hOsT-a=1; Secure", ""},
		{"__Host-a=1; Secure; Path=/d", ""},
		{"__Host-a=1; Secure; Path=/; Domain=www.a.test", ""},
		{"__Host-a=1; Secure; Path=/; Path=x", ""},
		{"__Host", ""},
		{"__Hosta=1", "www.a.test /d __Hosta=1"},
	}
	for _, tt := range tests {
		j := newTestJar()
		accepted := give(t, j, from, tt.line)
		got := strings.Join(dump(j), "|")
		if got != tt.want {
			t.Errorf("%.80q\n got %.120q\nwant %.120q", tt.line, got, tt.want)
		}
		if len(accepted) != j.Len() {
			t.Errorf("%.80q: %d cookies returned, %d stored", tt.line, len(accepted), j.Len())
		}
	}
}

func TestSetCookieSameSite(t *testing.T) {
	for line, want := range map[string]http.SameSite{
		"a=1":                                http.SameSite(0),
		"a=1; SameSite":                      http.SameSiteDefaultMode,
		"a=1; samesite=STRICT":               http.SameSiteStrictMode,
		"a=1; SameSite=Lax":                  http.SameSiteLaxMode,
		"a=1; SameSite=None":                 http.SameSiteNoneMode,
		"a=1; SameSite=Strict; SameSite=Lax": http.SameSiteLaxMode,
		"a=1; SameSite=x":                    http.SameSiteDefaultMode,
	} {
		got := give(t, newTestJar(), "http://a.test/", line)
		require.Len(t, got, 1, line)
		assert.Equal(t, want, got[0].SameSite, line)
	}
}

func TestCookieDefaultPath(t *testing.T) {
	for request, want := range map[string]string{
		"": "/", "/": "/", "/d": "/", "/d/": "/d", "/d/e": "/d", "/d/e/": "/d/e", "d/e": "/", "//": "/",
	} {
		assert.Equal(t, want, defaultCookiePath(request), "path %q", request)
	}
	// A directory that is too long to keep would make the jar as large as a
	// server's redirects wish.
	j := newTestJar()
	assert.Empty(t, give(t, j, "http://a.test/"+strings.Repeat("x", 1024)+"/", "a=1"))
	assert.Len(t, give(t, j, "http://a.test/"+strings.Repeat("x", 1023)+"/", "a=1"), 1)
}

func TestCookiePathMatch(t *testing.T) {
	tests := []struct {
		request, path string
		want          bool
	}{
		{"/", "/", true},
		{"/x", "/", true},
		{"/x", "/x", true},
		{"/x/", "/x", true},
		{"/x/y", "/x", true},
		{"/x/y", "/x/", true},
		{"/x//y", "/x/", true},
		{"/x", "/x/", false},
		{"/xy", "/x", false},
		{"/X", "/x", false},
		{"/x", "/xy", false},
		{"/x", "", false},
		{"/x", "x", false},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, pathMatch(tt.request, tt.path), "%q for %q", tt.path, tt.request)
		// The index must find the same, whether it has few paths or many.
		for _, others := range []int{0, 40} {
			var x pathIndex[string]
			for i := range others {
				x.put(fmt.Sprintf("/other%d", i), "other")
			}
			found := false
			if tt.path != "" {
				x.put(tt.path, "here")
			}
			x.match(tt.request, func(v string) bool {
				found = found || v == "here"
				return true
			})
			assert.Equal(t, tt.want, found, "index of %d: %q for %q", others+1, tt.path, tt.request)
		}
	}
}

func TestPathIndexStops(t *testing.T) {
	for _, others := range []int{0, 40} {
		for stop := 1; stop <= 5; stop++ {
			var x pathIndex[string]
			for _, p := range []string{"/", "/a", "/a/", "/a/b", "/a/b/"} {
				x.put(p, p)
			}
			for i := range others {
				x.put(fmt.Sprintf("/other%d", i), "")
			}
			seen := 0
			x.match("/a/b/", func(string) bool {
				seen++
				return seen < stop
			})
			assert.Equal(t, stop, seen)
		}
	}
}

func TestCookieDomainMatch(t *testing.T) {
	tests := []struct {
		host, domain string
		want         bool
	}{
		{"a.test", "a.test", true},
		{"x.a.test", "a.test", true},
		{"x.y.a.test", "a.test", true},
		{"a.test", "x.a.test", false},
		{"evil-a.test", "a.test", false},
		{"example.com", "ample.com", false},
		{"a.test", "", false},
		{"a.test", ".", false},
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "0.0.1", false},
		{"127.0.0.1", "1", false},
		{"127.0.0.1.", "127.0.0.1.", true},
		{"127.0.0.1.", "0.0.1.", false},
		{"127.0.0.1.", "1.", false},
		{"127.0.0.1..", "0.0.1..", false},
		{"x.a.test.", "a.test.", true},
		{"1.2", "2", false},
		{"::1", "::1", true},
		{"::ffff:1.2.3.4", "2.3.4", false},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, domainMatch(tt.host, tt.domain), "%q for %q", tt.domain, tt.host)
	}
}

// Hosts that hold each other's cookies only below a registered domain. One row
// a public suffix: a host below it, and what its cookie for the suffix becomes.
func TestCookiePublicSuffix(t *testing.T) {
	suffixes := strings.Fields(`com org net edu gov mil int info biz name io dev app
		uk co.uk cO.uK org.uk ac.uk gov.uk me.uk ltd.uk plc.uk
		de fr it es pt nl be at com.au net.au org.au co.nz co.jp ne.jp or.jp tokyo.jp kyoto.jp
		com.br com.cn com.tr com.mx com.ar com.sg com.hk co.in co.za co.kr co.il
		github.io gitlab.io herokuapp.com appspot.com blogspot.com netlify.app vercel.app pages.dev workers.dev
		azurewebsites.net cloudfront.net s3.amazonaws.com web.app firebaseapp.com
		test local internal localhost xn--p1ai xn--55qx5d.cn`)
	require.GreaterOrEqual(t, len(suffixes), 60)
	for _, suffix := range suffixes {
		lower := strings.ToLower(suffix)
		for _, spelling := range []string{suffix, "." + suffix, strings.ToUpper(suffix)} {
			j := newTestJar()
			give(t, j, "https://victim."+lower+"/", "a=1; Path=/; Domain="+spelling)
			assert.Empty(t, dump(j), "host victim.%s, Domain=%s", lower, spelling)
		}
		j := newTestJar()
		give(t, j, "https://"+lower+"/", "own=1; Path=/; Domain="+suffix)
		assert.Equal(t, []string{lower + " / own=1"}, dump(j), "the suffix itself is a host of its own")
		assert.Empty(t, ask(t, j, "https://sibling."+lower+"/"))

		give(t, j, "https://www.site."+lower+"/", "below=1; Path=/; Domain=site."+suffix)
		assert.Equal(t, "below=1", ask(t, j, "https://other.site."+lower+"/"), suffix)
		assert.Empty(t, ask(t, j, "https://other."+lower+"/"), suffix)
	}
	// A dot at the end is the same registry.
	j := newTestJar()
	give(t, j, "https://x.co.uk./", "a=1; Domain=co.uk.", "b=1; Domain=x.co.uk.")
	assert.Equal(t, []string{".x.co.uk. / b=1"}, dump(j))
}

func TestCookieHosts(t *testing.T) {
	tests := []struct {
		name, from, line string
		stored           string
		sent, unsent     []string
	}{
		{
			"host only", "http://a.test/", "a=1", "a.test / a=1",
			[]string{"http://a.test/", "https://a.test:8443/x", "http://A.TEST/"},
			[]string{"http://x.a.test/", "http://test/", "http://xa.test/", "http://a.test./"},
		},
		{
			"domain", "http://x.a.test/", "a=1; Domain=a.test", ".a.test / a=1",
			[]string{"http://a.test/", "http://x.a.test/", "http://y.z.a.test/"},
			[]string{"http://xa.test/", "http://b.test/", "http://a.test.b.test/"},
		},
		{
			"ipv4", "http://10.0.0.1/", "a=1; Domain=10.0.0.1", ".10.0.0.1 / a=1",
			[]string{"http://10.0.0.1:99/"},
			[]string{"http://x.10.0.0.1/", "http://110.0.0.1/"},
		},
		{
			"ipv4 with a trailing dot", "http://127.0.0.1./", "a=1; Domain=127.0.0.1.", ".127.0.0.1. / a=1",
			[]string{"http://127.0.0.1./"},
			[]string{"http://127.0.0.1/", "http://10.0.0.1./", "http://x.127.0.0.1./"},
		},
		{"part of ipv4 with a trailing dot", "http://127.0.0.1./", "a=1; Domain=0.0.1.", "", nil, []string{"http://127.0.0.1./", "http://10.0.0.1./"}},
		{"part of ipv4", "http://127.0.0.1/", "a=1; Domain=0.0.1", "", nil, []string{"http://127.0.0.1/"}},
		{
			"ipv6", "http://[::1]:80/", "a=1", "::1 / a=1",
			[]string{"http://[::1]/"},
			[]string{"http://[::2]/"},
		},
		{
			"no dot", "http://intranet/", "a=1; Domain=intranet", "intranet / a=1",
			[]string{"http://intranet/"},
			[]string{"http://x.intranet/"},
		},
		{
			"localhost", "http://localhost:8080/", "a=1; Domain=localhost", "localhost / a=1",
			[]string{"http://localhost/"},
			[]string{"http://x.localhost/"},
		},
		{"local", "http://intranet/", "a=1; Domain=.local", "", nil, []string{"http://intranet/", "http://x.local/"}},
		{
			"trailing dot", "http://a.test./", "a=1", "a.test. / a=1",
			[]string{"http://a.test./"},
			[]string{"http://a.test/"},
		},
		{
			"idna", "http://bücher.test/", "a=1", "xn--bcher-kva.test / a=1",
			[]string{"http://xn--bcher-kva.test/", "http://BÜCHER.test/"},
			[]string{"http://bucher.test/"},
		},
	}
	for _, tt := range tests {
		j := newTestJar()
		give(t, j, tt.from, tt.line)
		assert.Equal(t, tt.stored, strings.Join(dump(j), "|"), tt.name)
		for _, url := range tt.sent {
			assert.Equal(t, "a=1", ask(t, j, url), "%s: %s", tt.name, url)
		}
		for _, url := range tt.unsent {
			assert.Empty(t, ask(t, j, url), "%s: %s", tt.name, url)
		}
	}
	// Without a host nothing is stored, and no host's cookies are sent; an
	// absurd host costs no time, and is below no domain.
	j := newTestJar()
	for _, domain := range []string{"", "a.test", ".a.test", ".test"} {
		require.NoError(t, j.Set(&http.Cookie{Name: "c" + domain, Value: "1", Domain: domain}))
	}
	for _, u := range []cookieURL{{}, {host: strings.Repeat("a.", 1<<19) + "a.test"}} {
		assert.Empty(t, j.receive(u, []string{"a=1"}, testNow))
		assert.Equal(t, "c=1", string(j.header(nil, nil, u, cookieRules{})))
		assert.Empty(t, j.header(nil, nil, u, cookieRules{foreign: true}))
	}
	assert.Equal(t, 4, j.Len())
}

func TestSecureCookies(t *testing.T) {
	tests := []struct {
		name       string
		tls, plain string // URL and line that come over TLS, then those over http
		want       []string
	}{
		{"set over http", "", "http://a.test/ a=2; Secure", []string{}},
		{"set over http on localhost", "", "http://localhost/ a=2; Secure", []string{}},
		{"replaced", "https://a.test/ a=1; Secure; Path=/", "http://a.test/ a=2; Path=/", []string{"a.test / a=1 secure"}},
		{"deleted", "https://a.test/ a=1; Secure; Path=/", "http://a.test/ a=2; Path=/; Max-Age=0", []string{"a.test / a=1 secure"}},
		{"shadowed by a path below", "https://a.test/ a=1; Secure; Path=/x", "http://a.test/ a=2; Path=/x/y", []string{"a.test /x a=1 secure"}},
		{"beside a path above", "https://a.test/ a=1; Secure; Path=/x", "http://a.test/ a=2; Path=/", []string{"a.test /x a=1 secure", "a.test / a=2"}},
		{"from below its domain", "https://a.test/ a=1; Secure; Domain=a.test", "http://x.a.test/ a=2", []string{".a.test / a=1 secure"}},
		{"from above its host", "https://x.a.test/ a=1; Secure", "http://a.test/ a=2; Domain=a.test", []string{"x.a.test / a=1 secure"}},
		{"of a sibling", "https://x.a.test/ a=1; Secure", "http://y.a.test/ a=2", []string{"x.a.test / a=1 secure", "y.a.test / a=2"}},
		{"of another name", "https://a.test/ a=1; Secure", "http://a.test/ b=2", []string{"a.test / a=1 secure", "a.test / b=2"}},
		{"not secure", "https://a.test/ a=1", "http://a.test/ a=2", []string{"a.test / a=2"}},
	}
	for _, tt := range tests {
		j := newTestJar()
		for _, step := range []string{tt.tls, tt.plain} {
			if url, line, ok := strings.Cut(step, " "); ok {
				give(t, j, url, line)
			}
		}
		assert.Equal(t, tt.want, dump(j), tt.name)
	}
	j := newTestJar()
	give(t, j, "https://a.test/", "a=1; Secure")
	assert.Empty(t, ask(t, j, "http://a.test/"))
	assert.Empty(t, ask(t, j, "ws://a.test/"))
	assert.Equal(t, "a=1", ask(t, j, "wss://a.test/"))
	give(t, j, "https://a.test/", "a=2") // over TLS the server may take Secure away
	assert.Equal(t, "a=2", ask(t, j, "http://a.test/"))
	give(t, j, "http://a.test/", "a=3")
	assert.Equal(t, "a=3", ask(t, j, "http://a.test/"))
}

func TestCookieDates(t *testing.T) {
	tests := []struct{ text, want string }{
		{"Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00Z"},
		{"Sunday, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37Z"},
		{"Sun Nov  6 08:49:37 1994", "1994-11-06T08:49:37Z"},
		{"6 nov 69 8:9:7x", "2069-11-06T08:09:07Z"},
		{"6 nov 70 8:9:7", "1970-11-06T08:09:07Z"},
		{"6th november 099 8:9:7", "1999-11-06T08:09:07Z"},
		{"29 Feb 2028 00:00:00", "2028-02-29T00:00:00Z"},
		{"29 Feb 2027 00:00:00", ""},
		{"31 Apr 2027 00:00:00", ""},
		{"0 Apr 2027 00:00:00", ""},
		{"1 Apr 1600 00:00:00", ""},
		{"1 Apr 1601 00:00:00", "1601-04-01T00:00:00Z"},
		{"1 Apr 2027 24:00:00", ""},
		{"1 Apr 2027 23:60:00", ""},
		{"1 Apr 2027 23:59:60", ""},
		{"1 Apr 2027 23:59", ""},
		{"1 Apr 2027 23", ""},
		{"1 Apr 2027 23:59:599", ""},
		{"1 Apr 2027 23:x:59", ""},
		{"1 Apr 20271 23:59:59", ""},
		{"1 Apr 23:59:59", ""},
		{"1 2027 23:59:59", ""},
		{"Apr 2027 23:59:59", ""},
		{"1 Ap 2027 23:59:59", ""},
		{"", ""},
		{" ,;", ""},
	}
	for _, tt := range tests {
		got := ""
		if d, ok := parseCookieDate(tt.text); ok {
			got = d.Format(time.RFC3339)
		}
		assert.Equal(t, tt.want, got, "%q", tt.text)
	}
}

// Long input must not cost more than reading it a few times: work that is
// quadratic would take hours here.
func TestSetCookieLinear(t *testing.T) {
	testserver.Timed(t)
	const size = 1 << 20
	start := time.Now()
	parseCookieDate(strings.Repeat("1", size))
	parseCookieDate(strings.Repeat("1 ", size/2))
	parseCookieDate(strings.Repeat(":", size))
	for _, line := range []string{
		"a=1; Expires=" + strings.Repeat("1", size), "a=1; Max-Age=" + strings.Repeat("1", size),
		"a=1" + strings.Repeat(";", size), "a" + strings.Repeat("=", size), strings.Repeat(" ", size),
		"a=1; Path=" + strings.Repeat("/", size), "a=1; Domain=" + strings.Repeat(".", size),
	} {
		give(t, newTestJar(), "http://a.test/", line)
	}
	assert.Less(t, time.Since(start), time.Minute)
}
