package requests

import (
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/seed-9ea40bd3/requests/internal/uri"
)

// fillHeader gives HTTP/2, or a transport of the caller's, the headers:
// spelling and order are its own there, and headers that concern a connection
// have no place.
func (t *trip) fillHeader() {
	for i := range t.p.Headers.fields {
		f := &t.p.Headers.fields[i]
		if t.p.Body != nil && t.p.Body.trailer != nil && equalFold(f.name, "Trailer") {
			continue // net/http announces it by itself
		}
		// RFC 9113, section 8.2.2: fields of a connection make a request of HTTP/2
		// malformed. Host is :authority there.
		switch http.CanonicalHeaderKey(f.name) {
		case "Host", "Connection", "Content-Length", "Transfer-Encoding", "Keep-Alive", "Upgrade", "Proxy-Connection",
			"Proxy-Authorization":
			continue
		}
		// White space at the end is none of the value to HTTP/1.1, and malformed here
		// (RFC 9113, section 8.2.1).
		t.h2.Add(f.name, strings.TrimRight(f.wire(), " \t"))
	}
	// net/http would put in its own name.
	if !t.p.Headers.Has("User-Agent") {
		t.h2["User-Agent"] = []string{""}
	}
	// A key without a value is not sent, and tells net/http that the request may
	// go out again.
	if _, given := t.h2["X-Idempotency-Key"]; !given && replayableMethod(t.p.Method) {
		t.h2["X-Idempotency-Key"] = nil
	}
}

// refused is the error of a request of HTTP/2 that net/http did not send for one
// of its fields, or nil. Which protocol it is shows with the connection: over
// HTTP/1.1 such fields go out as they are, as Requests sends them.
func (t *trip) refused() error {
	if t.transport == nil || t.conn != nil || len(t.h2) == 0 || t.parent.Err() != nil {
		return nil
	}
	// RFC 9113, section 8.2.1, has fields malformed that RFC 9110, section 5, has
	// no form for.
	for i := range t.p.Headers.fields {
		f := &t.p.Headers.fields[i]
		reason := ""
		switch {
		case !isToken(f.name):
			reason = "header name " + quoteName(f.name) + " is no token, and cannot be sent over HTTP/2"
		case !httpguts.ValidHeaderFieldValue(f.wire()):
			reason = "value of header " + quoteName(f.name) + " holds a control character, and cannot be sent over HTTP/2"
		default:
			continue
		}
		return &Error{kind: ErrInvalidHeader, reason: reason, Reused: t.reused}
	}
	return nil
}

// AppendHead writes the head of the request: Host first unless the caller
// placed it, then the framing that the body needs and the headers do not
// have, then the headers in their order and spelling.
func (t *trip) AppendHead(b []byte) []byte {
	p := t.p
	b = append(b, p.Method...)
	b = append(b, ' ')
	if t.forwarded() {
		b = append(b, p.target.AbsoluteForm()...)
	} else {
		b = append(b, p.target.Target()...)
	}
	b = append(b, " HTTP/1.1\r\n"...)
	// The order of RFC 9110, section 7.2, which would have Host first.
	if !p.Headers.Has("Host") {
		b = t.appendHost(b)
	}
	if !p.Headers.Has("Content-Length") && !p.Headers.Has("Transfer-Encoding") {
		b = t.appendFraming(b)
	}
	return append(t.appendFields(b), "\r\n"...)
}

// appendFields appends the fields of the headers, and with them the credentials for
// a proxy that forwards: once, in the first of three places: that of the caller's
// own field, before what a redirect added, or at the end.
func (t *trip) appendFields(b []byte) []byte {
	proxyAuth := ""
	if t.proxyTurn != nil {
		proxyAuth = t.proxyTurn.header
	}
	for i := range t.p.Headers.fields {
		f := &t.p.Headers.fields[i]
		switch {
		case equalFold(f.name, "Proxy-Authorization"):
			if t.p.target.Scheme == "https" || f.reach == reachProxy && !t.forwarded() {
				continue // it is the proxy's, and must not reach the origin
			}
			// The URL of the proxy wins over the caller's header, as in Requests.
			if proxyAuth != "" {
				b = appendField(b, f.name, proxyAuth)
				proxyAuth = ""
				continue
			}
		case proxyAuth != "" && t.comesAfterProxyAuth(f.name):
			b = appendField(b, "Proxy-Authorization", proxyAuth)
			proxyAuth = ""
		}
		b = appendField(b, f.name, f.wire())
	}
	if proxyAuth != "" {
		b = appendField(b, "Proxy-Authorization", proxyAuth)
	}
	return b
}

// comesAfterProxyAuth reports whether a redirect has added a field after the
// credentials for the proxy. Requests looks for those under the proxies' key of the
// scheme alone then, and finds those of other keys when the request goes out.
func (t *trip) comesAfterProxyAuth(name string) bool {
	added := t.p.authLast && equalFold(name, "Authorization") || t.p.lengthLast && equalFold(name, "Content-Length")
	if !added {
		return false
	}
	u, err := uri.ParseProxy(t.settings.Proxies[t.p.target.Scheme])
	_, password, _ := u.ProxyAuth()
	return err == nil && password != ""
}

// appendHost names the host of the URL, in the form for the way there.
func (t *trip) appendHost(b []byte) []byte {
	b = append(b, "Host: "...)
	switch {
	case t.forwarded():
		b = append(b, t.p.target.ProxyHostHeader()...)
	case t.tunnels():
		b = t.p.target.AppendTunnelHostHeader(b)
	default:
		b = t.p.target.AppendHostHeader(b)
	}
	return append(b, "\r\n"...)
}

// appendField appends a field's line. Name and value were checked when the
// request was: no line end is in them.
func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}

// appendFraming tells of a body that no header tells of.
func (t *trip) appendFraming(b []byte) []byte {
	switch n := t.p.Body.Len(); {
	case n < 0:
		return appendField(b, "Transfer-Encoding", "chunked")
	case n > 0:
		return appendField(b, "Content-Length", itoa(n))
	}
	// BODY-20: a method that usually has a body tells that it has none.
	switch t.p.Method {
	case http.MethodGet, http.MethodHead, http.MethodDelete, http.MethodTrace, http.MethodOptions, http.MethodConnect:
		return b
	}
	return appendField(b, "Content-Length", "0")
}
