package conformance

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// Authority is the runner's own test authority, the files that it is given to
// the library in, and the certificates of the origins.
type Authority struct {
	ca    *testserver.CA
	paths *strings.Replacer // what {CA} and its kin stand for
}

// NewAuthority makes an authority and writes its files to a directory of the
// test's.
func NewAuthority(tb testing.TB) *Authority {
	tb.Helper()
	dir := tb.TempDir()
	sub := func(name string) string {
		path := filepath.Join(dir, name)
		if err := os.Mkdir(path, 0o700); err != nil {
			tb.Fatal(err)
		}
		return path
	}
	ca := testserver.NewCA(tb)
	client := ca.Issue(testserver.Leaf{CommonName: "client", Client: true})
	cert, key, both := testserver.WriteCert(tb, sub("client"), "client", client)
	caDir := sub("cadir")
	ca.WriteFiles(caDir)
	return &Authority{ca: ca, paths: strings.NewReplacer(
		"{CA}", ca.WriteFiles(sub("ca")),
		"{CADIR}", caDir,
		"{OTHER_CA}", testserver.NewCA(tb).WriteFiles(sub("other")),
		"{CLIENT_CERT}", cert, "{CLIENT_KEY}", key, "{CLIENT_PEM}", both,
		"{NOFILE}", filepath.Join(dir, "none"),
	)}
}

// path puts paths in the place of their names.
func (a *Authority) path(s string) string { return a.paths.Replace(s) }

// server returns the TLS settings of an origin for a host, spoilt as the
// suffix of its key says.
func (a *Authority) server(host, suffix string) *tls.Config {
	leaf := testserver.Leaf{Hosts: []string{host}}
	config := &tls.Config{NextProtos: []string{"http/1.1"}}
	switch suffix {
	case "selfsigned":
		leaf.SelfSigned = true
	case "wronghost":
		leaf.Hosts = []string{"wrong.test"}
	case "expired":
		leaf.Expired = true
	case "clientcert":
		config.MaxVersion = tls.VersionTLS12
		config.ClientAuth = tls.RequireAndVerifyClientCert
		config.ClientCAs = a.ca.Pool()
	}
	config.Certificates = []tls.Certificate{a.ca.Issue(leaf)}
	return config
}
