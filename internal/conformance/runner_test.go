package conformance

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// Runner replays the cases of a corpus.
type Runner struct {
	// Authority signs the certificates of the origins.
	Authority *Authority
	// Deviations are the cases that differ on purpose.
	Deviations Deviations
	// Dir is an empty directory for the files of cases.
	Dir string
}

// Run replays all cases, those that change the environment first and one after
// the other, those that measure time last and two at a time, lest the others
// take the processor from them. It reports in the corpus's order. While it runs the process's
// environment has no proxies, bundles, netrc and home of the user's; it is put
// back at the end.
func (r *Runner) Run(ctx context.Context, corpus Corpus) (Report, error) {
	env, err := cleanEnvironment(r.Dir)
	if err != nil {
		return nil, err
	}
	defer env.restore()
	report := make(Report, len(corpus))
	for i, c := range corpus {
		if c.serial() {
			report[i] = r.serial(ctx, env, c, i)
		}
	}
	each := func(workers int, timed bool) {
		next := make(chan int)
		var running sync.WaitGroup
		for range workers {
			running.Go(func() {
				for i := range next {
					report[i] = r.one(ctx, corpus[i])
				}
			})
		}
		for i, c := range corpus {
			if !c.serial() && c.timed() == timed {
				next <- i
			}
		}
		close(next)
		running.Wait()
	}
	each(4*runtime.GOMAXPROCS(0), false)
	each(2, true)
	return report, nil
}

// one replays a case and judges it.
func (r *Runner) one(ctx context.Context, c *Case) Result {
	if c.err != nil {
		return Result{Case: c, Why: []string{"runner: not of the format: " + c.err.Error()}}
	}
	got, err := Replay(ctx, r.Authority, c)
	if err != nil {
		return Result{Case: c, Why: []string{"runner: " + err.Error()}}
	}
	entry, listed := r.Deviations[c.Name]
	return judge(c, got, entry, listed)
}

// serial replays a case in the environment that it asks for.
func (r *Runner) serial(ctx context.Context, env *environment, c *Case, number int) Result {
	defer env.clean()
	if err := r.setEnvironment(c, filepath.Join(r.Dir, fmt.Sprintf("case%d", number))); err != nil {
		return Result{Case: c, Why: []string{"runner: " + err.Error()}}
	}
	return r.one(ctx, c)
}

// setEnvironment sets the variables of a case, and writes its netrc files to a
// directory that is made.
func (r *Runner) setEnvironment(c *Case, dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	vars := map[string]string{}
	for name, value := range c.Env {
		vars[name] = r.Authority.path(value)
	}
	write := func(name, text string) error {
		return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)
	}
	if c.Netrc != nil {
		if err := write("netrc", *c.Netrc); err != nil {
			return err
		}
		vars["NETRC"] = filepath.Join(dir, "netrc")
	}
	if c.HomeNetrc != nil {
		if err := write(".netrc", *c.HomeNetrc); err != nil {
			return err
		}
		vars["HOME"], vars["USERPROFILE"] = dir, dir
	}
	for name, value := range vars {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

// environment is the process's as it was, and the home that it has meanwhile.
type environment struct {
	saved []string
	home  string
}

// cleanEnvironment saves the environment and takes out of it what the library
// reads.
func cleanEnvironment(dir string) (*environment, error) {
	e := &environment{saved: os.Environ(), home: filepath.Join(dir, "home")}
	if err := os.Mkdir(e.home, 0o700); err != nil {
		return nil, err
	}
	e.clean()
	return e, nil
}

// clean leaves the environment without anything that the library reads.
func (e *environment) clean() {
	e.restore()
	for _, line := range os.Environ() {
		if name, _, _ := strings.Cut(line, "="); readByLibrary(name) {
			os.Unsetenv(name)
		}
	}
	os.Setenv("HOME", e.home)
	os.Setenv("USERPROFILE", e.home)
}

// readByLibrary reports whether a variable changes what the library does.
func readByLibrary(name string) bool {
	switch name {
	case "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "NETRC", "REQUEST_METHOD":
		return true
	}
	return strings.HasSuffix(strings.ToLower(name), "_proxy")
}

// restore puts back the environment that was saved.
func (e *environment) restore() {
	os.Clearenv()
	for _, line := range e.saved {
		if name, value, ok := strings.Cut(line, "="); ok && name != "" {
			os.Setenv(name, value)
		}
	}
}

// Report is the results of a corpus, in its order.
type Report []Result

// count returns how many results have a verdict.
func (r Report) count(v Verdict) int {
	n := 0
	for i := range r {
		if r[i].Verdict == v {
			n++
		}
	}
	return n
}

// Failed returns how many cases failed.
func (r Report) Failed() int { return r.count(Failed) }

// Print writes the matches by group, the deviations by rule, the failures with
// their differences, and last the line of sums.
func (r Report) Print(w io.Writer) error {
	var b strings.Builder
	groups, rules := map[string][2]int{}, map[string][]string{}
	for i := range r {
		g := groups[r[i].Case.Group()]
		g[1]++
		if r[i].Verdict == Matched {
			g[0]++
		}
		groups[r[i].Case.Group()] = g
		if r[i].Verdict == Deviated {
			rules[r[i].Rule] = append(rules[r[i].Rule], r[i].Case.Name)
		}
	}
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		fmt.Fprintf(&b, "matched %-18s %d of %d\n", group, groups[group][0], groups[group][1])
	}
	for _, rule := range slices.Sorted(maps.Keys(rules)) {
		fmt.Fprintf(&b, "deviation %-8s %d: %s\n", rule, len(rules[rule]), strings.Join(rules[rule], " "))
	}
	for i := range r {
		if r[i].Verdict == Failed {
			fmt.Fprintf(&b, "FAILED %s: %s\n    %s\n", r[i].Case.Name, r[i].Case.Why, strings.Join(r[i].Why, "\n    "))
		}
	}
	fmt.Fprintf(&b, "conformance: %d matched, %d deviations, %d failed, %d cases\n",
		r.count(Matched), r.count(Deviated), r.count(Failed), len(r))
	_, err := io.WriteString(w, b.String())
	return err
}

// Record returns what was done in the failing cases in the place of the
// record, with the rules left empty.
func (r Report) Record() Deviations {
	d := Deviations{}
	for i := range r {
		if r[i].Verdict != Failed || r[i].Got == nil {
			continue
		}
		if ours := r[i].ours(); len(ours) > 0 {
			d[r[i].Case.Name] = Deviation{Ours: ours}
		}
	}
	return d
}
