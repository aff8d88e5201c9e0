package requests

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCookieJarSet(t *testing.T) {
	later := testNow.Add(time.Hour)
	tests := []struct {
		name   string
		cookie http.Cookie
		want   string // as dump shows it; empty: refused, and the error says why
		reason string
	}{
		{"plain", http.Cookie{Name: "a", Value: "1"}, " / a=1", ""},
		{"domain", http.Cookie{Name: "a", Value: "1", Domain: ".A.test", Path: "/x"}, ".a.test /x a=1", ""},
		{"host", http.Cookie{Name: "a", Value: "1", Domain: "A.test"}, "a.test / a=1", ""},
		{"ipv6", http.Cookie{Name: "a", Value: "1", Domain: "[::1]"}, "::1 / a=1", ""},
		{"idna", http.Cookie{Name: "a", Value: "1", Domain: ".Bücher.test"}, ".xn--bcher-kva.test / a=1", ""},
		{"expires", http.Cookie{Name: "a", Value: "1", Expires: later.In(time.FixedZone("x", 3600))}, " / a=1 2030-06-01T13:00:00Z", ""},
		{"expired is kept", http.Cookie{Name: "a", Value: "1", Expires: time.Unix(1000, 0)}, " / a=1 1970-01-01T00:16:40Z", ""},
		{"expires late", http.Cookie{Name: "a", Value: "1", Expires: maxCookieTime().AddDate(1, 0, 0)}, " / a=1 9999-12-31T23:59:59Z", ""},
		{"max age", http.Cookie{Name: "a", Value: "1", MaxAge: 60, Expires: later}, " / a=1 2030-06-01T12:01:00Z", ""},
		{"flags", http.Cookie{Name: "a", Value: "1", Secure: true, HttpOnly: true}, " / a=1 secure httponly", ""},
		{"raw value", http.Cookie{Name: "a b", Value: ` x, "y"`}, ` / a b= x, "y"`, ""},
		{"bytes beyond ASCII", http.Cookie{Name: "é", Value: "\xff"}, " / é=\xff", ""},
		{"quoted", http.Cookie{Name: "a", Value: `"x\"y"`}, ` / a="xy"`, ""},
		{"quoted by net/http", http.Cookie{Name: "a", Value: "x y", Quoted: true}, ` / a="x y"`, ""},
		{"half quoted", http.Cookie{Name: "a", Value: `"x\"y`}, ` / a="x\"y`, ""},

		{"no name", http.Cookie{Value: "1"}, "", "name is empty"},
		{"two cookies as a name", http.Cookie{Name: "a=1; admin", Value: "1"}, "", "name has"},
		{"equals sign in a name", http.Cookie{Name: "a=b", Value: "1"}, "", "name has"},
		{"tab in a name", http.Cookie{Name: "a\tb", Value: "1"}, "", "name has"},
		{"blank around a name", http.Cookie{Name: "a ", Value: "1"}, "", "name has"},
		{"line end in a name", http.Cookie{Name: "a\n", Value: "1"}, "", "name has"},
		{"semicolon in a value", http.Cookie{Name: "a", Value: "1; b=2"}, "", "value has"},
		{"line end in a value", http.Cookie{Name: "a", Value: "1\r\nX: y"}, "", "value has"},
		{"nul in a value", http.Cookie{Name: "a", Value: "\x00"}, "", "value has"},
		{"tab in a path", http.Cookie{Name: "a", Path: "/\t"}, "", "path has"},
		{"line end in a path", http.Cookie{Name: "a", Path: "/\n"}, "", "path has"},
		{"long path", http.Cookie{Name: "a", Path: "/" + strings.Repeat("x", 1024)}, "", "path has"},
		{"long domain", http.Cookie{Name: "a", Domain: strings.Repeat("x", 1025)}, "", "domain is too long"},
		{"dot as a domain", http.Cookie{Name: "a", Domain: "."}, "", "domain is no"},
		{"two dots", http.Cookie{Name: "a", Domain: "..a.test"}, "", "domain is no"},
		{"port", http.Cookie{Name: "a", Domain: "a.test:80"}, "", "domain is no"},
		{"star", http.Cookie{Name: "a", Domain: "*"}, "", "domain is no"},
		{"tab in a domain", http.Cookie{Name: "a", Domain: "a\tTRUE"}, "", "domain is no"},
		{"comment as a domain", http.Cookie{Name: "a", Domain: "#a"}, "", "domain is no"},
		{"bad idna", http.Cookie{Name: "a", Domain: "\xff.test"}, "", "domain is no"},
		{"bad label", http.Cookie{Name: "a", Domain: "a\u2028b.test"}, "", "domain is no"},
	}
	for _, tt := range tests {
		j := newTestJar()
		err := j.Set(&tt.cookie)
		assert.Equal(t, tt.want, strings.Join(dump(j), "|"), tt.name)
		if tt.want != "" {
			assert.NoError(t, err, tt.name)
			continue
		}
		var bad *CookieError
		require.ErrorAs(t, err, &bad, tt.name)
		assert.ErrorIs(t, err, ErrBadCookie, tt.name)
		assert.NotErrorIs(t, err, ErrNoCookie, tt.name)
		assert.Contains(t, bad.Reason, tt.reason, tt.name)
	}
	assert.ErrorIs(t, newTestJar().Set(nil), ErrBadCookie)
}

func TestCookieJarSetDeletes(t *testing.T) {
	j := newTestJar()
	require.NoError(t, j.SetValue("a", "1"))
	require.NoError(t, j.Set(&http.Cookie{Name: "a", Path: "/x", MaxAge: -1}))
	assert.Equal(t, 1, j.Len())
	require.NoError(t, j.Set(&http.Cookie{Name: "a", MaxAge: -1}))
	assert.Zero(t, j.Len())
}

// sampleJar holds one name in several places.
func sampleJar(t testing.TB) *CookieJar {
	j := newTestJar()
	give(t, j, "http://b.test/", "a=1; Path=/y", "b=2; Path=/x", "c=3; Path=/y; Max-Age=60")
	give(t, j, "http://x.a.test/", "a=4; Domain=a.test; Path=/x")
	require.NoError(t, j.SetValue("a", "5"))
	give(t, j, "http://b.test/", "d=6; Path=/x; Max-Age=1")
	return j
}

func TestCookieJarGet(t *testing.T) {
	j := sampleJar(t)
	c, err := j.Get("c")
	require.NoError(t, err)
	assert.Equal(t, &http.Cookie{
		Name: "c", Value: "3", Domain: "b.test", Path: "/y", Expires: testNow.Add(time.Minute),
	}, c)
	c.Value = "changed" // a copy
	assert.Equal(t, "3", j.Value("c"))

	tests := []struct {
		name  string
		scope []CookieScope
		want  string
		err   error
	}{
		{"a", nil, "", ErrCookieConflict},
		{"a", []CookieScope{{}}, "", ErrCookieConflict},
		{"a", []CookieScope{{Domain: "b.test"}}, "1", nil},
		{"a", []CookieScope{{Domain: "B.test", Path: "/y"}}, "1", nil},
		{"a", []CookieScope{{Domain: ".a.test"}}, "4", nil},
		{"a", []CookieScope{{Domain: AnyHost}}, "5", nil},
		{"a", []CookieScope{{Path: "/x"}}, "4", nil},
		{"a", []CookieScope{{Path: "/x"}, {Path: "/y"}}, "", ErrCookieConflict},
		{"a", []CookieScope{{Domain: "a.test"}}, "", ErrNoCookie},
		{"a", []CookieScope{{Domain: "b.test", Path: "/"}}, "", ErrNoCookie},
		{"z", nil, "", ErrNoCookie},
		{"A", nil, "", ErrNoCookie},
	}
	for _, tt := range tests {
		c, err := j.Get(tt.name, tt.scope...)
		assert.ErrorIs(t, err, tt.err)
		if err == nil {
			assert.Equal(t, tt.want, c.Value)
		} else {
			assert.Nil(t, c)
		}
		assert.Equal(t, tt.want, j.Value(tt.name, tt.scope...))
	}
}

func TestCookieErrorText(t *testing.T) {
	j := sampleJar(t)
	_, err := j.Get("a")
	assert.EqualError(t, err, `requests: several cookies have this name "a"`)
	_, err = j.Get("z")
	assert.EqualError(t, err, `requests: no such cookie "z"`)
	assert.EqualError(t, j.SetValue("n", "canary;"), `requests: bad cookie "n": value has a control byte or a semicolon`)
	for _, c := range []http.Cookie{
		{Name: "n", Value: "canary\n"},
		{Name: "canary;"},
		{Name: "n", Domain: "canary canary"},
		{Name: "n", Path: "/canary\n"},
		{Name: "n", Value: strings.Repeat("canary", 1000)},
	} {
		assert.NotContains(t, j.Set(&c).Error(), "canary")
	}
}

func TestCookieJarLists(t *testing.T) {
	j := sampleJar(t)
	assert.Equal(t, []string{
		"b.test /y a=1", "b.test /y c=3 2030-06-01T12:01:00Z", "b.test /x b=2", "b.test /x d=6 2030-06-01T12:00:01Z",
		".a.test /x a=4", " / a=5",
	}, dump(j))
	assert.Equal(t, 6, j.Len())
	assert.Equal(t, []string{"a", "c", "b", "d", "a", "a"}, j.Names())
	assert.Equal(t, []string{"b.test", ".a.test", ""}, j.Domains())
	assert.Equal(t, []string{"/y", "/x", "/"}, j.Paths())
	assert.Equal(t, map[string]string{"a": "5", "b": "2", "c": "3", "d": "6"}, j.Map())
	assert.Equal(t, map[string]string{"a": "4"}, j.Map(CookieScope{Domain: ".a.test"}))

	for range j.All() { // leaving early, and using the jar meanwhile
		j.Clear()
		break
	}
	assert.Zero(t, j.Len())
	assert.Nil(t, j.Names())
	assert.Empty(t, j.Map())
}

func TestCookieJarRemove(t *testing.T) {
	tests := []struct {
		name   string
		remove func(*CookieJar) int
		want   int
		left   string
	}{
		{"delete", func(j *CookieJar) int { return j.Delete("a") }, 3, "c b d"},
		{"delete in scope", func(j *CookieJar) int { return j.Delete("a", CookieScope{Path: "/x"}) }, 1, "a c b d a"},
		{"delete a missing one", func(j *CookieJar) int { return j.Delete("z") }, 0, "a c b d a a"},
		{"clear", func(j *CookieJar) int { return j.Clear() }, 6, ""},
		{"clear a domain", func(j *CookieJar) int { return j.Clear(CookieScope{Domain: "b.test"}) }, 4, "a a"},
		{"clear every host's", func(j *CookieJar) int { return j.Clear(CookieScope{Domain: AnyHost}) }, 1, "a c b d a"},
		{"clear session cookies", func(j *CookieJar) int { return j.ClearSession() }, 4, "c d"},
		{"clear expired", func(j *CookieJar) int {
			j.now = func() time.Time { return testNow.Add(time.Second) }
			return j.ClearExpired()
		}, 1, "a c b a a"},
	}
	for _, tt := range tests {
		j := sampleJar(t)
		assert.Equal(t, tt.want, tt.remove(j), tt.name)
		assert.Equal(t, tt.left, strings.Join(j.Names(), " "), tt.name)
		checkStore(t, &j.store)
	}
}

func TestCookieJarUpdateAndClone(t *testing.T) {
	j := sampleJar(t)
	j.Limits.Total = 10
	clone := j.Clone()
	assert.Equal(t, dump(j), dump(clone))
	assert.Equal(t, 10, clone.Limits.Total)
	require.NoError(t, clone.SetValue("a", "new"))
	clone.Delete("b")
	assert.Equal(t, "5", j.Value("a", CookieScope{Domain: AnyHost}))

	j.Update(clone)
	assert.Equal(t, "new", j.Value("a", CookieScope{Domain: AnyHost}))
	assert.Equal(t, "2", j.Value("b"))
	before := dump(j)
	j.Update(j)
	assert.Equal(t, before, dump(j))
}

func TestCookieJarText(t *testing.T) {
	j := newTestJar()
	give(t, j, "http://a.test/", "a=canary", "b=canary")
	require.NoError(t, j.SetValue("c", "canary"))
	const want = `CookieJar(3 [a.test] "a" "b" [*] "c")`
	assert.Equal(t, want, j.String())
	holder := struct{ Jar *CookieJar }{j}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
		assert.Equal(t, want, fmt.Sprintf(format, j), format)
		assert.NotContains(t, fmt.Sprintf(format, holder), "canary", format)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "jar", j)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "jar", j)
	assert.NotContains(t, log.String(), "canary")
	assert.Equal(t, "CookieJar(nil)", fmt.Sprint((*CookieJar)(nil)))
	assert.Equal(t, "CookieJar(0)", new(CookieJar).String())
}

func TestCookieJarZeroValue(t *testing.T) {
	var j CookieJar
	assert.Equal(t, []string{}, dump(&j))
	assert.Zero(t, j.Delete("a")+j.Clear()+j.ClearExpired()+j.ClearSession())
	_, err := j.Get("a")
	assert.True(t, errors.Is(err, ErrNoCookie))
	require.NoError(t, j.Set(&http.Cookie{Name: "a", Value: "1", MaxAge: 60}))
	assert.WithinDuration(t, time.Now().Add(time.Minute), slices.Collect(j.All())[0].Expires, 30*time.Second)
	assert.Equal(t, "a=1", ask(t, &j, "http://a.test/"))
}

// Many goroutines use one jar in all ways; the race detector looks on.
func TestCookieJarConcurrent(t *testing.T) {
	j := newTestJar()
	j.Limits.Total = 50
	other := newTestJar()
	dir := t.TempDir()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			url := fmt.Sprintf("http://h%d.a.test/", g%4)
			for i := range 50 {
				give(t, j, url, fmt.Sprintf("c%d=%d; Max-Age=60", i, g), "s=1; Domain=a.test")
				ask(t, j, url)
				j.Cookies(mustURL(t, url))
				j.SetCookies(mustURL(t, url), []*http.Cookie{{Name: "n", Value: "1"}})
				assert.NoError(t, j.SetValue("own", "1"))
				j.Value("own")
				j.Delete("n")
				j.ClearExpired()
				other.Update(j)
				j.Update(other)
				for range j.All() {
					break
				}
				_ = j.String()
			}
			assert.NoError(t, j.Save(dir+"/cookies.txt"))
			assert.NoError(t, j.Load(dir+"/cookies.txt"))
		})
	}
	wg.Wait()
	assert.Equal(t, 50, j.Len())
	checkStore(t, &j.store)
}

// checkStore compares the indexes of a store with the cookies in it.
func checkStore(t testing.TB, s *cookieStore) {
	t.Helper()
	count := func(l cookieList, kind int) int {
		n := 0
		var prev *cookieEntry
		for e := l.first; e != nil; e = e.links[kind].next {
			if s.byKey[e.cookieKey] != e || e.links[kind].prev != prev {
				t.Fatalf("list %d is broken at %v", kind, e.cookieKey)
			}
			prev = e
			n++
		}
		if l.last != prev {
			t.Fatalf("list %d ends elsewhere", kind)
		}
		return n
	}
	names, sites, places, secure := 0, 0, 0, 0
	for _, l := range s.byName {
		names += count(*l, inName)
	}
	for _, site := range s.sites {
		n := count(site.lru[0], inSite) + count(site.lru[1], inSite)
		require.Equal(t, site.len, n)
		require.NotZero(t, n)
		sites += n
		for _, g := range site.groups {
			if g == nil {
				continue
			}
			require.NotEmpty(t, g.places.byPath)
			for _, p := range g.places.byPath {
				places += count(p.cookies, inPlace)
			}
		}
	}
	for k, x := range s.secure {
		for _, n := range x.byPath {
			require.Positive(t, n)
			if k.exact {
				secure += n
			}
		}
	}
	wantSecure := 0
	for _, e := range s.byKey {
		wantSecure += boolIndex(e.secure)
	}
	require.Equal(t, len(s.byKey), names)
	require.Equal(t, len(s.byKey), sites)
	require.Equal(t, len(s.byKey), places)
	require.Equal(t, len(s.byKey), count(s.lru, inJar))
	require.Equal(t, wantSecure, secure)
	if wantSecure == 0 {
		require.Empty(t, s.secure)
	}
}
