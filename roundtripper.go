package requests

import (
	"io"
	"maps"
	"net/http"
	"slices"
)

// RoundTripper returns the session as net/http's: each RoundTrip is one hop
// with the session's headers, auth, cookies, hooks, proxies and, by its
// adapters, retries. It follows no redirects, makes no error of a status, and
// leaves the caller's request as it is. A request that has its own
// Accept-Encoding gets the body undecoded, as net/http has it.
func (s *Session) RoundTripper() http.RoundTripper { return roundTripper{s} }

// HTTPClient returns an [http.Client] over [Session.RoundTripper], for
// programs that want one. Its redirects follow this package's rules: methods,
// credentials, their number. Its Jar is nil, since the session keeps the
// cookies.
func (s *Session) HTTPClient() *http.Client {
	return &http.Client{Transport: s.RoundTripper(), CheckRedirect: s.checkRedirect}
}

type roundTripper struct{ s *Session }

// RoundTrip sends one request.
func (t roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	r, ownCoding := fromHTTPRequest(req)
	if req.Body != nil {
		defer req.Body.Close()
	}
	p, err := t.s.Prepare(ctx, r)
	if err != nil {
		return nil, err
	}
	c := &chain{session: t.s}
	if err := c.settings.merge(t.s, p, &Settings{Stream: new(true), AllowRedirects: new(false)}, true); err != nil {
		return nil, err
	}
	resp, err := c.send(ctx, p)
	if err != nil {
		return nil, err
	}
	return toHTTPResponse(req, resp, ownCoding), nil
}

// fromHTTPRequest turns a request of net/http into one of ours, and reports
// whether it negotiates content codings itself.
func fromHTTPRequest(req *http.Request) (r *Request, ownCoding bool) {
	r = &Request{Method: req.Method, URL: req.URL.String()}
	if req.Host != "" && req.Host != req.URL.Host {
		r.Headers.Set("Host", req.Host)
	}
	for _, name := range slices.Sorted(maps.Keys(req.Header)) {
		switch http.CanonicalHeaderKey(name) {
		case "Host", "Content-Length", "Transfer-Encoding", "Trailer": // fields of the request's, as net/http has it
			continue
		}
		for _, value := range req.Header[name] {
			r.Headers.fields = append(r.Headers.fields, headerField{name: name, value: value, raw: true})
		}
	}
	if req.Body != nil && req.Body != http.NoBody {
		length := req.ContentLength
		if length == 0 {
			length = unknownLength // net/http's word for it
		}
		if req.GetBody != nil {
			r.Body = FuncPayload(req.GetBody, length)
		} else {
			r.Body = &Payload{reader: req.Body, length: length, blocks: true}
		}
	}
	return r, req.Header.Get("Accept-Encoding") != ""
}

// toHTTPResponse turns a streamed response of ours into one of net/http's.
func toHTTPResponse(req *http.Request, r *Response, raw bool) *http.Response {
	out := &http.Response{
		Status:     itoa(int64(r.StatusCode)) + " " + r.Reason,
		StatusCode: r.StatusCode, Proto: r.Proto, ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, ContentLength: r.body.length, Request: req, TLS: r.TLS,
	}
	if major, minor, ok := http.ParseHTTPVersion(r.Proto); ok {
		out.ProtoMajor, out.ProtoMinor = major, minor
	}
	for i := range r.Headers.fields {
		f := &r.Headers.fields[i]
		out.Header[http.CanonicalHeaderKey(f.name)] = append(out.Header[http.CanonicalHeaderKey(f.name)], f.wire())
	}
	body := io.Reader(r)
	switch {
	case raw:
		body = r.Raw()
	case len(r.body.codings) > 0:
		out.Uncompressed, out.ContentLength = true, unknownLength
		out.Header.Del("Content-Encoding")
		out.Header.Del("Content-Length")
	}
	out.Body = struct {
		io.Reader
		io.Closer
	}{body, r}
	return out
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
	last := via[len(via)-1]
	if req.Response != nil {
		req.Method = redirectMethod(last.Method, req.Response.StatusCode)
	}
	for _, name := range [...]string{"Referer", "Cookie", "Proxy-Authorization"} {
		req.Header.Del(name)
	}
	from, to := &PreparedRequest{URL: last.URL.String()}, &PreparedRequest{URL: req.URL.String()}
	if from.resolveTarget() != nil || to.resolveTarget() != nil || stripsAuth(from.target, to.target) ||
		last.Header.Get("Authorization") == "" {
		req.Header.Del("Authorization")
	}
	return nil
}
