package requests

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The reference's limits of waiting, where a [Retry] names none.
const (
	defaultBackoffMax    = 120 * time.Second
	defaultRetryAfterMax = 6 * time.Hour
)

// Retry is a policy of what is tried again, how often, and after how long a
// wait: Retry of urllib3, for [HTTPAdapter].
//
// The zero Retry tries nothing again, as Retry(0) does there; where Python has
// True as a default, the flag here is named for its opposite. Each request of
// a chain of redirects has the whole policy for itself. A failure within the
// body of a response is never tried again, nor is a request whose context has
// ended; a wait ends with the context.
//
// Any number of adapters and goroutines may share a Retry, provided that
// nobody changes it meanwhile.
type Retry struct {
	// Total is how often a request is tried again, for all reasons together.
	// Zero forbids it. While some of it is left, an answer of 413, 429 or 503
	// that has a Retry-After is tried again even if StatusForcelist does not
	// name it, once for each that is left; the last one is then the response.
	Total int
	// Unlimited is total=None of Python: Total is not looked at, only the
	// counts below are, and a Retry-After is no reason to try again. Where no
	// count applies the context alone ends the attempts.
	Unlimited bool

	// Connect is how often it is tried again after the connection was not
	// made, so that the peer cannot have seen the request: with any method.
	// For this and the other counts, nil sets no limit besides Total, and
	// zero forbids.
	Connect *int
	// Read is how often it is tried again after the connection failed or fell
	// silent before the answer, with the methods of AllowedMethods.
	Read *int
	// Redirect is how often an answer is tried again that has a Location and
	// a status that is both of a redirect and of StatusForcelist. It is not
	// about following redirects; see [MaxRedirects].
	Redirect *int
	// Status is how often an answer is tried again for its status.
	Status *int
	// Other is how often it is tried again after any other failure, such as
	// one of TLS or a proxy's refusal: with any method.
	Other *int

	// AllowedMethods are those that may be sent again after a failed read or
	// for a status, in capitals. Nil is those that may be repeated without
	// harm (RFC 9110, 9.2.2): HEAD, GET, PUT, DELETE, OPTIONS and TRACE.
	AllowedMethods []string
	// AnyMethod allows every method, POST too, in the place of
	// AllowedMethods: the peer may then act twice on one request.
	AnyMethod bool
	// StatusForcelist are the statuses, 100 to 999, that are tried again.
	StatusForcelist []int

	// BackoffFactor is the wait before the second retry in a row, halved; it
	// doubles with each further one. The first retry never waits. Zero waits
	// only for BackoffJitter.
	BackoffFactor time.Duration
	// BackoffMax is the longest such wait. Zero is 120 seconds.
	BackoffMax time.Duration
	// BackoffJitter is how much is added at most, at random, to each wait but
	// the first.
	BackoffJitter time.Duration
	// RetryAfterMax is the longest wait that a Retry-After can ask for. Zero
	// is 6 hours.
	RetryAfterMax time.Duration
	// IgnoreRetryAfter does without Retry-After: it is neither a reason to
	// try again nor a wait. Otherwise one that is neither seconds nor a date
	// is an [ErrInvalidHeader].
	IgnoreRetryAfter bool

	// ReturnLastStatus gives the last response back once the statuses have
	// used the policy up. Otherwise that is an [ErrRetry] that holds the
	// response.
	ReturnLastStatus bool
	// ReturnLastRedirect is there for its name alone, as in Requests, where
	// the session and not the policy follows redirects.
	ReturnLastRedirect bool
	// RemoveHeadersOnRedirect is there for its name alone, too.
	RemoveHeadersOnRedirect []string
	// RawErrors leaves a failure that was not to be tried again as it is: a
	// timeout of reading is then no [ErrConnection]. It is False of Python in
	// the place of a count of zero.
	RawErrors bool
}

// Retries returns the policy of a plain number: n retries of connections that
// were not made, of failed reads where the method allows it, and of 413, 429
// and 503 with a Retry-After; no status is retried besides. Retries(0) is what
// an adapter without a policy does. It differs from the zero [Retry] in
// RawErrors, as max_retries=0 does from Retry(0).
func Retries(n int) *Retry { return &Retry{Total: n, RawErrors: n == 0} }

// Attempt is one try that was followed by another; see [Response.Attempts].
// An answer has a StatusCode, a failure has an Err.
type Attempt struct {
	// Method is the request's.
	Method string
	// URL is the request's, without user, password, query and fragment.
	URL string
	// Err is the failure, or nil.
	Err error
	// StatusCode is the answer's, or 0.
	StatusCode int
	// Location is where a redirect would have led, or empty.
	Location string
}

// check reports the first field that makes no sense, as an
// [ErrInvalidOption]. A nil policy is fine.
func (r *Retry) check() error {
	if r == nil {
		return nil
	}
	counts := [...]struct {
		name string
		n    *int
	}{
		{"Total", &r.Total},
		{"Connect", r.Connect},
		{"Read", r.Read},
		{"Redirect", r.Redirect},
		{"Status", r.Status},
		{"Other", r.Other},
	}
	for _, c := range counts {
		if c.n != nil && *c.n < 0 {
			return invalidOption("Retry.%s %d is below zero; zero forbids", c.name, *c.n)
		}
	}
	return r.checkRest()
}

// checkRest is check for what is no count.
func (r *Retry) checkRest() error {
	waits := [...]struct {
		name string
		d    time.Duration
	}{
		{"BackoffFactor", r.BackoffFactor},
		{"BackoffMax", r.BackoffMax},
		{"BackoffJitter", r.BackoffJitter},
		{"RetryAfterMax", r.RetryAfterMax},
	}
	for _, w := range waits {
		if w.d < 0 {
			return invalidOption("Retry.%s %v is below zero", w.name, w.d)
		}
	}
	for _, status := range r.StatusForcelist {
		if status < 100 || status > 999 {
			return invalidOption("Retry.StatusForcelist: %d is no status", status)
		}
	}
	// Python takes an empty collection for every method, which nobody who
	// writes one means.
	if r.AllowedMethods != nil && len(r.AllowedMethods) == 0 && !r.AnyMethod {
		return invalidOption("Retry.AllowedMethods is empty; AnyMethod allows every method")
	}
	return nil
}

// allows reports whether the policy lets a request with the method be sent
// again although the peer may have acted on it.
func (r *Retry) allows(method string) bool {
	if r.AnyMethod {
		return true
	}
	method = strings.ToUpper(method)
	if r.AllowedMethods != nil {
		return slices.Contains(r.AllowedMethods, method)
	}
	switch method {
	case http.MethodHead, http.MethodGet, http.MethodPut,
		http.MethodDelete, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// failureClass is what a failure counts as.
type failureClass uint8

const (
	// failFinal is never tried again: a cancelled or expired context, a total
	// timeout, a request that cannot be sent, a forbidden address, a body
	// that broke off.
	failFinal failureClass = iota
	// failConnect is a connection that was not made, to the peer or to its
	// proxy: no such host, refused, unreachable, timed out.
	failConnect
	// failRead is a connection that was made and then closed, reset, silent
	// for too long or out of protocol, before the head was whole.
	failRead
	// failOther is the rest: TLS that refuses its peer, and a proxy that
	// refuses a tunnel or breaks off before it.
	failOther
)

// retryVerdict is what becomes of an attempt. The zero verdict is that its
// outcome stands: the response is the response, the error the error.
type retryVerdict struct {
	// again is to try once more, after wait.
	again bool
	wait  time.Duration
	// kind is nil, or the kind of the error to end with. For a status it is
	// ErrRetry or ErrInvalidHeader, and reason the text; the error holds the
	// response. For a failure it is ErrConnection, a kind besides those that
	// the failure has.
	kind   error
	reason string
}

// retryState is a policy in the course of one request, with what is left of
// its counts. It reads no clock, waits for nothing and draws no numbers.
type retryState struct {
	policy Retry

	total, connect, read, redirect, status, other budget

	// streak is the number of attempts since the last redirect; those alone
	// count for the backoff.
	streak  int
	history []Attempt
}

// budget is a count that is left, or none where there is no limit.
type budget struct {
	left    int
	limited bool
}

func newBudget(n *int) budget {
	if n == nil {
		return budget{}
	}
	return budget{left: *n, limited: true}
}

// spend takes one away and reports whether there was one.
func (b *budget) spend() bool {
	b.left--
	return !b.limited || b.left >= 0
}

// newRetryState begins a request under a policy that passed check. A nil
// policy is that of Retries(0), the adapter's without one.
func newRetryState(r *Retry) retryState {
	s := retryState{policy: Retry{RawErrors: true}}
	if r != nil {
		s.policy = *r
	}
	s.total = budget{left: s.policy.Total, limited: !s.policy.Unlimited}
	s.connect = newBudget(s.policy.Connect)
	s.read = newBudget(s.policy.Read)
	s.redirect = newBudget(s.policy.Redirect)
	s.status = newBudget(s.policy.Status)
	s.other = newBudget(s.policy.Other)
	return s
}

// attempts returns what was tried before the last attempt, which is no part of
// it: for [Response.Attempts].
func (s *retryState) attempts() []Attempt { return slices.Clip(s.history) }

// onError decides on an attempt that failed with a.Err. The random number is
// in [0, 1).
func (s *retryState) onError(class failureClass, a Attempt, random float64) retryVerdict {
	count := &s.other
	switch class {
	case failFinal:
		return retryVerdict{}
	case failConnect:
		count = &s.connect
	case failRead:
		// The peer may have acted on it (RFC 9110, 9.2.2).
		if !s.policy.allows(a.Method) {
			return retryVerdict{}
		}
		count = &s.read
	}
	a.StatusCode, a.Location = 0, ""
	// RTY-2: one count for the reason and the total for all of them; both must
	// have something left.
	if s.spend(count, a) {
		return retryVerdict{again: true, wait: s.backoff(random)}
	}
	if s.policy.RawErrors {
		return retryVerdict{}
	}
	return retryVerdict{kind: ErrConnection}
}

// onStatus decides on an answer with a.StatusCode and, where it has one,
// a.Location. The values are those of all its Retry-After lines, now is when
// it came, and the random number is in [0, 1).
func (s *retryState) onStatus(a Attempt, retryAfter []string, now time.Time, random float64) retryVerdict {
	// Two lines join to what is neither seconds nor a date: a server that says
	// two things is not believed.
	after := strings.Join(retryAfter, ", ")
	if !s.policy.allows(a.Method) || !s.retriesStatus(a.StatusCode, after != "") {
		return retryVerdict{}
	}
	count, reason := &s.status, "too many "+strconv.Itoa(a.StatusCode)+" error responses"
	if a.Location != "" && isRedirect(a.StatusCode) {
		count, reason = &s.redirect, "too many redirects"
	} else {
		a.Location = ""
	}
	a.Err = nil
	if !s.spend(count, a) {
		if s.policy.ReturnLastStatus {
			return retryVerdict{}
		}
		return retryVerdict{kind: ErrRetry, reason: reason}
	}
	if !s.policy.IgnoreRetryAfter && len(retryAfter) > 0 {
		wait, ok := parseRetryAfter(after, now, orDefault(s.policy.RetryAfterMax, defaultRetryAfterMax))
		if !ok {
			return retryVerdict{kind: ErrInvalidHeader, reason: "Retry-After is neither seconds nor a date"}
		}
		if wait > 0 {
			return retryVerdict{again: true, wait: wait}
		}
	}
	return retryVerdict{again: true, wait: s.backoff(random)}
}

// retriesStatus reports whether the status is one to try again. The three of
// Retry-After need a total that is left, and so end without an error.
func (s *retryState) retriesStatus(status int, hasRetryAfter bool) bool {
	if slices.Contains(s.policy.StatusForcelist, status) {
		return true
	}
	switch status {
	case http.StatusRequestEntityTooLarge, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return hasRetryAfter && !s.policy.IgnoreRetryAfter && s.total.limited && s.total.left > 0
	}
	return false
}

// spend takes one from the total and from the count. It keeps the attempt if
// there were both, since another follows it then.
func (s *retryState) spend(count *budget, a Attempt) bool {
	total, own := s.total.spend(), count.spend()
	if !total || !own {
		return false
	}
	s.history = append(s.history, a)
	s.streak++
	if a.Location != "" {
		s.streak = 0
	}
	return true
}

// backoff is the wait after what was tried so far.
func (s *retryState) backoff(random float64) time.Duration {
	p := &s.policy
	return backoff(s.streak, p.BackoffFactor, p.BackoffJitter, orDefault(p.BackoffMax, defaultBackoffMax), random)
}

// backoff is the wait after k attempts in a row: none after the first, then
// the factor times 2, 4, 8 and so on, with a random part of the jitter, up to
// the limit.
func backoff(k int, factor, jitter, limit time.Duration, random float64) time.Duration {
	if k <= 1 {
		return 0
	}
	wait := math.Ldexp(float64(factor), min(k-1, 2_000)) + random*float64(jitter)
	// In floating point, where large waits do not turn negative.
	if wait >= float64(limit) {
		return limit
	}
	return time.Duration(max(wait, 0))
}

// orDefault is d, or the default where d is unset.
func orDefault(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return d
}

// parseRetryAfter reads a Retry-After as the wait that it asks for at now,
// between zero and the limit. It reports whether it is one (RFC 9110, 10.2.3):
//
//	Retry-After = HTTP-date / delay-seconds
func parseRetryAfter(text string, now time.Time, limit time.Duration) (time.Duration, bool) {
	text = strings.Trim(text, " \t\r\n\v\f")
	if seconds, ok := parseDigits(text, int64(limit/time.Second)+1); ok {
		if seconds > int64(limit/time.Second) {
			return limit, true
		}
		return time.Duration(seconds) * time.Second, true
	}
	date, ok := parseDate(text)
	if !ok {
		return 0, false
	}
	return min(max(date.Sub(now), 0), limit), true
}

// parseDigits reads a number of one or more ASCII digits; what is above the
// limit is the limit.
func parseDigits(text string, limit int64) (int64, bool) {
	n := int64(0)
	for i := range len(text) {
		c := text[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		if n < limit {
			n = min(n*10+int64(c-'0'), limit)
		}
	}
	return n, text != ""
}

// parseDate reads the three forms of HTTP-date (RFC 9110, 5.6.7), and what
// mail makes of the first one: no weekday, no seconds, other zones (RFC 5322,
// 3.3 and 4.3). Like the reference's it ignores what follows the zone.
//
//	Sun, 06 Nov 1994 08:49:37 GMT
//	Sunday, 06-Nov-94 08:49:37 GMT
//	Sun Nov  6 08:49:37 1994
func parseDate(text string) (time.Time, bool) {
	f := dateFields(text)
	if len(f) < 4 {
		return time.Time{}, false
	}
	day, month, year, clock := f[0], f[1], f[2], f[3]
	if monthOf(day) != 0 {
		day, month = month, day
	}
	if strings.Contains(year, ":") {
		year, clock = clock, year
	}
	dd, okDay := parseDigits(strings.TrimSuffix(day, ","), 32)
	mm := monthOf(month)
	yyyy, okYear := parseYear(strings.TrimSuffix(year, ","))
	at, okClock := parseClock(strings.TrimSuffix(clock, ","))
	if !okDay || !okYear || !okClock || mm == 0 || dd < 1 || dd > 31 {
		return time.Time{}, false
	}
	zone := time.Duration(0)
	if len(f) > 4 {
		zone = zoneOffset(f[4])
	}
	return time.Date(yyyy, mm, int(dd), 0, 0, 0, 0, time.UTC).Add(at - zone), true
}

// dateFields splits a date into its parts, without the weekday.
func dateFields(text string) []string {
	f := strings.Fields(text)
	if len(f) == 0 {
		return nil
	}
	// The comma after a weekday may stand without a blank.
	f[0] = f[0][strings.LastIndexByte(f[0], ',')+1:]
	if f[0] == "" || isWeekday(f[0]) {
		f = f[1:]
	}
	if len(f) == 3 {
		f = append(strings.Split(f[0], "-"), f[1:]...)
	}
	return f
}

// isWeekday reports whether it is the short English name of one, in any case.
func isWeekday(name string) bool {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(name, d.String()[:3]) {
			return true
		}
	}
	return false
}

// monthOf returns the month of an English name in full or of three letters,
// in any case, or 0.
func monthOf(name string) time.Month {
	for m := time.January; m <= time.December; m++ {
		full := m.String()
		if strings.EqualFold(name, full) || strings.EqualFold(name, full[:3]) {
			return m
		}
	}
	return 0
}

// parseYear takes two digits for 1969 to 2068.
func parseYear(text string) (int, bool) {
	const beyond = 10000
	n, ok := parseDigits(text, beyond)
	switch {
	case !ok || n == beyond:
		return 0, false
	case n < 69:
		n += 2000
	case n < 100:
		n += 1900
	}
	return int(n), true
}

// parseClock reads hours, minutes and, where there are any, seconds: up to 60,
// in a leap second.
func parseClock(text string) (time.Duration, bool) {
	parts := strings.Split(text, ":")
	if len(parts) == 2 {
		parts = append(parts, "0")
	}
	if len(parts) != 3 {
		return 0, false
	}
	sum := int64(0)
	for i, limit := range [...]int64{23, 59, 60} {
		n, ok := parseDigits(parts[i], limit+1)
		if !ok || n > limit {
			return 0, false
		}
		sum = sum*60 + n
	}
	return time.Duration(sum) * time.Second, true
}

// zoneOffset is how far a zone is east of UTC. A name that RFC 5322 does not
// have says nothing (its section 4.3), and counts as UTC.
func zoneOffset(zone string) time.Duration {
	// Atlantic, Eastern, Central, Mountain and Pacific, an hour apart, each
	// with its summer time an hour further east.
	names := [...]string{"AST", "ADT", "EST", "EDT", "CST", "CDT", "MST", "MDT", "PST", "PDT"}
	if i := slices.Index(names[:], strings.ToUpper(zone)); i >= 0 {
		return time.Duration(-4-i/2+i%2) * time.Hour
	}
	if zone == "" || zone[0] != '+' && zone[0] != '-' {
		return 0
	}
	n, ok := parseDigits(zone[1:], 10000)
	if !ok || n == 10000 {
		return 0
	}
	offset := time.Duration(n/100)*time.Hour + time.Duration(n%100)*time.Minute
	if zone[0] == '-' {
		return -offset
	}
	return offset
}
