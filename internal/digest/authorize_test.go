package digest

import (
	"errors"
	"hash"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// bodyOf hashes a text.
func bodyOf(s string) BodyHash {
	return func(newHash func() hash.Hash) ([]byte, error) {
		h := newHash()
		_, err := io.WriteString(h, s)
		return h.Sum(nil), err
	}
}

// The examples of the standards, responses included.
func TestAuthorizeKnownAnswers(t *testing.T) {
	tests := []struct {
		name        string
		challenge   string
		user, pass  string
		uri, cnonce string
		want        string
	}{
		{
			name: "RFC 7616 3.9.1 MD5",
			challenge: `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5, ` +
				`nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`,
			user: "Mufasa", pass: "Circle of Life", uri: "/dir/index.html", cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
			want: `Digest username="Mufasa", realm="http-auth@example.org", nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", ` +
				`uri="/dir/index.html", response="8ca523f5e9506fed4657c9700eebdbec", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", ` +
				`algorithm="MD5", qop="auth", nc=00000001, cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"`,
		},
		{
			name: "RFC 7616 3.9.1 SHA-256",
			challenge: `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, ` +
				`nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`,
			user: "Mufasa", pass: "Circle of Life", uri: "/dir/index.html", cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
			want: `Digest username="Mufasa", realm="http-auth@example.org", nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", ` +
				`uri="/dir/index.html", response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1", ` +
				`opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", ` +
				`algorithm="SHA-256", qop="auth", nc=00000001, cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"`,
		},
		{
			// As corrected by erratum 4897: the text itself uses a draft of SHA-512/256.
			name: "RFC 7616 3.9.2 SHA-512-256 with userhash",
			challenge: `Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", ` +
				`opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", charset=UTF-8, userhash=true`,
			user: "J\u00e4s\u00f8n Doe", pass: "Secret, or not?", uri: "/doe.json", cnonce: "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
			want: `Digest username="793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b", realm="api@example.org", ` +
				`nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", uri="/doe.json", ` +
				`response="3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5", opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", ` +
				`algorithm="SHA-512-256", qop="auth", nc=00000001, cnonce="NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v", userhash=true`,
		},
		{
			name: "RFC 2617 3.5",
			challenge: `Digest realm="testrealm@host.com", qop="auth,auth-int", ` +
				`nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"`,
			user: "Mufasa", pass: "Circle Of Life", uri: "/dir/index.html", cnonce: "0a4f113b",
			want: `Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", ` +
				`uri="/dir/index.html", response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41", ` +
				`qop="auth", nc=00000001, cnonce="0a4f113b"`,
		},
		{
			name:      "RFC 2069 2.4, as corrected by erratum 749",
			challenge: `Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"`,
			user:      "Mufasa", pass: "CircleOfLife", uri: "/dir/index.html", cnonce: "unused",
			want: `Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", ` +
				`uri="/dir/index.html", response="1949323746fe6a43ef61f9606e7febea", opaque="5ccc069c403ebaf9f0171e9517f40e41"`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := selectOne(t, tt.challenge)
			got, err := p.Authorize(Credentials{tt.user, tt.pass}, "GET", tt.uri, 1, tt.cnonce, nil)
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

// Responses computed with another implementation of the hashes.
func TestAuthorizeResponses(t *testing.T) {
	const sha512int = "1511fda9ed26533694be98594237fe044613b70258e75297d6ae3bb232ec0b287b2b54419c8ed5bcdb97cffbe9cb8014040c1ffac3f08823d9469ef9f8939c73"
	const sha512sess = "15083e8ed55d86c68db8799e377b537c62bb357457bc23f41c0a6c411b904cd22795f85f18ccf53bb798c1ecb8d3a75d1bcd840673bc3b6b29fa337dde55fc4d"
	tests := []struct{ algorithm, qop, want string }{
		{"MD5", "", "0c7ef5ba5f0e7c26a7f95032efabfba3"},
		{"MD5", Auth, "98ab20058a5d4277800dc84d933cdbf4"},
		{"md5", AuthInt, "9008806ea8bc88e0996a0ab6f8a0cb2a"},
		{"MD5-sess", Auth, "25428f1b55c47e681f3d98c54cf32f81"},
		{"SHA", Auth, "b55b75984c82e73a2b2e49427e8e6ce4c0120b9b"},
		{"SHA", AuthInt, "c120e456f46ecd8f5c1d86bd1ebd53b1063f2891"},
		{"SHA-sess", Auth, "d2858396b634e95be527ef354bea481dd54ae27d"},
		{"SHA-256", "", "7444273f22a01585c3de534dbf72593d649bc8d048e1817e4fa475a84e06e1e1"},
		{"SHA-256", AuthInt, "757fe48f63c4daa0bcb23bcf8160c2925fc9f700771194f2c4b7ad9f7e88872e"},
		{"SHA-256-sess", Auth, "a10be7f438923c2e8291a3c3b06d5dad11831d8ceb9770b1f4476568f1871660"},
		{"SHA-512", AuthInt, sha512int},
		{"SHA-512-sess", Auth, sha512sess},
		{"SHA-512-256", Auth, "dd836e3bb4757a55c5b2816290dad7685eb9720668d59c51dace5cda138267b2"},
		{"SHA-512-256", AuthInt, "852539e55b319a876ebf9a4d717aaf599ff635a672647b4a414ade9ebbf3ec4e"},
		{"SHA-512-256-sess", Auth, "797ad0ac814f4372f577810648a913de877b1edcff907c0eb200eaf0c2c52bce"},
	}
	for _, tt := range tests {
		t.Run(tt.algorithm+" "+tt.qop, func(t *testing.T) {
			p := Params{Realm: "r", Nonce: "n1", Algorithm: tt.algorithm, QOP: tt.qop}
			got, err := p.Authorize(Credentials{"user", "pass"}, "POST", "/p?q=1", 1, "cn", bodyOf("body"))
			require.NoError(t, err)
			want := `Digest username="user", realm="r", nonce="n1", uri="/p?q=1", response="` + tt.want + `", algorithm="` + tt.algorithm + `"`
			if tt.qop != "" {
				want += `, qop="` + tt.qop + `", nc=00000001, cnonce="cn"`
			}
			assert.Equal(t, want, got)
		})
	}
}

// What the header looks like, for challenges of many forms, but for the response.
func TestAuthorizeForm(t *testing.T) {
	const tail = `, qop="auth", nc=00000001, cnonce="c"`
	tests := []struct{ name, challenge, user, uri, want string }{
		{"no qop", `Digest realm="r", nonce="n1"`, "user", "/p?q=1", `username="user", realm="r", nonce="n1", uri="/p?q=1", response="R"`},
		{"quoted algorithm", `Digest realm="r", nonce="n1", qop="auth", algorithm="MD5"`, "user", "/p", `username="user", realm="r", nonce="n1", uri="/p", response="R", algorithm="MD5"` + tail},
		{"algorithm's spelling", `Digest realm="r", nonce="n1", qop="auth", algorithm=md5-SESS`, "user", "/p", `username="user", realm="r", nonce="n1", uri="/p", response="R", algorithm="md5-SESS"` + tail},
		{"algorithm without qop", `Digest realm="r", nonce="n1", algorithm=SHA-256`, "user", "/p", `username="user", realm="r", nonce="n1", uri="/p", response="R", algorithm="SHA-256"`},
		{"session without qop", `Digest realm="r", nonce="n1", algorithm=MD5-sess`, "user", "/p", `username="user", realm="r", nonce="n1", uri="/p", response="R", algorithm="MD5-sess", cnonce="c"`},
		{"unquoted qop", `Digest realm="r", nonce="n1", qop=auth`, "user", "/p", `username="user", realm="r", nonce="n1", uri="/p", response="R"` + tail},
		{"empty opaque", `Digest realm="r", nonce="n1", qop="auth", opaque=""`, "user", "/p", `username="user", realm="r", nonce="n1", uri="/p", response="R"` + tail},
		{"opaque", `Digest realm="r", nonce="n1", qop="auth", opaque="o=/"`, "user", "/p", `username="user", realm="r", nonce="n1", uri="/p", response="R", opaque="o=/"` + tail},
		{"comma in the realm", `Digest realm="r, s", nonce="n1", qop="auth"`, "user", "/p", `username="user", realm="r, s", nonce="n1", uri="/p", response="R"` + tail},
		{"empty realm", `Digest realm="", nonce="n1", qop="auth"`, "user", "/p", `username="user", realm="", nonce="n1", uri="/p", response="R"` + tail},
		{"quotes in the realm", `Digest realm="a \"b\" \\c", nonce="n\"1", qop="auth", opaque="\\"`, "user", "/p", `username="user", realm="a \"b\" \\c", nonce="n\"1", uri="/p", response="R", opaque="\\"` + tail},
		{"tab in the realm", "Digest realm=\"a\tb\", nonce=\"n1\"", "user", "/p", "username=\"user\", realm=\"a\tb\", nonce=\"n1\", uri=\"/p\", response=\"R\""},
		{"user with a domain", `Digest realm="r", nonce="n1", qop="auth"`, `dom\us"er`, "/p", `username="dom\\us\"er", realm="r", nonce="n1", uri="/p", response="R"` + tail},
		{"path parameters", `Digest realm="r", nonce="n1", qop="auth"`, "user", "/p;x=1?q", `username="user", realm="r", nonce="n1", uri="/p;x=1?q", response="R"` + tail},
		{"user in ISO-8859-1", `Digest realm="r", nonce="n1", qop="auth"`, "\u00fcser", "/", "username=\"\xfcser\", realm=\"r\", nonce=\"n1\", uri=\"/\", response=\"R\"" + tail},
		{"user beyond ISO-8859-1", `Digest realm="r", nonce="n1", qop="auth"`, "\u0142 b", "/", `username*=UTF-8''%C5%82%20b, realm="r", nonce="n1", uri="/", response="R"` + tail},
		{"user with a C1 control", `Digest realm="r", nonce="n1", qop="auth"`, "\u0085", "/", `username*=UTF-8''%C2%85, realm="r", nonce="n1", uri="/", response="R"` + tail},
		{"user where UTF-8 is wanted", `Digest realm="r", nonce="n1", qop="auth", charset=UTF-8`, "u\u0308ser", "/", `username*=UTF-8''%C3%BCser, realm="r", nonce="n1", uri="/", response="R"` + tail},
		{"plain user where UTF-8 is wanted", `Digest realm="r", nonce="n1", qop="auth", charset=UTF-8`, "user", "/", `username="user", realm="r", nonce="n1", uri="/", response="R"` + tail},
		{"user in no UTF-8", `Digest realm="r", nonce="n1", qop="auth", charset=UTF-8`, "\xfc", "/", "username=\"\xfc\", realm=\"r\", nonce=\"n1\", uri=\"/\", response=\"R\"" + tail},
		{"realm in ISO-8859-1", "Digest realm=\"\xe9\", nonce=\"n1\"", "user", "/", "username=\"user\", realm=\"\xe9\", nonce=\"n1\", uri=\"/\", response=\"R\""},
	}
	response := regexp.MustCompile(`response="[0-9a-f]{32,}"`)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := selectOne(t, tt.challenge)
			got, err := p.Authorize(Credentials{tt.user, "pass"}, "GET", tt.uri, 1, "c", nil)
			require.NoError(t, err)
			assert.Equal(t, "Digest "+tt.want, response.ReplaceAllString(got, `response="R"`))
		})
	}
}

// The hash is made of UTF-8 even where the header holds one byte a character.
func TestAuthorizeHashesUTF8(t *testing.T) {
	p := Params{Realm: "r", Nonce: "n1", QOP: Auth}
	got, err := p.Authorize(Credentials{"\u00fcser", "p\u00e4ss"}, "GET", "/", 1, "cn", nil)
	require.NoError(t, err)
	assert.Contains(t, got, `response="9cec291a693c3e58152dcc369fcbf887"`)

	composed, decomposed := Credentials{"\u00fcser", "p\u00e4ss"}, Credentials{"u\u0308ser", "pa\u0308ss"}
	p.UTF8 = true
	want, err := p.Authorize(composed, "GET", "/", 1, "cn", nil)
	require.NoError(t, err)
	got, err = p.Authorize(decomposed, "GET", "/", 1, "cn", nil)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	assert.Contains(t, got, `response="9cec291a693c3e58152dcc369fcbf887"`)

	for _, realm := range []string{"\u00e9", "\xe9"} {
		p := Params{Realm: realm, Nonce: "n1"}
		got, err := p.Authorize(Credentials{"user", "pass"}, "POST", "/p?q=1", 1, "cn", nil)
		require.NoError(t, err)
		assert.Contains(t, got, `response="9aec13031be1a43e58b40bd81d0eb7e3"`)
	}
}

func TestAuthorizeCount(t *testing.T) {
	for nc, want := range map[uint32]string{1: "nc=00000001", 255: "nc=000000ff", 1<<32 - 1: "nc=ffffffff"} {
		got, err := Params{QOP: Auth}.Authorize(Credentials{}, "GET", "/", nc, "c", nil)
		require.NoError(t, err)
		assert.Contains(t, got, want)
	}
}

func TestAuthorizeBody(t *testing.T) {
	p := Params{Realm: "r", Nonce: "n1", QOP: AuthInt}
	user := Credentials{"user", "pass"}
	got, err := p.Authorize(user, "POST", "/p?q=1", 1, "cn", nil)
	require.NoError(t, err)
	assert.Contains(t, got, `response="7ac7c9d57192b950683b8fec312102d5"`, "no body hashes as an empty one")

	gone := errors.New("gone")
	failing := func(func() hash.Hash) ([]byte, error) { return nil, gone }
	_, err = p.Authorize(user, "POST", "/p?q=1", 1, "cn", failing)
	assert.ErrorIs(t, err, gone)

	p.QOP = Auth
	_, err = p.Authorize(user, "POST", "/p?q=1", 1, "cn", failing)
	assert.NoError(t, err, "the body must not be read for auth")
}

func TestAuthorizeRefuses(t *testing.T) {
	for _, bad := range []string{"\r", "\n", "\x00", "\x1f", "\x7f", "a\r\nX-Evil: 1"} {
		tests := []struct {
			field       string
			p           Params
			user        string
			uri, cnonce string
		}{
			{"username", Params{}, bad, "/", "c"},
			{"username", Params{Userhash: true}, bad, "/", "c"},
			{"realm", Params{Realm: bad}, "u", "/", "c"},
			{"nonce", Params{Nonce: bad}, "u", "/", "c"},
			{"opaque", Params{Opaque: bad}, "u", "/", "c"},
			{"uri", Params{}, "u", bad, "c"},
			{"cnonce", Params{}, "u", "/", bad},
		}
		for _, tt := range tests {
			got, err := tt.p.Authorize(Credentials{Username: tt.user}, "GET", tt.uri, 1, tt.cnonce, nil)
			var fe *FieldError
			require.ErrorAs(t, err, &fe)
			assert.Equal(t, tt.field, fe.Field)
			assert.Empty(t, got)
		}
	}
	for _, p := range []Params{{Algorithm: "FOO"}, {QOP: "token"}} {
		_, err := p.Authorize(Credentials{}, "GET", "/", 1, "c", nil)
		assert.ErrorIs(t, err, ErrUnsupported)
	}
}

func TestAuthorizeLongValues(t *testing.T) {
	p := Params{Realm: strings.Repeat(`"`, 1<<20), Nonce: "n"}
	got, err := p.Authorize(Credentials{"u", "p"}, "GET", "/", 1, "c", nil)
	require.NoError(t, err)
	cs := ParseChallenges([]string{got})
	require.Len(t, cs, 1)
	realm, _ := cs[0].Param("realm")
	assert.Equal(t, p.Realm, realm)
}

// Whatever the server sends and the user is called, an answer reads back as the
// values that went in, and no control character gets out.
func FuzzAuthorize(f *testing.F) {
	for _, tt := range challengeTests {
		f.Add(strings.Join(tt.fields, ", "), "user", "pass", "/p?q=1", "c")
	}
	f.Add(`Digest realm="r", nonce="n", qop=auth-int, opaque=o, userhash=true`, "\u00fc", "p", "/", "c")
	f.Add(`Digest realm="r", nonce="n", charset=UTF-8, algorithm=SHA-256-sess`, "u\u0308", "p", "/", "c")
	f.Add(`Digest realm="\"\\", nonce="`+"\x01"+`"`, `"\`, "", "", "")
	f.Fuzz(func(t *testing.T, field, user, pass, uri, cnonce string) {
		p, ok := Select(ParseChallenges([]string{field}))
		if !ok {
			return
		}
		got, err := p.Authorize(Credentials{user, pass}, "GET", uri, 1, cnonce, nil)
		if err != nil {
			var fe *FieldError
			require.ErrorAs(t, err, &fe)
			return
		}
		require.NotRegexp(t, "[\x00-\x08\x0a-\x1f\x7f]", got)
		cs := ParseChallenges([]string{got})
		require.Len(t, cs, 1, got)
		for name, want := range map[string]string{
			"realm": p.Realm, "nonce": p.Nonce, "opaque": p.Opaque, "algorithm": p.Algorithm, "qop": p.QOP, "uri": uri,
		} {
			value, _ := cs[0].Param(name)
			assert.Equal(t, want, value, name)
		}
		if name, ok := cs[0].Param("username"); ok && !p.Userhash && isASCII(user) {
			assert.Equal(t, user, name)
		}
	})
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 0x7e }) < 0
}

// BenchmarkAuthorize answers a challenge that is known already, as each
// request after the first does.
func BenchmarkAuthorize(b *testing.B) {
	for _, algorithm := range []string{"MD5", "SHA-256", "SHA-256-sess"} {
		b.Run(algorithm, func(b *testing.B) {
			p, ok := Select(ParseChallenges([]string{
				`Digest realm="r", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", qop="auth", algorithm=` + algorithm,
			}))
			if !ok {
				b.Fatal("no challenge that can be answered")
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Authorize(Credentials{"user", "pass"}, "GET", "/path?query", 1, "cn", nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkParseChallenges reads the challenges that a server with two
// algorithms makes.
func BenchmarkParseChallenges(b *testing.B) {
	fields := []string{
		`Digest realm="r", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", qop="auth, auth-int", algorithm=SHA-256, opaque="o"`,
		`Digest realm="r", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", qop="auth", algorithm=MD5, opaque="o", Basic realm="r"`,
	}
	b.ReportAllocs()
	for b.Loop() {
		if len(ParseChallenges(fields)) != 3 {
			b.Fatal("not all challenges")
		}
	}
}
