package requests

import (
	"net/http"
	"strings"
	"time"
)

// maxCookieAttribute bounds the value of an attribute, and the path and domain
// of a stored cookie, in bytes (6265bis 5.6: longer ones are ignored).
const maxCookieAttribute = 1024

// maxCookieUnix is the latest expiry that is kept, 9999-12-31T23:59:59Z: later
// ones, and an overflowing Max-Age, mean "far away" and not "long past".
const maxCookieUnix = 253402300799

// maxCookieTime is that moment as a time.
func maxCookieTime() time.Time { return time.Unix(maxCookieUnix, 0).UTC() }

// setCookie is one Set-Cookie line, parsed but not yet judged by who sent it.
type setCookie struct {
	name, value string
	domain      string // without its leading dot; empty: none
	path        string // the last Path attribute as it was; see [acceptCookie]
	expires     time.Time
	maxAge      int64
	hasExpires  bool
	hasMaxAge   bool
	secure      bool
	httpOnly    bool
	sameSite    http.SameSite
}

// parseSetCookie reads a Set-Cookie line by RFC 6265 5.2:
//
//	set-cookie-string = name "=" value *( ";" attribute [ "=" value ] )
//
// Quotes are no syntax; blanks around names and values are dropped; the last
// attribute of a name counts. As in 6265bis 5.6 a control byte anywhere makes
// the line void. A line without "=" or without a name is ignored, where 6265bis
// would keep it: RFC 6265 and the recorded tests of its working group agree on
// that. A tab within the name makes the line void too, since no cookie file
// could hold it.
func parseSetCookie(line string) (setCookie, bool) {
	var c setCookie
	if hasCookieControl(line) {
		return c, false
	}
	pair, rest, more := strings.Cut(line, ";")
	name, value, ok := strings.Cut(pair, "=")
	c.name, c.value = trimCookieBlanks(name), trimCookieBlanks(value)
	if !ok || c.name == "" || strings.Contains(c.name, "\t") {
		return c, false
	}
	for more {
		var attribute string
		attribute, rest, more = strings.Cut(rest, ";")
		c.addAttribute(attribute)
	}
	return c, true
}

// addAttribute applies one attribute, RFC 6265 5.2.1 to 5.2.6 and 6265bis 5.6.7
// for SameSite.
func (c *setCookie) addAttribute(attribute string) {
	name, value, _ := strings.Cut(attribute, "=")
	name, value = trimCookieBlanks(name), trimCookieBlanks(value)
	if len(value) > maxCookieAttribute {
		return
	}
	switch strings.ToLower(name) {
	case "expires":
		if t, ok := parseCookieDate(value); ok {
			c.expires, c.hasExpires = t, true
		}
	case "max-age":
		if n, ok := parseMaxAge(value); ok {
			c.maxAge, c.hasMaxAge = n, true
		}
	case "domain":
		if value != "" { // an empty one is as if it were not there, 5.2.3
			c.domain = strings.ToLower(strings.TrimPrefix(value, "."))
		}
	case "path":
		c.path = value
	case "secure":
		c.secure = true
	case "httponly":
		c.httpOnly = true
	case "samesite":
		c.sameSite = parseSameSite(value)
	}
}

// parseMaxAge reads the seconds of RFC 6265 5.2.2: an optional minus and
// digits, nothing else. Numbers beyond the range stop at its end.
func parseMaxAge(s string) (int64, bool) {
	const limit = int64(1) << 40 // over 30 000 years
	digits := strings.TrimPrefix(s, "-")
	if digits == "" {
		return 0, false
	}
	var n int64
	for i := range len(digits) {
		if !isCookieDigit(digits[i]) {
			return 0, false
		}
		// Held down at each digit, so that it cannot overflow however many there
		// are.
		n = min(n*10+int64(digits[i]-'0'), limit)
	}
	if len(digits) < len(s) {
		n = -n
	}
	return n, true
}

// parseSameSite reads the attribute's value; an unknown one is the default,
// 6265bis 5.6.7.
func parseSameSite(s string) http.SameSite {
	switch strings.ToLower(s) {
	case "strict":
		return http.SameSiteStrictMode
	case "lax":
		return http.SameSiteLaxMode
	case "none":
		return http.SameSiteNoneMode
	}
	return http.SameSiteDefaultMode
}

// expiry is the moment at which the cookie ends, the zero time for never:
// Max-Age wins over Expires, RFC 6265 5.3 step 3.
func (c *setCookie) expiry(now time.Time) time.Time {
	switch {
	case c.hasMaxAge && c.maxAge <= 0:
		// Long past, which deletes the cookie: RFC 6265 5.2.2 has the earliest time
		// there is.
		return time.Unix(0, 0).UTC()
	case c.hasMaxAge:
		return expiryAfter(now, c.maxAge)
	case c.hasExpires:
		return c.expires
	}
	return time.Time{}
}

// expiryAfter is now plus seconds, at most [maxCookieUnix].
func expiryAfter(now time.Time, seconds int64) time.Time {
	if seconds >= maxCookieUnix-now.Unix() {
		return maxCookieTime()
	}
	return time.Unix(now.Unix()+seconds, int64(now.Nanosecond())).UTC()
}

// hasCookieControl reports bytes that no cookie may hold: the controls but the
// tab, and DEL (6265bis 5.6).
func hasCookieControl(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}

// trimCookieBlanks drops spaces and tabs, and no other white space, from both
// ends.
func trimCookieBlanks(s string) string { return strings.Trim(s, " \t") }
