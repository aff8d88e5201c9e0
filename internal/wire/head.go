package wire

import (
	"bytes"
	"strconv"
	"strings"
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
// takes out.
func (h *headWatch) take(turn int64, bodiless bool, b []byte) *framing {
	if h.turn != turn {
		*h = headWatch{turn: turn, buf: h.buf[:0], bodiless: bodiless, expect: -1}
	}
	if h.done {
		h.got += int64(len(b))
		return nil
	}
	h.size += int64(len(b))
	seen := max(len(h.buf)-3, 0)
	h.buf = append(h.buf, b...)
	for {
		end := headEnd(h.buf, seen)
		if end < 0 {
			h.done = len(h.buf) > maxWatchedHead
			return nil
		}
		if !interim(h.buf) {
			h.done, h.size = true, 0
			h.expect, h.got = bodyLength(h.buf[:end], h.bodiless), int64(len(h.buf)-end)
			return framingFields(turn, h.buf[:end])
		}
		h.buf, seen = append(h.buf[:0], h.buf[end:]...), 0
	}
}

// overrun reports whether more came than the response has: bytes that the
// transport would take for the answer to the next request.
func (h *headWatch) overrun() bool { return h.done && h.expect >= 0 && h.got > h.expect }

// bodyLength returns the length of the body by its head (RFC 9112, 6.3), or
// -1 where that does not tell.
func bodyLength(head []byte, bodiless bool) int64 {
	_, status, _ := bytes.Cut(head, []byte(" "))
	if bodiless || bytes.HasPrefix(status, []byte("204")) || bytes.HasPrefix(status, []byte("304")) {
		return 0
	}
	if countFields(head, "Transfer-Encoding") > 0 {
		return -1
	}
	for line := range bytes.Lines(head) {
		if name, value, ok := bytes.Cut(line, []byte(":")); ok && isAny(name, "Content-Length") {
			if n, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 63); err == nil {
				return int64(n)
			}
		}
	}
	return -1
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

// framingFields returns the fields that frame a response, or nil where it has
// none that net/http takes out.
func framingFields(turn int64, head []byte) *framing {
	if countFields(head, "Connection", "Transfer-Encoding") == 0 && countLengths(head) < 2 {
		return nil
	}
	f := &framing{turn: turn}
	for line := range bytes.Lines(head) {
		if name, value, ok := bytes.Cut(line, []byte(":")); ok && isAny(name, "Connection", "Transfer-Encoding", "Content-Length") {
			f.fields = append(f.fields, Field{string(name), string(bytes.TrimSpace(value))})
		}
	}
	return f
}

// countLengths counts the lengths that a head gives, in fields of their own or
// listed in one.
func countLengths(head []byte) int {
	n := 0
	for line := range bytes.Lines(head) {
		if name, value, ok := bytes.Cut(line, []byte(":")); ok && isAny(name, "Content-Length") {
			n += 1 + bytes.Count(value, []byte(","))
		}
	}
	return n
}

// countFields counts the fields of a head that have one of the names.
func countFields(head []byte, names ...string) int {
	n := 0
	for len(head) > 0 {
		line, rest, _ := bytes.Cut(head, []byte("\n"))
		if name, _, ok := bytes.Cut(line, []byte(":")); ok && isAny(name, names...) {
			n++
		}
		head = rest
	}
	return n
}

func isAny(name []byte, names ...string) bool {
	for _, n := range names {
		if len(n) == len(name) && strings.EqualFold(string(name), n) {
			return true
		}
	}
	return false
}
