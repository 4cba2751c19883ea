"""What ci/deploy and ci/rollback leave in reports/. What ci/regress leaves is in test_regress.py."""

import json
import os
import signal
import unittest

from hosts import HostsTest


class Reports(HostsTest):
    def setUp(self):
        self.reports = self.folder / "reports"
        if not (self.one.root / "current").exists():
            self.deploy(self.version("1.0.0"))

    def log(self, name):
        return (self.reports / f"{name}.log").read_text()

    def test_a_deploy_and_a_rollback_that_went_well(self):
        before = self.one.link("current")
        output = self.deploy(self.version("1.1.0"))
        self.assertEqual(self.log("deploy-test"), output)
        after = self.one.link("current")
        report = self.report("deploy-test")
        self.assertEqual((report["command"], report["environment"], report["release"]), ("deploy", "test", after))
        self.assertEqual((report["exit_code"], report["error"]), (0, None))
        self.assertEqual(report["hosts"], [
            {"name": name, "outcome": "deployed", "runs": after, "before": before, "error": None} for name in ("one", "two")])
        output = self.run_command("rollback", self.environment())
        self.assertEqual(self.log("rollback-test"), output)
        report = self.report("rollback-test")
        self.assertEqual((report["release"], [host["outcome"] for host in report["hosts"]]), (before, ["rolled back"] * 2))
        self.assertEqual(self.report("deploy-test")["release"], after, "that of the deploy is still there")

    def test_asking_leaves_the_report_of_the_deploy(self):
        self.deploy(self.version("1.1.1"))
        before = self.log("deploy-test")
        self.run_command("deploy", self.environment(), "--status")
        self.assertEqual(self.log("deploy-test"), before)
        self.assertEqual([host["outcome"] for host in self.report("status-test")["hosts"]], ["asked"] * 2)

    def test_a_deploy_that_fails(self):
        runs = self.one.link("current")
        output = self.deploy(self.version("1.2.0", "case $1 in verify) exit 20 ;; esac"), expect=20)
        self.assertEqual(self.log("deploy-test"), output, "errors are in it, too")
        report = self.report("deploy-test")
        self.assertEqual(report["exit_code"], 20)
        one, two = report["hosts"]
        self.assertEqual((one["outcome"], one["runs"], one["error"]["exit_code"]), ("failed", runs, 20))
        self.assertIn("runs again", one["error"]["text"])
        self.assertEqual((two["outcome"], two["error"]), ("not touched", None))

    def test_a_deploy_that_fails_before_any_host_is_asked(self):
        output = self.run_command("deploy", self.environment(), "--packages", self.folder / "nowhere", expect=2)
        self.assertEqual(self.log("deploy-test"), output)
        report = self.report("deploy-test")
        self.assertEqual((report["release"], report["error"]["exit_code"], report["exit_code"]), (None, 2, 2))
        self.run_command("deploy", "nowhere", expect=2)
        self.assertEqual(self.report("deploy-nowhere")["error"]["exit_code"], 2)

    def stopped(self, number, expect):
        """A deploy that is ended by a signal while it waits for a host."""
        (self.reports / "deploy-test.json").write_text("of an earlier deploy")
        self.one.stop_at("hivecast doctor *")
        deploy = self.start("deploy", self.environment(), "--packages", self.version("1.3.0"))
        self.one.wait_until_reached(deploy)
        deploy.send_signal(number)
        if expect > 0:
            self.one.go_on()
        output = self.ended(deploy, expect)
        self.one.go_on()
        return output

    def test_a_deploy_that_is_interrupted(self):
        output = self.stopped(signal.SIGTERM, 130)
        self.assertEqual(self.log("deploy-test"), output)
        report = self.report("deploy-test")
        self.assertEqual(report["exit_code"], 130)
        self.assertEqual(report["hosts"][0]["error"]["exit_code"], 130)

    def test_a_rollback_that_is_interrupted_does_not_begin_with_the_next_host(self):
        self.deploy(self.version("1.3.1"))
        self.one.stop_at("tar -xf *")
        rollback = self.start("rollback", self.environment())
        self.one.wait_until_reached(rollback)
        rollback.send_signal(signal.SIGINT)
        self.one.go_on()
        output = self.ended(rollback, 130)
        self.assertIn("interrupted before the switch", output)
        self.assertEqual([host["outcome"] for host in self.report("rollback-test")["hosts"]], ["failed", "not touched"])
        self.assert_runs("1.3.1")

    def test_a_deploy_that_is_killed_leaves_its_lines_and_no_outcome_of_an_earlier_one(self):
        output = self.stopped(signal.SIGKILL, -signal.SIGKILL)
        self.assertIn("check and doctor", output)
        self.assertEqual(self.log("deploy-test"), output)
        self.assertFalse((self.reports / "deploy-test.json").exists())

    def test_reports_that_cannot_be_written(self):
        output = self.run_command("deploy", self.environment(), "--reports", "/dev/null/reports", "--packages",
                                  self.version("1.4.0"), expect=2)
        self.assertIn("failed to write reports to /dev/null/reports", output)
        full = self.folder / "full"
        full.mkdir()
        (full / "deploy-test.log").symlink_to("/dev/full")
        output = self.run_command("deploy", self.environment(), "--reports", full, "--packages", self.version("1.4.0"))
        self.assertEqual(output.count("warning: failed to write"), 1, output)
        self.assert_runs("1.4.0")
        self.assertEqual(json.loads((full / "deploy-test.json").read_text())["exit_code"], 0)

    def test_they_are_nothing_to_commit(self):
        ignored = (self.checkout / ".gitignore").read_text().splitlines()
        self.assertIn("/reports/", ignored)
        self.assertEqual([name for name in os.listdir(self.reports) if name.startswith(".")], [])


if __name__ == "__main__":
    unittest.main()
