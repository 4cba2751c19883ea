"""What README.md shows of a run is what the demo's run prints."""

import pathlib
import re
import shutil
import tempfile
import unittest

from steps import BINARY, ROOT, run

# How long it took, how much memory it took, and where the demo is.
DIFFERS = [(r"\d+\.\d+ s\b", "TIME"), (r"\d+\.\d+ MiB at most", "MEMORY"), (r"to dir \S+/topics,", "to dir topics,")]


def alike(text):
    """The text without what differs from run to run."""
    for pattern, name in DIFFERS:
        text = re.sub(pattern, name, text)
    return text.strip()


class Sample(unittest.TestCase):
    """The commands of dev/demo, which a reader is told to try."""

    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="hivecast-readme-")) / "demo"
        self.addCleanup(shutil.rmtree, self.place.parent)

    def test_the_output_is_the_real_one(self):
        demo = (ROOT / "dev/demo").read_text()
        accounts = re.search(r"HIVECAST_DEMO_ACCOUNTS:-(\d+)", demo)[1]
        [sample] = re.findall(r"^run (--quiet sample .*)$", demo, re.MULTILINE)
        [day] = set(re.findall(r"^run --quiet publish --load-date (\S+22)$", demo, re.MULTILINE))
        run(BINARY, "--quiet", "init", self.place)
        run(BINARY, *sample.replace('"$accounts"', accounts).split(), cwd=self.place)
        run(BINARY, "--quiet", "publish", "--load-date", "2026-11-21", cwd=self.place)
        printed = run(BINARY, "--quiet", "publish", "--load-date", day, cwd=self.place)
        [shown] = re.findall(rf"\$ hivecast publish --load-date {day}\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
        self.assertEqual(alike(shown), alike(printed))


if __name__ == "__main__":
    unittest.main()
