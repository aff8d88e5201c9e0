//go:build unix

package requests_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// A way is how requests get to their servers: straight, or through a proxy.
type way func(w *world) []requests.Option

func straight(*world) []requests.Option { return nil }

func byHTTPProxy(w *world) []requests.Option {
	p := (&testserver.HTTPProxy{Hosts: w.hosts, User: "proxy", Pass: "proxy"}).Start(w.t)
	return []requests.Option{requests.Proxy("all", "http://proxy:proxy@"+p.Addr())}
}

func bySOCKS(w *world) []requests.Option {
	p := (&testserver.SOCKSProxy{Hosts: w.hosts}).Start(w.t)
	return []requests.Option{requests.Proxy("all", "socks5h://"+p.Addr())}
}

// leaving is the test of a redirect from one origin to another: what of the
// named fields goes along.
func leaving(t *testing.T, by way, from, to string, kept bool, opts ...requests.Option) {
	t.Helper()
	w := newWorld(t)
	first, second := w.at(from, redirectTo(http.StatusFound, to+"/x")), w.at(to)
	s := w.session(by(w)...)
	r := get(t, s, from+"/", opts...)
	require.Equal(t, http.StatusOK, r.StatusCode)
	require.Len(t, first.seen(), 1)
	require.Len(t, second.seen(), 1)
	assert.NotEmpty(t, valuesOf(first.last(), "Authorization"), "the first request was to have it")
	if kept {
		assert.Equal(t, valuesOf(first.last(), "Authorization"), valuesOf(second.last(), "Authorization"))
		return
	}
	lacks(t, second.seen(), "Authorization", "Cookie", "Proxy-Authorization")
}

func advisory01(t *testing.T, by way) {
	leaving(t, by, "https://a.test", "http://a.test", false, requests.BasicAuth("u", "p"))
}

func advisory02(t *testing.T, by way) {
	for _, name := range []string{"Authorization", "authorization", "AUTHORIZATION"} {
		leaving(t, by, "http://a.test", "http://b.test", false, requests.Header(name, "Bearer tok"))
	}
	leaving(t, by, "http://a.test", "http://b.test", false, requests.BearerAuth("tok"))
}

func advisory03(t *testing.T, by way) {
	for _, opt := range []requests.Option{requests.BasicAuth("u", "p"), requests.Header("Authorization", "Bearer tok")} {
		leaving(t, by, "http://a.test", "http://a.test:8080", false, opt, requests.Header("Cookie", "sid=1"))
		leaving(t, by, "https://a.test", "https://a.test:8443", false, opt, requests.Header("Cookie", "sid=1"))
	}
}

func advisory04(t *testing.T, by way) {
	leaving(t, by, "http://a.test", "http://sub.a.test", false, requests.BasicAuth("u", "p"), requests.Header("Cookie", "sid=1"))
}

func advisory05(t *testing.T, by way) {
	leaving(t, by, "http://sub.a.test", "http://a.test", false, requests.BasicAuth("u", "p"), requests.Header("Cookie", "sid=1"))
}

func advisory06(t *testing.T, by way) {
	leaving(t, by, "http://a.test", "https://a.test", true, requests.BasicAuth("u", "p"))
	leaving(t, by, "http://a.test:8080", "https://a.test", false, requests.BasicAuth("u", "p"))
	leaving(t, by, "http://a.test", "https://a.test:8443", false, requests.BasicAuth("u", "p"))
}

func advisory07(t *testing.T, by way) {
	w := newWorld(t)
	w.at("http://a.test", redirectTo(http.StatusFound, "http://[::1%25.a.test]/"))
	zone := w.at("http://zone.test")
	w.mu.Lock()
	w.hosts["[::1%.a.test]:80"] = w.hosts["zone.test:80"]
	w.mu.Unlock()
	s := w.session(by(w)...)
	// Whether such a host is refused or asked, it is not part of a.test.
	_, _ = s.Get(t.Context(), "http://a.test/", requests.BasicAuth("u", "p"), requests.Header("Cookie", "sid=1"))
	lacks(t, zone.seen(), "Authorization", "Cookie")
}

func advisory08(t *testing.T, by way) {
	w := newWorld(t)
	w.at("http://a.test", redirectTo(http.StatusFound, "http://b.test/1"))
	b := w.at("http://b.test", redirectTo(http.StatusFound, "/2"), answerOK)
	get(t, w.session(by(w)...), "http://a.test/", requests.Header("Authorization", "Bearer tok"), requests.Header("Cookie", "sid=1"))
	require.Len(t, b.seen(), 2)
	lacks(t, b.seen(), "Authorization", "Cookie")

	w = newWorld(t)
	a := w.at("http://a.test", redirectTo(http.StatusFound, "http://b.test/1"), answerOK)
	w.at("http://b.test", redirectTo(http.StatusFound, "http://a.test/back"))
	get(t, w.session(by(w)...), "http://a.test/", requests.Header("Authorization", "Bearer tok"))
	require.Len(t, a.seen(), 2)
	lacks(t, a.seen()[1:], "Authorization")
}

// advisory09 is about the requests after the first: to that the caller gave
// the field, as in Requests.
func advisory09(t *testing.T, by way) {
	for _, to := range []string{"http://b.test", "http://a.test", "https://a.test"} {
		w := newWorld(t)
		a := w.at("http://a.test", redirectTo(http.StatusFound, to+"/x"), answerOK)
		heads := a.seen
		if to != "http://a.test" {
			heads = w.at(to).seen
		}
		get(t, w.session(by(w)...), "http://a.test/", requests.Header("Proxy-Authorization", basic("proxy", "proxy")))
		require.NotEmpty(t, heads())
		lacks(t, heads()[len(heads())-1:], "Proxy-Authorization")
	}
}

func TestAdvisory01_AuthHTTPSToHTTP(t *testing.T)         { advisory01(t, straight) }
func TestAdvisory02_AuthToAnotherHost(t *testing.T)       { advisory02(t, straight) }
func TestAdvisory03_AuthToAnotherPort(t *testing.T)       { advisory03(t, straight) }
func TestAdvisory04_AuthToSubdomain(t *testing.T)         { advisory04(t, straight) }
func TestAdvisory05_AuthToParentDomain(t *testing.T)      { advisory05(t, straight) }
func TestAdvisory06_AuthHTTPToHTTPS(t *testing.T)         { advisory06(t, straight) }
func TestAdvisory07_AuthToCraftedHost(t *testing.T)       { advisory07(t, straight) }
func TestAdvisory08_AuthStaysStripped(t *testing.T)       { advisory08(t, straight) }
func TestAdvisory09_ProxyAuthorizationStays(t *testing.T) { advisory09(t, straight) }

func TestAdvisory10_ProxyAuthInTunnel(t *testing.T) {
	w := newWorld(t)
	a, b := w.at("http://a.test", redirectTo(http.StatusFound, "https://a.test/x")), w.at("https://a.test")
	for _, opts := range [][]requests.Option{
		nil, {requests.Auth(&requests.ProxyBasic{Username: "proxy", Password: "proxy"})},
	} {
		p := (&testserver.HTTPProxy{Hosts: w.hosts, User: "proxy", Pass: "proxy"}).Start(t)
		get(t, w.session(requests.Proxy("all", "http://proxy:proxy@"+p.Addr())), "http://a.test/", opts...)
		heads := p.Heads()
		require.Len(t, heads, 2)
		assert.Equal(t, []string{basic("proxy", "proxy")}, valuesOf(heads[1], "Proxy-Authorization"))
		assert.True(t, strings.HasPrefix(heads[1], "CONNECT a.test:443 "))
		lacks(t, append(a.seen(), b.seen()...), "Proxy-Authorization")
	}
}

func TestAdvisory11_ProxyAuthFromProxiedToDirect(t *testing.T) {
	w := newWorld(t)
	w.at("http://a.test", redirectTo(http.StatusFound, "https://a.test/x"))
	b := w.at("https://a.test")
	p := (&testserver.HTTPProxy{Hosts: w.hosts, User: "proxy", Pass: "proxy"}).Start(t)
	get(t, w.session(requests.Proxy("http", "http://proxy:proxy@"+p.Addr())), "http://a.test/")
	require.Len(t, b.seen(), 1)
	require.Len(t, p.Heads(), 1, "the second request was to go straight")
	lacks(t, b.seen(), "Proxy-Authorization", "Proxy-Connection")
}

func TestAdvisory12_ProxyAuthToAnotherProxy(t *testing.T) {
	w := newWorld(t)
	w.at("http://a.test", redirectTo(http.StatusFound, "https://a.test/x"))
	w.at("https://a.test")
	p1 := (&testserver.HTTPProxy{Hosts: w.hosts, User: "proxy", Pass: "proxy"}).Start(t)
	p2 := (&testserver.HTTPProxy{Hosts: w.hosts}).Start(t)
	get(t, w.session(requests.Proxy("http", "http://proxy:proxy@"+p1.Addr()), requests.Proxy("https", p2.URL())), "http://a.test/")
	require.Len(t, p2.Heads(), 1)
	lacks(t, p2.Heads(), "Proxy-Authorization", "Authorization")
}

func TestAdvisory13_StrippingThroughProxies(t *testing.T) {
	rows := []func(*testing.T, way){
		advisory01, advisory02, advisory03, advisory04, advisory05, advisory06, advisory07, advisory08, advisory09,
	}
	for name, by := range map[string]way{"http proxy": byHTTPProxy, "socks": bySOCKS} {
		for i, row := range rows {
			t.Run(fmt.Sprintf("%s/%02d", name, i+1), func(t *testing.T) { row(t, by) })
		}
	}
}

func TestAdvisory14_RawCookieHeader(t *testing.T) {
	for _, to := range []string{"http://b.test", "http://a.test:8080", "https://a.test"} {
		w := newWorld(t)
		a, other := w.at("http://a.test", redirectTo(http.StatusFound, to+"/x")), w.at(to)
		get(t, w.session(), "http://a.test/", requests.Header("Cookie", "sid=1"))
		assert.Equal(t, []string{"sid=1"}, valuesOf(a.last(), "Cookie"))
		require.Len(t, other.seen(), 1)
		lacks(t, other.seen(), "Cookie")
	}
}

func TestAdvisory15_CookieWithoutDomain(t *testing.T) {
	w := newWorld(t)
	a, b := w.at("http://a.test", redirectTo(http.StatusFound, "http://b.test/x")), w.at("http://b.test")
	s := w.session()
	get(t, s, "http://a.test/", requests.Cookie("sid", "1"))
	require.NoError(t, s.Cookies.SetValue("jar", "2"))
	get(t, s, "http://a.test/")
	assert.Equal(t, []string{"sid=1"}, valuesOf(a.seen()[0], "Cookie"))
	assert.Equal(t, []string{"jar=2"}, valuesOf(a.seen()[1], "Cookie"))
	require.Len(t, b.seen(), 2)
	lacks(t, b.seen(), "Cookie")
}

func TestAdvisory16_RefererTellsNothing(t *testing.T) {
	for _, to := range []string{"http://b.test/", "http://a.test/again", "https://a.test/"} {
		w := newWorld(t)
		a := w.at("http://a.test", redirectTo(http.StatusFound, to), answerOK)
		b, c := w.at("http://b.test"), w.at("https://a.test")
		get(t, w.session(), "http://u:p@a.test/?t=1#f")
		heads := append(append(a.seen(), b.seen()...), c.seen()...)
		require.Len(t, heads, 2)
		lacks(t, heads, "Referer")
	}
}

func TestAdvisory17_ClearedReferer(t *testing.T) {
	w := newWorld(t)
	a := w.at("http://a.test")
	s := w.session(requests.Header("Referer", "http://secret.test/"))
	get(t, s, "http://a.test/")
	s.Headers.Del("Referer")
	get(t, s, "http://a.test/")
	require.Len(t, a.seen(), 2)
	assert.NotEmpty(t, valuesOf(a.seen()[0], "Referer"))
	lacks(t, a.seen()[1:], "Referer")
}

func TestAdvisory18_UserinfoInLocation(t *testing.T) {
	w := newWorld(t)
	w.at("http://a.test", redirectTo(http.StatusFound, "http://x:secret@b.test/"))
	b := w.at("http://b.test", redirectTo(http.StatusFound, "http://c.test/"))
	c := w.at("http://c.test")
	r := get(t, w.session(), "http://a.test/")
	require.Len(t, b.seen(), 1)
	require.Len(t, c.seen(), 1)
	lacks(t, c.seen(), "Authorization")
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v", r, r, r), "secret")

	// An error on the way there does not show it either.
	w = newWorld(t)
	w.at("http://a.test", redirectTo(http.StatusFound, "http://x:secret@nowhere.test/"))
	_, err := w.session().Get(t.Context(), "http://a.test/")
	require.ErrorIs(t, err, requests.ErrConnection)
	assert.NotContains(t, err.Error(), "secret")
}

func TestAdvisory19_BodyAfterMethodChange(t *testing.T) {
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther} {
		w := newWorld(t)
		w.at("http://a.test", redirectTo(status, "http://b.test/x"))
		b := w.at("http://b.test")
		for _, body := range []requests.Option{requests.BodyText("secret"), requests.Body(io.MultiReader(strings.NewReader("secret")))} {
			_, err := w.session().Post(t.Context(), "http://a.test/", body, requests.Header("Content-Type", "text/secret"))
			require.NoError(t, err)
		}
		require.Len(t, b.seen(), 2)
		lacks(t, b.seen(), "Content-Length", "Content-Type", "Transfer-Encoding")
		assert.Equal(t, []string{"", ""}, b.bodies())
		assert.True(t, strings.HasPrefix(b.last(), "GET /x "))
	}
}

func TestAdvisory20_BodyToAnotherOrigin(t *testing.T) {
	for _, status := range []int{http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		w := newWorld(t)
		w.at("http://a.test", redirectTo(status, "http://b.test/x"))
		b := w.at("http://b.test")
		s := w.session()
		_, err := s.Post(t.Context(), "http://a.test/", requests.BodyText("body"), requests.BasicAuth("u", "p"), requests.Header("Cookie", "sid=1"))
		require.NoError(t, err)
		assert.Equal(t, []string{"body"}, b.bodies())
		lacks(t, b.seen(), "Authorization", "Cookie")

		_, err = s.Post(t.Context(), "http://a.test/", requests.Body(io.MultiReader(strings.NewReader("body"))))
		require.ErrorIs(t, err, requests.ErrUnrewindableBody)
		assert.Len(t, b.seen(), 1, "an empty body was sent in the place of one that is gone")
	}
}

func TestAdvisory21_DigestChallengeOfAnotherHost(t *testing.T) {
	w := newWorld(t)
	w.at("http://a.test", redirectTo(http.StatusFound, "http://b.test/x"))
	b := w.at("http://b.test", challenge(`Digest realm="r", nonce="chosen", qop="auth"`))
	r := get(t, w.session(), "http://a.test/", requests.DigestAuth("u", "p"))
	assert.Equal(t, http.StatusUnauthorized, r.StatusCode)
	require.Len(t, b.seen(), 1)
	lacks(t, b.seen(), "Authorization")
}

func TestAdvisory22_BearerAndNetrc(t *testing.T) {
	useNetrc(t, "machine b.test login n password np\n")
	w := newWorld(t)
	w.at("http://a.test", redirectTo(http.StatusFound, "http://b.test/x"))
	b := w.at("http://b.test")
	s := w.session(requests.BearerAuth("tok"))
	s.IgnoreEnv = false
	get(t, s, "http://a.test/")
	require.Len(t, b.seen(), 1)
	for _, value := range valuesOf(b.last(), "Authorization") {
		assert.Equal(t, basic("n", "np"), value)
	}
}
