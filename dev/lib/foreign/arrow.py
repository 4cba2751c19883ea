"""What pyarrow writes."""
import pathlib
import shutil
import sys

import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet as pq

from rows import ALL, ROWS, SIMPLE, Table, UTC, as_instants, many_integers, parts, pick

ROOT = pathlib.Path(sys.argv[1])
SINGLE = {
    "boolean": pa.bool_(), "tinyint": pa.int8(), "smallint": pa.int16(), "int": pa.int32(),
    "bigint": pa.int64(), "float": pa.float32(), "double": pa.float64(), "string": pa.string(),
    "date": pa.date32(), "timestamp": pa.timestamp("us"), "binary": pa.binary(),
    "timestamp with local time zone": pa.timestamp("us", "UTC"),
}


def arrow_type(of):
    inner = of[of.index("<") + 1:-1] if of.endswith(">") else ""
    if of.startswith("array<"):
        return pa.list_(arrow_type(inner))
    if of.startswith("map<"):
        return pa.map_(*map(arrow_type, parts(inner)))
    if of.startswith("struct<"):
        return pa.struct([(name, arrow_type(kind)) for name, kind in (f.split(":", 1) for f in parts(inner))])
    if of.startswith("decimal"):
        return pa.decimal128(*map(int, of[8:-1].split(",")))
    return SINGLE.get(of, pa.string())


def column(values, of):
    def plain(value):
        if isinstance(value, dict) and of.startswith("map<"):
            return list(value.items())
        return value
    if "map<" in of and not of.startswith("map<"):
        values = deep(values)
    return pa.array([plain(value) for value in values], arrow_type(of))


def deep(value):
    """Maps within values as pairs, as pyarrow wants them."""
    if isinstance(value, list):
        return [deep(item) for item in value]
    if isinstance(value, dict) and set(value) == {"k", "v"}:
        return {"k": value["k"], "v": value["v"] and list(value["v"].items()) if value["v"] is not None else None}
    return value


def table(columns, rows):
    arrays = [column([row[at] for row in rows], of) for at, (_, of) in enumerate(columns)]
    return pa.table(arrays, names=[name for name, _ in columns])


def parquet():
    columns, rows = pick(ALL)
    data = table(columns, rows)
    for codec in ["none", "snappy", "zstd", "gzip", "lz4"]:
        place = Table(ROOT, f"arrow-parquet-{codec}")
        pq.write_table(data, place.file("a.parquet"), compression=codec, row_group_size=3)
        place.expect(columns, rows)
    place = Table(ROOT, "arrow-parquet-v2-pages")
    pq.write_table(data, place.file("a.parquet"), data_page_version="2.0", version="2.6", use_dictionary=False)
    place.expect(columns, rows)
    place = Table(ROOT, "arrow-parquet-int-decimals")
    decimals, values = pick(["dec9", "dec18", "dec38"])
    pq.write_table(table(decimals, values), place.file("a.parquet"), store_decimal_as_integer=True)
    place.expect(decimals, values)
    # Neither Hive nor Spark: the wall clock as it stands.
    times, values = pick(["ts"], ROWS[:2] + ROWS[4:7])
    place = Table(ROOT, "arrow-parquet-int96")
    pq.write_table(table(times, values), place.file("a.parquet"), use_deprecated_int96_timestamps=True)
    place.expect(times, values)
    instants, values = as_instants(*pick(["ts"]), UTC)
    place = Table(ROOT, "arrow-parquet-instants")
    pq.write_table(table(instants, values), place.file("a.parquet"))
    place.expect(instants, values)


def orc():
    columns, rows = pick(ALL)
    place = Table(ROOT, "arrow-orc-fraction-before-1970")
    pa.orc.write_table(table(*pick(["ts"])), place.file("a.orc"))
    place.expect_failure("a timestamp's fraction of a second is none")
    # pyarrow writes what is below zero for such a fraction, which nobody reads as it was.
    rows = [[v.replace(microsecond=0) if of == "timestamp" and v and v.year < 1970 else v
             for v, (_, of) in zip(row, columns)] for row in rows]
    data = table(columns, rows)
    for codec in ["uncompressed", "zlib", "snappy", "zstd", "lz4"]:
        place = Table(ROOT, f"arrow-orc-{codec}")
        pa.orc.write_table(data, place.file("a.orc"), compression=codec)
        place.expect(columns, rows)
    instants, values = as_instants(*pick(["ts"], ROWS[:4] + ROWS[5:]), UTC)
    place = Table(ROOT, "arrow-orc-instants")
    pa.orc.write_table(table(instants, values), place.file("a.orc"))
    place.expect(instants, values)
    columns, rows = many_integers()
    data = table(columns, rows)
    for version in ["0.11", "0.12"]:
        place = Table(ROOT, f"arrow-orc-integers-{version}")
        pa.orc.write_table(data, place.file("a.orc"), file_version=version, stripe_size=1 << 16)
        place.expect(columns, rows)


def sizes():
    columns = [(f"c{at}", ["int", "string", "double"][at % 3]) for at in range(1000)]
    rows = [[[row + at, f"{row}-{at}", row / 2 + at][at % 3] for at in range(1000)] for row in range(3)]
    data = table(columns, rows)
    none, _ = pick(SIMPLE)
    empty = table(none, [])
    for kind, write in [("parquet", pq.write_table), ("orc", pa.orc.write_table)]:
        place = Table(ROOT, f"arrow-{kind}-wide")
        write(data, place.file(f"a.{kind}"))
        place.expect(columns, rows)
        place = Table(ROOT, f"arrow-{kind}-empty")
        write(empty, place.file(f"a.{kind}"))
        place.expect(none, [])
        place = Table(ROOT, f"arrow-{kind}-many-files")
        write(data.select(range(10)), place.file(f"part-00000.{kind}"))
        for at in range(1, 10_000):
            shutil.copyfile(place.file(f"part-00000.{kind}"), place.file(f"part-{at:05}.{kind}"))
        place.expect_rows(3 * 10_000)


parquet()
orc()
sizes()
