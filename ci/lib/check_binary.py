"""usage: check_binary.py BINARY [PATH...]

Fails if the binary would not start on the oldest system it is for, or holds one of the PATHs of the
machine that built it or the day on which something was compiled. Needs readelf (binutils).
"""

import pathlib
import re
import subprocess
import sys

# RHEL 9's; Debian 12 and Ubuntu 22.04 have newer ones.
NEWEST_GLIBC = (2, 34)

# What the package depends on, and nothing else (packaging/, `depends` in crates/cli/Cargo.toml).
LIBRARIES = {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "libgcc_s.so.1", "libssl.so.3", "libcrypto.so.3",
             "libz.so.1"}


def complaints(binary, paths):
    """Everything that is wrong with the binary."""
    return [*symbols(binary), *libraries(binary), *machine_paths(binary, paths), *compile_dates(binary)]


def symbols(binary):
    """Symbols that glibc has under a newer version than the oldest system's."""
    listed = readelf("--dyn-syms", binary)
    for name, major, minor in re.findall(r" UND (\S+)@GLIBC_(\d+)\.(\d+)", listed):
        if (int(major), int(minor)) > NEWEST_GLIBC:
            yield f"it needs {name} of glibc {major}.{minor}, newer than {'.'.join(map(str, NEWEST_GLIBC))}"


def libraries(binary):
    """Libraries that the package does not depend on."""
    for name in re.findall(r"\(NEEDED\).*\[(.+)\]", readelf("--dynamic", binary)):
        if name not in LIBRARIES:
            yield f"it needs {name}, which the package does not depend on"


def machine_paths(binary, paths):
    """Places of the machine that built it, which are no one else's business and differ from builder to builder."""
    data = pathlib.Path(binary).read_bytes()
    for path in paths:
        # Not the beginning of another name: /build is not in /builder.
        found = re.search(re.escape(path.rstrip("/").encode()) + rb"(?=[/\0]|$)", data)
        if found:
            place = data[found.start():found.start() + 120].split(b"\0")[0].decode(errors="replace")
            yield f"it names {path}: {place}"


# What a C compiler writes for `__DATE__`: "Nov  6 2026". `.cargo/config.toml` has it write the first day of 1970.
COMPILE_DATE = re.compile(rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 123]\d (?:19|20)\d\d")
FIXED_DATE = b"Jan  1 1970"


def compile_dates(binary):
    """Days of compilation, which make two builds of one commit differ."""
    for found in sorted(set(COMPILE_DATE.findall(pathlib.Path(binary).read_bytes())) - {FIXED_DATE}):
        yield f"it holds a date of compilation, {found.decode()}; build it with this checkout's .cargo/config.toml"


def readelf(option, binary):
    """What readelf prints."""
    return subprocess.run(["readelf", "--wide", option, binary], check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    wrong = complaints(sys.argv[1], [path for path in sys.argv[2:] if path.strip("/")])
    for complaint in wrong:
        print(f"{sys.argv[1]}: {complaint}", file=sys.stderr)
    sys.exit(1 if wrong else 0)
