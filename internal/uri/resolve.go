package uri

import (
	"strings"
	"unicode/utf8"
)

// MaxLocation is the length in bytes past which [Resolve] refuses a redirect
// target. Each hop of a loop may add to the URL; only the caller's own URLs may
// be of any length.
const MaxLocation = 64 << 10

// Parse returns the parts of a URL that was prepared elsewhere or changed since.
// It neither adds nor normalizes anything. Spaces, other bytes that may not
// stand in a URL and those outside ASCII are escaped, since Text is to be
// printable. Control characters, a missing host, a port that is no port and
// brackets without an IPv6 address are errors of the kind [InvalidURL], a
// missing scheme is [MissingSchema]. A scheme that does not begin with "http"
// makes it Opaque.
func Parse(text string) (URL, error) {
	scheme, _ := cutScheme(text)
	switch {
	case hasControl(text):
		return URL{}, newError(InvalidURL, text, badControl)
	case scheme == "":
		return URL{}, newError(MissingSchema, text, "No scheme supplied.")
	case !hasHTTPPrefix(scheme):
		return opaque(text)
	}
	return checked(escapeIllegal(text))
}

// hasControl reports whether s has a control character of ASCII.
func hasControl(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return true
		}
	}
	return false
}

// escapeIllegal escapes the bytes that stand nowhere in a URL.
func escapeIllegal(s string) string {
	i := 0
	for i < len(s) && (classes[s[i]]&inReference != 0 || s[i] == '%') {
		i++
	}
	if i == len(s) {
		return s
	}
	dst := append(make([]byte, 0, len(s)+16), s[:i]...)
	for ; i < len(s); i++ {
		if classes[s[i]]&inReference != 0 || s[i] == '%' {
			dst = append(dst, s[i])
			continue
		}
		dst = appendEscape(dst, s[i])
	}
	return string(dst)
}

// Resolve returns the URL that a Location field leads to, when it came in the
// answer to a request to base. The location is given as the bytes of the field.
//
// It does what Requests does (rules RED-3, RED-4 and RED-9), which is less than
// [Prepare] does: the target is requoted, and a relative one is merged with
// base. An absolute target keeps its case, its dot segments and an empty path in
// Text, while [URL.Target] is fit for the wire. A location without a host, such
// as "http:/x", stays on the host of base if the scheme is the same. The
// fragment of base is carried over if the location has none.
//
// Bytes that are no UTF-8, a location past [MaxLocation], and all that [Parse]
// refuses are an [Error] of the kind [InvalidURL]. A target of another scheme
// than http is no error here: it is Opaque.
func Resolve(base URL, location string) (URL, error) {
	switch {
	case len(location) > MaxLocation:
		return URL{}, newError(InvalidURL, location, "the redirect target is too long.")
	case !utf8.ValidString(location):
		return URL{}, newError(InvalidURL, location, badUTF8)
	}
	if u, ok := resolvePlain(&base, location); ok {
		return u, nil
	}
	return resolve(base, location)
}

// resolve is [Resolve] for what it has not refused.
func resolve(base URL, location string) (URL, error) {
	target := reference(location)
	// "//host/path" keeps the scheme of the base (RFC 3986, section 4.2).
	if target.scheme == "" && target.authority != "" {
		target.scheme = base.Scheme
	}
	if target.fragment == "" {
		// RED-9: the fragment stays over a redirect that has none.
		target.fragment = base.Fragment
	}
	if target.authority == "" && (target.scheme == "" || target.scheme == base.Scheme) {
		target = merge(split(base.Text), target)
	}
	text := target.text()
	switch {
	case len(text) > MaxLocation:
		return URL{}, newError(InvalidURL, text, "the redirect target is too long.")
	// RED-10: no adapter serves it, which is for the session to say.
	case !hasHTTPPrefix(target.scheme):
		u, _ := view(text)
		u.Opaque = true
		return u, nil
	}
	return checked(text)
}

// resolvePlain is [Resolve] for a location that is a URL or an absolute path
// and has nothing to be changed, as most have. It may say no to one of those.
func resolvePlain(base *URL, location string) (URL, bool) {
	// The fragment would have to be carried over (RED-9); a semicolon may end the
	// path.
	if base.Fragment != "" || base.Opaque || strings.IndexByte(location, ';') >= 0 {
		return URL{}, false
	}
	if !strings.HasPrefix(location, "/") {
		return canonical(location)
	}
	// The first names a host; the second is a base without a path to replace.
	if strings.HasPrefix(location, "//") || !strings.HasPrefix(base.Path, "/") {
		return URL{}, false
	}
	start := len(base.Scheme) + len("://")
	slash := strings.IndexByte(base.Text[start:], '/')
	if slash < 0 || start+slash+len(location) > MaxLocation {
		return URL{}, false
	}
	return canonical(base.Text[:start+slash] + location)
}

// reference parses a URI reference from a Location field. Python's urlsplit
// leaves out tabs and line ends, and control characters and spaces at its
// beginning; what remains is requoted before it is taken apart, which moves no
// delimiter.
func reference(location string) parts {
	location = strings.TrimLeftFunc(location, func(r rune) bool { return r <= ' ' })
	if strings.ContainsAny(location, "\t\r\n") {
		location = strings.NewReplacer("\t", "", "\r", "", "\n", "").Replace(location)
	}
	p := split(Requote(location))
	p.scheme = strings.ToLower(p.scheme)
	if p.hasAuthority && p.authority == "" && strings.HasPrefix(p.path, "//") {
		// Python writes no empty authority before such a path, so that what
		// follows is one, as browsers take it to be.
		p.hasAuthority = false
		p = split(p.text())
	}
	if p.scheme != "" && p.authority == "" && p.path != "" && p.path[0] != '/' && hasHTTPPrefix(p.scheme) {
		p.path = "/" + p.path // "http:x" is an absolute path
	}
	if hasParams(p.scheme) {
		p.path = withoutEmptyParams(p.path)
	}
	return p
}

// hasParams reports whether segments have parameters in URLs of a scheme, by
// Python's list; a reference without one counts.
func hasParams(scheme string) bool {
	switch scheme {
	case "", "http", "https", "ftp", "sftp", "hdl", "prospero", "imap", "shttp", "rtsp", "rtsps", "rtspu", "sip", "sips", "mms", "tel":
		return true
	}
	return false
}

// withoutEmptyParams returns a path without the semicolon that ends it where its
// last segment has no other: to Python that begins parameters of the segment, of
// which there are none.
func withoutEmptyParams(path string) string {
	last := path[strings.LastIndexByte(path, '/')+1:]
	if i := strings.IndexByte(last, ';'); i >= 0 && i == len(last)-1 {
		return path[:len(path)-1]
	}
	return path
}

// merge resolves a reference that has no authority (RFC 3986 section 5.2.2, as
// Python's urljoin has it: an empty query is none).
func merge(base, ref parts) parts {
	ref.scheme, ref.authority, ref.hasAuthority = strings.ToLower(base.scheme), base.authority, base.hasAuthority
	if ref.path == "" {
		ref.path = withoutEmptyParams(base.path)
		if ref.query == "" {
			ref.query = base.query
		}
		return ref
	}
	ref.path = joinPath(base.path, ref.path)
	return ref
}

// joinPath resolves a path against that of the base. Empty segments are dropped
// from a path that is relative, and kept in one that is not.
func joinPath(base, path string) string {
	relative := path[0] != '/'
	if relative {
		path = base[:strings.LastIndexByte(base, '/')+1] + path
	} else if !hasDots(path) {
		return path
	}
	segments := strings.Split(path, "/")
	last := segments[len(segments)-1]
	out := segments[:0]
	for i, s := range segments {
		switch {
		case s == ".", relative && s == "" && 0 < i && i < len(segments)-1:
		case s != "..":
			out = append(out, s)
		case len(out) > 0:
			out = out[:len(out)-1]
		}
	}
	if last == "." || last == ".." {
		out = append(out, "")
	}
	joined := strings.Join(out, "/")
	if !strings.HasPrefix(joined, "/") {
		joined = "/" + joined
	}
	return joined
}
