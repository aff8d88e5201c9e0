package wire

import (
	"bytes"
	"cmp"
	"math"

	"golang.org/x/net/http/httpguts"
)

// Field is a field of a response's head.
type Field struct {
	// Name is spelled as the server did.
	Name string
	// Value is bytes as they were sent, without blanks around them.
	Value string
}

// headWatch follows responses: it keeps the fields that frame them as they were
// sent, since net/http takes those out of the headers that it hands over, and
// knows where they end. It belongs to the transport's reader.
type headWatch struct {
	turn int64
	done bool
	max  int64 // bounds what is kept of a head; zero stands for maxWatchedHead
	size int64 // of all that was read for heads

	bodiless bool    // the request was a HEAD
	expect   int64   // bytes of the body, or below zero where the head does not tell
	end      bodyEnd // of the body
	buf      []byte  // the head, where it comes in pieces

	// Of the read under way, where it brought a response whole that nothing is odd
	// about, else nil: the digits of its Content-Length, and its body.
	digits, body []byte
}

// framing is what was kept of the response to the request of a turn.
type framing struct {
	turn   int64
	fields []Field
}

// maxWatchedHead bounds what is kept of a head where nothing else does, and
// maxKeptBuffer what is kept for the next one.
const (
	maxWatchedHead = 1 << 20
	maxKeptBuffer  = 64 << 10
)

// take follows the response to the request of that turn, and returns how many
// of the bytes are its own: what lies beyond answers nothing. It returns its
// framing fields once its head is whole, where it has some that net/http
// takes out. A head that one read brings whole is not copied.
func (h *headWatch) take(turn int64, bodiless bool, b []byte) (f *framing, own int) {
	if h.turn != turn {
		// Both buffers are kept from response to response.
		*h = headWatch{turn: turn, max: h.max, buf: h.buf[:0], bodiless: bodiless, expect: -1, end: bodyEnd{line: h.end.line[:0]}}
	}
	h.digits, h.body = nil, nil
	if h.done {
		return nil, h.end.take(b)
	}
	h.size += int64(len(b))
	head, seen, pieced := b, 0, len(h.buf) > 0
	// The end of the head may lie across two reads: the last three bytes of what
	// was there are looked at again.
	if pieced {
		seen = max(len(h.buf)-3, 0)
		h.buf = append(h.buf, b...)
		head = h.buf
	}
	for {
		var s headScan
		end := -1
		if !pieced || headEnd(head, seen) >= 0 { // else each piece would cost as much as all of the head
			s, end = scanHead(head)
		}
		if end < 0 {
			h.buf = append(h.buf[:0], head...)
			// Of a head beyond all measure nothing is known; [Conn.MaxHead] ends it.
			h.done = int64(len(h.buf)) > cmp.Or(h.max, maxWatchedHead)
			return nil, len(b)
		}
		// A 1xx is followed by the head of the response proper, maybe in the same
		// read.
		if s.interim() {
			head, seen = head[end:], 0
			continue
		}
		h.done, h.size = true, 0
		f = h.finish(head[:end], &s)
		rest := head[end:]
		n := h.end.take(rest)
		if !pieced && h.digits != nil && h.end.state == endOver {
			h.body = rest[:n]
		}
		if cap(h.buf) > maxKeptBuffer {
			h.buf = nil
		}
		return f, len(b) - len(rest) + n
	}
}

// unknown reports whether the head has come and nobody knows where the body
// ends, but for the end of the connection.
func (h *headWatch) unknown() bool { return h.done && h.end.state == endUnknown }

// finish takes what a whole head says of its framing.
func (h *headWatch) finish(head []byte, s *headScan) *framing {
	h.expect = s.bodyLength(h.bodiless)
	h.end.begin(h.expect, h.expect < 0 && s.chunked)
	if h.expect > 0 && s.lengths == 1 && s.digits[0] != '0' && s.clean && isUsual(head) {
		h.digits = s.digits
	}
	// The usual response, with one length or none, is told of by net/http as it
	// was sent.
	if s.others == 0 && s.lengths < 2 {
		return nil
	}
	return &framing{turn: h.turn, fields: framingFields(head)}
}

// headScan is what a head says of its framing.
type headScan struct {
	status  []byte // what begins with the status
	lengths int    // in fields of Content-Length, or listed in one
	length  int64  // of the first that is a number, or -1
	digits  []byte // of that one, where they stand in the head
	coding  bool   // there is a Transfer-Encoding
	chunked bool   // it is the one that there is
	others  int    // fields of Transfer-Encoding and Connection
	clean   bool   // each line is a field of its own, whose name is a token
}

// scanHead goes through a head once, and returns where in b it ends, or -1 where
// more of it is to come. Lines may end with a bare line feed, as net/http takes
// them.
func scanHead(b []byte) (s headScan, end int) {
	s = headScan{status: statusOf(b), length: -1, clean: true}
	_, rest, ended := cutLine(b) // that of the status
	for ended {
		if n := blankLine(rest); n > 0 {
			return s, len(b) - len(rest) + n
		}
		var line []byte
		if line, rest, ended = cutLine(rest); !ended {
			break
		}
		name, value := cutName(line)
		if name == nil || len(rest) > 0 && isBlank(rest[0]) {
			s.clean = false
		}
		switch len(name) {
		case len("Content-Length"):
			if isName(name, "Content-Length") {
				value, rest = unfold(value, rest)
				s.addLength(value)
			}
		case len("Connection"):
			if isName(name, "Connection") {
				_, rest = unfold(value, rest)
				s.others++
			}
		case len("Transfer-Encoding"):
			if isName(name, "Transfer-Encoding") {
				value, rest = unfold(value, rest)
				s.chunked = !s.coding && isName(bytes.TrimSpace(value), "chunked")
				s.coding = true
				s.others++
			}
		}
	}
	return s, -1
}

// blankLine returns the length of the empty line that b begins with, or 0.
func blankLine(b []byte) int {
	switch {
	case len(b) > 0 && b[0] == '\n':
		return 1
	case len(b) > 1 && b[0] == '\r' && b[1] == '\n':
		return 2
	}
	return 0
}

// addLength takes the value of a Content-Length.
func (s *headScan) addLength(value []byte) {
	s.lengths += 1 + bytes.Count(value, []byte(","))
	digits := bytes.TrimSpace(value)
	if n := parseLength(digits); n >= 0 && s.length < 0 {
		s.length, s.digits = n, digits
	}
}

// parseLength returns a number of digits alone, or -1 where it is none or does
// not fit.
func parseLength(digits []byte) int64 {
	if len(digits) == 0 {
		return -1
	}
	n := int64(0)
	for _, c := range digits {
		d := int64(c) - '0'
		if d < 0 || d > 9 || n > (math.MaxInt64-d)/10 {
			return -1
		}
		n = n*10 + d
	}
	return n
}

// bodyLength returns the length of the body by its head (RFC 9112, 6.3), or
// -1 where that does not tell.
func (s *headScan) bodyLength(bodiless bool) int64 {
	switch {
	case bodiless || bytes.HasPrefix(s.status, []byte("204")) || bytes.HasPrefix(s.status, []byte("304")):
		return 0
	case s.coding:
		return -1
	}
	return s.length
}

// isUsual reports whether a head begins with the status line of a final response
// of HTTP/1, as everybody reads it.
func isUsual(head []byte) bool {
	const version, status = "HTTP/1.", len("HTTP/1.1 ")
	return len(head) > status+3 && string(head[:len(version)]) == version && head[status-1] == ' ' &&
		'2' <= head[status] && head[status] <= '9' && isDigit(head[status+1]) && isDigit(head[status+2]) &&
		(head[status+3] == ' ' || head[status+3] == '\r')
}

// isDigit reports whether c is a digit.
func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// statusOf returns what begins with a head's status. That may stand behind
// several blanks, as net/http takes it.
func statusOf(head []byte) []byte {
	if rest, ok := bytes.CutPrefix(head, []byte("HTTP/1.1 ")); ok && len(rest) > 0 && rest[0] != ' ' {
		return rest // as nearly always, and needs no search
	}
	line, _, _ := cutLine(head)
	_, status, _ := bytes.Cut(line, []byte(" "))
	return bytes.TrimLeft(status, " ")
}

// headEnd returns where a head ends in b, or -1.
func headEnd(b []byte, from int) int {
	for {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return -1
		}
		from += i + 1
		if n := blankLine(b[from:]); n > 0 {
			return from + n
		}
	}
}

// interim reports whether the head is that of a 1xx, which another follows.
func (s *headScan) interim() bool {
	return len(s.status) > 0 && s.status[0] == '1' && !bytes.HasPrefix(s.status, []byte("101"))
}

// framingFields returns the fields that frame a response, as they were sent.
func framingFields(head []byte) []Field {
	var fields []Field
	for len(head) > 0 {
		line, rest, _ := cutLine(head)
		name, value := cutName(line)
		if isName(name, "Content-Length") || isName(name, "Connection") || isName(name, "Transfer-Encoding") {
			value, rest = unfold(value, rest)
			fields = append(fields, Field{string(name), string(bytes.TrimSpace(value))})
		}
		head = rest
	}
	return fields
}

// cutName cuts a line behind its name. That is nil where the line does not begin
// with a token and a colon.
func cutName(line []byte) (name, value []byte) {
	for i, c := range line {
		switch {
		case httpguts.IsTokenRune(rune(c)):
		case c == ':' && i > 0:
			return line[:i], line[i+1:]
		default:
			return nil, nil
		}
	}
	return nil, nil
}

// isBlank reports whether a line that begins with c goes on with the value of
// the one before.
func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// cutLine cuts the first line off b; its line feed is in neither part.
func cutLine(b []byte) (line, rest []byte, ended bool) {
	return bytes.Cut(b, []byte("\n"))
}

// unfold adds to a value the lines that go on with it: those that begin with a
// blank (RFC 9112, section 5.2: obsolete, but net/http takes them).
func unfold(value, rest []byte) (whole, after []byte) {
	for len(rest) > 0 && isBlank(rest[0]) {
		var line []byte
		line, rest, _ = cutLine(rest)
		value = bytes.Join([][]byte{bytes.TrimSpace(value), bytes.TrimSpace(line)}, []byte(" "))
	}
	return value, rest
}

// isName reports whether b is a name, in any letter case.
func isName(b []byte, name string) bool {
	if len(b) != len(name) {
		return false
	}
	for i := range b {
		if b[i] != name[i] && (name[i] == '-' || b[i]|0x20 != name[i]|0x20) {
			return false
		}
	}
	return true
}
