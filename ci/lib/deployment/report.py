"""What a command leaves in reports/ for whoever was not there: its lines, and what came of it."""

import json
import os
import pathlib
import sys
from datetime import datetime, timezone


class Report:
    """`COMMAND-ENV.log` has every line as it is printed, `COMMAND-ENV.json` what came of the command. The
    latter is there only when the command has ended: one of an earlier run is removed first."""

    def __init__(self, folder, command, environment):
        self.folder = pathlib.Path(folder)
        name = pathlib.Path(environment).stem if "/" in environment else environment
        self.stem = f"{command}-{name}"
        self.facts = {"command": command, "environment": name, "started": now()}
        self.results = None
        self.failure = None
        self.folder.mkdir(parents=True, exist_ok=True)
        for kind in ("json", "diff"):
            self.path(kind).unlink(missing_ok=True)
        # A line is on the disk before it is on the screen, should the command be killed.
        self.log = open(self.path("log"), "w", encoding="utf-8", errors="replace", buffering=1)
        sys.stdout, sys.stderr = Copied(sys.stdout, self.log), Copied(sys.stderr, self.log)

    def path(self, kind):
        return self.folder / f"{self.stem}.{kind}"

    def hosts(self, results):
        """What became of each host, as it is when the command ends; rollout.Result each."""
        self.results = results

    def write(self, code):
        """Writes what came of the command, which ends with this exit code."""
        content = {**self.facts, "ended": now()}
        if self.results is not None:
            content["hosts"] = [host(result) for result in self.results]
        content.update(error=described(self.failure), exit_code=code)
        self.write_file("json", json.dumps(content, indent=2, ensure_ascii=False) + "\n")

    def write_file(self, kind, text):
        """What can't be written down changes nothing of what was done, so it is told and no more."""
        path, fresh = self.path(kind), self.folder / f".{self.stem}.{kind}.tmp"
        try:
            fresh.write_text(text, encoding="utf-8")
            os.replace(fresh, path)
        except OSError as error:
            print(f"warning: failed to write {path}: {error}", file=sys.stderr)


class Copied:
    """A stream whose text goes to a file too. A full disk ends the copy and not the command."""

    def __init__(self, stream, log):
        self.stream = stream
        self.log = log

    def write(self, text):
        try:
            if not self.log.closed:
                self.log.write(text)
        except OSError as error:
            abandon(self.log)
            self.stream.write(f"warning: failed to write {self.log.name}: {error}\n")
        return self.stream.write(text)

    def __getattr__(self, name):
        return getattr(self.stream, name)


def abandon(file):
    """Closes a file that can't take what it still holds."""
    try:
        file.close()
    except OSError:
        pass


def host(result):
    about = {"name": result.host.name, "outcome": result.outcome, "runs": result.runs}
    if result.outcome == "asked":
        about.update(kept=result.kept, back=result.back)
    else:
        about.update(before=result.before)
    return {**about, "error": described(result.failure)}


def described(failure):
    return {"exit_code": failure.code, "text": str(failure)} if failure else None


def now():
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
