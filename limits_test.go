//go:build unix

package requests_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/coding"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// Each limit is tested at its last value that is let through and at the first
// that is not, as it is by default and as its owner set it.

// exactHead is an answer whose head has that many bytes.
func exactHead(n int) string {
	const before, after = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: ", "\r\n\r\n"
	return before + strings.Repeat("a", n-len(before)-len(after)) + after + "ok"
}

func TestLimitOfHeads(t *testing.T) {
	for _, tt := range []struct {
		limit int64
		n     int
	}{{0, 1 << 20}, {4096, 4096}, {2 << 20, 2 << 20}} {
		send := func(n int) error {
			w := newWorld(t)
			w.at("http://a.test", exactHead(n))
			_, err := w.sessionOn(&requests.HTTPAdapter{Dial: w.dial, MaxHeaderBytes: tt.limit}).Get(t.Context(), "http://a.test/")
			return err
		}
		require.NoError(t, send(tt.n), "%d bytes", tt.n)
		require.ErrorIs(t, send(tt.n+1), requests.ErrConnection, "%d bytes", tt.n+1)
	}
}

// answerOn sends one answer to a session over an adapter of its own.
func answerOn(t *testing.T, a *requests.HTTPAdapter, answer string, opts ...requests.Option) (*requests.Response, error) {
	t.Helper()
	w := newWorld(t)
	w.at("http://a.test", answer)
	a.Dial = w.dial
	r, err := w.sessionOn(a).Get(t.Context(), "http://a.test/", opts...)
	if err != nil {
		cleanError(t, err)
	}
	return r, err
}

func TestLimitOfHeaderFields(t *testing.T) {
	fields := func(n int) string { return raw(strings.Repeat("X-A: b\r\n", n-1)+"Content-Length: 2", "", "ok") }
	for set, limit := range map[int]int{0: 5000, 7: 7, 6000: 6000} {
		r, err := answerOn(t, &requests.HTTPAdapter{MaxHeaderFields: set}, fields(limit))
		require.NoError(t, err)
		assert.Len(t, r.Headers.Values("X-A"), limit-1)
		_, err = answerOn(t, &requests.HTTPAdapter{MaxHeaderFields: set}, fields(limit+1))
		require.ErrorIs(t, err, requests.ErrInvalidHeader)
	}
}

func TestLimitOfTrailers(t *testing.T) {
	const name, end = "X-A: ", "\r\n\r\n"
	trailer := func(n int) string {
		return chunked("2\r\nok\r\n0\r\n"+name+strings.Repeat("b", n-len(name)-len(end))+end, "Trailer: X-A")
	}
	for set, limit := range map[int]int{0: 4 << 10, 8 << 10: 8 << 10, 64 << 10: 64 << 10} {
		r, err := answerOn(t, &requests.HTTPAdapter{MaxTrailerBytes: set}, trailer(limit))
		require.NoError(t, err, "%d bytes", limit)
		assert.Len(t, r.Trailers().Get("X-A"), limit-len(name)-len(end))
		_, err = answerOn(t, &requests.HTTPAdapter{MaxTrailerBytes: set}, trailer(limit+1))
		require.ErrorIs(t, err, requests.ErrChunkedEncoding, "%d bytes", limit+1)
	}
}

func TestLimitOfRedirects(t *testing.T) {
	follow := func(n int, opts ...requests.Option) error {
		w := newWorld(t)
		hop := 0
		w.scripted("http://a.test", func(int, *http.Request, []byte) string {
			if hop++; hop <= n {
				return redirectTo(302, fmt.Sprintf("/%d", hop))
			}
			return answerOK
		})
		_, err := w.session().Get(t.Context(), "http://a.test/", opts...)
		return err
	}
	require.NoError(t, follow(30))
	require.ErrorIs(t, follow(31), requests.ErrTooManyRedirects)
	require.NoError(t, follow(31, requests.MaxRedirects(31)))
	require.ErrorIs(t, follow(1, requests.MaxRedirects(0)), requests.ErrTooManyRedirects)
	require.NoError(t, follow(10, requests.MaxRedirects(10)))
}

func TestLimitOfLocation(t *testing.T) {
	follow := func(n int) error {
		w := newWorld(t)
		const start = "http://a.test/"
		w.at("http://a.test", redirectTo(302, start+strings.Repeat("x", n-len(start))), answerOK)
		_, err := w.session().Get(t.Context(), start)
		return err
	}
	require.NoError(t, follow(64<<10))
	err := follow(64<<10 + 1)
	require.ErrorIs(t, err, requests.ErrInvalidURL)
	cleanError(t, err)
	// The caller's own URLs may be of any length.
	w := newWorld(t)
	w.at("http://a.test")
	get(t, w.session(), "http://a.test/"+strings.Repeat("x", 100<<10))
}

func TestLimitOfCodings(t *testing.T) {
	body := []byte("text")
	for n := 1; n <= 9; n++ {
		body = gzipped(body)
		answer := codedAnswer(body, strings.TrimSuffix(strings.Repeat("gzip,", n), ","))
		for set, limit := range map[int]int{0: 5, 2: 2, 8: 8} {
			r, err, _ := ask(t, answer, requests.Settings{Limits: requests.Limits{Codings: set}})
			if n > limit {
				require.ErrorIs(t, err, requests.ErrContentDecoding)
				require.ErrorIs(t, err, coding.ErrTooManyLayers)
				continue
			}
			require.NoError(t, err)
			assert.Equal(t, "text", r.Text())
		}
	}
	// Those beyond the limit are to be had undecoded.
	w := newWorld(t)
	w.at("http://a.test", codedAnswer(body, strings.TrimSuffix(strings.Repeat("gzip,", 9), ",")))
	r := get(t, w.session(), "http://a.test/", requests.Stream())
	defer r.Close()
	var raw bytes.Buffer
	_, err := raw.ReadFrom(r.Raw())
	require.NoError(t, err)
	assert.Equal(t, body, raw.Bytes())
}

func TestLimitOfWindows(t *testing.T) {
	const eight = 13 << 3 // 8 MiB; one more is 9 MiB
	for set, largest := range map[int]byte{0: eight, 9 << 20: eight + 1, 1 << 20: 10 << 3} {
		opt := requests.Settings{Limits: requests.Limits{Window: set}}
		_, err, _ := ask(t, codedAnswer(zstdFrame(largest), "zstd"), opt)
		require.NoError(t, err, "a limit of %d", set)
		_, err, _ = ask(t, codedAnswer(zstdFrame(largest+1), "zstd"), opt)
		require.ErrorIs(t, err, requests.ErrContentDecoding, "a limit of %d", set)
	}
}

// Coded bytes that decode to nothing: here a gzip member of nothing, and padding.
func TestLimitOfBarrenBodies(t *testing.T) {
	send := func(n int, opts ...requests.Option) (*requests.Response, error) {
		const empty = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + "\x03\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00"
		body := empty + strings.Repeat("\x00", n-len(empty))
		return answerOn(t, new(requests.HTTPAdapter), fmt.Sprintf(
			"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(body), body), opts...)
	}
	for _, opts := range [][]requests.Option{nil, {requests.MaxBody(10)}} {
		r, err := send(4<<20, opts...)
		require.NoError(t, err)
		assert.Empty(t, r.Text())
		_, err = send(4<<20+1, opts...)
		require.ErrorIs(t, err, requests.ErrContentDecoding)
		require.ErrorIs(t, err, coding.ErrBarren)
	}
}

func TestLimitOfDraining(t *testing.T) {
	conns := func(set int64, n int, head string) int {
		w := newWorld(t)
		text := strings.Repeat("x", n)
		if head == "" {
			text = fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", n, text)
			head = "Transfer-Encoding: chunked"
		}
		a := w.at("http://a.test", "HTTP/1.1 302 Found\r\nLocation: /x\r\n"+head+"\r\n\r\n"+text, answerOK)
		get(t, w.session(), "http://a.test/", requests.Settings{Limits: requests.Limits{Drain: set}})
		return a.accepted()
	}
	length := func(n int) string { return fmt.Sprintf("Content-Length: %d", n) }
	for set, limit := range map[int64]int{0: 64 << 10, 100: 100, 256 << 10: 256 << 10} {
		assert.Equal(t, 1, conns(set, limit, length(limit)), "a limit of %d", set)
		assert.Equal(t, 2, conns(set, limit+1, length(limit+1)), "a limit of %d", set)
		assert.Equal(t, 1, conns(set, limit, ""), "a limit of %d", set)
		assert.Equal(t, 2, conns(set, 4*limit, ""), "a limit of %d", set)
	}
	assert.Equal(t, 1, conns(-1, 0, length(0)))
	assert.Equal(t, 2, conns(-1, 1, length(1)))
}

// setMany has a host set cookies on a jar, of a response each.
func setMany(jar *requests.CookieJar, host string, from, n, value int) {
	for i := range n {
		jar.SetCookies(&url.URL{Scheme: "http", Host: host, Path: "/"}, []*http.Cookie{
			{Name: fmt.Sprintf("c%05d", from+i), Value: strings.Repeat("v", value)},
		})
	}
}

func TestLimitsOfCookies(t *testing.T) {
	for _, tt := range []struct {
		name                                           string
		limits                                         requests.CookieLimits
		bytes, perHost, total, perResponse, headerSize int
	}{
		{"by default", requests.CookieLimits{}, 4096, 180, 3000, 50, 16 << 10},
		{"as set", requests.CookieLimits{CookieBytes: 100, PerHost: 5, Total: 12, PerResponse: 3, HeaderBytes: 40}, 100, 5, 12, 3, 40},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fresh := func() *requests.CookieJar { return &requests.CookieJar{Limits: tt.limits} }
			jar := fresh()
			setMany(jar, "a.test", 0, 1, tt.bytes-6)
			assert.Equal(t, 1, jar.Len())
			setMany(jar, "a.test", 1, 1, tt.bytes-5)
			assert.Equal(t, 1, jar.Len(), "a cookie that is too large")

			jar = fresh()
			setMany(jar, "a.test", 0, tt.perHost, 1)
			assert.Equal(t, tt.perHost, jar.Len())
			setMany(jar, "a.test", tt.perHost, 1, 1)
			assert.Equal(t, tt.perHost, jar.Len())
			assert.NotContains(t, jar.Names(), "c00000", "the one that was not used for longest goes")

			jar = fresh()
			for h := 0; jar.Len() < tt.total; h++ {
				setMany(jar, fmt.Sprintf("h%d.test", h), 0, min(tt.perHost, tt.total-jar.Len()), 1)
			}
			setMany(jar, "last.test", 0, 1, 1)
			assert.Equal(t, tt.total, jar.Len())
			assert.Contains(t, jar.Domains(), "last.test")

			jar = fresh()
			var cookies []*http.Cookie
			for i := range tt.perResponse + 1 {
				cookies = append(cookies, &http.Cookie{Name: fmt.Sprintf("c%d", i), Value: "v"})
			}
			jar.SetCookies(&url.URL{Scheme: "http", Host: "a.test"}, cookies[:tt.perResponse])
			assert.Equal(t, min(tt.perResponse, tt.perHost), jar.Len())
			jar = fresh()
			jar.SetCookies(&url.URL{Scheme: "http", Host: "a.test"}, cookies)
			assert.Equal(t, min(tt.perResponse, tt.perHost), jar.Len())

			jar = fresh()
			setMany(jar, "a.test", 0, 5, min(tt.bytes-6, tt.headerSize/5))
			w := newWorld(t)
			a := w.at("http://a.test")
			s := w.session()
			s.Cookies = jar
			get(t, s, "http://a.test/")
			header := strings.Join(valuesOf(a.last(), "Cookie"), "")
			assert.NotEmpty(t, header)
			assert.LessOrEqual(t, len(header), tt.headerSize)
			assert.Less(t, strings.Count(header, "="), 5, "all of them are more than the limit")
		})
	}
	unlimited := &requests.CookieJar{Limits: requests.CookieLimits{CookieBytes: -1, PerHost: -1, Total: -1, PerResponse: -1}}
	setMany(unlimited, "a.test", 0, 3001, 1)
	setMany(unlimited, "a.test", 3001, 1, 5000)
	assert.Equal(t, 3002, unlimited.Len())
}

func TestLimitOfErrorTexts(t *testing.T) {
	for _, n := range []int{10, 900, 1024, 1025, 5000, 100_000} {
		host := strings.Repeat("a", n)
		_, err := requests.NewRequest("GET", "http://["+host).Prepare(t.Context())
		cleanError(t, err)
		_, err = requests.NewRequest("GET", "http://a.test/", requests.Header(host, "\n")).Prepare(t.Context())
		cleanError(t, err)
	}
	long := errors.New(strings.Repeat("é", 2000))
	for n := range 4 {
		e := &requests.Error{Op: strings.Repeat("x", n), Err: long}
		assert.LessOrEqual(t, len(e.Error()), 1024)
		assert.Greater(t, len(e.Error()), 1000, "more is left out than has to be")
		assert.Equal(t, strings.ToValidUTF8(e.Error(), "?"), e.Error())
	}
}

func TestLimitOfNetrc(t *testing.T) {
	const entry = "machine a.test login u password p\n"
	for n, found := range map[int]bool{1 << 20: true, 1<<20 + 1: false} {
		useNetrc(t, entry+strings.Repeat("\n", n-len(entry)))
		w := newWorld(t)
		a := w.at("http://a.test")
		get(t, w.environed(), "http://a.test/")
		assert.Equal(t, found, len(valuesOf(a.last(), "Authorization")) == 1, "%d bytes", n)
	}
}

func TestLimitsOfWaits(t *testing.T) {
	for value, want := range map[string]time.Duration{"21600": 6 * time.Hour, "21601": 6 * time.Hour, "21599": 21599 * time.Second} {
		took, err := waits(t, requests.Retries(1), value)
		require.NoError(t, err)
		assert.Equal(t, want, took, value)
	}
	took, err := waits(t, &requests.Retry{Total: 1, RetryAfterMax: 8 * time.Hour}, "25200")
	require.NoError(t, err)
	assert.Equal(t, 7*time.Hour, took)
	for limit, want := range map[time.Duration]time.Duration{0: 2 * time.Minute, time.Hour: time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			down := testserver.Answer{Status: 500}
			srv := testserver.NewFaultsPipe(t, nil, down, down)
			s := newFaultSession(func(a *requests.HTTPAdapter) {
				a.Dial = srv.Dial
				a.MaxRetries = &requests.Retry{Total: 2, StatusForcelist: []int{500}, BackoffFactor: 24 * time.Hour, BackoffMax: limit}
			})
			start := time.Now()
			_, err := s.Get(t.Context(), srv.URL()+"/")
			require.NoError(t, err)
			assert.Equal(t, want, time.Since(start), "no wait before the first retry, then the longest")
			require.NoError(t, s.Close())
			srv.Close()
		})
	}
}

func TestLimitsOfBodies(t *testing.T) {
	answer := codedAnswer(gzipped(make([]byte, 4<<20)), "gzip")
	for _, opt := range []requests.Option{requests.MaxBody(4 << 20), requests.MaxBody(-1), requests.MaxExpansion(2000), requests.Settings{}} {
		r, err, _ := ask(t, answer, opt)
		require.NoError(t, err)
		assert.Len(t, r.Content(), 4<<20)
	}
	for _, opt := range []requests.Option{requests.MaxBody(4<<20 - 1), requests.MaxExpansion(10)} {
		_, err, _ := ask(t, answer, opt)
		require.ErrorIs(t, err, requests.ErrTooLarge)
	}
}
