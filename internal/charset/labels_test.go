package charset

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
)

// TestWHATWGLabels compares the labels of the Encoding Standard with
// golang.org/x/text's index of them. Where Python's registry knows a label too
// its name goes before.
func TestWHATWGLabels(t *testing.T) {
	text, err := os.ReadFile("testdata/whatwg-labels.txt")
	mustEqual(t, nil, err)
	labels := strings.Fields(string(text))
	mustEqual(t, 228, len(labels))
	ours := 0
	for _, label := range labels {
		if _, ok := labelIndex()[normalize(label)]; ok {
			continue
		}
		want := pythonName(t, label)
		for _, label := range []string{label, strings.ToUpper(label), " \t" + label + "\n"} {
			name, ok := canonical(label)
			mustEqual(t, want, name, label)
			mustEqual(t, want != "", ok, label)
		}
		if want != "" {
			ours++
		}
	}
	mustEqual(t, len(whatwgIndex()), ours)
	for _, label := range []string{"", "x_user_defined", "no-such", "x-cp1250x"} {
		name, ok := canonical(label)
		mustEqual(t, "", name, label)
		mustEqual(t, false, ok, label)
	}
}

// pythonName is Python's name for the encoding that a label of the standard
// stands for; none for those that browsers refuse to decode.
func pythonName(t *testing.T, label string) string {
	t.Helper()
	enc, err := htmlindex.Get(label)
	mustEqual(t, nil, err, label)
	if enc == encoding.Replacement {
		return ""
	}
	standard, err := htmlindex.Name(enc)
	mustEqual(t, nil, err, label)
	switch standard {
	case "windows-874":
		return "cp874"
	case "iso-8859-8-i":
		return "iso-8859-8"
	case "x-mac-cyrillic":
		return "mac-cyrillic"
	case "x-user-defined":
		return standard
	case "shift_jis": // Labels such as windows-31j mean Microsoft's variant.
		return "cp932"
	case "euc-kr":
		return "cp949"
	}
	return labelIndex()[normalize(standard)]
}
