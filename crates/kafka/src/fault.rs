use hivecast_run::{Class, Fault};
use rdkafka::types::RDKafkaErrorCode as Code;

use crate::watch::Watch;

/// What to do about a record that is too large.
pub(crate) const SMALLER_OR_LARGER: &str =
    "raise the topic's max.message.bytes (topic_settings), or make the document smaller";

/// Whether the broker refuses who we are, or we who it is.
pub(crate) fn is_credentials(code: Code) -> bool {
    matches!(code, Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL)
}

/// Whether an access control list stands in the way.
pub(crate) fn is_authorization(code: Code) -> bool {
    matches!(
        code,
        Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
    )
}

/// Whether a newer producer with the same `transactional.id` has taken over.
pub(crate) fn is_fenced(code: Code) -> bool {
    matches!(code, Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch)
}

/// Whether there is no such topic.
pub(crate) fn is_missing(code: Code) -> bool {
    matches!(
        code,
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition | Code::UnknownTopicId
    )
}

fn class_of(code: Code) -> Class {
    match code {
        code if is_credentials(code) || is_authorization(code) => Class::Denied,
        code if is_fenced(code) => Class::Held,
        // Every topic that is used was there, or was created, when the session opened.
        code if is_missing(code) => Class::Conflict,
        Code::MessageSizeTooLarge => Class::Data,
        Code::InvalidTopic
        | Code::InvalidConfig
        | Code::InvalidPartitions
        | Code::InvalidReplicationFactor
        | Code::PolicyViolation
        | Code::InvalidTransactionTimeout => Class::Usage,
        _ => Class::Infrastructure,
    }
}

/// A failed call, as the broker's or librdkafka's code classifies it. `needs` names the rights that
/// the call needs, for when they are lacking. A mere timeout is explained by what the client said in
/// the background.
pub(crate) fn failed(what: impl Into<String>, code: Code, reason: &str, needs: &str, watch: &Watch) -> Fault {
    let what = what.into();
    let class = class_of(code);
    if class == Class::Infrastructure
        && let Some(refusal) = watch.credentials()
    {
        return refused(what, refusal);
    }
    let fault = Fault::new(class, what);
    match class {
        Class::Denied if is_authorization(code) => {
            fault.because(reason.to_owned()).advise(format!("ask for {needs}"))
        }
        Class::Denied => refused(fault.to_string(), reason.to_owned()),
        Class::Infrastructure => {
            let reason = match watch.connection() {
                Some(connection) if !reason.contains(&connection) => format!("{reason}: {connection}"),
                _ => reason.to_owned(),
            };
            fault.because(reason).advise("see that the brokers are up and reachable, then run it again")
        }
        Class::Held => fault
            .because(reason.to_owned())
            .advise("another run publishes this feed; let it finish, then run this again if it is needed"),
        Class::Data => fault.because(reason.to_owned()).advise(SMALLER_OR_LARGER),
        Class::Conflict => fault
            .because(reason.to_owned())
            .advise("the topic is gone: see who deleted it; --replace publishes it again whole"),
        _ => fault.because(reason.to_owned()),
    }
}

/// Credentials that were refused, by the broker or by us.
pub(crate) fn refused(what: String, reason: String) -> Fault {
    Fault::denied(what)
        .because(reason)
        .advise("check the user, the password and the mechanism (sasl.*), and the certificates (ssl.*)")
}
