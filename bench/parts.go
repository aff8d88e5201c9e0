package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"github.com/seed-9ea40bd3/requests"
)

// partsOf returns the rows of a load that differ from one another by one thing, or
// nil. What a row of sockets takes no client can be faster than.
func partsOf(l load, t *target) []*peer {
	rows := []*peer{newNetHTTP(t, floor), newNetHTTP(t, floorAgain)}
	switch l.name {
	case "GET 1 KiB", "GET 1 KiB, 32 at once", "HTTPS GET 1 KiB":
		return append(rows, newNetHTTPHeaders(t), newRoundTrip(t, false), newRoundTrip(t, true), newOursAlone(t), newOurs(t))
	case "GET 10 MiB":
		return append(rows, newSocket(t, "new memory", newBytes, 1), newSocket(t, "memory not cleared", uncleared, 1),
			newSocket(t, "the same, waked less", uncleared, 512*kib), newSocket(t, "memory used before, waked less", usedBefore(), 512*kib),
			newMemory(), newOurs(t))
	}
	return nil
}

// runParts measures what a call's time is made of.
func runParts(ctx context.Context, w io.Writer) error {
	t, stop, err := newTarget()
	if err != nil {
		return err
	}
	defer stop()
	for _, l := range loads() {
		rows := partsOf(l, t)
		if rows == nil {
			continue
		}
		res := measureLoad(ctx, l, rows, t)
		if err := res.failed(); err != nil {
			return err
		}
		for _, r := range res.rows {
			ratios := res.ratios(r, wallOf)
			low, high := interval(ratios)
			fmt.Fprintf(w, "%-22s %-26s %.3f [%.3f, %.3f] %5.0f allocations\n", l.name, r.peer.name,
				median(ratios), low, high, median(r.figures(allocsOf)))
		}
	}
	return nil
}

// newNetHTTPHeaders is net/http with the headers that this library sends.
func newNetHTTPHeaders(t *target) *peer {
	client := &http.Client{Transport: newTransport(t)}
	return &peer{name: "net/http, same headers", get: func(ctx context.Context, url string) (int, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return 0, err
		}
		setOurHeaders(req.Header)
		return readAll(client.Do(req))
	}}
}

func setOurHeaders(h http.Header) {
	for name, value := range requests.DefaultHeaders().All() {
		h.Set(name, value)
	}
}

// newRoundTrip is the transport alone, with a body read into one allocation.
func newRoundTrip(t *target, headers bool) *peer {
	transport, name := newTransport(t), "RoundTrip"
	if headers {
		name += ", same headers"
	}
	return &peer{name: name, get: func(ctx context.Context, url string) (int, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return 0, err
		}
		if headers {
			setOurHeaders(req.Header)
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		return io.ReadFull(resp.Body, make([]byte, resp.ContentLength))
	}}
}

// newOursAlone is this library without a look at the environment.
func newOursAlone(t *target) *peer {
	s := requests.NewSession(requests.Settings{Verify: requests.TLSVerify{Roots: t.roots}})
	s.IgnoreEnv = true
	return &peer{name: "requests, no environment", get: func(ctx context.Context, url string) (int, error) {
		r, err := s.Get(ctx, url)
		if err != nil {
			return 0, err
		}
		return len(r.Content()), nil
	}}
}

// newSocket reads the large body from a socket, with a system call for as much as
// there is, or wake bytes at least but for the last, into memory made each time.
func newSocket(t *target, kind string, room func(n int) []byte, wake int) *peer {
	host := strings.TrimPrefix(t.http, "http://")
	var conn net.Conn
	var r *bufio.Reader
	return &peer{name: "socket, " + kind, get: func(context.Context, string) (n int, err error) {
		if conn == nil {
			if conn, err = net.Dial("tcp", host); err != nil {
				return 0, err
			}
			r = bufio.NewReader(conn)
		}
		if _, err := io.WriteString(conn, "GET /large HTTP/1.1\r\nHost: bench\r\n\r\n"); err != nil {
			return 0, err
		}
		for line := []byte("x"); len(line) > len("\r\n"); {
			if line, err = r.ReadSlice('\n'); err != nil {
				return 0, err
			}
		}
		b := room(largeSize)
		for wakeFor(conn, wake); len(b)-n > wake; {
			m, err := r.Read(b[n:])
			if n += m; err != nil {
				return n, err
			}
		}
		wakeFor(conn, 1)
		m, err := io.ReadFull(r, b[n:])
		return n + m, err
	}}
}

// wakeFor has a reader of a connection be waked for n bytes at least.
func wakeFor(c net.Conn, n int) {
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, n)
		})
	}
}

func newBytes(n int) []byte { return make([]byte, n) }

// usedBefore is the same memory each time, which no client can give its callers.
func usedBefore() func(n int) []byte {
	var b []byte
	return func(n int) []byte {
		if len(b) != n {
			b = make([]byte, n)
		}
		return b
	}
}

// uncleared is memory as the library takes it for a body from its own transport.
func uncleared(n int) []byte {
	var b strings.Builder
	b.Grow(n)
	b.WriteByte(0)
	return unsafe.Slice(unsafe.StringData(b.String()), n)
}

// newMemory makes the memory of the large body, and reads nothing.
func newMemory() *peer {
	return &peer{name: "new memory alone", get: func(context.Context, string) (int, error) {
		b := make([]byte, largeSize)
		runtime.KeepAlive(b)
		return len(b), nil
	}}
}
