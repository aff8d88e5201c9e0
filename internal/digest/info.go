package digest

import "strings"

// maxNextNonce is the longest nonce that a server can hand on.
const maxNextNonce = 4096

// NextNonce returns the nextnonce in the lines of an Authentication-Info or
// Proxy-Authentication-Info field, and whether there is one:
//
//	field      = #auth-param
//	auth-param = token BWS "=" BWS ( token / quoted-string )
//	(RFC 7616 section 3.5, RFC 9110 section 11.6.3)
//
// Of several the last counts, as in a challenge. One that is empty, longer than
// 4 KiB or malformed, or that could not be sent back, is none. The rspauth beside
// it is not looked at: Requests does not either, and what is in the response was
// in the hands of whoever could have made it up.
func NextNonce(fields []string) (string, bool) {
	nonce, found := "", false
	for _, rest := range fields {
		for rest != "" {
			var element string
			element, rest = cutElement(rest)
			if p, ok := parseParam(strings.Trim(element, " \t")); ok && strings.EqualFold(p.Name, "nextnonce") {
				nonce, found = p.Value, true
			}
		}
	}
	if !found || nonce == "" || len(nonce) > maxNextNonce || hasControl(nonce) {
		return "", false
	}
	return nonce, true
}
