package requests

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// copyFile writes the content of one file over another.
func copyFile(t testing.TB, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, data, 0o600))
}

// A bundle counts for each new connection as it is then: mended, withdrawn,
// put back.
func TestBundleIsReadAgain(t *testing.T) {
	ca, other := testserver.NewCA(t), testserver.NewCA(t)
	url := tlsLoop(t, serverConfig(ca.Leaf("localhost")), hello)
	for _, dir := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "ca.pem")
		a := &HTTPAdapter{DisableHTTP2: true}
		s := tlsSession(t, a)
		bundle := CABundle(path)
		if dir {
			bundle = CABundle(filepath.Dir(path))
		}
		for i, step := range []struct {
			content []byte // nil removes the file
			ok      bool
		}{
			{nil, false},
			{ca.PEM(), true},
			{other.PEM(), false}, // a session of before is not resumed
			{[]byte("half of i"), false},
			{ca.PEM(), true},
			{nil, false},
			{ca.PEM(), true},
		} {
			if step.content == nil {
				os.Remove(path)
			} else {
				require.NoError(t, os.WriteFile(path, step.content, 0o600))
			}
			a.CloseIdleConnections()
			_, err := s.Get(t.Context(), url, bundle)
			if step.ok {
				require.NoError(t, err, "step %d", i)
			} else {
				require.ErrorIs(t, err, ErrSSL, "step %d", i)
			}
		}
	}
}

// A client certificate that was renewed is shown to the next connection; the
// one that was made before serves on.
func TestClientCertificateIsReadAgain(t *testing.T) {
	ca := testserver.NewCA(t)
	config := serverConfig(ca.Leaf("localhost"))
	config.ClientAuth = tls.RequestClientCert
	url := tlsLoop(t, config, hello)
	dir := t.TempDir()
	certPath, keyPath := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	use := func(cert, key string) {
		copyFile(t, cert, certPath)
		copyFile(t, key, keyPath)
	}
	aliceCert, aliceKey, _, _ := clientFiles(t, ca, "alice")
	bobCert, bobKey, _, _ := clientFiles(t, ca, "bobby")
	for _, noHTTP2 := range []bool{false, true} {
		a := &HTTPAdapter{DisableHTTP2: noHTTP2}
		s := tlsSession(t, a, Settings{Verify: TLSVerify{Roots: ca.Pool()}}, Cert(certPath, keyPath))
		get := func(want string) {
			t.Helper()
			r, err := s.Get(t.Context(), url)
			require.NoError(t, err)
			assert.Equal(t, want, r.Text())
		}
		use(aliceCert, aliceKey)
		get("hello alice")
		use(bobCert, bobKey)
		get("hello alice")
		a.CloseIdleConnections()
		get("hello bobby")
		use(bobCert, aliceKey)
		get("hello bobby")
		a.CloseIdleConnections()
		_, err := s.Get(t.Context(), url)
		require.ErrorIs(t, err, ErrSSL)
		use(aliceCert, aliceKey)
		get("hello alice")
	}
}

// Files that look as they did are not read, unless they are so young that they
// might have changed all the same.
func TestTLSLoader(t *testing.T) {
	ca := testserver.NewCA(t)
	bundle := ca.WriteFiles(t.TempDir())
	_, _, both, _ := clientFiles(t, ca, "alice")
	dir := t.TempDir()
	member := filepath.Join(dir, "member")
	require.NoError(t, os.WriteFile(member, ca.PEM(), 0o600))
	age := func(d time.Duration) {
		for _, path := range []string{bundle, both, member, dir} {
			require.NoError(t, os.Chtimes(path, time.Time{}, time.Now().Add(-d)))
		}
	}
	for _, verify := range []TLSVerify{{}, {Roots: ca.Pool()}, {CABundle: bundle}, {CABundle: dir}} {
		files := verify.CABundle != ""
		l := &tlsLoader{verify: verify}
		if files {
			l.cert = ClientCert{CertFile: both}
		}
		load := func() *tlsConfigs {
			t.Helper()
			c, err := l.load()
			require.NoError(t, err)
			return c
		}
		age(0)
		young := load()
		assert.Equal(t, files, young != load(), "young files")
		age(time.Minute)
		old := load()
		assert.Same(t, old, load())
		age(time.Hour)
		assert.Equal(t, files, old != load(), "touched files")
		if files {
			now := load()
			assert.NotSame(t, old.origin.ClientSessionCache, now.origin.ClientSessionCache)
			require.NoError(t, os.Rename(both, both+"x"))
			_, err := l.load()
			require.ErrorIs(t, err, os.ErrNotExist)
			require.NoError(t, os.Rename(both+"x", both))
			assert.Same(t, now, load(), "the file that was there before")
		}
	}
	l := &tlsLoader{verify: TLSVerify{CABundle: bundle}, cert: ClientCert{CertFile: both, None: true}}
	assert.Len(t, l.stamps(), 1, "what is not used is not looked at")
}

// Many connections at once, while the files change.
func TestTLSLoaderConcurrent(t *testing.T) {
	ca := testserver.NewCA(t)
	bundle := ca.WriteFiles(t.TempDir())
	l := &tlsLoader{verify: TLSVerify{CABundle: bundle}}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				c, err := l.load()
				if assert.NoError(t, err) {
					assert.NotNil(t, c.origin.RootCAs)
				}
			}
		})
	}
	all.Go(func() {
		for i := range 20 {
			assert.NoError(t, os.Chtimes(bundle, time.Time{}, time.Now().Add(-time.Duration(i)*time.Minute)))
		}
	})
	all.Wait()
}

// A failure to load is told to each that asks, and dials nobody.
func TestBrokenFilesAreMended(t *testing.T) {
	ca := testserver.NewCA(t)
	config := serverConfig(ca.Leaf("localhost"))
	config.ClientAuth = tls.RequireAnyClientCert
	url := tlsLoop(t, config, hello)
	cert, key, _, _ := clientFiles(t, ca, "alice")
	mended := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(mended, []byte("garbage"), 0o600))
	s := tlsSession(t, new(HTTPAdapter), Settings{Verify: TLSVerify{Roots: ca.Pool()}}, Cert(cert, mended))
	for range 2 {
		_, err := s.Get(t.Context(), url)
		require.ErrorIs(t, err, ErrSSL)
		assert.Contains(t, err.Error(), mended)
	}
	copyFile(t, key, mended)
	r, err := s.Get(t.Context(), url)
	require.NoError(t, err)
	assert.Equal(t, "hello alice", r.Text())
}
