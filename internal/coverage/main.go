// Program coverage reads the profile that go test has written and fails where
// the tests leave too much out: one statement of the files that decide about
// redirects, credentials, cookies, proxies, headers and URLs, or more than one
// in twenty of all. Packages that only tests use do not count.
//
//	go run ./internal/coverage cover.out
package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// module is the path that the files' names begin with in a profile.
const module = "github.com/seed-9ea40bd3/requests/"

// whole returns the patterns of the files of which every statement is run: those
// that decide who gets to see what.
func whole() []string {
	return []string{
		"redirects.go", "auth.go", "digest.go", "proxyauth.go", "netrc*.go", "cookies*.go",
		"proxy.go", "headers.go", "environment.go", "guard.go",
		"internal/digest/*", "internal/netrc/*", "internal/uri/*",
	}
}

// floor is the percentage of all statements that is run.
const floor = 95

func main() {
	if len(os.Args) != 2 {
		fail("usage: coverage PROFILE")
	}
	f, err := os.Open(os.Args[1])
	if err != nil {
		fail(err)
	}
	defer f.Close()
	blocks, err := parse(f)
	if err != nil {
		fail(err)
	}
	if !report(os.Stdout, tally(blocks)) {
		os.Exit(1)
	}
}

// fail ends the program with another status than that of a report which says no.
func fail(why any) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(2)
}

// block is a run of statements of a file, from line to line.
type block struct {
	file     string
	from, to int
	place    string // all that the profile says of where it stands
}

// count is how many statements there are, and how many of them are run.
type count struct{ all, run int }

// parse reads a profile:
//
//	profile = "mode: " word *block
//	block   = file ":" line "." column "," line "." column " " statements " " times
//
// Where several packages were tested each has told of every block: it is run
// where one of them runs it.
func parse(r io.Reader) (map[block]count, error) {
	blocks := map[block]count{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		file, rest, ok := strings.Cut(strings.TrimPrefix(lines.Text(), module), ":")
		if !ok || file == "mode" {
			continue
		}
		b := block{file: file}
		var fromColumn, toColumn, statements, times int
		_, err := fmt.Sscanf(rest, "%d.%d,%d.%d %d %d",
			&b.from, &fromColumn, &b.to, &toColumn, &statements, &times)
		if err != nil {
			return nil, fmt.Errorf("%q is no line of a profile: %w", lines.Text(), err)
		}
		b.place, _, _ = strings.Cut(rest, " ")
		c := blocks[b]
		c.all = statements
		if times > 0 {
			c.run = statements
		}
		blocks[b] = c
	}
	return blocks, lines.Err()
}

// file is what is said of a file.
type file struct {
	count
	missed []int // the lines at which a block begins that is not run
}

// supports reports whether a file is of a package that serves tests, or shows
// how the library is used, and so does not count.
func supports(file string) bool {
	for _, dir := range [...]string{
		"examples/", "internal/conformance/", "internal/coverage/", "internal/services/",
		"internal/testserver/",
	} {
		if strings.HasPrefix(file, dir) {
			return true
		}
	}
	return false
}

// tally adds the blocks up by file.
func tally(blocks map[block]count) map[string]file {
	files := map[string]file{}
	for b, c := range blocks {
		if supports(b.file) {
			continue
		}
		f := files[b.file]
		f.all, f.run = f.all+c.all, f.run+c.run
		if c.run < c.all {
			f.missed = append(f.missed, b.from)
			slices.Sort(f.missed)
		}
		files[b.file] = f
	}
	return files
}

// report writes a line for each file that has to be run whole, and one for the
// rest that is not, and says whether enough is run. A pattern without a file is
// too little: the file has got another name.
func report(w io.Writer, files map[string]file) (enough bool) {
	enough = true
	total := count{}
	patterns := whole()
	unmatched := slices.Clone(patterns)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f := files[name]
		total.all, total.run = total.all+f.all, total.run+f.run
		matches := func(pattern string) bool { ok, _ := path.Match(pattern, name); return ok }
		must := slices.ContainsFunc(patterns, matches)
		unmatched = slices.DeleteFunc(unmatched, matches)
		mark := ""
		if must && len(f.missed) > 0 {
			enough, mark = false, "  BELOW 100 %"
		}
		if must || len(f.missed) > 0 {
			fmt.Fprintf(w, "%6.2f %%  %s%s%s\n", f.percent(), name, at(f.missed), mark)
		}
	}
	for _, pattern := range unmatched {
		enough = false
		fmt.Fprintf(w, "     - %%  %s  NOT THERE\n", pattern)
	}
	mark := ""
	if total.percent() < floor {
		enough, mark = false, fmt.Sprintf("  BELOW %d %%", floor)
	}
	fmt.Fprintf(w, "%6.2f %%  in all%s\n", total.percent(), mark)
	return enough
}

// percent is how much of it is run.
func (c count) percent() float64 {
	if c.all == 0 {
		return 0
	}
	return 100 * float64(c.run) / float64(c.all)
}

// at says where the tests do not come.
func at(lines []int) string {
	if len(lines) == 0 {
		return ""
	}
	return "  not at " + strings.Trim(fmt.Sprint(slices.Compact(slices.Clone(lines))), "[]")
}
