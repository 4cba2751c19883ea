"""What the Jenkinsfile promises, as checks that any variant of it can be held against: a broken one
must show at least one breach (ci/tests/test_jenkinsfile_broken.py)."""

import dataclasses
import re
import typing

import yaml

import superseding
from builds import BUILD_URL, BY_CI, BY_RELEASE, REPOSITORY, SIGNATURE

VERIFY_STAGES = ["Supersede older builds", "Build", "Settings", "Test", "Quality"]
CHECKED_STAGES = [VERIFY_STAGES[0], "Version", *VERIFY_STAGES[1:]]
PACKAGE_STAGES = [*VERIFY_STAGES, "Package"]
QA_STAGES = [*CHECKED_STAGES, "Package", "Deploy to QA", "Regression test in QA"]
MASTER_STAGES = [*PACKAGE_STAGES, "Release", "Deploy to QA", "Regression test in QA", "Approval", "Deploy to PROD", "Smoke test in PROD"]
VERIFY_COMMANDS = ["ci/build", "ci/settings --check", "ci/test", "ci/quality"]
CHECKED_COMMANDS = ["ci/release --check", *VERIFY_COMMANDS]
PACKAGE_COMMANDS = [*VERIFY_COMMANDS, "ci/package"]
QA_COMMANDS = [*CHECKED_COMMANDS, "ci/package", "ci/deploy qa", "ci/regress qa"]
MASTER_COMMANDS = [*PACKAGE_COMMANDS, "ci/release", "ci/deploy qa", "ci/regress qa", "ci/deploy prod", "ci/deploy prod --smoke-only"]

VERIFY = (VERIFY_STAGES, VERIFY_COMMANDS)
CHECKED = (CHECKED_STAGES, CHECKED_COMMANDS)
PACKAGE = (PACKAGE_STAGES, PACKAGE_COMMANDS)
QA = (QA_STAGES, QA_COMMANDS)
MASTER = (MASTER_STAGES, MASTER_COMMANDS)

# The variables that each command may see, besides those that every command sees.
LENT = {
    "ci/package": {"SIGNING_KEY_FILE"},
    "ci/release": {"RELEASE_KEY_FILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "GIT_ASKPASS", "GIT_USERNAME", "GIT_PASSWORD"},
    "ci/deploy qa": {"SSH_KEY_FILE"},
    "ci/regress qa": {"SSH_KEY_FILE"},
    "ci/deploy prod": {"SSH_KEY_FILE"},
    "ci/deploy prod --smoke-only": {"SSH_KEY_FILE"},
}
# These need what ci/package has made, in a workspace that begins empty.
PACKAGED = ("ci/release", "ci/deploy qa", "ci/regress qa", "ci/deploy prod", "ci/deploy prod --smoke-only")
LOCKED = {"ci/release": "hivecast-release", "ci/deploy qa": "hivecast-qa", "ci/regress qa": "hivecast-qa",
          "ci/deploy prod": "hivecast-prod", "ci/deploy prod --smoke-only": "hivecast-prod"}
# The label that each command has to itself; every other one runs where its row of the table says.
LABELS = {"ci/release": "hivecast-release", "ci/deploy qa": "hivecast-deploy", "ci/regress qa": "hivecast-deploy",
          "ci/deploy prod": "hivecast-prod", "ci/deploy prod --smoke-only": "hivecast-prod"}
# The only label to which each key is lent; packages are signed where they are made.
KEYS = {"hivecast-release-signing-key": "hivecast-release", "hivecast-release-store": "hivecast-release",
        "hivecast-git": "hivecast-release", "hivecast-ssh-qa": "hivecast-deploy", "hivecast-ssh-prod": "hivecast-prod"}
CI_KEY = "hivecast-ci-signing-key"
# Where nothing runs that a branch or a pull request has changed: these agents are lent the keys that PROD
# trusts, or build what the release key signs, out of their caches.
APART = {"hivecast-release", "hivecast-prod", "hivecast-master"}
MINUTE = 60
# What each command must at least be given, in seconds; a deploy and the tests on hosts must besides be able
# to wait for a publish on each host, as long as the environment says.
ENOUGH = {"ci/release --check": MINUTE, "ci/build": 45 * MINUTE, "ci/settings --check": 5 * MINUTE, "ci/test": 60 * MINUTE, "ci/quality": 30 * MINUTE,
          "ci/package": 30 * MINUTE, "ci/release": 30 * MINUTE}
ON_HOSTS = 30 * MINUTE
APPROVAL_TIME = 24 * 60 * MINUTE


@dataclasses.dataclass
class Row:
    name: str
    build: typing.Callable
    stages: list
    commands: list
    # Where its code is built and tested.
    label: str = "hivecast-build"


def rows():
    """The table of docs/ci.md, and the names that look like one of its rows and are another."""
    branches = {
        "feature/x": VERIFY, "PR-7": VERIFY, "hotfix": VERIFY,
        "release/1.2": PACKAGE,
        # An asterisk does not cross a slash.
        "release/1.2/fix": VERIFY, "release": VERIFY, "my/release/1.2": VERIFY,
        "master": MASTER, "main": MASTER,
        # Globs would ignore case; these names are compared exactly.
        "Master": VERIFY, "MAIN": VERIFY, "masters": VERIFY, "feature/master": VERIFY, "master/1": VERIFY,
    }
    targets = {
        "master": QA, "main": QA, "Master": VERIFY, "release/1.2": PACKAGE,
        "release/1.2/fix": VERIFY, "feature/x": VERIFY, "my/master": VERIFY,
    }
    found = [Row(f"branch {name}", lambda p, name=name: p.branch(name), *want, "hivecast-master" if want == MASTER else "hivecast-build")
             for name, want in branches.items()]
    for target, want in targets.items():
        for source in ("feature/x", "release/1.2", "master"):
            found.append(Row(f"{source} into {target}", lambda p, t=target, s=source: p.pull_request(t, source=s), *want))
        forked = CHECKED if want == QA else VERIFY
        found.append(Row(f"a fork's master into {target}", lambda p, t=target: p.pull_request(t, source="master", fork="somebody"), *forked, "hivecast-fork"))
    change = {"BRANCH_NAME": "master", "CHANGE_ID": "7", "CHANGE_TARGET": "master", "CHANGE_BRANCH": "master"}
    found.append(Row("a pull request that a branch source calls master", lambda p: p.build(change, {}), *QA))
    for tag in ("v1.2.0", "master", "main", "release/1.2"):
        found.append(Row(f"tag {tag}", lambda p, tag=tag: p.tag(tag), *VERIFY))
    return found


def breaches(pipeline):
    """Each broken promise, in words, as it is found; none for a Jenkinsfile that is right."""
    mistakes = pipeline.mistakes
    yield from mistakes
    if mistakes:
        return
    master = pipeline.branch("master")
    yield from surroundings(master)
    yield from approval(pipeline, master)
    for row in rows():
        build = row.build(pipeline)
        if (build.result, build.stages, build.commands) != ("SUCCESS", row.stages, row.commands):
            yield f"{row.name}: {build.result} ({build.error}), {build.stages}, {build.commands}"
        for breach in (*always(build), *places(build, row.label), *when_skipped(build)):
            yield f"{row.name}: {breach}"
    if labels(pipeline.pull_request("master", fork="somebody")) != {"hivecast-fork"}:
        yield "a fork's code runs on agents that others use"
    if labels(pipeline.pull_request("master")) & APART:
        yield "a pull request's code comes to an agent that is lent the keys of releases or PROD, or builds releases"
    yield from own_caches(pipeline)
    yield from failures(pipeline)
    yield from mails(pipeline)
    try:
        superseding.explore(superseding.operations(master), 2)
    except superseding.Unsafe as unsafe:
        yield str(unsafe)


def always(build):
    """What holds in every build."""
    for step in build.trace:
        if "secret(" in str(step.get("arguments", "")):
            yield f"a secret in the arguments of '{step['step']}' in {step['stage']}"
    for step in build.steps("sh"):
        command = step["arguments"]["script"]
        lent = {name for name, value in step["env"].items() if value.startswith("secret(")}
        if lent != LENT.get(command, set()):
            yield f"'{command}' is lent {sorted(lent)}"
        if command in LOCKED and LOCKED[command] not in step["locks"]:
            yield f"'{command}' runs without the lock '{LOCKED[command]}'"
        if not step["limits"]:
            yield f"'{command}' has no time limit"
        elif min(step["limits"]) < enough(command):
            yield f"'{command}' is given {min(step['limits'])} s and may need {enough(command)}"
        # The checkout's own remote is read with a key that may not write.
        if command == "ci/release" and not step["env"].get("RELEASE_REMOTE", "").startswith("https://"):
            yield f"'{command}' pushes its tag where its token is of no use"
        if command == "ci/release --check" and ("RELEASE_STORE" in step["env"] or step["env"].get("RELEASE_REMOTE") != "."):
            yield f"'{command}' asks a store or a remote, for which it has no key"
    # What ends before it has made anything, at a milestone or for want of packages, has its own reason to tell.
    for step in build.steps("archiveArtifacts"):
        if step["arguments"].get("allowEmptyArchive") != "true":
            yield f"nothing to archive is an error in {step['stage']}"
    options = build.events("options")[0]["names"] if build.events("options") else []
    # With abortPrevious it kills a deploy that runs; without, an approval that nobody gives blocks newer builds.
    if "disableConcurrentBuilds" in options:
        yield "concurrent builds are disabled"
    for needed in ("disableRestartFromStage", "skipStagesAfterUnstable", "buildDiscarder", "timestamps"):
        if needed not in options:
            yield f"option '{needed}' is missing"


def enough(command):
    """How many seconds a command may need."""
    if command in ENOUGH:
        return ENOUGH[command]
    settings = yaml.safe_load((REPOSITORY / "ci" / "environments" / f"{command.split()[1]}.yaml").read_text())
    hours = int(re.fullmatch(r"(\d+)h", settings["wait_for_publish"])[1])
    hosts = 1 if command.startswith("ci/regress") else len(settings["hosts"])
    return hosts * hours * 60 * MINUTE + ON_HOSTS


def labels(build):
    """The labels of the agents that it took."""
    return {event["agent"] for event in build.events("agent")}


def places(build, label):
    """Which command runs on which agent, beside which keys, and with which packages in its workspace."""
    for event in build.events("lent"):
        if event["agent"] != {**KEYS, CI_KEY: label}.get(event["credential"]):
            yield f"the key '{event['credential']}' comes to the agent {event['agent']}"
    signed = None
    for event in build.steps("sh"):
        command = event["arguments"]["script"]
        if event["agent"] != LABELS.get(command, label):
            yield f"'{command}' runs on the agent {event['agent']}"
        if command in PACKAGED and event["files"].get(SIGNATURE) != signed:
            yield f"'{command}' has packages {event['files'].get(SIGNATURE)}, not {signed}"
        signed = {"ci/package": BY_CI, "ci/release": BY_RELEASE}.get(command, signed)
    if signed and [content for _, content in build.kept(SIGNATURE)][-1:] != [signed]:
        yield f"no packages {signed} are archived"


def own_caches(pipeline):
    """What is released is built from caches that no other build has written to."""
    def found(build):
        return {step["env"][name] for step in build.steps("sh") if "Verify/" in step["stage"] for name in ("CARGO_HOME", "HIVECAST_CACHE")}

    kinds = [found(build) for build in (pipeline.branch("master"), pipeline.branch("feature/x"), pipeline.pull_request("master", fork="somebody"))]
    for shared in (kinds[0] & (kinds[1] | kinds[2]), kinds[1] & kinds[2]):
        if shared:
            yield f"builds of several kinds share {sorted(shared)}"


def when_skipped(build):
    """A stage that does not run takes no agent, waits for no lock and asks nobody."""
    skipped = {event["stage"] for event in build.events("skipped")}
    for kind in ("agent", "locked", "input"):
        for event in build.events(kind):
            if event["stage"] in skipped:
                yield f"'{event['stage']}' is skipped, and yet: {kind}"


def surroundings(master):
    """Results of tests and locks of a build of master."""
    if [step["arguments"]["testResults"] for step in master.steps("junit")] != ["reports/junit/*.xml"]:
        yield "the tests' results are not published"
    # The environment's lock is held from the deploy to the end of the test of it.
    unlocked = [event["resource"] for event in master.events("unlocked")]
    if unlocked != ["hivecast-release", "hivecast-qa", "hivecast-prod"]:
        yield f"locks are let go in this order: {unlocked}"
    for event in master.events("locked"):
        if event["first"] != "newest":
            yield f"of the builds that wait for the lock '{event['resource']}' the oldest is the next"
        if event["limits"]:
            yield f"waiting for the lock '{event['resource']}' uses up a time limit"


def failures(pipeline):
    """A failed command is the last one, and what there is of it is archived and told."""
    for command in dict.fromkeys(MASTER_COMMANDS):
        build = pipeline.branch("master", fail=[{"command": f"^{command}$"}])
        if build.result != "FAILURE" or build.commands != MASTER_COMMANDS[:MASTER_COMMANDS.index(command) + 1]:
            yield f"'{command}' fails, and then: {build.result}, {build.commands}"
        if build.mails != ["FAILED"]:
            yield f"'{command}' fails, and the mails are {build.mails}"
        aborted = pipeline.branch("master", fail=[{"command": f"^{command}$", "result": "ABORTED"}])
        if command == "ci/test" and [step["stage"] for step in build.steps("junit")] != ["Verify/Test/post:always"]:
            yield "the results of tests that failed are not published"
        for ended in (build, aborted):
            ended_in = ended.steps("sh")[-1]["stage"]
            if not any(ended_in.startswith(stage) and "reports/**" in files for stage, files in ended.archived):
                yield f"'{command}' ends with {ended.result}, and no reports of '{ended_in}' are archived"
    if pipeline.branch("master", junit="failures").commands != ["ci/build", "ci/settings --check", "ci/test"]:
        yield "failed tests do not stop the build"
    if pipeline.branch("feature/x", previous=["NOT_BUILT", "FAILURE"]).mails != ["RECOVERED"]:
        yield "a recovery is not told"
    for label in ("hivecast-master", "hivecast-release", "hivecast-deploy", "hivecast-prod"):
        if pipeline.branch("master", offline=[label]).result != "ABORTED":
            yield f"waits for ever for an agent {label}"


def mails(pipeline):
    """Each goes to whom the parameter names, and says where to look."""
    recipient = re.search(r"name: 'MAIL_TO', defaultValue: '([^']+)'", pipeline.text)
    for request in ({"fail": [{"command": "ci/build"}]}, {"fail": [{"command": "ci/build", "result": "ABORTED"}]},
                    {"junit": "failures"}, {"previous": ["FAILURE"]}):
        for step in pipeline.branch("feature/x", **request).steps("mail"):
            mail = step["arguments"]
            if not recipient or mail.get("to") != recipient[1]:
                yield f"the mail '{mail['subject']}' goes to {mail.get('to')}"
            if BUILD_URL not in mail["body"]:
                yield f"the mail '{mail['subject']}' does not say where the build is"


def approval(pipeline, master):
    questions = master.events("input")
    if len(questions) != 1:
        yield f"{len(questions)} approvals"
        return
    (question,) = questions
    if question["agent"] or question["locks"]:
        yield "the approval holds an agent or a lock"
    if not question["limits"] or min(question["limits"]) < APPROVAL_TIME:
        yield f"the approval has a time limit of {question['limits']} s"
    if question["submitter"] != "hivecast-approvers":
        yield "others than the approvers may approve"
    refused = pipeline.branch("master", input="abort")
    if refused.result != "ABORTED" or any("prod" in command for command in refused.commands):
        yield f"refused, and then: {refused.result}, {refused.commands}"
