package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/seed-9ea40bd3/requests"
)

// everyone is all peers, the two rows of net/http first and ours after them.
func everyone(t *target) []*peer {
	return []*peer{
		newNetHTTP(t, floor), newNetHTTP(t, floorAgain), newOurs(t), newRestyV2(t), newRestyV3(t), newReq(t),
		newCarlmjohnson(t), newGrequests(t), newSling(t), newRetryable(t), newFastHTTP(t),
	}
}

// runAll measures everyone, and writes RESULTS.md and the chart into dir.
func runAll(ctx context.Context, dir string) error {
	t, stop, err := newTarget()
	if err != nil {
		return err
	}
	defer stop()
	peers := everyone(t)
	var results []result
	for _, l := range loads() {
		l.rounds /= 2 // there are four times as many rows as for the bars
		res := measureLoad(ctx, l, peers, t)
		for _, r := range res.rows {
			if r.err != nil {
				fmt.Fprintf(os.Stderr, "%s, %s: %v\n", l.name, r.peer.name, r.err)
			}
		}
		results = append(results, res)
		fmt.Fprintf(os.Stderr, "%s done\n", l.name)
	}
	python, err := pythonRow(ctx, peers[2], t)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	writeResults(&b, peers, results, python, time.Now())
	_, _ = io.Copy(os.Stdout, bytes.NewReader(b.Bytes()))
	profile, err := os.ReadFile(filepath.Join(dir, "PROFILE.md"))
	if err == nil {
		b.WriteString("\n")
		b.Write(profile)
	}
	if err := os.WriteFile(filepath.Join(dir, "RESULTS.md"), b.Bytes(), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "chart.svg"), drawChart(peers, results), 0o644)
}

// pythonRow tells how we compare with Python's Requests.
func pythonRow(ctx context.Context, ours *peer, t *target) (string, error) {
	py := startPython()
	if py == nil {
		return "Python's Requests: skipped, there is no python3 with requests here.\n", nil
	}
	defer py.close()
	one, err := pythonRatios(ctx, py, ours, t, 1)
	if err != nil {
		return "", err
	}
	many, err := pythonRatios(ctx, py, ours, t, 32)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Python's %s takes %.1f times as long as this library for a GET of 1 KiB, and %.1f times "+
		"with 32 at once (its trust_env off, which is its faster way).\n", py.version, median(one), median(many)), nil
}

// writeResults writes the tables.
func writeResults(w io.Writer, peers []*peer, results []result, python string, now time.Time) {
	fmt.Fprintf(w, "# Speed beside its peers\n\n%s, requests %s, %s %s/%s, %d cores, GOMAXPROCS %d.\n\n![chart](chart.svg)\n\n",
		now.Format(time.DateOnly), requests.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.GOMAXPROCS(0))
	fmt.Fprint(w, "A ratio is taken round by round to the mean of two rows of net/http, and its median is shown: below 1 is "+
		"faster. What the second row of net/http differs from the first by is noise. The server has a process of its own on "+
		"the same machine. Allocations and bytes are those of one operation.\n\n")
	table(w, "Wall time, ratio to net/http", peers, results, func(r result, row *row) string {
		return fmt.Sprintf("%.2f", median(r.ratios(row, wallOf)))
	})
	table(w, "CPU time of the client's process, ratio to net/http", peers, results, func(r result, row *row) string {
		return fmt.Sprintf("%.2f", median(r.ratios(row, cpuOf)))
	})
	table(w, "Allocations", peers, results, func(_ result, row *row) string {
		return fmt.Sprintf("%.0f", median(row.figures(allocsOf)))
	})
	table(w, "Bytes allocated", peers, results, func(_ result, row *row) string {
		return shortBytes(median(row.figures(bytesOf)))
	})
	fmt.Fprint(w, "## Noise, and what net/http itself takes\n\n| load | one operation | MB/s | net/http over itself, 95 % interval | this library, wall, 95 % interval |\n|---|---|---|---|---|\n")
	for _, r := range results {
		wall, rate := median(r.rows[0].figures(wallOf)), "-"
		if r.load.size > 0 {
			rate = fmt.Sprintf("%.0f", float64(r.load.size)/wall/1e6)
		}
		low, high := interval(r.noise(wallOf))
		ownLow, ownHigh := interval(r.ratios(r.rows[2], wallOf))
		fmt.Fprintf(w, "| %s | %s | %s | %.2f to %.2f | %.2f to %.2f |\n", r.load.name, time.Duration(wall*1e9).Round(100*time.Nanosecond), rate, low, high, ownLow, ownHigh)
	}
	fmt.Fprintf(w, "\n%s", python)
}

// table writes one table of a figure, a dash where a client has no row.
func table(w io.Writer, title string, peers []*peer, results []result, cell func(result, *row) string) {
	fmt.Fprintf(w, "## %s\n\n| client |", title)
	for _, r := range results {
		fmt.Fprintf(w, " %s |", r.load.name)
	}
	fmt.Fprintf(w, "\n|---|%s\n", strings.Repeat("---|", len(results)))
	for _, p := range peers {
		fmt.Fprintf(w, "| %s |", p.name)
		for _, r := range results {
			text := "-"
			if row := r.find(p.name); row != nil && row.err == nil {
				text = cell(r, row)
			}
			fmt.Fprintf(w, " %s |", text)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
}

// shortBytes shows a number of bytes in three digits.
func shortBytes(n float64) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%.3g M", n/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.3g k", n/1e3)
	}
	return fmt.Sprintf("%.0f", n)
}
