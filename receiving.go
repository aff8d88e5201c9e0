package requests

import (
	"cmp"
	"crypto/tls"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seed-9ea40bd3/requests/internal/charset"
	"github.com/seed-9ea40bd3/requests/internal/wire"
)

// response wraps what net/http returned.
func (t *trip) response(resp *http.Response) *Response {
	r := &t.resp
	r.Proto, r.URL, r.Request, r.TLS = resp.Proto, t.p.URL, t.p, t.tlsState(resp)
	t.heedFraming(r, resp)
	t.heedKeepAlive(r)
	r.Encoding, _ = charset.FromContentType(r.Headers.Get("Content-Type"))
	none := bodiless(t.p.Method, r.StatusCode)
	// Nobody asked for another protocol, and HTTP/2 frames a body all the same.
	if none && (r.StatusCode == http.StatusSwitchingProtocols || resp.ProtoMajor == 2) {
		resp.Body.Close()
		resp.Body = http.NoBody
	}
	t.from = resp.Body
	b := &r.body
	b.raw, b.length, b.limits, b.trailer = (*tripBody)(t), resp.ContentLength, &t.settings.Limits, &resp.Trailer
	if t.tookWhole() {
		b.length = int64(len(t.answer.Body))
	}
	// What such a response says of codings is about a body that is not there.
	if r.Headers.Has("Content-Encoding") && !none {
		b.coded = &coded{codings: r.Headers.Values("Content-Encoding")}
	}
	// Without a body the connection may serve another request by now.
	if t.conn != nil && resp.Body != http.NoBody && t.conn.Tracked() {
		b.framed = t.conn.AtChunkEnd
	}
	none = none || resp.Body == http.NoBody || resp.ContentLength == 0
	if none && t.conn != nil && valueOr(t.settings.Stream, false) {
		t.conn.Hold() // as if there were a body to be read
		t.holds = true
	}
	return r
}

// tookWhole reports whether a response came off the connection whole, so that
// net/http has seen nothing of it.
func (t *trip) tookWhole() bool { return t.conn != nil && t.answer.Body != nil }

// heedFraming ends a connection whose response had two ways to find its end (RFC
// 9112, section 6.3).
func (t *trip) heedFraming(r *Response, resp *http.Response) {
	if t.conn != nil && len(resp.TransferEncoding) > 0 && r.Headers.Has("Content-Length") {
		t.conn.Retire()
	}
}

// checkResponse takes the head, and refuses one with a field that is none,
// which others on the way may have read otherwise.
func (t *trip) checkResponse(resp *http.Response) error {
	if err := t.checkStatusLine(resp); err != nil {
		return err
	}
	t.takeHead(resp)
	fields := t.resp.Headers.fields
	if !t.tookWhole() { // which nothing odd does
		if err := checkNames(fields); err != nil {
			return err
		}
	}
	if resp.ProtoMajor == 1 && resp.ProtoMinor == 0 && t.conn != nil && t.resp.Headers.Has("Transfer-Encoding") {
		return &Error{kind: ErrConnection, extra: ErrChunkedEncoding, reason: "response of HTTP/1.0 has a transfer coding"}
	}
	// The limits are those of the adapter's own transport.
	if t.transport == nil {
		return nil
	}
	if resp.ProtoMajor == 2 {
		if err := checkHTTP2(resp.Header); err != nil {
			return err
		}
	}
	if limit := cmp.Or(t.transport.adapter.MaxHeaderFields, defaultMaxHeaderFields); len(fields) > limit {
		return &Error{kind: ErrConnection, extra: ErrInvalidHeader, reason: "response has more than " +
			itoa(int64(limit)) + " header fields"}
	}
	return nil
}

// checkNames refuses a field that is none.
func checkNames(fields []headerField) error {
	// net/http keeps a field whose name has a blank before its colon; a proxy may
	// have read it as the field without, such as Content-Length (RFC 9112,
	// section 5.1).
	for i := range fields {
		if !isToken(fields[i].name) {
			// The name is not shown: it may be a line that has lost its colon, with
			// the value in it.
			return &Error{kind: ErrConnection, extra: ErrInvalidHeader, reason: "response has a header name that is no token"}
		}
	}
	return nil
}

// takeHead takes what the head says from where it is in the server's order and
// spelling, and with all its fields, or else from what net/http made of it.
func (t *trip) takeHead(resp *http.Response) {
	r, status := &t.resp, resp.Status
	r.StatusCode = resp.StatusCode
	if t.conn == nil || t.answer.Head == "" {
		r.Headers = appendHeaders(t.room[:0], resp.Header)
	} else {
		line, fields := wire.CutLine(t.answer.Head)
		r.Headers = readHeaders(t.room[:0], fields)
		if t.tookWhole() {
			status = line[len("HTTP/1.1 "):]
			r.StatusCode, _ = strconv.Atoi(status[:3]) // digits, or something would be odd
		}
	}
	r.Reason = reason(status, resp.ProtoMajor, r.StatusCode)
}

// checkStatusLine refuses a response that is none to this request, or that
// others would frame otherwise.
func (t *trip) checkStatusLine(resp *http.Response) error {
	switch {
	// net/http believes a status line of "HTTP/2.0", and with it other rules of
	// framing.
	case t.conn != nil && resp.ProtoMajor != 1:
		return &Error{kind: ErrConnection, reason: "server answered HTTP/1.1 with another protocol"}
	// An answer that was there before the request is another one's.
	case t.conn != nil && !t.conn.Answered(t.turn):
		return &Error{kind: ErrConnection, Err: wire.ErrUnasked}
	case resp.StatusCode < 100 || resp.StatusCode > 999: // "+20" is a number to net/http, "1000" to HTTP/2
		return &Error{kind: ErrConnection, reason: "response has no status of three digits"}
	}
	return nil
}

// checkHTTP2 refuses the head of a response of HTTP/2 that is malformed (RFC
// 9113, sections 8.1.1 and 8.2.2): a gateway that makes HTTP/1.1 of it would
// frame it otherwise.
func checkHTTP2(header http.Header) error {
	malformed := func(name, why string) error {
		return &Error{kind: ErrConnection, extra: ErrInvalidHeader, reason: "response of HTTP/2 has " + name + why}
	}
	for _, name := range [...]string{"Connection", "Transfer-Encoding", "Keep-Alive", "Proxy-Connection", "Upgrade"} {
		if _, ok := header[name]; ok {
			return malformed(name, ", a field of a connection")
		}
	}
	lengths := header["Content-Length"]
	for _, length := range lengths {
		if _, err := strconv.ParseUint(length, 10, 63); err != nil || length != lengths[0] {
			return malformed("a Content-Length", " that is no number, or two that differ")
		}
	}
	return nil
}

// heedKeepAlive takes the server's word for how long it keeps an idle
// connection.
func (t *trip) heedKeepAlive(r *Response) {
	if t.conn == nil || !r.Headers.Has("Keep-Alive") {
		return
	}
	for _, value := range r.Headers.Values("Keep-Alive") {
		for param := range strings.SplitSeq(value, ",") {
			name, text, _ := strings.Cut(strings.TrimSpace(param), "=")
			// A number of more than 24 bits, over half a year, is left out.
			n, err := strconv.ParseUint(text, 10, 24)
			switch {
			case err != nil || !strings.EqualFold(name, "timeout"):
			case n == 0:
				t.conn.Retire() // it closes at once
			default:
				t.conn.ExpireIdle(time.Duration(n) * time.Second)
			}
		}
	}
}

// bodiless reports whether such a response has no body, whatever it says.
func bodiless(method string, status int) bool {
	return method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified ||
		status >= 100 && status < 200
}

// reason is the phrase that a status has behind its code.
func reason(status string, major, code int) string {
	_, phrase, ok := strings.Cut(status, " ")
	if !ok {
		return ""
	}
	// HTTP/2 has no phrase (RFC 9113, section 8.3.2).
	if major == 2 {
		return http.StatusText(code)
	}
	return fromLatin1(strings.TrimSpace(phrase))
}

// tlsState is the state of the connection. net/http knows it only for
// connections that it takes for TLS, which ours are not.
func (t *trip) tlsState(resp *http.Response) *tls.ConnectionState {
	if resp.TLS == nil && t.conn != nil {
		return t.conn.TLS()
	}
	return resp.TLS
}

// tripBody is a trip as its response's body: the errors are of our kinds, and
// waiting for it is watched. What came with the head goes first.
type tripBody trip

// Read waits for the peer, and only meanwhile the watchdog runs: a consumer may
// take his time.
func (b *tripBody) Read(p []byte) (int, error) {
	t := (*trip)(b)
	if t.fell != nil {
		return 0, t.fell
	}
	if t.tookWhole() {
		n := copy(p, t.answer.Body)
		if t.answer.Body = t.answer.Body[n:]; len(t.answer.Body) == 0 {
			t.fell = io.EOF // with the last bytes, as net/http has it
		}
		return n, t.fell
	}
	t.watch.start()
	n, err := t.from.Read(p)
	t.watch.rest()
	if err == nil {
		return n, nil
	}
	if err == io.EOF {
		if t.conn != nil {
			// From here on it is the next request that the server answers.
			t.conn.Rest(t.turn)
		}
	} else {
		err = t.bodyFailure(err)
	}
	// It stays: a body that has failed has no more bytes, whatever net/http would
	// say.
	t.fell = err
	return n, err
}

// Close gives the connection back where the body was read to its end, and else
// closes it. It ends the trip: its context, its watchdog, its upload.
func (b *tripBody) Close() error {
	t := (*trip)(b)
	if t.fell == nil {
		t.fell = &Error{kind: ErrStreamConsumed, reason: "response was closed"}
		// Another turn means that the connection serves another request already.
		if t.conn != nil && t.conn.Turn() == t.turn {
			t.conn.Retire() // an empty body that nobody read costs its connection, as any other
		}
	}
	err := t.from.Close()
	t.finish(nil)
	return err
}

// takeWhole returns all of a body that came with its head, or nil where some of it
// was read or it did not come so. It is the caller's to keep.
func (b *tripBody) takeWhole(length int64) []byte {
	t := (*trip)(b)
	if !t.tookWhole() || int64(len(t.answer.Body)) != length {
		return nil
	}
	data := t.answer.Body
	t.answer.Body, t.fell = data[len(data):], io.EOF
	return data
}

// fills is for bodies that net/http reads from our connection. Another transport
// is its owner's.
func (b *tripBody) fills() bool { return b.conn != nil }

// abort ends a Read that is under way in another goroutine.
func (b *tripBody) abort() { b.from.Close() }

// drainTime bounds the reading of such a body where the server dawdles.
const drainTime = 500 * time.Millisecond
