// Command bench puts the library beside its peers: bare net/http as people
// write it, the libraries on top of it, and fasthttp as another engine.
//
//	go run .          one table of all peers, bench/RESULTS.md and its chart
//	go run . -bars    what the library must reach, one line for each bar
//	go run . -parts   what the time of a call is made of, beside the transport and bare sockets
//	go run . -growth  cost of a call as cookies, mounts, connections and headers grow
//	go run . -cold    first response of a minimal program, and sizes of binaries
//
// The server runs in a process of its own, over loopback. Rows run in turns,
// in another order each round, and a ratio is taken round by round to the mean
// of two rows of net/http, so that what else the machine does falls on all.
package main
