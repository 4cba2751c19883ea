#!/usr/bin/env python3
"""usage: changelog.py VERSION

Prints the section of VERSION in CHANGELOG.md, without its heading. Fails if the newest section is
another version's, or says nothing.
"""

import pathlib
import re
import sys

FILE = pathlib.Path(__file__).resolve().parents[2] / "CHANGELOG.md"
HEADING = re.compile(r"^## \[([^\]]+)\]( - \d{4}-\d{2}-\d{2})?$", re.MULTILINE)


class Behind(Exception):
    """The changelog does not say what is new in this version."""


def section(text, version):
    """The text between the version's heading and the next one."""
    headings = [heading for heading in HEADING.finditer(text) if heading[1] != "Unreleased"]
    if not headings or headings[0][1] != version or not headings[0][2]:
        newest = headings[0][0] if headings else "none"
        raise Behind(f"the newest section of {FILE.name} is {newest!r}, not '## [{version}] - YYYY-MM-DD'")
    end = headings[1].start() if len(headings) > 1 else len(text)
    body = text[headings[0].end():end].strip()
    if not body:
        raise Behind(f"the section {headings[0][0]!r} of {FILE.name} is empty")
    return body


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        print(section(FILE.read_text(), sys.argv[1]))
    except Behind as behind:
        sys.exit(f"changelog: {behind}")
