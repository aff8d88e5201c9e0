package charset

import (
	"iter"
	"strings"
	"sync"
	"unicode/utf8"
)

// labelIndex maps normalized labels to names. Its file has a line for each
// encoding: its name, then its other labels in the form that normalize gives,
// those that Python's registry knows.
var labelIndex = sync.OnceValue(func() map[string]string {
	index := map[string]string{}
	for name, labels := range indexLines("labels.txt") {
		// A name is a label of itself.
		index[normalize(name)] = name
		for _, label := range labels {
			index[label] = name
		}
	}
	return index
})

// whatwgIndex maps labels of the Encoding Standard to names: those that
// labelIndex has not, in lower case. Its names are known to Python, but for a
// few that get a codec here all the same; the labels that browsers refuse to
// decode are left out.
var whatwgIndex = sync.OnceValue(func() map[string]string {
	index := map[string]string{}
	for name, labels := range indexLines("whatwg.txt") {
		for _, label := range labels {
			index[label] = name
		}
	}
	return index
})

// indexLines yields the name and the labels of each line of a file.
func indexLines(file string) iter.Seq2[string, []string] {
	return func(yield func(string, []string) bool) {
		for line := range strings.Lines(dataFile(file)) {
			if words := strings.Fields(line); !yield(words[0], words[1:]) {
				return
			}
		}
	}
}

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
	name, ok = whatwgIndex()[strings.ToLower(strings.TrimSpace(label))]
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
