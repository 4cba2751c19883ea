"""ci/release: once and only once, to a directory and to a real S3-compatible server, with a tag."""

import concurrent.futures
import hashlib
import os
import pathlib
import re
import shutil
import sys
import tempfile
import unittest

from steps import GIT, ROOT, Key, checkout, ended, remove_stand_in, run, stand_in

sys.path.insert(0, str(ROOT / "ci" / "lib"))
sys.path.insert(0, str(ROOT / "dev"))
import packages  # noqa: E402  (it lies in ci/lib)
from lib import s3, services  # noqa: E402

VERSION = re.search(r'(?m)^version = "(.*)"$', (ROOT / "Cargo.toml").read_text())[1]
TAG = f"v{VERSION}"
TAR = f"hivecast-{VERSION}-x86_64-linux.tar.gz"
BILL = f"hivecast-{VERSION}.cdx.json"

# Where git has seen the remote's tags and not pushed yet: each waits there for the other.
MEET = """#!/bin/sh
touch "$MEETING/$$"
for _ in $(seq 300); do
    [ "$(ls "$MEETING" | wc -l)" -lt 2 ] || exit 0
    sleep 0.1
done
exit 1
"""


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
        return run("ci/release", *arguments, cwd=self.checkout, code=code, **self.environment(**settings))

    def environment(self, **settings):
        """What ci/release sees: no name to put on a tag, as on a server of builds."""
        unnamed = {name: value for name, value in GIT.items() if "COMMITTER" not in name and "AUTHOR" not in name}
        return {**unnamed, **self.settings, **settings}

    def stored(self):
        """The version's files in the store, and their bytes."""
        return {path.name: path.read_bytes() for path in (self.store / VERSION).glob("*")}

    def packaged(self, place=None):
        """The files of dist/, and their bytes."""
        return {path.name: path.read_bytes() for path in ((place or self.checkout) / "dist").iterdir()}

    def another(self, name):
        """A checkout of the same version at a commit of its own, with its packages."""
        place = self.place / name
        shutil.copytree(self.checkout, place)
        self.git("commit", "--quiet", "--allow-empty", "--message", name, cwd=place)
        run("ci/package", "--binary", stand_in(), cwd=place)
        return place

    def tag_elsewhere(self):
        """The version's tag, at the remote, at a commit that is not the checkout's."""
        elsewhere = self.git("commit-tree", "-m", "Elsewhere", "HEAD^{tree}")
        self.git("push", "--quiet", "origin", f"{elsewhere}:refs/tags/{TAG}")

    def hook(self, place, name, script):
        """Has git run this there."""
        path = place / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(script)
        path.chmod(0o755)
        return path

    def git(self, *arguments, cwd=None):
        """What git says in the checkout."""
        return run("git", *arguments, cwd=cwd or self.checkout, **GIT).strip()

    def other_bytes(self):
        """Packages the same version once more, otherwise."""
        run("ci/package", "--binary", stand_in(), cwd=self.checkout, SOURCE_DATE_EPOCH=1)


class Claims:
    """Two at once, whatever the store: the tag at the remote is the claim."""

    def at_once(self, *checkouts):
        """Releases from these, which meet where git has looked at the remote and not pushed yet."""
        meeting = self.place / "meeting"
        meeting.mkdir()
        for place in checkouts:
            self.hook(place / ".git/hooks", "pre-push", MEET)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            # Tags of different seconds, else two at one commit could be the same object.
            runs = [pool.submit(ended, "ci/release", cwd=place, **self.environment(
                MEETING=meeting, GIT_COMMITTER_DATE=f"{1700000000 + number} +0000")) for number, place in enumerate(checkouts)]
            ran = [run.result() for run in runs]
        self.assertEqual(len(list(meeting.iterdir())), 2, [one.stdout for one in ran])
        return ran

    def test_of_two_commits_at_once_one_is_released_and_the_other_stores_nothing(self):
        checkouts = [self.checkout, self.another("other")]
        ran = self.at_once(*checkouts)
        self.assertEqual(sorted(one.returncode for one in ran), [0, 50], [one.stdout for one in ran])
        winner, loser = sorted(zip(ran, checkouts), key=lambda pair: pair[0].returncode)
        self.assertIn(f"stored {VERSION}", winner[0].stdout)
        self.assertIn("at origin at another commit", loser[0].stdout)
        self.assertEqual(self.git("rev-parse", f"{TAG}^{{commit}}", cwd=self.remote), self.git("rev-parse", "HEAD", cwd=winner[1]))
        self.assertEqual(self.stored(), self.packaged(winner[1]))
        self.assertEqual(self.git("tag", cwd=loser[1]), "")

    def test_of_two_runs_at_one_commit_both_succeed(self):
        twin = self.place / "twin"
        shutil.copytree(self.checkout, twin)
        ran = self.at_once(self.checkout, twin)
        self.assertEqual([one.returncode for one in ran], [0, 0], [one.stdout for one in ran])
        self.assertEqual(sum("at this commit, by another run" in one.stdout for one in ran), 1)
        stored, dists = self.stored(), [self.packaged(place) for place in (self.checkout, twin)]
        for name in stored.keys() | dists[0].keys():
            self.assertIn(stored.get(name), [dist[name] for dist in dists], name)
        KEY.verify(self.dist / "SHA256SUMS")
        tags = {self.git("rev-parse", TAG, cwd=place) for place in (self.checkout, twin, self.remote)}
        self.assertEqual(len(tags), 1)

    def test_what_has_its_tag_and_is_not_stored_is_finished(self):
        self.git("tag", "--annotate", "--message", "claimed", TAG)
        self.git("push", "--quiet", "origin", TAG)
        self.git("tag", "--delete", TAG)
        if "://" not in str(self.settings["RELEASE_STORE"]):
            self.store.mkdir()
        self.assertIn("not released yet: tagged at this commit, and not in", self.release("--check"))
        told = self.release()
        self.assertIn(f"tag {TAG} is there already", told)
        self.assertIn(f"stored {VERSION}", told)
        self.assertEqual(self.stored(), self.packaged())
        self.assertEqual(self.git("rev-parse", TAG), self.git("rev-parse", TAG, cwd=self.remote))

    def test_what_is_stored_and_has_no_tag_is_finished(self):
        self.release()
        stored = self.stored()
        self.git("push", "--quiet", "--delete", "origin", TAG)
        self.git("tag", "--delete", TAG)
        told = self.release()
        self.assertIn("pushed to origin", told)
        self.assertIn("already, with just these bytes", told)
        self.assertEqual(self.stored(), stored)


class ToADirectory(Claims, Releasing):
    """The whole behaviour, in a directory."""

    def test_it_stores_signs_and_tags(self):
        told = self.release()
        self.assertIn(f"stored {VERSION}", told)
        self.assertEqual(self.stored(), self.packaged())
        self.assertIn("SHA256SUMS.asc", self.stored())
        KEY.verify(self.store / VERSION / "SHA256SUMS")
        KEY.verify(self.dist / "SHA256SUMS")
        run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=self.store / VERSION)
        self.assertEqual(self.git("cat-file", "-t", TAG), "tag")
        self.assertEqual(self.git("rev-parse", f"{TAG}^{{commit}}", cwd=self.remote), self.git("rev-parse", "HEAD"))
        message = self.git("tag", "--list", "--format=%(contents)", TAG)
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
        self.tag_elsewhere()
        for arguments in ([], ["--check"]):
            self.assertIn("at another commit", self.release(*arguments, code=50))
        self.assertFalse(self.store.exists())

    def test_without_the_claim_nothing_is_stored_and_a_second_run_does_both(self):
        away = self.place / "away.git"
        self.remote.rename(away)
        self.assertIn("failed to read the tags", self.release(code=10))
        away.rename(self.remote)
        hook = self.hook(self.remote / "hooks", "pre-receive", "#!/bin/sh\nexit 1\n")
        self.assertIn("failed to push the tag", self.release(code=10))
        self.assertFalse(self.store.exists())
        hook.unlink()
        told = self.release()
        self.assertIn("pushed to origin", told)
        self.assertIn("stored", told)

    def test_a_push_that_has_arrived_and_whose_answer_is_lost_is_no_failure(self):
        """A git that pushes and then says that it has failed."""
        self.hook(self.place / "bin", "git", f'#!/bin/sh\n{shutil.which("git")} "$@" || exit\n[ "$1" != push ]\n')
        told = self.release(PATH=f"{self.place / 'bin'}:{os.environ['PATH']}")
        self.assertIn("at this commit, by another run", told)
        self.assertEqual(self.stored(), self.packaged())

    def test_what_another_run_has_stored_meanwhile_stays_and_is_told(self):
        """Without a remote's claim between them: the other run's files come while this one signs."""
        other = self.another("other")
        self.hook(self.place / "bin", "gpg",
                  f'#!/bin/sh\nmkdir -p {self.store} && cp -rT {other}/dist {self.store}/{VERSION}\nexec {shutil.which("gpg")} "$@"\n')
        theirs = self.packaged(other)
        told = self.release(code=50, RELEASE_REMOTE="", PATH=f"{self.place / 'bin'}:{os.environ['PATH']}")
        self.assertRegex(told, f"{VERSION}/hivecast.* is altered")
        self.assertEqual(self.stored(), theirs)

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
        shutil.copy(self.dist / TAR, self.store / VERSION)
        self.release()

    def test_a_signature_in_the_store_that_is_not_the_release_key_s_is_told(self):
        self.release()
        stranger = Key(self.place, "stranger")
        run("ci/lib/sign", stranger.secret, self.store / VERSION / "SHA256SUMS", cwd=self.checkout)
        self.assertIn("is not the release key's signature", self.release(code=50))
        (self.store / VERSION / "SHA256SUMS.asc").unlink()
        self.assertIn("SHA256SUMS.asc is missing", self.release(code=50))

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
        self.store.mkdir()
        self.assertIn("not released yet: not tagged yet, and not in",
                      self.release("--check", RELEASE_KEY_FILE=None, SIGNING_PASSPHRASE_FILE=None))
        self.assertEqual(list(self.store.iterdir()), [])

    def test_check_takes_no_version_for_free_in_a_store_that_is_not_there(self):
        mistyped = self.place / "stroe"
        told = self.release("--check", code=2, RELEASE_STORE=mistyped)
        self.assertIn(f"{VERSION} is not tagged yet, but not in the store {mistyped}, which does not exist", told)
        self.release()
        told = self.release("--check", code=2, RELEASE_STORE=mistyped)
        self.assertIn(f"{VERSION} is tagged at this commit, but not in the store {mistyped}, which does not exist", told)
        self.assertFalse(mistyped.exists())

    def test_nothing_is_pushed_where_there_is_no_remote(self):
        self.assertIn("made, here alone", self.release(RELEASE_REMOTE=""))
        self.assertEqual(self.git("for-each-ref", cwd=self.remote), "")

    def test_what_is_missing_is_named(self):
        self.assertIn("RELEASE_STORE is not set", self.release(code=2, RELEASE_STORE=None))
        self.assertIn("RELEASE_KEY_FILE is not set", self.release(code=2, RELEASE_KEY_FILE=None))
        self.assertIn("stores are", self.release(code=2, RELEASE_STORE="ftp://x/y"))
        self.assertIn("AWS_ACCESS_KEY_ID is not set", self.release(code=2, RELEASE_STORE="s3://x/y"))
        self.assertFalse(self.store.exists())
        told = self.release("--help")
        self.assertEqual([told.count(text) for text in ("RELEASE_STORE  ", "--check  ", "options:")], [1, 1, 0], told)
        self.assertIn("ci/release: unrecognized arguments: --chekc", self.release("--chekc", code=2))

    def test_a_changelog_that_is_behind_is_refused(self):
        path = self.checkout / "CHANGELOG.md"
        path.write_text(path.read_text().replace(f"[{VERSION}]", "[0.0.1]"))
        self.assertIn("newest section", self.release("--check", code=2))


class OfItsCommit(Releasing):
    """The tag is at the commit that the bytes are of, which they say themselves."""

    def refused(self, text):
        """Nothing is stored, nothing is tagged."""
        self.assertIn(text, self.release(code=2))
        self.assertFalse(self.store.exists())
        self.assertEqual(self.git("for-each-ref", cwd=self.remote) + self.git("tag"), "")

    def test_the_packages_say_it(self):
        self.assertEqual(packages.commit_of((self.dist / BILL).read_bytes()), self.git("rev-parse", "HEAD"))
        self.assertIsNone(packages.commit_of(b"{}"))

    def test_packages_of_another_commit_are_not_released(self):
        self.git("commit", "--quiet", "--allow-empty", "--message", "Later")
        self.refused("the packages in")
        self.refused("are of the commit")

    def test_packages_with_changes_that_are_in_no_commit_are_not_released(self):
        for path in ("README.md", "a-new-file"):
            with (self.checkout / path).open("a") as file:
                file.write("changed\n")
            run("ci/package", "--binary", stand_in(), cwd=self.checkout)
            self.git("checkout", "--quiet", ".")
            (self.checkout / "a-new-file").unlink(missing_ok=True)
            self.refused("hold changes that are in no commit")

    def test_a_checkout_with_changes_is_not_released(self):
        (self.checkout / "a-new-file").touch()
        self.refused("the checkout has changes that are in no commit, first '?? a-new-file'")
        (self.checkout / "a-new-file").unlink()
        with (self.checkout / "README.md").open("a") as file:
            file.write("changed\n")
        self.refused("first 'M README.md'")
        self.git("checkout", "--quiet", ".")
        (self.checkout / "reports").mkdir()
        (self.checkout / "reports/ignored").touch()
        self.release()

    def test_a_bill_of_materials_does_not_make_packages_another_commit_s(self):
        """The bill of this commit beside a tar, then a .deb, of another, with sums that agree."""
        other = self.another("other")
        for name in (TAR, f"hivecast_{VERSION}_amd64.deb"):
            own = (self.dist / name).read_bytes()
            shutil.copy(other / "dist" / name, self.dist)
            self.sum_up()
            self.refused(f"hold other bills of materials than {BILL}")
            (self.dist / name).write_bytes(own)
        (self.dist / TAR).write_bytes(b"no tar")
        self.sum_up()
        self.refused(f"failed to read {self.dist / TAR}")

    def sum_up(self):
        """Makes the sums those of the files that are there."""
        names = sorted(path.name for path in self.dist.iterdir() if path.name.startswith("hivecast"))
        (self.dist / "SHA256SUMS").write_text(
            "".join(f"{hashlib.sha256((self.dist / name).read_bytes()).hexdigest()}  {name}\n" for name in names))


class CheckingTags(Releasing):
    """ci/release --check with no store and no key: the tags say whether the version is free."""

    def check(self, code=0, **settings):
        """What it says, without anything of a release in its environment."""
        self.settings = {}
        return self.release("--check", code=code, **settings)

    def test_a_version_without_a_tag_is_free(self):
        shutil.rmtree(self.dist)
        told = self.check()
        self.assertIn(f"{VERSION} is not tagged yet", told)
        self.assertIn("the store was not asked", told)

    def test_a_tag_at_this_commit_is_no_obstacle(self):
        self.git("tag", TAG)
        for remote in ("", ".", "origin"):
            self.assertIn("is tagged at this commit", self.check(RELEASE_REMOTE=remote))

    def test_a_tag_at_another_commit_is_refused(self):
        self.git("tag", TAG)
        self.git("commit", "--quiet", "--allow-empty", "--message", "Later")
        for remote in ("", ".", "origin"):
            self.assertIn(f"the tag {TAG} is here at another commit", self.check(code=50, RELEASE_REMOTE=remote))

    def test_the_remote_is_asked_unless_it_is_left_out(self):
        self.tag_elsewhere()
        self.assertIn("at origin at another commit", self.check(code=50))
        for remote in ("", "."):
            self.assertIn("not tagged yet", self.check(RELEASE_REMOTE=remote))
        self.git("remote", "set-url", "origin", self.place / "nowhere")
        self.assertIn("failed to read the tags", self.check(code=10))


class ToABucket(Claims, Releasing):
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

    def stored(self):
        """The version's objects and their bytes."""
        folder = self.place / "objects"
        shutil.rmtree(folder, ignore_errors=True)
        run("rclone", "copy", f":s3:{self.bucket}/hivecast/{VERSION}", folder, RCLONE_CONFIG="/dev/null",
            RCLONE_S3_PROVIDER="Other", RCLONE_S3_ENDPOINT=self.address, RCLONE_S3_REGION="us-east-1",
            RCLONE_S3_ACCESS_KEY_ID="test", RCLONE_S3_SECRET_ACCESS_KEY="secret-of-the-test")
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    def rclone(self, script):
        """A PATH with an rclone that does something besides."""
        self.hook(self.place / "bin", "rclone", f'#!/bin/sh\nreal={shutil.which("rclone")}\n{script}\nexec $real "$@"\n')
        return f"{self.place / 'bin'}:{os.environ['PATH']}"

    def test_it_stores_once_and_refuses_other_bytes(self):
        self.assertIn("not released yet", self.release("--check"))
        told = self.release()
        self.assertIn(f"stored {VERSION} in s3://{self.bucket}/hivecast", told)
        stored = self.stored()
        self.assertEqual(stored, self.packaged())
        self.assertIn("already, with just these bytes", self.release())
        self.assertEqual(self.stored(), stored)
        self.assertIn("with just these bytes", self.release("--check"))
        self.other_bytes()
        self.assertIn("with other bytes", self.release(code=50))
        self.assertEqual(self.stored(), stored)
        self.assertNotIn("secret-of-the-test", told)

    def test_an_upload_that_stopped_half_way_is_finished(self):
        """An rclone that fails at the signature, when the packages are there already, and the tag."""
        path = self.rclone('case "$*" in *SHA256SUMS.asc*) exit 1 ;; esac')
        self.assertIn("failed to copyto", self.release(code=10, PATH=path))
        self.assertEqual(self.stored()[TAR], (self.dist / TAR).read_bytes())
        self.assertEqual(self.git("tag", cwd=self.remote), TAG)
        self.assertIn("not released yet", self.release("--check"))
        self.assertIn("stored", self.release())
        self.assertEqual(self.stored(), self.packaged())

    def test_a_store_that_two_have_filled_is_told(self):
        """An rclone that, before it writes the sums, puts there what another run might: no remote keeps them apart."""
        other = self.another("other")
        path = self.rclone(f'case "$*" in *copyto*SHA256SUMS" "*) '
                           f'$real copyto {other}/dist/{TAR} ":s3:{self.bucket}/hivecast/{VERSION}/{TAR}" ;; esac')
        self.assertIn(f"{TAR} is altered in s3://", self.release(code=50, RELEASE_REMOTE="", PATH=path))

    def test_a_server_that_is_away_is_infrastructure(self):
        self.assertIn("failed to", self.release(code=10, RELEASE_S3_ENDPOINT="http://127.0.0.1:9"))
        self.assertEqual(self.git("tag"), "")


if __name__ == "__main__":
    unittest.main()
