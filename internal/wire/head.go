package wire

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Field is a field of a response's head.
type Field struct {
	// Name is spelled as the server did.
	Name string
	// Value is bytes as they were sent, without blanks around them. Lines that were
	// folded are joined by a blank.
	Value string
}

// headWatch follows responses: it has their heads as they were sent, of which
// net/http keeps neither order nor spelling nor all that frames them, and knows
// where they end. It belongs to the transport's reader.
type headWatch struct {
	turn int64
	done bool
	max  int64 // bounds what is kept of a head; zero stands for maxWatchedHead
	size int64 // of all that was read for heads

	bodiless bool    // the request was a HEAD
	expect   int64   // bytes of the body, or below zero where the head does not tell
	end      bodyEnd // of the body
	buf      []byte  // the head, where it comes in pieces

	// Of the read under way: the head that it brought the end of, or nil; and where
	// it brought a response whole that nothing is odd about, that and how many bytes
	// of body follow the head.
	head  []byte
	scan  headScan
	whole bool
	body  int
}

// maxWatchedHead bounds what is kept of a head where nothing else does, and
// maxKeptBuffer what is kept for the next one.
const (
	maxWatchedHead = 1 << 20
	maxKeptBuffer  = 64 << 10
)

// take follows the response to the request of that turn, and returns how many
// of the bytes are its own: what lies beyond answers nothing. A head that one
// read brings whole is not copied.
func (h *headWatch) take(turn int64, bodiless bool, b []byte) (own int) {
	if h.turn != turn {
		h.turn, h.done, h.size, h.bodiless, h.expect = turn, false, 0, bodiless, -1
		h.buf = h.buf[:0]
		h.end.begin(-1, false)
	}
	h.head, h.whole = nil, false
	if h.done {
		return h.end.take(b)
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
	for s := &h.scan; ; {
		end := -1
		if !pieced || headEnd(head, seen) >= 0 { // else each piece would cost as much as all of the head
			end = s.read(head)
		}
		if end < 0 {
			h.buf = append(h.buf[:0], head...)
			// Of a head beyond all measure nothing is known; [Conn.MaxHead] ends it.
			h.done = int64(len(h.buf)) > cmp.Or(h.max, maxWatchedHead)
			return len(b)
		}
		// A 1xx is followed by the head of the response proper, maybe in the same
		// read.
		if s.interim() {
			head, seen = head[end:], 0
			continue
		}
		h.done, h.size, h.head = true, 0, head[:end]
		h.expect = s.bodyLength(h.bodiless)
		h.end.begin(h.expect, h.expect < 0 && s.chunked)
		rest := head[end:]
		n := h.end.take(rest)
		if !pieced && h.end.state == endOver && s.isPlain() && isUsual(h.head) {
			h.body, h.whole = n, true
		}
		if cap(h.buf) > maxKeptBuffer {
			h.buf = nil
		}
		return len(b) - len(rest) + n
	}
}

// unknown reports whether the head has come and nobody knows where the body
// ends, but for the end of the connection.
func (h *headWatch) unknown() bool { return h.done && h.end.state == endUnknown }

// appendBare appends to b the head of a response without body and fields, for
// which the transport does with the connection what it would do for that of h.
// Both may lie in the same place.
func (h *headWatch) appendBare(b []byte) []byte {
	b = append(append(b, h.head[:len("HTTP/1.1 ")]...), "204\n"...)
	return append(append(b, h.head[h.scan.from:h.scan.to]...), '\n')
}

// headScan is what a head says of its framing.
type headScan struct {
	code     [3]byte // of the status
	lengths  int     // fields of Content-Length
	length   int64   // of the first that is a number, or -1
	coding   bool    // there is a Transfer-Encoding
	chunked  bool    // the last is that; net/http refuses others and several
	from, to int     // where the last line of Connection is
	several  bool    // there are others
	clean    bool    // each line is a field that net/http takes, and not folded
}

// isPlain reports whether nothing is odd about a head, the status line apart.
func (s *headScan) isPlain() bool {
	return s.clean && !s.coding && !s.several && (s.lengths == 0 || s.lengths == 1 && s.length >= 0)
}

// read goes through a head once, and returns where in b it ends, or -1 where
// more of it is to come. Lines may end with a bare line feed, as net/http takes
// them.
func (s *headScan) read(b []byte) (end int) {
	*s = headScan{length: -1, clean: true}
	copy(s.code[:], statusOf(b))
	_, rest, ended := cutLine(b) // that of the status
	for ended {
		if n := blankLine(rest); n > 0 {
			return len(b) - len(rest) + n
		}
		var line []byte
		from := len(b) - len(rest)
		if line, rest, ended = cutLine(rest); !ended {
			break
		}
		name, value := cutName(line)
		if name == nil || !isPlainValue(value) || len(rest) > 0 && isBlank(rest[0]) {
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
				s.several = s.to > 0
				s.from, s.to = from, len(b)-len(rest)
			}
		case len("Transfer-Encoding"):
			if isName(name, "Transfer-Encoding") {
				value, rest = unfold(value, rest)
				s.coding, s.chunked = true, isName(value, "chunked")
			}
		}
	}
	return -1
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
	s.lengths++
	if s.length < 0 {
		s.length = parseLength(value)
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
	case bodiless, s.code == [3]byte{'2', '0', '4'}, s.code == [3]byte{'3', '0', '4'}:
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
	return len(head) > status+3 && string(head[:len(version)]) == version && isDigit(head[len(version)]) && head[status-1] == ' ' &&
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
	return s.code[0] == '1' && s.code != [3]byte{'1', '0', '1'}
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

// cutLine cuts the first line off b; its line end is in neither part.
func cutLine(b []byte) (line, rest []byte, ended bool) {
	line, rest, ended = bytes.Cut(b, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), rest, ended
}

// unfold adds to a value the lines that go on with it: those that begin with a
// blank (RFC 9112, section 5.2: obsolete, but net/http takes them).
func unfold(value, rest []byte) (whole, after []byte) {
	value = trimBlanks(value)
	if len(rest) == 0 || !isBlank(rest[0]) {
		return value, rest
	}
	value = slices.Clip(value) // what was read is not written to
	for len(rest) > 0 && isBlank(rest[0]) {
		var line []byte
		line, rest, _ = cutLine(rest)
		value = append(append(value, ' '), trimBlanks(line)...)
	}
	return trimBlanks(value), rest
}

// trimBlanks returns text without the blanks around it.
func trimBlanks[T string | []byte](text T) T {
	for len(text) > 0 && isBlank(text[0]) {
		text = text[1:]
	}
	for len(text) > 0 && isBlank(text[len(text)-1]) {
		text = text[:len(text)-1]
	}
	return text
}

// isPlainValue reports whether a value has no byte that net/http refuses (RFC 9110,
// section 5.5).
func isPlainValue(value []byte) bool {
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// CutLine cuts the first line off a head, which is that of the status, or off what
// is left of one. Its line end is in neither part.
func CutLine(head string) (line, rest string) {
	line, rest, _ = strings.Cut(head, "\n")
	return strings.TrimSuffix(line, "\r"), rest
}

// unfoldText is unfold for text.
func unfoldText(value, rest string) (whole, after string) {
	var b strings.Builder
	b.WriteString(value)
	for len(rest) > 0 && isBlank(rest[0]) {
		var line string
		line, rest = CutLine(rest)
		b.WriteByte(' ')
		b.WriteString(trimBlanks(line))
	}
	return strings.TrimLeft(b.String(), " \t"), rest
}

// CutField cuts the first field off those of a head, as net/http understands them.
// There is none where the head ends.
func CutField(fields string) (f Field, rest string, ok bool) {
	line, rest := CutLine(fields)
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		return Field{}, "", false
	}
	value = trimBlanks(value)
	if len(rest) > 0 && isBlank(rest[0]) {
		value, rest = unfoldText(value, rest)
	}
	return Field{Name: name, Value: value}, rest, true
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
