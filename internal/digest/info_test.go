package digest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// infoTests are fields and the nonce in them; they seed the fuzz target too.
var infoTests = []struct {
	name   string
	fields []string
	want   string // empty for none
}{
	{"nothing", nil, ""},
	{"empty lines", []string{"", " ", ",", " , ,"}, ""},
	{"alone", []string{`nextnonce="n2"`}, "n2"},
	{"token", []string{`nextnonce=n2`}, "n2"},
	{"among others", []string{`qop=auth, rspauth="6629fae4", cnonce="c", nc=00000001, nextnonce="n2"`}, "n2"},
	{"in any case", []string{`NextNonce="n2", qop=auth`}, "n2"},
	{"blanks around", []string{"qop=auth ,\tnextnonce \t= \"n2\" "}, "n2"},
	{"escapes", []string{`nextnonce="a\"b\\c, d"`}, `a"b\c, d`},
	{"in another value", []string{`rspauth="x, nextnonce=n3", nextnonce=n2`}, "n2"},
	{"in the second line", []string{`qop=auth`, `nextnonce="n2"`}, "n2"},
	{"repeated", []string{`nextnonce="n2", nextnonce="n3"`}, "n3"},
	{"of another name", []string{`nonce="n2", xnextnonce="n2"`}, ""},
	{"no value", []string{`nextnonce`}, ""},
	{"empty", []string{`nextnonce=""`}, ""},
	{"empty and unquoted", []string{`nextnonce=`}, ""},
	{"open quote", []string{`nextnonce="n2`}, ""},
	{"text after a quoted string", []string{`nextnonce="n2"x`}, ""},
	{"control character", []string{"nextnonce=\"n2\r\nX: 1\""}, ""},
	{"escaped control character", []string{"nextnonce=\"n2\\\x00\""}, ""},
	{"longest", []string{`nextnonce="` + strings.Repeat("n", maxNextNonce) + `"`}, strings.Repeat("n", maxNextNonce)},
	{"too long", []string{`nextnonce="` + strings.Repeat("n", maxNextNonce+1) + `"`}, ""},
}

func TestNextNonce(t *testing.T) {
	for _, tt := range infoTests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := NextNonce(tt.fields)
			assert.Equal(t, tt.want, got)
			assert.Equal(t, tt.want != "", ok)
		})
	}
}

// What was read is read again from a field of its own, and can be sent.
func FuzzNextNonce(f *testing.F) {
	for _, tt := range infoTests {
		f.Add(strings.Join(tt.fields, "\n"))
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, ok := NextNonce(strings.Split(s, "\n"))
		assert.Equal(t, ok, want != "")
		if !ok {
			return
		}
		assert.LessOrEqual(t, len(want), maxNextNonce)
		got, _ := NextNonce([]string{"qop=auth, nextnonce=" + quote(want)})
		assert.Equal(t, want, got)
		_, err := Params{Nonce: want}.Authorize(Credentials{}, "GET", "/", 1, "c", nil)
		assert.NoError(t, err)
	})
}
