// Command publicsuffix is net/http with the public suffix list: what that costs.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"

	"golang.org/x/net/publicsuffix"
)

func main() {
	resp, err := http.Get(os.Args[1])
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	var r io.Reader = resp.Body
	if resp.Header.Get("Content-Encoding") != "" {
		fmt.Println(publicsuffix.PublicSuffix(os.Args[1]))
	}
	b, err := io.ReadAll(r)
	if err != nil {
		panic(err)
	}
	fmt.Println(len(b))
}
