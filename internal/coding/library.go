package coding

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// brotliPool keeps decoders between bodies, with their windows.
var brotliPool = sync.Pool{New: func() any { return new(brotliDecoder) }}

// brotliDecoder undoes br (RFC 7932). Windows are 16 MiB at most: the format's
// extension for larger ones is off in the library, and so an error.
type brotliDecoder struct {
	br brotli.Reader
}

// newBrotli takes a decoder from the pool.
func newBrotli(in io.Reader) *brotliDecoder {
	b := brotliPool.Get().(*brotliDecoder)
	_ = b.br.Reset(in) // never fails
	return b
}

// release implements [decoder]. The reset lets go of the body.
func (b *brotliDecoder) release() {
	_ = b.br.Reset(nil)
	brotliPool.Put(b)
}

// Read decodes into p.
func (b *brotliDecoder) Read(p []byte) (int, error) {
	n, err := b.br.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && errors.Is(err, excessive()) {
		err = ErrTrailing
	}
	return n, err
}

// excessive is the library's error for bytes behind the end, which it does not
// export; an empty stream with one more byte brings it out. It is asked for by
// bodies that fail, and by no others.
func excessive() error {
	_, err := brotli.NewReader(strings.NewReader("\x06\x00")).Read(make([]byte, 1))
	return err
}

// bufferPool keeps the buffers that zstd is read through.
var bufferPool = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, bufferSize) }}

// zstdDecoder undoes zstd (RFC 8878): one frame or more. The library's decoder
// is made anew for each body and costs little without the window, which the
// frame asks for: it has a channel within, and a channel made in a bubble of
// testing/synctest must not be met outside of it.
type zstdDecoder struct {
	br    *bufio.Reader
	n     int64 // bytes that the library took
	dec   *zstd.Decoder
	fault error // the first error; data may be left behind it
}

// newZstd begins a body. A frame that asks for a larger window is refused before
// any memory is taken for it.
func newZstd(in io.Reader, window int) (*zstdDecoder, error) {
	z := &zstdDecoder{br: bufferPool.Get().(*bufio.Reader)}
	z.br.Reset(in)
	var err error
	z.dec, err = zstd.NewReader((*zstdInput)(z),
		zstd.WithDecoderConcurrency(1), // no goroutines, no blocks ahead
		zstd.WithDecoderLowmem(true),
		// The library refuses to be given less than the smallest window there is.
		zstd.WithDecoderMaxWindow(uint64(max(window, zstd.MinWindowSize))))
	if err != nil {
		return nil, err
	}
	return z, nil
}

// release implements [decoder].
func (z *zstdDecoder) release() {
	z.dec.Close()
	z.br.Reset(nil)
	bufferPool.Put(z.br)
}

// zstdInput is what the library reads from.
type zstdInput zstdDecoder

// Read counts what the library takes, for [zstdDecoder.cause].
func (z *zstdInput) Read(p []byte) (int, error) {
	n, err := z.br.Read(p)
	z.n += int64(n)
	return n, err
}

// Read decodes into p, a block of 128 KiB at most ahead. The block that fails
// its checksum is still to be had from the library after the error.
func (z *zstdDecoder) Read(p []byte) (int, error) {
	n, err := z.dec.Read(p)
	if z.fault == nil && err != nil {
		z.fault = z.cause(err)
		if n == 0 && !errors.Is(err, io.EOF) {
			n, _ = z.dec.Read(p)
		}
	}
	if n > 0 {
		return n, nil
	}
	return 0, z.fault
}

// cause tells what is no zstd from what follows it: the magic number of the
// first frame is at the first four bytes.
func (z *zstdDecoder) cause(err error) error {
	const magic = 4
	if errors.Is(err, zstd.ErrMagicMismatch) && z.n > magic {
		return ErrTrailing
	}
	return err
}
