//go:build linux

package services_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	startLimit = 15 * time.Second // for a program to listen
	stopLimit  = 5 * time.Second  // for it to end by itself
	pollEvery  = 10 * time.Millisecond
)

// missing skips a test that cannot run here, and fails it where it must run.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	reason := fmt.Sprintf(format, args...)
	if os.Getenv("CI") == "true" {
		t.Fatal("CI runs these tests: " + reason)
	}
	t.Skip("NOT TESTED: " + reason)
}

// program returns the path of the first of names that is installed: in PATH or
// where Debian puts daemons.
func program(t *testing.T, pkg string, names ...string) string {
	t.Helper()
	for _, name := range names {
		for _, candidate := range [...]string{name, filepath.Join("/usr/sbin", name), filepath.Join("/usr/lib/squid", name)} {
			if path, err := exec.LookPath(candidate); err == nil {
				return path
			}
		}
	}
	missing(t, "program %s is not here; it is in the Debian package %s", names[0], pkg)
	return ""
}

// freePorts returns ports of the loopback interface that nobody listens on. They
// lie below those that the system gives to connections, of which tests that run
// at the same time make thousands.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	require.NoError(t, err)
	var end int
	_, err = fmt.Sscan(string(text), &end)
	require.NoError(t, err)
	const first = 10_000
	require.Greater(t, end, first+n, "the system gives all ports to connections")
	var ports []int
	for range 1000 {
		port := first + rand.IntN(end-first)
		ln, err := net.Listen("tcp", address(port))
		if err != nil {
			continue
		}
		defer ln.Close() // so that no port comes twice
		if ports = append(ports, port); len(ports) == n {
			return ports
		}
	}
	t.Fatal("no port is free")
	return nil
}

// address is the loopback interface's address with a port.
func address(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// folder makes a folder that other users may enter, for a program that runs
// as one of them, and removes it after the test.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "services-") //nolint:usetesting // a program run as nobody must get into it
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

// put writes a file, with the folders that it is in.
func put(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	return path
}

// run runs a program to its end and returns what it printed.
func run(t *testing.T, path string, args ...string) string {
	t.Helper()
	out, err := exec.Command(path, args...).CombinedOutput()
	require.NoError(t, err, "%s: %s", path, out)
	return string(out)
}

// A daemon is a program to start. It stays in the foreground.
type daemon struct {
	path  string
	args  []string
	dir   string // has its files, and takes its output
	ports []int  // on which it listens
	root  bool   // it must keep the rights that we have
}

// start starts the daemon, waits until it listens, and stops it after the
// test. Whoever is root runs it as nobody.
func (d daemon) start(t *testing.T) {
	t.Helper()
	output, err := os.Create(filepath.Join(d.dir, "output.log"))
	require.NoError(t, err)
	defer output.Close()
	cmd := exec.Command(d.path, d.args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = d.dir, output, output
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", d.mark()}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if os.Getuid() == 0 && !d.root {
		cmd.SysProcAttr.Credential = d.giveToNobody(t)
	}
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		d.stop(t, cmd.Process.Pid, ended)
		if t.Failed() {
			t.Log(d.logs())
		}
	})
	for deadline := time.Now().Add(startLimit); !d.listens(); time.Sleep(pollEvery) {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s ended: %v", d.path, err)
		default:
		}
		require.True(t, time.Now().Before(deadline), "%s does not listen", d.path)
	}
}

// mark is the variable by which the daemon's processes, and their children,
// are known.
func (d daemon) mark() string { return "SERVICES_TEST=" + d.dir }

// giveToNobody hands the folder to nobody and returns its rights.
func (d daemon) giveToNobody(t *testing.T) *syscall.Credential {
	t.Helper()
	nobody, err := user.Lookup("nobody")
	require.NoError(t, err)
	uid, err := strconv.Atoi(nobody.Uid)
	require.NoError(t, err)
	gid, err := strconv.Atoi(nobody.Gid)
	require.NoError(t, err)
	require.NoError(t, filepath.WalkDir(d.dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, uid, gid)
	}))
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// listens reports whether all ports take connections. It asks the kernel: a
// connection that is opened and closed upsets some of the programs.
func (d daemon) listens() bool {
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return false
	}
	for _, port := range d.ports {
		const anyPeer, listening = "00000000:0000", "0A"
		if !strings.Contains(string(table), fmt.Sprintf(":%04X %s %s ", port, anyPeer, listening)) {
			return false
		}
	}
	return true
}

// stop asks the daemon to end, ends it by force where it does not, and sees
// to it that no process and no listener is left.
func (d daemon) stop(t *testing.T, pid int, ended <-chan error) {
	_ = syscall.Kill(-pid, syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(stopLimit):
	}
	_ = syscall.Kill(-pid, syscall.SIGKILL)
	deadline := time.Now().Add(stopLimit)
	for left := d.processes(); len(left) > 0; left = d.processes() {
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if time.Now().After(deadline) {
			t.Errorf("%s left processes: %v", d.path, left)
			break
		}
		time.Sleep(pollEvery)
	}
	for _, port := range d.ports {
		ln, err := net.Listen("tcp", address(port))
		if err != nil {
			t.Errorf("%s left port %d in use: %v", d.path, port, err)
			continue
		}
		ln.Close()
	}
}

// processes returns those that the daemon started, itself included.
func (d daemon) processes() []int {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	var pids []int
	for _, file := range files {
		env, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(append(env, 0), []byte(d.mark()+"\x00")) {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(file, "/")[2]); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// logs returns the ends of the daemon's logs.
func (d daemon) logs() string {
	const tail = 1 << 10
	var b strings.Builder
	files, _ := filepath.Glob(filepath.Join(d.dir, "*.log"))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		fmt.Fprintf(&b, "--- %s\n%s\n", filepath.Base(file), text[max(0, len(text)-tail):])
	}
	return b.String()
}
