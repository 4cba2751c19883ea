"""Writes Parquet files of a few rows each: small_files.py DIRECTORY FILES ROWS"""

import sys

import duckdb

directory, files, rows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with duckdb.connect() as database:
    database.execute("set threads = 1")
    for number in range(files):
        database.execute(
            f"copy (select {number} * {rows} + range as id, 'row ' || range as name, range * 1.25 as amount "
            f"from range({rows})) to '{directory}/part-{number:05}.parquet' (format parquet)")
