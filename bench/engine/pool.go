package engine

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/seed-9ea40bd3/requests/internal/wire"
)

// link is a connection that serves one request at a time.
type link interface {
	// do sends a request and returns its answer's head. It sees to it that the
	// link is put back, or dropped, when the answer is done with.
	do(req *http.Request, reused bool) (*http.Response, error)
	// shut closes the connection.
	shut()
	// alive reports whether the connection has not failed meanwhile.
	alive() bool
}

// key is what connections are not shared across.
type key struct{ scheme, host string }

// keyOf has one key for a scheme's port, said or not.
func keyOf(u *url.URL) key {
	if u.Scheme == "https" {
		return key{u.Scheme, strings.TrimSuffix(u.Host, ":443")}
	}
	return key{u.Scheme, strings.TrimSuffix(u.Host, ":80")}
}

// address is the key as host:port.
func (k key) address() string {
	u := url.URL{Host: k.host}
	if u.Port() != "" {
		return k.host
	}
	if k.scheme == "https" {
		return k.host + ":443"
	}
	return k.host + ":80"
}

// limits are those of [http.Transport], under its names.
type limits struct {
	maxIdle, maxOpen int // of a host; maxOpen zero is none
	idleTimeout      time.Duration
}

// pool keeps the connections that wait for a request, the one used last first,
// and grants those of a host in the order in which they were asked for.
type pool struct {
	limits
	dial func(ctx context.Context, k key) (link, error)

	mu    sync.Mutex
	hosts map[key]*host
	sweep *time.Timer // nil while nothing is idle
	empty bool        // nothing is kept until the next request
}

type host struct {
	idle  []idleLink
	open  int
	queue []chan link // of those who wait; nil is the leave to dial
}

type idleLink struct {
	link
	since time.Time
}

// roundTrip sends a request over a connection of the pool. One that turns out
// to be stale before anything was written costs nothing: the next is taken.
func (p *pool) roundTrip(req *http.Request) (*http.Response, error) {
	k := keyOf(req.URL)
	for {
		l, reused, err := p.get(req.Context(), k)
		if err != nil {
			if err != errSpeaks2 { // else it is sent by other means
				closeBody(req)
			}
			return nil, err
		}
		resp, err := l.do(req, reused)
		if err == nil || !errors.Is(err, wire.ErrStale) {
			return resp, err
		}
		if req, err = rewound(req, err); err != nil {
			return nil, err
		}
	}
}

// rewound returns the request with its body at the beginning again.
func rewound(req *http.Request, cause error) (*http.Request, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return req, nil
	}
	if req.GetBody == nil {
		return nil, cause
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, cause
	}
	again := *req
	again.Body = body
	return &again, nil
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

// get takes an idle connection, or makes one, or waits for one.
func (p *pool) get(ctx context.Context, k key) (l link, reused bool, err error) {
	p.mu.Lock()
	p.empty = false
	h := p.hosts[k]
	if h == nil {
		if p.hosts == nil {
			p.hosts = map[key]*host{}
		}
		h = &host{}
		p.hosts[k] = h
	}
	for n := len(h.idle); n > 0; n = len(h.idle) {
		last := h.idle[n-1]
		h.idle[n-1] = idleLink{}
		h.idle = h.idle[:n-1]
		if last.alive() {
			p.mu.Unlock()
			return last.link, true, nil
		}
		h.open--
		last.shut()
	}
	if p.maxOpen <= 0 || h.open < p.maxOpen {
		h.open++
		p.mu.Unlock()
		l, err = p.make(ctx, k)
		return l, false, err
	}
	turn := make(chan link, 1)
	h.queue = append(h.queue, turn)
	p.mu.Unlock()
	return p.wait(ctx, k, turn)
}

// wait is for a connection that another request gives back.
func (p *pool) wait(ctx context.Context, k key, turn chan link) (l link, reused bool, err error) {
	select {
	case l = <-turn:
	case <-ctx.Done():
		p.mu.Lock()
		h := p.hosts[k]
		for i, other := range h.queue {
			if other == turn {
				h.queue = append(h.queue[:i], h.queue[i+1:]...)
				p.mu.Unlock()
				return nil, false, context.Cause(ctx)
			}
		}
		p.mu.Unlock()
		if l = <-turn; l != nil { // it was granted at the same time
			p.put(k, l)
		} else {
			p.lost(k)
		}
		return nil, false, context.Cause(ctx)
	}
	if l != nil {
		return l, true, nil
	}
	l, err = p.make(ctx, k)
	return l, false, err
}

// make dials, in another goroutine where the request may be ended meanwhile:
// then the connection, if it comes, is closed.
func (p *pool) make(ctx context.Context, k key) (link, error) {
	if ctx.Done() == nil {
		l, err := p.dial(ctx, k)
		if err != nil {
			p.lost(k)
		}
		return l, err
	}
	type made struct {
		l   link
		err error
	}
	done := make(chan made, 1)
	go func() {
		l, err := p.dial(ctx, k)
		done <- made{l, err}
	}()
	select {
	case m := <-done:
		if m.err != nil {
			p.lost(k)
		}
		return m.l, m.err
	case <-ctx.Done():
		go func() {
			if m := <-done; m.err == nil {
				m.l.shut()
			}
			p.lost(k)
		}()
		return nil, context.Cause(ctx)
	}
}

// put gives a connection to whoever has waited longest, or keeps it.
func (p *pool) put(k key, l link) {
	p.mu.Lock()
	h := p.hosts[k]
	if len(h.queue) > 0 {
		turn := h.queue[0]
		h.queue = h.queue[1:]
		p.mu.Unlock()
		turn <- l
		return
	}
	if len(h.idle) < p.maxIdle && !p.empty {
		h.idle = append(h.idle, idleLink{l, time.Now()})
		if p.sweep == nil && p.idleTimeout > 0 {
			p.sweep = time.AfterFunc(p.idleTimeout, p.expire)
		}
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	l.shut()
	p.lost(k)
}

// lost notes that a connection is no more, and has the next one dial.
func (p *pool) lost(k key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[k]
	if len(h.queue) > 0 {
		turn := h.queue[0]
		h.queue = h.queue[1:]
		turn <- nil
		return
	}
	if h.open--; h.open == 0 {
		delete(p.hosts, k)
	}
}

// expire closes what was idle for too long, or has died meanwhile.
func (p *pool) expire() {
	p.mu.Lock()
	p.sweep = nil
	limit := time.Now().Add(-p.idleTimeout)
	out := p.take(func(l idleLink) bool { return l.since.After(limit) && l.alive() })
	for _, h := range p.hosts {
		if len(h.idle) > 0 {
			p.sweep = time.AfterFunc(p.idleTimeout/2+1, p.expire)
			break
		}
	}
	p.mu.Unlock()
	shutAll(out)
}

// closeIdle closes all connections that wait for a request, and those that
// come back before the next one.
func (p *pool) closeIdle() {
	p.mu.Lock()
	p.empty = true
	out := p.take(func(idleLink) bool { return false })
	if p.sweep != nil {
		p.sweep.Stop()
		p.sweep = nil
	}
	p.mu.Unlock()
	shutAll(out)
}

// take takes out the idle connections that are not to be kept.
func (p *pool) take(keep func(idleLink) bool) (out []link) {
	for k, h := range p.hosts {
		kept := h.idle[:0]
		for _, l := range h.idle {
			if keep(l) {
				kept = append(kept, l)
				continue
			}
			out = append(out, l.link)
			h.open--
		}
		clear(h.idle[len(kept):])
		h.idle = kept
		if h.open == 0 {
			delete(p.hosts, k)
		}
	}
	return out
}

func shutAll(links []link) {
	for _, l := range links {
		l.shut()
	}
}

// tell tells a request's trace of its connection: this is what hands the head
// to a [wire.Conn].
func tell(trace *httptrace.ClientTrace, info httptrace.GotConnInfo) {
	if trace != nil && trace.GotConn != nil {
		trace.GotConn(info)
	}
}
