package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

// floor and floorAgain are the rows of net/http: the same code twice, so that
// what they differ by is noise.
const (
	floor      = "net/http"
	floorAgain = "net/http again"
)

func main() {
	serving := flag.Bool("serve", false, "be the server of another run")
	barsOnly := flag.Bool("bars", false, "measure the bars, and exit 1 where one is short")
	growth := flag.Bool("growth", false, "measure how the cost of a call grows")
	parts := flag.Bool("parts", false, "measure what the time of a call is made of")
	cold := flag.Bool("cold", false, "measure cold start and the sizes of binaries")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	ok, err := true, error(nil)
	switch {
	case *serving:
		err = serve()
	case *barsOnly:
		ok, err = runBars(ctx, os.Stdout)
	case *growth:
		ok, err = runGrowth(ctx, os.Stdout)
	case *parts:
		err = runParts(ctx, os.Stdout)
	case *cold:
		ok, err = runCold(ctx, os.Stdout)
	default:
		err = runAll(ctx, ".")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	if err != nil || !ok {
		cancel()
		os.Exit(1)
	}
}
