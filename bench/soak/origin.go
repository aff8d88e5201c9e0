package main

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// origin is what L5 talks to: a server, the same over TLS, and a proxy.
type origin struct {
	plain, secure, proxy *httptest.Server
	forward              *http.Transport
}

// codedText is what the coded answers are decoded to.
func codedText() string { return strings.Repeat("some text that is easily coded. ", 4<<10) }

// startOrigin starts the servers.
func startOrigin() (*origin, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("/basic", serveBasic)
	mux.HandleFunc("/digest", serveDigest)
	mux.HandleFunc("/redirect", serveRedirect)
	mux.HandleFunc("/cookie", serveCookie)
	mux.HandleFunc("/form", serveForm)
	mux.HandleFunc("/bytes", serveBytes)
	mux.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	})
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	})
	coded, err := codings([]byte(codedText()))
	if err != nil {
		return nil, err
	}
	for name, body := range coded {
		mux.HandleFunc("/coded/"+name, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", name)
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = w.Write(body)
		})
	}
	o := &origin{forward: &http.Transport{}}
	o.plain = httptest.NewServer(mux)
	o.secure = httptest.NewTLSServer(mux)
	o.proxy = httptest.NewServer(http.HandlerFunc(o.serveProxy))
	return o, nil
}

// Close ends the servers.
func (o *origin) Close() {
	o.forward.CloseIdleConnections()
	o.proxy.Close()
	o.secure.Close()
	o.plain.Close()
}

// roots trust the server over TLS.
func (o *origin) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(o.secure.Certificate())
	return pool
}

// codings codes a body in every way that the library decodes.
func codings(body []byte) (map[string][]byte, error) {
	out := map[string][]byte{}
	for name, open := range map[string]func(io.Writer) (io.WriteCloser, error){
		"gzip":    func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
		"deflate": func(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriter(w), nil },
		"br":      func(w io.Writer) (io.WriteCloser, error) { return brotli.NewWriter(w), nil },
		"zstd":    func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1)) },
	} {
		var b bytes.Buffer
		w, err := open(&b)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(body); err != nil {
			return nil, err
		}
		if err := w.Close(); err != nil {
			return nil, err
		}
		out[name] = b.Bytes()
	}
	return out, nil
}

func serveBasic(w http.ResponseWriter, r *http.Request) {
	if user, password, _ := r.BasicAuth(); user != "user" || password != "pass" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	fmt.Fprint(w, "basic")
}

// serveDigest asks for Digest. Whether the answer is right is tested
// elsewhere; here it is the second request that counts.
func serveDigest(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.Header.Get("Authorization"), "Digest ") {
		w.Header().Set("WWW-Authenticate", `Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	fmt.Fprint(w, "digest")
}

func serveRedirect(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.FormValue("n"))
	if n == 0 {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprint(w, "there")
		return
	}
	http.Redirect(w, r, fmt.Sprintf("/redirect?n=%d", n-1), http.StatusFound)
}

// serveCookie sets a cookie in a redirect to itself and waits for it to come.
func serveCookie(w http.ResponseWriter, r *http.Request) {
	name := r.FormValue("name")
	if r.FormValue("again") == "" {
		http.SetCookie(w, &http.Cookie{Name: name, Value: name})
		http.Redirect(w, r, "/cookie?again=1&name="+name, http.StatusSeeOther)
		return
	}
	if c, err := r.Cookie(name); err == nil {
		fmt.Fprint(w, c.Value)
	}
}

// serveForm gives back what a form or a file holds.
func serveForm(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	const room = 1 << 20
	if f, _, err := r.FormFile("file"); err == nil {
		_, _ = io.Copy(w, f)
		f.Close()
		return
	}
	_ = r.ParseMultipartForm(room)
	fmt.Fprint(w, r.PostFormValue("text"))
}

func serveBytes(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.ParseInt(r.FormValue("n"), 10, 64)
	_, _ = io.CopyN(w, zeros{}, n)
}

// serveProxy forwards a request or makes a tunnel.
func (o *origin) serveProxy(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodConnect {
		tunnel(w, r)
		return
	}
	out := r.Clone(r.Context())
	out.RequestURI = ""
	resp, err := o.forward.RoundTrip(out)
	if err != nil {
		http.Error(w, "", http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body)
}

// tunnel carries bytes both ways until either side ends.
func tunnel(w http.ResponseWriter, r *http.Request) {
	to, err := net.Dial("tcp", r.Host)
	if err != nil {
		http.Error(w, "", http.StatusBadGateway)
		return
	}
	defer to.Close()
	from, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer from.Close()
	if _, err := io.WriteString(from, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(to, from); to.Close() })
	both.Go(func() { _, _ = io.Copy(from, to); from.Close() })
	both.Wait()
}
