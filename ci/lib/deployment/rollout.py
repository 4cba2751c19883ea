"""Deploying to the hosts of an environment one after another, going back, and telling what each runs."""

import time
from dataclasses import dataclass, field

from . import INFRASTRUCTURE, INTERRUPTED, Failure
from .package import Bundle, load_dates
from .session import Lost, Session

# How often, and how long, a host whose line broke is asked what became of it.
ASK_AGAIN_ATTEMPTS = 3
ASK_AGAIN_PAUSE_SECONDS = 2
ASK_AGAIN_BUSY_SECONDS = 90

NOT_TOUCHED = "not touched"
# What finishes what a lost connection left.
AGAIN = {"deploy": "deploy", "smoke": "test", "rollback": "roll back"}


@dataclass
class Result:
    """What became of one host."""

    host: object
    outcome: str = NOT_TOUCHED
    before: str = "?"
    runs: str = "?"
    # The release that a rollback goes back to, once the host has said which.
    target: str = ""
    # What a host has that was asked: its releases, and the one that a rollback would go to.
    kept: list = field(default_factory=list)
    back: str = ""
    failure: Failure | None = None


def describe(state):
    """What a host runs, in words."""
    if not state.current:
        return "nothing"
    if state.current == state.failed:
        return f"{state.current}, smoke test failed"
    if state.current != state.proven:
        return f"{state.current}, smoke test not passed"
    return state.current


def with_origin(state, name):
    """A release's name; of one that ci/deploy has not put there, that too."""
    return f"{name} (put there by hand)" if name in state.by_hand.split(",") else name


def describe_back(state):
    """Where a rollback goes that is not told where to, in words."""
    if not state.back:
        return "nowhere"
    if state.back == state.current:
        return "stays, rolled back already" if state.current == state.proven else f"{state.back} once more"
    return with_origin(state, state.back)


class Rollout:
    """One deploy, smoke test or rollback over an environment's hosts."""

    def __init__(self, environment, smoke_folder, say):
        self.environment = environment
        self.smoke_folder = smoke_folder
        self.say = say
        self.results = [Result(host) for host in environment.hosts]

    def settings(self, host, **more):
        days = load_dates(self.smoke_folder)
        return {
            **common(host), "keep": self.environment.keep, "wait": self.environment.wait_for_publish,
            "limit": self.environment.time_limit, "smoke_project": host.smoke.project, "smoke_env": host.smoke.env,
            "smoke_feed": host.smoke.feed, "smoke_days": " ".join(days), **more,
        }

    def deploy(self, package):
        """Every host is reached and locked before the first is changed; then one after another, up to
        the first that fails."""
        sessions = []
        try:
            for result in self.results:
                sessions.append(self.open_deploy(result, package))
                if result.failure:
                    return self.results
            for result, session in zip(self.results, sessions):
                self.guarded(result, session, lambda: self.deploy_one(result, session, package))
                if result.failure:
                    return self.results
            return self.results
        finally:
            for session in sessions:
                if session:
                    session.close()

    def open_deploy(self, result, package):
        host = result.host
        session = Session(self.environment, host, "deploy", self.settings(
            host, release=package.release, version=package.version, project=host.project, env=self.environment.env,
            keyring=self.environment.keyring or "", feeds=" ".join(self.environment.feeds)), self.say)
        self.guarded(result, session, session.ask)
        if session.state.values:
            result.before = result.runs = describe(session.state)
        return session

    def deploy_one(self, result, session, package):
        state = session.state
        if state.current == state.proven == package.release:
            session.leave()
            result.outcome = "runs it already"
            return
        self.say(result.host, f"deploying {package.release}; {result.before} runs")
        result.outcome = "deployed"
        self.work(session, package if state.installed != "yes" else None)

    def work(self, session, package):
        """Answers what the host asks after its `@ask upload`."""
        bundle = Bundle()
        if package:
            bundle.add_package(package)
            if not self.environment.keyring:
                bundle.add_keyring(self.environment.trusted_keys)
        bundle.add_feeds(self.smoke_folder, "smoke")
        session.upload(*bundle.finish())
        while question := session.ask():
            if question not in ("switch", "smoke"):
                raise Failure(INFRASTRUCTURE, f"the host asks for {question!r}, which this version does not know")
            session.go()

    def smoke(self, release):
        """The smoke test alone, of a release that every host must run already."""
        return self.each("smoke", "passes the smoke test", release=release)

    def rollback(self, release, files="verified"):
        """Back to an earlier release on each host; with `files` "as-they-are" also to one that ci/deploy has not
        put there."""
        return self.each("rollback", "rolled back", release=release or "", files=files)

    def each(self, operation, outcome, **settings):
        """One host after another; one that fails does not keep the others from it."""
        for result in self.results:
            session = Session(self.environment, result.host, operation,
                              self.settings(result.host, **settings), self.say)
            try:
                self.guarded(result, session, lambda: self.one(result, session, outcome))
            finally:
                session.close()
            if result.failure and result.failure.code == INTERRUPTED:
                break
        return self.results

    def one(self, result, session, outcome):
        try:
            question = session.ask()
        finally:
            if session.state.values:
                result.before = describe(session.state)
        result.target = session.state.target
        if question is None:
            result.outcome = "runs it already"
            return
        result.outcome = outcome
        self.work(session, None)

    def status(self):
        """What each host runs, which releases it has, and where a rollback would go."""
        for result in self.results:
            result.outcome = "asked"
            try:
                state = status(self.environment, result.host, self.say)
            except Failure as failure:
                result.failure = failure
                continue
            result.runs = describe(state)
            result.kept = [with_origin(state, name) for name in state.kept.split(",") if name]
            result.back = describe_back(state)
        return self.results

    def guarded(self, result, session, action):
        """Runs a step on a host; what it fails with, and what the host runs then, goes into the result."""
        try:
            action()
            result.runs = describe(session.state)
        except Lost as failure:
            self.lost(result, session, failure)
        except Failure as failure:
            result.outcome, result.failure = "failed", failure
            if session.state.values:
                result.runs = describe(session.state)
        except KeyboardInterrupt:
            session.close()
            self.lost(result, session, Failure(INTERRUPTED, "interrupted"))

    def lost(self, result, session, failure):
        """The host may have gone on without us, so it is asked."""
        result.outcome, result.failure = "failed", failure
        what = {"smoke": "smoke test"}.get(session.operation, "switch")
        when = f"after the {what} was ordered" if session.switching else f"before the {what}"
        state = self.ask_again(result.host)
        if state is None:
            result.runs = f"not known; {result.before} before"
            text = f"{failure} {when}; the host can't be asked what it runs now"
        else:
            result.runs = describe(state)
            text = f"{failure} {when}; asked again, the host runs {result.runs}"
        result.failure = Failure(failure.code, f"{text}; {AGAIN[session.operation]} again to finish")

    def ask_again(self, host):
        busy_until = time.monotonic() + ASK_AGAIN_BUSY_SECONDS
        attempts = ASK_AGAIN_ATTEMPTS
        state = None
        while attempts > 0:
            try:
                state = status(self.environment, host, self.say)
            except Failure:
                attempts -= 1
            else:
                if state.busy != "yes" or time.monotonic() > busy_until:
                    return state
            time.sleep(ASK_AGAIN_PAUSE_SECONDS)
        return state


def common(host):
    """What on-host needs to know whatever it does."""
    settings = {"root": host.root, "units": host.units}
    if host.credentials:
        settings["credentials"] = host.credentials
    return settings


def status(environment, host, say):
    """What a host says that it runs."""
    session = Session(environment, host, "status", common(host), say)
    try:
        session.ask()
        return session.state
    finally:
        session.close()


def changes(results):
    """What became of each host, as a table."""
    return aligned([("host", "outcome", "runs", "before"),
                    *((result.host.name, result.outcome, result.runs, result.before) for result in results)])


def holdings(results):
    """What each host has, as a table."""
    return aligned([("host", "outcome", "runs", "ci/rollback goes to", "releases kept"),
                    *((result.host.name, result.outcome, result.runs, result.back or "?", ", ".join(result.kept) or "?")
                      for result in results)])


def aligned(rows):
    """A table, whose columns are as wide as their cells."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows)]
    lines = ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    return "\n".join(lines)
