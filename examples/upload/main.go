// Upload sends bodies of every kind: a file from disk, several files in a
// form, and pieces that are made while they are sent. None is read into
// memory.
//
//	go run ./examples/upload
package main

import (
	"context"
	"fmt"
	"iter"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/mccutchen/go-httpbin/v2/httpbin"
	"github.com/seed-9ea40bd3/requests"
)

// echo is what httpbin says it was sent.
type echo struct {
	Data  string
	Form  map[string][]string
	Files map[string][]string
}

func main() {
	server := httptest.NewServer(httpbin.New().Handler())
	defer server.Close()
	dir, err := os.MkdirTemp("", "upload-*")
	if err != nil {
		log.Fatal(err)
	}
	err = run(context.Background(), server.URL+"/post", dir)
	os.RemoveAll(dir)
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, url, dir string) error {
	notes := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(notes, []byte("buy oats"), 0o600); err != nil {
		return err
	}
	if err := sendFile(ctx, url, notes); err != nil {
		return err
	}
	if err := sendForm(ctx, url, notes); err != nil {
		return err
	}
	got, err := requests.Decode[echo](requests.Post(ctx, url,
		requests.Header("Content-Type", "text/plain"), requests.BodyChunks(pieces())))
	fmt.Println("chunks:", got.Data)
	return err
}

// sendFile sends a file as the body. Its length is known, so it is sent with
// a Content-Length.
func sendFile(ctx context.Context, url, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	got, err := requests.Decode[echo](requests.Post(ctx, url,
		requests.Header("Content-Type", "text/plain"), requests.Body(f)))
	fmt.Println("file:", got.Data)
	return err
}

// sendForm sends fields and files as multipart/form-data. A field may repeat.
func sendForm(ctx context.Context, url, path string) error {
	got, err := requests.Decode[echo](requests.Post(ctx, url,
		requests.Form("author", "me"),
		requests.FilePath("docs", path),
		requests.Files(requests.Part{
			Field: "docs", FileName: "data.csv", ContentType: "text/csv",
			Content: requests.TextPayload("a,b\n1,2\n"),
		})))
	fmt.Printf("form: %v, %d files\n", got.Form, len(got.Files["docs"]))
	return err
}

// pieces are made one by one; each is a chunk on the wire.
func pieces() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, piece := range []string{"one ", "two ", "three"} {
			if !yield([]byte(piece), nil) {
				return
			}
		}
	}
}
