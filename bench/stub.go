package main

import (
	"context"
	"io"
)

func runGrowth(ctx context.Context, w io.Writer) (bool, error) { return true, nil }
func runCold(ctx context.Context, w io.Writer) (bool, error)   { return true, nil }
func runAll(ctx context.Context, dir string) error             { return nil }
