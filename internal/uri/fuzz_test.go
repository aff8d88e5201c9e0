package uri

import (
	"net/url"
	"strings"
	"testing"
)

// printableASCII reports whether s could stand in a request line.
func printableASCII(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || 0x7f <= s[i] {
			return false
		}
	}
	return true
}

// checkURL fails if u contradicts itself or net/url.
func checkURL(t *testing.T, u URL) {
	t.Helper()
	for _, s := range []string{u.Text, u.Host, u.Target(), hostHeader(&u), u.AbsoluteForm(), u.DialAddr()} {
		if !printableASCII(s) || s == "" {
			t.Fatalf("%q has %q", u.Text, s)
		}
	}
	if strings.ContainsAny(u.Target(), "#") || u.Target()[0] != '/' {
		t.Fatalf("%q has the target %q", u.Text, u.Target())
	}
	if strings.ContainsAny(hostHeader(&u), "@/?#") {
		t.Fatalf("%q has the host %q", u.Text, hostHeader(&u))
	}
	// net/url knows fewer names than we do, and undoes the escapes in them.
	seen, err := url.Parse(u.Text)
	if err != nil {
		return
	}
	host := u.Host
	if !strings.Contains(host, ":") {
		host = unescape(host)
	}
	if !strings.EqualFold(seen.Hostname(), host) {
		t.Fatalf("%q: the host is %q, net/url sees %q", u.Text, host, seen.Hostname())
	}
	if got := strings.TrimLeft(seen.Port(), "0"); got != u.Port {
		t.Fatalf("%q: the port is %q, net/url sees %q", u.Text, u.Port, got)
	}
}

func seedURLs(f *testing.F) {
	for _, r := range load(f, "prepare.json") {
		f.Add(r.URL)
	}
}

// FuzzPrepare: a prepared URL is printable, has the host that net/url sees, and
// is what preparing it again gives.
func FuzzPrepare(f *testing.F) {
	seedURLs(f)
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := Prepare(raw, nil, "")
		if err != nil || u.Opaque {
			return
		}
		checkURL(t, u)
		if !isHTTP(u.Scheme) {
			return // requoting, all that others get, can make a new escape out of half of one
		}
		again, err := Prepare(u.Text, nil, "")
		// The reference writes the escapes in a host as they come, and
		// folds their case when it meets them again.
		if err != nil || again.Text != u.Text && (!strings.EqualFold(again.Text, u.Text) || again.Host != u.Host) {
			t.Fatalf("%q became %q, then %q, %v", raw, u.Text, again.Text, err)
		}
		if again.Text == u.Text {
			return
		}
		if again.Path != u.Path || again.Query != u.Query || again.Fragment != u.Fragment || again.Userinfo != u.Userinfo {
			t.Fatalf("%q became %q, then %q", raw, u.Text, again.Text)
		}
	})
}

// FuzzCanonical: the short way gives what the long one gives, with parameters
// and without.
func FuzzCanonical(f *testing.F) {
	seedURLs(f)
	f.Add("http://a.test:8080/p?q=1#f")
	f.Add("https://a.test/?#")
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := canonical(text)
		if !ok {
			return
		}
		long := func(text string) URL {
			p, err := normalize(text, settle)
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			u, err := checked(p.text())
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			return u
		}
		if want := long(text); got != want {
			t.Fatalf("%q:\n got %+v\nwant %+v", text, got, want)
		}
		params := []Param{{"a", "b c"}, {"é", text}}
		got.addParams(params)
		p, _ := normalize(text, settle)
		p.query = joinQuery(p.query, Encode(params))
		if want, _ := checked(p.text()); got != want {
			t.Fatalf("%q with params:\n got %+v\nwant %+v", text, got, want)
		}
	})
}

// FuzzParse: what can be parsed is fit for the wire, and parses to itself.
func FuzzParse(f *testing.F) {
	seedURLs(f)
	f.Fuzz(func(t *testing.T, text string) {
		u, err := Parse(text)
		if err != nil || u.Opaque {
			return
		}
		checkURL(t, u)
		if again, err := Parse(u.Text); err != nil || again != u {
			t.Fatalf("%q became %+v, then %+v, %v", text, u, again, err)
		}
		if u.Target() != target(t, "http://a.test"+u.Target()) {
			t.Fatalf("%q: escaping %q is not final", text, u.Target())
		}
	})
}

func target(t *testing.T, text string) string {
	u, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u.Target()
}

// FuzzResolve: a target is fit for the wire, and one without a host of its own
// stays where it came from.
func FuzzResolve(f *testing.F) {
	f.Add("/p?q=1")
	f.Add("https://b.test/p?q=1#f")
	for _, r := range load(f, "resolve.json") {
		f.Add(r.Location)
	}
	base, err := Prepare("http://u:p@a.test:8080/d/e?f#g", nil, "")
	if err != nil {
		f.Fatal(err)
	}
	plain, err := Prepare("http://a.test:8080/d/e?f", nil, "")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, location string) {
		u, err := Resolve(base, location)
		if short, ok := resolvePlain(&plain, location); ok {
			if long, err := resolve(plain, location); err != nil || short != long {
				t.Fatalf("%q:\n got %+v\nwant %+v, %v", location, short, long, err)
			}
		}
		if err != nil {
			return
		}
		if !printableASCII(u.Text) || len(u.Text) > MaxLocation {
			t.Fatalf("%q became %q", location, u.Text)
		}
		if u.Opaque {
			return
		}
		checkURL(t, u)
		if !strings.Contains(location, "//") && !strings.ContainsAny(location, "\t\r\n") && u.Origin() != base.Origin() {
			t.Fatalf("%q left the host: %q", location, u.Text)
		}
	})
}

// FuzzEncode: net/url reads the parameters that were written.
func FuzzEncode(f *testing.F) {
	f.Add("a", "b c", "é", "\xff&=%")
	f.Add("", "", ";", "+")
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2 string) {
		text := Encode([]Param{{name1, value1}, {name2, value2}})
		got, err := url.ParseQuery(text)
		want := url.Values{}
		want.Add(name1, value1)
		want.Add(name2, value2)
		if err != nil || got.Encode() != want.Encode() || !printableASCII(text) {
			t.Fatalf("%q: got %q want %q, %v", text, got, want, err)
		}
		u, err := Prepare("http://a.test/", []Param{{name1, value1}, {name2, value2}}, "")
		if err != nil || u.Query != text {
			t.Fatalf("the query is %q, want %q, %v", u.Query, text, err)
		}
	})
}

// FuzzParseProxy: what is accepted names a host, and is accepted again.
func FuzzParseProxy(f *testing.F) {
	for _, s := range []string{"proxy:3128", "u:p@h:1", "socks5h://u:p@[::1]:1080", "//p", "p?", "é:1", "a.b\\c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		u, err := ParseProxy(value)
		if err != nil {
			return
		}
		if u.Host == "" || !printableASCII(u.Text) {
			t.Fatalf("%q became %+v", value, u)
		}
		again, err := ParseProxy(u.Text)
		if err != nil || !strings.EqualFold(again.Text, u.Text) || again.Host != u.Host {
			t.Fatalf("%q became %q, then %q, %v", value, u.Text, again.Text, err)
		}
	})
}

// FuzzRedact: nothing that a parser takes for user or password is left.
func FuzzRedact(f *testing.F) {
	seedURLs(f)
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []func() (URL, error){
			func() (URL, error) { return Parse(text) },
			func() (URL, error) { return Prepare(text, nil, "") },
		} {
			u, err := parse()
			if err != nil || u.Opaque || u.Userinfo == "" {
				continue
			}
			got, err := Parse(Redact(u.Text))
			if err != nil || got.Userinfo != "***" || got.Host != u.Host {
				t.Fatalf("%q: redacted %q, %v", u.Text, Redact(u.Text), err)
			}
		}
	})
}
