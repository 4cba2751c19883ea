use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hivecast_run::{Cancel, Context, Fault, Result};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka::util::Timeout;

use crate::fault::{failed, is_authorization, is_missing};
use crate::native::{Inquiry, Patience, TopicDescription};
use crate::settings::Settings;
use crate::wait::{ask, wait_for};
use crate::watch::Watch;

/// How long one question to the cluster may take, connecting included. What is not there by then is
/// reported as infrastructure.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(12);

/// How long refused credentials are believed to be a broker that is still starting.
const CREDENTIALS_PATIENCE: Duration = Duration::from_secs(2);

/// How long a topic that was just created may take to be known, with leaders, by every broker.
const CREATION_TIMEOUT: Duration = Duration::from_secs(30);
const CREATION_LOOK: Duration = Duration::from_millis(50);

/// Asks and tells the cluster about topics.
pub(crate) struct Admin {
    // Dropped before the client that it belongs to.
    inquiry: Inquiry,
    client: AdminClient<Watch>,
}

/// What the cluster said to a topic that was to be created.
enum Creation {
    Accepted,
    AlreadyThere,
}

/// The settings of a topic or of a broker, by name.
pub(crate) type Configuration = BTreeMap<String, String>;

impl Admin {
    pub(crate) fn new(settings: &Settings) -> Result<Admin> {
        settings.check_files()?;
        let client: AdminClient<Watch> = settings
            .admin()
            .create_with_context(Watch::default())
            .map_err(|error| settings.client_fault(error))?;
        let inquiry =
            Inquiry::new(client.inner()).ok_or_else(|| Fault::bug("the Kafka client has no event queue"))?;
        Ok(Admin { inquiry, client })
    }

    /// What the client said in the background, up to now.
    pub(crate) fn watch(&self) -> &Watch {
        let watch: &Watch = self.client.inner().context();
        self.inquiry.serve(watch);
        watch
    }

    /// A topic as the cluster has it; `None` where there is none.
    pub(crate) fn topic(&self, name: &str, cancel: &Cancel) -> Result<Option<TopicDescription>> {
        self.watch().clear();
        let patience = Patience { answer: ANSWER_TIMEOUT, credentials: CREDENTIALS_PATIENCE, cancel };
        let answer = self.inquiry.describe_topic(self.client.inner(), name, patience);
        cancel.check()?;
        match answer {
            Ok(description) => Ok(Some(description)),
            Err(error) if is_missing(error.code) => Ok(None),
            Err(error) => {
                let what = format!("failed to look up topic {name}");
                let needs = format!("the right DESCRIBE on topic {name}");
                Err(failed(what, error.code, &error.reason, &needs, self.watch()))
            }
        }
    }

    /// Creates a topic with the broker's own replication, and waits until the cluster knows it. A
    /// topic that another run creates meanwhile is as good.
    pub(crate) fn create(
        &self,
        name: &str,
        partitions: u32,
        settings: &[(&str, &str)],
        context: &Context<'_>,
    ) -> Result<TopicDescription> {
        match self.ask_to_create(name, partitions, settings, &self.options(), context.cancel)? {
            Creation::AlreadyThere => {}
            Creation::Accepted => context.info(format!("created topic {name} with {partitions} partitions")),
        }
        self.wait_until_known(name, context)
    }

    /// Whether the cluster would let us create the topic so. Nothing is created.
    pub(crate) fn may_create(
        &self,
        name: &str,
        partitions: u32,
        settings: &[(&str, &str)],
        cancel: &Cancel,
    ) -> Result<()> {
        let dry = self.options().validate_only(true);
        self.ask_to_create(name, partitions, settings, &dry, cancel).map(drop)
    }

    fn ask_to_create(
        &self,
        name: &str,
        partitions: u32,
        settings: &[(&str, &str)],
        options: &AdminOptions,
        cancel: &Cancel,
    ) -> Result<Creation> {
        let what = || format!("failed to create topic {name} with {partitions} partitions");
        let count = i32::try_from(partitions).map_err(|_| Fault::usage(what()))?;
        // -1 is the protocol's word for the broker's default.
        let topic = settings
            .iter()
            .fold(NewTopic::new(name, count, TopicReplication::Fixed(-1)), |topic, (name, value)| {
                topic.set(name, value)
            });
        let outcome = wait_for(self.client.create_topics([&topic], options), cancel)?;
        let refusal = match outcome {
            Ok(results) => results.into_iter().find_map(std::result::Result::err).map(|(_, code)| code),
            Err(error) => Some(code_of(&error)),
        };
        let needs = format!("the right CREATE on topic {name}, or have it created for you");
        match refusal {
            Some(Code::TopicAlreadyExists) => Ok(Creation::AlreadyThere),
            Some(code) => Err(failed(what(), code, &code.to_string(), &needs, self.watch())),
            None => Ok(Creation::Accepted),
        }
    }

    fn wait_until_known(&self, name: &str, context: &Context<'_>) -> Result<TopicDescription> {
        let deadline = Instant::now() + CREATION_TIMEOUT;
        loop {
            if let Some(description) = self.topic(name, context.cancel)?
                && description.led
            {
                return Ok(description);
            }
            context.check_cancelled()?;
            if Instant::now() >= deadline {
                return Err(Fault::infrastructure(format!(
                    "topic {name} has partitions without a leader after {} s",
                    CREATION_TIMEOUT.as_secs()
                )));
            }
            std::thread::sleep(CREATION_LOOK);
        }
    }

    /// A topic's settings, defaults included. `None` where we may not see them.
    pub(crate) fn topic_configuration(&self, name: &str, cancel: &Cancel) -> Result<Option<Configuration>> {
        self.configuration(ResourceSpecifier::Topic(name), &format!("topic {name}"), cancel)
    }

    /// The settings of some broker, which stand for the cluster's. `None` where we may not see them.
    /// `topic` is any topic's name, there or not: the list of brokers comes with the answer, and
    /// asking for none would list every topic of the cluster.
    pub(crate) fn broker_configuration(&self, topic: &str, cancel: &Cancel) -> Result<Option<Configuration>> {
        let metadata = ask(cancel, |time| self.client.inner().fetch_metadata(Some(topic), time))?;
        let metadata = metadata.map_err(|error| {
            let code = code_of(&error);
            failed("failed to list the brokers", code, &code.to_string(), "the right DESCRIBE", self.watch())
        })?;
        match metadata.brokers().first() {
            Some(broker) => {
                let what = format!("broker {}", broker.id());
                self.configuration(ResourceSpecifier::Broker(broker.id()), &what, cancel)
            }
            None => Ok(None),
        }
    }

    fn configuration(
        &self,
        of: ResourceSpecifier<'_>,
        what: &str,
        cancel: &Cancel,
    ) -> Result<Option<Configuration>> {
        let outcome = wait_for(self.client.describe_configs([&of], &self.options()), cancel)?;
        let result = match outcome {
            Ok(results) => results.into_iter().next().unwrap_or(Err(Code::Fail)),
            Err(error) => Err(code_of(&error)),
        };
        match result {
            Ok(resource) => Ok(Some(
                resource
                    .entries
                    .into_iter()
                    .filter_map(|entry| entry.value.map(|value| (entry.name, value)))
                    .collect(),
            )),
            Err(code) if is_authorization(code) => Ok(None),
            Err(code) => Err(failed(
                format!("failed to read the settings of {what}"),
                code,
                &code.to_string(),
                "the right DESCRIBE_CONFIGS",
                self.watch(),
            )),
        }
    }

    /// The end of a partition, open transactions included: the high watermark.
    pub(crate) fn high_watermark(&self, topic: &str, partition: i32, cancel: &Cancel) -> Result<i64> {
        match ask(cancel, |time| self.client.inner().fetch_watermarks(topic, partition, time))? {
            Ok((_, high)) => Ok(high),
            Err(error) => {
                let code = code_of(&error);
                let what = format!("failed to read the end of partition {partition} of topic {topic}");
                let needs = format!("the right DESCRIBE on topic {topic}");
                Err(failed(what, code, &code.to_string(), &needs, self.watch()))
            }
        }
    }

    fn options(&self) -> AdminOptions {
        AdminOptions::new()
            .request_timeout(Some(Timeout::After(ANSWER_TIMEOUT)))
            .operation_timeout(Some(Timeout::After(ANSWER_TIMEOUT)))
    }
}

/// The code in an error of any call.
pub(crate) fn code_of(error: &KafkaError) -> Code {
    match error {
        KafkaError::AdminOp(code) => *code,
        error => error.rdkafka_error_code().unwrap_or(Code::Fail),
    }
}
