//! From DataFusion's typed expressions to Spark's text.
//!
//! What is written has in Spark the type that the expression has in DataFusion: so each part can be written
//! without regard to what stands around it.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::expr::{Between, Case, InList, ScalarFunction};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{BinaryExpr, ColumnarValue, Expr, ExprSchemable, Like, Operator};
use datafusion::physical_expr::create_physical_expr;

use super::casts::{self, OnFailure};
use super::functions::{self, Call};
use super::types::{is_plain, is_text, is_utc, named, value_type};
use super::{literals, patterns, text};

/// How a column is called in the text.
pub(super) type ColumnName<'a> = dyn Fn(&Column) -> Result<String, String> + 'a;

/// Writes expressions over columns of a schema.
pub(super) struct Printer<'a> {
    pub(super) schema: &'a DFSchema,
    pub(super) name: &'a ColumnName<'a>,
}

impl Printer<'_> {
    pub(super) fn print(&self, expression: &Expr) -> Result<String, String> {
        if let Some(value) = self.constant(expression)
            && let Ok(written) = literals::write(&value)
        {
            return Ok(written);
        }
        Ok(match expression {
            Expr::Alias(alias) => self.print(&alias.expr)?,
            Expr::Column(column) => (self.name)(column)?,
            Expr::Literal(value, _) => literals::write(value)?,
            Expr::BinaryExpr(binary) => self.binary(expression, binary)?,
            Expr::Like(like) => self.like(like)?,
            Expr::Not(inner) => format!("(not {})", self.print(inner)?),
            Expr::IsNull(inner) | Expr::IsUnknown(inner) => format!("({} is null)", self.print(inner)?),
            Expr::IsNotNull(inner) | Expr::IsNotUnknown(inner) => {
                format!("({} is not null)", self.print(inner)?)
            }
            Expr::IsTrue(inner) => format!("({} <=> true)", self.print(inner)?),
            Expr::IsFalse(inner) => format!("({} <=> false)", self.print(inner)?),
            Expr::IsNotTrue(inner) => format!("(not ({} <=> true))", self.print(inner)?),
            Expr::IsNotFalse(inner) => format!("(not ({} <=> false))", self.print(inner)?),
            Expr::Negative(inner) => self.negative(inner)?,
            Expr::Between(between) => self.between(between)?,
            Expr::Case(case) => self.case(case)?,
            Expr::Cast(cast) => self.cast(&cast.expr, cast.field.data_type(), OnFailure::Fail)?,
            Expr::TryCast(cast) => self.cast(&cast.expr, cast.field.data_type(), OnFailure::Null)?,
            Expr::InList(list) => self.in_list(list)?,
            Expr::ScalarFunction(call) => self.call(expression, call)?,
            other => return Err(format!("`{other}` is not written for Spark")),
        })
    }

    /// The value of what reads no column. DataFusion computes it: Sail would compute all ways of a `case` that
    /// has constants, also those that fail.
    fn constant(&self, expression: &Expr) -> Option<ScalarValue> {
        if matches!(expression, Expr::Literal(..) | Expr::Column(_) | Expr::Alias(_))
            || expression.any_column_refs()
        {
            return None;
        }
        let physical = create_physical_expr(
            expression,
            &DFSchema::empty(),
            &ExecutionProps::new(),
            &PhysicalPlanningContext::default(),
        )
        .ok()?;
        let row = RecordBatchOptions::new().with_row_count(Some(1));
        let row = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &row).ok()?;
        let value = match physical.evaluate(&row).ok()? {
            ColumnarValue::Scalar(value) => value,
            ColumnarValue::Array(array) => ScalarValue::try_from_array(&array, 0).ok()?,
        };
        (value.data_type() == self.type_of(expression).ok()?).then_some(value)
    }

    pub(super) fn type_of(&self, expression: &Expr) -> Result<DataType, String> {
        expression.get_type(self.schema).map_err(|error| error.to_string())
    }

    /// Fails for what the two compare by rules of their own.
    pub(super) fn comparable(&self, left: &Expr, right: &Expr) -> Result<(), String> {
        let kinds = [self.type_of(left)?, self.type_of(right)?];
        comparable(&kinds)?;
        match kinds[0].is_floating() && (self.may_make_nan(left) || self.may_make_nan(right)) {
            true => Err("what is computed of doubles may be NaN, which is less than all numbers here, and more in Spark: \
                 cast it to a decimal, or compute it in a table's `sql:`"
                .to_owned()),
            false => Ok(()),
        }
    }

    /// Whether NaN may come of numbers that are none (0/0): its sign, by which it is compared, is then negative.
    fn may_make_nan(&self, expression: &Expr) -> bool {
        let makes_nan = |part: &Expr| {
            let Expr::BinaryExpr(binary) = part else { return Ok(false) };
            let is_arithmetic = matches!(
                binary.op,
                Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide | Operator::Modulo
            );
            let is_double = part.get_type(self.schema).is_ok_and(|kind| kind.is_floating());
            let by_number =
                is_nonzero(&binary.right) || is_nonzero(&binary.left) && binary.op != Operator::Modulo;
            Ok(is_arithmetic && is_double && !by_number)
        };
        expression.exists(makes_nan).unwrap_or(true)
    }

    fn call(&self, whole: &Expr, call: &ScalarFunction) -> Result<String, String> {
        let result = self.type_of(whole)?;
        functions::write(&Call { printer: self, name: call.name(), args: &call.args, result })
    }

    fn binary(&self, whole: &Expr, binary: &BinaryExpr) -> Result<String, String> {
        let kinds = [self.type_of(&binary.left)?, self.type_of(&binary.right)?];
        if (binary.op == Operator::Plus || binary.op == Operator::Minus)
            && let Some(written) = self.of_times(binary, &kinds)?
        {
            return Ok(written);
        }
        let (left, right) = (self.print(&binary.left)?, self.print(&binary.right)?);
        let word = match binary.op {
            Operator::And => "and",
            Operator::Or => "or",
            Operator::StringConcat if kinds.iter().all(|kind| is_text(kind) || *kind == DataType::Null) => {
                "||"
            }
            Operator::IsDistinctFrom | Operator::IsNotDistinctFrom => {
                self.comparable(&binary.left, &binary.right)?;
                let same = format!("({left} <=> {right})");
                return Ok(if binary.op == Operator::IsDistinctFrom {
                    format!("(not {same})")
                } else {
                    same
                });
            }
            Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq => {
                self.comparable(&binary.left, &binary.right)?;
                return Ok(format!("({left} {} {right})", binary.op.to_string().replace("!=", "<>")));
            }
            Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide | Operator::Modulo => {
                let result = self.type_of(whole)?;
                return arithmetic(binary.op, [&left, &right], &kinds, &result, &binary.right);
            }
            Operator::BitwiseAnd | Operator::BitwiseOr | Operator::BitwiseXor
                if kinds[0] == kinds[1] && kinds[0].is_signed_integer() =>
            {
                return Ok(format!(
                    "({left} {} {right})",
                    if binary.op == Operator::BitwiseXor { "^".to_owned() } else { binary.op.to_string() }
                ));
            }
            other => {
                let [a, b] = kinds.each_ref().map(named);
                return Err(format!("{a} {other} {b} is not known to give the same in Spark"));
            }
        };
        Ok(format!("({left} {word} {right})"))
    }

    /// Times with intervals and days, and differences of dates.
    fn of_times(&self, binary: &BinaryExpr, kinds: &[DataType; 2]) -> Result<Option<String>, String> {
        let minus = binary.op == Operator::Minus;
        let (time, other) = match kinds {
            [DataType::Date32 | DataType::Timestamp(..), _] => (&binary.left, &binary.right),
            [_, DataType::Date32 | DataType::Timestamp(..)] if !minus => (&binary.right, &binary.left),
            [DataType::Interval(_) | DataType::Duration(_), _]
            | [_, DataType::Interval(_) | DataType::Duration(_)] => {
                return Err("intervals are only added to dates and timestamps in Spark".to_owned());
            }
            _ => return Ok(None),
        };
        let (kind, other_kind) = (self.type_of(time)?, self.type_of(other)?);
        let written = self.print(time)?;
        if kind == DataType::Date32 && other_kind == DataType::Date32 {
            return Ok(Some(format!("cast(datediff({written}, {}) as bigint)", self.print(other)?)));
        }
        if kinds.iter().all(|kind| matches!(kind, DataType::Timestamp(..))) {
            return Err("an interval between timestamps is not written for Spark".to_owned());
        }
        if kind == DataType::Date32
            && let Some(days) = days_of(other)
        {
            let function = if minus { "date_sub" } else { "date_add" };
            return Ok(Some(format!("{function}({written}, cast({} as int))", self.print(days)?)));
        }
        let Some(interval) = interval_of(other) else {
            return Err(format!(
                "{} {} {} is not known to give the same in Spark",
                named(&kinds[0]),
                binary.op,
                named(&kinds[1])
            ));
        };
        let sign = if minus { -1 } else { 1 };
        match kind {
            DataType::Date32 => date_plus(&written, interval, sign).map(Some),
            DataType::Timestamp(_, zone) if is_utc(zone.as_deref()) => {
                timestamp_plus(&written, interval, sign).map(Some)
            }
            _ => Err("a time of a time zone follows its clock in DataFusion, and not in Spark".to_owned()),
        }
    }

    fn negative(&self, inner: &Expr) -> Result<String, String> {
        let kind = self.type_of(inner)?;
        let is_signed =
            kind.is_signed_integer() || kind.is_floating() || matches!(kind, DataType::Decimal128(..));
        match is_signed {
            true => Ok(format!("(- {})", self.print(inner)?)),
            false => Err(format!("- of {} is not known to give the same in Spark", named(&kind))),
        }
    }

    fn like(&self, like: &Like) -> Result<String, String> {
        if like.escape_char.is_some_and(|escape| escape != '\\') {
            return Err("LIKE with an escape of its own is not written for Spark".to_owned());
        }
        let Some(pattern) = literal_text(&like.pattern) else {
            return match like.case_insensitive {
                true => {
                    Err("ILIKE with a pattern that is no literal folds letters otherwise in Spark".to_owned())
                }
                false => {
                    Err("LIKE with a pattern that is no literal treats backslashes otherwise in Spark"
                        .to_owned())
                }
            };
        };
        let value = self.print(&like.expr)?;
        let not = if like.negated { "not " } else { "" };
        if like.case_insensitive {
            let regex = patterns::of_ilike(pattern)?;
            return Ok(format!("({not}({value} rlike {}))", text(&regex)));
        }
        Ok(format!("({value} {not}like {})", text(&patterns::of_like(pattern)?)))
    }

    fn between(&self, between: &Between) -> Result<String, String> {
        self.comparable(&between.expr, &between.low)?;
        self.comparable(&between.expr, &between.high)?;
        let not = if between.negated { "not " } else { "" };
        let (low, high) = (self.print(&between.low)?, self.print(&between.high)?);
        Ok(format!("({} {not}between {low} and {high})", self.print(&between.expr)?))
    }

    fn case(&self, case: &Case) -> Result<String, String> {
        let mut written = "(case".to_owned();
        if let Some(operand) = &case.expr {
            let kind = self.type_of(operand)?;
            for (when, _) in &case.when_then_expr {
                self.comparable(operand, when)?;
                no_zero(&kind, when)?;
            }
            written.push_str(&format!(" {}", self.print(operand)?));
        }
        for (when, then) in &case.when_then_expr {
            written.push_str(&format!(" when {} then {}", self.print(when)?, self.print(then)?));
        }
        if let Some(otherwise) = &case.else_expr {
            written.push_str(&format!(" else {}", self.print(otherwise)?));
        }
        written.push_str(" end)");
        Ok(written)
    }

    fn cast(&self, inner: &Expr, to: &DataType, on_failure: OnFailure) -> Result<String, String> {
        casts::write(&self.print(inner)?, &self.type_of(inner)?, to, on_failure)
    }

    fn in_list(&self, list: &InList) -> Result<String, String> {
        let kind = self.type_of(&list.expr)?;
        for value in &list.list {
            self.comparable(&list.expr, value)?;
            no_zero(&kind, value)?;
        }
        let not = if list.negated { "not " } else { "" };
        let values = list.list.iter().map(|value| self.print(value)).collect::<Result<Vec<_>, _>>()?;
        Ok(format!("({} {not}in ({}))", self.print(&list.expr)?, values.join(", ")))
    }
}

/// Numbers that are cast as numbers of that type, as which DataFusion runs them: the type of some functions
/// hangs on a literal.
pub(super) fn with_plain_literals(expression: &Expr) -> Result<Expr, String> {
    let plain = |part: Expr| {
        let literal = match &part {
            Expr::Cast(cast) if cast.field.data_type().is_numeric() => match cast.expr.as_ref() {
                Expr::Literal(value, _) if value.data_type().is_numeric() => {
                    value.cast_to(cast.field.data_type()).ok()
                }
                _ => None,
            },
            _ => None,
        };
        Ok(literal
            .map_or_else(|| Transformed::no(part), |value| Transformed::yes(Expr::Literal(value, None))))
    };
    expression.clone().transform_up(plain).map(|made| made.data).map_err(|error| error.to_string())
}

/// Fails for what the two tell apart by rules of their own.
pub(super) fn comparable(kinds: &[DataType; 2]) -> Result<(), String> {
    match kinds.iter().all(is_plain) {
        true => Ok(()),
        false => {
            let [a, b] = kinds.each_ref().map(named);
            Err(format!("{a} and {b} are compared otherwise in Spark"))
        }
    }
}

/// Fails where a double may be 0: whether `-0.0` is the same is answered otherwise in Spark, but by `=` and
/// its like.
pub(super) fn no_zero(kind: &DataType, value: &Expr) -> Result<(), String> {
    match kind.is_floating() && !is_nonzero(value) && !is_null_literal(value) {
        true => {
            Err("-0.0 and 0.0 are told apart here, and not in Spark: compare with `=`, `<` or `>`".to_owned())
        }
        false => Ok(()),
    }
}

fn arithmetic(
    operator: Operator,
    [left, right]: [&str; 2],
    kinds: &[DataType; 2],
    result: &DataType,
    divisor: &Expr,
) -> Result<String, String> {
    let refuse = |why: &str| {
        let [a, b] = kinds.each_ref().map(named);
        Err(format!("{a} {operator} {b} {why}"))
    };
    if kinds[0].is_unsigned_integer() || kinds[1].is_unsigned_integer() {
        return refuse("is not known to give the same in Spark: cast it to bigint first");
    }
    let plain = || Ok(format!("({left} {operator} {right})"));
    match (&kinds[0], operator) {
        (DataType::Decimal128(..), Operator::Divide) => {
            refuse("is cut in DataFusion and rounded in Spark: cast one side to double")
        }
        (DataType::Decimal128(..), _) if kinds[1].is_decimal() => match spark_decimal(operator, kinds) {
            Some(theirs) if theirs == *result => plain(),
            // What is left of a division is exact, whatever its type.
            Some(_) if operator == Operator::Modulo => {
                Ok(format!("cast(({left} % {right}) as {})", value_type(result)?))
            }
            _ => refuse("has fewer decimal places in Spark: cast to decimals of fewer digits first"),
        },
        (kind, Operator::Divide) if kind.is_signed_integer() && kinds[0] == kinds[1] => {
            // Spark's `/` of integers is a fraction, and `div` a bigint.
            Ok(format!("cast(({left} div {right}) as {})", value_type(result)?))
        }
        (kind, Operator::Divide | Operator::Modulo) if kind.is_floating() && kinds[0] == kinds[1] => {
            match is_nonzero(divisor) {
                true if *kind == DataType::Float32 && operator == Operator::Divide => {
                    // Spark divides as doubles; rounding twice gives the same quotient.
                    Ok(format!("cast((cast({left} as double) / cast({right} as double)) as float)"))
                }
                true => plain(),
                false if operator == Operator::Divide && *kind == DataType::Float64 => {
                    Ok(divided(left, right))
                }
                false => refuse("is an error in Spark where the divisor is 0: divide by a literal"),
            }
        }
        (kind, _) if kinds[0] == kinds[1] && (kind.is_signed_integer() || kind.is_floating()) => plain(),
        _ => refuse("is not known to give the same in Spark"),
    }
}

/// A division that gives infinity or NaN for 0, as IEEE 754 has it, where Spark fails.
fn divided(left: &str, right: &str) -> String {
    let infinite =
        "when cast({} as string) = '-0.0' then cast('-Infinity' as double) else cast('Infinity' as double)";
    let infinite = infinite.replace("{}", right);
    format!(
        "(case when {right} = cast('0' as double) then {left} * (case {infinite} end) else {left} / {right} end)"
    )
}

/// Whether it is a literal number other than 0, also where it is cast.
fn is_nonzero(expression: &Expr) -> bool {
    match expression {
        Expr::Literal(value, _) if value.data_type().is_numeric() => {
            matches!(value.cast_to(&DataType::Float64), Ok(ScalarValue::Float64(Some(number))) if number != 0.0)
        }
        Expr::Cast(cast) if cast.field.data_type().is_floating() => is_nonzero(&cast.expr),
        Expr::Negative(inner) => is_nonzero(inner),
        Expr::Alias(alias) => is_nonzero(&alias.expr),
        _ => false,
    }
}

/// The type that Spark gives the result of decimals, which has at most 38 digits and gives up decimal places
/// for the digits before the point.
fn spark_decimal(operator: Operator, kinds: &[DataType; 2]) -> Option<DataType> {
    let [DataType::Decimal128(p1, s1), DataType::Decimal128(p2, s2)] = kinds else { return None };
    let [p1, s1, p2, s2] = [i32::from(*p1), i32::from(*s1), i32::from(*p2), i32::from(*s2)];
    let (precision, scale) = match operator {
        Operator::Plus | Operator::Minus => ((p1 - s1).max(p2 - s2) + s1.max(s2) + 1, s1.max(s2)),
        Operator::Multiply => (p1 + p2 + 1, s1 + s2),
        Operator::Modulo => ((p1 - s1).min(p2 - s2) + s1.max(s2), s1.max(s2)),
        _ => return None,
    };
    let (precision, scale) = match precision > 38 {
        false => (precision, scale),
        true => (38, (38 - (precision - scale)).max(scale.min(6))),
    };
    Some(DataType::Decimal128(u8::try_from(precision).ok()?, i8::try_from(scale).ok()?))
}

/// Months, days, nanoseconds.
type Interval = (i64, i64, i64);

fn interval_of(expression: &Expr) -> Option<Interval> {
    match expression {
        Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(value)), _) => {
            Some((value.months.into(), value.days.into(), value.nanoseconds))
        }
        Expr::Literal(ScalarValue::IntervalYearMonth(Some(months)), _) => Some(((*months).into(), 0, 0)),
        Expr::Literal(ScalarValue::IntervalDayTime(Some(value)), _) => {
            Some((0, value.days.into(), i64::from(value.milliseconds) * 1_000_000))
        }
        Expr::Cast(cast) if matches!(cast.field.data_type(), DataType::Interval(_)) => {
            interval_of(&cast.expr)
        }
        Expr::Negative(inner) => interval_of(inner).map(|(months, days, nanos)| (-months, -days, -nanos)),
        Expr::Alias(alias) => interval_of(&alias.expr),
        _ => None,
    }
}

/// A number of days, of which DataFusion makes seconds, and an interval of these.
fn days_of(expression: &Expr) -> Option<&Expr> {
    let Expr::Cast(interval) = expression else { return None };
    let Expr::Cast(duration) = interval.expr.as_ref() else { return None };
    let is_duration = matches!(duration.field.data_type(), DataType::Duration(_));
    match duration.expr.as_ref() {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Multiply, right })
            if is_duration && literal_integer(right) == Some(SECONDS_OF_DAY) =>
        {
            Some(left)
        }
        _ => None,
    }
}

const SECONDS_OF_DAY: i64 = 86_400;

fn date_plus(date: &str, (months, days, nanos): Interval, sign: i64) -> Result<String, String> {
    if nanos != 0 {
        return Err(
            "a date and hours are a timestamp in Spark: cast the date to a timestamp first".to_owned()
        );
    }
    let mut written = date.to_owned();
    if months != 0 {
        written = format!("add_months({written}, {})", months * sign);
    }
    if days != 0 {
        written = format!("date_add({written}, {})", days * sign);
    }
    Ok(written)
}

fn timestamp_plus(time: &str, (months, days, nanos): Interval, sign: i64) -> Result<String, String> {
    if nanos % 1_000 != 0 {
        return Err("an interval with parts of a microsecond is cut in Spark".to_owned());
    }
    let mut written = time.to_owned();
    let mut add = |amount: i64, unit: &str, digits: String| {
        if amount != 0 {
            let operator = if amount * sign < 0 { '-' } else { '+' };
            written = format!("({written} {operator} interval '{digits}' {unit})");
        }
    };
    add(months, "month", months.abs().to_string());
    add(days, "day", days.abs().to_string());
    let micros = nanos / 1_000;
    let (seconds, rest) = (micros.abs() / 1_000_000, micros.abs() % 1_000_000);
    add(micros, "second", format!("{seconds}.{rest:06}"));
    Ok(written)
}

/// A literal text, also where it is cast between layouts of text.
pub(super) fn literal_text(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Literal(
            ScalarValue::Utf8(Some(text))
            | ScalarValue::LargeUtf8(Some(text))
            | ScalarValue::Utf8View(Some(text)),
            _,
        ) => Some(text),
        Expr::Cast(cast) if is_text(cast.field.data_type()) => literal_text(&cast.expr),
        Expr::Alias(alias) => literal_text(&alias.expr),
        _ => None,
    }
}

/// A literal integer, also where it is cast to a wider one or negated.
pub(crate) fn literal_integer(expression: &Expr) -> Option<i64> {
    match expression {
        Expr::Literal(value, _) if value.data_type().is_integer() => match value.cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(value)) => value,
            _ => None,
        },
        Expr::Cast(cast) if cast.field.data_type().is_integer() => literal_integer(&cast.expr),
        Expr::Negative(inner) => literal_integer(inner).and_then(i64::checked_neg),
        Expr::Alias(alias) => literal_integer(&alias.expr),
        _ => None,
    }
}

/// Whether an expression is a literal null.
pub(super) fn is_null_literal(expression: &Expr) -> bool {
    match expression {
        Expr::Literal(value, _) => value.is_null(),
        Expr::Cast(cast) => is_null_literal(&cast.expr),
        Expr::Alias(alias) => is_null_literal(&alias.expr),
        _ => false,
    }
}
