package conformance

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Corpus is the cases of a directory, in the order of its files' names.
type Corpus []*Case

// Case is one recorded case.
type Case struct {
	// Name is unique: the group, a slash, and a short name.
	Name string `json:"name"`
	// Why is the behaviour that the case pins, in one line.
	Why string `json:"why"`
	// Env are variables of the process's environment while the case runs.
	Env map[string]string `json:"env"`
	// Netrc is the text of the file that NETRC names, nil for none.
	Netrc *string `json:"netrc"`
	// HomeNetrc is the text of .netrc in the home directory, nil for none.
	HomeNetrc *string `json:"home_netrc"`
	// Origins are the servers by their keys, such as "https://a.test#expired",
	// each with the answers that it gives in order.
	Origins map[string][]Answer `json:"origins"`
	// Session is nil where the calls are the package's own.
	Session *Session `json:"session"`
	// Calls are made in order.
	Calls []Call `json:"calls"`
	// Expect is what the reference did.
	Expect Observation `json:"expect"`

	err  error // why it cannot be run
	file bool  // it stands for a file that no case can be read from
}

// Observation is what was observed of a case, as trees of JSON values: under
// "wire" and "outcomes", and with a session under "cookies".
type Observation map[string]any

// Group is the case's name up to the slash.
func (c *Case) Group() string {
	group, _, _ := strings.Cut(c.Name, "/")
	return group
}

// serial reports whether the case changes the process's environment.
func (c *Case) serial() bool {
	return len(c.Env) > 0 || c.Netrc != nil || c.HomeNetrc != nil
}

// pauses reports whether an answer closes its connection, so that the close
// has to arrive before the next call.
func (c *Case) pauses() bool {
	for _, script := range c.Origins {
		for _, a := range script {
			if a.Close || a.Reset || a.Truncate != nil {
				return true
			}
		}
	}
	return false
}

// timed reports whether a call of the case has a timeout.
func (c *Case) timed() bool {
	for i := range c.Calls {
		if c.Calls[i].Timeout != nil {
			return true
		}
	}
	return false
}

// Answer is one answer of an origin. The zero value answers with no bytes.
type Answer struct {
	// Raw is the answer as text, one byte a character; nil where RawB64 is it.
	Raw    *string `json:"raw"`
	RawB64 []byte  `json:"raw_b64"`
	// Close closes the connection after the answer.
	Close bool `json:"close"`
	// DelayMS is how many milliseconds to wait before it.
	DelayMS int `json:"delay_ms"`
	// Hang gives no answer, and holds the connection until the client leaves.
	Hang bool `json:"hang"`
	// Reset gives no answer, and closes the connection at once.
	Reset bool `json:"reset"`
	// Drip is how many bytes are written at a time, and how many milliseconds
	// apart.
	Drip *[2]int `json:"drip"`
	// Truncate is after how many bytes the connection is closed.
	Truncate *int `json:"truncate"`
	// Tunnel joins the connection to the target of a CONNECT after the answer.
	Tunnel bool `json:"tunnel"`
}

// bytes returns what the answer writes.
func (a *Answer) bytes() []byte {
	data := a.RawB64
	if a.Raw != nil {
		data = latin1(*a.Raw)
	}
	if a.Truncate != nil {
		data = data[:min(*a.Truncate, len(data))]
	}
	return data
}

// Session is the attributes of a session. What is not given is as a new
// session has it.
type Session struct {
	Settings
	// MaxRedirects is how many redirects are followed.
	MaxRedirects *int `json:"max_redirects"`
	// TrustEnv is false where the environment does not count.
	TrustEnv *bool `json:"trust_env"`
	// Mounts are adapters besides those for http and https.
	Mounts []Mount `json:"mounts"`
}

// Settings are what a session and a call have in common; the zero value gives
// nothing.
type Settings struct {
	// Headers are in order; a null leaves out the session's, or a default.
	Headers []Pair[HeaderValue] `json:"headers"`
	// Params are those of the query.
	Params *Params `json:"params"`
	// Auth is nil for none given.
	Auth *Auth `json:"auth"`
	// Cookies are for every host in a session, and for the call in a call.
	Cookies []Pair[*string] `json:"cookies"`
	// Proxies are by scheme, host or both; no_proxy is a list of hosts.
	Proxies []Pair[ProxyValue] `json:"proxies"`
	// Verify is nil, true, false or a path.
	Verify any `json:"verify"`
	// Cert is a client certificate.
	Cert *Cert `json:"cert"`
	// Stream leaves the body to be read.
	Stream *bool `json:"stream"`
	// Hooks are the names of hooks: mark, replace, fail.
	Hooks []string `json:"hooks"`
}

// Mount is an adapter of a session.
type Mount struct {
	// Prefix is that of the URLs which the adapter serves.
	Prefix string `json:"prefix"`
	// Retries is its policy, nil for none.
	Retries *Retries `json:"retries"`
}

// Call is one call of a case.
type Call struct {
	Settings
	// Do is what is done: request where it is empty, verb, prepare,
	// prepare_bare, next, close, set_cookie or clear_cookies.
	Do     string `json:"do"`
	Method string `json:"method"`
	URL    string `json:"url"`
	// Data, JSON and Files are the body.
	Data  *Data     `json:"data"`
	JSON  *JSONBody `json:"json"`
	Files []File    `json:"files"`
	// Timeout is nil for none given.
	Timeout *Timeout `json:"timeout"`
	// AllowRedirects is nil for the function's default.
	AllowRedirects *bool `json:"allow_redirects"`
	// Read is how the body is read, nil for its content.
	Read *Reads `json:"read"`
	// Cookie is the one of set_cookie and clear_cookies.
	Cookie *CookieValues `json:"cookie"`
}

// Pair is a name and its value, written as a list of two.
type Pair[T any] struct {
	Name  string
	Value T
}

// UnmarshalJSON reads a list of two.
func (p *Pair[T]) UnmarshalJSON(b []byte) error {
	var two []json.RawMessage
	if err := strict(b, &two); err != nil {
		return err
	}
	if len(two) != 2 {
		return fmt.Errorf("list of %d in the place of a name and a value", len(two))
	}
	return errors.Join(strict(two[0], &p.Name), strict(two[1], &p.Value))
}

// Values is the value of a parameter or a form's field: a text, a list of
// such, or null.
type Values struct {
	List []string
	Null bool
}

// UnmarshalJSON reads one of the three.
func (v *Values) UnmarshalJSON(b []byte) error {
	switch b[0] {
	case 'n':
		v.Null = true
		return nil
	case '[':
		v.List = []string{}
		return strict(b, &v.List)
	}
	v.List = make([]string, 1)
	return strict(b, &v.List[0])
}

// Params are a query's: a text, or a list of names and values.
type Params struct {
	Text *string
	List []Pair[Values]
}

// UnmarshalJSON reads one of the two.
func (p *Params) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		return strict(b, &p.Text)
	}
	return strict(b, &p.List)
}

// HeaderValue is a text, bytes, or null.
type HeaderValue struct {
	Text  string
	Bytes []byte // not nil where the value is bytes
	Null  bool
}

// UnmarshalJSON reads one of the three.
func (v *HeaderValue) UnmarshalJSON(b []byte) error {
	switch b[0] {
	case 'n':
		v.Null = true
		return nil
	case '{':
		var o struct {
			B64 []byte `json:"b64"`
		}
		err := strict(b, &o)
		v.Bytes = append([]byte{}, o.B64...)
		return err
	}
	return strict(b, &v.Text)
}

// ProxyValue is a proxy's URL, a list of hosts under no_proxy, or null.
type ProxyValue struct {
	Text string
	Null bool
}

// UnmarshalJSON joins a list by commas.
func (v *ProxyValue) UnmarshalJSON(b []byte) error {
	switch b[0] {
	case 'n':
		v.Null = true
		return nil
	case '[':
		var list []string
		err := strict(b, &list)
		v.Text = strings.Join(list, ",")
		return err
	}
	return strict(b, &v.Text)
}

// Cert is the paths of a client certificate and of its key.
type Cert struct{ Files []string }

// UnmarshalJSON reads a path or a list of them.
func (c *Cert) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		c.Files = make([]string, 1)
		return strict(b, &c.Files[0])
	}
	return strict(b, &c.Files)
}

// Auth is one of the kinds of auth: the field that is set.
type Auth struct {
	// Basic, Digest and Proxy are a user and a password.
	Basic  *[2]string `json:"basic"`
	Digest *[2]string `json:"digest"`
	Proxy  *[2]string `json:"proxy"`
	// Header is a custom auth that sets a header: its name and value.
	Header *[2]string `json:"header"`
	// None is a custom auth that does nothing.
	None bool `json:"none"`
}

// Data is one of the kinds of body: the field that is set.
type Data struct {
	// Form is encoded as a form, or becomes parts beside files.
	Form *[]Pair[Values] `json:"form"`
	// Text is sent as UTF-8, B64 as it is.
	Text *string `json:"text"`
	B64  *[]byte `json:"b64"`
	// File can seek and has a length.
	File *FileData `json:"file"`
	// Chunks are an iterator's, without a length.
	Chunks *[]string `json:"chunks"`
}

// FileData is a file and where it stands.
type FileData struct {
	B64    []byte `json:"b64"`
	Offset int64  `json:"offset"`
}

// JSONBody is a value to be sent as JSON.
type JSONBody struct {
	Value json.RawMessage `json:"value"`
}

// File is a part of a multipart body.
type File struct {
	// Field is the form's field.
	Field string `json:"field"`
	// FileName is sent unless it is nil.
	FileName *string `json:"filename"`
	// B64 is the content.
	B64 []byte `json:"b64"`
	// ContentType is sent unless it is nil.
	ContentType *string `json:"content_type"`
	// Headers are further ones of the part.
	Headers []Pair[string] `json:"headers"`
}

// Timeout is seconds to connect and to read; nil waits for ever.
type Timeout struct {
	Connect, Read *float64
	Both          bool // one number for both
}

// UnmarshalJSON reads a number or a list of two.
func (t *Timeout) UnmarshalJSON(b []byte) error {
	if b[0] != '[' {
		t.Both = true
		err := strict(b, &t.Connect)
		t.Read = t.Connect
		return err
	}
	var two [2]*float64
	err := strict(b, &two)
	t.Connect, t.Read = two[0], two[1]
	return err
}

// CookieValues are those of set_cookie and clear_cookies.
type CookieValues struct {
	Name string `json:"name"`
	// Value is nil where the cookie is to be removed.
	Value  *string `json:"value"`
	Domain *string `json:"domain"`
	Path   *string `json:"path"`
	Secure bool    `json:"secure"`
	// Expires is in seconds of Unix time.
	Expires *int64 `json:"expires"`
}

// Reads are the readings of a body, in order.
type Reads struct {
	List   []Read
	Single bool // written as one object and not as a list
}

// UnmarshalJSON reads an object or a list of them.
func (r *Reads) UnmarshalJSON(b []byte) error {
	if b[0] == '[' {
		return strict(b, &r.List)
	}
	r.Single, r.List = true, make([]Read, 1)
	return strict(b, &r.List[0])
}

// Read is one reading of a body.
type Read struct {
	As        string  // content, text, json, lines, chunks, raw, apparent, close or none
	Size      int     // of chunks; 0 for null. Lines do not depend on it here
	Delimiter *string // of lines
	Decode    bool    // lines and chunks are text
	Encoding  *string // to set first
	Encode    bool    // whether Encoding is given, null or not
}

// UnmarshalJSON reads the object, and tells an encoding of null from none.
func (r *Read) UnmarshalJSON(b []byte) error {
	var o struct {
		As        string          `json:"as"`
		Size      *int            `json:"size"`
		Delimiter *string         `json:"delimiter"`
		Decode    bool            `json:"decode"`
		Encoding  json.RawMessage `json:"encoding"`
	}
	if err := strict(b, &o); err != nil {
		return err
	}
	*r = Read{As: cmp.Or(o.As, "content"), Delimiter: o.Delimiter, Decode: o.Decode, Encode: o.Encoding != nil}
	if o.Size != nil {
		r.Size = *o.Size
	}
	if r.Encode {
		return strict(o.Encoding, &r.Encoding)
	}
	return nil
}

// strict decodes JSON and refuses keys that it does not know, so that no part
// of a case is passed over.
func strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("text after the value")
	}
	return nil
}

// deviationsName is the file of a corpus's directory that has no cases.
const deviationsName = "deviations.json"

// LoadCorpus reads every file of a directory that ends in .json. A file that
// cannot be read, or is no list of cases, is one case, of the file's name, that
// fails when it is run; so is a case whose name another has. It is an error
// that there is no case.
func LoadCorpus(dir string) (Corpus, error) {
	entries, err := os.ReadDir(dir) // in the order of their names
	if err != nil {
		return nil, err
	}
	var all Corpus
	seen := map[string]bool{}
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".json" || e.Name() == deviationsName {
			continue
		}
		for _, c := range loadCases(dir, e.Name()) {
			if seen[c.Name] {
				c = &Case{Name: c.Name, err: fmt.Errorf("%s: a case of this name is there already", e.Name())}
			}
			seen[c.Name] = true
			all = append(all, c)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: no cases", dir)
	}
	return all, nil
}

// loadCases reads a file of a directory.
func loadCases(dir, name string) Corpus {
	text, err := os.ReadFile(filepath.Join(dir, name))
	var cases Corpus
	if err == nil {
		cases, err = ParseCases(text)
	}
	if bad, ok := errors.AsType[*json.SyntaxError](err); ok {
		err = fmt.Errorf("line %d: %w", 1+bytes.Count(text[:min(int(bad.Offset), len(text))], []byte("\n")), err)
	}
	if err != nil {
		return Corpus{{Name: name, Why: "a file of cases", err: err, file: true}}
	}
	return cases
}

// ParseCases reads a file's list of cases. A case that has a key or a value
// which is not of the format is kept, and fails when it is run.
func ParseCases(text []byte) (Corpus, error) {
	var raw []json.RawMessage
	if err := strict(text, &raw); err != nil {
		return nil, err
	}
	if raw == nil {
		return nil, errors.New("not a list of cases")
	}
	cases := make(Corpus, 0, len(raw))
	for i, r := range raw {
		c := parseCase(r)
		if c.Name == "" {
			return nil, fmt.Errorf("case %d has no name", i)
		}
		cases = append(cases, c)
	}
	return cases, nil
}

// parseCase reads a case. Of one that is not of the format no more than the
// name is sure.
func parseCase(text []byte) *Case {
	c := new(Case)
	err := strict(text, c)
	if err == nil && c.Expect == nil {
		err = errors.New("nothing is expected")
	}
	if err != nil {
		var name struct {
			Name string `json:"name"`
		}
		_ = json.Unmarshal(text, &name) // what is wrong is in err
		return &Case{Name: name.Name, err: err}
	}
	return c
}

// Only returns the cases of a group, or all for none. A file that no case can
// be read from may be of any group.
func (c Corpus) Only(group string) Corpus {
	if group == "" {
		return c
	}
	return slices.DeleteFunc(slices.Clone(c), func(c *Case) bool { return c.Group() != group && !c.file })
}

// latin1 returns one byte for each character; those beyond are cut.
func latin1(s string) []byte {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return b
}

// fromLatin1 returns one character for each byte.
func fromLatin1(b []byte) string {
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return string(runes)
}

// decode64 reads base64, which our own side or a checked record wrote.
func decode64(s string) []byte {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return []byte("not base64: " + s)
	}
	return b
}
