package requests

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"
)

// Request is what the caller asks for, as plain fields: the truth that every
// [Option] fills in. Its zero value asks for a GET of nothing; at least URL
// must be set. A Request is the caller's: preparing copies what it keeps.
type Request struct {
	// Method is any token, sent in upper case; empty means GET.
	Method string
	// URL is prepared as Requests does: leading white space dropped, parts
	// quoted where they need it, the host in Punycode.
	URL string
	// Params are added to the URL's query, form-encoded and in order.
	Params Fields
	// Query is added to the URL's query as it is, quoted where it must be,
	// and takes the place of all params, the session's too.
	Query string
	// Headers go after the session's, or in the place of those they name.
	Headers Headers
	// Cookies are sent with this request and its redirects on the same host,
	// and not kept.
	Cookies []*http.Cookie
	// Body is sent as it is. It wins over JSON.
	Body *Payload
	// Form is sent form-encoded, or as parts before the files.
	Form Fields
	// JSON is encoded with [encoding/json]; nil means none.
	JSON any
	// Files are sent as multipart/form-data, streamed.
	Files []Part
	// Auth takes the place of the session's; see [NoAuth] for none.
	Auth Authenticator
	// Hooks take the place of the session's, as in Requests; a slice that is
	// empty but not nil stands for none.
	Hooks []Hook
	// ExtraHooks run after Hooks, or after the session's.
	ExtraHooks []Hook
	// Settings say how to send it.
	Settings

	err   error        // the first option that failed
	netrc *environment // whose netrc counts; nil for none

	exactMethod bool // the method keeps its letter case
}

// Settings say how a request is sent. The same fields stand in a [Session]
// (its defaults), in a [Request], and in what [Session.Send] and an [Adapter]
// are given. A field that is nil or zero is unset: the call's inherits the
// session's, the session's stands for the default named here.
//
// A Settings is an [Option] too, which sets what is set in it.
type Settings struct {
	// Stream leaves the body to be read by the caller, who must close the
	// response. Default: false.
	Stream *bool
	// AllowRedirects follows redirects. Default: true, but false for [Head].
	AllowRedirects *bool
	// MaxRedirects is how many are followed before [ErrTooManyRedirects].
	// Default: 30.
	MaxRedirects *int
	// Timeouts limit waiting. Default: none.
	Timeouts Timeouts
	// Verify says which server certificates are trusted.
	Verify TLSVerify
	// Cert is shown to servers that ask for a client certificate.
	Cert ClientCert
	// Proxies say which proxy serves which URLs. They are merged by key.
	Proxies ProxyMap
	// Limits bound what a response may cost.
	Limits Limits
	// Guard keeps requests to the public internet. Default: none.
	Guard *Guard

	environment *mergedProxies // where Proxies come of [Session.MergeEnvironment]
}

// mergedProxies are proxies that the environment has part in: a redirect asks
// it anew, as long as nobody has changed the result.
type mergedProxies struct{ call, result ProxyMap }

// Timeouts limit waiting, each by itself. Nil is unset and zero waits for
// ever, as it does by default; below zero is an [ErrInvalidOption].
type Timeouts struct {
	// Connect limits each attempt to reach an address, with DNS, TLS and a
	// proxy's handshake. Beyond it: [ErrConnectTimeout].
	Connect *time.Duration
	// Read limits each wait for bytes of the peer, in the head and in the
	// body: it is no limit on the whole. Beyond it: [ErrReadTimeout].
	Read *time.Duration
	// Total limits the call as a whole, redirects, retries and the body
	// included. Beyond it: [ErrTimeout].
	Total *time.Duration
}

// Limits bound what a response may cost its reader. Zero is unset, and stands
// for what is named here.
type Limits struct {
	// Body is how many bytes of a body are handed out, after decoding. Zero
	// is no limit, and below zero lifts one of the session's. Beyond it:
	// [ErrTooLarge].
	Body int64
	// Expansion is how many times its size a body may grow by decoding,
	// counted once it is beyond 1 MiB. Zero is no limit, and below zero lifts
	// one of the session's. Beyond it: [ErrTooLarge].
	Expansion float64
	// Codings is how many content codings may be stacked. Zero means 5, as in
	// urllib3. Beyond it: [ErrContentDecoding].
	Codings int
	// Window is the largest window of a zstd body, in bytes. Zero means 8 MiB
	// (RFC 9659). Beyond it: [ErrContentDecoding].
	Window int
	// Drain is how many bytes are read of a body on the way, such as a
	// redirect's, so that its connection can serve the next request. Zero
	// means 64 KiB, and below zero nothing. A longer body costs its
	// connection.
	Drain int64
}

// Field is a name and a value of a query or a form.
type Field struct {
	// Name and Value are bytes that are encoded when they are sent; both may
	// be empty.
	Name, Value string
	// Omit leaves out the session's fields of that name; Value is not used.
	Omit bool
}

// Fields is an ordered list of fields, in which a name may repeat.
type Fields []Field

// Pairs returns the fields named and valued in turn by its arguments. It
// panics on an odd number of them.
func Pairs(pairs ...string) Fields {
	if len(pairs)%2 != 0 {
		panic("requests: Pairs: odd argument count")
	}
	fs := make(Fields, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		fs = append(fs, Field{Name: pairs[i], Value: pairs[i+1]})
	}
	return fs
}

// Add appends the fields of name, one for each value. Without values it marks
// name as one to be left out, as an empty list does in Requests.
func (fs *Fields) Add(name string, values ...string) {
	if len(values) == 0 {
		*fs = append(*fs, Field{Name: name, Omit: true})
	}
	for _, v := range values {
		*fs = append(*fs, Field{Name: name, Value: v})
	}
}

// NewRequest returns a Request with the options filled in. An option that
// fails surfaces from the first call that is given the request.
func NewRequest(method, url string, opts ...Option) *Request {
	r := &Request{Method: method, URL: url}
	r.apply(opts, scopeRequest)
	return r
}

// String returns the reference's form: <Request [GET]>.
func (r Request) String() string { return "<Request [" + printable(r.Method) + "]>" }

// GoString is [Request.String]: the fields may hold secrets.
func (r Request) GoString() string { return r.String() }

// LogValue is [Request.String], for [log/slog].
func (r Request) LogValue() slog.Value { return slog.StringValue(r.String()) }

// text has the settings without what is secret in them: proxies and certificate
// see to it themselves.
func (s Settings) text() string {
	type plain Settings // without the methods
	return fmt.Sprintf("%+v", plain(s))
}

// LogValue is the settings without users and passwords of proxies, for
// [log/slog].
func (s Settings) LogValue() slog.Value { return slog.StringValue(s.text()) }

// mergeFields lays a call's fields over the session's. A name that the call
// has takes the session's place, all its values there; further ones follow.
func mergeFields(session, call Fields) Fields {
	if len(session) == 0 {
		return call
	}
	out := make(Fields, 0, len(session)+len(call))
	done := func(upTo int, name string) bool {
		return slices.ContainsFunc(session[:upTo], func(f Field) bool { return f.Name == name })
	}
	for i, f := range session {
		// HDR-5 and MRG-1 as a dict has them: the place is the session's, the
		// value the call's. Lists are short, so that they are searched.
		if !slices.ContainsFunc(call, func(g Field) bool { return g.Name == f.Name }) {
			out = append(out, f)
		} else if !done(i, f.Name) {
			out = appendNamed(out, call, f.Name)
		}
	}
	for _, f := range call {
		if !done(len(session), f.Name) {
			out = append(out, f)
		}
	}
	return out
}

// appendNamed appends the fields of src that have the name.
func appendNamed(dst, src Fields, name string) Fields {
	for _, f := range src {
		if f.Name == name {
			dst = append(dst, f)
		}
	}
	return dst
}

// mergeSettings lays a call's settings over the session's. Proxies are merged
// apart, since the environment stands between the two.
func mergeSettings(session, call *Settings) Settings {
	out := *session
	out.Proxies, out.environment = call.Proxies, call.environment
	overlay(&out.Stream, call.Stream)
	overlay(&out.AllowRedirects, call.AllowRedirects)
	overlay(&out.MaxRedirects, call.MaxRedirects)
	overlay(&out.Timeouts.Connect, call.Timeouts.Connect)
	overlay(&out.Timeouts.Read, call.Timeouts.Read)
	overlay(&out.Timeouts.Total, call.Timeouts.Total)
	overlay(&out.Guard, call.Guard)
	overlayValue(&out.Verify, &call.Verify)
	overlayValue(&out.Cert, &call.Cert)
	overlayValue(&out.Limits.Body, &call.Limits.Body)
	overlayValue(&out.Limits.Expansion, &call.Limits.Expansion)
	overlayValue(&out.Limits.Codings, &call.Limits.Codings)
	overlayValue(&out.Limits.Window, &call.Limits.Window)
	overlayValue(&out.Limits.Drain, &call.Limits.Drain)
	return out
}

// same reports whether s and o say the same of everything. Proxies are never known
// to: the map may be changed, and is another for each call.
func (s *Settings) same(o *Settings) bool {
	return s.Proxies == nil && o.Proxies == nil && s.environment == o.environment &&
		s.Stream == o.Stream && s.AllowRedirects == o.AllowRedirects && s.MaxRedirects == o.MaxRedirects &&
		s.Timeouts == o.Timeouts && s.Verify == o.Verify && s.Cert == o.Cert && s.Limits == o.Limits && s.Guard == o.Guard
}

// overlay sets what dst points to, if p is set: nil is unset, and what it points
// to may be zero.
func overlay[T any](dst **T, p *T) {
	if p != nil {
		*dst = p
	}
}

// overlayValue is overlay for values whose zero is unset.
func overlayValue[T comparable](dst, v *T) {
	var zero T
	if *v != zero {
		*dst = *v
	}
}

// either is the first that is set: nil is unset, and what it points to may be
// zero.
func either[T any](first, second *T) *T {
	if first != nil {
		return first
	}
	return second
}

// valueOr returns what p points to, or the default.
func valueOr[T any](p *T, def T) T {
	if p == nil {
		return def
	}
	return *p
}

// check refuses timeouts and limits that have no sense.
func (s *Settings) check() error {
	for _, t := range [...]struct {
		name string
		d    *time.Duration
	}{{"connect", s.Timeouts.Connect}, {"read", s.Timeouts.Read}, {"total", s.Timeouts.Total}} {
		if t.d != nil && *t.d < 0 {
			return invalidOption("%s timeout %v is below zero; zero waits for ever", t.name, *t.d)
		}
	}
	if n := valueOr(s.MaxRedirects, 0); n < 0 {
		return invalidOption("MaxRedirects %d is below zero", n)
	}
	return s.Verify.check()
}
