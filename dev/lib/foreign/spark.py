"""What Spark writes, and Hive's own writers through it, where the clocks show a zone's time."""
import pathlib
import sys
import tempfile
import zoneinfo

from pyspark.sql import SparkSession

from rows import ALL, Table, as_instants, by_java_orc, many_integers, parts, pick

ROOT, ZONE = pathlib.Path(sys.argv[1]), sys.argv[2]
UTC = ZONE == "UTC"
HOME = pathlib.Path(tempfile.mkdtemp())
SPARK = (
    SparkSession.builder.master("local[1]")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.shuffle.partitions", "1")
    .config("spark.sql.session.timeZone", ZONE)
    .config("spark.driver.extraJavaOptions", f"-Duser.timezone={ZONE} -Dderby.system.home={HOME}")
    .config("spark.sql.warehouse.dir", str(HOME / "warehouse"))
    .config("spark.hadoop.javax.jdo.option.ConnectionURL", f"jdbc:derby:memory:{ZONE};create=true")
    .config("spark.hadoop.hive.stats.autogather", "false")
    # Hive's own classes write, not Spark's.
    .config("spark.sql.hive.convertMetastoreParquet", "false")
    .config("spark.sql.hive.convertMetastoreOrc", "false")
    .config("spark.sql.hive.convertInsertingPartitionedTable", "false")
    .config("spark.sql.hive.convertInsertingUnpartitionedTable", "false")
    .config("spark.sql.charAsVarchar", "false")
    .enableHiveSupport()
    .getOrCreate()
)
SPARK.sparkContext.setLogLevel("ERROR")
ZONE_INFO = zoneinfo.ZoneInfo(ZONE)


def text(value):
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t")
    return "'" + "".join(f"\\u{ord(c):04x}" if ord(c) < 32 else c for c in escaped) + "'"


def literal(value, of, stamps):
    """A value as SQL, its timestamps with or without a zone."""
    if value is None:
        return f"cast(null as {spark_type(of, stamps)})"
    inner = of[of.index("<") + 1:-1] if of.endswith(">") else ""
    if of.startswith("array<"):
        items = ", ".join(literal(item, inner, stamps) for item in value)
        return f"cast(array({items}) as {spark_type(of, stamps)})"
    if of.startswith("map<"):
        key, item = parts(inner)
        pairs = ", ".join(f"{literal(k, key, stamps)}, {literal(v, item, stamps)}" for k, v in value.items())
        return f"cast(map({pairs}) as {spark_type(of, stamps)})"
    if of.startswith("struct<"):
        fields = [field.split(":", 1) for field in parts(inner)]
        named = ", ".join(f"'{name}', {literal(value[name], kind, stamps)}" for name, kind in fields)
        return f"named_struct({named})"
    if of == "boolean":
        return str(value).lower()
    if of in ("float", "double"):
        return f"cast('{'Infinity' if value == float('inf') else value}' as {of})".replace("-inf", "-Infinity")
    if of == "binary":
        return f"X'{value.hex()}'"
    if of == "date":
        return f"date '{value}'"
    if of == "timestamp":
        return f"{stamps} '{value.isoformat(' ').rjust(19, '0')}'"
    if of in ("string",) or of.startswith(("varchar", "char")):
        return text(value)
    return f"cast('{value}' as {of})"


def spark_type(of, stamps):
    return stamps if of == "timestamp" else of


def frame(columns, rows, stamps="timestamp"):
    lines = [
        "select " + ", ".join(f"{literal(v, of, stamps)} as {name}" for v, (name, of) in zip(row, columns))
        for row in rows
    ]
    made = SPARK.sql(" union all ".join(lines))
    return made.coalesce(1)


def save(name, data, kind, expected, **options):
    place = Table(ROOT, f"spark-{ZONE.replace('/', '-')}-{name}".lower())
    out = HOME / place.home.name
    writer = data.write
    for key, value in options.items():
        writer = writer.option(key, value)
    writer.format(kind).save(str(out))
    place.take(out)
    columns, rows, how = expected
    place.expect(columns, rows, **how)


def settings(**pairs):
    for key, value in pairs.items():
        SPARK.conf.set("spark.sql." + key.replace("__", "."), value)


def parquet():
    columns, rows = pick(ALL)
    instants = as_instants(columns, rows, ZONE_INFO)
    if not UTC:
        # A wall clock that was skipped is no instant, and is moved on by what was skipped.
        kept = [row for row in rows if row[10] != "gap"]
        columns, rows = columns, kept
        instants = as_instants(columns, rows, ZONE_INFO)
    data = frame(columns, rows)
    for stamps in ["INT96", "TIMESTAMP_MICROS"]:
        settings(parquet__outputTimestampType=stamps)
        save(f"parquet-{stamps}", data, "parquet", (*instants, {}))
    settings(parquet__outputTimestampType="INT96")
    if UTC:
        for codec in ["none", "gzip", "zstd", "lz4", "lz4_raw"]:
            save(f"parquet-{codec}", data, "parquet", (*instants, {}), compression=codec)
        settings(parquet__writeLegacyFormat="true")
        save("parquet-legacy-format", data, "parquet", (*instants, {}))
        settings(parquet__writeLegacyFormat="false")
        for mode in ["LEGACY"]:
            settings(parquet__datetimeRebaseModeInWrite=mode, parquet__int96RebaseModeInWrite=mode)
            save("parquet-legacy-dates", data, "parquet", (*instants, {}))
            settings(parquet__datetimeRebaseModeInWrite="CORRECTED", parquet__int96RebaseModeInWrite="CORRECTED")
    save("parquet-ntz", frame(columns, rows, "timestamp_ntz"), "parquet", (columns, rows, {}))


def orc():
    columns, rows = pick(ALL)
    if not UTC:
        # Java's old classes, by which ORC writes, take other offsets for times before 1900.
        rows = [row for row in rows if row[10] not in ("gap", "old", " a ") and row[13] is not None
                and row[13].year > 1900]
    data = frame(columns, rows)
    codecs = ["none", "zlib", "snappy", "zstd", "lz4"] if UTC else ["zlib"]
    for codec in codecs:
        save(f"orc-{codec}", data, "orc", (columns, by_java_orc(rows) if UTC else rows, {}), compression=codec)
    if UTC:
        numbers, values = many_integers()
        schema = ", ".join(f"{name} {of}" for name, of in numbers)
        made = SPARK.createDataFrame(values, schema).coalesce(1)
        save("orc-integers", made, "orc", (numbers, values, {}))
        settings(orc__compression__codec="zlib")


def hive():
    """Hive 2.3's writers, as `insert` into its tables runs them."""
    columns, rows = pick(ALL)
    if not UTC:
        rows = [row for row in rows if row[10] not in ("gap", "old", " a ") and row[13] is not None
                and row[13].year > 1900]
    rows = [row for row in rows if row[10] is None or "\n" not in row[10]]
    stored = {
        "textfile": dict(format="text", hive=True),
        "orc": {},
        "parquet": {},
    }
    for kind, how in stored.items():
        # Hive 2 leaves no zone in Parquet: the feed's must be the one of its clocks.
        shown = by_java_orc(rows) if kind == "orc" and UTC else rows
        table(f"hive-{kind}", columns, rows, f"stored as {kind}", how | {"zone": ZONE}, shown)
    escaped = "row format delimited fields terminated by '|' escaped by '\\\\' collection items terminated by ','"
    layout = dict(format="text", hive=True, delimiter="|", escape="\\", collection=",", map_key=":")
    names = [name for name in ALL if name != "deep"]
    columns, lines = pick(names, rows)
    table("hive-text-escaped", columns, lines, f"{escaped} map keys terminated by ':' stored as textfile",
          layout, lines)
    # Hive's Avro has no smaller integers, and its instants have milliseconds.
    simple = [name for name in ALL[:16] if name not in ("i8", "i16", "f", "c", "v")]
    columns, values = pick(simple, rows)
    values = [[v.replace(microsecond=v.microsecond // 1000 * 1000) if n == "ts" and v else v
               for v, (n, _) in zip(row, columns)] for row in values]
    # It counts days as Java's old classes do, and does not say so.
    values = [row for row in values if "old" not in row]
    shown = as_instants(columns, values, ZONE_INFO)
    table("hive-avro", columns, values, "stored as avro", {}, shown[1], shown[0])
    texts, values = pick(["s", "v"], rows)
    table("hive-opencsv", texts, values, "row format serde 'org.apache.hadoop.hive.serde2.OpenCSVSerde'",
          dict(format="text", csv=True, escape="\\"), [["" if v is None else v for v in row] for row in values])


def table(name, columns, rows, clause, how, shown, shown_columns=None):
    name = f"{name}-{ZONE.replace('/', '-')}".lower()
    place = Table(ROOT, name)
    inner = name.replace("-", "_")
    listed = ", ".join(f"`{column}` {of}" for column, of in columns)
    SPARK.sql(f"create table {inner} ({listed}) {clause}")
    frame(columns, rows).write.mode("append").insertInto(inner)
    place.take(HOME / "warehouse" / inner)
    place.expect(shown_columns or columns, shown, **how)


parquet()
orc()
hive()
SPARK.stop()
