package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-9ea40bd3/requests"
)

// nginxPatience is how long nginx may take to listen, and to end.
const nginxPatience = 10 * time.Second

// nginx is a running nginx.
type nginx struct {
	URL, dir string
	cmd      *exec.Cmd
}

// startNginx starts nginx with directives for its http block. It returns an
// [errSkipped] where there is none.
func startNginx(directives string) (*nginx, error) {
	path, err := exec.LookPath("nginx")
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/nginx")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: nginx is not here; it is in the Debian package nginx-light", errSkipped)
	}
	dir, err := os.MkdirTemp("", "soak-")
	if err != nil {
		return nil, err
	}
	free, err := closedPort()
	if err != nil {
		return nil, err
	}
	n := &nginx{URL: free, dir: dir}
	user := ""
	if os.Getuid() == 0 {
		user = "user root;"
	}
	text := strings.NewReplacer("DIR", dir, "ADDRESS", strings.TrimPrefix(free, "http://")).Replace(`
worker_processes 1; daemon off; pid DIR/pid; error_log DIR/error.log warn; ` + user + `
events { worker_connections 2048; }
http {
  client_body_temp_path DIR/b; proxy_temp_path DIR/p; fastcgi_temp_path DIR/f; uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;
  ` + directives + `
  server { listen ADDRESS backlog=1024; location / { return 200 "ok"; } }
}
`)
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	n.cmd = exec.Command(path, "-c", config, "-e", filepath.Join(dir, "error.log"))
	if err := n.cmd.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	for end := time.Now().Add(nginxPatience); time.Now().Before(end); pause(20 * time.Millisecond) {
		c, err := net.Dial("tcp", strings.TrimPrefix(free, "http://"))
		if err == nil {
			c.Close()
			return n, nil
		}
	}
	log, _ := os.ReadFile(filepath.Join(dir, "error.log"))
	n.stop()
	return nil, fmt.Errorf("nginx does not listen: %s", log)
}

// stop ends nginx and removes what it wrote.
func (n *nginx) stop() {
	_ = n.cmd.Process.Signal(os.Interrupt)
	kill := time.AfterFunc(nginxPatience, func() { _ = n.cmd.Process.Kill() })
	_ = n.cmd.Wait()
	kill.Stop()
	_ = os.RemoveAll(n.dir)
}

// The bars of L6: nginx closes a connection after so many requests.
const (
	turns, turnsShort = 100_000, 10_000
	turnsEach         = 50
	turnsSpread       = 5 // connections
)

// runTurns is L6.
func runTurns(ctx context.Context, s settings, r *report) error {
	n, err := startNginx(fmt.Sprintf("access_log off; keepalive_requests %d; keepalive_timeout 75s;", turnsEach))
	if err != nil {
		return err
	}
	defer n.stop()
	var dials atomic.Int64
	session := newSession(&requests.HTTPAdapter{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}})
	defer session.Close()
	total, lost := choose(s, turns, turnsShort), 0
	var errs []string
	begin := time.Now()
	for i := 0; i < total && ctx.Err() == nil; i++ {
		resp, err := session.Get(ctx, n.URL+"/")
		if err == nil && resp.Text() != "ok" {
			err = errors.New("another body")
		}
		if err != nil {
			lost++
			errs = append(errs, err.Error())
		}
	}
	r.note("requests", "%d, %.0f/s", total, float64(total)/time.Since(begin).Seconds())
	r.none("lost", lost)
	r.samples("lost", errs)
	want := float64(total / turnsEach)
	r.atLeast("connections", float64(dials.Load()), want-turnsSpread, "")
	r.atMost("connections", float64(dials.Load()), want+turnsSpread, "")
	return ctx.Err()
}

// The race of L7: nginx closes a connection that was idle for so long, while
// the client sends again after the same time, give or take the spread.
const (
	idleKeepAlive = 2 * time.Second
	idleSpread    = 2 * time.Millisecond
	idleWorkers   = 64
	idleEach      = 8
	idleRace      = 5 // POSTs that net/http loses, where it is one
	idlePosts     = 5 // may be lost of ours, or a tenth of what net/http loses
)

// racer is one client and method in the race.
type racer struct {
	name string
	send func(ctx context.Context, id string) error
	// limit is how many may be lost; twice whether one may be delivered twice.
	limit float64
	twice bool
	lost  map[string]error
}

// runIdleRace is L7.
func runIdleRace(ctx context.Context, s settings, r *report) error {
	n, err := startNginx(fmt.Sprintf(`log_format ledger "$http_x_id"; access_log DIR/ledger ledger;
  keepalive_timeout %ds; keepalive_requests 1000;`, int(idleKeepAlive.Seconds())))
	if err != nil {
		return err
	}
	defer n.stop()
	session := newSession(&requests.HTTPAdapter{})
	defer session.Close()
	insistent := newSession(&requests.HTTPAdapter{MaxRetries: &requests.Retry{Total: 3, AnyMethod: true}})
	defer insistent.Close()
	client := newBare()
	defer client.CloseIdleConnections()
	racers := []*racer{
		{name: "net/http POST", send: barePost(client, n.URL), limit: idleWorkers * idleEach, twice: true},
		{name: "POST", send: sender(session, http.MethodPost, n.URL), limit: idlePosts},
		{name: "POST with AnyMethod", send: sender(insistent, http.MethodPost, n.URL), twice: true},
		{name: "GET", send: sender(session, http.MethodGet, n.URL), twice: true},
		{name: "PUT", send: sender(session, http.MethodPut, n.URL), twice: true},
		{name: "DELETE", send: sender(session, http.MethodDelete, n.URL), twice: true},
	}
	var wg sync.WaitGroup
	p := plan{seed: s.seed}
	for i, x := range racers {
		wg.Go(func() { x.lost = x.race(ctx, p, uint64(i)) })
	}
	wg.Wait()
	return judgeRace(racers, n, r)
}

// judgeRace compares what was lost with nginx's log.
func judgeRace(racers []*racer, n *nginx, r *report) error {
	text, err := os.ReadFile(filepath.Join(n.dir, "ledger"))
	if err != nil {
		return err
	}
	delivered := map[string]int{}
	for line := range strings.Lines(string(text)) {
		delivered[strings.TrimSpace(line)]++
	}
	if n := len(racers[0].lost); n < idleRace {
		r.note("NOT MUCH OF A RACE", "net/http alone lost %d POSTs; %d make one", n, idleRace)
	}
	racers[1].limit = max(racers[1].limit, float64(len(racers[0].lost)/10))
	for _, x := range racers {
		var errs []string
		wrong := 0
		for w := range idleWorkers {
			for i := range idleEach {
				id := x.id(w, i)
				switch n := delivered[id]; {
				case x.lost[id] == nil && n == 0, n > 1 && !x.twice:
					wrong++
				}
				if err := x.lost[id]; err != nil {
					errs = append(errs, err.Error())
				}
			}
		}
		r.atMost(x.name+", lost of 512", float64(len(x.lost)), x.limit, "")
		r.none(x.name+", not as told", wrong)
		if x.limit < idleWorkers*idleEach {
			r.samples("lost", errs)
		}
	}
	return nil
}

func (x *racer) id(worker, i int) string {
	return strings.ReplaceAll(x.name, " ", "_") + "-" + strconv.Itoa(worker) + "-" + strconv.Itoa(i)
}

// race has the workers send, and returns what was lost.
func (x *racer) race(ctx context.Context, p plan, number uint64) map[string]error {
	var wg sync.WaitGroup
	var mu sync.Mutex // guards lost
	lost := map[string]error{}
	for w := range idleWorkers {
		rng := p.source(number<<32|uint64(w), 0)
		wg.Go(func() {
			for i := range idleEach {
				if i > 0 {
					pause(idleKeepAlive - idleSpread + time.Duration(rng.Int64N(int64(2*idleSpread))))
				}
				if err := x.send(ctx, x.id(w, i)); err != nil {
					mu.Lock()
					lost[x.id(w, i)] = err
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return lost
}

// sender sends by the library.
func sender(s *requests.Session, method, url string) func(context.Context, string) error {
	return func(ctx context.Context, id string) error {
		opts := []requests.Option{requests.Header("X-Id", id)}
		if method != http.MethodGet {
			opts = append(opts, requests.BodyText("body"))
		}
		_, err := s.Do(ctx, method, url, opts...)
		return err
	}
}

// barePost sends by net/http.
func barePost(c *http.Client, url string) func(context.Context, string) error {
	return func(ctx context.Context, id string) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader("body"))
		if err != nil {
			return err
		}
		req.Header.Set("X-Id", id)
		resp, err := c.Do(req)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}
}
