package requests

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// roomLevels are the rooms of the package, the ground floor first: a file may
// use what stands on its own floor and on those below.
var roomLevels = [][]string{
	{"doc", "errors", "headers"},
	{
		"body", "cookies", "cookies_caller", "cookies_date", "cookies_file", "cookies_index", "cookies_parse",
		"cookies_receive", "cookies_rules", "cookies_send", "encoding", "environment", "multipart", "netrc", "netrc_other",
		"netrc_unix", "nonce", "home_unix", "home_windows", "json", "proxy", "retry", "tls", "tlsbundle", "upload", "watchdog",
	},
	{
		"auth", "chunks", "digest", "guard", "hooks", "lines", "option", "options", "prepared", "proxyauth", "redirects", "request",
		"response", "stream",
	},
	{"adapter", "attempts", "exchange", "failure", "hosts", "hosts_http2", "receiving", "sending", "tlsfiles", "transport", "tripctx"},
	{"format", "mounts", "roundtripper", "session", "settings"},
	{"requests"},
}

// stairs are the references upwards that are meant, each with its reason.
var stairs = map[string]string{
	"errors: PreparedRequest": "an error holds the request that failed",
	"errors: Response":        "an error holds the response that it is about",
	"errors: Attempt":         "an error lists what was tried before it",
	"encoding: Response":      "texts are methods of the response",
	"body: Request":           "what a body is made of are the request's fields",
	"body: Fields":            "a form is a body",
	"multipart: Fields":       "a form is a part of a multipart body",
	"response: chain":         "Next makes the next request by the rules of the session that sent the last",
	"redirects: Session":      "a redirect takes the session's cookies, netrc and proxies",
	"redirects: callSettings": "a redirect takes the proxies of the call",
	"tls: TLSSettings":        "an adapter's settings become a configuration",
	"retry: isRedirect":       "a retried redirect has a count of its own",

	"headers: userAgent":                "the name and version of the package stand on its first page",
	"headers: acceptEncoding":           "what is accepted stands beside the version",
	"guard: defaultMaxRedirects":        "the defaults stand on the package's first page",
	"options: defaultMaxRedirects":      "the defaults stand on the package's first page",
	"session: defaultMaxRedirects":      "the defaults stand on the package's first page",
	"roundtripper: defaultMaxRedirects": "the defaults stand on the package's first page",

	"body: invalidOption":  "an error is made by the constructor of its kind",
	"retry: invalidOption": "an error is made by the constructor of its kind",
	"tls: invalidOption":   "an error is made by the constructor of its kind",
	"prepared: inRequest":  "errors are mapped in one place",
	"prepared: urlError":   "errors are mapped in one place",
	"digest: withResponse": "errors are mapped in one place",
	"body: itoa":           "a number's text",
	"multipart: itoa":      "a number's text",
	"upload: itoa":         "a number's text",
	"multipart: openFile":  "a file's option opens it",
	"stream: drainTime":    "the limits of a drain are the trip's",
	"digest: rawValues":    "received values as bytes",
	"adapter: rawValues":   "received values as bytes",
}

// levelOf returns the floor of a file, or -1.
func levelOf(file string) int {
	return slices.IndexFunc(roomLevels, func(rooms []string) bool { return slices.Contains(rooms, file) })
}

// parseRooms parses the package, each file under its name without ".go".
func parseRooms(t *testing.T) map[string]*ast.File {
	t.Helper()
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	files := map[string]*ast.File{}
	for _, e := range entries {
		name, isGo := strings.CutSuffix(e.Name(), ".go")
		if !isGo || strings.HasSuffix(name, "_test") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, 0)
		require.NoError(t, err)
		files[name] = f
	}
	return files
}

// declared returns where each name of the package is declared; methods go
// with their types.
func declared(files map[string]*ast.File) map[string]string {
	at := map[string]string{}
	for name, f := range files {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					at[d.Name.Name] = name
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						at[spec.Name.Name] = name
					case *ast.ValueSpec:
						for _, id := range spec.Names {
							at[id.Name] = name
						}
					}
				}
			}
		}
	}
	return at
}

// Inside a package the compiler lets every file use every other; this does
// not: what a file refers to stands on its own floor or below.
func TestRoomsReferDownwards(t *testing.T) {
	files := parseRooms(t)
	at := declared(files)
	used := map[string]bool{}
	for name, f := range files {
		level := levelOf(name)
		if !assert.GreaterOrEqual(t, level, 0, "%s.go has no floor: add it to roomLevels", name) {
			continue
		}
		seen := map[string]bool{}
		for _, id := range f.Unresolved {
			home, ok := at[id.Name]
			if !ok || seen[id.Name] || levelOf(home) <= level {
				continue
			}
			seen[id.Name] = true
			if step := name + ": " + id.Name; stairs[step] != "" {
				used[step] = true
				continue
			}
			t.Errorf("%s.go refers to %s of %s.go above it", name, id.Name, home)
		}
	}
	for step := range stairs {
		assert.True(t, used[step], "%s is no reference upwards any more: take it out of stairs", step)
	}
}
