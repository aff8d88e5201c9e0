package requests

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/seed-9ea40bd3/requests/internal/tunnel"
	"github.com/seed-9ea40bd3/requests/internal/uri"
	"github.com/seed-9ea40bd3/requests/internal/wire"
)

// Low-level errors become ours here, and nowhere else.

// inRequest names the request in an error of ours, and wraps one that is not.
func inRequest(p *PreparedRequest, step string, err error) error {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{kind: ErrRequest, Err: err}
		if errors.Is(err, context.DeadlineExceeded) {
			e.kind = ErrTimeout // of an auth, a hook or an adapter of the caller's
		}
	}
	// A copy: a transport keeps the error of settings that cannot be used, for all
	// its requests.
	filled := *e
	if filled.Op == "" {
		filled.Op = step
		if p != nil && p.Method != "" {
			filled.Op = p.Method
		}
	}
	if p != nil && filled.Request == nil {
		filled.Request = p
	}
	if p != nil && filled.URL == "" {
		filled.URL = shownURL(p.URL)
	}
	return &filled
}

// withResponse keeps the response in an error of ours.
func withResponse(err error, r *Response) error {
	// It was made for this call, so that it may be changed.
	if e, ok := errors.AsType[*Error](err); ok {
		e.Response, e.MaybeSent = r, true
	}
	return err
}

// urlError turns an error of package uri into one of ours.
func urlError(err error) error {
	var e *uri.Error
	if !errors.As(err, &e) {
		return &Error{kind: ErrInvalidURL, Err: err}
	}
	kind := ErrInvalidURL
	switch e.Kind {
	case uri.MissingSchema:
		kind = ErrMissingSchema
	case uri.InvalidProxyURL:
		kind = ErrInvalidProxyURL
	}
	return &Error{kind: kind, reason: e.Error()}
}

// contextFailure is the error of a call that its context ended. It matches
// the context's error and, where there is one, its cause.
func contextFailure(ctx context.Context) *Error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	cause := context.Cause(ctx)
	if !errors.Is(cause, err) {
		// Both are to be found: the caller tests for context.Canceled, or for what
		// he gave as the cause.
		cause = causedError{err, cause}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &Error{kind: ErrTimeout, Err: cause, reason: "deadline exceeded"}
	}
	return &Error{kind: ErrRequest, Err: cause, reason: "canceled"}
}

// causedError is a context's error, and the cause that it was ended with.
type causedError struct{ err, cause error }

// Error has both texts.
func (e causedError) Error() string   { return e.err.Error() + ": " + e.cause.Error() }
func (e causedError) Unwrap() []error { return []error{e.err, e.cause} }

// failure is the error of a request that got no response.
func (t *trip) failure(err error) error {
	e := t.classify(err)
	e.Reused = t.reused
	e.MaybeSent = t.maybeSent(err)
	e.sends = int(t.resends)
	if t.conn != nil {
		e.silent = t.silent()
		if t.sentBytes() {
			e.sends++
		}
	}
	// What a stream alone has come to is the server's answer.
	if t.shared != nil && t.shared.broken.Load() {
		e.silent = true
		e.sends++
	}
	return e
}

// silent reports whether the connection has given nothing for this request.
func (t *trip) silent() bool {
	if t.conn == nil {
		return false
	}
	// The counter runs over all requests of the connection: t.read is where it
	// stood when this one began.
	read, _ := t.conn.Counts()
	return read == t.read
}

// tunnels reports whether the connection goes through an HTTP proxy that the
// request is hidden from.
func (t *trip) tunnels() bool {
	return t.transport != nil && !t.forwarded() && strings.HasPrefix(t.transport.route.proxy.Scheme, "http")
}

// lost reports whether a request may be sent again, unasked: nothing of it
// went out, or its connection was reused and died before it answered, and
// sending it twice does what sending it once does (RFC 9110, 9.2.2). Then it
// goes out once more. sent counts the times that bytes went out before.
func (e *Error) lost(p *PreparedRequest, sent int) bool {
	if !e.Reused || !e.silent || e.dialled || !e.Is(ErrConnection) || e.Is(ErrTimeout) || !p.Body.Replayable() {
		return false
	}
	// Twice on the wire is enough: a server that closes each connection would be
	// asked for ever.
	return !e.MaybeSent || sent+e.sends < 2 && replayable(p)
}

// classify is the error of a trip that got no response: by what we know, where
// we ended it ourselves or noted the reason before, else by what the
// connection shows.
func (t *trip) classify(err error) *Error {
	if e := t.known(err); e != nil {
		return e
	}
	return t.broken(err)
}

// known is the error of a trip that did not fail by itself. The order counts:
// where several hold, what the caller did comes first, and what the transport
// makes of it, often a closed connection, is not asked.
func (t *trip) known(err error) *Error {
	// The caller's context, and not the trip's, which the watchdog ends as well.
	if e := contextFailure(t.parent); e != nil {
		return e
	}
	if t.watch.over() {
		return &Error{kind: ErrReadTimeout, Err: os.ErrDeadlineExceeded, reason: "no response in time"}
	}
	if errors.Is(err, errTooManyResends) {
		return &Error{kind: ErrConnection, Err: errTooManyResends}
	}
	if t.upload != nil {
		// A source that failed has made net/http close the connection: what that
		// looks like does not matter.
		if own := t.upload.failure(); own != nil {
			return sourceFailure(own)
		}
	}
	if dial, ok := errors.AsType[*dialError](err); ok {
		e := dialFailure(dial)
		e.dialled, e.tunnel = true, dial.stage == stageTunnel
		return e
	}
	own, ok := errors.AsType[*Error](err)
	if !ok {
		return nil
	}
	copied := *own // it may be one for all requests
	return &copied
}

// broken is the error of a connection that broke before the response's head
// was whole.
func (t *trip) broken(err error) *Error {
	err = unquoted(err)
	e := &Error{kind: ErrConnection, Err: err}
	switch {
	case isTLS(err):
		e.kind = ErrSSL
	case t.forwarded(), t.silent() && t.tunnels():
		e.kind = ErrProxy // of a tunnel none can tell who broke it off
	case t.answer.Come() && conflictingLengths(t.answer.Head):
		e.extra = ErrInvalidHeader
	}
	e.Err = t.endedEarly(err)
	return e
}

// endedEarly adds to an error that the server closed the connection, and
// whether it did so within a response, where net/http's error does not tell.
func (t *trip) endedEarly(err error) error {
	switch {
	// HTTP/2, or a transport of the caller's: nothing is known of the connection.
	case t.conn == nil:
	case t.conn.Cut(t.turn):
		return alsoError{err, io.ErrUnexpectedEOF}
	// A write that came after: what ended the reading is why.
	case errors.Is(err, net.ErrClosed) && t.conn.ReadError() != nil:
		return t.conn.ReadError()
	case t.conn.Over() && !errors.Is(err, io.EOF):
		return alsoError{err, io.EOF}
	}
	return err
}

// conflictingLengths reports whether a head has two lengths that differ, in
// one field or in several.
func conflictingLengths(head string) bool {
	length, found := "", false
	_, fields := wire.CutLine(head)
	for _, values := range readHeaders(nil, fields).Values("Content-Length") {
		for value := range strings.SplitSeq(values, ",") {
			// Equal lengths may be repeated (RFC 9112, section 6.3); of two that
			// differ nobody can say which frames the body, which is how requests are
			// smuggled.
			value = strings.Trim(value, " \t")
			if found && value != length {
				return true
			}
			length, found = value, true
		}
	}
	return false
}

// alsoError is an error that is another one too.
type alsoError struct{ err, also error }

// Error is that of the first: the other is there to be tested for.
func (e alsoError) Error() string   { return e.err.Error() }
func (e alsoError) Unwrap() []error { return []error{e.err, e.also} }

// unquoted takes out of an error's text what it quotes. net/http, textproto and
// HTTP/2 name the rule that a peer broke and quote what broke it: a status
// line, a header line without its colon, a length, a coding, a trailer. That
// may be a cookie, and goes into no log.
func unquoted(err error) error {
	if strings.Contains(err.Error(), `"`) {
		return unquotedError{err}
	}
	return err
}

// unquotedError shows err without what it quotes. It is all that err is by
// [errors.Is] and [errors.As], but does not unwrap to it: who prints a whole
// chain of errors would print the text too.
type unquotedError struct{ err error }

func (e unquotedError) Error() string                 { return withoutQuoted(e.err.Error()) }
func (e unquotedError) Format(f fmt.State, verb rune) { formatText(f, verb, e.Error()) }
func (e unquotedError) Is(target error) bool          { return errors.Is(e.err, target) }
func (e unquotedError) As(target any) bool            { return errors.As(e.err, target) }

// withoutQuoted puts dots for what a text has in double quotes, as
// [strconv.Quote] writes them.
func withoutQuoted(s string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, `"`)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString(`"..."`)
		end := 0
		for end < len(rest) && rest[end] != '"' {
			if rest[end] == '\\' {
				end++
			}
			end++
		}
		s = rest[min(end+1, len(rest)):]
	}
}

// sourceFailure is the error of a body that could not be read.
func sourceFailure(err error) *Error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	return &Error{kind: ErrRequest, Err: err, reason: "body could not be read"}
}

// maybeSent reports whether the server may have seen the request whole.
func (t *trip) maybeSent(err error) bool {
	var dial *dialError
	switch {
	// An earlier connection took bytes of it, whatever became of this one.
	case errors.Is(err, errTooManyResends), t.resends > 0, t.conn != nil && t.sentBytes():
		return true
	// No connection was there to write to, or none was given the request.
	case errors.As(err, &dial), errors.Is(err, wire.ErrStale), t.armed.Load() == 0:
		return false
	// On HTTP/2 the bytes are not counted by request.
	case t.conn == nil:
		return true
	}
	return t.sentBytes()
}

// dialFailure is the error of a connection that was not made.
func dialFailure(d *dialError) *Error {
	var refused *tunnel.RefusedError
	var own *Error
	switch {
	// An error that is ours already, such as that of a guard, keeps its kind.
	// It may be one for all requests, such as of a bundle that cannot be read.
	case errors.As(d.err, &own):
		copied := *own
		return &copied
	case errors.As(d.err, &refused):
		return &Error{kind: ErrProxy, Err: &ProxyRefusedError{
			StatusCode: refused.StatusCode, Status: refused.Status, Header: refused.Header, Body: refused.Body,
		}}
	}
	timeout := isTimeout(d.err)
	switch d.stage {
	// Requests has ProxyError for both, but for a time that ran out, which its
	// caller tests for by ConnectTimeout.
	case stageProxy, stageTunnel:
		if timeout {
			return &Error{kind: ErrConnectTimeout, extra: ErrProxy, Err: d.err, reason: "proxy did not answer in time"}
		}
		return &Error{kind: ErrProxy, Err: d.err}
	case stageProxyTLS, stageTLS:
		e := &Error{kind: ErrSSL, Err: d.err}
		if timeout {
			e = &Error{kind: ErrConnectTimeout, Err: d.err, reason: "TLS handshake was not done in time"}
		}
		if d.stage == stageProxyTLS {
			e.extra = ErrProxy
		}
		return e
	}
	if timeout {
		return &Error{kind: ErrConnectTimeout, Err: d.err}
	}
	return &Error{kind: ErrConnection, Err: d.err}
}

// isTimeout reports whether an error says that time was up: a context's, or a
// socket's.
func isTimeout(err error) bool {
	var ne net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &ne) && ne.Timeout()
}

// isTLS reports whether an error is of TLS: a certificate, an alert, a record.
func isTLS(err error) bool {
	var (
		record  tls.RecordHeaderError
		alert   tls.AlertError
		verify  *tls.CertificateVerificationError
		unknown x509.UnknownAuthorityError
		opErr   *net.OpError
	)
	if errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &verify) || errors.As(err, &unknown) {
		return true
	}
	// So come alerts, whose type crypto/tls does not export.
	return errors.As(err, &opErr) && (opErr.Op == "remote error" || opErr.Op == "local error")
}

// bodyFailure is the error of a body that broke off.
func (t *trip) bodyFailure(err error) error {
	err = unquoted(err)
	// In Requests this is ChunkedEncodingError whatever the framing was.
	e := &Error{kind: ErrChunkedEncoding, Err: err}
	if own := contextFailure(t.parent); own != nil {
		e = own
	} else if t.watch.over() {
		e = &Error{kind: ErrReadTimeout, extra: ErrConnection, Err: os.ErrDeadlineExceeded, reason: "body stopped arriving"}
	} else if isTLS(err) {
		e = &Error{kind: ErrSSL, Err: err}
	} else if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.ErrUnexpectedEOF) {
		e.extra = ErrConnection
	}
	// net/http says io.EOF, or something of its own, where the peer closed in the
	// middle: for a caller it is one thing.
	if e.kind == ErrChunkedEncoding && t.conn != nil && t.conn.Cut(t.turn) && !errors.Is(err, io.ErrUnexpectedEOF) {
		e.Err, e.extra = alsoError{err, io.ErrUnexpectedEOF}, ErrConnection
	}
	if length := t.resp.body.length; e.kind == ErrChunkedEncoding && length > 0 {
		e.reason = "body broke off after " + itoa(t.resp.body.rawRead) + " of " + itoa(length) + " bytes"
	}
	// There was a response: the server had the request.
	e.Reused, e.MaybeSent = t.reused, true
	e.Request = t.p
	return e
}
