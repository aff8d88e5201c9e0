package requests_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/seed-9ea40bd3/requests"
)

func ExampleCookieJar() {
	var jar requests.CookieJar
	if err := jar.SetValue("theme", "dark"); err != nil {
		panic(err)
	}
	if err := jar.Set(&http.Cookie{Name: "sid", Value: "1", Domain: ".example.com"}); err != nil {
		panic(err)
	}
	for c := range jar.All() {
		fmt.Printf("%q %s %s\n", c.Domain, c.Path, c.Name)
	}
	fmt.Println(jar.Value("theme"), jar.Len())
	fmt.Println(&jar) // no values
	// Output:
	// "" / theme
	// ".example.com" / sid
	// dark 2
	// CookieJar(2 [*] "theme" [.example.com] "sid")
}

func ExampleCookieJar_Get() {
	var jar requests.CookieJar
	for _, domain := range []string{"a.example.com", "b.example.com"} {
		if err := jar.Set(&http.Cookie{Name: "sid", Value: "of " + domain, Domain: domain}); err != nil {
			panic(err)
		}
	}
	_, err := jar.Get("sid")
	fmt.Println(errors.Is(err, requests.ErrCookieConflict))
	c, err := jar.Get("sid", requests.CookieScope{Domain: "b.example.com"})
	fmt.Println(c.Value, err)
	// Output:
	// true
	// of b.example.com <nil>
}

func ExampleCookieJar_Set() {
	var jar requests.CookieJar
	err := jar.Set(&http.Cookie{Name: "a=1; admin", Value: "1"})
	fmt.Println(errors.Is(err, requests.ErrBadCookie), jar.Len())
	// Output: true 0
}

func ExampleCookieJar_Clear() {
	var jar requests.CookieJar
	for _, domain := range []string{"a.example.com", "b.example.com"} {
		if err := jar.Set(&http.Cookie{Name: "sid", Value: "1", Domain: domain}); err != nil {
			panic(err)
		}
	}
	fmt.Println(jar.Clear(requests.CookieScope{Domain: "a.example.com"}), jar.Domains())
	// Output: 1 [b.example.com]
}

func ExampleCookieJar_Save() {
	dir, err := os.MkdirTemp("", "cookies")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "cookies.txt")

	var jar, later requests.CookieJar
	if err := jar.SetValue("sid", "1"); err != nil {
		panic(err)
	}
	fmt.Println(jar.Save(path), later.Load(path), later.Value("sid"))
	// Output: <nil> <nil> 1
}

func ExampleCookieJar_Cookies() {
	var jar requests.CookieJar
	u := &url.URL{Scheme: "https", Host: "www.example.com", Path: "/"}
	jar.SetCookies(u, []*http.Cookie{{Name: "sid", Value: "1", Domain: "example.com"}, {Name: "evil", Value: "1", Domain: "com"}})
	u.Host = "api.example.com"
	fmt.Println(jar.Cookies(u))
	// Output: [sid=1]
}
