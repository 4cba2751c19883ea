# What the steps of ci/ share. Sourced, with $0 a script in ci/; leaves the shell in the checkout.
# shellcheck shell=sh

step=ci/$(basename "$0")
cd "$(dirname "$0")/.." || exit 2
root=$(pwd -P)

# The same folders as the Makefile's, so that one compiled product is built, tested and packaged.
HIVECAST_CACHE=${HIVECAST_CACHE:-$HOME/.cache/hivecast}
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$HIVECAST_CACHE/target}
CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}
LC_ALL=C.UTF-8
export HIVECAST_CACHE CARGO_TARGET_DIR CARGO_TERM_COLOR LC_ALL
# It would replace the flags of .cargo/config.toml, compile DataFusion again and leave the builder's
# paths in the binary.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS

# Exact versions: what these say of the product must not change without a commit.
CARGO_DEB=3.8.0
CARGO_DENY=0.20.2
CARGO_CYCLONEDX=0.5.9

say() { echo "$step: $*" >&2; }

# die MESSAGE: a mistake of who called, or something that is missing.
die() {
    say "$*"
    exit 2
}

# need TOOL WHERE-FROM
need() {
    command -v "$1" >/dev/null || die "$1 is missing; $2"
}

# workspace_version: `version` of [workspace.package].
workspace_version() {
    sed -n '/^\[workspace\.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml
}

# cargo_tool NAME VERSION: prints the path of cargo's subcommand NAME in exactly this version, compiled
# into the cache when it is not there. Without optimisation: they run for seconds.
cargo_tool() {
    folder=$HIVECAST_CACHE/tools/$1-$2
    if [ ! -x "$folder/bin/$1" ]; then
        say "compiling $1 $2 into $folder, once"
        # Outside the checkout, whose flags are for the product.
        (cd / && CARGO_TARGET_DIR="$HIVECAST_CACHE/tools/target" cargo install --quiet --debug --locked \
            --no-track --root "$folder" --version "=$2" "$1") >&2 || die "failed to install $1 $2"
        rm -rf "$HIVECAST_CACHE/tools/target"
    fi
    echo "$folder/bin/$1"
}
