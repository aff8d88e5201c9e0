package charset

import (
	"bytes"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// unmarked finds UTF-32 and UTF-16 without a byte order mark. Where most of a
// text is ASCII its NULs tell, and where words are parted its blanks. Any other
// text in UTF-16 is compared, in either byte order, with what its bytes would be
// in an encoding of bytes, but only if there would be control characters among
// them: the low bytes of East Asian characters are of all values, and most
// alphabets have high bytes below a blank. Texts in an encoding of bytes have
// none, so they are not put to the test.
func unmarked(b []byte) string {
	const most = 1 << 16
	head := b[:min(len(b), most)]
	if len(head) < 4 {
		return ""
	}
	if name := wideName(nulsOf(head), len(head), len(b)%4 == 0); name != "" {
		if text, _ := Decode(name, head[:len(head)&^3]); strings.Count(text, replacement) <= len(text)/100 {
			return name
		}
	}
	s := wideSample(b)
	if name := blanksName(s); name != "" {
		return name
	}
	if controls(s)*fewestControls <= len(s) || mostlyUTF8(s) || !isASCII(b) && validUTF8(b) {
		return ""
	}
	name, score := likeliestWide(s)
	if name == "" {
		return ""
	}
	if _, other := likeliest(s); other >= score {
		return ""
	}
	return name
}

// fewestControls is the part of a text in UTF-16, as its reciprocal, that bytes
// of control characters are at least. East Asian texts have six times as many.
const fewestControls = 128

// controls counts the bytes that are control characters, other than white space
// and the escape of ISO 2022.
func controls(b []byte) int {
	n := 0
	for _, c := range b {
		if c != '\x1B' && isControl(rune(c)) {
			n++
		}
	}
	return n
}

// mostlyUTF8 tells whether most of the bytes of b outside ASCII are UTF-8. It
// takes chance for bytes of another encoding to be so.
func mostlyUTF8(b []byte) bool {
	right, wrong := 0, 0
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		switch {
		case size > 1:
			right += size
		case r == utf8.RuneError:
			wrong++
		}
		b = b[size:]
	}
	return right > 2*wrong
}

// isControl tells whether r is a control character of ASCII and no white space.
func isControl(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != '\f'
}

// nulsOf counts the NULs at each place of a group of four bytes.
func nulsOf(b []byte) (nul [4]int) {
	if bytes.IndexByte(b, 0) < 0 {
		return nul
	}
	for i, c := range b {
		if c == 0 {
			nul[i%4]++
		}
	}
	return nul
}

// wideName returns the encoding that so many NULs among n bytes speak for, or
// "". Only a text of whole groups of four bytes is UTF-32; it takes half of the
// characters to tell a byte order of UTF-16, for the low bytes of frequent ones
// are NUL as well.
func wideName(nul [4]int, n int, groups bool) string {
	quarter := n / 4
	even, odd := nul[0]+nul[2], nul[1]+nul[3]
	switch {
	case groups && nul[2] == quarter && nul[3] == quarter:
		return "utf-32-le"
	case groups && nul[0] == quarter && nul[1] == quarter:
		return "utf-32-be"
	case odd > 10*even && odd >= quarter:
		return "utf-16-le"
	case even > 10*odd && even >= quarter:
		return "utf-16-be"
	}
	return ""
}

// blanksName returns the byte order of UTF-16 in which one of twenty characters
// of a sample, or more, is a blank or a digit, if it makes a text and the other
// has next to none; else "".
func blanksName(s []byte) string {
	little, big := 0, 0
	for i := 0; i+1 < len(s); i += 2 {
		switch {
		case s[i+1] == 0 && isBlank(s[i]):
			little++
		case s[i] == 0 && isBlank(s[i+1]):
			big++
		}
	}
	name := ""
	switch {
	case little > 10*big && little*40 > len(s):
		name = "utf-16-le"
	case big > 10*little && big*40 > len(s):
		name = "utf-16-be"
	default:
		return ""
	}
	if !written(wideText(name, s)) {
		return ""
	}
	return name
}

// isBlank tells whether c is white space or a digit, of which any text has some.
func isBlank(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || '0' <= c && c <= '9'
}

// wideText decodes a sample, which may end within a pair of surrogates.
func wideText(name string, s []byte) []rune {
	out, _ := newCodec(name).decode(make([]byte, 0, 2*len(s)), s, false)
	return []rune(string(out))
}

// wideSample returns at most sampleSize bytes of b, from places all over it and
// each a whole number of pairs from the beginning.
func wideSample(b []byte) []byte {
	if len(b) <= sampleSize {
		return b[:len(b)&^1]
	}
	const most = sampleSize / sampleParts
	out := make([]byte, 0, sampleSize)
	for part := range sampleParts {
		start := part * (len(b) / sampleParts) &^ 1
		out = append(out, b[start:start+most]...)
	}
	return out
}

// likeliestWide returns the byte order of UTF-16 that makes a sample most
// probable, and the logarithm of that probability; "" where neither is a text.
func likeliestWide(s []byte) (best string, score float32) {
	score = leastScore
	for _, name := range []string{"utf-16-le", "utf-16-be"} {
		text := wideText(name, s)
		if !written(text) {
			continue
		}
		p := scoreAny(text)
		for _, l := range languages() {
			p = max(p, l.score(text))
		}
		if p > score {
			best, score = name, p
		}
	}
	return best, score
}

// written tells whether a text is of characters that writing is made of: most
// of what is read in the wrong byte order has stray surrogates among them, or
// code points that are private or mean nothing.
func written(text []rune) bool {
	const most = 50 // One of so many characters may be another.
	odd := 0
	for _, r := range text {
		if r == utf8.RuneError || isControl(r) || r > '~' && !unicode.IsGraphic(r) && !unicode.Is(unicode.Cf, r) {
			odd++
		}
	}
	return odd*most <= len(text)
}

// scoreAny returns the logarithm of the probability of a text in a language
// that there is no model of: its characters come from few blocks of 256, which
// is learned as the text goes on, and anything within a block is as likely.
func scoreAny(text []rune) float32 {
	const blocks, weight, within = 256, 0.125, 256
	seen := make(map[rune]float64)
	sum := 0.0
	for i, r := range text {
		block := r / within
		sum += math.Log((seen[block] + weight) / (float64(i) + weight*blocks) / within)
		seen[block]++
	}
	return float32(sum)
}
