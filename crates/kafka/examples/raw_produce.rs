//! How fast librdkafka alone sends a file of records in transactions, beside a session of the Kafka
//! target with the same bytes: the yardstick of the benchmark.
//!
//! ```text
//! raw_produce make FILE RECORDS           writes RECORDS lines, KEY TAB VALUE, of about 1.5 KB
//! raw_produce raw FILE BOOTSTRAP TOPIC    sends them with librdkafka alone: no headers, no ledger
//! raw_produce session FILE BOOTSTRAP TOPIC  sends them through a session of the Kafka target
//! raw_produce read FILE BOOTSTRAP TOPIC   reads the topic back through the Kafka target
//! ```
//! Each prints one line of JSON: records, bytes (keys and values), wall_s, cpu_s, peak_mib.
#![allow(unsafe_code, reason = "the yardstick is librdkafka itself, without our own code around it")]

use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::{CStr, CString, c_void};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use hivecast_contract::{LoadDate, partition_of};
use hivecast_kafka::{KafkaTarget, Settings};
use hivecast_publish::{Headers, Slot, Target, TopicSpec};
use hivecast_run::{Cancel, Context, Silent, SystemClock};
use rdkafka_sys as sys;

/// Records of one transaction.
const CHUNK_RECORDS: u64 = 50_000;
const PARTITIONS: u32 = 6;
/// Linux counts processor time in hundredths of a second towards programs (`man 5 proc`).
const TICKS_PER_SECOND: f64 = 100.0;
/// What a session of the Kafka target bounds its queue to, so that both wait for the same.
const QUEUE_KIB: u64 = hivecast_kafka::MESSAGE_QUEUE_KIB;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["make", file, records] => make(file, records.parse()?),
        ["raw", file, bootstrap, topic] => {
            create(bootstrap, topic)?;
            measure(|| raw(file, bootstrap, topic))
        }
        ["session", file, bootstrap, topic] => {
            create(bootstrap, topic)?;
            measure(|| session(file, bootstrap, topic))
        }
        ["read", _, bootstrap, topic] => measure(|| read(bootstrap, topic)),
        _ => Err("usage: raw_produce make FILE RECORDS | raw|session|read FILE BOOTSTRAP TOPIC".into()),
    }
}

/// Writes lines that compress about as documents do: the same names, other values.
fn make(file: &str, records: u64) -> Result<()> {
    let mut out = BufWriter::new(File::create(file)?);
    let mut state = 1_u64;
    let mut word = || {
        // SplitMix64 (Steele, Lea, Flood 2014).
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    for record in 0..records {
        write!(
            out,
            "{record}\t{{\"contractIdentifier\":{{\"operation\":\"INSERT\",\"newValue\":\"{record}\"}}"
        )?;
        for field in 0..22 {
            let value = word() % 100_000_000;
            write!(out, ",\"contractField{field}\":{{\"operation\":\"INSERT\",\"newValue\":\"{value}\"}}")?;
        }
        writeln!(out, "}}")?;
    }
    Ok(out.flush()?)
}

struct Sent {
    records: u64,
    bytes: u64,
}

fn measure(run: impl FnOnce() -> Result<Sent>) -> Result<()> {
    let (wall, cpu) = (Instant::now(), cpu_seconds()?);
    let Sent { records, bytes } = run()?;
    let (wall, cpu) = (wall.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
    let peak = peak_mib()?;
    println!(
        r#"{{"records":{records},"bytes":{bytes},"wall_s":{wall:.2},"cpu_s":{cpu:.2},"peak_mib":{peak:.0}}}"#
    );
    Ok(())
}

fn cpu_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> =
        stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / TICKS_PER_SECOND)
}

fn peak_mib() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(peak.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}

/// Hands each line's key and value to `each`.
fn lines(file: &str, mut each: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<Sent> {
    let mut reader = BufReader::with_capacity(1 << 20, File::open(file)?);
    let (mut line, mut sent) = (Vec::new(), Sent { records: 0, bytes: 0 });
    while reader.read_until(b'\n', &mut line)? > 0 {
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let tab = text.iter().position(|byte| *byte == b'\t').ok_or("a line without a tab")?;
        each(&text[..tab], &text[tab + 1..])?;
        sent.records += 1;
        sent.bytes += (text.len() - 1) as u64;
        line.clear();
    }
    Ok(sent)
}

fn spec(topic: &str) -> TopicSpec {
    let settings = BTreeMap::new();
    TopicSpec { feed: topic.to_owned(), topic: topic.to_owned(), partitions: PARTITIONS, settings }
}

fn target(bootstrap: &str) -> Result<KafkaTarget> {
    let settings = Settings::new([("bootstrap.servers".to_owned(), bootstrap.to_owned())])?;
    Ok(KafkaTarget::new(settings, hivecast_kafka::DEFAULT_LEDGER_TOPIC)?)
}

fn create(bootstrap: &str, topic: &str) -> Result<()> {
    let cancel = Cancel::default();
    let context = Context { sink: &Silent, cancel: &cancel, clock: &SystemClock };
    target(bootstrap)?.open(&spec(topic), Slot::FIRST, &context)?;
    Ok(())
}

fn session(file: &str, bootstrap: &str, topic: &str) -> Result<Sent> {
    let target = target(bootstrap)?;
    let cancel = Cancel::default();
    let context = Context { sink: &Silent, cancel: &cancel, clock: &SystemClock };
    let mut session = target.open(&spec(topic), Slot::FIRST, &context)?;
    let load_date = LoadDate::new(2026, 11, 22).ok_or("no such day")?;
    let headers = Headers { feed: topic.to_owned(), load_date, edition: "00112233aabbccdd".to_owned() };
    let mut in_chunk = 0;
    let sent = lines(file, |key, value| {
        if in_chunk == 0 {
            session.begin(&headers)?;
        }
        session.send(partition_of(key, PARTITIONS), key, Some(value))?;
        in_chunk += 1;
        if in_chunk == CHUNK_RECORDS {
            session.commit(&mut |_| Ok(Vec::new()))?;
            in_chunk = 0;
        }
        Ok(())
    })?;
    if in_chunk > 0 {
        session.commit(&mut |_| Ok(Vec::new()))?;
    }
    Ok(sent)
}

fn read(bootstrap: &str, topic: &str) -> Result<Sent> {
    let target = target(bootstrap)?;
    let cancel = Cancel::default();
    let context = Context { sink: &Silent, cancel: &cancel, clock: &SystemClock };
    let mut sent = Sent { records: 0, bytes: 0 };
    for partition in 0..PARTITIONS {
        target.read(topic, partition, 0, i64::MAX, &context, &mut |record| {
            sent.records += 1;
            sent.bytes += (record.key.len() + record.value.map_or(0, <[u8]>::len)) as u64;
            Ok(())
        })?;
    }
    Ok(sent)
}

static DELIVERED: AtomicU64 = AtomicU64::new(0);

unsafe extern "C" fn delivered(
    _client: *mut sys::rd_kafka_t,
    message: *const sys::rd_kafka_message_t,
    _opaque: *mut c_void,
) {
    // SAFETY: librdkafka hands over a message that lives as long as this call.
    if unsafe { (*message).err } == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        DELIVERED.fetch_add(1, Ordering::Relaxed);
    }
}

fn raw(file: &str, bootstrap: &str, topic: &str) -> Result<Sent> {
    let client = raw_client(bootstrap, topic)?;
    let name = CString::new(topic)?;
    // SAFETY: the client is alive; a null configuration means the client's own.
    let handle = unsafe { sys::rd_kafka_topic_new(client, name.as_ptr(), ptr::null_mut()) };
    // SAFETY: the client is alive.
    check(unsafe { sys::rd_kafka_init_transactions(client, 60_000) })?;
    let (mut in_chunk, mut total) = (0, 0);
    let sent = lines(file, |key, value| {
        if in_chunk == 0 {
            // SAFETY: the client is alive.
            check(unsafe { sys::rd_kafka_begin_transaction(client) })?;
        }
        raw_send(client, handle, key, value)?;
        in_chunk += 1;
        if in_chunk == CHUNK_RECORDS {
            total += in_chunk;
            raw_commit(client, total)?;
            in_chunk = 0;
        }
        Ok(())
    })?;
    if in_chunk > 0 {
        raw_commit(client, sent.records)?;
    }
    // SAFETY: both are destroyed once, the handle before its client.
    unsafe {
        sys::rd_kafka_topic_destroy(handle);
        sys::rd_kafka_destroy(client);
    }
    Ok(sent)
}

fn raw_commit(client: *mut sys::rd_kafka_t, total: u64) -> Result<()> {
    // SAFETY: the client is alive. Committing flushes, and serves deliveries while it waits.
    check(unsafe { sys::rd_kafka_commit_transaction(client, -1) })?;
    match DELIVERED.load(Ordering::Relaxed) == total {
        true => Ok(()),
        false => Err("not every record was delivered".into()),
    }
}

fn raw_send(
    client: *mut sys::rd_kafka_t,
    handle: *mut sys::rd_kafka_topic_t,
    key: &[u8],
    value: &[u8],
) -> Result<()> {
    let partition = i32::try_from(partition_of(key, PARTITIONS))?;
    loop {
        // SAFETY: key and value are copied before the call returns (RD_KAFKA_MSG_F_COPY).
        let result = unsafe {
            sys::rd_kafka_produce(
                handle,
                partition,
                sys::RD_KAFKA_MSG_F_COPY,
                value.as_ptr().cast_mut().cast(),
                value.len(),
                key.as_ptr().cast(),
                key.len(),
                ptr::null_mut(),
            )
        };
        if result == 0 {
            return Ok(());
        }
        // SAFETY: plain calls on a live client.
        let code = unsafe { sys::rd_kafka_last_error() };
        if code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__QUEUE_FULL {
            return Err(format!("produce: {code:?}").into());
        }
        // SAFETY: as above.
        unsafe { sys::rd_kafka_poll(client, 10) };
    }
}

fn raw_client(bootstrap: &str, topic: &str) -> Result<*mut sys::rd_kafka_t> {
    let properties = [
        ("bootstrap.servers", bootstrap.to_owned()),
        ("transactional.id", format!("raw.{topic}")),
        ("compression.type", "lz4".to_owned()),
        ("linger.ms", "5".to_owned()),
        ("queue.buffering.max.kbytes", QUEUE_KIB.to_string()),
        ("message.max.bytes", "1048588".to_owned()),
    ];
    let mut reason = [0; 512];
    // SAFETY: the configuration is handed over to the client; strings are copied.
    unsafe {
        let configuration = sys::rd_kafka_conf_new();
        for (name, value) in properties {
            let (name, value) = (CString::new(name)?, CString::new(value)?);
            let (text, size) = (reason.as_mut_ptr(), reason.len());
            sys::rd_kafka_conf_set(configuration, name.as_ptr(), value.as_ptr(), text, size);
        }
        sys::rd_kafka_conf_set_dr_msg_cb(configuration, Some(delivered));
        let kind = sys::rd_kafka_type_t::RD_KAFKA_PRODUCER;
        let client = sys::rd_kafka_new(kind, configuration, reason.as_mut_ptr(), reason.len());
        match client.is_null() {
            true => Err(CStr::from_ptr(reason.as_ptr()).to_string_lossy().into_owned().into()),
            false => Ok(client),
        }
    }
}

fn check(error: *mut sys::rd_kafka_error_t) -> Result<()> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: the error is ours to destroy, and its text lives until then.
    unsafe {
        let text = CStr::from_ptr(sys::rd_kafka_error_string(error)).to_string_lossy().into_owned();
        sys::rd_kafka_error_destroy(error);
        Err(text.into())
    }
}
