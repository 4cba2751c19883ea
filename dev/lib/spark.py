"""One Spark Connect server for tests: Apache Spark, from PyPI's pyspark, in an environment of its own in the
cache."""

import pathlib

from . import services
from .services import Running, ServiceError

DEFAULT_DIRECTORY = "spark"

PACKAGES = ["pyspark==4.2.0"]
SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"
READY_SECONDS = 120
# A port is chosen free, but somebody else may take it before it is bound.
START_ATTEMPTS = 3
# Tests' tables are small: more tasks a shuffle, as Spark has them by default, are nothing but time.
SHUFFLE_PARTITIONS = 4
DRIVER_MEMORY = "1g"


def start(directory, lifetime, memory=DRIVER_MEMORY):
    """Starts a server whose files are in `directory`, and returns when it listens. `memory` is its heap's, in
    Spark's words: driver and executor are one process."""
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
        process = services.launch(command(python, directory, port, memory), directory, log, lifetime)
        running = Running("spark", process.pid, services.process_start(process.pid), str(directory), environment(port))
        running.save()
        try:
            services.wait_until(lambda: services.listens(port), process, READY_SECONDS, "spark", log)
            return running
        except BaseException as error:
            services.stop(running)
            taken = log.exists() and "BindException" in log.read_text(errors="replace")
            if not (taken and isinstance(error, ServiceError)) or attempt == START_ATTEMPTS:
                raise


def environment(port):
    """What tests read."""
    return {"HIVECAST_TEST_SPARK": f"sc://127.0.0.1:{port}"}


def command(python, directory, port, memory):
    [home] = python.parent.parent.glob("lib/python*/site-packages/pyspark")
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
    }
    options = [option for name, value in settings.items() for option in ("--conf", f"{name}={value}")]
    return ["env", f"SPARK_HOME={home}", f"SPARK_LOCAL_DIRS={temporary}", "SPARK_LOCAL_IP=127.0.0.1",
            home / "bin" / "spark-submit", "--master", "local[2]", "--driver-memory", memory, *options,
            "--class", SERVER, "spark-internal"]
