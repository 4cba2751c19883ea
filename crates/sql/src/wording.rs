//! DataFusion's errors in the words of who writes feeds: Hive's type names, plain sentences, no names
//! of the planner's own.

use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;

/// What DataFusion and Arrow put before a message, and what helps nobody.
const PREFIXES: [&str; 14] = [
    "Error during planning: ",
    "Execution error: ",
    "External error: ",
    "Arrow error: ",
    "Cast error: ",
    "Compute error: ",
    "Parser error: ",
    "Invalid argument error: ",
    "Schema error: ",
    "Internal error: ",
    "Optimizer error: ",
    "Arithmetic overflow: ",
    "This feature is not implemented: ",
    "type_coercion\ncaused by\n",
];

/// Arrow's names of types, and Hive's.
const TYPES: [(&str, &str); 22] = [
    ("LargeUtf8", "string"),
    ("Utf8View", "string"),
    ("Utf8", "string"),
    ("Boolean", "boolean"),
    ("Int8", "tinyint"),
    ("Int16", "smallint"),
    ("Int32", "int"),
    ("Int64", "bigint"),
    ("UInt8", "unsigned 8-bit integer"),
    ("UInt16", "unsigned 16-bit integer"),
    ("UInt32", "unsigned 32-bit integer"),
    ("UInt64", "unsigned 64-bit integer"),
    ("Float16", "float"),
    ("Float32", "float"),
    ("Float64", "double"),
    ("Date32", "date"),
    ("Date64", "date"),
    ("BinaryView", "binary"),
    ("LargeBinary", "binary"),
    ("Binary", "binary"),
    ("Null", "null"),
    ("Interval", "interval"),
];

/// Types that carry arguments: Arrow's name, Hive's, and whether Hive shows the arguments.
const TYPES_WITH_ARGUMENTS: [(&str, &str, Arguments); 6] = [
    ("Timestamp", "timestamp", Arguments::Hidden),
    ("Decimal128", "decimal", Arguments::Shown),
    ("Decimal256", "decimal", Arguments::Shown),
    ("FixedSizeBinary", "binary", Arguments::Hidden),
    ("Interval", "interval", Arguments::Hidden),
    ("Duration", "interval", Arguments::Hidden),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Arguments {
    Shown,
    Hidden,
}

/// One sentence for an error of planning or running.
pub(crate) fn sentence(error: &DataFusionError) -> String {
    match error.find_root() {
        DataFusionError::ArrowError(arrow, _) => arrow_sentence(arrow),
        DataFusionError::External(cause) => match cause.downcast_ref::<ArrowError>() {
            Some(arrow) => arrow_sentence(arrow),
            None => plain(&cause.to_string()),
        },
        other => plain(&other.strip_backtrace()),
    }
}

/// One sentence for an error of a kernel.
pub(crate) fn arrow_sentence(error: &ArrowError) -> String {
    match error {
        ArrowError::DivideByZero => "division by zero".to_owned(),
        other => plain(&other.to_string()),
    }
}

/// A message without prefixes, in a feed's terms.
pub(crate) fn plain(text: &str) -> String {
    let mut text = text.trim();
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)) {
        text = rest.trim_start();
    }
    // The reason stands last; what stands before it is the planner's way there.
    if let Some((_, reason)) = text.split_once("coercion failed with: ") {
        return plain(reason);
    }
    let line = text.lines().next().unwrap_or(text).trim().trim_end_matches('.');
    let line = line.replace("datafusion.public.", "").replace("Divide by zero error", "division by zero");
    known(&line).unwrap_or_else(|| types_named(&line))
}

/// Sentences that are said better than DataFusion says them.
fn known(line: &str) -> Option<String> {
    if line.starts_with("Dot access not supported for non-string expr") {
        return Some("a field of an item is written as `visits[1]['place']`".to_owned());
    }
    if let Some(inner) = between(line, "Cannot coerce arithmetic expression ", " to valid types") {
        return Some(format!("{} can't be computed: the types don't fit, cast one side", types_named(inner)));
    }
    if let Some(inner) = between(line, "Cannot infer common argument type for comparison operation ", "") {
        return Some(format!("{} can't be compared: the types don't fit, cast one side", types_named(inner)));
    }
    if let Some(rest) = line.strip_prefix("There isn't a common type to coerce ") {
        let (types, operator) = rest.split_once(" in ")?;
        let operator = operator.split(' ').next().unwrap_or(operator);
        return Some(format!("{operator} can't be used with {}: cast one side", types_named(types)));
    }
    if let Some(rest) = line.strip_prefix("Cannot cast string ") {
        let (value, rest) = rest.split_once(" to value of ")?;
        let wanted = rest.trim_end_matches(" type");
        return Some(format!("{value} is no {}", types_named(wanted)));
    }
    if let Some(rest) = line.strip_prefix("No function matches the given name and argument types ") {
        let call = rest.trim_start_matches('\'').split('\'').next()?;
        let (name, types) = call.split_once('(')?;
        return Some(format!("function {name} does not take ({}", types_named(types)));
    }
    if let Some(call) = line.strip_prefix("Function '") {
        return known_call(call);
    }
    if let Some(rest) = line.strip_prefix("variable [") {
        let name: String = rest.split('"').skip(1).step_by(2).collect();
        return Some(format!("{name} is a variable, and there are none here: write its value"));
    }
    if line.starts_with("Column in SELECT must be in GROUP BY") {
        let (_, rest) = line.split_once("column \"")?;
        let column = rest.split('"').next()?;
        return Some(format!(
            "column `{column}` must be in `group by`, or in an aggregate such as max({column})"
        ));
    }
    if let Some(name) = line.strip_prefix("Unsupported SQL type ") {
        return Some(format!("there is no type {name} here"));
    }
    None
}

/// What is wrong with a call, from behind `Function '` on.
fn known_call(call: &str) -> Option<String> {
    let (function, wrong) = call.split_once("' ")?;
    if let Some((expected, received)) =
        wrong.strip_prefix("expects ").and_then(|wrong| wrong.split_once(" arguments but received "))
        && [expected, received].iter().all(|count| count.parse::<usize>().is_ok())
    {
        let noun = if expected == "1" { "argument" } else { "arguments" };
        return Some(format!("function {function} takes {expected} {noun}, and is given {received}"));
    }
    if !wrong.starts_with("requires ") && !wrong.starts_with("failed to match any signature") {
        return None;
    }
    // A function may be called in several ways; the line says of each what was wrong. The first that was
    // wrong in a type is told.
    let wanted = wrong.split_once("requires ").and_then(|(_, wanted)| wanted.split_once(", but received "));
    let Some((wanted, rest)) = wanted else {
        return Some(format!(
            "function {function} does not take these arguments: see their number and types"
        ));
    };
    let received = rest.split(" (DataType").next().unwrap_or(rest);
    let [wanted, received] = [wanted, received].map(|name| types_named(name).to_lowercase());
    Some(format!("function {function} takes {wanted} where it is given {received}: cast it"))
}

/// What stands between two texts; up to the end where `after` is empty.
fn between<'t>(line: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let rest = line.strip_prefix(before)?;
    if after.is_empty() { Some(rest) } else { rest.split_once(after).map(|(inner, _)| inner) }
}

/// Arrow's names of types replaced by Hive's, where they stand as words outside of quotes.
fn types_named(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut quoted) = (text, false);
    while let Some(first) = rest.chars().next() {
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        let length = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
        if length == 0 {
            quoted ^= first == '\'';
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (word, after) = rest.split_at(length);
        rest = after;
        if quoted {
            out.push_str(word);
            continue;
        }
        let arguments = after.strip_prefix('(').and_then(|inner| inner.split_once(')'));
        let with_arguments = TYPES_WITH_ARGUMENTS.iter().find(|(arrow, ..)| *arrow == word);
        if let (Some((_, hive, shown)), Some((inner, after))) = (with_arguments, arguments) {
            out.push_str(hive);
            if *shown == Arguments::Shown {
                out.push_str(&format!("({inner})"));
            }
            rest = after;
        } else {
            out.push_str(TYPES.iter().find(|(arrow, _)| *arrow == word).map_or(word, |(_, hive)| hive));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_in_a_feeds_terms() {
        for (theirs, ours) in [
            (
                "Error during planning: Cannot coerce arithmetic expression Utf8View + Int64 to valid types",
                "string + bigint can't be computed: the types don't fit, cast one side",
            ),
            (
                "There isn't a common type to coerce Utf8View and Int64 in LIKE expression",
                "LIKE can't be used with string and bigint: cast one side",
            ),
            (
                "Error during planning: Cannot infer common argument type for comparison operation Timestamp(µs) = Boolean",
                "timestamp = boolean can't be compared: the types don't fit, cast one side",
            ),
            (
                "Arrow error: Cast error: Cannot cast string 'Int32' to value of Int32 type",
                "'Int32' is no int",
            ),
            ("Arrow error: Divide by zero error", "division by zero"),
            (
                "Error during planning: Function 'upper' expects 1 arguments but received 2",
                "function upper takes 1 argument, and is given 2",
            ),
            (
                "Internal error: Function 'substr' failed to match any signature, errors: Error during planning: Function 'substr' requires Int64, but received Decimal(20, 0) (DataType: Decimal128(20, 0)).,Error during planning: Function 'substr' expects 3 arguments but received 2.\nThis issue was likely caused by a bug in DataFusion's code.",
                "function substr takes bigint where it is given decimal(20, 0): cast it",
            ),
            (
                "Error during planning: Function 'repeat' requires Int64, but received String (DataType: Utf8View).",
                "function repeat takes bigint where it is given string: cast it",
            ),
            (
                "Function 'f' failed to match any signature, errors: Error during planning: Function 'f' expects 1 arguments but received 2,Error during planning: Function 'f' expects 3 arguments but received 2",
                "function f does not take these arguments: see their number and types",
            ),
            (
                "Error during planning: variable [\"@x\"] has no type information",
                "@x is a variable, and there are none here: write its value",
            ),
            ("This feature is not implemented: Unsupported SQL type BLOB", "there is no type BLOB here"),
            (
                "Execution error: Function 'coalesce' user-defined coercion failed with: Execution error: coalesce must have at least one argument",
                "coalesce must have at least one argument",
            ),
            (
                "Error during planning: No function matches the given name and argument types 'upper(Int64, Decimal128(10, 2))'. You might need to add explicit type casts.\n\tCandidate functions:",
                "function upper does not take (bigint, decimal(10, 2))",
            ),
            ("Error during planning: table 'datafusion.public.partie' not found", "table 'partie' not found"),
        ] {
            assert_eq!(plain(theirs), ours);
        }
    }
}
