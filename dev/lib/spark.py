"""One Spark Connect server for tests: Apache Spark, from PyPI's pyspark, in an environment of its own in the
cache."""

import pathlib
import sys

from . import certificates, services
from .services import Running, ServiceError

DEFAULT_DIRECTORY = "spark"
TLS_PROXY = pathlib.Path(__file__).with_name("tls_proxy.py")

PACKAGES = ["pyspark==4.2.0"]
SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"
READY_SECONDS = 120
# A port is chosen free, but somebody else may take it before it is bound.
START_ATTEMPTS = 3
# Tests' tables are small: more tasks a shuffle, as Spark has them by default, are nothing but time.
SHUFFLE_PARTITIONS = 4
MASTER = "local[2]"
DRIVER_MEMORY = "1g"
# What one server needs that others don't.
OPTIONS = {
    "master": {"default": MASTER, "help": "where its tasks run (default: %(default)s)"},
    "local-dir": {"default": None, "help": "where it spills (default: in --dir)"},
    "conf": {"action": "append", "default": [], "metavar": "NAME=VALUE", "help": "a setting of Spark's"},
    "tls": {"action": "store_true", "help": "listen with TLS, too"},
}


def start(directory, lifetime, master=MASTER, local_dir=None, conf=(), tls=False, memory=DRIVER_MEMORY):
    """Starts a server whose files are in `directory`, and returns when it listens. `memory` is the driver's heap, in
    Spark's words; with a local `master` the tasks are in it, too."""
    directory = pathlib.Path(directory).resolve()
    if Running.load(directory):
        raise ServiceError(f"a Spark server already runs in {directory}; stop it first")
    services.require("java")
    python = services.python_with("spark-server", PACKAGES)
    temporary = directory / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    for attempt in range(1, START_ATTEMPTS + 1):
        [port] = services.free_ports(1)
        log = directory / f"spark-{attempt}.log"
        log.unlink(missing_ok=True)
        process = services.launch([*environ(python, directory, local_dir), *submit(python, directory, port, conf),
                                   "--master", master, "--driver-memory", memory,
                                   "--class", SERVER, "spark-internal"], directory, log, lifetime)
        running = Running("spark", process.pid, services.process_start(process.pid), str(directory), environment(port))
        running.save()
        try:
            services.wait_until(lambda: services.listens(port), process, READY_SECONDS, "spark", log)
            if tls:
                start_tls(running, port, directory, lifetime)
            return running
        except BaseException as error:
            services.stop(running)
            taken = log.exists() and "BindException" in log.read_text(errors="replace")
            if not (taken and isinstance(error, ServiceError)) or attempt == START_ATTEMPTS:
                raise


def start_tls(running, target, directory, lifetime):
    """Spark has no TLS of its own here: in a cluster something in front of it speaks it."""
    services.require("openssl")
    certificates.make_authority(directory, "ca")
    certificates.issue(directory, "ca", "server")
    [port] = services.free_ports(1)
    log = directory / "tls.log"
    command = [sys.executable, TLS_PROXY, str(port), str(target), "server.crt", "server.key"]
    process = services.launch(command, directory, log, lifetime)
    running.processes["tls"] = (process.pid, services.process_start(process.pid))
    running.env |= {"HIVECAST_TEST_SPARK_TLS": f"sc://localhost:{port}/;use_ssl=true",
                    "HIVECAST_TEST_SPARK_CA": str(directory / "ca.pem")}
    running.save()
    services.wait_until(lambda: services.listens(port), process, READY_SECONDS, "the TLS proxy", log)


def environment(port):
    """What tests read."""
    return {"HIVECAST_TEST_SPARK": f"sc://127.0.0.1:{port}"}


def home(python):
    [found] = python.parent.parent.glob("lib/python*/site-packages/pyspark")
    return found


def environ(python, directory, local_dir):
    return ["env", f"SPARK_HOME={home(python)}", f"SPARK_LOCAL_DIRS={local_dir or directory / 'tmp'}",
            "SPARK_LOCAL_IP=127.0.0.1"]


def submit(python, directory, port, conf):
    temporary = directory / "tmp"
    settings = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": port,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": SHUFFLE_PARTITIONS,
        "spark.sql.warehouse.dir": directory / "warehouse",
        "spark.ui.enabled": "false",
        "spark.driver.extraJavaOptions": f"-Djava.io.tmpdir={temporary} -Dderby.system.home={directory}",
        **dict(setting.split("=", 1) for setting in conf),
    }
    options = [option for name, value in settings.items() for option in ("--conf", f"{name}={value}")]
    return [home(python) / "bin" / "spark-submit", *options]
