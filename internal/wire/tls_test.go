package wire

import (
	"crypto/tls"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// tlsPair returns our end of a TLS connection, and the server's with the
// socket under it.
func tlsPair(t *testing.T) (c *Conn, server *tls.Conn, socket net.Conn) {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	c, server = tlsOver(t, near, far)
	return c, server, far
}

// tlsOver returns both ends of TLS over a connection.
func tlsOver(t *testing.T, near, far net.Conn) (c *Conn, server *tls.Conn) {
	t.Helper()
	ca := testserver.NewCA(t)
	leaf := ca.Leaf("a.test")
	server = tls.Server(far, &tls.Config{Certificates: []tls.Certificate{leaf}, SessionTicketsDisabled: true})
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }()
	under := Under(near)
	client := tls.Client(under, &tls.Config{RootCAs: ca.Pool(), ServerName: "a.test"})
	require.NoError(t, client.Handshake())
	require.NoError(t, <-done)
	return NewTLS(client, under), server
}

// TLS that ends without its alert in the middle of a response was cut, by
// whoever is on the way.
func TestTLSCut(t *testing.T) {
	tests := []struct {
		name string
		end  func(server *tls.Conn, socket net.Conn)
		rest bool // the response came to its end before
		want error
	}{
		{"cut", func(_ *tls.Conn, socket net.Conn) { socket.Close() }, false, io.ErrUnexpectedEOF},
		{"cut after the response", func(_ *tls.Conn, socket net.Conn) { socket.Close() }, true, io.EOF},
		{"closed properly", func(server *tls.Conn, _ net.Conn) { server.Close() }, false, io.EOF},
		{"closed properly after the response", func(server *tls.Conn, _ net.Conn) { server.Close() }, true, io.EOF},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, server, socket := tlsPair(t)
			require.NotNil(t, c.TLS())
			assert.True(t, c.TLS().HandshakeComplete)
			c.Arm(fixedHead(ourHead), 0, nil)
			go func() {
				_, _ = server.Write([]byte("abc"))
				tt.end(server, socket)
			}()
			got := make([]byte, 3)
			_, err := io.ReadFull(c, got)
			require.NoError(t, err)
			assert.Equal(t, "abc", string(got))
			if tt.rest {
				c.Rest(c.Turn())
			}
			_, err = c.Read(got)
			assert.Equal(t, tt.want, err)
		})
	}
}

func TestTLSHeadIsReplaced(t *testing.T) {
	c, server, _ := tlsPair(t)
	c.Arm(fixedHead(ourHead), 0, nil)
	go func() {
		_, _ = c.Write([]byte(theirHead + "body"))
		c.Close()
	}()
	got, err := io.ReadAll(server)
	require.NoError(t, err)
	assert.Equal(t, ourHead+"body", string(got))
}
