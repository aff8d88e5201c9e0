// Command charset is net/http with the tables of all charsets: what that costs.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"

	"golang.org/x/net/html/charset"
)

func main() {
	resp, err := http.Get(os.Args[1])
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	var r io.Reader = resp.Body
	if resp.Header.Get("Content-Encoding") != "" {
		if r, err = charset.NewReaderLabel(os.Args[1], r); err != nil {
			panic(err)
		}
	}
	b, err := io.ReadAll(r)
	if err != nil {
		panic(err)
	}
	fmt.Println(len(b))
}
