package testserver

import (
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// WriteFiles writes the authority's certificate to dir, as a bundle in PEM
// form, and returns the path of the file.
func (ca *CA) WriteFiles(dir string) (bundle string) {
	ca.tb.Helper()
	return writeFile(ca.tb, filepath.Join(dir, "ca.pem"), ca.PEM())
}

// WriteHashed writes the authority's certificate to dir under the name that
// OpenSSL looks for in a directory of authorities, as its c_rehash program
// does: the [SubjectHash], a dot and the first free number. It returns the
// path of the file.
func (ca *CA) WriteHashed(dir string) string {
	ca.tb.Helper()
	hash, err := SubjectHash(ca.Cert)
	must(ca.tb, err)
	for n := 0; ; n++ {
		path := filepath.Join(dir, fmt.Sprintf("%08x.%d", hash, n))
		// OpenSSL goes through the numbers from 0 and stops at the first that is
		// free.
		if _, err := os.Lstat(path); os.IsNotExist(err) {
			return writeFile(ca.tb, path, ca.PEM())
		}
	}
}

// WriteCert writes a certificate with its chain to name.pem in dir, its key to
// name-key.pem, and both to name-both.pem, all in PEM form.
func WriteCert(tb testing.TB, dir, name string, cert tls.Certificate) (certFile, keyFile, bothFile string) {
	tb.Helper()
	var chain []byte
	for _, der := range cert.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	der, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	must(tb, err)
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	base := filepath.Join(dir, name)
	certFile = writeFile(tb, base+".pem", chain)
	keyFile = writeFile(tb, base+"-key.pem", key)
	bothFile = writeFile(tb, base+"-both.pem", append(chain, key...))
	return certFile, keyFile, bothFile
}

// writeFile writes a file that only its owner can read.
func writeFile(tb testing.TB, path string, content []byte) string {
	tb.Helper()
	must(tb, os.WriteFile(path, content, 0o600))
	return path
}

// SubjectHash is OpenSSL's X509_NAME_hash of a certificate's subject: the
// first four bytes, in little-endian order, of the SHA-1 of the subject's
// canonical encoding. In that every text is a UTF8String in lower case, has no
// space at its ends and single spaces within, and the name's sequence has no
// header.
func SubjectHash(cert *x509.Certificate) (uint32, error) {
	var name []asn1.RawValue // the relative distinguished names
	if _, err := asn1.Unmarshal(cert.RawSubject, &name); err != nil {
		return 0, fmt.Errorf("subject: %w", err)
	}
	var canonical []byte
	for _, rdn := range name {
		set, err := canonicalRDN(rdn.FullBytes)
		if err != nil {
			return 0, fmt.Errorf("subject: %w", err)
		}
		canonical = append(canonical, set...)
	}
	sum := sha1.Sum(canonical)
	return binary.LittleEndian.Uint32(sum[:]), nil
}

// An attribute is an AttributeTypeAndValue whose value may be of any type.
type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// An attributeSET is encoded as a SET for its name's ending.
type attributeSET []attribute

// canonicalRDN encodes one relative distinguished name canonically. Texts of
// more than one byte a character are left as they are; no test has them.
func canonicalRDN(der []byte) ([]byte, error) {
	var set attributeSET
	if _, err := asn1.Unmarshal(der, &set); err != nil {
		return nil, err
	}
	for i, a := range set {
		switch a.Value.Tag {
		case asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagIA5String, asn1.TagT61String:
			text := strings.Join(strings.Fields(lowerASCII(string(a.Value.Bytes))), " ")
			set[i].Value = asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(text)}
		}
	}
	return asn1.Marshal(set)
}

// lowerASCII puts the ASCII letters of s in lower case and leaves the rest.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + ('a' - 'A')
		}
	}
	return string(b)
}
