"""usage: sbom.py CHECKOUT COMMIT < cargo-cyclonedx's JSON > the package's

Makes the software's bill of materials a function of the commit: names relative to the checkout, the
commit itself, and a serial number made of the content. Its time is SOURCE_DATE_EPOCH already.
"""

import json
import sys
import uuid


def main(checkout, commit):
    """Rewrites standard input to standard output."""
    text = sys.stdin.read().replace(f"file://{checkout}/", "file:///hivecast/")
    bom = json.loads(text)
    bom.pop("serialNumber", None)
    # Where CycloneDX has it, by which ci/release knows what it tags.
    bom["metadata"]["component"]["pedigree"] = {"commits": [{"uid": commit}]}
    bom["components"].sort(key=lambda component: component["bom-ref"])
    bom["dependencies"].sort(key=lambda dependency: dependency["ref"])
    content = json.dumps(bom, sort_keys=True)
    bom["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, content)}"
    json.dump(bom, sys.stdout, indent=2, sort_keys=True)
    print()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
