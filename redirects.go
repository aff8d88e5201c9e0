package requests

import (
	"net/http"
	"strings"

	"github.com/seed-9ea40bd3/requests/internal/uri"
)

// isRedirect reports whether status and Location make a redirect.
func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// redirectMethod is the method after a redirect: GET after 303 and 302, and
// after 301 in the place of POST; HEAD stays (RFC 9110, 15.4, as browsers and
// Requests read it).
func redirectMethod(method string, status int) string {
	switch {
	case status == http.StatusSeeOther && method != http.MethodHead,
		status == http.StatusFound && method != http.MethodHead,
		status == http.StatusMovedPermanently && method == http.MethodPost:
		return http.MethodGet
	}
	return method
}

// keepsBody reports whether the body is sent again after a redirect.
func keepsBody(status int) bool {
	return status == http.StatusTemporaryRedirect || status == http.StatusPermanentRedirect
}

// stripsAuth reports whether credentials for one URL are kept from another:
// unless host, scheme and port are the same, or http on its port became https
// on its own.
func stripsAuth(from, to uri.URL) bool {
	if !strings.EqualFold(from.Host, to.Host) {
		return true
	}
	if from.Scheme == "http" && from.PortNumber() == "80" && to.Scheme == "https" && to.PortNumber() == "443" {
		return false
	}
	return from.Scheme != to.Scheme || from.PortNumber() != to.PortNumber()
}

// redirected returns the request that follows a redirect, without cookies and
// without credentials that are not for its target.
func redirected(p *PreparedRequest, status int, to uri.URL) *PreparedRequest {
	next := p.Copy()
	next.setTarget(to)
	next.Method = redirectMethod(p.Method, status)
	if !keepsBody(status) {
		next.Body = nil
		for _, name := range [...]string{"Content-Length", "Content-Type", "Transfer-Encoding"} {
			next.Headers.Del(name)
		}
	}
	next.Headers.Del("Cookie")
	next.Headers.Del("Proxy-Authorization")
	next.jarred = false
	if stripsAuth(p.target, to) {
		next.Headers.Del("Authorization")
	}
	return next
}
