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
package conformance
