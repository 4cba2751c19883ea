"""What ci/package has made, as ci/release takes it: whole, of this version, of this commit."""

import hashlib
import io
import json
import tarfile

from store import USAGE, Failure

SUMS = "SHA256SUMS"
SIGNATURE = "SHA256SUMS.asc"
DIRTY = "-dirty"


def verified(version, dist):
    """The files that the sums name, which must be these packages and as the sums say."""
    try:
        lines = (dist / SUMS).read_text().splitlines()
    except OSError as error:
        raise Failure(USAGE, f"failed to read {dist / SUMS}: {error.strerror}; run ci/package first") from error
    sums = dict(reversed(line.split("  ", 1)) for line in lines)
    if set(sums) != {debian(version), archive(version), bill(version)}:
        raise Failure(USAGE, f"{dist / SUMS} names {', '.join(sorted(sums))}, not the packages of {version}; "
                             "run ci/package again")
    for name, expected in sums.items():
        if digest((dist / name).read_bytes()) != expected:
            raise Failure(USAGE, f"{dist / name} is not what {SUMS} says; run ci/package again")
    return sorted(sums)


def refuse_other_commits(version, dist, head):
    """The tag says where the bytes come from, so they must say the same: by the bill of materials, which
    lies in either package too, so that none was put beside packages of another commit."""
    bills = [(dist / bill(version)).read_bytes(), in_archive(dist / archive(version), version), in_debian(dist / debian(version))]
    if len(set(bills)) != 1:
        raise Failure(USAGE, f"the packages in {dist} hold other bills of materials than {bill(version)}; run ci/package again")
    commit = commit_of(bills[0])
    if commit is None:
        raise Failure(USAGE, f"{dist / bill(version)} names no commit; run ci/package again")
    if commit.endswith(DIRTY):
        raise Failure(USAGE, f"the packages in {dist} hold changes that are in no commit; commit them and run ci/package again")
    if commit != head:
        raise Failure(USAGE, f"the packages in {dist} are of the commit {commit[:12]}, and {head[:12]} is checked out; "
                             "run ci/package again")


def commit_of(bom):
    """The commit that a bill of materials names, if it does."""
    try:
        [commit] = json.loads(bom)["metadata"]["component"]["pedigree"]["commits"]
        return str(commit["uid"])
    except (KeyError, TypeError, ValueError):
        return None


def in_archive(path, version):
    """The bill of materials in the tar."""
    return in_tar(path, path.read_bytes(), f"hivecast-{version}/share/doc/hivecast/hivecast.cdx.json")


def in_debian(path):
    """The bill of materials in the .deb, an `ar` of 60-byte headers, each followed by its file."""
    data, at = path.read_bytes(), len("!<arch>\n")
    while header := data[at:at + 60]:
        size = int(header[48:58]) if len(header) == 60 else 0
        if header.startswith(b"data.tar"):
            return in_tar(path, data[at + 60:at + 60 + size], "usr/share/doc/hivecast/hivecast.cdx.json")
        at += 60 + size + size % 2
    raise Failure(USAGE, f"{path} is no Debian package; run ci/package again")


def in_tar(path, data, wanted):
    """A file's bytes; none if it is not in there."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in tar:
                if member.isfile() and member.name.removeprefix("./") == wanted:
                    return tar.extractfile(member).read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Failure(USAGE, f"failed to read {path}: {error}; run ci/package again") from error
    return None


def debian(version):
    """The .deb's name."""
    return f"hivecast_{version}_amd64.deb"


def archive(version):
    """The tar's name."""
    return f"hivecast-{version}-x86_64-linux.tar.gz"


def bill(version):
    """The name of the bill of materials."""
    return f"hivecast-{version}.cdx.json"


def digest(data):
    """SHA-256, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()
