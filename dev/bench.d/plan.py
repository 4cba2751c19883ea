"""How well `hivecast plan` foretells: calibrated on a day of the sample, held against days a quarter to three times
as large, on the embedded engine and on Apache Spark; and the least heap that Spark works with beside the one that it
says."""

import datetime
import json
import shutil
import statistics
import subprocess
import urllib.request

from lib import services, spark
from lib.services import Lifetime
from measure import table
from project import LOAD_DATE

# The export that is calibrated on is 100 %.
PERCENTS = [25, 50, 100, 300]
# Of these nothing is learned before they are foretold.
UNSEEN = [40, 75, 200]
FEED = "contracts"
# The embedded engine's two ways: all rows in memory, and through spill files.
WAYS = {"in memory": "4GiB", "in passes": "256MiB"}
# Other exports of 100 %, by the options of `hivecast sample`.
OTHERS = {"one account with 100,000 parties": ["--skew", "100000"], "ORC": ["--format", "orc"], "Avro": ["--format", "avro"]}
# The cluster that is planned for and then started: one executor with both cores of a small machine.
SPARK_CORES = 2
CLUSTER = ["--nodes", "1", "--node-cores", str(SPARK_CORES), "--reserved-cores", "0", "--node-memory", "16GiB",
           "--manager", "standalone", "--driver-on", "own"]
# Heaps are tried down to this difference.
HEAP_STEP_MIB = 64
# Below that Spark refuses to start an executor.
LEAST_HEAP_MIB = 450
DRIVER_MEMORY = "1g"


class Days:
    """A project with one day for each size."""

    def __init__(self, hivecast, at, accounts, percents, options=()):
        self.hivecast = hivecast
        self.at = at
        subprocess.run([hivecast, "-q", "init", self.at], check=True, stdout=subprocess.DEVNULL)
        self.days = {}
        for index, percent in enumerate(percents):
            # Days before the calibrated one are other exports, no changes of it.
            day = (datetime.date.fromisoformat(LOAD_DATE) - datetime.timedelta(days=index)).isoformat()
            self.days[percent] = day
            self.run("sample", "--accounts", str(accounts * percent // 100), "--days", "1", "--load-date", day,
                     *(["--extend"] if index else []), *options)

    def run(self, *arguments):
        done = subprocess.run([self.hivecast, "-q", *arguments], cwd=self.at, check=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        return done.stdout

    def json(self, *arguments):
        return json.loads(self.run(*arguments, "--json"))

    def use(self, engine):
        """Sets what builds editions."""
        file = self.at / "hivecast.yaml"
        lines = [line for line in file.read_text().splitlines() if not line.startswith("    engine:")]
        at = lines.index("    store: ./editions")
        if engine:
            lines.insert(at + 1, f'    engine: "{engine}"')
        file.write_text("\n".join(lines) + "\n")

    def plan_cluster(self, percent):
        answer = self.json("plan", "--for", "build", "--load-date", self.days[percent], *CLUSTER)["cluster"]
        [point] = [point for point in answer["curve"] if point["cores"] == SPARK_CORES]
        executor = answer["fastest"]["shape"]["executor"]
        assert executor["cores"] == SPARK_CORES, "the heap is that of both tasks at once"
        return point["wall"], executor["heap"] / 2**20

    def forget(self):
        """No run and no calibration is known any more."""
        shutil.rmtree(self.at / "editions", ignore_errors=True)

    def build(self, percent, memory):
        for edition in (self.at / "editions" / FEED).glob("load_date=*"):
            shutil.rmtree(edition)
        [run] = self.json("build", "--load-date", self.days[percent], "--memory", memory)["runs"]
        seconds = sum(step["seconds"] for step in run["steps"] if step["step"] in ("check", "engine", "gates"))
        return seconds, run["peak_memory_bytes"]

    def plan(self, percent, memory):
        answer = self.json("plan", "--for", "build", "--load-date", self.days[percent], "--memory", memory)
        return answer["embedded"]["wall"], answer["embedded"]["peak"]


def error(predicted, measured):
    return (predicted["expected"] / measured - 1) * 100


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def measure_plans(hivecast, root, accounts, rounds):
    """Calibrates, foretells, runs; then foretells other days, after having learned from those runs."""
    days = Days(hivecast, root / "plan", accounts, PERCENTS + UNSEEN)
    errors = {}
    for way, memory in WAYS.items():
        days.forget()
        days.run("plan", "--for", "build", "--calibrate", "--load-date", days.days[100], "--memory", memory)
        for after, percents in (("calibrated", PERCENTS), ("learned", UNSEEN)):
            foretold = {percent: days.plan(percent, memory) for percent in percents}
            measured = {percent: [days.build(percent, memory) for _ in range(rounds)] for percent in percents}
            show(f"embedded, {way} (--memory {memory}), {after}", foretold, measured, errors.setdefault(after, []))
        show_models(days.json("plan", "--for", "build", "--load-date", days.days[100], "--memory", memory)["models"])
    for after, found in errors.items():
        summary(after, found)
    measure_others(hivecast, root, accounts, rounds)


def measure_others(hivecast, root, accounts, rounds):
    """The calibrated day of exports of other kinds, all rows in memory."""
    memory = WAYS["in memory"]
    foretold, measured = {}, {}
    for index, (name, options) in enumerate(OTHERS.items()):
        days = Days(hivecast, root / f"other-{index}", accounts, [100], options)
        days.run("plan", "--for", "build", "--calibrate", "--load-date", days.days[100], "--memory", memory)
        foretold[name] = days.plan(100, memory)
        measured[name] = [days.build(100, memory) for _ in range(rounds)]
        shutil.rmtree(days.at)
    show("embedded, other exports, calibrated", foretold, measured, [])


def show(title, foretold, measured, errors):
    rows = [["export", "wall foretold", "range", "measured", "error", "equal runs differ by",
             "peak foretold", "at most", "measured", "error", "within"]]
    for percent, (wall, peak) in foretold.items():
        runs = measured[percent]
        seconds = statistics.median([run[0] for run in runs])
        most = statistics.median([run[1] for run in runs])
        noise = (max(run[0] for run in runs) / min(run[0] for run in runs) - 1) * 100
        within = all(run[1] <= peak["high"] for run in runs)
        errors.append({"wall": abs(error(wall, seconds)), "peak": abs(error(peak, most)), "noise": noise,
                       "in_range": wall["low"] <= seconds <= wall["high"],
                       "bounded": sum(run[1] <= peak["high"] for run in runs) / len(runs)})
        rows.append([str(percent), f"{wall['expected']:.2f} s", f"{wall['low']:.2f}-{wall['high']:.2f}", f"{seconds:.2f} s",
                     f"{error(wall, seconds):+.0f} %", f"{noise:.0f} %", mib(peak["expected"]), mib(peak["high"]),
                     mib(most), f"{error(peak, most):+.0f} %", "yes" if within else "NO"])
    print(f"\n{title}")
    print(table(rows), flush=True)


def show_models(models):
    """What was learned, term by term."""
    for model in models:
        if model["basis"]["by"] != "default":
            terms = (f"{term['coefficient']:,.2f} {term['name']} ({term['of']})" for term in model["terms"])
            print(f"{model['subject']}: {' + '.join(terms)}")


def mib(value):
    return f"{value / 2**20:,.0f} MiB"


def summary(after, errors):
    wall = [error["wall"] for error in errors]
    peak = [error["peak"] for error in errors]
    print(f"\n{after}: wall time off by {statistics.median(wall):.0f} % in the median, {percentile(wall, 0.9):.0f} % at the 90th percentile, "
          f"in its range {sum(error['in_range'] for error in errors)} of {len(errors)}; "
          f"peak memory {percentile(peak, 0.9):.0f} % at the 90th percentile, "
          f"under its bound in {100 * sum(error['bounded'] for error in errors) / len(errors):.0f} % of runs; "
          f"equal runs differ by {statistics.median([error['noise'] for error in errors]):.0f} % in the median", flush=True)


def measure_spark(hivecast, root, accounts, rounds):
    """The same for Apache Spark's wall time, and the heap."""
    days = Days(hivecast, root / "plan", accounts, PERCENTS)
    with running(root / "spark", "4g") as server:
        days.use(server.address)
        days.run("plan", "--for", "build", "--calibrate", "--load-date", days.days[100])
        foretold = {percent: days.plan_cluster(percent)[0] for percent in PERCENTS}
        measured = {percent: [days.build(percent, "4GiB")[0] for _ in range(rounds)] for percent in PERCENTS}
    rows = [["% of the sample", "wall foretold", "range", "measured", "error", "equal runs differ by"]]
    errors = []
    for percent, wall in foretold.items():
        seconds = statistics.median(measured[percent])
        noise = (max(measured[percent]) / min(measured[percent]) - 1) * 100
        errors.append(abs(error(wall, seconds)))
        rows.append([str(percent), f"{wall['expected']:.1f} s", f"{wall['low']:.1f}-{wall['high']:.1f}", f"{seconds:.1f} s",
                     f"{error(wall, seconds):+.0f} %", f"{noise:.0f} %"])
    print(f"\nApache Spark, {SPARK_CORES} cores, calibrated\n{table(rows)}")
    print(f"off by {statistics.median(errors):.0f} % in the median, {max(errors):.0f} % at most", flush=True)
    heaps(days, root)


def heaps(days, root):
    rows = [["% of the sample", "heap foretold", "least that works", "ratio"]]
    for percent in (25, 100):
        foretold = days.plan_cluster(percent)[1]
        least = least_heap(days, root / f"heap-{percent}", percent, foretold)
        rows.append([str(percent), f"{foretold:,.0f} MiB", f"{least:,} MiB", f"{foretold / least:.2f}"])
    print(f"\nSpark's executor, {SPARK_CORES} tasks at once: the least heap without spill, by bisection\n{table(rows)}", flush=True)


def least_heap(days, root, percent, foretold):
    """The least heap, to the next step, with which the build ends and nothing is spilled."""
    low, high = LEAST_HEAP_MIB, int(foretold)
    while not works(days, root / f"{high}", percent, high):
        low, high = high, high * 2
    if works(days, root / f"{low}", percent, low):
        return low
    while high - low > HEAP_STEP_MIB:
        middle = (low + high) // 2
        if works(days, root / f"{middle}", percent, middle):
            high = middle
        else:
            low = middle
    return high


def works(days, root, percent, heap):
    with running(root, f"{heap}m") as server:
        days.use(server.address)
        try:
            days.build(percent, "4GiB")
        except subprocess.CalledProcessError as failed:
            # Any other failure says nothing of the heap.
            told = failed.stderr.decode(errors="replace")
            if not any(word in told for word in ("memory", "Memory", "executor")):
                raise
            services.say(f"{percent} %: {heap} MiB are too few")
            return False
        spilled = server.spilled()
        services.say(f"{percent} %: with {heap} MiB {spilled} bytes were spilled")
        return spilled == 0


class running:
    """A Spark Connect server with one executor of its own and this heap."""

    def __init__(self, root, heap):
        self.root, self.heap = root, heap

    def __enter__(self):
        [self.ui] = services.free_ports(1)
        mebibytes = int(self.heap[:-1]) * (1024 if self.heap.endswith("g") else 1)
        conf = [f"spark.executor.memory={self.heap}", f"spark.ui.port={self.ui}", "spark.ui.enabled=true",
                "spark.executor.instances=1", f"spark.executor.cores={SPARK_CORES}"]
        self.root.mkdir(parents=True)
        self.server = spark.start(self.root, Lifetime.WITH_PARENT, master=f"local-cluster[1,{SPARK_CORES},{mebibytes}]",
                                  conf=conf, memory=DRIVER_MEMORY)
        self.address = next(iter(self.server.env.values()))
        return self

    def __exit__(self, *_):
        services.stop(self.server)

    def spilled(self):
        base = f"http://127.0.0.1:{self.ui}/api/v1/applications"
        [application] = fetch(base)
        stages = fetch(f"{base}/{application['id']}/stages")
        return sum(stage["memoryBytesSpilled"] + stage["diskBytesSpilled"] for stage in stages)


def fetch(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)
