//! Files of each format, as small as they can be.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType;
use hivecast_feed::FileFormat;
use orc_rust::ArrowWriterBuilder;
use orc_rust::proto::stream::Kind as StreamKind;
use orc_rust::proto::r#type::Kind;
use orc_rust::proto::{
    ColumnEncoding, CompressionKind, Footer, PostScript, Stream, StripeFooter, StripeInformation, Type,
};
use prost::Message;

/// Names and values of a file's columns.
pub(super) type Written<'a> = Vec<(&'a str, ArrayRef)>;

/// Writes a file of one batch.
pub(super) fn write(path: &Path, format: FileFormat, columns: &Written<'_>) {
    let named = columns.iter().map(|(name, column)| (*name, Arc::clone(column), true));
    let batch = RecordBatch::try_from_iter_with_nullable(named).unwrap();
    let mut file = File::create(path).unwrap();
    match format {
        FileFormat::Parquet => {
            let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
            writer.write(&batch).unwrap();
            writer.close().unwrap();
        }
        // The writer has no decimals.
        FileFormat::Orc if columns.iter().any(|(_, column)| is_decimal(column)) => {
            file.write_all(&orc(&batch)).unwrap();
        }
        FileFormat::Orc => {
            let mut writer = ArrowWriterBuilder::new(file, batch.schema()).try_build().unwrap();
            writer.write(&batch).unwrap();
            writer.close().unwrap();
        }
        FileFormat::Avro => file.write_all(&avro(&batch)).unwrap(),
        FileFormat::Json => {
            let schema = batch.schema();
            for row in 0..batch.num_rows() {
                let members = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
                    let value =
                        plain(column, row).map_or("null".to_owned(), |text| match field.data_type() {
                            DataType::Utf8 | DataType::Date32 | DataType::Timestamp(..) => {
                                format!("{text:?}")
                            }
                            _ => text,
                        });
                    format!("{:?}: {value}", field.name())
                });
                writeln!(file, "{{{}}}", members.collect::<Vec<_>>().join(", ")).unwrap();
            }
        }
        FileFormat::Text => {
            for row in 0..batch.num_rows() {
                let fields =
                    batch.columns().iter().map(|column| plain(column, row).unwrap_or("\\N".to_owned()));
                writeln!(file, "{}", fields.collect::<Vec<_>>().join("\x01")).unwrap();
            }
        }
    }
}

/// A value as text; none for null.
pub(super) fn plain(column: &ArrayRef, row: usize) -> Option<String> {
    let formatter = ArrayFormatter::try_new(column.as_ref(), &FormatOptions::new()).unwrap();
    column.is_valid(row).then(|| formatter.value(row).to_string())
}

/// A container of one block, every column a union with null.
fn avro(batch: &RecordBatch) -> Vec<u8> {
    let schema = batch.schema();
    let fields = schema.fields().iter().map(|field| {
        let of = match field.data_type() {
            DataType::Int32 => "\"int\"",
            DataType::Int64 => "\"long\"",
            DataType::Float32 => "\"float\"",
            DataType::Float64 => "\"double\"",
            DataType::Date32 => r#"{"type":"int","logicalType":"date"}"#,
            DataType::Timestamp(..) => r#"{"type":"long","logicalType":"local-timestamp-micros"}"#,
            DataType::Decimal128(precision, scale) => &format!(
                r#"{{"type":"bytes","logicalType":"decimal","precision":{precision},"scale":{scale}}}"#
            ),
            _ => "\"string\"",
        };
        format!(r#"{{"name":"{}","type":["null",{of}]}}"#, field.name())
    });
    let fields = fields.collect::<Vec<_>>().join(",");
    let schema = format!(r#"{{"type":"record","name":"row","fields":[{fields}]}}"#);
    let mut block = Vec::new();
    for row in 0..batch.num_rows() {
        for column in batch.columns() {
            long(i64::from(column.is_valid(row)), &mut block);
            if column.is_null(row) {
                continue;
            }
            match column.data_type() {
                DataType::Int32 => long(column.as_primitive::<Int32Type>().value(row).into(), &mut block),
                DataType::Int64 => long(column.as_primitive::<Int64Type>().value(row), &mut block),
                DataType::Date32 => long(column.as_primitive::<Date32Type>().value(row).into(), &mut block),
                DataType::Float32 => {
                    block.extend(column.as_primitive::<Float32Type>().value(row).to_le_bytes());
                }
                DataType::Float64 => {
                    block.extend(column.as_primitive::<Float64Type>().value(row).to_le_bytes());
                }
                DataType::Timestamp(..) => {
                    long(column.as_primitive::<TimestampMicrosecondType>().value(row), &mut block);
                }
                DataType::Decimal128(..) => {
                    bytes(&column.as_primitive::<Decimal128Type>().value(row).to_be_bytes(), &mut block);
                }
                _ => bytes(column.as_string::<i32>().value(row).as_bytes(), &mut block),
            }
        }
    }
    let mut out = b"Obj\x01".to_vec();
    long(1, &mut out);
    bytes(b"avro.schema", &mut out);
    bytes(schema.as_bytes(), &mut out);
    long(0, &mut out);
    out.extend([7; 16]);
    long(batch.num_rows() as i64, &mut out);
    bytes(&block, &mut out);
    out.extend([7; 16]);
    out
}

fn is_decimal(column: &ArrayRef) -> bool {
    matches!(column.data_type(), DataType::Decimal128(..))
}

/// An ORC file of one stripe, uncompressed, of whole numbers and decimals without nulls.
fn orc(batch: &RecordBatch) -> Vec<u8> {
    let rows = batch.num_rows();
    let direct = || ColumnEncoding { kind: Some(0), ..ColumnEncoding::default() };
    let mut types = vec![Type {
        kind: Some(Kind::Struct.into()),
        subtypes: (1..=batch.num_columns() as u32).collect(),
        field_names: batch.schema().fields().iter().map(|field| field.name().clone()).collect(),
        ..Type::default()
    }];
    let mut footer = StripeFooter { columns: vec![direct()], ..StripeFooter::default() };
    let mut data = Vec::new();
    for (column, id) in batch.columns().iter().zip(1..) {
        let mut add = |kind: StreamKind, bytes: &[u8]| {
            let length = Some(bytes.len() as u64);
            footer.streams.push(Stream { kind: Some(kind.into()), column: Some(id), length });
            data.extend_from_slice(bytes);
        };
        match column.data_type() {
            DataType::Decimal128(precision, scale) => {
                let values = column.as_primitive::<Decimal128Type>().values();
                let mut digits = Vec::new();
                values.iter().for_each(|value| long(i64::try_from(*value).unwrap(), &mut digits));
                add(StreamKind::Data, &digits);
                add(StreamKind::Secondary, &literals(&vec![i64::from(*scale); rows]));
                types.push(Type {
                    kind: Some(Kind::Decimal.into()),
                    precision: Some((*precision).into()),
                    scale: Some((*scale).try_into().unwrap()),
                    ..Type::default()
                });
            }
            DataType::Int64 => {
                add(StreamKind::Data, &literals(column.as_primitive::<Int64Type>().values()));
                types.push(Type { kind: Some(Kind::Long.into()), ..Type::default() });
            }
            other => panic!("no ORC of {other}"),
        }
        footer.columns.push(direct());
    }
    let footer = footer.encode_to_vec();
    let mut out = b"ORC".to_vec();
    let stripe = StripeInformation {
        offset: Some(out.len() as u64),
        index_length: Some(0),
        data_length: Some(data.len() as u64),
        footer_length: Some(footer.len() as u64),
        number_of_rows: Some(rows as u64),
        ..StripeInformation::default()
    };
    out.extend([data, footer].concat());
    let footer = Footer {
        header_length: Some(3),
        content_length: Some(out.len() as u64),
        stripes: vec![stripe],
        types,
        number_of_rows: Some(rows as u64),
        ..Footer::default()
    };
    let footer = footer.encode_to_vec();
    let script = PostScript {
        footer_length: Some(footer.len() as u64),
        compression: Some(CompressionKind::None.into()),
        version: vec![0, 12],
        metadata_length: Some(0),
        magic: Some("ORC".to_owned()),
        ..PostScript::default()
    };
    let script = script.encode_to_vec();
    let length = script.len() as u8;
    out.extend([footer, script, vec![length]].concat());
    out
}

/// A run of numbers, none like the other, as the first version of ORC's encoding writes it.
fn literals(values: &[i64]) -> Vec<u8> {
    let mut out = vec![(values.len() as u8).wrapping_neg()];
    values.iter().for_each(|value| long(*value, &mut out));
    out
}

fn long(value: i64, out: &mut Vec<u8>) {
    let mut left = (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned();
    while left > 0x7f {
        out.push(left as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

fn bytes(bytes: &[u8], out: &mut Vec<u8>) {
    long(bytes.len() as i64, out);
    out.extend(bytes);
}
