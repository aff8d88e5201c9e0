package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/seed-9ea40bd3/requests"
)

// maxTries is how often a request is sent at most.
const maxTries = 25

// connections is how many idle ones both clients keep.
const connections = 256

// getter sends a GET and returns the body, having tried as often as it takes.
type getter func(ctx context.Context, url string) ([]byte, error)

// newSession is the library as a user would set it up, with a policy.
func newSession(a *requests.HTTPAdapter) *requests.Session {
	s := requests.NewSession()
	s.IgnoreEnv = true
	s.Mount("http://", a)
	s.Mount("https://", a)
	return s
}

// ours sends by the library. Its own policy repeats what failed before the
// response; a body that breaks off is never repeated by it, but reported with
// the response, and it is the caller who asks again.
func ours(s *requests.Session) getter {
	return func(ctx context.Context, url string) ([]byte, error) {
		var err error
		for range maxTries {
			var r *requests.Response
			if r, err = s.Get(ctx, url); err == nil {
				return r.Content(), nil
			}
			var e *requests.Error
			if !errors.As(err, &e) || e.Response == nil {
				return nil, err
			}
		}
		return nil, err
	}
}

// newBare is net/http with a pool of the same size.
func newBare() *http.Client {
	return &http.Client{Transport: &http.Transport{
		MaxIdleConns: 2 * connections, MaxIdleConnsPerHost: connections, IdleConnTimeout: 90 * time.Second,
	}}
}

// bare sends by net/http in a loop that repeats whatever failed.
func bare(c *http.Client) getter {
	once := func(ctx context.Context, url string) ([]byte, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		resp, err := c.Do(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		return io.ReadAll(resp.Body)
	}
	return func(ctx context.Context, url string) (body []byte, err error) {
		for range maxTries {
			if body, err = once(ctx, url); err == nil {
				return body, nil
			}
		}
		return nil, err
	}
}
