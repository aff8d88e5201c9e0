package uri

import (
	"slices"
	"strings"
)

// parts are the components of RFC 3986 section 3 as they stand in a text,
// without the delimiters. An empty component and one that is missing are the
// same, but for the authority.
type parts struct {
	// Each as it was written.
	scheme, authority, path, query, fragment string
	hasAuthority                             bool // there was "//", be it with nothing behind it
	pathAt                                   int  // where the path begins
}

// cutScheme splits off a scheme, which it returns as written and without the
// colon. A text that does not begin with one is returned whole.
func cutScheme(s string) (scheme, rest string) {
	for i := range len(s) {
		switch b := s[i]; {
		// scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ), RFC 3986, section
		// 3.1.
		case 'a' <= b|0x20 && b|0x20 <= 'z':
		case i > 0 && ('0' <= b && b <= '9' || b == '+' || b == '-' || b == '.'):
		case i > 0 && b == ':':
			return s[:i], s[i+1:]
		default:
			return "", s
		}
	}
	return "", s
}

// authorityEnd returns the length of the authority that s begins with. A
// backslash ends it too (rule URL-14): programs that take it for a slash must
// not see another host than we do.
func authorityEnd(s string) int {
	if i := strings.IndexAny(s, `/?#\`); i >= 0 {
		return i
	}
	return len(s)
}

// split cuts text into its components. It cannot fail.
func split(text string) parts {
	var p parts
	scheme, rest := cutScheme(text)
	p.scheme = scheme
	if strings.HasPrefix(rest, "//") {
		end := 2 + authorityEnd(rest[2:])
		p.authority, p.hasAuthority, rest = rest[2:end], true, rest[end:]
	}
	p.pathAt = len(text) - len(rest)
	// The fragment first: a question mark within it begins no query (RFC 3986,
	// section 3.4).
	p.path, p.fragment, _ = strings.Cut(rest, "#")
	p.path, p.query, _ = strings.Cut(p.path, "?")
	return p
}

// text puts the components together again. Empty queries and fragments leave
// no delimiter behind (rule URL-17).
func (p parts) text() string {
	var b strings.Builder
	b.Grow(len(p.scheme) + len(p.authority) + len(p.path) + len(p.query) + len(p.fragment) + 6)
	if p.scheme != "" {
		b.WriteString(p.scheme)
		b.WriteByte(':')
	}
	if p.hasAuthority {
		b.WriteString("//")
		b.WriteString(p.authority)
		// Without it the path would become part of the host.
		if p.path != "" && p.path[0] != '/' {
			b.WriteByte('/')
		}
	}
	b.WriteString(p.path)
	if p.query != "" {
		b.WriteByte('?')
		b.WriteString(p.query)
	}
	if p.fragment != "" {
		b.WriteByte('#')
		b.WriteString(p.fragment)
	}
	return b.String()
}

// cutUserinfo splits an authority at its last "@" (rule URL-10).
func cutUserinfo(authority string) (userinfo, hostPort string) {
	at := strings.LastIndexByte(authority, '@')
	if at < 0 {
		return "", authority
	}
	return authority[:at], authority[at+1:]
}

// removeDots removes the segments "." and ".." of a path (RFC 3986 section
// 5.2.4; rule URL-11). Empty segments are kept.
func removeDots(path string) string {
	if !hasDots(path) {
		return path
	}
	segments := strings.Split(path, "/")
	out := segments[:0]
	for _, s := range segments {
		switch {
		case s == ".":
		case s != "..":
			out = append(out, s)
		case len(out) > 0:
			out = out[:len(out)-1]
		}
	}
	// A ".." at the root goes nowhere, and takes the empty segment before it
	// along.
	if path[0] == '/' && (len(out) == 0 || out[0] != "") {
		out = slices.Insert(out, 0, "")
	}
	if strings.HasSuffix(path, "/.") || strings.HasSuffix(path, "/..") {
		out = append(out, "") // the last segment named a directory
	}
	return strings.Join(out, "/")
}

// hasDots reports whether a path has a segment "." or "..".
func hasDots(path string) bool {
	for i := 0; i < len(path); {
		end := strings.IndexByte(path[i:], '/')
		if end < 0 {
			end = len(path) - i
		}
		if s := path[i : i+end]; s == "." || s == ".." {
			return true
		}
		i += end + 1
	}
	return false
}
