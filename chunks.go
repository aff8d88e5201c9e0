package requests

import (
	"io"
	"iter"
	"slices"
)

// Chunks yields the body in pieces of size bytes, the last one shorter; a
// body that the server sent in chunks is not joined across them. Size 0 hands
// out what arrives: the server's chunks as it framed them, one of more than
// 1 MiB in several pieces. A piece is valid until the next step; one that an
// error cuts short is not handed out, but [Response.Partial] has it. Leaving
// the loop early closes the response. A body that was read whole is cut anew
// each time; any other can be had once.
func (r *Response) Chunks(size int) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		b := &r.body
		if b.state == bodyLoaded {
			yieldSlices(b.data, size, yield)
			return
		}
		if err := b.begin(r); err != nil {
			yield(nil, err)
			return
		}
		defer r.Close()
		var room []byte
		for {
			piece, err := b.piece(r, room, size)
			if err != nil && err != io.EOF && b.cutShort(len(piece), size) {
				b.data, piece = piece, nil // Partial has it
			}
			if len(piece) > 0 && !yield(piece, nil) {
				return
			}
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
			// The piece was the caller's until now, and its memory serves the next.
			room = piece[:0]
		}
	}
}

// cutShort reports whether an error has left no whole piece: fewer bytes than
// were asked for, or, without a size, not all of a chunk. Such a one is not
// handed out, lest it be taken for the last.
func (b *body) cutShort(have, size int) bool {
	if size > 0 {
		return have < size
	}
	return b.framed != nil && b.decoder() == nil
}

// yieldSlices cuts a body that is in memory.
func yieldSlices(data []byte, size int, yield func([]byte, error) bool) {
	if size <= 0 {
		size = max(len(data), 1)
	}
	for piece := range slices.Chunk(data, size) {
		if !yield(piece, nil) {
			return
		}
	}
}

// arrivalBuffer is how much is taken at once of what arrives.
const arrivalBuffer = 64 << 10

// piece reads the next piece into room, which it grows.
func (b *body) piece(r *Response, room []byte, size int) ([]byte, error) {
	limit := size
	if size <= 0 {
		limit = arrivalBuffer
	}
	// The size may be anything that the caller thought of: room is made for what
	// comes and not for what was asked for.
	room = slices.Grow(room[:0], min(limit, arrivalBuffer))
	for {
		if len(room) == cap(room) {
			room = slices.Grow(room, min(cap(room), arrivalBuffer))
		}
		space := room[len(room):cap(room)]
		if size > 0 {
			space = space[:min(len(space), size-len(room))]
		}
		n, err := b.step(r, space)
		room = room[:len(room)+n]
		if err != nil || b.pieceEnds(n, len(room), size) {
			return room, err
		}
	}
}

// maxPiece bounds a piece whose size is the server's to say: a chunk may be as
// large as a body.
const maxPiece = 1 << 20

// pieceEnds reports whether what was read so far is handed out: a full piece,
// the end of a chunk, or, without a size, whatever came where there are no
// chunks to wait for.
func (b *body) pieceEnds(n, have, size int) bool {
	switch {
	case size > 0 && have >= size, size <= 0 && have >= maxPiece:
		return true
	case n == 0:
		return false
	case b.framed == nil:
		return size <= 0
	case b.decoder() != nil:
		return true
	}
	return b.framed(b.rawRead)
}

// TextChunks is [Response.Chunks] decoded by Encoding: a character that is
// cut by two pieces comes whole, and what cannot be decoded becomes U+FFFD.
// Where Encoding is empty the bytes come as they are; one that is not known
// is taken as UTF-8.
func (r *Response) TextChunks(size int) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		dec := r.textDecoder()
		var text []byte
		for piece, err := range r.Chunks(size) {
			if err != nil {
				yield("", err)
				return
			}
			text = dec(text[:0], piece, false)
			if len(text) > 0 && !yield(string(text), nil) {
				return
			}
		}
		// A character that the end has cut is U+FFFD.
		if text = dec(text[:0], nil, true); len(text) > 0 {
			yield(string(text), nil)
		}
	}
}
