//! What an edition costs: CPU seconds and bytes to write synthetic nested documents, to read them
//! back, to read their keys, and to merge. One thread, so that CPU time is that of the work alone.
//!
//! ```text
//! cargo run --release -p hivecast-edition --example bench [documents]
//! ```

use std::sync::Arc;
use std::time::Instant;

use arrow_array::{
    Array, ArrayRef, Date32Array, ListArray, StringArray, StringViewArray, StructArray,
    TimestampMicrosecondArray, UInt32Array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field, Fields};
use hivecast_contract::{EditionId, LoadDate, key_hash};
use hivecast_edition::{Columns, Draft, Edition, EditionReader, Store, count_keys};
use hivecast_run::{Fault, Result};

const DOCUMENTS: u32 = 900_000;
const BATCH: usize = 16_384;
const SHARDS: usize = 4;

fn main() -> Result<()> {
    let documents = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(DOCUMENTS);
    let dir = tempfile::tempdir().map_err(|error| Fault::io("failed to make a directory", error))?;
    let store = Store::open(dir.path())?;
    let mut keys: Vec<(u32, String)> =
        (0..documents).map(|n| n.to_string()).map(|key| (key_hash(key.as_bytes()), key)).collect();
    keys.sort();

    let edition = write(&store, &keys)?;
    let shards = &edition.description.shards;
    let bytes: u64 = shards.iter().map(|shard| shard.bytes).sum();
    println!("{documents} documents, at most {} values, {:.1} MB", shards[0].max_values, bytes as f64 / 1e6);
    let clock = Clock::start();
    let read = documents_in(edition.reader(0, Columns::Documents)?)?;
    clock.print(&format!("read {read} documents"));
    let clock = Clock::start();
    let read = documents_in(edition.reader(0, Columns::Keys)?)?;
    clock.print(&format!("read {read} keys"));
    let clock = Clock::start();
    let counts = count_keys(&edition, &edition)?;
    clock.print(&format!("merge {} common keys", counts.common));
    let clock = Clock::start();
    edition.verify_files()?;
    clock.print("verify files");
    let clock = Clock::start();
    edition.find(&keys[keys.len() / 2].1)?;
    clock.print("find one");
    Ok(())
}

fn documents_in(reader: EditionReader) -> Result<usize> {
    let mut documents = 0;
    for batch in reader {
        documents += batch?.len();
    }
    Ok(documents)
}

fn write(store: &Store, keys: &[(u32, String)]) -> Result<Edition> {
    let load_date = LoadDate::new(2026, 11, 22).ok_or_else(|| Fault::bug("no such day"))?;
    let writer = store.begin("bench", load_date)?;
    let (mut spent, mut peak) = (Spent::default(), 0);
    for (index, part) in keys.chunks(keys.len().div_ceil(SHARDS).max(1)).enumerate() {
        let mut shard = writer.shard(index as u32, &fields())?;
        for batch in part.chunks(BATCH) {
            let hash: UInt32Array = batch.iter().map(|(hash, _)| Some(*hash)).collect();
            let key: ArrayRef = Arc::new(StringViewArray::from_iter_values(batch.iter().map(|(_, key)| key)));
            let document = documents(batch);
            let clock = Clock::start();
            shard.write(&hash, &key, &document)?;
            spent.add(clock);
            peak = peak.max(shard.memory_bytes());
        }
        let clock = Clock::start();
        shard.finish()?;
        spent.add(clock);
    }
    println!("write: {:.2} CPU s, {:.2} s, {:.1} MB held", spent.cpu, spent.wall, peak as f64 / 1e6);
    writer.finish(Draft {
        id: EditionId("bench".to_owned()),
        feed_fingerprint: String::new(),
        gates_fingerprint: String::new(),
        time_ms: 0,
        built_ms: 0,
        engine: "bench".to_owned(),
        inputs: Vec::new(),
        tables: Vec::new(),
        document: fields(),
        gates: Vec::new(),
    })
}

/// Wall time and this thread's CPU time, from the kernel's accounting in nanoseconds.
struct Clock {
    wall: Instant,
    cpu: f64,
}

#[derive(Default)]
struct Spent {
    cpu: f64,
    wall: f64,
}

impl Spent {
    fn add(&mut self, clock: Clock) {
        self.cpu += Clock::cpu() - clock.cpu;
        self.wall += clock.wall.elapsed().as_secs_f64();
    }
}

impl Clock {
    fn start() -> Clock {
        Clock { wall: Instant::now(), cpu: Clock::cpu() }
    }

    fn cpu() -> f64 {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        text.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1e9
    }

    fn print(self, what: &str) {
        println!("{what}: {:.2} CPU s, {:.2} s", Clock::cpu() - self.cpu, self.wall.elapsed().as_secs_f64());
    }
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8View, true)
}

const ROOT_TEXTS: [&str; 10] =
    ["id", "source", "branch", "country", "status", "product", "currency", "owner", "channel", "remark"];
const PARTY_TEXTS: [&str; 4] = ["partyIdentifier", "relationshipType", "firstName", "lastName"];
const ADDRESS_TEXTS: [&str; 6] = ["line1", "line2", "city", "postalCode", "country", "kind"];

fn address_fields() -> Fields {
    let since = Field::new("since", DataType::Date32, true);
    ADDRESS_TEXTS.into_iter().map(text).chain([since]).collect()
}

fn party_fields() -> Fields {
    let start = Field::new("start", DataType::Date32, true);
    let address = Field::new("address", DataType::Struct(address_fields()), true);
    PARTY_TEXTS.into_iter().map(text).chain([start, address]).collect()
}

fn title_fields() -> Fields {
    ["type", "line"].into_iter().map(text).collect()
}

fn fields() -> Fields {
    let start = Field::new("start", timestamp(), true);
    let title = |name| Field::new(name, DataType::Struct(title_fields()), true);
    let titles = Field::new("titles", DataType::Struct(vec![title("0"), title("1")].into()), false);
    let party = Field::new("element", DataType::Struct(party_fields()), false);
    let parties = Field::new("parties", DataType::List(Arc::new(party)), false);
    ROOT_TEXTS.into_iter().map(text).chain([start, titles, parties]).collect()
}

fn timestamp() -> DataType {
    DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, None)
}

/// Text that looks like names and codes: of few values, of many, and some null.
fn texts(name: &str, rows: &[u32]) -> ArrayRef {
    let few = ["Leeds", "Amsterdam", "Praha", "Kraków", "New South Wales", "Rio de Janeiro"];
    let value = |row: &u32| match name {
        "id" | "partyIdentifier" => Some(format!("{row:010}")),
        "line1" => Some(format!("{} Long Meadow Street, Apartment {}", row % 997, row % 89)),
        "firstName" | "lastName" | "owner" | "remark" => {
            Some(format!("{}{:x}", few[*row as usize % 6], row >> 3))
        }
        "line2" if !row.is_multiple_of(3) => None,
        "postalCode" => Some(format!("{:05}", row % 99_991)),
        _ => Some(few[(row >> 4) as usize % 6].to_owned()),
    };
    let texts: StringArray = rows.iter().map(value).collect();
    Arc::new(StringViewArray::from(&texts))
}

fn objects(fields: Fields, rows: &[u32], extra: Vec<ArrayRef>, nulls: Option<NullBuffer>) -> StructArray {
    let mut columns: Vec<ArrayRef> = fields
        .iter()
        .filter(|field| field.data_type() == &DataType::Utf8View)
        .map(|field| texts(field.name(), rows))
        .collect();
    columns.extend(extra);
    StructArray::new(fields, columns, nulls)
}

fn days(rows: &[u32]) -> ArrayRef {
    Arc::new(Date32Array::from_iter_values(rows.iter().map(|row| 10_000 + (*row % 9_000) as i32)))
}

fn documents(batch: &[(u32, String)]) -> StructArray {
    let rows: Vec<u32> = batch.iter().map(|(hash, _)| *hash >> 4).collect();
    // One, one, two, two parties, and so on: 1.5 on average, each with an address but every eighth.
    let lengths: Vec<usize> = rows.iter().map(|row| 1 + (*row as usize >> 1) % 2).collect();
    let parties: Vec<u32> = rows
        .iter()
        .zip(&lengths)
        .flat_map(|(row, length)| (0..*length as u32).map(move |n| row + n))
        .collect();
    let has_address: NullBuffer = parties.iter().map(|row| row % 8 > 0).collect();
    let address = objects(address_fields(), &parties, vec![days(&parties)], Some(has_address));
    let party = objects(party_fields(), &parties, vec![days(&parties), Arc::new(address)], None);
    let element = Arc::new(Field::new("element", party.data_type().clone(), false));
    let list = ListArray::new(element, OffsetBuffer::from_lengths(lengths), Arc::new(party), None);
    let title = |every: u32| -> ArrayRef {
        let nulls: NullBuffer = rows.iter().map(|row| row % every == 0).collect();
        Arc::new(objects(title_fields(), &rows, Vec::new(), Some(nulls)))
    };
    let titles: Vec<ArrayRef> = vec![title(1), title(3)];
    let title_fields: Fields =
        ["0", "1"].into_iter().map(|name| Field::new(name, titles[0].data_type().clone(), true)).collect();
    let titles = StructArray::new(title_fields, titles, None);
    let start =
        TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| i64::from(*row) * 1_000_000));
    objects(fields(), &rows, vec![Arc::new(start), Arc::new(titles), Arc::new(list)], None)
}
