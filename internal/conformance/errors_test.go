package conformance

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seed-9ea40bd3/requests"
)

// kind is a kind of error by the reference's name.
type kind struct {
	name string
	err  error
}

// kinds returns the kinds of errors, the more specific ones before those that
// they are also of. The first three have no like in the reference.
func kinds() []kind {
	return []kind{
		{"InvalidOption", requests.ErrInvalidOption},
		{"TooLarge", requests.ErrTooLarge},
		{"ForbiddenAddress", requests.ErrForbiddenAddress},
		{"JSONDecodeError", requests.ErrJSONDecode},
		{"InvalidJSONError", requests.ErrInvalidJSON},
		{"HTTPError", requests.ErrHTTP},
		{"ProxyError", requests.ErrProxy},
		{"SSLError", requests.ErrSSL},
		{"ConnectTimeout", requests.ErrConnectTimeout},
		{"ReadTimeout", requests.ErrReadTimeout},
		{"ChunkedEncodingError", requests.ErrChunkedEncoding},
		{"Timeout", requests.ErrTimeout},
		{"ConnectionError", requests.ErrConnection},
		{"URLRequired", requests.ErrURLRequired},
		{"TooManyRedirects", requests.ErrTooManyRedirects},
		{"MissingSchema", requests.ErrMissingSchema},
		{"InvalidSchema", requests.ErrInvalidSchema},
		{"InvalidProxyURL", requests.ErrInvalidProxyURL},
		{"InvalidURL", requests.ErrInvalidURL},
		{"InvalidHeader", requests.ErrInvalidHeader},
		{"ContentDecodingError", requests.ErrContentDecoding},
		{"StreamConsumedError", requests.ErrStreamConsumed},
		{"RetryError", requests.ErrRetry},
		{"UnrewindableBodyError", requests.ErrUnrewindableBody},
		{"RequestException", requests.ErrRequest},
	}
}

// errorTree is an error: the most specific kind that it is of, and all others.
// What it says is kept for the reader, under a key that is not compared.
func errorTree(err error) map[string]any {
	var names []string
	for _, k := range kinds() {
		if errors.Is(err, k.err) {
			names = append(names, k.name)
		}
	}
	if len(names) == 0 {
		return map[string]any{"error": "other", "class": fmt.Sprintf("%T", err), "says": err.Error()}
	}
	slices.Sort(names[1:])
	bases := []any{}
	for _, name := range names[1:] {
		bases = append(bases, name)
	}
	return map[string]any{"error": names[0], "bases": bases, "says": err.Error()}
}

// errorOutcome is the error of a call, with the response that it carries.
func errorOutcome(err error) any {
	tree := errorTree(err)
	var own *requests.Error
	var status *requests.HTTPError
	var r *requests.Response
	switch {
	case errors.As(err, &own):
		r = own.Response
	case errors.As(err, &status):
		r = status.Response
	}
	if r != nil {
		tree["response"] = statusTree(r)
	}
	return tree
}
