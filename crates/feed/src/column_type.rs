//! Hive's types, as feeds and the metastore write them.

use crate::nearest::nearest;

/// Most digits of a decimal, in Hive as in Arrow's 128-bit form.
const MAX_PRECISION: u8 = 38;
/// How deep arrays, maps and structs may lie in each other. Hive's text has no more delimiters than
/// for 24 levels, and what reads types recurses.
const MAX_DEPTH: usize = 24;

/// A column's type, as Hive names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// `boolean`
    Boolean,
    /// `tinyint`
    TinyInt,
    /// `smallint`
    SmallInt,
    /// `int`
    Int,
    /// `bigint`
    BigInt,
    /// `float`
    Float,
    /// `double`
    Double,
    /// `decimal(precision, scale)`
    Decimal(u8, i8),
    /// `string`
    String,
    /// `varchar(n)`: text of at most so many characters
    Varchar(u32),
    /// `char(n)`: as `varchar(n)`, without the blanks at its end, which Hive adds and takes away as it
    /// likes
    Char(u32),
    /// `date`
    Date,
    /// `timestamp`, without a zone
    Timestamp,
    /// `timestamp with local time zone`: an instant
    TimestampLocal,
    /// `binary`
    Binary,
    /// `array<item>`
    Array(Box<ColumnType>),
    /// `map<key, value>`; the key is no array, map or struct
    Map(Box<ColumnType>, Box<ColumnType>),
    /// `struct<name: type, …>`, names in lower case
    Struct(Vec<(String, ColumnType)>),
    /// A type of a metastore's that is not read. The text completes a sentence that begins with the
    /// column's name. [`ColumnType::parse`] never gives it.
    Unreadable(String),
}

/// What stands before a column's name in the metadata of a table's schema, whose value then says why that
/// column is not among its fields: it completes a sentence that begins with the column's name.
pub const UNREADABLE: &str = "hivecast.unreadable.";

const SIMPLE_TYPES: [(&str, ColumnType); 15] = [
    ("boolean", ColumnType::Boolean),
    ("tinyint", ColumnType::TinyInt),
    ("smallint", ColumnType::SmallInt),
    ("int", ColumnType::Int),
    ("integer", ColumnType::Int),
    ("bigint", ColumnType::BigInt),
    ("float", ColumnType::Float),
    ("double", ColumnType::Double),
    ("double precision", ColumnType::Double),
    ("string", ColumnType::String),
    ("date", ColumnType::Date),
    ("timestamp", ColumnType::Timestamp),
    ("timestamp with local time zone", ColumnType::TimestampLocal),
    ("binary", ColumnType::Binary),
    ("decimal", ColumnType::Decimal(10, 0)),
];

impl ColumnType {
    /// A Hive type in any case: `int`, `decimal(10,2)`, `array<struct<city:string>>`. The error
    /// completes a sentence that begins with the column's name.
    pub fn parse(text: &str) -> Result<ColumnType, String> {
        let mut reader = Reader { text, at: 0 };
        let found = reader.column_type(0)?;
        match reader.rest().trim() {
            "" => Ok(found),
            rest => Err(format!("has a type that goes on after its end: `{rest}` in `{text}`")),
        }
    }
}

/// Reads a type from the front of a text.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Whether the next thing is this character, which is then stepped over.
    fn take(&mut self, wanted: char) -> bool {
        let rest = self.rest();
        let trimmed = rest.trim_start();
        let found = trimmed.starts_with(wanted);
        if found {
            self.at += rest.len() - trimmed.len() + wanted.len_utf8();
        }
        found
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        if self.take(wanted) {
            return Ok(());
        }
        let found = match self.rest().trim_start() {
            "" => "it ends there".to_owned(),
            rest => format!("`{rest}` stands there"),
        };
        Err(format!("has a type where `{wanted}` is missing in `{}`: {found}", self.text))
    }

    /// Everything before the next of these characters, without blanks around it.
    fn until(&mut self, ends: &[char]) -> &'a str {
        let rest = self.rest();
        let end = rest.find(ends).unwrap_or(rest.len());
        self.at += end;
        rest[..end].trim()
    }

    fn column_type(&mut self, depth: usize) -> Result<ColumnType, String> {
        if depth > MAX_DEPTH {
            return Err(format!("has a type of more than {MAX_DEPTH} levels"));
        }
        let written = self.until(&['<', '>', '(', ',', ':']);
        let name = written.to_ascii_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
        match name.as_str() {
            "array" => {
                self.expect('<')?;
                let item = self.column_type(depth + 1)?;
                self.expect('>')?;
                Ok(ColumnType::Array(Box::new(item)))
            }
            "map" => self.map(depth),
            "struct" => self.fields(depth),
            "decimal" | "numeric" if self.take('(') => self.decimal(),
            "varchar" | "char" => {
                self.expect('(')?;
                let length = self.until(&[')']);
                self.expect(')')?;
                match length.parse::<u32>() {
                    Ok(length @ 1..) if name == "char" => Ok(ColumnType::Char(length)),
                    Ok(length @ 1..) => Ok(ColumnType::Varchar(length)),
                    _ => Err(format!("has a length that is none: `{written}({length})`")),
                }
            }
            "uniontype" => Err("is a uniontype, which has no JSON form: leave the column out".to_owned()),
            "void" => Err("is of type void, which has no values".to_owned()),
            "interval_year_month" | "interval_day_time" => {
                Err(format!("is of type {name}, which has no JSON form: leave the column out"))
            }
            _ => simple(&name, written),
        }
    }

    fn map(&mut self, depth: usize) -> Result<ColumnType, String> {
        self.expect('<')?;
        let key = self.column_type(depth + 1)?;
        if matches!(key, ColumnType::Array(_) | ColumnType::Map(..) | ColumnType::Struct(_)) {
            return Err(format!("has a map whose key is no single value in `{}`", self.text));
        }
        self.expect(',')?;
        let value = self.column_type(depth + 1)?;
        self.expect('>')?;
        Ok(ColumnType::Map(Box::new(key), Box::new(value)))
    }

    fn fields(&mut self, depth: usize) -> Result<ColumnType, String> {
        self.expect('<')?;
        let mut fields: Vec<(String, ColumnType)> = Vec::new();
        loop {
            let name = self.until(&[':', '>', ',']).trim_matches('`').to_lowercase();
            self.expect(':')?;
            if name.is_empty() || fields.iter().any(|(known, _)| *known == name) {
                return Err(format!(
                    "has a struct that names a field twice or not: `{name}` in `{}`",
                    self.text
                ));
            }
            fields.push((name, self.column_type(depth + 1)?));
            if !self.take(',') {
                break;
            }
        }
        self.expect('>')?;
        Ok(ColumnType::Struct(fields))
    }

    /// What stands behind `decimal(`.
    fn decimal(&mut self) -> Result<ColumnType, String> {
        let written = self.until(&[')']);
        self.expect(')')?;
        let mut numbers = written.split(',').map(|number| number.trim().parse::<u8>().ok());
        let (precision, scale) = (numbers.next().flatten(), numbers.next().unwrap_or(Some(0)));
        match (precision, scale, numbers.next()) {
            (Some(precision @ 1..=MAX_PRECISION), Some(scale), None) if scale <= precision => {
                // At most 38, so that it fits.
                Ok(ColumnType::Decimal(precision, scale as i8))
            }
            _ => Err(format!(
                "has a decimal of 1 to {MAX_PRECISION} digits, not more of them after the point than in all; \
                 it is `decimal({written})`"
            )),
        }
    }
}

fn simple(name: &str, written: &str) -> Result<ColumnType, String> {
    if let Some((_, found)) = SIMPLE_TYPES.iter().find(|(simple, _)| *simple == name) {
        return Ok(found.clone());
    }
    let others = ["varchar(100)", "decimal(10,2)", "array<string>", "map<string,string>"];
    let names = SIMPLE_TYPES.iter().map(|(name, _)| *name).chain(others);
    let hint = nearest(name, names).map(|near| format!("; did you mean `{near}`?"));
    Err(format!("has no type `{written}`{}", hint.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ColumnType, String> {
        ColumnType::parse(text)
    }

    #[test]
    fn hive_types() {
        assert_eq!(parse("INT"), Ok(ColumnType::Int));
        assert_eq!(parse("decimal(10, 2)"), Ok(ColumnType::Decimal(10, 2)));
        assert_eq!(parse("decimal"), Ok(ColumnType::Decimal(10, 0)));
        assert_eq!(parse("decimal(7)"), Ok(ColumnType::Decimal(7, 0)));
        assert_eq!(parse("varchar(65535)"), Ok(ColumnType::Varchar(65535)));
        assert_eq!(parse("char( 3 )"), Ok(ColumnType::Char(3)));
        assert_eq!(parse("timestamp  with local TIME zone"), Ok(ColumnType::TimestampLocal));
        for wrong in [
            "decimal(39,2)",
            "decimal(2,3)",
            "decimal(1,x)",
            "decimal(1,2,3)",
            "int(3)",
            "varchar",
            "char(0)",
            "array",
            "array<int",
            "array<int>>",
            "map<int>",
            "map<array<int>,int>",
            "struct<>",
            "struct<a>",
            "struct<a:int,A:int>",
            "uniontype<int,string>",
            "int string",
            "",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse("strin").is_err_and(|error| error.contains("`string`")));
        assert!(parse(&"array<".repeat(100)).is_err_and(|error| error.contains("levels")));
    }

    #[test]
    fn types_nest() {
        let string = || Box::new(ColumnType::String);
        assert_eq!(parse("array<string>"), Ok(ColumnType::Array(string())));
        assert_eq!(
            parse("map<string, decimal(5,2)>"),
            Ok(ColumnType::Map(string(), Box::new(ColumnType::Decimal(5, 2))))
        );
        let city = vec![("city".to_owned(), ColumnType::String), ("zip".to_owned(), ColumnType::Char(5))];
        assert_eq!(
            parse("ARRAY<struct<City : string, `zip`:char(5)>>"),
            Ok(ColumnType::Array(Box::new(ColumnType::Struct(city))))
        );
    }
}
