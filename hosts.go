package requests

import (
	"container/list"
	"sync"
	"sync/atomic"

	"github.com/seed-9ea40bd3/requests/internal/wire"
)

// hostPools is for which hosts a transport keeps connections: the most
// recently used ones, as pool_connections has it in Requests. The idle
// connections of a host that is pushed out are closed, those in use when they
// have served.
type hostPools struct {
	limit int

	newest atomic.Pointer[string] // the host at the front of order

	mu     sync.Mutex // guards what follows
	order  list.List  // of *hostPool, the most recently used first
	byHost map[string]*list.Element
}

// hostPool is the connections to one host that are not closed yet, those in
// use included.
type hostPool struct {
	host  string
	conns map[pooledConn]struct{} // guarded by the lock of [hostPools]
}

// pooledConn is a connection that can be told to serve no further request, and
// to close when those under way are done.
type pooledConn interface{ Retire() }

// touch notes that host is used.
func (h *hostPools) touch(host string) {
	// Nearly all requests go to the host that the last one went to: they do
	// without the lock.
	if newest := h.newest.Load(); newest != nil && *newest == host {
		return
	}
	h.mu.Lock()
	_, retired := h.touchLocked(host)
	h.mu.Unlock()
	retire(retired)
}

// retire closes connections that wait for a request, and has others close
// when they have served. It is called without the lock, for a connection that
// closes takes itself out of its pool.
func retire(conns []pooledConn) {
	for _, c := range conns {
		c.Retire()
	}
}

// touchLocked puts a host in front, and pushes out the last ones beyond the
// limit. It returns their connections, which the caller retires once it has let
// go of the lock.
func (h *hostPools) touchLocked(host string) (p *hostPool, retired []pooledConn) {
	if e, ok := h.byHost[host]; ok {
		h.order.MoveToFront(e)
		p = e.Value.(*hostPool)
		h.newest.Store(&p.host)
		return p, nil
	}
	if h.byHost == nil {
		h.byHost = map[string]*list.Element{}
	}
	p = &hostPool{host: host, conns: map[pooledConn]struct{}{}}
	h.byHost[host] = h.order.PushFront(p)
	h.newest.Store(&p.host)
	for h.order.Len() > h.limit {
		last := h.order.Back()
		h.order.Remove(last)
		out := last.Value.(*hostPool)
		delete(h.byHost, out.host)
		for c := range out.conns {
			retired = append(retired, c)
		}
	}
	return p, retired
}

// add keeps track of a connection to host until it is closed.
func (h *hostPools) add(host string, c *wire.Conn) {
	c.Pool = host
	h.mu.Lock()
	p, retired := h.touchLocked(host)
	p.conns[c] = struct{}{}
	h.mu.Unlock()
	retire(retired)
	c.OnClose(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(p.conns, c)
	})
}
