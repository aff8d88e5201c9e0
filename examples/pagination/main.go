// Pagination follows the Link headers of an API from page to page.
//
//	go run ./examples/pagination
package main

import (
	"context"
	"fmt"
	"iter"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"

	"github.com/seed-9ea40bd3/requests"
)

// issue is one entry of the API.
type issue struct {
	Number int    `json:"number"`
	Title  string `json:"title"`
}

func main() {
	server := httptest.NewServer(http.HandlerFunc(serveIssues))
	defer server.Close()
	s := requests.NewSession(requests.Header("Accept", "application/json"))
	defer s.Close()
	for one, err := range issues(context.Background(), s, server.URL+"/issues?page=1") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("#%d %s\n", one.Number, one.Title)
	}
}

// issues yields the entries of all pages. A page is fetched when its first
// entry is asked for.
func issues(ctx context.Context, s *requests.Session, url string) iter.Seq2[issue, error] {
	return func(yield func(issue, error) bool) {
		for url != "" {
			r, err := s.Get(ctx, url)
			page, err := requests.Decode[[]issue](r, err)
			if err != nil {
				yield(issue{}, err)
				return
			}
			for _, one := range page {
				if !yield(one, nil) {
					return
				}
			}
			url = r.Links()["next"].URL // empty on the last page
		}
	}
}

// serveIssues is an API of three pages with two issues each.
func serveIssues(w http.ResponseWriter, req *http.Request) {
	page, err := strconv.Atoi(req.URL.Query().Get("page"))
	if err != nil {
		http.Error(w, "page is no number", http.StatusBadRequest)
		return
	}
	if page < 3 {
		w.Header().Set("Link", fmt.Sprintf(`<http://%s/issues?page=%d>; rel="next"`, req.Host, page+1))
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `[{"number":%d,"title":"first of page %[2]d"},{"number":%[3]d,"title":"second of page %[2]d"}]`,
		2*page-1, page, 2*page)
}
