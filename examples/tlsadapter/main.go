// Command tlsadapter mounts an adapter with TLS settings of its own: TLS 1.3
// and nothing older, and a pinned public key.
package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/seed-9ea40bd3/requests"
)

func main() {
	server := newServer()
	defer server.Close()
	if err := run(context.Background(), server.URL, server.Certificate()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, url string, cert *x509.Certificate) error {
	s := requests.NewSession()
	defer s.Close()

	// Whom to trust belongs to the session, or to a call.
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	s.Verify = requests.TLSVerify{Roots: roots}

	// How to speak TLS belongs to an adapter. It serves the URLs that begin
	// with what it is mounted at; all others keep the default one.
	s.Mount(url+"/", &requests.HTTPAdapter{TLS: requests.TLSSettings{
		MinVersion: tls.VersionTLS13,
		Pins:       []string{pin(cert)},
	}})
	r, err := s.Get(ctx, url)
	if err != nil {
		return err
	}
	fmt.Println("pinned key:", r.StatusCode, tls.VersionName(r.TLS.Version))

	// A server whose key is another's is refused before anything is sent.
	s.Mount(url+"/", &requests.HTTPAdapter{TLS: requests.TLSSettings{
		Pins: []string{"sha256/" + base64.StdEncoding.EncodeToString(make([]byte, sha256.Size))},
	}})
	_, err = s.Get(ctx, url)
	if !errors.Is(err, requests.ErrSSL) {
		return fmt.Errorf("another key: got %w", err)
	}
	fmt.Println("another key: refused")

	// So is one that offers less than the adapter asks for.
	s.Mount(url+"/", &requests.HTTPAdapter{TLS: requests.TLSSettings{MaxVersion: tls.VersionTLS12}})
	_, err = s.Get(ctx, url)
	if !errors.Is(err, requests.ErrSSL) {
		return fmt.Errorf("no common version: got %w", err)
	}
	fmt.Println("no common version: refused")
	return nil
}

// pin is the hash of a certificate's public key, as in
//
//	openssl x509 -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64
func pin(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return "sha256/" + base64.StdEncoding.EncodeToString(sum[:])
}

// newServer stands for the server to talk to, which knows TLS 1.3 alone.
func newServer() *httptest.Server {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "hello")
	}))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // the refusals are expected
	server.StartTLS()
	return server
}
