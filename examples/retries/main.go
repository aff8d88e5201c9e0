// Command retries asks a server that is busy at first, with a policy that
// waits longer after each failure.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"github.com/seed-9ea40bd3/requests"
)

func main() {
	server := httptest.NewServer(newBusy(3))
	defer server.Close()
	if err := run(context.Background(), server.URL); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, url string) error {
	s := requests.NewSession()
	defer s.Close()

	// Five retries, for failures of the connection and for two statuses,
	// after no wait, then 20 ms, 40 ms, 80 ms and so on, up to a second.
	// POST is not among the methods that may be repeated unless named.
	s.Mount("http://", &requests.HTTPAdapter{MaxRetries: &requests.Retry{
		Total:           5,
		StatusForcelist: []int{http.StatusBadGateway, http.StatusServiceUnavailable},
		BackoffFactor:   10 * time.Millisecond,
		BackoffMax:      time.Second,
		BackoffJitter:   5 * time.Millisecond,
	}})
	r, err := s.Get(ctx, url)
	if err != nil {
		return err
	}
	for i, a := range r.Attempts() {
		fmt.Printf("attempt %d: %d\n", i+1, a.StatusCode)
	}
	fmt.Println("in the end:", r.StatusCode)

	// A policy that is used up is an error, which keeps the last response.
	s.Mount("http://", &requests.HTTPAdapter{MaxRetries: &requests.Retry{
		Total: 1, StatusForcelist: []int{http.StatusServiceUnavailable},
	}})
	_, err = s.Get(ctx, url+"/never")
	var e *requests.Error
	if !errors.Is(err, requests.ErrRetry) || !errors.As(err, &e) {
		return fmt.Errorf("want an exhausted policy, got %w", err)
	}
	fmt.Println("used up:", e.Response.StatusCode, "after", len(e.Attempts()), "retry")

	// Waits end with the context.
	s.Mount("http://", &requests.HTTPAdapter{MaxRetries: &requests.Retry{
		Total: 100, StatusForcelist: []int{http.StatusServiceUnavailable}, BackoffFactor: time.Minute,
	}})
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	_, err = s.Get(ctx, url+"/never")
	if !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("want an ended context, got %w", err)
	}
	fmt.Println("context ended: no more waiting")
	return nil
}

// newBusy stands for a server that answers only after so many requests, and
// at /never not at all.
func newBusy(requests int64) http.Handler {
	var seen atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/never" || seen.Add(1) <= requests {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "here I am")
	})
}
