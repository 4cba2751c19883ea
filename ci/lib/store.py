"""Where releases lie: a directory, or a bucket of an S3-compatible store."""

import contextlib
import fcntl
import os
import pathlib
import shutil
import subprocess

USAGE, INFRASTRUCTURE, CONFLICT = 2, 10, 50


class Failure(Exception):
    """A release that can't go on, with the exit code that says why."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def open_store(address):
    """The store at that address."""
    if not address:
        raise Failure(USAGE, "RELEASE_STORE is not set; it is a directory or s3://BUCKET/PREFIX")
    if address.startswith("s3://"):
        return Bucket(address)
    if "://" in address:
        raise Failure(USAGE, f"RELEASE_STORE={address}: stores are a directory or s3://BUCKET/PREFIX")
    return Directory(pathlib.Path(address))


class Directory:
    """A directory with a folder for each version."""

    def __init__(self, path):
        self.path = path

    def __str__(self):
        return str(self.path)

    def missing(self):
        """Whether there is no such directory."""
        return not self.path.is_dir()

    def read(self, version, name):
        """The file's bytes, or none if there is no such file."""
        try:
            return (self.path / version / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Failure(INFRASTRUCTURE, f"failed to read {self.path / version / name}: {error.strerror}") from error

    def write(self, version, source, names):
        """Copies the files beside their place, then renames the folder: whole or not there. What another
        run has put there meanwhile stays."""
        half = self.path / f".{version}.tmp"
        try:
            with self.lock():
                shutil.rmtree(half, ignore_errors=True)
                if (self.path / version).exists():
                    return
                half.mkdir()
                for name in names:
                    shutil.copyfile(source / name, half / name)
                half.rename(self.path / version)
        except OSError as error:
            raise Failure(INFRASTRUCTURE, f"failed to write {self.path / version}: {error.strerror}") from error

    @contextlib.contextmanager
    def lock(self):
        """One run writes at a time; the system lets go of the lock of one that ends, however it ends."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


class Bucket:
    """A bucket, through rclone, with the credentials of the environment."""

    def __init__(self, address):
        self.address = address
        self.base = ":s3:" + address.removeprefix("s3://").rstrip("/")
        if not shutil.which("rclone"):
            raise Failure(USAGE, "rclone is missing; dev/setup delivery installs it")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            if not os.environ.get(name):
                raise Failure(USAGE, f"{name} is not set; {address} needs it")
        self.environment = {
            **os.environ, "RCLONE_CONFIG": "/dev/null", "RCLONE_S3_ENV_AUTH": "true",
            "RCLONE_S3_PROVIDER": "Other" if os.environ.get("RELEASE_S3_ENDPOINT") else "AWS",
            "RCLONE_S3_ENDPOINT": os.environ.get("RELEASE_S3_ENDPOINT", ""),
            "RCLONE_S3_REGION": os.environ.get("AWS_REGION", ""),
            # The release account may write objects, and need not be allowed to make or list buckets.
            "RCLONE_S3_NO_CHECK_BUCKET": "true",
        }

    def __str__(self):
        return self.address

    def missing(self):
        """Never: a prefix begins with its first object, and the account need not be allowed to look above it."""
        return False

    def read(self, version, name):
        """The object's bytes, or none if there is no such object."""
        listed = self.rclone("lsf", f"{self.base}/{version}", "--files-only", missing=b"")
        if name not in listed.decode().splitlines():
            return None
        return self.rclone("cat", f"{self.base}/{version}/{name}")

    def write(self, version, source, names):
        """Copies the files in that order; each is there whole or not at all, and rclone compares checksums."""
        for name in names:
            self.rclone("copyto", "--checksum", str(source / name), f"{self.base}/{version}/{name}")

    # rclone's exit code for a directory that is not there.
    NO_DIRECTORY = 3

    def rclone(self, *arguments, missing=None):
        """What rclone prints; `missing` instead, where it is given and there is no such folder."""
        ran = subprocess.run(["rclone", *arguments, "--retries", "3", "--low-level-retries", "3", "--quiet"],
                             env=self.environment, capture_output=True, check=False)
        if ran.returncode == self.NO_DIRECTORY and missing is not None:
            return missing
        if ran.returncode != 0:
            told = ran.stderr.decode(errors="replace").strip().splitlines()
            raise Failure(INFRASTRUCTURE, f"failed to {arguments[0]} {self.address}: {told[-1] if told else 'rclone failed'}")
        return ran.stdout
