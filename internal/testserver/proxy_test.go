package testserver

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-9ea40bd3/requests/internal/tunnel"
)

// origin starts a server that tells what it was asked, and returns its
// address.
func origin(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/stream" {
			// No length and no chunks: the end of the connection tells.
			conn, _, _ := w.(http.Hijacker).Hijack()
			io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\nstream")
			conn.Close()
			return
		}
		w.Header().Set("X-Seen", r.Method+" "+r.RequestURI+" "+r.Host+r.Header.Get("Proxy-Authorization"))
		io.WriteString(w, "got "+string(body))
	}))
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

// hello starts a listener whose connections say "hello", then echo, and
// returns its address.
func hello(t *testing.T) string {
	t.Helper()
	l := listen(t, func(conn net.Conn) {
		io.WriteString(conn, "hello")
		io.Copy(conn, conn)
	})
	return l.ln.Addr().String()
}

// dial connects to an address, until the test ends.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// checkEcho expects what hello's connections do.
func checkEcho(t *testing.T, conn net.Conn) {
	t.Helper()
	io.WriteString(conn, " you")
	conn.(*net.TCPConn).CloseWrite()
	got, err := io.ReadAll(conn)
	require.NoError(t, err)
	assert.Equal(t, "hello you", string(got))
}

// client is an HTTP client that goes through a proxy.
func client(t *testing.T, proxy string, config *tls.Config) *http.Client {
	t.Helper()
	u, err := url.Parse(proxy)
	require.NoError(t, err)
	transport := &http.Transport{Proxy: http.ProxyURL(u), TLSClientConfig: config}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestHTTPProxyForward(t *testing.T) {
	p := (&HTTPProxy{Hosts: Hosts{"a.test:80": origin(t)}, User: "u", Pass: "p"}).Start(t)
	c := client(t, strings.Replace(p.URL(), "//", "//u:p@", 1), nil)
	for range 2 {
		res, err := c.Post("http://a.test/x?q", "text/plain", strings.NewReader("body"))
		require.NoError(t, err)
		got, err := io.ReadAll(res.Body)
		res.Body.Close()
		require.NoError(t, err)
		assert.Equal(t, "got body", string(got))
		assert.Equal(t, "POST /x?q a.test", res.Header.Get("X-Seen"))
	}
	res, err := c.Get("http://a.test/stream")
	require.NoError(t, err)
	got, err := io.ReadAll(res.Body)
	res.Body.Close()
	require.NoError(t, err)
	assert.Equal(t, "stream", string(got))

	res, err = c.Get("http://other.test/")
	require.NoError(t, err)
	res.Body.Close()
	assert.Equal(t, http.StatusBadGateway, res.StatusCode)

	heads := p.Heads()
	require.Len(t, heads, 4)
	assert.True(t, strings.HasPrefix(heads[0], "POST http://a.test/x?q HTTP/1.1\r\nHost: a.test\r\n"), heads[0])
	assert.Contains(t, heads[0], "\r\nProxy-Authorization: Basic dTpw\r\n")
	assert.True(t, strings.HasSuffix(heads[3], "\r\n\r\n"), heads[3])
}

// TestHTTPProxyRaw has requests that net/http's client does not make.
func TestHTTPProxyRaw(t *testing.T) {
	tests := []struct {
		name  string
		proxy *HTTPProxy
		sent  string
		want  string // the beginning of what comes
	}{
		{"no credentials", &HTTPProxy{User: "u", Pass: "p"}, "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", "HTTP/1.1 407 Proxy Authentication Required\r\n"},
		{"wrong credentials", &HTTPProxy{User: "u"}, "CONNECT a.test:1 HTTP/1.1\r\nHost: a.test\r\nProxy-Authorization: Basic dTpw\r\n\r\n", "HTTP/1.1 407 "},
		{"origin form", &HTTPProxy{}, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", "HTTP/1.1 400 "},
		{"not HTTP", &HTTPProxy{}, "\x16\x03\x01\n\n", ""},
		{"cut", &HTTPProxy{}, "GET http://a.t", ""},
		{"hang", &HTTPProxy{Hang: true}, "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", ""},
		{"unknown target", &HTTPProxy{}, "CONNECT a.test:1 HTTP/1.1\r\nHost: a.test\r\n\r\n", "HTTP/1.1 502 "},
		{"own refusal", &HTTPProxy{ConnectAnswer: "HTTP/1.1 201 Made\r\n\r\n"}, "CONNECT a.test:1 HTTP/1.1\r\nHost: a.test\r\n\r\n", "HTTP/1.1 201 Made\r\n\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn := dial(t, tt.proxy.Start(t).Addr())
			io.WriteString(conn, tt.sent)
			conn.(*net.TCPConn).CloseWrite()
			got, err := io.ReadAll(conn)
			require.NoError(t, err)
			assert.True(t, strings.HasPrefix(string(got), tt.want), "%q", got)
			assert.Equal(t, tt.want == "", len(got) == 0)
		})
	}
}

func TestHTTPProxyTunnel(t *testing.T) {
	target := hello(t)
	for name, hosts := range map[string]Hosts{"a.test:443": {"a.test:443": target}, target: nil} {
		for _, answer := range []string{"", "HTTP/1.1 200 Fine\r\nContent-Length: 3\r\n\r\n"} {
			p := (&HTTPProxy{Hosts: hosts, ConnectAnswer: answer}).Start(t)
			conn, err := tunnel.Connect(t.Context(), dial(t, p.Addr()), name, nil, tunnel.Limits{})
			require.NoError(t, err)
			_, err = io.WriteString(conn, " you")
			require.NoError(t, err)
			got := make([]byte, len("hello you"))
			_, err = io.ReadFull(conn, got)
			require.NoError(t, err)
			assert.Equal(t, "hello you", string(got))
			assert.Equal(t, []string{"CONNECT " + name + " HTTP/1.1\r\nHost: " + name + "\r\n\r\n"}, p.Heads())
		}
	}
}

// TestHTTPProxyTLS goes to a TLS origin through a TLS proxy.
func TestHTTPProxyTLS(t *testing.T) {
	ca := NewCA(t)
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Leaf("a.test")}}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	p := (&HTTPProxy{
		Hosts: Hosts{"a.test:443": srv.Listener.Addr().String()},
		TLS:   &tls.Config{Certificates: []tls.Certificate{ca.Leaf("127.0.0.1")}},
	}).Start(t)
	assert.True(t, strings.HasPrefix(p.URL(), "https://127.0.0.1:"))
	res, err := client(t, p.URL(), &tls.Config{RootCAs: ca.Pool()}).Get("https://a.test/")
	require.NoError(t, err)
	res.Body.Close()
	assert.Equal(t, http.StatusNotFound, res.StatusCode)
}

func TestSOCKSProxy(t *testing.T) {
	target := hello(t)
	ap := netip.MustParseAddrPort(target)
	hosts := Hosts{"a.test:80": target, "[::9]:80": target}
	tests := []struct {
		name  string
		proxy *SOCKSProxy
		open  func(ctx context.Context, conn net.Conn) error
		want  SOCKSRequest // without Raw
		fails bool
	}{
		{
			"4", &SOCKSProxy{}, func(ctx context.Context, conn net.Conn) error {
				return tunnel.SOCKS4(ctx, conn, ap.Addr(), ap.Port(), "me")
			}, SOCKSRequest{Version: 4, User: "me", IP: ap.Addr(), Port: ap.Port()}, false,
		},
		{
			"4a", &SOCKSProxy{Hosts: hosts}, func(ctx context.Context, conn net.Conn) error {
				return tunnel.SOCKS4A(ctx, conn, "a.test", 80, "")
			}, SOCKSRequest{Version: 4, IP: netip.MustParseAddr("0.0.0.1"), Name: "a.test", Port: 80}, false,
		},
		{
			"5 by address", &SOCKSProxy{}, func(ctx context.Context, conn net.Conn) error {
				return tunnel.SOCKS5(ctx, conn, tunnel.Addr{IP: ap.Addr(), Port: ap.Port()}, "", "", false)
			}, SOCKSRequest{Version: 5, Methods: []byte{0}, ATYP: 1, IP: ap.Addr(), Port: ap.Port()}, false,
		},
		{
			"5 by IPv6", &SOCKSProxy{Hosts: hosts}, func(ctx context.Context, conn net.Conn) error {
				return tunnel.SOCKS5(ctx, conn, tunnel.Addr{IP: netip.MustParseAddr("::9"), Port: 80}, "", "", false)
			}, SOCKSRequest{Version: 5, Methods: []byte{0}, ATYP: 4, IP: netip.MustParseAddr("::9"), Port: 80}, false,
		},
		{
			"5 by name with login", &SOCKSProxy{Hosts: hosts, User: "u", Pass: "p"}, func(ctx context.Context, conn net.Conn) error {
				return tunnel.SOCKS5(ctx, conn, tunnel.Addr{Host: "a.test", Port: 80}, "u", "p", true)
			}, SOCKSRequest{Version: 5, Methods: []byte{0, 2}, User: "u", Pass: "p", ATYP: 3, Name: "a.test", Port: 80}, false,
		},
		{
			"5 with wrong login", &SOCKSProxy{User: "u", Pass: "p"}, func(ctx context.Context, conn net.Conn) error {
				err := tunnel.SOCKS5(ctx, conn, tunnel.Addr{Host: "a.test", Port: 80}, "u", "q", true)
				assert.ErrorIs(t, err, tunnel.ErrAuth)
				return err
			}, SOCKSRequest{Version: 5, Methods: []byte{0, 2}, User: "u", Pass: "q"}, true,
		},
		{
			"5 without login", &SOCKSProxy{User: "u", Pass: "p"}, func(ctx context.Context, conn net.Conn) error {
				err := tunnel.SOCKS5(ctx, conn, tunnel.Addr{Host: "a.test", Port: 80}, "", "", false)
				assert.ErrorIs(t, err, tunnel.ErrNoMethod)
				return err
			}, SOCKSRequest{Version: 5, Methods: []byte{0}}, true,
		},
		{
			"5 with a fixed reply", &SOCKSProxy{Hosts: hosts, Reply: 0x02}, func(ctx context.Context, conn net.Conn) error {
				err := tunnel.SOCKS5(ctx, conn, tunnel.Addr{Host: "a.test", Port: 80}, "", "", false)
				assert.Equal(t, &tunnel.ReplyError{Version: 5, Code: 2}, err)
				return err
			}, SOCKSRequest{Version: 5, Methods: []byte{0}, ATYP: 3, Name: "a.test", Port: 80}, true,
		},
		{
			"4a to nowhere", &SOCKSProxy{}, func(ctx context.Context, conn net.Conn) error {
				err := tunnel.SOCKS4A(ctx, conn, "b.test", 80, "")
				assert.Equal(t, &tunnel.ReplyError{Version: 4, Code: 0x5b}, err)
				return err
			}, SOCKSRequest{Version: 4, IP: netip.MustParseAddr("0.0.0.1"), Name: "b.test", Port: 80}, true,
		},
		{
			"garbage", &SOCKSProxy{Garbage: "HTTP/1.1 400 Bad\r\n\r\n"}, func(ctx context.Context, conn net.Conn) error {
				err := tunnel.SOCKS4A(ctx, conn, "b.test", 80, "")
				assert.ErrorContains(t, err, "begins with 0x48")
				return err
			}, SOCKSRequest{Version: 4}, true,
		},
		{
			"not SOCKS", &SOCKSProxy{}, func(ctx context.Context, conn net.Conn) error {
				_, err := tunnel.Connect(ctx, conn, "a.test:80", nil, tunnel.Limits{})
				return err
			}, SOCKSRequest{Version: 'C'}, true,
		},
		{
			"cut", &SOCKSProxy{}, func(_ context.Context, conn net.Conn) error {
				io.WriteString(conn, "\x04\x01")
				conn.(*net.TCPConn).CloseWrite()
				_, err := conn.Read(make([]byte, 1))
				return err
			}, SOCKSRequest{Version: 4, IP: netip.IPv4Unspecified()}, true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := tt.proxy.Start(t)
			conn := dial(t, p.Addr())
			err := tt.open(t.Context(), conn)
			require.Equal(t, tt.fails, err != nil, "%v", err)
			if err == nil {
				checkEcho(t, conn)
			}
			got := p.Requests()
			require.Len(t, got, 1)
			assert.Equal(t, tt.want.Version, got[0].Raw[0])
			got[0].Raw = nil
			assert.Equal(t, tt.want, got[0])
		})
	}
}

func TestSOCKSProxyHangs(t *testing.T) {
	p := (&SOCKSProxy{Hang: true}).Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	err := tunnel.SOCKS4A(ctx, dial(t, p.Addr()), "a.test", 80, "")
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}

// TestProxiesLeaveNothing ends tests while their proxies are at work in every
// way they can be.
func TestProxiesLeaveNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Run("at work", func(t *testing.T) {
		target := hello(t)
		asked := make(chan struct{})
		silent := listen(t, func(conn net.Conn) {
			io.ReadFull(conn, make([]byte, 1))
			close(asked)
			io.Copy(io.Discard, conn)
		})
		web := (&HTTPProxy{Hosts: Hosts{"a.test:80": target, "silent.test:80": silent.ln.Addr().String()}}).Start(t)
		open, err := tunnel.Connect(t.Context(), dial(t, web.Addr()), "a.test:80", nil, tunnel.Limits{})
		require.NoError(t, err)
		_, err = io.ReadFull(open, make([]byte, 5))
		require.NoError(t, err)

		dial(t, web.Addr()) // says nothing
		waiting := dial(t, (&HTTPProxy{Hang: true}).Start(t).Addr())
		io.WriteString(waiting, "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n")
		half := dial(t, (&SOCKSProxy{}).Start(t).Addr())
		io.WriteString(half, "\x05")

		stalled := dial(t, web.Addr())
		io.WriteString(stalled, "GET http://silent.test/ HTTP/1.1\r\nHost: silent.test\r\n\r\n")
		<-asked
	})
	goleak.VerifyNone(t, before)
}

// TestTunnelLeavesNoPipe has a tunnel pass bytes on without the pipes that
// package net keeps after splicing, which a [Watch] would take for left.
func TestTunnelLeavesNoPipe(t *testing.T) {
	target := listen(t, func(conn net.Conn) {
		io.WriteString(conn, strings.Repeat("x", 1<<16))
	}).ln.Addr().String()
	runtime.GC() // gives back what other tests left in package net
	runtime.GC()
	before := descriptors()
	web := (&HTTPProxy{Hosts: Hosts{"a.test:80": target}}).Start(t)
	conn, err := tunnel.Connect(t.Context(), dial(t, web.Addr()), "a.test:80", nil, tunnel.Limits{})
	require.NoError(t, err)
	_, err = io.ReadFull(conn, make([]byte, 1<<16))
	require.NoError(t, err)
	for _, to := range beyond(descriptors(), before) {
		assert.NotContains(t, to, "pipe:")
	}
}

// TestLateConnection is accepted just after the end.
func TestLateConnection(t *testing.T) {
	var l *listener
	t.Run("ends", func(t *testing.T) { l = listen(t, func(net.Conn) {}) })
	a, b := net.Pipe()
	defer b.Close()
	l.track(a)
	_, err := a.Write([]byte("x"))
	assert.ErrorIs(t, err, io.ErrClosedPipe)
}
