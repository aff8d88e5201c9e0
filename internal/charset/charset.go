// Package charset turns bytes of a response into text: it knows decoders by
// the labels that Python's codecs and the WHATWG Encoding Standard give them,
// replaces what cannot be decoded as Python's errors="replace" does, reads the
// charset of a Content-Type header as Requests reads it, and guesses the
// encoding of bytes that came without a label.
//
//	text, ok := charset.Decode("koi8-r", []byte("\xd0\xd2\xc9\xd7\xc5\xd4"))
//	fmt.Println(text, ok)
//	// привет true
//
// Nothing is computed when the package is loaded: every table is made when it
// is first asked for, and kept.
package charset

import (
	"bytes"
	"embed"
	"path"
	"unicode/utf8"
)

// dataDir holds the tables that are files: labels, code pages and languages.
const dataDir = "data"

//go:embed data
var dataFiles embed.FS

// dataFile returns a file of the tables. Each is read once, by what keeps the
// table that is made of it.
func dataFile(name string) string {
	text, err := dataFiles.ReadFile(path.Join(dataDir, name))
	if err != nil {
		return "" // Cannot be: the files are part of the program.
	}
	return string(text)
}

// Decode decodes the whole of b with the encoding that label names. Letter case
// counts for nothing in a label, and runs of blanks, hyphens and underscores are
// alike, as in Python's codec registry, whose names and aliases come first:
// "latin-1" and "iso-8859-1" are true Latin-1. A label that Python does not know
// is looked up among the WHATWG labels.
//
// Bytes that are not valid in the encoding become U+FFFD, as many as Python's
// errors="replace" gives. ok is false where the label is unknown, or names a
// codec of Python's that gives no text (hex, base64, idna …).
func Decode(label string, b []byte) (text string, ok bool) {
	name, ok := canonical(label)
	if !ok {
		return "", false
	}
	if name == "utf-8" && utf8.Valid(b) {
		return string(b), true
	}
	out, _ := newCodec(name).decode(make([]byte, 0, len(b)+len(b)/2), b, true)
	return string(out), true
}

// Decoder decodes bytes that arrive in pieces, so that a character cut by the
// end of a piece is completed by the next one. What it appends in total does
// not hang on where the cuts are: it is what [Decode] gives for the whole.
//
// Make one with [NewDecoder]; the zero value is not usable. A Decoder belongs
// to one goroutine at a time.
type Decoder struct {
	name    string
	codec   codec
	pending []byte // The beginning of a character whose rest has not come yet.
}

// NewDecoder returns a decoder for the encoding that label names, see
// [Decode]; ok is false where the label is unknown.
func NewDecoder(label string) (d *Decoder, ok bool) {
	name, ok := canonical(label)
	if !ok {
		return nil, false
	}
	return &Decoder{name: name, codec: newCodec(name)}, true
}

// Decode appends to dst, in UTF-8, the text of src, and returns the extended
// slice. Bytes at the end of src that may be the beginning of a character are
// kept for the next call, unless final is set: then they become U+FFFD, and
// the Decoder is ready for another text. src is not kept.
func (d *Decoder) Decode(dst, src []byte, final bool) []byte {
	if len(d.pending) > 0 {
		src = append(d.pending, src...)
	}
	dst, n := d.codec.decode(dst, src, final)
	if final {
		d.pending, d.codec = nil, newCodec(d.name)
		return dst
	}
	d.pending = bytes.Clone(src[n:])
	return dst
}

// A codec decodes one encoding. It may keep state between calls, such as the
// byte order or a shift, but no bytes.
type codec interface {
	// decode appends the text of src to dst and returns the extended slice
	// and the number of bytes that it has used. It leaves bytes unused only
	// where final is false and they are an incomplete character.
	decode(dst, src []byte, final bool) ([]byte, int)
}
