package main

import (
	"bufio"
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

//go:embed python.py
var pythonProgram string

// python is a process with Python's Requests that does bursts when told to.
type python struct {
	cmd     *exec.Cmd
	in      *bufio.Writer
	out     *bufio.Scanner
	version string
	close   func()
}

// startPython returns nil where there is no python3 with requests.
func startPython() *python {
	path, err := exec.LookPath("python3")
	if err != nil {
		return nil
	}
	cmd := exec.Command(path, "-c", pythonProgram)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "REQUESTS_CA_BUNDLE=") || strings.HasPrefix(v, "CURL_CA_BUNDLE=")
	})
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil
	}
	out, err := cmd.StdoutPipe()
	if err != nil || cmd.Start() != nil {
		return nil
	}
	p := &python{cmd: cmd, in: bufio.NewWriter(in), out: bufio.NewScanner(out)}
	p.close = func() {
		in.Close()
		_ = cmd.Wait()
	}
	if !p.out.Scan() || !strings.HasPrefix(p.out.Text(), "requests ") {
		p.close()
		return nil
	}
	p.version = p.out.Text()
	return p
}

// burst has n requests done by threads, and returns the time of one.
func (p *python) burst(url string, n, threads int) (float64, error) {
	fmt.Fprintln(p.in, url, n, threads)
	if err := p.in.Flush(); err != nil {
		return 0, err
	}
	if !p.out.Scan() {
		return 0, fmt.Errorf("python ended: %v", p.out.Err())
	}
	var seconds float64
	if _, err := fmt.Sscan(p.out.Text(), &seconds); err != nil {
		return 0, fmt.Errorf("python: %s", p.out.Text())
	}
	return seconds / float64(n), nil
}

// pythonRatios are how many times as long Python's Requests takes for a GET
// of 1 KiB as we do, round by round.
func pythonRatios(ctx context.Context, py *python, ours *peer, t *target, threads int) ([]float64, error) {
	const rounds = 12
	n := 320
	l := load{parallel: threads, burst: n * 4, op: getting(plain("/small"), kib)}
	op := l.op(ours, t)
	ratios := make([]float64, 0, rounds)
	for round := range rounds + 1 {
		theirs, err := py.burst(t.http+"/small", n, threads)
		if err != nil {
			return nil, err
		}
		start := time.Now()
		if err := run(ctx, op, l.burst, threads); err != nil {
			return nil, err
		}
		own := time.Since(start).Seconds() / float64(l.burst)
		if round > 0 { // the first one is for warming up
			ratios = append(ratios, theirs/own)
		}
	}
	return ratios, nil
}

// pythonBars reports how many times as fast as Python's Requests we are.
func pythonBars(ctx context.Context, rep *barReport, ours *peer, t *target) error {
	py := startPython()
	if py != nil {
		defer py.close()
	}
	for _, b := range []struct {
		name    string
		threads int
		bar     float64
	}{{"Python's Requests, GET 1 KiB", 1, 4.5}, {"Python's Requests, 32 at once", 32, 18}} {
		if py == nil {
			fmt.Fprintf(rep.w, "%-36s skipped\n", b.name)
			continue
		}
		ratios, err := pythonRatios(ctx, py, ours, t, b.threads)
		if err != nil {
			return err
		}
		low, high := interval(ratios)
		rep.line(b.name, fmt.Sprintf("%.2f [%.2f, %.2f] x", median(ratios), low, high), fmt.Sprintf(">= %.1f", b.bar), !(high >= b.bar))
	}
	return nil
}
