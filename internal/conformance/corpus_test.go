package conformance

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// The arguments of TestCorpus; paths are relative to the module's root.
var (
	corpusDir      = flag.String("corpus", "", "directory of cases to replay; default testdata/conformance")
	deviationsFile = flag.String("deviations", "", "file of deviations; default testdata/conformance/deviations.json")
	onlyGroup      = flag.String("group", "", "replay the cases of this group alone")
	recordFile     = flag.String("record", "", "file to write what failing cases did instead to")
)

const defaultCorpus = "testdata/conformance"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// moduleRoot is the nearest directory above with a go.mod.
func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		require.NotEqual(t, dir, parent, "no go.mod above")
		dir = parent
	}
}

// fromRoot returns a path, or its default, as seen from the module's root.
func fromRoot(t *testing.T, path, fallback string) string {
	t.Helper()
	if path == "" {
		path = fallback
	}
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(moduleRoot(t), path)
}

// arguments are those of TestCorpus, as paths that can be opened.
type arguments struct {
	corpus     string // directory of the cases
	deviations string // "" for the default, which may be absent
	group      string // "" for all
	record     string // "" for none

	fallback string // the default of deviations
	strict   bool   // whether each deviation must be of a case that is there
}

// TestCorpus replays a corpus, and fails where a case does.
func TestCorpus(t *testing.T) {
	a := arguments{
		corpus:   fromRoot(t, *corpusDir, defaultCorpus),
		group:    *onlyGroup,
		fallback: fromRoot(t, "", defaultCorpus+"/"+deviationsName),
		strict:   *corpusDir == "" && *onlyGroup == "",
	}
	if *deviationsFile != "" {
		a.deviations = fromRoot(t, *deviationsFile, "")
	}
	if *recordFile != "" {
		a.record = fromRoot(t, *recordFile, "")
	}
	r := Runner{Authority: NewAuthority(t), Dir: t.TempDir()}
	if !a.replay(t.Context(), &r, os.Stdout) {
		t.Fail()
	}
}

// replay replays the corpus and reports whether all is well. Whatever happens,
// the last line that it writes is that of the sums, and it writes no other.
func (a *arguments) replay(ctx context.Context, r *Runner, w io.Writer) (ok bool) {
	report, err := a.run(ctx, r)
	if err != nil {
		fmt.Fprintf(w, "FAILED: %s\n", strings.ReplaceAll(err.Error(), "\n", " "))
	}
	return errors.Join(err, report.Print(w)) == nil && report.Failed() == 0
}

// run is the work of replay; without an error there are cases in the report.
func (a *arguments) run(ctx context.Context, r *Runner) (Report, error) {
	corpus, err := LoadCorpus(a.corpus)
	if err != nil {
		return nil, err
	}
	if corpus = corpus.Only(a.group); len(corpus) == 0 {
		return nil, fmt.Errorf("%s: no case of the group %q", a.corpus, a.group)
	}
	r.Deviations, err = LoadDeviations(cmp.Or(a.deviations, a.fallback))
	if err != nil && (a.deviations != "" || !errors.Is(err, fs.ErrNotExist)) {
		return nil, err
	}
	report, err := r.Run(ctx, corpus)
	if unknown := r.Deviations.Unknown(corpus); a.strict && len(unknown) > 0 {
		err = errors.Join(err, fmt.Errorf("deviations of cases that are not there: %s", strings.Join(unknown, " ")))
	}
	if a.record != "" {
		err = errors.Join(err, report.Record().Write(a.record))
	}
	return report, err
}

// TestReplay gives the runner what it cannot replay, and what it can.
func TestReplay(t *testing.T) {
	const broken = "[{\"name\": \"t/b\",\n x"
	const sums = "conformance: %d matched, %d deviations, %d failed, %d cases\n"
	sum := func(matched, deviations, failed, cases int) string {
		return fmt.Sprintf(sums, matched, deviations, failed, cases)
	}
	tests := []struct {
		name  string
		files map[string]string // of the corpus's directory; nil for no directory
		group string
		file  string // of deviations, in the directory
		says  string // in what is written before the sums
		sums  string
		ok    bool
	}{
		{"good", map[string]string{"a.json": goodCase}, "", "", "matched t", sum(1, 0, 0, 1), true},
		{"good group", map[string]string{"a.json": goodCase}, "t", "", "matched t", sum(1, 0, 0, 1), true},
		{"no directory", nil, "", "", "no such file", sum(0, 0, 0, 0), false},
		{"empty directory", map[string]string{}, "", "", "no cases", sum(0, 0, 0, 0), false},
		{"empty list", map[string]string{"a.json": "[]"}, "", "", "no cases", sum(0, 0, 0, 0), false},
		{"broken file", map[string]string{"a.json": broken}, "", "", "FAILED a.json: a file of cases\n    runner: not of the format: line 2: ", sum(0, 0, 1, 1), false},
		{"broken file besides", map[string]string{"a.json": broken, "b.json": goodCase}, "", "", "FAILED a.json", sum(1, 0, 1, 2), false},
		{"broken file and a group", map[string]string{"a.json": broken, "b.json": goodCase}, "t", "", "FAILED a.json", sum(1, 0, 1, 2), false},
		{"empty file", map[string]string{"a.json": ""}, "", "", "EOF", sum(0, 0, 1, 1), false},
		{"no list", map[string]string{"a.json": "null"}, "", "", "not a list of cases", sum(0, 0, 1, 1), false},
		{"case without a name", map[string]string{"a.json": `[{}]`}, "", "", "no name", sum(0, 0, 1, 1), false},
		{"twice", map[string]string{"a.json": goodCase, "b.json": goodCase}, "", "", "b.json: a case of this name", sum(1, 0, 1, 2), false},
		{"unknown group", map[string]string{"a.json": goodCase}, "x", "", `no case of the group "x"`, sum(0, 0, 0, 0), false},
		{"no such deviations", map[string]string{"a.json": goodCase}, "", "d.none", "no such file", sum(0, 0, 0, 0), false},
		{"broken deviations", map[string]string{"a.json": goodCase, "d": "{"}, "", "d", "EOF", sum(0, 0, 0, 0), false},
		{"deviation of another corpus", map[string]string{"a.json": goodCase, "d": `{"x/y": {"rule": "V1", "ours": {}}}`}, "", "d", "", sum(1, 0, 0, 1), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := arguments{corpus: filepath.Join(t.TempDir(), "corpus"), group: tt.group, fallback: filepath.Join(t.TempDir(), "none")}
			if tt.files != nil {
				require.NoError(t, os.Mkdir(a.corpus, 0o700))
			}
			for name, text := range tt.files {
				require.NoError(t, os.WriteFile(filepath.Join(a.corpus, name), []byte(text), 0o600))
			}
			if tt.file != "" {
				a.deviations = filepath.Join(a.corpus, tt.file)
			}
			var out strings.Builder
			assert.Equal(t, tt.ok, a.replay(t.Context(), &Runner{Authority: NewAuthority(t), Dir: t.TempDir()}, &out))
			assert.Contains(t, out.String(), tt.says)
			assert.Equal(t, 1, strings.Count(out.String(), "conformance: "))
			assert.True(t, strings.HasSuffix("\n"+out.String(), "\n"+tt.sums), out.String())
		})
	}
	t.Run("deviation of no case", func(t *testing.T) {
		dir := t.TempDir()
		a := arguments{corpus: dir, fallback: filepath.Join(dir, deviationsName), strict: true}
		require.NoError(t, os.WriteFile(filepath.Join(dir, "a.json"), []byte(goodCase), 0o600))
		require.NoError(t, Deviations{"x/y": {Rule: "V1"}}.Write(a.fallback))
		var out strings.Builder
		assert.False(t, a.replay(t.Context(), &Runner{Authority: NewAuthority(t), Dir: t.TempDir()}, &out))
		assert.Contains(t, out.String(), "FAILED: deviations of cases that are not there: x/y\n")
		assert.True(t, strings.HasSuffix(out.String(), sum(1, 0, 0, 1)), out.String())
	})
}
