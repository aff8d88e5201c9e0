package requests

import (
	"bufio"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A server that keeps a connection for no time at all is asked nothing on it any
// more.
func TestKeepAliveOfZero(t *testing.T) {
	for value, want := range map[string]int64{"timeout=0": 3, "max=5, Timeout=0": 3, "timeout=60": 1, "timeout=00": 3, "timeout=x": 1} {
		t.Run(value, func(t *testing.T) {
			var conns atomic.Int64
			url := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
				conns.Add(1)
				for readHead(r) != "" {
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nKeep-Alive: "+value+"\r\nContent-Length: 2\r\n\r\nok")
				}
			})
			s := loopSession(t)
			for _, opts := range [][]Option{nil, {Stream()}, nil} {
				r, err := s.Get(t.Context(), url, opts...)
				require.NoError(t, err)
				assert.Equal(t, "ok", r.Text())
				require.NoError(t, r.Close())
			}
			assert.Equal(t, want, conns.Load())
		})
	}
}
