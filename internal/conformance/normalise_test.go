package conformance

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"github.com/seed-9ea40bd3/requests"
)

// field is a header line: name, what stands between, and value.
type field struct{ name, between, value string }

// normaliser puts names in the place of what differs from run to run, in the
// headers and the body of one request.
type normaliser struct {
	digests [][2]string // users and passwords
	method  string
	body    []byte
	isJSON  bool
	json    any
}

// boundaryOf finds a boundary such as the reference makes.
var boundaryOf = regexp.MustCompile(`^multipart/[^;]*;.*boundary=([0-9a-f]{32})(?:[^0-9a-f]|$)`)

// fields normalises headers in place, and the body.
func (n *normaliser) fields(list []field) {
	ours := requests.DefaultHeaders()
	original := n.body
	for i := range list {
		f := &list[i]
		switch strings.ToLower(f.name) {
		case "user-agent":
			f.shorten("{UA}", ours.Get("User-Agent"))
		case "accept-encoding":
			f.shorten("{AE}", ours.Get("Accept-Encoding"))
		case "content-type":
			n.contentType(f)
		case "authorization":
			if strings.HasPrefix(f.value, "Digest ") {
				f.value = n.digest(f.value, original)
			}
		}
	}
	if !n.isJSON {
		return
	}
	for i := range list {
		if f := &list[i]; f.name == "Content-Length" && f.value == strconv.Itoa(len(original)) {
			f.value = "{LEN}"
		}
	}
}

// shorten gives a value its name where it is the default.
func (f *field) shorten(name, value string) {
	if f.value == value {
		f.value = name
	}
}

// contentType looks for a boundary, and for JSON.
func (n *normaliser) contentType(f *field) {
	if m := boundaryOf.FindStringSubmatch(f.value); m != nil {
		f.value = strings.Replace(f.value, m[1], "{BOUNDARY}", 1)
		n.body = bytes.ReplaceAll(n.body, []byte(m[1]), []byte("{BOUNDARY}"))
	}
	if f.name == "Content-Type" && f.value == "application/json" {
		n.json, n.isJSON = parseJSON(n.body)
	}
}

// tree is the body, as JSON where it is such.
func (n *normaliser) tree() map[string]any {
	if n.isJSON {
		return map[string]any{"json": n.json}
	}
	return bytesTree(n.body)
}

// credentials returns the users and passwords of a case's digest auths.
func (r *replay) credentials() [][2]string {
	var list [][2]string
	for up := range r.options.digests {
		list = append(list, up)
	}
	return list
}

// observe returns what was observed until now.
func (r *replay) observe() Observation {
	wire := []any{}
	for _, a := range r.network.arrivals() {
		wire = append(wire, arrivalTree(a, r.credentials()))
	}
	o := Observation{"wire": wire, "outcomes": append([]any{}, r.outcomes...)}
	if r.session != nil {
		o["cookies"] = jarTree(r.session.Cookies)
	}
	return o
}

// arrivalTree is a request on the wire.
func arrivalTree(a arrival, digests [][2]string) map[string]any {
	line, connect := a.head[0], a.method() == "CONNECT"
	if connect {
		line = strings.Replace(line, " HTTP/1.0", " HTTP/1.1", 1)
	}
	n := &normaliser{digests: digests, method: a.method(), body: a.body}
	fields := make([]field, 0, len(a.head))
	for _, text := range a.head[1:] {
		fields = append(fields, cutField(text))
	}
	n.fields(fields)
	head := []any{line}
	for _, f := range fields {
		if !connect || !strings.EqualFold(f.name, "Host") {
			head = append(head, f.name+f.between+f.value)
		}
	}
	tree := map[string]any{"origin": a.origin.key, "conn": num(a.conn), "head": head, "body": nil}
	if len(n.body) > 0 || a.chunked {
		tree["body"] = a.bodyTree(n)
	}
	if a.origin.suffix == "clientcert" {
		tree["client_cert"] = true
	}
	return tree
}

// cutField cuts a header line after the blanks that follow its colon.
func cutField(text string) field {
	name, rest, ok := strings.Cut(text, ":")
	if !ok {
		return field{name: text}
	}
	value := strings.TrimLeft(rest, " \t")
	return field{name, ":" + rest[:len(rest)-len(value)], value}
}

// bodyTree is a body on the wire, with its chunks.
func (m *message) bodyTree(n *normaliser) map[string]any {
	tree := n.tree()
	if m.chunked {
		sizes := []any{}
		for _, size := range m.chunks {
			sizes = append(sizes, num(size))
		}
		tree["chunked"], tree["chunks"] = true, sizes
	}
	return tree
}

// equalNumbers compares two JSON numbers by value.
func equalNumbers(a, b json.Number) bool {
	if a == b {
		return true
	}
	x, errX := a.Float64()
	y, errY := b.Float64()
	i, errI := a.Int64()
	j, errJ := b.Int64()
	if errI == nil && errJ == nil {
		return i == j
	}
	return errX == nil && errY == nil && x == y
}
