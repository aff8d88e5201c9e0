package requests

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests/internal/digest"
)

// askFor is a challenge with a nonce.
func askFor(nonce string, stale bool) []string {
	return []string{fmt.Sprintf(`Digest realm="r", nonce="%s", qop="auth", stale=%t`, nonce, stale)}
}

// Which nonce is used unasked, after requests that used one were told another.
func TestNonceOffered(t *testing.T) {
	type told struct{ used, nonce string } // used is empty for a request without credentials
	tests := []struct {
		name string
		told []told
		want string
	}{
		{"the first", []told{{"", "a"}}, "a"},
		{"a newer one", []told{{"", "a"}, {"a", "b"}}, "b"},
		{"a newer one, to a request without credentials", []told{{"", "a"}, {"", "b"}}, "b"},
		{"the older one, late", []told{{"", "a"}, {"a", "b"}, {"", "a"}}, "b"},
		{"the older one, late to a request that used it", []told{{"", "a"}, {"a", "b"}, {"b", "c"}, {"a", "b"}}, "c"},
		{"the older one, of another server", []told{{"", "a"}, {"a", "b"}, {"b", "a"}}, "a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var n nonceState
			for _, step := range tt.told {
				var turn digestTurn
				if step.used != "" {
					turn.use = n.use(digest.Params{Nonce: step.used})
				}
				params, _, ok := n.learn(askFor(step.nonce, true), turn)
				require.True(t, ok)
				assert.Equal(t, step.nonce, params.Nonce, "a challenge is answered by its own nonce")
				n.use(params)
			}
			assert.Equal(t, tt.want, n.params.Nonce)
		})
	}
}

// A request whose nonces others use up goes on, to an end; and they are not told
// of each for ever.
func TestNonceUsedUpByOthers(t *testing.T) {
	var n nonceState
	var turn digestTurn
	sent := 0
	for i := range 100 {
		params, next, ok := n.learn(askFor(fmt.Sprint("n", i), true), turn)
		if !ok {
			break
		}
		assert.Equal(t, i <= maxSharedAnswers, n.params.Nonce == params.Nonce, "others know nonce %d", i)
		n.use(params) // another's
		next.use = n.use(params)
		turn = next
		sent++
	}
	assert.Equal(t, maxStaleAnswers+1, sent)
}

// Counts are kept for a bounded number of nonces, and nothing of their text.
func TestNoncesAreBounded(t *testing.T) {
	var n nonceState
	long := strings.Repeat("x", 1<<16)
	for i := range 10 * maxNonces {
		use := n.use(digest.Params{Nonce: fmt.Sprint(long, i)})
		assert.Equal(t, uint32(1), use.count)
		use = n.use(digest.Params{Nonce: "kept"})
		assert.Equal(t, uint32(i+1), use.count, "what is used is kept")
		assert.LessOrEqual(t, len(n.used), maxNonces)
	}
}
