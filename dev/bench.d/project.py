"""Hivecast projects on one sample export, and its documents as lines."""

import heapq
import json
import pathlib
import shutil
import zlib

from measure import Failed, measure

LOAD_DATE = "2026-11-22"
# No secret: the sample's people are made up.
MASK_KEY = "for-trying-out-only"
DATABASE = "mdm"
TOPIC_LINE = "topic: mdm.contracts\n"

# What stands around key and value in a line of the directory target.
KEY, VALUE, END = b'"key":"', b'"value":', b"}\n"

PROJECT = """\
feeds: feeds/
environments:
  local:
    warehouse: {warehouse}
    store: ./editions
    engine: {engine}
    target: {target}
    mask_key: {mask_key}
"""


def make_sample(hivecast, directory, accounts, skew=0, form="parquet", warehouse="./warehouse", database=DATABASE,
                location=None):
    """Writes one day of the sample export, and returns the directory it lies in, if the warehouse is none of
    somewhere else."""
    measure([hivecast, "--quiet", "init", directory])
    write_project(directory, warehouse, {"dir": "./topics"})
    more = (["--skew", skew] if skew else []) + (["--location", location] if location else [])
    measure([hivecast, "--quiet", "sample", "--accounts", accounts, "--days", 1, "--load-date", LOAD_DATE,
             "--format", form, "--database", database, *more], directory)
    return directory / "warehouse"


def make_project(hivecast, directory, warehouse, target, topic="mdm.contracts", database=DATABASE, engine="embedded"):
    """A project with the example feed, its own store, and the given target, topic, database and engine."""
    measure([hivecast, "--quiet", "init", directory])
    write_project(directory, warehouse, target, engine)
    feed = directory / "feeds" / "contracts.yaml"
    text = feed.read_text()
    for there, wanted in ((TOPIC_LINE, f"topic: {topic}\n"), (f"source: {DATABASE}.", f"source: {database}.")):
        if there not in text:
            raise Failed(f"{feed} has no {there.strip()!r}")
        text = text.replace(there, wanted)
    feed.write_text(text)
    return directory


def write_project(directory, warehouse, target, engine="embedded"):
    text = PROJECT.format(warehouse=warehouse, engine=engine, target=json.dumps(target), mask_key=MASK_KEY)
    (directory / "hivecast.yaml").write_text(text)


def run(hivecast, project, command, memory=None, load_date=LOAD_DATE):
    """Runs `hivecast build` or `publish`, and returns what it took and its own summary of the run."""
    limit = ["--memory", memory] if memory else []
    measured = measure([hivecast, "--quiet", command, "--load-date", load_date, "--json", *limit], project)
    return measured, json.loads(measured.output)["runs"][0]


def write_lines(hivecast, directory, warehouse, path):
    """Writes every document as a line KEY TAB VALUE, in the edition's order, and returns Hivecast's
    summary of them."""
    project = make_project(hivecast, directory, warehouse, {"dir": "./topics"})
    _, summary = run(hivecast, project, "publish")
    partitions = [lines(file) for file in sorted(project.glob("topics/*/partition-*.ndjson"))]
    size = 0
    with open(path, "wb", buffering=1 << 20) as out:
        for _, key, value in heapq.merge(*partitions):
            size += len(key) + len(value)
            out.write(b"%b\t%b\n" % (key, value))
    if size != summary["publish"]["bytes"]:
        raise Failed(f"{path} holds {size} bytes of keys and values, published were {summary['publish']['bytes']}")
    shutil.rmtree(project)
    return summary


def lines(path):
    """A partition's records: CRC-32 of the key, key, value, which is the order they lie in."""
    with open(path, "rb") as records:
        for record in records:
            start = record.index(KEY) + len(KEY)
            key = record[start:record.index(b'"', start)]
            start = record.index(VALUE, start) + len(VALUE)
            yield zlib.crc32(key), key, record[start:-len(END)]


def example(hivecast, name):
    """A program that was built from a crate's examples, beside the binary."""
    path = pathlib.Path(hivecast).parent / "examples" / name
    if not path.is_file():
        raise Failed(f"{path} is missing: cargo build --release --locked --workspace --examples")
    return path
