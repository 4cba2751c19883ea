"""ci/settings: what is committed is what the program makes, the same everywhere, and every drift from it is told."""

import json
import os
import pathlib
import re
import shutil
import tempfile
import unittest

from hosts import real_binary
from steps import ROOT, run

FILES = ("spark.conf", "spark-submit.sh")
ENVIRONMENTS = sorted(path.stem for path in (ROOT / "ci/environments").glob("*.yaml"))


class Committed(unittest.TestCase):
    """The settings of this checkout."""

    def test_they_are_those_that_the_program_makes(self):
        told = run("ci/settings", "--check", "--binary", real_binary())
        self.assertEqual(told, f"ci/settings: as the program makes them: {' '.join(ENVIRONMENTS)}\n")

    def test_no_version_is_in_them_so_that_a_new_one_is_no_drift(self):
        for name in ENVIRONMENTS:
            for file, line in zip(FILES, (0, 1)):
                text = (ROOT / "packaging/spark" / name / file).read_text().splitlines()
                self.assertEqual(text[line], "# Made by `hivecast plan`. Change nothing here: plan again.")

    def test_each_environment_has_them(self):
        self.assertEqual(ENVIRONMENTS, sorted(path.name for path in (ROOT / "packaging/spark").iterdir()))
        for name in ENVIRONMENTS:
            found = {path.name for path in (ROOT / "packaging/spark" / name).iterdir()}
            self.assertEqual(found, {"facts.json", "plan.args", *FILES})

    def test_they_are_for_exports_of_the_sizes_that_the_docs_have(self):
        written = dict(re.findall(r"([\d,]+) accounts for (QA|PROD)", (ROOT / "docs/ci.md").read_text()))
        self.assertEqual(sorted(name.lower() for name in written.values()), ENVIRONMENTS)
        for accounts, name in written.items():
            facts = json.loads((ROOT / "packaging/spark" / name.lower() / "facts.json").read_text())
            [rows] = [table["rows"]["value"]["expected"] for table in facts["tables"] if table["table"] == "accounts"]
            self.assertEqual(rows, int(accounts.replace(",", "")))


class Made(unittest.TestCase):
    """On a copy, in which a test may change what it likes. It begins without a drift, also where the checkout has one:
    that is told once, above."""

    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="hivecast-settings-test-"))
        self.addCleanup(shutil.rmtree, self.place)
        self.here = self.copy("checkout")
        self.qa = self.here / "packaging/spark/qa"
        self.settings()

    def copy(self, name):
        """The part of the checkout that the step looks at."""
        here = self.place / name
        for part in ("ci/settings", "ci/lib", "ci/environments", "packaging/spark"):
            (here / part).parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if (ROOT / part).is_dir() else shutil.copy)(ROOT / part, here / part)
        return here

    def settings(self, *arguments, code=0, **options):
        """Runs the step with the program that was built. Whatever it ends with, nothing of it is left behind."""
        temporary = self.place / "tmp"
        temporary.mkdir(exist_ok=True)
        told = run("ci/settings", "--binary", real_binary(), *arguments, code=code, TMPDIR=temporary, **{"cwd": self.here, **options})
        self.assertEqual(list(temporary.iterdir()), [])
        return told

    def files(self, here=None):
        """The bytes and rights of all that is below packaging/spark."""
        return {str(path.relative_to(here or self.here)): (path.read_bytes(), path.stat().st_mode)
                for path in sorted(((here or self.here) / "packaging/spark").rglob("*")) if path.is_file()}

    def change(self, path, old, new):
        """Replaces a text that is there."""
        text = path.read_text()
        self.assertIn(old, text)
        path.write_text(text.replace(old, new))

    def drifts(self, *names, told):
        """--check fails, says that, changes nothing, and tells the one command that mends it; which does."""
        before = self.files()
        said = self.settings("--check", code=1)
        for text in told:
            self.assertIn(text, said)
        self.assertIn(f"run ci/settings {' '.join(names)}, and commit what it makes\n", said)
        self.assertEqual(self.files(), before)
        self.settings(*names)
        self.settings("--check")

    def test_they_are_the_same_when_made_again_and_on_another_machine(self):
        made = self.files()
        one = min(os.sched_getaffinity(0))
        elsewhere = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "COLUMNS": 40, "HIVECAST_ENV": "elsewhere", "HOME": self.place / "home"}
        for number, (prefix, variables) in enumerate(((("sh", "-c"), {}), (("taskset", "--cpu-list", one, "sh", "-c"), elsewhere))):
            with self.subTest(number):
                here = self.copy(f"{'x' * (1 + 20 * number)}/checkout")
                for name in ENVIRONMENTS:
                    for file in FILES:
                        (here / "packaging/spark" / name / file).unlink()
                run(*prefix, f"umask 07{number}; exec ci/settings --binary {real_binary()}", cwd=here, **variables)
                self.assertEqual(self.files(here), made)

    def test_a_second_time_nothing_is_written(self):
        times = {path: path.stat().st_mtime_ns for path in self.qa.iterdir()}
        told = self.settings("qa")
        self.assertIn("packaging/spark/qa/spark.conf is as it was\n", told)
        self.assertIn("ci/settings: qa: contracts, 20", told)
        self.assertNotIn("prod", told)
        self.assertEqual({path: path.stat().st_mtime_ns for path in self.qa.iterdir()}, times)

    def test_a_changed_file_is_told_with_the_difference(self):
        text = (self.qa / "spark.conf").read_text()
        heap = re.search(r"(?m)^spark\.executor\.memory .*$", text)[0]
        self.change(self.qa / "spark.conf", heap, "spark.executor.memory 1m")
        self.drifts("qa", told=["--- packaging/spark/qa/spark.conf\n+++ packaging/spark/qa/spark.conf, as the program makes it\n",
                                f"\n-spark.executor.memory 1m\n+{heap}\n"])
        self.assertEqual((self.qa / "spark.conf").read_text(), text)

    def test_a_changed_script_a_missing_file_and_one_that_can_t_be_run_are_told(self):
        with (self.here / "packaging/spark/prod/spark-submit.sh").open("a") as script:
            script.write("echo more\n")
        (self.qa / "spark.conf").unlink()
        (self.qa / "spark-submit.sh").chmod(0o644)
        self.drifts("prod", "qa", told=["\n-echo more\n", "packaging/spark/qa/spark.conf is missing\n", "packaging/spark/qa/spark-submit.sh is not executable\n"])

    def test_changed_facts_and_a_changed_cluster_are_told_as_what_they_change(self):
        facts = json.loads((self.qa / "facts.json").read_text())
        for level in facts["levels"]:
            for number in ("read", "read_bytes", "rows"):
                level[number]["value"] = {name: value * 50 for name, value in level[number]["value"].items()}
        (self.qa / "facts.json").write_text(json.dumps(facts))
        self.change(self.here / "packaging/spark/prod/plan.args", "--allocation fixed", "--allocation dynamic")
        self.drifts("prod", "qa", told=["\n-spark.dynamicAllocation.enabled false\n", "\n+spark.dynamicAllocation.enabled true\n", "\n+spark.sql.shuffle.partitions "])

    def test_one_environment_may_be_asked_for_alone(self):
        self.change(self.here / "packaging/spark/prod/spark.conf", "spark.executor.cores ", "spark.executor.cores 1")
        self.assertEqual(self.settings("--check", "qa"), "ci/settings: as the program makes them: qa\n")
        self.assertIn("run ci/settings prod,", self.settings("--check", "qa", "prod", code=1))

    def test_an_environment_without_settings_is_told(self):
        shutil.copy(self.here / "ci/environments/qa.yaml", self.here / "ci/environments/uat.yaml")
        for file, advice in (("facts.json", "write it with `hivecast plan --env uat --save-facts packaging/spark/uat/facts.json`"),
                             ("plan.args", "write its cluster into it")):
            for arguments, code in ((["--check"], 1), ([], 2)):
                with self.subTest(file, code=code):
                    told = self.settings(*arguments, code=code)
                    self.assertIn(f"ci/settings: uat has no packaging/spark/uat/{file}; {advice}", told)
                    self.assertIn(", then run ci/settings uat\n", told)
            (self.qa.parent / "uat").mkdir(exist_ok=True)
            shutil.copy(self.qa / file, self.qa.parent / "uat" / file)
        self.drifts("uat", told=["packaging/spark/uat/spark.conf is missing\n"])

    def test_settings_of_no_environment_are_told(self):
        (self.here / "ci/environments/qa.yaml").unlink()
        self.assertIn("packaging/spark/qa is of no environment in ci/environments, and would be packaged", self.settings("--check", code=1))
        self.settings("--check", "prod")

    def test_what_can_t_be_read_is_told_and_nothing_is_changed(self):
        facts, arguments = (self.qa / "facts.json").read_text(), (self.qa / "plan.args").read_text()
        # One before it in order would be written otherwise.
        self.change(self.here / "packaging/spark/prod/spark.conf", "spark.executor.cores ", "spark.executor.cores 1")
        broken = [
            ("facts.json", facts[:-20], "failed to read the facts packaging/spark/qa/facts.json: it is no JSON"),
            ("facts.json", facts.replace('"stored_bytes"', '"bytes"', 1), "qa/facts.json: field tables[0].stored_bytes is missing"),
            ("facts.json", facts.replace('"version": 1', '"version": 99'), "they have version 99"),
            ("plan.args", arguments + "--no-such-option 1\n", "--no-such-option"),
            ("plan.args", arguments.replace("--nodes 3", "--nodes many"), "'many'"),
            ("plan.args", arguments.replace("--node-memory 32GiB", "--node-memory 5GiB"), "there are no settings to write"),
            ("plan.args", arguments.replace("--node-memory 32GiB", "--node-memory 1GiB"), "--reserved-memory 4 GiB leaves Spark nothing"),
            ("plan.args", arguments + "nodes 3\n", "plan.args: 'nodes' is no option; each line has one"),
            ("plan.args", re.sub("(?m)^--threads.*", "", arguments), "plan.args has no --threads; without it"),
            ("plan.args", re.sub("(?m)^--machine-memory.*", "", arguments), "plan.args has no --machine-memory; without it"),
        ]
        for file, text, told in broken:
            with self.subTest(told):
                (self.qa / file).write_text(text)
                before = self.files()
                for mode in ([], ["--check", "qa"]):
                    said = self.settings(*mode, code=2)
                    self.assertIn(told, said)
                    self.assertRegex(said.splitlines()[-1], r"^ci/settings: .*packaging/spark/qa/(facts\.json|plan\.args)")
                self.assertEqual(self.files(), before)
                (self.qa / file).write_text({"facts.json": facts, "plan.args": arguments}[file])

    def test_options_are_read_with_and_without_an_equals_sign_and_a_last_line_without_its_end(self):
        text = re.sub(r"(?m)^(--[a-z-]+) ", r"\t\1=", (self.qa / "plan.args").read_text())
        (self.qa / "plan.args").write_text("# a comment\n\n" + text.rstrip())
        self.settings("--check")

    def test_without_a_program_this_commit_s_is_compiled_and_asked(self):
        """With a ci/build that says so; the real one compiles for minutes."""
        target = self.place / "target"
        (target / "release").mkdir(parents=True)
        (self.here / "ci/build").write_text(f'#!/bin/sh\necho "ci/build $*"\nln -s {real_binary()} "$CARGO_TARGET_DIR/release/hivecast"\n')
        (self.here / "ci/build").chmod(0o755)
        told = run("ci/settings", "--check", cwd=self.here, CARGO_TARGET_DIR=target)
        self.assertTrue(told.startswith("ci/build --product\nci/settings: as the program"), told)

    def test_a_wrong_argument_and_help(self):
        for arguments, wrong in ((["--no-such-option"], "there is no option --no-such-option"), (["--binary"], "--binary needs a file"),
                                 (["--binary", "/nonexistent"], "--binary /nonexistent: there is no such file"),
                                 (["staging"], "there is no environment staging; there are prod qa"),
                                 (["*"], "there is no environment *; there are prod qa"), ([""], "there is no environment ; there are prod qa")):
            told = run("ci/settings", *arguments, code=2, cwd=self.here)
            self.assertTrue(told.startswith(f"ci/settings: {wrong}\nusage: ci/settings"), told)
        told = run("ci/settings", "--help")
        self.assertTrue(told.startswith("usage: ci/settings [--check]"), told)


if __name__ == "__main__":
    unittest.main()
