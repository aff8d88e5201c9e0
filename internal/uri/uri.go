// Package uri prepares URLs as Requests does: it escapes what has to be
// escaped, encodes international host names and parameters, resolves redirect
// targets, and answers what the rest of a client asks of a URL. All functions
// are pure and safe for concurrent use, and their work is linear in the length
// of what they are given.
//
// The rules are those of Requests and urllib3, which follow RFC 3986 and
// RFC 6874, with these differences, each for safety: "%2e" counts as a dot when
// dot segments are removed, a zone id is always written after "%25" and does
// not disturb the escapes beside it, an IPv4 part of an IPv6 literal must be
// an address, text that is no UTF-8 is an [Error], and so are control
// characters in a URL that is taken verbatim.
package uri

import (
	"net"
	"strings"
)

// A URL is an absolute URL together with its components, parsed once. [Prepare],
// [Parse], [Resolve] and [ParseProxy] make it; the fields are for reading. The
// zero URL is empty and names nothing.
type URL struct {
	// Text is the whole URL. Unless Opaque is set it consists of printable ASCII.
	Text string
	// Opaque is set for a URL of a scheme that does not begin with "http"
	// (rule URL-3). Its text is what the caller gave; the other fields are
	// filled as far as the text has such components.
	Opaque bool
	// Scheme is in lower case and has no colon.
	Scheme string
	// Userinfo is escaped as in Text, without the "@".
	Userinfo string
	// Host is in lower case and ASCII: a name, an IPv4 address, or an IPv6
	// address without brackets, followed by "%" and an unescaped zone id if it
	// has one. The trailing dot of a name is kept, and so are escapes in it.
	Host string
	// Port has no leading zeros. It is empty if Text has no port, or port 0.
	Port string
	// Path, Query and Fragment are as in Text, without "?" and "#". The path
	// of a redirect target may be empty.
	Path, Query, Fragment string

	target string
}

// view parses a text that is in its final form.
func view(text string) (u URL, reason string) {
	p := split(text)
	u = URL{
		Text: text, Scheme: strings.ToLower(p.scheme),
		Path: p.path, Query: p.query, Fragment: p.fragment,
	}
	u.target = wireTarget(text, p)
	userinfo, hostPort := cutUserinfo(p.authority)
	host, port, ok := cutHostPort(hostPort)
	if !ok || strings.ContainsAny(userinfo, "[]") {
		return u, badHost
	}
	u.Userinfo = userinfo
	if port, ok = parsePort(port); !ok {
		return u, badPort
	}
	if host, ok = plainHost(host); !ok {
		return u, badIPv6
	}
	u.Host, u.Port = host, port
	return u, ""
}

// plainHost returns the value of [URL.Host] for a host in a text.
func plainHost(host string) (string, bool) {
	if !strings.HasPrefix(host, "[") {
		return strings.ToLower(host), true
	}
	addr, zone, ok := cutZone(host)
	if zone != "" {
		addr += "%" + zone
	}
	return strings.ToLower(addr[:len(addr)-len(zone)]) + zone, ok
}

// wireTarget returns the path and query of a text as they go on the wire, which
// takes one more pass of escaping for a text that [Prepare] did not make (rule
// URL-19). Usually they are a part of the text.
func wireTarget(text string, p parts) string {
	if p.path != "" && canonicalEscapes(p.path, inPath) && canonicalEscapes(p.query, inQuery) {
		end := p.pathAt + len(p.path)
		if p.query != "" {
			end += 1 + len(p.query)
		}
		return text[p.pathAt:end]
	}
	target := encodeComponent(p.path, inPath)
	if target == "" {
		target = "/"
	}
	if p.query != "" {
		target += "?" + encodeComponent(p.query, inQuery)
	}
	return target
}

// Target returns the path and query as a request line in origin form carries
// them (RFC 9112 section 3.2.1): never empty, and without the fragment.
func (u *URL) Target() string {
	if u.target == "" {
		return "/"
	}
	return u.target
}

// AppendHostHeader appends to dst the value of the Host field for a request to
// the origin (rule HDR-30): the host without its trailing dot and without a zone
// id, an IPv6 address in brackets, and the port only where the scheme does not
// imply it.
func (u *URL) AppendHostHeader(dst []byte) []byte {
	return u.appendHostHeader(dst, strings.TrimSuffix(withoutZone(u.Host), "."))
}

// AppendTunnelHostHeader is [URL.AppendHostHeader] for a request in a tunnel,
// where the reference keeps a trailing dot.
func (u *URL) AppendTunnelHostHeader(dst []byte) []byte {
	return u.appendHostHeader(dst, withoutZone(u.Host))
}

func (u *URL) appendHostHeader(dst []byte, host string) []byte {
	if strings.IndexByte(host, ':') >= 0 {
		dst = append(dst, '[')
		dst = append(dst, host...)
		dst = append(dst, ']')
	} else {
		dst = append(dst, host...)
	}
	if u.Port == "" || u.Port == u.defaultPort() {
		return dst
	}
	dst = append(dst, ':')
	return append(dst, u.Port...)
}

// ProxyHostHeader returns the value of the Host field for a request in absolute
// form (rule PRX-6). Unlike that of [URL.AppendHostHeader] it agrees with the request
// line: the port is there whenever Text has one, and a trailing dot stays.
func (u *URL) ProxyHostHeader() string {
	host := bracketed(withoutZone(u.Host))
	if u.Port == "" {
		return host
	}
	return host + ":" + u.Port
}

// AbsoluteForm returns the request target for a proxy that is sent a plain
// request (RFC 9112 section 3.2.2; rule PRX-6): the URL without user, password,
// zone id and fragment, with its port as written.
func (u *URL) AbsoluteForm() string {
	path, query, _ := strings.Cut(u.Target(), "?")
	target := removeDots(path)
	if query != "" {
		target += "?" + query
	}
	return u.Scheme + "://" + u.ProxyHostHeader() + target
}

// DialAddr returns "host:port" as package net takes it, with the default port of
// the scheme where the URL has none.
func (u *URL) DialAddr() string { return net.JoinHostPort(u.Host, u.EffectivePort()) }

// EffectivePort returns the port that a connection goes to: the URL's own, or
// that which its scheme implies.
func (u *URL) EffectivePort() string {
	if u.Port != "" {
		return u.Port
	}
	return u.defaultPort()
}

// defaultPort returns the port that the scheme implies: 443 for https, 1080 for
// the SOCKS schemes of proxies, else 80.
func (u *URL) defaultPort() string {
	switch {
	case u.Scheme == "https":
		return "443"
	case strings.HasPrefix(u.Scheme, "socks"):
		return "1080"
	default:
		return "80"
	}
}

// Origin returns "scheme://host:port", which is the same for two URLs if and
// only if they have the same origin (RFC 6454). It always has a port.
func (u *URL) Origin() string {
	return u.Scheme + "://" + bracketed(u.Host) + ":" + u.EffectivePort()
}

// Auth returns the user and the password in the URL with their escapes undone.
// It reports false if there is no colon between them, or if both are empty
// (rule AUTH-2).
func (u *URL) Auth() (user, password string, ok bool) {
	user, password, ok = strings.Cut(u.Userinfo, ":")
	if !ok || u.Userinfo == ":" {
		return "", "", false
	}
	return unescape(user), unescape(password), true
}

// ProxyAuth is [URL.Auth] for the URL of a proxy, where a user without a colon
// counts too, with an empty password, and a password without a user does not.
func (u *URL) ProxyAuth() (user, password string, ok bool) {
	user, password, _ = strings.Cut(u.Userinfo, ":")
	if user == "" {
		return "", "", false
	}
	return unescape(user), unescape(password), true
}

// CheckHost returns an [Error] of the kind [InvalidURL] if the host is a name
// that has an empty label, or one of more than 63 bytes. Preparing such a URL
// works, sending it does not (rule URL-7).
func (u *URL) CheckHost() error {
	if u.Host == "" {
		return newError(InvalidURL, u.Text, noHost)
	}
	name := strings.TrimSuffix(u.Host, ".")
	for {
		label, rest, more := strings.Cut(name, ".")
		if label == "" || len(label) > maxLabel && !strings.Contains(label, ":") {
			return newError(InvalidURL, u.Text, badLabel)
		}
		if !more {
			return nil
		}
		name = rest
	}
}

// String returns Text.
func (u URL) String() string { return u.Text }

// bracketed puts an IPv6 address between brackets.
func bracketed(host string) string {
	if strings.IndexByte(host, ':') >= 0 {
		return "[" + host + "]"
	}
	return host
}

// withoutZone removes the zone id, which means something to this machine only,
// from an IPv6 address. In a name a "%" begins an escape, which stays.
func withoutZone(host string) string {
	if strings.IndexByte(host, ':') < 0 {
		return host
	}
	addr, _, _ := strings.Cut(host, "%")
	return addr
}

// HostPort returns the host, in brackets where it is an IPv6 address, and the
// port where Text has one: the authority without userinfo. It is cut out of
// Text where it can be.
func (u *URL) HostPort() string {
	start := len(u.Scheme) + len("://")
	if u.Userinfo != "" {
		start += len(u.Userinfo) + 1
	}
	end := start + len(u.Host)
	if u.Port != "" {
		end += 1 + len(u.Port)
	}
	if end <= len(u.Text) && strings.HasPrefix(u.Text[start:], u.Host) {
		s := u.Text[start:end]
		if u.Port == "" || s[len(u.Host)] == ':' && s[len(u.Host)+1:] == u.Port {
			return s
		}
	}
	if u.Port == "" {
		return bracketed(u.Host)
	}
	return bracketed(u.Host) + ":" + u.Port
}
