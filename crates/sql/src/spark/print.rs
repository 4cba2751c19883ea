//! From DataFusion's typed expressions to Spark's text.

use arrow_schema::{DataType, SchemaRef};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::expr::{Between, Case, InList};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Like, Operator};

use super::{casts, functions, quoted, sql_type, text};

/// The expression over columns of this schema.
pub(super) fn print(expression: &Expr, columns: &SchemaRef) -> Result<String, String> {
    let schema = DFSchema::try_from(std::sync::Arc::clone(columns)).map_err(|error| error.to_string())?;
    Printer { schema: &schema }.print(expression)
}

struct Printer<'a> {
    schema: &'a DFSchema,
}

impl Printer<'_> {
    fn print(&self, expression: &Expr) -> Result<String, String> {
        Ok(match expression {
            Expr::Alias(alias) => self.print(&alias.expr)?,
            Expr::Column(column) => quoted(&column.name),
            Expr::Literal(value, _) => literal(value)?,
            Expr::BinaryExpr(binary) => self.binary(binary)?,
            Expr::Like(like) => self.like(like)?,
            Expr::Not(inner) => format!("(not {})", self.print(inner)?),
            Expr::IsNull(inner) => format!("({} is null)", self.print(inner)?),
            Expr::IsNotNull(inner) => format!("({} is not null)", self.print(inner)?),
            Expr::IsTrue(inner) => format!("({} <=> true)", self.print(inner)?),
            Expr::IsFalse(inner) => format!("({} <=> false)", self.print(inner)?),
            Expr::IsUnknown(inner) => format!("({} is null)", self.print(inner)?),
            Expr::IsNotTrue(inner) => format!("(not ({} <=> true))", self.print(inner)?),
            Expr::IsNotFalse(inner) => format!("(not ({} <=> false))", self.print(inner)?),
            Expr::IsNotUnknown(inner) => format!("({} is not null)", self.print(inner)?),
            Expr::Negative(inner) => format!("(- {})", self.print(inner)?),
            Expr::Between(between) => self.between(between)?,
            Expr::Case(case) => self.case(case)?,
            Expr::Cast(cast) => self.cast(&cast.expr, cast.field.data_type(), "cast")?,
            Expr::TryCast(cast) => self.cast(&cast.expr, cast.field.data_type(), "try_cast")?,
            Expr::InList(list) => self.in_list(list)?,
            Expr::ScalarFunction(call) => {
                let types = call.args.iter().map(|argument| self.type_of(argument)).collect::<Result<Vec<_>, _>>()?;
                let arguments = call.args.iter().map(|argument| self.print(argument)).collect::<Result<Vec<_>, _>>()?;
                functions::call(call.name(), &arguments, &types)?
            }
            other => return Err(format!("`{other}` is not written for Spark")),
        })
    }

    fn type_of(&self, expression: &Expr) -> Result<DataType, String> {
        expression.get_type(self.schema).map_err(|error| error.to_string())
    }

    fn binary(&self, binary: &BinaryExpr) -> Result<String, String> {
        let (left, right) = (self.print(&binary.left)?, self.print(&binary.right)?);
        let kind = self.type_of(&binary.left)?;
        let operator = match binary.op {
            Operator::And => "and",
            Operator::Or => "or",
            Operator::Eq => "=",
            Operator::NotEq => "<>",
            Operator::Lt => "<",
            Operator::LtEq => "<=",
            Operator::Gt => ">",
            Operator::GtEq => ">=",
            Operator::Plus => "+",
            Operator::Minus => "-",
            Operator::Multiply => "*",
            // Spark's `/` of integers is a fraction.
            Operator::Divide if kind.is_integer() => "div",
            Operator::Divide if kind.is_floating() => "/",
            Operator::Modulo if kind.is_integer() => "%",
            Operator::StringConcat => "||",
            Operator::IsDistinctFrom => return Ok(format!("(not ({left} <=> {right}))")),
            Operator::IsNotDistinctFrom => "<=>",
            other => return Err(format!("operator `{other}` of {kind} is not known to give the same in Spark")),
        };
        Ok(format!("({left} {operator} {right})"))
    }

    fn like(&self, like: &Like) -> Result<String, String> {
        let not = if like.negated { "not " } else { "" };
        let word = if like.case_insensitive { "ilike" } else { "like" };
        let escape = match like.escape_char {
            Some(escape) => format!(" escape {}", text(&escape.to_string())),
            None => String::new(),
        };
        Ok(format!("({} {not}{word} {}{escape})", self.print(&like.expr)?, self.print(&like.pattern)?))
    }

    fn between(&self, between: &Between) -> Result<String, String> {
        let not = if between.negated { "not " } else { "" };
        let (low, high) = (self.print(&between.low)?, self.print(&between.high)?);
        Ok(format!("({} {not}between {low} and {high})", self.print(&between.expr)?))
    }

    fn case(&self, case: &Case) -> Result<String, String> {
        let mut written = "(case".to_owned();
        if let Some(operand) = &case.expr {
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

    fn cast(&self, inner: &Expr, to: &DataType, word: &str) -> Result<String, String> {
        casts::allow(&self.type_of(inner)?, to)?;
        let wanted = sql_type(to).ok_or_else(|| format!("Spark has no type for {to}"))?;
        Ok(format!("{word}({} as {wanted})", self.print(inner)?))
    }

    fn in_list(&self, list: &InList) -> Result<String, String> {
        let not = if list.negated { "not " } else { "" };
        let values = list.list.iter().map(|value| self.print(value)).collect::<Result<Vec<_>, _>>()?;
        Ok(format!("({} {not}in ({}))", self.print(&list.expr)?, values.join(", ")))
    }
}

/// A literal, with its type.
fn literal(value: &ScalarValue) -> Result<String, String> {
    let kind = value.data_type();
    let wanted = sql_type(&kind).ok_or_else(|| format!("Spark has no type for {kind}"))?;
    if value.is_null() {
        return Ok(format!("cast(null as {wanted})"));
    }
    Ok(match value {
        ScalarValue::Boolean(Some(value)) => value.to_string(),
        ScalarValue::Utf8(Some(value)) | ScalarValue::LargeUtf8(Some(value)) | ScalarValue::Utf8View(Some(value)) => {
            text(value)
        }
        other if kind.is_numeric() => format!("cast('{other}' as {wanted})"),
        ScalarValue::Date32(Some(_)) => format!("cast('{value}' as date)"),
        other => return Err(format!("a literal {other} of {kind} is not written for Spark")),
    })
}
