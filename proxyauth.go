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
// as Requests does, and by Digest once the proxy has asked for that. The ways
// of an adapter through one proxy share what it asked for.
type proxyAuth struct {
	mu    sync.Mutex
	nonce nonceState
}

// proxyTurn is where one request stands with a proxy.
type proxyTurn struct {
	digestTurn

	asked  *digest.Params // what it asked this request for; nil for nothing yet
	header string         // what it is told
}

// value is the header for a request to the proxy, or "" where its URL has no
// user.
func (a *proxyAuth) value(proxy uri.URL, p *PreparedRequest, target string, turn *proxyTurn) (string, error) {
	user, password, ok := proxy.ProxyAuth()
	if !ok {
		return "", nil
	}
	a.mu.Lock()
	switch {
	case turn.asked != nil:
		turn.use = a.nonce.use(*turn.asked)
	case a.nonce.known:
		turn.use = a.nonce.use(a.nonce.params)
	default:
		a.mu.Unlock()
		return basicValue(user, password)
	}
	a.mu.Unlock()
	return digestValue(digest.Credentials{Username: user, Password: password}, p, target, turn.use)
}

// challenged takes a refusal's challenges, and reports whether another try
// can answer them, by the rules of [Digest.Challenge].
func (a *proxyAuth) challenged(proxy uri.URL, fields []string, turn *proxyTurn) bool {
	if _, _, ok := proxy.ProxyAuth(); !ok {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	params, next, ok := a.nonce.learn(fields, turn.digestTurn)
	if ok {
		*turn = proxyTurn{digestTurn: next, asked: &params}
	}
	return ok
}

// next is nonceState's.
func (a *proxyAuth) next(fields []string, last *digestUse) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.nonce.next(fields, last)
}

// connectChallenged is challenged for a CONNECT that failed.
func (a *proxyAuth) connectChallenged(proxy uri.URL, err error, turn *proxyTurn) bool {
	var refused *tunnel.RefusedError
	return errors.As(err, &refused) && refused.StatusCode == http.StatusProxyAuthRequired &&
		a.challenged(proxy, refused.Header.Values("Proxy-Authenticate"), turn)
}
