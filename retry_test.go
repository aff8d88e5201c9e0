package requests

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// retryStep is what one attempt comes to: a failure of a class, or an answer.
type retryStep struct {
	fail     failureClass
	status   int
	location string
	after    []string
}

var (
	stepReset   = retryStep{fail: failRead}
	stepRefused = retryStep{fail: failConnect}
	stepTLS     = retryStep{fail: failOther}
	stepFinal   = retryStep{fail: failFinal, status: 0}
)

func stepStatus(status int, after ...string) retryStep {
	return retryStep{status: status, after: after}
}

// runRetries drives the machine as the adapter does, and returns the number of
// attempts, the last verdict and the waits between.
func runRetries(t *testing.T, policy *Retry, method string, steps []retryStep) (int, retryVerdict, []time.Duration, []Attempt) {
	t.Helper()
	require.NoError(t, policy.check())
	s := newRetryState(policy)
	now := time.Date(2026, time.January, 2, 3, 4, 5, 0, time.UTC)
	var waits []time.Duration
	for i, step := range steps {
		a := Attempt{Method: method, URL: "http://a.test/", StatusCode: step.status, Location: step.location}
		var v retryVerdict
		if step.status == 0 {
			a.Err = errors.New("failed")
			v = s.onError(step.fail, a, 0)
		} else {
			v = s.onStatus(a, step.after, now, 0)
		}
		if !v.again {
			assert.Zero(t, v.wait)
			return i + 1, v, waits, s.attempts()
		}
		waits = append(waits, v.wait)
	}
	t.Fatalf("still going after %d attempts", len(steps))
	return 0, retryVerdict{}, nil, nil
}

func TestRetryCounts(t *testing.T) {
	busy, ok := stepStatus(503), stepStatus(200)
	many := func(step retryStep) []retryStep {
		steps := make([]retryStep, 12)
		for i := range steps {
			steps[i] = step
		}
		return steps
	}
	list := func(total int, statuses ...int) *Retry { return &Retry{Total: total, StatusForcelist: statuses} }
	moved := retryStep{status: 302, location: "/b"}

	tests := []struct {
		name     string
		policy   *Retry
		method   string // GET where empty
		steps    []retryStep
		attempts int
		kind     error // nil where the last outcome stands
		reason   string
	}{
		// No policy, or a number.
		{name: "none, reset", steps: many(stepReset), attempts: 1},
		{name: "none, refused", steps: many(stepRefused), attempts: 1},
		{name: "none, Retry-After", steps: many(stepStatus(503, "1")), attempts: 1},
		{name: "Retries(0), reset", policy: Retries(0), steps: many(stepReset), attempts: 1},
		{name: "zero Retry, reset", policy: &Retry{}, steps: many(stepReset), attempts: 1, kind: ErrConnection},
		{name: "zero Retry, reset POST", policy: &Retry{}, method: "POST", steps: many(stepReset), attempts: 1},
		{name: "zero Retry, Retry-After", policy: &Retry{}, steps: many(stepStatus(503, "1")), attempts: 1},
		{name: "number, reset", policy: Retries(2), steps: []retryStep{stepReset, stepReset, ok}, attempts: 3},
		{name: "number used up", policy: Retries(1), steps: many(stepReset), attempts: 2, kind: ErrConnection},
		{name: "number, POST reset", policy: Retries(2), method: "POST", steps: many(stepReset), attempts: 1},
		{name: "number, POST refused", policy: Retries(2), method: "POST", steps: many(stepRefused), attempts: 3, kind: ErrConnection},
		{name: "number, POST and TLS", policy: Retries(2), method: "POST", steps: many(stepTLS), attempts: 3, kind: ErrConnection},
		{name: "number, PUT", policy: Retries(2), method: "PUT", steps: []retryStep{stepReset, ok}, attempts: 2},
		{name: "number, small letters", policy: Retries(2), method: "put", steps: []retryStep{stepReset, ok}, attempts: 2},
		{name: "number, 503", policy: Retries(2), steps: many(busy), attempts: 1},
		{name: "number, context ended", policy: Retries(2), steps: many(stepFinal), attempts: 1},

		// Retry-After, a reason by itself while some of the total is left.
		{name: "503 with Retry-After", policy: Retries(2), steps: many(stepStatus(503, "1")), attempts: 3},
		{name: "413 with Retry-After", policy: Retries(1), steps: many(stepStatus(413, "0")), attempts: 2},
		{name: "429 with Retry-After", policy: Retries(1), steps: many(stepStatus(429, "0")), attempts: 2},
		{name: "500 with Retry-After", policy: Retries(2), steps: many(stepStatus(500, "1")), attempts: 1},
		{name: "POST with Retry-After", policy: Retries(2), method: "POST", steps: many(stepStatus(503, "1")), attempts: 1},
		{name: "Retry-After, no total", policy: &Retry{Unlimited: true, Status: new(2)}, steps: many(stepStatus(503, "1")), attempts: 1},
		{name: "Retry-After ignored", policy: &Retry{Total: 2, IgnoreRetryAfter: true}, steps: many(stepStatus(503, "soon")), attempts: 1},
		{name: "Retry-After and its own count", policy: &Retry{Total: 5, Status: new(1)}, steps: many(stepStatus(503, "1")), attempts: 2, kind: ErrRetry, reason: "too many 503 error responses"},
		{name: "bad Retry-After", policy: Retries(2), steps: many(stepStatus(503, "soon")), attempts: 1, kind: ErrInvalidHeader, reason: "Retry-After is neither seconds nor a date"},
		{name: "two Retry-After", policy: Retries(2), steps: many(stepStatus(503, "1", "2")), attempts: 1, kind: ErrInvalidHeader, reason: "Retry-After is neither seconds nor a date"},
		{name: "empty Retry-After", policy: Retries(2), steps: many(stepStatus(503, "")), attempts: 1},
		{name: "empty Retry-After of a listed status", policy: list(2, 503), steps: many(stepStatus(503, "")), attempts: 1, kind: ErrInvalidHeader, reason: "Retry-After is neither seconds nor a date"},
		{name: "bad Retry-After, used up", policy: list(0, 503), steps: many(stepStatus(503, "soon")), attempts: 1, kind: ErrRetry, reason: "too many 503 error responses"},
		{name: "bad Retry-After ignored", policy: &Retry{Total: 1, StatusForcelist: []int{503}, IgnoreRetryAfter: true}, steps: []retryStep{stepStatus(503, "soon"), ok}, attempts: 2},

		// The list of statuses.
		{name: "listed", policy: list(2, 503), steps: []retryStep{busy, busy, ok}, attempts: 3},
		{name: "listed, used up", policy: list(2, 503), steps: many(busy), attempts: 3, kind: ErrRetry, reason: "too many 503 error responses"},
		{name: "not listed", policy: list(2, 500), steps: many(busy), attempts: 1},
		{name: "used up, given back", policy: &Retry{Total: 2, StatusForcelist: []int{503}, ReturnLastStatus: true}, steps: many(busy), attempts: 3},
		{name: "a count of statuses", policy: &Retry{Total: 5, Status: new(1), StatusForcelist: []int{503}}, steps: []retryStep{busy, busy, ok}, attempts: 2, kind: ErrRetry, reason: "too many 503 error responses"},
		{name: "POST, any method", policy: &Retry{Total: 2, StatusForcelist: []int{503}, AnyMethod: true}, method: "POST", steps: []retryStep{busy, ok}, attempts: 2},
		{name: "POST and PATCH are not", policy: list(2, 503), method: "PATCH", steps: many(busy), attempts: 1},
		{name: "GET not allowed", policy: &Retry{Total: 2, StatusForcelist: []int{503}, AllowedMethods: []string{"POST"}}, steps: many(busy), attempts: 1},
		{name: "POST allowed", policy: &Retry{Total: 2, StatusForcelist: []int{503}, AllowedMethods: []string{"POST"}}, method: "POST", steps: []retryStep{busy, ok}, attempts: 2},
		{name: "HEAD", policy: list(2, 503), method: "HEAD", steps: []retryStep{busy, ok}, attempts: 2},
		{name: "success on the list", policy: list(1, 200), steps: many(ok), attempts: 2, kind: ErrRetry, reason: "too many 200 error responses"},
		{name: "total of zero", policy: list(0, 503), steps: many(busy), attempts: 1, kind: ErrRetry, reason: "too many 503 error responses"},
		{name: "no total, a count", policy: &Retry{Unlimited: true, Status: new(2), StatusForcelist: []int{503}}, steps: []retryStep{busy, busy, ok}, attempts: 3},
		{name: "no total, used up", policy: &Retry{Unlimited: true, Status: new(2), StatusForcelist: []int{503}}, steps: many(busy), attempts: 3, kind: ErrRetry, reason: "too many 503 error responses"},
		{name: "no limit at all", policy: &Retry{Unlimited: true, StatusForcelist: []int{503}}, steps: append(many(busy), ok), attempts: 13},
		{name: "mixed", policy: list(2, 503), steps: []retryStep{busy, stepReset, ok}, attempts: 3},
		{name: "mixed, used up by a status", policy: list(2, 503), steps: []retryStep{busy, stepReset, busy, ok}, attempts: 3, kind: ErrRetry, reason: "too many 503 error responses"},
		{name: "mixed, used up by a failure", policy: list(2, 503), steps: []retryStep{busy, busy, stepReset, ok}, attempts: 3, kind: ErrConnection},
		{name: "404 on the list", policy: list(1, 404), steps: []retryStep{stepStatus(404), ok}, attempts: 2},

		// A redirect on the list has a count of its own.
		{name: "redirect", policy: list(1, 302), steps: many(moved), attempts: 2, kind: ErrRetry, reason: "too many redirects"},
		{name: "redirect, its count", policy: &Retry{Total: 5, Redirect: new(0), Status: new(3), StatusForcelist: []int{302}}, steps: many(moved), attempts: 1, kind: ErrRetry, reason: "too many redirects"},
		{name: "redirect without Location", policy: &Retry{Total: 5, Redirect: new(0), Status: new(1), StatusForcelist: []int{302}}, steps: many(stepStatus(302)), attempts: 2, kind: ErrRetry, reason: "too many 302 error responses"},
		{name: "Location without redirect", policy: &Retry{Total: 5, Redirect: new(0), Status: new(1), StatusForcelist: []int{300}}, steps: many(retryStep{status: 300, location: "/b"}), attempts: 2, kind: ErrRetry, reason: "too many 300 error responses"},
		{name: "redirect not on the list", policy: &Retry{Redirect: new(0)}, steps: many(moved), attempts: 1},
		{name: "redirect given back", policy: &Retry{StatusForcelist: []int{302}, ReturnLastStatus: true}, steps: many(moved), attempts: 1},

		// The other counts, each for itself.
		{name: "read", policy: &Retry{Unlimited: true, Read: new(1)}, steps: []retryStep{stepReset, ok}, attempts: 2},
		{name: "read, used up", policy: &Retry{Total: 5, Read: new(1)}, steps: many(stepReset), attempts: 2, kind: ErrConnection},
		{name: "read, forbidden", policy: &Retry{Total: 5, Read: new(0)}, steps: many(stepReset), attempts: 1, kind: ErrConnection},
		{name: "read, forbidden and raw", policy: &Retry{Total: 5, Read: new(0), RawErrors: true}, steps: many(stepReset), attempts: 1},
		{name: "read, POST, any method", policy: &Retry{Total: 1, AnyMethod: true}, method: "POST", steps: []retryStep{stepReset, ok}, attempts: 2},
		{name: "connect, used up", policy: &Retry{Total: 5, Connect: new(1)}, steps: many(stepRefused), attempts: 2, kind: ErrConnection},
		{name: "connect does not limit reads", policy: &Retry{Total: 3, Connect: new(0)}, steps: many(stepReset), attempts: 4, kind: ErrConnection},
		{name: "other, used up", policy: &Retry{Total: 5, Other: new(1)}, steps: many(stepTLS), attempts: 2, kind: ErrConnection},
		{name: "other does not limit reads", policy: &Retry{Total: 2, Other: new(0)}, steps: []retryStep{stepReset, ok}, attempts: 2},
		{name: "a count above the total", policy: &Retry{Total: 1, Connect: new(5)}, steps: many(stepRefused), attempts: 2, kind: ErrConnection},
		{name: "raw and a status", policy: &Retry{RawErrors: true, StatusForcelist: []int{503}}, steps: many(busy), attempts: 1, kind: ErrRetry, reason: "too many 503 error responses"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			method := tt.method
			if method == "" {
				method = http.MethodGet
			}
			attempts, v, _, history := runRetries(t, tt.policy, method, tt.steps)
			assert.Equal(t, tt.attempts, attempts)
			assert.Equal(t, tt.kind, v.kind)
			assert.Equal(t, tt.reason, v.reason)
			// An invalid header ends what was counted already.
			if !errors.Is(tt.kind, ErrInvalidHeader) {
				assert.Len(t, history, attempts-1)
			}
		})
	}
}

func TestRetryStateLeavesPolicyAlone(t *testing.T) {
	policy := &Retry{Total: 1, Read: new(1)}
	for range 2 {
		attempts, _, _, _ := runRetries(t, policy, "GET", []retryStep{stepReset, stepStatus(200)})
		assert.Equal(t, 2, attempts)
	}
	assert.Equal(t, &Retry{Total: 1, Read: new(1)}, policy)
}

func TestRetryHistory(t *testing.T) {
	s := newRetryState(&Retry{Total: 5, StatusForcelist: []int{302, 503}})
	now := time.Unix(0, 0)
	failed := errors.New("failed")
	assert.Empty(t, s.attempts())

	// What does not belong to an entry of its sort is left out.
	s.onError(failRead, Attempt{Method: "GET", URL: "u", Err: failed, StatusCode: 7, Location: "/x"}, 0)
	s.onStatus(Attempt{Method: "GET", URL: "u", Err: failed, StatusCode: 503, Location: "/x"}, nil, now, 0)
	s.onStatus(Attempt{Method: "GET", URL: "u", StatusCode: 302, Location: "/b"}, nil, now, 0)
	want := []Attempt{
		{Method: "GET", URL: "u", Err: failed},
		{Method: "GET", URL: "u", StatusCode: 503},
		{Method: "GET", URL: "u", StatusCode: 302, Location: "/b"},
	}
	got := s.attempts()
	assert.Equal(t, want, got)

	// A caller's append does not write into the next attempt.
	_ = append(got, Attempt{URL: "other"})
	s.onError(failRead, Attempt{Method: "GET", URL: "v", Err: failed}, 0)
	_ = append(got, Attempt{URL: "other"})
	assert.Equal(t, "v", s.attempts()[3].URL)
}

func TestRetryWaits(t *testing.T) {
	seconds := func(list ...float64) []time.Duration {
		out := make([]time.Duration, len(list))
		for i, s := range list {
			out[i] = time.Duration(s * float64(time.Second))
		}
		return out
	}
	busy := func(after ...string) retryStep { return stepStatus(503, after...) }
	moved := retryStep{status: 302, location: "/b"}
	base := Retry{Total: 6, BackoffFactor: time.Second, StatusForcelist: []int{302, 503}}
	with := func(change func(*Retry)) *Retry {
		r := base
		change(&r)
		return &r
	}
	tests := []struct {
		name   string
		policy *Retry
		steps  []retryStep
		want   []time.Duration
	}{
		{"none without a factor", Retries(3), []retryStep{stepReset, stepReset, stepReset}, seconds(0, 0, 0)},
		{"doubling", &base, []retryStep{stepReset, busy(), stepRefused, busy(), busy(), busy()}, seconds(0, 2, 4, 8, 16, 32)},
		{"up to a limit", with(func(r *Retry) { r.BackoffMax = 5 * time.Second }), []retryStep{busy(), busy(), busy(), busy(), busy()}, seconds(0, 2, 4, 5, 5)},
		{"up to the default limit", with(func(r *Retry) { r.BackoffFactor = time.Minute }), []retryStep{busy(), busy(), busy()}, seconds(0, 120, 120)},
		{"a redirect begins anew", &base, []retryStep{busy(), busy(), moved, busy(), busy()}, seconds(0, 2, 0, 0, 2)},
		{"seconds of Retry-After", &base, []retryStep{busy("7"), busy(" 3 "), busy()}, seconds(7, 3, 4)},
		{"date of Retry-After", &base, []retryStep{busy("Fri, 02 Jan 2026 03:04:15 GMT")}, seconds(10)},
		{"past or zero is none", &base, []retryStep{busy("0"), busy("Fri, 02 Jan 2026 03:04:05 GMT"), busy("Thu, 01 Jan 1970 00:00:00 GMT")}, seconds(0, 2, 4)},
		{"longest Retry-After", &base, []retryStep{busy("99999999999999999999999")}, seconds(21600)},
		{"shorter Retry-After", with(func(r *Retry) { r.RetryAfterMax = 1500 * time.Millisecond }), []retryStep{busy("2"), busy("1")}, seconds(1.5, 1)},
		{"Retry-After ignored", with(func(r *Retry) { r.IgnoreRetryAfter = true }), []retryStep{busy("7"), busy("7")}, seconds(0, 2)},
		{"Retry-After of a redirect", &base, []retryStep{{status: 302, location: "/b", after: []string{"9"}}}, seconds(9)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, got, _ := runRetries(t, tt.policy, "GET", append(tt.steps, retryStep{status: 204}))
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestBackoff(t *testing.T) {
	const s = time.Second
	tests := []struct {
		k                     int
		factor, jitter, limit time.Duration
		random                float64
		want                  time.Duration
	}{
		{0, s, s, 120 * s, 0.5, 0},
		{1, s, s, 120 * s, 0.5, 0},
		// The reference's own: a factor of 0.2.
		{2, s / 5, 0, 120 * s, 0.9, 400 * time.Millisecond},
		{3, s / 5, 0, 120 * s, 0.9, 800 * time.Millisecond},
		{4, s / 5, 0, 120 * s, 0.9, 1600 * time.Millisecond},
		{10, s / 5, 0, 120 * s, 0.9, 102400 * time.Millisecond},
		{11, s / 5, 0, 120 * s, 0.9, 120 * s},
		// A limit.
		{2, s / 5, 0, 400 * time.Millisecond, 0, 400 * time.Millisecond},
		{3, s / 5, 0, 400 * time.Millisecond, 0, 400 * time.Millisecond},
		{2, s, 0, 0, 0, 0},
		// Jitter comes before the limit.
		{2, s / 5, 400 * time.Millisecond, 120 * s, 0, 400 * time.Millisecond},
		{2, s / 5, 400 * time.Millisecond, 120 * s, 0.5, 600 * time.Millisecond},
		{2, 0, s, 120 * s, 0.25, s / 4},
		{5, s, 100 * s, 16 * s, 0.5, 16 * s},
		// However many, it does not overflow.
		{math.MaxInt32, s, 0, 120 * s, 0, 120 * s},
		{math.MaxInt32, 0, 0, 120 * s, 0, 0},
		{80, s, s, math.MaxInt64, 0.5, math.MaxInt64},
		{2, -s, 0, 120 * s, 0, 0},
	}
	for _, tt := range tests {
		got := backoff(tt.k, tt.factor, tt.jitter, tt.limit, tt.random)
		assert.Equal(t, tt.want, got, "%+v", tt)
	}
}

func TestRetryCheck(t *testing.T) {
	tests := []struct {
		field  string // in the error; empty where there is none
		policy *Retry
	}{
		{"", nil},
		{"", &Retry{}},
		{"", Retries(0)},
		{"", &Retry{Total: 3, Unlimited: true, Connect: new(0), StatusForcelist: []int{100, 999}}},
		{"", &Retry{AnyMethod: true, AllowedMethods: []string{}}},
		{"Total -1", Retries(-1)},
		{"Connect -2", &Retry{Connect: new(-2)}},
		{"Read -1", &Retry{Read: new(-1)}},
		{"Redirect -1", &Retry{Redirect: new(-1)}},
		{"Status -1", &Retry{Status: new(-1)}},
		{"Other -1", &Retry{Other: new(-1)}},
		{"BackoffFactor -1s", &Retry{BackoffFactor: -time.Second}},
		{"BackoffMax -1s", &Retry{BackoffMax: -time.Second}},
		{"BackoffJitter -1s", &Retry{BackoffJitter: -time.Second}},
		{"RetryAfterMax -1s", &Retry{RetryAfterMax: -time.Second}},
		{"StatusForcelist: 99 ", &Retry{StatusForcelist: []int{503, 99}}},
		{"StatusForcelist: 1000 ", &Retry{StatusForcelist: []int{1000}}},
		{"AllowedMethods is empty", &Retry{AllowedMethods: []string{}}},
	}
	for _, tt := range tests {
		err := tt.policy.check()
		if tt.field == "" {
			assert.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, ErrInvalidOption)
		assert.Contains(t, err.Error(), "Retry."+tt.field)
	}
}

func TestParseRetryAfter(t *testing.T) {
	now := time.Date(1994, time.November, 6, 8, 49, 7, 500_000_000, time.UTC)
	const soon = 29500 * time.Millisecond // until 08:49:37
	const limit = 6 * time.Hour
	tests := []struct {
		text string
		want time.Duration
		ok   bool
	}{
		{"0", 0, true},
		{"120", 2 * time.Minute, true},
		{" \t007 ", 7 * time.Second, true},
		{"21600", limit, true},
		{"21601", limit, true},
		{"36893488147419103232", limit, true},
		{strings.Repeat("9", 10000), limit, true},

		{"Sun, 06 Nov 1994 08:49:37 GMT", soon, true},
		{"Sunday, 06-Nov-94 08:49:37 GMT", soon, true},
		{"Sun Nov  6 08:49:37 1994", soon, true},
		{"Sun, 6 NOV 1994 08:49:37", soon, true},
		{"06 November 1994 08:49:37 UTC", soon, true},
		{"Sun,06 Nov 1994 08:49:37 nowhere", soon, true},
		{"Sun, 06 Nov 1994 08:49:37 GMT and more", soon, true},
		{"sun nov 6, 1994, 08:49:37, GMT", soon, true},
		{"Sun, 06 Nov 94 08:49:37 GMT", soon, true},
		{"Sun, 06 Nov 1994 08:50 GMT", 52500 * time.Millisecond, true},
		{"Sun, 06 Nov 1994 08:49:60 GMT", 52500 * time.Millisecond, true},
		{"Sun, 06 Nov 1994 10:49:37 +0200", soon, true},
		{"Sun, 06 Nov 1994 05:19:37 -0330", soon, true},
		{"Sun, 06 Nov 1994 08:49:37 +200000", soon, true},
		{"Sun, 06 Nov 1994 08:49:37 +02x0", soon, true},
		{"Sun, 06 Nov 1994 03:49:37 EST", soon, true},
		{"Sun, 06 Nov 1994 04:49:37 edt", soon, true},
		{"Sun, 06 Nov 1994 04:49:37 AST", soon, true},
		{"Sun, 06 Nov 1994 05:49:37 ADT", soon, true},
		{"Sun, 06 Nov 1994 00:49:37 PST", soon, true},
		{"Sun, 06 Nov 1994 01:49:37 PDT", soon, true},
		{"Sun, 06 Nov 2067 08:49:37 GMT", limit, true},
		{"Sunday, 06-Nov-67 08:49:37 GMT", limit, true},
		{"Sunday, 06-Nov-69 08:49:37 GMT", 0, true},
		{"Thu, 01 Jan 0100 00:00:00 GMT", 0, true},
		{"Mon, 01 Jan 0001 00:00:00 GMT", limit, true}, // 2001, as for two digits
		{"Fri, 31 Dec 9999 23:59:59 GMT", limit, true},

		{"", 0, false},
		{" ", 0, false},
		{",", 0, false},
		{"soon", 0, false},
		{"1.5", 0, false},
		{"-1", 0, false},
		{"+1", 0, false},
		{"1s", 0, false},
		{"1, 2", 0, false},
		{"\u0661", 0, false}, // a digit, though not an ASCII one
		{"Sunday", 0, false},
		{"Sun, 06 Nov 1994", 0, false},
		{"Sun, 06, Nov, 1994 08:49:37 GMT", 0, false},
		{"Sunday, 06-Nov-94 08:49:37", 0, false},
		{"Sunday, 06-Nov 08:49:37 GMT", 0, false},
		{"Sun, 06 Nux 1994 08:49:37 GMT", 0, false},
		{"Sun, 00 Nov 1994 08:49:37 GMT", 0, false},
		{"Sun, 32 Nov 1994 08:49:37 GMT", 0, false},
		{"Sun, x Nov 1994 08:49:37 GMT", 0, false},
		{"Sun, 06 Nov 10000 08:49:37 GMT", 0, false},
		{"Sun, 06 Nov y 08:49:37 GMT", 0, false},
		{"Sun, 06 Nov 1994 24:49:37 GMT", 0, false},
		{"Sun, 06 Nov 1994 08:60:37 GMT", 0, false},
		{"Sun, 06 Nov 1994 08:49:61 GMT", 0, false},
		{"Sun, 06 Nov 1994 08:49:37.5 GMT", 0, false},
		{"Sun, 06 Nov 1994 08 GMT", 0, false},
		{"Sun, 06 Nov 1994 08::37 GMT", 0, false},
		{"1994-11-06T08:49:37Z", 0, false},
	}
	for _, tt := range tests {
		got, ok := parseRetryAfter(tt.text, now, limit)
		assert.Equal(t, tt.ok, ok, "%.60q", tt.text)
		assert.Equal(t, tt.want, got, "%.60q", tt.text)
	}
	got, ok := parseRetryAfter("9223372037", now, math.MaxInt64)
	assert.True(t, ok)
	assert.Equal(t, time.Duration(math.MaxInt64), got)
}

// The oracle is net/http, which knows the three forms alone.
func FuzzParseRetryAfter(f *testing.F) {
	for _, text := range []string{
		"0", " 120 ", "9223372036854775808", "soon", "1.5",
		"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
		"6 Nov 2094 8:49 -0330", "Sun, 06 Nov 1994 08:49:37 PDT", "Sat, 30 Feb 2030 23:59:60 UT",
	} {
		f.Add(text, int64(784111777), int64(3600))
	}
	f.Fuzz(func(t *testing.T, text string, nowUnix, limitSeconds int64) {
		// Times that a date can have, and limits that are above zero.
		const maxUnix, maxLimit = 253402300800, int64(math.MaxInt64 / time.Second)
		now := time.Unix(max(nowUnix, -nowUnix, 0)%maxUnix, 0).UTC()
		limit := time.Duration(max(limitSeconds, -limitSeconds, 0)%maxLimit+1) * time.Second

		got, ok := parseRetryAfter(text, now, limit)
		if got < 0 || got > limit || !ok && got != 0 {
			t.Fatalf("parseRetryAfter(%q) = %v, %v with limit %v", text, got, ok, limit)
		}
		if date, err := http.ParseTime(text); err == nil && date.Year() >= 100 && strings.HasSuffix(text, " GMT") {
			want := min(max(date.Sub(now), 0), limit)
			// The oracle reads fractions too, which neither RFC 9110 nor the
			// reference has.
			if date.Nanosecond() == 0 && (!ok || got != want) {
				t.Fatalf("parseRetryAfter(%q) = %v, %v; want %v", text, got, ok, want)
			}
		}

		// What it read comes back from a date and from seconds.
		if !ok {
			return
		}
		if again, ok := parseRetryAfter(strconv.FormatInt(int64(got/time.Second), 10), now, limit); !ok || again != got {
			t.Fatalf("%v of %q comes back as %v, %v", got, text, again, ok)
		}
		if until := now.Add(got); until.Unix() < maxUnix {
			if again, ok := parseRetryAfter(until.Format(http.TimeFormat), now, limit); !ok || again != got {
				t.Fatalf("%v of %q comes back from its date as %v, %v", got, text, again, ok)
			}
		}
	})
}
