package charset

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// decodeTests hold what Python 3.11 gives for bytes.decode(label, "replace").
var decodeTests = []struct{ label, bytes, want string }{
	{"utf-8", "caf\xC3\xA9", "café"},
	{"UTF_8", "\xEF\xBB\xBFabc", "\uFEFFabc"},
	{"utf8", "a\xE2\x82", "a\uFFFD"},
	{"utf-8", "a\xE4\xBDb", "a\uFFFDb"},
	{"utf-8", "a\xC0\xAFb", "a\uFFFD\uFFFDb"},
	{"utf-8", "\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"},
	{"utf-8", "\xF0\x9F\x98x\xF4\x90\x80\x80", "\uFFFDx\uFFFD\uFFFD\uFFFD\uFFFD"},
	{"utf-8-sig", "\xEF\xBB\xBFh\xC3\xA9", "hé"},
	{"utf-8-sig", "\xEF\xBBh", "\uFFFDh"},
	{"us-ascii", "a\x80\xE9", "a\uFFFD\uFFFD"},
	{"iso-8859-1", "a\x80\x93b", "a\u0080\u0093b"},
	{"Latin 1", "\xE9", "é"},
	{"iso-8859-2", "\xB3\xF3d\xBC", "łódź"},
	{"iso8859-15", "\xA4 5", "€ 5"},
	{"cp1252", "\x85\x81", "…\uFFFD"},
	{"koi8-r", "\xD0\xD2\xC9", "при"},
	{"koi8_u", "\xA4\xBE", "є╬"},
	{"macintosh", "\x8E", "é"},
	{"cp737", "\x80", "Α"},
	{"cp500", "\x81\x82", "ab"},
	{"utf-16", "\xFE\xFF\x00h\x00\xE9", "hé"},
	{"utf-16", "h\x00\x00\xD8x\x00", "h\uFFFDx"},
	{"utf-16-le", "\x3D\xD8\x00\xDEa", "😀\uFFFD"},
	{"utf-16be", "\xD8\x3D", "\uFFFD"},
	{"utf-32", "\xFF\xFE\x00\x00h\x00\x00\x00\xE9\x00\x00\x00", "hé"},
	{"utf-32-be", "\x00\x11\x00\x00\x00\x00", "\uFFFD\uFFFD"},
	{"utf-7", "a+AOk-b+-+2D3eAA-", "aéb+😀"},
	{"shift_jis", "\x93\xFA\x96{\x81`", "日本〜"},
	{"cp932", "\x81`\x87@", "～①"},
	{"shift_jis", "\x93", "\uFFFD"},
	{"euc-jp", "\xC6\xFC\x8E\xB1\x8F\xB0\xA1", "日ｱ丂"},
	{"iso-2022-jp", "\x1B$BF|K\\8l\x1B(B!", "日本語!"},
	{"iso-2022-kr", "\x1B$)C\x0E0!\x0Fa", "가a"},
	{"hz", "~{VPND~}~~", "中文~"},
	{"gb2312", "\xC4\xE3\xBA\xC3", "你好"},
	{"gbk", "\xFCS", "黃"},
	{"gb18030", "\x81\x30\x81\x30\x90\x30\x81\x30", "\u0080\U00010000"},
	{"gb18030", "\xC4\xE3\x81\x30\x81", "你\uFFFD"},
	{"euc-kr", "\xB0\xA1\x81A", "가\uFFFDA"},
	{"cp949", "\x81A", "갂"},
	{"big5", "\xA7A\xA6n", "你好"},
	{"windows-31j", "\x93\xFA", "日"},
	{"windows-874", "\xA1", "ก"},
	{"windows-1253", "\xD2\xFF\xAA", "\uFFFD\uFFFD\uFFFD"},
	{"cp874", "\x80\x81\xA1", "€\uFFFDก"},
	{"mac-cyrillic", "\x80\xFF", "А€"},
	{"koi8.r", "\xD0", "п"},
	{"gb18030", "\x84\x31\xA4\x37a", "\uFFFDa"},
	{"gb18030", "\xE3\x32\x9A\x36", "\uFFFD2\uFFFD"},
	{"utf-16-le", "\x00\xDCa\x00", "\uFFFDa"},
	{"utf-16-le", "=\xD8=\xD8\x00\xDE", "\uFFFD😀"},

	{"iso-2022-jp", "\x1B(J\\~a\x1B(B\\~", "¥‾a\\~"},
	{"iso-2022-jp", "a\x80b\xE9", "a\uFFFDb\uFFFD"},
	{"iso-2022-jp", "\x1B$BF\xFCa", "\uFFFD\uFFFD"},
	{"iso-2022-jp", "\x1B$@F|\x1B(B", "日"},
	{"iso-2022-jp", "\x1B$BF|\na", "日\n\uFFFD"},
	{"iso-2022-jp", "\x1Bxab\x1B(B", "\x1Bxab\x1B(B"},
	{"iso-2022-jp", "\x1B(Zab", "\uFFFDab"},
	{"iso-2022-jp", "\x1B$((((((((((((((((Ba", "\uFFFD$((((((((((((((((Ba"},
	{"iso-2022-kr", "\x1B(Ja", "\uFFFDa"},
	{"iso-2022-kr", "\x1B$)C\x0E0\xA1", "\uFFFD"},
	{"iso-2022-kr", "\x1B$)C\x0E0!\n0!", "가\n0!"},

	{"hz", "a\x80b", "a\uFFFDb"},
	{"hz", "~\nab", "ab"},
	{"hz", "~xab", "\uFFFDxab"},
	{"hz", "~{VP~\nND~}", "中\uFFFD\uFFFD文"},
	{"hz", "~{V\xD0~}", "\uFFFD\uFFFD"},

	{"utf-7", "a\xE9b", "a\uFFFDb"},
	{"utf-7", "+AOk-b~c\\d", "éb~c\\d"},
	{"utf-7", "+/Av9-", "\uFC0B\uFFFD"},
	{"utf-7", "+2AAAYQ-", "\uFFFDa"},
	{"utf-7", "+2D0-a", "\uFFFDa"},
	{"utf-7", "+2D0", "\uFFFD"},
	{"utf-7", "+AO", "\uFFFD"},
	{"utf-7", "+!b", "\uFFFDb"},
	{"utf-7", "+A!b", "\uFFFDb"},
	{"utf-7", "+AGE!b", "a!b"},
	{"utf-7", "+AOl-", "é\uFFFD"},
	{"utf-7", "+AOk\xE9b", "é\uFFFDb"},
	{"utf-7", "+AOk+", "é\uFFFD"},
}

// otherTests are beyond Python: labels of the Encoding Standard, and half-width
// katakana in ISO-2022-JP.
var otherTests = []struct{ label, bytes, want string }{
	{"iso-8859-8-i", "\xE0", "א"},
	{"x-mac-cyrillic", "\x80", "А"},
	{"x-user-defined", "a\x80\xFF", "a\uF780\uF7FF"},
	{"x-sjis", "\x87@", "①"},
	{"windows-949", "\x81A", "갂"},
	{"iso-2022-jp", "\x1B(I1\x1B(Ba", "ｱa"},
	{"iso-2022-jp", "\x1B(I1 `\x1B(B", "ｱ\uFFFD\uFFFD"},
}

func TestDecodeBeyondPython(t *testing.T) {
	for _, tt := range otherTests {
		got, ok := Decode(tt.label, []byte(tt.bytes))
		mustEqual(t, true, ok, tt.label)
		mustEqual(t, tt.want, got, tt.label)
	}
}

func TestDecode(t *testing.T) {
	for _, tt := range decodeTests {
		got, ok := Decode(tt.label, []byte(tt.bytes))
		mustEqual(t, true, ok, tt.label)
		mustEqual(t, tt.want, got, tt.label)

		name, ok := canonical(tt.label)
		mustEqual(t, true, ok, tt.label)
		again, ok := canonical(strings.ToUpper(name))
		mustEqual(t, true, ok, name)
		mustEqual(t, name, again)
	}
}

// TestDecoderPieces cuts every text of the table at every place.
func TestDecoderPieces(t *testing.T) {
	for _, tt := range decodeTests {
		for i := range len(tt.bytes) + 1 {
			d, ok := NewDecoder(tt.label)
			mustEqual(t, true, ok)
			for range 2 { // A final piece makes the decoder new.
				got := d.Decode(nil, []byte(tt.bytes[:i]), false)
				got = d.Decode(got, []byte(tt.bytes[i:]), true)
				mustEqual(t, tt.want, string(got), tt.label, i)
			}
		}
	}
}

func TestUnknownLabels(t *testing.T) {
	for _, label := range []string{"", "x-unknown", "hex", "base64", "rot13", "idna", "utf-8, text/html", "ütf-8", "utf-8\x00", "latin-15", "iso-2022-cn-ext", "hz-gb-2312\x00"} {
		_, ok := Decode(label, []byte("abc"))
		mustEqual(t, false, ok, label)
		d, ok := NewDecoder(label)
		mustEqual(t, false, ok || d != nil, label)
	}
}

// TestLabels checks that each name of the list has a codec that gives text, and
// that no label stands for two encodings.
func TestLabels(t *testing.T) {
	seen := make(map[string]string)
	for line := range strings.Lines(dataFile("labels.txt")) {
		words := strings.Fields(line)
		for i, w := range words {
			if i == 0 {
				w = normalize(w)
			}
			mustEqual(t, normalize(w), strings.ReplaceAll(w, " ", ""), line)
			mustEqual(t, "", seen[w], w)
			seen[w] = words[0]
		}
		got, ok := Decode(words[0], []byte("\x41\x00\x00\x00"))
		mustEqual(t, true, ok && utf8.ValidString(got) && got != "", line)
	}
}

func FuzzDecoder(f *testing.F) {
	for _, tt := range decodeTests {
		f.Add(tt.label, []byte(tt.bytes), 1)
	}
	f.Fuzz(func(t *testing.T, label string, b []byte, size int) {
		want, ok := Decode(label, b)
		d, known := NewDecoder(label)
		mustEqual(t, ok, known)
		if !ok {
			return
		}
		mustEqual(t, true, utf8.ValidString(want))
		size = max(1, size%16)
		var got []byte
		for rest := b; len(rest) > 0; rest = rest[min(size, len(rest)):] {
			got = d.Decode(got, rest[:min(size, len(rest))], false)
		}
		mustEqual(t, want, string(d.Decode(got, nil, true)), label)
		if label == "utf-8" && utf8.Valid(b) {
			mustEqual(t, string(b), want)
		}
	})
}
