package requests

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// withEnviron gives a session an environment of its own, and has it count.
func withEnviron(s *Session, variables map[string]string) {
	s.IgnoreEnv = false
	s.env.lookup = func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	}
	s.env.environ = func() []string {
		var all []string
		for name, value := range variables {
			all = append(all, name+"="+value)
		}
		return all
	}
}

// withNetrc gives a session a netrc file.
func withNetrc(t *testing.T, s *Session, text string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "netrc")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	withEnviron(s, map[string]string{"NETRC": path})
}

func TestNetrcFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	named := write("named", "machine a.test login named password p")
	write("both/.netrc", "machine a.test login dot password p")
	write("both/_netrc", "machine a.test login under password p")
	write("under/_netrc", "machine a.test login under password p")
	write("other/.netrc", "machine b.test login dot password p")
	write("other/_netrc", "machine a.test login under password p")
	large := write("large", "machine a.test login x password y\n")
	require.NoError(t, os.Truncate(large, maxNetrc+1))
	broken := write("broken", "machine a.test login x bogus")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "empty"), 0o700))
	tests := []struct {
		name string
		env  map[string]string
		want string
	}{
		{"named", map[string]string{"NETRC": named, homeVariable: filepath.Join(dir, "both")}, "named"},
		{"named and not there", map[string]string{"NETRC": named + "x", homeVariable: filepath.Join(dir, "both")}, ""},
		{"named and empty", map[string]string{"NETRC": "", homeVariable: filepath.Join(dir, "both")}, ""},
		{"dot before underscore", map[string]string{homeVariable: filepath.Join(dir, "both")}, "dot"},
		{"underscore", map[string]string{homeVariable: filepath.Join(dir, "under")}, "under"},
		{"first file counts alone", map[string]string{homeVariable: filepath.Join(dir, "other")}, ""},
		{"none", map[string]string{homeVariable: filepath.Join(dir, "empty")}, ""},
		{"no home", nil, ""},
		{"directory", map[string]string{"NETRC": dir}, ""},
		{"below a file", map[string]string{"NETRC": filepath.Join(named, "netrc")}, ""},
		{"home that is a file", map[string]string{homeVariable: named}, ""},
		{"too large", map[string]string{"NETRC": large}, ""},
		{"broken", map[string]string{"NETRC": broken}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := new(Session)
			withEnviron(s, tt.env)
			for range 2 {
				user, password, ok := s.env.netrc("a.test")
				assert.Equal(t, tt.want != "", ok)
				assert.Equal(t, tt.want, user)
				if ok {
					assert.Equal(t, "p", password)
				}
			}
		})
	}
}

func TestNetrcEntries(t *testing.T) {
	const text = `machine a.test login u password p
machine account.test account acc password p
machine empty.test
default login d password q
`
	s := new(Session)
	withNetrc(t, s, text)
	for host, want := range map[string]string{
		"a.test":       "u:p",
		"account.test": "acc:p",
		"other.test":   "d:q",
		"empty.test":   "-",
		"":             "-",
	} {
		user, password, ok := s.env.netrc(host)
		got := "-"
		if ok {
			got = user + ":" + password
		}
		assert.Equal(t, want, got, host)
	}
}

// Netrc comes last: after the call's auth, the session's, a header; but before
// user and password of the URL.
func TestNetrcIsLast(t *testing.T) {
	const fromNetrc = "Basic dTpw"
	tests := []struct {
		name string
		url  string
		opts []Option
		want string
	}{
		{"alone", "http://a.test/", nil, fromNetrc},
		{"another host", "http://b.test/", nil, ""},
		{"before the URL's", "http://x:y@a.test/", nil, fromNetrc},
		{"after a header", "http://a.test/", []Option{Header("authorization", "mine")}, "mine"},
		{"after auth", "http://a.test/", []Option{BearerAuth("t")}, "Bearer t"},
		{"with none", "http://a.test/", []Option{Auth(NoAuth)}, ""},
		{"with none", "http://a.test/", []Option{Without(BasicAuth("", ""))}, ""},
	}
	s := loopSession(t)
	withNetrc(t, s, "machine a.test login u password p")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := s.Prepare(t.Context(), NewRequest("GET", tt.url, tt.opts...))
			require.NoError(t, err)
			assert.Equal(t, tt.want, p.Headers.Get("Authorization"))
		})
	}
	s.IgnoreEnv = true
	p, err := s.Prepare(t.Context(), NewRequest("GET", "http://a.test/"))
	require.NoError(t, err)
	assert.False(t, p.Headers.Has("Authorization"))

	s.IgnoreEnv = false
	p, err = NewRequest("GET", "http://a.test/").Prepare(t.Context())
	require.NoError(t, err)
	assert.False(t, p.Headers.Has("Authorization"), "a request by itself knows no environment")
}
