"""What the tests of packaging, releases and quality share."""

import contextlib
import functools
import os
import pathlib
import shutil
import subprocess
import tempfile
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.setdefault("HIVECAST_CACHE", str(pathlib.Path.home() / ".cache" / "hivecast")))
TARGET = pathlib.Path(os.environ.setdefault("CARGO_TARGET_DIR", str(CACHE / "target")))
BINARY = TARGET / "release" / "hivecast"

# So that a test's failure does not depend on who runs it.
GIT = {"GIT_AUTHOR_NAME": "Test", "GIT_AUTHOR_EMAIL": "test@example.com", "GIT_COMMITTER_NAME": "Test",
       "GIT_COMMITTER_EMAIL": "test@example.com", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}


def ended(*command, cwd=ROOT, **environment):
    """Runs a command to its end, with nothing of releases and signing in its environment but what is given
    here; its errors stand among what it printed."""
    variables = {name: str(value) for name, value in environment.items() if value is not None}
    inherited = {name: value for name, value in os.environ.items()
                 if name not in environment and not name.startswith(("RELEASE_", "SIGNING_", "AWS_"))}
    return subprocess.run([str(part) for part in command], cwd=cwd, env={**inherited, **variables}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace", check=False)


def run(*command, code=0, **options):
    """Runs a command that has to end with that code; gives what it printed, errors too."""
    ran = ended(*command, **options)
    if ran.returncode != code:
        line = " ".join(map(str, command))
        raise AssertionError(f"{line} ended with {ran.returncode}, not {code}:\n{ran.stdout}")
    return ran.stdout


@contextlib.contextmanager
def scratch():
    """A directory for a test; names of sockets below it stay short."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="hivecast-test-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def checkout(path):
    """A checkout of its own with this one's files, those that are in no commit yet too, as one commit
    with a fixed time."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True,
                            capture_output=True).stdout
    path.mkdir(parents=True)
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, path / name)
    when = {"GIT_AUTHOR_DATE": "1700000000 +0000", "GIT_COMMITTER_DATE": "1700000000 +0000"}
    run("git", "init", "--quiet", "--initial-branch=main", cwd=path, **GIT)
    run("git", "add", "--all", cwd=path, **GIT)
    run("git", "commit", "--quiet", "--message", "As it is", cwd=path, **GIT, **when)
    return path


@functools.lru_cache(maxsize=None)
def stand_in():
    """A small program in the product's place, for tests whose subject is not the product: packaging it
    takes seconds, not a minute. `generate` writes pages, any other command prints its arguments."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hivecast-stand-in-"))
    source = folder / "stand_in.c"
    source.write_text(textwrap.dedent(r"""
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        int main(int count, char **arguments) {
            if (count == 5 && !strcmp(arguments[1], "generate")) {
                setenv("DIR", arguments[4], 1);
                return system("mkdir -p \"$DIR\" && cd \"$DIR\" && mkdir man1 bash zsh fish"
                              " && echo .TH hivecast 1 >man1/hivecast.1 && echo : >bash/hivecast.bash"
                              " && echo : >zsh/_hivecast && echo : >fish/hivecast.fish");
            }
            for (int at = 1; at < count; at++) puts(arguments[at]);
            return 0;
        }
    """))
    binary = folder / "hivecast"
    run("cc", "-O1", "-o", binary, source)
    return binary


def remove_stand_in():
    """At the end of a module."""
    if stand_in.cache_info().currsize:
        shutil.rmtree(stand_in().parent, ignore_errors=True)
        stand_in.cache_clear()


class Key:
    """A GPG key made for the test, and the ring with which others verify its signatures."""

    def __init__(self, folder, name, passphrase=""):
        home = folder / f"{name}.home"
        home.mkdir(mode=0o700, parents=True)
        self.secret, self.ring = folder / f"{name}.asc", folder / f"{name}.gpg"
        self.passphrase = folder / f"{name}.passphrase"
        self.passphrase.write_text(passphrase)
        gpg = ["gpg", "--homedir", home, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", passphrase]
        run(*gpg, "--quick-gen-key", f"{name} <{name}@example.com>", "ed25519", "sign", "never")
        run(*gpg, "--armor", "--output", self.secret, "--export-secret-keys")
        run(*gpg, "--output", self.ring, "--export")
        run("gpgconf", "--homedir", home, "--kill", "all")

    def verify(self, file, code=0):
        """What gpgv says of FILE.asc, which every Debian and RHEL has."""
        return run("gpgv", "--keyring", self.ring, f"{file}.asc", file, code=code)
