"""The package that is deployed: found in dist/, verified, and bundled for sending to a host."""

import base64
import hashlib
import io
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from datetime import datetime, timezone

from . import UNFIT, USAGE, Failure

PACKAGE = re.compile(r"hivecast-(\d[0-9A-Za-z.+~-]*)-x86_64-linux\.tar\.gz")
PUBLIC_KEY = re.compile(r"-----BEGIN PGP PUBLIC KEY BLOCK-----(.*?)-----END PGP PUBLIC KEY BLOCK-----", re.DOTALL)
LOAD_DATE = re.compile(r"load_date=(\d{4}-\d{2}-\d{2})")
# The hour of its load_date at which an export of the repository was written. Git keeps no file times,
# and documents and editions depend on them.
EXPORT_HOUR = 4
BAD_KEYS = ("EXPKEYSIG", "REVKEYSIG", "EXPSIG", "BADSIG", "ERRSIG")


@dataclass(frozen=True)
class Package:
    """A verified package."""

    path: pathlib.Path
    version: str
    sha256: str

    @property
    def release(self):
        """Its name on hosts. Two builds of one version differ in their bytes, and so in this."""
        return f"{self.version}-{self.sha256[:8]}"


def versions(directory):
    """The packages of a directory: each version's file."""
    return {match[1]: path for path in sorted(pathlib.Path(directory).glob("*"))
            if (match := PACKAGE.fullmatch(path.name))}


def find(directory, version):
    """The one package of a directory, or the one of this version."""
    found = versions(directory)
    if version is not None:
        found = {version: found[version]} if version in found else {}
    if len(found) == 1:
        [(version, path)] = found.items()
        return Package(path, version, sha256(path))
    if found:
        raise Failure(USAGE, f"{directory} has several versions: {', '.join(found)}; choose one with --version")
    wanted = version or "VERSION"
    raise Failure(USAGE, f"there is no hivecast-{wanted}-x86_64-linux.tar.gz in {directory}; run ci/package first")


def verify(package, trusted_keys):
    """Refuses a package that is not what a trusted key signed."""
    directory = package.path.parent
    sums, signature = directory / "SHA256SUMS", directory / "SHA256SUMS.asc"
    for path in (sums, signature):
        if not path.is_file():
            raise Failure(UNFIT, f"{path} is missing: only a signed package is deployed")
    with tempfile.TemporaryDirectory() as home:
        ring = pathlib.Path(home) / "keyring.gpg"
        ring.write_bytes(keyring(trusted_keys))
        check_signature(ring, signature, sums, home)
    listed = [line.split(maxsplit=1) for line in sums.read_text().splitlines() if line.strip()]
    listed = [(fields[0], fields[-1].lstrip("*")) for fields in listed]
    if [name for _, name in listed].count(package.path.name) != 1:
        raise Failure(UNFIT, f"{sums} does not have {package.path.name} once")
    for expected, name in listed:
        path = directory / name
        if path.is_file() and sha256(path) != expected:
            raise Failure(UNFIT, f"{path} is not the file that {sums.name} is about: its SHA-256 differs")


def check_signature(ring, signature, sums, home):
    if not shutil.which("gpgv"):
        raise Failure(USAGE, "gpgv is missing; on Debian: apt-get install gpgv")
    done = subprocess.run(["gpgv", "--homedir", home, "--keyring", ring, "--status-fd", "1", signature, sums],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    status = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("[GNUPG:] ")]
    if done.returncode != 0 or "VALIDSIG" not in status or any(word in status for word in BAD_KEYS):
        reason = (done.stderr.strip().splitlines() or ["no signature"])[-1]
        raise Failure(UNFIT, f"{signature} is no good signature by a key that this environment trusts: {reason}")


def keyring(paths):
    """The keys of these files as a keyring for gpgv, which reads no armor."""
    ring = b""
    for path in paths:
        content = path.read_bytes()
        if b"PRIVATE KEY" in content:
            raise Failure(USAGE, f"{path} is a private key; only public keys belong there")
        if not content.startswith(b"-----"):
            ring += content
            continue
        blocks = PUBLIC_KEY.findall(content.decode())
        if not blocks:
            raise Failure(USAGE, f"{path} is no OpenPGP public key; make it with gpg --armor --export")
        for block in blocks:
            _, _, body = block.replace("\r", "").partition("\n\n")
            # A line that starts with = is the checksum.
            ring += base64.b64decode("".join(line for line in body.split("\n") if not line.startswith("=")))
    return ring


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_dates(folder):
    """The load_dates of an export that the repository keeps, in order."""
    dates = {match[1] for path in pathlib.Path(folder).rglob("load_date=*") if (match := LOAD_DATE.fullmatch(path.name))}
    if not dates:
        raise Failure(USAGE, f"{folder} has no partition load_date=…")
    return sorted(dates)


class Bundle:
    """A tar of what a host is sent, in a file without a name, which is gone however this ends. Equal content
    gives equal bytes."""

    def __init__(self):
        self.file = tempfile.TemporaryFile()
        self.tar = tarfile.open(fileobj=self.file, mode="w", format=tarfile.GNU_FORMAT)

    def add_package(self, package):
        directory = package.path.parent
        for path in (package.path, directory / "SHA256SUMS", directory / "SHA256SUMS.asc"):
            self.add_file(path, path.name, 0)

    def add_keyring(self, trusted_keys):
        content = keyring(trusted_keys)
        self.add(io.BytesIO(content), len(content), "keyring.gpg", 0)

    def add_feeds(self, folder, name):
        """The feeds and the warehouse of a test, each file as old as its load_date says."""
        for path in sorted(pathlib.Path(folder).rglob("*")):
            relative = path.relative_to(folder)
            if path.is_file() and relative.parts[0] != "golden":
                self.add_file(path, f"{name}/{relative}", export_time(relative))

    def add_file(self, path, name, modified):
        with open(path, "rb") as content:
            self.add(content, path.stat().st_size, name, modified)

    def add(self, content, size, name, modified):
        entry = tarfile.TarInfo(name)
        entry.size, entry.mtime, entry.mode = size, modified, 0o644
        self.tar.addfile(entry, content)

    def finish(self):
        """The file, to be read from its beginning, and its size."""
        self.tar.close()
        size = self.file.tell()
        self.file.seek(0)
        return self.file, size


def export_time(relative):
    for part in relative.parts:
        if match := LOAD_DATE.fullmatch(part):
            day = datetime.strptime(match[1], "%Y-%m-%d").replace(hour=EXPORT_HOUR, tzinfo=timezone.utc)
            return int(day.timestamp())
    return 0
