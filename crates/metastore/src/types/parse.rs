use super::{HiveType, MAX_CHAR, MAX_PRECISION, MAX_VARCHAR, StructField};
use hivecast_run::{Fault, Result};
use std::str::FromStr;

/// Types within types: no table has more, and what is read here comes from a server.
const DEEPEST: usize = 64;
/// How much of a type's text an error shows, characters.
const SHOWN: usize = 200;

/// What `decimal` alone means: whole numbers of ten digits.
const DEFAULT_DECIMAL: HiveType = HiveType::Decimal { precision: 10, scale: 0 };

impl FromStr for HiveType {
    type Err = Fault;

    /// Reads a type as the metastore has it, in any case, with blanks where one may write them. Fails
    /// with a data fault that shows the text and the place.
    fn from_str(text: &str) -> Result<HiveType> {
        let mut parser = Parser { text, at: 0 };
        let whole = parser.one(0).and_then(|found| match parser.rest().trim_start() {
            "" => Ok(found),
            _ => Err("nothing more was expected"),
        });
        whole.map_err(|why| {
            let shown: String = text.chars().take(SHOWN).collect();
            Fault::data(format!("{shown:?} is no type of Hive's: {why}, at byte {}", parser.at))
        })
    }
}

/// Why a text is no type.
type Why = &'static str;

struct Parser<'a> {
    text: &'a str,
    /// The next byte.
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn accept(&mut self, mark: char) -> bool {
        self.skip_blanks();
        let there = self.rest().starts_with(mark);
        if there {
            self.at += mark.len_utf8();
        }
        there
    }

    fn expect(&mut self, mark: char, otherwise: Why) -> Result<(), Why> {
        if self.accept(mark) { Ok(()) } else { Err(otherwise) }
    }

    /// The next letters, digits and underscores, in lower case.
    fn word(&mut self) -> String {
        self.skip_blanks();
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        self.at += length;
        rest[..length].to_ascii_lowercase()
    }

    fn number<T: FromStr>(&mut self) -> Result<T, Why> {
        self.word().parse().map_err(|_| "a length or a number of digits is missing or too large")
    }

    fn one(&mut self, depth: usize) -> Result<HiveType, Why> {
        if depth > DEEPEST {
            return Err("it is nested too deeply");
        }
        Ok(match self.word().as_str() {
            "void" | "null" => HiveType::Void,
            "boolean" => HiveType::Boolean,
            "tinyint" => HiveType::TinyInt,
            "smallint" => HiveType::SmallInt,
            "int" | "integer" => HiveType::Int,
            "bigint" => HiveType::BigInt,
            "float" | "real" => HiveType::Float,
            "double" => self.double(),
            "decimal" | "numeric" | "dec" => self.decimal()?,
            "string" => HiveType::String,
            "char" => HiveType::Char(self.length(MAX_CHAR)?),
            "varchar" => HiveType::Varchar(self.length(MAX_VARCHAR)?),
            "binary" => HiveType::Binary,
            "date" => HiveType::Date,
            "timestamp" => self.timestamp()?,
            "timestamptz" | "timestamplocaltz" => HiveType::TimestampLocalTz,
            "interval_year_month" => HiveType::IntervalYearMonth,
            "interval_day_time" => HiveType::IntervalDayTime,
            "array" => self.array(depth)?,
            "map" => self.map(depth)?,
            "struct" => HiveType::Struct(self.several(|parser| parser.field(depth))?),
            "uniontype" => HiveType::Union(self.several(|parser| parser.one(depth + 1))?),
            _ => return Err("no such type"),
        })
    }

    /// `double` may be written `double precision`.
    fn double(&mut self) -> HiveType {
        let before = self.at;
        if self.word() != "precision" {
            self.at = before;
        }
        HiveType::Double
    }

    fn decimal(&mut self) -> Result<HiveType, Why> {
        if !self.accept('(') {
            return Ok(DEFAULT_DECIMAL);
        }
        let precision = self.number()?;
        let scale = if self.accept(',') { self.number()? } else { 0 };
        self.expect(')', "a closing parenthesis is missing")?;
        if precision == 0 || precision > MAX_PRECISION || scale > precision {
            return Err("a decimal has 1 to 38 digits, and no more of them after the point");
        }
        Ok(HiveType::Decimal { precision, scale })
    }

    fn length(&mut self, most: u16) -> Result<u16, Why> {
        self.expect('(', "its length is missing")?;
        let length = self.number()?;
        self.expect(')', "a closing parenthesis is missing")?;
        if length == 0 || length > most {
            return Err("its length is out of bounds");
        }
        Ok(length)
    }

    fn timestamp(&mut self) -> Result<HiveType, Why> {
        let before = self.at;
        if self.word() != "with" {
            self.at = before;
            return Ok(HiveType::Timestamp);
        }
        let words = [self.word(), self.word(), self.word()];
        if words != ["local", "time", "zone"] {
            return Err("a timestamp is `with local time zone` or without");
        }
        Ok(HiveType::TimestampLocalTz)
    }

    fn array(&mut self, depth: usize) -> Result<HiveType, Why> {
        self.expect('<', "an opening < is missing")?;
        let item = self.one(depth + 1)?;
        self.expect('>', "a closing > is missing")?;
        Ok(HiveType::Array(Box::new(item)))
    }

    fn map(&mut self, depth: usize) -> Result<HiveType, Why> {
        self.expect('<', "an opening < is missing")?;
        let key = self.one(depth + 1)?;
        self.expect(',', "a comma is missing")?;
        let value = self.one(depth + 1)?;
        self.expect('>', "a closing > is missing")?;
        Ok(HiveType::Map(Box::new(key), Box::new(value)))
    }

    fn several<T>(&mut self, mut one: impl FnMut(&mut Self) -> Result<T, Why>) -> Result<Vec<T>, Why> {
        self.expect('<', "an opening < is missing")?;
        let mut found = Vec::new();
        // Avro has records without fields.
        if self.accept('>') {
            return Ok(found);
        }
        loop {
            found.push(one(self)?);
            if !self.accept(',') {
                break;
            }
        }
        self.expect('>', "a closing > is missing")?;
        Ok(found)
    }

    /// A struct's field. Its name ends at the colon, whatever else is in it: Avro's names, and names in
    /// back quotes, come so.
    fn field(&mut self, depth: usize) -> Result<StructField, Why> {
        self.skip_blanks();
        let rest = self.rest();
        let (name, length) = match rest.strip_prefix('`').and_then(|quoted| quoted.split_once('`')) {
            Some((name, _)) => (name, name.len() + 2),
            None => {
                let length = rest.find([':', ',', '<', '>']).unwrap_or(rest.len());
                (rest[..length].trim_end(), length)
            }
        };
        if name.is_empty() {
            return Err("a field's name is missing");
        }
        self.at += length;
        self.expect(':', "a colon is missing after a field's name")?;
        let field_type = self.one(depth + 1)?;
        Ok(StructField { name: name.to_owned(), field_type })
    }
}
