"""How well `hivecast plan` foretells: calibrated on a day of the sample, held against days a quarter to three times
as large."""

import datetime
import json
import shutil
import statistics
import subprocess

from measure import table
from project import LOAD_DATE

# The export that is calibrated on is 100 %.
PERCENTS = [25, 50, 100, 300]
FEED = "contracts"
# The embedded engine's two ways: all rows in memory, and through spill files.
WAYS = {"in memory": "4GiB", "in passes": "256MiB"}


class Days:
    """A project with one day for each size."""

    def __init__(self, hivecast, root, accounts):
        self.hivecast = hivecast
        self.at = root / "plan"
        subprocess.run([hivecast, "-q", "init", self.at], check=True, stdout=subprocess.DEVNULL)
        self.days = {}
        for index, percent in enumerate(PERCENTS):
            # Days before the calibrated one are other exports, no changes of it.
            day = (datetime.date.fromisoformat(LOAD_DATE) - datetime.timedelta(days=index)).isoformat()
            self.days[percent] = day
            self.run("sample", "--accounts", str(accounts * percent // 100), "--days", "1", "--load-date", day, "--extend")

    def run(self, *arguments):
        done = subprocess.run([self.hivecast, "-q", *arguments], cwd=self.at, check=True, stdout=subprocess.PIPE)
        return done.stdout

    def json(self, *arguments):
        return json.loads(self.run(*arguments, "--json"))

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
    """Calibrates, foretells, runs; then foretells once more, after having learned from those runs."""
    days = Days(hivecast, root, accounts)
    errors = {}
    for way, memory in WAYS.items():
        days.forget()
        days.run("plan", "--for", "build", "--calibrate", "--load-date", days.days[100], "--memory", memory)
        for after in ("calibrated", "learned"):
            foretold = {percent: days.plan(percent, memory) for percent in PERCENTS}
            measured = {percent: [days.build(percent, memory) for _ in range(rounds)] for percent in PERCENTS}
            show(f"embedded, {way} (--memory {memory}), {after}", foretold, measured, errors.setdefault(after, []))
        show_models(days.json("plan", "--for", "build", "--load-date", days.days[100], "--memory", memory)["models"])
    for after, found in errors.items():
        summary(after, found)


def show(title, foretold, measured, errors):
    rows = [["% of the sample", "wall foretold", "range", "measured", "error", "two runs differ by",
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
