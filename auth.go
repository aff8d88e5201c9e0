package requests

import (
	"context"
	"encoding/base64"
	"log/slog"
	"strings"
)

// Authenticator authenticates requests. Authenticate is called when a request
// is prepared, after its headers, cookies and body, and may change any of
// them; it must not keep the request. Hooks that it adds to the request run
// before the session's and the call's, on every response, redirects to other
// origins included. It must be safe for many goroutines at once where the
// session is used so.
//
// One that also has
//
//	Challenge(ctx context.Context, r *Response) (*PreparedRequest, error)
//
// is shown each response of the origin that the caller's request went to, and
// may return a request that answers it; that one is sent on the same adapter
// and the first response goes into its history. Nil leaves the response as it
// is. Where a redirect leads to another scheme, host or port it is not asked:
// what it would answer is not for that one to see.
type Authenticator interface {
	Authenticate(ctx context.Context, p *PreparedRequest) error
}

// challenger is the optional part of an [Authenticator]. It is not asked about
// origins that its credentials are not for: see [PreparedRequest.showsAuth].
type challenger interface {
	Challenge(ctx context.Context, r *Response) (*PreparedRequest, error)
}

// AuthFunc is a function as an [Authenticator].
type AuthFunc func(ctx context.Context, p *PreparedRequest) error

// Authenticate calls f.
func (f AuthFunc) Authenticate(ctx context.Context, p *PreparedRequest) error { return f(ctx, p) }

// NoAuth authenticates nothing. Given to a call it stops the session's auth,
// a netrc entry and the URL's user and password.
var NoAuth Authenticator = noAuth{}

type noAuth struct{}

func (noAuth) Authenticate(context.Context, *PreparedRequest) error { return nil }

// Basic is an [Authenticator] that sends a user and a password unasked, in
// UTF-8 (RFC 7617). Its zero value sends empty ones. It may be used by many
// goroutines at once.
type Basic struct {
	// Username may not hold a colon; either may be empty.
	Username, Password string
}

// Authenticate sets Authorization. A user with a colon or a control character
// is an [ErrInvalidHeader].
func (b *Basic) Authenticate(_ context.Context, p *PreparedRequest) error {
	value, err := basicValue(b.Username, b.Password)
	if err != nil {
		return err
	}
	p.Headers.Set("Authorization", value)
	return nil
}

// String names the scheme alone.
func (b Basic) String() string { return "Basic auth" }

// GoString is [Basic.String].
func (b Basic) GoString() string { return b.String() }

// LogValue is [Basic.String], for [log/slog].
func (b Basic) LogValue() slog.Value { return slog.StringValue(b.String()) }

// ProxyBasic is an [Authenticator] that sends a user and a password to a proxy
// that forwards, which is one of HTTP with http URLs, as HTTPProxyAuth does.
// Otherwise they go to nobody: without a proxy, through SOCKS and with an https
// URL the request goes to the origin, which they are not for. CONNECT has those
// of the proxy's URL, which is the place for them as a rule.
type ProxyBasic struct {
	// Username may not hold a colon; either may be empty.
	Username, Password string
}

// Authenticate sets Proxy-Authorization, which is left out where no proxy
// forwards the request.
func (b *ProxyBasic) Authenticate(_ context.Context, p *PreparedRequest) error {
	value, err := basicValue(b.Username, b.Password)
	if err != nil {
		return err
	}
	p.Headers.put(headerField{name: "Proxy-Authorization", value: value, reach: reachProxy})
	return nil
}

// String names the scheme alone.
func (b ProxyBasic) String() string { return "Basic proxy auth" }

// GoString is [ProxyBasic.String].
func (b ProxyBasic) GoString() string { return b.String() }

// LogValue is [ProxyBasic.String], for [log/slog].
func (b ProxyBasic) LogValue() slog.Value { return slog.StringValue(b.String()) }

// basicValue is the header's value. RFC 7617 forbids a colon in the user,
// which would move into the password, and control characters in both.
func basicValue(user, password string) (string, error) {
	if strings.Contains(user, ":") {
		return "", &Error{kind: ErrInvalidHeader, reason: "a user name of Basic auth holds a colon"}
	}
	if hasControl(user) || hasControl(password) {
		return "", &Error{kind: ErrInvalidHeader, reason: "user or password of Basic auth holds a control character"}
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password)), nil
}

// Bearer is an [Authenticator] that sends a token (RFC 6750).
type Bearer string

// Authenticate sets Authorization.
func (b Bearer) Authenticate(_ context.Context, p *PreparedRequest) error {
	if b == "" || hasControl(string(b)) || strings.ContainsAny(string(b), " \t") {
		return &Error{kind: ErrInvalidHeader, reason: "bearer token is empty or holds white space or a control character"}
	}
	p.Headers.Set("Authorization", "Bearer "+string(b))
	return nil
}

// String names the scheme alone.
func (b Bearer) String() string { return "Bearer auth" }

// GoString is [Bearer.String].
func (b Bearer) GoString() string { return b.String() }

// LogValue is [Bearer.String], for [log/slog].
func (b Bearer) LogValue() slog.Value { return slog.StringValue(b.String()) }

// hasControl reports whether s holds a control character.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}
