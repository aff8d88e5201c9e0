//go:build linux

package services_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// An origin is a server that keeps what it is sent, byte for byte, and answers
// each request with its method, target and body.
type origin struct {
	url  string
	addr string
	seen recording
}

// A recording is a list of texts that goroutines share.
type recording struct {
	mu    sync.Mutex // guards texts
	texts []string
}

func (r *recording) add(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.texts = append(r.texts, text)
}

// take returns the texts and forgets them.
func (r *recording) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := slices.Clone(r.texts)
	r.texts = nil
	return out
}

// newOrigin starts an origin, over TLS where there is an authority. Its
// certificate is for localhost and 127.0.0.1.
func newOrigin(t *testing.T, ca *testserver.CA) *origin {
	t.Helper()
	o := &origin{}
	var config *tls.Config
	scheme := "http"
	if ca != nil {
		scheme = "https"
		config = &tls.Config{Certificates: []tls.Certificate{ca.Leaf("localhost", "127.0.0.1")}}
	}
	o.addr = accept(t, func(c net.Conn) {
		if config != nil {
			c = tls.Server(c, config)
		}
		o.serve(c)
	})
	o.url = scheme + "://" + o.addr
	return o
}

// accept listens on the loopback interface and gives each connection to a
// goroutine; all end with the test.
func accept(t *testing.T, serve func(net.Conn)) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		conns []net.Conn
	)
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return ln.Addr().String()
}

// serve answers the requests of a connection.
func (o *origin) serve(c net.Conn) {
	br := bufio.NewReader(c)
	for {
		head, err := readHead(br)
		if err != nil {
			return
		}
		o.seen.add(head)
		req, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader(head), br)))
		if err != nil {
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		text := req.Method + " " + req.RequestURI + " " + string(body)
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
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

// A tap passes connections on to an address, and keeps what the clients sent.
type tap struct {
	addr string
	seen recording
}

// newTap starts a tap in front of an address.
func newTap(t *testing.T, to string) *tap {
	t.Helper()
	p := &tap{}
	p.addr = accept(t, func(c net.Conn) {
		server, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer server.Close()
		go func() {
			_, _ = io.Copy(c, server)
			c.Close()
		}()
		_, _ = io.Copy(io.MultiWriter(&headWriter{seen: &p.seen}, server), c)
	})
	return p
}

// A headWriter keeps each head that is written to it, before anybody who is
// written to after it can answer.
type headWriter struct {
	seen *recording
	open []byte // of a head that has not come to its end
}

func (w *headWriter) Write(p []byte) (int, error) {
	w.open = append(w.open, p...)
	for {
		end := bytes.Index(w.open, []byte("\r\n\r\n"))
		if end < 0 {
			return len(p), nil
		}
		w.seen.add(string(w.open[:end+4]))
		w.open = w.open[end+4:]
	}
}
