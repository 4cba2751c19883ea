"""The Jenkinsfile, run in the simulation of ci/jenkins-test: what each kind of build does, row by row of
the table in docs/ci.md, and what it does when something fails."""

import pathlib
import sys
import unittest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "ci" / "jenkins-test"))

import contract  # noqa: E402
import simulation  # noqa: E402
import superseding  # noqa: E402
from builds import BY_CI, BY_RELEASE, LEAVES, SIGNATURE, Pipeline  # noqa: E402

VERIFY = ["ci/build", "ci/settings --check", "ci/test", "ci/quality"]
PACKAGE = [*VERIFY, "ci/package"]
CHECK = "ci/release --check"
# Those of a build of master.
DEFAULT_LABELS = {"hivecast-master", "hivecast-release", "hivecast-deploy", "hivecast-prod"}


def setUpModule():
    global pipeline, running
    running = simulation.Simulation()
    pipeline = Pipeline(running)


def tearDownModule():
    running.close()


class Table(unittest.TestCase):
    """Which stages and commands a branch, a pull request or a tag gets."""

    def test_the_file_is_without_a_mistake(self):
        self.assertEqual(pipeline.mistakes, [])

    def test_every_row_of_the_table(self):
        for row in contract.rows():
            with self.subTest(row.name):
                build = row.build(pipeline)
                self.assertEqual(build.result, "SUCCESS", build.error)
                self.assertEqual(build.stages, row.stages)
                self.assertEqual(build.commands, row.commands)

    def test_the_whole_contract(self):
        self.assertEqual(list(contract.breaches(pipeline)), [])

    def test_a_pull_request_never_releases_or_reaches_prod_whatever_it_is_called(self):
        for target in ("master", "main", "release/1.2", "feature/x"):
            for source in ("master", "main", "release/1.2", "PR-7", "feature/x"):
                for fork in (None, "somebody", "somebody/hivecast"):
                    with self.subTest(target=target, source=source, fork=fork):
                        build = pipeline.pull_request(target, source=source, fork=fork)
                        self.assertFalse([c for c in build.commands if c != CHECK and ("release" in c or "prod" in c)])
                        self.assertEqual(build.events("input"), [])
                        self.assertEqual(contract.labels(build) & contract.APART, set())
                        self.assertFalse([e for e in build.events("lent") if contract.KEYS.get(e["credential"]) in contract.APART])

    def test_a_pull_request_that_a_branch_source_calls_master_does_not_either(self):
        env = {"BRANCH_NAME": "master", "CHANGE_ID": "7", "CHANGE_TARGET": "master", "CHANGE_BRANCH": "master"}
        build = pipeline.build(env, {})
        self.assertEqual(build.commands, [CHECK, *PACKAGE, "ci/deploy qa", "ci/regress qa"])
        self.assertEqual(contract.labels(build), {"hivecast-build", "hivecast-deploy"})

    def test_a_pull_request_into_master_without_a_new_version_fails_before_anything_is_built(self):
        for fork, agent in ((None, "hivecast-build"), ("somebody", "hivecast-fork")):
            build = pipeline.pull_request("master", fork=fork, fail=[{"command": CHECK}])
            self.assertEqual((build.result, build.commands, contract.labels(build)), ("FAILURE", [CHECK], {agent}))
            self.assertEqual(build.events("lent"), [])

    def test_the_version_is_looked_up_in_what_was_cloned(self):
        """The controller gives every agent a store, to which a pull request has no key."""
        (step,) = [s for s in pipeline.pull_request("master").steps("sh") if s["arguments"]["script"] == CHECK]
        self.assertNotIn("RELEASE_STORE", step["env"])
        self.assertEqual(step["env"]["RELEASE_REMOTE"], ".")
        (step,) = [s for s in pipeline.branch("master").steps("sh") if s["arguments"]["script"] == "ci/release"]
        self.assertTrue(step["env"]["RELEASE_STORE"].startswith("s3://"))
        self.assertTrue(step["env"]["RELEASE_REMOTE"].startswith("https://"))

    def test_each_key_is_lent_on_one_label_and_those_of_prod_and_releases_on_none_that_builds(self):
        lent = {(event["credential"], event["agent"]) for event in pipeline.branch("master").events("lent")}
        self.assertEqual(lent, {*contract.KEYS.items(), (contract.CI_KEY, "hivecast-master")})
        for command in contract.PACKAGE_COMMANDS:
            self.assertNotIn(command, contract.LABELS)

    def test_a_fork_comes_near_no_credential(self):
        for target in ("master", "release/1.2"):
            build = pipeline.pull_request(target, source="master", fork="somebody")
            self.assertEqual([c for c in build.commands if c != CHECK], VERIFY)
            self.assertEqual(build.events("lent"), [])

    def test_a_fork_s_code_runs_on_agents_of_its_own(self):
        build = pipeline.pull_request("master", fork="somebody")
        self.assertEqual(contract.labels(build), {"hivecast-fork"})

    def test_what_is_released_is_built_where_no_other_code_runs(self):
        for name in ("master", "main"):
            self.assertIn("hivecast-master", contract.labels(pipeline.branch(name)))
        others = [pipeline.branch(name) for name in ("feature/x", "release/1.2", "Master", "masters")]
        others += [pipeline.tag("master"), pipeline.pull_request("master", source="master")]
        for build in others:
            self.assertNotIn("hivecast-master", contract.labels(build))

    def test_qa_and_prod_get_what_the_release_key_signed(self):
        brought = {step["arguments"]["script"]: step["files"].get(SIGNATURE) for step in pipeline.branch("master").steps("sh")}
        self.assertEqual(brought["ci/release"], BY_CI)
        for command in contract.PACKAGED[1:]:
            self.assertEqual(brought[command], BY_RELEASE, command)

    def test_a_pull_request_brings_to_qa_what_the_ci_key_signed(self):
        build = pipeline.pull_request("master")
        self.assertEqual({step["files"].get(SIGNATURE) for step in build.steps("sh") if step["agent"] == "hivecast-deploy"}, {BY_CI})
        self.assertEqual(build.kept(SIGNATURE), [("Verify", BY_CI)])

    def test_packages_are_archived_with_either_signature(self):
        self.assertEqual(pipeline.branch("master").kept(SIGNATURE), [("Verify", BY_CI), ("Release", BY_RELEASE)])


class Failures(unittest.TestCase):
    def test_a_failed_command_is_the_last_one_and_the_rest_is_archived_and_told(self):
        commands = list(dict.fromkeys(contract.MASTER_COMMANDS))
        for command in commands:
            with self.subTest(command):
                build = pipeline.branch("master", fail=[{"command": f"^{command}$"}])
                self.assertEqual(build.result, "FAILURE")
                self.assertEqual(build.commands, contract.MASTER_COMMANDS[:contract.MASTER_COMMANDS.index(command) + 1])
                self.assertEqual(build.mails, ["FAILED"])
                self.assertIn(("Verify", "dist/**, reports/**"), build.archived)
                failed_in = next(step["stage"] for step in build.steps("sh") if step["arguments"]["script"] == command)
                self.assertTrue(any(failed_in.startswith(stage) for stage, _ in build.archived), build.archived)

    def test_a_smoke_test_that_fails_after_the_deploy_fails_the_build(self):
        build = pipeline.branch("master", fail=[{"command": "--smoke-only"}])
        self.assertEqual((build.result, build.commands, build.mails), ("FAILURE", contract.MASTER_COMMANDS, ["FAILED"]))

    def test_reports_of_deploys_and_regression_tests_are_archived_however_those_end(self):
        stages = {"ci/deploy qa": "QA/Deploy to QA", "ci/regress qa": "QA/Regression test in QA",
                  "ci/deploy prod": "PROD/Roll-out/Deploy to PROD", "ci/deploy prod --smoke-only": "PROD/Roll-out/Smoke test in PROD"}
        for command, stage in stages.items():
            for result in ("SUCCESS", "FAILURE", "ABORTED"):
                with self.subTest(command, result=result):
                    fail = [] if result == "SUCCESS" else [{"command": f"^{command}$", "result": result}]
                    build = pipeline.branch("master", fail=fail)
                    self.assertEqual(build.result, result)
                    self.assertIn((stage, "reports/**"), build.archived)

    def test_failed_tests_without_a_failed_command_stop_the_later_stages(self):
        build = pipeline.branch("master", junit="failures")
        self.assertEqual(build.result, "UNSTABLE")
        self.assertEqual(build.commands, ["ci/build", "ci/settings --check", "ci/test"])
        self.assertEqual(build.mails, ["TESTS FAILED"])

    def test_tests_that_leave_no_result_fail_and_the_logs_are_archived_all_the_same(self):
        build = pipeline.branch("master", leaves={**LEAVES, "ci/test": {}})
        self.assertEqual(build.result, "FAILURE")
        self.assertEqual(build.commands, ["ci/build", "ci/settings --check", "ci/test"])
        self.assertEqual(build.archived, [("Verify", "dist/**, reports/**")])

    def test_results_of_tests_that_failed_are_published_and_archived(self):
        build = pipeline.branch("feature/x", fail=[{"command": "^ci/test$"}])
        self.assertEqual((build.result, len(build.steps("junit"))), ("FAILURE", 1))
        self.assertEqual(build.kept("reports/junit/rust.xml"), [("Verify", "results")])

    def test_an_agent_that_never_comes_ends_the_build_and_is_told(self):
        for label in sorted(DEFAULT_LABELS):
            with self.subTest(label):
                build = pipeline.branch("master", offline=[label])
                self.assertEqual(build.result, "ABORTED")
                self.assertEqual(build.mails, ["ABORTED"])

    def test_a_superseded_build_is_no_news(self):
        build = pipeline.branch("feature/x", fail=[{"command": "ci/test", "result": "NOT_BUILT"}])
        self.assertEqual(build.result, "NOT_BUILT")
        self.assertEqual(build.mails, [])

    def test_workspaces_are_left_empty(self):
        for failure in ([], [{"command": "ci/"}]):
            build = pipeline.branch("master", fail=failure)
            self.assertEqual(len(build.steps("deleteDir")), len(build.events("agent")))


class Approval(unittest.TestCase):
    def test_who_refuses_or_lets_the_time_pass_deploys_nothing(self):
        for answer in ("abort", "timeout"):
            with self.subTest(answer):
                build = pipeline.branch("master", input=answer)
                self.assertEqual(build.result, "ABORTED")
                self.assertEqual(build.commands, [*PACKAGE, "ci/release", "ci/deploy qa", "ci/regress qa"])
                self.assertEqual(build.mails, ["ABORTED"])

    def test_waiting_holds_no_agent_and_no_lock_and_ends(self):
        (question,) = pipeline.branch("master").events("input")
        self.assertIsNone(question["agent"])
        self.assertEqual(question["locks"], [])
        self.assertEqual(question["limits"], [2 * 24 * 3600])
        self.assertEqual(question["submitter"], "hivecast-approvers")

    def test_nobody_is_asked_for_what_has_failed_in_qa(self):
        build = pipeline.branch("master", fail=[{"command": "ci/regress qa"}])
        self.assertEqual(build.events("input"), [])


class Mail(unittest.TestCase):
    def test_recovery_is_told_once_after_whatever_was_told_before(self):
        told = {(): [], ("SUCCESS",): [], ("SUCCESS", "FAILURE"): [], ("NOT_BUILT",): [], ("NOT_BUILT", "SUCCESS"): [],
                ("FAILURE",): ["RECOVERED"], ("UNSTABLE",): ["RECOVERED"], ("ABORTED",): ["RECOVERED"],
                ("NOT_BUILT", "NOT_BUILT", "FAILURE"): ["RECOVERED"]}
        for previous, mails in told.items():
            with self.subTest(previous):
                self.assertEqual(pipeline.branch("feature/x", previous=list(previous)).mails, mails)

    def test_mail_goes_to_the_parameter_and_says_where_the_build_is(self):
        text = pipeline.text.replace("'hivecast@example.com'", "'us@example.org'")
        (mail,) = Pipeline(running, text).branch("feature/x", fail=[{"command": "ci/build"}]).steps("mail")
        self.assertEqual(mail["arguments"]["to"], "us@example.org")
        self.assertIn("https://jenkins/job/7/", mail["arguments"]["body"])

    def test_mail_needs_no_agent(self):
        build = pipeline.branch("master", offline=["hivecast-master"])
        self.assertIsNone(build.steps("mail")[0]["agent"])


class Superseding(unittest.TestCase):
    """No order of events among several builds of a branch cancels a release, a deploy or a regression
    test that runs, or lets an older version follow a newer one."""

    def test_three_builds_of_master(self):
        seen = superseding.explore(superseding.operations(pipeline.branch("master")), 3)
        self.assertGreater(seen, 10_000)

    def test_three_builds_of_a_pull_request(self):
        superseding.explore(superseding.operations(pipeline.pull_request("master")), 3)

    def test_each_milestone_and_lock_is_needed(self):
        operations = superseding.operations(pipeline.branch("master"))
        needed = [("milestone", ordinal) for ordinal in (1000000, 1000001, 1000002)]
        locks = ["hivecast-release", "hivecast-qa", "hivecast-prod"]
        without = {str(one): [o for o in operations if o != one] for one in needed}
        without |= {lock: [o for o in operations if o[1] != lock] for lock in locks}
        for missing, remaining in without.items():
            with self.subTest(missing), self.assertRaises(superseding.Unsafe):
                superseding.explore(remaining, 2)

    def test_a_build_that_starts_cancels_an_older_one_that_still_builds(self):
        operations = superseding.operations(pipeline.branch("feature/x"))
        order = superseding.Order(operations)
        busy = superseding.State((2, 0), (True, True))
        (after,) = order.next_states(busy, 1)
        self.assertEqual(after.alive, (False, True))


class Parameters(unittest.TestCase):
    def test_labels_and_caches_are_parameters(self):
        text = pipeline.text
        for label in (*DEFAULT_LABELS, "hivecast-fork", "hivecast-build"):
            self.assertEqual(text.count(f"defaultValue: '{label}'"), 1, label)
            text = text.replace(f"defaultValue: '{label}'", f"defaultValue: 'my-{label}'")
        self.assertEqual(contract.labels(Pipeline(running, text).branch("master")), {f"my-{label}" for label in DEFAULT_LABELS})
        self.assertEqual(contract.labels(Pipeline(running, text).pull_request("master", fork="somebody")), {"my-hivecast-fork"})
        text = text.replace("/var/cache/hivecast'", "/cache'")
        build = Pipeline(running, text).branch("feature/x")
        self.assertEqual(contract.labels(build), {"my-hivecast-build"})
        self.assertEqual(build.steps("sh")[0]["env"]["CARGO_HOME"], "/cache/my-hivecast-build/cargo")

    def test_caches_lie_outside_the_workspace_and_each_executor_has_its_own(self):
        build = pipeline.branch("master")
        found = {(step["env"]["CARGO_HOME"], step["env"]["HIVECAST_CACHE"]) for step in build.steps("sh") if "Verify/" in step["stage"]}
        self.assertEqual(found, {("/var/cache/hivecast/hivecast-master/cargo", "/var/cache/hivecast/hivecast-master/executor-1")})
        self.assertEqual(contract.labels(build), DEFAULT_LABELS)


if __name__ == "__main__":
    unittest.main()
