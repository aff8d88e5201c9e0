package main

import (
	"context"
	"io"
)

func runCold(ctx context.Context, w io.Writer) (bool, error) { return true, nil }
