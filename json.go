package requests

import (
	"bytes"
	"encoding/json"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// encodeJSON encodes v by [encoding/json], written as Python writes it: a
// blank after a comma and a colon, and nothing but ASCII.
func encodeJSON(v any) ([]byte, error) {
	e := jsonEncoders.Get().(*jsonEncoder)
	if err := e.Encode(v); err != nil {
		return nil, &Error{kind: ErrInvalidJSON, reason: "JSON value cannot be encoded", Err: err}
	}
	// The encoder ends its text with a line feed, which Python's does not.
	out := spaceJSON(bytes.TrimSuffix(e.text.Bytes(), []byte("\n")))
	if e.text.Cap() <= maxKeptJSON {
		e.text.Reset()
		jsonEncoders.Put(e)
	}
	return out, nil
}

// jsonEncoder encodes into text.
type jsonEncoder struct {
	*json.Encoder
	text bytes.Buffer
}

// maxKeptJSON bounds the text of an encoder that is kept for the next call.
const maxKeptJSON = 64 << 10

// jsonEncoders have those that may be used again: after an error they do not.
var jsonEncoders = sync.Pool{New: func() any {
	e := new(jsonEncoder)
	e.Encoder = json.NewEncoder(&e.text)
	e.SetEscapeHTML(false) // Python does not
	return e
}}

// spaceJSON turns compact JSON into Python's form.
func spaceJSON(compact []byte) []byte {
	// A guess that is enough for most, with a blank for every eighth byte.
	out := make([]byte, 0, len(compact)+len(compact)/8+16)
	inString := false
	for i := 0; i < len(compact); {
		c := compact[i]
		// DEL as well: Python escapes all but the printable characters of ASCII.
		if c >= 0x7f {
			r, n := utf8.DecodeRune(compact[i:])
			out = appendEscaped(out, r)
			i += n
			continue
		}
		out = append(out, c)
		i++
		switch {
		// What follows a backslash ends no string.
		case inString && c == '\\':
			out = append(out, compact[i])
			i++
		case c == '"':
			inString = !inString
		case !inString && (c == ',' || c == ':'):
			out = append(out, ' ')
		}
	}
	return out
}

// appendEscaped writes a character as \uXXXX, or as two of them.
func appendEscaped(out []byte, r rune) []byte {
	if hi, lo := utf16.EncodeRune(r); r > 0xFFFF {
		return appendUnit(appendUnit(out, hi), lo)
	}
	return appendUnit(out, r)
}

// appendUnit writes one unit of UTF-16, its hex digits in lower case as
// Python's.
func appendUnit(out []byte, u rune) []byte {
	const hex = "0123456789abcdef"
	return append(out, '\\', 'u', hex[u>>12&15], hex[u>>8&15], hex[u>>4&15], hex[u&15])
}
