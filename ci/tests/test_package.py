"""ci/package: what is in the packages, that equal commits give equal bytes, that they install and run."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
import unittest

from steps import BINARY, CACHE, ROOT, TARGET, Key, checkout, remove_stand_in, run, scratch, stand_in

import sys
sys.path.insert(0, str(ROOT / "ci" / "lib"))
import check_binary  # noqa: E402  (it lies in ci/lib)

VERSION = re.search(r'(?m)^version = "(.*)"$', (ROOT / "Cargo.toml").read_text())[1]
DEB = f"hivecast_{VERSION}_amd64.deb"
TAR = f"hivecast-{VERSION}-x86_64-linux.tar.gz"
SBOM = f"hivecast-{VERSION}.cdx.json"
# Those of each environment that is deployed to, below packaging/ and below share/hivecast.
SETTINGS = {f"spark/{environment.stem}/{name}" for environment in (ROOT / "ci/environments").glob("*.yaml")
            for name in ("spark.conf", "spark-submit.sh")}


def setUpModule():
    """The product's package, made once for all tests that only read it."""
    global PLACE, DIST, TREE, PAGES  # pylint: disable=global-statement
    PAGES = ["hivecast", *(f"hivecast-{command}" for command in commands())]
    PLACE = pathlib.Path(tempfile.mkdtemp(prefix="hivecast-package-test-"))
    DIST, TREE = PLACE / "dist", PLACE / "tree"
    try:
        run("ci/package", "--dist", DIST)
        with tarfile.open(DIST / TAR) as tar:
            tar.extractall(TREE, filter="data")
    except BaseException:
        tearDownModule()
        raise


def tearDownModule():
    shutil.rmtree(PLACE, ignore_errors=True)
    remove_stand_in()


def commands():
    """The product's commands, as it lists them itself; `help` has no page."""
    listed = re.search(r"(?ms)^Commands:\n(.*?)\n\n", run(BINARY, "--help"))[1]
    return [name for name in re.findall(r"(?m)^  (\S+) ", listed) if name != "help"]


def top():
    """The one folder of the tar."""
    return TREE / f"hivecast-{VERSION}"


class Contents(unittest.TestCase):
    """What both packages hold."""

    def test_the_tar_has_one_folder_with_everything(self):
        with tarfile.open(DIST / TAR) as tar:
            members = tar.getmembers()
        names = {member.name for member in members if member.isfile()}
        self.assertEqual({name.split("/")[0] for name in names}, {f"hivecast-{VERSION}"})
        expected = {
            "bin/hivecast", "lib/systemd/system/hivecast@.service", "lib/systemd/system/hivecast@.timer",
            "share/bash-completion/completions/hivecast", "share/zsh/site-functions/_hivecast",
            "share/fish/vendor_completions.d/hivecast.fish", "share/hivecast/example/hivecast.yaml",
            "share/hivecast/example/feeds/contracts.yaml", "share/doc/hivecast/LICENSE", "share/doc/hivecast/CHANGELOG.md",
            "share/doc/hivecast/THIRD-PARTY-LICENSES", "share/doc/hivecast/hivecast.cdx.json",
            "share/doc/hivecast/hivecast.env",
        } | {f"share/man/man1/{page}.1" for page in PAGES} | {f"share/hivecast/{path}" for path in SETTINGS}
        found = {name.split("/", 1)[1] for name in names}
        self.assertEqual(expected - found, set())
        self.assertEqual({name for name in found if name.startswith("share/man/")}, {name for name in expected if name.startswith("share/man/")})
        self.assertEqual({name for name in found if name.startswith("share/hivecast/spark/")}, {name for name in expected if name.startswith("share/hivecast/spark/")})

    def test_the_tar_has_no_user_and_one_time_and_sorted_names(self):
        with tarfile.open(DIST / TAR) as tar:
            members = tar.getmembers()
        committed = int(run("git", "log", "-1", "--format=%ct"))
        self.assertEqual({(m.uid, m.gid, m.mtime) for m in members}, {(0, 0, committed)})
        self.assertEqual({m.mode for m in members}, {0o755, 0o644})
        names = [member.name for member in members]
        self.assertEqual(names, sorted(names, key=lambda name: name.split("/")))

    def test_the_deb_has_the_same_at_debians_places(self):
        listed = {line.split()[5][1:]: line for line in run("dpkg-deb", "--contents", DIST / DEB).splitlines()}
        for path in ("/usr/bin/hivecast", "/usr/share/man/man1/hivecast-publish.1.gz",
                     "/usr/share/bash-completion/completions/hivecast", "/usr/share/zsh/vendor-completions/_hivecast",
                     "/usr/share/fish/vendor_completions.d/hivecast.fish", "/usr/lib/systemd/system/hivecast@.service",
                     "/usr/lib/systemd/system/hivecast@.timer", "/usr/share/doc/hivecast/copyright",
                     "/usr/share/doc/hivecast/THIRD-PARTY-LICENSES", "/usr/share/doc/hivecast/hivecast.cdx.json",
                     "/usr/share/hivecast/example/feeds/contracts.yaml", "/etc/hivecast/hivecast.env"):
            self.assertIn(path, listed)
            self.assertIn(" 0/0 ", listed[path])
        shipped = {path.removeprefix("/usr/share/hivecast/") for path in listed if re.match(r"/usr/share/hivecast/spark/.*[^/]$", path)}
        self.assertEqual(shipped, SETTINGS)
        fields = run("dpkg-deb", "--field", DIST / DEB)
        self.assertIn(f"Package: hivecast\nVersion: {VERSION}\nArchitecture: amd64\n", fields)
        self.assertIn("libc6 (>= 2.34)", fields)

    def test_each_environments_settings_are_the_committed_ones_and_its_script_runs(self):
        """The script is started, with a spark-submit that says what it was called with."""
        run("dpkg-deb", "--extract", DIST / DEB, PLACE / "settings")
        submit = PLACE / "spark/bin/spark-submit"
        submit.parent.mkdir(parents=True)
        submit.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
        submit.chmod(0o755)
        for share in (top() / "share", PLACE / "settings/usr/share"):
            for path in sorted(SETTINGS):
                shipped = share / "hivecast" / path
                self.assertEqual(shipped.read_bytes(), (ROOT / "packaging" / path).read_bytes())
                self.assertEqual(shipped.stat().st_mode & 0o777, 0o755 if path.endswith(".sh") else 0o644, path)
                if path.endswith(".sh"):
                    told = run(shipped, "--conf", "a=b", SPARK_HOME=PLACE / "spark").splitlines()
                    self.assertEqual(told[told.index("--properties-file") + 1], str(shipped.with_name("spark.conf")))
                    self.assertEqual(told[-3:], ["--conf", "a=b", "spark-internal"])

    def test_the_binary_is_the_tested_one_without_its_debug_information(self):
        stripped = PLACE / "stripped"
        run("ci/lib/strip", BINARY, stripped)
        self.assertEqual(stripped.read_bytes(), (top() / "bin/hivecast").read_bytes())
        self.assertEqual(run(top() / "bin/hivecast", "--version").strip(), f"hivecast {VERSION}")

    def test_every_linked_crate_is_in_the_list_of_licences_and_in_the_bill_of_materials(self):
        listed = (top() / "share/doc/hivecast/THIRD-PARTY-LICENSES").read_text()
        bom = json.loads((DIST / SBOM).read_text())
        self.assertEqual((bom["bomFormat"], bom["specVersion"]), ("CycloneDX", "1.5"))
        self.assertEqual(bom["metadata"]["component"]["version"], VERSION)
        crates = set(re.findall(r"(?m)^  (\S+ \S+): ", listed))
        components = {f"{c['name']} {c['version']}" for c in bom["components"] if not c["bom-ref"].startswith("path+")}
        self.assertGreater(len(crates), 150)
        self.assertEqual(crates, components)
        for text in ("librdkafka - Apache Kafka C driver library", "Apache License", "Permission is hereby granted"):
            self.assertIn(text, listed)
        self.assertNotIn("proptest", listed)
        self.assertNotIn(str(ROOT), (DIST / SBOM).read_text())

    def test_manual_pages_are_pages(self):
        self.assertIn("hivecast-doctor", PAGES)
        for page in PAGES:
            path = top() / f"share/man/man1/{page}.1"
            run("mandoc", "-T", "lint", "-W", "error", path)
            warned = run("man", "--warnings", "--local-file", path, MANWIDTH=100, LC_ALL="C.UTF-8", PAGER="cat")
            self.assertNotIn("warning:", warned)
            self.assertIn(f"{page} - ", run("lexgrog", path))
            self.assertRegex(path.read_text(), rf'(?m)^\.TH {page} 1 \d{{4}}-\d\d-\d\d "hivecast {VERSION}"')
        self.assertIn("Which environment of the project file",
                      run("mandoc", "-T", "utf8", top() / "share/man/man1/hivecast-build.1"))

    def test_completions_complete(self):
        share = top() / "share"
        run("zsh", "-n", share / "zsh/site-functions/_hivecast")
        run("fish", "--no-execute", share / "fish/vendor_completions.d/hivecast.fish")
        asked = ('. "$1"; COMP_WORDS=(hivecast pub); COMP_CWORD=1; COMP_LINE="hivecast pub"; '
                 '_hivecast hivecast pub hivecast; echo "${COMPREPLY[@]}"')
        bash = run("bash", "-c", asked, "bash", share / "bash-completion/completions/hivecast")
        self.assertEqual(bash.strip(), "publish")
        fish = run("fish", "--no-config", "-c", f"source {share}/fish/vendor_completions.d/hivecast.fish; "
                   "complete -C 'hivecast pub'", HOME=PLACE)
        self.assertIn("publish", fish)

    def test_pages_and_completions_of_a_tar_are_found_as_the_docs_say(self):
        block = re.search(r"```\n(PATH=.*?)```", (ROOT / "docs/install.md").read_text(), re.DOTALL)[1]
        path, pages, bash, zsh, fish = [line.split("  ")[0].replace("/opt/hivecast/current", str(top())) for line in block.splitlines()]
        self.assertEqual(run("bash", "-c", f"{path}; command -v hivecast").strip().rsplit("/", 1)[1], "hivecast")
        self.assertEqual(run("bash", "-c", f"{pages}; man -w hivecast-publish").strip(), f"{top()}/share/man/man1/hivecast-publish.1")
        self.assertIn("hivecast", run("bash", "-c", f"{bash}; complete -p hivecast"))
        self.assertIn("_hivecast", run("zsh", "-f", "-c", f"{zsh}; autoload -U compinit; compinit -u -D; echo $_comps[hivecast]"))
        self.assertIn("publish", run("fish", "--no-config", "-c", f"{fish}; complete -C 'hivecast pub'", HOME=PLACE))

    def test_each_packages_unit_starts_its_own_binary(self):
        run("dpkg-deb", "--extract", DIST / DEB, PLACE / "deb")
        for units, binary, lock in (
                (top() / "lib/systemd/system", "/opt/hivecast/current/bin/hivecast", "/opt/hivecast/run.lock"),
                (PLACE / "deb/usr/lib/systemd/system", "/usr/bin/hivecast", "/var/lib/hivecast/run.lock")):
            text = (units / "hivecast@.service").read_text()
            self.assertIn(f"\nEnvironment=HIVECAST_BINARY={binary}\nEnvironment=HIVECAST_RUN_LOCK={lock}\n", text)
            told = run("systemd-analyze", "verify", "--man=no", units / "hivecast@feed.service", units / "hivecast@feed.timer")
            self.assertEqual(told, "")


class Binary(unittest.TestCase):
    """That it runs on old systems and says nothing of the machine that built it."""

    def test_the_product_passes(self):
        paths = [str(ROOT), str(TARGET), os.environ.get("CARGO_HOME", str(pathlib.Path.home() / ".cargo")),
                 str(pathlib.Path.home() / ".rustup"), str(CACHE)]
        self.assertEqual(check_binary.complaints(top() / "bin/hivecast", paths), [])

    def test_its_crates_are_named_by_a_path_that_every_builder_has(self):
        self.assertIn(b"/cargo/registry/src/", (top() / "bin/hivecast").read_bytes())

    def test_a_newer_symbol_is_told(self):
        self.assertRegex(self.complaint("#include <math.h>\nint main(int c, char **v) { return hypot(c, c); }"),
                         r"needs hypot of glibc 2\.35")

    def test_an_unknown_library_is_told(self):
        self.assertRegex(self.complaint("int crypt(); int main() { return crypt() != 0; }", "-lcrypt"),
                         r"needs libcrypt\.so\.1")

    def test_a_date_of_compilation_is_told_and_the_fixed_one_is_not(self):
        source = 'const char *made = "%s " __DATE__; int main() { return !made; }'
        self.assertRegex(self.complaint(source % "Jan  1 1970"), r"holds a date of compilation, [A-Z][a-z][a-z] [ 123]\d 20\d\d;")
        with scratch() as place:
            (place / "main.c").write_text(source % "")
            run("cc", "-o", place / "good", place / "main.c", SOURCE_DATE_EPOCH=0)
            self.assertEqual(check_binary.complaints(place / "good", []), [])

    def test_a_path_of_the_builder_is_told_and_not_packaged(self):
        source = 'const char *made = "/builders/home/x.rs", *other = "/builders2"; int main() { return !made; }'
        self.assertRegex(self.complaint(source), r"names /builders: /builders/home/x\.rs")
        with scratch() as place:
            (place / "main.c").write_text(f'const char *made = "{ROOT}/x.rs"; int main() {{ return !made; }}')
            run("cc", "-o", place / "bad", place / "main.c")
            told = run("ci/package", "--binary", place / "bad", "--dist", place / "dist", code=2)
            self.assertIn("not fit to be packaged", told)
            self.assertFalse((place / "dist").exists())

    def test_cargo_maps_the_builders_home_away_and_would_name_it_otherwise(self):
        """A small crate with a dependency, built with this workspace's `.cargo` and without its wrapper."""
        home = os.environ.get("CARGO_HOME", str(pathlib.Path.home() / ".cargo"))
        with scratch() as place:
            shutil.copytree(ROOT / ".cargo", place / ".cargo")
            (place / "src").mkdir()
            (place / "Cargo.toml").write_text('[package]\nname = "small"\nedition = "2024"\n\n[dependencies]\nitoa = "1"\n'
                                              '\n[profile.dev]\ndebug = "line-tables-only"\n\n[workspace]\n')
            (place / "src/main.rs").write_text('fn main() { println!("{}", itoa::Buffer::new().format(1)) }\n')
            binary = place / "target/debug/small"
            for wrapper, named in ((None, False), ("", True)):
                run("cargo", "build", "--offline", cwd=place, CARGO_TARGET_DIR=place / "target", RUSTFLAGS=None,
                    RUSTC_WRAPPER=wrapper)
                self.assertEqual(any(check_binary.machine_paths(binary, [home])), named)
                self.assertEqual(b"/cargo/registry/src/" in binary.read_bytes(), not named)
                shutil.rmtree(place / "target")

    def complaint(self, source, *options):
        """The one thing that is wrong with this program."""
        with scratch() as place:
            (place / "main.c").write_text(source)
            run("cc", "-w", "-fno-builtin", "-Wl,--no-as-needed", "-o", place / "bad", place / "main.c", *options,
                *([] if options else ["-lm"]))
            [complaint] = check_binary.complaints(place / "bad", ["/builders"])
            return complaint


class Reproducible(unittest.TestCase):
    """Equal commits, equal bytes."""

    def test_two_checkouts_of_one_commit_give_the_same_packages(self):
        with scratch() as place:
            sums = []
            for number, options in enumerate([{"TZ": "Asia/Tokyo", "umask": "077"}, {"TZ": "UTC", "umask": "002"}]):
                here = checkout(place / ("x" * (1 + 7 * number)) / "checkout")
                run("sh", "-c", f"umask {options.pop('umask')}; exec ci/package --binary {stand_in()}", cwd=here, **options)
                sums.append((here / "dist/SHA256SUMS").read_text())
                run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=here / "dist")
                self.assertEqual(packaged_commit(here / "dist"), run("git", "rev-parse", "HEAD", cwd=here).strip())
            self.assertEqual(*sums)

    def test_what_is_in_no_commit_is_told_and_makes_other_packages(self):
        """Ignored files don't count, the packages themselves among them."""
        with scratch() as place:
            here = checkout(place / "checkout")
            commit = run("git", "rev-parse", "HEAD", cwd=here).strip()
            for path, told in (("reports/x", commit), ("a-new-file", f"{commit}-dirty"), ("README.md", f"{commit}-dirty")):
                (here / path).parent.mkdir(exist_ok=True)
                with (here / path).open("a") as file:
                    file.write("changed\n")
                warned = run("ci/package", "--binary", stand_in(), cwd=here)
                self.assertEqual(packaged_commit(here / "dist"), told, path)
                self.assertEqual(f" {path}\n" in warned, told != commit, warned)
                run("git", "clean", "--quiet", "--force", cwd=here)

    def test_another_time_gives_other_bytes(self):
        """Else the test above would not see the time."""
        with scratch() as place:
            sums = []
            for second in (1, 2):
                run("ci/package", "--binary", stand_in(), "--dist", place / str(second), SOURCE_DATE_EPOCH=second)
                sums.append((place / str(second) / "SHA256SUMS").read_text().splitlines())
            for one, other in zip(*sums, strict=True):
                self.assertNotEqual(one, other)

    # The crates of the workspace, and the C libraries above which little lies. The others (zstd, below DataFusion)
    # would take a quarter of an hour; that they hold no date is a test of the binary.
    COMPILED_AGAIN = ("hivecast", "mimalloc", "rdkafka")
    PROVEN_SECONDS = 7 * 24 * 3600

    def test_a_second_build_from_another_checkout_gives_the_same_binary(self):
        """Compiled again, under another path, into another folder; the other dependencies are this build's, whose
        paths `.cargo/config.toml` maps away. It takes minutes, so what has passed within a week with these
        very sources, compilers and binary is not done again."""
        second = CACHE / "second-build"
        shutil.rmtree(second / "work", ignore_errors=True)
        here, target = checkout(second / "work/checkout"), second / "work/a-target-with-another-name"
        packaged = (top() / "bin/hivecast").read_bytes()
        facts = [run("git", "rev-parse", "HEAD^{tree}", cwd=here), run("rustc", "-vV"), run("cc", "--version")]
        proof = second / hashlib.sha256("".join(facts).encode() + packaged).hexdigest()
        if not (proof.exists() and time.time() - proof.stat().st_mtime < self.PROVEN_SECONDS):
            link_dependencies(TARGET / "release", target / "release", self.COMPILED_AGAIN)
            told = run("cargo", "build", "--release", "--locked", "--package", "hivecast", cwd=here,
                       CARGO_TARGET_DIR=target, RUSTFLAGS=None)
            for crate in ("hivecast", "libmimalloc-sys", "rdkafka-sys"):
                self.assertIn(f"Compiling {crate} ", told)
            self.assertNotIn("Compiling datafusion", told, "the dependencies were to be this build's")
            stripped = target / "stripped"
            run("ci/lib/strip", target / "release/hivecast", stripped)
            self.assertTrue(stripped.read_bytes() == packaged, f"compare {stripped} with {BINARY}, stripped")
            proof.touch()
        shutil.rmtree(second / "work")

    def test_the_callers_environment_compiles_nothing_again(self):
        """RUSTFLAGS is kept from cargo, and `.cargo/config.toml` has an answer of its own to SOURCE_DATE_EPOCH."""
        told = run("ci/build", "--product", SOURCE_DATE_EPOCH=1, RUSTFLAGS="-C debuginfo=0")
        self.assertNotIn("Compiling", told)


def packaged_commit(dist):
    """The commit that the bill of materials names."""
    [commit] = json.loads((dist / SBOM).read_text())["metadata"]["component"]["pedigree"]["commits"]
    return commit["uid"]


def link_dependencies(source, destination, without):
    """What cargo has compiled of crates that don't have one of these names, without copying it."""
    def left_out(_, names):
        return [name for name in names if any(word in name for word in without)]

    destination.mkdir(parents=True)
    shutil.copytree(source / "deps", destination / "deps", copy_function=os.link, ignore=left_out)
    for folder in ("build", ".fingerprint"):
        # With their times, by which cargo knows that they are fresh.
        shutil.copytree(source / folder, destination / folder, symlinks=True, ignore=left_out)


class Sums(unittest.TestCase):
    """Sums and signature."""

    def test_signature_and_sums_verify_until_a_byte_is_flipped(self):
        with scratch() as place:
            key, other = Key(place, "ci", passphrase="of the test"), Key(place, "stranger")
            dist = place / "dist"
            told = run("ci/package", "--binary", stand_in(), "--dist", dist, SIGNING_KEY_FILE=key.secret,
                       SIGNING_PASSPHRASE_FILE=key.passphrase)
            self.assertIn(f"ci/package: warning: {stand_in()} is taken to be of the commit", told)
            steps = [line.split(": ", 1)[1] for line in told.splitlines() if line.startswith("ci/package: ") and "warning" not in line]
            self.assertEqual(steps, ["writing the bill of materials", "gathering binary, manual pages, completions, licences",
                                     "packing the tar.gz", "packing the .deb", "signing the sums", f"made {dist}:"])
            key.verify(dist / "SHA256SUMS")
            other.verify(dist / "SHA256SUMS", code=2)
            run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=dist)
            flip(dist / TAR)
            self.assertIn(f"{TAR}: FAILED", run("sha256sum", "--check", "SHA256SUMS", cwd=dist, code=1))
            flip(dist / "SHA256SUMS")
            key.verify(dist / "SHA256SUMS", code=1)

    def test_a_key_that_is_none_stops_it(self):
        with scratch() as place:
            (place / "key").write_text("no key")
            for key in ("key", "missing"):
                told = run("ci/package", "--binary", stand_in(), "--dist", place / "dist", code=2,
                           SIGNING_KEY_FILE=place / key)
                self.assertIn("key", told.lower())
                self.assertFalse((place / "dist").exists())


def flip(path):
    """Changes one byte in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


class Refusals(unittest.TestCase):
    """What ci/package does not package."""

    def test_a_version_without_its_section_in_the_changelog(self):
        with scratch() as place:
            here = checkout(place / "checkout")
            text = (here / "Cargo.toml").read_text()
            (here / "Cargo.toml").write_text(text.replace(f'version = "{VERSION}"', 'version = "99.0.0"', 1))
            self.assertIn("[99.0.0]", run("ci/package", "--binary", stand_in(), cwd=here, code=2))
            self.assertFalse((here / "dist").exists())

    def test_a_checkout_that_changes_meanwhile(self):
        """A gzip that writes into it; the bill of materials has named the commit before."""
        with scratch() as place:
            here = checkout(place / "checkout")
            gzip = place / "bin/gzip"
            gzip.parent.mkdir()
            gzip.write_text(f'#!/bin/sh\necho changed >>README.md\nexec {shutil.which("gzip")} "$@"\n')
            gzip.chmod(0o755)
            told = run("ci/package", "--binary", stand_in(), cwd=here, code=2, PATH=f"{gzip.parent}:{os.environ['PATH']}")
            self.assertIn("changed while it was packaged", told)
            self.assertFalse((here / "dist").exists())

    def test_an_unknown_option_and_help(self):
        for arguments, wrong in ((["--no-such-option"], "there is no argument --no-such-option"),
                                 (["--dist"], "--dist needs a directory"), (["--binary"], "--binary needs a file"),
                                 (["--binary", "/nonexistent"], "--binary /nonexistent: there is no such file")):
            told = run("ci/package", *arguments, code=2)
            self.assertTrue(told.startswith(f"ci/package: {wrong}\nusage: ci/package"), told)
        for arguments, wrong in ((["--produkt"], "there is no argument --produkt"),
                                 (["--product", "more"], "there is one argument at most, and here are 2: --product more")):
            self.assertIn(f"ci/build: {wrong}\nusage: ci/build", run("ci/build", *arguments, code=2))
        self.assertIn("SIGNING_KEY_FILE", run("ci/package", "--help"))


@unittest.skipUnless(os.geteuid() == 0, "only root makes a system to install into")
class Installed(unittest.TestCase):
    """The .deb on a system that has nothing but Debian's smallest set of packages."""

    # Beside it, the package's own dependencies; kept as an archive, since making it takes a minute.
    ARCHIVE = CACHE / "debian-12-minbase.tar"
    DEPENDENCIES = "libssl3,zlib1g,libgcc-s1"

    def test_it_installs_runs_and_is_removed_without_a_trace(self):
        with scratch() as place:
            root = place / "root"
            self.system(root)
            before = files(root)
            self.install(root)
            self.assertEqual(chroot(root, "hivecast", "--version").strip(), f"hivecast {VERSION}")
            self.assertEqual(chroot(root, "stat", "-c", "%U %a", "/var/lib/hivecast", "/etc/hivecast/credentials"),
                             "hivecast 750\nroot 700\n")
            self.keeps_rights(root)
            self.publishes(root)
            run("systemctl", "--root", root, "enable", "hivecast@contracts.timer")
            self.assertTrue((root / "etc/systemd/system/timers.target.wants/hivecast@contracts.timer").is_symlink())
            chroot(root, "dpkg", "--purge", "hivecast")
            self.assertEqual(sorted(files(root) - before), [])

    def keeps_rights(self, root):
        """What the owner has set since is so after the next version, and what is gone comes back as it was."""
        chroot(root, "sh", "-euc", "chgrp hivecast /etc/hivecast/credentials; chmod 2750 /etc/hivecast/credentials; chmod 0755 /var/lib/hivecast")
        self.install(root)
        folders = ("/var/lib/hivecast", "/etc/hivecast/credentials")
        self.assertEqual(chroot(root, "stat", "-c", "%U:%G %a", *folders), "hivecast:hivecast 755\nroot:hivecast 2750\n")
        chroot(root, "rmdir", *folders)
        self.install(root)
        self.assertEqual(chroot(root, "stat", "-c", "%U:%G %a", *folders), "hivecast:hivecast 750\nroot:root 700\n")

    def install(self, root):
        shutil.copy(DIST / DEB, root / "tmp" / DEB)
        chroot(root, "dpkg", "--install", f"/tmp/{DEB}")
        (root / "tmp" / DEB).unlink()

    def publishes(self, root):
        """The package's example, a day of data, and the publish that README shows, as the package's user."""
        told = chroot(root, "setpriv", "--reuid=hivecast", "--regid=hivecast", "--clear-groups", "sh", "-euc", """
            cd /var/lib/hivecast
            cp -r /usr/share/hivecast/example project
            cd project
            hivecast sample --accounts 500 --days 1 >/dev/null
            hivecast publish --load-date latest
            hivecast publish --load-date latest
            hivecast verify --load-date latest
            rm -r /var/lib/hivecast/project
        """, MASK_KEY="of the test")
        self.assertRegex(told, r"verified +\d+ records")

    def system(self, root):
        """A fresh system, unpacked from the archive that the first test has made."""
        root.mkdir()
        if not self.ARCHIVE.exists():
            CACHE.mkdir(parents=True, exist_ok=True)
            with scratch() as place:
                run("debootstrap", "--variant=minbase", f"--include={self.DEPENDENCIES}", "bookworm", place / "new")
                half = self.ARCHIVE.with_suffix(".tmp")
                run("tar", "--directory", place / "new", "--create", "--file", half, "--exclude=./var/cache/apt/*",
                    "--exclude=./var/lib/apt/lists/*", "--exclude=./dev/*", ".")
                half.rename(self.ARCHIVE)
        run("tar", "--directory", root, "--extract", "--file", self.ARCHIVE)


def chroot(root, *command, **environment):
    """Runs a command in the system, in namespaces of its own: nothing of it outlives the command."""
    return run("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-euc",
               'mount -t proc proc "$1/proc"; mount --bind /dev "$1/dev"; root=$1; shift; exec chroot "$root" "$@"',
               "sh", root, *command, PATH="/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL="C.UTF-8", **environment)


# What dpkg and useradd keep about any package and account, and the account, which owns what was published.
KEPT = re.compile(r"/(var/lib/dpkg/|var/log/|var/cache/|etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$|proc/|dev/|tmp/|run/)")


def files(root):
    """Every path of the system."""
    listed = subprocess.run(["find", root, "-xdev", "-printf", "/%P\n"], check=True, capture_output=True, text=True)
    return {path for path in listed.stdout.splitlines() if not KEPT.match(path)}


if __name__ == "__main__":
    unittest.main()
