package testserver

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
)

// Hosts says where names lead: from "name:port", as a client asks a proxy for
// it, to the address of a listener on the loopback interface. A target that is
// no key but an address of the loopback interface leads to itself; any other
// leads nowhere, so that no test leaves the machine.
type Hosts map[string]string

// errNoSuchHost is the error of a target that is not known.
var errNoSuchHost = errors.New("testserver: no such host")

// dial connects to the listener of a target.
func (h Hosts) dial(ctx context.Context, target string) (net.Conn, error) {
	address, ok := h[target]
	if !ok {
		ap, err := netip.ParseAddrPort(target)
		if err != nil || !ap.Addr().IsLoopback() {
			return nil, errNoSuchHost
		}
		address = target
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", address)
}

// A listener accepts connections on the loopback interface, hands each to a
// goroutine, and ends all of them with the test.
type listener struct {
	ln     net.Listener
	ctx    context.Context // ends with the test
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu    sync.Mutex // guards conns
	conns map[net.Conn]struct{}
}

// listen starts a listener whose connections are given to serve, and are
// closed when it returns.
func listen(tb testing.TB, serve func(net.Conn)) *listener {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(tb, err)
	l := &listener{ln: ln, conns: map[net.Conn]struct{}{}}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			l.track(conn)
			l.wg.Go(func() {
				defer l.release(conn)
				serve(conn)
			})
		}
	})
	tb.Cleanup(l.close)
	return l
}

// track remembers a connection, so that the end of the test closes it.
func (l *listener) track(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[conn] = struct{}{}
	// The test ended while the connection was being accepted.
	if l.ctx.Err() != nil {
		_ = conn.Close()
	}
}

// release closes a connection and forgets it.
func (l *listener) release(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, conn)
	_ = conn.Close()
}

// close ends everything and waits for it.
func (l *listener) close() {
	l.cancel()
	_ = l.ln.Close()
	l.mu.Lock()
	for conn := range l.conns {
		_ = conn.Close()
	}
	l.mu.Unlock()
	l.wg.Wait()
}

// join passes bytes between two connections until both directions have ended.
// What fromA still holds of a is passed on first. The end of one direction is
// passed on as a half-close where there is such a thing.
func (l *listener) join(a net.Conn, fromA io.Reader, b net.Conn) {
	l.track(b)
	defer l.release(b)
	var wg sync.WaitGroup
	wg.Go(func() { pass(b, fromA) })
	pass(a, b)
	wg.Wait()
}

// pass copies from src to dst, and then ends dst's direction. It hides what
// else the two can do: from socket to socket io.Copy would splice through pipes
// that package net keeps for later, and [Watch] would find them left.
func pass(dst net.Conn, src io.Reader) {
	_, err := io.Copy(struct{ io.Writer }{dst}, struct{ io.Reader }{src})
	half, ok := dst.(interface{ CloseWrite() error })
	if err == nil && ok {
		_ = half.CloseWrite()
		return
	}
	_ = dst.Close()
}
