//go:build unix

package requests_test

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
)

// digestParam finds the parameters of digest credentials.
var digestParam = regexp.MustCompile(`([a-z]+)=(?:"([^"]*)"|([0-9a-f]+))`)

// digestParams takes digest credentials apart.
func digestParams(t *testing.T, credentials string) map[string]string {
	t.Helper()
	rest, ok := strings.CutPrefix(credentials, "Digest ")
	require.True(t, ok, "not Digest: %q", credentials)
	p := map[string]string{}
	for _, m := range digestParam.FindAllStringSubmatch(rest, -1) {
		p[m[1]] = m[2] + m[3]
	}
	return p
}

// authorization is the one value of Authorization in a head.
func authorization(t *testing.T, head string) string {
	t.Helper()
	values := valuesOf(head, "Authorization")
	require.Len(t, values, 1)
	return values[0]
}

// digestResponse computes what u with password p has to answer by MD5 (RFC
// 7616, 3.4.1), from what the request says and the body that came.
func digestResponse(p map[string]string, method, body string) string {
	h := func(parts ...string) string {
		sum := md5.Sum([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(sum[:])
	}
	of := h(method, p["uri"])
	if p["qop"] == "auth-int" {
		of = h(method, p["uri"], h(body))
	}
	return h(h("u", p["realm"], "p"), p["nonce"], p["nc"], p["cnonce"], p["qop"], of)
}

// askInt asks for the protection of the body.
const askInt = `Digest realm="r", nonce="n", qop="auth-int"`

func TestDigestAuthInt(t *testing.T) {
	tests := []struct {
		name string
		opts func() []requests.Option
		want string
	}{
		{"no body", func() []requests.Option { return nil }, ""},
		{"bytes", func() []requests.Option { return []requests.Option{requests.BodyText("some text")} }, "some text"},
		{"form", func() []requests.Option { return []requests.Option{requests.Form("a", "1 2")} }, "a=1+2"},
		{"seeker", func() []requests.Option {
			r := strings.NewReader("skipped, then sent")
			_, _ = r.Seek(9, io.SeekStart)
			return []requests.Option{requests.Body(r)}
		}, "then sent"},
		{"function", func() []requests.Option {
			return []requests.Option{requests.PayloadOf(requests.FuncPayload(func() (io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader("opened anew")), nil
			}, -1))}
		}, "opened anew"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			a := digestSite(w, "http://a.test", askInt)
			s := w.session(requests.DigestAuth("u", "p"))
			for range 2 { // after a challenge, and at once
				r, err := s.Put(t.Context(), "http://a.test/x?y", tt.opts()...)
				require.NoError(t, err)
				require.Equal(t, http.StatusOK, r.StatusCode)
			}
			require.Equal(t, []string{tt.want, tt.want, tt.want}, a.bodies())
			for i, nc := range []string{"00000001", "00000002"} {
				p := digestParams(t, authorization(t, a.seen()[i+1]))
				assert.Equal(t, "auth-int", p["qop"])
				assert.Equal(t, "/x?y", p["uri"])
				assert.Equal(t, nc, p["nc"])
				assert.Regexp(t, "^[0-9a-f]{16}$", p["cnonce"])
				assert.Equal(t, digestResponse(p, "PUT", tt.want), p["response"])
			}
		})
	}
}

// A body whose sum cannot be had is not sent without it.
func TestDigestAuthIntBodyFails(t *testing.T) {
	gone := errors.New("gone")
	// opens is a body that can be opened so often, and then fails.
	opens := func(often int, fail func() (io.ReadCloser, error)) requests.Option {
		return requests.PayloadOf(requests.FuncPayload(func() (io.ReadCloser, error) {
			if often--; often < 0 {
				return fail()
			}
			return io.NopCloser(strings.NewReader("text")), nil
		}, 4))
	}
	tests := []struct {
		name string
		body func(often int) requests.Option
		want error
	}{
		{"once only", func(int) requests.Option {
			return requests.Body(iotest.OneByteReader(strings.NewReader("text")))
		}, requests.ErrUnrewindableBody},
		{"not opened", func(often int) requests.Option {
			return opens(often, func() (io.ReadCloser, error) { return nil, gone })
		}, gone},
		{"not read", func(often int) requests.Option {
			return opens(often, func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(gone)), nil })
		}, gone},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			a := digestSite(w, "http://a.test", askInt)
			s := w.session(requests.DigestAuth("u", "p"))
			for i, when := range []string{"after a challenge", "at once"} {
				_, err := s.Post(t.Context(), "http://a.test/", tt.body(1-i))
				require.ErrorIs(t, err, tt.want, when)
				require.ErrorIs(t, err, requests.ErrRequest, when)
				require.Equal(t, []string{"text"}, a.bodies(), when)
				lacks(t, a.seen(), "Authorization")
			}
		})
	}
}

// A user that cannot stand in a header is refused before it is sent.
func TestDigestRefusesControlCharacters(t *testing.T) {
	w := newWorld(t)
	a := digestSite(w, "http://a.test", `Digest realm="r", nonce="n", qop="auth"`)
	s := w.session(requests.DigestAuth("u\r\nX-Injected: 1", "secret"))
	for _, when := range []string{"after a challenge", "at once"} {
		_, err := s.Get(t.Context(), "http://a.test/")
		require.ErrorIs(t, err, requests.ErrInvalidHeader, when)
		assert.NotContains(t, err.Error(), "Injected", when)
		assert.NotContains(t, err.Error(), "secret", when)
		assert.Len(t, a.seen(), 1, when)
		lacks(t, a.seen(), "Authorization", "X-Injected")
	}
}

// Credentials that went out at once are made anew for where a redirect leads,
// if that is the same origin, and dropped where it is not.
func TestDigestAfterRedirect(t *testing.T) {
	tests := []struct {
		name, to string
		want     bool
	}{
		{"path", "http://a.test/next?q=1", true},
		{"another port", "http://a.test:8080/next?q=1", false},
		{"http to https", "https://a.test/next?q=1", false},
		{"another host", "http://b.test/next?q=1", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			a := w.scripted("http://a.test", func(_ int, req *http.Request, _ []byte) string {
				switch {
				case req.Header.Get("Authorization") == "":
					return challenge(`Digest realm="r", nonce="n", qop="auth"`)
				case req.URL.Path == "/first":
					return redirectTo(http.StatusFound, tt.to)
				}
				return answerOK
			})
			others := []*site{w.at("http://a.test:8080"), w.at("https://a.test"), w.at("http://b.test")}
			s := w.session(requests.DigestAuth("u", "p"))
			get(t, s, "http://a.test/")
			require.Len(t, a.seen(), 2, "the nonce is known now")

			r := get(t, s, "http://a.test/first")
			assert.Equal(t, http.StatusOK, r.StatusCode)
			if tt.want {
				require.Len(t, a.seen(), 4)
				for i, uri := range []string{"/", "/first", "/next?q=1"} {
					p := digestParams(t, authorization(t, a.seen()[i+1]))
					assert.Equal(t, uri, p["uri"])
					assert.Equal(t, fmt.Sprintf("%08x", i+1), p["nc"])
				}
				return
			}
			require.Len(t, a.seen(), 3)
			seen := 0
			for _, o := range others {
				lacks(t, o.seen(), "Authorization")
				seen += len(o.seen())
			}
			assert.Equal(t, 1, seen)
		})
	}
}

// askN1 asks for the use of a nonce.
const askN1 = `Digest realm="r", nonce="n1", qop="auth"`

// twoNonces are two servers behind one name, in turn asked for a nonce of their
// own, whose uses they count.
type twoNonces struct {
	mu   sync.Mutex
	turn int
	uses map[string]int // by nonce and count
}

// ask returns the challenge to credentials, or "" where they are right.
func (s *twoNonces) ask(p map[string]string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	nonce := [...]string{"na", "nb"}[s.turn%2]
	if p["nonce"] != nonce {
		return `Digest realm="r", nonce="` + nonce + `", qop="auth", stale=true`
	}
	if s.uses == nil {
		s.uses = map[string]int{}
	}
	s.uses[nonce+" "+p["nc"]]++
	s.turn++
	return ""
}

func (s *twoNonces) taken() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.uses)
}

// given are the parameters of a request's credentials, none for none.
func given(t *testing.T, req *http.Request) map[string]string {
	t.Helper()
	if req.Header.Get("Authorization") == "" {
		return nil
	}
	return digestParams(t, req.Header.Get("Authorization"))
}

// Servers behind one name each have a nonce: none of them sees a count twice.
func TestDigestTwoNonces(t *testing.T) {
	w := newWorld(t)
	two := &twoNonces{}
	w.scripted("http://a.test", func(_ int, req *http.Request, _ []byte) string {
		if ask := two.ask(given(t, req)); ask != "" {
			return challenge(ask)
		}
		return answerOK
	})
	s := w.session(requests.DigestAuth("u", "p"))
	for range 6 {
		assert.Equal(t, http.StatusOK, get(t, s, "http://a.test/").StatusCode)
	}
	// The other server sees the uses in between, and refuses them.
	assert.Equal(t, map[string]int{
		"na 00000001": 1, "na 00000003": 1, "na 00000005": 1, "nb 00000001": 1, "nb 00000003": 1, "nb 00000005": 1,
	}, two.taken())
}

// However often the nonce changes while requests are under way, all of them
// come through, and no count comes twice. They may be many.
func TestDigestNonceChangesUnderWay(t *testing.T) {
	for _, every := range []int{1, 3, 20} {
		for _, algorithm := range []string{"MD5", "SHA-256-sess"} {
			t.Run(fmt.Sprintf("every %d by %s", every, algorithm), func(t *testing.T) {
				var mu sync.Mutex
				uses, seen, keys := 0, map[string]bool{}, map[string]string{}
				w := newWorld(t)
				w.scripted("http://a.test", func(_ int, req *http.Request, _ []byte) string {
					mu.Lock()
					defer mu.Unlock()
					nonce := fmt.Sprint("n", uses/every)
					p := given(t, req)
					if p != nil {
						use := p["nonce"] + " " + p["nc"]
						assert.False(t, seen[use], "%s came twice", use)
						seen[use] = true
						if algorithm != "MD5" && keys[p["nonce"]] != "" {
							assert.Equal(t, keys[p["nonce"]], p["cnonce"], "a session has one cnonce")
						}
						keys[p["nonce"]] = p["cnonce"]
					}
					if p["nonce"] != nonce {
						return challenge(fmt.Sprintf(`Digest realm="r", nonce="%s", qop="auth", algorithm=%s, stale=%t`, nonce, algorithm, p != nil))
					}
					if algorithm == "MD5" {
						assert.Equal(t, digestResponse(p, "GET", ""), p["response"])
					}
					uses++
					return answerOK
				})
				s := w.session(requests.DigestAuth("u", "p"))
				var wg sync.WaitGroup
				const workers = 4
				for range workers {
					wg.Go(func() {
						for range 100 / workers {
							r, err := s.Get(t.Context(), "http://a.test/")
							if assert.NoError(t, err) {
								assert.Equal(t, http.StatusOK, r.StatusCode)
							}
						}
					})
				}
				wg.Wait()
				assert.Equal(t, 100, uses)
			})
		}
	}
}

// A response can hand on the nonce of the next request (RFC 7616, 3.5).
func TestDigestNextNonce(t *testing.T) {
	const goesOn = "Digest n1 00000002"
	tests := []struct {
		name, ask, info string
		status          string
		want            string // of the next request
	}{
		{"none", askN1, "", "200 OK", goesOn},
		{"taken", askN1, `nextnonce="n2"`, "200 OK", "Digest n2 00000001"},
		{"taken, whatever rspauth says", askN1, `qop=auth, rspauth="00", cnonce="c", nc=00000001, nextnonce="n2"`, "200 OK", "Digest n2 00000001"},
		{"taken from a failure", askN1, `nextnonce="n2"`, "404 Not Found", "Digest n2 00000001"},
		{"taken where auth is none", `Digest realm="r", nonce="n1"`, `nextnonce="n2"`, "200 OK", "Digest n2 "},
		{"the same", askN1, `nextnonce="n1"`, "200 OK", goesOn},
		{"empty", askN1, `nextnonce=""`, "200 OK", goesOn},
		{"malformed", askN1, `nextnonce="n2`, "200 OK", goesOn},
		{"too long", askN1, `nextnonce="` + strings.Repeat("n", 5000) + `"`, "200 OK", goesOn},
		{"of a session", askN1 + `, algorithm=MD5-sess`, `nextnonce="n2"`, "200 OK", goesOn},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			a := w.scripted("http://a.test", func(_ int, req *http.Request, _ []byte) string {
				if given(t, req) == nil {
					return challenge(tt.ask)
				}
				return "HTTP/1.1 " + tt.status + "\r\nAuthentication-Info: " + tt.info + "\r\nContent-Length: 0\r\n\r\n"
			})
			s := w.session(requests.DigestAuth("u", "p"))
			get(t, s, "http://a.test/1")
			get(t, s, "http://a.test/2")
			require.Len(t, a.seen(), 3)
			assert.Equal(t, tt.want, shortDigest(t, authorization(t, a.seen()[2])))
		})
	}
}

// Only the origin whose credentials went out hands on a nonce, and a redirect of
// its own uses it at once.
func TestDigestNextNonceOfAnother(t *testing.T) {
	const info = "Authentication-Info: nextnonce=\"%s\"\r\nContent-Length: 0\r\n\r\n"
	w := newWorld(t)
	a := w.scripted("http://a.test", func(_ int, req *http.Request, _ []byte) string {
		switch {
		case req.URL.Path == "/open":
			return "HTTP/1.1 302 Found\r\nLocation: http://b.test/\r\nContent-Length: 0\r\n\r\n"
		case given(t, req) == nil:
			return challenge(askN1)
		case req.URL.Path == "/first":
			return "HTTP/1.1 302 Found\r\nLocation: /second\r\n" + fmt.Sprintf(info, "n2")
		}
		return answerOK
	})
	b := w.at("http://b.test", "HTTP/1.1 200 OK\r\n"+fmt.Sprintf(info, "evil"))
	s := w.session(requests.DigestAuth("u", "p"))
	get(t, s, "http://a.test/") // the nonce is known now
	get(t, s, "http://a.test/first")
	get(t, s, "http://a.test/open")
	get(t, s, "http://a.test/third")
	require.Len(t, b.seen(), 1)
	var uses []string
	for _, head := range a.seen()[1:] {
		uses = append(uses, shortDigest(t, authorization(t, head)))
	}
	assert.Equal(t, []string{"Digest n1 00000001", "Digest n1 00000002", "Digest n2 00000001", "Digest n2 00000002", "Digest n2 00000003"}, uses)
}

// What a site answers to credentials, and how often it is asked.
func TestDigestAnswers(t *testing.T) {
	const (
		plain  = `Digest realm="r", nonce="n%d", qop="auth"`
		stale  = plain + ", stale=true"
		static = `Digest realm="r", nonce="n", qop="auth", stale=true`
	)
	tests := []struct {
		name  string
		known bool     // a nonce is, from a request before
		asks  []string // in turn, with the number of the request; the last for ever
		want  int      // how many requests there are
	}{
		{"refused", false, []string{plain}, 2},
		{"stale", false, []string{plain, stale}, 3},
		{"the same stale nonce", false, []string{static}, 2},
		{"refused with a known nonce", true, []string{plain}, 2},
		{"a known nonce is stale", true, []string{stale}, 3},
		{"the known nonce is stale for ever", true, []string{static}, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			var n int
			known := tt.known
			a := w.scripted("http://a.test", func(_ int, req *http.Request, _ []byte) string {
				if known {
					if given(t, req) == nil {
						return challenge(`Digest realm="r", nonce="n", qop="auth"`)
					}
					known = false
					return answerOK
				}
				n++
				ask := tt.asks[min(n, len(tt.asks))-1]
				if strings.Contains(ask, "%d") {
					ask = fmt.Sprintf(ask, n)
				}
				return challenge(ask)
			})
			s := w.session(requests.DigestAuth("u", "p"))
			before := 0
			if tt.known {
				get(t, s, "http://a.test/")
				before = len(a.seen())
			}
			assert.Equal(t, http.StatusUnauthorized, get(t, s, "http://a.test/").StatusCode)
			assert.Len(t, a.seen(), before+tt.want)
		})
	}
}
