"""What the commands share: arguments, signals, how failures are told."""

import argparse
import os
import shutil
import signal
import sys

from . import INTERRUPTED, USAGE, Failure
from .rollout import report

NEEDS = """\
needs: ssh, gpgv, python3-yaml (dev/setup delivery installs them)
  SSH_KEY_FILE   the file of the private key that the hosts accept, without passphrase
exit codes: 0 done · 2 a mistake in the command or in a file · 10 a host or the network: try again ·
  20 the package or the version is not fit · 30 access denied · 40 another deploy or a publish holds a host ·
  130 interrupted"""


def parser(name, text):
    made = argparse.ArgumentParser(prog=f"ci/{name}", description=text, epilog=NEEDS,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("environment", metavar="ENV",
                      help="a name in ci/environments/ without .yaml, or a path with a slash in it")
    return made


def say(host, text):
    """A line about a host, for whoever watches."""
    print(f"{host.name}: {text}", flush=True)


def run(main):
    """Runs a command's main and ends the process with its exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if not shutil.which("ssh"):
            raise Failure(USAGE, "ssh is missing; on Debian: apt-get install openssh-client")
        code = main()
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        code = failure.code
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        code = INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)


def conclude(results):
    """Tells what state each host is in; the exit code."""
    print(f"\n{report(results)}\n", flush=True)
    code = 0
    for result in results:
        if result.failure:
            print(f"error: {result.host.name}: {result.failure}", file=sys.stderr)
            code = code or result.failure.code
    return code
