package requests

import (
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"os"
	"slices"
	"time"
)

// Option fills in a part of a [Request], or a default of a [Session]. The
// same values serve [NewSession], the verbs, [NewRequest] and, where they say
// how to send, [Session.Send]. Of two options for one thing the later one
// wins; parameters, form fields, cookies, files and hooks add up.
//
// An option that makes no sense where it stands is an [ErrInvalidOption] from
// the first call that can return one. An Option may be used many times and by
// many goroutines at once, unless it holds a reader.
type Option interface {
	// label tells what it is and where it may stand.
	label() optionLabel
	// fill fills it in or, where omit is true, that it is to be left out.
	fill(r *Request, omit bool) error
}

// optionLabel is what is known of an option before it is filled in. Its text is
// put together where an error needs it alone: most calls have several options.
type optionLabel struct {
	is    string // the function or type that makes the option
	key   string // the name that the option sets
	keyed bool   // whether it is one name's
	at    scope  // where it may stand
}

// String is what errors call the option: no value is in it.
func (l optionLabel) String() string {
	if l.keyed {
		return l.is + "(" + quoteName(l.key) + ")"
	}
	return l.is
}

// scope is a set of the places where an option may stand.
type scope uint8

const (
	scopeSession scope = 1 << iota
	scopeRequest
	scopeSend
	scopeAny = scopeSession | scopeRequest | scopeSend
)

// String is the place as errors name it.
func (s scope) String() string {
	switch s {
	case scopeSession:
		return "a session"
	case scopeSend:
		return "Send"
	}
	return "a request"
}

// apply fills in the options and keeps the first error.
func (r *Request) apply(opts []Option, at scope) {
	for _, o := range opts {
		if o == nil {
			r.fail(invalidOption("option is nil"))
			continue
		}
		if l := o.label(); l.at&at == 0 {
			r.fail(invalidOption("%s makes no sense in %s", l, at))
			continue
		}
		if err := o.fill(r, false); err != nil {
			r.fail(err)
		}
	}
}

func (r *Request) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func invalidOption(format string, args ...any) error {
	return &Error{kind: ErrInvalidOption, reason: fmt.Sprintf(format, args...)}
}

// Without leaves out what its options would set, the session's default
// included: Without(Header("X-App", "")) sends no X-App, Without(Timeout(0))
// waits for ever. It is what None is in Requests. The options' values do not
// matter, their names do.
func Without(opts ...Option) Option { return withoutOption(opts) }

type withoutOption []Option

// label has the places in which each of the options may stand.
func (o withoutOption) label() optionLabel {
	l := optionLabel{is: "Without", at: scopeAny}
	for _, opt := range o {
		if opt != nil {
			l.at &= opt.label().at
		}
	}
	return l
}

func (o withoutOption) fill(r *Request, omit bool) error {
	if omit {
		return invalidOption("Without cannot be left out")
	}
	if len(o) == 0 {
		return invalidOption("Without names nothing")
	}
	for _, opt := range o {
		if opt == nil {
			return invalidOption("Without was given nil")
		}
		if err := opt.fill(r, true); err != nil {
			return err
		}
	}
	return nil
}

// pairOption is the option of a name and a value: one allocation, since most
// calls have several.
type pairOption struct {
	kind  pairKind
	key   string
	value string
	more  []string
}

type pairKind uint8

const (
	pairParam pairKind = iota
	pairForm
	pairHeader
	pairHeaderBytes
	pairSecret
	pairCookie
	pairProxy
)

// label is a switch and no table, so that it is read at no cost.
func (o *pairOption) label() optionLabel {
	l := optionLabel{key: o.key, keyed: true, at: scopeSession | scopeRequest}
	switch o.kind {
	case pairParam:
		l.is = "Param"
	case pairForm:
		l.is, l.at = "Form", scopeRequest
	case pairHeader:
		l.is = "Header"
	case pairHeaderBytes:
		l.is = "HeaderBytes"
	case pairSecret:
		l.is = "SecretHeader"
	case pairCookie:
		l.is = "Cookie"
	case pairProxy:
		l.is, l.at = "Proxy", scopeAny
	}
	return l
}

func (o *pairOption) fill(r *Request, omit bool) error {
	if omit {
		o.leaveOut(r)
		return nil
	}
	switch o.kind {
	case pairParam:
		o.addTo(&r.Params)
	case pairForm:
		o.addTo(&r.Form)
	case pairHeader:
		r.Headers.Set(o.key, o.value)
	case pairHeaderBytes:
		r.Headers.put(headerField{name: o.key, value: o.value, raw: true})
	case pairSecret:
		r.Headers.SetSecret(o.key, o.value)
	case pairCookie:
		r.Cookies = append(r.Cookies, &http.Cookie{Name: o.key, Value: o.value, Path: "/"})
	case pairProxy:
		r.setProxy(o.key, o.value)
	}
	return nil
}

// setProxy sets one proxy in a copy of the map, which may be shared.
func (r *Request) setProxy(key, url string) {
	r.Proxies = maps.Clone(r.Proxies)
	if r.Proxies == nil {
		r.Proxies = ProxyMap{}
	}
	r.Proxies[key] = url
}

func (o *pairOption) addTo(fs *Fields) {
	if o.more == nil {
		*fs = append(*fs, Field{Name: o.key, Value: o.value})
		return
	}
	fs.Add(o.key, o.more...)
}

// leaveOut fills in the value of each kind that stands for None.
func (o *pairOption) leaveOut(r *Request) {
	switch o.kind {
	case pairParam:
		r.Params.Add(o.key)
	case pairForm:
		r.Form.Add(o.key)
	case pairHeader, pairHeaderBytes, pairSecret:
		r.Headers.Omit(o.key)
	case pairCookie:
		r.Cookies = append(r.Cookies, &http.Cookie{Name: o.key, MaxAge: -1})
	case pairProxy:
		r.setProxy(o.key, proxyOmitted)
	}
}

// String names the option and what it sets, and not the value.
func (o *pairOption) String() string { return o.label().String() }

// GoString is the same.
func (o *pairOption) GoString() string { return o.label().String() }

func newPair(kind pairKind, key string, values []string) Option {
	if len(values) == 1 {
		return &pairOption{kind: kind, key: key, value: values[0]}
	}
	return &pairOption{kind: kind, key: key, more: append([]string{}, values...)}
}

// Param adds name to the query, once for each value; without values it leaves
// the name out. Names and values are form-encoded.
func Param(name string, values ...string) Option { return newPair(pairParam, name, values) }

// Params adds fields to the query.
func Params(fs Fields) Option {
	return &funcOption{
		is: "Params", at: scopeSession | scopeRequest,
		set:   func(r *Request) error { r.Params = append(r.Params, fs...); return nil },
		unset: func(r *Request) { omitAll(&r.Params, fs) },
	}
}

func omitAll(dst *Fields, fs Fields) {
	for _, f := range fs {
		dst.Add(f.Name)
	}
}

// Query adds a query as it is, quoted where it must be. It takes the place of
// all params, the session's too, as a string of params does in Requests.
func Query(raw string) Option {
	return &funcOption{
		is: "Query", at: scopeRequest,
		set:   func(r *Request) error { r.Query = raw; return nil },
		unset: func(r *Request) { r.Query = "" },
	}
}

// Header sets a header; see [Headers] for what a value may be.
func Header(name, value string) Option {
	return &pairOption{kind: pairHeader, key: name, value: value}
}

// HeaderBytes sets a header whose value is sent byte for byte.
func HeaderBytes(name string, value []byte) Option {
	return &pairOption{kind: pairHeaderBytes, key: name, value: string(value)}
}

// SecretHeader sets a header that stays with the origin of the URL that it is
// sent to: a redirect elsewhere does not take it along, as it does other
// headers in Requests. It is for keys and tokens such as X-Api-Key.
func SecretHeader(name, value string) Option {
	return &pairOption{kind: pairSecret, key: name, value: value}
}

// Cookie sends a cookie with the request, and keeps it in no jar. In
// [NewSession] it puts the cookie into the session's jar, for every host.
func Cookie(name, value string) Option {
	return &pairOption{kind: pairCookie, key: name, value: value}
}

// Cookies sends cookies as [Cookie] does.
func Cookies(cookies ...*http.Cookie) Option {
	return &funcOption{
		is: "Cookies", at: scopeSession | scopeRequest,
		set: func(r *Request) error { r.Cookies = append(r.Cookies, cookies...); return nil },
		unset: func(r *Request) {
			for _, c := range cookies {
				if c != nil {
					c = &http.Cookie{Name: c.Name, MaxAge: -1}
				}
				r.Cookies = append(r.Cookies, c) // nil is an error of preparing
			}
		},
	}
}

// Form adds name to a form-encoded body, once for each value.
func Form(name string, values ...string) Option { return newPair(pairForm, name, values) }

// FormFields adds fields to a form-encoded body.
func FormFields(fs Fields) Option {
	return &funcOption{
		is: "FormFields", at: scopeRequest,
		set:   func(r *Request) error { r.Form = append(r.Form, fs...); return nil },
		unset: func(r *Request) { omitAll(&r.Form, fs) },
	}
}

// Body sends what the reader gives, from where it stands; see [NewPayload].
// The reader is never closed.
func Body(r io.Reader) Option { return PayloadOf(NewPayload(r)) }

// BodyBytes sends the bytes, which must not be changed meanwhile. No
// Content-Type is added.
func BodyBytes(b []byte) Option { return PayloadOf(BytesPayload(b)) }

// BodyText sends the text as UTF-8. No Content-Type is added.
func BodyText(s string) Option { return PayloadOf(TextPayload(s)) }

// BodyChunks sends the pieces of an iterator, each as a chunk; see
// [ChunksPayload].
func BodyChunks(seq iter.Seq2[[]byte, error]) Option { return PayloadOf(ChunksPayload(seq)) }

// PayloadOf sends a payload.
func PayloadOf(p *Payload) Option {
	return &funcOption{
		is: "Body", at: scopeRequest,
		set:   func(r *Request) error { r.Body = p; return nil },
		unset: func(r *Request) { r.Body = nil },
	}
}

// JSON sends v encoded with [encoding/json], as application/json. A value
// that cannot be encoded is an [ErrInvalidJSON]; nil is no body.
func JSON(v any) Option { return &jsonOption{v} }

type jsonOption struct{ value any }

// String names the option, and not its value.
func (o *jsonOption) String() string   { return o.label().is }
func (o *jsonOption) GoString() string { return o.label().is }

func (o *jsonOption) label() optionLabel { return optionLabel{is: "JSON", at: scopeRequest} }

func (o *jsonOption) fill(r *Request, omit bool) error {
	r.JSON = o.value
	if omit {
		r.JSON = nil
	}
	return nil
}

// File adds a file to a multipart body. Its content is streamed when the
// request is sent.
func File(field, filename string, content io.Reader) Option {
	return Files(Part{Field: field, FileName: filename, Content: NewPayload(content)})
}

// FilePath adds the file at path to a multipart body, under its base name.
// It is opened when the request is sent and closed after.
func FilePath(field, path string) Option {
	return Files(FilePart(field, path))
}

// Files adds parts to a multipart body.
func Files(parts ...Part) Option {
	return &funcOption{
		is: "Files", at: scopeRequest,
		set:   func(r *Request) error { r.Files = append(r.Files, parts...); return nil },
		unset: func(r *Request) { r.Files = nil },
	}
}

// Auth authenticates the request with a.
func Auth(a Authenticator) Option {
	return &authOption{is: "Auth", auth: a}
}

// BasicAuth sends user and password as RFC 7617 has it, in UTF-8.
func BasicAuth(user, password string) Option {
	return &authOption{is: "BasicAuth", auth: &Basic{Username: user, Password: password}}
}

// BearerAuth sends a token as RFC 6750 has it.
func BearerAuth(token string) Option {
	return &authOption{is: "BearerAuth", auth: Bearer(token)}
}

// DigestAuth answers challenges as RFC 7616 has it; see [Digest]. One option
// value keeps its nonces over the calls that it is given to.
func DigestAuth(user, password string) Option {
	return &authOption{is: "DigestAuth", auth: &Digest{Username: user, Password: password}}
}

type authOption struct {
	is   string
	auth Authenticator
}

// String names the option, and not its value.
func (o *authOption) String() string   { return o.is }
func (o *authOption) GoString() string { return o.is }

func (o *authOption) label() optionLabel {
	return optionLabel{is: o.is, at: scopeSession | scopeRequest}
}

func (o *authOption) fill(r *Request, omit bool) error {
	switch {
	case omit:
		r.Auth = NoAuth
	case o.auth == nil:
		return invalidOption("Auth is nil; NoAuth stands for none")
	default:
		r.Auth = o.auth
	}
	return nil
}

// Timeout limits connecting and each wait for bytes to d apiece. It is no
// limit on the whole; see [TotalTimeout]. Zero waits for ever.
func Timeout(d time.Duration) Option { return &timeoutOption{"Timeout", d, true, true, false} }

// ConnectTimeout limits each attempt to connect; see [Timeouts].
func ConnectTimeout(d time.Duration) Option {
	return &timeoutOption{"ConnectTimeout", d, true, false, false}
}

// ReadTimeout limits each wait for bytes of the peer; see [Timeouts].
func ReadTimeout(d time.Duration) Option {
	return &timeoutOption{"ReadTimeout", d, false, true, false}
}

// TotalTimeout limits the whole call, a streamed body included.
func TotalTimeout(d time.Duration) Option {
	return &timeoutOption{"TotalTimeout", d, false, false, true}
}

type timeoutOption struct {
	is                   string
	d                    time.Duration
	connect, read, total bool
}

func (o *timeoutOption) label() optionLabel { return optionLabel{is: o.is, at: scopeAny} }

// fill points the limits at the option's own duration, which nobody changes. To
// leave one out is to wait for ever.
func (o *timeoutOption) fill(r *Request, omit bool) error {
	if omit {
		o.set(&r.Timeouts, new(time.Duration))
		return nil
	}
	o.set(&r.Timeouts, &o.d)
	if o.d < 0 {
		return invalidOption("%s %v is below zero; zero waits for ever", o.is, o.d)
	}
	return nil
}

func (o *timeoutOption) set(t *Timeouts, d *time.Duration) {
	if o.connect {
		t.Connect = d
	}
	if o.read {
		t.Read = d
	}
	if o.total {
		t.Total = d
	}
}

// AllowRedirects follows redirects, or does not.
func AllowRedirects(follow bool) Option {
	return setting("AllowRedirects", func(s *Settings) { s.AllowRedirects = &follow },
		func(s *Settings) { s.AllowRedirects = new(true) })
}

// MaxRedirects is how many redirects are followed.
func MaxRedirects(n int) Option {
	return setting("MaxRedirects", func(s *Settings) { s.MaxRedirects = &n },
		func(s *Settings) { s.MaxRedirects = new(defaultMaxRedirects) })
}

// Proxy sends requests that key fits through the proxy at url; see
// [ProxyMap]. An empty url goes without one.
func Proxy(key, url string) Option { return &pairOption{kind: pairProxy, key: key, value: url} }

// Proxies is [Proxy] for a whole map.
func Proxies(m ProxyMap) Option {
	return setting("Proxies", func(s *Settings) {
		merged := maps.Clone(s.Proxies)
		if merged == nil {
			merged = ProxyMap{}
		}
		maps.Copy(merged, m)
		s.Proxies = merged
	}, func(s *Settings) {
		s.Proxies = ProxyMap{}
		for key := range m {
			s.Proxies[key] = proxyOmitted
		}
	})
}

// OnResponse runs hooks on each response, redirects included, in the place of
// the session's.
func OnResponse(hooks ...Hook) Option {
	return &funcOption{
		is: "OnResponse", at: scopeSession | scopeRequest,
		set: func(r *Request) error {
			if err := checkHooks("OnResponse", hooks); err != nil {
				return err
			}
			r.Hooks = append(r.Hooks, hooks...)
			return nil
		},
		unset: func(r *Request) { r.Hooks = []Hook{} },
	}
}

// AlsoOnResponse runs hooks after those of [OnResponse] and of the session.
func AlsoOnResponse(hooks ...Hook) Option {
	return &funcOption{
		is: "AlsoOnResponse", at: scopeRequest,
		set: func(r *Request) error {
			r.ExtraHooks = append(r.ExtraHooks, hooks...)
			return checkHooks("AlsoOnResponse", hooks)
		},
		unset: func(r *Request) { r.ExtraHooks = nil },
	}
}

func checkHooks(option string, hooks []Hook) error {
	if slices.ContainsFunc(hooks, func(h Hook) bool { return h == nil }) {
		return invalidOption("%s was given nil", option)
	}
	return nil
}

// Stream leaves the body to be read by the caller, who must close the
// response.
func Stream() Option { return streamOption{} }

// streamOption is empty, so that making one costs nothing.
type streamOption struct{}

func (streamOption) label() optionLabel { return optionLabel{is: "Stream", at: scopeAny} }

func (streamOption) fill(r *Request, omit bool) error {
	r.Stream = new(!omit)
	return nil
}

// Verify checks servers' certificates against the system's roots, or does not
// check them at all, which is for tests alone: anyone on the way can then read
// and change what is sent.
func Verify(verify bool) Option {
	return setting("Verify", func(s *Settings) { s.Verify = TLSVerify{Always: verify, Skip: !verify} },
		func(s *Settings) { s.Verify = TLSVerify{Always: true} })
}

// CABundle trusts the certificates in a PEM file, or in the files of a
// directory, and no others.
func CABundle(path string) Option {
	o := setting("CABundle", func(s *Settings) { s.Verify = TLSVerify{CABundle: path} },
		func(s *Settings) { s.Verify = TLSVerify{Always: true} })
	if path == "" {
		o.set = func(*Request) error { return invalidOption("CABundle has no path") }
	}
	return o
}

// Cert shows a client certificate: a PEM file of certificate and key, or two.
func Cert(certFile string, keyFile ...string) Option {
	c := ClientCert{CertFile: certFile}
	if len(keyFile) > 0 {
		c.KeyFile = keyFile[0]
	}
	o := setting("Cert", func(s *Settings) { s.Cert = c }, func(s *Settings) { s.Cert = ClientCert{None: true} })
	if certFile == "" || len(keyFile) > 1 {
		o.set = func(*Request) error { return invalidOption("Cert takes a file, or a file and its key's") }
	}
	return o
}

// MaxBody is [Limits.Body] as an option.
func MaxBody(n int64) Option {
	return setting("MaxBody", func(s *Settings) { s.Limits.Body = n }, func(s *Settings) { s.Limits.Body = -1 })
}

// MaxExpansion is [Limits.Expansion] as an option.
func MaxExpansion(factor float64) Option {
	return setting("MaxExpansion", func(s *Settings) { s.Limits.Expansion = factor },
		func(s *Settings) { s.Limits.Expansion = -1 })
}

// funcOption is an option made of two functions.
type funcOption struct {
	is    string
	at    scope
	set   func(*Request) error
	unset func(*Request)
}

func (o *funcOption) label() optionLabel { return optionLabel{is: o.is, at: o.at} }

func (o *funcOption) fill(r *Request, omit bool) error {
	if omit {
		o.unset(r)
		return nil
	}
	return o.set(r)
}

// setting is an option on how to send.
func setting(name string, set, unset func(*Settings)) *funcOption {
	return &funcOption{
		is: name, at: scopeAny,
		set:   func(r *Request) error { set(&r.Settings); return nil },
		unset: func(r *Request) { unset(&r.Settings) },
	}
}

func (s Settings) label() optionLabel { return optionLabel{is: "Settings", at: scopeAny} }

func (s Settings) fill(r *Request, omit bool) error {
	if omit {
		return invalidOption("Settings cannot be left out as a whole")
	}
	proxies := r.Proxies
	if s.Proxies != nil {
		proxies = maps.Clone(proxies)
		if proxies == nil {
			proxies = ProxyMap{}
		}
		maps.Copy(proxies, s.Proxies)
	}
	r.Settings = mergeSettings(r.Settings, s)
	r.Proxies = proxies
	return nil
}

// openFile opens a file for a part of a multipart body.
func openFile(path string) (io.ReadCloser, error) { return os.Open(path) }
