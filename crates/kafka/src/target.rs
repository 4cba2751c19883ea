use hivecast_contract::{HEADER_EDITION, HEADER_FEED, HEADER_LOAD_DATE, HEADER_OP};
use hivecast_publish::{Ledger, Probe, Record, Session, Slot, Target, TargetLimits, TopicSpec, View};
use hivecast_run::{Cancel, Class, Context, Fault, Result};
use rdkafka::producer::BaseProducer;

use crate::admin::{Admin, Configuration};
use crate::native::{Producer, TopicDescription};
use crate::reader::{LEDGER_PARTITION, Reader, partition_number, read_ledger, record, undecided};
use crate::session::{KafkaSession, Opened};
use crate::settings::{Settings, config_fault};
use crate::watch::Watch;

/// The ledger topic where the project names none.
pub const DEFAULT_LEDGER_TOPIC: &str = "hivecast.ledger";

/// Kafka's own default of `message.max.bytes`, for when we may not ask.
const DEFAULT_MESSAGE_BYTES: u64 = 1_048_588;

/// Bytes of an empty record batch, format version 2 (Kafka's documentation, "Record Batch").
const BATCH_OVERHEAD: u64 = 61;
/// Most bytes that a record adds to its key, value and headers: seven numbers of variable length and
/// one byte of attributes (the same, "Record").
const RECORD_OVERHEAD: u64 = 5 + 10 + 5 + 5 + 5 + 5 + 5 + 1;
/// Most bytes that a header adds to its name and value: their two lengths.
const HEADER_OVERHEAD: u64 = 5 + 5;
/// Most bytes of a load_date, an edition's id and an operation, as header values.
const HEADER_VALUE_BYTES: u64 = 10 + 64 + 6;

/// A Kafka cluster, with the ledger in a compacted topic of one partition. Opening a session fences
/// earlier ones of the same feed and slot by their `transactional.id`.
pub struct KafkaTarget {
    pub(crate) settings: Settings,
    pub(crate) ledger_topic: String,
    pub(crate) admin: Admin,
}

impl std::fmt::Debug for KafkaTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaTarget")
            .field("settings", &self.settings)
            .field("ledger_topic", &self.ledger_topic)
            .finish_non_exhaustive()
    }
}

/// What the cluster says of a feed's topic and of the ledger, before anything is written.
struct Findings {
    topic: Option<TopicDescription>,
    ledger: Option<TopicDescription>,
    /// Most bytes of one batch of the topic.
    message_bytes: u64,
}

impl KafkaTarget {
    /// A target at the cluster that `settings` name, with its ledger in `ledger_topic`. Nothing is
    /// asked of the cluster yet. A certificate that cannot be read and the like: [`Class::Usage`].
    pub fn new(settings: Settings, ledger_topic: impl Into<String>) -> Result<KafkaTarget> {
        let admin = Admin::new(&settings)?;
        Ok(KafkaTarget { settings, ledger_topic: ledger_topic.into(), admin })
    }

    /// Looks at the topic and the ledger, refuses what cannot work, and tells `warnings` of what a
    /// person should know.
    fn examine(
        &self,
        spec: &TopicSpec,
        cancel: &Cancel,
        warnings: &mut dyn FnMut(String),
    ) -> Result<Findings> {
        let topic = self.admin.topic(&spec.topic, cancel)?;
        if let Some(topic) = &topic {
            check_partitions(spec, topic)?;
        }
        let ledger = self.admin.topic(&self.ledger_topic, cancel)?;
        if let Some(ledger) = &ledger {
            self.check_ledger(ledger, cancel, warnings)?;
        }
        let broker = self.admin.broker_configuration(&self.ledger_topic, cancel)?;
        self.check_transaction_timeout(broker.as_ref())?;
        let configuration = match &topic {
            Some(_) => self.admin.topic_configuration(&spec.topic, cancel)?,
            None => None,
        };
        if let (Some(topic), Some(configuration)) = (&topic, &configuration) {
            compare_settings(spec, configuration, warnings);
            check_copies(&spec.topic, topic.replicas, configuration.get("min.insync.replicas"))?;
            warn_of_weak_copies(&spec.topic, topic, configuration, warnings);
        }
        if let (None, Some(broker)) = (&topic, &broker) {
            check_copies_to_be(spec, broker)?;
        }
        let known = message_bytes(spec, configuration.as_ref(), broker.as_ref());
        let message_bytes = known.unwrap_or_else(|| {
            warnings(unknown_limit(&spec.topic, topic.as_ref()));
            DEFAULT_MESSAGE_BYTES
        });
        Ok(Findings { topic, ledger, message_bytes })
    }

    /// A ledger that is not compacted grows for ever; one that deletes forgets what was published.
    fn check_ledger(
        &self,
        ledger: &TopicDescription,
        cancel: &Cancel,
        warnings: &mut dyn FnMut(String),
    ) -> Result<()> {
        let name = &self.ledger_topic;
        if ledger.partitions != 1 {
            return Err(Fault::usage(format!(
                "ledger topic {name} has {} partitions; it must have 1, so that its records have one order",
                ledger.partitions
            ))
            .advise("name another ledger topic, which is created as it must be"));
        }
        match self.admin.topic_configuration(name, cancel)? {
            Some(configuration) => {
                let policy = configuration.get("cleanup.policy").map_or("", String::as_str);
                if policy != "compact" {
                    return Err(Fault::usage(format!(
                        "ledger topic {name} has cleanup.policy={policy}, and so would forget what was published"
                    ))
                    .advise(format!("set cleanup.policy=compact on topic {name}")));
                }
                check_copies(name, ledger.replicas, configuration.get("min.insync.replicas"))?;
                warn_of_weak_copies(name, ledger, &configuration, warnings);
            }
            None => warnings(format!(
                "not allowed to read the settings of ledger topic {name}; its cleanup.policy must be compact"
            )),
        }
        Ok(())
    }

    fn check_transaction_timeout(&self, broker: Option<&Configuration>) -> Result<()> {
        let ours = self.settings.transaction_timeout().as_millis();
        let most = broker
            .and_then(|broker| broker.get("transaction.max.timeout.ms"))
            .and_then(|text| text.parse::<u128>().ok());
        match most {
            Some(most) if ours > most => Err(Fault::usage(format!(
                "transaction.timeout.ms is {ours}, and the broker takes at most {most} \
                 (its transaction.max.timeout.ms)"
            ))),
            _ => Ok(()),
        }
    }

    pub(crate) fn producer(
        &self,
        transactional_id: &str,
        message_bytes: u64,
        topic: &str,
    ) -> Result<Producer> {
        let client: BaseProducer<Watch> = self
            .settings
            .producer(transactional_id, message_bytes)
            .create_with_context(Watch::default())
            .map_err(config_fault)?;
        Producer::new(client, topic, &self.ledger_topic)
            .ok_or_else(|| Fault::bug("librdkafka could not make the producer's handles"))
    }

    /// Adds which cluster it was.
    pub(crate) fn at_cluster<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|fault| match fault.class() {
            Class::Interrupted => fault,
            _ => fault.within(self.name()),
        })
    }

    fn open_session<'a>(
        &'a self,
        spec: &TopicSpec,
        slot: Slot,
        context: &Context<'a>,
    ) -> Result<KafkaSession<'a>> {
        let Findings { topic, ledger, message_bytes } = self.examine(spec, context.cancel, &mut |_| {})?;
        if ledger.is_none() {
            let settings = [("cleanup.policy", "compact")];
            let created = self.admin.create(&self.ledger_topic, 1, &settings, context)?;
            self.warn_of_created(&self.ledger_topic, &created, context)?;
        }
        let topic = match topic {
            Some(topic) => topic,
            None => {
                let settings: Vec<_> =
                    spec.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                let created = self.admin.create(&spec.topic, spec.partitions, &settings, context)?;
                // Another run may have created it first, in its own way.
                check_partitions(spec, &created)?;
                self.warn_of_created(&spec.topic, &created, context)?;
                created
            }
        };
        let session = self.take_over(spec, slot, message_bytes, topic.id, *context)?;
        // Only now, after the fence: nothing that an earlier session does can change it any more.
        let ledger = self.read_ledger(&spec.feed, View::Settled, context)?;
        Ok(session.with_ledger(ledger))
    }

    /// Tells of a topic that was just made what [`KafkaTarget::examine`] tells of one that is there.
    fn warn_of_created(&self, name: &str, topic: &TopicDescription, context: &Context<'_>) -> Result<()> {
        let configuration = self.admin.topic_configuration(name, context.cancel)?.unwrap_or_default();
        warn_of_weak_copies(name, topic, &configuration, &mut |warning| context.warn(warning));
        Ok(())
    }

    /// Makes the slot's producer, which ends every earlier one and what it left.
    fn take_over<'a>(
        &'a self,
        spec: &TopicSpec,
        slot: Slot,
        message_bytes: u64,
        topic_id: String,
        context: Context<'a>,
    ) -> Result<KafkaSession<'a>> {
        let transactional_id = transactional_id(&self.ledger_topic, &spec.feed, slot);
        let producer = self.producer(&transactional_id, message_bytes, &spec.topic)?;
        KafkaSession::init(
            producer,
            Opened {
                settings: &self.settings,
                admin: &self.admin,
                context,
                feed: spec.feed.clone(),
                topic: spec.topic.clone(),
                ledger_topic: &self.ledger_topic,
                partitions: spec.partitions,
                transactional_id,
                topic_id,
                record_bytes: record_bytes(message_bytes, &spec.feed),
            },
        )
    }

    fn read_ledger(&self, feed: &str, view: View, context: &Context<'_>) -> Result<Ledger> {
        let high = match view {
            View::Now => None,
            View::Settled => {
                Some(self.admin.high_watermark(&self.ledger_topic, LEDGER_PARTITION, context.cancel)?)
            }
        };
        let reader = Reader::new(&self.settings, &self.ledger_topic, context)?;
        let stable = reader.stable_end(LEDGER_PARTITION)?;
        let end = match high.filter(|high| *high > stable) {
            Some(high) => self.settled_end(&reader, stable, high, feed, context)?,
            None => stable,
        };
        read_ledger(&reader, end, feed)
    }

    /// Where the ledger is decided as far as the feed is concerned. An open transaction hides what
    /// comes after it, be it this feed's last word, and is waited for then; where only other feeds
    /// speak behind it, it is none of ours.
    fn settled_end(
        &self,
        reader: &Reader<'_>,
        stable: i64,
        high: i64,
        feed: &str,
        context: &Context<'_>,
    ) -> Result<i64> {
        let all = Reader::of_undecided(&self.settings, &self.ledger_topic, context)?;
        let undecided = undecided(&all, stable, high, feed)?;
        let Some(last) = undecided.last_own else { return Ok(stable) };
        let holder = match undecided.first {
            Some(key) => format!("the transaction of {key:?}"),
            None => ANY_HOLDER.to_owned(),
        };
        reader.wait_until_stable(LEDGER_PARTITION, last + 1, &holder)?;
        Ok(last + 1)
    }
}

/// Whose transaction it is where that can't be told.
const ANY_HOLDER: &str = "a producer's transaction";

/// Who a slot's session is to the brokers: whoever opens next must fence whoever was before, so never a
/// date, a host or the number of writers in it. The ledger is in it since it is what a writer must be alone with: one feed may be
/// published to two ledgers of a cluster. No name has a colon in it, so that two never give one id.
fn transactional_id(ledger_topic: &str, feed: &str, slot: Slot) -> String {
    format!("{}{slot}", transactional_prefix(ledger_topic, feed))
}

/// What the ids of all of a feed's slots begin with, by which rights are granted.
pub(crate) fn transactional_prefix(ledger_topic: &str, feed: &str) -> String {
    format!("hivecast.{ledger_topic}:{feed}:")
}

impl Target for KafkaTarget {
    fn name(&self) -> String {
        format!("kafka {}", self.settings.bootstrap())
    }

    fn preflight(&self, spec: &TopicSpec, context: &Context<'_>) -> Result<TargetLimits> {
        let findings =
            self.at_cluster(self.examine(spec, context.cancel, &mut |warning| context.warn(warning)))?;
        Ok(TargetLimits { record_bytes: Some(record_bytes(findings.message_bytes, &spec.feed)) })
    }

    fn open<'a>(
        &'a self,
        spec: &TopicSpec,
        slot: Slot,
        context: &Context<'a>,
    ) -> Result<Box<dyn Session + 'a>> {
        let session = self.at_cluster(self.open_session(spec, slot, context))?;
        Ok(Box::new(session))
    }

    fn fence(&self, spec: &TopicSpec, slot: Slot, context: &Context<'_>) -> Result<()> {
        // Nothing is sent, so that any limit does, and any topic.
        let taken = self.take_over(spec, slot, DEFAULT_MESSAGE_BYTES, String::new(), *context);
        self.at_cluster(taken.map(drop))
    }

    fn probe(&self, spec: &TopicSpec, context: &Context<'_>) -> Vec<Probe> {
        self.probes(spec, context)
    }

    fn ledger(&self, feed: &str, view: View, context: &Context<'_>) -> Result<Ledger> {
        let read = || match self.admin.topic(&self.ledger_topic, context.cancel)? {
            Some(_) => self.read_ledger(feed, view, context),
            None => Ok(Ledger::default()),
        };
        self.at_cluster(read())
    }

    fn read(
        &self,
        topic: &str,
        partition: u32,
        from: i64,
        to: i64,
        context: &Context<'_>,
        each: &mut dyn FnMut(Record<'_>) -> Result<()>,
    ) -> Result<()> {
        let number = partition_number(partition)?;
        let high = self.at_cluster(self.admin.high_watermark(topic, number, context.cancel))?;
        if from >= high {
            return Ok(());
        }
        let reader = self.at_cluster(Reader::new(&self.settings, topic, context))?;
        let end = if to >= high {
            self.at_cluster(reader.stable_end(number))?
        } else {
            self.at_cluster(reader.wait_until_stable(number, to + 1, ANY_HOLDER))?;
            to + 1
        };
        // Errors of `each` are the caller's own, and are returned as they are.
        reader.read(number, from, end, &mut |message| each(record(message, partition)))
    }
}

fn check_partitions(spec: &TopicSpec, topic: &TopicDescription) -> Result<()> {
    if topic.partitions == spec.partitions {
        return Ok(());
    }
    Err(Fault::conflict(format!(
        "topic {} has {} partitions, and feed {} wants {}",
        spec.topic, topic.partitions, spec.feed, spec.partitions
    ))
    .advise(
        "keys would move between partitions and lose their order: set the feed's `partitions` to the topic's, or \
         publish to a new topic",
    ))
}

fn compare_settings(spec: &TopicSpec, configuration: &Configuration, warnings: &mut dyn FnMut(String)) {
    for (name, wanted) in &spec.settings {
        match configuration.get(name) {
            Some(actual) if actual == wanted => {}
            Some(actual) => {
                warnings(format!("topic {} has {name}={actual}, and the feed says {wanted}", spec.topic));
            }
            None => warnings(format!("topic {} has no setting {name}, which the feed sets", spec.topic)),
        }
    }
}

/// Too few copies can never take a record: better to say so than to try until time is up.
fn check_copies(name: &str, replicas: usize, least: Option<&String>) -> Result<()> {
    match least.and_then(|text| text.parse::<usize>().ok()) {
        Some(least) if replicas < least => Err(Fault::infrastructure(format!(
            "topic {name} can take no record: its replication factor is {replicas}, and its min.insync.replicas \
             {least}"
        ))
        .advise("add replicas to the topic, or lower its min.insync.replicas")),
        _ => Ok(()),
    }
}

/// The same of a topic that is going to be created with the broker's own replication.
fn check_copies_to_be(spec: &TopicSpec, broker: &Configuration) -> Result<()> {
    const LEAST: &str = "min.insync.replicas";
    let replicas = broker.get("default.replication.factor").and_then(|text| text.parse().ok());
    let least = spec.settings.get(LEAST).or_else(|| broker.get(LEAST));
    replicas.map_or(Ok(()), |replicas| check_copies(&spec.topic, replicas, least))
}

fn warn_of_weak_copies(
    name: &str,
    topic: &TopicDescription,
    configuration: &Configuration,
    warnings: &mut dyn FnMut(String),
) {
    if topic.replicas < 2 {
        warnings(format!(
            "topic {name} has replication factor 1: losing one broker loses what was published"
        ));
    } else if configuration.get("min.insync.replicas").is_some_and(|least| least == "1") {
        warnings(format!(
            "topic {name} has min.insync.replicas=1: a record counts as committed when one broker has it"
        ));
    }
}

/// The topic's limit of one batch: its own where it is there, else what it will be created with.
fn message_bytes(
    spec: &TopicSpec,
    topic: Option<&Configuration>,
    broker: Option<&Configuration>,
) -> Option<u64> {
    topic
        .and_then(|topic| topic.get("max.message.bytes"))
        .or_else(|| spec.settings.get("max.message.bytes"))
        .or_else(|| broker.and_then(|broker| broker.get("message.max.bytes")))
        .and_then(|text| text.parse().ok())
}

/// Why the topic's limit is not known: of one that is not there yet only the brokers' settings tell it, which
/// the right to read the topic's own does not open.
fn unknown_limit(name: &str, topic: Option<&TopicDescription>) -> String {
    match topic {
        Some(_) => format!(
            "not allowed to read the settings of topic {name}; records are limited to Kafka's default of \
             {DEFAULT_MESSAGE_BYTES} bytes"
        ),
        None => format!(
            "topic {name} is not there yet, and the brokers' settings, which it will get, may not be read (the \
             right DESCRIBE_CONFIGS on the cluster); until it is there, records are limited to Kafka's default of \
             {DEFAULT_MESSAGE_BYTES} bytes"
        ),
    }
}

/// Most bytes of a record's key and value, so that with its headers and alone in its batch it fits.
/// Brokers count compressed bytes; we count before compression, so that whether a document fits does
/// not depend on the codec.
fn record_bytes(message_bytes: u64, feed: &str) -> u64 {
    let names = [HEADER_FEED, HEADER_LOAD_DATE, HEADER_EDITION, HEADER_OP];
    let headers: u64 = names.iter().map(|name| name.len() as u64 + HEADER_OVERHEAD).sum();
    let overhead = BATCH_OVERHEAD + RECORD_OVERHEAD + headers + HEADER_VALUE_BYTES + feed.len() as u64;
    message_bytes.saturating_sub(overhead)
}
