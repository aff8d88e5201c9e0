package conformance

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"time"
)

// origin is a server that answers by its script.
type origin struct {
	key, host, port, suffix string
	secure                  bool
	network                 *network
	listener                net.Listener // nil for one that cannot be reached
	config                  *tls.Config
	script                  []Answer // guarded by the network's lock
}

func newOrigin(n *network, key string, script []Answer) (*origin, error) {
	scheme, host, port, suffix, err := splitOrigin(key)
	if err != nil {
		return nil, err
	}
	return &origin{
		key: key, host: host, port: port, suffix: suffix, secure: scheme == "https",
		network: n, script: script,
	}, nil
}

func (o *origin) listen(a *Authority) error {
	if o.secure {
		o.config = a.server(o.host, o.suffix)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	o.listener = ln
	return err
}

// accept serves connections, numbered from 1, until the listener is closed.
func (o *origin) accept() {
	for number := 1; ; number++ {
		c, err := o.listener.Accept()
		if err != nil {
			return
		}
		if o.network.hold(c) != nil {
			return
		}
		o.network.running.Go(func() {
			defer o.network.drop(c)
			o.serve(c, number)
		})
	}
}

// serve answers the requests of a connection.
func (o *origin) serve(raw net.Conn, number int) {
	c := raw
	if o.secure {
		t := tls.Server(raw, o.config)
		if t.Handshake() != nil {
			return
		}
		c = t
	}
	r := bufio.NewReader(c)
	for {
		m, err := readMessage(r)
		if err != nil {
			return
		}
		a := o.network.arrive(o, number, m)
		if !o.wait(a.DelayMS) {
			return
		}
		switch {
		case a.Hang:
			_, _ = io.Copy(io.Discard, r)
			return
		case a.Reset:
			return // without a word, of TLS's either
		}
		if !o.write(c, a) {
			return
		}
		switch {
		case a.Tunnel:
			o.join(c, r, m.target())
			return
		case a.Close || a.Truncate != nil:
			c.Close()
			return
		}
	}
}

// wait reports whether the case went on for so long.
func (o *origin) wait(ms int) bool {
	if ms <= 0 {
		return true
	}
	t := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-o.network.done:
		return false
	}
}

// write sends an answer, at once or drop by drop.
func (o *origin) write(c net.Conn, a *Answer) bool {
	data := a.bytes()
	if a.Drip == nil || a.Drip[0] <= 0 {
		_, err := c.Write(data)
		return err == nil
	}
	for len(data) > 0 {
		n := min(a.Drip[0], len(data))
		if _, err := c.Write(data[:n]); err != nil {
			return false
		}
		if data = data[n:]; len(data) > 0 && !o.wait(a.Drip[1]) {
			return false
		}
	}
	return true
}

// join connects a tunnel to the origin that it was asked for, until both ends
// have closed; without such an origin it is closed at once.
func (o *origin) join(client net.Conn, buffered io.Reader, target string) {
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		return
	}
	to := o.network.origins[net.JoinHostPort(hostKey(host), port)]
	if to == nil || to.listener == nil {
		client.Close()
		return
	}
	server, err := net.Dial("tcp", to.listener.Addr().String())
	if err != nil || o.network.hold(server) != nil {
		return
	}
	o.network.running.Go(func() {
		_, _ = io.Copy(client, server)
		client.Close()
	})
	_, _ = io.Copy(server, buffered)
	o.network.drop(server)
}
