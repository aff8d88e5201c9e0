package uri

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// encodeIDNA returns a host with each label that is not ASCII in its A-label
// form. Only "." separates labels: the other dots that UTS 46 knows are no
// letters, and so are errors. A host that no DNS message could carry is refused
// before any label is looked at.
func encodeIDNA(host string) (text, reason string) {
	if len(host) > maxHost*utf8.UTFMax {
		return "", badLabel
	}
	labels := strings.Split(host, ".")
	// The dots.
	size := len(labels) - 1
	for i, label := range labels {
		encoded, ok := encodeLabel(label)
		if !ok {
			return "", badLabel
		}
		labels[i] = encoded
		if size += len(encoded); size > maxHost {
			return "", badLabel
		}
	}
	return strings.Join(labels, "."), ""
}

// encodeLabel applies RFC 5891 section 4 to one label, in lower case. The
// label is validated as it is: nothing is mapped but case.
func encodeLabel(label string) (string, bool) {
	if isASCII(label) {
		return strings.ToLower(label), true
	}
	// No encoding of it could fit 63 bytes: the work is saved.
	if len(label) > maxLabel*utf8.UTFMax {
		return "", false
	}
	label = lower(label)
	if !validLabel(label) {
		return "", false
	}
	// The profile looks for hyphens at byte offsets, validLabel at characters.
	profile := idna.New(idna.ValidateForRegistration(), idna.CheckHyphens(false))
	text, err := profile.ToASCII(label)
	return text, err == nil
}

// lower returns s in lower case by Unicode's rules, with the two that work on
// more than one character, which [strings.ToLower] leaves out: they decide
// which name is looked up.
func lower(s string) string {
	runes := []rune(s)
	out := make([]rune, 0, len(runes)+1)
	for i, r := range runes {
		switch {
		case r == 'İ':
			out = append(out, 'i', '\u0307')
		case r == 'Σ' && finalSigma(runes, i):
			out = append(out, 'ς')
		default:
			out = append(out, unicode.ToLower(r))
		}
	}
	return string(out)
}

// finalSigma reports whether runes[i] ends a word: a cased letter stands before
// it and none after it (Unicode section 3.13).
func finalSigma(runes []rune, i int) bool {
	before, after := false, false
	// Characters that case ignores, such as marks, are passed over in both
	// directions.
	for j := i - 1; j >= 0 && !before; j-- {
		if before = cased(runes[j]); !before && !caseIgnorable(runes[j]) {
			break
		}
	}
	for j := i + 1; j < len(runes) && !after; j++ {
		if after = cased(runes[j]); !after && !caseIgnorable(runes[j]) {
			break
		}
	}
	return before && !after
}

// cased is the property Cased of Unicode, section 3.13.
func cased(r rune) bool {
	return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Lowercase, unicode.Other_Uppercase)
}

// caseIgnorable is the property Case_Ignorable of the same section, as far as
// host names have its characters.
func caseIgnorable(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) ||
		strings.ContainsRune("'.:·’", r)
}

// validLabel reports whether all characters of a label are PVALID, or stand in
// the context that they need, by RFC 5892. It adds to the profile of package
// idna, which knows UTS 46 alone, what IDNA 2008 refuses besides: symbols,
// punctuation, and letters out of context.
func validLabel(label string) bool {
	// RFC 5891, section 4.1: two spellings of one character would be two names.
	if !norm.NFC.IsNormalString(label) {
		return false
	}
	runes := []rune(label)
	last := len(runes) - 1
	if runes[0] == '-' || runes[last] == '-' || last >= 3 && runes[2] == '-' && runes[3] == '-' {
		return false // RFC 5891 section 4.2.3.1
	}
	for i, r := range runes {
		if r < utf8.RuneSelf {
			if !letterDigitHyphen(r) {
				return false
			}
			continue
		}
		if !contextual(r) && !protocolValid(r) || !inContext(runes, i) {
			return false
		}
	}
	return true
}

// letterDigitHyphen is the LDH rule of RFC 5890, section 2.3.1, in lower case.
func letterDigitHyphen(r rune) bool {
	return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-'
}

// protocolValid is the derived property PVALID of RFC 5892 section 3, as far as
// UTS 46 does not decide it already: letters, digits and marks, but for the
// exceptions of section 2.6 and the ignorable and old Hangul blocks (2.4, 2.9).
func protocolValid(r rune) bool {
	switch r {
	case 0x06FD, 0x06FE, 0x0F0B, 0x3007:
		return true
	case 0x0640, 0x07FA, 0x302E, 0x302F, 0x3031, 0x3032, 0x3033, 0x3034, 0x3035, 0x303B:
		return false
	}
	switch {
	case 0x20D0 <= r && r <= 0x20FF, 0x1D100 <= r && r <= 0x1D24F,
		0x1100 <= r && r <= 0x11FF, 0xA960 <= r && r <= 0xA97F, 0xD7B0 <= r && r <= 0xD7FF:
		return false
	}
	return unicode.In(r, unicode.Ll, unicode.Lo, unicode.Lm, unicode.Mn, unicode.Mc, unicode.Nd)
}

// contextual reports whether r is one of the characters of RFC 5892 appendix A
// that are no letters, digits or marks.
func contextual(r rune) bool {
	switch r {
	case '\u200C', '\u200D', '\u00B7', '\u0375', '\u05F3', '\u05F4', '\u30FB':
		return true
	}
	return false
}

// inContext applies the rules of RFC 5892 appendix A to runes[i]. The rules for
// the joiners are left to package idna, which has them.
func inContext(runes []rune, i int) bool {
	switch r := runes[i]; {
	case r == '\u00B7': // between two l
		return 0 < i && i+1 < len(runes) && runes[i-1] == 'l' && runes[i+1] == 'l'
	case r == '\u0375': // before Greek
		return i+1 < len(runes) && unicode.Is(unicode.Greek, runes[i+1])
	case r == '\u05F3', r == '\u05F4': // after Hebrew
		return 0 < i && unicode.Is(unicode.Hebrew, runes[i-1])
	case r == '\u30FB': // beside Japanese
		return slices.ContainsFunc(runes, func(r rune) bool {
			return unicode.In(r, unicode.Hiragana, unicode.Katakana, unicode.Han)
		})
	case arabicDigit(r): // not beside the extended digits
		return !slices.ContainsFunc(runes, extendedDigit)
	case extendedDigit(r):
		return !slices.ContainsFunc(runes, arabicDigit)
	}
	return true
}

// arabicDigit and extendedDigit report whether r is one of the two sets of
// Arabic-Indic digits, which look alike.
func arabicDigit(r rune) bool   { return 0x0660 <= r && r <= 0x0669 }
func extendedDigit(r rune) bool { return 0x06F0 <= r && r <= 0x06F9 }
