package coding

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash"
	"hash/adler32"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
)

// bufferSize is how much of the coded body is read at a time.
const bufferSize = 32 << 10

// inflater is the part that gzip and deflate share: DEFLATE data (RFC 1951)
// behind a buffer, of which the decoder takes not a byte too many.
type inflater struct {
	br *bufio.Reader
	fr io.ReadCloser // a flate.Resetter too
}

// open begins a body. Buffer and window are kept from one body to the next: they
// are most of what decoding costs.
func (f *inflater) open(in io.Reader) {
	if f.br == nil {
		f.br = bufio.NewReaderSize(in, bufferSize)
		// The buffer is an [io.ByteReader], without which flate would read ahead
		// and take bytes of the trailer.
		f.fr = flate.NewReader(f.br)
		return
	}
	f.br.Reset(in)
}

// restart makes ready for another run of DEFLATE data.
func (f *inflater) restart() error {
	return f.fr.(flate.Resetter).Reset(f.br, nil)
}

// close drops what the inflater refers to; its memory stays for reuse.
func (f *inflater) close() { f.br.Reset(nil) }

// end returns io.EOF if nothing follows.
func (f *inflater) end() error {
	_, err := f.br.ReadByte()
	if err == nil {
		return ErrTrailing
	}
	return err
}

// noEOF is for reads that may not find the end.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// gzipPool keeps decoders between bodies, with their buffers and windows.
var gzipPool = sync.Pool{New: func() any { return new(gzipDecoder) }}

// gzipDecoder undoes gzip (RFC 1952): one member or more.
type gzipDecoder struct {
	inflater
	step    gzipStep
	crc     uint32   // of the member's data so far
	size    uint32   // modulo 2^32, as in the trailer
	scratch [10]byte // for a header or a trailer, without allocating
}

// gzipStep is what a gzipDecoder expects next.
type gzipStep uint8

const (
	gzipFirst   gzipStep = iota // the first member
	gzipData                    // compressed data
	gzipTrailer                 // checksum and size
	gzipNext                    // another member, padding or the end
)

// newGzip takes a decoder from the pool.
func newGzip(in io.Reader) *gzipDecoder {
	z := gzipPool.Get().(*gzipDecoder)
	z.open(in)
	z.step = gzipFirst
	return z
}

// release implements [decoder].
func (z *gzipDecoder) release() {
	z.close()
	gzipPool.Put(z)
}

// Read goes on until there is a byte to hand out. Each step between is taken
// only when there is nothing left to hand out, so that a reader of events does
// not wait for bytes that come with the next event.
func (z *gzipDecoder) Read(p []byte) (int, error) {
	for {
		var err error
		switch z.step {
		case gzipFirst:
			err = z.header()
		case gzipData:
			n, err := z.data(p)
			if n > 0 || err != nil {
				return n, err
			}
		case gzipTrailer:
			err = z.trailer()
		case gzipNext:
			err = z.next()
		}
		if err != nil {
			return 0, err
		}
	}
}

// data decodes into p, and sums what it hands out for the trailer.
func (z *gzipDecoder) data(p []byte) (int, error) {
	n, err := z.fr.Read(p)
	z.crc = crc32.Update(z.crc, crc32.IEEETable, p[:n])
	z.size += uint32(n)
	if err == io.EOF {
		// The data's end is not the member's: an error now would keep the trailer
		// from being checked.
		z.step = gzipTrailer
		err = nil
	}
	return n, err
}

// trailer reads CRC32 and ISIZE (RFC 1952 section 2.3.1).
func (z *gzipDecoder) trailer() error {
	b := z.scratch[:8]
	if _, err := io.ReadFull(z.br, b); err != nil {
		return noEOF(err)
	}
	if binary.LittleEndian.Uint32(b) != z.crc || binary.LittleEndian.Uint32(b[4:]) != z.size {
		return errChecksum
	}
	z.step = gzipNext
	return nil
}

// next looks at what follows a member. Zeros are padding, which only the end may
// follow; what does not begin as a member does is no part of the coding.
func (z *gzipDecoder) next() error {
	c, err := z.br.ReadByte()
	if err != nil {
		return err
	}
	if c == 0 {
		return z.padding()
	}
	if c != gzipID1 {
		return ErrTrailing
	}
	if c, err = z.br.ReadByte(); err != nil {
		return noEOF(err)
	}
	if c != gzipID2 {
		return ErrTrailing
	}
	// The second byte goes back, since member reads all but the first.
	if err := z.br.UnreadByte(); err != nil {
		return err
	}
	return z.member(gzipID1)
}

// padding takes zeros up to the end, as they come from tapes and blocks of fixed
// size.
func (z *gzipDecoder) padding() error {
	for {
		c, err := z.br.ReadByte()
		if err != nil {
			return err
		}
		if c != 0 {
			return ErrTrailing
		}
	}
}

const (
	// RFC 1952, section 2.3.1: the magic number, and the one method there is.
	gzipID1, gzipID2 = 0x1f, 0x8b
	gzipDeflate      = 8

	// The flags. Bit 0, FTEXT, is a hint that nobody heeds; a reserved bit that
	// is set means a format that is not known here.
	gzipHeaderCRC = 1 << 1
	gzipExtra     = 1 << 2
	gzipName      = 1 << 3
	gzipComment   = 1 << 4
	gzipReserved  = 0xe0
)

// header reads the first member's header.
func (z *gzipDecoder) header() error {
	c, err := z.br.ReadByte()
	if err != nil {
		return noEOF(err)
	}
	return z.member(c)
}

// member reads a header whose first byte was read already, and passes over its
// optional fields (RFC 1952 section 2.3).
func (z *gzipDecoder) member(first byte) error {
	b := z.scratch[:10]
	b[0] = first
	if n, err := io.ReadFull(z.br, b[1:]); err != nil {
		// Bytes that are no gzip at all are said to be so, even when they
		// are few.
		if b[0] != gzipID1 || n > 0 && b[1] != gzipID2 {
			return errHeader
		}
		return noEOF(err)
	}
	flags := b[3]
	if b[0] != gzipID1 || b[1] != gzipID2 || b[2] != gzipDeflate || flags&gzipReserved != 0 {
		return errHeader
	}
	// Most headers have no optional field, and their checksum is not asked for.
	if flags != 0 {
		if err := z.fields(flags, crc32.ChecksumIEEE(b)); err != nil {
			return err
		}
	}
	z.crc, z.size, z.step = 0, 0, gzipData
	return z.restart()
}

// fields passes over what the flags announce; crc is that of the header so far.
func (z *gzipDecoder) fields(flags byte, crc uint32) error {
	h := headerCRC{br: z.br, inv: ^crc}
	if flags&gzipExtra != 0 {
		h.skip(h.uint16())
	}
	if flags&gzipName != 0 {
		h.skipString()
	}
	if flags&gzipComment != 0 {
		h.skipString()
	}
	// The checksum is the low half of a CRC32 of all before it, so that it is
	// taken before its own two bytes are read.
	if want := uint16(^h.inv); flags&gzipHeaderCRC != 0 && h.uint16() != want && h.err == nil {
		return errChecksum
	}
	return noEOF(h.err)
}

// headerCRC reads bytes of a gzip header into its checksum. After an error it
// reads nothing.
type headerCRC struct {
	br  *bufio.Reader
	inv uint32 // the checksum, inverted, as the table has it
	err error
}

// next reads a byte into the checksum, or gives zero after an error.
func (h *headerCRC) next() byte {
	if h.err != nil {
		return 0
	}
	var c byte
	if c, h.err = h.br.ReadByte(); h.err != nil {
		return 0
	}
	h.inv = crc32.IEEETable[byte(h.inv)^c] ^ h.inv>>8
	return c
}

// uint16 reads two bytes, the low one first (RFC 1952, section 2.1).
func (h *headerCRC) uint16() uint16 {
	low := h.next()
	return uint16(low) | uint16(h.next())<<8
}

// skip passes over n bytes.
func (h *headerCRC) skip(n uint16) {
	for ; n > 0 && h.err == nil; n-- {
		h.next()
	}
}

// skipString passes over a text and its NUL. It keeps nothing, so that a text
// without an end costs no memory, and ends at an error, where next gives zero.
func (h *headerCRC) skipString() {
	for h.next() != 0 {
	}
}

// deflatePool keeps decoders between bodies, with their buffers and windows.
var deflatePool = sync.Pool{New: func() any { return &deflateDecoder{sum: adler32.New()} }}

// deflateDecoder undoes deflate, which is the zlib format (RFC 1950), and its
// common misreading, bare DEFLATE data (RFC 9110 section 8.4.1.2 tells of them).
type deflateDecoder struct {
	inflater
	step    deflateStep
	zlib    bool        // there is a header, and so a checksum
	sum     hash.Hash32 // ADLER32 of what was handed out
	scratch [4]byte     // the checksum as it came
}

// deflateStep is what a deflateDecoder expects next.
type deflateStep uint8

const (
	deflateStart deflateStep = iota // a zlib header, or data
	deflateData
	deflateSum // the zlib checksum
	deflateEnd // nothing
)

// newDeflate takes a decoder from the pool.
func newDeflate(in io.Reader) *deflateDecoder {
	d := deflatePool.Get().(*deflateDecoder)
	d.open(in)
	d.step = deflateStart
	return d
}

// release implements [decoder].
func (d *deflateDecoder) release() {
	d.close()
	deflatePool.Put(d)
}

// Read goes on until there is a byte to hand out.
func (d *deflateDecoder) Read(p []byte) (int, error) {
	for {
		var err error
		switch d.step {
		case deflateStart:
			err = d.start()
		case deflateData:
			n, err := d.data(p)
			if n > 0 || err != nil {
				return n, err
			}
		case deflateSum:
			err = d.checksum()
		case deflateEnd:
			err = d.end()
		}
		if err != nil {
			return 0, err
		}
	}
}

// start tells the two formats apart by two bytes, the fewest that either may
// have: a zlib header has 8 for its method, 7 at most for its window and is a
// multiple of 31 (RFC 1950 section 2.2). Bare data would have to begin with a
// stored block that has ones in its padding to look like that.
func (d *deflateDecoder) start() error {
	// Bare data begins with these bytes too, so that they are not taken yet.
	head, err := d.br.Peek(2)
	if len(head) < 2 {
		return noEOF(err)
	}
	both := binary.BigEndian.Uint16(head)
	d.zlib = head[0]&0x0f == 8 && head[0]>>4 <= 7 && both%31 == 0
	if d.zlib {
		const presetDictionary = 0x20
		// The two sides would have to know the dictionary beforehand, which HTTP
		// has no way to agree on.
		if head[1]&presetDictionary != 0 {
			return errDictionary
		}
		if _, err := d.br.Discard(2); err != nil {
			return err
		}
	}
	d.sum.Reset()
	d.step = deflateData
	return d.restart()
}

// data decodes into p. Bare data has no checksum, and ends with itself.
func (d *deflateDecoder) data(p []byte) (int, error) {
	n, err := d.fr.Read(p)
	if d.zlib {
		d.sum.Write(p[:n]) // never fails
	}
	if err == io.EOF {
		d.step, err = deflateEnd, nil
		if d.zlib {
			d.step = deflateSum
		}
	}
	return n, err
}

// checksum reads ADLER32 (RFC 1950 section 2.2).
func (d *deflateDecoder) checksum() error {
	b := d.scratch[:]
	if _, err := io.ReadFull(d.br, b); err != nil {
		return noEOF(err)
	}
	// The high byte comes first, unlike in gzip.
	if binary.BigEndian.Uint32(b) != d.sum.Sum32() {
		return errChecksum
	}
	d.step = deflateEnd
	return nil
}
