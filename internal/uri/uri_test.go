package uri

import (
	"net/url"
	"strings"
	"testing"
)

// hostHeader is what [URL.AppendHostHeader] appends.
func hostHeader(u *URL) string { return string(u.AppendHostHeader(nil)) }

// TestURLParts looks at each answer that a URL gives.
func TestURLParts(t *testing.T) {
	tests := []struct {
		raw                                         string
		host, header, proxied, dial, origin, target string
		absolute                                    string
	}{
		{
			"http://a.test", "a.test", "a.test", "a.test", "a.test:80", "http://a.test:80", "/",
			"http://a.test/",
		},
		{ // a default port is left out, but not from an absolute form
			"http://a.test:80/p?q=1#f", "a.test", "a.test", "a.test:80", "a.test:80", "http://a.test:80", "/p?q=1",
			"http://a.test:80/p?q=1",
		},
		{
			"https://A.test:443", "a.test", "a.test", "a.test:443", "a.test:443", "https://a.test:443", "/",
			"https://a.test:443/",
		},
		{ // the port of the other scheme is not the default
			"https://a.test:80/", "a.test", "a.test:80", "a.test:80", "a.test:80", "https://a.test:80", "/",
			"https://a.test:80/",
		},
		{ // user and password go nowhere
			"http://u:p@a.test:8080/x", "a.test", "a.test:8080", "a.test:8080", "a.test:8080", "http://a.test:8080", "/x",
			"http://a.test:8080/x",
		},
		{ // the root's dot is for the resolver
			"http://a.test./", "a.test.", "a.test", "a.test.", "a.test.:80", "http://a.test.:80", "/",
			"http://a.test./",
		},
		{
			"http://[2001:DB8::A]:81/", "2001:db8::a", "[2001:db8::a]:81", "[2001:db8::a]:81", "[2001:db8::a]:81", "http://[2001:db8::a]:81", "/",
			"http://[2001:db8::a]:81/",
		},
		{ // a zone is for the dialer alone
			"http://[fe80::1%ETH0]/a%20b", "fe80::1%ETH0", "[fe80::1]", "[fe80::1]", "[fe80::1%ETH0]:80", "http://[fe80::1%ETH0]:80", "/a%20b",
			"http://[fe80::1]/a%20b",
		},
		{
			"http://bücher.test?x", "xn--bcher-kva.test", "xn--bcher-kva.test", "xn--bcher-kva.test", "xn--bcher-kva.test:80", "http://xn--bcher-kva.test:80", "/?x",
			"http://xn--bcher-kva.test/?x",
		},
		{ // an escape in a name is no zone
			"http://a b.test/", "a%20b.test", "a%20b.test", "a%20b.test", "a%20b.test:80", "http://a%20b.test:80", "/",
			"http://a%20b.test/",
		},
		{ // escapes are undone before the host is read
			"http://%41%2etest/", "a.test", "a.test", "a.test", "a.test:80", "http://a.test:80", "/",
			"http://a.test/",
		},
		{
			"http://a.test//x//?#f", "a.test", "a.test", "a.test", "a.test:80", "http://a.test:80", "//x//",
			"http://a.test//x//",
		},
	}
	for _, test := range tests {
		u := prepared(t, test.raw)
		for _, row := range [][3]string{
			{"Host", u.Host, test.host},
			{"AppendHostHeader", hostHeader(&u), test.header},
			{"ProxyHostHeader", u.ProxyHostHeader(), test.proxied},
			{"DialAddr", u.DialAddr(), test.dial},
			{"Origin", u.Origin(), test.origin},
			{"Target", u.Target(), test.target},
			{"AbsoluteForm", u.AbsoluteForm(), test.absolute},
			{"String", u.String(), u.Text},
		} {
			if got, want := row[1], row[2]; got != want {
				t.Errorf("%s of %q:\n got %q\nwant %q", row[0], test.raw, got, want)
			}
		}
	}
}

// TestHostPort: the authority as the URL's parts have it, however it is written.
func TestHostPort(t *testing.T) {
	base := prepared(t, "http://base.test/")
	tests := map[string]string{
		"http://a.test/a.test:80":     "a.test",
		"http://a.test:80/":           "a.test:80",
		"http://a.test:0/":            "a.test",
		"http://a.test:/":             "a.test",
		"http://a.test:008/":          "a.test:8",
		"http://A.test:80":            "a.test:80",
		"http://u:p@a.test:80/":       "a.test:80",
		"http://u:p@a.test?x":         "a.test",
		"http://@a.test:80/":          "a.test:80",
		"http://a.test@a.test.b.test": "a.test.b.test",
		"http://[::1]/":               "[::1]",
		"http://[::A]:80/":            "[::a]:80",
		"http://[fe80::1%25En0]:80/":  "[fe80::1%En0]:80",
	}
	for text, want := range tests {
		u, err := Resolve(base, text) // which leaves the text as it is
		if got := u.HostPort(); err != nil || got != want {
			t.Errorf("%q: got %q, %v want %q", text, got, err, want)
		}
	}
}

func TestURLFields(t *testing.T) {
	got := prepared(t, "HTTPS://us er:p@A.test:08443/p/./q?x=é#f g")
	want := URL{
		Text:   "https://us%20er:p@a.test:8443/p/q?x=%C3%A9#f%20g",
		Scheme: "https", Userinfo: "us%20er:p", Host: "a.test", Port: "8443",
		Path: "/p/q", Query: "x=%C3%A9", Fragment: "f%20g", target: "/p/q?x=%C3%A9",
	}
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

// TestOpaque: the text stays, the components are known as far as they go.
func TestOpaque(t *testing.T) {
	got, err := Prepare("  FTP://u@A.b:21/c d?x", []Param{{"k", "v"}}, "z")
	want := URL{
		Text: "FTP://u@A.b:21/c d?x", Opaque: true, Scheme: "ftp", Userinfo: "u", Host: "a.b",
		Port: "21", Path: "/c d", Query: "x", target: "/c%20d?x",
	}
	if err != nil || got != want {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

func TestAuth(t *testing.T) {
	tests := []struct {
		raw, user, password string
		ok, proxy           bool
	}{
		{"http://a.test/", "", "", false, false},
		{"http://u@a.test/", "u", "", false, true},
		{"http://u:@a.test/", "u", "", true, true},
		{"http://:p@a.test/", "", "p", true, false},
		{"http://:@a.test/", "", "", false, false},
		{"http://u:p:q@a.test/", "u", "p:q", true, true},
		{"http://us%40er:p%3Aw+@a.test/", "us@er", "p:w+", true, true},
		{"http://user@host:pass@a.test/", "user@host", "pass", true, true},
		{"http://üser:p ä@a.test/", "üser", "p ä", true, true},
		{"http://u:100%@a.test/", "u", "100%", true, true},
		{"ftp://u:p@a.test:bad/", "u", "p", true, true},
	}
	for _, test := range tests {
		u := prepared(t, test.raw)
		user, password, ok := u.ProxyAuth()
		if ok != test.proxy || ok && (user != test.user || password != test.password) {
			t.Errorf("ProxyAuth of %q: got %q %q %v", test.raw, user, password, ok)
		}
		user, password, ok = u.Auth()
		if ok != test.ok || ok && (user != test.user || password != test.password) {
			t.Errorf("Auth of %q: got %q %q %v", test.raw, user, password, ok)
		}
	}
}

func TestCheckHost(t *testing.T) {
	long := strings.Repeat("a", 63)
	tests := map[string]bool{
		"http://a.test/":                  true,
		"http://a.test./":                 true,
		"http://a_b.-c/":                  true,
		"http://" + long + ".test/":       true,
		"http://a" + long + ".test/":      false,
		"http://a." + long + "a/":         false,
		"http://a..test/":                 false,
		"http://a.test../":                false,
		"http://[::1]/":                   true,
		"http://[fe80::1%25" + long + "]": true,
	}
	for raw, ok := range tests {
		u := prepared(t, raw)
		if got := outcome(URL{}, u.CheckHost()) == ""; got != ok {
			t.Errorf("%q: got %v want %v", raw, got, ok)
		}
	}
	if new(URL).CheckHost() == nil {
		t.Error("no host: got no error")
	}
}

// TestZeroURL: the zero value answers, and says nothing.
func TestZeroURL(t *testing.T) {
	var u URL
	if got, want := u.Target()+hostHeader(&u)+u.String(), "/"; got != want {
		t.Errorf("got %q want %q", got, want)
	}
	if _, _, ok := u.Auth(); ok {
		t.Error("the zero URL has a user")
	}
}

func TestParse(t *testing.T) {
	tests := []struct{ text, want, target string }{
		{"http://a.test", "http://a.test", "/"},
		{"HTTP://A.test/a/../b?", "HTTP://A.test/a/../b?", "/a/../b"},
		{"http://a.test/a b?é#[x]", "http://a.test/a%20b?%C3%A9#[x]", "/a%20b?%C3%A9"},
		{"http://a.test/%zz?[x]", "http://a.test/%zz?[x]", "/%25zz?%5Bx%5D"},
		{"http://a.test/%c3", "http://a.test/%c3", "/%C3"},
		{"http://a.test\\b/", "http://a.test%5Cb/", "/"},
		{"ftp://a.test/a b", "ftp://a.test/a b", "/a%20b"},
		{"a.test/x", "<MissingSchema>", ""},
		{"", "<MissingSchema>", ""},
		{"http://a.test/\r\nX: y", "<InvalidURL>", ""},
		{"ftp://a.test/\n", "<InvalidURL>", ""},
		{"http:///x", "<InvalidURL>", ""},
		{"http://a.test:x/", "<InvalidURL>", ""},
		{"http://[1.2.3.4]/", "<InvalidURL>", ""},
	}
	for _, test := range tests {
		u, err := Parse(test.text)
		if got := outcome(u, err); got != test.want {
			t.Errorf("%q: got %q want %q", test.text, got, test.want)
		} else if err == nil && u.Target() != test.target {
			t.Errorf("%q: target %q want %q", test.text, u.Target(), test.target)
		}
	}
}

func TestEncode(t *testing.T) {
	tests := []struct {
		params []Param
		want   string
	}{
		{nil, ""},
		{[]Param{{"a", "1"}}, "a=1"},
		{[]Param{{"b", "2"}, {"a", "1"}, {"b", ""}}, "b=2&a=1&b="},
		{[]Param{{"", "x"}, {"", ""}}, "=x&="},
		{[]Param{{"a b", "c+d%"}}, "a+b=c%2Bd%25"},
		{[]Param{{"", "~.-_*()'!@$,:/?[]"}}, "=~.-_%2A%28%29%27%21%40%24%2C%3A%2F%3F%5B%5D"},
		{[]Param{{"é", "x\xff\x00\r\n"}}, "%C3%A9=x%FF%00%0D%0A"},
	}
	for _, test := range tests {
		got := Encode(test.params)
		if got != test.want {
			t.Errorf("%q: got %q want %q", test.params, got, test.want)
		}
		if encodedLen(test.params) != len(got) {
			t.Errorf("%q: computed length %d, is %d", test.params, encodedLen(test.params), len(got))
		}
	}
	if got, want := string(AppendEncode([]byte("x?"), []Param{{"a", "b"}})), "x?a=b"; got != want {
		t.Errorf("got %q want %q", got, want)
	}
}

// TestQueriesTogether: both kinds of parameters, in their order.
func TestQueriesTogether(t *testing.T) {
	got := outcome(Prepare("http://a.test/?x#f", []Param{{"p", "q r"}}, "raw=1 2"))
	if want := "http://a.test/?x&raw=1%202&p=q+r#f"; got != want {
		t.Errorf("got %q want %q", got, want)
	}
}

func TestParseProxy(t *testing.T) {
	tests := []struct{ value, want string }{
		{"http://proxy.test:3128", "http://proxy.test:3128"},
		{"http://proxy.test:3128/", "http://proxy.test:3128/"},
		{"HTTPS://Proxy.Test", "https://proxy.test"},
		{"proxy.test:3128", "http://proxy.test:3128"},
		{"127.0.0.1:3128", "http://127.0.0.1:3128"},
		{"[::1]:80", "http://[::1]:80"},
		{"//p", "http://p"},
		{"p", "http://p"},
		{"proxy:3128", "http://proxy:3128"}, // where Requests fails (rule PRX-5)
		{"localhost:3128/", "http://localhost:3128/"},
		{"socks5h://U:p%40@Proxy:1080", "socks5h://U:p%40@proxy:1080"},
		{"http://u:p w@bücher.test", "http://u:p%20w@xn--bcher-kva.test"},
		{"foo://p", "foo://p"},
		{"u:p@proxy.test:3128", "<InvalidProxyURL>"},
		{"u:1@proxy.test:3128", "<InvalidProxyURL>"},
		{"http://:8080", "<InvalidProxyURL>"},
		{"https://", "<InvalidProxyURL>"},
		{"http:/x", "<InvalidProxyURL>"},
		{"http:///x", "<InvalidProxyURL>"},
		{"http:3128", "<InvalidProxyURL>"},
		{"/x", "<InvalidProxyURL>"},
		{"", "<InvalidProxyURL>"},
		{" http://p", "<InvalidProxyURL>"},
		{"http://p\r\nX: y", "<InvalidProxyURL>"},
		{"http://.", "<InvalidURL>"},
		{"http://p:99999", "<InvalidURL>"},
		{"http://p:x", "<InvalidURL>"},
		{"http://[::1", "<InvalidURL>"},
	}
	for _, test := range tests {
		if got := outcome(ParseProxy(test.value)); got != test.want {
			t.Errorf("%q: got %q want %q", test.value, got, test.want)
		}
	}
	for value, want := range map[string]string{"socks5://p": "p:1080", "https://p": "p:443", "p": "p:80"} {
		u, err := ParseProxy(value)
		if got := u.DialAddr(); err != nil || got != want || u.Opaque != strings.HasPrefix(value, "socks") {
			t.Errorf("%q: got %q %v, %v want %q", value, got, u.Opaque, err, want)
		}
	}
}

func TestResolveRefuses(t *testing.T) {
	base := prepared(t, "http://a.test/d/x")
	tests := map[string]string{
		"/\xe9":                                "<InvalidURL>", // Latin-1
		"/" + strings.Repeat("a", MaxLocation): "<InvalidURL>",
		strings.Repeat(" ", MaxLocation/2) + "?" + strings.Repeat(" ", MaxLocation/2-1): "<InvalidURL>",
		"http://u[@b.test/":         "<InvalidURL>",
		"http://[fe80::1%25a%0ab]/": "<InvalidURL>",
		"mailto:x@y":                "mailto:x@y",
		"data:,\x01":                "data:,%01",
	}
	for location, want := range tests {
		if got := outcome(Resolve(base, location)); got != want {
			t.Errorf("%.40q: got %.80q want %q", location, got, want)
		}
	}
}

// TestResolveEmptyAuthority: slashes behind an empty authority name a host, as
// they do to Python's urlsplit and to browsers.
func TestResolveEmptyAuthority(t *testing.T) {
	base := prepared(t, "http://a.test/d/x")
	tests := map[string]string{
		"///y":              "http://a.test/y",
		"////b.test/y":      "http://b.test/y",
		"/////b.test/y":     "http://a.test/b.test/y",
		"http:////b.test/y": "http://b.test/y",
		"https:////b.test":  "https://b.test",
		"////":              "http://a.test/d/x",
	}
	for location, want := range tests {
		if got := outcome(Resolve(base, location)); got != want {
			t.Errorf("%q: got %q want %q", location, got, want)
		}
	}
}

// TestResolveKeepsHost: what a password holds never becomes a host, before or
// after a redirect.
func TestResolveKeepsHost(t *testing.T) {
	u := prepared(t, "http://u:p%40ss%2Fw%3Ard%23@a.test/x")
	for range 3 {
		_, password, _ := u.Auth()
		if got, want := u.DialAddr()+" "+password, "a.test:80 p@ss/w:rd#"; got != want {
			t.Fatalf("got %q want %q", got, want)
		}
		next, err := Resolve(u, "y/../z")
		if err != nil {
			t.Fatal(err)
		}
		u = next
	}
	if want := "http://u:p%40ss%2Fw%3Ard%23@a.test/z"; u.Text != want {
		t.Errorf("got %q want %q", u.Text, want)
	}
}

// TestHostConfusion: what looks like two hosts is refused, or is the one that
// the text shows.
func TestHostConfusion(t *testing.T) {
	tests := map[string]string{
		`http://a.test\@b.test/`:     "a.test",
		"http://a.test#@b.test/":     "a.test",
		"http://a.test?@b.test/":     "a.test",
		"http://a.test/@b.test/":     "a.test",
		"http://a.test%2F@b.test/":   "b.test",
		"http://a.test%23@b.test/":   "b.test",
		"http://a@b.test@c.test/":    "c.test",
		"http://[::1]evil.test/":     "",
		"http://[::1]@evil.test/":    "evil.test",
		"http://[a.test]/":           "",
		"http://[1.2.3.4]/":          "",
		"http://a.test:80@b.test/":   "b.test",
		"http://a.test:80:81/":       "",
		"http://①②⑦.⓪.⓪.①/":          "",
		"http://ⓔxample.test/":       "",
		"http://ex\u00adample.test/": "",
		"http://a.test\x00.b.test/":  "a.test%00.b.test",
		"http://a.test\t.b.test/":    "a.test%09.b.test",
	}
	for raw, want := range tests {
		u, err := Prepare(raw, nil, "")
		if err != nil && want != "" || u.Host != want {
			t.Errorf("%q: got %q, %v want %q", raw, u.Host, err, want)
			continue
		}
		if seen, err := url.Parse(u.Text); err == nil && seen.Hostname() != want {
			t.Errorf("%q: net/url sees %q in %q, want %q", raw, seen.Hostname(), u.Text, want)
		}
	}
}

// TestInternationalHosts: the labels are those of the reference's IDNA 2008,
// and what it refuses is refused.
func TestInternationalHosts(t *testing.T) {
	const refused = ""
	tests := map[string]string{
		// Lower case that hangs on what stands around the letter.
		"\u0130": "xn--i-9bb",
		"\u03a3": "xn--4xa", "\u03b1\u03a3": "xn--mxa8a", "\u03b1\u03a3\u03b1": "xn--mxaa7c", "\u03a3a": "xn--a-zmb",
		"a-\u03a3": "xn--a--wbc", "\u03b1-\u03a3": "xn----ylb9c", "1\u03a3": "xn--1-0mb",
		"\u03b1\u0327\u03a3": "xn--ota9ywb", "\u03b1\u03a3\u0327": "xn--ota9yvb", "\u03b1\u03a3\u0327\u03b1": "xn--ota9yb4e",
		"\u03b1\u03a31": "xn--1-ylb5c", "\u03b1\u0345\u03a3": refused, "\u03b1'\u03a3": refused,
		// Exceptions of RFC 5892, section 2.6.
		"\u06fd": "xn--qmb", "\u06fe": "xn--rmb", "\u0f0b": "xn--nbd", "\u3007": "xn--w6j", "\u0640": refused, "\u06e9": refused,
		// Digits of one set, where digits may stand at all.
		"\u06f0": "xn--dmb", "\u0628\u0661": "xn--ngb8i", "\u0628\u06f1": "xn--ngb61b",
		"\u0660": refused, "a\u0661": refused, "\u0628\u06f1\u0661": refused, "\u0628\u0661\u06f1": refused,
		// Characters with a context, RFC 5892, appendix A.
		"l\u00b7l": "xn--ll-0ea", "\u00fc\u00b7\u00fc": refused,
		"\u0375\u03b1": "xn--wva4j", "\u0375a": refused, "\u05d0\u05f3": "xn--4db4e", "\u00fc\u05f3": refused,
		"\u30a2\u30fb": "xn--cckzj", "\u00fc\u30fb": refused,
		// A label of 63 bytes is the longest.
		strings.Repeat("ü", 57):          "xn--td" + strings.Repeat("a", 57),
		strings.Repeat("ü", 58):          refused,
		strings.Repeat("\U00020000", 64): refused,
	}
	for label, want := range tests {
		if want != refused {
			want = "http://" + want + ".test/"
		} else {
			want = "<InvalidURL>"
		}
		if got := outcome(Prepare("http://"+label+".test/", nil, "")); got != want {
			t.Errorf("%+q: got %q want %q", label, got, want)
		}
	}

	// So is a name of 253 bytes, although each label of a longer one would do.
	for end, ok := range map[string]bool{"abc": true, "abcd": false} {
		host := strings.Repeat("xü.", 25) + end // xn--x-xha is 9 bytes
		_, err := Prepare("http://"+host+"/", nil, "")
		if (err == nil) != ok {
			t.Errorf("%q: got %v", end, err)
		}
	}
}

// TestHostsOfOtherSchemes: those that merely begin with http keep what they
// have, if it can be a host.
func TestHostsOfOtherSchemes(t *testing.T) {
	long := strings.Repeat("ü", 57)
	tests := map[string]string{
		"http+unix://%2Ftmp%2FX.sock/p":                    "http+unix://%2Ftmp%2FX.sock/p",
		"httpx://[2001:DB8::1]:80/":                        "httpx://[2001:db8::1]:80/",
		"httpx://[a.test]/":                                "<InvalidURL>",
		"httpx://a%zz/":                                    "<InvalidURL>",
		"httpx://\u2460.ü/":                                "httpx://1.xn--tda/",
		"httpx://xn--a.ü/":                                 "<InvalidURL>", // an A-label of nothing
		"httpx://\u00fc\u2260.test/":                       "<InvalidURL>",
		"httpx://" + strings.Repeat(long+".", 3) + "test/": "httpx://" + strings.Repeat("xn--td"+strings.Repeat("a", 57)+".", 3) + "test/",
		"httpx://" + strings.Repeat(long+".", 4) + "test/": "<InvalidURL>",
		"httpx://" + strings.Repeat("ü.", 1<<10) + "test/": "<InvalidURL>",
	}
	for raw, want := range tests {
		if got := outcome(Prepare(raw, nil, "")); got != want {
			t.Errorf("%q: got %q want %q", raw, got, want)
		}
	}
}

func TestPrepareAllocs(t *testing.T) {
	raw := "https://api.example.test:8443/v1/items?sort=name&q=a%20b#top"
	params := []Param{{"page", "2"}, {"q", "a b"}}
	var u URL
	got := testing.AllocsPerRun(100, func() { u, _ = Prepare(raw, nil, "") })
	if got != 0 || u.Text != raw || u.Target() != "/v1/items?sort=name&q=a%20b" {
		t.Errorf("plain: %v allocations, %+v", got, u)
	}
	if got := testing.AllocsPerRun(100, func() { _ = u.Target() }); got != 0 {
		t.Errorf("target: %v allocations", got)
	}
	if got := testing.AllocsPerRun(100, func() { u, _ = Prepare(raw, params, "") }); got > 2 {
		t.Errorf("with parameters: %v allocations", got)
	}
}

func BenchmarkPrepare(b *testing.B) {
	for name, raw := range map[string]string{
		"plain":   "https://api.example.test/v1/items?sort=name",
		"rewrite": "https://API.example.test/v1/./items?sort=na me",
		"idna":    "https://bücher.example/",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Prepare(raw, nil, ""); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkResolve(b *testing.B) {
	base, _ := Prepare("https://api.example.test/v1/items?sort=name", nil, "")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Resolve(base, "../v2/items"); err != nil {
			b.Fatal(err)
		}
	}
}

// In a tunnel a trailing dot stays; all else is as outside of one.
func TestAppendTunnelHostHeader(t *testing.T) {
	for raw, want := range map[string]string{
		"https://a.test./":             "a.test.",
		"https://a.test/":              "a.test",
		"https://a.test.:8443/":        "a.test.:8443",
		"https://a.test:443/":          "a.test",
		"https://[fe80::1%25lo]:8443/": "[fe80::1]:8443",
	} {
		u := prepared(t, raw)
		if got := string(u.AppendTunnelHostHeader([]byte("x "))); got != "x "+want {
			t.Errorf("%q: got %q want %q", raw, got, "x "+want)
		}
	}
}
