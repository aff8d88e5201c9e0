package requests

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/seed-9ea40bd3/requests/internal/tunnel"
	"github.com/seed-9ea40bd3/requests/internal/uri"
	"github.com/seed-9ea40bd3/requests/internal/wire"
)

// transport is a pool of connections that may serve one another's requests:
// one way to the server, one set of TLS settings.
type transport struct {
	adapter *HTTPAdapter    // whose settings hold; they do not change in use
	route   route           // the way to the server
	dialer  wire.Dialer     // for the server, or for a proxy
	http    *http.Transport // pools, frames, and speaks HTTP/2

	auth  *proxyAuth // what the proxy has asked for; shared by the ways through it
	hosts hostPools  // for which hosts connections are kept

	tls tlsLoader
}

// newTransport sets up net/http to pool, frame and speak HTTP/2, and leaves
// dialling, TLS, proxies, redirects, cookies and codings to this package.
func newTransport(a *HTTPAdapter, rt route) *transport {
	t := &transport{adapter: a, route: rt}
	t.tls = tlsLoader{settings: a.TLS, verify: rt.key.verify, cert: rt.key.cert, forward: rt.forward}
	t.hosts.limit = cmp.Or(a.PoolConnections, defaultPoolConnections)
	t.dialer = wire.Dialer{Lookup: a.Resolve, LocalAddr: a.LocalAddr}
	size := cmp.Or(a.PoolMaxSize, defaultPoolMaxSize)
	// It sees the address after the name was resolved, so that a name cannot lead
	// it astray between a check and the dialling.
	if rt.guard != nil {
		// A copy: its equals of other calls dial through this one.
		t.route.guard = rt.guard.clone()
		t.dialer.Control = t.route.guard.control
	}
	t.http = &http.Transport{
		DialContext:    t.dialPlain,
		DialTLSContext: t.dialTLS,
		// Accept-Encoding is the caller's header, and codings are undone by us.
		DisableCompression:     true,
		MaxIdleConnsPerHost:    size,
		IdleConnTimeout:        max(cmp.Or(a.IdleTimeout, defaultIdleTimeout), 0),
		MaxResponseHeaderBytes: cmp.Or(a.MaxHeaderBytes, defaultMaxHeaderBytes),
		ReadBufferSize:         a.MaxTrailerBytes, // within which net/http looks for their end
		ForceAttemptHTTP2:      t.offersHTTP2(),
	}
	// Requests' pool_block: a request waits for a connection to come back.
	if a.PoolBlock {
		t.http.MaxConnsPerHost = size
	}
	// An empty map, and not nil, is what keeps net/http from speaking HTTP/2.
	if !t.offersHTTP2() {
		t.http.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	return t
}

// offersHTTP2 reports whether TLS offers it: not to a proxy that forwards.
func (t *transport) offersHTTP2() bool { return !t.adapter.DisableHTTP2 && !t.route.forward }

// close closes what is idle. Requests under way go on, and net/http closes their
// connections when they have served.
func (t *transport) close() {
	t.http.CloseIdleConnections()
	t.hosts.closeUnused()
}

// dialStage is where the making of a connection failed.
type dialStage uint8

const (
	stageConnect  dialStage = iota // reaching the server
	stageProxy                     // reaching a proxy, or talking to one that speaks SOCKS
	stageTunnel                    // talking to one that speaks HTTP
	stageProxyTLS                  // the handshake with a proxy
	stageTLS                       // the handshake with the server
)

// dialError carries the stage through net/http.
type dialError struct {
	stage dialStage
	err   error
}

// Error is that of the failure alone: the stage is for [dialFailure], which
// makes a kind of it.
func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// connectLimit is the connect timeout of the request that a dial is for.
type connectLimit struct{}

// connectTimeout asks the context for it: one transport serves requests with
// different limits, and net/http hands nothing else to a dialler. Zero is
// without limit.
func connectTimeout(ctx context.Context) time.Duration {
	d, _ := ctx.Value(connectLimit{}).(time.Duration)
	return d
}

// dialPlain connects for http: to the server, to a proxy that forwards, or
// through SOCKS.
func (t *transport) dialPlain(ctx context.Context, _, addr string) (net.Conn, error) {
	c, err := t.reach(ctx, addr, nil)
	if err != nil {
		return nil, err
	}
	conn := wire.New(c)
	conn.MaxHead = t.http.MaxResponseHeaderBytes
	t.hosts.add(addr, conn)
	return conn, nil
}

// reach gives a connection whose other end is addr, by way of the proxy. A
// proxy that speaks TLS is none that a plain connection is made through: it
// forwards those.
func (t *transport) reach(ctx context.Context, addr string, configs *tlsConfigs) (net.Conn, error) {
	if t.route.proxy.Host == "" || t.route.forward {
		c, err := t.dial(ctx, addr)
		if err != nil {
			stage := stageConnect
			if t.route.forward {
				stage = stageProxy
			}
			return nil, &dialError{stage, err}
		}
		return c, nil
	}
	return t.reachByProxy(ctx, addr, configs)
}

// dial makes a connection to host:port, or whatever the adapter's owner has
// in its place.
func (t *transport) dial(ctx context.Context, addr string) (net.Conn, error) {
	timeout := connectTimeout(ctx)
	if a := t.adapter; a.UnixSocket != "" || a.Dial != nil {
		if timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, timeout)
			defer cancel()
		}
		if a.Dial != nil {
			return t.dialByCaller(ctx, addr)
		}
		return new(net.Dialer).DialContext(ctx, "unix", a.UnixSocket)
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	return t.dialer.Dial(ctx, "tcp", host, port, timeout)
}

// dialByCaller has the adapter's owner make a connection, and looks where it
// went.
func (t *transport) dialByCaller(ctx context.Context, addr string) (net.Conn, error) {
	c, err := t.adapter.Dial(ctx, "tcp", addr)
	if err != nil || t.route.guard == nil {
		return c, err
	}
	// The guard cannot look before a dialler that is not ours; nothing was sent
	// yet.
	if err := t.route.guard.checkConn(c); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// reachByProxy dials the proxy and has it connect to addr. The connect
// timeout holds for the dialling and for the talk after it.
func (t *transport) reachByProxy(ctx context.Context, addr string, configs *tlsConfigs) (net.Conn, error) {
	var turn proxyTurn
	for {
		c, err := t.tryProxy(ctx, addr, configs, &turn)
		// A refusal with a challenge that can be answered is worth another try.
		if err == nil || !t.auth.connectChallenged(t.route.proxy, err, &turn) {
			return c, err
		}
	}
}

// tryProxy is one attempt of [transport.reachByProxy], on a connection of its
// own: a proxy may close the one on which it asked for credentials.
func (t *transport) tryProxy(ctx context.Context, addr string, configs *tlsConfigs, turn *proxyTurn) (net.Conn, error) {
	proxy := t.route.proxy
	c, err := t.dial(ctx, proxy.DialAddr())
	if err != nil {
		return nil, &dialError{stageProxy, err}
	}
	ctx, cancel := limited(ctx, connectTimeout(ctx))
	defer cancel()
	out := c
	if proxy.Scheme == "https" {
		// No protocol is offered: a tunnel is asked for in HTTP/1.1.
		if out, err = secure(ctx, c, configs.proxy, proxy.Host, nil); err != nil {
			return nil, &dialError{stageProxyTLS, err}
		}
	}
	if out, err = t.openTunnel(ctx, out, addr, turn); err != nil {
		c.Close()
		stage := stageProxy
		if strings.HasPrefix(proxy.Scheme, "http") {
			stage = stageTunnel
		}
		return nil, &dialError{stage, err}
	}
	return out, nil
}

// limited is [context.WithTimeout], in which zero is without limit.
func limited(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, d)
}

// openTunnel has the proxy at the other end of c connect to addr.
func (t *transport) openTunnel(ctx context.Context, c net.Conn, addr string, turn *proxyTurn) (net.Conn, error) {
	proxy := t.route.proxy
	user, password, hasAuth := proxy.ProxyAuth()
	switch proxy.Scheme {
	case "http", "https":
		var fields []tunnel.Field
		// Digest signs method and target, and of a CONNECT that is the authority
		// (RFC 9110, section 9.3.6).
		value, err := t.auth.value(proxy, &PreparedRequest{Method: http.MethodConnect}, addr, turn)
		if err != nil {
			return nil, err
		}
		if value != "" {
			fields = append(fields, tunnel.Field{Name: "Proxy-Authorization", Value: value})
		}
		return tunnel.Connect(ctx, c, addr, fields, tunnel.Limits{})
	}
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, err
	}
	return c, t.openSOCKS(ctx, c, host, uint16(port), user, password, hasAuth)
}

// openSOCKS speaks SOCKS: socks5 and socks4 resolve the name here, socks5h
// and socks4a leave it to the proxy.
func (t *transport) openSOCKS(
	ctx context.Context, c net.Conn, host string, port uint16, user, password string, hasAuth bool,
) error {
	ip, err := netip.ParseAddr(host)
	isName := err != nil
	switch t.route.proxy.Scheme {
	case "socks4a":
		if isName {
			return tunnel.SOCKS4A(ctx, c, host, port, user)
		}
		return tunnel.SOCKS4(ctx, c, ip, port, user)
	case "socks5h":
		target := tunnel.Addr{Port: port, IP: ip}
		if isName {
			target.Host = host
		}
		return tunnel.SOCKS5(ctx, c, target, user, password, hasAuth)
	}
	// PRX-21: socks5 and socks4 resolve here, so that the proxy sees no name.
	v4 := t.route.proxy.Scheme == "socks4"
	if isName {
		if ip, err = t.resolveFor(ctx, host, v4); err != nil {
			return err
		}
	}
	if v4 {
		return tunnel.SOCKS4(ctx, c, ip, port, user)
	}
	return tunnel.SOCKS5(ctx, c, tunnel.Addr{IP: ip, Port: port}, user, password, hasAuth)
}

// resolveFor looks a name up for a proxy that takes addresses.
func (t *transport) resolveFor(ctx context.Context, host string, v4 bool) (netip.Addr, error) {
	addrs, err := t.dialer.Resolve(ctx, host, connectTimeout(ctx))
	if err != nil {
		return netip.Addr{}, err
	}
	for _, a := range addrs {
		// SOCKS 4 carries no other addresses.
		if a = a.Unmap(); !v4 || a.Is4() {
			return a, nil
		}
	}
	return netip.Addr{}, &net.DNSError{Err: "no IPv4 address", Name: host, IsNotFound: true}
}

// dialTLS connects for https, and to a TLS proxy that forwards. Where HTTP/2
// was agreed net/http is given the TLS connection, else ours around it.
func (t *transport) dialTLS(ctx context.Context, _, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	// net/http dials anew for a request that was lost, and would go on for ever
	// with a server that always closes.
	if enough, _ := ctx.Value(sendLimit{}).(bool); enough {
		return nil, errTooManyResends
	}
	configs, err := t.tls.load()
	if err != nil {
		return nil, &dialError{stageTLS, err} // nobody is called for nothing
	}
	raw, err := t.reach(ctx, addr, configs)
	if err != nil {
		return nil, err
	}
	ctx, cancel := limited(ctx, connectTimeout(ctx))
	defer cancel()
	protos := []string{"h2", "http/1.1"}
	if !t.offersHTTP2() {
		protos = protos[1:]
	}
	config, stage := configs.origin, stageTLS
	if t.route.forward {
		config, stage = configs.proxy, stageProxyTLS
	}
	// Between TLS and the socket, where an end without close_notify shows (RFC
	// 8446, section 6.1): a body cut off by an attacker must not pass for a whole
	// one.
	under := wire.Under(raw)
	shared := &sharedConn{Conn: under, pools: &t.hosts, host: addr, noticed: make(chan struct{})}
	client, err := secure(ctx, shared, config, host, protos)
	if err != nil {
		return nil, &dialError{stage, err}
	}
	if client.ConnectionState().NegotiatedProtocol == "h2" {
		t.hosts.addShared(shared)
		return client, nil
	}
	conn := wire.NewTLS(client, under)
	conn.MaxHead = t.http.MaxResponseHeaderBytes
	t.hosts.add(addr, conn)
	return conn, nil
}

// secure does a TLS handshake over c, which it closes where that fails.
func secure(ctx context.Context, c net.Conn, config *tls.Config, host string, protos []string) (*tls.Conn, error) {
	config = config.Clone() // it is shared by all connections
	config.NextProtos = protos
	// A name that the caller set is verified in the place of the host's.
	if config.ServerName == "" {
		config.ServerName = tlsName(host)
	}
	client := tls.Client(c, config)
	if err := client.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return client, nil
}

// proxyURLKind tells a proxy URL without a host from one that is wrong
// otherwise, as Requests does.
func proxyURLKind(err error) error {
	var e *uri.Error
	if errors.As(err, &e) && e.Kind != uri.InvalidProxyURL {
		return ErrInvalidURL
	}
	return ErrInvalidProxyURL
}
