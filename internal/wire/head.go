package wire

import (
	"bytes"
	"cmp"
	"strconv"
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
	if h.done {
		return nil, h.end.take(b)
	}
	h.size += int64(len(b))
	head, seen := b, 0
	// The end of the head may lie across two reads: the last three bytes of what
	// was there are looked at again.
	if len(h.buf) > 0 {
		seen = max(len(h.buf)-3, 0)
		h.buf = append(h.buf, b...)
		head = h.buf
	}
	for {
		end := headEnd(head, seen)
		if end < 0 {
			h.buf = append(h.buf[:0], head...)
			// Of a head beyond all measure nothing is known; [Conn.MaxHead] ends it.
			h.done = int64(len(h.buf)) > cmp.Or(h.max, maxWatchedHead)
			return nil, len(b)
		}
		// A 1xx is followed by the head of the response proper, maybe in the same
		// read.
		if !interim(head) {
			h.done, h.size = true, 0
			f = h.finish(head[:end])
			rest := head[end:]
			if own = len(b) - len(rest) + h.end.take(rest); cap(h.buf) > maxKeptBuffer {
				h.buf = nil
			}
			return f, own
		}
		head, seen = head[end:], 0
	}
}

// unknown reports whether the head has come and nobody knows where the body
// ends, but for the end of the connection.
func (h *headWatch) unknown() bool { return h.done && h.end.state == endUnknown }

// finish takes what a whole head says of its framing.
func (h *headWatch) finish(head []byte) *framing {
	s := scanHead(head)
	h.expect = s.bodyLength(head, h.bodiless)
	h.end.begin(h.expect, h.expect < 0 && s.chunked)
	// The usual response, with one length or none, is told of by net/http as it
	// was sent.
	if s.others == 0 && s.lengths < 2 {
		return nil
	}
	return &framing{turn: h.turn, fields: framingFields(head)}
}

// headScan is what a head says of its framing.
type headScan struct {
	lengths int   // in fields of Content-Length, or listed in one
	length  int64 // of the first that is a number, or -1
	coding  bool  // there is a Transfer-Encoding
	chunked bool  // it is the one that there is
	others  int   // fields of Transfer-Encoding and Connection
}

// scanHead goes through a head once.
func scanHead(head []byte) headScan {
	s := headScan{length: -1}
	for len(head) > 0 {
		var name, value []byte
		if name, value, head = cutFraming(head); name == nil {
			continue
		}
		switch len(name) {
		case len("Content-Length"):
			s.lengths += 1 + bytes.Count(value, []byte(","))
			if n, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 63); err == nil && s.length < 0 {
				s.length = int64(n)
			}
		case len("Transfer-Encoding"):
			s.chunked = !s.coding && isName(bytes.TrimSpace(value), "chunked")
			s.coding = true
			s.others++
		default:
			s.others++
		}
	}
	return s
}

// bodyLength returns the length of the body by its head (RFC 9112, 6.3), or
// -1 where that does not tell.
func (s headScan) bodyLength(head []byte, bodiless bool) int64 {
	status := statusOf(head)
	switch {
	case bodiless || bytes.HasPrefix(status, []byte("204")) || bytes.HasPrefix(status, []byte("304")):
		return 0
	case s.coding:
		return -1
	}
	return s.length
}

// statusOf returns what begins with a head's status. That may stand behind
// several blanks, as net/http takes it.
func statusOf(head []byte) []byte {
	if rest, ok := bytes.CutPrefix(head, []byte("HTTP/1.1 ")); ok && len(rest) > 0 && rest[0] != ' ' {
		return rest // as nearly always, and needs no search
	}
	line, _ := cutLine(head)
	_, status, _ := bytes.Cut(line, []byte(" "))
	return bytes.TrimLeft(status, " ")
}

// headEnd returns where a head ends in b, or -1. Lines may end with a bare
// line feed, as net/http takes them.
func headEnd(b []byte, from int) int {
	for {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return -1
		}
		from += i + 1
		switch rest := b[from:]; {
		case len(rest) > 0 && rest[0] == '\n':
			return from + 1
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			return from + 2
		}
	}
}

// interim reports whether a head is that of a 1xx, which another follows.
func interim(head []byte) bool {
	status := statusOf(head)
	return bytes.HasPrefix(status, []byte("1")) && !bytes.HasPrefix(status, []byte("101"))
}

// framingFields returns the fields that frame a response, as they were sent.
func framingFields(head []byte) []Field {
	var fields []Field
	for len(head) > 0 {
		var name, value []byte
		if name, value, head = cutFraming(head); name != nil {
			fields = append(fields, Field{string(name), string(bytes.TrimSpace(value))})
		}
	}
	return fields
}

// cutFraming cuts the first line off a head. Where it is a field by which a
// message is framed it returns that, else a nil name. The names differ in
// length, by which the caller tells them apart.
func cutFraming(head []byte) (name, value, rest []byte) {
	line, rest := cutLine(head)
	if len(line) == 0 || line[0]|0x20 != 'c' && line[0]|0x20 != 't' {
		return nil, nil, rest
	}
	name, value, found := bytes.Cut(line, []byte(":"))
	if found && (isName(name, "Connection") || isName(name, "Content-Length") || isName(name, "Transfer-Encoding")) {
		value, rest = unfold(value, rest)
		return name, value, rest
	}
	return nil, nil, rest
}

// cutLine cuts the first line off b; its line feed is in neither part.
func cutLine(b []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(b, []byte("\n"))
	return line, rest
}

// unfold adds to a value the lines that go on with it: those that begin with a
// blank (RFC 9112, section 5.2: obsolete, but net/http takes them).
func unfold(value, rest []byte) (whole, after []byte) {
	for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') {
		var line []byte
		line, rest = cutLine(rest)
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
