//! A small part of SQL, parsed and evaluated by itself: column names, whole numbers, texts, `true`,
//! `false`, `null`; `=`, `<>`, `<`, `>`, `<=`, `>=`; `is null`, `is not null`; `and`, `or`, `not`;
//! `||`; `upper`, `lower`, `coalesce`; `case when … then … else … end`; `cast(… as string)` and
//! `cast(… as bigint)`. Null is unknown, as in SQL's logic of three values.

use crate::table::{Row, Value};

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// A column.
    Column(String),
    /// A constant.
    Literal(Value),
    /// `is null`
    IsNull(Box<Expression>),
    /// `not`
    Not(Box<Expression>),
    /// `=`, `<` and so on, `and`, `or`, `||`
    Binary(String, Box<Expression>, Box<Expression>),
    /// A function by its name.
    Call(String, Vec<Expression>),
    /// `case`: conditions with their values, and the value when none is true.
    Case(Vec<(Expression, Expression)>, Box<Expression>),
    /// `cast`, to the named type.
    Cast(Box<Expression>, String),
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Number(i64),
    Text(String),
    Symbol(String),
}

impl Expression {
    /// Parses an expression, or says what it does not know.
    pub fn parse(text: &str) -> Result<Expression, String> {
        let mut parser = Parser { tokens: tokens(text)?, at: 0 };
        let expression = parser.or()?;
        match parser.tokens.get(parser.at) {
            None => Ok(expression),
            Some(token) => Err(format!("unexpected {token:?}")),
        }
    }

    /// The value over a row.
    pub fn evaluate(&self, row: &Row) -> Result<Value, String> {
        match self {
            Expression::Column(name) => row.get(name).cloned().ok_or_else(|| format!("no column {name}")),
            Expression::Literal(value) => Ok(value.clone()),
            Expression::IsNull(inner) => Ok(Value::Bool(inner.evaluate(row)? == Value::Null)),
            Expression::Not(inner) => Ok(match truth(inner.evaluate(row)?)? {
                Some(value) => Value::Bool(!value),
                None => Value::Null,
            }),
            Expression::Binary(operator, left, right) => {
                binary(operator, left.evaluate(row)?, right.evaluate(row)?)
            }
            Expression::Call(name, arguments) => call(name, arguments, row),
            Expression::Case(branches, otherwise) => {
                for (condition, value) in branches {
                    if truth(condition.evaluate(row)?)? == Some(true) {
                        return value.evaluate(row);
                    }
                }
                otherwise.evaluate(row)
            }
            Expression::Cast(inner, to) => cast(inner.evaluate(row)?, to),
        }
    }
}

fn truth(value: Value) -> Result<Option<bool>, String> {
    match value {
        Value::Null => Ok(None),
        Value::Bool(value) => Ok(Some(value)),
        other => Err(format!("{other:?} is neither true nor false")),
    }
}

fn binary(operator: &str, left: Value, right: Value) -> Result<Value, String> {
    if operator == "and" || operator == "or" {
        // The value that decides alone: false for `and`, true for `or`.
        let decides = operator == "or";
        let (left, right) = (truth(left)?, truth(right)?);
        return Ok(match (left, right) {
            (Some(value), _) | (_, Some(value)) if value == decides => Value::Bool(decides),
            (Some(_), Some(_)) => Value::Bool(!decides),
            _ => Value::Null,
        });
    }
    if left == Value::Null || right == Value::Null {
        return Ok(Value::Null);
    }
    if operator == "||" {
        return match (&left, &right) {
            (Value::Text(left), Value::Text(right)) => Ok(Value::Text(format!("{left}{right}"))),
            _ => Err(format!("can't put {left:?} and {right:?} together")),
        };
    }
    if std::mem::discriminant(&left) != std::mem::discriminant(&right) {
        return Err(format!("can't compare {left:?} and {right:?}"));
    }
    Ok(Value::Bool(match operator {
        "=" => left == right,
        "<>" => left != right,
        "<" => left < right,
        ">" => left > right,
        "<=" => left <= right,
        ">=" => left >= right,
        other => return Err(format!("unknown operator {other}")),
    }))
}

fn call(name: &str, arguments: &[Expression], row: &Row) -> Result<Value, String> {
    let values = arguments.iter().map(|argument| argument.evaluate(row)).collect::<Result<Vec<_>, _>>()?;
    match (name, values.as_slice()) {
        ("coalesce", values) => {
            Ok(values.iter().find(|value| **value != Value::Null).cloned().unwrap_or(Value::Null))
        }
        ("upper" | "lower", [Value::Null]) => Ok(Value::Null),
        ("upper", [Value::Text(text)]) => Ok(Value::Text(text.to_uppercase())),
        ("lower", [Value::Text(text)]) => Ok(Value::Text(text.to_lowercase())),
        _ => Err(format!("unknown function {name} of {values:?}")),
    }
}

fn cast(value: Value, to: &str) -> Result<Value, String> {
    match (value, to) {
        (Value::Null, _) => Ok(Value::Null),
        (value, "string") => Ok(value.text().map_or(Value::Null, Value::Text)),
        (value @ Value::Int(_), "bigint") => Ok(value),
        (Value::Text(text), "bigint") => {
            text.parse().map(Value::Int).map_err(|_| format!("{text:?} is no number"))
        }
        (value, to) => Err(format!("can't cast {value:?} to {to}")),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = if first == '\'' {
            text_token(rest)?
        } else if first.is_ascii_digit() {
            let length = rest.find(|next: char| !next.is_ascii_digit()).unwrap_or(rest.len());
            let number = rest[..length].parse().map_err(|_| format!("{} is too large", &rest[..length]))?;
            (Token::Number(number), length)
        } else if first.is_ascii_alphabetic() || first == '_' {
            let word = |next: char| next.is_ascii_alphanumeric() || next == '_';
            let length = rest.find(|next| !word(next)).unwrap_or(rest.len());
            (Token::Word(rest[..length].to_ascii_lowercase()), length)
        } else {
            let symbols = ["||", "<>", "<=", ">=", "=", "<", ">", "(", ")", ",", "-"];
            let symbol = symbols.iter().find(|symbol| rest.starts_with(**symbol));
            let symbol = symbol.ok_or_else(|| format!("unexpected {first:?}"))?;
            (Token::Symbol((*symbol).to_owned()), symbol.len())
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

/// A text in single quotes, in which two stand for one.
fn text_token(rest: &str) -> Result<(Token, usize), String> {
    let mut text = String::new();
    let mut inside = rest[1..].char_indices().peekable();
    while let Some((at, next)) = inside.next() {
        if next != '\'' {
            text.push(next);
        } else if inside.next_if(|(_, after)| *after == '\'').is_some() {
            text.push('\'');
        } else {
            return Ok((Token::Text(text), at + 2));
        }
    }
    Err("a text without its end".to_owned())
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn take(&mut self, wanted: &Token) -> bool {
        let found = self.tokens.get(self.at) == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &str) -> bool {
        self.take(&Token::Word(word.to_owned()))
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        self.take(&Token::Symbol(symbol.to_owned()))
    }

    fn expect(&mut self, found: bool, what: &str) -> Result<(), String> {
        if found { Ok(()) } else { Err(format!("expected {what}, found {:?}", self.tokens.get(self.at))) }
    }

    fn or(&mut self) -> Result<Expression, String> {
        let mut left = self.and()?;
        while self.word("or") {
            left = Expression::Binary("or".to_owned(), Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expression, String> {
        let mut left = self.not()?;
        while self.word("and") {
            left = Expression::Binary("and".to_owned(), Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Expression, String> {
        if self.word("not") { Ok(Expression::Not(Box::new(self.not()?))) } else { self.comparison() }
    }

    fn comparison(&mut self) -> Result<Expression, String> {
        let left = self.concatenation()?;
        if self.word("is") {
            let negated = self.word("not");
            let null = self.word("null");
            self.expect(null, "null")?;
            let is_null = Expression::IsNull(Box::new(left));
            return Ok(if negated { Expression::Not(Box::new(is_null)) } else { is_null });
        }
        for operator in ["=", "<>", "<=", ">=", "<", ">"] {
            if self.symbol(operator) {
                let right = self.concatenation()?;
                return Ok(Expression::Binary(operator.to_owned(), Box::new(left), Box::new(right)));
            }
        }
        Ok(left)
    }

    fn concatenation(&mut self) -> Result<Expression, String> {
        let mut left = self.primary()?;
        while self.symbol("||") {
            left = Expression::Binary("||".to_owned(), Box::new(left), Box::new(self.primary()?));
        }
        Ok(left)
    }

    fn primary(&mut self) -> Result<Expression, String> {
        let token = self.tokens.get(self.at).cloned().ok_or("an expression without its end")?;
        self.at += 1;
        match token {
            Token::Number(number) => Ok(Expression::Literal(Value::Int(number))),
            Token::Text(text) => Ok(Expression::Literal(Value::Text(text))),
            Token::Symbol(symbol) if symbol == "-" => match self.primary()? {
                Expression::Literal(Value::Int(number)) => Ok(Expression::Literal(Value::Int(-number))),
                other => Err(format!("can't negate {other:?}")),
            },
            Token::Symbol(symbol) if symbol == "(" => {
                let inner = self.or()?;
                let closed = self.symbol(")");
                self.expect(closed, ")")?;
                Ok(inner)
            }
            Token::Symbol(symbol) => Err(format!("unexpected {symbol}")),
            Token::Word(word) => self.after_word(&word),
        }
    }

    fn after_word(&mut self, word: &str) -> Result<Expression, String> {
        match word {
            "true" => Ok(Expression::Literal(Value::Bool(true))),
            "false" => Ok(Expression::Literal(Value::Bool(false))),
            "null" => Ok(Expression::Literal(Value::Null)),
            "case" => self.case(),
            "cast" => self.cast(),
            name if self.symbol("(") => {
                let mut arguments = vec![self.or()?];
                while self.symbol(",") {
                    arguments.push(self.or()?);
                }
                let closed = self.symbol(")");
                self.expect(closed, ")")?;
                Ok(Expression::Call(name.to_owned(), arguments))
            }
            column => Ok(Expression::Column(column.to_owned())),
        }
    }

    fn case(&mut self) -> Result<Expression, String> {
        let mut branches = Vec::new();
        while self.word("when") {
            let condition = self.or()?;
            let then = self.word("then");
            self.expect(then, "then")?;
            branches.push((condition, self.or()?));
        }
        let otherwise = if self.word("else") { self.or()? } else { Expression::Literal(Value::Null) };
        let ended = self.word("end");
        self.expect(ended && !branches.is_empty(), "case when … end")?;
        Ok(Expression::Case(branches, Box::new(otherwise)))
    }

    fn cast(&mut self) -> Result<Expression, String> {
        let opened = self.symbol("(");
        self.expect(opened, "(")?;
        let inner = self.or()?;
        let to = self.word("as");
        self.expect(to, "as")?;
        let Some(Token::Word(name)) = self.tokens.get(self.at).cloned() else {
            return Err("a cast without its type".to_owned());
        };
        self.at += 1;
        let closed = self.symbol(")");
        self.expect(closed, ")")?;
        Ok(Expression::Cast(Box::new(inner), name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        let row = Row::from([
            ("a".to_owned(), Value::Int(7)),
            ("n".to_owned(), Value::Null),
            ("s".to_owned(), Value::Text("it's é".to_owned())),
            ("b".to_owned(), Value::Bool(false)),
            ("d".to_owned(), Value::Date(0)),
            ("m".to_owned(), Value::Decimal { unscaled: -5, scale: 2 }),
        ]);
        Expression::parse(text).and_then(|expression| expression.evaluate(&row)).unwrap()
    }

    #[test]
    fn expressions_have_their_sql_values() {
        let text = |text: &str| Value::Text(text.to_owned());
        for (sql, expected) in [
            ("a", Value::Int(7)),
            ("-3", Value::Int(-3)),
            ("'it''s é'", text("it's é")),
            ("s = 'it''s é'", Value::Bool(true)),
            ("a > 3 and a < 7", Value::Bool(false)),
            ("a > 3 and a <= 7", Value::Bool(true)),
            ("n = n", Value::Null),
            ("n is null", Value::Bool(true)),
            ("a is not null", Value::Bool(true)),
            ("b and n = 1", Value::Bool(false)),
            ("not b and n = 1", Value::Null),
            ("not b or n = 1", Value::Bool(true)),
            ("not (b or n = 1)", Value::Null),
            ("b or a = 7 and b", Value::Bool(false)),
            ("'x' || cast(a as string) || 'y'", text("x7y")),
            ("'x' || cast(n as string)", Value::Null),
            ("upper(s)", text("IT'S É")),
            ("lower(upper('Ab'))", text("ab")),
            ("coalesce(n, n, a, 1)", Value::Int(7)),
            ("coalesce(n, n)", Value::Null),
            ("case when n = 1 then 1 when a = 7 then 2 else 3 end", Value::Int(2)),
            ("case when b then 1 end", Value::Null),
            ("cast(d as string)", text("1970-01-01")),
            ("cast(m as string)", text("-0.05")),
            ("cast(b as string)", text("false")),
            ("cast('12' as bigint)", Value::Int(12)),
        ] {
            assert_eq!(value(sql), expected, "{sql}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for sql in
            ["", "a +", "a + 1", "'open", "case end", "sum(a)", "a = 'x'", "x", "a = 1 = 1", "upper(a)"]
        {
            let result = Expression::parse(sql)
                .and_then(|expression| expression.evaluate(&Row::from([("a".to_owned(), Value::Int(1))])));
            assert!(result.is_err(), "{sql}: {result:?}");
        }
    }
}
