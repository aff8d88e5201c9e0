package charset

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Detect guesses the encoding of b, for a body whose headers name none. It is
// what Requests calls the apparent encoding, and the labels are spelled as
// there; [Decode] knows each of them. It looks, in this order, for
//
//   - a byte order mark,
//   - a charset that the beginning of an HTML or XML text declares, if it is
//     known and the whole text is valid in it,
//   - the shift sequences of ISO-2022-JP, ISO-2022-KR and HZ,
//   - the NULs of UTF-16 and UTF-32 without a mark, and for UTF-16 the control
//     characters that its bytes would be in any other encoding,
//   - ASCII ("ascii") and UTF-8 ("utf-8", also for no bytes at all),
//   - the language and encoding that make the bytes most probable.
//
// A header always beats it: only the caller knows the header. The time is
// linear in len(b), and the last step reads a sample of bounded size.
func Detect(b []byte) string {
	if label := markLabel(b); label != "" {
		return reported(label)
	}
	// Each of these names nothing unless it is sure; the order is that of
	// Detect's comment.
	for _, rule := range []func([]byte) string{declared, shifted, unmarked} {
		if name := rule(b); name != "" {
			return reported(name)
		}
	}
	switch {
	case len(b) == 0:
		return "utf-8"
	case isASCII(b) && controls(b)*mostControls < len(b):
		return "ascii"
	case validUTF8(b):
		return "utf-8"
	}
	return reported(mostProbable(b))
}

// mostControls is the part of a text, as its reciprocal, that control characters
// are not in what is called ASCII. It leaves room for fields parted by them.
const mostControls = 6

// reported spells a name as Requests reports it.
func reported(name string) string {
	switch name {
	case "windows-1252", "windows-1254":
		return "W" + name[1:]
	case "big5":
		return "Big5"
	case "cp866", "cp855":
		return "IBM" + name[2:]
	case "mac-cyrillic":
		return "MacCyrillic"
	case "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be":
		return strings.ReplaceAll(name, "-", "_")
	case "utf-16", "utf-32", "utf-8-sig", "iso-2022-jp", "iso-2022-kr", "euc-jp", "euc-kr", "cp932", "cp949",
		"gb18030", "gb2312", "koi8-r", "tis-620", "shift_jis":
		return strings.ToUpper(name)
	}
	if strings.HasPrefix(name, "iso-8859-") {
		return strings.ToUpper(name)
	}
	return name
}

// isASCII tells whether b is ASCII alone.
func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// validUTF8 tells whether b is UTF-8, perhaps cut within its last character.
func validUTF8(b []byte) bool {
	for cut := 1; cut < utf8.UTFMax && cut < len(b); cut++ {
		if tail := b[len(b)-cut:]; utf8.RuneStart(tail[0]) {
			// One byte beyond ASCII at the end of a text in ASCII proves nothing.
			if !utf8.FullRune(tail) && !isASCII(b[:len(b)-cut]) {
				b = b[:len(b)-cut]
			}
			break
		}
	}
	return utf8.Valid(b)
}

// shifted finds the encodings of seven bits that switch character sets: such
// a text is ASCII and valid UTF-8 as well, so it must be asked for first.
func shifted(b []byte) string {
	name := ""
	switch {
	case bytes.Contains(b, []byte("\x1B$)C")):
		name = "iso-2022-kr"
	case bytes.Contains(b, []byte("\x1B$")), bytes.Contains(b, []byte("\x1B(")):
		name = "iso-2022-jp"
	case bytes.Contains(b, []byte("~{")) && bytes.Contains(b, []byte("~}")):
		name = "hz"
	}
	if name == "" || !isASCII(b) {
		return ""
	}
	text, _ := Decode(name, b)
	if strings.Contains(text, replacement) || len(text) == strings.Count(text, "")-1 {
		return "" // An error, or nothing but ASCII.
	}
	return name
}
