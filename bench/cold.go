package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// coldPrograms are the minimal programs in min, net/http's first. What comes
// after fasthttp is net/http with one more thing, for its size.
func coldPrograms() []string {
	return []string{"nethttp", "ours", "resty", "fasthttp", "gzip", "brotli", "zstd", "publicsuffix", "charset"}
}

// timedPrograms is how many of coldPrograms are timed, too.
const timedPrograms = 4

// The bars: time to the first response as a ratio to net/http's, and bytes
// over its binary.
const (
	coldBar = 1.1
	sizeBar = 3 * mib
)

// runCold builds the minimal programs and compares their sizes, and the time
// from the start of the process to its end after the first response.
func runCold(ctx context.Context, w io.Writer) (bool, error) {
	dir, err := os.MkdirTemp("", "bench-cold-*")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	sizes := map[string]int64{}
	for _, name := range coldPrograms() {
		if sizes[name], err = buildProgram(ctx, dir, name); err != nil {
			return false, err
		}
	}
	t, stop, err := newTarget()
	if err != nil {
		return false, err
	}
	defer stop()
	times := map[string][]float64{}
	const rounds = 40
	for round := range rounds + 2 {
		for _, name := range append(coldPrograms()[:timedPrograms:timedPrograms], "nethttp") {
			d, err := startOnce(ctx, filepath.Join(dir, name), t.http+"/small")
			if err != nil {
				return false, err
			}
			if round >= 2 { // the files are in memory by then
				times[name] = append(times[name], d)
			}
		}
	}
	return reportCold(w, sizes, times), nil
}

// buildProgram builds one program, stripped, and returns its size.
func buildProgram(ctx context.Context, dir, name string) (int64, error) {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, name), "./min/"+name)
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%s: %w: %s", name, err, out)
	}
	fi, err := os.Stat(filepath.Join(dir, name))
	if err != nil {
		return 0, err
	}
	return fi.Size(), nil
}

// startOnce is the seconds that a program takes from its start to its end.
func startOnce(ctx context.Context, program, url string) (float64, error) {
	cmd := exec.CommandContext(ctx, program, url)
	start := time.Now()
	out, err := cmd.Output()
	d := time.Since(start)
	if err == nil && string(out) != "1024\n" {
		err = errors.New("wrong output of " + program)
	}
	return d.Seconds(), err
}

// reportCold prints the table, and tells whether the bars are reached.
func reportCold(w io.Writer, sizes map[string]int64, times map[string][]float64) bool {
	ok := true
	fmt.Fprint(w, "| program | start to end, ratio to net/http, 95 % interval | binary, stripped | over net/http |\n|---|---|---|---|\n")
	base := times["nethttp"] // twice in each round
	for _, name := range coldPrograms() {
		speed := "-"
		if own := times[name]; own != nil && name != "nethttp" {
			ratios := make([]float64, len(own))
			for i := range own {
				ratios[i] = 2 * own[i] / (base[2*i] + base[2*i+1])
			}
			low, high := interval(ratios)
			speed = fmt.Sprintf("%.2f, %.2f to %.2f", median(ratios), low, high)
			if name == "ours" && low > coldBar {
				ok, speed = false, speed+" short"
			}
		} else if own != nil {
			speed = fmt.Sprintf("%.2f ms", median(own)*1e3)
		}
		more := sizes[name] - sizes["nethttp"]
		verdict := ""
		if name == "ours" && more > sizeBar {
			ok, verdict = false, " short"
		}
		fmt.Fprintf(w, "| %s | %s | %.2f MiB | %+.2f MiB%s |\n", name, speed, float64(sizes[name])/mib, float64(more)/mib, verdict)
	}
	return ok
}
