package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

// errSkipped is wrapped by what a run returns where it cannot be made here.
var errSkipped = errors.New("NOT RUN")

// settings are what the command line says.
type settings struct {
	seed    uint64
	short   bool
	minutes float64 // of L5
}

// choose returns full, or short in the short form.
func choose[T any](s settings, full, short T) T {
	if s.short {
		return short
	}
	return full
}

// run is one of the runs.
type run struct {
	id, about string
	do        func(ctx context.Context, s settings, r *report) error
}

// runs returns all of them, in order.
func runs() []run {
	return []run{
		{"L1", "no faults, 16 workers, bodies of 512 bytes", runPlain},
		{"L2", "30 % faults, retried", runFaulty},
		{"L3", "60 % faults, retried", runVeryFaulty},
		{"L4", "POSTs under 30 % faults, against a ledger", runLedger},
		{"L5", "everything mixed, for long", runMixed},
		{"L6", "100 000 requests in turn, nginx closing every 50", runTurns},
		{"L7", "requests at the moment when nginx closes for idleness", runIdleRace},
		{"L8", "streams of 1 GiB, down and up", runStreams},
		{"L9", "one line of 64 MiB, and 10 million short ones", runLines},
		{"L10", "500 at once over 10 connections", runCrowd},
		{"L11", "every operation on a connection made to fail", runTorture},
		{"L12", "10 000 requests, cancelled at any moment", runCancelled},
	}
}

func main() {
	s := settings{seed: rand.Uint64()}
	flag.Uint64Var(&s.seed, "seed", s.seed, "what the random choices come from")
	flag.BoolVar(&s.short, "short", false, "the short form, for every change")
	flag.Float64Var(&s.minutes, "minutes", 10, "how long L5 runs")
	flag.Parse()
	// net/http logs what servers send unasked, which is thousands of lines here.
	log.SetOutput(io.Discard)
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	if !runChosen(ctx, s, flag.Args()) {
		cancel()
		os.Exit(1)
	}
}

// runChosen makes the runs of the ids, or all, and reports whether all held.
func runChosen(ctx context.Context, s settings, ids []string) bool {
	all := runs()
	for _, id := range ids {
		if !slices.ContainsFunc(all, func(r run) bool { return strings.EqualFold(r.id, id) }) {
			fmt.Fprintf(os.Stderr, "soak: there is no run %q\n", id)
			return false
		}
	}
	fmt.Fprintf(os.Stdout, "seed %d; again with -seed %[1]d\n", s.seed)
	held := true
	for _, r := range all {
		chosen := len(ids) == 0 || slices.ContainsFunc(ids, func(id string) bool { return strings.EqualFold(r.id, id) })
		if chosen && ctx.Err() == nil {
			held = runOne(ctx, s, r) && held
		}
	}
	return held && ctx.Err() == nil
}

// runOne makes one run and prints what came of it.
func runOne(ctx context.Context, s settings, r run) bool {
	fmt.Fprintf(os.Stdout, "\n%s: %s\n", r.id, r.about)
	begin := time.Now()
	rep := &report{w: os.Stdout}
	err := r.do(ctx, s, rep)
	verdict := "ok"
	switch {
	case errors.Is(err, errSkipped):
		verdict = strings.ToUpper(err.Error())
	case err != nil:
		fmt.Fprintf(os.Stdout, "  %v\n", err)
		verdict = "short"
	case rep.short:
		verdict = "short"
	}
	fmt.Fprintf(os.Stdout, "%s: %s (%.1f s)\n", r.id, verdict, time.Since(begin).Seconds())
	return verdict != "short"
}
