package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-9ea40bd3/requests"
)

// The bars of L5. What is early and what is late is a part of the run: the
// first and the second minute of ten.
const (
	mixedWorkers  = 4
	mixedGrowth   = 1.10
	mixedHeapRoom = 5.0 // MiB
)

// errMixed is a result that is not what the request asked for.
var errMixed = errors.New("another result than expected")

// mixer is what one worker of L5 sends with.
type mixer struct {
	s     *requests.Session
	o     *origin
	roots *x509.CertPool
	rng   *rand.Rand
}

// runMixed is L5.
func runMixed(ctx context.Context, s settings, r *report) error {
	w := watch()
	o, err := startOrigin()
	if err != nil {
		return err
	}
	session := newSession(&requests.HTTPAdapter{})
	length := time.Duration(s.minutes * float64(time.Minute))
	begin := time.Now()
	var done, failed atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex // guards errs
	var errs []string
	for i := range mixedWorkers {
		m := &mixer{s: session, o: o, roots: o.roots(), rng: plan{seed: s.seed}.source(uint64(i), 0)}
		wg.Go(func() {
			for time.Since(begin) < length && ctx.Err() == nil {
				done.Add(1)
				if err := m.send(ctx); err != nil && ctx.Err() == nil {
					failed.Add(1)
					mu.Lock()
					errs = append(errs, err.Error())
					mu.Unlock()
				}
			}
		})
	}
	wait(ctx, begin.Add(length/10))
	earlyHeap, _ := memoryInUse()
	wait(ctx, begin.Add(length/5))
	_, earlyRSS := memoryInUse()
	wait(ctx, begin.Add(length-length/50))
	lateHeap, lateRSS := memoryInUse()
	wg.Wait()
	session.Close()
	o.Close()
	r.note("requests", "%d in %s", done.Load(), length)
	r.none("failed", int(failed.Load()))
	r.samples("failed", errs)
	r.note("heap, after a tenth of the time", "%.2f MiB", earlyHeap)
	r.atMost("heap at the end", lateHeap, max(earlyHeap*mixedGrowth, earlyHeap+mixedHeapRoom), " MiB")
	r.note("resident, after a fifth", "%.1f MiB", earlyRSS)
	r.atMost("resident at the end", lateRSS, earlyRSS*mixedGrowth, " MiB")
	w.check(r)
	return ctx.Err()
}

// pause waits for a while. A load takes real time: there is nothing to fake.
func pause(d time.Duration) { <-time.After(d) }

// wait waits until a moment, or for the context's end.
func wait(ctx context.Context, until time.Time) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Until(until)):
	}
}

// send sends one request of some kind and looks at the result.
func (m *mixer) send(ctx context.Context) error {
	kinds := [...]struct {
		name string
		do   func(*mixer, context.Context) error
	}{
		{"basic", (*mixer).basic},
		{"digest", (*mixer).digest},
		{"redirects", (*mixer).redirects},
		{"cookies", (*mixer).cookies},
		{"coded", (*mixer).coded},
		{"upload", (*mixer).upload},
		{"form", (*mixer).form},
		{"multipart", (*mixer).multipart},
		{"stream", (*mixer).stream},
		{"given up", (*mixer).givenUp},
		{"TLS", (*mixer).overTLS},
		{"proxy", (*mixer).proxied},
		{"tunnel", (*mixer).tunnelled},
		{"own session", (*mixer).ownSession},
		{"timeout", (*mixer).timeout},
	}
	k := kinds[m.rng.IntN(len(kinds))]
	if err := k.do(m, ctx); err != nil {
		return fmt.Errorf("%s: %w", k.name, err)
	}
	return nil
}

// is compares a result with the text wanted.
func is(r *requests.Response, err error, want string) error {
	if err != nil {
		return err
	}
	if r.StatusCode != 200 || r.Text() != want {
		return fmt.Errorf("%w: status %d and %d bytes", errMixed, r.StatusCode, len(r.Content()))
	}
	return nil
}

func (m *mixer) basic(ctx context.Context) error {
	r, err := m.s.Get(ctx, m.o.plain.URL+"/basic", requests.BasicAuth("user", "pass"))
	return is(r, err, "basic")
}

func (m *mixer) digest(ctx context.Context) error {
	r, err := m.s.Get(ctx, m.o.plain.URL+"/digest", requests.DigestAuth("user", "pass"))
	return is(r, err, "digest")
}

func (m *mixer) redirects(ctx context.Context) error {
	n := m.rng.IntN(8)
	r, err := m.s.Get(ctx, fmt.Sprintf("%s/redirect?n=%d", m.o.plain.URL, n))
	if err == nil && len(r.History) != n {
		return fmt.Errorf("%w: %d of %d redirects", errMixed, len(r.History), n)
	}
	return is(r, err, "there")
}

func (m *mixer) cookies(ctx context.Context) error {
	name := fmt.Sprintf("c%d", m.rng.IntN(100))
	r, err := m.s.Get(ctx, m.o.plain.URL+"/cookie?name="+name)
	return is(r, err, name)
}

func (m *mixer) coded(ctx context.Context) error {
	coding := [...]string{"gzip", "deflate", "br", "zstd"}[m.rng.IntN(4)]
	r, err := m.s.Get(ctx, m.o.plain.URL+"/coded/"+coding)
	return is(r, err, codedText())
}

func (m *mixer) upload(ctx context.Context) error {
	n := m.rng.IntN(1 << 20)
	r, err := m.s.Put(ctx, m.o.plain.URL+"/upload", requests.Body(io.LimitReader(zeros{}, int64(n))))
	return is(r, err, fmt.Sprint(n))
}

func (m *mixer) form(ctx context.Context) error {
	text := strings.Repeat("ä ", m.rng.IntN(1000))
	r, err := m.s.Post(ctx, m.o.plain.URL+"/form", requests.Form("text", text))
	return is(r, err, text)
}

func (m *mixer) multipart(ctx context.Context) error {
	text := strings.Repeat("file ", m.rng.IntN(20_000))
	r, err := m.s.Post(ctx, m.o.plain.URL+"/form", requests.File("file", "name.txt", strings.NewReader(text)))
	return is(r, err, text)
}

func (m *mixer) stream(ctx context.Context) error {
	n := int64(m.rng.IntN(2 << 20))
	r, err := m.s.Get(ctx, fmt.Sprintf("%s/bytes?n=%d", m.o.plain.URL, n), requests.Stream())
	if err != nil {
		return err
	}
	defer r.Close()
	if got, err := io.Copy(io.Discard, r); err != nil || got != n {
		return fmt.Errorf("%d of %d bytes: %w", got, n, errors.Join(err, errMixed))
	}
	return nil
}

// givenUp closes a stream in its midst.
func (m *mixer) givenUp(ctx context.Context) error {
	r, err := m.s.Get(ctx, m.o.plain.URL+"/bytes?n=4194304", requests.Stream())
	if err != nil {
		return err
	}
	_, err = io.CopyN(io.Discard, r, int64(m.rng.IntN(100_000)))
	return errors.Join(err, r.Close())
}

func (m *mixer) trust() requests.Option {
	return requests.Settings{Verify: requests.TLSVerify{Roots: m.roots}}
}

func (m *mixer) overTLS(ctx context.Context) error {
	r, err := m.s.Get(ctx, m.o.secure.URL+"/redirect?n=1", m.trust())
	return is(r, err, "there")
}

func (m *mixer) proxied(ctx context.Context) error {
	r, err := m.s.Get(ctx, m.o.plain.URL+"/redirect?n=0", requests.Proxy("http", m.o.proxy.URL))
	return is(r, err, "there")
}

func (m *mixer) tunnelled(ctx context.Context) error {
	r, err := m.s.Get(ctx, m.o.secure.URL+"/redirect?n=0", requests.Proxy("https", m.o.proxy.URL), m.trust())
	return is(r, err, "there")
}

// ownSession makes a session for one request.
func (m *mixer) ownSession(ctx context.Context) error {
	s := newSession(&requests.HTTPAdapter{})
	defer s.Close()
	r, err := s.Get(ctx, m.o.secure.URL+"/redirect?n=0", m.trust())
	return is(r, err, "there")
}

// timeout waits for a server that is too slow.
func (m *mixer) timeout(ctx context.Context) error {
	_, err := m.s.Get(ctx, m.o.plain.URL+"/slow", requests.ReadTimeout(5*time.Millisecond))
	if !errors.Is(err, requests.ErrReadTimeout) {
		return fmt.Errorf("%w: %w", errMixed, err)
	}
	return nil
}
