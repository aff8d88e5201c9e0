// Package testserver has the peers that tests talk to, all on the loopback
// interface and all gone when the test ends: proxies ([HTTPProxy],
// [SOCKSProxy]), a certificate authority ([CA]) and servers that misbehave on
// purpose ([Faults] for HTTP/1.1, [Faults2] for HTTP/2).
//
// What a faulty server does is a value: an [Answer] says which bytes go out
// and, for each point of an exchange, what befalls the connection there.
//
//	srv := testserver.NewFaults(t, testserver.Answer{
//		Body: []byte("0123456789"), OnBody: testserver.Reset, BodyAt: 5,
//	})
//
// answers the first request with half a body and a reset, and all later ones
// with a plain 200. What arrived is in [Faults.Ledger]. A [Watch] checks
// afterwards what every fault has to leave behind: nothing.
//
// Faults at random come from [Random], by a seed that [Seed] prints when the
// test fails and takes back from the environment.
package testserver
