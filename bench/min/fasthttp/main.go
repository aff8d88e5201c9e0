// Command fasthttp is the least program that gets a URL by fasthttp.
package main

import (
	"fmt"
	"os"

	"github.com/valyala/fasthttp"
)

func main() {
	_, b, err := fasthttp.Get(nil, os.Args[1])
	if err != nil {
		panic(err)
	}
	fmt.Println(len(b))
}
