"""The regression test: what the deployed version publishes of a fixed export, held against golden files."""

import difflib
import io
import json
import pathlib
import re
import shutil
import statistics
import tarfile
from dataclasses import dataclass

from . import UNFIT, Failure
from .package import Bundle, load_dates
from .rollout import common
from .session import Session

# Offsets count transaction markers too, so they depend on what was sent before. Nothing else is left out.
OFFSET = re.compile(r'^(\{"partition":\d+,)"offset":\d+,')
# A run is slow beyond both: this many times the median of the last ones, and this many seconds more.
SLOW_TIMES = 1.5
SLOW_SECONDS = 1.0
LEAST_EARLIER_RUNS = 3
# So many kinds of difference are shown and no more: the first ones say what happened.
SHOWN_GROUPS = 20


@dataclass
class Outcome:
    """What a host published: the records of each load_date's partitions, and how long it took."""

    # {"2026-11-19/partition-0.ndjson": [line, …]}
    records: dict
    # {"publish 2026-11-19": seconds, …}
    seconds: dict
    # The timings of the last runs, each {"release", "when", "seconds"}.
    earlier: list


@dataclass
class Change:
    """One record that is not as the golden file has it; None where there is none."""

    file: str
    key: str
    golden: str | None
    actual: str | None


def run(environment, folder, release, say, judge):
    """Publishes the export on the environment's host, whose release must be `release` unless that is None.
    `judge.release` becomes what the host runs; `judge.judge(outcome)` returns a line about the timings
    that the host shall keep, or None."""
    host = environment.regress_host()
    settings = {
        **common(host), "release": release or "", "wait": environment.wait_for_publish, "limit": environment.time_limit,
        "regress_project": host.regress.project, "regress_env": host.regress.env,
        "regress_feed": host.regress.feed, "regress_days": " ".join(load_dates(folder / "warehouse")),
    }
    session = Session(environment, host, "regress", settings, say)
    try:
        try:
            session.ask()
        finally:
            judge.release = session.state.current or None
        say(host, f"regression test of {judge.release}")
        bundle = Bundle()
        bundle.add_feeds(folder, "regression")
        session.upload(*bundle.finish())
        outcome = unpack(session.data(session.ask()))
        timing = judge.judge(outcome)
        session.write(f"timing {json.dumps(timing)}\n".encode() if timing else b"done\n")
        session.ask()
    finally:
        session.close()


def unpack(content):
    """The results as the host packed them."""
    outcome = Outcome({}, {}, [])
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        for entry in tar:
            if not entry.isfile():
                continue
            path = pathlib.PurePosixPath(entry.name).relative_to("results")
            text = tar.extractfile(entry).read().decode()
            if path.name == "timings.ndjson":
                outcome.earlier = [json.loads(line) for line in text.splitlines()]
            elif path.suffix == ".ndjson":
                outcome.records[str(path)] = [without_offset(path, line) for line in text.split("\n") if line]
            elif len(parts := path.name.split(".")) == 3 and parts[2] == "json":
                outcome.seconds[f"{parts[1]} {parts[0]}"] = json.loads(text)["runs"][0]["seconds"]
    return outcome


def without_offset(path, line):
    stripped, found = OFFSET.subn(r"\1", line)
    if not found:
        raise Failure(UNFIT, f"{path}: a line is not as `hivecast verify --records` writes it: {line[:100]}")
    return stripped


def golden(folder):
    """The golden files, in the same shape."""
    root = folder / "golden"
    return {str(path.relative_to(root)): [line for line in path.read_text(encoding="utf-8").split("\n") if line]
            for path in sorted(root.glob("*/*.ndjson"))}


def compare(expected, actual):
    """Every record that differs: in any byte of its key, headers or value, or in its place."""
    changes = []
    for file in sorted(set(expected) | set(actual)):
        before, after = expected.get(file, []), actual.get(file, [])
        if not before and not after and (file in expected) != (file in actual):
            changes.append(Change(file, "-", None, None))
        matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
        for kind, low, high, start, end in matcher.get_opcodes():
            if kind != "equal":
                changes += pair(file, before[low:high], after[start:end])
    return changes


def pair(file, before, after):
    """Records of one key that changed side by side; the others were removed or added."""
    added = {}
    for line in after:
        added.setdefault(key_of(line), []).append(line)
    changes = []
    for line in before:
        same_key = added.get(key_of(line))
        changes.append(Change(file, key_of(line), line, same_key.pop(0) if same_key else None))
    changes += [Change(file, key, None, line) for key, lines in added.items() for line in lines]
    return changes


def key_of(line):
    return json.loads(line)["key"]


def render(changes):
    """The differences as diffs of indented JSON. Records that changed in the same way are told once, since
    one change of a feed touches them all."""
    groups = {}
    for change in changes:
        groups.setdefault(difference(change), []).append(change)
    parts = []
    for text, alike in list(groups.items())[:SHOWN_GROUPS]:
        more = f" and {len(alike) - 1} more changed alike" if len(alike) > 1 else ""
        parts.append(f"{alike[0].file} key {alike[0].key}{more}{text}")
    if len(groups) > SHOWN_GROUPS:
        parts.append(f"and {len(groups) - SHOWN_GROUPS} differences of other kinds")
    return "\n".join(parts)


def difference(change):
    if change.golden is None and change.actual is None:
        return ": an empty file, and only on one side"
    if change.golden is None or change.actual is None:
        what = "is new" if change.golden is None else "is gone"
        return f" {what}\n    {change.actual or change.golden}"
    before, after = indented(change.golden), indented(change.actual)
    if before == after:
        # The same JSON in other bytes: how a number is written, or an escape.
        before, after = [change.golden], [change.actual]
    diff = list(difflib.unified_diff(before, after, n=1, lineterm=""))[2:]
    return "".join(f"\n    {line}" for line in diff if not line.startswith("@@"))


def indented(line):
    return [] if line is None else json.dumps(json.loads(line), indent=1, ensure_ascii=False).split("\n")


def accept(folder, records):
    """Makes these the golden files. They are written whole beside the old ones first."""
    fresh, current = folder / ".golden.tmp", folder / "golden"
    shutil.rmtree(fresh, ignore_errors=True)
    write(fresh, records)
    shutil.rmtree(current, ignore_errors=True)
    fresh.rename(current)


def write(folder, records):
    """Records as files, as they are compared."""
    for file, lines in records.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def slow(outcome):
    """A sentence for each command that took much longer than it did in the last runs."""
    sentences = []
    for name, seconds in sorted(outcome.seconds.items()):
        earlier = [run["seconds"][name] for run in outcome.earlier if name in run["seconds"]]
        if len(earlier) < LEAST_EARLIER_RUNS:
            continue
        median = statistics.median(earlier)
        if seconds > max(SLOW_TIMES * median, median + SLOW_SECONDS):
            sentences.append(f"{name} took {seconds:.2f} s; the median of the last {len(earlier)} runs is {median:.2f} s")
    return sentences
