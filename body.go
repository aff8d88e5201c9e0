package requests

import (
	"bytes"
	"io"
	"iter"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/seed-9ea40bd3/requests/internal/uri"
)

// Payload is the body of a request: what is sent, how long it is, and whether
// it can be sent again. A payload of bytes, of text, of a reader that can
// seek and of a function that opens one can; one of any other reader and one
// of an iterator can be sent once, and a redirect, a retry or a challenge
// that needs it again is an [ErrUnrewindableBody].
//
// A payload made of a reader serves one request at a time; any other may
// serve many at once. The reader is never closed, and no Read of it is under
// way when Send has returned.
type Payload struct {
	data   []byte // where it is known in memory
	inMem  bool
	length int64 // -1 where it is not known
	blocks bool  // each piece read is a chunk of its own

	trailer http.Header // sent after the chunks; may be filled in until then

	opener func() (io.ReadCloser, error) // opens it anew each time

	mu     sync.Mutex
	reader io.Reader // the caller's, where there is no opener
	seeker io.Seeker // of reader; nil where it cannot go back
	start  int64     // where reader stood
	moved  bool      // reader was given out to be read
}

// unknownLength is the length of a body that is sent in chunks.
const unknownLength = -1

// fileBlock is how many bytes of a file without a length make a chunk.
const fileBlock = 16 << 10

// BytesPayload sends the bytes, which must not be changed while it is in use.
func BytesPayload(b []byte) *Payload {
	return &Payload{data: b, inMem: true, length: int64(len(b))}
}

// TextPayload sends the text as UTF-8.
func TextPayload(s string) *Payload { return BytesPayload([]byte(s)) }

// FuncPayload sends what open gives, and calls it again for each time it is
// sent. Its length is the number of bytes, or -1 where it is not known. The
// reader is closed after it was sent.
func FuncPayload(open func() (io.ReadCloser, error), length int64) *Payload {
	return &Payload{opener: open, length: max(length, unknownLength), blocks: true}
}

// ChunksPayload sends the pieces of an iterator, each as one chunk, empty
// ones left out. An error of the iterator's ends the request and is the cause
// of its error.
func ChunksPayload(seq iter.Seq2[[]byte, error]) *Payload {
	return &Payload{reader: &chunkReader{seq: seq}, length: unknownLength}
}

// NewPayload sends what r gives from where it stands. The length is that of
// what is left, where r tells: by a Len method, as a regular file, or by
// seeking to its end; otherwise the body is sent in chunks. Nil is an empty
// payload.
func NewPayload(r io.Reader) *Payload {
	switch r := r.(type) {
	case nil:
		return BytesPayload(nil)
	// A buffer is emptied by reading it: its bytes are taken, so that they can be
	// sent again.
	case *bytes.Buffer:
		if r == nil {
			return BytesPayload(nil)
		}
		return BytesPayload(r.Bytes())
	}
	p := &Payload{reader: r, length: unknownLength, blocks: true}
	if s, ok := r.(io.Seeker); ok {
		if at, err := s.Seek(0, io.SeekCurrent); err == nil {
			p.seeker, p.start = s, at
		}
	}
	p.length = p.measure()
	return p
}

// measure returns how many bytes the reader has left, or unknownLength.
func (p *Payload) measure() int64 {
	switch r := p.reader.(type) {
	case interface{ Len() int }:
		return int64(r.Len())
	case *os.File:
		// A pipe or a terminal lets itself be sought in, on some systems, and
		// gives nonsense.
		if fi, err := r.Stat(); err != nil || !fi.Mode().IsRegular() {
			p.seeker = nil
			return unknownLength
		}
	}
	if p.seeker == nil {
		return unknownLength
	}
	end, err := p.seeker.Seek(0, io.SeekEnd)
	if _, back := p.seeker.Seek(p.start, io.SeekStart); err != nil || back != nil {
		return unknownLength
	}
	return max(end-p.start, 0)
}

// Len returns the length in bytes, or -1 where it is not known.
func (p *Payload) Len() int64 {
	if p == nil {
		return 0
	}
	return p.length
}

// Bytes returns the body where it is in memory.
func (p *Payload) Bytes() ([]byte, bool) {
	if p == nil || !p.inMem {
		return nil, false
	}
	return p.data, true
}

// Replayable reports whether the body can be sent more than once.
func (p *Payload) Replayable() bool {
	return p == nil || p.inMem || p.opener != nil || p.seeker != nil
}

// sendable reports whether the body can be sent now: what can be sent only
// once may not have been.
func (p *Payload) sendable() bool {
	if p.Replayable() {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.moved
}

// untouched takes back that the reader was given out: nobody has read it.
func (p *Payload) untouched() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.moved = false
}

// ready reports whether reading the body never waits.
func (p *Payload) ready() bool {
	switch p.reader.(type) {
	case *bytes.Reader, *strings.Reader, *os.File:
		return p.seeker != nil
	}
	return p.inMem
}

// String tells the length, and nothing of the content.
func (p *Payload) String() string {
	switch {
	case p == nil:
		return "no body"
	case p.length < 0:
		return "body of unknown length"
	}
	return "body of " + itoa(p.length) + " bytes"
}

// GoString is [Payload.String].
func (p *Payload) GoString() string { return p.String() }

// open returns a reader of the whole body. A reader that stands elsewhere
// than at its start is rewound; where it cannot be, the error is an
// [ErrUnrewindableBody].
func (p *Payload) open() (io.ReadCloser, error) {
	if p.inMem {
		return io.NopCloser(bytes.NewReader(p.data)), nil
	}
	if p.opener != nil {
		r, err := p.opener()
		if err != nil {
			return nil, err
		}
		return p.cut(r), nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	// Somebody may have read it since it was made, an earlier attempt or another
	// part of the same body has: one that begins in the middle would be a broken
	// request that looks whole.
	switch {
	case p.seeker != nil:
		if _, err := p.seeker.Seek(p.start, io.SeekStart); err != nil {
			return nil, &Error{kind: ErrUnrewindableBody, reason: "the body cannot be rewound", Err: err}
		}
	case p.moved:
		return nil, &Error{kind: ErrUnrewindableBody, reason: "the body can be sent only once"}
	}
	p.moved = true
	return p.cut(io.NopCloser(p.reader)), nil
}

// cut bounds the blocks of a body that is sent in chunks.
func (p *Payload) cut(r io.ReadCloser) io.ReadCloser {
	if p.length != unknownLength || !p.blocks {
		return r
	}
	return &blockReader{r}
}

// blockReader reads at most fileBlock bytes at a time.
type blockReader struct{ io.ReadCloser }

func (r *blockReader) Read(b []byte) (int, error) {
	return r.ReadCloser.Read(b[:min(len(b), fileBlock)])
}

// chunkReader turns an iterator into a reader that never joins two pieces.
type chunkReader struct {
	seq  iter.Seq2[[]byte, error]
	next func() ([]byte, error, bool)
	stop func()
	rest []byte
	err  error
}

func (r *chunkReader) Read(b []byte) (int, error) {
	if err := r.fill(); err != nil {
		return 0, err
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// fill holds the next piece that is not empty in rest.
func (r *chunkReader) fill() error {
	if r.next == nil {
		r.next, r.stop = iter.Pull2(r.seq)
	}
	for len(r.rest) == 0 && r.err == nil {
		piece, err, ok := r.next()
		switch {
		case !ok:
			r.err = io.EOF
		case err != nil:
			r.err = err
		default:
			r.rest = piece
		}
	}
	if len(r.rest) > 0 {
		return nil
	}
	r.stop()
	return r.err
}

// end stops the iterator where it was begun and not read to its end.
func (r *chunkReader) end() {
	if r.next == nil {
		return
	}
	r.stop()
	if r.err == nil {
		r.err = io.EOF
	}
}

// WriteTo hands each piece on in one Write, whatever its size, so that it is
// one chunk on the wire.
func (r *chunkReader) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		if err := r.fill(); err != nil {
			if err == io.EOF {
				err = nil
			}
			return total, err
		}
		n, err := w.Write(r.rest)
		total += int64(n)
		r.rest = r.rest[n:]
		if err != nil {
			r.stop()
			return total, err
		}
	}
}

// bodyContent encodes what a request asks to send: its body, its Content-Type
// where it has one of its own, or an error. The order is that of Requests:
// data before files before JSON, and fields with files are parts.
func (r *Request) bodyContent(boundary func() (string, error)) (*Payload, string, error) {
	form := r.Form.encode()
	switch {
	// Requests, too, refuses a text beside files.
	case !r.Body.empty() && (len(r.Files) > 0 || len(r.Form) > 0):
		return nil, "", invalidOption("a body, a form and files exclude each other, but for a form with files")
	case !r.Body.empty():
		return r.Body, "", nil
	case len(r.Files) > 0:
		b, err := boundary()
		if err != nil {
			return nil, "", err
		}
		p, err := multipartPayload(b, r.Form, r.Files)
		return p, "multipart/form-data; boundary=" + b, err
	case form != "":
		return BytesPayload([]byte(form)), "application/x-www-form-urlencoded", nil
	case r.JSON != nil:
		b, err := encodeJSON(r.JSON)
		if err != nil {
			return nil, "", err
		}
		return BytesPayload(b), "application/json", nil
	}
	return nil, "", nil
}

// empty reports whether the body is falsy in the sense of Requests: bytes or
// text without any, for which files, a form or JSON step in. A file is a body
// even where nothing is left of it.
func (p *Payload) empty() bool { return p == nil || p.inMem && p.length == 0 }

// encode returns the fields form-encoded.
func (fs Fields) encode() string {
	if len(fs) == 0 {
		return ""
	}
	params := make([]uri.Param, 0, len(fs))
	for _, f := range fs {
		if !f.Omit {
			params = append(params, uri.Param{Name: f.Name, Value: f.Value})
		}
	}
	return uri.Encode(params)
}
