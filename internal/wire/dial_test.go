package wire

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func addrs(texts ...string) []netip.Addr {
	out := make([]netip.Addr, len(texts))
	for i, s := range texts {
		out[i] = netip.MustParseAddr(s)
	}
	return out
}

func TestInterleave(t *testing.T) {
	tests := []struct{ in, want string }{
		{"1.1.1.1", "1.1.1.1"},
		{"1.1.1.1 1.1.1.2", "1.1.1.1 1.1.1.2"},
		{"::1 ::2 1.1.1.1", "::1 1.1.1.1 ::2"},
		{"1.1.1.1 1.1.1.2 ::1 ::2", "1.1.1.1 ::1 1.1.1.2 ::2"},
		{"1.1.1.1 ::1 ::2 ::3", "1.1.1.1 ::1 ::2 ::3"},
		{"::ffff:1.1.1.1 ::1", "1.1.1.1 ::1"},
	}
	for _, tt := range tests {
		var got []string
		for _, a := range interleave(addrs(strings.Fields(tt.in)...)) {
			got = append(got, a.String())
		}
		assert.Equal(t, tt.want, strings.Join(got, " "), tt.in)
	}
}

var errDown = errors.New("refused")

// answer is how an address behaves in a race: after some time it answers, or
// fails; one without a time hangs until it is called off.
type answer struct {
	after time.Duration
	err   error
}

type timeoutError struct{}

func (timeoutError) Error() string { return "timed out" }
func (timeoutError) Timeout() bool { return true }
func (timeoutError) Temporary() bool {
	return true
}

// closer counts how many connections of a race are open.
type closer struct {
	net.Conn
	addr netip.Addr
	open *int
	mu   *sync.Mutex
}

func (c *closer) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	*c.open--
	return nil
}

func TestRace(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name    string
		answers []answer
		winner  int // index, or -1
		took    time.Duration
		err     error
		started int
	}{
		{"the first answers", []answer{{after: 10 * ms}, {after: ms}}, 0, 10 * ms, nil, 1},
		{"the first is slow", []answer{{after: 600 * ms}, {after: 10 * ms}}, 1, 260 * ms, nil, 2},
		{"the first hangs", []answer{{}, {after: ms}}, 1, 251 * ms, nil, 2},
		{"the first fails", []answer{{after: 10 * ms, err: errDown}, {after: 10 * ms}}, 1, 20 * ms, nil, 2},
		{"a slow first still wins", []answer{{after: 300 * ms}, {after: 100 * ms}}, 0, 300 * ms, nil, 2},
		{"two dead ones", []answer{{}, {}, {after: ms}}, 2, 501 * ms, nil, 3},
		{"all fail", []answer{{after: ms, err: timeoutError{}}, {after: ms, err: errDown}}, -1, 2 * ms, errDown, 2},
		{"all time out", []answer{{after: ms, err: timeoutError{}}, {after: ms, err: timeoutError{}}}, -1, 2 * ms, timeoutError{}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				started, open := 0, 0
				list := make([]netip.Addr, len(tt.answers))
				for i := range list {
					list[i] = netip.AddrFrom4([4]byte{127, 0, 0, byte(i)})
				}
				dial := func(ctx context.Context, a netip.Addr) (net.Conn, error) {
					mu.Lock()
					started++
					mu.Unlock()
					b := tt.answers[a.As4()[3]]
					wait := time.NewTimer(b.after)
					if b == (answer{}) {
						wait.Stop()
					}
					defer wait.Stop()
					select {
					case <-ctx.Done():
						return nil, ctx.Err()
					case <-wait.C:
					}
					if b.err != nil {
						return nil, b.err
					}
					mu.Lock()
					defer mu.Unlock()
					open++
					return &closer{addr: a, open: &open, mu: &mu}, nil
				}
				begin := time.Now()
				c, err := race(t.Context(), list, attemptDelay, dial)
				assert.Equal(t, tt.took, time.Since(begin))
				assert.Equal(t, tt.started, started)
				if tt.winner < 0 {
					assert.Nil(t, c)
					assert.Equal(t, tt.err, err)
					assert.Zero(t, open)
					return
				}
				require.NoError(t, err)
				assert.Equal(t, list[tt.winner], c.(*closer).addr)
				assert.Equal(t, 1, open, "connections left open")
			})
		})
	}
}

// Two that answer at the same time leave one connection.
func TestRaceClosesTheLoser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		open := 0
		dial := func(_ context.Context, a netip.Addr) (net.Conn, error) {
			if a == netip.MustParseAddr("127.0.0.1") {
				time.Sleep(attemptDelay)
			}
			time.Sleep(time.Second)
			mu.Lock()
			defer mu.Unlock()
			open++
			return &closer{addr: a, open: &open, mu: &mu}, nil
		}
		_, err := race(t.Context(), addrs("127.0.0.1", "127.0.0.2"), attemptDelay, dial)
		require.NoError(t, err)
		assert.Equal(t, 1, open)
	})
}

func TestRaceEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
		defer cancel()
		begin := time.Now()
		_, err := race(ctx, addrs("127.0.0.1", "127.0.0.2", "127.0.0.3"), attemptDelay,
			func(ctx context.Context, _ netip.Addr) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			})
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 400*time.Millisecond, time.Since(begin))
	})
}

func TestResolve(t *testing.T) {
	boom := errors.New("boom")
	hang := func(ctx context.Context, _ string) ([]netip.Addr, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	tests := []struct {
		name    string
		host    string
		lookup  func(context.Context, string) ([]netip.Addr, error)
		timeout time.Duration
		want    []netip.Addr
		check   func(t *testing.T, err error)
	}{
		{"an address is not looked up", "127.0.0.1", nil, 0, addrs("127.0.0.1"), nil},
		{"a bare IPv6 address", "::1", nil, 0, addrs("::1"), nil},
		{"an address with a zone", "fe80::1%lo", nil, 0, []netip.Addr{netip.MustParseAddr("fe80::1%lo")}, nil},
		{"a name", "a.test", func(context.Context, string) ([]netip.Addr, error) {
			return addrs("127.0.0.9"), nil
		}, 0, addrs("127.0.0.9"), nil},
		{
			"no addresses", "a.test", func(context.Context, string) ([]netip.Addr, error) { return nil, nil }, 0, nil,
			func(t *testing.T, err error) {
				var dns *net.DNSError
				require.ErrorAs(t, err, &dns)
				assert.True(t, dns.IsNotFound)
				assert.Equal(t, "a.test", dns.Name)
			},
		},
		{
			"a failure", "a.test", func(context.Context, string) ([]netip.Addr, error) { return nil, boom }, time.Second, nil,
			func(t *testing.T, err error) { assert.Equal(t, boom, err) },
		},
		{"a look-up that hangs", "a.test", hang, time.Second, nil, func(t *testing.T, err error) {
			var dns *net.DNSError
			require.ErrorAs(t, err, &dns)
			assert.True(t, dns.Timeout())
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := Dialer{Lookup: tt.lookup}
				begin := time.Now()
				got, err := d.Resolve(t.Context(), tt.host, tt.timeout)
				if tt.check != nil {
					tt.check(t, err)
					assert.LessOrEqual(t, time.Since(begin), tt.timeout)
					return
				}
				require.NoError(t, err)
				assert.Equal(t, tt.want, got)
			})
		})
	}
}

func TestResolveCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	d := Dialer{Lookup: func(ctx context.Context, _ string) ([]netip.Addr, error) {
		cancel()
		return nil, ctx.Err()
	}}
	_, err := d.Resolve(ctx, "a.test", time.Second)
	assert.ErrorIs(t, err, context.Canceled)
	var dns *net.DNSError
	require.ErrorAs(t, err, &dns)
	assert.False(t, dns.Timeout())
}

func TestResolveBySystem(t *testing.T) {
	var d Dialer
	got, err := d.Resolve(t.Context(), "localhost", time.Minute)
	require.NoError(t, err)
	for _, a := range got {
		assert.True(t, a.IsLoopback(), a)
	}
}

// listen returns a listener on the loopback interface and its port.
func listen(t *testing.T) (net.Listener, string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { ln.Close() })
	return ln, strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
}

func TestDial(t *testing.T) {
	_, port := listen(t)
	tests := []struct {
		name   string
		lookup []netip.Addr
		want   string
	}{
		{"one address", addrs("127.0.0.1"), "127.0.0.1"},
		{"one that refuses first", addrs("127.0.0.2", "127.0.0.1"), "127.0.0.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := Dialer{Lookup: func(context.Context, string) ([]netip.Addr, error) { return tt.lookup, nil }}
			c, err := d.Dial(t.Context(), "tcp", "a.test", port, time.Minute)
			require.NoError(t, err)
			defer c.Close()
			assert.Equal(t, net.JoinHostPort(tt.want, port), c.RemoteAddr().String())
		})
	}
}

func TestDialFails(t *testing.T) {
	ln, port := listen(t)
	ln.Close()
	d := Dialer{Lookup: func(context.Context, string) ([]netip.Addr, error) { return addrs("127.0.0.1", "127.0.0.2"), nil }}
	_, err := d.Dial(t.Context(), "tcp", "a.test", port, 0)
	assert.ErrorIs(t, err, syscall.ECONNREFUSED)

	boom := errors.New("boom")
	d.Lookup = func(context.Context, string) ([]netip.Addr, error) { return nil, boom }
	_, err = d.Dial(t.Context(), "tcp", "a.test", port, 0)
	assert.Equal(t, boom, err)
}

// A timeout is each attempt's own, and all of them are made.
func TestDialTimeout(t *testing.T) {
	_, port := listen(t)
	var d Dialer
	_, err := d.Dial(t.Context(), "tcp", "127.0.0.1", port, time.Nanosecond)
	var ne net.Error
	require.ErrorAs(t, err, &ne)
	assert.True(t, ne.Timeout())

	d.Lookup = func(context.Context, string) ([]netip.Addr, error) { return addrs("127.0.0.1", "127.0.0.2"), nil }
	_, err = race(t.Context(), addrs("127.0.0.1", "127.0.0.2"), attemptDelay,
		func(ctx context.Context, a netip.Addr) (net.Conn, error) {
			return d.Dial(ctx, "tcp", a.String(), port, time.Nanosecond)
		})
	require.ErrorAs(t, err, &ne)
	assert.True(t, ne.Timeout())
}

// The guard of the caller sees each address before it is dialled.
func TestDialControl(t *testing.T) {
	_, port := listen(t)
	boom := errors.New("not there")
	var mu sync.Mutex
	var seen []string
	d := Dialer{
		Lookup: func(context.Context, string) ([]netip.Addr, error) { return addrs("127.0.0.2", "127.0.0.1"), nil },
		Control: func(network, address string, _ syscall.RawConn) error {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, network+" "+address)
			return boom
		},
	}
	_, err := d.Dial(t.Context(), "tcp", "a.test", port, 0)
	assert.ErrorIs(t, err, boom)
	assert.Equal(t, []string{"tcp4 127.0.0.2:" + port, "tcp4 127.0.0.1:" + port}, seen)
}

func TestDialLocalAddr(t *testing.T) {
	_, port := listen(t)
	d := Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 3)}}
	c, err := d.Dial(t.Context(), "tcp", "127.0.0.1", port, 0)
	require.NoError(t, err)
	defer c.Close()
	assert.Equal(t, "127.0.0.3", c.LocalAddr().(*net.TCPAddr).IP.String())
}
