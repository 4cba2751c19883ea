//! From DataFusion's typed expressions to Spark's text.
//!
//! What is written has in Spark the type that the expression has in DataFusion: so each part can be written
//! without regard to what stands around it.

use arrow_schema::DataType;
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::logical_expr::expr::{Between, Case, InList, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Like, Operator};

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
        Ok(match expression {
            Expr::Alias(alias) => self.print(&alias.expr)?,
            Expr::Column(column) => (self.name)(column)?,
            Expr::Literal(value, _) => literals::write(value)?,
            Expr::BinaryExpr(binary) => self.binary(expression, binary)?,
            Expr::Like(like) => self.like(like)?,
            Expr::Not(inner) => format!("(not {})", self.print(inner)?),
            Expr::IsNull(inner) | Expr::IsUnknown(inner) => format!("({} is null)", self.print(inner)?),
            Expr::IsNotNull(inner) | Expr::IsNotUnknown(inner) => format!("({} is not null)", self.print(inner)?),
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

    pub(super) fn type_of(&self, expression: &Expr) -> Result<DataType, String> {
        expression.get_type(self.schema).map_err(|error| error.to_string())
    }

    fn call(&self, whole: &Expr, call: &ScalarFunction) -> Result<String, String> {
        let result = self.type_of(whole)?;
        functions::write(&Call { printer: self, name: call.name(), args: &call.args, result })
    }

    fn binary(&self, whole: &Expr, binary: &BinaryExpr) -> Result<String, String> {
        let kinds = [self.type_of(&binary.left)?, self.type_of(&binary.right)?];
        if binary.op == Operator::Plus || binary.op == Operator::Minus {
            if let Some(written) = self.of_times(binary, &kinds)? {
                return Ok(written);
            }
        }
        let (left, right) = (self.print(&binary.left)?, self.print(&binary.right)?);
        let word = match binary.op {
            Operator::And => "and",
            Operator::Or => "or",
            Operator::StringConcat if kinds.iter().all(|kind| is_text(kind) || *kind == DataType::Null) => "||",
            Operator::IsDistinctFrom | Operator::IsNotDistinctFrom => {
                comparable(&kinds)?;
                let same = format!("({left} <=> {right})");
                return Ok(if binary.op == Operator::IsDistinctFrom { format!("(not {same})") } else { same });
            }
            Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => {
                comparable(&kinds)?;
                return Ok(format!("({left} {} {right})", binary.op.to_string().replace("!=", "<>")));
            }
            Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide | Operator::Modulo => {
                let result = self.type_of(whole)?;
                return arithmetic(binary.op, [&left, &right], &kinds, &result, &binary.right);
            }
            Operator::BitwiseAnd | Operator::BitwiseOr | Operator::BitwiseXor
                if kinds[0] == kinds[1] && kinds[0].is_signed_integer() =>
            {
                return Ok(format!("({left} {} {right})", if binary.op == Operator::BitwiseXor { "^".to_owned() } else { binary.op.to_string() }));
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
            [DataType::Interval(_) | DataType::Duration(_), _] | [_, DataType::Interval(_) | DataType::Duration(_)] => {
                return Err("intervals are only added to dates and timestamps in Spark".to_owned());
            }
            _ => return Ok(None),
        };
        let (kind, other_kind) = (self.type_of(time)?, self.type_of(other)?);
        let written = self.print(time)?;
        if kind == DataType::Date32 && other_kind == DataType::Date32 {
            return Ok(Some(format!("cast(datediff({written}, {}) as bigint)", self.print(other)?)));
        }
        let Some(interval) = interval_of(other) else {
            return Err(format!("{} {} {} is not known to give the same in Spark", named(&kinds[0]), binary.op, named(&kinds[1])));
        };
        let sign = if minus { -1 } else { 1 };
        match kind {
            DataType::Date32 => date_plus(&written, interval, sign).map(Some),
            DataType::Timestamp(_, zone) if is_utc(zone.as_deref()) => timestamp_plus(&written, interval, sign).map(Some),
            _ => Err("a time of a time zone follows its clock in DataFusion, and not in Spark".to_owned()),
        }
    }

    fn negative(&self, inner: &Expr) -> Result<String, String> {
        let kind = self.type_of(inner)?;
        let is_signed = kind.is_signed_integer() || kind.is_floating() || matches!(kind, DataType::Decimal128(..));
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
                true => Err("ILIKE with a pattern that is no literal folds letters otherwise in Spark".to_owned()),
                false => Err("LIKE with a pattern that is no literal treats backslashes otherwise in Spark".to_owned()),
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
        comparable(&[self.type_of(&between.expr)?, self.type_of(&between.low)?])?;
        comparable(&[self.type_of(&between.expr)?, self.type_of(&between.high)?])?;
        let not = if between.negated { "not " } else { "" };
        let (low, high) = (self.print(&between.low)?, self.print(&between.high)?);
        Ok(format!("({} {not}between {low} and {high})", self.print(&between.expr)?))
    }

    fn case(&self, case: &Case) -> Result<String, String> {
        let mut written = "(case".to_owned();
        if let Some(operand) = &case.expr {
            let kind = self.type_of(operand)?;
            for (when, _) in &case.when_then_expr {
                comparable(&[kind.clone(), self.type_of(when)?])?;
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
            comparable(&[kind.clone(), self.type_of(value)?])?;
            no_zero(&kind, value)?;
        }
        let not = if list.negated { "not " } else { "" };
        let values = list.list.iter().map(|value| self.print(value)).collect::<Result<Vec<_>, _>>()?;
        Ok(format!("({} {not}in ({}))", self.print(&list.expr)?, values.join(", ")))
    }
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
    let is_number = match value {
        Expr::Literal(value, _) => is_nonzero(value) || value.is_null(),
        _ => false,
    };
    match kind.is_floating() && !is_number {
        true => Err("-0.0 and 0.0 are told apart here, and not in Spark: compare with `=`, `<` or `>`".to_owned()),
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
            Some(_) if operator == Operator::Modulo => Ok(format!("cast(({left} % {right}) as {})", value_type(result)?)),
            _ => refuse("has fewer decimal places in Spark: cast to decimals of fewer digits first"),
        },
        (kind, Operator::Divide) if kind.is_signed_integer() && kinds[0] == kinds[1] => {
            // Spark's `/` of integers is a fraction, and `div` a bigint.
            Ok(format!("cast(({left} div {right}) as {})", value_type(result)?))
        }
        (kind, Operator::Divide | Operator::Modulo) if kind.is_floating() && kinds[0] == kinds[1] => {
            let is_number = matches!(divisor, Expr::Literal(value, _) if is_nonzero(value));
            match is_number {
                true if *kind == DataType::Float32 && operator == Operator::Divide => {
                    // Spark divides as doubles; rounding twice gives the same quotient.
                    Ok(format!("cast((cast({left} as double) / cast({right} as double)) as float)"))
                }
                true => plain(),
                false if operator == Operator::Divide && *kind == DataType::Float64 => Ok(divided(left, right)),
                false => refuse("is an error in Spark where the divisor is 0: divide by a literal"),
            }
        }
        (kind, _) if kinds[0] == kinds[1] && (kind.is_signed_integer() || kind.is_floating()) => plain(),
        _ => refuse("is not known to give the same in Spark"),
    }
}

/// A division that gives infinity or NaN for 0, as IEEE 754 has it, where Spark fails.
fn divided(left: &str, right: &str) -> String {
    let infinite = "when cast({} as string) = '-0.0' then cast('-Infinity' as double) else cast('Infinity' as double)";
    let infinite = infinite.replace("{}", right);
    format!("(case when {right} = cast('0' as double) then {left} * (case {infinite} end) else {left} / {right} end)")
}

fn is_nonzero(value: &ScalarValue) -> bool {
    match value {
        ScalarValue::Float64(Some(value)) => *value != 0.0,
        ScalarValue::Float32(Some(value)) => *value != 0.0,
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
        // What DataFusion makes of a number of days.
        Expr::Cast(cast) if matches!(cast.field.data_type(), DataType::Interval(_)) => match cast.expr.as_ref() {
            Expr::Literal(ScalarValue::Int64(Some(days)), _) => Some((0, *days, 0)),
            Expr::Literal(ScalarValue::Int32(Some(days)), _) => Some((0, (*days).into(), 0)),
            inner => interval_of(inner),
        },
        Expr::Negative(inner) => interval_of(inner).map(|(months, days, nanos)| (-months, -days, -nanos)),
        Expr::Alias(alias) => interval_of(&alias.expr),
        _ => None,
    }
}

fn date_plus(date: &str, (months, days, nanos): Interval, sign: i64) -> Result<String, String> {
    if nanos != 0 {
        return Err("a date and hours are a timestamp in Spark: cast the date to a timestamp first".to_owned());
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
            ScalarValue::Utf8(Some(text)) | ScalarValue::LargeUtf8(Some(text)) | ScalarValue::Utf8View(Some(text)),
            _,
        ) => Some(text),
        Expr::Cast(cast) if is_text(cast.field.data_type()) => literal_text(&cast.expr),
        Expr::Alias(alias) => literal_text(&alias.expr),
        _ => None,
    }
}

/// A literal integer, also where it is cast to a wider one or negated.
pub(super) fn literal_integer(expression: &Expr) -> Option<i64> {
    match expression {
        Expr::Literal(value, _) if value.data_type().is_integer() => {
            match value.cast_to(&DataType::Int64) {
                Ok(ScalarValue::Int64(value)) => value,
                _ => None,
            }
        }
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
