"""ci/quality: each check passes what is right, and fails what is planted, on a workspace of one small crate."""

import pathlib
import shutil
import tempfile
import unittest

from steps import ROOT, run

MANIFEST = """\
[package]
name = "scratch"
version = "0.1.0"
edition = "2024"
license = "Apache-2.0"
publish = false

[workspace]
"""
SOURCE = '''\
//! A crate without fault.

/// Adds one, as [`u32::wrapping_add`] does.
pub fn more(number: u32) -> u32 {
    number.wrapping_add(1)
}
'''


class Quality(unittest.TestCase):
    """One planted fault at a time."""

    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="hivecast-quality-test-"))
        self.addCleanup(shutil.rmtree, self.place)
        (self.place / "src").mkdir()
        self.crate()

    def crate(self, manifest=MANIFEST, source=SOURCE):
        """Writes the crate and its lock file."""
        (self.place / "Cargo.toml").write_text(manifest)
        (self.place / "src/lib.rs").write_text(source)
        run("cargo", "generate-lockfile", "--offline", cwd=self.place)

    def dependency(self, name, licence):
        """A crate beside it, which it uses."""
        folder = self.place / name
        (folder / "src").mkdir(parents=True)
        (folder / "src/lib.rs").write_text("//! Nothing.\n")
        (folder / "Cargo.toml").write_text(
            f'[package]\nname = "{name}"\nversion = "1.0.0"\nedition = "2024"\nlicense = "{licence}"\n')
        self.crate(MANIFEST.replace("[workspace]", f'[dependencies]\n{name} = {{ path = "{name}" }}\n\n[workspace]'))

    def quality(self, *checks, code=0):
        """Runs the checks on the crate."""
        return run("ci/quality", "--in", self.place, *checks, code=code, CARGO_TARGET_DIR=self.place / "target")

    def test_a_crate_without_fault_passes_all(self):
        told = self.quality()
        for check in ("fmt", "clippy", "deny", "docs"):
            self.assertIn(f"ci/quality: {check}\n", told)
        self.assertNotIn("failed", told)

    def test_each_check_sees_its_fault_and_the_others_still_run(self):
        self.crate(source=SOURCE.replace("    number", "  number").replace("wrapping_add(1)", "wrapping_add(1 as u32)")
                   .replace("[`u32::wrapping_add`]", "[`u32::no_such`]"))
        told = self.quality(code=1)
        self.assertIn("unnecessary_cast", told)
        self.assertIn("unresolved link to `u32::no_such`", told)
        self.assertIn("ci/quality: failed: fmt clippy docs", told)

    def test_a_warning_in_a_test_fails(self):
        self.crate(source=SOURCE + "\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn it() {\n        let unused = 1;\n    }\n}\n")
        self.assertIn("unused variable", self.quality("clippy", code=1))

    def test_a_forbidden_licence_fails(self):
        self.dependency("copyleft", "GPL-3.0-only")
        told = self.quality("deny", code=1)
        self.assertIn("GPL-3.0-only", told)
        self.assertIn("licenses FAILED", told)

    def test_a_forbidden_crate_fails(self):
        self.dependency("rustls", "Apache-2.0")
        told = self.quality("deny", code=1)
        self.assertIn("OpenSSL is the system's", told)
        self.assertIn("bans FAILED", told)

    def test_an_unknown_check_and_help(self):
        self.assertIn("no check is called clipy", self.quality("clipy", code=2))
        self.assertIn("usage: ci/quality", run("ci/quality", "--help"))
        told = run("ci/quality", "--no-such-option", code=2)
        self.assertTrue(told.startswith("ci/quality: there is no option --no-such-option\nusage: ci/quality"), told)
        told = run("ci/quality", "--in", "/nonexistent", code=2)
        self.assertTrue(told.startswith("ci/quality: --in /nonexistent: there is no such directory\nusage:"), told)
        self.assertIn("ci/quality: --in needs a directory\n", run("ci/quality", "--in", code=2))


class Dependencies(unittest.TestCase):
    """This workspace's own, which needs no compiling."""

    def test_licences_bans_and_sources_are_in_order(self):
        self.assertIn("bans ok, licenses ok, sources ok", run("ci/quality", "--in", ROOT, "deny"))


if __name__ == "__main__":
    unittest.main()
