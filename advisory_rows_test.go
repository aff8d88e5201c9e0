//go:build unix

package requests_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// advisoryRows is how many rows the list of published flaws has.
const advisoryRows = 160

// advisoriesElsewhere are the rows without a test of their own, and why.
var advisoriesElsewhere = map[int]string{
	66:  "floods of key updates are the toolchain's own; go.mod asks for one that has the mend (TestAdvisoriesElsewhere)",
	68:  "no certificates are shipped that could be stale: the system's are used (TestAdvisoriesElsewhere)",
	86:  "nothing lets a caller choose the version in the request line",
	103: "there is no base URL that a path could get away from: every call names its URL in full",
	150: "nothing is saved under a name that a server chose: bodies go to the caller's own io.Writer",
}

// TestAdvisoriesComplete sees to it that every row has a test that is named
// after it, or a reason to have none.
func TestAdvisoriesComplete(t *testing.T) {
	name := regexp.MustCompile(`^TestAdvisory(\d{2,3})_`)
	tests := map[int][]string{}
	files, err := filepath.Glob("advisory_*_test.go")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range parsed.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if m := name.FindStringSubmatch(f.Name.Name); m != nil {
				row, err := strconv.Atoi(m[1])
				require.NoError(t, err)
				tests[row] = append(tests[row], f.Name.Name)
			}
		}
	}
	for row := 1; row <= advisoryRows; row++ {
		why, elsewhere := advisoriesElsewhere[row]
		switch {
		case elsewhere:
			t.Logf("%d has no test: %s", row, why)
			assert.Empty(t, tests[row], "row %d has a test and a reason to have none", row)
		case len(tests[row]) == 0:
			t.Errorf("row %d has neither a test nor a reason", row)
		}
		delete(tests, row)
	}
	assert.Empty(t, tests, "tests of rows that are not there")
}
