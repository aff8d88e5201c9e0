//go:build unix

package requests_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// proxyFailure is the wanted error of a proxy that gives no way to the
// origin: nothing was sent to that.
func proxyFailure() want {
	return want{kinds: kinds(requests.ErrProxy, requests.ErrConnection), not: kinds(requests.ErrTimeout, requests.ErrSSL)}
}

// proxyFaults are the faults of proxies.
func proxyFaults() []faultRow {
	var rows []faultRow
	for _, status := range []int{301, 400, 403, 404, 407, 429, 500, 502, 503, 504} {
		rows = append(rows, faultRow{id: "F79", name: http.StatusText(status), run: func(t *testing.T) { testTunnelRefused(t, status) }})
	}
	rows = append(rows, faultRow{id: "F80", name: "no answer to CONNECT", run: func(t *testing.T) {
		testSilentProxy(t, (&testserver.HTTPProxy{Hang: true}).Start(t).URL())
	}})
	broken := proxyFailure()
	for _, tt := range []struct {
		name   string
		answer testserver.Answer
	}{
		{"end", testserver.Answer{OnResponse: testserver.Shut}},
		{"reset", testserver.Answer{OnResponse: testserver.Reset}},
		{"garbage", testserver.Answer{Raw: "\x00\x01garbage\r\n\r\n", OnEnd: testserver.HalfClose}},
		{"half a head", testserver.Answer{Raw: "HTTP/1.1 200 Conn", OnEnd: testserver.HalfClose}},
		{"a head of 12 MiB", testserver.Answer{Raw: "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 12<<20) + "\r\n\r\n", OnEnd: testserver.HalfClose}},
		{"interim answers without an end", testserver.Answer{Interim: "HTTP/1.1 100 Continue\r\n\r\n", Interims: 200_000, OnResponse: testserver.HalfClose}},
	} {
		rows = append(rows, faultRow{id: "F81", name: tt.name, run: func(t *testing.T) { testBrokenTunnel(t, tt.answer, broken) }})
	}
	for _, tt := range []struct{ name, answer string }{
		{"a length", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"},
		{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
		{"an interim answer", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"},
	} {
		rows = append(rows, faultRow{id: "F82", name: tt.name, run: func(t *testing.T) { testTunnelWithBody(t, tt.answer) }})
	}
	rows = append(rows, faultRow{id: "F82", name: "early bytes", run: func(t *testing.T) {
		w := sslFailure()
		testBrokenTunnel(t, testserver.Answer{Raw: "HTTP/1.1 200 OK\r\n\r\nearly bytes that are no TLS", OnEnd: testserver.HalfClose}, w)
	}})
	for _, status := range []int{407, 502, 504} {
		rows = append(rows, faultRow{id: "F83", name: http.StatusText(status), run: func(t *testing.T) { testForwardedStatus(t, status) }})
	}
	rows = append(rows, socksRows()...)
	return append(rows, faultRow{id: "F87", name: "a pooled tunnel dies", run: testDeadTunnel})
}

// testTunnelRefused has a proxy refuse a tunnel. Its answer is never the
// origin's, and nobody follows its Location.
func testTunnelRefused(t *testing.T, status int) {
	watch := testserver.NewWatch(t)
	page := strings.Repeat("<html>no way", 1000)
	proxy := testserver.NewFaults(t, testserver.Answer{
		Status: status, Header: []string{"Location: http://127.0.0.1:1/", "X-Why: policy"}, Body: []byte(page), OnEnd: testserver.HalfClose,
	})
	s := newFaultSession(nil)
	e := failedGet(t, s, "https://origin.test/path?token=secret", proxyFailure(), requests.Proxy("https", proxy.URL()))
	refused, ok := errors.AsType[*requests.ProxyRefusedError](e)
	require.True(t, ok, "cause is a ProxyRefusedError: %v", e)
	assert.Equal(t, status, refused.StatusCode)
	assert.Equal(t, "policy", refused.Header.Get("X-Why"))
	assert.LessOrEqual(t, len(refused.Body), 4096)
	assert.True(t, strings.HasPrefix(page, string(refused.Body)) && len(refused.Body) > 0, "start of the body is kept")
	assert.Nil(t, e.Response, "the proxy's answer is no response")
	assert.Contains(t, e.Error(), fmt.Sprint(status))
	if status == 407 {
		assert.Contains(t, e.Error(), "password")
	}
	ledger := proxy.Ledger()
	require.Len(t, ledger, 1)
	assert.Equal(t, "CONNECT", ledger[0].Method)
	watch.Check(testserver.Conditions{
		Server: proxy, Next: func() error { return plainGet(t.Context(), s, proxy.URL()) }, Close: s.Close,
	})
}

// testSilentProxy has a proxy hang in the talk that opens a tunnel.
func testSilentProxy(t *testing.T, proxy string) {
	s := newFaultSession(nil)
	start := time.Now()
	failedGet(t, s, "https://origin.test/", want{
		kinds: kinds(requests.ErrConnectTimeout, requests.ErrConnection), not: kinds(requests.ErrReadTimeout), timeout: true,
	}, requests.Proxy("https", proxy), requests.ConnectTimeout(200*time.Millisecond))
	assert.InDelta(t, 2_000, time.Since(start).Milliseconds(), 1_850, "it neither came at once nor waited for another limit")
	require.NoError(t, s.Close())
}

func testBrokenTunnel(t *testing.T, answer testserver.Answer, w want) {
	watch := testserver.NewWatch(t)
	proxy := testserver.NewFaults(t, answer)
	s := newFaultSession(nil)
	failedGet(t, s, "https://origin.test/", w, requests.Proxy("https", proxy.URL()))
	watch.Check(testserver.Conditions{
		Server: proxy, Next: func() error { return plainGet(t.Context(), s, proxy.URL()) }, Close: s.Close,
	})
}

// A 200 to CONNECT has no body, whatever it says (RFC 9110, 9.3.6).
func testTunnelWithBody(t *testing.T, answer string) {
	proxy := (&testserver.HTTPProxy{ConnectAnswer: answer}).Start(t)
	ca, _, config := authority(t)
	srv := testserver.NewFaultsTLS(t, config)
	s := trusting(ca, nil)
	r, err := s.Get(t.Context(), srv.URL()+"/", requests.Proxy("https", proxy.URL()))
	require.NoError(t, err)
	assert.Equal(t, "ok", r.Text())
	require.NoError(t, s.Close())
}

// What a forwarding proxy says of itself is a response, as in Requests.
func testForwardedStatus(t *testing.T, status int) {
	watch := testserver.NewWatch(t)
	proxy := testserver.NewFaults(t, testserver.Answer{Status: status, Body: []byte("by the proxy")})
	s := newFaultSession(nil)
	r, err := s.Get(t.Context(), "http://origin.test/", requests.Proxy("http", proxy.URL()))
	require.NoError(t, err)
	assert.Equal(t, status, r.StatusCode)
	assert.Equal(t, "by the proxy", r.Text())
	watch.Check(testserver.Conditions{
		Server: proxy, Faulty: -1, Next: func() error { return plainGet(t.Context(), s, proxy.URL()) }, Close: s.Close,
	})
}

// socksRows are the refusals and faults of SOCKS proxies.
func socksRows() []faultRow {
	var rows []faultRow
	meaning := map[byte]error{3: syscall.ENETUNREACH, 4: syscall.EHOSTUNREACH, 5: syscall.ECONNREFUSED}
	for code := byte(1); code <= 9; code++ {
		w := proxyFailure()
		w.text = fmt.Sprintf("%#02x", code)
		if cause := meaning[code]; cause != nil {
			w.causes = causes(cause)
		}
		if code == 6 { // the proxy's packets timed out, and so did the way
			w.not = kinds(requests.ErrReadTimeout, requests.ErrSSL)
			w.timeoutAny = true
		}
		rows = append(rows, faultRow{id: "F84", name: w.text, run: func(t *testing.T) {
			testSOCKS(t, &testserver.SOCKSProxy{Reply: code}, "socks5h://%s", w)
		}})
	}
	w := proxyFailure()
	for _, tt := range []struct {
		name, url string
		proxy     *testserver.SOCKSProxy
	}{
		{"no acceptable method", "socks5h://%s", &testserver.SOCKSProxy{User: "user", Pass: "pass"}},
		{"wrong password", "socks5h://user:wrong@%s", &testserver.SOCKSProxy{User: "user", Pass: "pass"}},
		{"wrong version", "socks5h://%s", &testserver.SOCKSProxy{Garbage: "\x04\x00"}},
		{"an HTTP server", "socks5h://%s", &testserver.SOCKSProxy{Garbage: "HTTP/1.1 400 Bad Request\r\n\r\n"}},
		{"end in the middle", "socks5h://%s", &testserver.SOCKSProxy{Garbage: "\x05"}},
	} {
		rows = append(rows, faultRow{id: "F85", name: tt.name, run: func(t *testing.T) { testSOCKS(t, tt.proxy, tt.url, w) }})
	}
	rows = append(rows, faultRow{id: "F85", name: "silence", run: func(t *testing.T) {
		testSilentProxy(t, "socks5h://"+(&testserver.SOCKSProxy{Hang: true}).Start(t).Addr())
	}})
	for code := byte(0x5b); code <= 0x5d; code++ {
		for _, scheme := range []string{"socks4", "socks4a"} {
			rows = append(rows, faultRow{id: "F86", name: fmt.Sprintf("%s %#x", scheme, code), run: func(t *testing.T) {
				w := proxyFailure()
				w.text = fmt.Sprintf("%#x", code)
				testSOCKS(t, &testserver.SOCKSProxy{Reply: code}, scheme+"://%s", w)
			}})
		}
	}
	return append(rows, faultRow{id: "F86", name: "socks4a serves", run: testSOCKS4A})
}

func testSOCKS(t *testing.T, p *testserver.SOCKSProxy, url string, w want) {
	proxy := p.Start(t)
	for _, target := range []string{"http://127.0.0.1:9/", "https://127.0.0.1:9/"} {
		s := newFaultSession(nil)
		failedGet(t, s, target, w, requests.Proxy("all", fmt.Sprintf(url, proxy.Addr())))
		require.NoError(t, s.Close())
	}
}

func testSOCKS4A(t *testing.T) {
	srv := testserver.NewFaults(t)
	proxy := (&testserver.SOCKSProxy{Hosts: testserver.Hosts{"origin.test:80": srv.Addr()}}).Start(t)
	s := newFaultSession(nil)
	r, err := s.Get(t.Context(), "http://origin.test/", requests.Proxy("all", "socks4a://"+proxy.Addr()))
	require.NoError(t, err)
	assert.Equal(t, "ok", r.Text())
	require.NoError(t, s.Close())
}

// A tunnel that died while it was idle costs nothing.
func testDeadTunnel(t *testing.T) {
	for _, method := range []string{"GET", "PUT", "POST"} {
		t.Run(method, func(t *testing.T) {
			ca, _, config := authority(t)
			srv := testserver.NewFaultsTLS(t, config)
			srv.Choose = func(testserver.Arrival) testserver.Answer { return testserver.Answer{OnEnd: testserver.Shut} }
			proxy := (&testserver.HTTPProxy{}).Start(t)
			s := trusting(ca, nil)
			for i := range rounds(50, 10) {
				_, err := s.Do(t.Context(), method, srv.URL()+fmt.Sprintf("/%d", i),
					append(withBody(method, "body"), requests.Proxy("https", proxy.URL()))...)
				require.NoError(t, err, "request %d", i)
				require.True(t, srv.Closed(5*time.Second))
				time.Sleep(2 * time.Millisecond) // the proxy passes the end on
			}
			require.NoError(t, s.Close())
		})
	}
}

// TestTunnelBrokenOff has a tunnel end before an answer: whether it was the
// proxy or the server that left none can tell.
func TestTunnelBrokenOff(t *testing.T) {
	ca, _, config := authority(t)
	srv := testserver.NewFaultsTLS(t, config)
	srv.Choose = func(testserver.Arrival) testserver.Answer { return testserver.Answer{OnResponse: testserver.Shut} }
	proxy := (&testserver.HTTPProxy{}).Start(t)
	s := trusting(ca, nil)
	_, err := s.Get(t.Context(), srv.URL(), requests.Proxy("https", proxy.URL()))
	require.ErrorIs(t, err, requests.ErrProxy)
	require.ErrorIs(t, err, requests.ErrConnection)
	_, err = s.Get(t.Context(), srv.URL())
	require.NotErrorIs(t, err, requests.ErrProxy)
	require.NoError(t, s.Close())
}
