package tunnel

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"
)

var (
	// ErrAuth is returned by [SOCKS5] when the proxy has looked at the user
	// name and password and does not accept them (RFC 1929 section 2).
	ErrAuth = errors.New("tunnel: SOCKS5 authentication failed")

	// ErrNoMethod is returned by [SOCKS5] when the proxy accepts none of the
	// offered authentication methods (RFC 1928 section 3); most often it
	// wants credentials and was given none.
	ErrNoMethod = errors.New("tunnel: SOCKS5 proxy accepts none of the offered authentication methods")
)

// An InputError says that an argument cannot be put on the wire. It is
// returned before anything is written. Its text never holds the argument
// itself, which may be a secret.
type InputError struct {
	Field  string // what was wrong, such as "target" or "password"
	Reason string // why
}

// Error names the argument and the reason.
func (e *InputError) Error() string {
	return "tunnel: invalid " + e.Field + ": " + e.Reason
}

// A ProtocolError says that the proxy did not speak the protocol: it answered
// with something else, with too much, or went away in the middle.
type ProtocolError struct {
	Protocol string // "CONNECT", "SOCKS4" or "SOCKS5"
	Reason   string // what was wrong with the answer
	Err      error  // the cause, or nil; [io.ErrUnexpectedEOF] when the proxy closed
}

// Error names the protocol and the reason.
func (e *ProtocolError) Error() string {
	return "tunnel: " + e.Protocol + ": " + e.Reason
}

// Unwrap returns the cause.
func (e *ProtocolError) Unwrap() error { return e.Err }

// A RefusedError is a proxy's answer to CONNECT with any status but 200. The
// answer comes from the proxy and not from the target, so it must never be
// taken for the target's response, and its Location not be followed.
type RefusedError struct {
	Status     string      // code and reason phrase, such as "407 Proxy Authentication Required"
	StatusCode int         // the code alone
	Header     http.Header // the fields of the answer, by canonical name
	Body       []byte      // the start of the body, at most [Limits].Body bytes
}

// Error gives the status, and for 407 what to do about it.
func (e *RefusedError) Error() string {
	text := "tunnel: proxy refused CONNECT: " + printable(e.Status)
	if e.StatusCode == http.StatusProxyAuthRequired {
		text += " (missing or wrong proxy credentials)"
	}
	return text
}

// A ReplyError is a SOCKS proxy's refusal of the connection. For SOCKS5 it
// matches, by [errors.Is], the error that dialling the target directly would
// have given: [syscall.ENETUNREACH] for reply 3, [syscall.EHOSTUNREACH] for 4,
// [syscall.ECONNREFUSED] for 5 and [syscall.ETIMEDOUT] for 6.
type ReplyError struct {
	Version int  // 4 or 5
	Code    byte // REP of RFC 1928 section 6, or CD of SOCKS4
}

// Error gives the code and its meaning.
func (e *ReplyError) Error() string {
	return fmt.Sprintf("tunnel: SOCKS%d proxy refused: %#02x: %s", e.Version, e.Code, e.meaning())
}

// Unwrap returns the system error of the same meaning, or nil.
func (e *ReplyError) Unwrap() error {
	if e.Version != 5 {
		return nil
	}
	switch e.Code {
	case 0x03:
		return syscall.ENETUNREACH
	case 0x04:
		return syscall.EHOSTUNREACH
	case 0x05:
		return syscall.ECONNREFUSED
	case 0x06:
		return syscall.ETIMEDOUT
	}
	return nil
}

// meaning is the wording of RFC 1928 section 6, and of the SOCKS4 paper.
func (e *ReplyError) meaning() string {
	switch {
	case e.Version == 5 && e.Code >= 0x01 && e.Code <= 0x08:
		return [...]string{
			"General SOCKS server failure",
			"Connection not allowed by ruleset",
			"Network unreachable",
			"Host unreachable",
			"Connection refused",
			"TTL expired",
			"Command not supported",
			"Address type not supported",
		}[e.Code-0x01]
	case e.Version == 4 && e.Code >= 0x5b && e.Code <= 0x5d:
		return [...]string{
			"Request rejected or failed",
			"Request rejected because the proxy cannot connect to identd on the client",
			"Request rejected because the client program and identd report different user-ids",
		}[e.Code-0x5b]
	}
	return "Unassigned reply code"
}

// ioError puts a failed read or write into words. The end of the connection,
// wherever it came, is a [*ProtocolError]; any other error is wrapped.
func ioError(protocol, doing string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &ProtocolError{protocol, "the proxy closed the connection while " + doing, io.ErrUnexpectedEOF}
	}
	return fmt.Errorf("tunnel: %s: %s: %w", protocol, doing, err)
}

// printable returns s as it is when it can stand in a line of text, else
// quoted: it comes from the network and may hold anything. Beyond what
// uri.Unprintable tells of it quotes what has no form, such as spaces but that
// of ASCII.
func printable(s string) string {
	unprintable := func(r rune) bool { return !strconv.IsPrint(r) }
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unprintable) {
		return strconv.Quote(s)
	}
	return s
}
