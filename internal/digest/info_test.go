package digest

import (
	"errors"
	"hash"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestParseInfo(t *testing.T) {
	tests := []struct {
		name   string
		fields []string
		want   Info
	}{
		{"nothing", nil, Info{}},
		{"all", []string{`nextnonce="n2", qop=auth, rspauth="ab", cnonce="c", nc=0000000a`}, Info{"n2", "auth", "c", 10, "ab"}},
		{"two lines", []string{`NextNonce=n2`, `, rspauth="ab"`}, Info{NextNonce: "n2", RspAuth: "ab"}},
		{"bad count", []string{`nc=1, rspauth="ab"x`}, Info{}},
		{"count out of range", []string{`nc=100000000`}, Info{}},
		{"no number", []string{`nc=xxxxxxxx`}, Info{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ParseInfo(tt.fields)
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestVerifyInfo(t *testing.T) {
	const proof, proofInt = "94a30a572b95129175895b3795625ba3", "ffab0fb3345aa96ec24ae9b6fce0d5f1"
	tests := []struct {
		name string
		info Info
		want error
	}{
		{"right", Info{RspAuth: proof, QOP: Auth, Cnonce: "cn", Count: 1}, nil},
		{"right in capitals", Info{RspAuth: "94A30A572B95129175895B3795625BA3"}, nil},
		{"right for the body", Info{RspAuth: proofInt, QOP: "AUTH-INT"}, nil},
		{"nothing", Info{}, ErrVerify},
		{"wrong", Info{RspAuth: proofInt}, ErrVerify},
		{"cut short", Info{RspAuth: proof[:31]}, ErrVerify},
		{"for another cnonce", Info{RspAuth: proof, Cnonce: "other"}, ErrVerify},
		{"for another request", Info{RspAuth: proof, Count: 2}, ErrVerify},
		{"of unknown quality", Info{RspAuth: proof, QOP: "token"}, ErrVerify},
	}
	p := Params{Realm: "r", Nonce: "n1", QOP: Auth}
	user := Credentials{"user", "pass"}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := p.VerifyInfo(tt.info, user, "/p?q=1", 1, "cn", bodyOf("body"))
			assert.ErrorIs(t, got, tt.want)
		})
	}

	gone := errors.New("gone")
	failing := func(func() hash.Hash) ([]byte, error) { return nil, gone }
	assert.ErrorIs(t, p.VerifyInfo(Info{QOP: AuthInt}, user, "/p?q=1", 1, "cn", failing), gone)
	assert.ErrorIs(t, Params{Algorithm: "FOO"}.VerifyInfo(Info{}, user, "/", 1, "cn", nil), ErrUnsupported)
}

// A parsed field says the same when it is written in the one canonical way.
func FuzzParseInfo(f *testing.F) {
	f.Add(`nextnonce="n2", qop=auth, rspauth="ab", cnonce="c", nc=0000000a`)
	f.Add(`rspauth="a\"b`)
	f.Fuzz(func(t *testing.T, s string) {
		want := ParseInfo([]string{s})
		got := ParseInfo([]string{
			"nextnonce=" + quote(want.NextNonce), "qop=" + quote(want.QOP), "cnonce=" + quote(want.Cnonce),
			"rspauth=" + quote(want.RspAuth),
		})
		got.Count = want.Count
		assert.Equal(t, want, got)
	})
}
