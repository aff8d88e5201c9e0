package requests

import (
	"cmp"
	"crypto/tls"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-9ea40bd3/requests/internal/charset"
	"github.com/seed-9ea40bd3/requests/internal/wire"
)

// response wraps what net/http returned.
func (t *trip) response(resp *http.Response) *Response {
	r := &t.resp
	r.StatusCode, r.Reason, r.Proto = resp.StatusCode, reason(resp), resp.Proto
	r.URL, r.Request, r.TLS = t.p.URL, t.p, t.tlsState(resp)
	t.restoreFraming(r, resp)
	t.restoreLengths(r)
	t.heedKeepAlive(resp)
	r.Encoding, _ = charset.FromContentType(r.Headers.Get("Content-Type"))
	if resp.StatusCode == http.StatusSwitchingProtocols {
		resp.Body.Close() // nobody asked for another protocol: there is no body
		resp.Body = http.NoBody
	}
	if resp.ProtoMajor == 2 && resp.Body != http.NoBody && bodiless(t.p.Method, resp.StatusCode) {
		resp.Body.Close() // HTTP/2 frames one all the same
		resp.Body = http.NoBody
	}
	t.body.t, t.body.body = t, resp.Body
	b := &r.body
	b.raw, b.length, b.limits, b.trailer = &t.body, resp.ContentLength, &t.settings.Limits, &resp.Trailer
	t.restoreWhole(r)
	// What such a response says of codings is about a body that is not there.
	if codings := resp.Header["Content-Encoding"]; len(codings) > 0 && !bodiless(t.p.Method, resp.StatusCode) {
		b.coded = &coded{codings: codings}
	}
	// Without a body the connection may serve another request by now.
	if t.conn != nil && resp.Body != http.NoBody && t.conn.Tracked() {
		b.framed = t.conn.AtChunkEnd
	}
	if resp.Body == http.NoBody || resp.ContentLength == 0 || bodiless(t.p.Method, resp.StatusCode) {
		if t.conn != nil && valueOr(t.settings.Stream, false) {
			t.conn.Hold() // as if there were a body to be read
			t.holds = true
		}
	}
	return r
}

// restoreWhole puts back the length of a body that came with its head, of which
// net/http was told that there is none.
func (t *trip) restoreWhole(r *Response) {
	if t.whole != nil && t.whole.Body != nil {
		r.body.length = int64(len(t.whole.Body))
		if i := r.Headers.index("Content-Length", 0); i >= 0 {
			r.Headers.fields[i].value = t.whole.Length
		}
	}
}

// restoreFraming puts back the fields that net/http took out of the head.
func (t *trip) restoreFraming(r *Response, resp *http.Response) {
	if t.conn == nil || len(resp.TransferEncoding) == 0 && !resp.Close {
		return
	}
	for _, f := range t.conn.Framing(t.turn) {
		if !r.Headers.Has(f.Name) {
			r.Headers.Add(f.Name, fromLatin1(f.Value))
		}
	}
	if len(resp.TransferEncoding) > 0 && r.Headers.Has("Content-Length") {
		t.conn.Retire() // two lengths: RFC 9112, 6.3, has the connection end
	}
}

// restoreLengths puts back equal lengths, of which net/http keeps one.
func (t *trip) restoreLengths(r *Response) {
	if t.conn == nil {
		return
	}
	fields := t.conn.Framing(t.turn)
	isLength := func(f wire.Field) bool { return equalFold(f.Name, "Content-Length") }
	if first := slices.IndexFunc(fields, isLength); first < 0 || !slices.ContainsFunc(fields[first+1:], isLength) {
		return
	}
	r.Headers.Del("Content-Length")
	for _, f := range fields {
		if isLength(f) {
			r.Headers.Add("Content-Length", fromLatin1(f.Value))
		}
	}
}

// checkResponse takes the head, and refuses one with a field that is none,
// which others on the way may have read otherwise.
func (t *trip) checkResponse(resp *http.Response) error {
	if err := t.checkStatusLine(resp); err != nil {
		return err
	}
	t.resp.Headers = appendHeaders(t.room[:0], resp.Header)
	fields := t.resp.Headers.fields
	// net/http keeps a field whose name has a blank before its colon; a proxy may
	// have read it as the field without, such as Content-Length (RFC 9112,
	// section 5.1).
	for i := range fields {
		if name := fields[i].name; !isToken(name) {
			// The name is not shown: it may be a line that has lost its colon, with
			// the value in it.
			return &Error{kind: ErrConnection, extra: ErrInvalidHeader, reason: "response has a header name that is no token"}
		}
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
	case resp.ProtoMajor == 1 && resp.ProtoMinor == 0 && t.conn != nil && t.conn.HasCoding(t.turn):
		return &Error{kind: ErrConnection, extra: ErrChunkedEncoding, reason: "response of HTTP/1.0 has a transfer coding"}
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
func (t *trip) heedKeepAlive(resp *http.Response) {
	if t.conn == nil {
		return
	}
	for _, value := range resp.Header["Keep-Alive"] {
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

// reason is the phrase of the status line, which net/http keeps with the code.
func reason(resp *http.Response) string {
	_, phrase, ok := strings.Cut(resp.Status, " ")
	if !ok {
		return ""
	}
	// HTTP/2 has no phrase (RFC 9113, section 8.3.2).
	if resp.ProtoMajor == 2 {
		return http.StatusText(resp.StatusCode)
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

// tripBody is a response's body on its way to us: its errors are of our
// kinds, and waiting for it is watched.
type tripBody struct {
	t    *trip
	body io.ReadCloser // net/http's; the trip's whole comes before it
	err  error         // of every Read from now on
}

// Read waits for the peer, and only meanwhile the watchdog runs: a consumer may
// take his time.
func (b *tripBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if whole := b.t.whole; whole != nil && len(whole.Body) > 0 {
		n := copy(p, whole.Body)
		if whole.Body = whole.Body[n:]; len(whole.Body) == 0 {
			b.err = io.EOF // with the last bytes, as net/http has it
		}
		return n, b.err
	}
	b.t.watch.start()
	n, err := b.body.Read(p)
	b.t.watch.rest()
	if err == nil {
		return n, nil
	}
	if err == io.EOF {
		if b.t.conn != nil {
			// From here on it is the next request that the server answers.
			b.t.conn.Rest(b.t.turn)
		}
	} else {
		err = b.t.bodyFailure(err)
	}
	// It stays: a body that has failed has no more bytes, whatever net/http would
	// say.
	b.err = err
	return n, err
}

// Close gives the connection back where the body was read to its end, and else
// closes it. It ends the trip: its context, its watchdog, its upload.
func (b *tripBody) Close() error {
	if b.err == nil {
		b.err = &Error{kind: ErrStreamConsumed, reason: "response was closed"}
		// Another turn means that the connection serves another request already.
		if conn := b.t.conn; conn != nil && conn.Turn() == b.t.turn {
			conn.Retire() // an empty body that nobody read costs its connection, as any other
		}
	}
	err := b.body.Close()
	b.t.finish(nil)
	return err
}

// takeWhole returns all of a body that came with its head, or nil where some of it
// was read or it did not come so. It is the caller's to keep.
func (b *tripBody) takeWhole(length int64) []byte {
	whole := b.t.whole
	if whole == nil || len(whole.Body) == 0 || int64(len(whole.Body)) != length {
		return nil
	}
	data := whole.Body
	whole.Body, b.err = data[len(data):], io.EOF
	return data
}

// abort ends a Read that is under way in another goroutine.
func (b *tripBody) abort() { b.body.Close() }

// drainTime bounds the reading of such a body where the server dawdles.
const drainTime = 500 * time.Millisecond
