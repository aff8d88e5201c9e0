package digest

import (
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A BodyHash returns the sum of a request's or response's body, computed with a
// new hash of the kind that newHash makes. It is asked for [AuthInt] alone. A
// nil BodyHash stands for an empty body.
type BodyHash func(newHash func() hash.Hash) (sum []byte, err error)

// Authorize returns the value of an Authorization (or Proxy-Authorization)
// header that answers the challenge.
//
// The uri is the target of the request line with its query and path parameters
// ("/a;b?c"), without a fragment; nc counts the requests made with this nonce,
// from 1; cnonce is the caller's, drawn at random. For an algorithm of the -sess kind
// ([Params.Session]) the cnonce is the same for all requests under one nonce.
//
// The parameters stand in the order that Requests sends them in, with algorithm
// and qop quoted as it does, which RFC 7616 would rather not but servers have
// long taken. Quotes and backslashes in values are escaped, and the hash is made
// of what stood there before. A username outside ASCII goes out as one byte a
// character where it has such a form (ISO-8859-1), as Requests sends it;
// otherwise, and where the server asked for UTF-8, as the username* of RFC 7616,
// section 3.4.
//
// The error is a [*FieldError] for a value with a control character,
// [ErrUnsupported] for Params that [Select] did not make, or that of bodyHash.
func (p Params) Authorize(c Credentials, method, uri string, nc uint32, cnonce string, bodyHash BodyHash) (string, error) {
	if err := p.check(c, uri, cnonce); err != nil {
		return "", err
	}
	c = p.normal(c)
	response, err := p.response(c, method, uri, nc, cnonce, bodyHash)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("Digest " + p.username(c))
	for _, f := range []Param{{"realm", p.Realm}, {"nonce", p.Nonce}, {"uri", uri}, {"response", response}} {
		b.WriteString(", " + f.Name + "=" + quote(f.Value))
	}
	if p.Opaque != "" {
		b.WriteString(", opaque=" + quote(p.Opaque))
	}
	if p.Algorithm != "" {
		b.WriteString(", algorithm=" + quote(p.Algorithm))
	}
	switch {
	case p.QOP != "":
		fmt.Fprintf(&b, `, qop="%s", nc=%08x, cnonce=%s`, p.QOP, nc, quote(cnonce))
	case p.Session():
		// RFC 2069 knows no cnonce, but without it nobody can make the key of a
		// session anew.
		b.WriteString(", cnonce=" + quote(cnonce))
	}
	if p.Userhash {
		b.WriteString(", userhash=true")
	}
	return b.String(), nil
}

// check refuses what must not get into a header, or cannot be computed.
func (p Params) check(c Credentials, uri, cnonce string) error {
	if _, ok := lookup(p.Algorithm); !ok || p.QOP != "" && p.QOP != Auth && p.QOP != AuthInt {
		return ErrUnsupported
	}
	for _, f := range []Param{
		{"username", c.Username},
		{"realm", p.Realm},
		{"nonce", p.Nonce},
		{"opaque", p.Opaque},
		{"uri", uri},
		{"cnonce", cnonce},
	} {
		if hasControl(f.Value) {
			return &FieldError{f.Name}
		}
	}
	return nil
}

// hasControl reports whether s holds a byte that no quoted string may hold, not
// even escaped (RFC 9110, section 5.6.4).
func hasControl(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return true
		}
	}
	return false
}

// normal brings the credentials into the form that the server asked for.
func (p Params) normal(c Credentials) Credentials {
	if p.UTF8 {
		c.Username, c.Password = norm.NFC.String(c.Username), norm.NFC.String(c.Password)
	}
	return c
}

// username returns the parameter that tells who the user is.
func (p Params) username(c Credentials) string {
	// Section 3.4.4: the server knows the user by this hash, and nobody else
	// does.
	if p.Userhash {
		alg, _ := lookup(p.Algorithm)
		return "username=" + quote(alg.sum(c.Username, text(p.Realm)))
	}
	if name, ok := latin1(c.Username); ok && (!p.UTF8 || name == c.Username) {
		return "username=" + quote(name)
	}
	return "username*=UTF-8''" + percentEncode(c.Username)
}

// latin1 returns s with one byte a character, and whether it has such a form.
// What is no UTF-8 is taken to have it already.
func latin1(s string) (string, bool) {
	if !utf8.ValidString(s) {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff || 0x80 <= r && r < 0xa0 { // the latter are controls
			return "", false
		}
		b = append(b, byte(r))
	}
	return string(b), true
}

// text returns the server's bytes as they are hashed: UTF-8 as it stands, and
// anything else read as ISO-8859-1, as Requests does.
func text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

// percentEncode returns s as the value-chars of RFC 8187, section 3.2.1.
func percentEncode(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if isAlphanumeric(c) || strings.IndexByte("!#$&+-.^_`|~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

// response computes what proves the knowledge of the password
// (RFC 7616, section 3.4.1).
func (p Params) response(c Credentials, method, uri string, nc uint32, cnonce string, bodyHash BodyHash) (string, error) {
	alg, _ := lookup(p.Algorithm)
	nonce := text(p.Nonce)
	ha1 := alg.sum(c.Username, text(p.Realm), c.Password)
	// Section 3.4.2: the key of a session is made of the nonces at its beginning.
	if alg.session {
		ha1 = alg.sum(ha1, nonce, cnonce)
	}
	// RFC 7616, section 3.4.3.
	ha2 := alg.sum(method, uri)
	if p.QOP == AuthInt {
		entity, err := alg.entity(bodyHash)
		if err != nil {
			return "", err
		}
		ha2 = alg.sum(method, uri, entity)
	}
	// RFC 2069 has no counter and no cnonce in the hash.
	if p.QOP == "" {
		return alg.sum(ha1, nonce, ha2), nil
	}
	return alg.sum(ha1, nonce, fmt.Sprintf("%08x", nc), cnonce, p.QOP, ha2), nil
}

// entity returns the sum of a body in hexadecimal.
func (a algorithm) entity(bodyHash BodyHash) (string, error) {
	if bodyHash == nil {
		return a.sum(""), nil
	}
	sum, err := bodyHash(a.new)
	if err != nil {
		return "", fmt.Errorf("digest: hash of the body: %w", err)
	}
	return hex.EncodeToString(sum), nil
}
