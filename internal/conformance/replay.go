package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/seed-9ea40bd3/requests"
)

const (
	// caseLimit bounds a case, so that one that waits for ever fails.
	caseLimit = 20 * time.Second
	// closePause lets a connection's close arrive before the next call.
	closePause = 30 * time.Millisecond
)

// replay is a case on its way.
type replay struct {
	c         *Case
	network   *network
	options   options
	session   *requests.Session       // nil for package-level calls
	shared    *requests.HTTPAdapter   // of package-level calls
	adapters  []*requests.HTTPAdapter // all, to be closed
	responses []*requests.Response    // all, to be closed
	last      *requests.Response
	outcomes  []any
}

// Replay does what a case says in a network of its own, and returns what was
// observed. An error is one of the runner's: the case says what it cannot do.
func Replay(ctx context.Context, a *Authority, c *Case) (Observation, error) {
	ctx, cancel := context.WithTimeout(ctx, caseLimit)
	defer cancel()
	n, err := newNetwork(a, c.Origins)
	if err != nil {
		return nil, err
	}
	defer n.close()
	// A read that does not heed the context must not hold up the others.
	defer context.AfterFunc(ctx, n.cut)()
	r := &replay{
		c: c, network: n,
		options: options{authority: a, digests: map[[2]string]*requests.Digest{}},
	}
	defer r.close()
	if err := r.start(); err != nil {
		return nil, err
	}
	for i := range c.Calls {
		if i > 0 && c.pauses() {
			time.Sleep(closePause)
		}
		outcome, err := r.call(ctx, &c.Calls[i])
		if ctx.Err() != nil {
			err = errors.Join(fmt.Errorf("not done after %v", caseLimit), err)
		}
		if err != nil {
			return nil, fmt.Errorf("call %d: %w", i+1, err)
		}
		r.outcomes = append(r.outcomes, outcome)
	}
	return r.observe(), nil
}

// start makes the session, or the adapter of package-level calls.
func (r *replay) start() error {
	if r.c.Session == nil {
		r.shared = r.adapter(nil)
		return nil
	}
	s, err := r.options.session(r.c.Session)
	if err != nil {
		return err
	}
	s.Mount("https://", r.adapter(nil))
	s.Mount("http://", r.adapter(nil))
	for _, m := range r.c.Session.Mounts {
		var policy *requests.Retry
		if m.Retries != nil {
			policy = m.Retries.policy
		}
		s.Mount(m.Prefix, r.adapter(policy))
	}
	r.session = s
	return nil
}

// adapter makes an adapter that reaches the case's network alone.
func (r *replay) adapter(policy *requests.Retry) *requests.HTTPAdapter {
	a := &requests.HTTPAdapter{Dial: r.network.dial, Resolve: r.network.resolve, MaxRetries: policy}
	r.adapters = append(r.adapters, a)
	return a
}

// current returns the session of a call: the case's, or a fresh one on the
// adapter that package-level calls share, as they do in the library.
func (r *replay) current() *requests.Session {
	if r.session != nil {
		return r.session
	}
	s := requests.NewSession()
	s.Mount("https://", r.shared)
	s.Mount("http://", r.shared)
	return s
}

// close gives up all that the calls have left open.
func (r *replay) close() {
	for _, resp := range r.responses {
		resp.Close()
	}
	for _, a := range r.adapters {
		a.Close()
	}
}

// call makes one call and returns its outcome.
func (r *replay) call(ctx context.Context, c *Call) (any, error) {
	switch c.Do {
	case "", "request", "verb":
		opts, err := r.options.request(c, false)
		if err != nil {
			return nil, err
		}
		if c.Do == "verb" {
			return r.outcome(ctx, c)(r.verb(c.Method)(ctx, c.URL, opts...))
		}
		return r.outcome(ctx, c)(r.current().Do(ctx, c.Method, c.URL, opts...))
	case "prepare", "prepare_bare":
		return r.prepare(ctx, c)
	case "next":
		return r.next(ctx, c)
	case "close":
		return voidOutcome(r.current().Close()), nil
	case "set_cookie":
		return r.setCookie(c.Cookie)
	case "clear_cookies":
		return r.clearCookies(c.Cookie)
	}
	return nil, fmt.Errorf("do %q is not known", c.Do)
}

// verb returns the function that is named after a method.
func (r *replay) verb(method string) func(context.Context, string, ...requests.Option) (*requests.Response, error) {
	s := r.current()
	verbs := map[string]func(context.Context, string, ...requests.Option) (*requests.Response, error){
		http.MethodGet: s.Get, http.MethodOptions: s.Options, http.MethodHead: s.Head, http.MethodPost: s.Post,
		http.MethodPut: s.Put, http.MethodPatch: s.Patch, http.MethodDelete: s.Delete,
	}
	if f := verbs[upper(method)]; f != nil {
		return f
	}
	return func(ctx context.Context, url string, opts ...requests.Option) (*requests.Response, error) {
		return s.Do(ctx, method, url, opts...)
	}
}

// next sends the last response's next request. Where no call has had a
// response there is none, and the reference fails too.
func (r *replay) next(ctx context.Context, c *Call) (any, error) {
	opts, err := r.options.send(c)
	if err != nil {
		return nil, err
	}
	var p *requests.PreparedRequest
	if r.last != nil {
		if p, err = r.last.Next(ctx); err != nil {
			return errorOutcome(err), nil
		}
	}
	if p == nil {
		return map[string]any{"error": "other", "class": "no next request"}, nil
	}
	return r.outcome(ctx, c)(r.current().Send(ctx, p, opts...))
}

// prepare prepares a request and sends nothing.
func (r *replay) prepare(ctx context.Context, c *Call) (any, error) {
	opts, err := r.options.request(c, true)
	if err != nil {
		return nil, err
	}
	req := requests.NewRequest(c.Method, c.URL, opts...)
	var p *requests.PreparedRequest
	if c.Do == "prepare" {
		p, err = r.current().Prepare(ctx, req)
	} else {
		p, err = req.Prepare(ctx)
	}
	if err != nil {
		return errorOutcome(err), nil
	}
	return r.prepared(ctx, p, c)
}

// setCookie puts a cookie into the session's jar, or takes it out.
func (r *replay) setCookie(v *CookieValues) (any, error) {
	if v == nil {
		return nil, errors.New("set_cookie without a cookie")
	}
	jar := r.current().Cookies
	if v.Value == nil {
		jar.Delete(v.Name, v.scope()...)
		return map[string]any{}, nil
	}
	c := &http.Cookie{Name: v.Name, Value: *v.Value, Secure: v.Secure}
	if v.Domain != nil {
		c.Domain = *v.Domain
	}
	if v.Path != nil {
		c.Path = *v.Path
	}
	if v.Expires != nil {
		c.Expires = time.Unix(*v.Expires, 0)
	}
	return voidOutcome(jar.Set(c)), nil
}

// clearCookies removes what the cookie names. The reference fails where there
// is none; here it is the number of those removed that says so.
func (r *replay) clearCookies(v *CookieValues) (any, error) {
	jar := r.current().Cookies
	removed := 0
	switch {
	case v == nil || v.Name == "" && v.Domain == nil && v.Path == nil:
		jar.Clear()
		return map[string]any{}, nil
	case v.Name == "":
		removed = jar.Clear(v.scope()...)
	default:
		removed = jar.Delete(v.Name, v.scope()...)
	}
	if removed == 0 {
		return map[string]any{"error": "other", "class": "no such cookie"}, nil
	}
	return map[string]any{}, nil
}

// scope is where the cookie belongs to; none given is anywhere.
func (v *CookieValues) scope() []requests.CookieScope {
	if v.Domain == nil && v.Path == nil {
		return nil
	}
	var s requests.CookieScope
	if v.Domain != nil {
		s.Domain = *v.Domain
		if s.Domain == "" {
			s.Domain = requests.AnyHost
		}
	}
	if v.Path != nil {
		s.Path = *v.Path
	}
	return []requests.CookieScope{s}
}
