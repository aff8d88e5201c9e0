package wire

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"testing"
)

type textHead string

func (h textHead) AppendHead(b []byte) []byte { return append(b, h...) }

var errRefused = errors.New("refused")

// A request that is refused ends, though the transport would send a GET on a
// reused connection again, and the server sees nothing of it.
func TestRefuseEndsTheRequest(t *testing.T) {
	dials := 0
	seen := make(chan string, 10)
	tr := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		dials++
		client, server := net.Pipe()
		go func() {
			in := bufio.NewReader(server)
			for {
				req, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				seen <- req.URL.Path
				_, _ = io.WriteString(server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			}
		}()
		return New(client), nil
	}}
	defer tr.CloseIdleConnections()
	send := func(path string, refuse bool) error {
		trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
			c := info.Conn.(*Conn)
			c.Arm(textHead("GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n"), termIf(info.Reused, Reused), nil)
			if refuse {
				c.Refuse(errRefused)
			}
		}}
		req, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "GET", "http://h/", nil)
		resp, err := tr.RoundTrip(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	if err := send("/first", false); err != nil {
		t.Fatal(err)
	}
	if err := send("/second", true); !errors.Is(err, errRefused) {
		t.Errorf("got %v, want %v", err, errRefused)
	}
	if err := send("/third", false); err != nil {
		t.Fatal(err)
	}
	close(seen)
	got := ""
	for path := range seen {
		got += path
	}
	if want := "/first/third"; got != want || dials != 2 {
		t.Errorf("server saw %q over %d connections, want %q over 2", got, dials, want)
	}
}
