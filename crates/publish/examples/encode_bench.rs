//! How fast documents become JSON: 0.9 million of the example feed's shape, about 1.3 GB, on one
//! thread. `cargo run --release -p hivecast-publish --example encode_bench`.
//!
//! Batches are made beforehand and are as large as those of an edition's reader, so that columns
//! come from memory as they do there; record values go to a buffer that is used again.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{
    ArrayRef, Date32Array, ListArray, StringViewArray, StructArray, TimestampMillisecondArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field, Fields, TimeUnit};
use hivecast_contract::LoadDate;
use hivecast_feed::document::node_fields;
use hivecast_publish::encode::{EditionStamp, Encoder};

const DOCUMENTS: usize = 900_000;
const BATCH_ROWS: usize = 16_384;
/// Different batches, more than any cache holds.
const BATCHES: usize = 8;
const ROUNDS: usize = 5;
/// Documents that share one buffer, as records of a block do.
const BLOCK: usize = 512;

const FEED: &str = r#"
feed: contracts
topic: mdm.contracts
partitions: 6
tables:
  accounts: { source: mdm.accounts }
  parties: { source: mdm.parties }
  addresses: { source: mdm.party_address }
document:
  from: accounts
  key: account_id
  fields:
    contractIdentifier: account_id
    sourceSystemIdentifier: source_sys
    contractStartDateTime: account_start_timestamp
    contractTitle:
      list:
        - { when: legal_title_1 is not null, fields: { contractTitleLineType: "'lgl_ttl_ln_1'", contractTitleLine: legal_title_1 } }
        - { when: legal_title_2 is not null, fields: { contractTitleLineType: "'lgl_ttl_ln_2'", contractTitleLine: legal_title_2 } }
    taxIdentifier:
      fields: { taxIdType: tax_id_type, taxId: tax_id }
    contractBranchCode: branch_code
    contractCountry: country
    partyRelations:
      many: parties
      on: account_id
      key: party_id
      fields:
        partyIdentifier: party_id
        partyRelationshipType: relation_type
        partyRelationStartDateTime: relation_start_timestamp
        partyAddress:
          one: addresses
          on: party_id
          fields: { addressLine1: address_line_1, addressLine2: address_line_2, addressCity: city,
                    addressPostalCode: postal_code, addressCountry: country_of_address, addressStartDate: address_start_date }
envelope: { style: operations, event: { type: MDM-Contract } }
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let Ok((feed, _)) = hivecast_feed::parse("contracts.yaml", FEED) else {
        return Err("failed to parse the feed".into());
    };
    let fields = node_fields(&feed.document, &mut |_, sql| Ok::<_, Box<dyn Error>>(type_of(sql)))?;
    let load_date = LoadDate::new(2026, 11, 22).ok_or("no such day")?;
    let stamp = EditionStamp { load_date, time_ms: 1_795_320_000_000 };
    let encoder = Encoder::new(&feed, &fields, stamp, None)?;

    let batches =
        (0..BATCHES).map(|batch| documents(&fields, batch * BATCH_ROWS)).collect::<Result<Vec<_>, _>>()?;
    let keys: Vec<Vec<String>> = (0..BATCHES)
        .map(|batch| (0..BATCH_ROWS).map(|row| identifier(batch * BATCH_ROWS + row)).collect())
        .collect();
    for _ in 0..ROUNDS {
        let (wall, cpu) = (Instant::now(), cpu_seconds()?);
        let mut bytes = 0;
        let mut out = Vec::new();
        for first in (0..DOCUMENTS).step_by(BATCH_ROWS) {
            let batch = first / BATCH_ROWS % BATCHES;
            let prepared = encoder.prepare(&batches[batch])?;
            for (row, key) in keys[batch].iter().enumerate().take(DOCUMENTS - first) {
                if row % BLOCK == 0 {
                    bytes += out.len();
                    out.clear();
                }
                prepared.write(row, key, &mut out)?;
            }
            bytes += out.len();
            out.clear();
        }
        let (wall, cpu) = (wall.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
        println!(
            "{DOCUMENTS} documents, {} bytes each, {:.2} GB: {wall:.3} s of wall, {cpu:.3} s of CPU, {:.2} GB/s",
            bytes / DOCUMENTS,
            bytes as f64 / 1e9,
            bytes as f64 / 1e9 / cpu,
        );
    }
    Ok(())
}

/// Seconds that this thread was on a processor, as Linux counts them.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split_whitespace().next().ok_or("schedstat is empty")?;
    Ok(nanoseconds.parse::<f64>()? / 1e9)
}

fn type_of(sql: &str) -> DataType {
    match sql {
        name if name.ends_with("_timestamp") => DataType::Timestamp(TimeUnit::Millisecond, None),
        name if name.ends_with("_date") => DataType::Date32,
        _ => DataType::Utf8View,
    }
}

fn identifier(number: usize) -> String {
    format!("{:012}", number * 7_919)
}

/// Documents with 0 to 3 parties each, about 1.5 of them, nine in ten with an address.
fn documents(fields: &Fields, first: usize) -> Result<StructArray, Box<dyn Error>> {
    let rows = BATCH_ROWS;
    let counts: Vec<usize> = (0..rows).map(|row| [1, 2, 1, 2, 1, 3, 0, 2][(row * 7 + row / 8) % 8]).collect();
    let columns = fields.iter().map(|field| match field.data_type() {
        DataType::List(item) => {
            let DataType::Struct(inner) = item.data_type() else {
                return Err("no struct in the list".into());
            };
            let parties = counts.iter().sum();
            let values = structs(inner, parties, first * 2, None)?;
            let offsets = OffsetBuffer::from_lengths(counts.iter().copied());
            Ok(Arc::new(ListArray::try_new(Arc::clone(item), offsets, Arc::new(values), None)?) as ArrayRef)
        }
        _ => column(field, rows, first),
    });
    let columns = columns.collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    Ok(StructArray::try_new(fields.clone(), columns, None)?)
}

fn structs(
    fields: &Fields,
    rows: usize,
    first: usize,
    nulls: Option<NullBuffer>,
) -> Result<StructArray, Box<dyn Error>> {
    let columns = fields.iter().map(|field| column(field, rows, first)).collect::<Result<Vec<_>, _>>()?;
    Ok(StructArray::try_new(fields.clone(), columns, nulls)?)
}

fn column(field: &Field, rows: usize, first: usize) -> Result<ArrayRef, Box<dyn Error>> {
    let numbers = first..first + rows;
    // One in eight is null, where that may be.
    let some = |number: usize| !(number * 31 + field.name().len()).is_multiple_of(8);
    Ok(match field.data_type() {
        DataType::Struct(inner) => {
            let nulls = field.is_nullable().then(|| NullBuffer::from_iter(numbers.map(some)));
            Arc::new(structs(inner, rows, first, nulls)?)
        }
        DataType::Timestamp(..) => Arc::new(TimestampMillisecondArray::from_iter(
            numbers.map(|number| some(number).then_some(1_400_000_000_000 + number as i64 * 1_234_567)),
        )),
        DataType::Date32 => Arc::new(Date32Array::from_iter(
            numbers.map(|number| some(number).then_some(12_000 + (number % 8_000) as i32)),
        )),
        _ => Arc::new(StringViewArray::from_iter(numbers.map(|number| text(field.name(), number)))),
    })
}

fn text(name: &str, number: usize) -> Option<String> {
    let street = ["Long Acre Lane", "High Street", "Station Road", "Queen Elizabeth Avenue"][number % 4];
    Some(match name {
        "contractIdentifier" | "partyIdentifier" | "taxId" => identifier(number),
        "contractTitleLineType" => "lgl_ttl_ln_1".to_owned(),
        "contractTitleLine" => format!("The {street} Trading and Holding Company No {number} Limited"),
        "sourceSystemIdentifier" => "MDM-CORE".to_owned(),
        "taxIdType" => "VAT".to_owned(),
        "contractBranchCode" => format!("BR{:05}", number % 40_000),
        "partyRelationshipType" => ["OWNER", "SIGNATORY", "BENEFICIARY"][number % 3].to_owned(),
        "addressLine1" => format!("{} {street}", number % 400),
        "addressLine2" if !number.is_multiple_of(3) => return None,
        "addressLine2" => format!("Flat {}", number % 90),
        "addressCity" => ["Leeds", "Newcastle upon Tyne", "York", "Kingston"][number % 4].to_owned(),
        "addressPostalCode" => format!("LS{} {}AB", number % 29, number % 10),
        _ => ["GB", "CA", "MX"][number % 3].to_owned(),
    })
}
