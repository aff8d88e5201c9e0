package wire

import (
	"sync/atomic"
	"time"
)

// ahead is of a request that was sent before the transport came to write it: that
// has a goroutine write it, and the server need not wait for this to be waked. What
// the transport writes then is dropped.
type ahead struct {
	on    bool   // until the next request is armed
	began bool   // some of it went out
	rest  []byte // of it, where not all went out at once

	early atomic.Bool   // the transport has not come to write it
	waits atomic.Bool   // somebody waits in await
	came  chan struct{} // wakes him
}

// Send sends the request that was armed, with a body that is in memory behind its
// head, as far as that goes without waiting; the rest goes out when the transport
// writes. It may be called once for each [Conn.Arm], by whoever called that. Where
// more is to be said of the request than this, or its body is large, all is left to
// the transport's writes.
func (c *Conn) Send(body []byte) {
	if !c.socket.direct() || c.refused != nil || len(body) > smallBody || c.stale(c.terms) {
		return
	}
	c.head = append(c.head, body...)
	c.ahead.on = true
	c.ahead.early.Store(true)
	c.sent.Store(c.turn.Load())
	c.written.Add(int64(len(c.head)))
	n, began := c.put(c.head)
	c.ahead.began, c.ahead.rest = began, c.head[n:]
	c.written.Add(int64(n - len(c.head)))
}

// put writes of b what goes without waiting, and returns how much of it is done
// with, and whether any bytes went out.
func (c *Conn) put(b []byte) (n int, began bool) {
	if c.tls == nil {
		n = c.socket.put(b)
		return n, n > 0
	}
	c.under.try()
	n, _ = c.Conn.Write(b)
	return n, c.under.tried()
}

// drop takes what the transport writes of a request that went out already. Like
// writeHead it counts none of it only where nothing went out.
func (c *Conn) drop(b []byte) (int, error) {
	c.ahead.arrive()
	var n int
	var err error
	if rest := c.ahead.rest; len(rest) > 0 {
		c.ahead.rest = nil
		n, err = c.pass(rest)
	} else if c.under != nil {
		err = c.under.flush()
	}
	switch {
	case err == nil:
		return len(b), nil
	case n > 0 || c.ahead.began:
		return 1, err
	}
	return 0, err
}

// arrive notes that the transport writes.
func (a *ahead) arrive() {
	if a.early.Swap(false) && a.waits.Load() {
		wake(a.came)
	}
}

// await holds back what was read until the transport has come to write the request
// that it answers. Before that the transport takes an answer for unasked, and the
// end of the connection for that of an idle one, after which any request may go out
// again. A connection that is closed meanwhile is perhaps not written to any more.
func (a *ahead) await(closed <-chan struct{}) {
	a.waits.Store(true)
	defer a.waits.Store(false)
	var over <-chan time.Time
	for a.early.Load() {
		select {
		case <-a.came:
		case <-closed:
			timer := time.NewTimer(writeWait)
			defer timer.Stop()
			over, closed = timer.C, nil
		case <-over:
			return
		}
	}
}
