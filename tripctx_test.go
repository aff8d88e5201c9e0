package requests

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http/httptrace"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// silentServer takes connections, reads a request, writes start and nothing
// more until the client is gone, which it tells of.
func silentServer(t *testing.T, start string) (url string, gone <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	left := make(chan struct{}, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = c.Read(make([]byte, 4<<10))
				_, _ = io.WriteString(c, start)
				_, _ = io.Copy(io.Discard, c)
				left <- struct{}{}
			}()
		}
	}()
	return "http://" + l.Addr().String() + "/", left
}

const halfBody = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"

// Whatever ends a request that a server leaves hanging, with a head or
// without one, its connection goes too.
func TestHangingRequestEnds(t *testing.T) {
	own := errors.New("own cause")
	for _, start := range []string{"", halfBody} {
		for name, tt := range map[string]struct {
			opts []Option
			ctx  func(context.Context) (context.Context, context.CancelFunc)
			want error
		}{
			"cancel": {ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancelCause(ctx)
				time.AfterFunc(20*time.Millisecond, func() { cancel(own) })
				return ctx, func() { cancel(nil) }
			}, want: own},
			"deadline": {ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, 20*time.Millisecond)
			}, want: ErrTimeout},
			"read timeout":  {opts: []Option{ReadTimeout(20 * time.Millisecond)}, want: ErrReadTimeout},
			"total timeout": {opts: []Option{TotalTimeout(20 * time.Millisecond)}, want: ErrTimeout},
		} {
			t.Run(name+"/"+start[:min(len(start), 15)], func(t *testing.T) {
				url, gone := silentServer(t, start)
				ctx := t.Context()
				if tt.ctx != nil {
					var cancel context.CancelFunc
					ctx, cancel = tt.ctx(ctx)
					defer cancel()
				}
				s := NewSession()
				_, err := s.Get(ctx, url, tt.opts...)
				require.ErrorIs(t, err, tt.want)
				s.Close() // closes what is idle: a connection that came too late
				<-gone
			})
		}
	}
}

// A streamed response that is closed early costs its connection, without a
// context that ends.
func TestCloseOfHalfReadResponseEndsConnection(t *testing.T) {
	url, gone := silentServer(t, halfBody)
	s := NewSession()
	defer s.Close()
	r, err := s.Get(context.Background(), url, Stream())
	require.NoError(t, err)
	b := make([]byte, 5)
	_, err = io.ReadFull(r, b)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	<-gone
}

// The caller's trace sees what net/http does, and its values reach a dialler.
func TestCallerTraceAndValues(t *testing.T) {
	answer := canned("ok")
	host := serveCanned(t, nil, func([]byte) []byte { return answer })
	type key struct{}
	var got, reused int
	trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		got++
		if i.Reused {
			reused++
		}
	}}
	ctx := context.WithValue(httptrace.WithClientTrace(t.Context(), trace), key{}, "value")
	var value any
	s := NewSession()
	defer s.Close()
	s.Mount("http://", &HTTPAdapter{Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		value = ctx.Value(key{})
		return new(net.Dialer).DialContext(ctx, network, addr)
	}})
	for range 2 {
		r, err := s.Get(ctx, "http://"+host+"/")
		require.NoError(t, err)
		require.Equal(t, "ok", r.Text())
	}
	require.Equal(t, []any{2, 1, "value"}, []any{got, reused, value})
}

// The connect timeout of a request reaches the dialling for it.
func TestConnectTimeoutReachesDialler(t *testing.T) {
	s := NewSession()
	defer s.Close()
	s.Mount("http://", &HTTPAdapter{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	_, err := s.Get(t.Context(), "http://127.0.0.1:1/", ConnectTimeout(20*time.Millisecond))
	require.ErrorIs(t, err, ErrConnectTimeout)
}

// A request that goes to another connection leaves what the first one may still
// give where it is.
func TestAnswerOfEachConnection(t *testing.T) {
	trip := &trip{settings: new(Settings)}
	first := trip.newAnswer()
	assert.NotSame(t, first, trip.newAnswer())
}
