package digest

import (
	"crypto/subtle"
	"errors"
	"strconv"
	"strings"
)

// ErrVerify says that a server's proof that it knows the password is missing or
// wrong. [Params.VerifyInfo] returns it.
var ErrVerify = errors.New("digest: the server's proof does not match")

// Info is what a server says in Authentication-Info, or
// Proxy-Authentication-Info, after it let a request in (RFC 7616, section 3.5).
type Info struct {
	// NextNonce, where not empty, is the nonce to use from now on, counted from 1.
	NextNonce string
	// QOP, Cnonce and Count repeat those of the request; Count is zero where it
	// is missing or no hexadecimal number of eight digits.
	QOP, Cnonce string
	Count       uint32
	// RspAuth is the server's proof.
	RspAuth string
}

// ParseInfo reads the lines of an Authentication-Info field, a list of
// parameters as in a challenge. What is unknown or malformed is passed over.
func ParseInfo(fields []string) Info {
	list := []Challenge{{}} // the parameters of a challenge without a scheme
	for _, rest := range fields {
		for rest != "" {
			var element string
			element, rest = cutElement(rest)
			if p, ok := parseParam(strings.Trim(element, " \t")); ok {
				addParam(list, p)
			}
		}
	}
	param := func(name string) string {
		value, _ := list[0].Param(name)
		return value
	}
	return Info{
		NextNonce: param("nextnonce"),
		QOP:       param("qop"),
		Cnonce:    param("cnonce"),
		Count:     parseCount(param("nc")),
		RspAuth:   param("rspauth"),
	}
}

// VerifyInfo checks the server's proof for the request that was sent with these
// very values; bodyHash is that of the response's body. A caller that wants the
// server authenticated must treat a missing proof, which gives [ErrVerify] too,
// as a failure.
func (p Params) VerifyInfo(i Info, c Credentials, uri string, nc uint32, cnonce string, bodyHash BodyHash) error {
	if i.Cnonce != "" && i.Cnonce != cnonce || i.Count != 0 && i.Count != nc {
		return ErrVerify
	}
	switch {
	case strings.EqualFold(i.QOP, Auth):
		p.QOP = Auth
	case strings.EqualFold(i.QOP, AuthInt):
		p.QOP = AuthInt
	case i.QOP != "":
		return ErrVerify
	}
	want, err := p.response(p.normal(c), "", uri, nc, cnonce, bodyHash)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(strings.ToLower(i.RspAuth)), []byte(want)) != 1 {
		return ErrVerify
	}
	return nil
}

// parseCount reads an nc-value: eight hexadecimal digits.
func parseCount(s string) uint32 {
	n, err := strconv.ParseUint(s, 16, 32)
	if err != nil || len(s) != 8 {
		return 0
	}
	return uint32(n)
}
