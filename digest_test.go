//go:build unix

package requests_test

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
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
