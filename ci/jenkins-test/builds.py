"""Builds of our Jenkinsfile in the simulation, and what a test asks of them."""

import functools
import pathlib

import yaml

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
JENKINSFILE = REPOSITORY / "Jenkinsfile"
CASC = REPOSITORY / "ci" / "jenkins" / "casc.yaml"

# The simulation gives it to every build.
BUILD_URL = "https://jenkins/job/7/"
BY_CI, BY_RELEASE = "signed by the CI key", "signed by the release key"
SIGNATURE = "dist/SHA256SUMS.asc"
# What each command writes into its workspace. Results of tests and reports are there also when it fails.
LEAVES = {
    "ci/test": {"always": {"reports/junit/rust.xml": "results", "reports/junit/delivery.xml": "results"}},
    "ci/package": {"success": {"dist/hivecast.tar.gz": "package", SIGNATURE: BY_CI}},
    "ci/release": {"success": {SIGNATURE: BY_RELEASE}},
    "ci/deploy qa": {"always": {"reports/deploy-qa.json": "report"}},
    "ci/regress qa": {"always": {"reports/regress-qa.json": "report"}},
    "ci/deploy prod": {"always": {"reports/deploy-prod.json": "report"}},
    "ci/deploy prod --smoke-only": {"always": {"reports/smoke-prod.json": "report"}},
}


@functools.cache
def credentials():
    """The kind of each credential of casc.yaml, by its id."""
    configured = yaml.safe_load(CASC.read_text())["credentials"]["system"]["domainCredentials"]
    return {
        credential["id"]: kind
        for domain in configured
        for entry in domain["credentials"]
        for kind, credential in entry.items()
        # A build gets no hold of what has system scope.
        if credential.get("scope") != "SYSTEM"
    }


@functools.cache
def variables():
    """What casc.yaml sets for every agent."""
    (properties,) = yaml.safe_load(CASC.read_text())["jenkins"]["globalNodeProperties"]
    return {entry["key"]: entry["value"] for entry in properties["envVars"]["env"]}


class Build:
    """What a build did: its trace, asked for by stage, step or command."""

    def __init__(self, answer):
        self.result = answer["result"]
        self.error = answer["error"]
        self.trace = answer["trace"]

    def events(self, kind):
        return [event for event in self.trace if event.get("event") == kind]

    def steps(self, name):
        return [event for event in self.trace if event.get("step") == name]

    @property
    def stages(self):
        """The names of the stages with steps that began, in order."""
        started = [event["stage"] for event in self.events("start")]
        parents = {stage.rpartition("/")[0] for stage in started}
        return [stage.rpartition("/")[2] for stage in started if stage not in parents]

    @property
    def commands(self):
        return [step["arguments"]["script"] for step in self.steps("sh")]

    @property
    def archived(self):
        """Which files were archived in which stage."""
        return [(step["stage"].partition("/post:")[0], step["arguments"]["artifacts"]) for step in self.steps("archiveArtifacts")]

    def kept(self, path):
        """What a file held each time that it was archived, with the stage that did."""
        return [(step["stage"].partition("/post:")[0], step["files"][path])
                for step in self.steps("archiveArtifacts") if path in step["files"]]

    @property
    def mails(self):
        """The first word of each mail's subject."""
        return [step["arguments"]["subject"].split(":")[0] for step in self.steps("mail")]


class Pipeline:
    """A Jenkinsfile in a running simulation."""

    def __init__(self, simulation, text=None):
        self.simulation = simulation
        self.text = JENKINSFILE.read_text() if text is None else text

    @functools.cached_property
    def mistakes(self):
        return self.simulation.check(self.text)

    def branch(self, name, **request):
        return self.build({"BRANCH_NAME": name}, request)

    def tag(self, name, **request):
        # A tag's build has its name in both variables: jenkins.branch.BranchNameContributor.
        return self.build({"BRANCH_NAME": name, "TAG_NAME": name}, request)

    def pull_request(self, target, source="feature/x", fork=None, number=7, **request):
        # The branch of a pull request's build is PR-n: jenkins.branch.BranchNameContributor.
        env = {"BRANCH_NAME": f"PR-{number}", "CHANGE_ID": str(number), "CHANGE_TARGET": target, "CHANGE_BRANCH": source}
        return self.build({**env, "CHANGE_FORK": fork} if fork else env, request)

    def build(self, env, request):
        env = {**variables(), **env}
        return Build(self.simulation.run(self.text, env=env, **{"credentials": credentials(), "leaves": LEAVES, **request}))
