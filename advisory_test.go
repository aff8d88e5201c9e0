//go:build unix

package requests_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// The tests named TestAdvisoryNN are one for each row of a list of published
// flaws of HTTP clients: A, credentials across redirects; B, netrc, userinfo,
// Basic and Digest; C, reuse of connections; D, TLS. Where a row speaks of two
// requests it is about the second.

// A world is a small internet on the loopback interface: names lead to
// scripted servers, and everything else leads nowhere.
type world struct {
	t  *testing.T
	ca *testserver.CA

	mu     sync.Mutex       // guards what follows
	hosts  testserver.Hosts // from name:port to a listener
	dialed []string         // what was asked for, in order
	lns    []net.Listener
	conns  []net.Conn
	wg     sync.WaitGroup
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, ca: testserver.NewCA(t), hosts: testserver.Hosts{}}
	t.Cleanup(w.close)
	return w
}

func (w *world) close() {
	w.mu.Lock()
	for _, ln := range w.lns {
		ln.Close()
	}
	for _, c := range w.conns {
		c.Close()
	}
	w.mu.Unlock()
	w.wg.Wait()
}

// errNowhere is where names lead that nobody serves.
var errNowhere = errors.New("world: no such host")

// dial connects to what serves an address.
func (w *world) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	w.mu.Lock()
	to, ok := w.hosts[addr]
	w.dialed = append(w.dialed, addr)
	w.mu.Unlock()
	if !ok {
		if host, _, _ := net.SplitHostPort(addr); host != "127.0.0.1" {
			return nil, errNowhere
		}
		to = addr // a proxy
	}
	return new(net.Dialer).DialContext(ctx, network, to)
}

// asked returns the addresses that were dialled, and forgets them.
func (w *world) asked() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.dialed
	w.dialed = nil
	return out
}

// session returns a session in this world that does without the environment.
func (w *world) session(opts ...requests.Option) *requests.Session {
	w.t.Helper()
	return w.sessionOn(&requests.HTTPAdapter{Dial: w.dial}, opts...)
}

func (w *world) sessionOn(a *requests.HTTPAdapter, opts ...requests.Option) *requests.Session {
	w.t.Helper()
	all := []requests.Option{requests.Timeout(10 * time.Second), w.trust()}
	s := requests.NewSession(append(all, opts...)...)
	s.IgnoreEnv = true
	s.Mount("http://", a)
	s.Mount("https://", a)
	w.t.Cleanup(func() { s.Close() })
	return s
}

// trust trusts the world's authority.
func (w *world) trust() requests.Option { return roots(w.ca) }

// roots trusts one authority alone.
func roots(ca *testserver.CA) requests.Option {
	return requests.Settings{Verify: requests.TLSVerify{Roots: ca.Pool()}}
}

// A site is a server with a script.
type site struct {
	host   string
	script func(n int, req *http.Request, body []byte) string

	mu    sync.Mutex // guards what follows
	conns int
	heads []string
	texts []string // the bodies
}

// Answers of sites.
const (
	answerOK    = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	answerClose = ""
)

// redirectTo is an answer that leads elsewhere.
func redirectTo(status int, location string) string {
	return fmt.Sprintf("HTTP/1.1 %d Elsewhere\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", status, location)
}

// challenge is an answer that asks for credentials.
func challenge(fields ...string) string {
	answer := "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n"
	for _, f := range fields {
		answer += "WWW-Authenticate: " + f + "\r\n"
	}
	return answer + "\r\n"
}

// at starts a site at an origin such as https://a.test or http://a.test:8080.
// It gives the answers in turn, and the last one ever after; without any it
// says that all is well.
func (w *world) at(origin string, answers ...string) *site {
	w.t.Helper()
	if len(answers) == 0 {
		answers = []string{answerOK}
	}
	return w.scripted(origin, func(n int, _ *http.Request, _ []byte) string {
		return answers[min(n, len(answers)-1)]
	})
}

// scripted starts a site whose answers a function makes.
func (w *world) scripted(origin string, script func(n int, req *http.Request, body []byte) string) *site {
	w.t.Helper()
	u, err := url.Parse(origin)
	require.NoError(w.t, err)
	var config *tls.Config
	if u.Scheme == "https" {
		config = &tls.Config{Certificates: []tls.Certificate{w.ca.Leaf(u.Hostname())}}
	}
	return w.serve(origin, config, script)
}

// serve starts a site with a configuration of TLS of its own, or none.
func (w *world) serve(origin string, config *tls.Config, script func(n int, req *http.Request, body []byte) string) *site {
	w.t.Helper()
	u, err := url.Parse(origin)
	require.NoError(w.t, err)
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	s := &site{host: u.Hostname(), script: script}
	addr := w.listen(func(c net.Conn) {
		s.mu.Lock()
		s.conns++
		s.mu.Unlock()
		if config != nil {
			c = tls.Server(c, config)
		}
		s.talk(c)
	})
	w.mu.Lock()
	w.hosts[net.JoinHostPort(u.Hostname(), port)] = addr
	w.mu.Unlock()
	return s
}

// listen gives connections to goroutines that end with the world.
func (w *world) listen(serve func(net.Conn)) (addr string) {
	w.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(w.t, err)
	w.mu.Lock()
	w.lns = append(w.lns, ln)
	w.mu.Unlock()
	w.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			w.mu.Lock()
			w.conns = append(w.conns, c)
			w.mu.Unlock()
			w.wg.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	return ln.Addr().String()
}

// talk answers the requests of a connection until an answer is empty.
func (s *site) talk(c net.Conn) {
	br := bufio.NewReader(c)
	for {
		head, err := readHead(br)
		if err != nil {
			return
		}
		req, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader(head), br)))
		if err != nil {
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		s.mu.Lock()
		n := len(s.heads)
		s.heads = append(s.heads, head)
		s.texts = append(s.texts, string(body))
		answer := s.script(n, req, body)
		s.mu.Unlock()
		if answer == answerClose {
			return
		}
		if _, err := io.WriteString(c, answer); err != nil {
			return
		}
	}
}

// readHead reads up to the first blank line and with it.
func readHead(br *bufio.Reader) (string, error) {
	var head strings.Builder
	for {
		line, err := br.ReadString('\n')
		head.WriteString(line)
		if err != nil {
			return "", err
		}
		if line == "\r\n" {
			return head.String(), nil
		}
	}
}

// seen returns the heads that a site was sent.
func (s *site) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.heads)
}

// bodies returns the bodies that a site was sent.
func (s *site) bodies() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.texts)
}

// accepted returns how many connections a site had.
func (s *site) accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns
}

// last returns the last head that a site was sent.
func (s *site) last() string {
	heads := s.seen()
	if len(heads) == 0 {
		return ""
	}
	return heads[len(heads)-1]
}

// valuesOf returns the values of a field of a head.
func valuesOf(head, name string) []string {
	var values []string
	for line := range strings.SplitSeq(head, "\r\n") {
		if n, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(n, name) {
			values = append(values, strings.TrimSpace(v))
		}
	}
	return values
}

// lacks fails where any of the heads has a field.
func lacks(t *testing.T, heads []string, names ...string) {
	t.Helper()
	for i, head := range heads {
		for _, name := range names {
			require.Empty(t, valuesOf(head, name), "request %d has %s", i, name)
		}
	}
}

// basic is the value of Basic auth.
func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// useNetrc has the environment name a netrc file, and no proxy and no bundle.
func useNetrc(t *testing.T, text string) {
	t.Helper()
	for _, name := range []string{
		"http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
		"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
	} {
		t.Setenv(name, "")
	}
	file := filepath.Join(t.TempDir(), "netrc")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	t.Setenv("NETRC", file)
}

// get sends a GET that has to succeed.
func get(t *testing.T, s *requests.Session, url string, opts ...requests.Option) *requests.Response {
	t.Helper()
	r, err := s.Get(t.Context(), url, opts...)
	require.NoError(t, err)
	return r
}
