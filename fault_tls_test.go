//go:build unix

package requests_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// tlsFaults are the faults of TLS.
func tlsFaults() []faultRow {
	rows := certificateRows()
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		rows = append(rows, faultRow{id: "F70", name: tls.VersionName(version), run: func(t *testing.T) { testOldTLS(t, version) }})
	}
	rows = append(rows, faultRow{id: "F71", name: "RSA of 1024 bits", run: testShortKey})
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		rows = append(rows, faultRow{id: "F72", name: tls.VersionName(version), run: func(t *testing.T) { testNoClientCert(t, version) }})
	}
	rows = append(
		rows,
		faultRow{id: "F73", name: "plain HTTP", run: func(t *testing.T) { testNoTLS(t, "HTTP/1.1 400 Bad Request\r\n\r\n") }},
		faultRow{id: "F73", name: "garbage", run: func(t *testing.T) { testNoTLS(t, strings.Repeat("\x00\xff", 50)) }},
		faultRow{id: "F73", name: "a fatal alert", run: func(t *testing.T) { testNoTLS(t, "\x15\x03\x03\x00\x02\x02\x28") }},
		faultRow{id: "F74", name: "the handshake stalls", run: testHandshakeStall},
		faultRow{id: "F74", name: "the handshake is cut", run: testHandshakeCut},
	)
	whole := "ok"
	cut := want{
		kinds: kinds(requests.ErrChunkedEncoding), causes: causes(io.ErrUnexpectedEOF), not: kinds(requests.ErrTimeout), sent: true, partial: whole,
	}
	return append(
		rows,
		faultRow{id: "F75", name: "length", tls: true, answers: script(testserver.Answer{OnEnd: testserver.Cut}), want: want{body: whole}},
		faultRow{id: "F75", name: "chunks", tls: true, answers: script(testserver.Answer{Chunked: true, OnEnd: testserver.Cut}), want: want{body: whole}},
		faultRow{id: "F75", name: "no length, and said so", tls: true, answers: script(testserver.Answer{Length: "-", OnEnd: testserver.Shut}), want: want{body: whole}},
		faultRow{id: "F76", name: "no length", tls: true, answers: script(testserver.Answer{Length: "-", OnEnd: testserver.Cut}), want: cut},
		faultRow{id: "F76", name: "HTTP/1.0", tls: true, answers: script(testserver.Answer{Raw: "HTTP/1.0 200 OK\r\n\r\nok", OnEnd: testserver.Cut}), want: cut},
		faultRow{id: "F76", name: "within a length", tls: true, answers: script(testserver.Answer{Length: "10", OnEnd: testserver.Cut}), want: cut},
		faultRow{id: "F77", name: "reset within a record", run: testResetInRecord},
		faultRow{id: "F78", name: "the proxy's certificate", run: func(t *testing.T) { testWhoseCertificate(t, true) }},
		faultRow{id: "F78", name: "the origin's certificate", run: func(t *testing.T) { testWhoseCertificate(t, false) }},
	)
}

// certificateRows are servers whose certificate is no good.
func certificateRows() []faultRow {
	var rows []faultRow
	for _, tt := range []struct {
		name string
		leaf testserver.Leaf
		is   func(error) bool
	}{
		{"self-signed", testserver.Leaf{Hosts: []string{"127.0.0.1"}, SelfSigned: true}, asUnknown},
		{"expired", testserver.Leaf{Hosts: []string{"127.0.0.1"}, Expired: true}, asInvalid(x509.Expired)},
		{"not yet valid", testserver.Leaf{Hosts: []string{"127.0.0.1"}, NotYetValid: true}, asInvalid(x509.Expired)},
		{"another host", testserver.Leaf{Hosts: []string{"other.test"}}, asHostname},
		{"an address as a name", testserver.Leaf{Hosts: []string{"127.0.0.1"}, IPAsName: true}, asHostname},
		{"a common name alone", testserver.Leaf{Hosts: []string{"127.0.0.1"}, NoSAN: true}, asHostname},
		{"a client's", testserver.Leaf{Hosts: []string{"127.0.0.1"}, Client: true}, asInvalid(x509.IncompatibleUsage)},
	} {
		rows = append(rows, faultRow{id: "F69", name: tt.name, run: func(t *testing.T) {
			ca := testserver.NewCA(t)
			testCertificate(t, ca, ca.Issue(tt.leaf), tt.is)
		}})
	}
	return append(rows, faultRow{id: "F69", name: "unknown authority", run: func(t *testing.T) {
		testCertificate(t, testserver.NewCA(t), testserver.NewCA(t).Leaf("127.0.0.1"), asUnknown)
	}})
}

func asUnknown(err error) bool {
	_, ok := errors.AsType[x509.UnknownAuthorityError](err)
	return ok
}

func asHostname(err error) bool {
	_, ok := errors.AsType[x509.HostnameError](err)
	return ok
}

func asInvalid(reason x509.InvalidReason) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[x509.CertificateInvalidError](err)
		return ok && e.Reason == reason
	}
}

// sslFailure is the wanted error of a handshake: nothing was sent.
func sslFailure() want {
	return want{kinds: kinds(requests.ErrSSL, requests.ErrConnection), not: kinds(requests.ErrTimeout, requests.ErrProxy)}
}

// trusting returns a session that trusts an authority.
func trusting(ca *testserver.CA, setup func(*requests.HTTPAdapter)) *requests.Session {
	return newFaultSession(setup, requests.Settings{Verify: requests.TLSVerify{Roots: ca.Pool()}})
}

func testCertificate(t *testing.T, ca *testserver.CA, cert tls.Certificate, is func(error) bool) {
	watch := testserver.NewWatch(t)
	srv := testserver.NewFaultsTLS(t, &tls.Config{Certificates: []tls.Certificate{cert}})
	s := trusting(ca, nil)
	e := failedGet(t, s, srv.URL()+"/", sslFailure())
	_, ok := errors.AsType[*tls.CertificateVerificationError](e)
	assert.True(t, ok, "cause is of crypto/tls")
	assert.True(t, is(e), "cause is of crypto/x509: %v", e)
	assert.Empty(t, srv.Ledger(), "nothing was sent")
	watch.Check(testserver.Conditions{Server: srv, Close: s.Close})
}

func testOldTLS(t *testing.T, version uint16) {
	watch := testserver.NewWatch(t)
	ca, _, config := authority(t)
	config.MinVersion, config.MaxVersion = version, version
	srv := testserver.NewFaultsTLS(t, config)
	s := trusting(ca, nil)
	failedGet(t, s, srv.URL()+"/", sslFailure())
	watch.Check(testserver.Conditions{Server: srv, Close: s.Close})
}

// A key of 1024 bits from an authority that the caller trusts is accepted:
// the authority answers for it.
func testShortKey(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skip("no such keys here: ", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "short"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	srv := testserver.NewFaultsTLS(t, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	s := newFaultSession(nil, requests.Settings{Verify: requests.TLSVerify{Roots: pool}})
	assert.NoError(t, plainGet(t.Context(), s, srv.URL()+"/"))
	require.NoError(t, s.Close())
}

// A server that wants a certificate says so after a TLS 1.3 handshake is done
// on our side: it is of TLS all the same.
func testNoClientCert(t *testing.T, version uint16) {
	watch := testserver.NewWatch(t)
	ca, _, config := authority(t)
	config.ClientAuth, config.MaxVersion = tls.RequireAnyClientCert, version
	srv := testserver.NewFaultsTLS(t, config)
	s := trusting(ca, nil)
	_, err := s.Get(t.Context(), srv.URL()+"/")
	require.Error(t, err)
	w := sslFailure()
	w.sentAny = true
	if version == tls.VersionTLS13 { // before it there was no word for this
		w.text = "certificate"
	}
	judgeError(t, err, &w)
	watch.Check(testserver.Conditions{Server: srv, Close: s.Close})
}

// testNoTLS is a server that speaks no TLS.
func testNoTLS(t *testing.T, says string) {
	watch := testserver.NewWatch(t)
	srv := newRawServer(t, func(conn net.Conn) {
		io.WriteString(conn, says)
		if half, ok := conn.(*net.TCPConn); ok {
			half.CloseWrite()
		}
		io.Copy(io.Discard, conn)
	})
	s := newFaultSession(nil)
	failedGet(t, s, "https://"+srv.addr()+"/", sslFailure())
	require.NoError(t, s.Close())
	srv.close()
	watch.Nothing()
}

// rawServer hands each connection to a function.
type rawServer struct {
	ln    net.Listener
	done  chan struct{}
	count atomic.Int32
}

func newRawServer(t *testing.T, serve func(net.Conn)) *rawServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	srv := &rawServer{ln: ln, done: make(chan struct{})}
	go func() {
		defer close(srv.done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			srv.count.Add(1)
			serve(conn)
			conn.Close()
		}
	}()
	t.Cleanup(srv.close)
	return srv
}

func (s *rawServer) addr() string { return s.ln.Addr().String() }

func (s *rawServer) close() {
	s.ln.Close()
	<-s.done
}

func testHandshakeStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := testserver.NewFaultsPipe(t, &tls.Config{}, testserver.Answer{OnAccept: testserver.Deaf})
		s := newFaultSession(func(a *requests.HTTPAdapter) { a.Dial = srv.Dial })
		start := time.Now()
		failedGet(t, s, srv.URL()+"/", want{
			kinds: kinds(requests.ErrConnectTimeout, requests.ErrConnection), not: kinds(requests.ErrReadTimeout), timeout: true, text: "TLS",
		}, requests.ConnectTimeout(time.Second))
		assert.Equal(t, time.Second, time.Since(start))
		require.NoError(t, s.Close())
		assert.Empty(t, srv.Settle(2*time.Second))
	})
}

func testHandshakeCut(t *testing.T) {
	t.Run("reset", func(t *testing.T) {
		watch := testserver.NewWatch(t)
		srv := newRawServer(t, func(conn net.Conn) {
			conn.Read(make([]byte, 1)) // a reset at once may come before the connection is made
			conn.(*net.TCPConn).SetLinger(0)
		})
		s := newFaultSession(nil)
		w := sslFailure()
		w.causes = causes(syscall.ECONNRESET)
		failedGet(t, s, "https://"+srv.addr()+"/", w)
		require.NoError(t, s.Close())
		srv.close()
		watch.Nothing()
	})
	for _, e := range []testserver.Effect{testserver.HalfClose} {
		t.Run(e.String(), func(t *testing.T) {
			watch := testserver.NewWatch(t)
			ca, _, config := authority(t)
			srv := testserver.NewFaultsTLS(t, config, testserver.Answer{OnAccept: e})
			s := trusting(ca, nil)
			failedGet(t, s, srv.URL()+"/", sslFailure())
			watch.Check(testserver.Conditions{
				Server: srv, Next: func() error { return plainGet(t.Context(), s, srv.URL()+"/") }, Close: s.Close,
			})
		})
	}
}

// cutWriter resets the socket under TLS after so many bytes, once it is armed.
type cutWriter struct {
	*net.TCPConn
	armed atomic.Bool
}

func (c *cutWriter) Write(b []byte) (int, error) {
	if !c.armed.Load() {
		return c.TCPConn.Write(b)
	}
	c.TCPConn.Write(b[:len(b)/2])
	time.Sleep(20 * time.Millisecond) // the half is read before the reset comes
	c.SetLinger(0)
	c.TCPConn.Close()
	return 0, net.ErrClosed
}

func testResetInRecord(t *testing.T) {
	watch := testserver.NewWatch(t)
	ca, _, config := authority(t)
	srv := newRawServer(t, func(conn net.Conn) {
		under := &cutWriter{TCPConn: conn.(*net.TCPConn)}
		server := tls.Server(under, config)
		server.Read(make([]byte, 4096))
		io.WriteString(server, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nfirst")
		under.armed.Store(true)
		io.WriteString(server, strings.Repeat("x", 995))
	})
	s := trusting(ca, nil)
	_, err := s.Get(t.Context(), "https://"+srv.addr()+"/")
	require.Error(t, err)
	judgeError(t, err, &want{
		kinds: kinds(requests.ErrConnection), causes: causes(syscall.ECONNRESET), not: kinds(requests.ErrTimeout), sent: true, partial: "first",
	})
	require.NoError(t, s.Close())
	srv.close()
	watch.Nothing()
}

// testWhoseCertificate tells a proxy's bad certificate from an origin's.
func testWhoseCertificate(t *testing.T, proxys bool) {
	watch := testserver.NewWatch(t)
	good, bad := testserver.NewCA(t), testserver.NewCA(t)
	of := map[bool]*testserver.CA{false: good, true: bad}
	proxy := (&testserver.HTTPProxy{
		TLS: &tls.Config{Certificates: []tls.Certificate{of[proxys].Leaf("127.0.0.1")}},
	}).Start(t)
	srv := testserver.NewFaultsTLS(t, &tls.Config{Certificates: []tls.Certificate{of[!proxys].Leaf("127.0.0.1")}})
	s := trusting(good, nil)
	w := sslFailure()
	if proxys {
		w.kinds, w.not = append(w.kinds, requests.ErrProxy), kinds(requests.ErrTimeout)
	}
	failedGet(t, s, srv.URL()+"/", w, requests.Proxy("https", proxy.URL()))
	assert.Empty(t, srv.Ledger(), "nothing was sent")
	require.NoError(t, s.Close())
	assert.True(t, srv.Closed(2*time.Second))
	_ = watch // the proxy ends with the test
}
