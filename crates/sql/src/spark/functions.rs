//! How calls of functions are written for Spark.

use arrow_schema::DataType;

/// A call, from its arguments as they are written. The error is the reason why it is refused.
pub(super) fn call(name: &str, arguments: &[String], types: &[DataType]) -> Result<String, String> {
    let _ = types;
    let written = arguments.join(", ");
    match name {
        "coalesce" | "nullif" | "upper" | "lower" | "concat" | "concat_ws" => Ok(format!("{name}({written})")),
        "character_length" | "char_length" | "length" => Ok(format!("length({written})")),
        "nvl" => Ok(format!("coalesce({written})")),
        _ => Err(format!("function `{name}` is not known to give the same in Spark")),
    }
}
