package testserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// A CA is a throw-away certificate authority with an ECDSA P-256 key. Make one
// with [NewCA]. It may be used by many goroutines.
type CA struct {
	// Cert is the authority's own certificate.
	Cert *x509.Certificate

	tb     testing.TB        // fails where a certificate cannot be made
	key    *ecdsa.PrivateKey // signs
	now    time.Time         // what validity is reckoned from
	chain  [][]byte          // DER certificates between a leaf and the root, this CA's first
	serial atomic.Int64      // of the last certificate
}

// A Leaf tells [CA.Issue] what certificate to make. The zero value is a good
// server certificate for no host.
type Leaf struct {
	// Hosts are the names and addresses that the certificate is for.
	Hosts []string

	// CommonName is the subject's common name; when empty, the first host.
	CommonName string

	Expired     bool // ended an hour ago
	NotYetValid bool // begins in an hour
	Client      bool // for TLS clients, and so no server's
	NoSAN       bool // names its hosts by the common name alone
	IPAsName    bool // names its addresses as if they were DNS names
	SelfSigned  bool // signed by its own key
	NoChain     bool // leaves out the intermediates when served
}

// NewCA makes a root authority that takes the present for now.
func NewCA(tb testing.TB) *CA {
	tb.Helper()
	return NewCAAt(tb, time.Now())
}

// NewCAAt makes a root authority whose certificates are valid, or not, as seen
// at the time now: from 24 hours before it to 24 hours after.
func NewCAAt(tb testing.TB, now time.Time) *CA {
	tb.Helper()
	ca := &CA{tb: tb, key: newKey(tb), now: now}
	template := ca.authority("Test Root")
	ca.Cert = ca.sign(template, template, &ca.key.PublicKey, ca.key)
	return ca
}

// Intermediate makes an authority whose certificate is signed by ca. Its
// leaves are served with the certificates of the chain up to the root's, which
// is left out.
func (ca *CA) Intermediate(name string) *CA {
	ca.tb.Helper()
	sub := &CA{tb: ca.tb, key: newKey(ca.tb), now: ca.now}
	sub.Cert = ca.sign(ca.authority(name), ca.Cert, &sub.key.PublicKey, ca.key)
	sub.chain = append([][]byte{sub.Cert.Raw}, ca.chain...)
	return sub
}

// Leaf makes a good server certificate for hosts, which are names and
// addresses.
func (ca *CA) Leaf(hosts ...string) tls.Certificate {
	ca.tb.Helper()
	return ca.Issue(Leaf{Hosts: hosts})
}

// Issue makes the certificate that l describes.
func (ca *CA) Issue(l Leaf) tls.Certificate {
	ca.tb.Helper()
	key, template := newKey(ca.tb), ca.template(l)
	parent, signer, chain := ca.Cert, ca.key, ca.chain
	// No authority has a part in it, and none of its certificates is served.
	if l.SelfSigned {
		parent, signer, chain = template, key, nil
	}
	if l.NoChain {
		chain = nil
	}
	leaf := ca.sign(template, parent, &key.PublicKey, signer)
	return tls.Certificate{
		Certificate: append([][]byte{leaf.Raw}, chain...),
		PrivateKey:  key,
		Leaf:        leaf,
	}
}

// PEM returns the authority's certificate in PEM form.
func (ca *CA) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Cert.Raw})
}

// Pool returns a new pool with the authority's certificate alone.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.Cert)
	return pool
}

// authority is the template of an authority's certificate.
func (ca *CA) authority(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:          big.NewInt(ca.serial.Add(1)),
		Subject:               pkix.Name{Organization: []string{"Throw-Away  Tests"}, CommonName: name},
		NotBefore:             ca.now.Add(-24 * time.Hour),
		NotAfter:              ca.now.Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
}

// template is the template of the certificate that l describes.
func (ca *CA) template(l Leaf) *x509.Certificate {
	t := &x509.Certificate{
		SerialNumber: big.NewInt(ca.serial.Add(1)),
		Subject:      pkix.Name{CommonName: l.CommonName},
		NotBefore:    ca.now.Add(-12 * time.Hour),
		NotAfter:     ca.now.Add(12 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if l.CommonName == "" && len(l.Hosts) > 0 {
		t.Subject.CommonName = l.Hosts[0]
	}
	if l.Expired {
		t.NotAfter = ca.now.Add(-time.Hour)
	}
	if l.NotYetValid {
		t.NotBefore = ca.now.Add(time.Hour)
	}
	if l.Client {
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	if !l.NoSAN {
		addNames(t, l.Hosts, l.IPAsName)
	}
	return t
}

// addNames sorts hosts into the two kinds of subject alternative name.
func addNames(t *x509.Certificate, hosts []string, ipAsName bool) {
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil && !ipAsName {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, host)
		}
	}
}

// sign makes a certificate of template and reads it back.
func (ca *CA) sign(template, parent *x509.Certificate, public *ecdsa.PublicKey, key *ecdsa.PrivateKey) *x509.Certificate {
	ca.tb.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	must(ca.tb, err)
	// The template lacks what only encoding fills in, such as Raw.
	cert, err := x509.ParseCertificate(der)
	must(ca.tb, err)
	return cert
}

// newKey makes a key.
func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(tb, err)
	return key
}

// must ends the test when there is an error.
func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
