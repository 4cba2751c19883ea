"""What ends early. An environment's `time_limit`: a command on a host that does not end is ended, and nothing
waits for it. A deploy that is killed: nothing of it stays here."""

import os
import subprocess
import unittest
import unittest.mock

from hosts import HostsTest

# Far longer than the limit, and than the test waits.
HANGS = "case $1 in {command}) sleep 600 ;; esac"


class Limits(HostsTest):
    def setUp(self):
        self.deploy(self.version("1.0.0"))
        self.old = self.one.link("current")

    def deploy_that_hangs(self, command):
        """What a deploy says whose version never ends that command."""
        packages = self.version("1.1.0", HANGS.format(command=command))
        output = self.deploy(packages, expect=20, path=self.environment(time_limit="2s"))
        self.assertIn("not done after 2 s", output)
        self.assertRegex(output, r"two +not touched")
        return output

    def assert_free(self, host):
        """Neither lock is held, and nothing of the deploy runs on."""
        for lock in ("deploy.lock", "run.lock"):
            subprocess.run(["flock", "--exclusive", "--nonblock", host.root / lock, "true"], check=True)
        commands = subprocess.run(["ps", "-o", "args=", "-p", ",".join(map(str, host.processes()))], capture_output=True, text=True).stdout
        self.assertNotIn("sleep 600", commands)

    def test_a_doctor_that_hangs_ends_the_deploy_before_the_switch(self):
        output = self.deploy_that_hangs("doctor")
        self.assertIn("hivecast doctor --env test failed with exit code 124", output)
        self.assertEqual(self.one.link("current"), self.old)
        self.assert_runs("1.0.0")
        self.assert_free(self.one)

    def test_a_publish_that_hangs_in_the_smoke_test_is_undone_and_holds_no_lock(self):
        output = self.deploy_that_hangs("publish")
        self.assertIn(f"{self.old} runs again, and its smoke test passes", output)
        self.assertEqual(self.one.link("current"), self.old)
        self.assert_runs("1.0.0")
        self.assert_free(self.one)
        self.deploy(self.version("1.2.0"))
        self.assert_runs("1.2.0")


class Killed(HostsTest):
    def test_a_deploy_that_is_killed_leaves_no_file_of_what_it_sent(self):
        temporary = self.folder / "temporary"
        temporary.mkdir()
        self.one.stop_at("gpgv *")
        with unittest.mock.patch.dict(os.environ, TMPDIR=str(temporary)):
            deploy = self.start("deploy", self.environment(), "--packages", self.version("1.0.0"))
        self.one.wait_until_reached(deploy)
        deploy.kill()
        deploy.communicate()
        self.one.go_on()
        self.assertEqual(os.listdir(temporary), [])


if __name__ == "__main__":
    unittest.main()
