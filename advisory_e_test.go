//go:build unix

package requests_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
)

// cookieAnswer is an answer that sets cookies.
func cookieAnswer(lines ...string) string {
	var b strings.Builder
	b.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n")
	for _, line := range lines {
		b.WriteString("Set-Cookie: " + line + "\r\n")
	}
	return b.String() + "\r\n"
}

// setBy returns a session whose jar holds what an origin could set, lines
// being what it tried.
func (w *world) setBy(origin string, lines ...string) *requests.Session {
	w.t.Helper()
	w.at(origin, cookieAnswer(lines...))
	s := w.session()
	get(w.t, s, origin)
	return s
}

// sentTo returns the Cookie header that a session sends to a site.
func (w *world) sentTo(s *requests.Session, origin string) string {
	w.t.Helper()
	require.NoError(w.t, s.Close()) // its connections lead to those before
	there := w.at(origin)
	get(w.t, s, origin)
	return strings.Join(valuesOf(there.last(), "Cookie"), "\n")
}

func TestAdvisory69_TailWithoutDot(t *testing.T) {
	w := newWorld(t)
	s := w.setBy("http://www.example.com", "a=1; Domain=ample.com", "b=2; Domain=.ample.com", "c=3; Domain=example.com")
	assert.Equal(t, []string{"c"}, s.Cookies.Names())
	assert.Empty(t, w.sentTo(s, "http://ample.com"))
	assert.Equal(t, "c=3", w.sentTo(s, "http://example.com"))
}

func TestAdvisory70_SuperCookies(t *testing.T) {
	for _, tt := range []struct{ host, domain, sibling string }{
		{"a.co.uk", "co.uk", "b.co.uk"},
		{"a.co.uk", "cO.uK", "b.co.uk"},
		{"a.co.uk", "co.uk.", "b.co.uk"},
		{"a.co.uk", ".co.uk", "b.co.uk"},
		{"a.co.uk.", "co.uk.", "b.co.uk."},
		{"a.github.io", "github.io", "b.github.io"},
		{"a.com", "com", "b.com"},
		{"a.com", ".COM", "b.com"},
	} {
		t.Run(tt.host+" "+tt.domain, func(t *testing.T) {
			w := newWorld(t)
			s := w.setBy("http://"+tt.host, "a=1; Domain="+tt.domain)
			for _, domain := range s.Cookies.Domains() {
				assert.False(t, strings.HasPrefix(domain, "."), "%q is for all below it", domain)
			}
			assert.Empty(t, w.sentTo(s, "http://"+tt.sibling))
		})
	}
}

func TestAdvisory71_AddressAsDomain(t *testing.T) {
	w := newWorld(t)
	s := w.setBy("http://127.0.0.1:8080", "a=1; Domain=0.0.1", "b=2; Domain=127.0.0.1", "c=3; Domain=.0.0.1", "d=4; Domain=1")
	assert.Equal(t, []string{"b"}, s.Cookies.Names())
	for _, other := range []string{"http://10.0.0.1", "http://0.0.1", "http://1", "http://127.0.0.10"} {
		assert.Empty(t, w.sentTo(s, other), other)
	}
	assert.Equal(t, "b=2", w.sentTo(s, "http://127.0.0.1:8081"))
}

func TestAdvisory72_PrefixOfDomain(t *testing.T) {
	w := newWorld(t)
	s := w.setBy("http://pythonicexample.com", "a=1; Domain=pythonicexample.com", "b=2")
	assert.Empty(t, w.sentTo(s, "http://evil-pythonicexample.com"))
	assert.Empty(t, w.sentTo(s, "http://pythonicexample.com.evil.com"))
	assert.Equal(t, "a=1", w.sentTo(s, "http://www.pythonicexample.com"))
}

func TestAdvisory73_NamePrefixes(t *testing.T) {
	violations := []string{
		"__Host-a=1; Path=/", "__Host-b=1; Secure", "__Host-c=1; Secure; Path=/x", "__Host-d=1; Secure; Path=/; Domain=a.test",
		"__hOsT-e=1; Path=/", "__HOST-f=1; Secure; Path=/; Domain=.a.test", "__Secure-g=1", "__sEcUrE-h=1; Path=/",
		"=__Host-i=1; Path=/", "__Host-j=1; Secure=; Path=/x/y",
	}
	w := newWorld(t)
	w.at("https://a.test", cookieAnswer(append(violations, "__Host-y=1; Secure; Path=/", "__Secure-z=1; Secure; Domain=a.test")...))
	s := w.session()
	get(t, s, "https://a.test/x/y")
	assert.ElementsMatch(t, []string{"__Host-y", "__Secure-z"}, s.Cookies.Names())
}

func TestAdvisory74_SecureIsNotForHTTP(t *testing.T) {
	w := newWorld(t)
	w.at("https://a.test", cookieAnswer("a=1; Secure; Path=/"), answerOK)
	plain := w.at("http://a.test", cookieAnswer("b=2; Secure", "a=3; Path=/", "a=4; Path=/; Secure", "a=5; Max-Age=0; Path=/"))
	s := w.session()
	get(t, s, "https://a.test")
	get(t, s, "http://a.test")
	get(t, s, "http://a.test")
	lacks(t, plain.seen(), "Cookie")
	assert.Equal(t, map[string]string{"a": "1"}, s.Cookies.Map())
}

func TestAdvisory75_TooManyCookies(t *testing.T) {
	w := newWorld(t)
	var lines []string
	for i := range 200 {
		lines = append(lines, fmt.Sprintf("c%d=%s", i, strings.Repeat("v", 4000)))
	}
	big := "big=" + strings.Repeat("v", 4094) // with the name, more than 4096
	a := w.scripted("http://a.test", func(n int, _ *http.Request, _ []byte) string {
		from := n * 40 % 200
		return cookieAnswer(append([]string{big}, append(lines[from:], lines[:from]...)...)...)
	})
	s := w.session()
	for range 8 {
		r := get(t, s, "http://a.test")
		assert.LessOrEqual(t, r.Cookies().Len(), 50)
		assert.LessOrEqual(t, s.Cookies.Len(), 180)
	}
	assert.Equal(t, 180, s.Cookies.Len())
	assert.NotContains(t, s.Cookies.Names(), "big")
	for _, head := range a.seen() {
		assert.LessOrEqual(t, len(strings.Join(valuesOf(head, "Cookie"), "")), 16<<10)
	}
	// The same from many hosts.
	var jar requests.CookieJar
	for h := range 100 {
		u := &url.URL{Scheme: "http", Host: fmt.Sprintf("h%d.test", h), Path: "/"}
		var cookies []*http.Cookie
		for i := range 200 {
			cookies = append(cookies, &http.Cookie{Name: fmt.Sprint("c", i), Value: "v"})
		}
		jar.SetCookies(u, cookies)
	}
	assert.Equal(t, 3000, jar.Len())
}

func TestAdvisory76_ControlBytesInCookies(t *testing.T) {
	w := newWorld(t)
	u := &url.URL{Scheme: "http", Host: "a.test", Path: "/"}
	for c := range 0x80 {
		if c == '\t' || c >= 0x20 && c < 0x7f {
			continue
		}
		bad := "x" + string(rune(c)) + "y"
		w.at("http://a.test", cookieAnswer("a="+bad, bad+"=1", "c=1; Path=/"+bad))
		s := w.session()
		if _, err := s.Get(t.Context(), "http://a.test"); err != nil {
			require.ErrorIs(t, err, requests.ErrConnection, "%#x", c)
		} else if c != '\n' && c != '\r' { // which end a line
			assert.Zero(t, s.Cookies.Len(), "%#x over the wire: %v", c, s.Cookies)
		}
		var jar requests.CookieJar
		jar.SetCookies(u, []*http.Cookie{{Name: "a", Value: bad}, {Name: bad, Value: "1"}})
		assert.Zero(t, jar.Len(), "%#x by net/http", c)
		require.ErrorIs(t, jar.SetValue("a", bad), requests.ErrBadCookie, "%#x", c)
		require.ErrorIs(t, jar.SetValue(bad, "1"), requests.ErrBadCookie, "%#x", c)
		_, err := jar.ReadFrom(strings.NewReader("a.test\tFALSE\t/\tFALSE\t0\ta\t" + bad + "\n"))
		require.ErrorIs(t, err, requests.ErrBadCookie, "%#x", c)
		assert.Zero(t, jar.Len(), "%#x from a file", c)
	}
}

func TestAdvisory77_CookieFileInjection(t *testing.T) {
	const record = "evil.test\tTRUE\t/\tFALSE\t0\tb\t2"
	w := newWorld(t)
	s := w.setBy("http://a.test", "a=x\t"+record, "b=1; Path=/\t"+record, "c=3; Domain=a.test", "#d=4", "#HttpOnly_e=5; HttpOnly", `f="1 2"`)
	require.ErrorIs(t, s.Cookies.Set(&http.Cookie{Name: "g", Value: "1\n" + record, Domain: "a.test"}), requests.ErrBadCookie)
	require.ErrorIs(t, s.Cookies.Set(&http.Cookie{Name: "g", Value: "1", Domain: "a.test\n" + record}), requests.ErrBadCookie)
	file := filepath.Join(t.TempDir(), "cookies.txt")
	require.NoError(t, s.Cookies.Save(file))
	var back requests.CookieJar
	require.NoError(t, back.Load(file))
	assert.NotContains(t, back.Domains(), "evil.test")
	assert.NotContains(t, back.Domains(), ".evil.test")
	assert.Equal(t, s.Cookies.Map(), back.Map())
	assert.ElementsMatch(t, s.Cookies.Domains(), back.Domains())
	// A line that is too long is no start of another.
	var jar requests.CookieJar
	long := "a.test\tFALSE\t/\tFALSE\t0\ta\t" + strings.Repeat("v", 2<<20)
	_, err := jar.ReadFrom(strings.NewReader(long + record + "\n"))
	require.ErrorIs(t, err, requests.ErrBadCookie)
	assert.Less(t, len(err.Error()), 1024)
	assert.Zero(t, jar.Len())
}

func TestAdvisory78_SecureCookieAtRoot(t *testing.T) {
	w := newWorld(t)
	secure := w.at("https://a.test", cookieAnswer("a=1; Path=/; Secure"), answerOK)
	w.at("http://a.test", cookieAnswer(`a=2; Path=/`, `a=3; Path="/"`, `a=4; Path=`, `a=5; Path=//`, `a=6; Path=/x`, `a=7`))
	s := w.session()
	get(t, s, "https://a.test")
	get(t, s, "http://a.test")
	get(t, s, "http://a.test/x/y")
	get(t, s, "https://a.test/x/y")
	assert.Equal(t, []string{"a=1"}, valuesOf(secure.last(), "Cookie"))
}

func TestAdvisory79_CookieDates(t *testing.T) {
	want := time.Date(2037, time.November, 6, 8, 49, 37, 0, time.UTC)
	w := newWorld(t)
	for _, text := range []string{
		"Fri, 06 Nov 2037 08:49:37 GMT", "Friday, 06-Nov-37 08:49:37 GMT", "Fri Nov  6 08:49:37 2037", "6 nov 2037 8:49:37",
		"2037 NOVEMBER 06 08:49:37 PST", "Fri,06-Nov-2037;08:49:37", "08:49:37;2037/Nov/06",
	} {
		s := w.setBy("http://a.test", "a=1; Expires="+strings.ReplaceAll(text, ";", "/"))
		c, err := s.Cookies.Get("a")
		require.NoError(t, err)
		assert.Equal(t, want, c.Expires, text)
	}
	u := &url.URL{Scheme: "http", Host: "a.test", Path: "/"}
	for _, unit := range []string{"1", "1 ", "1:", "jan ", ",", "12:00:00 ", "1999 ", "\xff"} {
		var jar requests.CookieJar
		inTime(t, func() {
			jar.SetCookies(u, []*http.Cookie{{Name: "a", Value: "1", RawExpires: strings.Repeat(unit, 1<<20/len(unit))}})
		})
		assert.LessOrEqual(t, jar.Len(), 1)
	}
}

func TestAdvisory80_SecureWithBlanks(t *testing.T) {
	for _, attribute := range []string{"Secure", "secure", "Secure =x", "Secure=", "  SECURE  ", "Secure = x y", "HttpOnly; Secure =\"\""} {
		w := newWorld(t)
		s := w.setBy("https://a.test", "a=1; "+attribute)
		assert.Empty(t, w.sentTo(s, "http://a.test"), attribute)
		assert.Equal(t, "a=1", w.sentTo(s, "https://a.test"), attribute)
	}
}

func TestAdvisory81_LargeMaxAge(t *testing.T) {
	w := newWorld(t)
	year := time.Now().AddDate(1, 0, 0)
	for age, want := range map[string]string{
		"10000000000": "far", "9223372036854775807": "far", "9223372036854775808": "far", "100000000000000000000": "far",
		"-1": "gone", "0": "gone", "-9223372036854775809": "gone", "+1": "session", "1.5": "session", "": "session", "x": "session",
	} {
		s := w.setBy("http://a.test", "a=1; Max-Age="+age)
		c, err := s.Cookies.Get("a")
		if want == "gone" {
			require.ErrorIs(t, err, requests.ErrNoCookie, age)
			continue
		}
		require.NoError(t, err, age)
		assert.Equal(t, want == "session", c.Expires.IsZero(), "Max-Age %s: %v", age, c.Expires)
		if want == "far" {
			assert.True(t, c.Expires.After(year), "Max-Age %s: %v", age, c.Expires)
		}
		assert.Equal(t, "a=1", w.sentTo(s, "http://a.test"), age)
	}
}

func TestAdvisory82_CookiesOfTheCaller(t *testing.T) {
	w := newWorld(t)
	a := w.at("http://a.test")
	for _, tt := range [][2]string{
		{"a=1; admin", "x"}, {"a;b", "x"}, {"a\r\nX-Evil: 1", "x"}, {"a", "1\r\nX-Evil: 1"}, {"a", "1\nX-Evil: 1"}, {"a", "1\x00"},
	} {
		s := w.session()
		require.ErrorIs(t, new(requests.CookieJar).SetValue(tt[0], tt[1]), requests.ErrBadCookie, "%q", tt)
		_, err := s.Get(t.Context(), "http://a.test", requests.Cookie(tt[0], tt[1]))
		require.Error(t, err, "%q", tt)
		assert.NotContains(t, err.Error(), "X-Evil", "%q", tt)
	}
	assert.Empty(t, a.seen())
	// The reference sends a call's value with a semicolon as it is, and so is
	// it here: it was the caller's. No jar takes it.
	require.ErrorIs(t, new(requests.CookieJar).SetValue("a", "1;b=2"), requests.ErrBadCookie)
	s := w.session()
	get(t, s, "http://a.test", requests.Cookie("a", "1;b=2"))
	assert.Equal(t, []string{"a=1;b=2"}, valuesOf(a.last(), "Cookie"))
	assert.Zero(t, s.Cookies.Len())
}

func TestAdvisory83_CookiesIgnorePorts(t *testing.T) {
	w := newWorld(t)
	s := w.setBy("http://a.test:8001", "a=1")
	assert.Equal(t, "a=1", w.sentTo(s, "http://a.test:8002"))
	assert.Equal(t, "a=1", w.sentTo(s, "https://a.test:8003"))
	var text bytes.Buffer
	_, err := s.Cookies.WriteTo(&text)
	require.NoError(t, err)
	assert.NotContains(t, text.String(), "8001")
}
