//! Literals, each with its type.

use datafusion::common::ScalarValue;

use super::text;
use super::types::{named, value_type};

/// A literal of the type that it has in DataFusion.
pub(super) fn write(value: &ScalarValue) -> Result<String, String> {
    let kind = value.data_type();
    let wanted = value_type(&kind)?;
    if value.is_null() {
        return Ok(format!("cast(null as {wanted})"));
    }
    Ok(match value {
        ScalarValue::Boolean(Some(value)) => value.to_string(),
        ScalarValue::Utf8(Some(value))
        | ScalarValue::LargeUtf8(Some(value))
        | ScalarValue::Utf8View(Some(value)) => text(value),
        ScalarValue::Int32(Some(value)) if *value > i32::MIN => integer(i64::from(*value), ""),
        ScalarValue::Int64(Some(value)) if *value > i64::MIN => integer(*value, "L"),
        // Debug writes the shortest text that reads as the same number, and NaN and inf as Spark knows them.
        ScalarValue::Float32(Some(value)) => format!("cast('{value:?}' as float)"),
        ScalarValue::Float64(Some(value)) => format!("cast('{value:?}' as double)"),
        ScalarValue::Binary(Some(bytes))
        | ScalarValue::LargeBinary(Some(bytes))
        | ScalarValue::BinaryView(Some(bytes)) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
            format!("X'{digits}'")
        }
        ScalarValue::Dictionary(_, value) => return write(value),
        // The smallest integers, decimals, dates.
        other if kind.is_numeric() || matches!(other, ScalarValue::Date32(_)) => {
            format!("cast('{other}' as {wanted})")
        }
        ScalarValue::TimestampSecond(..)
        | ScalarValue::TimestampMillisecond(..)
        | ScalarValue::TimestampMicrosecond(..)
        | ScalarValue::TimestampNanosecond(..) => timestamp(value, &wanted)?,
        _ => return Err(format!("a literal of type {} is not written for Spark", named(&kind))),
    })
}

fn integer(value: i64, suffix: &str) -> String {
    match value < 0 {
        true => format!("({value}{suffix})"),
        false => format!("{value}{suffix}"),
    }
}

/// By its microseconds, which need no reading of dates.
fn timestamp(value: &ScalarValue, wanted: &str) -> Result<String, String> {
    let micros = match value {
        ScalarValue::TimestampSecond(Some(value), _) => value.checked_mul(1_000_000),
        ScalarValue::TimestampMillisecond(Some(value), _) => value.checked_mul(1_000),
        ScalarValue::TimestampMicrosecond(Some(value), _) => Some(*value),
        ScalarValue::TimestampNanosecond(Some(value), _) if value % 1_000 == 0 => Some(value / 1_000),
        _ => return Err("a time with parts of a microsecond is cut in Spark: leave them away".to_owned()),
    };
    let micros = micros.ok_or("a time so far away is none in Spark")?;
    Ok(format!("cast(timestamp_micros({}) as {wanted})", integer(micros, "L")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_have_their_type() {
        for (value, written) in [
            (ScalarValue::Int32(Some(-5)), "(-5)"),
            (ScalarValue::Int64(Some(5)), "5L"),
            (ScalarValue::Int64(Some(i64::MIN)), "cast('-9223372036854775808' as bigint)"),
            (ScalarValue::Int8(Some(-3)), "cast('-3' as tinyint)"),
            (ScalarValue::Float64(Some(-0.0)), "cast('-0.0' as double)"),
            (ScalarValue::Float64(Some(1e300)), "cast('1e300' as double)"),
            (ScalarValue::Float64(Some(f64::NEG_INFINITY)), "cast('-inf' as double)"),
            (ScalarValue::Float64(Some(f64::NAN)), "cast('NaN' as double)"),
            (ScalarValue::Decimal128(Some(-150), 5, 2), "cast('-1.50' as decimal(5,2))"),
            (ScalarValue::Date32(Some(-1)), "cast('1969-12-31' as date)"),
            (ScalarValue::Utf8View(Some("it's".into())), r"'it\'s'"),
            (ScalarValue::Utf8(None), "cast(null as string)"),
            (ScalarValue::Null, "cast(null as string)"),
            (ScalarValue::Boolean(Some(true)), "true"),
            (ScalarValue::BinaryView(Some(vec![0, 255])), "X'00FF'"),
            (
                ScalarValue::TimestampNanosecond(Some(-1_000), None),
                "cast(timestamp_micros((-1L)) as timestamp_ntz)",
            ),
        ] {
            assert_eq!(write(&value).unwrap(), written);
        }
        let refused = write(&ScalarValue::TimestampNanosecond(Some(1), None)).unwrap_err();
        assert_eq!(refused, "a time with parts of a microsecond is cut in Spark: leave them away");
    }
}
