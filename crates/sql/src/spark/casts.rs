//! Which casts give the same values in both.

use arrow_schema::DataType;

/// Fails with the reason where a cast differs.
pub(super) fn allow(from: &DataType, to: &DataType) -> Result<(), String> {
    let refuse = |why: &str| Err(format!("a cast of {from} to {to} {why}"));
    match (from, to) {
        (from, to) if from == to => Ok(()),
        (DataType::Null, _) => Ok(()),
        (from, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => match from {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Ok(()),
            from if from.is_integer() || matches!(from, DataType::Boolean | DataType::Date32) => Ok(()),
            DataType::Decimal128(_, scale) if *scale >= 0 => Ok(()),
            DataType::Float16 | DataType::Float32 | DataType::Float64 => {
                refuse("writes numbers another way in Spark; leave it a number, or cast it to a decimal first")
            }
            DataType::Timestamp(..) => {
                refuse("writes times another way in Spark; leave it a timestamp, which the feed's `format` writes")
            }
            _ => refuse("writes another text in Spark"),
        },
        (from, to) if from.is_integer() && (to.is_numeric() || *to == DataType::Boolean) => Ok(()),
        (DataType::Boolean, to) if to.is_integer() => Ok(()),
        (DataType::Float32 | DataType::Float64, DataType::Float32 | DataType::Float64) => Ok(()),
        (DataType::Decimal128(..), to) if to.is_numeric() => Ok(()),
        (DataType::Date32, DataType::Timestamp(_, None)) => Ok(()),
        (DataType::Timestamp(_, a), DataType::Timestamp(_, b)) if a.is_some() == b.is_some() => Ok(()),
        (DataType::Timestamp(_, None), DataType::Date32) => Ok(()),
        _ => refuse("is not known to give the same in Spark"),
    }
}
