package wire

import (
	"bytes"
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
	buf  []byte
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
func (h *headWatch) take(turn int64, b []byte) *framing {
	if h.turn != turn {
		*h = headWatch{turn: turn, buf: h.buf[:0]}
	}
	if h.done {
		return nil
	}
	seen := max(len(h.buf)-3, 0)
	h.buf = append(h.buf, b...)
	for {
		end := headEnd(h.buf, seen)
		if end < 0 {
			h.done = len(h.buf) > maxWatchedHead
			return nil
		}
		if !interim(h.buf) {
			h.done = true
			return framingFields(turn, h.buf[:end])
		}
		h.buf, seen = append(h.buf[:0], h.buf[end:]...), 0
	}
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
	if !anyField(head, "Connection", "Transfer-Encoding") {
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

// anyField reports whether a head has a field of one of the names.
func anyField(head []byte, names ...string) bool {
	for len(head) > 0 {
		line, rest, _ := bytes.Cut(head, []byte("\n"))
		if name, _, ok := bytes.Cut(line, []byte(":")); ok && isAny(name, names...) {
			return true
		}
		head = rest
	}
	return false
}

func isAny(name []byte, names ...string) bool {
	for _, n := range names {
		if len(n) == len(name) && strings.EqualFold(string(name), n) {
			return true
		}
	}
	return false
}
