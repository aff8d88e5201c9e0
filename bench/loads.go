package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// target is what clients are pointed at.
type target struct {
	http, https string // URLs without a path
	roots       *x509.CertPool
	file        string // of uploadSize bytes
}

// item is what the JSON load sends and takes.
type item struct {
	ID    int      `json:"id"`
	Name  string   `json:"name"`
	Price float64  `json:"price"`
	Tags  []string `json:"tags"`
}

// peer is one client, driven as its users would. A function that is nil is
// what the client has no way for.
type peer struct {
	name string
	// get reads a body into memory and returns its length.
	get func(ctx context.Context, url string) (int, error)
	// rich is get with 5 params, 5 headers, basic auth and a jar of 10
	// cookies of which 3 match.
	rich func(ctx context.Context, url string) (int, error)
	// post sends JSON and decodes JSON.
	post func(ctx context.Context, url string, in, out *item) error
	// stream opens a body that is not read into memory.
	stream func(ctx context.Context, url string) (io.ReadCloser, error)
	// upload sends a file as multipart/form-data.
	upload func(ctx context.Context, url, path string) error
	// lines counts the bytes of a body's lines; nil is a Scanner over stream.
	lines func(ctx context.Context, url string) (int, error)
}

// richParams, richHeaders and the cookies are those of the rich load.
var (
	richParams  = [][2]string{{"q", "search text"}, {"page", "2"}, {"size", "50"}, {"sort", "name"}, {"lang", "de"}}
	richHeaders = [][2]string{
		{"X-Request-Id", "0123456789"}, {"X-Trace", "abc"}, {"Accept-Language", "de"}, {"If-None-Match", `"xyz"`}, {"X-Tenant", "acme"},
	}
)

const (
	richUser, richPassword = "user", "secret"
	richPath               = "/small"
)

// richCookies are ten, of which three match richPath.
func richCookies() []*http.Cookie {
	cookies := make([]*http.Cookie, 10)
	for i := range cookies {
		path := "/"
		if i >= 3 {
			path = fmt.Sprintf("/other%d", i)
		}
		cookies[i] = &http.Cookie{Name: fmt.Sprintf("cookie%d", i), Value: fmt.Sprintf("value%d", i), Path: path}
	}
	return cookies
}

// load is one workload.
type load struct {
	name     string
	parallel int // goroutines
	burst    int // operations in a round
	rounds   int
	size     int64 // bytes an operation moves, for rates; 0 for small ones
	op       func(p *peer, t *target) func(context.Context) error
}

var errWrongSize = errors.New("body has the wrong size")

func exactly(n, want int, err error) error {
	if err == nil && n != want {
		return errWrongSize
	}
	return err
}

// getting is the load of getting url into memory.
func getting(url func(*target) string, want int) func(*peer, *target) func(context.Context) error {
	return func(p *peer, t *target) func(context.Context) error {
		if p.get == nil {
			return nil
		}
		u := url(t)
		return func(ctx context.Context) error {
			n, err := p.get(ctx, u)
			return exactly(n, want, err)
		}
	}
}

func plain(path string) func(*target) string { return func(t *target) string { return t.http + path } }

// loads returns the workloads, by the numbers of the table.
func loads() []load {
	return []load{
		{"GET 1 KiB", 1, 300, 40, 0, getting(plain("/small"), kib)},
		{"GET 1 KiB, 32 at once", 32, 1600, 40, 0, getting(plain("/small"), kib)},
		{"rich GET", 1, 250, 40, 0, richLoad},
		{"POST JSON", 1, 250, 40, 0, postLoad},
		{"GET 10 MiB", 1, 5, 20, largeSize, getting(plain("/large"), largeSize)},
		{"stream 256 MiB", 1, 1, 20, streamSize, streamLoad},
		{"upload 64 MiB", 1, 1, 20, uploadSize, uploadLoad},
		{"lines of 100 MiB", 1, 1, 20, linesSize, linesLoad},
		{"gzip, 10 MiB", 1, 2, 20, largeSize, getting(plain("/gzip"), largeSize)},
		{"HTTPS GET 1 KiB", 1, 300, 40, 0, getting(func(t *target) string { return t.https + "/small" }, kib)},
		{"five redirects", 1, 60, 40, 0, getting(plain("/hop/5"), kib)},
	}
}

func richLoad(p *peer, t *target) func(context.Context) error {
	if p.rich == nil {
		return nil
	}
	u := t.http + richPath
	return func(ctx context.Context) error {
		n, err := p.rich(ctx, u)
		return exactly(n, kib, err)
	}
}

func postLoad(p *peer, t *target) func(context.Context) error {
	if p.post == nil {
		return nil
	}
	u, in := t.http+"/json", &item{ID: 1, Name: "what is sent", Price: 3.5, Tags: []string{"four", "five"}}
	return func(ctx context.Context) error {
		var out item
		err := p.post(ctx, u, in, &out)
		if err == nil && (out.ID != 42 || len(out.Tags) != 3) {
			return errors.New("wrong JSON")
		}
		return err
	}
}

func streamLoad(p *peer, t *target) func(context.Context) error {
	if p.stream == nil {
		return nil
	}
	u := t.http + "/stream"
	return func(ctx context.Context) error {
		r, err := p.stream(ctx, u)
		if err != nil {
			return err
		}
		defer r.Close()
		n, err := io.Copy(io.Discard, r)
		return exactly(int(n), streamSize, err)
	}
}

func uploadLoad(p *peer, t *target) func(context.Context) error {
	if p.upload == nil {
		return nil
	}
	u := t.http + "/upload"
	return func(ctx context.Context) error { return p.upload(ctx, u, t.file) }
}

func linesLoad(p *peer, t *target) func(context.Context) error {
	u := t.http + "/lines"
	lines := p.lines
	if lines == nil {
		if p.stream == nil {
			return nil
		}
		lines = func(ctx context.Context, url string) (int, error) { return scanLines(ctx, p, url) }
	}
	return func(ctx context.Context) error {
		n, err := lines(ctx, u)
		if err == nil && n < linesSize*9/10 {
			return errWrongSize
		}
		return err
	}
}

// scanLines counts the bytes of lines by a Scanner as it comes.
func scanLines(ctx context.Context, p *peer, url string) (int, error) {
	r, err := p.stream(ctx, url)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	n := 0
	s := bufio.NewScanner(r)
	for s.Scan() {
		n += len(s.Bytes())
	}
	return n, s.Err()
}

// run does n operations, on parallel goroutines.
func run(ctx context.Context, op func(context.Context) error, n, parallel int) error {
	if parallel <= 1 {
		for range n {
			if err := op(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	var wg sync.WaitGroup
	errs := make(chan error, parallel)
	for range parallel {
		wg.Go(func() {
			for range n / parallel {
				if err := op(ctx); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	return <-errs
}

// newTarget starts a server and makes the file that is uploaded.
func newTarget() (t *target, stop func(), err error) {
	a, stopServer, err := startServer()
	if err != nil {
		return nil, nil, err
	}
	f, err := os.CreateTemp("", "bench-upload-*")
	if err != nil {
		stopServer()
		return nil, nil, err
	}
	stop = func() {
		stopServer()
		os.Remove(f.Name())
	}
	defer f.Close()
	if err := f.Truncate(uploadSize); err != nil {
		stop()
		return nil, nil, err
	}
	t = &target{http: "http://" + a.HTTP, https: "https://" + a.HTTPS, roots: x509.NewCertPool(), file: f.Name()}
	t.roots.AppendCertsFromPEM([]byte(a.CA))
	return t, stop, nil
}

// idleTimeout keeps every client's connections over a run.
const idleTimeout = 10 * time.Minute
