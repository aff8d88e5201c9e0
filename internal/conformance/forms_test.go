package conformance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDigestCheck takes the examples of RFC 7616, 3.9.1.
func TestDigestCheck(t *testing.T) {
	const form = `Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=ALG, ` +
		`nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, ` +
		`cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="RESPONSE", opaque="o"`
	value := func(algorithm, response string) string {
		return strings.NewReplacer("ALG", algorithm, "RESPONSE", response).Replace(form)
	}
	const md5, sha = "8ca523f5e9506fed4657c9700eebdbec", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
	mufasa := [][2]string{{"other", "p"}, {"Mufasa", "Circle of Life"}}
	tests := []struct {
		name    string
		digests [][2]string
		method  string
		value   string
		want    string
	}{
		{"MD5", mufasa, "GET", value("MD5", md5), "{RESPONSE}"},
		{"SHA-256", mufasa, "GET", value("SHA-256", sha), "{RESPONSE}"},
		{"wrong response", mufasa, "GET", value("MD5", sha), "{WRONG RESPONSE}"},
		{"wrong method", mufasa, "PUT", value("MD5", md5), "{WRONG RESPONSE}"},
		{"wrong password", [][2]string{{"Mufasa", "x"}}, "GET", value("MD5", md5), "{WRONG RESPONSE}"},
		{
			"beyond ASCII",
			[][2]string{{"J\u00e4s\u00f8n", "p"}},
			"GET",
			// The user as UTF-8 bytes, each shown as a character.
			strings.NewReplacer("Mufasa", "J\u00c3\u00a4s\u00c3\u00b8n").Replace(value("MD5", "13f99a6a2caf3478e5db25fe956c121d")),
			"{RESPONSE}",
		},
		{
			"beyond ASCII, extended",
			[][2]string{{"J\u00e4s\u00f8n", "p"}},
			"GET",
			strings.NewReplacer(`username="Mufasa"`, "username*=UTF-8''J%C3%A4s%C3%B8n").Replace(value("MD5", "13f99a6a2caf3478e5db25fe956c121d")),
			"{RESPONSE}",
		},
		{"unknown user", nil, "GET", value("MD5", md5), "{WRONG RESPONSE}"},
		{"unknown algorithm", mufasa, "GET", value("MD6", md5), "{WRONG RESPONSE}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := &normaliser{digests: tt.digests, method: tt.method}
			list := []field{{"Authorization", ": ", tt.value}}
			n.fields(list)
			assert.Contains(t, list[0].value, ` cnonce="{CNONCE}", qop=auth, response="`+tt.want+`", opaque="o"`)
			assert.Contains(t, list[0].value, `nonce="7ypf/`)
		})
	}
}

func TestNormalise(t *testing.T) {
	const boundary = "0123456789abcdef0123456789abcdef"
	tests := []struct {
		name         string
		headers      []field
		body         string
		want         []string
		wantBodyTree map[string]any
	}{
		{
			"JSON",
			[]field{{"Content-Length", ":", "9"}, {"Content-Type", ":", "application/json"}},
			`{"a": 10}`,
			[]string{"{LEN}", "application/json"},
			map[string]any{"json": map[string]any{"a": json.Number("10")}},
		},
		{
			"JSON of a wrong length",
			[]field{{"Content-Length", ":", "8"}, {"Content-Type", ":", "application/json"}},
			`[1]`,
			[]string{"8", "application/json"},
			map[string]any{"json": []any{json.Number("1")}},
		},
		{
			"no JSON",
			[]field{{"Content-Length", ":", "2"}, {"Content-Type", ":", "application/json"}},
			`[1`,
			[]string{"2", "application/json"},
			map[string]any{"text": "[1"},
		},
		{
			"JSON under another type",
			[]field{{"content-type", ":", "application/json"}},
			`[1]`,
			[]string{"application/json"},
			map[string]any{"text": "[1]"},
		},
		{
			"boundary",
			[]field{{"Content-Type", ":", "multipart/form-data; boundary=" + boundary}, {"Content-Length", ":", "36"}},
			"--" + boundary + "--",
			[]string{"multipart/form-data; boundary={BOUNDARY}", "36"},
			map[string]any{"text": "--{BOUNDARY}--"},
		},
		{
			"the caller's boundary",
			[]field{{"Content-Type", ":", "multipart/form-data; boundary=mine"}},
			"--mine--",
			[]string{"multipart/form-data; boundary=mine"},
			map[string]any{"text": "--mine--"},
		},
		{"another agent", []field{{"User-Agent", ":", "me"}}, "\xff", []string{"me"}, map[string]any{"b64": "/w=="}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := &normaliser{method: "POST", body: []byte(tt.body)}
			n.fields(tt.headers)
			var got []string
			for _, f := range tt.headers {
				got = append(got, f.value)
			}
			assert.Equal(t, tt.want, got)
			assert.Equal(t, tt.wantBodyTree, n.tree())
		})
	}
}

func TestArrivalConnect(t *testing.T) {
	o, err := newOrigin(nil, "http://p.test:3128", nil)
	require.NoError(t, err)
	got := arrivalTree(arrival{o, 1, &message{head: []string{"CONNECT a.test:443 HTTP/1.0", "Host: a.test:443", "X:y"}}}, nil)
	assert.Equal(t, []any{"CONNECT a.test:443 HTTP/1.1", "X:y"}, got["head"])
}

func TestEqualTrees(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{`1`, `1.0`, true},
		{`9007199254740993`, `9007199254740992`, false},
		{`1`, `"1"`, false},
		{`null`, `false`, false},
		{`null`, `[]`, false},
		{`[]`, `null`, false},
		{`"a"`, `{}`, false},
		{`{"a": [1, {"b": null}]}`, `{"a": [1, {"b": null}]}`, true},
		{`{"a": null}`, `{}`, false},
		{`{"a": null}`, `{"b": null}`, false},
		{`[1, 2]`, `[2, 1]`, false},
	}
	for _, tt := range tests {
		a, _ := parseJSON([]byte(tt.a))
		b, _ := parseJSON([]byte(tt.b))
		assert.Equal(t, tt.want, equalTrees(a, b), "%s and %s", tt.a, tt.b)
	}
}

// TestForms reads every form of value that the format has.
func TestForms(t *testing.T) {
	const text = `[{"name": "g/n", "why": "w", "env": {"A": "b"}, "netrc": "", "home_netrc": "",
 "origins": {"http://a.test": [{"raw_b64": "/w==", "close": true, "delay_ms": 1, "hang": true, "reset": true,
  "drip": [1, 2], "truncate": 3, "tunnel": true}]},
 "session": {"headers": [["A", null]], "params": [["a", null]], "auth": {"none": true}, "cookies": [], "proxies": [["no_proxy", ["x", "y"]]],
  "verify": false, "cert": ["a", "b"], "stream": true, "max_redirects": 3, "trust_env": false, "hooks": ["mark"],
  "mounts": [{"prefix": "http://"}, {"prefix": "x", "retries": 2}, {"prefix": "y", "retries": {"total": null, "connect": 1, "read": false,
   "redirect": null, "status": 2, "other": 0, "allowed_methods": null, "status_forcelist": [500], "backoff_factor": 0.5,
   "raise_on_status": false, "raise_on_redirect": true, "respect_retry_after_header": false, "remove_headers_on_redirect": ["A"]}}]},
 "calls": [{"do": "request", "method": "GET", "url": "u", "params": "a=b", "headers": [["A", {"b64": ""}]],
  "data": {"file": {"b64": "YQ==", "offset": 1}}, "json": {"value": null}, "files": [{"field": "f", "filename": null, "b64": "",
  "content_type": null, "headers": null}], "timeout": [1, null], "allow_redirects": false, "verify": "p", "cert": "p",
  "read": {"as": "lines", "size": 1, "delimiter": "|", "decode": true, "encoding": null},
  "cookie": {"name": "n", "value": null, "domain": "d", "path": "/", "secure": true, "expires": 1}}],
 "expect": {"wire": [], "outcomes": []}}]`
	corpus, err := ParseCases([]byte(text))
	require.NoError(t, err)
	c := corpus[0]
	assert.True(t, c.serial() && c.pauses())
	assert.Equal(t, "g", c.Group())
	assert.Equal(t, "x,y", c.Session.Proxies[0].Value.Text)
	policy := c.Session.Mounts[2].Retries.policy
	assert.True(t, policy.Unlimited && policy.AnyMethod && policy.ReturnLastStatus && policy.IgnoreRetryAfter && policy.RawErrors)
	assert.Nil(t, policy.Redirect)
	assert.Equal(t, 2, c.Session.Mounts[1].Retries.policy.Total)
	call := c.Calls[0]
	assert.NotNil(t, call.Headers[0].Value.Bytes)
	assert.Equal(t, Read{As: "lines", Size: 1, Delimiter: new("|"), Decode: true, Encode: true}, call.Read.List[0])
	assert.Nil(t, call.Timeout.Read)
}

func TestBadCases(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"unknown key", `[{"name": "a/b", "teapot": 1}]`, "teapot"},
		{"unknown key of a call", `[{"name": "a/b", "calls": [{"teapot": 1}]}]`, "teapot"},
		{"unknown key of a reading", `[{"name": "a/b", "calls": [{"read": {"as": "text", "teapot": 1}}]}]`, "teapot"},
		{"unknown retry", `[{"name": "a/b", "session": {"mounts": [{"prefix": "", "retries": {"teapot": 1}}]}}]`, "teapot"},
		{"three in a pair", `[{"name": "a/b", "calls": [{"headers": [["a", "b", "c"]]}]}]`, "list of 3"},
		{"nothing expected", `[{"name": "a/b"}]`, "nothing is expected"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := run(t, tt.text, nil)
			assert.Equal(t, Failed, got.Verdict)
			assert.Equal(t, "a/b", got.Case.Name)
			require.Len(t, got.Why, 1)
			assert.Contains(t, got.Why[0], tt.want)
			assert.Empty(t, Report{got}.Record())
		})
	}
	for text, want := range map[string]string{`[{"expect": {}}]`: "no name", `[] []`: "after", `{}`: "object"} {
		_, err := ParseCases([]byte(text))
		assert.ErrorContains(t, err, want)
	}
}

func TestLoadCorpus(t *testing.T) {
	dir := t.TempDir()
	_, err := LoadCorpus(dir)
	require.ErrorContains(t, err, "no cases")
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("b.json", `[{"name": "b/1", "expect": {}}]`)
	write("a.json", `[{"name": "a/1", "expect": {}}, {"name": "ab/1", "expect": {}}]`)
	write(deviationsName, `{}`)
	corpus, err := LoadCorpus(dir)
	require.NoError(t, err)
	require.Len(t, corpus, 3)
	assert.Equal(t, "a/1", corpus[0].Name)
	assert.Len(t, corpus.Only("a"), 1)
	write("c.json", `[{"name": "a/1", "expect": {}}]`)
	corpus, err = LoadCorpus(dir)
	require.NoError(t, err)
	require.Len(t, corpus, 4)
	assert.ErrorContains(t, corpus[3].err, "there already")
}
