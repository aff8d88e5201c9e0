package requests

import (
	"bytes"

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
	label := r.Encoding
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

// jsonText returns the body as UTF-8 without a mark.
func jsonText(b []byte, encoding string) []byte {
	label := encoding
	// As in Requests: the bytes tell UTF-16 and UTF-32 for sure, and win over the
	// header.
	if guess := charset.JSONEncoding(b); guess != "" && guess != "utf-8" || label == "" {
		label = guess
	}
	if label != "utf-8" {
		if text, ok := charset.Decode(label, b); ok {
			b = []byte(text)
		}
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
