package testserver

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// An HTTPProxy is an HTTP proxy for tests: it forwards requests whose target
// is in absolute form and opens tunnels for CONNECT. Set the fields, then call
// [HTTPProxy.Start]; the zero value is a proxy that lets everyone in and
// reaches the loopback interface alone. After Start its methods may be used by
// many goroutines.
type HTTPProxy struct {
	// Hosts says where the names in requests lead.
	Hosts Hosts

	// User and Pass are the credentials that are asked for by a 407; a User
	// that is empty lets everyone in.
	User, Pass string

	// Ask, when not nil, decides in the place of User and Pass: it returns
	// what a 407 asks for, or nothing to let the request in.
	Ask func(req *http.Request) (challenge string)

	// ConnectAnswer, when not empty, is sent as it is to every CONNECT. A
	// tunnel is opened after it only when it begins with a status of 200.
	ConnectAnswer string

	// Hang makes the proxy read requests and never answer.
	Hang bool

	// TLS, when not nil, makes it a proxy that is spoken to over TLS.
	TLS *tls.Config

	l     *listener
	mu    sync.Mutex // guards heads
	heads []string
}

// Start makes the proxy listen. It ends with the test.
func (p *HTTPProxy) Start(tb testing.TB) *HTTPProxy {
	tb.Helper()
	// A client may connect before p.l is there, which tunnels need.
	ready := make(chan struct{})
	p.l = listen(tb, func(conn net.Conn) {
		<-ready
		p.serve(conn)
	})
	close(ready)
	return p
}

// Addr is the address that the proxy listens on, as host:port.
func (p *HTTPProxy) Addr() string { return p.l.ln.Addr().String() }

// URL is the proxy's URL, without credentials.
func (p *HTTPProxy) URL() string {
	if p.TLS != nil {
		return "https://" + p.Addr()
	}
	return "http://" + p.Addr()
}

// Heads returns the heads of the requests so far, in order of arrival, each as
// it came, with the blank line at its end.
func (p *HTTPProxy) Heads() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.heads)
}

// serve answers the requests of one connection.
func (p *HTTPProxy) serve(conn net.Conn) {
	if p.TLS != nil {
		conn = tls.Server(conn, p.TLS)
	}
	br := bufio.NewReader(conn)
	for {
		head, err := readHead(br)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.heads = append(p.heads, head)
		p.mu.Unlock()
		// A head that is not HTTP ends the connection. The body is in br still,
		// behind the head that was kept.
		req, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader(head), br)))
		if err != nil || !p.answer(conn, br, req) {
			return
		}
	}
}

// answer answers one request, and says whether another may follow.
func (p *HTTPProxy) answer(conn net.Conn, br *bufio.Reader, req *http.Request) bool {
	if p.Hang {
		// It returns when the client gives up, or when the test ends.
		_, _ = io.Copy(io.Discard, br)
		return false
	}
	if ask := p.challenge(req); ask != "" {
		return p.refuse(conn, req, http.StatusProxyAuthRequired, "Proxy-Authenticate", ask)
	}
	switch {
	case req.Method == http.MethodConnect:
		p.tunnel(conn, br, req)
		return false
	// A target in origin form is for a server, and this is none (RFC 9112,
	// section 3.2.2).
	case req.URL.Host == "":
		return p.refuse(conn, req, http.StatusBadRequest)
	}
	return p.forward(conn, req)
}

// challenge is what a request without the credentials that are wanted is
// asked for.
func (p *HTTPProxy) challenge(req *http.Request) string {
	if p.Ask != nil {
		return p.Ask(req)
	}
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(p.User+":"+p.Pass))
	if p.User == "" || req.Header.Get("Proxy-Authorization") == want {
		return ""
	}
	return `Basic realm="tests"`
}

// refuse answers with an error of the proxy's own, and with the fields that are
// named and valued in turn.
func (p *HTTPProxy) refuse(conn net.Conn, req *http.Request, status int, fields ...string) bool {
	text := http.StatusText(status)
	res := &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)),
	}
	for i := 0; i < len(fields); i += 2 {
		res.Header.Set(fields[i], fields[i+1])
	}
	// What is left of the body would be taken for the next request.
	_, _ = io.Copy(io.Discard, req.Body)
	return res.Write(conn) == nil
}

// tunnel answers a CONNECT and, when that opens a tunnel, serves it to its end.
func (p *HTTPProxy) tunnel(conn net.Conn, br *bufio.Reader, req *http.Request) {
	if a := p.ConnectAnswer; a != "" && !strings.HasPrefix(a, "HTTP/1.1 200") {
		_, _ = io.WriteString(conn, a)
		return
	}
	target, err := p.Hosts.dial(p.l.ctx, req.Host)
	if err != nil {
		p.refuse(conn, req, http.StatusBadGateway)
		return
	}
	answer := p.ConnectAnswer
	if answer == "" {
		answer = "HTTP/1.1 200 Connection established\r\n\r\n"
	}
	_, _ = io.WriteString(conn, answer)
	// What the client has sent along with its CONNECT may be in br.
	p.l.join(conn, br, target)
}

// forward passes a request on to its host and the response back.
func (p *HTTPProxy) forward(conn net.Conn, req *http.Request) bool {
	// One for each request, so that no connection outlives it.
	transport := &http.Transport{
		DisableCompression: true,
		DisableKeepAlives:  true,
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return p.Hosts.dial(ctx, address)
		},
	}
	// The credentials are for this proxy and no one behind it (RFC 9110, section
	// 11.7.2).
	req.Header.Del("Proxy-Authorization")
	// A client's request must not have it.
	req.RequestURI = ""
	if req.Header.Get("User-Agent") == "" {
		req.Header["User-Agent"] = nil // so that the transport adds none
	}
	res, err := transport.RoundTrip(req.WithContext(p.l.ctx))
	if err != nil {
		return p.refuse(conn, req, http.StatusBadGateway)
	}
	defer res.Body.Close()
	// The connection to the host is closed after its response; the one to
	// the client only where the end of the body is not told otherwise.
	res.Close = res.ContentLength < 0 && len(res.TransferEncoding) == 0
	res.Header.Del("Connection")
	return res.Write(conn) == nil && !req.Close && !res.Close
}

// readHead reads up to and with the first blank line.
func readHead(br *bufio.Reader) (string, error) {
	var head bytes.Buffer
	for {
		line, err := br.ReadSlice('\n')
		head.Write(line)
		if err != nil {
			return "", err
		}
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			return head.String(), nil
		}
	}
}
