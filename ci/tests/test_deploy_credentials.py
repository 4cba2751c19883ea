"""`credentials`: what systemd lends a unit, a deploy is lent under the same names."""

import io
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import unittest

from hosts import MASK_KEY, HostsTest
from deployment import session

NOBODY = 65534
LOOKS = 'case $1 in doctor) stat -c "mode %a" "$CREDENTIALS_DIRECTORY"; ls "$CREDENTIALS_DIRECTORY" ;; esac'


class Lent(HostsTest):
    """Project files as the unit's, which name the credentials `hivecast_FILE`."""

    def setUp(self):
        self.credentials = self.folder / "credentials"
        shutil.rmtree(self.credentials, ignore_errors=True)
        (self.credentials / "kafka").mkdir(parents=True)
        (self.credentials / "mask").write_text(MASK_KEY + "\n")
        (self.credentials / "kafka" / "password").write_text("secret")
        (self.credentials / ".hidden").write_text("not lent")
        (self.credentials / "link").symlink_to("mask")
        for host in self.hosts:
            for name in ("hivecast", "smoke"):
                path = host.folder / "etc" / f"{name}.yaml"
                lines = [line for line in path.read_text().splitlines() if "mask_key:" not in line]
                path.write_text("\n".join(lines) + '\n    mask_key: "${credential:hivecast_mask}"\n')

    def test_one_project_file_serves_the_unit_and_every_command(self):
        path = self.environment(credentials=self.credentials)
        packages = self.version("1.0.0", LOOKS)
        output = self.deploy(packages, path=path)
        self.assertIn("one:   mode 700\none:   hivecast_kafka_password\none:   hivecast_mask\n", output)
        self.assertIn("link is a link, which systemd does not lend", output)
        self.assertNotIn("hidden", output)
        self.smoke_only(packages, path=path)
        self.deploy(self.version("1.1.0"), path=path)
        self.run_command("rollback", path)
        self.assert_runs("1.0.0")
        for host in self.hosts:
            self.assertFalse((host.root / "incoming").exists(), "links are not left behind")

    def test_without_them_the_project_file_is_refused(self):
        """Else the test above would prove nothing."""
        output = self.deploy(self.version("2.0.0"), expect=2)
        self.assertIn("CREDENTIALS_DIRECTORY is not set", output)
        self.assertIn("error: one: the project file wants the credential hivecast_mask, and this environment's file lacks", output)

    def test_a_file_that_is_not_there_is_told_by_its_place_on_the_host(self):
        (self.credentials / "mask").unlink()
        output = self.deploy(self.version("2.1.0"), path=self.environment(credentials=self.credentials), expect=30)
        self.assertIn(f"error: one: the credential hivecast_mask is missing: there is no file mask in {self.credentials} on this "
                      f"host, which lends hivecast_kafka_password; as root: install -g", output)
        self.assertIn(f"failed to read the credential `hivecast_mask` in `{self.credentials}`", output)
        self.assertNotIn("incoming", output, "that folder is gone")

    def test_a_file_that_only_the_smoke_test_lacks_is_told_too(self):
        etc = self.one.folder / "etc" / "smoke.yaml"
        etc.write_text(etc.read_text().replace("hivecast_mask", "hivecast_typo"))
        output = self.deploy(self.version("2.2.0"), path=self.environment(credentials=self.credentials), expect=20)
        self.assertIn(f"one: the credential hivecast_typo is missing: there is no file typo in {self.credentials}", output)

    def test_a_name_that_no_file_can_have_is_told(self):
        etc = self.one.folder / "etc" / "hivecast.yaml"
        etc.write_text(etc.read_text().replace("hivecast_mask", "mask"))
        output = self.deploy(self.version("2.3.0"), path=self.environment(credentials=self.credentials), expect=30)
        self.assertIn("error: one: there is no credential mask: a project file calls a file of", output)

    def test_a_folder_that_is_not_there_is_told(self):
        output = self.deploy(self.version("3.0.0"), path=self.environment(credentials=self.folder / "nowhere"), expect=30)
        self.assertIn(f"the folder of credentials {self.folder / 'nowhere'} is not there", output)


class Unreadable(unittest.TestCase):
    """on-host by itself, as an account that may not read everything."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hivecast-unreadable-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.credentials = self.folder / "credentials"
        self.credentials.mkdir()
        (self.credentials / "mask").write_text(MASK_KEY)
        (self.folder / "opt").mkdir()
        self.account = []
        if os.geteuid() == 0:
            self.account = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
            os.chown(self.folder / "opt", NOBODY, NOBODY)
        self.folder.chmod(0o755)

    def said(self):
        """What on-host says of a deploy whose package is empty."""
        content = io.BytesIO()
        tarfile.open(fileobj=content, mode="w").close()
        sent = b"upload %d\n" % len(content.getvalue()) + content.getvalue()
        done = subprocess.run([*self.account, "sh", "-c", session.script().decode(), "on-host", "deploy", f"root={self.folder}/opt",
                               "release=1.0.0-01234567", "version=1.0.0", f"credentials={self.credentials}"],
                              input=sent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/", timeout=60)
        self.assertFalse((self.folder / "opt" / "incoming").exists())
        return done.stdout.decode()

    def assert_told_once(self, *told):
        [failure] = [line for line in self.said().splitlines() if line.startswith("@fail")]
        self.assertTrue(failure.startswith("@fail 30 "), failure)
        for text in told:
            self.assertIn(text, failure)

    def test_a_folder(self):
        self.credentials.chmod(0o000)
        self.addCleanup(self.credentials.chmod, 0o700)
        self.assert_told_once(f"the folder of credentials {self.credentials} can't be read by", f"chmod 750 {self.credentials}")

    def test_a_file(self):
        path = self.credentials / "mask"
        path.chmod(0o000)
        self.assert_told_once(f"the credential {path} can't be read by", f"chmod 640 {path}")

    def test_what_can_be_read_is_no_failure_of_theirs(self):
        self.assertIn("@fail 20 the package has no signed SHA256SUMS", self.said())


if __name__ == "__main__":
    unittest.main()
