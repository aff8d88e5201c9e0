package charset

import (
	"bytes"
	"unicode/utf8"
)

const (
	sampleSize  = 6 << 10 // How many bytes statistics read at most.
	sampleParts = 6       // From how many places of a longer text.
)

// sample returns at most sampleSize bytes of b that tell most about its
// encoding: markup is left out, and of a long text pieces from all over it are
// taken, each from where bytes outside ASCII begin.
func sample(b []byte) []byte {
	const most = sampleSize / sampleParts
	var out []byte
	for part := range sampleParts {
		piece := b[part*len(b)/sampleParts : (part+1)*len(b)/sampleParts]
		if len(b) <= sampleSize {
			piece = b
		} else {
			piece = fromLetters(piece, most)
		}
		out = appendText(out, piece)
		if len(b) <= sampleSize {
			break
		}
		// So that no pair is made of characters from two places.
		out = append(out, ' ')
	}
	return out
}

// fromLetters returns at most size bytes of b, from shortly before the first
// byte outside ASCII, cut at blanks so as to split no character.
func fromLetters(b []byte, size int) []byte {
	// Far enough back to find the beginning of a word.
	const before = 64
	first := bytes.IndexFunc(b, func(r rune) bool { return r >= utf8.RuneSelf })
	if first < 0 {
		return nil
	}
	start := max(0, first-before)
	if n := bytes.IndexAny(b[start:first], " \n>"); n >= 0 {
		start += n
	} else {
		start = first
	}
	b = b[start:]
	if len(b) > size {
		b = b[:size]
		// Text without blanks is cut anywhere: half a piece is worth more than a
		// whole character.
		if n := bytes.LastIndexAny(b, " \n<"); n > size/2 {
			b = b[:n]
		}
	}
	return b
}

// appendText appends b to dst without tags, that is what is between a less-than
// sign that a letter, a slash or a mark follows and the next greater-than
// sign. Style sheets and scripts within go as well.
func appendText(dst, b []byte) []byte {
	for len(b) > 0 {
		open := bytes.IndexByte(b, '<')
		if open < 0 || open+1 == len(b) {
			break
		}
		length := tagLength(b[open:])
		if length == 0 {
			dst = append(dst, b[:open+1]...)
			b = b[open+1:]
			continue
		}
		dst = append(append(dst, b[:open]...), ' ')
		b = b[open+length:]
	}
	return append(dst, b...)
}

// tagLength returns the length of the tag that b begins with, including the
// content of script and style elements; zero where it is none.
func tagLength(b []byte) int {
	const longest = 1 << 10
	// The bit makes a letter lower-case, and no letter of another byte.
	c := b[1] | 0x20
	if (c < 'a' || c > 'z') && b[1] != '/' && b[1] != '!' && b[1] != '?' {
		return 0
	}
	end := bytes.IndexByte(b[:min(len(b), longest)], '>')
	// A less-than sign of the text itself is not to hide what follows it.
	if end < 0 || !isASCII(b[:end]) && (c < 'a' || c > 'z') && b[1] != '!' {
		return 0
	}
	tag := bytes.ToLower(b[1:min(end, 7)])
	for _, name := range []string{"script", "style"} {
		if bytes.HasPrefix(tag, []byte(name)) {
			if closing := bytes.Index(b, []byte("</"+name)); closing > 0 {
				return closing
			}
		}
	}
	return end + 1
}
