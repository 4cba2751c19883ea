"""The files ci/environments/*.yaml: which hosts there are, and how a deploy treats them."""

import pathlib
import re
from dataclasses import dataclass

from . import REPOSITORY, USAGE, Failure

# What goes into a remote command line is held to these, so that quoting never matters.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
ADDRESS = re.compile(r"[A-Za-z0-9\[][A-Za-z0-9._:\[\]-]*")
PATH = re.compile(r"/[A-Za-z0-9._/+-]+")
# VERSION-SHA8, or what a person has called the folder of a release.
RELEASE = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+~_-]*")
DURATION = re.compile(r"(\d+)([smh])")
SECONDS = {"s": 1, "m": 60, "h": 3600}
UNITS = "/etc/systemd/system"
TRUSTED_KEYS_ADVICE = ('; put the public key there that signs packages, "gpg --armor --export KEY >{key}", and commit it '
                       '(docs/deploy.md, "Setting up a host")')


@dataclass(frozen=True)
class Feed:
    """A feed that a test publishes on a host: the project file, the environment in it, the feed."""

    project: str
    env: str
    feed: str


@dataclass(frozen=True)
class Host:
    name: str
    address: str
    port: int
    user: str
    root: str
    project: str
    # What ${credential:…} in the project files reads; systemd gives the units theirs.
    credentials: str | None
    # Where systemd's own links to the units are.
    units: str
    smoke: Feed
    # None but on the host that runs the regression test.
    regress: Feed | None


@dataclass(frozen=True)
class Environment:
    name: str
    hosts: list
    known_hosts: pathlib.Path
    trusted_keys: list
    # A keyring that the hosts have of their own; None: they are sent `trusted_keys`.
    keyring: str | None
    ssh_config: pathlib.Path | None
    env: str
    feeds: list
    keep: int
    wait_for_publish: int
    time_limit: int

    def regress_host(self):
        """The host that runs the regression test."""
        for host in self.hosts:
            if host.regress:
                return host
        raise Failure(USAGE, f"environment {self.name} has no regression test: its file lacks `regress`")


def load(name):
    """The environment of this name, or in the file of this path."""
    path = pathlib.Path(name) if "/" in name else REPOSITORY / "ci" / "environments" / f"{name}.yaml"
    yaml = require_yaml()
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(file.stem for file in (REPOSITORY / "ci" / "environments").glob("*.yaml")))
        raise Failure(USAGE, f"there is no environment {name}: {path} is missing; there are {known}") from None
    except (OSError, yaml.YAMLError) as error:
        raise Failure(USAGE, f"failed to read {path}: {error}") from None
    return Reader(path, content).environment()


def require_yaml():
    try:
        import yaml
    except ImportError:
        raise Failure(USAGE, "PyYAML is missing; on Debian: apt-get install python3-yaml") from None
    return yaml


class Reader:
    """Takes settings out of one file; whatever is wrong is told with the file and the setting."""

    def __init__(self, path, content):
        self.path = path
        self.content = content

    def fail(self, text):
        raise Failure(USAGE, f"{self.path}: {text}")

    def settings(self, where, content, required, optional=()):
        """A mapping with these settings and no others."""
        if not isinstance(content, dict):
            self.fail(f"{where} must be a mapping with {', '.join(required)}")
        for name in required:
            if content.get(name) is None:
                self.fail(f"{where} lacks `{name}`")
        for name in content:
            if name not in required and name not in optional:
                self.fail(f"{where} has an unknown setting `{name}`; there are {', '.join([*required, *optional])}")
        return content

    def text(self, where, value, pattern):
        if not isinstance(value, str) or not pattern.fullmatch(value):
            self.fail(f"{where}: {value!r} does not match {pattern.pattern}")
        return value

    def number(self, where, value, least):
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            self.fail(f"{where}: {value!r} is no whole number of at least {least}")
        return value

    def seconds(self, where, value):
        match = DURATION.fullmatch(str(value))
        if not match:
            self.fail(f"{where}: {value!r} is no time such as 90s, 30m or 2h")
        return int(match[1]) * SECONDS[match[2]]

    def file(self, where, value, advice=""):
        """A file of the repository, or of this machine; the advice is for who has none yet."""
        if not isinstance(value, str):
            self.fail(f"{where}: {value!r} is no path")
        path = REPOSITORY / value
        if not path.is_file():
            self.fail(f"{where}: there is no file {path}{advice}")
        return path

    def environment(self):
        top = self.settings("the file", self.content,
                            ("hosts", "known_hosts", "trusted_keys", "root", "project", "env", "smoke"),
                            ("regress", "feeds", "keep", "wait_for_publish", "time_limit", "keyring", "credentials", "units",
                             "ssh_config"))
        if not isinstance(top["hosts"], list) or not top["hosts"]:
            self.fail("`hosts` must be a list of hosts")
        if not isinstance(top["trusted_keys"], list) or not top["trusted_keys"]:
            self.fail("`trusted_keys` must be a list of files")
        for name in ("root", "project"):
            self.text(name, top[name], PATH)
        hosts = [self.host(top, host) for host in top["hosts"]]
        names = [host.name for host in hosts]
        if len(set(names)) != len(names):
            self.fail("two hosts have one name")
        if "regress" in top and not any(host.regress for host in hosts):
            self.fail(f"regress: there is no host {top['regress']['host']}; there are {', '.join(names)}")
        return Environment(
            name=self.path.stem,
            hosts=hosts,
            known_hosts=self.file("known_hosts", top["known_hosts"]),
            trusted_keys=[self.file("trusted_keys", key, TRUSTED_KEYS_ADVICE.format(key=key)) for key in top["trusted_keys"]],
            keyring=self.text("keyring", top["keyring"], PATH) if "keyring" in top else None,
            ssh_config=self.file("ssh_config", top["ssh_config"]) if "ssh_config" in top else None,
            env=self.text("env", top["env"], NAME),
            feeds=[self.text("feeds", feed, NAME) for feed in top.get("feeds", [])],
            # The version that runs and the one before it always stay.
            keep=self.number("keep", top.get("keep", 3), 2),
            wait_for_publish=self.seconds("wait_for_publish", top.get("wait_for_publish", "2h")),
            time_limit=self.seconds("time_limit", top.get("time_limit", "10m")),
        )

    def host(self, top, content):
        self.settings("a host", content, ("name", "address", "user"), ("port", "root", "project", "credentials", "units", "smoke",
                                                                         "regress"))
        name = self.text("a host's name", content["name"], NAME)
        where = f"host {name}"
        project = self.text(f"{where}, project", content.get("project", top["project"]), PATH)
        credentials = content.get("credentials", top.get("credentials"))
        regress = self.settings("regress", top["regress"], ("env", "feed", "host"), ("project",)) \
            if "regress" in top else None
        return Host(
            name=name,
            address=self.text(f"{where}, address", content["address"], ADDRESS),
            port=self.number(f"{where}, port", content.get("port", 22), 1),
            user=self.text(f"{where}, user", content["user"], NAME),
            root=self.text(f"{where}, root", content.get("root", top["root"]), PATH),
            project=project,
            credentials=self.text(f"{where}, credentials", credentials, PATH) if credentials else None,
            units=self.text(f"{where}, units", content.get("units", top.get("units", UNITS)), PATH),
            smoke=self.feed(f"{where}, smoke", {**top["smoke"], **content.get("smoke", {})}, project),
            regress=self.feed(f"{where}, regress", {**regress, **content.get("regress", {})}, project)
            if regress and regress["host"] == name else None,
        )

    def feed(self, where, content, project):
        self.settings(where, content, ("env", "feed"), ("project", "host"))
        return Feed(
            project=self.text(f"{where}, project", content.get("project", project), PATH),
            env=self.text(f"{where}, env", content["env"], NAME),
            feed=self.text(f"{where}, feed", content["feed"], NAME),
        )
