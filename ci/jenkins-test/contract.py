"""What the Jenkinsfile promises, as checks that any variant of it can be held against: a broken one
must show at least one breach (ci/tests/test_jenkinsfile_broken.py)."""

import dataclasses
import typing

import superseding

VERIFY_STAGES = ["Supersede older builds", "Build", "Test", "Quality"]
PACKAGE_STAGES = [*VERIFY_STAGES, "Package"]
QA_STAGES = [*PACKAGE_STAGES, "Deploy to QA", "Regression test in QA"]
MASTER_STAGES = [*PACKAGE_STAGES, "Release", "Deploy to QA", "Regression test in QA", "Approval", "Deploy to PROD", "Smoke test in PROD"]
VERIFY_COMMANDS = ["ci/build", "ci/test", "ci/quality"]
PACKAGE_COMMANDS = [*VERIFY_COMMANDS, "ci/package"]
QA_COMMANDS = [*PACKAGE_COMMANDS, "ci/deploy qa", "ci/regress qa"]
MASTER_COMMANDS = [*PACKAGE_COMMANDS, "ci/release", "ci/deploy qa", "ci/regress qa", "ci/deploy prod", "ci/deploy prod"]

VERIFY = (VERIFY_STAGES, VERIFY_COMMANDS)
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
}
DEPLOYING = ("ci/deploy qa", "ci/regress qa", "ci/deploy prod")
LOCKED = {"ci/release": "hivecast-release", "ci/deploy qa": "hivecast-qa", "ci/regress qa": "hivecast-qa", "ci/deploy prod": "hivecast-prod"}


@dataclasses.dataclass
class Row:
    name: str
    build: typing.Callable
    stages: list
    commands: list


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
    found = [Row(f"branch {name}", lambda p, name=name: p.branch(name), *want) for name, want in branches.items()]
    for target, want in targets.items():
        for source in ("feature/x", "release/1.2", "master"):
            found.append(Row(f"{source} into {target}", lambda p, t=target, s=source: p.pull_request(t, source=s), *want))
        found.append(Row(f"a fork's master into {target}", lambda p, t=target: p.pull_request(t, source="master", fork="somebody"), *VERIFY))
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
        for breach in (*always(build), *when_skipped(build)):
            yield f"{row.name}: {breach}"
    forked = pipeline.pull_request("master", fork="somebody")
    if {step["agent"] for step in forked.steps("sh")} != {"hivecast-fork"}:
        yield "a fork's code runs on agents that others use"
    yield from failures(pipeline)
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
    options = build.events("options")[0]["names"] if build.events("options") else []
    # With abortPrevious it kills a deploy that runs; without, an approval that nobody gives blocks newer builds.
    if "disableConcurrentBuilds" in options:
        yield "concurrent builds are disabled"
    for needed in ("disableRestartFromStage", "skipStagesAfterUnstable", "buildDiscarder", "timestamps"):
        if needed not in options:
            yield f"option '{needed}' is missing"


def when_skipped(build):
    """A stage that does not run takes no agent, waits for no lock and asks nobody."""
    skipped = {event["stage"] for event in build.events("skipped")}
    for kind in ("agent", "locked", "input"):
        for event in build.events(kind):
            if event["stage"] in skipped:
                yield f"'{event['stage']}' is skipped, and yet: {kind}"


def surroundings(master):
    """Agents, archives, results of tests and locks of a build of master."""
    deploying = {step["agent"] for step in master.steps("sh") if step["arguments"]["script"] in DEPLOYING}
    if deploying != {"hivecast-deploy"}:
        yield f"deploys run on {deploying}"
    if {step["agent"] for step in master.steps("sh")} - deploying != {"hivecast-build"}:
        yield "builds run on wrong agents"
    if [step["arguments"]["testResults"] for step in master.steps("junit")] != ["reports/junit/*.xml"]:
        yield "the tests' results are not published"
    # The environment's lock is held from the deploy to the end of the test of it.
    unlocked = [event["resource"] for event in master.events("unlocked")]
    if unlocked != ["hivecast-release", "hivecast-qa", "hivecast-prod"]:
        yield f"locks are let go in this order: {unlocked}"
    for event in master.events("locked"):
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
        failed_in = build.steps("sh")[-1]["stage"]
        if not any(failed_in.startswith(stage) for stage, _ in build.archived):
            yield f"'{command}' fails, and nothing of '{failed_in}' is archived"
    if pipeline.branch("master", junit="failures").commands != ["ci/build", "ci/test"]:
        yield "failed tests do not stop the build"
    if pipeline.branch("feature/x", previous=["NOT_BUILT", "FAILURE"]).mails != ["RECOVERED"]:
        yield "a recovery is not told"
    for label in ("hivecast-build", "hivecast-deploy"):
        if pipeline.branch("master", offline=[label]).result != "ABORTED":
            yield f"waits for ever for an agent {label}"


def approval(pipeline, master):
    questions = master.events("input")
    if len(questions) != 1:
        yield f"{len(questions)} approvals"
        return
    (question,) = questions
    if question["agent"] or question["locks"]:
        yield "the approval holds an agent or a lock"
    if not question["limits"]:
        yield "the approval has no time limit"
    if question["submitter"] != "hivecast-approvers":
        yield "others than the approvers may approve"
    refused = pipeline.branch("master", input="abort")
    if refused.result != "ABORTED" or any("prod" in command for command in refused.commands):
        yield f"refused, and then: {refused.result}, {refused.commands}"
