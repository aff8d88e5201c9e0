package tunnel

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
)

// The numbers of SOCKS version 4.
const (
	version4 = 0x04
	granted4 = 0x5a
)

// SOCKS4 asks the SOCKS version 4 proxy at the other end of conn for a
// connection to an IPv4 address; an IPv4-mapped one counts as such. The userid
// may be empty. A SOCKS4 proxy knows no password.
//
// After a nil error conn is the way to the target, and no byte beyond the
// proxy's reply has been read from it.
func SOCKS4(ctx context.Context, conn net.Conn, ip netip.Addr, port uint16, userid string) error {
	ip = ip.Unmap()
	if !ip.Is4() {
		return &InputError{"target", "SOCKS4 carries IPv4 addresses only"}
	}
	if marksName(ip) {
		return &InputError{"target", "an address 0.0.0.x announces a name"}
	}
	return exchange4(ctx, conn, ip, port, userid, "")
}

// SOCKS4A is [SOCKS4] with a name that the proxy resolves. A host that is an
// IPv4 address in text form is sent as an address.
func SOCKS4A(ctx context.Context, conn net.Conn, host string, port uint16, userid string) error {
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() {
		return SOCKS4(ctx, conn, ip, port, userid)
	}
	if err := checkName(host); err != nil {
		return err
	}
	// The address 0.0.0.1 says that a name follows.
	return exchange4(ctx, conn, netip.AddrFrom4([4]byte{3: 1}), port, userid, host)
}

// marksName says whether a version 4A proxy takes ip for the sign that a name
// follows, and would wait for it.
func marksName(ip netip.Addr) bool {
	b := ip.As4()
	return b[0] == 0 && b[1] == 0 && b[2] == 0 && b[3] != 0
}

// exchange4 sends a request and reads its reply.
func exchange4(ctx context.Context, conn net.Conn, ip netip.Addr, port uint16, userid, host string) error {
	// It would end the userid early, and the rest be read as a name.
	if strings.IndexByte(userid, 0) >= 0 {
		return &InputError{"userid", "it holds a NUL byte"}
	}
	return guard(ctx, conn, func() error {
		if err := send(conn, "SOCKS4", request4(ip, port, userid, host)); err != nil {
			return err
		}
		return readReply4(conn)
	})
}

// request4 is the CONNECT request, of version 4A when there is a host.
//
//	request = %x04 %x01 port 4OCTET userid %x00 [ host %x00 ]
func request4(ip netip.Addr, port uint16, userid, host string) []byte {
	b := binary.BigEndian.AppendUint16([]byte{version4, cmdConnect}, port)
	b = append(b, ip.AsSlice()...)
	b = append(b, userid...)
	b = append(b, 0)
	if host != "" {
		b = append(b, host...)
		b = append(b, 0)
	}
	return b
}

// readReply4 reads the reply to the request.
//
//	reply = %x00 code port 4OCTET
//
// Port and address mean nothing here. A refusal counts from its code on.
func readReply4(r io.Reader) error {
	var b [2]byte
	if err := receive(r, "SOCKS4", b[:]); err != nil {
		return err
	}
	if err := checkVersion("SOCKS4", b[0], 0x00); err != nil {
		return err
	}
	if b[1] != granted4 {
		return &ReplyError{Version: 4, Code: b[1]}
	}
	return receive(r, "SOCKS4", make([]byte, 6))
}
