package requests

import (
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// receive stores what a response from u said in its Set-Cookie lines, and
// returns the cookies that it set: those that were accepted and not deleted
// again, in order.
func (j *CookieJar) receive(u cookieURL, lines []string, now time.Time) []*http.Cookie {
	if len(lines) == 0 {
		return nil
	}
	in := cookieReceiver{url: u, now: now, bounds: j.Limits.bounds()}
	j.mu.Lock()
	defer j.mu.Unlock()
	// One lock for all lines: nobody sees a part of what a response has set.
	for _, line := range lines {
		if c, ok := parseSetCookie(line); ok {
			in.take(&j.store, c)
		}
	}
	return in.cookies()
}

// cookieReceiver stores the cookies of one response.
type cookieReceiver struct {
	url    cookieURL      // of the response
	now    time.Time      // when it came
	bounds cookieBounds   // the jar's limits
	taken  []cookieRecord // what it set, in order, without what it deleted
	stored int            // how many cookies it has stored, for the limit
}

// take stores or deletes one cookie if the rules allow it.
func (in *cookieReceiver) take(s *cookieStore, c setCookie) {
	r, ok := acceptCookie(in.url, c, in.now)
	if !ok || len(r.name)+len(r.value) > in.bounds.cookieBytes {
		return
	}
	// Anyone on the way can write what comes without TLS: it must neither replace
	// nor shadow what came with it.
	if !in.url.secure && s.shadowsSecure(r) {
		return
	}
	// A cookie whose time is over deletes the one of its key. That needs the
	// same right as replacing it, so it comes after the checks, and no limit
	// stands in its way: a logout must log out.
	if r.expired(in.now) {
		s.delete(r.cookieKey)
		in.forget(r.cookieKey)
		return
	}
	// A response cannot fill the jar by itself.
	if in.stored >= in.bounds.perResponse {
		return
	}
	if s.put(r, in.bounds, in.now) {
		in.stored++
		in.note(r)
	}
}

// note remembers r as set by this response, in the place of what it replaces.
func (in *cookieReceiver) note(r cookieRecord) {
	if i := in.index(r.cookieKey); i >= 0 {
		in.taken[i] = r
		return
	}
	in.taken = append(in.taken, r)
}

// forget notes that the response has deleted what it had set.
func (in *cookieReceiver) forget(k cookieKey) {
	if i := in.index(k); i >= 0 {
		in.taken = slices.Delete(in.taken, i, i+1)
	}
}

// index finds a cookie among those that the response set. They are few: their
// number is limited.
func (in *cookieReceiver) index(k cookieKey) int {
	return slices.IndexFunc(in.taken, func(r cookieRecord) bool { return r.cookieKey == k })
}

// cookies is what the response has set, for its reader.
func (in *cookieReceiver) cookies() []*http.Cookie {
	list := make([]*http.Cookie, len(in.taken))
	for i := range in.taken {
		list[i] = in.taken[i].plain()
	}
	return list
}

// SetCookies stores cookies that came with a response from u, as
// [http.CookieJar] asks: all rules about who may set what apply. The parts of a
// line that net/http could not read, such as old forms of dates, are read anew.
func (j *CookieJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	target, ok := cookieURLOf(u)
	if !ok {
		return
	}
	in := cookieReceiver{url: target, now: j.clock(), bounds: j.Limits.bounds()}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range cookies {
		if parsed, ok := fromNetHTTP(c); ok {
			in.take(&j.store, parsed)
		}
	}
}

// Cookies returns the cookies for a request to u, as [http.CookieJar] asks:
// names and values alone.
func (j *CookieJar) Cookies(u *url.URL) []*http.Cookie {
	target, ok := cookieURLOf(u)
	if !ok {
		return nil
	}
	// The clock is the caller's in tests: it is not asked under the lock.
	now, limit := j.clock(), j.Limits.bounds().headerBytes
	j.mu.Lock()
	defer j.mu.Unlock()
	matches := j.store.appendMatches(nil, target, true, now)
	sortSent(matches)
	var list []*http.Cookie
	for _, c := range fitHeader(matches, limit) {
		if c.drop {
			continue
		}
		j.store.touch(c.entry)
		value, quoted := unquoteCookie(c.value)
		list = append(list, &http.Cookie{Name: c.name, Value: value, Quoted: quoted})
	}
	return list
}

// unquoteCookie takes the quotes off, since net/http leaves them out unless it
// is told of them.
func unquoteCookie(v string) (string, bool) {
	if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
		return v[1 : len(v)-1], true
	}
	return v, false
}

// fromNetHTTP makes of a cookie of net/http what the parser would have made of
// its line.
func fromNetHTTP(c *http.Cookie) (setCookie, bool) {
	value := c.Value
	if c.Quoted {
		value = `"` + value + `"`
	}
	r := cookieRecord{cookieKey: cookieKey{name: c.Name, path: c.Path, domain: c.Domain}, value: value}
	// net/http lets some through that no header could carry; their size is judged
	// later.
	if r.check(cookieBounds{cookieBytes: math.MaxInt}) != nil {
		return setCookie{}, false
	}
	parsed := setCookie{
		name: c.Name, value: value, path: c.Path,
		domain:   strings.ToLower(strings.TrimPrefix(c.Domain, ".")),
		expires:  c.Expires.UTC().Round(0),
		maxAge:   int64(c.MaxAge),
		secure:   c.Secure,
		httpOnly: c.HttpOnly,
		sameSite: c.SameSite,

		hasExpires: !c.Expires.IsZero(),
		hasMaxAge:  c.MaxAge != 0,
	}
	// net/http reads two forms of dates and leaves the others as text: taking
	// those for none would keep a cookie that the server wants gone.
	if !parsed.hasExpires && c.RawExpires != "" {
		parsed.expires, parsed.hasExpires = parseCookieDate(c.RawExpires)
	}
	// It also misses attributes with a blank before the equals sign, "Secure ="
	// among them.
	for _, attribute := range c.Unparsed {
		parsed.addAttribute(attribute)
	}
	return parsed, true
}

// cookieURLOf is what the rules need of u; false for a URL that no cookie goes
// to.
func cookieURLOf(u *url.URL) (cookieURL, bool) {
	c := cookieURL{path: u.EscapedPath()}
	switch strings.ToLower(u.Scheme) {
	// WebSockets share the cookies of the schemes that they upgrade from.
	case "https", "wss":
		c.secure = true
	case "http", "ws":
	default:
		return c, false
	}
	var ok bool
	c.host, ok = cookieHost(u.Hostname())
	return c, ok
}
