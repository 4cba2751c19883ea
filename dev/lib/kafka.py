"""One Apache Kafka broker for tests (KRaft, no ZooKeeper), with a plain and a secure listener."""

import base64
import json
import os
import pathlib
import secrets
import subprocess
import uuid

from . import certificates, services
from .services import Lifetime, Running, ServiceError

POM = pathlib.Path(__file__).resolve().parent.parent / "kafka-pom.xml"
DEFAULT_DIRECTORY = "kafka"

# The broker is usually ready within 8 s; a loaded machine takes several times that.
READY_SECONDS = 120
HEAP = "768m"
# Ports are chosen free, but somebody else may take one before the broker binds it.
START_ATTEMPTS = 3

# Topics and ledgers whose name starts so are open to GRANTED_USER.
GRANTED_PREFIX = "granted."
# Hivecast's transactional ids start so.
TRANSACTIONAL_ID_PREFIX = "hivecast."
GRANTED_USER = "hive"
# Exists, and may do nothing.
DENIED_USER = "denied"
USERS = ("admin", GRANTED_USER, DENIED_USER)

# Short-lived command-line JVMs start fastest with these.
QUICK_JVM = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{plain},SECURE://127.0.0.1:{secure},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SECURE://127.0.0.1:{secure}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.secure.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secure.ssl.keystore.type=PEM
listener.name.secure.ssl.keystore.location={broker_pem}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:admin
log.dirs={logs}
auto.create.topics.enable=false
offsets.topic.num.partitions=3
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=3
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=16777216
log.segment.delete.delay.ms=1000
"""


def start(directory, lifetime):
    """Starts a broker whose files all lie in `directory`, and returns when an admin client can
    list the cluster. What an earlier broker left there is kept."""
    services.require("java", "openssl")
    directory = pathlib.Path(directory).resolve()
    if Running.load(directory):
        raise ServiceError(f"a broker already runs in {directory}; stop it first")
    lib = services.jars(POM)
    for name in ("tmp", "logs"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    make_certificates(directory)
    passwords = load_passwords(directory)
    for attempt in range(1, START_ATTEMPTS + 1):
        ports = choose_ports(directory, attempt)
        write_properties(directory, ports)
        format_storage(lib, directory, passwords)
        log = directory / f"broker-{attempt}.log"
        log.unlink(missing_ok=True)
        process = services.launch(java(lib, directory, [f"-Xmx{HEAP}"], "kafka.Kafka", "server.properties"),
                                  directory, log, lifetime)
        running = Running("kafka", process.pid, services.process_start(process.pid), str(directory),
                          environment(directory, ports, passwords))
        running.save()
        try:
            services.wait_until(lambda: services.listens(ports["plain"]), process, READY_SECONDS, "kafka", log)
            grant_and_list(lib, directory, ports["plain"], process)
            return running
        except BaseException as error:
            services.stop(running)
            taken = log.exists() and "Address already in use" in log.read_text(errors="replace")
            if not (taken and isinstance(error, ServiceError)) or attempt == START_ATTEMPTS:
                raise


def choose_ports(directory, attempt):
    """Those of the broker before, so that its clients find it again, or, where that fails, new ones."""
    path = directory / "ports.json"
    if attempt == 1 and path.exists():
        return json.loads(path.read_text())
    ports = dict(zip(("plain", "secure", "controller"), services.free_ports(3)))
    path.write_text(json.dumps(ports))
    return ports


def java(lib, directory, options, main, *arguments):
    return ["java", *options, f"-Djava.io.tmpdir={directory / 'tmp'}",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{lib}/*", main, *arguments]


def environment(directory, ports, passwords):
    """What tests read."""
    return {
        "HIVECAST_TEST_KAFKA": f"127.0.0.1:{ports['plain']}",
        "HIVECAST_TEST_KAFKA_SECURE": f"127.0.0.1:{ports['secure']}",
        "HIVECAST_TEST_KAFKA_CA": str(directory / "ca.pem"),
        "HIVECAST_TEST_KAFKA_OTHER_CA": str(directory / "other-ca.pem"),
        "HIVECAST_TEST_KAFKA_USER": GRANTED_USER,
        "HIVECAST_TEST_KAFKA_PASSWORD": passwords[GRANTED_USER],
        "HIVECAST_TEST_KAFKA_DENIED_USER": DENIED_USER,
        "HIVECAST_TEST_KAFKA_DENIED_PASSWORD": passwords[DENIED_USER],
        "HIVECAST_TEST_KAFKA_GRANTED_PREFIX": GRANTED_PREFIX,
    }


def make_certificates(directory):
    """A test CA, the broker's key and certificate from it, and a CA that signed nothing."""
    broker = directory / "broker.pem"
    if broker.exists():
        return
    for name in ("ca", "other-ca"):
        certificates.make_authority(directory, name)
    certificates.issue(directory, "ca", "broker")
    # The broker wants one file: the PKCS#8 key, then the certificate.
    whole = (directory / "broker.key").read_bytes() + (directory / "broker.crt").read_bytes()
    temporary = directory / "broker.pem.tmp"
    temporary.touch(mode=0o600)
    temporary.write_bytes(whole)
    temporary.rename(broker)


def load_passwords(directory):
    """The users' passwords: random, made on the first start in this directory."""
    path = directory / "users.json"
    if not path.exists():
        temporary = directory / "users.json.tmp"
        temporary.touch(mode=0o600)
        temporary.write_text(json.dumps({user: secrets.token_hex(12) for user in USERS}))
        temporary.rename(path)
    return json.loads(path.read_text())


def write_properties(directory, ports):
    text = PROPERTIES.format(**ports, broker_pem=directory / "broker.pem", logs=directory / "logs")
    (directory / "server.properties").write_text(text)


def format_storage(lib, directory, passwords):
    if (directory / "logs" / "meta.properties").exists():
        return
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    users = []
    for user, password in passwords.items():
        users += ["--add-scram", f"SCRAM-SHA-512=[name={user},password={password}]"]
    tool(java(lib, directory, QUICK_JVM, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}",
              "-c", "server.properties", *users), directory, "the storage tool")


def grant_and_list(lib, directory, port, process):
    """Lists the cluster with an admin client, which proves that it is ready, and grants GRANTED_USER
    exactly what publishing needs. The three run at once, since most of each is JVM start."""
    server = f"127.0.0.1:{port}"

    def grant(resource, prefix, *operations):
        allowed = [word for operation in operations for word in ("--operation", operation)]
        return java(lib, directory, QUICK_JVM, "org.apache.kafka.tools.AclCommand", "--bootstrap-server", server,
                    "--add", "--allow-principal", f"User:{GRANTED_USER}", *allowed, resource, prefix,
                    "--resource-pattern-type", "prefixed")

    commands = {
        "listing the cluster": java(lib, directory, QUICK_JVM, "org.apache.kafka.tools.ClusterTool",
                                    "list-endpoints", "--bootstrap-server", server),
        "granting topics": grant("--topic", GRANTED_PREFIX, "Create", "Describe", "DescribeConfigs", "Read", "Write"),
        "granting transactional ids": grant("--transactional-id", TRANSACTIONAL_ID_PREFIX, "Describe", "Write"),
    }
    started = {what: subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
               for what, command in commands.items()}
    try:
        for what, command in started.items():
            output, _ = command.communicate(timeout=READY_SECONDS)
            if command.returncode != 0 or process.poll() is not None:
                raise ServiceError(f"{what} failed: {output.strip()}")
    except subprocess.TimeoutExpired as error:
        raise ServiceError(f"kafka did not answer an admin client within {READY_SECONDS} s") from error
    finally:
        for command in started.values():
            if command.poll() is None:
                command.kill()
                command.wait()


def tool(command, directory, what):
    done = subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=READY_SECONDS)
    if done.returncode != 0:
        raise ServiceError(f"{what} failed: {done.stdout.strip()}")
