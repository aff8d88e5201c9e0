//go:build unix

package requests_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// everywhere returns a session for which every name and address leads to one
// site, whatever it is, and the list of what it dialled.
func (w *world) everywhere(opts ...requests.Option) (s *requests.Session, there *site) {
	w.t.Helper()
	there = w.at("http://everywhere.test")
	to := w.hosts["everywhere.test:80"]
	s = w.sessionOn(&requests.HTTPAdapter{Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		w.mu.Lock()
		w.dialed = append(w.dialed, addr)
		w.mu.Unlock()
		return new(net.Dialer).DialContext(ctx, network, to)
	}}, opts...)
	return s, there
}

// confusing are URLs whose host readers disagree on.
func confusing() []string {
	var urls []string
	for _, mark := range []string{`\@`, "#@", "?@", "/@", "%2F@", "%23@", "%3F@", "%40", "@@", ":@", "%5C@", ";@", "&@", "\t@", "\x00@", " @", "%00@", "\n@", "%09"} {
		urls = append(urls, "http://a.test"+mark+"b.test/", "http://a.test:80"+mark+"b.test:80/x")
	}
	return append(urls,
		"http://::1]evil/", "http://[::1]evil/", "http://[::1]@evil/", "http://[::1]:80@evil/", "http://evil[::1]/", "http://[::1", "http://::1/",
		"http://[1.2.3.4]/", "http://[example.com]/", "http://[]/", "http:///a.test/", "http:////a.test/", "http:a.test/", "http:/a.test/",
		`http:\\a.test\`, `http://a.test\b.test/`, "http://a.test:80:81/", "http://a.test:/", "http://a.test:x/", "http://a.test:99999/", "http://a.test:-1/",
		"http://a.test:0080/", "http://a.test:８０/", "http://a.test%2eb.test/", "http://a%2etest/", "http://%61.test/", "http://a.test%2Fb.test/",
		"http://a..test/", "http://.a.test/", "http://a.test./", "http://-a.test/", "http://a_b.test/", "http://*.test/", "http://a,b.test/", "http://a'b.test/",
		"http://a test/", "http://a\tb.test/", "http://a\x00b.test/", "http://a<b>.test/", "http://127.0.0.1:80@b.test/", "http://u:p@a.test@b.test/",
		"http://@a.test/", "http://:@a.test/", "http://:80/", "http://?a.test/", "http://#a.test/", "http://A.TEST/",
	)
}

func TestAdvisory95_WhichHost(t *testing.T) {
	urls := confusing()
	require.GreaterOrEqual(t, len(urls), 71)
	w := newWorld(t)
	s, there := w.everywhere()
	answered := 0
	for _, text := range urls {
		w.asked()
		before := len(there.seen())
		r, err := s.Get(t.Context(), text)
		s.Close() // each on a connection of its own
		asked := w.asked()
		if err != nil {
			assert.Empty(t, asked, "%q is refused, and was dialled: %v", text, err)
			assert.Len(t, there.seen(), before, text)
			continue
		}
		answered++
		assert.Equal(t, []string{dialledFor(r.URL)}, asked, "%q is shown as %q", text, r.URL)
		host := strings.TrimSuffix(strings.TrimSuffix(hostOf(r.URL), ":"), ":80") // which is left out, as a dot at the end is
		assert.Equal(t, []string{strings.TrimSuffix(host, ".")}, valuesOf(there.last(), "Host"), text)
	}
	assert.Greater(t, answered, 10)
}

func TestAdvisory96_BracketsWithoutIPv6(t *testing.T) {
	w := newWorld(t)
	s, _ := w.everywhere()
	for _, text := range []string{
		"http://[1.2.3.4]/", "http://[a.test]/", "http://[]/", "http://[::1/", "http://::1]/", "http://[::1]a/", "http://[v1.a]/", "http://[::g]/",
		"http://[:::1]/", "http://[1:2:3:4:5:6:7:8:9]/", "http://[::1%25]/", "http://[[::1]]/", "http://[::ffff:1.2.3.4.5]/", "http://[::1]]/", "http://[127.0.0.1]:80/",
	} {
		_, err := s.Get(t.Context(), text)
		require.ErrorIs(t, err, requests.ErrInvalidURL, text)
	}
	assert.Empty(t, w.asked())
	get(t, s, "http://[::1]:8080/")
	assert.Equal(t, []string{"[::1]:8080"}, w.asked())
}

func TestAdvisory97_OneNameForAll(t *testing.T) {
	const refused = ""
	for _, tt := range []struct{ given, want string }{
		{"①②⑦.⓪.⓪.①", refused},
		{"１２７.0.0.1", refused},
		{"127。0。0。1", refused},
		{"ⓔⓧⓐⓜⓟⓛⓔ.com", refused},
		{"ｅｘａｍｐｌｅ．ｃｏｍ", refused},
		{"exa\u00admple.com", refused},
		{"faß.de", "xn--fa-hia.de"},
		{"BÜCHER.example", "xn--bcher-kva.example"},
		{"example。com", refused},
		{"xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"ﬀ.example", refused},
		{"xn--example-.com", "xn--example-.com"},
		{"a\u200b.example", refused},
	} {
		t.Run(tt.given, func(t *testing.T) {
			w := newWorld(t)
			s, there := w.everywhere()
			there.script = answering(cookieAnswer("a=1"))
			r, err := s.Get(t.Context(), "http://"+tt.given+"/")
			asked := w.asked()
			if tt.want == refused {
				require.ErrorIs(t, err, requests.ErrInvalidURL)
				assert.Empty(t, asked)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, "http://"+tt.want+"/", r.URL)
			assert.Equal(t, []string{tt.want + ":80"}, asked)
			assert.Equal(t, []string{tt.want}, valuesOf(there.last(), "Host"))
			assert.Equal(t, []string{tt.want}, s.Cookies.Domains())
			get(t, s, "http://"+tt.want+"/")
			assert.Equal(t, []string{"a=1"}, valuesOf(there.last(), "Cookie"))
			assert.Empty(t, w.asked(), "another connection for the same host")
			_, err = s.Get(t.Context(), "http://"+tt.given+"/", requests.Untrusted())
			require.ErrorIs(t, err, requests.ErrForbiddenAddress)
		})
	}
	// SNI, no_proxy and netrc see that name too.
	w := newWorld(t)
	var name atomic.Value
	config := &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		name.Store(hello.ServerName)
		return &tls.Config{Certificates: []tls.Certificate{w.ca.Leaf("xn--bcher-kva.example")}}, nil
	}}
	a := w.serve("https://xn--bcher-kva.example", config, answering(answerOK))
	useNetrc(t, "machine xn--bcher-kva.example login u password p\n")
	t.Setenv("https_proxy", "http://127.0.0.1:9")
	t.Setenv("no_proxy", "xn--bcher-kva.example")
	get(t, w.environed(), "https://BÜCHER.example/")
	assert.Equal(t, "xn--bcher-kva.example", name.Load())
	assert.Equal(t, []string{basic("u", "p")}, valuesOf(a.last(), "Authorization"))
}

func TestAdvisory98_LongHosts(t *testing.T) {
	w := newWorld(t)
	s, _ := w.everywhere()
	for _, unit := range []string{"é", "é.", "\u0300", "a", "a.", "ⓔ", "\u00ad", "xn--", "。", "%C3%A9", "١", "\U00010000"} {
		host := strings.Repeat(unit, 64<<10/len(unit))
		inTime(t, func() {
			_, err := s.Get(t.Context(), "http://x"+host+".test/")
			require.Error(t, err, "%q", unit)
			assert.LessOrEqual(t, len(err.Error()), 1024)
		})
	}
	assert.Empty(t, w.asked())
}

// goesThrough returns what a session dials first for a URL: the proxy of the
// environment, or the host itself. Nobody answers.
func goesThrough(t *testing.T, w *world, target string) string {
	t.Helper()
	w.asked()
	_, err := w.environed().Get(t.Context(), target)
	require.Error(t, err)
	asked := w.asked()
	if errors.Is(err, requests.ErrInvalidURL) {
		return "nowhere"
	}
	require.Len(t, asked, 1, "%s: %v", target, err)
	if asked[0] == "proxy.test:3128" {
		return "proxy"
	}
	return "direct"
}

func TestAdvisory99_NoProxy(t *testing.T) {
	useNetrc(t, "")
	t.Setenv("http_proxy", "http://proxy.test:3128")
	w := newWorld(t)
	for _, tt := range []struct{ host, list, want string }{
		{"a.test", "a.test", "direct"},
		{"A.Test", "a.test", "direct"},
		{"a.test", "A.TEST", "direct"},
		{"a.test", "b.test", "proxy"},
		{"x.a.test", "a.test", "direct"},
		{"x.a.test", ".a.test", "direct"},
		{"xa.test", "a.test", "proxy"},
		{"a.test", "x.a.test", "proxy"},
		{"a.test", " a.test ", "direct"},
		{"a.test", "b.test, a.test", "direct"},
		{"a.test", "b.test,a.test", "direct"},
		{"a.test", ",,a.test,", "direct"},
		{"a.test", "*", "direct"},
		{"a.test", "", "proxy"},
		{"a.test", ",", "proxy"},
		{"a.test.", "a.test", "direct"},
		{"a.test", "a.test.", "direct"},
		{"localhost.", "localhost", "direct"},
		{"a.test:8080", "a.test:8080", "direct"},
		{"a.test:8081", "a.test:8080", "proxy"},
		{"a.test:8080", "a.test", "direct"},
		{"127.0.0.1", "127.0.0.1", "direct"},
		{"127.0.0.1", "127.0.0.0/8", "direct"},
		{"128.0.0.1", "127.0.0.0/8", "proxy"},
		{"10.0.0.1", "10.0.0.0/24", "direct"},
		{"10.0.1.1", "10.0.0.0/24", "proxy"},
		{"10.0.0.1", "10.0.0.0/33", "proxy"},
		{"[::1]", "::1", "direct"},
		{"[::1]", "[::1]", "direct"},
		{"[::2]", "::1", "proxy"},
		{"[2001:db8::1]", "2001:db8::/32", "direct"},
		{"[2001:db8:0:0::1]", "[2001:db8::1]", "direct"},
		{"[2001:db9::1]", "2001:db8::/32", "proxy"},
		{"[::ffff:10.0.0.1]", "10.0.0.1", "direct"},
		{"[::ffff:10.0.0.1]", "10.0.0.0/8", "direct"},
		{"10.0.0.1", "::ffff:10.0.0.1", "direct"},
		{"bücher.test", "xn--bcher-kva.test", "direct"},
		{"xn--bcher-kva.test", "bücher.test", "direct"},
		{"evil-a.test", "a.test", "proxy"},
		{"a.test.evil.test", "a.test", "proxy"},
	} {
		t.Setenv("no_proxy", tt.list)
		assert.Equal(t, tt.want, goesThrough(t, w, "http://"+tt.host+"/"), "%s with %q", tt.host, tt.list)
	}
}

func TestAdvisory100_ZoneIsNoName(t *testing.T) {
	useNetrc(t, "")
	t.Setenv("http_proxy", "http://proxy.test:3128")
	w := newWorld(t)
	for _, list := range []string{".example.com", "example.com", "*.example.com"} {
		t.Setenv("no_proxy", list)
		assert.NotEqual(t, "direct", goesThrough(t, w, "http://[::1%25.example.com]:80/"), list)
		assert.NotEqual(t, "direct", goesThrough(t, w, "http://[fe80::1%25eth0.example.com]:80/"), list)
	}
}

func TestAdvisory101_ProxyHeaderUnderCGI(t *testing.T) {
	useNetrc(t, "")
	w := newWorld(t)
	require.NoError(t, os.Unsetenv("http_proxy")) // which stands above the other one
	t.Setenv("HTTP_PROXY", "http://proxy.test:3128")
	assert.Equal(t, "proxy", goesThrough(t, w, "http://a.test/"))
	t.Setenv("REQUEST_METHOD", "GET")
	assert.Equal(t, "direct", goesThrough(t, w, "http://a.test/"), "a Proxy header of a CGI request is no setting")
	t.Setenv("http_proxy", "http://proxy.test:3128")
	assert.Equal(t, "proxy", goesThrough(t, w, "http://a.test/"))
}

func TestAdvisory102_RedirectsStayInTheProxy(t *testing.T) {
	w := newWorld(t)
	w.at("http://a.test", redirectTo(302, "http://b.test/x"))
	w.at("http://b.test", redirectTo(307, "https://a.test/y"))
	w.at("https://a.test")
	p := (&testserver.HTTPProxy{Hosts: w.hosts}).Start(t)
	s := w.session(requests.Proxy("all", p.URL()))
	get(t, s, "http://a.test/")
	for _, addr := range w.asked() {
		assert.Equal(t, p.Addr(), addr)
	}
	heads := p.Heads()
	require.Len(t, heads, 3)
	assert.True(t, strings.HasPrefix(heads[1], "GET http://b.test/x "), heads[1])
	assert.True(t, strings.HasPrefix(heads[2], "CONNECT a.test:443 "), heads[2])
}

func TestAdvisory104_RedirectsToOtherSchemes(t *testing.T) {
	w := newWorld(t)
	for _, location := range []string{
		"file:///etc/passwd", "javascript:alert(1)", "gopher://a.test/", "unix:/run/docker.sock", "data:text/plain,x", "ftp://a.test/", "ws://a.test/",
		"httpx://a.test/", "FILE:///etc/passwd", "about:blank", "mailto:a@a.test",
	} {
		w.at("http://a.test", redirectTo(302, location))
		w.asked()
		_, err := w.session().Get(t.Context(), "http://a.test/")
		require.ErrorIs(t, err, requests.ErrInvalidSchema, location)
		var e *requests.Error
		require.ErrorAs(t, err, &e)
		if assert.NotNil(t, e.Response, location) {
			assert.Equal(t, http.StatusFound, e.Response.StatusCode)
			assert.Equal(t, location, e.Response.Headers.Get("Location"))
		}
		assert.Equal(t, []string{"a.test:80"}, w.asked())
	}
}

// privately resolves every name to addresses that are not public.
func privately(addr string) func(context.Context, string) ([]netip.Addr, error) {
	return func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr(addr)}, nil
	}
}

func TestAdvisory105_MappedAddresses(t *testing.T) {
	w := newWorld(t)
	a := w.at("http://127.0.0.1:1")
	_, port, _ := net.SplitHostPort(w.hosts["127.0.0.1:1"])
	for _, addr := range []string{
		"127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "10.0.0.1", "::ffff:10.0.0.1", "192.168.0.1", "169.254.169.254",
		"::ffff:169.254.169.254", "fe80::1", "fc00::1", "0.0.0.0", "::", "100.64.0.1", "224.0.0.1", "255.255.255.255",
	} {
		s := w.sessionOn(&requests.HTTPAdapter{Resolve: privately(addr)})
		for _, host := range []string{"name.test", "[" + addr + "]", addr} {
			if strings.Contains(addr, ":") != strings.HasPrefix(host, "[") && host != "name.test" {
				continue
			}
			_, err := s.Get(t.Context(), "http://"+host+":"+port+"/", requests.Untrusted())
			require.ErrorIs(t, err, requests.ErrForbiddenAddress, "%s at %s", host, addr)
		}
	}
	assert.Zero(t, a.accepted())
	// On every hop, and for every answer of DNS.
	first := w.at("http://127.0.0.1:2", redirectTo(302, "http://127.0.0.1:"+port+"/"))
	_, allowed, _ := net.SplitHostPort(w.hosts["127.0.0.1:2"])
	var at uint16
	_, err := fmt.Sscan(allowed, &at)
	require.NoError(t, err)
	guard := requests.Settings{Guard: &requests.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Ports: []uint16{at}}}
	_, err = w.sessionOn(new(requests.HTTPAdapter)).Get(t.Context(), "http://127.0.0.1:"+allowed+"/", guard)
	require.ErrorIs(t, err, requests.ErrForbiddenAddress)
	assert.Len(t, first.seen(), 1)
	assert.Zero(t, a.accepted())
	var looked atomic.Int32
	rebinding := func(context.Context, string) ([]netip.Addr, error) {
		if looked.Add(1) == 1 {
			return []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("::ffff:127.0.0.1")}, nil
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	s := w.sessionOn(&requests.HTTPAdapter{Resolve: rebinding})
	for range 3 {
		_, err = s.Get(t.Context(), "http://rebind.test:"+port+"/", requests.Untrusted())
		require.ErrorIs(t, err, requests.ErrForbiddenAddress)
	}
	assert.Zero(t, a.accepted())
}

func TestAdvisory106_AddressesInOtherNotations(t *testing.T) {
	w := newWorld(t)
	a := w.at("http://127.0.0.1:1")
	_, port, _ := net.SplitHostPort(w.hosts["127.0.0.1:1"])
	for _, host := range []string{"0177.0.0.1", "0x7f.1", "2130706433", "127.1", "0x7f000001", "017700000001", "127.0.0.1.", "0", "127.0.1"} {
		var asked atomic.Value
		s := w.sessionOn(&requests.HTTPAdapter{Resolve: func(_ context.Context, name string) ([]netip.Addr, error) {
			asked.Store(name)
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil // as some systems do
		}})
		_, err := s.Get(t.Context(), "http://"+host+":"+port+"/", requests.Untrusted())
		require.ErrorIs(t, err, requests.ErrConnection, host)
		require.ErrorIs(t, err, requests.ErrForbiddenAddress, host)
		if name := asked.Load(); name != nil {
			assert.Equal(t, host, name)
		}
	}
	assert.Zero(t, a.accepted())
}

// longName is a name of n bytes.
func longName(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(strings.Repeat("a", min(63, n-b.Len())))
		if b.Len() < n-1 {
			b.WriteByte('.')
		}
	}
	return b.String()
}

func TestAdvisory107_LongNamesToSOCKS(t *testing.T) {
	w := newWorld(t)
	for _, n := range []int{253, 254, 255, 257, 65535} {
		name := longName(n)
		require.Len(t, name, n)
		for _, scheme := range []string{"socks5h", "socks4a"} {
			a := w.at("http://" + name)
			p := (&testserver.SOCKSProxy{Hosts: w.hosts}).Start(t)
			_, err := w.session(requests.Proxy("all", scheme+"://"+p.Addr())).Get(t.Context(), "http://"+name+"/")
			if n <= 255 { // what one byte of length can tell
				require.NoError(t, err)
				assert.Equal(t, name, p.Requests()[0].Name)
				assert.Len(t, a.seen(), 1)
				continue
			}
			require.ErrorIs(t, err, requests.ErrProxy)
			for _, told := range p.Requests() { // one that was dialled for nothing says nothing
				assert.Empty(t, told.Name, "%s was told a part of %d bytes", scheme, n)
			}
			assert.Empty(t, a.seen())
		}
	}
	w.at("http://a.test")
	for _, n := range []int{255, 256, 1000} {
		p := (&testserver.SOCKSProxy{Hosts: w.hosts, User: strings.Repeat("u", n), Pass: strings.Repeat("p", n)}).Start(t)
		_, err := w.session(requests.Proxy("all", "socks5h://"+p.User+":"+p.Pass+"@"+p.Addr())).Get(t.Context(), "http://a.test/")
		assert.Equal(t, n <= 255, err == nil, "%d bytes: %v", n, err)
		if err != nil {
			require.ErrorIs(t, err, requests.ErrProxy)
			for _, r := range p.Requests() {
				assert.Empty(t, r.User)
			}
		}
	}
}

func TestAdvisory108_WhoResolves(t *testing.T) {
	for scheme, remote := range map[string]bool{"socks5": false, "socks5h": true, "socks4": false, "socks4a": true} {
		t.Run(scheme, func(t *testing.T) {
			w := newWorld(t)
			w.at("http://a.test")
			w.hosts["10.9.9.9:80"] = w.hosts["a.test:80"]
			p := (&testserver.SOCKSProxy{Hosts: w.hosts}).Start(t)
			var looked atomic.Int32
			a := &requests.HTTPAdapter{Resolve: func(context.Context, string) ([]netip.Addr, error) {
				looked.Add(1)
				return []netip.Addr{netip.MustParseAddr("10.9.9.9")}, nil
			}}
			get(t, w.sessionOn(a, requests.Proxy("all", scheme+"://"+p.Addr())), "http://a.test/")
			require.Len(t, p.Requests(), 1)
			r := p.Requests()[0]
			if remote {
				assert.Equal(t, "a.test", r.Name)
				assert.Zero(t, looked.Load())
				return
			}
			assert.Empty(t, r.Name)
			assert.Equal(t, "10.9.9.9", r.IP.String())
			assert.EqualValues(t, 1, looked.Load())
		})
	}
}

func TestAdvisory109_UnknownProxySchemes(t *testing.T) {
	w := newWorld(t)
	for _, proxy := range []string{"ftp://127.0.0.1:1", "foo://127.0.0.1:1", "socks://127.0.0.1:1", "socks6://127.0.0.1:1", "file:///x", "httpss://127.0.0.1:1"} {
		for _, target := range []string{"http://a.test/", "https://a.test/"} {
			_, err := w.session(requests.Proxy("all", proxy)).Get(t.Context(), target, requests.BasicAuth("u", "p"))
			require.ErrorIs(t, err, requests.ErrRequest, proxy)
			assert.True(t, errors.Is(err, requests.ErrInvalidProxyURL) || errors.Is(err, requests.ErrInvalidSchema), "%s: %v", proxy, err)
		}
	}
	assert.Empty(t, w.asked())
}

func TestAdvisory110_ManyDotsInLocation(t *testing.T) {
	linear(t, func(n int) string {
		return "http://a.test" + strings.Repeat("/..", n/3) + strings.Repeat("/x/..", n/15) + "/end"
	}, func(text string) {
		p, err := requests.NewRequest("GET", text).Prepare(t.Context())
		require.NoError(t, err)
		assert.LessOrEqual(t, len(p.URL), len(text))
	})
	for unit, hops := range map[string]int{
		"/..": 2, "/./": 2, "../": 2, "/x/..": 2, "//": 2, "/.": 2, "%2e%2e/": 2,
		"?/../": 1, "\\..\\": 1, // what is merged or escaped is too long then
	} {
		w := newWorld(t)
		location := strings.Repeat(unit, (64<<10-20)/len(unit)) + "end"
		a := w.at("http://a.test", redirectTo(302, location), answerOK)
		inTime(t, func() { _, _ = w.session().Get(t.Context(), "http://a.test/deep/er/path") })
		assert.Len(t, a.seen(), hops, unit)
		for _, head := range a.seen() {
			line, _, _ := strings.Cut(head, "\r\n")
			assert.NotContains(t, strings.ReplaceAll(line, "?", "\n?"), "/../\n", unit)
			assert.Equal(t, 2, strings.Count(line, " "))
		}
	}
}
