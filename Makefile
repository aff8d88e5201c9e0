# make help lists the targets.
GO       ?= go
FUZZTIME ?= 5s
LINTER    = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.PHONY: help build test race lint fuzz bench microbench cover examples

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1: /p' $(MAKEFILE_LIST)

build: ## compile everything
	$(GO) build ./...

test: ## what the README says
	$(GO) test ./...

race: ## the tests under the race detector, in another order each time
	$(GO) test -race -shuffle=on ./...

lint: ## gofumpt, goimports, vet, staticcheck and more; see .golangci.yml
	$(GO) run $(LINTER) run

fuzz: ## every fuzz target for FUZZTIME, 5s unless given, two at a time
	@GO=$(GO) .ci/fuzz $(FUZZTIME)

bench: ## the library beside its peers: a table, bench/RESULTS.md and its chart, in four minutes
	cd bench && $(GO) run .

microbench: ## the benchmarks of the packages
	$(GO) test -run '^$$' -bench . -benchmem ./...

cover: ## which statements the tests run; fails where that is not enough, see internal/coverage
	$(GO) test -coverpkg=.,./internal/... -coverprofile=cover.out . $$($(GO) list ./internal/... | grep -v /internal/services)
	$(GO) run ./internal/coverage cover.out

examples: ## run every program under examples, offline
	@set -e; for dir in examples/*/; do echo "== $$dir"; $(GO) run "./$$dir"; done
