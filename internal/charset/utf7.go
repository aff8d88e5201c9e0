package charset

import (
	"unicode/utf16"
	"unicode/utf8"
)

// utf7Codec decodes UTF-7 (RFC 2152): ASCII, with runs of UTF-16 in a form of
// base64 between a plus and a minus sign, or whatever else is not base64.
type utf7Codec struct {
	shifted bool   // Within a run of base64.
	fresh   bool   // The run has no character yet, so that "+-" is a plus.
	bits    uint32 // Bits not used yet, the last count ones.
	count   uint
	high    rune // The first half of a surrogate pair, or zero.
}

// decode uses up all of src: what a cut character needs is in the codec.
func (c *utf7Codec) decode(dst, src []byte, final bool) ([]byte, int) {
	for _, b := range src {
		if c.shifted {
			dst = c.inside(dst, b)
		} else {
			dst = c.outside(dst, b)
		}
	}
	// A run may end with the text, but not within a pair, nor with a whole digit
	// to spare, nor with padding other than zero.
	if final && c.shifted && (c.high != 0 || c.count >= 6 || c.bits != 0) {
		dst = append(dst, replacement...) // A run that ends within a character.
	}
	return dst, len(src)
}

// outside decodes a byte that is no part of a run.
func (c *utf7Codec) outside(dst []byte, b byte) []byte {
	switch {
	case b == '+':
		*c = utf7Codec{shifted: true, fresh: true}
		return dst
	case b >= utf8.RuneSelf:
		return append(dst, replacement...)
	}
	return append(dst, b)
}

// inside decodes a byte within a run, or the one that ends it.
func (c *utf7Codec) inside(dst []byte, b byte) []byte {
	v, ok := base64Value(b)
	if ok {
		c.fresh = false
		c.bits, c.count = c.bits<<6|uint32(v), c.count+6
		// The bits so far do not make a unit of UTF-16.
		if c.count < 16 {
			return dst
		}
		c.count -= 16
		unit := rune(c.bits >> c.count & 0xFFFF)
		c.bits &= 1<<c.count - 1
		return c.unit(dst, unit)
	}
	// RFC 2152: what is left of the last digit must be zero bits, and fewer than
	// a digit has.
	fresh, bad := c.fresh, c.count >= 6 || c.bits != 0 || c.high != 0
	*c = utf7Codec{}
	switch {
	case fresh && b == '-':
		return append(dst, '+')
	case fresh, bad: // The byte is part of the error.
		return append(dst, replacement...)
	case b == '-':
		return dst
	}
	return c.outside(dst, b)
}

// unit appends a unit of UTF-16, joining the halves of a pair.
func (c *utf7Codec) unit(dst []byte, u rune) []byte {
	if c.high != 0 {
		r := utf16.DecodeRune(c.high, u)
		c.high = 0
		if r != utf8.RuneError {
			return utf8.AppendRune(dst, r)
		}
		dst = append(dst, replacement...)
	}
	// Its second half comes with the next unit.
	if 0xD800 <= u && u < 0xDC00 {
		c.high = u
		return dst
	}
	return utf8.AppendRune(dst, u) // A lone second half becomes U+FFFD.
}

// base64Value returns the six bits that b stands for.
func base64Value(b byte) (v byte, ok bool) {
	switch {
	case 'A' <= b && b <= 'Z':
		return b - 'A', true
	case 'a' <= b && b <= 'z':
		return b - 'a' + 26, true
	case '0' <= b && b <= '9':
		return b - '0' + 52, true
	case b == '+':
		return 62, true
	case b == '/':
		return 63, true
	}
	return 0, false
}
