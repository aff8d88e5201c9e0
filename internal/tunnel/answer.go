package tunnel

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// An answer is the head of a proxy's answer to CONNECT.
type answer struct {
	code   int
	status string // code and reason phrase
	fields []byte // the field lines as they came, without the blank line
}

// finalAnswer reads heads until one is not an interim answer. What follows it
// is left in br.
func finalAnswer(br *bufio.Reader, lim Limits) (answer, error) {
	limit := lim.Head
	for range lim.Interim + 1 {
		head, err := readHead(br, limit)
		if err != nil {
			return answer{}, err
		}
		// The limit is for all heads together: many interim answers are no way
		// around it.
		limit -= len(head)
		a, err := parseHead(head)
		if err != nil {
			return answer{}, err
		}
		// 101 ends HTTP on the connection (RFC 9110 section 15.2.2), so
		// nothing would follow it.
		if a.code/100 != 1 || a.code == http.StatusSwitchingProtocols {
			return a, nil
		}
	}
	return answer{}, &ProtocolError{"CONNECT", fmt.Sprintf("more than %d interim answers", lim.Interim), nil}
}

// readHead reads one head, up to and with the blank line that ends it. Lines
// may end in LF alone (RFC 9112 section 2.2). It fails at the first byte that
// cannot begin an HTTP answer: a peer that speaks something else may wait for
// us, and would let the caller wait for its timeout.
func readHead(br *bufio.Reader, limit int) ([]byte, error) {
	const magic = "HTTP/"
	head := make([]byte, 0, 256)
	for i := range len(magic) {
		c, err := br.ReadByte()
		if err != nil {
			return nil, ioError("CONNECT", "its answer was awaited", err)
		}
		if c != magic[i] {
			return nil, &ProtocolError{"CONNECT", "the answer is not HTTP", nil}
		}
		head = append(head, c)
	}
	line := len(head) // bytes in the current line
	for {
		part, err := br.ReadSlice('\n')
		if len(head)+len(part) > limit {
			return nil, &ProtocolError{"CONNECT", "the head of the answer is too large", nil}
		}
		head = append(head, part...)
		line += len(part)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return nil, ioError("CONNECT", "its answer was read", err)
		case line == 1, line == 2 && head[len(head)-2] == '\r':
			return head, nil
		}
		line = 0
	}
}

// parseHead takes a head from [readHead] apart.
//
//	status-line = HTTP-version SP status-code SP [ reason-phrase ]
//	(RFC 9112 section 4)
//
// As in Requests, the version may be any, there may be more than one space,
// and the one before a missing reason phrase may be missing too.
func parseHead(head []byte) (answer, error) {
	line, fields, _ := bytes.Cut(head, []byte("\n"))
	_, rest, _ := strings.Cut(strings.TrimRight(string(line), "\r"), " ")
	status := strings.Trim(rest, " \t")
	code, _, _ := strings.Cut(status, " ")
	n, err := strconv.Atoi(code)
	// Atoi takes a sign, too: "+20" has three bytes and is no status.
	if err != nil || len(code) != 3 || n < 100 {
		return answer{}, &ProtocolError{"CONNECT", "the answer's status line is malformed", nil}
	}
	fields = bytes.TrimRight(fields, "\r\n")
	return answer{code: n, status: status, fields: fields}, nil
}

// parseFields reads field lines leniently: they serve to explain a refusal, so
// a line that is no field is left out, and the rest kept. A line that begins
// with a space continues the one before it (RFC 9112 section 5.2).
func parseFields(lines []byte) http.Header {
	h := http.Header{}
	var last []string // the values of the field that the last line was of
	for line := range bytes.Lines(lines) {
		text := strings.TrimRight(string(line), "\r\n")
		if text != strings.TrimLeft(text, " \t") {
			if last != nil {
				last[len(last)-1] += " " + textproto.TrimString(text)
			}
			continue
		}
		name, value, ok := strings.Cut(text, ":")
		if !ok || !httpguts.ValidHeaderFieldName(name) {
			last = nil
			continue
		}
		key := textproto.CanonicalMIMEHeaderKey(name)
		h[key] = append(h[key], textproto.TrimString(value))
		last = h[key]
	}
	return h
}

// readBody reads at most limit bytes of a refusal's body, and returns what it
// has when the connection fails or ends. Its length is told by RFC 9112
// section 6.3; where nothing tells it, it goes on to the connection's end.
func readBody(br *bufio.Reader, code int, h http.Header, limit int) []byte {
	var body io.Reader = br
	switch {
	case code == http.StatusSwitchingProtocols, code/100 == 2, code == http.StatusNotModified:
		// A 2xx answer to CONNECT has no body: for all we know the
		// tunnel is open, and nobody closes it.
		return nil
	case httpguts.HeaderValuesContainsToken(h["Transfer-Encoding"], "chunked"):
		body = httputil.NewChunkedReader(br)
	case h.Get("Content-Length") != "":
		n, err := strconv.ParseUint(h.Get("Content-Length"), 10, 63)
		if err != nil {
			return nil
		}
		body = io.LimitReader(br, int64(n))
	}
	// The error says why there is no more, which matters to no one.
	got, _ := io.ReadAll(io.LimitReader(body, int64(limit)))
	return got
}
