// Command ours is the least program that gets a URL by this library.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/seed-9ea40bd3/requests"
)

func main() {
	r, err := requests.Get(context.Background(), os.Args[1])
	if err != nil {
		panic(err)
	}
	fmt.Println(len(r.Content()))
}
