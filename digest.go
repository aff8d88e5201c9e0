package requests

import (
	"context"
	"errors"
	"hash"
	"io"
	"log/slog"
	"net/http"
	"sync"

	"github.com/seed-9ea40bd3/requests/internal/digest"
)

// Digest is an [Authenticator] that answers challenges (RFC 7616): of several
// the strongest, by SHA-512-256, SHA-256, SHA or MD5, their -sess forms, for
// auth and auth-int. It answers only the origin that it was first used for;
// what another one asks is handed back. Once the origin's nonce is known,
// later requests are authenticated at once, with the nextnonce of the last
// response where it has one; its rspauth is not checked.
//
// It may be used by many goroutines at once, and must not be copied after its
// first use.
type Digest struct {
	// Username and Password are sent as a hash alone. They must not change
	// once the Digest is in use.
	Username, Password string

	mu sync.Mutex // guards what follows
	// origin is the scheme, host and port that the credentials are bound to;
	// empty before the first use.
	origin string
	nonce  nonceState // of that origin
}

// Authenticate adds Authorization where a nonce of the origin is known, and
// binds the credentials to the origin of their first request.
func (d *Digest) Authenticate(_ context.Context, p *PreparedRequest) error {
	d.mu.Lock()
	if d.origin == "" {
		d.origin = p.target.Origin()
	}
	// A redirect may lead anywhere: another origin is sent nothing, and learns
	// not even the user.
	if d.origin != p.target.Origin() || !d.nonce.known {
		d.mu.Unlock()
		return nil
	}
	use := d.nonce.use(d.nonce.params)
	d.mu.Unlock()
	return d.sign(p, use)
}

// Challenge takes the nonce for the next request where the response has one. It
// answers a 401 of the origin, once for a request, and once more
// where the nonce was stale. Credentials that went out before the origin had
// asked do not count, nor does a nonce that other requests have used up.
func (d *Digest) Challenge(_ context.Context, r *Response) (*PreparedRequest, error) {
	p := r.Request
	if p.target.Opaque {
		return nil, nil
	}
	d.mu.Lock()
	if d.origin != p.target.Origin() || r.StatusCode != http.StatusUnauthorized {
		if d.origin == p.target.Origin() && p.digest.use != nil {
			d.nonce.next(rawValues(r.Headers, "Authentication-Info"), p.digest.use)
		}
		d.mu.Unlock()
		return nil, nil
	}
	params, turn, ok := d.nonce.learn(rawValues(r.Headers, "WWW-Authenticate"), p.digest)
	// What cannot be answered, and what was answered already, is the caller's to
	// see as the 401 that it is.
	if !ok || !p.Body.Replayable() {
		d.mu.Unlock()
		if ok {
			return nil, unanswerable(r)
		}
		return nil, nil
	}
	use := d.nonce.use(params)
	d.mu.Unlock()
	next := p.Copy()
	next.digest = turn
	return next, d.sign(next, use)
}

// unanswerable is the error of a challenge that the body does not let be
// answered.
func unanswerable(r *Response) error {
	return withResponse(&Error{
		kind: ErrUnrewindableBody, reason: "the body can be sent only once, and the challenge asks for it again",
	}, r)
}

// sign sets Authorization.
func (d *Digest) sign(p *PreparedRequest, use *digestUse) error {
	p.digest.use = use
	value, err := digestValue(digest.Credentials{Username: d.Username, Password: d.Password}, p, p.target.Target(), use)
	if err != nil {
		return err
	}
	// The value may hold UTF-8, which goes out as it is (RFC 7616, section 4).
	p.Headers.put(headerField{name: "Authorization", value: value, raw: true})
	return nil
}

// digestValue computes an answer.
func digestValue(c digest.Credentials, p *PreparedRequest, target string, use *digestUse) (string, error) {
	value, err := use.params.Authorize(c, p.Method, target, use.count, use.cnonce, p.Body.hash)
	if _, ok := errors.AsType[*digest.FieldError](err); ok {
		return "", &Error{kind: ErrInvalidHeader, Err: err}
	}
	return value, err
}

// hash sums the body, for auth-int.
func (p *Payload) hash(newHash func() hash.Hash) ([]byte, error) {
	h := newHash()
	if p == nil {
		return h.Sum(nil), nil
	}
	if !p.Replayable() {
		return nil, &Error{kind: ErrUnrewindableBody, reason: "the body can be sent only once, and auth-int must read it before"}
	}
	r, err := p.open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	_, err = io.Copy(h, r)
	return h.Sum(nil), err
}

// String names the scheme alone.
func (d *Digest) String() string { return "Digest auth" }

// GoString is [Digest.String].
func (d *Digest) GoString() string { return d.String() }

// LogValue is [Digest.String], for [log/slog].
func (d *Digest) LogValue() slog.Value { return slog.StringValue(d.String()) }
