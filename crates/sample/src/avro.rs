//! Avro's object container files (Avro 1.11.1, "Object Container Files"), with what the sample's
//! columns need. Written here since a library marks its blocks at random, and equal seeds are to give
//! equal bytes.

use std::io::{self, Write};

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int32Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, SchemaRef};

const MAGIC: &[u8; 4] = b"Obj\x01";
/// What stands between blocks. Any sixteen bytes that data hardly holds.
const SYNC: &[u8; 16] = b"\x9ehivecast-sample";
/// Rows of a block: some hundred kilobytes.
const BLOCK_ROWS: usize = 4_096;
const MICROS_PER_MILLI: i64 = 1_000;
/// Which branch of a column's union holds it.
const NULL: i64 = 0;
const VALUE: i64 = 1;

/// A file being written.
pub(crate) struct AvroFile<W: Write> {
    out: W,
    block: Vec<u8>,
}

impl<W: Write> AvroFile<W> {
    /// Writes the file's head. Wall-clock times are `local-timestamp-millis`; Hive, which knows no such
    /// type, is told the zone in which they are the same number.
    pub(crate) fn create(mut out: W, name: &str, schema: &SchemaRef) -> io::Result<Self> {
        let mut head = Vec::from(MAGIC);
        let properties = [
            ("avro.codec", "null".to_owned()),
            ("avro.schema", schema_text(name, schema)),
            ("writer.time.zone", "UTC".to_owned()),
        ];
        long(properties.len() as i64, &mut head);
        for (key, value) in properties {
            bytes(key.as_bytes(), &mut head);
            bytes(value.as_bytes(), &mut head);
        }
        long(0, &mut head);
        head.extend(SYNC);
        out.write_all(&head)?;
        Ok(AvroFile { out, block: Vec::new() })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        for first in (0..batch.num_rows()).step_by(BLOCK_ROWS) {
            let rows = BLOCK_ROWS.min(batch.num_rows() - first);
            self.block.clear();
            for row in first..first + rows {
                batch.columns().iter().for_each(|column| cell(column, row, &mut self.block));
            }
            let mut head = Vec::new();
            long(rows as i64, &mut head);
            long(self.block.len() as i64, &mut head);
            self.out.write_all(&head)?;
            self.out.write_all(&self.block)?;
            self.out.write_all(SYNC)?;
        }
        Ok(())
    }

    pub(crate) fn into_inner(self) -> W {
        self.out
    }
}

fn schema_text(name: &str, schema: &SchemaRef) -> String {
    let fields: Vec<String> = schema
        .fields()
        .iter()
        .map(|field| {
            let avro = match field.data_type() {
                DataType::Int32 => r#""int""#,
                DataType::Date32 => r#"{"type":"int","logicalType":"date"}"#,
                DataType::Timestamp(..) => r#"{"type":"long","logicalType":"local-timestamp-millis"}"#,
                _ => r#""string""#,
            };
            format!(r#"{{"name":"{}","type":["null",{avro}],"default":null}}"#, field.name())
        })
        .collect();
    format!(r#"{{"type":"record","name":"{name}","namespace":"mdm","fields":[{}]}}"#, fields.join(","))
}

fn cell(column: &dyn Array, row: usize, out: &mut Vec<u8>) {
    if column.is_null(row) {
        return long(NULL, out);
    }
    long(VALUE, out);
    match column.data_type() {
        DataType::Int32 => long(column.as_primitive::<Int32Type>().value(row).into(), out),
        DataType::Date32 => long(column.as_primitive::<Date32Type>().value(row).into(), out),
        DataType::Timestamp(..) => {
            let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
            long(micros.div_euclid(MICROS_PER_MILLI), out);
        }
        _ => bytes(column.as_string::<i32>().value(row).as_bytes(), out),
    }
}

fn bytes(value: &[u8], out: &mut Vec<u8>) {
    long(value.len() as i64, out);
    out.extend(value);
}

/// Zigzag, then seven bits a byte, the lowest first.
fn long(value: i64, out: &mut Vec<u8>) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}
