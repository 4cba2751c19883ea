"""One ssh connection to a host, with ci/lib/on-host at its other end."""

import os
import pathlib
import shlex
import subprocess
import tempfile
from dataclasses import dataclass, field

from . import DENIED, INFRASTRUCTURE, REPOSITORY, USAGE, Failure

# One script: functions first, then what calls them.
ON_HOST = [REPOSITORY / "ci" / "lib" / name for name in ("on-host-state", "on-host")]
CONNECT_SECONDS = 10
# A line that is dead is noticed after three times this.
ALIVE_SECONDS = 10
# The host reads the script whole before it starts, since what follows is for the script to read.
BOOTSTRAP = 'script=$(head -c {size}) && eval "$script"'
COPY_BYTES = 1 << 20


@dataclass
class State:
    """What a host last said about itself."""

    values: dict = field(default_factory=dict)

    def __getattr__(self, name):
        return self.values.get(name, "")


def script():
    """What runs on a host."""
    return b"".join(part.read_bytes() for part in ON_HOST)


class Lost(Failure):
    """The connection ended before the host's work did."""


def require_key():
    """The file of the key that hosts accept; never the key itself."""
    path = os.environ.get("SSH_KEY_FILE")
    if not path:
        raise Failure(USAGE, "SSH_KEY_FILE is not set: the file of the private key that the hosts accept")
    if not pathlib.Path(path).is_file():
        raise Failure(USAGE, f"SSH_KEY_FILE: there is no file {path}")
    return path


class Session:
    """Runs one operation of on-host."""

    def __init__(self, environment, host, operation, settings, say):
        self.host = host
        self.known_hosts = environment.known_hosts
        self.operation = operation
        self.say = say
        self.state = State()
        self.failure = None
        self.ended = False
        # When true, the host goes on without us.
        self.switching = False
        self.errors = tempfile.TemporaryFile()
        text = script()
        remote = ["sh", "-c", BOOTSTRAP.format(size=len(text)), "on-host", operation,
                  *(f"{name}={value}" for name, value in settings.items())]
        self.process = subprocess.Popen(
            [*ssh(environment, host), shlex.join(remote)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
            # An interrupt is ours to handle; ssh must not die before the host was told.
            start_new_session=True)
        self.write(text)

    def ask(self):
        """What the host asks next, or None when it is done. Raises what it failed with."""
        while line := self.process.stdout.readline():
            line = line.decode(errors="replace").rstrip("\r\n")
            word, _, rest = line.partition(" ")
            if word == "@state":
                self.state.values.update(pair.partition("=")[::2] for pair in rest.split())
            elif word == "@ask":
                return rest
            elif word == "@data":
                return int(rest)
            elif word == "@fail":
                code, _, text = rest.partition(" ")
                self.failure = Failure(int(code), text)
            elif word == "@end":
                self.ended = True
            elif word == "@alive":
                # For the host to notice that we are gone.
                continue
            else:
                self.say(self.host, line)
        return self.finish()

    def finish(self):
        self.process.wait()
        if self.failure:
            raise self.failure
        if not self.ended:
            raise self.lost()
        if self.process.returncode != 0:
            raise Failure(INFRASTRUCTURE, f"on-host ended with exit code {self.process.returncode}")
        return None

    def lost(self):
        self.errors.seek(0)
        lines = [line.strip() for line in self.errors.read().decode(errors="replace").splitlines()]
        reason = "; ".join([line for line in lines if line][-3:]) or f"ssh ended with {self.process.returncode}"
        if "Host key verification failed" in reason or "HOST IDENTIFICATION HAS CHANGED" in reason:
            # ssh's own words stay out: they invite to drop the key that was pinned.
            return Failure(DENIED, f"the host's key is not the one in known_hosts, {self.known_hosts}, so nothing was sent to "
                           "it; if the host has a new key, compare it on the host itself and commit it there, else find out "
                           "who answers at this address")
        if "Permission denied" in reason:
            return Failure(DENIED, f"the host does not accept SSH_KEY_FILE for user {self.host.user}: {reason}")
        if self.state.values:
            return Lost(INFRASTRUCTURE, f"the connection was lost: {reason}")
        return Failure(INFRASTRUCTURE, f"the host can't be reached: {reason}")

    def data(self, size):
        """The bytes that `ask` announced."""
        content = self.process.stdout.read(size)
        if len(content) != size:
            raise self.finish() or self.lost()
        return content

    def upload(self, file, size):
        """Sends the file and closes it."""
        self.write(f"upload {size}\n".encode())
        with file:
            while chunk := file.read(COPY_BYTES):
                self.write(chunk)

    def leave(self):
        """Ends the session; before the switch that leaves everything as it is."""
        self.write(b"leave\n")
        self.close()

    def go(self):
        self.switching = True
        self.write(b"go\n")

    def write(self, content):
        try:
            self.process.stdin.write(content)
            self.process.stdin.flush()
        except BrokenPipeError:
            # Why it ended is in what can still be read.
            pass

    def close(self):
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                pipe.close()
            except BrokenPipeError:
                pass
        try:
            self.process.wait(timeout=CONNECT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait()
        self.errors.close()


def ssh(environment, host):
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": CONNECT_SECONDS,
        "ServerAliveInterval": ALIVE_SECONDS,
        "ServerAliveCountMax": 3,
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": f'"{environment.known_hosts}"',
        "GlobalKnownHostsFile": "/dev/null",
        "UpdateHostKeys": "no",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "IdentityFile": f'"{require_key()}"',
        "PreferredAuthentications": "publickey",
        "ClearAllForwardings": "yes",
        "ControlMaster": "no",
        "ControlPath": "none",
        "LogLevel": "ERROR",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return ["ssh", "-F", str(environment.ssh_config or "none"), "-T", *words, "-p", str(host.port),
            f"{host.user}@{host.address}"]
