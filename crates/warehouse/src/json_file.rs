//! Files of one JSON object a line: their rows in the table's types.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use hivecast_feed::type_name;
use hivecast_run::{Fault, Result};
use serde_json::value::RawValue;

use crate::compressed::open_lines;
use crate::convert::TextRule;
use crate::data_file::DataFile;
use crate::json_value::{Members, Unfit, push};
use crate::lines::Lines;
use crate::reading::{finish, put_together, wanted};
use crate::rows::RowReader;
use crate::text_file::{BATCH_BYTES, malformed, unreadable};
use crate::values::Values;

/// Characters of a value that a message quotes at most.
const QUOTED_CHARS: usize = 40;

/// The rows of a file as batches of the wanted columns.
pub(crate) struct JsonRows {
    file: DataFile,
    lines: Lines,
    /// The places of the wanted columns by their names.
    places: HashMap<String, usize>,
    columns: Vec<Values>,
    rules: Vec<Option<TextRule>>,
    wanted: SchemaRef,
    zone: chrono_tz::Tz,
    batch_rows: usize,
}

/// Opens a file to read the wanted columns.
pub(crate) fn open(reader: &RowReader, file: DataFile) -> Result<JsonRows> {
    let columns = reader.wanted.iter().map(|column| {
        Values::new(&column.data_type).ok_or_else(|| unreadable(&reader.table, &column.data_type))
    });
    let layout = &reader.declared.text;
    let mut lines = Lines::new(open_lines(&file)?, layout.skip_footer_lines);
    lines.skip(layout.skip_header_lines).map_err(|broken| malformed(&file, broken))?;
    Ok(JsonRows {
        lines,
        places: places(reader),
        columns: columns.collect::<Result<_>>()?,
        rules: reader.wanted.iter().map(|column| reader.declared.text_rule_of(&column.name)).collect(),
        wanted: wanted(reader),
        zone: reader.declared.zone,
        batch_rows: reader.batch_rows.max(1),
        file,
    })
}

/// The wanted columns by the names that the partition's own columns have.
fn places(reader: &RowReader) -> HashMap<String, usize> {
    let declared = &reader.declared;
    let names = reader.wanted.iter().zip(0..).filter_map(|(column, place)| match declared.own {
        Some(_) => declared.own_of(&column.name).map(|(name, _)| (name.clone(), place)),
        None => Some((column.name.clone(), place)),
    });
    names.collect()
}

impl JsonRows {
    /// Reads a batch; none at the end.
    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let (mut rows, mut bytes) = (0, 0);
        while rows < self.batch_rows && bytes < BATCH_BYTES {
            let line = self.lines.read().map_err(|broken| malformed(&self.file, broken))?;
            let Some((number, line)) = line else { break };
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            bytes += line.len();
            rows += 1;
            let at = At { file: &self.file, line: number, wanted: &self.wanted };
            push_line(&at, &self.places, &mut self.columns, self.zone, line)?;
        }
        if rows == 0 {
            return Ok(None);
        }
        let ruled = self.columns.iter_mut().zip(&self.rules).zip(self.wanted.fields());
        let columns = ruled.map(|((values, rule), field)| {
            let column = values
                .finish()
                .map_err(|error| self.file.fault("can't be put into columns").because(error))?;
            finish(&self.file, field.name(), &column, rule.as_ref())
        });
        let columns = columns.collect::<Result<_>>()?;
        put_together(&self.file, &Arc::clone(&self.wanted), columns, rows).map(Some)
    }
}

impl Iterator for JsonRows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}

/// A line of a file, for messages.
struct At<'a> {
    file: &'a DataFile,
    line: u64,
    wanted: &'a Schema,
}

/// Takes a line's object over into the columns.
fn push_line(
    at: &At<'_>,
    places: &HashMap<String, usize>,
    columns: &mut [Values],
    zone: chrono_tz::Tz,
    line: &[u8],
) -> Result<()> {
    let text = std::str::from_utf8(line).map_err(|_| at.fault("it is no UTF-8 text"))?;
    let Members(members) = serde_json::from_str(text).map_err(|error| at.not_json(&error))?;
    // Of equal names the last counts, as for Hive.
    let mut found: Vec<Option<&RawValue>> = vec![None; columns.len()];
    for (name, value) in &members {
        let place = places.get(name.as_ref()).or_else(|| places.get(&name.to_lowercase()));
        if let Some(place) = place {
            found[*place] = Some(value);
        }
    }
    for (column, (values, value)) in columns.iter_mut().zip(found).enumerate() {
        match value {
            Some(value) => {
                push(values, value, zone).map_err(|Unfit(part)| at.unfit(text, column, value.get(), part))?
            }
            None => values.push_null(),
        }
    }
    Ok(())
}

impl At<'_> {
    fn fault(&self, text: impl std::fmt::Display) -> Fault {
        self.file.line_fault(self.line, text).advise(
            "each line must be one JSON object whose values have the columns' types: correct the table's \
             `columns` in the feed, or export the partition again",
        )
    }

    fn not_json(&self, error: &serde_json::Error) -> Fault {
        let text = error.to_string();
        // The library's own place counts lines within what it was given, which is one line.
        let what = text.split(" at line ").next().unwrap_or_default();
        self.fault(format!("column {}: it is no JSON object: {what}", error.column()))
    }

    /// A part of a column's value, or all of it, does not fit.
    fn unfit(&self, line: &str, column: usize, value: &str, part: &str) -> Fault {
        let field = self.wanted.field(column);
        let inside = if part.len() < value.len() { "a part of " } else { "" };
        self.fault(format!(
            "column {}: {} is no value for {inside}column {} of type {}",
            place_in(line, part),
            quoted(part),
            field.name(),
            type_name(field.data_type())
        ))
    }
}

/// Where a part of the line begins, in characters counted from 1.
fn place_in(line: &str, part: &str) -> usize {
    let offset = (part.as_ptr() as usize).saturating_sub(line.as_ptr() as usize);
    line.get(..offset).map_or(1, |before| before.chars().count() + 1)
}

fn quoted(value: &str) -> String {
    match value.char_indices().nth(QUOTED_CHARS) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}
