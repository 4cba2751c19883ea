//! How calls of functions are written for Spark: a rule for each function that a feed may use.

use arrow_schema::DataType;
use datafusion::logical_expr::Expr;

use super::casts::{self, OnFailure};
use super::print::{Printer, is_null_literal, literal_integer, literal_text, no_zero};
use super::types::{is_list, is_text, is_utc, item_type, named, value_type};
use super::{arrays, numbers, quoted, text, texts};

/// A call that is to be written.
pub(super) struct Call<'a> {
    pub(super) printer: &'a Printer<'a>,
    /// The function's first name.
    pub(super) name: &'a str,
    pub(super) args: &'a [Expr],
    /// The type of the call.
    pub(super) result: DataType,
}

impl Call<'_> {
    /// An argument as it is written.
    pub(super) fn sql(&self, index: usize) -> Result<String, String> {
        self.printer.print(self.argument(index)?)
    }

    /// An argument as text; what is none is cast.
    pub(super) fn text(&self, index: usize) -> Result<String, String> {
        casts::write(&self.sql(index)?, &self.kind(index)?, &DataType::Utf8View, OnFailure::Fail)
    }

    /// An integer argument as Spark's functions take it.
    pub(super) fn int(&self, index: usize) -> Result<String, String> {
        match self.integer(index) {
            Some(value) if i32::try_from(value).is_ok() => Ok(value.to_string()),
            _ => Ok(format!("cast({} as int)", self.sql(index)?)),
        }
    }

    pub(super) fn kind(&self, index: usize) -> Result<DataType, String> {
        self.printer.type_of(self.argument(index)?)
    }

    pub(super) fn all(&self) -> Result<Vec<String>, String> {
        (0..self.args.len()).map(|index| self.sql(index)).collect()
    }

    pub(super) fn kinds(&self) -> Result<Vec<DataType>, String> {
        (0..self.args.len()).map(|index| self.kind(index)).collect()
    }

    /// The value of a literal text.
    pub(super) fn literal(&self, index: usize) -> Result<&str, String> {
        let found = self.args.get(index).and_then(literal_text);
        found.ok_or_else(|| {
            format!("argument {} of {} must be a literal text for Spark", index + 1, self.name)
        })
    }

    /// The value of a literal integer.
    pub(super) fn integer(&self, index: usize) -> Option<i64> {
        self.args.get(index).and_then(literal_integer)
    }

    pub(super) fn is_null(&self, index: usize) -> bool {
        self.args.get(index).is_some_and(is_null_literal)
    }

    pub(super) fn argument(&self, index: usize) -> Result<&Expr, String> {
        self.args.get(index).ok_or_else(|| format!("{} has no argument {}", self.name, index + 1))
    }

    /// Fails where there are more arguments, which Spark takes otherwise.
    pub(super) fn at_most(&self, count: usize) -> Result<(), String> {
        match self.args.len() <= count {
            true => Ok(()),
            false => {
                Err(format!("{} with {} arguments is not written for Spark", self.name, self.args.len()))
            }
        }
    }
}

/// What is known of a function.
pub(super) enum Rule {
    /// The same under the same name.
    Same,
    /// The same under another name.
    Named(&'static str),
    /// Written another way, or refused, by its arguments.
    Written(fn(&Call<'_>) -> Result<String, String>),
    /// What Spark gives otherwise.
    Refused(&'static str),
}

/// Java's and C's results differ in their last digit, in a part of a thousand to a half of all values.
const LAST_DIGIT: &str = "Spark's result differs in the last digit";
const NO_SUCH: &str = "Spark has no such function";

/// Functions by their first names, sorted.
pub(super) const RULES: &[(&str, Rule)] = &[
    ("abs", Rule::Same),
    ("acos", Rule::Refused(LAST_DIGIT)),
    ("array_distinct", Rule::Written(arrays::distinct)),
    ("array_element", Rule::Written(arrays::element)),
    ("array_has", Rule::Written(arrays::contains)),
    ("array_max", Rule::Written(arrays::extreme)),
    ("array_min", Rule::Written(arrays::extreme)),
    ("array_to_string", Rule::Written(arrays::join)),
    ("ascii", Rule::Same),
    ("asin", Rule::Refused(LAST_DIGIT)),
    ("atan", Rule::Refused(LAST_DIGIT)),
    ("atan2", Rule::Refused(LAST_DIGIT)),
    ("bit_length", Rule::Same),
    ("btrim", Rule::Same),
    ("cardinality", Rule::Written(arrays::cardinality)),
    ("cbrt", Rule::Refused(LAST_DIGIT)),
    ("ceil", Rule::Written(numbers::ceil_or_floor)),
    ("character_length", Rule::Named("char_length")),
    ("chr", Rule::Written(texts::chr)),
    ("coalesce", Rule::Same),
    ("concat", Rule::Written(texts::concat)),
    ("concat_ws", Rule::Written(texts::concat_ws)),
    ("cos", Rule::Refused(LAST_DIGIT)),
    ("cosh", Rule::Refused(LAST_DIGIT)),
    ("cot", Rule::Refused(LAST_DIGIT)),
    ("date_part", Rule::Written(date_part)),
    ("date_trunc", Rule::Written(date_trunc)),
    ("degrees", Rule::Same),
    ("exp", Rule::Refused(LAST_DIGIT)),
    ("factorial", Rule::Written(numbers::factorial)),
    ("find_in_set", Rule::Same),
    ("flatten", Rule::Written(arrays::flatten)),
    ("floor", Rule::Written(numbers::ceil_or_floor)),
    ("gcd", Rule::Refused(NO_SUCH)),
    ("get_field", Rule::Written(get_field)),
    ("greatest", Rule::Written(extreme)),
    ("initcap", Rule::Refused("Spark begins words after blanks only")),
    ("isnan", Rule::Written(numbers::isnan)),
    ("lcm", Rule::Refused(NO_SUCH)),
    ("least", Rule::Written(extreme)),
    ("left", Rule::Written(texts::left)),
    ("levenshtein", Rule::Same),
    ("ln", Rule::Refused(LAST_DIGIT)),
    ("log10", Rule::Refused(LAST_DIGIT)),
    ("log2", Rule::Refused(LAST_DIGIT)),
    ("lower", Rule::Same),
    ("lpad", Rule::Written(texts::pad)),
    ("ltrim", Rule::Written(texts::trim_one_side)),
    ("make_date", Rule::Same),
    ("map_keys", Rule::Written(arrays::map_keys)),
    ("map_values", Rule::Written(arrays::map_values)),
    ("md5", Rule::Same),
    ("named_struct", Rule::Written(named_struct)),
    ("nullif", Rule::Written(nullif)),
    ("nvl", Rule::Named("coalesce")),
    ("nvl2", Rule::Written(nvl2)),
    ("octet_length", Rule::Same),
    ("pi", Rule::Same),
    ("power", Rule::Refused("Spark's result differs in the last digit; write x * x for a square")),
    ("radians", Rule::Same),
    ("regexp_count", Rule::Written(texts::regexp_count)),
    ("regexp_like", Rule::Written(texts::regexp_like)),
    ("regexp_replace", Rule::Written(texts::regexp_replace)),
    ("repeat", Rule::Written(texts::repeat)),
    ("replace", Rule::Same),
    ("reverse", Rule::Written(texts::reverse)),
    ("right", Rule::Written(texts::right)),
    ("round", Rule::Written(numbers::round)),
    ("rpad", Rule::Written(texts::pad)),
    ("rtrim", Rule::Written(texts::trim_one_side)),
    ("sha224", Rule::Written(texts::sha)),
    ("sha256", Rule::Written(texts::sha)),
    ("sha384", Rule::Written(texts::sha)),
    ("sha512", Rule::Written(texts::sha)),
    ("signum", Rule::Written(numbers::signum)),
    ("sin", Rule::Refused(LAST_DIGIT)),
    ("sinh", Rule::Refused(LAST_DIGIT)),
    ("split_part", Rule::Written(texts::split_part)),
    ("sqrt", Rule::Written(numbers::sqrt)),
    ("strpos", Rule::Named("instr")),
    ("substr", Rule::Written(texts::substr)),
    ("substr_index", Rule::Written(texts::substring_index)),
    ("tan", Rule::Refused(LAST_DIGIT)),
    ("tanh", Rule::Refused(LAST_DIGIT)),
    ("to_date", Rule::Written(to_date)),
    ("to_timestamp", Rule::Written(to_timestamp)),
    ("translate", Rule::Same),
    ("upper", Rule::Same),
];

/// A call. The error is the reason why Spark can't be asked.
pub(super) fn write(call: &Call<'_>) -> Result<String, String> {
    let name = call.name;
    let Ok(at) = RULES.binary_search_by_key(&name, |(known, _)| known) else {
        return Err(format!("function `{name}` is not known to give the same in Spark"));
    };
    let same =
        |theirs: &str| -> Result<String, String> { Ok(format!("{theirs}({})", call.all()?.join(", "))) };
    let written = match &RULES[at].1 {
        Rule::Same => same(name),
        Rule::Named(theirs) => same(theirs),
        Rule::Written(rule) => return rule(call),
        Rule::Refused(why) => return Err(format!("{name}: {why}")),
    }?;
    // Spark's numbers may be of another width, and those of its own functions are not looked up.
    match call.result.is_numeric() {
        true => Ok(format!("cast({written} as {})", value_type(&call.result)?)),
        false => Ok(written),
    }
}

fn extreme(call: &Call<'_>) -> Result<String, String> {
    for argument in call.args {
        call.printer.comparable(argument, argument)?;
    }
    // One number that may be -0.0 is told from none.
    let mut zeros = call.args.iter().filter(|argument| no_zero(&call.result, argument).is_err());
    if let (Some(_), Some(other)) = (zeros.next(), zeros.next()) {
        no_zero(&call.result, other)?;
    }
    match call.args {
        // Spark asks for two.
        [only] => call.printer.print(only),
        _ => Ok(format!("{}({})", call.name, call.all()?.join(", "))),
    }
}

fn nullif(call: &Call<'_>) -> Result<String, String> {
    call.printer.comparable(call.argument(0)?, call.argument(1)?)?;
    no_zero(&call.kind(0)?, call.argument(1)?)?;
    Ok(format!("nullif({}, {})", call.sql(0)?, call.sql(1)?))
}

fn nvl2(call: &Call<'_>) -> Result<String, String> {
    Ok(format!("(case when {} is not null then {} else {} end)", call.sql(0)?, call.sql(1)?, call.sql(2)?))
}

fn named_struct(call: &Call<'_>) -> Result<String, String> {
    let mut parts = Vec::new();
    for index in (0..call.args.len()).step_by(2) {
        parts.push(text(call.literal(index)?));
        parts.push(call.sql(index + 1)?);
    }
    Ok(format!("named_struct({})", parts.join(", ")))
}

/// A field of a struct, or a map's value of a key, and so on inwards.
fn get_field(call: &Call<'_>) -> Result<String, String> {
    let (mut written, mut kind) = (call.sql(0)?, call.kind(0)?);
    for (index, step) in call.args.iter().enumerate().skip(1) {
        match &kind {
            DataType::Struct(fields) => {
                let name = call.literal(index)?;
                let field = fields.iter().find(|field| field.name() == name);
                let field = field.ok_or_else(|| format!("there is no field `{name}`"))?;
                written = format!("{written}.{}", quoted(name));
                kind = field.data_type().clone();
            }
            DataType::Map(entries, _) => {
                let DataType::Struct(entry) = entries.data_type() else {
                    return Err("a map without entries".to_owned());
                };
                written = format!("{written}[{}]", call.printer.print(step)?);
                kind = entry[1].data_type().clone();
            }
            other => return Err(format!("a field of {} is not written for Spark", named(other))),
        }
    }
    Ok(written)
}

/// The part that is meant, as DataFusion reads it.
fn part_of<'a>(call: &'a Call<'_>) -> Result<&'a str, String> {
    Ok(call.literal(0)?.trim_matches(['\'', '"']))
}

fn date_part(call: &Call<'_>) -> Result<String, String> {
    let part = part_of(call)?.to_lowercase();
    let (value, kind) = (call.sql(1)?, call.kind(1)?);
    let is_date = kind == DataType::Date32;
    match &kind {
        DataType::Timestamp(_, zone) if is_utc(zone.as_deref()) => {}
        _ if is_date => {}
        DataType::Timestamp(..) => {
            return Err(
                "date_part of a time of a time zone follows its clock in DataFusion, and not in Spark"
                    .to_owned(),
            );
        }
        other => return Err(format!("date_part of {} is not written for Spark", named(other))),
    }
    let function = match part.as_str() {
        "year" | "month" | "quarter" => part.as_str(),
        "day" => "dayofmonth",
        "doy" => "dayofyear",
        "week" => "weekofyear",
        "hour" | "minute" | "second" if !is_date => part.as_str(),
        "dow" => return Ok(format!("(dayofweek({value}) - 1)")),
        "epoch" if is_date => {
            return Ok(format!("(cast(unix_date({value}) as double) * cast('86400' as double))"));
        }
        "epoch" => {
            return Ok(format!(
                "(cast(unix_micros(cast({value} as timestamp)) as double) / cast('1000000' as double))"
            ));
        }
        other => {
            return Err(format!(
                "date_part('{other}', …) of {} is not known to give the same in Spark",
                named(&kind)
            ));
        }
    };
    Ok(format!("{function}({value})"))
}

fn date_trunc(call: &Call<'_>) -> Result<String, String> {
    let part = part_of(call)?.to_lowercase();
    if !matches!(part.as_str(), "year" | "quarter" | "month" | "week" | "day" | "hour" | "minute" | "second")
    {
        return Err(format!("date_trunc('{part}', …) is not known to give the same in Spark"));
    }
    let kind = call.kind(1)?;
    match &kind {
        DataType::Timestamp(_, zone) if is_utc(zone.as_deref()) => {}
        DataType::Timestamp(..) => {
            return Err(
                "date_trunc of a time of a time zone follows its clock in DataFusion, and not in Spark"
                    .to_owned(),
            );
        }
        other => return Err(format!("date_trunc of {} is not written for Spark", named(other))),
    }
    let (value, wanted) = (call.sql(1)?, value_type(&call.result)?);
    // Sail knows years from 1678 only, where it cuts a day or less.
    let micros = match part.as_str() {
        "day" => return Ok(format!("cast(cast({value} as date) as {wanted})")),
        "hour" => "3600000000L",
        "minute" => "60000000L",
        "second" => "1000000L",
        _ => return Ok(format!("cast(date_trunc('{part}', cast({value} as timestamp)) as {wanted})")),
    };
    let instant = format!("unix_micros(cast({value} as timestamp))");
    Ok(format!("cast(timestamp_micros({instant} - pmod({instant}, {micros})) as {wanted})"))
}

fn to_date(call: &Call<'_>) -> Result<String, String> {
    if call.args.len() > 1 {
        return Err("to_date with a format: Spark's formats are of another kind".to_owned());
    }
    let kind = call.kind(0)?;
    match is_text(&kind) || kind == DataType::Date32 || matches!(kind, DataType::Timestamp(..)) {
        true => casts::write(&call.sql(0)?, &kind, &DataType::Date32, OnFailure::Fail),
        false => Err(format!("to_date of {} is not known to give the same in Spark", named(&kind))),
    }
}

fn to_timestamp(call: &Call<'_>) -> Result<String, String> {
    if call.args.len() > 1 {
        return Err("to_timestamp with a format: Spark's formats are of another kind".to_owned());
    }
    let kind = call.kind(0)?;
    match is_text(&kind) || kind == DataType::Date32 || matches!(kind, DataType::Timestamp(..)) {
        true => casts::write(&call.sql(0)?, &kind, &call.result, OnFailure::Fail),
        false => Err(format!("to_timestamp of {} is not known to give the same in Spark", named(&kind))),
    }
}

/// A list's item, for functions that write items as text.
pub(super) fn item_of(call: &Call<'_>, index: usize) -> Result<DataType, String> {
    let kind = call.kind(index)?;
    item_type(&kind)
        .cloned()
        .ok_or_else(|| format!("{} of {} is not written for Spark", call.name, named(&kind)))
}

/// Fails where an argument is a list.
pub(super) fn no_lists(call: &Call<'_>) -> Result<(), String> {
    match call.kinds()?.iter().any(is_list) {
        false => Ok(()),
        true => Err(format!("{} of an array is not written for Spark", call.name)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{session, shared_functions};

    #[test]
    fn rules_are_sorted_and_single() {
        assert!(RULES.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn each_function_that_a_feed_may_use_has_a_rule() {
        let state = session(1, Arc::default()).state();
        for name in shared_functions() {
            let first = state.scalar_functions()[*name].name().to_owned();
            assert!(RULES.iter().any(|(known, _)| *known == first), "{name}, which is {first}");
        }
    }
}
