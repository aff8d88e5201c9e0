package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// tortureTime is how long the runs of L11 may take.
const tortureTime = 90.0 // s

// runTorture is L11, which is a test of the library's: it holds what has to
// hold itself, and counts its runs.
func runTorture(ctx context.Context, s settings, r *report) error {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/seed-9ea40bd3/requests").Output()
	if err != nil {
		return fmt.Errorf("where the library is: %w", err)
	}
	test := func(args ...string) ([]byte, error) {
		cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-count=1"}, args...)...)
		cmd.Dir = strings.TrimSpace(string(root))
		return cmd.CombinedOutput()
	}
	// The first one only builds.
	if out, err := test("-run=^$", "."); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	begin := time.Now()
	args := []string{"-run=^TestTorture", "-v", "-timeout=10m", "."}
	if s.short {
		args = append([]string{"-short"}, args...)
	}
	out, err := test(args...)
	took := time.Since(begin).Seconds()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out[max(0, len(out)-4096):])
	}
	text := string(out)
	r.note("tests passed", "%d", strings.Count(text, "--- PASS"))
	for line := range strings.Lines(text) {
		if strings.Contains(line, "torture_test.go") {
			r.note("it says", "%s", strings.TrimSpace(line))
		}
	}
	r.atMost("time", took, tortureTime, " s")
	return nil
}
