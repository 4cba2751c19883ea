"""The facts of Jenkins that the simulation of ci/jenkins-test models, each with where it is documented.
The Jenkinsfile's tests are worth what these are."""

import pathlib
import sys
import textwrap
import unittest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "ci" / "jenkins-test"))

import simulation  # noqa: E402
from builds import Build, Pipeline  # noqa: E402


def setUpModule():
    global running
    running = simulation.Simulation()


def tearDownModule():
    running.close()


def pipeline(stages, agent="agent any", post=""):
    return f"pipeline {{\n{agent}\nstages {{\n{textwrap.dedent(stages)}\n}}\n{post}\n}}\n"


def run(stages, branch="master", agent="agent any", post="", **request):
    return Build(running.run(pipeline(stages, agent, post), env={"BRANCH_NAME": branch, **request.pop("env", {})}, **request))


def runs(when, branch="master", **env):
    """Whether a stage with this condition runs."""
    return run(f"stage('a') {{\nwhen {{ {when} }}\nsteps {{ echo 'a' }}\n}}", branch, env=env).stages == ["a"]


class Conditions(unittest.TestCase):
    """jenkins.io/doc/book/pipeline/syntax, "when"; when/utils/Comparator.java of the plugin."""

    def test_globs_ignore_case(self):
        self.assertTrue(runs("branch 'master'", "Master"))
        self.assertFalse(runs("branch pattern: 'master', comparator: 'EQUALS'", "Master"))
        self.assertFalse(runs("branch pattern: 'master', comparator: 'REGEXP'", "Master"))

    def test_an_asterisk_does_not_cross_a_slash_and_two_do(self):
        self.assertTrue(runs("branch 'release/*'", "release/1.2"))
        self.assertFalse(runs("branch 'release/*'", "release/1.2/fix"))
        self.assertTrue(runs("branch 'release/**'", "release/1.2/fix"))

    def test_a_regular_expression_must_match_all_of_the_name(self):
        self.assertFalse(runs("branch pattern: 'master', comparator: 'REGEXP'", "masters"))

    def test_a_change_request_is_compared_exactly_unless_told_otherwise(self):
        change = {"CHANGE_ID": "7", "CHANGE_TARGET": "release/1.2"}
        self.assertTrue(runs("changeRequest target: 'release/1.2'", "PR-7", **change))
        self.assertFalse(runs("changeRequest target: 'release/*'", "PR-7", **change))
        self.assertTrue(runs("changeRequest target: 'release/*', comparator: 'GLOB'", "PR-7", **change))
        self.assertFalse(runs("changeRequest()", "master"))

    def test_a_pull_request_s_branch_is_its_number(self):
        self.assertFalse(runs("branch 'master'", "PR-7", CHANGE_ID="7", CHANGE_TARGET="master", CHANGE_BRANCH="master"))

    def test_a_tag_s_name_is_its_branch_too(self):
        self.assertTrue(runs("branch 'master'", "master", TAG_NAME="master"))
        self.assertTrue(runs("buildingTag()", "master", TAG_NAME="master"))

    def test_conditions_are_joined_by_and(self):
        self.assertFalse(runs("branch 'master'\nnot { branch 'm*' }"))
        self.assertTrue(runs("anyOf { branch 'a'; branch 'master' }"))
        self.assertFalse(runs("allOf { branch 'a'; branch 'master' }"))

    def test_a_stage_s_environment_is_set_after_its_condition(self):
        stage = "stage('a') {\nenvironment { GO = 'yes' }\nwhen { expression { env.GO == 'yes' } }\nsteps { echo 'a' }\n}"
        self.assertEqual(run(stage).stages, [])


class Order(unittest.TestCase):
    """A stage begins in the order options, input, agent, when: ModelInterpreter.groovy, evaluateStage."""

    STAGE = """
        stage('a') {{
            agent {{ label 'elsewhere' }}
            options {{ lock('a lock') }}
            input {{ message 'Go on?' }}
            when {{
                {flag}
                branch 'other'
            }}
            steps {{ echo 'a' }}
        }}
    """

    def test_without_a_flag_a_stage_waits_and_asks_and_takes_an_agent_before_it_is_skipped(self):
        for flag, happens in (("", ["locked", "input", "agent", "unlocked"]), ("beforeAgent true", ["locked", "input", "unlocked"]),
                              ("beforeInput true", ["locked", "unlocked"]), ("beforeOptions true", [])):
            build = run(self.STAGE.format(flag=flag), agent="agent none")
            self.assertEqual([e["event"] for e in build.trace if e["event"] not in ("options", "skipped")], happens)
            self.assertEqual(build.events("skipped")[0]["why"], "when")

    def test_without_before_input_a_feature_branch_stops_at_the_question(self):
        self.assertEqual(run(self.STAGE.format(flag=""), input="abort").result, "ABORTED")
        self.assertEqual(run(self.STAGE.format(flag="beforeInput true"), input="abort").result, "SUCCESS")

    def test_an_input_comes_before_its_stage_s_agent(self):
        (question,) = run(self.STAGE.format(flag=""), agent="agent none").events("input")
        self.assertIsNone(question["agent"])

    def test_the_first_option_is_the_outermost(self):
        stage = "stage('a') {\noptions {\nlock('a')\ntimeout(time: 1, unit: 'HOURS')\n}\nsteps { echo 'a' }\n}"
        self.assertEqual(run(stage).events("locked")[0]["limits"], [])

    def test_an_option_s_time_limit_covers_the_question(self):
        stage = "stage('a') {\noptions { timeout(5) }\ninput { message 'Go on?' }\nsteps { echo 'a' }\n}"
        self.assertEqual(run(stage).events("input")[0]["limits"], [300])


class Environment(unittest.TestCase):
    def test_executor_number_is_known_in_an_agent_only(self):
        stage = "stage('a') {{\n{agent}\nenvironment {{ N = \"${{env.EXECUTOR_NUMBER}}\" }}\nsteps {{ echo \"${{N}}\" }}\n}}"
        for agent, number in (("agent { label 'x' }", "1"), ("", "null")):
            build = run(stage.format(agent=agent), agent="agent none")
            self.assertEqual(build.steps("echo")[0]["arguments"]["message"], number)

    def test_a_double_quoted_string_holds_the_secret_and_a_single_quoted_one_does_not(self):
        stage = """
            stage('a') {{
                steps {{
                    withCredentials([string(credentialsId: 'token', variable: 'TOKEN')]) {{ sh {command} }}
                }}
            }}
        """
        for command, leaks in (("'use $TOKEN'", False), ('"use ${TOKEN}"', True)):
            (text,) = run(stage.format(command=command), credentials={"token": "string"}).commands
            self.assertEqual("secret(token/TOKEN)" in text, leaks)

    def test_bound_variables_end_with_their_block(self):
        stage = "stage('a') {\nsteps {\nwithCredentials([file(credentialsId: 'k', variable: 'K')]) { sh 'a' }\nsh 'b'\n}\n}"
        first, second = run(stage, credentials={"k": "file"}).steps("sh")
        self.assertIn("K", first["env"])
        self.assertNotIn("K", second["env"])

    def test_env_can_not_override_an_environment_block(self):
        # Assigning env.X is refused altogether: in Jenkins it is lost without a word where the name is declared.
        stage = "stage('a') {\nenvironment { X = 'block' }\nsteps { script { env.X = 'assigned' } }\n}"
        self.assertEqual(run(stage).result, "INVALID")

    def test_a_variable_set_to_nothing_is_unset(self):
        """hudson.EnvVars.override, and the help of withEnv: "or VARIABLE= to unset variables otherwise defined"."""
        inner = "stage('b') {\nenvironment { OTHER = 'again' }\nsteps { sh 'b' }\n}"
        stage = "stage('a') {\nenvironment {\nSTORE = ''\nOTHER = ''\n}\nstages {\n" + inner + "\n}\n}"
        (step,) = run(stage, env={"STORE": "s3://x", "OTHER": "x"}).steps("sh")
        self.assertNotIn("STORE", step["env"])
        self.assertEqual(step["env"]["OTHER"], "again")

    def test_parameters_have_their_defaults_in_the_first_build(self):
        text = pipeline("stage('a') { steps { echo \"${params.WHO}\" } }").replace(
            "stages {", "parameters { string(name: 'WHO', defaultValue: 'me') }\nstages {", 1)
        self.assertEqual(Build(running.run(text)).steps("echo")[0]["arguments"]["message"], "me")


class Failing(unittest.TestCase):
    STAGES = """
        stage('one') {
            steps { sh 'one' }
            post { always { echo 'post of one' } }
        }
        stage('two') {
            steps { sh 'two' }
            post { always { echo 'post of two' } }
        }
    """

    def said(self, build):
        return [step["arguments"]["message"] for step in build.steps("echo")]

    def test_after_a_failure_later_stages_are_skipped_and_their_post_does_not_run(self):
        build = run(self.STAGES, fail=[{"command": "one"}])
        self.assertEqual((build.result, build.commands, self.said(build)), ("FAILURE", ["one"], ["post of one"]))
        self.assertEqual(build.events("skipped")[0]["why"], "failure")

    def test_post_of_a_stage_with_stages_runs_in_its_agent_after_a_failure_inside(self):
        nested = f"stage('all') {{\nagent {{ label 'x' }}\nstages {{ {self.STAGES} }}\npost {{ always {{ sh 'tidy' }} }}\n}}"
        build = run(nested, agent="agent none", fail=[{"command": "one"}])
        self.assertEqual(build.commands, ["one", "tidy"])
        self.assertEqual(build.steps("sh")[-1]["agent"], "x")

    def test_post_conditions_run_in_jenkins_order_whatever_the_file_s(self):
        names = ["cleanup", "notBuilt", "failure", "unstable", "unsuccessful", "success", "aborted", "regression", "fixed", "changed", "always"]
        post = "post {\n" + "\n".join(f"{name} {{ echo '{name}' }}" for name in names) + "\n}"
        for request, want in (
            ({"previous": ["FAILURE"]}, ["always", "changed", "fixed", "success", "cleanup"]),
            ({"previous": ["SUCCESS"], "fail": [{"command": "a"}]}, ["always", "changed", "regression", "unsuccessful", "failure", "cleanup"]),
            ({"previous": ["ABORTED"], "fail": [{"command": "a", "result": "ABORTED"}]}, ["always", "aborted", "unsuccessful", "cleanup"]),
            ({"previous": ["NOT_BUILT"], "fail": [{"command": "a", "result": "NOT_BUILT"}]}, ["always", "unsuccessful", "notBuilt", "cleanup"]),
        ):
            self.assertEqual(self.said(run("stage('a') { steps { sh 'a' } }", post=post, **request)), want)

    def test_fixed_looks_at_the_build_before_only(self):
        post = "post { fixed { echo 'fixed' } }"
        self.assertEqual(self.said(run("stage('a') { steps { sh 'a' } }", post=post, previous=["NOT_BUILT", "FAILURE"])), [])

    def test_an_error_in_one_post_condition_does_not_stop_the_next(self):
        post = "post {\nalways { error 'always' }\ncleanup { echo 'cleanup' }\n}"
        build = run("stage('a') { steps { sh 'a' } }", post=post)
        self.assertEqual((build.result, self.said(build)), ("FAILURE", ["cleanup"]))

    def test_failed_tests_make_unstable_and_do_not_stop_unless_an_option_says_so(self):
        stages = "stage('a') { steps { junit 'x.xml' } }\nstage('b') { steps { sh 'b' } }"
        stages = f"stage('test') {{ steps {{ sh 'test' }} }}\n{stages}".replace("junit", "sh 'test'\njunit")
        results = {"junit": "failures", "leaves": {"test": {"always": {"x.xml": ""}}}}
        self.assertEqual(run(stages, **results).commands, ["test", "test", "b"])
        stopping = running.run(pipeline(stages, "agent any\noptions { skipStagesAfterUnstable() }"), **results)
        self.assertEqual(Build(stopping).commands, ["test", "test"])

    def test_a_step_that_needs_an_agent_fails_without_one(self):
        self.assertEqual(run("stage('a') { steps { sh 'a' } }", agent="agent none").result, "FAILURE")

    def test_a_milestone_must_rise(self):
        self.assertEqual(run("stage('a') {\nsteps {\nmilestone 2\nmilestone 2\n}\n}").result, "FAILURE")


class Files(unittest.TestCase):
    """The help of stash, unstash, archiveArtifacts and junit: what matches no file is an error."""

    LEAVES = {"make": {"success": {"dist/a": "made", "dist/deep/b": "made"}, "always": {"log": "text"}}}

    def held(self, steps, elsewhere="unstash 's'", **request):
        """How the build ends, and what lies on a second agent."""
        stages = f"stage('a') {{\nagent {{ label 'x' }}\nsteps {{\n{steps}\n}}\n}}\n"
        stages += f"stage('b') {{\nagent {{ label 'y' }}\nsteps {{\n{elsewhere}\nsh 'look'\n}}\n}}"
        build = run(stages, agent="agent none", leaves=self.LEAVES, **request)
        return build.result, next((step["files"] for step in build.steps("sh") if step["arguments"]["script"] == "look"), None)

    def test_a_stash_brings_what_its_pattern_matched_to_another_agent_and_nothing_else_does(self):
        self.assertEqual(self.held("sh 'make'\nstash name: 's', includes: 'dist/**'"), ("SUCCESS", self.LEAVES["make"]["success"]))
        self.assertEqual(self.held("sh 'make'\nstash name: 's', includes: 'dist/*'"), ("SUCCESS", {"dist/a": "made"}))
        self.assertEqual(self.held("sh 'make'", "echo 'b'"), ("SUCCESS", {}))
        self.assertEqual(self.held("sh 'make'", "unstash 's'"), ("FAILURE", None))

    def test_what_matches_nothing_is_an_error_unless_that_is_allowed(self):
        for step, allowed in (("stash name: 's', includes: 'dists/**'", ", allowEmpty: true"),
                              ("archiveArtifacts artifacts: 'dists/**, x'", ", allowEmptyArchive: true"),
                              ("junit testResults: 'x.xml'", ", allowEmptyResults: true")):
            self.assertEqual(self.held(f"sh 'make'\n{step}", "echo 'b'")[0], "FAILURE", step)
            self.assertEqual(self.held(f"sh 'make'\n{step}{allowed}", "echo 'b'")[0], "SUCCESS", step)

    def test_the_last_stash_of_a_name_is_the_one_that_counts(self):
        second = "sh 'make'\nstash name: 's', includes: 'dist/**'\nstash name: 's', includes: 'log'"
        self.assertEqual(self.held(second), ("SUCCESS", {"log": "text"}))

    def test_a_command_that_fails_leaves_what_it_always_writes(self):
        build = run("stage('a') {\nsteps { sh 'make' }\npost { always { archiveArtifacts '**' } }\n}", leaves=self.LEAVES, fail=[{"command": "make"}])
        self.assertEqual([step["files"] for step in build.steps("archiveArtifacts")], [{"log": "text"}])

    def test_deleting_the_folder_leaves_nothing(self):
        self.assertEqual(self.held("sh 'make'\ndeleteDir()\narchiveArtifacts '**'", "echo 'b'")[0], "FAILURE")


class Checker(unittest.TestCase):
    def test_jenkins_own_linter_lets_an_unknown_step_through_and_this_one_does_not(self):
        mistakes = running.check(pipeline("stage('a') {\nsteps {\necho 'a'\nsay 'b'\n}\n}"))
        self.assertEqual(len(mistakes), 1)
        self.assertIn("line 7: unknown step 'say'", mistakes[0])

    def test_an_agent_and_a_condition_on_one_line_are_one_statement(self):
        # Groovy reads `agent {…} when {…}` as agent({…}).when({…}).
        self.assertNotEqual(running.check(pipeline("stage('a') {\nagent { label 'x' } when { branch 'b' }\nsteps { echo 'a' }\n}")), [])

    def test_what_the_pipeline_transformation_refuses_is_a_mistake(self):
        # groovy-cps 1.31 has no spread operator; newer ones do.
        mistakes = running.check(pipeline("stage('a') {\nsteps {\nscript { [1]*.toString() }\n}\n}"))
        self.assertEqual(len(mistakes), 1)
        self.assertIn("spread", mistakes[0])

    def test_a_newer_groovy_s_syntax_is_refused(self):
        self.assertNotEqual(running.check(pipeline("stage('a') {\nsteps {\nscript { def f = (int x) -> x }\n}\n}")), [])

    def test_a_simple_file_is_right(self):
        self.assertEqual(running.check(pipeline("stage('a') { steps { echo 'a' } }")), [])

    def test_a_crash_of_the_simulation_is_no_verdict_on_the_file(self):
        with self.assertRaises(simulation.SimulationError):
            Pipeline(running).simulation.ask({"do": "check", "text": None})


if __name__ == "__main__":
    unittest.main()
