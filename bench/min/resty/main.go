// Command resty is the least program that gets a URL by resty v2.
package main

import (
	"fmt"
	"os"

	"github.com/go-resty/resty/v2"
)

func main() {
	r, err := resty.New().R().Get(os.Args[1])
	if err != nil {
		panic(err)
	}
	fmt.Println(len(r.Body()))
}
