package conformance

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAnswers shows what each kind of answer and of origin comes to.
func TestAnswers(t *testing.T) {
	const plain = `"raw": "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nanswer"`
	tests := []struct {
		name   string
		origin string
		answer string
		call   string // of the call, besides method and url
		url    string
		want   string // the body, or the error and its bases
	}{
		{"plain", "http://a.test", plain, ``, "http://a.test/", "answer"},
		{"final dot", "http://a.test", plain, ``, "http://a.test./", "answer"},
		{"IPv6", "http://[::1]:8080", plain, ``, "http://[::1]:8080/", "answer"},
		{"drip", "http://a.test", plain + `, "drip": [20, 1]`, ``, "http://a.test/", "answer"},
		{"delay", "http://a.test", plain + `, "delay_ms": 20`, ``, "http://a.test/", "answer"},
		{"truncate", "http://a.test", plain + `, "truncate": 40`, ``, "http://a.test/", "ChunkedEncodingError"},
		{"reset", "http://a.test", `"reset": true`, ``, "http://a.test/", "ConnectionError"},
		{"hang", "http://a.test", `"hang": true`, `, "timeout": [null, 0.05]`, "http://a.test/", "ReadTimeout"},
		{"blackhole", "http://a.test#blackhole", plain, `, "timeout": [0.05, null]`, "http://a.test/", "ConnectTimeout"},
		{"other port", "http://a.test", plain, ``, "http://a.test:81/", "connection refused"},
		{"unknown host", "http://a.test", plain, ``, "http://b.test/", "no such host"},
		{"TLS", "https://a.test:8443", plain, `, "verify": "{CA}"`, "https://a.test:8443/", "answer"},
		{"TLS by a directory", "https://a.test", plain, `, "verify": "{CADIR}"`, "https://a.test/", "answer"},
		{"TLS not trusted", "https://a.test", plain, ``, "https://a.test/", "SSLError"},
		{"TLS of another", "https://a.test", plain, `, "verify": "{OTHER_CA}"`, "https://a.test/", "SSLError"},
		{"self-signed", "https://a.test#selfsigned", plain, `, "verify": "{CA}"`, "https://a.test/", "SSLError"},
		{"wrong host", "https://a.test#wronghost", plain, `, "verify": "{CA}"`, "https://a.test/", "SSLError"},
		{"expired", "https://a.test#expired", plain, `, "verify": "{CA}"`, "https://a.test/", "SSLError"},
		{"expired, not verified", "https://a.test#expired", plain, `, "verify": false`, "https://a.test/", "answer"},
		{"no client certificate", "https://a.test#clientcert", plain, `, "verify": "{CA}"`, "https://a.test/", "ConnectionError"},
		{"client certificate", "https://a.test#clientcert", plain, `, "verify": "{CA}", "cert": "{CLIENT_PEM}"`, "https://a.test/", "answer"},
		{
			"tunnel to nowhere", "http://p.test:1", `"raw": "HTTP/1.1 200 OK\r\n\r\n", "tunnel": true`,
			`, "proxies": [["https", "http://p.test:1"]], "verify": "{CA}"`, "https://a.test/", "ConnectionError",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := run(t, fmt.Sprintf(`[{"name": "t/a", "why": "", "origins": {%q: [{%s}]},
 "calls": [{"method": "GET", "url": %q%s}], "expect": {"wire": [], "outcomes": []}}]`,
				tt.origin, tt.answer, tt.url, tt.call), nil)
			require.Len(t, got.Got["outcomes"], 1, got.Why)
			outcome := got.Got["outcomes"].([]any)[0].(map[string]any)
			if body, ok := outcome["body"].(map[string]any); ok {
				assert.Equal(t, tt.want, body["text"])
				return
			}
			assert.Contains(t, fmt.Sprint(outcome["error"], outcome["bases"], outcome["says"]), tt.want)
		})
	}
}

func TestBadOrigins(t *testing.T) {
	for _, key := range []string{"ftp://a.test", "http://a.test#nonsense", "http://[::1", "a.test"} {
		_, err := newNetwork(nil, map[string][]Answer{key: nil})
		assert.ErrorContains(t, err, key)
	}
}

func TestSplitOrigin(t *testing.T) {
	for key, want := range map[string][]string{
		"http://a.test":             {"http", "a.test", "80", ""},
		"https://A.Test.:8443":      {"https", "a.test", "8443", ""},
		"https://a.test#expired":    {"https", "a.test", "443", "expired"},
		"http://[::1]:8080":         {"http", "::1", "8080", ""},
		"http://a%20b.test":         {"http", "a%20b.test", "80", ""},
		"http://b.test:1#blackhole": {"http", "b.test", "1", "blackhole"},
	} {
		scheme, host, port, suffix, err := splitOrigin(key)
		require.NoError(t, err, key)
		assert.Equal(t, want, []string{scheme, host, port, suffix}, key)
	}
}

func TestReadMessage(t *testing.T) {
	tests := []struct {
		name   string
		text   string
		body   string
		chunks []int
		rest   string
	}{
		{"none", "GET / HTTP/1.1\r\nHost: a\r\n\r\nrest", "", nil, "rest"},
		{"length", "PUT / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabcrest", "abc", nil, "rest"},
		{"chunks", "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nA;x=1\r\n0123456789\r\n0\r\nT: 1\r\n\r\nrest", "ab0123456789", []int{2, 10}, "rest"},
		{"both", "PUT / HTTP/1.1\r\nContent-Length: 99\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", "a", []int{1}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := bufio.NewReader(strings.NewReader(tt.text))
			m, err := readMessage(r)
			require.NoError(t, err)
			assert.Equal(t, tt.body, string(m.body))
			assert.Equal(t, tt.chunks, m.chunks)
			rest, err := r.Peek(r.Buffered())
			require.NoError(t, err)
			assert.Equal(t, tt.rest, string(rest))
		})
	}
	for _, bad := range []string{
		"", "\r\n", "GET / HTTP/1.1\r\n", "P / H\r\nContent-Length: x\r\n\r\n", "P / H\r\nContent-Length: 2\r\n\r\na",
		"P / H\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "P / H\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
	} {
		_, err := readMessage(bufio.NewReader(strings.NewReader(bad)))
		assert.Error(t, err, "%q", bad)
	}
}

// FuzzReadMessage writes what was read anew, and reads the same again.
func FuzzReadMessage(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	f.Add([]byte("PUT / HTTP/1.1\nContent-Length: 1\n\na"))
	f.Add([]byte("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<12 || bytes.Contains(text, []byte("ength")) && !bytes.Contains(text, []byte("Length: 1")) {
			return // no great lengths
		}
		m, err := readMessage(bufio.NewReader(bytes.NewReader(text)))
		if err != nil {
			return
		}
		var b bytes.Buffer
		for _, line := range m.head {
			b.Write(latin1(line))
			b.WriteString("\r\n")
		}
		b.WriteString("\r\n")
		rest := m.body
		for _, n := range m.chunks {
			fmt.Fprintf(&b, "%x\r\n%s\r\n", n, rest[:n])
			rest = rest[n:]
		}
		b.Write(rest)
		if m.chunked {
			b.WriteString("0\r\n\r\n")
		}
		again, err := readMessage(bufio.NewReader(&b))
		require.NoError(t, err)
		assert.Equal(t, m.head, again.head)
		assert.Equal(t, string(m.body), string(again.body))
		assert.Equal(t, m.chunks, again.chunks)
	})
}
