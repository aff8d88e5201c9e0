package charset

import "strings"

// FromContentType returns the label of the encoding that a Content-Type header
// announces, as Requests reads it: the charset parameter as it stands, in any
// form and known or not; else ISO-8859-1 where the media type has "text" in it
// (RFC 2616 section 3.7.1, kept), utf-8 where it has "application/json". The
// media type is compared in lower case, unlike in Requests.
//
// ok is false where the header says nothing; header is then perhaps empty. A
// parameter without a value, "charset=", gives an empty label with ok true.
func FromContentType(header string) (label string, ok bool) {
	if header == "application/json" { // as most services have it
		return "utf-8", true
	}
	// Requests does not heed quotes here: a semicolon within them separates, too.
	mediaType, params, _ := strings.Cut(header, ";")
	for params != "" {
		var piece string
		piece, params, _ = strings.Cut(params, ";")
		name, value, found := strings.Cut(strings.TrimSpace(piece), "=")
		if found && strings.ToLower(strip(name)) == "charset" {
			label, ok = strip(value), true // The last one wins.
		}
	}
	if ok {
		return label, true
	}
	switch {
	case containsFold(mediaType, "text"):
		return "ISO-8859-1", true
	case containsFold(mediaType, "application/json"):
		return "utf-8", true
	}
	return "", false
}

// containsFold reports whether s contains word, which is in lower case and
// begins with a letter, in any letter case.
func containsFold(s, word string) bool {
	for i := range len(s) - len(word) + 1 {
		if s[i]|0x20 == word[0] && strings.EqualFold(s[i:i+len(word)], word) {
			return true
		}
	}
	return false
}

// strip takes blanks and quotes of either kind off both ends.
func strip(s string) string { return strings.Trim(s, "\"' ") }

// JSONEncoding guesses which UTF a JSON text is in from its first four bytes:
// by a byte order mark, else by where NULs are among them, as the first two
// characters of JSON are ASCII (RFC 4627 section 3). The answer is a label that
// [Decode] knows, or empty where no form of UTF looks so.
func JSONEncoding(b []byte) string {
	if label := markLabel(b); label != "" {
		return label
	}
	var head [4]byte
	n := copy(head[:], b)
	pattern := 0
	for i := range n {
		if head[i] == 0 {
			pattern |= 1 << i
		}
	}
	// The bits of the places at which a NUL is.
	const first, second, third, fourth = 1, 2, 4, 8
	switch pattern {
	case 0:
		return "utf-8"
	case first | third:
		return "utf-16-be"
	case second | fourth:
		return "utf-16-le"
	case first | second | third:
		return "utf-32-be"
	case second | third | fourth:
		return "utf-32-le"
	}
	return ""
}

// markLabel returns the label that a byte order mark at the beginning of b
// stands for; empty where there is none.
func markLabel(b []byte) string {
	text := string(b[:min(len(b), 4)])
	switch {
	// The first of these begins as a mark of UTF-16 does, and so is asked for
	// before it.
	case text == "\xFF\xFE\x00\x00", text == "\x00\x00\xFE\xFF":
		return "utf-32"
	case strings.HasPrefix(text, "\xEF\xBB\xBF"):
		return "utf-8-sig"
	case strings.HasPrefix(text, "\xFF\xFE"), strings.HasPrefix(text, "\xFE\xFF"):
		return "utf-16"
	}
	return ""
}
