# Everything that is done often, in one word each. `make help` lists it.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run build fmt lint doc test test-all test-servers dashboards screenshots loadtest audit env ci

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## the service on 127.0.0.1:8080 with SQLite in orderbox.db; settings come from the environment
	cargo run --release

build: ## the release binary, target/release/orderbox
	cargo build --release

fmt: ## format the code
	cargo fmt

lint: ## what a review should not have to say: formatting and clippy, no warning allowed
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings

doc: ## the documentation of the crate, no warning allowed
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

dashboards: ## grafana/dashboards from grafana/source
	jsonnet -m grafana/dashboards grafana/source/all.jsonnet

test: test-servers ## the everyday tests on real servers; the totals are the last line
	scripts/test.sh

test-all: test-servers ## the long ones as well: more kills and outages, on each database
	scripts/test.sh --include-ignored

test-servers: ## install what the tests start: PostgreSQL, NATS Streaming, Chromium, vegeta and more
	scripts/install-test-servers.sh

screenshots: test-servers ## the pictures of the page in docs/pictures, from the service under load
	ORDERBOX_PICTURES=$(CURDIR)/docs/pictures cargo test --locked --test integration page::pictures -- --ignored

loadtest: ## load the service on 127.0.0.1:8080 with vegeta; RUN="--help" says what else there is
	loadtest/run.sh $(RUN)

audit: ## the dependencies against the RustSec advisories
	scripts/audit.sh

env: ## random tokens and passwords for docker compose, in .env; what is there stays
	scripts/env.sh

ci: ## all that must hold before a change lands
	.ci/run
