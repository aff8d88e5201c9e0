package requests

import (
	"context"
	"net/http"

	"github.com/seed-9ea40bd3/requests/internal/coding"
)

const (
	// Version is that of this package.
	Version = "0.1.0"

	acceptEncoding      = coding.Accept
	userAgent           = "go-requests/" + Version
	defaultMaxRedirects = 30
)

// defaultAdapter is shared by the package's verbs, so that they reuse
// connections; they share nothing else.
var defaultAdapter = new(HTTPAdapter)

// CloseIdleConnections closes the connections that the package's verbs have
// kept for reuse.
func CloseIdleConnections() { defaultAdapter.CloseIdleConnections() }

// throwaway is the session of one call of a package's verb.
func throwaway() *Session {
	return &Session{shared: defaultAdapter}
}

// Do sends a request by any method, such as MKCOL, and returns the response,
// whatever its status. Redirects are followed, for HEAD too. The body was
// read whole, and the connection given back, unless [Stream] is among the
// options.
func Do(ctx context.Context, method, url string, opts ...Option) (*Response, error) {
	return throwaway().Do(ctx, method, url, opts...)
}

// Get sends a GET; see [Do].
func Get(ctx context.Context, url string, opts ...Option) (*Response, error) {
	return Do(ctx, http.MethodGet, url, opts...)
}

// Options sends an OPTIONS; see [Do].
func Options(ctx context.Context, url string, opts ...Option) (*Response, error) {
	return Do(ctx, http.MethodOptions, url, opts...)
}

// Head sends a HEAD; see [Do]. Unlike the others it does not follow redirects
// unless told to.
func Head(ctx context.Context, url string, opts ...Option) (*Response, error) {
	return throwaway().Head(ctx, url, opts...)
}

// Post sends a POST; see [Do].
func Post(ctx context.Context, url string, opts ...Option) (*Response, error) {
	return Do(ctx, http.MethodPost, url, opts...)
}

// Put sends a PUT; see [Do].
func Put(ctx context.Context, url string, opts ...Option) (*Response, error) {
	return Do(ctx, http.MethodPut, url, opts...)
}

// Patch sends a PATCH; see [Do].
func Patch(ctx context.Context, url string, opts ...Option) (*Response, error) {
	return Do(ctx, http.MethodPatch, url, opts...)
}

// Delete sends a DELETE; see [Do].
func Delete(ctx context.Context, url string, opts ...Option) (*Response, error) {
	return Do(ctx, http.MethodDelete, url, opts...)
}

// Decode raises for the status and decodes the body's JSON into a T. It takes
// what any verb returns:
//
//	user, err := requests.Decode[User](s.Get(ctx, url))
//
// A status of 400 or more is an [HTTPError], which keeps the response.
func Decode[T any](r *Response, err error) (T, error) {
	var v T
	if err != nil {
		return v, err
	}
	defer r.Close()
	if err := r.RaiseForStatus(); err != nil {
		return v, err
	}
	return v, r.JSON(&v)
}

// GetJSON is [Get] and [Decode].
func GetJSON[T any](ctx context.Context, url string, opts ...Option) (T, error) {
	return Decode[T](Get(ctx, url, opts...))
}

// PostJSON posts v as JSON, and decodes what comes back.
func PostJSON[T any](ctx context.Context, url string, v any, opts ...Option) (T, error) {
	return Decode[T](Post(ctx, url, append([]Option{JSON(v)}, opts...)...))
}

// PutJSON puts v as JSON, and decodes what comes back.
func PutJSON[T any](ctx context.Context, url string, v any, opts ...Option) (T, error) {
	return Decode[T](Put(ctx, url, append([]Option{JSON(v)}, opts...)...))
}

// PatchJSON patches with v as JSON, and decodes what comes back.
func PatchJSON[T any](ctx context.Context, url string, v any, opts ...Option) (T, error) {
	return Decode[T](Patch(ctx, url, append([]Option{JSON(v)}, opts...)...))
}
