package requests_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/seed-9ea40bd3/requests"
)

// newTLS starts a server whose certificate no system trusts, and silences
// what it says about clients that turn away.
func newTLS() *httptest.Server {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		fmt.Fprint(w, "certificates from you: ", len(req.TLS.PeerCertificates))
	}))
	server.Config.ErrorLog = silent
	server.StartTLS()
	return server
}

// writeBundle writes the server's certificate to a file, and says how to
// remove it.
func writeBundle(server *httptest.Server) (path string, remove func()) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	path = filepath.Join(dir, "ca.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		panic(err)
	}
	return path, func() { os.RemoveAll(dir) }
}

// Certificates are verified by default. Not to do so is for tests alone.
func ExampleVerify() {
	server := newTLS()
	defer server.Close()

	_, err := requests.Get(ctx, server.URL, requests.Verify(true))
	fmt.Println(errors.Is(err, requests.ErrSSL))

	r, err := requests.Get(ctx, server.URL, requests.Verify(false))
	fmt.Println(r, err)
	// Output:
	// true
	// <Response [200]> <nil>
}

// A file of certificates, or a directory, for a call or for a session.
func ExampleCABundle() {
	server := newTLS()
	defer server.Close()
	bundle, remove := writeBundle(server)
	defer remove()

	s := requests.NewSession(requests.CABundle(bundle))
	defer s.Close()
	r, err := s.Get(ctx, server.URL)
	fmt.Println(r, err)
	// Output:
	// <Response [200]> <nil>
}

// The bundle can come from the environment.
func ExampleCABundle_environment() {
	server := newTLS()
	defer server.Close()
	bundle, remove := writeBundle(server)
	defer remove()
	defer os.Setenv("REQUESTS_CA_BUNDLE", os.Getenv("REQUESTS_CA_BUNDLE"))
	os.Setenv("REQUESTS_CA_BUNDLE", bundle)

	r, err := requests.Get(ctx, server.URL)
	fmt.Println(r, err)
	// Output:
	// <Response [200]> <nil>
}

// Roots that are in memory already.
func ExampleTLSVerify() {
	server := newTLS()
	defer server.Close()
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())

	var s requests.Session
	defer s.Close()
	s.Verify = requests.TLSVerify{Roots: pool}
	r, err := s.Get(ctx, server.URL)
	fmt.Println(r, err)
	// Output:
	// <Response [200]> <nil>
}

// A wrong path is an error before anything is sent.
func ExampleCert() {
	_, err := requests.Get(ctx, "https://kennethreitz.org", requests.Cert("/wrong_path/client.pem"))
	fmt.Println(errors.Is(err, requests.ErrSSL), errors.Is(err, os.ErrNotExist))
	// Output:
	// true true
}

// newForwarder starts a proxy that answers for every server.
func newForwarder() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		user := "nobody"
		if auth := req.Header.Get("Proxy-Authorization"); auth != "" {
			user = auth
		}
		_, _ = io.WriteString(w, req.RequestURI+" for "+user)
	}))
}

func ExampleProxy() {
	proxy := newForwarder()
	defer proxy.Close()

	r, err := requests.Get(ctx, "http://example.org/", requests.Proxy("http", proxy.URL))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Text())
	// Output:
	// http://example.org/ for nobody
}

// User and password of a proxy stand in its URL. A key may name a host.
func ExampleProxies() {
	proxy := newForwarder()
	defer proxy.Close()
	withUser := "http://user:pass@" + proxy.Listener.Addr().String()

	s := requests.NewSession(requests.Proxies(requests.ProxyMap{
		"http":               proxy.URL,
		"http://10.20.1.128": withUser,
	}))
	defer s.Close()
	s.IgnoreEnv = true // the environment's proxies go before a session's
	for _, url := range []string{"http://example.org/", "http://10.20.1.128/"} {
		r, err := s.Get(ctx, url)
		if err != nil {
			panic(err)
		}
		fmt.Println(r.Text())
	}
	// Output:
	// http://example.org/ for nobody
	// http://10.20.1.128/ for Basic dXNlcjpwYXNz
}

// A SOCKS proxy is one like any other: socks5 looks names up here, socks5h
// has the proxy do it.
func ExampleProxy_socks() {
	proxy := httptest.NewServer(http.NotFoundHandler())
	address := proxy.Listener.Addr().String()
	proxy.Close() // nobody listens any more

	_, err := requests.Get(ctx, "http://example.org/",
		requests.Proxy("all", "socks5h://user:pass@"+address))
	fmt.Println(errors.Is(err, requests.ErrProxy))
	// Output:
	// true
}

// URLs that come from someone else lead nowhere private.
func ExampleUntrusted() {
	server := newEcho()
	defer server.Close()

	_, err := requests.Get(ctx, server.URL, requests.Untrusted())
	fmt.Println(errors.Is(err, requests.ErrForbiddenAddress))
	// Output:
	// true
}
