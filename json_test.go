package requests

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Encoders are used again, and what they made before stays as it was: after an
// error, after a text that is too long to be kept, and by many at once.
func TestJSONIsItsOwn(t *testing.T) {
	first, err := encodeJSON("first")
	require.NoError(t, err)
	_, err = encodeJSON(map[string]any{"a": "b", "c": make(chan int)})
	require.ErrorIs(t, err, ErrInvalidJSON)
	long := strings.Repeat("x", 2*maxKeptJSON)
	second, err := encodeJSON(long)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 100 {
				b, err := encodeJSON([]int{i, i})
				if assert.NoError(t, err) {
					assert.Equal(t, fmt.Sprintf("[%d, %d]", i, i), string(b))
				}
			}
		})
	}
	wg.Wait()
	assert.Equal(t, `"first"`, string(first))
	assert.Equal(t, `"`+long+`"`, string(second))
}
