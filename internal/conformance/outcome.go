package conformance

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seed-9ea40bd3/requests"
)

func upper(s string) string { return strings.ToUpper(s) }

// num is a number of a tree.
func num(n int) json.Number { return json.Number(strconv.Itoa(n)) }

// orNull is null for an empty text.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// bytesTree is bytes in a tree: text where they are UTF-8, else base64.
func bytesTree(b []byte) map[string]any {
	if utf8.Valid(b) {
		return map[string]any{"text": string(b)}
	}
	return map[string]any{"b64": base64.StdEncoding.EncodeToString(b)}
}

// parseJSON returns the tree of a JSON text.
func parseJSON(b []byte) (any, bool) {
	var v any
	if strict(b, &v) != nil {
		return nil, false
	}
	return v, true
}

// voidOutcome is that of a call that returns nothing.
func voidOutcome(err error) any {
	if err != nil {
		return errorOutcome(err)
	}
	return map[string]any{}
}

// outcome returns a function that makes a call's outcome of its results.
func (r *replay) outcome(ctx context.Context, c *Call) func(*requests.Response, error) (any, error) {
	return func(resp *requests.Response, err error) (any, error) {
		if err != nil {
			return errorOutcome(err), nil
		}
		r.last = resp
		r.responses = append(r.responses, resp)
		tree := responseTree(ctx, resp)
		body, err := readings(resp, c.Read)
		tree["body"] = body
		return tree, err
	}
}

// responseTree is a response before its body is read.
func responseTree(ctx context.Context, r *requests.Response) map[string]any {
	history := []any{}
	for _, h := range r.History {
		history = append(history, statusTree(h))
	}
	tree := map[string]any{
		"status": num(r.StatusCode), "reason": r.Reason, "url": r.URL, "encoding": orNull(r.Encoding),
		"headers": headersTree(r.Headers), "history": history,
		"is_redirect": r.IsRedirect(), "is_permanent_redirect": r.IsPermanentRedirect(),
		"links": linksTree(r.Links()), "cookies": cookiePairs(r.Cookies()),
		"next": nextTree(ctx, r), "ok": r.OK(), "raise": nil, "elapsed": r.Elapsed > 0,
	}
	if err := r.RaiseForStatus(); err != nil {
		tree["raise"] = err.Error()
	}
	return tree
}

func statusTree(r *requests.Response) map[string]any {
	return map[string]any{"status": num(r.StatusCode), "url": r.URL}
}

// headersTree is received headers by name, fields of one name joined.
func headersTree(h requests.Headers) []any {
	names := map[string]bool{}
	for name := range h.All() {
		names[strings.ToLower(name)] = true
	}
	list := []any{}
	for name := range names {
		list = append(list, []any{name, h.Get(name)})
	}
	sortPairs(list)
	return list
}

func linksTree(links map[string]requests.Link) map[string]any {
	tree := map[string]any{}
	for key, l := range links {
		one := map[string]any{}
		for name, value := range l.Params {
			one[name] = value
		}
		one["url"] = l.URL
		tree[key] = one
	}
	return tree
}

func cookiePairs(jar *requests.CookieJar) []any {
	list := []any{}
	for c := range jar.All() {
		list = append(list, []any{c.Name, c.Value})
	}
	sortPairs(list)
	return list
}

func sortPairs(list []any) {
	slices.SortFunc(list, func(a, b any) int {
		return slices.CompareFunc(a.([]any), b.([]any), func(x, y any) int {
			return cmp.Compare(x.(string), y.(string))
		})
	})
}

func nextTree(ctx context.Context, r *requests.Response) any {
	p, err := r.Next(ctx)
	switch {
	case err != nil:
		return errorOutcome(err)
	case p == nil:
		return nil
	}
	return map[string]any{"method": p.Method, "url": p.URL}
}

// jarTree is a session's jar at the end.
func jarTree(jar *requests.CookieJar) []any {
	var all []*http.Cookie
	for c := range jar.All() {
		all = append(all, c)
	}
	slices.SortStableFunc(all, func(a, b *http.Cookie) int {
		return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Name, b.Name))
	})
	list := []any{}
	for _, c := range all {
		list = append(list, map[string]any{
			"name": c.Name, "value": c.Value, "domain": c.Domain, "path": c.Path,
			"secure": c.Secure, "expires": !c.Expires.IsZero(),
		})
	}
	return list
}

// readings reads the body as a call says, whole by default.
func readings(r *requests.Response, reads *Reads) (any, error) {
	if reads == nil {
		return reading(r, Read{As: "content"})
	}
	list := []any{}
	for _, read := range reads.List {
		tree, err := reading(r, read)
		if err != nil {
			return nil, err
		}
		if reads.Single {
			return tree, nil
		}
		list = append(list, tree)
	}
	return list, nil
}

// reading reads a body once.
func reading(r *requests.Response, read Read) (any, error) {
	if read.Encode {
		r.Encoding = ""
		if read.Encoding != nil {
			r.Encoding = *read.Encoding
		}
	}
	switch read.As {
	case "content":
		b, err := r.ReadAll()
		return orError(bytesTree(b), err), nil
	case "text":
		text := r.Text()
		return orError(map[string]any{"text": text}, r.Err()), nil
	case "json":
		var raw json.RawMessage
		err := r.JSON(&raw)
		v, _ := parseJSON(raw)
		return orError(map[string]any{"json": v}, err), nil
	case "lines", "chunks":
		list, err := pieceTrees(r, read)
		return orPieces(read.As, list, err), nil
	case "raw":
		b, err := io.ReadAll(r.Raw())
		return orError(bytesTree(b), err), nil
	case "apparent":
		label := r.ApparentEncoding()
		return orError(map[string]any{"encoding": orNull(label)}, r.Err()), nil
	case "close":
		return orError(nil, r.Close()), nil
	case "none":
		return nil, nil
	}
	return nil, fmt.Errorf("reading as %q is not known", read.As)
}

// orError is the tree of a reading, or its error's.
func orError(tree map[string]any, err error) any {
	switch {
	case err != nil:
		return errorTree(err)
	case tree == nil:
		return nil
	}
	return tree
}

// orPieces is the pieces of a body, with the error that ended them if any.
func orPieces(as string, list []any, err error) any {
	if err == nil {
		return map[string]any{as: list}
	}
	tree := errorTree(err)
	if len(list) > 0 {
		tree[as] = list
	}
	return tree
}

// pieceTrees reads lines or chunks, until the end or an error.
func pieceTrees(r *requests.Response, read Read) ([]any, error) {
	list := []any{}
	if read.Decode {
		seq := r.TextChunks(read.Size)
		if read.As == "lines" {
			seq = r.Lines(delimiter(read.Delimiter, false)...)
		}
		for s, err := range seq {
			if err != nil {
				return list, err
			}
			if r.Encoding == "" {
				s = fromLatin1([]byte(s)) // not decoded: bytes are shown as such
			}
			list = append(list, s)
		}
		return list, nil
	}
	seq := r.Chunks(read.Size)
	if read.As == "lines" {
		seq = r.LineBytes(delimiter(read.Delimiter, true)...)
	}
	for b, err := range seq {
		if err != nil {
			return list, err
		}
		list = append(list, fromLatin1(b))
	}
	return list, nil
}

// delimiter is that of lines, in bytes where the lines are.
func delimiter(s *string, asBytes bool) []string {
	switch {
	case s == nil:
		return nil
	case asBytes:
		return []string{string(latin1(*s))}
	}
	return []string{*s}
}

// prepared is the outcome of preparing. A body that is not in memory is a
// stream, but for the one that is made of files: it is read as the adapter
// would send it.
func (r *replay) prepared(ctx context.Context, p *requests.PreparedRequest, c *Call) (any, error) {
	body, inMemory := p.Body.Bytes()
	streams := p.Body != nil && !inMemory
	if streams && len(c.Files) > 0 {
		var err error
		if body, err = bodyOf(ctx, p); err != nil {
			return nil, err
		}
		streams = false
	}
	n := &normaliser{digests: r.credentials(), method: p.Method, body: body}
	var headers []any
	fields := []field{}
	for name, value := range p.Headers.All() {
		if c.givesBytes(name, value) {
			value = fromLatin1([]byte(value))
		}
		fields = append(fields, field{name: name, value: value})
	}
	n.fields(fields)
	for _, f := range fields {
		headers = append(headers, []any{f.name, f.value})
	}
	tree := map[string]any{"method": p.Method, "url": p.URL, "headers": append([]any{}, headers...), "body": nil}
	switch {
	case streams:
		tree["body"] = map[string]any{"stream": true}
	case p.Body != nil:
		tree["body"] = n.tree()
	}
	return tree, nil
}

// givesBytes reports whether the call gives a header as these bytes, which are
// shown as such.
func (c *Call) givesBytes(name, value string) bool {
	return slices.ContainsFunc(c.Headers, func(h Pair[HeaderValue]) bool {
		return h.Value.Bytes != nil && strings.EqualFold(h.Name, name) && string(h.Value.Bytes) == value
	})
}

// bodyOf takes a request's body as an adapter's transport is given it. Headers
// that disagree with it would be refused, and do not matter here.
func bodyOf(ctx context.Context, p *requests.PreparedRequest) ([]byte, error) {
	var body []byte
	p = p.Copy()
	p.Headers = requests.Headers{}
	p.SetBody(p.Body)
	a := &requests.HTTPAdapter{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
		var err error
		if req.Body != nil {
			body, err = io.ReadAll(req.Body)
			err = errors.Join(err, req.Body.Close())
		}
		return &http.Response{
			StatusCode: http.StatusNoContent, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(nil)), Request: req,
		}, err
	})}
	resp, err := a.Send(ctx, p, requests.Settings{})
	if err != nil {
		return nil, err
	}
	return body, resp.Close()
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
