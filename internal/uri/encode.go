package uri

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A class says where in a URL an ASCII byte may stand unescaped. The classes
// follow RFC 3986 section 3 and its appendix A.
type class uint8

const (
	unreserved  class = 1 << iota // ALPHA, DIGIT and "-._~" (section 2.3)
	inUserinfo                    // unreserved, sub-delims and ":"
	inPath                        // inUserinfo, "@" and "/"
	inQuery                       // inPath and "?"; for fragments too
	inReference                   // what [Requote] leaves alone, "%" aside
	inHost                        // lower-case letters, digits, "-._"
)

// classOf returns the classes of b.
func classOf(b byte) class {
	switch {
	case 'a' <= b && b <= 'z', '0' <= b && b <= '9', b == '-', b == '.', b == '_':
		return unreserved | inUserinfo | inPath | inQuery | inReference | inHost
	case 'A' <= b && b <= 'Z', b == '~':
		return unreserved | inUserinfo | inPath | inQuery | inReference
	}
	switch b {
	case '!', '$', '&', '\'', '(', ')', '*', '+', ',', ';', '=', ':':
		return inUserinfo | inPath | inQuery | inReference
	case '@', '/':
		return inPath | inQuery | inReference
	case '?':
		return inQuery | inReference
	case '#', '[', ']':
		return inReference
	}
	return 0
}

// classes is [classOf] of every byte. It is never written to.
var classes = func() (t [256]class) {
	for i := range t {
		t[i] = classOf(byte(i))
	}
	return t
}()

// upperHex has the digits that RFC 3986, section 2.1, asks for in escapes.
const upperHex = "0123456789ABCDEF"

// appendEscape appends the escape of b, "%XX" with upper-case digits.
func appendEscape(dst []byte, b byte) []byte {
	return append(dst, '%', upperHex[b>>4], upperHex[b&15])
}

// hexValue returns the value of a hex digit, or -1 for any other byte.
func hexValue(b byte) int {
	switch {
	case '0' <= b && b <= '9':
		return int(b - '0')
	case 'a' <= b && b <= 'f':
		return int(b-'a') + 10
	case 'A' <= b && b <= 'F':
		return int(b-'A') + 10
	}
	return -1
}

// escapeAt returns the byte that the escape at s[i] stands for. It reports
// false when s[i:] does not begin with "%" and two hex digits.
func escapeAt(s string, i int) (byte, bool) {
	if i+2 >= len(s) || s[i] != '%' {
		return 0, false
	}
	hi, lo := hexValue(s[i+1]), hexValue(s[i+2])
	if hi < 0 || lo < 0 {
		return 0, false
	}
	return byte(hi<<4 | lo), true
}

// validEscapes reports whether each "%" in s begins an escape.
func validEscapes(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			continue
		}
		if _, ok := escapeAt(s, i); !ok {
			return false
		}
		i += 2
	}
	return true
}

// canonicalEscapes reports whether s holds nothing but bytes of the class
// allowed and well-formed escapes with upper-case digits, so that
// [encodeComponent] would leave it as it is.
func canonicalEscapes(s string, allowed class) bool {
	for i := 0; i < len(s); i++ {
		if classes[s[i]]&allowed != 0 {
			continue
		}
		if _, ok := escapeAt(s, i); !ok || isLowerHex(s[i+1]) || isLowerHex(s[i+2]) {
			return false
		}
		i += 2
	}
	return true
}

// isLowerHex reports whether a hex digit is one that RFC 3986, section 2.1,
// would have in upper case.
func isLowerHex(b byte) bool { return 'a' <= b && b <= 'f' }

// encodeComponent escapes all bytes of s that are not of the class allowed
// (rules URL-13 and URL-15). Escapes that s holds already are put in upper
// case. They stay escapes only if every "%" in s begins one; if a single one
// does not, s is taken for text that was never escaped, and every "%" in it
// becomes "%25".
func encodeComponent(s string, allowed class) string {
	if canonicalEscapes(s, allowed) {
		return s
	}
	// Decided for the whole text and not escape by escape, as in urllib3:
	// "100%25%" was never escaped.
	escaped := validEscapes(s)
	dst := make([]byte, 0, len(s)+16)
	for i := 0; i < len(s); i++ {
		b, ok := escapeAt(s, i)
		switch {
		case ok && escaped:
			dst = appendEscape(dst, b)
			i += 2
		case ok:
			// The digits are put in upper case all the same, as urllib3 does before
			// it counts them.
			dst = append(dst, '%', '2', '5', upperHex[b>>4], upperHex[b&15])
			i += 2
		case classes[s[i]]&allowed != 0:
			dst = append(dst, s[i])
		default:
			dst = appendEscape(dst, s[i])
		}
	}
	return string(dst)
}

// UnquoteUnreserved undoes the escapes of unreserved characters (RFC 3986
// section 2.3) and leaves all else as it is, the case of other escapes
// included. It reports false, and returns s, if a "%" is followed by two
// letters or digits that are no hex digits; a "%" that is followed by anything
// else is left alone (rule URL-30).
func UnquoteUnreserved(s string) (string, bool) {
	i := strings.IndexByte(s, '%')
	if i < 0 {
		return s, true
	}
	dst := append(make([]byte, 0, len(s)), s[:i]...)
	for ; i < len(s); i++ {
		b, ok := escapeAt(s, i)
		switch {
		case ok && classes[b]&unreserved != 0:
			dst = append(dst, b)
			i += 2
		// Python's int(…, 16) fails there, and Requests then takes the text as it
		// is.
		case !ok && s[i] == '%' && twoAlphanumerics(s[i+1:]):
			return s, false
		default:
			dst = append(dst, s[i])
		}
	}
	return string(dst), true
}

// twoAlphanumerics reports whether s begins with two letters or digits, of any
// script.
func twoAlphanumerics(s string) bool {
	for range 2 {
		r, n := utf8.DecodeRuneInString(s)
		if !unicode.IsLetter(r) && !unicode.IsNumber(r) {
			return false
		}
		s = s[n:]
	}
	return true
}

// Requote makes the escaping of a whole URL, or of a reference, consistent:
// escapes of unreserved characters are undone, and what may not stand in a URL
// is escaped (rule URL-30). If s holds a "%" that cannot be an escape, all of
// its "%" are taken literally and become "%25". It never changes the case of
// an escape.
func Requote(s string) string {
	if plainReference(s) {
		return s
	}
	text, ok := UnquoteUnreserved(s)
	dst := make([]byte, 0, len(text)+16)
	for i := range len(text) {
		if classes[text[i]]&inReference != 0 || ok && text[i] == '%' {
			dst = append(dst, text[i])
			continue
		}
		dst = appendEscape(dst, text[i])
	}
	return string(dst)
}

// plainReference reports whether s has no escape and nothing to escape.
func plainReference(s string) bool {
	for i := range len(s) {
		if classes[s[i]]&inReference == 0 {
			return false
		}
	}
	return true
}

// unescape undoes all well-formed escapes of s.
func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	dst := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if b, ok := escapeAt(s, i); ok {
			dst = append(dst, b)
			i += 2
			continue
		}
		dst = append(dst, s[i])
	}
	return string(dst)
}
