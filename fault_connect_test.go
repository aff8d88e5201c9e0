//go:build unix

package requests_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// connectFaults are the faults of names and of connecting.
func connectFaults() []faultRow {
	return []faultRow{
		{id: "F1", name: "no such host", run: testNoSuchHost},
		{id: "F1", name: "a name without addresses", run: testNoAddresses},
		{id: "F2", name: "resolver never answers", run: testSilentResolver},
		{id: "F2", name: "resolver fails", run: testFailingResolver},
		{id: "F3", name: "first address is a black hole", run: testHappyEyeballs},
		{id: "F4", name: "refused", run: testRefused},
		{id: "F5", name: "backlog is full", run: testBlackHole},
		{id: "F6", name: "packets are dropped", skip: func(t *testing.T) string {
			return "needs a packet filter and root; F5 does the same without them"
		}},
		{id: "F7", name: "network unreachable", run: func(t *testing.T) { testDialError(t, syscall.ENETUNREACH) }},
		{id: "F7", name: "host unreachable", run: func(t *testing.T) { testDialError(t, syscall.EHOSTUNREACH) }},
		{id: "F8", name: "no file descriptors", run: testNoDescriptors},
		{id: "F9", name: "no local ports", run: testNoLocalPorts},
		{
			id: "F10", name: "reset after accept", answers: script(testserver.Answer{OnAccept: testserver.Reset}),
			// The request may have been written before the reset came.
			check: func(run *faultRun) { assert.Equal(run, 1, run.srv.Accepted(), "connections") },
			want:  want{kinds: kinds(requests.ErrConnection), not: kinds(requests.ErrTimeout), sentAny: true},
			reuse: true,
		},
		{
			id: "F11", name: "end after accept", answers: script(testserver.Answer{OnAccept: testserver.HalfClose}),
			want:  want{kinds: kinds(requests.ErrConnection), causes: causes(io.EOF), sentAny: true},
			check: func(run *faultRun) { assert.Equal(run, 1, run.srv.Accepted(), "connections") },
			reuse: true,
		},
	}
}

// failedGet sends a request that has to fail, and checks how.
func failedGet(t *testing.T, s *requests.Session, url string, w want, opts ...requests.Option) *requests.Error {
	t.Helper()
	_, err := s.Get(t.Context(), url, opts...)
	require.Error(t, err)
	judgeError(t, err, &w)
	var e *requests.Error
	errors.As(err, &e)
	return e
}

// resolving returns a session whose adapter resolves by f.
func resolving(f func(context.Context, string) ([]netip.Addr, error)) *requests.Session {
	return newFaultSession(func(a *requests.HTTPAdapter) { a.Resolve = f })
}

func testNoSuchHost(t *testing.T) {
	watch := testserver.NewWatch(t)
	asked := 0
	s := resolving(func(_ context.Context, host string) ([]netip.Addr, error) {
		asked++
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	})
	e := failedGet(t, s, "http://nowhere.invalid/", want{kinds: kinds(requests.ErrConnection), not: kinds(requests.ErrTimeout)})
	var dns *net.DNSError
	require.ErrorAs(t, e, &dns)
	assert.True(t, dns.IsNotFound)
	assert.Equal(t, 1, asked, "look-ups")
	watch.Check(testserver.Conditions{Close: s.Close})
}

func testNoAddresses(t *testing.T) {
	s := resolving(func(context.Context, string) ([]netip.Addr, error) { return nil, nil })
	e := failedGet(t, s, "http://empty.test/", want{kinds: kinds(requests.ErrConnection)})
	var dns *net.DNSError
	require.ErrorAs(t, e, &dns)
	assert.Equal(t, "empty.test", dns.Name)
}

func testSilentResolver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := resolving(func(ctx context.Context, _ string) ([]netip.Addr, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		start := time.Now()
		failedGet(t, s, "http://slow.test/", want{kinds: kinds(requests.ErrConnectTimeout, requests.ErrConnection), timeout: true},
			requests.ConnectTimeout(300*time.Millisecond))
		assert.Equal(t, 300*time.Millisecond, time.Since(start))
		require.NoError(t, s.Close())
	})
}

func testFailingResolver(t *testing.T) {
	s := resolving(func(_ context.Context, host string) ([]netip.Addr, error) {
		return nil, &net.DNSError{Err: "server misbehaving", Name: host, IsTemporary: true}
	})
	failedGet(t, s, "http://broken.test/", want{
		kinds: kinds(requests.ErrConnection), not: kinds(requests.ErrTimeout), text: "server misbehaving",
	})
}

// loopbackPort is a listener's port, reached by a name with two addresses.
func testHappyEyeballs(t *testing.T) {
	watch := testserver.NewWatch(t)
	hole := blackHole(t, "127.0.0.2:0")
	port := netip.MustParseAddrPort(hole).Port()
	ln, err := net.Listen("tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port).String())
	if err != nil {
		t.Skip("the port of the black hole is taken on the other address")
	}
	serve(t, ln)
	s := resolving(func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")}, nil
	})
	start := time.Now()
	require.NoError(t, plainGet(t.Context(), s, "http://two.test:"+portOf(hole)+"/"))
	assert.Less(t, time.Since(start), 600*time.Millisecond)
	require.NoError(t, s.Close())
	ln.Close()
	_ = watch // the holes are closed with the test, after its checks
}

// serve answers every connection of a listener with one plain answer.
func serve(t *testing.T, ln net.Listener) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conn.Read(make([]byte, 4096))
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
	})
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// closedPort is an address that refuses connections.
func closedPort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ln.Close()
	return ln.Addr().String()
}

func testRefused(t *testing.T) {
	watch := testserver.NewWatch(t)
	s := newFaultSession(nil)
	url := "http://" + closedPort(t) + "/"
	failedGet(t, s, url, want{
		kinds: kinds(requests.ErrConnection), causes: causes(syscall.ECONNREFUSED),
		not: kinds(requests.ErrTimeout, requests.ErrProxy, requests.ErrSSL),
	})
	watch.Check(testserver.Conditions{Close: s.Close})

	// Connecting is tried again for every method, where that is asked for.
	s = newFaultSession(func(a *requests.HTTPAdapter) { a.MaxRetries = requests.Retries(2) })
	_, err := s.Post(t.Context(), url, requests.BodyText("x"))
	var e *requests.Error
	require.ErrorAs(t, err, &e)
	assert.Len(t, e.Attempts(), 2)
	assert.False(t, e.MaybeSent)
	watch.Check(testserver.Conditions{Close: s.Close})
}

// blackHole is an address whose connections are never made: the listener's
// backlog is full, and nobody accepts.
func blackHole(t *testing.T, address string) string {
	t.Helper()
	ap := netip.MustParseAddrPort(address)
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	t.Cleanup(func() { syscall.Close(fd) })
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: ap.Addr().As4(), Port: int(ap.Port())}))
	require.NoError(t, syscall.Listen(fd, 0))
	name, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	address = netip.AddrPortFrom(ap.Addr(), uint16(name.(*syscall.SockaddrInet4).Port)).String()
	for range 16 {
		conn, err := net.DialTimeout("tcp", address, 50*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Skip("the backlog of a listener does not fill up here")
	return ""
}

func testBlackHole(t *testing.T) {
	hole := blackHole(t, "127.0.0.1:0")
	watch := testserver.NewWatch(t)
	s := newFaultSession(nil)
	start := time.Now()
	failedGet(t, s, "http://"+hole+"/", want{
		kinds: kinds(requests.ErrConnectTimeout, requests.ErrConnection, requests.ErrTimeout), not: kinds(requests.ErrReadTimeout),
		timeout: true,
	}, requests.ConnectTimeout(200*time.Millisecond))
	assert.InDelta(t, 2_000, time.Since(start).Milliseconds(), 1_850, "it neither came at once nor waited for another limit")
	watch.Check(testserver.Conditions{Close: s.Close})
}

// testDialError has the system's answer to connecting be one that cannot be
// had without root.
func testDialError(t *testing.T, cause error) {
	watch := testserver.NewWatch(t)
	s := newFaultSession(func(a *requests.HTTPAdapter) {
		a.Dial = func(_ context.Context, network, _ string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", cause)}
		}
	})
	failedGet(t, s, "http://a.test/", want{
		kinds: kinds(requests.ErrConnection), causes: causes(cause), not: kinds(requests.ErrTimeout, requests.ErrProxy),
	})
	watch.Check(testserver.Conditions{Close: s.Close})
}

func testNoDescriptors(t *testing.T) {
	watch := testserver.NewWatch(t)
	srv := testserver.NewFaults(t)
	s := newFaultSession(nil)
	runtime.GC() // what was left for it to close is not to be closed meanwhile
	release := useUpDescriptors(t)
	_, err := s.Get(t.Context(), srv.URL(), requests.TotalTimeout(5*time.Second))
	release()
	require.Error(t, err)
	judgeError(t, err, &want{kinds: kinds(requests.ErrConnection), causes: causes(syscall.EMFILE), not: kinds(requests.ErrTimeout)})
	watch.Check(testserver.Conditions{Server: srv, Next: func() error { return plainGet(t.Context(), s, srv.URL()) }, Close: s.Close})
}

// useUpDescriptors opens files until there can be no more, and returns what
// closes them.
func useUpDescriptors(t *testing.T) func() {
	t.Helper()
	var old syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old))
	low := old
	low.Cur = 64
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low))
	var files []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		files = append(files, f)
	}
	return func() {
		for _, f := range files {
			f.Close()
		}
		require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old))
	}
}

func testNoLocalPorts(t *testing.T) {
	watch := testserver.NewWatch(t)
	srv := testserver.NewFaults(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := newFaultSession(func(a *requests.HTTPAdapter) { a.LocalAddr = taken.Addr() })
	failedGet(t, s, srv.URL(), want{kinds: kinds(requests.ErrConnection), causes: causes(syscall.EADDRINUSE)})
	taken.Close()
	watch.Check(testserver.Conditions{Server: srv, Next: func() error { return plainGet(t.Context(), s, srv.URL()) }, Close: s.Close})
}
