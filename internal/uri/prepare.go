package uri

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Reasons that only a whole URL can give.
const (
	badUTF8    = "Failed to parse: the text is not UTF-8."
	badControl = "Failed to parse: the text has control characters."
)

// Prepare returns the URL that a request to raw with the given parameters goes
// to. It follows PreparedRequest.prepare_url of Requests (rules URL-1 to
// URL-23).
//
// The parameters are added to the query that raw has. Those in rawQuery are
// taken as they are, as if they had been written into the URL, and so may even
// begin a fragment; params are encoded by [Encode] and follow them.
//
// A URL with a colon that does not begin with "http" is returned verbatim and
// without parameters, and is marked Opaque. Otherwise an [Error] of the kind
// [MissingSchema] or [InvalidURL] says why raw cannot be used. A plain URL that
// has nothing to prepare costs no allocation.
func Prepare(raw string, params []Param, rawQuery string) (URL, error) {
	if u, ok := canonical(raw); ok && rawQuery == "" {
		if len(params) > 0 {
			u.addParams(params)
		}
		return u, nil
	}
	text := strings.TrimLeftFunc(raw, isSpace)
	if !utf8.ValidString(text) || !utf8.ValidString(rawQuery) {
		return URL{}, newError(InvalidURL, raw, badUTF8)
	}
	if strings.IndexByte(text, ':') >= 0 && !hasHTTPPrefix(text) {
		return opaque(text)
	}
	// Where rawQuery has [Requote] take each "%" literally nothing may have been
	// unescaped before.
	finish := settle
	if _, ok := UnquoteUnreserved(rawQuery); !ok {
		finish = encodeComponent
	}
	p, err := normalize(text, finish)
	if err != nil {
		return URL{}, err
	}
	p.query = joinQuery(p.query, rawQuery, Encode(params))
	text = p.text()
	if rawQuery != "" || !isHTTP(p.scheme) {
		text = Requote(text)
	}
	return checked(text)
}

// checked is [view] with its failures as errors.
func checked(text string) (URL, error) {
	u, reason := view(text)
	switch {
	case reason != "":
	case u.Host == "":
		reason = noHost
	case u.Host == ".":
		reason = badLabel
	}
	if reason != "" {
		return URL{}, newError(InvalidURL, text, reason)
	}
	return u, nil
}

// opaque returns a URL that is not to be touched.
func opaque(text string) (URL, error) {
	if strings.ContainsFunc(text, unicode.IsControl) {
		return URL{}, newError(InvalidURL, text, badControl)
	}
	u, _ := view(text)
	u.Opaque = true
	return u, nil
}

// normalize parses text as urllib3's parse_url does and brings its components
// into the form in which Requests puts them together again, by finish.
func normalize(text string, finish func(s string, allowed class) string) (parts, error) {
	p := splitLoose(text)
	p.scheme = strings.ToLower(p.scheme)
	userinfo, host, port, reason := normalizeAuthority(p, finish)
	switch {
	case reason != "":
		return p, newError(InvalidURL, text, reason)
	case p.scheme == "":
		return p, newError(MissingSchema, text, "No scheme supplied.")
	case host == "":
		return p, newError(InvalidURL, text, noHost)
	// A star or an empty label at the start is what Requests refuses (URL-7).
	case host[0] == '*', host[0] == '.':
		return p, newError(InvalidURL, text, badLabel)
	}
	p.authority = joinAuthority(userinfo, host, port)
	if isHTTP(p.scheme) {
		p.path = removeDots(finish(p.path, inPath))
		p.query = finish(p.query, inQuery)
		p.fragment = finish(p.fragment, inQuery)
	}
	if !strings.HasPrefix(p.path, "/") {
		p.path = "/" + p.path
	}
	return p, nil
}

// splitLoose is [split] for a text whose scheme may be missing: what is before
// the first slash is an authority then. No dot may be in a scheme, so that
// "http.example:80/" is a host and a port.
func splitLoose(text string) parts {
	scheme, _ := cutScheme(text)
	if scheme != "" && strings.IndexByte(scheme, '.') < 0 || strings.HasPrefix(text, "/") {
		return split(text)
	}
	return split("//" + text)
}

// normalizeAuthority returns the components of an authority as they go into the
// text. Schemes other than http and https keep what they have.
func normalizeAuthority(p parts, finish func(s string, allowed class) string) (userinfo, host, port, reason string) {
	userinfo, hostPort := cutUserinfo(p.authority)
	host, port, ok := cutHostPort(hostPort)
	if !ok {
		return "", "", "", badHost
	}
	if port, ok = parsePort(port); !ok {
		return "", "", "", badPort
	}
	if p.scheme != "" && !isHTTP(p.scheme) {
		host, reason = mapHost(host)
		return encodeBrackets(userinfo), host, port, reason
	}
	host, reason = normalizeHost(host)
	return finish(userinfo, inUserinfo), host, port, reason
}

// joinAuthority puts an authority together. Empty parts leave no delimiter.
func joinAuthority(userinfo, host, port string) string {
	if userinfo != "" {
		host = userinfo + "@" + host
	}
	if port != "" {
		host += ":" + port
	}
	return host
}

// encodeBrackets escapes the brackets in a text that is not escaped otherwise,
// since in an authority they may only hold an address.
func encodeBrackets(s string) string {
	return strings.NewReplacer("[", "%5B", "]", "%5D").Replace(s)
}

// settle returns a component in its final form: escaped where needed and nowhere
// else (rules URL-13, URL-15 and URL-16).
func settle(s string, allowed class) string {
	s, _ = UnquoteUnreserved(encodeComponent(s, allowed))
	return s
}

// joinQuery joins those of the queries that are not empty with "&".
func joinQuery(queries ...string) string {
	joined := ""
	for _, q := range queries {
		switch {
		case q == "":
		case joined == "":
			joined = q
		default:
			joined += "&" + q
		}
	}
	return joined
}

// addParams adds params to a URL that is [canonical], and remains so.
func (u *URL) addParams(params []Param) {
	at := len(u.Text)
	if u.Fragment != "" {
		at -= 1 + len(u.Fragment)
	}
	text := append(make([]byte, 0, len(u.Text)+1+encodedLen(params)), u.Text[:at]...)
	start := at + 1
	if u.Query == "" {
		text = append(text, '?')
	} else {
		text = append(text, '&')
		start = at - len(u.Query)
	}
	text = AppendEncode(text, params)
	end := len(text)
	u.Text = string(append(text, u.Text[at:]...))
	u.Query = u.Text[start:end]
	u.target = u.Text[at-len(u.target) : end]
}

// canonical returns the URL of a text that [Prepare] would leave as it is. It
// may say no to a text of which that is true: to one with user and password,
// with an IPv6 address, or with an escape in its host.
func canonical(text string) (u URL, ok bool) {
	rest, ok := strings.CutPrefix(text, "http://")
	if !ok {
		if rest, ok = strings.CutPrefix(text, "https://"); !ok {
			return URL{}, false
		}
	}
	u.Text, u.Scheme = text, text[:len(text)-len(rest)-len("://")]
	slash := strings.IndexByte(rest, '/')
	if slash < 0 {
		return URL{}, false
	}
	if u.Host, u.Port, ok = canonicalHostPort(rest[:slash]); !ok {
		return URL{}, false
	}
	rest, fragment, hasFragment := strings.Cut(rest[slash:], "#")
	path, query, hasQuery := strings.Cut(rest, "?")
	u.Path, u.Query, u.Fragment, u.target = path, query, fragment, rest
	return u, hasFragment == (fragment != "") && hasQuery == (query != "") &&
		settled(path, inPath) && settled(query, inQuery) && settled(fragment, inQuery) && !hasDots(path)
}

// canonicalHostPort is the part of [canonical] that looks at the authority.
func canonicalHostPort(s string) (host, port string, ok bool) {
	host, port, hasPort := strings.Cut(s, ":")
	if host == "" || host[0] == '.' || !consistsOf(host, inHost) {
		return "", "", false
	}
	if !hasPort {
		return host, "", true
	}
	normal, ok := parsePort(port)
	return host, port, ok && normal != "" && normal == port
}

// settled reports whether [settle] would leave s as it is.
func settled(s string, allowed class) bool {
	for i := 0; i < len(s); i++ {
		if classes[s[i]]&allowed != 0 {
			continue
		}
		b, ok := escapeAt(s, i)
		if !ok || classes[b]&unreserved != 0 || isLowerHex(s[i+1]) || isLowerHex(s[i+2]) {
			return false
		}
		i += 2
	}
	return true
}

// hasHTTPPrefix reports whether text begins with "http" in any case.
func hasHTTPPrefix(text string) bool {
	return len(text) >= 4 && strings.EqualFold(text[:4], "http")
}

func isHTTP(scheme string) bool { return scheme == "http" || scheme == "https" }

// isSpace reports whether Python's str.lstrip removes r: white space and the
// separators among the control characters.
func isSpace(r rune) bool { return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f }
