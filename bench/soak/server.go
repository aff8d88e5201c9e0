package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http/httputil"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// bodySize is that of the answers; it stands in bodyHead too.
const bodySize = 512

// server speaks HTTP/1.1 on a socket of its own. It answers
//
//	/ID       with the body of the plan for that number, under its faults
//	/down/N   with N bytes
//	/lines/N  with N bytes, a line feed after each 9; /line/N with none
//
// and takes any body. It allocates next to nothing, so that what is counted in
// this process is the client's.
type server struct {
	URL   string
	plan  plan
	kinds []fault
	// pause is how long the answer to a request is waited with; nil is never.
	pause func(id uint64) time.Duration

	ln  net.Listener
	all sync.WaitGroup

	arrivals, refused, open, most atomic.Int64
	uploaded                      atomic.Int64

	mu      sync.Mutex // guards what follows
	conns   map[net.Conn]struct{}
	tries   map[uint64]int
	applied map[uint64]int // by POST
}

// listen starts a server.
func listen(p plan, pause func(uint64) time.Duration) (*server, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{
		URL: "http://" + ln.Addr().String(), plan: p, kinds: faults(), pause: pause, ln: ln,
		conns: map[net.Conn]struct{}{}, tries: map[uint64]int{}, applied: map[uint64]int{},
	}
	s.all.Go(s.accept)
	return s, nil
}

// Close ends the server with all its connections and waits for them.
func (s *server) Close() {
	s.ln.Close()
	s.mu.Lock()
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.all.Wait()
}

func (s *server) accept() {
	for n := uint64(0); ; n++ {
		c, err := s.ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			pause(time.Millisecond) // out of descriptors, for a moment
			continue
		}
		if s.plan.refuses(n) {
			s.refused.Add(1)
			(&exchange{conn: c}).reset()
			c.Close()
			continue
		}
		s.mu.Lock()
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		now := s.open.Add(1)
		for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
		}
		s.all.Go(func() {
			s.serve(c)
			c.Close()
			s.open.Add(-1)
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		})
	}
}

// head is what matters of a request's head.
type head struct {
	post    bool
	path    []byte // valid until the next read
	length  int64
	chunked bool
}

// readHead reads a request's head.
func readHead(br *bufio.Reader, h *head) error {
	line, err := br.ReadSlice('\n')
	if err != nil {
		return err
	}
	method, rest, _ := bytes.Cut(line, []byte(" "))
	path, _, _ := bytes.Cut(rest, []byte(" "))
	h.post, h.path, h.length, h.chunked = string(method) == "POST", append(h.path[:0], path...), 0, false
	for {
		line, err = br.ReadSlice('\n')
		if err != nil {
			return err
		}
		name, value, found := bytes.Cut(line, []byte(":"))
		if !found {
			return nil
		}
		switch {
		case bytes.EqualFold(name, []byte("content-length")):
			h.length, err = strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
		case bytes.EqualFold(name, []byte("transfer-encoding")):
			h.chunked = true
		}
		if err != nil {
			return err
		}
	}
}

// serve answers the requests of a connection until it ends.
func (s *server) serve(c net.Conn) {
	br := bufio.NewReaderSize(c, 64<<10)
	x := &exchange{conn: c, body: make([]byte, bodySize)}
	var h head
	for readHead(br, &h) == nil {
		kind, size, id := parsePath(h.path)
		if kind != "" {
			if !s.readBody(br, h) || !stream(c, kind, size) {
				return
			}
			continue
		}
		if !s.answer(br, h, x, id) {
			return
		}
	}
}

// parsePath reads a request's path: a number, or the name and size of a stream.
func parsePath(path []byte) (kind string, size int64, id uint64) {
	text := string(path[min(1, len(path)):])
	for _, name := range [...]string{"down", "lines", "line"} {
		if len(text) > len(name) && text[:len(name)] == name && text[len(name)] == '/' {
			size, _ = strconv.ParseInt(text[len(name)+1:], 10, 64)
			return name, size, 0
		}
	}
	id, _ = strconv.ParseUint(text, 10, 64)
	return "", 0, id
}

// answer answers one request under the fault that the plan has for it.
func (s *server) answer(br *bufio.Reader, h head, x *exchange, id uint64) bool {
	s.arrivals.Add(1)
	kind, at := -1, 0
	if s.plan.rate > 0 {
		kind, at = s.plan.draw(id, s.try(id), len(s.kinds))
	}
	x.at = at
	if kind >= 0 && s.kinds[kind].early {
		return s.kinds[kind].play(x)
	}
	if !s.readBody(br, h) {
		return false
	}
	if h.post {
		s.mu.Lock()
		s.applied[id]++
		s.mu.Unlock()
	}
	if s.pause != nil {
		pause(s.pause(id))
	}
	s.plan.fill(x.body, id)
	if kind >= 0 {
		return s.kinds[kind].play(x)
	}
	return x.whole()
}

// try returns how often the request came before.
func (s *server) try(id uint64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.tries[id]
	s.tries[id] = n + 1
	return n
}

// count returns how often a POST was applied.
func (s *server) count(id uint64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.applied[id]
}

// readBody reads a request's body to its end.
func (s *server) readBody(br *bufio.Reader, h head) bool {
	if !h.chunked && h.length == 0 {
		return true
	}
	var n int64
	var err error
	if h.chunked {
		buf := make([]byte, 64<<10)
		n, err = io.CopyBuffer(onlyWriter{io.Discard}, httputil.NewChunkedReader(br), buf)
		if err == nil {
			_, err = br.Discard(len("\r\n"))
		}
	} else {
		n, err = io.CopyN(onlyWriter{io.Discard}, br, h.length)
		if err == nil && n < h.length {
			err = io.ErrUnexpectedEOF
		}
	}
	s.uploaded.Add(n)
	return err == nil
}

// onlyWriter hides that a writer reads by itself, so that a buffer is used.
type onlyWriter struct{ io.Writer }

// stream sends size bytes.
func stream(c net.Conn, kind string, size int64) bool {
	block := bytes.Repeat([]byte("abcdefghi"), 20<<10)
	if kind == "lines" {
		block = bytes.Repeat([]byte("abcdefghi\n"), 20<<10)
	}
	if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: "+
		strconv.FormatInt(size, 10)+"\r\n\r\n"); err != nil {
		return false
	}
	for size > 0 {
		n, err := c.Write(block[:min(int64(len(block)), size)])
		if err != nil {
			return false
		}
		size -= int64(n)
	}
	return true
}
