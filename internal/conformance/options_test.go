package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/seed-9ea40bd3/requests"
)

// options turns a call into the options of the library.
type options struct {
	authority *Authority
	digests   map[[2]string]*requests.Digest // one for equal values
	list      []requests.Option
}

func (o *options) add(opts ...requests.Option) { o.list = append(o.list, opts...) }

// request returns the options of a call that prepares a request. A bare one
// takes nothing that says how to send.
func (o *options) request(c *Call, bare bool) ([]requests.Option, error) {
	o.list = nil
	o.params(c.Params)
	o.headers(c.Headers)
	for _, p := range c.Cookies {
		if p.Value == nil {
			o.add(requests.Without(requests.Cookie(p.Name, "")))
		} else {
			o.add(requests.Cookie(p.Name, *p.Value))
		}
	}
	if err := o.body(c); err != nil {
		return nil, err
	}
	if err := o.auth(c.Auth); err != nil {
		return nil, err
	}
	hooks, err := hooksOf(c.Hooks)
	if err != nil {
		return nil, err
	}
	if len(hooks) > 0 {
		o.add(requests.OnResponse(hooks...))
	}
	if !bare {
		err = o.sending(c)
	}
	return o.list, err
}

// send returns the options of a call that sends what was prepared before.
func (o *options) send(c *Call) ([]requests.Option, error) {
	o.list = nil
	err := o.sending(c)
	return o.list, err
}

// sending adds the options that say how to send.
func (o *options) sending(c *Call) error {
	o.timeout(c.Timeout)
	if c.AllowRedirects != nil {
		o.add(requests.AllowRedirects(*c.AllowRedirects))
	}
	for _, p := range c.Proxies {
		if p.Value.Null {
			o.add(requests.Without(requests.Proxy(p.Name, "")))
		} else {
			o.add(requests.Proxy(p.Name, p.Value.Text))
		}
	}
	return o.common(&c.Settings)
}

// common adds stream, verify and cert.
func (o *options) common(s *Settings) error {
	if s.Stream != nil {
		o.add(requests.Settings{Stream: s.Stream})
	}
	switch v := s.Verify.(type) {
	case nil:
	case bool:
		o.add(requests.Verify(v))
	case string:
		o.add(requests.CABundle(o.authority.path(v)))
	default:
		return fmt.Errorf("verify is %v", v)
	}
	if s.Cert != nil {
		files := make([]string, 0, 2)
		for _, f := range s.Cert.Files {
			files = append(files, o.authority.path(f))
		}
		if len(files) == 0 {
			return errors.New("cert is an empty list")
		}
		o.add(requests.Cert(files[0], files[1:]...))
	}
	return nil
}

func (o *options) timeout(t *Timeout) {
	switch {
	case t == nil:
	case t.Both && t.Read != nil:
		o.add(requests.Timeout(seconds(*t.Read)))
	default:
		o.add(requests.ConnectTimeout(limit(t.Connect)), requests.ReadTimeout(limit(t.Read)))
	}
}

// limit is a timeout of a pair; null waits for ever, as zero does here.
func limit(s *float64) time.Duration {
	if s == nil {
		return 0
	}
	return seconds(*s)
}

func (o *options) params(p *Params) {
	switch {
	case p == nil:
	case p.Text != nil:
		o.add(requests.Query(*p.Text))
	default:
		for _, f := range p.List {
			o.pair(requests.Param, f)
		}
	}
}

// pair adds a parameter or a form's field by its option.
func (o *options) pair(option func(string, ...string) requests.Option, f Pair[Values]) {
	if f.Value.Null {
		o.add(requests.Without(option(f.Name)))
		return
	}
	o.add(option(f.Name, f.Value.List...))
}

func (o *options) headers(list []Pair[HeaderValue]) {
	for _, h := range list {
		switch {
		case h.Value.Null:
			o.add(requests.Without(requests.Header(h.Name, "")))
		case h.Value.Bytes != nil:
			o.add(requests.HeaderBytes(h.Name, h.Value.Bytes))
		default:
			o.add(requests.Header(h.Name, h.Value.Text))
		}
	}
}

func (o *options) body(c *Call) error {
	if err := o.data(c.Data); err != nil {
		return err
	}
	if c.JSON != nil && c.JSON.Value != nil && string(c.JSON.Value) != "null" {
		o.add(requests.JSON(c.JSON.Value))
	}
	for _, f := range c.Files {
		o.add(requests.Files(part(f)))
	}
	return nil
}

func (o *options) data(d *Data) error {
	switch {
	case d == nil:
	case d.Form != nil:
		for _, f := range *d.Form {
			o.pair(requests.Form, f)
		}
	case d.Text != nil:
		o.add(requests.BodyText(*d.Text))
	case d.B64 != nil:
		o.add(requests.BodyBytes(*d.B64))
	case d.File != nil:
		r := bytes.NewReader(d.File.B64)
		if _, err := r.Seek(d.File.Offset, io.SeekStart); err != nil {
			return err
		}
		o.add(requests.Body(r))
	case d.Chunks != nil:
		o.add(requests.BodyChunks(pieces(*d.Chunks)))
	}
	return nil
}

// pieces is an iterator of texts as UTF-8.
func pieces(list []string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, s := range list {
			if !yield([]byte(s), nil) {
				return
			}
		}
	}
}

func part(f File) requests.Part {
	p := requests.Part{Field: f.Field, Content: requests.BytesPayload(f.B64)}
	switch {
	case f.FileName == nil:
		p.NoFileName = true
	case *f.FileName == "":
		p.EmptyFileName = true
	default:
		p.FileName = *f.FileName
	}
	if f.ContentType != nil {
		p.ContentType = *f.ContentType
	}
	for _, h := range f.Headers {
		p.Headers.Set(h.Name, h.Value)
	}
	return p
}

// authenticator returns the auth of a call or a session; nil is none given.
func (o *options) authenticator(a *Auth) (requests.Authenticator, error) {
	switch {
	case a == nil:
		return nil, nil
	case a.Basic != nil:
		return &requests.Basic{Username: a.Basic[0], Password: a.Basic[1]}, nil
	case a.Digest != nil:
		d := o.digests[*a.Digest]
		if d == nil {
			d = &requests.Digest{Username: a.Digest[0], Password: a.Digest[1]}
			o.digests[*a.Digest] = d
		}
		return d, nil
	case a.Proxy != nil:
		return &requests.ProxyBasic{Username: a.Proxy[0], Password: a.Proxy[1]}, nil
	case a.Header != nil:
		return requests.AuthFunc(func(_ context.Context, p *requests.PreparedRequest) error {
			p.Headers.Set(a.Header[0], a.Header[1])
			return nil
		}), nil
	case a.None:
		return requests.NoAuth, nil
	}
	return nil, errors.New("auth is of no known kind")
}

func (o *options) auth(a *Auth) error {
	auth, err := o.authenticator(a)
	if auth != nil {
		o.add(requests.Auth(auth))
	}
	return err
}

// errHook is what the hook named fail gives.
var errHook = errors.New("a hook's own error")

func hooksOf(names []string) ([]requests.Hook, error) {
	var hooks []requests.Hook
	for _, name := range names {
		switch name {
		case "mark":
			hooks = append(hooks, markHook)
		case "replace":
			hooks = append(hooks, replaceHook)
		case "fail":
			hooks = append(hooks, func(context.Context, *requests.Response) (*requests.Response, error) {
				return nil, errHook
			})
		default:
			return nil, fmt.Errorf("hook %q is not known", name)
		}
	}
	return hooks, nil
}

func markHook(_ context.Context, r *requests.Response) (*requests.Response, error) {
	r.Headers.Set("X-Hook", "1")
	return nil, nil
}

func replaceHook(_ context.Context, r *requests.Response) (*requests.Response, error) {
	made := requests.NewResponse(r.Request, 299, "Replaced", requests.NewHeaders(), strings.NewReader("replaced"))
	made.URL = r.URL
	return made, nil
}

// session makes the session of a case; nil attributes make a plain one.
func (o *options) session(attrs *Session) (*requests.Session, error) {
	s := requests.NewSession()
	if attrs == nil {
		return s, nil
	}
	for _, h := range attrs.Headers {
		switch {
		case h.Value.Null:
			s.Headers.Omit(h.Name)
		case h.Value.Bytes != nil:
			s.Headers.SetBytes(h.Name, h.Value.Bytes)
		default:
			s.Headers.Set(h.Name, h.Value.Text)
		}
	}
	if err := sessionParams(s, attrs.Params); err != nil {
		return nil, err
	}
	for _, c := range attrs.Cookies {
		if c.Value == nil {
			continue
		}
		if err := s.Cookies.Set(&http.Cookie{Name: c.Name, Value: *c.Value}); err != nil {
			return nil, err
		}
	}
	auth, err := o.authenticator(attrs.Auth)
	if err != nil {
		return nil, err
	}
	s.Auth = auth
	s.IgnoreEnv = isFalse(attrs.TrustEnv)
	if s.Hooks, err = hooksOf(attrs.Hooks); err != nil {
		return nil, err
	}
	return s, o.sessionSettings(s, attrs)
}

// sessionParams fills in a session's parameters, which have no form of text.
func sessionParams(s *requests.Session, p *Params) error {
	if p == nil {
		return nil
	}
	if p.Text != nil {
		return errors.New("a session's params cannot be a text")
	}
	for _, f := range p.List {
		s.Params.Add(f.Name, f.Value.List...)
	}
	return nil
}

// sessionSettings fills in what a session says of sending.
func (o *options) sessionSettings(s *requests.Session, attrs *Session) error {
	s.MaxRedirects = attrs.MaxRedirects
	s.Stream = attrs.Stream
	for _, p := range attrs.Proxies {
		if s.Proxies == nil {
			s.Proxies = requests.ProxyMap{}
		}
		if !p.Value.Null {
			s.Proxies[p.Name] = p.Value.Text
		}
	}
	switch v := attrs.Verify.(type) {
	case nil:
	case bool:
		s.Verify = requests.TLSVerify{Always: v, Skip: !v}
	case string:
		s.Verify = requests.TLSVerify{CABundle: o.authority.path(v)}
	default:
		return fmt.Errorf("verify is %v", v)
	}
	if c := attrs.Cert; c != nil && len(c.Files) > 0 {
		s.Cert = requests.ClientCert{CertFile: o.authority.path(c.Files[0])}
		if len(c.Files) > 1 {
			s.Cert.KeyFile = o.authority.path(c.Files[1])
		}
	}
	return nil
}
