package requests

import (
	"cmp"
	"net/http"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// callerCookie checks a cookie that the caller made and gives it the form in
// which the jar keeps it.
func callerCookie(c *http.Cookie, now time.Time, lim cookieBounds) (cookieRecord, error) {
	if c == nil {
		return cookieRecord{}, badCookie("", "cookie is nil")
	}
	r := cookieRecord{
		cookieKey: cookieKey{path: cmp.Or(c.Path, "/"), name: c.Name},
		value:     callerValue(c),
		secure:    c.Secure,
		httpOnly:  c.HttpOnly,
		sameSite:  c.SameSite,
	}
	// Without a monotonic reading, and in UTC, so that equal cookies compare
	// equal.
	if !c.Expires.IsZero() {
		r.expires = c.Expires.UTC().Round(0)
		if latest := maxCookieTime(); r.expires.After(latest) {
			// Later dates have no place in a file.
			r.expires = latest
		}
	}
	if c.MaxAge > 0 { // it wins, as in a Set-Cookie line
		r.expires = expiryAfter(now, int64(c.MaxAge))
	}
	var ok bool
	if r.domain, ok = callerDomain(c.Domain); !ok {
		return r, badCookie("", "domain is no host name")
	}
	if bad := r.check(lim); bad != nil {
		return r, bad
	}
	return r, nil
}

// callerValue is the value with its quotes. Requests takes the backslashes
// before quotes out of a quoted value.
func callerValue(c *http.Cookie) string {
	v := c.Value
	if c.Quoted {
		v = `"` + v + `"`
	}
	if strings.HasPrefix(v, `"`) && strings.HasSuffix(v, `"`) {
		v = strings.ReplaceAll(v, `\"`, "")
	}
	return v
}

// callerDomain is the domain in lower-case ASCII, with the leading dot that it
// had.
func callerDomain(domain string) (string, bool) {
	bare, dotted := strings.CutPrefix(domain, ".")
	// No domain is every host: that of the session's own cookies in Requests.
	if !dotted && bare == "" {
		return "", true
	}
	host, ok := cookieHost(strings.Trim(bare, "[]"))
	if !ok || hasCookieControl(host) || strings.ContainsAny(host, " \t\";,/#@*[]") || strings.HasPrefix(host, ".") {
		return "", false
	}
	if _, err := netip.ParseAddr(host); err != nil && strings.Contains(host, ":") {
		return "", false // a port; no request's host would ever be equal
	}
	if dotted {
		host = "." + host
	}
	return host, true
}

// cookieHost is the host in lower case, with labels beyond ASCII as IDNA writes
// them.
func cookieHost(host string) (string, bool) {
	for i := range len(host) {
		if host[i] >= 0x80 {
			// Hosts of requests come in this form, and are compared as bytes.
			ascii, err := idna.Lookup.ToASCII(host)
			return ascii, err == nil && ascii != "" && utf8.ValidString(host)
		}
	}
	return strings.ToLower(host), host != ""
}

// check refuses what could not be sent in a Cookie header or saved in a file as
// it is: reliability comes before leniency, since a stray delimiter would make
// another cookie of it.
func (r *cookieRecord) check(lim cookieBounds) *CookieError {
	switch {
	case r.name == "":
		return badCookie("", "name is empty")
	case hasCookieControl(r.name), strings.ContainsAny(r.name, "\t;="), trimCookieBlanks(r.name) != r.name:
		return badCookie("", "name has a control byte, a delimiter or blanks around it")
	case hasCookieControl(r.value), strings.Contains(r.value, ";"):
		return badCookie(r.name, "value has a control byte or a semicolon")
	case hasCookieControl(r.path), strings.Contains(r.path, "\t"), len(r.path) > maxCookieAttribute:
		return badCookie(r.name, "path has a control byte or is too long")
	case len(r.domain) > maxCookieAttribute:
		return badCookie(r.name, "domain is too long")
	case len(r.name)+len(r.value) > lim.cookieBytes:
		return badCookie("", "name and value are too long")
	}
	return nil
}
