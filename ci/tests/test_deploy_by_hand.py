"""Hosts where a tar.gz was unpacked by hand, as docs/install.md has it: the first deploy takes over, and there is a
way back. And how a host tells which releases it has."""

import shutil
import tarfile
import unittest

from hosts import HostsTest

BY_HAND = "hivecast-0.1.0"
FAILS = "case $1 in verify) exit 20 ;; esac"


class TakenOver(HostsTest):
    def setUp(self):
        for host in self.hosts:
            shutil.rmtree(host.root, ignore_errors=True)
            (host.root / "releases").mkdir(parents=True)
            with tarfile.open(self.version("0.1.0") / f"{BY_HAND}-x86_64-linux.tar.gz") as tar:
                tar.extractall(host.root / "releases", filter="data")
            (host.root / "current").symlink_to(f"releases/{BY_HAND}")

    def test_a_deploy_succeeds_and_the_way_back_is_asked_for_by_name(self):
        self.deploy(self.version("1.0.0"))
        self.assert_runs("1.0.0")
        for host in self.hosts:
            self.assertEqual(host.link("previous"), BY_HAND, "the way back stays")
        output = self.run_command("rollback", self.environment(), expect=20)
        self.assertEqual(output.count(f"error: one: {BY_HAND} was not put there by ci/deploy, so its files can't be verified"), 1)
        self.assertIn(f"ci/rollback ENV --to {BY_HAND} --unverified", output)
        self.assert_runs("1.0.0")
        output = self.run_command("rollback", self.environment(), "--to", BY_HAND, "--unverified")
        self.assertEqual(output.count("it is taken as it is: hivecast 0.1.0"), 2, output)
        self.assert_runs("0.1.0")
        self.deploy(self.version("1.1.0"))
        self.assert_runs("1.1.0")

    def test_a_deploy_that_fails_goes_back_to_it_by_itself(self):
        output = self.deploy(self.version("1.0.0", FAILS), expect=20)
        self.assertIn(f"{BY_HAND} runs again, and its smoke test passes", output)
        self.assert_runs("0.1.0", self.one)

    def test_what_is_neither_current_nor_previous_goes(self):
        for patch in range(2):
            self.deploy(self.version(f"1.0.{patch}"))
        for host in self.hosts:
            self.assertEqual([name[:5] for name in host.releases()], ["1.0.0", "1.0.1"])

    def test_unverified_is_no_way_round_sums_that_do_not_match(self):
        self.deploy(self.version("1.0.0"))
        self.deploy(self.version("1.0.1"))
        for host in self.hosts:
            (host.root / "previous" / "bin" / "hivecast").write_text("#!/bin/sh\necho altered\n")
        output = self.run_command("rollback", self.environment(), "--to", self.one.link("previous"), "--unverified", expect=20)
        self.assertIn("were altered on this host", output)
        self.assert_runs("1.0.1")
        output = self.run_command("rollback", self.environment(), "--unverified", expect=2)
        self.assertIn("--unverified needs --to", output)

    def test_a_folder_without_a_program_is_not_switched_to(self):
        self.deploy(self.version("1.0.0"))
        for host in self.hosts:
            (host.root / "releases" / BY_HAND / "bin" / "hivecast").unlink()
        output = self.run_command("rollback", self.environment(), "--to", BY_HAND, "--unverified", expect=20)
        self.assertIn(f"bin/hivecast of {BY_HAND} does not start", output)
        self.assert_runs("1.0.0")


class Told(HostsTest):
    """What --status says of a host's releases."""

    def status(self):
        return self.run_command("deploy", self.environment(), "--status")

    def test_the_releases_and_where_a_rollback_goes(self):
        self.assertRegex(self.status(), r"host +outcome +runs +ci/rollback goes to +releases kept\n  one +asked +nothing +nowhere +\?\n")
        self.deploy(self.version("1.0.0"))
        first = self.one.link("current")
        self.deploy(self.version("1.1.0"))
        second = self.one.link("current")
        for host in self.hosts:
            (host.root / "releases" / "hivecast-0.9.0").mkdir()
            (host.root / "releases" / "a name with blanks").mkdir()
        kept = rf"{first}, {second}, hivecast-0\.9\.0 \(put there by hand\)\n"
        output = self.status()
        for name in ("one", "two"):
            self.assertRegex(output, rf"{name} +asked +{second} +{first} +{kept}")
        [one, _] = self.report("status-test")["hosts"]
        self.assertEqual((one["runs"], one["back"]), (second, first))
        self.assertEqual(one["kept"], [first, second, "hivecast-0.9.0 (put there by hand)"])

        # It goes where it says.
        self.run_command("rollback", self.environment())
        self.assertEqual(self.one.link("current"), first)
        self.assertRegex(self.status(), rf"one +asked +{first} +stays, rolled back already +{kept}")
        output = self.run_command("rollback", self.environment(), "--to", "7.7.7-01234567", expect=2)
        self.assertIn(f"release 7.7.7-01234567 is not on this host, which has {first} {second} hivecast-0.9.0", output)
        self.assertIn("the name of a folder", self.run_command("rollback", self.environment(), "--to", "../x", expect=2))


if __name__ == "__main__":
    unittest.main()
