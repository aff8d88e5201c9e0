package requests

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPrepareMethod(t *testing.T) {
	for _, tt := range []struct{ method, want string }{
		{"", "GET"},
		{"get", "GET"},
		{"Mkcol", "MKCOL"},
		{"X-y!", "X-Y!"},
		{"GE T", ""},
		{"GET\r\nX: 1", ""},
		{"é", ""},
		{"GET/", ""},
	} {
		p, err := NewRequest(tt.method, "http://a.test/").Prepare(t.Context())
		if tt.want == "" {
			assert.ErrorIs(t, err, ErrInvalidOption, "%q", tt.method)
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, tt.want, p.Method)
	}
}

func TestPrepareURL(t *testing.T) {
	tests := []struct {
		url  string
		opts []Option
		want string
		err  error
	}{
		{"http://a.test", nil, "http://a.test/", nil},
		{" http://a.test/ä b", nil, "http://a.test/%C3%A4%20b", nil},
		{"http://a.test/?x=1", []Option{Param("a", "b c", "é")}, "http://a.test/?x=1&a=b+c&a=%C3%A9", nil},
		{"http://a.test/#f", []Option{Param("a", "1")}, "http://a.test/?a=1#f", nil},
		{"http://a.test/", []Option{Query("a=b c"), Param("x", "1")}, "http://a.test/?a=b%20c", nil},
		{"http://a.test/", []Option{Param("a")}, "http://a.test/", nil},
		{"http://BÜCHER.test/", nil, "http://xn--bcher-kva.test/", nil},
		{"mailto:a@b.test", []Option{Param("a", "1")}, "mailto:a@b.test", nil},
		{"a.test", nil, "", ErrMissingSchema},
		{"//a.test", nil, "", ErrMissingSchema},
		{"http://", nil, "", ErrInvalidURL},
		{"http://a.test:bad/", nil, "", ErrInvalidURL},
		{"", nil, "", ErrMissingSchema},
	}
	for _, tt := range tests {
		p, err := NewRequest("GET", tt.url, tt.opts...).Prepare(t.Context())
		if tt.err != nil {
			assert.ErrorIs(t, err, tt.err, tt.url)
			continue
		}
		require.NoError(t, err, tt.url)
		assert.Equal(t, tt.want, p.URL)
	}
}

func TestPrepareFraming(t *testing.T) {
	tests := []struct {
		method string
		opts   []Option
		want   string
	}{
		{"GET", nil, ""},
		{"HEAD", nil, ""},
		{"POST", nil, "Content-Length: 0\n"},
		{"DELETE", nil, "Content-Length: 0\n"},
		{"GET", []Option{BodyText("abc")}, "Content-Length: 3\n"},
		{"POST", []Option{Body(onlyReader{strings.NewReader("")})}, "Transfer-Encoding: chunked\n"},
		{"POST", []Option{JSON(1)}, "Content-Length: 1\nContent-Type: application/json\n"},
		{"POST", []Option{Form("a", "1")}, "Content-Length: 3\nContent-Type: application/x-www-form-urlencoded\n"},
		{"POST", []Option{Form("a", "1"), Header("content-type", "x/y")}, "content-type: x/y\nContent-Length: 3\n"},
	}
	for _, tt := range tests {
		p, err := NewRequest(tt.method, "http://a.test/", tt.opts...).Prepare(t.Context())
		require.NoError(t, err)
		assert.Equal(t, tt.want, listed(p.Headers), "%s", tt.method)
	}
}

func TestSetBody(t *testing.T) {
	p, err := NewRequest("POST", "http://a.test/", BodyText("abc")).Prepare(t.Context())
	require.NoError(t, err)
	p.SetBody(TextPayload("longer"))
	assert.Equal(t, "6", p.Headers.Get("Content-Length"))
	assert.NoError(t, checkFraming(p))

	p.Headers.Del("Content-Length")
	p.SetBody(NewPayload(onlyReader{strings.NewReader("x")}))
	assert.Equal(t, "chunked", p.Headers.Get("Transfer-Encoding"))
	assert.NoError(t, checkFraming(p))
	p.SetBody(nil)
	assert.False(t, p.Headers.Has("Transfer-Encoding"))
	assert.NoError(t, checkFraming(p))
}

// SetBody keeps the headers in step whatever the body was before.
func TestSetBodyKeepsInStep(t *testing.T) {
	bodies := map[string]func() *Payload{
		"none":    func() *Payload { return nil },
		"bytes":   func() *Payload { return TextPayload("abc") },
		"unknown": func() *Payload { return NewPayload(onlyReader{strings.NewReader("x")}) },
	}
	for from, first := range bodies {
		for to, second := range bodies {
			t.Run(from+" to "+to, func(t *testing.T) {
				p, err := NewRequest("POST", "http://a.test/", PayloadOf(first())).Prepare(t.Context())
				require.NoError(t, err)
				p.SetBody(second())
				assert.NoError(t, checkFraming(p), listed(p.Headers))
			})
		}
	}
}

// Auth comes after the body, sees all and may change all.
func TestPrepareAuth(t *testing.T) {
	var seen string
	auth := AuthFunc(func(_ context.Context, p *PreparedRequest) error {
		seen = p.Method + " " + p.URL + " " + p.Headers.Get("Content-Length") + " " + p.Headers.Get("Cookie")
		p.Headers.Set("X-Signed", "1")
		p.Body = TextPayload("changed")
		return nil
	})
	p, err := NewRequest("POST", "http://u:p@a.test/", Auth(auth), BodyText("abc"), Cookie("c", "1")).Prepare(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "POST http://u:p@a.test/ 3 c=1", seen)
	assert.Equal(t, "1", p.Headers.Get("X-Signed"))
	assert.Equal(t, "7", p.Headers.Get("Content-Length"), "in step with the new body")
	assert.False(t, p.Headers.Has("Authorization"))

	_, err = NewRequest("GET", "http://a.test/", Auth(AuthFunc(func(context.Context, *PreparedRequest) error { return errBoom }))).
		Prepare(t.Context())
	assert.ErrorIs(t, err, errBoom)
	assert.ErrorIs(t, err, ErrRequest)
}

func TestPrepareAuthOfURL(t *testing.T) {
	const userPass = "Basic dTpwIDE="
	tests := []struct {
		url  string
		opts []Option
		want string
	}{
		{"http://u:p%201@a.test/", nil, userPass},
		{"http://a.test/", nil, ""},
		{"http://u:p%201@a.test/", []Option{Auth(NoAuth)}, ""},
		{"http://u:p%201@a.test/", []Option{BearerAuth("t")}, "Bearer t"},
		{"http://a.test/", []Option{BasicAuth("u", "p 1")}, userPass},
	}
	for _, tt := range tests {
		p, err := NewRequest("GET", tt.url, tt.opts...).Prepare(t.Context())
		require.NoError(t, err)
		assert.Equal(t, tt.want, p.Headers.Get("Authorization"), tt.url)
	}
}

func TestPrepareCookies(t *testing.T) {
	p, err := NewRequest("GET", "http://a.test/", Cookie("a", "1"), Cookies(&http.Cookie{Name: "b", Value: "2"})).Prepare(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "a=1; b=2", p.Headers.Get("Cookie"))
	p, err = NewRequest("GET", "http://a.test/", Cookie("a", "1"), Header("cookie", "mine=1")).Prepare(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "mine=1", p.Headers.Get("Cookie"), "the caller's header stays")
	_, err = NewRequest("GET", "http://a.test/", Cookie("a", "1\r\n")).Prepare(t.Context())
	assert.ErrorIs(t, err, ErrInvalidHeader)
}

func TestPreparedText(t *testing.T) {
	p, err := NewRequest("GET", "http://u:secret@a.test/x y?q#f").Prepare(t.Context())
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		assert.Equal(t, "<PreparedRequest [GET]>", fmt.Sprintf(verb, p))
	}
	assert.Equal(t, "/x%20y?q", p.PathURL())
	p.URL = "nonsense"
	assert.Empty(t, p.PathURL())
}

func TestPreparedCopy(t *testing.T) {
	p, err := NewRequest("POST", "http://a.test/", Header("X", "1"), BodyText("abc")).Prepare(t.Context())
	require.NoError(t, err)
	q := p.Copy()
	q.Headers.Set("X", "2")
	q.Method = "PUT"
	assert.Equal(t, "1", p.Headers.Get("X"))
	assert.Equal(t, "POST", p.Method)
	assert.Same(t, p.Body, q.Body)
}

// The method is looked at again when a request is sent: it may have been
// changed, or never been prepared.
func TestSendChecksMethod(t *testing.T) {
	for _, tt := range []struct{ method, want string }{
		{"", "GET"},
		{"get", "get"}, // as it is: only preparing changes the case
		{"A B", ""},
		{"GET\r\nX: 1", ""},
		{"é", ""},
	} {
		var got []string
		note := func(r *http.Request) { got = append(got, r.Method) }
		url := loopServer(t, func(_ http.ResponseWriter, r *http.Request) { note(r) })
		s := loopSession(t)
		s.Mount("own://", cannedAdapter(func(_ context.Context, p *PreparedRequest, _ Settings) (*Response, error) {
			got = append(got, p.Method)
			return NewResponse(p, 200, "", Headers{}, nil), nil
		}))
		bare := func(url string) *PreparedRequest { return &PreparedRequest{Method: tt.method, URL: url} }
		send := map[string]func() error{
			"session": func() error { _, err := s.Send(t.Context(), bare(url)); return err },
			"adapter": func() error {
				a := new(HTTPAdapter)
				defer a.Close()
				r, err := a.Send(t.Context(), bare(url), Settings{})
				if err == nil {
					err = r.Close()
				}
				return err
			},
			"other adapter": func() error { _, err := s.Send(t.Context(), bare("own://x")); return err },
			"auth": func() error {
				_, err := s.Post(t.Context(), url, Auth(AuthFunc(func(_ context.Context, p *PreparedRequest) error {
					p.Method = tt.method
					return nil
				})))
				return err
			},
		}
		for name, send := range send {
			got = nil
			err := send()
			if tt.want == "" {
				require.ErrorIs(t, err, ErrInvalidOption, "%s %q", name, tt.method)
				assert.Empty(t, got, "%s %q", name, tt.method)
				continue
			}
			require.NoError(t, err, "%s %q", name, tt.method)
			assert.Equal(t, []string{tt.want}, got, "%s %q", name, tt.method)
		}
	}
}

// What the caller changes after preparing is what is sent.
func TestChangedPreparedRequestIsSent(t *testing.T) {
	var got string
	url := loopServer(t, func(w http.ResponseWriter, r *http.Request) {
		echoBody(w, r)
		got = r.Method + " " + r.RequestURI + " " + r.Header.Get("X")
	})
	s := loopSession(t)
	p, err := s.Prepare(t.Context(), NewRequest("GET", "http://127.0.0.1:1/"))
	require.NoError(t, err)
	p.Method, p.URL = "PUT", url+"/new path?q"
	p.Headers.Set("X", "1")
	p.SetBody(TextPayload("body"))
	r, err := s.Send(t.Context(), p)
	require.NoError(t, err)
	assert.Equal(t, "PUT /new%20path?q 1", got)
	assert.Equal(t, "body", r.Text())
}

// Where the caller took the header that frames the body away, it is sent all
// the same: without it the server would take the body for a request.
func TestSendFramesWithoutHeader(t *testing.T) {
	tests := []struct {
		name, method string
		body         *Payload
		want         string
	}{
		{"bytes", "POST", TextPayload("abc"), "Content-Length: 3"},
		{"unknown length", "POST", NewPayload(onlyReader{strings.NewReader("abc")}), "Transfer-Encoding: chunked"},
		{"unknown length of GET", "GET", NewPayload(onlyReader{strings.NewReader("abc")}), "Transfer-Encoding: chunked"},
		{"none of POST", "POST", nil, "Content-Length: 0"},
		{"none of GET", "GET", nil, ""},
		{"none of DELETE", "DELETE", nil, ""},
	}
	heads := make(chan string, 1)
	url := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
		heads <- readHead(r)
		_, _ = io.WriteString(c, okEmpty)
		_, _ = io.Copy(io.Discard, r)
	})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := loopSession(t)
			p, err := s.Prepare(t.Context(), NewRequest(tt.method, url))
			require.NoError(t, err)
			p.SetBody(tt.body)
			p.Headers.Del("Content-Length")
			p.Headers.Del("Transfer-Encoding")
			_, err = s.Send(t.Context(), p)
			require.NoError(t, err)
			var got []string
			for line := range strings.SplitSeq(<-heads, "\r\n") {
				if name, _, _ := strings.Cut(line, ":"); name == "Content-Length" || name == "Transfer-Encoding" {
					got = append(got, line)
				}
			}
			assert.Equal(t, tt.want, strings.Join(got, ", "))
		})
	}
}

// Framing that the caller's headers get wrong is an error at Send.
func TestSendChecksFraming(t *testing.T) {
	tests := []struct {
		name   string
		change func(p *PreparedRequest)
	}{
		{"two lengths", func(p *PreparedRequest) { p.Headers.Add("content-length", "3") }},
		{"wrong length", func(p *PreparedRequest) { p.Headers.Set("Content-Length", "4") }},
		{"length in words", func(p *PreparedRequest) { p.Headers.Set("Content-Length", "+3") }},
		{"chunked and a length", func(p *PreparedRequest) { p.Headers.Set("Transfer-Encoding", "chunked") }},
		{"length of no body", func(p *PreparedRequest) { p.Body = nil }},
		{"two codings", func(p *PreparedRequest) {
			p.SetBody(NewPayload(onlyReader{strings.NewReader("x")}))
			p.Headers.Del("Content-Length")
			p.Headers.Add("Transfer-Encoding", "chunked")
		}},
		{"another coding", func(p *PreparedRequest) {
			p.SetBody(NewPayload(onlyReader{strings.NewReader("x")}))
			p.Headers.Del("Content-Length")
			p.Headers.Set("Transfer-Encoding", "gzip, chunked")
		}},
		{"length of an unknown body", func(p *PreparedRequest) {
			p.Body = NewPayload(onlyReader{strings.NewReader("x")})
		}},
		{"two hosts", func(p *PreparedRequest) { p.Headers.Add("Host", "a"); p.Headers.Add("host", "b") }},
		{"no host", func(p *PreparedRequest) { p.Headers.Set("Host", "") }},
		{"host that is none", func(p *PreparedRequest) { p.Headers.Set("Host", "a/b") }},
		{"line end", func(p *PreparedRequest) { p.Headers.Set("X", "a\nb") }},
		{"beyond Latin-1", func(p *PreparedRequest) { p.Headers.Set("X", "日") }},
	}
	url := loopServer(t, echoBody)
	s := loopSession(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := s.Prepare(t.Context(), NewRequest("POST", url, BodyText("abc")))
			require.NoError(t, err)
			tt.change(p)
			_, err = s.Send(t.Context(), p)
			require.ErrorIs(t, err, ErrInvalidHeader)
			assert.False(t, asError(t, err).MaybeSent)
		})
	}
}

func TestSendChecksURL(t *testing.T) {
	s := loopSession(t)
	for url, kind := range map[string]error{
		"ftp://a.test/":   ErrInvalidSchema,
		"mailto:a@b.test": ErrInvalidSchema,
		"http://a..test/": ErrInvalidURL,
		"http://" + strings.Repeat("a", 64) + ".test/": ErrInvalidURL,
	} {
		_, err := s.Get(t.Context(), url)
		assert.ErrorIs(t, err, kind, url)
	}
	_, err := s.Send(t.Context(), nil)
	assert.ErrorIs(t, err, ErrInvalidOption)
	_, err = s.Send(t.Context(), &PreparedRequest{})
	assert.ErrorIs(t, err, ErrMissingSchema)
	_, err = new(HTTPAdapter).Send(t.Context(), &PreparedRequest{URL: "x"}, Settings{})
	assert.ErrorIs(t, err, ErrMissingSchema)
}
