//! Whether everything that publishing needs is granted, found out without publishing.

use hivecast_publish::{Probe, TopicSpec};
use hivecast_run::{Cancel, Context, Fault, Result};

use crate::KafkaTarget;
use crate::native::Right;
use crate::session::{KafkaSession, Opened};
use crate::target::transactional_prefix;

/// Ends the `transactional.id` that is tried: no writer's, which would fence a run that is under way, and
/// with the beginning that every id of the feed has, since rights are granted by that.
const PROBE: &str = "doctor";

impl KafkaTarget {
    /// One probe each of the topic's rights, the ledger's, and transactions.
    pub(crate) fn probes(&self, spec: &TopicSpec, context: &Context<'_>) -> Vec<Probe> {
        let settings: Vec<_> =
            spec.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let probe = |what: &str, outcome| Probe { what: what.to_owned(), outcome: self.at_cluster(outcome) };
        vec![
            probe(
                "rights on the topic",
                self.rights(&spec.topic, spec.partitions, &settings, context.cancel),
            ),
            probe(
                "rights on the ledger",
                self.rights(&self.ledger_topic, 1, &[("cleanup.policy", "compact")], context.cancel),
            ),
            probe("transactions", self.transactions(spec, context)),
        ]
    }

    /// A topic must be readable and writable, and one that is missing must be ours to create.
    fn rights(
        &self,
        name: &str,
        partitions: u32,
        settings: &[(&str, &str)],
        cancel: &Cancel,
    ) -> Result<String> {
        let Some(topic) = self.admin.topic(name, cancel)? else {
            self.admin.may_create(name, partitions, settings, cancel)?;
            return Ok(format!("topic {name} is not there yet, and the first publish may create it"));
        };
        let lacking: Vec<&str> = [(Right::Read, "READ"), (Right::Write, "WRITE")]
            .into_iter()
            .filter(|(right, _)| !topic.rights.contains(right))
            .map(|(_, name)| name)
            .collect();
        match lacking.is_empty() {
            true => Ok(format!(
                "may read and write topic {name}, which has replication factor {}",
                topic.replicas
            )),
            false => Err(Fault::denied(format!("not allowed to {} topic {name}", lacking.join(" and ")))
                .advise(format!("ask for the right {} on topic {name}", lacking.join(" and the right ")))),
        }
    }

    /// Whether a transactional producer may begin. It sends nothing.
    fn transactions(&self, spec: &TopicSpec, context: &Context<'_>) -> Result<String> {
        let id = transactional_prefix(&self.ledger_topic, &spec.feed) + PROBE;
        let producer = self.producer(&id, MESSAGE_BYTES, &spec.topic)?;
        KafkaSession::init(
            producer,
            Opened {
                admin: &self.admin,
                settings: &self.settings,
                context: *context,
                feed: spec.feed.clone(),
                topic: spec.topic.clone(),
                ledger_topic: &self.ledger_topic,
                partitions: spec.partitions,
                transactional_id: id.clone(),
                topic_id: String::new(),
                record_bytes: MESSAGE_BYTES,
            },
        )?;
        Ok(format!("may begin transactions, tried as {id}"))
    }
}

/// Any limit does: nothing is sent.
const MESSAGE_BYTES: u64 = 1_000_000;
