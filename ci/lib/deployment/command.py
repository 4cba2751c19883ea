"""What the commands share: arguments, signals, how failures are told."""

import argparse
import os
import pathlib
import shutil
import signal
import sys
import traceback

from . import BUG, INTERRUPTED, REPOSITORY, USAGE, Failure
from .report import Report
from .rollout import changes

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
    made.add_argument("--reports", metavar="DIR", default=REPOSITORY / "reports", type=pathlib.Path,
                      help="where the report goes: what is printed (.log) and what came of it (.json; default: reports)")
    return made


def say(host, text):
    """A line about a host, for whoever watches."""
    print(f"{host.name}: {text}", flush=True)


def run(name, arguments, main):
    """Runs `main(arguments, report)`, writes the report under this name, and ends the process with the
    exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        report = Report(arguments.reports, name, arguments.environment)
    except OSError as error:
        print(f"error: failed to write reports to {arguments.reports}: {error}", file=sys.stderr)
        sys.exit(USAGE)
    code = ended(arguments, report, main)
    # The report is short, and so is the wait for whoever interrupts once more.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    report.write(code)
    sys.exit(code)


def ended(arguments, report, main):
    """The exit code with which a command's main ends; why it failed goes into the report."""
    try:
        if not shutil.which("ssh"):
            raise Failure(USAGE, "ssh is missing; on Debian: apt-get install openssh-client")
        return main(arguments, report)
    except Failure as failure:
        report.failure = failure
    except KeyboardInterrupt:
        report.failure = Failure(INTERRUPTED, "interrupted")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        report.failure = Failure(BUG, "nobody reads what is printed any more")
    except Exception as error:  # pylint: disable=broad-except
        traceback.print_exc()
        report.failure = Failure(BUG, f"a bug: {error!r}")
    print(f"error: {report.failure}", file=sys.stderr)
    return report.failure.code


def conclude(results, table=changes):
    """Tells what state each host is in, by this table of it; the exit code."""
    print(f"\n{table(results)}\n", flush=True)
    code = 0
    for result in results:
        if result.failure:
            print(f"error: {result.host.name}: {result.failure}", file=sys.stderr)
            code = code or result.failure.code
    return code
