//go:build unix

package requests_test

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// strange starts a site whose certificate is of an authority that nobody
// trusts, and returns the authority.
func (w *world) strange(origin, host string) (*site, *testserver.CA) {
	w.t.Helper()
	ca := testserver.NewCA(w.t)
	config := &tls.Config{Certificates: []tls.Certificate{ca.Leaf(host)}}
	return w.serve(origin, config, func(int, *http.Request, []byte) string { return answerOK }), ca
}

func TestAdvisory40_VerifyFalseOnce(t *testing.T) {
	for name, by := range map[string]way{"straight": straight, "http proxy": byHTTPProxy, "socks": bySOCKS} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a, _ := w.strange("https://a.test", "a.test")
			s := w.session(by(w)...)
			fails := func() {
				_, err := s.Get(t.Context(), "https://a.test/")
				require.ErrorIs(t, err, requests.ErrSSL)
			}
			fails()
			get(t, s, "https://a.test/", requests.Verify(false))
			fails()
			get(t, s, "https://a.test/", requests.Verify(false))
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					_, err := s.Get(t.Context(), "https://a.test/")
					assert.ErrorIs(t, err, requests.ErrSSL)
				})
				wg.Go(func() {
					_, err := s.Get(t.Context(), "https://a.test/", requests.Verify(false))
					assert.NoError(t, err)
				})
			}
			wg.Wait()
			assert.Len(t, a.seen(), 10)
		})
	}
}

func TestAdvisory41_SettingsOfTLSPartConnections(t *testing.T) {
	w := newWorld(t)
	config := &tls.Config{Certificates: []tls.Certificate{w.ca.Leaf("a.test")}, ClientAuth: tls.RequestClientCert}
	a := w.serve("https://a.test", config, func(int, *http.Request, []byte) string { return answerOK })
	one, two := w.ca.Issue(testserver.Leaf{CommonName: "one", Client: true}), w.ca.Issue(testserver.Leaf{CommonName: "two", Client: true})
	dir := t.TempDir()
	bundle := w.ca.WriteFiles(dir)
	adapter := &requests.HTTPAdapter{Dial: w.dial}
	s := w.sessionOn(adapter)
	for i, opt := range []requests.Option{
		w.trust(), requests.Verify(false), requests.CABundle(bundle), requests.CABundle(dir),
		requests.Settings{Cert: requests.ClientCert{Certificate: &one}},
		requests.Settings{Cert: requests.ClientCert{Certificate: &two}},
	} {
		get(t, s, "https://a.test/", opt)
		assert.Equal(t, i+1, a.accepted(), "settings %d were to get a connection of their own", i)
	}
	// What an adapter itself says of TLS is the adapter's, with its pool.
	for i, settings := range []requests.TLSSettings{
		{MinVersion: tls.VersionTLS13},
		{MaxVersion: tls.VersionTLS12},
		{Curves: []tls.CurveID{tls.X25519}},
		{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}},
	} {
		get(t, w.sessionOn(&requests.HTTPAdapter{Dial: w.dial, TLS: settings}), "https://a.test/")
		assert.Equal(t, 7+i, a.accepted())
	}
	before := a.accepted()
	same := requests.Settings{Cert: requests.ClientCert{Certificate: &one}}
	for range 3 {
		get(t, s, "https://a.test/", same)
	}
	assert.Equal(t, before, a.accepted(), "the same settings were to share a connection")
}

func TestAdvisory42_ResumptionAfterOtherRoots(t *testing.T) {
	w := newWorld(t)
	a := w.at("https://a.test")
	other := testserver.NewCA(t)
	s := w.session()
	for range 2 {
		get(t, s, "https://a.test/")
		require.NoError(t, s.Close())
	}
	_, err := s.Get(t.Context(), "https://a.test/", roots(other))
	require.ErrorIs(t, err, requests.ErrSSL)
	assert.Len(t, a.seen(), 2)
}

func TestAdvisory43_TrustOfBefore(t *testing.T) {
	w := newWorld(t)
	a := w.at("https://a.test")
	mine, other := w.ca.WriteFiles(t.TempDir()), testserver.NewCA(t).WriteFiles(t.TempDir())
	s := w.session()
	get(t, s, "https://a.test/", requests.CABundle(mine))
	for _, opt := range []requests.Option{requests.CABundle(other), requests.Verify(true)} {
		_, err := s.Get(t.Context(), "https://a.test/", opt)
		require.ErrorIs(t, err, requests.ErrSSL)
	}
	assert.Len(t, a.seen(), 1)
}

func TestAdvisory44_ProxyCertificateIsNotTheOrigins(t *testing.T) {
	w := newWorld(t)
	proxyCert := w.ca.Leaf("127.0.0.1")
	origin := w.serve("https://a.test", &tls.Config{Certificates: []tls.Certificate{proxyCert}},
		func(int, *http.Request, []byte) string { return answerOK })
	w.at("https://b.test")
	p := (&testserver.HTTPProxy{Hosts: w.hosts, TLS: &tls.Config{Certificates: []tls.Certificate{proxyCert}}}).Start(t)
	s := w.session(requests.Proxy("all", p.URL()))
	for range 2 {
		get(t, s, "https://b.test/")
		_, err := s.Get(t.Context(), "https://a.test/")
		require.ErrorIs(t, err, requests.ErrSSL)
		require.NotErrorIs(t, err, requests.ErrProxy)
	}
	assert.Empty(t, origin.seen())
}

func TestAdvisory45_TunnelOfOtherCredentials(t *testing.T) {
	w := newWorld(t)
	w.at("https://a.test")
	p := (&testserver.HTTPProxy{Hosts: w.hosts}).Start(t)
	s := w.session()
	for _, user := range []string{"one", "two", "one"} {
		get(t, s, "https://a.test/", requests.Proxy("all", "http://"+user+":pw@"+p.Addr()))
	}
	heads := p.Heads()
	require.Len(t, heads, 2, "two users were to have a tunnel each, and keep it")
	assert.Equal(t, []string{basic("one", "pw")}, valuesOf(heads[0], "Proxy-Authorization"))
	assert.Equal(t, []string{basic("two", "pw")}, valuesOf(heads[1], "Proxy-Authorization"))
}

func TestAdvisory46_ClearedProxyPassword(t *testing.T) {
	w := newWorld(t)
	w.at("http://a.test")
	w.at("https://a.test")
	p := (&testserver.HTTPProxy{Hosts: w.hosts}).Start(t)
	s := w.session(requests.Proxy("all", "http://u:pw@"+p.Addr()))
	for _, url := range []string{"http://a.test/", "https://a.test/"} {
		get(t, s, url)
		n := len(p.Heads())
		get(t, s, url, requests.Proxy("all", p.URL()))
		heads := p.Heads()
		require.Len(t, heads, n+1)
		lacks(t, heads[n:], "Proxy-Authorization")
	}
}

func TestAdvisory47_AuthOfTheConnection(t *testing.T) {
	w := newWorld(t)
	a := w.at("http://a.test")
	s := w.session()
	get(t, s, "http://a.test/", requests.BasicAuth("u", "p"))
	get(t, s, "http://a.test/")
	assert.Equal(t, 1, a.accepted())
	lacks(t, a.seen()[1:], "Authorization")
}

func TestAdvisory48_PlainConnectionForHTTPS(t *testing.T) {
	w := newWorld(t)
	s := w.session()
	w.at("http://a.test:8443")
	get(t, s, "http://a.test:8443/")
	secure := w.at("https://a.test:8443")
	r := get(t, s, "https://a.test:8443/")
	require.NotNil(t, r.TLS)
	assert.Len(t, secure.seen(), 1)
}

func TestAdvisory49_ZonePartsConnections(t *testing.T) {
	w := newWorld(t)
	for _, zone := range []string{"a", "b"} {
		w.at("http://zone-" + zone + ".test")
		w.mu.Lock()
		w.hosts["[fe80::1%"+zone+"]:80"] = w.hosts["zone-"+zone+".test:80"]
		w.mu.Unlock()
	}
	s := w.session()
	get(t, s, "http://[fe80::1%25a]/")
	get(t, s, "http://[fe80::1%25b]/")
	assert.Equal(t, []string{"[fe80::1%a]:80", "[fe80::1%b]:80"}, w.asked())
}

// TestAdvisory50_CustomHostAndCookies: a Host of the caller's names whose
// cookies a request has, as in Requests, but for this one request alone.
func TestAdvisory50_CustomHostAndCookies(t *testing.T) {
	setting := func(value string) string {
		return "HTTP/1.1 200 OK\r\nSet-Cookie: sid=" + value + "\r\nContent-Length: 0\r\n\r\n"
	}
	w := newWorld(t)
	a := w.at("http://a.test", setting("a"), redirectTo(http.StatusFound, "/again"), answerOK)
	b := w.at("http://b.test", setting("b"), answerOK)
	s := w.session()
	get(t, s, "http://a.test/")
	get(t, s, "http://b.test/")
	get(t, s, "http://a.test/", requests.Header("Host", "b.test"))
	get(t, s, "http://a.test/")
	get(t, s, "http://b.test/")
	require.Len(t, a.seen(), 4)
	for _, head := range a.seen()[2:] {
		assert.Equal(t, []string{"sid=a"}, valuesOf(head, "Cookie"), "another host's cookies came after a custom Host")
	}
	assert.Equal(t, []string{"a.test"}, valuesOf(a.last(), "Host"))
	assert.Equal(t, []string{"sid=b"}, valuesOf(b.last(), "Cookie"))
}

// TestAdvisory51_RefusedExpectation: a server that refuses before it has the
// body either reads that all the same or closes (RFC 9110, 10.1.1), and in
// neither case is a byte of it taken for another request.
func TestAdvisory51_RefusedExpectation(t *testing.T) {
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"
	for _, tt := range []struct {
		status int
		closes bool
	}{
		{http.StatusUnauthorized, false},
		{http.StatusExpectationFailed, false},
		{http.StatusUnauthorized, true},
		{http.StatusExpectationFailed, true},
	} {
		w := newWorld(t)
		var (
			mu   sync.Mutex // guards seen
			seen []string   // request lines
		)
		note := func(text string) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, text)
		}
		w.hosts["a.test:80"] = w.listen(func(c net.Conn) {
			br := bufio.NewReader(c)
			for {
				head, err := readHead(br)
				if err != nil {
					return
				}
				line, _, _ := strings.Cut(head, "\r\n")
				note(line)
				if len(valuesOf(head, "Expect")) == 0 {
					_, _ = io.WriteString(c, answerOK)
					continue
				}
				answer := fmt.Sprintf("HTTP/1.1 %d No\r\nContent-Length: 0\r\n", tt.status)
				if tt.closes {
					_, _ = io.WriteString(c, answer+"Connection: close\r\n\r\n")
					_, _ = io.Copy(io.Discard, br)
					return
				}
				_, _ = io.WriteString(c, answer+"\r\n")
				body := make([]byte, len(smuggled))
				if _, err := io.ReadFull(br, body); err != nil {
					return
				}
			}
		})
		s := w.session()
		r, err := s.Post(t.Context(), "http://a.test/upload", requests.BodyText(smuggled), requests.Header("Expect", "100-continue"))
		require.NoError(t, err)
		assert.Equal(t, tt.status, r.StatusCode)
		r = get(t, s, "http://a.test/next")
		assert.Equal(t, http.StatusOK, r.StatusCode)
		w.close()
		assert.Equal(t, []string{"POST /upload HTTP/1.1", "GET /next HTTP/1.1"}, seen)
	}
}

func TestAdvisory52_BytesAfterAResponse(t *testing.T) {
	w := newWorld(t)
	a := w.scripted("http://a.test", func(n int, req *http.Request, _ []byte) string {
		own := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + req.URL.Query().Get("n")
		if n == 0 {
			return own + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
		}
		return own
	})
	s := w.session()
	for _, n := range []string{"11", "22", "33"} {
		assert.Equal(t, n, get(t, s, "http://a.test/?n="+n).Text())
	}
	assert.Equal(t, 2, a.accepted(), "the first connection was to be dropped, the second to be kept")
}

func TestAdvisory53_UnsolicitedResponse(t *testing.T) {
	w := newWorld(t)
	sent := make(chan struct{}, 1)
	var conns atomic.Int32
	w.hosts["a.test:80"] = w.listen(func(c net.Conn) {
		n := conns.Add(1)
		br := bufio.NewReader(c)
		for {
			if _, err := readHead(br); err != nil {
				return
			}
			_, _ = io.WriteString(c, answerOK)
			if n == 1 {
				_, _ = io.WriteString(c, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
				sent <- struct{}{}
				return
			}
		}
	})
	s := w.session()
	assert.Equal(t, http.StatusOK, get(t, s, "http://a.test/").StatusCode)
	<-sent
	r, err := s.Post(t.Context(), "http://a.test/", requests.BodyText("x"))
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, r.StatusCode)
	assert.EqualValues(t, 2, conns.Load())
}

// TestAdvisory54_BodiesAreNotMixedUp sends bodies of which each tells its own
// hash, over connections that break.
func TestAdvisory54_BodiesAreNotMixedUp(t *testing.T) {
	const workers, each = 16, 60
	w := newWorld(t)
	var bad atomic.Int32
	w.scripted("http://a.test", func(_ int, req *http.Request, body []byte) string {
		if fmt.Sprintf("%x", sha256.Sum256(body)) != req.Header.Get("X-Hash") {
			bad.Add(1)
		}
		if rand.IntN(10) < 3 {
			return answerClose
		}
		return answerOK
	})
	retry := requests.Retries(20)
	retry.AnyMethod = true
	s := w.sessionOn(&requests.HTTPAdapter{Dial: w.dial, MaxRetries: retry})
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			for j := range each {
				body := strings.Repeat(fmt.Sprintf("%d.%d|", i, j), 1+rand.IntN(10<<10))
				_, err := s.Post(t.Context(), "http://a.test/", requests.BodyText(body),
					requests.Header("X-Hash", fmt.Sprintf("%x", sha256.Sum256([]byte(body)))))
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
	assert.Zero(t, bad.Load(), "bodies that were not those of their requests")
}

// descriptors counts the process's open files, where that can be told.
func descriptors() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

func TestAdvisory55_NothingIsLeftBehind(t *testing.T) {
	responses, handshakes := 2000, 300
	if testing.Short() || testserver.RaceDetector() {
		responses, handshakes = 200, 30
	}
	w := newWorld(t)
	w.at("http://a.test", "HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n"+strings.Repeat("x", 65536))
	w.strange("https://bad.test", "bad.test")
	s := w.session()
	_, err := s.Get(t.Context(), "https://bad.test/")
	require.Error(t, err)
	goroutines, files := runtime.NumGoroutine(), descriptors()
	for range responses {
		get(t, s, "http://a.test/", requests.Stream()).Close()
	}
	for range handshakes {
		_, err := s.Get(t.Context(), "https://bad.test/")
		require.ErrorIs(t, err, requests.ErrSSL)
	}
	require.NoError(t, s.Close())
	// What ends does so on its own time. A handful may be the servers' own.
	assert.Eventually(t, func() bool {
		return runtime.NumGoroutine() <= goroutines+5 && descriptors() <= files+5
	}, 5*time.Second, 10*time.Millisecond, "%d goroutines and %d files became %d and %d",
		goroutines, files, runtime.NumGoroutine(), descriptors())
}
