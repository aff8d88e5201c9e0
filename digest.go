package requests

import (
	"context"
	"crypto/rand"
	"encoding/hex"
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
// later requests are authenticated at once.
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

// nonceState is what is known of a server's nonce.
type nonceState struct {
	params digest.Params
	known  bool   // params are those of a challenge
	count  uint32 // uses of the nonce: nc, which the server expects to grow by one
	cnonce string // the same for all requests under a nonce, for -sess
}

// use counts a use of the nonce.
func (n *nonceState) use() (params digest.Params, count uint32, cnonce string) {
	n.count++
	// With a -sess algorithm the key is made of the first cnonce (RFC 7616,
	// section 3.4.2), so that a new one would make the server refuse us.
	if n.cnonce == "" || !n.params.Session() {
		n.cnonce = newCnonce()
	}
	return n.params, n.count, n.cnonce
}

// newCnonce draws 64 bits and returns them as 16 hexadecimal digits, the length
// that Requests uses.
func newCnonce() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

// learn takes the challenges of a refusal. It reports whether they can be
// answered, and whether they say that the last nonce was merely old.
func (n *nonceState) learn(fields []string) (ok, stale bool) {
	params, ok := digest.Select(digest.ParseChallenges(fields))
	if !ok {
		return false, false
	}
	if !n.known || params.Nonce != n.params.Nonce {
		n.count, n.cnonce = 0, ""
	}
	n.params, n.known = params, true
	return true, params.Stale
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
	params, count, cnonce := d.nonce.use()
	d.mu.Unlock()
	return d.sign(p, params, count, cnonce)
}

// Challenge answers a 401 of the origin, once for a request, and once more
// where the nonce was stale.
func (d *Digest) Challenge(_ context.Context, r *Response) (*PreparedRequest, error) {
	p := r.Request
	if r.StatusCode != http.StatusUnauthorized || p.target.Opaque {
		return nil, nil
	}
	d.mu.Lock()
	if d.origin != p.target.Origin() {
		d.mu.Unlock()
		return nil, nil
	}
	ok, stale := d.nonce.learn(rawValues(r.Headers, "WWW-Authenticate"))
	// What cannot be answered, and what was answered already, is the caller's to
	// see as the 401 that it is.
	if !ok || !p.mayAnswer(stale) {
		d.mu.Unlock()
		return nil, nil
	}
	params, count, cnonce := d.nonce.use()
	d.mu.Unlock()
	if !p.Body.Replayable() {
		return nil, withResponse(&Error{
			kind: ErrUnrewindableBody, reason: "the body can be sent only once, and the challenge asks for it again",
		}, r)
	}
	next := p.Copy()
	next.answered(stale)
	return next, d.sign(next, params, count, cnonce)
}

// sign sets Authorization.
func (d *Digest) sign(p *PreparedRequest, params digest.Params, count uint32, cnonce string) error {
	value, err := digestValue(digest.Credentials{Username: d.Username, Password: d.Password}, p, p.target.Target(), params, count, cnonce)
	if err != nil {
		return err
	}
	// The value may hold UTF-8, which goes out as it is (RFC 7616, section 4).
	p.Headers.put(headerField{name: "Authorization", value: value, raw: true})
	return nil
}

// digestValue computes an answer.
func digestValue(c digest.Credentials, p *PreparedRequest, target string, params digest.Params, count uint32, cnonce string) (string, error) {
	value, err := params.Authorize(c, p.Method, target, count, cnonce, p.Body.hash)
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

// mayAnswer reports whether a challenge to this request is answered: once,
// and once more where it says that the nonce was stale.
func (p *PreparedRequest) mayAnswer(stale bool) bool {
	return p.answers == 0 || stale && !p.staleAnswered
}

// answered counts an answer to a challenge.
func (p *PreparedRequest) answered(stale bool) {
	p.answers++
	p.staleAnswered = p.staleAnswered || stale
}

// String names the scheme alone.
func (d *Digest) String() string { return "Digest auth" }

// GoString is [Digest.String].
func (d *Digest) GoString() string { return d.String() }

// LogValue is [Digest.String], for [log/slog].
func (d *Digest) LogValue() slog.Value { return slog.StringValue(d.String()) }
