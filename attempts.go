package requests

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// retrying sends p as often as the adapter's policy allows. Waits end with the
// context, and a body that cannot be sent again ends the tries.
func (a *HTTPAdapter) retrying(ctx context.Context, t *trip) (*Response, error) {
	p := t.p
	if err := a.MaxRetries.check(); err != nil {
		return nil, err
	}
	// The policy is the caller's and shared; what is used up of it is this
	// call's.
	state := newRetryState(a.MaxRetries)
	for ; ; t = t.another() {
		r, err := a.once(ctx, t)
		attempt := Attempt{Method: p.Method, URL: shownURL(p.URL), Err: err}
		var verdict retryVerdict
		if err != nil {
			verdict = state.onError(failureClassOf(err), attempt, rand.Float64())
		} else {
			attempt.StatusCode, attempt.Location = r.StatusCode, shownURL(r.Headers.Get("Location"))
			verdict = state.onStatus(attempt, r.Headers.Values("Retry-After"), time.Now(), rand.Float64())
		}
		if !verdict.again {
			return settled(r, err, verdict, &state)
		}
		// RTY-8, mended: urllib3 sends a generator again, empty.
		if !p.Body.sendable() {
			return nil, unrewindable(r, err, &state)
		}
		// The body of a refusal is read a little, so that its connection serves the
		// next attempt.
		if r != nil {
			r.body.drain(r)
		}
		// The wait ends with the caller's context, which bounds all attempts
		// together.
		if err := sleep(ctx, verdict.wait); err != nil {
			return nil, afterAttempt(err, r, attempt.Err, &state)
		}
	}
}

// afterAttempt is the error of a wait that was ended: what the attempt before
// it came to is in it.
func afterAttempt(err error, r *Response, last error, state *retryState) error {
	if e, ok := errors.AsType[*Error](err); ok {
		e.Response, e.attempts = r, state.attempts()
		// The attempt before the wait may have reached the server, though the
		// context ended when nothing was under way.
		e.MaybeSent = maybeSent(r, last)
	}
	return err
}

// maybeSent reports whether an attempt that came to this may have reached the
// server.
func maybeSent(r *Response, err error) bool {
	var e *Error
	return r != nil || errors.As(err, &e) && e.MaybeSent
}

// settled is the outcome of the last attempt under a verdict.
func settled(r *Response, err error, verdict retryVerdict, state *retryState) (*Response, error) {
	if err != nil {
		// MaxRetryError in urllib3 keeps its reason: the error is what the last
		// attempt made it, and one of the policy as well.
		if e, ok := errors.AsType[*Error](err); ok {
			e.attempts = state.attempts()
			if e.extra == nil {
				e.extra = verdict.kind
			}
		}
		return nil, err
	}
	attempts := state.attempts()
	if len(attempts) > 0 {
		r.note().attempts = attempts
	}
	// The policy has nothing to say against the response.
	if verdict.kind == nil {
		return r, nil
	}
	// The response goes along with the error, and what was read of its body too.
	r.body.drain(r)
	return nil, &Error{kind: verdict.kind, reason: verdict.reason, Response: r, MaybeSent: true, attempts: attempts}
}

// unrewindable is the error of a try that the body does not allow. What the
// last one came to is in it.
func unrewindable(r *Response, err error, state *retryState) error {
	e := &Error{
		kind: ErrUnrewindableBody, reason: "the body can be sent only once, and a retry needs it again",
		Err: err, Response: r, MaybeSent: maybeSent(r, err), attempts: state.attempts(),
	}
	if r != nil {
		r.body.drain(r)
	}
	return e
}

// failureClassOf tells the policy what an error counts as.
func failureClassOf(err error) failureClass {
	var e *Error
	if !errors.As(err, &e) || errors.Is(err, context.Canceled) || e.kind == ErrTimeout ||
		e.Is(ErrForbiddenAddress) || e.Is(ErrInvalidURL) || e.Is(ErrInvalidHeader) || e.Is(ErrUnrewindableBody) {
		return failFinal
	}
	var refused *ProxyRefusedError
	switch {
	case e.tunnel:
		return failOther // urllib3 takes it for neither a connect nor a read
	// Nothing was sent, so that any method may be tried again.
	case e.dialled && !e.Is(ErrSSL) && !errors.As(err, &refused):
		return failConnect
	// RTY-9: TLS counts as other, and is tried again with any method.
	case e.Is(ErrSSL), e.dialled:
		return failOther
	case e.Is(ErrReadTimeout), e.Is(ErrConnection):
		return failRead
	}
	return failFinal
}

// sleep waits, or returns the error of a context that ends before.
func sleep(ctx context.Context, d time.Duration) error {
	// Even a wait of nothing must not go on with a context that has ended.
	if e := contextFailure(ctx); e != nil {
		return e
	}
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return contextFailure(ctx)
	}
}
