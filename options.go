package requests

import (
	"io"
	"iter"
	"maps"
	"net/http"
	"os"
	"time"
)

// Without leaves out what its options would set, the session's default
// included: Without(Header("X-App", "")) sends no X-App, Without(Timeout(0))
// waits for ever. It is what None is in Requests. The options' values do not
// matter, their names do.
func Without(opts ...Option) Option { return withoutOption(opts) }

// Param adds name to the query, once for each value; without values it leaves
// the name out. Names and values are form-encoded.
//
// A name that the session has too takes the session's place, with all its
// values; other names follow (MRG-1). Names and values may be any bytes.
func Param(name string, values ...string) Option { return newPair(pairParam, name, values) }

// Params adds fields to the query.
//
// The fields are copied when the option is used, and not before.
func Params(fs Fields) Option {
	return &funcOption{
		is: "Params", at: scopeSession | scopeRequest,
		set:   func(r *Request) error { r.Params = append(r.Params, fs...); return nil },
		unset: func(r *Request) { omitAll(&r.Params, fs) },
	}
}

// Query adds a query as it is, quoted where it must be. It takes the place of
// all params, the session's too, as a string of params does in Requests.
//
// It fits no session. What is no valid URL together with it is an
// [ErrInvalidURL].
func Query(raw string) Option {
	return &funcOption{
		is: "Query", at: scopeRequest,
		set:   func(r *Request) error { r.Query = raw; return nil },
		unset: func(r *Request) { r.Query = "" },
	}
}

// Header sets a header; see [Headers] for what a value may be.
//
// A header that the session has keeps its place and takes this spelling and
// value. A name or value that cannot be sent, such as one with a line end, is
// an [ErrInvalidHeader] of preparing. Redirects take headers along, to other
// hosts too: see [SecretHeader].
func Header(name, value string) Option {
	return &pairOption{kind: pairHeader, key: name, value: value}
}

// HeaderBytes sets a header whose value is sent byte for byte.
//
// The bytes are copied. Line ends are an [ErrInvalidHeader] here, too.
func HeaderBytes(name string, value []byte) Option {
	return &pairOption{kind: pairHeaderBytes, key: name, value: string(value)}
}

// SecretHeader sets a header that stays with the origin of the URL that it is
// sent to: a redirect elsewhere does not take it along, as it does other
// headers in Requests. It is for keys and tokens such as X-Api-Key. Set anew by
// whatever means, in a call or in an auth, the name stays secret.
func SecretHeader(name, value string) Option {
	return &pairOption{kind: pairSecret, key: name, value: value}
}

// Cookie sends a cookie with the request, and keeps it in no jar. In
// [NewSession] it puts the cookie into the session's jar, for every host.
//
// Name and value are sent as they are; what cannot be is an
// [ErrInvalidHeader]. A redirect to another host does not take the cookie
// along.
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
//
// A form excludes a body, and with files its fields are parts of the multipart
// body, before the files. The Content-Type is added unless the caller has set
// one.
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
//
// A reader that can seek is rewound where the body has to go out again, by a
// redirect, a retry or a challenge; with any other that is an
// [ErrUnrewindableBody].
func Body(r io.Reader) Option { return PayloadOf(NewPayload(r)) }

// BodyBytes sends the bytes, which must not be changed meanwhile. No
// Content-Type is added.
//
// They can be sent as often as a redirect, a retry or a challenge asks for.
func BodyBytes(b []byte) Option { return PayloadOf(BytesPayload(b)) }

// BodyText sends the text as UTF-8. No Content-Type is added.
func BodyText(s string) Option { return PayloadOf(TextPayload(s)) }

// BodyChunks sends the pieces of an iterator, each as a chunk; see
// [ChunksPayload].
//
// It can be sent once. An error that the iterator yields ends the request, and
// is found in the call's error by [errors.Is].
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
//
// v is encoded when the request is prepared, and must not be changed before. A
// body or a form that is given too wins over it, as in Requests.
func JSON(v any) Option { return &jsonOption{v} }

// File adds a file to a multipart body. Its content is streamed when the
// request is sent.
//
// A reader that can seek can be sent again; see [Body]. It is never closed.
func File(field, filename string, content io.Reader) Option {
	return Files(Part{Field: field, FileName: filename, Content: NewPayload(content)})
}

// FilePath adds the file at path to a multipart body, under its base name.
// It is opened when the request is sent and closed after.
//
// A file that is not there is an error of the call, not of this function. One
// that changes its size meanwhile ends the request with an error.
func FilePath(field, path string) Option {
	return Files(FilePart(field, path))
}

// Files adds parts to a multipart body.
//
// With a [Form] its fields come first. A body besides files is an
// [ErrInvalidOption] of preparing.
func Files(parts ...Part) Option {
	return &funcOption{
		is: "Files", at: scopeRequest,
		set:   func(r *Request) error { r.Files = append(r.Files, parts...); return nil },
		unset: func(r *Request) { r.Files = nil },
	}
}

// Auth authenticates the request with a.
//
// It takes the place of the session's and keeps netrc and the URL's user and
// password from being looked at; [NoAuth] is for a request without any.
func Auth(a Authenticator) Option {
	return &authOption{is: "Auth", auth: a}
}

// BasicAuth sends user and password as RFC 7617 has it, in UTF-8.
//
// They go out with the first request, unasked. A redirect to another host or
// port does not take them along, nor one to another scheme but from http to
// https.
func BasicAuth(user, password string) Option {
	return &authOption{is: "BasicAuth", auth: &Basic{Username: user, Password: password}}
}

// BearerAuth sends a token as RFC 6750 has it.
//
// An empty token, or one with white space, is an [ErrInvalidHeader] of
// preparing.
func BearerAuth(token string) Option {
	return &authOption{is: "BearerAuth", auth: Bearer(token)}
}

// DigestAuth answers challenges as RFC 7616 has it; see [Digest]. One option
// value keeps its nonces over the calls that it is given to.
func DigestAuth(user, password string) Option {
	return &authOption{is: "DigestAuth", auth: &Digest{Username: user, Password: password}}
}

// Timeout limits connecting and each wait for bytes to d apiece. It is no
// limit on the whole; see [TotalTimeout]. Zero waits for ever.
//
// What comes of it is an [ErrConnectTimeout] or an [ErrReadTimeout], both an
// [ErrTimeout]. A duration below zero is an [ErrInvalidOption].
func Timeout(d time.Duration) Option { return &timeoutOption{"Timeout", d, true, true, false} }

// ConnectTimeout limits each attempt to connect; see [Timeouts].
//
// Looking up the name, TLS and a proxy's handshake each fall under it. Beyond
// it: [ErrConnectTimeout]. Nothing was sent then, so that any request may be
// tried again.
func ConnectTimeout(d time.Duration) Option {
	return &timeoutOption{"ConnectTimeout", d, true, false, false}
}

// ReadTimeout limits each wait for bytes of the peer; see [Timeouts].
//
// Progress in either direction counts, so that a slow upload is no silence;
// nor is a consumer that takes its time. Beyond it: [ErrReadTimeout], and
// within the body [ErrConnection] besides.
func ReadTimeout(d time.Duration) Option {
	return &timeoutOption{"ReadTimeout", d, false, true, false}
}

// TotalTimeout limits the whole call, a streamed body included.
//
// Redirects, retries and the waits between them fall under it. Beyond it:
// [ErrTimeout], which is [context.DeadlineExceeded] too. Zero lifts a limit of
// the session's.
func TotalTimeout(d time.Duration) Option {
	return &timeoutOption{"TotalTimeout", d, false, false, true}
}

// AllowRedirects follows redirects, or does not.
//
// All verbs do but [Head], as in Requests. A redirect that was not followed is
// the response, and [Response.Next] gives the request that would follow it.
func AllowRedirects(follow bool) Option {
	return setting("AllowRedirects", func(s *Settings) { s.AllowRedirects = &follow },
		func(s *Settings) { s.AllowRedirects = new(true) })
}

// MaxRedirects is how many redirects are followed.
//
// Without this option it is 30. One more is an [ErrTooManyRedirects], whose
// error holds the last response. Below zero is an [ErrInvalidOption].
func MaxRedirects(n int) Option {
	return setting("MaxRedirects", func(s *Settings) { s.MaxRedirects = &n },
		func(s *Settings) { s.MaxRedirects = new(defaultMaxRedirects) })
}

// Proxy sends requests that key fits through the proxy at url; see
// [ProxyMap]. An empty url goes without one.
//
// A url that cannot be used is an [ErrInvalidProxyURL] of sending; a proxy
// that cannot be reached, or refuses, an [ErrProxy]. User and password may be
// part of the url.
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
//
// They run in order, before the redirect is followed and before the body is
// read; each may return another response. An error of a hook ends the call.
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

// Stream leaves the body to be read by the caller, who must close the
// response.
//
// Without it the body is read whole before the call returns. A [TotalTimeout]
// and the context hold for the body as well, whoever reads it.
func Stream() Option { return streamOption{} }

// Verify checks servers' certificates against the system's roots, or does not
// check them at all, which is for tests alone: anyone on the way can then read
// and change what is sent.
//
// Given by the caller it wins over the environment's bundle, other than in
// Requests. A certificate that does not pass is an [ErrSSL].
func Verify(verify bool) Option {
	return setting("Verify", func(s *Settings) { s.Verify = TLSVerify{Always: verify, Skip: !verify} },
		func(s *Settings) { s.Verify = TLSVerify{Always: true} })
}

// CABundle trusts the certificates in a PEM file, or in the files of a
// directory, and no others.
//
// The files are read when the first connection is made: one that is missing,
// or has no certificate, is an [ErrSSL] of the call.
func CABundle(path string) Option {
	o := setting("CABundle", func(s *Settings) { s.Verify = TLSVerify{CABundle: path} },
		func(s *Settings) { s.Verify = TLSVerify{Always: true} })
	if path == "" {
		o.set = func(*Request) error { return invalidOption("CABundle has no path") }
	}
	return o
}

// Cert shows a client certificate: a PEM file of certificate and key, or two.
//
// The files are read when the first connection is made; the key may not be
// encrypted. One that is missing or wrong is an [ErrSSL] of the call.
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
//
// n counts bytes after decoding; below zero lifts a limit of the session's.
// Beyond it: [ErrTooLarge], whose error holds the response and what was read
// of it.
func MaxBody(n int64) Option {
	return setting("MaxBody", func(s *Settings) { s.Limits.Body = n }, func(s *Settings) { s.Limits.Body = -1 })
}

// MaxExpansion is [Limits.Expansion] as an option.
//
// It is looked at once a body is beyond 1 MiB. Beyond it: [ErrTooLarge]; below
// zero lifts a limit of the session's.
func MaxExpansion(factor float64) Option {
	return setting("MaxExpansion", func(s *Settings) { s.Limits.Expansion = factor },
		func(s *Settings) { s.Limits.Expansion = -1 })
}

// openFile opens a file for a part of a multipart body.
func openFile(path string) (io.ReadCloser, error) { return os.Open(path) }
