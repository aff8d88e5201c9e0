package requests

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// tlsLoop starts a TLS server and returns its URL, by the name localhost.
func tlsLoop(t testing.TB, config *tls.Config, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.TLS = config
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return fmt.Sprintf("https://localhost:%d", srv.Listener.Addr().(*net.TCPAddr).Port)
}

// tlsSession is a session whose names all lead to the loopback interface.
func tlsSession(t testing.TB, a *HTTPAdapter, opts ...Option) *Session {
	t.Helper()
	s := loopSession(t, opts...)
	if a.Resolve == nil {
		a.Resolve = func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		}
	}
	s.Mount("https://", a)
	s.Mount("http://", a)
	return s
}

func serverConfig(certs ...tls.Certificate) *tls.Config { return &tls.Config{Certificates: certs} }

func hello(w http.ResponseWriter, r *http.Request) {
	who := ""
	if len(r.TLS.PeerCertificates) > 0 {
		who = r.TLS.PeerCertificates[0].Subject.CommonName
	}
	fmt.Fprint(w, "hello ", who)
}

// oddCertificates are certificates that OpenSSL takes and package x509 does
// not: one of a negative serial number, and one of a curve that it has not.
func oddCertificates(t testing.TB) []byte {
	der := testserver.NewCA(t).Cert.Raw
	change := func(old, changed string) []byte {
		require.Equal(t, 1, bytes.Count(der, []byte(old)))
		odd := bytes.Replace(der, []byte(old), []byte(changed), 1)
		_, err := x509.ParseCertificate(odd)
		require.Error(t, err)
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: odd})
	}
	return append(change("\xa0\x03\x02\x01\x02\x02\x01\x01", "\xa0\x03\x02\x01\x02\x02\x01\xfb"),
		change("\x2a\x86\x48\xce\x3d\x03\x01\x07", "\x2a\x86\x48\xce\x3d\x03\x01\x06")...)
}

var (
	serverUse = []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 1}}
	mailUse   = []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 4}}
)

// trustedPEM is an authority's certificate as OpenSSL writes it with -trustout:
// with what it is trusted for behind it.
func trustedPEM(t testing.TB, ca *testserver.CA, aux any) []byte {
	der := slices.Clone(ca.Cert.Raw)
	if aux != nil {
		b, err := asn1.Marshal(aux)
		require.NoError(t, err)
		der = append(der, b...)
	}
	return pem.EncodeToMemory(&pem.Block{Type: trustedCertificate, Bytes: der})
}

// Which certificates are trusted, by what says so.
func TestVerifyBundles(t *testing.T) {
	ca, other := testserver.NewCA(t), testserver.NewCA(t)
	url := tlsLoop(t, serverConfig(ca.Leaf("localhost")), hello)
	dir := t.TempDir()
	sub := func(name string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(path, 0o700))
		return path
	}
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, data, 0o600))
		return path
	}
	bundle := ca.WriteFiles(sub("file"))
	plain, hashed, mixed := sub("plain"), sub("hashed"), sub("mixed")
	ca.WriteFiles(plain)
	ca.WriteHashed(hashed)
	ca.WriteFiles(mixed)
	write("mixed/README", []byte("no certificate"))
	write("mixed/bad.pem", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	sub("mixed/deeper")
	require.NoError(t, os.Symlink("nowhere", filepath.Join(mixed, "dangling")))
	both := write("both.pem", append(other.PEM(), ca.PEM()...))
	odd := oddCertificates(t)
	// The certificates of a directory count that stand behind any of these.
	sub("behind")
	write("behind/all.pem", slices.Concat([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), odd, ca.PEM()))
	cut := other.PEM()[:200]
	tests := []struct {
		name   string
		verify TLSVerify
		ok     bool
		text   string
	}{
		{"file", TLSVerify{CABundle: bundle}, true, ""},
		{"file of several", TLSVerify{CABundle: both}, true, ""},
		{"directory", TLSVerify{CABundle: plain}, true, ""},
		{"hashed directory", TLSVerify{CABundle: hashed}, true, ""},
		{"directory with other things", TLSVerify{CABundle: mixed}, true, ""},
		{"pool", TLSVerify{Roots: ca.Pool()}, true, ""},
		{"not checked", TLSVerify{Skip: true}, true, ""},
		{"system's", TLSVerify{Always: true}, false, ""},
		{"unset", TLSVerify{}, false, ""},
		{"another's", TLSVerify{Roots: other.Pool()}, false, ""},
		{"empty directory", TLSVerify{CABundle: sub("empty")}, false, ""},
		{"no such file", TLSVerify{CABundle: filepath.Join(dir, "none")}, false, "none"},
		{"no certificate in it", TLSVerify{CABundle: write("text", []byte("hello"))}, false, "no certificate"},
		{"broken certificate", TLSVerify{CABundle: filepath.Join(mixed, "bad.pem")}, false, "bad.pem"},
		{"what Go does not take before it", TLSVerify{CABundle: write("odd-before", append(odd, ca.PEM()...))}, true, ""},
		{"what Go does not take behind it", TLSVerify{CABundle: write("odd-behind", append(ca.PEM(), odd...))}, true, ""},
		{"what Go does not take alone", TLSVerify{CABundle: write("odd", odd)}, false, "odd"},
		{"directory of files of them", TLSVerify{CABundle: filepath.Join(dir, "behind")}, true, ""},
		{"older name", TLSVerify{CABundle: write("x509", bytes.ReplaceAll(ca.PEM(), []byte(" CERT"), []byte(" X509 CERT")))}, true, ""},
		{"trusted", TLSVerify{CABundle: write("trusted", trustedPEM(t, ca, nil))}, true, ""},
		{"trusted with a name", TLSVerify{CABundle: write("named", trustedPEM(t, ca, certAux{Alias: "x"}))}, true, ""},
		{"trusted for servers", TLSVerify{CABundle: write("servers", trustedPEM(t, ca, certAux{Trust: serverUse}))}, true, ""},
		{"trusted for mail", TLSVerify{CABundle: write("mail", trustedPEM(t, ca, certAux{Trust: mailUse}))}, false, "authority"},
		{"rejected for servers", TLSVerify{CABundle: write("rejected", trustedPEM(t, ca, certAux{Reject: serverUse}))}, false, "authority"},
		{"rejected for mail", TLSVerify{CABundle: write("no-mail", trustedPEM(t, ca, certAux{Reject: mailUse}))}, true, ""},
		{"trusted with garbage", TLSVerify{CABundle: write("aux", trustedPEM(t, ca, 1))}, false, "aux"},
		{"broken base64", TLSVerify{CABundle: write("base64", append(bytes.Replace(other.PEM(), []byte("MII"), []byte("!!!"), 1), ca.PEM()...))}, false, "base64"},
		{"cut short", TLSVerify{CABundle: write("cut", append(ca.PEM(), cut...))}, false, "cut"},
		{"broken behind it", TLSVerify{CABundle: write("der", append(ca.PEM(), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"...))}, false, "der"},
		{"a key", TLSVerify{CABundle: write("key", []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))}, false, "no certificate"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := tlsSession(t, new(HTTPAdapter)).Get(t.Context(), url, Settings{Verify: tt.verify})
			if tt.ok {
				require.NoError(t, err)
				assert.Equal(t, "hello ", r.Text())
				require.NotNil(t, r.TLS)
				assert.Equal(t, "HTTP/2.0", r.Proto)
				return
			}
			require.ErrorIs(t, err, ErrSSL)
			assert.ErrorIs(t, err, ErrConnection)
			assert.NotErrorIs(t, err, ErrProxy)
			assert.Contains(t, err.Error(), tt.text)
			assert.False(t, asError(t, err).MaybeSent)
		})
	}
}

// The environment's bundle counts, and the caller's word goes before it.
func TestVerifyEnvironment(t *testing.T) {
	ca := testserver.NewCA(t)
	url := tlsLoop(t, serverConfig(ca.Leaf("localhost")), hello)
	bundle := ca.WriteFiles(t.TempDir())
	for _, tt := range []struct {
		name string
		env  map[string]string
		opts []Option
		ok   bool
	}{
		{"REQUESTS_CA_BUNDLE", map[string]string{"REQUESTS_CA_BUNDLE": bundle}, nil, true},
		{"CURL_CA_BUNDLE", map[string]string{"CURL_CA_BUNDLE": bundle}, nil, true},
		{"first one counts", map[string]string{"REQUESTS_CA_BUNDLE": "/no/such", "CURL_CA_BUNDLE": bundle}, nil, false},
		{"Verify(true)", map[string]string{"REQUESTS_CA_BUNDLE": bundle}, []Option{Verify(true)}, false},
		{"Verify(false)", map[string]string{"REQUESTS_CA_BUNDLE": "/no/such"}, []Option{Verify(false)}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := tlsSession(t, new(HTTPAdapter))
			withEnviron(s, tt.env)
			_, err := s.Get(t.Context(), url, tt.opts...)
			if tt.ok {
				assert.NoError(t, err)
				return
			}
			assert.ErrorIs(t, err, ErrSSL)
		})
	}
}

// A call that begins with http may come to a server, or by a proxy, for which
// the environment's bundle counts.
func TestVerifyEnvironmentBeyondHTTP(t *testing.T) {
	ca := testserver.NewCA(t)
	secure := tlsLoop(t, serverConfig(ca.Leaf("localhost")), hello)
	plain := loopServer(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, secure, http.StatusFound) })
	bundle := ca.WriteFiles(t.TempDir())
	s := tlsSession(t, new(HTTPAdapter))
	withEnviron(s, map[string]string{"REQUESTS_CA_BUNDLE": bundle})
	_, err := s.Get(t.Context(), plain)
	require.NoError(t, err)

	p, err := s.Prepare(t.Context(), NewRequest("GET", plain))
	require.NoError(t, err)
	settings, err := s.MergeEnvironment(p.URL)
	require.NoError(t, err)
	_, err = s.Send(t.Context(), p, settings)
	require.NoError(t, err)

	_, err = s.Get(t.Context(), "http://a.test/", Proxy("http", secure))
	require.NoError(t, err, "by a proxy that speaks TLS")
	withEnviron(s, map[string]string{"REQUESTS_CA_BUNDLE": "/no/such"})
	_, err = s.Get(t.Context(), plain)
	assert.ErrorIs(t, err, ErrSSL)
	_, err = s.Get(t.Context(), plain, AllowRedirects(false))
	assert.NoError(t, err, "no TLS, no bundle")
}

func TestBadCertificates(t *testing.T) {
	ca := testserver.NewCA(t)
	tests := []struct {
		name string
		leaf testserver.Leaf
		ok   bool
	}{
		{"good", testserver.Leaf{Hosts: []string{"localhost"}}, true},
		{"wildcard elsewhere", testserver.Leaf{Hosts: []string{"*.localhost"}}, false},
		{"another name", testserver.Leaf{Hosts: []string{"b.test"}}, false},
		{"expired", testserver.Leaf{Hosts: []string{"localhost"}, Expired: true}, false},
		{"not yet valid", testserver.Leaf{Hosts: []string{"localhost"}, NotYetValid: true}, false},
		{"a client's", testserver.Leaf{Hosts: []string{"localhost"}, Client: true}, false},
		{"common name alone", testserver.Leaf{Hosts: []string{"localhost"}, NoSAN: true}, false},
		{"signed by itself", testserver.Leaf{Hosts: []string{"localhost"}, SelfSigned: true}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url := tlsLoop(t, serverConfig(ca.Issue(tt.leaf)), hello)
			s := tlsSession(t, new(HTTPAdapter))
			trust := Settings{Verify: TLSVerify{Roots: ca.Pool()}}
			check := func() {
				_, err := s.Get(t.Context(), url, trust)
				if tt.ok {
					assert.NoError(t, err)
				} else {
					assert.ErrorIs(t, err, ErrSSL)
				}
			}
			check()
			_, err := s.Get(t.Context(), url, Verify(false))
			assert.NoError(t, err)
			check() // a connection without verification serves no call that wants it
		})
	}
}

func TestChains(t *testing.T) {
	ca := testserver.NewCA(t)
	inter := ca.Intermediate("between")
	trust := Settings{Verify: TLSVerify{Roots: ca.Pool()}}
	url := tlsLoop(t, serverConfig(inter.Leaf("localhost")), hello)
	_, err := tlsSession(t, new(HTTPAdapter)).Get(t.Context(), url, trust)
	assert.NoError(t, err)
	url = tlsLoop(t, serverConfig(inter.Issue(testserver.Leaf{Hosts: []string{"localhost"}, NoChain: true})), hello)
	_, err = tlsSession(t, new(HTTPAdapter)).Get(t.Context(), url, trust)
	assert.ErrorIs(t, err, ErrSSL)
}

// clientFiles writes a client's certificate in all its forms.
func clientFiles(t testing.TB, ca *testserver.CA, name string) (cert, key, both string, c tls.Certificate) {
	c = ca.Issue(testserver.Leaf{CommonName: name, Hosts: []string{name}, Client: true})
	cert, key, both = testserver.WriteCert(t, t.TempDir(), name, c)
	return cert, key, both, c
}

func TestClientCertificates(t *testing.T) {
	ca := testserver.NewCA(t)
	config := serverConfig(ca.Leaf("localhost"))
	config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, ca.Pool()
	url := tlsLoop(t, config, hello)
	cert, key, both, memory := clientFiles(t, ca, "alice")
	_, otherKey, _, _ := clientFiles(t, ca, "mallory")
	dir := t.TempDir()
	write := func(name string, block *pem.Block) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
		return path
	}
	pkcs8 := write("pkcs8", &pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")})
	openssl := write("openssl", &pem.Block{
		Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: []byte("x"),
	})
	tests := []struct {
		name string
		cert ClientCert
		want string // of the body
		kind error
		text string
	}{
		{"one file", ClientCert{CertFile: both}, "hello alice", nil, ""},
		{"two files", ClientCert{CertFile: cert, KeyFile: key}, "hello alice", nil, ""},
		{"memory", ClientCert{Certificate: &memory}, "hello alice", nil, ""},
		{"none", ClientCert{None: true}, "", ErrConnection, ""},
		{"unset", ClientCert{}, "", ErrConnection, ""},
		{"no such file", ClientCert{CertFile: cert + "x"}, "", ErrSSL, cert + "x"},
		{"no such key", ClientCert{CertFile: cert, KeyFile: key + "x"}, "", ErrSSL, key + "x"},
		{"certificate that is a directory", ClientCert{CertFile: dir}, "", ErrSSL, dir},
		{"key that is a directory", ClientCert{CertFile: cert, KeyFile: dir}, "", ErrSSL, dir},
		{"key without certificate", ClientCert{KeyFile: key}, "", ErrInvalidOption, "no certificate"},
		{"no key in it", ClientCert{CertFile: cert}, "", ErrSSL, cert},
		{"another's key", ClientCert{CertFile: cert, KeyFile: otherKey}, "", ErrSSL, cert},
		{"encrypted", ClientCert{CertFile: cert, KeyFile: pkcs8}, "", ErrSSL, "encrypted"},
		{"encrypted by OpenSSL", ClientCert{CertFile: cert, KeyFile: openssl}, "", ErrSSL, "encrypted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := tlsSession(t, new(HTTPAdapter), Settings{Verify: TLSVerify{Roots: ca.Pool()}})
			r, err := s.Get(t.Context(), url, Settings{Cert: tt.cert})
			if tt.kind == nil {
				require.NoError(t, err)
				assert.Equal(t, tt.want, r.Text())
				return
			}
			require.ErrorIs(t, err, tt.kind)
			assert.Contains(t, err.Error(), tt.text)
		})
	}
	// A file that is not there is told of for http too.
	_, err := loopSession(t).Get(t.Context(), loopServer(t, echoBody), Cert(cert+"x"))
	assert.ErrorIs(t, err, ErrSSL)
}

// The error of a certificate or a key that cannot be used names the file that
// is at fault: both where they do not belong together.
func TestBadCertificateFilesAreNamed(t *testing.T) {
	ca := testserver.NewCA(t)
	cert, key, both, _ := clientFiles(t, ca, "alice")
	_, otherKey, _, _ := clientFiles(t, ca, "mallory")
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, content, 0o600))
		return path
	}
	block := func(kind string) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte("x")}) }
	read := func(path string) []byte {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		return data
	}
	tests := []struct {
		name string
		cert ClientCert
		in   string // the file that is named
		also string // another one, or what is said of it
		out  string // the file that is not
	}{
		{"key is garbage", ClientCert{CertFile: cert, KeyFile: write("garbage", []byte("garbage"))}, "garbage", "no private key", cert},
		{"key is a certificate", ClientCert{CertFile: cert, KeyFile: cert}, cert, "no private key", key},
		{"key does not parse", ClientCert{CertFile: cert, KeyFile: write("broken", block("EC PRIVATE KEY"))}, "broken", "client key", cert},
		{"key of another kind", ClientCert{CertFile: cert, KeyFile: write("dsa", block("DSA PRIVATE KEY"))}, "dsa", "client key", cert},
		{"key is encrypted", ClientCert{CertFile: cert, KeyFile: write("secret", block("ENCRYPTED PRIVATE KEY"))}, "secret", "encrypted", cert},
		{"certificate is garbage", ClientCert{CertFile: write("text", []byte("garbage")), KeyFile: key}, "text", "no certificate", key},
		{"certificate does not parse", ClientCert{CertFile: write("junk", block("CERTIFICATE")), KeyFile: key}, "junk", "client certificate", key},
		{"another's key", ClientCert{CertFile: cert, KeyFile: otherKey}, cert, otherKey, key},
		{"one file with another's key", ClientCert{CertFile: write("one", append(read(cert), read(otherKey)...))}, "one", "client certificate", both},
		{"one file without key", ClientCert{CertFile: cert}, cert, "no private key", key},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.cert.load()
			require.ErrorIs(t, err, ErrSSL)
			assert.Contains(t, err.Error(), tt.in)
			assert.Contains(t, err.Error(), tt.also)
			assert.NotContains(t, err.Error(), tt.out)
		})
	}
	for _, good := range []ClientCert{{CertFile: both}, {CertFile: cert, KeyFile: key}} {
		_, err := good.load()
		assert.NoError(t, err)
	}
}

func TestCheckKey(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	sec1, err := x509.MarshalECPrivateKey(ec)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(ec)
	require.NoError(t, err)
	old, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	for _, der := range [][]byte{sec1, pkcs8, x509.MarshalPKCS1PrivateKey(old)} {
		assert.NoError(t, checkKey(der))
	}
	assert.Error(t, checkKey([]byte("x")))
}

func TestEncryptedKey(t *testing.T) {
	block := func(kind string) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte("x")}) }
	assert.False(t, encryptedKey(nil))
	assert.False(t, encryptedKey(block("CERTIFICATE")))
	assert.False(t, encryptedKey(append(block("CERTIFICATE"), block("EC PRIVATE KEY")...)))
	assert.True(t, encryptedKey(append(block("CERTIFICATE"), block("ENCRYPTED PRIVATE KEY")...)))
	assert.False(t, encryptedKey(append(block("PRIVATE KEY"), block("ENCRYPTED PRIVATE KEY")...)))
}

func TestTLSVerifyCheck(t *testing.T) {
	pool := x509.NewCertPool()
	for _, ok := range []TLSVerify{{}, {Always: true}, {Skip: true}, {CABundle: "x"}, {Roots: pool}} {
		assert.NoError(t, ok.check())
		assert.Equal(t, ok == TLSVerify{}, ok.isZero())
	}
	for _, bad := range []TLSVerify{{Always: true, Skip: true}, {Skip: true, Roots: pool}, {CABundle: "x", Roots: pool}} {
		assert.ErrorIs(t, bad.check(), ErrInvalidOption)
	}
}

func spkiPin(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return "sha256/" + base64.StdEncoding.EncodeToString(sum[:])
}

func TestPins(t *testing.T) {
	ca := testserver.NewCA(t)
	leaf := ca.Leaf("localhost")
	url := tlsLoop(t, serverConfig(leaf), hello)
	leafCert, err := x509.ParseCertificate(leaf.Certificate[0])
	require.NoError(t, err)
	another := spkiPin(testserver.NewCA(t).Cert)
	trust := Settings{Verify: TLSVerify{Roots: ca.Pool()}}
	skip := Verify(false)
	tests := []struct {
		name string
		pins []string
		opt  Option
		kind error
	}{
		{"leaf", []string{spkiPin(leafCert)}, trust, nil},
		{"root", []string{spkiPin(ca.Cert)}, trust, nil},
		{"without prefix", []string{strings.TrimPrefix(spkiPin(ca.Cert), "sha256/")}, trust, nil},
		{"one of two", []string{another, spkiPin(ca.Cert)}, trust, nil},
		{"another", []string{another}, trust, ErrSSL},
		{"leaf, unverified", []string{spkiPin(leafCert)}, skip, nil},
		{"root, unverified", []string{spkiPin(ca.Cert)}, skip, ErrSSL},
		{"no base64", []string{"sha256/!"}, trust, ErrInvalidOption},
		{"too short", []string{"sha256/AAAA"}, trust, ErrInvalidOption},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := tlsSession(t, &HTTPAdapter{TLS: TLSSettings{Pins: tt.pins}, DisableHTTP2: true})
			for range 2 { // the second resumes
				_, err := s.Get(t.Context(), url, tt.opt)
				if tt.kind == nil {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, tt.kind)
				}
				s.Close()
			}
		})
	}
}

func TestTLSSettings(t *testing.T) {
	ca := testserver.NewCA(t)
	config := serverConfig(ca.Leaf("localhost", "other.test"))
	config.MaxVersion = tls.VersionTLS12
	url := tlsLoop(t, config, hello)
	trust := Settings{Verify: TLSVerify{Roots: ca.Pool()}}
	var keys bytes.Buffer
	tests := []struct {
		name     string
		settings TLSSettings
		ok       bool
	}{
		{"defaults", TLSSettings{}, true},
		{"minimum", TLSSettings{MinVersion: tls.VersionTLS13}, false},
		{"minimum that fits", TLSSettings{MinVersion: tls.VersionTLS12}, true},
		{"maximum", TLSSettings{MaxVersion: tls.VersionTLS12, KeyLog: &keys}, true},
		{"cipher suite", TLSSettings{CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}, true},
		{"cipher suite that is not there", TLSSettings{CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}}, false},
		{"curve", TLSSettings{Curves: []tls.CurveID{tls.CurveP256}}, true},
		{"another name", TLSSettings{ServerName: "other.test"}, true},
		{"a name that is not there", TLSSettings{ServerName: "third.test"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := tlsSession(t, &HTTPAdapter{TLS: tt.settings}).Get(t.Context(), url, trust)
			if !tt.ok {
				require.ErrorIs(t, err, ErrSSL)
				return
			}
			require.NoError(t, err)
			assert.EqualValues(t, tls.VersionTLS12, r.TLS.Version)
		})
	}
	assert.Contains(t, keys.String(), "CLIENT_RANDOM")
}

func TestTLSName(t *testing.T) {
	for host, want := range map[string]string{"a.test": "a.test", "a.test.": "a.test", "fe80::1%eth0": "fe80::1", "::1": "::1"} {
		assert.Equal(t, want, tlsName(host))
	}
}

// A name that ends in a dot is asked for without it.
func TestTrailingDotOverTLS(t *testing.T) {
	ca := testserver.NewCA(t)
	url := tlsLoop(t, serverConfig(ca.Leaf("localhost")), hello)
	_, err := tlsSession(t, new(HTTPAdapter)).Get(t.Context(), strings.Replace(url, "localhost:", "localhost.:", 1),
		Settings{Verify: TLSVerify{Roots: ca.Pool()}})
	assert.NoError(t, err)
}

// Connections are kept apart by what says whom they trust and who they are.
func TestSettingsKeepConnectionsApart(t *testing.T) {
	ca := testserver.NewCA(t)
	config := serverConfig(ca.Leaf("localhost"))
	config.ClientAuth = tls.RequestClientCert
	var conns sync.Map
	url := tlsLoop(t, config, func(w http.ResponseWriter, r *http.Request) {
		conns.Store(r.RemoteAddr, true)
		hello(w, r)
	})
	count := func() (n int) {
		conns.Range(func(any, any) bool { n++; return true })
		return n
	}
	_, _, alice, memory := clientFiles(t, ca, "alice")
	_, _, bob, _ := clientFiles(t, ca, "bob")
	bundle := ca.WriteFiles(t.TempDir())
	pool := ca.Pool()
	roots := Settings{Verify: TLSVerify{Roots: pool}}
	for _, noHTTP2 := range []bool{false, true} {
		conns.Clear()
		s := tlsSession(t, &HTTPAdapter{DisableHTTP2: noHTTP2})
		all := [][]Option{
			{Verify(false)},
			{CABundle(bundle)},
			{roots},
			{roots, Cert(alice)},
			{roots, Cert(bob)},
			{roots, Settings{Cert: ClientCert{Certificate: &memory}}},
		}
		for round := range 2 {
			for i, opts := range all {
				_, err := s.Get(t.Context(), url, opts...)
				require.NoError(t, err)
				want := len(all)
				if round == 0 {
					want = i + 1
				}
				assert.Equal(t, want, count(), "round %d, settings %d", round, i)
			}
		}
	}
}

// One session speaks both versions, as the server agrees to.
func TestHTTP2(t *testing.T) {
	ca := testserver.NewCA(t)
	var head atomic.Value
	url := tlsLoop(t, serverConfig(ca.Leaf("localhost")), func(w http.ResponseWriter, r *http.Request) {
		head.Store(fmt.Sprint(r.Proto, " ", r.Host, " ", r.Header.Get("X-A"), " ", r.Header["X-B"], " ", r.Header.Get("User-Agent"), " ", r.ContentLength))
		w.Header().Set("Trailer", "X-End")
		b, _ := io.ReadAll(r.Body)
		_, _ = w.Write(b)
		_ = http.NewResponseController(w).Flush()
		w.Header().Set("X-End", "1")
	})
	s := tlsSession(t, new(HTTPAdapter), Settings{Verify: TLSVerify{Roots: ca.Pool()}})
	host := strings.TrimPrefix(url, "https://")
	r, err := s.Post(t.Context(), url, BodyText("abc"), Header("x-a", "1"), Header("X-B", "2"), Header("Connection", "keep-alive"))
	require.NoError(t, err)
	assert.Equal(t, "HTTP/2.0", r.Proto)
	assert.Equal(t, "OK", r.Reason)
	assert.Equal(t, "abc", r.Text())
	assert.Equal(t, "1", r.Trailers().Get("x-end"))
	assert.Equal(t, "h2", r.TLS.NegotiatedProtocol)
	assert.Equal(t, "HTTP/2.0 "+host+" 1 [2] "+userAgent+" 3", head.Load())

	_, err = s.Get(t.Context(), url, Without(Header("User-Agent", "")), Header("Host", "other.test"))
	require.NoError(t, err)
	assert.Equal(t, "HTTP/2.0 other.test  []  0", head.Load(), "no User-Agent of net/http's")

	r, err = s.Post(t.Context(), url, BodyChunks(seqOf("a", "b")), Stream())
	require.NoError(t, err)
	assert.Equal(t, "ab", strings.Join(piecesOf(t, r, 0), ""))
	assert.Equal(t, "HTTP/2.0 "+host+"  [] "+userAgent+" -1", head.Load())

	old := tlsSession(t, &HTTPAdapter{DisableHTTP2: true}, Settings{Verify: TLSVerify{Roots: ca.Pool()}})
	r, err = old.Get(t.Context(), url)
	require.NoError(t, err)
	assert.Equal(t, "HTTP/1.1", r.Proto)
	require.NotNil(t, r.TLS)
	assert.NotEqual(t, "h2", r.TLS.NegotiatedProtocol)
}

// Many calls over one HTTP/2 connection, with bodies both ways.
func TestHTTP2Concurrent(t *testing.T) {
	ca := testserver.NewCA(t)
	var conns sync.Map
	url := tlsLoop(t, serverConfig(ca.Leaf("localhost")), func(w http.ResponseWriter, r *http.Request) {
		conns.Store(r.RemoteAddr, true)
		echoBody(w, r)
	})
	s := tlsSession(t, new(HTTPAdapter), Settings{Verify: TLSVerify{Roots: ca.Pool()}})
	_, err := s.Get(t.Context(), url)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			body := strings.Repeat(fmt.Sprint(i), 10_000)
			r, err := s.Post(t.Context(), url, Body(onlyReader{strings.NewReader(body)}))
			if assert.NoError(t, err) {
				assert.Equal(t, body, r.Text())
			}
		})
	}
	wg.Wait()
	n := 0
	conns.Range(func(any, any) bool { n++; return true })
	assert.Equal(t, 1, n)
}

// rawTLS starts a TLS server that speaks HTTP/1.1 by hand.
func rawTLS(t testing.TB, config *tls.Config, serve func(c *tls.Conn, socket net.Conn, r *bufio.Reader)) string {
	config.NextProtos = []string{"http/1.1"}
	url := rawLoop(t, func(_ int, c net.Conn, _ *bufio.Reader) {
		server := tls.Server(c, config)
		if server.Handshake() == nil {
			serve(server, c, bufio.NewReader(server))
		}
	})
	return strings.Replace(url, "http://127.0.0.1", "https://localhost", 1)
}

// A body without a length whose TLS was cut is truncated; one that ended with
// the alert is whole.
func TestTLSTruncation(t *testing.T) {
	ca := testserver.NewCA(t)
	trust := Settings{Verify: TLSVerify{Roots: ca.Pool()}}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, proper := range []bool{true, false} {
			config := serverConfig(ca.Leaf("localhost"))
			config.MaxVersion = version
			url := rawTLS(t, config, func(c *tls.Conn, socket net.Conn, r *bufio.Reader) {
				readHead(r)
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc")
				if proper {
					c.Close()
					return
				}
				socket.Close()
			})
			r, err := tlsSession(t, new(HTTPAdapter)).Get(t.Context(), url, trust)
			if proper {
				require.NoError(t, err)
				assert.Equal(t, "abc", r.Text())
				continue
			}
			require.ErrorIs(t, err, ErrChunkedEncoding)
			assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
			assert.Equal(t, "abc", string(asError(t, err).Response.Partial()))
		}
	}
}

// Order and spelling of headers are kept over TLS too.
func TestOrderedHeadOverTLS(t *testing.T) {
	ca := testserver.NewCA(t)
	heads := make(chan string, 1)
	url := rawTLS(t, serverConfig(ca.Leaf("localhost")), func(c *tls.Conn, _ net.Conn, r *bufio.Reader) {
		heads <- readHead(r)
		_, _ = io.WriteString(c, okEmpty)
	})
	s := tlsSession(t, new(HTTPAdapter), Settings{Verify: TLSVerify{Roots: ca.Pool()}})
	s.Headers = NewHeaders("z-LAST", "1", "A", "2", "hOST", "x.test")
	r, err := s.Get(t.Context(), url)
	require.NoError(t, err)
	assert.Equal(t, "GET / HTTP/1.1\r\nz-LAST: 1\r\nA: 2\r\nhOST: x.test\r\n\r\n", <-heads)
	assert.Equal(t, "http/1.1", r.TLS.NegotiatedProtocol)
}

func TestTLSToPlainServerAndBack(t *testing.T) {
	plain := loopServer(t, echoBody)
	_, err := loopSession(t).Get(t.Context(), strings.Replace(plain, "http:", "https:", 1))
	assert.ErrorIs(t, err, ErrSSL)
	ca := testserver.NewCA(t)
	secure := tlsLoop(t, serverConfig(ca.Leaf("localhost")), hello)
	r, err := tlsSession(t, new(HTTPAdapter)).Get(t.Context(), strings.Replace(secure, "https:", "http:", 1))
	if err == nil {
		assert.Equal(t, 400, r.StatusCode) // this server says so in plain text
		return
	}
	assert.ErrorIs(t, err, ErrConnection)
}

// A bundle that is missing is found out before anybody is called.
func TestMissingBundleDialsNobody(t *testing.T) {
	var dialled atomic.Int32
	a := &HTTPAdapter{Dial: func(context.Context, string, string) (net.Conn, error) {
		dialled.Add(1)
		return nil, errBoom
	}}
	defer a.Close()
	s := NewSession()
	s.Mount("https://", a)
	_, err := s.Get(t.Context(), "https://a.test/", CABundle(filepath.Join(t.TempDir(), "none")))
	require.ErrorIs(t, err, ErrSSL)
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.Zero(t, dialled.Load())
}
