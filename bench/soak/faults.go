package main

import (
	"io"
	"math/rand/v2"
	"net"
	"time"
)

// plan says which requests meet which fault. It is a pure function of the
// seed, the request's number and the number of the try.
type plan struct {
	seed uint64
	rate float64 // of the requests meet a fault
}

// fault is what befalls one request.
type fault struct {
	name string
	// early faults come before the request's body is read: it is not applied.
	early bool
	// fatal faults leave no whole response.
	fatal bool
	// play answers, and reports whether the connection goes on.
	play func(*exchange) bool
}

// exchange is one request under a fault.
type exchange struct {
	conn net.Conn
	body []byte
	at   int // where in the body it happens
	buf  []byte
}

// faults are the kinds, of which about 70 % are fatal.
func faults() []fault {
	return []fault{
		{"reset after the head", true, true, func(x *exchange) bool { return x.reset() }},
		{"close after the head", true, true, func(*exchange) bool { return false }},
		{"reset before the answer", false, true, func(x *exchange) bool { return x.reset() }},
		{"close before the answer", false, true, func(*exchange) bool { return false }},
		{"half a status line", false, true, func(x *exchange) bool { x.send("HTTP/1.1 20"); return false }},
		{"half a head", false, true, func(x *exchange) bool { x.send("HTTP/1.1 200 OK\r\nContent-Le"); return false }},
		{"junk", false, true, func(x *exchange) bool { x.send("\x00junk\r\n\r\n"); return false }},
		{"body cut", false, true, func(x *exchange) bool { x.part(); return false }},
		{"body reset", false, true, func(x *exchange) bool { x.part(); return x.reset() }},
		{"body half-closed", false, true, halfClose},
		{"chunks without an end", false, true, func(x *exchange) bool {
			x.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n200\r\n" + string(x.body) + "\r\n")
			return false
		}},
		{"a bad chunk", false, true, func(x *exchange) bool {
			x.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + string(x.body) + "\r\n0\r\n\r\n")
			return false
		}},
		{"drip", false, false, drip},
		{"interim answers", false, false, func(x *exchange) bool {
			return x.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n") && x.whole()
		}},
		{"a pause", false, false, func(x *exchange) bool { pause(2 * time.Millisecond); return x.whole() }},
		{"close after the answer", false, false, func(x *exchange) bool { x.whole(); return false }},
		{"garbage after the answer", false, false, func(x *exchange) bool { return x.whole() && x.send("garbage\r\n") }},
	}
}

// source returns what the choices for a try of a request come from.
func (p plan) source(id uint64, try int) *rand.Rand {
	return rand.New(rand.NewPCG(p.seed, id<<8|uint64(try&0xff)))
}

// draw returns the index in [faults] of what a try of a request meets, below
// zero for nothing, and where in the body.
func (p plan) draw(id uint64, try, kinds int) (kind, at int) {
	if p.rate == 0 {
		return -1, 0
	}
	rng := p.source(id, try)
	if rng.Float64() >= p.rate {
		return -1, 0
	}
	return rng.IntN(kinds), rng.IntN(bodySize)
}

// refuses reports whether the n-th connection is reset as soon as it was made.
func (p plan) refuses(n uint64) bool {
	return p.rate > 0 && p.source(n|1<<55, 0).Float64() < p.rate/4
}

// fill writes the body of a request's answer.
func (p plan) fill(body []byte, id uint64) {
	var src rand.PCG
	src.Seed(p.seed, id)
	for i := 0; i+8 <= len(body); i += 8 {
		x := src.Uint64()
		for j := range 8 {
			body[i+j] = byte(x >> (8 * j))
		}
	}
}

func (x *exchange) send(s string) bool {
	_, err := io.WriteString(x.conn, s)
	return err == nil
}

const bodyHead = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 512\r\n\r\n"

// whole sends the whole response in one piece.
func (x *exchange) whole() bool {
	x.buf = append(append(x.buf[:0], bodyHead...), x.body...)
	_, err := x.conn.Write(x.buf)
	return err == nil
}

// part sends the response up to a byte of its body.
func (x *exchange) part() { x.send(bodyHead + string(x.body[:x.at])) }

// reset has the connection end by a TCP reset.
func (x *exchange) reset() bool {
	if c, ok := x.conn.(*net.TCPConn); ok {
		_ = c.SetLinger(0)
	}
	return false
}

// halfClose ends the server's direction within the body and waits until the
// client has gone.
func halfClose(x *exchange) bool {
	x.part()
	if c, ok := x.conn.(*net.TCPConn); ok {
		_ = c.CloseWrite()
	}
	_ = x.conn.SetReadDeadline(time.Now().Add(time.Second))
	_, _ = io.Copy(io.Discard, x.conn)
	return false
}

// drip sends the response in small pieces.
func drip(x *exchange) bool {
	x.buf = append(append(x.buf[:0], bodyHead...), x.body...)
	const piece = 48
	for rest := x.buf; len(rest) > 0; {
		n := min(piece, len(rest))
		if _, err := x.conn.Write(rest[:n]); err != nil {
			return false
		}
		rest = rest[n:]
	}
	return true
}
