package requests

import (
	"bytes"
	"unicode/utf8"

	"github.com/seed-9ea40bd3/requests/internal/charset"
)

// Text returns the body as text, decoded by Encoding, or by a guess where
// that is empty or not known; what cannot be decoded becomes U+FFFD. It reads
// as [Response.Content] does.
func (r *Response) Text() string {
	b := r.Content()
	if len(b) == 0 {
		return ""
	}
	return decodeText(b, r.Encoding)
}

// decodeText decodes b by a label, or by a guess where that is empty.
func decodeText(b []byte, label string) string {
	if label == "" {
		label = charset.Detect(b)
	}
	if text, ok := charset.Decode(label, b); ok {
		return text
	}
	text, _ := charset.Decode("utf-8", b)
	return text
}

// ApparentEncoding returns the charset that the body's bytes suggest.
func (r *Response) ApparentEncoding() string { return charset.Detect(r.Content()) }

// jsonText returns the body as UTF-8 without a mark. The UTF that its first
// bytes suggest is it; but UTF-8, which is suggested by almost anything, only
// where no encoding is known and the body is valid in it. Without an encoding,
// what is left is what [Response.Text] makes of it.
func jsonText(b []byte, encoding string) []byte {
	label, valid := encoding, utf8.Valid(b)
	// As in Requests: the bytes tell UTF-16 and UTF-32 for sure, and win over the
	// header.
	switch guess := charset.JSONEncoding(b); {
	case guess == "":
	case guess != "utf-8", label == "" && valid:
		label = guess
	}
	if label != "utf-8" || !valid {
		b = []byte(decodeText(b, label))
	}
	return bytes.TrimPrefix(b, []byte("\ufeff"))
}

// textDecoder appends the text of pieces.
func (r *Response) textDecoder() func(dst, src []byte, final bool) []byte {
	if r.Encoding == "" {
		return func(dst, src []byte, _ bool) []byte { return append(dst, src...) }
	}
	dec, ok := charset.NewDecoder(r.Encoding)
	if !ok {
		// A label that nobody knows is no reason to lose the text.
		dec, _ = charset.NewDecoder("utf-8")
	}
	return dec.Decode
}
