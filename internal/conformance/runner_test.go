package conformance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
)

// goodCase is a case that the library matches. {{…}} are the parts that tests
// put something wrong in the place of.
const goodCase = `[{"name": "t/good", "why": "two calls",
 "origins": {"http://a.test": [
  {"raw": "HTTP/1.1 200 OK\r\nX-A: \u00e9\r\nContent-Length: 2\r\n\r\nok"},
  {"raw_b64": "SFRUUC8xLjEgNDA0IE5vdCBGb3VuZA0KQ29udGVudC1MZW5ndGg6IDENCg0K/w=="},
  {"reset": true}]},
 "session": {"cookies": [["c", "1"]]},
 "calls": [
  {"method": "POST", "url": "http://a.test/", "data": {"chunks": ["ab", "c"]}, "headers": [["X-B", {"b64": "6Q=="}]]},
  {"method": "GET", "url": "http://a.test/x", "read": [{"as": "content"}, {"as": "text", "encoding": "latin-1"}]},
  {"method": "POST", "url": "http://a.test/y"}],
 "expect": {
  "wire": [
   {"origin": "http://a.test", "conn": 1, "head": ["POST / HTTP/1.1", "Host: a.test", "User-Agent: {UA}",
    "Accept-Encoding: {AE}", "Accept: */*", "Connection: keep-alive", "X-B: \u00e9", "Cookie: c=1", "Transfer-Encoding: chunked"],
    "body": {"text": "abc", "chunked": true, "chunks": [2, 1]}},
   {"origin": "http://a.test", "conn": 1, "head": ["GET /x HTTP/1.1", "Host: a.test", "User-Agent: {UA}",
    "Accept-Encoding: {AE}", "Accept: */*", "Connection: keep-alive", "Cookie: c=1"], "body": null},
   {"origin": "http://a.test", "conn": 1, "head": ["POST /y HTTP/1.1", "Host: a.test", "User-Agent: {UA}",
    "Accept-Encoding: {AE}", "Accept: */*", "Connection: keep-alive", "Cookie: c=1", "Content-Length: 0"], "body": null}],
  "outcomes": [
   {"status": 200, "reason": "OK", "url": "http://a.test/", "encoding": null, "headers": [["content-length", "2"], ["x-a", "\u00e9"]],
    "history": [], "is_redirect": false, "is_permanent_redirect": false, "links": {}, "cookies": [], "next": null, "ok": true,
    "raise": null, "elapsed": false, "body": {"b64": "b2s="}},
   {"status": 404, "reason": "Not Found", "url": "http://a.test/x", "encoding": "", "headers": [["content-length", "1"]],
    "history": [], "is_redirect": false, "is_permanent_redirect": false, "links": {}, "cookies": [], "next": null, "ok": false,
    "raise": "404 Client Error: Not Found for url: http://a.test/x", "elapsed": true,
    "body": [{"b64": "/w=="}, {"text": "\u00ff"}]},
   {"error": "ConnectionError", "bases": ["RequestException"]}],
  "cookies": [{"name": "c", "value": "1", "domain": "", "path": "/", "secure": false, "expires": false}]}}]`

// run replays one case, with an entry of the deviations unless it is nil.
func run(t *testing.T, text string, entry *Deviation) Result {
	t.Helper()
	corpus, err := ParseCases([]byte(text))
	require.NoError(t, err)
	require.Len(t, corpus, 1)
	r := Runner{Authority: NewAuthority(t), Dir: t.TempDir()}
	if entry != nil {
		r.Deviations = Deviations{corpus[0].Name: *entry}
	}
	report, err := r.Run(t.Context(), corpus)
	require.NoError(t, err)
	return report[0]
}

func TestMatch(t *testing.T) {
	got := run(t, goodCase, nil)
	assert.Equal(t, Matched, got.Verdict, got.Why)
}

// TestCorners replays what the corpus has no case of, but the format allows.
func TestCorners(t *testing.T) {
	tests := map[string]string{
		"next of nothing": `[{"name": "t/n", "session": {}, "calls": [{"do": "next"}],
 "expect": {"wire": [], "outcomes": [{"error": "other", "class": "AttributeError"}], "cookies": []}}]`,
		"bytes that stay bytes": `[{"name": "t/b", "calls": [{"method": "POST", "url": "http://a.test/", "do": "prepare_bare",
  "headers": [["X-A", {"b64": "w6k="}], ["X-B", "\u00e9"]], "data": {"text": "a"}}],
 "expect": {"wire": [], "outcomes": [{"method": "POST", "url": "http://a.test/",
  "headers": [["X-A", "\u00c3\u00a9"], ["X-B", "\u00e9"], ["Content-Length", "1"]], "body": {"text": "a"}}]}}]`,
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			got := run(t, text, nil)
			assert.Equal(t, Matched, got.Verdict, got.Why)
		})
	}
	t.Run("text without an encoding", func(t *testing.T) {
		r := requests.NewResponse(nil, 200, "OK", requests.NewHeaders(), strings.NewReader("\u00e9\n"))
		for as, want := range map[string]string{"lines": "\u00c3\u00a9", "chunks": "\u00c3\u00a9\n"} {
			_, err := r.ReadAll()
			require.NoError(t, err)
			got, err := reading(r, Read{As: as, Decode: true})
			require.NoError(t, err)
			assert.Equal(t, map[string]any{as: []any{want}}, got)
		}
	})
	t.Run("files under a header that disagrees", func(t *testing.T) {
		p, err := requests.NewRequest("POST", "http://a.test/", requests.Header("Transfer-Encoding", "chunked"),
			requests.Files(requests.Part{Field: "f", Content: requests.TextPayload("x")})).Prepare(t.Context())
		require.NoError(t, err)
		body, err := bodyOf(t.Context(), p)
		require.NoError(t, err)
		assert.Contains(t, string(body), `name="f"`)
	})
}

// TestDifferences changes what is expected, each time in one place, so that
// the library does not do it.
func TestDifferences(t *testing.T) {
	tests := []struct {
		name     string
		old, new string
		want     string // a part of a difference
	}{
		{"head order", `"Accept: */*", "Connection: keep-alive", "X-B: \u00e9"`, `"Connection: keep-alive", "Accept: */*", "X-B: \u00e9"`, "wire[0].head: order"},
		{"header name's case", `"X-B: \u00e9"`, `"x-b: \u00e9"`, "wire[0].head: got"},
		{"header value's bytes", `"X-B: \u00e9"`, `"X-B: \u00c3\u00a9"`, "wire[0].head: got"},
		{"line missing", `"X-B: \u00e9", `, ``, "wire[0].head: got besides"},
		{"request line", `"GET /x HTTP/1.1"`, `"GET /z HTTP/1.1"`, "wire[1].head"},
		{"default named", `"User-Agent: {UA}",
    "Accept-Encoding: {AE}", "Accept: */*", "Connection: keep-alive", "X-B`, `"User-Agent: me",
    "Accept-Encoding: {AE}", "Accept: */*", "Connection: keep-alive", "X-B`, "wire[0].head"},
		{"wire's body", `"text": "abc"`, `"text": "abd"`, "wire[0].body"},
		{"chunk sizes", `"chunks": [2, 1]`, `"chunks": [1, 2]`, "wire[0].body"},
		{"not chunked", `, "chunked": true, "chunks": [2, 1]`, ``, "wire[0].body"},
		{"body where none is", `"body": null},
   {"origin": "http://a.test", "conn": 1, "head": ["POST /y`, `"body": {"text": ""}},
   {"origin": "http://a.test", "conn": 1, "head": ["POST /y`, "wire[1].body"},
		{"connection", `"conn": 1, "head": ["GET`, `"conn": 2, "head": ["GET`, "wire[1].conn"},
		{"origin", `{"origin": "http://a.test", "conn": 1, "head": ["GET`, `{"origin": "http://b.test", "conn": 1, "head": ["GET`, "wire[1].origin"},
		{"status", `"status": 404`, `"status": 405`, "outcomes[1].status"},
		{"received header", `["x-a", "\u00e9"]`, `["x-a", "e"]`, "outcomes[0].headers"},
		{"content", `"b64": "b2s="`, `"text": "okay"`, "outcomes[0].body"},
		{"second reading", `{"text": "\u00ff"}`, `{"text": "y"}`, "outcomes[1].body[1]"},
		{"reading missing", `, {"text": "\u00ff"}`, ``, "outcomes[1].body: got 2, want 1"},
		{"text of the status", `404 Client Error`, `404 Server Error`, "outcomes[1].raise"},
		{
			"history", `"history": [], "is_redirect": false, "is_permanent_redirect": false, "links": {}, "cookies": [], "next": null, "ok": false`,
			`"history": [{"status": 302, "url": "http://a.test/"}], "is_redirect": false, "is_permanent_redirect": false, "links": {}, "cookies": [], "next": null, "ok": false`, "outcomes[1].history",
		},
		{"class of an error", `"error": "ConnectionError"`, `"error": "ReadTimeout"`, "outcomes[2]"},
		{"base of an error", `"bases": ["RequestException"]`, `"bases": ["RequestException", "Timeout"]`, "outcomes[2]"},
		{"response of an error", `"bases": ["RequestException"]`, `"bases": ["RequestException"], "response": {"status": 200, "url": "http://a.test/"}`, "outcomes[2].response"},
		{"error for a success", `{"status": 404`, `{"error": "other", "class": "ValueError", "status": 404`, "outcomes[1]"},
		{"cookie's domain", `"domain": ""`, `"domain": "a.test"`, "cookies[0]"},
		{"cookie missing", `[{"name": "c", "value": "1", "domain": "", "path": "/", "secure": false, "expires": false}]}}]`, `[]}}]`, "cookies: got 1, want 0"},
		{"unknown way of reading", `"as": "content"`, `"as": "tea"`, "runner: "},
		{"unknown call", `{"method": "GET"`, `{"do": "dance", "method": "GET"`, "runner: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, 1, strings.Count(goodCase, tt.old), "the part to change is there once")
			got := run(t, strings.Replace(goodCase, tt.old, tt.new, 1), nil)
			assert.Equal(t, Failed, got.Verdict)
			assert.Contains(t, strings.Join(got.Why, "\n"), tt.want)
		})
	}
}

// other is the good case with an expectation that is not met.
var other = strings.Replace(goodCase, `"status": 404`, `"status": 405`, 1)

func TestDeviations(t *testing.T) {
	ours := func() Observation {
		failed := run(t, other, nil)
		return failed.ours()
	}
	third := ours()
	third["outcomes"].([]any)[1].(map[string]any)["status"] = json.Number("406")
	tests := []struct {
		name  string
		text  string
		entry Deviation
		want  Verdict
		why   string
	}{
		{"as listed", other, Deviation{"V13", ours()}, Deviated, ""},
		{"a rule of a quirk", other, Deviation{"BODY-13", ours()}, Deviated, ""},
		{"as recorded", goodCase, Deviation{"V13", ours()}, Failed, "behaves as recorded now"},
		{"third way", other, Deviation{"V13", third}, Failed, "behaves in a third way"},
		{"nothing listed", other, Deviation{"V13", nil}, Failed, "behaves in a third way"},
		{"no rule", other, Deviation{"", ours()}, Failed, "without a rule"},
		{"no such rule", other, Deviation{"V99", ours()}, Failed, "no rule"},
		{"a quirk that is kept", other, Deviation{"ENV-2", ours()}, Failed, "no rule"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := run(t, tt.text, &tt.entry)
			assert.Equal(t, tt.want, got.Verdict, got.Why)
			if tt.why != "" {
				assert.Contains(t, got.Why[0], tt.why)
			}
		})
	}
}

// TestRecord writes what was done instead, and reads it back as an entry that
// fails until it has a rule.
func TestRecord(t *testing.T) {
	failed := run(t, other, nil)
	path := filepath.Join(t.TempDir(), "record.json")
	require.NoError(t, Report{failed, run(t, goodCase, nil)}.Record().Write(path))
	d, err := LoadDeviations(path)
	require.NoError(t, err)
	require.Len(t, d, 1)
	entry := d["t/good"]
	assert.Empty(t, entry.Rule)
	assert.Equal(t, []string{"outcomes"}, parts(entry.Ours, nil))
	assert.Equal(t, Failed, run(t, other, &entry).Verdict)
	entry.Rule = "V4"
	assert.Equal(t, Deviated, run(t, other, &entry).Verdict)
	assert.Equal(t, []string{"t/good"}, d.Unknown(nil))
}

func TestReport(t *testing.T) {
	c := func(name string) *Case { return &Case{Name: name, Why: "why"} }
	var b strings.Builder
	report := Report{
		{Case: c("a/1"), Verdict: Matched},
		{Case: c("a/2"), Verdict: Deviated, Rule: "V4"},
		{Case: c("b/3"), Why: []string{"first", "second"}},
	}
	require.NoError(t, report.Print(&b))
	assert.Equal(t, 1, report.Failed())
	assert.Equal(t, `matched a                  1 of 2
matched b                  0 of 1
deviation V4       1: a/2
FAILED b/3: why
    first
    second
conformance: 1 matched, 1 deviations, 1 failed, 3 cases
`, b.String())
}

// TestEnvironment shows that a case's variables are there for it alone.
func TestEnvironment(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://nowhere.test:1")
	const text = `[{"name": "t/env", "why": "", "env": {"http_proxy": "http://proxy.test:3128"},
 "origins": {"http://proxy.test:3128": [{"raw": "HTTP/1.1 204 N\r\n\r\n"}]},
 "calls": [{"method": "GET", "url": "http://a.test/"}], "expect": {"wire": [], "outcomes": []}}]`
	got := run(t, text, nil)
	wire := got.Got["wire"].([]any)
	require.Len(t, wire, 1)
	assert.Equal(t, "http://proxy.test:3128", wire[0].(map[string]any)["origin"])
	assert.Equal(t, "http://nowhere.test:1", os.Getenv("HTTP_PROXY"))
	_, left := os.LookupEnv("http_proxy")
	assert.False(t, left)
}
