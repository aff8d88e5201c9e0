package conformance

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

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

// TestCorpus replays a corpus, and fails where a case does.
func TestCorpus(t *testing.T) {
	corpus, err := LoadCorpus(fromRoot(t, *corpusDir, defaultCorpus))
	require.NoError(t, err)
	corpus = corpus.Only(*onlyGroup)
	require.NotEmpty(t, corpus, "no case of the group")
	deviations, err := LoadDeviations(fromRoot(t, *deviationsFile, defaultCorpus+"/"+deviationsName))
	require.NoError(t, err)
	if *corpusDir == "" && *onlyGroup == "" {
		require.Empty(t, deviations.Unknown(corpus), "deviations of cases that are not there")
	}
	r := Runner{Authority: NewAuthority(t), Deviations: deviations, Dir: t.TempDir()}
	report, err := r.Run(t.Context(), corpus)
	require.NoError(t, err)
	if *recordFile != "" {
		require.NoError(t, report.Record().Write(fromRoot(t, *recordFile, "")))
	}
	require.NoError(t, report.Print(os.Stdout))
	if report.Failed() > 0 {
		t.Fail()
	}
}
