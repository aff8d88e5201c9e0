// Package tunnel asks a proxy for a way to a target, over a connection to
// that proxy which the caller has dialled: [Connect] by HTTP CONNECT,
// [SOCKS5], [SOCKS4] and [SOCKS4A] by the SOCKS protocols.
//
//	conn, err := net.Dial("tcp", "proxy.test:3128")
//	...
//	conn, err = tunnel.Connect(ctx, conn, "a.test:443", nil, tunnel.Limits{})
//
// Every function blocks until the way is open, the proxy has refused it, or
// the context has ended, and starts no goroutine that outlives the call. None
// of them closes the connection: after an error its state is unknown and the
// caller must close it. A connection must not be used by anyone else while a
// function of this package works on it; apart from that everything here may
// be called from many goroutines.
//
// What cannot be sent is an [*InputError], returned before the first byte is
// written. An answer that breaks the protocol is a [*ProtocolError]. A refusal
// is a [*RefusedError] from HTTP, and a [*ReplyError], [ErrAuth] or
// [ErrNoMethod] from SOCKS. The end of the context is the context's error.
//
// Who resolves names is the caller's decision: an address is sent as an
// address, a name is left to the proxy.
package tunnel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// guard calls run, which blocks on conn, and makes it return as soon as ctx
// ends. The deadlines of conn are touched only when that happens, and are
// cleared again before guard returns. An error of run that the end of ctx has
// caused, or that came at the same moment, is replaced by that of ctx.
func guard(ctx context.Context, conn net.Conn, run func() error) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	fired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(fired)
		// Any time in the past makes blocked calls return now. A
		// connection that cannot take deadlines cannot be interrupted.
		_ = conn.SetDeadline(time.Unix(1, 0))
	})
	err := run()
	if stop() {
		return err
	}
	// The function above may still be at work; were it not awaited, its
	// deadline could land on a connection that is in use again.
	<-fired
	_ = conn.SetDeadline(time.Time{})
	return ended(ctx)
}

// ended is the error of a context that is done, with its cause when that says
// more than the error does.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// replayConn is a connection whose first bytes have been read already: it
// gives them out before it reads on.
type replayConn struct {
	net.Conn

	mu    sync.Mutex // guards early
	early []byte     // what is still to be given out
}

// Read gives out the early bytes, then reads from the connection beneath. One
// call never does both, so that it does not block while it has bytes.
func (c *replayConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	n := copy(p, c.early)
	c.early = c.early[n:]
	c.mu.Unlock()
	if n > 0 {
		return n, nil
	}
	return c.Conn.Read(p)
}

// NetConn returns the connection beneath, as [crypto/tls.Conn.NetConn] does.
// Reading from it skips the early bytes.
func (c *replayConn) NetConn() net.Conn { return c.Conn }
