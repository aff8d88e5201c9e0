// Command swap runs the go command with the library's engine swapped for one
// of the spikes, by an overlay: nothing of the library is changed on disk.
//
//	go run ./engine/swap loop test -C .. ./...
//	go run ./engine/swap clientconn test -C .. ./internal/conformance
//	go run ./engine/swap measure run . -engines
//
// The last keeps the library's engine, and measures all of them in one run.
// It is run in the bench module's directory.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// edit is a change to a file of the library's.
type edit struct{ file, old, new string }

// edits put an engine in the place of the library's transport.
func edits() []edit {
	return []edit{
		{"transport.go", "\thttp    *http.Transport //", "\tengine  Swapped\n\thttp    *http.Transport //"},
		{"transport.go", "\treturn t\n}\n\n// offersHTTP2", "\tt.engine = swappedFor(a, t.http)\n\treturn t\n}\n\n// offersHTTP2"},
		{"adapter.go", "\tmu         sync.Mutex  ", "\tEngine func(*http.Transport) Swapped\n\n\tmu         sync.Mutex  "},
		{"exchange.go", "= io.NopCloser(bytes.NewReader(data)), int64", "= io.ReadCloser(readyBody{bytes.NewReader(data)}), int64"},
		{"bench/main.go", "\tflag.Parse()\n", "\tengines := flag.Bool(\"engines\", false, \"\")\n\tflag.Parse()\n"},
		{"bench/main.go", "\tcase *barsOnly:\n", "\tcase *engines:\n\t\terr = runEngines(ctx, os.Stdout)\n\tcase *barsOnly:\n"},
		{"transport.go", "t.http.CloseIdleConnections()", "t.engine.CloseIdleConnections()"},
		{"exchange.go", "rtr = t.transport.http\n", "rtr = t.transport.engine\n"},
	}
}

// glue is a file that the library has besides; %s is the engine.
const glue = `package requests

import (
	"bytes"
	"net/http"

	"github.com/seed-9ea40bd3/requests/internal/engine"
)

var _ = engine.NewLoop

// Swapped is what an engine must have.
type Swapped interface {
	http.RoundTripper
	CloseIdleConnections()
}

// Ready reports whether a Read never waits.
func (r *uploadReader) Ready() bool { return r.u.payload.ready() }

// readyBody is a small body in memory.
type readyBody struct{ *bytes.Reader }

func (readyBody) Ready() bool  { return true }
func (readyBody) Close() error { return nil }

func swappedFor(a *HTTPAdapter, t *http.Transport) Swapped {
	if a.Engine != nil {
		return a.Engine(t)
	}
	return %s
}
`

func main() {
	constructors := map[string]string{"loop": "engine.NewLoop(t)", "clientconn": "engine.NewClientConns(t)", "measure": "t"}
	if len(os.Args) < 3 || constructors[os.Args[1]] == "" {
		fmt.Fprintln(os.Stderr, "usage: swap loop|clientconn|measure build|test|run arguments")
		os.Exit(2)
	}
	if err := run("..", constructors[os.Args[1]], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "swap:", err)
		os.Exit(1)
	}
}

// run makes the overlay of the library at root in a directory of its own, and
// runs the go command.
func run(root, constructor, verb string, args []string) error {
	dir, err := os.MkdirTemp("", "swap")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file, err := overlay(root, dir, constructor)
	if err != nil {
		return err
	}
	var flags []string
	if len(args) > 1 && args[0] == "-C" { // must come first
		flags, args = args[:2], args[2:]
	}
	flags = append(append([]string{verb}, flags...), "-overlay="+file, "-tags=swapped")
	if verb == "test" {
		flags = append(flags, "-vet=off") // vet does not know of overlays
	}
	cmd := exec.Command("go", append(flags, args...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// overlay writes the changed files to dir, and returns the file that says
// what takes the place of what.
func overlay(root, dir, constructor string) (string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	texts := map[string]string{"engine_glue.go": fmt.Sprintf(glue, constructor)}
	for _, e := range edits() {
		if texts[e.file] == "" {
			b, err := os.ReadFile(filepath.Join(root, e.file))
			if err != nil {
				return "", err
			}
			texts[e.file] = string(b)
		}
		if n := strings.Count(texts[e.file], e.old); n != 1 {
			return "", fmt.Errorf("%s has %d of %q", e.file, n, e.old)
		}
		texts[e.file] = strings.Replace(texts[e.file], e.old, e.new, 1)
	}
	replace := map[string]string{}
	for name, text := range texts {
		path := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(root, name)] = path
	}
	for _, name := range []string{"pool.go", "loop.go", "clientconn.go"} {
		replace[filepath.Join(root, "internal", "engine", name)] = filepath.Join(root, "bench", "engine", name)
	}
	replace[filepath.Join(root, "bench", "engines.go")] = filepath.Join(root, "bench", "engine", "measure.go")
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, b, 0o600)
}
