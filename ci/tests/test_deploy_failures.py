"""What ci/deploy leaves when something dies: hosts, connections, disks, the agent itself. Two real sshd."""

import os
import pathlib
import signal
import subprocess
import time
import unittest

from hosts import HostsTest

# Where a host may die in a deploy: before or after a call of a tool there. Then, whether it was told to
# switch, and whether it did.
BEFORE, AFTER = "before", "after"
POINTS = {
    "after the upload": (BEFORE, "gpgv *", False, False),
    "while unpacking": (BEFORE, "tar -xzf *", False, False),
    "after unpacking": (BEFORE, "mv -T */releases/.*.tmp *", False, False),
    "with the release in its place": (AFTER, "mv -T */releases/.*.tmp *", False, False),
    "in the doctor": (BEFORE, "hivecast doctor *", False, False),
    "before the switch": (BEFORE, "mv -fT *.current.tmp *", True, False),
    "after the switch": (AFTER, "mv -fT *.current.tmp *", True, True),
    "in the smoke test": (BEFORE, "hivecast verify *", True, True),
    "before `previous` is written": (BEFORE, "mv -fT *.previous.tmp *", True, True),
    "before it is written down that it passed": (BEFORE, "mv -f */proven.tmp *", True, True),
}


class Dying(HostsTest):
    def test_a_host_that_dies_keeps_a_working_version_and_the_next_deploy_finishes(self):
        self.deploy(self.version("1.0.0"))
        old = "1.0.0"
        for number, (point, (when, pattern, ordered, switched)) in enumerate(POINTS.items(), 1):
            with self.subTest(point):
                new = f"1.{number}.0"
                packages = self.version(new)
                before = self.two.link("current")
                self.two.stop_at(pattern, when)
                deploy = self.start("deploy", self.environment(), "--packages", packages)
                self.two.wait_until_reached(deploy)
                self.two.die()
                self.two.go_on()
                output = self.ended(deploy, 10)
                self.assertRegex(output, rf"one +deployed +{new}-")
                self.assertRegex(output, rf"two +failed +not known; {before} before")
                self.assertIn("after the switch was ordered" if ordered else "before the switch", output)
                self.assertEqual(self.two.runs(), new if switched else old)

                self.two.start()
                output = self.deploy(packages)
                self.assertIn("runs it already", output)
                self.assert_runs(new)
                self.assertEqual(self.two.link("previous"), before)
                self.assertEqual([name for name in os.listdir(self.two.root / "releases") if name.startswith(".")], [])
                self.assertFalse((self.two.root / "incoming").exists())
                old = new

    def test_a_version_that_was_never_proven_is_not_gone_back_to(self):
        self.deploy(self.version("2.0.0"))
        self.two.stop_at("hivecast verify *")
        deploy = self.start("deploy", self.environment(), "--packages", self.version("2.1.0"))
        self.two.wait_until_reached(deploy)
        self.two.die()
        self.two.go_on()
        self.ended(deploy, 10)
        self.two.start()
        self.assertIn("2.1.0", self.run_command("deploy", self.environment(), "--status"))
        bad = self.version("2.2.0", 'case $1 in verify) exit 20 ;; esac')
        self.deploy(bad, path=self.environment(hosts=[self.two], regress=None), expect=20)
        self.assert_runs("2.0.0", self.two)


class Losing(HostsTest):
    """Connections and hosts that are not there."""

    def setUp(self):
        if not (self.one.root / "current").exists():
            self.deploy(self.version("1.0.0"))

    def test_a_connection_lost_before_the_switch_switches_nothing(self):
        lock = subprocess.Popen(["flock", "--no-fork", "--shared", self.one.root / "run.lock", "sleep", "60"])
        before = self.one.link("current")
        try:
            deploy = self.start("deploy", self.environment(), "--packages", self.version("1.1.0"))
            for line in deploy.stdout:
                if "waiting for a running publish" in line:
                    break
            self.one.break_connections()
            output = self.ended(deploy, 10)
        finally:
            lock.kill()
            lock.wait()
        self.assertIn("the connection was lost", output)
        self.assertIn(f"before the switch; asked again, the host runs {before}", output)
        self.assertRegex(output, r"two +not touched")
        # Whatever is left of the deploy on the host has nobody to say "go".
        time.sleep(4)
        self.assertEqual(self.one.link("current"), before)

    def test_a_connection_lost_after_the_switch_is_ordered_leaves_the_host_to_finish(self):
        self.one.stop_at("hivecast verify *")
        packages = self.version("1.2.0")
        deploy = self.start("deploy", self.environment(), "--packages", packages)
        self.one.wait_until_reached(deploy)
        self.one.break_connections()
        time.sleep(3)
        self.one.go_on()
        output = self.ended(deploy, 10)
        self.assertRegex(output, r"after the switch was ordered; asked again, the host runs 1\.2\.0-\w+; deploy again")
        self.assert_runs("1.2.0", self.one)
        self.assertNotEqual(self.two.runs(), "1.2.0")
        self.deploy(packages)
        self.assert_runs("1.2.0")

    def test_a_bad_version_is_undone_though_nobody_listens(self):
        before = self.one.link("current")
        self.one.stop_at("hivecast publish *")
        packages = self.version("1.3.0", 'case $1 in verify) exit 20 ;; esac')
        deploy = self.start("deploy", self.environment(), "--packages", packages)
        self.one.wait_until_reached(deploy)
        self.one.break_connections()
        self.one.go_on()
        output = self.ended(deploy, 10)
        self.assertIn(f"the host runs {before}", output)
        self.assertEqual(self.one.link("current"), before)
        self.assertEqual(self.one.proven(), before)

    def test_a_host_that_is_not_there_keeps_the_others_from_being_changed(self):
        before = self.one.tree()
        self.two.die()
        try:
            output = self.deploy(self.version("1.4.0"), expect=10)
        finally:
            self.two.start()
        self.assertIn("two: the host can't be reached", output)
        self.assertRegex(output, r"one +not touched")
        self.assertEqual(self.one.tree(), before)

    def test_a_rollback_goes_on_with_the_hosts_that_are_there(self):
        self.deploy(self.version("1.5.0"))
        self.one.die()
        try:
            output = self.run_command("rollback", self.environment(), expect=10)
        finally:
            self.one.start()
        self.assertRegex(output, r"one +failed")
        self.assertRegex(output, r"two +rolled back")
        self.assertEqual(self.one.runs(), "1.5.0")
        self.run_command("rollback", self.environment())
        self.assertEqual(self.one.link("current"), self.two.link("current"))
        self.assert_runs(self.two.runs())
        self.assertNotEqual(self.one.runs(), "1.5.0")

    def test_a_stranger_with_the_hosts_address_gets_nothing(self):
        before = self.two.tree()
        swapped = "".join(a.known().rsplit(" ", 1)[0] + " " + b.known().rsplit(" ", 1)[1]
                          for a, b in ((self.one, self.two), (self.two, self.one)))
        for known in (swapped, "# nobody is known\n"):
            output = self.deploy(self.version("1.6.0"), path=self.environment(known_hosts=known), expect=30)
            self.assertIn("the host's key is not the one in known_hosts", output)
            self.assertNotIn("ssh-keygen", output, "ssh's own advice is to drop the key that was pinned")
        self.assertEqual(self.two.tree(), before)

    def test_a_key_that_is_not_accepted_is_told(self):
        key = self.folder / "stranger"
        if not key.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        output = self.deploy(self.version("1.7.0"), expect=30, key=key)
        self.assertIn("the host does not accept SSH_KEY_FILE", output)

    def test_of_two_deploys_at_once_one_is_refused(self):
        current = self.one.link("current")
        self.one.stop_at("hivecast doctor *")
        first = self.start("deploy", self.environment(), "--packages", self.version("1.8.0"))
        self.one.wait_until_reached(first)
        second = self.version("1.8.1")
        self.assertIn("another deploy", self.deploy(second, expect=40))
        # The host that the first has not come to yet is held as well.
        only_two = self.environment(hosts=[self.two], regress=None)
        self.assertIn("another deploy", self.deploy(second, path=only_two, expect=40))
        self.assertIn("another deploy", self.run_command("rollback", self.environment(), expect=40))
        self.assertEqual(self.one.link("current"), current)
        self.one.go_on()
        self.ended(first, 0)
        self.assert_runs("1.8.0")

    def test_an_interrupt_before_the_switch_switches_nothing(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            before = self.one.link("current")
            self.one.stop_at("hivecast doctor *")
            deploy = self.start("deploy", self.environment(), "--packages", self.version("1.9.0"))
            self.one.wait_until_reached(deploy)
            deploy.send_signal(number)
            time.sleep(1)
            self.one.go_on()
            output = self.ended(deploy, 130)
            self.assertIn("interrupted before the switch; asked again, the host runs", output)
            self.assertEqual(self.one.link("current"), before)


@unittest.skipUnless(os.geteuid() == 0, "only root can mount a small disk")
class FullDisks(HostsTest):
    def setUp(self):
        self.one.root.mkdir(exist_ok=True)

    def mount(self, size):
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.one.root], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.one.root], check=True)

    def test_a_full_disk_leaves_the_old_version_and_nothing_half(self):
        for size, told in (("4m", "failed to receive"), ("12m", "failed to unpack")):
            with self.subTest(told):
                self.mount(size)
                self.deploy(self.version("1.0.0"))
                before = self.one.releases()
                output = self.deploy(self.version("1.1.0", padding=8 << 20), expect=10)
                self.assertIn(told, output)
                self.assertIn(f"0 is free on {self.one.root}", output)
                self.assert_runs("1.0.0")
                self.assertEqual(self.one.releases(), before)
                self.assertFalse((self.one.root / "incoming").exists())
                self.deploy(self.version("1.2.0"))
                self.assert_runs("1.2.0")
                self.doCleanups()
                for host in self.hosts:
                    subprocess.run(["rm", "-rf", *map(str, pathlib.Path(host.root).iterdir())], check=True)


if __name__ == "__main__":
    unittest.main()
