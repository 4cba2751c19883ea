"""JUnit XML, as Jenkins reads it, out of what `cargo test` and `unittest` say."""

import dataclasses
import pathlib
import re
import xml.etree.ElementTree as xml

# What XML 1.0 can't hold, and colours of a terminal.
UNPRINTABLE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclasses.dataclass
class Case:
    """One test and how it ended: "passed", "failed", "skipped" or "error"."""

    name: str
    outcome: str
    text: str = ""
    seconds: float = 0.0


@dataclasses.dataclass
class Suite:
    """The tests of one program or module."""

    name: str
    cases: list[Case] = dataclasses.field(default_factory=list)
    seconds: float = 0.0


def write(path, suites):
    """Writes the suites, whole or not at all."""
    path = pathlib.Path(path)
    top = xml.Element("testsuites")
    for suite in suites:
        counted = {outcome: sum(case.outcome == outcome for case in suite.cases) for outcome in ELEMENTS}
        element = xml.SubElement(top, "testsuite", name=suite.name, tests=str(len(suite.cases)),
                                 failures=str(counted["failed"]), errors=str(counted["error"]),
                                 skipped=str(counted["skipped"]), time=f"{suite.seconds:.3f}")
        for case in suite.cases:
            add_case(element, suite, case)
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".tmp")
    xml.ElementTree(top).write(half, encoding="utf-8", xml_declaration=True)
    half.rename(path)


# The element inside a test case that tells how it ended.
ELEMENTS = {"failed": "failure", "error": "error", "skipped": "skipped"}


def total(paths):
    """What these reports come to, as one line. What ended in an error has failed."""
    counted = {name: 0 for name in ("tests", "failures", "errors", "skipped")}
    for path in paths:
        for suite in xml.parse(path).getroot():
            for name in counted:
                counted[name] += int(suite.get(name))
    failed = counted["failures"] + counted["errors"]
    passed = counted["tests"] - failed - counted["skipped"]
    skipped = f", {counted['skipped']} skipped" if counted["skipped"] else ""
    return f"{passed} passed, {failed} failed{skipped}"


def skipped(paths):
    """Each skipped test of these reports, with the reason, as one line."""
    for path in paths:
        for case in xml.parse(path).getroot().iter("testcase"):
            if (reason := case.find("skipped")) is not None:
                yield f"{case.get('classname')}: {case.get('name')}: {reason.get('message')}"


def add_case(element, suite, case):
    """Adds one test case to its suite."""
    child = xml.SubElement(element, "testcase", classname=suite.name, name=case.name, time=f"{case.seconds:.3f}")
    if case.outcome in ELEMENTS:
        text = UNPRINTABLE.sub("", case.text)
        first = next((line for line in text.splitlines() if line.strip()), case.outcome)
        xml.SubElement(child, ELEMENTS[case.outcome], message=first).text = text


class CargoTest:
    """Reads `cargo test`'s output line by line: libtest's own words, which are the same in every version
    that is stable, since its JSON is not."""

    PROGRAM = re.compile(r"^\s+Running (?:unittests )?(\S+) \(.*?([^/\\]+)-[0-9a-f]{16}\)$")
    DOCS = re.compile(r"^\s+Doc-tests (\S+)$")
    RESULT = re.compile(r"^test (.+?) \.\.\. (ok|FAILED|ignored)(?:, (.*))?$")
    # What a test wrote past libtest's capture may stand between its name and its result.
    END = re.compile(r"^test result: .*finished in ([0-9.]+)s")
    OUTPUT = re.compile(r"^---- (.+?) stdout ----$")

    def __init__(self):
        self.suites = []
        self.open = None
        self.output_of = None

    def line(self, line):
        """Takes the next line."""
        line = line.rstrip("\n")
        started = self.PROGRAM.match(line) or self.DOCS.match(line)
        if started:
            self.start(" ".join(dict.fromkeys(reversed(started.groups()))))
        elif self.open is None:
            return
        elif ended := self.END.match(line):
            self.open.seconds = float(ended[1])
            self.open, self.output_of = None, None
        elif result := self.RESULT.match(line):
            outcome = {"ok": "passed", "FAILED": "failed", "ignored": "skipped"}[result[2]]
            self.open.cases.append(Case(result[1].removesuffix(" - should panic"), outcome, result[3] or ""))
        elif output := self.OUTPUT.match(line):
            self.output_of = next((case for case in self.open.cases if case.name == output[1]), None)
        elif line == "failures:":
            self.output_of = None
        elif self.output_of:
            self.output_of.text += line + "\n"

    def start(self, name):
        """A program begins; the one before should have said its result."""
        self.died()
        self.open = Suite(name)
        self.suites.append(self.open)

    def died(self):
        """A program that ended without a result has died: that is an error, however its tests went."""
        if self.open:
            self.open.cases.append(Case("the whole program", "error", "it ended before its tests did"))
        self.open, self.output_of = None, None

    def finish(self, code):
        """All suites; a failure that no test tells of (a compiler's, say) becomes one that does."""
        self.died()
        told = any(case.outcome in ("failed", "error") for suite in self.suites for case in suite.cases)
        if code != 0 and not told:
            failed = Case("cargo test", "error", f"cargo test ended with {code} and no failed test; see the log")
            self.suites.append(Suite("cargo", [failed]))
        return self.suites
