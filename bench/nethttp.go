package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
)

// newTransport is what every client over net/http is given, so that a row is
// the client and not the settings of its pool.
func newTransport(t *target) *http.Transport {
	return &http.Transport{
		MaxIdleConns: 512, MaxIdleConnsPerHost: 256, IdleConnTimeout: idleTimeout,
		TLSClientConfig: &tls.Config{RootCAs: t.roots},
	}
}

// newJar is a jar of the cookies of the rich load.
func newJar(t *target) http.CookieJar {
	jar, _ := cookiejar.New(nil)
	u, _ := url.Parse(t.http + "/")
	jar.SetCookies(u, richCookies())
	return jar
}

// readAll reads a response into memory.
func readAll(resp *http.Response, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return len(b), err
}

// fields are the params of the rich load as url.Values.
func fields() url.Values {
	v := url.Values{}
	for _, p := range richParams {
		v.Set(p[0], p[1])
	}
	return v
}

// newNetHTTP is bare net/http as people write it.
func newNetHTTP(t *target, name string) *peer {
	client := &http.Client{Transport: newTransport(t)}
	jarred := &http.Client{Transport: client.Transport, Jar: newJar(t)}
	get := func(ctx context.Context, url string) (*http.Response, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		return client.Do(req)
	}
	return &peer{
		name: name,
		get:  func(ctx context.Context, url string) (int, error) { return readAll(get(ctx, url)) },
		rich: func(ctx context.Context, url string) (int, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"?"+fields().Encode(), nil)
			if err != nil {
				return 0, err
			}
			for _, h := range richHeaders {
				req.Header.Set(h[0], h[1])
			}
			req.SetBasicAuth(richUser, richPassword)
			return readAll(jarred.Do(req))
		},
		post: func(ctx context.Context, url string, in, out *item) error {
			body, err := json.Marshal(in)
			if err != nil {
				return err
			}
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
			if err != nil {
				return err
			}
			req.Header.Set("Content-Type", "application/json")
			resp, err := client.Do(req)
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
			body, contentType := pipeMultipart(path)
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
			if err != nil {
				return err
			}
			req.Header.Set("Content-Type", contentType)
			_, err = readAll(client.Do(req))
			return err
		},
	}
}

// pipeMultipart is the textbook's multipart body: a pipe, and a goroutine
// that writes into it.
func pipeMultipart(path string) (io.Reader, string) {
	r, w := io.Pipe()
	m := multipart.NewWriter(w)
	go func() {
		w.CloseWithError(func() error {
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			part, err := m.CreateFormFile("file", filepath.Base(path))
			if err != nil {
				return err
			}
			if _, err := io.Copy(part, f); err != nil {
				return err
			}
			return m.Close()
		}())
	}()
	return r, m.FormDataContentType()
}
