"""What fastavro writes."""
import datetime
import pathlib
import sys
import uuid

import fastavro

from rows import ALL, Table, UTC, as_instants, parts, pick

ROOT = pathlib.Path(sys.argv[1])
SINGLE = {
    "boolean": "boolean", "tinyint": "int", "smallint": "int", "int": "int", "bigint": "long",
    "float": "float", "double": "double", "binary": "bytes",
    "date": {"type": "int", "logicalType": "date"},
    "timestamp": {"type": "long", "logicalType": "local-timestamp-micros"},
    "timestamp with local time zone": {"type": "long", "logicalType": "timestamp-micros"},
}


class Namer:
    def __init__(self):
        self.count = 0

    def of(self, of):
        return ["null", self.plain(of)]

    def plain(self, of):
        inner = of[of.index("<") + 1:-1] if of.endswith(">") else ""
        if of.startswith("array<"):
            return {"type": "array", "items": self.of(inner)}
        if of.startswith("map<"):
            return {"type": "map", "values": self.of(parts(inner)[1])}
        if of.startswith("struct<"):
            self.count += 1
            fields = [field.split(":", 1) for field in parts(inner)]
            fields = [{"name": name, "type": self.of(kind)} for name, kind in fields]
            return {"type": "record", "name": f"r{self.count}", "fields": fields}
        if of.startswith("decimal"):
            precision, scale = map(int, of[8:-1].split(","))
            return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}
        return SINGLE.get(of, "string")


def write(name, columns, rows, codec, **more):
    namer = Namer()
    fields = [{"name": name.upper(), "type": namer.of(of)} for name, of in columns]
    schema = {"type": "record", "name": "row", "namespace": "of.others", "fields": fields}
    write_as(name, schema, columns, rows, codec, **more)


def write_as(name, schema, columns, rows, codec, read_as=None, shown=None):
    place = Table(ROOT, name)
    names = [field["name"] for field in schema["fields"]]
    with open(place.file("a.avro"), "wb") as out:
        parsed = fastavro.parse_schema(schema)
        records = [dict(zip(names, row)) for row in rows]
        fastavro.writer(out, parsed, records, codec=codec, sync_interval=200)
    place.expect(read_as or columns, shown or rows)


# Avro has no smaller integers.
wider = {"tinyint": "int", "smallint": "int"}
columns, rows = pick(ALL)
columns = [(name, wider.get(of, of)) for name, of in columns]
for codec in ["null", "deflate", "snappy", "zstandard", "bzip2"]:
    write(f"fastavro-{codec}", columns, rows, codec)
write("fastavro-empty", columns, [], "null")
instants, values = as_instants(*pick(["ts"]), UTC)
write("fastavro-instants", instants, values, "deflate")

identity = uuid.UUID("12345678-9abc-def0-1234-56789abcdef0")
schema = {"type": "record", "name": "odd", "fields": [
    {"name": "color", "type": {"type": "enum", "name": "color", "symbols": ["RED", "GREEN"]}},
    {"name": "again", "type": [{"type": "null"}, "color"]},
    {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
    {"name": "fix", "type": {"type": "fixed", "name": "fix", "size": 3}},
    {"name": "money", "type": {"type": "fixed", "name": "money", "size": 9, "logicalType": "decimal",
                               "precision": 20, "scale": 2}},
    {"name": "back", "type": ["long", "null"]},
    {"name": "milli", "type": {"type": "long", "logicalType": "timestamp-millis"}},
]}
moment = datetime.datetime(1899, 12, 31, 23, 59, 59, 123000, UTC)
from rows import D
rows = [["RED", None, identity, b"abc", D("-123456789012345678.90"), 1, moment],
        ["GREEN", "RED", identity, b"\x00\x01\x02", D("0.01"), None, moment]]
columns = [("color", "string"), ("again", "string"), ("id", "string"), ("fix", "binary"),
           ("money", "decimal(20,2)"), ("back", "bigint"), ("milli", "timestamp with local time zone")]
write_as("fastavro-odd", schema, columns, rows, "deflate")

columns = [(f"c{at}", "int") for at in range(1000)]
write("fastavro-wide", columns, [[row * at for at in range(1000)] for row in range(3)], "deflate")
