package wire

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// headSeeds are responses from their first byte on, as a connection reads them.
var headSeeds = []string{
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more",
	"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
	"HTTP/1.1 200 OK\r\ncontent-length:2\r\nCONTENT-LENGTH: 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\nContent-Length: x\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nok\r\n0\r\n\r\n",
	"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1  100 Continue\r\n\r\nHTTP/1.1  204 No Content\r\nContent-Length: 2\r\n\r\n",
	"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n",
	"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nanything",
	"HTTP/1.1 200 OK\r\nX: a\r\n Content-Length: 3\r\nC\r\nTE: t\r\nT: \r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\n\r\n\r\n",
	"\n\n",
	"\n\n 1",
	"",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2;x=y\r\nok\r\n0 \r\nX: y\r\nZ: \r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\nHTTP/1.1 200 OK\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0000000000000000\r\n\r\nmore",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nok",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\n0\n\n",
	"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200\nConnection: keep-alive\nContent-Length:  2 \n\nok",
	"HTTP/1.1 200 OK\r\nContent-Length: 02\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nX Y: z\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
}

// watched is what a headWatch made of a response.
type watched struct {
	head      string // of the final response
	heads     int    // times that it told of one
	done      bool
	size      int64
	expect    int64
	own       int  // bytes that are the response's
	over      bool // all of it came
	keptBytes int  // of a head that is not whole
}

// watch has a headWatch follow a response that comes in pieces of the lengths
// given, in turn; without any it comes in one.
func watch(b []byte, bodiless bool, pieces []byte) watched {
	var h headWatch
	var w watched
	for i := 0; len(b) > 0; i++ {
		n := len(b)
		if len(pieces) > 0 {
			n = min(n, int(pieces[i%len(pieces)])+1)
		}
		w.own += h.take(1, bodiless, b[:n:n])
		if h.head != nil {
			w.head = string(h.head)
			w.heads++
		}
		b = b[n:]
	}
	w.done, w.size, w.expect, w.over = h.done, h.size, h.expect, h.end.state == endOver
	if !h.done {
		w.keptBytes = len(h.buf)
	}
	return w
}

// FuzzHeadWatch: however a response is cut into reads, the same is known of it; and
// where net/http takes its head, both agree on its fields and the body's length.
func FuzzHeadWatch(f *testing.F) {
	for _, seed := range headSeeds {
		f.Add([]byte(seed), false, []byte{0})
		f.Add([]byte(seed), true, []byte{2, 7, 1})
	}
	f.Fuzz(func(t *testing.T, b []byte, bodiless bool, pieces []byte) {
		if len(b) >= maxWatchedHead {
			return // only what a single read brings is looked at whole
		}
		whole := watch(b, bodiless, nil)
		require.Equal(t, whole, watch(b, bodiless, pieces))
		require.LessOrEqual(t, whole.heads, 1)
		agreeOnFields(t, whole.head)
		agreeOnLength(t, b, bodiless, whole)
		agreeOnEnd(t, b, bodiless, whole)
		agreeOnWhole(t, b, bodiless)
	})
}

// agreeOnFields: net/http takes the same fields from a head, but for those that it
// keeps elsewhere.
func agreeOnFields(t *testing.T, head string) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(head)), &http.Request{Method: http.MethodHead})
	_, rest := CutLine(head)
	got := http.Header{}
	for {
		f, after, ok := CutField(rest)
		if !ok {
			break
		}
		require.Less(t, len(after), len(rest))
		got.Add(f.Name, f.Value)
		rest = after
	}
	if err != nil {
		return
	}
	for _, name := range []string{"Connection", "Content-Length", "Transfer-Encoding", "Trailer"} {
		got.Del(name)
		resp.Header.Del(name)
	}
	if got.Get("Cache-Control") == "" && resp.Header.Get("Cache-Control") == "no-cache" {
		resp.Header.Del("Cache-Control") // it makes that of a Pragma
		got.Del("Cache-Control")
	}
	require.Equal(t, resp.Header, got)
}

// agreeOnWhole: a response that is taken whole is one that net/http takes, with the
// same body; and of what is left to it, it thinks the same about the connection.
func agreeOnWhole(t *testing.T, b []byte, bodiless bool) {
	t.Helper()
	var h headWatch
	b = bytes.Clone(b)
	own := h.take(1, bodiless, b)
	if !h.whole {
		return
	}
	req := &http.Request{Method: http.MethodGet}
	if bodiless {
		req.Method = http.MethodHead
	}
	read := func(b []byte) (*http.Response, []byte, error) {
		r := bufio.NewReaderSize(bytes.NewReader(b), max(len(b), 16))
		resp, err := http.ReadResponse(r, req)
		for err == nil && resp.StatusCode/100 == 1 {
			resp, err = http.ReadResponse(r, req)
		}
		if err != nil {
			return nil, nil, err // of an interim head
		}
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Zero(t, r.Buffered())
		return resp, body, nil
	}
	resp, body, err := read(b[:own])
	if err != nil {
		_, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(h.head)), req)
		require.NoError(t, err)
		return
	}
	require.Equal(t, string(body), string(b[own-h.body:own]))
	from := own - h.body - len(h.head)
	status := string(h.head[len("HTTP/1.1 "):][:3])
	require.Equal(t, strconv.Itoa(resp.StatusCode), status)
	bare, none, err := read(b[:from+len(h.appendBare(b[from:from]))])
	require.NoError(t, err)
	require.Empty(t, none)
	if !bodiless { // else it has no body in any case
		require.Zero(t, bare.ContentLength)
	}
	require.Equal(t, http.NoBody, bare.Body)
	require.Equal(t, resp.Close, bare.Close)
	require.Equal(t, resp.Proto, bare.Proto)
}

// agreeOnEnd: net/http makes the same of the response without what lies beyond
// it, and reads it to its last byte.
func agreeOnEnd(t *testing.T, b []byte, bodiless bool, w watched) {
	t.Helper()
	read := func(b []byte) (body string, trailer http.Header, left int, err error) {
		req := &http.Request{Method: http.MethodGet}
		if bodiless {
			req.Method = http.MethodHead
		}
		r := bufio.NewReaderSize(bytes.NewReader(b), max(len(b), 16))
		resp, err := http.ReadResponse(r, req)
		for err == nil && resp.StatusCode/100 == 1 && resp.StatusCode != http.StatusSwitchingProtocols {
			resp, err = http.ReadResponse(r, req)
		}
		if err != nil {
			return "", nil, 0, err
		}
		if resp.ProtoMajor == 1 && resp.ProtoMinor == 0 && w.expect < 0 {
			return "", nil, 0, io.ErrNoProgress // a coding that this version does not have: nobody takes it
		}
		all, err := io.ReadAll(resp.Body)
		return string(all), resp.Trailer, r.Buffered(), err
	}
	body, trailer, _, err := read(b)
	if err != nil {
		return
	}
	ownBody, ownTrailer, left, err := read(b[:w.own])
	require.NoError(t, err)
	require.Equal(t, body, ownBody)
	require.Equal(t, trailer, ownTrailer)
	if w.over {
		require.Zero(t, left)
	}
}

// agreeOnLength compares what is expected of a body with what net/http says of
// it.
func agreeOnLength(t *testing.T, b []byte, bodiless bool, w watched) {
	t.Helper()
	req := &http.Request{Method: http.MethodGet}
	if bodiless {
		req.Method = http.MethodHead
	}
	r := bufio.NewReader(bytes.NewReader(b))
	resp, err := http.ReadResponse(r, req)
	for err == nil && resp.StatusCode/100 == 1 && resp.StatusCode != http.StatusSwitchingProtocols {
		resp, err = http.ReadResponse(r, req) // As the transport passes over them.
	}
	if err != nil || resp.StatusCode == http.StatusSwitchingProtocols {
		return // No length: what follows a switch is another protocol.
	}
	require.True(t, w.done, "the head is whole")
	switch {
	case bodiless:
		require.Zero(t, w.expect) // net/http tells the length of what is not sent.
	case !resp.ProtoAtLeast(1, 1) && w.expect < 0:
		// A coding that this version does not have: nobody takes the response.
	case resp.ContentLength >= 0:
		require.Equal(t, resp.ContentLength, w.expect)
	default:
		require.Negative(t, w.expect)
	}
}

// TestHeadWatch tells what some heads come to.
func TestHeadWatch(t *testing.T) {
	tests := []struct {
		name     string
		response string
		bodiless bool
		expect   int64
		beyond   int  // bytes that answer nothing
		whole    bool // nothing about it is odd
	}{
		{"one length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, 2, 0, true},
		{"more than that", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP", false, 2, 4, true},
		{"none", "HTTP/1.1 200 OK\r\n\r\nok", false, -1, 0, false},
		{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", true, 0, 0, true},
		{"HEAD with a body", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true, 0, 2, true},
		{"not modified", "HTTP/1.1 304 Not Modified\nContent-Length: 2\nConnection: close\n\n", false, 0, 0, true},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCONTENT-length:3\r\n\r\nok", false, 2, 0, false},
		{"two equal lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", false, -1, 0, false},
		{"no length", "HTTP/1.1 204 No Content\r\nContent-Length: x\r\n\r\n", false, 0, 0, false},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n", false, -1, 0, false},
		{"coding of HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", true, 0, 0, false},
		{"folded", "HTTP/1.1 200 OK\r\nContent-Length: \r\n\t2\r\nX: 1\r\n Content-Length: 3\r\n\r\nok", false, 2, 0, false},
		{"a folded length", "HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\n\r\nok", false, 2, 0, false},
		{"a tab", "HTTP/1.1 200 OK\r\nX: a\tb\r\nContent-Length: 2\r\n\r\nok", false, 2, 0, true},
		{"a version that is none", "HTTP/1.x 200 OK\r\nContent-Length: 2\r\n\r\nok", false, 2, 0, false},
		{"two of Connection", "HTTP/1.1 200 OK\r\nConnection: a\r\nConnection: b\r\nContent-Length: 2\r\n\r\nok", false, 2, 0, false},
		{"a control character", "HTTP/1.1 200 OK\r\nX: a\x01\r\nContent-Length: 2\r\n\r\nok", false, 2, 0, false},
		{"a name that is no token", "HTTP/1.1 200 OK\r\nX Y: a\r\nContent-Length: 2\r\n\r\nok", false, 2, 0, false},
		{"another protocol", "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false, 2, 0, false},
		{"status behind two blanks", "HTTP/1.1  204 No Content\r\n\r\nx", false, 0, 1, false},
		{"interim behind two blanks", "HTTP/1.1  100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, 2, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := watch([]byte(tt.response), tt.bodiless, nil)
			assert.True(t, got.done)
			assert.Equal(t, tt.expect, got.expect)
			assert.Equal(t, len(tt.response)-tt.beyond, got.own)
			var h headWatch
			h.take(1, tt.bodiless, []byte(tt.response))
			assert.Equal(t, tt.whole, h.whole)
		})
	}
}

// Fields are in the server's order and spelling, with the blanks around their values
// dropped and folded lines joined.
func TestCutField(t *testing.T) {
	status, rest := CutLine("HTTP/1.1 200 OK\r\nb: 2\r\nA:\t1 \nb:\r\nX: a,\r\n \t b\r\n  \r\n c\r\nY:\r\n y\r\n\r\n")
	assert.Equal(t, "HTTP/1.1 200 OK", status)
	var got []Field
	for {
		f, after, ok := CutField(rest)
		if !ok {
			break
		}
		got, rest = append(got, f), after
	}
	assert.Equal(t, []Field{{"b", "2"}, {"A", "1"}, {"b", ""}, {"X", "a, b  c"}, {"Y", "y"}}, got)
}

// BenchmarkHeadWatch follows a response that one read brings, and one that
// comes in pieces.
func BenchmarkHeadWatch(b *testing.B) {
	response := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\n" +
		"Cache-Control: no-cache\r\nX-Served-By: a\r\nContent-Length: 2\r\n\r\nok")
	for _, size := range []int{len(response), 16} {
		b.Run(fmt.Sprintf("read=%d", size), func(b *testing.B) {
			b.SetBytes(int64(len(response)))
			b.ReportAllocs()
			var h headWatch
			for turn := int64(1); b.Loop(); turn++ {
				for rest := response; len(rest) > 0; {
					n := min(size, len(rest))
					h.take(turn, false, rest[:n])
					rest = rest[n:]
				}
				if h.expect != 2 || h.end.state != endOver {
					b.Fatal("the length was missed")
				}
			}
		})
	}
}
