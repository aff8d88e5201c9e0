package wire

import (
	"bytes"
	"strconv"
)

// Field is a field of a response's head.
type Field struct{ Name, Value string }

// headWatch keeps the fields that frame a response, as they were sent:
// net/http takes them out of the headers that it hands over. It belongs to
// the transport's reader, which reads heads.
type headWatch struct {
	turn int64
	done bool
	size int64 // of all that was read for heads

	bodiless bool  // the request was a HEAD
	expect   int64 // bytes of the body, or below zero where the head does not tell
	got      int64 // bytes read beyond the head
	buf      []byte
}

// framing is what was kept of the response to the request of a turn.
type framing struct {
	turn   int64
	fields []Field
}

// maxWatchedHead bounds what is kept of a head.
const maxWatchedHead = 64 << 10

// take follows the response to the request of that turn. It returns its
// framing fields once its head is whole, where it has some that net/http
// takes out. A head that one read brings whole is not copied.
func (h *headWatch) take(turn int64, bodiless bool, b []byte) *framing {
	if h.turn != turn {
		*h = headWatch{turn: turn, buf: h.buf[:0], bodiless: bodiless, expect: -1}
	}
	if h.done {
		h.got += int64(len(b))
		return nil
	}
	h.size += int64(len(b))
	head, seen := b, 0
	if len(h.buf) > 0 {
		seen = max(len(h.buf)-3, 0)
		h.buf = append(h.buf, b...)
		head = h.buf
	}
	for {
		end := headEnd(head, seen)
		if end < 0 {
			h.buf = append(h.buf[:0], head...)
			h.done = len(h.buf) > maxWatchedHead
			return nil
		}
		if !interim(head) {
			h.done, h.size = true, 0
			h.got = int64(len(head) - end)
			return h.finish(head[:end])
		}
		head, seen = head[end:], 0
	}
}

// finish takes what a whole head says of its framing.
func (h *headWatch) finish(head []byte) *framing {
	s := scanHead(head)
	h.expect = s.bodyLength(head, h.bodiless)
	if s.others == 0 && s.lengths < 2 {
		return nil
	}
	return &framing{turn: h.turn, fields: framingFields(head)}
}

// overrun reports whether more came than the response has: bytes that the
// transport would take for the answer to the next request.
func (h *headWatch) overrun() bool { return h.done && h.expect >= 0 && h.got > h.expect }

// headScan is what a head says of its framing.
type headScan struct {
	lengths int   // in fields of Content-Length, or listed in one
	length  int64 // of the first that is a number, or -1
	coding  bool  // there is a Transfer-Encoding
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
	_, status, _ := bytes.Cut(head, []byte(" "))
	switch {
	case bodiless || bytes.HasPrefix(status, []byte("204")) || bytes.HasPrefix(status, []byte("304")):
		return 0
	case s.coding:
		return -1
	}
	return s.length
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
	_, status, _ := bytes.Cut(head, []byte(" "))
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
	end := bytes.IndexByte(head, '\n')
	if end < 0 {
		end = len(head) - 1
	}
	line, rest := head[:end], head[end+1:]
	if end == 0 || line[0]|0x20 != 'c' && line[0]|0x20 != 't' {
		return nil, nil, rest
	}
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		return nil, nil, rest
	}
	name = line[:colon]
	switch {
	case isName(name, "Connection"), isName(name, "Content-Length"), isName(name, "Transfer-Encoding"):
		return name, line[colon+1:], rest
	}
	return nil, nil, rest
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
