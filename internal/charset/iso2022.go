package charset

import (
	"bytes"
	"unicode/utf8"
)

// iso2022Codec decodes ISO-2022-JP (RFC 1468, with half-width katakana) or
// ISO-2022-KR (RFC 1557): escape sequences choose the character sets.
type iso2022Codec struct {
	pairs  *pairTable // EUC-JP or EUC-KR, whose pairs have the high bits set.
	korean bool
	// What bytes mean unshifted, and after a shift out. Only ISO-2022-KR has a
	// g1.
	g0, g1  characterSet
	shifted bool // Whether g1 is in use.
	through bool // Within an escape sequence of another standard, passed on.
}

// characterSet is what bytes below 0x80 mean in ISO 2022.
type characterSet int

const (
	setASCII characterSet = iota
	setRoman              // ASCII but for the yen sign and the overline.
	setKana               // Half-width katakana.
	setPairs              // Two bytes a character.
)

const (
	// ESC, SO and SI, by which ISO 2022 switches between character sets.
	escape   = 0x1B
	shiftOut = 0x0E
	shiftIn  = 0x0F
)

// decode goes character by character: an escape sequence may stand anywhere, and
// one that is cut waits for the next piece.
func (c *iso2022Codec) decode(dst, src []byte, final bool) ([]byte, int) {
	i := 0
	for i < len(src) {
		r, n := c.next(src[i:])
		if n == 0 {
			break
		}
		if r >= 0 {
			dst = utf8.AppendRune(dst, r)
		}
		i += n
	}
	return closeText(dst, src, i, final)
}

// next decodes what b begins with: n is the number of bytes used, zero where b
// is cut; a negative r is no character.
func (c *iso2022Codec) next(b []byte) (r rune, n int) {
	first := b[0]
	switch {
	case c.through:
		// Python passes on such a sequence with all its bytes, up to the one that
		// ends it.
		c.through = !endsEscape(first)
		return rune(first), 1
	case first == escape:
		return c.escape(b)
	// Both encodings have seven bits; the byte may not begin a character.
	case first >= utf8.RuneSelf:
		return utf8.RuneError, 1
	case c.korean && (first == shiftOut || first == shiftIn):
		c.shifted = first == shiftOut
		return -1, 1
	case first == '\n':
		c.shifted = false // A line begins unshifted.
		return '\n', 1
	// A control means itself in every set, even where pairs are expected.
	case first < ' ':
		return rune(first), 1
	}
	set := c.g0
	if c.shifted {
		set = c.g1
	}
	return c.character(set, b)
}

// escape reads an escape sequence. One of ISO 2022 that chooses no set known
// here is an error as a whole; what is none of ISO 2022 is passed on.
func (c *iso2022Codec) escape(b []byte) (r rune, n int) {
	// As long as Python's decoder looks for the end of a sequence, ESC included.
	const longest = 16
	if len(b) < 2 {
		return 0, 0
	}
	// Of the sequences of ISO 2022 only those that designate a set begin so.
	if !bytes.ContainsRune([]byte("()$.&"), rune(b[1])) {
		c.through = true
		return escape, 1
	}
	for n = 1; n < longest; n++ {
		if n == len(b) {
			return 0, 0
		}
		if endsEscape(b[n]) {
			break
		}
	}
	// Only the ESC is wrong then: what follows is text again.
	if n == longest {
		return utf8.RuneError, 1
	}
	if !c.designate(string(b[1 : n+1])) {
		return utf8.RuneError, n + 1
	}
	return -1, n + 1
}

// designate obeys the escape sequence whose bytes after ESC are seq.
func (c *iso2022Codec) designate(seq string) bool {
	switch {
	case seq == "(B":
		c.g0 = setASCII
	// RFC 1557: it stands once, before the first SO. SO and SI choose from then on.
	case c.korean && seq == "$)C":
		c.g1 = setPairs
	case c.korean:
		return false
	case seq == "(J":
		c.g0 = setRoman
	case seq == "(I":
		c.g0 = setKana
	// JIS X 0208 of 1983 and of 1978, each in the short form of RFC 1468 and in
	// the full one of ISO 2022. They are read by one table.
	case seq == "$B", seq == "$@", seq == "$(B", seq == "$(@":
		c.g0 = setPairs
	default:
		return false
	}
	return true
}

// endsEscape tells whether b is the last byte of an escape sequence.
func endsEscape(b byte) bool { return '@' <= b && b <= 'Z' }

// character decodes the character of set that b begins with, see next.
func (c *iso2022Codec) character(set characterSet, b []byte) (r rune, n int) {
	switch set {
	case setRoman:
		return romanRune(b[0]), 1
	case setKana:
		if b[0] < 0x21 || b[0] > 0x5F {
			return utf8.RuneError, 1
		}
		// JIS X 0201 and Unicode have the katakana in one order.
		return 0xFF61 + rune(b[0]-0x21), 1
	case setPairs:
		if len(b) < 2 {
			return 0, 0
		}
		// An error, too, is one of both bytes, as in Python.
		return pair7(c.pairs, b), 2
	}
	return rune(b[0]), 1
}

// romanRune returns what b means in JIS X 0201 Roman.
func romanRune(b byte) rune {
	switch b {
	case '\\':
		return '¥'
	case '~':
		return '‾'
	}
	return rune(b)
}

// pair7 returns the character of the pair of seven-bit bytes that b begins
// with, U+FFFD where there is none.
func pair7(t *pairTable, b []byte) rune {
	if b[0] >= utf8.RuneSelf || b[1] >= utf8.RuneSelf {
		return utf8.RuneError
	}
	return t.at(b[0]|0x80, b[1]|0x80)
}

// hzCodec decodes HZ (RFC 1843): GB 2312 in seven bits between ~{ and ~}.
type hzCodec struct {
	pairs *pairTable
	// Whether text is in GB 2312 now, and not in ASCII.
	gb bool
}

// decode is as that of [iso2022Codec], whose escapes begin with a tilde here.
func (c *hzCodec) decode(dst, src []byte, final bool) ([]byte, int) {
	i := 0
	for i < len(src) {
		r, n := c.character(src[i:])
		if n == 0 {
			break
		}
		if r >= 0 {
			dst = utf8.AppendRune(dst, r)
		}
		i += n
	}
	return closeText(dst, src, i, final)
}

// character is as next of [iso2022Codec].
func (c *hzCodec) character(b []byte) (r rune, n int) {
	switch {
	case b[0] >= utf8.RuneSelf:
		return utf8.RuneError, 1
	case b[0] != '~' && !c.gb:
		return rune(b[0]), 1
	case len(b) < 2:
		return 0, 0
	case b[0] == '~':
		return c.tilde(b[1])
	}
	// Here an error is one of the first byte alone, unlike in ISO 2022; Python
	// has it so.
	r = pair7(c.pairs, b)
	if r == utf8.RuneError {
		return r, 1
	}
	return r, 2
}

// tilde decodes what follows a tilde.
func (c *hzCodec) tilde(next byte) (r rune, n int) {
	switch {
	case next == '~' && !c.gb:
		return '~', 2
	case next == '{' && !c.gb, next == '}' && c.gb:
		c.gb = !c.gb
		return -1, 2
	// A tilde at the end of a line joins it to the next one (RFC 1843).
	case next == '\n' && !c.gb:
		return -1, 2
	}
	return utf8.RuneError, 1
}
