//go:build linux

package services_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
)

// apacheConfig is a server that asks for Digest. The log has what it was told.
const apacheConfig = `
ServerRoot DIR
ServerName localhost
Listen 127.0.0.1:PORT
PidFile DIR/apache.pid
DefaultRuntimeDir DIR
ErrorLog DIR/error.log
DocumentRoot DIR/www
LoadModule mpm_event_module MODULES/mod_mpm_event.so
LoadModule authn_core_module MODULES/mod_authn_core.so
LoadModule authn_file_module MODULES/mod_authn_file.so
LoadModule authz_core_module MODULES/mod_authz_core.so
LoadModule authz_user_module MODULES/mod_authz_user.so
LoadModule auth_digest_module MODULES/mod_auth_digest.so
StartServers 1
LogFormat "%m %U%q %>s %{Authorization}i" told
CustomLog DIR/told.txt told
<Directory DIR/www>
  AuthType Digest
  AuthName "the realm"
  AuthDigestAlgorithm ALGORITHM
  AuthDigestNonceLifetime 1
  AuthUserFile DIR/digest
  Require valid-user
</Directory>
<Directory DIR/www/long>
  AuthDigestNonceLifetime 300
</Directory>
`

// apache is a running server.
type apache struct {
	url  string
	told string // the file of its log
}

// startApache starts Apache httpd with a digest algorithm, where it has that.
func startApache(t *testing.T, algorithm string) apache {
	t.Helper()
	path := program(t, "apache2", "apache2", "httpd")
	modules := "/usr/lib/apache2/modules"
	if _, err := os.Stat(filepath.Join(modules, "mod_auth_digest.so")); err != nil {
		missing(t, "mod_auth_digest is not here; it is in the Debian package apache2-bin")
	}
	dir, port := folder(t), freePorts(t, 1)[0]
	put(t, dir, "digest", digestLine("alice", "the realm", "s3:cr@t"))
	put(t, dir, "www/page.txt", "page")
	put(t, dir, "www/long/page.txt", "page")
	file := put(t, dir, "apache.conf", strings.NewReplacer("DIR", dir, "PORT", fmt.Sprint(port),
		"MODULES", modules, "ALGORITHM", algorithm).Replace(apacheConfig))
	if out, err := exec.Command(path, "-t", "-f", file).CombinedOutput(); err != nil {
		if strings.Contains(string(out), "AuthDigestAlgorithm") || strings.Contains(string(out), "algorithm") {
			t.Skipf("NOT TESTED: this mod_auth_digest was built without %s: %s", algorithm, out)
		}
		t.Fatalf("%v: %s", err, out)
	}
	daemon{path: path, args: []string{"-DFOREGROUND", "-f", file}, dir: dir, ports: []int{port}}.start(t)
	return apache{url: "http://" + address(port), told: filepath.Join(dir, "told.txt")}
}

// lines returns the log, once it has so many lines.
func (a apache) lines(t *testing.T, n int) []string {
	t.Helper()
	var lines []string
	for deadline := time.Now().Add(startLimit); len(lines) < n; time.Sleep(pollEvery) {
		text, err := os.ReadFile(a.told)
		require.NoError(t, err)
		lines = strings.Split(strings.TrimSpace(strings.ReplaceAll(string(text), `\"`, `"`)), "\n")
		require.True(t, time.Now().Before(deadline), "log is short: %q", lines)
	}
	return lines
}

func TestApacheDigest(t *testing.T) {
	for _, algorithm := range []string{"MD5", "SHA-256"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Run("nonce count", func(t *testing.T) { checkNonceCount(t, startApache(t, algorithm), algorithm) })
			t.Run("stale", func(t *testing.T) { checkStale(t, startApache(t, algorithm)) })
			t.Run("bodies", func(t *testing.T) { checkDigestBodies(t, startApache(t, algorithm)) })
			t.Run("wrong password", func(t *testing.T) { checkWrongDigest(t, startApache(t, algorithm)) })
		})
	}
}

// field returns a parameter of an answer to a challenge.
func field(line, name string) string {
	m := regexp.MustCompile(`[ ,]` + name + `="?([^",]*)"?`).FindStringSubmatch(line)
	if m == nil {
		return ""
	}
	return m[1]
}

// checkNonceCount sees that one challenge is enough for many requests, which
// count their uses of its nonce.
func checkNonceCount(t *testing.T, a apache, algorithm string) {
	t.Helper()
	s := client(t, new(requests.HTTPAdapter), requests.DigestAuth("alice", "s3:cr@t"))
	for i := range 5 {
		r, err := s.Get(t.Context(), fmt.Sprintf("%s/long/page.txt?n=%d&q=a b", a.url, i))
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, r.StatusCode)
		assert.Equal(t, "page", r.Text())
		if i == 0 {
			require.Len(t, r.History, 1)
			assert.Equal(t, http.StatusUnauthorized, r.History[0].StatusCode)
		} else {
			assert.Empty(t, r.History, "request %d was challenged again", i)
		}
	}
	lines := a.lines(t, 6)
	require.Len(t, lines, 6)
	assert.Equal(t, "GET /long/page.txt?n=0&q=a%20b 401 -", lines[0])
	nonce := field(lines[1], "nonce")
	require.NotEmpty(t, nonce)
	for i, line := range lines[1:] {
		assert.Equal(t, nonce, field(line, "nonce"))
		assert.Equal(t, fmt.Sprintf("%08x", i+1), field(line, "nc"))
		assert.Equal(t, algorithm, field(line, "algorithm"))
		assert.NotEmpty(t, field(line, "cnonce"))
	}
}

// checkStale sees that a nonce that is too old costs one more round trip, and
// that no one notices.
func checkStale(t *testing.T, a apache) {
	t.Helper()
	s := client(t, new(requests.HTTPAdapter), requests.DigestAuth("alice", "s3:cr@t"))
	r, err := s.Get(t.Context(), a.url+"/page.txt")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, r.StatusCode)
	time.Sleep(1200 * time.Millisecond) // the server's clock cannot be faked
	r, err = s.Get(t.Context(), a.url+"/page.txt")
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, r.StatusCode)
	require.Len(t, r.History, 1)
	assert.Contains(t, r.History[0].Headers.Get("WWW-Authenticate"), "stale=true")
	lines := a.lines(t, 4)
	require.Len(t, lines, 4)
	assert.NotEqual(t, field(lines[1], "nonce"), field(lines[3], "nonce"))
	assert.Equal(t, "00000001", field(lines[3], "nc"))
}

// checkDigestBodies sees that a body is sent again after the challenge, or
// that one that cannot be is an error.
func checkDigestBodies(t *testing.T, a apache) {
	t.Helper()
	s := client(t, new(requests.HTTPAdapter))
	post := func(opts ...requests.Option) (*requests.Response, error) {
		return s.Post(t.Context(), a.url+"/long/page.txt", append(opts, requests.DigestAuth("alice", "s3:cr@t"))...)
	}
	for _, body := range []requests.Option{
		requests.BodyText("body"), requests.Form("a", "1"), requests.JSON(map[string]int{"a": 1}),
		requests.File("f", "f.txt", strings.NewReader("content")),
		requests.BodyBytes(make([]byte, 256<<10)),
	} {
		r, err := post(body)
		require.NoError(t, err)
		// What the server's default handler makes of a POST does not matter.
		assert.NotEqual(t, http.StatusUnauthorized, r.StatusCode)
		require.Len(t, r.History, 1)
	}
	_, err := post(requests.Body(io.MultiReader(strings.NewReader("only once"))))
	require.ErrorIs(t, err, requests.ErrUnrewindableBody)
	var e *requests.Error
	require.True(t, errors.As(err, &e))
	require.NotNil(t, e.Response)
	assert.Equal(t, http.StatusUnauthorized, e.Response.StatusCode)
}

// checkWrongDigest sees that a wrong password is tried once and handed back.
func checkWrongDigest(t *testing.T, a apache) {
	t.Helper()
	s := client(t, new(requests.HTTPAdapter))
	for i, opt := range []requests.Option{
		requests.DigestAuth("alice", "wrong"), requests.DigestAuth("nobody", "s3:cr@t"),
	} {
		r, err := s.Get(t.Context(), a.url+"/long/page.txt", opt)
		require.NoError(t, err)
		assert.Equal(t, http.StatusUnauthorized, r.StatusCode)
		assert.Len(t, r.History, 1)
		assert.Len(t, a.lines(t, 2*i+2), 2*i+2)
	}
	r, err := s.Get(t.Context(), a.url+"/long/page.txt", requests.BasicAuth("alice", "s3:cr@t"))
	require.NoError(t, err)
	assert.Equal(t, http.StatusUnauthorized, r.StatusCode)
}
