package requests

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seed-9ea40bd3/requests/internal/charset"
	"github.com/seed-9ea40bd3/requests/internal/link"
	"github.com/seed-9ea40bd3/requests/internal/uri"
	"github.com/seed-9ea40bd3/requests/internal/wire"
)

// Response is what the server answered. Its body was read whole and the
// connection given back, unless [Stream] was asked for: then the caller reads
// it, by one of the readers below, and must close the response. A response
// whose body was read may be used by many goroutines at once; one that
// streams belongs to one. The zero value, as any that was made without
// [NewResponse], has no body.
type Response struct {
	// StatusCode is the status, such as 404.
	StatusCode int
	// Reason is the phrase of the status line, as the server sent it and
	// often empty; with HTTP/2, which has none, the usual one.
	Reason string
	// Proto is the protocol, such as "HTTP/1.1" or "HTTP/2.0".
	Proto string
	// URL is the one that answered, after redirects.
	URL string
	// Headers are the server's, in its order and spelling; with HTTP/2, which
	// has neither here, by name. Several fields of one name are joined by ", "
	// in Get and apart in Values.
	Headers Headers
	// Encoding is the charset that Text and Lines decode by: that of the
	// Content-Type, and ISO-8859-1 for text without one (RFC 2616). Where it
	// is empty Text guesses. It may be set before the body is read as text.
	Encoding string
	// History holds the responses that led here, the oldest first.
	History []*Response
	// Request is the one that this answers.
	Request *PreparedRequest
	// Elapsed is the time from sending to the head's arrival. It is positive.
	Elapsed time.Duration
	// TLS is the connection's state, nil without TLS.
	TLS *tls.ConnectionState

	body   body
	follow *chain // makes the next request; nil without a session
	notes  *notes // nil for most
}

// notes are what most responses have none of.
type notes struct {
	setCookies []*http.Cookie   // accepted from this response
	asked      *PreparedRequest // before a challenge was answered, where one was
	attempts   []Attempt        // where it did not come at the first
}

// note returns the response's notes, to be filled in.
func (r *Response) note() *notes {
	if r.notes == nil {
		r.notes = new(notes)
	}
	return r.notes
}

// noted returns the response's notes, to be read.
func (r *Response) noted() notes {
	if r.notes == nil {
		return notes{}
	}
	return *r.notes
}

// NewResponse makes a response as an [Adapter] does: p is the request it
// answers, content its body, which may be nil. The body is taken as it is:
// content codings are not undone.
func NewResponse(p *PreparedRequest, status int, reason string, headers Headers, content io.Reader) *Response {
	r := &Response{StatusCode: status, Reason: reason, Proto: "HTTP/1.1", Headers: headers, Request: p}
	if p != nil {
		r.URL = p.URL
	}
	r.Encoding, _ = charset.FromContentType(headers.Get("Content-Type"))
	r.body = body{raw: http.NoBody, length: unknownLength}
	if content != nil && content != http.NoBody {
		r.body.raw = &ownBody{Reader: content}
	}
	return r
}

// OK reports whether the status is below 400, or 600 and more.
//
// It is what RaiseForStatus goes by, so that a redirect that was not followed
// is fine.
func (r *Response) OK() bool { return r.StatusCode < 400 || r.StatusCode >= 600 }

// RaiseForStatus returns an [HTTPError] for a status from 400 to 599.
//
// Test for it with errors.Is(err, [ErrHTTP]), or take the response from it
// with [errors.As]. It does not close the response.
func (r *Response) RaiseForStatus() error {
	if r.OK() {
		return nil
	}
	side := "Client"
	if r.StatusCode >= 500 {
		side = "Server"
	}
	text := itoa(int64(r.StatusCode)) + " " + side + " Error: " + r.Reason + " for url: " + uri.Redact(r.URL)
	return &HTTPError{Response: r, text: clipText(text)}
}

// IsRedirect reports whether the response is a redirect that can be followed.
//
// The statuses are 301, 302, 303, 307 and 308; without a Location none of them
// is one.
func (r *Response) IsRedirect() bool { return isRedirect(r.StatusCode) && r.Headers.Has("Location") }

// IsPermanentRedirect reports whether it is a 301 or 308.
func (r *Response) IsPermanentRedirect() bool {
	return r.Headers.Has("Location") &&
		(r.StatusCode == http.StatusMovedPermanently || r.StatusCode == http.StatusPermanentRedirect)
}

// Next returns the request that follows a redirect, where it was not
// followed; else nil, as for the responses in a History. Session.Send sends
// it.
//
// It is what the session would send: with the redirect's method and body,
// cookies for where it goes, and credentials only where they may go. Beyond
// [Settings.MaxRedirects] it is an [ErrTooManyRedirects].
func (r *Response) Next(ctx context.Context) (*PreparedRequest, error) {
	if r.follow == nil {
		return nil, nil
	}
	return r.follow.next(ctx, r)
}

// Cookies returns a new jar of the cookies that this response set.
//
// Those that the jar refused, and those that it was told to delete, are not
// among them.
func (r *Response) Cookies() *CookieJar {
	jar := new(CookieJar)
	for _, c := range r.noted().setCookies {
		// They were accepted, so that they fit.
		_ = jar.Set(c)
	}
	return jar
}

// Links returns the Link headers (RFC 8288), keyed by relation, or by URL
// where a link has none: what r.links is in Requests.
//
// What is malformed is taken as far as it can be; there is no error. Where two
// links have one relation the later one is there.
func (r *Response) Links() map[string]Link {
	links := map[string]Link{}
	for _, l := range link.Parse(r.Headers.Get("Link")) {
		out := Link{URL: l.URL, Params: map[string]string{}}
		for _, p := range l.Params {
			out.Params[p.Name] = p.Value
		}
		links[l.Rel()] = out
	}
	return links
}

// Link is one link of a Link header.
type Link struct {
	// URL is the target, as it was given.
	URL string
	// Params are its parameters, "rel" among them.
	Params map[string]string
}

// Content returns the body's bytes, decoded from its content coding. On a
// streamed response it reads what is left; where that fails, or where the
// body was consumed by another reader, it returns nil and [Response.Err] says
// why. The bytes belong to the response.
func (r *Response) Content() []byte {
	b, err := r.ReadAll()
	if err != nil {
		return nil
	}
	return b
}

// ReadAll is [Response.Content] with the error. Where reading fails it
// returns what came before, too.
//
// An error stays: each later call returns it again, with the same bytes. A
// body that another reader has consumed is an [ErrStreamConsumed].
func (r *Response) ReadAll() ([]byte, error) {
	if err := r.body.load(r); err != nil {
		return r.body.data, err
	}
	return r.body.data, nil
}

// Err returns the error that ended the reading of the body, or nil.
func (r *Response) Err() error { return r.body.err }

// Partial returns what was read of a body before it failed.
func (r *Response) Partial() []byte {
	if r.body.err == nil {
		return nil
	}
	return r.body.data
}

// JSON decodes the body into v with [encoding/json]. UTF-8, 16 and 32 are
// told apart, with a byte order mark or without; a body that is in none of them
// is decoded as by [Response.Text]. A body that is no JSON is an
// [ErrJSONDecode]; the cause is the decoder's.
func (r *Response) JSON(v any) error {
	b, err := r.ReadAll()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(jsonText(b, r.Encoding), v); err != nil {
		return &Error{
			kind: ErrJSONDecode, Op: "decode JSON", URL: shownURL(r.URL), Err: err,
			Request: r.Request, Response: r, MaybeSent: true,
		}
	}
	return nil
}

// Read reads the decoded body of a streamed response, as [io.Reader] has it.
// On one that was read whole it reads the content.
//
// At the end the connection is given back, and the error is [io.EOF] itself. A
// body that breaks off is an [ErrChunkedEncoding] and never a short success.
func (r *Response) Read(b []byte) (int, error) { return r.body.read(r, b) }

// WriteTo writes what is left of the body to w, in large pieces.
//
// An error of w's is returned as it is; one of reading is an [*Error].
func (r *Response) WriteTo(w io.Writer) (int64, error) {
	if r.body.state == bodyLoaded {
		n, err := w.Write(r.body.data[min(r.body.pos, len(r.body.data)):])
		r.body.pos += n
		return int64(n), err
	}
	buf := getBuffer()
	defer putBuffer(buf)
	var total int64
	for {
		n, err := r.Read(*buf)
		if n > 0 {
			m, werr := w.Write((*buf)[:n])
			total += int64(m)
			if werr != nil {
				return total, werr
			}
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// Raw returns the body as it crosses the wire, with chunks undone and content
// codings not. It is for a streamed response that nothing was read of.
//
// What is read here is gone for the other readers. Limits on the body hold for
// the bytes as they come.
func (r *Response) Raw() io.Reader { return r.body.rawReader(r) }

// Close ends the response. A body that was not read to its end costs its
// connection. Close may be called many times, and on every response.
func (r *Response) Close() error { return r.body.close() }

// Trailers returns the fields that came after the body, once it was read to
// its end.
//
// They are no headers: what they say may contradict the head.
func (r *Response) Trailers() Headers {
	if r.body.trailer == nil {
		return Headers{}
	}
	return headersFrom(*r.body.trailer)
}

// Attempts returns what was tried before this response, by the policy of
// retries: empty where the first try served.
func (r *Response) Attempts() []Attempt {
	return slices.Clone(r.noted().attempts)
}

// base returns the request that a redirect starts from: the caller's, without
// the answer to a challenge.
func (r *Response) base() *PreparedRequest {
	if asked := r.noted().asked; asked != nil {
		return asked
	}
	return r.Request
}

// String returns the reference's form: <Response [200]>.
func (r *Response) String() string { return "<Response [" + itoa(int64(r.StatusCode)) + "]>" }

// GoString is [Response.String]: the headers may hold secrets.
func (r *Response) GoString() string { return r.String() }

// LogValue is [Response.String], for [log/slog].
func (r *Response) LogValue() slog.Value { return slog.StringValue(r.String()) }

// usualFields is how many fields of a head have room in what is allocated for
// its message anyway.
const (
	usualFields    = 6 // of a request
	receivedFields = 4 // of a response
)

// readHeaders returns the fields of a head in their order and spelling. fields is
// room for them, in the place of which there is more where it does not do.
func readHeaders(fields []headerField, head string) Headers {
	// The last line is empty, and of more than so many some are folded ones.
	const usually = 32
	if n := strings.Count(head, "\n") - 1; n > cap(fields) {
		fields = make([]headerField, 0, min(n, usually))
	}
	for {
		f, rest, ok := wire.CutField(head)
		if !ok {
			return Headers{fields: slices.Clip(fields)}
		}
		fields = append(fields, headerField{name: f.Name, value: fromLatin1(f.Value)})
		head = rest
	}
}

// headersFrom orders by name the fields of a head that is not known as it was sent.
func headersFrom(h http.Header) Headers { return appendHeaders(nil, h) }

// appendHeaders is headersFrom with room for the fields.
func appendHeaders(fields []headerField, h http.Header) Headers {
	if len(h) > cap(fields) {
		fields = make([]headerField, 0, len(h))
	}
	for name, values := range h {
		for _, v := range values {
			fields = append(fields, headerField{name: name, value: fromLatin1(v)})
		}
	}
	if len(fields) > longList {
		slices.SortStableFunc(fields, func(a, b headerField) int { return strings.Compare(a.name, b.name) })
	} else {
		sortFew(fields)
	}
	return Headers{fields: slices.Clip(fields)}
}

// sortFew is a stable sort by name.
func sortFew(fields []headerField) {
	for i := 1; i < len(fields); i++ {
		for j := i; j > 0 && fields[j].name < fields[j-1].name; j-- {
			fields[j], fields[j-1] = fields[j-1], fields[j]
		}
	}
}
