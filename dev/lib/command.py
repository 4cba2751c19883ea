"""The command line that every service has: start, stop, status, env."""

import argparse
import shlex
import sys

from . import services
from .services import Lifetime, Running, ServiceError


def main(service, summary, more=None):
    """Runs `service`, a module with DEFAULT_DIRECTORY and `start(directory, lifetime)`. `more` has further
    actions by name, each a function of the running service."""
    more = more or {}
    parser = argparse.ArgumentParser(prog=f"dev/{service.DEFAULT_DIRECTORY}", description=summary)
    parser.add_argument("action", choices=("start", "stop", "status", "env", *more))
    parser.add_argument("--dir", default=str(services.cache_dir() / service.DEFAULT_DIRECTORY),
                        help="where the service keeps its files (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        sys.exit(run(service, arguments, more))
    except ServiceError as error:
        services.say(str(error))
        sys.exit(1)


def run(service, arguments, more):
    running = Running.load(arguments.dir)
    if arguments.action == "start":
        print_env(running or service.start(arguments.dir, Lifetime.DETACHED))
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


def print_env(running):
    for name, value in running.env.items():
        print(f"export {name}={shlex.quote(value)}")
