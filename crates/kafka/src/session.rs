use std::time::{Duration, Instant};

use hivecast_contract::{
    Checksum, HEADER_EDITION, HEADER_FEED, HEADER_LOAD_DATE, HEADER_OP, LedgerRecord, Operation,
    PartitionTotals,
};
use hivecast_publish::{Committed, Headers, Ledger, Session};
use hivecast_run::{Class, Context, Fault, Result, crash_point};
use rdkafka::error::KafkaError;
use rdkafka::producer::Producer as _;
use rdkafka::types::RDKafkaErrorCode as Code;

use crate::admin::{Admin, code_of};
use crate::fault::{SMALLER_OR_LARGER, failed, is_fenced, refused};
use crate::native::{self, Delivery, Destination, Producer};
use crate::reader::{LEDGER_PARTITION, Reader, partition_number};
use crate::settings::Settings;

/// How long `init_transactions` may take, the end of an earlier run's transaction included.
const INIT_TIMEOUT: Duration = Duration::from_secs(60);
/// One try of a call that librdkafka lets be called again.
const SLICE: Duration = Duration::from_secs(1);
/// How long after its transaction's timeout a commit is still waited for: then the broker has
/// decided, one way or the other.
const COMMIT_GRACE: Duration = Duration::from_secs(15);
/// How long a decided commit may take to reach every partition before we go on without seeing it.
const VISIBLE_TIMEOUT: Duration = Duration::from_secs(10);
const VISIBLE_LOOK: Duration = Duration::from_millis(2);
const ABORT_TIMEOUT: Duration = Duration::from_secs(30);
const ABORT_SLICE: Duration = Duration::from_millis(5);
/// One wait for deliveries; a cancelled run notices after this.
const DELIVERY_WAIT: Duration = Duration::from_millis(100);
/// Deliveries are served after this many records: often enough that the queue drains, seldom enough
/// to cost nothing.
const SERVE_EVERY: u64 = 512;
/// How much of a key an error shows.
const SHOWN_KEY_CHARS: usize = 100;

/// What a session is made of.
pub(crate) struct Opened<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) admin: &'a Admin,
    pub(crate) context: Context<'a>,
    pub(crate) feed: String,
    pub(crate) topic: String,
    pub(crate) ledger_topic: &'a str,
    pub(crate) partitions: u32,
    pub(crate) transactional_id: String,
    pub(crate) topic_id: String,
    pub(crate) record_bytes: u64,
}

/// One writer's transactional producer, and the chunk that it is in.
pub(crate) struct KafkaSession<'a> {
    opened: Opened<'a>,
    ledger: Ledger,
    producer: Producer,
    state: State,
}

enum State {
    Ready,
    Open(Chunk),
    /// librdkafka's producer cannot be trusted after an error whose outcome is unknown: every later
    /// call fails, and the caller opens a new session.
    Dead(Class),
}

/// One transaction on its way.
struct Chunk {
    began: Instant,
    upsert: native::Headers,
    delete: native::Headers,
    partitions: Vec<PartitionTotals>,
    progress: Deliveries,
}

/// A chunk whose records, those of the ledger included, are all acknowledged.
struct Prepared {
    committed: Committed,
    first_ledger_offset: Option<i64>,
}

/// Deliveries against sends, of documents first and then of ledger records.
#[derive(Debug, Default)]
struct Deliveries {
    sent: u64,
    delivered: u64,
    failure: Option<Failure>,
}

/// The first record that was not delivered, or not as it has to be.
#[derive(Debug)]
struct Failure {
    code: Code,
    reason: String,
    key: String,
    size: usize,
}

impl Failure {
    fn of(delivery: &Delivery<'_>, code: Code, reason: String) -> Self {
        Failure { code, reason, key: shown_key(delivery.key), size: delivery.size }
    }
}

impl Deliveries {
    fn outstanding(&self) -> bool {
        self.failure.is_none() && self.delivered < self.sent
    }

    /// Counts one delivery, in the totals of the partition that the broker acknowledged it for.
    ///
    /// A record that was acknowledged without an offset fails the chunk, which a new session then
    /// sends again: a manifest whose first or last offset were not the true one would make every
    /// later verification read too little.
    fn take(&mut self, delivery: &Delivery<'_>, partitions: &mut [PartitionTotals]) {
        if let Some(code) = delivery.error {
            self.failure.get_or_insert_with(|| Failure::of(delivery, code, code.to_string()));
            return;
        }
        if delivery.offset < 0 {
            let reason = "the broker has it from an earlier try, and does not say at which offset".to_owned();
            self.failure.get_or_insert_with(|| Failure::of(delivery, Code::DuplicateSequenceNumber, reason));
            return;
        }
        self.delivered += 1;
        let index = usize::try_from(delivery.partition).ok();
        // One that is counted nowhere is missed where sends and acknowledgements are compared.
        let Some(totals) = index.and_then(|index| partitions.get_mut(index)) else { return };
        match delivery.operation {
            Operation::Upsert => totals.documents += 1,
            Operation::Delete => totals.tombstones += 1,
        }
        totals.bytes += delivery.size as u64;
        let offset = delivery.offset;
        totals.first_offset = Some(totals.first_offset.map_or(offset, |first| first.min(offset)));
        totals.last_offset = Some(totals.last_offset.map_or(offset, |last| last.max(offset)));
    }
}

/// The first characters of a key, for a person.
fn shown_key(key: &[u8]) -> String {
    let text = String::from_utf8_lossy(key);
    match text.char_indices().nth(SHOWN_KEY_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

impl<'a> KafkaSession<'a> {
    /// Makes the producer and fences every earlier one of the same `transactional.id`.
    pub(crate) fn init(producer: Producer, opened: Opened<'a>) -> Result<Self> {
        let deadline = Instant::now() + INIT_TIMEOUT;
        let session = KafkaSession { opened, ledger: Ledger::default(), producer, state: State::Ready };
        // The search for the transaction's coordinator starts with a connected broker, or else waits
        // for a timer of 500 ms. What is wrong here the loop below finds too.
        let _ = session.producer.client().client().fetch_metadata(Some(&session.opened.topic), SLICE);
        loop {
            let outcome = session.producer.client().init_transactions(SLICE);
            session.producer.serve(Duration::ZERO, &mut |_| {});
            let error = match outcome {
                Ok(()) => return Ok(session),
                Err(error) => error,
            };
            let what = session.failed_to("take over");
            if let Some(reason) = session.producer.watch().credentials() {
                return Err(refused(what, reason));
            }
            session.opened.context.check_cancelled()?;
            if !is_retriable(&error) || Instant::now() >= deadline {
                return Err(session.explain(what, code_of(&error), error.to_string()));
            }
        }
    }

    /// Gives the session the ledger as it was read after the fence.
    pub(crate) fn with_ledger(mut self, ledger: Ledger) -> Self {
        self.ledger = ledger;
        self
    }

    fn failed_to(&self, verb: &str) -> String {
        let Opened { feed, topic, .. } = &self.opened;
        format!("failed to {verb} feed {feed}'s transaction on topic {topic}")
    }

    fn explain(&self, what: String, code: Code, reason: String) -> Fault {
        let Opened { topic, ledger_topic, transactional_id, .. } = &self.opened;
        let needs = match code {
            Code::TransactionalIdAuthorizationFailed => {
                format!("the rights DESCRIBE and WRITE on transactional id {transactional_id}")
            }
            _ => format!("the right WRITE on topics {topic} and {ledger_topic}"),
        };
        failed(what, code, &reason, &needs, self.producer.watch())
    }

    /// The chunk that is open.
    fn chunk(&mut self) -> Result<&mut Chunk> {
        match &mut self.state {
            State::Open(chunk) => Ok(chunk),
            State::Dead(class) => Err(dead(*class, &self.opened.feed)),
            State::Ready => Err(Fault::bug("no Kafka transaction was begun")),
        }
    }

    /// Ends the session. What the broker or librdkafka holds against the transaction is asked for:
    /// the code at hand is often only "in a wrong state".
    fn die(&mut self, what: String, code: Code, reason: String) -> Fault {
        let (code, reason) = self.real_reason().unwrap_or((code, reason));
        let age = match &self.state {
            State::Open(chunk) => chunk.began.elapsed(),
            _ => Duration::ZERO,
        };
        let timeout = self.opened.settings.transaction_timeout();
        // A broker that ends a transaction because of its age fences the producer just as well.
        let fault = match is_fenced(code) && age >= timeout {
            true => Fault::infrastructure(what)
                .because(format!("the transaction was open for longer than {} s, and the broker ended it", timeout.as_secs()))
                .advise("run it again; where it happens again raise transaction.timeout.ms or lower the chunk size"),
            false => self.explain(what, code, reason),
        };
        self.state = State::Dead(fault.class());
        fault
    }

    /// Why the transaction cannot go on. `begin_transaction` never begins one here, since one is open:
    /// it fails, and says why.
    fn real_reason(&self) -> Option<(Code, String)> {
        if let Some(fatal) = self.producer.client().client().fatal_error() {
            return Some(fatal);
        }
        match self.producer.client().begin_transaction() {
            Err(KafkaError::Transaction(error)) if error.txn_requires_abort() || error.is_fatal() => {
                Some((error.code(), error.string()))
            }
            _ => None,
        }
    }

    /// Serves deliveries that have come, waiting up to `timeout` for the first.
    fn serve(&mut self, timeout: Duration) {
        let State::Open(chunk) = &mut self.state else { return };
        let Chunk { partitions, progress, .. } = chunk;
        self.producer.serve(timeout, &mut |delivery| progress.take(&delivery, partitions));
    }

    /// Fails when a record was not delivered.
    fn check_deliveries(&mut self) -> Result<()> {
        let Some(Failure { code, reason, key, size }) = self.chunk()?.progress.failure.take() else {
            return Ok(());
        };
        let topic = &self.opened.topic;
        let what = match code {
            Code::MessageSizeTooLarge => {
                format!(
                    "failed to send key {key}: its record of {size} bytes is larger than topic {topic} takes"
                )
            }
            _ => self.failed_to("deliver the records of"),
        };
        let reason = format!("key {key}: {reason}");
        Err(self.die(what, code, reason))
    }

    /// Queues one record, serving deliveries while the queue is full.
    fn produce(&mut self, to: Destination, partition: i32, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        loop {
            let State::Open(chunk) = &mut self.state else { return self.chunk().map(drop) };
            let headers = match (to, value) {
                (Destination::Ledger, _) => None,
                (Destination::Documents, Some(_)) => Some(&chunk.upsert),
                (Destination::Documents, None) => Some(&chunk.delete),
            };
            match self.producer.produce(to, partition, key, value, headers) {
                Ok(()) => {
                    chunk.progress.sent += 1;
                    return Ok(());
                }
                Err(Code::QueueFull) => {
                    self.serve(DELIVERY_WAIT);
                    self.check_deliveries()?;
                    self.opened.context.check_cancelled()?;
                }
                Err(code) => {
                    let what = self.failed_to("add a record to");
                    return Err(self.die(what, code, format!("key {}: {code}", shown_key(key))));
                }
            }
        }
    }

    /// Waits until every record that was sent is acknowledged.
    fn wait_for_deliveries(&mut self) -> Result<()> {
        let patience = self.opened.settings.transaction_timeout() + COMMIT_GRACE;
        let deadline = Instant::now() + patience;
        while self.chunk()?.progress.outstanding() {
            self.serve(DELIVERY_WAIT);
            self.opened.context.check_cancelled()?;
            if Instant::now() >= deadline {
                let Deliveries { sent, delivered, .. } = self.chunk()?.progress;
                let what = self.failed_to("deliver the records of");
                let reason =
                    format!("{delivered} of {sent} records acknowledged after {} s", patience.as_secs());
                return Err(self.die(what, Code::OperationTimedOut, reason));
            }
        }
        self.check_deliveries()
    }

    /// Returns the first offset of what was sent.
    fn send_ledger_records(&mut self, records: &[LedgerRecord]) -> Result<Option<i64>> {
        let chunk = self.chunk()?;
        chunk.progress = Deliveries::default();
        // From here on deliveries are those of the ledger's one partition.
        let documents = std::mem::replace(&mut chunk.partitions, vec![PartitionTotals::default()]);
        for record in records {
            let (key, json) = (record.key().to_string(), record.to_json());
            self.produce(Destination::Ledger, LEDGER_PARTITION, key.as_bytes(), Some(json.as_bytes()))?;
        }
        self.wait_for_deliveries()?;
        let ledger = std::mem::replace(&mut self.chunk()?.partitions, documents);
        Ok(ledger.first().and_then(|totals| totals.first_offset))
    }

    fn commit_transaction(&mut self) -> Result<()> {
        let deadline = Instant::now() + self.opened.settings.transaction_timeout() + COMMIT_GRACE;
        loop {
            let outcome = self.producer.client().commit_transaction(SLICE);
            self.serve(Duration::ZERO);
            match outcome {
                Ok(()) => return Ok(()),
                // The commit goes on by itself; calling again only goes on waiting for it.
                Err(error) if is_retriable(&error) && Instant::now() < deadline => {}
                Err(error) => {
                    let must_abort =
                        matches!(&error, KafkaError::Transaction(error) if error.txn_requires_abort());
                    let what = self.failed_to("commit");
                    let fault = self.die(what, code_of(&error), error.to_string());
                    if must_abort {
                        // The fault at hand is the one to tell; the next session ends what is left.
                        let _ = self.abort_transaction();
                    }
                    return Err(fault);
                }
            }
        }
    }

    fn abort_transaction(&mut self) -> std::result::Result<(), KafkaError> {
        let deadline = Instant::now() + ABORT_TIMEOUT;
        loop {
            let outcome = self.producer.client().abort_transaction(ABORT_SLICE);
            self.producer.serve(Duration::ZERO, &mut |_| {});
            match outcome {
                Err(error) if is_retriable(&error) && Instant::now() < deadline => {}
                outcome => return outcome,
            }
        }
    }

    /// Returns when committed readers see the chunk. A commit is answered when the broker has decided
    /// on it, a little before the partitions say so. Our transaction is still open in a partition as
    /// long as its last stable offset is our first one there; a smaller one is somebody else's
    /// transaction, which is not waited for.
    fn wait_until_visible(&self, prepared: &Prepared) {
        let client = self.producer.client().client();
        let deadline = Instant::now() + VISIBLE_TIMEOUT;
        let Opened { topic, ledger_topic, .. } = &self.opened;
        let documents = (0..).zip(&prepared.committed.partitions);
        let firsts = documents
            .filter_map(|(partition, totals)| Some((topic.as_str(), partition, totals.first_offset?)))
            .chain(prepared.first_ledger_offset.map(|first| (*ledger_topic, LEDGER_PARTITION, first)));
        for (topic, partition, first) in firsts {
            // The commit has happened: failing to see it fails nothing.
            while let Ok((_, stable)) = client.fetch_watermarks(topic, partition, SLICE)
                && stable == first
                && Instant::now() < deadline
            {
                std::thread::sleep(VISIBLE_LOOK);
            }
        }
    }

    /// Everything of a commit up to the point of no return.
    fn prepare(
        &mut self,
        ledger_records: &mut dyn FnMut(&Committed) -> Result<Vec<LedgerRecord>>,
    ) -> Result<Prepared> {
        self.wait_for_deliveries()?;
        crash_point("kafka.acknowledged");
        let committed = Committed { partitions: self.chunk()?.partitions.clone() };
        let records = ledger_records(&committed)?;
        let first_ledger_offset = self.send_ledger_records(&records)?;
        crash_point("kafka.ledger_sent");
        self.opened.context.check_cancelled()?;
        Ok(Prepared { committed, first_ledger_offset })
    }
}

fn is_retriable(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Transaction(error) if error.is_retriable() && !error.txn_requires_abort())
}

fn dead(class: Class, feed: &str) -> Fault {
    Fault::new(class, format!("the Kafka session of feed {feed} ended with an earlier error"))
        .advise("open a new session, which reads what was committed")
}

impl Session for KafkaSession<'_> {
    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn topic_id(&self) -> &str {
        &self.opened.topic_id
    }

    fn topic_has_records(&self) -> Result<bool> {
        let Opened { settings, topic, context, partitions, .. } = &self.opened;
        Reader::new(settings, topic, context)?.any_record(*partitions)
    }

    fn end_offsets(&self) -> Result<Vec<i64>> {
        let Opened { admin, topic, context, partitions, .. } = &self.opened;
        // Not where committed readers stop: somebody else's open transaction would look like lost records.
        (0..partition_number(*partitions)?)
            .map(|partition| admin.high_watermark(topic, partition, context.cancel))
            .collect()
    }

    fn begin(&mut self, headers: &Headers) -> Result<()> {
        match self.state {
            State::Ready => {}
            State::Dead(class) => return Err(dead(class, &self.opened.feed)),
            State::Open(_) => return Err(Fault::bug("a Kafka transaction is open already")),
        }
        let load_date = headers.load_date.to_string();
        let list = |operation: Operation| {
            native::Headers::new(&[
                (HEADER_FEED, &headers.feed),
                (HEADER_LOAD_DATE, &load_date),
                (HEADER_EDITION, &headers.edition),
                (HEADER_OP, operation.as_str()),
            ])
            .ok_or_else(|| Fault::bug("librdkafka could not make the record headers"))
        };
        let chunk = Chunk {
            began: Instant::now(),
            upsert: list(Operation::Upsert)?,
            delete: list(Operation::Delete)?,
            partitions: vec![PartitionTotals::default(); self.opened.partitions as usize],
            progress: Deliveries::default(),
        };
        if let Err(error) = self.producer.client().begin_transaction() {
            let what = self.failed_to("begin");
            return Err(self.die(what, code_of(&error), error.to_string()));
        }
        self.state = State::Open(chunk);
        Ok(())
    }

    fn send(&mut self, partition: u32, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        let (limit, topic) = (self.opened.record_bytes, self.opened.topic.clone());
        let bytes = (key.len() + value.map_or(0, <[u8]>::len)) as u64;
        let chunk = self.chunk()?;
        if bytes > limit {
            return Err(too_large(key, bytes, limit, &topic));
        }
        let Some(totals) = chunk.partitions.get_mut(partition as usize) else {
            return Err(Fault::bug(format!("topic {topic} has no partition {partition}")));
        };
        // The checksum says what was meant; counts, bytes and offsets are what the broker acknowledges.
        totals.checksum += Checksum::of_record(key, value);
        let serve = chunk.progress.sent % SERVE_EVERY == SERVE_EVERY - 1;
        self.produce(Destination::Documents, partition_number(partition)?, key, value)?;
        if serve {
            self.serve(Duration::ZERO);
            self.check_deliveries()?;
        }
        Ok(())
    }

    fn commit(
        &mut self,
        ledger_records: &mut dyn FnMut(&Committed) -> Result<Vec<LedgerRecord>>,
    ) -> Result<Committed> {
        self.chunk()?;
        match self.prepare(ledger_records) {
            Ok(prepared) => {
                self.commit_transaction()?;
                crash_point("kafka.committed");
                self.wait_until_visible(&prepared);
                self.state = State::Ready;
                Ok(prepared.committed)
            }
            Err(fault) => {
                // Nothing is committed. A session that still lives may go on after the abort.
                if matches!(self.state, State::Open(_))
                    && let Err(abort) = self.abort()
                {
                    // The first fault is the one to tell; the next session ends what is left.
                    let context = self.opened.context;
                    context.info(format!(
                        "the open transaction is left to the next session ({})",
                        abort.chain()
                    ));
                }
                Err(fault)
            }
        }
    }

    fn abort(&mut self) -> Result<()> {
        match self.state {
            State::Ready => return Ok(()),
            State::Dead(class) => return Err(dead(class, &self.opened.feed)),
            State::Open(_) => {}
        }
        if let Err(error) = self.abort_transaction() {
            let what = self.failed_to("abort");
            return Err(self.die(what, code_of(&error), error.to_string()));
        }
        self.state = State::Ready;
        Ok(())
    }
}

fn too_large(key: &[u8], bytes: u64, limit: u64, topic: &str) -> Fault {
    Fault::data(format!(
        "failed to send key {}: its record of {bytes} bytes is larger than the {limit} bytes that topic {topic} takes",
        shown_key(key)
    ))
    .advise(SMALLER_OR_LARGER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(partition: i32, offset: i64, operation: Operation, error: Option<Code>) -> Delivery<'static> {
        Delivery { partition, offset, key: b"k1", operation, size: 7, error }
    }

    #[test]
    fn acknowledgements_are_counted_in_the_partition_that_they_name() {
        let mut progress = Deliveries { sent: 4, ..Deliveries::default() };
        let mut partitions = vec![PartitionTotals::default(); 2];
        let deliveries = [(1, 12, Operation::Upsert), (1, 11, Operation::Delete), (0, 5, Operation::Upsert)];
        for (partition, offset, operation) in deliveries {
            progress.take(&delivery(partition, offset, operation, None), &mut partitions);
        }
        assert!(progress.outstanding(), "the fourth is not acknowledged");
        let totals = |documents, tombstones, bytes, first, last| PartitionTotals {
            documents,
            tombstones,
            bytes,
            checksum: Checksum::default(),
            first_offset: Some(first),
            last_offset: Some(last),
        };
        assert_eq!(partitions, [totals(1, 0, 7, 5, 5), totals(1, 1, 14, 11, 12)]);
    }

    #[test]
    fn a_record_that_was_not_delivered_is_not_counted() {
        let mut progress = Deliveries { sent: 1, ..Deliveries::default() };
        let mut partitions = vec![PartitionTotals::default()];
        let refused = delivery(0, -1001, Operation::Upsert, Some(Code::MessageSizeTooLarge));
        progress.take(&refused, &mut partitions);
        assert_eq!(partitions, [PartitionTotals::default()]);
        assert_eq!(progress.failure.map(|failure| failure.code), Some(Code::MessageSizeTooLarge));
    }

    /// librdkafka reports a batch that the broker had already as delivered, at offset -1001.
    #[test]
    fn a_record_without_an_offset_fails_the_chunk() {
        let mut progress = Deliveries { sent: 2, ..Deliveries::default() };
        let mut partitions = vec![PartitionTotals::default()];
        for offset in [8, -1001] {
            progress.take(&delivery(0, offset, Operation::Upsert, None), &mut partitions);
        }
        assert_eq!((partitions[0].first_offset, partitions[0].last_offset), (Some(8), Some(8)));
        let failure = progress.failure.expect("a failure");
        assert!(failure.reason.contains("does not say at which offset"), "{}", failure.reason);
        let fault = failed("failed", failure.code, &failure.reason, "", &crate::watch::Watch::default());
        assert_eq!(fault.class(), Class::Infrastructure, "a new session sends the chunk again");
    }

    #[test]
    fn a_shown_key_is_cut_between_characters() {
        assert_eq!(shown_key(b"71"), "71");
        let long = "é".repeat(SHOWN_KEY_CHARS + 1);
        assert_eq!(shown_key(long.as_bytes()), format!("{}…", "é".repeat(SHOWN_KEY_CHARS)));
        assert_eq!(shown_key(&[0xff, b'a']), "\u{fffd}a");
    }
}
