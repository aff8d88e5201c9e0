package engine

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-9ea40bd3/requests"
)

// engineUnderTest is what both spikes are.
type engineUnderTest interface {
	http.RoundTripper
	CloseIdleConnections()
}

// onBoth runs a test over both engines. The head is net/http's here, since
// the connections are plain ones.
func onBoth(t *testing.T, maxOpen int, f func(t *testing.T, e engineUnderTest, dials *atomic.Int32)) {
	t.Helper()
	for name, make := range map[string]func(*http.Transport) engineUnderTest{
		"loop":       func(t *http.Transport) engineUnderTest { return NewLoop(t) },
		"clientconn": func(t *http.Transport) engineUnderTest { return NewClientConns(t) },
	} {
		t.Run(name, func(t *testing.T) {
			var dials atomic.Int32
			transport := &http.Transport{
				MaxIdleConnsPerHost: 10, MaxConnsPerHost: maxOpen, DisableCompression: true, ForceAttemptHTTP2: true,
				DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
					dials.Add(1)
					return new(net.Dialer).DialContext(ctx, network, addr)
				},
				DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
					dials.Add(1)
					config := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}
					c, err := (&tls.Dialer{Config: config}).DialContext(ctx, network, addr)
					return c, err
				},
			}
			e := make(transport)
			defer e.CloseIdleConnections()
			f(t, e, &dials)
		})
	}
}

func send(t *testing.T, e http.RoundTripper, method, url string, body io.Reader) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := e.RoundTrip(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

func echo(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %s", r.Method, r.Proto, b)
}

func TestReuse(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(echo))
	defer srv.Close()
	onBoth(t, 0, func(t *testing.T, e engineUnderTest, dials *atomic.Int32) {
		for i := range 20 {
			body := strings.Repeat("x", i*2000)
			_, got, err := send(t, e, "POST", srv.URL, strings.NewReader(body))
			if want := "POST HTTP/1.1 " + body; err != nil || got != want {
				t.Fatalf("got %d bytes, %v, want %d", len(got), err, len(want))
			}
		}
		// A connection is given up whose writer has not come back when the answer is
		// here, which happens to large bodies now and then.
		if dials.Load() > 10 {
			t.Errorf("got %d dials for 20 requests", dials.Load())
		}
	})
}

func TestHTTP2(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(echo))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	onBoth(t, 0, func(t *testing.T, e engineUnderTest, dials *atomic.Int32) {
		for range 3 {
			if _, got, err := send(t, e, "POST", srv.URL, strings.NewReader("b")); err != nil || got != "POST HTTP/2.0 b" {
				t.Fatalf("got %q, %v", got, err)
			}
		}
		if dials.Load() != 1 {
			t.Errorf("got %d dials, want 1", dials.Load())
		}
	})
}

// TestQueue has many requests share two connections.
func TestQueue(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(echo))
	defer srv.Close()
	onBoth(t, 2, func(t *testing.T, e engineUnderTest, dials *atomic.Int32) {
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				for range 10 {
					if _, got, err := send(t, e, "GET", srv.URL, nil); err != nil || got != "GET HTTP/1.1 " {
						t.Errorf("got %q, %v", got, err)
					}
				}
			})
		}
		wg.Wait()
		if dials.Load() > 2 {
			t.Errorf("got %d dials, want at most 2", dials.Load())
		}
	})
}

// raw answers every connection by f.
func raw(t *testing.T, f func(c net.Conn, r *bufio.Reader)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				f(c, bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return "http://" + l.Addr().String()
}

// head reads a request's head.
func head(r *bufio.Reader) {
	for line := ""; line != "\r\n"; {
		var err error
		if line, err = r.ReadString('\n'); err != nil {
			return
		}
	}
}

func TestInterim(t *testing.T) {
	url := raw(t, func(c net.Conn, r *bufio.Reader) {
		head(r)
		io.WriteString(c, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	})
	onBoth(t, 0, func(t *testing.T, e engineUnderTest, _ *atomic.Int32) {
		var hints int
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, _ textproto.MIMEHeader) error { hints += code; return nil },
		})
		req, _ := http.NewRequestWithContext(ctx, "GET", url, nil)
		resp, err := e.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		if string(b) != "ok" || err != nil || hints != 103 {
			t.Errorf("got %q, %v, %d", b, err, hints)
		}
	})
}

// endless is a body that ends when it is closed.
type endless struct{ closed atomic.Bool }

func (e *endless) Read(b []byte) (int, error) {
	if e.closed.Load() {
		return 0, io.ErrClosedPipe
	}
	return len(b), nil
}

func (e *endless) Close() error { e.closed.Store(true); return nil }

func TestEarlyAnswer(t *testing.T) {
	url := raw(t, func(c net.Conn, r *bufio.Reader) {
		head(r)
		io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
		io.Copy(io.Discard, r)
	})
	onBoth(t, 0, func(t *testing.T, e engineUnderTest, _ *atomic.Int32) {
		body := new(endless)
		resp, got, err := send(t, e, "POST", url, body)
		body.closed.Store(true)
		if err != nil || got != "no" || resp.StatusCode != 413 {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestCancel(t *testing.T) {
	for _, answer := range []string{"", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart"} {
		arrived := make(chan struct{}, 1)
		url := raw(t, func(c net.Conn, r *bufio.Reader) {
			head(r)
			io.WriteString(c, answer)
			arrived <- struct{}{}
			io.Copy(io.Discard, r)
		})
		onBoth(t, 0, func(t *testing.T, e engineUnderTest, _ *atomic.Int32) {
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-arrived; cancel() }()
			req, _ := http.NewRequestWithContext(ctx, "GET", url, nil)
			resp, err := e.RoundTrip(req)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			if err != context.Canceled {
				t.Errorf("got %v, want %v", err, context.Canceled)
			}
		})
	}
}

// TestSeam has an adapter of the library send over a spike: what the seam
// alone gives, without the library's heads and proxies.
func TestSeam(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(echo))
	defer srv.Close()
	onBoth(t, 0, func(t *testing.T, e engineUnderTest, dials *atomic.Int32) {
		s := requests.NewSession()
		s.Mount("http://", &requests.HTTPAdapter{Transport: e})
		defer s.Close()
		for range 3 {
			r, err := s.Post(t.Context(), srv.URL, requests.JSON(1))
			if err != nil || r.Text() != "POST HTTP/1.1 1" {
				t.Fatalf("got %v, %v", r, err)
			}
			awaitIdle(t, e)
		}
		if dials.Load() != 1 {
			t.Errorf("got %d dials, want 1", dials.Load())
		}
	})
}

// awaitIdle waits until a connection is in the pool again: an answer may be here
// before the request is known to be out, and its connection comes back after that.
func awaitIdle(t *testing.T, e engineUnderTest) {
	t.Helper()
	var p *pool
	switch e := e.(type) {
	case *Loop:
		p = &e.pool
	case *ClientConns:
		p = &e.pool
	}
	idle := func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, h := range p.hosts {
			if len(h.idle) > 0 {
				return true
			}
		}
		return false
	}
	for end := time.Now().Add(5 * time.Second); !idle(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("no connection came back")
		}
	}
}
