# Two commands: `make demo` runs the main job on a sample export, `make test` runs every test
# against real services. The compiled program and downloaded jars are kept in HIVECAST_CACHE,
# outside the checkout, so that a second run is quick.
HIVECAST_CACHE ?= $(HOME)/.cache/hivecast
CARGO_TARGET_DIR ?= $(HIVECAST_CACHE)/target
export HIVECAST_CACHE CARGO_TARGET_DIR

HIVECAST := $(CARGO_TARGET_DIR)/release/hivecast

# The first would replace the flags of .cargo/config.toml, the second runs build scripts again: either
# compiles every dependency once more.
unexport RUSTFLAGS SOURCE_DATE_EPOCH

.PHONY: demo build test test-delivery bench lint setup

demo: build
	@dev/demo $(HIVECAST)

build: setup
	cargo build --release --locked --package hivecast

test: setup
	cargo build --release --locked --workspace --all-targets
	dev/with-services cargo test --release --locked --workspace --no-fail-fast
	$(MAKE) test-delivery

# Packages, releases, deployments and the pipeline: the steps of ci/, run for real.
test-delivery: build
	dev/setup delivery
	dev/with-services python3 -m unittest discover -s ci/tests -v

# Options of dev/bench: make bench BENCH=--memory-curve
bench: build
	cargo build --release --locked --workspace --examples
	dev/with-services dev/bench $(HIVECAST) $(BENCH)

lint:
	ci/quality fmt clippy

setup:
	@dev/setup
