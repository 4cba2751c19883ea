"""One HDFS name node and one data node for tests, as two processes, so that a test can end the one and
keep the other."""

import json
import pathlib
import shutil
import subprocess
import urllib.request
from xml.sax.saxutils import escape

from . import services
from .services import Running, ServiceError

POM = pathlib.Path(__file__).resolve().parent.parent / "hdfs-pom.xml"
DEFAULT_DIRECTORY = "hdfs"

# Both are usually ready within 6 s; a loaded machine takes several times that.
READY_SECONDS = 120
# Ports are chosen free, but somebody else may take one before it is bound.
START_ATTEMPTS = 3
NAME_NODE = "org.apache.hadoop.hdfs.server.namenode.NameNode"
DATA_NODE = "org.apache.hadoop.hdfs.server.datanode.DataNode"
ADMIN = "org.apache.hadoop.hdfs.tools.DFSAdmin"

# The smallest that a name node allows, so that small files of tests have several blocks.
BLOCK_BYTES = 1 << 20

JVM = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "--add-opens=java.base/java.lang=ALL-UNNAMED"]

# The pages that both nodes want to serve; the jars that have them are some that only Hadoop's own tests need.
PAGES = ("hdfs", "datanode", "static")


def start(directory, lifetime):
    """Starts both nodes with their files in `directory`, and returns when files can be written. What earlier
    ones left there is kept."""
    services.require("java")
    directory = pathlib.Path(directory).resolve()
    if Running.load(directory):
        raise ServiceError(f"a name node already runs in {directory}; stop it first")
    lib = services.jars(POM)
    for name in ("tmp", "name", "data", *(f"conf/webapps/{page}" for page in PAGES)):
        (directory / name).mkdir(parents=True, exist_ok=True)
    for attempt in range(1, START_ATTEMPTS + 1):
        ports = choose_ports(directory, attempt)
        write_configuration(directory, ports)
        format_storage(lib, directory)
        try:
            return launch(lib, directory, ports, attempt, lifetime)
        except ServiceError:
            logs = [directory / f"{name}-{attempt}.log" for name in ("namenode", "datanode")]
            taken = any("BindException" in log.read_text(errors="replace") for log in logs if log.exists())
            if not taken or attempt == START_ATTEMPTS:
                raise


def launch(lib, directory, ports, attempt, lifetime):
    nodes, logs = {}, {}
    running = None
    try:
        for name, main in (("namenode", NAME_NODE), ("datanode", DATA_NODE)):
            logs[name] = directory / f"{name}-{attempt}.log"
            logs[name].unlink(missing_ok=True)
            nodes[name] = services.launch(java(lib, directory, main), directory, logs[name], lifetime)
            pid = nodes[name].pid
            if running is None:
                running = Running("hdfs", pid, services.process_start(pid), str(directory), environment(directory, ports))
            else:
                running.processes[name] = (pid, services.process_start(pid))
            running.save()

        def ready():
            if nodes["datanode"].poll() is not None:
                raise ServiceError(f"the data node ended while starting{services.tail(logs['datanode'])}")
            return is_ready(ports["web"])

        services.wait_until(ready, nodes["namenode"], READY_SECONDS, "hdfs", logs["namenode"])
        return running
    except BaseException:
        if running is not None:
            services.stop(running)
        raise


def is_ready(port):
    """Whether the name node has left safe mode and knows a data node that lives."""
    address = f"http://127.0.0.1:{port}/jmx?qry=Hadoop:service=NameNode,name="
    try:
        return (bean(address + "NameNodeInfo")["Safemode"] == ""
                and bean(address + "FSNamesystemState")["NumLiveDataNodes"] == 1)
    except (OSError, ValueError, LookupError):
        return False


def bean(address):
    # Loopback goes through no proxy.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(address, timeout=5) as answer:
        return json.load(answer)["beans"][0]


def choose_ports(directory, attempt):
    """Those of the nodes before, so that their clients find them again, or, where that fails, new ones."""
    path = directory / "ports.json"
    if attempt == 1 and path.exists():
        return json.loads(path.read_text())
    names = ("name", "web", "data", "data_web", "data_ipc")
    ports = dict(zip(names, services.free_ports(len(names))))
    path.write_text(json.dumps(ports))
    return ports


def environment(directory, ports):
    """What tests read."""
    return {
        "HIVECAST_TEST_HDFS": f"hdfs://127.0.0.1:{ports['name']}",
        "HIVECAST_TEST_HDFS_CONF": str(directory / "conf"),
    }


def write_configuration(directory, ports):
    """As Hadoop's own, which is also what a client may be pointed to."""
    local = "127.0.0.1"
    write_xml(directory / "conf" / "core-site.xml", {
        "fs.defaultFS": f"hdfs://{local}:{ports['name']}",
        "hadoop.tmp.dir": directory / "tmp",
    })
    write_xml(directory / "conf" / "hdfs-site.xml", {
        "dfs.namenode.name.dir": (directory / "name").as_uri(),
        "dfs.datanode.data.dir": (directory / "data").as_uri(),
        "dfs.namenode.http-address": f"{local}:{ports['web']}",
        "dfs.datanode.address": f"{local}:{ports['data']}",
        "dfs.datanode.http.address": f"{local}:{ports['data_web']}",
        "dfs.datanode.ipc.address": f"{local}:{ports['data_ipc']}",
        "dfs.datanode.hostname": local,
        "dfs.namenode.safemode.extension": 0,
        "dfs.replication": 1,
        "dfs.blocksize": BLOCK_BYTES,
        # Whoever started it may do anything, everybody else what a file's mode says.
        "dfs.permissions.enabled": "true",
    })


def write_xml(path, properties):
    lines = ["<configuration>"]
    for name, value in properties.items():
        lines.append(f"  <property><name>{name}</name><value>{escape(str(value))}</value></property>")
    path.write_text("\n".join([*lines, "</configuration>", ""]))


def format_storage(lib, directory):
    if (directory / "name" / "current").exists():
        return
    shutil.rmtree(directory / "data")
    (directory / "data").mkdir()
    tool(java(lib, directory, NAME_NODE, "-format", "-force", "-nonInteractive"), directory, "formatting the name node")


def safe_mode(running, action):
    """Has the name node `enter` or `leave` safe mode, in which nothing can be written."""
    directory = pathlib.Path(running.directory)
    tool(java(services.jars(POM), directory, ADMIN, "-safemode", action), directory, f"to {action} safe mode")


def java(lib, directory, main, *arguments):
    return ["java", *JVM, f"-Djava.io.tmpdir={directory / 'tmp'}", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-cp", f"{directory / 'conf'}:{lib}/*", main, *arguments]


def tool(command, directory, what):
    done = subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=READY_SECONDS)
    if done.returncode != 0:
        raise ServiceError(f"{what} failed: {done.stdout.strip()}")
