package requests

import "context"

// Hook is called with each response of a request, redirects and refusals
// included, before its body is read. A response that it returns takes the
// place of the one it was given, for the hooks after it and for the caller;
// nil changes nothing. An error ends the call and is returned as it is.
type Hook func(ctx context.Context, r *Response) (*Response, error)

// mergeHooks is HOOK-3 of Requests: a call's hooks take the place of the
// session's. Nil is unset; a list that is empty but not nil is none.
func mergeHooks(session, call []Hook) []Hook {
	if call != nil {
		return call
	}
	return session
}

// runHooks calls the hooks in order, each with what the last one left.
func runHooks(ctx context.Context, hooks []Hook, r *Response) (*Response, error) {
	for _, hook := range hooks {
		if hook == nil {
			return r, invalidOption("hook is nil")
		}
		replaced, err := hook(ctx, r)
		if err != nil {
			return r, err
		}
		if replaced != nil {
			r = replaced
		}
	}
	return r, nil
}
