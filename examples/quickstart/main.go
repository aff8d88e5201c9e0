// Quickstart shows what package requests does, in one run:
//
//	go run ./examples/quickstart
//
// It needs no network: it talks to an httpbin of its own on the loopback
// interface. A URL as its argument has it talk to the httpbin there instead.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/mccutchen/go-httpbin/v2/httpbin"
	"github.com/seed-9ea40bd3/requests"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	out := newScreen(os.Stdout)
	if err := run(ctx, out, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		stop()
		os.Exit(1)
	}
}

// run shows one thing after the other, on one session.
func run(ctx context.Context, out *screen, args []string) error {
	var base string
	if len(args) > 0 {
		base = strings.TrimSuffix(args[0], "/")
	} else {
		server := httptest.NewServer(httpbin.New().Handler())
		defer server.Close()
		base = server.URL
	}

	s := requests.NewSession(
		requests.Header("X-App", "quickstart"),
		requests.Timeout(10*time.Second), // to connect, and between bytes
	)
	defer s.Close()

	for _, show := range []func(context.Context, *screen, *requests.Session, string) error{
		params, cookies, sendJSON, upload, download, redirects, failures,
	} {
		if err := show(ctx, out, s, base); err != nil {
			return err
		}
	}
	out.title("Done")
	return nil
}

// params asks with a query; what is sent can be looked at afterwards.
func params(ctx context.Context, out *screen, s *requests.Session, base string) error {
	out.title("Params")
	r, err := s.Get(ctx, base+"/get",
		requests.Param("q", "go"),
		requests.Param("tag", "fast", "friendly & safe"))
	if err != nil {
		return err
	}
	out.field("URL", r.URL)
	out.field("status", fmt.Sprint(r.StatusCode, " ", r.Reason))
	out.field("content-type", r.Headers.Get("content-type")) // in any letter case
	out.field("sent User-Agent", r.Request.Headers.Get("User-Agent"))
	return nil
}

// cookies are kept by the session: what one response sets, the next request
// sends.
func cookies(ctx context.Context, out *screen, s *requests.Session, base string) error {
	out.title("Cookies")
	if _, err := s.Get(ctx, base+"/cookies/set", requests.Param("flavour", "oat")); err != nil {
		return err
	}
	out.field("in the jar", "flavour="+s.Cookies.Value("flavour"))
	echo, err := requests.Decode[struct{ Cookies map[string]string }](s.Get(ctx, base+"/cookies"))
	if err != nil {
		return err
	}
	out.field("the server got", fmt.Sprint(echo.Cookies))
	return nil
}

// order is what sendJSON sends.
type order struct {
	Item  string `json:"item"`
	Count int    `json:"count"`
}

// sendJSON posts a value and decodes another from the answer.
func sendJSON(ctx context.Context, out *screen, s *requests.Session, base string) error {
	out.title("JSON")
	echo, err := requests.Decode[struct{ JSON order }](
		s.Post(ctx, base+"/post", requests.JSON(order{Item: "tea", Count: 3})))
	if err != nil {
		return err
	}
	out.field("the server got", fmt.Sprintf("%+v", echo.JSON))
	return nil
}

// upload sends a form with a file, which may be any io.Reader.
func upload(ctx context.Context, out *screen, s *requests.Session, base string) error {
	out.title("Upload")
	r, err := s.Post(ctx, base+"/post",
		requests.Form("author", "me"),
		requests.File("notes", "notes.txt", strings.NewReader("buy oats\n")))
	if err != nil {
		return err
	}
	out.field("content type", r.Request.Headers.Get("Content-Type"))
	out.field("content length", r.Request.Headers.Get("Content-Length"))
	return r.RaiseForStatus()
}

// download streams a body: only the head was read when Get returns.
func download(ctx context.Context, out *screen, s *requests.Session, base string) error {
	out.title("Streaming")
	const size = 100 << 10
	r, err := s.Get(ctx, fmt.Sprintf("%s/range/%d", base, size), requests.Stream())
	if err != nil {
		return err
	}
	defer r.Close()
	got := 0
	for chunk, err := range r.Chunks(8 << 10) {
		if err != nil {
			return err
		}
		got += len(chunk)
		out.progress("download", got, size)
	}
	return nil
}

// redirects are followed, and remembered.
func redirects(ctx context.Context, out *screen, s *requests.Session, base string) error {
	out.title("Redirects")
	r, err := s.Get(ctx, base+"/redirect/2")
	if err != nil {
		return err
	}
	for _, hop := range r.History {
		out.field(hop.String(), hop.URL+" to "+hop.Headers.Get("Location"))
	}
	out.field(r.String(), r.URL)

	r, err = s.Get(ctx, base+"/redirect/2", requests.AllowRedirects(false))
	if err != nil {
		return err
	}
	out.field("not followed", r.String())
	return nil
}

// failures tells a status, which is no error until asked, from what is.
func failures(ctx context.Context, out *screen, s *requests.Session, base string) error {
	out.title("Errors")
	r, err := s.Get(ctx, base+"/status/404")
	if err != nil {
		return err
	}
	out.field("status", r.RaiseForStatus().Error())

	_, err = s.Get(ctx, base+"/delay/3", requests.ReadTimeout(50*time.Millisecond))
	if !errors.Is(err, requests.ErrReadTimeout) {
		return fmt.Errorf("want a timeout, got %w", err)
	}
	out.field("timeout", err.Error())

	_, err = s.Get(ctx, "example.com")
	if !errors.Is(err, requests.ErrMissingSchema) {
		return fmt.Errorf("want a missing scheme, got %w", err)
	}
	out.field("no scheme", err.Error())
	return nil
}
