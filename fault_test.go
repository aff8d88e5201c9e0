//go:build unix

package requests_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// A faultRow is one fault and what has to come of it. Rows are grouped by id;
// the subtest is named by id and name.
type faultRow struct {
	id   string // of the catalogue of faults: F1 to F100
	name string // what is injected

	answers []testserver.Answer // of the server, in turn
	tls     bool                // the server speaks TLS, and is trusted
	method  string              // empty is GET, or POST with a body
	upload  func() io.Reader    // the request's body
	opts    []requests.Option
	adapter func(*requests.HTTPAdapter) // sets up the session's adapter

	want    want
	reuse   bool                    // the connection may serve again
	repeats bool                    // a POST may come twice
	check   func(*faultRun)         // looks further, before the post-conditions
	run     func(*testing.T)        // stands for all of the above
	skip    func(*testing.T) string // a reason not to run, or nothing
}

// want is the outcome of a request: an answer where kinds and causes are nil.
type want struct {
	kinds   []error // all must match
	causes  []error // all must match
	not     []error // none may match
	text    string  // is in the error
	sent    bool    // MaybeSent
	timeout bool    // the error is a timeout

	sentAny, timeoutAny bool // either will do: it depends on who was first

	status  int    // of the response, or of the error's; zero is 200, or none
	body    string // of the response
	partial string // what was kept of the body
}

// fails reports whether an error is wanted.
func (w *want) fails() bool { return len(w.kinds)+len(w.causes) > 0 }

// faultRun is a row being run.
type faultRun struct {
	*testing.T
	srv     *testserver.Faults
	session *requests.Session
	source  *testserver.Source
	resp    *requests.Response
	err     error
	failure *requests.Error
	took    time.Duration
}

// TestFaults runs the catalogue of faults.
func TestFaults(t *testing.T) {
	for _, rows := range [][]faultRow{
		connectFaults(), headFaults(), framingFaults(), bodyFaults(), keepAliveFaults(), uploadFaults(),
		tlsFaults(), proxyFaults(), http2Faults(), codingFaults(), cancelFaults(),
	} {
		for len(rows) > 0 {
			n := 1
			for n < len(rows) && rows[n].id == rows[0].id {
				n++
			}
			group := rows[:n]
			rows = rows[n:]
			t.Run(group[0].id, func(t *testing.T) {
				for i := range group {
					t.Run(group[i].name, group[i].test)
				}
			})
		}
	}
}

// authority is what the servers of a test are trusted by.
func authority(t *testing.T) (*testserver.CA, requests.Option, *tls.Config) {
	t.Helper()
	ca := testserver.NewCA(t)
	config := &tls.Config{Certificates: []tls.Certificate{ca.Leaf("127.0.0.1", "pipe.test")}}
	return ca, requests.Settings{Verify: requests.TLSVerify{Roots: ca.Pool()}}, config
}

// newFaultSession returns a session with an adapter of its own for both schemes.
func newFaultSession(setup func(*requests.HTTPAdapter), opts ...requests.Option) *requests.Session {
	s := requests.NewSession(opts...)
	s.IgnoreEnv = true
	a := new(requests.HTTPAdapter)
	if setup != nil {
		setup(a)
	}
	s.Mount("http://", a)
	s.Mount("https://", a)
	return s
}

// test runs a row and checks what is left of it.
func (row *faultRow) test(t *testing.T) {
	if row.skip != nil {
		if why := row.skip(t); why != "" {
			t.Skip(why)
		}
	}
	if row.run != nil {
		row.run(t)
		return
	}
	watch := testserver.NewWatch(t)
	run := &faultRun{T: t}
	var defaults []requests.Option
	if row.tls {
		_, trust, config := authority(t)
		defaults = append(defaults, trust)
		run.srv = testserver.NewFaultsTLS(t, config, row.answers...)
	} else {
		run.srv = testserver.NewFaults(t, row.answers...)
	}
	run.session = newFaultSession(row.adapter, defaults...)
	run.send(row)
	run.judge(&row.want)
	if row.check != nil {
		row.check(run)
	}
	after := testserver.Conditions{
		Server: run.srv, Next: run.next, Close: run.session.Close, Body: run.source, Repeats: row.repeats,
	}
	if row.reuse {
		after.Faulty = -1
	}
	watch.Check(after)
}

// send sends the row's request.
func (run *faultRun) send(row *faultRow) {
	method, opts := row.method, row.opts
	if row.upload != nil {
		run.source = testserver.NewSource(row.upload())
		opts = append(slices.Clip(opts), requests.Body(run.source))
		if method == "" {
			method = "POST"
		}
	}
	if method == "" {
		method = "GET"
	}
	start := time.Now()
	run.resp, run.err = run.session.Do(run.Context(), method, run.srv.URL()+"/fault", opts...)
	run.took = time.Since(start)
	errors.As(run.err, &run.failure)
}

// next sends a plain request.
func (run *faultRun) next() error { return plainGet(run.Context(), run.session, run.srv.URL()+"/next") }

// plainGet sends a request that must be answered with the default answer.
func plainGet(ctx context.Context, s *requests.Session, url string) error {
	r, err := s.Get(ctx, url)
	if err != nil {
		return err
	}
	if r.StatusCode != 200 || r.Text() != "ok" {
		return fmt.Errorf("got %d %q", r.StatusCode, clip(r.Text()))
	}
	return nil
}

func clip(s string) string { return s[:min(len(s), 80)] }

// judge compares an outcome with what is wanted.
func (run *faultRun) judge(w *want) {
	run.Helper()
	if !w.fails() {
		require.NoError(run, run.err)
		assert.Equal(run, orStatus(w.status), run.resp.StatusCode, "status")
		if !w.streams() {
			assert.Equal(run, w.body, run.resp.Text(), "body")
		}
		return
	}
	if run.resp != nil {
		run.resp.Close()
	}
	require.Error(run, run.err)
	assert.Nil(run, run.resp, "response beside an error")
	judgeError(run, run.err, w)
}

// streams reports whether the body is left to the row's own check.
func (w *want) streams() bool { return w.body == leaveBody }

// leaveBody is the body of a want whose row looks at the body itself.
const leaveBody = "\x00"

func orStatus(status int) int {
	if status == 0 {
		return 200
	}
	return status
}

// judgeError compares an error with what is wanted.
func judgeError(t testing.TB, err error, w *want) {
	t.Helper()
	var e *requests.Error
	require.ErrorAs(t, err, &e)
	for _, kind := range append(w.kinds, requests.ErrRequest) {
		assert.ErrorIs(t, err, kind, "kind")
	}
	for _, cause := range w.causes {
		assert.ErrorIs(t, err, cause, "cause")
	}
	for _, kind := range w.not {
		assert.NotErrorIs(t, err, kind)
	}
	assert.Contains(t, err.Error(), w.text)
	if !w.sentAny {
		assert.Equal(t, w.sent, e.MaybeSent, "MaybeSent of %v", err)
	}
	if !w.timeoutAny {
		assert.Equal(t, w.timeout, e.Timeout(), "Timeout of %v", err)
	}
	assert.NotEmpty(t, e.Op, "Op of %v", err)
	assert.NotEmpty(t, e.URL, "URL of %v", err)
	assert.LessOrEqual(t, len(err.Error()), 1024, "length of the text")
	assert.Equal(t, printableText(err.Error()), err.Error(), "text is printable")
	if w.status == 0 && w.partial == "" {
		return
	}
	if assert.NotNil(t, e.Response, "response kept in %v", err) {
		assert.Equal(t, orStatus(w.status), e.Response.StatusCode, "status kept")
		assert.Equal(t, w.partial, string(e.Response.Partial()), "body kept")
	}
}

// printableText drops control characters, and those that format a text.
func printableText(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, s)
}

// kinds and causes read as sentences in the rows.
func kinds(errs ...error) []error  { return errs }
func causes(errs ...error) []error { return errs }

// raw is a head of a 200 with these lines, and what follows it.
func raw(lines ...string) string { return "HTTP/1.1 200 OK\r\n" + strings.Join(lines, "\r\n") }

// script is a list of answers.
func script(answers ...testserver.Answer) []testserver.Answer { return answers }

// megabytes is an upload of n MiB.
func megabytes(n int) func() io.Reader {
	return func() io.Reader { return io.LimitReader(endless{}, int64(n)<<20) }
}

// endless gives bytes that never end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte('a' + i%26)
	}
	return len(p), nil
}

// texted is an upload of a text, of known length.
func texted(s string) func() io.Reader {
	return func() io.Reader { return bytes.NewReader([]byte(s)) }
}

// long reports whether the long forms of tests run: those that take minutes.
func long() bool { return os.Getenv("REQUESTS_LONG") != "" && !testing.Short() }

// slow leaves a row to the long tests.
func slow(why string) func(*testing.T) string {
	return func(*testing.T) string {
		if !long() {
			return why + "; set REQUESTS_LONG=1 to run it"
		}
		return ""
	}
}
