package requests

import (
	"fmt"
	"testing"
)

// fillJar puts n cookies into a jar without limits, on one host or each on a
// host of its own; three match http://a.test/d/e.
func fillJar(b testing.TB, n int, oneHost bool) *CookieJar {
	j := newTestJar()
	j.Limits = CookieLimits{PerHost: -1, Total: -1}
	give(b, j, "http://a.test/", "m1=1; Path=/", "m2=2; Path=/d", "m3=3; Path=/d/e")
	for i := j.Len(); i < n; i++ {
		host := "a.test"
		if !oneHost {
			host = fmt.Sprintf("h%d.a.test", i)
		}
		give(b, j, "http://"+host+"/", fmt.Sprintf("c=1; Path=/other%d", i))
	}
	return j
}

// BenchmarkCookieJar shows that the jar's size does not matter to a request or
// a response.
func BenchmarkCookieJar(b *testing.B) {
	for _, kind := range []string{"one-host", "many-hosts"} {
		for _, n := range []int{10, 1000, 100_000} {
			j := fillJar(b, n, kind == "one-host")
			u := cookieURL{host: "a.test", path: "/d/e"}
			b.Run(fmt.Sprintf("kind=%s/n=%d/header", kind, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					j.header(nil, nil, u, cookieRules{})
				}
			})
			lines := []string{"m1=1; Path=/"}
			b.Run(fmt.Sprintf("kind=%s/n=%d/receive", kind, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					j.receive(u, lines, testNow)
				}
			})
		}
	}
}
