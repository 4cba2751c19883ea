use std::collections::BTreeMap;
use std::ffi::CStr;
use std::time::{Duration, Instant};

use hivecast_contract::LedgerRecord;
use hivecast_publish::{Ledger, Record};
use hivecast_run::{Class, Context, Fault, Result};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka::{Offset, TopicPartitionList};

use crate::admin::code_of;
use crate::fault::{failed, is_authorization};
use crate::native::header;
use crate::settings::{Settings, config_fault};
use crate::wait::ask;
use crate::watch::Watch;

/// How long reading goes on without a record, an end or an error.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// One wait for records; a cancelled run notices after this.
const POLL: Duration = Duration::from_millis(200);
/// How much longer than `transaction.timeout.ms` somebody's open transaction may hide what comes after
/// it: by then the broker ends it, which looks for old ones every 10 s.
const STABLE_GRACE: Duration = Duration::from_secs(15);
const STABLE_LOOK: Duration = Duration::from_millis(50);
/// A wait that is shorter is not worth a word.
const STABLE_SILENCE: Duration = Duration::from_secs(2);
/// How long a consumer may take to say that it is closed. It has joined no group, so there is
/// nothing to wait for but its own threads.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
const CLOSE_LOOK: Duration = Duration::from_millis(1);

/// Reads what is committed to one topic.
pub(crate) struct Reader<'a> {
    consumer: BaseConsumer<Watch>,
    topic: &'a str,
    patience: Duration,
    context: &'a Context<'a>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(settings: &Settings, topic: &'a str, context: &'a Context<'a>) -> Result<Self> {
        Reader::with(settings.consumer(), settings, topic, context)
    }

    /// A reader that sees what is not decided yet, too.
    pub(crate) fn of_undecided(
        settings: &Settings,
        topic: &'a str,
        context: &'a Context<'a>,
    ) -> Result<Self> {
        let mut config = settings.consumer();
        config.set("isolation.level", "read_uncommitted");
        Reader::with(config, settings, topic, context)
    }

    fn with(
        config: ClientConfig,
        settings: &Settings,
        topic: &'a str,
        context: &'a Context<'a>,
    ) -> Result<Self> {
        let consumer: BaseConsumer<Watch> =
            config.create_with_context(Watch::default()).map_err(config_fault)?;
        let patience = settings.transaction_timeout() + STABLE_GRACE;
        let reader = Reader { consumer, topic, patience, context };
        // Offsets and fetches of a client that knows no leader yet wait for a timer of some 100 ms to
        // 1 s; asking for the leaders outright takes a few.
        let leaders = ask(context.cancel, |time| reader.consumer.fetch_metadata(Some(topic), time))?;
        leaders.map_err(|error| reader.fault(0, code_of(&error)))?;
        Ok(reader)
    }

    /// The end of a partition as committed readers see it: the last stable offset.
    pub(crate) fn stable_end(&self, partition: i32) -> Result<i64> {
        self.watermarks(partition).map(|(_, end)| end)
    }

    fn watermarks(&self, partition: i32) -> Result<(i64, i64)> {
        let watermarks =
            ask(self.context.cancel, |time| self.consumer.fetch_watermarks(self.topic, partition, time))?;
        watermarks.map_err(|error| self.fault(partition, code_of(&error)))
    }

    /// Waits until everything before `end` is decided: committed or aborted. `holder` says whose
    /// transaction it may be that is waited for.
    pub(crate) fn wait_until_stable(&self, partition: i32, end: i64, holder: &str) -> Result<()> {
        let start = Instant::now();
        let mut is_told = false;
        loop {
            let stable = self.stable_end(partition)?;
            if stable >= end {
                return Ok(());
            }
            self.context.check_cancelled()?;
            let (topic, patience) = (self.topic, self.patience.as_secs());
            if start.elapsed() >= self.patience {
                return Err(Fault::infrastructure(format!(
                    "failed to read partition {partition} of topic {topic} up to offset {end}: {holder}, open \
                     since offset {stable}, hid the rest for {patience} s"
                ))
                .advise("wait for the other producer to finish, or for the broker to end its transaction"));
            }
            if !is_told && start.elapsed() >= STABLE_SILENCE {
                is_told = true;
                self.context.info(format!(
                    "waiting, at most {patience} s, for {holder} to end: it is open since offset {stable} of \
                     partition {partition} of topic {topic}, and hides what comes after"
                ));
            }
            std::thread::sleep(STABLE_LOOK);
        }
    }

    /// Hands on every committed record from offset `from` to before `end`, which must be stable.
    pub(crate) fn read(
        &self,
        partition: i32,
        from: i64,
        end: i64,
        each: &mut dyn FnMut(&BorrowedMessage<'_>) -> Result<()>,
    ) -> Result<()> {
        if from >= end {
            return Ok(());
        }
        self.assign(&[partition], Offset::Offset(from.max(0)))?;
        while let Some(message) = self.next(partition)? {
            let offset = message.offset();
            // An offset before `from`: the topic was cut short meanwhile, and librdkafka began anew.
            if (from..end).contains(&offset) {
                each(&message)?;
            }
            if offset + 1 >= end {
                break;
            }
        }
        Ok(())
    }

    /// Whether any of the partitions holds a committed record.
    pub(crate) fn any_record(&self, partitions: u32) -> Result<bool> {
        let mut remaining = Vec::new();
        for partition in 0..partition_number(partitions)? {
            let (low, end) = self.watermarks(partition)?;
            if low < end {
                remaining.push(partition);
            }
        }
        // One after the other, since the end of a partition is told without saying which.
        for partition in remaining {
            self.assign(&[partition], Offset::Beginning)?;
            if self.next(partition)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn assign(&self, partitions: &[i32], from: Offset) -> Result<()> {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        let outcome = partitions
            .iter()
            .try_for_each(|partition| list.add_partition_offset(self.topic, *partition, from))
            .and_then(|()| self.consumer.assign(&list));
        outcome.map_err(|error| {
            Fault::infrastructure(format!("failed to begin reading topic {}", self.topic)).because(error)
        })
    }

    /// The next record, or `None` at the end of the partition.
    fn next(&self, partition: i32) -> Result<Option<BorrowedMessage<'_>>> {
        let deadline = Instant::now() + STALL_TIMEOUT;
        loop {
            let code = match self.consumer.poll(POLL) {
                Some(Ok(message)) => return Ok(Some(message)),
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(None),
                // The group is never joined, so lacking a right on it stops nothing.
                Some(Err(error)) if code_of(&error) == Code::GroupAuthorizationFailed => Code::NoError,
                Some(Err(error)) => code_of(&error),
                None => Code::NoError,
            };
            self.context.check_cancelled()?;
            let credentials = self.consumer.client().context().credentials().is_some();
            if is_authorization(code) || credentials || Instant::now() >= deadline {
                let code = if code == Code::NoError { Code::OperationTimedOut } else { code };
                return Err(self.fault(partition, code));
            }
        }
    }

    fn fault(&self, partition: i32, code: Code) -> Fault {
        // Error events wait in the queue until it is polled; no assignment, so no record is lost.
        if code == Code::OperationTimedOut || code == Code::BrokerTransportFailure {
            let _ = self.consumer.poll(Duration::ZERO);
        }
        let topic = self.topic;
        failed(
            format!("failed to read partition {partition} of topic {topic}"),
            code,
            &code.to_string(),
            &format!("the rights READ and DESCRIBE on topic {topic}"),
            self.consumer.client().context(),
        )
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        // The wrapper's own close looks whether it is done only every 100 ms. After this one it finds
        // nothing left to close, and says so to the `log` crate, which nobody here listens to.
        let _ = self.consumer.unassign();
        if self.consumer.close_queue().is_ok() {
            let deadline = Instant::now() + CLOSE_TIMEOUT;
            while !self.consumer.closed() && Instant::now() < deadline {
                let _ = self.consumer.poll(CLOSE_LOOK);
            }
        }
    }
}

/// A partition's number as Kafka's protocol has it.
pub(crate) fn partition_number(partition: u32) -> Result<i32> {
    i32::try_from(partition).map_err(|_| Fault::usage(format!("there is no topic partition {partition}")))
}

/// The contract's header names, as C has strings.
const FEED: &CStr = c"hivecast.feed";
const LOAD_DATE: &CStr = c"hivecast.load_date";
const EDITION: &CStr = c"hivecast.edition";
const OP: &CStr = c"hivecast.op";

/// A message as the target's contract has it.
pub(crate) fn record<'m>(message: &'m BorrowedMessage<'_>, partition: u32) -> Record<'m> {
    let text = |name| header(message, name).and_then(|value| std::str::from_utf8(value).ok());
    Record {
        partition,
        offset: message.offset(),
        key: message.key().unwrap_or_default(),
        value: message.payload(),
        feed: text(FEED),
        load_date: text(LOAD_DATE),
        edition: text(EDITION),
        op: text(OP),
    }
}

/// The ledger's partition: it has one, so that its records have one order.
pub(crate) const LEDGER_PARTITION: i32 = 0;

/// What the keys of a feed's ledger records start with.
fn prefixes(feed: &str) -> [String; 2] {
    [format!("progress:{feed}:"), format!("manifest:{feed}:")]
}

/// What is in the ledger and not decided.
#[derive(Debug, Default)]
pub(crate) struct Undecided {
    /// The key of the first such record: whose transaction it is.
    pub(crate) first: Option<String>,
    /// The offset of the feed's last such record.
    pub(crate) last_own: Option<i64>,
}

/// Looks at ledger records from offset `from` to before `end`, with a reader of what is undecided.
pub(crate) fn undecided(reader: &Reader<'_>, from: i64, end: i64, feed: &str) -> Result<Undecided> {
    let prefixes = prefixes(feed);
    let mut found = Undecided::default();
    reader.read(LEDGER_PARTITION, from, end, &mut |message| {
        let key = message.key().unwrap_or_default();
        found.first.get_or_insert_with(|| String::from_utf8_lossy(key).into_owned());
        if prefixes.iter().any(|prefix| key.starts_with(prefix.as_bytes())) {
            found.last_own = Some(message.offset());
        }
        Ok(())
    })?;
    Ok(found)
}

/// Reads what the ledger says of one feed before offset `end`, which must be stable.
pub(crate) fn read_ledger(reader: &Reader<'_>, end: i64, feed: &str) -> Result<Ledger> {
    let prefixes = prefixes(feed);
    // The last record of each key decides; earlier ones need not be parsed.
    let mut last: BTreeMap<Vec<u8>, (i64, Vec<u8>)> = BTreeMap::new();
    reader.read(LEDGER_PARTITION, 0, end, &mut |message| {
        let key = message.key().unwrap_or_default();
        if prefixes.iter().any(|prefix| key.starts_with(prefix.as_bytes())) {
            match message.payload() {
                Some(value) => last.insert(key.to_vec(), (message.offset(), value.to_vec())),
                None => last.remove(key),
            };
        }
        Ok(())
    })?;
    let mut ledger = Ledger::default();
    // In the order of the log: keys name how many writers there were, and what writer 1 of any number said
    // last is what counts.
    let mut last: Vec<_> = last.into_iter().collect();
    last.sort_by_key(|(_, (offset, _))| *offset);
    for (key, (_, value)) in last {
        let parsed = LedgerRecord::from_json(&value).map_err(|reason| {
            Fault::new(
                Class::Conflict,
                format!(
                    "failed to read ledger record {} in topic {}",
                    String::from_utf8_lossy(&key),
                    reader.topic
                ),
            )
            .because(reason)
        })?;
        if parsed.feed() == feed {
            ledger.apply(parsed);
        }
    }
    Ok(ledger)
}

#[cfg(test)]
mod tests {
    use hivecast_contract::{HEADER_EDITION, HEADER_FEED, HEADER_LOAD_DATE, HEADER_OP};

    use super::*;

    #[test]
    fn header_names_are_the_contracts() {
        let pairs =
            [(FEED, HEADER_FEED), (LOAD_DATE, HEADER_LOAD_DATE), (EDITION, HEADER_EDITION), (OP, HEADER_OP)];
        for (name, contract) in pairs {
            assert_eq!(name.to_str(), Ok(contract));
        }
    }
}
