package charset

import (
	"unicode"
	"unicode/utf8"
)

// mostProbable returns the encoding that, with the language that goes with it
// best, makes the bytes of b most probable.
func mostProbable(b []byte) string {
	s := sample(b)
	texts := make(map[string][]rune)
	best, bestScore := "windows-1252", float32(-1e30)
	for _, l := range languages() {
		for i, name := range l.encodings {
			text, ok := texts[name]
			if !ok {
				out, _ := newCodec(name).decode(nil, s, false)
				text = []rune(string(out))
				texts[name] = text
			}
			score := l.score(text) - encodingPrior(i)
			if score > bestScore {
				best, bestScore = name, score
			}
		}
	}
	return best
}

// encodingPrior is what an encoding of a language loses for being less usual.
func encodingPrior(rank int) float32 { return 2 * float32(rank) }

// Factors of probabilities, as logarithms.
const (
	capitalInside = -6 // A capital after a small letter.
	capitalFirst  = -2 // A capital after anything else.
	quoteInside   = -5 // Typographic punctuation between letters.
	asciiPart     = 0.5
)

// score returns the logarithm of the probability of a text. Pairs of ASCII
// characters count for less: names, addresses and markup are the same in every
// language.
func (l *language) score(text []rune) float32 {
	if l.east {
		return l.scoreEast(text)
	}
	var sum float32
	prev, prevRune := kindSpace, ' '
	for i, r := range text {
		small := lower(r)
		sym := l.symbol(small)
		p := l.pairs[prev][sym]
		if small != r {
			p += capital(prevRune)
		}
		if sym == kindQuote && r != '’' && r != '·' && prev >= firstLetter && i+1 < len(text) && unicode.IsLetter(text[i+1]) {
			p += quoteInside
		}
		if r < utf8.RuneSelf && prevRune < utf8.RuneSelf {
			p *= asciiPart
		}
		sum += p
		prev, prevRune = sym, r
	}
	return sum
}

// capital rates a capital letter by what is before it.
func capital(before rune) float32 {
	if unicode.IsLower(before) {
		return capitalInside
	}
	return capitalFirst
}

// Logarithms of probabilities for text of East Asia.
const (
	eastASCII   = -4.0 // Any one ASCII character.
	eastBeside  = -3.0 // A character beside an ASCII letter.
	eastForeign = -9.5
)

// scoreEast is score for a language whose characters are counted alone.
func (l *language) scoreEast(text []rune) float32 {
	var sum float32
	prev := ' '
	for _, r := range text {
		switch {
		case r < utf8.RuneSelf:
			p := float32(eastASCII)
			if prev < utf8.RuneSelf {
				p *= asciiPart
			}
			sum += p
		default:
			sym := l.symbol(r)
			p := l.single[sym]
			if sym == kindForeign {
				p = eastForeign
			}
			if prev < utf8.RuneSelf && unicode.IsLetter(prev) {
				p += eastBeside
			}
			sum += p
		}
		prev = r
	}
	return sum
}
