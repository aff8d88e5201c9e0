package requests

import (
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// A ProxyMap says through which proxy a URL is fetched. Its keys, of which the
// first present decides, even where its value is empty, are
//
//	scheme://host   "https://example.org"
//	scheme          "https"
//	all://host      "all://example.org"
//	all             "all"
//
// all in lower case, the host without a port and without brackets. A value is
// the URL of a proxy, with a user and password where it wants them; the empty
// value stands for a direct connection. A nil or empty map chooses nothing.
//
// The key "no_proxy" is different: a list, separated by commas, of the hosts for
// which the proxies of the environment are not used, in place of the variable of
// that name. It does not concern the proxies of this map.
//
// Printing or logging a ProxyMap leaves out users and passwords, but encoding it
// does not, such as within a struct that is written as JSON. It is a map like any other: reading it
// concurrently is fine, and nobody changes a map given to this package.
//
// The rules are those of the proxies argument of Requests.
type ProxyMap map[string]string

// noProxyKey is the key of a [ProxyMap] that holds no proxy.
const noProxyKey = "no_proxy"

// String returns the map in the form of package fmt, without users and passwords.
func (m ProxyMap) String() string {
	var b strings.Builder
	b.WriteString("map[")
	for i, key := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(key + ":" + redactProxy(m[key]))
	}
	b.WriteByte(']')
	return b.String()
}

// GoString returns the map for the verb %#v, without users and passwords.
func (m ProxyMap) GoString() string {
	var b strings.Builder
	b.WriteString("requests.ProxyMap{")
	for i, key := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Quote(key) + ":" + strconv.Quote(redactProxy(m[key])))
	}
	b.WriteByte('}')
	return b.String()
}

// Format implements [fmt.Formatter], so that no verb shows a password.
func (m ProxyMap) Format(f fmt.State, verb rune) {
	text := m.String()
	if verb == 'v' && f.Flag('#') {
		text = m.GoString()
	}
	formatText(f, verb, text)
}

// LogValue is [ProxyMap.String], for [log/slog].
func (m ProxyMap) LogValue() slog.Value { return slog.StringValue(m.String()) }

// redactProxy replaces the user and password of a proxy's URL. Since the value
// may be malformed, with a slash or an at sign in the password, all that stands
// before the last at sign goes, but for a scheme.
func redactProxy(value string) string {
	at := strings.LastIndexByte(value, '@')
	if at < 0 {
		return value
	}
	scheme := ""
	if i := strings.Index(value, "://"); i >= 0 && i < at && isScheme(value[:i]) {
		scheme = value[:i+3]
	}
	return scheme + "xxxxx" + value[at:]
}

// isScheme reports whether s has the form of a URL's scheme (RFC 3986,
// section 3.1).
func isScheme(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if 'a' <= c && c <= 'z' {
			continue
		}
		if i == 0 || (s[i] < '0' || '9' < s[i]) && s[i] != '+' && s[i] != '-' && s[i] != '.' {
			return false
		}
	}
	return s != ""
}

// proxyKeys are the keys that a URL is looked up by, the first to be found
// deciding. A URL without a host has no keys with one.
func proxyKeys(scheme, host string) []string {
	scheme, host = strings.ToLower(scheme), strings.ToLower(host)
	if host == "" {
		return []string{scheme, "all"}
	}
	return []string{scheme + "://" + host, scheme, "all://" + host, "all"}
}

// selectProxy returns what a map says about a URL and whether it says anything.
// The host comes without port and brackets.
func selectProxy(scheme, host string, m ProxyMap) (value string, found bool) {
	if len(m) == 0 {
		return "", false
	}
	for _, key := range proxyKeys(scheme, host) {
		if value, found = m[key]; found {
			return value, true
		}
	}
	return "", false
}

// proxyRules are all that decides about a URL's proxy.
type proxyRules struct {
	// call and session are the maps given by the caller.
	call, session ProxyMap

	// environ is the environment as of [os.Environ]; nil where it is not trusted.
	environ []string

	// sessionNoProxy makes the session's no_proxy count where the call has none.
	// Requests reads it when a prepared request is sent, and for no verb.
	sessionNoProxy bool

	// sent has the session's proxies go before the environment's, which fills in
	// the URL's scheme alone: ENV-3, of a prepared request that is sent.
	sent bool
}

// merge returns one new map of the proxies that count for a host: for each key
// the call's, then the environment's, then the session's, the order that
// Requests documents. With [selectProxy] a session's entry for the host beats
// the environment's for the scheme. The port is the one written in the URL, or
// empty. The key no_proxy is the caller's alone. It is to be asked again for
// each hop of a redirect.
func (r proxyRules) merge(scheme, host, port string) ProxyMap {
	merged := ProxyMap{}
	maps.Copy(merged, r.session)
	env := r.environment(host, port)
	if r.sent {
		env = env.only(scheme)
		maps.Copy(env, r.session)
	}
	for key, value := range env {
		if key != noProxyKey {
			merged[key] = value
		}
	}
	maps.Copy(merged, r.call)
	return merged
}

// with is a copy of m in which key has a value.
func (m ProxyMap) with(key, value string) ProxyMap {
	out := make(ProxyMap, len(m)+1)
	maps.Copy(out, m)
	out[key] = value
	return out
}

// only is a new map of what m says of a scheme, be it of all.
func (m ProxyMap) only(scheme string) ProxyMap {
	scheme = strings.ToLower(scheme)
	for _, key := range []string{scheme, "all"} {
		if value, ok := m[key]; ok {
			return ProxyMap{scheme: value}
		}
	}
	return ProxyMap{}
}

// environment returns the proxies of the environment, or none where no_proxy
// holds them off this host.
func (r proxyRules) environment(host, port string) ProxyMap {
	env := environProxies(r.environ)
	if len(env) == 0 {
		return nil
	}
	noProxy, ok := r.call[noProxyKey]
	// ENV-7: the call's list takes the place of the environment's, and does not
	// add to it.
	if !ok && r.sessionNoProxy {
		noProxy, ok = r.session[noProxyKey]
	}
	if !ok {
		noProxy = env[noProxyKey]
	}
	if bypassProxy(host, port, noProxy) {
		return nil
	}
	return env
}

// environProxies reads the proxies out of an environment, each "name=value".
// Any scheme_proxy counts, in any case, the scheme being the key; no_proxy comes
// under its whole name. Names whose "_proxy" is in lower case come last and so
// win; an empty one of them takes the key away. It returns nil where there is
// none.
//
// A server gives a CGI program the client's header "Proxy" as HTTP_PROXY. So in
// a program with a REQUEST_METHOD that variable does not count, unless in lower
// case.
func environProxies(environ []string) ProxyMap {
	var m ProxyMap
	for _, variable := range environ {
		if scheme, value, _ := cutProxyVariable(variable); scheme != "" && value != "" {
			if m == nil {
				m = ProxyMap{}
			}
			m[scheme] = value
		}
	}
	if m == nil {
		return nil
	}
	if _, cgi := lookupEnviron(environ, "REQUEST_METHOD"); cgi {
		delete(m, "http")
	}
	for _, variable := range environ {
		switch scheme, value, lower := cutProxyVariable(variable); {
		case !lower:
		case value == "":
			delete(m, scheme)
		default:
			m[scheme] = value
		}
	}
	return fixNoProxy(m, environ)
}

// fixNoProxy moves the list of no_proxy to its own key. Other than for a proxy,
// an empty lower-case variable does not hide the upper-case one.
func fixNoProxy(m ProxyMap, environ []string) ProxyMap {
	list := m["no"]
	delete(m, "no")
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		if value, _ := lookupEnviron(environ, name); value != "" {
			list = value
		}
	}
	if list != "" {
		m[noProxyKey] = list
	}
	return m
}

// cutProxyVariable splits a variable for a proxy into its scheme, in lower case,
// and its value. The scheme is empty for any other variable; lower reports a
// name that ends in lower case.
func cutProxyVariable(variable string) (scheme, value string, lower bool) {
	const suffix = "_proxy"
	// Nearly all variables are others; this passes over them quickly.
	i := strings.IndexByte(variable, '=')
	if i <= len(suffix) || variable[i-len(suffix)] != '_' {
		return "", "", false
	}
	name, end := variable[:i-len(suffix)], variable[i-len(suffix):i]
	if !strings.EqualFold(end, suffix) {
		return "", "", false
	}
	return strings.ToLower(name), variable[i+1:], end == suffix
}

// lookupEnviron is [os.LookupEnv] for an environment at hand.
func lookupEnviron(environ []string, name string) (value string, ok bool) {
	for _, variable := range environ {
		if rest, found := strings.CutPrefix(variable, name); found && strings.HasPrefix(rest, "=") {
			return rest[1:], true
		}
	}
	return "", false
}

// maxHostLength bounds what is brought into ASCII, which takes more than linear
// time; no name is longer than 255 bytes (RFC 1035, section 2.3.4).
const maxHostLength = 1024

// bypassProxy reports whether a list of no_proxy holds the proxies of the
// environment off a host. The port is the one written in the URL, or empty. A
// URL without a host needs no proxy.
//
//	no_proxy = #entry
//	entry    = "*" / [ "*" ] *"." name [ ":" port ] / address [ "/" bits ]
//	           / "[" IPv6-address "]" [ ":" port ]
//
// A name matches itself and what lies below it, whether a dot stands before it or
// not. With a port it matches only URLs in which that port is written. An address
// matches addresses alone, in whatever notation, the IPv6 forms of IPv4 addresses
// included, and is never matched by a name (nor is one with a zone that looks like
// a name). Case, blanks, brackets, a dot at the end and the notation of
// international names make no difference. A blank is no separator. Names of this
// machine are not special.
//
// Beyond Requests, a star counts anywhere in the list and before a name, and
// IPv6 addresses may have brackets and a length; in turn, "0.0.1" does not match
// 10.0.0.1.
func bypassProxy(host, port, noProxy string) bool {
	if host == "" {
		return true
	}
	if noProxy == "" {
		return false
	}
	h := newBypassHost(host, port)
	for entry := range strings.SplitSeq(noProxy, ",") {
		entry = strings.ReplaceAll(strings.TrimSpace(entry), " ", "")
		if h.matches(entry) {
			return true
		}
	}
	return false
}

// bypassHost is a URL's host in the form in which entries are compared with it.
type bypassHost struct {
	name, port string
	isAddr     bool
	addr       netip.Addr // not valid for an address that nothing can match
}

// newBypassHost reads a host once, for all entries of a list.
func newBypassHost(host, port string) bypassHost {
	if strings.HasPrefix(host, "[") {
		host = strings.TrimSuffix(host[1:], "]")
	}
	h := bypassHost{name: asciiName(host), port: port}
	if strings.Contains(host, ":") {
		h.isAddr = true
		h.addr, _ = netip.ParseAddr(host)
		h.addr = h.addr.Unmap()
		return h
	}
	h.addr, h.isAddr = parseIPv4(h.name)
	return h
}

// asciiName brings a name into lower case, its international labels into ASCII,
// and takes off a dot at its end. A name that has no such form stays as it is.
func asciiName(name string) string {
	name = strings.TrimSuffix(name, ".")
	for i := range len(name) {
		if name[i] >= 0x80 && len(name) <= maxHostLength {
			if ascii, err := idna.Lookup.ToASCII(name); err == nil {
				return strings.TrimSuffix(ascii, ".")
			}
			break
		}
	}
	return strings.ToLower(name)
}

// matches reports whether an entry of no_proxy, without blanks, names the host.
func (h bypassHost) matches(entry string) bool {
	switch {
	case entry == "*":
		return true
	case h.isAddr:
		return h.matchesAddr(entry)
	default:
		return h.matchesName(entry)
	}
}

// matchesName compares by whole labels: "a.test" names "x.a.test", and does not
// name "xa.test".
func (h bypassHost) matchesName(entry string) bool {
	if strings.HasPrefix(entry, "*.") {
		entry = entry[1:]
	}
	name, port, hasPort := strings.Cut(strings.TrimLeft(entry, "."), ":")
	if hasPort && (port == "" || port != h.port) {
		return false
	}
	name = asciiName(name)
	if name == "" || !strings.HasSuffix(h.name, name) {
		return false
	}
	above := len(h.name) - len(name)
	return above == 0 || h.name[above-1] == '.'
}

// matchesAddr compares an address with an entry that is one, or a network.
func (h bypassHost) matchesAddr(entry string) bool {
	if !h.addr.IsValid() {
		return false
	}
	if text, bits, ok := strings.Cut(entry, "/"); ok {
		network, ok := parseNetwork(text, bits)
		return ok && network.Contains(h.addr.WithZone(""))
	}
	if i := strings.LastIndex(entry, "]:"); i >= 0 {
		if port := entry[i+2:]; port == "" || port != h.port {
			return false
		}
		entry = entry[:i+1]
	}
	addr, ok := parseEntryAddr(entry)
	// An entry without a zone stands for the address in every zone.
	return ok && (addr == h.addr || addr == h.addr.WithZone(""))
}

// parseNetwork reads a network in the notation of RFC 4632, section 3.1. Like
// Requests it takes neither a length of zero nor a mask.
func parseNetwork(text, bits string) (netip.Prefix, bool) {
	n, err := strconv.Atoi(bits)
	addr, ok := parseEntryAddr(text)
	if err != nil || !ok || n < 1 || strings.Contains(text, "%") {
		return netip.Prefix{}, false
	}
	if addr.Is4() && strings.Contains(text, ":") {
		n -= 96 // an IPv6 form of IPv4 addresses, cut down to those
	}
	network, err := addr.Prefix(n)
	return network, err == nil
}

// parseEntryAddr reads an address as it may stand in an entry; IPv6 forms of
// IPv4 addresses become those.
func parseEntryAddr(text string) (netip.Addr, bool) {
	bracketed := strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]")
	if bracketed {
		text = text[1 : len(text)-1]
	}
	if strings.Contains(text, ":") {
		addr, err := netip.ParseAddr(text)
		return addr.Unmap(), err == nil
	}
	if bracketed {
		return netip.Addr{}, false
	}
	return parseIPv4(strings.TrimSuffix(text, "."))
}

// parseIPv4 reads an IPv4 address in the forms of the C function inet_aton,
// which Requests and many resolvers take: one to four numbers, decimal, octal
// after "0" or hexadecimal after "0x", of which the last fills the bytes that
// remain.
func parseIPv4(s string) (netip.Addr, bool) {
	var sum uint64
	for shift := 24; ; shift -= 8 {
		part, rest, more := strings.Cut(s, ".")
		n, ok := parseNumber(part)
		switch {
		case !ok || more && (n > 0xff || shift == 0):
			return netip.Addr{}, false
		case !more:
			if n >= 1<<(shift+8) {
				return netip.Addr{}, false
			}
			sum |= n
			return netip.AddrFrom4([4]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}), true
		}
		sum |= n << shift
		s = rest
	}
}

// parseNumber reads one number of an address, as C writes integers.
func parseNumber(s string) (uint64, bool) {
	base := 10
	switch {
	case len(s) > 1 && s[0] == '0' && s[1]|0x20 == 'x':
		base, s = 16, s[2:]
	case len(s) > 1 && s[0] == '0':
		base = 8
	}
	n, err := strconv.ParseUint(s, base, 32)
	return n, err == nil
}
