"""What every real service for tests shares: jars fetched once, free ports, processes that are
waited for with a deadline and stopped for certain.

Only the standard library is used. A service module (such as `kafka.py` beside this file) has
`start(directory, lifetime)`, which returns when the service answers, and gives `Running`.
"""

import ctypes
import enum
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field

# How long a service may take to stop after SIGTERM before it is killed.
STOP_SECONDS = 20
# How often a service that starts or stops is looked at.
POLL_SECONDS = 0.1
# The last lines of a log that are shown when a service fails to start.
LOG_TAIL_LINES = 25
# `man 2 prctl`: the signal that the kernel sends to a process when its parent dies.
PR_SET_PDEATHSIG = 1

# What must be on the machine, and the Debian package that brings it.
DEBIAN_PACKAGES = {"java": "openjdk-17-jre-headless", "mvn": "maven", "openssl": "openssl"}


class ServiceError(Exception):
    """A service could not be started or stopped; the text says why and what to do."""


class Lifetime(enum.Enum):
    """How long a started process lives."""

    DETACHED = "until it is stopped"
    WITH_PARENT = "until it is stopped, or its parent dies"


@dataclass
class Running:
    """A started service, as its state file keeps it."""

    name: str
    pid: int
    # The kernel's start time of that process, which tells it from a later one with the same id.
    started: str
    directory: str
    env: dict = field(default_factory=dict)
    # Further processes by name: the id and the start time of each.
    processes: dict = field(default_factory=dict)

    def save(self):
        path = pathlib.Path(self.directory, "running.json")
        temporary = path.with_suffix(".tmp")
        temporary.touch(mode=0o600)
        temporary.write_text(json.dumps(asdict(self), indent=1))
        temporary.rename(path)

    @staticmethod
    def load(directory):
        """The service that was started there, if it still runs."""
        path = pathlib.Path(directory, "running.json")
        if not path.exists():
            return None
        running = Running(**json.loads(path.read_text()))
        return running if process_start(running.pid) == running.started else None


def cache_dir():
    """Where jars are kept between runs: $HIVECAST_CACHE, or ~/.cache/hivecast."""
    return pathlib.Path(os.environ.get("HIVECAST_CACHE") or pathlib.Path.home() / ".cache" / "hivecast")


def require(*programs):
    """Fails, naming the Debian packages to install, unless all programs are there."""
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        packages = " ".join(DEBIAN_PACKAGES[program] for program in missing)
        raise ServiceError(
            f"{' and '.join(missing)} not found; on Debian: apt-get install {packages}"
        )


def jars(pom):
    """The folder with the runtime jars that `pom` names, fetched on the first call.

    They are copied to a temporary folder that is renamed when it is whole, so that an interrupted
    or a parallel fetch never leaves half a folder. The folder's name has the pom's checksum in it:
    another version is another folder.
    """
    pom = pathlib.Path(pom)
    whole = cache_dir() / "jars" / f"{pom.stem}-{checksum(pom)}"
    if whole.is_dir():
        return whole
    require("mvn", "java")
    whole.parent.mkdir(parents=True, exist_ok=True)
    say(f"fetching the jars of {pom.name} with Maven, once")
    temporary = pathlib.Path(tempfile.mkdtemp(prefix=f".{whole.name}.", dir=whole.parent))
    try:
        command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies",
                   f"-DoutputDirectory={temporary}", "-DincludeScope=runtime"]
        fetched = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if fetched.returncode != 0:
            raise ServiceError(f"Maven could not fetch the jars of {pom.name}:\n{fetched.stdout.strip()}")
        temporary.chmod(0o755)
        try:
            temporary.rename(whole)
        except OSError:
            # Another process was faster; its folder is as good.
            if not whole.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return whole


def python_with(name, packages):
    """The Python of an environment in the cache that has these packages of PyPI, installed on the first call.
    Other versions are another folder."""
    environment = cache_dir() / f"{name}-{text_checksum(' '.join(packages))}"
    python, whole = environment / "bin" / "python", environment / "whole"
    if whole.exists():
        return python
    say(f"installing {', '.join(packages)} with pip, once")
    # A virtual environment knows its own path and can't be renamed: one process installs at a time, and what
    # says that it is whole comes last.
    environment.mkdir(parents=True, exist_ok=True)
    with open(environment.with_suffix(".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not whole.exists():
            install(packages, [sys.executable, "-m", "venv", "--clear", environment])
            install(packages, [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages])
            whole.touch()
    return python


def install(packages, command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise ServiceError(f"{', '.join(packages)} could not be installed:\n{done.stdout.strip()}")


def checksum(path):
    """Twelve hexadecimal digits that change with the file."""
    return text_checksum(path.read_text())


def text_checksum(text):
    """Twelve hexadecimal digits that change with the text."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def free_ports(count):
    """Ports on the loopback interface that nobody listens on, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def launch(command, directory, log, lifetime):
    """Starts a process in its own session, its output appended to the file `log`."""
    die_with_parent = None
    if lifetime is Lifetime.WITH_PARENT:
        # Looked up here, since the child of a process of several threads may do next to nothing.
        prctl = ctypes.CDLL(None, use_errno=True).prctl

        def die_with_parent():
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    with open(log, "ab") as output:
        return subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=output,
                                stderr=output, start_new_session=True, preexec_fn=die_with_parent)


def wait_until(ready, process, seconds, what, log):
    """Returns when `ready()` is true. Fails when the process ends or the time is up, since a failed
    start can leave a live process without a port."""
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None:
            raise ServiceError(f"{what} ended with {process.returncode} while starting{tail(log)}")
        if time.monotonic() > deadline:
            raise ServiceError(f"{what} was not ready after {seconds} s{tail(log)}")
        time.sleep(POLL_SECONDS)


def listens(port):
    """Whether something accepts connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def tail(log):
    path = pathlib.Path(log)
    if not path.exists():
        return ""
    lines = path.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    return f"; the end of {path}:\n" + "\n".join(lines)


def process_start(pid):
    """The kernel's start time of a process, or None where there is no such live process."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name, in parentheses, may hold spaces; fields are counted after it (`man 5 proc`).
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def session_members(sessions):
    """The ids of the live processes of these sessions."""
    members = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] not in "ZX" and int(fields[3]) in sessions:
            members.append(int(entry.name))
    return members


def stop(running):
    """Stops a service: SIGTERM, then SIGKILL for what is left of its sessions. Returns when no
    process of it is left."""
    sessions = {running.pid, *(pid for pid, started in running.processes.values() if process_start(pid) == started)}
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for pid in session_members(sessions):
            try:
                os.kill(pid, sign)
            except ProcessLookupError:
                pass
        deadline = time.monotonic() + STOP_SECONDS
        while session_members(sessions):
            if time.monotonic() > deadline:
                break
            time.sleep(POLL_SECONDS)
            reap(sessions)
        else:
            reap(sessions)
            pathlib.Path(running.directory, "running.json").unlink(missing_ok=True)
            return
    raise ServiceError(f"{running.name} (process {running.pid}) could not be stopped")


def reap(pids):
    """Takes the exit status of children of ours, so that they do not stay as zombies."""
    for pid in pids:
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            pass


def say(text):
    print(f"dev: {text}", file=sys.stderr, flush=True)
