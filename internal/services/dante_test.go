//go:build linux

package services_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/tunnel"
)

// startDante starts dante and returns where it listens.
func startDante(t *testing.T, method string) (addr string) {
	t.Helper()
	path := program(t, "dante-server", "danted", "sockd")
	dir, port := folder(t), freePorts(t, 1)[0]
	file := put(t, dir, "danted.conf", fmt.Sprintf(`
logoutput: %s/dante.log
internal: 127.0.0.1 port = %d
external: lo
socksmethod: %s
clientmethod: none
user.privileged: root
user.unprivileged: nobody
client pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }
socks block { from: 127.0.0.0/8 to: 0.0.0.0/0 port = 9 log: error }
socks pass  { from: 127.0.0.0/8 to: 0.0.0.0/0 log: error }
`, dir, port, method))
	// It forks for each kind of work, and changes user by itself.
	daemon{path: path, args: []string{"-f", file, "-p", dir + "/dante.pid"}, dir: dir, ports: []int{port}, root: true}.start(t)
	return address(port)
}

func TestDante(t *testing.T) {
	if os.Getuid() != 0 {
		missing(t, "dante changes users and has to be started by root")
	}
	addr := startDante(t, "none")
	sv := newServers(t)
	for _, scheme := range []string{"socks4", "socks5", "socks5h"} {
		t.Run(scheme, func(t *testing.T) {
			sv.checkPasses(t, scheme+"://"+addr)
			sv.checkHeads(t, scheme+"://"+addr)
			sv.checkStillVerifies(t, scheme+"://"+addr)
		})
	}
	t.Run("who resolves", func(t *testing.T) { sv.checkResolving(t, addr) })
	t.Run("refusals", func(t *testing.T) { checkSOCKSRefusals(t, addr) })
}

// checkResolving sees whose name server counts: with socks5 and socks4 ours,
// which knows only-here.test, with socks5h the proxy's, which knows localhost.
func (sv servers) checkResolving(t *testing.T, addr string) {
	t.Helper()
	_, port, _ := strings.Cut(sv.plain.addr, ":")
	var asked atomic.Int32
	adapter := func() *requests.HTTPAdapter {
		return &requests.HTTPAdapter{Resolve: func(_ context.Context, host string) ([]netip.Addr, error) {
			asked.Add(1)
			if host != "only-here.test" {
				return nil, errors.New("not this one")
			}
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		}}
	}
	for _, scheme := range []string{"socks4", "socks5"} {
		asked.Store(0)
		s := client(t, adapter(), viaProxy(scheme+"://"+addr))
		r, err := s.Get(t.Context(), "http://only-here.test:"+port+"/")
		require.NoError(t, err, scheme)
		assert.Equal(t, "GET / ", r.Text())
		assert.EqualValues(t, 1, asked.Load(), scheme)
	}
	asked.Store(0)
	s := client(t, adapter(), viaProxy("socks5h://"+addr))
	r, err := s.Get(t.Context(), "http://localhost:"+port+"/")
	require.NoError(t, err)
	assert.Equal(t, "GET / ", r.Text())
	_, err = s.Get(t.Context(), "http://only-here.test:"+port+"/")
	require.ErrorIs(t, err, requests.ErrProxy)
	assert.Zero(t, asked.Load(), "socks5h resolved a name here")
	for _, head := range sv.plain.seen.take() {
		assert.Contains(t, head, ":"+port+"\r\n", "Host")
	}
}

// checkSOCKSRefusals sees the codes with which dante refuses.
func checkSOCKSRefusals(t *testing.T, addr string) {
	t.Helper()
	closed := address(freePorts(t, 1)[0])
	tests := []struct {
		name, scheme, url string
		code              byte
		is                error
	}{
		{"rule", "socks5", "http://127.0.0.1:9/", 0x02, nil},
		{"unknown name", "socks5h", "http://no-such-name.invalid/", 0x04, nil},
		{"refused", "socks5", "http://" + closed + "/", 0x05, syscall.ECONNREFUSED},
		{"refused in a tunnel", "socks5", "https://" + closed + "/", 0x05, syscall.ECONNREFUSED},
		{"version 4", "socks4", "http://" + closed + "/", 0x5b, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := client(t, new(requests.HTTPAdapter), viaProxy(tt.scheme+"://"+addr))
			_, err := s.Get(t.Context(), tt.url)
			require.ErrorIs(t, err, requests.ErrProxy)
			var reply *tunnel.ReplyError
			require.ErrorAs(t, err, &reply)
			assert.Equal(t, tt.code, reply.Code, "%v", err)
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			}
		})
	}
}

func TestDanteUser(t *testing.T) {
	program(t, "dante-server", "danted", "sockd")
	if os.Getuid() != 0 {
		missing(t, "dante asks for users of the system, and only root can make one")
	}
	user := newUser(t, "sockstest", "s3:cr@t")
	addr := startDante(t, "username")
	sv := newServers(t)
	t.Run("right", func(t *testing.T) {
		sv.checkPasses(t, withUser("socks5://"+addr, user, "s3:cr@t"))
		sv.checkHeads(t, withUser("socks5h://"+addr, user, "s3:cr@t"))
	})
	for name, proxy := range map[string]string{
		"wrong": withUser("socks5://"+addr, user, "wrong-password"),
		"none":  "socks5://" + addr,
	} {
		t.Run(name, func(t *testing.T) {
			s := client(t, new(requests.HTTPAdapter), viaProxy(proxy), trusting(sv.ca))
			for _, url := range []string{sv.plain.url, sv.tls.url} {
				_, err := s.Get(t.Context(), url)
				require.ErrorIs(t, err, requests.ErrProxy)
				assert.NotContains(t, err.Error(), "wrong-password")
			}
			assert.Empty(t, append(sv.tls.seen.take(), sv.plain.seen.take()...), "an origin was reached")
		})
	}
}

// newUser makes an account of the system that nobody can log in to, and
// removes it after the test.
func newUser(t *testing.T, name, password string) string {
	t.Helper()
	useradd := program(t, "passwd", "useradd")
	userdel := program(t, "passwd", "userdel")
	chpasswd := program(t, "passwd", "chpasswd")
	name = fmt.Sprintf("%s%d", name, os.Getpid())
	run(t, useradd, "-M", "-s", "/usr/sbin/nologin", name)
	t.Cleanup(func() { run(t, userdel, name) })
	set := exec.Command(chpasswd)
	set.Stdin = strings.NewReader(name + ":" + password + "\n")
	out, err := set.CombinedOutput()
	require.NoError(t, err, "chpasswd: %s", out)
	return name
}
