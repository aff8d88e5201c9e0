package requests

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// allKinds are the kinds, each with all that it is besides itself.
func allKinds() map[error][]error {
	return map[error][]error{
		ErrRequest:          {},
		ErrInvalidOption:    {ErrRequest},
		ErrInvalidJSON:      {ErrRequest},
		ErrJSONDecode:       {ErrInvalidJSON, ErrRequest},
		ErrHTTP:             {ErrRequest},
		ErrConnection:       {ErrRequest},
		ErrProxy:            {ErrConnection, ErrRequest},
		ErrSSL:              {ErrConnection, ErrRequest},
		ErrTimeout:          {ErrRequest},
		ErrConnectTimeout:   {ErrConnection, ErrTimeout, ErrRequest},
		ErrReadTimeout:      {ErrTimeout, ErrRequest},
		ErrURLRequired:      {ErrRequest},
		ErrTooManyRedirects: {ErrRequest},
		ErrMissingSchema:    {ErrRequest},
		ErrInvalidSchema:    {ErrRequest},
		ErrInvalidURL:       {ErrRequest},
		ErrInvalidHeader:    {ErrRequest},
		ErrInvalidProxyURL:  {ErrInvalidURL, ErrRequest},
		ErrChunkedEncoding:  {ErrRequest},
		ErrContentDecoding:  {ErrRequest},
		ErrStreamConsumed:   {ErrRequest},
		ErrRetry:            {ErrRequest},
		ErrUnrewindableBody: {ErrRequest},
		ErrTooLarge:         {ErrRequest},
		ErrForbiddenAddress: {ErrConnection, ErrRequest},
	}
}

// An error of a kind matches the kind and its parents, and no other kind.
func TestErrorKinds(t *testing.T) {
	kinds := allKinds()
	for kind, parents := range kinds {
		t.Run(kind.Error(), func(t *testing.T) {
			want := map[error]bool{kind: true, ErrRequest: true}
			for _, p := range parents {
				want[p] = true
			}
			for other := range kinds {
				assert.Equal(t, want[other], errors.Is(kind, other), "kind itself is %v", other)
				assert.Equal(t, want[other], errors.Is(&Error{kind: kind}, other), "error is %v", other)
				assert.Equal(t, want[other], errors.Is(fmt.Errorf("in: %w", &Error{kind: kind}), other), "wrapped is %v", other)
			}
			assert.True(t, strings.HasPrefix(kind.Error(), "requests: "))
			assert.Equal(t, want[ErrTimeout], (&Error{kind: kind}).Timeout())
		})
	}
}

// A kind of an instance comes on top of that of its sort.
func TestErrorExtraKind(t *testing.T) {
	e := &Error{kind: ErrReadTimeout, extra: ErrConnection}
	for other := range allKinds() {
		want := other == ErrReadTimeout || other == ErrTimeout || other == ErrConnection || other == ErrRequest
		assert.Equal(t, want, errors.Is(e, other), "%v", other)
	}
}

func TestErrorCause(t *testing.T) {
	e := &Error{kind: ErrConnection, Err: fmt.Errorf("dial: %w", syscall.ECONNREFUSED)}
	assert.ErrorIs(t, e, syscall.ECONNREFUSED)
	assert.False(t, e.Timeout())
	assert.True(t, (&Error{kind: ErrRequest, Err: context.DeadlineExceeded}).Timeout())
	assert.Nil(t, (&Error{}).Unwrap())
	assert.ErrorIs(t, &Error{}, ErrRequest)
	assert.NotErrorIs(t, &Error{}, ErrConnection)
}

func TestErrorText(t *testing.T) {
	tests := []struct {
		e    *Error
		want string
	}{
		{&Error{}, "requests: request failed"},
		{&Error{kind: ErrSSL}, "requests: TLS failed"},
		{&Error{kind: ErrSSL, Op: "GET", URL: "https://a.test/"}, "requests: GET https://a.test/: TLS failed"},
		{&Error{kind: ErrSSL, Op: "prepare"}, "requests: prepare: TLS failed"},
		{&Error{kind: ErrSSL, URL: "https://a.test/"}, "requests: TLS failed"},
		{&Error{kind: ErrSSL, reason: "because", Err: io.EOF}, "requests: because: EOF"},
		{&Error{kind: ErrProxy, Err: &Error{kind: ErrSSL}}, "requests: proxy failed: TLS failed"},
		{&Error{reason: "a\r\nb\x00c\x7f"}, "requests: a\uFFFD\uFFFDb\uFFFDc\uFFFD"},
		{&Error{reason: "a\xffb"}, "requests: a\uFFFDb"},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, tt.e.Error())
		assert.Equal(t, tt.want, fmt.Sprintf("%#v", tt.e))
	}
}

// A text that a peer makes long is bounded, and cut between characters.
func TestErrorTextIsBounded(t *testing.T) {
	for n := maxErrorText - 40; n < maxErrorText+40; n++ {
		text := (&Error{reason: strings.Repeat("ü", n)}).Error()
		require.LessOrEqual(t, len(text), maxErrorText)
		require.True(t, strings.HasSuffix(text, "..."))
		require.NotContains(t, text, "\uFFFD")
	}
	assert.Len(t, clipText(strings.Repeat("a", maxErrorText)), maxErrorText)
}

func TestHTTPErrorKinds(t *testing.T) {
	r := NewResponse(nil, 404, "Not Found", Headers{}, nil)
	r.URL = "http://user:pw@a.test/x?q=1#f"
	err := r.RaiseForStatus()
	for kind := range allKinds() {
		assert.Equal(t, kind == ErrHTTP || kind == ErrRequest, errors.Is(err, kind), "%v", kind)
	}
	var he *HTTPError
	require.ErrorAs(t, err, &he)
	assert.Same(t, r, he.Response)
	assert.NotContains(t, err.Error(), "pw")
	assert.Contains(t, err.Error(), "404 Client Error: Not Found for url: http://")
}

func TestProxyRefusedErrorText(t *testing.T) {
	assert.Equal(t, "proxy refused the tunnel: 403 No", (&ProxyRefusedError{StatusCode: 403, Status: "403 No"}).Error())
	assert.Contains(t, (&ProxyRefusedError{StatusCode: 407, Status: "407 \x1b"}).Error(), "407 \uFFFD (it wants a user")
}

// What names the request leaves what was said before.
func TestInRequest(t *testing.T) {
	p := &PreparedRequest{Method: "PUT", URL: "http://u:secret@a.test/p?token=1"}
	first := asError(t, inRequest(p, "send", errBoom))
	assert.Equal(t, "PUT", first.Op)
	assert.Equal(t, "http://***@a.test/p", first.URL)
	assert.Same(t, p, first.Request)
	assert.ErrorIs(t, first, errBoom)

	inner := &Error{kind: ErrSSL, Op: "dial", URL: "x"}
	again := asError(t, inRequest(p, "send", inner))
	assert.Equal(t, "dial", again.Op)
	assert.Equal(t, "x", again.URL)
	assert.Nil(t, inner.Request, "the error that was given is not changed")

	none := asError(t, inRequest(nil, "prepare", errBoom))
	assert.Equal(t, "prepare", none.Op)
	assert.Nil(t, none.Request)
}

func TestWithoutQuoted(t *testing.T) {
	tests := []struct{ text, want string }{
		{`bad Content-Length "canary"`, `bad Content-Length "..."`},
		{`http: got ["1" "canary\"canary\\"]`, `http: got ["..." "..."]`},
		{`ErrCode=1, debug="canary", x`, `ErrCode=1, debug="...", x`},
		{`""`, `"..."`},
		{`no end "canary`, `no end "..."`},
		{`no end "canary\`, `no end "..."`},
		{`plain`, `plain`},
		{``, ``},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, withoutQuoted(tt.text))
	}

	plain := errors.New("plain")
	assert.Same(t, plain, unquoted(plain))
	cause := fmt.Errorf(`bad line "canary": %w`, io.ErrUnexpectedEOF)
	err := unquoted(cause)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.ErrorIs(t, err, cause)
	assert.NotErrorIs(t, err, io.EOF)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
		assert.Equal(t, `bad line "...": unexpected EOF`, fmt.Sprintf(verb, err), verb)
	}
	assert.NoError(t, errors.Unwrap(err))
}

// What the methods of a jar and a hook return is no [*Error].
func TestErrorsOfOwnTypes(t *testing.T) {
	own := errors.New("own")
	var jar CookieJar
	_, none := jar.Get("a")
	r := NewResponse(nil, 404, "Not Found", Headers{}, strings.NewReader(""))
	_, decoded := Decode[any](r, nil)
	_, hooked := runHooks(t.Context(), []Hook{func(context.Context, *Response) (*Response, error) { return nil, own }}, r)
	tests := []struct {
		name    string
		err     error
		kind    error
		request bool // whether it is an ErrRequest
	}{
		{"status", r.RaiseForStatus(), ErrHTTP, true},
		{"status of a generic helper", decoded, ErrHTTP, true},
		{"cookie that is not there", none, ErrNoCookie, false},
		{"cookie that cannot be stored", jar.SetValue("a;", "1"), ErrBadCookie, false},
		{"file of cookies", jar.Load(t.TempDir() + "/none"), fs.ErrNotExist, false},
		{"hook", hooked, own, false},
	}
	for _, tt := range tests {
		assert.ErrorIs(t, tt.err, tt.kind, tt.name)
		assert.Equal(t, tt.request, errors.Is(tt.err, ErrRequest), tt.name)
		_, is := errors.AsType[*Error](tt.err)
		assert.False(t, is, tt.name)
	}
}
