package tunnel

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
)

// An Addr is a target for [SOCKS5]: an address when IP is valid, else the name
// in Host, which the proxy resolves. The zero value is no target.
type Addr struct {
	Host string     // a name of 1 to 255 bytes; unused when IP is valid
	IP   netip.Addr // an address without a zone
	Port uint16     // any, 0 included
}

// The numbers of RFC 1928.
const (
	// The first byte of each message, and the one command that is used.
	version5   = 0x05
	cmdConnect = 0x01

	methodNone     = 0x00 // no authentication required
	methodPassword = 0x02 // user name and password, RFC 1929
	methodNoneFits = 0xff // no acceptable method

	atypIPv4 = 0x01
	atypName = 0x03
	atypIPv6 = 0x04
)

// SOCKS5 asks the SOCKS version 5 proxy at the other end of conn for a
// connection to target (RFC 1928). With hasAuth, user name and password are
// offered beside no authentication, and sent if the proxy asks for them
// (RFC 1929). The user name is then of 1 to 255 bytes, the password of none to
// 255; what is longer is refused before anything is sent.
//
// An IPv4-mapped address is sent as IPv4, and a Host that is an address in
// text form as that address. After a nil error conn is the way to the target,
// and no byte beyond the proxy's reply has been read from it.
func SOCKS5(ctx context.Context, conn net.Conn, target Addr, user, pass string, hasAuth bool) error {
	// All messages are made before any is sent: a bad argument costs no round
	// trip.
	request, err := request5(target)
	if err != nil {
		return err
	}
	// A method that was not offered cannot be chosen: without credentials there
	// is one.
	greeting, login := []byte{version5, 1, methodNone}, []byte(nil)
	if hasAuth {
		if login, err = login5(user, pass); err != nil {
			return err
		}
		greeting = []byte{version5, 2, methodNone, methodPassword}
	}
	return guard(ctx, conn, func() error {
		if err := negotiate5(conn, greeting, login); err != nil {
			return err
		}
		if err := send(conn, "SOCKS5", request); err != nil {
			return err
		}
		return readReply5(conn)
	})
}

// negotiate5 agrees on an authentication method and goes through it. A nil
// login means that none was offered.
func negotiate5(conn io.ReadWriter, greeting, login []byte) error {
	if err := send(conn, "SOCKS5", greeting); err != nil {
		return err
	}
	method, err := readMethod5(conn)
	switch {
	case err != nil:
		return err
	case method == methodNoneFits:
		return ErrNoMethod
	case method == methodNone:
		return nil
	case method != methodPassword || login == nil:
		return &ProtocolError{"SOCKS5", "the proxy chose a method that was not offered", nil}
	}
	if err := send(conn, "SOCKS5", login); err != nil {
		return err
	}
	return readLogin5(conn)
}

// request5 is the CONNECT request.
//
//	request = %x05 cmd %x00 atyp addr port
//	addr    = 4OCTET / 16OCTET / length 1*255OCTET
//	(RFC 1928 sections 4 and 5)
func request5(target Addr) ([]byte, error) {
	ip := target.IP
	if literal, err := netip.ParseAddr(target.Host); err == nil && !ip.IsValid() {
		ip = literal
	}
	b := []byte{version5, cmdConnect, 0x00}
	switch ip = ip.Unmap(); {
	case ip.Zone() != "":
		return nil, &InputError{"target", "the zone of an address means nothing to a proxy"}
	case ip.Is4():
		b = append(b, atypIPv4)
		b = append(b, ip.AsSlice()...)
	case ip.Is6():
		b = append(b, atypIPv6)
		b = append(b, ip.AsSlice()...)
	default:
		if err := checkName(target.Host); err != nil {
			return nil, err
		}
		b = append(b, atypName, byte(len(target.Host)))
		b = append(b, target.Host...)
	}
	return binary.BigEndian.AppendUint16(b, target.Port), nil
}

// login5 is the user name and password request.
//
//	request = %x01 length 1*255OCTET length *255OCTET
//	(RFC 1929 section 2)
//
// The RFC has no empty password, but a proxy whose users have none is sent one,
// as curl does: its length byte is zero (PRX-20).
func login5(user, pass string) ([]byte, error) {
	switch {
	case user == "" || len(user) > 255:
		return nil, &InputError{"user name", "SOCKS5 carries 1 to 255 bytes"}
	case len(pass) > 255:
		return nil, &InputError{"password", "SOCKS5 carries up to 255 bytes"}
	}
	b := append([]byte{0x01, byte(len(user))}, user...)
	b = append(b, byte(len(pass)))
	return append(b, pass...), nil
}

// readMethod5 reads the proxy's choice of method.
func readMethod5(r io.Reader) (byte, error) {
	var b [2]byte
	if err := receive(r, "SOCKS5", b[:]); err != nil {
		return 0, err
	}
	return b[1], checkVersion("SOCKS5", b[0], version5)
}

// readLogin5 reads the proxy's verdict on user name and password, whose first
// byte is the version of that exchange and not of SOCKS.
func readLogin5(r io.Reader) error {
	var b [2]byte
	if err := receive(r, "SOCKS5", b[:]); err != nil {
		return err
	}
	if err := checkVersion("SOCKS5", b[0], 0x01); err != nil {
		return err
	}
	if b[1] != 0x00 {
		return ErrAuth
	}
	return nil
}

// readReply5 reads the reply to the request.
//
//	reply = %x05 rep %x00 atyp addr port
//	(RFC 1928 section 6)
//
// The address is the one that the proxy connects from; it is read, so that it
// is out of the way, and not looked at. A refusal counts from its code on:
// some proxies leave out what follows.
func readReply5(r io.Reader) error {
	var b [2]byte
	if err := receive(r, "SOCKS5", b[:]); err != nil {
		return err
	}
	if err := checkVersion("SOCKS5", b[0], version5); err != nil {
		return err
	}
	if b[1] != 0x00 {
		return &ReplyError{Version: 5, Code: b[1]}
	}
	if err := receive(r, "SOCKS5", b[:]); err != nil {
		return err
	}
	size := 0
	switch b[1] {
	case atypIPv4:
		size = 4
	case atypIPv6:
		size = 16
	case atypName:
		if err := receive(r, "SOCKS5", b[:1]); err != nil {
			return err
		}
		size = int(b[0])
	default:
		return &ProtocolError{"SOCKS5", fmt.Sprintf("the reply has an address of unknown type %#02x", b[1]), nil}
	}
	// The port follows the address.
	return receive(r, "SOCKS5", make([]byte, size+2))
}
