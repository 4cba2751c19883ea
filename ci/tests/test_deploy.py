"""ci/deploy and ci/rollback on two real sshd: what is promised when nothing dies. What dies is in
test_deploy_failures.py."""

import os
import pathlib
import re
import shutil
import subprocess
import threading
import time
import unittest

import hosts
from hosts import HostsTest

FAILS_TO_PUBLISH = 'case $1 in publish) echo "error: this version is broken" >&2; exit 1 ;; esac'
SENDS_NOTHING = """case $1 in publish) echo '{"runs": [{"outcome": "already_published"}]}'; exit 0 ;; esac"""
DOCTOR_IS_DENIED = 'case $1 in doctor) echo "denied   contracts: topic   no right to write"; exit 30 ;; esac'


class OnKafka(HostsTest):
    """The whole way with the real package and a real cluster."""

    def target(host):
        if "HIVECAST_TEST_KAFKA" not in os.environ:
            raise AssertionError("HIVECAST_TEST_KAFKA is not set; run the tests through dev/with-services")
        return f"{{ kafka: {{ bootstrap.servers: {os.environ['HIVECAST_TEST_KAFKA']} }}, ledger: hivecast.deploy.ledger }}"

    def test_deploys_to_both_hosts_and_again_changes_nothing(self):
        packages = hosts.built_package(self.folder / "built", self.signer)
        path = self.environment()
        with Watch() as watch:
            output = self.deploy(packages, path=path)
        version = self.one.runs()
        self.assert_runs(version)
        # Where docs/deploy.md has systemd's links point to.
        units = self.one.root / "current" / "lib" / "systemd" / "system"
        self.assertEqual(sorted(path.name for path in units.iterdir()), ["hivecast@.service", "hivecast@.timer"])
        self.assertIn("every table has load_date 2026-11-20", output, "the doctor's table is shown")
        self.assertIn("smoke test of", output)
        for host in self.hosts:
            self.assertRegex(output, rf"\n  {host.name} +deployed +{version}-[0-9a-f]{{8}} +nothing\n")
        self.assert_no_secret_among(watch.arguments)

        before = [host.tree() for host in self.hosts]
        output = self.deploy(packages, path=path)
        self.assertEqual([host.tree() for host in self.hosts], before)
        self.assertEqual(output.count("runs it already"), 2, output)

        # Another version, to be sure that on a topic with records the smoke test sends and undoes too.
        self.assertIn("published smoke 2026-11-20", self.smoke_only(packages, path=path))
        bad = self.version("9.9.9", FAILS_TO_PUBLISH)
        output = self.deploy(bad, path=path, expect=20)
        self.assert_runs(version)
        self.assertIn("error: this version is broken", output)
        self.assertIn("runs again, and its smoke test passes", output)

    def assert_no_secret_among(self, arguments):
        everything = "\n".join(arguments)
        self.assertIn(f'IdentityFile="{self.key}"', everything, "the watch saw no ssh")
        self.assertIn("on-host", everything)
        self.assertNotIn(hosts.MASK_KEY, everything)
        self.assertNotIn("PRIVATE KEY", everything)
        for line in self.key.read_text().splitlines()[1:-1]:
            self.assertNotIn(line, everything)


class Watch:
    """Every argument list of every process that is there between enter and exit."""

    def __enter__(self):
        self.arguments = set()
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def look(self):
        while not self.stop.wait(0.02):
            for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.arguments.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                except OSError:
                    continue

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


class Deploying(HostsTest):
    """In the order of their names, since each goes on where the one before stopped."""

    def test_1_a_bad_first_version_leaves_none(self):
        output = self.deploy(self.version("0.9.0", FAILS_TO_PUBLISH), expect=20)
        self.assertIsNone(self.one.link("current"))
        self.assertEqual(self.one.releases(), [])
        self.assertIn("there is no earlier release to go back to", output)
        self.assertFalse((self.two.root / "current").exists())

    def test_2_two_versions_and_back(self):
        self.deploy(self.version("1.0.0"))
        first = self.one.link("current")
        output = self.deploy(self.version("1.1.0"))
        self.assertRegex(output, rf"one +deployed +1\.1\.0-\w+ +{first}")
        self.assert_runs("1.1.0")
        second = self.one.link("current")
        self.assertEqual(self.one.link("previous"), first)

        output = self.run_command("rollback", self.environment())
        self.assert_runs("1.0.0")
        self.assertEqual(output.count("rolled back"), 2, output)
        before = [host.tree() for host in self.hosts]
        output = self.run_command("rollback", self.environment())
        self.assertEqual([host.tree() for host in self.hosts], before, "a second rollback changes nothing")
        self.assertEqual(output.count("nothing to do"), 2, output)

        self.run_command("rollback", self.environment(), "--to", second)
        self.assert_runs("1.1.0")
        self.run_command("rollback", self.environment(), "--to", "7.7.7-01234567", expect=2)
        self.assert_runs("1.1.0")

    def test_3_a_bad_version_undoes_itself_and_the_second_host_is_not_touched(self):
        before = self.two.tree()
        current, previous = self.one.link("current"), self.one.link("previous")
        for mischief, told in ((FAILS_TO_PUBLISH, "this version is broken"), (SENDS_NOTHING, "sent nothing")):
            with self.subTest(told):
                output = self.deploy(self.version("1.2.0", mischief), expect=20)
                self.assertIn(told, output)
                self.assertRegex(output, rf"one +failed +{current} +{current}")
                self.assertRegex(output, rf"two +not touched +{current} +{current}")
                self.assert_runs("1.1.0")
                self.assertEqual(self.one.link("previous"), previous)
                self.assertNotIn("1.2.0", " ".join(self.one.releases()))
                self.assertEqual(self.two.tree(), before)

    def test_4_what_is_found_before_the_switch_switches_nothing(self):
        current = self.one.link("current")
        changed = self.one.root.joinpath("current").lstat().st_ino
        cases = [
            (self.version("1.3.0", DOCTOR_IS_DENIED), 30, "no right to write"),
            (self.version("1.3.1", 'case $1 in check) exit 2 ;; esac'), 2, "hivecast check failed"),
            (hosts.make_package(self.folder / "liar", "1.3.2", b"#!/bin/sh\necho hivecast 1.0.0\n", self.signer), 20,
             'says it is "hivecast 1.0.0"'),
        ]
        for packages, code, told in cases:
            with self.subTest(told):
                output = self.deploy(packages, expect=code)
                self.assertIn(told, output)
                self.assertEqual(self.one.link("current"), current)
                self.assertEqual(self.one.root.joinpath("current").lstat().st_ino, changed)
                self.assert_runs("1.1.0")

    def test_4a_a_project_file_that_is_missing_is_told_before_the_switch(self):
        current = self.one.link("current")
        for name in ("hivecast", "smoke"):
            path = self.one.folder / "etc" / f"{name}.yaml"
            away = path.rename(path.with_suffix(".away"))
            try:
                output = self.deploy(self.version("1.3.3"), expect=2)
            finally:
                away.rename(path)
            self.assertIn(f"error: one: there is no project file {path} on this host", output)
            self.assertIn("docs/deploy.md", output)
            self.assertEqual(self.one.link("current"), current)

    def test_5_altered_files_are_found(self):
        release = self.one.link("previous")
        changelog = self.one.root / "releases" / release / "share" / "doc" / "hivecast" / "CHANGELOG.md"
        changelog.write_text("altered")
        output = self.run_command("rollback", self.environment(), "--to", release, expect=20)
        self.assertIn("were altered", output)
        self.assert_runs("1.1.0", self.one)
        changelog = self.two.root / "current" / "share" / "doc" / "hivecast" / "CHANGELOG.md"
        whole = changelog.read_text()
        changelog.write_text("altered")
        self.assertIn("were altered", self.deploy(self.same(self.two), expect=20))
        changelog.write_text(whole)

    def same(self, host):
        """The package again that a host runs."""
        release = host.link("current")
        for sums in (self.folder / "packages").glob("*/SHA256SUMS"):
            if sums.read_text().startswith(release.rpartition("-")[2]):
                return sums.parent
        raise AssertionError(f"nothing like {release}")

    def test_6_the_last_three_are_kept(self):
        for patch in range(5):
            self.deploy(self.version(f"2.0.{patch}"))
        for host in self.hosts:
            self.assertEqual([name[:5] for name in host.releases()], ["2.0.2", "2.0.3", "2.0.4"])
        self.run_command("rollback", self.environment(), "--to", self.one.releases()[0])
        self.assert_runs("2.0.2")
        # What ran before stays even where the clock that says which is the oldest was wrong.
        os.utime(self.one.root / "current" / ".deployed", (0, 0))
        self.deploy(self.version("2.1.0"), path=self.environment(keep=2))
        self.assertEqual([name[:5] for name in self.one.releases()], ["2.0.2", "2.0.4", "2.1.0"])
        self.assertEqual([name[:5] for name in self.two.releases()], ["2.0.2", "2.1.0"])
        self.assertEqual(self.one.link("previous")[:5], "2.0.2")

    def test_7_a_running_publish_is_waited_for(self):
        run = subprocess.Popen(["flock", "--no-fork", "--shared", self.one.root / "run.lock", "sleep", "5"])
        started = time.monotonic()
        output = self.deploy(self.version("3.0.0"))
        self.assertIn("one: waiting for a running publish", output)
        self.assertEqual(run.wait(timeout=0), 0, "it ended by itself")
        self.assertGreater(time.monotonic() - started, 4)
        self.assert_runs("3.0.0")

    def test_8_waiting_has_a_limit(self):
        run = subprocess.Popen(["flock", "--no-fork", "--shared", self.one.root / "run.lock", "sleep", "60"])
        try:
            output = self.deploy(self.version("3.1.0"), path=self.environment(wait_for_publish="3s"), expect=40)
            self.assertIn("a publish still runs after 3 s", output)
            self.assertIsNone(run.poll(), "it was not killed")
            self.assert_runs("3.0.0")
        finally:
            run.kill()
            run.wait()

    def test_9_runs_wait_while_a_version_is_tried(self):
        self.one.stop_at("hivecast verify*")
        deploy = self.start("deploy", self.environment(), "--packages", self.version("3.2.0"))
        self.one.wait_until_reached(deploy)
        lock = ["flock", "--shared", "--nonblock", self.one.root / "run.lock", "true"]
        self.assertEqual(subprocess.run(lock).returncode, 1)
        self.one.go_on()
        self.ended(deploy, 0)
        self.assertEqual(subprocess.run(lock).returncode, 0)

    def test_status(self):
        output = self.run_command("deploy", self.environment(), "--status")
        self.assertRegex(output, r"one +asked +\S")


class Refusals(HostsTest):
    """What is not what a trusted key signed, and mistakes in files."""

    def setUp(self):
        for host in self.hosts:
            shutil.rmtree(host.root, ignore_errors=True)
        self.good = self.version("1.0.0")
        self.tarball = self.good / "hivecast-1.0.0-x86_64-linux.tar.gz"

    def tampered_package(self):
        with open(self.tarball, "ab") as file:
            file.write(b"\0")

    def tampered_sums(self):
        self.tampered_package()
        sums = self.good / "SHA256SUMS"
        sums.write_text(f"{hosts.package.sha256(self.tarball)}  {self.tarball.name}\n")

    def wrong_key(self):
        signer = hosts.Signer(self.folder, f"stranger-{time.monotonic_ns()}")
        signer.sign(self.good)
        signer.close()

    def missing_signature(self):
        (self.good / "SHA256SUMS.asc").unlink()

    def not_listed(self):
        self.tarball.rename(self.good / "hidden")
        self.signer.sign(self.good)
        (self.good / "hidden").rename(self.tarball)

    def expired_key(self):
        signer = hosts.Signer(self.folder, f"expired-{time.monotonic_ns()}", "seconds=2")
        signer.sign(self.good)
        signer.close()
        self.also_trusted.append(signer.public)
        time.sleep(3)

    def test_refused_on_the_agent_and_on_the_host(self):
        cases = [(self.tampered_package, "SHA-256 differs", "is not the one that SHA256SUMS is about"),
                 (self.tampered_sums, "no good signature", "is not good"),
                 (self.wrong_key, "no good signature", "is not good"),
                 (self.missing_signature, "is missing", "no signed SHA256SUMS"),
                 (self.not_listed, "does not have", "is not the one that SHA256SUMS is about"),
                 (self.expired_key, "no good signature", "expired or revoked")]
        for spoil, agent, host in cases:
            with self.subTest(spoil.__name__):
                self.setUp()
                self.also_trusted = [self.signer.public]
                spoil()
                keys = f"[{', '.join(map(str, self.also_trusted))}]"
                path = self.environment(trusted_keys=keys)
                output = self.deploy(self.good, path=path, expect=20)
                self.assertIn(agent, output)
                self.assertFalse((self.one.root / "deploy.lock").exists(), "no host was asked")
                self.assert_refused_by_the_host(path, host)

    def assert_refused_by_the_host(self, path, told):
        """As if what verifies on the agent were not there."""
        os.environ["SSH_KEY_FILE"] = str(self.key)
        self.addCleanup(os.environ.pop, "SSH_KEY_FILE", None)
        bundled = hosts.package.Bundle.add_file
        hosts.package.Bundle.add_file = lambda bundle, file, *more: bundled(bundle, file, *more) if file.exists() else None
        try:
            found = hosts.package.find(self.good, None)
            results = hosts.rollout.Rollout(hosts.environment.load(str(path)), hosts.REPOSITORY / "ci" / "smoke",
                                            lambda *_: None).deploy(found)
        finally:
            hosts.package.Bundle.add_file = bundled
        self.assertEqual(results[0].failure.code, 20)
        self.assertIn(told, str(results[0].failure))
        self.assertEqual(results[1].outcome, "not touched")
        self.assertEqual(self.one.releases(), [])
        self.assertFalse((self.one.root / "incoming").exists())

    def test_a_host_may_have_a_keyring_of_its_own(self):
        other = hosts.Signer(self.folder, "other")
        self.addCleanup(other.close)
        ring = self.folder / "host-keyring.gpg"
        ring.write_bytes(hosts.package.keyring([other.public]))
        output = self.deploy(self.good, path=self.environment(keyring=ring), expect=20)
        self.assertIn("one: the signature of SHA256SUMS is not good", output)
        ring.write_bytes(hosts.package.keyring([other.public, self.signer.public]))
        self.deploy(self.good, path=self.environment(keyring=ring))
        self.assert_runs("1.0.0")

    def test_mistakes_are_told_before_anything_is_done(self):
        def failing(told, name=None, **settings):
            with self.subTest(told):
                path = name or self.environment(**settings)
                self.assertIn(told, self.run_command("deploy", path, "--packages", self.good, expect=2))

        failing("there is no environment nowhere", "nowhere")
        failing("unknown setting `wait`", wait="2h")
        failing("lacks `env`", env=None)
        failing("keep: 1 is no whole number of at least 2", keep=1)
        failing("'two hours' is no time", wait_for_publish="two hours")
        failing('"gpg --armor --export KEY >ci/keys/nobody.asc", and commit it (docs/deploy.md', trusted_keys="[ci/keys/nobody.asc]")
        failing("is a private key", trusted_keys=f"[{self.private_key()}]")
        failing("does not match", root="'/opt/$(reboot)'")
        failing("there is no host three", regress="{ env: a, feed: b, host: three }")
        empty = self.folder / "empty"
        empty.mkdir()
        self.assertIn("run ci/package first", self.run_command("deploy", self.environment(), "--packages", empty, expect=2))
        self.assertIn("there is no file /nowhere/key", self.deploy(self.good, key="/nowhere/key", expect=2))

    def test_the_environments_of_the_repository_are_right_but_for_their_keys(self):
        for name, hosts_are, regress in (("qa", ["qa-1", "qa-2"], "qa-1"), ("prod", ["prod-1", "prod-2"], None)):
            text = (hosts.REPOSITORY / "ci" / "environments" / f"{name}.yaml").read_text()
            keys = next(line for line in text.splitlines() if line.startswith("trusted_keys:"))
            self.assertEqual("ci/keys/ci.asc" in keys, name == "qa", "PROD trusts the release key alone")
            path = self.folder / f"{name}.yaml"
            path.write_text(text.replace(keys, f"trusted_keys: [{self.signer.public}]"))
            loaded = hosts.environment.load(str(path))
            self.assertEqual([host.name for host in loaded.hosts], hosts_are)
            self.assertEqual([host.name for host in loaded.hosts if host.regress], [regress] if regress else [])

    def test_the_project_files_of_the_docs_are_right(self):
        """The one that a host writes for itself passes `check`; the others have the environments' names."""
        text = (hosts.REPOSITORY / "docs" / "deploy.md").read_text()
        own, smoke, regression = (re.search(rf"```yaml\n(# /etc/hivecast/{name}.yaml.*?)```", text, re.DOTALL)[1]
                                  for name in ("hivecast", "smoke", "regression"))
        for name, inside in (("prod", own), ("qa-smoke", smoke), ("prod-smoke", smoke), ("qa-regress", regression)):
            self.assertIn(name, inside)
            settings = "".join(path.read_text() for path in (hosts.REPOSITORY / "ci" / "environments").glob("*.yaml"))
            self.assertRegex(settings, rf"env: {name}\b")
        folder = self.folder / "docs"
        folder.mkdir()
        (folder / "mask-key").write_text("x" * 32)
        (folder / "hivecast_mask-key").symlink_to("mask-key")
        project = folder / "hivecast.yaml"
        project.write_text(own.replace("/etc/hivecast/feeds", str(self.project / "feeds"))
                           .replace("/warehouse", str(self.project / "warehouse")))
        done = subprocess.run([self.binary, "check", "--project", project, "--env", "prod"], capture_output=True, text=True,
                              env={**os.environ, "CREDENTIALS_DIRECTORY": str(folder)})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def private_key(self):
        path = self.folder / "private.asc"
        path.write_text("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nAAAA\n-----END PGP PRIVATE KEY BLOCK-----\n")
        return path


if __name__ == "__main__":
    unittest.main()
