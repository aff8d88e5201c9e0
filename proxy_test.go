package requests

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

func TestSelectProxy(t *testing.T) {
	httpProxies := ProxyMap{"http": "http://http.proxy", "http://some.host": "http://some.host.proxy"}
	allProxies := ProxyMap{"all": "socks5://http.proxy", "all://some.host": "socks5://some.host.proxy"}
	mixed := ProxyMap{"http": "http://http.proxy", "http://some.host": "http://some.host.proxy", "all": "socks5://http.proxy"}
	tests := []struct {
		url   string
		m     ProxyMap
		want  string
		found bool
	}{
		{"hTTp://u:p@Some.Host/path", httpProxies, "http://some.host.proxy", true},
		{"hTTp://u:p@Other.Host/path", httpProxies, "http://http.proxy", true},
		{"hTTp:///path", httpProxies, "http://http.proxy", true},
		{"hTTps://Other.Host", httpProxies, "", false},
		{"file:///etc/motd", httpProxies, "", false},
		{"hTTp://u:p@Some.Host/path", allProxies, "socks5://some.host.proxy", true},
		{"hTTp://u:p@Other.Host/path", allProxies, "socks5://http.proxy", true},
		{"hTTp:///path", allProxies, "socks5://http.proxy", true},
		{"hTTps://Other.Host", allProxies, "socks5://http.proxy", true},
		{"http://u:p@other.host/path", mixed, "http://http.proxy", true},
		{"http://u:p@some.host/path", mixed, "http://some.host.proxy", true},
		{"https://u:p@other.host/path", mixed, "socks5://http.proxy", true},
		{"https://u:p@some.host/path", mixed, "socks5://http.proxy", true},
		{"https://", mixed, "socks5://http.proxy", true},
		{"file:///etc/motd", allProxies, "socks5://http.proxy", true},

		{"http://a.test", nil, "", false},
		{"http://a.test", ProxyMap{}, "", false},
		{"http://a.test", ProxyMap{"http": "", "all": "http://p"}, "", true},
		{"http://a.test", ProxyMap{"http://a.test": "", "http": "http://p"}, "", true},
		{"http://a.test", ProxyMap{"all://a.test": "http://q", "http": "http://p"}, "http://p", true},
		{"http://a.test", ProxyMap{"all://a.test": "http://q", "all": "http://p"}, "http://q", true},
		{"http://a.test:80/", ProxyMap{"http://a.test:80": "http://p"}, "", false},
		{"http://a.test:80/", ProxyMap{"http://a.test": "http://p"}, "http://p", true},
		{"http://a.test", ProxyMap{"HTTP": "http://p"}, "", false},
		{"http://[::1]:8080/", ProxyMap{"http://::1": "http://p"}, "http://p", true},
		{"http://a.test", ProxyMap{"no_proxy": "a.test"}, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.url, func(t *testing.T) {
			u, err := url.Parse(tt.url)
			require.NoError(t, err)
			got, found := selectProxy(u.Scheme, u.Hostname(), tt.m)
			assert.Equal(t, tt.want, got)
			assert.Equal(t, tt.found, found)
		})
	}
}

func TestEnvironProxies(t *testing.T) {
	tests := []struct {
		name    string
		environ string // separated by blanks
		want    ProxyMap
	}{
		{"nothing", "", nil},
		{"others", "HOME=/ PATH=x =C:=C: _proxy=x proxy=x http_proxyx=y http-proxy=z a_Xroxy=b", nil},
		{"empty", "http_proxy= HTTPS_PROXY=", nil},
		{
			"each scheme", "http_proxy=h https_proxy=s all_proxy=a ftp_proxy=f x-y_proxy=x",
			ProxyMap{"http": "h", "https": "s", "all": "a", "ftp": "f", "x-y": "x"},
		},
		{"upper case", "HTTP_PROXY=h ALL_PROXY=a", ProxyMap{"http": "h", "all": "a"}},
		{"any case", "Http_Proxy=h HttpS_prOXy=s", ProxyMap{"http": "h", "https": "s"}},
		{"lower case wins", "http_proxy=l HTTP_PROXY=u", ProxyMap{"http": "l"}},
		{"lower case wins from behind", "HTTP_PROXY=u http_proxy=l", ProxyMap{"http": "l"}},
		{"empty lower case removes", "http_proxy= HTTP_PROXY=u ALL_PROXY=a", ProxyMap{"all": "a"}},
		{"value with an equals sign", "http_proxy=http://u:p=@h", ProxyMap{"http": "http://u:p=@h"}},
		{"CGI", "REQUEST_METHOD=GET HTTP_PROXY=u HTTPS_PROXY=s", ProxyMap{"https": "s"}},
		{"CGI with an empty method", "REQUEST_METHOD= HTTP_PROXY=u", ProxyMap{}},
		{"CGI in lower case", "HTTP_PROXY=u REQUEST_METHOD=GET http_proxy=l", ProxyMap{"http": "l"}},
		{"no CGI", "REQUEST_METHODS=GET HTTP_PROXY=u", ProxyMap{"http": "u"}},
		{"no_proxy", "http_proxy=h no_proxy=a", ProxyMap{"http": "h", "no_proxy": "a"}},
		{"NO_PROXY", "NO_PROXY=a", ProxyMap{"no_proxy": "a"}},
		{"no_proxy over NO_PROXY", "no_proxy=b NO_PROXY=a", ProxyMap{"no_proxy": "b"}},
		{"empty no_proxy", "no_proxy= NO_PROXY=a", ProxyMap{"no_proxy": "a"}},
		{"No_Proxy", "No_Proxy=a", ProxyMap{"no_proxy": "a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := environProxies(strings.Fields(tt.environ))
			assert.Equal(t, tt.want, got)
		})
	}
	got := environProxies([]string{"http_proxy=http://h:1 "})
	assert.Equal(t, ProxyMap{"http": "http://h:1 "}, got, "a value stays as it is")
}

// bypassTests are hosts with the port written in the URL, and lists; they seed
// the fuzz target too.
var bypassTests = []struct {
	host, port, list string
	want             bool
}{
	// What the reference's own tests ask.
	{"192.168.0.1", "5000", "192.168.0.0/24,127.0.0.1,localhost.localdomain,172.16.1.1", true},
	{"192.168.0.1", "", "192.168.0.0/24,127.0.0.1,localhost.localdomain,172.16.1.1", true},
	{"172.16.1.1", "", "192.168.0.0/24,127.0.0.1,localhost.localdomain,172.16.1.1", true},
	{"172.16.1.1", "5000", "192.168.0.0/24,127.0.0.1,localhost.localdomain,172.16.1.1", true},
	{"localhost.localdomain", "5000", "192.168.0.0/24,127.0.0.1,localhost.localdomain,172.16.1.1", true},
	{"google.com", "6000", "192.168.0.0/24,127.0.0.1,localhost.localdomain,172.16.1.1, google.com:6000", true},
	{"google.com", "5000", "192.168.0.0/24,127.0.0.1,localhost.localdomain,172.16.1.1, google.com:6000", false},
	{"172.16.1.12", "", "192.168.0.0/24,127.0.0.1,localhost.localdomain,172.16.1.1", false},
	{"172.16.1.12", "5000", "192.168.0.0/24,127.0.0.1,localhost.localdomain,172.16.1.1", false},
	{"192.168.1.1", "", "192.168.0.0/24,127.0.0.1", false},
	{"www.requests.com", "", "192.168.1.1,requests.com", true},
	{"", "", "", true},

	// What was recorded of it.
	{"a.test", "", "b.test", false},
	{"a.test", "", "x.test,a.test", true},
	{"a.test", "", "x.test a.test", false},
	{"a.test", "", "*", true},
	{"a.test", "", ".a.test", true},
	{"sub.a.test", "", ".a.test", true},
	{"sub.a.test", "", "a.test", true},
	{"a.test", "", "xa.test", false},
	{"xa.test", "", "a.test", false},
	{"b.test", "", "a.test", false},
	{"a.test", "80", "a.test:81", false},
	{"A.TEST", "", "a.test", true},
	{"a.test", "", "", false},
	{"10.0.0.1", "", "10.0.0.1", true},
	{"10.0.0.1", "", "10.0.0.0/24", true},
	{"10.0.0.1", "", "10.0.1.0/24", false},
	{"10.0.0.1", "", "10.0.0.1/32", true},
	{"10.0.0.1", "", "10.0.0.1/33", false},
	{"::1", "", "::1", true},
	{"10.0.0.1", "", "0.0.1", false}, // in addresses we go by the number

	// Names.
	{"a.test", "", " , ,x.test ,\ta.test ,", true},
	{"a.test", "", "a . test", true},
	{"a.test", "", ",", false},
	{"a.test", "", ".", false},
	{"a.test", "", "*.", false},
	{"a.test", "", "..a.test", true},
	{"a.test", "", "test", true},
	{"atest", "", "test", false},
	{"prelocalhost", "", "localhost", false},
	{"localhost", "", "b.test", false},
	{"localhost.", "", "localhost", true},
	{"localhost", "", "localhost.", true},
	{"a.test.", "80", "test.:80", true},
	{"example.com", "", "EXAMPLE.Com", true},
	{"sub.example.com", "80", ".Example.com:80", true},
	{"example.com", "80", "example.com:80", true},
	{"example.com", "", "example.com:80", false},
	{"example.com", "", "example.com:", false},
	{"example.com", "80", "example.com", true},
	{"a.test", "", "x.test,*,y.test", true},
	{"a.b.test", "", "*.b.test", true},
	{"b.test", "", "*.b.test", true},
	{"ab.test", "", "*b.test", false},
	{"xb.test", "", "*.b.test", false},
	{"a.test", "", "a.*", false},
	{".", "", "a.test", false},
	{"xn--bcher-kva.test", "", "b\u00fccher.test", true},
	{"b\u00fccher.test", "", "XN--bcher-kva.test", true},
	{"www.b\u00fccher.test", "", ".B\u00dcCHER.test.", true},
	{"b\u00fccher.test", "", "bucher.test", false},
	{"a\u00fc_b.test", "", "a\u00fc_b.test", true}, // no label in ASCII stands for it
	{"a.test", "", strings.Repeat("\u00fc", 4000), false},

	// Addresses.
	{"10.0.0.1", "", "*", true},
	{"10.0.0.1.", "", "10.0.0.1", true},
	{"10.0.0.1", "", "10.0.0.1.", true},
	{"10.0.0.1", "80", "10.0.0.1:80", false},
	{"10.0.0.1", "", ".1", false},
	{"10.0.0.1", "", "[10.0.0.1]", false},
	{"10.0.0.1", "", "10.0.0.0/8", true},
	{"10.0.0.1", "", "10.9.9.9/8", true},
	{"10.0.0.1", "", "0.0.0.0/0", false},
	{"10.0.0.1", "", "10.0.0.0/255.0.0.0", false},
	{"10.0.0.1", "", "10.0.0.0/x", false},
	{"10.0.0.1", "", "x/8", false},
	{"127.1", "", "127.0.0.0/8", true},
	{"2130706433", "", "127.0.0.1", true},
	{"0x7f000001", "", "127.0.0.1", true},
	{"0177.0.0.1", "", "127.0.0.1", true},
	{"1.2.3.4.5", "", "1.2.3.4", false},
	{"1.2.3.4.5", "", "4.5", true},
	{"256.1.1.1", "", "1.1.1", true},
	{"1.256", "", "1.0.1.0", true},
	{"1.2.3.256", "", "1.2.3.0/24", false},
	{"\uff11\uff10.0.0.1", "", "10.0.0.1", true},
	{"a.test", "", "10.0.0.0/8,10.0.0.1,::1,[::1]:80", false},
	{"::1", "", "[::1]", true},
	{"[::1]", "", "::1", true},
	{"::1", "", "0:0:0:0:0:0:0:1", true},
	{"2001:DB8::1", "", "[2001:db8::1]", true},
	{"2001:db8::1", "", "2001:db8::/32", true},
	{"2001:db8::1", "", "[2001:db8::]/32", true},
	{"2001:db9::1", "", "2001:db8::/32", false},
	{"2001:db8::1", "", "2001:db8::/129", false},
	{"2001:db8::1", "", "::/0", false},
	{"2001:db8::1", "", "fe80::%a/10", false},
	{"::1", "80", "[::1]:80", true},
	{"::1", "81", "[::1]:80", false},
	{"::1", "", "[::1]:80", false},
	{"::1", "", "[::1]:", false},
	{"::ffff:10.0.0.1", "", "10.0.0.1", true},
	{"10.0.0.1", "", "[::ffff:10.0.0.1]", true},
	{"::ffff:a00:1", "", "10.0.0.0/8", true},
	{"10.0.0.1", "", "::ffff:10.0.0.0/104", true},
	{"11.0.0.1", "", "::ffff:10.0.0.0/104", false},
	{"10.0.0.1", "", "::ffff:10.0.0.0/64", false},
	{"fe80::1%eth0", "", "fe80::1", true},
	{"fe80::1%eth0", "", "fe80::1%eth0", true},
	{"fe80::1%eth0", "", "fe80::1%eth1", false},
	{"fe80::1", "", "fe80::1%eth0", false},
	{"fe80::1%eth0", "", "fe80::/10", true},
	{"::1%25.example.com", "", "*.example.com,example.com", false},
	{"::1%.example.com", "", ".example.com", false},
	{"::x.example.com", "", "example.com", false},
	{"::x.example.com", "", "*", true},
}

func TestBypassProxy(t *testing.T) {
	for _, tt := range bypassTests {
		t.Run(tt.host+" "+tt.port+" "+tt.list[:min(len(tt.list), 60)], func(t *testing.T) {
			got := bypassProxy(tt.host, tt.port, tt.list)
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestBypassProxyIsLinear(t *testing.T) {
	testserver.Timed(t)
	start := time.Now()
	for _, list := range []string{
		strings.Repeat(",", 1<<17), strings.Repeat("a.test,", 1<<14), strings.Repeat(".", 1<<17),
		strings.Repeat("[", 1<<17), strings.Repeat("1.", 1<<16), strings.Repeat("\u00fc", 1<<16),
	} {
		for _, host := range []string{"b.test", "10.0.0.1", "::1"} {
			got := bypassProxy(host, "80", list)
			assert.False(t, got)
		}
	}
	// Some hundredths of a second; anything quadratic takes seconds for each list.
	assert.Less(t, time.Since(start), 5*time.Second)
}

func TestChooseProxy(t *testing.T) {
	const env = "http_proxy=http://env https_proxy=http://envs"
	type pm = ProxyMap
	tests := []struct {
		name          string
		url           string
		call, session ProxyMap
		environ       string
		send          bool // a prepared request, for which the session goes first, its no_proxy too
		want          string
		found         bool // some rule names a proxy, or none on purpose
	}{
		{"nothing", "http://a.test", nil, nil, "", false, "", false},
		{"another scheme", "http://a.test", pm{"https": "http://p"}, nil, "", false, "", false},
		{"call", "http://a.test", pm{"http": "http://p"}, nil, "", false, "http://p", true},
		{"call over environment", "http://a.test", pm{"http": "http://p"}, nil, env, false, "http://p", true},
		{"call direct", "http://a.test", pm{"http": ""}, pm{"http": "http://s"}, env, false, "", true},
		{"environment over session", "http://a.test", nil, pm{"http": "http://s"}, env, false, "http://env", true},
		{"session's host over environment", "http://a.test", nil, pm{"http://a.test": "http://s"}, env, false, "http://s", true},
		{"session's host over call's scheme", "http://a.test", pm{"http": "http://p"}, pm{"http://a.test": "http://s"}, "", false, "http://s", true},
		{"session's scheme over environment's all", "http://a.test", nil, pm{"http": "http://s"}, "ALL_PROXY=http://env", false, "http://s", true},
		{"session beside environment", "ftp://a.test", nil, pm{"all": "http://s"}, env, false, "http://s", true},
		{"environment for all", "https://a.test", nil, nil, "all_proxy=http://env", false, "http://env", true},
		{"environment for another scheme", "https://a.test", nil, nil, "http_proxy=http://env", false, "", false},
		{"call's host over environment", "http://a.test", pm{"http://a.test": "http://p"}, nil, env, false, "http://p", true},
		{"empty call", "http://a.test", pm{}, nil, env, false, "http://env", true},
		{"no_proxy", "http://a.test", nil, nil, env + " no_proxy=a.test", false, "", false},
		{"no_proxy with a port", "http://a.test:81", nil, nil, env + " no_proxy=a.test:81", false, "", false},
		{"no_proxy for another", "http://a.test", nil, nil, env + " no_proxy=b.test", false, "http://env", true},
		{"no_proxy and call", "http://a.test", pm{"http": "http://p"}, nil, "no_proxy=a.test", false, "http://p", true},
		{"no_proxy and session", "http://a.test", nil, pm{"http": "http://s"}, env + " no_proxy=a.test", false, "http://s", true},
		{"no_proxy alone", "http://a.test", nil, nil, "no_proxy=a.test", false, "", false},
		{"no host", "http:///x", nil, nil, env, false, "", false},
		{"call's no_proxy", "http://a.test", pm{"no_proxy": "a.test"}, nil, env, false, "", false},
		{"call's no_proxy in place of the environment's", "http://a.test", pm{"no_proxy": "b.test"}, nil, env + " no_proxy=a.test", false, "http://env", true},
		{"call's empty no_proxy", "http://a.test", pm{"no_proxy": ""}, nil, env + " no_proxy=a.test", false, "http://env", true},
		{"call's no_proxy and its proxy", "http://a.test", pm{"no_proxy": "a.test", "http": "http://p"}, nil, "", false, "http://p", true},
		{"session's no_proxy and a verb", "http://a.test", nil, pm{"no_proxy": "a.test"}, env, false, "http://env", true},
		{"session's no_proxy and send", "http://a.test", nil, pm{"no_proxy": "a.test"}, env, true, "", false},
		{"call's no_proxy before the session's", "http://a.test", pm{"no_proxy": "b.test"}, pm{"no_proxy": "a.test"}, env, true, "http://env", true},
		{"send: session over environment", "http://a.test", nil, pm{"http": "http://s"}, env, true, "http://s", true},
		{"send: session direct", "http://a.test", nil, pm{"http": ""}, env, true, "", true},
		{"send: call over session", "http://a.test", pm{"http": "http://p"}, pm{"http": "http://s"}, env, true, "http://p", true},
		{"send: environment beside session", "http://a.test", nil, pm{"https": "http://s"}, env, true, "http://env", true},
		{"send: environment's scheme over session's all", "http://a.test", nil, pm{"all": "http://s"}, env, true, "http://env", true},
		{"send: environment's all over session's all", "http://a.test", nil, pm{"all": "http://s"}, "all_proxy=http://env", true, "http://env", true},
		{"send: environment of another scheme", "http://a.test", nil, pm{"all": "http://s"}, "https_proxy=http://env", true, "http://s", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, err := url.Parse(tt.url)
			require.NoError(t, err)
			r := proxyRules{call: tt.call, session: tt.session, environ: strings.Fields(tt.environ), sessionNoProxy: tt.send, sent: tt.send}
			got, found := selectProxy(u.Scheme, u.Hostname(), r.merge(u.Scheme, u.Hostname(), u.Port()))
			assert.Equal(t, tt.want, got)
			assert.Equal(t, tt.found, found)
		})
	}
}

func TestMergeProxies(t *testing.T) {
	call := ProxyMap{"http": "call", "no_proxy": "b.test"}
	session := ProxyMap{"http": "session", "https": "session", "all://a.test": "session"}
	r := proxyRules{call: call, session: session, environ: []string{"https_proxy=env", "ftp_proxy=env", "no_proxy=a.test"}}
	got := r.merge("http", "a.test", "")
	assert.Equal(t, ProxyMap{"http": "call", "https": "env", "ftp": "env", "all://a.test": "session", "no_proxy": "b.test"}, got)
	assert.Equal(t, ProxyMap{"http": "call", "no_proxy": "b.test"}, call, "the caller's map was changed")
	assert.Equal(t, ProxyMap{"http": "session", "https": "session", "all://a.test": "session"}, session, "the caller's map was changed")

	got = r.merge("http", "b.test", "")
	assert.Equal(t, "session", got["https"])
	got = proxyRules{}.merge("", "", "")
	assert.Equal(t, ProxyMap{}, got)
}

func TestEnvironProxiesAllocatesNothingWithoutProxies(t *testing.T) {
	environ := []string{"HOME=/", "PATH=/bin", "LONG_PROXY_NAME=1", "A=b"}
	got := testing.AllocsPerRun(100, func() { environProxies(environ) })
	assert.Zero(t, got)
}

func TestProxyMapHidesCredentials(t *testing.T) {
	m := ProxyMap{
		"http": "http://user:s3cret@p.test:3128/", "https": "user:s3cret@p.test", "all": "socks5://p.test",
		"ftp": "http://user:s3cret/x@y#@p.test", "x": "user:s3cret://@p.test", "y": "://s3cret@p", "z": "1h://s3cret@p",
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		got := fmt.Sprintf(verb, m)
		assert.NotContains(t, got, "s3cret", verb)
		assert.Contains(t, got, "p.test", verb)
	}
	assert.Equal(t, "map[all:socks5://p.test ftp:http://xxxxx@p.test http:http://xxxxx@p.test:3128/ https:xxxxx@p.test x:xxxxx@p.test y:xxxxx@p z:xxxxx@p]", m.String())
	assert.Equal(t, `requests.ProxyMap{"all":"socks5+h.x-1://xxxxx@h", "http":""}`, fmt.Sprintf("%#v", ProxyMap{"all": "socks5+h.x-1://u@h", "http": ""}))
	assert.Equal(t, "map[]", fmt.Sprint(ProxyMap(nil)))
}

// bypassOracle says the same as bypassProxy in a slow and simple way, for hosts
// and lists in ASCII.
func bypassOracle(host, port, list string) bool {
	if host == "" {
		return true
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	var hostIP net.IP
	if strings.Contains(host, ":") {
		address, _, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), "%")
		hostIP = net.ParseIP(address)
	} else if hostIP = oracleIPv4(host); hostIP == nil {
		for entry := range strings.SplitSeq(list, ",") {
			entry = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(entry), " ", ""))
			if entry == "*" {
				return true
			}
			entry = strings.TrimLeft(strings.TrimPrefix(entry, "*."), ".")
			name, entryPort, hasPort := strings.Cut(entry, ":")
			name = strings.TrimSuffix(name, ".")
			if name == "" || hasPort && (entryPort == "" || entryPort != port) {
				continue
			}
			// Label by label, from the end.
			want, got := strings.Split(name, "."), strings.Split(host, ".")
			same := len(want) <= len(got)
			for i := 1; same && i <= len(want); i++ {
				same = want[len(want)-i] == got[len(got)-i]
			}
			if same {
				return true
			}
		}
		return false
	}
	for entry := range strings.SplitSeq(list, ",") {
		entry = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(entry), " ", ""))
		if entry == "*" || hostIP != nil && oracleAddr(hostIP, port, entry) {
			return true
		}
	}
	return false
}

// oracleAddr compares a host's address with an entry, all as 16 bytes, bit by bit.
func oracleAddr(host net.IP, port, entry string) bool {
	address, length, hasLength := strings.Cut(entry, "/")
	if m := regexp.MustCompile(`^(\[.*\]):(.+)$`).FindStringSubmatch(address); m != nil && !hasLength {
		if m[2] != port {
			return false
		}
		address = m[1]
	}
	ip := oracleIPv4(strings.TrimSuffix(address, "."))
	short := ip != nil
	if !short {
		if m := regexp.MustCompile(`^\[(.*)\]$`).FindStringSubmatch(address); m != nil {
			address = m[1]
		}
		if !strings.Contains(address, ":") {
			return false
		}
		if ip = net.ParseIP(address); ip == nil {
			return false
		}
	}
	bits := 128
	if hasLength {
		n, err := strconv.Atoi(length)
		if err != nil || n < 1 || n > 128 || short && n > 32 {
			return false
		}
		if bits = n; short {
			bits += 96
		}
		if !short && ip.To4() != nil && n < 96 || (host.To4() != nil) != (ip.To4() != nil) {
			return false
		}
	}
	for i := range bits {
		mask := byte(0x80) >> (i % 8)
		if ip.To16()[i/8]&mask != host.To16()[i/8]&mask {
			return false
		}
	}
	return true
}

// oracleIPv4 reads what inet_aton takes, or returns nil.
func oracleIPv4(s string) net.IP {
	parts := strings.Split(s, ".")
	if len(parts) > 4 {
		return nil
	}
	var total uint64
	for i, part := range parts {
		if !regexp.MustCompile(`^(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$`).MatchString(part) {
			return nil
		}
		n, err := strconv.ParseUint(part, 0, 64)
		room := 1
		if i == len(parts)-1 {
			room = 5 - len(parts)
		}
		if err != nil || n >= uint64(1)<<(8*room) {
			return nil
		}
		total = total<<(8*room) | n
	}
	return net.IPv4(byte(total>>24), byte(total>>16), byte(total>>8), byte(total))
}

func FuzzBypassProxy(f *testing.F) {
	for _, tt := range bypassTests {
		f.Add(tt.host, tt.port, tt.list)
	}
	f.Fuzz(func(t *testing.T, host, port, list string) {
		got := bypassProxy(host, port, list)
		for _, s := range []string{host, list} {
			// The oracle knows neither international names nor zones in a list.
			if strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) >= 0 {
				return
			}
		}
		if strings.Contains(list, "%") || strings.ContainsAny(host, "[]%") {
			return
		}
		want := bypassOracle(host, port, list)
		require.Equal(t, want, got)
	})
}

// A scheme that is not known is refused, as both of what Requests calls it.
func TestUnknownProxyScheme(t *testing.T) {
	s := loopSession(t)
	for _, proxy := range []string{"socks://p.test", "ftp://p.test", "foo://p.test:1"} {
		_, err := s.Get(t.Context(), "http://a.test/", Proxy("all", proxy))
		require.ErrorIs(t, err, ErrInvalidProxyURL, proxy)
		require.ErrorIs(t, err, ErrInvalidSchema, proxy)
	}
}

// What a netrc entry adds to the request of a redirect comes after the credentials
// for the proxy, which Requests puts there first where they are under the key of
// the scheme.
func TestRedirectProxyAuthOrder(t *testing.T) {
	for _, tt := range []struct{ key, proxy, to, want string }{
		{"http", "http://u:p@proxy.test", "http://b.test/", "Host|X|Proxy-Authorization|Authorization|Content-Length||"},
		{"http", "http://u:p@proxy.test", "http://a.test/b", "Host|Authorization|X|Proxy-Authorization|Content-Length||"},
		{"all", "http://u:p@proxy.test", "http://b.test/", "Host|X|Authorization|Content-Length|Proxy-Authorization||"},
		{"http", "http://u@proxy.test", "http://b.test/", "Host|X|Authorization|Content-Length|Proxy-Authorization||"},
	} {
		p, err := NewRequest("PUT", "http://a.test/", Header("Authorization", "Basic YTox"), Header("X", "1")).Prepare(t.Context())
		require.NoError(t, err)
		s := loopSession(t)
		withNetrc(t, s, "machine a.test login a password 1 machine b.test login b password 2\n")
		next, err := s.redirect(t.Context(), p, 301, target(t, tt.to))
		require.NoError(t, err)
		settings := &Settings{Proxies: ProxyMap{tt.key: tt.proxy}}
		head := string((&trip{p: next, settings: settings, proxyTurn: &proxyTurn{header: "Basic proxy"}}).AppendHead(nil))
		_, fields, _ := strings.Cut(head, "\r\n")
		names := ""
		for line := range strings.Lines(fields) {
			name, _, _ := strings.Cut(line, ":")
			names += strings.TrimSpace(name) + "|"
		}
		assert.Equal(t, tt.want, names, tt)
	}
}
