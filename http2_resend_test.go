package requests_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// net/http sends a request again for as long as a server resets its stream
// with PROTOCOL_ERROR or goes away. Ours ends, and no field gets doubled.
func TestHTTP2ResendsEnd(t *testing.T) {
	for _, tt := range []struct {
		method string
		most   int
	}{
		{http.MethodGet, 6}, {http.MethodPut, 6}, {http.MethodPost, 2},
	} {
		t.Run(tt.method, func(t *testing.T) {
			ca := testserver.NewCA(t)
			server := newLeaver(t, ca)
			s := requests.NewSession(requests.Settings{Verify: requests.TLSVerify{Roots: ca.Pool()}})
			defer s.Close()
			start := time.Now()
			_, err := s.Do(t.Context(), tt.method, server.url, requests.BodyText("x"), requests.TotalTimeout(20*time.Second))
			require.ErrorIs(t, err, requests.ErrConnection)
			require.NotErrorIs(t, err, requests.ErrTimeout)
			assert.Less(t, time.Since(start), 10*time.Second)
			sizes := server.sizes()
			require.NotEmpty(t, sizes)
			assert.LessOrEqual(t, len(sizes), tt.most)
			assert.Len(t, slices.Compact(slices.Clone(sizes)), 1, "heads grow: %v", sizes)
		})
	}
}

// A leaver is a server of HTTP/2 that reads a request on each connection and
// goes away as if it had not.
type leaver struct {
	url   string
	mu    sync.Mutex // guards heads
	heads []int      // their sizes
}

func (l *leaver) sizes() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.heads)
}

func newLeaver(t *testing.T, ca *testserver.CA) *leaver {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{ca.Leaf("127.0.0.1")}, NextProtos: []string{"h2"},
	})
	require.NoError(t, err)
	l := &leaver{url: "https://" + ln.Addr().String()}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { l.serve(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	return l
}

// serve reads up to the head of a request and goes away.
func (l *leaver) serve(c net.Conn) {
	defer c.Close()
	if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	framer := http2.NewFramer(c, c)
	if framer.WriteSettings() != nil {
		return
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return
		}
		if head, ok := frame.(*http2.HeadersFrame); ok {
			l.mu.Lock()
			l.heads = append(l.heads, len(head.HeaderBlockFragment()))
			l.mu.Unlock()
			if framer.WriteGoAway(0, http2.ErrCodeNo, nil) == nil {
				// Wait for the client to close, so that it sees the frame.
				_, _ = io.Copy(io.Discard, c)
			}
			return
		}
	}
}
