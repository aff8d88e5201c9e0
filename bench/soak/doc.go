// Command soak loads the library until something gives: twelve runs, L1 to
// L12, each with figures to hold.
//
//	go run ./soak [-seed N] [-short] [-minutes M] [L1 L2 …]
//
// It prints for each run what was measured, what has to hold and whether it
// does, and exits 1 where a figure is short. Everything happens on the
// loopback interface. All that is random comes from the seed, which is printed:
// a request's number and the seed say which faults it meets, at each of its
// tries, whatever the order in which the machine gets to them.
//
// Throughput is held against bare net/http under the same load in the same
// run, in turns, since a machine's speed says nothing about a client.
package main
