package coding

import (
	"errors"
	"strconv"
)

// These are the causes of an [Error] that a caller may want to tell apart with
// [errors.Is]. A body that ends within a coding wraps [io.ErrUnexpectedEOF];
// other faults wrap what the decoder said.
var (
	// ErrTooManyLayers says that a body has more codings than [Limits] allows.
	// [NewReader] returns it.
	ErrTooManyLayers = errors.New("too many content codings")

	// ErrUnknownCoding says that one of several codings is not known.
	// [NewReader] returns it.
	ErrUnknownCoding = errors.New("unknown content coding")

	// ErrTooLarge says that a body decodes to more than [Limits.MaxBytes].
	ErrTooLarge = errors.New("decoded body too large")

	// ErrRatio says that a body expands by more than [Limits.MaxRatio].
	ErrRatio = errors.New("body expands too much")

	// ErrBarren says that a body has too many coded bytes for what they decode to:
	// more than 32 for each decoded byte, and 1 MiB, in one of its layers.
	ErrBarren = errors.New("too many bytes that decode to nothing")

	// ErrTrailing says that there is data behind the end of a coding. All
	// that the coding held has been delivered before it.
	ErrTrailing = errors.New("data after the end of the coding")

	// ErrClosed is the error of a Read after Close. It comes without an
	// [Error] around it.
	ErrClosed = errors.New("coding: read after close")
)

// errHeader and its kin are faults of the framing that this package reads itself.
var (
	errHeader     = errors.New("invalid header")
	errChecksum   = errors.New("invalid checksum")
	errDictionary = errors.New("preset dictionary not supported")
)

// Error is a body that could not be decoded, or a Content-Encoding that cannot
// be undone. Errors of the reader beneath are never an Error.
type Error struct {
	// Coding is the coding at fault, by its registered name; or as it was
	// received, shortened, where it is not known. It is empty where a limit
	// was hit by a body that has no coding.
	Coding string

	// Err is the cause; never nil.
	Err error
}

// Error names the coding and the cause.
func (e *Error) Error() string {
	if e.Coding == "" {
		return "coding: " + e.Err.Error()
	}
	return "coding: " + strconv.Quote(e.Coding) + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
