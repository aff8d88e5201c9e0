package tunnel

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestConnectRequest(t *testing.T) {
	tests := []struct {
		name   string
		target string
		header []Field
		want   string
	}{
		{"plain", "a.test:443", nil, "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n"},
		{"ipv6", "[::1]:8443", nil, "CONNECT [::1]:8443 HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n"},
		{
			"fields keep order and spelling", "a.test:443",
			[]Field{{"proxy-AUTHORIZATION", "Basic dTpw"}, {"X-A", ""}, {"X-A", "caf\xe9\t2"}},
			"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\nproxy-AUTHORIZATION: Basic dTpw\r\nX-A: \r\nX-A: caf\xe9\t2\r\n\r\n",
		},
		{
			"a Host given replaces ours", "a.test:443",
			[]Field{{"X", "1"}, {"hOST", "b.test"}},
			"CONNECT a.test:443 HTTP/1.1\r\nX: 1\r\nhOST: b.test\r\n\r\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn := said("HTTP/1.1 200 Connection established\r\n\r\n")
			got, err := Connect(t.Context(), conn, tt.target, tt.header, Limits{})
			require.NoError(t, err)
			assert.Same(t, conn, got, "nothing came early, so nothing wraps")
			assert.Equal(t, tt.want, conn.sent.String())
		})
	}
}

func TestConnectInput(t *testing.T) {
	tests := []struct {
		name   string
		target string
		header []Field
		field  string
	}{
		{"no port", "a.test", nil, "target"},
		{"empty port", "a.test:", nil, "target"},
		{"named port", "a.test:https", nil, "target"},
		{"port too great", "a.test:65536", nil, "target"},
		{"signed port", "a.test:+1", nil, "target"},
		{"no host", ":443", nil, "target"},
		{"bare IPv6", "::1:443", nil, "target"},
		{"name in brackets", "[a.test]:443", nil, "target"},
		{"IPv4 in brackets", "[127.0.0.1]:443", nil, "target"},
		{"injected line", "a.test\r\nX: y:443", nil, "target"},
		{"space", "a test:443", nil, "target"},
		{"NUL", "a\x00.test:443", nil, "target"},
		{"not ASCII", "é.test:443", nil, "target"},
		{"userinfo", "u@a.test:443", nil, "target"},
		{"path", "a.test/x:443", nil, "target"},
		{"empty name", "a.test:1", []Field{{"", "secret"}}, "header name"},
		{"name with colon", "a.test:1", []Field{{"A:", "secret"}}, "header name"},
		{"name with line end", "a.test:1", []Field{{"A\r\nB", "secret"}}, "header name"},
		{"CR", "a.test:1", []Field{{"A", "secret\rB: c"}}, "value of header A"},
		{"LF", "a.test:1", []Field{{"A", "secret\nB: c"}}, "value of header A"},
		{"NUL", "a.test:1", []Field{{"A", "secret\x00"}}, "value of header A"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn := said("HTTP/1.1 200 OK\r\n\r\n")
			_, err := Connect(t.Context(), conn, tt.target, tt.header, Limits{})
			var input *InputError
			require.ErrorAs(t, err, &input)
			assert.Equal(t, tt.field, input.Field)
			assert.ErrorContains(t, err, "tunnel: invalid "+tt.field+": ")
			assert.NotContains(t, err.Error(), "secret")
			assert.Empty(t, conn.sent.String(), "bytes were sent")
		})
	}
}

// TestConnectOpens has answers that open the tunnel, and what of them is left
// for the caller.
func TestConnectOpens(t *testing.T) {
	tests := []struct {
		name   string
		answer string
		early  string
	}{
		{"plain", "HTTP/1.1 200 Connection established\r\n\r\n", ""},
		{"1.0", "HTTP/1.0 200 OK\r\n\r\n", ""},
		{"no reason", "HTTP/1.1 200\r\n\r\n", ""},
		{"empty reason", "HTTP/1.1 200 \r\n\r\n", ""},
		{"two spaces", "HTTP/1.1  200 OK\r\n\r\n", ""},
		{"bare line feeds", "HTTP/1.1 200 OK\nA: b\n\n", ""},
		{"fields that are none", "HTTP/1.1 200 OK\r\n???\r\n: x\r\n\r\n", ""},
		{"long field", "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", 60000) + "\r\n\r\n", ""},
		{"early bytes", "HTTP/1.1 200 OK\r\n\r\n\x16\x03\x01", "\x16\x03\x01"},
		{"early line ends", "HTTP/1.1 200 OK\r\n\r\n\r\n\r\n", "\r\n\r\n"},
		{"length ignored", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhello", "hello"},
		{"coding ignored", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "0\r\n\r\n"},
		{"interim", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\nx", "x"},
		{"five interim", strings.Repeat("HTTP/1.1 102 P\r\n\r\n", 5) + "HTTP/1.1 200 OK\r\n\r\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, sizes := range [][]byte{nil, {1}, {7, 0, 3}} {
				conn := said(tt.answer)
				conn.sizes = sizes
				got, err := Connect(t.Context(), conn, "a.test:443", nil, Limits{})
				require.NoError(t, err)
				rest, err := io.ReadAll(got)
				require.NoError(t, err)
				assert.Equal(t, tt.early, string(rest))
			}
		})
	}
}

// TestConnectPipe plays a tunnel through, with a proxy that sends its answer
// together with the target's first bytes and goes on afterwards.
func TestConnectPipe(t *testing.T) {
	conn, proxy := pipe(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		proxy.expect("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n")
		proxy.say("HTTP/1.1 200 OK\r\n\r\nhel")
		proxy.expect("hi")
		proxy.say("lo")
		proxy.Close()
	}()
	got, err := Connect(t.Context(), conn, "a.test:443", nil, Limits{})
	require.NoError(t, err)
	_, err = io.WriteString(got, "hi")
	require.NoError(t, err)
	rest, err := io.ReadAll(got)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(rest))
	<-done
}

func TestConnectProtocolError(t *testing.T) {
	tests := []struct {
		name   string
		answer string
		lim    Limits
		reason string
	}{
		{"garbage", "SSH-2.0-OpenSSH\r\n", Limits{}, "not HTTP"},
		{"TLS alert", "\x15\x03\x01\x00\x02\x02\x46", Limits{}, "not HTTP"},
		{"lower case", "http/1.1 200 OK\r\n\r\n", Limits{}, "not HTTP"},
		{"blank line first", "\r\nHTTP/1.1 200 OK\r\n\r\n", Limits{}, "not HTTP"},
		{"no status", "HTTP/1.1\r\n\r\n", Limits{}, "malformed"},
		{"two digits", "HTTP/1.1 20\r\n\r\n", Limits{}, "malformed"},
		{"four digits", "HTTP/1.1 2000 OK\r\n\r\n", Limits{}, "malformed"},
		{"signed", "HTTP/1.1 +20 OK\r\n\r\n", Limits{}, "malformed"},
		{"below 100", "HTTP/1.1 099 OK\r\n\r\n", Limits{}, "malformed"},
		{"words", "HTTP/1.1 two OK\r\n\r\n", Limits{}, "malformed"},
		{"12 MiB head", "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 2<<20), Limits{}, "too large"},
		{"12 MiB line", "HTTP/1.1 200 " + strings.Repeat("x", 12<<20), Limits{}, "too large"},
		{"one byte too large", "HTTP/1.1 200 OK\r\n\r\n", Limits{Head: 18}, "too large"},
		{"too large with interim", "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", Limits{Head: 36}, "too large"},
		{"six interim", strings.Repeat("HTTP/1.1 102 P\r\n\r\n", 6) + "HTTP/1.1 200 OK\r\n\r\n", Limits{}, "more than 5 interim"},
		{"two interim", strings.Repeat("HTTP/1.1 102 P\r\n\r\n", 2) + "HTTP/1.1 200 OK\r\n\r\n", Limits{Interim: 1}, "more than 1 interim"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn := said(tt.answer)
			_, err := Connect(t.Context(), conn, "a.test:443", nil, tt.lim)
			var protocol *ProtocolError
			require.ErrorAs(t, err, &protocol)
			assert.Equal(t, "CONNECT", protocol.Protocol)
			assert.NoError(t, protocol.Unwrap())
			assert.ErrorContains(t, err, tt.reason)
			read := len(tt.answer) - len(conn.script)
			assert.LessOrEqual(t, read, 64<<10+8<<10, "read on after the limit")
		})
	}
	t.Run("limits are inclusive", func(t *testing.T) {
		conn := said("HTTP/1.1 200 OK\r\n\r\n")
		_, err := Connect(t.Context(), conn, "a.test:443", nil, Limits{Head: 19})
		assert.NoError(t, err)
	})
	// A peer of another protocol sends a little and then waits for us.
	t.Run("garbage is seen at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			conn, proxy := pipe(t)
			go func() {
				_, _ = http.ReadRequest(bufio.NewReader(proxy))
				proxy.say("?")
			}()
			start := time.Now()
			_, err := Connect(t.Context(), conn, "a.test:443", nil, Limits{})
			assert.ErrorContains(t, err, "not HTTP")
			assert.Zero(t, time.Since(start))
		})
	})
}

func TestConnectRefused(t *testing.T) {
	long := strings.Repeat("x", 5000)
	tests := []struct {
		name   string
		answer string
		want   RefusedError
		text   string
	}{
		{
			"407", "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\nContent-Length: 4\r\n\r\nauthXXX",
			RefusedError{
				"407 Proxy Authentication Required", 407,
				http.Header{"Proxy-Authenticate": {"Basic"}, "Content-Length": {"4"}},
				[]byte("auth"),
			},
			"tunnel: proxy refused CONNECT: 407 Proxy Authentication Required (missing or wrong proxy credentials)",
		},
		{
			"302", "HTTP/1.1 302 Found\r\nLocation: http://a.test/\r\nContent-Length: 0\r\n\r\n",
			RefusedError{"302 Found", 302, http.Header{"Location": {"http://a.test/"}, "Content-Length": {"0"}}, []byte{}},
			"tunnel: proxy refused CONNECT: 302 Found",
		},
		{
			"201 has no body", "HTTP/1.1 201 Created\r\n\r\nabc",
			RefusedError{"201 Created", 201, http.Header{}, nil},
			"tunnel: proxy refused CONNECT: 201 Created",
		},
		{
			"101 is no interim answer", "HTTP/1.1 101 Switching Protocols\r\n\r\nabc",
			RefusedError{"101 Switching Protocols", 101, http.Header{}, nil},
			"tunnel: proxy refused CONNECT: 101 Switching Protocols",
		},
		{
			"304 has no body", "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\nabc",
			RefusedError{"304 Not Modified", 304, http.Header{"Content-Length": {"3"}}, nil},
			"tunnel: proxy refused CONNECT: 304 Not Modified",
		},
		{
			"chunked", "HTTP/1.1 502 Bad Gateway\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nno\r\n1\r\n!\r\n0\r\n\r\nXX",
			RefusedError{"502 Bad Gateway", 502, http.Header{"Transfer-Encoding": {"Chunked"}}, []byte("no!")},
			"tunnel: proxy refused CONNECT: 502 Bad Gateway",
		},
		{
			"to the end", "HTTP/1.0 403 Forbidden\r\n\r\n" + long,
			RefusedError{"403 Forbidden", 403, http.Header{}, []byte(long[:4096])},
			"tunnel: proxy refused CONNECT: 403 Forbidden",
		},
		{
			"cut body", "HTTP/1.1 500 Oops\r\nContent-Length: 9999999999\r\n\r\n" + long[:100],
			RefusedError{"500 Oops", 500, http.Header{"Content-Length": {"9999999999"}}, []byte(long[:100])},
			"tunnel: proxy refused CONNECT: 500 Oops",
		},
		{
			"bad length", "HTTP/1.1 500 Oops\r\nContent-Length: -1\r\n\r\nabc",
			RefusedError{"500 Oops", 500, http.Header{"Content-Length": {"-1"}}, nil},
			"tunnel: proxy refused CONNECT: 500 Oops",
		},
		{
			"no reason", "HTTP/1.1 999\r\nContent-Length: 0\r\n\r\n",
			RefusedError{"999", 999, http.Header{"Content-Length": {"0"}}, []byte{}},
			"tunnel: proxy refused CONNECT: 999",
		},
		{
			"unprintable reason", "HTTP/1.1 500 a\x1b[2Jb\r\nContent-Length: 0\r\n\r\n",
			RefusedError{"500 a\x1b[2Jb", 500, http.Header{"Content-Length": {"0"}}, []byte{}},
			`tunnel: proxy refused CONNECT: "500 a\x1b[2Jb"`,
		},
		{
			"fields", "HTTP/1.1 503 S\nA: 1\n folded\n\t twice \nno field\n lost\na:2\nB C: 3\nContent-Length:0\n\n",
			RefusedError{"503 S", 503, http.Header{"A": {"1 folded twice", "2"}, "Content-Length": {"0"}}, []byte{}},
			"tunnel: proxy refused CONNECT: 503 S",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, sizes := range [][]byte{nil, {1}} {
				conn := said(tt.answer)
				conn.sizes = sizes
				got, err := Connect(t.Context(), conn, "a.test:443", nil, Limits{})
				assert.Nil(t, got)
				var refused *RefusedError
				require.ErrorAs(t, err, &refused)
				assert.Equal(t, tt.want, *refused)
				assert.EqualError(t, err, tt.text)
			}
		})
	}
	t.Run("limit", func(t *testing.T) {
		conn := said("HTTP/1.1 500 Oops\r\n\r\nabc")
		_, err := Connect(t.Context(), conn, "a.test:443", nil, Limits{Body: 2})
		var refused *RefusedError
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, "ab", string(refused.Body))
	})
}

// TestConnectRefusedBodyStalls has a proxy refuse and then keep the body back:
// the refusal is told all the same, and before the context ends.
func TestConnectRefusedBodyStalls(t *testing.T) {
	tests := []struct {
		name string
		wait time.Duration // Limits.BodyWait
		ctx  time.Duration // when the context ends
		want time.Duration // when the call returns
	}{
		{"default", 0, time.Minute, time.Second},
		{"given", 2 * time.Second, time.Minute, 2 * time.Second},
		{"context ends first", 0, time.Second / 2, time.Second / 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn, proxy := pipe(t)
				go func() {
					_, _ = http.ReadRequest(bufio.NewReader(proxy))
					proxy.say("HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\npart")
				}()
				ctx, cancel := context.WithTimeout(t.Context(), tt.ctx)
				defer cancel()
				start := time.Now()
				_, err := Connect(ctx, conn, "a.test:443", nil, Limits{BodyWait: tt.wait})
				var refused *RefusedError
				require.True(t, errors.As(err, &refused), "%v", err)
				assert.Equal(t, "part", string(refused.Body))
				assert.Equal(t, tt.want, time.Since(start))
			})
		})
	}
}

// FuzzConnectAnswer splits an answer in two ways and compares everything that
// comes of it; a net/http that takes the answer must agree about it.
func FuzzConnectAnswer(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\n\r\nearly", "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 407 Auth\r\nA: 1\r\n x\r\nContent-Length: 2\r\n\r\nabc", "HTTP/1.0 502 B\n\nbody",
		"HTTP/1.1 500 B\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "HTTP/1.1 20\r\n\r\n", "SSH-2.0", "",
	} {
		f.Add([]byte(seed), []byte{1})
		f.Add([]byte(seed), []byte{5, 0, 2})
	}
	f.Fuzz(func(t *testing.T, answer, sizes []byte) {
		run := func(sizes []byte) (rest []byte, err error) {
			conn := &scriptConn{script: answer, sizes: sizes}
			got, err := Connect(t.Context(), conn, "a.test:443", nil, Limits{Head: 200, Body: 20})
			if err != nil {
				return nil, err
			}
			return io.ReadAll(got)
		}
		rest, err := run(nil)
		splitRest, splitErr := run(sizes)
		assert.Equal(t, err, splitErr)
		assert.Equal(t, rest, splitRest)

		res, oracleErr := http.ReadResponse(bufio.NewReader(strings.NewReader(string(answer))), nil)
		if err == nil {
			assert.True(t, strings.HasSuffix(string(answer), string(rest)))
			if oracleErr == nil && res.StatusCode/100 != 1 {
				assert.Equal(t, 200, res.StatusCode)
			}
		}
		if refused, ok := errors.AsType[*RefusedError](err); ok {
			assert.NotEqual(t, 200, refused.StatusCode)
			assert.LessOrEqual(t, len(refused.Body), 20)
			if oracleErr == nil && (res.StatusCode/100 != 1 || res.StatusCode == 101) {
				assert.Equal(t, res.StatusCode, refused.StatusCode)
			}
		}
	})
}

// FuzzConnectRequest has net/http read what was built: either the arguments
// are refused, or the request says them and nothing else.
func FuzzConnectRequest(f *testing.F) {
	f.Add("a.test:443", "Proxy-Authorization", "Basic dTpw")
	f.Add("[::1]:0", "Host", "b.test")
	f.Add("a.test:443\r\nX: y", "A", "b\r\nC: d")
	f.Fuzz(func(t *testing.T, target, name, value string) {
		b, err := connectRequest(target, []Field{{name, value}})
		if err != nil {
			var input *InputError
			require.ErrorAs(t, err, &input)
			return
		}
		lines := strings.Split(string(b), "\r\n")
		want := []string{"CONNECT " + target + " HTTP/1.1", "Host: " + target, name + ": " + value, "", ""}
		if strings.EqualFold(name, "Host") {
			want = append(want[:1], want[2:]...)
		}
		assert.Equal(t, want, lines)
		for _, line := range lines {
			assert.NotContains(t, line, "\n")
			assert.NotContains(t, line, "\r")
		}
	})
}
