//go:build unix

package requests_test

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// codedAnswer is an answer with a body that was coded already, the codings
// being one field each.
func codedAnswer(body []byte, codings ...string) string {
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n", len(body))
	for _, c := range codings {
		head += "Content-Encoding: " + c + "\r\n"
	}
	return head + "\r\n" + string(body)
}

// A smallBomb is a body that is small on the wire.
type smallBomb struct {
	body []byte
	mib  uint64 // what reading a little of it may cost
}

// bombs are 64 MiB of zeros, or less under the race detector, made once since
// making them takes long.
var bombs = sync.OnceValue(func() map[string]smallBomb {
	zeros := make([]byte, 64<<20)
	if testserver.RaceDetector() {
		zeros = zeros[:24<<20] // beyond what reading a little may cost
	}
	var br, zs bytes.Buffer
	bw := brotli.NewWriterLevel(&br, 5)
	zw, err := zstd.NewWriter(&zs, zstd.WithWindowSize(1<<20))
	if err != nil {
		panic(err)
	}
	for _, w := range []io.WriteCloser{bw, zw} {
		if _, err := w.Write(zeros); err != nil {
			panic(err)
		}
		if err := w.Close(); err != nil {
			panic(err)
		}
	}
	return map[string]smallBomb{"gzip": {gzipped(zeros), 4}, "br": {br.Bytes(), 20}, "zstd": {zs.Bytes(), 12}}
})

func TestAdvisory126_SmallReadOfABomb(t *testing.T) {
	for name, b := range bombs() {
		t.Run(name, func(t *testing.T) { testBomb(t, coded(b.body, name), b.mib, readLittle) })
	}
}

func TestAdvisory127_ManyLayers(t *testing.T) {
	layered := func(n int) []byte {
		body := []byte("text")
		for range n {
			body = gzipped(body)
		}
		return body
	}
	of := func(n int) string { return strings.TrimSuffix(strings.Repeat("gzip, ", n), ", ") }
	for _, codings := range [][]string{{of(5)}, {of(2), of(3)}, {"gzip", "gzip", "gzip", "x-gzip", "gzip"}} {
		r, err, _ := ask(t, codedAnswer(layered(5), codings...))
		require.NoError(t, err, "%v", codings)
		assert.Equal(t, "text", r.Text())
	}
	for _, codings := range [][]string{{of(6)}, {of(3), of(3)}, {of(5), "gzip"}, {of(1000)}, {of(500), of(500)}, {"br, deflate, zstd, gzip, br, gzip"}} {
		_, err, _ := ask(t, codedAnswer(layered(6), codings...))
		require.ErrorIs(t, err, requests.ErrContentDecoding, "%v", codings)
	}
}

func TestAdvisory128_BombOnARedirect(t *testing.T) {
	for name, b := range bombs() {
		a := coded(b.body, name)
		a.Status, a.Header = 302, append(a.Header, "Location: /next")
		t.Run(name, func(t *testing.T) { testBomb(t, a, 4, readAllOf) })
		t.Run(name+", streamed", func(t *testing.T) {
			testBomb(t, a, 4, func(t *testing.T, s *requests.Session, url string) {
				r, err := s.Get(t.Context(), url, requests.Stream())
				require.NoError(t, err)
				assert.Equal(t, "ok", r.Text())
				require.NoError(t, r.Close())
			})
		})
	}
}

func TestAdvisory129_SecondReadOfABomb(t *testing.T) {
	for name, b := range bombs() {
		t.Run(name, func(t *testing.T) {
			testBomb(t, coded(b.body, name), b.mib+2, func(t *testing.T, s *requests.Session, url string) {
				r, err := s.Get(t.Context(), url, requests.Stream())
				require.NoError(t, err)
				for _, n := range []int{1 << 20, 1 << 10} {
					_, err = io.ReadFull(r, make([]byte, n))
					require.NoError(t, err)
				}
				require.NoError(t, r.Close())
				_, err = r.Read(make([]byte, 1))
				require.Error(t, err, "read after the end")
			})
		})
	}
}

// zstdFrame is "ok" as a frame of RFC 8878 that declares a window: the
// descriptor's upper five bits are its logarithm less ten, the lower three are
// eighths to add.
func zstdFrame(descriptor byte) []byte {
	return []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, descriptor, 0x11, 0, 0, 'o', 'k'}
}

func TestAdvisory130_Windows(t *testing.T) {
	r, err, _ := ask(t, codedAnswer(zstdFrame(13<<3), "zstd")) // 8 MiB
	require.NoError(t, err)
	assert.Equal(t, "ok", r.Text())
	for _, descriptor := range []byte{13<<3 | 1, 14 << 3, 21 << 3, 31<<3 | 7} {
		_, err, _ = ask(t, codedAnswer(zstdFrame(descriptor), "zstd"))
		require.ErrorIs(t, err, requests.ErrContentDecoding, "window of 2^%d and %d/8", 10+descriptor>>3, descriptor&7)
	}
	// The marks of brotli's large windows (RFC 9841, 9.1).
	for _, body := range [][]byte{{0x11, 0x1e, 0x00, 0x00}, {0x11, 0x18, 0x03}, {0x91, 0x1e, 0x00}} {
		_, err, _ = ask(t, codedAnswer(body, "br"))
		require.ErrorIs(t, err, requests.ErrContentDecoding)
	}
}

func TestAdvisory131_EmptyMembers(t *testing.T) {
	empty := string(gzipped(nil))
	inTime(t, func() {
		r, err, conns := ask(t, codedAnswer([]byte(strings.Repeat(empty, 100_000)+string(gzipped([]byte("ok")))), "gzip"))
		require.NoError(t, err)
		assert.Equal(t, "ok", r.Text())
		assert.Equal(t, 1, conns)
	})
	w := newWorld(t)
	s := w.session()
	linear(t, func(n int) string { return strings.Repeat(empty, n/len(empty)) }, func(body string) {
		require.NoError(t, s.Close())
		w.at("http://a.test", codedAnswer([]byte(body), "gzip"))
		assert.Empty(t, get(t, s, "http://a.test").Content())
	})
}

func TestAdvisory132_LimitOfTheBody(t *testing.T) {
	text, large := strings.Repeat("x", 100_000), strings.Repeat("x", 8<<20)
	for name, answer := range map[string]string{
		"plain": codedAnswer([]byte(text)), "gzip": codedAnswer(gzipped([]byte(text)), "gzip"),
		"chunks": chunked(fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(text), text)),
	} {
		t.Run(name, func(t *testing.T) {
			r, err, conns := ask(t, answer, requests.MaxBody(100_000))
			require.NoError(t, err)
			assert.Equal(t, text, r.Text())
			assert.Equal(t, 1, conns)
			_, err, _ = ask(t, answer, requests.MaxBody(99_999))
			require.ErrorIs(t, err, requests.ErrTooLarge)
			var e *requests.Error
			require.ErrorAs(t, err, &e)
			assert.LessOrEqual(t, len(e.Response.Partial()), 99_999)
		})
	}
	for _, answer := range []string{codedAnswer([]byte(large)), chunked(fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(large), large))} {
		_, err, conns := ask(t, answer, requests.MaxBody(100_000))
		require.ErrorIs(t, err, requests.ErrTooLarge)
		assert.Equal(t, 2, conns, "what is beyond the limit is read nevertheless")
	}
}

func TestAdvisory133_LimitOnEveryPath(t *testing.T) {
	body := codedAnswer(gzipped([]byte(strings.Repeat("x\n", 5000))), "gzip")
	readers := map[string]func(r *requests.Response) error{
		"Content": func(r *requests.Response) error { r.Content(); return r.Err() },
		"Text":    func(r *requests.Response) error { _ = r.Text(); return r.Err() },
		"JSON":    func(r *requests.Response) error { var v any; return r.JSON(&v) },
		"ReadAll": func(r *requests.Response) error { _, err := r.ReadAll(); return err },
		"Read":    func(r *requests.Response) error { _, err := io.Copy(io.Discard, onlyRead{r}); return err },
		"WriteTo": func(r *requests.Response) error { _, err := r.WriteTo(io.Discard); return err },
		"Lines":   func(r *requests.Response) error { _, err := readLines(r); return err },
		"Chunks":  func(r *requests.Response) error { _, err := readPieces(r); return err },
		"TextChunks": func(r *requests.Response) error {
			for _, err := range r.TextChunks(100) {
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	ways := map[string][]string{
		"at once": {body}, "redirected": {redirectTo(302, "/x"), body}, "challenged": {challenge(`Digest realm="r", nonce="n", qop="auth"`), body},
		"retried": {"HTTP/1.1 503 Wait\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n", body},
	}
	for way, answers := range ways {
		for reader, read := range readers {
			for limit, fits := range map[int64]bool{10_000: true, 9_999: false} {
				t.Run(fmt.Sprintf("%s, %s, %d", way, reader, limit), func(t *testing.T) {
					w := newWorld(t)
					w.at("http://a.test", answers...)
					s := w.sessionOn(&requests.HTTPAdapter{Dial: w.dial, MaxRetries: requests.Retries(2)}, requests.DigestAuth("u", "p"))
					r := get(t, s, "http://a.test/", requests.Stream(), requests.MaxBody(limit))
					defer r.Close()
					err := read(r)
					if !fits {
						require.ErrorIs(t, err, requests.ErrTooLarge)
						return
					}
					if reader == "JSON" {
						require.ErrorIs(t, err, requests.ErrJSONDecode)
						return
					}
					require.NoError(t, err)
				})
			}
		}
	}
}

// onlyRead hides all but Read.
type onlyRead struct{ r io.Reader }

func (o onlyRead) Read(p []byte) (int, error) { return o.r.Read(p) }

func TestAdvisory134_FormsOfDeflate(t *testing.T) {
	text := strings.Repeat("The quick brown fox. ", 1000)
	var withHead, bare bytes.Buffer
	zw := zlib.NewWriter(&withHead)
	_, err := io.WriteString(zw, text)
	require.NoError(t, err)
	require.NoError(t, zw.Close())
	fw, err := flate.NewWriter(&bare, 9)
	require.NoError(t, err)
	_, err = io.WriteString(fw, text)
	require.NoError(t, err)
	require.NoError(t, fw.Close())
	zipped := gzipped([]byte(text))
	for name, whole := range map[string]string{
		"zlib": codedAnswer(withHead.Bytes(), "deflate"), "raw": codedAnswer(bare.Bytes(), "deflate"), "gzip": codedAnswer(zipped, "gzip"),
		"x-gzip": codedAnswer(zipped, "x-gzip"),
	} {
		r, err, _ := ask(t, whole)
		require.NoError(t, err, name)
		assert.Equal(t, text, r.Text(), name)
	}
	wrongSum := bytes.Clone(zipped)
	wrongSum[len(wrongSum)-8] ^= 1
	wrongAdler := bytes.Clone(withHead.Bytes())
	wrongAdler[len(wrongAdler)-1] ^= 1
	for name, tt := range map[string]struct {
		body   []byte
		coding string
		all    bool
	}{
		"gzip, cut": {zipped[:len(zipped)-20], "gzip", false}, "gzip, sum": {wrongSum, "gzip", true}, "gzip, no sum": {zipped[:len(zipped)-8], "gzip", true},
		"zlib, cut": {withHead.Bytes()[:withHead.Len()-20], "deflate", false}, "zlib, sum": {wrongAdler, "deflate", true},
		"raw, cut": {bare.Bytes()[:bare.Len()-10], "deflate", false}, "garbage behind": {append(bytes.Clone(zipped), "garbage"...), "gzip", true},
		"garbage behind zlib": {append(bytes.Clone(withHead.Bytes()), "garbage"...), "deflate", true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err, _ := ask(t, codedAnswer(tt.body, tt.coding))
			require.ErrorIs(t, err, requests.ErrContentDecoding)
			var e *requests.Error
			require.ErrorAs(t, err, &e)
			part := string(e.Response.Partial())
			assert.True(t, strings.HasPrefix(text, part), "what was good is kept")
			if tt.all {
				assert.Equal(t, text, part)
			}
			assert.Equal(t, http.StatusOK, e.Response.StatusCode)
		})
	}
}
