package requests

import (
	"cmp"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// cookieKey names a cookie within a jar. Cookies of "a.test" and ".a.test" are
// two, as in 6265bis and in Requests.
type cookieKey struct{ domain, path, name string }

// cookieRecord is a cookie as the jar keeps it.
type cookieRecord struct {
	cookieKey
	// Quotes are part of it, as they came.
	value    string
	expires  time.Time // zero: with the session
	secure   bool
	httpOnly bool
	sameSite http.SameSite
}

// expired reports whether the cookie's time is over; its last moment is not in
// it (RFC 6265 5.3).
func (r *cookieRecord) expired(now time.Time) bool {
	return !r.expires.IsZero() && !now.Before(r.expires)
}

// plain is the cookie as users see it.
func (r *cookieRecord) plain() *http.Cookie {
	return &http.Cookie{
		Name: r.name, Value: r.value, Domain: r.domain, Path: r.path, Expires: r.expires,
		Secure: r.secure, HttpOnly: r.httpOnly, SameSite: r.sameSite,
	}
}

// cookieEntry is a stored cookie and its places in the lists that hold it.
type cookieEntry struct {
	cookieRecord
	group *cookieGroup // of its domain
	place *cookiePlace // of its domain and path
	seq   uint64       // order of creation; replacing a cookie keeps it
	links [cookieLists]cookieLink
}

// The lists that a cookie is in.
const (
	inJar   = iota // all cookies, by last use
	inSite         // those of a domain, by last use
	inPlace        // those of a domain and path, by creation
	inName         // those of a name, by creation
	cookieLists
)

// cookieLink is an entry's place in one list.
type cookieLink struct{ prev, next *cookieEntry }

// cookieList is a doubly linked list through the links of one kind.
type cookieList struct{ first, last *cookieEntry }

// push appends e.
func (l *cookieList) push(e *cookieEntry, kind int) {
	e.links[kind] = cookieLink{prev: l.last}
	if l.last == nil {
		l.first = e
	} else {
		l.last.links[kind].next = e
	}
	l.last = e
}

// remove takes e, which must be in the list, out in constant time.
func (l *cookieList) remove(e *cookieEntry, kind int) {
	link := e.links[kind]
	if link.prev == nil {
		l.first = link.next
	} else {
		link.prev.links[kind].next = link.next
	}
	if link.next == nil {
		l.last = link.prev
	} else {
		link.next.links[kind].prev = link.prev
	}
	e.links[kind] = cookieLink{}
}

// cookieSite holds the cookies of one domain, host-only ones and those with a
// Domain attribute.
type cookieSite struct {
	// groups[1] has those with a Domain attribute.
	groups [2]*cookieGroup
	// lru[1] has the Secure ones, which a flood of others must not drive out
	// (6265bis 5.7).
	lru [2]cookieList
	// len counts both groups, for the limit of a host.
	len int
}

// cookieGroup holds the cookies of one key domain by path.
type cookieGroup struct {
	domain string
	seq    uint64
	places pathIndex[*cookiePlace]
}

// cookiePlace holds the cookies of one domain and path.
type cookiePlace struct {
	seq     uint64
	cookies cookieList
}

// pathIndex finds the values stored for the paths that match a request path
// without looking at the others.
type pathIndex[T any] struct {
	byPath  map[string]T
	longest int // no path is longer
}

// put stores v for a path, in the place of what was there.
func (x *pathIndex[T]) put(path string, v T) {
	if x.byPath == nil {
		x.byPath = make(map[string]T, 1)
	}
	x.byPath[path] = v
	x.longest = max(x.longest, len(path))
}

// match calls visit for each path that matches request, in no particular order,
// until it returns false. A request's path has few prefixes that end at a
// slash; where the index has fewer paths still, those are tried instead.
func (x *pathIndex[T]) match(request string, visit func(T) bool) {
	// A request's path may be as long as an attacker likes: what is longer than
	// any path of the index matches none by itself.
	head := request[:min(len(request), x.longest+1)]
	if len(x.byPath) <= 2*strings.Count(head, "/") {
		for path, v := range x.byPath {
			if pathMatch(request, path) && !visit(v) {
				return
			}
		}
		return
	}
	if v, ok := x.byPath[request]; ok && !visit(v) {
		return
	}
	// The paths that match are its prefixes that end at or before a slash (RFC
	// 6265, 5.1.4).
	for i := range len(head) {
		if head[i] != '/' {
			continue
		}
		if v, ok := x.byPath[head[:i]]; ok && !visit(v) {
			return
		}
		if i+1 == len(request) {
			return // the whole path has been looked up
		}
		if v, ok := x.byPath[head[:i+1]]; ok && !visit(v) {
			return
		}
	}
}

// secureKey finds Secure cookies of a name by domain: those of that domain
// alone (exact), or below it as well.
type secureKey struct {
	name, domain string
	exact        bool
}

// cookieStore is the jar's memory: it keeps order and bounds, and knows neither
// a clock nor a lock. The zero value is empty.
type cookieStore struct {
	count  atomic.Int64 // of cookies; may be read without the lock
	byKey  map[cookieKey]*cookieEntry
	byName map[string]*cookieList
	sites  map[string]*cookieSite        // by domain without a leading dot
	secure map[secureKey]*pathIndex[int] // how many Secure cookies, for shadowsSecure
	lru    cookieList                    // all, the least recently used first
	seq    uint64                        // the last number that next gave
	// purgeAt is the size at which expired cookies are looked for. It doubles
	// with what is left, so that the cost of looking is spread over the
	// insertions.
	purgeAt int
}

// next numbers what comes, so that order can be told later.
func (s *cookieStore) next() uint64 {
	s.seq++
	return s.seq
}

// put stores r in the place of the cookie of its key, or as the newest, and
// keeps to the limits. It reports false where the limits left no room for it.
func (s *cookieStore) put(r cookieRecord, lim cookieBounds, now time.Time) bool {
	// CK-11: domain, path and name are the key; a cookie that differs in one of
	// them is another.
	if e := s.byKey[r.cookieKey]; e != nil {
		s.replace(e, r) // no more cookies than before: no limit to look at
		return true
	}
	// Expired cookies go first, so that they push out none that is still good.
	if len(s.byKey) >= max(s.purgeAt, minPurge) {
		s.removeWhere(func(e *cookieEntry) bool { return e.expired(now) })
		s.purgeAt = 2 * len(s.byKey)
	}
	e := s.insert(r)
	s.evict(e, lim)
	return s.byKey[r.cookieKey] == e
}

// minPurge is the size below which expired cookies may stay until they are
// asked for.
const minPurge = 128

// insert stores a cookie whose key is not there yet in all indexes. Each takes
// constant time, so that a response costs the same whatever the jar holds.
func (s *cookieStore) insert(r cookieRecord) *cookieEntry {
	if s.byKey == nil {
		s.byKey = make(map[cookieKey]*cookieEntry)
		s.byName = make(map[string]*cookieList)
		s.sites = make(map[string]*cookieSite)
		s.secure = make(map[secureKey]*pathIndex[int])
	}
	group, site := s.group(r.domain)
	place := group.places.byPath[r.path]
	if place == nil {
		place = &cookiePlace{seq: s.next()}
		group.places.put(r.path, place)
	}
	names := s.byName[r.name]
	if names == nil {
		names = new(cookieList)
		s.byName[r.name] = names
	}
	e := &cookieEntry{cookieRecord: r, group: group, place: place, seq: s.next()}
	s.byKey[r.cookieKey] = e
	s.count.Store(int64(len(s.byKey)))
	s.lru.push(e, inJar)
	site.lru[boolIndex(r.secure)].push(e, inSite)
	site.len++
	place.cookies.push(e, inPlace)
	names.push(e, inName)
	s.countSecure(e, 1)
	return e
}

// group finds or makes the group and the site of a domain.
func (s *cookieStore) group(domain string) (*cookieGroup, *cookieSite) {
	bare := strings.TrimPrefix(domain, ".")
	site := s.sites[bare]
	if site == nil {
		site = new(cookieSite)
		s.sites[bare] = site
	}
	group := &site.groups[boolIndex(bare != domain)]
	if *group == nil {
		*group = &cookieGroup{domain: domain, seq: s.next()}
	}
	return *group, site
}

// replace gives e the value and attributes of r, which has its key. Its place
// in the order stays (RFC 6265 5.3 step 11.3).
func (s *cookieStore) replace(e *cookieEntry, r cookieRecord) {
	s.touch(e)
	site := s.siteOf(e)
	s.countSecure(e, -1)
	site.lru[boolIndex(e.secure)].remove(e, inSite)
	e.cookieRecord = r
	site.lru[boolIndex(e.secure)].push(e, inSite)
	s.countSecure(e, 1)
}

// siteOf is the site of a stored cookie.
func (s *cookieStore) siteOf(e *cookieEntry) *cookieSite {
	return s.sites[strings.TrimPrefix(e.domain, ".")]
}

// touch makes e the most recently used.
func (s *cookieStore) touch(e *cookieEntry) {
	s.lru.remove(e, inJar)
	s.lru.push(e, inJar)
	list := &s.siteOf(e).lru[boolIndex(e.secure)]
	list.remove(e, inSite)
	list.push(e, inSite)
}

// remove takes e out, and what it leaves empty with it.
func (s *cookieStore) remove(e *cookieEntry) {
	delete(s.byKey, e.cookieKey)
	s.count.Store(int64(len(s.byKey)))
	s.lru.remove(e, inJar)
	s.countSecure(e, -1)
	names := s.byName[e.name]
	if names.remove(e, inName); names.first == nil {
		delete(s.byName, e.name)
	}
	site := s.siteOf(e)
	site.lru[boolIndex(e.secure)].remove(e, inSite)
	site.len--
	if e.place.cookies.remove(e, inPlace); e.place.cookies.first != nil {
		return
	}
	// Its longest stays, as an upper bound: it saves looks and decides nothing.
	delete(e.group.places.byPath, e.path)
	// CK-11: an empty group keeps its place in the order, before that of the same
	// domain with a dot or behind it.
	if site.len == 0 {
		delete(s.sites, strings.TrimPrefix(e.domain, "."))
	}
}

// delete removes the cookie of that key, if there is one.
func (s *cookieStore) delete(k cookieKey) {
	if e := s.byKey[k]; e != nil {
		s.remove(e)
	}
}

// removeWhere removes all that drop says yes to and returns how many those
// were.
func (s *cookieStore) removeWhere(drop func(*cookieEntry) bool) int {
	removed := 0
	for _, e := range s.byKey {
		if drop(e) {
			s.remove(e)
			removed++
		}
	}
	return removed
}

// named goes over the cookies of a name by creation. The one at hand may be
// removed.
func (s *cookieStore) named(name string) iter.Seq[*cookieEntry] {
	return func(yield func(*cookieEntry) bool) {
		list := s.byName[name]
		if list == nil {
			return
		}
		for e := list.first; e != nil; {
			// Taken before the yield, which may remove e and clear its links.
			next := e.links[inName].next
			if !yield(e) {
				return
			}
			e = next
		}
	}
}

// evict drops the least recently used cookies until the limits hold again after
// e came in: first of its domain, where those without Secure go first, then of
// all. Cookies that the caller put in for every host count in all only.
func (s *cookieStore) evict(e *cookieEntry, lim cookieBounds) {
	if site := s.siteOf(e); e.domain != "" {
		for site.len > lim.perHost {
			// The one that came in is the most recently used, and goes last.
			oldest := site.lru[0].first
			if oldest == nil {
				oldest = site.lru[1].first
			}
			s.remove(oldest)
		}
	}
	for len(s.byKey) > lim.total {
		s.remove(s.lru.first)
	}
}

// countSecure notes that a Secure cookie came (by = 1) or went (by = -1), for
// [cookieStore.shadowsSecure].
func (s *cookieStore) countSecure(e *cookieEntry, by int) {
	if !e.secure {
		return
	}
	domain := strings.TrimPrefix(e.domain, ".")
	s.countSecureKey(secureKey{e.name, domain, true}, e.path, by)
	// Each domain above counts it as well, so that one look tells of all below.
	for domain != "" {
		s.countSecureKey(secureKey{e.name, domain, false}, e.path, by)
		domain = parentDomain(domain)
	}
}

// countSecureKey adds to the count of one key and path, and forgets what has
// come to nothing.
func (s *cookieStore) countSecureKey(k secureKey, path string, by int) {
	x := s.secure[k]
	if x == nil {
		x = new(pathIndex[int])
		s.secure[k] = x
	}
	x.put(path, x.byPath[path]+by)
	if x.byPath[path] > 0 {
		return
	}
	if delete(x.byPath, path); len(x.byPath) == 0 {
		delete(s.secure, k)
	}
}

// shadowsSecure reports whether r, which came without TLS, would take the place
// of a Secure cookie, or be sent besides one where a server could take it for
// that: same name, domains of which one holds the other, path at or below
// (6265bis 5.7, "leave secure cookies alone").
func (s *cookieStore) shadowsSecure(r cookieRecord) bool {
	domain := strings.TrimPrefix(r.domain, ".")
	if s.hasSecure(secureKey{r.name, domain, false}, r.path) {
		return true
	}
	for domain = parentDomain(domain); domain != ""; domain = parentDomain(domain) {
		if s.hasSecure(secureKey{r.name, domain, true}, r.path) {
			return true
		}
	}
	return false
}

// hasSecure reports whether a Secure cookie is counted under the key at path or
// above it.
func (s *cookieStore) hasSecure(k secureKey, path string) bool {
	found := false
	if x := s.secure[k]; x != nil {
		x.match(path, func(int) bool {
			found = true
			return false
		})
	}
	return found
}

// parentDomain cuts the first label off, and leaves nothing of a single label
// or an address.
func parentDomain(domain string) string {
	if isCookieAddress(domain) {
		return ""
	}
	_, parent, _ := strings.Cut(domain, ".")
	return parent
}

// sorted is all cookies that keep says yes to, in the order of [CookieJar.All].
func (s *cookieStore) sorted(keep func(*cookieEntry) bool) []*cookieEntry {
	var all []*cookieEntry
	for _, e := range s.byKey {
		if keep(e) {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b *cookieEntry) int {
		return cmp.Or(cmp.Compare(a.group.seq, b.group.seq),
			cmp.Compare(a.place.seq, b.place.seq), cmp.Compare(a.seq, b.seq))
	})
	return all
}

// boolIndex makes an index of a flag.
func boolIndex(b bool) int {
	if b {
		return 1
	}
	return 0
}
