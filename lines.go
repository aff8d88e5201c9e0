package requests

import (
	"bytes"
	"io"
	"iter"
	"strings"
)

// LineBytes yields the body's lines, without their ends: \n, \r\n or \r. Each
// is valid until the next step. Empty lines are lines; an end at the very end
// makes no further one. A line comes as soon as its end has arrived, and may
// have any length. With a delimiter the body is cut at that instead, and
// nowhere else, as [bytes.Split] does.
//
// Leaving the loop early closes the response. On a response that streams the
// lines can be had once.
func (r *Response) LineBytes(delimiter ...string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		src, err := r.lineSource()
		if err != nil {
			yield(nil, err)
			return
		}
		defer r.closeUnlessLoaded()
		scanLines(src, strings.Join(delimiter, ""), yield)
	}
}

// Lines is [Response.LineBytes] as strings, decoded by Encoding; without one
// the bytes come as they are.
func (r *Response) Lines(delimiter ...string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		src, err := r.lineSource()
		if err != nil {
			yield("", err)
			return
		}
		defer r.closeUnlessLoaded()
		if r.Encoding != "" {
			// Encoding decides before the lines are cut, and not for each line by
			// itself.
			src = &textReader{src: src, decode: r.textDecoder()}
		}
		scanLines(src, strings.Join(delimiter, ""), func(line []byte, err error) bool {
			return yield(string(line), err)
		})
	}
}

// lineSource is the body from its start.
func (r *Response) lineSource() (io.Reader, error) {
	b := &r.body
	if b.state == bodyLoaded {
		return bytes.NewReader(b.data), nil
	}
	if err := b.begin(r); err != nil {
		return nil, err
	}
	return readerFunc(func(p []byte) (int, error) { return b.step(r, p) }), nil
}

// closeUnlessLoaded ends a response that streams, at the end of its lines or
// where the loop was left. One in memory can be gone through again.
func (r *Response) closeUnlessLoaded() {
	if r.body.state != bodyLoaded {
		r.Close()
	}
}

// textReader decodes what it reads.
type textReader struct {
	src    io.Reader
	decode func(dst, src []byte, final bool) []byte
	text   []byte // what was decoded last
	rest   []byte // of text, not handed out yet
	in     [8 << 10]byte
	err    error // of src, to come after rest
}

// Read decodes before lines are cut: in UTF-16 the byte of a line feed may be
// half of another character.
func (t *textReader) Read(p []byte) (int, error) {
	for len(t.rest) == 0 {
		if t.err != nil {
			return 0, t.err
		}
		n, err := t.src.Read(t.in[:])
		// What a cut character lacks comes with the next read; the end makes it
		// U+FFFD.
		t.text = t.decode(t.text[:0], t.in[:n], err == io.EOF)
		t.rest, t.err = t.text, err
	}
	n := copy(p, t.rest)
	t.rest = t.rest[n:]
	return n, nil
}

// lineWindow is how much of a body is looked at for line ends at once. A
// large window, searched by the runtime's vector code, is what makes lines
// cheap. It grows while it is filled as soon as it is read into.
const (
	lineWindow    = 64 << 10
	maxLineWindow = 256 << 10
)

// scanLines cuts what src gives and yields the pieces. An error of src's
// comes last, after the lines before it.
func scanLines(src io.Reader, delimiter string, yield func([]byte, error) bool) {
	s := lineScanner{buf: make([]byte, lineWindow), delim: []byte(delimiter)}
	for {
		for {
			if !s.run(yield) {
				return
			}
			// It is for what run leaves: a carriage return, a delimiter, or a line
			// feed that belongs to the line before.
			line, ok := s.next()
			if !ok {
				break
			}
			if !yield(line, nil) {
				return
			}
		}
		if err := s.fill(src); err != nil {
			// A line that an error cuts is not handed out: it would be taken for a
			// whole one.
			if line, ok := s.last(); ok && err == io.EOF && !yield(line, nil) {
				return
			}
			if err != io.EOF {
				yield(nil, err)
			}
			return
		}
	}
}

// lineScanner holds the window: buf[from:to] is not cut yet, and none of
// buf[from:seen] ends a line.
type lineScanner struct {
	buf            []byte
	from, seen, to int
	delim          []byte
	lf, cr         int   // the first \n and \r at or after seen, or to: looked up once
	filled         bool  // the last read did
	skipLF         bool  // a \r ended the line before: \n belongs to it
	any            bool  // something was read
	err            error // of src, to come after what it gave
}

// run yields the lines that end with \n before there is a \r in the window:
// nearly all lines there are. It reports whether to go on.
func (s *lineScanner) run(yield func([]byte, error) bool) bool {
	if len(s.delim) > 0 || s.skipLF {
		return true
	}
	if s.cr < s.seen {
		s.cr = s.seen + indexOrEnd(s.buf[s.seen:s.to], '\r')
	}
	// Local copies, since this is the loop that everything hangs on; s is put
	// right when it is left.
	from, seen, window := s.from, s.seen, s.buf[:s.cr]
	for {
		i := bytes.IndexByte(window[seen:], '\n')
		if i < 0 {
			s.from, s.seen = from, len(window)
			return true
		}
		line := window[from : seen+i]
		seen += i + 1
		from = seen
		if !yield(line, nil) {
			return false
		}
	}
}

// next returns the next whole line of the window.
func (s *lineScanner) next() ([]byte, bool) {
	if s.skipLF && s.from < s.to {
		s.skipLF = false
		if s.buf[s.from] == '\n' {
			s.from++
			s.seen = max(s.seen, s.from)
		}
	}
	at, width := s.find()
	if at < 0 {
		return nil, false
	}
	line := s.buf[s.from:at]
	// The line feed of \r\n may not have come yet, and the line is not held back
	// for it.
	s.skipLF = width == 1 && len(s.delim) == 0 && s.buf[at] == '\r'
	s.from = at + width
	s.seen = s.from
	return line, true
}

// find returns the next end at or after seen, and its width.
func (s *lineScanner) find() (at, width int) {
	window := s.buf[s.seen:s.to]
	if len(s.delim) > 0 {
		if i := bytes.Index(window, s.delim); i >= 0 {
			return s.seen + i, len(s.delim)
		}
		s.seen = max(s.seen, s.to-len(s.delim)+1) // the delimiter may be cut
		return -1, 0
	}
	// Each byte is searched once for each end: without the notes a window of \r
	// alone would be searched for \n again at each of them.
	if s.lf < s.seen {
		s.lf = s.seen + indexOrEnd(window, '\n')
	}
	if s.cr < s.seen {
		s.cr = s.seen + indexOrEnd(window, '\r')
	}
	s.seen = min(s.lf, s.cr)
	if s.seen == s.to {
		return -1, 0
	}
	return s.seen, 1
}

// indexOrEnd is where c is first in b, or the length of b.
func indexOrEnd(b []byte, c byte) int {
	if i := bytes.IndexByte(b, c); i >= 0 {
		return i
	}
	return len(b)
}

// fill reads more, making room by moving the rest to the front or, for a line
// that fills the window, by doubling it.
func (s *lineScanner) fill(src io.Reader) error {
	if s.err != nil {
		return s.err
	}
	if s.from > 0 {
		// Lines that were handed out lie before from, and are no longer valid.
		copy(s.buf, s.buf[s.from:s.to])
		s.to -= s.from
		s.seen -= s.from
		s.from = 0
	}
	if s.to == len(s.buf) || s.filled && len(s.buf) < maxLineWindow {
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	// The notes were of the bytes before: there are more now.
	s.lf, s.cr = -1, -1
	for {
		n, err := src.Read(s.buf[s.to:])
		s.to += n
		s.filled = s.to == len(s.buf)
		s.err = err
		if n > 0 {
			s.any = true
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// last returns what follows the last end: nothing where the body ended with a
// line end, but an empty piece where it ended with a delimiter.
func (s *lineScanner) last() ([]byte, bool) {
	if s.from == s.to {
		return nil, len(s.delim) > 0 && s.any
	}
	return s.buf[s.from:s.to], true
}
