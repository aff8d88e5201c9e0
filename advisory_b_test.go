//go:build unix

package requests_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// environed is a session that goes by the environment.
func (w *world) environed(opts ...requests.Option) *requests.Session {
	s := w.session(opts...)
	s.IgnoreEnv = false
	return s
}

func TestAdvisory23_NetrcHostIsDialledHost(t *testing.T) {
	netrc := basic("netrc", "secret")
	for _, tt := range []struct {
		url  string
		at   string // who is asked
		auth string // what it is told
	}{
		{"http://a.test/", "http://a.test", netrc},
		{"http://A.TEST/", "http://a.test", netrc},
		{"http://a.test:8080/", "http://a.test:8080", netrc},
		{"http://a.test./", "http://a.test.", ""}, // as in Requests, names count as they are written
		{"http://a.test:@evil.test/", "http://evil.test", basic("a.test", "")},
		{"http://a.test@evil.test/", "http://evil.test", ""},
		{"http://a.test:80@evil.test/", "http://evil.test", basic("a.test", "80")},
		{"http://a.test:pw@evil.test/", "http://evil.test", basic("a.test", "pw")},
		{"http://user:@a.test:@evil.test/", "http://evil.test", basic("user", "@a.test:")},
		{"http://evil.test/?@a.test", "http://evil.test", ""},
		{"http://evil.test#@a.test/", "http://evil.test", ""},
		{`http://evil.test\@a.test/`, "http://evil.test", ""},
		{"http://evil.test:80/@a.test/", "http://evil.test", ""},
		{"http://[::1]/", "http://[::1]", ""},
		{"http://a.test%40evil.test/", "", ""}, // a name that nobody has
	} {
		t.Run(tt.url, func(t *testing.T) {
			useNetrc(t, "machine a.test login netrc password secret\n")
			w := newWorld(t)
			sites := map[string]*site{}
			for _, origin := range []string{"http://a.test", "http://a.test:8080", "http://a.test.", "http://evil.test", "http://[::1]"} {
				sites[origin] = w.at(origin)
			}
			_, err := w.environed().Get(t.Context(), tt.url)
			assert.Equal(t, tt.at == "", err != nil, "%v", err)
			for origin, s := range sites {
				if origin != tt.at {
					assert.Empty(t, s.seen(), origin)
					continue
				}
				require.Len(t, s.seen(), 1)
				assert.Equal(t, tt.auth, strings.Join(valuesOf(s.last(), "Authorization"), ", "))
			}
		})
	}
}

func TestAdvisory24_NetrcStaysWithItsHost(t *testing.T) {
	useNetrc(t, "machine a.test login netrc password secret\n")
	w := newWorld(t)
	a := w.at("http://a.test", redirectTo(http.StatusFound, "http://b.test/"))
	b := w.at("http://b.test")
	get(t, w.environed(), "http://a.test/")
	assert.Equal(t, []string{basic("netrc", "secret")}, valuesOf(a.last(), "Authorization"))
	require.Len(t, b.seen(), 1)
	lacks(t, b.seen(), "Authorization")
}

func TestAdvisory25_NetrcEntryWithoutPassword(t *testing.T) {
	for _, second := range []string{"machine b.test login x", "default", "default login x", "machine b.test"} {
		useNetrc(t, "machine a.test login netrc password secret\n"+second+"\n")
		w := newWorld(t)
		w.at("http://a.test", redirectTo(http.StatusFound, "http://b.test/"))
		b := w.at("http://b.test")
		get(t, w.environed(), "http://a.test/")
		require.Len(t, b.seen(), 1)
		for _, value := range valuesOf(b.last(), "Authorization") {
			text, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(value, "Basic "))
			require.NoError(t, err)
			assert.NotContains(t, string(text), "secret", second)
		}
	}
}

func TestAdvisory26_NetrcOfAnotherUser(t *testing.T) {
	useNetrc(t, "machine a.test login other password secret\n")
	w := newWorld(t)
	a := w.at("http://a.test")
	// The entry goes as a whole, as in Requests: never the one's password
	// under the other's name.
	for _, url := range []string{"http://user@a.test/", "http://user:own@a.test/"} {
		get(t, w.environed(), url)
		assert.Equal(t, []string{basic("other", "secret")}, valuesOf(a.last(), "Authorization"), url)
	}
	s := w.environed()
	s.IgnoreEnv = true
	get(t, s, "http://user:own@a.test/")
	assert.Equal(t, []string{basic("user", "own")}, valuesOf(a.last(), "Authorization"))
}

func TestAdvisory27_NetrcOverOneProxyConnection(t *testing.T) {
	useNetrc(t, "machine a.test login la password pa\nmachine b.test login lb password pb\n")
	w := newWorld(t)
	w.at("http://a.test")
	w.at("http://b.test")
	w.at("http://c.test")
	p := (&testserver.HTTPProxy{Hosts: w.hosts}).Start(t)
	s := w.environed(requests.Proxy("all", p.URL()))
	for _, url := range []string{"http://a.test/", "http://b.test/", "http://c.test/"} {
		get(t, s, url)
	}
	heads := p.Heads()
	require.Len(t, heads, 3)
	assert.Equal(t, []string{basic("la", "pa")}, valuesOf(heads[0], "Authorization"))
	assert.Equal(t, []string{basic("lb", "pb")}, valuesOf(heads[1], "Authorization"))
	lacks(t, heads[2:], "Authorization")
	assert.Len(t, w.asked(), 1, "the proxy's connection was to be kept")
}

func TestAdvisory28_EmptyNetrcEntry(t *testing.T) {
	useNetrc(t, "machine a.test\n")
	w := newWorld(t)
	a := w.at("http://a.test")
	get(t, w.environed(), "http://a.test/")
	lacks(t, a.seen(), "Authorization")
}

func TestAdvisory29_ExplicitBeatsNetrc(t *testing.T) {
	useNetrc(t, "machine a.test login netrc password secret\n")
	for _, opt := range []requests.Option{
		requests.Header("Authorization", basic("u", "p")), requests.BasicAuth("u", "p"),
	} {
		for _, base := range []requests.Option{nil, opt} {
			w := newWorld(t)
			a := w.at("http://a.test", redirectTo(http.StatusFound, "/again"), answerOK)
			s := w.environed()
			if base != nil {
				s = w.environed(base)
			}
			get(t, s, "http://a.test/", opt)
			require.Len(t, a.seen(), 2)
			for _, head := range a.seen() {
				assert.Equal(t, []string{basic("u", "p")}, valuesOf(head, "Authorization"))
			}
		}
	}
}

func TestAdvisory30_NetrcThatIsNone(t *testing.T) {
	t.Run("readable by all", func(t *testing.T) {
		useNetrc(t, "machine a.test login u password p")
		require.NoError(t, os.Chmod(os.Getenv("NETRC"), 0o644))
		w := newWorld(t)
		a := w.at("http://a.test")
		// It counts, as in Requests: Python checks a file that it has found itself alone.
		get(t, w.environed(), "http://a.test/")
		assert.Equal(t, []string{basic("u", "p")}, valuesOf(a.last(), "Authorization"))
	})
	long := strings.Repeat("x", 1<<19)
	for _, tt := range []struct {
		name, text string
		want       string // of Authorization
	}{
		{"long line", long + long[:1<<19-1], ""},
		{"long password", "machine a.test login u password " + long, basic("u", long)},
		{"no newline", "machine a.test login", ""},
		{"NUL", "machine a.test login \x00 password \x00", "refused"},                           // no header can carry it
		{"unterminated quote", `machine a.test login "u password p`, basic("u password p", "")}, // as Python reads it
		{"macdef without end", "macdef x\nmachine a.test login u password p", ""},
		{"many machines", strings.Repeat("machine x login y password z\n", 1<<15), ""},
		{"many comments", strings.Repeat("#\n", 1<<19-1), ""},
		{"more than a megabyte", "machine a.test login u password p\n" + strings.Repeat("#\n", 1<<19), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			useNetrc(t, tt.text)
			w := newWorld(t)
			a := w.at("http://a.test")
			s := w.environed(requests.Header("X-First", "1"))
			start := time.Now()
			_, err := s.Get(t.Context(), "http://a.test/")
			assert.Less(t, time.Since(start), 10*time.Second)
			if tt.want == "refused" {
				require.ErrorIs(t, err, requests.ErrInvalidHeader)
				assert.Empty(t, a.seen())
				return
			}
			require.NoError(t, err)
			require.Len(t, a.seen(), 1)
			assert.Equal(t, tt.want, strings.Join(valuesOf(a.last(), "Authorization"), ", "))
		})
	}
}

func TestAdvisory31_ColonInUser(t *testing.T) {
	w := newWorld(t)
	a := w.at("http://a.test")
	_, err := w.session().Get(t.Context(), "http://a.test/", requests.BasicAuth("a:b", "secret"))
	require.ErrorIs(t, err, requests.ErrInvalidHeader)
	assert.NotContains(t, err.Error(), "secret")
	assert.Empty(t, a.seen())
}

// digestSite is a site that asks for Digest, and is content with any answer.
func digestSite(w *world, origin string, fields ...string) *site {
	return w.scripted(origin, func(_ int, req *http.Request, _ []byte) string {
		if !strings.HasPrefix(req.Header.Get("Authorization"), "Digest ") {
			return challenge(fields...)
		}
		return answerOK
	})
}

func TestAdvisory32_DigestStateStaysWithItsOrigin(t *testing.T) {
	w := newWorld(t)
	const ask = `Digest realm="r", nonce="n", qop="auth"`
	a := digestSite(w, "http://a.test", ask)
	others := []*site{digestSite(w, "http://b.test", ask), digestSite(w, "http://a.test:8080", ask), digestSite(w, "https://a.test", ask)}
	s := w.session(requests.DigestAuth("u", "p"))
	get(t, s, "http://a.test/")
	for _, url := range []string{"http://b.test/", "http://a.test:8080/", "https://a.test/"} {
		get(t, s, url)
	}
	for _, o := range others {
		require.NotEmpty(t, o.seen())
		lacks(t, o.seen(), "Authorization")
	}
	get(t, s, "http://a.test/")
	require.Len(t, a.seen(), 3, "the origin's own state was lost")
}

func TestAdvisory33_StrongestChallenge(t *testing.T) {
	const (
		weak   = `Basic realm="r"`
		md5    = `Digest realm="r", nonce="n1", qop="auth", algorithm=MD5`
		strong = `Digest realm="r", nonce="n2", qop="auth", algorithm=SHA-256`
	)
	for _, fields := range [][]string{
		{weak, md5, strong},
		{strong, md5, weak},
		{md5, strong, weak},
		{md5, weak, strong},
		{strong, weak, md5},
		{weak, strong, md5},
		{weak + ", " + md5 + ", " + strong},
		{strong + ", " + weak + ", " + md5},
	} {
		w := newWorld(t)
		a := digestSite(w, "http://a.test", fields...)
		r := get(t, w.session(), "http://a.test/", requests.DigestAuth("u", "p"))
		require.Equal(t, http.StatusOK, r.StatusCode)
		sent := strings.Join(valuesOf(a.last(), "Authorization"), "")
		assert.Contains(t, sent, "SHA-256")
		assert.Contains(t, sent, `nonce="n2"`)
	}
	w := newWorld(t)
	a := digestSite(w, "http://a.test", weak)
	r := get(t, w.session(), "http://a.test/", requests.DigestAuth("u", "p"))
	assert.Equal(t, http.StatusUnauthorized, r.StatusCode)
	lacks(t, a.seen(), "Authorization")
}

func TestAdvisory34_DigestLoops(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answers []string
		want    int
	}{
		{"always 401", []string{challenge(`Digest realm="r", nonce="n", qop="auth"`)}, 2},
		{"always stale", []string{challenge(`Digest realm="r", nonce="n", qop="auth", stale=true`)}, 2},
		{"stale after a challenge, and ever after", []string{
			challenge(`Digest realm="r", nonce="n", qop="auth"`),
			challenge(`Digest realm="r", nonce="n2", qop="auth", stale=true`),
		}, 3},
		{"stale once", []string{
			challenge(`Digest realm="r", nonce="n", qop="auth"`),
			challenge(`Digest realm="r", nonce="n2", qop="auth", stale=true`), answerOK,
		}, 3},
		{"unknown algorithm", []string{challenge(`Digest realm="r", nonce="n", qop="auth", algorithm=ROT13`)}, 1},
		{"unknown qop", []string{challenge(`Digest realm="r", nonce="n", qop="auth-new"`)}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			a := w.at("http://a.test", tt.answers...)
			get(t, w.session(), "http://a.test/", requests.DigestAuth("u", "p"))
			assert.Len(t, a.seen(), tt.want)
		})
	}
}

func TestAdvisory35_DigestNonceCounts(t *testing.T) {
	w := newWorld(t)
	a := digestSite(w, "http://a.test", `Digest realm="r", nonce="n", qop="auth"`)
	s := w.session(requests.DigestAuth("u", "p"))
	get(t, s, "http://a.test/")
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			_, err := s.Get(t.Context(), "http://a.test/")
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, head := range a.seen() {
		for _, value := range valuesOf(head, "Authorization") {
			nc := regexp.MustCompile(`nc=([0-9a-f]{8})`).FindStringSubmatch(value)
			cnonce := regexp.MustCompile(`cnonce="([^"]+)"`).FindStringSubmatch(value)
			require.Len(t, nc, 2)
			require.Len(t, cnonce, 2)
			assert.GreaterOrEqual(t, len(cnonce[1]), 11, "64 bits are at least 11 characters")
			assert.False(t, seen[nc[1]], "count %s came twice", nc[1])
			seen[nc[1]] = true
		}
	}
	assert.Len(t, seen, 51)
}

func TestAdvisory36_DigestHeaderInjection(t *testing.T) {
	long := strings.Repeat("x", 1<<19)
	for _, tt := range []struct {
		name, field string
		want        string // what the answer begins with; nothing where the field is no header's
	}{
		{
			"quote", `Digest realm="a\"b", nonce="n\"n", opaque="o\\o", qop="auth"`,
			`Digest username="u", realm="a\"b", nonce="n\"n", uri="/", `,
		},
		{
			"backslash", `Digest realm="a\\", nonce="n\\", opaque="\\", qop="auth"`,
			`Digest username="u", realm="a\\", nonce="n\\", uri="/", `,
		},
		{"bare CR", "Digest realm=\"a\rX-Injected: 1\", nonce=\"n\"", ""},
		{"escaped", `Digest realm="a\` + "\r" + `X-Injected: 1", nonce="n"`, ""},
		{"long", `Digest realm="` + long + `", nonce="n", qop="auth"`, `Digest username="u", realm="` + long + `", nonce="n", `},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			a := digestSite(w, "http://a.test", tt.field)
			r, err := w.session().Get(t.Context(), "http://a.test/", requests.DigestAuth("u", "p"))
			for _, head := range a.seen() {
				lacks(t, []string{head}, "X-Injected")
				assert.Equal(t, strings.Count(head, "\r"), strings.Count(head, "\r\n"), "a bare CR was sent")
			}
			if tt.want == "" {
				require.ErrorIs(t, err, requests.ErrConnection)
				assert.Len(t, a.seen(), 1)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, http.StatusOK, r.StatusCode)
			require.Len(t, a.seen(), 2)
			got := valuesOf(a.last(), "Authorization")
			require.Len(t, got, 1)
			assert.True(t, strings.HasPrefix(got[0], tt.want), "%.200q", got[0])
		})
	}
}

func TestAdvisory37_PasswordWithDelimiters(t *testing.T) {
	w := newWorld(t)
	a := w.at("http://a.test", redirectTo(http.StatusFound, "/next?x=1"), answerOK)
	get(t, w.session(), "http://u:p%40ss%2Fw%3Ard%23@a.test/")
	assert.Equal(t, []string{"a.test:80"}, w.asked())
	require.Len(t, a.seen(), 2)
	for _, head := range a.seen() {
		assert.Equal(t, []string{basic("u", "p@ss/w:rd#")}, valuesOf(head, "Authorization"))
	}
	// Unescaped, all up to the last at sign is userinfo.
	get(t, w.session(), "http://u:p@ss@a.test/")
	assert.Equal(t, []string{"a.test:80"}, w.asked())
	assert.Equal(t, []string{basic("u", "p@ss")}, valuesOf(a.last(), "Authorization"))
}

func TestAdvisory38_ChallengesInLinearTime(t *testing.T) {
	testserver.Timed(t)
	for name, field := range map[string]string{
		"commas":      "Basic" + strings.Repeat(", ", 1<<19),
		"digests":     strings.Repeat(`Digest a="`, 50000),
		"quotes":      "Digest " + strings.Repeat(`"`, 1<<19),
		"backslashes": `Digest a="` + strings.Repeat(`\`, 1<<19),
		"equals":      "Digest " + strings.Repeat(`a=b `, 1<<17),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.at("http://a.test", challenge(field))
			s := w.sessionOn(&requests.HTTPAdapter{Dial: w.dial, MaxHeaderBytes: 4 << 20})
			start := time.Now()
			r := get(t, s, "http://a.test/", requests.DigestAuth("u", "p"))
			assert.Equal(t, http.StatusUnauthorized, r.StatusCode)
			assert.Less(t, time.Since(start), 10*time.Second)
		})
	}
}

func TestAdvisory39_PasswordsDifferByCase(t *testing.T) {
	w := newWorld(t)
	a := w.at("http://a.test")
	s := w.session()
	for _, password := range []string{"Secret", "secret"} {
		get(t, s, "http://a.test/", requests.BasicAuth("u", password))
		assert.Equal(t, []string{basic("u", password)}, valuesOf(a.last(), "Authorization"))
	}
	// The same for a proxy, whose tunnels belong to its credentials.
	w.at("https://a.test")
	for _, password := range []string{"Secret", "secret"} {
		p := (&testserver.HTTPProxy{Hosts: w.hosts}).Start(t)
		get(t, s, "https://a.test/", requests.Proxy("all", fmt.Sprintf("http://u:%s@%s", password, p.Addr())))
		heads := p.Heads()
		require.Len(t, heads, 1)
		assert.Equal(t, []string{basic("u", password)}, valuesOf(heads[0], "Proxy-Authorization"))
	}
}
