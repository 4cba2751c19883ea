"""ci/test: its JUnit XML tells what cargo and unittest told, and its exit code is theirs."""

import contextlib
import importlib.machinery
import importlib.util
import io
import pathlib
import shutil
import tempfile
import unittest
import xml.etree.ElementTree as xml

from steps import ROOT, checkout, run

SOURCE = """
#[test] fn right() {}
#[test] fn wrong() { println!("seen \\u{1b}[31m& <not>"); assert_eq!(1, 2, "one is not two"); }
#[test] #[ignore = "not today"] fn later() {}
#[test] #[should_panic] fn panics() { panic!() }
"""
DIES = "#[test] fn before() {}\n#[test] fn dies() { std::thread::sleep(std::time::Duration::from_millis(200)); std::process::abort() }"


def load():
    """ci/test, which has no suffix, as a module."""
    loader = importlib.machinery.SourceFileLoader("ci_test", str(ROOT / "ci/test"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("ci_test", loader))
    loader.exec_module(module)
    return module


class Rust(unittest.TestCase):
    """A real `cargo test` of a small crate."""

    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="hivecast-junit-test-"))
        self.addCleanup(shutil.rmtree, self.place)
        (self.place / "src").mkdir()
        (self.place / "tests").mkdir()
        (self.place / "Cargo.toml").write_text('[package]\nname = "small"\nedition = "2024"\n\n[workspace]\n')

    def report(self, source, code, **tests):
        """The report of a crate with that source and those tests, by suite and name."""
        (self.place / "src/lib.rs").write_text(source)
        for name, text in tests.items():
            (self.place / f"tests/{name}.rs").write_text(text)
        file = self.place / "reports/rust.xml"
        # Its lines of failed tests are not this run's.
        with contextlib.redirect_stdout(io.StringIO()):
            ended = load().rust(file, ["cargo", "test", "--offline", "--no-fail-fast", "--manifest-path",
                                       str(self.place / "Cargo.toml"), "--target-dir", str(self.place / "target")])
        self.assertEqual(ended, code)
        return {(suite.get("name"), case.get("name")): case
                for suite in xml.parse(file).getroot() for case in suite}

    def test_every_test_is_told_with_its_outcome_and_output(self):
        cases = self.report(SOURCE, 101, more="#[test] fn one() {}")
        kinds = {name: [child.tag for child in case] for (_, name), case in cases.items()}
        self.assertEqual(kinds, {"right": [], "wrong": ["failure"], "later": ["skipped"], "panics": [], "one": []})
        self.assertEqual({suite for suite, _ in cases}, {"small src/lib.rs", "more tests/more.rs"})
        [failure] = cases[("small src/lib.rs", "wrong")]
        self.assertIn("one is not two", failure.text)
        self.assertIn("seen & <not>", failure.text)

    def test_a_program_that_dies_is_an_error(self):
        cases = self.report("", 101, dies=DIES)
        self.assertEqual([child.tag for child in cases[("dies tests/dies.rs", "the whole program")]], ["error"])

    def test_code_that_does_not_compile_is_an_error(self):
        cases = self.report("fn no", 101)
        self.assertEqual([child.tag for child in cases[("cargo", "cargo test")]], ["error"])


class Delivery(unittest.TestCase):
    """A checkout whose ci/tests has one small module."""

    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="hivecast-junit-test-"))
        self.addCleanup(shutil.rmtree, self.place)
        self.checkout = checkout(self.place / "checkout")
        shutil.rmtree(self.checkout / "ci/tests")
        (self.checkout / "ci/tests").mkdir()

    def report(self, body, code, decorator=""):
        """The report of a module with that test in it, and the last line that was printed."""
        (self.checkout / "ci/tests/test_small.py").write_text(
            f"import unittest\n\nclass Small(unittest.TestCase):\n    {decorator}\n    def test_it(self):\n        {body}\n")
        # As if services ran, since this test asks none; else ci/test calls itself where they do.
        told = run("ci/test", "delivery", cwd=self.checkout, code=code, HIVECAST_TEST_KAFKA="none")
        [suite] = xml.parse(self.checkout / "reports/junit/delivery.xml").getroot()
        [case] = suite
        self.assertEqual((suite.get("name"), case.get("name")), ("test_small", "Small.test_it"))
        self.assertEqual([line for line in told.splitlines() if line.startswith("skipped: ")],
                         [f"skipped: test_small: Small.test_it: {child.get('message')}" for child in case if child.tag == "skipped"])
        return [child.tag for child in case], told.splitlines()[-1]

    def test_its_outcome_is_told_and_is_the_exit_code(self):
        for body, code, kinds, last in (
                ("pass", 0, [], "1 passed, 0 failed"), ("self.fail('so')", 1, ["failure"], "0 passed, 1 failed"),
                ("raise OSError", 1, ["error"], "0 passed, 1 failed"),
                ("self.skipTest('so')", 0, ["skipped"], "0 passed, 0 failed, 1 skipped")):
            self.assertEqual(self.report(body, code), (kinds, last), body)

    def test_what_was_expected_to_fail_is_told_too(self):
        for body, code, kinds, last in (("self.fail('so')", 0, [], "1 passed, 0 failed"), ("pass", 1, ["failure"], "0 passed, 1 failed")):
            self.assertEqual(self.report(body, code, "@unittest.expectedFailure"), (kinds, last), body)

    def test_an_unknown_suite_and_help(self):
        self.assertIn("ci/test: no suite is called java; there are", run("ci/test", "java", code=2))
        self.assertIn("ci/test: unrecognized arguments: --no-such-option", run("ci/test", "--no-such-option", code=2))
        self.assertIn("usage: ci/test", run("ci/test", "--help"))


if __name__ == "__main__":
    unittest.main()
