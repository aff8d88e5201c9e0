package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seed-9ea40bd3/requests"
)

// growthRow is what a call costs as one thing grows.
type growthRow struct {
	what  string
	sizes []int
	// setUp returns a call with so many of the thing, and what ends it.
	setUp func(n int) (call func(context.Context) error, end func(), err error)
	each  bool // the cost is divided by the size: what is sent is of that size
	most  float64
}

// stubAdapter answers at once, without a network: what is left is ours.
type stubAdapter struct{ headers requests.Headers }

func (a *stubAdapter) Send(_ context.Context, p *requests.PreparedRequest, _ requests.Settings) (*requests.Response, error) {
	return requests.NewResponse(p, http.StatusOK, "OK", a.headers, nil), nil
}

func (*stubAdapter) Close() error { return nil }

// calling is the call of a GET, and of closing the session after all.
func calling(s *requests.Session, url string, opts ...requests.Option) (func(context.Context) error, func(), error) {
	call := func(ctx context.Context) error {
		_, err := s.Get(ctx, url, opts...)
		return err
	}
	return call, func() { s.Close() }, nil
}

// growthRows are the things that grow. What a call costs with the most of
// them may be so many times what it costs with the fewest.
func growthRows() []growthRow {
	counts := []int{10, 1000, 100_000}
	return []growthRow{
		{"cookies of one host", counts, cookiesOfOneHost, false, 3},
		{"cookies, each of its own host", counts, cookiesOfManyHosts, false, 3},
		{"mounted prefixes", []int{1, 100, 10_000}, mountedPrefixes, false, 3},
		{"hosts idle in the pool", []int{1, 100, 10_000}, idleHosts, false, 3},
		{"headers, each", []int{10, 100, 1000}, headersSent, true, 3},
	}
}

// growingJar is a jar without limits, and three cookies that match.
func growingJar(add func(jar *requests.CookieJar) error) (*requests.Session, error) {
	s := requests.NewSession()
	s.Mount("http://", &stubAdapter{})
	s.Cookies.Limits = requests.CookieLimits{PerHost: -1, Total: -1}
	for i := range 3 {
		if err := s.Cookies.Set(&http.Cookie{Name: fmt.Sprintf("match%d", i), Value: "v", Domain: "a.test", Path: "/"}); err != nil {
			return nil, err
		}
	}
	return s, add(s.Cookies)
}

func cookiesOfOneHost(n int) (func(context.Context) error, func(), error) {
	s, err := growingJar(func(jar *requests.CookieJar) error {
		for i := 3; i < n; i++ {
			if err := jar.Set(&http.Cookie{Name: fmt.Sprintf("c%d", i), Value: "v", Domain: "a.test", Path: fmt.Sprintf("/p%d", i)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return calling(s, "http://a.test/x/y")
}

func cookiesOfManyHosts(n int) (func(context.Context) error, func(), error) {
	s, err := growingJar(func(jar *requests.CookieJar) error {
		for i := 3; i < n; i++ {
			if err := jar.Set(&http.Cookie{Name: "c", Value: "v", Domain: fmt.Sprintf("h%d.test", i), Path: "/"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return calling(s, "http://a.test/x/y")
}

func mountedPrefixes(n int) (func(context.Context) error, func(), error) {
	s := requests.NewSession()
	for i := range n {
		s.Mount(fmt.Sprintf("http://h%06d.test/", i), &stubAdapter{})
	}
	return calling(s, "http://h000000.test/x/y")
}

func headersSent(n int) (func(context.Context) error, func(), error) {
	s := requests.NewSession()
	received := requests.NewHeaders()
	for i := range n {
		received.Add(fmt.Sprintf("X-Received-%d", i), "v")
	}
	s.Mount("http://", &stubAdapter{received})
	sent := make([]requests.Option, n)
	for i := range sent {
		sent[i] = requests.Header(fmt.Sprintf("X-Sent-%d", i), "v")
	}
	return calling(s, "http://a.test/", sent...)
}

// idleHosts sends one request to each of n hosts, over connections in memory,
// and then to the first one.
func idleHosts(n int) (func(context.Context) error, func(), error) {
	s := requests.NewSession()
	s.Mount("http://", &requests.HTTPAdapter{PoolConnections: n + 1, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go answerPipe(server)
		return client, nil
	}})
	for i := range n {
		if _, err := s.Get(context.Background(), fmt.Sprintf("http://h%d.test/", i)); err != nil {
			return nil, nil, err
		}
	}
	return calling(s, "http://h0.test/")
}

// answerPipe answers every request without a body on c.
func answerPipe(c net.Conn) {
	in := bufio.NewReader(c)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		if len(line) > 2 {
			continue
		}
		if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); err != nil {
			return
		}
	}
}

// runGrowth prints the table, and tells whether all of it stays flat.
func runGrowth(ctx context.Context, w io.Writer) (bool, error) {
	ok := true
	fmt.Fprint(w, "| what grows | its size: time and allocations of one call | | | growth | |\n|---|---|---|---|---|---|\n")
	for _, row := range growthRows() {
		var cells []string
		var costs []float64
		for _, n := range row.sizes {
			cost, allocs, err := growthCost(ctx, row, n)
			if err != nil {
				return false, fmt.Errorf("%s, %d: %w", row.what, n, err)
			}
			costs = append(costs, cost)
			cells = append(cells, fmt.Sprintf("%d: %.2f us, %.0f", n, cost*1e6, allocs))
		}
		growth, verdict := slices.Max(costs)/costs[0], "ok"
		if growth > row.most {
			ok, verdict = false, "short"
		}
		fmt.Fprintf(w, "| %s | %s | %.2f x, bar %.0f | %s |\n", row.what, strings.Join(cells, " | "), growth, row.most, verdict)
	}
	fair, err := runCrowd(ctx, w)
	return ok && fair, err
}

// growthCost is the time of one call, and its allocations: the least of some
// bursts.
func growthCost(ctx context.Context, row growthRow, n int) (seconds, allocs float64, err error) {
	call, end, err := row.setUp(n)
	if err != nil {
		return 0, 0, err
	}
	defer end()
	l := load{burst: 200}
	var costs []float64
	for range 15 {
		s, err := burst(ctx, l, call)
		if err != nil {
			return 0, 0, err
		}
		costs, allocs = append(costs, s.wall), s.allocs
	}
	seconds = slices.Min(costs)
	if row.each {
		seconds, allocs = seconds/float64(n), allocs/float64(n)
	}
	return seconds, allocs, nil
}

// runtimeOf is how long f takes.
func runtimeOf(f func() error) (time.Duration, error) {
	start := time.Now()
	err := f()
	return time.Since(start), err
}
