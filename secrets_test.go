//go:build unix

package requests_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// The canaries: each is looked for where it does not belong.
const (
	canaryPassword = "canary-password"
	canaryToken    = "canary-token"
	canaryCookie   = "canary-cookie"
	canaryProxy    = "canary-proxy"
	canaryQuery    = "canary-query"
	canaryBody     = "canary-body"
)

// canaries are all that must not show, in every form that it may take.
func canaries() []string {
	plain := []string{canaryPassword, canaryToken, canaryCookie, canaryProxy, canaryQuery, canaryBody}
	for _, pair := range []string{"user:" + canaryPassword, "proxyuser:" + canaryProxy} {
		plain = append(plain, base64.StdEncoding.EncodeToString([]byte(pair)))
	}
	return plain
}

// findCanary returns the first canary in a text, or nothing.
func findCanary(text string) string {
	for _, c := range canaries() {
		if strings.Contains(text, c) {
			return c
		}
		// Formats of bytes show them as numbers and as hexadecimal.
		for _, format := range []string{"%d", "%x", "%X", "% x", "% X", "%#x", "%o", "%b", "%c", "%U", "%q"} {
			if strings.Contains(text, strings.Trim(fmt.Sprintf(format, []byte(c)), "[]")) {
				return c
			}
		}
	}
	return ""
}

// noCanary fails where a text holds a canary.
func noCanary(t *testing.T, what, text string) {
	t.Helper()
	if c := findCanary(text); c != "" {
		at := strings.Index(text, c)
		t.Errorf("%s shows %s: ...%s...", what, c, text[max(at-80, 0):min(max(at, 0)+len(c)+20, len(text))])
	}
}

// secretSession is a session with a secret in every field that can hold one.
func secretSession(srv *testserver.Faults) *requests.Session {
	s := requests.NewSession(
		requests.Header("X-Api-Key", canaryToken),
		requests.Header("Authorization", "Bearer "+canaryToken),
		requests.BasicAuth("user", canaryPassword),
		requests.Param("key", canaryQuery),
		requests.Proxy("https", "http://proxyuser:"+canaryProxy+"@proxy.test:8080"),
	)
	s.IgnoreEnv = true
	_ = s.Cookies.Set(&http.Cookie{Name: "sid", Value: canaryCookie, Domain: "127.0.0.1", Path: "/"})
	s.Mount("http://", &requests.HTTPAdapter{})
	return s
}

// secretRequest is a request with a secret in every field that can hold one.
func secretRequest(url string) *requests.Request {
	r := requests.NewRequest(
		"POST", strings.Replace(url, "://", "://user:"+canaryPassword+"@", 1)+"/path?token="+canaryQuery+"#"+canaryQuery,
		requests.Header("Authorization", "Bearer "+canaryToken),
		requests.HeaderBytes("X-Raw", []byte(canaryToken)),
		requests.Cookie("sid", canaryCookie),
		requests.Param("key", canaryQuery),
		requests.Form("password", canaryBody),
		requests.DigestAuth("user", canaryPassword),
		requests.Proxy("https", "http://proxyuser:"+canaryProxy+"@proxy.test:8080"),
		requests.Settings{Cert: requests.ClientCert{CertFile: "client.pem"}},
	)
	return r
}

// secretValues are values of every type that can hold a secret.
func secretValues(t *testing.T) map[string]any {
	t.Helper()
	srv := testserver.NewFaults(t, testserver.Answer{
		Header: []string{"Set-Cookie: session=" + canaryCookie, "X-Token: " + canaryToken}, Body: []byte(canaryBody),
	})
	s := secretSession(srv)
	request := secretRequest(srv.URL())
	request.Settings.Cert = requests.ClientCert{}
	resp, err := s.Request(t.Context(), request)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	settings := requests.Settings{Proxies: requests.ProxyMap{"all": "http://proxyuser:" + canaryProxy + "@proxy.test:8080"}}
	basic := &requests.Basic{Username: "user", Password: canaryPassword}
	digest := &requests.Digest{Username: "user", Password: canaryPassword}
	adapter, err := s.Adapter("http://a.test/")
	require.NoError(t, err)
	// It keeps what it dials for by the URLs of proxies.
	_, _ = s.Get(t.Context(), "http://a.test/", requests.Proxy("http", "http://proxyuser:"+canaryProxy+"@127.0.0.1:1"))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	keyText := requests.ClientCert{Certificate: &tls.Certificate{
		Certificate: [][]byte{[]byte(canaryToken)}, PrivateKey: key,
	}}
	headers := requests.NewHeaders("Authorization", "Bearer "+canaryToken, "Cookie", "a="+canaryCookie)
	broken := &requests.Error{
		Op: "GET", URL: "http://a.test/", Err: errors.New("x"), Request: resp.Request, Response: resp,
	}
	return map[string]any{
		"Session": s, "Request": request, "Request value": *request, "PreparedRequest": resp.Request, "Response": resp,
		"Settings": settings, "Settings pointer": &settings, "ProxyMap": settings.Proxies,
		"Basic": basic, "Basic value": *basic, "Digest": digest, "Bearer": requests.Bearer(canaryToken),
		"ProxyBasic": &requests.ProxyBasic{Username: "proxyuser", Password: canaryProxy},
		"CookieJar":  s.Cookies, "response's cookies": resp.Cookies(), "HTTPAdapter": adapter,
		"ClientCert": keyText, "Settings with a certificate": requests.Settings{Cert: keyText},
		"ProxyRefusedError": &requests.ProxyRefusedError{
			StatusCode: 403, Status: "403 No", Header: http.Header{"X": {canaryToken}}, Body: []byte(canaryBody),
		},
		"RoundTripper":        s.RoundTripper(),
		"http.Client":         &http.Client{Transport: s.RoundTripper(), Jar: s.Cookies},
		"ProxyBasic value":    requests.ProxyBasic{Username: "proxyuser", Password: canaryProxy},
		"option SecretHeader": requests.SecretHeader("X-Token", canaryToken),
		"Headers":             headers, "Headers pointer": &headers, "Payload": requests.TextPayload(canaryBody),
		"Part":                requests.Part{Field: "f", Content: requests.TextPayload(canaryBody)},
		"Error":               broken,
		"Error value":         *broken,
		"HTTPError":           &requests.HTTPError{Response: resp},
		"option Header":       requests.Header("Authorization", canaryToken),
		"option HeaderBytes":  requests.HeaderBytes("Authorization", []byte(canaryToken)),
		"option Cookie":       requests.Cookie("a", canaryCookie),
		"option BasicAuth":    requests.BasicAuth("user", canaryPassword),
		"option DigestAuth":   requests.DigestAuth("user", canaryPassword),
		"option BearerAuth":   requests.BearerAuth(canaryToken),
		"option Proxy":        requests.Proxy("all", "http://proxyuser:"+canaryProxy+"@proxy.test:8080"),
		"option Form":         requests.Form("password", canaryBody),
		"option JSON":         requests.JSON(map[string]string{"password": canaryBody}),
		"option BodyText":     requests.BodyText(canaryBody),
		"option Param":        requests.Param("key", canaryQuery),
		"option Without":      requests.Without(requests.Header("Authorization", canaryToken)),
		"option Settings":     requests.Option(settings),
		"slice of requests":   []*requests.Request{request},
		"slice of values":     []requests.Settings{settings},
		"history":             []*requests.Response{resp},
		"map":                 map[string]requests.Headers{"h": headers},
		"struct with request": struct{ R requests.Request }{*request},
		"struct with auth":    struct{ A *requests.Basic }{basic},
	}
}

// everyVerb are the formats of all letters, those that package fmt does not know
// included, each with the flags that change what is shown. %p and %w ask no
// value how it is to be printed; go vet finds them where they do not belong.
func everyVerb() []string {
	var formats []string
	flagSets := []string{"", "+#", "+", "#", " ", "-4", "04", "80.70"}
	if testserver.RaceDetector() {
		flagSets = flagSets[:2] // one goroutine formats them all
	}
	for verb := 'A'; verb <= 'z'; verb++ {
		if verb > 'Z' && verb < 'a' || verb == 'p' || verb == 'w' {
			continue
		}
		for _, flags := range flagSets {
			formats = append(formats, "%"+flags+string(verb))
		}
	}
	return formats
}

// What holds a secret says itself how it is printed: without a [fmt.Formatter]
// the verbs that are not for texts show its fields.
func TestSecretsHaveFormats(t *testing.T) {
	var without []string
	for _, v := range secretValues(t) {
		at := reflect.TypeOf(v)
		elem := at
		if at.Kind() == reflect.Pointer {
			elem = at.Elem()
		}
		if _, ok := v.(fmt.Formatter); !ok && strings.HasSuffix(elem.PkgPath(), "/requests") && !slices.Contains(without, at.String()) {
			without = append(without, at.String())
		}
	}
	slices.Sort(without)
	assert.Equal(t, []string{
		"*requests.funcOption", // functions
		"requests.Error",       // a copy
		"requests.Part",        // its Payload has
		"requests.withoutOption",
	}, without)
}

// A text has the width and the quotes that it is asked for.
func TestSecretsAsText(t *testing.T) {
	basic := requests.Basic{Username: "user", Password: canaryPassword}
	for format, want := range map[string]string{
		"%v": "Basic auth", "%+v": "Basic auth", "%#v": "Basic auth", "%s": "Basic auth", "%d": "Basic auth", "%x": "Basic auth",
		"%q": `"Basic auth"`, "%12s": "  Basic auth", "%-12v|": "Basic auth  |", "%.5s": "Basic",
	} {
		assert.Equal(t, want, fmt.Sprintf(format, basic), format)
	}
	assert.Equal(t, "<nil> <nil> <nil>", fmt.Sprintf("%v %d %s", (*requests.Response)(nil), (*requests.Error)(nil), (*requests.HTTPError)(nil)))
	wrapped := fmt.Errorf("a: %w", &requests.HTTPError{})
	assert.ErrorIs(t, wrapped, requests.ErrHTTP)
}

// Values that hold secrets do not show them, however they are printed.
func TestSecretsOfValues(t *testing.T) {
	for name, v := range secretValues(t) {
		t.Run(name, func(t *testing.T) {
			for _, format := range everyVerb() {
				noCanary(t, format, fmt.Sprintf(format, v))
			}
			noCanary(t, "Sprint", fmt.Sprint(v))
			noCanary(t, "Sprintln of a slice", fmt.Sprintln([]any{v}))
			noCanary(t, "a struct around it", fmt.Sprintf("%+v", struct{ V any }{v}))
			if s, ok := v.(fmt.Stringer); ok {
				noCanary(t, "String", s.String())
			}
			if s, ok := v.(fmt.GoStringer); ok {
				noCanary(t, "GoString", s.GoString())
			}
			var log bytes.Buffer
			slog.New(slog.NewTextHandler(&log, nil)).Info("record", "value", v)
			noCanary(t, "log record as text", log.String())
		})
	}
}

// Log records as JSON show what a value's exported fields are. Those that
// hold secrets say themselves how they are logged.
func TestSecretsOfJSONLogs(t *testing.T) {
	for name, v := range secretValues(t) {
		switch name {
		case "slice of requests", "slice of values", "history", "map", "struct with request", "struct with auth", "Error value":
			continue // structs, maps and slices of the caller's are encoding/json's
		}
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			slog.New(slog.NewJSONHandler(&log, nil)).Info("record", "value", v)
			noCanary(t, "log record as JSON", log.String())
			assert.True(t, json.Valid(log.Bytes()))
		})
	}
}

// errorTexts are all texts of an error and of what it wraps.
func errorTexts(err error) []string {
	if err == nil {
		return nil
	}
	texts := []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err), fmt.Sprintf("%v", err), fmt.Sprintf("%q", err)}
	switch u := err.(type) { //nolint:errorlint // it walks the chain itself
	case interface{ Unwrap() error }:
		texts = append(texts, errorTexts(u.Unwrap())...)
	case interface{ Unwrap() []error }:
		for _, e := range u.Unwrap() {
			texts = append(texts, errorTexts(e)...)
		}
	}
	return texts
}

// secretFailures are calls that fail, with secrets in all that they are given.
func secretFailures(t *testing.T) map[string]func(*requests.Session) error {
	t.Helper()
	get := func(url string, opts ...requests.Option) func(*requests.Session) error {
		return func(s *requests.Session) error {
			_, err := s.Get(t.Context(), url, opts...)
			return err
		}
	}
	secretly := func(addr string) string {
		return "http://user:" + canaryPassword + "@" + addr + "/p?token=" + canaryQuery
	}
	served := func(a testserver.Answer) string { return secretly(testserver.NewFaults(t, a).Addr()) }
	proxied := func(scheme, addr string) requests.Option {
		return requests.Proxy("all", scheme+"://proxyuser:"+canaryProxy+"@"+addr)
	}
	bundle := filepath.Join(t.TempDir(), "bundle.pem")
	require.NoError(t, os.WriteFile(bundle, []byte("-----BEGIN PRIVATE KEY-----\n"+canaryToken+"\n-----END PRIVATE KEY-----\n"), 0o600))
	loop := []string{"Location: http://user:" + canaryPassword + "@127.0.0.1:1/p?token=" + canaryQuery}
	return map[string]func(*requests.Session) error{
		"refused":                get(secretly(closedPort(t))),
		"reset":                  get(served(testserver.Answer{OnResponse: testserver.Reset})),
		"body cut":               get(served(testserver.Answer{Body: hundred, OnBody: testserver.Shut, BodyAt: 5})),
		"junk that echoes":       get(served(testserver.Answer{Raw: "junk\r\n\r\n", OnEnd: testserver.Shut})),
		"bad coding":             get(served(coded([]byte(canaryBody), "gzip"))),
		"redirect that fails":    get(served(testserver.Answer{Status: 302, Header: loop})),
		"too many redirects":     get(served(testserver.Answer{Status: 302, Header: loop}), requests.MaxRedirects(0)),
		"no scheme":              get("user:" + canaryPassword + "@a.test/?token=" + canaryQuery),
		"unknown scheme":         get("foo://user:" + canaryPassword + "@a.test/?token=" + canaryQuery),
		"bad host":               get("http://user:" + canaryPassword + "@a b.test/?token=" + canaryQuery),
		"bad port":               get("http://user:" + canaryPassword + "@a.test:99999/?token=" + canaryQuery),
		"bad escape":             get("http://user:" + canaryPassword + "@[::1/?token=" + canaryQuery),
		"control in the URL":     get("http://user:" + canaryPassword + "\x00@/?token=" + canaryQuery),
		"header value":           get("http://a.test/", requests.Header("X-Key", canaryToken+"\r\nX: y")),
		"header bytes":           get("http://a.test/", requests.HeaderBytes("X-Key", []byte(canaryToken+"\n"))),
		"header of two":          get("http://a.test/", requests.Header("Host", canaryToken+" x")),
		"cookie value":           get("http://a.test/", requests.Cookie("sid", canaryCookie+"\r\n;")),
		"cookie name":            get("http://a.test/", requests.Cookie("si;d", canaryCookie)),
		"user with a colon":      get("http://a.test/", requests.BasicAuth("us:er", canaryPassword)),
		"bearer with a newline":  get("http://a.test/", requests.BearerAuth(canaryToken+"\n")),
		"password with newlines": get("http://a.test/", requests.DigestAuth("user\n", canaryPassword+"\n")),
		"proxy scheme":           get("http://a.test/", proxied("foo", "a.test")),
		"proxy port":             get("http://a.test/", proxied("http", "a.test:99999")),
		"proxy host":             get("http://a.test/", proxied("http", "a b.test")),
		"proxy without host":     get("http://a.test/", proxied("http", "")),
		"proxy bracket":          get("http://a.test/", proxied("http", "[::1")),
		"proxy refused":          get("http://a.test/", proxied("http", closedPort(t))),
		"tunnel refused":         get("https://user:"+canaryPassword+"@a.test/?token="+canaryQuery, proxied("http", testserver.NewFaults(t, testserver.Answer{Status: 407}).Addr())),
		"tunnel broken":          get("https://a.test/", proxied("http", testserver.NewFaults(t, testserver.Answer{Raw: "junk\r\n\r\n", OnEnd: testserver.Shut}).Addr())),
		"SOCKS wrong password":   get("http://a.test/", proxied("socks5h", (&testserver.SOCKSProxy{User: "proxyuser", Pass: "other"}).Start(t).Addr())),
		"SOCKS long password":    get("http://a.test/", requests.Proxy("all", "socks5h://u:"+strings.Repeat(canaryProxy, 50)+"@127.0.0.1:1")),
		"no JSON":                get("http://a.test/", requests.JSON(map[string]any{"password": canaryBody, "x": func() {}})),
		"body is no JSON": func(s *requests.Session) error {
			r, err := s.Get(t.Context(), served(testserver.Answer{Body: []byte(`"` + canaryBody)}))
			require.NoError(t, err)
			return r.JSON(new(any))
		},
		"status": func(s *requests.Session) error {
			r, err := s.Get(t.Context(), served(testserver.Answer{Status: 404}))
			require.NoError(t, err)
			return r.RaiseForStatus()
		},
		"bundle": get("https://127.0.0.1:1/?token="+canaryQuery, requests.CABundle(bundle)),
		"adapter": func(s *requests.Session) error {
			_, err := s.Adapter("foo://user:" + canaryPassword + "@a.test")
			return err
		},
		"jar": func(s *requests.Session) error {
			return s.Cookies.Set(&http.Cookie{Name: "a", Value: canaryCookie + "\r\n", Path: "/"})
		},
		"body of two kinds": get("http://a.test/", requests.BodyText(canaryBody), requests.Form("password", canaryBody)),
		"upload that fails": func(s *requests.Session) error {
			_, err := s.Post(t.Context(), served(testserver.Answer{OnUpload: testserver.Reset, UploadAt: 3}), requests.BodyText(canaryBody))
			return err
		},
	}
}

// quotesURL are the errors whose text quotes the URL that the caller gave,
// its query included, as it does in Requests. Its userinfo is hidden there too.
var quotesURL = map[string]bool{
	"status": true, "no scheme": true, "unknown scheme": true, "bad host": true, "bad port": true, "bad escape": true,
	"control in the URL": true, "adapter": true,
}

// Errors say what failed and show no secret, at no depth.
func TestSecretsOfErrors(t *testing.T) {
	for name, call := range secretFailures(t) {
		t.Run(name, func(t *testing.T) {
			s := newFaultSession(nil, requests.Header("X-Api-Key", canaryToken), requests.Cookie("sid", canaryCookie))
			defer s.Close()
			err := call(s)
			require.Error(t, err)
			hide := func(text string) string { return text }
			if quotesURL[name] {
				hide = func(text string) string { return strings.ReplaceAll(text, canaryQuery, "") }
			}
			for _, text := range errorTexts(err) {
				noCanary(t, "the error", hide(text))
			}
			var log bytes.Buffer
			slog.New(slog.NewJSONHandler(&log, nil)).Error("failed", "err", err)
			noCanary(t, "log record", hide(log.String()))
		})
	}
}

// What a peer's head or trailer broke is named, and the bytes that broke it
// are not: a line that lost its colon may be a cookie.
func TestSecretsOfHeads(t *testing.T) {
	const secret = canaryCookie
	tests := []struct {
		name, raw string
		want      string // in the text
		protocol  bool   // whether the cause is a textproto.ProtocolError
	}{
		{"no status line", secret + "\r\n\r\n", "malformed HTTP response", false},
		{"status", "HTTP/1.1 " + secret + "\r\n\r\n", "malformed HTTP status code", false},
		{"short status", "HTTP/1.1 2 " + secret + "\r\n\r\n", "malformed HTTP status code", false},
		{"version", "HTTP/" + secret + " 200 OK\r\n\r\n", "malformed HTTP version", false},
		{"initial line", raw(" session="+secret, "", ""), "malformed MIME header initial line", true},
		{"no colon", raw("Set-Cookie session="+secret, "", ""), "malformed MIME header: missing colon", true},
		{"no colon, quoted", raw(`Set-Cookie session="\`+secret+`"; "`+secret, "", ""), "malformed MIME header: missing colon", true},
		{"no colon before others", raw("Set-Cookie session="+secret, "Content-Length: 0", "", ""), "malformed MIME header: missing colon", true},
		{"late colon", raw("Set-Cookie session="+secret+"; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "", ""), "malformed MIME header line", true},
		{"late colon after a word", raw("Set-Cookie "+secret+": x", "Content-Length: 0", "", ""), "header name that is no token", false},
		{"no name", raw(": "+secret, "", ""), "malformed MIME header line", true},
		{"control in a name", raw("Set-Cookie\x01"+secret+": x", "", ""), "malformed MIME header line", true},
		{"length", raw("Content-Length: "+secret, "", ""), "bad Content-Length", false},
		{"lengths", raw("Content-Length: 1", "Content-Length: "+secret, "", ""), "Content-Length", false},
		{"coding", raw("Transfer-Encoding: "+secret, "", ""), "unsupported transfer encoding", false},
		{"codings", raw("Transfer-Encoding: chunked", "Transfer-Encoding: "+secret, "", ""), "too many transfer encodings", false},
		{"named trailer", raw("Transfer-Encoding: chunked", "Trailer: Content-Length, "+secret, "", ""), "bad trailer key", false},
		{"trailer", raw("Transfer-Encoding: chunked", "", "1", "x", "0", "Set-Cookie session="+secret, "", ""), "malformed MIME header: missing colon", true},
		{"chunk size", raw("Transfer-Encoding: chunked", "", secret, "x", "0", "", ""), "", false},
		{"interim", "HTTP/1.1 103 Early Hints\r\nLink " + secret + "\r\n\r\n", "malformed MIME header: missing colon", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newFaultSession(nil)
			defer s.Close()
			srv := testserver.NewFaults(t, testserver.Answer{Raw: tt.raw, OnEnd: testserver.Shut})
			_, err := s.Get(t.Context(), srv.URL()+"/")
			require.ErrorIs(t, err, requests.ErrRequest)
			assert.ErrorContains(t, err, tt.want)
			for _, text := range errorTexts(err) {
				noCanary(t, "the error", text)
			}
			_, is := errors.AsType[textproto.ProtocolError](err)
			assert.Equal(t, tt.protocol, is, "the cause: %v", err)
		})
	}
}

// origins is two origins and two proxies, by name, in memory.
type origins struct {
	*requests.Session
	servers map[string]*testserver.Faults
}

func newOrigins(t *testing.T, opts ...requests.Option) *origins {
	t.Helper()
	w := &origins{servers: map[string]*testserver.Faults{}}
	ca := testserver.NewCA(t)
	_, _, config := authority(t)
	config.Certificates[0] = ca.Leaf("a.test", "b.test")
	for _, addr := range []string{"a.test:80", "b.test:80", "proxy.test:8080"} {
		w.servers[addr] = testserver.NewFaultsPipe(t, nil)
	}
	w.servers["a.test:443"] = testserver.NewFaultsPipe(t, config)
	w.servers["b.test:443"] = testserver.NewFaultsPipe(t, config)
	opts = append(opts, requests.Settings{Verify: requests.TLSVerify{Roots: ca.Pool()}})
	w.Session = newFaultSession(func(a *requests.HTTPAdapter) {
		a.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			srv := w.servers[addr]
			if srv == nil {
				return nil, &net.DNSError{Err: "no such host", Name: addr, IsNotFound: true}
			}
			return srv.Dial(ctx, network, addr)
		}
	}, opts...)
	t.Cleanup(func() { w.Close() })
	return w
}

// heads are the heads that arrived at a server.
func (w *origins) heads(addr string) string {
	var b strings.Builder
	for _, a := range w.servers[addr].Ledger() {
		b.WriteString(a.Head)
	}
	return b.String()
}

// Credentials for one origin reach no other, wherever a redirect leads.
func TestSecretsOfRedirects(t *testing.T) {
	auths := map[string][]requests.Option{
		"header":       {requests.Header("Authorization", "Bearer "+canaryToken)},
		"lower case":   {requests.Header("authorization", "Bearer "+canaryToken)},
		"basic":        {requests.BasicAuth("user", canaryPassword)},
		"bearer":       {requests.BearerAuth(canaryToken)},
		"cookie":       {requests.Cookie("sid", canaryCookie)},
		"raw cookie":   {requests.Header("Cookie", "sid="+canaryCookie)},
		"proxy header": {requests.Header("Proxy-Authorization", "Basic "+canaryProxy)},
	}
	steps := []struct{ name, from, to string }{
		{"another host", "http://a.test/", "http://b.test/"},
		{"http to https, another host", "http://a.test/", "https://b.test/"},
		{"https to http", "https://a.test/", "http://a.test/"},
		{"https to another host", "https://a.test/", "https://b.test/"},
	}
	address := func(url string) string {
		scheme, rest, _ := strings.Cut(url, "://")
		return strings.TrimSuffix(rest, "/") + map[string]string{"http": ":80", "https": ":443"}[scheme]
	}
	for name, opts := range auths {
		for _, step := range steps {
			if strings.HasSuffix(name, "cookie") && step.name == "https to http" && name == "cookie" {
				continue // a cookie's host is the same; it is not Secure
			}
			for _, status := range []int{302, 307} {
				t.Run(fmt.Sprintf("%s, %s, %d", name, step.name, status), func(t *testing.T) {
					w := newOrigins(t)
					w.servers[address(step.from)].Enqueue(testserver.Answer{Status: status, Header: []string{"Location: " + step.to + "x"}})
					r, err := w.Get(t.Context(), step.from, opts...)
					require.NoError(t, err)
					require.Equal(t, 200, r.StatusCode)
					if !strings.HasPrefix(name, "proxy") || strings.HasPrefix(step.from, "http://") {
						assert.NotEmpty(t, findCanary(w.heads(address(step.from))), "the first origin is given its secret")
					}
					heads := w.heads(address(step.to))
					require.NotEmpty(t, heads)
					noCanary(t, "the second origin's request", heads)
				})
			}
		}
	}
}

// A userinfo of one URL is for its origin, and a Referer is never sent.
func TestSecretsOfURLs(t *testing.T) {
	w := newOrigins(t)
	w.servers["a.test:80"].Enqueue(testserver.Answer{Status: 302, Header: []string{"Location: http://b.test/"}})
	_, err := w.Get(t.Context(), "http://user:"+canaryPassword+"@a.test/?token="+canaryQuery+"#"+canaryQuery)
	require.NoError(t, err)
	assert.Contains(t, w.heads("a.test:80"), base64.StdEncoding.EncodeToString([]byte("user:"+canaryPassword)))
	noCanary(t, "the second origin's request", w.heads("b.test:80"))
	assert.NotContains(t, w.heads("b.test:80"), "Referer")
}

// A cookie of a session goes to the host that set it.
func TestSecretsOfCookies(t *testing.T) {
	w := newOrigins(t)
	w.servers["a.test:80"].Enqueue(testserver.Answer{Header: []string{"Set-Cookie: sid=" + canaryCookie}})
	_, err := w.Get(t.Context(), "http://a.test/")
	require.NoError(t, err)
	_, err = w.Get(t.Context(), "http://b.test/")
	require.NoError(t, err)
	noCanary(t, "another host's request", w.heads("b.test:80"))
	_, err = w.Get(t.Context(), "http://a.test/")
	require.NoError(t, err)
	assert.Contains(t, w.heads("a.test:80"), canaryCookie)
}

// What is for a proxy reaches the proxy alone, and what is for an origin
// behind a tunnel does not reach the proxy.
func TestSecretsOfProxies(t *testing.T) {
	proxy := requests.Proxy("all", "http://proxyuser:"+canaryProxy+"@proxy.test:8080")
	inBase64 := base64.StdEncoding.EncodeToString([]byte("proxyuser:" + canaryProxy))

	t.Run("tunnel", func(t *testing.T) {
		w := newOrigins(t)
		w.servers["proxy.test:8080"].Enqueue(testserver.Answer{Status: 403})
		_, err := w.Get(t.Context(), "https://a.test/?token="+canaryQuery, proxy,
			requests.BasicAuth("user", canaryPassword), requests.Cookie("sid", canaryCookie), requests.Header("X-Api-Key", canaryToken))
		require.ErrorIs(t, err, requests.ErrProxy)
		head := w.heads("proxy.test:8080")
		assert.Contains(t, head, inBase64)
		noCanary(t, "the line to the proxy", strings.ReplaceAll(head, inBase64, ""))
	})
	t.Run("through a tunnel", func(t *testing.T) {
		tunnel := (&testserver.HTTPProxy{User: "proxyuser", Pass: canaryProxy}).Start(t)
		_, trust, config := authority(t)
		origin := testserver.NewFaultsTLS(t, config)
		s := newFaultSession(nil, trust)
		defer s.Close()
		_, err := s.Get(t.Context(), origin.URL()+"/", requests.Proxy("all", strings.Replace(tunnel.URL(), "://", "://proxyuser:"+canaryProxy+"@", 1)),
			requests.Header("Proxy-Authorization", "Basic "+canaryProxy))
		require.NoError(t, err)
		noCanary(t, "the origin's request", origin.Ledger()[0].Head)
	})
	t.Run("forward", func(t *testing.T) {
		w := newOrigins(t)
		_, err := w.Get(t.Context(), "http://a.test/", proxy)
		require.NoError(t, err)
		assert.Contains(t, w.heads("proxy.test:8080"), inBase64)
	})
	t.Run("redirect away from the proxy", func(t *testing.T) {
		w := newOrigins(t)
		w.servers["proxy.test:8080"].Enqueue(testserver.Answer{Status: 302, Header: []string{"Location: https://b.test/"}})
		_, err := w.Get(t.Context(), "http://a.test/", requests.Proxy("http", "http://proxyuser:"+canaryProxy+"@proxy.test:8080"))
		require.NoError(t, err)
		noCanary(t, "the origin's request", w.heads("b.test:443"))
	})
	t.Run("no proxy for the host", func(t *testing.T) {
		w := newOrigins(t)
		_, err := w.Get(t.Context(), "http://a.test/", proxy, requests.Proxy("http://a.test", ""))
		require.NoError(t, err)
		noCanary(t, "the origin's request", w.heads("a.test:80"))
	})
}
