package requests

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// cannedHead is the head of the answers: four fields, as a plain server has.
const cannedHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\n" +
	"X-Served-By: canned\r\nContent-Length: "

// canned is an answer with that head and a body.
func canned(body string) []byte {
	return []byte(cannedHead + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

// serveCanned answers every request on a socket of its own with what answer
// gives for the request's bytes. Once a connection is up it allocates
// nothing, so that what a test counts is the client's. It returns the address.
func serveCanned(t *testing.T, config *tls.Config, answer func(request []byte) []byte) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if config != nil {
				c = tls.Server(c, config)
			}
			go answerCanned(c, answer)
		}
	}()
	return l.Addr().String()
}

func answerCanned(c net.Conn, answer func([]byte) []byte) {
	defer c.Close()
	buf := make([]byte, 64<<10)
	have := 0
	for {
		n, err := c.Read(buf[have:])
		if err != nil {
			return
		}
		have += n
		if end := requestEnd(buf[:have]); end < 0 || have < end {
			continue
		}
		if _, err := c.Write(answer(buf[:have])); err != nil {
			return
		}
		have = 0
	}
}

// requestEnd is how many bytes the request has, or -1 before its head is there.
func requestEnd(b []byte) int {
	head := bytes.Index(b, []byte("\r\n\r\n"))
	if head < 0 {
		return -1
	}
	name := []byte("\r\nContent-Length: ")
	at := bytes.Index(b[:head], name)
	length := 0
	if at >= 0 {
		for _, c := range b[at+len(name) : head] {
			if c < '0' || c > '9' {
				break
			}
			length = 10*length + int(c-'0')
		}
	}
	return head + 4 + length
}

// allocationBar fails where call makes more allocations than bar. The
// session's environment is the process's, as users have it.
func allocationBar(t *testing.T, bar float64, call func()) {
	t.Helper()
	if testserver.RaceDetector() {
		t.Skip("the race detector allocates")
	}
	for range 50 {
		call() // connections, pools and maps come up
	}
	got := testing.AllocsPerRun(500, call)
	t.Logf("%.0f allocations, bar %.0f", got, bar)
	if got > bar {
		t.Errorf("a call makes %.0f allocations, want at most %.0f", got, bar)
	}
}

func bodyOf(n int) string { return string(bytes.Repeat([]byte("x"), n)) }

func TestAllocationsOfGet(t *testing.T) {
	answer := canned(bodyOf(1 << 10))
	url := "http://" + serveCanned(t, nil, func([]byte) []byte { return answer }) + "/small"
	s := NewSession()
	defer s.Close()
	ctx := t.Context()
	allocationBar(t, 50, func() {
		r, err := s.Get(ctx, url)
		if err != nil || len(r.Content()) != 1<<10 {
			t.Fatalf("got %v", err)
		}
	})
}

func TestAllocationsOfRichGet(t *testing.T) {
	answer := canned(bodyOf(1 << 10))
	var head []byte
	host := serveCanned(t, nil, func(request []byte) []byte {
		if head == nil {
			head = bytes.Clone(request)
		}
		return answer
	})
	s := NewSession()
	defer s.Close()
	for i := range 10 {
		path := "/api"
		if i >= 3 {
			path = "/other" + strconv.Itoa(i)
		}
		require.NoError(t, s.Cookies.Set(&http.Cookie{
			Name: "cookie" + strconv.Itoa(i), Value: "value" + strconv.Itoa(i), Domain: "127.0.0.1", Path: path,
		}))
	}
	ctx, url := t.Context(), "http://"+host+"/api/items"
	call := func() {
		r, err := s.Get(ctx, url,
			Param("q", "search text"), Param("page", "2"), Param("size", "50"), Param("sort", "name"), Param("lang", "de"),
			Header("X-Request-Id", "0123456789"), Header("X-Trace", "abc"), Header("Accept-Language", "de"),
			Header("If-None-Match", `"xyz"`), Header("X-Tenant", "acme"), BasicAuth("user", "secret"))
		if err != nil || len(r.Content()) != 1<<10 {
			t.Fatalf("got %v", err)
		}
	}
	allocationBar(t, 75, call)
	for _, want := range []string{
		"GET /api/items?q=search+text&page=2&size=50&sort=name&lang=de HTTP/1.1\r\n",
		"\r\nCookie: cookie0=value0; cookie1=value1; cookie2=value2\r\n",
		"\r\nAuthorization: Basic dXNlcjpzZWNyZXQ=\r\n", "\r\nX-Tenant: acme\r\n",
	} {
		if !bytes.Contains(head, []byte(want)) {
			t.Errorf("request lacks %q: %q", want, head)
		}
	}
}

// item is what the JSON test sends and takes.
type item struct {
	ID    int      `json:"id"`
	Name  string   `json:"name"`
	Price float64  `json:"price"`
	Tags  []string `json:"tags"`
}

func TestAllocationsOfPostJSON(t *testing.T) {
	answer := canned(`{"id":42,"name":"a name","price":12.5,"tags":["one","two","three"]}`)
	url := "http://" + serveCanned(t, nil, func([]byte) []byte { return answer }) + "/json"
	s := NewSession()
	defer s.Close()
	ctx, out := t.Context(), &item{ID: 1, Name: "what is sent", Price: 3.5, Tags: []string{"four", "five"}}
	allocationBar(t, 76, func() {
		got, err := Decode[item](s.Post(ctx, url, JSON(out)))
		if err != nil || got.ID != 42 || len(got.Tags) != 3 {
			t.Fatalf("got %+v, %v", got, err)
		}
	})
}

// serverTLS is a certificate for 127.0.0.1, and the roots that trust it.
func serverTLS(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots
}

func TestAllocationsOfGetOverTLS(t *testing.T) {
	config, roots := serverTLS(t)
	answer := canned(bodyOf(1 << 10))
	url := "https://" + serveCanned(t, config, func([]byte) []byte { return answer }) + "/small"
	s := NewSession(Settings{Verify: TLSVerify{Roots: roots}})
	defer s.Close()
	ctx := t.Context()
	const servers = 1 // allocation of the server's, for each record that it reads
	allocationBar(t, 51+servers, func() {
		r, err := s.Get(ctx, url)
		if err != nil || len(r.Content()) != 1<<10 || r.TLS == nil {
			t.Fatalf("got %v", err)
		}
	})
}

func TestAllocationsOfRedirects(t *testing.T) {
	var answers [6][]byte
	answers[0] = canned(bodyOf(1 << 10))
	for i := 1; i < len(answers); i++ {
		answers[i] = []byte("HTTP/1.1 302 Found\r\nContent-Type: text/html\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\n" +
			"Location: /hop/" + strconv.Itoa(i-1) + "\r\nContent-Length: 0\r\n\r\n")
	}
	url := "http://" + serveCanned(t, nil, func(request []byte) []byte {
		return answers[request[len("GET /hop/")]-'0']
	}) + "/hop/5"
	s := NewSession()
	defer s.Close()
	ctx := t.Context()
	allocationBar(t, 245, func() {
		r, err := s.Get(ctx, url)
		if err != nil || len(r.History) != 5 || len(r.Content()) != 1<<10 {
			t.Fatalf("got %v", err)
		}
	})
}

// allocatedBytes is what a call allocates, on the average of a few.
func allocatedBytes(call func()) uint64 {
	const runs = 5
	var before, after runtime.MemStats
	call()
	runtime.ReadMemStats(&before)
	for range runs {
		call()
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / runs
}

func TestLargeBodyIsOneAllocation(t *testing.T) {
	const size = 10 << 20
	answer := canned(bodyOf(size))
	url := "http://" + serveCanned(t, nil, func([]byte) []byte { return answer }) + "/large"
	s := NewSession()
	defer s.Close()
	ctx := t.Context()
	got := allocatedBytes(func() {
		r, err := s.Get(ctx, url)
		if err != nil || len(r.Content()) != size {
			t.Fatalf("got %v", err)
		}
	})
	const bar = 10_600_000
	t.Logf("%d bytes, bar %d", got, bar)
	if got > bar {
		t.Errorf("a body of 10 MiB costs %d bytes, want at most %d", got, bar)
	}
}

// A Content-Length that lies costs what came, not what was said.
func TestLyingContentLengthCostsNothing(t *testing.T) {
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Length: " + strconv.FormatInt(1<<40, 10) + "\r\n\r\nhello")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			// Reading the request first keeps the close from being a reset.
			_, _ = c.Read(make([]byte, 4<<10))
			_, _ = c.Write(answer)
			c.Close()
		}
	}()
	s := NewSession()
	defer s.Close()
	url := "http://" + l.Addr().String() + "/"
	got := allocatedBytes(func() {
		_, err := s.Get(t.Context(), url)
		if !errors.Is(err, ErrChunkedEncoding) {
			t.Fatalf("got %v, want a broken body", err)
		}
	})
	const bar = 1 << 20
	t.Logf("%d bytes, bar %d", got, bar)
	if got > bar {
		t.Errorf("a length of 1 TiB that lies costs %d bytes, want at most %d", got, bar)
	}
}

// The size classes of the allocator leave little room to grow: a few words more
// would cost an eighth of the memory of every request.
func TestSizeOfCall(t *testing.T) {
	const header = 8
	for _, tt := range []struct {
		name        string
		size, class uintptr
	}{
		{"a call", unsafe.Sizeof(call{}), 1792},
		{"a trip, of each redirect", unsafe.Sizeof(trip{}), 1152},
		{"a request, of each redirect", unsafe.Sizeof(PreparedRequest{}), 576},
	} {
		if tt.size > tt.class-header {
			t.Errorf("%s has %d bytes, want at most %d", tt.name, tt.size, tt.class-header)
		}
	}
}
