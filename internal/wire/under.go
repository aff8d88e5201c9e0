package wire

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// UnderTLS is the connection under TLS. It notes that it ended, and can write
// without waiting, which TLS cannot.
type UnderTLS struct {
	net.Conn
	socket *socket // of Conn; may be nil
	eof    atomic.Bool

	mu     sync.Mutex
	trying bool
	began  bool   // bytes went out, since that began
	rest   []byte // what did not
}

// Under wraps the connection that a TLS client is made over, for [NewTLS].
func Under(raw net.Conn) *UnderTLS { return &UnderTLS{Conn: raw, socket: newSocket(raw)} }

// Read notes the end.
func (u *UnderTLS) Read(b []byte) (int, error) {
	n, err := u.Conn.Read(b)
	if err == io.EOF {
		u.eof.Store(true)
	}
	return n, err
}

// Write writes b, or between try and tried what goes without waiting.
func (u *UnderTLS) Write(b []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.trying {
		if err := u.flushLocked(); err != nil {
			return 0, err
		}
		return u.Conn.Write(b)
	}
	n := 0
	if len(u.rest) == 0 {
		n = u.socket.put(b)
		u.began = u.began || n > 0
	}
	u.rest = append(u.rest, b[n:]...)
	return len(b), nil
}

// try has writes not wait from now on.
func (u *UnderTLS) try() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.trying, u.began = true, false
}

// tried ends that, and reports whether bytes went out meanwhile.
func (u *UnderTLS) tried() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.trying = false
	return u.began
}

// flush writes what did not go without waiting.
func (u *UnderTLS) flush() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.flushLocked()
}

func (u *UnderTLS) flushLocked() error {
	if len(u.rest) == 0 {
		return nil
	}
	n, err := u.Conn.Write(u.rest)
	u.rest = u.rest[n:]
	return err
}
