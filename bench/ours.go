package main

import (
	"context"
	"io"
	"net/url"

	"github.com/seed-9ea40bd3/requests"
)

// newOurs drives this library as its users would: a session with everything
// on that is on by default.
func newOurs(t *target) *peer {
	s := requests.NewSession(requests.Settings{Verify: requests.TLSVerify{Roots: t.roots}})
	u, _ := url.Parse(t.http + "/")
	jarred := requests.NewSession()
	jarred.Cookies.SetCookies(u, richCookies())
	return &peer{
		name: "requests (this)",
		get: func(ctx context.Context, url string) (int, error) {
			r, err := s.Get(ctx, url)
			if err != nil {
				return 0, err
			}
			return len(r.Content()), nil
		},
		rich: func(ctx context.Context, url string) (int, error) {
			r, err := jarred.Get(ctx, url,
				requests.Param("q", "search text"), requests.Param("page", "2"), requests.Param("size", "50"),
				requests.Param("sort", "name"), requests.Param("lang", "de"),
				requests.Header("X-Request-Id", "0123456789"), requests.Header("X-Trace", "abc"),
				requests.Header("Accept-Language", "de"), requests.Header("If-None-Match", `"xyz"`),
				requests.Header("X-Tenant", "acme"), requests.BasicAuth(richUser, richPassword))
			if err != nil {
				return 0, err
			}
			return len(r.Content()), nil
		},
		post: func(ctx context.Context, url string, in, out *item) error {
			r, err := s.Post(ctx, url, requests.JSON(in))
			if err != nil {
				return err
			}
			return r.JSON(out)
		},
		stream: func(ctx context.Context, url string) (io.ReadCloser, error) {
			return s.Get(ctx, url, requests.Stream())
		},
		upload: func(ctx context.Context, url, path string) error {
			_, err := s.Post(ctx, url, requests.FilePath("file", path))
			return err
		},
		lines: func(ctx context.Context, url string) (int, error) {
			r, err := s.Get(ctx, url, requests.Stream())
			if err != nil {
				return 0, err
			}
			n := 0
			for line, err := range r.LineBytes() {
				if err != nil {
					return n, err
				}
				n += len(line)
			}
			return n, nil
		},
	}
}
