package netrc

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// parseTests are files and the entries that Python's netrc module (3.11) finds
// in them; nil where it raises an error.
var parseTests = []struct {
	in   string
	want map[string]Entry
}{
	{"", map[string]Entry{}},
	{"machine a login l password p", map[string]Entry{"a": {"l", "", "p"}}},
	{"machine a\n\tlogin l\n\taccount c\n\tpassword p\n", map[string]Entry{"a": {"l", "c", "p"}}},
	{"default login d password p\nmachine a login x password y\n", map[string]Entry{"default": {"d", "", "p"}, "a": {"x", "", "y"}}},
	{"machine a login one password p machine a login two", map[string]Entry{"a": {"two", "", ""}}},
	{"machine a password \"p q\"", map[string]Entry{"a": {"", "", "p q"}}},
	{"machine a password \"p\\\"q\" login l", map[string]Entry{"a": {"l", "", "p\"q"}}},
	{"machine a password p\\ q login l", map[string]Entry{"a": {"l", "", "p q"}}},
	{"machine a password \"\" login l", map[string]Entry{"a": {"l", "", ""}}},
	{"machine a login \"l\"password p", map[string]Entry{"a": {"l", "", "p"}}},
	{"machine a password pa#ss login l", map[string]Entry{"a": {"l", "", "pa#ss"}}},
	{"# hello there\nmachine a login l", map[string]Entry{"a": {"l", "", ""}}},
	{"#hello\nmachine a login l", map[string]Entry{"a": {"l", "", ""}}},
	{"#hello there\nmachine a login l", nil},
	{"# one x\n# two y\nmachine a login l", map[string]Entry{"a": {"l", "", ""}}},
	{"#\n# two y\nmachine a login l", map[string]Entry{"a": {"l", "", ""}}},
	{"# one x\n\n# two y\nmachine a login l", nil},
	{"macdef m\nx\n\n# note here\nmachine a login l", map[string]Entry{"a": {"l", "", ""}}},
	{"macdef m\nx\n\n\n# note here\nmachine a login l", nil},
	{"machine a login l # note here\npassword p", map[string]Entry{"a": {"l", "", "p"}}},
	{"machine a login l\n# note here\npassword p", map[string]Entry{"a": {"l", "", "p"}}},
	{"machine a login l\n\n# note here\npassword p", nil},
	{"machine a login l #note here\npassword p", map[string]Entry{"a": {"l", "", "p"}}},
	{"macdef init\nmachine b login x\n\nmachine a login l", map[string]Entry{"a": {"l", "", ""}}},
	{"macdef init\nmachine b login x", nil},
	{"macdef init\n cd /\n", nil},
	{"machine a login l macdef m\nx\n\npassword p", nil},
	{"machine", nil},
	{"machine a login", map[string]Entry{"a": {"", "", ""}}},
	{"machine a", map[string]Entry{"a": {"", "", ""}}},
	{"machine a bogus x", nil},
	{"bogus", nil},
	{"machine a user u password p", map[string]Entry{"a": {"u", "", "p"}}},
	{"machine A login l", map[string]Entry{"A": {"l", "", ""}}},
	{"machine default login l password p", map[string]Entry{"default": {"l", "", "p"}}},
	{"machine \"a\" login l", map[string]Entry{"a": {"l", "", ""}}},
	{"\"\" machine a login l", map[string]Entry{}},
	{"machine a login l \"\" bogus", map[string]Entry{"a": {"l", "", ""}}},
	{"machine a password \"open", map[string]Entry{"a": {"", "", "open"}}},
	{"machine a password end\\", map[string]Entry{"a": {"", "", "end"}}},
	{"machine a\r\n  login l\r\n  password p\r\n", map[string]Entry{"a": {"l", "", "p"}}},
	{"machine a\rlogin l\r", map[string]Entry{"a": {"l", "", ""}}},
	{"machine a login l\fpassword p", nil},
	{"machine a account c", map[string]Entry{"a": {"", "c", ""}}},
	{"default", map[string]Entry{"default": {"", "", ""}}},
	{"machine a login l password p\u00e4", map[string]Entry{"a": {"l", "", "p\u00e4"}}},
	{"\ufeffmachine a login l", nil},
	{"machine a login l login m", map[string]Entry{"a": {"m", "", ""}}},
	{"machine a login machine password default", map[string]Entry{"a": {"machine", "", "default"}}},
	{"machine a login l\\\npassword p", nil},
	{"machine a\u0000 login l", map[string]Entry{"a\u0000": {"l", "", ""}}},
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tt := range parseTests {
		f, err := Parse(tt.in)
		if tt.want == nil {
			assert.ErrorAs(t, err, new(*Error), "%q", tt.in)
			continue
		}
		require.NoError(t, err, "%q", tt.in)
		assert.Equal(t, tt.want, f.entries, "%q", tt.in)
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	const file = "machine a.test login na password pa\nmachine b.test:80 login b\nmachine C.test login c\nmachine e.test\n"
	for _, tt := range []struct {
		file, host string
		want       Entry
	}{
		{file, "a.test", Entry{Login: "na", Password: "pa"}},
		{file, "A.TEST", Entry{Login: "na", Password: "pa"}},
		{file, "b.test", Entry{}},
		{file, "c.test", Entry{}},
		{file, "C.test", Entry{}},
		{file, "x.a.test", Entry{}},
		{file, "", Entry{}},
		{file + "default login d", "x.test", Entry{Login: "d"}},
		{file + "default login d password dp", "a.test", Entry{Login: "na", Password: "pa"}},
		{file + "default login d password dp", "e.test", Entry{}},
		{file + "default", "x.test", Entry{}},
		{"machine b.test login b\nmachine a.test password p\n", "b.test", Entry{Login: "b"}},
	} {
		f, err := Parse(tt.file)
		require.NoError(t, err)
		got, ok := f.Lookup(tt.host)
		assert.Equal(t, tt.want, got, "%q in %q", tt.host, tt.file)
		assert.Equal(t, tt.want != Entry{}, ok)
	}
	_, ok := new(File).Lookup("a.test")
	assert.False(t, ok)
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		line int
		want error
		text string
	}{
		{"machine a login l\nsecret x", 2, ErrSyntax, "netrc: line 2: unexpected word"},
		{"machine a\n\nlogin l\nsecret\tx", 4, ErrSyntax, "netrc: line 4: unexpected word"},
		{"secret x", 1, ErrSyntax, "netrc: line 1: unexpected word"},
		{"machine", 1, ErrSyntax, "netrc: line 1: unexpected word"},
		{"macdef m\nsecret\nsecret\n", 4, ErrMacro, "netrc: line 4: macro without an end"},
		{"macdef m\nx\n\n\nsecret x", 5, ErrSyntax, "netrc: line 5: unexpected word"},
		{"machine a password secret\xff", 0, ErrEncoding, "netrc: not UTF-8"},
		{strings.Repeat(" ", MaxSize) + "x", 0, ErrTooLarge, "netrc: file too large"},
	} {
		f, err := Parse(tt.in)
		assert.Nil(t, f)
		var e *Error
		require.ErrorAs(t, err, &e)
		assert.ErrorIs(t, err, tt.want)
		assert.Equal(t, tt.line, e.Line, "%.40q", tt.in)
		assert.EqualError(t, err, tt.text)
	}
	_, err := Parse(strings.Repeat(" ", MaxSize))
	assert.NoError(t, err)
}

func TestLong(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]error{
		"x": ErrSyntax, "\\": ErrSyntax, "\x00": ErrSyntax,
		`"`: nil, "\n": nil, "#": nil, "# \n": nil, "machine a ": nil, "macdef m\n\n": nil, "\r": nil,
	} {
		_, err := Parse(strings.Repeat(s, MaxSize/len(s)))
		assert.ErrorIs(t, err, want, "%q", s)
	}
}

// FuzzParse: entries that are written with all in quotes are read again, and no
// error says more than where it is.
func FuzzParse(f *testing.F) {
	for _, tt := range parseTests {
		f.Add(tt.in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		file, err := Parse(in)
		if err != nil {
			var e *Error
			require.ErrorAs(t, err, &e)
			require.LessOrEqual(t, e.Line, strings.Count(in, "\n")+strings.Count(in, "\r")+1)
			return
		}
		quote := func(s string) string {
			return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
		}
		var b strings.Builder
		for name, e := range file.entries {
			b.WriteString("machine " + quote(name) + " login " + quote(e.Login) +
				" account " + quote(e.Account) + " password " + quote(e.Password) + "\n")
		}
		if b.Len() > MaxSize {
			return
		}
		again, err := Parse(b.String())
		require.NoError(t, err)
		require.Equal(t, file.entries, again.entries)
	})
}
