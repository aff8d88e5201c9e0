// Package conformance holds no code. Its tests replay recorded cases of Python
// Requests through the public API of package requests, and compare what went
// over the wire and what came back with the record.
//
// A Corpus is read from a directory, a Runner replays its cases, each in a
// network of its own, and a Report tells what matched, what differs on purpose
// (see Deviations) and what fails:
//
//	go test -v ./internal/conformance -run TestCorpus -args -corpus DIR
//
// The other arguments are -group NAME for the cases of one group, -deviations
// FILE for what differs on purpose, and -record FILE, which is written with
// what the failing cases did instead. Paths are relative to the module's root.
//
// The last line of every run is that of the sums: "conformance: M matched, D
// deviations, F failed, T cases". A file that is no list of cases counts as a
// case that failed; where there is no case at all, the line before says why, and
// the run fails too.
package conformance
