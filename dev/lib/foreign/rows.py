"""What the tables hold, and how a table is laid beside what it must read as."""
import datetime
import decimal
import json
import math
import pathlib
import shutil

D = decimal.Decimal
decimal.getcontext().prec = 60
UTC = datetime.timezone.utc
DATE = "load_date=2026-11-22"

COLUMNS = [
    ("b", "boolean"), ("i8", "tinyint"), ("i16", "smallint"), ("i32", "int"), ("i64", "bigint"),
    ("f", "float"), ("d", "double"), ("dec9", "decimal(9,2)"), ("dec18", "decimal(18,4)"),
    ("dec38", "decimal(38,18)"), ("s", "string"), ("v", "varchar(10)"), ("c", "char(5)"), ("dt", "date"),
    ("ts", "timestamp"), ("bin", "binary"), ("a", "array<int>"), ("m", "map<string,string>"),
    ("st", "struct<x:int,y:array<string>>"), ("deep", "array<struct<k:string,v:map<string,array<int>>>>"),
]


def at(text):
    return datetime.datetime.fromisoformat(text)


def day(text):
    return datetime.date.fromisoformat(text)


LONG = "a text that is longer than any view keeps inline, naïve 😀"
ROWS = [
    [True, 1, 2, 3, 4, 1.5, 2.25, D("12.50"), D("1.2345"), D("1.000000000000000001"), "text", "var", "ch",
     day("2026-11-22"), at("2026-11-22 01:02:03.000004"), b"\x00\xff", [1, None, 3], {"k": "v", "n": None},
     {"x": 1, "y": ["p", None]}, [{"k": "a", "v": {"q": [1, 2], "r": []}}, {"k": None, "v": None}]],
    [None] * len(COLUMNS),
    [False, 127, 32767, 2**31 - 1, 2**63 - 1, 3.4028234663852886e38, 1.7976931348623157e308,
     D("9999999.99"), D("99999999999999.9999"), D("99999999999999999999.999999999999999999"), LONG,
     "0123456789", "abcde", day("9999-12-31"), at("9999-12-31 23:59:59.999999"), bytes(range(256)),
     list(range(100)), {f"k{n}": f"v{n}" for n in range(20)}, {"x": 2**31 - 1, "y": [LONG]},
     [{"k": LONG, "v": {"q": list(range(50))}}]],
    [False, -128, -32768, -(2**31), -(2**63), -3.4028234663852886e38, 5e-324, D("-9999999.99"),
     D("-99999999999999.9999"), D("-99999999999999999999.999999999999999999"), "\n\t\\N\\\"',;|\x01\x02",
     "-", "-", day("1582-10-15"), at("1582-10-15 00:00:00"), b"", [-(2**31)], {"": ""},
     {"x": None, "y": None}, [{"k": "", "v": {}}]],
    [True, 0, 0, 0, 0, 0.0, -0.0, D("0.00"), D("0.0000"), D("0E-18"), "", "", "", day("1970-01-01"),
     at("1969-12-31 23:59:59.999999"), b"", [], {}, {"x": 0, "y": []}, []],
    [True, 1, 1, 1, 1, math.inf, -math.inf, D("0.01"), D("-0.0001"), D("-0.000000000000000001"), " a ",
     " a", "a", day("1899-12-31"), at("1899-12-31 23:59:59"), b"a", [0], {"a": "b"}, {"x": 1, "y": ["", "z"]},
     [{"k": "x", "v": {"y": [None, 5]}}]],
    [True, 1, 1, 1, 1, math.nan, math.nan, D("1.00"), D("1.0000"), D("1"), "gap", "gap", "gap",
     day("2026-03-29"), at("2026-03-29 02:30:00"), b"b", [1], {"a": "b"}, {"x": 1, "y": ["z"]}, []],
    [True, 1, 1, 1, 1, 1.0, 1.0, D("1.00"), D("1.0000"), D("1"), "old", "old", "old", day("0001-01-01"),
     at("1500-02-28 12:00:00"), b"c", [1], {"a": "b"}, {"x": 1, "y": ["z"]}, []],
]
# Wall clocks that zones make hard: of before the zone had an offset of whole minutes, of a time that was
# skipped, of one that came twice, and of the second before 1970 in UTC.
HARD_CLOCKS = ["1883-11-18 12:03:58.5", "1890-06-01 12:00:00", "1893-03-31 23:59:59", "1900-01-01 00:00:00",
               "1969-12-31 23:59:59.5", "1970-01-01 00:59:59.5", "2026-03-29 02:00:00", "2026-03-29 02:59:59.999999",
               "2026-10-25 02:30:00"]
HARD_ROWS = [[True, 1, 1, 1, 1, 1.0, 1.0, D("1.00"), D("1.0000"), D("1"), f"hard {n}", "hard", "hard",
              at(text).date(), at(text), b"c", [1], {"a": "b"}, {"x": 1, "y": ["z"]}, []]
             for n, text in enumerate(HARD_CLOCKS)]


def pick(names, rows=None):
    """Columns, and their values of each row."""
    places = [[name for name, _ in COLUMNS].index(name) for name in names]
    return [COLUMNS[at] for at in places], [[row[at] for at in places] for row in rows or ROWS]


SIMPLE = [name for name, _ in COLUMNS[:16]]
ALL = [name for name, _ in COLUMNS]


def parts(text):
    """The types between commas that stand at the top."""
    depth, begun, found = 0, 0, []
    for at, letter in enumerate(text):
        depth += (letter in "<(") - (letter in ">)")
        if letter == "," and depth == 0:
            found.append(text[begun:at])
            begun = at + 1
    return found + [text[begun:]]


def shown(value, of):
    """A value as the test shows it."""
    if value is None:
        return None
    inner = of[of.index("<") + 1:-1] if of.endswith(">") else ""
    if of.startswith("array<"):
        return [shown(item, inner) for item in value]
    if of.startswith("map<"):
        key, item = parts(inner)
        # In the order of their keys, whatever order they were written in.
        return {"map": [[shown(k, key), shown(v, item)] for k, v in sorted(value.items())]}
    if of.startswith("struct<"):
        fields = [field.split(":", 1) for field in parts(inner)]
        return {"struct": [[name, shown(value[name], kind)] for name, kind in fields]}
    if of == "boolean":
        return "true" if value else "false"
    if of == "float" or of == "double":
        return f"float {value!r}"
    if of.startswith("decimal"):
        scale = int(of[:-1].split(",")[1])
        return f"{value:.{scale}f}"
    if of == "binary":
        return "0x" + value.hex()
    if of == "date":
        return value.isoformat()
    if of == "timestamp":
        return value.strftime("%Y-%m-%d %H:%M:%S.%f").rjust(26, "0")
    if of == "timestamp with local time zone":
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f").rjust(26, "0") + " UTC"
    return str(value)


def by_java_orc(rows):
    """ORC's writer in Java loses the sign of what is within the second before 1970 in UTC, for all
    readers."""
    lost = {at("1969-12-31 23:59:59.999999"): at("1970-01-01 00:00:00.999999")}
    return [[lost.get(v, v) if isinstance(v, datetime.datetime) else v for v in row] for row in rows]


class Table:
    """A table's directory."""

    def __init__(self, root, name):
        self.home = pathlib.Path(root) / name
        self.files = self.home / DATE
        self.files.mkdir(parents=True)

    def file(self, name):
        return str(self.files / name)

    def expect(self, columns, rows, **how):
        """What it must read as. `how` says how it is to be read, where that is not found by the files."""
        shown_rows = [[shown(value, of) for value, (_, of) in zip(row, columns)] for row in rows]
        said = how | {"columns": columns, "rows": shown_rows}
        (self.home / "expected.json").write_text(json.dumps(said))

    def expect_failure(self, text):
        (self.home / "expected.json").write_text(json.dumps({"failure": text}))

    def expect_rows(self, count):
        (self.home / "expected.json").write_text(json.dumps({"count": count}))

    def take(self, directory):
        """The data files that a program left in a directory."""
        for path in sorted(pathlib.Path(directory).rglob("*")):
            if path.is_file() and not path.name.startswith((".", "_")):
                shutil.move(path, self.files / path.name)


def as_instants(columns, rows, zone):
    """The same, with wall clocks of the zone as the instants at which they showed that."""
    places = [at for at, (_, of) in enumerate(columns) if of == "timestamp"]
    moved = []
    for row in rows:
        row = list(row)
        for at in places:
            row[at] = row[at] and row[at].replace(tzinfo=zone)
        moved.append(row)
    kinds = {"timestamp": "timestamp with local time zone"}
    return [(name, kinds.get(of, of)) for name, of in columns], moved


def many_integers():
    """Numbers with outliers and runs, by which integers' encodings differ."""
    seed, rows = 12345, []
    for at in range(30_000):
        seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64
        small, odd = seed >> 57, seed % 50 == 0
        far = (seed - 2**63) if odd else small
        step = at // 7
        rows.append([far, step, step * 3 - at % 3, 7 if at % 1000 else far, small if at % 3 else None])
    names = [("far", "bigint"), ("run", "bigint"), ("slope", "bigint"), ("flat", "bigint"), ("some", "bigint")]
    return names, rows
