// Command clientcert shows a certificate to a server that asks for one.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-9ea40bd3/requests"
)

func main() {
	dir, err := os.MkdirTemp("", "clientcert")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	certFile, keyFile, cert, err := newCert(dir, "alice")
	if err != nil {
		log.Fatal(err)
	}
	server := newServer(cert)
	defer server.Close()
	if err := run(context.Background(), server, certFile, keyFile); err != nil {
		log.Print(err)
		os.Exit(1) //nolint:gocritic // the folder is a temporary one
	}
}

func run(ctx context.Context, server *httptest.Server, certFile, keyFile string) error {
	s := requests.NewSession()
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	s.Verify = requests.TLSVerify{Roots: roots}

	// Two files in PEM form; one that holds both is enough. A whole session
	// gets it by NewSession(requests.Cert(…)).
	r, err := s.Get(ctx, server.URL, requests.Cert(certFile, keyFile))
	if err != nil {
		return err
	}
	fmt.Println("from files:", r.Text())

	// From memory, where it comes from elsewhere.
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return err
	}
	s.Cert = requests.ClientCert{Certificate: &pair}
	r, err = s.Get(ctx, server.URL)
	if err != nil {
		return err
	}
	fmt.Println("from memory:", r.Text())

	// Connections that showed a certificate never serve who shows none.
	_, err = s.Get(ctx, server.URL, requests.Without(requests.Cert(certFile)))
	if !errors.Is(err, requests.ErrSSL) {
		return fmt.Errorf("without: got %w", err)
	}
	fmt.Println("without: refused")

	// A file that is not there is an error that names it.
	_, err = s.Get(ctx, server.URL, requests.Cert("missing.pem"))
	fmt.Println("missing file:", errors.Is(err, requests.ErrSSL), errors.Is(err, os.ErrNotExist))
	return nil
}

// newServer stands for the server, which lets in who shows this certificate.
func newServer(client *x509.Certificate) *httptest.Server {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "hello, ", r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	clients := x509.NewCertPool()
	clients.AddCert(client)
	server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // the refusal is expected
	server.StartTLS()
	return server
}

// newCert makes a certificate and its key, and writes both to files.
func newCert(dir, name string) (certFile, keyFile string, cert *x509.Certificate, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return "", "", nil, err
	}
	if cert, err = x509.ParseCertificate(der); err != nil {
		return "", "", nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", "", nil, err
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if err := writePEM(certFile, "CERTIFICATE", der); err != nil {
		return "", "", nil, err
	}
	return certFile, keyFile, cert, writePEM(keyFile, "PRIVATE KEY", keyDER)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
