package testserver

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
)

// ask writes a request to an address and returns all that comes back, and the
// error that ended it.
func ask(t *testing.T, addr, request string) (string, error) {
	t.Helper()
	conn := dial(t, addr)
	_, err := io.WriteString(conn, request)
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(300*time.Millisecond)))
	got, err := io.ReadAll(conn)
	return string(got), err
}

const plainRequest = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"

func TestAnswers(t *testing.T) {
	tests := []struct {
		name   string
		answer Answer
		want   string // all bytes, up to the effect
		err    error
	}{
		{"zero", Answer{OnEnd: Shut}, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", nil},
		{"status", Answer{Status: 404, Reason: "Gone Away", OnEnd: Shut}, "HTTP/1.1 404 Gone Away\r\nContent-Length: 2\r\n\r\nok", nil},
		{"fields", Answer{Header: []string{"A: b"}, Body: []byte{}, OnEnd: Shut}, "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 0\r\n\r\n", nil},
		{"repeat", Answer{Body: []byte("ab"), Repeat: 3, OnEnd: Shut}, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nababab", nil},
		{"wrong length", Answer{Length: "+7", OnEnd: Shut}, "HTTP/1.1 200 OK\r\nContent-Length: +7\r\n\r\nok", nil},
		{"no length", Answer{Length: "-", OnEnd: Shut}, "HTTP/1.1 200 OK\r\n\r\nok", nil},
		{"chunks", Answer{Chunked: true, Repeat: 2, OnEnd: Shut}, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n2\r\nok\r\n0\r\n\r\n", nil},
		{"trailer", Answer{Chunked: true, Trailer: "A: b\r\n\r\n", OnEnd: Shut}, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n", nil},
		{"raw", Answer{Raw: "anything", OnEnd: Shut}, "anything", nil},
		{"interim", Answer{Interim: "1\r\n", Interims: 2, Raw: "2", OnEnd: Shut}, "1\r\n1\r\n2", nil},
		{"half-close", Answer{Raw: "x", OnEnd: HalfClose}, "x", nil},
		{"close on head", Answer{OnHead: Shut}, "", nil},
		{"close before", Answer{OnResponse: Shut}, "", nil},
		{"cut at a byte", Answer{Body: []byte("0123456789"), OnBody: Shut, BodyAt: 4}, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123", nil},
		{"cut in a repeat", Answer{Body: []byte("012"), Repeat: 3, OnBody: Shut, BodyAt: 4}, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n0120", nil},
		{"drip", Answer{Raw: "abc", Drip: 1, OnEnd: Shut}, "abc", nil},
		{"reset", Answer{OnResponse: Reset}, "", syscall.ECONNRESET},
		{"stall", Answer{Raw: "x", OnEnd: Stall}, "x", os.ErrDeadlineExceeded},
		{"deaf", Answer{OnResponse: Deaf}, "", os.ErrDeadlineExceeded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := NewFaults(t, tt.answer)
			got, err := ask(t, srv.Addr(), plainRequest)
			assert.Equal(t, tt.want, got)
			assert.ErrorIs(t, err, tt.err)
			require.Len(t, srv.Ledger(), 1)
			assert.Equal(t, "GET /x", srv.Ledger()[0].Method+" "+srv.Ledger()[0].Target)
			assert.Equal(t, plainRequest, srv.Ledger()[0].Head)
		})
	}
}

// An answer without an effect leaves the connection open.
func TestAnswersKeepAlive(t *testing.T) {
	for _, a := range []Answer{{}, {Status: 500}, {Chunked: true}, {Early: true}, {Linger: time.Second, OnEnd: Shut}} {
		srv := NewFaults(t, a)
		conn := dial(t, srv.Addr())
		br := bufio.NewReader(conn)
		for range 2 {
			_, err := io.WriteString(conn, plainRequest)
			require.NoError(t, err)
			resp, err := http.ReadResponse(br, nil)
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, resp.Body)
			require.NoError(t, err)
		}
		ledger := srv.Ledger()
		require.Len(t, ledger, 2)
		assert.Equal(t, [2]int{1, 2}, [2]int{ledger[0].Turn, ledger[1].Turn})
		assert.Equal(t, 1, srv.Accepted())
		assert.Equal(t, 1, srv.Peak())
		assert.Equal(t, []int{1}, srv.Settle(5*time.Millisecond), "the client has not closed")
	}
}

func TestLedgerOfUploads(t *testing.T) {
	body := strings.Repeat("x", maxArrivalBody+10)
	tests := []struct {
		name, request string
		answer        Answer
		whole         bool
		n             int64
	}{
		{"length", fmt.Sprintf("POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s", len(body), body), Answer{OnEnd: Shut}, true, int64(len(body))},
		{"chunks", fmt.Sprintf("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body), Answer{OnEnd: Shut}, true, int64(len(body))},
		{"cut by an effect", "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n123456789", Answer{OnUpload: Shut, UploadAt: 4}, false, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := NewFaults(t, tt.answer)
			_, _ = ask(t, srv.Addr(), tt.request)
			got := srv.Ledger()[0]
			assert.Equal(t, tt.whole, got.Whole)
			assert.Equal(t, tt.n, got.Len)
			assert.LessOrEqual(t, len(got.Body), maxArrivalBody)
			if tt.whole {
				assert.Equal(t, sha256.Sum256([]byte(body)), got.Sum)
			}
		})
	}
}

// An answer on accept is for the connection, and the next is for a request.
func TestAnswerOnAccept(t *testing.T) {
	srv := NewFaults(t, Answer{OnAccept: HalfClose}, Answer{Raw: "second", OnEnd: Shut})
	for _, want := range []string{"", "second"} {
		got, err := ask(t, srv.Addr(), plainRequest)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	assert.Equal(t, 2, srv.Accepted())
	assert.Len(t, srv.Ledger(), 1)
}

// tap keeps what is read.
type tap struct {
	net.Conn
	b []byte
}

func (c *tap) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.b = append(c.b, b[:n]...)
	return n, err
}

// lastRecord is the type of the last TLS record that was read.
func (c *tap) lastRecord() byte {
	kind := byte(0)
	for b := c.b; len(b) >= 5; b = b[5+int(b[3])<<8+int(b[4]):] {
		kind = b[0]
	}
	return kind
}

// A cut under TLS comes without a word, a close with one.
func TestCutTLS(t *testing.T) {
	const alert, data = 21, 23
	ca := NewCA(t)
	for effect, want := range map[Effect]byte{Shut: alert, Cut: data} {
		srv := NewFaultsTLS(t, &tls.Config{Certificates: []tls.Certificate{ca.Leaf("127.0.0.1")}}, Answer{Raw: "x", OnEnd: effect})
		tapped := &tap{Conn: dial(t, srv.Addr())}
		conn := tls.Client(tapped, &tls.Config{RootCAs: ca.Pool(), ServerName: "127.0.0.1", MaxVersion: tls.VersionTLS12})
		_, err := io.WriteString(conn, plainRequest)
		require.NoError(t, err)
		_, _ = io.ReadAll(conn)
		assert.Equal(t, want, tapped.lastRecord(), effect.String())
	}
}

// Over pipes a server's waits are of the faked clock.
func TestPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := NewFaultsPipe(t, nil, Answer{Raw: "abc", Drip: 1, DripEvery: time.Hour, Delay: time.Hour, OnEnd: Shut})
		conn, err := srv.Dial(t.Context(), "tcp", "a.test:80")
		require.NoError(t, err)
		start := time.Now()
		go io.WriteString(conn, plainRequest)
		got, err := io.ReadAll(conn)
		require.NoError(t, err)
		assert.Equal(t, "abc", string(got))
		assert.Equal(t, 4*time.Hour, time.Since(start))
	})
}

// ends reports whether the answer leaves no connection.
func (a *Answer) ends() bool {
	for _, e := range [...]Effect{a.OnAccept, a.OnHead, a.OnUpload, a.OnResponse, a.OnBody, a.OnEnd} {
		if e != Nothing {
			return true
		}
	}
	return false
}

// A seed draws the same faults again, and all kinds come up.
func TestRandom(t *testing.T) {
	names := map[string]bool{}
	for seed := range uint64(200) {
		a := Random(rand.New(rand.NewPCG(seed, 1)))
		b := Random(rand.New(rand.NewPCG(seed, 1)))
		assert.Equal(t, a, b)
		names[a.Name] = true
		if a.Raw == "" {
			assert.True(t, a.ends(), "%s is a fault", a.Name)
		}
	}
	assert.Len(t, names, 16)
}

func TestSeed(t *testing.T) {
	t.Setenv(SeedVariable, "42")
	assert.EqualValues(t, 42, Seed(t))
}

// recorder stands for a test and takes its failures.
type recorder struct {
	*testing.T
	failures []string
	cleanups []func()
}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}
func (r *recorder) Error(args ...any) { r.failures = append(r.failures, fmt.Sprint(args...)) }
func (r *recorder) Cleanup(f func())  { r.cleanups = append(r.cleanups, f) }

// finish runs what the test would at its end.
func (r *recorder) finish() string {
	for _, f := range r.cleanups {
		f()
	}
	return strings.Join(r.failures, "\n")
}

func TestWatch(t *testing.T) {
	tests := []struct {
		name  string
		fault func(t *testing.T, srv *Faults, c *Conditions)
		want  string // in the failure; empty for none
	}{
		{"nothing", func(*testing.T, *Faults, *Conditions) {}, ""},
		{"next request fails", func(_ *testing.T, _ *Faults, c *Conditions) {
			c.Next = func() error { return errors.New("no") }
		}, "the next request failed: no"},
		{"closing fails", func(_ *testing.T, _ *Faults, c *Conditions) {
			c.Close = func() error { return errors.New("no") }
		}, "the client did not close: no"},
		{"reuse", func(t *testing.T, srv *Faults, c *Conditions) {
			conn, _ := net.Dial("tcp", srv.Addr())
			br := bufio.NewReader(conn)
			use := func() error {
				io.WriteString(conn, plainRequest)
				_, err := http.ReadResponse(br, nil)
				io.CopyN(io.Discard, br, 2)
				return err
			}
			require.NoError(t, use())
			c.Next, c.Close = use, conn.Close
		}, "connection 1 was used again"},
		{"twice", func(t *testing.T, srv *Faults, _ *Conditions) {
			for range 2 {
				conn, _ := net.Dial("tcp", srv.Addr())
				io.WriteString(conn, "POST /a HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
				io.ReadFull(conn, make([]byte, 10))
				conn.Close()
			}
		}, "POST /a came twice"},
		{"body closed", func(_ *testing.T, _ *Faults, c *Conditions) {
			c.Body = NewSource(strings.NewReader(""))
			c.Body.Close()
		}, "body was closed"},
		{"body is read later", func(_ *testing.T, _ *Faults, c *Conditions) {
			c.Body = NewSource(strings.NewReader("x"))
			c.Close = func() error { _, err := io.ReadAll(c.Body); return err }
		}, "was read 2 times more"},
		{"temporary file", func(t *testing.T, _ *Faults, _ *Conditions) {
			require.NoError(t, os.WriteFile(filepath.Join(os.TempDir(), "left"), nil, 0o600))
		}, "temporary files are left"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &recorder{T: t}
			w := NewWatch(r)
			srv := NewFaults(t)
			c := Conditions{Server: srv}
			tt.fault(t, srv, &c)
			w.Check(c)
			if got := r.finish(); tt.want == "" {
				assert.Empty(t, got)
			} else {
				assert.Contains(t, got, tt.want)
			}
		})
	}
}

// Leaks are found: of a goroutine, of a descriptor, of a connection.
func TestWatchLeaks(t *testing.T) {
	if testing.Short() {
		t.Skip("each is waited for as long as it may take to go away")
	}
	r := &recorder{T: t}
	w := NewWatch(r)
	stop := make(chan struct{})
	go func() { <-stop }()
	f, err := os.Open(os.DevNull)
	require.NoError(t, err)
	srv := NewFaults(t)
	conn := dial(t, srv.Addr())
	_, err = io.WriteString(conn, plainRequest)
	require.NoError(t, err)
	_, err = io.ReadFull(conn, make([]byte, 10))
	require.NoError(t, err)
	w.Check(Conditions{Server: srv})
	close(stop)
	f.Close()
	got := r.finish()
	assert.Contains(t, got, "goroutines are left")
	assert.Contains(t, got, "left connections [1] open")
	if _, err := os.Stat("/proc/self/fd"); err == nil {
		assert.Contains(t, got, "file descriptors")
	}
}

func TestFaults2(t *testing.T) {
	ca := NewCA(t)
	srv := NewFaults2(
		t, &tls.Config{Certificates: []tls.Certificate{ca.Leaf("127.0.0.1")}},
		Answer2{Header: []string{"x-a", "b"}, Interims: 2},
		Answer2{OnRequest: Effect2{RstStream: true, Code: http2.ErrCodeInternal}},
		Answer2{Body: []byte("0123456789"), OnBody: Effect2{Shut: true}, BodyAt: 4},
	)
	tr := &http2.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}} //nolint:staticcheck // the test is of HTTP/2 alone
	defer tr.CloseIdleConnections()
	get := func() (*http.Response, string, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL()+"/x", nil)
		require.NoError(t, err)
		resp, err := tr.RoundTrip(req)
		if err != nil {
			return nil, "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return resp, string(body), err
	}
	resp, body, err := get()
	require.NoError(t, err)
	assert.Equal(t, "b", resp.Header.Get("X-A"))
	assert.Equal(t, "ok", body)

	_, _, err = get()
	var stream http2.StreamError
	require.ErrorAs(t, err, &stream)
	assert.Equal(t, http2.ErrCodeInternal, stream.Code)

	_, body, err = get()
	assert.Equal(t, "0123", body)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Len(t, srv.Ledger(), 3)

	srv.Always(Answer2{Body: []byte("again")})
	_, body, err = get()
	require.NoError(t, err)
	assert.Equal(t, "again", body)
}
