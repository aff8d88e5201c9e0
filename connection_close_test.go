package requests_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
)

// A client that announced the end of a connection sends nothing more on it,
// even where the server would take it (RFC 9112, 9.6).
func TestConnectionCloseIsKept(t *testing.T) {
	tests := []struct {
		value string
		reuse bool
	}{
		{"close", false},
		{"Close", false},
		{"x-other, close", false},
		{"keep-alive", true},
		{"closed", true},
	}
	for _, tt := range tests {
		t.Run(tt.value, func(t *testing.T) {
			server := newKeeper(t)
			s := requests.NewSession(requests.Header("Connection", tt.value))
			defer s.Close()
			for range 2 {
				_, err := s.Get(t.Context(), server.url)
				require.NoError(t, err)
			}
			assert.Equal(t, tt.reuse, server.conns.Load() == 1)
		})
	}
}

// A keeper is a server that answers every request and closes no connection.
type keeper struct {
	url   string
	conns atomic.Int32
}

func newKeeper(t *testing.T) *keeper {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	k := &keeper{url: "http://" + ln.Addr().String()}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			k.conns.Add(1)
			wg.Go(func() {
				defer c.Close()
				br := bufio.NewReader(c)
				for {
					if _, err := http.ReadRequest(br); err != nil {
						return
					}
					if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	return k
}
