//go:build unix

package requests_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
)

// ask sends a GET to a site with one answer, on a session that has a
// connection to it already, and another request after it. It returns what came
// of the first one, and how many connections all of it took.
func ask(t *testing.T, answer string, opts ...requests.Option) (r *requests.Response, err error, conns int) {
	t.Helper()
	w := newWorld(t)
	a := w.at("http://a.test", answerOK, answer, answerOK)
	s := w.session()
	get(t, s, "http://a.test/")
	r, err = s.Get(t.Context(), "http://a.test/hostile", opts...)
	if err != nil {
		cleanError(t, err)
	}
	assert.Equal(t, "ok", get(t, s, "http://a.test/next").Text(), "the answer after")
	return r, err, a.accepted()
}

// cleanError fails where an error's text is more than a short line.
func cleanError(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, requests.ErrRequest)
	assert.LessOrEqual(t, len(err.Error()), 1024)
	assert.Equal(t, printableText(err.Error()), err.Error())
}

// refused wants an error of a kind, and another connection after it.
func refused(t *testing.T, answer string, kind error) {
	t.Helper()
	_, err, conns := ask(t, answer)
	require.ErrorIs(t, err, kind, "%q", clip(answer))
	require.NotErrorIs(t, err, requests.ErrTimeout, "%q", clip(answer))
	assert.Equal(t, 2, conns, "%q: the connection goes on", clip(answer))
}

// chunked is an answer in chunks, as they are given.
func chunked(body string, lines ...string) string {
	return raw(append([]string{"Transfer-Encoding: chunked"}, append(lines, "", body)...)...)
}

func TestAdvisory111_ChunkGrammar(t *testing.T) {
	for name, body := range map[string]string{
		"no number":        "zz\r\nhello\r\n0\r\n\r\n",
		"prefix":           "0x5\r\nhello\r\n0\r\n\r\n",
		"sign":             "+5\r\nhello\r\n0\r\n\r\n",
		"negative":         "-5\r\nhello\r\n0\r\n\r\n",
		"blank before":     " 5\r\nhello\r\n0\r\n\r\n",
		"empty":            "\r\nhello\r\n0\r\n\r\n",
		"17 digits":        "00000000000000005\r\nhello\r\n0\r\n\r\n",
		"bare LF":          "5\nhello\r\n0\r\n\r\n",
		"no CRLF behind":   "5\r\nhello0\r\n\r\n",
		"bare LF behind":   "5\r\nhello\n0\r\n\r\n",
		"more than said":   "4\r\nhello\r\n0\r\n\r\n",
		"underscore":       "1_0\r\nhello\r\n0\r\n\r\n",
		"bare CR":          "5\rhello\r\n0\r\n\r\n",
		"NUL":              "5\x00\r\nhello\r\n0\r\n\r\n",
		"bad second chunk": "5\r\nhello\r\nx\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) { refused(t, chunked(body), requests.ErrChunkedEncoding) })
	}
}

func TestAdvisory112_ChunkExtensions(t *testing.T) {
	refused(t, chunked("5;"+strings.Repeat("x", 1<<20)+"\r\nhello\r\n0\r\n\r\n"), requests.ErrChunkedEncoding)
	refused(t, chunked(strings.Repeat("1;"+strings.Repeat("x", 16)+"\r\na\r\n", 100_000)+"0\r\n\r\n"), requests.ErrChunkedEncoding)
	r, err, conns := ask(t, chunked("5;a=b;c=\"d\"\r\nhello\r\n0\r\n\r\n"))
	require.NoError(t, err)
	assert.Equal(t, "hello", r.Text())
	assert.Equal(t, 1, conns)
}

func TestAdvisory113_Trailers(t *testing.T) {
	refused(t, chunked("5\r\nhello\r\n0\r\n"+strings.Repeat("X-A: "+strings.Repeat("b", 1000)+"\r\n", 2000)+"\r\n"), requests.ErrChunkedEncoding)
	refused(t, chunked("5\r\nhello\r\n0\r\nX-A: "+strings.Repeat("b", 2<<20)+"\r\n\r\n"), requests.ErrChunkedEncoding)
	refused(t, chunked("5\r\nhello\r\n0\r\nX-A\r\n\r\n"), requests.ErrChunkedEncoding)
	r, err, conns := ask(t, chunked("5\r\nhello\r\n0\r\nX-A: b\r\n\r\n", "Trailer: X-A"))
	require.NoError(t, err)
	assert.Equal(t, "b", r.Trailers().Get("X-A"))
	assert.Equal(t, 1, conns)
}

func TestAdvisory114_Lengths(t *testing.T) {
	for _, lines := range [][]string{
		{"Content-Length: 2", "Content-Length: 3"},
		{"Content-Length: +2"},
		{"Content-Length: -2"},
		{"Content-Length: 2, 2"},
		{"Content-Length: 2, 3"},
		{"Content-Length:"},
		{"Content-Length: 99999999999999999999"},
		{"Content-Length: 2abc"},
		{"Content-Length: 0x2"},
		{"Content-Length: 2.0"},
		{"Content-Length: 2;"},
		{"Content-Length: 1_0"},
		{"Content-Length: \"2\""},
		{"Content-Length: 2", "Content-Length: +2"},
	} {
		t.Run(strings.Join(lines, " and "), func(t *testing.T) { refused(t, raw(append(lines, "", "ok")...), requests.ErrConnection) })
	}
	r, err, conns := ask(t, raw("Content-Length: 2", "Content-Length: 2", "", "ok"))
	require.NoError(t, err)
	assert.Equal(t, "ok", r.Text())
	assert.Equal(t, 1, conns)
	for _, lines := range [][]string{{"Content-Length: 2"}, {"Content-Length: 100"}, {"content-length: 0"}} {
		r, err, conns = ask(t, chunked("5\r\nhello\r\n0\r\n\r\n", lines...))
		require.NoError(t, err)
		assert.Equal(t, "hello", r.Text(), "chunks count")
		assert.Equal(t, 2, conns, "two framings: nobody knows where the next answer begins")
	}
}

func TestAdvisory115_BlanksInFraming(t *testing.T) {
	for _, line := range []string{"Content-Length : 2", "Content-Length\t: 2", "Transfer-Encoding : chunked", " Content-Length: 2", "Content Length: 2"} {
		refused(t, raw(line, "", "ok"), requests.ErrConnection)
	}
	const body = "5\r\nhello\r\n0\r\n\r\n"
	for _, line := range []string{"Transfer-Encoding:\r\n chunked", "Transfer-Encoding:\r\n\tchunked"} {
		r, err, _ := ask(t, raw(line, "", body))
		require.NoError(t, err, "%q", line)
		assert.Equal(t, "hello", r.Text(), "%q", line)
	}
	refused(t, raw("Transfer-Encoding: chunked\r\n ", "", body), requests.ErrConnection)
}

func TestAdvisory116_ChunksOfHTTP10(t *testing.T) {
	w := newWorld(t)
	w.hosts["b.test:80"] = w.listenOnce("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
	_, err := w.session().Get(t.Context(), "http://b.test/")
	require.ErrorIs(t, err, requests.ErrConnection, "the framing is no content")
	cleanError(t, err)
}

// listenOnce answers each connection's first request, and ends it.
func (w *world) listenOnce(answer string) (addr string) {
	return w.listen(func(c net.Conn) {
		if _, err := readHead(bufio.NewReader(c)); err != nil {
			return
		}
		_, _ = io.WriteString(c, answer)
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	})
}

func TestAdvisory117_TransferCodings(t *testing.T) {
	for _, lines := range [][]string{
		{"Transfer-Encoding: gzip, chunked"},
		{"Transfer-Encoding: xchunked"},
		{"Transfer-Encoding: chunked", "Transfer-Encoding: chunked"},
		{"Transfer-Encoding: chunked, chunked"},
		{"Transfer-Encoding: chunked, identity"},
		{"Transfer-Encoding: \"chunked\""},
		{"Transfer-Encoding: chunked;a=b"},
		{"Transfer-Encoding: gzip"},
		{"Transfer-Encoding: \x0bchunked"},
	} {
		refused(t, raw(append(lines, "", "5\r\nhello\r\n0\r\n\r\n")...), requests.ErrConnection)
	}
}

func TestAdvisory118_StatusLines(t *testing.T) {
	for _, line := range []string{
		"HTTP/1.1 20 OK", "HTTP/1.1 abc OK", "HTTP/1.1 2000 OK", "HTTP/1.1 -20 OK", "HTTP/1.1 +20 OK", "ICY 200 OK", "HTTP/2.0 200 OK", "HTTP/2 200 OK",
		"HTTP/3.0 200 OK", "HTTP/0.9 200 OK", "HTTP/1.1", "HTTP/1.1 ", "HTTP 200 OK", "http/1.1 200 OK", "HTTP/1.1200 OK", "hello", "", "\x00", "HTTP/1.1\t200 OK",
		"HTTP/11 200 OK", "HTTP/1.1.1 200 OK", "HTTP/1,1 200 OK",
	} {
		refused(t, line+"\r\nContent-Length: 2\r\n\r\nok", requests.ErrConnection)
	}
	for _, line := range []string{"HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.1 200 A long phrase"} {
		r, err, conns := ask(t, line+"\r\nContent-Length: 2\r\n\r\nok")
		require.NoError(t, err, line)
		assert.Equal(t, 200, r.StatusCode)
		assert.Equal(t, 1, conns)
	}
}

func TestAdvisory119_EndlessContinue(t *testing.T) {
	for _, interim := range []string{"HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", "HTTP/1.1 199 X\r\n\r\n"} {
		refused(t, strings.Repeat(interim, 2<<20/len(interim))+answerOK, requests.ErrConnection)
		r, err, _ := ask(t, strings.Repeat(interim, 100)+answerOK)
		require.NoError(t, err)
		assert.Equal(t, 200, r.StatusCode)
	}
}

func TestAdvisory120_EndlessHead(t *testing.T) {
	refused(t, raw("X-A: "+strings.Repeat("b", 2<<20), "Content-Length: 2", "", "ok"), requests.ErrConnection)
	refused(t, raw(strings.Repeat("X-A: b\r\n", 5000)+"Content-Length: 2", "", "ok"), requests.ErrConnection)
	refused(t, raw(strings.Repeat("a", 2<<20)), requests.ErrConnection)
	_, err, _ := ask(t, raw(strings.Repeat("X-A: b\r\n", 4999)+"Content-Length: 2", "", "ok"))
	require.NoError(t, err)
}

func TestAdvisory121_BufferByContentLength(t *testing.T) {
	w := newWorld(t)
	w.hosts["a.test:80"] = w.listenOnce(raw("Content-Length: 1000000000000000", "", "abc"))
	s := w.session()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := s.Get(t.Context(), "http://a.test/")
	runtime.ReadMemStats(&after)
	require.ErrorIs(t, err, requests.ErrChunkedEncoding)
	assert.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, uint64(17<<20), "bytes for three")
	var e *requests.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "abc", string(e.Response.Partial()))
}

func TestAdvisory122_BytesInHeaders(t *testing.T) {
	for _, line := range []string{"X-A: a\x00b", "X-A: a\rb", "X-A", ": a", "X\x00A: b", "X A: b", "\x00: a", "X-A: \x7f", "X-\xe9: b", "(X): b"} {
		refused(t, raw(line, "Content-Length: 2", "", "ok"), requests.ErrConnection)
	}
}

func TestAdvisory123_FoldedLines(t *testing.T) {
	for name, head := range map[string]string{
		"folded": "HTTP/1.1 200 OK\r\nX-A: b" + strings.Repeat("\r\n x", 220_000), "folded blanks": "HTTP/1.1 200 OK\r\nX-A: b" + strings.Repeat("\r\n ", 300_000),
		"phrase": "HTTP/1.1 200 " + strings.Repeat("x ", 450_000), "one field": "HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("b ,", 300_000),
		"one name": "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: b\r\n", 4000) + "X-B: c",
	} {
		inTime(t, func() {
			r, err, _ := ask(t, head+"\r\nContent-Length: 2\r\n\r\nok")
			require.NoError(t, err, name)
			_ = r.Headers.Get("X-A")
			assert.Equal(t, "ok", r.Text())
		})
	}
	inTime(t, func() {
		r, err, _ := ask(t, "HTTP/1.1 200 OK\r\nContent-Length: 2"+strings.Repeat("\r\n ", 300_000)+"\r\n\r\nok")
		require.NoError(t, err)
		assert.Equal(t, "ok", r.Text())
	})
}

func TestAdvisory124_TextOfHostileBytes(t *testing.T) {
	hostile := "\x1b[31mred\x07\x00\u202e\xff\xfe" + strings.Repeat("A", 5000)
	for name, answer := range map[string]string{
		"status line": hostile + "\r\n\r\n", "status": "HTTP/1.1 " + hostile + "\r\n\r\n", "name": raw(hostile+": a", "", ""),
		"no colon": raw(hostile, "", ""), "value": raw("X-A: "+hostile, "", ""), "length": raw("Content-Length: "+hostile, "", ""),
		"coding": raw("Transfer-Encoding: "+hostile, "", ""), "chunk": chunked(hostile + "\r\n"), "redirect": redirectTo(302, "http://"+hostile),
		"redirect, escapes": redirectTo(302, "http://[\u202e"+strings.Repeat("%1b", 2000)), "scheme": redirectTo(302, "x"+strings.Repeat("y", 5000)+":z"),
	} {
		_, err, _ := ask(t, answer)
		require.Error(t, err, name)
		assert.NotContains(t, err.Error(), "\x1b", name)
	}
	_, err, _ := ask(t, raw("Content-Encoding: gzip", "Content-Length: "+fmt.Sprint(len(hostile)), "", hostile))
	require.ErrorIs(t, err, requests.ErrContentDecoding)
	w := newWorld(t)
	w.at("http://127.0.0.1:3128", "HTTP/1.1 403 \u202e"+strings.Repeat("A", 5000)+"\r\nContent-Length: 0\r\n\r\n")
	_, err = w.session(requests.Proxy("all", "http://127.0.0.1:3128")).Get(t.Context(), "https://a.test/")
	require.ErrorIs(t, err, requests.ErrProxy)
	cleanError(t, err)
	r, err, _ := ask(t, "HTTP/1.1 404 "+strings.Repeat("A", 5000)+"\r\nContent-Length: 0\r\n\r\n")
	require.NoError(t, err)
	cleanError(t, r.RaiseForStatus())
}

func TestAdvisory125_EncodedWords(t *testing.T) {
	value := "attachment; filename=" + strings.Repeat("=?x?q?", 50_000)
	inTime(t, func() {
		r, err, _ := ask(t, raw("Content-Disposition: "+value, "Content-Length: 2", "", "ok"))
		require.NoError(t, err)
		assert.Equal(t, value, r.Headers.Get("Content-Disposition"))
	})
}
