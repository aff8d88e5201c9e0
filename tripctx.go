package requests

import (
	"context"
	"net/http/httptrace"
	"sync"
)

// tracer tells a trip of the connection that net/http gives it. Trips take turns
// with one: its trace stays as it is, and net/http, which may look at that for
// longer, calls it before it returns from the RoundTrip.
type tracer struct {
	trace  httptrace.ClientTrace
	trip   *trip
	pooled bool
}

var tracers = sync.Pool{New: func() any {
	tr := newTracer(nil)
	tr.pooled = true
	return tr
}}

func newTracer(t *trip) *tracer {
	tr := &tracer{trip: t}
	tr.trace.GotConn = func(info httptrace.GotConnInfo) { tr.trip.gotConn(info) }
	return tr
}

// traced readies the trip's tracer, and returns the context that net/http finds
// it by.
func (t *trip) traced(ctx context.Context) context.Context {
	interim := t.watch != nil && t.transport != nil && t.p.target.Scheme == "https"
	callers := traceKey == nil || httptrace.ContextClientTrace(ctx) != nil
	if t.transport != nil && !interim && !callers {
		t.tracer = tracers.Get().(*tracer)
		t.tracer.trip = t
		return ctx
	}
	t.tracer = newTracer(t)
	if interim {
		t.tracer.trace.Got1xxResponse = t.gotInterim
	}
	if callers {
		ctx = httptrace.WithClientTrace(ctx, &t.tracer.trace) // the caller's trace is called too
	}
	return ctx
}

// untraced gives back the tracer. The trip still knows it: net/http may ask.
func (t *trip) untraced() {
	if t.tracer.pooled {
		t.tracer.trip = nil
		tracers.Put(t.tracer)
	}
}

// tripContext is the context of a request within net/http: the caller's, and
// what the dialling of a connection needs to know. Being of the trip it costs
// nothing, and its Done is that of a context which net/http knows to link to.
type tripContext struct {
	context.Context
	t *trip
}

// Value answers for the trip before it asks the caller's context, which may be a
// long chain.
func (c *tripContext) Value(key any) any {
	switch key {
	case traceKey:
		return &c.t.tracer.trace
	case connectLimit{}:
		return valueOr(c.t.settings.Timeouts.Connect, 0)
	case sendLimit{}:
		return c.t.sentEnough()
	}
	return c.Context.Value(key)
}

// sendLimit is whether a request was sent too often to dial for it again.
type sendLimit struct{}

// traceKey is what a context is asked for by [httptrace.ContextClientTrace];
// nil where that asks for nothing.
var traceKey = func() any {
	var k keyRecorder
	httptrace.ContextClientTrace(&k)
	return k.key
}()

// keyRecorder is a context that knows what it was asked for.
type keyRecorder struct {
	context.Context
	key any
}

// Value notes the key, and knows nothing of it.
func (k *keyRecorder) Value(key any) any {
	k.key = key
	return nil
}
