"""One Sail server for tests, which speaks Spark Connect: PyPI's pysail, in an environment of its own in the
cache."""

import pathlib

from . import services
from .services import Running, ServiceError

DEFAULT_DIRECTORY = "sail"

PACKAGES = ["pysail==0.7.2"]
READY_SECONDS = 60
# A port is chosen free, but somebody else may take it before it is bound.
START_ATTEMPTS = 3


def start(directory, lifetime):
    """Starts a server whose log is in `directory`, and returns when it listens."""
    directory = pathlib.Path(directory).resolve()
    if Running.load(directory):
        raise ServiceError(f"a Sail server already runs in {directory}; stop it first")
    sail = services.python_with("sail-server", PACKAGES).with_name("sail")
    directory.mkdir(parents=True, exist_ok=True)
    for attempt in range(1, START_ATTEMPTS + 1):
        [port] = services.free_ports(1)
        log = directory / f"sail-{attempt}.log"
        log.unlink(missing_ok=True)
        command = [sail, "spark", "server", "--ip", "127.0.0.1", "--port", str(port)]
        process = services.launch(command, directory, log, lifetime)
        running = Running("sail", process.pid, services.process_start(process.pid), str(directory), environment(port))
        running.save()
        try:
            services.wait_until(lambda: services.listens(port), process, READY_SECONDS, "sail", log)
            return running
        except BaseException as error:
            services.stop(running)
            taken = log.exists() and "in use" in log.read_text(errors="replace")
            if not (taken and isinstance(error, ServiceError)) or attempt == START_ATTEMPTS:
                raise


def environment(port):
    """What tests read."""
    return {"HIVECAST_TEST_SAIL": f"sc://127.0.0.1:{port}"}
