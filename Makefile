# Two commands are enough: `make run` and `make test`. `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# How many compilers run at once.
JOBS ?= $(shell nproc)
# Arguments of `settle up`, for example: make run ARGS='--for 30s'
ARGS ?=
# Further arguments of each run of `settle bench`, such as --yes for a server of one's own, and where `make bench` puts
# what they found. FOR=5s ROUNDS=5 PREFILL=0,1M say how long, how often, and with how full tables it measures.
BENCH ?=
BENCH_FOLDER ?= .bench
# What a change must not break. About half of what a quiet machine shows: a slower machine slows both sides, a
# regression only one.
BENCH_BOUNDS ?= --at-least naive=7 --memory-max 200MB
# Which tests `make tsan` runs: those of the concurrent parts.
TSAN_FILTER ?= SettlementWorkersTests|WalletClientTests|RepositoryTests|FeedSocketTests|FeedFaultTests|RecordLogTests

# How many orders `make storm` sends.
ORDERS ?= 100000

SOURCES := Sources Tests Plugins Package.swift

.PHONY: help run bench bench-check bench-page test build release docs format lint tsan storm fuzz clean toolchain packages

help: ## This list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

# On a terminal settle gets a process group of its own there: Ctrl-C is for it alone, and make sees its clean exit.
run: packages toolchain ## Build for release and start everything on this machine: make run ARGS='--for 30s'
	@swift build -c release -j $(JOBS) --product settle
	@if [ -t 0 ]; then set -m; .build/release/settle up $(ARGS); else exec .build/release/settle up $(ARGS); fi

bench: packages toolchain ## Measure what docs/performance.md tells: make bench PREFILL=0,1M,20M
	@command -v python3 >/dev/null || { echo "python3 is not on PATH; it draws the plots. Install it: apt-get install python3" >&2; exit 1; }
	@swift build -c release -j $(JOBS) --product settle
	@FOR=$(FOR) ROUNDS=$(ROUNDS) PREFILL=$(PREFILL) scripts/measure .build/release/settle $(BENCH_FOLDER) $(BENCH)
	@scripts/performance-page $(BENCH_FOLDER)

bench-page: ## Put what `make bench` measured into docs/performance.md
	@scripts/performance-page $(BENCH_FOLDER) --docs

# Each round measures ours and theirs alternately, so that what else the machine does meets both; should it meet one of
# them only, a second run decides.
bench-check: packages toolchain ## Fail if settling has become much slower, beside one transaction a trade
	@swift build -c release -j $(JOBS) --product settle
	@check() { .build/release/settle bench --skew uniform,hot,ten --accounts 10000 --for 700ms --warm-up 300ms --rounds 3 \
		--compare naive $(BENCH_BOUNDS) $(BENCH); }; \
	check || { echo "Once more, since something else may have been in the way." >&2; check; }

# How many tests run at once. Without a bound all begin together, and those that wait for PostgreSQL keep the others from
# their threads.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH ?= 8
# What holds a thread while PostgreSQL works runs by itself, and so do the tests of whole processes: they would starve
# tests that hold a moment open.
DATABASE_TESTS := EmbeddedPostgresTests|RepositoryTests|WalletClientTests
test: packages toolchain ## Run all tests against PostgreSQL clusters of their own: make test FILTER=Wallet
ifdef FILTER
	@scripts/test -j $(JOBS) --filter '$(FILTER)'
else
	@scripts/test -j $(JOBS) --skip '$(DATABASE_TESTS)|EndToEndTests'
	@scripts/test --skip-build --filter '$(DATABASE_TESTS)'
	@scripts/test --skip-build --filter EndToEndTests
endif

build: packages toolchain ## Build for debugging
	@swift build -j $(JOBS)

release: packages toolchain ## Build for release
	@swift build -c release -j $(JOBS) --product settle

docs: build ## Write the pages and the sample that are made from the program itself
	@.build/debug/settle generate-docs .

format: toolchain ## Format the source
	@swift format format --in-place --recursive $(SOURCES)

lint: toolchain ## Check the format of the source, without changing it
	@swift format lint --strict --recursive $(SOURCES)

tsan: packages toolchain ## Run the tests of the concurrent parts under the thread sanitizer
	@swift test -j $(JOBS) --sanitize=thread -Xswiftc -DTSAN --scratch-path .build/tsan --filter '$(TSAN_FILTER)'

storm: packages toolchain ## Kill every part of it while orders come in: make storm ORDERS=100000
	@swift build -c release -j $(JOBS) --product settle
	@SETTLE_TESTED_PROGRAM=$(CURDIR)/.build/release/settle SETTLE_STORM_ORDERS=$(ORDERS) \
		scripts/test -j $(JOBS) --filter EngineChaosTests

fuzz: packages toolchain ## Give the decoders bytes that nobody would send: make fuzz FOR=60
	@FOR=$(FOR) JOBS=$(JOBS) scripts/fuzz

clean: ## Remove what was built; data in .settle stay
	@rm -rf .build

packages:
	@scripts/install-packages

toolchain:
	@command -v swift >/dev/null || { echo "swift is not on PATH. Install Swift 6.2 or newer: https://www.swift.org/install" >&2; exit 1; }
	@version=$$(swift --version 2>/dev/null | sed -nE 's/.*Swift version ([0-9]+\.[0-9]+).*/\1/p' | head -n 1); \
	printf '%s\n' 6.2 "$$version" | sort --check=quiet --version-sort || \
	{ echo "Swift $${version:-of unknown version} is too old. Install Swift 6.2 or newer: https://www.swift.org/install" >&2; exit 1; }
