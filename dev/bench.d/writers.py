"""What it takes one, two and four writers to send one edition, to Kafka and to a directory."""

import json
import shutil

from lib import services
from measure import Failed, Measured, measure_together, median, spread, table
from project import LOAD_DATE, make_project, make_sample, run
from warehouses import ratio

WRITERS = (1, 2, 4)
# How long the others wait for writer 1, which has built the edition: long enough for a busy machine, and an end
# where writer 1 failed.
WAIT = "2m"


def sent(hivecast, project, writers):
    """Publishes the edition that is in the store, by so many processes at once: what they took together, how
    long reading back was, and what was sent."""
    measured, wall_s = measure_together(
        [[hivecast, "--quiet", "publish", "--load-date", LOAD_DATE, "--json", "--writer", f"{number}/{writers}",
          "--writer-wait", WAIT] for number in range(1, writers + 1)], project)
    runs = [json.loads(one.output)["runs"][0] for one in measured]
    if not any(run["outcome"] == "published" for run in runs):
        raise Failed(f"no writer published the manifest: {[run['outcome'] for run in runs]}")
    read_back_s = max(step["seconds"] for run in runs for step in run["steps"] if step["step"] == "verify")
    together = Measured("", wall_s, sum(one.cpu_s for one in measured), sum(one.peak_mib for one in measured),
                        measured[0].load)
    return together, read_back_s, runs


def compare_writers(hivecast, kafka, root, accounts, rounds):
    """`kafka` is the broker that dev/bench measures with."""
    warehouse = make_sample(hivecast, root / "sample", accounts)
    for target in ("Kafka", "a directory"):
        results = {writers: [] for writers in WRITERS}
        for number in range(1, rounds + 1):
            for writers in WRITERS:
                name = f"writers.{number}.{writers}"
                results[writers].append(published(hivecast, kafka, root / name, warehouse, target, writers))
                measured = results[writers][-1][0]
                services.say(f"round {number} of {rounds}: {target}, writers: {writers}: {measured.wall_s:.1f} s, "
                             f"load {measured.load:.1f}")
        print_writers(target, accounts, rounds, results)


def published(hivecast, kafka, directory, warehouse, target, writers):
    """One publish to a new topic and ledger, of an edition that was built before."""
    topic, ledger = directory.name, f"{directory.name}.ledger"
    settings = {"Kafka": {"kafka": {"bootstrap.servers": kafka.bootstrap}, "ledger": ledger},
                "a directory": {"dir": "./topics"}}[target]
    project = make_project(hivecast, directory, warehouse, settings, topic=topic)
    _, built = run(hivecast, project, "build")
    measured, read_back_s, runs = sent(hivecast, project, writers)
    shutil.rmtree(project)
    if target == "Kafka":
        kafka.topics("delete", topic, ledger)
    documents = built["edition"]["documents"]
    if sum(run["publish"]["documents"] for run in runs) != documents:
        raise Failed(f"{topic}: {documents:,} documents were to be sent, not {[run['publish'] for run in runs]}")
    return measured, read_back_s, documents


def print_writers(target, accounts, rounds, results):
    first = results[WRITERS[0]]
    rows = [("writers", "wall s", "least-most", "/ one", "records/s", "CPU s", "/ one", "peak MiB, all",
             "read back s", "load")]
    for writers, taken in results.items():
        measured = [one for one, _, _ in taken]
        rows.append((str(writers), median([one.wall_s for one in measured]), spread([one.wall_s for one in measured]),
                     f"{ratio(taken, first, lambda one: one[0].wall_s):.2f}",
                     median([documents / one.wall_s for one, _, documents in taken], 0),
                     median([one.cpu_s for one in measured]),
                     f"{ratio(taken, first, lambda one: one[0].cpu_s):.2f}",
                     median([one.peak_mib for one in measured], 0),
                     median([read_back_s for _, read_back_s, _ in taken]), median([one.load for one in measured])))
    print(f"hivecast publish to {target}, {accounts:,} accounts, {first[0][2]:,} documents, edition in the store. "
          f"Medians of {rounds} rounds.\n\n{table(rows)}\n")
