package requests

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
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
	}
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
		cause = errors.Join(err, cause)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &Error{kind: ErrTimeout, Err: cause, reason: "deadline exceeded"}
	}
	return &Error{kind: ErrRequest, Err: cause, reason: "canceled"}
}

// failure is the error of a request that got no response.
func (t *trip) failure(err error) error {
	e := t.classify(err)
	e.Reused = t.reused
	e.MaybeSent = t.maybeSent(err)
	return e
}

func (t *trip) classify(err error) *Error {
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
		if own := t.upload.failure(); own != nil {
			return sourceFailure(own)
		}
	}
	if dial, ok := errors.AsType[*dialError](err); ok {
		e := dialFailure(dial)
		e.dialled = true
		return e
	}
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	kind := ErrConnection
	switch {
	case isTLS(err):
		kind = ErrSSL
	case t.route.forward:
		kind = ErrProxy
	}
	return &Error{kind: kind, Err: err}
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
	case errors.Is(err, errTooManyResends):
		return true
	case errors.As(err, &dial), errors.Is(err, wire.ErrStale), t.armed.Load() == 0:
		return false
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
	case errors.As(d.err, &own):
		return own
	case errors.As(d.err, &refused):
		return &Error{kind: ErrProxy, Err: &ProxyRefusedError{
			StatusCode: refused.StatusCode, Status: refused.Status, Header: refused.Header, Body: refused.Body,
		}}
	}
	timeout := isTimeout(d.err)
	switch d.stage {
	case stageProxy:
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
	return errors.As(err, &opErr) && (opErr.Op == "remote error" || opErr.Op == "local error")
}

// bodyFailure is the error of a body that broke off.
func (t *trip) bodyFailure(err error) error {
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
	e.Reused, e.MaybeSent = t.reused, true
	e.Request = t.p
	return e
}
