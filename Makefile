# The commands of a day's work. `make demo` runs the main job on a sample export, `make test` runs every
# test against real services. The compiled program and downloaded jars are kept in HIVECAST_CACHE,
# outside the checkout, so that a second run is quick.
HIVECAST_CACHE ?= $(HOME)/.cache/hivecast
CARGO_TARGET_DIR ?= $(HIVECAST_CACHE)/target
export HIVECAST_CACHE CARGO_TARGET_DIR

HIVECAST := $(CARGO_TARGET_DIR)/release/hivecast

# It would replace the flags of .cargo/config.toml, and compile every dependency once more.
unexport RUSTFLAGS

.PHONY: demo build test test-delivery bench bench-plan lint setup

demo: build
	@dev/demo $(HIVECAST)

build: setup
	cargo build --release --locked --package hivecast

# The steps of the pipeline, which each run alone, too. The suite is the last: it ends with its summary.
test:
	ci/build
	ci/settings --check
	ci/quality
	ci/test

# Packages, releases, deployments and the pipeline alone: the steps of ci/, run for real.
test-delivery:
	ci/build --product
	ci/test delivery

# Options of dev/bench: make bench BENCH=--memory-curve
bench: build
	cargo build --release --locked --workspace --examples
	dev/with-services dev/bench $(HIVECAST) $(BENCH)

# How well `hivecast plan` foretells.
bench-plan: build
	dev/bench $(HIVECAST) --plan $(BENCH)

lint:
	ci/quality fmt clippy

setup:
	@dev/setup
