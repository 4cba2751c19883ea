"""Runs a command and says what it took."""

import concurrent.futures
import os
import pathlib
import signal
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass

# The last lines of standard error that are shown when a command fails.
ERROR_LINES = 20


class Failed(Exception):
    """A command that is part of the benchmark failed, or its result is not what it must be."""


@dataclass
class Measured:
    """What one process took, from its start to its end."""

    output: str
    wall_s: float
    # User and system time, of all threads.
    cpu_s: float
    # The largest resident set.
    peak_mib: float
    # The machine's load average when it started.
    load: float


def measure(command, directory=None):
    """Runs a command to its end. Fails where it does not exit with 0."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        started = time.monotonic()
        process = subprocess.Popen([str(word) for word in command], cwd=directory, stdin=subprocess.DEVNULL,
                                   stdout=output, stderr=errors)
        try:
            # Unlike the children's sum in `resource`, this is of one process: the peak needs that.
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.send_signal(signal.SIGKILL)
            process.wait()
            raise
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode != 0:
            tail = "\n".join(errors.read().splitlines()[-ERROR_LINES:])
            raise Failed(f"{pathlib.Path(command[0]).name} ended with {process.returncode}\n{tail}")
        # Linux counts the peak in KiB (`man 2 getrusage`).
        return Measured(output.read(), wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, load)


def measure_together(commands, directory=None):
    """Runs commands beside each other, all to their ends. What each took, and the wall time from the first
    one's start to the last one's end."""
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(len(commands)) as threads:
        measured = list(threads.map(lambda command: measure(command, directory), commands))
    return measured, time.monotonic() - started


def table(rows):
    """Text in columns: the first to the left, the others, which are figures, to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join([row[0].ljust(widths[0])]
                               + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]) for row in rows)


def median(values, places=1):
    return f"{statistics.median(values):,.{places}f}"


def spread(values):
    """From the least to the most, which shows how noisy the machine was."""
    return f"{min(values):.1f}-{max(values):.1f}"
