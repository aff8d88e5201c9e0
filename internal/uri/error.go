package uri

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// A Kind says what is wrong with a URL. Each corresponds to the exception of
// the same name in Requests.
type Kind uint8

const (
	// InvalidURL is a URL that cannot be parsed, or that names no host or an
	// impossible one.
	InvalidURL Kind = iota
	// MissingSchema is a URL without a scheme, such as "example.com/".
	MissingSchema
	// InvalidProxyURL is the URL of a proxy that names no host. In Requests it
	// is a subclass of InvalidURL.
	InvalidProxyURL
)

// String returns the name of k.
func (k Kind) String() string {
	switch k {
	case MissingSchema:
		return "MissingSchema"
	case InvalidProxyURL:
		return "InvalidProxyURL"
	default:
		return "InvalidURL"
	}
}

// An Error is what all functions of this package return when they fail.
type Error struct {
	// Kind is what is wrong.
	Kind Kind
	// URL is the offending text, as [Redact] leaves it, without query and
	// fragment, cut if very long.
	URL string
	// Reason is a sentence without the URL's own text.
	Reason string
}

// Error returns the text that Requests would give, or one like it. User,
// password, query and fragment are not in it.
func (e *Error) Error() string {
	switch e.Kind {
	case MissingSchema:
		return "Invalid URL " + quoted(e.URL) + ": No scheme supplied. Perhaps you meant https://" + printable(e.URL) + "?"
	case InvalidProxyURL:
		return "Invalid proxy URL " + quoted(e.URL) + ": " + e.Reason
	default:
		return "Invalid URL " + quoted(e.URL) + ": " + e.Reason
	}
}

// maxShown is the number of bytes of a URL that an error repeats.
const maxShown = 512

// newError makes an [Error] that may be logged: it takes the secrets out of
// text.
func newError(kind Kind, text, reason string) *Error {
	return &Error{Kind: kind, URL: shown(text), Reason: reason}
}

// shown returns text as an error may repeat it.
func shown(text string) string {
	text = Redact(text)
	if i := strings.IndexAny(text, "?#"); i >= 0 && i+1 < len(text) {
		text = text[:i+1] + "..." // what follows may be secret, too
	}
	if len(text) <= maxShown {
		return text
	}
	// The cut may have gone through a character.
	return strings.ToValidUTF8(text[:maxShown], "") + "..."
}

// quoted puts s between single quotes.
func quoted(s string) string { return "'" + printable(s) + "'" }

// Unprintable reports whether a text for people must not hold a character, since
// it does something where it is shown: control characters, those of C1 among
// them, which steer terminals; line and paragraph separators; and the characters
// of category Cf, which turn the direction of a text or are not seen at all.
func Unprintable(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
}

// printable escapes the characters in s that are [Unprintable], so that an
// error's text stays on one line, and replaces what is no UTF-8.
func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		case Unprintable(r):
			b.WriteString(strings.Trim(strconv.QuoteToASCII(string(r)), `"`))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// redacted stands in the place of user and password.
const redacted = "***@"

// Redact returns text with "***" in place of user and password, for error
// texts and logs. It takes any text: where the authority is no authority that
// could be used, all up to the last "@" is taken for a secret, since a password
// with an unescaped "/", "?" or "#" in it looks like that.
func Redact(text string) string {
	last := strings.LastIndexByte(text, '@')
	if last < 0 {
		return text
	}
	start, ok := authorityStart(text)
	if !ok {
		return redacted + text[last+1:]
	}
	rest := text[start:]
	end := authorityEnd(rest)
	at := strings.LastIndexByte(rest[:end], '@')
	if !plausibleHostPort(rest[at+1 : end]) {
		return text[:start] + redacted + text[last+1:]
	}
	if at < 0 {
		return text
	}
	return text[:start] + redacted + rest[at+1:]
}

// authorityStart returns the place after the "//" that follows a scheme, or
// that begins text.
func authorityStart(text string) (int, bool) {
	scheme, rest := cutScheme(text)
	if !strings.HasPrefix(rest, "//") {
		return 0, false
	}
	if scheme == "" {
		return 2, true
	}
	return len(scheme) + 3, true
}

// plausibleHostPort reports whether s could be a host and a port that
// somebody meant.
func plausibleHostPort(s string) bool {
	host, port, ok := cutHostPort(s)
	return ok && host != "" && (port == "" || allDigits(port))
}
