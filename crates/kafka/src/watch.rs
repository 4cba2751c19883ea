use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::producer::{DeliveryResult, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;

use crate::fault::is_credentials;

/// What a client said went wrong in the background. librdkafka answers a wrong password or an
/// unknown certificate authority with a mere timeout; the reason comes here alone.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    troubles: Mutex<Troubles>,
}

#[derive(Debug, Default)]
struct Troubles {
    credentials: Option<String>,
    connection: Option<String>,
}

impl Watch {
    /// The last refusal of who we are or of who the broker says it is.
    pub(crate) fn credentials(&self) -> Option<String> {
        self.lock().credentials.clone()
    }

    /// The last failure to reach a broker.
    pub(crate) fn connection(&self) -> Option<String> {
        self.lock().connection.clone()
    }

    /// Forgets what went wrong before: a call has succeeded since.
    pub(crate) fn clear(&self) {
        *self.lock() = Troubles::default();
    }

    /// Takes one error event.
    pub(crate) fn note(&self, code: RDKafkaErrorCode, reason: &str) {
        // An event of reading, and no trouble.
        if code == RDKafkaErrorCode::PartitionEOF {
            return;
        }
        tracing::debug!(target: "librdkafka", "{code}: {reason}");
        let mut troubles = self.lock();
        if is_credentials(code) {
            troubles.credentials = Some(reason.to_owned());
        } else if code != RDKafkaErrorCode::AllBrokersDown {
            // "All brokers are down" says less than what came before it.
            troubles.connection = Some(reason.to_owned());
        }
    }

    /// Takes one log line. What matters of it reaches people as a fault, so it is for those who look.
    pub(crate) fn log_line(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => tracing::info!(target: "librdkafka", "{facility}: {text}"),
            _ => tracing::debug!(target: "librdkafka", "{facility}: {text}"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Troubles> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Watch {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.log_line(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.note(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown), reason);
    }
}

impl ConsumerContext for Watch {}

impl ProducerContext for Watch {
    type DeliveryOpaque = ();

    /// Deliveries are counted where `native` serves the producer's queue; only what is left when a
    /// producer is dropped comes here.
    fn delivery(&self, _result: &DeliveryResult<'_>, _opaque: ()) {}
}
