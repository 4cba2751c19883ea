"""What a build takes on each engine: embedded in the process, on Sail and on Apache Spark."""

import dataclasses
import os
import pathlib

from lib import sail, services, spark
from lib.services import Lifetime
from measure import Measured, median, spread, table
from project import make_project, make_sample
from warehouses import built, expect_one_edition, in_turn, ratio

# Of the heap of Spark's one process. Tests' servers have less, which is too little for a shuffle of this size.
SPARK_MEMORY = "4g"
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass
class OnServer(Measured):
    """What a build took: Hivecast's own process, and the server's processes meanwhile."""

    server_cpu_s: float
    # The sum of each process's largest resident set.
    server_peak_mib: float

    @property
    def whole_cpu_s(self):
        return self.cpu_s + self.server_cpu_s


class Server:
    """A server's processes, as the kernel counts them."""

    def __init__(self, running=None):
        self.running = running

    def address(self):
        return next(iter(self.running.env.values())) if self.running else "embedded"

    def processes(self):
        ids = services.session_members({self.running.pid}) if self.running else []
        return [pathlib.Path("/proc", str(process)) for process in ids]

    def cpu_s(self):
        # After the name: state is field 3 of `man 5 proc`, user and system time are 14 and 15.
        fields = ((process / "stat").read_text().rpartition(")")[2].split() for process in self.processes())
        return sum(int(field[11]) + int(field[12]) for field in fields) / TICKS_PER_SECOND

    def forget_peak(self):
        for process in self.processes():
            (process / "clear_refs").write_text("5")

    def peak_mib(self):
        lines = (line for process in self.processes() for line in (process / "status").read_text().splitlines())
        return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def built_with(hivecast, case):
    server, project = case
    server.forget_peak()
    before = server.cpu_s()
    measured, steps, edition = built(hivecast, project)
    own = dataclasses.asdict(measured)
    return OnServer(**own, server_cpu_s=server.cpu_s() - before, server_peak_mib=server.peak_mib()), steps, edition


def compare_engines(hivecast, root, sizes, rounds):
    for accounts in sizes:
        at = root / f"engines-{accounts}"
        at.mkdir()
        # New servers for each size, so that each has a first build.
        running = []
        try:
            running.append(sail.start(at / "sail", Lifetime.WITH_PARENT))
            running.append(spark.start(at / "spark", Lifetime.WITH_PARENT, memory=SPARK_MEMORY))
            compare_size(hivecast, at, accounts, rounds, running)
        finally:
            for one in running:
                services.stop(one)


def compare_size(hivecast, root, accounts, rounds, running):
    warehouse = make_sample(hivecast, root / "sample", accounts)
    cases = {}
    for name, server in {"embedded": Server(), **{one.name: Server(one) for one in running}}.items():
        project = make_project(hivecast, root / f"project-{name}", warehouse, {"dir": "./topics"},
                               engine=server.address())
        cases[name] = (server, project)
    results = in_turn(cases, rounds + 1, lambda case: built_with(hivecast, case))
    expect_one_edition(results)
    documents = results["embedded"][0][2]["documents"]
    print(f"hivecast build, {accounts:,} accounts, {documents:,} documents, one edition of all. Each server's first "
          f"build, then medians of {rounds} more rounds.\n\n{table(rows(results))}\n")


def rows(results):
    first = results["embedded"]
    rows = [("engine", "first wall s", "first CPU s", "wall s", "least-most", "/ embedded", "own CPU s",
             "server's CPU s", "sum / embedded", "own peak MiB", "server's", "load")]
    for name, taken in results.items():
        warm_up, *measured = [one for one, _, _ in taken]
        walls = [one.wall_s for one in measured]
        rows.append((name, f"{warm_up.wall_s:.1f}", f"{warm_up.whole_cpu_s:.1f}", median(walls, 2), spread(walls),
                     f"{ratio(taken[1:], first[1:], lambda one: one[0].wall_s):.1f}",
                     median([one.cpu_s for one in measured], 2), median([one.server_cpu_s for one in measured], 2),
                     f"{ratio(taken[1:], first[1:], lambda one: one[0].whole_cpu_s):.1f}",
                     median([one.peak_mib for one in measured], 0),
                     median([one.server_peak_mib for one in measured], 0), median([one.load for one in measured])))
    return rows
