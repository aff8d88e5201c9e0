//go:build unix

package requests_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// errTorture is what the operation that is made to fail fails with.
var errTorture = errors.New("made to fail")

// operation is a kind of what a connection is used for.
type operation int

const (
	opDial operation = iota
	opRead
	opWrite
	opHalfWrite // fails after half of the bytes went out
	opClose
	operations
)

func (op operation) String() string {
	return [...]string{"dial", "read", "write", "half a write", "close"}[op]
}

// rack makes the n-th operation of a kind fail, and looks after connections.
type rack struct {
	op     operation
	alert  int          // bytes at most, by which TLS tells on closing that it ends
	left   atomic.Int64 // until the one that fails
	off    atomic.Bool
	hit    atomic.Bool
	abused atomic.Bool // a connection was written to after it had failed

	mu   sync.Mutex // guards open
	open map[*rackConn]struct{}
}

func newRack(op operation, n int) *rack {
	r := &rack{op: op, open: map[*rackConn]struct{}{}}
	r.left.Store(int64(n))
	return r
}

// fails reports whether this operation is the one that fails.
func (r *rack) fails(op operation) bool {
	if r.op != op || r.off.Load() || r.left.Add(-1) != 0 {
		return false
	}
	r.hit.Store(true)
	return true
}

func (r *rack) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if r.fails(opDial) {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errTorture}
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &rackConn{Conn: conn, r: r}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open[c] = struct{}{}
	return c, nil
}

// empties reports whether every connection is closed within the limit.
func (r *rack) empties(limit time.Duration) bool {
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		r.mu.Lock()
		n := len(r.open)
		r.mu.Unlock()
		if n == 0 {
			return true
		}
		if time.Since(start) > limit {
			return false
		}
	}
}

// rackConn is a connection on the rack.
type rackConn struct {
	net.Conn
	r      *rack
	failed atomic.Bool
}

func (c *rackConn) Read(b []byte) (int, error) {
	if c.r.fails(opRead) {
		c.failed.Store(true)
		return 0, &net.OpError{Op: "read", Net: "tcp", Err: errTorture}
	}
	return c.Conn.Read(b)
}

func (c *rackConn) Write(b []byte) (int, error) {
	if c.r.off.Load() && c.failed.Load() && len(b) > c.r.alert {
		c.r.abused.Store(true)
	}
	if c.r.fails(opWrite) {
		c.failed.Store(true)
		return 0, &net.OpError{Op: "write", Net: "tcp", Err: errTorture}
	}
	if c.r.fails(opHalfWrite) {
		c.failed.Store(true)
		n, _ := c.Conn.Write(b[:len(b)/2])
		return n, &net.OpError{Op: "write", Net: "tcp", Err: errTorture}
	}
	return c.Conn.Write(b)
}

func (c *rackConn) Close() error {
	fails := c.r.fails(opClose)
	err := c.Conn.Close()
	c.r.mu.Lock()
	delete(c.r.open, c)
	c.r.mu.Unlock()
	if fails {
		return &net.OpError{Op: "close", Net: "tcp", Err: errTorture}
	}
	return err
}

// torturer is what scenarios work with.
type torturer struct {
	ctx     context.Context
	session *requests.Session
	base    string // URL of this run, with its number, without a slash at its end
	source  *testserver.Source
}

// scenario is one end to end use of a session.
type scenario struct {
	name string
	// kind is the server: "" for HTTP/1.1, tls, h2, proxy, tunnel, tlsproxy,
	// socks.
	kind    string
	repeats bool // what is not idempotent may come twice
	setup   func(*requests.HTTPAdapter)
	run     func(*torturer) error
}

// tortureBody is the body of large answers.
var tortureBody = bytes.Repeat([]byte("0123456789abcdef"), 64<<10)

// tortureAnswer answers by the last segment of the path.
func tortureAnswer(in testserver.Arrival) testserver.Answer {
	base, name := in.Target[:strings.LastIndexByte(in.Target, '/')], in.Target[strings.LastIndexByte(in.Target, '/')+1:]
	asked := in.Header.Get("Authorization") != ""
	switch name {
	case "chunked":
		return testserver.Answer{Chunked: true, Body: tortureBody[:8000], Repeat: 8}
	case "gzip":
		return coded(gzipped(tortureBody), "gzip")
	case "large":
		return testserver.Answer{Body: tortureBody}
	case "close":
		return testserver.Answer{Header: []string{"Connection: close"}}
	case "open":
		return testserver.Answer{Length: "-", OnEnd: testserver.HalfClose}
	case "empty":
		return testserver.Answer{Status: 204, Body: []byte{}, Length: "-"}
	case "missing":
		return testserver.Answer{Status: 404}
	case "early":
		return testserver.Answer{Status: 413, Early: true, Header: []string{"Connection: close"}, OnEnd: testserver.HalfClose}
	case "interim":
		return testserver.Answer{Interim: "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", Interims: 3}
	case "cookie":
		return testserver.Answer{Status: 302, Header: []string{"Location: " + base + "/ok", "Set-Cookie: a=b; Path=/"}}
	case "moved", "see", "again":
		status := map[string]int{"moved": 301, "see": 303, "again": 307}[name]
		return testserver.Answer{Status: status, Header: []string{"Location: " + base + "/ok"}}
	case "digest":
		if !asked {
			return testserver.Answer{Status: 401, Header: []string{`WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"`}}
		}
	case "busy":
		if in.Turn == 1 {
			return testserver.Answer{Status: 503}
		}
	}
	return testserver.Answer{}
}

// expects checks an answer.
func expects(r *requests.Response, err error, status int, body string) error {
	if err != nil {
		return err
	}
	got, err := r.ReadAll()
	if err != nil {
		return err
	}
	if r.StatusCode != status || string(got) != body {
		return fmt.Errorf("wrong answer: %d %q", r.StatusCode, clip(string(got)))
	}
	return nil
}

// gets is the scenario of a GET.
func gets(path string, body string, opts ...requests.Option) func(*torturer) error {
	return func(x *torturer) error {
		r, err := x.session.Get(x.ctx, x.base+path, opts...)
		return expects(r, err, 200, body)
	}
}

// sends is the scenario of a body that is sent by a method.
func sends(method, path string, status int, body func() io.Reader) func(*torturer) error {
	return func(x *torturer) error {
		x.source = testserver.NewSource(body())
		opts := []requests.Option{requests.Body(x.source), requests.DigestAuth("u", "p")}
		r, err := x.session.Do(x.ctx, method, x.base+path, opts...)
		return expects(r, err, status, "ok")
	}
}

// seekable is a body that can be sent again.
func seekable(method, path string, n int) func(*torturer) error {
	return func(x *torturer) error {
		r, err := x.session.Do(x.ctx, method, x.base+path, requests.Body(bytes.NewReader(tortureBody[:n])), requests.DigestAuth("u", "p"))
		return expects(r, err, 200, "ok")
	}
}

// streams reads a streamed body by a reader.
func streams(path string, want int, read func(*requests.Response) (int, error)) func(*torturer) error {
	return func(x *torturer) error {
		r, err := x.session.Get(x.ctx, x.base+path, requests.Stream())
		if err != nil {
			return err
		}
		defer r.Close()
		n, err := read(r)
		if err == nil && n != want {
			return fmt.Errorf("wrong answer: %d bytes of %d", n, want)
		}
		return err
	}
}

func readPieces(r *requests.Response) (int, error) {
	n := 0
	for piece, err := range r.Chunks(10_000) {
		if err != nil {
			return n, err
		}
		n += len(piece)
	}
	return n, nil
}

func readInto(r *requests.Response) (int, error) {
	n, err := r.WriteTo(io.Discard)
	return int(n), err
}

func readLines(r *requests.Response) (int, error) {
	n := 0
	for line, err := range r.Lines() {
		if err != nil {
			return n, err
		}
		n += len(line)
	}
	return n, nil
}

// twice runs a scenario two times, the second over what the first has left.
func twice(run func(*torturer) error) func(*torturer) error {
	return func(x *torturer) error {
		base := x.base
		x.base = base + "/1"
		if err := run(x); err != nil {
			return err
		}
		x.base = base + "/2"
		return run(x)
	}
}

// unread leaves most of a body unread.
func unread(x *torturer) error {
	r, err := x.session.Get(x.ctx, x.base+"/large", requests.Stream())
	if err != nil {
		return err
	}
	_, err = r.Read(make([]byte, 10))
	if closing := r.Close(); err == nil {
		err = closing
	}
	return err
}

// atOnce sends requests side by side.
func atOnce(x *torturer) error {
	errs := make([]error, 4)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			r, err := x.session.Get(x.ctx, fmt.Sprintf("%s/%d/ok", x.base, i))
			errs[i] = expects(r, err, 200, "ok")
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// uploadsFiles sends a form with files.
func uploadsFiles(x *torturer) error {
	x.source = testserver.NewSource(bytes.NewReader(tortureBody[:100_000]))
	r, err := x.session.Post(x.ctx, x.base+"/ok", requests.Form("a", "b"), requests.File("f", "n.bin", x.source))
	return expects(r, err, 200, "ok")
}

// uploadsPieces sends an iterator.
func uploadsPieces(x *torturer) error {
	r, err := x.session.Post(x.ctx, x.base+"/ok", requests.BodyChunks(func(yield func([]byte, error) bool) {
		for range 20 {
			if !yield(tortureBody[:5000], nil) {
				return
			}
		}
	}))
	return expects(r, err, 200, "ok")
}

// failsToRead sends a body whose reader fails.
func failsToRead(x *torturer) error {
	_, err := x.session.Post(x.ctx, x.base+"/ok", requests.Body(io.MultiReader(bytes.NewReader(tortureBody), failing{errDisk})))
	if err == nil {
		return errors.New("wrong answer: a body that failed was taken")
	}
	return err
}

// scenarios are the uses that are tortured.
func scenarios() []scenario {
	whole, large := string(tortureBody), len(tortureBody)
	pipe := func(n int) func() io.Reader { // of unknown length, sent once
		return func() io.Reader { return io.LimitReader(bytes.NewReader(tortureBody), int64(n)) }
	}
	again := func(a *requests.HTTPAdapter) {
		a.MaxRetries = &requests.Retry{Total: 3, AnyMethod: true, StatusForcelist: []int{503}}
	}
	retries := func(a *requests.HTTPAdapter) { a.MaxRetries = requests.Retries(2) }
	block := func(a *requests.HTTPAdapter) { a.PoolMaxSize, a.PoolBlock = 1, true }
	return []scenario{
		{name: "get", run: gets("/ok", "ok")},
		{name: "get twice", run: twice(gets("/ok", "ok"))},
		{name: "get with retries", setup: retries, run: gets("/ok", "ok")},
		{name: "get chunked", run: gets("/chunked", strings.Repeat(whole[:8000], 8))},
		{name: "get gzip", run: gets("/gzip", whole)},
		{name: "get large", run: gets("/large", whole)},
		{name: "get, connection closed", run: twice(gets("/close", "ok"))},
		{name: "get without a length", run: gets("/open", "ok")},
		{name: "get after interim answers", run: gets("/interim", "ok")},
		{name: "head", run: func(x *torturer) error {
			r, err := x.session.Head(x.ctx, x.base+"/ok")
			return expects(r, err, 200, "")
		}},
		{name: "delete", run: func(x *torturer) error {
			r, err := x.session.Delete(x.ctx, x.base+"/ok")
			return expects(r, err, 200, "ok")
		}},
		{name: "no content", run: twice(func(x *torturer) error {
			r, err := x.session.Get(x.ctx, x.base+"/empty")
			return expects(r, err, 204, "")
		})},
		{name: "not found", run: func(x *torturer) error {
			r, err := x.session.Get(x.ctx, x.base+"/missing")
			return expects(r, err, 404, "ok")
		}},
		{name: "post", run: sends("POST", "/ok", 200, pipe(100))},
		{name: "post large", run: sends("POST", "/ok", 200, pipe(large))},
		{name: "put twice", run: twice(seekable("PUT", "/ok", 100_000))},
		{name: "post refused early", run: sends("POST", "/early", 413, pipe(large))},
		{name: "post with retries", setup: again, repeats: true, run: seekable("POST", "/busy", 1000)},
		{name: "files", run: uploadsFiles},
		{name: "pieces", run: uploadsPieces},
		{name: "a reader that fails", run: failsToRead},
		{name: "redirect", run: gets("/moved", "ok")},
		{name: "redirect with cookies", run: twice(gets("/cookie", "ok"))},
		{name: "redirect with a body", repeats: true, run: seekable("POST", "/again", 50_000)},
		{name: "see other", run: seekable("POST", "/see", 1000)},
		{name: "digest", run: twice(gets("/digest", "ok", requests.DigestAuth("u", "p")))},
		{name: "digest with a body", repeats: true, run: seekable("POST", "/digest", 50_000)},
		{name: "stream in pieces", run: streams("/large", large, readPieces)},
		{name: "stream in chunks", run: streams("/chunked", 64_000, readPieces)},
		{name: "stream into a writer", run: streams("/gzip", large, readInto)},
		{name: "stream in lines", run: streams("/chunked", 64_000, readLines)},
		{name: "stream unread", run: twice(unread)},
		{name: "side by side", run: atOnce},
		{name: "side by side on one connection", setup: block, run: atOnce},
		{name: "TLS", kind: "tls", run: twice(gets("/ok", "ok"))},
		{name: "TLS, large", kind: "tls", run: gets("/large", whole)},
		{name: "TLS, post", kind: "tls", run: sends("POST", "/ok", 200, pipe(100_000))},
		{name: "HTTP/2", kind: "h2", run: twice(gets("/ok", "ok"))},
		{name: "HTTP/2, post", kind: "h2", run: seekable("POST", "/ok", 20_000)},
		{name: "HTTP/2, stream", kind: "h2", run: streams("/ok", 2, readPieces)},
		{name: "proxy", kind: "proxy", run: twice(gets("/ok", "ok"))},
		{name: "tunnel", kind: "tunnel", run: gets("/ok", "ok")},
		{name: "tunnel in TLS", kind: "tlsproxy", run: gets("/ok", "ok")},
		{name: "SOCKS", kind: "socks", run: seekable("PUT", "/ok", 20_000)},
		{name: "SOCKS with TLS", kind: "sockstls", run: gets("/ok", "ok")},
	}
}

// ground is where a scenario takes place.
type ground struct {
	url     string
	options []requests.Option
	srv     *testserver.Faults // nil for HTTP/2
}

// prepareGround starts the servers of a scenario.
func prepareGround(t *testing.T, kind string) ground {
	t.Helper()
	ca, trust, config := authority(t)
	if kind == "h2" {
		return ground{url: testserver.NewFaults2(t, config).URL(), options: []requests.Option{trust}}
	}
	g := ground{options: []requests.Option{trust}}
	if kind == "" || kind == "proxy" || kind == "socks" {
		g.srv = testserver.NewFaults(t)
	} else {
		g.srv = testserver.NewFaultsTLS(t, config)
	}
	g.srv.Choose = tortureAnswer
	g.url = g.srv.URL()
	switch kind {
	case "proxy", "tunnel":
		g.options = append(g.options, requests.Proxy("all", (&testserver.HTTPProxy{}).Start(t).URL()))
	case "tlsproxy":
		proxy := &testserver.HTTPProxy{TLS: &tls.Config{Certificates: []tls.Certificate{ca.Leaf("127.0.0.1")}}}
		g.options = append(g.options, requests.Proxy("all", proxy.Start(t).URL()))
	case "socks", "sockstls":
		g.options = append(g.options, requests.Proxy("all", "socks5://"+(&testserver.SOCKSProxy{}).Start(t).Addr()))
	}
	return g
}

// TestTorture makes the n-th dial, read, write and close fail, for n from 1 to
// 200 or to as many as there are, in every scenario. Each run ends in the
// right answer or in an error of ours, and leaves a session that works.
func TestTorture(t *testing.T) {
	limit := rounds(200, 8)
	runs := 0
	start := time.Now()
	for _, sc := range scenarios() {
		t.Run(sc.name, func(t *testing.T) {
			watch := testserver.NewWatch(t)
			t.Run("runs", func(t *testing.T) {
				g := prepareGround(t, sc.kind)
				for op := range operations {
					for n := 1; n <= limit; n++ {
						runs++
						if !torture(t, &sc, &g, op, n, 1) || t.Failed() {
							break
						}
					}
				}
			})
			watch.Nothing()
		})
	}
	t.Logf("%d runs in %v", runs, time.Since(start).Round(time.Millisecond))
}

// tortureTries is how often in a row a connection that had failed must be used
// again to be the rule, and not a request that was on its way to it just then.
const tortureTries = 4

// torture runs a scenario for the try-th time. It reports whether the n-th
// operation came.
func torture(t *testing.T, sc *scenario, g *ground, op operation, n, try int) bool {
	r := newRack(op, n)
	if r.alert = 31; sc.kind == "tlsproxy" {
		r.alert += 22 // for the record of the TLS around it
	}
	s := newFaultSession(func(a *requests.HTTPAdapter) {
		a.Dial = r.dial
		if sc.setup != nil {
			sc.setup(a)
		}
	}, g.options...)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	run := fmt.Sprintf("/%d-%d-%d", op, n, try) // a server knows each run by its path
	x := &torturer{ctx: ctx, session: s, base: g.url + run}
	err := sc.run(x)
	r.off.Store(true)
	fault := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s %d of %s: %s", op, n, sc.name, fmt.Sprintf(format, args...))
	}
	var e *requests.Error
	switch {
	case err == nil:
	case !errors.As(err, &e):
		fault("neither success nor an error of ours: %v", err)
	case !errors.Is(err, requests.ErrRequest) || e.Op == "" || errors.Is(err, context.DeadlineExceeded):
		fault("not the error that was wanted: %v", err)
	case !r.hit.Load() && !errors.Is(err, errDisk):
		fault("failed by itself: %v", err)
	}
	if x.source != nil && x.source.Reading() {
		fault("the body is still read")
	}
	if err := plainGet(ctx, s, g.url+"/after"+run+"/ok"); err != nil {
		fault("the next request failed: %v", err)
	}
	if r.abused.Load() && try < tortureTries {
		return torture(t, sc, g, op, n, try+1)
	}
	if r.abused.Load() {
		fault("a connection that had failed was used again")
	}
	if err := s.Close(); err != nil && !errors.Is(err, errTorture) {
		fault("closing: %v", err)
	}
	if !r.empties(2 * time.Second) {
		// One that was still being dialled then is idle now.
		if _ = s.Close(); !r.empties(2 * time.Second) {
			fault("connections are left")
		}
	}
	if g.srv != nil && sc.kind != "proxy" {
		tortureLedger(g.srv, run+"/", e, sc.repeats, fault)
	}
	return r.hit.Load()
}

// tortureLedger checks what the server saw of a run: nothing twice that must
// not be, and nothing of what was said not to have been sent.
func tortureLedger(srv *testserver.Faults, prefix string, e *requests.Error, repeats bool, fault func(string, ...any)) {
	seen := map[string]int{}
	for _, a := range srv.Ledger() {
		if !strings.HasPrefix(a.Target, prefix) {
			continue
		}
		key := a.Method + " " + a.Target
		seen[key]++
		if a.Method == "POST" && seen[key] > 1 && !repeats {
			fault("%s came twice", key)
		}
	}
	if e == nil || e.MaybeSent || e.Request == nil || repeats {
		return
	}
	if key := e.Request.Method + " " + e.Request.URL[len(srv.URL()):]; seen[key] > 0 {
		fault("%s came, and was said not to have been sent: %v", key, e)
	}
}

// The rack itself: without a failure every scenario succeeds.
func TestTortureNothing(t *testing.T) {
	for _, sc := range scenarios() {
		t.Run(sc.name, func(t *testing.T) {
			g := prepareGround(t, sc.kind)
			s := newFaultSession(sc.setup, g.options...)
			err := sc.run(&torturer{ctx: t.Context(), session: s, base: g.url + "/0"})
			if sc.name == "a reader that fails" {
				require.ErrorIs(t, err, errDisk)
			} else {
				require.NoError(t, err)
			}
			require.NoError(t, s.Close())
		})
	}
}
