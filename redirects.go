package requests

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"time"

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
	// RED-14. A subdomain is another host: it may be somebody else's.
	if !strings.EqualFold(from.Host, to.Host) {
		return true
	}
	// What went out in the clear may go out encrypted.
	if from.Scheme == "http" && from.EffectivePort() == "80" && to.Scheme == "https" && to.EffectivePort() == "443" {
		return false
	}
	return from.Scheme != to.Scheme || from.EffectivePort() != to.EffectivePort()
}

// sameProxy reports whether one URL goes by the proxy of another, as far as that
// hangs on URLs: no_proxy may name a port as it is written.
func sameProxy(a, b *uri.URL) bool {
	return a.Scheme == b.Scheme && a.Host == b.Host && a.Port == b.Port
}

// redirected returns the request that follows a redirect, without cookies and
// without credentials that are not for its target.
func redirected(p *PreparedRequest, status int, to uri.URL) *PreparedRequest {
	next := p.Copy()
	next.setTarget(to)
	next.Method = redirectMethod(p.Method, status)
	// RED-6: even where the method stays, as PUT does after a 301.
	if !keepsBody(status) {
		next.Body = nil
		for _, name := range [...]string{"Content-Length", "Content-Type", "Transfer-Encoding", "Trailer"} {
			next.Headers.Del(name)
		}
	}
	// RED-8: cookies are for where it goes, and the proxy of the next hop may be
	// another one. All other headers go along, as in Requests; see [SecretHeader]
	// for those that must not.
	next.Headers.Del("Cookie")
	next.Headers.Del("Proxy-Authorization")
	next.redirected, next.authLast, next.lengthLast = true, false, false
	next.digest = digestTurn{}
	if stripsAuth(p.target, to) {
		next.Headers.Del("Authorization")
		next.Headers.dropBound()
	}
	return next
}

// redirect returns the request that follows a response of p's to a URL, with
// cookies and netrc for where it goes.
func (s *Session) redirect(ctx context.Context, p *PreparedRequest, status int, to uri.URL) (*PreparedRequest, error) {
	next := redirected(p, status, to)
	next.buildCookies(s.jar())
	// The answer that was copied is good for another URI; the nonce is good for
	// this one as well.
	if d, ok := p.auth.(*Digest); ok {
		if !strings.HasPrefix(next.Headers.Get("Authorization"), "Digest ") {
			return next, nil // none yet, or one of the caller's
		}
		next.Headers.Del("Authorization")
		return next, d.Authenticate(ctx, next)
	}
	if s.IgnoreEnv || to.Opaque {
		return next, nil
	}
	// RED-15: netrc is asked anew, for the host that it goes to.
	user, password, ok := s.env.netrc(to.Host)
	if !ok {
		return next, nil
	}
	next.lengthLast = !next.Headers.Has("Content-Length")
	if !next.Headers.Has("Authorization") {
		if err := (&Basic{Username: user, Password: password}).Authenticate(ctx, next); err != nil {
			return nil, err
		}
		next.authLast = true
	}
	next.frame(next.Body) // as after any auth, so that a PUT without a body says so here
	return next, nil
}

// proxies returns the proxies for a request, the first of a call or one that a
// redirect led to: see [proxyRules].
func (s *Session) proxies(p *PreparedRequest, m *callSettings, hop bool) ProxyMap {
	rules := proxyRules{call: m.call, session: s.Proxies, sessionNoProxy: hop || m.sent, sent: m.sent}
	if m.env {
		rules.environ = s.env.proxyVariables(p.target.Scheme, time.Now())
	}
	if len(rules.call)+len(rules.session)+len(rules.environ) == 0 {
		return nil
	}
	merged := rules.merge(p.target.Scheme, p.target.Host, p.target.Port)
	maps.DeleteFunc(merged, func(_, url string) bool { return url == proxyOmitted })
	return merged
}

// proxyOmitted is the value of a proxy that is left out: None in Requests.
const proxyOmitted = "\x00"
