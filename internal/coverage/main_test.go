package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// profile is one of all files that have to be run whole, with more lines.
func profile(more ...string) string {
	var b strings.Builder
	b.WriteString("mode: set\n")
	for _, pattern := range whole() {
		b.WriteString(module + strings.ReplaceAll(pattern, "*", "x.go") + ":1.1,2.2 10 1\n")
	}
	for _, line := range more {
		b.WriteString(module + line + "\n")
	}
	return b.String()
}

func TestReport(t *testing.T) {
	tests := []struct {
		name    string
		profile string
		enough  bool
		says    string
	}{
		{"all is run", profile(), true, "100.00 %  auth.go\n"},
		{"a rule is left out", profile("auth.go:7.1,9.2 1 0", "auth.go:3.1,4.2 1 0"), false, "83.33 %  auth.go  not at 3 7  BELOW 100 %\n"},
		{"another package runs it", profile("auth.go:7.1,9.2 1 0", "auth.go:7.1,9.2 1 1"), true, "100.00 %  auth.go\n"},
		{"two blocks of a line", profile("auth.go:7.1,7.9 1 1", "auth.go:7.9,7.20 1 0"), false, "91.67 %  auth.go  not at 7  BELOW 100 %\n"},
		{"enough of the rest", profile("tls.go:1.1,2.2 93 1", "tls.go:3.1,4.2 7 0"), true, "93.00 %  tls.go  not at 3\n"},
		{"too little of the rest", profile("tls.go:3.1,4.2 7 0"), false, "94.89 %  in all  BELOW 95 %\n"},
		{"what tests use", profile("examples/a/main.go:1.1,2.2 99 0", "internal/testserver/ca.go:1.1,2.2 99 0"), true, "100.00 %  in all\n"},
		{"a file has gone", strings.ReplaceAll(profile(), "guard.go", "watch.go"), false, "- %  guard.go  NOT THERE\n"},
		{"nothing", "mode: set\n", false, "0.00 %  in all  BELOW 95 %\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			blocks, err := parse(strings.NewReader(tt.profile))
			require.NoError(t, err)
			var text strings.Builder
			got := report(&text, tally(blocks))
			assert.Equal(t, tt.enough, got, text.String())
			assert.Contains(t, text.String(), tt.says)
		})
	}
}

func TestParseRefuses(t *testing.T) {
	_, err := parse(strings.NewReader(profile("auth.go:7.1 1 0")))
	assert.ErrorContains(t, err, "auth.go:7.1 1 0")
}
