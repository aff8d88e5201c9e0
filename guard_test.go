package requests

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

func TestIsPublic(t *testing.T) {
	public := []string{
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1",
		"169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0",
		"198.17.255.255", "198.20.0.0", "223.255.255.255",
		"2606:4700::1111", "2a00:1450::1", "2001:4860::8888", "64:ff9b::808:808", "2002:808:808::1", "::ffff:8.8.8.8",
	}
	private := []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1", "127.255.255.254",
		"169.254.0.1", "169.254.169.254", "172.16.0.0", "172.31.255.255", "192.0.0.1", "192.0.0.170", "192.0.2.1", "192.88.99.1",
		"192.168.0.1", "192.168.255.255", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
		"239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::2", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1",
		"64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2002:c0a8:1::1",
		"100::1", "2001::1", "2001:0:7f00:1::", "2001:db8::1", "2001:10::1", "2001:20::1", "3fff::1", "5f00::1",
		"fc00::1", "fd00::1", "fdff:ffff::1", "fe80::1", "febf::1", "fec0::1", "ff02::1", "ff0e::1", "4000::1", "8000::1", "1::1",
	}
	for _, ip := range public {
		assert.True(t, isPublic(netip.MustParseAddr(ip).Unmap()), ip)
	}
	for _, ip := range private {
		assert.False(t, isPublic(netip.MustParseAddr(ip).Unmap()), ip)
	}
}

func TestGuardCheck(t *testing.T) {
	home := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8")}
	tests := []struct {
		guard   Guard
		address string
		ok      bool
	}{
		{Guard{}, "8.8.8.8:80", true},
		{Guard{}, "[2606:4700::1]:443", true},
		{Guard{}, "127.0.0.1:80", false},
		{Guard{}, "[::1]:80", false},
		{Guard{}, "[::ffff:10.0.0.1]:80", false},
		{Guard{}, "[fe80::1%lo]:80", false},
		{Guard{Allow: home}, "10.1.2.3:80", true},
		{Guard{Allow: home}, "[::ffff:10.1.2.3]:80", true},
		{Guard{Allow: home}, "10.2.2.3:80", false},
		{Guard{Allow: home}, "[fd12::1%eth0]:80", true},
		{Guard{Ports: []uint16{80, 443}}, "8.8.8.8:443", true},
		{Guard{Ports: []uint16{80, 443}}, "8.8.8.8:22", false},
		{Guard{Ports: []uint16{22}, Allow: home}, "10.1.2.3:80", false},
		{Guard{}, "/run/socket", false},
		{Guard{}, "pipe", false},
		{Guard{}, "", false},
		{Guard{Allow: everything()}, "127.0.0.1:80", true},
		{Guard{Allow: everything()}, "[::1]:80", true},
	}
	for _, tt := range tests {
		err := tt.guard.check(tt.address)
		if tt.ok {
			assert.NoError(t, err, tt.address)
			continue
		}
		assert.ErrorIs(t, err, ErrForbiddenAddress, tt.address)
		assert.Contains(t, err.Error(), strconv.Quote(tt.address))
	}
}

// The property: an address in another notation is let through as it is in its
// own.
func FuzzGuardNotation(f *testing.F) {
	f.Add([]byte{127, 0, 0, 1})
	f.Add([]byte{8, 8, 8, 8})
	f.Add([]byte{169, 254, 169, 254})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != 4 {
			return
		}
		v4 := netip.AddrFrom4([4]byte(b))
		want := new(Guard).check(netip.AddrPortFrom(v4, 80).String()) == nil
		for _, text := range []string{
			"::ffff:" + v4.String(),
			fmt.Sprintf("64:ff9b::%x:%x", int(b[0])<<8|int(b[1]), int(b[2])<<8|int(b[3])),
			fmt.Sprintf("2002:%x:%x::1", int(b[0])<<8|int(b[1]), int(b[2])<<8|int(b[3])),
		} {
			if got := new(Guard).check("["+text+"]:80") == nil; got != want {
				t.Fatalf("%s is let through: %v, %s: %v", text, got, v4, want)
			}
		}
		if want && (v4.IsLoopback() || v4.IsPrivate() || v4.IsLinkLocalUnicast() || v4.IsMulticast() || v4.IsUnspecified()) {
			t.Fatalf("%s is let through", v4)
		}
	})
}

// resolver gives each name its addresses, one list a look-up; the last stays.
func resolver(names map[string][]string) func(context.Context, string) ([]netip.Addr, error) {
	var looked atomic.Int64
	return func(_ context.Context, host string) ([]netip.Addr, error) {
		lists := names[host]
		if len(lists) == 0 {
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}
		list := lists[min(int(looked.Add(1))-1, len(lists)-1)]
		var out []netip.Addr
		for ip := range strings.FieldsSeq(list) {
			out = append(out, netip.MustParseAddr(ip))
		}
		return out, nil
	}
}

// The guard looks after DNS, on every hop, at every address.
func TestGuardOverLoopback(t *testing.T) {
	var seen atomic.Int64
	url := loopServer(t, func(w http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusFound)
		}
	})
	port := url[strings.LastIndexByte(url, ':'):]
	allowed := &Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}}
	names := map[string][]string{
		"private.test": {"127.0.0.1"},
		"rebind.test":  {"127.0.0.1"},
		"mixed.test":   {"127.0.0.1 127.0.0.3"},
		"mapped.test":  {"::ffff:127.0.0.1"},
	}
	tests := []struct {
		name string
		url  string
		seen int64
	}{
		{"address", url, 0},
		{"name", "http://private.test" + port, 0},
		{"all of a name's addresses", "http://mixed.test" + port, 0},
		{"mapped", "http://mapped.test" + port, 0},
		{"localhost by a number", "http://2130706433" + port, 0},
		{"https", "https://private.test" + port, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			seen.Store(0)
			s := tlsSession(t, &HTTPAdapter{Resolve: resolver(names)})
			_, err := s.Get(t.Context(), tt.url, Settings{Guard: allowed})
			require.ErrorIs(t, err, ErrConnection)
			if tt.name != "localhost by a number" {
				assert.ErrorIs(t, err, ErrForbiddenAddress)
			}
			assert.Zero(t, seen.Load())
			assert.False(t, asError(t, err).MaybeSent)
		})
	}
	t.Run("redirect", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.2:0")
		require.NoError(t, err)
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, url, http.StatusFound)
		})}
		go srv.Serve(ln)
		defer srv.Close()
		seen.Store(0)
		_, err = loopSession(t).Get(t.Context(), "http://"+ln.Addr().String(), Settings{Guard: allowed})
		assert.ErrorIs(t, err, ErrForbiddenAddress)
		assert.Zero(t, seen.Load())
	})
	t.Run("name that changes", func(t *testing.T) {
		// The first look-up gives an address that passes, the second not: what
		// counts is the one that is dialled.
		names := map[string][]string{"rebind.test": {"8.8.8.8", "127.0.0.1"}}
		seen.Store(0)
		look := resolver(names)
		_, _ = look(t.Context(), "rebind.test")
		s := tlsSession(t, &HTTPAdapter{Resolve: look})
		_, err := s.Get(t.Context(), "http://rebind.test"+port, Settings{Guard: allowed})
		assert.ErrorIs(t, err, ErrForbiddenAddress)
		assert.Zero(t, seen.Load())
	})
	t.Run("allowed", func(t *testing.T) {
		_, err := loopSession(t).Get(t.Context(), url, Settings{Guard: &Guard{Allow: everything()}})
		assert.NoError(t, err)
	})
	t.Run("a guarded call does not take an unguarded connection", func(t *testing.T) {
		s := loopSession(t)
		_, err := s.Get(t.Context(), url)
		require.NoError(t, err)
		_, err = s.Get(t.Context(), url, Untrusted())
		assert.ErrorIs(t, err, ErrForbiddenAddress)
		_, err = s.Get(t.Context(), url)
		assert.NoError(t, err)
	})
	t.Run("left out", func(t *testing.T) {
		s := loopSession(t, Untrusted())
		_, err := s.Get(t.Context(), url)
		require.ErrorIs(t, err, ErrForbiddenAddress)
		_, err = s.Get(t.Context(), url, Without(Untrusted()))
		assert.NoError(t, err)
	})
	t.Run("not retried", func(t *testing.T) {
		tries := 0
		a := &HTTPAdapter{MaxRetries: &Retry{Total: 5}, Resolve: func(context.Context, string) ([]netip.Addr, error) {
			tries++
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		}}
		_, err := tlsSession(t, a).Get(t.Context(), "http://a.test"+port, Untrusted())
		assert.ErrorIs(t, err, ErrForbiddenAddress)
		assert.Equal(t, 1, tries)
	})
}

// Guards that let the same through share connections, those of [Untrusted] made
// anew for each call; others share none.
func TestGuardsShareConnections(t *testing.T) {
	url := loopServer(t, echoBody)
	public := "http://8.8.8.8" + url[strings.LastIndexByte(url, ':'):]
	home := func() *Guard { return &Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}} }
	port, err := strconv.ParseUint(url[strings.LastIndexByte(url, ':')+1:], 10, 16)
	require.NoError(t, err)
	for _, tt := range []struct {
		name  string
		url   string
		opts  func(i int) []Option
		dials int64
	}{
		{"untrusted", public, func(int) []Option { return []Option{Untrusted()} }, 1},
		{"untrusted with other limits", public, func(i int) []Option { return []Option{Untrusted(), MaxBody(int64(i) + 1<<10)} }, 1},
		{"equal", url, func(int) []Option { return []Option{Settings{Guard: home()}} }, 1},
		{"a proxy is nothing to them", url, func(i int) []Option {
			g := home()
			g.AllowProxy = i%2 == 0
			return []Option{Settings{Guard: g}}
		}, 1},
		{"other ports", url, func(i int) []Option {
			g := home()
			g.Ports = []uint16{uint16(port), uint16(i % 2)}
			return []Option{Settings{Guard: g}}
		}, 2},
		{"guarded and not", url, func(i int) []Option {
			if i%2 == 0 {
				return nil
			}
			return []Option{Settings{Guard: home()}}
		}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var dials atomic.Int64
			s := tlsSession(t, &HTTPAdapter{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				dials.Add(1)
				c, err := new(net.Dialer).DialContext(ctx, network, url[len("http://"):])
				if strings.HasPrefix(address, "8.8.8.8") && err == nil {
					c = publicConn{c}
				}
				return c, err
			}})
			for i := range 20 {
				_, err := s.Get(t.Context(), tt.url, tt.opts(i)...)
				require.NoError(t, err)
			}
			assert.Equal(t, tt.dials, dials.Load())
		})
	}
}

// A guard that was changed after its call neither loosens nor tightens what its
// equals do.
func TestGuardIsCopied(t *testing.T) {
	url := loopServer(t, echoBody)
	s := tlsSession(t, &HTTPAdapter{})
	g := new(Guard)
	_, err := s.Get(t.Context(), url, Settings{Guard: g})
	require.ErrorIs(t, err, ErrForbiddenAddress)
	g.Allow = everything()
	_, err = s.Get(t.Context(), url, Untrusted())
	require.ErrorIs(t, err, ErrForbiddenAddress)
	_, err = s.Get(t.Context(), url, Settings{Guard: g})
	assert.NoError(t, err)
}

// publicConn is a connection that seems to lead to the public internet.
type publicConn struct{ net.Conn }

func (publicConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(8, 8, 8, 8), Port: 80} }

// A dialer of the caller's is looked after: where it went is what counts.
func TestGuardAndCallersDialer(t *testing.T) {
	url := loopServer(t, echoBody)
	dialer := func(ctx context.Context, network, address string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	_, err := tlsSession(t, &HTTPAdapter{Dial: dialer}).Get(t.Context(), url, Untrusted())
	assert.ErrorIs(t, err, ErrForbiddenAddress)
	_, err = tlsSession(t, &HTTPAdapter{Dial: dialer}).Get(t.Context(), url, Settings{Guard: &Guard{Allow: everything()}})
	assert.NoError(t, err)
	_, err = tlsSession(t, &HTTPAdapter{Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errBoom }}).
		Get(t.Context(), url, Untrusted())
	assert.ErrorIs(t, err, errBoom)
}

// With a guard a proxy is an error, unless it is allowed; the environment's
// does not count.
func TestGuardAndProxies(t *testing.T) {
	url := loopServer(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "through") })
	proxy := new(testserver.HTTPProxy).Start(t)
	s := loopSession(t)
	_, err := s.Get(t.Context(), url, Untrusted(), Proxy("all", proxy.URL()))
	assert.ErrorIs(t, err, ErrInvalidOption)
	assert.Empty(t, proxy.Heads())

	withEnviron(s, map[string]string{"http_proxy": proxy.URL()})
	_, err = s.Get(t.Context(), url, Untrusted())
	assert.ErrorIs(t, err, ErrForbiddenAddress)
	assert.Empty(t, proxy.Heads())

	r, err := s.Get(t.Context(), url, Settings{Guard: &Guard{AllowProxy: true}}, Proxy("all", proxy.URL()))
	require.NoError(t, err)
	assert.Equal(t, "through", r.Text())
	assert.Len(t, proxy.Heads(), 1)
}

func TestGuardAndWhatItCannotSee(t *testing.T) {
	for _, a := range []*HTTPAdapter{{UnixSocket: "/no/such"}, {Transport: http.NewFileTransport(http.Dir("."))}} {
		_, err := tlsSession(t, a).Get(t.Context(), "http://a.test/", Untrusted())
		assert.ErrorIs(t, err, ErrInvalidOption)
	}
}
