// Command proxyauth goes through an HTTP proxy that wants a user and a
// password.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"

	"github.com/seed-9ea40bd3/requests"
)

func main() {
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello, proxy password seen: %t", r.Header.Get("Proxy-Authorization") != "")
	})
	plain, secure := httptest.NewServer(hello), httptest.NewTLSServer(hello)
	defer plain.Close()
	defer secure.Close()
	proxy := httptest.NewServer(newProxy("alice", "s3cret"))
	defer proxy.Close()
	if err := run(context.Background(), proxy.Listener.Addr().String(), plain.URL, secure); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, proxy, plainURL string, secure *httptest.Server) error {
	s := requests.NewSession()
	defer s.Close()
	s.Verify = requests.TLSVerify{Roots: secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}

	// Characters that mean something in a URL must be escaped in it:
	// url.UserPassword does that.
	s.Proxies = requests.ProxyMap{"all": "http://alice:s3cret@" + proxy}
	for _, url := range []string{plainURL, secure.URL} {
		r, err := s.Get(ctx, url)
		if err != nil {
			return err
		}
		fmt.Printf("%s: %s\n", strings.SplitN(url, ":", 2)[0], r.Text())
	}

	// A refusal is an ordinary response to a plain request …
	wrong := requests.Proxy("all", "http://alice:wrong@"+proxy)
	r, err := s.Get(ctx, plainURL, wrong)
	if err != nil {
		return err
	}
	fmt.Println("http, wrong password:", r.StatusCode)

	// … but an error where there is no tunnel through which to get one.
	_, err = s.Get(ctx, secure.URL, wrong)
	var refused *requests.ProxyRefusedError
	if !errors.Is(err, requests.ErrProxy) || !errors.As(err, &refused) {
		return fmt.Errorf("wrong password: got %w", err)
	}
	fmt.Println("https, wrong password:", refused.StatusCode, refused.Header.Get("Proxy-Authenticate"))
	return nil
}

// newProxy stands for the proxy.
func newProxy(user, password string) http.Handler {
	forward := &httputil.ReverseProxy{Rewrite: func(*httputil.ProxyRequest) {}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A proxy's credentials look like a server's in another field.
		r.Header.Set("Authorization", r.Header.Get("Proxy-Authorization"))
		u, p, _ := r.BasicAuth()
		r.Header.Del("Authorization")
		r.Header.Del("Proxy-Authorization")
		switch {
		case u != user || p != password:
			w.Header().Set("Proxy-Authenticate", `Basic realm="proxy"`)
			w.WriteHeader(http.StatusProxyAuthRequired)
		case r.Method == http.MethodConnect:
			tunnel(w, r)
		default:
			forward.ServeHTTP(w, r)
		}
	})
}

// tunnel answers CONNECT.
func tunnel(w http.ResponseWriter, r *http.Request) {
	target, err := net.Dial("tcp", r.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer target.Close()
	// The answer comes after the connection is taken over: a client that has
	// it sends at once, and the server would read the first byte.
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	if _, err := io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	go func() { _, _ = io.Copy(target, client) }()
	_, _ = io.Copy(client, target)
}
