//go:build unix

package requests_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/charset"
	"github.com/seed-9ea40bd3/requests/internal/digest"
	"github.com/seed-9ea40bd3/requests/internal/netrc"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// linearIn runs work on repetitions of many units.
func linearIn(t *testing.T, units []string, build func(unit string) func(int) string, work func(string)) {
	t.Helper()
	for _, unit := range units {
		t.Run(fmt.Sprintf("%.20q", unit), func(t *testing.T) { linear(t, build(unit), work) })
	}
}

func TestAdvisory155_LinearURLs(t *testing.T) {
	testserver.Timed(t)
	needsQuiet(t)
	units := []string{"@", "%", "%25", "/../", "/./", "é", "?", "#", ":", "[", "a@b:", "%2", "&", " ", "\\", "%C3%A9", "//"}
	for _, before := range []string{"http://a.test/", "http://a.test/?q=", "http://u:p", "http://"} {
		linearIn(t, units, func(unit string) func(int) string { return wrapped(before, unit, "") }, func(text string) {
			p, err := requests.NewRequest("GET", text).Prepare(t.Context())
			if err == nil {
				assert.NotEmpty(t, p.URL)
			}
		})
	}
	linearIn(t, units, repeated, func(text string) {
		_, err := requests.NewRequest("GET", "http://a.test/", requests.Param(text, text), requests.Query(text)).Prepare(t.Context())
		require.NoError(t, err)
	})
}

// headed makes a response of one header field.
func headed(name, value string) *requests.Response {
	return requests.NewResponse(nil, 200, "OK", requests.NewHeaders(name, value), nil)
}

func TestAdvisory156_LinearHeaders(t *testing.T) {
	testserver.Timed(t)
	needsQuiet(t)
	for _, edge := range [][2]string{{"a", "b"}, {"", ""}, {"", "b"}, {"a", ""}} {
		linearIn(t, []string{" ", "\t", " \t", "é", "\u00a0", "a ", ","}, func(unit string) func(int) string { return wrapped(edge[0], unit, edge[1]) }, func(value string) {
			_, _ = requests.NewRequest("GET", "http://a.test/", requests.Header("X-A", value)).Prepare(t.Context())
			_, _ = requests.NewRequest("GET", "http://a.test/", requests.Header(value, "a")).Prepare(t.Context())
			_ = headed("X-A", value).Headers.Get("x-a")
		})
	}
}

func TestAdvisory157_LinearLinks(t *testing.T) {
	testserver.Timed(t)
	needsQuiet(t)
	linearIn(t, []string{"<", ";", ",", "<a>", "<a>;", "<a>; rel=\"", "\"", "=", "<a>; rel=b, ", "<a>; x=\"\\\"\", ", " ", "<a>;rel=b;rel=b,", "', '"}, repeated, func(value string) {
		assert.NotContains(t, headed("Link", value).Links(), "none")
	})
}

// A smallReader gives a few bytes a read, and counts the reads.
type smallReader struct {
	r     io.Reader
	size  int
	reads int
}

func (s *smallReader) Read(p []byte) (int, error) {
	s.reads++
	return s.r.Read(p[:min(len(p), s.size)])
}

func TestAdvisory158_LinearLines(t *testing.T) {
	testserver.Timed(t)
	needsQuiet(t)
	for _, unit := range []string{"x", "\r", "\n", "\r\n", "x\r", strings.Repeat("x", 511) + "\r\n", strings.Repeat("x", 510) + "\r\n", "é"} {
		for _, delimiter := range []string{"", "\n", "xxy", "\r\n"} {
			t.Run(fmt.Sprintf("%.10q by %q", unit, delimiter), func(t *testing.T) {
				linear(t, wrapped("", unit, "end"), func(text string) {
					src := &smallReader{r: strings.NewReader(text), size: 512}
					n := 0
					for line, err := range requests.NewResponse(nil, 200, "", requests.Headers{}, src).LineBytes(delimiter) {
						require.NoError(t, err)
						n += len(line)
					}
					assert.LessOrEqual(t, n, len(text))
					assert.LessOrEqual(t, src.reads, len(text)/512+3, "reads")
				})
			})
		}
	}
}

func TestAdvisory159_LinearCharsets(t *testing.T) {
	testserver.Timed(t)
	needsQuiet(t)
	units := []string{
		"<meta", "<meta charset=", "<meta charset=\"x", "<?xml encoding=", "charset=", ";", "=", "\"", ";charset=\"", "a\x00", "\x00a", "\x00\x00\x00a", "\x1b$B", "\x1b", "+AAA-",
		"\xff\xfe", "é", "\xe3\x81", "\xed\xa0\x80",
	}
	for lead := 0x80; lead <= 0xff; lead += 5 {
		units = append(units, string([]byte{byte(lead)}), string([]byte{byte(lead), 'a'}))
	}
	linearIn(t, units, repeated, func(text string) {
		charset.FromContentType("text/html; " + text)
		charset.Detect([]byte(text))
		charset.JSONEncoding([]byte(text))
		r := requests.NewResponse(nil, 200, "", requests.NewHeaders("Content-Type", text), strings.NewReader(text))
		_ = r.Text()
		var v any
		_ = r.JSON(&v)
		assert.LessOrEqual(t, len(r.ApparentEncoding()), 64)
	})
	for _, label := range []string{"utf-8", "utf-16", "shift_jis", "euc-jp", "gb18030", "big5", "euc-kr", "iso-2022-jp", "windows-1252", "utf-7", "utf-32"} {
		linear(t, repeated("\x81\x1b$\xff"), func(text string) { charset.Decode(label, []byte(text)) })
	}
}

func TestAdvisory160_LinearParsers(t *testing.T) {
	testserver.Timed(t)
	needsQuiet(t)
	u := &url.URL{Scheme: "http", Host: "a.test", Path: "/"}
	line := func(text string) string { return strings.NewReplacer("\n", "", "\r", "").Replace(text) }
	work := map[string]func(string){
		"multipart": func(text string) {
			p, err := requests.NewRequest("POST", "http://a.test/", requests.Form(text, text), requests.File(text, text, strings.NewReader(text))).Prepare(t.Context())
			require.NoError(t, err)
			assert.GreaterOrEqual(t, p.Body.Len(), int64(len(text)))
		},
		"Set-Cookie": func(text string) {
			var jar requests.CookieJar
			jar.SetCookies(u, []*http.Cookie{{Name: "a", Value: "1", Unparsed: []string{text}, RawExpires: text, Path: line(text), Domain: text}})
			headed("Set-Cookie", "a=1; "+line(text)).Cookies()
		},
		"cookies.txt":      func(text string) { _, _ = new(requests.CookieJar).ReadFrom(strings.NewReader(text)) },
		"WWW-Authenticate": func(text string) { digest.Select(digest.ParseChallenges([]string{"Digest " + text, text})) },
		"netrc":            func(text string) { _, _ = netrc.Parse(text[:min(len(text), netrc.MaxSize)]) },
		"form": func(text string) {
			_, err := requests.NewRequest("POST", "http://a.test/", requests.Form(text, text)).Prepare(t.Context())
			require.NoError(t, err)
		},
		"JSON": func(text string) {
			_, err := requests.NewRequest("POST", "http://a.test/", requests.JSON(text)).Prepare(t.Context())
			require.NoError(t, err)
		},
		"Retry-After": func(text string) { headed("Retry-After", text) },
	}
	units := []string{";", "=", "\"", "\\\"", ",", " ", "a=b;", "\t", "\n", "\r", "machine a ", "macdef x\n", "#", "Basic ", "Digest a=\"", "1:", "{", "é", "%", "a=\"\\", "nonce=x,"}
	for name, f := range work {
		t.Run(name, func(t *testing.T) { linearIn(t, units, repeated, f) })
	}
	t.Run("NO_PROXY", func(t *testing.T) {
		linearIn(t, []string{",", " ", "a.test,", ".", "[", "10.0.0.0/8,", "*", "::1,", "%", "x:80,", "é,"}, repeated, func(list string) {
			s := requests.NewSession(requests.Proxies(requests.ProxyMap{"no_proxy": list}))
			defer s.Close()
			_, err := s.MergeEnvironment("http://b.test/")
			require.NoError(t, err)
		})
	})
}

// needsQuiet leaves a test that compares times to a machine that does nothing
// else.
func needsQuiet(t *testing.T) {
	t.Helper()
	if !long() {
		t.Skip("it compares times and needs a quiet machine: set REQUESTS_LONG=1 to run it")
	}
}
