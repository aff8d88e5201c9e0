package tunnel

import (
	"fmt"
	"io"
)

// checkName says whether host fits a SOCKS request as a name. The length is
// that of SOCKS5's length byte, and more than any DNS name has; a longer one
// is an error and is never resolved here instead (CVE-2023-38545).
func checkName(host string) error {
	if host == "" || len(host) > 255 {
		return &InputError{"target", "SOCKS carries names of 1 to 255 bytes"}
	}
	return checkHost("target", host)
}

// checkVersion compares the first byte of a SOCKS answer with the only one
// that it may be.
func checkVersion(protocol string, got, want byte) error {
	if got == want {
		return nil
	}
	return &ProtocolError{protocol, fmt.Sprintf("the answer begins with %#02x in place of %#02x", got, want), nil}
}

// send writes one SOCKS message.
func send(w io.Writer, protocol string, b []byte) error {
	if _, err := w.Write(b); err != nil {
		return ioError(protocol, "sending a message", err)
	}
	return nil
}

// receive fills b, and reads nothing beyond it.
func receive(r io.Reader, protocol string, b []byte) error {
	if _, err := io.ReadFull(r, b); err != nil {
		return ioError(protocol, "its answer was read", err)
	}
	return nil
}
