"""ci/regress: the version that is deployed publishes the fixed export to a real cluster, and every record
is compared with the golden files."""

import json
import os
import pathlib
import pty
import shutil
import subprocess
import sys
import unittest

import hosts
from hosts import REPOSITORY, HostsTest

from deployment import regression

DAYS = ("2026-11-19", "2026-11-20")


class Regression(HostsTest):
    def target(host):
        if "HIVECAST_TEST_KAFKA" not in os.environ:
            raise AssertionError("HIVECAST_TEST_KAFKA is not set; run the tests through dev/with-services")
        return f"{{ kafka: {{ bootstrap.servers: {os.environ['HIVECAST_TEST_KAFKA']} }}, ledger: hivecast.regress.ledger }}"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.deployed = cls("run_command")
        cls.package = cls.deployed.version("1.0.0")
        cls.deployed.deploy(cls.package)

    def setUp(self):
        """A copy of the test's files, since some tests spoil them."""
        self.copy = self.folder / "regression"
        shutil.rmtree(self.copy, ignore_errors=True)
        shutil.copytree(REPOSITORY / "ci" / "regression", self.copy)

    def regress(self, *arguments, expect=0):
        """Of the package that is deployed, unless `arguments` have another."""
        return self.run_command("regress", self.environment(), "--regression", self.copy, "--packages", self.package,
                                *arguments, expect=expect)

    def golden(self, day, partition=0):
        return self.copy / "golden" / day / f"partition-{partition}.ndjson"

    def test_every_record_is_as_the_golden_files_have_it_each_time(self):
        for _ in range(2):
            output = self.regress()
            self.assertRegex(output, r"\n118 records in 6 files are as the golden files have them")
        report = self.report("regress-test")
        self.assertEqual((report["release"], report["records"], report["differences"], report["exit_code"], report["error"]),
                         (self.one.link("current"), 118, 0, 0, None))
        self.assertEqual(sorted(report["seconds"]), [f"{what} {day}" for what in ("publish", "verify") for day in DAYS])
        self.assertEqual((self.folder / "reports" / "regress-test.log").read_text(), output)

    def test_the_export_has_what_it_is_for(self):
        records = [json.loads(line) for day in DAYS for number in range(3)
                   for line in self.golden(day, number).read_text().split("\n") if line]
        keys = {record["key"] for record in records}
        self.assertTrue({"Ключ-22", "030", 'key with spaces, a comma and "quotes" 23'} <= keys)
        self.assertTrue({"27", "28", "29"}.isdisjoint(keys), "neither active nor fit")
        deleted = [record for record in records if record["value"] is None]
        self.assertEqual(sorted(record["headers"]["hivecast.load_date"] for record in deleted),
                         [DAYS[0]] * 2 + [DAYS[1]] * 3)
        payloads = {record["key"]: record["value"]["payload"] for record in records if record["value"]}
        self.assertIn(9 * "9", payloads["8"]["balance"]["newValue"])
        self.assertGreater(len(payloads["7"]["notes"]["newValue"]), 6000)

    def test_any_byte_counts(self):
        def spelling(line):
            return line.replace("Pioneer", "\\u0050ioneer", 1)

        def header(line):
            return line.replace('"hivecast.op":"upsert"', '"hivecast.op":"insert"', 1)

        def key(line):
            return line.replace('"key":"', '"key":"0', 1)

        for spoil in (spelling, header, key):
            with self.subTest(spoil.__name__):
                self.setUp()
                path = self.golden(DAYS[1])
                text = path.read_text()
                self.assertNotEqual(spoil(text), text)
                path.write_text(spoil(text))
                output = self.regress(expect=20)
                self.assertIn("2026-11-20/partition-0.ndjson key ", output)
                self.assertIn("ci/regress --accept", output)
                self.assertEqual(path.read_text(), spoil(text), "the golden file is as it was")
                diff = (self.folder / "reports" / "regress-test.diff").read_text()
                self.assertIn(diff, output)
                self.assertIn("2026-11-20/partition-0.ndjson key ", diff)
                report = self.report("regress-test")
                self.assertGreater(report["differences"], 0)
                self.assertEqual(report["error"]["exit_code"], 20)
        self.setUp()
        self.regress()
        self.assertFalse((self.folder / "reports" / "regress-test.diff").exists(), "of an earlier run")

    def test_order_missing_and_more_records_and_files_count(self):
        def swapped(lines):
            return [lines[1], lines[0], *lines[2:]]

        for name, change in (("swapped", swapped), ("missing", lambda lines: lines[1:]),
                             ("doubled", lambda lines: [lines[0], *lines])):
            with self.subTest(name):
                self.setUp()
                path = self.golden(DAYS[0])
                path.write_text("".join(change(path.read_text().splitlines(keepends=True))))
                self.assertIn("partition-0.ndjson key ", self.regress(expect=20))
        self.setUp()
        count = self.golden(DAYS[0]).read_text().count("\n")
        self.golden(DAYS[0]).unlink()
        self.assertIn(f"error: {count} of 118 records are not", self.regress(expect=20))

    def test_a_changed_feed_is_shown_and_accepted_only_when_told(self):
        feed = self.copy / "feeds" / "regression.yaml"
        feed.write_text(feed.read_text().replace("contractBranchCode: branch_code", "branchCode: branch_code"))
        before = self.golden(DAYS[0]).read_text()
        output = self.regress("--accept", expect=2)
        self.assertIn("--yes accepts without asking", output)
        self.assertIn('+   "branchCode": {', output)
        self.assertIn('-   "contractBranchCode": {', output)
        self.assertRegex(output, r"key \S+ and \d\d more changed alike\n")
        self.assertEqual(self.golden(DAYS[0]).read_text(), before)
        self.assertEqual(self.answered("n\n"), 20)
        self.assertEqual(self.golden(DAYS[0]).read_text(), before)

        output = self.regress("--accept", "--yes")
        self.assertIn("accepted 118 differences", output)
        self.assertIn('"branchCode"', self.golden(DAYS[0]).read_text())
        self.regress()
        shutil.copy(REPOSITORY / "ci" / "regression" / "feeds" / "regression.yaml", feed)
        self.assertEqual(self.answered("y\n"), 0)
        self.assertEqual(self.golden(DAYS[0]).read_text(), before)

    def answered(self, answer):
        """The exit code of --accept on a terminal where somebody answers."""
        ours, theirs = pty.openpty()
        try:
            process = subprocess.Popen([REPOSITORY / "ci" / "regress", self.environment(), "--regression", self.copy,
                                        "--accept", "--packages", self.package, "--reports",
                                        self.folder / "reports"], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                       env={**os.environ, "SSH_KEY_FILE": str(self.key)}, text=True)
            os.write(ours, answer.encode())
            output, _ = process.communicate(timeout=120)
            self.assertIn("make these", output)
            return process.returncode
        finally:
            os.close(ours)
            os.close(theirs)

    def test_records_can_be_kept_for_looking_at(self):
        kept = self.folder / "kept"
        self.regress("--records", kept)
        for day in DAYS:
            self.assertEqual((kept / day / "partition-0.ndjson").read_text(), self.golden(day).read_text())

    def test_a_slow_run_warns_and_passes(self):
        timings = self.one.root / "state" / "timings.ndjson"
        timings.unlink(missing_ok=True)
        for _ in range(4):
            self.assertNotIn("slow", self.regress())
            self.assertEqual(self.report("regress-test")["slow"], [])
        lines = [json.loads(line) for line in timings.read_text().splitlines()]
        self.assertEqual(len(lines), 4)
        self.assertEqual(lines[0]["release"], self.one.link("current"))
        for line in lines:
            line["seconds"]["publish 2026-11-20"] = -2.0
        timings.write_text("".join(json.dumps(line) + "\n" for line in lines))
        self.assertRegex(self.regress(), r"warning: slow: publish 2026-11-20 took \d+\.\d+ s; the median of the last 4 runs")
        [sentence] = self.report("regress-test")["slow"]
        self.assertIn("publish 2026-11-20 took", sentence)

    def test_what_fails_on_the_host_is_told(self):
        feed = self.copy / "feeds" / "regression.yaml"
        feed.write_text(feed.read_text().replace("contractBranchCode: branch_code", "contractBranchCode: branch_cod"))
        output = self.regress(expect=2)
        self.assertIn("did you mean `branch_code`?", output)
        self.assertIn("hivecast publish of the regression feed ended with 2", output)
        self.assertFalse((self.one.root / "incoming").exists())
        report = self.report("regress-test")
        self.assertEqual((report["exit_code"], report["records"]), (2, None))

    def test_it_is_bound_to_the_release_that_was_packaged(self):
        runs = self.one.link("current")
        other = self.version("1.0.1")
        release = hosts.package.find(other, None).release
        output = self.regress("--packages", other, expect=20)
        self.assertIn(f"error: this host runs {runs}, not {release}", output)
        self.assertNotIn("regression test of", output)
        self.assertEqual(self.report("regress-test")["release"], runs)
        self.assertIn("there is no hivecast-VERSION", self.regress("--packages", self.copy, expect=2))

    def test_what_lies_in_dist_is_the_release(self):
        self.checkout = self.folder / "checkout"
        shutil.copytree(REPOSITORY / "ci", self.checkout / "ci")
        output = self.run_command("regress", self.environment())
        self.assertIn(f"regression test of {self.one.link('current')}\n", output, "of whatever is deployed")
        shutil.copytree(self.version("1.0.2"), self.checkout / "dist")
        self.assertIn("not 1.0.2-", self.run_command("regress", self.environment(), expect=20))

    def test_it_waits_for_nobody_who_deploys(self):
        lock = subprocess.Popen(["flock", "--no-fork", self.one.root / "deploy.lock", "sleep", "60"])
        try:
            self.assertIn("another deploy", self.regress(expect=40))
        finally:
            lock.kill()
            lock.wait()


class Compared(unittest.TestCase):
    def test_records_that_changed_alike_are_told_once(self):
        line = '{"partition":0,"key":"%s","headers":{},"value":{"a":%s}}'
        before = [line % (key, 1) for key in "xyz"]
        after = [line % ("x", 2), line % ("y", 2), line % ("z", "1.0")]
        text = regression.render(regression.compare({"f": before}, {"f": after}))
        self.assertEqual(text.count('+  "a": 2'), 1, text)
        self.assertIn("f key x and 1 more changed alike", text)
        self.assertIn('+  "a": 1.0', text)
        self.assertEqual(regression.compare({"f": before}, {"f": before}), [])
        self.assertEqual(len(regression.compare({"f": before, "g": []}, {"f": before})), 1)

    def test_only_offsets_are_left_out(self):
        line = '{"partition":0,"offset":12,"key":"\\"offset\\":3,","headers":{},"value":{"offset":4,"b":1}}'
        self.assertEqual(regression.without_offset("f", line), line.replace('"offset":12,', ""))
        with self.assertRaises(regression.Failure):
            regression.without_offset("f", '{"key":"a","offset":1}')


class Slow(unittest.TestCase):
    def outcome(self, seconds, *earlier):
        return regression.Outcome({}, {"publish": seconds}, [{"seconds": {"publish": one}} for one in earlier])

    def test_it_takes_both_more_times_and_more_seconds_than_the_median(self):
        self.assertEqual(regression.slow(self.outcome(0.9, 0.1, 0.1, 0.1)), [], "not a second more")
        self.assertEqual(regression.slow(self.outcome(12.0, 10.0, 10.0, 10.0)), [], "not half as much more")
        self.assertEqual(regression.slow(self.outcome(100.0, 1.0, 1.0)), [], "two runs say nothing")
        self.assertEqual(len(regression.slow(self.outcome(16.0, 10.0, 10.0, 90.0))), 1)


if __name__ == "__main__":
    unittest.main()
