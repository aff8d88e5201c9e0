package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"

	"github.com/carlmjohnson/requests"
	"github.com/dghubble/sling"
	"github.com/hashicorp/go-retryablehttp"
	"github.com/imroc/req/v3"
	"github.com/levigross/grequests"
)

func newReq(t *target) *peer {
	setUp := func() *req.Client {
		c := req.C().EnableForceHTTP1().SetTLSClientConfig(&tls.Config{RootCAs: t.roots})
		c.GetTransport().SetMaxIdleConns(512)
		c.GetTransport().MaxIdleConnsPerHost = 256
		return c
	}
	client, jarred := setUp(), setUp().SetCookieJar(newJar(t))
	body := func(r *req.Response, err error) (int, error) {
		if err != nil {
			return 0, err
		}
		return len(r.Bytes()), nil
	}
	return &peer{
		name: "req v3",
		get: func(ctx context.Context, url string) (int, error) {
			return body(client.R().SetContext(ctx).Get(url))
		},
		rich: func(ctx context.Context, url string) (int, error) {
			return body(jarred.R().SetContext(ctx).SetQueryParams(pairs(richParams)).SetHeaders(pairs(richHeaders)).
				SetBasicAuth(richUser, richPassword).Get(url))
		},
		post: func(ctx context.Context, url string, in, out *item) error {
			_, err := client.R().SetContext(ctx).SetBodyJsonMarshal(in).SetSuccessResult(out).Post(url)
			return err
		},
		stream: func(ctx context.Context, url string) (io.ReadCloser, error) {
			r, err := client.R().SetContext(ctx).DisableAutoReadResponse().Get(url)
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

func newCarlmjohnson(t *target) *peer {
	client := &http.Client{Transport: newTransport(t)}
	jarred := &http.Client{Transport: newTransport(t), Jar: newJar(t)}
	return &peer{
		name: "carlmjohnson",
		get: func(ctx context.Context, url string) (int, error) {
			var b bytes.Buffer
			err := requests.URL(url).Client(client).Handle(requests.ToBytesBuffer(&b)).Fetch(ctx)
			return b.Len(), err
		},
		rich: func(ctx context.Context, url string) (int, error) {
			var b bytes.Buffer
			r := requests.URL(url).Client(jarred)
			for _, p := range richParams {
				r.Param(p[0], p[1])
			}
			for _, h := range richHeaders {
				r.Header(h[0], h[1])
			}
			err := r.BasicAuth(richUser, richPassword).Handle(requests.ToBytesBuffer(&b)).Fetch(ctx)
			return b.Len(), err
		},
		post: func(ctx context.Context, url string, in, out *item) error {
			return requests.URL(url).Client(client).BodyJSON(in).ToJSON(out).Fetch(ctx)
		},
		stream: func(ctx context.Context, url string) (io.ReadCloser, error) {
			r, err := requests.URL(url).Client(client).Request(ctx)
			if err != nil {
				return nil, err
			}
			resp, err := client.Do(r)
			if err != nil {
				return nil, err
			}
			return resp.Body, nil
		},
		upload: func(ctx context.Context, url, path string) error {
			body, contentType := pipeMultipart(path)
			return requests.URL(url).Client(client).Post().BodyReader(body).ContentType(contentType).Fetch(ctx)
		},
	}
}

func newGrequests(t *target) *peer {
	client := &http.Client{Transport: newTransport(t)}
	jarred := &http.Client{Transport: newTransport(t), Jar: newJar(t)}
	body := func(r *grequests.Response, err error) (int, error) {
		if err != nil {
			return 0, err
		}
		return len(r.Bytes()), r.Error
	}
	return &peer{
		name: "grequests",
		get: func(ctx context.Context, url string) (int, error) {
			return body(grequests.DoRegularRequest(http.MethodGet, url, &grequests.RequestOptions{Context: ctx, HTTPClient: client}))
		},
		rich: func(ctx context.Context, url string) (int, error) {
			return body(grequests.DoRegularRequest(http.MethodGet, url, &grequests.RequestOptions{
				Context: ctx, HTTPClient: jarred, Params: pairs(richParams), Headers: pairs(richHeaders),
				Auth: []string{richUser, richPassword},
			}))
		},
		post: func(ctx context.Context, url string, in, out *item) error {
			r, err := grequests.DoRegularRequest(http.MethodPost, url, &grequests.RequestOptions{Context: ctx, HTTPClient: client, JSON: in})
			if err != nil {
				return err
			}
			return r.JSON(out)
		},
		stream: func(ctx context.Context, url string) (io.ReadCloser, error) {
			return grequests.DoRegularRequest(http.MethodGet, url, &grequests.RequestOptions{Context: ctx, HTTPClient: client})
		},
		upload: func(ctx context.Context, url, path string) error {
			files, err := grequests.FileUploadFromDisk(path)
			if err != nil {
				return err
			}
			_, err = body(grequests.DoRegularRequest(http.MethodPost, url, &grequests.RequestOptions{Context: ctx, HTTPClient: client, Files: files}))
			return err
		},
	}
}

// slingBytes hands a body out whole, which sling has no way for.
type slingBytes struct{}

func (slingBytes) Decode(resp *http.Response, v any) error {
	b, err := io.ReadAll(resp.Body)
	*v.(*[]byte) = b
	return err
}

// slingQuery is what sling takes query parameters as.
type slingQuery struct {
	Q    string `url:"q"`
	Page string `url:"page"`
	Size string `url:"size"`
	Sort string `url:"sort"`
	Lang string `url:"lang"`
}

// slingGet has sling send a request within ctx.
func slingGet(ctx context.Context, s *sling.Sling) (int, error) {
	r, err := s.Request()
	if err != nil {
		return 0, err
	}
	var b []byte
	_, err = s.Do(r.WithContext(ctx), &b, nil)
	return len(b), err
}

func newSling(t *target) *peer {
	client := &http.Client{Transport: newTransport(t)}
	base := sling.New().Client(client)
	asBytes := sling.New().Client(client).ResponseDecoder(slingBytes{})
	jarred := sling.New().Client(&http.Client{Transport: newTransport(t), Jar: newJar(t)}).ResponseDecoder(slingBytes{})
	return &peer{
		name: "sling",
		get:  func(ctx context.Context, url string) (int, error) { return slingGet(ctx, asBytes.New().Get(url)) },
		rich: func(ctx context.Context, url string) (int, error) {
			s := jarred.New().Get(url).QueryStruct(&slingQuery{"search text", "2", "50", "name", "de"})
			for _, h := range richHeaders {
				s.Set(h[0], h[1])
			}
			return slingGet(ctx, s.SetBasicAuth(richUser, richPassword))
		},
		post: func(ctx context.Context, url string, in, out *item) error {
			s := base.New().Post(url).BodyJSON(in)
			r, err := s.Request()
			if err != nil {
				return err
			}
			_, err = s.Do(r.WithContext(ctx), out, nil)
			return err
		},
		stream: func(ctx context.Context, url string) (io.ReadCloser, error) {
			r, err := base.New().Get(url).Request()
			if err != nil {
				return nil, err
			}
			resp, err := client.Do(r.WithContext(ctx))
			if err != nil {
				return nil, err
			}
			return resp.Body, nil
		},
		upload: func(ctx context.Context, url, path string) error {
			body, contentType := pipeMultipart(path)
			_, err := slingGet(ctx, asBytes.New().Post(url).Body(body).Set("Content-Type", contentType))
			return err
		},
	}
}

func newRetryable(t *target) *peer {
	client := retryablehttp.NewClient()
	client.Logger, client.HTTPClient = nil, &http.Client{Transport: newTransport(t)}
	jarred := retryablehttp.NewClient()
	jarred.Logger, jarred.HTTPClient = nil, &http.Client{Transport: newTransport(t), Jar: newJar(t)}
	get := func(ctx context.Context, url string) (*http.Response, error) {
		r, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		return client.Do(r)
	}
	return &peer{
		name: "retryablehttp",
		get:  func(ctx context.Context, url string) (int, error) { return readAll(get(ctx, url)) },
		rich: func(ctx context.Context, url string) (int, error) {
			r, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, url+"?"+fields().Encode(), nil)
			if err != nil {
				return 0, err
			}
			for _, h := range richHeaders {
				r.Header.Set(h[0], h[1])
			}
			r.SetBasicAuth(richUser, richPassword)
			return readAll(jarred.Do(r))
		},
		post: func(ctx context.Context, url string, in, out *item) error {
			body, err := json.Marshal(in)
			if err != nil {
				return err
			}
			r, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, url, body)
			if err != nil {
				return err
			}
			r.Header.Set("Content-Type", "application/json")
			resp, err := client.Do(r)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			return json.NewDecoder(resp.Body).Decode(out)
		},
		stream: func(ctx context.Context, url string) (io.ReadCloser, error) {
			resp, err := get(ctx, url)
			if err != nil {
				return nil, err
			}
			return resp.Body, nil
		},
		upload: func(ctx context.Context, url, path string) error {
			r, err := retryableUpload(ctx, url, path)
			if err != nil {
				return err
			}
			_, err = readAll(client.Do(r))
			return err
		},
	}
}

// retryableUpload makes a multipart body by hand: of known length, and one
// that can be opened again, which the library asks for.
func retryableUpload(ctx context.Context, url, path string) (*retryablehttp.Request, error) {
	head := &writerTo{}
	m := multipart.NewWriter(head)
	if _, err := m.CreateFormFile("file", filepath.Base(path)); err != nil {
		return nil, err
	}
	start := string(head.b)
	head.b = nil
	if err := m.Close(); err != nil {
		return nil, err
	}
	fi, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	open := retryablehttp.ReaderFunc(func() (io.Reader, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		return &fileParts{multiReader(start, f, string(head.b)), f}, nil
	})
	r, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, url, open)
	if err != nil {
		return nil, err
	}
	r.ContentLength = int64(len(start)) + fi.Size() + int64(len(head.b))
	r.Header.Set("Content-Type", m.FormDataContentType())
	return r, nil
}
