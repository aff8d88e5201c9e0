package wire

import (
	"slices"
	"strconv"
)

// joiner joins the writes that the transport makes of one chunk of a request's
// body: three, for its buffer is smaller than most chunks. It belongs to whoever
// writes the connection, and holds nothing beyond the end of a chunk, which the
// transport writes at once. Framing that it does not understand it passes on.
type joiner struct {
	on   bool   // the body comes in chunks, each of which begins a write
	left int    // of the chunk under way
	held []byte // of it, to be written when it is whole
}

// maxJoined bounds what is held: a block of 16 KiB with its framing.
const maxJoined = 16<<10 + 8

// take takes what is written of a body, and returns what goes out now: b, or
// nothing, or what was held with it. It is valid until the next call.
func (j *joiner) take(b []byte) []byte {
	if !j.on {
		return b
	}
	if j.left == 0 {
		j.left = chunkLength(b)
		j.held = j.held[:0]
	}
	rest := j.left
	switch j.left -= len(b); {
	case j.left < 0: // the last chunk, or nothing that we know
		b = append(j.held, b...)
		*j = joiner{}
		return b
	case len(j.held) == 0 && (j.left == 0 || rest > maxJoined):
		return b
	}
	j.held = append(slices.Grow(j.held, rest), b...)
	if j.left > 0 {
		return nil
	}
	return j.held
}

// chunkLength returns how long the chunk is that b begins with, its framing
// included, or 0 for the last one and for what is none.
func chunkLength(b []byte) int {
	const digits = 7 // more than a chunk is written with
	end := slices.Index(b[:min(len(b), digits+1)], '\r')
	if end < 0 {
		return 0
	}
	size, err := strconv.ParseUint(string(b[:end]), 16, 4*digits)
	if err != nil || size == 0 {
		return 0
	}
	return end + len("\r\n") + int(size) + len("\r\n")
}
