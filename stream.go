package requests

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/seed-9ea40bd3/requests/internal/coding"
)

// body is a response's, from the transport to the caller.
type body struct {
	raw     io.ReadCloser         // undecoded; its errors are ours already. Nil is none
	length  int64                 // of raw, or unknownLength
	coded   *coded                // nil without codings
	limits  *Limits               // nil for none
	framed  func(read int64) bool // whether raw stands at the end of a chunk
	trailer *http.Header          // filled in at the end of raw

	state   bodyState
	closed  bool   // raw is given back
	rawRead int64  // bytes read of raw
	read64  int64  // decoded bytes handed out
	data    []byte // the whole, or what came before an error
	pos     int    // of Read within data
	err     error  // what ended the reading; it stays
}

// coded is what a body has whose content is coded.
type coded struct {
	codings []string      // to undo, as the Content-Encoding fields say
	decoder io.ReadCloser // nil before the first read
}

// decoder returns what undoes the codings, or nil where there is nothing to undo or
// nothing was read.
func (b *body) decoder() io.ReadCloser {
	if b.coded == nil {
		return nil
	}
	return b.coded.decoder
}

// bodyState says which readers may begin. It never goes back.
type bodyState uint8

const (
	bodyFresh    bodyState = iota // nothing was read
	bodyReading                   // a reader is under way
	bodyConsumed                  // a reader came to the end
	bodyLoaded                    // the whole is in data
	bodyFailed                    // err says why
)

// maxExactBody is the largest body that is read into one allocation on the
// word of a Content-Length.
const maxExactBody = 16 << 20

// bufferSize is that of the buffers that bodies are moved in.
const bufferSize = 256 << 10

// buffers has room for bodies on their way. A body that is collected in it is
// copied out before its buffers go back.
var buffers = sync.Pool{New: func() any { return new(make([]byte, bufferSize)) }}

// getBuffer takes a buffer of bufferSize, and putBuffer gives it back: nothing
// may refer to it then.
func getBuffer() *[]byte  { return buffers.Get().(*[]byte) }
func putBuffer(b *[]byte) { buffers.Put(b) }

// load reads the whole body into data and gives the connection back.
func (b *body) load(r *Response) error {
	switch b.state {
	case bodyLoaded:
		return nil
	case bodyFailed:
		return b.err
	case bodyConsumed:
		return b.consumedError(r)
	}
	// The rest of the body went with its connection.
	if b.closed {
		return b.fail(r, &Error{kind: ErrStreamConsumed, reason: "response was closed before its body was read"})
	}
	if b.state == bodyReading {
		return b.consumedError(r)
	}
	if err := b.start(r); err != nil {
		return b.fail(r, err)
	}
	// What came before an error is kept too, for [Response.Partial]. Callers may
	// append to it without being in one another's way.
	data, err := readAll(b, r, b.expect())
	b.data = slices.Clip(data)
	if err != nil {
		return b.err
	}
	b.state = bodyLoaded
	return nil
}

// consumedError does not stick: what was read was read.
func (b *body) consumedError(r *Response) error {
	err := &Error{
		kind: ErrStreamConsumed, reason: "body was already read by another reader",
		Op: "read body", URL: shownURL(r.URL), Request: r.Request, Response: r, MaybeSent: true,
	}
	// It is told by [Response.Err], but ends nothing: the other reader goes on.
	if b.err == nil {
		b.err = err
	}
	return err
}

// expect is how much room to make at first.
func (b *body) expect() int {
	// A coded body has another size than its length says, and one beyond the
	// limit is not made room for.
	if limit := b.limits.body(); b.length < 0 || b.decoder() != nil || limit > 0 && b.length > limit {
		return 0
	}
	return int(min(b.length, maxExactBody))
}

// readAll reads to the end: into one allocation where the length is known,
// else into growing ones.
func readAll(b *body, r *Response, expect int) ([]byte, error) {
	if expect > 0 && int64(expect) == b.length {
		// The caller gets this slice, so that it comes from no pool.
		data := b.takeWhole()
		n := len(data)
		b.rawRead += int64(n)
		b.read64 += int64(n)
		if data == nil {
			data = b.room(expect)
		}
		for n < len(data) {
			m, err := b.step(r, data[n:])
			n += m
			if err != nil {
				return data[:n], eofIsNil(err)
			}
		}
		var one [1]byte // the end itself gives the connection back
		_, err := b.step(r, one[:])
		return data, eofIsNil(err)
	}
	return readGrowing(b, r, nil)
}

// transportBody is a body of our own transport.
type transportBody interface {
	// takeWhole returns all of one that is in memory already, or nil; it is the
	// caller's to keep then.
	takeWhole(length int64) []byte
	// fills reports whether Read writes all that it counts.
	fills() bool
}

// takeWhole returns the undecoded bytes of a body that came with its head, of
// which nothing was read; else nil.
func (b *body) takeWhole() []byte {
	if raw, ok := b.raw.(transportBody); ok {
		return raw.takeWhole(b.length)
	}
	return nil
}

// room returns memory to read n bytes into. It is uncleared only for a body that
// is known to fill it: what another counts and has not written is zeros to the
// caller, and not what the memory held before.
func (b *body) room(n int) []byte {
	if raw, ok := b.raw.(transportBody); ok && raw.fills() {
		return uncleared(n)
	}
	return make([]byte, n)
}

// uncleared returns n bytes, more than none, that nobody else has. What is in them
// may be anything that this process has had in memory. To clear 10 MiB takes as
// long as a fifth of their way through a loopback; of all in the standard library
// only a [strings.Builder] spares it, and it alone has this string, of one byte.
func uncleared(n int) []byte {
	var b strings.Builder
	b.Grow(n)
	b.WriteByte(0)
	return unsafe.Slice(unsafe.StringData(b.String()), n)
}

// readGrowing collects a body in pooled buffers, and joins them once: what is
// read costs its own size, and no more. When enough of a coded body has come to
// tell how large it will be, the rest goes to its place at once. data is what
// was read before, in vain foresight.
func readGrowing(b *body, r *Response, data []byte) ([]byte, error) {
	pieces := []*[]byte{getBuffer()}
	defer func() {
		for _, piece := range pieces {
			putBuffer(piece)
		}
	}()
	n := 0 // in the last piece
	for {
		last := *pieces[len(pieces)-1]
		m, err := b.step(r, last[n:])
		n += m
		if err != nil {
			return join(data, pieces, n), eofIsNil(err)
		}
		if n < len(last) {
			continue
		}
		if data == nil && len(pieces) == enoughToTell {
			if room := b.foresee(); room > 0 {
				return readForeseen(b, r, join(make([]byte, 0, room), pieces, n))
			}
		}
		pieces, n = append(pieces, getBuffer()), 0
	}
}

// enoughToTell is after how many buffers the size of a coded body is foreseen.
const enoughToTell = 8

// readAhead is what a decoder has read and not decoded yet, on the average.
const readAhead = 16 << 10

// foresee returns how much room a coded body will take, with some to spare, by
// how it went so far; zero where that cannot be told, or is more than the word
// of a Content-Length is worth.
func (b *body) foresee() int {
	if b.decoder() == nil || b.length <= b.rawRead || b.rawRead <= readAhead {
		return 0
	}
	whole := float64(b.read64) / float64(b.rawRead-readAhead) * float64(b.length)
	room := whole + whole/32 + bufferSize
	if limit := b.limits.body(); limit > 0 {
		room = min(room, float64(limit)+1)
	}
	if room > maxExactBody {
		return 0
	}
	return int(room)
}

// readForeseen reads the rest of a body behind what is in data, as long as its
// room lasts.
func readForeseen(b *body, r *Response, data []byte) ([]byte, error) {
	for {
		m, err := b.step(r, data[len(data):cap(data)])
		data = data[:len(data)+m]
		switch {
		case err != nil && cap(data)-len(data) > len(data)/4:
			return slices.Clone(data), eofIsNil(err) // too much to keep for nothing
		case err != nil:
			return data, eofIsNil(err)
		case len(data) == cap(data):
			return readGrowing(b, r, data)
		}
	}
}

// join appends full pieces and n bytes of the last one to data, in one
// allocation at most.
func join(data []byte, pieces []*[]byte, n int) []byte {
	total := len(data) + (len(pieces)-1)*bufferSize + n
	if cap(data) < total {
		data = append(uncleared(total)[:0], data...)
	}
	for _, piece := range pieces {
		data = append(data, (*piece)[:min(total-len(data), bufferSize)]...)
	}
	return data
}

// eofIsNil is for those who have read to the end on purpose.
func eofIsNil(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// start makes the decoder.
func (b *body) start(r *Response) error {
	if b.state != bodyFresh {
		return nil
	}
	b.state = bodyReading
	if b.raw == nil {
		b.raw = http.NoBody // the response was made without [NewResponse]
	}
	if b.coded == nil {
		return nil
	}
	// The decoder reads raw through the counter; without one, step counts itself.
	dec, err := coding.NewReader(&rawCounter{b}, b.coded.codings, b.limits.coding())
	if err != nil {
		return decodingError(r, err)
	}
	b.coded.decoder = dec
	return nil
}

// body is how much of a body is handed out, or zero for all.
func (l *Limits) body() int64 {
	if l == nil {
		return 0
	}
	return max(l.Body, 0)
}

// drain is how much of a body on the way is read.
func (l *Limits) drain() int64 {
	if l == nil {
		return defaultDrain
	}
	return max(cmp.Or(l.Drain, defaultDrain), 0)
}

// defaultDrain is what [Limits.Drain] stands for when it is zero.
const defaultDrain = 64 << 10

// coding is the limits as the decoders take them: zero is none there, and below
// zero is none here.
func (l *Limits) coding() coding.Limits {
	if l == nil {
		return coding.Limits{}
	}
	return coding.Limits{
		MaxBytes: max(l.Body, 0), MaxRatio: max(l.Expansion, 0), Layers: max(l.Codings, 0), Window: max(l.Window, 0),
	}
}

// rawCounter is raw, counted.
type rawCounter struct{ b *body }

// Read counts before the decoder sees the bytes, so that the count is of the
// wire.
func (c *rawCounter) Read(p []byte) (int, error) {
	n, err := c.b.raw.Read(p)
	c.b.rawRead += int64(n)
	return n, err
}

// step reads decoded bytes. At the end, good or bad, the connection is given
// back and the state is set.
func (b *body) step(r *Response, p []byte) (int, error) {
	var n int
	var err error
	if decoder := b.decoder(); decoder != nil {
		n, err = decoder.Read(p)
		if err != nil && err != io.EOF {
			err = decodingError(r, err)
		}
	} else {
		n, err = b.raw.Read(p)
		b.rawRead += int64(n)
	}
	b.read64 += int64(n)
	if limit := b.limits.body(); limit > 0 && b.read64 > limit {
		// What is within the limit is handed out, and the error with it.
		n -= int(min(b.read64-limit, int64(n)))
		err = &Error{kind: ErrTooLarge, reason: "body is larger than the limit of " + itoa(limit) + " bytes"}
	}
	switch err {
	case nil:
	case io.EOF:
		b.state = bodyConsumed
		b.release()
	default:
		err = b.fail(r, err)
	}
	return n, err
}

// decodingError tells a decoder's faults from the network's, which are ours
// already.
func decodingError(r *Response, err error) error {
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	kind := ErrContentDecoding
	if errors.Is(err, coding.ErrTooLarge) || errors.Is(err, coding.ErrRatio) {
		kind = ErrTooLarge
	}
	return &Error{kind: kind, Err: err, Request: r.Request}
}

// fail ends the body with an error that stays.
func (b *body) fail(r *Response, err error) error {
	var e *Error
	if errors.As(err, &e) && e.Response == nil {
		// A copy: the transport keeps its error, and gives it for each later Read.
		filled := *e
		filled.Response, filled.MaybeSent = r, true
		if filled.Request == nil {
			filled.Request = r.Request
		}
		if filled.Op == "" {
			filled.Op, filled.URL = "read body", shownURL(r.URL)
		}
		err = &filled
	}
	b.state, b.err = bodyFailed, err
	b.release()
	return err
}

// release closes decoder and connection; the latter was given back where the
// body came to its end.
func (b *body) release() {
	if b.closed {
		return
	}
	b.closed = true
	if decoder := b.decoder(); decoder != nil {
		decoder.Close()
	}
	if b.raw != nil {
		b.raw.Close()
	}
}

// close is [Response.Close]. It may come while the body is in any state.
func (b *body) close() error {
	b.release()
	return nil
}

// begin checks that a reader may start, and starts it.
func (b *body) begin(r *Response) error {
	switch {
	case b.state == bodyFailed:
		return b.err
	case b.state == bodyConsumed || b.state == bodyReading:
		return b.consumedError(r)
	case b.closed:
		return b.fail(r, &Error{kind: ErrStreamConsumed, reason: "response was closed before its body was read"})
	}
	if err := b.start(r); err != nil {
		return b.fail(r, err)
	}
	return nil
}

// read is [Response.Read] by the state that the body is in.
func (b *body) read(r *Response, p []byte) (int, error) {
	switch b.state {
	case bodyLoaded:
		if b.pos >= len(b.data) {
			return 0, io.EOF
		}
		n := copy(p, b.data[b.pos:])
		b.pos += n
		return n, nil
	case bodyConsumed:
		return 0, io.EOF
	// A Read begins the body, and goes on with it: unlike the other readers it
	// may be called again.
	case bodyFresh:
		if err := b.begin(r); err != nil {
			return 0, err
		}
	case bodyFailed:
		return 0, b.err
	}
	if b.closed {
		return 0, b.fail(r, &Error{kind: ErrStreamConsumed, reason: "response was closed"})
	}
	return b.step(r, p)
}

// rawReader reads undecoded bytes.
func (b *body) rawReader(r *Response) io.Reader {
	if b.state == bodyLoaded {
		return bytes.NewReader(nil)
	}
	// Without codings the body is handed out as it is. A reader that began before
	// has its decoder already.
	if b.decoder() == nil {
		b.coded = nil
	}
	return readerFunc(func(p []byte) (int, error) { return b.read(r, p) })
}

// readerFunc is an [io.Reader] of one function.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// onClose has f called when the body is done with.
func (b *body) onClose(f func()) {
	if b.closed || b.raw == nil {
		f()
		return
	}
	b.raw = &closeHook{b.raw, f}
}

// aborter is a body of which a Read that waits can be ended.
type aborter interface{ abort() }

// ownBody is what a response was made of. It closes that once, where it can be
// closed, and is told apart by its address: not every reader can be compared.
type ownBody struct {
	io.Reader
	closed bool
}

func (o *ownBody) Close() error {
	c, ok := o.Reader.(io.Closer)
	if !ok || o.closed {
		return nil
	}
	o.closed = true
	return c.Close()
}

// closeHook calls a function when it is closed.
type closeHook struct {
	io.ReadCloser
	f func()
}

// Close closes first: what f lets in may need the connection.
func (c *closeHook) Close() error {
	defer c.f()
	return c.ReadCloser.Close()
}

// drain reads the rest of a body that nobody asked for, as it crosses the
// wire and no more than a little, so that its connection serves the next
// request. What was read stays to be had, decoded, from Content.
func (b *body) drain(r *Response) {
	if b.state == bodyReading {
		b.release() // a hook has begun to read it: the rest cannot be kept
	}
	if b.state != bodyFresh || b.closed || b.raw == nil {
		return
	}
	limit := b.limits.drain()
	// The length says that it is not worth the wait: a new connection is cheaper.
	if b.length > limit {
		_ = b.fail(r, &Error{kind: ErrStreamConsumed, reason: "body was too long to be read on the way"})
		return
	}
	held, err := b.takeWhole(), error(nil)
	if held == nil {
		// A server that dawdles must not hold up the request that comes next.
		if raw, ok := b.raw.(aborter); ok && b.length != 0 {
			defer time.AfterFunc(drainTime, raw.abort).Stop()
		}
		held, err = b.takeRaw()
	}
	b.raw.Close()
	if err == nil && int64(len(held)) > limit {
		err = &Error{kind: ErrStreamConsumed, reason: "body was too long to be read on the way"}
	}
	// What is held has no chunks any more, and a length that is known.
	b.framed = nil
	b.length = int64(len(held))
	if b.raw = http.NoBody; len(held) > 0 || err != nil {
		b.raw = &heldBody{Reader: bytes.NewReader(held), err: err}
	}
}

// takeRaw reads what is left of raw, and a little more than the limit of a
// drain at most.
func (b *body) takeRaw() ([]byte, error) {
	if b.length < 0 {
		// One byte beyond the limit tells a body that is too long from one that
		// just fits.
		return io.ReadAll(io.LimitReader(b.raw, b.limits.drain()+1))
	}
	if b.length == 0 {
		_, err := b.raw.Read(nil) // an empty body has an end, too
		return nil, eofIsNil(err)
	}
	held := make([]byte, b.length+1) // one more to see the end
	n, err := io.ReadFull(b.raw, held)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return held[:n], err
}

// heldBody is what was read of a body, and the error that ended it.
type heldBody struct {
	*bytes.Reader
	err error
}

// Read gives the error only after all that came before it.
func (h *heldBody) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if err == io.EOF && h.err != nil {
		err = h.err
	}
	return n, err
}

// Close has nothing to close: raw was closed when the rest of it was held.
func (h *heldBody) Close() error { return nil }
