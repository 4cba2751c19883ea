"""One S3-compatible server for tests: moto, from PyPI, in an environment of its own in the cache."""

import pathlib
import urllib.request

from . import services
from .services import Running, ServiceError

DEFAULT_DIRECTORY = "s3"

# `s3` brings what the S3 service needs, `server` the web server.
PACKAGE = "moto[s3,server]==5.1.0"
SERVER = pathlib.Path(__file__).resolve().parent / "s3_server.py"
READY_SECONDS = 60
# A port is chosen free, but somebody else may take it before it is bound.
START_ATTEMPTS = 3

ACCESS_KEY_ID = "test"
SECRET_ACCESS_KEY = "secret-of-the-test"
REGION = "us-east-1"
# Made when the server starts. Like all that it stores, it lives in its memory.
BUCKET = "hivecast-test"


def start(directory, lifetime):
    """Starts a server whose log is in `directory`, and returns when it has its bucket. What an earlier one
    stored is gone."""
    directory = pathlib.Path(directory).resolve()
    if Running.load(directory):
        raise ServiceError(f"an S3 server already runs in {directory}; stop it first")
    python = services.python_with("s3-server", [PACKAGE])
    directory.mkdir(parents=True, exist_ok=True)
    for attempt in range(1, START_ATTEMPTS + 1):
        [port] = services.free_ports(1)
        log = directory / f"s3-{attempt}.log"
        log.unlink(missing_ok=True)
        process = services.launch([python, SERVER, str(port), ACCESS_KEY_ID, SECRET_ACCESS_KEY], directory, log, lifetime)
        running = Running("s3", process.pid, services.process_start(process.pid), str(directory), environment(port))
        running.save()
        try:
            services.wait_until(lambda: services.listens(port), process, READY_SECONDS, "s3", log)
            make_bucket(running, BUCKET)
            return running
        except BaseException as error:
            services.stop(running)
            taken = log.exists() and "in use" in log.read_text(errors="replace")
            if not (taken and isinstance(error, ServiceError)) or attempt == START_ATTEMPTS:
                raise


def environment(port):
    """What tests read."""
    return {
        "HIVECAST_TEST_S3": f"http://127.0.0.1:{port}",
        "HIVECAST_TEST_S3_BUCKET": BUCKET,
        "HIVECAST_TEST_S3_REGION": REGION,
        "HIVECAST_TEST_S3_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "HIVECAST_TEST_S3_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
    }


def make_bucket(running, name):
    """Makes a bucket, which is all that the server allows without a key."""
    request = urllib.request.Request(f"{running.env['HIVECAST_TEST_S3']}/{name}", method="PUT")
    # Loopback goes through no proxy.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(request, timeout=READY_SECONDS).close()
    except OSError as error:
        raise ServiceError(f"the S3 server made no bucket: {error}") from error
