// Package digest is the grammar and the arithmetic of HTTP Digest
// authentication (RFC 7616): it reads challenges, picks the strongest that can
// be answered, and computes the answer.
//
//	cs := digest.ParseChallenges(resp.Header.Values("WWW-Authenticate"))
//	p, ok := digest.Select(cs)
//	value, err := p.Authorize(credentials, "GET", "/path?query", 1, cnonce, nil)
//
// Nothing here keeps state, reads a clock or draws random numbers: which nonce
// is current, how often it was used, and for which origin, is the caller's.
// All functions may be called concurrently.
package digest

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
)

// The qualities of protection of RFC 7616, section 3.3.
const (
	// Auth protects the method and the URI.
	Auth = "auth"
	// AuthInt protects the body as well.
	AuthInt = "auth-int"
)

// ErrUnsupported says that the algorithm or the quality of protection of
// [Params] is not known. [Select] never returns such Params.
var ErrUnsupported = errors.New("digest: unsupported algorithm or quality of protection")

// A FieldError says that a value cannot stand in a header field, because it
// holds a control character such as a line end. It names the value and does not
// repeat it. Test for it with [errors.As].
type FieldError struct {
	// Field is the parameter at fault: "username", "realm", "nonce" ….
	Field string
}

func (e *FieldError) Error() string {
	return "digest: control character in " + e.Field
}

// Credentials are a user's name and password, in UTF-8. Printing them shows
// neither.
type Credentials struct {
	Username string
	Password string
}

// Format writes a placeholder for whatever verb, so that no log holds a
// password by accident.
func (Credentials) Format(f fmt.State, _ rune) {
	// A failing writer is for the owner of f to notice.
	_, _ = io.WriteString(f, "{redacted}")
}

// Params are what a Digest challenge asks for. The zero value stands for a
// challenge with an empty realm and nonce in the form of RFC 2069.
type Params struct {
	// Realm, Nonce and Opaque are the server's, without quotes and escapes, as
	// the bytes that it sent.
	Realm, Nonce, Opaque string

	// Algorithm is in the server's spelling, for it is sent back so. Empty means
	// that there was none, which stands for MD5.
	Algorithm string

	// QOP is the quality of protection to use: [Auth], [AuthInt], or empty for
	// the older form of RFC 2069 where the server offers none.
	QOP string

	// Stale says that only the nonce was at fault, not the password: the
	// request is worth another try with the new nonce.
	Stale bool

	// Userhash says that the server wants the user's name hashed
	// (RFC 7616, section 3.4.4).
	Userhash bool

	// UTF8 says that the server asked for names and passwords in UTF-8 and
	// normalization form C (RFC 7616, section 3.3, charset).
	UTF8 bool
}

// Session reports whether the algorithm is of the -sess kind, whose key is made
// from the nonce and the cnonce of the first request (RFC 7616, section 3.4.2).
// Requests under one nonce then share one cnonce.
func (p Params) Session() bool {
	a, _ := lookup(p.Algorithm)
	return a.session
}

// Select returns the parameters of the challenge to answer: of the Digest
// challenges that can be answered at all the one with the strongest algorithm,
// then with the better quality of protection, then the first. It reports
// whether there is one. Other schemes are ignored, so that a server that offers
// Basic besides does not get a password from a digest user.
//
// A challenge cannot be answered without a realm or a nonce, with an unknown
// algorithm, or where all of its qualities of protection are unknown.
func Select(cs []Challenge) (Params, bool) {
	var best Params
	var bestRank int
	for _, c := range cs {
		if !strings.EqualFold(c.Scheme, "Digest") {
			continue
		}
		if p, rank := params(c); rank > bestRank {
			best, bestRank = p, rank
		}
	}
	return best, bestRank > 0
}

// params reads a challenge. The rank orders challenges by how much they
// protect; it is zero where the challenge cannot be answered.
func params(c Challenge) (Params, int) {
	realm, hasRealm := c.Param("realm")
	nonce, hasNonce := c.Param("nonce")
	if !hasRealm || !hasNonce {
		return Params{}, 0
	}
	name, hasName := c.Param("algorithm")
	alg, ok := lookup(name)
	if !ok || hasName && name == "" {
		return Params{}, 0
	}
	offer, _ := c.Param("qop")
	qop, ok := chooseQOP(offer)
	if !ok {
		return Params{}, 0
	}
	opaque, _ := c.Param("opaque")
	p := Params{
		Realm: realm, Nonce: nonce, Opaque: opaque, Algorithm: name, QOP: qop,
		Stale:    c.is("stale", "true"),
		Userhash: c.is("userhash", "true"),
		UTF8:     c.is("charset", "UTF-8"),
	}
	return p, alg.strength*3 + qopRank(qop)
}

// chooseQOP picks from a server's list. Auth comes first although auth-int
// protects more: it needs no second look at the body, and is what servers that
// offer both expect. An absent or empty list asks for the form of RFC 2069; a
// list of unknown names cannot be answered.
func chooseQOP(offer string) (qop string, ok bool) {
	known := false
	for name := range strings.SplitSeq(offer, ",") {
		switch name = strings.Trim(name, " \t"); {
		case strings.EqualFold(name, Auth):
			return Auth, true
		case strings.EqualFold(name, AuthInt):
			known = true
		}
	}
	if known {
		return AuthInt, true
	}
	return "", strings.Trim(offer, ", \t") == ""
}

// qopRank orders what chooseQOP returned, from 0. Without a quality of
// protection a client has no say in what is hashed, so that is the weakest.
func qopRank(qop string) int {
	switch qop {
	case Auth:
		return 2
	case AuthInt:
		return 1
	default:
		return 0
	}
}

// algorithm is one of the hash functions that a challenge can name.
type algorithm struct {
	new      func() hash.Hash
	strength int // from 1
	session  bool
}

// lookup finds an algorithm by its name, in any case; the empty name is MD5's.
// The registered ones (RFC 7616, section 6.1) beat those that Requests accepts
// besides, SHA for SHA-1 and SHA-512, except that MD5 is the weakest.
func lookup(name string) (algorithm, bool) {
	base, session := strings.ToUpper(name), false
	if len(base) != len(name) {
		return algorithm{}, false // a letter outside ASCII became one within
	}
	if b, ok := strings.CutSuffix(base, "-SESS"); ok && b != "" {
		base, session = b, true
	}
	switch base {
	case "SHA-512-256":
		return algorithm{sha512.New512_256, 5, session}, true
	case "SHA-256":
		return algorithm{sha256.New, 4, session}, true
	case "SHA-512":
		return algorithm{sha512.New, 3, session}, true
	case "SHA":
		return algorithm{sha1.New, 2, session}, true
	case "MD5", "":
		return algorithm{md5.New, 1, session}, true
	default:
		return algorithm{}, false
	}
}

// sum is the function H of RFC 7616 over the parts joined by colons, which
// makes it KD too.
func (a algorithm) sum(parts ...string) string {
	h := a.new()
	for i, part := range parts {
		if i > 0 {
			h.Write([]byte{':'})
		}
		h.Write([]byte(part))
	}
	return hex.EncodeToString(h.Sum(nil))
}
