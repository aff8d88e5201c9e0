package charset

import (
	"math"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// languages returns the models of all languages that detection knows.
func languages() []*language { return *tableOf(languageDir, newLanguages) }

// languageDir holds a file for each language. Its first line has the encodings
// that the language is written in, the likeliest first, the second the letters
// besides a to z; the rest is ordinary prose, from which the frequencies of
// letters and of their pairs are counted.
const languageDir = "languages"

// newLanguages counts the texts of a directory, when detection first needs them.
func newLanguages(dir string) *[]*language {
	all := new([]*language)
	entries, err := dataFiles.ReadDir(path.Join(dataDir, dir))
	if err != nil {
		return all // Cannot be: the files are part of the program.
	}
	for _, e := range entries {
		*all = append(*all, newLanguage(dataFile(path.Join(dir, e.Name()))))
	}
	return all
}

// Kinds of characters that count as one symbol; letters follow them.
const (
	kindSpace   = iota
	kindDigit   // ASCII digits.
	kindPoint   // Punctuation of ASCII.
	kindQuote   // Typographic punctuation.
	kindForeign // A letter of the language's script that it does not use.
	kindStrange // Any other character.
	kindControl // A control character that is no white space, or an error.
	firstLetter
)

// A language is a model of text: how probable a character is after another.
type language struct {
	encodings []string
	script    *unicode.RangeTable // Of the letters that are not Latin; nil for a Latin alphabet.
	east      bool                // Characters are counted alone: there are too many for pairs.
	index     map[rune]int        // Lower-case letters to symbols.
	common    [commonRunes]int16  // Symbols of the first characters, in either case.
	pairs     [][]float32         // Logarithm of the probability of the second symbol after the first.
	single    []float32           // For east: logarithm of the probability of a symbol.
}

// commonRunes is where the alphabets end that are written with single bytes,
// Thai apart.
const commonRunes = 0x700

// newLanguage counts a file of [languageDir].
func newLanguage(file string) *language {
	first, rest, _ := strings.Cut(file, "\n")
	letters, text, _ := strings.Cut(rest, "\n")
	l := &language{encodings: strings.Fields(first), index: make(map[rune]int)}
	if l.encodings[0] == "east" {
		l.east, l.encodings = true, l.encodings[1:]
		// The second line has frequent characters then, and each counts as if the
		// prose had it twice more: prose of this length has few of them.
		text = strings.Repeat(letters, 2) + text
	}
	add := func(r rune) {
		if _, ok := l.index[r]; !ok && r != ' ' {
			l.index[r] = firstLetter + len(l.index)
		}
	}
	for r := 'a'; r <= 'z'; r++ {
		add(r)
	}
	for _, r := range letters {
		add(r)
	}
	if l.east {
		for _, r := range text {
			// From here on are the scripts of East Asia and their punctuation.
			if r >= 0x3000 {
				add(r)
			}
		}
	}
	l.script = scriptOf(letters)
	for r := range l.common {
		l.common[r] = int16(l.find(lower(rune(r)))) //nolint:gosec // There are some hundred symbols.
	}
	l.count(text)
	return l
}

// scriptOf returns the script of letters where it is not Latin.
func scriptOf(letters string) *unicode.RangeTable {
	r, _ := utf8.DecodeRuneInString(letters)
	for _, t := range []*unicode.RangeTable{
		unicode.Cyrillic, unicode.Greek, unicode.Hebrew, unicode.Arabic, unicode.Thai,
	} {
		if unicode.Is(t, r) {
			return t
		}
	}
	return nil
}

// Probabilities of what a text in a language does not have, or hardly.
const (
	rareQuote   = 3e-4
	rareForeign = 2e-5
	rareStrange = 2e-6
	rareControl = 1e-8
)

// count fills the tables of l from a text.
func (l *language) count(text string) {
	n := firstLetter + len(l.index)
	counts := make([][]float64, n)
	for i := range counts {
		counts[i] = make([]float64, n)
		// No pairs are counted, and one row is enough to begin with.
		if l.east && i > 0 {
			break
		}
	}
	singles := make([]float64, n)
	total, prev := 0.0, kindSpace
	for _, r := range text {
		sym := l.symbol(r)
		singles[sym]++
		total++
		if !l.east {
			counts[prev][sym]++
		}
		prev = sym
	}
	l.smooth(counts, singles, total)
}

// smooth turns counts into logarithms of probabilities. A pair that was not
// seen falls back on how frequent its second symbol is (Witten and Bell's
// method with a fixed weight).
func (l *language) smooth(counts [][]float64, singles []float64, total float64) {
	const weight, unseen = 4, 0.4
	n := len(singles)
	floor := map[int]float64{
		kindQuote: rareQuote, kindForeign: rareForeign, kindStrange: rareStrange, kindControl: rareControl,
		kindDigit: 5e-3, kindPoint: 1e-2,
	}
	single := make([]float64, n)
	for s := range single {
		single[s] = (singles[s] + unseen) / (total + unseen*float64(n))
		if f, ok := floor[s]; ok {
			single[s] = max(f, singles[s]/total)
			// They are as rare in every language, whatever this text has of them:
			// else a language would win by its text alone.
			if s == kindForeign || s == kindStrange || s == kindControl {
				single[s] = f
			}
		}
	}
	l.single = logarithms(single)
	if l.east {
		return
	}
	l.pairs = make([][]float32, n)
	for a := range counts {
		sum := 0.0
		for _, c := range counts[a] {
			sum += c
		}
		row := make([]float64, n)
		for b := range row {
			row[b] = (counts[a][b] + weight*single[b]) / (sum + weight)
			if b == kindForeign || b == kindStrange || b == kindControl {
				row[b] = single[b]
			}
		}
		l.pairs[a] = logarithms(row)
	}
}

// logarithms returns the natural logarithms of p. Their sum stands for a product
// of probabilities, which would be too small for a float.
func logarithms(p []float64) []float32 {
	out := make([]float32, len(p))
	for i := range p {
		out[i] = float32(math.Log(p[i]))
	}
	return out
}

// symbol returns the symbol of a character.
func (l *language) symbol(r rune) int {
	if r < commonRunes {
		return int(l.common[r])
	}
	return l.find(lower(r))
}

// find works out the symbol of a character in lower case.
func (l *language) find(r rune) int {
	if s, ok := l.index[r]; ok {
		return s
	}
	switch {
	case r <= 0xA0, r == utf8.RuneError:
		return plainKind(r)
	case strings.ContainsRune(quoteMarks, r):
		return kindQuote
	case l.foreign(r):
		return kindForeign
	}
	return kindStrange
}

// quoteMarks are the marks beyond ASCII that texts in any language have.
const quoteMarks = "“”„‘’‚–—…«»‹›°§№€•·¿¡©®™£´、。「」『』・，：！？；（）《》〈〉【】ー〜～"

// plainKind is the kind of a character that is no letter: one of ASCII, one of
// the controls behind it, the hard space, or what stands for an error.
func plainKind(r rune) int {
	switch {
	case r == ' ', r == '\n', r == '\r', r == '\t', r == '\f', r == 0xA0:
		return kindSpace
	case '0' <= r && r <= '9':
		return kindDigit
	case ' ' < r && r < 0x7F:
		return kindPoint
	}
	return kindControl
}

// foreign reports whether a character that the language does not use is a
// letter all the same: of its script, or Latin, as names and loans are.
func (l *language) foreign(r rune) bool {
	if l.east {
		return 0x4E00 <= r && r < 0x9FA6 || 0xAC00 <= r && r < 0xD7A4
	}
	return unicode.IsLetter(r) && (r < 0x250 || l.script != nil && unicode.Is(l.script, r))
}

// lower is [unicode.ToLower], without its special cases for ASCII.
func lower(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	return unicode.ToLower(r)
}
