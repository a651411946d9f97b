# Two commands are enough: `make run` and `make test`. `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# How many compilers run at once.
JOBS ?= $(shell nproc)
# Arguments of `settle up`, for example: make run ARGS='--for 30s'
ARGS ?=
# Arguments of `settle bench`.
BENCH ?= --skew uniform,hot,ten,zipf --compare naive,function,pgbench,copy
# Which tests `make tsan` runs: those of the concurrent parts.
TSAN_FILTER ?= SettlementWorkersTests|WalletClientTests|RepositoryTests

SOURCES := Sources Tests Plugins Package.swift

.PHONY: help run bench test build docs format lint tsan clean toolchain packages

help: ## This list
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

# On a terminal settle gets a process group of its own there: Ctrl-C is for it alone, and make sees its clean exit.
run: packages toolchain ## Build for release and start everything on this machine: make run ARGS='--for 30s'
	@swift build -c release -j $(JOBS) --product settle
	@if [ -t 0 ]; then set -m; .build/release/settle up $(ARGS); else exec .build/release/settle up $(ARGS); fi

bench: packages toolchain ## Measure how fast this machine settles: make bench BENCH='--trades 100k'
	@swift build -c release -j $(JOBS) --product settle
	@.build/release/settle bench $(BENCH)

# How many tests run at once. Without a bound all begin together, and those that wait for PostgreSQL keep the others from
# their threads.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH ?= 8
# What holds a thread while PostgreSQL works runs by itself, and so do the tests of whole processes: they would starve
# tests that hold a moment open.
DATABASE_TESTS := EmbeddedPostgresTests|RepositoryTests|WalletClientTests
test: packages toolchain ## Run all tests against PostgreSQL clusters of their own: make test FILTER=Wallet
ifdef FILTER
	@swift test -j $(JOBS) --filter '$(FILTER)'
else
	@swift test -j $(JOBS) --skip '$(DATABASE_TESTS)|EndToEndTests'
	@swift test --skip-build --filter '$(DATABASE_TESTS)'
	@swift test --skip-build --filter EndToEndTests
endif

build: packages toolchain ## Build for debugging
	@swift build -j $(JOBS)

docs: build ## Write the pages and the sample that are made from the program itself
	@.build/debug/settle generate-docs .

format: toolchain ## Format the source
	@swift format format --in-place --recursive $(SOURCES)

lint: toolchain ## Check the format of the source, without changing it
	@swift format lint --strict --recursive $(SOURCES)

tsan: packages toolchain ## Run the tests of the concurrent parts under the thread sanitizer
	@swift test -j $(JOBS) --sanitize=thread -Xswiftc -DTSAN --scratch-path .build/tsan --filter '$(TSAN_FILTER)'

clean: ## Remove what was built; data in .settle stay
	@rm -rf .build

packages:
	@scripts/install-packages

toolchain:
	@command -v swift >/dev/null || { echo "swift is not on PATH. Install Swift 6.2 or newer: https://www.swift.org/install" >&2; exit 1; }
	@version=$$(swift --version 2>/dev/null | sed -nE 's/.*Swift version ([0-9]+\.[0-9]+).*/\1/p' | head -n 1); \
	printf '%s\n' 6.2 "$$version" | sort --check=quiet --version-sort || \
	{ echo "Swift $${version:-of unknown version} is too old. Install Swift 6.2 or newer: https://www.swift.org/install" >&2; exit 1; }
