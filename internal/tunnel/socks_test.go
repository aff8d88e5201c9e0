package tunnel

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// granted is the SOCKS5 reply that opens the way.
const granted = "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"

// TestSOCKS5Exchange plays a whole exchange message by message, with the
// target's first bytes right behind the reply.
func TestSOCKS5Exchange(t *testing.T) {
	type step struct{ client, proxy string }
	name255 := strings.Repeat("n", 255)
	tests := []struct {
		name       string
		target     Addr
		user, pass string
		hasAuth    bool
		steps      []step
	}{
		{
			"IPv4",
			Addr{IP: netip.MustParseAddr("127.0.0.1"), Port: 8080},
			"", "", false,
			[]step{{"\x05\x01\x00", "\x05\x00"}, {"\x05\x01\x00\x01\x7f\x00\x00\x01\x1f\x90", granted}},
		},
		{
			"IPv4 in IPv6",
			Addr{IP: netip.MustParseAddr("::ffff:127.0.0.1"), Port: 80},
			"", "", false,
			[]step{{"\x05\x01\x00", "\x05\x00"}, {"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50", granted}},
		},
		{
			"IPv6",
			Addr{IP: netip.MustParseAddr("::1"), Port: 80},
			"", "", false,
			[]step{
				{"\x05\x01\x00", "\x05\x00"},
				{"\x05\x01\x00\x04" + strings.Repeat("\x00", 15) + "\x01\x00\x50", "\x05\x00\x00\x04" + strings.Repeat("a", 18)},
			},
		},
		{
			"name",
			Addr{Host: "localhost", Port: 443},
			"", "", false,
			[]step{{"\x05\x01\x00", "\x05\x00"}, {"\x05\x01\x00\x03\x09localhost\x01\xbb", "\x05\x00\x00\x03\x03abc\x00\x50"}},
		},
		{
			"empty name in the reply",
			Addr{Host: "a.test", Port: 443},
			"", "", false,
			[]step{{"\x05\x01\x00", "\x05\x00"}, {"\x05\x01\x00\x03\x06a.test\x01\xbb", "\x05\x00\x00\x03\x00\x00\x50"}},
		},
		{
			"longest name",
			Addr{Host: name255, Port: 1},
			"", "", false,
			[]step{{"\x05\x01\x00", "\x05\x00"}, {"\x05\x01\x00\x03\xff" + name255 + "\x00\x01", granted}},
		},
		{
			"address as a name",
			Addr{Host: "127.0.0.1", Port: 80},
			"", "", false,
			[]step{{"\x05\x01\x00", "\x05\x00"}, {"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50", granted}},
		},
		{
			"address beats name",
			Addr{Host: "::1", IP: netip.MustParseAddr("127.0.0.1"), Port: 80},
			"", "", false,
			[]step{{"\x05\x01\x00", "\x05\x00"}, {"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50", granted}},
		},
		{
			"credentials",
			Addr{Host: "a", Port: 80},
			"u@", "p:", true,
			[]step{{"\x05\x02\x00\x02", "\x05\x02"}, {"\x01\x02u@\x02p:", "\x01\x00"}, {"\x05\x01\x00\x03\x01a\x00\x50", granted}},
		},
		{
			"credentials not wanted",
			Addr{Host: "a", Port: 80},
			"u@", "p:", true,
			[]step{{"\x05\x02\x00\x02", "\x05\x00"}, {"\x05\x01\x00\x03\x01a\x00\x50", granted}},
		},
		{
			"no password",
			Addr{Host: "a", Port: 80},
			"u", "", true,
			[]step{{"\x05\x02\x00\x02", "\x05\x02"}, {"\x01\x01u\x00", "\x01\x00"}, {"\x05\x01\x00\x03\x01a\x00\x50", granted}},
		},
		{
			"no password, and none wanted",
			Addr{Host: "a", Port: 80},
			"u", "", true,
			[]step{{"\x05\x02\x00\x02", "\x05\x00"}, {"\x05\x01\x00\x03\x01a\x00\x50", granted}},
		},
		{
			"longest credentials",
			Addr{Host: "a", Port: 80},
			name255, name255, true,
			[]step{
				{"\x05\x02\x00\x02", "\x05\x02"},
				{"\x01\xff" + name255 + "\xff" + name255, "\x01\x00"},
				{"\x05\x01\x00\x03\x01a\x00\x50", granted},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn, proxy := pipe(t)
			done := make(chan struct{})
			go func() {
				defer close(done)
				for i, s := range tt.steps {
					proxy.expect(s.client)
					if i == len(tt.steps)-1 {
						s.proxy += "early"
					}
					proxy.say(s.proxy)
				}
			}()
			require.NoError(t, SOCKS5(t.Context(), conn, tt.target, tt.user, tt.pass, tt.hasAuth))
			early := make([]byte, len("early"))
			_, err := io.ReadFull(conn, early)
			require.NoError(t, err)
			assert.Equal(t, "early", string(early))
			<-done
		})
	}
}

func TestSOCKS4Exchange(t *testing.T) {
	ip := netip.MustParseAddr("127.0.0.1")
	tests := []struct {
		name string
		open func(ctx context.Context, conn net.Conn) error
		want string
	}{
		{
			"address", func(ctx context.Context, conn net.Conn) error { return SOCKS4(ctx, conn, ip, 8080, "u@") },
			"\x04\x01\x1f\x90\x7f\x00\x00\x01u@\x00",
		},
		{
			"no userid", func(ctx context.Context, conn net.Conn) error { return SOCKS4(ctx, conn, ip, 80, "") },
			"\x04\x01\x00\x50\x7f\x00\x00\x01\x00",
		},
		{
			"IPv4 in IPv6", func(ctx context.Context, conn net.Conn) error {
				return SOCKS4(ctx, conn, netip.MustParseAddr("::ffff:127.0.0.1"), 80, "")
			},
			"\x04\x01\x00\x50\x7f\x00\x00\x01\x00",
		},
		{
			"unspecified", func(ctx context.Context, conn net.Conn) error {
				return SOCKS4(ctx, conn, netip.IPv4Unspecified(), 80, "")
			},
			"\x04\x01\x00\x50\x00\x00\x00\x00\x00",
		},
		{
			"name", func(ctx context.Context, conn net.Conn) error { return SOCKS4A(ctx, conn, "localhost", 443, "u@") },
			"\x04\x01\x01\xbb\x00\x00\x00\x01u@\x00localhost\x00",
		},
		{
			"address as a name", func(ctx context.Context, conn net.Conn) error { return SOCKS4A(ctx, conn, "127.0.0.1", 80, "") },
			"\x04\x01\x00\x50\x7f\x00\x00\x01\x00",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn := said("\x00\x5a\x00\x00\x00\x00\x00\x00early")
			require.NoError(t, tt.open(t.Context(), conn))
			assert.Equal(t, tt.want, conn.sent.String())
			assert.Equal(t, "early", string(conn.script))
		})
	}
}

// TestSOCKSInput has arguments that cannot be sent: nothing is.
func TestSOCKSInput(t *testing.T) {
	long, endless := strings.Repeat("x", 256), strings.Repeat("x", 65535)
	five := func(target Addr, user, pass string) func(context.Context, net.Conn) error {
		return func(ctx context.Context, conn net.Conn) error {
			return SOCKS5(ctx, conn, target, user, pass, true)
		}
	}
	four := func(ip, userid string) func(context.Context, net.Conn) error {
		return func(ctx context.Context, conn net.Conn) error {
			var addr netip.Addr
			if ip != "" {
				addr = netip.MustParseAddr(ip)
			}
			return SOCKS4(ctx, conn, addr, 80, userid)
		}
	}
	fourA := func(host, userid string) func(context.Context, net.Conn) error {
		return func(ctx context.Context, conn net.Conn) error { return SOCKS4A(ctx, conn, host, 80, userid) }
	}
	good := Addr{Host: "a.test"}
	tests := []struct {
		name  string
		open  func(context.Context, net.Conn) error
		field string
	}{
		{"5 no target", five(Addr{}, "u", "p"), "target"},
		{"5 long name", five(Addr{Host: long}, "u", "p"), "target"},
		{"5 endless name", five(Addr{Host: endless}, "u", "p"), "target"},
		{"5 NUL in name", five(Addr{Host: "a\x00b"}, "u", "p"), "target"},
		{"5 zone", five(Addr{IP: netip.MustParseAddr("fe80::1%eth0")}, "u", "p"), "target"},
		{"5 zone in text", five(Addr{Host: "fe80::1%eth0"}, "u", "p"), "target"},
		{"5 empty user", five(good, "", "p"), "user name"},
		{"5 long user", five(good, long, "p"), "user name"},
		{"5 long password", five(good, "u", long), "password"},
		{"4 no target", four("", ""), "target"},
		{"4 IPv6", four("::1", ""), "target"},
		{"4 mark of a name", four("0.0.0.7", ""), "target"},
		{"4 NUL in userid", four("127.0.0.1", "a\x00b"), "userid"},
		{"4a no name", fourA("", ""), "target"},
		{"4a long name", fourA(long, ""), "target"},
		{"4a NUL in name", fourA("a\x00b", ""), "target"},
		{"4a mark of a name", fourA("0.0.0.7", ""), "target"},
		{"4a NUL in userid", fourA("a.test", "\x00"), "userid"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn := said("")
			err := tt.open(t.Context(), conn)
			var input *InputError
			require.ErrorAs(t, err, &input)
			assert.Equal(t, tt.field, input.Field)
			assert.NotContains(t, err.Error(), "xx")
			assert.Empty(t, conn.sent.String(), "bytes were sent")
		})
	}
}

// TestSOCKSReplies has every code of refusal, with and without the rest of the
// reply behind it.
func TestSOCKSReplies(t *testing.T) {
	tests := []struct {
		version int
		code    byte
		text    string
		is      error
	}{
		{5, 0x01, "0x01: General SOCKS server failure", nil},
		{5, 0x02, "0x02: Connection not allowed by ruleset", nil},
		{5, 0x03, "0x03: Network unreachable", syscall.ENETUNREACH},
		{5, 0x04, "0x04: Host unreachable", syscall.EHOSTUNREACH},
		{5, 0x05, "0x05: Connection refused", syscall.ECONNREFUSED},
		{5, 0x06, "0x06: TTL expired", syscall.ETIMEDOUT},
		{5, 0x07, "0x07: Command not supported", nil},
		{5, 0x08, "0x08: Address type not supported", nil},
		{5, 0x09, "0x09: Unassigned reply code", nil},
		{5, 0xff, "0xff: Unassigned reply code", nil},
		{4, 0x00, "0x00: Unassigned reply code", nil},
		{4, 0x03, "0x03: Unassigned reply code", nil},
		{4, 0x5b, "0x5b: Request rejected or failed", nil},
		{4, 0x5c, "0x5c: Request rejected because the proxy cannot connect to identd on the client", nil},
		{4, 0x5d, "0x5d: Request rejected because the client program and identd report different user-ids", nil},
		{4, 0x5e, "0x5e: Unassigned reply code", nil},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			for _, rest := range []string{"", "\x00\x01\x00\x00\x00\x00\x00\x00"} {
				var err error
				if tt.version == 5 {
					err = SOCKS5(t.Context(), said("\x05\x00\x05"+string(tt.code)+rest), Addr{Host: "a"}, "", "", false)
					if tt.code > 0x7f {
						err = SOCKS5(t.Context(), said("\x05\x00\x05\xff"+rest), Addr{Host: "a"}, "", "", false)
					}
				} else {
					err = SOCKS4A(t.Context(), said("\x00"+string(tt.code)+rest), "a", 80, "")
				}
				var reply *ReplyError
				require.ErrorAs(t, err, &reply)
				assert.Equal(t, ReplyError{tt.version, tt.code}, *reply)
				assert.ErrorContains(t, err, tt.text)
				assert.Equal(t, tt.is, reply.Unwrap())
			}
		})
	}
	t.Run("TTL expired is a timeout", func(t *testing.T) {
		var timeout net.Error
		require.ErrorAs(t, &ReplyError{5, 6}, &timeout)
		assert.True(t, timeout.Timeout())
	})
}

func TestSOCKSNoAgreement(t *testing.T) {
	tests := []struct {
		name    string
		version int
		answer  string
		hasAuth bool
		is      error  // either this
		reason  string // or a ProtocolError with this
	}{
		{"no method", 5, "\x05\xff", false, ErrNoMethod, ""},
		{"no method with credentials", 5, "\x05\xff", true, ErrNoMethod, ""},
		{"bad credentials", 5, "\x05\x02\x01\x01", true, ErrAuth, ""},
		{"credentials not offered", 5, "\x05\x02", false, nil, "a method that was not offered"},
		{"GSSAPI", 5, "\x05\x01", true, nil, "a method that was not offered"},
		{"SOCKS4 answers", 5, "\x00\x5b", false, nil, "begins with 0x00 in place of 0x05"},
		{"HTTP answers", 5, "HTTP/1.1 400 Bad Request", false, nil, "begins with 0x48 in place of 0x05"},
		{"wrong version of the login", 5, "\x05\x02\x05\x00", true, nil, "begins with 0x05 in place of 0x01"},
		{"wrong version of the reply", 5, "\x05\x00\x04\x00", false, nil, "begins with 0x04 in place of 0x05"},
		{"wrong type of address", 5, "\x05\x00\x05\x00\x00\x02", false, nil, "unknown type 0x02"},
		{"SOCKS5 answers", 4, "\x05\xff", false, nil, "begins with 0x05 in place of 0x00"},
		{"wrong version", 4, "\x04\x5a", false, nil, "begins with 0x04 in place of 0x00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var err error
			if tt.version == 5 {
				err = SOCKS5(t.Context(), said(tt.answer), Addr{Host: "a"}, "u", "hunter2", tt.hasAuth)
			} else {
				err = SOCKS4(t.Context(), said(tt.answer), netip.MustParseAddr("127.0.0.1"), 80, "")
			}
			if tt.is != nil {
				assert.Equal(t, tt.is, err)
				return
			}
			var protocol *ProtocolError
			require.ErrorAs(t, err, &protocol)
			assert.ErrorContains(t, err, tt.reason)
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
}

// TestSOCKS5Broken ends or breaks the login half-way.
func TestSOCKS5Broken(t *testing.T) {
	for _, answer := range []string{"\x05\x02", "\x05\x02\x01", "\x05\x02\x01\x00\x05"} {
		err := SOCKS5(t.Context(), said(answer), Addr{Host: "a"}, "u", "p", true)
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	}
	// The connection breaks when the n-th message is written.
	for n := range 3 {
		conn := &failingConn{scriptConn: said("\x05\x02\x01\x00" + granted), left: n}
		err := SOCKS5(t.Context(), conn, Addr{Host: "a"}, "u", "p", true)
		assert.ErrorIs(t, err, syscall.EPIPE)
	}
}

// A failingConn takes only some writes.
type failingConn struct {
	*scriptConn
	left int
}

func (c *failingConn) Write(p []byte) (int, error) {
	if c.left == 0 {
		return 0, syscall.EPIPE
	}
	c.left--
	return len(p), nil
}

// FuzzSOCKSReply has any bytes for an answer: split in any way they give the
// same result, and after success exactly the reply was consumed, as a reader
// of its own kind measures it.
func FuzzSOCKSReply(f *testing.F) {
	for _, seed := range []string{
		"\x05\x00" + granted + "early", "\x05\x02\x01\x00" + granted, "\x05\x00\x05\x00\x00\x03\x02ab\x00\x50x",
		"\x05\x00\x05\x05", "\x05\xff", "\x00\x5a\x00\x00\x00\x00\x00\x00early", "\x00\x5b", "HTTP/1.1 400\r\n",
	} {
		for _, version := range []byte{4, 5, 6} {
			f.Add(version, []byte(seed), []byte{1})
			f.Add(version, []byte(seed), []byte{2, 3, 0})
		}
	}
	f.Fuzz(func(t *testing.T, version byte, answer, sizes []byte) {
		hasAuth := version == 6
		run := func(sizes []byte) (rest []byte, err error) {
			conn := &scriptConn{script: answer, sizes: sizes}
			if version == 4 {
				err = SOCKS4A(t.Context(), conn, "a", 80, "")
			} else {
				err = SOCKS5(t.Context(), conn, Addr{Host: "a", Port: 80}, "u", "p", hasAuth)
			}
			return conn.script, err
		}
		rest, err := run(nil)
		splitRest, splitErr := run(sizes)
		assert.Equal(t, err, splitErr)
		assert.Equal(t, rest, splitRest)

		want := replyLen5(answer, hasAuth)
		if version == 4 {
			want = replyLen4(answer)
		}
		if err == nil {
			assert.Equal(t, want, len(answer)-len(rest))
		} else {
			assert.Equal(t, -1, want, "%v", err)
		}
	})
}

// replyLen4 is the length of the good version 4 reply that b begins with, or
// -1.
func replyLen4(b []byte) int {
	if len(b) >= 8 && b[0] == 0 && b[1] == 90 {
		return 8
	}
	return -1
}

// replyLen5 is the length of the good version 5 exchange that b begins with,
// or -1.
func replyLen5(b []byte, hasAuth bool) int {
	s, n := string(b), 2
	switch {
	case strings.HasPrefix(s, "\x05\x00"):
	case hasAuth && strings.HasPrefix(s, "\x05\x02\x01\x00"):
		n = 4
	default:
		return -1
	}
	s = s[n:]
	if len(s) < 5 || s[:2] != "\x05\x00" {
		return -1
	}
	size, ok := map[byte]int{1: 10, 4: 22, 3: 7 + int(s[4])}[s[3]]
	if !ok || len(s) < size {
		return -1
	}
	return n + size
}

// FuzzSOCKSRequest takes the requests apart again: either the arguments are
// refused, or the bytes say them and nothing else.
func FuzzSOCKSRequest(f *testing.F) {
	f.Add("a.test", []byte(nil), uint16(80), "u", "p")
	f.Add("127.0.0.1", []byte{1, 2, 3, 4}, uint16(0), "", "")
	f.Add("", []byte("0123456789abcdef"), uint16(65535), "u\x00", "p")
	f.Fuzz(func(t *testing.T, host string, rawIP []byte, port uint16, user, pass string) {
		ip, _ := netip.AddrFromSlice(rawIP)
		target := Addr{Host: host, IP: ip, Port: port}
		if b, err := request5(target); err == nil {
			got := parseRequest5(t, b)
			want := Addr{IP: ip.Unmap(), Port: port}
			if literal, err := netip.ParseAddr(host); err == nil && !ip.IsValid() {
				want.IP = literal.Unmap()
			}
			if !want.IP.IsValid() {
				want.Host = host
			}
			assert.Equal(t, want, got)
		}
		if b, err := login5(user, pass); err == nil {
			require.Equal(t, byte(1), b[0])
			gotUser, rest := b[2:2+int(b[1])], b[2+int(b[1]):]
			assert.Equal(t, user, string(gotUser))
			assert.Equal(t, pass, string(rest[1:]))
			assert.Equal(t, len(pass), int(rest[0]))
		}
		conn := said("\x00\x5a\x00\x00\x00\x00\x00\x00")
		if err := SOCKS4A(t.Context(), conn, host, port, user); err == nil {
			b := conn.sent.Bytes()
			assert.Equal(t, port, binary.BigEndian.Uint16(b[2:]))
			parts := strings.Split(string(b[8:]), "\x00")
			if literal, err := netip.ParseAddr(host); err == nil && literal.Is4() {
				assert.Equal(t, []string{user, ""}, parts)
				assert.Equal(t, literal.AsSlice(), b[4:8])
			} else {
				assert.Equal(t, []string{user, host, ""}, parts)
				assert.Equal(t, []byte{0, 0, 0, 1}, b[4:8])
			}
		}
	})
}

// parseRequest5 reads a whole version 5 request.
func parseRequest5(t *testing.T, b []byte) Addr {
	t.Helper()
	require.Equal(t, "\x05\x01\x00", string(b[:3]))
	addr, port := b[4:len(b)-2], b[len(b)-2:]
	a := Addr{Port: binary.BigEndian.Uint16(port)}
	switch b[3] {
	case 3:
		require.Len(t, addr[1:], int(addr[0]))
		a.Host = string(addr[1:])
	default:
		ip, ok := netip.AddrFromSlice(addr)
		require.True(t, ok)
		require.Equal(t, map[byte]bool{1: true, 4: false}[b[3]], ip.Is4())
		a.IP = ip
	}
	return a
}
