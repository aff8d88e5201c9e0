//go:build unix

package requests_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// looping is a site that leads to itself for ever, each time by another URL.
func looping(w *world) *site {
	return w.scripted("http://a.test", func(n int, _ *http.Request, _ []byte) string { return redirectTo(302, fmt.Sprintf("/%d", n+1)) })
}

func TestAdvisory141_LimitOfRedirects(t *testing.T) {
	for _, limit := range []int{0, 1, 5, 30, 31} {
		for level, opts := range map[string][2][]requests.Option{
			"session": {{requests.MaxRedirects(limit)}, nil}, "call": {{requests.MaxRedirects(7)}, {requests.MaxRedirects(limit)}},
		} {
			t.Run(fmt.Sprint(level, limit), func(t *testing.T) {
				w := newWorld(t)
				a := looping(w)
				_, err := w.session(opts[0]...).Get(t.Context(), "http://a.test/0", opts[1]...)
				require.ErrorIs(t, err, requests.ErrTooManyRedirects)
				assert.Len(t, a.seen(), limit+1)
				var e *requests.Error
				require.ErrorAs(t, err, &e)
				require.NotNil(t, e.Response)
				assert.Equal(t, fmt.Sprintf("http://a.test/%d", limit), e.Response.URL)
				require.Len(t, e.Response.History, limit)
				for i, r := range e.Response.History {
					assert.Equal(t, fmt.Sprintf("http://a.test/%d", i), r.URL)
				}
			})
		}
	}
	w := newWorld(t)
	n := 0
	w.scripted("http://a.test", func(int, *http.Request, []byte) string {
		if n++; n <= 30 {
			return redirectTo(302, fmt.Sprintf("/%d", n))
		}
		return answerOK
	})
	assert.Len(t, get(t, w.session(), "http://a.test/").History, 30)
}

func TestAdvisory142_RedirectLoops(t *testing.T) {
	for name, script := range map[string]func(n int) string{
		"itself":  func(int) string { return "/" },
		"two":     func(n int) string { return []string{"/a", "/b"}[n%2] },
		"growing": func(n int) string { return "/" + strings.Repeat("x", n*1000) },
		"query":   func(n int) string { return "?" + strings.Repeat("x=1&", n) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a := w.scripted("http://a.test", func(n int, _ *http.Request, _ []byte) string { return redirectTo(302, script(n)) })
			_, err := w.session().Get(t.Context(), "http://a.test/")
			require.ErrorIs(t, err, requests.ErrTooManyRedirects)
			assert.Len(t, a.seen(), 31)
		})
	}
	w := newWorld(t)
	a := w.at("http://a.test", redirectTo(302, "/"+strings.Repeat("x", 64<<10)))
	_, err := w.session().Get(t.Context(), "http://a.test/")
	require.ErrorIs(t, err, requests.ErrInvalidURL)
	cleanError(t, err)
	assert.Len(t, a.seen(), 1)
}

// waits returns how long a session waits before it answers a 503 that asks
// for a wait, by a clock that is faked.
func waits(t *testing.T, retry *requests.Retry, retryAfter string) (took time.Duration, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		srv := testserver.NewFaultsPipe(t, nil, testserver.Answer{Status: 503, Header: []string{"Retry-After: " + retryAfter}})
		s := newFaultSession(func(a *requests.HTTPAdapter) { a.Dial, a.MaxRetries = srv.Dial, retry })
		start := time.Now()
		_, err = s.Get(t.Context(), srv.URL()+"/")
		took = time.Since(start)
		require.NoError(t, s.Close())
		srv.Close()
	})
	return took, err
}

func TestAdvisory143_EndlessRetryAfter(t *testing.T) {
	for _, tt := range []struct {
		value string
		retry *requests.Retry
		want  time.Duration
	}{
		{"1000000000000", requests.Retries(1), 6 * time.Hour},
		{"99999999999999999999999999", requests.Retries(1), 6 * time.Hour},
		{"Fri, 31 Dec 9999 23:59:59 GMT", requests.Retries(1), 6 * time.Hour},
		{"21600", requests.Retries(1), 6 * time.Hour},
		{"21599", requests.Retries(1), 6*time.Hour - time.Second},
		{"1000000000000", &requests.Retry{Total: 1, RetryAfterMax: time.Minute}, time.Minute},
		{"0", requests.Retries(1), 0},
		{"Thu, 01 Jan 1970 00:00:00 GMT", requests.Retries(1), 0},
	} {
		took, err := waits(t, tt.retry, tt.value)
		require.NoError(t, err, tt.value)
		assert.Equal(t, tt.want, took, tt.value)
	}
	for _, value := range []string{"x", "1.5", "-1", "0x10", "Thu"} {
		took, err := waits(t, requests.Retries(1), value)
		require.ErrorIs(t, err, requests.ErrInvalidHeader, value) // as the reference has it
		assert.Zero(t, took, value)
	}
	w := newWorld(t)
	w.at("http://a.test", "HTTP/1.1 503 X\r\nRetry-After: 1000000000000\r\nContent-Length: 0\r\n\r\n")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	inTime(t, func() {
		_, err := w.sessionOn(&requests.HTTPAdapter{Dial: w.dial, MaxRetries: requests.Retries(1)}).Get(ctx, "http://a.test/")
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestAdvisory144_WhatMayRepeat(t *testing.T) {
	for method, repeats := range map[string]bool{
		"POST": false, "PATCH": false, "MKCOL": false, "GET": true, "HEAD": true, "OPTIONS": true, "PUT": true, "DELETE": true, "TRACE": true,
	} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			a := w.at("http://a.test", answerClose, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			s := w.sessionOn(&requests.HTTPAdapter{Dial: w.dial, MaxRetries: requests.Retries(3)})
			r, err := s.Do(t.Context(), method, "http://a.test/", withBody(method, "body")...)
			if repeats {
				require.NoError(t, err)
				assert.Len(t, r.Attempts(), 1)
				assert.Len(t, a.seen(), 2)
				return
			}
			require.ErrorIs(t, err, requests.ErrConnection)
			var e *requests.Error
			require.ErrorAs(t, err, &e)
			assert.True(t, e.MaybeSent)
			assert.Len(t, a.seen(), 1)
		})
	}
}

func TestAdvisory145_StateOfThePutBefore(t *testing.T) {
	w := newWorld(t)
	a := w.at("http://a.test")
	s := w.session()
	for range 3 {
		_, err := s.Put(t.Context(), "http://a.test/", requests.Body(onlyRead{strings.NewReader("from a reader")}), requests.Header("Expect", "100-continue"),
			requests.Header("Content-Type", "x/put"))
		require.NoError(t, err)
		_, err = s.Post(t.Context(), "http://a.test/", requests.BodyBytes([]byte("bytes")))
		require.NoError(t, err)
		assert.Equal(t, []string{"5"}, valuesOf(a.last(), "Content-Length"))
		lacks(t, []string{a.last()}, "Transfer-Encoding", "Expect", "Content-Type")
		get(t, s, "http://a.test/")
		lacks(t, []string{a.last()}, "Transfer-Encoding", "Expect", "Content-Type", "Content-Length")
	}
	assert.Equal(t, []string{"from a reader", "bytes", ""}, a.bodies()[:3])
}

func TestAdvisory146_BodiesOnceMore(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 16<<10)
	sources := map[string]func() *requests.Payload{
		"bytes": func() *requests.Payload { return requests.BytesPayload(body) },
		"seeker, from the middle": func() *requests.Payload {
			r := bytes.NewReader(append([]byte("skipped"), body...))
			_, err := r.Seek(7, io.SeekStart)
			require.NoError(t, err)
			return requests.NewPayload(r)
		},
		"function": func() *requests.Payload {
			return requests.FuncPayload(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }, -1)
		},
	}
	ways := map[string][]string{
		"redirect": {redirectTo(307, "/x"), answerOK}, "challenge": {challenge(`Digest realm="r", nonce="n", qop="auth"`), answerOK},
		"status": {"HTTP/1.1 503 X\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n", answerOK}, "end": {answerClose, answerOK},
	}
	for way, answers := range ways {
		send := func(t *testing.T, p *requests.Payload) (*site, error) {
			w := newWorld(t)
			a := w.at("http://a.test", answers...)
			s := w.sessionOn(&requests.HTTPAdapter{Dial: w.dial, MaxRetries: requests.Retries(2)}, requests.DigestAuth("u", "p"))
			_, err := s.Put(t.Context(), "http://a.test/", requests.PayloadOf(p))
			return a, err
		}
		for source, payload := range sources {
			t.Run(way+", "+source, func(t *testing.T) {
				a, err := send(t, payload())
				require.NoError(t, err)
				bodies := a.bodies()
				require.Len(t, bodies, 2)
				for _, text := range bodies {
					assert.Equal(t, sha256.Sum256(body), sha256.Sum256([]byte(text)))
				}
			})
		}
		t.Run(way+", once", func(t *testing.T) {
			a, err := send(t, requests.NewPayload(onlyRead{bytes.NewReader(body)}))
			assert.Len(t, a.seen(), 1)
			require.Error(t, err)
			if way == "redirect" || way == "challenge" {
				require.ErrorIs(t, err, requests.ErrUnrewindableBody)
			}
		})
	}
}
