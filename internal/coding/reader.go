package coding

import (
	"errors"
	"io"
	"sync/atomic"
)

// A decoder undoes one coding. It returns bare faults; what it read from tells
// errors of its own from errors beneath.
type decoder interface {
	io.Reader

	// release gives the decoder back to its pool. It is called once, and
	// nothing else after it.
	release()
}

// The states of a reader. Reading and closing may meet: whoever is last lets go
// of the decoders.
const (
	idle int32 = iota
	reading
	closed
)

// reader is a chain of layers, the wire at its bottom.
type reader struct {
	state  atomic.Int32
	layers []layer // the bottom first
	top    io.Reader
	wire   *source
	lim    Limits
	out    int64 // bytes handed out
	err    error // what Read returns from now on
}

// newReader stacks the layers. kinds are in the order in which they were applied
// (RFC 9110, section 8.4), so that the last one is undone first, at the bottom.
func newReader(r io.Reader, kinds []kind, lim Limits) *reader {
	rd := &reader{lim: lim, layers: make([]layer, len(kinds))}
	if len(kinds) == 0 {
		rd.wire = &source{r: r, state: &rd.state}
		rd.top = rd.wire
		return rd
	}
	for i := range rd.layers {
		l := &rd.layers[i]
		l.kind = kinds[len(kinds)-1-i]
		l.lim = lim
		l.in = source{r: r, state: &rd.state, most: barrenFloor}
		r = l
	}
	rd.wire = &rd.layers[0].in
	rd.top = r
	return rd
}

// Read decodes into p.
func (r *reader) Read(p []byte) (int, error) {
	// A reader that is closed has given its decoders to the pool: another body
	// may be using them.
	if !r.state.CompareAndSwap(idle, reading) {
		return 0, ErrClosed
	}
	n, err := r.read(p)
	// Close came meanwhile, and has left the decoders to this Read.
	if !r.state.CompareAndSwap(reading, idle) {
		r.release()
		if err == nil {
			err = ErrClosed
		}
	}
	return n, err
}

// read is Read, while no Close can take the decoders away.
func (r *reader) read(p []byte) (int, error) {
	if r.err != nil || len(p) == 0 {
		return 0, r.err
	}
	if left := r.lim.MaxBytes - r.out; r.lim.MaxBytes > 0 && int64(len(p)) > left {
		p = p[:left+1] // one more, to see whether there is more
	}
	n, err := r.top.Read(p)
	r.out += int64(n)
	if over := r.out - r.lim.MaxBytes; r.lim.MaxBytes > 0 && over > 0 {
		n -= int(over)
		err = r.fault(ErrTooLarge)
	} else if err == nil && exceeds(r.lim.MaxRatio, r.out, r.wire.n) {
		err = r.fault(ErrRatio)
	}
	r.err = err
	return n, err
}

// fault is an error about the body as a whole; it goes under the name of the
// coding that was applied first.
func (r *reader) fault(err error) error {
	e := &Error{Err: err}
	if len(r.layers) > 0 {
		e.Coding = r.layers[len(r.layers)-1].kind.name()
	}
	return e
}

// Close gives the decoders back.
func (r *reader) Close() error {
	// In any other state a Read, or an earlier Close, sees to it.
	if r.state.Swap(closed) == idle {
		r.release()
	}
	return nil
}

// release runs once: after the state became closed, by the one who found or
// left the reader idle.
func (r *reader) release() {
	for i := range r.layers {
		l := &r.layers[i]
		if l.dec != nil {
			l.dec.release()
			l.dec = nil
		}
	}
}

// layer is one coding and what it is read from.
type layer struct {
	kind kind
	in   source
	dec  decoder // nil before the first Read
	lim  Limits
	out  int64 // bytes that dec gave
	err  error // what Read returns from now on
}

// Read decodes into p, and gives errors their final form: those of a layer
// beneath as they are, the decoder's own as an [Error].
func (l *layer) Read(p []byte) (int, error) {
	if l.err != nil {
		return 0, l.err
	}
	if l.dec == nil {
		// Made late: a body that nobody reads takes no decoder from a pool.
		if l.dec, l.err = newDecoder(l.kind, &l.in, l.lim); l.err != nil {
			return 0, l.err
		}
	}
	var (
		n   int
		err error
	)
	for n == 0 && err == nil { // brotli may give nothing for something
		n, err = l.dec.Read(p)
	}
	l.out += int64(n)
	l.in.most += int64(n) * barrenRatio
	switch {
	case err != nil:
		l.err = l.wrap(err)
	// A layer beneath the top one may decode to more than the body, since codings
	// can grow what they are given, but not to much more: a bomb could hide in it.
	case l.lim.MaxBytes > 0 && l.out/2-32<<10 > l.lim.MaxBytes:
		l.err = &Error{Coding: l.kind.name(), Err: ErrTooLarge}
	case exceeds(l.lim.MaxRatio, l.out, l.in.n):
		l.err = &Error{Coding: l.kind.name(), Err: ErrRatio}
	}
	return n, l.err
}

// wrap tells whose fault an error is. The connection's own comes first: a
// decoder reports it in words of its own, or as an end.
func (l *layer) wrap(err error) error {
	if l.in.err != nil {
		return l.in.err
	}
	if l.in.over() {
		return &Error{Coding: l.kind.name(), Err: ErrBarren}
	}
	// A body without a single byte is empty whatever its coding: so are the
	// answers to HEAD, and 304.
	if l.in.n == 0 && errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	if errors.Is(err, io.EOF) {
		return err
	}
	return &Error{Coding: l.kind.name(), Err: err}
}

// exceeds reports whether out bytes are too many for the in bytes behind them.
func exceeds(ratio float64, out, in int64) bool {
	return ratio > 0 && out > ratioFloor && float64(out) > ratio*float64(in)
}

// newDecoder returns a decoder of the kind that reads from in. None of them
// reads anything yet.
func newDecoder(k kind, in *source, lim Limits) (decoder, error) {
	switch k {
	case gzipped:
		return newGzip(in), nil
	case deflated:
		return newDeflate(in), nil
	case brotlied:
		return newBrotli(in), nil
	default:
		z, err := newZstd(in, lim.window())
		if err != nil {
			return nil, err
		}
		return z, nil
	}
}

// source is what a decoder reads from. It remembers how the reader beneath
// failed, so that a decoder that changes or hides the error cannot make a cut
// connection look like a fault of the coding, or like an end.
type source struct {
	r     io.Reader
	state *atomic.Int32
	n     int64 // bytes read
	most  int64 // bytes that may be read; 0 for any number
	held  error // came along with bytes, and is for the next Read
	err   error // what r failed with, once the decoder was told; never io.EOF
}

// Read reads once from the reader beneath, and again only where that gave
// nothing at all. A close ends it, so that work without any output stops too.
func (s *source) Read(p []byte) (int, error) {
	// As many as [bufio.Reader] allows a reader that gives neither bytes nor an
	// error.
	const tries = 100
	for range tries {
		if s.over() {
			return 0, ErrBarren
		}
		if s.state.Load() == closed {
			return 0, s.fail(ErrClosed)
		}
		if s.held != nil {
			return 0, s.fail(s.held)
		}
		if left := s.most - s.n; s.most > 0 && int64(len(p)) > left {
			p = p[:left+1] // one more, to see whether there is more
		}
		n, err := s.r.Read(p)
		if n > 0 {
			s.n += int64(n)
			s.held = err
			if s.over() {
				return n - 1, ErrBarren
			}
			return n, nil
		}
		if err != nil {
			return 0, s.fail(err)
		}
	}
	return 0, s.fail(io.ErrNoProgress)
}

// over reports whether more was read than what was decoded by then allows.
func (s *source) over() bool { return s.most > 0 && s.n > s.most }

// fail keeps an error from beneath for [layer.wrap]. The end is none: whether
// it is a good one is the decoder's to say.
func (s *source) fail(err error) error {
	if !errors.Is(err, io.EOF) {
		s.err = err
	}
	return err
}
