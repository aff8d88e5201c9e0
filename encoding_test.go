package requests

import (
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTextDecodes(t *testing.T) {
	tests := []struct{ name, contentType, set, body, want string }{
		{"told", "text/plain; charset=utf-8", "", "é", "é"},
		{"told in quotes", `text/plain; charset="latin-1"`, "", "\xe9", "é"},
		{"text without a charset", "text/html", "", "\xe9", "é"},
		{"JSON", "application/json", "", "é", "é"},
		{"set before", "text/html", "utf-8", "é", "é"},
		{"guessed", "", "", "日本語のテキスト", "日本語のテキスト"},
		{"not decodable", "", "utf-8", "a\xffb", "a\uFFFDb"},
		{"not known", "", "klingon", "é", "é"},
		{"mark", "", "utf-8-sig", "\ufeffa", "a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := NewResponse(nil, 200, "", NewHeaders("Content-Type", tt.contentType), &pieceReader{pieces: []string{tt.body}, err: io.EOF})
			if tt.set != "" {
				r.Encoding = tt.set
			}
			assert.Equal(t, tt.want, r.Text())
			assert.Equal(t, tt.body, string(r.Content()), "the bytes stay")
		})
	}
}

func TestApparentEncoding(t *testing.T) {
	r := given(nil, "日本語のテキスト")
	assert.Equal(t, "utf-8", r.ApparentEncoding())
	assert.Equal(t, "ascii", given(nil, "plain").ApparentEncoding())
	assert.Empty(t, r.Encoding, "a guess sets nothing")
}

// Setting Encoding between two calls of Text changes the second.
func TestEncodingMayChange(t *testing.T) {
	r := given(nil, "\xc3\xa9")
	r.Encoding = "utf-8"
	assert.Equal(t, "é", r.Text())
	r.Encoding = "iso-8859-1"
	assert.Equal(t, "Ã©", r.Text())
}
