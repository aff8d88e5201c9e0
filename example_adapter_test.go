package requests_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed-9ea40bd3/requests"
)

// teapot is an adapter that answers by itself, for a scheme of its own.
type teapot struct{}

func (teapot) Send(_ context.Context, p *requests.PreparedRequest, _ requests.Settings) (*requests.Response, error) {
	headers := requests.NewHeaders("Content-Type", "text/plain; charset=utf-8")
	return requests.NewResponse(p, http.StatusTeapot, "I'm a teapot", headers, strings.NewReader("short and stout")), nil
}

func (teapot) Close() error { return nil }

// An adapter sends what begins with the prefix that it is mounted under.
func ExampleAdapter() {
	s := requests.NewSession()
	defer s.Close()
	s.Mount("teapot://", teapot{})
	r, err := s.Get(ctx, "teapot://kitchen/pour")
	if err != nil {
		panic(err)
	}
	fmt.Println(r, r.Text())
	// Output:
	// <Response [418]> short and stout
}

// The longest prefix that fits counts.
func ExampleSession_Mount() {
	s := requests.NewSession()
	defer s.Close()
	api := &requests.HTTPAdapter{MaxRetries: requests.Retries(3)}
	s.Mount("https://api.example.com/", api)

	for _, url := range []string{"https://api.example.com/users", "https://example.com/"} {
		a, err := s.Adapter(url)
		if err != nil {
			panic(err)
		}
		fmt.Println(a == requests.Adapter(api))
	}
	// Output:
	// true
	// false
}

func ExampleSession_Adapter() {
	var s requests.Session
	_, err := s.Adapter("ftp://example.com/")
	fmt.Println(errors.Is(err, requests.ErrInvalidSchema))
	// Output:
	// true
}

// An adapter for a service that needs a version of TLS of its own.
func ExampleHTTPAdapter() {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()

	s := requests.NewSession(requests.Verify(false)) // a server for tests
	defer s.Close()
	s.Mount("https://", &requests.HTTPAdapter{
		TLS: requests.TLSSettings{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12},
	})
	r, err := s.Get(ctx, server.URL)
	if err != nil {
		panic(err)
	}
	fmt.Println(r.TLS.Version == tls.VersionTLS12)
	// Output:
	// true
}

// Connections are reused within a session without further ado, once a body
// was read.
func ExampleHTTPAdapter_keepAlive() {
	var dials atomic.Int32
	server := newEcho()
	defer server.Close()

	s := requests.NewSession()
	defer s.Close()
	s.Mount("http://", &requests.HTTPAdapter{
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			dials.Add(1)
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	})
	for range 3 {
		if _, err := s.Get(ctx, server.URL); err != nil {
			panic(err)
		}
	}
	fmt.Println(dials.Load())
	// Output:
	// 1
}

// flaky answers 502 until it was asked for the third time.
func flaky() *httptest.Server {
	var asked atomic.Int32
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 3 {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
}

// Automatic retries, with a wait that doubles.
func ExampleRetry() {
	server := flaky()
	defer server.Close()

	s := requests.NewSession()
	defer s.Close()
	s.Mount("http://", &requests.HTTPAdapter{MaxRetries: &requests.Retry{
		Total:           3,
		BackoffFactor:   time.Millisecond,
		StatusForcelist: []int{502, 503, 504},
		AllowedMethods:  []string{"POST"},
	}})
	r, err := s.Post(ctx, server.URL)
	if err != nil {
		panic(err)
	}
	for _, a := range r.Attempts() {
		fmt.Println(a.Method, a.StatusCode)
	}
	fmt.Println(r)
	// Output:
	// POST 502
	// POST 502
	// <Response [200]>
}

// A plain number retries what cannot have had an effect.
func ExampleRetries() {
	server := newEcho()
	address := server.URL
	server.Close()

	s := requests.NewSession()
	defer s.Close()
	s.Mount("http://", &requests.HTTPAdapter{MaxRetries: requests.Retries(2)})
	_, err := s.Get(ctx, address)
	if e, ok := errors.AsType[*requests.Error](err); ok {
		fmt.Println(errors.Is(err, requests.ErrConnection), len(e.Attempts()))
	}
	// Output:
	// true 2
}

// A timeout limits connecting, and each wait for bytes.
func ExampleTimeout() {
	server := newBin()
	defer server.Close()

	_, err := requests.Get(ctx, server.URL+"/delay/10", requests.Timeout(100*time.Millisecond))
	fmt.Println(errors.Is(err, requests.ErrTimeout), errors.Is(err, requests.ErrReadTimeout))
	// Output:
	// true true
}

// The two can differ, as Requests' tuple has it.
func ExampleConnectTimeout() {
	server := newEcho()
	defer server.Close()

	r, err := requests.Get(ctx, server.URL,
		requests.ConnectTimeout(3050*time.Millisecond),
		requests.ReadTimeout(27*time.Second))
	fmt.Println(r, err)
	// Output:
	// <Response [200]> <nil>
}

// Zero waits for ever, whatever the session says.
func ExampleReadTimeout() {
	server := newBin()
	defer server.Close()

	s := requests.NewSession(requests.ReadTimeout(time.Millisecond))
	defer s.Close()
	r, err := s.Get(ctx, server.URL+"/delay/50ms", requests.ReadTimeout(0))
	fmt.Println(r, err)
	// Output:
	// <Response [200]> <nil>
}

// What Requests does not have: a limit on the whole call, its body included.
func ExampleTotalTimeout() {
	server := newBin()
	defer server.Close()

	_, err := requests.Get(ctx, server.URL+"/drip?duration=5s&numbytes=100",
		requests.ReadTimeout(time.Second), requests.TotalTimeout(50*time.Millisecond))
	fmt.Println(errors.Is(err, requests.ErrTimeout))
	// Output:
	// true
}

// A response of one's own, for adapters, hooks and tests.
func ExampleNewResponse() {
	r := requests.NewResponse(nil, http.StatusOK, "OK", requests.NewHeaders(), nil)
	defer r.Close()
	fmt.Println(r, len(r.Content()))

	r = requests.NewResponse(nil, http.StatusOK, "OK", requests.NewHeaders(), strings.NewReader("a\nb\n"))
	for line, err := range r.Lines() {
		fmt.Println(line, err)
	}
	// Output:
	// <Response [200]> 0
	// a <nil>
	// b <nil>
}
