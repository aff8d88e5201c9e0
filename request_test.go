package requests

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPairs(t *testing.T) {
	assert.Equal(t, Fields{{Name: "a", Value: "1"}, {Name: "b", Value: ""}}, Pairs("a", "1", "b", ""))
	assert.Empty(t, Pairs())
	assert.PanicsWithValue(t, "requests: Pairs: odd argument count", func() { Pairs("a") })
}

func TestFieldsAdd(t *testing.T) {
	var fs Fields
	fs.Add("a", "1", "2")
	fs.Add("b")
	assert.Equal(t, Fields{{Name: "a", Value: "1"}, {Name: "a", Value: "2"}, {Name: "b", Omit: true}}, fs)
}

func TestMergeFields(t *testing.T) {
	omit := func(names ...string) (fs Fields) {
		for _, n := range names {
			fs.Add(n)
		}
		return fs
	}
	tests := []struct {
		name                string
		session, call, want Fields
	}{
		{"neither", nil, nil, nil},
		{"call alone", nil, Pairs("a", "1"), Pairs("a", "1")},
		{"session alone", Pairs("a", "1"), nil, Pairs("a", "1")},
		{"both", Pairs("a", "1", "b", "2"), Pairs("c", "3"), Pairs("a", "1", "b", "2", "c", "3")},
		{"replaced in its place", Pairs("a", "1", "b", "2"), Pairs("c", "3", "a", "4"), Pairs("a", "4", "b", "2", "c", "3")},
		{
			"several for one", Pairs("a", "1", "b", "2"), Pairs("a", "3", "c", "4", "a", "5"),
			Pairs("a", "3", "a", "5", "b", "2", "c", "4"),
		},
		{"one for several", Pairs("a", "1", "b", "2", "a", "3"), Pairs("a", "4"), Pairs("a", "4", "b", "2")},
		{"left out", Pairs("a", "1", "b", "2"), omit("a"), append(omit("a"), Pairs("b", "2")...)},
		{"case counts", Pairs("a", "1"), Pairs("A", "2"), Pairs("a", "1", "A", "2")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := append(Fields(nil), tt.session...)
			assert.Equal(t, tt.want, mergeFields(tt.session, tt.call))
			assert.Equal(t, before, tt.session)
		})
	}
}

func TestMergeSettings(t *testing.T) {
	full := Settings{
		Stream: new(true), AllowRedirects: new(false), MaxRedirects: new(3),
		Timeouts: Timeouts{Connect: new(time.Second), Read: new(2 * time.Second), Total: new(3 * time.Second)},
		Verify:   TLSVerify{Skip: true}, Cert: ClientCert{CertFile: "c"},
		Limits: Limits{Body: 1, Expansion: 2}, Guard: new(Guard), Proxies: ProxyMap{"all": "p"},
	}
	assert.Equal(t, full, mergeSettings(&Settings{}, &full))
	withoutProxies := full
	withoutProxies.Proxies = nil // the environment stands between the two
	assert.Equal(t, withoutProxies, mergeSettings(&full, &Settings{}))
	assert.Equal(t, full, mergeSettings(&Settings{
		Stream: new(false), AllowRedirects: new(true), MaxRedirects: new(0),
		Timeouts: Timeouts{Connect: new(time.Duration), Read: new(time.Duration), Total: new(time.Duration)},
		Verify:   TLSVerify{CABundle: "x"}, Cert: ClientCert{None: true},
		Limits: Limits{Body: -1, Expansion: -1}, Guard: &Guard{AllowProxy: true}, Proxies: ProxyMap{"http": "q"},
	}, &full))
	// Each timeout by itself, and each limit.
	m := mergeSettings(&full, &Settings{Timeouts: Timeouts{Read: new(time.Duration)}, Limits: Limits{Body: 9}})
	assert.Equal(t, time.Second, *m.Timeouts.Connect)
	assert.Zero(t, *m.Timeouts.Read)
	assert.Equal(t, Limits{Body: 9, Expansion: 2}, m.Limits)
}

func TestRequestText(t *testing.T) {
	r := NewRequest("GET", "http://u:secret@a.test/", BasicAuth("u", "secret"))
	assert.Equal(t, "<Request [GET]>", r.String())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		assert.NotContains(t, fmt.Sprintf(verb, r), "secret", verb)
	}
	assert.Equal(t, "<Request [\uFFFD]>", (&Request{Method: "\n"}).String())
}

// Preparing leaves the caller's request as it was.
func TestPrepareLeavesRequestAlone(t *testing.T) {
	r := NewRequest("post", " http://a.test/ä", Param("a", "1"), Header("X", "1"), Form("f", "2"), Cookie("c", "3"))
	s := loopSession(t, Param("b", "2"), Header("Y", "2"), BasicAuth("u", "p"))
	for range 2 {
		p, err := s.Prepare(t.Context(), r)
		require.NoError(t, err)
		assert.Equal(t, "http://a.test/%C3%A4?b=2&a=1", p.URL)
		p.Headers.Set("X", "changed")
		p.Headers.Set("Z", "new")
	}
	assert.Equal(t, "post", r.Method)
	assert.Equal(t, " http://a.test/ä", r.URL)
	assert.Equal(t, "X: 1\n", listed(r.Headers))
	assert.Equal(t, Pairs("a", "1"), r.Params)
	assert.Nil(t, r.Auth)
	assert.Nil(t, r.Body)
}
