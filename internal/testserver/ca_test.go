package testserver

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCertificates(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	ca := NewCAAt(t, now)
	sub := ca.Intermediate("Test Intermediate")
	tests := []struct {
		name string
		cert tls.Certificate
		host string
		want any // a pointer to the error expected, or nil
	}{
		{"name", ca.Leaf("a.test", "b.test"), "b.test", nil},
		{"address", ca.Leaf("127.0.0.1", "::1"), "::1", nil},
		{"wildcard", ca.Leaf("*.a.test"), "x.a.test", nil},
		{"chain", sub.Leaf("a.test"), "a.test", nil},
		{"longer chain", sub.Intermediate("Third").Leaf("a.test"), "a.test", nil},
		{"wrong host", ca.Leaf("a.test"), "b.test", new(x509.HostnameError)},
		{"wrong wildcard", ca.Leaf("*.a.test"), "x.y.a.test", new(x509.HostnameError)},
		{"expired", ca.Issue(Leaf{Hosts: []string{"a.test"}, Expired: true}), "a.test", new(x509.CertificateInvalidError)},
		{"not yet valid", ca.Issue(Leaf{Hosts: []string{"a.test"}, NotYetValid: true}), "a.test", new(x509.CertificateInvalidError)},
		{"client's", ca.Issue(Leaf{Hosts: []string{"a.test"}, Client: true}), "a.test", new(x509.CertificateInvalidError)},
		{"common name only", ca.Issue(Leaf{Hosts: []string{"a.test"}, NoSAN: true}), "a.test", new(x509.HostnameError)},
		{"address as name", ca.Issue(Leaf{Hosts: []string{"127.0.0.1"}, IPAsName: true}), "127.0.0.1", new(x509.HostnameError)},
		{"self-signed", ca.Issue(Leaf{Hosts: []string{"a.test"}, SelfSigned: true}), "a.test", new(x509.UnknownAuthorityError)},
		{"missing intermediate", sub.Issue(Leaf{Hosts: []string{"a.test"}, NoChain: true}), "a.test", new(x509.UnknownAuthorityError)},
		{"other authority", NewCAAt(t, now).Leaf("a.test"), "a.test", new(x509.UnknownAuthorityError)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inter := x509.NewCertPool()
			for _, der := range tt.cert.Certificate[1:] {
				cert, err := x509.ParseCertificate(der)
				require.NoError(t, err)
				inter.AddCert(cert)
			}
			_, err := tt.cert.Leaf.Verify(x509.VerifyOptions{
				DNSName: tt.host, Roots: ca.Pool(), Intermediates: inter, CurrentTime: now,
			})
			if tt.want == nil {
				assert.NoError(t, err)
				return
			}
			assert.ErrorAs(t, err, tt.want)
		})
	}
}

// TestClientCertificate shakes hands with certificates on both sides.
func TestClientCertificate(t *testing.T) {
	ca := NewCA(t)
	a, b := net.Pipe()
	defer a.Close()
	server := tls.Server(b, &tls.Config{
		Certificates: []tls.Certificate{ca.Leaf("a.test")},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    ca.Pool(),
	})
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }()
	client := tls.Client(a, &tls.Config{
		ServerName:   "a.test",
		RootCAs:      ca.Pool(),
		Certificates: []tls.Certificate{ca.Issue(Leaf{CommonName: "me", Client: true})},
	})
	require.NoError(t, client.Handshake())
	require.NoError(t, <-done)
	assert.Equal(t, "me", server.ConnectionState().PeerCertificates[0].Subject.CommonName)
}

func TestFiles(t *testing.T) {
	ca, dir := NewCA(t), t.TempDir()
	bundle := ca.WriteFiles(dir)
	got, err := os.ReadFile(bundle)
	require.NoError(t, err)
	block, rest := pem.Decode(got)
	assert.Equal(t, ca.Cert.Raw, block.Bytes)
	assert.Empty(t, rest)

	leaf := ca.Intermediate("Sub").Leaf("a.test")
	cert, key, both := WriteCert(t, dir, "leaf", leaf)
	for _, files := range [][2]string{{cert, key}, {both, both}} {
		pair, err := tls.LoadX509KeyPair(files[0], files[1])
		require.NoError(t, err)
		assert.Equal(t, leaf.Certificate, pair.Certificate)
		assert.Len(t, pair.Certificate, 2)
	}

	first, second := ca.WriteHashed(dir), ca.WriteHashed(dir)
	assert.Regexp(t, `/[0-9a-f]{8}\.0$`, filepath.ToSlash(first))
	assert.Equal(t, strings.TrimSuffix(first, "0")+"1", second)
}

// TestSubjectHash compares with values that OpenSSL 3 has given, and with the
// OpenSSL of the machine where there is one.
func TestSubjectHash(t *testing.T) {
	tests := []struct {
		name string
		rdns pkix.RDNSequence
		want string
	}{
		{"printable", pkix.RDNSequence{{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "Test Root"}}}, "2faabc7f"},
		{
			"spaces and case", pkix.RDNSequence{
				{{Type: asn1.ObjectIdentifier{2, 5, 4, 10}, Value: "  Throw-Away \t Tests "}},
				{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "TEST root"}},
			}, "180774b4",
		},
		{"utf8", pkix.RDNSequence{{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "Café ÉCOLE"}}}, "784fe4ef"},
		{
			"two in a set", pkix.RDNSequence{{
				{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "zz"},
				{Type: asn1.ObjectIdentifier{2, 5, 4, 10}, Value: "A"},
			}}, "11c8aa25",
		},
		{"none", nil, "eea339da"},
	}
	openssl, noOpenSSL := exec.LookPath("openssl")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw, err := asn1.Marshal(tt.rdns)
			require.NoError(t, err)
			ca := NewCA(t)
			ca.Cert = ca.sign(&x509.Certificate{
				SerialNumber: ca.Cert.SerialNumber, RawSubject: raw,
				NotBefore: ca.Cert.NotBefore, NotAfter: ca.Cert.NotAfter,
			}, ca.Cert, &ca.key.PublicKey, ca.key)
			got, err := SubjectHash(ca.Cert)
			require.NoError(t, err)
			assert.Equal(t, tt.want, fmt.Sprintf("%08x", got))
			if noOpenSSL == nil {
				out, err := exec.Command(openssl, "x509", "-noout", "-hash", "-in", ca.WriteFiles(t.TempDir())).Output()
				require.NoError(t, err)
				assert.Equal(t, strings.TrimSpace(string(out)), fmt.Sprintf("%08x", got))
			}
		})
	}
	for _, raw := range []string{"", "\x30\x02\x31\x05", "\x30\x03\x02\x01\x00"} {
		_, err := SubjectHash(&x509.Certificate{RawSubject: []byte(raw)})
		assert.ErrorContains(t, err, "subject: ")
	}
}

// A failedTest notes that it was ended.
type failedTest struct {
	testing.TB
	failed []any
}

func (f *failedTest) Helper() {}

func (f *failedTest) Fatal(args ...any) { f.failed = args }

func TestMust(t *testing.T) {
	f := &failedTest{}
	must(f, nil)
	assert.Empty(t, f.failed)
	must(f, os.ErrInvalid)
	assert.Equal(t, []any{os.ErrInvalid}, f.failed)
}
