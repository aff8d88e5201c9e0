package conformance

import (
	"encoding/json"
	"time"

	"github.com/seed-9ea40bd3/requests"
)

// Retries is a policy of retries, by the reference's names: a number, or an
// object.
type Retries struct{ policy *requests.Retry }

// count is an integer, null or false of a policy.
type count struct {
	n     int
	null  bool
	isOff bool // false: none, and failures are left as they are
}

// UnmarshalJSON reads one of the three.
func (c *count) UnmarshalJSON(b []byte) error {
	switch b[0] {
	case 'n':
		c.null = true
		return nil
	case 'f':
		c.isOff = true
		return nil
	}
	return strict(b, &c.n)
}

// limit is the count as a policy has it; nil is no limit.
func (c *count) limit() *int {
	if c == nil || c.null {
		return nil
	}
	return &c.n
}

// referenceTotal is the total of a policy that names none.
const referenceTotal = 10

// UnmarshalJSON reads a number or an object, with the reference's defaults for
// what is not named.
func (r *Retries) UnmarshalJSON(b []byte) error {
	if b[0] != '{' {
		var n count
		if err := strict(b, &n); err != nil {
			return err
		}
		r.policy = requests.Retries(n.n)
		return nil
	}
	var o struct {
		Total           *json.RawMessage `json:"total"`
		Connect         *count           `json:"connect"`
		Read            *count           `json:"read"`
		Redirect        *count           `json:"redirect"`
		Status          *count           `json:"status"`
		Other           *count           `json:"other"`
		AllowedMethods  json.RawMessage  `json:"allowed_methods"`
		StatusForcelist []int            `json:"status_forcelist"`
		BackoffFactor   float64          `json:"backoff_factor"`
		BackoffMax      float64          `json:"backoff_max"`
		BackoffJitter   float64          `json:"backoff_jitter"`
		RetryAfterMax   float64          `json:"retry_after_max"`
		RaiseOnStatus   *bool            `json:"raise_on_status"`
		RaiseOnRedirect *bool            `json:"raise_on_redirect"`
		RespectAfter    *bool            `json:"respect_retry_after_header"`
		RemoveHeaders   []string         `json:"remove_headers_on_redirect"`
	}
	// A total of null is not that of none given, which a pointer cannot tell.
	raw := map[string]json.RawMessage{}
	if err := strict(b, &o); err != nil {
		return err
	}
	if err := strict(b, &raw); err != nil {
		return err
	}
	total := count{n: referenceTotal}
	if text, ok := raw["total"]; ok {
		if err := strict(text, &total); err != nil {
			return err
		}
	}
	r.policy = &requests.Retry{
		Total: total.n, Unlimited: total.null,
		Connect: o.Connect.limit(), Read: o.Read.limit(), Redirect: o.Redirect.limit(),
		Status: o.Status.limit(), Other: o.Other.limit(),
		StatusForcelist:         o.StatusForcelist,
		BackoffFactor:           seconds(o.BackoffFactor),
		BackoffMax:              seconds(o.BackoffMax),
		BackoffJitter:           seconds(o.BackoffJitter),
		RetryAfterMax:           seconds(o.RetryAfterMax),
		IgnoreRetryAfter:        isFalse(o.RespectAfter),
		ReturnLastStatus:        isFalse(o.RaiseOnStatus),
		ReturnLastRedirect:      isFalse(o.RaiseOnRedirect),
		RemoveHeadersOnRedirect: o.RemoveHeaders,
		RawErrors:               total.isOff || o.Read != nil && o.Read.isOff,
	}
	return r.methods(o.AllowedMethods)
}

// methods fills in which methods may be sent again: null and false stand for
// any.
func (r *Retries) methods(text json.RawMessage) error {
	switch {
	case text == nil:
		return nil
	case text[0] != '[':
		r.policy.AnyMethod = true
		return nil
	}
	return strict(text, &r.policy.AllowedMethods)
}

func isFalse(b *bool) bool { return b != nil && !*b }

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
