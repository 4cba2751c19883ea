//! One connection: a call and its answer, bounded in time and in bytes.

use crate::address::Address;
use crate::decode::{Input, Read as Known, structure};
use crate::encode::message;
use crate::failure::{Exception, Failure, seconds};
use hivecast_run::Class;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use thrift::protocol::{TBinaryInputProtocol, TInputProtocol, TMessageType, TType};
use thrift::{ApplicationErrorKind, TConfiguration};

/// The largest answer, bytes: a million partitions' names are some 30 MB, and partitions come in
/// batches.
const MAX_ANSWER: u64 = 128 << 20;
/// The longest text in an answer, bytes: a view's query, or the schema of an Avro table.
const MAX_TEXT: usize = 16 << 20;
/// The most items of a list or map in an answer.
const MAX_ITEMS: usize = 8 << 20;
/// Structures within structures in an answer; the metastore's own have far fewer.
const MAX_DEPTH: usize = 32;
/// How much is read from the socket at once, bytes.
const READ_BUFFER: usize = 64 << 10;

/// A call's name, and what it throws: the first has the number 1 in the result, and so on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) throws: &'static [Exception],
}

/// A call with its arguments, as `Fields::finish` gives them.
pub(crate) struct Request {
    pub(crate) call: Call,
    pub(crate) arguments: Vec<u8>,
}

/// When an operation must be over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    pub(crate) fn after(limit: Duration) -> Deadline {
        Deadline { at: Instant::now() + limit, limit }
    }

    /// What is left of the time, at most `wait`.
    pub(crate) fn at_most(&self, wait: Duration) -> Result<Duration, Failure> {
        let left = self.at.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(Failure::OutOfTime(self.limit)) } else { Ok(left.min(wait)) }
    }
}

/// A connection whose answers are in step with its calls. After a failure that says otherwise it must
/// not be used again.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    sequence: i32,
    silence: Duration,
}

impl Connection {
    /// Connects, trying every address that the host's name has.
    pub(crate) fn open(
        address: &Address,
        connect: Duration,
        silence: Duration,
        deadline: Deadline,
    ) -> Result<Connection, Failure> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
        for socket in resolve(address, deadline.at_most(connect)?).map_err(Failure::Connect)? {
            let wait = deadline.at_most(connect)?;
            match TcpStream::connect_timeout(&socket, wait) {
                Ok(stream) => {
                    stream.set_nodelay(true).map_err(Failure::Connect)?;
                    return Ok(Connection { stream, sequence: 0, silence });
                }
                Err(error) if error.kind() == io::ErrorKind::TimedOut => last = too_slow(wait),
                Err(error) => last = error,
            }
        }
        Err(Failure::Connect(last))
    }

    /// Calls, and reads the result with `read`. `None` where the server answered with nothing at all,
    /// as calls without a result do.
    pub(crate) fn call<T>(
        &mut self,
        request: &Request,
        deadline: Deadline,
        read: impl FnMut(&mut Input<'_>) -> thrift::Result<T>,
    ) -> Result<Option<T>, Failure> {
        self.sequence += 1;
        let garbled = |error: thrift::Error| Failure::Garbled(error.to_string());
        let bytes = message(request.call.name, self.sequence, &request.arguments).map_err(garbled)?;
        let mut socket = Socket {
            stream: &self.stream,
            deadline,
            silence: self.silence,
            budget: MAX_ANSWER,
            trouble: None,
        };
        if let Err(error) = socket.write_all(&bytes) {
            return Err(socket.trouble.take().unwrap_or(Failure::Lost(error)));
        }
        let mut reader = BufReader::with_capacity(READ_BUFFER, socket);
        if self.sequence == 1 {
            recognise(&mut reader)?;
        }
        let answer = read_answer(&mut reader, request.call, self.sequence, read);
        match answer {
            Err(error) => Err(reader.get_mut().trouble.take().unwrap_or_else(|| garbled(error))),
            Ok(_) if !reader.buffer().is_empty() => {
                Err(Failure::Garbled("more came than the answer".to_owned()))
            }
            Ok(answer) => answer,
        }
    }

    /// Whether the server takes part in a SASL negotiation, be it by refusing this one.
    fn negotiates_sasl(&self, deadline: Deadline) -> bool {
        let (stream, silence) = (&self.stream, self.silence);
        let mut socket = Socket { stream, deadline, silence, budget: MAX_ANSWER, trouble: None };
        let mut status = [0];
        let answered = socket.write_all(SASL_START).and_then(|()| socket.read_exact(&mut status));
        answered.is_ok() && matches!(status, [1..=5])
    }
}

/// The host's addresses. The system's resolver knows no deadline, so that it is asked by a thread of
/// its own, which ends when the resolver gives up.
fn resolve(address: &Address, wait: Duration) -> io::Result<Vec<SocketAddr>> {
    if let Ok(ip) = address.host().parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, address.port())]);
    }
    let (sender, receiver) = mpsc::channel();
    let (host, port) = (address.host().to_owned(), address.port());
    thread::Builder::new().name("resolve".to_owned()).spawn(move || {
        // Nobody listens any more once the wait is over.
        let _ = sender.send((host.as_str(), port).to_socket_addrs().map(Iterator::collect));
    })?;
    receiver.recv_timeout(wait).unwrap_or_else(|_| {
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("its name was not resolved within {}", seconds(wait)),
        ))
    })
}

fn too_slow(wait: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("it did not accept within {}", seconds(wait)))
}

/// The socket under a deadline: no read or write waits longer than `silence`, none goes on when the
/// operation's time is over, and an answer ends with its budget. The protocol above loses why a read
/// failed, so `trouble` keeps it.
struct Socket<'a> {
    stream: &'a TcpStream,
    deadline: Deadline,
    silence: Duration,
    budget: u64,
    trouble: Option<Failure>,
}

impl Socket<'_> {
    fn fail(&mut self, failure: Failure) -> io::Error {
        self.trouble = Some(failure);
        io::ErrorKind::Other.into()
    }

    fn wait(&mut self) -> io::Result<Duration> {
        self.deadline.at_most(self.silence).map_err(|failure| self.fail(failure))
    }

    fn failed(&mut self, error: io::Error) -> io::Error {
        match error.kind() {
            io::ErrorKind::Interrupted => error,
            // Linux says that a socket's time is over with EAGAIN.
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                let failure = self.deadline.at_most(self.silence).err().unwrap_or_else(|| {
                    let text = format!("no answer within {}", seconds(self.silence));
                    Failure::Lost(io::Error::new(io::ErrorKind::TimedOut, text))
                });
                self.fail(failure)
            }
            _ => self.fail(Failure::Lost(error)),
        }
    }
}

impl Read for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wait = self.wait()?;
        let count = match self.stream.set_read_timeout(Some(wait)).and_then(|()| self.stream.read(buffer)) {
            Ok(0) => {
                let text = "it closed the connection in the middle of an answer";
                return Err(self.fail(Failure::Lost(io::Error::new(io::ErrorKind::UnexpectedEof, text))));
            }
            Ok(count) => count,
            Err(error) => return Err(self.failed(error)),
        };
        match self.budget.checked_sub(count as u64) {
            Some(left) => self.budget = left,
            None => {
                let text = format!("it is larger than {} MiB", MAX_ANSWER >> 20);
                return Err(self.fail(Failure::Garbled(text)));
            }
        }
        Ok(count)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let wait = self.wait()?;
        let written = self.stream.set_write_timeout(Some(wait)).and_then(|()| self.stream.write(bytes));
        written.map_err(|error| self.failed(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Looks at how a server's first answer starts, and says what it is if it is no metastore that
/// listens for what we speak.
fn recognise(reader: &mut BufReader<Socket<'_>>) -> Result<(), Failure> {
    let start = loop {
        match reader.fill_buf() {
            Ok(start) => break start.to_vec(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                let failure = reader.get_mut().trouble.take().unwrap_or(Failure::Lost(error));
                return Err(at_once(failure));
            }
        }
    };
    let stranger = |class, why, advice| Err(Failure::Stranger { class, why, advice });
    match start.as_slice() {
        [0x80, ..] => Ok(()),
        // A TLS alert.
        [0x15, 0x03, ..] => {
            stranger(Class::Usage, "it wants TLS, which is not supported for metastores", NO_TLS)
        }
        // The status byte of Thrift's SASL negotiation.
        [1..=5, ..] => Err(wants_sasl()),
        [b'H', b'T', b'T', b'P', ..] => stranger(Class::Usage, "it speaks HTTP", NO_HTTP),
        [0, ..] => stranger(Class::Usage, "it speaks Thrift in frames, which is not supported", NO_FRAMES),
        _ => stranger(Class::Usage, "what answers is no Hive Metastore", NO_METASTORE),
    }
}

/// How long a server that may want SASL is waited for.
const SASL_PATIENCE: Duration = Duration::from_secs(1);
/// The start of Thrift's SASL negotiation: the status START, the length of a name, and the name of
/// Kerberos's mechanism; then the status OK and an empty token.
const SASL_START: &[u8] = b"\x01\0\0\0\x06GSSAPI\x02\0\0\0\0";

/// Why a host closed the connection before it answered, as far as it can be told. Servers that want SASL
/// say nothing to whoever does not start with it, so that this is done, on a connection of its own.
pub(crate) fn why_closed(address: &Address, error: io::Error, deadline: Deadline) -> Failure {
    match Connection::open(address, SASL_PATIENCE, SASL_PATIENCE, deadline) {
        Ok(connection) if connection.negotiates_sasl(deadline) => wants_sasl(),
        _ => Failure::Lost(error),
    }
}

fn wants_sasl() -> Failure {
    let why = "it wants SASL (Kerberos), which is not supported for metastores";
    Failure::Stranger { class: Class::Denied, why, advice: NO_SASL }
}

const NO_TLS: &str = "name a metastore whose metastore.use.SSL is false, or a local proxy that ends TLS";
const NO_SASL: &str =
    "name a metastore whose metastore.sasl.enabled is false, or use the warehouse's directory instead";
const NO_HTTP: &str = "name the port of metastore.thrift.port, of a metastore whose metastore.server.thrift.transport.mode is binary";
const NO_FRAMES: &str = "name a metastore whose metastore.thrift.framed.transport.enabled is false";
const NO_METASTORE: &str = "name the host and the port of hive.metastore.uris";

/// A connection that ends before the first answer: some servers refuse what they don't speak so.
fn at_once(failure: Failure) -> Failure {
    let ends = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset];
    match failure {
        Failure::Lost(error) if ends.contains(&error.kind()) => Failure::Lost(io::Error::new(
            error.kind(),
            "it closed the connection before it answered anything; it may want SASL (Kerberos), TLS or frames, \
             which are not supported for metastores, or be none",
        )),
        other => other,
    }
}

type Answer<T> = Result<Option<T>, Failure>;

/// Reads one message: the result, or what was thrown. The outer result is about what Thrift allows.
fn read_answer<T>(
    reader: &mut BufReader<Socket<'_>>,
    call: Call,
    sequence: i32,
    read: impl FnMut(&mut Input<'_>) -> thrift::Result<T>,
) -> thrift::Result<Answer<T>> {
    let limits = TConfiguration::builder()
        .max_message_size(Some(MAX_ANSWER as usize))
        .max_string_size(Some(MAX_TEXT))
        .max_container_size(Some(MAX_ITEMS))
        .max_recursion_depth(Some(MAX_DEPTH))
        .build()?;
    let mut input = TBinaryInputProtocol::with_config(reader, true, limits);
    let head = input.read_message_begin()?;
    thrift::protocol::verify_expected_sequence_number(sequence, head.sequence_number)?;
    thrift::protocol::verify_expected_service_call(call.name, &head.name)?;
    match head.message_type {
        TMessageType::Reply => read_result(&mut input, call, read),
        TMessageType::Exception => {
            let error = thrift::Error::read_application_error_from_in_protocol(&mut input)?;
            Ok(Err(match error.kind {
                ApplicationErrorKind::UnknownMethod => Failure::UnknownCall,
                _ => Failure::Unexpected(error.message),
            }))
        }
        other => Err(crate::decode::wrong(format!("a message of the type {other:?}"))),
    }
}

/// A result's field 0 is what was asked for, the others are exceptions.
fn read_result<T>(
    input: &mut Input<'_>,
    call: Call,
    mut read: impl FnMut(&mut Input<'_>) -> thrift::Result<T>,
) -> thrift::Result<Answer<T>> {
    let mut answer = Ok(None);
    structure(input, |input, id, kind| {
        let exception = usize::try_from(id).ok().and_then(|id| call.throws.get(id.checked_sub(1)?));
        match (id, exception) {
            (0, _) => answer = Ok(Some(read(input)?)),
            (_, Some(exception)) if kind == TType::Struct => {
                answer = Err(Failure::Refused { exception: *exception, message: exception_message(input)? });
            }
            // What a newer server throws besides. It must not look like an empty result.
            _ if kind == TType::Struct => answer = Err(Failure::Unexpected(exception_message(input)?)),
            _ => return Ok(Known::Unknown),
        }
        Ok(Known::Done)
    })?;
    Ok(answer)
}

fn exception_message(input: &mut Input<'_>) -> thrift::Result<String> {
    let mut message = String::new();
    structure(input, |input, id, kind| {
        if (id, kind) != (1, TType::String) {
            return Ok(Known::Unknown);
        }
        message = input.read_string()?;
        Ok(Known::Done)
    })?;
    Ok(message)
}
