package wire

import (
	"strconv"
	"strings"
)

// tracker follows a response through its head and its chunks, and lets no
// read cross the end of one, so that whoever reads the body can hand out the
// chunks as the server framed them. It judges nothing: framing that it does
// not understand it passes through, for the transport to refuse.
//
// It belongs to whoever reads the connection: first the transport's reader,
// then, when that has handed over the response, the reader of the body.
type tracker struct {
	turn  int64 // the request whose response is followed
	state trackState
	line  []byte // the line under way, bounded
	rest  []byte // read from the connection and not handed out
	err   error  // of the connection, to come after rest

	interim bool  // the head is that of a 1xx
	coded   bool  // the head says that the body comes in chunks
	seen    bool  // the response is chunked
	need    int64 // bytes of the chunk that are to come
	body    int64 // bytes of chunks that were handed out
	end     int64 // of body, where the last whole chunk ended
}

type trackState uint8

const (
	trackOff    trackState = iota
	trackStatus            // at the status line
	trackField             // at a field of the head
	trackSize              // at the line of a chunk's size
	trackData              // within a chunk
)

// maxTrackedLine bounds what is kept of a line.
const maxTrackedLine = 1 << 10

// follow readies the tracker for the response to the request of that turn.
func (t *tracker) follow(turn int64, on bool) {
	if t.turn == turn {
		return
	}
	// What was read ahead belongs to the connection and not to the response.
	*t = tracker{turn: turn, line: t.line[:0], rest: t.rest, err: t.err}
	if on {
		t.state = trackStatus
	}
}

// chunked reports whether the response comes in chunks.
func (t *tracker) chunked() bool { return t.seen }

// at reports whether a chunk ends after so many bytes of the body.
func (t *tracker) at(read int64) bool { return t.seen && read == t.end }

// pending hands out what was held back of an earlier read.
func (t *tracker) pending(b []byte) (int, error, bool) {
	if len(t.rest) == 0 {
		return 0, t.err, t.err != nil
	}
	// What was held back is followed now, when it is handed out: the end of one
	// more chunk may be in it.
	n := t.advance(b[:copy(b, t.rest)])
	t.rest = t.rest[n:]
	return n, nil, true
}

// hold takes what was read into b, and returns how much of it goes on. What
// lies beyond the end of a chunk is held back, and so is an error then.
func (t *tracker) hold(b []byte, err error) (int, error) {
	n := t.advance(b)
	if n == len(b) {
		return n, err
	}
	t.rest = append(t.rest[:0], b[n:]...)
	t.err = err
	return n, nil
}

// advance follows b and returns how much of it may be handed out at once.
func (t *tracker) advance(b []byte) int {
	for i := 0; i < len(b); {
		switch t.state {
		case trackOff:
			return len(b)
		case trackData:
			n := int(min(t.need, int64(len(b)-i)))
			t.need -= int64(n)
			t.body += int64(n)
			i += n
			if t.need == 0 {
				t.end, t.state = t.body, trackSize
				return i
			}
		default:
			c := b[i]
			i++
			if c != '\n' {
				// A longer line is none that matters here: the memory is bounded, not
				// the line.
				if len(t.line) < maxTrackedLine {
					t.line = append(t.line, c)
				}
				continue
			}
			line := strings.TrimSuffix(string(t.line), "\r")
			t.line = t.line[:0]
			if t.endLine(line) {
				return i
			}
		}
	}
	return len(b)
}

// endLine takes a line of the head or of a chunk's size. It reports whether
// the head of a chunked body ended with it.
func (t *tracker) endLine(line string) bool {
	switch t.state {
	case trackStatus:
		_, status, _ := strings.Cut(line, " ")
		status = strings.TrimLeft(status, " ") // net/http takes several blanks
		t.interim = strings.HasPrefix(status, "1") && !strings.HasPrefix(status, "101")
		t.coded = false
		t.state = trackField
	case trackField:
		if line != "" {
			name, value, _ := strings.Cut(line, ":")
			if strings.EqualFold(name, "Transfer-Encoding") {
				// The last line counts; a list of codings is refused by net/http.
				t.coded = strings.EqualFold(strings.TrimSpace(value), "chunked")
			}
			return false
		}
		switch {
		case t.interim:
			t.state = trackStatus
		case t.coded:
			t.state, t.seen = trackSize, true
			return true
		default:
			t.state = trackOff
		}
	case trackSize:
		t.endSize(line)
	}
	return false
}

// endSize takes a chunk's size; an empty line is the end of the chunk before.
func (t *tracker) endSize(line string) {
	if line == "" {
		return
	}
	// Extensions follow (RFC 9112, section 7.1.1), which nobody uses.
	digits, _, _ := strings.Cut(line, ";")
	n, err := strconv.ParseUint(strings.TrimSpace(digits), 16, 63)
	// The last chunk has size zero, and the trailer after it has no chunks.
	if err != nil || n == 0 {
		t.state = trackOff
		return
	}
	t.need, t.state = int64(n), trackData
}
