package requests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func seqOf(pieces ...string) func(func([]byte, error) bool) {
	return func(yield func([]byte, error) bool) {
		for _, p := range pieces {
			if !yield([]byte(p), nil) {
				return
			}
		}
	}
}

func nilHook(context.Context, *Response) (*Response, error) { return nil, nil }

// optionRow is an option with all that is to be said of it.
type optionRow struct {
	name    string // how errors call it
	option  Option
	scope   scope               // where it may stand
	applied func(*Request) bool // whether a request has it
	without func(*Request) bool // whether a request has it left out
}

func optionRows() []optionRow {
	const anywhere, asked, request = scopeAny, scopeSession | scopeRequest, scopeRequest
	body := func(want string) func(*Request) bool {
		return func(r *Request) bool {
			if r.Body == nil {
				return false
			}
			rc, err := r.Body.open()
			if err != nil {
				return false
			}
			b, err := io.ReadAll(rc)
			return err == nil && string(b) == want
		}
	}
	noBody := func(r *Request) bool { return r.Body == nil }
	noAuth := func(r *Request) bool { return r.Auth == NoAuth }
	fields := func(get func(*Request) Fields, want ...Field) func(*Request) bool {
		return func(r *Request) bool { return assert.ObjectsAreEqual(Fields(want), get(r)) }
	}
	params := func(r *Request) Fields { return r.Params }
	form := func(r *Request) Fields { return r.Form }
	is := func(d *time.Duration, want time.Duration) bool { return d != nil && *d == want }
	aPayload := TextPayload("p")
	auth := AuthFunc(func(context.Context, *PreparedRequest) error { return nil })
	return []optionRow{
		{
			`Param("a")`, Param("a", "1", "2"), asked,
			fields(params, Field{Name: "a", Value: "1"}, Field{Name: "a", Value: "2"}),
			fields(params, Field{Name: "a", Omit: true}),
		},
		{
			"Params", Params(Pairs("a", "1", "b", "2")), asked,
			fields(params, Field{Name: "a", Value: "1"}, Field{Name: "b", Value: "2"}),
			fields(params, Field{Name: "a", Omit: true}, Field{Name: "b", Omit: true}),
		},
		{
			"Query", Query("a=1"), request,
			func(r *Request) bool { return r.Query == "a=1" },
			func(r *Request) bool { return r.Query == "" },
		},
		{
			`Header("X-A")`, Header("X-A", "1"), asked,
			func(r *Request) bool { return r.Headers.Get("x-a") == "1" },
			func(r *Request) bool { return !r.Headers.Has("x-a") && len(r.Headers.fields) == 1 },
		},
		{
			`HeaderBytes("X-A")`, HeaderBytes("X-A", []byte("\xff")), asked,
			func(r *Request) bool { return r.Headers.fields[0].raw && r.Headers.fields[0].value == "\xff" },
			func(r *Request) bool { return !r.Headers.Has("x-a") && len(r.Headers.fields) == 1 },
		},
		{
			`Cookie("c")`, Cookie("c", "1"), asked,
			func(r *Request) bool { return len(r.Cookies) == 1 && r.Cookies[0].Value == "1" },
			func(r *Request) bool { return len(r.Cookies) == 1 && r.Cookies[0].MaxAge < 0 },
		},
		{
			"Cookies", Cookies(&http.Cookie{Name: "c", Value: "1"}), asked,
			func(r *Request) bool { return len(r.Cookies) == 1 && r.Cookies[0].Value == "1" },
			func(r *Request) bool { return len(r.Cookies) == 1 && r.Cookies[0].MaxAge < 0 },
		},
		{`Form("a")`, Form("a", "1"), request, fields(form, Field{Name: "a", Value: "1"}), fields(form, Field{Name: "a", Omit: true})},
		{
			"FormFields", FormFields(Pairs("a", "1")), request,
			fields(form, Field{Name: "a", Value: "1"}), fields(form, Field{Name: "a", Omit: true}),
		},
		{"Body", Body(strings.NewReader("r")), request, body("r"), noBody},
		{"Body", BodyBytes([]byte("b")), request, body("b"), noBody},
		{"Body", BodyText("é"), request, body("é"), noBody},
		{"Body", BodyChunks(seqOf("a", "", "b")), request, body("ab"), noBody},
		{"Body", PayloadOf(aPayload), request, func(r *Request) bool { return r.Body == aPayload }, noBody},
		{
			"JSON", JSON(1), request,
			func(r *Request) bool { return r.JSON == 1 }, func(r *Request) bool { return r.JSON == nil },
		},
		{
			"Files", File("f", "n.txt", strings.NewReader("c")), request,
			func(r *Request) bool { return r.Files[0].Field == "f" && r.Files[0].FileName == "n.txt" },
			func(r *Request) bool { return len(r.Files) == 0 },
		},
		{
			"Files", FilePath("f", "/no/such/n.txt"), request,
			func(r *Request) bool { return r.Files[0].Field == "f" && r.Files[0].FileName == "n.txt" },
			func(r *Request) bool { return len(r.Files) == 0 },
		},
		{
			"Files", Files(Part{Field: "a"}, Part{Field: "b"}), request,
			func(r *Request) bool { return len(r.Files) == 2 }, func(r *Request) bool { return len(r.Files) == 0 },
		},
		{"Auth", Auth(auth), asked, func(r *Request) bool { return r.Auth != nil && r.Auth != NoAuth }, noAuth},
		{
			"BasicAuth", BasicAuth("u", "p"), asked,
			func(r *Request) bool { return *r.Auth.(*Basic) == Basic{Username: "u", Password: "p"} }, noAuth,
		},
		{"BearerAuth", BearerAuth("t"), asked, func(r *Request) bool { return r.Auth == Bearer("t") }, noAuth},
		{"DigestAuth", DigestAuth("u", "p"), asked, func(r *Request) bool { return r.Auth.(*Digest).Username == "u" }, noAuth},
		{
			"Timeout", Timeout(3), anywhere,
			func(r *Request) bool {
				return is(r.Timeouts.Connect, 3) && is(r.Timeouts.Read, 3) && r.Timeouts.Total == nil
			},
			func(r *Request) bool {
				return is(r.Timeouts.Connect, 0) && is(r.Timeouts.Read, 0) && r.Timeouts.Total == nil
			},
		},
		{
			"ConnectTimeout", ConnectTimeout(3), anywhere,
			func(r *Request) bool { return is(r.Timeouts.Connect, 3) && r.Timeouts.Read == nil },
			func(r *Request) bool { return is(r.Timeouts.Connect, 0) && r.Timeouts.Read == nil },
		},
		{
			"ReadTimeout", ReadTimeout(3), anywhere,
			func(r *Request) bool { return is(r.Timeouts.Read, 3) && r.Timeouts.Connect == nil },
			func(r *Request) bool { return is(r.Timeouts.Read, 0) && r.Timeouts.Connect == nil },
		},
		{
			"TotalTimeout", TotalTimeout(3), anywhere,
			func(r *Request) bool { return is(r.Timeouts.Total, 3) && r.Timeouts.Read == nil },
			func(r *Request) bool { return is(r.Timeouts.Total, 0) && r.Timeouts.Read == nil },
		},
		{
			"AllowRedirects", AllowRedirects(false), anywhere,
			func(r *Request) bool { return !*r.AllowRedirects },
			func(r *Request) bool { return r.AllowRedirects != nil && *r.AllowRedirects },
		},
		{
			"MaxRedirects", MaxRedirects(3), anywhere,
			func(r *Request) bool { return *r.MaxRedirects == 3 },
			func(r *Request) bool { return *r.MaxRedirects == 30 },
		},
		{
			`Proxy("http")`, Proxy("http", "http://p"), anywhere,
			func(r *Request) bool { return r.Proxies["http"] == "http://p" },
			func(r *Request) bool { return r.Proxies["http"] == proxyOmitted },
		},
		{
			"Proxies", Proxies(ProxyMap{"all": "http://p"}), anywhere,
			func(r *Request) bool { return r.Proxies["all"] == "http://p" },
			func(r *Request) bool { return r.Proxies["all"] == proxyOmitted },
		},
		{
			"OnResponse", OnResponse(nilHook), asked,
			func(r *Request) bool { return len(r.Hooks) == 1 },
			func(r *Request) bool { return r.Hooks != nil && len(r.Hooks) == 0 },
		},
		{
			"AlsoOnResponse", AlsoOnResponse(nilHook), request,
			func(r *Request) bool { return len(r.ExtraHooks) == 1 },
			func(r *Request) bool { return len(r.ExtraHooks) == 0 },
		},
		{
			"Stream", Stream(), anywhere,
			func(r *Request) bool { return *r.Stream }, func(r *Request) bool { return !*r.Stream },
		},
		{
			"Verify", Verify(false), anywhere,
			func(r *Request) bool { return r.Verify == TLSVerify{Skip: true} },
			func(r *Request) bool { return r.Verify == TLSVerify{Always: true} },
		},
		{
			"Verify", Verify(true), anywhere,
			func(r *Request) bool { return r.Verify == TLSVerify{Always: true} },
			func(r *Request) bool { return r.Verify == TLSVerify{Always: true} },
		},
		{
			"CABundle", CABundle("x.pem"), anywhere,
			func(r *Request) bool { return r.Verify == TLSVerify{CABundle: "x.pem"} },
			func(r *Request) bool { return r.Verify == TLSVerify{Always: true} },
		},
		{
			"Cert", Cert("c.pem"), anywhere,
			func(r *Request) bool { return r.Cert == ClientCert{CertFile: "c.pem"} },
			func(r *Request) bool { return r.Cert == ClientCert{None: true} },
		},
		{
			"Cert", Cert("c.pem", "k.pem"), anywhere,
			func(r *Request) bool { return r.Cert == ClientCert{CertFile: "c.pem", KeyFile: "k.pem"} },
			func(r *Request) bool { return r.Cert == ClientCert{None: true} },
		},
		{
			"MaxBody", MaxBody(5), anywhere,
			func(r *Request) bool { return r.Limits == Limits{Body: 5} },
			func(r *Request) bool { return r.Limits == Limits{Body: -1} },
		},
		{
			"MaxExpansion", MaxExpansion(5), anywhere,
			func(r *Request) bool { return r.Limits == Limits{Expansion: 5} },
			func(r *Request) bool { return r.Limits == Limits{Expansion: -1} },
		},
		{
			"Untrusted", Untrusted(), anywhere,
			func(r *Request) bool {
				return r.Guard != nil && r.Limits == Limits{Body: 64 << 20, Expansion: 100} &&
					*r.MaxRedirects == 10 && is(r.Timeouts.Total, time.Minute)
			},
			func(r *Request) bool {
				return r.Guard.check("127.0.0.1:80") == nil && r.Guard.AllowProxy && r.Limits == Limits{Body: -1, Expansion: -1} &&
					*r.MaxRedirects == 30 && is(r.Timeouts.Total, 0)
			},
		},
	}
}

func TestOptionsApply(t *testing.T) {
	for _, row := range optionRows() {
		t.Run(row.name, func(t *testing.T) {
			assert.Equal(t, row.name, row.option.label().String())
			var r Request
			r.apply([]Option{row.option}, scopeRequest)
			require.NoError(t, r.err)
			assert.True(t, row.applied(&r), "%#v", r.Settings)
			var again Request
			again.apply([]Option{Without(row.option)}, scopeRequest)
			require.NoError(t, again.err)
			assert.True(t, row.without(&again), "left out: %#v", again.Settings)
		})
	}
}

// An option that stands where it makes no sense is an error that names it and
// the place, from the first call that can return one.
func TestOptionsInWrongPlace(t *testing.T) {
	places := []struct {
		at   scope
		text string
		call func(o Option) error
	}{
		{scopeSession, "a session", func(o Option) error {
			_, err := NewSession(o).Prepare(t.Context(), NewRequest("GET", "http://a.test/"))
			return err
		}},
		{scopeSend, "Send", func(o Option) error {
			s := cannedSession(t, answerOK)
			p, err := s.Prepare(t.Context(), NewRequest("GET", "http://a.test/"))
			require.NoError(t, err)
			_, err = s.Send(t.Context(), p, o)
			return err
		}},
		{scopeSend, "Send", func(o Option) error {
			_, err := new(Session).MergeEnvironment("http://a.test/", o)
			return err
		}},
	}
	for _, row := range optionRows() {
		assert.NotZero(t, row.option.label().at&scopeRequest, "%s makes no sense in a request", row.name)
		for _, place := range places {
			assert.Equal(t, row.scope&place.at != 0, row.option.label().at&place.at != 0, "%s in %s", row.name, place.text)
			if row.scope&place.at != 0 {
				continue
			}
			err := place.call(row.option)
			require.ErrorIs(t, err, ErrInvalidOption, "%s in %s", row.name, place.text)
			assert.Contains(t, err.Error(), row.name+" makes no sense in "+place.text)
			assert.ErrorIs(t, place.call(Without(row.option)), ErrInvalidOption)
		}
	}
}

func TestScopeText(t *testing.T) {
	assert.Equal(t, "a session", scopeSession.String())
	assert.Equal(t, "a request", scopeRequest.String())
	assert.Equal(t, "Send", scopeSend.String())
}

func answerOK(_ context.Context, p *PreparedRequest, _ Settings) (*Response, error) {
	return NewResponse(p, 200, "OK", Headers{}, nil), nil
}

// Options that are empty, nil or senseless are typed errors that name them.
func TestOptionsWithoutSense(t *testing.T) {
	tests := []struct {
		name   string
		option Option
		kind   error
		text   string
	}{
		{"no option", nil, ErrInvalidOption, "option is nil"},
		{"no authenticator", Auth(nil), ErrInvalidOption, "Auth"},
		{"no hook", OnResponse(nil), ErrInvalidOption, "OnResponse"},
		{"no further hook", AlsoOnResponse(nilHook, nil), ErrInvalidOption, "AlsoOnResponse"},
		{"no cookie", Cookies(nil), ErrInvalidOption, "ookie"},
		{"no bundle", CABundle(""), ErrInvalidOption, "CABundle"},
		{"no certificate", Cert(""), ErrInvalidOption, "Cert"},
		{"three files", Cert("a", "b", "c"), ErrInvalidOption, "Cert"},
		{"nothing left out", Without(), ErrInvalidOption, "Without"},
		{"nil left out", Without(nil), ErrInvalidOption, "Without"},
		{"nil cookie left out", Without(Cookies(nil)), ErrInvalidOption, "ookie"},
		{"leaving out left out", Without(Without(Stream())), ErrInvalidOption, "Without"},
		{"settings left out", Without(Settings{}), ErrInvalidOption, "Settings"},
		{"timeout", Timeout(-1), ErrInvalidOption, "Timeout -1ns"},
		{"connect timeout", ConnectTimeout(-1), ErrInvalidOption, "ConnectTimeout -1ns"},
		{"read timeout", ReadTimeout(-1), ErrInvalidOption, "ReadTimeout -1ns"},
		{"total timeout", TotalTimeout(-1), ErrInvalidOption, "TotalTimeout -1ns"},
		{"redirects", MaxRedirects(-1), ErrInvalidOption, "MaxRedirects -1"},
		{"timeout in settings", Settings{Timeouts: Timeouts{Read: new(time.Duration(-1))}}, ErrInvalidOption, "read timeout"},
		{"two kinds of trust", Settings{Verify: TLSVerify{Skip: true, Always: true}}, ErrInvalidOption, "TLSVerify"},
		{"empty header name", Header("", "v"), ErrInvalidHeader, "header name"},
		{"empty cookie name", Cookie("", "v"), ErrInvalidHeader, "cookie"},
		{"empty token", BearerAuth(""), ErrInvalidHeader, "bearer"},
		{"JSON that is none", JSON(math.Inf(1)), ErrInvalidJSON, "JSON"},
		{"JSON that is none", JSON(func() {}), ErrInvalidJSON, "JSON"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := cannedSession(t, answerOK)
			_, err := s.Get(t.Context(), "http://a.test/", tt.option)
			require.ErrorIs(t, err, tt.kind)
			assert.Contains(t, err.Error(), tt.text)
		})
	}
}

// Many options set what they set one by one: in a row, with others between, and
// names told again.
func TestManyHeaderOptions(t *testing.T) {
	var opts []Option
	for i := range 5 * longList {
		name := fmt.Sprintf("X-%d", i%(3*longList))
		switch i % 9 {
		case 3:
			opts = append(opts, HeaderBytes(name, []byte("bytes")))
		case 5:
			opts = append(opts, SecretHeader(strings.ToLower(name), "secret"))
		case 7:
			opts = append(opts, Header(name, fmt.Sprint(i)), Without(Header("X-1", "")), Param("p", "v"))
		default:
			opts = append(opts, Header(name, fmt.Sprint(i)))
		}
	}
	mixed := slices.Insert(slices.Clone(opts), longList, Without(Header("X-2", "")), Timeout(time.Second), Form("f", "v"))
	for _, opts := range [][]Option{opts, mixed, opts[:longList-1], opts[:7], opts[6:40]} {
		var at, one Request
		at.apply(opts, scopeRequest)
		for _, o := range opts {
			one.apply([]Option{o}, scopeRequest)
		}
		require.NoError(t, errors.Join(at.err, one.err))
		require.Len(t, at.Headers.fields, len(one.Headers.fields))
		for i, f := range at.Headers.fields {
			want := one.Headers.fields[i]
			assert.Equal(t, []any{want.name, want.value, want.raw, want.omit, want.reach}, []any{f.name, f.value, f.raw, f.omit, f.reach})
		}
	}
	var send Request
	send.apply(opts, scopeSend)
	require.ErrorIs(t, send.err, ErrInvalidOption)
	assert.Zero(t, send.Headers.Len())
}

// The first error counts, and no later option hides it.
func TestFirstOptionErrorStays(t *testing.T) {
	r := NewRequest("GET", "http://a.test/", Timeout(-1), Timeout(1), Auth(nil))
	_, err := r.Prepare(t.Context())
	require.ErrorIs(t, err, ErrInvalidOption)
	assert.Contains(t, err.Error(), "Timeout")
	_, err = new(Session).Request(t.Context(), r)
	assert.ErrorIs(t, err, ErrInvalidOption)
}

func TestOptionsAddUpOrReplace(t *testing.T) {
	r := NewRequest("GET", "http://a.test/",
		Param("a", "1"), Params(Pairs("b", "2")), Param("a", "3"),
		Header("X", "1"), Header("x", "2"),
		Form("f", "1"), FormFields(Pairs("f", "2")),
		Cookie("c", "1"), Cookies(&http.Cookie{Name: "d", Value: "2"}),
		OnResponse(nilHook), OnResponse(nilHook, nilHook),
		Proxy("http", "a"), Proxies(ProxyMap{"https": "b"}), Settings{Proxies: ProxyMap{"all": "c"}},
		Timeout(5), ReadTimeout(6),
		MaxBody(1), MaxExpansion(2),
		BasicAuth("u", "p"), BearerAuth("t"),
		BodyText("a"), BodyText("b"))
	require.NoError(t, r.err)
	assert.Equal(t, Pairs("a", "1", "b", "2", "a", "3"), r.Params)
	assert.Equal(t, "x: 2\n", listed(r.Headers))
	assert.Equal(t, Pairs("f", "1", "f", "2"), r.Form)
	assert.Len(t, r.Cookies, 2)
	assert.Len(t, r.Hooks, 3)
	assert.Equal(t, ProxyMap{"http": "a", "https": "b", "all": "c"}, r.Proxies)
	assert.EqualValues(t, 5, *r.Timeouts.Connect)
	assert.EqualValues(t, 6, *r.Timeouts.Read)
	assert.Equal(t, Limits{Body: 1, Expansion: 2}, r.Limits)
	assert.Equal(t, Bearer("t"), r.Auth)
	b, ok := r.Body.Bytes()
	assert.True(t, ok)
	assert.Equal(t, "b", string(b))
}

// One option value serves many requests, and none changes it.
func TestOptionsAreNotChanged(t *testing.T) {
	given := ProxyMap{"http": "a"}
	opts := []Option{Proxies(given), Params(Pairs("a", "1")), Header("X", "1")}
	a := NewRequest("GET", "", append(opts, Proxy("http", "b"), Param("b", "2"))...)
	b := NewRequest("GET", "", opts...)
	assert.Equal(t, ProxyMap{"http": "a"}, given)
	assert.Equal(t, ProxyMap{"http": "b"}, a.Proxies)
	assert.Equal(t, ProxyMap{"http": "a"}, b.Proxies)
	assert.Equal(t, Pairs("a", "1"), b.Params)
	assert.Equal(t, Pairs("a", "1", "b", "2"), a.Params)
}

// HeaderBytes and Param keep copies of what they were given.
func TestOptionsCopy(t *testing.T) {
	value, values := []byte("abc"), []string{"1", "2"}
	opts := []Option{HeaderBytes("X", value), Param("p", values...)}
	value[0], values[0] = 'x', "x"
	r := NewRequest("GET", "", opts...)
	assert.Equal(t, "abc", r.Headers.Get("X"))
	assert.Equal(t, Pairs("p", "1", "p", "2"), r.Params)
}

func TestFilePathIsOpenedWhenSent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.txt")
	require.NoError(t, os.WriteFile(path, []byte("content"), 0o600))
	r := NewRequest("POST", "http://a.test/", FilePath("f", path))
	p, err := r.Prepare(t.Context())
	require.NoError(t, err)
	rc, err := p.Body.open()
	require.NoError(t, err)
	var b bytes.Buffer
	_, err = b.ReadFrom(rc)
	require.NoError(t, err)
	assert.Contains(t, b.String(), "content")
	assert.Contains(t, b.String(), `filename="a.txt"`)
	require.NoError(t, rc.Close())

	missing, err := NewRequest("POST", "http://a.test/", FilePath("f", path+".not")).Prepare(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, -1, missing.Body.Len())
	rc, err = missing.Body.open()
	require.NoError(t, err)
	_, err = io.ReadAll(rc)
	assert.True(t, errors.Is(err, os.ErrNotExist), "%v", err)
}

// Without undoes what came before it, and what comes after it stands.
func TestWithoutOfFields(t *testing.T) {
	tests := []struct {
		name        string
		session     []Option
		call        []Option
		query, form string
	}{
		{"param", nil, []Option{Param("a", "1", "2"), Param("b", "3"), Without(Param("a"))}, "b=3", ""},
		{"params", nil, []Option{Params(Pairs("a", "1", "b", "3")), Without(Params(Pairs("a", "")))}, "b=3", ""},
		{"then again", nil, []Option{Param("a", "1"), Without(Param("a")), Param("a", "2")}, "a=2", ""},
		{"of the session", []Option{Param("a", "1"), Param("b", "2"), Without(Param("a"))}, nil, "b=2", ""},
		{"of both", []Option{Param("a", "1")}, []Option{Param("a", "2"), Without(Param("a"))}, "", ""},
		{"form", nil, []Option{Form("a", "1"), Form("b", "2"), Without(Form("a"))}, "", "b=2"},
		{"form fields", nil, []Option{FormFields(Pairs("a", "1", "b", "2")), Without(FormFields(Pairs("a", "")))}, "", "b=2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := NewSession(tt.session...).Prepare(t.Context(), NewRequest("POST", "http://a.test/", tt.call...))
			require.NoError(t, err)
			_, query, _ := strings.Cut(p.URL, "?")
			assert.Equal(t, tt.query, query)
			form, _ := p.Body.Bytes()
			assert.Equal(t, tt.form, string(form))
		})
	}
	given := Pairs("a", "1", "b", "2")
	NewRequest("GET", "http://a.test/", Params(given), Without(Param("a")))
	assert.Equal(t, Pairs("a", "1", "b", "2"), given, "the caller's fields were changed")
}
