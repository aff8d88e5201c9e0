package requests

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-9ea40bd3/requests/internal/uri"
)

// Session keeps defaults, cookies and connections over requests. Its zero
// value is ready to use, and sends what one of [NewSession] without options
// does.
//
// The fields may be read and changed before use. In use, a session may serve
// many goroutines at once as long as no field is changed; the cookie jar and
// the adapters lock for themselves. A session must not be copied.
type Session struct {
	// Headers are sent with every request, in this order. [NewSession] begins
	// with [DefaultHeaders]. The zero value stands for them too, as long as no
	// header is set in it; for none at all set [NewHeaders]().
	Headers Headers
	// Params are added to every URL.
	Params Fields
	// Auth authenticates every request; nil leaves it to netrc and the URL.
	Auth Authenticator
	// Cookies is the jar; nil stands for an empty one, made at first use.
	Cookies *CookieJar
	// Hooks run on every response, unless the call has its own.
	Hooks []Hook
	// Settings say how requests are sent unless the call says otherwise.
	Settings
	// IgnoreEnv turns off what the environment says: proxies, certificate
	// bundles, netrc. It is the opposite of Requests' trust_env.
	IgnoreEnv bool

	err    error // of an option of NewSession
	shared Adapter
	env    environment
	merged atomic.Pointer[Settings] // of a call, for the next to share

	mu     sync.RWMutex
	mounts mounts
}

// NewSession returns a session with defaults. An option that makes no sense
// in a session is an error of its first call.
func NewSession(opts ...Option) *Session {
	r := Request{Headers: DefaultHeaders()}
	r.apply(opts, scopeSession)
	s := &Session{
		Headers: r.Headers, Params: r.Params, Auth: r.Auth, Cookies: new(CookieJar),
		Hooks: r.Hooks, Settings: r.Settings,
	}
	for _, c := range r.Cookies {
		if c == nil {
			r.fail(invalidOption("cookie is nil"))
		} else if err := s.Cookies.Set(c); err != nil {
			r.fail(&Error{kind: ErrInvalidHeader, reason: "cookie cannot be kept", Err: err})
		}
	}
	s.err = r.err
	return s
}

// String tells nothing of what the session holds, which may be secret.
func (s *Session) String() string { return "<Session>" }

// GoString is [Session.String].
func (s *Session) GoString() string { return s.String() }

// LogValue is [Session.String], for [log/slog].
func (s *Session) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Do sends a request by any method. See the package's [Do]; what the options
// leave open is the session's.
//
// The method is any token; it is sent in upper case.
func (s *Session) Do(ctx context.Context, method, url string, opts ...Option) (*Response, error) {
	r := asking(method, url, opts)
	defer asked(r)
	return s.request(ctx, r)
}

// Get sends a GET.
//
// A status such as 404 is no error: see [Response.RaiseForStatus]. What fails
// is an [*Error], whose kind [errors.Is] tells.
func (s *Session) Get(ctx context.Context, url string, opts ...Option) (*Response, error) {
	return s.Do(ctx, http.MethodGet, url, opts...)
}

// Options sends an OPTIONS.
func (s *Session) Options(ctx context.Context, url string, opts ...Option) (*Response, error) {
	return s.Do(ctx, http.MethodOptions, url, opts...)
}

// Head sends a HEAD, and does not follow redirects unless told to.
func (s *Session) Head(ctx context.Context, url string, opts ...Option) (*Response, error) {
	r := asking(http.MethodHead, url, opts)
	defer asked(r)
	if r.AllowRedirects == nil {
		r.AllowRedirects = new(false)
	}
	return s.request(ctx, r)
}

// Post sends a POST.
//
// What it sends is an option: [JSON], [Form], [Body], [Files]. Redirects by
// 301, 302 and 303 make it a GET without a body, as in Requests.
func (s *Session) Post(ctx context.Context, url string, opts ...Option) (*Response, error) {
	return s.Do(ctx, http.MethodPost, url, opts...)
}

// Put sends a PUT.
//
// It may go out twice: where a reused connection dies before it answers,
// net/http's rule and RFC 9110, section 9.2.2, have it sent again.
func (s *Session) Put(ctx context.Context, url string, opts ...Option) (*Response, error) {
	return s.Do(ctx, http.MethodPut, url, opts...)
}

// Patch sends a PATCH.
func (s *Session) Patch(ctx context.Context, url string, opts ...Option) (*Response, error) {
	return s.Do(ctx, http.MethodPatch, url, opts...)
}

// Delete sends a DELETE.
func (s *Session) Delete(ctx context.Context, url string, opts ...Option) (*Response, error) {
	return s.Do(ctx, http.MethodDelete, url, opts...)
}

// Request sends a request, as [Session.Prepare], [Session.MergeEnvironment]
// and [Session.Send] would.
//
// r is not changed, and may be used again. Options are filled in by
// [NewRequest]; an error of one of them surfaces here.
func (s *Session) Request(ctx context.Context, r *Request) (*Response, error) {
	own := *r
	return s.request(ctx, &own)
}

// requestPool has the requests that verbs fill in: nobody sees one, and none
// is needed once it is prepared.
var requestPool = sync.Pool{New: func() any { return new(Request) }}

// asking is what a verb was asked for, until it is given to asked.
func asking(method, url string, opts []Option) *Request {
	r := requestPool.Get().(*Request)
	r.Method, r.URL = method, url
	r.apply(opts, scopeRequest)
	return r
}

// asked puts back what asking took, emptied: it holds the caller's secrets.
func asked(r *Request) {
	*r = Request{}
	requestPool.Put(r)
}

// call is what one call needs, in one allocation.
type call struct {
	prepared PreparedRequest
	chain    chain
}

// request prepares and sends what was asked for, and does not keep r.
func (s *Session) request(ctx context.Context, r *Request) (*Response, error) {
	c := new(call)
	// The limit holds for preparing too: an auth may ask a server for a token.
	ctx, finish := limitTotal(ctx, valueOr(either(r.Timeouts.Total, s.Timeouts.Total), 0))
	if err := s.prepare(ctx, &c.prepared, r); err != nil {
		finish()
		return nil, err
	}
	c.chain.session = s
	if err := c.chain.settings.merge(s, &c.prepared, &r.Settings, true); err != nil {
		finish()
		return nil, err
	}
	return c.chain.send(ctx, finish, &c.prepared)
}

// Prepare makes a request ready to send with the session's state: headers,
// params, cookies, auth and hooks, and netrc unless [Session.IgnoreEnv].
//
// The request is not kept and not changed. Errors are of the kinds that
// [Request.Prepare] has, and those of the auth.
func (s *Session) Prepare(ctx context.Context, r *Request) (*PreparedRequest, error) {
	p, own := new(PreparedRequest), *r
	if err := s.prepare(ctx, p, &own); err != nil {
		return nil, err
	}
	return p, nil
}

// prepare fills in p from r, which it merges the session's state into.
func (s *Session) prepare(ctx context.Context, p *PreparedRequest, r *Request) error {
	if s.err != nil {
		return s.err
	}
	r.Hooks = mergeHooks(s.Hooks, r.Hooks)
	if r.Query == "" {
		r.Params = mergeFields(s.Params, r.Params)
	}
	if r.Auth == nil {
		r.Auth = s.Auth
	}
	own, defaults := s.Headers, defaultFields()
	if own.fields == nil {
		own.fields = defaults[:]
	}
	headers := mergeHeaders(p.room[:], own, r.Headers)
	if r.Auth == nil && !s.IgnoreEnv && !headers.Has("Authorization") {
		r.netrc = &s.env
	}
	return p.prepare(ctx, r, headers, s.jar())
}

// MergeEnvironment returns the settings that a request to url is sent with:
// the call's, the session's and, unless [Session.IgnoreEnv], the
// environment's proxies and certificate bundle. Give them to [Session.Send]:
//
//	settings, err := s.MergeEnvironment(p.URL)
//	…
//	r, err := s.Send(ctx, p, settings)
func (s *Session) MergeEnvironment(url string, opts ...Option) (Settings, error) {
	r := Request{URL: url, err: s.err}
	r.apply(opts, scopeSend)
	if r.err != nil {
		return Settings{}, r.err
	}
	p := &PreparedRequest{URL: url}
	if err := p.resolveTarget(); err != nil {
		return Settings{}, err
	}
	var m callSettings
	if err := m.merge(s, p, &r.Settings, true); err != nil {
		return Settings{}, err
	}
	out := *m.Settings
	// What the call leaves out stays left out when these are the call's.
	for key, value := range r.Proxies {
		if _, ok := out.Proxies[key]; value == proxyOmitted && !ok {
			out.Proxies = out.Proxies.with(key, "")
		}
	}
	out.environment = &mergedProxies{call: r.Proxies, result: maps.Clone(out.Proxies)}
	return out, nil
}

// Send sends a prepared request. Options that say how to send may be given;
// what they leave open is the session's. The environment's proxies count, its
// certificate bundle and netrc do not: see [Session.MergeEnvironment].
//
// Where it follows redirects the response's History has what led there. p may
// be sent again afterwards, if its body can be.
func (s *Session) Send(ctx context.Context, p *PreparedRequest, opts ...Option) (*Response, error) {
	if p == nil {
		return nil, invalidOption("Send was given no request")
	}
	if s.err != nil {
		return nil, s.err
	}
	r := Request{}
	r.apply(opts, scopeSend)
	if r.err != nil {
		return nil, inRequest(p, "send", r.err)
	}
	if err := p.resolveTarget(); err != nil {
		return nil, inRequest(p, "send", err)
	}
	c := &chain{session: s}
	if err := c.settings.merge(s, p, &r.Settings, false); err != nil {
		return nil, err
	}
	ctx, finish := limitTotal(ctx, valueOr(c.settings.Timeouts.Total, 0))
	return c.send(ctx, finish, p)
}

// jar returns the session's jar, or nil where a call alone would have one.
func (s *Session) jar() *CookieJar {
	s.mu.RLock()
	jar := s.Cookies
	s.mu.RUnlock()
	if jar != nil {
		return jar
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Cookies == nil {
		s.Cookies = new(CookieJar)
	}
	return s.Cookies
}

// send runs the pipeline of a call: the request and its redirects, each with
// its adapter, hooks and cookies; then the body. finish ends the limit on the
// whole call, which holds for the body too: whoever reads it last calls it, we
// or, under Stream, the caller by closing the response.
func (c *chain) send(ctx context.Context, finish func(), p *PreparedRequest) (*Response, error) {
	set := &c.settings
	r, err := c.exchange(ctx, p)
	if err == nil && valueOr(set.AllowRedirects, true) {
		r, err = c.followAll(ctx, r)
	}
	if err != nil {
		finish()
		return nil, err
	}
	if valueOr(set.Stream, false) {
		r.body.onClose(finish)
		return r, nil
	}
	defer finish()
	if err := r.body.load(r); err != nil {
		return nil, err
	}
	return r, nil
}

// limitTotal bounds the whole call.
func limitTotal(ctx context.Context, d time.Duration) (context.Context, func()) {
	if d <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, d)
}

// chain is a call on its way through redirects.
type chain struct {
	session    *Session
	settings   callSettings // proxies are those of the hop under way
	history    []*Response  // redirects followed so far, the oldest first
	challenges *challenges  // nil before the first

	first trip // of the call's trips: all that a usual call needs, in one allocation
}

// challenges are those that a call has met.
type challenges struct {
	asked   int            // how often the auth was
	refused []*Response    // those that the auth has answered since the last hop
	late    []*http.Cookie // set by them
}

// newTrip returns the trip for the next request.
func (c *chain) newTrip() *trip {
	if c.first.p != nil {
		return new(trip) // first is in use
	}
	return &c.first
}

// exchange sends one request and takes one response, in this order: adapter,
// elapsed, response hooks, cookies.
func (c *chain) exchange(ctx context.Context, p *PreparedRequest) (*Response, error) {
	adapter, err := c.session.Adapter(p.URL)
	if err != nil {
		return nil, inRequest(p, "send", err)
	}
	if c.challenges != nil {
		c.challenges.refused = nil
	}
	return c.sendOn(ctx, adapter, p)
}

// sendOn is [chain.exchange] on an adapter that is known: the answer to a
// challenge goes where the challenge came from.
func (c *chain) sendOn(ctx context.Context, adapter Adapter, p *PreparedRequest) (*Response, error) {
	if err := p.resolveMethod(); err != nil {
		return nil, inRequest(p, "send", err)
	}
	start := time.Now()
	var r *Response
	var err error
	if own, ok := adapter.(*HTTPAdapter); ok {
		t := c.newTrip()
		// A hook sees a body that nobody has read, which holds its connection.
		t.loads = !valueOr(c.settings.Stream, false) && len(p.Hooks) == 0
		r, err = own.send(ctx, p, c.settings.Settings, t)
	} else {
		r, err = c.sendByCallers(ctx, adapter, p)
	}
	if err != nil {
		return nil, inRequest(p, "send", err)
	}
	// A clock may be too coarse to see a loopback exchange; zero would look as if
	// nothing had been measured.
	r.Elapsed = max(time.Since(start), 1)
	if r.Request == nil {
		r.Request = p // an adapter of the caller's may leave that out
	}
	r.follow = c
	if c.challenges != nil && len(c.challenges.refused) > 0 {
		r.History = slices.Clip(c.challenges.refused) // before the hooks: one that replaces r replaces that too
	}
	r, err = c.respond(ctx, adapter, p, r)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// sendByCallers has an adapter of the caller's send p.
func (c *chain) sendByCallers(ctx context.Context, adapter Adapter, p *PreparedRequest) (*Response, error) {
	r, err := adapter.Send(ctx, p, *c.settings.Settings)
	if r == nil && err == nil {
		err = &Error{kind: ErrConnection, reason: "adapter returned no response"}
	}
	return r, err
}

// respond asks the auth, then the hooks, and keeps the cookies.
func (c *chain) respond(ctx context.Context, adapter Adapter, p *PreparedRequest, r *Response) (*Response, error) {
	if auth, ok := p.auth.(challenger); ok && p.showsAuth() {
		answered, err := c.challenge(ctx, auth, adapter, r)
		if err != nil || answered != nil {
			return answered, err
		}
	}
	given := r
	r, err := runHooks(ctx, p.Hooks, r)
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			err = inRequest(p, "send", err) // of the context, and not the hook's own
		}
		return nil, err
	}
	if r != given && r.follow == nil {
		r.follow = c
	}
	c.keepCookies(r)
	return r, nil
}

// maxAnswers bounds how often the auth is asked in a call, lest one that
// answers everything never ends.
const maxAnswers = 100

// challenge lets the auth answer a response. What it answers goes out on the
// same adapter, and the response into the history of the next.
func (c *chain) challenge(ctx context.Context, auth challenger, adapter Adapter, r *Response) (*Response, error) {
	if c.challenges == nil {
		c.challenges = new(challenges)
	}
	if c.challenges.asked++; c.challenges.asked > maxAnswers {
		return nil, nil
	}
	next, err := auth.Challenge(ctx, r)
	if err != nil {
		r.Close()
		return nil, inRequest(r.Request, "authenticate", err)
	}
	if next == nil {
		return nil, nil
	}
	c.keepCookies(r)
	c.challenges.late = append(c.challenges.late, r.noted().setCookies...)
	r.body.drain(r)
	next.buildCookies(c.session.jar())
	if !r.Request.Headers.Has("Authorization") {
		next.Headers.moveBefore("Cookie", "Authorization") // as if it had been there first
	}
	c.challenges.refused = append(c.challenges.refused, r)
	answered, err := c.sendOn(ctx, adapter, next)
	if err != nil {
		return nil, err
	}
	answered.note().asked = r.base()
	return answered, nil
}

// keepCookies puts the response's cookies into the session's jar.
func (c *chain) keepCookies(r *Response) {
	if r.Request == nil || r.noted().setCookies != nil || !r.Headers.Has("Set-Cookie") {
		return
	}
	r.note().setCookies = c.session.jar().receive(r.Request.cookieURL(), rawValues(r.Headers, "Set-Cookie"), time.Now())
}

// rawValues returns the bytes of the values of name.
func rawValues(h Headers, name string) []string {
	values := h.Values(name)
	for i, v := range values {
		values[i], _ = toLatin1(v)
	}
	return values
}

// followAll follows redirects until there are no more.
func (c *chain) followAll(ctx context.Context, r *Response) (*Response, error) {
	for {
		p, err := c.next(ctx, r)
		if err != nil {
			r.body.drain(r)
			return nil, err
		}
		if p == nil {
			return r, nil
		}
		r.body.drain(r)
		c.history = append(c.history, r)
		// RED-19, mended: sent again, such a body would be empty or cut.
		if p.Body != nil && !p.Body.Replayable() {
			return nil, withResponse(inRequest(p, "redirect", &Error{
				kind: ErrUnrewindableBody, reason: "the body can be sent only once, and the redirect asks for it again",
			}), r)
		}
		// RED-16: another scheme or host may have another proxy, or none. At the first
		// hop the session's no_proxy begins to count.
		if len(c.history) == 1 || !sameProxy(&r.base().target, &p.target) {
			c.settings.through(c.session.proxies(p, &c.settings, true))
		}
		from := r
		if r, err = c.exchange(ctx, p); err != nil {
			if e, ok := errors.AsType[*Error](err); ok {
				e.MaybeSent = true // what was redirected was
				if e.kind == ErrInvalidSchema {
					e.Response = from // the one that led nowhere
				}
			}
			return nil, err
		}
		r.History = slices.Clip(c.history) // what is appended to it goes elsewhere
		from.follow = nil                  // nothing is left to follow
	}
}

// next returns the request that follows r, or nil where none does.
func (c *chain) next(ctx context.Context, r *Response) (*PreparedRequest, error) {
	location := r.Headers.Get("Location")
	if !isRedirect(r.StatusCode) || location == "" || r.Request == nil {
		return nil, nil
	}
	limit := valueOr(c.settings.MaxRedirects, defaultMaxRedirects)
	if len(c.history) >= limit {
		return nil, withResponse(inRequest(r.Request, "redirect", &Error{
			kind: ErrTooManyRedirects, reason: "exceeded " + itoa(int64(limit)) + " redirects",
		}), r)
	}
	// RED-3: headers are read as Latin-1, and Location is UTF-8.
	location, _ = toLatin1(location)
	to, err := uri.Resolve(r.base().target, location)
	if err != nil {
		return nil, withResponse(inRequest(r.base(), "redirect", urlError(err)), r)
	}
	return c.nextTo(ctx, r, to)
}

// nextTo returns the request that follows r to a URL. It is made of the one
// that the caller sent, not of the answer to a challenge: its Authorization is
// good for one URI.
func (c *chain) nextTo(ctx context.Context, r *Response, to uri.URL) (*PreparedRequest, error) {
	p, err := c.session.redirect(ctx, r.base(), r.StatusCode, to)
	if err != nil {
		return nil, withResponse(err, r)
	}
	if _, asked := p.auth.(challenger); asked && p.home == nil {
		home := r.base().target
		p.home = &home
	}
	if c.challenges != nil {
		p.Headers.lateCookies(c.challenges.late)
	}
	return p, nil
}
