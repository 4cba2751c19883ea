"""usage: licenses.py MANIFEST > THIRD-PARTY-LICENSES

Lists every crate that is linked into the package of the manifest, with its licence, and the texts of
licences and notices that lie in the crates, each once. A crate without one has that of the crates of its
repository; where they have none either, it fails.
"""

import json
import pathlib
import re
import subprocess
import sys

TARGET = "x86_64-unknown-linux-gnu"
TEXT = re.compile(r"^(licen[cs]e|copying|notice|unlicense|copyright)([-_.].*)?$|^licenses\.txt$", re.IGNORECASE)
# In crates that carry C sources, those have their own.
DEPTH = 3
# Says the licence in its Cargo.toml alone; the text is the standard one. That of 0BSD asks for nothing, not even to
# be passed on.
STANDARD = {"Apache-2.0": pathlib.Path(__file__).resolve().parents[2] / "LICENSE"}
NOTHING_ASKED = {"0BSD"}
RULE = "=" * 100


def main(manifest):
    """Prints the list and the texts."""
    metadata = json.loads(subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", TARGET, "--manifest-path",
         manifest], check=True, stdout=subprocess.PIPE).stdout)
    crates = linked(metadata, pathlib.Path(manifest).resolve())
    texts = {}
    for crate in crates:
        for text in texts_of(crate, crates):
            texts.setdefault(text, []).append(f"{crate['name']} {crate['version']}")
    print("Hivecast is licensed under Apache-2.0. It is made of these crates too:\n")
    for crate in crates:
        print(f"  {crate['name']} {crate['version']}: {crate['license'] or 'see its text'}")
    for text, users in texts.items():
        print(f"\n{RULE}\n{', '.join(users)}\n{RULE}\n\n{text}")


def linked(metadata, manifest):
    """The crates of registries that the manifest's package links: its normal dependencies and theirs."""
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    [root] = [package["id"] for package in packages.values() if pathlib.Path(package["manifest_path"]) == manifest]
    seen, waiting = {root}, [root]
    while waiting:
        for dependency in nodes[waiting.pop()]["deps"]:
            normal = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            if normal and dependency["pkg"] not in seen:
                seen.add(dependency["pkg"])
                waiting.append(dependency["pkg"])
    crates = [packages[identity] for identity in seen if packages[identity]["source"]]
    return sorted(crates, key=lambda crate: (crate["name"], crate["version"]))


def texts_of(crate, crates):
    """The texts for a crate, without differences of white space alone at their ends."""
    files = files_of(crate)
    if not files:
        # Of several licences to choose from, the first whose text is here.
        alternatives = re.split(r" OR |/", crate["license"] or "")
        files = [STANDARD[name] for name in alternatives if name in STANDARD][:1]
        if not files and NOTHING_ASKED.intersection(alternatives):
            return []
    if not files:
        # A workspace often keeps its text at its root, and packs it into some of its crates only.
        files = [path for other in crates if same_terms(other, crate) for path in files_of(other)]
    if not files:
        sys.exit(f"licenses: there is no licence text in {crate['name']} {crate['version']} ({crate['license']})")
    return list(dict.fromkeys(normal(path.read_text(errors="replace")) for path in files))


def files_of(crate):
    """The files of licences and notices in a crate's sources."""
    folder = pathlib.Path(crate["manifest_path"]).parent
    return [path for depth in range(1, DEPTH + 1) for path in sorted(folder.glob("/".join("*" * depth)))
            if TEXT.match(path.name) and path.is_file() and path.suffix not in (".rs", ".c", ".h")]


def same_terms(one, other):
    """Whether two crates come from one repository, under one licence."""
    return one["repository"] and (one["repository"], one["license"]) == (other["repository"], other["license"])


def normal(text):
    """One text for copies that differ in line ends only."""
    return "\n".join(line.rstrip() for line in text.expandtabs().splitlines()).strip("\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
