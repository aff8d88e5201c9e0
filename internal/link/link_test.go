package link

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

func link(url string, pairs ...string) Link {
	l := Link{URL: url}
	for i := 0; i < len(pairs); i += 2 {
		l.Params = append(l.Params, Param{pairs[i], pairs[i+1]})
	}
	return l
}

const u2, u9 = "http://a.test/2", "http://a.test/9"

// parseTests are headers, their links, and whether Requests, as recorded or
// read, makes something else of them; RFC 8288 demands it then.
var parseTests = []struct {
	in      string
	want    []Link
	differs bool
}{
	{`<http://a.test/2>; rel="next", <http://a.test/9>; rel="last"`, []Link{link(u2, "rel", "next"), link(u9, "rel", "last")}, false},
	{`<http://a.test/2>;rel="next",<http://a.test/9>;rel="last"`, []Link{link(u2, "rel", "next"), link(u9, "rel", "last")}, false},
	{`<http://a.test/2>; rel="next"; title="Page 2"; type=text/html`, []Link{link(u2, "rel", "next", "title", "Page 2", "type", "text/html")}, false},
	{`<http://a.test/2>; title=x`, []Link{link(u2, "title", "x")}, false},
	{`<http://a.test/2>`, []Link{link(u2)}, false},
	{`</2?page=3>; rel=next`, []Link{link("/2?page=3", "rel", "next")}, false},
	{`<http://a.test/a,b>; rel=next`, []Link{link("http://a.test/a,b", "rel", "next")}, false},
	{`<http://a.test/a;b>; rel=next`, []Link{link("http://a.test/a;b", "rel", "next")}, true},
	{`<http://a.test/2>; rel="next"; title="a, b"`, []Link{link(u2, "rel", "next", "title", "a, b")}, false},
	{`<http://a.test/2>; title="a; b"; rel="next"`, []Link{link(u2, "title", "a; b", "rel", "next")}, true},
	{`<http://a.test/2>; title="a, <b"; rel="next"`, []Link{link(u2, "title", "a, <b", "rel", "next")}, true},
	{`<http://a.test/2>; title="a=b"; rel="next"`, []Link{link(u2, "title", "a=b", "rel", "next")}, true},
	{`<http://a.test/2>; title="a\"b\\"; rel=x`, []Link{link(u2, "title", `a"b\`, "rel", "x")}, true},
	{`<http://a.test/2>; crossorigin; rel=next`, []Link{link(u2, "crossorigin", "", "rel", "next")}, true},
	{`<http://a.test/2>; REL=next`, []Link{link(u2, "rel", "next")}, true},
	{`<http://a.test/2>; rel=next; rel=prev; hreflang=a; hreflang=b`, []Link{link(u2, "rel", "next", "hreflang", "a", "hreflang", "b")}, true},
	{`http://a.test/2; rel=next`, []Link{link(u2, "rel", "next")}, false},
	{`<http://a.test/2; rel=next`, []Link{link(u2, "rel", "next")}, false},
	{`<>; rel=self`, []Link{link("", "rel", "self")}, false},
	{`<http://a.test/2>; rel="next";`, []Link{link(u2, "rel", "next")}, false},
	{`  <http://a.test/2>  ;  rel = "next"  ,   <http://a.test/9> ; rel = prev`, []Link{link(u2, "rel", "next"), link(u9, "rel", "prev")}, false},
	{`<http://a.test/2>; rel='next'`, []Link{link(u2, "rel", "next")}, false},
	{`<http://a.test/2>; title=a, b; rel=next`, []Link{link(u2, "title", "a, b", "rel", "next")}, false},
	{`<http://a.test/2>; rel=next, ,`, []Link{link(u2, "rel", "next")}, true},
	{`<http://a.test/2>; rel="next`, []Link{link(u2, "rel", "next")}, false},
	{`<http://a.test/2>; rel="next prev"`, []Link{link(u2, "rel", "next prev")}, false},
	{"<http://a.test/2>; rel=next; title=caf\u00e9", []Link{link(u2, "rel", "next", "title", "caf\u00e9")}, false},
	{``, nil, false},
	{` , ,`, nil, true},
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tt := range parseTests {
		assert.Equal(t, tt.want, Parse(tt.in), tt.in)
	}
}

func TestRel(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "next prev", link("u", "title", "x", "rel", "next prev").Rel())
	assert.Equal(t, "u", link("u", "rel", "").Rel())
	assert.Equal(t, "u", link("u").Rel())
}

func TestLinear(t *testing.T) {
	t.Parallel()
	testserver.Timed(t)
	for _, s := range []string{"<", ";", ",", "<,", ", <", `"`, `;a="`, "<>;", ", x", `\`, ";rel=a"} {
		start := time.Now()
		Parse("<a>" + strings.Repeat(s, 1<<19))
		Parse(strings.Repeat(s, 1<<19))
		assert.Less(t, time.Since(start), 5*time.Second, s)
	}
}

// FuzzParse: what was parsed and is written by the grammar parses to the same.
func FuzzParse(f *testing.F) {
	for _, tt := range parseTests {
		f.Add(tt.in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		want := Parse(in)
		var b strings.Builder
		for _, l := range want {
			if strings.ContainsAny(l.URL, ">") {
				return // only where the brackets were missing
			}
			b.WriteString(", <" + l.URL + ">")
			for _, p := range l.Params {
				v := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(p.Value)
				if strings.ContainsAny(p.Name, ",") {
					return
				}
				b.WriteString(`; ` + p.Name + `="` + v + `"`)
			}
		}
		assert.Equal(t, want, Parse(b.String()), "%q", b.String())
	})
}
