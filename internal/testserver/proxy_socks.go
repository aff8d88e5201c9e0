package testserver

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"testing"
)

// A SOCKSProxy is a SOCKS proxy for tests, of versions 4, 4A and 5 as the
// client asks. Set the fields, then call [SOCKSProxy.Start]; the zero value is
// a proxy that lets everyone in and reaches the loopback interface alone.
// After Start its methods may be used by many goroutines.
type SOCKSProxy struct {
	// Hosts says where the names in requests lead.
	Hosts Hosts

	// User and Pass are the credentials that version 5 asks for; a User
	// that is empty lets everyone in without.
	User, Pass string

	// Reply, when not zero, is the code of a refusal that answers every
	// request: such as 0x05 for version 5, 0x5b for version 4.
	Reply byte

	// Hang makes the proxy read what it is sent and never answer.
	Hang bool

	// Garbage, when not empty, is the answer to a connection's first
	// message; the connection is closed after it.
	Garbage string

	l        *listener
	mu       sync.Mutex // guards requests
	requests []SOCKSRequest
}

// A SOCKSRequest is what a client has sent on one connection, as far as it
// came.
type SOCKSRequest struct {
	Version byte       // 4 or 5
	Methods []byte     // version 5: the methods offered
	User    string     // version 5: the user name; version 4: the userid
	Pass    string     // version 5
	ATYP    byte       // version 5: 1 for IPv4, 3 for a name, 4 for IPv6
	Name    string     // the target, when it was a name
	IP      netip.Addr // the target, when it was an address; 0.0.0.1 for 4A
	Port    uint16     // the target's
	Raw     []byte     // all bytes, from the first to the last of the request
}

// Target is the request's target as host:port.
func (r SOCKSRequest) Target() string {
	host := r.Name
	if host == "" {
		host = r.IP.String()
	}
	return net.JoinHostPort(host, strconv.Itoa(int(r.Port)))
}

// Start makes the proxy listen. It ends with the test.
func (p *SOCKSProxy) Start(tb testing.TB) *SOCKSProxy {
	tb.Helper()
	ready := make(chan struct{})
	p.l = listen(tb, func(conn net.Conn) {
		<-ready
		p.serve(conn)
	})
	close(ready)
	return p
}

// Addr is the address that the proxy listens on, as host:port.
func (p *SOCKSProxy) Addr() string { return p.l.ln.Addr().String() }

// Requests returns what was asked so far, one for each connection, in the order
// of their first answers.
func (p *SOCKSProxy) Requests() []SOCKSRequest {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// serve serves one connection.
func (p *SOCKSProxy) serve(conn net.Conn) {
	if p.Hang {
		_, _ = io.Copy(io.Discard, conn)
		return
	}
	s := &socksConn{p: p, conn: conn, slot: -1}
	s.r = io.TeeReader(conn, &s.raw)
	target, err := s.negotiate()
	s.record() // for a client that left before it was answered
	if err != nil {
		return
	}
	p.l.join(conn, conn, target)
}

// errSOCKS ends a connection whose client was refused or made no sense.
var errSOCKS = errors.New("testserver: SOCKS client refused")

// A socksConn is one client's connection. Its first error sticks.
type socksConn struct {
	p    *SOCKSProxy  // whose list req is in
	conn net.Conn     // the client's
	r    io.Reader    // conn, with what is read going to raw
	raw  bytes.Buffer // all that was read
	req  SOCKSRequest // as far as it came
	slot int          // of req in the proxy's list; -1 before it has one
	err  error        // the first; nothing is read or written after it
}

// record puts what was read so far into the proxy's list.
func (s *socksConn) record() {
	s.req.Raw = bytes.Clone(s.raw.Bytes())
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if s.slot < 0 {
		s.slot = len(s.p.requests)
		s.p.requests = append(s.p.requests, SOCKSRequest{})
	}
	s.p.requests[s.slot] = s.req
}

// take reads n bytes; after an error they are zero.
func (s *socksConn) take(n int) []byte {
	b := make([]byte, n)
	if s.err == nil {
		_, s.err = io.ReadFull(s.r, b)
	}
	return b
}

// text reads up to a NUL.
func (s *socksConn) text() string {
	var b []byte
	for {
		c := s.take(1)[0]
		if c == 0 {
			return string(b)
		}
		b = append(b, c)
	}
}

// counted reads a length byte and as many bytes as it says.
func (s *socksConn) counted() []byte { return s.take(int(s.take(1)[0])) }

// send writes an answer. What it answers is recorded first, so that a client
// that has the answer finds its request in the list.
func (s *socksConn) send(b ...byte) {
	s.record()
	if s.err == nil {
		_, s.err = s.conn.Write(b)
	}
}

// negotiate goes through the protocol up to the open connection to the target.
func (s *socksConn) negotiate() (net.Conn, error) {
	// The first byte tells the versions apart.
	s.req.Version = s.take(1)[0]
	switch {
	case s.p.Garbage != "":
		s.send([]byte(s.p.Garbage)...)
		return nil, errSOCKS
	case s.req.Version == 4:
		s.read4()
		return s.connect(0x5b, 0x5a, func(code byte) { s.send(0, code, 0, 0, 0, 0, 0, 0) })
	case s.req.Version == 5:
		s.login5()
		s.read5()
		return s.connect(0x05, 0x00, func(code byte) { s.send(5, code, 0, 1, 0, 0, 0, 0, 0, 0) })
	}
	return nil, errSOCKS
}

// read4 reads a request of version 4 or 4A.
func (s *socksConn) read4() {
	s.take(1) // the command
	s.req.Port = binary.BigEndian.Uint16(s.take(2))
	ip := [4]byte(s.take(4))
	s.req.IP = netip.AddrFrom4(ip)
	s.req.User = s.text()
	// This is the mark of version 4A: a name follows.
	if ip[0] == 0 && ip[1] == 0 && ip[2] == 0 && ip[3] != 0 {
		s.req.Name = s.text()
	}
}

// login5 agrees on a method, and checks credentials when they are wanted.
func (s *socksConn) login5() {
	s.req.Methods = s.counted()
	want := byte(0x00)
	if s.p.User != "" {
		want = 0x02
	}
	if s.err == nil && !slices.Contains(s.req.Methods, want) {
		// No acceptable method (RFC 1928, section 3).
		s.send(5, 0xff)
		s.err = errSOCKS
	}
	s.send(5, want)
	if want == 0x00 {
		return
	}
	s.take(1) // the version of this exchange
	s.req.User = string(s.counted())
	s.req.Pass = string(s.counted())
	if s.err == nil && (s.req.User != s.p.User || s.req.Pass != s.p.Pass) {
		// Any status but zero is a refusal (RFC 1929, section 2).
		s.send(1, 1)
		s.err = errSOCKS
	}
	s.send(1, 0)
}

// read5 reads a request of version 5.
func (s *socksConn) read5() {
	// Before it are the version, the command and a reserved byte (RFC 1928,
	// section 4).
	s.req.ATYP = s.take(4)[3]
	switch s.req.ATYP {
	case 1:
		s.req.IP = netip.AddrFrom4([4]byte(s.take(4)))
	case 3:
		s.req.Name = string(s.counted())
	case 4:
		s.req.IP = netip.AddrFrom16([16]byte(s.take(16)))
	}
	s.req.Port = binary.BigEndian.Uint16(s.take(2))
}

// connect dials the target and sends the reply: granted, or refused when that
// failed, or the proxy's fixed one.
func (s *socksConn) connect(refused, granted byte, reply func(code byte)) (net.Conn, error) {
	if s.err != nil {
		return nil, s.err
	}
	if s.p.Reply != 0 {
		reply(s.p.Reply)
		return nil, errSOCKS
	}
	target, err := s.p.Hosts.dial(s.p.l.ctx, s.req.Target())
	if err != nil {
		reply(refused)
		return nil, err
	}
	reply(granted)
	return target, nil
}
