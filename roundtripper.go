package requests

import (
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/net/http/httpguts"

	"github.com/seed-9ea40bd3/requests/internal/uri"
)

// RoundTripper returns the session as net/http's: each RoundTrip is one hop
// with the session's headers, auth, cookies, hooks, proxies and, by its
// adapters, retries. It follows no redirects, makes no error of a status, and
// leaves the caller's request as it is. A request that has its own
// Accept-Encoding gets the body undecoded, as net/http has it, and one with a
// Cookie header sends that before the session's cookies. No connection is
// handed over for another protocol (101).
//
// A request that an [http.Client] makes of a redirect is made by
// [Session]'s rules instead, whatever its CheckRedirect: secrets do not go to
// another origin. Whoever follows redirects by himself must not give this the
// requests: to it they are new ones, with all that the session sends.
func (s *Session) RoundTripper() http.RoundTripper { return roundTripper{s} }

// HTTPClient returns an [http.Client] over [Session.RoundTripper], for
// programs that want one. Its redirects follow this package's rules: methods,
// credentials, their number. Its Jar is nil, since the session keeps the
// cookies. As net/http has it a 307 or 308 is handed back, and not followed,
// where the body cannot be sent again.
func (s *Session) HTTPClient() *http.Client {
	return &http.Client{Transport: s.RoundTripper(), CheckRedirect: s.checkRedirect}
}

type roundTripper struct{ s *Session }

// oneHop is how it sends: whoever asks reads the body, and follows redirects.
var oneHop = Settings{Stream: new(true), AllowRedirects: new(false)}

// RoundTrip sends one request.
func (t roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	from := t.redirectedBy(req)
	p, err := t.prepare(req, from)
	if err != nil {
		return nil, err
	}
	c := &chain{session: t.s}
	if err := c.settings.merge(t.s, p, &oneHop, true); err != nil {
		return nil, err
	}
	if from != nil {
		c.settings.through(t.s.proxies(p, &c.settings, true))
	}
	ctx, finish := limitTotal(req.Context(), valueOr(c.settings.Timeouts.Total, 0))
	resp, err := c.send(ctx, finish, p)
	if err != nil {
		return nil, err
	}
	return toHTTPResponse(req, resp), nil
}

// hopKey is under which the request of a redirect has the response of ours in
// its context: of that the next request is made, as [Session] makes it.
type hopKey struct{}

// redirectedBy returns the response that led to a request, or nil.
func (t roundTripper) redirectedBy(req *http.Request) *Response {
	if req.Response == nil || req.Response.Request == nil {
		return nil
	}
	from, _ := req.Response.Request.Context().Value(hopKey{}).(*Response)
	if from == nil || from.Request == nil || from.follow == nil || from.follow.session != t.s {
		return nil
	}
	return from
}

// prepare turns a request of net/http into one of ours. What follows a
// redirect of ours is made by the rules of redirects: session's params,
// credentials and headers were given to the first request.
func (t roundTripper) prepare(req *http.Request, from *Response) (*PreparedRequest, error) {
	r := fromHTTPRequest(req)
	var p *PreparedRequest
	var err error
	switch {
	case from != nil:
		p, err = nextOf(req, r, from)
	case req.Response != nil:
		// Somebody has followed a redirect that is not known here. Where it came from
		// is not known either, and the session's secrets stay behind.
		if p, err = r.Prepare(req.Context()); err == nil {
			p.redirected, p.host = true, ""
			p.buildCookies(t.s.jar())
		}
	default:
		p, err = t.s.Prepare(req.Context(), r)
	}
	if err != nil {
		return nil, err
	}
	// net/http takes a Cookie header along to subdomains and other ports.
	cookies := req.Header["Cookie"]
	if from == nil || !stripsAuth(from.base().target, p.target) || !slices.Equal(cookies, req.Response.Request.Header["Cookie"]) {
		p.addCookies(cookies)
	}
	if len(req.Trailer) > 0 && p.Body.Len() < 0 {
		p.Body.trailer = req.Trailer
		p.Headers.Set("Trailer", strings.Join(slices.Sorted(maps.Keys(req.Trailer)), ", "))
	}
	return p, nil
}

// nextOf makes the request that follows from, with what somebody changed of
// it meanwhile.
func nextOf(req *http.Request, r *Request, from *Response) (*PreparedRequest, error) {
	to, err := uri.Resolve(from.base().target, req.URL.String())
	if err != nil {
		return nil, inRequest(from.Request, "redirect", urlError(err))
	}
	p, err := from.follow.nextTo(req.Context(), from, to)
	if err != nil {
		return nil, err
	}
	if p.Body != nil && r.Body != nil {
		p.Body = r.Body
	}
	p.Headers.Del("Host") // net/http's rule: kept where the Location has no host
	before := req.Response.Request.Header
	for name := range req.Header {
		if slices.Equal(req.Header[name], before[name]) {
			r.Headers.Del(name)
		}
	}
	p.Headers = mergeHeaders(nil, p.Headers, r.Headers)
	return p, nil
}

// addCookies puts cookies of a header before those that are there.
func (p *PreparedRequest) addCookies(own []string) {
	if len(own) == 0 {
		return
	}
	if i := p.Headers.index("Cookie", 0); i >= 0 {
		own = append(slices.Clip(own), p.Headers.fields[i].wire())
		p.Headers.Del("Cookie")
	}
	p.Headers.fields = append(p.Headers.fields, headerField{name: "Cookie", value: strings.Join(own, "; "), raw: true})
}

// fromHTTPRequest turns a request of net/http into one of ours, without its
// cookies.
func fromHTTPRequest(req *http.Request) *Request {
	r := &Request{Method: req.Method, URL: req.URL.String(), exactMethod: true}
	if req.Host != "" && req.Host != req.URL.Host {
		r.Headers.Set("Host", req.Host)
	}
	for _, name := range slices.Sorted(maps.Keys(req.Header)) {
		values := req.Header[name]
		switch http.CanonicalHeaderKey(name) {
		case "Host", "Content-Length", "Transfer-Encoding", "Trailer": // fields of the request's, as net/http has it
			continue
		case "Cookie":
			continue
		case "User-Agent": // an empty one has net/http send none
			if len(values) == 0 || values[0] == "" {
				r.Headers.Omit(name)
				continue
			}
		}
		for _, value := range values {
			r.Headers.fields = append(r.Headers.fields, headerField{name: name, value: value, raw: true})
		}
	}
	if req.Close && !r.Headers.Has("Connection") {
		r.Headers.Add("Connection", "close")
	}
	if req.Body != nil && req.Body != http.NoBody {
		r.Body = payloadOf(req)
	}
	return r
}

// payloadOf is the body of a request: req.Body, and later what GetBody gives.
// Somebody may have put another body before the first.
func payloadOf(req *http.Request) *Payload {
	length := req.ContentLength
	if length == 0 {
		length = unknownLength // net/http's word for it
	}
	if req.GetBody == nil {
		return &Payload{reader: req.Body, length: length, blocks: true}
	}
	var used atomic.Bool
	return FuncPayload(func() (io.ReadCloser, error) {
		if used.CompareAndSwap(false, true) {
			return req.Body, nil
		}
		return req.GetBody()
	}, length)
}

// toHTTPResponse turns a streamed response of ours into one of net/http's.
func toHTTPResponse(req *http.Request, r *Response) *http.Response {
	out := &http.Response{
		Status:     itoa(int64(r.StatusCode)) + " " + r.Reason,
		StatusCode: r.StatusCode, Proto: r.Proto, ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, ContentLength: r.body.length, Request: req, TLS: r.TLS,
	}
	if isRedirect(r.StatusCode) {
		out.Request = req.WithContext(context.WithValue(req.Context(), hopKey{}, r))
	}
	if major, minor, ok := http.ParseHTTPVersion(r.Proto); ok {
		out.ProtoMajor, out.ProtoMinor = major, minor
	}
	for i := range r.Headers.fields {
		f := &r.Headers.fields[i]
		out.Header[http.CanonicalHeaderKey(f.name)] = append(out.Header[http.CanonicalHeaderKey(f.name)], f.wire())
	}
	takeFraming(out)
	body := &handedBody{out: out, r: r, from: r}
	switch {
	case req.Header.Get("Accept-Encoding") != "":
		body.from = r.Raw()
	case r.body.coded != nil:
		out.Uncompressed, out.ContentLength = true, unknownLength
		out.Header.Del("Content-Encoding")
		out.Header.Del("Content-Length")
	}
	body.takeTrailer()
	out.Body = body
	return out
}

// takeFraming has the fields that frame a response where net/http has them.
func takeFraming(out *http.Response) {
	if out.ProtoMajor != 1 {
		return
	}
	if codings, ok := out.Header["Transfer-Encoding"]; ok {
		out.TransferEncoding = codings
		delete(out.Header, "Transfer-Encoding")
		delete(out.Header, "Trailer") // its names are in out.Trailer
	}
	connection := out.Header["Connection"]
	if out.ProtoMinor == 0 {
		out.Close = !httpguts.HeaderValuesContainsToken(connection, "keep-alive")
	} else if httpguts.HeaderValuesContainsToken(connection, "close") {
		out.Close = true
		delete(out.Header, "Connection")
	}
}

// handedBody is the body of a response that was handed to net/http.
type handedBody struct {
	out  *http.Response
	r    *Response
	from io.Reader
}

func (b *handedBody) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	if err == io.EOF {
		b.takeTrailer()
	}
	return n, err
}

func (b *handedBody) Close() error { return b.r.Close() }

// takeTrailer takes the trailer: its names when it was announced, its values
// at the body's end.
func (b *handedBody) takeTrailer() {
	if t := b.r.body.trailer; t != nil {
		b.out.Trailer = *t
	}
}

// checkRedirect applies this package's redirect rules to a request that
// [http.Client] made.
func (s *Session) checkRedirect(req *http.Request, via []*http.Request) error {
	limit := valueOr(s.MaxRedirects, defaultMaxRedirects)
	if !valueOr(s.AllowRedirects, true) {
		return http.ErrUseLastResponse
	}
	if len(via) > limit {
		return &Error{kind: ErrTooManyRedirects, reason: "exceeded " + itoa(int64(limit)) + " redirects"}
	}
	// What else becomes of the request is decided by [roundTripper], where the
	// first one is known as it was sent.
	for _, name := range [...]string{"Referer", "Cookie"} {
		req.Header.Del(name)
	}
	return nil
}
