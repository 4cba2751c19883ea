"""ci/jenkins, docs/ci.md and the Jenkinsfile say the same: credentials, plugins, agents, steps."""

import os
import pathlib
import re
import sys
import unittest

import yaml

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "ci" / "jenkins-test"))

import contract  # noqa: E402
import simulation  # noqa: E402

JENKINSFILE = (REPOSITORY / "Jenkinsfile").read_text()
CASC_TEXT = (REPOSITORY / "ci" / "jenkins" / "casc.yaml").read_text()
CASC = yaml.safe_load(CASC_TEXT)
SEED = (REPOSITORY / "ci" / "jenkins" / "seed.groovy").read_text()
PLUGINS = [line for line in (REPOSITORY / "ci" / "jenkins" / "plugins.txt").read_text().split("\n") if line and not line.startswith("#")]
DOCS = (REPOSITORY / "docs" / "ci.md").read_text()

# Which plugin brings each word that the Jenkinsfile and the configuration use.
BROUGHT_BY = {
    "milestone(": "pipeline-milestone-step", "lock(": "lockable-resources", "timestamps()": "timestamper", "junit ": "junit",
    "mail to": "mailer", "withCredentials(": "credentials-binding", "sshUserPrivateKey(": "ssh-credentials", "file(": "plain-credentials",
    "gitUsernamePassword(": "git", "changeRequest": "pipeline-model-definition", "multibranchPipelineJob(": "job-dsl",
    "gitHubForkDiscovery": "github-branch-source", "githubpluginconfig": "github", "projectMatrix": "matrix-auth", "sshHostKeyVerificationStrategy": "ssh-slaves",
}


def credentials():
    for domain in CASC["credentials"]["system"]["domainCredentials"]:
        for entry in domain["credentials"]:
            yield from entry.values()


class Setup(unittest.TestCase):
    def test_every_credential_of_the_jenkinsfile_is_configured_documented_and_lent_to_builds(self):
        used = set(re.findall(r"credentialsId: '([^']+)'", JENKINSFILE))
        self.assertEqual(len(used), 6)
        lent = {credential["id"] for credential in credentials() if credential.get("scope") == "GLOBAL"}
        self.assertEqual(used, lent)
        for name in used:
            self.assertIn(f"`{name}`", DOCS)

    def test_every_other_credential_is_documented_and_out_of_a_build_s_reach(self):
        for credential in credentials():
            self.assertIn(f"`{credential['id']}`", DOCS)
        referred = set(re.findall(r"credentialsId(?:: |\(')([\w-]+)", CASC_TEXT + SEED))
        self.assertEqual(referred, {"hivecast-github", "hivecast-webhook", "hivecast-agents"})

    def test_no_secret_is_written_down(self):
        for credential in credentials():
            for name, value in credential.items():
                if name == "privateKeySource":
                    name, value = "privateKey", value["directEntry"]["privateKey"]
                if name in ("password", "secret", "secretBytes", "privateKey"):
                    self.assertRegex(value, r"^(\$\{\w+\}|\$\{base64:\$\{\w+\}\})$", credential["id"])
        self.assertNotIn("BEGIN", CASC_TEXT)

    def test_the_plugins_cover_what_is_used(self):
        everything = JENKINSFILE + SEED + CASC_TEXT
        for word, plugin in BROUGHT_BY.items():
            self.assertIn(word, everything)
            self.assertIn(plugin, PLUGINS)
        for plugin in PLUGINS:
            self.assertIn(f"`{plugin}`", DOCS)

    def test_the_agents_and_the_approvers_exist(self):
        # One label each: what has two would bring together what the pipeline keeps apart.
        labels = [node["permanent"]["labelString"] for node in CASC["jenkins"]["nodes"]]
        for name in ("BUILD_AGENT", "FORK_AGENT", "RELEASE_AGENT", "DEPLOY_AGENT", "PROD_AGENT"):
            default = re.search(rf"name: '{name}', defaultValue: '([^']+)'", JENKINSFILE)[1]
            self.assertIn(default, labels)
            self.assertIn(f"| `{default}` | `{name}` |", DOCS)
        groups = [entry["group"]["name"] for entry in CASC["jenkins"]["authorizationStrategy"]["projectMatrix"]["entries"] if "group" in entry]
        self.assertIn(re.search(r"submitter '([^']+)'", JENKINSFILE)[1], groups)

    def test_the_job_is_the_one_that_the_docs_describe(self):
        for trait in ("gitHubBranchDiscovery", "gitHubPullRequestDiscovery", "gitHubForkDiscovery", "gitHubTrustPermissions", "discardOldItems"):
            self.assertIn(trait, SEED)
            self.assertIn(trait, DOCS)
        self.assertNotIn("TagDiscovery", SEED)
        self.assertNotIn("TrustEveryone", SEED)
        self.assertEqual(CASC["jobs"], [{"file": "/var/jenkins_home/casc/seed.groovy"}])

    def test_the_seed_is_groovy(self):
        with simulation.Simulation() as running:
            self.assertEqual(running.parse(SEED), [])
            self.assertNotEqual(running.parse(SEED.replace("{", "", 1)), [])

    def test_every_step_that_the_jenkinsfile_calls_can_be_run(self):
        called = set(re.findall(r"sh '(ci/\S+?)[ ']", JENKINSFILE))
        self.assertEqual(called, {f"ci/{name}" for name in ("build", "test", "quality", "package", "release", "deploy", "regress")})
        for script in sorted(called | {"ci/rollback"}):
            with self.subTest(script):
                self.assertTrue(os.access(REPOSITORY / script, os.X_OK), f"{script} is not there or not executable")

    def test_commands_hold_nothing_that_groovy_fills_in(self):
        commands = re.findall(r"^\s*sh (.*)$", JENKINSFILE, re.MULTILINE)
        for command in commands:
            self.assertRegex(command, r"^'ci/[a-z]+( (qa|prod))?( --[a-z-]+)?'$")


class Docs(unittest.TestCase):
    def test_they_say_that_no_jenkins_has_seen_the_file(self):
        self.assertIn("simulation", DOCS)
        self.assertIn("No real Jenkins has parsed", DOCS)

    def test_their_table_is_the_one_that_is_tested(self):
        rows = dict(re.findall(r"^\| (.+?) \| ((?:version, )?build, test, quality.*?) \|$", DOCS, re.MULTILINE))
        # The stage before the build is told of in the text.
        tested = [", ".join(stages[1:]) for stages, _ in (contract.VERIFY, contract.PACKAGE, contract.QA, contract.MASTER)]
        written = [" ".join(stages.split()) for stages in rows.values()]
        self.assertEqual([stages.lower() for stages in written[:4]], [stages.lower() for stages in tested])
        forks = [", ".join(stages[1:]).lower() for stages, _ in (contract.VERIFY, contract.CHECKED)]
        self.assertEqual(written[4:], [f"{stages}, on agents of their own" for stages in forks])

    def test_files_that_they_name_exist(self):
        for name in set(re.findall(r"`(ci/jenkins[\w./-]*|docs/[\w.]+|ci/tests/test_jenkins\w*\.py)`", DOCS)):
            self.assertTrue((REPOSITORY / name).exists(), name)


if __name__ == "__main__":
    unittest.main()
