package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

const (
	kib = 1 << 10
	mib = 1 << 20

	largeSize  = 10 * mib
	streamSize = 256 * mib
	linesSize  = 100 * mib
	uploadSize = 64 * mib
)

// addresses is what a server tells its parent.
type addresses struct {
	HTTP, HTTPS string // host:port
	CA          string // PEM
}

// startServer runs this program again as a server. stop ends it.
func startServer() (a addresses, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return a, nil, err
	}
	cmd := exec.Command(self, "-serve")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe() // its end stops the server, even where we die
	if err != nil {
		return a, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return a, nil, err
	}
	if err := cmd.Start(); err != nil {
		return a, nil, err
	}
	stop = func() {
		in.Close()
		_ = cmd.Wait()
	}
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&a); err != nil {
		stop()
		return a, nil, fmt.Errorf("server did not start: %w", err)
	}
	return a, stop, nil
}

// serve is the server's side: it tells its addresses and serves until its
// standard input ends.
func serve() error {
	cert, ca, err := selfSigned()
	if err != nil {
		return err
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	secure, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := &http.Server{Handler: newHandler(), ReadHeaderTimeout: time.Minute}
	// HTTP/1.1 alone: the table is of one protocol.
	config := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}
	go func() { _ = s.Serve(plain) }()
	go func() { _ = s.Serve(tls.NewListener(secure, config)) }()
	a := addresses{HTTP: plain.Addr().String(), HTTPS: secure.Addr().String(), CA: string(ca)}
	if err := json.NewEncoder(os.Stdout).Encode(a); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// selfSigned makes a certificate for the loopback address.
func selfSigned() (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, ca, nil
}

// jsonText is about n bytes of JSON: an array of records.
func jsonText(n int) []byte {
	var b bytes.Buffer
	b.WriteByte('[')
	for i := 0; b.Len() < n; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"name":"record %d of many","price":%d.5,"hash":"%x"}`, i, i, i*37%1000, uint64(i)*0x9e3779b97f4a7c15)
	}
	return append(b.Bytes()[:n-1], ']')
}

// textLines is a block of lines of 20 to 120 bytes.
func textLines(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		b.WriteString(strings.Repeat("abcdefghij", 2+i%10))
		b.WriteByte('\n')
	}
	return append(b.Bytes()[:n-1], '\n')
}

func newHandler() http.Handler {
	small, large, block := jsonText(kib), jsonText(largeSize), bytes.Repeat([]byte("x"), 256*kib)
	lines := textLines(256 * kib)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(large)
	_ = z.Close()
	mux := http.NewServeMux()
	send := func(contentType, coding string, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			if coding != "" {
				w.Header().Set("Content-Encoding", coding)
			} else {
				w.Header().Set("Cache-Control", "no-store")
			}
			_, _ = w.Write(body)
		}
	}
	mux.Handle("/small", send("application/json", "", small))
	mux.Handle("/large", send("application/octet-stream", "", large))
	mux.Handle("/gzip", send("application/json", "gzip", packed.Bytes()))
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(5 * time.Millisecond)
		send("application/json", "", small)(w, r)
	})
	mux.HandleFunc("/stream", repeat(block, streamSize))
	mux.HandleFunc("/lines", repeat(lines, linesSize))
	mux.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r.Body, make([]byte, 256*kib))
		fmt.Fprint(w, n)
	})
	mux.HandleFunc("/json", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = io.WriteString(w, `{"id":42,"name":"a name","price":12.5,"tags":["one","two","three"]}`)
	})
	mux.HandleFunc("/hop/", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/hop/"))
		if n == 0 {
			send("application/json", "", small)(w, r)
			return
		}
		w.Header().Set("Location", "/hop/"+strconv.Itoa(n-1))
		w.WriteHeader(http.StatusFound)
	})
	return mux
}

// repeat sends a block over and over, with a length.
func repeat(block []byte, size int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Content-Length", strconv.Itoa(size))
		for n := 0; n < size; n += len(block) {
			if _, err := w.Write(block[:min(len(block), size-n)]); err != nil {
				return
			}
		}
	}
}
