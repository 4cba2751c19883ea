//! The suite that every target passes.

use hivecast_kafka::KafkaTarget;
use hivecast_publish::Target;
use hivecast_testkit::conformance::Fixture;
use hivecast_testkit::target_conformance;

use crate::support::{delete_topic, settings, unique};

/// A real commit takes tens of milliseconds, so a few schedules must do here.
const SCHEDULE_SEEDS: u64 = 4;

struct Kafka {
    ledger: String,
}

impl Fixture for Kafka {
    fn client(&self) -> Box<dyn Target> {
        Box::new(KafkaTarget::new(settings(&[]), self.ledger.clone()).expect("a client"))
    }

    fn unique_name(&self, case: &str) -> String {
        unique(case)
    }

    fn delete_topic(&self, topic: &str) {
        delete_topic(topic);
    }

    fn schedule_seeds(&self) -> u64 {
        SCHEDULE_SEEDS
    }
}

target_conformance!(Kafka { ledger: unique("ledger") });
