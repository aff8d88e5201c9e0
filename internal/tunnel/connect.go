package tunnel

import (
	"bufio"
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// A Field is one header field, sent in the spelling and place it is given in.
type Field struct {
	Name  string // a token (RFC 9110 section 5.6.2)
	Value string // anything without control characters but tab; may be empty
}

// Limits bounds what [Connect] accepts of an answer. The zero value stands for
// the defaults, as does a field that is zero or negative.
type Limits struct {
	// Head is the greatest size of the answer's head in bytes, interim
	// answers included. The default is 64 KiB.
	Head int

	// Interim is the greatest number of interim (1xx) answers that are
	// skipped. The default is 5.
	Interim int

	// Body is how many bytes are kept of the body of a refusal. The default
	// is 4 KiB.
	Body int

	// BodyWait is how long the body of a refusal is waited for. A refusal
	// is known by its head, so a body that does not come in time is cut
	// and is no error. The default is one second.
	BodyWait time.Duration
}

// filled returns the limits with the defaults filled in.
func (l Limits) filled() Limits {
	if l.Head <= 0 {
		l.Head = 64 << 10
	}
	if l.Interim <= 0 {
		l.Interim = 5
	}
	if l.Body <= 0 {
		l.Body = 4 << 10
	}
	if l.BodyWait <= 0 {
		l.BodyWait = time.Second
	}
	return l
}

// Connect asks the HTTP proxy at the other end of conn for a tunnel to target,
// a "host:port" with IPv6 addresses in brackets (RFC 9110 section 9.3.6).
// Beside the Host field only the given fields are sent; one of them named Host
// takes the place of Connect's own.
//
// Only a status of 200 opens the tunnel, as in Requests; the RFC would take
// any 2xx. The connection returned is then the way to the target: it is conn,
// or wraps conn when bytes of the target came along with the proxy's answer,
// and gives those out first. Content-Length and Transfer-Encoding of a 200 are
// ignored, as the RFC demands.
//
// Any other final status is a [*RefusedError], an answer that is not HTTP or
// exceeds lim a [*ProtocolError], an unfit target or field an [*InputError].
func Connect(ctx context.Context, conn net.Conn, target string, header []Field, lim Limits) (net.Conn, error) {
	request, err := connectRequest(target, header)
	if err != nil {
		return nil, err
	}
	lim = lim.filled()
	// It may read beyond the head; what it has then is given back below.
	br := bufio.NewReader(conn)
	var a answer
	err = guard(ctx, conn, func() error {
		if _, err := conn.Write(request); err != nil {
			return ioError("CONNECT", "sending the request", err)
		}
		a, err = finalAnswer(br, lim)
		return err
	})
	if err != nil {
		return nil, err
	}
	if a.code != 200 {
		return nil, refusal(ctx, conn, br, a, lim)
	}
	if br.Buffered() == 0 {
		return conn, nil
	}
	early := make([]byte, br.Buffered())
	_, _ = br.Read(early) // gives all that is buffered, and cannot fail
	return &replayConn{Conn: conn, early: early}, nil
}

// refusal makes the error of an answer other than 200, with what comes of its
// body in time.
func refusal(ctx context.Context, conn net.Conn, br *bufio.Reader, a answer, lim Limits) *RefusedError {
	e := &RefusedError{Status: a.status, StatusCode: a.code, Header: parseFields(a.fields)}
	ctx, cancel := context.WithTimeout(ctx, lim.BodyWait)
	defer cancel()
	// The refusal stands whatever becomes of its body.
	_ = guard(ctx, conn, func() error {
		e.Body = readBody(br, a.code, e.Header, lim.Body)
		return nil
	})
	return e
}

// connectRequest is the head of the CONNECT request.
//
//	request = "CONNECT" SP authority-form SP "HTTP/1.1" CRLF
//	          *( field-line CRLF ) CRLF
//	(RFC 9112 sections 3 and 3.2.3)
func connectRequest(target string, header []Field) ([]byte, error) {
	if err := checkTarget(target); err != nil {
		return nil, err
	}
	hasHost := false
	for _, f := range header {
		if !httpguts.ValidHeaderFieldName(f.Name) {
			return nil, &InputError{"header name", "it is empty or holds a byte that no token may hold"}
		}
		if !httpguts.ValidHeaderFieldValue(f.Value) {
			return nil, &InputError{"value of header " + f.Name, "it holds a control character"}
		}
		hasHost = hasHost || strings.EqualFold(f.Name, "Host")
	}
	b := append([]byte("CONNECT "), target...)
	b = append(b, " HTTP/1.1\r\n"...)
	if !hasHost {
		b = appendField(b, Field{"Host", target})
	}
	for _, f := range header {
		b = appendField(b, f)
	}
	return append(b, "\r\n"...), nil
}

// appendField appends one field line to b.
func appendField(b []byte, f Field) []byte {
	b = append(b, f.Name...)
	b = append(b, ": "...)
	b = append(b, f.Value...)
	return append(b, "\r\n"...)
}

// checkTarget says whether target is a host and a port and nothing else. Names
// are not checked against DNS rules, which are the proxy's business, but
// cannot hold what would end the request line or the authority.
func checkTarget(target string) error {
	host, port, err := net.SplitHostPort(target)
	if err != nil || host == "" {
		return &InputError{"target", "it is not of the form host:port"}
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return &InputError{"target", "its port is not a number from 0 to 65535"}
	}
	if target[0] == '[' {
		if ip, err := netip.ParseAddr(host); err != nil || !ip.Is6() {
			return &InputError{"target", "there is no IPv6 address in its brackets"}
		}
	}
	return checkHost("target", host)
}

// checkHost refuses a host with bytes that no name or address has: controls,
// spaces, anything beyond ASCII, and the delimiters of a URL.
func checkHost(field, host string) error {
	for i := range len(host) {
		if c := host[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`/?#@\`, c) >= 0 {
			return &InputError{field, "its host holds a byte that no host may hold"}
		}
	}
	return nil
}
