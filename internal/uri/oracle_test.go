package uri

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// The files in testdata/uri hold what Requests 2.34 with urllib3 2.7 made of
// odd input. A record has either a result or the name of the exception.
type record struct {
	Name, URL, Raw, Base, Location, Text string
	Params                               [][2]string
	Want, Target, Host, Absolute, Error  string
}

// load reads the records of one file.
func load(t testing.TB, name string) []record {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "testdata", "uri", name))
	if err != nil {
		t.Fatal(err)
	}
	var records []record
	if err := json.Unmarshal(data, &records); err != nil || len(records) == 0 {
		t.Fatalf("%s: %d records, %v", name, len(records), err)
	}
	return records
}

// outcome is the text of u, or the kind of err in angle brackets.
func outcome(u URL, err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return "<" + e.Kind.String() + ">"
	}
	return u.Text
}

// expected is what the reference did, in the form of [outcome].
func (r record) expected() string {
	if r.Error != "" {
		return "<" + r.Error + ">"
	}
	return r.Want
}

func (r record) params() []Param {
	var params []Param
	for _, p := range r.Params {
		params = append(params, Param{p[0], p[1]})
	}
	return params
}

// prepared is [Prepare] for a URL that has to be good.
func prepared(t testing.TB, raw string) URL {
	t.Helper()
	u, err := Prepare(raw, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// check compares one outcome with the recorded one, or with what deviations
// says that we do instead. Deviations that have become matches are failures too.
func check(t *testing.T, what, got, want string, deviations map[string]string) {
	t.Helper()
	if ours, ok := deviations[what]; ok {
		if ours == want {
			t.Errorf("%q is listed as a deviation, but as recorded", what)
		}
		want = ours
	}
	if got != want {
		t.Errorf("%q:\n got %q\nwant %q", what, got, want)
	}
}

func TestPrepareRecorded(t *testing.T) {
	deviations := map[string]string{
		// Escaped dots are dots (RFC 3986 section 6.2.2.3; rule URL-12).
		"http://a.test/%2e/x":      "http://a.test/x",
		"http://a.test/%2e%2e/x":   "http://a.test/x",
		"http://a.test/a/%2E%2e/x": "http://a.test/x",
		"http://a.test/a/.%2e/x":   "http://a.test/x",
		"http://a.test/a/%2e":      "http://a.test/a/",
		"http://%2e%2e/":           "<InvalidURL>",
		"http://[fe80::1%25]/":     "<InvalidURL>", // a zone id is not empty (RFC 6874)
		"http://a.test:80\n/":      "<InvalidURL>", // no line end is dropped in silence
		"http://[::1]\n/":          "<InvalidURL>",
		"\x00http://a.test":        "<InvalidURL>", // nor left in a verbatim URL
	}
	for _, r := range load(t, "prepare.json") {
		got := outcome(Prepare(r.URL, nil, ""))
		check(t, r.URL, got, r.expected(), deviations)
	}
}

func TestParamsRecorded(t *testing.T) {
	for _, r := range load(t, "params.json") {
		got := outcome(Prepare(r.URL, r.params(), r.Raw))
		if want := r.expected(); got != want {
			t.Errorf("%q %q %q:\n got %q\nwant %q", r.URL, r.Raw, r.Params, got, want)
		}
	}
}

// A lone "%" of the params leaves escaped dots dots (rule URL-12): it has nothing
// taken literally.
func TestParamsLeaveDots(t *testing.T) {
	for _, raw := range []string{"a=%", "a=%;", "a=1", "a=%7e"} {
		u, err := Prepare("http://a.test/a/%2e%2e/b", nil, raw)
		if err != nil || u.Path != "/b" {
			t.Errorf("%q: path %q, %v", raw, u.Path, err)
		}
	}
}

func TestResolveRecorded(t *testing.T) {
	// In a path that is no more than a segment with a parameter, Python
	// takes the dots for a dot segment, RFC 3986 does not.
	deviations := map[string]string{
		"http://a.test/a/b?q=1 ..;x":      "http://a.test/a/..;x",
		"http://a.test/a/b?q=1 .;x":       "http://a.test/a/.;x",
		"http://a.test/d/x?o=1#frag ..;x": "http://a.test/d/..;x#frag",
		"http://a.test/d/x?o=1#frag .;x":  "http://a.test/d/.;x#frag",
		"http://u:p@a.test:8080/ ..;x":    "http://u:p@a.test:8080/..;x",
		"http://u:p@a.test:8080/ .;x":     "http://u:p@a.test:8080/.;x",
		"http://a.test//d//e/f ..;x":      "http://a.test/d/e/..;x",
		"http://a.test//d//e/f .;x":       "http://a.test/d/e/.;x",
		"https://[::1]:8443/x/y/?z ..;x":  "https://[::1]:8443/x/y/..;x",
		"https://[::1]:8443/x/y/?z .;x":   "https://[::1]:8443/x/y/.;x",
	}
	for _, r := range load(t, "resolve.json") {
		u, err := Resolve(prepared(t, r.Base), r.Location)
		got, want := outcome(u, err), r.expected()
		if u.Opaque {
			got = "<InvalidSchema>" // which is for the caller to say
		}
		if want == "<ValueError>" {
			want = "<InvalidURL>" // Requests lets the bare error through
		}
		what := r.Base + " " + r.Location
		check(t, what, got, want, deviations)
		if got == r.Want && u.Target() != r.Target {
			t.Errorf("%q: target %q want %q", what, u.Target(), r.Target)
		}
	}
}

// The semicolon of no parameters goes where Python knows of some in a scheme.
func TestEmptyParamsByScheme(t *testing.T) {
	for location, want := range map[string]string{
		"ftp://b.test/x;": "ftp://b.test/x", "gopher://b.test/x;": "gopher://b.test/x;", "mailto:x;": "mailto:x;", "HTTPS://b.test/x;": "https://b.test/x",
	} {
		if u, err := Resolve(prepared(t, "http://a.test/"), location); err != nil || u.Text != want {
			t.Errorf("%q: got %q, %v, want %q", location, u.Text, err, want)
		}
	}
}

func TestRequoteRecorded(t *testing.T) {
	deviations := map[string]string{
		"%٣٣": "%25%D9%A3%D9%A3", // only ASCII digits are hex digits
	}
	for _, r := range load(t, "requote.json") {
		check(t, r.Text, Requote(r.Text), r.Want, deviations)
	}
}

// TestExchangesRecorded replays whole exchanges: the URL that a response shows,
// and the target and Host field that went on the wire for it, directly or
// through a proxy.
func TestExchangesRecorded(t *testing.T) {
	for _, r := range load(t, "exchanges.json") {
		var u URL
		var err error
		if r.Base != "" {
			u, err = Resolve(prepared(t, r.Base), r.Location)
		} else {
			u, err = Prepare(r.URL, r.params(), r.Raw)
		}
		if r.Absolute != "" {
			check(t, r.Name, u.AbsoluteForm()+" "+u.ProxyHostHeader(), r.Absolute+" "+r.Host, nil)
			continue
		}
		check(t, r.Name, outcome(u, err), r.expected(), nil)
		if r.Target != "" {
			check(t, r.Name, u.Target()+" "+hostHeader(&u), r.Target+" "+r.Host, nil)
		}
	}
}
