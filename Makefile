# Everything that is done often, in one word each. `make help` lists it.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run build fmt lint doc test test-all simulate chaos kills outages attack test-servers dashboards screenshots bench loadtest fuzz audit env ci

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
	cargo clippy --locked --all-targets --features fail-points -- -D warnings

doc: ## the documentation of the crate, no warning allowed
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

dashboards: ## grafana/dashboards from grafana/source
	jsonnet -m grafana/dashboards grafana/source/all.jsonnet

test: test-servers ## the everyday tests on real servers; the totals are the last line
	scripts/test.sh

test-all: test-servers ## the long ones as well: more kills and outages, on each database
	scripts/test.sh --include-ignored

SEEDS ?= 100000
simulate: ## the pipeline under faults on simulated time: SEEDS=100000 of them, or one with its story, SEED=123
	$(if $(SEED),SEED=$(SEED)) SEEDS=$(SEEDS) cargo test --release --locked --test integration simulation::simulate -- --ignored --exact --nocapture

test-servers: ## install what the tests start: PostgreSQL, NATS Streaming, Chromium, vegeta and more
	scripts/install-test-servers.sh

chaos: test-servers ## every fail point with every fault on both stores, and a table of what was lost
	cargo test --locked --features fail-points --test integration chaos:: -- --ignored --nocapture

kills: test-servers ## 50 kills while 100,000 messages are published, on each store
	KILLS=50 MESSAGES=100000 cargo test --locked --test integration kill_9_at_random_moments -- --ignored --nocapture --test-threads 1

outages: test-servers ## PostgreSQL, and STAN on each store, away for ten minutes under load, all at once
	OUTAGE_SECONDS=600 cargo test --locked --test integration outage:: -- --ignored --nocapture --test-threads 3

screenshots: test-servers ## the pictures of the page in docs/pictures, from the service under load
	ORDERBOX_PICTURES=$(CURDIR)/docs/pictures cargo test --locked --test integration page::pictures -- --ignored

bench: test-servers build ## every figure against its reference, in half an hour; RUN="reads boot" for some, RUN=build for how long cargo takes
	cargo build --profile harness --locked --example bare_axum
	ORDERBOX_BINARY=$(CURDIR)/target/release/orderbox cargo bench --profile harness --locked --bench bench -- $(RUN)

loadtest: ## load the service on 127.0.0.1:8080 with vegeta; RUN="--help" says what else there is
	loadtest/run.sh $(RUN)

fuzz: ## look for inputs that break a promise, 10 s a target; RUN="60" or RUN="--inputs 100000000" for more
	scripts/fuzz.sh $(RUN)

attack: test-servers build ## the release binary under attack: floods, idle connections, requests that are none
	ORDERBOX_BINARY=$(CURDIR)/target/release/orderbox cargo test --locked --test integration attack:: -- \
	  --include-ignored --test-threads=1 --show-output

audit: ## the dependencies against the RustSec advisories
	scripts/audit.sh

env: ## random tokens and passwords for docker compose, in .env; what is there stays
	scripts/env.sh

ci: ## all that must hold before a change lands
	.ci/run
