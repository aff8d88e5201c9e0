package requests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A session sees the environment change between its calls, though it does not
// look through one that has not.
func TestSessionSeesProxiesComeAndGo(t *testing.T) {
	for _, name := range []string{"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"} {
		t.Setenv(name, "") // to be put back after the test
		os.Unsetenv(name)
	}
	s := NewSession()
	get := func() ProxyMap {
		settings, err := s.MergeEnvironment("http://a.test/")
		require.NoError(t, err)
		return settings.Proxies
	}
	for _, name := range []string{"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"} {
		key := strings.TrimSuffix(strings.ToLower(name), "_proxy")
		for range 2 {
			require.Empty(t, get())
			require.Empty(t, get())
			t.Setenv(name, "http://one.test")
			require.Equal(t, ProxyMap{key: "http://one.test"}, get())
			t.Setenv(name, "http://two.test")
			require.Equal(t, ProxyMap{key: "http://two.test"}, get())
			os.Unsetenv(name)
		}
	}
}

// A spelling that nobody uses counts too, a moment later.
func TestSessionSeesProxiesOfOddSpelling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		environ := []string{"A=1"}
		s := &Session{env: environment{
			lookup:  func(string) (string, bool) { return "", false },
			environ: func() []string { return environ },
		}}
		get := func() ProxyMap {
			settings, err := s.MergeEnvironment("http://a.test/")
			require.NoError(t, err)
			return settings.Proxies
		}
		require.Empty(t, get())
		environ = []string{"Http_Proxy=http://one.test"}
		require.Empty(t, get())
		time.Sleep(lookRest)
		require.Equal(t, ProxyMap{"http": "http://one.test"}, get())
		environ = nil
		require.Empty(t, get(), "what is there is looked at each time")
	})
}

// A netrc file that appears counts, at once for a session's first call and a
// moment later for one that has just missed it; one that goes is gone at once.
func TestSessionSeesNetrcComeAndGo(t *testing.T) {
	home := t.TempDir()
	file := filepath.Join(home, ".netrc")
	synctest.Test(t, func(t *testing.T) {
		fresh := func() *Session {
			return &Session{env: environment{lookup: func(name string) (string, bool) { return home, name == homeVariable }}}
		}
		s := fresh()
		authorized := func(s *Session) bool {
			p, err := s.Prepare(t.Context(), NewRequest("GET", "http://a.test/"))
			require.NoError(t, err)
			return p.Headers.Has("Authorization")
		}
		for range 2 {
			require.False(t, authorized(s))
			require.NoError(t, os.WriteFile(file, []byte("machine a.test login u password p"), 0o600))
			require.True(t, authorized(fresh()))
			require.False(t, authorized(s))
			time.Sleep(lookRest)
			require.True(t, authorized(s))
			require.NoError(t, os.Remove(file))
		}
	})
}
