package requests_test

import (
	"errors"
	"fmt"

	"github.com/seed-9ea40bd3/requests"
)

// The order and the spelling of headers are the caller's: on the wire too,
// over HTTP/1.1.
func ExampleHeaders() {
	h := requests.NewHeaders("X-Second", "2", "x-first", "1")
	h.Set("X-SECOND", "two")
	h.Add("X-Third", "3")
	for name, value := range h.All() {
		fmt.Println(name+":", value)
	}
	fmt.Println(h.Get("X-FIRST"), h.Has("x-fourth"), h.Len())
	// Output:
	// X-SECOND: two
	// x-first: 1
	// X-Third: 3
	// 1 false 3
}

// A session's headers go first, in their order; a call's override them in
// place, and further ones follow.
func ExampleHeader() {
	s := requests.NewSession()
	defer s.Close()
	p, err := s.Prepare(ctx, requests.NewRequest("GET", "http://example.com/",
		requests.Header("X-New", "1"),
		requests.Header("Accept", "text/html")))
	if err != nil {
		panic(err)
	}
	for name, value := range p.Headers.All() {
		fmt.Println(name+":", value)
	}
	// Output:
	// User-Agent: go-requests/0.1.0
	// Accept-Encoding: gzip, deflate, br, zstd
	// Accept: text/html
	// Connection: keep-alive
	// X-New: 1
}

// A session with an order of its own, and none of the defaults.
func ExampleNewHeaders() {
	var s requests.Session
	s.Headers = requests.NewHeaders("Accept", "*/*", "User-Agent", "mine")
	p, err := s.Prepare(ctx, requests.NewRequest("GET", "http://example.com/"))
	if err != nil {
		panic(err)
	}
	for name, value := range p.Headers.All() {
		fmt.Println(name+":", value)
	}
	// Output:
	// Accept: */*
	// User-Agent: mine
}

func ExampleDefaultHeaders() {
	fmt.Println(requests.DefaultHeaders())
	// Output:
	// Headers[User-Agent, Accept-Encoding, Accept, Connection]
}

// Text beyond ISO-8859-1 has no one form in a header: such a value is given
// as bytes.
func ExampleHeaderBytes() {
	server := newEcho("X-Name")
	defer server.Close()

	_, err := requests.Get(ctx, server.URL, requests.Header("X-Name", "\u0160\u00edr"))
	fmt.Println(errors.Is(err, requests.ErrInvalidHeader))

	r, err := requests.Get(ctx, server.URL, requests.HeaderBytes("X-Name", []byte("\u0160\u00edr")))
	if err != nil {
		panic(err)
	}
	r.Encoding = "utf-8"
	fmt.Println(r.Text())
	// Output:
	// true
	// GET /
	// X-Name: Šír
}

// A header that would break the framing is never sent.
func ExampleHeader_invalid() {
	_, err := requests.Get(ctx, "http://example.com/", requests.Header("X-Bad", "a\r\nX-Injected: b"))
	fmt.Println(err)
	// Output:
	// requests: GET http://example.com/: value of header "X-Bad" begins with white space or holds a line end
}
