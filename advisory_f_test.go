//go:build unix

package requests_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
)

// oneRequest fails where a head is more than one request: where its first line
// has not three words, or a field was put into it.
func oneRequest(t *testing.T, head, from string) {
	t.Helper()
	line, _, _ := strings.Cut(head, "\r\n")
	assert.Equal(t, 2, strings.Count(line, " "), "%q from %q", line, from)
	assert.Equal(t, printableText(line), line, "from %q", from)
	assert.True(t, strings.HasSuffix(line, " HTTP/1.1"), "%q from %q", line, from)
	assert.Empty(t, valuesOf(head, "X-Evil"), "from %q", from)
	assert.Len(t, valuesOf(head, "Host"), 1, "from %q", from)
}

func TestAdvisory84_LineEndsInURLs(t *testing.T) {
	w := newWorld(t)
	s, a := w.everywhere()
	for _, place := range []string{
		"http://a.test/p%sq", "http://a.test/?q=%s&r", "http://a.test/#%s", "http://u%sv:p@a.test/", "http://u:p%sq@a.test/",
		"http://a%s.test/", "http://a.test%s/", "http://a.test:80%s/", "http://a.test%s", "%shttp://a.test/", "http%s://a.test/",
	} {
		for _, bad := range []string{
			"\r\nX-Evil: 1", " HTTP/1.1\r\nX-Evil: 1\r\n\r\n", "\nX-Evil: 1", "\rX-Evil: 1", "\t", "\x00", " ", "\x7f", "\x01", "\u0085", "\u2028",
			"%0d%0aX-Evil: 1", "%00", "%20HTTP/1.1%0d%0aX-Evil:%201", "\xff\xfe",
		} {
			text := strings.ReplaceAll(place, "%s", bad)
			before := len(a.seen())
			if _, err := s.Get(t.Context(), text); err != nil {
				require.ErrorIs(t, err, requests.ErrRequest)
				assert.Equal(t, printableText(err.Error()), err.Error())
				assert.Len(t, a.seen(), before, "%q failed and was sent", text)
				continue
			}
			require.Len(t, a.seen(), before+1)
			oneRequest(t, a.last(), text)
		}
	}
	for _, bad := range []string{"\r\nX-Evil: 1", "a b", "\x00"} {
		get(t, s, "http://a.test/", requests.Param(bad, bad))
		oneRequest(t, a.last(), bad)
		get(t, s, "http://a.test/", requests.Query(bad))
		oneRequest(t, a.last(), bad)
	}
}

func TestAdvisory85_LineEndsInMethods(t *testing.T) {
	w := newWorld(t)
	a := w.at("http://a.test")
	s := w.session()
	for _, method := range []string{"GET\r\nX-Evil: 1", "GE T", "GET /x HTTP/1.1\r\nX-Evil: 1\r\n\r\nGET", "G@T", "GET\x00", "\xff", "G\u00c9T", "(", "GET\n"} {
		_, err := s.Do(t.Context(), method, "http://a.test/")
		require.ErrorIs(t, err, requests.ErrRequest, "%q", method)
	}
	assert.Empty(t, a.seen())
	// The reference's way: no method is GET, and letters are made large.
	for method, want := range map[string]string{"": "GET", "get": "GET", "pUrGe": "PURGE", "M-SEARCH": "M-SEARCH"} {
		r, err := s.Do(t.Context(), method, "http://a.test/")
		require.NoError(t, err)
		require.True(t, r.OK())
		assert.True(t, strings.HasPrefix(a.last(), want+" / "), a.last())
	}
}

func TestAdvisory87_LineEndsInHeaders(t *testing.T) {
	w := newWorld(t)
	a := w.at("http://a.test")
	s := w.session()
	for _, tt := range [][2]string{
		{"X-A", "b\r\nX-Evil: 1"},
		{"X-A", "b\nX-Evil: 1"},
		{"X-A", "b\rX-Evil: 1"},
		{"X-A", "b\r\n X-Evil: 1"},
		{"X-A", " b"},
		{"X-A", "\tb"},
		{"X-A", "b\x00"},
		{"X-A", "b\r\n"},
		{"X-A\r\nX-Evil", "1"},
		{"X-A: 1\nX-Evil", "1"},
		{"", "1"},
		{" X-A", "1"},
		{"X-A:", "1"},
		{"X-A\x00", "1"},
		{"X-\u00c9", "1"},
		{"Content-Type", "text/plain\r\nX-Evil: 1"},
		{"User-Agent", "a\r\nX-Evil: 1"},
		{"Cookie", "a=1\r\nX-Evil: 1"},
		{"Authorization", "Bearer x\r\nX-Evil: 1"},
		{"Referer", "x\nX-Evil: 1"},
		{"Connection", "close\r\nX-Evil: 1"},
	} {
		_, err := s.Post(t.Context(), "http://a.test/", requests.Header(tt[0], tt[1]), requests.BodyText("b"))
		assert.ErrorIs(t, err, requests.ErrInvalidHeader, "%q", tt)
		_, err = s.Post(t.Context(), "http://a.test/", requests.HeaderBytes(tt[0], []byte(tt[1])))
		assert.ErrorIs(t, err, requests.ErrInvalidHeader, "bytes %q", tt)
	}
	assert.Empty(t, a.seen())
	assert.Zero(t, a.accepted(), "refused after the connection was made")
	// A blank within a name is the caller's own affair, as in the reference.
	get(t, s, "http://a.test/", requests.Header("X A", "1"))
	oneRequest(t, a.last(), "X A")
}

func TestAdvisory88_HostHeader(t *testing.T) {
	w := newWorld(t)
	a := w.at("http://a.test")
	s := w.session()
	for _, host := range []string{
		"a\r\nX-Evil: 1", "a/b", "a b", "a@b", "", "a?b", "a#b", "a\\b", "a\x00", "a\n", "a\tb", "\"a\"", "<a>", "a,b c", "u:p@a", "a\xff",
	} {
		_, err := s.Get(t.Context(), "http://a.test/", requests.Header("Host", host))
		require.ErrorIs(t, err, requests.ErrInvalidHeader, "%q", host)
	}
	_, err := s.Get(t.Context(), "http://a.test/", requests.Settings{}, requests.Header("Host", "a.test"), requests.Header("host", "b.test"))
	require.NoError(t, err)
	assert.Equal(t, []string{"b.test"}, valuesOf(a.last(), "Host"))
	assert.Len(t, a.seen(), 1)
}

func TestAdvisory89_LineEndsInConnect(t *testing.T) {
	w := newWorld(t)
	through := w.at("http://127.0.0.1:3128")
	s := w.session(requests.Proxy("all", "http://127.0.0.1:3128"))
	for _, host := range []string{"a.test\r\nX-Evil: 1", "a.test HTTP/1.1\r\nX-Evil: 1\r\n\r\n", "a.test%0d%0aX-Evil:1", "a\x00.test", "a.test:443\r\n"} {
		_, _ = s.Get(t.Context(), "https://"+host+"/")
	}
	for _, value := range []string{"Basic x\r\nX-Evil: 1", "Basic x\nX-Evil: 1", "\r\n"} {
		_, err := s.Get(t.Context(), "https://a.test/", requests.Header("Proxy-Authorization", value))
		require.ErrorIs(t, err, requests.ErrInvalidHeader, "%q", value)
	}
	for _, proxy := range []string{"http://proxy.test:80\r\nX-Evil: 1", "http://pro xy:80", "http://u\r\n@proxy.test", "http://proxy.test/\x00"} {
		_, err := w.session().Get(t.Context(), "https://a.test/", requests.Proxy("all", proxy))
		require.Error(t, err, "%q", proxy)
	}
	for _, head := range through.seen() {
		oneRequest(t, head, "CONNECT")
		assert.Contains(t, head, "%0d%0a", "an escape is text like any other")
	}
	// A user and a password would go into base64, but have no control characters.
	p := w.at("http://proxy.test:8080")
	_, err := w.session(requests.Proxy("all", "http://u%0d%0aX-Evil:%0d%0a@proxy.test:8080")).Get(t.Context(), "http://a.test/")
	require.ErrorIs(t, err, requests.ErrInvalidHeader)
	assert.Empty(t, p.seen())
}

func TestAdvisory90_TwoFramings(t *testing.T) {
	w := newWorld(t)
	for name, add := range map[string][]string{
		"two spellings":      {"content-length", "5", "Content-Length", "7"},
		"two equal":          {"content-length", "5", "Content-Length", "5"},
		"another length":     {"Content-Length", "7"},
		"length and chunked": {"Content-Length", "5", "Transfer-Encoding", "chunked"},
		"chunked":            {"transfer-encoding", "chunked"},
		"another coding":     {"Transfer-Encoding", "gzip, chunked"},
		"identity":           {"Transfer-Encoding", "identity"},
		"negative":           {"Content-Length", "-1"},
		"signed":             {"Content-Length", "+5"},
		"list":               {"Content-Length", "5, 5"},
	} {
		for kind, body := range map[string]func() *requests.Payload{
			"known":   func() *requests.Payload { return requests.TextPayload("12345") },
			"unknown": func() *requests.Payload { return requests.NewPayload(io.LimitReader(strings.NewReader("12345"), 9)) },
		} {
			t.Run(name+", "+kind, func(t *testing.T) {
				a := w.at("http://a.test")
				s := w.session()
				p, err := s.Prepare(t.Context(), &requests.Request{Method: "POST", URL: "http://a.test/", Body: body()})
				require.NoError(t, err)
				for i := 0; i < len(add); i += 2 {
					p.Headers.Add(add[i], add[i+1])
				}
				oneFraming(t, a, func() error { _, err := s.Send(t.Context(), p); return err })
				oneFraming(t, a, func() error {
					_, err := s.Request(t.Context(), &requests.Request{Method: "POST", URL: "http://a.test/", Body: body(), Headers: requests.NewHeaders(add...)})
					return err
				})
			})
		}
	}
}

// oneFraming wants an error and nothing sent, or one framing and the body.
func oneFraming(t *testing.T, a *site, send func() error) {
	t.Helper()
	before := len(a.seen())
	if err := send(); err != nil {
		require.ErrorIs(t, err, requests.ErrInvalidHeader)
		assert.Len(t, a.seen(), before, "sent in spite of %v", err)
		return
	}
	head := a.last()
	assert.Len(t, append(valuesOf(head, "Content-Length"), valuesOf(head, "Transfer-Encoding")...), 1, head)
	bodies := a.bodies()
	assert.Equal(t, "12345", bodies[len(bodies)-1])
}

// partsOf reads a multipart body as a server does.
func partsOf(t *testing.T, head, body string) (parts []*multipart.Part, texts []string) {
	t.Helper()
	_, params, err := mime.ParseMediaType(strings.Join(valuesOf(head, "Content-Type"), ""))
	require.NoError(t, err)
	assert.Equal(t, body, body[:strings.LastIndex(body, "--"+params["boundary"]+"--")]+"--"+params["boundary"]+"--\r\n")
	r := multipart.NewReader(strings.NewReader(body), params["boundary"])
	for {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return parts, texts
		}
		require.NoError(t, err)
		text, err := io.ReadAll(p)
		require.NoError(t, err)
		parts, texts = append(parts, p), append(texts, string(text))
	}
}

func TestAdvisory91_MultipartInjection(t *testing.T) {
	w := newWorld(t)
	a := w.at("http://a.test")
	s := w.session()
	for _, bad := range []string{
		"a\r\nX-Evil: 1", "a\r\n\r\n--", "a\"; filename=\"evil", "a\nX-Evil: 1", "a\rb", `a\`, `a\"b`, "é", "a\r\n--BOUND--\r\n",
	} {
		_, err := s.Post(t.Context(), "http://a.test/", requests.Form(bad, bad), requests.File(bad, bad, strings.NewReader(bad)))
		require.NoError(t, err, "%q", bad)
		bodies := a.bodies()
		parts, texts := partsOf(t, a.last(), bodies[len(bodies)-1])
		require.Len(t, parts, 2, "%q", bad)
		assert.Equal(t, []string{bad, bad}, texts)
		escaped := strings.NewReplacer("\r", "%0D", "\n", "%0A", `"`, "%22").Replace(bad)
		for i, p := range parts {
			assert.Len(t, p.Header, 1, "%q", bad)
			want := `form-data; name="` + escaped + `"`
			if i == 1 {
				want += `; filename="` + escaped + `"`
			}
			assert.Equal(t, []string{want}, p.Header["Content-Disposition"])
		}
	}
	n := len(a.seen())
	for name, part := range map[string]requests.Part{
		"content type": {Field: "f", ContentType: "text/plain\r\nX-Evil: 1"},
		"value":        {Field: "f", Headers: requests.NewHeaders("X-A", "b\r\nX-Evil: 1")},
		"value, LF":    {Field: "f", Headers: requests.NewHeaders("X-A", "b\nX-Evil: 1")},
		"name":         {Field: "f", Headers: requests.NewHeaders("X-A: 1\r\nX-Evil", "1")},
	} {
		part.Content = requests.TextPayload("x")
		_, err := s.Post(t.Context(), "http://a.test/", requests.Files(part))
		require.ErrorIs(t, err, requests.ErrInvalidHeader, name)
	}
	assert.Len(t, a.seen(), n)
}

func TestAdvisory92_Boundaries(t *testing.T) {
	w := newWorld(t)
	a := w.at("http://a.test")
	s := w.session()
	seen, content := map[string]bool{}, "--"
	for range 20 {
		_, err := s.Post(t.Context(), "http://a.test/", requests.File("f", "n", strings.NewReader(content)))
		require.NoError(t, err)
		_, params, err := mime.ParseMediaType(valuesOf(a.last(), "Content-Type")[0])
		require.NoError(t, err)
		boundary := params["boundary"]
		assert.Regexp(t, "^[0-9a-f]{32}$", boundary, "16 bytes at random")
		assert.False(t, seen[boundary])
		seen[boundary] = true
		bodies := a.bodies()
		_, texts := partsOf(t, a.last(), bodies[len(bodies)-1])
		assert.Equal(t, []string{content}, texts)
		content = "\r\n--" + boundary + "\r\n\r\n--" + boundary + "--\r\n" // of before
	}
}

// The host that is dialled is the one that net/url reads in the text that was
// given, and in the one that is shown.
func TestAdvisory93_MalformedURLsAreNotRepaired(t *testing.T) {
	pieces := []string{
		"a.test", "b.test", "@", ":", "80", "81", "/", "//", "\\", "?", "#", "%40", "%2f", "%5c", "u", "[::1]", "[", "]", "..", ".", " ", ";", "&", "=",
	}
	random := rand.New(rand.NewPCG(1, 2))
	w := newWorld(t)
	s := w.session()
	dialled := 0
	for range 5000 {
		text := "http://"
		for range 1 + random.IntN(7) {
			text += pieces[random.IntN(len(pieces))]
		}
		p, err := s.Prepare(t.Context(), &requests.Request{URL: text})
		if err != nil {
			continue
		}
		w.asked()
		_, err = s.Send(t.Context(), p, requests.AllowRedirects(false))
		asked := w.asked()
		require.Error(t, err, "nobody is there")
		if len(asked) == 0 {
			continue
		}
		dialled++
		require.Len(t, asked, 1)
		require.Equal(t, asked[0], dialledFor(p.URL), "%q is shown as %q", text, p.URL)
		if given, err := url.Parse(text); err == nil {
			require.Equal(t, asked[0], dialledFor(given.String()), "%q", text)
		}
	}
	assert.Greater(t, dialled, 100)
}

// hostOf is the host and port of a URL, the plain way: what is before the
// path, and after the last at sign.
func hostOf(text string) string {
	_, rest, _ := strings.Cut(text, "://")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	return strings.ToLower(rest[strings.LastIndexByte(rest, '@')+1:])
}

// dialledFor is the address that an http URL stands for.
func dialledFor(text string) string {
	host := strings.TrimSuffix(hostOf(text), ":")
	if found := strings.Contains(host, ":"); found && !strings.HasSuffix(host, "]") {
		return host
	}
	return host + ":80"
}

func TestAdvisory94_HopByHopHeaders(t *testing.T) {
	w := newWorld(t)
	a := w.scripted("http://a.test", func(_ int, _ *http.Request, body []byte) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	})
	s := w.session()
	for _, tt := range [][2]string{
		{"Connection", "X-A"},
		{"Connection", "Content-Length"},
		{"Connection", "keep-alive, Transfer-Encoding"},
		{"TE", "trailers, gzip"},
		{"Trailer", "X-A"},
		{"Keep-Alive", "timeout=1"},
		{"Upgrade", "h2c"},
		{"Connection", "Upgrade, HTTP2-Settings"},
		{"Proxy-Connection", "close"},
	} {
		for _, body := range []*requests.Payload{nil, requests.TextPayload("12345"), requests.NewPayload(io.MultiReader(bytes.NewReader([]byte("12345"))))} {
			r, err := s.Post(t.Context(), "http://a.test/", requests.Header(tt[0], tt[1]), requests.Header("X-A", "1"), requests.PayloadOf(body))
			require.NoError(t, err, "%q", tt)
			want := ""
			if body != nil {
				want = "12345"
			}
			assert.Equal(t, want, r.Text(), "%q", tt)
			head := a.last()
			assert.Len(t, append(valuesOf(head, "Content-Length"), valuesOf(head, "Transfer-Encoding")...), 1, head)
		}
	}
}
