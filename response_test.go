package requests

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests/internal/wire"
)

func TestStatusPredicates(t *testing.T) {
	tests := []struct {
		status              int
		location            bool
		ok, redirect, moved bool
		raise               string
	}{
		{100, false, true, false, false, ""},
		{200, false, true, false, false, ""},
		{200, true, true, false, false, ""},
		{300, true, true, false, false, ""},
		{301, true, true, true, true, ""},
		{301, false, true, false, false, ""},
		{302, true, true, true, false, ""},
		{303, true, true, true, false, ""},
		{304, true, true, false, false, ""},
		{307, true, true, true, false, ""},
		{308, true, true, true, true, ""},
		{399, false, true, false, false, ""},
		{400, false, false, false, false, "400 Client Error: R for url: http://a.test/"},
		{499, false, false, false, false, "499 Client Error: R for url: http://a.test/"},
		{500, false, false, false, false, "500 Server Error: R for url: http://a.test/"},
		{599, false, false, false, false, "599 Server Error: R for url: http://a.test/"},
		{600, false, true, false, false, ""},
		{999, false, true, false, false, ""},
	}
	for _, tt := range tests {
		var h Headers
		if tt.location {
			h.Set("location", "/x")
		}
		r := NewResponse(&PreparedRequest{URL: "http://a.test/"}, tt.status, "R", h, nil)
		assert.Equal(t, tt.ok, r.OK(), "%d", tt.status)
		assert.Equal(t, tt.redirect, r.IsRedirect(), "%d", tt.status)
		assert.Equal(t, tt.moved, r.IsPermanentRedirect(), "%d", tt.status)
		if tt.raise == "" {
			assert.NoError(t, r.RaiseForStatus())
			continue
		}
		assert.EqualError(t, r.RaiseForStatus(), tt.raise)
	}
}

// A peer's reason cannot make the text of the error long, nor act on a
// terminal.
func TestRaiseForStatusIsBounded(t *testing.T) {
	r := NewResponse(nil, 500, strings.Repeat("\x1b", 5000), Headers{}, nil)
	assert.LessOrEqual(t, len(r.RaiseForStatus().Error()), maxErrorText)
	assert.NotContains(t, r.RaiseForStatus().Error(), "\x1b")
}

func TestNewResponse(t *testing.T) {
	p := &PreparedRequest{Method: "GET", URL: "http://a.test/"}
	src := &pieceReader{pieces: []string{"\xe9"}, err: io.EOF}
	r := NewResponse(p, 200, "OK", NewHeaders("Content-Type", "text/plain"), src)
	assert.Equal(t, "http://a.test/", r.URL)
	assert.Same(t, p, r.Request)
	assert.Equal(t, "ISO-8859-1", r.Encoding)
	assert.Equal(t, "é", r.Text())
	assert.Equal(t, 1, src.closed, "a body that was read is closed")
	assert.Equal(t, "<Response [200]>", fmt.Sprintf("%v", r))
	assert.Equal(t, "<Response [200]>", fmt.Sprintf("%#v", r))
	assert.Zero(t, r.Trailers().Len())
	assert.Empty(t, r.Attempts())
	next, err := r.Next(t.Context())
	assert.NoError(t, err)
	assert.Nil(t, next)
	assert.Empty(t, NewResponse(nil, 204, "", Headers{}, nil).Content())
	assert.Empty(t, NewResponse(nil, 204, "", Headers{}, nil).Text())
}

// A response that was made without NewResponse has no body, to every reader.
func TestResponseWithoutBody(t *testing.T) {
	readers := map[string]func(t *testing.T, r *Response){
		"Content": func(t *testing.T, r *Response) { assert.Nil(t, r.Content()) },
		"Text":    func(t *testing.T, r *Response) { assert.Empty(t, r.Text()) },
		"ReadAll": func(t *testing.T, r *Response) {
			b, err := r.ReadAll()
			assert.NoError(t, err)
			assert.Empty(t, b)
		},
		"Read": func(t *testing.T, r *Response) {
			n, err := r.Read(make([]byte, 1))
			assert.Zero(t, n)
			assert.Equal(t, io.EOF, err)
		},
		"Raw": func(t *testing.T, r *Response) {
			b, err := io.ReadAll(r.Raw())
			assert.NoError(t, err)
			assert.Empty(t, b)
		},
		"WriteTo": func(t *testing.T, r *Response) {
			n, err := r.WriteTo(io.Discard)
			assert.NoError(t, err)
			assert.Zero(t, n)
		},
		"Chunks": func(t *testing.T, r *Response) { assert.Empty(t, piecesOf(t, r, 3)) },
		"Lines": func(t *testing.T, r *Response) {
			for line, err := range r.Lines() {
				t.Errorf("got %q, %v", line, err)
			}
		},
		"JSON": func(t *testing.T, r *Response) { assert.ErrorIs(t, r.JSON(new(any)), ErrJSONDecode) },
		"Trailers": func(t *testing.T, r *Response) {
			assert.Zero(t, r.Trailers().Len())
			assert.Zero(t, r.Cookies().Len())
			assert.Empty(t, r.Attempts())
			assert.Empty(t, r.Links())
			assert.Nil(t, r.Partial())
			assert.NoError(t, r.RaiseForStatus())
		},
		"Next": func(t *testing.T, r *Response) {
			p, err := r.Next(t.Context())
			assert.NoError(t, err)
			assert.Nil(t, p)
		},
		"Close": func(t *testing.T, r *Response) { assert.NoError(t, r.Close()) },
	}
	literal := func(context.Context, *Response) (*Response, error) { return &Response{StatusCode: 299}, nil }
	s := cannedSession(t, func(context.Context, *PreparedRequest, Settings) (*Response, error) {
		return &Response{StatusCode: 200}, nil
	}, Auth(&Digest{Username: "u", Password: "p"}))
	got := func(opts ...Option) *Response {
		r, err := s.Get(t.Context(), "http://a.test/", opts...)
		require.NoError(t, err)
		return r
	}
	for name, read := range readers {
		t.Run(name, func(t *testing.T) {
			for _, r := range []*Response{
				{}, got(), got(Stream()), got(OnResponse(literal)), got(OnResponse(literal), Stream()),
			} {
				read(t, r)
				assert.NoError(t, r.Close())
			}
		})
	}
}

// Such responses of an adapter are answered, and redirects followed, as others
// are.
func TestAdapterLeavesOutRequest(t *testing.T) {
	var sent []string
	s := cannedSession(t, func(_ context.Context, p *PreparedRequest, _ Settings) (*Response, error) {
		sent = append(sent, p.URL+" "+p.Headers.Get("Authorization")[:min(6, len(p.Headers.Get("Authorization")))])
		switch len(sent) {
		case 1:
			return &Response{StatusCode: 401, Headers: NewHeaders("WWW-Authenticate", `Digest realm="r", nonce="n"`)}, nil
		case 2:
			return &Response{StatusCode: 302, Headers: NewHeaders("Location", "/to", "Set-Cookie", "a=b")}, nil
		}
		return &Response{StatusCode: 200}, nil
	})
	r, err := s.Get(t.Context(), "http://a.test/", DigestAuth("u", "p"))
	require.NoError(t, err)
	assert.Equal(t, []string{"http://a.test/ ", "http://a.test/ Digest", "http://a.test/to "}, sent)
	assert.Equal(t, "http://a.test/to", r.Request.URL)
	assert.Equal(t, 1, s.Cookies.Len())
}

func TestJSONOfResponse(t *testing.T) {
	utf16 := func(s string) string {
		var b strings.Builder
		for _, r := range s {
			b.WriteString(string([]byte{byte(r), byte(r >> 8)}))
		}
		return b.String()
	}
	tests := []struct {
		name, encoding, body string
		ok                   bool
	}{
		{"plain", "", `{"a":"é"}`, true},
		{"utf-8 told", "utf-8", `{"a":"é"}`, true},
		{"mark", "", "\ufeff" + `{"a":"é"}`, true},
		{"utf-16", "", utf16(`{"a":"é"}`), true},
		{"utf-16 with mark", "", "\xff\xfe" + utf16(`{"a":"é"}`), true},
		{"latin-1 told", "iso-8859-1", "{\"a\":\"\xe9\"}", true},
		{"nothing", "", "", false},
		{"no JSON", "", "<html>", false},
		{"another type", "", "[1]", false},
		{"something behind", "", `{"a":"é"} x`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := given(nil, tt.body)
			r.URL, r.Encoding = "http://u:pw@a.test/?q", tt.encoding
			var v struct{ A string }
			err := r.JSON(&v)
			if tt.ok {
				require.NoError(t, err)
				assert.Equal(t, "é", v.A)
				return
			}
			require.ErrorIs(t, err, ErrJSONDecode)
			assert.ErrorIs(t, err, ErrInvalidJSON)
			e := asError(t, err)
			assert.Same(t, r, e.Response)
			assert.Error(t, errors.Unwrap(e), "the decoder's own")
			assert.NotContains(t, err.Error(), "pw")
		})
	}
}

// TestJSONOfEncodings reads JSON that is in no UTF, or not in the one it seems
// to be in.
func TestJSONOfEncodings(t *testing.T) {
	tests := []struct {
		name     string
		encoding string // As the header or the caller has it; empty: not known.
		body     string
		want     string // The value of "a"; empty: no JSON.
	}{
		{"windows-1251", "", "{\"a\":\"\xcf\xf0\xe8\xe2\xe5\xf2, \xec\xe8\xf0! \xca\xe0\xea \xe4\xe5\xeb\xe0?\"}", "Привет, мир! Как дела?"},
		{"shift_jis", "", "{\"a\":\"\x83e\x83X\x83g\x82\xcc\x83f\x81[\x83^\x82\xc5\x82\xb7\x81B\"}", "テストのデータです。"},
		{"windows-1252", "", "{\"a\":\"Il \xe9tait une fois un \xe9l\xe8ve tr\xe8s f\xe2ch\xe9\"}", "Il était une fois un élève très fâché"},
		{"shift_jis told", "shift_jis", "{\"a\":\"\x82\xa0\"}", "あ"},
		{"told, and wrong", "utf-8", "{\"a\":\"\xcf\xf0\xe8\"}", "\uFFFD\uFFFD\uFFFD"},
		{"told, and cut", "utf-8", "{\"a\":\"\xe4\xbd\"}", "\uFFFD"},
		{"told, not known", "klingon", "{\"a\":\"\xc3\xa9\"}", "é"},
		{"told, not known, cut", "klingon", "{\"a\":\"\xe4\xbd\"}", "\uFFFD"},
		{"told, utf-8 read as ascii", "ascii", "{\"a\":\"\xc3\xa9\"}", "\uFFFD\uFFFD"},
		{"utf-8 with U+FFFD", "", "{\"a\":\"\uFFFDx\"}", "\uFFFDx"},
		{"utf-16 with U+FFFD", "", "{\x00\"\x00a\x00\"\x00:\x00\"\x00\xfd\xffx\x00\"\x00}\x00", "\uFFFDx"},
		{"utf-16 of Japanese", "", "{\x00\"\x00a\x00\"\x00:\x00\"\x00\xe5\x65\x2c\x67\x9e\x8a\"\x00}\x00", "日本語"},
		{"two NULs that are no utf-16", "", "{\x00\x00\"a\":1}", ""},
		{"one NUL", "", "{\"\x00\":\"a\"}", ""},
		{"windows-1251, no JSON", "", "\xcf\xf0\xe8\xe2\xe5\xf2, \xec\xe8\xf0!", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := given(nil, tt.body)
			r.Encoding = tt.encoding
			var v struct{ A string }
			err := r.JSON(&v)
			if tt.want == "" {
				require.ErrorIs(t, err, ErrJSONDecode)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.want, v.A)
			assert.Equal(t, tt.body, string(r.Content()), "the bytes stay")
		})
	}
}

func TestLinks(t *testing.T) {
	h := NewHeaders("Link", `<http://a.test/2>; rel="next"; title=x`)
	h.Add("Link", `</last>; rel=last, </plain>`)
	links := NewResponse(nil, 200, "", h, nil).Links()
	assert.Len(t, links, 3)
	assert.Equal(t, Link{URL: "http://a.test/2", Params: map[string]string{"rel": "next", "title": "x"}}, links["next"])
	assert.Equal(t, "/last", links["last"].URL)
	assert.Equal(t, "/plain", links["/plain"].URL)
	assert.Empty(t, NewResponse(nil, 200, "", Headers{}, nil).Links())
}

// What a response over the network holds.
func TestResponseFields(t *testing.T) {
	url := loopServer(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h["Set-Cookie"] = []string{"a=1", "b=2"}
		h.Set("X-Bytes", "caf\xe9")
		h.Set("Trailer", "X-End")
		w.WriteHeader(404)
		fmt.Fprint(w, "é")
		h.Set("X-End", "1")
	})
	s := loopSession(t)
	r, err := s.Get(t.Context(), url+"/x?q=1#frag")
	require.NoError(t, err)
	assert.Equal(t, 404, r.StatusCode)
	assert.Equal(t, "Not Found", r.Reason)
	assert.Equal(t, "HTTP/1.1", r.Proto)
	assert.Equal(t, url+"/x?q=1#frag", r.URL)
	assert.Equal(t, "utf-8", r.Encoding)
	assert.Equal(t, []string{"a=1", "b=2"}, r.Headers.Values("set-cookie"))
	assert.Equal(t, "a=1, b=2", r.Headers.Get("set-cookie"))
	assert.Equal(t, "café", r.Headers.Get("X-Bytes"))
	assert.Equal(t, "1", r.Trailers().Get("X-End"))
	assert.Positive(t, r.Elapsed)
	assert.Nil(t, r.TLS)
	assert.Empty(t, r.History)
	assert.Equal(t, "é", r.Text())
	assert.Equal(t, 2, r.Cookies().Len())
	assert.Equal(t, 2, s.Cookies.Len())
}

func TestReasonPhrases(t *testing.T) {
	for line, want := range map[string]string{
		"HTTP/1.1 200 Fine\r\n":     "Fine",
		"HTTP/1.1 200 \r\n":         "",
		"HTTP/1.1 200\r\n":          "",
		"HTTP/1.1 299 a  b \r\n":    "a  b",
		"HTTP/1.1 200 caf\xe9\r\n":  "café",
		"HTTP/1.0 200 Old\r\n":      "Old",
		"HTTP/1.1 999 Whatever\r\n": "Whatever",
	} {
		url := rawLoop(t, answerAll(line+"Content-Length: 0\r\n\r\n"))
		r, err := loopSession(t).Get(t.Context(), url)
		require.NoError(t, err, line)
		assert.Equal(t, want, r.Reason, line)
	}
}

// Decode raises for the status before it decodes, and closes.
func TestDecode(t *testing.T) {
	type item struct{ A int }
	url := loopServer(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/missing":
			w.WriteHeader(404)
			fmt.Fprint(w, `{"a":1}`)
		case "/bad":
			fmt.Fprint(w, `no`)
		case "/echo":
			w.Header().Set("X-Method", r.Method)
			_, _ = w.Write(b)
		default:
			fmt.Fprint(w, `{"a":7}`)
		}
	})
	ctx := t.Context()
	v, err := GetJSON[item](ctx, url)
	require.NoError(t, err)
	assert.Equal(t, item{7}, v)

	_, err = GetJSON[item](ctx, url+"/missing")
	var he *HTTPError
	require.ErrorAs(t, err, &he)
	assert.Equal(t, `{"a":1}`, he.Response.Text())

	_, err = GetJSON[item](ctx, url+"/bad")
	assert.ErrorIs(t, err, ErrJSONDecode)

	for name, call := range map[string]func() (item, error){
		"POST":  func() (item, error) { return PostJSON[item](ctx, url+"/echo", item{3}) },
		"PUT":   func() (item, error) { return PutJSON[item](ctx, url+"/echo", item{3}) },
		"PATCH": func() (item, error) { return PatchJSON[item](ctx, url+"/echo", item{3}) },
	} {
		v, err := call()
		require.NoError(t, err, name)
		assert.Equal(t, item{3}, v, name)
	}
	_, err = Decode[item](nil, errBoom)
	assert.ErrorIs(t, err, errBoom)

	s := loopSession(t)
	v, err = Decode[item](s.Get(ctx, url, Stream()))
	require.NoError(t, err)
	assert.Equal(t, item{7}, v)
	CloseIdleConnections()
}

// Headers are as the server sent them, however the response comes and whoever reads
// it. net/http keeps neither order nor spelling, leaves out the fields that frame a
// message, and adds to a Pragma.
func TestResponseHeadersAreTheServers(t *testing.T) {
	const fields = "x-b: 2\r\nset-Cookie: a=1\r\nETag: \"\xe9\"\r\nPragma: no-cache\r\nX-B:\r\nSet-Cookie:  b=2 \r\nCONNECTION: Keep-Alive\r\n"
	const listing = "x-b: 2\nset-Cookie: a=1\nETag: \"é\"\nPragma: no-cache\nX-B: \nSet-Cookie: b=2\nCONNECTION: Keep-Alive\n"
	tests := []struct {
		name, method, more, body string // more fields, and a body
		opts                     []Option
	}{
		{name: "whole", more: "content-length: 2\r\n", body: "ok"},
		{name: "no body", more: "content-length: 0\r\n"},
		{name: "HEAD", method: http.MethodHead, more: "content-length: 2\r\n"},
		{name: "stream", more: "content-length: 2\r\n", body: "ok", opts: []Option{Stream()}},
		{name: "hook", more: "content-length: 2\r\n", body: "ok", opts: []Option{OnResponse(func(context.Context, *Response) (*Response, error) { return nil, nil })}},
		{name: "chunked", more: "transfer-encoding: chunked\r\nTrailer: z\r\n", body: "2\r\nok\r\n0\r\nz: 1\r\n\r\n"},
		{name: "two lengths", more: "Content-Length: 2\r\ncontent-length: 2\r\n", body: "ok"},
		{name: "folded", more: "Content-Length: 2\r\nX-Long: a\r\n\tb\r\n", body: "ok"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer := "HTTP/1.1 200 Fin\xe9 \r\n" + fields + tt.more + "\r\n" + tt.body
			url := "http://" + serveCanned(t, nil, func([]byte) []byte { return []byte(answer) })
			s := NewSession()
			defer s.Close()
			for range 2 {
				r, err := s.Do(t.Context(), cmp.Or(tt.method, http.MethodGet), url, tt.opts...)
				require.NoError(t, err)
				more := strings.ReplaceAll(strings.ReplaceAll(tt.more, "\r\n\t", " "), "\r", "")
				assert.Equal(t, listing+more, listed(r.Headers))
				assert.Equal(t, []any{200, "Finé"}, []any{r.StatusCode, r.Reason})
				if tt.body != "" {
					assert.Equal(t, "ok", r.Text())
				}
				require.NoError(t, r.Close())
			}
		})
	}
}

// A head that the connection did not keep, since it came before the request, is as
// net/http has it.
func TestResponseHeadersOfUnkeptHead(t *testing.T) {
	trip := &trip{conn: wire.New(nil), answer: new(wire.Answer)}
	trip.takeHead(&http.Response{
		Status: "408 Request Timeout", StatusCode: 408, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"B": {"2"}, "A": {"1"}},
	})
	assert.Equal(t, "A: 1\nB: 2\n", listed(trip.resp.Headers))
	assert.Equal(t, []any{408, "Request Timeout"}, []any{trip.resp.StatusCode, trip.resp.Reason})
}
