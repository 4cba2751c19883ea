"""What casc.yaml and seed.groovy promise, held by value against docs/ci.md and the Jenkinsfile: a broken
variant of either must show at least one breach (ci/tests/test_jenkins_setup.py)."""

import re

import yaml

# How docs/ci.md calls each kind of credential, at the beginning of its cell.
KINDS = {"file": "secret file", "string": "secret text", "usernamePassword": "username and", "gitHubApp": "GitHub App",
         "basicSSHUserPrivateKey": "ssh user name with private key"}
# The job's own, which the Jenkinsfile lends to nobody: Jenkins finds neither for a job in system scope.
OF_THE_JOB = {"hivecast-github", "hivecast-checkout"}
OF_THE_CONTROLLER = {"hivecast-webhook", "hivecast-agents"}
BUILDER = ["Overall/Read", "Job/Read", "Job/Build", "Job/Cancel"]
RIGHTS = {"admin": ["Overall/Administer"], "authenticated": BUILDER, "hivecast-approvers": BUILDER}
AGENTS = ("BUILD_AGENT", "FORK_AGENT", "MASTER_AGENT", "RELEASE_AGENT", "DEPLOY_AGENT", "PROD_AGENT")
# What the job is called; the rest of the seed is settings.
TITLES = ("displayName", "description")


def table(docs, *head):
    """The rows of the table with this head, each as its cells."""
    _, found, rest = docs.partition(f"| {' | '.join(head)} |\n")
    if not found:
        raise AssertionError(f"docs/ci.md has no table {head}")
    rows = []
    for line in rest.splitlines()[1:]:
        if not line.strip().startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip().strip("|").split("|")])
    return rows


def credentials(casc):
    """Each credential with its kind."""
    for domain in casc["credentials"]["system"]["domainCredentials"]:
        for entry in domain["credentials"]:
            yield from entry.items()


def secrets(text):
    """The names that casc.yaml takes from a secret source."""
    settings = "\n".join(line for line in text.splitlines() if not line.strip().startswith("#"))
    return set(re.findall(r"\$\{([A-Z_]+)\}", settings))


def breaches(text, seed, jenkinsfile, docs):
    """Each broken promise, in words; `seed` is the seed's calls."""
    casc = yaml.safe_load(text)
    yield from of_credentials(casc, jenkinsfile, docs)
    yield from of_rights(casc)
    yield from of_agents(casc, jenkinsfile, docs)
    yield from of_secrets(text, docs)
    yield from of_job(seed, docs)
    yield from of_checkout(casc, seed)


def of_credentials(casc, jenkinsfile, docs):
    lent = set(re.findall(r"credentialsId: '([^']+)'", jenkinsfile))
    scopes = {**dict.fromkeys(lent | OF_THE_JOB, "GLOBAL"), **dict.fromkeys(OF_THE_CONTROLLER, "SYSTEM")}
    configured = {credential["id"]: (kind, credential) for kind, credential in credentials(casc)}
    if configured.keys() != scopes.keys():
        yield f"other credentials: {sorted(configured.keys() ^ scopes.keys())}"
    told = {row[0].strip("`"): row for row in table(docs, "id", "kind", "scope", "lent to")}
    for name, (kind, credential) in configured.items():
        if credential.get("scope") != scopes.get(name):
            yield f"{name} has the scope {credential.get('scope')}"
        row = told.get(name, ["", "", ""])
        if not row[1].startswith(KINDS[kind]) or row[2].upper() != scopes.get(name):
            yield f"docs/ci.md tells of {name}: {row}"
        # Jenkins masks a user name only if it is told to; an access key is one, a name of an account is not.
        if (credential.get("usernameSecret") is True) != ("treat username as secret" in row[1]):
            yield f"the username of {name} is as secret as docs/ci.md does not say"
        if kind == "usernamePassword" and ("${" in credential["username"]) != (credential.get("usernameSecret") is True):
            yield f"the username of {name} comes from a secret and is not masked"
    for name in told.keys() - configured.keys():
        yield f"docs/ci.md tells of {name}, which is not configured"


def of_rights(casc):
    entries = casc["jenkins"]["authorizationStrategy"]["projectMatrix"]["entries"]
    found = {who["name"]: who["permissions"] for entry in entries for who in entry.values()}
    for who in RIGHTS.keys() | found.keys():
        if found.get(who) != RIGHTS.get(who):
            yield f"'{who}' may {found.get(who)}"
    if [list(entry) for entry in entries] != [["user"], ["group"], ["group"]]:
        yield "a user is a group, or a group a user"


def of_agents(casc, jenkinsfile, docs):
    if (casc["jenkins"]["numExecutors"], casc["jenkins"]["mode"]) != (0, "EXCLUSIVE"):
        yield "builds run on the controller"
    nodes = [node["permanent"] for node in casc["jenkins"]["nodes"]]
    wanted = {name: re.search(rf"name: '{name}', defaultValue: '([^']+)'", jenkinsfile)[1] for name in AGENTS}
    # One label each: what has two would bring together what the pipeline keeps apart.
    if sorted(node["labelString"] for node in nodes) != sorted(wanted.values()):
        yield f"the agents' labels are {[node['labelString'] for node in nodes]}"
    hosts = [node["launcher"]["ssh"]["host"] for node in nodes]
    if len(set(hosts)) != len(hosts):
        yield "two labels share a machine"
    told = [tuple(cell.strip("`") for cell in row[:2]) for row in table(docs, "label", "parameter", "does", "reaches", "whose code is in its caches")]
    if told != [(label, name) for name, label in wanted.items()]:
        yield f"docs/ci.md tells of the agents {told}"
    for node in nodes:
        ssh = node["launcher"]["ssh"]
        key = ssh["sshHostKeyVerificationStrategy"].get("manuallyProvidedKeyVerificationStrategy", {}).get("key")
        [name] = [name for name, label in wanted.items() if label == node["labelString"]] or [None]
        if (node["mode"], ssh["credentialsId"], key) != ("EXCLUSIVE", "hivecast-agents", f"${{{name}_HOST_KEY}}"):
            yield f"the agent {node['name']}: {node['mode']}, {ssh['credentialsId']}, {key}"


def of_secrets(text, docs):
    told = [name for row in table(docs, "secret", "form") for name in re.findall(r"`([A-Z_]+)`", row[0])]
    if sorted(told) != sorted(secrets(text)):
        yield f"secrets of casc.yaml or of docs/ci.md alone: {sorted(set(told) ^ secrets(text))}"


def settings(calls, parent=""):
    """The seed's innermost calls, each with the block that it stands in."""
    for name, *arguments in calls:
        blocks = [argument for argument in arguments if isinstance(argument, list)]
        for block in blocks:
            yield from settings(block, name)
        if not blocks and name not in TITLES:
            yield parent, f"{name}({', '.join(map(written, arguments))})"


def written(value):
    return f"'{value}'" if isinstance(value, str) else str(value).lower()


def of_job(seed, docs):
    found = {}
    for parent, call in settings(seed):
        found.setdefault(parent, set()).add(call)
    for name, value, _ in table(docs, "behaviour", "set to", "why"):
        blocks = re.findall(r"`(\w+)`", name)
        seeded = set().union(*(found.pop(block, {f"no {block}"}) for block in blocks))
        told = set(re.findall(r"`(\w+\([^`]*\))`", value))
        for one in re.findall(r"credentialsId\('([\w-]+)'\)", " ".join(seeded)):
            if one not in OF_THE_JOB:
                yield f"the job uses {one}"
        if seeded != told:
            yield f"{name}: the seed has {sorted(seeded)}, docs/ci.md {sorted(told)}"
    for block, calls in found.items():
        yield f"docs/ci.md does not tell of '{block}': {sorted(calls)}"


def of_checkout(casc, seed):
    """Agents check out with a key that may only read, from a host whose key is known."""
    job = dict(settings(seed))
    if job.get("gitHubSshCheckout") != "credentialsId('hivecast-checkout')":
        yield "agents check out with the App's token, which may set statuses"
    known = casc["security"]["gitHostKeyVerificationConfiguration"]["sshHostKeyVerificationStrategy"]
    if not isinstance(known, dict) or not known["manuallyProvidedKeyVerificationStrategy"]["approvedHostKeys"].startswith("github.com "):
        yield "a checkout talks to whoever answers"
    [repository] = [call for parent, call in settings(seed) if call.startswith("repositoryUrl(")]
    variables = {entry["key"]: entry["value"] for properties in casc["jenkins"]["globalNodeProperties"] for entry in properties["envVars"]["env"]}
    if repository != f"repositoryUrl('{variables.get('RELEASE_REMOTE', '').removesuffix('.git')}')":
        yield "tags are pushed to another repository than the job's"
    if casc["unclassified"]["githubpluginconfig"]["hookSecretConfigs"] != [{"credentialsId": "hivecast-webhook"}]:
        yield "anybody may call the webhook"
    if casc["jobs"] != [{"file": "/var/jenkins_home/casc/seed.groovy"}]:
        yield f"the jobs come from {casc['jobs']}"
