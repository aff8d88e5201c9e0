package requests

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/seed-9ea40bd3/requests/internal/uri"
)

// PreparedRequest is what is sent: the exact method, URL, headers in their
// order, and body. [Session.Prepare] and [Request.Prepare] make one; it may
// be changed before it is sent. It belongs to one Send at a time, and may be
// sent again where its body can be.
type PreparedRequest struct {
	// Method is in upper case. Where it is empty Send makes it GET.
	Method string
	// URL is quoted and complete; its fragment is not sent.
	URL string
	// Headers are sent in this order and spelling, after Host where that is
	// not among them.
	Headers Headers
	// Body is sent after the head; nil is none. Set it by
	// [PreparedRequest.SetBody], which keeps the headers in step: a
	// Content-Length that disagrees is an error of Send's.
	Body *Payload
	// Hooks run on each response: those that the auth added, then the others.
	Hooks []Hook

	target  uri.URL         // of URL, while their texts agree
	auth    Authenticator   // what was applied, asked about challenges
	cookies *[]*http.Cookie // the caller's, of this call; nil for none
	since   uint64          // where the jar stood when they were given
	host    string          // of the URL that the caller gave: whose are cookies
	home    *uri.URL        // what auth was applied for, where redirects led from there; else nil

	room [usualFields]headerField // of Headers, as long as they fit

	redirected bool // it follows another request, by a redirect
	authLast   bool // Authorization is a redirect's, and comes after the proxy's
	lengthLast bool // Content-Length likewise

	digest digestTurn // with the origin
}

// Prepare makes the request ready to send, by itself: no session's state and
// no defaults. Errors are of the kinds [ErrMissingSchema], [ErrInvalidURL],
// [ErrInvalidHeader], [ErrInvalidJSON] and [ErrInvalidOption].
func (r *Request) Prepare(ctx context.Context) (*PreparedRequest, error) {
	p := new(PreparedRequest)
	if err := p.prepare(ctx, r, r.Headers.Clone(), nil); err != nil {
		return nil, err
	}
	return p, nil
}

// prepare runs the steps of Requests' PreparedRequest.prepare, in its order.
// The request is merged already; headers are its own copy.
func (p *PreparedRequest) prepare(ctx context.Context, r *Request, headers Headers, jar *CookieJar) error {
	if r.err != nil {
		return r.err
	}
	err := p.prepareMethod(r.Method, r.exactMethod)
	if err == nil {
		err = p.prepareURL(r)
	}
	if err == nil {
		err = p.prepareHeaders(headers)
	}
	if err == nil {
		err = p.prepareCookies(r.Cookies, jar)
	}
	if err == nil {
		err = p.prepareBody(r)
	}
	if err == nil {
		err = p.prepareAuth(ctx, r)
	}
	if err == nil {
		p.prepareHooks(r.Hooks, r.ExtraHooks)
		return nil
	}
	return inRequest(p, "prepare", err)
}

// prepareMethod takes any token, in upper case as Requests sends it unless it is
// to stay exactly as it is. What is no
// token could end the request line early and begin another request.
func (p *PreparedRequest) prepareMethod(method string, exact bool) error {
	if method == "" {
		method = http.MethodGet
	}
	if err := checkMethod(method); err != nil {
		return err
	}
	if !exact && !isUsualMethod(method) {
		method = strings.ToUpper(method)
	}
	p.Method = method
	return nil
}

// resolveMethod is prepareMethod for a request that is about to be sent: it may
// have been changed since, or made by hand.
func (p *PreparedRequest) resolveMethod() error {
	if p.Method == "" {
		p.Method = http.MethodGet
	}
	return checkMethod(p.Method)
}

// isUsualMethod reports whether a method is one that needs no look at its
// letters.
func isUsualMethod(method string) bool {
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodHead, http.MethodDelete, http.MethodPatch:
		return true
	}
	return false
}

func checkMethod(method string) error {
	if !isUsualMethod(method) && !isToken(method) {
		return invalidOption("method %s is no token", quoteName(method))
	}
	return nil
}

// isToken reports whether s is a token.
func isToken(s string) bool {
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

// isTokenByte reports whether c may stand in a token (RFC 9110, 5.6.2).
func isTokenByte(c byte) bool { return httpguts.IsTokenRune(rune(c)) }

// prepareURL adds the params to the URL and quotes what must be. A query that is
// given as it is takes their place, as a string of params does in Requests.
func (p *PreparedRequest) prepareURL(r *Request) error {
	u, err := r.prepareTarget()
	if err != nil {
		return urlError(err)
	}
	p.setTarget(u)
	p.host = u.Host
	return nil
}

// prepareTarget is prepareURL before anything is kept.
func (r *Request) prepareTarget() (uri.URL, error) {
	if len(r.Params) == 0 || r.Query != "" {
		return uri.Prepare(r.URL, nil, r.Query)
	}
	var room [16]uri.Param // on the stack: most requests have fewer
	params := room[:0]
	for _, f := range r.Params {
		if !f.Omit {
			params = append(params, uri.Param{Name: f.Name, Value: f.Value})
		}
	}
	return uri.Prepare(r.URL, params, "")
}

// setTarget keeps the parsed URL beside its text. As long as both agree the URL
// is not parsed again when it is sent.
func (p *PreparedRequest) setTarget(u uri.URL) { p.target, p.URL = u, u.Text }

// resolveTarget parses the URL again where the caller has changed it.
func (p *PreparedRequest) resolveTarget() error {
	if p.target.Text == p.URL && p.URL != "" {
		return nil
	}
	u, err := uri.Prepare(p.URL, nil, "")
	if err != nil {
		return urlError(err)
	}
	p.target = u
	// The call's cookies belong to the host that the caller named, be it after
	// preparing.
	if p.host == "" {
		p.host = u.Host
	}
	return nil
}

// prepareHeaders takes the merged headers. They are checked here, before
// anything is added, so that the error names what the caller gave.
func (p *PreparedRequest) prepareHeaders(h Headers) error {
	if err := checkHeaders(&h); err != nil {
		return err
	}
	p.Headers = h
	return nil
}

// prepareCookies adds the Cookie header, unless the caller gave one.
func (p *PreparedRequest) prepareCookies(call []*http.Cookie, jar *CookieJar) error {
	if len(call) > 0 {
		checked, err := checkCallCookies(call, time.Now())
		if err != nil {
			return err
		}
		p.cookies = &checked
	}
	p.buildCookies(jar)
	return nil
}

// checkCallCookies returns the cookies of a call as they are sent.
func checkCallCookies(call []*http.Cookie, now time.Time) ([]*http.Cookie, error) {
	checked := make([]*http.Cookie, len(call))
	for i, c := range call {
		if c == nil {
			return nil, invalidOption("cookie is nil")
		}
		var err error
		if checked[i], err = checkCallCookie(c, now); err != nil {
			return nil, &Error{kind: ErrInvalidHeader, reason: "cookie cannot be sent", Err: err}
		}
	}
	return checked, nil
}

// buildCookies makes the Cookie header from the jar and the call's cookies.
func (p *PreparedRequest) buildCookies(jar *CookieJar) {
	// On a redirect the jar may hold a newer cookie than the call gave: what came
	// after this position wins over the call's.
	if p.cookies != nil && !p.redirected {
		p.since = jar.position() // even where a header comes first: a redirect drops it
	}
	// Like Requests this leaves a Cookie header of the caller's as it is, and
	// sends nothing of the jar beside it.
	if p.cookies == nil && (jar == nil || jar.Len() == 0) || p.target.Opaque || p.Headers.Has("Cookie") {
		return
	}
	foreign := p.target.Host != p.host
	rules := cookieRules{foreign: foreign, jarWins: p.redirected, since: p.since}
	var room [512]byte // on the stack, as far as it goes
	if value := jar.header(room[:0], valueOr(p.cookies, nil), p.cookieURL(), rules); len(value) > 0 {
		p.Headers.fields = append(p.Headers.fields, headerField{name: "Cookie", value: string(value), raw: true})
	}
}

// cookieURL is what the jar needs to know of the target. As in Requests a Host
// header of the caller's names the host, but for the caller's own URL alone: a
// redirect must not lead another host's cookies astray.
func (p *PreparedRequest) cookieURL() cookieURL {
	u := cookieURL{secure: p.target.Scheme == "https", host: p.target.Host, path: p.target.Path}
	if i := p.Headers.index("Host", 0); i >= 0 && !p.redirected {
		if named, err := url.Parse("//" + p.Headers.fields[i].value); err == nil && named.Hostname() != "" {
			u.host = strings.ToLower(named.Hostname())
		}
	}
	return u
}

// prepareBody encodes the body and says of what type it is, unless the caller
// has. Bytes and readers have no type: nobody knows what they are.
func (p *PreparedRequest) prepareBody(r *Request) error {
	body, contentType, err := r.bodyContent(newBoundary)
	if err != nil {
		return err
	}
	p.frame(body)
	switch {
	case contentType == "":
	case !p.Headers.Has("Content-Type"):
		p.Headers.Add("Content-Type", contentType)
	case len(r.Files) > 0:
		p.completeBoundary(contentType)
	}
	return nil
}

// completeBoundary adds the boundary to a multipart Content-Type of the
// caller's that has none: without it no server can read the body.
func (p *PreparedRequest) completeBoundary(made string) {
	given := p.Headers.Get("Content-Type")
	_, boundary, _ := strings.Cut(made, ";")
	if strings.HasPrefix(strings.ToLower(given), "multipart/") && !strings.Contains(strings.ToLower(given), "boundary=") {
		p.Headers.Set("Content-Type", strings.TrimRight(given, "; ")+";"+boundary)
	}
}

// SetBody replaces the body and puts Content-Length or Transfer-Encoding in
// step with it, as preparing does: no Content-Length for GET and HEAD without
// a body, 0 for other methods without one.
func (p *PreparedRequest) SetBody(body *Payload) {
	if body == nil || body.length < 0 {
		p.Headers.Del("Content-Length")
	}
	if body == nil || body.length >= 0 {
		p.Headers.Del("Transfer-Encoding")
	}
	p.frame(body)
}

// frame is SetBody for headers that are the caller's: what they say against
// the body stays, and is an error of Send's.
func (p *PreparedRequest) frame(body *Payload) {
	p.Body = body
	switch {
	case body == nil:
		p.Headers.Del("Transfer-Encoding")
		// As in Requests: a server may refuse a POST without a length (411, RFC
		// 9110, section 15.5.12), and nobody expects a GET with one.
		if p.Method != http.MethodGet && p.Method != http.MethodHead && !p.Headers.Has("Content-Length") {
			p.Headers.Add("Content-Length", "0")
		}
	case body.length >= 0:
		p.Headers.Set("Content-Length", strconv.FormatInt(body.length, 10))
	default:
		p.Headers.Set("Transfer-Encoding", "chunked")
	}
}

// prepareAuth applies the caller's auth or, where there is none, a netrc
// entry or else user and password of the URL.
func (p *PreparedRequest) prepareAuth(ctx context.Context, r *Request) error {
	auth := r.Auth
	if auth == nil {
		user, password, ok := "", "", false
		if r.netrc != nil {
			user, password, ok = r.netrc.netrc(p.target.Host)
		}
		if !ok {
			user, password, ok = p.target.Auth()
		}
		if !ok {
			return nil
		}
		auth = &Basic{Username: user, Password: password}
	}
	p.auth = auth
	// An auth may sign the body or replace it; then the framing follows, as in
	// Requests, which computes the length anew after any auth.
	before := p.Body
	if err := auth.Authenticate(ctx, p); err != nil {
		return err
	}
	if p.Body != before {
		p.SetBody(p.Body)
	}
	return nil
}

// prepareHooks comes last, as in Requests: no hook sees a request that could not
// be prepared, and those that the auth has added go first. The slice is p's own.
func (p *PreparedRequest) prepareHooks(hooks, extra []Hook) {
	if len(hooks)+len(extra) > 0 {
		p.Hooks = slices.Concat(p.Hooks, hooks, extra)
	}
}

// showsAuth reports whether the auth is shown responses: not those of an origin
// that a redirect would take its credentials from. Digest sees to that by
// itself.
func (p *PreparedRequest) showsAuth() bool {
	if _, bound := p.auth.(*Digest); bound || p.home == nil {
		return true
	}
	return !stripsAuth(*p.home, p.target)
}

// Copy returns a copy that shares only the body.
func (p *PreparedRequest) Copy() *PreparedRequest {
	// The headers may lie in p.room, which the copy has a place for of its own.
	q := *p
	q.Headers = p.Headers.cloneIn(q.room[:])
	q.Hooks = slices.Clone(p.Hooks)
	return &q
}

// PathURL returns the path and query as they are sent.
func (p *PreparedRequest) PathURL() string {
	if p.resolveTarget() != nil {
		return ""
	}
	return p.target.Target()
}

// String returns the reference's form: <PreparedRequest [GET]>.
func (p *PreparedRequest) String() string {
	return "<PreparedRequest [" + printable(p.Method) + "]>"
}

// GoString is [PreparedRequest.String]: the headers may hold secrets.
func (p *PreparedRequest) GoString() string { return p.String() }

// LogValue is [PreparedRequest.String], for [log/slog].
func (p *PreparedRequest) LogValue() slog.Value { return slog.StringValue(p.String()) }

// itoa writes a number in decimal.
func itoa(n int64) string { return strconv.FormatInt(n, 10) }
