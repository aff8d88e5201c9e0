package testserver

import (
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
)

// SeedVariable is the environment variable that [Seed] reads.
const SeedVariable = "FAULT_SEED"

// Seed returns the seed of a test's random choices: that of the environment,
// or a new one. A test that fails prints it, so that it can be run again.
func Seed(tb testing.TB) uint64 {
	tb.Helper()
	seed := rand.Uint64()
	if text := os.Getenv(SeedVariable); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		must(tb, err)
		seed = n
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("seed %d; again with %s=%[1]d", seed, SeedVariable)
		}
	})
	return seed
}

// RandomBody is the body of a whole answer of [Random].
const RandomBody = "0123456789abcdefghijklmnopqrstuvwxyz"

// Random draws a faulty answer. Each is such that no client can take it for a
// whole response: where a body is handed out in full it is [RandomBody].
func Random(rng *rand.Rand) Answer {
	body := []byte(RandomBody)
	// An effect at this place always has a part of the body behind it.
	at := rng.IntN(len(body))
	kinds := []Answer{
		{Name: "reset after the head", OnHead: Reset},
		{Name: "close after the head", OnHead: Shut},
		{Name: "reset before the answer", OnResponse: Reset},
		{Name: "close before the answer", OnResponse: Shut},
		{Name: "half a status line", Raw: "HTTP/1.1 20", OnEnd: Shut},
		{Name: "half a head", Raw: "HTTP/1.1 200 OK\r\nContent-Le", OnEnd: Shut},
		{Name: "junk", Raw: strings.Repeat("\x00junk ", 1+rng.IntN(40)) + "\r\n\r\n", OnEnd: Shut},
		{Name: "body cut", Body: body, OnBody: Shut, BodyAt: at},
		{Name: "body reset", Body: body, OnBody: Reset, BodyAt: at},
		{Name: "body half-closed", Body: body, OnBody: HalfClose, BodyAt: at},
		{Name: "length beyond the body", Body: body, Length: strconv.Itoa(len(body) + 1 + at), OnEnd: Shut},
		{Name: "chunks cut", Body: body, Chunked: true, OnBody: Shut, BodyAt: at},
		// Six bytes of framing are about the one chunk, "24\r\n" and "\r\n"; the
		// chunk that ends the body is missing.
		{Name: "chunks without an end", Body: body, Chunked: true, OnBody: Shut, BodyAt: len(body) + 6},
		{Name: "a bad chunk", Raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n", OnEnd: Shut},
		{Name: "two lengths", Raw: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc", OnEnd: Shut},
		{Name: "interim answers without an end", Interim: "HTTP/1.1 103 Early Hints\r\n\r\n", Interims: 1 + rng.IntN(9), OnResponse: Shut},
	}
	return kinds[rng.IntN(len(kinds))]
}
