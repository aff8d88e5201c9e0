package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Compare tells how what was observed differs from what is expected, a line
// for each difference; nothing where they agree.
func Compare(want, got Observation) []string {
	d := &differ{}
	for _, part := range parts(want, got) {
		d.part(part, want[part], got[part])
	}
	return d.lines
}

// parts returns the keys of two observations, sorted.
func parts(a, b Observation) []string {
	var keys []string
	for _, o := range []Observation{a, b} {
		for key := range o {
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	slices.Sort(keys)
	return keys
}

// differ collects differences.
type differ struct{ lines []string }

func (d *differ) report(path string, want, got any) {
	d.lines = append(d.lines, fmt.Sprintf("%s: got %s, want %s", path, show(got), show(want)))
}

// maxShown bounds what is shown of a tree.
const maxShown = 400

// show is a tree as JSON, cut where it is long.
func show(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	s := strings.TrimSuffix(b.String(), "\n")
	if len(s) > maxShown {
		s = strings.ToValidUTF8(s[:maxShown], "") + "…"
	}
	return s
}

// part compares the wire, the outcomes or the cookies.
func (d *differ) part(name string, want, got any) {
	compare := map[string]func(path string, want, got any){
		"wire": d.request, "outcomes": d.outcome,
	}[name]
	if compare == nil {
		compare = d.tree
	}
	d.list(name, want, got, compare)
}

// list compares two lists by their items.
func (d *differ) list(path string, want, got any, item func(path string, want, got any)) {
	w, okW := want.([]any)
	g, okG := got.([]any)
	if !okW || !okG {
		d.tree(path, want, got)
		return
	}
	if len(w) != len(g) {
		d.lines = append(d.lines, fmt.Sprintf("%s: got %d, want %d", path, len(g), len(w)))
	}
	for i := range max(len(w), len(g)) {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case i >= len(w):
			d.lines = append(d.lines, at+": got besides "+show(g[i]))
		case i >= len(g):
			d.lines = append(d.lines, at+": missing "+show(w[i]))
		default:
			item(at, w[i], g[i])
		}
	}
}

// request compares two requests on the wire.
func (d *differ) request(path string, want, got any) {
	d.object(path, want, got, func(key, at string, w, g any) {
		switch key {
		case "head":
			d.head(at, w, g)
		case "body":
			d.body(at, w, g)
		default:
			d.tree(at, w, g)
		}
	})
}

// object compares two objects by their keys.
func (d *differ) object(path string, want, got any, value func(key, path string, want, got any)) {
	w, okW := want.(map[string]any)
	g, okG := got.(map[string]any)
	if !okW || !okG {
		d.tree(path, want, got)
		return
	}
	for _, key := range parts(w, g) {
		wv, inW := w[key]
		gv, inG := g[key]
		at := path + "." + key
		switch {
		case !inW:
			d.lines = append(d.lines, at+": got besides "+show(gv))
		case !inG:
			d.lines = append(d.lines, at+": missing "+show(wv))
		default:
			value(key, at, wv, gv)
		}
	}
}

// head compares the lines of a head, and says which are only on one side.
func (d *differ) head(path string, want, got any) {
	if equalTrees(want, got) {
		return
	}
	w, g := texts(want), texts(got)
	missing, besides := without(w, g), without(g, w)
	switch {
	case len(missing) == 0 && len(besides) == 0:
		d.lines = append(d.lines, fmt.Sprintf("%s: order: got %s, want %s", path, show(g), show(w)))
	case len(missing) == 0:
		d.lines = append(d.lines, fmt.Sprintf("%s: got besides %s", path, show(besides)))
	default:
		d.lines = append(d.lines, fmt.Sprintf("%s: got %s, want %s", path, show(besides), show(missing)))
	}
}

func texts(v any) []string {
	list, ok := v.([]any)
	if !ok {
		return []string{show(v)}
	}
	out := make([]string, len(list))
	for i, item := range list {
		if s, ok := item.(string); ok {
			out[i] = s
		} else {
			out[i] = show(item)
		}
	}
	return out
}

// without returns the lines of a that are not in b.
func without(a, b []string) []string {
	rest := slices.Clone(b)
	out := []string{}
	for _, line := range a {
		if i := slices.Index(rest, line); i >= 0 {
			rest = slices.Delete(rest, i, i+1)
		} else {
			out = append(out, line)
		}
	}
	return out
}

// body compares bytes, however they are written, and what goes with them.
func (d *differ) body(path string, want, got any) {
	w, okW := bytesOf(want)
	g, okG := bytesOf(got)
	if !okW || !okG {
		d.tree(path, want, got)
		return
	}
	if !bytes.Equal(w, g) {
		d.report(path, want, got)
		return
	}
	rest := func(v any) map[string]any {
		out := map[string]any{}
		for key, value := range v.(map[string]any) {
			if key != "text" && key != "b64" {
				out[key] = value
			}
		}
		return out
	}
	d.tree(path, rest(want), rest(got))
}

// bytesOf returns the bytes of {"text": …} or {"b64": …}.
func bytesOf(v any) ([]byte, bool) {
	o, _ := v.(map[string]any)
	if s, ok := o["text"].(string); ok {
		return []byte(s), true
	}
	if s, ok := o["b64"].(string); ok {
		return decode64(s), true
	}
	return nil, false
}

// outcome compares the outcomes of a call.
func (d *differ) outcome(path string, want, got any) {
	if isError(want) || isError(got) {
		d.failure(path, want, got)
		return
	}
	d.object(path, want, got, func(key, at string, w, g any) {
		switch {
		case key == "body":
			d.reading(at, w, g)
		case key == "elapsed" && w == false:
		case key == "encoding" && w == "" && g == nil:
			// An empty text stands for None in Go: there is no other.
		case key == "next" && (isError(w) || isError(g)):
			d.failure(at, w, g)
		default:
			d.tree(at, w, g)
		}
	})
}

func isError(v any) bool {
	o, _ := v.(map[string]any)
	_, ok := o["error"].(string)
	return ok
}

// reading compares what the reading of a body gave, or a list of such.
func (d *differ) reading(path string, want, got any) {
	_, listW := want.([]any)
	_, listG := got.([]any)
	switch {
	case listW && listG:
		d.list(path, want, got, d.reading)
	case isError(want) || isError(got):
		d.failure(path, want, got)
	default:
		d.body(path, want, got)
	}
}

// failure compares errors: ours must be of the class expected and of each of
// its bases, and may be of others besides. "other" is any error. What came
// before the error counts, and the response where one is expected: that ours
// carry one where the reference's do not is more of the same.
func (d *differ) failure(path string, want, got any) {
	if !isError(want) || !isError(got) {
		d.report(path, inShort(want), inShort(got))
		return
	}
	w, g := want.(map[string]any), got.(map[string]any)
	if w["error"] == "other" {
		return
	}
	ours := append(texts(g["bases"]), g["error"].(string))
	wants := []string{w["error"].(string)}
	if list, ok := w["bases"].([]any); ok {
		wants = append(wants, texts(list)...)
	}
	if len(without(wants, ours)) > 0 {
		d.report(path, want, got)
		return
	}
	for _, key := range []string{"response", "lines", "chunks"} {
		if key == "response" && w[key] == nil {
			continue
		}
		if !equalTrees(w[key], g[key]) {
			d.report(path+"."+key, w[key], g[key])
		}
	}
}

// inShort is an outcome by its main keys.
func inShort(v any) any {
	o, ok := v.(map[string]any)
	if _, whole := o["history"]; !ok || !whole {
		return v
	}
	return map[string]any{"status": o["status"], "url": o["url"], "body": o["body"]}
}

// tree compares two trees as they are.
func (d *differ) tree(path string, want, got any) {
	if !equalTrees(want, got) {
		d.report(path, want, got)
	}
}

// equalTrees compares two trees of JSON values.
func equalTrees(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for key, value := range a {
			other, ok := b[key]
			if !ok || !equalTrees(value, other) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equalTrees)
	case json.Number:
		b, ok := b.(json.Number)
		return ok && equalNumbers(a, b)
	}
	switch b.(type) {
	case map[string]any, []any:
		return false
	}
	return a == b
}
