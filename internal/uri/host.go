package uri

import (
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// maxHost is the length of the longest name that the DNS can carry (RFC 1035
// section 2.3.4), and maxLabel that of a label.
const (
	maxHost  = 253
	maxLabel = 63
)

// Reasons that more than one rule gives.
const (
	badHost  = "Failed to parse: the host is malformed."
	badIPv6  = "Failed to parse: the brackets do not hold an IPv6 address."
	badPort  = "Failed to parse: the port is not a number from 0 to 65535."
	badLabel = "URL has an invalid label."
	noHost   = "No host supplied"
)

// cutHostPort splits "host:port", "[v6]:port" and their forms without a port.
// Brackets stay with the host. It reports false if there are brackets out of
// place; it does not look at what is between them, nor at the port.
func cutHostPort(s string) (host, port string, ok bool) {
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", "", false
		}
		host, s = s[:end+1], s[end+1:]
		if s == "" {
			return host, "", true
		}
		// Nothing but a port may follow the bracket.
		return host, s[1:], s[0] == ':' && strings.IndexByte(host[1:], '[') < 0
	}
	host, port, _ = strings.Cut(s, ":")
	return host, port, !strings.ContainsAny(host, "[]")
}

// parsePort returns the digits of a port without leading zeros. An empty port
// and port 0 are none (rule URL-9).
func parsePort(s string) (string, bool) {
	if !allDigits(s) {
		return "", false
	}
	s = strings.TrimLeft(s, "0")
	if s == "" {
		return "", true
	}
	const largest = "65535"
	return s, len(s) < len(largest) || len(s) == len(largest) && s <= largest
}

// allDigits reports whether s has digits alone; it is true of an empty one.
func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || '9' < s[i] {
			return false
		}
	}
	return true
}

// normalizeHost returns the form of a host, brackets included, that goes into
// the text of an http or https URL (rules URL-6 to URL-8). An empty host stays
// empty. On failure the reason is not empty.
func normalizeHost(host string) (text, reason string) {
	switch {
	case strings.HasPrefix(host, "["):
		return normalizeIPv6(host)
	case !validEscapes(host):
		return "", badHost
	case isASCII(host):
		// Letter case means nothing in a host (RFC 3986, section 3.2.2), and one
		// form is needed to compare by: for cookies, credentials and connections.
		return Requote(strings.ToLower(host)), ""
	default:
		text, reason = encodeIDNA(host)
		return Requote(text), reason
	}
}

// mapHost is [normalizeHost] for the schemes that merely begin with http. Their
// hosts keep their case, and may be escaped paths of sockets; one that is not
// ASCII is mapped by UTS 46 first.
func mapHost(host string) (text, reason string) {
	switch {
	case strings.HasPrefix(host, "["):
		return normalizeIPv6(host)
	case !validEscapes(host):
		return "", badHost
	case isASCII(host):
		return host, ""
	// Before any mapping: the work for a host that is megabytes long would be
	// wasted.
	case len(host) > maxHost*utf8.UTFMax:
		return "", badLabel
	}
	mapped, err := idna.New(idna.MapForLookup()).ToUnicode(host)
	if err != nil {
		return "", badLabel
	}
	return encodeIDNA(mapped)
}

// normalizeIPv6 returns a literal in brackets in lower case. A zone id is
// written after "%25" (RFC 6874), however it was written before, and keeps its
// case.
func normalizeIPv6(host string) (text, reason string) {
	addr, zone, ok := cutZone(host)
	if !ok {
		return "", badIPv6
	}
	addr = strings.ToLower(addr)
	if zone == "" {
		return "[" + addr + "]", ""
	}
	return "[" + addr + "%25" + zone + "]", ""
}

// cutZone returns the address and the unescaped zone of an IPv6 literal with
// its brackets. A zone is made of unreserved characters (RFC 6874 section 2).
func cutZone(host string) (addr, zone string, ok bool) {
	addr, zone, found := strings.Cut(host[1:len(host)-1], "%")
	if found {
		zone = unescape(strings.TrimPrefix(zone, "25"))
		if zone == "" || !consistsOf(zone, unreserved) {
			return "", "", false
		}
	}
	ip, err := netip.ParseAddr(addr)
	return addr, zone, err == nil && ip.Is6()
}

// consistsOf reports whether every byte of s is of a class.
func consistsOf(s string, allowed class) bool {
	for i := range len(s) {
		if classes[s[i]]&allowed == 0 {
			return false
		}
	}
	return true
}

// isASCII reports whether s is ASCII: such a name needs no IDNA.
func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
