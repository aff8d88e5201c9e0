package uri

// A Param is one name and value of a query or of a form. Both are bytes: any
// byte may occur in them, and none has a meaning.
type Param struct {
	// Name and Value are not escaped.
	Name, Value string
}

// Encode returns params as application/x-www-form-urlencoded text, in the
// order given (rule URL-21): letters, digits and "_.-~" stand for themselves, a
// space is "+", and all else is escaped byte by byte. No params give "".
func Encode(params []Param) string {
	if len(params) == 0 {
		return ""
	}
	return string(AppendEncode(make([]byte, 0, encodedLen(params)), params))
}

// AppendEncode appends to dst what [Encode] returns.
func AppendEncode(dst []byte, params []Param) []byte {
	for i, p := range params {
		if i > 0 {
			dst = append(dst, '&')
		}
		dst = appendForm(dst, p.Name)
		dst = append(dst, '=')
		dst = appendForm(dst, p.Value)
	}
	return dst
}

// appendForm appends one name or value: Python's quote_plus.
func appendForm(dst []byte, s string) []byte {
	for i := range len(s) {
		switch {
		case classes[s[i]]&unreserved != 0:
			dst = append(dst, s[i])
		case s[i] == ' ':
			dst = append(dst, '+')
		default:
			dst = appendEscape(dst, s[i])
		}
	}
	return dst
}

// encodedLen is the length of the text that [Encode] returns.
func encodedLen(params []Param) int {
	n := 0
	for _, p := range params {
		// An "=" and an "&".
		n += 2 + formLen(p.Name) + formLen(p.Value)
	}
	// There is an "&" less than there are params.
	return max(n-1, 0)
}

// formLen is how many bytes appendForm appends.
func formLen(s string) int {
	n := len(s)
	for i := range len(s) {
		if classes[s[i]]&unreserved == 0 && s[i] != ' ' {
			n += 2
		}
	}
	return n
}
