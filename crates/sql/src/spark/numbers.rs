//! Functions of numbers.

use arrow_schema::DataType;
use datafusion::logical_expr::Expr;

use super::functions::Call;
use super::types::{named, value_type};

/// From here on a double has no fraction.
const WHOLE: &str = "cast('4503599627370496' as double)";
const ZERO: &str = "cast('0' as double)";

/// Spark gives integers: no NaN, no infinity and no `-0.0`.
pub(super) fn ceil_or_floor(call: &Call<'_>) -> Result<String, String> {
    let (value, kind, name) = (call.sql(0)?, call.kind(0)?, call.name);
    match &kind {
        DataType::Float64 if name == "ceil" => Ok(format!(
            "(case when isnan({value}) or abs({value}) >= {WHOLE} or {value} = {ZERO} then {value} \
             when {value} > cast('-1' as double) and {value} < {ZERO} then cast('-0.0' as double) \
             else cast(ceil({value}) as double) end)"
        )),
        DataType::Float64 => Ok(format!(
            "(case when isnan({value}) or abs({value}) >= {WHOLE} or {value} = {ZERO} then {value} \
             else cast(floor({value}) as double) end)"
        )),
        DataType::Decimal128(_, scale) if *scale >= 0 => {
            Ok(format!("cast({name}({value}) as {})", value_type(&call.result)?))
        }
        kind if kind.is_signed_integer() && kind == &call.result => Ok(value),
        other => Err(format!(
            "{name} of {} is not known to give the same in Spark: cast it to double first",
            named(other)
        )),
    }
}

pub(super) fn factorial(call: &Call<'_>) -> Result<String, String> {
    let value = call.sql(0)?;
    Ok(format!(
        "(case when {value} between 0 and 20 then factorial(cast({value} as int)) \
         else cast(concat('no factorial of ', cast({value} as string)) as bigint) end)"
    ))
}

/// Null in, null out.
pub(super) fn isnan(call: &Call<'_>) -> Result<String, String> {
    let (value, kind) = (call.sql(0)?, call.kind(0)?);
    match kind.is_floating() {
        true => Ok(format!("(case when {value} is not null then isnan({value}) end)")),
        false => Err(format!("isnan of {} is not known to give the same in Spark", named(&kind))),
    }
}

/// DataFusion makes an error of the root of a negative number, Spark NaN.
pub(super) fn sqrt(call: &Call<'_>) -> Result<String, String> {
    let (value, kind) = (call.sql(0)?, call.kind(0)?);
    match kind {
        DataType::Float64 => Ok(format!(
            "(case when {value} < {ZERO} then cast(concat('no square root of ', cast({value} as string)) as double) \
             else sqrt({value}) end)"
        )),
        other => Err(format!(
            "sqrt of {} is not known to give the same in Spark: cast it to double first",
            named(&other)
        )),
    }
}

/// The sign of `-0.0` is 0 in DataFusion.
pub(super) fn signum(call: &Call<'_>) -> Result<String, String> {
    let (value, kind) = (call.sql(0)?, call.kind(0)?);
    match kind {
        DataType::Float64 => Ok(format!("(case when {value} = {ZERO} then {ZERO} else signum({value}) end)")),
        other => Err(format!(
            "signum of {} is not known to give the same in Spark: cast it to double first",
            named(&other)
        )),
    }
}

/// Of doubles, DataFusion rounds what is shifted by a power of ten, Spark the number's shortest text.
pub(super) fn round(call: &Call<'_>) -> Result<String, String> {
    let (value, kind) = (call.sql(0)?, call.kind(0)?);
    let places = match call.args.len() {
        1 => 0,
        _ => call.integer(1).ok_or("round to places that are no literal is not written for Spark")?,
    };
    match &kind {
        DataType::Float64 => {
            let factor = match places {
                0..=22 => format!("cast('1e{places}' as double)"),
                _ => return Err(format!("round of double to {places} places is not known to give the same in Spark")),
            };
            let shifted = if places == 0 { value } else { format!("({value} * {factor})") };
            let rounded = format!(
                "(case when isnan({shifted}) or abs({shifted}) >= {WHOLE} or {shifted} = {ZERO} then {shifted} \
                 when {shifted} < {ZERO} then cast('-1' as double) * round(abs({shifted})) else round({shifted}) end)"
            );
            Ok(if places == 0 { rounded } else { format!("({rounded} / {factor})") })
        }
        // Its type hangs on the places, which DataFusion knows of a query after it has optimized it.
        DataType::Decimal128(..) if call.args.get(1).is_some_and(|places| !matches!(places, Expr::Literal(..))) => {
            Err("round of a decimal to places is not written for Spark in a query: cast it to a decimal of these".to_owned())
        }
        DataType::Decimal128(_, scale) if (0..=i64::from(*scale)).contains(&places) => {
            Ok(format!("cast(round({value}, {places}) as {})", value_type(&call.result)?))
        }
        kind if kind.is_signed_integer() && places >= 0 && kind == &call.result => Ok(value),
        other => Err(format!("round of {} to {places} places is not known to give the same in Spark", named(other))),
    }
}
