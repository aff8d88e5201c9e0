package requests

import (
	"context"
	"io"
	"net/http"
	"slices"
)

// Hook is called with each response of a request, redirects and refusals
// included, before its body is read. A response that it returns takes the
// place of the one it was given, for the hooks after it and for the caller;
// nil changes nothing. It may read from the body of the one it was given,
// which is closed when the other is. An error ends the call and is returned
// as it is, but that of the context as an [Error] that wraps it.
type Hook func(ctx context.Context, r *Response) (*Response, error)

// mergeHooks is HOOK-3 of Requests: a call's hooks take the place of the
// session's. Nil is unset; a list that is empty but not nil is none.
func mergeHooks(session, call []Hook) []Hook {
	if call != nil {
		return call
	}
	return session
}

// runHooks calls the hooks in order, each with what the last one left. Where
// one fails all that they were given is closed.
func runHooks(ctx context.Context, hooks []Hook, r *Response) (*Response, error) {
	var replaced []*Response
	for _, hook := range hooks {
		other, err := runHook(ctx, hook, r)
		if other != nil && other != r {
			replaced = append(replaced, r)
			r = other
		}
		if err != nil {
			r.Close()
			closeAll(replaced)
			return nil, err
		}
	}
	if len(replaced) > 0 {
		r.body.replace(replaced)
	}
	return r, nil
}

func runHook(ctx context.Context, hook Hook, r *Response) (*Response, error) {
	if hook == nil {
		return nil, invalidOption("hook is nil")
	}
	return hook(ctx, r)
}

func closeAll(responses []*Response) {
	for _, r := range responses {
		r.Close()
	}
}

// replace has responses closed when the body is done with, which may be read
// from theirs: at once where nothing is left of it.
func (b *body) replace(responses []*Response) {
	// A copy of one of them has the same body, and so has what came back.
	responses = slices.DeleteFunc(responses, func(old *Response) bool { return old.body.raw == b.raw })
	if b.closed || b.raw == nil || b.raw == http.NoBody {
		closeAll(responses)
		return
	}
	b.raw = &replacing{b.raw, responses}
}

// replacing is the body of a response that took the place of others.
type replacing struct {
	io.ReadCloser
	replaced []*Response
}

func (r *replacing) Close() error {
	err := r.ReadCloser.Close()
	closeAll(r.replaced)
	return err
}

// abort ends a Read of one that was replaced.
func (r *replacing) abort() {
	for _, old := range r.replaced {
		if raw, ok := old.body.raw.(aborter); ok {
			raw.abort()
		}
	}
	if raw, ok := r.ReadCloser.(aborter); ok {
		raw.abort()
	}
}
