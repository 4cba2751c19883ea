"""What DuckDB writes."""
import bz2
import pathlib
import sys

import duckdb

from rows import ALL, ROWS, Table, pick

ROOT = pathlib.Path(sys.argv[1])
DUCK = {
    "tinyint": "tinyint", "smallint": "smallint", "int": "integer", "bigint": "bigint", "float": "float",
    "double": "double", "boolean": "boolean", "date": "date", "timestamp": "timestamp", "binary": "blob",
}


def duck_type(of):
    if of == "array<int>":
        return "integer[]"
    if of == "struct<x:int,y:array<string>>":
        return "struct(x integer, y varchar[])"
    if of == "map<string,string>":
        return "map(varchar, varchar)"
    return of if of.startswith("decimal") else DUCK.get(of, "varchar")


def load(names, rows=None):
    columns, rows = pick(names, rows)
    duckdb.execute("drop table if exists t")
    duckdb.execute("create table t (" + ", ".join(f"{name} {duck_type(of)}" for name, of in columns) + ")")
    for row in rows:
        marks, values = [], []
        for value, (_, of) in zip(row, columns):
            if of.startswith("map<") and value is not None:
                marks.append("map(?::varchar[], ?::varchar[])")
                values += [list(value), list(value.values())]
            else:
                marks.append("?")
                values.append(value)
        duckdb.execute(f"insert into t values ({', '.join(marks)})", values)
    return columns, rows


def write(place, name, options):
    duckdb.execute(f"copy t to '{place.file(name)}' ({options})")


columns, rows = load([name for name in ALL if name not in ("deep", "m")])
for codec in ["uncompressed", "snappy", "zstd", "gzip", "lz4_raw"]:
    place = Table(ROOT, f"duckdb-parquet-{codec}")
    write(place, "a.parquet", f"format parquet, compression {codec}, row_group_size 3")
    place.expect(columns, rows)

names = ["b", "i8", "i64", "dec38", "s", "dt", "ts"]
columns, rows = load(names)
for ending, codec in [("csv", "none"), ("csv.gz", "gzip"), ("csv.zst", "zstd")]:
    place = Table(ROOT, f"duckdb-csv-{codec}")
    write(place, f"a.{ending}", f"format csv, header true, nullstr '\\N', compression {codec}")
    place.expect(columns, rows, format="text", header=True)
text = next(pathlib.Path(ROOT, "duckdb-csv-none").rglob("a.csv")).read_bytes()
place = Table(ROOT, "duckdb-csv-bzip2")
# Two streams, one behind the other.
half = len(text) // 2
pathlib.Path(place.file("a.csv.bz2")).write_bytes(bz2.compress(text[:half]) + bz2.compress(text[half:]))
place.expect(columns, rows, format="text", header=True)

names = ["b", "i8", "i64", "d", "dec38", "s", "dt", "ts", "a", "st", "m"]
columns, rows = load(names, [row for row in ROWS if row[6] is None or abs(row[6]) < 1e300])
for ending, codec in [("json", "none"), ("json.gz", "gzip"), ("jsonl.zst", "zstd")]:
    place = Table(ROOT, f"duckdb-json-{codec}")
    write(place, f"a.{ending}", f"format json, compression {codec}")
    place.expect(columns, rows, format="json")
