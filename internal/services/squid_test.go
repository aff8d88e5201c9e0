//go:build linux

package services_test

import (
	"crypto/md5"
	"crypto/tls"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// The proxies' user. The password has all that a URL must escape.
const (
	proxyUser     = "alice"
	proxyPassword = "s3:cr@t/ %"
)

// squidCommon is what all configurations of squid share: no caches, no files
// outside of its folder.
const squidCommon = `
acl SSL_ports port 1-65535
http_access allow localhost
http_access deny all
cache deny all
cache_mem 8 MB
shutdown_lifetime 1 seconds
pid_filename DIR/squid.pid
access_log stdio:DIR/access.log
cache_log DIR/cache.log
coredump_dir DIR
pinger_enable off
visible_hostname localhost
max_filedescriptors 1024
`

// startSquid starts squid with a configuration in which DIR is its folder.
func startSquid(t *testing.T, path, dir, config string, ports ...int) {
	t.Helper()
	file := put(t, dir, "squid.conf", strings.ReplaceAll(config+squidCommon, "DIR", dir))
	name := "t" + strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, filepath.Base(dir))
	daemon{path: path, args: []string{"-N", "-n", name, "-f", file}, dir: dir, ports: ports}.start(t)
}

func TestSquid(t *testing.T) {
	path := program(t, "squid", "squid")
	helper := program(t, "squid", "basic_ncsa_auth")
	htpasswd := program(t, "apache2-utils", "htpasswd")
	dir := folder(t)
	ports := freePorts(t, 3)
	sv := newServers(t)
	proxyCA := testserver.NewCA(t)
	testserver.WriteCert(t, dir, "proxy", proxyCA.Leaf("localhost", "127.0.0.1"))
	put(t, dir, "passwd", run(t, htpasswd, "-nbm", proxyUser, proxyPassword))
	startSquid(t, path, dir, fmt.Sprintf(`
http_port 127.0.0.1:%d name=open
http_port 127.0.0.1:%d name=basic
https_port 127.0.0.1:%d name=tls tls-cert=DIR/proxy.pem tls-key=DIR/proxy-key.pem
auth_param basic program %s DIR/passwd
auth_param basic children 1
auth_param basic realm squid
acl pbasic myportname basic
acl authed proxy_auth REQUIRED
http_access deny pbasic !authed
`, ports[0], ports[1], ports[2], helper), ports...)

	open, basic, secure := "http://"+address(ports[0]), "http://"+address(ports[1]), "https://"+address(ports[2])
	t.Run("open", func(t *testing.T) {
		sv.checkPasses(t, open)
		sv.checkHeads(t, open)
		sv.checkAbsoluteForm(t, open)
		sv.checkStillVerifies(t, open)
	})
	t.Run("basic right", func(t *testing.T) {
		sv.checkPasses(t, withUser(basic, proxyUser, proxyPassword))
		sv.checkHeads(t, withUser(basic, proxyUser, proxyPassword))
	})
	t.Run("basic by auth", func(t *testing.T) {
		s := client(t, new(requests.HTTPAdapter), viaProxy(basic), requests.Auth(&requests.ProxyBasic{Username: proxyUser, Password: proxyPassword}))
		r, err := s.Get(t.Context(), sv.plain.url)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, r.StatusCode)
		assert.NotContains(t, strings.Join(sv.plain.seen.take(), ""), "Proxy-Authorization")
	})
	t.Run("basic wrong", func(t *testing.T) {
		sv.checkRefused(t, withUser(basic, proxyUser, "wrong-password"), http.StatusProxyAuthRequired)
	})
	t.Run("basic none", func(t *testing.T) { sv.checkRefused(t, basic, http.StatusProxyAuthRequired) })
	t.Run("tls", func(t *testing.T) { sv.checkTLSProxy(t, secure, proxyCA) })
	t.Run("unreachable origin", func(t *testing.T) { sv.checkUnreachable(t, open) })
}

// checkTLSProxy sees that a proxy that speaks TLS itself is verified, and that
// origins behind it are.
func (sv servers) checkTLSProxy(t *testing.T, proxy string, proxyCA *testserver.CA) {
	t.Helper()
	both := proxyCA.Pool()
	both.AddCert(sv.ca.Cert)
	trust := requests.Settings{Verify: requests.TLSVerify{Roots: both}}
	sv.checkPasses(t, proxy, trust)
	s := client(t, new(requests.HTTPAdapter), viaProxy(proxy), trust)
	s.Headers = oddHeaders()
	_, err := s.Get(t.Context(), sv.tls.url+"/order")
	require.NoError(t, err)
	assert.Equal(t, []string{oddHead("/order", sv.tls.addr)}, sv.tls.seen.take())

	// The proxy's certificate is unknown, then the origin's.
	s = client(t, new(requests.HTTPAdapter), viaProxy(proxy), trusting(sv.ca))
	_, err = s.Get(t.Context(), sv.tls.url)
	require.ErrorIs(t, err, requests.ErrSSL)
	require.ErrorIs(t, err, requests.ErrProxy)
	_, err = s.Get(t.Context(), sv.plain.url)
	require.ErrorIs(t, err, requests.ErrSSL)
	require.ErrorIs(t, err, requests.ErrProxy)
	s = client(t, new(requests.HTTPAdapter), viaProxy(proxy), trusting(proxyCA))
	_, err = s.Get(t.Context(), sv.tls.url)
	require.ErrorIs(t, err, requests.ErrSSL)
	require.NotErrorIs(t, err, requests.ErrProxy)
	assert.Empty(t, append(sv.tls.seen.take(), sv.plain.seen.take()...), "an origin was reached")
}

// checkUnreachable sees what a proxy says of an origin that is not there: a
// response of its own for a plain request, an error for a tunnel.
func (sv servers) checkUnreachable(t *testing.T, proxy string) {
	t.Helper()
	nobody := address(freePorts(t, 1)[0])
	s := client(t, new(requests.HTTPAdapter), viaProxy(proxy))
	r, err := s.Get(t.Context(), "http://"+nobody)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, r.StatusCode, http.StatusInternalServerError)
	_, err = s.Get(t.Context(), "https://"+nobody)
	require.ErrorIs(t, err, requests.ErrProxy)
	var refused *requests.ProxyRefusedError
	require.ErrorAs(t, err, &refused)
	assert.GreaterOrEqual(t, refused.StatusCode, http.StatusInternalServerError)
	assert.LessOrEqual(t, len(refused.Body), 4<<10)
}

func TestSquidDigest(t *testing.T) {
	path := program(t, "squid", "squid")
	helper := program(t, "squid", "digest_file_auth")
	dir := folder(t)
	port := freePorts(t, 1)[0]
	sv := newServers(t)
	put(t, dir, "digest", digestLine(proxyUser, "squid", proxyPassword))
	startSquid(t, path, dir, fmt.Sprintf(`
http_port 127.0.0.1:%d
auth_param digest program %s -c DIR/digest
auth_param digest children 1
auth_param digest realm squid
auth_param digest nonce_max_count 50
acl authed proxy_auth REQUIRED
http_access deny !authed
`, port, helper), port)

	proxy := "http://" + address(port)
	t.Run("none", func(t *testing.T) { sv.checkRefused(t, proxy, http.StatusProxyAuthRequired) })
	t.Run("wrong", func(t *testing.T) {
		sv.checkRefused(t, withUser(proxy, proxyUser, "wrong-password"), http.StatusProxyAuthRequired)
	})
	t.Run("right", func(t *testing.T) {
		sv.checkPasses(t, withUser(proxy, proxyUser, proxyPassword))
		sv.checkHeads(t, withUser(proxy, proxyUser, proxyPassword))
	})
	t.Run("answers go out", func(t *testing.T) {
		door := newTap(t, address(port))
		s := client(t, new(requests.HTTPAdapter), trusting(sv.ca), viaProxy(withUser("http://"+door.addr, proxyUser, proxyPassword)))
		for range 3 {
			r, err := s.Get(t.Context(), sv.plain.url)
			require.NoError(t, err)
			assert.Equal(t, http.StatusOK, r.StatusCode)
			r, err = s.Get(t.Context(), sv.tls.url)
			require.NoError(t, err)
			assert.Equal(t, http.StatusOK, r.StatusCode)
			require.NotNil(t, r.TLS)
			assert.GreaterOrEqual(t, r.TLS.Version, uint16(tls.VersionTLS12))
		}
		digest := 0
		for _, head := range door.seen.take() {
			if strings.Contains(head, "Proxy-Authorization: Digest ") {
				digest++
			}
		}
		assert.GreaterOrEqual(t, digest, 4, "three forwarded requests and a tunnel were to be authenticated")
	})
}

// digestLine is a user's line in a file of digest passwords.
func digestLine(user, realm, password string) string {
	return fmt.Sprintf("%s:%s:%x\n", user, realm, md5.Sum([]byte(user+":"+realm+":"+password)))
}
