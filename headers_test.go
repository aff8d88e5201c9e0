package requests

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// listed is the fields, one a line.
func listed(h Headers) string {
	var b strings.Builder
	for name, value := range h.All() {
		b.WriteString(name + ": " + value + "\n")
	}
	return b.String()
}

func TestHeadersKeepOrderAndSpelling(t *testing.T) {
	tests := []struct {
		name string
		do   func(h *Headers)
		want string
	}{
		{"set", func(h *Headers) { h.Set("b", "1"); h.Set("A", "2") }, "b: 1\nA: 2\n"},
		{"set again", func(h *Headers) { h.Set("x-a", "1"); h.Set("b", "2"); h.Set("X-A", "3") }, "X-A: 3\nb: 2\n"},
		{"add", func(h *Headers) { h.Add("a", "1"); h.Add("A", "2") }, "a: 1\nA: 2\n"},
		{"set over several", func(h *Headers) {
			h.Add("a", "1")
			h.Add("b", "2")
			h.Add("A", "3")
			h.Add("c", "4")
			h.Set("a", "5")
		}, "a: 5\nb: 2\nc: 4\n"},
		{"delete", func(h *Headers) { h.Add("a", "1"); h.Add("b", "2"); h.Add("A", "3"); h.Del("a") }, "b: 2\n"},
		{"delete what is not there", func(h *Headers) { h.Set("a", "1"); h.Del("b") }, "a: 1\n"},
		{"omit", func(h *Headers) { h.Set("a", "1"); h.Set("b", "2"); h.Omit("A") }, "b: 2\n"},
		{"set after omit", func(h *Headers) { h.Omit("a"); h.Set("b", "2"); h.Set("a", "1") }, "a: 1\nb: 2\n"},
		{"empty value", func(h *Headers) { h.Set("a", "") }, "a: \n"},
		{"bytes", func(h *Headers) { h.SetBytes("a", []byte("\xff")) }, "a: \xff\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var h Headers
			tt.do(&h)
			assert.Equal(t, tt.want, listed(h))
			assert.Equal(t, strings.Count(tt.want, "\n"), h.Len())
		})
	}
}

func TestHeadersGet(t *testing.T) {
	h := NewHeaders("Content-Type", "text/plain")
	h.Add("Set-Cookie", "a=1")
	h.Add("set-cookie", "b=2")
	h.Omit("Gone")
	assert.Equal(t, "text/plain", h.Get("CONTENT-type"))
	assert.Equal(t, "a=1, b=2", h.Get("Set-Cookie"))
	assert.Equal(t, []string{"a=1", "b=2"}, h.Values("SET-COOKIE"))
	assert.Empty(t, h.Get("Gone"))
	assert.Empty(t, h.Get("Content-Typ"))
	assert.Nil(t, h.Values("Gone"))
	assert.True(t, h.Has("content-type"))
	assert.False(t, h.Has("Gone"))
	assert.False(t, h.Has(""))
}

func TestHeadersAllStops(t *testing.T) {
	n := 0
	for range NewHeaders("a", "1", "b", "2").All() {
		n++
		break
	}
	assert.Equal(t, 1, n)
}

func TestNewHeaders(t *testing.T) {
	assert.PanicsWithValue(t, "requests: NewHeaders: odd argument count", func() { NewHeaders("a") })
	assert.NotNil(t, NewHeaders().fields, "empty on purpose")
	assert.Nil(t, Headers{}.Clone().fields)
	assert.NotNil(t, NewHeaders().Clone().fields)
}

func TestHeadersCloneSharesNothing(t *testing.T) {
	a := NewHeaders("a", "1")
	b := a.Clone()
	b.Set("a", "2")
	b.Set("c", "3")
	assert.Equal(t, "a: 1\n", listed(a))

	DefaultHeaders().fields[0].value = "changed"
	d := DefaultHeaders()
	d.Set("Accept", "changed")
	assert.Equal(t, []string{"User-Agent", "Accept-Encoding", "Accept", "Connection"}, slices.Collect(func(yield func(string) bool) {
		for name := range DefaultHeaders().All() {
			if !yield(name) {
				return
			}
		}
	}))
	assert.NotContains(t, listed(DefaultHeaders()), "changed")
}

// No verb shows a value.
func TestHeadersHideValues(t *testing.T) {
	h := NewHeaders("Authorization", "secret", "X", "secret")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		assert.Equal(t, "Headers[Authorization, X]", fmt.Sprintf(verb, h), verb)
	}
	assert.Equal(t, `"Headers[Authorization, X]"`, fmt.Sprintf("%q", h))
	assert.Equal(t, "Headers[Authorization, X]", h.GoString())
	assert.Equal(t, "Headers[]", Headers{}.String())
}

func TestMergeHeaders(t *testing.T) {
	omitting := func(names ...string) (h Headers) {
		for _, n := range names {
			h.Omit(n)
		}
		return h
	}
	tests := []struct {
		name          string
		session, call Headers
		want          string
	}{
		{"session alone", NewHeaders("A", "1", "B", "2"), Headers{}, "A: 1\nB: 2\n"},
		{"call alone", Headers{}, NewHeaders("A", "1"), "A: 1\n"},
		{"both", NewHeaders("A", "1", "B", "2"), NewHeaders("C", "3", "b", "4"), "A: 1\nb: 4\nC: 3\n"},
		{"omitted by the call", NewHeaders("A", "1", "B", "2"), omitting("a"), "B: 2\n"},
		{"omitted by the session", omitting("a"), NewHeaders("B", "2"), "B: 2\n"},
		{"omitted by the session, set by the call", omitting("a"), NewHeaders("A", "1"), "A: 1\n"},
		{"omitted and not there", NewHeaders("A", "1"), omitting("x"), "A: 1\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			session, call := listed(tt.session), listed(tt.call)
			got := mergeHeaders(nil, tt.session, tt.call)
			assert.Equal(t, tt.want, listed(got))
			got.Add("added", "1")
			got.Set("A", "changed")
			assert.Equal(t, session, listed(tt.session))
			assert.Equal(t, call, listed(tt.call))
		})
	}
}

// A long list, in which names are told apart by hash, merges as a short one.
func TestMergeHeadersLong(t *testing.T) {
	numbered := func(prefix, value string, n int) (h Headers) {
		for i := range n {
			h.Set(fmt.Sprintf("%s%d", prefix, i), value)
		}
		return h
	}
	for _, n := range []int{longList - 1, longList, 3 * longList} {
		session, call := numbered("X-", "session", n), numbered("x-", "call", n/2)
		call.Omit("X-" + fmt.Sprint(n-1))
		call.Add("x-0", "again") // as in a short list the later one wins
		call.Set("New", "1")
		var want strings.Builder
		want.WriteString("x-0: again\n")
		for i := 1; i < n-1; i++ {
			if i < n/2 {
				fmt.Fprintf(&want, "x-%d: call\n", i)
			} else {
				fmt.Fprintf(&want, "X-%d: session\n", i)
			}
		}
		want.WriteString("New: 1\n")
		got := mergeHeaders(nil, session, call)
		assert.Equal(t, want.String(), listed(got), "%d fields", n)
	}
}

func TestCheckHeaders(t *testing.T) {
	tests := []struct {
		name, value string
		raw         bool
		ok          bool
	}{
		{"a", "b", false, true},
		{"a", "", false, true},
		{"a", "b c\td", false, true},
		{"a", "b ", false, true},
		{"a b", "c", false, true},
		{"é", "c", false, true},
		{"\u2003a", "c", false, false},
		{"a", "ÿ", false, true},
		{"a", "Ā", false, true},
		{"a", "\u00a0b", false, false},
		{"a", "Ā", true, true},
		{"a", "\xff", false, true},
		{"", "b", false, false},
		{" a", "b", false, false},
		{"\x1ca", "b", false, false},
		{"a:", "b", false, false},
		{"a\n", "b", false, false},
		{"a\r", "b", false, false},
		{"a", " b", false, false},
		{"a", "\tb", false, false},
		{"a", "b\r\nc: d", false, false},
		{"a", "b\n", false, false},
		{"a", "b\rc", true, false},
	}
	for _, tt := range tests {
		h := Headers{fields: []headerField{{name: tt.name, value: tt.value, raw: tt.raw}}}
		err := checkHeaders(&h)
		if tt.ok {
			assert.NoError(t, err, "%q: %q", tt.name, tt.value)
			continue
		}
		assert.ErrorIs(t, err, ErrInvalidHeader, "%q: %q", tt.name, tt.value)
		assert.NotErrorIs(t, err, ErrInvalidURL)
	}
	var h Headers
	h.Omit("a")
	assert.ErrorIs(t, checkHeaders(&h), ErrInvalidHeader)
}

// What has no form on the wire can be prepared, and is refused when it is sent.
func TestCheckCharacters(t *testing.T) {
	tests := []struct {
		name, value string
		raw         bool
		ok          bool
	}{
		{"a", "", false, true},
		{"a", "ÿ", false, true},
		{"a", "\x7f", false, true},
		{"a", "Ā", false, false},
		{"a", "Ā", true, true},
		{"a", "\xff", false, true},
		{"é", "b", false, false},
		{"a", "b\x00", false, false},
		{"a", "b\x00", true, false},
		{"a\x00", "b", false, false},
	}
	for _, tt := range tests {
		h := Headers{fields: []headerField{{name: tt.name, value: tt.value, raw: tt.raw}}}
		require.NoError(t, checkHeaders(&h), "%q: %q", tt.name, tt.value)
		err := checkCharacters(&h)
		if tt.ok {
			assert.NoError(t, err, "%q: %q", tt.name, tt.value)
			continue
		}
		assert.ErrorIs(t, err, ErrInvalidHeader, "%q: %q", tt.name, tt.value)
		assert.NotContains(t, err.Error(), "Ā")
	}
}

// The text of the error holds the name, bounded, and never the value.
func TestCheckHeadersText(t *testing.T) {
	h := NewHeaders("X-Token", "secret\n")
	err := checkHeaders(&h)
	assert.Contains(t, err.Error(), `"X-Token"`)
	assert.NotContains(t, err.Error(), "secret")
	h = NewHeaders(strings.Repeat("x", 1000)+":", "v")
	assert.Less(t, len(checkHeaders(&h).Error()), 300)
}

func TestLatin1(t *testing.T) {
	tests := []struct {
		text, wire string
		ok         bool
	}{
		{"", "", true},
		{"abc", "abc", true},
		{"é", "\xe9", true},
		{"aÿ", "a\xff", true},
		{"\xe9", "\xe9", true},
		{"a\xffĀ", "a\xffĀ", true}, // no UTF-8: bytes
		{"Ā", "", false},
		{"\uFFFD", "", false},
	}
	for _, tt := range tests {
		got, ok := toLatin1(tt.text)
		assert.Equal(t, tt.ok, ok, "%q", tt.text)
		assert.Equal(t, tt.wire, got, "%q", tt.text)
	}
}

// The property: every byte that was received is sent again as it was.
func FuzzLatin1(f *testing.F) {
	f.Add("abc")
	f.Add("\xff\xfe")
	f.Add("é")
	f.Fuzz(func(t *testing.T, received string) {
		text := fromLatin1(received)
		if got, ok := toLatin1(text); !ok || got != received {
			t.Fatalf("got %q, %v\nwant %q", got, ok, received)
		}
		if n := len([]rune(text)); n != len(received) {
			t.Fatalf("%d characters of %d bytes", n, len(received))
		}
	})
}

// The property: whatever is done, a Headers behaves as a list of names and
// values that is searched without regard to case.
func FuzzHeaders(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Add([]byte{1, 1, 1, 0, 3, 1, 4, 2})
	f.Fuzz(func(t *testing.T, program []byte) {
		names := []string{"a", "A", "b", "cc", "Cc"}
		var h Headers
		var model [][2]string
		for i := 0; i+1 < len(program) && i < 200; i += 2 {
			name, value := names[int(program[i+1])%len(names)], fmt.Sprint(i)
			same := func(f [2]string) bool { return strings.EqualFold(f[0], name) }
			switch program[i] % 3 {
			case 0:
				h.Set(name, value)
				at := slices.IndexFunc(model, same)
				if at < 0 {
					model = append(model, [2]string{name, value})
					break
				}
				rest := slices.DeleteFunc(slices.Clone(model[at+1:]), same)
				model = append(append(model[:at:at], [2]string{name, value}), rest...)
			case 1:
				h.Add(name, value)
				model = append(model, [2]string{name, value})
			case 2:
				h.Del(name)
				model = slices.DeleteFunc(slices.Clone(model), same)
			}
		}
		want := ""
		for _, f := range model {
			want += f[0] + ": " + f[1] + "\n"
		}
		if got := listed(h); got != want {
			t.Fatalf("got %q\nwant %q", got, want)
		}
		require.Equal(t, len(model), h.Len())
	})
}
