package main

import "testing"

// The library is as the edits expect it: each is made once, and what comes of
// them is a library.
func TestOverlays(t *testing.T) {
	const root = "../../.."
	for _, constructor := range []string{"engine.NewLoop(t)", "engine.NewClientConns(t)", "t"} {
		t.Run(constructor, func(t *testing.T) {
			if err := run(root, constructor, "build", []string{"-C", root, "."}); err != nil {
				t.Error(err)
			}
		})
	}
}
