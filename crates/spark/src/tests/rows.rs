//! Rows of awkward values: nulls, empty texts, letters of all planes, numbers at the limits, times far away.

use std::sync::Arc;

use arrow_array::builder::{Int32Builder, ListBuilder, MapBuilder, StringBuilder};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int8Array, Int16Array, Int32Array, Int64Array, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow_cast::cast;
use arrow_schema::{DataType, Field};
use hivecast_sql::normal_type;

/// How a map's entries lie in its file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Maps {
    AsWritten,
    ByKey,
}

const TEXTS: &[Option<&str>] = &[
    Some(""),
    Some("Zoë Straße"),
    Some("  a b  "),
    None,
    Some("abc,ab,,b"),
    Some("1.5"),
    Some("-7"),
    Some("àé😀z"),
    Some("ΑΣ ǆ İıſK ﬁ"),
    Some("a%b_c\\d"),
    Some("it's \"$1\" ${x} {}"),
    Some("\ta\n"),
    Some("a\nb\r\n"),
    Some("\u{a0}e\u{301}\u{2028}"),
    Some("12345678901234567890"),
    Some("🇩🇪👩‍👩‍👧"),
    Some("nan"),
    Some("abcabc"),
    Some("ABC"),
    Some("٣ x1_"),
    Some("x\u{0}y"),
    Some("\\1$"),
];

/// Texts that look like values of other types.
const WRITTEN: &[Option<&str>] = &[
    Some("12"),
    Some(" 12 "),
    Some("+5"),
    Some("1e3"),
    Some("1."),
    Some(".5"),
    Some("1.5d"),
    Some("0x1F"),
    Some("Infinity"),
    Some("-inf"),
    Some("NaN"),
    Some("2026"),
    Some("2026-3-9"),
    Some("20260309"),
    Some("2026-03-29T02:30:00Z"),
    Some("2026-03-29 02:30:00.1234567"),
    Some("1969-12-31T23:59:59.5+02:00"),
    Some("2026-02-30"),
    Some("on"),
    Some("t"),
    Some("-0.005"),
    Some("1\n"),
];

const DOUBLES: &[Option<f64>] = &[
    Some(0.5),
    Some(-0.0),
    Some(0.0),
    None,
    Some(f64::NAN),
    Some(f64::INFINITY),
    Some(f64::NEG_INFINITY),
    Some(1e300),
    Some(5e-324),
    Some(-2.5),
    Some(1.005),
    Some(2.675),
    Some(-1.005),
    Some(0.1),
    Some(4503599627370495.5),
    Some(9007199254740993.0),
    Some(-0.4),
    Some(0.49999999999999994),
    Some(123456.789),
    Some(1.0 / 3.0),
    Some(-7.0),
    Some(9.223372036854775e18),
];

/// Divisors and second operands.
const OTHERS: &[Option<f64>] = &[
    Some(2.0),
    Some(-0.0),
    Some(0.0),
    Some(1.0),
    Some(3.0),
    Some(0.0),
    Some(-0.0),
    Some(0.1),
    Some(1e-10),
    None,
    Some(f64::NAN),
    Some(f64::INFINITY),
    Some(-3.0),
    Some(7.0),
    Some(-0.5),
    Some(1e300),
    Some(0.0),
    Some(2.5),
    Some(-1.0),
    Some(3.0),
    Some(0.3),
    Some(1.0),
];

const LONGS: &[Option<i64>] = &[
    Some(0),
    Some(1),
    Some(-1),
    None,
    Some(i64::MAX),
    Some(i64::MIN),
    Some(1234567890123),
    Some(9007199254740993),
    Some(-7),
    Some(2),
    Some(3),
    Some(100),
    Some(-100),
    Some(65),
    Some(5),
    Some(i32::MAX as i64),
    Some(i32::MIN as i64),
    Some(12),
    Some(20),
    Some(7),
    Some(-2),
    Some(10),
];

const MICROS_OF_DAY: i64 = 86_400_000_000;

/// Days since 1970 with microseconds of the day.
const TIMES: &[Option<(i32, i64)>] = &[
    Some((20541, 9_015_123_456)),
    Some((0, 0)),
    Some((-1, MICROS_OF_DAY - 1)),
    None,
    Some((-171_606, 1)),
    Some((-719_162, 0)),
    Some((2_932_896, MICROS_OF_DAY - 1)),
    Some((-25_568, 43_200_000_000)),
    Some((-141_428, 5_000_000)),
    Some((-141_427, 5_000_000)),
    Some((19_782, 86_399_999_999)),
    Some((19_752, 3_600_000_000)),
    Some((18_262, 500_000)),
    Some((20_000, 12_345_678_901)),
    Some((-40_000, 12_345_678_901)),
    Some((11_016, 0)),
    Some((19_722, 1_000)),
    Some((20_450, 60_000_000)),
    Some((-100_000, 7)),
    Some((1, 2)),
    Some((364, 3)),
    Some((365, 4)),
];

fn pick<T: Clone>(values: &[Option<T>], row: usize, step: usize) -> Option<T> {
    values[(row * step) % values.len()].clone()
}

/// Column `k` has the row's number.
pub(crate) fn rows(maps: Maps) -> RecordBatch {
    let count = TEXTS.len();
    let each = 0..count;
    let longs = |least: i64, most: i64| {
        each.clone().map(move |row| pick(LONGS, row, 1).map(|value| value.clamp(least, most)))
    };
    let decimals = |precision: u8, scale: i8, step: usize| {
        let most = 10_i128.pow(precision.into()) - 1;
        let value = |row: usize| {
            pick(LONGS, row, step).map(|value| {
                (i128::from(value) * 10_i128.pow(u32::from(precision / 5)) + i128::from(value % 89))
                    .clamp(-most, most)
            })
        };
        let array: Decimal128Array = each.clone().map(value).collect();
        Arc::new(array.with_precision_and_scale(precision, scale).unwrap()) as ArrayRef
    };
    let days: Date32Array = each.clone().map(|row| TIMES[row].map(|(day, _)| day)).collect();
    let other_days: Date32Array = each.clone().map(|row| pick(TIMES, row, 5).map(|(day, _)| day)).collect();
    let micros = |step: usize| -> TimestampMicrosecondArray {
        each.clone()
            .map(|row| pick(TIMES, row, step).map(|(day, micros)| i64::from(day) * MICROS_OF_DAY + micros))
            .collect()
    };
    let binary: BinaryArray = each
        .clone()
        .map(|row| match row % 5 {
            0 => TEXTS[row].map(|text| text.as_bytes().to_vec()),
            1 => Some(vec![0, 255, 128]),
            2 => None,
            3 => Some(Vec::new()),
            _ => Some(b"abc".to_vec()),
        })
        .collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("k", Arc::new(Int64Array::from_iter_values((1..).take(count)))),
        ("s", Arc::new(StringArray::from(TEXTS.to_vec()))),
        ("u", Arc::new(each.clone().map(|row| pick(TEXTS, row, 7)).collect::<StringArray>())),
        ("v", Arc::new(StringArray::from(WRITTEN.to_vec()))),
        ("l", Arc::new(longs(i64::MIN, i64::MAX).collect::<Int64Array>())),
        ("j", Arc::new(each.clone().map(|row| pick(LONGS, row, 3)).collect::<Int64Array>())),
        (
            "i",
            Arc::new(
                longs(i32::MIN.into(), i32::MAX.into())
                    .map(|value| value.map(|value| value as i32))
                    .collect::<Int32Array>(),
            ),
        ),
        (
            "h",
            Arc::new(
                longs(i16::MIN.into(), i16::MAX.into())
                    .map(|value| value.map(|value| value as i16))
                    .collect::<Int16Array>(),
            ),
        ),
        (
            "y",
            Arc::new(
                longs(i8::MIN.into(), i8::MAX.into())
                    .map(|value| value.map(|value| value as i8))
                    .collect::<Int8Array>(),
            ),
        ),
        (
            "n",
            Arc::new(
                each.clone().map(|row| (row % 7 != 3).then_some(row as i32 % 7 - 2)).collect::<Int32Array>(),
            ),
        ),
        ("d", Arc::new(Float64Array::from(DOUBLES.to_vec()))),
        ("e", Arc::new(Float64Array::from(OTHERS.to_vec()))),
        (
            "f",
            Arc::new(DOUBLES.iter().map(|value| value.map(|value| value as f32)).collect::<Float32Array>()),
        ),
        ("m", decimals(10, 2, 1)),
        ("q", decimals(12, 4, 3)),
        ("w", decimals(38, 6, 1)),
        (
            "b",
            Arc::new(
                each.clone().map(|row| [Some(true), Some(false), None][row % 3]).collect::<BooleanArray>(),
            ),
        ),
        (
            "c",
            Arc::new(
                each.clone()
                    .map(|row| [Some(true), Some(false), None][row / 3 % 3])
                    .collect::<BooleanArray>(),
            ),
        ),
        ("dt", Arc::new(days)),
        ("du", Arc::new(other_days)),
        ("ts", Arc::new(micros(1))),
        ("tu", Arc::new(micros(3))),
        ("tz", Arc::new(micros(1).with_timezone("UTC"))),
        ("bin", Arc::new(binary)),
        ("a", text_lists(count)),
        ("ni", number_lists(count)),
        ("aa", nested_lists(count)),
        ("mp", text_maps(count, maps)),
        ("st", structs(count)),
    ];
    let columns = columns.into_iter().map(|(name, column)| {
        let wanted = normal_type(column.data_type());
        (name, cast(&column, &wanted).unwrap(), true)
    });
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn text_lists(count: usize) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in 0..count {
        match row % 6 {
            0 => lists.append_value([Some("b"), Some("a"), None, Some("b")]),
            1 => lists.append_null(),
            2 => lists.append_value(Vec::<Option<&str>>::new()),
            3 => lists.append_value([pick(TEXTS, row, 1), pick(TEXTS, row, 5)]),
            4 => lists.append_value([None::<&str>]),
            _ => lists.append_value([Some("Z"), Some("é"), Some("😀"), Some("")]),
        }
    }
    Arc::new(lists.finish())
}

fn number_lists(count: usize) -> ArrayRef {
    let mut lists = ListBuilder::new(Int32Builder::new());
    for row in 0..count {
        match row % 5 {
            0 => lists.append_value([Some(3), Some(i32::MIN), None, Some(3)]),
            1 => lists.append_value(Vec::<Option<i32>>::new()),
            2 => lists.append_null(),
            3 => lists.append_value([None::<i32>]),
            _ => lists.append_value([Some(row as i32), Some(i32::MAX)]),
        }
    }
    Arc::new(lists.finish())
}

fn nested_lists(count: usize) -> ArrayRef {
    let mut lists = ListBuilder::new(ListBuilder::new(Int32Builder::new()));
    for row in 0..count {
        match row % 4 {
            0 => {
                lists.values().append_value([Some(1), Some(2)]);
                lists.values().append_null();
                lists.values().append_value([None::<i32>]);
                lists.append(true);
            }
            1 => lists.append_null(),
            2 => lists.append(true),
            _ => {
                lists.values().append_value([Some(row as i32)]);
                lists.append(true);
            }
        }
    }
    Arc::new(lists.finish())
}

fn text_maps(count: usize, order: Maps) -> ArrayRef {
    let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    for row in 0..count {
        let mut entries = match row % 4 {
            0 => vec![("x", Some(1)), ("a", None)],
            1 => Vec::new(),
            2 => vec![("é", Some(2)), ("Z", Some(row as i32)), ("", Some(0))],
            _ => {
                maps.append(false).unwrap();
                continue;
            }
        };
        if order == Maps::ByKey {
            entries.sort_by_key(|(key, _)| *key);
        }
        for (key, value) in entries {
            maps.keys().append_value(key);
            maps.values().append_option(value);
        }
        maps.append(true).unwrap();
    }
    Arc::new(maps.finish())
}

fn structs(count: usize) -> ArrayRef {
    // A file has nothing below a struct that is null.
    let validity = (0..count).map(|row| row % 5 != 2).collect::<Vec<bool>>();
    let city: StringArray = (0..count).map(|row| pick(TEXTS, row, 3).filter(|_| validity[row])).collect();
    let number: Int32Array =
        (0..count).map(|row| (row % 3 != 1 && validity[row]).then_some(row as i32)).collect();
    let fields = vec![Field::new("city", DataType::Utf8, true), Field::new("n o", DataType::Int32, true)];
    Arc::new(StructArray::new(fields.into(), vec![Arc::new(city), Arc::new(number)], Some(validity.into())))
}
