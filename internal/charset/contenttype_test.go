package charset

import (
	"strings"
	"testing"
)

var contentTypeTests = []struct {
	header, want string
	ok           bool
}{
	{"", "", false},
	{"text/html", "ISO-8859-1", true},
	{"TEXT/PLAIN", "ISO-8859-1", true},
	{"textile/x", "ISO-8859-1", true},
	{"application/json", "utf-8", true},
	{"application/jsonp", "utf-8", true},
	{"application/vnd.api+json", "", false},
	{"image/png", "", false},
	{"text/plain; charset=UTF-8", "UTF-8", true},
	{"text/plain; charset=\"utf-8\"", "utf-8", true},
	{"text/plain; charset='utf-8'", "utf-8", true},
	{"text/plain; Charset=utf-8", "utf-8", true},
	{"text/plain; format=flowed; charset=utf-8", "utf-8", true},
	{"text/plain; charset=latin-1; charset=utf-8", "utf-8", true},
	{"text/plain; charset=", "", true},
	{"text/plain; charset", "ISO-8859-1", true},
	{"text/plain; charset=x-unknown", "x-unknown", true},
	{"text/plain; charset=utf-8, text/html", "utf-8, text/html", true},
	{"text/plain;\tcharset = utf_8 ", "utf_8", true},
}

func TestFromContentType(t *testing.T) {
	for _, tt := range contentTypeTests {
		got, ok := FromContentType(tt.header)
		mustEqual(t, tt.want, got, tt.header)
		mustEqual(t, tt.ok, ok, tt.header)
	}
}

func FuzzFromContentType(f *testing.F) {
	for _, tt := range contentTypeTests {
		f.Add(tt.header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		label, ok := FromContentType(header)
		mustEqual(t, label, strip(label))
		mustEqual(t, false, strings.Contains(label, ";"))
		if ok {
			again, _ := FromContentType("text/plain; charset=\"" + label + "\"")
			mustEqual(t, label, again)
		}
	})
}

func TestJSONEncoding(t *testing.T) {
	tests := []struct{ bytes, want string }{
		{"", "utf-8"},
		{"{}", "utf-8"},
		{"\xEF\xBB\xBF{}", "utf-8-sig"},
		{"\xFF\xFE{\x00", "utf-16"},
		{"\xFE\xFF\x00{", "utf-16"},
		{"\xFF\xFE\x00\x00{\x00\x00\x00", "utf-32"},
		{"\x00\x00\xFE\xFF\x00\x00\x00{", "utf-32"},
		{"{\x00}\x00", "utf-16-le"},
		{"\x00{\x00}", "utf-16-be"},
		{"{\x00\x00\x00}\x00\x00\x00", "utf-32-le"},
		{"\x00\x00\x00{\x00\x00\x00}", "utf-32-be"},
		{"\x00\x00\x00\x00", ""},
		{"{}\x00\x00", ""},
		{"a\x00bc", ""},
	}
	for _, tt := range tests {
		mustEqual(t, tt.want, JSONEncoding([]byte(tt.bytes)), tt.bytes)
	}
}
