// Package coding undoes the content codings of HTTP responses (RFC 9110
// section 8.4): gzip, deflate, br and zstd, alone or stacked.
//
//	body, err := coding.NewReader(resp.Body, resp.Header.Values("Content-Encoding"), coding.Limits{})
//	if err != nil {
//		return err // the list cannot be undone
//	}
//	defer body.Close()
//	_, err = io.Copy(dst, body)
//
// What decodes well is always handed out before an error is; and data that
// ends early, that fails its checksum or that has something behind it is never
// taken for a whole body.
package coding

import (
	"io"
	"slices"
	"strings"
)

// Accept is the value of the Accept-Encoding header that fits this package:
// every coding that [NewReader] undoes.
const Accept = "gzip, deflate, br, zstd"

const (
	defaultLayers = 5
	defaultWindow = 8 << 20

	// ratioFloor is how many decoded bytes a body may have before its
	// expansion is judged: small bodies compress as far as they like.
	ratioFloor = 1 << 20

	// barrenFloor is how many coded bytes a layer may have that decode to nothing:
	// comments, empty members, frames to be skipped, padding. barrenRatio is how
	// many more it may have for each decoded byte. A gzip member for each byte of a
	// body has 21, a flush after each has 8; without the two a body that decodes to
	// nothing, or to a byte now and then, would be read for ever.
	barrenFloor = 4 << 20
	barrenRatio = 32
)

// Limits bound what a body may cost. The zero value allows five layers and
// zstd windows of 8 MiB, and leaves size and expansion unbounded. Memory is
// bounded in any case, as nothing is decoded ahead of its reader, and so is what
// is read in vain: see [ErrBarren].
type Limits struct {
	// Layers is the most codings that a body may have; 0 means 5, as in
	// urllib3 and curl. Identity does not count.
	Layers int

	// MaxBytes is the most bytes that a body may decode to; 0 means no limit.
	// The first MaxBytes bytes are delivered, then [ErrTooLarge]. It holds for
	// bodies without a coding as well. Layers between the wire and the body
	// may have twice as much and 64 KiB more.
	MaxBytes int64

	// MaxRatio is the most decoded bytes for each byte read, in every layer by
	// itself and from the wire to the body; 0 means no limit. It is judged
	// past 1 MiB of decoded bytes. Deflate reaches 1032 at most, br and zstd
	// far more.
	MaxRatio float64

	// Window is the largest zstd window in bytes; 0 means 8 MiB, the most that
	// a response may use (RFC 9659 section 3).
	Window int
}

// NewReader returns a reader of r without the codings that the Content-Encoding
// field lines name, in the order in which they came. They are undone from the
// last to the first (RFC 9110 section 8.4).
//
// Names are trimmed and match in any case; identity and empty names are left
// out. With none left, r itself is what is returned: as it is where it is an
// [io.ReadCloser], within [io.NopCloser] otherwise.
//
// A single coding that is not known leaves the bytes as they are, as Requests
// does: nothing is lost, and the header still says what they are. Within a list
// it is an error that matches [ErrUnknownCoding], since some layers could be
// undone and others not. More layers than allowed are [ErrTooManyLayers].
//
// NewReader reads nothing. Faults of a coding show as an [*Error] of Read;
// errors of r come through as they are. Read returns what can be decoded from
// the bytes that have come, and asks r for more only where that is nothing.
//
// Close lets go of the decoders, may be called more than once and while a Read
// is under way, and leaves r open where there was anything to undo. Read is for
// one goroutine at a time.
func NewReader(r io.Reader, codings []string, lim Limits) (io.ReadCloser, error) {
	names, err := parse(codings, lim.layers())
	if err != nil {
		return nil, err
	}
	if len(names) == 0 && lim.MaxBytes <= 0 {
		return asReadCloser(r), nil
	}
	return newReader(r, names, lim), nil
}

// asReadCloser gives r a Close that does nothing where it has none.
func asReadCloser(r io.Reader) io.ReadCloser {
	if rc, ok := r.(io.ReadCloser); ok {
		return rc
	}
	return io.NopCloser(r)
}

// layers is how many codings are undone at most.
func (l Limits) layers() int {
	if l.Layers <= 0 {
		return defaultLayers
	}
	return l.Layers
}

// window is the largest window, in bytes.
func (l Limits) window() int {
	if l.Window <= 0 {
		return defaultWindow
	}
	return l.Window
}

// kind is a coding that can be undone.
type kind uint8

const (
	unknown kind = iota
	identity
	gzipped
	deflated
	brotlied
	zstandard
)

// name is the coding's registered name.
func (k kind) name() string {
	switch k {
	case gzipped:
		return "gzip"
	case deflated:
		return "deflate"
	case brotlied:
		return "br"
	case zstandard:
		return "zstd"
	default:
		return ""
	}
}

// parse lists the codings to undo, first applied first:
//
//	Content-Encoding = #content-coding
//	content-coding   = token
//
// The empty list stands for a body that is to be left as it is.
func parse(lines []string, most int) ([]kind, error) {
	var (
		kinds    []kind
		strange  string // the first unknown coding
		unknowns int    // how many there are
	)
	for _, line := range lines {
		for more := true; more; {
			var name string
			name, line, more = strings.Cut(line, ",")
			name = strings.Trim(name, " \t")
			switch k := lookup(name); k {
			case identity:
			case unknown:
				if unknowns == 0 {
					strange = name
				}
				unknowns++
			default:
				kinds = append(kinds, k)
			}
			if len(kinds)+unknowns > most {
				return nil, &Error{Coding: clip(name), Err: ErrTooManyLayers}
			}
		}
	}
	if unknowns > 1 || unknowns == 1 && len(kinds) > 0 {
		return nil, &Error{Coding: clip(strange), Err: ErrUnknownCoding}
	}
	return slices.Clip(kinds), nil
}

// lookup finds the coding of a name. The x- form is an alias of old (RFC 9110
// section 8.4.1.3); the empty name is an empty list element (section 5.6.1).
func lookup(name string) kind {
	for _, c := range [...]struct {
		name string
		kind kind
	}{
		{"gzip", gzipped},
		{"deflate", deflated},
		{"br", brotlied},
		{"zstd", zstandard},
		{"x-gzip", gzipped},
		{"identity", identity},
		{"", identity},
	} {
		if equalFold(name, c.name) {
			return c.kind
		}
	}
	return unknown
}

// equalFold compares in ASCII, as tokens are: with [strings.EqualFold] a long s
// would be an s.
func equalFold(name, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// clip shortens a name from the wire to what fits an error's text.
func clip(name string) string {
	const most = 32
	if len(name) > most {
		return name[:most]
	}
	return name
}
