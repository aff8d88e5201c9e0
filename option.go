package requests

import (
	"fmt"
	"maps"
	"net/http"
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

// apply fills in the options and keeps the first error. Of many options the
// headers are put in together, before whatever else may touch them: one by one
// their cost would grow with its square.
func (r *Request) apply(opts []Option, at scope) {
	many := len(opts) >= longList && at != scopeSend
	var fields []headerField
	for _, o := range opts {
		if many {
			pair, ok := o.(*pairOption)
			if f, isHeader := pair.header(); isHeader {
				fields = append(fields, f)
				continue
			}
			if !ok {
				r.Headers.putAll(fields)
				fields = fields[:0]
			}
		}
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
	r.Headers.putAll(fields)
}

// fail keeps the first error, for the call that can return it.
func (r *Request) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// invalidOption is an error about how the package is used. Its text must hold
// no value of an option, which may be a secret.
func invalidOption(format string, args ...any) error {
	return &Error{kind: ErrInvalidOption, reason: fmt.Sprintf(format, args...)}
}

// withoutOption has what is to be left out.
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

// fill leaves out each of the options. Leaving out Without itself would be to
// set what its options hold, which nobody can mean.
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
	kind  pairKind // what it sets
	key   string   // the name
	value string   // the value, where there is one
	more  []string // the values, where their number is not one; else nil
}

// pairKind is what a pairOption sets.
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

// fill sets headers and proxies, where the later one wins, and adds everything
// else.
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
	case pairHeader, pairHeaderBytes, pairSecret:
		f, _ := o.header()
		r.Headers.put(f)
	case pairCookie:
		// No domain: like a cookie of the cookies argument in Requests, it goes to
		// the host that the call is for.
		r.Cookies = append(r.Cookies, &http.Cookie{Name: o.key, Value: o.value, Path: "/"})
	case pairProxy:
		r.setProxy(o.key, o.value)
	}
	return nil
}

// header returns the field that the option sets, if it sets one; nil sets none.
func (o *pairOption) header() (f headerField, ok bool) {
	if o == nil {
		return headerField{}, false
	}
	f = headerField{name: o.key, value: o.value}
	switch o.kind {
	case pairHeader:
	case pairHeaderBytes:
		f.raw = true
	case pairSecret:
		f.reach = reachOrigin
	default:
		return headerField{}, false
	}
	return f, true
}

// setProxy sets one proxy in a copy of the map, which may be shared.
func (r *Request) setProxy(key, url string) {
	r.Proxies = r.Proxies.with(key, url)
}

// addTo adds a field for each value. No values at all are a field that is left
// out.
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
		omitField(&r.Params, o.key)
	case pairForm:
		omitField(&r.Form, o.key)
	case pairHeader, pairHeaderBytes, pairSecret:
		r.Headers.Omit(o.key)
	case pairCookie:
		// To the jar a negative age is a cookie that must not be sent.
		r.Cookies = append(r.Cookies, &http.Cookie{Name: o.key, MaxAge: -1})
	case pairProxy:
		r.setProxy(o.key, proxyOmitted)
	}
}

// String names the option and what it sets, and not the value.
func (o *pairOption) String() string { return o.label().String() }

// GoString is the same.
func (o *pairOption) GoString() string { return o.label().String() }

// newPair is the option for any number of values.
func newPair(kind pairKind, key string, values []string) Option {
	if len(values) == 1 {
		return &pairOption{kind: kind, key: key, value: values[0]}
	}
	// Copied, and never nil: an empty list is told from a single value by that.
	return &pairOption{kind: kind, key: key, more: append([]string{}, values...)}
}

// omitField leaves out a name: what was given before, and what the session has.
func omitField(dst *Fields, name string) {
	kept := make(Fields, 0, len(*dst)+1) // the caller may hold the other
	for _, f := range *dst {
		if f.Name != name {
			kept = append(kept, f)
		}
	}
	*dst = append(kept, Field{Name: name, Omit: true})
}

// omitAll leaves out the names of fs.
func omitAll(dst *Fields, fs Fields) {
	for _, f := range fs {
		omitField(dst, f.Name)
	}
}

// jsonOption is the option of [JSON]: one allocation.
type jsonOption struct{ value any }

// String names the option, and not its value.
func (o *jsonOption) String() string { return o.label().is }

// GoString is the same: %#v would print the value.
func (o *jsonOption) GoString() string { return o.label().is }

// label implements [Option]: a session has no body.
func (o *jsonOption) label() optionLabel { return optionLabel{is: "JSON", at: scopeRequest} }

// fill keeps the value as it is; it is encoded when the request is prepared.
func (o *jsonOption) fill(r *Request, omit bool) error {
	r.JSON = o.value
	if omit {
		r.JSON = nil
	}
	return nil
}

// authOption is the option of [Auth] and its kin, by the name of the one that
// was called.
type authOption struct {
	is   string
	auth Authenticator
}

// String names the option, and not its value.
func (o *authOption) String() string { return o.is }

// GoString is the same: %#v would print the password.
func (o *authOption) GoString() string { return o.is }

// label implements [Option].
func (o *authOption) label() optionLabel {
	return optionLabel{is: o.is, at: scopeSession | scopeRequest}
}

// fill sets the auth. To leave it out is to keep netrc and the URL from giving
// one, too, as [NoAuth] does.
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

// timeoutOption sets one limit, or the two of [Timeout]. It keeps the duration
// that the limits point to.
type timeoutOption struct {
	is                   string        // the function that was called
	d                    time.Duration // zero waits for ever
	connect, read, total bool          // which limits it sets
}

// label implements [Option].
func (o *timeoutOption) label() optionLabel { return optionLabel{is: o.is, at: scopeAny} }

// fill points the limits at the option's own duration, which nobody changes. To
// leave one out is to wait for ever.
func (o *timeoutOption) fill(r *Request, omit bool) error {
	if omit {
		// Zero, and not nil: nil would inherit the session's limit.
		o.set(&r.Timeouts, new(time.Duration))
		return nil
	}
	o.set(&r.Timeouts, &o.d)
	if o.d < 0 {
		return invalidOption("%s %v is below zero; zero waits for ever", o.is, o.d)
	}
	return nil
}

// set points the limits that the option is for at d.
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

// streamOption is empty, so that making one costs nothing.
type streamOption struct{}

// label implements [Option].
func (streamOption) label() optionLabel { return optionLabel{is: "Stream", at: scopeAny} }

// fill sets false where it is left out, which wins over a session that streams.
func (streamOption) fill(r *Request, omit bool) error {
	r.Stream = new(!omit)
	return nil
}

// checkHooks refuses a hook that is nil, under the name of its option.
func checkHooks(option string, hooks []Hook) error {
	if slices.ContainsFunc(hooks, func(h Hook) bool { return h == nil }) {
		return invalidOption("%s was given nil", option)
	}
	return nil
}

// funcOption is an option made of two functions.
type funcOption struct {
	is    string               // the function that made the option
	at    scope                // where it may stand
	set   func(*Request) error // fills it in
	unset func(*Request)       // leaves it out
}

// label implements [Option].
func (o *funcOption) label() optionLabel { return optionLabel{is: o.is, at: o.at} }

// fill calls one of the two functions.
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

// label implements [Option].
func (s Settings) label() optionLabel { return optionLabel{is: "Settings", at: scopeAny} }

// fill sets what is set in s. Proxies add up by name, in a map of their own:
// the one that was there may be shared with a session.
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
	r.Settings = mergeSettings(&r.Settings, &s)
	r.Proxies, r.environment = proxies, s.environment
	return nil
}
