// Command socks reaches a server through a SOCKS5 proxy, with the names
// looked up here or by the proxy.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"

	"github.com/seed-9ea40bd3/requests"
)

func main() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "hello from ", r.Host)
	}))
	defer server.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()
	go serveSOCKS(ln)
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	if err := run(context.Background(), ln.Addr().String(), port); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, proxy, port string) error {
	s := requests.NewSession(requests.Proxy("all", "socks5://user:secret@"+proxy))
	defer s.Close()

	// socks5: the proxy is given an address that was looked up here.
	r, err := s.Get(ctx, "http://127.0.0.1:"+port+"/")
	if err != nil {
		return err
	}
	fmt.Println("socks5: ", r.Text())

	// socks5h: the proxy is given the name, which need not be known here.
	remote := requests.Proxy("all", "socks5h://user:secret@"+proxy)
	r, err = s.Get(ctx, "http://server.internal:"+port+"/", remote)
	if err != nil {
		return err
	}
	fmt.Println("socks5h:", r.Text())

	// The proxy's refusals are errors of a kind of their own.
	_, err = s.Get(ctx, "http://127.0.0.1:"+port+"/", requests.Proxy("all", "socks5://user:wrong@"+proxy))
	if !errors.Is(err, requests.ErrProxy) {
		return fmt.Errorf("wrong password: got %w", err)
	}
	fmt.Println("wrong password: refused")
	return nil
}

// serveSOCKS stands for the proxy. It knows one user, and where
// server.internal is.
func serveSOCKS(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			target, err := negotiate(c)
			if err != nil {
				return
			}
			defer target.Close()
			go func() { _, _ = io.Copy(target, c) }()
			_, _ = io.Copy(c, target)
		}()
	}
}

var errRefused = errors.New("refused")

// negotiate speaks RFC 1928 and RFC 1929 as far as this program needs it.
func negotiate(c net.Conn) (net.Conn, error) {
	take := func(n int) []byte {
		b := make([]byte, n)
		if _, err := io.ReadFull(c, b); err != nil {
			return make([]byte, n) // which no case below takes for anything
		}
		return b
	}
	counted := func() string { return string(take(int(take(1)[0]))) }

	take(1) // the version
	counted()
	_, _ = c.Write([]byte{5, 2}) // user and password, please
	take(1)
	if user, password := counted(), counted(); user != "user" || password != "secret" {
		_, _ = c.Write([]byte{1, 1})
		return nil, errRefused
	}
	_, _ = c.Write([]byte{1, 0})

	var host string
	switch head := take(4); head[3] {
	case 1:
		host = net.IP(take(4)).String()
	case 3:
		host = strings.ReplaceAll(counted(), "server.internal", "127.0.0.1")
	default:
		return nil, errRefused
	}
	port := strconv.Itoa(int(binary.BigEndian.Uint16(take(2))))
	target, err := net.Dial("tcp", net.JoinHostPort(host, port))
	if err != nil {
		_, _ = c.Write([]byte{5, 4, 0, 1, 0, 0, 0, 0, 0, 0}) // host unreachable
		return nil, err
	}
	_, err = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	return target, err
}
