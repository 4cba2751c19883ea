//! Casts: which give the same in both, how the others are written so that they do, and which can't be.
//!
//! What both can't read is an error in both. Where Spark reads more texts than DataFusion, or reads one
//! otherwise, a pattern lets only those through that both read alike.

use arrow_schema::DataType;

use super::types::{is_binary, is_list, is_text, is_utc, item_type, named, value_type};

/// What becomes of a value that has no meaning in the type.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OnFailure {
    Fail,
    Null,
}

impl OnFailure {
    fn word(self) -> &'static str {
        match self {
            OnFailure::Fail => "cast",
            OnFailure::Null => "try_cast",
        }
    }
}

/// A value, as it is written, in another type. The error is the reason why Spark can't be asked.
pub(super) fn write(
    value: &str,
    from: &DataType,
    to: &DataType,
    on_failure: OnFailure,
) -> Result<String, String> {
    let from = &plain_layout(from);
    let to = &plain_layout(to);
    let wanted = value_type(to)?;
    let plain = || Ok(format!("{}({value} as {wanted})", on_failure.word()));
    if from == to || is_text(from) && is_text(to) || is_binary(from) && is_binary(to) {
        return Ok(value.to_owned());
    }
    if *from == DataType::Null {
        return Ok(format!("cast({value} as {wanted})"));
    }
    if is_text(from) {
        return from_text(value, to, &wanted, on_failure);
    }
    if is_text(to) && is_binary(from) && on_failure == OnFailure::Fail {
        return Ok(format!("validate_utf8(cast({value} as string))"));
    }
    if is_text(to) {
        to_text(from)?;
        return plain();
    }
    match (from, to) {
        (from, DataType::Decimal128(..)) if from.is_floating() => {
            double_to_decimal(value, from, to, &wanted, on_failure)
        }
        (DataType::Decimal128(..), to) if to.is_floating() => decimal_to_double(value, from, &wanted),
        (DataType::Timestamp(_, a), DataType::Timestamp(_, b))
            if is_utc(a.as_deref()) && is_utc(b.as_deref()) =>
        {
            if a.is_some() == b.is_some() {
                Ok(value.to_owned())
            } else {
                plain()
            }
        }
        (DataType::Timestamp(_, a), DataType::Timestamp(_, b)) if a == b => Ok(value.to_owned()),
        (from, to) if is_list(from) && is_list(to) => list(value, from, to, &wanted, on_failure),
        (from, to) if is_always_same(from, to) => plain(),
        _ => Err(refused(from, to, "is not known to give the same in Spark")),
    }
}

/// Casts that Spark makes as DataFusion does, of every value.
fn is_always_same(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (from, to) if from.is_integer() => to.is_numeric() || *to == DataType::Boolean,
        (DataType::Boolean, to) => to.is_integer(),
        (from, to) if from.is_floating() => to.is_floating() || to.is_integer(),
        (DataType::Decimal128(..), DataType::Decimal128(..)) => true,
        (DataType::Decimal128(..), to) => to.is_integer(),
        (DataType::Date32, DataType::Timestamp(_, zone)) => is_utc(zone.as_deref()),
        (DataType::Timestamp(_, zone), DataType::Date32) => is_utc(zone.as_deref()),
        _ => false,
    }
}

fn to_text(from: &DataType) -> Result<(), String> {
    let refuse = |why: &str| Err(refused(from, &DataType::Utf8View, why));
    match from {
        DataType::Boolean | DataType::Date32 => Ok(()),
        from if from.is_integer() => Ok(()),
        DataType::Decimal128(_, scale) if *scale >= 0 => Ok(()),
        from if from.is_floating() => refuse(
            "is written another way in Spark (1.0E300 for 1e300): leave it a number, or cast it to a decimal first",
        ),
        DataType::Timestamp(..) => {
            refuse("is written another way in Spark: leave it a timestamp, which the feed's `format` writes")
        }
        _ => refuse("gives another text in Spark"),
    }
}

/// White space that both leave away.
const BLANK: &str = "[ \\\\t\\\\n\\\\f\\\\r]*";

fn from_text(value: &str, to: &DataType, wanted: &str, on_failure: OnFailure) -> Result<String, String> {
    match to {
        to if to.is_integer() => {
            Ok(let_through(value, &format!("{BLANK}[+-]?[0-9]+{BLANK}"), wanted, on_failure))
        }
        DataType::Decimal128(..) => {
            let number = format!("{BLANK}[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+){BLANK}");
            Ok(let_through(value, &number, wanted, on_failure))
        }
        to if to.is_floating() => {
            let number = "[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?";
            let other = "[+-]?([iI][nN][fF]|[iI][nN][fF][iI][nN][iI][tT][yY])|[nN][aA][nN]";
            Ok(let_through(value, &format!("{BLANK}({number}|{other}){BLANK}"), wanted, on_failure))
        }
        DataType::Boolean => Ok(text_to_boolean(value, on_failure)),
        DataType::Date32 => Ok(text_to_date(value, on_failure)),
        DataType::Timestamp(_, zone) if is_utc(zone.as_deref()) => {
            Ok(text_to_timestamp(value, wanted, on_failure))
        }
        to if is_binary(to) => Ok(format!("cast({value} as binary)")),
        _ => Err(refused(&DataType::Utf8View, to, "is not known to give the same in Spark")),
    }
}

/// Whether all of a text is of a pattern: `\z`, since `$` may stand before a last line break in Java.
fn all_of(value: &str, pattern: &str) -> String {
    format!("{value} rlike '\\\\A(?:{pattern})\\\\z'")
}

/// A cast of the texts that match; of others an error that says them.
fn let_through(value: &str, pattern: &str, wanted: &str, on_failure: OnFailure) -> String {
    let matches = all_of(value, pattern);
    match on_failure {
        OnFailure::Null => format!("(case when {matches} then try_cast({value} as {wanted}) end)"),
        OnFailure::Fail => format!(
            "cast(case when {matches} then {value} else {} end as {wanted})",
            complaint(value, wanted)
        ),
    }
}

/// A text that no type can be made of; null for null.
fn complaint(value: &str, wanted: &str) -> String {
    format!("concat('no {wanted} that Spark and DataFusion both read: ', {value})")
}

fn text_to_boolean(value: &str, on_failure: OnFailure) -> String {
    let (yes, no) = (
        "(?i)\\\\s*(t|tr|tru|true|y|ye|yes|on|1)\\\\s*",
        "(?i)\\\\s*(f|fa|fal|fals|false|n|no|of|off|0)\\\\s*",
    );
    let otherwise = match on_failure {
        OnFailure::Null => String::new(),
        OnFailure::Fail => format!(" else cast({} as boolean)", complaint(value, "boolean")),
    };
    format!(
        "(case when {} then true when {} then false{otherwise} end)",
        all_of(value, yes),
        all_of(value, no)
    )
}

const DATE: &str = "[0-9]{4}-[0-9]{2}-[0-9]{2}";

fn text_to_date(value: &str, on_failure: OnFailure) -> String {
    let word = on_failure.word();
    let complaint = format!("cast({} as date)", complaint(value, "date"));
    let otherwise = match on_failure {
        // What DataFusion may read is no null.
        OnFailure::Null => {
            format!(
                " when {} then {complaint}",
                all_of(value, &format!("(?s)[+-][0-9]{{4,}}-.*|{DATE}[ tT].*"))
            )
        }
        OnFailure::Fail => format!(" else {complaint}"),
    };
    format!(
        "(case when {} then {word}({value} as date) \
         when {} then {word}(concat(substr({value}, 1, 4), '-', substr({value}, 5, 2), '-', substr({value}, 7, 2)) as date) \
         when {} then cast({word}({value} as timestamp) as date){otherwise} end)",
        all_of(value, "[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"),
        all_of(value, "[0-9]{8}"),
        all_of(value, &format!("{DATE}{TIME}")),
    )
}

/// A time that both read alike: up to six digits of a second, zeros behind them, an offset or none.
const TIME: &str = "[ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6}0*)?(Z|[+-][0-9]{2}:[0-9]{2})?";
/// The years of which all times fit into DataFusion's nanoseconds.
const YEARS: &str = "(167[89]|16[89][0-9]|1[789][0-9]{2}|2[01][0-9]{2}|22[0-5][0-9]|226[01])";

fn text_to_timestamp(value: &str, wanted: &str, on_failure: OnFailure) -> String {
    let matches = all_of(value, &format!("{YEARS}-[0-9]{{2}}-[0-9]{{2}}({TIME})?"));
    // As an instant first: a text's offset counts, which Spark would leave away without a zone.
    match on_failure {
        // What DataFusion may read is no null.
        OnFailure::Null => format!(
            "cast((case when {matches} then try_cast({value} as timestamp) when {} then cast({} as timestamp) end) as {wanted})",
            all_of(value, &format!("(?s){DATE}([ tT].*)?")),
            complaint(value, "timestamp")
        ),
        OnFailure::Fail => format!(
            "cast(cast(case when {matches} then {value} else {} end as timestamp) as {wanted})",
            complaint(value, "timestamp")
        ),
    }
}

/// Beyond it a double has no fraction, and not every integer.
const EXACT: &str = "9007199254740992D";
/// Decimal places to which a double of everyday size is rounded exactly.
const PLACES: i8 = 6;

/// DataFusion rounds `value * 10^scale`, Spark the number's shortest text: 1.005 becomes 1.00 and 1.01.
fn double_to_decimal(
    value: &str,
    from: &DataType,
    to: &DataType,
    wanted: &str,
    on_failure: OnFailure,
) -> Result<String, String> {
    let &DataType::Decimal128(_, scale) = to else {
        return Err(refused(from, to, "is not written for Spark"));
    };
    if !(0..=PLACES).contains(&scale) {
        return Err(refused(
            from,
            to,
            &format!("is rounded otherwise in Spark; up to {PLACES} decimal places are not"),
        ));
    }
    let double =
        if *from == DataType::Float64 { value.to_owned() } else { format!("cast({value} as double)") };
    let shifted = format!("({double} * {}D)", 10_i64.pow(scale.unsigned_abs().into()));
    let unit = match scale {
        0 => "cast(1 as decimal(1,0))".to_owned(),
        scale => format!(
            "cast('0.{:0>width$}' as decimal({scale},{scale}))",
            1,
            width = usize::from(scale.unsigned_abs())
        ),
    };
    let exact = format!("cast(cast(round({shifted}) as bigint) as decimal(20,0)) * {unit}");
    let otherwise = match on_failure {
        OnFailure::Null => String::new(),
        OnFailure::Fail => format!(
            " when {double} is not null then cast(concat('no {wanted} that Spark and DataFusion both round: ', cast({double} as string)) as {wanted})"
        ),
    };
    Ok(format!(
        "(case when abs{shifted} < {EXACT} then {}({exact} as {wanted}){otherwise} end)",
        on_failure.word()
    ))
}

/// A power of ten beyond is no double.
const POWERS: i8 = 22;

/// DataFusion divides the digits by a power of ten, which rounds twice; Spark rounds once.
fn decimal_to_double(value: &str, from: &DataType, wanted: &str) -> Result<String, String> {
    let &DataType::Decimal128(precision, scale) = from else {
        return Err(refused(from, &DataType::Float64, "is not written for Spark"));
    };
    if !(0..=POWERS).contains(&scale) {
        return Err(refused(
            from,
            &DataType::Float64,
            "is rounded otherwise in Spark: cast it to fewer decimal places first",
        ));
    }
    // Digits that a double holds: one rounding in both.
    if precision <= 15 || scale == 0 {
        let double = format!("cast({value} as double)");
        return Ok(if wanted == "double" { double } else { format!("cast({double} as {wanted})") });
    }
    let double = format!("(cast(replace(cast({value} as string), '.', '') as double) / 1e{scale}D)");
    Ok(if wanted == "double" { double } else { format!("cast({double} as {wanted})") })
}

fn list(
    value: &str,
    from: &DataType,
    to: &DataType,
    wanted: &str,
    on_failure: OnFailure,
) -> Result<String, String> {
    let (Some(from_item), Some(to_item)) = (item_type(from), item_type(to)) else {
        return Err(refused(from, to, "is not written for Spark"));
    };
    let (from_item, to_item) = (&plain_layout(from_item), &plain_layout(to_item));
    if value_type(from_item)? == value_type(to_item)? {
        return Ok(value.to_owned());
    }
    let is_same = match is_text(to_item) {
        true => to_text(from_item).is_ok(),
        false => is_always_same(from_item, to_item),
    };
    match is_same && on_failure == OnFailure::Fail {
        true => Ok(format!("cast({value} as {wanted})")),
        false => Err(refused(from, to, "is not known to give the same in Spark")),
    }
}

/// One type for the layouts of one meaning.
fn plain_layout(found: &DataType) -> DataType {
    match found {
        DataType::Dictionary(_, value) => plain_layout(value),
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Date64 => DataType::Date32,
        other => other.clone(),
    }
}

fn refused(from: &DataType, to: &DataType, why: &str) -> String {
    format!("a cast of {} to {} {why}", named(from), named(to))
}
