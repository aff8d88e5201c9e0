// Package requests is Python's Requests for Go: the same nouns, the same
// verbs, the same wire.
//
//	r, err := requests.Get(ctx, "https://api.example.com/search",
//		requests.Param("q", "go"),
//		requests.BasicAuth("user", "pass"),
//		requests.Timeout(3*time.Second))
//	if err != nil {
//		return err // never for a status alone
//	}
//	fmt.Println(r.StatusCode, r.Headers.Get("content-type"), r.Text())
//
// # Sessions
//
// A [Session] keeps defaults, cookies and connections over calls, and may be
// used by many goroutines at once:
//
//	s := requests.NewSession(requests.Header("X-App", "demo"))
//	defer s.Close()
//	user, err := requests.Decode[User](s.Post(ctx, url, requests.JSON(item)))
//
// What a call says goes before what the session says; [Without] leaves a
// default out, as None does in Requests.
//
// # Requests and responses
//
// A [Request] says what is asked for, an [Option] fills in a part of it, and
// [Session.Prepare] makes the [PreparedRequest] that is sent: its method, its
// URL, its headers in their order and spelling, its body. A [Response] was
// read whole unless [Stream] was asked for; then [Response.Lines],
// [Response.Chunks] or [Response.Read] read it, and [Response.Close] ends it.
//
// # Adapters
//
// An [Adapter] sends requests whose URLs begin with the prefix that it was
// mounted under by [Session.Mount]. [HTTPAdapter] is the one for http and
// https: pools, retries by a [Retry], TLS, proxies, Unix sockets.
//
// # Errors
//
// A call that fails, in preparing, sending or reading, gives an [*Error] of one
// of the kinds [ErrConnection], [ErrReadTimeout] and so on, to be told by
// [errors.Is]; the kinds have the parents that the exceptions of Requests have,
// with [ErrRequest] above them all. Its cause can be told too. There are three
// exceptions, of types of their own, to be taken by [errors.As]:
//
//   - A status of 400 and more is no error but for [Response.RaiseForStatus],
//     and for the generic helpers [Decode], [GetJSON] and their kin: a
//     [*HTTPError], which is an [ErrHTTP] and an [ErrRequest].
//   - The methods of a [CookieJar] give a [*CookieError], which is an
//     [ErrNoCookie], [ErrCookieConflict] or [ErrBadCookie] and no [ErrRequest],
//     and with files the system's error.
//   - The error of a [Hook] ends the call and is returned as it is, unless it
//     is the context's.
//
// # Differences from Requests
//
// Where Requests is known to be wrong or weak this package is not: cookies
// follow RFC 6265 and the public suffix list, credentials stay with the origin
// they were given for, a body that cannot be sent again is an error and never
// empty, a truncated body is an error always, the system's roots are trusted,
// addresses are raced, and contexts end everything at once. The README lists
// each difference with its reason.
package requests
