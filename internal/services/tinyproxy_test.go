//go:build linux

package services_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/seed-9ea40bd3/requests"
)

// tinyUser is the user of tinyproxy, which has no way to quote a password.
const (
	tinyUser     = "alice"
	tinyPassword = "s3cret"
)

func TestTinyproxy(t *testing.T) {
	path := program(t, "tinyproxy", "tinyproxy")
	sv := newServers(t)
	start := func(more string) (proxy string) {
		dir, port := folder(t), freePorts(t, 1)[0]
		file := put(t, dir, "tinyproxy.conf", fmt.Sprintf(`
Port %d
Listen 127.0.0.1
Timeout 10
MaxClients 50
PidFile "%s/tiny.pid"
LogFile "%s/tiny.log"
LogLevel Warning
Allow 127.0.0.1
%s
`, port, dir, dir, more))
		daemon{path: path, args: []string{"-d", "-c", file}, dir: dir, ports: []int{port}}.start(t)
		return "http://" + address(port)
	}
	// It closes connections after a response that promises to keep them, so
	// that a POST right after may get lost, and is not repeated.
	closing := (*requests.HTTPAdapter).CloseIdleConnections
	open, basic := start(""), start("BasicAuth "+tinyUser+" "+tinyPassword)
	t.Run("open", func(t *testing.T) {
		sv.checkPassesWith(t, closing, open)
		sv.checkHeads(t, open)
		sv.checkAbsoluteForm(t, open)
		sv.checkStillVerifies(t, open)
	})
	t.Run("unreachable origin", func(t *testing.T) { sv.checkUnreachable(t, open) })
	t.Run("basic right", func(t *testing.T) {
		sv.checkPassesWith(t, closing, withUser(basic, tinyUser, tinyPassword))
		sv.checkHeads(t, withUser(basic, tinyUser, tinyPassword))
	})
	t.Run("basic wrong", func(t *testing.T) {
		// Its answer to wrong credentials is an origin's, and is told as it is.
		sv.checkRefused(t, withUser(basic, tinyUser, "wrong-password"), http.StatusUnauthorized)
	})
	t.Run("basic none", func(t *testing.T) { sv.checkRefused(t, basic, http.StatusProxyAuthRequired) })
}
