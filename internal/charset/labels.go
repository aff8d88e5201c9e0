package charset

import (
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
)

// labelIndex maps normalized labels to names. Its file has a line for each
// encoding: its name, then its other labels in the form that normalize gives,
// those that Python's registry knows.
var labelIndex = sync.OnceValue(func() map[string]string {
	index := make(map[string]string, 512)
	for line := range strings.Lines(dataFile("labels.txt")) {
		words := strings.Fields(line)
		// A name is a label of itself.
		index[normalize(words[0])] = words[0]
		for _, w := range words[1:] {
			index[w] = words[0]
		}
	}
	return index
})

// canonical returns the name of the encoding that label stands for.
func canonical(label string) (name string, ok bool) {
	switch label { // The common ones, without a table.
	case "utf-8", "UTF-8", "utf8":
		return "utf-8", true
	case "ISO-8859-1", "iso-8859-1":
		return "iso-8859-1", true
	}
	key := normalize(label)
	index := labelIndex()
	if name, ok = index[key]; ok {
		return name, true
	}
	// Python tries aliases with dots written as underscores too.
	if name, ok = index[strings.ReplaceAll(key, ".", "_")]; ok {
		return name, true
	}
	return whatwg(label)
}

// whatwg returns the name for a label of the Encoding Standard. Its names
// are known to Python, but for a few that get a codec here all the same.
func whatwg(label string) (name string, ok bool) {
	enc, err := htmlindex.Get(label)
	if err != nil {
		return "", false
	}
	standard, err := htmlindex.Name(enc)
	// The replacement encoding has the labels that browsers refuse to decode, and
	// gives no text.
	if err != nil || enc == encoding.Replacement {
		return "", false
	}
	switch standard {
	case "windows-874":
		return "cp874", true
	case "iso-8859-8-i":
		return "iso-8859-8", true
	case "x-mac-cyrillic":
		return "mac-cyrillic", true
	case "x-user-defined":
		return standard, true
	case "shift_jis": // Labels such as windows-31j mean Microsoft's variant.
		return "cp932", true
	case "euc-kr":
		return "cp949", true
	}
	name, ok = labelIndex()[normalize(standard)]
	return name, ok
}

// normalize gives the form in which Python's registry compares labels: lower
// case, each run of other characters than ASCII letters, digits and dots as one
// underscore, none at the beginning or the end. What is outside ASCII is in no
// label: the form is then empty.
func normalize(label string) string {
	var b strings.Builder
	gap := false
	for i := 0; i < len(label); i++ {
		c := label[i]
		switch {
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '.':
		case c == 0, c >= utf8.RuneSelf:
			return ""
		default:
			// A run counts once, and only between two characters that are kept.
			gap = true
			continue
		}
		if gap && b.Len() > 0 {
			b.WriteByte('_')
		}
		gap = false
		b.WriteByte(c)
	}
	return b.String()
}
