"""ci/deploy --smoke-only: that it says the truth about now, and what a release that fails now leaves for the
next deploy and rollback."""

import subprocess
import unittest

from hosts import HostsTest


class SmokeOnly(HostsTest):
    def setUp(self):
        """Two releases on each host; each fails its smoke test while its file is there."""
        self.broken = {version: self.folder / f"broken-{version}" for version in ("1.0.0", "1.1.0")}
        self.packages = {version: self.version(version, self.fails_while(path)) for version, path in self.broken.items()}
        for path in self.broken.values():
            path.unlink(missing_ok=True)
        for packages in self.packages.values():
            self.deploy(packages)
        self.old, self.new = self.one.link("previous"), self.one.link("current")

    def fails_while(self, path):
        return f'case $1 in verify) [ ! -e {path} ] || {{ echo "error: it fails now" >&2; exit 20; }} ;; esac'

    def test_it_publishes_and_verifies_on_every_host_and_switches_nothing(self):
        before = [(host.link("current"), host.link("previous"), host.releases()) for host in self.hosts]
        output = self.smoke_only(self.packages["1.1.0"])
        self.assertEqual([(host.link("current"), host.link("previous"), host.releases()) for host in self.hosts], before)
        for host in self.hosts:
            self.assertIn(f"{host.name}: smoke test of {self.new}: feed smoke, days 2026-11-19 2026-11-20, environment", output)
            self.assertIn(f"{host.name}:   published smoke 2026-11-19\n", output)
            self.assertIn(f"{host.name}:   published smoke 2026-11-20\n", output)
            self.assertIn(f"{host.name}: smoke test of {self.new} passed\n", output)
            self.assertIn(f"{host.name}:   verified smoke 2026-11-20", output)
            self.assertRegex(output, rf"\n  {host.name} +passes the smoke test +{self.new} +{self.new}\n")
            self.assertFalse((host.root / "incoming").exists())
        self.assert_runs("1.1.0")

    def test_another_release_is_a_failure_on_each_host(self):
        before = [host.tree() for host in self.hosts]
        output = self.smoke_only(self.packages["1.0.0"], expect=20)
        for host in self.hosts:
            self.assertIn(f"error: {host.name}: this host runs {self.new}, not {self.old}", output)
        self.assertEqual([host.tree().keys() for host in self.hosts], [tree.keys() for tree in before])
        self.assertNotIn("published", output)
        self.assertEqual(self.report("smoke-test")["hosts"][0]["error"]["exit_code"], 20)
        # Equal versions are not equal releases.
        self.assertIn("not 1.1.0-", self.smoke_only(self.version("1.1.0"), expect=20))

    def test_a_host_without_any_is_a_failure_and_the_next_is_tried(self):
        (self.one.root / "current").rename(self.one.root / "hidden")
        try:
            output = self.smoke_only(self.packages["1.1.0"], expect=20)
        finally:
            (self.one.root / "hidden").rename(self.one.root / "current")
        self.assertIn("error: one: this host runs nothing, not", output)
        self.assertRegex(output, r"two +passes the smoke test")

    def test_altered_files_are_a_failure(self):
        changelog = self.one.root / "current" / "share" / "doc" / "hivecast" / "CHANGELOG.md"
        whole = changelog.read_text()
        changelog.write_text("altered")
        try:
            self.assertIn("were altered", self.smoke_only(self.packages["1.1.0"], expect=20))
        finally:
            changelog.write_text(whole)

    def test_what_is_not_signed_is_not_asked_for(self):
        (self.packages["1.1.0"] / "SHA256SUMS.asc").unlink()
        output = self.smoke_only(self.packages["1.1.0"], expect=20)
        self.assertIn("only a signed package", output)
        self.assertNotIn("published", output)

    def fail_now(self):
        """Both hosts run 1.1.0, which fails now."""
        self.broken["1.1.0"].touch()
        output = self.smoke_only(self.packages["1.1.0"], expect=20)
        for host in self.hosts:
            self.assertIn(f"error: {host.name}: the smoke test of {self.new} fails now, and it still runs here", output)
            self.assertEqual((host.link("current"), host.link("previous")), (self.new, self.old))
        self.assertIn("error: it fails now", output)
        self.assertNotIn("passed\n", output)
        status = self.run_command("deploy", self.environment(), "--status")
        self.assertEqual(status.count(f"{self.new}, smoke test failed"), 2, status)

    def test_one_that_fails_now_passes_again_when_the_cause_is_mended(self):
        self.fail_now()
        self.broken["1.1.0"].unlink()
        self.smoke_only(self.packages["1.1.0"])
        self.assert_runs("1.1.0")
        before = [host.tree() for host in self.hosts]
        self.assertEqual(self.deploy(self.packages["1.1.0"]).count("runs it already"), 2)
        self.assertEqual([host.tree() for host in self.hosts], before)
        self.assertEqual(self.one.link("previous"), self.old)

    def test_a_deploy_of_one_that_fails_now_tries_it_again(self):
        self.fail_now()
        self.broken["1.1.0"].unlink()
        output = self.deploy(self.packages["1.1.0"])
        self.assertEqual(output.count(f"smoke test of {self.new}:"), 2, output)
        self.assert_runs("1.1.0")
        self.assertEqual(self.one.link("previous"), self.old)

    def test_a_deploy_of_one_that_still_fails_goes_back_to_the_one_before(self):
        self.fail_now()
        output = self.deploy(self.packages["1.1.0"], expect=20)
        self.assertIn(f"{self.old} runs again, and its smoke test passes", output)
        self.assert_runs("1.0.0", self.one)
        self.assertEqual(self.two.link("current"), self.new, "not touched")

    def test_a_bad_release_after_it_goes_back_to_what_ran_even_where_the_host_died(self):
        self.fail_now()
        self.broken["1.1.0"].unlink()
        # Between switch and smoke test the link to what ran is the file's only.
        self.one.stop_at("mv -fT *.current.tmp *", "after")
        bad = self.version("1.2.0", "case $1 in verify) exit 20 ;; esac")
        deploy = self.start("deploy", self.environment(), "--packages", bad)
        self.one.wait_until_reached(deploy)
        self.one.die()
        self.one.go_on()
        self.ended(deploy, 10)
        self.one.start()
        self.assertIn(f"{self.new} runs again, and its smoke test passes", self.deploy(bad, expect=20))
        self.assert_runs("1.1.0", self.one)
        self.assertEqual(self.one.link("previous"), self.old)

    def test_a_rollback_goes_to_the_one_before(self):
        self.fail_now()
        self.run_command("rollback", self.environment())
        self.assert_runs("1.0.0")
        self.assertEqual(self.one.link("previous"), self.new)

    def test_a_rollback_to_one_that_fails_is_not_taken_for_done(self):
        self.broken["1.0.0"].touch()
        self.assertIn("its smoke test fails", self.run_command("rollback", self.environment(), expect=20))
        self.assertEqual(self.one.link("current"), self.old)
        self.assertIn("its smoke test fails", self.run_command("rollback", self.environment(), expect=20))
        self.broken["1.0.0"].unlink()
        self.run_command("rollback", self.environment())
        self.assert_runs("1.0.0")

    def test_it_ends_a_deploy_that_died_in_its_smoke_test(self):
        self.two.stop_at("hivecast verify *")
        packages = self.version("1.3.0")
        deploy = self.start("deploy", self.environment(), "--packages", packages)
        self.two.wait_until_reached(deploy)
        self.two.die()
        self.two.go_on()
        self.ended(deploy, 10)
        self.two.start()
        self.smoke_only(packages)
        self.assert_runs("1.3.0")
        self.assertEqual(self.two.link("previous"), self.new)

    def test_it_leaves_a_rollback_to_be_run_again(self):
        self.run_command("rollback", self.environment())
        self.smoke_only(self.packages["1.0.0"])
        self.assertEqual(self.run_command("rollback", self.environment()).count("nothing to do"), 2)

    def test_it_takes_its_turn_as_a_deploy_does(self):
        run = subprocess.Popen(["flock", "--no-fork", "--shared", self.one.root / "run.lock", "sleep", "5"])
        output = self.smoke_only(self.packages["1.1.0"])
        self.assertIn("one: waiting for a running publish", output)
        self.assertEqual(run.wait(timeout=0), 0, "it ended by itself")

        self.one.stop_at("hivecast verify*")
        smoke = self.start("deploy", self.environment(), "--packages", self.packages["1.1.0"], "--smoke-only")
        self.one.wait_until_reached(smoke)
        lock = ["flock", "--shared", "--nonblock", self.one.root / "run.lock", "true"]
        self.assertEqual(subprocess.run(lock).returncode, 1, "runs wait")
        self.assertIn("another deploy", self.deploy(self.packages["1.0.0"], expect=40))
        self.one.go_on()
        self.ended(smoke, 0)

    def test_a_test_whose_caller_is_gone_still_says_what_it_found(self):
        self.broken["1.1.0"].touch()
        self.one.stop_at("hivecast publish*")
        smoke = self.start("deploy", self.environment(hosts=[self.one], regress=None), "--packages", self.packages["1.1.0"],
                           "--smoke-only")
        self.one.wait_until_reached(smoke)
        self.one.break_connections()
        self.one.go_on()
        output = self.ended(smoke, 10)
        self.assertIn(f"after the smoke test was ordered; asked again, the host runs {self.new}, smoke test failed", output)


class Undoing(HostsTest):
    def test_where_the_old_one_fails_too_the_next_deploy_does_not_take_it_for_proven(self):
        broken = self.folder / "broken"
        old = self.version("1.0.0", f"case $1 in verify) [ ! -e {broken} ] || exit 20 ;; esac")
        self.deploy(old)
        broken.touch()
        output = self.deploy(self.version("1.1.0", "case $1 in verify) exit 20 ;; esac"), expect=20)
        self.assertIn("its smoke test fails as well", output)
        broken.unlink()
        self.assertIn("smoke test of 1.0.0", self.deploy(old))
        self.assert_runs("1.0.0")


if __name__ == "__main__":
    unittest.main()
