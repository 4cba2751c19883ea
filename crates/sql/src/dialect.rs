//! The SQL that DataFusion and Spark share: what a feed may use.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};
use datafusion::prelude::SessionContext;
use hivecast_feed::{BindError, nearest};

use super::bind_error;
use crate::spark::literal_integer;

/// Scalar functions with the same name, arguments and meaning in DataFusion and in Spark SQL,
/// sorted.
const SHARED_FUNCTIONS: &[&str] = &[
    "abs",
    "acos",
    "array_contains",
    "array_distinct",
    // What `tags[1]` becomes, which counts from 1.
    "array_element",
    "array_join",
    "array_max",
    "array_min",
    "ascii",
    "asin",
    "atan",
    "atan2",
    "bit_length",
    "btrim",
    "cardinality",
    "cbrt",
    "ceil",
    "char_length",
    "character_length",
    "chr",
    "coalesce",
    "concat",
    "concat_ws",
    "cos",
    "cosh",
    "cot",
    "date_part",
    "date_trunc",
    "degrees",
    "exp",
    "factorial",
    "find_in_set",
    "flatten",
    "floor",
    "gcd",
    "get_field",
    "greatest",
    "initcap",
    "isnan",
    "lcm",
    "least",
    "left",
    "length",
    "levenshtein",
    "ln",
    "log10",
    "log2",
    "lower",
    "lpad",
    "ltrim",
    "make_date",
    "map_keys",
    "map_values",
    "md5",
    "named_struct",
    "nullif",
    "nvl",
    "nvl2",
    "octet_length",
    "pi",
    "position",
    "pow",
    "power",
    "radians",
    "regexp_count",
    "regexp_like",
    "regexp_replace",
    "repeat",
    "replace",
    "reverse",
    "right",
    "round",
    "rpad",
    "rtrim",
    "sha224",
    "sha256",
    "sha384",
    "sha512",
    "signum",
    "sin",
    "sinh",
    "split_part",
    "sqrt",
    "strpos",
    "substr",
    "substring",
    "substring_index",
    "tan",
    "tanh",
    "to_date",
    "to_timestamp",
    "translate",
    "trim",
    "upper",
];

/// Functions, by their first names, that an array may be given to. Others make text of it as it is shown
/// (`[a, b]`), which nobody wants, and Spark has other values.
const TAKE_ARRAYS: [&str; 16] = [
    "array_distinct",
    "array_element",
    "array_has",
    "array_max",
    "array_min",
    "array_to_string",
    "cardinality",
    "coalesce",
    "flatten",
    "greatest",
    "least",
    "named_struct",
    "nullif",
    "nvl",
    "nvl2",
    "get_field",
];

/// The aggregate functions that queries use most.
const AGGREGATES: [&str; 5] = ["avg", "count", "max", "min", "sum"];

/// Functions that give another value each time: an edition must not depend on when it is built.
const VOLATILE_ADVICE: &str =
    "an edition must be the same whenever it is built; use load_date or a column instead";

/// The scalar functions that a feed may use, sorted.
pub fn shared_functions() -> &'static [&'static str] {
    SHARED_FUNCTIONS
}

/// Refuses what a feed's expression may not hold.
pub(super) fn allow_expression(expression: &Expr, columns: &DFSchema) -> Result<(), BindError> {
    walk(expression, &|node| match node {
        Expr::AggregateFunction(_) | Expr::WindowFunction(_) => {
            Err(refuse("an expression sees one row; aggregate in a table's `sql:` instead"))
        }
        Expr::Exists(_) | Expr::InSubquery(_) | Expr::ScalarSubquery(_) | Expr::SetComparison(_) => {
            Err(refuse("an expression sees one row; put the subquery into a table's `sql:` instead"))
        }
        Expr::Placeholder(_) | Expr::ScalarVariable(..) => {
            Err(refuse("there are no parameters or variables here"))
        }
        other => allow_function(other, columns),
    })
}

/// Refuses what a feed's query may not hold.
pub(super) fn allow_plan(plan: &LogicalPlan) -> Result<(), BindError> {
    let mut problem = None;
    let walked = plan.apply_with_subqueries(|node| {
        if matches!(
            node,
            LogicalPlan::Ddl(_) | LogicalPlan::Dml(_) | LogicalPlan::Copy(_) | LogicalPlan::Statement(_)
        ) {
            problem = Some(refuse("only a query (select …) may stand here"));
            return Ok(TreeNodeRecursion::Stop);
        }
        let columns = merge_schema(&node.inputs());
        for expression in node.expressions() {
            if let Err(found) = walk(&expression, &|part| allow_function(part, &columns)) {
                problem = Some(found);
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    });
    match (problem, walked) {
        (Some(problem), _) => Err(problem),
        (None, Err(error)) => Err(bind_error("", &error)),
        (None, Ok(_)) => Ok(()),
    }
}

/// The tables that a query names, without those it defines itself (`with`).
pub(super) fn tables_of(context: &SessionContext, query: &str) -> Result<Vec<String>, BindError> {
    let state = context.state();
    let dialect = state.config().options().sql_parser.dialect;
    let statement = state.sql_to_statement(query, &dialect).map_err(|error| bind_error(query, &error))?;
    let references = state.resolve_table_references(&statement).map_err(|error| bind_error(query, &error))?;
    Ok(references.iter().map(|reference| reference.to_string()).collect())
}

fn allow_function(node: &Expr, columns: &DFSchema) -> Result<(), BindError> {
    let Expr::ScalarFunction(call) = node else { return Ok(()) };
    let name = call.name();
    if matches!(
        name,
        "now" | "random" | "uuid" | "current_time" | "current_timestamp" | "current_date" | "today"
    ) {
        return Err(BindError {
            message: format!("{name}() may not be used: {VOLATILE_ADVICE}"),
            at: None,
            suggestion: None,
        });
    }
    // A call is known by its function's first name, and may have been written by another.
    let is_shared = SHARED_FUNCTIONS.contains(&name)
        || call.func.aliases().iter().any(|alias| SHARED_FUNCTIONS.contains(&alias.as_str()));
    if is_shared {
        allow_length(name, &call.args)?;
        return allow_arrays(name, &call.args, columns);
    }
    Err(BindError {
        message: format!(
            "function `{name}` is not one that a feed may use: those mean the same in DataFusion and in Spark"
        ),
        at: None,
        suggestion: nearest_function(name),
    })
}

/// DataFusion asks for as much memory as a negative length wraps to.
fn allow_length(name: &str, arguments: &[Expr]) -> Result<(), BindError> {
    let length = arguments.get(1).and_then(literal_integer);
    match matches!(name, "lpad" | "rpad") && length.is_some_and(|length| length < 0) {
        true => Err(refuse(&format!("function {name} takes a length from 0"))),
        false => Ok(()),
    }
}

fn allow_arrays(name: &str, arguments: &[Expr], columns: &DFSchema) -> Result<(), BindError> {
    let is_array = |argument: &&Expr| {
        let kind = argument.get_type(columns);
        matches!(kind, Ok(DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..)))
    };
    match arguments.iter().find(is_array) {
        Some(array) if !TAKE_ARRAYS.contains(&name) => Err(refuse(&format!(
            "function {name} takes no array, and {array} is one: array_join makes text of an array"
        ))),
        _ => Ok(()),
    }
}

/// The function that was most likely meant.
pub(super) fn nearest_function(name: &str) -> Option<String> {
    nearest(name, SHARED_FUNCTIONS.iter().chain(&AGGREGATES).copied()).map(str::to_owned)
}

fn walk(expression: &Expr, judge: &dyn Fn(&Expr) -> Result<(), BindError>) -> Result<(), BindError> {
    let mut problem = None;
    let walked = expression.apply(|node| match judge(node) {
        Ok(()) => Ok(TreeNodeRecursion::Continue),
        Err(found) => {
            problem = Some(found);
            Ok(TreeNodeRecursion::Stop)
        }
    });
    match (problem, walked) {
        (Some(problem), _) => Err(problem),
        (None, Err(error)) => Err(bind_error("", &error)),
        (None, Ok(_)) => Ok(()),
    }
}

fn refuse(message: &str) -> BindError {
    BindError { message: message.to_owned(), at: None, suggestion: None }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use arrow_schema::{Field, Schema, SchemaRef};
    use hivecast_feed::Binder;

    use super::*;
    use crate::{SqlBinder, session};

    fn columns() -> SchemaRef {
        let tags = DataType::List(Arc::new(Field::new("item", DataType::Utf8View, true)));
        Arc::new(Schema::new(vec![
            Field::new("name", DataType::Utf8View, true),
            Field::new("tags", tags, true),
        ]))
    }

    #[test]
    fn shared_functions_are_sorted_and_single() {
        assert!(SHARED_FUNCTIONS.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn shared_functions_exist() {
        let state = session(1, Arc::default()).state();
        let missing: Vec<_> =
            SHARED_FUNCTIONS.iter().filter(|name| !state.scalar_functions().contains_key(**name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn a_negative_length_is_refused() {
        for call in ["lpad(name, -1)", "rpad(name, -1, 'x')"] {
            let refused = SqlBinder::default().bind(call, &columns()).unwrap_err().message;
            assert_eq!(refused, format!("function {} takes a length from 0", &call[..4]));
        }
        SqlBinder::default().bind("lpad(name, 0)", &columns()).unwrap();
    }

    #[test]
    fn no_function_makes_text_of_an_array() {
        for (call, name) in [
            ("concat(name, tags)", "concat"),
            ("concat_ws(',', tags)", "concat_ws"),
            ("reverse(tags)", "reverse"),
            ("length(tags)", "character_length"),
            ("lpad(tags, 3)", "lpad"),
            ("upper(concat(tags, 'x'))", "concat"),
        ] {
            let refused = SqlBinder::default().bind(call, &columns()).unwrap_err().message;
            assert_eq!(
                refused,
                format!("function {name} takes no array, and tags is one: array_join makes text of an array")
            );
            let tables = BTreeMap::from([("t".to_owned(), columns())]);
            let query = format!("select {call} as x from t");
            let refused = SqlBinder::default().bind_query(&query, &tables).unwrap_err().message;
            assert!(refused.starts_with(&format!("function {name} takes no array, and ")), "{refused}");
        }
        for call in [
            "array_join(tags, ',')",
            "cardinality(tags)",
            "coalesce(tags, tags)",
            "tags[1]",
            "nullif(tags, tags)",
        ] {
            SqlBinder::default().bind(call, &columns()).unwrap();
        }
    }
}
