package requests

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// upload is a request's body on its way out. It sees to it that the caller's
// reader is read by nobody once Send has returned, that it has the length it
// said, and that an answer which came early is not lost with what was not
// sent.
type upload struct {
	payload *Payload
	free    chan struct{}         // holds a token while no Read of the source is under way
	done    chan struct{}         // closed when the response is done with
	ended   atomic.Bool           // done is closed
	stopped atomic.Bool           // nothing more is to be read of the source
	reading atomic.Bool           // the source is waited for, not the peer
	touched atomic.Bool           // the source was asked for something
	sent    atomic.Int64          // bytes that the source gave
	whole   atomic.Bool           // the source came to its end
	err     atomic.Pointer[error] // the source's own, the first
	first   uploadReader          // what open gives the first time

	// Of a source that can be read only once, what was read so far, while
	// it is little: a connection that turns out to be dead before anything
	// was written to it costs such a body nothing. Guarded by free.
	once   bool
	opened bool
	prefix []byte
	over   bool // more was read than prefix holds
}

// maxPrefix is as much as net/http reads of a body before it first writes.
const maxPrefix = 32 << 10

// newUpload readies a body for one trip.
func newUpload(payload *Payload) *upload {
	u := &upload{
		payload: payload, once: !payload.Replayable(),
		free: make(chan struct{}, 1), done: make(chan struct{}),
	}
	// The token: whoever takes it may read the source.
	u.free <- struct{}{}
	return u
}

// errUploadStopped is what net/http is told of a body that nobody needs any
// more. It is no failure of the source.
var errUploadStopped = errors.New("upload was stopped")

// open starts the body from its beginning: net/http calls it again to send
// the request once more.
func (u *upload) open() (io.ReadCloser, error) {
	<-u.free
	defer u.unlock()
	again := u.once && u.opened
	// More was read than the prefix holds, or nobody needs the body any more.
	if u.over || u.stopped.Load() {
		return nil, &Error{kind: ErrUnrewindableBody, reason: "the body can be sent only once"}
	}
	var src io.ReadCloser
	if again {
		// The reader stands where the first connection left it, behind the prefix.
		src = io.NopCloser(io.MultiReader(bytes.NewReader(u.prefix), u.payload.reader))
		u.prefix = nil
	} else {
		var err error
		if src, err = u.payload.open(); err != nil {
			return nil, err
		}
		u.opened = true
	}
	u.whole.Store(false)
	// The first reader lies in the upload itself, and costs no allocation.
	// net/http may hold on to it when it asks for another.
	r := &u.first
	if r.u != nil {
		r = new(uploadReader)
	}
	*r = uploadReader{u: u, src: src, left: u.payload.Len()}
	if again {
		return r, nil
	}
	if pieces, ok := u.payload.reader.(*chunkReader); ok {
		return &chunkUpload{r, pieces}, nil
	}
	return r, nil
}

// progress changes with every piece sent, and while the source is waited for.
func (u *upload) progress() int64 {
	if u.reading.Load() {
		// A source that thinks is no peer that stalls: the read timeout is not for
		// it.
		return time.Now().UnixNano()
	}
	return u.sent.Load()
}

// cancelGrace is how long a request whose context ended is waited for.
const cancelGrace = 50 * time.Millisecond

// lock waits for a Read of the source to end, and a little longer than the
// caller's context: most do end.
func (u *upload) lock(ctx context.Context) bool {
	select {
	case <-u.free:
		return true
	case <-ctx.Done():
	}
	grace := time.NewTimer(cancelGrace)
	defer grace.Stop()
	select {
	case <-u.free:
		return true
	case <-grace.C:
		return false
	}
}

// unlock gives the token back.
func (u *upload) unlock() { u.free <- struct{}{} }

// giveUp ends the upload of a request that failed. A source that was asked for
// nothing is as it was: what can be sent only once was not sent. It is called
// under the lock.
func (u *upload) giveUp() {
	u.stopped.Store(true)
	if !u.touched.Load() {
		u.payload.untouched()
	}
}

// fail keeps the source's own error, which net/http may wrap or lose.
func (u *upload) fail(err error) error {
	u.err.CompareAndSwap(nil, &err)
	return err
}

// failure returns the source's own error, or nil.
func (u *upload) failure() error {
	if p := u.err.Load(); p != nil {
		return *p
	}
	return nil
}

const (
	// stallLook is how often an upload that goes on after its answer came is
	// looked at, and stallLimit how many looks without progress end it.
	stallLook  = 50 * time.Millisecond
	stallLimit = 10
)

// settle is called when the answer has come. An upload that it came before
// the end of goes on while it gets anywhere, unless the answer refuses it;
// then it is stopped. It reports false where the caller's context ended.
func (u *upload) settle(ctx context.Context, resp *http.Response) bool {
	if u.whole.Load() {
		return true
	}
	// After such an answer the server reads no more (RFC 9110, section 15.5.14;
	// RFC 9112, section 9.6), and the rest would be sent in vain.
	if resp.StatusCode != http.StatusRequestEntityTooLarge && !resp.Close {
		u.waitWhile(ctx)
	}
	u.stopped.Store(true)
	if !u.lock(ctx) {
		return false
	}
	u.unlock()
	return true
}

// waitWhile waits while the upload makes progress.
func (u *upload) waitWhile(ctx context.Context) {
	tick := time.NewTicker(stallLook)
	defer tick.Stop()
	last, idle := u.progress(), 0
	for idle < stallLimit && !u.whole.Load() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := u.progress()
		if idle++; now != last {
			last, idle = now, 0
		}
	}
}

// end lets go of a writer that waits for the response to be done with.
func (u *upload) end() {
	u.stopped.Store(true)
	if u.ended.CompareAndSwap(false, true) {
		close(u.done)
	}
	select {
	case <-u.free:
		u.endPieces()
		u.unlock()
	default: // a Read is under way, which does it
	}
}

// endPieces stops an iterator, which would be left waiting otherwise. It is
// called under the lock.
func (u *upload) endPieces() {
	if pieces, ok := u.payload.reader.(*chunkReader); ok {
		pieces.end()
	}
}

// take reads a piece of the source under the lock. A stopped upload waits
// for the response to be done with: an error now would have net/http close
// the connection that the answer is still to be read from.
func (u *upload) take(read func() (int, error)) (int, error) {
	<-u.free
	if u.stopped.Load() {
		u.unlock()
		<-u.done
		return 0, errUploadStopped
	}
	u.touched.Store(true)
	u.reading.Store(true)
	n, err := read()
	u.reading.Store(false)
	u.sent.Add(int64(n))
	if u.ended.Load() {
		u.endPieces()
	}
	u.unlock()
	return n, err
}

// keep notes what was read of a source that can be read only once.
func (u *upload) keep(b []byte) {
	switch {
	case !u.once || u.over:
	case len(u.prefix)+len(b) > maxPrefix:
		u.prefix, u.over = nil, true
	default:
		u.prefix = append(u.prefix, b...)
	}
}

// uploadReader is what net/http reads.
type uploadReader struct {
	u    *upload
	src  io.ReadCloser
	left int64 // of the length that was said; below zero where none was

	closing atomic.Bool
	beyond  [1]byte // what must not be there, looked for before the last piece is sent
}

// Read gives a piece of the source, and holds the source to the length that it
// said: net/http would cut a longer one and leave a shorter one to the server to
// wait for.
func (r *uploadReader) Read(p []byte) (int, error) {
	n, err := r.u.take(func() (int, error) {
		n, err := r.src.Read(p)
		r.u.keep(p[:n])
		// The last byte of the length is not sent before the source has shown that
		// nothing follows: else the server would have taken the request for whole.
		if err == nil && n > 0 && int64(n) == r.left {
			var more int
			more, err = r.src.Read(r.beyond[:])
			n += more
		}
		// Close came while the source was being read, and has left it to this Read.
		if r.closing.Load() {
			r.src.Close()
		}
		return n, err
	})
	if r.left >= 0 {
		// Nothing of the piece goes out: the request stays visibly short.
		if r.left -= int64(n); r.left < 0 {
			return 0, r.u.fail(lengthError(r.u.payload.Len(), "more"))
		}
	}
	switch {
	case err == io.EOF && r.left > 0:
		return n, r.u.fail(lengthError(r.u.payload.Len(), itoa(r.u.payload.Len()-r.left)))
	case err == io.EOF:
		r.u.whole.Store(true)
	// net/http may report the connection that it closes for this, and not the
	// cause.
	case err != nil && !errors.Is(err, errUploadStopped):
		_ = r.u.fail(err)
	}
	return n, err
}

// lengthError is the error of a source that did not keep to its length.
func lengthError(said int64, gave string) error {
	return &Error{
		kind: ErrInvalidHeader, Err: io.ErrUnexpectedEOF,
		reason: "body has a length of " + itoa(said) + " bytes, and its reader gave " + gave,
	}
}

// Close is called by net/http when it is done with the body. The caller's
// reader stays open; a file that we opened is closed.
// A source that is being read, and may never return, closes when it has.
func (r *uploadReader) Close() error {
	r.u.whole.Store(true)
	r.closing.Store(true)
	select {
	case <-r.u.free:
		defer r.u.unlock()
		return r.src.Close()
	default:
		return nil
	}
}

// chunkUpload writes each piece of an iterator as one chunk.
type chunkUpload struct {
	*uploadReader
	pieces *chunkReader
}

// WriteTo is what net/http calls of a body that has it. Each piece goes out in
// one Write, and so as one chunk.
func (c *chunkUpload) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		var piece []byte
		_, err := c.u.take(func() (int, error) {
			if err := c.pieces.fill(); err != nil {
				return 0, err
			}
			// The piece is the iterator's, and valid until it is asked for the next
			// one.
			piece, c.pieces.rest = c.pieces.rest, nil
			c.u.keep(piece)
			return len(piece), nil
		})
		if err == io.EOF {
			c.u.whole.Store(true)
			return total, nil
		}
		if err != nil {
			if !errors.Is(err, errUploadStopped) {
				_ = c.u.fail(err)
			}
			return total, err
		}
		n, err := w.Write(piece)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
}
