package requests

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
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
	// what is in it is trusted, as it is when a connection is made: what was
	// changed counts for the next one, and those that are open serve on.
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
// value is unset. The key must not be encrypted. Files that were renewed count
// for the next connection that is made; those that are open serve on. A proxy
// that is spoken to over TLS is shown the certificate where it forwards, for
// http, and not on the way to an https origin.
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

// text tells where the certificate comes from: a pointer within a struct is an
// address under %v.
func (c ClientCert) text() string {
	type plain ClientCert // without the methods
	return fmt.Sprintf("%+v", plain(c))
}

// LogValue tells where the certificate comes from, for [log/slog], and nothing of
// its key.
func (c ClientCert) LogValue() slog.Value { return slog.StringValue(c.text()) }

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

func (c ClientCert) fromFiles() bool { return !c.None && c.CertFile != "" }

// load returns the certificate, or nil where there is none.
func (c ClientCert) load() (*tls.Certificate, error) {
	if !c.fromFiles() {
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
	if err == nil {
		return &cert, nil
	}
	// Its error does not tell which of the two files is at fault.
	if leaf := firstBlock(certPEM, "CERTIFICATE"); leaf == nil {
		return nil, sslError("client certificate", c.CertFile, errors.New("no certificate in it"))
	} else if _, err := x509.ParseCertificate(leaf.Bytes); err != nil {
		return nil, sslError("client certificate", c.CertFile, err)
	}
	if key := firstBlock(keyPEM, "PRIVATE KEY"); key == nil {
		return nil, sslError("client key", keyFile, errors.New("no private key in it"))
	} else if err := checkKey(key.Bytes); err != nil {
		return nil, sslError("client key", keyFile, err)
	}
	if keyFile != c.CertFile {
		return nil, sslError("client certificate", c.CertFile+" with key "+keyFile, err)
	}
	return nil, sslError("client certificate", c.CertFile, err)
}

// firstBlock finds the first block of a PEM file whose type is kind, or a kind
// of it, such as an EC PRIVATE KEY.
func firstBlock(data []byte, kind string) *pem.Block {
	for {
		var block *pem.Block
		block, data = pem.Decode(data)
		if block == nil || block.Type == kind || strings.HasSuffix(block.Type, " "+kind) {
			return block
		}
	}
}

// checkKey reports whether a private key can be read, in any of the forms that
// package tls takes.
func checkKey(der []byte) error {
	if _, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return nil
	}
	if _, err := x509.ParseECPrivateKey(der); err == nil {
		return nil
	}
	_, err := x509.ParsePKCS8PrivateKey(der)
	return err
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

// config makes the configuration of connections to origins.
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

// forProxy is what of an origin's configuration holds for the TLS proxy on the
// way to it: whom to trust, and how to speak. Name and pins are the origin's,
// and so is the client certificate, which a proxy is shown where it forwards
// alone, since there it is the only peer.
func forProxy(origin *tls.Config, forward bool) *tls.Config {
	c := origin.Clone()
	c.ServerName, c.VerifyConnection = "", nil
	c.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	if !forward {
		c.Certificates = nil
	}
	return c
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
