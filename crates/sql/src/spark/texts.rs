//! Functions of texts.

use super::functions::{Call, no_lists};
use super::patterns::{self, Part};
use super::text;
use super::types::{is_binary, is_text, named, value_type};

/// Null is nothing in DataFusion, and makes all null in Spark.
pub(super) fn concat(call: &Call<'_>) -> Result<String, String> {
    no_lists(call)?;
    let parts = (0..call.args.len()).map(|index| match call.literal(index) {
        Ok(_) => call.text(index),
        Err(_) => Ok(format!("coalesce({}, '')", call.text(index)?)),
    });
    Ok(format!("concat({})", parts.collect::<Result<Vec<_>, String>>()?.join(", ")))
}

pub(super) fn concat_ws(call: &Call<'_>) -> Result<String, String> {
    no_lists(call)?;
    let parts = (0..call.args.len()).map(|index| call.text(index)).collect::<Result<Vec<_>, String>>()?;
    Ok(format!("concat_ws({})", parts.join(", ")))
}

pub(super) fn chr(call: &Call<'_>) -> Result<String, String> {
    let letter = call.integer(0).and_then(|code| u32::try_from(code).ok()).and_then(char::from_u32);
    match letter {
        Some(letter) => Ok(text(&letter.to_string())),
        None => Err("chr of what is no literal: Spark knows 256 letters".to_owned()),
    }
}

/// A negative count leaves so many away at the end.
pub(super) fn left(call: &Call<'_>) -> Result<String, String> {
    let (value, count) = (call.text(0)?, call.int(1)?);
    let all_but = || format!("substr({value}, 1, greatest(char_length({value}) + {count}, 0))");
    Ok(match call.integer(1) {
        Some(0..) => format!("left({value}, {count})"),
        Some(_) => all_but(),
        None => format!(
            "(case when {count} < 0 then {} when {count} >= 0 then left({value}, {count}) end)",
            all_but()
        ),
    })
}

/// A negative count leaves so many away at the beginning.
pub(super) fn right(call: &Call<'_>) -> Result<String, String> {
    let (value, count) = (call.text(0)?, call.int(1)?);
    Ok(match call.integer(1) {
        Some(0..) => format!("right({value}, {count})"),
        Some(_) => format!("substr({value}, 1 - {count})"),
        None => format!(
            "(case when {count} < 0 then substr({value}, 1 - {count}) when {count} >= 0 then right({value}, {count}) end)"
        ),
    })
}

/// Spark counts from the end where DataFusion begins before the text.
pub(super) fn substr(call: &Call<'_>) -> Result<String, String> {
    call.at_most(3)?;
    let (value, start) = (call.text(0)?, call.int(1)?);
    let begins_before = call.integer(1).map(|start| start < 1);
    if call.args.len() == 2 {
        return Ok(match begins_before {
            Some(true) => value,
            Some(false) => format!("substr({value}, {start})"),
            // Sail takes a null for a place.
            None => format!(
                "(case when {start} < 1 then {value} when {start} >= 1 then substr({value}, {start}) end)"
            ),
        });
    }
    let length = match call.integer(2) {
        Some(..0) => return Err("substr of a negative length is an error".to_owned()),
        Some(_) => call.int(2)?,
        None => {
            let length = call.int(2)?;
            format!(
                "(case when {length} < 0 then cast(concat('a negative length of substr: ', cast({length} as string)) as int) else {length} end)"
            )
        }
    };
    let before = format!("substr({value}, 1, greatest({start} + {length} - 1, 0))");
    Ok(match begins_before {
        Some(true) => before,
        Some(false) => format!("substr({value}, {start}, {length})"),
        None => format!(
            "(case when {start} < 1 then {before} when {start} >= 1 then substr({value}, {start}, {length}) end)"
        ),
    })
}

pub(super) fn pad(call: &Call<'_>) -> Result<String, String> {
    call.at_most(3)?;
    let with = if call.args.len() == 3 { call.text(2)? } else { "' '".to_owned() };
    Ok(format!("{}({}, {}, {with})", call.name, call.text(0)?, call.int(1)?))
}

pub(super) fn repeat(call: &Call<'_>) -> Result<String, String> {
    Ok(format!("repeat({}, {})", call.text(0)?, call.int(1)?))
}

pub(super) fn reverse(call: &Call<'_>) -> Result<String, String> {
    no_lists(call)?;
    Ok(format!("reverse({})", call.text(0)?))
}

pub(super) fn split_part(call: &Call<'_>) -> Result<String, String> {
    Ok(format!("split_part({}, {}, {})", call.text(0)?, call.text(1)?, call.int(2)?))
}

pub(super) fn substring_index(call: &Call<'_>) -> Result<String, String> {
    Ok(format!("substring_index({}, {}, {})", call.text(0)?, call.text(1)?, call.int(2)?))
}

/// Spark takes the letters first, unless they are written like this.
pub(super) fn trim_one_side(call: &Call<'_>) -> Result<String, String> {
    call.at_most(2)?;
    let side = if call.name == "ltrim" { "leading" } else { "trailing" };
    match call.args.len() {
        1 => Ok(format!("{}({})", call.name, call.text(0)?)),
        _ => Ok(format!("trim({side} {} from {})", call.text(1)?, call.text(0)?)),
    }
}

pub(super) fn sha(call: &Call<'_>) -> Result<String, String> {
    let kind = call.kind(0)?;
    match is_text(&kind) || is_binary(&kind) {
        true => Ok(format!("unhex(sha2({}, {}))", call.sql(0)?, &call.name["sha".len()..])),
        false => Err(format!("{} of {} is not written for Spark", call.name, named(&kind))),
    }
}

/// The regular expression and the flags of a call.
fn regex(call: &Call<'_>, flags: Option<usize>) -> Result<patterns::Regex, String> {
    let flags = match flags {
        Some(index) if index < call.args.len() => call.literal(index)?.replace('g', ""),
        _ => String::new(),
    };
    patterns::regex(call.literal(1)?, &flags)
}

pub(super) fn regexp_like(call: &Call<'_>) -> Result<String, String> {
    call.at_most(3)?;
    Ok(format!("({} rlike {})", call.text(0)?, text(&regex(call, Some(2))?.written)))
}

pub(super) fn regexp_count(call: &Call<'_>) -> Result<String, String> {
    call.at_most(2)?;
    let regex = regex(call, None)?;
    if regex.may_be_empty {
        return Err(MAY_BE_EMPTY.to_owned());
    }
    let counted = format!("regexp_count({}, {})", call.text(0)?, text(&regex.written));
    Ok(format!("cast({counted} as {})", value_type(&call.result)?))
}

const MAY_BE_EMPTY: &str =
    "a regular expression that matches nothing between two letters is counted otherwise in Spark";

/// The first match, or with the flag `g` each.
pub(super) fn regexp_replace(call: &Call<'_>) -> Result<String, String> {
    call.at_most(4)?;
    let regex = regex(call, Some(3))?;
    let parts = patterns::replacement(call.literal(2)?)?;
    let value = call.text(0)?;
    let every = call.args.len() == 4 && call.literal(3)?.contains('g');
    match every {
        true => replace_every(&value, &regex, &parts),
        false => Ok(replace_first(&value, &regex, &parts)),
    }
}

fn replace_every(value: &str, regex: &patterns::Regex, parts: &[Part]) -> Result<String, String> {
    if regex.may_be_empty {
        return Err(MAY_BE_EMPTY.to_owned());
    }
    let mut replacement = String::new();
    let mut behind_group = false;
    for part in parts {
        match part {
            Part::Text(text) => {
                let joins = |letter: char| letter.is_alphanumeric() || letter == '_';
                if text.contains(['$', '\\']) || behind_group && text.starts_with(joins) {
                    return Err(
                        "a replacement with `$`, `\\`, or a letter behind a group is read otherwise in Spark"
                            .to_owned(),
                    );
                }
                replacement.push_str(text);
                behind_group = false;
            }
            Part::Group(number) if *number <= regex.groups => {
                replacement.push_str(&format!("${number}"));
                behind_group = true;
            }
            // A group that is not there is nothing in DataFusion, and an error in Spark.
            Part::Group(_) => {}
        }
    }
    Ok(format!("regexp_replace({value}, {}, {})", text(&regex.written), text(&replacement)))
}

/// Spark replaces each match: so what stands before the first, and behind it, is put together with its
/// replacement.
fn replace_first(value: &str, regex: &patterns::Regex, parts: &[Part]) -> String {
    let whole = text(&format!("\\A((?s:.*?))({})((?s:.*))\\z", regex.written));
    let group = |number: usize| format!("regexp_replace({value}, {whole}, '${number}')");
    let mut pieces = vec![group(1)];
    for part in parts {
        match part {
            Part::Text(plain) => pieces.push(text(plain)),
            Part::Group(number) if *number <= regex.groups => pieces.push(group(number + 2)),
            Part::Group(_) => {}
        }
    }
    pieces.push(group(regex.groups + 3));
    format!(
        "(case when {value} rlike {} then concat({}) else {value} end)",
        text(&regex.written),
        pieces.join(", ")
    )
}
