"""The command line that every service has: start, stop, status, env, run."""

import argparse
import functools
import shlex
import signal
import sys

from . import services
from .services import Lifetime, Running, ServiceError


def main(service, summary, more=None):
    """Runs `service`, a module with DEFAULT_DIRECTORY and `start(directory, lifetime)`; what its OPTIONS name,
    where it has such, `start` takes as well. `more` has further actions by name, each a function of the
    running service."""
    more = more or {}
    options = getattr(service, "OPTIONS", {})
    parser = argparse.ArgumentParser(prog=f"dev/{service.DEFAULT_DIRECTORY}", description=summary)
    parser.add_argument("action", choices=("start", "stop", "status", "env", "run", *more))
    parser.add_argument("--dir", default=str(services.cache_dir() / service.DEFAULT_DIRECTORY),
                        help="where the service keeps its files (default: %(default)s)")
    for name, keywords in options.items():
        parser.add_argument(f"--{name}", **keywords)
    arguments = parser.parse_args()
    chosen = {name: getattr(arguments, name) for name in (option.replace("-", "_") for option in options)}
    start = functools.partial(service.start, arguments.dir, **chosen)
    try:
        sys.exit(run(service, start, arguments, more))
    except ServiceError as error:
        services.say(str(error))
        sys.exit(1)


def run(service, start, arguments, more):
    running = Running.load(arguments.dir)
    if arguments.action == "start":
        print_env(running or start(Lifetime.DETACHED))
    elif arguments.action == "run":
        run_until_input_ends(start)
    elif running is None:
        services.say(f"no {service.DEFAULT_DIRECTORY} runs in {arguments.dir}")
        # Stopping what does not run is no failure.
        return 0 if arguments.action == "stop" else 3
    elif arguments.action == "stop":
        services.stop(running)
        services.say(f"{running.name} (process {running.pid}) stopped")
    elif arguments.action == "status":
        address = next(iter(running.env.values()))
        print(f"{running.name} runs as process {running.pid} at {address}, files in {running.directory}")
    elif arguments.action == "env":
        print_env(running)
    else:
        more[arguments.action](running)
    return 0


def run_until_input_ends(start):
    """For who starts it as a child: however the parent ends, the pipe to us ends with it, and we stop the
    service."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(128 + signal.SIGTERM))
    running = start(Lifetime.WITH_PARENT)
    try:
        print_env(running)
        sys.stdin.buffer.read()
    finally:
        services.stop(running)


def print_env(running):
    for name, value in running.env.items():
        print(f"export {name}={shlex.quote(value)}")
    sys.stdout.flush()
