package requests

import (
	"os"
	"testing"

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
	for range 2 {
		require.Empty(t, get())
		require.Empty(t, get())
		t.Setenv("Http_Proxy", "http://one.test")
		require.Equal(t, ProxyMap{"http": "http://one.test"}, get())
		t.Setenv("Http_Proxy", "http://two.test")
		require.Equal(t, ProxyMap{"http": "http://two.test"}, get())
		t.Setenv("Http_Proxy", "")
	}
}
