package wire

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// Dialer makes TCP connections. All addresses of a name are tried, each a
// little after the one before or as soon as that has failed, and the first
// that answers is taken (RFC 8305): one dead address costs no timeout. Its
// zero value uses the system's resolver. It may be used by many goroutines at
// once.
type Dialer struct {
	// Lookup resolves a name; nil is the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// LocalAddr is the address to dial from; nil lets the system choose.
	LocalAddr net.Addr
	// Control sees the address that is dialled, before it is.
	Control func(network, address string, c syscall.RawConn) error
}

// attemptDelay is how long an address is given before the next is tried too.
const attemptDelay = 250 * time.Millisecond

// Dial connects to host and port. Each attempt, and the look-up before them,
// may take as long as timeout; zero is without limit.
func (d *Dialer) Dial(ctx context.Context, network, host, port string, timeout time.Duration) (net.Conn, error) {
	addrs, err := d.Resolve(ctx, host, timeout)
	if err != nil {
		return nil, err
	}
	dial := func(ctx context.Context, a netip.Addr) (net.Conn, error) {
		// No probes of TCP: a connection that died idle is noticed when it is
		// written to.
		nd := net.Dialer{LocalAddr: d.LocalAddr, Control: d.Control, Timeout: timeout, KeepAlive: -1}
		return nd.DialContext(ctx, network, net.JoinHostPort(a.String(), port))
	}
	// No race, and no goroutine.
	if len(addrs) == 1 {
		return dial(ctx, addrs[0])
	}
	return race(ctx, interleave(addrs), attemptDelay, dial)
}

// Resolve returns the addresses of host, within timeout where that is not zero.
func (d *Dialer) Resolve(ctx context.Context, host string, timeout time.Duration) ([]netip.Addr, error) {
	// An address needs no look-up, and a lookup of the caller's does not see it.
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	lookup := d.Lookup
	if lookup == nil {
		lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	addrs, err := lookup(ctx, host)
	// A lookup of the caller's may say so in this way.
	if err == nil && len(addrs) == 0 {
		err = &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	// The resolver's own error may not say that time was up, which decides the
	// kind.
	if err != nil && ctx.Err() != nil {
		err = &net.DNSError{
			Err: ctx.Err().Error(), Name: host, UnwrapErr: ctx.Err(),
			IsTimeout: errors.Is(ctx.Err(), context.DeadlineExceeded),
		}
	}
	return addrs, err
}

// interleave orders addresses so that the families take turns, the family of
// the first one first.
func interleave(addrs []netip.Addr) []netip.Addr {
	var first, second []netip.Addr
	for _, a := range addrs {
		// An IPv4 address in IPv6 form is dialled, and counted, as IPv4.
		a = a.Unmap()
		if a.Is4() == addrs[0].Unmap().Is4() {
			first = append(first, a)
		} else {
			second = append(second, a)
		}
	}
	out := make([]netip.Addr, 0, len(addrs))
	for i := range max(len(first), len(second)) {
		if i < len(first) {
			out = append(out, first[i])
		}
		if i < len(second) {
			out = append(out, second[i])
		}
	}
	return out
}

// attempt is what became of one address.
type attempt struct {
	conn net.Conn
	err  error
}

// race dials the addresses, each delay after the one before or as soon as one
// failed, and returns the first connection. The others are called off, and
// waited for: none is left when it returns.
//
//nolint:unparam // the delay is an argument for the sake of tests
func race(ctx context.Context, addrs []netip.Addr, delay time.Duration,
	dial func(context.Context, netip.Addr) (net.Conn, error),
) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	// running counts the goroutines that will send a result. Each is received, by
	// the loop or by what is deferred, so that none is left behind.
	results := make(chan attempt)
	running := 0
	defer func() {
		cancel()
		for range running {
			if late := <-results; late.conn != nil {
				late.conn.Close()
			}
		}
	}()
	// The first attempt is due at once.
	next := time.NewTimer(0)
	defer next.Stop()
	var failures []error
	for started := 0; ; {
		select {
		case <-next.C:
			// The timer may fire once more after the last.
			if started == len(addrs) {
				continue
			}
			go func(a netip.Addr) {
				c, err := dial(ctx, a)
				results <- attempt{c, err}
			}(addrs[started])
			started++
			running++
			next.Reset(delay)
		case r := <-results:
			running--
			if r.err == nil {
				// Later connections, if any, are closed by what is deferred.
				return r.conn, nil
			}
			failures = append(failures, r.err)
			if len(failures) == len(addrs) || ctx.Err() != nil {
				return nil, worst(failures)
			}
			// A failure makes room at once: there is nothing to wait for.
			next.Reset(0)
		}
	}
}

// worst picks the failure to tell: the first that is no timeout.
func worst(failures []error) error {
	for _, err := range failures {
		var ne net.Error
		if !errors.As(err, &ne) || !ne.Timeout() {
			return err
		}
	}
	return failures[0]
}
