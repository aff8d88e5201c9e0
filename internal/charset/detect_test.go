package charset

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
)

// samples reads the texts of testdata/charset: a language's own encodings, and
// prose that the models were not counted from.
func samples(t testing.TB) map[string][2]string {
	t.Helper()
	files, err := filepath.Glob("../../testdata/charset/*.txt")
	mustDo(t, err)
	mustEqual(t, false, len(files) == 0)
	all := make(map[string][2]string)
	for _, f := range files {
		b, err := os.ReadFile(f)
		mustDo(t, err)
		first, text, _ := strings.Cut(string(b), "\n")
		all[strings.TrimSuffix(filepath.Base(f), ".txt")] = [2]string{first, text}
	}
	return all
}

// prefix returns the shortest text of whole characters, from the beginning of
// text on and again from there, that is size bytes in an encoding.
func prefix(t testing.TB, label, text string, size int) (encoded []byte, want string) {
	t.Helper()
	enc := encoderOf(t, label)
	for i := range text {
		if i < size/3 {
			continue
		}
		b, err := enc.Bytes([]byte(text[:i]))
		mustDo(t, err, label)
		if len(b) >= size {
			return b, text[:i]
		}
	}
	b, err := enc.Bytes([]byte(text))
	mustDo(t, err, label)
	return b, text
}

// encoderOf returns the encoder of golang.org/x/text for a label.
func encoderOf(t testing.TB, label string) *encoding.Encoder {
	t.Helper()
	name, ok := canonical(label)
	mustEqual(t, true, ok, label)
	if name == "iso-2022-jp" {
		return japanese.ISO2022JP.NewEncoder()
	}
	if m := charmapOf(name); m != nil {
		return m.NewEncoder()
	}
	return standardPairs(name).NewEncoder()
}

func TestDetectLanguages(t *testing.T) {
	wrap := func(s string) string {
		return "<!DOCTYPE html><html><head><title>x</title><style>p { color: red }</style></head><body class=\"main\"><p>" + s + "</p></body></html>"
	}
	for _, size := range []int{200, 500, 1000} {
		right, total := 0, 0
		for lang, s := range samples(t) {
			for label := range strings.FieldsSeq(s[0]) {
				paragraphs := strings.Split(strings.TrimSpace(s[1]), "\n")
				texts := []string{s[1], paragraphs[1] + "\n" + paragraphs[0], wrap(s[1]), wrap(paragraphs[1])}
				for _, text := range texts {
					b, want := prefix(t, label, text, size)
					got := Detect(b)
					text, ok := Decode(got, b)
					mustEqual(t, true, ok, got)
					total++
					if text == want {
						right++
					} else {
						t.Logf("%s in %s, %d bytes: taken for %s", lang, label, len(b), got)
					}
				}
			}
		}
		t.Logf("%d bytes: %d of %d right", size, right, total)
		mustEqual(t, true, right*100 > 97*total, size)
	}
}

func TestDetectRules(t *testing.T) {
	tests := []struct {
		name  string
		bytes string
		want  string
	}{
		{"nothing", "", "utf-8"},
		{"ascii", "hello", "ascii"},
		{"utf-8", "caf\xC3\xA9", "utf-8"},
		{"utf-8, cut", "caf\xC3\xA9 \xE4\xBD", "utf-8"},
		{"utf-8 with a mark", "\xEF\xBB\xBFabc", "UTF-8-SIG"},
		{"utf-16 with a mark", "\xFF\xFEh\x00", "UTF-16"},
		{"utf-16 with a mark, big-endian", "\xFE\xFF\x00h", "UTF-16"},
		{"utf-32 with a mark", "\xFF\xFE\x00\x00h\x00\x00\x00", "UTF-32"},
		{"utf-16 without a mark", "h\x00e\x00l\x00l\x00o\x00", "utf_16_le"},
		{"utf-16 without a mark, big-endian", "\x00h\x00e\x00l\x00l\x00o", "utf_16_be"},
		{"utf-32 without a mark", "h\x00\x00\x00i\x00\x00\x00", "utf_32_le"},
		{"utf-32 without a mark, big-endian", "\x00\x00\x00h\x00\x00\x00i", "utf_32_be"},
		{"one NUL is no utf-16", "hello\x00there, how are you", "ascii"},
		{"iso-2022-jp", "\x1B$BF|K\\8l\x1B(B", "ISO-2022-JP"},
		{"iso-2022-kr", "\x1B$)C\n\x0E0!3*\x0F\n", "ISO-2022-KR"},
		{"hz", "~{VPND~}", "hz"},
		{"tildes and braces are no hz", "a ~{ b ~} c", "ascii"},
		{"meta", "<meta charset=koi8-r><p>\xD0\xD2", "KOI8-R"},
		{"meta in the old form", `<META http-equiv="Content-Type" content="text/html; charset=windows-1251"><p>` + "\xEF\xF0", "windows-1251"},
		{"meta, the second of two", `<meta name=x><meta charset="iso-8859-2">` + "\xB3", "ISO-8859-2"},
		{"meta that the text is not valid in", "<meta charset=utf-8><p>Il \xE9tait une fois un \xE9l\xE8ve tr\xE8s f\xE2ch\xE9", "Windows-1252"},
		{"meta of latin-1 with the quotes of windows-1252", "<meta charset=iso-8859-1>\x93q\x94", "Windows-1252"},
		{"meta that a blank follows", "<meta charset = 'koi8-r'><p>\xD0\xD2", "KOI8-R"},
		{"meta without a label", "<meta charset><meta charset=koi8-r><p>\xD0\xD2", "KOI8-R"},
		{"meta of latin-5 with the quotes of windows-1254", "<meta charset=iso-8859-9>\x93q\x94", "Windows-1254"},
		{"meta of shift_jis with a character of cp932", "<meta charset=s_jis>\x87@", "CP932"},
		{"meta of euc-kr with a character of cp949", "<meta charset=csksc56011987>\x81A", "CP949"},
		{"meta of gb2312 with a character of gbk", "<meta charset=chinese>\xFCS", "gbk"},
		{"meta of gb2312 with a character of gb18030", "<meta charset=chinese>\x810\x810", "GB18030"},
		{"meta of big5 with a character of big5hkscs", "<meta charset=csbig5>\x87@", "big5hkscs"},
		{"meta of mac-cyrillic", "<meta charset=x-mac-cyrillic>\x80", "MacCyrillic"},
		{"meta that is unknown", "<meta charset=x-none>abc", "ascii"},
		{"meta of utf-16", "<meta charset=utf-16>abc", "ascii"},
		{"xml", `<?xml version="1.0" encoding="iso-8859-5"?><a>` + "\xDF</a>", "ISO-8859-5"},
		{"a mark beats meta", "\xEF\xBB\xBF<meta charset=koi8-r>", "UTF-8-SIG"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Detect([]byte(tt.bytes))
			mustEqual(t, tt.want, got)
			_, ok := canonical(got)
			mustEqual(t, true, ok)
		})
	}
}

// TestDetectLong checks that a text is told by letters far from its beginning.
func TestDetectLong(t *testing.T) {
	russian := samples(t)["ru"][1]
	b, want := prefix(t, "koi8-r", russian, 1000)
	padding := strings.Repeat("plain ascii text\n", 20000)
	got := Detect([]byte(padding + string(b)))
	mustEqual(t, "KOI8-R", got)
	text, _ := Decode(got, b)
	mustEqual(t, want, text)
}

func FuzzDetect(f *testing.F) {
	for _, s := range []string{"", "abc", "\xFF\xFEa", "caf\xE9 \xE0 la", "\x1B$B", "<meta charset=>", "<script>\xE9", "~{~}", "<?xml encoding="} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		label := Detect(b)
		_, ok := canonical(label)
		mustEqual(t, true, ok, label)
		if label == "ascii" || label == "utf-8" {
			mustEqual(t, true, validUTF8(b))
		}
		mustEqual(t, label, Detect(b))
	})
}

// BenchmarkDetect guesses the encoding of texts: of ones that tell it by their
// form, and of one that is compared with the models of all languages.
func BenchmarkDetect(b *testing.B) {
	ru := samples(b)["ru"][1]
	koi8, _ := prefix(b, "koi8-r", ru, 8<<10)
	utf8, _ := prefix(b, "utf-8", ru, 8<<10)
	texts := map[string][]byte{
		"ascii":  []byte(strings.Repeat("plain text. ", 700)),
		"utf-8":  utf8,
		"koi8-r": koi8,
	}
	for name, text := range texts {
		b.Run(name, func(b *testing.B) {
			Detect(text) // the models are counted once
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				Detect(text)
			}
		})
	}
}
