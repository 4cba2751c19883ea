//! The part of librdkafka that the safe wrapper lacks, and the only module that calls C.
//!
//! Why each is here, and not done through `rdkafka`:
//! - producing: the wrapper allocates a topic name for every record and looks the topic up by it;
//!   here a record costs one copy of its bytes and one of its headers;
//! - serving a producer's events: the wrapper's `flush` sleeps up to 100 ms at a time after the last
//!   delivery has come, twice for each commit, and its admin client never serves the queue that
//!   refused credentials are told through;
//! - describing a topic: the wrapper has no call for it, and a topic's id is told in no other way.
#![allow(unsafe_code, reason = "calls librdkafka's C interface, for the reasons above")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{self, NonNull};
use std::time::{Duration, Instant};

use hivecast_contract::Operation;
use hivecast_run::Cancel;
use rdkafka::bindings as sys;
use rdkafka::client::Client;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::message::BorrowedMessage;
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::types::{RDKafkaErrorCode as Code, RDKafkaRespErr};

use crate::watch::Watch;

/// How long one look at an admin queue lasts, so that refused credentials are seen in between.
const LOOK: Duration = Duration::from_millis(50);

fn millis(time: Duration) -> c_int {
    c_int::try_from(time.as_millis()).unwrap_or(c_int::MAX)
}

/// A C string as text; empty for a null pointer.
///
/// # Safety
/// `text` is null or points to a NUL-terminated string.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: by this function's own contract.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// One reference to a queue of events.
struct Queue(NonNull<sys::rd_kafka_queue_t>);

// SAFETY: librdkafka's handles may be used from any thread ("The library is completely thread-safe",
// INTRODUCTION.md).
unsafe impl Send for Queue {}
// SAFETY: as above.
unsafe impl Sync for Queue {}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: the reference that this value holds is given back once.
        unsafe { sys::rd_kafka_queue_destroy(self.0.as_ptr()) }
    }
}

impl Queue {
    fn main(client: &Client<Watch>) -> Option<Queue> {
        // SAFETY: the client is alive; the call returns a reference of our own.
        NonNull::new(unsafe { sys::rd_kafka_queue_get_main(client.native_ptr()) }).map(Queue)
    }

    fn own(client: &Client<Watch>) -> Option<Queue> {
        // SAFETY: as in `main`.
        NonNull::new(unsafe { sys::rd_kafka_queue_new(client.native_ptr()) }).map(Queue)
    }

    fn poll(&self, timeout: Duration) -> Option<Event> {
        // SAFETY: the queue is alive; the event is ours to destroy.
        NonNull::new(unsafe { sys::rd_kafka_queue_poll(self.0.as_ptr(), millis(timeout)) }).map(Event)
    }
}

/// One event of a queue.
struct Event(NonNull<sys::rd_kafka_event_t>);

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the event is destroyed once; nothing that it lent outlives this value.
        unsafe { sys::rd_kafka_event_destroy(self.0.as_ptr()) }
    }
}

impl Event {
    fn kind(&self) -> c_int {
        // SAFETY: the event is alive.
        unsafe { sys::rd_kafka_event_type(self.0.as_ptr()) }
    }

    fn error(&self) -> Option<(Code, String)> {
        // SAFETY: the event is alive, and its strings are NUL-terminated and live as long.
        unsafe {
            let code = sys::rd_kafka_event_error(self.0.as_ptr());
            (code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR)
                .then(|| (code.into(), text(sys::rd_kafka_event_error_string(self.0.as_ptr()))))
        }
    }

    fn log_to(&self, watch: &Watch) {
        let (mut facility, mut line, mut level) = (ptr::null(), ptr::null(), 0);
        // SAFETY: the event is a log event (the caller looked); the strings live as long as it does.
        unsafe {
            if sys::rd_kafka_event_log(self.0.as_ptr(), &mut facility, &mut line, &mut level) == 0 {
                watch.log_line(log_level(level), &text(facility), &text(line));
            }
        }
    }

    fn deliveries(&self, each: &mut dyn FnMut(Delivery<'_>)) {
        loop {
            // SAFETY: the event is a delivery event (the caller looked). Each message, its key
            // included, lives until the event is destroyed, which is after the closure returns.
            let Some(message) = (unsafe { sys::rd_kafka_event_message_next(self.0.as_ptr()).as_ref() })
            else {
                return;
            };
            let key = match message.key.is_null() {
                true => &[],
                // SAFETY: the key has `key_len` bytes, by librdkafka's description of a message.
                false => unsafe { std::slice::from_raw_parts(message.key.cast::<u8>(), message.key_len) },
            };
            let failed = message.err != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
            each(Delivery {
                partition: message.partition,
                offset: message.offset,
                key,
                operation: match message.payload.is_null() {
                    true => Operation::Delete,
                    false => Operation::Upsert,
                },
                size: message.key_len + message.len,
                error: failed.then(|| message.err.into()),
            });
        }
    }

    /// Hands on what every client's queue may hold. Returns whether it was something else.
    fn serve_common(&self, watch: &Watch) -> bool {
        match self.kind() {
            sys::RD_KAFKA_EVENT_ERROR => {
                if let Some((code, reason)) = self.error() {
                    watch.note(code, &reason);
                }
            }
            sys::RD_KAFKA_EVENT_LOG => self.log_to(watch),
            _ => return true,
        }
        false
    }
}

fn log_level(level: c_int) -> RDKafkaLogLevel {
    match level {
        ..=3 => RDKafkaLogLevel::Error,
        4 => RDKafkaLogLevel::Warning,
        5 | 6 => RDKafkaLogLevel::Info,
        _ => RDKafkaLogLevel::Debug,
    }
}

/// What the broker said of one record.
pub(crate) struct Delivery<'a> {
    pub(crate) partition: i32,
    /// Negative where the broker does not say: it has the record from an earlier try, whose answer
    /// was lost, and it remembers only so much of earlier tries.
    pub(crate) offset: i64,
    pub(crate) key: &'a [u8],
    pub(crate) operation: Operation,
    /// Bytes of key and value.
    pub(crate) size: usize,
    pub(crate) error: Option<Code>,
}

/// A record's headers, made once and copied for each record, since librdkafka takes them over.
pub(crate) struct Headers(NonNull<sys::rd_kafka_headers_t>);

// SAFETY: a header list is plain memory that only this value refers to.
unsafe impl Send for Headers {}

impl Drop for Headers {
    fn drop(&mut self) {
        // SAFETY: destroyed once; copies are separate memory.
        unsafe { sys::rd_kafka_headers_destroy(self.0.as_ptr()) }
    }
}

impl Headers {
    /// None where librdkafka cannot make them.
    pub(crate) fn new(headers: &[(&str, &str)]) -> Option<Headers> {
        // SAFETY: the call makes a new list, which `Headers` then owns.
        let list = Headers(NonNull::new(unsafe { sys::rd_kafka_headers_new(headers.len()) })?);
        for (name, value) in headers {
            // SAFETY: name and value are given with their lengths, and are copied by the call.
            let result = unsafe {
                sys::rd_kafka_header_add(
                    list.0.as_ptr(),
                    name.as_ptr().cast(),
                    isize::try_from(name.len()).ok()?,
                    value.as_ptr().cast(),
                    isize::try_from(value.len()).ok()?,
                )
            };
            if result != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                return None;
            }
        }
        Some(list)
    }
}

/// The last header of that name. The wrapper's way panics on a header whose name is no UTF-8, and
/// anybody may write to a topic.
pub(crate) fn header<'m>(message: &'m BorrowedMessage<'_>, name: &CStr) -> Option<&'m [u8]> {
    let (mut list, mut value, mut size) = (ptr::null_mut(), ptr::null(), 0);
    // SAFETY: the message is alive, and its headers, parsed by the first call, live as long as it does.
    unsafe {
        let none = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
        if sys::rd_kafka_message_headers(message.ptr(), &mut list) != none
            || sys::rd_kafka_header_get_last(list, name.as_ptr(), &mut value, &mut size) != none
            || value.is_null()
        {
            return None;
        }
        Some(std::slice::from_raw_parts(value.cast::<u8>(), size))
    }
}

/// A topic that a producer writes to.
struct Topic(NonNull<sys::rd_kafka_topic_t>);

// SAFETY: as for `Queue`.
unsafe impl Send for Topic {}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: the reference that this value holds is given back once.
        unsafe { sys::rd_kafka_topic_destroy(self.0.as_ptr()) }
    }
}

impl Topic {
    fn new(client: &Client<Watch>, name: &str) -> Option<Topic> {
        let name = CString::new(name).ok()?;
        // SAFETY: the client is alive, the name is NUL-terminated and copied by the call; a null
        // configuration means the client's own.
        NonNull::new(unsafe { sys::rd_kafka_topic_new(client.native_ptr(), name.as_ptr(), ptr::null_mut()) })
            .map(Topic)
    }
}

/// Which of a producer's two topics a record is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    Documents,
    Ledger,
}

/// A transactional producer for one topic and its ledger.
pub(crate) struct Producer {
    // Fields are dropped in this order: handles before the client that they belong to.
    documents: Topic,
    ledger: Topic,
    queue: Queue,
    client: BaseProducer<Watch>,
}

impl Producer {
    /// None where librdkafka cannot make the handles (a name with a NUL in it, no memory).
    pub(crate) fn new(client: BaseProducer<Watch>, documents: &str, ledger: &str) -> Option<Producer> {
        Some(Producer {
            documents: Topic::new(client.client(), documents)?,
            ledger: Topic::new(client.client(), ledger)?,
            queue: Queue::main(client.client())?,
            client,
        })
    }

    /// The wrapper's producer, for transactions.
    pub(crate) fn client(&self) -> &BaseProducer<Watch> {
        &self.client
    }

    /// What the client said in the background.
    pub(crate) fn watch(&self) -> &Watch {
        self.client.client().context()
    }

    /// Queues one record; a value of `None` is a tombstone. `Code::QueueFull` means: serve, then try
    /// again.
    pub(crate) fn produce(
        &self,
        to: Destination,
        partition: i32,
        key: &[u8],
        value: Option<&[u8]>,
        headers: Option<&Headers>,
    ) -> Result<(), Code> {
        use sys::rd_kafka_vtype_t as Kind;
        let topic = match to {
            Destination::Documents => &self.documents,
            Destination::Ledger => &self.ledger,
        };
        let copy = match headers {
            // SAFETY: the list is alive; the copy is ours until librdkafka takes it over.
            Some(headers) => unsafe { sys::rd_kafka_headers_copy(headers.0.as_ptr()) },
            None => ptr::null_mut(),
        };
        let argument = |vtype, u| sys::rd_kafka_vu_t { vtype, u };
        type Value = sys::rd_kafka_vu_s__bindgen_ty_1;
        let bytes = |bytes: Option<&[u8]>| Value {
            mem: sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
                ptr: bytes.map_or(ptr::null_mut(), |bytes| bytes.as_ptr().cast_mut().cast::<c_void>()),
                size: bytes.map_or(0, <[u8]>::len),
            },
        };
        let arguments = [
            argument(Kind::RD_KAFKA_VTYPE_RKT, Value { rkt: topic.0.as_ptr() }),
            argument(Kind::RD_KAFKA_VTYPE_PARTITION, Value { i32_: partition }),
            argument(Kind::RD_KAFKA_VTYPE_MSGFLAGS, Value { i: sys::RD_KAFKA_MSG_F_COPY }),
            argument(Kind::RD_KAFKA_VTYPE_KEY, bytes(Some(key))),
            argument(Kind::RD_KAFKA_VTYPE_VALUE, bytes(value)),
            argument(Kind::RD_KAFKA_VTYPE_HEADERS, Value { headers: copy }),
        ];
        let count = if copy.is_null() { arguments.len() - 1 } else { arguments.len() };
        // SAFETY: each argument has the union member that its kind asks for; key and value are only
        // read, and copied before the call returns (RD_KAFKA_MSG_F_COPY), the topic is alive.
        let error =
            unsafe { sys::rd_kafka_produceva(self.client.client().native_ptr(), arguments.as_ptr(), count) };
        if error.is_null() {
            return Ok(());
        }
        // SAFETY: the error is ours to destroy; after a failure the headers are still ours too.
        unsafe {
            let code = sys::rd_kafka_error_code(error);
            sys::rd_kafka_error_destroy(error);
            if !copy.is_null() {
                sys::rd_kafka_headers_destroy(copy);
            }
            Err(code.into())
        }
    }

    /// Serves the events that have come, waiting up to `timeout` for the first: each delivery is
    /// handed to `each`, errors and log lines to the client's watch.
    pub(crate) fn serve(&self, timeout: Duration, each: &mut dyn FnMut(Delivery<'_>)) {
        let mut timeout = timeout;
        while let Some(event) = self.queue.poll(timeout) {
            if event.serve_common(self.watch()) && event.kind() == sys::RD_KAFKA_EVENT_DR {
                event.deliveries(each);
            }
            timeout = Duration::ZERO;
        }
    }
}

/// What the cluster says of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopicDescription {
    /// Kafka's topic id, in its base64 form: another one for each topic ever made.
    pub(crate) id: String,
    pub(crate) partitions: u32,
    /// The least number of replicas that a partition has.
    pub(crate) replicas: usize,
    /// Whether every partition has a leader.
    pub(crate) led: bool,
    /// What our user may do with it, of what we ask about.
    pub(crate) rights: Vec<Right>,
}

/// What a user may do with a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    Read,
    Write,
}

/// Why the cluster could not describe a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DescribeError {
    pub(crate) code: Code,
    pub(crate) reason: String,
}

/// How long an answer is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience<'a> {
    /// At most so long.
    pub(crate) answer: Duration,
    /// How long refused credentials are believed to be a broker that is still starting.
    pub(crate) credentials: Duration,
    /// No longer than until the run is asked to stop.
    pub(crate) cancel: &'a Cancel,
}

/// A client to ask the cluster with: hands errors and log lines of its main queue to its watch.
pub(crate) struct Inquiry {
    main: Queue,
}

impl Inquiry {
    pub(crate) fn new(client: &Client<Watch>) -> Option<Inquiry> {
        Queue::main(client).map(|main| Inquiry { main })
    }

    /// Serves what has come.
    pub(crate) fn serve(&self, watch: &Watch) {
        while let Some(event) = self.main.poll(Duration::ZERO) {
            event.serve_common(watch);
        }
    }

    /// Asks for one topic. Ends before `timeout` where credentials are refused for as long as
    /// `patience`, since librdkafka itself would go on trying.
    pub(crate) fn describe_topic(
        &self,
        client: &Client<Watch>,
        name: &str,
        Patience { answer: timeout, credentials: patience, cancel }: Patience<'_>,
    ) -> Result<TopicDescription, DescribeError> {
        let watch: &Watch = client.context();
        let failed = |code: Code, reason: &str| DescribeError { code, reason: reason.to_owned() };
        let answers = Queue::own(client).ok_or_else(|| failed(Code::Fail, "no memory for a queue"))?;
        ask_for_topic(client, name, timeout, &answers)?;
        let start = Instant::now();
        loop {
            if let Some(event) = answers.poll(LOOK) {
                return read_description(&event);
            }
            self.serve(watch);
            let waited = start.elapsed();
            match watch.credentials() {
                Some(reason) if waited >= patience => return Err(failed(Code::Authentication, &reason)),
                // librdkafka answers in time by itself; this is for when it does not.
                _ if waited > timeout * 2 || cancel.is_cancelled() => {
                    return Err(failed(Code::OperationTimedOut, "no answer"));
                }
                _ => {}
            }
        }
    }
}

fn ask_for_topic(
    client: &Client<Watch>,
    name: &str,
    timeout: Duration,
    answers: &Queue,
) -> Result<(), DescribeError> {
    let invalid = |code: Code, reason: &str| DescribeError { code, reason: reason.to_owned() };
    let name = CString::new(name).map_err(|_| invalid(Code::InvalidTopic, "a topic's name holds no NUL"))?;
    let mut names = [name.as_ptr()];
    // SAFETY: the client is alive. Names and options are copied by the calls, and what is made here is
    // destroyed here. A too large timeout is refused by the setter, and librdkafka's own then holds.
    unsafe {
        let topics = sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        let options = sys::rd_kafka_AdminOptions_new(
            client.native_ptr(),
            sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
        );
        sys::rd_kafka_AdminOptions_set_request_timeout(options, millis(timeout), ptr::null_mut(), 0);
        // Null, and nothing to destroy, unless the options are of another call.
        let refused = sys::rd_kafka_AdminOptions_set_include_authorized_operations(options, 1);
        if !refused.is_null() {
            sys::rd_kafka_error_destroy(refused);
        }
        sys::rd_kafka_DescribeTopics(client.native_ptr(), topics, options, answers.0.as_ptr());
        sys::rd_kafka_AdminOptions_destroy(options);
        sys::rd_kafka_TopicCollection_destroy(topics);
    }
    Ok(())
}

fn read_description(event: &Event) -> Result<TopicDescription, DescribeError> {
    if let Some((code, reason)) = event.error() {
        return Err(DescribeError { code, reason });
    }
    let unexpected = || DescribeError { code: Code::Fail, reason: "an answer without a topic".to_owned() };
    // SAFETY: everything read belongs to the event, which outlives this function; counts and arrays
    // come from the same call; a wrong event type makes the first call return null.
    unsafe {
        let result = sys::rd_kafka_event_DescribeTopics_result(event.0.as_ptr());
        if result.is_null() {
            return Err(unexpected());
        }
        let mut count = 0;
        let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        if topics.is_null() || count == 0 {
            return Err(unexpected());
        }
        let topic = *topics;
        let error = sys::rd_kafka_TopicDescription_error(topic);
        let code = sys::rd_kafka_error_code(error);
        if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(DescribeError { code: code.into(), reason: text(sys::rd_kafka_error_string(error)) });
        }
        let mut partition_count = 0;
        let partitions = sys::rd_kafka_TopicDescription_partitions(topic, &mut partition_count);
        let (mut replicas, mut led) = (usize::MAX, true);
        for index in 0..partition_count {
            let partition = *partitions.add(index);
            let mut replica_count = 0;
            sys::rd_kafka_TopicPartitionInfo_replicas(partition, &mut replica_count);
            replicas = replicas.min(replica_count);
            led &= !sys::rd_kafka_TopicPartitionInfo_leader(partition).is_null();
        }
        Ok(TopicDescription {
            id: text(sys::rd_kafka_Uuid_base64str(sys::rd_kafka_TopicDescription_topic_id(topic))),
            partitions: u32::try_from(partition_count).unwrap_or(u32::MAX),
            replicas,
            led,
            rights: rights(topic),
        })
    }
}

/// # Safety
/// `topic` belongs to an event that is alive.
unsafe fn rights(topic: *const sys::rd_kafka_TopicDescription_t) -> Vec<Right> {
    use sys::rd_kafka_AclOperation_t as Operation;
    let mut count = 0;
    // SAFETY: by this function's own contract; array and count come from the same call, and the array
    // lives as long as the event.
    let operations = unsafe {
        let first = sys::rd_kafka_TopicDescription_authorized_operations(topic, &mut count);
        if first.is_null() { &[] } else { std::slice::from_raw_parts(first, count) }
    };
    let right = |operation: &Operation| match operation {
        Operation::RD_KAFKA_ACL_OPERATION_READ => Some(Right::Read),
        Operation::RD_KAFKA_ACL_OPERATION_WRITE => Some(Right::Write),
        _ => None,
    };
    operations.iter().filter_map(right).collect()
}
