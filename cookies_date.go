package requests

import (
	"strings"
	"time"
)

// cookieDateFields is what has been read of a cookie date so far.
type cookieDateFields struct {
	hour, minute, second int
	day, year            int
	month                time.Month
	hasTime, hasDay      bool
	hasMonth, hasYear    bool
}

// parseCookieDate reads a date as servers write it in the Expires attribute:
// the lenient algorithm of RFC 6265 5.1.1, which takes the four parts in any
// order and ignores zones, weekdays and all else.
//
//	cookie-date  = *delimiter date-token *( 1*delimiter date-token ) *delimiter
//	time         = 1*2DIGIT ":" 1*2DIGIT ":" 1*2DIGIT [ non-digit *OCTET ]
//	day-of-month = 1*2DIGIT [ non-digit *OCTET ]
//	month        = ( "jan" / "feb" / … / "dec" ) *OCTET
//	year         = 2*4DIGIT [ non-digit *OCTET ]
//
// It reports false for text that holds no date, or one that does not exist. It
// is linear in its input.
func parseCookieDate(s string) (time.Time, bool) {
	var f cookieDateFields
	for s != "" {
		var token string
		token, s = nextDateToken(s)
		f.add(token)
	}
	return f.date()
}

// nextDateToken cuts the first token off s; the token is empty when only
// delimiters are left.
func nextDateToken(s string) (token, rest string) {
	start := 0
	for start < len(s) && isDateDelimiter(s[start]) {
		start++
	}
	end := start
	for end < len(s) && !isDateDelimiter(s[end]) {
		end++
	}
	return s[start:end], s[end:]
}

// isDateDelimiter tells the delimiters of RFC 6265 5.1.1; the colon and all
// controls but the tab are none.
func isDateDelimiter(c byte) bool {
	return c == '\t' || c >= ' ' && c <= '/' || c >= ';' && c <= '@' || c >= '[' && c <= '`' || c >= '{' && c <= '~'
}

// add gives the token to the first part that is still missing and that it fits,
// in the order of the RFC.
func (f *cookieDateFields) add(token string) {
	if !f.hasTime {
		if f.hasTime = f.addTime(token); f.hasTime {
			return
		}
	}
	if !f.hasDay {
		if n, rest, ok := leadingDigits(token, 1, 2); ok && endsNumber(rest) {
			f.day, f.hasDay = n, true
			return
		}
	}
	if !f.hasMonth {
		if f.month, f.hasMonth = monthPrefix(token); f.hasMonth {
			return
		}
	}
	if !f.hasYear {
		if n, rest, ok := leadingDigits(token, 2, 4); ok && endsNumber(rest) {
			f.year, f.hasYear = n, true
		}
	}
}

// addTime reads hours, minutes and seconds, of one or two digits each.
func (f *cookieDateFields) addTime(token string) bool {
	hour, rest, ok := leadingDigits(token, 1, 2)
	if !ok || !strings.HasPrefix(rest, ":") {
		return false
	}
	minute, rest, ok := leadingDigits(rest[1:], 1, 2)
	if !ok || !strings.HasPrefix(rest, ":") {
		return false
	}
	second, rest, ok := leadingDigits(rest[1:], 1, 2)
	if !ok || !endsNumber(rest) {
		return false
	}
	f.hour, f.minute, f.second = hour, minute, second
	return true
}

// date checks the ranges of RFC 6265 5.1.1 step 5 and that the day exists in
// its month.
func (f *cookieDateFields) date() (time.Time, bool) {
	if !f.hasTime || !f.hasDay || !f.hasMonth || !f.hasYear {
		return time.Time{}, false
	}
	year := fullYear(f.year)
	if year < 1601 || f.hour > 23 || f.minute > 59 || f.second > 59 {
		return time.Time{}, false
	}
	t := time.Date(year, f.month, f.day, f.hour, f.minute, f.second, 0, time.UTC)
	return t, t.Day() == f.day // 31 April would have become the first of May
}

// fullYear widens years of two digits, steps 3 and 4: 70 to 99 are of the last
// century, 0 to 69 of this one.
func fullYear(year int) int {
	switch {
	case year >= 70 && year <= 99:
		return year + 1900
	case year <= 69:
		return year + 2000
	}
	return year
}

// leadingDigits reads from least to most digits at the start of s.
func leadingDigits(s string, least, most int) (n int, rest string, ok bool) {
	i := 0
	for i < len(s) && i < most && isCookieDigit(s[i]) {
		n = n*10 + int(s[i]-'0')
		i++
	}
	return n, s[i:], i >= least
}

// endsNumber reports whether a number may end before rest.
func endsNumber(rest string) bool {
	return rest == "" || !isCookieDigit(rest[0])
}

// monthPrefix reads the month from the first three letters of token, in any
// case.
func monthPrefix(token string) (time.Month, bool) {
	const names = "janfebmaraprmayjunjulaugsepoctnovdec"
	if len(token) < 3 {
		return 0, false
	}
	for i := 0; i < len(names); i += 3 {
		if strings.EqualFold(token[:3], names[i:i+3]) {
			return time.Month(i/3 + 1), true
		}
	}
	return 0, false
}

// isCookieDigit is the DIGIT of RFC 5234; other scripts have digits too, which
// no cookie rule knows.
func isCookieDigit(c byte) bool { return c >= '0' && c <= '9' }
