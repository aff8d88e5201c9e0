package requests

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// httpStateCase is one recorded exchange: a response that sets cookies, and the
// Cookie header that must follow.
type httpStateCase struct {
	Name       string    `json:"name"`
	Enabled    bool      `json:"enabled"`
	Now        time.Time `json:"now"` // where the clock is held
	RequestURL string    `json:"request_url"`
	SetCookie  []string  `json:"set_cookie"`
	SentTo     string    `json:"sent_to"`
	Want       *string   `json:"expected_cookie_header"` // nil: no header
}

// httpStateDate is one date text with its meaning.
type httpStateDate struct {
	Test string  `json:"test"`
	Want *string `json:"expected"` // in the form of RFC 1123; nil: no date
}

const (
	httpStateCases = 218
	httpStateDates = 70
)

// TestHTTPState runs the cookie cases of the IETF's http-state working group.
// They are not part of this repository.
func TestHTTPState(t *testing.T) {
	dir := os.Getenv("REQUESTS_HTTP_STATE")
	if dir == "" {
		dir = filepath.Join("..", "shared", "http-state")
	}
	var cases []httpStateCase
	var dates []httpStateDate
	readHTTPState(t, filepath.Join(dir, "cases.json"), &cases)
	readHTTPState(t, filepath.Join(dir, "dates.json"), &dates)

	passed, live, refused := 0, 0, 0
	for _, c := range cases {
		got, ok := c.run(t)
		switch {
		case c.Enabled:
			live++
			if ok {
				passed++
			} else {
				t.Errorf("%s: %q sent %q, want %q", c.Name, c.SetCookie, got, httpStateText(c.Want))
			}
		case len(c.SetCookie) == 1 && hasCookieControl(c.SetCookie[0]):
			refused++
			if got != "" {
				t.Errorf("%s: %q has a control byte, but sent %q", c.Name, c.SetCookie, got)
			}
		}
	}
	right := 0
	for _, d := range dates {
		if got := d.run(); got == httpStateText(d.Want) {
			right++
		} else {
			t.Errorf("date %q: got %q, want %q", d.Test, got, httpStateText(d.Want))
		}
	}
	if live != httpStateCases || len(dates) != httpStateDates || refused != 2 {
		t.Errorf("the data holds %d live cases, %d dates and %d with control bytes; want %d, %d and 2",
			live, len(dates), refused, httpStateCases, httpStateDates)
	}
	// A line of its own, without the place that t.Log puts before it.
	fmt.Fprintf(os.Stdout, "http-state: %d of %d cases, %d of %d dates\n", passed, httpStateCases, right, httpStateDates)
}

// readHTTPState decodes one file, and skips the test where it is not there.
func readHTTPState(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("SKIPPED: the http-state cases are not at %s; set REQUESTS_HTTP_STATE to their directory: %v", path, err)
	}
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, into))
}

// run plays the case against a new jar and returns the header that it sends.
func (c *httpStateCase) run(t *testing.T) (header string, ok bool) {
	jar := &CookieJar{now: func() time.Time { return c.Now }}
	jar.receive(stateURL(t, c.RequestURL), c.SetCookie, c.Now)
	header = string(jar.header(nil, nil, stateURL(t, c.SentTo), cookieRules{}))
	return header, header == httpStateText(c.Want)
}

func (d *httpStateDate) run() string {
	if got, ok := parseCookieDate(d.Test); ok {
		return got.Format(http.TimeFormat)
	}
	return ""
}

func stateURL(t testing.TB, raw string) cookieURL {
	t.Helper()
	u, err := url.Parse(raw)
	require.NoError(t, err)
	c, ok := cookieURLOf(u)
	require.True(t, ok, raw)
	return c
}

func httpStateText(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
