package main

import (
	"os"
	"testing"
)

// TestMain lets the test's binary be the server, as the program itself is.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "-serve" {
		if serve() != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Every peer does every load right: a row that fails would be a dash.
func TestEveryPeerDoesEveryLoad(t *testing.T) {
	at, stop, err := newTarget()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	parts := 0
	for _, l := range loads() {
		if partsOf(l, at) != nil {
			parts++
		}
		for _, p := range append(everyone(at), partsOf(l, at)...) {
			op := l.op(p, at)
			if op == nil {
				t.Errorf("%s, %s: not done", l.name, p.name)
				continue
			}
			if err := op(t.Context()); err != nil {
				t.Errorf("%s, %s: %v", l.name, p.name, err)
			}
		}
	}
	if parts != 4 {
		t.Errorf("%d loads are taken apart, want 4", parts)
	}
}
