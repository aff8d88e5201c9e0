// Streaming reads a body as it arrives: lines of JSON one by one, then a
// large body into a file, without ever holding the whole.
//
//	go run ./examples/streaming
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"

	"github.com/mccutchen/go-httpbin/v2/httpbin"
	"github.com/seed-9ea40bd3/requests"
)

func main() {
	server := httptest.NewServer(httpbin.New().Handler())
	defer server.Close()
	ctx := context.Background()
	if err := readLines(ctx, server.URL+"/stream/3"); err != nil {
		log.Fatal(err)
	}
	if err := save(ctx, server.URL+"/stream-bytes/100000"); err != nil {
		log.Fatal(err)
	}
}

// readLines handles each line when it is there. Leaving the loop early would
// close the response.
func readLines(ctx context.Context, url string) error {
	r, err := requests.Get(ctx, url, requests.Stream())
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.RaiseForStatus(); err != nil {
		return err
	}
	for line, err := range r.LineBytes() {
		if err != nil {
			return err
		}
		var event struct{ ID int }
		if err := json.Unmarshal(line, &event); err != nil {
			return err
		}
		fmt.Println("event", event.ID)
	}
	return nil
}

// save copies a body to a file: a streamed response is an io.Reader. One that
// breaks off is an error, never a short file taken for a whole one.
func save(ctx context.Context, url string) (err error) {
	r, err := requests.Get(ctx, url, requests.Stream())
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := os.CreateTemp("", "download-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	n, err := io.Copy(f, r)
	if err != nil {
		f.Close()
		return err
	}
	fmt.Println("saved", n, "bytes")
	return f.Close()
}
