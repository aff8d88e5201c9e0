package charset

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"
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
	switch name {
	case "iso-2022-jp":
		return japanese.ISO2022JP.NewEncoder()
	case "utf-16-le":
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewEncoder()
	case "utf-16-be":
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewEncoder()
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

// TestDetectWide reads UTF-16 without a mark, in either byte order: the samples,
// and writing that detection has no model of.
func TestDetectWide(t *testing.T) {
	texts := map[string]string{
		"hi":           "कल शाम हम समुद्र के किनारे टहलने गए। मछुआरे अपने जाल समेट रहे थे और बच्चे रेत पर खेल रहे थे। फिर हमने चाय पी और घर लौट आए।",
		"hy":           "Երեկ երեկոյան մենք գնացինք զբոսնելու ծովի ափին։ Ձկնորսները հավաքում էին ցանցերը, իսկ երեխաները խաղում էին ավազի վրա։",
		"ka":           "გუშინ საღამოს ზღვის ნაპირზე წავედით. მეთევზეები ბადეებს აგროვებდნენ, ბავშვები კი ქვიშაზე თამაშობდნენ. მერე ჩაი დავლიეთ.",
		"addresses":    "東京都千代田区丸の内一丁目一番一号大阪府大阪市北区梅田三丁目一番一号愛知県名古屋市中村区名駅一丁目一番四号福岡県福岡市博多区博多駅中央街一番一号札幌市北区北六条西四丁目三番一号仙台市青葉区中央一丁目一番一号",
		"no blanks":    "道可道非常道名可名非常名無名天地之始有名萬物之母故常無欲以觀其妙常有欲以觀其徼此兩者同出而異名同謂之玄玄之又玄眾妙之門天下皆知美之為美斯惡已皆知善之為善斯不善已故有無相生難易相成長短相形高下相傾音聲相和",
		"JSON":         `{"id": 12, "氏名": "山田太郎", "住所": "東京都新宿区西新宿二丁目八番一号", "備考": "電話は午後にお願いします", "札": ["顧客", "重要", "継続", "至急", "確認済み"], "担当": "佐藤花子"}`,
		"two halves":   strings.Repeat("😀 😁😂🤣 ", 30),
		"a long table": strings.Repeat("姓名,年龄,城市\n张三,28,北京\n李四,35,上海\n", 400),
	}
	for lang, s := range samples(t) {
		texts[lang] = s[1]
		paragraphs := strings.Split(strings.TrimSpace(s[1]), "\n")
		texts[lang+", second paragraph first"] = paragraphs[1] + "\n" + paragraphs[0]
	}
	for _, label := range []string{"utf_16_le", "utf_16_be"} {
		for name, text := range texts {
			for _, size := range []int{200, 500, 1000, 100_000} {
				b, want := prefix(t, label, text, size)
				got := Detect(b)
				mustEqual(t, label, got, name, size)
				text, _ := Decode(got, b)
				mustEqual(t, want, text, name, size)
			}
		}
	}
}

// TestDetectNarrow cuts pieces out of the samples in encodings of bytes, at any
// byte: none may be taken for UTF-16 or 32.
func TestDetectNarrow(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // The same pieces each time.
	for lang, s := range samples(t) {
		for label := range strings.FieldsSeq(s[0]) {
			b, err := encoderOf(t, label).Bytes([]byte(s[1]))
			mustDo(t, err, label)
			for range 300 {
				size := 40 + rng.IntN(min(len(b)-40, 500))
				start := rng.IntN(len(b) - size + 1)
				got := unmarked(b[start : start+size])
				mustEqual(t, "", got, lang, label, start, size)
			}
		}
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
		{"utf-16 of few characters", "\x2D\x4E\x87\x65\x0C\xFF \x00\x2D\x4E\xFD\x56\x02\x30", "utf_16_le"},
		{"utf-16 with a byte too many", "\x0E\x2A\x0E\x27\x0E\x31\x0E\x2A\x0E\x14\x0E\x35\x0E\x04\x0E\x23\x0E\x31\x0E\x1A\n", "utf_16_be"},
		{"NULs of both byte orders", "\x00N\x00B\x4E\x00\x6B\x21", "utf_16_be"},
		{"names that NULs part", "src/a.go\x00src/b.go\x00README.md\x00docs/x.txt\x00Makefile\x00", "ascii"},
		{"fields that controls part", "8=FIX.4.2\x019=178\x0135=8\x0149=PHLX\x0156=PERS\x0111=ATOM\x0120=3\x01150=E\x01", "ascii"},
		{"controls are no ascii", "\x01\x02\x03\x04plain text follows", "utf-8"},
		{"controls in utf-8", "caf\xC3\xA9\x1Fd\xC3\xA9j\xC3\xA0\x1Fvu\x1F", "utf-8"},
		{"controls in koi8-r", "\xF0\xD2\xC9\xD7\xC5\xD4\x1F\xCB\xC1\xCB \xC4\xC5\xCC\xC1\x1F\xC8\xCF\xD2\xCF\xDB\xCF\x1F", "KOI8-R"},
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
	for _, s := range []string{"", "abc", "\xFF\xFEa", "caf\xE9 \xE0 la", "\x1B$B", "<meta charset=>", "<script>\xE9", "~{~}", "<?xml encoding=", "\x00\x30\xD8\x01", "\x0E\x2A\x0E\x27", "\x2D\x4E\x02\x30"} {
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
