//go:build linux

package services_test

import (
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// startNginx starts nginx with the contents of its http block, in which DIR is
// its folder.
func startNginx(t *testing.T, dir, block string, ports ...int) {
	t.Helper()
	path := program(t, "nginx-light", "nginx")
	file := put(t, dir, "nginx.conf", strings.ReplaceAll(`
worker_processes 1;
pid DIR/nginx.pid;
error_log DIR/error.log warn;
daemon off;
events { worker_connections 2048; }
http {
  client_body_temp_path DIR/tmp-b;
  proxy_temp_path DIR/tmp-p;
  fastcgi_temp_path DIR/tmp-f;
  uwsgi_temp_path DIR/tmp-u;
  scgi_temp_path DIR/tmp-s;
`+block+`
}
`, "DIR", dir))
	daemon{path: path, args: []string{"-c", file, "-e", dir + "/start.log"}, dir: dir, ports: ports}.start(t)
}

// nginxPassword has what a URL and a shell would trip over.
const nginxPassword = "s3:cr@t/ %"

func TestNginx(t *testing.T) {
	program(t, "nginx-light", "nginx")
	dir, ports := folder(t), freePorts(t, 4)
	ca, clients, strangers := testserver.NewCA(t), testserver.NewCA(t), testserver.NewCA(t)
	testserver.WriteCert(t, dir, "server", ca.Leaf("localhost", "127.0.0.1"))
	put(t, dir, "clients.pem", string(clients.PEM()))
	put(t, dir, "htpasswd", shaLine("alice", nginxPassword))
	put(t, dir, "www/text.txt", strings.Repeat("All work and no play. ", 1000))
	common := `
    root DIR/www;
    location /auth/ { auth_basic "r"; auth_basic_user_file DIR/htpasswd; alias DIR/www/; }
    location /444 { return 444; }
    location /conn { return 200 "$connection $connection_requests $server_protocol"; }
    location /who { return 200 "$ssl_client_verify $ssl_client_s_dn"; }
    location /head { return 200 "$http_authorization|$http_cookie|$http_x_alpha|$request_body"; }
    location /moved { return 302 /conn; }
`
	config := fmt.Sprintf(`
  access_log off;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_certificate DIR/server.pem;
  ssl_certificate_key DIR/server-key.pem;
  default_type text/plain;
  gzip on; gzip_types text/plain; gzip_min_length 100;
  server { listen 127.0.0.1:%d; %s }
  server { listen 127.0.0.1:%d ssl; %s }
  server { listen 127.0.0.1:%d ssl http2; %s }
  server { listen 127.0.0.1:%d ssl; ssl_client_certificate DIR/clients.pem; ssl_verify_client on; %s }
`, ports[0], common, ports[1], common, ports[2], common, ports[3], common)
	startNginx(t, dir, config, ports...)

	for _, at := range []struct{ name, url, proto string }{
		{"http1", "http://" + address(ports[0]), "HTTP/1.1"},
		{"http1 tls", "https://" + address(ports[1]), "HTTP/1.1"},
		{"http2", "https://" + address(ports[2]), "HTTP/2.0"},
	} {
		t.Run(at.name, func(t *testing.T) { checkNginx(t, at.url, at.proto, ca) })
	}
	t.Run("http2 off", func(t *testing.T) {
		s := client(t, &requests.HTTPAdapter{DisableHTTP2: true}, trusting(ca))
		r, err := s.Get(t.Context(), "https://"+address(ports[2])+"/conn")
		require.NoError(t, err)
		assert.Equal(t, "HTTP/1.1", r.Proto)
		assert.Equal(t, "http/1.1", r.TLS.NegotiatedProtocol)
	})
	t.Run("client certificate", func(t *testing.T) {
		checkClientCert(t, "https://"+address(ports[3])+"/who", ca, clients, strangers)
	})
}

// checkNginx goes through what users do at a server, over one protocol.
func checkNginx(t *testing.T, base, proto string, ca *testserver.CA) {
	t.Helper()
	s := client(t, new(requests.HTTPAdapter), trusting(ca))
	r, err := s.Get(t.Context(), base+"/conn")
	require.NoError(t, err)
	assert.Equal(t, proto, r.Proto)
	assert.Equal(t, strings.HasPrefix(base, "https"), r.TLS != nil)
	if r.TLS != nil {
		assert.Equal(t, uint16(tls.VersionTLS13), r.TLS.Version)
		assert.True(t, r.TLS.HandshakeComplete)
	}
	first := strings.Fields(r.Text())
	r, err = s.Get(t.Context(), base+"/moved")
	require.NoError(t, err)
	require.Len(t, r.History, 1)
	second := strings.Fields(r.Text())
	assert.Equal(t, first[0], second[0], "the connection was not kept")
	assert.Equal(t, "3", second[1], "a redirect and its target were to come third")
	assert.Equal(t, proto, second[2])

	r, err = s.Get(t.Context(), base+"/text.txt")
	require.NoError(t, err)
	assert.Equal(t, "gzip", r.Headers.Get("Content-Encoding"))
	assert.Equal(t, strings.Repeat("All work and no play. ", 1000), r.Text())

	r, err = s.Post(t.Context(), base+"/head", requests.BodyText("ignored"), requests.BearerAuth("tok"),
		requests.Cookie("c", "1"), requests.Header("x-ALPHA", "a"))
	require.NoError(t, err)
	assert.Equal(t, "Bearer tok|c=1|a|", r.Text())

	checkBasic(t, s, base+"/auth/text.txt")
	_, err = s.Get(t.Context(), base+"/444", requests.TotalTimeout(10*time.Second))
	require.ErrorIs(t, err, requests.ErrConnection, "an empty reply")
	r, err = s.Get(t.Context(), base+"/conn")
	require.NoError(t, err, "after an empty reply")
	assert.Equal(t, http.StatusOK, r.StatusCode)
}

// shaLine is a user's line in a file of passwords.
func shaLine(user, password string) string {
	sum := sha1.Sum([]byte(password))
	return user + ":{SHA}" + base64.StdEncoding.EncodeToString(sum[:]) + "\n"
}

// checkBasic sees what a server with Basic auth makes of our credentials.
func checkBasic(t *testing.T, s *requests.Session, url string) {
	t.Helper()
	withUserinfo := func(password string) string { return withUser(url, "alice", password) }
	for _, tt := range []struct {
		name, url string
		opt       requests.Option
		status    int
	}{
		{"right", url, requests.BasicAuth("alice", nginxPassword), http.StatusOK},
		{"wrong", url, requests.BasicAuth("alice", "wrong"), http.StatusUnauthorized},
		{"none", url, requests.Auth(requests.NoAuth), http.StatusUnauthorized},
		{"right in the URL", withUserinfo(nginxPassword), requests.Stream(), http.StatusOK},
		{"wrong in the URL", withUserinfo("wrong"), requests.Stream(), http.StatusUnauthorized},
	} {
		r, err := s.Get(t.Context(), tt.url, tt.opt)
		require.NoError(t, err, tt.name)
		assert.Equal(t, tt.status, r.StatusCode, tt.name)
		r.Close()
	}
}

// checkClientCert sees what a server that wants a certificate gets of us.
func checkClientCert(t *testing.T, url string, ca, clients, strangers *testserver.CA) {
	t.Helper()
	dir := t.TempDir()
	mine := clients.Issue(testserver.Leaf{CommonName: "alice", Client: true})
	theirs := strangers.Issue(testserver.Leaf{CommonName: "mallory", Client: true})
	certFile, keyFile, bothFile := testserver.WriteCert(t, dir, "mine", mine)
	_, _, wrongFile := testserver.WriteCert(t, dir, "theirs", theirs)
	for _, tt := range []struct {
		name   string
		opt    requests.Option
		status int
		want   string
	}{
		{"one file", requests.Cert(bothFile), http.StatusOK, "SUCCESS CN=alice"},
		{"two files", requests.Cert(certFile, keyFile), http.StatusOK, "SUCCESS CN=alice"},
		{"memory", requests.Settings{Cert: requests.ClientCert{Certificate: &mine}}, http.StatusOK, "SUCCESS CN=alice"},
		{"none", requests.Stream(), http.StatusBadRequest, "No required SSL certificate"},
		{"wrong", requests.Cert(wrongFile), http.StatusBadRequest, "SSL certificate error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// The session has a certificate already in the second case, and
			// its connections must not serve who has none.
			for _, s := range []*requests.Session{
				client(t, new(requests.HTTPAdapter), trusting(ca)),
				client(t, warmed(t, url, ca, bothFile), trusting(ca)),
			} {
				r, err := s.Get(t.Context(), url, tt.opt)
				if tt.name == "wrong" && err != nil {
					// Go shows no certificate of an authority that the server
					// does not name; one that it does show is refused.
					require.ErrorIs(t, err, requests.ErrSSL)
					continue
				}
				require.NoError(t, err)
				assert.Equal(t, tt.status, r.StatusCode)
				if tt.name != "wrong" {
					assert.Contains(t, r.Text(), tt.want)
				}
			}
		})
	}
}

// warmed returns an adapter with a connection that showed a certificate.
func warmed(t *testing.T, url string, ca *testserver.CA, certFile string) *requests.HTTPAdapter {
	t.Helper()
	a := new(requests.HTTPAdapter)
	s := requests.NewSession(trusting(ca), requests.Cert(certFile))
	s.IgnoreEnv = true
	s.Mount("https://", a)
	r, err := s.Get(t.Context(), url)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, r.StatusCode)
	return a
}
