//go:build unix

package requests_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/seed-9ea40bd3/requests"
	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// framed starts a server of HTTP/2 that says its settings, and then, for each
// request, what answer writes.
func framed(t *testing.T, settings []http2.Setting, answer func(fr *http2.Framer, stream uint32)) (url string, opts requests.Option) {
	t.Helper()
	ca := testserver.NewCA(t)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{ca.Leaf("127.0.0.1")}, NextProtos: []string{"h2"},
	})
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { speakFrames(c, settings, answer) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	return "https://" + ln.Addr().String(), roots(ca)
}

// speakFrames serves a connection until the client closes it.
func speakFrames(c net.Conn, settings []http2.Setting, answer func(*http2.Framer, uint32)) {
	defer c.Close()
	if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	fr := http2.NewFramer(c, c)
	if fr.WriteSettings(settings...) != nil {
		return
	}
	for {
		f, err := fr.ReadFrame()
		if err != nil {
			return
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() && fr.WriteSettingsAck() != nil {
				return
			}
		case *http2.HeadersFrame:
			answer(fr, f.StreamID)
		}
	}
}

// block is a head as HPACK has it.
func block(fields ...string) []byte {
	var b bytes.Buffer
	enc := hpack.NewEncoder(&b)
	for i := 0; i < len(fields); i += 2 {
		_ = enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return b.Bytes()
}

// writeHead writes a head in as many frames as it takes.
func writeHead(fr *http2.Framer, stream uint32, head []byte) {
	const size = 16 << 10
	n := min(len(head), size)
	err := fr.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: head[:n], EndHeaders: n == len(head), EndStream: true})
	for head = head[n:]; len(head) > 0 && err == nil; head = head[n:] {
		n = min(len(head), size)
		err = fr.WriteContinuation(stream, n == len(head), head[:n])
	}
}

// frames sends a GET to a server of frames.
func frames(t *testing.T, settings []http2.Setting, answer func(*http2.Framer, uint32)) (r *requests.Response, err error) {
	t.Helper()
	url, trust := framed(t, settings, answer)
	s := newFaultSession(nil, trust, requests.TotalTimeout(linearTime))
	defer s.Close()
	inTime(t, func() { r, err = s.Get(t.Context(), url) })
	if err != nil {
		cleanError(t, err)
	}
	return r, err
}

func fine2(fr *http2.Framer, stream uint32) { writeHead(fr, stream, block(":status", "204")) }

func TestAdvisory135_Continuations(t *testing.T) {
	broken := want{kinds: kinds(requests.ErrConnection), not: kinds(requests.ErrTimeout), sent: true}
	testHTTP2(t, "GET", broken, -2, []testserver.Answer2{{Continuations: 5_000}}, nil)
	_, err := frames(t, nil, func(fr *http2.Framer, stream uint32) {
		_ = fr.WritePushPromise(http2.PushPromiseParam{
			StreamID: stream, PromiseID: 2, BlockFragment: block(":method", "GET", ":path", "/", ":scheme", "https", ":authority", "a.test"), EndHeaders: true,
		})
		fine2(fr, stream)
	})
	require.ErrorIs(t, err, requests.ErrConnection, "a push that nobody allowed")
	require.NotErrorIs(t, err, requests.ErrTimeout)
}

func TestAdvisory136_OddSettings(t *testing.T) {
	r, err := frames(t, []http2.Setting{{ID: http2.SettingMaxFrameSize, Val: 16384}}, fine2)
	require.NoError(t, err)
	assert.Equal(t, http.StatusNoContent, r.StatusCode)
	for _, s := range []http2.Setting{
		{ID: http2.SettingMaxFrameSize, Val: 0},
		{ID: http2.SettingMaxFrameSize, Val: 16383},
		{ID: http2.SettingMaxFrameSize, Val: 1 << 24},
		{ID: http2.SettingInitialWindowSize, Val: 1 << 31},
	} {
		_, err := frames(t, []http2.Setting{s}, fine2)
		require.ErrorIs(t, err, requests.ErrConnection, "%v", s)
		require.NotErrorIs(t, err, requests.ErrTimeout, "%v", s)
	}
}

func TestAdvisory137_CostOfHPACK(t *testing.T) {
	huffman := func(n int) []byte {
		fields := []string{":status", "204"}
		for range n / (8 << 10) {
			fields = append(fields, "x-a", strings.Repeat("0", 8<<10)) // five bits each
		}
		return block(fields...)
	}
	// One field in the table, then references to it of one byte each.
	indexed := func(n int) []byte {
		head := block(":status", "204", "x-a", strings.Repeat("v", 4000))
		return append(head, bytes.Repeat([]byte{0x80 | 62}, n/4000)...)
	}
	for name, build := range map[string]func(int) []byte{"Huffman": huffman, "indexed": indexed} {
		t.Run(name, func(t *testing.T) {
			_, err := frames(t, nil, func(fr *http2.Framer, stream uint32) { writeHead(fr, stream, build(10<<20)) })
			require.ErrorIs(t, err, requests.ErrConnection)
			r, err := frames(t, nil, func(fr *http2.Framer, stream uint32) { writeHead(fr, stream, build(512<<10)) })
			require.NoError(t, err)
			assert.NotEmpty(t, r.Headers.Values("x-a"))
		})
	}
}

func TestAdvisory138_GoAway(t *testing.T) {
	unserved := []testserver.Answer2{{OnRequest: testserver.Effect2{GoAway: true}}}
	leaving := []testserver.Answer2{{OnRequest: testserver.Effect2{GoAway: true, Served: true, Shut: true}}}
	broken := want{kinds: kinds(requests.ErrConnection), not: kinds(requests.ErrTimeout), sent: true}
	for _, method := range []string{"GET", "PUT", "POST"} {
		t.Run(method, func(t *testing.T) { testHTTP2(t, method, want{body: "ok"}, 2, unserved, nil) })
	}
	testHTTP2(t, "POST", broken, 1, leaving, nil)
}

func TestAdvisory139_RefusedStreams(t *testing.T) {
	refusal := testserver.Answer2{OnRequest: testserver.Effect2{RstStream: true, Code: http2.ErrCodeRefusedStream}}
	testHTTP2(t, "GET", want{body: "ok"}, 2, []testserver.Answer2{refusal}, nil)
	testHTTP2(t, "POST", want{body: "ok"}, 2, []testserver.Answer2{refusal}, nil)
	if !long() {
		t.Skip("the pauses between endless tries are real: set REQUESTS_LONG=1 to run it")
	}
	broken := want{kinds: kinds(requests.ErrConnection), not: kinds(requests.ErrTimeout), sent: true}
	testHTTP2(t, "GET", broken, -7, nil, &refusal)
}

func TestAdvisory140_ShortBodyOfHTTP2(t *testing.T) {
	short := want{kinds: kinds(requests.ErrChunkedEncoding), causes: causes(io.ErrUnexpectedEOF), sent: true, partial: "12345"}
	testHTTP2(t, "GET", short, 1, []testserver.Answer2{{Body: []byte("12345"), Length: "100"}}, nil)
	long := want{kinds: kinds(requests.ErrRequest), not: kinds(requests.ErrTimeout), sent: true}
	_, err := frames(t, nil, func(fr *http2.Framer, stream uint32) {
		_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block(":status", "200", "content-length", "2"), EndHeaders: true})
		_ = fr.WriteData(stream, true, []byte("12345"))
	})
	if err != nil {
		judgeError(t, err, &long)
	}
	require.Error(t, err, "more than was said")
}
