"""Hive Metastore servers for tests: one of Hive 4, one of Hive 3, each with an embedded Derby."""

import enum
import json
import pathlib

from . import services
from .services import Running, ServiceError

DEV = pathlib.Path(__file__).resolve().parent.parent

# A server is usually ready within 10 s, its schema made; a loaded machine takes several times that.
READY_SECONDS = 120
HEAP = "256m"
# Ports are chosen free, but somebody else may take one before the server binds it.
START_ATTEMPTS = 3

SITE = """\
<?xml version="1.0"?>
<configuration>
{properties}
</configuration>
"""


class FirstStart(enum.Enum):
    """What the first start on a new database is good for. A server tries once, at its start, whether it
    can query its database directly. Version 3 does so before it has made its schema, fails, and goes a
    slow way until it is started again: not the one that users' servers go."""

    SERVES = enum.auto()
    ONLY_MAKES_THE_SCHEMA = enum.auto()


class Server:
    """One version of the server: a service as `with-services` wants it."""

    def __init__(self, major, first_start, properties):
        self.name = f"metastore-{major}"
        self.DEFAULT_DIRECTORY = self.name
        self.pom = DEV / f"metastore-{major}-pom.xml"
        self.variable = f"HIVECAST_TEST_METASTORE_{major}"
        self.first_start = first_start
        self.properties = properties

    def start(self, directory, lifetime):
        """Starts a server whose files all lie in `directory`, and returns when it listens, which it
        does only when its database is open. What an earlier one left there is kept."""
        services.require("java")
        directory = pathlib.Path(directory).resolve()
        if Running.load(directory):
            raise ServiceError(f"a metastore already runs in {directory}; stop it first")
        lib = services.jars(self.pom)
        for name in ("tmp", "conf"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        self.write_site(directory)
        if self.first_start is FirstStart.ONLY_MAKES_THE_SCHEMA and not (directory / "metastore_db").exists():
            services.stop(self.run(lib, directory, services.Lifetime.WITH_PARENT))
            # For an instant the port of a process that ends still answers, as if the next one listened.
            (directory / "port.json").unlink()
        return self.run(lib, directory, lifetime)

    def run(self, lib, directory, lifetime):
        """Starts a server where all is prepared."""
        for attempt in range(1, START_ATTEMPTS + 1):
            port = choose_port(directory, attempt)
            log = directory / f"server-{attempt}.log"
            log.unlink(missing_ok=True)
            process = services.launch(command(lib, directory, port), directory, log, lifetime)
            running = Running(self.name, process.pid, services.process_start(process.pid), str(directory),
                              {self.variable: f"thrift://127.0.0.1:{port}"})
            running.save()
            try:
                services.wait_until(lambda: services.listens(port), process, READY_SECONDS, self.name, log)
                return running
            except BaseException as error:
                services.stop(running)
                taken = log.exists() and "Could not create ServerSocket" in log.read_text(errors="replace")
                if not (taken and isinstance(error, ServiceError)) or attempt == START_ATTEMPTS:
                    raise

    def write_site(self, directory):
        settings = {
            "javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={directory / 'metastore_db'};create=true",
            "metastore.warehouse.dir": f"file:{directory / 'warehouse'}",
            "metastore.warehouse.external.dir": f"file:{directory / 'warehouse'}",
            "metastore.thrift.bind.host": "127.0.0.1",
            "datanucleus.schema.autoCreateAll": "true",
            "metastore.schema.verification": "false",
            **self.properties,
        }
        text = "\n".join(f"  <property><name>{name}</name><value>{value}</value></property>"
                         for name, value in settings.items())
        (directory / "conf" / "metastore-site.xml").write_text(SITE.format(properties=text))


def choose_port(directory, attempt):
    """That of the server before, so that its clients find it again, or, where that fails, a new one."""
    path = directory / "port.json"
    if attempt == 1 and path.exists():
        return json.loads(path.read_text())
    port = services.free_ports(1)[0]
    path.write_text(json.dumps(port))
    return port


def command(lib, directory, port):
    return ["java", f"-Xmx{HEAP}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            f"-Djava.io.tmpdir={directory / 'tmp'}", f"-Dderby.stream.error.file={directory / 'derby.log'}",
            "-Dlog4j2.level=WARN", "-cp", f"{directory / 'conf'}:{lib}/*",
            "org.apache.hadoop.hive.metastore.HiveMetaStore", "-p", str(port)]


HIVE_4 = Server(4, FirstStart.SERVES, {})
HIVE_3 = Server(3, FirstStart.ONLY_MAKES_THE_SCHEMA, {
    # The defaults are classes of Hive itself, which is more than the server's own jars.
    "metastore.expression.proxy": "org.apache.hadoop.hive.metastore.DefaultPartitionExpressionProxy",
    "metastore.task.threads.always": "org.apache.hadoop.hive.metastore.events.EventCleanerTask",
})
SERVERS = [HIVE_4, HIVE_3]
