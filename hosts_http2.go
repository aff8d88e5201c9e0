package requests

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// sharedConn is what lies under the TLS of a connection that may turn out to
// be of HTTP/2, which net/http then drives and shares among requests. It knows
// how many use it, so that [hostPools] can have it closed without cutting any.
type sharedConn struct {
	net.Conn
	pools *hostPools
	host  string

	// The rest but for noticed is guarded by the lock of [hostPools].
	pool     *hostPool // nil until HTTP/2 was agreed
	users    int       // requests that were given the connection and are not done
	used     bool      // a request was given the connection
	answered bool      // a request had its response
	retired  bool      // to be closed when nobody uses it
	ending   bool      // being closed

	noticed chan struct{} // closed when net/http has put the connection away
	once    sync.Once

	broken atomic.Bool // a read has failed: nobody is answered any more
}

// Read notes the end of the connection.
func (c *sharedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		c.broken.Store(true)
	}
	return n, err
}

// addShared keeps track of a connection of HTTP/2 until it is closed.
func (h *hostPools) addShared(c *sharedConn) {
	h.mu.Lock()
	retired := c.joinLocked()
	h.mu.Unlock()
	retire(retired)
}

// joinLocked puts the connection into its host's pool.
func (c *sharedConn) joinLocked() (retired []pooledConn) {
	c.pool, retired = c.pools.touchLocked(c.host)
	c.pool.conns[c] = struct{}{}
	c.retired = false
	return retired
}

// acquire notes that a request was given the connection, before any of it is
// written. net/http may have chosen one that is being closed: it finds out when
// it has put the connection away, and takes the request to another, whatever
// its method and body, for none of it went out. Until then the request waits,
// and false is returned.
func (c *sharedConn) acquire(ctx context.Context) bool {
	h := c.pools
	h.mu.Lock()
	if !c.ending {
		c.users++
		c.used = true
		retired := c.joinLocked()
		h.mu.Unlock()
		retire(retired)
		return true
	}
	h.mu.Unlock()
	select {
	case <-c.noticed:
	case <-ctx.Done():
	}
	return false
}

// release notes that a request is done with the connection.
func (c *sharedConn) release(answered bool) {
	c.pools.mu.Lock()
	c.users--
	c.answered = c.answered || answered
	end := c.retired && c.endsLocked()
	c.pools.mu.Unlock()
	if end {
		c.end()
	}
}

// Retire closes the connection: at once where nobody uses it, else when the
// last request is done.
func (c *sharedConn) Retire() {
	c.pools.mu.Lock()
	// It was used again since it was pushed out, or not.
	current := c.pools.byHost[c.host]
	c.retired = current == nil || current.Value.(*hostPool) != c.pool
	end := c.retired && c.endsLocked()
	c.pools.mu.Unlock()
	if end {
		c.end()
	}
}

// endsLocked reports whether the connection is to be closed now. One that has
// served nobody yet stays: net/http takes its loss for that of the server, and
// fails the first request instead of sending it elsewhere.
func (c *sharedConn) endsLocked() bool {
	if c.users > 0 || !c.answered || c.ending {
		return false
	}
	c.ending = true
	return true
}

// closeUnused closes the connections of HTTP/2 that nobody uses. net/http leaves
// one alone on which a failed request has not been put away yet.
func (h *hostPools) closeUnused() {
	var unused []*sharedConn
	h.mu.Lock()
	for e := h.order.Front(); e != nil; e = e.Next() {
		for conn := range e.Value.(*hostPool).conns {
			if c, ok := conn.(*sharedConn); ok && c.used && c.users == 0 && !c.ending {
				c.ending = true
				unused = append(unused, c)
			}
		}
	}
	h.mu.Unlock()
	for _, c := range unused {
		c.end()
	}
}

// endGrace is how long net/http has to put a connection away by itself.
const endGrace = 250 * time.Millisecond

// end has net/http's reader of the connection fail, which puts it away and
// closes it, with the alert that ends TLS.
func (c *sharedConn) end() {
	_ = c.SetDeadline(time.Unix(1, 0))
	time.AfterFunc(endGrace, func() { c.Conn.Close() }) // where deadlines do not count
}

// Close closes the connection. It is net/http that calls it, when it gives no
// further request to it.
func (c *sharedConn) Close() error {
	c.once.Do(func() {
		close(c.noticed)
		c.pools.mu.Lock()
		defer c.pools.mu.Unlock()
		c.ending = true
		if c.pool != nil {
			delete(c.pool.conns, c)
		}
	})
	return c.Conn.Close()
}
