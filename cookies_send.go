package requests

import (
	"cmp"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
)

// cookieRules varies which cookies a request gets. The zero value is for a URL
// that the caller gave.
type cookieRules struct {
	// foreign: a redirect has led to another host; cookies for every host stay
	// at home.
	foreign bool
	// jarWins: the jar's cookie beats the call's of the same domain, path and
	// name. So it is after a redirect, where Requests merges the session's jar
	// into the call's anew.
	jarWins bool
	// since is how far the jar had counted when the caller's request was
	// prepared: domains that it got to know later stand behind the call's.
	// Without jarWins it does not count.
	since uint64
}

// sentCookie is a cookie that matches a request, with what decides its place in
// the header.
type sentCookie struct {
	cookieKey
	value string
	group uint64       // order of the domain
	fresh int          // order of domains that the jar does not know behind it
	seq   uint64       // order within it
	entry *cookieEntry // nil for a call's own
	drop  bool
}

// header appends the value of the Cookie header for u to dst, and nothing where
// no cookie matches. A call's own cookies are on top of the jar's, as though
// they were in a copy of it: each replaces the jar's cookie of the same domain,
// path and name in its place, or is sent besides it. The cookies of extra
// follow the conventions of [CookieJar] and have been through
// [checkCallCookie]; one with a negative MaxAge only keeps the jar's from being
// sent. The jar may be nil.
func (j *CookieJar) header(dst []byte, extra []*http.Cookie, u cookieURL, rules cookieRules) []byte {
	if j == nil {
		j = new(CookieJar)
	}
	if len(extra) == 0 && j.Len() == 0 {
		return dst
	}
	// The clock is the caller's in tests: it is not asked under the lock.
	now, limit := j.clock(), j.Limits.bounds().headerBytes
	j.mu.Lock()
	defer j.mu.Unlock()
	var space [12]sentCookie // on the stack: most requests have fewer
	matches := j.store.appendMatches(space[:0], u, !rules.foreign, now)
	if len(extra) > 0 {
		matches = j.store.merge(matches, extra, u, rules, now)
	}
	sortSent(matches)
	return j.store.appendSent(dst, fitHeader(matches, limit))
}

// position is how far the jar has counted: what it gets to know from now on
// has a higher number. A nil jar has counted nothing.
func (j *CookieJar) position() uint64 {
	if j == nil {
		return 0
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.store.seq
}

// appendMatches collects the jar's cookies for u (RFC 6265 5.4 step 1), those
// for every host where own is true.
func (s *cookieStore) appendMatches(dst []sentCookie, u cookieURL, own bool, now time.Time) []sentCookie {
	path := cmp.Or(u.path, "/")
	if site := s.sites[""]; own && site != nil {
		dst = site.groups[0].appendMatches(dst, path, u.secure, now)
	}
	if u.host == "" {
		return dst
	}
	if site := s.sites[u.host]; site != nil {
		dst = site.groups[0].appendMatches(dst, path, u.secure, now)
		dst = site.groups[1].appendMatches(dst, path, u.secure, now)
	}
	if len(u.host) > maxCookieAttribute {
		return dst // no domain is that long, and the loop must stay linear
	}
	for domain := parentDomain(u.host); domain != ""; domain = parentDomain(domain) {
		if site := s.sites[domain]; site != nil {
			dst = site.groups[1].appendMatches(dst, path, u.secure, now)
		}
	}
	return dst
}

// appendMatches collects the cookies of one domain that match by path, expiry
// and Secure. A nil group has none.
func (g *cookieGroup) appendMatches(dst []sentCookie, path string, secure bool, now time.Time) []sentCookie {
	if g == nil {
		return dst
	}
	g.places.match(path, func(p *cookiePlace) bool {
		for e := p.cookies.first; e != nil; e = e.links[inPlace].next {
			if (!e.secure || secure) && !e.expired(now) {
				dst = append(dst, sentCookie{cookieKey: e.cookieKey, value: e.value, group: g.seq, seq: e.seq, entry: e})
			}
		}
		return true
	})
	return dst
}

// merge puts a call's cookies on top of the jar's matches.
func (s *cookieStore) merge(
	matches []sentCookie, extra []*http.Cookie, u cookieURL, rules cookieRules, now time.Time,
) []sentCookie {
	// A map, since a call may bring a whole jar: comparing all with all would
	// not be linear.
	at := make(map[cookieKey]int, len(matches)+len(extra))
	for i := range matches {
		at[matches[i].cookieKey] = i
	}
	last := s.seq
	if rules.jarWins {
		last = rules.since
	}
	groups := make(map[string]sentCookie)
	for i, c := range extra {
		x := sentCookie{cookieKey: cookieKey{c.Domain, cmp.Or(c.Path, "/"), c.Name}, value: c.Value}
		if !x.matches(u, rules.foreign) {
			continue
		}
		// It takes the place of the jar's cookie first, and then neither is sent.
		x.drop = c.Secure && !u.secure || c.MaxAge < 0 || !c.Expires.IsZero() && !now.Before(c.Expires)
		old, found := at[x.cookieKey]
		switch {
		case found && rules.jarWins && matches[old].entry != nil: // stays
		case found:
			x.group, x.fresh, x.seq = matches[old].group, matches[old].fresh, matches[old].seq
			matches[old] = x
		default:
			place := s.groupOf(x.domain, groups, last, i)
			x.group, x.fresh, x.seq = place.group, place.fresh, math.MaxUint64/2+uint64(i)
			at[x.cookieKey] = len(matches)
			matches = append(matches, x)
		}
	}
	return slices.DeleteFunc(matches, func(c sentCookie) bool { return c.drop })
}

// groupOf is the place of a domain: the jar's, or behind those that the jar
// knew when it had counted to last, by first appearance among a call's cookies.
func (s *cookieStore) groupOf(domain string, known map[string]sentCookie, last uint64, i int) sentCookie {
	if place, ok := known[domain]; ok {
		return place
	}
	place := sentCookie{group: last, fresh: i + 1}
	bare := strings.TrimPrefix(domain, ".")
	if site := s.sites[bare]; site != nil {
		if g := site.groups[boolIndex(bare != domain)]; g != nil && (g.seq <= last || domain == "") {
			place = sentCookie{group: g.seq}
		}
	}
	known[domain] = place
	return place
}

// matches reports whether a call's cookie goes to u by domain and path.
func (c *sentCookie) matches(u cookieURL, foreign bool) bool {
	if !pathMatch(cmp.Or(u.path, "/"), c.path) {
		return false
	}
	if bare, dotted := strings.CutPrefix(c.domain, "."); dotted {
		return domainMatch(u.host, bare)
	}
	return c.domain == u.host || c.domain == "" && !foreign
}

// sortSent orders cookies as Requests sends them: longer paths first (RFC 6265
// 5.4 step 2), then by domain in order of first use, then by creation.
func sortSent(matches []sentCookie) {
	slices.SortFunc(matches, func(a, b sentCookie) int {
		return cmp.Or(cmp.Compare(len(b.path), len(a.path)), cmp.Compare(a.group, b.group),
			cmp.Compare(a.fresh, b.fresh), cmp.Compare(a.seq, b.seq))
	})
}

// fitHeader cuts cookies from the end that servers gave, until all that remains
// fits the limit.
func fitHeader(matches []sentCookie, limit int) []sentCookie {
	total := 0
	for i := range matches {
		total += matches[i].size()
	}
	// "; " stands before each cookie but the first.
	for i := len(matches) - 1; i >= 0 && total-2 > limit; i-- {
		// Servers fill a jar; what the caller put in is always sent.
		if c := &matches[i]; c.entry != nil && c.domain != "" {
			total -= c.size()
			c.drop = true
		}
	}
	return matches
}

// size is what the cookie takes of a header, with the delimiter before it.
func (c *sentCookie) size() int { return len("; ") + len(c.name) + len("=") + len(c.value) }

// appendSent writes the header and notes the use of its cookies.
func (s *cookieStore) appendSent(dst []byte, matches []sentCookie) []byte {
	total := 0
	for i := range matches {
		total += matches[i].size()
	}
	dst = slices.Grow(dst, total) // the one allocation of a header
	start := len(dst)
	for i := range matches {
		c := &matches[i]
		if c.drop {
			continue
		}
		if len(dst) > start {
			dst = append(dst, "; "...)
		}
		dst = append(dst, c.name...)
		dst = append(dst, '=')
		dst = append(dst, c.value...)
		if c.entry != nil {
			s.touch(c.entry)
		}
	}
	return dst
}

// checkCallCookie checks a cookie that comes with one call, by the rules of
// [CookieJar.Set], and returns the copy that [CookieJar.header] takes. A
// value may hold a semicolon, which Requests sends as it is: it is kept
// nowhere.
func checkCallCookie(c *http.Cookie, now time.Time) (*http.Cookie, error) {
	plain := *c
	plain.Value = strings.ReplaceAll(c.Value, ";", ",")
	r, err := callerCookie(&plain, now, CookieLimits{CookieBytes: -1}.bounds())
	if err != nil {
		return nil, err
	}
	checked := r.plain()
	if plain.Value != c.Value {
		checked.Value = callerValue(c)
	}
	checked.MaxAge = min(c.MaxAge, 0) // a positive one is in Expires now
	return checked, nil
}
