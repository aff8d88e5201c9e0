package conformance

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"net/url"
	"regexp"
	"strings"
)

// digestParam finds the parameters of digest credentials.
var digestParam = regexp.MustCompile(`([A-Za-z0-9*]+)=(?:"((?:[^"\\]|\\.)*)"|([^", ]+))`)

// drawn finds the parameters that differ from run to run.
var drawn = regexp.MustCompile(`((?:^|[ ,])(?:cnonce|response)=)"[^"]*"`)

// digest names cnonce and response of digest credentials once the response was
// found to be right; one that is wrong is marked.
func (n *normaliser) digest(value string, body []byte) string {
	mark := "{RESPONSE}"
	if !n.checkDigest(value, body) {
		mark = "{WRONG RESPONSE}"
	}
	return drawn.ReplaceAllStringFunc(value, func(s string) string {
		name, _, _ := strings.Cut(s, "=")
		if strings.HasSuffix(name, "cnonce") {
			return name + `="{CNONCE}"`
		}
		return name + `="` + mark + `"`
	})
}

// checkDigest reports whether the response is right, with the parameters taken
// as bytes or, as the reference does with a realm beyond ASCII, as text.
func (n *normaliser) checkDigest(value string, body []byte) bool {
	return n.checkResponse(string(latin1(value)), body) || n.checkResponse(value, body)
}

// checkResponse computes the response anew (RFC 7616, 3.4.1).
func (n *normaliser) checkResponse(value string, body []byte) bool {
	p := map[string]string{}
	for _, m := range digestParam.FindAllStringSubmatch(strings.TrimPrefix(value, "Digest "), -1) {
		p[strings.ToLower(m[1])] = unescape(m[2]) + m[3]
	}
	if name, ok := strings.CutPrefix(p["username*"], "UTF-8''"); ok {
		p["username"], _ = url.PathUnescape(name) // RFC 7616, 3.4: beyond what a quoted string holds
	}
	algorithm := strings.ToUpper(p["algorithm"])
	base, session := strings.CutSuffix(algorithm, "-SESS")
	h := digestHash(base)
	if h == nil {
		return false
	}
	for _, up := range n.digests {
		user := up[0]
		switch p["username"] {
		case user, string(latin1(user)), h(user + ":" + p["realm"]):
		default:
			continue
		}
		a1 := h(user + ":" + p["realm"] + ":" + up[1])
		if session {
			a1 = h(a1 + ":" + p["nonce"] + ":" + p["cnonce"])
		}
		a2 := n.method + ":" + p["uri"]
		if p["qop"] == "auth-int" {
			a2 += ":" + h(string(body))
		}
		middle := p["nonce"]
		if p["qop"] != "" {
			middle += ":" + p["nc"] + ":" + p["cnonce"] + ":" + p["qop"]
		}
		if p["response"] == h(a1+":"+middle+":"+h(a2)) {
			return true
		}
	}
	return false
}

// unescape takes the backslashes out of a quoted string.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// digestHash returns the hash of an algorithm, in hexadecimal, or nil.
func digestHash(algorithm string) func(string) string {
	var newHash func() hash.Hash
	switch algorithm {
	case "", "MD5":
		newHash = md5.New
	case "SHA":
		newHash = sha1.New
	case "SHA-256":
		newHash = sha256.New
	case "SHA-512":
		newHash = sha512.New
	case "SHA-512-256":
		newHash = sha512.New512_256
	default:
		return nil
	}
	return func(s string) string {
		h := newHash()
		h.Write([]byte(s))
		return hex.EncodeToString(h.Sum(nil))
	}
}
