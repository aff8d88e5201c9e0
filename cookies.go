package requests

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Errors of a [CookieJar], to be tested for with [errors.Is].
var (
	// ErrNoCookie says that no cookie has the name (Requests: KeyError).
	ErrNoCookie = errors.New("no such cookie")
	// ErrCookieConflict says that cookies of several domains or paths have the
	// name; a [CookieScope] tells them apart (Requests: CookieConflictError).
	ErrCookieConflict = errors.New("several cookies have this name")
	// ErrBadCookie says that a cookie cannot be stored, because it could not be
	// sent as it is.
	ErrBadCookie = errors.New("bad cookie")
)

// CookieError is the error of all methods of a [CookieJar] that concern one
// cookie. It never holds a cookie's value.
type CookieError struct {
	Name   string // the name that was asked for; empty where it is itself what is wrong
	Line   int    // line of the file that was read, from 1; 0 where there is none
	Reason string // what is wrong, where Err is ErrBadCookie
	Err    error  // ErrNoCookie, ErrCookieConflict or ErrBadCookie
}

// Error describes the failure without the cookie's value.
func (e *CookieError) Error() string {
	text := "requests: " + e.Err.Error()
	if e.Line > 0 {
		text = fmt.Sprintf("requests: cookie file line %d: %v", e.Line, e.Err)
	}
	if e.Name != "" {
		text += fmt.Sprintf(" %q", e.Name)
	}
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}

// Unwrap returns the kind of the error.
func (e *CookieError) Unwrap() error { return e.Err }

// badCookie is the error for a cookie that cannot be stored. The name is left
// out where it is itself what is wrong: it may then hold whatever the caller
// mixed up with it, a value included.
func badCookie(name, reason string) *CookieError {
	return &CookieError{Name: name, Reason: reason, Err: ErrBadCookie}
}

// CookieLimits bounds what servers can make a [CookieJar] hold and send. For
// each field zero is the default and a negative number means no limit.
type CookieLimits struct {
	// CookieBytes bounds name and value together; larger cookies are refused.
	// Default 4096.
	CookieBytes int
	// PerHost bounds the cookies of one domain. Beyond it the least recently
	// used one goes, one without Secure first. Default 180.
	PerHost int
	// Total bounds all cookies of the jar, with the least recently used one to
	// go. Default 3000.
	Total int
	// PerResponse bounds the cookies that one response stores; those that it
	// deletes do not count. Default 50.
	PerResponse int
	// HeaderBytes bounds the Cookie header. Cookies that would pass it are left
	// out from the end, but never those that the caller put in for every host.
	// Default 16384.
	HeaderBytes int
}

// cookieBounds is CookieLimits with the defaults filled in.
type cookieBounds struct{ cookieBytes, perHost, total, perResponse, headerBytes int }

// bounds fills in the defaults; a limit that was lifted becomes the largest
// number, so that no comparison needs to know of it.
func (l CookieLimits) bounds() cookieBounds {
	return cookieBounds{
		cookieBytes: cookieBound(l.CookieBytes, 4096),
		perHost:     cookieBound(l.PerHost, 180),
		total:       cookieBound(l.Total, 3000),
		perResponse: cookieBound(l.PerResponse, 50),
		headerBytes: cookieBound(l.HeaderBytes, 16<<10),
	}
}

// cookieBound is one limit as the fields of [CookieLimits] define it.
func cookieBound(n, fallback int) int {
	if n < 0 {
		return math.MaxInt
	}
	return cmp.Or(n, fallback)
}

// AnyHost is the domain of a [CookieScope] that selects the cookies which the
// caller put in for every host.
const AnyHost = "*"

// CookieScope selects cookies by where they belong to. An empty field selects
// all. Domain is compared as it is stored: ".a.test" with a Domain attribute,
// "a.test" without, [AnyHost] for those of the caller's without a domain.
type CookieScope struct {
	Domain string
	Path   string
}

// holds reports whether the scope selects a cookie. Domains are lower-case in
// the jar, but not always as asked for.
func (s CookieScope) holds(e *cookieEntry) bool {
	return (s.Domain == "" || s.Domain == e.domain || s.Domain == AnyHost && e.domain == "" ||
		strings.EqualFold(s.Domain, e.domain)) && (s.Path == "" || s.Path == e.path)
}

// inScopes is true for any of several scopes, or where there is none.
func inScopes(scopes []CookieScope, e *cookieEntry) bool {
	return len(scopes) == 0 || slices.ContainsFunc(scopes, func(s CookieScope) bool { return s.holds(e) })
}

// CookieJar keeps cookies and decides which of them a request gets: RFC 6265,
// with the Secure, name-prefix and size rules of 6265bis and the public suffix
// list. The zero value is an empty jar. Many goroutines may use a jar at once.
// It must not be copied; see [CookieJar.Clone].
//
// Cookies go in and out as [http.Cookie], where Domain says whom they belong
// to:
//
//   - ".a.test": a.test and all hosts below it; the server gave a Domain
//     attribute.
//   - "a.test": that host alone.
//   - "": every host that the caller asks for. Only the caller can put such a
//     cookie in. It is not sent where a redirect leads to another host.
//
// Expires is the zero time for a cookie that ends with the session. MaxAge is
// not used: it has become part of Expires. SameSite is kept for the reader and
// not enforced, since no request of this library comes from another site's
// page. Cookies are shared by all ports of a host, as RFC 6265 8.5 has it.
//
// A cookie that has expired is never sent or saved; it may be listed until room
// is needed or [CookieJar.ClearExpired] is called, as in Requests.
//
// A *CookieJar is an [http.CookieJar] too. Formatted by fmt it shows names and
// domains, never a value.
type CookieJar struct {
	// Limits bounds the jar; the zero value is a set of defaults. It is not to
	// be changed once the jar is in use.
	Limits CookieLimits

	now func() time.Time // nil: time.Now

	mu    sync.Mutex
	store cookieStore // guarded by mu
}

// Under a plain http.Client the jar has the same rules.
var _ http.CookieJar = (*CookieJar)(nil)

// clock is the time now; tests hold it.
func (j *CookieJar) clock() time.Time {
	if j.now != nil {
		return j.now()
	}
	return time.Now()
}

// Get returns the cookie of that name, within the scopes where there are any.
// The error matches [ErrNoCookie] or, where the name is there for several
// domains or paths, [ErrCookieConflict].
func (j *CookieJar) Get(name string, scope ...CookieScope) (*http.Cookie, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var found *cookieEntry
	for e := range j.store.named(name) {
		if !inScopes(scope, e) {
			continue
		}
		if found != nil {
			return nil, &CookieError{Name: name, Err: ErrCookieConflict}
		}
		found = e
	}
	if found == nil {
		return nil, &CookieError{Name: name, Err: ErrNoCookie}
	}
	return found.plain(), nil
}

// Value returns the value of the cookie of that name, and nothing where
// [CookieJar.Get] fails.
func (j *CookieJar) Value(name string, scope ...CookieScope) string {
	c, err := j.Get(name, scope...)
	if err != nil {
		return ""
	}
	return c.Value
}

// SetValue stores a cookie for every host that the caller asks for. See
// [CookieJar.Set] for the errors.
func (j *CookieJar) SetValue(name, value string) error {
	return j.Set(&http.Cookie{Name: name, Value: value})
}

// Set stores a cookie as the caller's own: no rule about who may set what
// applies. Domain is as [CookieJar] describes, an empty Path is "/". MaxAge,
// where it is not 0, overrides Expires; where it is negative the cookie is
// deleted. A cookie whose name, value, domain or path could not be sent and
// saved as it is, or which is larger than the limit, is refused with an error
// that matches [ErrBadCookie]. Only backslashes before quotes inside a quoted
// value are left out, as Requests does.
func (j *CookieJar) Set(c *http.Cookie) error {
	now, lim := j.clock(), j.Limits.bounds()
	r, err := callerCookie(c, now, lim)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if c.MaxAge < 0 {
		j.store.delete(r.cookieKey)
		return nil
	}
	j.store.put(r, lim, now)
	return nil
}

// Delete removes all cookies of that name, within the scopes where there are
// any, and returns how many those were.
func (j *CookieJar) Delete(name string, scope ...CookieScope) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	removed := 0
	for e := range j.store.named(name) {
		if inScopes(scope, e) {
			j.store.remove(e)
			removed++
		}
	}
	return removed
}

// Clear removes all cookies, or those of the given scopes, and returns how many
// those were.
func (j *CookieJar) Clear(scope ...CookieScope) int {
	return j.clearWhere(func(e *cookieEntry) bool { return inScopes(scope, e) })
}

// ClearExpired removes the cookies whose time is over and returns how many
// those were.
func (j *CookieJar) ClearExpired() int {
	now := j.clock()
	return j.clearWhere(func(e *cookieEntry) bool { return e.expired(now) })
}

// ClearSession removes the cookies without an expiry and returns how many those
// were.
func (j *CookieJar) ClearSession() int {
	return j.clearWhere(func(e *cookieEntry) bool { return e.expires.IsZero() })
}

// clearWhere removes the cookies that drop says yes to. It looks at all of
// them: clearing is no part of a request.
func (j *CookieJar) clearWhere(drop func(*cookieEntry) bool) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.store.removeWhere(drop)
}

// Len returns the number of cookies.
func (j *CookieJar) Len() int {
	return int(j.store.count.Load())
}

// All returns copies of all cookies as they were when it was called, grouped by
// domain and then by path, each in the order of first use. The jar may be used
// and changed meanwhile.
func (j *CookieJar) All() iter.Seq[*http.Cookie] {
	records := j.records()
	return func(yield func(*http.Cookie) bool) {
		for i := range records {
			if !yield(records[i].plain()) {
				return
			}
		}
	}
}

// records copies the cookies that are within the scopes, in the order of
// [CookieJar.All].
func (j *CookieJar) records(scope ...CookieScope) []cookieRecord {
	j.mu.Lock()
	defer j.mu.Unlock()
	entries := j.store.sorted(func(e *cookieEntry) bool { return inScopes(scope, e) })
	records := make([]cookieRecord, len(entries))
	for i, e := range entries {
		records[i] = e.cookieRecord
	}
	return records
}

// Names returns the names of all cookies in the order of [CookieJar.All], one
// for each cookie.
func (j *CookieJar) Names() []string {
	var names []string
	for _, r := range j.records() {
		names = append(names, r.name)
	}
	return names
}

// Domains returns the domains of all cookies, each once, in the order in which
// they came.
func (j *CookieJar) Domains() []string {
	return uniqueOf(j.records(), func(r cookieRecord) string { return r.domain })
}

// Paths returns the paths of all cookies, each once, in the order of
// [CookieJar.All].
func (j *CookieJar) Paths() []string {
	return uniqueOf(j.records(), func(r cookieRecord) string { return r.path })
}

// uniqueOf lists what of says of the records, each text once and in the order
// of its first appearance.
func uniqueOf(records []cookieRecord, of func(cookieRecord) string) []string {
	var list []string
	seen := make(map[string]bool)
	for _, r := range records {
		if s := of(r); !seen[s] {
			seen[s] = true
			list = append(list, s)
		}
	}
	return list
}

// Map returns the values by name, within the scopes where there are any. Of
// several cookies of one name the last in the order of [CookieJar.All] counts.
func (j *CookieJar) Map(scope ...CookieScope) map[string]string {
	m := make(map[string]string)
	for _, r := range j.records(scope...) {
		m[r.name] = r.value
	}
	return m
}

// Update stores all cookies of the other jar, which win over those that are
// here.
func (j *CookieJar) Update(other *CookieJar) {
	records := other.records() // before our own lock: the jars may be one
	now, lim := j.clock(), j.Limits.bounds()
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range records {
		j.store.put(r, lim, now)
	}
}

// Clone returns a jar with the same limits and copies of all cookies.
func (j *CookieJar) Clone() *CookieJar {
	c := &CookieJar{Limits: j.Limits, now: j.now}
	c.Update(j)
	return c
}

// Format writes the jar's size, domains and names under every verb of fmt, and
// no value.
func (j *CookieJar) Format(f fmt.State, _ rune) {
	if j == nil {
		fmt.Fprint(f, "CookieJar(nil)")
		return
	}
	var b strings.Builder
	domain := ""
	records := j.records()
	for i, r := range records {
		if i == 0 || r.domain != domain {
			domain = r.domain
			fmt.Fprintf(&b, " [%s]", cmp.Or(domain, AnyHost))
		}
		fmt.Fprintf(&b, " %q", r.name)
	}
	fmt.Fprintf(f, "CookieJar(%d%s)", len(records), b.String())
}

// String returns the jar's size, domains and names, and no value.
func (j *CookieJar) String() string { return fmt.Sprint(j) }
