package charset

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// replacement is U+FFFD in UTF-8.
const replacement = "\uFFFD"

// utf8Codec decodes UTF-8. An ill-formed sequence gives one U+FFFD for each
// maximal subpart (Unicode 16, section 3.9, "U+FFFD Substitution of Maximal
// Subparts"), where Go's own conversions give one for each byte.
type utf8Codec struct{}

// decode copies what is well-formed. An incomplete sequence at the end waits for
// more unless the text ends there.
func (utf8Codec) decode(dst, src []byte, final bool) ([]byte, int) {
	i := 0
	for i < len(src) {
		// Nearly all texts are ASCII for the most part.
		if src[i] < utf8.RuneSelf {
			dst = append(dst, src[i])
			i++
			continue
		}
		r, size := utf8.DecodeRune(src[i:])
		// U+FFFD itself may be in the text; it has three bytes then.
		if r != utf8.RuneError || size > 1 {
			dst = append(dst, src[i:i+size]...)
			i += size
			continue
		}
		if !final && !utf8.FullRune(src[i:]) {
			break
		}
		dst = append(dst, replacement...)
		i += subpart(src[i:])
	}
	return dst, i
}

// subpart returns the length of the maximal subpart of a well-formed sequence
// that the ill-formed bytes b begin with, one at least. Bytes of b are part of
// it as long as some continuation could make them a character.
func subpart(b []byte) int {
	n := 1
	for n < len(b) && n < utf8.UTFMax && !utf8.FullRune(b[:n+1]) {
		n++
	}
	return n
}

// utf8SigCodec is UTF-8 without a byte order mark at the beginning.
type utf8SigCodec struct{ begun bool }

// decode waits for three bytes before it says whether they are a mark.
func (c *utf8SigCodec) decode(dst, src []byte, final bool) ([]byte, int) {
	const mark = "\xEF\xBB\xBF"
	skipped := 0
	if !c.begun {
		if len(src) < len(mark) && !final && bytes.HasPrefix([]byte(mark), src) {
			return dst, 0
		}
		// From here on U+FEFF is a character of the text.
		c.begun = true
		if bytes.HasPrefix(src, []byte(mark)) {
			skipped = len(mark)
		}
	}
	dst, n := utf8Codec{}.decode(dst, src[skipped:], final)
	return dst, n + skipped
}

// utf16Codec decodes UTF-16. With mark set a byte order mark is taken off and
// decides the byte order; without one it is little-endian, as it is with
// Python on the usual machines.
type utf16Codec struct{ mark, big bool }

// decode joins surrogate pairs; one half without the other is an error of two
// bytes, as in Python.
func (c *utf16Codec) decode(dst, src []byte, final bool) ([]byte, int) {
	i := 0
	if c.mark && len(src) >= 2 {
		c.mark = false
		switch c.unit(src) {
		case 0xFEFF:
			i = 2
		case 0xFFFE:
			c.big, i = true, 2
		}
	}
	for len(src)-i >= 2 {
		r, size := rune(c.unit(src[i:])), 2
		switch {
		case !utf16.IsSurrogate(r):
		case r >= 0xDC00: // The second half of a pair comes first.
			r = utf8.RuneError
		case len(src)-i >= 4:
			if r = utf16.DecodeRune(r, rune(c.unit(src[i+2:]))); r != utf8.RuneError {
				size = 4
			}
		case final: // A cut pair is one error to the end.
			return append(dst, replacement...), len(src)
		default:
			return dst, i
		}
		dst = utf8.AppendRune(dst, r)
		i += size
	}
	return closeText(dst, src, i, final)
}

// unit returns the next two bytes in the byte order that holds.
func (c *utf16Codec) unit(b []byte) uint16 {
	if c.big {
		return binary.BigEndian.Uint16(b)
	}
	return binary.LittleEndian.Uint16(b)
}

// utf32Codec decodes UTF-32; mark is as with [utf16Codec].
type utf32Codec struct{ mark, big bool }

// decode takes four bytes a character; surrogates and what is beyond Unicode are
// errors.
func (c *utf32Codec) decode(dst, src []byte, final bool) ([]byte, int) {
	i := 0
	if c.mark && len(src) >= 4 {
		// Only the first character can be a mark: later ones are text.
		c.mark = false
		switch c.unit(src) {
		case 0xFEFF:
			i = 4
		case 0xFFFE0000:
			c.big, i = true, 4
		}
	}
	for ; len(src)-i >= 4; i += 4 {
		u := c.unit(src[i:])
		if u > utf8.MaxRune { // Not to be folded into a negative rune.
			u = utf8.RuneError
		}
		dst = utf8.AppendRune(dst, rune(u))
	}
	return closeText(dst, src, i, final)
}

// unit returns the next four bytes in the byte order that holds.
func (c *utf32Codec) unit(b []byte) uint32 {
	if c.big {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

// closeText ends a step of decoding: what is left of src from i on is an
// incomplete character, which is one U+FFFD at the end of the text.
func closeText(dst, src []byte, i int, final bool) ([]byte, int) {
	if i == len(src) || !final {
		return dst, i
	}
	return append(dst, replacement...), len(src)
}
