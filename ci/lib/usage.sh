# How the steps of ci/ that are scripts of the shell tell a mistake in their arguments. Sourced before common.sh,
# since a path in an argument is relative to where the caller is. `usage` is the script's own text.
# shellcheck shell=sh

# wrong WHAT: what is wrong, by its name, and how the step is called.
wrong() {
    # `usage` is the script's.
    # shellcheck disable=SC2154
    printf 'ci/%s: %s\n%s\n' "$(basename "$0")" "$1" "$usage" >&2
    exit 2
}

# given WHAT OPTION [VALUE]: an option's value is there.
given() { [ -n "${3-}" ] || wrong "$2 needs $1"; }
