package requests

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// Guard keeps requests to untrusted URLs away from what is not public. It
// looks at the address that is dialled, after DNS, for every request and
// every redirect; an address that it does not let through is an
// [ErrForbiddenAddress]. Only addresses of the public internet pass: no
// loopback, private, link-local, shared, reserved or multicast ones, in IPv4,
// in IPv6, or in IPv4 wrapped in IPv6. The environment's proxies do not count
// with it, and a proxy of the caller's is an error: the proxy would do the
// dialling. The zero value is strict. It must not be changed in use.
type Guard struct {
	// Allow lets further addresses through.
	Allow []netip.Prefix
	// Ports are the only ones let through; nil means every port.
	Ports []uint16
	// AllowProxy lets the caller's proxies be used, unguarded.
	AllowProxy bool
}

// Untrusted readies a call, or a session, for URLs that come from someone
// else: a strict [Guard], at most 64 MiB of body and a hundredfold expansion,
// 10 redirects and one minute in all. Options after it change each.
func Untrusted() Option {
	return setting("Untrusted", func(s *Settings) {
		s.Guard = new(Guard)
		s.Limits.Body, s.Limits.Expansion = 64<<20, 100
		s.MaxRedirects = new(10)
		s.Timeouts.Total = new(time.Minute)
	}, func(s *Settings) {
		s.Guard = &Guard{Allow: everything(), AllowProxy: true}
		s.Limits.Body, s.Limits.Expansion = -1, -1
		s.MaxRedirects = new(defaultMaxRedirects)
		s.Timeouts.Total = new(time.Duration)
	})
}

// everything are the networks of all addresses.
func everything() []netip.Prefix {
	return []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}
}

// identity is the same text for guards that let the same through, which may use
// each other's connections, and empty for none. AllowProxy has no part in it: a
// guard that lets a proxy be used looks at nothing then.
func (g *Guard) identity() string {
	switch {
	case g == nil:
		return ""
	case len(g.Allow)+len(g.Ports) == 0: // as with [Untrusted]; it costs nothing
		return "strict"
	}
	return fmt.Sprint(g.Allow, g.Ports)
}

// clone is a copy that shares nothing with g.
func (g *Guard) clone() *Guard {
	return &Guard{Allow: slices.Clone(g.Allow), Ports: slices.Clone(g.Ports), AllowProxy: g.AllowProxy}
}

// control is the look at the address, for the dialer.
func (g *Guard) control(_, address string, _ syscall.RawConn) error { return g.check(address) }

// check looks at an address that is about to be dialled, or that a dialer of
// the caller's has reached.
func (g *Guard) check(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return forbidden(address, "is no address of TCP")
	}
	if len(g.Ports) > 0 && !slices.Contains(g.Ports, at.Port()) {
		return forbidden(address, "has a port that is not let through")
	}
	ip := at.Addr().WithZone("").Unmap()
	if slices.ContainsFunc(g.Allow, func(p netip.Prefix) bool { return p.Contains(ip) }) || isPublic(ip) {
		return nil
	}
	return forbidden(address, "is not public")
}

// checkConn is check for a connection that is there.
func (g *Guard) checkConn(c net.Conn) error { return g.check(c.RemoteAddr().String()) }

// forbidden is the error of an address that is not let through.
func forbidden(address, why string) error {
	return &Error{kind: ErrForbiddenAddress, reason: "address " + quoteName(address) + " " + why}
}

// isPublic reports whether an address is one of the public internet, by the
// registries of special-purpose addresses (RFC 6890 and its updates). An IPv4
// address in an IPv6 one counts as itself.
func isPublic(ip netip.Addr) bool {
	if v4, ok := embeddedIPv4(ip); ok {
		ip = v4
	}
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false
	}
	if ip.Is4() {
		return !within(ip, "0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
			"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4")
	}
	// Of IPv6 only this much has been handed out; the rest of what is special
	// lies outside of it.
	return within(ip, "2000::/3") && !within(ip, "2001::/23", "2001:db8::/32", "3fff::/20")
}

// within reports whether an address is in one of the networks. They are read
// anew each time: beside connecting that is nothing.
func within(ip netip.Addr, networks ...string) bool {
	return slices.ContainsFunc(networks, func(text string) bool { return netip.MustParsePrefix(text).Contains(ip) })
}

// embeddedIPv4 returns the IPv4 address that NAT64 or 6to4 would lead to.
func embeddedIPv4(ip netip.Addr) (netip.Addr, bool) {
	if !ip.Is6() {
		return ip, false
	}
	b := ip.As16()
	switch {
	case within(ip, "64:ff9b::/96", "::/96"):
		return netip.AddrFrom4([4]byte(b[12:])), true
	case within(ip, "2002::/16"):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return ip, false
}
