package requests

import (
	"errors"
	"net/http"
	"sync"

	"github.com/seed-9ea40bd3/requests/internal/digest"
	"github.com/seed-9ea40bd3/requests/internal/tunnel"
	"github.com/seed-9ea40bd3/requests/internal/uri"
)

// proxyAuth tells a proxy the user and password of its URL: by Basic at once,
// as Requests does, and by Digest once the proxy has asked for that. What the
// proxy asked for is kept with its connections.
type proxyAuth struct {
	mu    sync.Mutex
	nonce nonceState
}

// value is the header for a request to the proxy, or "" where its URL has no
// user.
func (a *proxyAuth) value(proxy uri.URL, p *PreparedRequest, target string) (string, error) {
	user, password, ok := proxy.ProxyAuth()
	if !ok {
		return "", nil
	}
	a.mu.Lock()
	if !a.nonce.known {
		a.mu.Unlock()
		return basicValue(user, password)
	}
	params, count, cnonce := a.nonce.use()
	a.mu.Unlock()
	return digestValue(digest.Credentials{Username: user, Password: password}, p, target, params, count, cnonce)
}

// challenged takes a refusal's challenges, and reports whether another try
// can answer them. asked counts the tries for one request: a second challenge
// is answered only where it says that the nonce was stale.
func (a *proxyAuth) challenged(proxy uri.URL, fields []string, asked int) bool {
	if _, _, ok := proxy.ProxyAuth(); !ok || asked > 1 {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	ok, stale := a.nonce.learn(fields)
	return ok && (asked == 0 || stale)
}

// connectChallenged is challenged for a CONNECT that failed.
func (a *proxyAuth) connectChallenged(proxy uri.URL, err error, asked int) bool {
	var refused *tunnel.RefusedError
	return errors.As(err, &refused) && refused.StatusCode == http.StatusProxyAuthRequired &&
		a.challenged(proxy, refused.Header.Values("Proxy-Authenticate"), asked)
}
