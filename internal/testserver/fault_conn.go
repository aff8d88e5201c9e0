package testserver

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// faultConn is one connection of a faulty server.
type faultConn struct {
	// The server, whose script and ledger all its connections share.
	f *Faults
	// The number under which the ledger has the connection, from 1.
	id   int
	raw  net.Conn // the socket
	conn net.Conn // raw, or TLS over it
	// What is read of conn, for as long as the connection lives: bytes that came
	// early stay in it for the next request.
	br *bufio.Reader
}

// errEffect ends a connection that an effect befell.
var errEffect = errors.New("testserver: effect")

// serve answers the requests of the connection.
func (c *faultConn) serve() {
	// Such an effect comes before TLS, so that it can keep a handshake from being
	// made.
	if c.do(c.f.onAccept()) != nil {
		return
	}
	if c.f.tls != nil {
		// The handshake is made by the first read.
		c.conn = tls.Server(c.raw, c.f.tls)
	}
	c.br = bufio.NewReader(c.conn)
	for turn := 1; ; turn++ {
		head, err := readHead(c.br)
		if err != nil {
			return
		}
		if c.exchange(turn, head) != nil {
			return
		}
	}
}

// exchange answers one request; an error ends the connection.
func (c *faultConn) exchange(turn int, head string) error {
	in := parseArrival(head)
	in.Conn, in.Turn = c.id, turn
	// From here on the request is in the ledger, whatever befalls its body.
	a, slot := c.f.next(in)
	if err := c.do(a.OnHead); err != nil {
		return err
	}
	if !a.Early {
		if err := c.receive(&a, in, slot); err != nil {
			return err
		}
	}
	if err := c.answer(&a, in.Method); err != nil {
		return err
	}
	// The client had the whole response and went on: the end is not due.
	if a.Linger > 0 && c.asked(a.Linger) {
		return nil
	}
	// A gate at the end holds back an effect, and not the next request.
	if a.OnEnd != Nothing {
		c.hold(a.Hold)
	}
	if err := c.do(a.OnEnd); err != nil {
		return err
	}
	// A body that came after its answer is read now, since it would be taken for
	// the next request's head otherwise.
	if a.Early {
		if err := c.receive(&a, in, slot); err != nil {
			return err
		}
	}
	// The other direction is read to its end before the socket is closed: closing
	// it with bytes unread would be a reset, which may take the response with it.
	if a.closes() {
		return c.do(HalfClose)
	}
	return nil
}

// answer responds when it is time to.
func (c *faultConn) answer(a *Answer, method string) error {
	pause(c.f.ctx, a.Delay)
	c.hold(a.Gate)
	if method == "HEAD" && a.Body == nil && a.Raw == "" {
		a.Body, a.Length = []byte{}, "2" // the default body is not sent
	}
	return c.respond(a)
}

// parseArrival reads a head, as far as it can be read.
func parseArrival(head string) Arrival {
	in := Arrival{Head: head}
	line, fields, _ := strings.Cut(head, "\r\n")
	in.Method, line, _ = strings.Cut(line, " ")
	in.Target, _, _ = strings.Cut(line, " ")
	// A head that is malformed is entered as far as it was understood: what the
	// client has sent is for the test to judge.
	mime, _ := textproto.NewReader(bufio.NewReader(strings.NewReader(fields))).ReadMIMEHeader()
	in.Header = http.Header(mime)
	return in
}

// receive reads the request's body and enters it into the ledger.
func (c *faultConn) receive(a *Answer, in Arrival, slot int) error {
	var body io.Reader = http.NoBody
	chunked := strings.EqualFold(in.Header.Get("Transfer-Encoding"), "chunked")
	// Below zero there is no length to hold the body to.
	want := int64(-1)
	if chunked {
		body = httputil.NewChunkedReader(c.br)
	} else if n, err := strconv.ParseInt(in.Header.Get("Content-Length"), 10, 64); err == nil {
		want = n
		body = io.LimitReader(c.br, n)
	}
	if a.OnUpload != Nothing {
		// No more of the body counts than comes before the effect.
		body = io.LimitReader(body, a.UploadAt)
	}
	// The ledger keeps the start of a large body, and the hash of the whole.
	hash := sha256.New()
	kept := &keeper{limit: maxArrivalBody}
	// Streamed, so that an upload may be larger than memory.
	n, err := io.Copy(io.MultiWriter(hash, kept), body)
	// An effect within the body makes it one that did not come whole, by intent.
	whole := err == nil && a.OnUpload == Nothing && (want < 0 || n == want)
	// The reader of chunks stops behind the last one, and leaves the trailer.
	if chunked && whole {
		whole = c.skipTrailer()
	}
	// The entry comes before the effect: a client that has seen the effect finds
	// what came before it.
	c.f.enter(slot, kept.b, n, [sha256.Size]byte(hash.Sum(nil)), whole)
	if err := c.do(a.OnUpload); err != nil {
		return err
	}
	if !whole {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// skipTrailer reads what follows the last chunk.
func (c *faultConn) skipTrailer() bool {
	for {
		line, err := c.br.ReadSlice('\n')
		if err != nil {
			return false
		}
		if strings.TrimRight(string(line), "\r\n") == "" {
			return true
		}
	}
}

// keeper keeps the start of what is written to it.
type keeper struct {
	b     []byte
	limit int
}

// Write takes all of p and keeps what there is room for.
func (k *keeper) Write(p []byte) (int, error) {
	k.b = append(k.b, p[:min(len(p), k.limit-len(k.b))]...)
	return len(p), nil
}

// respond writes the response, up to where an effect ends it.
func (c *faultConn) respond(a *Answer) error {
	if a.Interim != "" {
		// A flood of interim answers is not to cost a system call for each.
		bw := bufio.NewWriterSize(c.conn, 64<<10)
		for range max(a.Interims, 1) {
			if _, err := bw.WriteString(a.Interim); err != nil {
				return err
			}
		}
		if err := bw.Flush(); err != nil {
			return err
		}
	}
	if err := c.do(a.OnResponse); err != nil {
		return err
	}
	head, piece, times, tail := a.pieces()
	out := &pouring{c: c, a: a, free: int64(len(head)), left: -1}
	if a.OnBody != Nothing {
		out.left = int64(a.BodyAt)
	}
	// A response that is small goes out in one write, as it does from most
	// servers.
	first := append([]byte(head), piece...)
	if times == 1 {
		first = append(first, tail...)
	}
	if err := out.write(first); err != nil {
		return err
	}
	for i := 1; i < times; i++ {
		if err := out.write(piece); err != nil {
			return err
		}
	}
	if times > 1 {
		if err := out.write([]byte(tail)); err != nil {
			return err
		}
	}
	// The body was shorter than BodyAt: the effect comes at its end.
	if out.left >= 0 {
		c.hold(a.Hold)
		return c.do(a.OnBody)
	}
	return nil
}

// pouring writes a response in drips, up to the effect in its body.
type pouring struct {
	c    *faultConn
	a    *Answer
	free int64 // bytes of the head that are to come
	left int64 // bytes of the body before the effect; -1 for none
}

// write sends b, or as much of it as comes before the effect, which it then has
// befall the connection.
func (p *pouring) write(b []byte) error {
	cut := false
	if p.left >= 0 {
		// BodyAt counts the body alone: bytes of the head are free.
		room := p.free + p.left
		if int64(len(b)) >= room {
			b, cut = b[:room], true
		}
		n := int64(len(b))
		fromHead := min(n, p.free)
		p.free -= fromHead
		p.left -= n - fromHead
	}
	for len(b) > 0 {
		n := len(b)
		if p.a.Drip > 0 {
			n = min(n, p.a.Drip)
		}
		if _, err := p.c.conn.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
		if p.a.Drip > 0 {
			pause(p.c.f.ctx, p.a.DripEvery)
		}
	}
	if cut {
		p.left = -1
		p.c.hold(p.a.Hold)
		return p.c.do(p.a.OnBody)
	}
	return nil
}

// asked waits for the next request, and reports whether it came in time.
func (c *faultConn) asked(limit time.Duration) bool {
	_ = c.conn.SetReadDeadline(time.Now().Add(limit))
	// The byte stays in the buffer, for the head that it begins.
	_, err := c.br.Peek(1)
	_ = c.conn.SetReadDeadline(time.Time{})
	return err == nil
}

// hold waits for a gate of the test's, if there is one.
func (c *faultConn) hold(gate <-chan struct{}) {
	if gate == nil {
		return
	}
	select {
	case <-gate:
	case <-c.f.ctx.Done():
	}
}

// do has an effect befall the connection; it returns an error unless that was
// nothing.
func (c *faultConn) do(e Effect) error {
	switch e {
	case Nothing:
		return nil
	case Reset:
		// Without lingering the system drops what is unsent and says RST.
		if tcp, ok := c.raw.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = c.raw.Close()
	case Shut:
		_ = c.conn.Close()
	case Cut:
		_ = c.raw.Close()
	case HalfClose:
		// A pipe has no halves, and is closed when serve returns.
		if half, ok := c.conn.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
			_, _ = io.Copy(io.Discard, c.conn)
		}
	case Stall:
		select {
		case <-c.f.ctx.Done():
		case <-c.f.settle:
			_, _ = io.Copy(io.Discard, c.raw)
		}
	case Deaf:
		_, _ = io.Copy(io.Discard, c.conn)
	}
	return errEffect
}
