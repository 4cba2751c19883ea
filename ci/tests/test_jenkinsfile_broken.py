"""A suite that lets a broken Jenkinsfile pass is worth nothing: each of these mistakes is made in turn,
and each must be found, either by the checker or as a breach of the contract."""

import pathlib
import sys
import unittest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "ci" / "jenkins-test"))

import contract  # noqa: E402
import simulation  # noqa: E402
from builds import JENKINSFILE, Pipeline  # noqa: E402

MASTER_ONLY = """                beforeOptions true
                branch pattern: 'master|main', comparator: 'REGEXP'
                not { changeRequest() }
                not { buildingTag() }
"""
VERSION_CONDITION = """                    when {
                        beforeOptions true
                        changeRequest target: 'master|main', comparator: 'REGEXP'
                    }
"""
SETTINGS = """                stage('Settings') {
                    options { timeout(time: 10, unit: 'MINUTES') }
                    steps {
                        sh 'ci/settings --check'
                    }
                }
"""
REPORTS_OF_QA = "                        always {\n                            archiveArtifacts artifacts: 'reports/**'"
REPORTS_OF_PROD = "                                always {\n                                    archiveArtifacts artifacts: 'reports/**'"
RELEASED = """                // With the release key's signature; it replaces the stash of the same name.
                stash name: 'packages', includes: 'dist/**'
"""
APPROVAL_LIMIT = "options { timeout(time: 2, unit: 'DAYS') }"
PROD_LOCK = "options { lock(resource: 'hivecast-prod', inversePrecedence: true) }"

# What the checker refuses: (what is wrong, the text, what it becomes, part of the message).
REFUSED = [
    ("a missing brace", "    agent none\n\n    options {", "    agent none\n\n    options ", ""),
    ("a brace too many", "sh 'ci/quality'\n                    }", "sh 'ci/quality'\n                    }}", ""),
    ("a quote that does not end", "sh 'ci/build'", "sh 'ci/build", ""),
    ("a misspelt section", "        stage('Release') {\n            when {", "        stage('Release') {\n            whenn {", "unknown section 'whenn'"),
    ("a misspelt directive", "stages {\n                stage('Version')", "stage {\n                stage('Version')", "unknown section 'stage'"),
    ("a misspelt condition of post", "always {\n                            junit", "allways {\n                            junit", "unknown condition of post 'allways'"),
    ("a misspelt condition of when", "not { buildingTag() }", "not { buildingTags() }", "unknown condition 'buildingTags'"),
    ("a misspelt option", "disableRestartFromStage()", "disableRestartFromStages()", "unknown option"),
    ("an option that no stage takes", APPROVAL_LIMIT, "options { skipStagesAfterUnstable() }", "is not for a stage"),
    ("an unknown step", "sh 'ci/build'", "shh 'ci/build'", "unknown step 'shh'"),
    ("an unknown step in a script", "                    mail to: params", "                    email to: params", "unknown step 'email'"),
    ("a step of a plugin that is not installed", "deleteDir()", "cleanWs()", "unknown step 'cleanWs'"),
    ("a misspelt argument", "archiveArtifacts artifacts:", "archiveArtifacts artifact:", "has no argument 'artifact'"),
    ("a missing argument", "stash name: 'packages', includes", "stash includes", "'name' is missing"),
    ("a string for a number", "timeout(time: 90,", "timeout(time: '90',", "must be of type integer"),
    ("a string for a boolean", "allowEmptyArchive: true", "allowEmptyArchive: 'true'", "must be of type boolean"),
    ("a number for a string", "numToKeepStr: '50'", "numToKeepStr: 50", "must be of type string"),
    ("a unit that does not exist", "unit: 'DAYS'", "unit: 'DAY'", "no unit 'DAY'"),
    ("a comparator that does not exist", "comparator: 'GLOB'", "comparator: 'glob'", "no comparator 'glob'"),
    ("a binding that does not exist", "sshUserPrivateKey(", "sshPrivateKey(", "unknown binding"),
    ("a binding's argument", "keyFileVariable:", "keyVariable:", "has no argument 'keyVariable'"),
    ("no steps", "                        sh 'ci/quality'\n", "", "no steps"),
    ("steps beside stages", "            stages {\n                stage('Version')", "            steps { echo 'a' }\n            stages {\n                stage('Version')", "needs either"),
    ("a stage twice", "stage('Quality')", "stage('Test')", "two stages are called 'Test'"),
    ("a section twice", "agent none\n", "agent none\n    agent none\n", "stands twice"),
    ("no agent", "    agent none\n", "", "has no 'agent'"),
    ("a step where sections stand", "        stage('Release') {\n", "        stage('Release') {\n            echo 'a'\n", "unknown section 'echo'"),
    ("Groovy outside of a script", "sh 'ci/build'", "def x = 1\n                        sh 'ci/build'", "only directives"),
    ("a flag that is no boolean", "beforeOptions true", "beforeOptions 'yes'", "takes true or false"),
    ("a label without quotes", 'agent { label "${params.RELEASE_AGENT}" }', "agent hivecast", "agent must be"),
    ("a field of input", "ok 'Deploy to PROD'", "okay 'Deploy to PROD'", "unknown field of input"),
    ("two pipelines", "pipeline {", "pipeline { agent none }\npipeline {", "one 'pipeline' block"),
]

# What is well-formed and wrong: (what is wrong, the text, what it becomes), each time at the last place
# where the text stands, unless a number says which.
WRONG = [
    ("a glob that crosses slashes", "branch 'release/*'", "branch 'release/**'"),
    ("a glob that matches too little", "branch 'release/*'", "branch 'releases/*'"),
    ("a target without its comparator", "changeRequest target: 'release/*', comparator: 'GLOB'", "changeRequest target: 'release/*'"),
    ("a glob that ignores case before PROD", "branch pattern: 'master|main', comparator: 'REGEXP'", "branch 'mas*'"),
    ("PROD open to every branch", MASTER_ONLY, "                beforeOptions true\n                not { changeRequest() }\n"),
    ("PROD without when", "            when {\n" + MASTER_ONLY + "            }\n", ""),
    ("PROD open to tags", "                not { buildingTag() }\n", ""),
    ("PROD for pull requests into master", "                branch pattern: 'master|main', comparator: 'REGEXP'\n                not { changeRequest() }\n",
     "                changeRequest target: 'master'\n"),
    ("a release by pull requests", MASTER_ONLY, "                beforeOptions true\n                changeRequest target: 'master'\n", 0),
    ("a fork's code beside the keys of QA", "                expression { env.CHANGE_FORK == null }\n", ""),
    ("a fork's code beside the signing key", "                        expression { env.CHANGE_FORK == null }\n", ""),
    ("a fork's code on an agent that builds branches", "env.CHANGE_FORK ? params.FORK_AGENT : ", ""),
    ("what is released built where branches are", "? params.MASTER_AGENT : params.BUILD_AGENT", "? params.BUILD_AGENT : params.BUILD_AGENT"),
    ("main built where branches are", "(env.BRANCH_NAME == 'master' || env.BRANCH_NAME == 'main')", "env.BRANCH_NAME == 'master'"),
    ("branches built where releases are", "? params.MASTER_AGENT : params.BUILD_AGENT", "? params.MASTER_AGENT : params.MASTER_AGENT"),
    ("a pull request called master built where releases are", "env.CHANGE_ID == null && ", ""),
    ("a tag called master built where releases are", "env.TAG_NAME == null && ", ""),
    ("one label for branches and releases", "defaultValue: 'hivecast-master'", "defaultValue: 'hivecast-build'"),
    ("crates that every build may write", "${params.CACHE_DIR}/${env.VERIFY_AGENT}/cargo", "${params.CACHE_DIR}/cargo"),
    ("compiled files that every build may write", "${params.CACHE_DIR}/${env.VERIFY_AGENT}/executor", "${params.CACHE_DIR}/executor"),
    ("a lock before the condition", "                beforeOptions true\n                anyOf", "                anyOf"),
    ("a release's lock before the condition", "                beforeOptions true\n                branch", "                branch", 0),
    ("a question before the condition", MASTER_ONLY + "            }\n            stages {",
     MASTER_ONLY.replace("beforeOptions true", "beforeInput false") + "            }\n            input { message 'Deploy?' }\n            stages {"),
    ("an agent before the condition", MASTER_ONLY, MASTER_ONLY.replace("                beforeOptions true\n", ""), 0),
    ("no approval", "                    input {\n                        message 'Deploy to PROD what was just tried in QA?'\n                        ok 'Deploy to PROD'\n                        submitter 'hivecast-approvers'\n                    }\n", ""),
    ("an approval by anybody", "                        submitter 'hivecast-approvers'\n", ""),
    ("an approval that waits for ever", "                    " + APPROVAL_LIMIT + "\n", ""),
    ("an approval that holds an agent of its parent", "        stage('PROD') {\n", "        stage('PROD') {\n            agent { label \"${params.DEPLOY_AGENT}\" }\n"),
    ("an approval that holds the lock", "            stages {\n                stage('Approval')", "            " + PROD_LOCK + "\n            stages {\n                stage('Approval')"),
    ("a secret in double quotes", "sh 'ci/deploy prod'", 'sh "ci/deploy prod --key ${SSH_KEY_FILE}"', 0),
    ("a secret in an echo", "sh 'ci/release'", "sh 'ci/release'\n                    echo \"${AWS_SECRET_ACCESS_KEY}\""),
    ("the release key for a package", "'hivecast-ci-signing-key', variable: 'SIGNING_KEY_FILE'", "'hivecast-release-signing-key', variable: 'RELEASE_KEY_FILE'"),
    ("credentials that do not exist", "'hivecast-ssh-qa'", "'hivecast-ssh-quality'", 0),
    ("credentials of another kind", "'hivecast-ssh-qa'", "'hivecast-git'", 0),
    ("the wrong environment", "sh 'ci/deploy qa'", "sh 'ci/deploy prod'"),
    ("the wrong command", "sh 'ci/regress qa'", "sh 'ci/regress prod'"),
    ("a command without its agent", 'agent { label "${params.DEPLOY_AGENT}" }\n', "\n"),
    ("a command without an agent in the first stage", "milestone(ordinal: currentBuild.number)", "sh 'ci/build'"),
    ("a deploy on the agents that build", 'agent { label "${params.DEPLOY_AGENT}" }', 'agent { label "${params.BUILD_AGENT}" }'),
    ("a pull request's deploy on the agent of PROD", 'agent { label "${params.DEPLOY_AGENT}" }', 'agent { label "${params.PROD_AGENT}" }'),
    ("PROD's deploy on the agent of QA", 'agent { label "${params.PROD_AGENT}" }', 'agent { label "${params.DEPLOY_AGENT}" }', 0),
    ("PROD's smoke test on the agent of QA", 'agent { label "${params.PROD_AGENT}" }', 'agent { label "${params.DEPLOY_AGENT}" }'),
    ("one label for QA and PROD", "defaultValue: 'hivecast-prod'", "defaultValue: 'hivecast-deploy'"),
    ("a release on the agents that build", '"${params.RELEASE_AGENT}"', '"${params.BUILD_AGENT}"'),
    ("packages made on the agents that release", "? params.MASTER_AGENT :", "? params.RELEASE_AGENT :"),
    ("PROD's key for QA", "'hivecast-ssh-qa'", "'hivecast-ssh-prod'", 0),
    ("QA's key for PROD", "'hivecast-ssh-prod'", "'hivecast-ssh-qa'"),
    ("PROD's key lent around nothing that runs", "sh 'ci/build'", "withCredentials([sshUserPrivateKey(credentialsId: 'hivecast-ssh-prod', keyFileVariable: 'KEY')]) { echo 'a' }\n                        sh 'ci/build'"),
    ("a version that every build must have", VERSION_CONDITION, ""),
    ("a version that nobody looks at before the merge", VERSION_CONDITION, VERSION_CONDITION.replace("changeRequest target", "not { changeRequest() }\n                        changeRequest target")),
    ("a version that pull requests into main need not have", VERSION_CONDITION, VERSION_CONDITION.replace("'master|main', comparator: 'REGEXP'", "'master'")),
    ("a version that only branches of ours need", VERSION_CONDITION, VERSION_CONDITION.replace("                    }\n", "                        expression { env.CHANGE_FORK == null }\n                    }\n")),
    ("a release where the version is looked at", "sh 'ci/release --check'", "sh 'ci/release'"),
    ("a look at the version that asks the store", "                        RELEASE_STORE = ''\n", ""),
    ("a look at the version that asks the remote, since nothing unsets", "RELEASE_REMOTE = '.'", "RELEASE_REMOTE = ''"),
    ("a look at the version after the build", "sh 'ci/release --check'", "sh 'ci/build'\n                        sh 'ci/release --check'"),
    ("settings that nobody holds against the program", SETTINGS, ""),
    ("settings that are made anew, where the packages take them from", "sh 'ci/settings --check'", "sh 'ci/settings'"),
    ("settings held against the program before it is compiled", "sh 'ci/build'", "sh 'ci/settings --check'\n                        sh 'ci/build'"),
    ("settings that are looked at on master alone", SETTINGS, SETTINGS.replace("options", "when { branch 'master' }\n                    options")),
    ("settings without the time to link the program", "timeout(time: 10, unit: 'MINUTES')", "timeout(time: 10, unit: 'SECONDS')"),
    ("a last stage that deploys once more", "sh 'ci/deploy prod --smoke-only'", "sh 'ci/deploy prod'"),
    ("a last stage without a test", "sh 'ci/deploy prod --smoke-only'", "sh 'ci/deploy prod --status'"),
    ("a deploy that tests alone", "sh 'ci/deploy prod'", "sh 'ci/deploy prod --smoke-only'"),
    ("a regression test without the package", "                        unstash 'packages'\n                        withCredentials([sshUserPrivateKey", "                        withCredentials([sshUserPrivateKey", 1),
    ("a deploy without packages", "                        unstash 'packages'\n                        withCredentials([sshUserPrivateKey", "                        withCredentials([sshUserPrivateKey", 0),
    ("a release without packages", "                unstash 'packages'\n                withCredentials([\n", "                withCredentials([\n"),
    ("a smoke test without packages", "                                unstash 'packages'\n", ""),
    ("no reports of a deploy to QA that fails", REPORTS_OF_QA, REPORTS_OF_QA.replace("always", "success"), 0),
    ("no reports of a regression test that fails", REPORTS_OF_QA, REPORTS_OF_QA.replace("always", "success"), 1),
    ("no reports of a deploy to PROD that is aborted", REPORTS_OF_PROD, REPORTS_OF_PROD.replace("always", "failure"), 0),
    ("no reports of a smoke test that fails", REPORTS_OF_PROD, REPORTS_OF_PROD.replace("always", "success"), 1),
    ("no lock on PROD", PROD_LOCK, "options { timeout(time: 5, unit: 'HOURS') }"),
    ("the lock of another environment", "resource: 'hivecast-qa'", "resource: 'hivecast-prod'"),
    ("a time limit around the wait for a lock", "                lock(resource: 'hivecast-release', inversePrecedence: true)\n                timeout(time: 60, unit: 'MINUTES')",
     "                timeout(time: 60, unit: 'MINUTES')\n                lock(resource: 'hivecast-release', inversePrecedence: true)"),
    ("no milestone before PROD", "                                milestone(ordinal: 1000002, label: 'PROD')\n", ""),
    ("a milestone that does not rise", "ordinal: 1000002", "ordinal: 1000001"),
    ("abortPrevious, which kills deploys", "timestamps()", "timestamps()\n        disableConcurrentBuilds(abortPrevious: true)"),
    ("restarts from any stage", "        disableRestartFromStage()\n", ""),
    ("failed tests do not stop", "        skipStagesAfterUnstable()\n", ""),
    ("no results of tests", "junit 'reports/junit/*.xml'", "echo 'tests are over'"),
    ("results of tests that nobody sees when some fail", "                        always {\n                            junit", "                        success {\n                            junit"),
    ("results of tests from another folder", "junit 'reports/junit/*.xml'", "junit 'reports/*.xml'"),
    ("packages stashed from a folder that is not there", "includes: 'dist/**'", "includes: 'dists/**'", 0),
    ("released packages stashed from a folder that is not there", "includes: 'dist/**'", "includes: 'dists/**'"),
    ("packages for PROD without the release key's signature", RELEASED, ""),
    ("packages stashed before the release key signs them", "                    sh 'ci/release'\n                }\n" + RELEASED,
     "                    " + RELEASED.split("\n")[1].strip() + "\n                    sh 'ci/release'\n                }\n"),
    ("a release that is not archived", "archiveArtifacts artifacts: 'dist/**, reports/**'", "archiveArtifacts artifacts: 'reports/**'"),
    ("packages that are not archived", "archiveArtifacts artifacts: 'dist/**, reports/**'", "archiveArtifacts artifacts: 'reports/**'", 0),
    *((f"an error where there is nothing to archive, at place {place}", ", allowEmptyArchive: true", "", place) for place in range(6)),
    ("mail to nobody", "mail to: params.MAIL_TO, subject: \"FAILED", "mail to: params.MAIL_TOO, subject: \"FAILED"),
    ("mail of tests to somebody else", "mail to: params.MAIL_TO, subject: \"TESTS", "mail to: 'me@example.com', subject: \"TESTS"),
    ("mail of an abort to nobody", "mail to: params.MAIL_TO, subject: \"ABORTED", "mail subject: \"ABORTED"),
    ("mail of a recovery to nobody", "mail to: params.MAIL_TO, subject: \"RECOVERED", "mail to: params.MAIL_FROM, subject: \"RECOVERED"),
    ("mail that does not say of which build", "What failed: ${env.BUILD_URL}", "What failed: ${env.JOB_NAME}"),
    *((f"a lock, the {place + 1}. of three, that lets the oldest go first", ", inversePrecedence: true", "", place) for place in range(3)),
    ("a minute for the tests", "timeout(time: 90, unit: 'MINUTES')", "timeout(time: 1, unit: 'MINUTES')"),
    ("seconds for the build", "timeout(time: 60, unit: 'MINUTES')", "timeout(time: 60, unit: 'SECONDS')", 0),
    ("a deploy that can't wait for a publish on each host", "timeout(time: 6, unit: 'HOURS')", "timeout(time: 4, unit: 'HOURS')", 1),
    ("a regression test that can't wait for a publish", "timeout(time: 3, unit: 'HOURS')", "timeout(time: 1, unit: 'HOURS')"),
    ("an approval that nobody can give in time", "timeout(time: 2, unit: 'DAYS')", "timeout(time: 2, unit: 'HOURS')"),
    ("archived only after success", "                always {\n                    archiveArtifacts artifacts: 'dist/**, reports/**'", "                success {\n                    archiveArtifacts artifacts: 'dist/**, reports/**'"),
    ("no mail on failure", "        failure {\n            mail", "        notBuilt {\n            mail"),
    ("recoveries that a superseded build silences", "            script {", "            echo 'fine'\n        }\n        fixed {\n            script {"),
    ("packages that no stage has stashed", "unstash 'packages'", "unstash 'package'"),
    ("a variable that does not exist", "params.CACHE_DIR}/cargo", "params.CACHES_DIR.path}/cargo"),
    ("no time limit on a deploy", "                            options { timeout(time: 6, unit: 'HOURS') }\n", ""),
]


def setUpModule():
    global running
    running = simulation.Simulation()


def tearDownModule():
    running.close()


def replaced(text, old, new, which=-1):
    parts = text.split(old)
    if len(parts) == 1:
        raise AssertionError(f"the Jenkinsfile has no {old!r} to break")
    cut = which % (len(parts) - 1) + 1
    return old.join(parts[:cut]) + new + old.join(parts[cut:])


class Broken(unittest.TestCase):
    def setUp(self):
        self.text = JENKINSFILE.read_text()

    def test_the_checker_refuses(self):
        for name, old, new, message in REFUSED:
            with self.subTest(name):
                mistakes = running.check(replaced(self.text, old, new))
                self.assertTrue(any(message in mistake for mistake in mistakes), mistakes)

    def test_the_contract_is_breached(self):
        for name, *change in WRONG:
            with self.subTest(name):
                pipeline = Pipeline(running, replaced(self.text, *change))
                self.assertEqual(pipeline.mistakes, [], "the checker found it already")
                self.assertIsNotNone(next(contract.breaches(pipeline), None), "nobody noticed")


if __name__ == "__main__":
    unittest.main()
