package wire

import "bytes"

// bodyEnd tells where the body of a response ends, so that nothing beyond it
// is handed out: that would be taken for the answer to the next request, which
// nobody has asked yet. It reads chunks as net/http does (RFC 9112, section
// 7.1), and where it does not understand them it gives up: net/http refuses
// them.
type bodyEnd struct {
	state endState
	left  uint64 // bytes of a body of known length, or of the chunk
	line  []byte // of a chunk's size, where it came in pieces
	cr    bool   // of the trailer's last line: it ended with a carriage return
}

type endState uint8

const (
	endUnknown   endState = iota // with the connection, or nobody knows
	endLength                    // within a body of known length
	endSize                      // at the line of a chunk's size
	endData                      // within a chunk
	endDataCR                    // at the line end behind it
	endDataLF                    // within that line end
	endTrailer                   // behind the last chunk, at the begin of a line
	endTrailerCR                 // within a line end there: that of an empty line
	endField                     // within a field there
	endOver                      // the body is over
)

// maxChunkLine bounds the line of a chunk's size, as net/http does.
const maxChunkLine = 4096

// begin readies it for a body: length is its length, or below zero.
func (e *bodyEnd) begin(length int64, chunked bool) {
	e.state, e.left, e.line, e.cr = endUnknown, 0, e.line[:0], false
	switch {
	case chunked:
		e.state = endSize
	case length == 0:
		e.state = endOver
	case length > 0:
		e.state, e.left = endLength, uint64(length)
	}
}

// due returns how much is surely to come, of the body or of the chunk under way.
func (e *bodyEnd) due() uint64 {
	if e.state != endLength && e.state != endData {
		return 0
	}
	return e.left
}

// take follows b and returns how many of its bytes are the body's. Where the
// end is not known all of them are.
func (e *bodyEnd) take(b []byte) int {
	i := 0
	for i < len(b) && e.state != endOver {
		switch e.state {
		case endUnknown:
			return len(b)
		case endLength:
			i += e.skip(len(b)-i, endOver)
		case endData:
			i += e.skip(len(b)-i, endDataCR)
		case endSize:
			i += e.takeSize(b[i:])
		case endField:
			i += e.takeField(b[i:])
		default:
			e.state = e.afterByte(b[i])
			i++
		}
	}
	return i
}

// takeField takes a field of the trailer, or what there is of it.
func (e *bodyEnd) takeField(b []byte) int {
	n := bytes.IndexByte(b, '\n') + 1
	if n == 0 {
		e.cr = b[len(b)-1] == '\r'
		return len(b)
	}
	if n > 1 {
		e.cr = b[n-2] == '\r'
	}
	e.state = endTrailer
	return n
}

// skip takes bytes that may be anything, and goes on when they are all there.
func (e *bodyEnd) skip(n int, next endState) int {
	n = int(min(e.left, uint64(n)))
	if e.left -= uint64(n); e.left == 0 {
		e.state = next
	}
	return n
}

// afterByte is the state after one byte of what stands between chunks and
// behind them.
func (e *bodyEnd) afterByte(c byte) endState {
	switch {
	case e.state == endDataCR && c == '\r':
		return endDataLF
	case e.state == endDataLF && c == '\n':
		return endSize
	case e.state == endTrailer && c == '\r' && e.cr: // net/http looks for two whole line ends
		return endTrailerCR
	case e.state == endTrailerCR && c == '\n':
		return endOver
	case e.state == endTrailer && c != '\n' && c != '\r': // with a bare line feed net/http reads on
		e.cr = false
		return endField
	}
	return endUnknown
}

// takeSize takes the line of a chunk's size, or what there is of it.
func (e *bodyEnd) takeSize(b []byte) int {
	n := bytes.IndexByte(b, '\n') + 1
	if n == 0 {
		if e.line = append(e.line, b...); len(e.line) > maxChunkLine {
			e.state = endUnknown
		}
		return len(b)
	}
	line := b[:n]
	if len(e.line) > 0 {
		line = append(e.line, line...)
		e.line = e.line[:0]
	}
	size, ok := chunkSize(line)
	switch {
	case !ok:
		e.state = endUnknown
	case size == 0:
		e.state, e.cr = endTrailer, true
	default:
		e.state, e.left = endData, size
	}
	return n
}

// chunkSize reads the line of a chunk's size, with its line end. Extensions
// are passed over.
func chunkSize(line []byte) (size uint64, ok bool) {
	line, ok = bytes.CutSuffix(line, []byte("\r\n"))
	if !ok || len(line) >= maxChunkLine || bytes.IndexByte(line, '\r') >= 0 {
		return 0, false
	}
	line, _, _ = bytes.Cut(bytes.TrimRight(line, " \t"), []byte(";"))
	if len(line) == 0 || len(line) > 16 {
		return 0, false
	}
	for _, c := range line {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		size = size<<4 | uint64(c)
	}
	return size, true
}
