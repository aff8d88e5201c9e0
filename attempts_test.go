package requests

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests/internal/tunnel"
	"github.com/seed-9ea40bd3/requests/internal/uri"
)

// What a failure counts as, for the policy of retries.
func TestFailureClass(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want failureClass
	}{
		{"none of ours", errBoom, failFinal},
		{"cancelled", &Error{kind: ErrRequest, Err: context.Canceled}, failFinal},
		{"deadline", &Error{kind: ErrTimeout, Err: context.DeadlineExceeded}, failFinal},
		{"forbidden", &Error{kind: ErrForbiddenAddress, dialled: true}, failFinal},
		{"bad URL", &Error{kind: ErrInvalidURL, dialled: true}, failFinal},
		{"bad proxy URL", &Error{kind: ErrInvalidProxyURL, dialled: true}, failFinal},
		{"bad header", &Error{kind: ErrInvalidHeader}, failFinal},
		{"body gone", &Error{kind: ErrUnrewindableBody}, failFinal},
		{"refused", &Error{kind: ErrConnection, dialled: true}, failConnect},
		{"connect timeout", &Error{kind: ErrConnectTimeout, dialled: true}, failConnect},
		{"proxy down", &Error{kind: ErrProxy, dialled: true}, failConnect},
		{"proxy refuses", &Error{kind: ErrProxy, dialled: true, Err: &ProxyRefusedError{}}, failOther},
		{"proxy breaks off", &Error{kind: ErrProxy, dialled: true, tunnel: true}, failOther},
		{"proxy is silent", &Error{kind: ErrConnectTimeout, extra: ErrProxy, dialled: true, tunnel: true}, failOther},
		{"TLS", &Error{kind: ErrSSL, dialled: true}, failOther},
		{"TLS later", &Error{kind: ErrSSL}, failOther},
		{"reset", &Error{kind: ErrConnection}, failRead},
		{"silence", &Error{kind: ErrReadTimeout}, failRead},
		{"another", &Error{kind: ErrTooLarge}, failFinal},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, failureClassOf(tt.err), tt.name)
	}
}

// statusServer answers by a list of heads, the last one for ever.
func statusServer(answers ...string) func(c net.Conn, r *bufio.Reader) {
	n := 0
	return func(c net.Conn, r *bufio.Reader) {
		for readHead(r) != "" {
			answer := answers[min(n, len(answers)-1)]
			n++
			if answer == "" {
				return
			}
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
		}
	}
}

// Waits between tries, exactly; and what the response tells of them.
func TestRetryWaitsBetweenTries(t *testing.T) {
	const busy = "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"
	const later = "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"
	const bad = "HTTP/1.1 503 Busy\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n"
	tests := []struct {
		name    string
		retry   *Retry
		answers []string
		took    time.Duration
		tries   int // before the last
		kind    error
	}{
		{"none needed", &Retry{Total: 3, StatusForcelist: []int{503}}, []string{okBody}, 0, 0, nil},
		{
			"backoff", &Retry{Total: 3, StatusForcelist: []int{503}, BackoffFactor: time.Second},
			[]string{busy, busy, busy, okBody},
			(0 + 2 + 4) * time.Second, 3, nil,
		},
		{"Retry-After", &Retry{Total: 3}, []string{later, later, okBody}, 14 * time.Second, 2, nil},
		{"used up", &Retry{Total: 1, StatusForcelist: []int{503}}, []string{busy}, 0, 1, ErrRetry},
		{"bad Retry-After", &Retry{Total: 1}, []string{bad}, 0, 1, ErrInvalidHeader},
		{"dropped", &Retry{Total: 2}, []string{"", "", okBody}, 0, 2, nil},
		{"dropped for ever", &Retry{Total: 2}, []string{""}, 0, 2, ErrConnection},
		{"senseless", &Retry{Total: -1}, []string{okBody}, 0, 0, ErrInvalidOption},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := pipeSetup(&HTTPAdapter{MaxRetries: tt.retry}, statusServer(tt.answers...))
				defer s.Close()
				begin := time.Now()
				r, err := s.Get(t.Context(), "http://a.test/?secret=1")
				assert.Equal(t, tt.took, time.Since(begin))
				if tt.kind != nil {
					require.ErrorIs(t, err, tt.kind)
					attempts := asError(t, err).Attempts()
					assert.Len(t, attempts, tt.tries)
					assert.NotContains(t, fmt.Sprint(attempts), "secret")
					return
				}
				require.NoError(t, err)
				assert.Equal(t, "body", r.Text())
				require.Len(t, r.Attempts(), tt.tries)
				for _, a := range r.Attempts() {
					assert.Equal(t, "http://a.test/", a.URL)
					assert.Equal(t, "GET", a.Method)
					assert.True(t, (a.Err != nil) != (a.StatusCode != 0))
				}
			})
		})
	}
}

// The error of a policy that statuses used up holds the last response.
func TestRetryErrorHoldsResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dials := pipeSetup(&HTTPAdapter{MaxRetries: &Retry{Total: 2, StatusForcelist: []int{500}}},
			statusServer("HTTP/1.1 500 E\r\nContent-Length: 4\r\n\r\nlast"))
		defer s.Close()
		_, err := s.Get(t.Context(), "http://a.test/")
		require.ErrorIs(t, err, ErrRetry)
		e := asError(t, err)
		require.NotNil(t, e.Response)
		assert.Equal(t, 500, e.Response.StatusCode)
		assert.Equal(t, "last", e.Response.Text())
		assert.True(t, e.MaybeSent)
		assert.EqualValues(t, 1, dials.Load(), "the refusals' bodies are read, and the connection kept")
	})
}

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.NoError(t, sleep(ctx, 0))
		assert.NoError(t, sleep(ctx, time.Second/2))
		assert.ErrorIs(t, sleep(ctx, time.Hour), ErrTimeout)
		assert.ErrorIs(t, sleep(ctx, 0), context.DeadlineExceeded)
	})
}

// netTimeout is a timeout as package net tells of one.
type netTimeout struct{ error }

func (netTimeout) Timeout() bool   { return true }
func (netTimeout) Temporary() bool { return true }

func TestDialFailure(t *testing.T) {
	late := netTimeout{errBoom}
	tests := []struct {
		stage dialStage
		err   error
		want  []error
		not   []error
	}{
		{stageConnect, syscall.ECONNREFUSED, []error{ErrConnection, syscall.ECONNREFUSED}, []error{ErrProxy, ErrSSL, ErrTimeout}},
		{stageConnect, late, []error{ErrConnectTimeout}, []error{ErrProxy, ErrReadTimeout}},
		{stageProxy, syscall.ECONNREFUSED, []error{ErrProxy}, []error{ErrTimeout}},
		{stageProxy, late, []error{ErrProxy, ErrConnectTimeout}, nil},
		{stageTunnel, &tunnel.RefusedError{StatusCode: 407}, []error{ErrProxy}, []error{ErrTimeout}},
		{stageTunnel, late, []error{ErrProxy, ErrConnectTimeout}, nil},
		{stageTLS, errBoom, []error{ErrSSL}, []error{ErrProxy, ErrTimeout}},
		{stageTLS, late, []error{ErrConnectTimeout}, []error{ErrSSL}},
		{stageProxyTLS, errBoom, []error{ErrSSL, ErrProxy}, []error{ErrTimeout}},
		{stageProxyTLS, context.DeadlineExceeded, []error{ErrConnectTimeout, ErrProxy}, []error{ErrSSL}},
		{stageConnect, &Error{kind: ErrForbiddenAddress}, []error{ErrForbiddenAddress}, []error{ErrProxy}},
	}
	for _, tt := range tests {
		e := dialFailure(&dialError{tt.stage, tt.err})
		for _, want := range append(tt.want, ErrConnection) {
			assert.ErrorIs(t, e, want, "stage %d, %v", tt.stage, tt.err)
		}
		for _, not := range tt.not {
			assert.NotErrorIs(t, e, not, "stage %d, %v", tt.stage, tt.err)
		}
	}
	e := dialFailure(&dialError{stageProxy, &tunnel.RefusedError{StatusCode: 407, Status: "407 Auth", Body: []byte("b")}})
	var refused *ProxyRefusedError
	require.ErrorAs(t, e, &refused)
	assert.Equal(t, 407, refused.StatusCode)
	assert.Equal(t, "b", string(refused.Body))
	d := &dialError{stageTLS, errBoom}
	assert.Equal(t, "boom", d.Error())
	assert.Equal(t, errBoom, d.Unwrap())
}

func TestIsTLS(t *testing.T) {
	for _, err := range []error{
		tls.RecordHeaderError{Msg: "x"},
		tls.AlertError(40),
		&tls.CertificateVerificationError{Err: errBoom},
		x509.UnknownAuthorityError{},
		&net.OpError{Op: "remote error", Err: tls.AlertError(40)},
		&net.OpError{Op: "local error", Err: errBoom},
	} {
		assert.True(t, isTLS(err), "%T", err)
		assert.True(t, isTLS(fmt.Errorf("in: %w", err)), "%T", err)
	}
	for _, err := range []error{errBoom, &net.OpError{Op: "read", Err: syscall.ECONNRESET}, io.EOF} {
		assert.False(t, isTLS(err), "%T", err)
	}
}

func TestContextFailure(t *testing.T) {
	assert.Nil(t, contextFailure(t.Context()))
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errBoom)
	e := contextFailure(ctx)
	assert.ErrorIs(t, e, context.Canceled)
	assert.ErrorIs(t, e, errBoom)
	assert.NotErrorIs(t, e, ErrTimeout)
	ctx, stop := context.WithTimeoutCause(t.Context(), -1, errBoom)
	defer stop()
	e = contextFailure(ctx)
	assert.ErrorIs(t, e, ErrTimeout)
	assert.ErrorIs(t, e, context.DeadlineExceeded)
	assert.ErrorIs(t, e, errBoom)
}

func TestURLError(t *testing.T) {
	assert.ErrorIs(t, urlError(errBoom), ErrInvalidURL)
	assert.ErrorIs(t, urlError(&uri.Error{Kind: uri.MissingSchema}), ErrMissingSchema)
	assert.ErrorIs(t, urlError(&uri.Error{Kind: uri.InvalidProxyURL}), ErrInvalidProxyURL)
	assert.NotErrorIs(t, urlError(&uri.Error{Kind: uri.InvalidURL}), ErrMissingSchema)
}

func TestBodyFailure(t *testing.T) {
	tests := []struct {
		err  error
		want []error
		not  []error
	}{
		{errBoom, []error{ErrChunkedEncoding, errBoom}, []error{ErrConnection, ErrSSL}},
		{io.ErrUnexpectedEOF, []error{ErrChunkedEncoding, ErrConnection}, []error{ErrSSL}},
		{os.NewSyscallError("read", syscall.ECONNRESET), []error{ErrChunkedEncoding, ErrConnection}, nil},
		{tls.AlertError(20), []error{ErrSSL}, []error{ErrChunkedEncoding}},
	}
	for _, tt := range tests {
		trip := &trip{parent: t.Context(), p: new(PreparedRequest)}
		err := trip.bodyFailure(tt.err)
		for _, want := range tt.want {
			assert.ErrorIs(t, err, want, "%v", tt.err)
		}
		for _, not := range tt.not {
			assert.NotErrorIs(t, err, not, "%v", tt.err)
		}
		assert.True(t, asError(t, err).MaybeSent)
	}
}

// MaybeSent is false only where the peer has surely not seen the request.
func TestMaybeSent(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ln.Close()
	s := loopSession(t)
	_, err = s.Get(t.Context(), "http://"+ln.Addr().String())
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	assert.False(t, asError(t, err).MaybeSent)

	url := rawLoop(t, func(_ int, c net.Conn, r *bufio.Reader) { readHead(r) })
	_, err = s.Get(t.Context(), url)
	require.ErrorIs(t, err, ErrConnection)
	assert.True(t, errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET), "%v", err)
	assert.True(t, asError(t, err).MaybeSent)
	assert.False(t, asError(t, err).Reused)
}
