"""usage: sbom.py CHECKOUT < cargo-cyclonedx's JSON > the package's

Makes the software's bill of materials a function of the commit: names relative to the checkout, and a
serial number made of the content. Its time is SOURCE_DATE_EPOCH already.
"""

import json
import sys
import uuid


def main(checkout):
    """Rewrites standard input to standard output."""
    text = sys.stdin.read().replace(f"file://{checkout}/", "file:///hivecast/")
    bom = json.loads(text)
    bom.pop("serialNumber", None)
    bom["components"].sort(key=lambda component: component["bom-ref"])
    bom["dependencies"].sort(key=lambda dependency: dependency["ref"])
    content = json.dumps(bom, sort_keys=True)
    bom["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, content)}"
    json.dump(bom, sys.stdout, indent=2, sort_keys=True)
    print()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
