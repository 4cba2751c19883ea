"""What ci/deploy, ci/rollback and ci/regress share; docs/deploy.md explains how it works."""

import pathlib

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]

# Exit codes, with the meanings that hivecast gives them.
BUG = 1
USAGE = 2
INFRASTRUCTURE = 10
UNFIT = 20
DENIED = 30
HELD = 40
INTERRUPTED = 130


class Failure(Exception):
    """Why a command ends, with its exit code; the text says what was attempted and what to do."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code
