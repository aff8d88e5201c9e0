package requests

import (
	"context"
	"strings"
	"testing"

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
