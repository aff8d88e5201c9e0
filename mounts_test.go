package requests

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// namedAdapter is told apart by its name, and counts its closings.
type namedAdapter struct {
	name   string
	closed int
	err    error
}

func (a *namedAdapter) Send(_ context.Context, p *PreparedRequest, _ Settings) (*Response, error) {
	return NewResponse(p, 200, a.name, Headers{}, nil), nil
}

func (a *namedAdapter) Close() error {
	a.closed++
	return a.err
}

// The two prefixes of every session are found without a look in the map, whichever
// adapter was mounted last and as long as there are no others.
func TestMountsOfEverySession(t *testing.T) {
	s := loopSession(t)
	adapter := func(url string) Adapter {
		a, err := s.Adapter(url)
		require.NoError(t, err, url)
		return a
	}
	plain, secure := adapter("http://a.test/"), adapter("https://a.test/")
	assert.NotSame(t, plain, secure)
	assert.Same(t, plain, adapter("HTTP://a.test/"))
	own := &namedAdapter{name: "own"}
	s.Mount("HTTP://", own)
	assert.Same(t, own, adapter("http://a.test/"))
	assert.Same(t, secure, adapter("https://a.test/"))
	_, err := s.Adapter("ftp://a.test/")
	require.ErrorIs(t, err, ErrInvalidSchema)
	more := &namedAdapter{name: "more"}
	s.Mount("http", more)
	s.Mount("https://a.test/", more)
	assert.Same(t, own, adapter("http://a.test/"))
	assert.Same(t, more, adapter("https://a.test/x"))
	assert.Same(t, secure, adapter("https://b.test/"))
	assert.Same(t, more, adapter("httpx://"))
}

func TestMountedAdapter(t *testing.T) {
	s := loopSession(t)
	for _, prefix := range []string{"http://", "http://a.test/", "http://a.test/x", "HTTP://B.Test/", "http://localhost", "echo://"} {
		s.Mount(prefix, &namedAdapter{name: prefix})
	}
	tests := []struct{ url, want string }{
		{"http://c.test/", "http://"},
		{"http://a.test/", "http://a.test/"},
		{"http://a.test/y", "http://a.test/"},
		{"http://a.test/x", "http://a.test/x"},
		{"http://a.test/xyz", "http://a.test/x"},
		{"HTTP://A.TEST/X", "http://a.test/x"},
		{"http://a.test", "http://"},
		{"http://b.test/", "HTTP://B.Test/"},
		{"http://localhost.other.com/", "http://localhost"},
		{"echo:///any thing", "echo://"},
	}
	for _, tt := range tests {
		a, err := s.Adapter(tt.url)
		require.NoError(t, err, tt.url)
		assert.Equal(t, tt.want, a.(*namedAdapter).name, tt.url)
	}
	for _, url := range []string{"ftp://a.test/", "", "http:/a.test/", "ech"} {
		_, err := s.Adapter(url)
		assert.ErrorIs(t, err, ErrInvalidSchema, url)
	}
	_, err := s.Adapter("ftp://user:secret@a.test/")
	assert.NotContains(t, err.Error(), "secret")
}

func TestMountAgainReplaces(t *testing.T) {
	s := loopSession(t)
	first, second := &namedAdapter{name: "1"}, &namedAdapter{name: "2"}
	s.Mount("http://a.test/", first)
	s.Mount("HTTP://A.TEST/", second)
	a, err := s.Adapter("http://a.test/")
	require.NoError(t, err)
	assert.Same(t, second, a)
	s.Mount("", first)
	a, err = s.Adapter("whatever:x")
	require.NoError(t, err)
	assert.Same(t, first, a)
}

// The default adapters are there from the start, apart from each other.
func TestDefaultMounts(t *testing.T) {
	var s Session
	plain, err := s.Adapter("http://a.test/")
	require.NoError(t, err)
	secure, err := s.Adapter("HTTPS://a.test/")
	require.NoError(t, err)
	assert.NotSame(t, plain, secure)
	assert.IsType(t, new(HTTPAdapter), plain)
	_, err = s.Adapter("ftp://a.test/")
	assert.ErrorIs(t, err, ErrInvalidSchema)

	shared, err := throwaway().Adapter("http://a.test/")
	require.NoError(t, err)
	assert.Same(t, defaultAdapter, shared)
	shared, err = throwaway().Adapter("HTTPS://a.test/")
	require.NoError(t, err)
	assert.Same(t, defaultAdapter, shared)
}

// The property of a mount: the longest prefix wins, whatever the order of
// mounting. The oracle looks at all of them.
func TestMountsLongestPrefix(t *testing.T) {
	var m mounts
	var prefixes []string
	for prefix := range strings.FieldsSeq("ab a abc http abcd abd b") {
		m.put(prefix, &namedAdapter{name: prefix})
		prefixes = append(prefixes, prefix)
		for url := range strings.FieldsSeq("a ab abc abcd abcde abd abdx b bc http https x ABC") {
			want := ""
			for _, p := range prefixes {
				if strings.HasPrefix(strings.ToLower(url), p) && len(p) > len(want) {
					want = p
				}
			}
			got := ""
			if a := m.find(url); a != nil {
				got = a.(*namedAdapter).name
			}
			assert.Equal(t, want, got, url)
		}
	}
}

// Ten thousand prefixes cost a look as little as ten.
func TestManyMounts(t *testing.T) {
	s := loopSession(t)
	const n = 10_000
	soon(t, 10*time.Second, func() {
		for i := range n {
			s.Mount(fmt.Sprintf("http://h%d.test/", i), &namedAdapter{name: fmt.Sprint(i)})
		}
		for i := range n {
			a, err := s.Adapter(fmt.Sprintf("http://h%d.test/x", i))
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(i), a.(*namedAdapter).name)
		}
	})
	assert.LessOrEqual(t, len(s.mounts.lengths), 8)
}

func TestMountWhileInUse(t *testing.T) {
	s := cannedSession(t, answerOK)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			s.Mount(fmt.Sprintf("http://h%d.test/", i), cannedAdapter(answerOK))
			_, err := s.Get(t.Context(), fmt.Sprintf("http://h%d.test/", i))
			assert.NoError(t, err)
		})
	}
	wg.Wait()
}

func TestCloseClosesAdapters(t *testing.T) {
	s := new(Session)
	good, bad := &namedAdapter{}, &namedAdapter{err: errBoom}
	s.Mount("http://", good)
	s.Mount("https://", bad)
	assert.ErrorIs(t, s.Close(), errBoom)
	assert.Equal(t, 1, good.closed)
	assert.Equal(t, 1, bad.closed)
	require.NoError(t, new(Session).Close())
	require.NoError(t, throwaway().Close())
}

// idleCloser is a transport that counts how often its connections are closed.
type idleCloser struct {
	http.RoundTripper
	closed int
}

func (c *idleCloser) CloseIdleConnections() { c.closed++ }

// An adapter that is closed has the transport that it was given close what is
// idle, where that can.
func TestCloseTellsTheTransport(t *testing.T) {
	transport := new(idleCloser)
	require.NoError(t, (&HTTPAdapter{Transport: transport}).Close())
	assert.Equal(t, 1, transport.closed)
	require.NoError(t, (&HTTPAdapter{Transport: struct{ http.RoundTripper }{}}).Close())
}

// Mounted for other schemes, the adapter says that it does not serve them.
func TestAdapterServesHTTPAlone(t *testing.T) {
	s := loopSession(t)
	for _, url := range []string{"ftp://a.test/", "httpx://a.test/"} {
		s.Mount(url, new(HTTPAdapter))
		_, err := s.Get(t.Context(), url)
		assert.ErrorIs(t, err, ErrInvalidSchema, url)
		assert.False(t, asError(t, err).MaybeSent, url)
	}
}

// What an adapter must not do is an error, and not a crash.
func TestAdapterWithoutResponse(t *testing.T) {
	s := cannedSession(t, func(context.Context, *PreparedRequest, Settings) (*Response, error) { return nil, nil })
	_, err := s.Get(t.Context(), "http://a.test/")
	assert.ErrorIs(t, err, ErrConnection)
	s = cannedSession(t, func(context.Context, *PreparedRequest, Settings) (*Response, error) { return nil, errBoom })
	_, err = s.Get(t.Context(), "http://a.test/")
	assert.ErrorIs(t, err, errBoom)
	assert.Equal(t, "GET", asError(t, err).Op)
}

func TestMountNil(t *testing.T) {
	s := loopSession(t)
	s.Mount("http://a.test/", nil)
	_, err := s.Get(t.Context(), "http://a.test/")
	assert.ErrorIs(t, err, ErrInvalidSchema)
	assert.NoError(t, s.Close())
}
