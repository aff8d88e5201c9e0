package main

import (
	"context"
	"io"
	"net/http"

	restyv2 "github.com/go-resty/resty/v2"
	restyv3 "resty.dev/v3"
)

// pairs makes a map of names and values.
func pairs(list [][2]string) map[string]string {
	m := make(map[string]string, len(list))
	for _, p := range list {
		m[p[0]] = p[1]
	}
	return m
}

func newRestyV2(t *target) *peer {
	client := restyv2.NewWithClient(&http.Client{Transport: newTransport(t)})
	jarred := restyv2.NewWithClient(&http.Client{Transport: newTransport(t), Jar: newJar(t)})
	body := func(r *restyv2.Response, err error) (int, error) {
		if err != nil {
			return 0, err
		}
		return len(r.Body()), nil
	}
	return &peer{
		name: "resty v2",
		get: func(ctx context.Context, url string) (int, error) {
			return body(client.R().SetContext(ctx).Get(url))
		},
		rich: func(ctx context.Context, url string) (int, error) {
			return body(jarred.R().SetContext(ctx).SetQueryParams(pairs(richParams)).SetHeaders(pairs(richHeaders)).
				SetBasicAuth(richUser, richPassword).Get(url))
		},
		post: func(ctx context.Context, url string, in, out *item) error {
			_, err := client.R().SetContext(ctx).SetBody(in).SetResult(out).Post(url)
			return err
		},
		stream: func(ctx context.Context, url string) (io.ReadCloser, error) {
			r, err := client.R().SetContext(ctx).SetDoNotParseResponse(true).Get(url)
			if err != nil {
				return nil, err
			}
			return r.RawBody(), nil
		},
		upload: func(ctx context.Context, url, path string) error {
			_, err := client.R().SetContext(ctx).SetFile("file", path).Post(url)
			return err
		},
	}
}

func newRestyV3(t *target) *peer {
	client := restyv3.New().SetTransport(newTransport(t))
	jarred := restyv3.New().SetTransport(newTransport(t)).SetCookieJar(newJar(t))
	body := func(r *restyv3.Response, err error) (int, error) {
		if err != nil {
			return 0, err
		}
		return len(r.Bytes()), nil
	}
	return &peer{
		name: "resty v3",
		get: func(ctx context.Context, url string) (int, error) {
			return body(client.R().SetContext(ctx).Get(url))
		},
		rich: func(ctx context.Context, url string) (int, error) {
			return body(jarred.R().SetContext(ctx).SetQueryParams(pairs(richParams)).SetHeaders(pairs(richHeaders)).
				SetBasicAuth(richUser, richPassword).Get(url))
		},
		post: func(ctx context.Context, url string, in, out *item) error {
			_, err := client.R().SetContext(ctx).SetBody(in).SetResult(out).Post(url)
			return err
		},
		stream: func(ctx context.Context, url string) (io.ReadCloser, error) {
			r, err := client.R().SetContext(ctx).SetResponseDoNotParse(true).Get(url)
			if err != nil {
				return nil, err
			}
			return r.Body, nil
		},
		upload: func(ctx context.Context, url, path string) error {
			_, err := client.R().SetContext(ctx).SetFile("file", path).Post(url)
			return err
		},
	}
}
