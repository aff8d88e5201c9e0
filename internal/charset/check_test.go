package charset

import "testing"

// mustEqual stops the test where got is not want.
func mustEqual[T comparable](t testing.TB, want, got T, about ...any) {
	t.Helper()
	if got != want {
		t.Fatalf("got  %#v\nwant %#v %v", got, want, about)
	}
}

// mustDo stops the test at an error.
func mustDo(t testing.TB, err error, about ...any) {
	t.Helper()
	if err != nil {
		t.Fatal(append(about, err)...)
	}
}
