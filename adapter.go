package requests

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-9ea40bd3/requests/internal/uri"
)

// HTTPAdapter sends requests over pooled connections of net/http. Its zero
// value is ready to use; the fields may be set before its first request. It
// may be used by many goroutines at once, and shared by sessions. It must not
// be copied.
type HTTPAdapter struct {
	// MaxRetries is the policy of retries; nil never retries.
	MaxRetries *Retry
	// PoolConnections is for how many hosts connections are kept, the least
	// recently used ones closed first. Zero means 100.
	PoolConnections int
	// PoolMaxSize is how many idle connections are kept for a host. Zero
	// means 256.
	PoolMaxSize int
	// PoolBlock makes a request wait where PoolMaxSize connections to the
	// host are in use, first come first served.
	PoolBlock bool
	// IdleTimeout closes connections that were idle for so long. Zero means
	// 90 s, below zero never.
	IdleTimeout time.Duration
	// DisableHTTP2 keeps to HTTP/1.1 where a server offers both.
	DisableHTTP2 bool
	// TLS are settings of TLS that go beyond trust.
	TLS TLSSettings
	// UnixSocket is the path of a socket that every connection is made to,
	// whatever the URL's host. Proxies do not count then.
	UnixSocket string
	// LocalAddr is the address to connect from.
	LocalAddr net.Addr
	// Resolve looks up a host's addresses; nil asks the system.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// Dial makes the connections, to servers and to proxies; nil dials TCP.
	// The connect timeout is in the context.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Transport takes the place of this adapter's own transport. Order and
	// spelling of headers, proxies, TLS settings, pools and the connect
	// timeout are then its own business.
	Transport http.RoundTripper
	// MaxHeaderBytes bounds a response's head, interim responses included.
	// Zero means 1 MiB.
	MaxHeaderBytes int64
	// MaxHeaderFields bounds how many fields a response's head has. Zero
	// means 5000.
	MaxHeaderFields int
	// MaxTrailerBytes bounds the fields after a chunked body. It is the size
	// of the buffer that each connection is read through, too. Zero means
	// 4 KiB.
	MaxTrailerBytes int

	mu         sync.Mutex                  // guards transports and order
	transports map[transportKey]*transport // at most maxTransports
	order      []transportKey              // of transports, the least recently used first
	last       atomic.Pointer[transport]   // the one at the end of order
}

// TLSSettings are an adapter's settings of TLS. The zero value is Go's
// defaults.
type TLSSettings struct {
	// MinVersion and MaxVersion are such as tls.VersionTLS12; zero is Go's.
	MinVersion, MaxVersion uint16
	// CipherSuites are those offered up to TLS 1.2; nil is Go's.
	CipherSuites []uint16
	// Curves are the key exchanges offered; nil is Go's.
	Curves []tls.CurveID
	// ServerName is asked for and checked in the place of the URL's host, and
	// not of a proxy's.
	ServerName string
	// KeyLog takes the connection's secrets, for debuggers.
	KeyLog io.Writer
	// Pins are base64 SHA-256 hashes of public keys (SPKI), as in
	// "sha256/…"; one of a verified chain's must be among them. They are the
	// origin's, and no proxy's.
	Pins []string
}

const (
	defaultPoolConnections = 100
	defaultPoolMaxSize     = 256
	defaultIdleTimeout     = 90 * time.Second
	defaultMaxHeaderBytes  = 1 << 20
	defaultMaxHeaderFields = 5000
	maxTransports          = 64
)

// Send sends p once, or as often as MaxRetries allows, and returns the
// response with its body unread.
func (a *HTTPAdapter) Send(ctx context.Context, p *PreparedRequest, settings Settings) (*Response, error) {
	if err := p.resolveMethod(); err != nil {
		return nil, err
	}
	return a.send(ctx, p, &settings, new(trip))
}

// send is Send for settings that stay as they are. The first try takes t.
func (a *HTTPAdapter) send(ctx context.Context, p *PreparedRequest, settings *Settings, t *trip) (*Response, error) {
	if err := a.admit(p, settings, t); err != nil {
		return nil, err
	}
	if a.MaxRetries == nil {
		return a.once(ctx, t)
	}
	return a.retrying(ctx, t)
}

// admit refuses what cannot be sent, and gives t its way.
func (a *HTTPAdapter) admit(p *PreparedRequest, settings *Settings, t *trip) error {
	if err := p.resolveTarget(); err != nil {
		return err
	}
	if err := checkSendable(p); err != nil {
		return err
	}
	if err := settings.Cert.check(); err != nil {
		return err
	}
	rt, err := a.route(p, settings)
	if err != nil {
		return err
	}
	t.p, t.settings = p, settings
	if a.Transport == nil {
		t.transport = a.transport(&rt)
	}
	return nil
}

// once sends p once: again where a dead connection lost it, and where a proxy
// that forwards asks for Digest and its URL has a user.
func (a *HTTPAdapter) once(ctx context.Context, t *trip) (*Response, error) {
	p := t.p
	for sent, tries := 0, 0; ; tries++ {
		if tries > 0 {
			turn := t.proxyTurn
			t = t.another()
			t.proxyTurn = turn
		}
		r, err := a.roundTrip(ctx, t)
		if err != nil {
			e, ok := errors.AsType[*Error](err)
			if ok && tries < maxSilentTries && e.lost(p, sent) && ctx.Err() == nil {
				sent += e.sends
				continue
			}
			return nil, err
		}
		again, err := t.proxyAsks(r)
		if err != nil {
			r.Close()
			return nil, err
		}
		if !again {
			return r, nil
		}
		r.body.drain(r)
	}
}

// proxyAsks reports whether a response is the demand of a proxy that forwards,
// and another try can answer it. A body that cannot be sent again is an error.
func (t *trip) proxyAsks(r *Response) (bool, error) {
	if !t.forwarded() {
		return false, nil
	}
	auth := t.transport.auth
	if r.StatusCode != http.StatusProxyAuthRequired {
		if t.proxyTurn.use != nil {
			auth.next(rawValues(r.Headers, "Proxy-Authentication-Info"), t.proxyTurn.use)
		}
		return false, nil
	}
	if !auth.challenged(t.transport.route.proxy, rawValues(r.Headers, "Proxy-Authenticate"), t.proxyTurn) {
		return false, nil
	}
	if !t.p.Body.Replayable() {
		return false, unanswerable(r)
	}
	return true, nil
}

// maxSilentTries bounds how many dead connections in a row a request meets.
const maxSilentTries = 16

// checkSendable refuses what cannot be sent as HTTP: other schemes, hosts
// that are none, and headers that would break the framing.
func checkSendable(p *PreparedRequest) error {
	if p.target.Scheme != "http" && p.target.Scheme != "https" {
		return &Error{kind: ErrInvalidSchema, reason: "HTTPAdapter serves http and https alone"}
	}
	if err := p.target.CheckHost(); err != nil {
		return urlError(err)
	}
	// Once more: a request may be changed after it was prepared.
	if err := checkHeaders(&p.Headers); err != nil {
		return err
	}
	if err := checkCharacters(&p.Headers); err != nil {
		return err
	}
	return checkFraming(p)
}

// checkFraming compares the headers that frame a message with its body.
func checkFraming(p *PreparedRequest) error {
	bad := func(name, why string) error {
		return &Error{kind: ErrInvalidHeader, reason: "header " + name + " " + why}
	}
	// Two of these are how requests are smuggled: one peer on the way goes by the
	// first, another by the last (RFC 9112, section 11.2).
	for _, name := range [...]string{"Content-Length", "Transfer-Encoding", "Host"} {
		if i := p.Headers.index(name, 0); i >= 0 && p.Headers.index(name, i+1) >= 0 {
			return bad(name, "is given more than once")
		}
	}
	if i := p.Headers.index("Transfer-Encoding", 0); i >= 0 {
		switch {
		case p.Body.Len() >= 0:
			return bad("Transfer-Encoding", "disagrees with a body of known length")
		case !strings.EqualFold(p.Headers.fields[i].value, "chunked"):
			return bad("Transfer-Encoding", "can be chunked alone")
		}
	}
	if i := p.Headers.index("Content-Length", 0); i >= 0 &&
		(p.Body.Len() < 0 || p.Headers.fields[i].value != itoa(p.Body.Len())) {
		return bad("Content-Length", "disagrees with the body's length")
	}
	if i := p.Headers.index("Host", 0); i >= 0 && (p.Headers.fields[i].value == "" || !validHost(p.Headers.fields[i].value)) {
		return bad("Host", "is no host")
	}
	return nil
}

// validHost reports whether a Host header names a host, with or without a
// port: it has no byte that a URI's host and port cannot have.
func validHost(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`/@?#\"<>^{|}`+"`", c) >= 0 {
			return false
		}
	}
	return true
}

// route is the way to a server: straight, or by a proxy.
type route struct {
	proxy   uri.URL // zero for none
	forward bool    // the request goes to the proxy in absolute form
	guard   *Guard  // looks at the addresses that are dialled; nil for none
	key     transportKey
}

// transportKey holds all that connections must not be shared across.
type transportKey struct {
	proxy   string
	forward bool
	secure  bool
	verify  TLSVerify
	cert    ClientCert
	guard   string // see [Guard.identity]
}

// route finds the way for a request.
func (a *HTTPAdapter) route(p *PreparedRequest, settings *Settings) (route, error) {
	rt := route{guard: settings.Guard, key: transportKey{
		secure: p.target.Scheme == "https", guard: settings.Guard.identity(),
	}}
	// Better no request than one whose guard looks away.
	if settings.Guard != nil && (a.UnixSocket != "" || a.Transport != nil) {
		return rt, invalidOption("a guard cannot see the addresses of a Unix socket or of another transport")
	}
	if rt.key.secure {
		rt.key.verify, rt.key.cert = settings.Verify, settings.Cert
	}
	// The socket is where the server is: a proxy's words and its password are not
	// for it.
	if a.Transport != nil || a.UnixSocket != "" {
		return rt, nil
	}
	// An empty value is a decision too, for a direct connection (PRX-1).
	text, _ := selectProxy(p.target.Scheme, p.target.Host, settings.Proxies)
	if text == "" {
		return rt, nil
	}
	u, err := uri.ParseProxy(text)
	if err != nil {
		return rt, &Error{kind: proxyURLKind(err), Err: err, reason: "proxy URL cannot be used"}
	}
	switch u.Scheme {
	case "http", "https":
		// PRX-6 and PRX-7: http is forwarded, https goes through a tunnel.
		rt.forward = !rt.key.secure
		// PRX-11, mended: the proxy's certificate is checked for http targets as
		// well.
		if u.Scheme == "https" {
			rt.key.verify, rt.key.cert = settings.Verify, settings.Cert
		}
	case "socks4", "socks4a", "socks5", "socks5h":
	default:
		// To Requests a scheme that begins with socks is an InvalidSchema.
		return rt, &Error{kind: ErrInvalidProxyURL, extra: ErrInvalidSchema, reason: "proxy scheme " + quoteName(u.Scheme) +
			" is not known: http, https, socks4, socks4a, socks5 and socks5h are"}
	}
	if settings.Guard != nil {
		if !settings.Guard.AllowProxy {
			return rt, invalidOption("a proxy was given with a guard that does not allow one")
		}
		rt.guard, rt.key.guard = nil, ""
	}
	rt.proxy = u
	rt.key.proxy, rt.key.forward = u.Text, rt.forward
	return rt, nil
}

// transport returns the transport for a key, and makes it at first use. Of
// too many the least recently used is closed once it is idle.
func (a *HTTPAdapter) transport(rt *route) *transport {
	if t := a.last.Load(); t != nil && t.route.key == rt.key {
		return t
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.transportLocked(rt)
	a.last.Store(t)
	return t
}

// transportLocked finds or makes the transport for a key and puts it at the end
// of order, the place of the most recently used.
func (a *HTTPAdapter) transportLocked(rt *route) *transport {
	t, ok := a.transports[rt.key]
	if ok {
		if last := len(a.order) - 1; a.order[last] != rt.key {
			i := slices.Index(a.order, rt.key)
			a.order = append(slices.Delete(a.order, i, i+1), rt.key)
		}
		return t
	}
	if a.transports == nil {
		a.transports = map[transportKey]*transport{}
	}
	// Keys hold what callers choose freely, certificates and proxies with users:
	// without a bound a service that has one for each of its users would keep
	// connections for ever.
	if len(a.order) >= maxTransports {
		a.transports[a.order[0]].close()
		delete(a.transports, a.order[0])
		a.order = slices.Delete(a.order, 0, 1)
	}
	t = newTransport(a, *rt)
	t.auth = a.proxyAuthLocked(rt)
	a.transports[rt.key] = t
	a.order = append(a.order, rt.key)
	return t
}

// proxyAuthLocked returns what is known of a proxy's nonces from another way
// through it, or a place for that: counted in two places a nonce would have the
// same count twice. What came over TLS that was trusted otherwise is no source.
func (a *HTTPAdapter) proxyAuthLocked(rt *route) *proxyAuth {
	for key, t := range a.transports {
		if key.proxy == rt.key.proxy && (rt.proxy.Scheme != "https" || key.verify == rt.key.verify) {
			return t.auth
		}
	}
	return new(proxyAuth)
}

// CloseIdleConnections closes the connections that wait for a request.
func (a *HTTPAdapter) CloseIdleConnections() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.transports {
		t.close()
	}
}

// Close closes idle connections and forgets all that was set up. Requests
// under way go on, and the adapter may be used again.
func (a *HTTPAdapter) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.transports {
		t.close()
	}
	a.transports, a.order = nil, nil
	a.last.Store(nil)
	if c, ok := a.Transport.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
	return nil
}
