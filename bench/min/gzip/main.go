// Command gzip is net/http with klauspost's gzip: what that costs.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/klauspost/compress/gzip"
)

func main() {
	resp, err := http.Get(os.Args[1])
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	var r io.Reader = resp.Body
	if resp.Header.Get("Content-Encoding") != "" {
		if r, err = gzip.NewReader(r); err != nil {
			panic(err)
		}
	}
	b, err := io.ReadAll(r)
	if err != nil {
		panic(err)
	}
	fmt.Println(len(b))
}
