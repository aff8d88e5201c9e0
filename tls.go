package requests

import (
	"crypto/tls"
	"crypto/x509"
)

// TLSVerify says which server certificates are trusted. The zero value is
// unset: it inherits, and in the end verifies against the system's roots.
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

func (v TLSVerify) isZero() bool { return v == TLSVerify{} }

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
