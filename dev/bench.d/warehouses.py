"""What it costs to read a warehouse: by format and by where it lies, among many partitions, and of many small
files."""

import datetime
import os
import pathlib
import shutil
import statistics

from lib import hdfs, services
from measure import Failed, measure, median, spread, table
from project import LOAD_DATE, example, make_project, make_sample, run

HERE = pathlib.Path(__file__).resolve().parent
TABLES = ("accounts", "parties", "party_address")
# (the files' format, where they lie); the first is what the others are held against.
PLACES = [("parquet", "local"), ("orc", "local"), ("text", "local"), ("avro", "local"), ("json", "local"),
          ("parquet", "hdfs"), ("orc", "hdfs")]
PARTITIONS = 5_000
SMALL_FILES, SMALL_ROWS = 10_000, 20
SMALL_FEED = """\
feed: small
topic: small
partitions: 1
tables:
  rows: { source: mdm.small }
document:
  from: rows
  key: id
  fields: { identifier: id, name: name, amount: amount }
envelope: { style: plain }
"""


def variable(name):
    value = os.environ.get(name)
    if not value:
        raise Failed(f"{name} is not set: run it through dev/with-services, or make bench")
    return value


def metastore(server):
    return '{ metastore: "%s" }' % variable(f"HIVECAST_TEST_METASTORE_{server}")


def built(program, project, load_date=LOAD_DATE):
    """Builds an edition from nothing. What it took, how long each step, and the edition."""
    shutil.rmtree(project / "editions", ignore_errors=True)
    measured, summary = run(program, project, "build", load_date=load_date)
    steps = {step["step"]: step["seconds"] for step in summary["steps"]}
    return measured, steps, summary["edition"]


def in_turn(cases, rounds, build):
    """What each case took in each round, all in turn, so that a busy machine slows them all."""
    results = {name: [] for name in cases}
    for number in range(1, rounds + 1):
        for name, case in cases.items():
            measured, steps, edition = build(case)
            results[name].append((measured, steps, edition))
            services.say(f"round {number} of {rounds}: {name}: {measured.wall_s:.2f} s, load {measured.load:.1f}")
    return results


def expect_one_edition(results):
    checksums = {edition["checksum"] for taken in results.values() for _, _, edition in taken}
    if len(checksums) != 1:
        raise Failed(f"the editions differ: {checksums}")


def ratio(results, first, of):
    """Against the first case, within a round."""
    return statistics.median(of(one) / of(base) for one, base in zip(results, first))


def compare_places(hivecast, root, accounts, rounds):
    """The same day in each format, on this machine and on HDFS, as tables of a metastore."""
    warehouse = metastore(4)
    cases = {}
    for form, place in PLACES:
        location = {"local": (root / "lake").as_uri(), "hdfs": variable("HIVECAST_TEST_HDFS") + "/bench"}[place]
        database = f"bench_{form}_{place}"
        make_sample(hivecast, root / f"sample-{form}-{place}", accounts, form=form, warehouse=warehouse,
                    database=database, location=location)
        project = make_project(hivecast, root / f"project-{form}-{place}", warehouse, {"dir": "./topics"},
                               database=database)
        cases[f"{form}, {place}"] = project
    results = in_turn(cases, rounds, lambda project: built(hivecast, project))
    expect_one_edition(results)
    first = next(iter(results.values()))
    rows = [("build of", "wall s", "least-most", "/ first", "CPU s", "/ first", "peak MiB", "load")]
    for name, taken in results.items():
        measured = [one for one, _, _ in taken]
        rows.append((name, median([one.wall_s for one in measured], 2), spread([one.wall_s for one in measured]),
                     f"{ratio(taken, first, lambda one: one[0].wall_s):.2f}",
                     median([one.cpu_s for one in measured], 2),
                     f"{ratio(taken, first, lambda one: one[0].cpu_s):.2f}",
                     median([one.peak_mib for one in measured], 0), median([one.load for one in measured])))
    print(f"hivecast build, {accounts:,} accounts, tables of a Hive 4 metastore, one edition of all. "
          f"Medians of {rounds} rounds.\n\n{table(rows)}\n")


def compare_resolving(hivecast, root, rounds):
    """How long it takes to find the three tables' files among many partitions."""
    cases = {}
    last = datetime.date.fromisoformat(LOAD_DATE)
    older = [str(last - datetime.timedelta(days=days)) for days in range(1, PARTITIONS)]
    dates = root / "dates.txt"
    dates.write_text("\n".join(older))
    for server in (4, 3):
        warehouse = metastore(server)
        database = f"bench_partitions_{server}"
        make_sample(hivecast, root / f"sample-{server}", 1_000, warehouse=warehouse, database=database,
                    location=(root / "lake").as_uri())
        project = make_project(hivecast, root / f"project-{server}", warehouse, {"dir": "./topics"}, database=database)
        for date in (LOAD_DATE, "latest"):
            cases[f"Hive {server}, one partition, --load-date {date}"] = (project, date)
        filled = root / f"filled-{server}"
        cases |= {f"Hive {server}, {PARTITIONS:,} partitions, --load-date {date}": (filled, date)
                  for date in (LOAD_DATE, "latest")}
        database = f"bench_many_{server}"
        make_sample(hivecast, root / f"sample-many-{server}", 1_000, warehouse=warehouse, database=database,
                    location=(root / "lake").as_uri())
        make_project(hivecast, filled, warehouse, {"dir": "./topics"}, database=database)
        services.say(f"Hive {server}: adding {len(older):,} partitions to each of {len(TABLES)} tables")
        measure([example(hivecast, "add_partitions"), variable(f"HIVECAST_TEST_METASTORE_{server}"), database,
                 dates, *TABLES])
    results = in_turn(cases, rounds, lambda case: built(hivecast, *case))
    rows = [("resolving 3 tables", "seconds", "least-most", "whole build s", "load")]
    for name, taken in results.items():
        seconds = [steps["warehouse"] for _, steps, _ in taken]
        rows.append((name, median(seconds, 2), f"{min(seconds):.2f}-{max(seconds):.2f}",
                     median([one.wall_s for one, _, _ in taken], 2), median([one.load for one, _, _ in taken])))
    print(f"The step `warehouse` of a build: tables looked up, partitions found, files listed, footers read. "
          f"Medians of {rounds} rounds.\n\n{table(rows)}\n")


def compare_small_files(hivecast, python, root, rounds, before=None):
    """Many files of a few rows, where each is ways to the store and back and little else."""
    local = root / "small"
    lies = local / "mdm.db" / "small" / f"load_date={LOAD_DATE}"
    lies.mkdir(parents=True)
    measure([python, HERE / "small_files.py", lies, SMALL_FILES, SMALL_ROWS])
    remote = variable("HIVECAST_TEST_HDFS") + "/bench-small"
    conf = pathlib.Path(variable("HIVECAST_TEST_HDFS_CONF"))
    services.say(f"copying {SMALL_FILES:,} files to HDFS")
    measure(hdfs.java(services.jars(hdfs.POM), conf.parent, "org.apache.hadoop.fs.FsShell", "-put", "-t", "16",
                      local, remote))
    programs = {"": hivecast} | ({"before, ": before} if before else {})
    cases = {}
    for place, warehouse in (("hdfs", remote), ("local", local)):
        for name, program in programs.items():
            project = make_project(hivecast, root / f"{place}-{program.name}-{len(cases)}", warehouse,
                                   {"dir": "./topics"})
            (project / "feeds" / "contracts.yaml").unlink()
            (project / "feeds" / "small.yaml").write_text(SMALL_FEED)
            cases[f"{name}{place}"] = (program, project)
    results = in_turn(cases, rounds, lambda case: built(*case))
    expect_one_edition(results)
    first = next(iter(results.values()))
    rows = [(f"{SMALL_FILES:,} files", "warehouse s", "/ first", "engine s", "/ first", "wall s", "load")]
    for name, taken in results.items():
        rows.append((name, *(cell for step in ("warehouse", "engine") for cell in (
            median([steps[step] for _, steps, _ in taken], 2),
            f"{ratio(taken, first, lambda one, step=step: one[1][step]):.2f}")),
            median([one.wall_s for one, _, _ in taken], 2), median([one.load for one, _, _ in taken])))
    print(f"hivecast build of a table of {SMALL_FILES:,} Parquet files of {SMALL_ROWS} rows. "
          f"Medians of {rounds} rounds.\n\n{table(rows)}\n")

