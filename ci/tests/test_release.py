"""ci/release: once and only once, to a directory and to a real S3-compatible server, with a tag."""

import os
import pathlib
import re
import shutil
import sys
import tempfile
import unittest

from steps import GIT, ROOT, Key, checkout, remove_stand_in, run, stand_in

sys.path.insert(0, str(ROOT / "dev"))
from lib import s3, services  # noqa: E402  pylint: disable=wrong-import-position

VERSION = re.search(r'(?m)^version = "(.*)"$', (ROOT / "Cargo.toml").read_text())[1]
TAR = f"hivecast-{VERSION}-x86_64-linux.tar.gz"


def setUpModule():
    """A checkout with packages in it, from which every test starts with a copy of its own."""
    global PLACE, KEY  # pylint: disable=global-statement
    PLACE = pathlib.Path(tempfile.mkdtemp(prefix="hivecast-release-test-"))
    try:
        KEY = Key(PLACE, "release", passphrase="of the test")
        checkout(PLACE / "first")
        run("ci/package", "--binary", stand_in(), cwd=PLACE / "first")
    except BaseException:
        tearDownModule()
        raise


def tearDownModule():
    shutil.rmtree(PLACE, ignore_errors=True)
    remove_stand_in()


class Releasing(unittest.TestCase):
    """A checkout with packages, a remote for its tags, and an empty directory as store."""

    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="case-", dir=PLACE))
        self.checkout, self.remote = self.place / "checkout", self.place / "remote.git"
        shutil.copytree(PLACE / "first", self.checkout)
        run("git", "init", "--quiet", "--bare", self.remote, **GIT)
        run("git", "remote", "add", "origin", self.remote, cwd=self.checkout, **GIT)
        self.dist = self.checkout / "dist"
        self.store = self.place / "store"
        self.settings = {"RELEASE_STORE": self.store, "RELEASE_KEY_FILE": KEY.secret,
                         "SIGNING_PASSPHRASE_FILE": KEY.passphrase}

    def release(self, *arguments, code=0, **settings):
        """Runs ci/release in the checkout."""
        unnamed = {name: value for name, value in GIT.items() if "COMMITTER" not in name and "AUTHOR" not in name}
        return run("ci/release", *arguments, cwd=self.checkout, code=code, **{**unnamed, **self.settings, **settings})

    def stored(self):
        """The store's files and their bytes."""
        return {str(path.relative_to(self.store)): path.read_bytes() for path in self.store.rglob("*") if path.is_file()}

    def git(self, *arguments, cwd=None):
        """What git says in the checkout."""
        return run("git", *arguments, cwd=cwd or self.checkout, **GIT).strip()

    def other_bytes(self):
        """Packages the same version once more, otherwise."""
        run("ci/package", "--binary", stand_in(), cwd=self.checkout, SOURCE_DATE_EPOCH=1)


class ToADirectory(Releasing):
    """The whole behaviour, in a directory."""

    def test_it_stores_signs_and_tags(self):
        told = self.release()
        self.assertIn(f"stored {VERSION}", told)
        names = {f"{VERSION}/{path.name}" for path in self.dist.iterdir()}
        self.assertEqual(set(self.stored()), names)
        self.assertIn(f"{VERSION}/SHA256SUMS.asc", names)
        KEY.verify(self.store / VERSION / "SHA256SUMS")
        KEY.verify(self.dist / "SHA256SUMS")
        run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=self.store / VERSION)
        tag = f"v{VERSION}"
        self.assertEqual(self.git("cat-file", "-t", tag), "tag")
        self.assertEqual(self.git("rev-parse", f"{tag}^{{commit}}", cwd=self.remote), self.git("rev-parse", "HEAD"))
        message = self.git("tag", "--list", "--format=%(contents)", tag)
        self.assertTrue(message.startswith(f"Hivecast {VERSION}"))
        self.assertIn("### Added", message)

    def test_the_same_bytes_again_change_nothing(self):
        self.release()
        stored, tags = self.stored(), self.git("show-ref", cwd=self.remote)
        told = self.release()
        self.assertIn("already, with just these bytes", told)
        self.assertIn("is there already", told)
        self.assertEqual((self.stored(), self.git("show-ref", cwd=self.remote)), (stored, tags))

    def test_other_bytes_are_refused(self):
        self.release()
        stored = self.stored()
        self.other_bytes()
        self.assertIn("with other bytes; give Cargo.toml", self.release(code=50))
        self.assertIn("is released already", self.release("--check", code=50))
        self.assertEqual(self.stored(), stored)

    def test_a_tag_elsewhere_is_refused_before_anything_is_stored(self):
        self.git("commit", "--quiet", "--allow-empty", "--message", "Later")
        self.git("push", "--quiet", "origin", f"HEAD~1:refs/tags/v{VERSION}")
        for arguments in ([], ["--check"]):
            self.assertIn("at another commit", self.release(*arguments, code=50))
        self.assertFalse(self.store.exists())

    def test_what_a_first_run_left_undone_is_done(self):
        away = self.place / "away.git"
        self.remote.rename(away)
        self.assertIn("failed to read the tags", self.release(code=10))
        away.rename(self.remote)
        hook = self.remote / "hooks/pre-receive"
        hook.write_text("#!/bin/sh\nexit 1\n")
        hook.chmod(0o755)
        self.assertIn("failed to push the tag", self.release(code=10))
        hook.unlink()
        told = self.release()
        self.assertIn("already, with just these bytes", told)
        self.assertIn("pushed to origin", told)
        self.assertIn(f"refs/tags/v{VERSION}", self.git("show-ref", cwd=self.remote))

    def test_a_half_written_version_is_none(self):
        (self.store / f".{VERSION}.tmp").mkdir(parents=True)
        (self.store / f".{VERSION}.tmp/SHA256SUMS").write_text("half")
        self.assertIn("not released yet", self.release("--check"))
        self.assertIn("stored", self.release())
        self.assertFalse((self.store / f".{VERSION}.tmp").exists())

    def test_a_file_altered_in_the_store_is_told(self):
        self.release()
        (self.store / VERSION / TAR).write_bytes(b"other")
        self.assertIn(f"{TAR} is altered", self.release(code=50))
        (self.store / VERSION / TAR).unlink()
        self.assertIn(f"{TAR} is missing", self.release(code=50))

    def test_packages_that_are_not_what_the_sums_say_are_not_released(self):
        (self.dist / TAR).write_bytes(b"other")
        self.assertIn(f"{TAR} is not what SHA256SUMS says", self.release(code=2))
        (self.dist / "SHA256SUMS").write_text("")
        self.assertIn("not the packages of", self.release(code=2))
        shutil.rmtree(self.dist)
        self.assertIn("run ci/package first", self.release(code=2))
        self.assertFalse(self.store.exists())

    def test_check_needs_neither_key_nor_packages(self):
        shutil.rmtree(self.dist)
        self.assertIn("not released yet", self.release("--check", RELEASE_KEY_FILE=None, SIGNING_PASSPHRASE_FILE=None))
        self.assertFalse(self.store.exists())

    def test_nothing_is_pushed_where_there_is_no_remote(self):
        self.assertIn("made", self.release(RELEASE_REMOTE=""))
        self.assertEqual(self.git("for-each-ref", cwd=self.remote), "")

    def test_what_is_missing_is_named(self):
        self.assertIn("RELEASE_STORE is not set", self.release(code=2, RELEASE_STORE=None))
        self.assertIn("RELEASE_KEY_FILE is not set", self.release(code=2, RELEASE_KEY_FILE=None))
        self.assertIn("stores are", self.release(code=2, RELEASE_STORE="ftp://x/y"))
        self.assertIn("AWS_ACCESS_KEY_ID is not set", self.release(code=2, RELEASE_STORE="s3://x/y"))
        self.assertFalse(self.store.exists())
        self.assertIn("RELEASE_STORE", self.release("--help"))

    def test_a_changelog_that_is_behind_is_refused(self):
        path = self.checkout / "CHANGELOG.md"
        path.write_text(path.read_text().replace(f"[{VERSION}]", "[0.0.1]"))
        self.assertIn("newest section", self.release("--check", code=2))


class ToABucket(Releasing):
    """The same against a server that speaks S3 over HTTP."""

    @classmethod
    def setUpClass(cls):
        place = pathlib.Path(tempfile.mkdtemp(prefix="hivecast-s3-"))
        cls.addClassCleanup(shutil.rmtree, place, ignore_errors=True)
        cls.server = s3.start(place, services.Lifetime.WITH_PARENT)
        cls.addClassCleanup(services.stop, cls.server)
        cls.address = cls.server.env["HIVECAST_TEST_S3"]

    def setUp(self):
        super().setUp()
        self.bucket = "releases-" + self.place.name.removeprefix("case-").replace("_", "-").lower()
        s3.make_bucket(self.server, self.bucket)
        self.settings |= {"RELEASE_STORE": f"s3://{self.bucket}/hivecast", "RELEASE_S3_ENDPOINT": self.address,
                          "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "secret-of-the-test", "AWS_REGION": "us-east-1"}

    def object(self, name):
        """An object's bytes."""
        run("rclone", "copyto", f":s3:{self.bucket}/hivecast/{VERSION}/{name}", self.place / "object", RCLONE_CONFIG="/dev/null",
            RCLONE_S3_PROVIDER="Other", RCLONE_S3_ENDPOINT=self.address, RCLONE_S3_REGION="us-east-1",
            RCLONE_S3_ACCESS_KEY_ID="test", RCLONE_S3_SECRET_ACCESS_KEY="secret-of-the-test")
        return (self.place / "object").read_bytes()

    def test_it_stores_once_and_refuses_other_bytes(self):
        self.assertIn("not released yet", self.release("--check"))
        told = self.release()
        self.assertIn(f"stored {VERSION} in s3://{self.bucket}/hivecast", told)
        for path in self.dist.iterdir():
            self.assertEqual(self.object(path.name), path.read_bytes(), path.name)
        signature = self.object("SHA256SUMS.asc")
        self.assertIn("already, with just these bytes", self.release())
        self.assertEqual(self.object("SHA256SUMS.asc"), signature)
        self.assertIn("with just these bytes", self.release("--check"))
        self.other_bytes()
        self.assertIn("with other bytes", self.release(code=50))
        self.assertNotIn("secret-of-the-test", told)

    def test_an_upload_that_stopped_half_way_is_finished(self):
        """An rclone that fails at the signature, when the packages are there already."""
        fails = self.place / "bin/rclone"
        fails.parent.mkdir()
        fails.write_text(f'#!/bin/sh\ncase "$*" in *SHA256SUMS.asc*) exit 1 ;; esac\nexec {shutil.which("rclone")} "$@"\n')
        fails.chmod(0o755)
        path = f"{fails.parent}:{os.environ['PATH']}"
        self.assertIn("failed to copyto", self.release(code=10, PATH=path))
        self.assertEqual(self.object(TAR), (self.dist / TAR).read_bytes())
        self.assertEqual(self.git("tag"), "")
        self.assertIn("not released yet", self.release("--check"))
        self.assertIn("stored", self.release())
        for name in (TAR, "SHA256SUMS", "SHA256SUMS.asc"):
            self.assertEqual(self.object(name), (self.dist / name).read_bytes())

    def test_a_server_that_is_away_is_infrastructure(self):
        self.assertIn("failed to", self.release(code=10, RELEASE_S3_ENDPOINT="http://127.0.0.1:9"))
        self.assertEqual(self.git("tag"), "")


if __name__ == "__main__":
    unittest.main()
