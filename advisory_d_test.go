//go:build unix

package requests_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	cryptorand "crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// answering is a script of one answer.
func answering(answer string) func(int, *http.Request, []byte) string {
	return func(int, *http.Request, []byte) string { return answer }
}

// badCerts are certificates that nobody may accept for a.test or, where it
// says so, for 127.0.0.1.
func badCerts(t *testing.T, ca *testserver.CA) map[string]struct {
	host string
	cert tls.Certificate
} {
	t.Helper()
	type bad = struct {
		host string
		cert tls.Certificate
	}
	a := func(l testserver.Leaf) bad {
		if l.Hosts == nil {
			l.Hosts = []string{"a.test"}
		}
		return bad{"a.test", ca.Issue(l)}
	}
	return map[string]bad{
		"expired":              a(testserver.Leaf{Expired: true}),
		"not yet valid":        a(testserver.Leaf{NotYetValid: true}),
		"self-signed":          a(testserver.Leaf{SelfSigned: true}),
		"unknown authority":    {"a.test", testserver.NewCA(t).Leaf("a.test")},
		"wrong host":           a(testserver.Leaf{Hosts: []string{"b.test"}}),
		"address as a name":    {"127.0.0.1", ca.Issue(testserver.Leaf{Hosts: []string{"127.0.0.1"}, IPAsName: true})},
		"common name alone":    a(testserver.Leaf{CommonName: "a.test", NoSAN: true}),
		"a client's":           a(testserver.Leaf{Client: true}),
		"wrong wildcard":       a(testserver.Leaf{Hosts: []string{"*.a.test"}}),
		"missing intermediate": {"a.test", ca.Intermediate("between").Issue(testserver.Leaf{Hosts: []string{"a.test"}, NoChain: true})},
	}
}

// byTLSProxy goes through a proxy that speaks TLS itself.
func byTLSProxy(w *world) []requests.Option {
	p := (&testserver.HTTPProxy{Hosts: w.hosts, TLS: &tls.Config{Certificates: []tls.Certificate{w.ca.Leaf("127.0.0.1")}}}).Start(w.t)
	return []requests.Option{requests.Proxy("all", p.URL())}
}

func TestAdvisory56_NoMixSkipsVerification(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	bundle := w.ca.WriteFiles(dir)
	hashed := t.TempDir()
	w.ca.WriteHashed(hashed)
	verify := map[string]requests.Option{
		"true": requests.Verify(true), "pool": w.trust(), "file": requests.CABundle(bundle),
		"folder": requests.CABundle(dir), "hashed folder": requests.CABundle(hashed),
	}
	for name, bad := range badCerts(t, w.ca) {
		origin := "https://" + bad.host + ":8443"
		a := w.serve(origin, &tls.Config{Certificates: []tls.Certificate{bad.cert}}, answering(answerOK))
		for via, by := range map[string]way{"straight": straight, "connect": byHTTPProxy, "tls proxy": byTLSProxy, "socks": bySOCKS} {
			s := w.session(by(w)...)
			for how, opt := range verify {
				if via == "tls proxy" && how == "true" {
					continue // the proxy's certificate fails first
				}
				_, err := s.Get(t.Context(), origin, opt)
				require.ErrorIs(t, err, requests.ErrSSL, "%s, %s, verify=%s", name, via, how)
				require.NotErrorIs(t, err, requests.ErrProxy, "%s, %s, verify=%s", name, via, how)
				var verification *tls.CertificateVerificationError
				require.ErrorAs(t, err, &verification)
			}
			require.Empty(t, a.seen())
			if name == "expired" || name == "wrong host" {
				r := get(t, s, origin, requests.Verify(false))
				assert.Equal(t, http.StatusOK, r.StatusCode)
				a.mu.Lock()
				a.heads = nil
				a.mu.Unlock()
			}
		}
	}
	good := w.at("https://a.test")
	for how, opt := range verify {
		if how != "true" {
			get(t, w.session(), "https://a.test", opt)
		}
	}
	assert.Len(t, good.seen(), len(verify)-1)
}

func TestAdvisory57_CustomAuthorityAlone(t *testing.T) {
	// A server that one authority vouches for is no one's who trusts another:
	// what was given takes the place of all others, the system's too.
	w := newWorld(t)
	a := w.at("https://a.test")
	other := testserver.NewCA(t)
	for _, opt := range []requests.Option{roots(other), requests.CABundle(other.WriteFiles(t.TempDir()))} {
		_, err := w.session().Get(t.Context(), "https://a.test", opt)
		require.ErrorIs(t, err, requests.ErrSSL)
	}
	empty, err := w.session().Get(t.Context(), "https://a.test", requests.CABundle(t.TempDir()))
	require.ErrorIs(t, err, requests.ErrSSL)
	assert.Nil(t, empty)
	assert.Empty(t, a.seen())
}

func TestAdvisory58_ProxyCertificateIsChecked(t *testing.T) {
	w := newWorld(t)
	w.at("https://a.test")
	plain := w.at("http://a.test")
	for name, cert := range map[string]tls.Certificate{
		"wrong host": w.ca.Leaf("b.test"), "unknown": testserver.NewCA(t).Leaf("127.0.0.1"),
	} {
		p := (&testserver.HTTPProxy{Hosts: w.hosts, TLS: &tls.Config{Certificates: []tls.Certificate{cert}}}).Start(t)
		for _, url := range []string{"https://a.test", "http://a.test"} {
			_, err := w.session(requests.Proxy("all", p.URL())).Get(t.Context(), url, requests.BasicAuth("u", "p"))
			require.ErrorIs(t, err, requests.ErrSSL, name)
			require.ErrorIs(t, err, requests.ErrProxy, name)
		}
		assert.Empty(t, p.Heads())
	}
	assert.Empty(t, plain.seen())
}

// refusesName is the test of certificates for names that are not the host's.
func refusesName(t *testing.T, host string, names ...string) {
	t.Helper()
	w := newWorld(t)
	origin := "https://" + host + ":8443"
	a := w.serve(origin, &tls.Config{Certificates: []tls.Certificate{w.named(names...)}}, answering(answerOK))
	_, err := w.session().Get(t.Context(), origin)
	require.ErrorIs(t, err, requests.ErrSSL, "%q were accepted for %s", names, host)
	assert.Empty(t, a.seen())
}

// named makes a certificate for DNS names alone, whatever they look like.
func (w *world) named(names ...string) tls.Certificate {
	w.t.Helper()
	return w.ca.Issue(testserver.Leaf{Hosts: names, IPAsName: true})
}

func TestAdvisory59_WildcardsAndAddresses(t *testing.T) {
	refusesName(t, "127.0.0.1", "*.0.0.1")
	refusesName(t, "127.0.0.1", "127.0.0.1")
	refusesName(t, "127.0.0.1", "*")
	w := newWorld(t)
	w.at("https://127.0.0.1:8443")
	get(t, w.session(), "https://127.0.0.1:8443")
}

func TestAdvisory60_OddWildcards(t *testing.T) {
	refusesName(t, "xn--bcher-kva.test", "x*.test")
	refusesName(t, "xn--bcher-kva.test", "xn--*.test")
	refusesName(t, "a.test", "*")
	refusesName(t, "a.b.test", "*.test")
	refusesName(t, "test", "*.test")
	w := newWorld(t)
	w.serve("https://xn--bcher-kva.test", &tls.Config{Certificates: []tls.Certificate{w.named("*.test")}}, answering(answerOK))
	get(t, w.session(), "https://bücher.test")
}

// pinOf is the pin of a certificate's key.
func pinOf(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return "sha256/" + base64.StdEncoding.EncodeToString(sum[:])
}

func TestAdvisory61_PinsOfVerifiedChains(t *testing.T) {
	w := newWorld(t)
	stranger := testserver.NewCA(t)
	mine := w.ca.Leaf("a.test")
	// A stranger whom no one pinned is sent along, unverified.
	padded := mine
	padded.Certificate = append(append([][]byte{}, mine.Certificate...), stranger.Cert.Raw)
	a := w.serve("https://a.test", &tls.Config{Certificates: []tls.Certificate{padded}}, answering(answerOK))
	session := func(pins ...string) *requests.Session {
		return w.sessionOn(&requests.HTTPAdapter{Dial: w.dial, TLS: requests.TLSSettings{Pins: pins}})
	}
	_, err := session(pinOf(stranger.Cert)).Get(t.Context(), "https://a.test")
	require.ErrorIs(t, err, requests.ErrSSL)
	assert.Empty(t, a.seen())
	get(t, session(pinOf(mine.Leaf)), "https://a.test")
	get(t, session(pinOf(stranger.Cert), pinOf(w.ca.Cert)), "https://a.test")
	_, err = session("nonsense").Get(t.Context(), "https://a.test")
	require.Error(t, err)
}

func TestAdvisory62_OldVersions(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		w := newWorld(t)
		config := &tls.Config{Certificates: []tls.Certificate{w.ca.Leaf("a.test")}, MinVersion: version, MaxVersion: version}
		a := w.serve("https://a.test", config, answering(answerOK))
		for _, opt := range []requests.Option{w.trust(), requests.Verify(false)} {
			_, err := w.session().Get(t.Context(), "https://a.test", opt)
			require.ErrorIs(t, err, requests.ErrSSL)
		}
		assert.Empty(t, a.seen())
		s := w.sessionOn(&requests.HTTPAdapter{Dial: w.dial, TLS: requests.TLSSettings{MinVersion: version}})
		assert.Equal(t, version, get(t, s, "https://a.test").TLS.Version)
	}
}

func TestAdvisory63_ServerName(t *testing.T) {
	for _, tt := range []struct {
		url, host, want string
		opts            []requests.Option
	}{
		{"https://a.test/", "a.test", "a.test", nil},
		{"https://a.test./", "a.test.", "a.test", nil},
		{"https://A.Test/", "a.test", "a.test", nil},
		{"https://127.0.0.1:8443/", "127.0.0.1", "", nil},
		{"https://[::1]:8443/", "[::1]", "", nil},
		{"https://a.test/", "a.test", "a.test", []requests.Option{requests.Header("Host", "b.test")}},
	} {
		t.Run(tt.url, func(t *testing.T) {
			w := newWorld(t)
			asked := make(chan string, 1)
			cert := w.ca.Leaf(strings.Trim(strings.TrimSuffix(tt.host, "."), "[]"))
			port := ""
			if strings.Contains(tt.url, ":8443") {
				port = ":8443"
			}
			w.serve("https://"+tt.host+port, &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
				asked <- h.ServerName
				return &cert, nil
			}}, answering(answerOK))
			get(t, w.session(), tt.url, tt.opts...)
			assert.Equal(t, tt.want, <-asked)
		})
	}
}

func TestAdvisory64_ChecksOnResumption(t *testing.T) {
	w := newWorld(t)
	var resumed atomic.Int32
	config := &tls.Config{Certificates: []tls.Certificate{w.ca.Leaf("a.test")}, VerifyConnection: func(cs tls.ConnectionState) error {
		if cs.DidResume {
			resumed.Add(1)
		}
		return nil
	}}
	w.serve("https://a.test", config, answering(answerOK))
	adapter := &requests.HTTPAdapter{Dial: w.dial, TLS: requests.TLSSettings{Pins: []string{pinOf(config.Certificates[0].Leaf)}}}
	s := w.sessionOn(adapter)
	for range 3 {
		get(t, s, "https://a.test")
		adapter.CloseIdleConnections()
	}
	assert.NotZero(t, resumed.Load(), "no session was resumed, so that nothing was shown")
}

func TestAdvisory65_CertificateOfManyNames(t *testing.T) {
	w := newWorld(t)
	names := make([]string, 20000)
	for i := range names {
		names[i] = fmt.Sprintf("host-%d.example.test", i)
	}
	w.serve("https://a.test", &tls.Config{Certificates: []tls.Certificate{manyNames(t, names)}}, answering(answerOK))
	start := time.Now()
	_, err := w.session(requests.Timeout(30*time.Second)).Get(t.Context(), "https://a.test")
	require.ErrorIs(t, err, requests.ErrSSL)
	assert.Less(t, time.Since(start), 5*time.Second)
	assert.LessOrEqual(t, len(err.Error()), 4<<10)
}

// manyNames makes a small certificate for very many names. Go takes no
// handshake message of more than 256 KiB.
func manyNames(t *testing.T, names []string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), cryptorand.Reader)
	require.NoError(t, err)
	total := 0
	for i, name := range names {
		if total += len(name) + 2; total > 200<<10 {
			names = names[:i]
			break
		}
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "many"}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(cryptorand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestAdvisory67_CutTLS(t *testing.T) {
	const complete = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"
	for _, tt := range []struct {
		name, answer string
		fails        bool
	}{
		{"until the end", "HTTP/1.1 200 OK\r\n\r\nbody", true},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nbody", true},
		{"length", complete, false},
		{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", false},
		{"length, cut", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbody", true},
	} {
		for _, polite := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, alert %t", tt.name, polite), func(t *testing.T) {
				w := newWorld(t)
				cert := w.ca.Leaf("a.test")
				w.hosts["a.test:443"] = w.listen(func(c net.Conn) {
					server := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
					if _, err := server.Read(make([]byte, 4096)); err != nil {
						return
					}
					_, _ = io.WriteString(server, tt.answer)
					if polite {
						_ = server.CloseWrite()
					}
					_ = c.(*net.TCPConn).CloseWrite()
					_, _ = io.Copy(io.Discard, c)
				})
				r, err := w.session().Get(t.Context(), "https://a.test")
				if tt.fails && (!polite || tt.name == "length, cut") {
					require.Error(t, err, "a cut body was taken for a whole one")
					return
				}
				require.NoError(t, err)
				assert.Equal(t, "body", r.Text())
			})
		}
	}
}

// TestAdvisoriesElsewhere prints why some rows have no test of their own.
func TestAdvisoriesElsewhere(t *testing.T) {
	for row, why := range map[string]string{
		"66 floods of key updates": "the toolchain's own; go.mod asks for one that has the mend",
		"68 stale bundled roots":   "no certificates are shipped: the system's pool is used",
	} {
		t.Logf("%s: %s", row, why)
	}
	module, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	assert.Contains(t, string(module), "\ngo 1.26", "66: an older toolchain would do")
	bundles := 0
	for _, pattern := range []string{"*.pem", "*.crt"} {
		matches, err := os.ReadDir(".")
		require.NoError(t, err)
		for _, entry := range matches {
			if strings.HasSuffix(entry.Name(), pattern[1:]) {
				bundles++
			}
		}
	}
	assert.Zero(t, bundles, "68: a bundle is shipped")
	// A context that ends stops a peer that never comes to an end (66).
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	w := newWorld(t)
	cert := w.ca.Leaf("a.test")
	w.hosts["a.test:443"] = w.listen(func(c net.Conn) {
		server := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
		_, _ = io.Copy(io.Discard, server)
	})
	_, err = w.session().Get(ctx, "https://a.test")
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
