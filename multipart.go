package requests

import (
	"crypto/rand"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
)

// Part is a file, or any other part, of a multipart body.
type Part struct {
	// Field is the form's field name.
	Field string
	// FileName is the name told to the server; empty means the field's.
	FileName string
	// NoFileName leaves the name out, as for a plain field, and
	// EmptyFileName sends it empty.
	NoFileName, EmptyFileName bool
	// ContentType is the part's; empty sends none, for none is guessed.
	ContentType string
	// Headers are further ones of the part. Of a Content-Disposition among
	// them nothing is used.
	Headers Headers
	// Content is streamed when the request is sent. A nil Content leaves the
	// part out. Several parts may have one, or be of one reader, where it can
	// seek: each is sent from where the reader stood when its payload was made.
	// Of a reader that cannot, only one part can be made; another is an
	// [ErrUnrewindableBody] of preparing.
	Content *Payload
}

// FilePart is the file at path under its base name. It is opened each time
// it is sent, and closed after. A path that is no regular file has no length,
// and neither has a file that is said to be empty and is not, as in /proc. Any
// other that gives more or less than its size ends the request with an error.
func FilePart(field, path string) Part {
	open := func() (io.ReadCloser, error) { return openFile(path) }
	return Part{Field: field, FileName: filepath.Base(path), Content: FuncPayload(open, fileLength(path))}
}

// fileLength is the length of the file at path, or unknownLength.
func fileLength(path string) int64 {
	fi, err := os.Stat(path)
	if err != nil || !fi.Mode().IsRegular() || fi.Size() == 0 && givesBytes(path) {
		return unknownLength
	}
	return fi.Size()
}

// givesBytes reports whether a file that is said to be empty has content: those
// that a kernel makes up when they are read have no size.
func givesBytes(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var one [1]byte
	n, _ := f.Read(one[:])
	return n > 0
}

// newBoundary returns 32 hexadecimal digits, as urllib3 makes them.
func newBoundary() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(b[:]), nil
}

// multipartPayload is the body of fields and files: no part of a file is read
// before the body is sent. Its length is known where that of each file is,
// and it can be sent again where each file can.
func multipartPayload(boundary string, form Fields, files []Part) (*Payload, error) {
	if err := checkSharedReaders(files); err != nil {
		return nil, err
	}
	m := &multipart{}
	for _, f := range form {
		if f.Omit {
			continue
		}
		m.text("--" + boundary + "\r\nContent-Disposition: form-data; " + formParam("name", f.Name) +
			"\r\n\r\n" + f.Value + "\r\n")
	}
	for i := range files {
		f := &files[i]
		if f.Content == nil {
			continue
		}
		head, err := f.head()
		if err != nil {
			return nil, err
		}
		m.text("--" + boundary + "\r\n" + head + "\r\n")
		// Not read yet: it is opened when its turn comes.
		m.segments = append(m.segments, f.Content)
		m.text("\r\n")
	}
	m.text("--" + boundary + "--\r\n")
	return m.payload(), nil
}

// checkSharedReaders refuses parts of one reader that can be read only once: the
// first would have all, and the others nothing. Requests sends them empty.
func checkSharedReaders(files []Part) error {
	seen := map[io.Reader]struct{}{}
	for i := range files {
		p := files[i].Content
		// Others than pointers may be equal and read apart, or not comparable.
		if p.Replayable() || reflect.ValueOf(p.reader).Kind() != reflect.Pointer {
			continue
		}
		if _, again := seen[p.reader]; again {
			return &Error{kind: ErrUnrewindableBody, reason: "two parts read one reader, which can be read only once"}
		}
		seen[p.reader] = struct{}{}
	}
	return nil
}

// multipart is a body of texts and files one after the other.
type multipart struct {
	segments []*Payload
}

// text appends s, to the text before where there is one.
func (m *multipart) text(s string) {
	if n := len(m.segments); n > 0 && m.segments[n-1].inMem && m.segments[n-1].blocks {
		// One allocation less for a form without files, which becomes one text.
		last := m.segments[n-1]
		last.data = append(last.data, s...)
		last.length = int64(len(last.data))
		return
	}
	p := TextPayload(s)
	p.blocks = true // marks a text of ours, which may grow
	m.segments = append(m.segments, p)
}

// payload joins the segments into one body. It has a length where all have one,
// and can be sent again where all can; without files it is one text in memory.
func (m *multipart) payload() *Payload {
	p := &Payload{}
	replayable := true
	for _, s := range m.segments {
		if s.length == unknownLength || p.length == unknownLength {
			p.length = unknownLength
		} else {
			p.length += s.length
		}
		replayable = replayable && s.Replayable()
	}
	if len(m.segments) == 1 {
		return BytesPayload(m.segments[0].data)
	}
	p.blocks = true
	if replayable {
		p.opener = m.open
		return p
	}
	// A segment that can be read once makes the whole such a body.
	p.reader = &lazyReader{open: m.open}
	return p
}

// open begins the body anew; each reader goes through the segments by itself.
func (m *multipart) open() (io.ReadCloser, error) {
	return &multipartReader{rest: m.segments}, nil
}

// lazyReader opens its source at the first Read.
type lazyReader struct {
	open func() (io.ReadCloser, error)
	r    io.ReadCloser
}

// Read opens the source when net/http asks for the first byte: a request that
// never goes out opens no file.
func (l *lazyReader) Read(b []byte) (int, error) {
	if l.r == nil {
		r, err := l.open()
		if err != nil {
			return 0, err
		}
		l.r = r
	}
	return l.r.Read(b)
}

// multipartReader reads segments one after the other, each opened when it is
// its turn and held to its length.
type multipartReader struct {
	rest []*Payload
	cur  io.ReadCloser
	left int64 // of cur; below zero where it has no length
}

// Read gives the next bytes of the segments. A file that has changed its length
// since the head was made is an error: Content-Length has promised the old one.
func (r *multipartReader) Read(b []byte) (int, error) {
	for {
		if r.cur == nil {
			if len(r.rest) == 0 {
				return 0, io.EOF
			}
			cur, err := r.rest[0].open()
			if err != nil {
				return 0, err
			}
			r.cur, r.left, r.rest = cur, r.rest[0].length, r.rest[1:]
		}
		n, err := r.cur.Read(b)
		if r.left >= 0 {
			r.left -= int64(n)
			if r.left < 0 {
				return 0, bodyLengthError("file of a multipart body is longer than it was")
			}
		}
		if err == io.EOF {
			if r.left > 0 {
				return n, bodyLengthError("file of a multipart body is " + itoa(r.left) + " bytes shorter than it was")
			}
			// At once, so that no more than one file is open at a time.
			err = r.cur.Close()
			r.cur = nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// Close closes the segment under way; the others are not open.
func (r *multipartReader) Close() error {
	if r.cur == nil {
		return nil
	}
	return r.cur.Close()
}

// bodyLengthError is the error of a file that changed while it was sent.
func bodyLengthError(reason string) error {
	return &Error{kind: ErrRequest, reason: reason}
}

// head is the part's headers, in urllib3's order: Content-Disposition,
// Content-Type, Content-Location, then the others.
func (p *Part) head() (string, error) {
	var b strings.Builder
	b.WriteString("Content-Disposition: form-data; " + formParam("name", p.Field))
	switch {
	case p.NoFileName:
	case p.FileName == "" && !p.EmptyFileName:
		b.WriteString("; " + formParam("filename", p.Field))
	default:
		b.WriteString("; " + formParam("filename", p.FileName))
	}
	b.WriteString("\r\n")
	// The part is the caller's, and may be sent again.
	headers := p.Headers.Clone()
	headers.Del("Content-Disposition")
	if p.ContentType != "" {
		headers.Del("Content-Type")
		headers.fields = append([]headerField{{name: "Content-Type", value: p.ContentType}}, headers.fields...)
	}
	// A line end in a header would begin a part of somebody else's making.
	if err := checkHeaders(&headers); err != nil {
		return "", err
	}
	for _, first := range []string{"Content-Type", "Content-Location"} {
		i := headers.index(first, 0)
		if i < 0 || headers.fields[i].name != first {
			continue // in another spelling it is one of the others to urllib3
		}
		// urllib3 leaves out a header without a value.
		if headers.fields[i].value != "" {
			b.WriteString(first + ": " + headers.fields[i].value + "\r\n")
		}
		headers.Del(first)
	}
	for i := range headers.fields {
		if f := &headers.fields[i]; f.value != "" {
			b.WriteString(f.name + ": " + f.value + "\r\n")
		}
	}
	b.WriteString("\r\n")
	s := b.String()
	return s[:len(s)-2], nil
}

// formParam is name="value", escaped as HTML has it and urllib3 does.
func formParam(name, value string) string {
	return name + `="` + escapeForm(value) + `"`
}

// escapeForm escapes what would end the value. Hardly any name holds such.
func escapeForm(value string) string {
	if !strings.ContainsAny(value, "\"\r\n") {
		return value
	}
	// As HTML has it for form-data, and urllib3 with it. A backslash stays as it
	// is.
	return strings.NewReplacer(`"`, "%22", "\r", "%0D", "\n", "%0A").Replace(value)
}
