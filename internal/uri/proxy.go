package uri

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Reasons that only the URL of a proxy can give. The first is that of Requests.
const (
	badProxy = "Please check proxy URL. It is malformed and could be missing the host."
	badChars = "the proxy URL has white space in its host, control characters, or is not UTF-8."
)

// ParseProxy returns the URL of a proxy from a setting such as "http://p:3128",
// "p.example:3128", "//p" or "p" (rule PRX-5). Where no scheme is given it is
// http; a name and a port are never taken for a scheme and a path, as Requests
// takes them if the name has no dot. The host is normalized as [Prepare] does
// it. Any scheme is accepted: which can be used is for the caller to say.
//
// A value without a host is an [Error] of the kind [InvalidProxyURL]; a host or
// port that is malformed is one of the kind [InvalidURL].
func ParseProxy(value string) (URL, error) {
	if !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
		return URL{}, newError(InvalidProxyURL, value, badChars)
	}
	p := splitProxy(value)
	// A blank in a password is escaped; one in a host is a slip that no DNS name
	// has.
	if _, hostPort := cutUserinfo(p.authority); strings.ContainsFunc(hostPort, unicode.IsSpace) {
		return URL{}, newError(InvalidProxyURL, value, badChars)
	}
	host := p
	host.scheme = "" // the host's rules are those of http for all schemes
	userinfo, name, port, reason := normalizeAuthority(host, settle)
	switch {
	case reason != "":
		return URL{}, newError(InvalidURL, value, reason)
	case name == "":
		return URL{}, newError(InvalidProxyURL, value, badProxy)
	}
	p.authority = joinAuthority(userinfo, name, port)
	p.path, p.query, p.fragment = settle(p.path, inPath), settle(p.query, inQuery), settle(p.fragment, inQuery)
	u, err := checked(p.text())
	if err != nil {
		return URL{}, err
	}
	u.Opaque = !isHTTP(u.Scheme)
	return u, nil
}

// splitProxy is [split] for a value that need not have a scheme.
func splitProxy(value string) parts {
	p := splitLoose(value)
	if isHostPort(value) {
		p = split("//" + value)
	}
	p.scheme = strings.ToLower(p.scheme)
	if p.scheme == "" {
		p.scheme = "http"
	}
	return p
}

// isHostPort reports whether value is a name without a dot and a port, such as
// "proxy:3128", perhaps with a slash at its end. A scheme that is known to be
// one is no name.
func isHostPort(value string) bool {
	scheme, rest := cutScheme(value)
	port := strings.TrimSuffix(rest, "/")
	if scheme == "" || port == "" || !allDigits(port) {
		return false
	}
	switch strings.ToLower(scheme) {
	case "http", "https", "socks4", "socks4a", "socks5", "socks5h":
		return false
	}
	return true
}
