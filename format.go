package requests

import "fmt"

// What holds secrets writes its text under every verb of package fmt; [Headers],
// [ProxyMap] and [CookieJar] do in their own files. Pointers need it too: asked
// for a verb that is not for them, such as %s, fmt shows what they point to.

// Format writes [Session.String] under every verb.
func (s *Session) Format(f fmt.State, verb rune) { formatText(f, verb, s.String()) }

// Format writes [Request.String] under every verb.
func (r Request) Format(f fmt.State, verb rune) { formatText(f, verb, r.String()) }

// Format writes the settings under every verb, without users and passwords of
// proxies, and of a certificate no more than that it is there.
func (s Settings) Format(f fmt.State, verb rune) { formatText(f, verb, s.text()) }

// Format writes where the certificate comes from under every verb, and nothing
// of its key.
func (c ClientCert) Format(f fmt.State, verb rune) { formatText(f, verb, c.text()) }

// Format writes the type alone under every verb: its session holds secrets.
func (t roundTripper) Format(f fmt.State, verb rune) { formatText(f, verb, "<RoundTripper>") }

// Format writes [PreparedRequest.String] under every verb.
func (p *PreparedRequest) Format(f fmt.State, verb rune) { formatText(f, verb, p.String()) }

// Format writes [Response.String] under every verb.
func (r *Response) Format(f fmt.State, verb rune) { formatText(f, verb, r.String()) }

// Format writes [Payload.String] under every verb.
func (p *Payload) Format(f fmt.State, verb rune) { formatText(f, verb, p.String()) }

// Format writes the adapter's type alone under every verb: the ways that it
// keeps connections for have the passwords of proxies.
func (a *HTTPAdapter) Format(f fmt.State, verb rune) { formatText(f, verb, "<HTTPAdapter>") }

// Format writes [Basic.String] under every verb.
func (b Basic) Format(f fmt.State, verb rune) { formatText(f, verb, b.String()) }

// Format writes [ProxyBasic.String] under every verb.
func (b ProxyBasic) Format(f fmt.State, verb rune) { formatText(f, verb, b.String()) }

// Format writes [Bearer.String] under every verb.
func (b Bearer) Format(f fmt.State, verb rune) { formatText(f, verb, b.String()) }

// Format writes [Digest.String] under every verb.
func (d *Digest) Format(f fmt.State, verb rune) { formatText(f, verb, d.String()) }

// Format writes [Error.Error] under every verb.
func (e *Error) Format(f fmt.State, verb rune) { formatText(f, verb, e.Error()) }

// Format writes [HTTPError.Error] under every verb.
func (e *HTTPError) Format(f fmt.State, verb rune) { formatText(f, verb, e.Error()) }

// Format writes [ProxyRefusedError.Error] under every verb: what the proxy sent
// may hold anything.
func (e *ProxyRefusedError) Format(f fmt.State, verb rune) { formatText(f, verb, e.Error()) }

// Format names the option, and not its value, under every verb.
func (o *pairOption) Format(f fmt.State, verb rune) { formatText(f, verb, o.String()) }

// Format names the option, and not its value, under every verb.
func (o *jsonOption) Format(f fmt.State, verb rune) { formatText(f, verb, o.String()) }

// Format names the option, and not its value, under every verb.
func (o *authOption) Format(f fmt.State, verb rune) { formatText(f, verb, o.String()) }
