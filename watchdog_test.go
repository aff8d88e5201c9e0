package requests

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// pipeSetup is a session in a bubble of fake time, whose connections are pipes
// to serve. It is called within [synctest.Test], and its close ends it all.
func pipeSetup(a *HTTPAdapter, serve func(c net.Conn, r *bufio.Reader)) (s *Session, dials *atomic.Int64) {
	dials = new(atomic.Int64)
	if a.Dial == nil {
		a.Dial = func(context.Context, string, string) (net.Conn, error) {
			dials.Add(1)
			near, far := net.Pipe()
			go func() {
				defer far.Close()
				serve(far, bufio.NewReader(far))
			}()
			return near, nil
		}
	}
	s = &Session{IgnoreEnv: true}
	s.Mount("http://", a)
	s.Mount("https://", a)
	return s, dials
}

// drip writes s byte by byte, with a wait before each.
func drip(c net.Conn, s string, wait time.Duration) {
	for i := range len(s) {
		time.Sleep(wait)
		if _, err := io.WriteString(c, s[i:i+1]); err != nil {
			return
		}
	}
}

const okBody = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"

func TestReadTimeout(t *testing.T) {
	const limit = 2 * time.Second
	tests := []struct {
		name  string
		serve func(c net.Conn, r *bufio.Reader)
		kinds []error // nil where it goes well
		not   []error
	}{
		{
			"no answer", func(c net.Conn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) },
			[]error{ErrReadTimeout, ErrTimeout},
			[]error{ErrConnection, ErrConnectTimeout},
		},
		{"half a head", func(c net.Conn, r *bufio.Reader) {
			readHead(r)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nX-")
			_, _ = io.Copy(io.Discard, r)
		}, []error{ErrReadTimeout, ErrTimeout}, []error{ErrConnection}},
		{"half a body", func(c net.Conn, r *bufio.Reader) {
			readHead(r)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
			_, _ = io.Copy(io.Discard, r)
		}, []error{ErrReadTimeout, ErrTimeout, ErrConnection}, []error{ErrConnectTimeout, ErrChunkedEncoding}},
		{"half a chunk", func(c net.Conn, r *bufio.Reader) {
			readHead(r)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n9\r\n")
			_, _ = io.Copy(io.Discard, r)
		}, []error{ErrReadTimeout, ErrTimeout, ErrConnection}, nil},
		{"a drip of everything", func(c net.Conn, r *bufio.Reader) {
			readHead(r)
			drip(c, okBody, limit*9/10)
			_, _ = io.Copy(io.Discard, r)
		}, nil, nil},
		{"interim answers", func(c net.Conn, r *bufio.Reader) {
			readHead(r)
			for range 4 {
				time.Sleep(limit * 9 / 10)
				_, _ = io.WriteString(c, "HTTP/1.1 102 Processing\r\n\r\n")
			}
			_, _ = io.WriteString(c, okBody)
			_, _ = io.Copy(io.Discard, r)
		}, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := pipeSetup(new(HTTPAdapter), tt.serve)
				defer s.Close()
				begin := time.Now()
				r, err := s.Get(t.Context(), "http://a.test/", ReadTimeout(limit))
				if tt.kinds == nil {
					require.NoError(t, err)
					assert.Equal(t, "body", r.Text())
					return
				}
				for _, kind := range tt.kinds {
					assert.ErrorIs(t, err, kind)
				}
				for _, kind := range tt.not {
					assert.NotErrorIs(t, err, kind)
				}
				took := time.Since(begin)
				assert.GreaterOrEqual(t, took, limit)
				assert.LessOrEqual(t, took, limit*3/2)
				e := asError(t, err)
				assert.True(t, e.Timeout())
				assert.True(t, e.MaybeSent)
				var ne net.Error
				assert.True(t, errors.As(err, &ne) && ne.Timeout())
			})
		})
	}
}

// Zero, and no timeout, wait for ever.
func TestNoReadTimeout(t *testing.T) {
	for _, opts := range [][]Option{nil, {Timeout(0)}, {Without(Timeout(0))}} {
		synctest.Test(t, func(t *testing.T) {
			s, _ := pipeSetup(new(HTTPAdapter), func(c net.Conn, r *bufio.Reader) {
				readHead(r)
				drip(c, okBody, 24*time.Hour)
				_, _ = io.Copy(io.Discard, r)
			})
			defer s.Close()
			r, err := s.Get(t.Context(), "http://a.test/", opts...)
			require.NoError(t, err)
			assert.Equal(t, "body", r.Text())
		})
	}
}

// A consumer of a stream may idle: the wait is the peer's alone.
func TestSlowConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := pipeSetup(new(HTTPAdapter), func(c net.Conn, r *bufio.Reader) {
			readHead(r)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			for range 5 {
				_, _ = io.WriteString(c, "3\r\nabc\r\n")
			}
			_, _ = io.WriteString(c, "0\r\n\r\n")
			_, _ = io.Copy(io.Discard, r)
		})
		defer s.Close()
		r, err := s.Get(t.Context(), "http://a.test/", ReadTimeout(time.Second), Stream())
		require.NoError(t, err)
		n := 0
		for piece, err := range r.Chunks(0) {
			require.NoError(t, err)
			n += len(piece)
			time.Sleep(time.Hour)
		}
		assert.Equal(t, 15, n)
	})
}

// After an idle hour the wait for the peer starts anew.
func TestReadTimeoutAfterIdling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := pipeSetup(new(HTTPAdapter), func(c net.Conn, r *bufio.Reader) {
			readHead(r)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
			_, _ = io.Copy(io.Discard, r)
		})
		defer s.Close()
		r, err := s.Get(t.Context(), "http://a.test/", ReadTimeout(time.Second), Stream())
		require.NoError(t, err)
		_, err = io.ReadFull(r, make([]byte, 3))
		require.NoError(t, err)
		time.Sleep(time.Hour)
		begin := time.Now()
		_, err = r.Read(make([]byte, 1))
		assert.ErrorIs(t, err, ErrReadTimeout)
		assert.ErrorIs(t, err, ErrConnection)
		assert.GreaterOrEqual(t, time.Since(begin), time.Second)
		assert.LessOrEqual(t, time.Since(begin), 3*time.Second/2)
		assert.ErrorIs(t, r.Err(), ErrReadTimeout)
	})
}

// slowSource gives a byte after each wait.
type slowSource struct {
	left int
	wait time.Duration
}

func (s *slowSource) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	time.Sleep(s.wait)
	s.left--
	p[0] = 'x'
	return 1, nil
}

// A body that is slow to come is not the peer's silence; a peer that takes
// nothing of it is.
func TestReadTimeoutOfUploads(t *testing.T) {
	t.Run("slow source", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, _ := pipeSetup(new(HTTPAdapter), func(c net.Conn, r *bufio.Reader) {
				req, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				b, _ := io.ReadAll(req.Body)
				fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d", len(b))
				_, _ = io.Copy(io.Discard, r)
			})
			defer s.Close()
			r, err := s.Post(t.Context(), "http://a.test/", ReadTimeout(time.Second), Body(&slowSource{5, time.Hour}))
			require.NoError(t, err)
			assert.Equal(t, "5", r.Text())
		})
	})
	t.Run("slow peer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, _ := pipeSetup(new(HTTPAdapter), func(c net.Conn, r *bufio.Reader) {
				readHead(r)
				buf := make([]byte, 16<<10)
				for total := 0; total < 1<<20; total += len(buf) {
					time.Sleep(400 * time.Millisecond)
					if _, err := io.ReadFull(r, buf); err != nil {
						return
					}
				}
				_, _ = io.WriteString(c, okBody)
				_, _ = io.Copy(io.Discard, r)
			})
			defer s.Close()
			for _, opt := range []Option{Body(&generated{1 << 20}), BodyChunks(seqOf(strings.Repeat("x", 1<<20)))} {
				_, err := s.Post(t.Context(), "http://a.test/", ReadTimeout(time.Second), opt)
				require.NoError(t, err)
				require.NoError(t, s.Close())
			}
		})
	})
	t.Run("peer that takes nothing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			done := make(chan struct{})
			s, _ := pipeSetup(new(HTTPAdapter), func(c net.Conn, r *bufio.Reader) {
				readHead(r)
				<-done
			})
			defer s.Close()
			defer close(done)
			begin := time.Now()
			_, err := s.Post(t.Context(), "http://a.test/", ReadTimeout(time.Second), Body(&generated{1 << 40}))
			assert.ErrorIs(t, err, ErrReadTimeout)
			assert.LessOrEqual(t, time.Since(begin), 3*time.Second)
		})
	})
}

func TestConnectTimeout(t *testing.T) {
	hangDial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	hangLookup := func(ctx context.Context, _ string) ([]netip.Addr, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	silent := func(c net.Conn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) }
	const limit = 3 * time.Second
	tests := []struct {
		name    string
		url     string
		adapter *HTTPAdapter
		dns     bool
		opts    []Option
		kinds   []error
	}{
		{"dialling", "http://a.test/", &HTTPAdapter{Dial: hangDial}, false, nil, []error{ErrConnectTimeout}},
		{"DNS", "http://a.test/", &HTTPAdapter{Resolve: hangLookup}, true, nil, []error{ErrConnectTimeout}},
		{"TLS", "https://a.test/", new(HTTPAdapter), false, nil, []error{ErrConnectTimeout}},
		{"dialling a proxy", "http://a.test/", &HTTPAdapter{Dial: hangDial}, false, []Option{Proxy("all", "http://p.test:1")}, []error{ErrConnectTimeout, ErrProxy}},
		{"tunnel", "https://a.test/", new(HTTPAdapter), false, []Option{Proxy("all", "http://p.test:1")}, []error{ErrConnectTimeout, ErrProxy}},
		{"SOCKS", "http://a.test/", new(HTTPAdapter), false, []Option{Proxy("all", "socks5h://p.test:1")}, []error{ErrConnectTimeout, ErrProxy}},
		{"TLS to a proxy", "http://a.test/", new(HTTPAdapter), false, []Option{Proxy("all", "https://p.test:1")}, []error{ErrConnectTimeout, ErrProxy}},
		{"TLS to a proxy for a tunnel", "https://a.test/", new(HTTPAdapter), false, []Option{Proxy("all", "https://p.test:1")}, []error{ErrConnectTimeout, ErrProxy}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if tt.dns {
					tt.adapter.Dial = nil
				}
				s := &Session{IgnoreEnv: true}
				if tt.dns {
					s.Mount("http://", tt.adapter)
				} else {
					s, _ = pipeSetup(tt.adapter, silent)
				}
				defer s.Close()
				begin := time.Now()
				_, err := s.Get(t.Context(), tt.url, append(tt.opts, ConnectTimeout(limit), ReadTimeout(time.Hour))...)
				for _, kind := range append(tt.kinds, ErrConnection, ErrTimeout) {
					assert.ErrorIs(t, err, kind)
				}
				assert.NotErrorIs(t, err, ErrReadTimeout)
				assert.NotErrorIs(t, err, ErrSSL)
				assert.Equal(t, limit, time.Since(begin))
				assert.False(t, asError(t, err).MaybeSent)
			})
		})
	}
}

// The pool closes what was idle for long, and keeps what was not.
func TestIdleTimeout(t *testing.T) {
	tests := []struct {
		idle, wait time.Duration
		want       int64
	}{
		{0, 80 * time.Second, 1},
		{0, 100 * time.Second, 2},
		{time.Second, 2 * time.Second, 2},
		{-1, 1000 * time.Hour, 1},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			s, dials := pipeSetup(&HTTPAdapter{IdleTimeout: tt.idle}, func(c net.Conn, r *bufio.Reader) {
				for readHead(r) != "" {
					if _, err := io.WriteString(c, okBody); err != nil {
						return
					}
				}
			})
			defer s.Close()
			for range 2 {
				_, err := s.Get(t.Context(), "http://a.test/")
				require.NoError(t, err)
				time.Sleep(tt.wait)
			}
			assert.Equal(t, tt.want, dials.Load(), "idle timeout %v, wait %v", tt.idle, tt.wait)
		})
	}
}

// The body of a redirect that dawdles does not hold the call up.
func TestDrainIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dials := pipeSetup(new(HTTPAdapter), func(c net.Conn, r *bufio.Reader) {
			head := readHead(r)
			if strings.HasPrefix(head, "GET /end") {
				_, _ = io.WriteString(c, okBody)
			} else {
				_, _ = io.WriteString(c, "HTTP/1.1 302 F\r\nLocation: /end\r\nContent-Length: 9\r\n\r\nabc")
			}
			_, _ = io.Copy(io.Discard, r)
		})
		defer s.Close()
		begin := time.Now()
		r, err := s.Get(t.Context(), "http://a.test/")
		require.NoError(t, err)
		assert.Equal(t, "body", r.Text())
		assert.LessOrEqual(t, time.Since(begin), 2*time.Second)
		assert.EqualValues(t, 2, dials.Load())
	})
}

// A nil watchdog watches nothing.
func TestNilWatchdog(t *testing.T) {
	var w *watchdog
	w.start()
	w.rest()
	w.end()
	assert.False(t, w.over())
}

// The watchdog by itself: it acts between one and one and a half of the
// limit, and only on a wait without progress.
func TestWatchdog(t *testing.T) {
	const limit = time.Second
	setup := func() (w *watchdog, count *atomic.Int64, expired *atomic.Int64) {
		count, expired = new(atomic.Int64), new(atomic.Int64)
		w = newWatchdog(limit, count.Load, func() { expired.Add(1) })
		return w, count, expired
	}
	pass := func(d time.Duration) {
		time.Sleep(d)
		synctest.Wait()
	}
	tests := []struct {
		name string
		do   func(w *watchdog, count *atomic.Int64)
		want int64
	}{
		{"not started", func(*watchdog, *atomic.Int64) { pass(time.Hour) }, 0},
		{"before the limit", func(w *watchdog, _ *atomic.Int64) { w.start(); pass(limit - 1) }, 0},
		{"after the limit", func(w *watchdog, _ *atomic.Int64) { w.start(); pass(limit * 3 / 2) }, 1},
		{"once", func(w *watchdog, _ *atomic.Int64) { w.start(); pass(time.Hour) }, 1},
		{"at rest", func(w *watchdog, _ *atomic.Int64) { w.start(); w.rest(); pass(time.Hour) }, 0},
		{"ended", func(w *watchdog, _ *atomic.Int64) { w.start(); w.end(); pass(time.Hour) }, 0},
		{"started after its end", func(w *watchdog, _ *atomic.Int64) { w.end(); w.start(); pass(time.Hour) }, 0},
		{"progress", func(w *watchdog, count *atomic.Int64) {
			w.start()
			for range 100 {
				pass(limit * 3 / 4)
				count.Add(1)
			}
		}, 0},
		{"waits of their own", func(w *watchdog, _ *atomic.Int64) {
			for range 100 {
				w.start()
				pass(limit * 3 / 4)
				w.rest()
			}
		}, 0},
		{"progress, then none", func(w *watchdog, count *atomic.Int64) {
			w.start()
			pass(limit * 3 / 4)
			count.Add(1)
			pass(limit * 3 / 2)
		}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, count, expired := setup()
				defer w.end()
				tt.do(w, count)
				assert.Equal(t, tt.want, expired.Load())
				assert.Equal(t, tt.want > 0, w.over())
			})
		})
	}
}

// A tick that was under way when the watchdog was ended does nothing.
func TestWatchdogTickAfterEnd(t *testing.T) {
	w := newWatchdog(1, func() int64 { return 0 }, func() { t.Error("expired") })
	w.end()
	w.tick()
	assert.False(t, w.over())
}

// HTTP/2: a stream that stalls times out, and others on its connection do not.
func TestReadTimeoutOverHTTP2(t *testing.T) {
	ca := testserver.NewCA(t)
	release := make(chan struct{})
	url := tlsLoop(t, serverConfig(ca.Leaf("localhost")), func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/body":
			fmt.Fprint(w, "abc")
			_ = http.NewResponseController(w).Flush()
			fallthrough
		case "/head":
			select {
			case <-release:
			case <-r.Context().Done():
			}
		default:
			fmt.Fprint(w, r.Proto)
		}
	})
	defer close(release)
	s := tlsSession(t, new(HTTPAdapter), Settings{Verify: TLSVerify{Roots: ca.Pool()}})
	const limit = 100 * time.Millisecond
	_, err := s.Get(t.Context(), url+"/head", ReadTimeout(limit))
	assert.ErrorIs(t, err, ErrReadTimeout)
	assert.NotErrorIs(t, err, ErrConnection)

	_, err = s.Get(t.Context(), url+"/body", ReadTimeout(limit))
	assert.ErrorIs(t, err, ErrReadTimeout)
	assert.ErrorIs(t, err, ErrConnection)
	assert.Equal(t, "abc", string(asError(t, err).Response.Partial()))

	r, err := s.Get(t.Context(), url+"/", ReadTimeout(10*time.Second))
	require.NoError(t, err)
	assert.Equal(t, "HTTP/2.0", r.Text())
}

// A round-tripper of the caller's is watched too.
func TestReadTimeoutOfAnotherTransport(t *testing.T) {
	s := loopSession(t)
	s.Mount("http://", &HTTPAdapter{Transport: tripFunc(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})})
	_, err := s.Get(t.Context(), "http://a.test/", ReadTimeout(50*time.Millisecond))
	assert.ErrorIs(t, err, ErrReadTimeout)
}

// tripFunc is a function as a round-tripper.
type tripFunc func(*http.Request) (*http.Response, error)

func (f tripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A transport that breaks its contract makes an error, not a panic.
func TestTransportWithoutResponse(t *testing.T) {
	answer := &http.Response{StatusCode: 204, ProtoMajor: 1, ProtoMinor: 1}
	s := loopSession(t)
	s.Mount("http://", &HTTPAdapter{Transport: tripFunc(func(*http.Request) (*http.Response, error) { return answer, nil })})
	for _, opts := range [][]Option{nil, {Stream()}, {Body(strings.NewReader("abc"))}} {
		answer = &http.Response{StatusCode: 204, ProtoMajor: 1, ProtoMinor: 1}
		r, err := s.Put(t.Context(), "http://a.test/", opts...)
		require.NoError(t, err)
		assert.Empty(t, r.Text())
		require.NoError(t, r.Close())
		answer = nil
		_, err = s.Put(t.Context(), "http://a.test/", opts...)
		assert.ErrorIs(t, err, ErrConnection)
	}
}

// Interim responses are signs of life, over HTTP/2 as over HTTP/1.1.
func TestInterimResponsesAreProgress(t *testing.T) {
	ca := testserver.NewCA(t)
	url := tlsLoop(t, serverConfig(ca.Leaf("localhost")), func(w http.ResponseWriter, _ *http.Request) {
		for range 5 {
			time.Sleep(100 * time.Millisecond)
			w.WriteHeader(http.StatusEarlyHints)
		}
		_, _ = io.WriteString(w, "late")
	})
	for _, plain := range []bool{false, true} {
		s := tlsSession(t, &HTTPAdapter{DisableHTTP2: plain})
		r, err := s.Get(t.Context(), url, ReadTimeout(400*time.Millisecond), Settings{Verify: TLSVerify{Roots: ca.Pool()}})
		require.NoError(t, err)
		assert.Equal(t, "late", r.Text())
		assert.Equal(t, map[bool]string{false: "HTTP/2.0", true: "HTTP/1.1"}[plain], r.Proto)
	}
}

// A request that one connection loses and another takes up is watched all the
// while: the race detector sees whether that is safe.
func TestWatchOverTwoConnections(t *testing.T) {
	url := rawLoop(t, func(n int, c net.Conn, r *bufio.Reader) {
		for i := range 2 {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			if n == 0 && i == 1 {
				time.Sleep(25 * time.Millisecond) // some looks of the watchdog's
				return
			}
			_, _ = io.WriteString(c, okBody)
		}
	})
	s := loopSession(t, ReadTimeout(40*time.Millisecond)) // a look each 10 ms
	for range 2 {
		_, err := s.Get(t.Context(), url)
		require.NoError(t, err)
	}
}
