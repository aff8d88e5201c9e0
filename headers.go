package requests

import (
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Headers is an ordered list of header fields whose names are compared
// without regard to case and kept in the spelling they were given in, for
// the wire shows them so.
//
// Values are text in ISO-8859-1, as in Requests: characters up to U+00FF are
// sent as one byte each, any other is an [ErrInvalidHeader]. A value that is
// not valid UTF-8, and one given with [Headers.SetBytes], is sent byte for
// byte.
//
// The zero value is an empty list that stands for the defaults in a
// [Session]; see [NewHeaders] for one that is empty on purpose. A Headers may
// be read by many goroutines at once, but not while one changes it.
type Headers struct {
	fields []headerField
}

// headerField is one field, or the mark that a name is to be left out.
type headerField struct {
	name  string
	value string
	hash  uint32 // of the name in a long list, or zero for not known
	raw   bool   // value is bytes, sent as they are
	omit  bool   // the name is to be left out: Python's None
	reach fieldReach
	state fieldState
}

// fieldReach is how far a field may go.
type fieldReach uint8

const (
	reachAll    fieldReach = iota
	reachOrigin            // a redirect to another origin drops it
	reachProxy             // it is for a proxy that forwards the request, and for nobody else
)

// fieldState is what is known of a field, so that it is looked at once and
// not each time it is sent.
type fieldState uint8

const (
	fieldUnknown    fieldState = iota
	fieldUnsendable            // it is valid, and has no form on the wire
	fieldText                  // its value is to be encoded
	fieldPlain                 // its value is sent as it is
)

// NewHeaders returns the fields named and valued in turn by pairs. Called
// without any it returns an empty list that, unlike the zero value, stands
// for no headers at all where defaults would be used. It panics on an odd
// number of arguments, as [strings.NewReplacer] does.
func NewHeaders(pairs ...string) Headers {
	if len(pairs)%2 != 0 {
		panic("requests: NewHeaders: odd argument count")
	}
	h := Headers{fields: make([]headerField, 0, len(pairs)/2+4)}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

// DefaultHeaders returns what a [Session] sends unless told otherwise, in
// this order: User-Agent, Accept-Encoding, Accept, Connection.
func DefaultHeaders() Headers {
	fields := defaultFields()
	return Headers{fields: fields[:]}
}

// defaultFields is an array, which needs no place on the heap.
func defaultFields() [4]headerField {
	return [...]headerField{
		{name: "User-Agent", value: userAgent, state: fieldPlain},
		{name: "Accept-Encoding", value: acceptEncoding, state: fieldPlain},
		{name: "Accept", value: "*/*", state: fieldPlain},
		{name: "Connection", value: "keep-alive", state: fieldPlain},
	}
}

// Get returns the value of name, several fields of one name joined by ", ",
// and "" where there is none.
func (h Headers) Get(name string) string {
	i := h.index(name, 0)
	if i < 0 {
		return ""
	}
	j := h.index(name, i+1)
	if j < 0 {
		return h.fields[i].value
	}
	return strings.Join(h.Values(name), ", ")
}

// Values returns the values of all fields of that name, in order.
func (h Headers) Values(name string) []string {
	var vs []string
	for i := h.index(name, 0); i >= 0; i = h.index(name, i+1) {
		vs = append(vs, h.fields[i].value)
	}
	return vs
}

// Has reports whether there is a field of that name, be it empty.
func (h Headers) Has(name string) bool { return h.index(name, 0) >= 0 }

// Len returns the number of fields.
func (h Headers) Len() int {
	n := 0
	for i := range h.fields {
		if !h.fields[i].omit {
			n++
		}
	}
	return n
}

// All yields the fields in order.
func (h Headers) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, f := range h.fields {
			if !f.omit && !yield(f.name, f.value) {
				return
			}
		}
	}
}

// Set gives name the value. A name that is there keeps its place and takes
// the new spelling, as a dictionary of Requests does; a new one goes last.
func (h *Headers) Set(name, value string) {
	h.put(headerField{name: name, value: value})
}

// SetBytes is [Headers.Set] for a value that is sent byte for byte.
func (h *Headers) SetBytes(name string, value []byte) {
	h.put(headerField{name: name, value: string(value), raw: true})
}

// Add appends a field and leaves those of the same name as they are.
func (h *Headers) Add(name, value string) {
	f := headerField{name: name, value: value}
	f.state, _ = f.check()
	h.fields = append(h.fields, f)
}

// Del removes all fields of that name.
func (h *Headers) Del(name string) {
	for i := range h.fields {
		if equalFold(h.fields[i].name, name) {
			rest := slices.DeleteFunc(h.fields[i:], func(f headerField) bool { return equalFold(f.name, name) })
			h.fields = h.fields[:i+len(rest)]
			return
		}
	}
}

// Omit marks name as one to be left out: when these headers are a request's,
// the session's field of that name is not sent. It is what None is in
// Requests.
func (h *Headers) Omit(name string) {
	h.put(headerField{name: name, omit: true})
}

// moveBefore puts the first field of one name before that of another, where
// both are there and it comes later.
func (h *Headers) moveBefore(name, other string) {
	i, j := h.index(name, 0), h.index(other, 0)
	if j < 0 || i < j {
		return
	}
	f := h.fields[i]
	copy(h.fields[j+1:i+1], h.fields[j:i])
	h.fields[j] = f
}

// SetSecret is [Headers.Set] for a value that stays with the origin that it
// was given for: a redirect to another scheme, host or port drops it, as it
// drops Authorization.
func (h *Headers) SetSecret(name, value string) {
	h.put(headerField{name: name, value: value, reach: reachOrigin})
}

// dropBound removes what is bound to an origin that is left.
func (h *Headers) dropBound() {
	h.fields = slices.DeleteFunc(h.fields, func(f headerField) bool { return f.reach == reachOrigin })
}

// Clone returns a copy that shares nothing with h.
func (h Headers) Clone() Headers {
	if h.fields == nil {
		return Headers{}
	}
	return Headers{fields: append(make([]headerField, 0, len(h.fields)+addedFields), h.fields...)}
}

// cloneIn is Clone into room where that is enough.
func (h Headers) cloneIn(room []headerField) Headers {
	if h.fields == nil || len(h.fields) > len(room) {
		return h.Clone()
	}
	return Headers{fields: append(room[:0], h.fields...)}
}

// String returns the names alone: values may be secret.
func (h Headers) String() string {
	names := make([]string, 0, len(h.fields))
	for name := range h.All() {
		names = append(names, name)
	}
	return "Headers[" + strings.Join(names, ", ") + "]"
}

// GoString is [Headers.String].
func (h Headers) GoString() string { return h.String() }

// Format writes [Headers.String] under every verb.
func (h Headers) Format(s fmt.State, verb rune) { formatText(s, verb, h.String()) }

// index returns the place of the first field of that name at or after from,
// or -1. Fields that mark an omission do not count.
func (h Headers) index(name string, from int) int {
	for i := from; i < len(h.fields); i++ {
		if f := &h.fields[i]; len(f.name) == len(name) && !f.omit && equalFold(f.name, name) {
			return i
		}
	}
	return -1
}

// longList is how many fields make a list in which names are told apart by
// hash first: with names compared one by one setting many is quadratic.
const longList = 16

// hashName is FNV-1a of a name in lower case.
func hashName(name string) uint32 {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(lower(name[i]))) * 16777619
	}
	return h
}

// named reports whether f and g have the same name.
func (f *headerField) named(g *headerField) bool {
	if f.hash != g.hash && f.hash != 0 && g.hash != 0 {
		return false
	}
	return equalFold(f.name, g.name)
}

// put replaces the first field of f's name and removes any further one.
func (h *Headers) put(f headerField) {
	if f.state == fieldUnknown {
		f.state, _ = f.check()
	}
	if len(h.fields) >= longList && f.hash == 0 {
		f.hash = hashName(f.name)
	}
	at := 0
	for at < len(h.fields) && !h.fields[at].named(&f) {
		at++
	}
	if at == len(h.fields) {
		h.fields = append(h.fields, f)
		return
	}
	// A name that was secret stays so, whoever sets it anew.
	if f.reach == reachAll {
		f.reach = h.fields[at].reach
	}
	h.fields[at] = f
	if len(h.fields) == at+1 {
		return
	}
	rest := slices.DeleteFunc(h.fields[at+1:], func(g headerField) bool { return g.named(&f) })
	h.fields = h.fields[:at+1+len(rest)]
}

// putAll puts fields one after the other. In a long list it looks only for
// those whose hash it has seen.
func (h *Headers) putAll(fields []headerField) {
	if len(fields) < longList {
		for _, f := range fields {
			h.put(f)
		}
		return
	}
	seen := make(map[uint32]struct{}, len(h.fields)+len(fields))
	for i := range h.fields {
		seen[hashName(h.fields[i].name)] = struct{}{}
	}
	for _, f := range fields {
		if f.hash == 0 {
			f.hash = hashName(f.name)
		}
		if _, maybe := seen[f.hash]; maybe {
			h.put(f)
			continue
		}
		seen[f.hash] = struct{}{}
		h.fields = append(h.fields, f)
	}
}

// mergeHeaders lays the call's fields over the session's: a field that both
// have keeps the session's place and takes the call's spelling and value, a
// new one is appended, an omitted one goes. The result has room for what
// preparing adds, and lies in room where that is enough.
func mergeHeaders(room []headerField, session, call Headers) Headers {
	out := Headers{fields: room[:0]}
	if n := len(session.fields) + len(call.fields); n+addedFields/2 > cap(room) {
		out.fields = make([]headerField, 0, n+addedFields)
	}
	out.fields = append(out.fields, session.fields...)
	out.putAll(call.fields)
	if slices.ContainsFunc(out.fields, func(f headerField) bool { return f.omit }) {
		out.fields = slices.DeleteFunc(out.fields, func(f headerField) bool { return f.omit })
	}
	return out
}

// addedFields is how many fields preparing adds, Cookie, Authorization,
// Content-Length and Content-Type, where usually it is no more than two.
const addedFields = 4

// equalFold is [strings.EqualFold] for ASCII, where header names live, with
// the length compared first.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if x, y := a[i], b[i]; x != y && lower(x) != lower(y) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// checkHeaders validates every field as PreparedRequest.prepare_headers does,
// where that was not done before.
func checkHeaders(h *Headers) error {
	for i := range h.fields {
		f := &h.fields[i]
		if f.state != fieldUnknown {
			continue
		}
		var err error
		if f.state, err = f.check(); err != nil {
			return err
		}
	}
	return nil
}

// check validates a field: a name does not begin with white space and has no
// colon, a value does not begin with white space, and neither has a line end.
func (f *headerField) check() (fieldState, error) {
	switch {
	case f.omit:
		return 0, &Error{kind: ErrInvalidHeader, reason: "header " + quoteName(f.name) + " has no value"}
	case !validHeaderName(f.name):
		return 0, &Error{kind: ErrInvalidHeader, reason: "header name " + quoteName(f.name) +
			" is empty, begins with white space, or holds a colon or a line end"}
	case !validHeaderValue(f.value, f.raw):
		return 0, &Error{kind: ErrInvalidHeader, reason: "value of header " + quoteName(f.name) +
			" begins with white space or holds a line end"}
	case f.checkCharacters() != nil:
		return fieldUnsendable, nil
	case f.raw || isASCII(f.value):
		return fieldPlain, nil
	}
	return fieldText, nil
}

// checkCharacters refuses fields that have no form on the wire. It is asked
// when a request is sent, since to Requests such a one can be prepared.
func checkCharacters(h *Headers) error {
	for i := range h.fields {
		if f := &h.fields[i]; f.state == fieldUnsendable {
			return f.checkCharacters()
		}
	}
	return nil
}

// checkCharacters refuses a name beyond ASCII, text beyond ISO-8859-1 and NULs.
func (f *headerField) checkCharacters() error {
	reason := ""
	switch {
	case strings.IndexByte(f.value, 0) >= 0 || strings.IndexByte(f.name, 0) >= 0:
		reason = "header " + quoteName(f.name) + " holds a NUL, which cannot be sent"
	case !isASCII(f.name):
		reason = "header name " + quoteName(f.name) + " holds a character outside ASCII"
	case !f.raw && !isLatin1(f.value):
		reason = "value of header " + quoteName(f.name) + " holds a character beyond ISO-8859-1; give such a value as bytes"
	default:
		return nil
	}
	return &Error{kind: ErrInvalidHeader, reason: reason}
}

// isLatin1 reports whether text can be sent.
func isLatin1(s string) bool {
	_, ok := toLatin1(s)
	return ok
}

func validHeaderName(s string) bool {
	return s != "" && !beginsWithSpace(s) && strings.IndexByte(s, ':') < 0 && oneLine(s)
}

// validHeaderValue goes by characters for text, where a no-break space is
// white space too, and by bytes for bytes.
func validHeaderValue(s string, raw bool) bool {
	if s == "" {
		return true
	}
	if raw {
		return !isSpace(s[0]) && oneLine(s)
	}
	return !beginsWithSpace(s) && oneLine(s)
}

func oneLine(s string) bool { return strings.IndexByte(s, '\n') < 0 && strings.IndexByte(s, '\r') < 0 }

// beginsWithSpace reports whether the first character of a text that is not
// empty is Python's \s.
func beginsWithSpace(s string) bool {
	if s[0] < 0x80 {
		return isSpace(s[0])
	}
	first, _ := utf8.DecodeRuneInString(s)
	return unicode.IsSpace(first)
}

// isSpace is Python's \s within ASCII.
func isSpace(c byte) bool {
	return c == ' ' || '\t' <= c && c <= '\r' || 0x1c <= c && c <= 0x1f
}

// isASCII reports whether s has no byte beyond ASCII: nearly all values, which
// then need no charset.
func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// toLatin1 returns the bytes that s is sent as: one for each character, or s
// itself where it is no UTF-8.
func toLatin1(s string) (string, bool) {
	if isASCII(s) {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for i, r := range s {
		if r == '\uFFFD' && !strings.HasPrefix(s[i:], "\uFFFD") {
			return s, true
		}
		if r > 0xFF {
			return "", false
		}
		b = append(b, byte(r))
	}
	return string(b), true
}

// fromLatin1 returns the text of a received value.
func fromLatin1(s string) string {
	if isASCII(s) {
		return s
	}
	b := make([]rune, 0, len(s))
	for i := range len(s) {
		b = append(b, rune(s[i]))
	}
	return string(b)
}

// wire returns the bytes of the field's value on the wire.
func (f *headerField) wire() string {
	if f.raw || f.state == fieldPlain {
		return f.value
	}
	s, _ := toLatin1(f.value)
	return s
}

// quoteName shows a name of the caller's, bounded, in an error.
func quoteName(s string) string {
	if len(s) > 64 {
		s = s[:64] + "..."
	}
	return fmt.Sprintf("%q", s)
}

// lateCookies moves cookies to the end of the Cookie header: those of a
// challenge come after those of a redirect in the reference's jar, which was
// copied before the challenge came.
func (h *Headers) lateCookies(late []*http.Cookie) {
	i := h.index("Cookie", 0)
	if i < 0 {
		return
	}
	var first, last []string
	for pair := range strings.SplitSeq(h.fields[i].value, "; ") {
		name, value, _ := strings.Cut(pair, "=")
		if slices.ContainsFunc(late, func(c *http.Cookie) bool { return c.Name == name && c.Value == value }) {
			last = append(last, pair)
		} else {
			first = append(first, pair)
		}
	}
	h.fields[i].value, h.fields[i].state = strings.Join(append(first, last...), "; "), fieldUnknown
}
