package charset

import (
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// byteTable holds the character of each byte.
type byteTable [256]rune

// singleByteCodec decodes an encoding of one byte a character.
type singleByteCodec struct{ table *byteTable }

// decode never leaves bytes unused: none is part of a longer character.
func (c singleByteCodec) decode(dst, src []byte, _ bool) ([]byte, int) {
	for _, b := range src {
		dst = utf8.AppendRune(dst, c.table[b])
	}
	return dst, len(src)
}

// tables keeps the tables made so far, each under its [tableKey].
var tables sync.Map

// tableKey is the name of a table of one kind: for most that of the encoding.
type tableKey[T any] string

// tableOf returns the table of a name, built at its first use. Goroutines that
// need one at once may each build it; one of the tables is kept.
func tableOf[T any](name string, build func(name string) *T) *T {
	key := tableKey[T](name)
	if t, ok := tables.Load(key); ok {
		return t.(*T)
	}
	t, _ := tables.LoadOrStore(key, build(name))
	return t.(*T)
}

// singleByteTable returns the table of a canonical name, that of ASCII for
// any other.
func singleByteTable(name string) *byteTable { return tableOf(name, makeTable) }

// makeTable builds the table of a canonical name. What golang.org/x/text lacks
// is in a file with a line for each encoding: its name, a tab, and as a quoted
// string the characters of bytes 0x80 to 0xFF, or of all 256 where the lower
// half is not ASCII. U+FFFD stands where a byte means nothing.
func makeTable(name string) *byteTable {
	if m := charmapOf(name); m != nil {
		return tableOfCharmap(m, name)
	}
	var t byteTable
	for i := range t {
		t[i] = utf8.RuneError
		if i < utf8.RuneSelf {
			t[i] = rune(i)
		}
	}
	for line := range strings.Lines(dataFile("codepages.txt")) {
		page, quoted, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if page != name {
			continue
		}
		text, err := strconv.Unquote(quoted)
		if err != nil {
			continue
		}
		// They fill the table from its end, be they 128 or 256.
		chars := []rune(text)
		copy(t[len(t)-len(chars):], chars)
	}
	return &t
}

// tableOfCharmap copies a table of golang.org/x/text. Those follow the WHATWG
// and fill the gaps of Microsoft's code pages with control characters, where
// Python sees an error; control characters of ISO 8859 they leave out.
func tableOfCharmap(m *charmap.Charmap, name string) *byteTable {
	var t byteTable
	gaps := strings.HasPrefix(name, "windows-") || name == "cp874"
	iso := strings.HasPrefix(name, "iso-8859-")
	for i := range t {
		t[i] = m.DecodeByte(byte(i))
		switch control := 0x80 <= i && i < 0xA0; {
		case control && gaps && t[i] == rune(i):
			t[i] = utf8.RuneError
		case control && iso:
			t[i] = rune(i)
		}
	}
	switch name {
	case "koi8-u":
		t[0xAE], t[0xBE] = '╝', '╬' // RFC 2319, not KOI8-RU.
	case "windows-1255":
		// Python leaves it out, and the WHATWG has a point of Hebrew there.
		t[0xCA] = utf8.RuneError
	}
	return &t
}
