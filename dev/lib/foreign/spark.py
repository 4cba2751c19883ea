"""What Spark writes, and Hive's own writers through it, where the clocks show a zone's time."""
import datetime
import pathlib
import sys
import tempfile
import zoneinfo

from pyspark.sql import SparkSession

from rows import ALL, HARD_ROWS, ROWS, Table, as_instants, at, by_java_orc, many_integers, parts, pick

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
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
WRITTEN = ROWS if UTC else ROWS + HARD_ROWS


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


def as_spark_reads(read, columns, rows):
    """The rows with the times that Spark itself reads of what it wrote, where the clocks show a zone's time:
    a wall clock that was skipped is moved on, and what else a zone does is for Spark to say and not for us."""
    place = [name for name, _ in columns].index("ts")
    if UTC:
        return rows
    is_instant = columns[place][1] != "timestamp"
    asked = "unix_micros(ts)" if is_instant else "cast(ts as string)"
    found = read.selectExpr("s", f"{asked} as ts").collect()
    if [row.s for row in found] != [row[[name for name, _ in columns].index("s")] for row in rows]:
        sys.exit(f"Spark reads other rows than were written: {found}")
    times = [row.ts if row.ts is None else
             EPOCH + datetime.timedelta(microseconds=row.ts) if is_instant else at(row.ts) for row in found]
    return [[*row[:place], time, *row[place + 1:]] for row, time in zip(rows, times)]


def save(name, data, kind, expected, **options):
    place = Table(ROOT, f"spark-{ZONE.replace('/', '-')}-{name}".lower())
    out = HOME / place.home.name
    writer = data.write
    for key, value in options.items():
        writer = writer.option(key, value)
    writer.format(kind).save(str(out))
    columns, rows, how = expected
    if "ts" in dict(columns):
        rows = as_spark_reads(SPARK.read.format(kind).load(str(out)), columns, rows)
    place.take(out)
    place.expect(columns, rows, **how)


def settings(**pairs):
    for key, value in pairs.items():
        SPARK.conf.set("spark.sql." + key.replace("__", "."), value)


def parquet():
    columns, rows = pick(ALL, WRITTEN)
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
    columns, rows = pick(ALL, WRITTEN)
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
    columns, rows = pick(ALL, WRITTEN)
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
    table("hive-avro", columns, values, "stored as avro", {}, shown[1], shown[0], by_javas_old_offsets)
    texts, values = pick(["s", "v"], rows)
    table("hive-opencsv", texts, values, "row format serde 'org.apache.hadoop.hive.serde2.OpenCSVSerde'",
          dict(format="text", csv=True, escape="\\"), [["" if v is None else v for v in row] for row in values])


def by_javas_old_offsets(columns, rows):
    """The instants that Java's old classes make of wall clocks: before 1900 they know no offset of the zone
    but the standard one of today. Spark, as Hive, shows the wall clock all the same, since it takes the same
    classes to read with; who takes the file's instants for what they are is off by the difference."""
    place = [name for name, _ in columns].index("ts")
    today = at("2026-01-01 00:00:00").replace(tzinfo=ZONE_INFO).utcoffset()
    begin = datetime.datetime(1900, 1, 1, tzinfo=datetime.timezone.utc)

    def moved(time):
        if UTC or time is None or time >= begin:
            return time
        return time.astimezone(ZONE_INFO).replace(tzinfo=datetime.timezone.utc) - today

    return [[*row[:place], moved(row[place]), *row[place + 1:]] for row in rows]


def table(name, columns, rows, clause, how, shown, shown_columns=None, in_file=lambda _, rows: rows):
    name = f"{name}-{ZONE.replace('/', '-')}".lower()
    place = Table(ROOT, name)
    inner = name.replace("-", "_")
    listed = ", ".join(f"`{column}` {of}" for column, of in columns)
    SPARK.sql(f"create table {inner} ({listed}) {clause}")
    frame(columns, rows).write.mode("append").insertInto(inner)
    columns = shown_columns or columns
    if "ts" in dict(columns):
        shown = in_file(columns, as_spark_reads(SPARK.table(inner), columns, shown))
    place.take(HOME / "warehouse" / inner)
    place.expect(columns, shown, **how)


parquet()
orc()
hive()
SPARK.stop()
