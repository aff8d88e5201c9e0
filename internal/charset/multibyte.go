package charset

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/transform"
)

// multiByteCodec decodes the East Asian encodings of one or two bytes a
// character. A sequence that means nothing gives a U+FFFD for its first byte,
// and decoding goes on with the second, as in Python.
type multiByteCodec struct {
	pairs  *pairTable
	single *[128]rune // What bytes from 0x80 on mean alone; zero: nothing.
	triple bool       // EUC-JP, where 0x8F begins a character of three bytes.
}

// decode tries a byte alone before it tries a pair, for those bytes are no lead
// bytes.
func (c multiByteCodec) decode(dst, src []byte, final bool) ([]byte, int) {
	i := 0
	for i < len(src) {
		b := src[i]
		if b < utf8.RuneSelf {
			dst = append(dst, b)
			i++
			continue
		}
		if r := c.single[b-0x80]; r != 0 {
			dst = utf8.AppendRune(dst, r)
			i++
			continue
		}
		length := 2
		// The single shift 3 chooses JIS X 0212 for the two bytes after it.
		if c.triple && b == 0x8F {
			length = 3
		}
		// The rest may come with the next piece.
		if len(src)-i < length {
			break
		}
		r := c.character(src[i : i+length])
		// Only the first byte is wrong: the second may begin a character.
		if r == utf8.RuneError {
			length = 1
		}
		dst = utf8.AppendRune(dst, r)
		i += length
	}
	return closeText(dst, src, i, final)
}

// character returns the character of a sequence of two or three bytes.
func (c multiByteCodec) character(seq []byte) rune {
	if len(seq) == 2 {
		return c.pairs.at(seq[0], seq[1])
	}
	// Characters of three bytes are rare, and not worth a table.
	r, _ := transformRune(japanese.EUCJP.NewDecoder().Transformer, seq)
	return r
}

// gb18030Codec decodes GB 18030, which adds characters of four bytes to GBK.
type gb18030Codec struct{ pairs *pairTable }

// decode tells pairs from characters of four bytes by the second byte, which is
// a digit in the latter alone.
func (c gb18030Codec) decode(dst, src []byte, final bool) ([]byte, int) {
	i := 0
	for i < len(src) {
		rest := src[i:]
		if rest[0] < utf8.RuneSelf {
			dst = append(dst, rest[0])
			i++
			continue
		}
		length := 2
		if len(rest) > 1 && '0' <= rest[1] && rest[1] <= '9' {
			length = 4
		}
		if len(rest) < length {
			break
		}
		var r rune
		ok := false
		if length == 4 { // U+FFFD, too, is one of the characters
			r, ok = transformRune(simplifiedchinese.GB18030.NewDecoder().Transformer, rest[:4])
		} else {
			r = c.pairs.at(rest[0], rest[1])
			ok = r != utf8.RuneError
		}
		if !ok {
			length = 1
		}
		dst = utf8.AppendRune(dst, r)
		i += length
	}
	return closeText(dst, src, i, final)
}

// transformRune decodes one sequence, which must be one character.
func transformRune(t transform.Transformer, seq []byte) (r rune, ok bool) {
	var buf [4 * utf8.UTFMax]byte
	n, _, _ := t.Transform(buf[:], seq, true) // there is room for four errors
	r, size := utf8.DecodeRune(buf[:n])
	if size != n {
		return utf8.RuneError, false
	}
	return r, true
}

// pairTable holds the character of each sequence of two bytes whose first is
// not ASCII; zero where there is none.
// It takes 128 KiB.
type pairTable [128 * 256]rune

// at returns the character of a pair, U+FFFD where there is none.
func (t *pairTable) at(lead, trail byte) rune {
	if lead >= 0x80 {
		if r := t[int(lead-0x80)<<8|int(trail)]; r != 0 {
			return r
		}
	}
	return utf8.RuneError
}

// pairsOf returns the table of an East Asian encoding.
func pairsOf(name string) *pairTable { return tableOf(name, makePairs) }

// makePairs decodes every pair once with the decoder of golang.org/x/text, one
// a line, and keeps those that Python's codec of that name has as well.
func makePairs(name string) *pairTable {
	// No trail byte of these encodings is below a digit, so that a line feed is
	// none.
	const firstLead, firstTrail = 0x80, 0x30
	src := make([]byte, 0, 3*128*256)
	for lead := firstLead; lead < 0x100; lead++ {
		for trail := firstTrail; trail < 0x100; trail++ {
			src = append(src, byte(lead), byte(trail), '\n')
		}
	}
	text, err := standardPairs(name).NewDecoder().Bytes(src)
	table := new(pairTable)
	if err != nil {
		return table
	}
	lead, trail := firstLead, firstTrail
	for line := range strings.Lines(string(text)) {
		r, size := utf8.DecodeRuneInString(line)
		// A line of more than one character was no pair, but two characters of one
		// byte.
		if size == len(line)-1 && r != utf8.RuneError {
			table[(lead-firstLead)<<8|trail] = pythonPair(name, byte(lead), byte(trail), r)
		}
		if trail++; trail == 0x100 {
			lead, trail = lead+1, firstTrail
		}
	}
	return table
}

// pythonPair returns what Python's codec gives for a pair that the WHATWG
// encoding decodes to r; zero for nothing. The WHATWG's encodings are supersets
// made of several standards, Python's keep to the one that they are named for.
func pythonPair(name string, lead, trail byte, r rune) rune {
	if !inStandard(name, lead, trail) {
		return 0
	}
	switch name {
	case "shift_jis", "euc-jp":
		return jisRune(r)
	case "gb2312":
		return gb2312Rune(lead, trail, r)
	}
	return r
}

// inStandard reports whether a pair is one of the standard's that Python's
// codec is named for.
func inStandard(name string, lead, trail byte) bool {
	switch name {
	case "shift_jis":
		return lead != 0x87 && lead < 0xEB // Rows of NEC and IBM.
	case "euc-jp":
		return lead != 0xAD && lead < 0xF5 // The same rows.
	case "euc-kr":
		return lead >= 0xA1 && trail >= 0xA1 // The rest is Microsoft's cp949.
	case "gb2312":
		return inGB2312(lead, trail)
	case "gbk":
		return !ofGB18030(lead, trail)
	case "big5":
		return inBig5(lead, trail)
	}
	return true
}

// inGB2312 reports whether a pair is assigned in GB 2312: rows 10 to 15 and
// those from 88 on are free, and some rows are filled in part. GBK uses the
// rest.
func inGB2312(lead, trail byte) bool {
	switch {
	case lead < 0xA1 || trail < 0xA1 || lead > 0xF7,
		0xAA <= lead && lead <= 0xAF,
		lead == 0xA2 && trail < 0xB1,
		lead == 0xA6 && trail > 0xD8,
		lead == 0xA8 && 0xBA < trail && trail < 0xC5:
		return false
	}
	return true
}

// ofGB18030 reports whether a pair was added to GBK by GB 18030.
func ofGB18030(lead, trail byte) bool {
	return lead == 0xFE && trail >= 0x50 || lead == 0xA9 && 0x89 <= trail && trail <= 0x95
}

// inBig5 reports whether a pair is Big5's own: what lies before its first row
// and behind its last, and in the rows within it that were free, is of Hong
// Kong's supplement.
func inBig5(lead, trail byte) bool {
	return lead >= 0xA1 && lead <= 0xF9 && (lead < 0xF9 || trail <= 0xD5) && !hongKong(lead, trail)
}

// jisRune undoes Microsoft's reading of six characters of JIS X 0208.
func jisRune(r rune) rune {
	switch r {
	case '～':
		return '〜'
	case '∥':
		return '‖'
	case '－':
		return '−'
	case '￠':
		return '¢'
	case '￡':
		return '£'
	case '￢':
		return '¬'
	}
	return r
}

// gb2312Rune undoes GBK's reading of two characters of GB 2312.
func gb2312Rune(lead, trail byte, r rune) rune {
	switch {
	case lead == 0xA1 && trail == 0xA4:
		return '・'
	case lead == 0xA1 && trail == 0xAA:
		return '―'
	}
	return r
}

// hongKong tells whether a pair is among the rows that Hong Kong's supplement
// added within Big5.
func hongKong(lead, trail byte) bool {
	return lead == 0xC6 && trail >= 0xA1 || lead == 0xC7 || lead == 0xC8
}

// singlesOf returns what bytes from 0x80 on mean alone in an encoding.
func singlesOf(name string) *[128]rune {
	var t [128]rune
	if name == "shift_jis" || name == "cp932" {
		for b := 0xA1; b <= 0xDF; b++ {
			t[b-0x80] = 0xFF61 + rune(b-0xA1) // Half-width katakana.
		}
	}
	if name == "cp932" { // Microsoft's reading of the bytes that mean nothing.
		t[0], t[0xA0-0x80] = 0x80, 0xF8F0
		t[0xFD-0x80], t[0xFE-0x80], t[0xFF-0x80] = 0xF8F1, 0xF8F2, 0xF8F3
	}
	return &t
}
