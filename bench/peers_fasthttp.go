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
	"strings"

	"github.com/valyala/fasthttp"
)

// writerTo collects what is written.
type writerTo struct{ b []byte }

func (w *writerTo) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}

func multiReader(head string, f io.Reader, tail string) io.Reader {
	return io.MultiReader(strings.NewReader(head), f, strings.NewReader(tail))
}

// fileParts is a body that closes its file.
type fileParts struct {
	io.Reader
	f *os.File
}

func (p *fileParts) Close() error { return p.f.Close() }

// releasing gives a response back when its body is closed.
type releasing struct {
	io.Reader
	release func()
}

func (r *releasing) Close() error {
	r.release()
	return nil
}

// fastCall runs one request of fasthttp's, and hands out its response.
func fastCall(c *fasthttp.Client, set func(*fasthttp.Request), got func(*fasthttp.Response) error) error {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	set(req)
	// Redirects are asked for, or they are not followed.
	if err := c.DoRedirects(req, resp, 10); err != nil {
		return err
	}
	return got(resp)
}

// newFastHTTP is the other engine: bodies belong to it, there is no jar (the
// three cookies are set by hand) and no context.
func newFastHTTP(t *target) *peer {
	c := &fasthttp.Client{TLSConfig: &tls.Config{RootCAs: t.roots}, MaxIdleConnDuration: idleTimeout, MaxConnsPerHost: 512}
	streaming := &fasthttp.Client{StreamResponseBody: true, MaxResponseBodySize: mib, MaxIdleConnDuration: idleTimeout}
	length := func(n *int) func(*fasthttp.Response) error {
		return func(r *fasthttp.Response) error {
			b := r.Body()
			if string(r.Header.Peek("Content-Encoding")) == "gzip" {
				var err error
				if b, err = r.BodyGunzip(); err != nil {
					return err
				}
			}
			*n = len(b)
			return nil
		}
	}
	return &peer{
		name: "fasthttp",
		get: func(_ context.Context, url string) (n int, err error) {
			err = fastCall(c, func(r *fasthttp.Request) {
				r.SetRequestURI(url)
				r.Header.Set("Accept-Encoding", "gzip")
			}, length(&n))
			return n, err
		},
		rich: func(_ context.Context, url string) (n int, err error) {
			err = fastCall(c, func(r *fasthttp.Request) { setRich(r, url) }, length(&n))
			return n, err
		},
		post: func(_ context.Context, url string, in, out *item) error {
			body, err := json.Marshal(in)
			if err != nil {
				return err
			}
			return fastCall(c, func(r *fasthttp.Request) {
				r.SetRequestURI(url)
				r.Header.SetMethod(http.MethodPost)
				r.Header.SetContentType("application/json")
				r.SetBodyRaw(body)
			}, func(r *fasthttp.Response) error { return json.Unmarshal(r.Body(), out) })
		},
		stream: func(_ context.Context, url string) (io.ReadCloser, error) {
			req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
			req.SetRequestURI(url)
			if err := streaming.Do(req, resp); err != nil {
				return nil, err
			}
			return &releasing{resp.BodyStream(), func() {
				_ = resp.CloseBodyStream()
				fasthttp.ReleaseRequest(req)
				fasthttp.ReleaseResponse(resp)
			}}, nil
		},
		upload: func(_ context.Context, url, path string) error { return fastUpload(c, url, path) },
	}
}

func setRich(r *fasthttp.Request, url string) {
	r.SetRequestURI(url)
	for _, p := range richParams {
		r.URI().QueryArgs().Add(p[0], p[1])
	}
	for _, h := range richHeaders {
		r.Header.Set(h[0], h[1])
	}
	r.URI().SetUsername(richUser)
	r.URI().SetPassword(richPassword)
	for _, c := range richCookies()[:3] {
		r.Header.SetCookie(c.Name, c.Value)
	}
}

func fastUpload(c *fasthttp.Client, url, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	if _, err := m.CreateFormFile("file", filepath.Base(path)); err != nil {
		return err
	}
	head := b.String()
	b.Reset()
	if err := m.Close(); err != nil {
		return err
	}
	return fastCall(c, func(r *fasthttp.Request) {
		r.SetRequestURI(url)
		r.Header.SetMethod(http.MethodPost)
		r.Header.SetContentType(m.FormDataContentType())
		r.SetBodyStream(multiReader(head, f, b.String()), len(head)+int(fi.Size())+b.Len())
	}, func(*fasthttp.Response) error { return nil })
}
