package digest

import (
	"slices"
	"strings"
)

// A hostile header of some megabytes can hold millions of challenges of two
// bytes each. What is beyond these counts is read over and not kept.
const (
	maxChallenges = 64
	maxParams     = 64
)

// A Challenge is one offer of a server to authenticate, in the generic form of
// RFC 9110, section 11.3: a scheme with either a token68 or parameters.
type Challenge struct {
	// Scheme is in the server's spelling; compare it without regard to case.
	Scheme string

	// Token68 is what stands in place of parameters, as for Negotiate.
	Token68 string

	// Params are in the order of arrival, repetitions included, their values
	// without quotes and escapes.
	Params []Param
}

// A Param is one parameter of a [Challenge].
type Param struct {
	// Name is in the server's spelling; compare it without regard to case.
	Name string
	// Value is what the server meant, without quotes and escapes.
	Value string
}

// Param returns the value of a parameter, its name in any case, and whether it
// is there. A repeated parameter has its last value, as in Requests.
func (c Challenge) Param(name string) (string, bool) {
	for _, v := range slices.Backward(c.Params) {
		if strings.EqualFold(v.Name, name) {
			return v.Value, true
		}
	}
	return "", false
}

// is reports whether a parameter has a value, both in any case.
func (c Challenge) is(name, value string) bool {
	v, ok := c.Param(name)
	return ok && strings.EqualFold(v, value)
}

// ParseChallenges reads the lines of a WWW-Authenticate or Proxy-Authenticate
// field, each of which may hold several challenges of any scheme
// (RFC 9110, section 11.6.1):
//
//	field      = #challenge
//	challenge  = auth-scheme [ 1*SP ( token68 / #auth-param ) ]
//	auth-param = token BWS "=" BWS ( token / quoted-string )
//	token68    = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
//
// Commas separate challenges and parameters alike: an element that is a name
// with a value goes on with the challenge before it, in the line before it too,
// since lines may be joined on their way; anything else begins a new one.
//
// Like Requests it takes what servers send: empty elements, and unquoted values
// that are no token, up to the next comma. An element that fits no rule is
// passed over. The work is linear in the input, and of more than 64 challenges,
// or parameters of one, the first 64 are kept.
func ParseChallenges(fields []string) []Challenge {
	var cs []Challenge
	for _, rest := range fields {
		for rest != "" {
			var element string
			element, rest = cutElement(rest)
			cs = addElement(cs, strings.Trim(element, " \t"))
		}
	}
	return cs[:min(len(cs), maxChallenges)]
}

// cutElement splits s at its first comma outside of a quoted string. A quote
// that is never closed holds on to the end.
func cutElement(s string) (element, rest string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++ // a quoted pair: whatever follows does not count
		case c == ',' && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// addElement adds an element of a field to what was read before: a parameter to
// the last challenge, or a new challenge.
func addElement(cs []Challenge, element string) []Challenge {
	name, rest := cutToken(element)
	if name == "" {
		return cs
	}
	if p, ok := parseParam(element); ok {
		addParam(cs, p)
		return cs
	}
	after := strings.TrimLeft(rest, " \t")
	if len(after) == len(rest) && rest != "" || strings.HasPrefix(after, "=") {
		return cs // a scheme ends with a blank; a bad value begins with "="
	}
	if len(cs) > maxChallenges {
		return cs
	}
	// One challenge beyond the limit is kept for a while, so that parameters
	// that follow it do not go to the last one within.
	cs = append(cs, Challenge{Scheme: name})
	if isToken68(after) {
		cs[len(cs)-1].Token68 = after
	} else if p, ok := parseParam(after); ok {
		addParam(cs, p)
	}
	return cs
}

// addParam adds a parameter to the last challenge, if there is one.
func addParam(cs []Challenge, p Param) {
	if len(cs) == 0 {
		return
	}
	if c := &cs[len(cs)-1]; len(c.Params) < maxParams {
		c.Params = append(c.Params, p)
	}
}

// parseParam reads an element that is a name with a value.
func parseParam(element string) (Param, bool) {
	name, rest := cutToken(element)
	value, ok := strings.CutPrefix(strings.TrimLeft(rest, " \t"), "=")
	if name == "" || !ok {
		return Param{}, false
	}
	value = strings.TrimLeft(value, " \t")
	if !strings.HasPrefix(value, `"`) {
		return Param{name, value}, true
	}
	value, ok = unquote(value)
	return Param{name, value}, ok
}

// cutToken splits off the longest token (RFC 9110, section 5.6.2) that s begins
// with.
func cutToken(s string) (token, rest string) {
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// isTokenByte reports whether c may stand in a token (RFC 9110, section 5.6.2).
func isTokenByte(c byte) bool {
	return isAlphanumeric(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// isAlphanumeric reports whether c is an ASCII letter or digit.
func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// isToken68 reports whether s is what stands in place of parameters
// (RFC 9110, section 11.2).
func isToken68(s string) bool {
	s = strings.TrimRight(s, "=")
	for i := range len(s) {
		if !isAlphanumeric(s[i]) && strings.IndexByte("-._~+/", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

// unquote returns the value of a quoted string (RFC 9110, section 5.6.4), which
// must be all of s.
func unquote(s string) (string, bool) {
	if len(s) < 2 || s[0] != '"' {
		return "", false
	}
	s = s[1:]
	if i := strings.IndexAny(s, `"\`); i >= 0 && s[i] == '"' { // most have no escapes
		return s[:i], i == len(s)-1
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), i == len(s)-1
		case '\\':
			if i++; i == len(s) {
				return "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", false
}

// quote returns s as a quoted string, escaping what would end it.
func quote(s string) string {
	if !strings.ContainsAny(s, `"\`) {
		return `"` + s + `"`
	}
	var b strings.Builder
	b.Grow(len(s) + 8)
	b.WriteByte('"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	b.WriteByte('"')
	return b.String()
}
