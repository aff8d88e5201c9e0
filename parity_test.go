package requests_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	documented      = 139 // statements of the reference document
	referenceTests  = 347 // test functions of the reference's own suite
	parityPage      = "docs/parity.md"
	recordedCorpus  = "testdata/conformance"
	recordedExclude = "deviations.json"
	// parityDeviations is the head of the page's list of rules.
	parityDeviations = "\n## What differs\n"
)

// TestParity holds docs/parity.md to what is there: each row once, and every
// test, example and recorded case that it names.
func TestParity(t *testing.T) {
	page, err := os.ReadFile(parityPage)
	require.NoError(t, err)
	behaviour, _, found := strings.Cut(string(page), parityDeviations)
	require.True(t, found)
	rows := parityRows(behaviour)

	var statements, functions int
	seen := map[string]bool{}
	for _, row := range rows {
		key := row[0]
		assert.False(t, seen[key], "%s is there twice", key)
		seen[key] = true
		switch {
		case strings.Contains(key, "::"):
			functions++
		case strings.HasPrefix(key, "S"):
			statements++
		default:
			t.Errorf("row %q is neither a statement nor a test", key)
		}
	}
	assert.Equal(t, documented, statements)
	assert.Equal(t, referenceTests, functions)
	for i := range documented {
		assert.True(t, seen["S"+strconv.Itoa(i+1)], "S%d is missing", i+1)
	}

	tests, cases := testNames(t), caseNames(t)
	for _, row := range rows {
		shown := row[len(row)-1]
		assert.True(t, testName.MatchString(shown) || saysWhyNot.MatchString(shown), "%s shows nothing and does not say why", row[0])
		for _, name := range testName.FindAllStringSubmatch(shown, -1) {
			assert.True(t, tests[name[1]], "%s: there is no %s", row[0], name[1])
		}
		for _, name := range caseName.FindAllStringSubmatch(shown, -1) {
			assert.True(t, cases[name[1]], "%s: there is no case %s", row[0], name[1])
		}
	}
}

// TestDifferencesAreTold holds the README to the recorded cases that differ on
// purpose: no rule of theirs goes without words in its tables of differences.
func TestDifferencesAreTold(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, told, _ := strings.Cut(string(readme), "\n## Differences from Requests\n")
	told, _, found := strings.Cut(told, "\n## ")
	require.True(t, found)
	page, err := os.ReadFile(parityPage)
	require.NoError(t, err)
	_, list, _ := strings.Cut(string(page), parityDeviations)
	words := map[string]string{}
	for _, row := range parityRows(list) {
		require.Len(t, row, 2)
		assert.NotContains(t, words, row[0], "twice")
		words[row[0]] = row[1]
	}

	data, err := os.ReadFile(filepath.Join(recordedCorpus, recordedExclude))
	require.NoError(t, err)
	var deviations map[string]struct{ Rule string }
	require.NoError(t, json.Unmarshal(data, &deviations))
	rules := map[string]bool{}
	for name, d := range deviations {
		rules[d.Rule] = true
		assert.Contains(t, words, d.Rule, "the rule of %s", name)
	}
	for rule, text := range words {
		assert.True(t, rules[rule], "no case differs by %s", rule)
		assert.Contains(t, told, text, rule)
	}
}

var (
	testName = regexp.MustCompile("`((?:Test|Example|Fuzz)\\w*)`")
	// saysWhyNot is what stands in the place of a test.
	saysWhyNot = regexp.MustCompile(`^(documentation|not yet|not here: .+)$`)
	caseName   = regexp.MustCompile("`([a-z_]+/[a-z0-9_-]+)`")
)

// parityRows returns the cells of the rows of all tables, without their heads.
func parityRows(page string) [][]string {
	var rows [][]string
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| ---") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if cells[0] != "#" && cells[0] != "in Requests" && cells[0] != "rule" {
			rows = append(rows, cells)
		}
	}
	return rows
}

// testNames returns the names of all tests, examples and fuzz targets of the
// module.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || len(d.Name()) > 1 && strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil {
				names[fn.Name.Name] = true
			}
		}
		return nil
	})
	require.NoError(t, err)
	return names
}

// caseNames returns the names of the recorded cases.
func caseNames(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(recordedCorpus, "*.json"))
	require.NoError(t, err)
	names := map[string]bool{}
	for _, file := range files {
		if filepath.Base(file) == recordedExclude {
			continue
		}
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		var cases []struct{ Name string }
		require.NoError(t, json.Unmarshal(data, &cases), file)
		for _, c := range cases {
			names[c.Name] = true
		}
	}
	return names
}
