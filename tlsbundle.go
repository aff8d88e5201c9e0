package requests

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// roots returns what is trusted; nil is the system's.
func (v TLSVerify) roots() (*x509.CertPool, error) {
	if v.CABundle == "" {
		return v.Roots, nil
	}
	fi, err := os.Stat(v.CABundle)
	if err != nil {
		return nil, sslError("CA bundle", v.CABundle, err)
	}
	b := bundle{pool: x509.NewCertPool()}
	if !fi.IsDir() {
		err := b.addFile(v.CABundle)
		if err == nil && b.count == 0 {
			err = b.unknown
		}
		if err == nil && b.count == 0 {
			err = errors.New("no certificate in it")
		}
		if err != nil {
			return nil, sslError("CA bundle", v.CABundle, err)
		}
		return b.pool, nil
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
		_ = b.addFile(path)
	}
	return b.pool, nil
}

// bundle gathers the certificates of PEM files.
type bundle struct {
	pool    *x509.CertPool
	count   int   // of the certificates that were read, those not trusted included
	unknown error // of the first certificate that package x509 does not take
}

var errBrokenPEM = errors.New("a certificate in it is broken")

// addFile adds the certificates of a file. A broken one is an error, and does
// not keep those behind it from being added. One that is well-formed and that
// package x509 does not take, for its curve or its serial number, is passed
// over: it would verify nothing.
func (b *bundle) addFile(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	begun := countCertificates(data)
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		// Keys and parameters may stand in the same file; they are not for us.
		if !isCertificate(block.Type) {
			continue
		}
		begun--
		if addErr := b.add(block); addErr != nil && err == nil {
			err = addErr
		}
	}
	// Package pem passes over what it cannot decode.
	if begun > 0 && err == nil {
		err = errBrokenPEM
	}
	return err
}

// add adds the certificate of a block.
func (b *bundle) add(block *pem.Block) error {
	var der asn1.RawValue
	aux, err := asn1.Unmarshal(block.Bytes, &der)
	if err != nil {
		return fmt.Errorf("%w: %w", errBrokenPEM, err)
	}
	trusted := true
	if block.Type == trustedCertificate {
		if trusted, err = trustsServers(aux); err != nil {
			return fmt.Errorf("%w: %w", errBrokenPEM, err)
		}
	} else if len(aux) > 0 {
		return fmt.Errorf("%w: data behind it", errBrokenPEM)
	}
	cert, err := x509.ParseCertificate(der.FullBytes)
	if err != nil {
		if b.unknown == nil {
			b.unknown = err
		}
		return nil
	}
	if trusted {
		b.pool.AddCert(cert)
	}
	b.count++
	return nil
}

const trustedCertificate = "TRUSTED CERTIFICATE"

// isCertificate reports whether a PEM block of that type holds a certificate,
// by any of the names that OpenSSL knows.
func isCertificate(blockType string) bool {
	switch blockType {
	case "CERTIFICATE", "X509 CERTIFICATE", trustedCertificate:
		return true
	}
	return false
}

// countCertificates counts the lines at which a certificate begins.
func countCertificates(data []byte) (n int) {
	for line := range bytes.Lines(data) {
		name, ok := bytes.CutPrefix(line, []byte("-----BEGIN "))
		if name, end := bytes.CutSuffix(bytes.TrimRight(name, " \t\r\n"), []byte("-----")); ok && end && isCertificate(string(name)) {
			n++
		}
	}
	return n
}

// certAux is what OpenSSL's TRUSTED CERTIFICATE has behind the certificate:
//
//	X509_CERT_AUX ::= SEQUENCE {
//		trust  SEQUENCE OF OBJECT IDENTIFIER OPTIONAL,
//		reject [0] IMPLICIT SEQUENCE OF OBJECT IDENTIFIER OPTIONAL,
//		alias  UTF8String OPTIONAL,
//		keyid  OCTET STRING OPTIONAL,
//		other  [1] IMPLICIT SEQUENCE OF AlgorithmIdentifier OPTIONAL }
type certAux struct {
	Trust  []asn1.ObjectIdentifier `asn1:"optional"`
	Reject []asn1.ObjectIdentifier `asn1:"optional,tag:0"`
	Alias  string                  `asn1:"optional,utf8"`
	KeyID  []byte                  `asn1:"optional"`
	Other  asn1.RawValue           `asn1:"optional,tag:1"`
}

// trustsServers reports whether a certificate with this behind it is trusted
// to vouch for servers: it is not where that use is rejected, or where uses
// are listed and that is not among them.
func trustsServers(aux []byte) (bool, error) {
	if len(aux) == 0 {
		return true, nil
	}
	var a certAux
	if rest, err := asn1.Unmarshal(aux, &a); err != nil {
		return false, err
	} else if len(rest) > 0 {
		return false, errors.New("data behind it")
	}
	forServers := func(id asn1.ObjectIdentifier) bool {
		return id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 1}) || // serverAuth
			id.Equal(asn1.ObjectIdentifier{2, 5, 29, 37, 0}) // anyExtendedKeyUsage
	}
	if slices.ContainsFunc(a.Reject, forServers) {
		return false, nil
	}
	return a.Trust == nil || slices.ContainsFunc(a.Trust, forServers), nil
}
