"""ci/jenkins, docs/ci.md and the Jenkinsfile say the same: credentials, plugins, agents, rights, the job's
settings, steps. And docs/ci.md's set-up can be followed."""

import os
import pathlib
import re
import sys
import unittest

import yaml

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "ci" / "jenkins-test"))

sys.path.insert(0, str(REPOSITORY / "ci" / "lib"))

import contract  # noqa: E402
import controller  # noqa: E402
import simulation  # noqa: E402
from deployment import package  # noqa: E402
from steps import GIT, run, scratch  # noqa: E402

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
    "gitHubForkDiscovery": "github-branch-source", "gitHostKeyVerificationConfiguration": "git", "githubpluginconfig": "github", "projectMatrix": "matrix-auth", "sshHostKeyVerificationStrategy": "ssh-slaves",
}


# What is well-formed and wrong in casc.yaml: (what is wrong, the text, what it becomes), at the place that a
# number says, else at the first.
WRONG_CASC = [
    ("builds on the controller", "  numExecutors: 0\n", "  numExecutors: 2\n"),
    ("a controller that takes what no label binds", "  mode: EXCLUSIVE\n", "  mode: NORMAL\n"),
    ("everybody who may log in may configure", "name: authenticated\n            permissions: [Overall/Read, ", "name: authenticated\n            permissions: [Overall/Read, Job/Configure, "),
    ("whoever does not log in may build", "name: authenticated", "name: anonymous"),
    ("no approvers", "name: hivecast-approvers", "name: approvers"),
    ("approvers who may see no job", "Job/Read, Job/Build, Job/Cancel]", "Job/Cancel]", 1),
    ("the agents' key in every build's reach", "scope: SYSTEM\n              id: hivecast-agents", "scope: GLOBAL\n              id: hivecast-agents"),
    ("the webhook's secret in every build's reach", "scope: SYSTEM\n              id: hivecast-webhook", "scope: GLOBAL\n              id: hivecast-webhook"),
    ("a scope that is left to the plugin", "              scope: SYSTEM\n", ""),
    ("an App that the job does not find", "scope: GLOBAL\n              id: hivecast-github", "scope: SYSTEM\n              id: hivecast-github"),
    ("a key that no build finds", "scope: GLOBAL\n              id: hivecast-ssh-qa", "scope: SYSTEM\n              id: hivecast-ssh-qa"),
    ("a credential of another kind", "- file:\n              scope: GLOBAL\n              id: hivecast-ci", "- string:\n              scope: GLOBAL\n              id: hivecast-ci"),
    ("a credential that nobody knows of", "id: hivecast-git\n", "id: hivecast-git-push\n"),
    ("an access key in the log", "usernameSecret: true", "usernameSecret: false"),
    ("an access key that nothing says is secret", "              usernameSecret: true\n", ""),
    ("two labels on one agent", "labelString: hivecast-build\n", "labelString: hivecast-build hivecast-master\n"),
    ("no agent that builds releases", "labelString: hivecast-master\n", "labelString: hivecast-build\n"),
    ("two labels on one machine", "host: master-1.example.com", "host: build-1.example.com"),
    ("an agent whose key nobody compares", "manuallyProvidedKeyVerificationStrategy:\n                key: \"${PROD", "manuallyTrustedKeyVerificationStrategy:\n                key: \"${PROD"),
    ("an agent with another's key", "${PROD_AGENT_HOST_KEY}", "${FORK_AGENT_HOST_KEY}"),
    ("an agent for builds without a label", "        mode: EXCLUSIVE\n", "        mode: NORMAL\n", 2),
    ("an agent that is started with a deploy's key", "credentialsId: hivecast-agents", "credentialsId: hivecast-ssh-prod", 1),
    ("a secret that the docs don't tell of", "${SMTP_PASSWORD}", "${MAIL_PASSWORD}"),
    ("a checkout from whoever answers", "approvedHostKeys: \"github.com", "approvedHostKeys: \"example.com"),
    ("tags of another repository", "example/hivecast.git", "example/other.git"),
    ("a webhook that anybody may call", "- credentialsId: hivecast-webhook", "- credentialsId: hivecast-github"),
    ("another seed", "casc/seed.groovy\n", "seed.groovy\n", -1),
]
# The same for seed.groovy.
WRONG_SEED = [
    ("branches with a pull request left out", "strategyId(3)", "strategyId(1)"),
    ("pull requests without their target", "gitHubPullRequestDiscovery { strategyId(1) }", "gitHubPullRequestDiscovery { strategyId(2) }"),
    ("a stranger's Jenkinsfile", "gitHubTrustPermissions()", "gitHubTrustEveryone()"),
    ("nobody is said to be trusted", "trust { gitHubTrustPermissions() }", "trust { }"),
    ("tags are built", "gitHubBranchDiscovery {", "gitHubTagDiscovery()\ngitHubBranchDiscovery {"),
    ("tags are not fetched", "noTags(false)", "noTags(true)"),
    ("a shallow clone", "shallow(false)", "shallow(true)"),
    ("agents that check out with the App's token", "gitHubSshCheckout { credentialsId('hivecast-checkout') }", ""),
    ("agents that check out with a deploy's key", "'hivecast-checkout'", "'hivecast-ssh-prod'"),
    ("a scan with another credential", "'hivecast-github'", "'hivecast-git'"),
    ("another repository", "repository('hivecast')", "repository('other')"),
    ("another Jenkinsfile", "scriptPath('Jenkinsfile')", "scriptPath('ci/Jenkinsfile')"),
    ("a scan that never comes", "interval('1d')", "interval('30d')"),
    ("builds that are gone at once", "daysToKeep(14)", "daysToKeep(1)"),
    ("builds that stay for ever", "numToKeep(50)", "numToKeep(-1)"),
    ("deploys that end with their branch", "numToKeep(50)", "numToKeep(50)\nabortBuilds(true)"),
]


def setUpModule():
    global running
    running = simulation.Simulation()


def tearDownModule():
    running.close()


def replaced(text, old, new, place=0):
    """A broken variant; the text must be there to be broken."""
    parts = text.split(old)
    cut = place % (len(parts) - 1) + 1
    return old.join(parts[:cut]) + new + old.join(parts[cut:])


def breaches(casc=CASC_TEXT, seed=SEED):
    return list(controller.breaches(casc, running.calls(seed), JENKINSFILE, DOCS))


def credentials():
    return [credential for _, credential in controller.credentials(CASC)]


class Values(unittest.TestCase):
    """Every value of the configuration that matters is what docs/ci.md and the Jenkinsfile say."""

    def test_the_configuration_is_what_it_promises(self):
        self.assertEqual(breaches(), [])

    def test_every_wrong_value_of_casc_is_found(self):
        for name, *change in WRONG_CASC:
            with self.subTest(name):
                self.assertNotEqual(breaches(casc=replaced(CASC_TEXT, *change)), [], "nobody noticed")

    def test_every_wrong_value_of_the_seed_is_found(self):
        for name, *change in WRONG_SEED:
            with self.subTest(name):
                self.assertNotEqual(breaches(seed=replaced(SEED, *change)), [], "nobody noticed")


class Setup(unittest.TestCase):
    def test_every_credential_of_the_jenkinsfile_is_lent_to_builds(self):
        used = set(re.findall(r"credentialsId: '([^']+)'", JENKINSFILE))
        self.assertEqual(len(used), 6)
        self.assertEqual(used | controller.OF_THE_JOB, {credential["id"] for credential in credentials() if credential["scope"] == "GLOBAL"})

    def test_every_other_credential_is_documented_and_out_of_a_build_s_reach(self):
        """But the job's own two, of which docs/ci.md says so: what has global scope a Jenkinsfile can name."""
        others = {credential["id"]: credential["scope"] for credential in credentials() if credential["id"] not in JENKINSFILE}
        self.assertEqual({name for name, scope in others.items() if scope != "SYSTEM"}, controller.OF_THE_JOB)
        for name in others:
            self.assertIn(f"| `{name}` |", DOCS)
        referred = set(re.findall(r"credentialsId(?:: |\(')([\w-]+)", CASC_TEXT + SEED))
        self.assertEqual(referred, others.keys())

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

    def test_the_approvers_exist(self):
        self.assertIn(re.search(r"submitter '([^']+)'", JENKINSFILE)[1], controller.RIGHTS)

    def test_the_seed_is_groovy(self):
        self.assertEqual(running.parse(SEED), [])
        self.assertNotEqual(running.parse(SEED.replace("{", "", 1)), [])

    def test_every_step_that_the_jenkinsfile_calls_can_be_run(self):
        called = set(re.findall(r"sh '(ci/\S+?)[ ']", JENKINSFILE))
        self.assertEqual(called, {f"ci/{name}" for name in ("build", "settings", "test", "quality", "package", "release", "deploy", "regress")})
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
        rows = dict(re.findall(r"^\| (.+?) \| ((?:version, )?build, settings, test, quality.*?) \|$", DOCS, re.MULTILINE))
        # The stage before the build is told of in the text.
        tested = [", ".join(stages[1:]) for stages, _ in (contract.VERIFY, contract.PACKAGE, contract.QA, contract.MASTER)]
        written = [" ".join(stages.split()) for stages in rows.values()]
        self.assertEqual([stages.lower() for stages in written[:4]], [stages.lower() for stages in tested])
        forks = [", ".join(stages[1:]).lower() for stages, _ in (contract.VERIFY, contract.CHECKED)]
        self.assertEqual(written[4:], [f"{stages}, on agents of their own" for stages in forks])

    def test_files_that_they_name_exist(self):
        for name in set(re.findall(r"`(ci/jenkins[\w./-]*|docs/[\w.]+|ci/tests/test_jenkins\w*\.py)`", DOCS)):
            self.assertTrue((REPOSITORY / name).exists(), name)

    def test_tests_that_need_root_are_named(self):
        """On an agent that is not root they are skipped."""
        for path in sorted((REPOSITORY / "ci" / "tests").glob("test_*.py")):
            needs_root = re.search(r"^@unittest.skipUnless\(.*root", path.read_text(), re.MULTILINE)
            self.assertEqual(bool(needs_root), f"(`{path.name}`)" in DOCS, path.name)


class Keys(unittest.TestCase):
    """The commands of the step "Keys", run as they stand there."""

    def commands(self, first):
        """The block that begins with this word, without its indentation."""
        [block] = [block for block in re.findall(r"(?ms)^   ```\n(.*?)^   ```$", DOCS) if block.strip().startswith(first)]
        return "\n".join(line[3:] for line in block.splitlines())

    def test_they_make_two_keys_that_sign_packages_and_commit_the_public_halves(self):
        with scratch() as place:
            here = place / "checkout"
            run("git", "init", "--quiet", here, **GIT)
            run("bash", "-euc", self.commands("export GNUPGHOME") + "\ngpgconf --kill all", cwd=here, TMPDIR=place, **GIT)
            self.assertEqual(run("git", "ls-files", cwd=here).split(), ["ci/keys/ci.asc", "ci/keys/release.asc"])
            self.assertEqual(run("git", "status", "--porcelain", cwd=here), "")
            (place / "file").write_text("to be signed")
            for key, other in (("ci", "release"), ("release", "ci")):
                [secret] = place.glob(f"*/{key}-secret.asc")
                run("ci/lib/sign", secret, place / "file")
                for trusted, code in ((key, 0), (other, 2)):
                    (place / "ring").write_bytes(package.keyring([here / f"ci/keys/{trusted}.asc"]))
                    run("gpgv", "--keyring", place / "ring", place / "file.asc", place / "file", code=code)

    def test_the_hosts_whose_keys_are_asked_are_those_of_the_environments(self):
        asked = {line.split(">>")[1]: line.split(">>")[0].split()[3:] for line in self.commands("ssh-keyscan").splitlines()}
        for name in ("qa", "prod"):
            environment = yaml.safe_load((REPOSITORY / "ci" / "environments" / f"{name}.yaml").read_text())
            self.assertEqual(asked[environment["known_hosts"]], [host["address"] for host in environment["hosts"]])
            for key in environment["trusted_keys"]:
                self.assertIn(key, self.commands("export GNUPGHOME").replace("$key", pathlib.Path(key).stem))

    def test_the_link_to_the_hosts_set_up_leads_there(self):
        self.assertIn("(deploy.md#setting-up-a-host)", DOCS)
        self.assertIn("\n## Setting up a host\n", (REPOSITORY / "docs" / "deploy.md").read_text())


if __name__ == "__main__":
    unittest.main()
