use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::ErrorKind;
use std::time::Duration;

use hivecast_run::{Fault, Result};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::KafkaError;

/// Most bytes that wait in the producer, in KiB (`queue.buffering.max.kbytes`): what keeps memory
/// flat, whatever the size of a chunk.
pub const MESSAGE_QUEUE_KIB: u64 = 64 * 1024;

/// `transaction.timeout.ms` where the user sets none: how long a killed run's open transaction can
/// hold back committed readers. Also the longest that a chunk may take.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(60);

/// librdkafka wants a group before it lets a consumer assign partitions to itself. The group is
/// never joined, and nothing is committed to it, so no right on it is needed.
const READER_GROUP: &str = "hivecast-reader";

/// librdkafka has two names for some properties; each is kept under the second.
const ALIASES: [(&str, &str); 10] = [
    ("metadata.broker.list", "bootstrap.servers"),
    ("sasl.mechanisms", "sasl.mechanism"),
    ("request.required.acks", "acks"),
    ("compression.codec", "compression.type"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("delivery.timeout.ms", "message.timeout.ms"),
    ("message.send.max.retries", "retries"),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    ("auto.commit.enable", "enable.auto.commit"),
    ("max.partition.fetch.bytes", "fetch.message.max.bytes"),
];

/// Properties that the promises rest on: the only values that a user may give, and why.
const FIXED: [(&str, &[&str], &str); 10] = [
    ("acks", &["all", "-1"], "a committed record must be on every in-sync replica"),
    ("enable.idempotence", &["true"], "nothing may be sent twice"),
    ("isolation.level", &["read_committed"], "aborted records must not be read"),
    ("enable.auto.commit", &["false"], "reading back keeps no position"),
    ("enable.partition.eof", &["true"], "reading back must know where a partition ends"),
    ("delivery.report.only.error", &["false"], "every record's delivery is counted"),
    ("allow.auto.create.topics", &["false"], "topics are created with the feed's partitions"),
    ("transactional.id", &[], "it is made of the ledger's name, the feed's and the writer"),
    ("group.id", &[], "reading back joins no group"),
    ("partitioner", &[], "keys are partitioned as Java's client does it"),
];

/// Properties whose value may be shown; any other may be a secret.
const SHOWN: [&str; 5] =
    ["bootstrap.servers", "security.protocol", "sasl.mechanism", "client.id", "compression.type"];

/// How to reach the cluster: librdkafka's own property names. Debug shows no value that may be a
/// secret.
#[derive(Clone)]
pub struct Settings {
    properties: BTreeMap<String, String>,
}

/// Properties that name a file, which librdkafka reads where it speaks TLS.
const FILES: [&str; 5] = [
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.crl.location",
    "ssl.keystore.location",
];

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |name: &str| SHOWN.contains(&name);
        f.debug_map()
            .entries(
                self.properties
                    .iter()
                    .map(|(name, value)| (name, if shown(name) { value.as_str() } else { "(not shown)" })),
            )
            .finish()
    }
}

impl Settings {
    /// Takes librdkafka's properties as the user wrote them. An unknown property, a bad value, one
    /// that breaks a promise, or no `bootstrap.servers`: [`hivecast_run::Class::Usage`].
    pub fn new(properties: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let mut canonical = BTreeMap::new();
        for (name, value) in properties {
            let name =
                ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, to)| (*to).to_owned());
            if canonical.insert(name.clone(), value).is_some() {
                return Err(Fault::usage(format!("Kafka property {name} is given under two names")));
            }
        }
        for (name, accepted, why) in FIXED {
            if let Some(value) = canonical.get(name)
                && !accepted.contains(&value.as_str())
            {
                return Err(refused(name, accepted, why));
            }
        }
        if canonical.get("bootstrap.servers").is_none_or(|servers| servers.trim().is_empty()) {
            return Err(Fault::usage("no Kafka property bootstrap.servers")
                .advise("name the brokers to begin with, for example bootstrap.servers: \"kafka:9093\""));
        }
        let settings = Settings { properties: canonical };
        settings.base().create_native_config().map_err(config_fault)?;
        Ok(settings)
    }

    /// The brokers to begin with.
    pub(crate) fn bootstrap(&self) -> &str {
        self.properties.get("bootstrap.servers").map_or("", String::as_str)
    }

    /// What one property was set to.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.properties.get(name).map(String::as_str)
    }

    /// Fails where a file that a property names can't be read: librdkafka would quote OpenSSL, which says neither
    /// which file it is nor why.
    pub(crate) fn check_files(&self) -> Result<()> {
        if !self.get("security.protocol").is_some_and(|protocol| protocol.to_lowercase().contains("ssl")) {
            return Ok(());
        }
        for name in FILES {
            // `probe` is librdkafka's word for the machine's own certificates.
            let Some(path) = self.get(name).filter(|path| *path != "probe") else { continue };
            File::open(path).map_err(|error| {
                let what = format!("failed to read {path}, which Kafka property {name} names");
                match error.kind() {
                    ErrorKind::PermissionDenied => Fault::io(what, error)
                        .advise("let the user that Hivecast runs as read the file"),
                    _ => Fault::usage(what).because(error).advise(format!(
                        "correct {name} in the project file's `kafka`; a path that is not absolute counts from the \
                         directory in which hivecast is run"
                    )),
                }
            })?;
        }
        Ok(())
    }

    /// Why no client could be made, with the file that a property names where librdkafka blames the property.
    pub(crate) fn client_fault(&self, error: KafkaError) -> Fault {
        let text = error.to_string();
        let named =
            FILES.iter().find_map(|name| Some((name, self.get(name).filter(|_| text.contains(name))?)));
        match named {
            Some((name, path)) => {
                Fault::usage(format!("failed to use {path}, which Kafka property {name} names"))
                    .because(error)
                    .advise(format!("correct {name} in the project file's `kafka`, or the file"))
            }
            None => config_fault(error),
        }
    }

    /// How long a transaction may stay open before the broker aborts it.
    pub(crate) fn transaction_timeout(&self) -> Duration {
        self.get("transaction.timeout.ms")
            .and_then(|text| text.parse().ok())
            .map_or(TRANSACTION_TIMEOUT, Duration::from_millis)
    }

    /// For questions about the cluster. It sees the high watermark, where committed readers see the
    /// last stable offset.
    pub(crate) fn admin(&self) -> ClientConfig {
        self.with(&[("isolation.level", "read_uncommitted"), ("allow.auto.create.topics", "false")], &[])
    }

    /// For one writer. `message_max_bytes` is the topic's limit.
    pub(crate) fn producer(&self, transactional_id: &str, message_max_bytes: u64) -> ClientConfig {
        let queue = MESSAGE_QUEUE_KIB.to_string();
        let timeout = self.transaction_timeout().as_millis().to_string();
        let message = message_max_bytes.to_string();
        self.with(
            &[
                ("acks", "all"),
                ("enable.idempotence", "true"),
                ("transactional.id", transactional_id),
                ("isolation.level", "read_committed"),
                ("allow.auto.create.topics", "false"),
            ],
            &[
                ("compression.type", "lz4"),
                // Batches fill by size long before; this only bounds how long a chunk's last one waits.
                ("linger.ms", "5"),
                ("queue.buffering.max.kbytes", &queue),
                ("message.max.bytes", &message),
                ("transaction.timeout.ms", &timeout),
            ],
        )
    }

    /// For reading back what is committed.
    pub(crate) fn consumer(&self) -> ClientConfig {
        self.with(
            &[
                ("isolation.level", "read_committed"),
                ("enable.auto.commit", "false"),
                ("enable.partition.eof", "true"),
                ("allow.auto.create.topics", "false"),
                ("group.id", READER_GROUP),
                // Records that retention or compaction removed are passed over.
                ("auto.offset.reset", "earliest"),
            ],
            &[
                // The broker holds back an answer at the end of a partition for this long; the end is
                // what a reader here waits for.
                ("fetch.wait.max.ms", "20"),
                // librdkafka fetches ahead up to this much, and then pauses for the other.
                ("queued.max.messages.kbytes", "32768"),
                ("fetch.queue.backoff.ms", "2"),
            ],
        )
    }

    fn with(&self, fixed: &[(&str, &str)], defaults: &[(&str, &str)]) -> ClientConfig {
        let mut config = self.base();
        for (name, value) in defaults {
            if self.get(name).is_none() {
                config.set(*name, *value);
            }
        }
        for (name, value) in fixed {
            config.set(*name, *value);
        }
        config
    }

    fn base(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("client.id", "hivecast");
        // A broker that restarts is found again soon (librdkafka's default is 10 s).
        config.set("reconnect.backoff.max.ms", "1000");
        config.extend(self.properties.clone());
        let verbose = tracing::enabled!(target: "librdkafka", tracing::Level::DEBUG);
        config.set_log_level(if verbose { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Warning });
        config
    }
}

fn refused(name: &str, accepted: &[&str], why: &str) -> Fault {
    let advice = match accepted {
        [] => "leave it out".to_owned(),
        accepted => format!("leave it out, or set it to {}", accepted[0]),
    };
    Fault::usage(format!("Kafka property {name} cannot be set so: {why}")).advise(advice)
}

/// A property that librdkafka refuses. Its text repeats the value, so it is kept only where the value
/// may be shown.
pub(crate) fn config_fault(error: KafkaError) -> Fault {
    match error {
        KafkaError::ClientConfig(_, reason, name, _) if SHOWN.contains(&name.as_str()) => {
            Fault::usage(format!("failed to set Kafka property {name}")).because(reason)
        }
        KafkaError::ClientConfig(_, reason, name, _)
            if reason.starts_with("No such configuration property") =>
        {
            Fault::usage(format!("unknown Kafka property {name}"))
                .advise("properties have librdkafka's names, as its CONFIGURATION.md lists them")
        }
        KafkaError::ClientConfig(_, _, name, _) => {
            Fault::usage(format!("failed to set Kafka property {name}: librdkafka refuses its value"))
        }
        // Says which file or property is wrong, for instance a certificate that cannot be read.
        other => Fault::usage("failed to set up the Kafka client").because(other),
    }
}

#[cfg(test)]
mod tests {
    use hivecast_run::Class;

    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Result<Settings> {
        let own = [("bootstrap.servers", "localhost:9092")];
        Settings::new(own.iter().chain(pairs).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn debug_and_errors_show_no_secret() {
        let secret = "hunter2";
        let shown = format!("{:?}", settings(&[("sasl.password", secret), ("ssl.key.pem", secret)]).unwrap());
        assert!(!shown.contains(secret) && shown.contains("sasl.password"), "{shown}");
        for name in ["linger.ms", "no.such.property", "acks", "transactional.id"] {
            let fault = settings(&[(name, secret)]).unwrap_err();
            assert_eq!(fault.class(), Class::Usage, "{name}");
            let text = format!("{} {:?} {:?}", fault.chain(), fault.advice(), fault);
            assert!(text.contains(name) && !text.contains(secret), "{text}");
        }
    }

    #[test]
    fn what_promises_rest_on_cannot_be_set_otherwise() {
        for (name, value) in [
            ("acks", "1"),
            ("request.required.acks", "0"),
            ("enable.idempotence", "false"),
            ("transactional.id", "mine"),
            ("isolation.level", "read_uncommitted"),
            ("delivery.report.only.error", "true"),
            ("group.id", "mine"),
            ("partitioner", "murmur2_random"),
        ] {
            assert_eq!(settings(&[(name, value)]).unwrap_err().class(), Class::Usage, "{name}={value}");
        }
        settings(&[("acks", "-1"), ("enable.idempotence", "true")]).unwrap();
    }

    #[test]
    fn a_users_property_wins_over_a_default_under_either_name() {
        let settings = settings(&[("compression.codec", "zstd"), ("linger.ms", "50")]).unwrap();
        let config = settings.producer("hivecast.l:f:1-of-1", 1_000_000);
        assert_eq!(config.get("compression.type"), Some("zstd"));
        assert_eq!(config.get("compression.codec"), None);
        assert_eq!(config.get("linger.ms"), Some("50"));
        assert_eq!(config.get("acks"), Some("all"));
    }

    #[test]
    fn one_property_under_two_names_is_refused() {
        let fault = settings(&[("compression.codec", "zstd"), ("compression.type", "lz4")]).unwrap_err();
        assert!(fault.to_string().contains("compression.type"), "{fault}");
    }

    #[test]
    fn a_file_that_is_not_there_or_not_fit_is_named_with_its_property() {
        let no_certificate = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        for path in ["/nonexistent/ca.pem", no_certificate] {
            let tls = settings(&[("security.protocol", "SSL"), ("ssl.ca.location", path)]).unwrap();
            let fault = crate::KafkaTarget::new(tls, "ledger").unwrap_err();
            assert_eq!(fault.class(), Class::Usage);
            let told = fault.chain();
            assert!(told.contains(path) && told.contains("ssl.ca.location"), "{told}");
            assert!(fault.advice().is_some_and(|advice| advice.contains("ssl.ca.location")), "{fault:?}");
        }
        // It is not read where nothing speaks TLS.
        settings(&[("ssl.ca.location", "/nonexistent/ca.pem")]).unwrap().check_files().unwrap();
    }

    #[test]
    fn brokers_must_be_named() {
        assert_eq!(Settings::new([]).unwrap_err().class(), Class::Usage);
    }
}
