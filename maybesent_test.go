package requests

import (
	"bufio"
	"context"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A kept connection takes a request and dies, and no other one is made: the
// server may have acted on what it took.
func TestMaybeSentBeforeDialFails(t *testing.T) {
	url := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) {
		if readHead(r) != "" {
			_, _ = io.WriteString(c, okEmpty)
			readHead(r)
		}
	})
	dials := 0
	s := tlsSession(t, &HTTPAdapter{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials++; dials > 1 {
			return nil, syscall.ECONNREFUSED
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}})
	_, err := s.Get(t.Context(), url)
	require.NoError(t, err)
	_, err = s.Get(t.Context(), url)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	assert.True(t, asError(t, err).MaybeSent)
}
