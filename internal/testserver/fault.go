package testserver

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// An Effect is what befalls a connection at a point of an exchange. The zero
// Effect is none.
type Effect uint8

// The effects. After any of them but [Nothing] the connection serves no other
// request.
const (
	// Nothing lets the exchange go on.
	Nothing Effect = iota
	// Reset ends the connection with a TCP reset.
	Reset
	// Shut closes the connection; under TLS it says so first.
	Shut
	// Cut closes the socket under TLS without a word. Without TLS it is Shut.
	Cut
	// HalfClose ends the server's own direction and reads on.
	HalfClose
	// Stall neither reads nor writes until the client or the test has gone.
	Stall
	// Deaf writes nothing more, but reads on.
	Deaf
)

// String names the effect.
func (e Effect) String() string {
	names := [...]string{"nothing", "reset", "shut", "cut", "half-close", "stall", "deaf"}
	if int(e) < len(names) {
		return names[e]
	}
	return fmt.Sprintf("effect %d", uint8(e))
}

// An Answer is what a [Faults] does with one request: the bytes of the
// response, and an effect for each point on the way. The zero Answer is a 200
// with a body of two bytes that leaves the connection open.
type Answer struct {
	// Name tells in failures which answer it was.
	Name string

	// Status is the status code; zero is 200. Reason is the phrase; empty is
	// the usual one.
	Status int
	Reason string
	// Header has the fields, each as "Name: value".
	Header []string
	// Body is sent Repeat times; a Repeat of zero counts as one. A nil Body
	// is "ok", an empty one none.
	Body   []byte
	Repeat int
	// Length is the Content-Length, where it is not the body's own. It is
	// text so that it can be wrong in any way; "-" leaves it out.
	Length string
	// Chunked frames the body in chunks, each Body one chunk.
	Chunked bool
	// Trailer is sent after the last chunk, in the place of the blank line.
	Trailer string
	// Raw, when not empty, is the whole response and stands for all of the
	// above.
	Raw string

	// Interim is sent before the response, Interims times, or once.
	Interim  string
	Interims int

	// OnAccept befalls a connection when it was accepted, before TLS. Such an
	// answer is for a connection and not for a request.
	OnAccept Effect
	// OnHead befalls it when the request's head has come.
	OnHead Effect
	// OnUpload befalls it when UploadAt bytes of the request's body have come.
	OnUpload Effect
	UploadAt int64
	// OnResponse befalls it before the first byte of the response.
	OnResponse Effect
	// OnBody befalls it after BodyAt bytes of the response's body, as framed,
	// or of Raw.
	OnBody Effect
	BodyAt int
	// OnEnd befalls it after the last byte.
	OnEnd Effect

	// Gate, when not nil, is waited for before the response.
	Gate <-chan struct{}
	// Hold, when not nil, is waited for before the effects of OnBody and OnEnd.
	Hold <-chan struct{}
	// Linger is how long another request is waited for before OnEnd, which
	// does not come where that does.
	Linger time.Duration
	// Early answers before the request's body was read.
	Early bool
	// Delay is how long the response is waited with.
	Delay time.Duration
	// Drip, when not zero, sends that many bytes at a time, DripEvery apart.
	Drip      int
	DripEvery time.Duration
}

// closes reports whether the response says that it is the connection's last.
func (a *Answer) closes() bool {
	return slices.ContainsFunc(a.Header, func(line string) bool {
		return strings.EqualFold(strings.ReplaceAll(line, " ", ""), "connection:close")
	})
}

// head is the head of the response, with its blank line.
func (a *Answer) head(n int) string {
	var b strings.Builder
	status, reason := a.Status, a.Reason
	if status == 0 {
		status = http.StatusOK
	}
	if reason == "" {
		reason = http.StatusText(status)
	}
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", status, reason)
	for _, line := range a.Header {
		b.WriteString(line + "\r\n")
	}
	switch {
	case a.Chunked:
		b.WriteString("Transfer-Encoding: chunked\r\n")
	case a.Length == "":
		fmt.Fprintf(&b, "Content-Length: %d\r\n", n)
	case a.Length != "-":
		fmt.Fprintf(&b, "Content-Length: %s\r\n", a.Length)
	}
	return b.String() + "\r\n"
}

// pieces are the head, one piece of the body, how often that is sent, and
// what comes after it. A method of HEAD does not change them: a server that
// sends a body there is a fault of its own.
func (a *Answer) pieces() (head string, piece []byte, times int, tail string) {
	if a.Raw != "" {
		return "", []byte(a.Raw), 1, ""
	}
	piece, times = a.Body, max(a.Repeat, 1)
	if piece == nil {
		piece = []byte("ok")
	}
	head = a.head(len(piece) * times)
	if !a.Chunked {
		return head, piece, times, ""
	}
	if len(piece) > 0 {
		piece = bytes.Join([][]byte{fmt.Appendf(nil, "%x\r\n", len(piece)), piece, []byte("\r\n")}, nil)
	}
	tail = a.Trailer
	if tail == "" {
		tail = "\r\n"
	}
	return head, piece, times, "0\r\n" + tail
}
