//! Functions of arrays and maps.

use arrow_schema::DataType;

use super::casts::{self, OnFailure};
use super::functions::{Call, item_of};
use super::print::comparable;
use super::types::{is_list, is_text, named, value_type};

/// A position from 1, from the end where it is negative; null beyond.
pub(super) fn element(call: &Call<'_>) -> Result<String, String> {
    call.at_most(2)?;
    let array = call.sql(0)?;
    match call.integer(1) {
        Some(0) => Ok(format!("cast(null as {})", value_type(&call.result)?)),
        Some(_) => Ok(format!("try_element_at({array}, {})", call.int(1)?)),
        None => Ok(format!("try_element_at({array}, nullif({}, 0))", call.int(1)?)),
    }
}

/// Spark does not know where there is a null among the items.
pub(super) fn contains(call: &Call<'_>) -> Result<String, String> {
    let item = item_of(call, 0)?;
    comparable(&[item.clone(), call.kind(1)?])?;
    if call.is_null(1) {
        return Ok("cast(null as boolean)".to_owned());
    }
    let (array, value) = (call.sql(0)?, call.sql(1)?);
    let wanted = value_type(&call.kind(1)?)?;
    if value_type(&item)? != wanted {
        return Err(format!(
            "array_contains of {} and {}: cast the value",
            named(&call.kind(0)?),
            named(&call.kind(1)?)
        ));
    }
    Ok(format!(
        "(case when {array} is not null and {value} is not null then coalesce(array_contains({array}, {value}), false) end)"
    ))
}

pub(super) fn distinct(call: &Call<'_>) -> Result<String, String> {
    let item = item_of(call, 0)?;
    comparable(&[item.clone(), item])?;
    Ok(format!("array_distinct({})", call.sql(0)?))
}

pub(super) fn extreme(call: &Call<'_>) -> Result<String, String> {
    let item = item_of(call, 0)?;
    comparable(&[item.clone(), item.clone()])?;
    if item.is_floating() {
        return Err(format!("{} of floating-point numbers treats NaN otherwise in Spark", call.name));
    }
    Ok(format!("{}({})", call.name, call.sql(0)?))
}

pub(super) fn join(call: &Call<'_>) -> Result<String, String> {
    call.at_most(3)?;
    let item = item_of(call, 0)?;
    let array = match is_text(&item) {
        true => call.sql(0)?,
        false => {
            let texts = DataType::List(std::sync::Arc::new(arrow_schema::Field::new(
                "item",
                DataType::Utf8View,
                true,
            )));
            casts::write(&call.sql(0)?, &call.kind(0)?, &texts, OnFailure::Fail)?
        }
    };
    let mut arguments = vec![array];
    for index in 1..call.args.len() {
        arguments.push(call.sql(index)?);
    }
    Ok(format!("array_join({})", arguments.join(", ")))
}

pub(super) fn cardinality(call: &Call<'_>) -> Result<String, String> {
    let kind = call.kind(0)?;
    if is_list(&kind) && is_list(&item_of(call, 0)?) {
        return Err(
            "cardinality of an array of arrays counts the items within in DataFusion, and not in Spark"
                .to_owned(),
        );
    }
    Ok(format!("cast(cardinality({}) as {})", call.sql(0)?, value_type(&call.result)?))
}

/// Arrays that are null are left out.
pub(super) fn flatten(call: &Call<'_>) -> Result<String, String> {
    if !is_list(&item_of(call, 0)?) {
        return Err("flatten of an array that holds no arrays is an error in Spark".to_owned());
    }
    Ok(format!("flatten(filter({}, x -> x is not null))", call.sql(0)?))
}

/// Hivecast puts a map's entries into the order of their keys as it reads them.
pub(super) fn map_keys(call: &Call<'_>) -> Result<String, String> {
    Ok(format!("sort_array(map_keys({}))", call.sql(0)?))
}

pub(super) fn map_values(call: &Call<'_>) -> Result<String, String> {
    let item = super::types::item_type(&call.result).cloned().unwrap_or(DataType::Null);
    if let DataType::Map(..) = item {
        return Err("map_values of maps can't be put into the order of their keys in Spark".to_owned());
    }
    Ok(format!("map_values(map_from_entries(sort_array(map_entries({}))))", call.sql(0)?))
}
