// Command brotli is net/http with brotli's decoder: what that costs.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/andybalholm/brotli"
)

func main() {
	resp, err := http.Get(os.Args[1])
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	var r io.Reader = resp.Body
	if resp.Header.Get("Content-Encoding") != "" {
		r = brotli.NewReader(r)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		panic(err)
	}
	fmt.Println(len(b))
}
