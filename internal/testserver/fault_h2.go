package testserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// An Effect2 is what befalls a stream of HTTP/2, or its connection, at a
// point of an exchange. The zero Effect2 is none.
type Effect2 struct {
	// GoAway sends GOAWAY with Code and Debug. What it says is the last
	// stream that was served is this one where Served is set, else none.
	GoAway bool
	Served bool
	Debug  string
	// RstStream sends RST_STREAM with Code.
	RstStream bool
	Code      http2.ErrCode
	// Shut closes the connection after that.
	Shut bool
}

// An Answer2 is what a [Faults2] does with one stream. The zero Answer2 is a
// 200 with a body of two bytes.
type Answer2 struct {
	// Status is the status; zero is 200.
	Status int
	// Header has names and values in turn.
	Header []string
	// Body is the body; nil is "ok".
	Body []byte
	// Length is the content-length where it is not the body's; "-" leaves it
	// out.
	Length string
	// Interims is how many 103 come before the response.
	Interims int
	// Continuations is how many CONTINUATION frames follow HEADERS, none of
	// them the last.
	Continuations int

	// OnRequest befalls the stream when the request's head has come.
	OnRequest Effect2
	// OnBody befalls it after BodyAt bytes of the response's body.
	OnBody Effect2
	BodyAt int
	// OnEnd befalls it when the response was sent.
	OnEnd Effect2
}

// Faults2 is a server of HTTP/2 over TLS whose answers are values. Make one
// with [NewFaults2]; it may be used by many goroutines.
type Faults2 struct {
	l      *listener
	config *tls.Config

	mu     sync.Mutex // guards what follows
	script []Answer2
	always *Answer2
	ledger []Arrival
	conns  int
}

// NewFaults2 starts a server that answers the streams, in the order in which
// they come, with the script's answers and after them with plain ones. It ends
// with the test.
func NewFaults2(tb testing.TB, config *tls.Config, script ...Answer2) *Faults2 {
	tb.Helper()
	config = config.Clone()
	config.NextProtos = []string{"h2"}
	f := &Faults2{config: config, script: script}
	// A client may connect before f.l is there, which serve's connections need.
	ready := make(chan struct{})
	f.l = listen(tb, func(conn net.Conn) {
		<-ready
		f.serve(conn)
	})
	close(ready)
	return f
}

// Always has every stream answered so, once the script is at its end.
func (f *Faults2) Always(a Answer2) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.always = &a
}

// URL is the server's URL, without a slash at its end.
func (f *Faults2) URL() string { return "https://" + f.l.ln.Addr().String() }

// Close ends the server and waits for all that it started.
func (f *Faults2) Close() { f.l.close() }

// Ledger returns what has arrived so far.
func (f *Faults2) Ledger() []Arrival {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.ledger)
}

// next takes the answer to a request.
func (f *Faults2) next(a Arrival) Answer2 {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ledger = append(f.ledger, a)
	switch {
	case len(f.script) > 0:
		answer := f.script[0]
		f.script = f.script[1:]
		return answer
	case f.always != nil:
		return *f.always
	}
	return Answer2{}
}

// conn2 is one connection of a [Faults2].
type conn2 struct {
	f      *Faults2
	id     int // from 1, in order of acceptance
	conn   net.Conn
	fr     *http2.Framer  // over conn
	block  bytes.Buffer   // what enc wrote of the head under way
	enc    *hpack.Encoder // one a connection, as its table of fields is
	turn   int            // requests so far
	stream uint32         // that of the last request
}

// serve serves one connection: one stream after the other, as they come.
func (f *Faults2) serve(raw net.Conn) {
	conn := tls.Server(raw, f.config)
	if conn.HandshakeContext(context.Background()) != nil {
		return
	}
	// The client begins with its preface, and the server with SETTINGS (RFC 9113,
	// section 3.4).
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(conn, preface); err != nil {
		return
	}
	f.mu.Lock()
	f.conns++
	c := &conn2{f: f, id: f.conns, conn: conn, fr: http2.NewFramer(conn, conn)}
	f.mu.Unlock()
	c.enc = hpack.NewEncoder(&c.block)
	// With a decoder the framer joins HEADERS and its CONTINUATION frames into
	// one. The table has the size that holds unless SETTINGS say otherwise (RFC
	// 9113, section 6.5.2).
	c.fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if c.fr.WriteSettings() != nil {
		return
	}
	for c.step() == nil {
	}
}

// step reads a frame and answers it.
func (c *conn2) step() error {
	frame, err := c.fr.ReadFrame()
	if err != nil {
		return err
	}
	switch frame := frame.(type) {
	case *http2.SettingsFrame:
		if !frame.IsAck() {
			return c.fr.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !frame.IsAck() {
			return c.fr.WritePing(true, frame.Data)
		}
	case *http2.MetaHeadersFrame:
		return c.answer(frame)
	case *http2.DataFrame:
		// Without it the connection's window would be used up after 64 KiB, of all
		// streams together (RFC 9113, section 6.9.2).
		if n := len(frame.Data()); n > 0 {
			if err := c.fr.WriteWindowUpdate(0, uint32(n)); err != nil {
				return err
			}
		}
	}
	return nil
}

// answer answers a request when its head has come, body or no body.
func (c *conn2) answer(frame *http2.MetaHeadersFrame) error {
	c.turn++
	c.stream = frame.StreamID
	in := Arrival{Conn: c.id, Turn: c.turn, Method: frame.PseudoValue("method"), Target: frame.PseudoValue("path")}
	a := c.f.next(in)
	if done, err := c.do(a.OnRequest); done || err != nil {
		return err
	}
	for range a.Interims {
		if err := c.headers(false, ":status", "103", "link", "</x>"); err != nil {
			return err
		}
	}
	if a.Continuations > 0 {
		return c.flood(a.Continuations)
	}
	if err := c.headers(false, a.fields()...); err != nil {
		return err
	}
	if ended, err := c.pour(&a); ended || err != nil {
		return err
	}
	_, err := c.do(a.OnEnd)
	return err
}

// content is the response's body.
func (a *Answer2) content() []byte {
	if a.Body == nil {
		return []byte("ok")
	}
	return a.Body
}

// fields are the names and values of the response's head in turn.
func (a *Answer2) fields() []string {
	status := a.Status
	if status == 0 {
		status = 200
	}
	fields := append([]string{":status", strconv.Itoa(status)}, a.Header...)
	switch a.Length {
	case "":
		fields = append(fields, "content-length", strconv.Itoa(len(a.content())))
	case "-":
	default:
		fields = append(fields, "content-length", a.Length)
	}
	return fields
}

// pour writes the body. It reports whether an effect within it ended the
// exchange.
func (c *conn2) pour(a *Answer2) (ended bool, err error) {
	body := a.content()
	if a.OnBody != (Effect2{}) {
		if err := c.fr.WriteData(c.stream, false, body[:a.BodyAt]); err != nil {
			return true, err
		}
		if done, err := c.do(a.OnBody); done || err != nil {
			return true, err
		}
		body = body[a.BodyAt:]
	}
	return false, c.fr.WriteData(c.stream, true, body)
}

// headers writes a head of names and values in turn.
func (c *conn2) headers(end bool, fields ...string) error {
	c.block.Reset()
	for i := 0; i+1 < len(fields); i += 2 {
		if err := c.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			return err
		}
	}
	return c.fr.WriteHeaders(http2.HeadersFrameParam{
		StreamID: c.stream, BlockFragment: c.block.Bytes(), EndHeaders: true, EndStream: end,
	})
}

// flood writes a head that never ends.
func (c *conn2) flood(n int) error {
	c.block.Reset()
	if err := c.enc.WriteField(hpack.HeaderField{Name: ":status", Value: "200"}); err != nil {
		return err
	}
	err := c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: c.stream, BlockFragment: c.block.Bytes()})
	for i := 0; i < n && err == nil; i++ {
		c.block.Reset()
		// A sensitive field is in no table, so that each costs its whole size (RFC
		// 7541, section 7.1.3). It fits a frame of the usual 16 KiB.
		field := hpack.HeaderField{
			Name: "x-" + strconv.Itoa(i), Value: string(bytes.Repeat([]byte("v"), 8<<10)),
			Sensitive: true,
		}
		if err = c.enc.WriteField(field); err == nil {
			err = c.fr.WriteContinuation(c.stream, false, c.block.Bytes())
		}
	}
	return err
}

// do has an effect befall the stream. It reports whether that ended the
// exchange; an error ends the connection.
func (c *conn2) do(e Effect2) (done bool, err error) {
	if e.GoAway {
		// The client may send again what is on later streams: nothing was done
		// about it (RFC 9113, section 6.8).
		last := uint32(0)
		if e.Served {
			last = c.stream
		}
		if err := c.fr.WriteGoAway(last, e.Code, []byte(e.Debug)); err != nil {
			return true, err
		}
		done = !e.Served
	}
	if e.RstStream {
		if err := c.fr.WriteRSTStream(c.stream, e.Code); err != nil {
			return true, err
		}
		done = true
	}
	if e.Shut {
		// What the client has sent meanwhile must not make it a reset.
		if half, ok := c.conn.(interface{ NetConn() net.Conn }); ok {
			if tcp, ok := half.NetConn().(*net.TCPConn); ok {
				_ = tcp.CloseWrite()
				_, _ = io.Copy(io.Discard, tcp)
			}
		}
		return true, io.ErrClosedPipe // any error ends the connection
	}
	return done, nil
}
