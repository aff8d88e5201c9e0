package requests

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/seed-9ea40bd3/requests/internal/uri"
)

// The kinds of errors, one for each exception of Requests, with the same
// parents: errors.Is(err, ErrConnection) holds for an [ErrProxy], an [ErrSSL]
// and an [ErrConnectTimeout] too. Every [*Error] and every [*HTTPError] is an
// [ErrRequest].
var (
	// ErrRequest is the root, RequestException in Requests.
	ErrRequest error = &errorKind{name: "request failed"}
	// ErrInvalidOption is an option, or a setting, that makes no sense where
	// it stands or has no sense at all; the message names it.
	ErrInvalidOption error = newKind("invalid option", ErrRequest)
	// ErrInvalidJSON is a JSON value that cannot be encoded.
	ErrInvalidJSON error = newKind("invalid JSON", ErrRequest)
	// ErrJSONDecode is a body that is not the JSON asked for.
	ErrJSONDecode error = newKind("body is not JSON", ErrInvalidJSON)
	// ErrHTTP is a status of 400 or more; see [HTTPError].
	ErrHTTP error = newKind("HTTP error", ErrRequest)
	// ErrConnection is a failure of the network or of the peer.
	ErrConnection error = newKind("connection failed", ErrRequest)
	// ErrProxy is a proxy that cannot be reached, refuses or misbehaves.
	ErrProxy error = newKind("proxy failed", ErrConnection)
	// ErrSSL is a failure of TLS: a certificate, a handshake, a bundle.
	ErrSSL error = newKind("TLS failed", ErrConnection)
	// ErrTimeout is the parent of all timeouts.
	ErrTimeout error = newKind("timed out", ErrRequest)
	// ErrConnectTimeout is a connection not made in time: safe to try again.
	ErrConnectTimeout error = newKind("connect timed out", ErrConnection, ErrTimeout)
	// ErrReadTimeout is a peer that sent nothing for too long.
	ErrReadTimeout error = newKind("read timed out", ErrTimeout)
	// ErrURLRequired is a request without a URL.
	ErrURLRequired error = newKind("URL required", ErrRequest)
	// ErrTooManyRedirects is a chain of redirects beyond the limit.
	ErrTooManyRedirects error = newKind("too many redirects", ErrRequest)
	// ErrMissingSchema is a URL without a scheme.
	ErrMissingSchema error = newKind("URL has no scheme", ErrRequest)
	// ErrInvalidSchema is a scheme that no adapter serves.
	ErrInvalidSchema error = newKind("unsupported scheme", ErrRequest)
	// ErrInvalidURL is a URL that cannot be used.
	ErrInvalidURL error = newKind("invalid URL", ErrRequest)
	// ErrInvalidHeader is a header that cannot be sent, or one received that
	// cannot be understood.
	ErrInvalidHeader error = newKind("invalid header", ErrRequest)
	// ErrInvalidProxyURL is a proxy's URL that cannot be used.
	ErrInvalidProxyURL error = newKind("invalid proxy URL", ErrInvalidURL)
	// ErrChunkedEncoding is a body that broke off or was framed wrongly.
	ErrChunkedEncoding error = newKind("body incomplete or malformed", ErrRequest)
	// ErrContentDecoding is a body that its content coding does not decode.
	ErrContentDecoding error = newKind("body cannot be decoded", ErrRequest)
	// ErrStreamConsumed is a streamed body that was read before.
	ErrStreamConsumed error = newKind("body was already consumed", ErrRequest)
	// ErrRetry is a policy of retries that was used up by statuses.
	ErrRetry error = newKind("retries exhausted", ErrRequest)
	// ErrUnrewindableBody is a body that would have to be sent again and
	// cannot be.
	ErrUnrewindableBody error = newKind("body cannot be sent again", ErrRequest)
	// ErrTooLarge is a body beyond a limit of the caller's.
	ErrTooLarge error = newKind("body too large", ErrRequest)
	// ErrForbiddenAddress is an address that the guard for untrusted URLs
	// does not let through.
	ErrForbiddenAddress error = newKind("address not allowed", ErrConnection)
)

// errorKind is a sentinel with parents.
type errorKind struct {
	name    string
	parents []error
}

// newKind makes a kind. It returns an error, and no *errorKind, so that the
// variables can be compared and nothing else.
func newKind(name string, parents ...error) error {
	return &errorKind{name: name, parents: parents}
}

func (k *errorKind) Error() string { return "requests: " + k.name }

// Is reports whether target is a parent of k, at any height.
func (k *errorKind) Is(target error) bool {
	for _, p := range k.parents {
		if p == target || errors.Is(p, target) {
			return true
		}
	}
	return false
}

// Error is the error of every call that fails in preparing, sending or reading,
// but for what a [Hook] returns. Test for its kind with
// [errors.Is] and one of the Err variables, for its cause likewise
// (context.Canceled, syscall.ECONNREFUSED, io.ErrUnexpectedEOF), and take
// what it holds with [errors.As]. Its text holds no password and no header value,
// and a query only where it quotes a URL that is not valid.
type Error struct {
	// Op is the method, or the step that failed.
	Op string
	// URL is the request's, without user, password, query and fragment.
	URL string
	// Err is the cause, or nil.
	Err error
	// Request is what was to be sent, or nil where it failed before.
	Request *PreparedRequest
	// Response is what was received, or nil. Where its body broke off,
	// [Response.Partial] has what came before.
	Response *Response
	// Reused tells that the connection had served requests before.
	Reused bool
	// MaybeSent tells that the peer may have seen and acted on the request.
	// False is a promise.
	MaybeSent bool

	kind     error
	extra    error // a second kind, or nil
	reason   string
	dialled  bool // it failed in making a connection
	tunnel   bool // a proxy was reached, and made no tunnel
	silent   bool // no byte of a response came
	sends    int  // connections that bytes of the request went out on
	attempts []Attempt
}

// Attempts returns what was tried before the attempt that this is the error
// of, by the policy of retries.
func (e *Error) Attempts() []Attempt { return slices.Clone(e.attempts) }

// Error returns the operation, the URL, the reason and the cause.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("requests: ")
	if e.Op != "" {
		b.WriteString(e.Op)
		if e.URL != "" {
			b.WriteByte(' ')
			b.WriteString(e.URL)
		}
		b.WriteString(": ")
	}
	text := e.reason
	if text == "" {
		text = strings.TrimPrefix(kindName(e.kind), "requests: ")
	}
	b.WriteString(text)
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(strings.TrimPrefix(e.Err.Error(), "requests: "))
	}
	return clipText(b.String())
}

func kindName(kind error) string {
	if kind == nil {
		return ErrRequest.Error()
	}
	return kind.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the error's kind or a parent of it.
func (e *Error) Is(target error) bool {
	if target == ErrRequest {
		return true
	}
	return e.kind != nil && errors.Is(e.kind, target) || e.extra != nil && errors.Is(e.extra, target)
}

// Timeout reports whether the error is a timeout, as net.Error has it.
func (e *Error) Timeout() bool {
	return e.Is(ErrTimeout) || errors.Is(e.Err, context.DeadlineExceeded)
}

// GoString is [Error.Error]: the fields may hold secrets.
func (e *Error) GoString() string { return e.Error() }

// HTTPError is the error of [Response.RaiseForStatus] and of the generic
// helpers for a status of 400 and more. It keeps the response.
type HTTPError struct {
	// Response is the answer, its body as it was read.
	Response *Response
	text     string
}

// Error returns the reference's text, such as
// "404 Client Error: Not Found for url: http://a.test/". The URL has its query,
// and *** for user and password.
func (e *HTTPError) Error() string { return e.text }

// Is reports whether target is [ErrHTTP] or its parent.
func (e *HTTPError) Is(target error) bool { return target == ErrHTTP || target == ErrRequest }

// ProxyRefusedError is the answer of a proxy that did not open a tunnel. It
// is the cause of an [ErrProxy] error.
type ProxyRefusedError struct {
	// StatusCode is that of the proxy's answer, such as 407.
	StatusCode int
	// Status is the code with its phrase, such as "407 Proxy Authentication
	// Required". It is the proxy's text, to be escaped before it is shown.
	Status string
	// Header is the proxy's.
	Header http.Header
	// Body is the start of the proxy's answer, at most 4 KiB.
	Body []byte
}

// Error names the status.
func (e *ProxyRefusedError) Error() string {
	text := "proxy refused the tunnel: " + printable(e.Status)
	if e.StatusCode == http.StatusProxyAuthRequired {
		text += " (it wants a user and a password, or others)"
	}
	return text
}

// shownURL is a URL as errors show it: what may be secret is left out.
func shownURL(url string) string {
	url = uri.Redact(url)
	if i := strings.IndexAny(url, "?#"); i >= 0 {
		url = url[:i]
	}
	return url
}

// maxErrorText bounds an error's text, much of which may be a peer's.
const maxErrorText = 1024

// clipText makes a text fit for a log line: printable, and not too long.
func clipText(s string) string {
	s = printable(s)
	if len(s) <= maxErrorText {
		return s
	}
	return strings.ToValidUTF8(s[:maxErrorText-3], "") + "..."
}

// printable replaces what a text, much of which may be a peer's, must not do to
// the terminal or the log that shows it; see [uri.Unprintable].
func printable(s string) string {
	// Each byte that is no UTF-8 is such a character, and replaced by itself.
	return strings.Map(func(r rune) rune {
		if uri.Unprintable(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// formatText writes what stands for a value that holds secrets. It is for
// [fmt.Formatter]: a [fmt.Stringer] alone is asked for the verbs of texts, and
// any other, such as %d, would show the fields. Width and quotes are heeded.
func formatText(f fmt.State, verb rune, text string) {
	if verb != 'q' {
		verb = 's'
	}
	fmt.Fprintf(f, fmt.FormatString(f, verb), text)
}
