//go:build unix

package requests_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"log"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// The whole of it is TestSecretsOf…; this is the row's own: a URL, and what
// goes with it, in every text of a failure.
func TestAdvisory147_SecretsInErrors(t *testing.T) {
	secret := []requests.Option{
		requests.Header("Authorization", "Bearer "+canaryToken), requests.Header("X-Api-Key", canaryToken), requests.Cookie("sid", canaryCookie),
		requests.Param("token", canaryQuery), requests.BodyText(canaryBody),
	}
	for name, answer := range map[string]testserver.Answer{
		"reset": {OnResponse: testserver.Reset}, "end": {OnResponse: testserver.Shut}, "no HTTP": {Raw: "junk\r\n\r\n", OnEnd: testserver.HalfClose},
		"bad chunk":    {Raw: chunked("zz\r\n"), OnEnd: testserver.HalfClose},
		"bad redirect": {Status: 302, Header: []string{"Location: http://user:" + canaryPassword + "@[/?q=" + canaryQuery}},
		"other scheme": {Status: 302, Header: []string{"Location: foo://user:" + canaryPassword + "@b.test/?q=" + canaryQuery}},
		"refused next": {Status: 302, Header: []string{"Location: http://user:" + canaryPassword + "@127.0.0.1:1/?q=" + canaryQuery}},
		"cut":          {Body: hundred, OnBody: testserver.Shut, BodyAt: 5},
	} {
		t.Run(name, func(t *testing.T) {
			srv := testserver.NewFaults(t, answer)
			s := newFaultSession(nil)
			defer s.Close()
			_, err := s.Post(t.Context(), "http://user:"+canaryPassword+"@"+srv.Addr()+"/p?q="+canaryQuery, secret...)
			require.Error(t, err)
			for _, text := range errorTexts(err) {
				noCanary(t, name, text)
			}
			for _, v := range []any{s, err} {
				noCanary(t, name, fmt.Sprintf("%v %+v %#v", v, v, v))
			}
		})
	}
}

func TestAdvisory148_HeaderValuesInErrors(t *testing.T) {
	s := newFaultSession(nil)
	defer s.Close()
	for _, name := range []string{"Authorization", "Cookie", "X-Api-Key", "Proxy-Authorization", "Host"} {
		for _, bad := range []string{"\r\n", "\n", "\x00", " "} {
			_, err := s.Get(t.Context(), "http://127.0.0.1:1/", requests.Header(name, bad+canaryToken))
			require.ErrorIs(t, err, requests.ErrInvalidHeader)
			assert.Contains(t, err.Error(), name)
			noCanary(t, name, strings.Join(errorTexts(err), "\n"))
		}
	}
	_, err := s.Get(t.Context(), "http://127.0.0.1:1/", requests.BearerAuth(canaryToken+"\n"))
	require.ErrorIs(t, err, requests.ErrInvalidHeader)
	noCanary(t, "token", strings.Join(errorTexts(err), "\n"))
}

func TestAdvisory149_NoTemporaryFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"TMPDIR", "TEMP", "TMP"} {
		t.Setenv(name, dir)
	}
	require.Equal(t, dir, os.TempDir())
	w := newWorld(t)
	a := w.at("http://a.test", codedAnswer(make([]byte, 4<<20)), answerOK)
	s := w.session()
	assert.Len(t, get(t, s, "http://a.test/").Content(), 4<<20)
	_, err := s.Post(t.Context(), "http://a.test/", requests.Form("a", "b"), requests.File("f", "n", megabytes(4)()))
	require.NoError(t, err)
	_, err = s.Post(t.Context(), "http://a.test/", requests.Body(megabytes(4)()))
	require.NoError(t, err)
	assert.Len(t, a.seen(), 3)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left)
}

// Of files the package writes one kind alone: a jar's.
func TestAdvisory151_SavedFiles(t *testing.T) {
	dir := t.TempDir()
	outside, link := filepath.Join(dir, "outside"), filepath.Join(dir, "cookies.txt")
	require.NoError(t, os.WriteFile(outside, []byte("precious"), 0o644))
	if err := os.Symlink(outside, link); err != nil {
		t.Skip("no symbolic links here")
	}
	var jar requests.CookieJar
	require.NoError(t, jar.Set(&http.Cookie{Name: "a", Value: "1", Domain: "a.test"}))
	require.NoError(t, jar.Save(link))
	text, err := os.ReadFile(outside)
	require.NoError(t, err)
	assert.Equal(t, "precious", string(text), "the link was followed")
	info, err := os.Lstat(link)
	require.NoError(t, err)
	assert.True(t, info.Mode().IsRegular())
	if os.PathSeparator == '/' {
		assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 2, "something was left")
}

func TestAdvisory152_FailedSave(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "cookies.txt") // a directory, with a file in it: nothing can take its place
	inside := filepath.Join(target, "precious")
	require.NoError(t, os.Mkdir(target, 0o700))
	require.NoError(t, os.WriteFile(inside, nil, 0o600))
	require.NoError(t, os.WriteFile(target+".tmp", nil, 0o600))
	var jar requests.CookieJar
	require.NoError(t, jar.Set(&http.Cookie{Name: "a", Value: "1", Domain: "a.test"}))
	require.Error(t, jar.Save(target))
	assert.FileExists(t, inside)
	assert.FileExists(t, target+".tmp")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 2, "something was left")
}

func TestAdvisory153_LogStorms(t *testing.T) {
	var out bytes.Buffer
	before, flags, logger := log.Writer(), log.Flags(), slog.Default()
	log.SetOutput(&out)
	defer func() {
		slog.SetDefault(logger)
		log.SetOutput(before)
		log.SetFlags(flags)
	}()
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))
	w := newWorld(t)
	var lines []string
	for i := range 4900 {
		lines = append(lines, fmt.Sprintf("__Host-%d=1; Domain=evil.test; Expires=x; Max-Age=y", i))
	}
	a := w.at("http://a.test", cookieAnswer(lines...))
	s := w.session()
	for range 3 {
		assert.Zero(t, get(t, s, "http://a.test/").Cookies().Len())
	}
	assert.Len(t, a.seen(), 3)
	assert.LessOrEqual(t, strings.Count(out.String(), "\n"), 3, "records")
}

func TestAdvisory154_NoTokenHeaders(t *testing.T) {
	w := newWorld(t)
	a := w.at("http://a.test", cookieAnswer("XSRF-TOKEN=1", "csrftoken=2", "_csrf=3"), redirectTo(302, "http://b.test/"))
	b := w.at("http://b.test")
	s := w.session()
	get(t, s, "http://a.test/")
	get(t, s, "http://a.test/")
	for _, head := range append(a.seen(), b.seen()...) {
		lacks(t, []string{head}, "X-XSRF-TOKEN", "X-CSRF-Token", "X-CSRFToken", "Referer", "Origin")
	}
	assert.Len(t, a.seen(), 2)
	assert.Len(t, b.seen(), 1)
	lacks(t, b.seen(), "Cookie")
}
