package charset

import (
	"unicode"
	"unicode/utf8"
)

// mostProbable returns the encoding that, with the language that goes with it
// best, makes the bytes of b most probable.
func mostProbable(b []byte) string {
	name, _ := likeliest(sample(b))
	return name
}

// likeliest is [mostProbable] for a sample; score is the logarithm of the
// probability.
func likeliest(s []byte) (best string, score float32) {
	texts := make(map[string][]rune)
	best, score = "windows-1252", float32(leastScore)
	for _, l := range languages() {
		for i, name := range l.encodings {
			text, ok := texts[name]
			if !ok {
				// A sample may end within a character, which is no error of the
				// encoding.
				out, _ := newCodec(name).decode(nil, s, false)
				text = []rune(string(out))
				texts[name] = text
			}
			if p := l.score(text) - encodingPrior(i); p > score {
				best, score = name, p
			}
		}
	}
	return best, score
}

// leastScore is below the score of any sample.
const leastScore = -1e30

// encodingPrior is what an encoding of a language loses for being less usual.
func encodingPrior(rank int) float32 { return 2 * float32(rank) }

// Factors of probabilities, as logarithms.
const (
	capitalInside = -6 // A capital after a small letter.
	capitalFirst  = -2 // A capital after anything else.
	quoteInside   = -5 // Typographic punctuation between letters.
	latinLetter   = -4 // A letter of ASCII in a language of another script.
	besideLatin   = -4 // A letter of one script right after one of the other.
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
	prev, before := kindSpace, ' '
	for i, r := range text {
		sym := l.symbol(r)
		p := l.pairs[prev][sym]
		if l.script != nil && r < utf8.RuneSelf && unicode.IsLetter(r) {
			p = latinLetter // A foreign word, of which the model knows nothing.
		}
		p += l.context(before, r)
		// An apostrophe and a middle dot are part of words, in French and in
		// Catalan.
		if sym == kindQuote && prev >= firstLetter && i+1 < len(text) &&
			unicode.IsLetter(text[i+1]) && r != '’' && r != '·' {
			p += quoteInside
		}
		if r < utf8.RuneSelf && before < utf8.RuneSelf {
			p *= asciiPart
		}
		sum += p
		prev, before = sym, r
	}
	return sum
}

// context rates a character by case and script of the one before it.
func (l *language) context(before, r rune) float32 {
	var p float32
	if r >= utf8.RuneSelf || 'A' <= r && r <= 'Z' {
		if r != lower(r) {
			p = capital(before)
		}
	}
	if l.script == nil {
		return p
	}
	mixed := (before < utf8.RuneSelf) != (r < utf8.RuneSelf)
	if mixed && unicode.IsLetter(before) && unicode.IsLetter(r) {
		p += besideLatin
	}
	return p
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
	eastASCII   = -5.0 // Any one ASCII character.
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
			if isControl(r) {
				p = l.single[kindControl]
			}
			switch {
			case prev < utf8.RuneSelf:
				p *= asciiPart
			case unicode.IsLetter(r):
				p += eastBeside
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
