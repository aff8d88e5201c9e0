package conformance

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
)

// network is the servers of one case, and the only way to them.
type network struct {
	origins map[string]*origin // by host and port
	hosts   map[string]bool
	done    chan struct{} // closed when the case is over
	running sync.WaitGroup

	mu     sync.Mutex
	wire   []arrival             // guarded by mu
	conns  map[net.Conn]struct{} // guarded by mu
	closed bool                  // guarded by mu
}

// arrival is a request that arrived at an origin.
type arrival struct {
	origin *origin
	conn   int
	*message
}

// newNetwork starts the servers of the origins.
func newNetwork(a *Authority, origins map[string][]Answer) (*network, error) {
	n := &network{
		origins: map[string]*origin{}, hosts: map[string]bool{},
		done: make(chan struct{}), conns: map[net.Conn]struct{}{},
	}
	for key, script := range origins {
		o, err := newOrigin(n, key, script)
		if err == nil && o.suffix != "blackhole" {
			err = o.listen(a)
		}
		if err != nil {
			n.close()
			return nil, fmt.Errorf("origin %s: %w", key, err)
		}
		n.origins[net.JoinHostPort(o.host, o.port)] = o
		n.hosts[o.host] = true
		if o.listener != nil {
			n.running.Go(o.accept)
		}
	}
	return n, nil
}

// originForm is looser than a URL: a client may dial a host that no parser of
// URLs takes.
var originForm = regexp.MustCompile(`^(https?)://(\[[^][/]+\]|[^][:/]+)(?::([0-9]+))?$`)

// splitOrigin reads an origin's key.
func splitOrigin(key string) (scheme, host, port, suffix string, err error) {
	base, suffix, _ := strings.Cut(key, "#")
	switch suffix {
	case "", "selfsigned", "wronghost", "expired", "clientcert", "blackhole":
	default:
		return "", "", "", "", fmt.Errorf("suffix %q is not known", suffix)
	}
	m := originForm.FindStringSubmatch(base)
	if m == nil {
		return "", "", "", "", errors.New("no origin")
	}
	scheme, host, port = m[1], strings.Trim(m[2], "[]"), m[3]
	switch {
	case port != "":
	case scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return scheme, hostKey(host), port, suffix, nil
}

// hostKey is a host as the network compares it.
func hostKey(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// dial connects to the origin of an address, as the dialler of an adapter.
func (n *network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	host = hostKey(host)
	o := n.origins[net.JoinHostPort(host, port)]
	switch {
	case o != nil && o.listener == nil:
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: ctx.Err()}
	case o != nil:
		return new(net.Dialer).DialContext(ctx, "tcp", o.listener.Addr().String())
	case n.hosts[host]:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: noSuchHost(host)}
}

func noSuchHost(host string) error {
	return &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

// resolve knows addresses alone: no name is resolved here.
func (n *network) resolve(_ context.Context, host string) ([]netip.Addr, error) {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return nil, noSuchHost(host)
	}
	return []netip.Addr{ip}, nil
}

// errOver is the error of a network whose case is over.
var errOver = errors.New("the case is over")

// hold notes a connection to be closed at the end.
func (n *network) hold(c net.Conn) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		c.Close()
		return errOver
	}
	n.conns[c] = struct{}{}
	return nil
}

// drop closes a connection and forgets it.
func (n *network) drop(c net.Conn) {
	c.Close()
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, c)
}

// arrive notes a request, and takes the answer to it in the same step so that
// both have one order.
func (n *network) arrive(o *origin, conn int, m *message) *Answer {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.wire = append(n.wire, arrival{o, conn, m})
	if len(o.script) == 0 {
		return &Answer{Raw: new("HTTP/1.1 500 Script Exhausted\r\nContent-Length: 0\r\n\r\n")}
	}
	a := &o.script[0]
	o.script = o.script[1:]
	return a
}

// arrivals returns what arrived until now.
func (n *network) arrivals() []arrival {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]arrival(nil), n.wire...)
}

// close ends all servers and waits for them.
func (n *network) close() {
	n.cut()
	n.running.Wait()
}

// cut ends all servers. What waits for one of them sees its connection closed.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	n.closed = true
	close(n.done)
	for _, o := range n.origins {
		if o.listener != nil {
			o.listener.Close()
		}
	}
	for c := range n.conns {
		c.Close()
	}
}
