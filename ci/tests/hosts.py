"""Two "hosts" for tests: real sshd processes on loopback, each with a port, a host key and a folder of its
own. And what goes to them: packages, signed by keys made for the test."""

import getpass
import gzip
import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest
import uuid

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "ci" / "lib"))
sys.path.insert(0, str(REPOSITORY / "dev"))

from deployment import command, environment, package, rollout  # noqa: E402,F401

MASK_KEY = "a-secret-that-nobody-may-print"
MARK = "HIVECAST_TEST_HOST"
PROJECT = """\
feeds: {feeds}
environments:
  {env}:
    warehouse: {warehouse}
    store: {store}
    target: {target}
    mask_key: "${{file:{mask_key}}}"
"""
# Stands before a tool in the hosts' PATH: it stops before or after a call that a test names, until the
# test ends that or the host dies.
STOPPER = """\
#!/bin/sh
host={host}
matches() {{ [ -f "$host/$1" ] && read -r pattern <"$host/$1" && case $2 in $pattern) ;; *) false ;; esac; }}
hold() {{ : >"$host/reached"; while [ -f "$host/$1" ]; do sleep 0.05; done; }}
if matches stop-before "{name} $*"; then hold stop-before; fi
if matches stop-after "{name} $*"; then {real} "$@"; ended=$?; hold stop-after; exit $ended; fi
exec {real} "$@"
"""
# Stand before the real ones in the hosts' PATH: no test may reach this machine's systemd.
SYSTEMD = """\
#!/bin/sh
echo "{name} $*" >>{host}/calls
[ -e {host}/{name}-denied ] || exit 0
echo "{name}: denied by the test" >&2
exit 1
"""
# A version of hivecast that tells another version number than it has, and may be made to fail.
VERSION = """\
#!/bin/sh
if [ "$1" = --version ]; then echo "hivecast {version}"; exit; fi
{mischief}
exec {real} "$@"
"""


def real_binary():
    """The program that `make build` compiled."""
    target = os.environ.get("CARGO_TARGET_DIR") or pathlib.Path(
        os.environ.get("HIVECAST_CACHE") or pathlib.Path.home() / ".cache" / "hivecast") / "target"
    binary = pathlib.Path(target) / "release" / "hivecast"
    if not binary.is_file():
        raise AssertionError(f"there is no {binary}; run make build")
    return binary


def built_package(directory, signer):
    """The package of the real program in `directory`, as ci/package makes and signs it. One that lies in
    dist/ may be of another commit."""
    variables = {**os.environ, "SIGNING_KEY_FILE": str(signer.secret())}
    variables.pop("SIGNING_PASSPHRASE_FILE", None)
    made = subprocess.run([REPOSITORY / "ci" / "package", "--binary", real_binary(), "--dist", directory], env=variables,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if made.returncode != 0:
        raise AssertionError(f"ci/package ended with {made.returncode}:\n{made.stdout}")
    return directory


def make_package(directory, version, program, signer, padding=0, service="[Service]\n"):
    """A signed package whose bin/hivecast has these bytes, and whose unit has this text."""
    directory.mkdir(parents=True)
    path = directory / f"hivecast-{version}-x86_64-linux.tar.gz"
    with gzip.open(path, "wb", compresslevel=1) as file, tarfile.open(fileobj=file, mode="w") as tar:
        add(tar, f"hivecast-{version}/bin/hivecast", program, 0o755)
        add(tar, f"hivecast-{version}/lib/systemd/system/hivecast@.service", service.encode(), 0o644)
        add(tar, f"hivecast-{version}/share/doc/hivecast/CHANGELOG.md", version.encode(), 0o644)
        if padding:
            add(tar, f"hivecast-{version}/share/padding", os.urandom(padding), 0o644)
    return signer.sign(directory)


def add(tar, name, content, mode):
    import io

    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))


class Signer:
    """An OpenPGP key of its own, made for the test."""

    def __init__(self, folder, name, expires="never"):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="gpg-", dir=folder))
        self.home.chmod(0o700)
        self.gpg("--quick-gen-key", f"{name} <{name}@example.com>", "ed25519", "sign", expires)
        self.public = pathlib.Path(folder) / f"{name}.asc"
        self.public.write_text(self.gpg("--armor", "--export"))

    def gpg(self, *arguments):
        done = subprocess.run(["gpg", "--homedir", self.home, "--batch", "--yes", "--pinentry-mode", "loopback",
                               "--passphrase", "", *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(f"gpg {arguments[0]} failed: {done.stderr}")
        return done.stdout

    def secret(self):
        """The file of the secret key, armored, as ci/package takes it."""
        path = self.home / "secret.asc"
        path.write_text(self.gpg("--armor", "--export-secret-keys"))
        return path

    def sign(self, directory):
        """Writes SHA256SUMS over what is there, and SHA256SUMS.asc."""
        names = sorted(path.name for path in directory.iterdir() if not path.name.startswith("SHA256SUMS"))
        sums = "".join(f"{hashlib.sha256((directory / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
        (directory / "SHA256SUMS").write_text(sums)
        self.gpg("--armor", "--output", directory / "SHA256SUMS.asc", "--detach-sign", directory / "SHA256SUMS")
        return directory

    def close(self):
        subprocess.run(["gpgconf", "--homedir", self.home, "--kill", "all"], capture_output=True)


class Host:
    """One sshd, its folder, and a project on it."""

    address = "127.0.0.1"

    def __init__(self, folder, name, authorized_key, target, shell):
        self.name = name
        self.folder = pathlib.Path(folder) / name
        self.root = self.folder / "opt"
        self.mark = uuid.uuid4().hex
        self.process = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (self.folder / "bin").mkdir(parents=True)
        self.keygen("host_key")
        shutil.copy(authorized_key, self.folder / "authorized_keys")
        for tool in ("gpgv", "mv", "tar"):
            self.stopper(self.folder / "bin" / tool, tool, shutil.which(tool))
        for tool in ("systemctl", "sudo"):
            self.script(self.folder / "bin" / tool, SYSTEMD.format(host=self.folder, name=tool))
        (self.folder / "units").mkdir()
        (self.folder / "bin" / "sh").symlink_to(shutil.which(shell))
        self.projects(target)
        self.configure()

    def keygen(self, name):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / name], check=True)

    def stopper(self, path, name, real):
        self.script(path, STOPPER.format(host=self.folder, name=name, real=real))

    def script(self, path, text):
        path.write_text(text)
        path.chmod(0o755)

    def projects(self, target):
        etc = self.folder / "etc"
        etc.mkdir()
        (etc / "mask_key").write_text(MASK_KEY)
        for name, env in (("hivecast", "test"), ("smoke", "test-smoke"), ("regression", "test-regress")):
            here = etc if name == "hivecast" else self.root / name
            mask_key = here / "mask_key" if name == "regression" else etc / "mask_key"
            (etc / f"{name}.yaml").write_text(PROJECT.format(
                env=env, feeds=here / "feeds", warehouse=here / "warehouse", mask_key=mask_key,
                store=self.folder / f"store-{name}", target=target(self)))

    def configure(self):
        tools = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        (self.folder / "sshd_config").write_text("\n".join([
            f"Port {self.port}", f"ListenAddress {self.address}", f"HostKey {self.folder / 'host_key'}",
            f"AuthorizedKeysFile {self.folder / 'authorized_keys'}", f"PidFile {self.folder / 'pid'}",
            "PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitRootLogin prohibit-password",
            "UsePAM no", "StrictModes no", f"SetEnv PATH={tools} {MARK}={self.mark}", ""]))

    def start(self):
        if os.geteuid() == 0:
            # Where sshd keeps the children that handle strangers, on Debian; systemd makes it there.
            pathlib.Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
        if not sshd:
            raise AssertionError("sshd is missing; run dev/setup delivery")
        with open(self.folder / "sshd.log", "ab") as log:
            self.process = subprocess.Popen([*self.within(), sshd, "-D", "-e", "-f", self.folder / "sshd_config"],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, MARK: self.mark})
        deadline = time.monotonic() + 20
        while not answers(self.address, self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError("sshd does not start: " + (self.folder / "sshd.log").read_text())
            time.sleep(0.02)
        return self

    def within(self):
        """A command before sshd that puts it into another place."""
        return []

    def known(self):
        kind, key = (self.folder / "host_key.pub").read_text().split()[:2]
        return f"[{self.address}]:{self.port} {kind} {key}\n"

    def processes(self):
        """Everything that runs on this host: the sshd, its sessions, and whatever they started. An sshd
        writes its title over its environment, so it is found by its parent, and orphans by their mark."""
        wanted = f"{MARK}={self.mark}".encode()
        found, parents = [], {}
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                marked = wanted in (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if state not in "ZX":
                parents[int(entry.name)] = int(parent)
                if marked:
                    found.append(int(entry.name))
        if self.process and self.process.poll() is None:
            found.append(self.process.pid)
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid and child not in found]
        return found

    def die(self):
        """The machine is gone from one moment to the next."""
        deadline = time.monotonic() + 20
        while found := self.processes():
            for pid in found:
                kill(pid)
            if time.monotonic() > deadline:
                raise AssertionError(f"processes {found} of host {self.name} can't be killed")
            time.sleep(0.02)
        if self.process:
            self.process.wait()

    def break_connections(self):
        """The network fails: what runs goes on, and hears nothing any more."""
        for pid in self.processes():
            try:
                name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
            except OSError:
                continue
            if name.startswith("sshd") and pid != self.process.pid:
                kill(pid)

    def stop_at(self, pattern, when="before"):
        """Stops the host before, or after, a call of a tool that matches, such as `mv *current`."""
        (self.folder / "reached").unlink(missing_ok=True)
        (self.folder / f"stop-{when}").write_text(pattern + "\n")

    def go_on(self):
        for when in ("before", "after"):
            (self.folder / f"stop-{when}").unlink(missing_ok=True)

    def wait_until_reached(self, process):
        deadline = time.monotonic() + 60
        while not (self.folder / "reached").exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{self.name} never came to {self.folder / 'stop-before'}:\n{process.stdout.read()}")
            time.sleep(0.02)

    def link(self, name):
        path = self.root / name
        return path.readlink().name if path.is_symlink() else None

    def runs(self):
        """What `current` says that it is, when it is started."""
        done = subprocess.run([self.root / "current" / "bin" / "hivecast", "--version"], capture_output=True, text=True)
        return done.stdout.split()[1] if done.returncode == 0 else f"fails: {done.stderr}"

    def proven(self):
        path = self.root / "state" / "proven"
        return path.read_text().strip() if path.exists() else None

    def calls(self):
        """How systemctl and sudo were called since the last question."""
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    def releases(self):
        return sorted(os.listdir(self.root / "releases"))

    def tree(self):
        """Every file below the root, with what a change of it would change."""
        return {str(path): (stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size)
                for path in [self.root, *sorted(self.root.rglob("*"))] for stat in [path.lstat()]}

    def close(self):
        self.go_on()
        self.die()


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def answers(address, port):
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


class HostsTest(unittest.TestCase):
    """Two hosts for each test class, and commands over them."""

    # Where the commands are; a test that must know what is in dist/ has a copy.
    checkout = REPOSITORY

    # Directories, which need no broker; a class that wants the real thing says `kafka`.
    def target(host):
        return f"{{ dir: {host.folder / 'topics'} }}"

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="hivecast-deploy-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.binary = real_binary()
        cls.signer = Signer(cls.folder, "trusted")
        cls.addClassCleanup(cls.signer.close)
        cls.key = cls.folder / "id_ed25519"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", cls.key], check=True)
        cls.export()
        cls.hosts = []
        # The sh of Debian and the one of RHEL.
        for name, shell in (("one", "dash"), ("two", "bash")):
            host = Host(cls.folder, name, cls.key.with_suffix(".pub"), cls.target, shell)
            shutil.copytree(cls.project / "feeds", host.folder / "etc" / "feeds")
            shutil.copytree(cls.project / "warehouse", host.folder / "etc" / "warehouse", copy_function=shutil.copy2)
            cls.addClassCleanup(host.close)
            cls.hosts.append(host.start())
        cls.one, cls.two = cls.hosts
        cls.packages = {}

    @classmethod
    def export(cls):
        """What the hosts publish besides: the example, small."""
        cls.project = cls.folder / "example"
        for arguments in (["init", cls.project], ["sample", "--accounts", "20", "--days", "1", "--quiet",
                                                  "--load-date", "2026-11-20", "--project", cls.project / "hivecast.yaml"]):
            subprocess.run([cls.binary, *arguments], check=True, capture_output=True)

    def version(self, version, mischief=":", padding=0, signer=None, service="[Service]\n"):
        """A package of the real program under another version; `mischief` is what goes wrong in it."""
        directory = self.folder / "packages" / f"{version}-{uuid.uuid4().hex[:6]}"
        text = VERSION.format(version=version, mischief=mischief, real=self.held_binary())
        return make_package(directory, version, text.encode(), signer or self.signer, padding, service)

    def held_binary(self):
        """The real program, which a test can stop on a host as it can the tools."""
        path = self.folder / "held-hivecast"
        if not path.exists():
            text = STOPPER.format(host='"$(dirname "$(dirname "$(command -v gpgv)")")"', name="hivecast", real=self.binary)
            path.write_text(text)
            path.chmod(0o755)
        return path

    def environment(self, known_hosts=None, hosts=None, **settings):
        """A file as in ci/environments."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="environment-", dir=self.folder))
        known = folder / "known_hosts"
        known.write_text(known_hosts if known_hosts is not None else "".join(host.known() for host in self.hosts))
        lines = ["hosts:"]
        for host in hosts or self.hosts:
            etc = host.folder / "etc"
            lines.append(
                f"  - {{ name: {host.name}, address: {host.address}, port: {host.port}, user: {getpass.getuser()}, "
                f"root: {host.root}, units: {host.folder}/units, project: {etc}/hivecast.yaml, smoke: {{ project: {etc}/smoke.yaml }}, "
                f"regress: {{ project: {etc}/regression.yaml }} }}")
        values = {"known_hosts": known, "trusted_keys": f"[{self.signer.public}]", "root": "/nowhere",
                  "project": "/nowhere/hivecast.yaml", "env": "test", "keep": 3, "wait_for_publish": "60s",
                  "smoke": "{ env: test-smoke, feed: smoke }",
                  "regress": "{ env: test-regress, feed: regression, host: one }", **settings}
        lines += [f"{name}: {value}" for name, value in values.items() if value is not None]
        path = folder / "test.yaml"
        path.write_text("\n".join(lines) + "\n")
        return path

    def start(self, name, *arguments, key=None):
        """A command of ci/ that runs; its output is text, both streams in one."""
        environment = {**os.environ, "SSH_KEY_FILE": str(key or self.key)}
        command = [self.checkout / "ci" / name, "--reports", self.folder / "reports", *arguments]
        return subprocess.Popen([*map(str, command)], env=environment, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run_command(self, name, *arguments, expect=0, key=None):
        """Its output; it must end with `expect`."""
        process = self.start(name, *arguments, key=key)
        output, _ = process.communicate(timeout=300)
        self.assertEqual(process.returncode, expect, output)
        self.assertNotIn(MASK_KEY, output)
        for path in (self.folder / "reports").glob("*"):
            self.assertNotIn(MASK_KEY, path.read_text(), path.name)
        return output

    def deploy(self, packages, expect=0, path=None, key=None):
        return self.run_command("deploy", path or self.environment(), "--packages", packages, expect=expect, key=key)

    def smoke_only(self, packages, expect=0, path=None):
        return self.run_command("deploy", path or self.environment(), "--packages", packages, "--smoke-only", expect=expect)

    def report(self, name):
        """What a command wrote down as having come of it."""
        return json.loads((self.folder / "reports" / f"{name}.json").read_text())

    def ended(self, process, expect):
        output, _ = process.communicate(timeout=300)
        self.assertEqual(process.returncode, expect, output)
        return output

    def assert_runs(self, version, *hosts):
        for host in hosts or self.hosts:
            self.assertEqual(host.runs(), version)
            self.assertEqual(host.proven(), host.link("current"), host.name)
