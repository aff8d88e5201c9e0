//go:build unix

package requests_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// Challenges of proxies.
const (
	askProxy = `Digest realm="proxy", nonce="n1", qop="auth"`
	askAgain = `Digest realm="proxy", nonce="n2", qop="auth", stale=true`
)

// askInTurn is a proxy's script: it asks for these, and then lets all in.
func askInTurn(challenges ...string) func(*http.Request) string {
	var n atomic.Int64
	return func(*http.Request) string {
		if i := int(n.Add(1)) - 1; i < len(challenges) {
			return challenges[i]
		}
		return ""
	}
}

// The user and password of a proxy's URL go by Basic at once, and by Digest
// where the proxy asks for that: to one that forwards and to one that tunnels.
func TestProxyDigest(t *testing.T) {
	const asked, stale = "Digest n1 00000001", "Digest n2 00000001"
	tests := []struct {
		name string
		user string // with the password in the proxy's URL
		asks []string
		sent []string // the credentials of each request to the proxy
		ok   bool
	}{
		{"asked for nothing", "u:p@", nil, []string{"Basic"}, true},
		{"asked for Digest", "u:p@", []string{askProxy}, []string{"Basic", asked}, true},
		{"stale nonce", "u:p@", []string{askProxy, askAgain}, []string{"Basic", asked, stale}, true},
		{"stale at once", "u:p@", []string{askAgain}, []string{"Basic", stale}, true},
		{"stale for ever", "u:p@", []string{askProxy, askAgain, askAgain, askAgain}, []string{"Basic", asked, stale}, false},
		{"refused", "u:p@", []string{askProxy, askProxy, askProxy}, []string{"Basic", asked}, false},
		{"asked for Basic", "u:p@", []string{`Basic realm="proxy"`}, []string{"Basic"}, false},
		{"asked for what is not known", "u:p@", []string{`Digest realm="proxy", nonce="n", algorithm=ROT13`}, []string{"Basic"}, false},
		{"nobody to answer for", "", []string{askProxy}, []string{""}, false},
	}
	for _, url := range []string{"http://a.test/x?y", "https://a.test/x?y"} {
		secure := strings.HasPrefix(url, "https:")
		for _, tt := range tests {
			t.Run(url[:strings.Index(url, ":")]+" "+tt.name, func(t *testing.T) {
				w := newWorld(t)
				origins := []*site{w.at("http://a.test"), w.at("https://a.test")}
				p := (&testserver.HTTPProxy{Hosts: w.hosts, Ask: askInTurn(tt.asks...)}).Start(t)
				r, err := w.session(requests.Proxy("all", "http://"+tt.user+p.Addr())).Get(t.Context(), url)
				switch {
				case tt.ok:
					require.NoError(t, err)
					assert.Equal(t, http.StatusOK, r.StatusCode)
				case secure:
					require.ErrorIs(t, err, requests.ErrProxy)
				default:
					require.NoError(t, err)
					assert.Equal(t, http.StatusProxyAuthRequired, r.StatusCode)
				}
				var sent []string
				for _, head := range p.Heads() {
					sent = append(sent, proxyCredentials(t, head, secure))
				}
				assert.Equal(t, tt.sent, sent)
				for _, o := range origins {
					lacks(t, o.seen(), "Proxy-Authorization")
				}
			})
		}
	}
}

// proxyCredentials says in short which credentials a request to the proxy of
// TestProxyDigest has, and checks them.
func proxyCredentials(t *testing.T, head string, secure bool) string {
	t.Helper()
	method, uri := "GET", "http://a.test/x?y"
	if secure {
		method, uri = "CONNECT", "a.test:443"
	}
	require.True(t, strings.HasPrefix(head, method+" "+uri+" "), "%q", head)
	values := valuesOf(head, "Proxy-Authorization")
	switch {
	case len(values) == 0:
		return ""
	case values[0] == basic("u", "p"):
		return "Basic"
	}
	require.Len(t, values, 1)
	p := digestParams(t, values[0])
	assert.Equal(t, uri, p["uri"])
	assert.Equal(t, digestResponse(p, method, ""), p["response"])
	return shortDigest(t, values[0])
}

// shortDigest says which nonce credentials use, and for which time.
func shortDigest(t *testing.T, credentials string) string {
	t.Helper()
	p := digestParams(t, credentials)
	return fmt.Sprintf("Digest %s %s", p["nonce"], p["nc"])
}

// A proxy's nonce is kept with its connections, and counted.
func TestProxyDigestIsKept(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			w := newWorld(t)
			p := (&testserver.HTTPProxy{Hosts: w.hosts, Ask: askInTurn(askProxy)}).Start(t)
			s := w.session(requests.Proxy("all", "http://u:p@"+p.Addr()))
			for _, host := range []string{"a.test", "b.test", "c.test"} {
				w.at(scheme + "://" + host)
				get(t, s, scheme+"://"+host+"/")
			}
			heads := p.Heads()
			require.Len(t, heads, 4)
			for i, head := range heads[1:] {
				values := valuesOf(head, "Proxy-Authorization")
				require.Len(t, values, 1)
				assert.Equal(t, fmt.Sprintf("%08x", i+1), digestParams(t, values[0])["nc"])
			}
		})
	}
}

// The ways through one proxy, forwarding and tunnels, count its nonce together.
func TestProxyDigestCountsOnce(t *testing.T) {
	w := newWorld(t)
	var asked atomic.Int64
	p := (&testserver.HTTPProxy{Hosts: w.hosts, Ask: func(req *http.Request) string {
		if strings.HasPrefix(req.Header.Get("Proxy-Authorization"), "Digest ") {
			return ""
		}
		asked.Add(1)
		return askProxy
	}}).Start(t)
	s := w.session(requests.Proxy("all", "http://u:p@"+p.Addr()))
	for _, url := range []string{"http://a.test/", "https://a.test/", "http://b.test/", "https://b.test/"} {
		w.at(strings.TrimSuffix(url, "/"))
		get(t, s, url)
	}
	assert.Equal(t, int64(1), asked.Load())
	for i, head := range p.Heads()[1:] {
		assert.Equal(t, fmt.Sprintf("%08x", i+1), digestParams(t, valuesOf(head, "Proxy-Authorization")[0])["nc"])
	}
}

// A proxy's nonces are counted each by itself, and a request is answered by the
// nonce of its own challenge.
func TestProxyDigestTwoNonces(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			w := newWorld(t)
			two := &twoNonces{}
			p := (&testserver.HTTPProxy{Hosts: w.hosts, Ask: func(req *http.Request) string {
				return two.ask(digestParams(t, "Digest "+strings.TrimPrefix(req.Header.Get("Proxy-Authorization"), "Digest ")))
			}}).Start(t)
			s := w.session(requests.Proxy("all", "http://u:p@"+p.Addr()))
			for i := range 6 {
				host := fmt.Sprintf("h%d.test", i) // a tunnel for each
				w.at(scheme + "://" + host)
				get(t, s, scheme+"://"+host+"/")
			}
			assert.Equal(t, map[string]int{
				"na 00000001": 1, "na 00000003": 1, "na 00000005": 1, "nb 00000001": 1, "nb 00000003": 1, "nb 00000005": 1,
			}, two.taken())
		})
	}
}

// A proxy that forwards can hand on the nonce of the next request.
func TestProxyDigestNextNonce(t *testing.T) {
	tests := []struct{ info, want string }{
		{`Proxy-Authentication-Info: rspauth="00", nextnonce="n2"`, "Digest n2 00000001"},
		{`Proxy-Authentication-Info: nextnonce="n2`, "Digest n1 00000002"},
		{`Authentication-Info: nextnonce="n2"`, "Digest n1 00000002"}, // the origin's
	}
	for _, tt := range tests {
		t.Run(tt.info, func(t *testing.T) {
			w := newWorld(t)
			// A site that stands for the proxy: the responses are its own.
			p := w.scripted("http://proxy.test:3128", func(_ int, req *http.Request, _ []byte) string {
				if !strings.HasPrefix(req.Header.Get("Proxy-Authorization"), "Digest ") {
					return "HTTP/1.1 407 No\r\nProxy-Authenticate: " + askProxy + "\r\nContent-Length: 0\r\n\r\n"
				}
				return "HTTP/1.1 200 OK\r\n" + tt.info + "\r\nContent-Length: 0\r\n\r\n"
			})
			s := w.session(requests.Proxy("all", "http://u:p@proxy.test:3128"))
			for range 2 {
				get(t, s, "http://a.test/")
			}
			require.Len(t, p.seen(), 3)
			assert.Equal(t, tt.want, shortDigest(t, valuesOf(p.last(), "Proxy-Authorization")[0]))
		})
	}
}

// A body that can be sent only once is not there to answer a challenge, which
// is an error as it is with an origin, if there is an answer.
func TestProxyDigestAndBodySentOnce(t *testing.T) {
	tests := []struct {
		name, user, ask string
		want            error // nil for the 407 itself
	}{
		{"Digest", "u:p@", askProxy, requests.ErrUnrewindableBody},
		{"Digest, nobody to answer for", "", askProxy, nil},
		{"Basic", "u:p@", `Basic realm="proxy"`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			a := w.at("http://a.test")
			p := (&testserver.HTTPProxy{Hosts: w.hosts, Ask: askInTurn(tt.ask)}).Start(t)
			body := func() requests.Option { return requests.Body(iotest.OneByteReader(strings.NewReader("text"))) }
			s := w.session(requests.Proxy("all", "http://"+tt.user+p.Addr()))
			r, err := s.Post(t.Context(), "http://a.test/", body())
			assert.Len(t, p.Heads(), 1)
			assert.Empty(t, a.seen())
			if tt.want == nil {
				require.NoError(t, err)
				assert.Equal(t, http.StatusProxyAuthRequired, r.StatusCode)
				return
			}
			require.ErrorIs(t, err, tt.want)
			e, ok := errors.AsType[*requests.Error](err)
			require.True(t, ok)
			require.NotNil(t, e.Response)
			assert.Equal(t, http.StatusProxyAuthRequired, e.Response.StatusCode)
			assert.True(t, e.MaybeSent)

			r, err = s.Post(t.Context(), "http://a.test/", body()) // the nonce is known now
			require.NoError(t, err)
			assert.Equal(t, http.StatusOK, r.StatusCode)
			assert.Equal(t, "Digest n1 00000001", shortDigest(t, valuesOf(p.Heads()[1], "Proxy-Authorization")[0]))
		})
	}
}

// A user that no header can carry is refused before the proxy is asked.
func TestProxyUserThatCannotBeSent(t *testing.T) {
	for _, user := range []string{"u%0D%0AX-Injected:p@", "u%3Av:p@", "u:p%00@"} {
		for _, url := range []string{"http://a.test/", "https://a.test/"} {
			w := newWorld(t)
			p := (&testserver.HTTPProxy{Hosts: w.hosts}).Start(t)
			_, err := w.session(requests.Proxy("all", "http://"+user+p.Addr())).Get(t.Context(), url)
			require.ErrorIs(t, err, requests.ErrInvalidHeader, "%s by %s", url, user)
			assert.Empty(t, p.Heads(), "%s by %s", url, user)
		}
	}
}

// Where the name is looked up here, the proxy is told an address that it can
// take, or nothing.
func TestSOCKSAddresses(t *testing.T) {
	none := &net.DNSError{Err: "no such host", Name: "a.test", IsNotFound: true}
	tests := []struct {
		scheme, addrs string // the addresses of the name, or none
		want          string
	}{
		{"socks4", "2001:db8::1 10.9.9.9", "10.9.9.9"},
		{"socks4", "::ffff:10.9.9.9", "10.9.9.9"},
		{"socks4", "2001:db8::1", ""},
		{"socks4", "", ""},
		{"socks5", "2001:db8::1 10.9.9.9", "2001:db8::1"},
		{"socks5", "::ffff:10.9.9.9", "10.9.9.9"},
		{"socks5", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.scheme+" "+tt.addrs, func(t *testing.T) {
			w := newWorld(t)
			w.at("http://a.test")
			for _, addr := range []string{"10.9.9.9:80", "[2001:db8::1]:80"} {
				w.hosts[addr] = w.hosts["a.test:80"]
			}
			p := (&testserver.SOCKSProxy{Hosts: w.hosts}).Start(t)
			a := &requests.HTTPAdapter{Resolve: func(context.Context, string) ([]netip.Addr, error) {
				var addrs []netip.Addr
				for text := range strings.FieldsSeq(tt.addrs) {
					addrs = append(addrs, netip.MustParseAddr(text))
				}
				if addrs == nil {
					return nil, none
				}
				return addrs, nil
			}}
			_, err := w.sessionOn(a, requests.Proxy("all", tt.scheme+"://"+p.Addr())).Get(t.Context(), "http://a.test/")
			if tt.want == "" {
				require.ErrorIs(t, err, requests.ErrProxy)
				failed, ok := errors.AsType[*net.DNSError](err)
				require.True(t, ok, "%v", err)
				assert.Equal(t, "a.test", failed.Name)
				assert.True(t, failed.IsNotFound)
				for _, r := range p.Requests() {
					assert.Empty(t, r.Raw, "told of a name that it cannot take")
				}
				return
			}
			require.NoError(t, err)
			require.Len(t, p.Requests(), 1)
			assert.Equal(t, tt.want, p.Requests()[0].IP.String())
		})
	}
}

// A user without a password is sent with an empty one to a SOCKS5 proxy that
// asks for both, and is no hindrance at one that asks for nothing.
func TestSOCKSUserAlone(t *testing.T) {
	tests := []struct {
		url  string // of the proxy, without its address
		asks bool   // for the user
		user string // that the proxy was told
		want error
	}{
		{"socks5://user@", false, "", nil},
		{"socks5://user:@", false, "", nil},
		{"socks5h://user@", false, "", nil},
		{"socks5://user@", true, "user", nil},
		{"socks5://user:@", true, "user", nil},
		{"socks5h://user@", true, "user", nil},
		{"socks4://user@", false, "user", nil},
		{"socks4a://user:@", false, "user", nil},
		{"socks5://" + strings.Repeat("u", 256) + "@", false, "", requests.ErrProxy},
		{"socks5://user:" + strings.Repeat("p", 256) + "@", false, "", requests.ErrProxy},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%.20s asks %t", tt.url, tt.asks), func(t *testing.T) {
			w := newWorld(t)
			a := w.at("http://10.9.9.9")
			p := &testserver.SOCKSProxy{Hosts: w.hosts}
			if tt.asks {
				p.User = "user"
			}
			p.Start(t)
			_, err := w.session(requests.Proxy("all", tt.url+p.Addr())).Get(t.Context(), "http://10.9.9.9/")
			if tt.want != nil {
				require.ErrorIs(t, err, tt.want)
				assert.ErrorContains(t, err, "255 bytes")
				for _, r := range p.Requests() {
					assert.Empty(t, r.Raw)
				}
				return
			}
			require.NoError(t, err)
			assert.Len(t, a.seen(), 1)
			require.Len(t, p.Requests(), 1)
			assert.Equal(t, tt.user, p.Requests()[0].User)
			assert.Empty(t, p.Requests()[0].Pass)
		})
	}
}

// The way decides whether ProxyBasic is sent. A header that the caller gave
// himself goes out over http as it stands, as in Requests.
func TestProxyBasicWithoutForwarding(t *testing.T) {
	auth := requests.Auth(&requests.ProxyBasic{Username: "u", Password: "p"})
	header := requests.Header("Proxy-Authorization", basic("u", "p"))
	tests := []struct {
		name, url string
		give      requests.Option
		by        string // the kind of proxy, or none
		proxy     bool   // the header is sent to the proxy
		origin    bool   // the header is sent to the origin
	}{
		{"direct", "http://a.test/", auth, "", false, false},
		{"direct https", "https://a.test/", auth, "", false, false},
		{"socks", "http://a.test/", auth, "socks", false, false},
		{"socks https", "https://a.test/", auth, "socks", false, false},
		{"forwarded", "http://a.test/", auth, "http", true, false},
		{"tunnelled", "https://a.test/", auth, "http", false, false},
		{"header, direct", "http://a.test/", header, "", false, true},
		{"header, direct https", "https://a.test/", header, "", false, false},
		{"header, forwarded", "http://a.test/", header, "http", true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			origins := []*site{w.at("http://a.test"), w.at("https://a.test")}
			p := (&testserver.HTTPProxy{Hosts: w.hosts}).Start(t)
			opts := []requests.Option{tt.give}
			switch tt.by {
			case "socks":
				opts = append(opts, requests.Proxy("all", "socks5h://"+(&testserver.SOCKSProxy{Hosts: w.hosts}).Start(t).Addr()))
			case "http":
				opts = append(opts, requests.Proxy("all", p.URL()))
			}
			get(t, w.session(opts...), tt.url)
			var atOrigin, atProxy []string
			for _, o := range origins {
				for _, head := range o.seen() {
					atOrigin = append(atOrigin, valuesOf(head, "Proxy-Authorization")...)
				}
			}
			for _, head := range p.Heads() {
				atProxy = append(atProxy, valuesOf(head, "Proxy-Authorization")...)
			}
			assert.Equal(t, tt.origin, len(atOrigin) > 0, "%q", atOrigin)
			assert.Equal(t, tt.proxy, len(atProxy) > 0, "%q", atProxy)
		})
	}
}

// ProxyBasic is for a proxy that forwards, and for nobody else.
func TestProxyBasicOverProxies(t *testing.T) {
	w := newWorld(t)
	origins := []*site{w.at("http://a.test"), w.at("https://a.test")}
	p := (&testserver.HTTPProxy{Hosts: w.hosts}).Start(t)
	s := w.session(requests.Proxy("all", p.URL()))
	for _, url := range []string{"http://a.test/", "https://a.test/"} {
		get(t, s, url, requests.Auth(&requests.ProxyBasic{Username: "u", Password: "p"}))
	}
	require.Len(t, p.Heads(), 2)
	assert.Equal(t, []string{basic("u", "p")}, valuesOf(p.Heads()[0], "Proxy-Authorization"))
	lacks(t, p.Heads()[1:], "Proxy-Authorization")
	for _, o := range origins {
		require.Len(t, o.seen(), 1)
		lacks(t, o.seen(), "Proxy-Authorization")
	}
}
