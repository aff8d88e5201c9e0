package digest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// challengeTests are fields and what they say; they seed the fuzz target too.
var challengeTests = []struct {
	name   string
	fields []string
	want   []Challenge
}{
	{"nothing", nil, nil},
	{"empty lines", []string{"", " ", ",", " , ,"}, nil},
	{"scheme alone", []string{"Negotiate"}, []Challenge{{Scheme: "Negotiate"}}},
	{"token68", []string{"Negotiate YII-._~+/=="}, []Challenge{{Scheme: "Negotiate", Token68: "YII-._~+/=="}}},
	{"token68 with one equals sign", []string{"NTLM TlRMTVNTUAA="}, []Challenge{{Scheme: "NTLM", Token68: "TlRMTVNTUAA="}}},
	{"one parameter", []string{`Basic realm="a b"`}, []Challenge{{Scheme: "Basic", Params: []Param{{"realm", "a b"}}}}},
	{"escapes", []string{`Basic realm="a\"b\\c\d, e"`}, []Challenge{{Scheme: "Basic", Params: []Param{{"realm", `a"b\cd, e`}}}}},
	{"blanks around", []string{"\tBasic   realm \t=  \"r\" ,\t charset = UTF-8 "}, []Challenge{
		{Scheme: "Basic", Params: []Param{{"realm", "r"}, {"charset", "UTF-8"}}},
	}},
	{"empty elements", []string{`, ,Digest ,, realm="r",,nonce="n", ,`}, []Challenge{
		{Scheme: "Digest", Params: []Param{{"realm", "r"}, {"nonce", "n"}}},
	}},
	{"several in a line", []string{`Newauth realm="apps", type=1, title="Login to \"apps\"", Basic realm="simple"`}, []Challenge{
		{Scheme: "Newauth", Params: []Param{{"realm", "apps"}, {"type", "1"}, {"title", `Login to "apps"`}}},
		{Scheme: "Basic", Params: []Param{{"realm", "simple"}}},
	}},
	{"schemes without parameters between", []string{`Negotiate, NTLM, Digest realm="r", Basic`}, []Challenge{
		{Scheme: "Negotiate"},
		{Scheme: "NTLM"},
		{Scheme: "Digest", Params: []Param{{"realm", "r"}}},
		{Scheme: "Basic"},
	}},
	{"going on in the next line", []string{`Digest realm="r"`, `nonce="n"`, `Basic realm="b"`}, []Challenge{
		{Scheme: "Digest", Params: []Param{{"realm", "r"}, {"nonce", "n"}}},
		{Scheme: "Basic", Params: []Param{{"realm", "b"}}},
	}},
	{"value that is no token", []string{`Digest realm=my realm, nonce=a/b==`}, []Challenge{
		{Scheme: "Digest", Params: []Param{{"realm", "my realm"}, {"nonce", "a/b=="}}},
	}},
	{"repeated", []string{`D a=1, A=2`}, []Challenge{{Scheme: "D", Params: []Param{{"a", "1"}, {"A", "2"}}}}},
	{"parameter before any scheme", []string{`realm="r", Basic`}, []Challenge{{Scheme: "Basic"}}},
	{"open quote", []string{`Digest realm="r, Basic realm="x`, "Basic"}, []Challenge{{Scheme: "Digest"}, {Scheme: "Basic"}}},
	{"open quote after an escape", []string{`Digest realm="r\"`}, []Challenge{{Scheme: "Digest"}}},
	{"open quote at an escape", []string{`Digest realm="r\`}, []Challenge{{Scheme: "Digest"}}},
	{"lone quote", []string{`Digest realm="`}, []Challenge{{Scheme: "Digest"}}},
	{"text after a quoted string", []string{`Digest realm="r"x, a="\b"x, nonce="n"`}, []Challenge{{Scheme: "Digest", Params: []Param{{"nonce", "n"}}}}},
	{"no token", []string{`Dig@st realm="r", @, Basic`}, []Challenge{{Scheme: "Basic"}}},
	{"neither token68 nor parameter", []string{`Digest a b, c=d`}, []Challenge{{Scheme: "Digest", Params: []Param{{"c", "d"}}}}},
}

func TestParseChallenges(t *testing.T) {
	for _, tt := range challengeTests {
		t.Run(tt.name, func(t *testing.T) {
			got := ParseChallenges(tt.fields)
			assert.Equal(t, tt.want, got)
		})
	}
}

// The bytes of tokens (RFC 9110, section 5.6.2), and those that stand for
// themselves in an extended value (RFC 8187, section 3.2.1).
func TestBytesOfTokens(t *testing.T) {
	const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for i := range 256 {
		c := string([]byte{byte(i)})
		token, _ := cutToken(c)
		assert.Equal(t, strings.Contains("!#$%&'*+-.^_`|~"+alphanumeric, c), token == c, "token of %q", c)
		want := fmt.Sprintf("%%%02X", i)
		if strings.Contains("!#$&+-.^_`|~"+alphanumeric, c) {
			want = c
		}
		assert.Equal(t, want, percentEncode(c))
	}
}

func TestParseChallengesKeepsABoundedNumber(t *testing.T) {
	many := strings.Repeat("Basic, ", 500) + `Digest realm="evil"`
	got := ParseChallenges([]string{`Digest realm="r"`, many})
	assert.Len(t, got, maxChallenges)
	assert.Equal(t, Challenge{Scheme: "Basic"}, got[maxChallenges-1], "a parameter of a dropped challenge got in")

	got = ParseChallenges([]string{"Digest a=1" + strings.Repeat(", b=2", 500)})
	assert.Len(t, got[0].Params, maxParams)
}

// A hostile field of 128 KiB takes a few thousandths of a second. The limit is wide,
// for slow machines and the race detector; anything quadratic is well beyond it.
func TestParseChallengesIsLinear(t *testing.T) {
	testserver.Timed(t)
	for name, field := range map[string]string{
		"empty elements":  "Basic" + strings.Repeat(", ", 1<<16),
		"schemes":         strings.Repeat("a,", 1<<16),
		"parameters":      "Digest " + strings.Repeat("a=b,", 1<<15),
		"open quotes":     strings.Repeat(`Digest a="`, 6000),
		"quotes":          strings.Repeat(`"`, 1<<17),
		"escapes":         `Digest a="` + strings.Repeat(`\`, 1<<17),
		"blanks":          strings.Repeat("a ", 1<<16),
		"equals signs":    "Digest " + strings.Repeat("=", 1<<17),
		"one long value":  `Digest realm="` + strings.Repeat("r", 1<<17) + `", nonce="n"`,
		"one long scheme": strings.Repeat("r", 1<<17),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			cs := ParseChallenges([]string{field})
			Select(cs)
			assert.Less(t, time.Since(start), time.Second)
			assert.LessOrEqual(t, len(cs), maxChallenges)
		})
	}
}

// format writes a challenge as it stands in a field.
func format(c Challenge) string {
	var elements []string
	if c.Token68 != "" {
		elements = append(elements, c.Token68)
	}
	for _, p := range c.Params {
		elements = append(elements, p.Name+"="+quote(p.Value))
	}
	return strings.TrimSuffix(c.Scheme+" "+strings.Join(elements, ", "), " ")
}

// What was parsed, formatted and parsed again is the same, one challenge a line
// or all in one.
func FuzzParseChallenges(f *testing.F) {
	for _, tt := range challengeTests {
		f.Add(strings.Join(tt.fields, "\n"))
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := ParseChallenges(strings.Split(s, "\n"))
		var lines []string
		for _, c := range want {
			lines = append(lines, format(c))
		}
		if got := ParseChallenges(lines); fmt.Sprint(got) != fmt.Sprint(want) || len(got) != len(want) {
			t.Errorf("by line: got %q, want %q", got, want)
		}
		got := ParseChallenges([]string{strings.Join(lines, ", ")})
		assert.Equal(t, want, got)
	})
}
