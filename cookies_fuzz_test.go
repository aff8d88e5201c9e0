package requests

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzSetCookie sends lines through a jar. Whatever comes in, the header that
// goes out holds cookies that match the URL, within the limit and without
// control bytes, and an independent matcher agrees on which.
func FuzzSetCookie(f *testing.F) {
	f.Add("a=1; Domain=a.test; Path=/x", "b=2; Secure", "x.a.test", "/x/y", "a.test", "/x", true)
	f.Add("a=1; Max-Age=0", "a=2", "127.0.0.1", "/", "127.0.0.1", "/", false)
	f.Add("a=1\x00", "__Host-a=1; Path=/; Secure", "co.uk", "", "x.co.uk", "//", true)
	f.Add("a=1; Domain=.local; Expires=Thu, 01-Jan-70 00:00:00 GMT", "=", "::1", "/a/b/c", "local", "x", false)
	f.Fuzz(func(t *testing.T, line1, line2, fromHost, fromPath, toHost, toPath string, secure bool) {
		j := newTestJar()
		j.Limits.HeaderBytes = 64
		accepted := j.receive(cookieURL{secure, fromHost, fromPath}, []string{line1, line2}, testNow)
		if len(accepted) != j.Len() {
			t.Fatalf("accepted %d, stored %d", len(accepted), j.Len())
		}
		checkStore(t, &j.store)
		to := cookieURL{secure, toHost, toPath}
		header := string(j.header(nil, nil, to, cookieRules{}))
		if hasCookieControl(header) || len(header) > 64 {
			t.Fatalf("header %q", header)
		}
		var want []string
		for c := range j.All() {
			bare, dotted := strings.CutPrefix(c.Domain, ".")
			below := dotted && strings.HasSuffix("."+toHost, "."+bare) && (toHost == bare || !isCookieAddress(toHost))
			path := cmp.Or(toPath, "/")
			dir := strings.TrimSuffix(c.Path, "/") + "/"
			if (c.Domain == toHost || below) && (path == c.Path || strings.HasPrefix(path, dir)) && (secure || !c.Secure) {
				want = append(want, c.Name+"="+c.Value)
			}
			if dotted && !strings.HasSuffix("."+fromHost, c.Domain) || !dotted && c.Domain != fromHost {
				t.Fatalf("%q from host %q", c.Domain, fromHost)
			}
			if c.Secure && !secure {
				t.Fatal("Secure cookie from http")
			}
		}
		checkSent(t, header, want)
	})
}

// checkSent compares a header with the pairs that match, in any order, where
// none had to be left out.
func checkSent(t *testing.T, header string, want []string) {
	t.Helper()
	all := strings.Join(want, "; ")
	if len(all) > 64 {
		return
	}
	if len(want) == 2 && header == want[1]+"; "+want[0] {
		return
	}
	if header != all {
		t.Fatalf("header %q, want %q", header, want)
	}
}

// The grammar of RFC 6265 5.1.1 once more, as regular expressions.
var (
	slowDateSplit = regexp.MustCompile(`[\x09\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+`)
	slowDateParts = [4]*regexp.Regexp{
		regexp.MustCompile(`(?s)^(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\D.*)?$`),
		regexp.MustCompile(`(?s)^(\d{1,2})(?:\D.*)?$`),
		regexp.MustCompile(`(?si)^(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec).*$`),
		regexp.MustCompile(`(?s)^(\d{2,4})(?:\D.*)?$`),
	}
)

func slowCookieDate(s string) (time.Time, bool) {
	var found [4][]string
	for _, token := range slowDateSplit.Split(s, -1) {
		for i, part := range slowDateParts {
			if found[i] == nil {
				if m := part.FindStringSubmatch(token); m != nil {
					found[i] = m
					break
				}
			}
		}
	}
	for _, m := range found {
		if m == nil {
			return time.Time{}, false
		}
	}
	year, _ := strconv.Atoi(found[3][1])
	if year >= 70 && year <= 99 {
		year += 1900
	} else if year >= 0 && year <= 69 {
		year += 2000
	}
	text := fmt.Sprintf("%04d-%s-%02s %02s:%02s:%02s", year, strings.ToLower(found[2][1]), found[1][1],
		found[0][1], found[0][2], found[0][3])
	t, err := time.Parse("2006-Jan-02 15:04:05", text)
	return t, err == nil && year >= 1601
}

// FuzzCookieDate compares the parser with a slow one, and with what it makes of
// its own result.
func FuzzCookieDate(f *testing.F) {
	for _, s := range []string{
		"Thu, 01 Jan 1970 00:00:00 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
		"15-Sat, Apr 21:01:22 GMT 17", "98 April 17 21:01:22", "31 feb 2020 1:2:3", "1 jan 1601 0:0:0x", "2017\x80 apr 5é 1:1:1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseCookieDate(s)
		want, wantOK := slowCookieDate(s)
		if ok != wantOK || ok && !got.Equal(want) {
			t.Fatalf("%q\n got %v %v\nwant %v %v", s, got, ok, want, wantOK)
		}
		if !ok {
			return
		}
		for _, layout := range []string{time.RFC1123, time.ANSIC, "02-Jan-2006 15:04:05 MST"} {
			again, ok := parseCookieDate(got.Format(layout))
			if !ok || !again.Equal(got) {
				t.Fatalf("%q is %v, and again %v", s, got, again)
			}
		}
	})
}

// FuzzCookieFile reads a file, with what servers and the caller add, writes it
// and reads it back.
func FuzzCookieFile(f *testing.F) {
	f.Add([]byte("# Netscape HTTP Cookie File\na.test\tFALSE\t/\tTRUE\t4102444800\ta\t1\n"), "b=2; Domain=a.test; Max-Age=9", "c", "3")
	f.Add([]byte("#HttpOnly_.a.test\tTRUE\t/\tFALSE\t0\ta\t1\r\n\tFALSE\t/\tFALSE\t\tb\t\t\n"), "d=\x01; HttpOnly", "e\t", "\n")
	f.Add([]byte(" # x\n$x\n.$a.test\tFALSE\t/\tFALSE\t4.1e9\ta\t1\n"), "d=1", "e", "2")
	f.Add([]byte("x"), "a=b\tc; Path=/\t", "#HttpOnly_", "\"\\\"\"")
	f.Fuzz(func(t *testing.T, file []byte, line, name, value string) {
		j := newTestJar()
		_, err := j.ReadFrom(bytes.NewReader(file))
		if err != nil && j.Len() > 0 {
			t.Fatal("an error, and cookies nevertheless")
		}
		give(t, j, "https://x.a.test/d/e", line)
		if err := j.SetValue(name, value); err != nil {
			require.ErrorIs(t, err, ErrBadCookie)
		}
		j.ClearExpired()
		checkStore(t, &j.store)
		var first, second bytes.Buffer
		_, err = j.WriteTo(&first)
		require.NoError(t, err)
		back := newTestJar()
		_, err = back.ReadFrom(bytes.NewReader(first.Bytes()))
		require.NoError(t, err)
		require.Equal(t, dump(j), dump(back))
		_, err = back.WriteTo(&second)
		require.NoError(t, err)
		require.Equal(t, first.String(), second.String())
		require.Equal(t, 1+j.Len(), bytes.Count(first.Bytes(), []byte("\n")))
	})
}
