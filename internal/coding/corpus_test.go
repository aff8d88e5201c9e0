package coding

import (
	"bytes"
	"encoding/base64"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hello is the body of most recorded cases.
const hello = "hello decoded world hello decoded world hello decoded world hello decoded world hello decoded world "

// The rules under which a recorded case is answered differently; empty where it
// is answered as recorded.
const (
	unknownInList = "DEC-3: identity in a list is no coding"
	cutShort      = "DEC-4: a cut body is an error, after what it held"
	trimmed       = "V13: white space around values is trimmed"
	neverSilent   = "V22: data behind a coding is an error, after what it held"
)

// recordedTests are the bodies of the recorded cases and what Requests made of
// them. Cases that differ only in what is read from the body are one.
var recordedTests = []struct {
	name  string
	lines []string
	body  string // base64
	want  string // what Requests delivered
	fails bool   // it raised ContentDecodingError
	rule  string // why we differ
	ours  string // what we deliver then
	err   error  // and the error behind it
}{
	{name: "x-gzip", lines: []string{"x-gzip"}, body: gzipHello, want: hello},
	{name: "deflate", lines: []string{"deflate"}, body: "eNrLSM3JyVdISU3OT0lNUSjPL8pJUcigshgAVMwk9Q==", want: hello},
	{name: "deflate-raw", lines: []string{"deflate"}, body: "y0jNyclXSElNzk9JTVEozy/KSVHIoLIYAA==", want: hello},
	{name: "empty-coding", lines: []string{""}, body: "aGVsbG8=", want: "hello"},
	{name: "gzip-members", lines: []string{"gzip"}, body: "H4sIAAAAAAACA0vLLCouUQAA/HrxHAYAAAAfiwgAAAAAAAIDK05Nzs9LAQBpER+2BgAAAA==", want: "first second"},
	{
		name: "gzip-trailing-garbage", lines: []string{"gzip"},
		body: "H4sIAAAAAAACA8tIzcnJV0hJTc5PSU1RKM8vyklRyKCyGADS8IfYZAAAAGdhcmJhZ2U=", want: hello,
		rule: neverSilent, ours: hello, err: ErrTrailing,
	},
	{name: "gzip-trailing-zeros", lines: []string{"gzip"}, body: "H4sIAAAAAAACA8tIzcnJV0hJTc5PSU1RKM8vyklRyKCyGADS8IfYZAAAAAAAAAAAAAAAAAAAAAAAAAA=", want: hello},
	{name: "deflate-empty-body", lines: []string{"deflate"}},
	{name: "deflate-not", lines: []string{"deflate"}, body: "////IHRoaXMgaXMgbm8gZGVmbGF0ZQ==", fails: true},
	{name: "gzip-header-only", lines: []string{"gzip"}, body: "H4sIAAAAAAACAw==", rule: cutShort, err: io.ErrUnexpectedEOF},
	{
		name: "deflate-truncated", lines: []string{"deflate"}, body: "eNqrqIABAA==", want: "xxxxxxxxxx",
		rule: cutShort, ours: "xxxxxxxxxx", err: io.ErrUnexpectedEOF,
	},
	{name: "twice-line", lines: []string{"gzip, gzip"}, body: gzipTwice, want: hello},
	{name: "twice-lines", lines: []string{"gzip", "gzip"}, body: gzipTwice, want: hello},
	{name: "gzip-deflate", lines: []string{"gzip, deflate"}, body: "eNqT7+ZgAAEm5tMeZ0+eDPfw9D3n7+kbqHFe/5Rn4IkFmyQYLn1ov5ECVAIAMCsPpA==", want: hello},
	{name: "gzip-identity", lines: []string{"gzip, identity"}, body: gzipHello, fails: true, rule: unknownInList, ours: hello},
	{name: "gzip-unknown", lines: []string{"gzip, x-unknown"}, body: gzipHello, fails: true},
	{name: "three", lines: []string{"gzip, gzip, gzip"}, body: "H4sIAAAAAAACA5Pv5mAAASbmye+fJTAwqj27LJfuP4/n+4cvts/fv5ReURj3f0r6g07W2SoSerUZ+ycyhTAxNMvKxWoDNQEASlnX0z0AAAA=", want: hello},
	{name: "six", lines: []string{"gzip, gzip, gzip, gzip, gzip, gzip"}, body: gzipHello, fails: true},
	{name: "spaces", lines: []string{"  gzip  "}, body: gzipHello, want: unbase64(gzipHello), rule: trimmed, ours: hello},
	{name: "content-length-kept", lines: []string{"gzip"}, body: gzipHello, want: hello},
	{name: "text", lines: []string{"gzip"}, body: "H4sIAAAAAAACA0tOTDu8EgC1Qq2YBQAAAA==", want: "café"},
	{name: "json", lines: []string{"gzip"}, body: "H4sIAAAAAAACA6tWSlSyUog2jK0FAP8WY3kKAAAA", want: `{"a": [1]}`},
	{name: "stream-chunks", lines: []string{"gzip"}, body: "H4sIAAAAAAACAzMwNDI2MTUzt7A0wMICAJQHXC0eAAAA", want: "012345678901234567890123456789"},
	{name: "stream-chunks-raw-deflate", lines: []string{"deflate"}, body: "MzA0MjYxNTO3sDTAwgIA", want: "012345678901234567890123456789"},
	{name: "bad-then-next", lines: []string{"gzip"}, body: "bm8gZ3ppcA==", fails: true},
	{name: "chunked-gzip-one-byte", lines: []string{"gzip"}, body: "H4sIAAAAAAACAyvJzKsEAMmXuFAEAAAA", want: "tiny"},
	{name: "transfer-gzip", body: "H4sIAAAAAAACA0tMSgYAwkEkNQMAAAA=", want: unbase64("H4sIAAAAAAACA0tMSgYAwkEkNQMAAAA=")},
	{name: "head, 304", lines: []string{"gzip"}},
	{name: "large", lines: []string{"gzip"}, body: "H4sIAAAAAAACA+3BMQEAAADCoKzrX8IaHkABAAAAAAAAAAAAAAAAAAAAAAAA8GAxh73KIE4AAA==", want: strings.Repeat("a", 20000)},
}

const (
	gzipHello = "H4sIAAAAAAACA8tIzcnJV0hJTc5PSU1RKM8vyklRyKCyGADS8IfYZAAAAA=="
	gzipTwice = "H4sIAAAAAAACA5Pv5mAAASbm0x5nT54M9/D0Pefv6RuocV7/lGfgiQWbJBgufWi/kQJUAgCDHR5dKwAAAA=="
)

func unbase64(s string) string {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestRecorded(t *testing.T) {
	t.Parallel()
	for _, tt := range recordedTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := decode(bytes.NewReader([]byte(unbase64(tt.body))), Limits{}, tt.lines...)
			switch {
			case tt.rule != "":
				assert.Equal(t, tt.ours, string(got), tt.rule)
				assert.ErrorIs(t, err, tt.err, tt.rule)
				same := (err != nil) == tt.fails && string(got) == tt.want
				assert.False(t, same, "as recorded, so that no rule is needed")
			case tt.fails:
				require.ErrorAs(t, err, new(*Error))
			default:
				require.NoError(t, err)
				assert.Equal(t, tt.want, string(got))
			}
		})
	}
}
