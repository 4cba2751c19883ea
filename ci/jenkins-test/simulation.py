"""Checks and runs a Jenkinsfile without a Jenkins, in one Java process for all requests."""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


class SimulationError(Exception):
    """The simulation itself failed; this says nothing about the Jenkinsfile."""


class Simulation:
    """A running simulation; close it, or use it with `with`."""

    def __init__(self):
        classpath = f"{jars()}/*:{HERE}"
        # Java's checks of reflection are newer than this Groovy, which warns of them on every start.
        opened = [f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in ("lang", "util", "io")]
        command = ["java", *opened, "-cp", classpath, "groovy.ui.GroovyMain", str(HERE / "Server.groovy"), str(HERE / "vocabulary.json")]
        self.errors = tempfile.TemporaryFile("w+")
        try:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True)
        except OSError as error:
            raise SimulationError(f"failed to start java: {error.strerror}; install default-jre-headless") from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()

    def check(self, text):
        """The mistakes that Jenkins, or a run of it, would find in the file."""
        return self.ask({"do": "check", "text": text})["errors"]

    def parse(self, text):
        """Whether this is well-formed Groovy; what it says is not looked at."""
        return self.ask({"do": "parse", "text": text})["errors"]

    def calls(self, text):
        """The nested calls of a script of the Job DSL, each a list of its name and its arguments; a block
        is the list of its own."""
        return self.ask({"do": "calls", "text": text})["calls"]

    def run(self, text, **request):
        """One build. `env` has Jenkins' variables, `credentials` the kind of each id, `fail` a list of
        {command: regular expression, stage, result}, `input` is proceed, abort or timeout, `junit` is
        failures, `offline` the labels without an agent, `previous` the results before, newest first. `leaves` has
        for each command the files that it writes: `{always: {path: content}, success: …}`."""
        return self.ask({"do": "run", "text": text, **request})

    def ask(self, request):
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        answer = json.loads(line) if line else {"crash": "java ended early"}
        if "crash" in answer:
            self.errors.seek(0)
            raise SimulationError(f"{answer['crash']}\n{self.errors.read()[-4000:]}")
        return answer


def jars():
    """The folder of the jars, in the cache, fetched through Maven if it is not there."""
    pom = HERE / "pom.xml"
    cache = pathlib.Path(os.environ.get("HIVECAST_CACHE") or pathlib.Path.home() / ".cache" / "hivecast")
    version = hashlib.sha256(pom.read_bytes()).hexdigest()[:12]
    target = cache / "jenkins-test" / version
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    fetched = pathlib.Path(tempfile.mkdtemp(dir=target.parent))
    command = ["mvn", "-B", "-q", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={fetched}", "-DincludeScope=runtime"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except OSError as error:
        raise SimulationError(f"failed to run mvn: {error.strerror}; dev/setup installs maven") from error
    if done.returncode:
        shutil.rmtree(fetched)
        raise SimulationError(f"failed to fetch the jars of {pom}:\n{done.stdout[-2000:]}")
    try:
        # Whole or not there; when two fetch at once, one of them wins.
        fetched.rename(target)
    except OSError:
        shutil.rmtree(fetched)
    return target
