//go:build unix

package wire

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tcpPair returns the two ends of a connection over the loopback interface.
func tcpPair(t *testing.T) (client, server net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	client, err = net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	server, err = ln.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

func TestAlive(t *testing.T) {
	tests := []struct {
		name string
		do   func(t *testing.T, client, server net.Conn)
		want bool
	}{
		{"open", func(*testing.T, net.Conn, net.Conn) {}, true},
		{"closed by the server", func(t *testing.T, client, server net.Conn) {
			server.Close()
			_, err := client.Read(make([]byte, 1)) // the end has arrived then
			require.ErrorIs(t, err, io.EOF)
		}, false},
		{"sent what nobody asked for", func(t *testing.T, client, server net.Conn) {
			_, err := server.Write([]byte("ab"))
			require.NoError(t, err)
			_, err = client.Read(make([]byte, 1)) // the other byte has arrived then
			require.NoError(t, err)
		}, false},
		{"reset", func(t *testing.T, client, server net.Conn) {
			require.NoError(t, server.(*net.TCPConn).SetLinger(0))
			server.Close()
			_, err := client.Read(make([]byte, 1))
			require.Error(t, err)
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client, server := tcpPair(t)
			tt.do(t, client, server)
			assert.Equal(t, tt.want, newSocket(client).alive())
			c := New(client)
			c.Arm(fixedHead(ourHead), Reused, nil)
			n, err := c.Write([]byte(theirHead))
			if tt.want {
				assert.NoError(t, err)
				return
			}
			assert.ErrorIs(t, err, ErrStale)
			assert.Zero(t, n)
			_, written := c.Counts()
			assert.Zero(t, written)
		})
	}
}

// What cannot be looked at counts as alive: the write will tell.
func TestAliveUnknown(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	assert.True(t, newSocket(a).alive())
	client, _ := tcpPair(t)
	look := newSocket(client)
	client.Close()
	assert.True(t, look.alive())
	assert.True(t, newSocket(client).alive())
}

// The peek takes nothing away: the answer to the request is still whole.
func TestAliveTakesNothing(t *testing.T) {
	client, server := tcpPair(t)
	_, err := server.Write([]byte("abc"))
	require.NoError(t, err)
	_, err = io.ReadFull(client, make([]byte, 1))
	require.NoError(t, err)
	assert.False(t, newSocket(client).alive())
	rest := make([]byte, 2)
	_, err = io.ReadFull(client, rest)
	require.NoError(t, err)
	assert.Equal(t, "bc", string(rest))
}

// A request that may be lost goes out without a look at the socket; one that
// was lost goes over no connection that served others.
func TestTermsOfReuse(t *testing.T) {
	client, server := tcpPair(t)
	server.Close()
	_, err := client.Read(make([]byte, 1)) // the end has arrived then
	require.ErrorIs(t, err, io.EOF)
	tests := []struct {
		name  string
		terms Terms
		want  error
	}{
		{"new", 0, nil},
		{"new, after a loss", Again, nil},
		{"reused", Reused, ErrStale},
		{"reused, replayable", Reused | Replayable, nil},
		{"reused, after a loss", Reused | Again, ErrStale},
		{"reused, replayable, after a loss", Reused | Replayable | Again, ErrStale},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := &fakeSocket{room: -1}
			c := New(client)
			c.Conn = raw // what is written is of no matter to the socket
			c.Arm(fixedHead(ourHead), tt.terms, nil)
			_, err := c.Write([]byte(theirHead))
			assert.ErrorIs(t, err, tt.want)
			assert.Equal(t, tt.want == nil, raw.wrote.Len() > 0)
		})
	}
}
