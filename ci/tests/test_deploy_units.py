"""systemd's units come with a release: a host's links point into `current`, and systemd is told to read them
again when a switch changed them. The hosts' systemctl and sudo are the test's."""

import os
import pathlib
import shutil
import unittest

from hosts import HostsTest

UNITS = ("hivecast@.service", "hivecast@.timer")
RELOAD = "systemctl --no-ask-password daemon-reload"
FAILS = "case $1 in verify) exit 20 ;; esac"


class Units(HostsTest):
    def setUp(self):
        for host in self.hosts:
            for unit in UNITS:
                link = host.folder / "units" / unit
                link.unlink(missing_ok=True)
                link.symlink_to(host.root / "current" / "lib" / "systemd" / "system" / unit)
            for tool in ("systemctl", "sudo"):
                (host.folder / f"{tool}-denied").unlink(missing_ok=True)
        self.deploy(self.version("1.0.0", service="first"))
        self.calls()

    def calls(self):
        return [host.calls() for host in self.hosts]

    def test_a_switch_tells_systemd_when_they_differ_and_only_then(self):
        self.deploy(self.version("1.1.0", service="first"))
        self.assertEqual(self.calls(), [[], []])
        output = self.deploy(self.version("1.2.0", service="second"))
        self.assertEqual(self.calls(), [[RELOAD], [RELOAD]])
        self.assertIn("one: systemd has read the units again", output)
        self.assertEqual((self.one.folder / "units" / UNITS[0]).read_text(), "second")
        self.run_command("rollback", self.environment())
        self.assertEqual(self.calls(), [[RELOAD], [RELOAD]])
        self.run_command("rollback", self.environment())
        self.assertEqual(self.calls(), [[], []])

    def test_a_first_version_tells_systemd_and_so_does_its_undoing(self):
        only = self.environment(hosts=[self.two], regress=None)
        for path in ("current", "previous", "state/proven", "state/rolled-back"):
            (self.two.root / path).unlink(missing_ok=True)
        self.deploy(self.version("2.0.0", FAILS, service="never"), path=only, expect=20)
        self.assertIsNone(self.two.link("current"))
        self.assertEqual(self.two.calls(), [RELOAD, RELOAD])
        self.deploy(self.version("2.0.1", service="first"), path=only)
        self.assertEqual(self.two.calls(), [RELOAD])

    def test_a_version_that_is_undone_tells_systemd_twice(self):
        self.deploy(self.version("1.3.0", FAILS, service="third"), expect=20)
        self.assertEqual(self.calls(), [[RELOAD, RELOAD], []])
        self.assertEqual((self.one.folder / "units" / UNITS[0]).read_text(), "first")

    def test_a_host_that_died_after_the_switch_tells_systemd_in_the_next_deploy(self):
        self.one.stop_at("mv -fT *.current.tmp *", "after")
        packages = self.version("1.4.0", service="fourth")
        deploy = self.start("deploy", self.environment(), "--packages", packages)
        self.one.wait_until_reached(deploy)
        self.one.die()
        self.one.go_on()
        self.ended(deploy, 10)
        self.one.start()
        self.assertEqual(self.one.calls(), [])
        self.deploy(packages)
        self.assertEqual(self.calls(), [[RELOAD], [RELOAD]])

    def test_who_may_not_tell_systemd_asks_sudo_and_then_says_what_root_has_to_do(self):
        for host in self.hosts:
            (host.folder / "systemctl-denied").touch()
        (self.two.folder / "sudo-denied").touch()
        output = self.deploy(self.version("1.5.0", service="fifth"))
        self.assertEqual(self.calls(), [[RELOAD, "sudo -n systemctl daemon-reload"]] * 2)
        self.assertIn("one: systemd has read the units again", output)
        self.assertIn("two: warning: the units differ from those before, and systemd could not be told: sudo: denied", output)
        self.assertIn("two: warning: as root on this host: systemctl daemon-reload", output)
        self.assert_runs("1.5.0")

    def test_a_first_version_has_none_before_it_and_a_tool_that_is_missing_is_named(self):
        only = self.environment(hosts=[self.two], regress=None)
        shutil.rmtree(self.two.root)
        (self.two.folder / "systemctl-denied").touch()
        # The host's PATH without sudo: nothing but links to what it needs.
        plain = self.two.folder / "plain"
        plain.mkdir()
        for folder in reversed(os.environ["PATH"].split(":")):
            for tool in pathlib.Path(folder).glob("*"):
                (plain / tool.name).unlink(missing_ok=True)
                (plain / tool.name).symlink_to(tool)
        (plain / "sudo").unlink(missing_ok=True)
        sudo = self.two.folder / "bin" / "sudo"
        sudo.rename(self.two.folder / "hidden-sudo")
        config = self.two.folder / "sshd_config"
        whole = config.read_text()
        config.write_text(whole.replace(os.environ["PATH"], str(plain)))
        self.restart()
        try:
            output = self.deploy(self.version("3.0.0", service="first"), path=only)
        finally:
            (self.two.folder / "hidden-sudo").rename(sudo)
            config.write_text(whole)
            self.restart()
        self.assertRegex(output, r"two: warning: these are this host's first units, and systemd could not be told: "
                                 r"systemctl does not let \S+, and there is no sudo\n")
        self.assertNotIn("failed to run command", output)
        self.assertNotIn("differ from those before", output)

    def restart(self):
        self.two.die()
        self.two.start()

    def test_a_timer_that_is_enabled_for_one_release_is_told(self):
        """As `systemctl enable` does it, where the unit is a link."""
        timer = self.one.folder / "units" / "hivecast@contracts.timer"
        timer.symlink_to(self.one.root / "releases" / self.one.link("current") / "lib" / "systemd" / "system" / UNITS[1])
        output = self.deploy(self.version("1.7.0"))
        self.assertIn(f"one: warning: {timer} leads into one release and dies with it", output)
        self.assertNotIn("two: warning", output)
        timer.unlink()
        wants = self.one.folder / "units" / "timers.target.wants"
        wants.mkdir()
        (wants / "hivecast@contracts.timer").symlink_to("../hivecast@.timer")
        self.assertNotIn("warning", self.deploy(self.version("1.7.1")))

    def test_units_that_are_a_hosts_own_are_left_alone(self):
        for host in self.hosts:
            for unit in UNITS:
                (host.folder / "units" / unit).unlink()
        (self.one.folder / "units" / UNITS[0]).write_text("a copy")
        self.deploy(self.version("1.6.0", service="sixth"))
        self.assertEqual(self.calls(), [[], []])


if __name__ == "__main__":
    unittest.main()
