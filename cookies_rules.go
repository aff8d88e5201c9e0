package requests

import (
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"
)

// cookieURL is what cookie rules need to know of a URL.
type cookieURL struct {
	secure bool   // the scheme is https or wss; http://localhost is not secure
	host   string // lower-case ASCII without port and brackets
	path   string // escaped as in the URL, without the query; "" is "/"
}

// acceptCookie judges a parsed line by the URL whose answer it came with and
// makes of it what the jar keeps: the storage model of RFC 6265 5.3 with the
// Secure and prefix rules of 6265bis 5.7. The rule that needs the other cookies
// of the jar is [cookieStore.shadowsSecure].
func acceptCookie(u cookieURL, c setCookie, now time.Time) (cookieRecord, bool) {
	r := cookieRecord{
		cookieKey: cookieKey{name: c.name, path: c.path},
		value:     c.value,
		expires:   c.expiry(now),
		secure:    c.secure,
		httpOnly:  c.httpOnly,
		sameSite:  c.sameSite,
	}
	var ok bool
	if r.domain, ok = cookieDomain(u.host, c.domain); !ok {
		return r, false
	}
	if !strings.HasPrefix(r.path, "/") {
		r.path = defaultCookiePath(u.path)
	}
	if strings.Contains(r.path, "\t") || len(r.path) > maxCookieAttribute {
		return r, false
	}
	// Without TLS anyone on the way could have written the line.
	if c.secure && !u.secure {
		return r, false
	}
	return r, allowedByPrefix(r, c.path)
}

// cookieDomain is the domain under which the jar keeps a cookie: host itself
// without a Domain attribute, and with one that attribute behind a dot,
// provided that host belongs to it. No domain is accepted whose cookies
// strangers would share (RFC 6265 5.3 steps 4 to 6); a host that is such a
// suffix itself may name itself and gets a cookie of its own alone.
func cookieDomain(host, attribute string) (string, bool) {
	if host == "" || len(host) > maxCookieAttribute {
		return "", false
	}
	if attribute == "" {
		return host, true
	}
	if !domainMatch(host, attribute) {
		return "", false
	}
	if isPublicSuffix(attribute) {
		return host, host == attribute
	}
	return "." + attribute, true
}

// isPublicSuffix reports whether domain is on the public suffix list, or has
// one label only.
func isPublicSuffix(domain string) bool {
	if isCookieAddress(domain) {
		return false
	}
	domain = strings.TrimSuffix(domain, ".") // "co.uk." is the same registry
	suffix, _ := publicsuffix.PublicSuffix(domain)
	return suffix == domain
}

// domainMatch reports whether a cookie for domain goes to host, RFC 6265 5.1.3.
// Addresses match exactly or not at all.
func domainMatch(host, domain string) bool {
	if host == domain {
		return true
	}
	return domain != "" && len(host) > len(domain) && strings.HasSuffix(host, domain) &&
		host[len(host)-len(domain)-1] == '.' && !isCookieAddress(host)
}

// isCookieAddress reports whether host is an IP address. No top-level domain is
// numeric, so that the last label tells IPv4 in all its spellings, those that
// only some resolvers accept included. Dots behind it change nothing.
func isCookieAddress(host string) bool {
	if strings.Contains(host, ":") {
		return true
	}
	host = strings.TrimRight(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	for i := range len(last) {
		if !isCookieDigit(last[i]) {
			return false
		}
	}
	return last != ""
}

// defaultCookiePath is the directory of the request's path, without the last
// slash (RFC 6265 5.1.4).
func defaultCookiePath(path string) string {
	i := strings.LastIndexByte(path, '/')
	if i <= 0 || path[0] != '/' {
		return "/"
	}
	return path[:i]
}

// pathMatch reports whether a cookie for path goes to the request path, RFC
// 6265 5.1.4.
func pathMatch(request, path string) bool {
	if !strings.HasPrefix(request, path) || path == "" {
		return false
	}
	return len(request) == len(path) || path[len(path)-1] == '/' || request[len(path)] == '/'
}

// allowedByPrefix applies the name prefixes of 6265bis 4.1.3 in any case:
// __Secure- needs Secure; __Host- needs Secure, no Domain and an attribute
// Path=/.
func allowedByPrefix(r cookieRecord, pathAttribute string) bool {
	if hasCookiePrefix(r.name, "__Secure-") {
		return r.secure
	}
	if hasCookiePrefix(r.name, "__Host-") {
		return r.secure && pathAttribute == "/" && !strings.HasPrefix(r.domain, ".")
	}
	return true
}

// hasCookiePrefix compares without case: servers do, and a name prefix that
// they take for __Host- must hold what it says.
func hasCookiePrefix(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
