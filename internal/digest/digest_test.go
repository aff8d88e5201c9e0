package digest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// selectOne parses and selects, as a caller does.
func selectOne(t *testing.T, fields ...string) Params {
	t.Helper()
	p, ok := Select(ParseChallenges(fields))
	require.True(t, ok, "no usable challenge in %q", fields)
	return p
}

func TestSelectParams(t *testing.T) {
	tests := []struct {
		field string
		want  Params
	}{
		{`Digest realm="r", nonce="n"`, Params{Realm: "r", Nonce: "n"}},
		{`digest REALM="r", Nonce=n`, Params{Realm: "r", Nonce: "n"}},
		{`Digest realm="", nonce=""`, Params{}},
		{`Digest realm="a\"b\\c, d", nonce="bjE=+/=="`, Params{Realm: `a"b\c, d`, Nonce: "bjE=+/=="}},
		{`Digest realm="r", nonce="n", opaque="", algorithm="md5"`, Params{Realm: "r", Nonce: "n", Algorithm: "md5"}},
		{`Digest realm="r", nonce="n", opaque=o, qop=auth`, Params{Realm: "r", Nonce: "n", Opaque: "o", QOP: Auth}},
		{`Digest realm="r", nonce="n", stale=TRUE`, Params{Realm: "r", Nonce: "n", Stale: true}},
		{`Digest realm="r", nonce="n", stale="false"`, Params{Realm: "r", Nonce: "n"}},
		{`Digest realm="r", nonce="n", userhash=true, charset=utf-8`, Params{Realm: "r", Nonce: "n", Userhash: true, UTF8: true}},
		{`Digest realm="r", nonce="n", charset=latin-1`, Params{Realm: "r", Nonce: "n"}},
		{`Digest realm="x", realm="r", nonce="n"`, Params{Realm: "r", Nonce: "n"}},
	}
	for _, tt := range tests {
		t.Run(tt.field, func(t *testing.T) {
			got, ok := Select(ParseChallenges([]string{tt.field}))
			assert.True(t, ok)
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestSelectQOP(t *testing.T) {
	tests := []struct {
		list, want string
		usable     bool
	}{
		{``, "", true},
		{`,`, "", true},
		{`auth`, Auth, true},
		{`AUTH`, Auth, true},
		{`auth-int`, AuthInt, true},
		{`auth,auth-int`, Auth, true},
		{`auth-int,auth`, Auth, true},
		{`auth-int, auth`, Auth, true},
		{" auth-int ,\tauth ", Auth, true},
		{`token, auth-int`, AuthInt, true},
		{`token`, "", false},
		{`authx`, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.list, func(t *testing.T) {
			field := fmt.Sprintf(`Digest realm="r", nonce="n", qop="%s"`, tt.list)
			got, ok := Select(ParseChallenges([]string{field}))
			assert.Equal(t, tt.usable, ok)
			assert.Equal(t, tt.want, got.QOP)
		})
	}
}

func TestSelectRefuses(t *testing.T) {
	for _, field := range []string{
		``,
		`Basic realm="r"`,
		`Basic realm="r", nonce="n"`,
		`Digest`,
		`Digest realm="r"`,
		`Digest nonce="n"`,
		`Digest realm="r", nonce="n", algorithm=FOO`,
		`Digest realm="r", nonce="n", algorithm=""`,
		`Digest realm="r", nonce="n", algorithm=-sess`,
		`Digest realm="r", nonce="n", algorithm=token`,
		"Digest realm=\"r\", nonce=\"n\", algorithm=\u017fha",
		`Digest realm="r, nonce="n"`,
		`Digest realm="r"x, nonce="n"`,
	} {
		got, ok := Select(ParseChallenges([]string{field}))
		assert.False(t, ok, field)
		assert.Zero(t, got, field)
	}
}

// Every algorithm beats those after it, in either order, in one line or two.
func TestSelectStrongest(t *testing.T) {
	names := []string{"SHA-512-256", "SHA-256", "SHA-512", "SHA", "MD5"}
	for i, strong := range names {
		for _, weak := range names[i+1:] {
			for _, strong := range []string{strong, strong + "-sess", strings.ToLower(strong)} {
				a := fmt.Sprintf(`Digest realm="r", nonce="strong", qop="auth-int", algorithm=%s`, strong)
				b := fmt.Sprintf(`Digest realm="r", nonce="weak", qop="auth", algorithm=%s`, weak)
				const basic = `Basic realm="b"`
				for _, fields := range [][]string{
					{a, b, basic},
					{b, basic, a},
					{basic + ", " + b + ", " + a},
					{a + "," + basic + "," + b},
				} {
					got := selectOne(t, fields...)
					assert.Equal(t, strong, got.Algorithm)
					assert.Equal(t, "strong", got.Nonce, "the parameters of another challenge got in")
				}
			}
		}
	}
}

func TestSelectAmongEquals(t *testing.T) {
	const (
		none  = `Digest realm="none", nonce="n"`
		integ = `Digest realm="int", nonce="n", qop="auth-int"`
		auth  = `Digest realm="auth", nonce="n", qop="auth"`
		sess  = `Digest realm="sess", nonce="n", qop="auth", algorithm=MD5-sess`
		bad   = `Digest realm="bad", nonce="n", algorithm=SHA-1024`
	)
	assert.Equal(t, "auth", selectOne(t, bad, none, integ, auth).Realm)
	assert.Equal(t, "auth", selectOne(t, auth, integ, none, bad).Realm)
	assert.Equal(t, "int", selectOne(t, none, integ).Realm)
	assert.Equal(t, "auth", selectOne(t, auth, sess).Realm)
	assert.Equal(t, "sess", selectOne(t, sess, auth).Realm)
}

func TestSession(t *testing.T) {
	for name, want := range map[string]bool{
		"": false, "MD5": false, "MD5-sess": true, "md5-SESS": true, "SHA-256-sess": true, "SHA-256": false, "x-sess": false,
	} {
		assert.Equal(t, want, Params{Algorithm: name}.Session(), name)
	}
}

func TestCredentialsPrintNothing(t *testing.T) {
	c := Credentials{Username: "alice", Password: "s3cret"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		got := fmt.Sprintf(verb, c)
		assert.Equal(t, "{redacted}", got, verb)
	}
}

func TestFieldErrorNamesTheFieldAlone(t *testing.T) {
	_, err := Params{Realm: "secret\r\nX: 1"}.Authorize(Credentials{}, "GET", "/", 1, "c", nil)
	var fe *FieldError
	require.True(t, errors.As(err, &fe))
	assert.Equal(t, "realm", fe.Field)
	assert.Equal(t, "digest: control character in realm", err.Error())
}
