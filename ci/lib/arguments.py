"""The arguments of steps whose docstring is their whole help."""

import argparse
import sys


class Parser(argparse.ArgumentParser):
    """Prints the docstring as it is, and a mistake behind the step's name; argparse would add a list of the options
    that says less."""

    def __init__(self, step, text):
        super().__init__(prog=step, add_help=False)
        self.text = text
        self.add_argument("--help", "-h", action="store_true")

    def parse_args(self, args=None, namespace=None):
        # Before the others, which may be wrong.
        if {"--help", "-h"} & set(sys.argv[1:] if args is None else args):
            print(self.text.strip())
            sys.exit(0)
        return super().parse_args(args, namespace)

    def error(self, message):
        print(f"{self.prog}: {message}; --help tells how it is called", file=sys.stderr)
        sys.exit(2)
