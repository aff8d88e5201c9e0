package requests

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// TLSVerify says which server certificates are trusted. The zero value is
// unset: it inherits, and in the end verifies against the system's roots. At
// most one field may be set.
type TLSVerify struct {
	// Always verifies against the system's roots, whatever the environment
	// or the session say.
	Always bool
	// Skip trusts any certificate for any name: for tests alone.
	Skip bool
	// CABundle is the path of a PEM file, or of a directory of them. Only
	// what is in it is trusted.
	CABundle string
	// Roots are trusted in the place of the system's.
	Roots *x509.CertPool
}

// isZero reports whether nothing is set, so that it inherits.
func (v TLSVerify) isZero() bool { return v == TLSVerify{} }

// check refuses two settings at once: which of them should win is anyone's
// guess, and a wrong guess trusts too much.
func (v TLSVerify) check() error {
	n := 0
	for _, set := range [...]bool{v.Always, v.Skip, v.CABundle != "", v.Roots != nil} {
		if set {
			n++
		}
	}
	if n > 1 {
		return invalidOption("TLSVerify sets more than one of Always, Skip, CABundle and Roots")
	}
	return nil
}

// ClientCert is the certificate shown to servers that ask for one. The zero
// value is unset. The key must not be encrypted.
type ClientCert struct {
	// CertFile is the path of a PEM file with the certificate and, where
	// KeyFile is empty, its key.
	CertFile string
	// KeyFile is the path of the key's PEM file.
	KeyFile string
	// Certificate is used in the place of files.
	Certificate *tls.Certificate
	// None shows none, whatever the session has.
	None bool
}

// check reports a file that is not there: the server may never ask for it,
// but who names it means it.
func (c ClientCert) check() error {
	for _, path := range [...]string{c.CertFile, c.KeyFile} {
		if path == "" {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			return sslError("client certificate", path, err)
		}
	}
	if c.KeyFile != "" && c.CertFile == "" {
		return invalidOption("ClientCert has a key and no certificate")
	}
	return nil
}

// sslError is an error of a file that TLS needs; it names the file.
func sslError(what, path string, err error) error {
	// The path is in the text already.
	if pathErr, ok := errors.AsType[*os.PathError](err); ok {
		err = pathErr.Err
	}
	return &Error{kind: ErrSSL, reason: what + " " + path, Err: err}
}

// load returns the certificate, or nil where there is none.
func (c ClientCert) load() (*tls.Certificate, error) {
	if c.None || c.CertFile == "" {
		return c.Certificate, nil
	}
	certPEM, err := os.ReadFile(c.CertFile)
	if err != nil {
		return nil, sslError("client certificate", c.CertFile, err)
	}
	keyPEM, keyFile := certPEM, c.CertFile
	if c.KeyFile != "" {
		keyFile = c.KeyFile
		if keyPEM, err = os.ReadFile(keyFile); err != nil {
			return nil, sslError("client key", keyFile, err)
		}
	}
	// Go cannot read these; its own error would say nothing of why.
	if encryptedKey(keyPEM) {
		return nil, sslError("client key", keyFile, errEncryptedKey)
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, sslError("client certificate", c.CertFile, err)
	}
	return &cert, nil
}

// errEncryptedKey says what Go's own error would leave out.
var errEncryptedKey = errors.New("the private key is encrypted; give one that is not, or a Certificate")

// encryptedKey reports whether the first key of a PEM file is encrypted, in
// the form of PKCS #8 or in OpenSSL's older one.
func encryptedKey(data []byte) bool {
	for {
		var block *pem.Block
		block, data = pem.Decode(data)
		switch {
		case block == nil:
			return false
		case block.Type == "ENCRYPTED PRIVATE KEY", strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
			return true
		// [tls.X509KeyPair] takes the first key, so that later ones do not matter.
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			return false
		}
	}
}

// roots returns what is trusted; nil is the system's.
func (v TLSVerify) roots() (*x509.CertPool, error) {
	if v.CABundle == "" {
		return v.Roots, nil
	}
	fi, err := os.Stat(v.CABundle)
	if err != nil {
		return nil, sslError("CA bundle", v.CABundle, err)
	}
	pool := x509.NewCertPool()
	if !fi.IsDir() {
		// An empty pool would trust nobody, and fail later with an error that does
		// not say why.
		if n, err := addCerts(pool, v.CABundle); err != nil {
			return nil, sslError("CA bundle", v.CABundle, err)
		} else if n == 0 {
			return nil, sslError("CA bundle", v.CABundle, errors.New("no certificate in it"))
		}
		return pool, nil
	}
	entries, err := os.ReadDir(v.CABundle)
	if err != nil {
		return nil, sslError("CA bundle", v.CABundle, err)
	}
	for _, entry := range entries {
		path := filepath.Join(v.CABundle, entry.Name())
		if fi, err := os.Stat(path); err != nil || !fi.Mode().IsRegular() {
			continue
		}
		// A directory may hold anything; what is no certificate is passed over.
		_, _ = addCerts(pool, path)
	}
	return pool, nil
}

// addCerts adds the certificates of a PEM file, and counts them.
func addCerts(pool *x509.CertPool, path string) (int, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	n := 0
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return n, nil
		}
		// Keys and parameters may stand in the same file; they are not for us.
		if block.Type != "CERTIFICATE" && block.Type != "TRUSTED CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return n, err
		}
		pool.AddCert(cert)
		n++
	}
}

// config makes the configuration of a transport's connections.
func (s TLSSettings) config(verify TLSVerify, cert ClientCert) (*tls.Config, error) {
	roots, err := verify.roots()
	if err != nil {
		return nil, err
	}
	own, err := cert.load()
	if err != nil {
		return nil, err
	}
	c := &tls.Config{
		RootCAs:            roots,
		InsecureSkipVerify: verify.Skip, //nolint:gosec // the caller asked for it by name
		MinVersion:         s.MinVersion,
		MaxVersion:         s.MaxVersion,
		CipherSuites:       s.CipherSuites,
		CurvePreferences:   s.Curves,
		ServerName:         s.ServerName,
		KeyLogWriter:       s.KeyLog,
		// Sessions are resumed within one transport: other settings of trust have
		// another.
		ClientSessionCache: tls.NewLRUClientSessionCache(0),
	}
	if own != nil {
		c.Certificates = []tls.Certificate{*own}
	}
	if len(s.Pins) > 0 {
		pins, err := parsePins(s.Pins)
		if err != nil {
			return nil, err
		}
		// After the usual verification, which a pin adds to and does not replace.
		c.VerifyConnection = func(cs tls.ConnectionState) error { return checkPins(cs, pins) }
	}
	return c, nil
}

// parsePins decodes pinned keys.
func parsePins(pins []string) ([][sha256.Size]byte, error) {
	out := make([][sha256.Size]byte, len(pins))
	for i, pin := range pins {
		b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(pin, "sha256/"))
		// A pin that can never match would lock the caller out; it is told before.
		if err != nil || len(b) != sha256.Size {
			return nil, invalidOption("pin %d is no base64 SHA-256 hash", i)
		}
		copy(out[i][:], b)
	}
	return out, nil
}

// checkPins looks for a pinned key in the chains that were verified, or, where
// nothing was, in the server's own certificate, whose key it has shown to
// hold. It runs on resumed connections too.
func checkPins(cs tls.ConnectionState, pins [][sha256.Size]byte) error {
	chains := cs.VerifiedChains
	if len(chains) == 0 && len(cs.PeerCertificates) > 0 {
		chains = [][]*x509.Certificate{cs.PeerCertificates[:1]}
	}
	for _, chain := range chains {
		for _, cert := range chain {
			// The key and not the certificate: a renewal with the same key keeps its
			// pin (RFC 7469, section 2.4).
			if slices.Contains(pins, sha256.Sum256(cert.RawSubjectPublicKeyInfo)) {
				return nil
			}
		}
	}
	return fmt.Errorf("no key of the server's certificates is pinned")
}

// tlsName is the name that a certificate is checked for, and that is asked
// for: without a trailing dot, and without a zone.
func tlsName(host string) string {
	host, _, _ = strings.Cut(host, "%")
	return strings.TrimSuffix(host, ".")
}
