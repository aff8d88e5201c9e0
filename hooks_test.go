package requests

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// marks are hooks that note their names when they run.
type marks []string

func (m *marks) hook(name string) Hook {
	return func(context.Context, *Response) (*Response, error) {
		*m = append(*m, name)
		return nil, nil
	}
}

// ran returns the names noted since it was last asked.
func (m *marks) ran() string {
	defer func() { *m = nil }()
	return strings.Join(*m, " ")
}

// Hooks that an auth adds run, and before all others.
func TestHooksOfAuth(t *testing.T) {
	var m marks
	auth := Auth(AuthFunc(func(_ context.Context, p *PreparedRequest) error {
		p.Hooks = append(p.Hooks, m.hook("auth"))
		return nil
	}))
	tests := []struct {
		opts []Option
		want string
	}{
		{nil, "session"},
		{[]Option{auth}, "auth session"},
		{[]Option{auth, OnResponse(m.hook("call")), AlsoOnResponse(m.hook("also"))}, "auth call also"},
		{[]Option{auth, Without(OnResponse())}, "auth"},
	}
	s := cannedSession(t, answerOK, OnResponse(m.hook("session")))
	for _, tt := range tests {
		_, err := s.Get(t.Context(), "http://a.test/", tt.opts...)
		require.NoError(t, err)
		assert.Equal(t, tt.want, m.ran())
	}
}

// What somebody adds to a list of hooks is in no other one.
func TestHooksAreNotShared(t *testing.T) {
	var m marks
	s := cannedSession(t, answerOK)
	s.Hooks = append(make([]Hook, 0, 4), m.hook("a"), m.hook("b"))
	prepared := func() *PreparedRequest {
		p, err := s.Prepare(t.Context(), NewRequest("GET", "http://a.test/"))
		require.NoError(t, err)
		return p
	}
	runs := func(p *PreparedRequest, want string) {
		t.Helper()
		_, err := s.Send(t.Context(), p)
		require.NoError(t, err)
		assert.Equal(t, want, m.ran())
	}
	p, q := prepared(), prepared()
	p.Hooks = append(p.Hooks, m.hook("p"))
	q.Hooks = append(q.Hooks, m.hook("q"))
	p.Hooks[0] = m.hook("first")
	runs(p, "first b p")
	runs(q, "a b q")
	runs(prepared(), "a b")
	c := q.Copy()
	c.Hooks[1] = m.hook("copy")
	c.Hooks = append(c.Hooks, m.hook("more"))
	runs(q, "a b q")
	runs(c, "a copy q more")
}

// No hooks cost nothing.
func TestNoHooksAllocateNothing(t *testing.T) {
	p := new(PreparedRequest)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		p.prepareHooks(nil, nil)
		if r, err := runHooks(t.Context(), p.Hooks, nil); r != nil || err != nil {
			t.Fail()
		}
	}))
}

// replacements are hooks that put another response in the place of one.
func replacements() []struct {
	name  string
	hooks []Hook
	want  string // its content, where that of the first is "body"
} {
	around := func(reader func(r *Response) io.Reader) Hook {
		return func(_ context.Context, r *Response) (*Response, error) {
			return NewResponse(r.Request, 299, "", r.Headers, reader(r)), nil
		}
	}
	itself := around(func(r *Response) io.Reader { return r })
	wrapped := around(func(r *Response) io.Reader { return io.MultiReader(strings.NewReader("a "), r) })
	raw := around(func(r *Response) io.Reader { return r.Raw() })
	other := around(func(*Response) io.Reader { return strings.NewReader("other") })
	none := around(func(*Response) io.Reader { return nil })
	var first *Response
	kept := func(_ context.Context, r *Response) (*Response, error) { first = r; return nil, nil }
	back := func(context.Context, *Response) (*Response, error) { return first, nil }
	copied := func(_ context.Context, r *Response) (*Response, error) { c := *r; return &c, nil }
	return []struct {
		name  string
		hooks []Hook
		want  string
	}{
		{"reads it", []Hook{itself}, "body"},
		{"wraps it", []Hook{wrapped}, "a body"},
		{"reads it raw", []Hook{raw}, "body"},
		{"twice", []Hook{wrapped, wrapped}, "a a body"},
		{"raw twice", []Hook{raw, raw}, "body"},
		{"copied", []Hook{copied}, "body"},
		{"copied and wrapped", []Hook{copied, wrapped, copied}, "a body"},
		{"another", []Hook{other}, "other"},
		{"none", []Hook{none}, ""},
		{"wrapped, then another", []Hook{wrapped, other}, "other"},
		{"taken back", []Hook{kept, none, back}, "body"},
	}
}

// A response that takes another's place may read its body. The other is closed
// no earlier than it is, and no later.
func TestHookReplacementReadsTheFirst(t *testing.T) {
	for _, tt := range replacements() {
		for _, stream := range []bool{false, true} {
			name := tt.name
			opts := []Option{OnResponse(tt.hooks...)}
			if stream {
				name, opts = name+", streamed", append(opts, Stream())
			}
			t.Run(name, func(t *testing.T) {
				src := &pieceReader{pieces: []string{"bo", "dy"}, err: io.EOF}
				s := cannedSession(t, func(_ context.Context, p *PreparedRequest, _ Settings) (*Response, error) {
					return NewResponse(p, 200, "", Headers{}, src), nil
				})
				r, err := s.Get(t.Context(), "http://a.test/", opts...)
				require.NoError(t, err)
				assert.Equal(t, tt.want, r.Text())
				require.NoError(t, r.Err())
				assert.Equal(t, 1, src.closed)

				*src = pieceReader{pieces: []string{"body"}, err: io.EOF}
				r, err = s.Get(t.Context(), "http://a.test/", opts...)
				require.NoError(t, err)
				require.NoError(t, r.Close())
				assert.Equal(t, 1, src.closed, "closed unread")
			})
		}
	}
}

// The connection of a response that was replaced serves the next request where
// its body was read, by whomever.
func TestHookReplacementGivesConnectionBack(t *testing.T) {
	var conns atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/from" {
			w.Header().Set("Location", "/to")
			w.WriteHeader(http.StatusFound)
		}
		_, _ = io.WriteString(w, "body")
	}))
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	srv.Start()
	defer srv.Close()
	s := loopSession(t)
	wrap := OnResponse(func(_ context.Context, r *Response) (*Response, error) {
		return NewResponse(r.Request, r.StatusCode, "", r.Headers, r), nil
	})
	for _, opts := range [][]Option{{wrap}, {wrap, Stream()}} {
		r, err := s.Get(t.Context(), srv.URL+"/from", opts...)
		require.NoError(t, err)
		assert.Equal(t, "body", r.Text())
		require.Len(t, r.History, 1)
		assert.Equal(t, "body", r.History[0].Text())
	}
	assert.EqualValues(t, 1, conns.Load())
}

// Where a call fails all that hooks were given, or gave, is closed.
func TestHookReplacementIsClosedOnFailure(t *testing.T) {
	wrap := func(_ context.Context, r *Response) (*Response, error) {
		return NewResponse(r.Request, r.StatusCode, "", r.Headers, io.MultiReader(r)), nil
	}
	fail := func(context.Context, *Response) (*Response, error) { return nil, errBoom }
	both := func(_ context.Context, r *Response) (*Response, error) {
		c, _ := wrap(t.Context(), r)
		return c, errBoom
	}
	for _, tt := range []struct {
		name     string
		location string // of a redirect
		end      error  // of the body
		opts     []Option
		err      error
	}{
		{"a later hook", "", io.EOF, []Option{OnResponse(wrap, wrap, fail)}, errBoom},
		{"with a response", "", io.EOF, []Option{OnResponse(wrap, both)}, errBoom},
		{"no hook", "", io.EOF, nil, ErrInvalidOption},
		{"the body", "", errBoom, []Option{OnResponse(wrap)}, errBoom},
		{"the redirect", "http://[", io.EOF, []Option{OnResponse(wrap)}, ErrInvalidURL},
		{"too many", "/", io.EOF, []Option{OnResponse(wrap), MaxRedirects(0)}, ErrTooManyRedirects},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := &pieceReader{pieces: []string{"body"}, err: tt.end}
			s := cannedSession(t, func(_ context.Context, p *PreparedRequest, _ Settings) (*Response, error) {
				if tt.location != "" {
					return NewResponse(p, 302, "", NewHeaders("Location", tt.location), src), nil
				}
				return NewResponse(p, 200, "", Headers{}, src), nil
			})
			s.Hooks = []Hook{wrap, nil}
			_, err := s.Get(t.Context(), "http://a.test/", tt.opts...)
			require.ErrorIs(t, err, tt.err)
			assert.Equal(t, 1, src.closed)
		})
	}
}

// A redirect whose body dawdles holds up nobody, be it read through another
// response.
func TestHookReplacementDoesNotDawdle(t *testing.T) {
	hold := make(chan struct{})
	url := loopServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/to" {
			return
		}
		w.Header().Set("Location", "/to")
		w.WriteHeader(http.StatusFound)
		_ = http.NewResponseController(w).Flush()
		<-hold
	})
	defer close(hold)
	wrap := func(_ context.Context, r *Response) (*Response, error) {
		return NewResponse(r.Request, r.StatusCode, "", r.Headers, r), nil
	}
	soon(t, 10*drainTime, func() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r, err := loopSession(t).Get(ctx, url+"/from", OnResponse(wrap, wrap))
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, r.StatusCode)
		_, err = r.History[0].ReadAll()
		require.ErrorIs(t, err, ErrChunkedEncoding)
	})
}

// An error of the context is of our kinds where a hook hands it on, and any
// other is the hook's own.
func TestHookErrorOfContext(t *testing.T) {
	own := errors.New("own")
	s := cannedSession(t, answerOK)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.Get(ctx, "http://a.test/", OnResponse(func(ctx context.Context, _ *Response) (*Response, error) {
		cancel()
		return nil, ctx.Err()
	}))
	require.ErrorIs(t, err, ErrRequest)
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.Get(t.Context(), "http://a.test/", OnResponse(func(context.Context, *Response) (*Response, error) { return nil, own }))
	assert.Equal(t, own, err)
}
