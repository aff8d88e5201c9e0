//go:build linux

package services_test

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// client returns a session that goes by its options alone, not by the
// environment, over an adapter of its own.
func client(t *testing.T, a *requests.HTTPAdapter, opts ...requests.Option) *requests.Session {
	t.Helper()
	s := requests.NewSession(append([]requests.Option{requests.Timeout(10 * time.Second)}, opts...)...)
	s.IgnoreEnv = true
	s.Mount("http://", a)
	s.Mount("https://", a)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

// trusting has a session trust the certificates of an authority.
func trusting(ca *testserver.CA) requests.Option {
	return requests.Settings{Verify: requests.TLSVerify{Roots: ca.Pool()}}
}

// viaProxy sends everything through a proxy.
func viaProxy(proxy string) requests.Option { return requests.Proxy("all", proxy) }

// withUser puts a user and a password into a proxy's URL.
func withUser(proxy, user, password string) string {
	u, err := url.Parse(proxy)
	if err != nil {
		panic(err)
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}

// oddHeaders are in an order and a spelling that net/http would not send.
func oddHeaders() requests.Headers {
	return requests.NewHeaders("X-zulu", "1", "User-Agent", "odd", "x-ALPHA", "2", "Accept", "*/*")
}

// oddHead is the head that a request with oddHeaders must have.
func oddHead(target, host string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\nX-zulu: 1\r\nUser-Agent: odd\r\nx-ALPHA: 2\r\nAccept: */*\r\n\r\n"
}

// servers are the origins that the proxies are to reach.
type servers struct {
	ca    *testserver.CA
	plain *origin
	tls   *origin
}

func newServers(t *testing.T) servers {
	t.Helper()
	ca := testserver.NewCA(t)
	return servers{ca: ca, plain: newOrigin(t, nil), tls: newOrigin(t, ca)}
}

// checkPasses sees that plain and tunnelled requests pass a proxy: twice each
// on one session, with a body and without, head and TLS state as they should be.
func (sv servers) checkPasses(t *testing.T, proxy string, opts ...requests.Option) {
	t.Helper()
	sv.checkPassesWith(t, func(*requests.HTTPAdapter) {}, proxy, opts...)
}

// checkPassesWith is checkPasses with something done before each POST.
func (sv servers) checkPassesWith(t *testing.T, before func(*requests.HTTPAdapter), proxy string, opts ...requests.Option) {
	t.Helper()
	a := new(requests.HTTPAdapter)
	s := client(t, a, append([]requests.Option{viaProxy(proxy), trusting(sv.ca)}, opts...)...)
	for range 2 {
		r, err := s.Get(t.Context(), sv.plain.url+"/plain?q=1")
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, r.StatusCode)
		assert.Equal(t, "GET /plain?q=1 ", r.Text())

		before(a)
		r, err = s.Post(t.Context(), sv.plain.url+"/plain", requests.BodyText("body"))
		require.NoError(t, err)
		assert.Equal(t, "POST /plain body", r.Text())

		before(a)
		r, err = s.Post(t.Context(), sv.tls.url+"/tls", requests.BodyText("body"))
		require.NoError(t, err)
		assert.Equal(t, "POST /tls body", r.Text())
		require.NotNil(t, r.TLS, "the response has no TLS state")
		assert.Equal(t, []string{"localhost"}, r.TLS.PeerCertificates[0].DNSNames)
	}
	for _, head := range append(sv.plain.seen.take(), sv.tls.seen.take()...) {
		assert.NotContains(t, strings.ToLower(head), "proxy-authorization", "the proxy's credentials came to the origin")
	}
}

// checkHeads sees that ordered heads hold through a proxy. In a tunnel every
// byte is ours. What a proxy forwards it writes anew, so that there the order
// and the spelling of our own fields are all that can hold.
func (sv servers) checkHeads(t *testing.T, proxy string) {
	t.Helper()
	s := client(t, new(requests.HTTPAdapter), viaProxy(proxy), trusting(sv.ca))
	s.Headers = oddHeaders()
	_, err := s.Get(t.Context(), sv.tls.url+"/order")
	require.NoError(t, err)
	assert.Equal(t, []string{oddHead("/order", sv.tls.addr)}, sv.tls.seen.take())

	_, err = s.Get(t.Context(), sv.plain.url+"/order")
	require.NoError(t, err)
	seen := sv.plain.seen.take()
	require.Len(t, seen, 1)
	if strings.HasPrefix(proxy, "socks") {
		assert.Equal(t, oddHead("/order", sv.plain.addr), seen[0])
		return
	}
	for _, field := range []string{"X-zulu: 1\r\n", "x-ALPHA: 2\r\n"} {
		assert.Contains(t, seen[0], field)
	}
}

// checkAbsoluteForm sees, at the proxy's door, that what we ask of it is in
// absolute form and in order.
func (sv servers) checkAbsoluteForm(t *testing.T, proxy string) {
	t.Helper()
	u, err := url.Parse(proxy)
	require.NoError(t, err)
	door := newTap(t, u.Host)
	u.Host = door.addr
	s := client(t, new(requests.HTTPAdapter), viaProxy(u.String()))
	s.Headers = oddHeaders()
	r, err := s.Get(t.Context(), sv.plain.url+"/order?q=1#fragment")
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, r.StatusCode)
	assert.Equal(t, []string{oddHead(sv.plain.url+"/order?q=1", sv.plain.addr)}, door.seen.take())
	sv.plain.seen.take()
}

// checkRefused sees that a proxy turns us away: a plain request with a
// response of that status, a tunnel with an error that has the same.
func (sv servers) checkRefused(t *testing.T, proxy string, status int) {
	t.Helper()
	s := client(t, new(requests.HTTPAdapter), viaProxy(proxy), trusting(sv.ca))
	r, err := s.Get(t.Context(), sv.plain.url)
	require.NoError(t, err)
	assert.Equal(t, status, r.StatusCode)

	_, err = s.Get(t.Context(), sv.tls.url)
	require.ErrorIs(t, err, requests.ErrProxy)
	var refused *requests.ProxyRefusedError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, status, refused.StatusCode)
	assert.Equal(t, authScheme(r.Headers.Get("Proxy-Authenticate")), authScheme(refused.Header.Get("Proxy-Authenticate")))
	assert.LessOrEqual(t, len(refused.Body), 4<<10)
	if u, err := url.Parse(proxy); err == nil && u.User != nil {
		password, _ := u.User.Password()
		assert.NotContains(t, fmt.Sprint(refused, err), password)
	}
	assert.Empty(t, sv.plain.seen.take(), "the origin was reached")
	assert.Empty(t, sv.tls.seen.take(), "the origin was reached")
}

// authScheme is the first word of a challenge; a nonce is never the same.
func authScheme(challenge string) string {
	scheme, _, _ := strings.Cut(challenge, " ")
	return scheme
}

// checkStillVerifies sees that the origin's certificate counts inside the
// tunnel as it does without one.
func (sv servers) checkStillVerifies(t *testing.T, proxy string) {
	t.Helper()
	s := client(t, new(requests.HTTPAdapter), viaProxy(proxy), trusting(testserver.NewCA(t)))
	_, err := s.Get(t.Context(), sv.tls.url)
	require.ErrorIs(t, err, requests.ErrSSL)
	require.NotErrorIs(t, err, requests.ErrProxy)
	var unknown x509.UnknownAuthorityError
	assert.True(t, errors.As(err, &unknown), "%v", err)
	assert.Empty(t, sv.tls.seen.take(), "the origin was reached")
}
