use crate::address::Address;
use crate::connection::{Call, Connection, Deadline, Request, why_closed};
use crate::decode::{Input, texts};
use crate::encode::Fields;
use crate::failure::{Exception, Failure, Failures};
use hivecast_run::{Fault, Result};
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

/// How long the client waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a host's name to be resolved, and for a connection.
    pub connect: Duration,
    /// For a server that says nothing. A connection on which this happens is given up.
    pub answer: Duration,
    /// For one whole operation, such as the partitions of a thousand names: all its calls, to whatever
    /// host, and the pauses between them.
    pub operation: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts { connect: CONNECT_TIMEOUT, answer: ANSWER_TIMEOUT, operation: OPERATION_TIMEOUT }
    }
}

/// A host that is there accepts within milliseconds; lost packets are sent again after 1 and 3 s.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A busy metastore whose database is slow takes tens of seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Two slow answers, and another try.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(180);

/// How often hosts are tried. What changes something is never sent twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Rounds over all hosts, at least 1.
    pub rounds: u32,
    /// The pause before the second round. Each later one is twice as long as the one before, up to half a
    /// minute.
    pub pause: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Retries { rounds: ROUNDS, pause: PAUSE }
    }
}

/// A scheduler runs the job again; within a run only a restart of the server is waited for. A port where
/// nobody listens refuses at once, so that the pauses alone, of 2, 4, 8, 16 and 30 s, must last longer than that.
const ROUNDS: u32 = 6;
const PAUSE: Duration = Duration::from_secs(2);
/// For so long after all rounds were in vain a question tries every host once and does not wait again.
const STILL_AWAY: Duration = Duration::from_secs(60);
/// A pause that doubled is no longer than this: the server is to be found soon after it is back.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Retries {
    /// The pause before a round; the first one is 0.
    fn before(self, round: u32) -> Duration {
        match round.checked_sub(1) {
            None => Duration::ZERO,
            Some(doubled) => {
                let pause = self.pause.saturating_mul(2_u32.saturating_pow(doubled));
                pause.min(LONGEST_PAUSE.max(self.pause))
            }
        }
    }
}

/// Who asks, as the server is told. It believes it: without Kerberos nothing is proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User(String);

impl User {
    /// A user of this name.
    pub fn named(name: impl Into<String>) -> User {
        User(name.into())
    }

    /// `HADOOP_USER_NAME`, else the system's name of the user that runs this process, as Hive's own
    /// client does.
    pub fn current() -> User {
        let from = |variable| env::var(variable).ok().filter(|name| !name.is_empty());
        from("HADOOP_USER_NAME")
            .or_else(system_user)
            .or_else(|| from("USER"))
            .map_or_else(|| User::named("hivecast"), User)
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// The name in `/etc/passwd` of the user that this process runs as.
fn system_user() -> Option<String> {
    let uid = fs::metadata("/proc/self").ok()?.uid().to_string();
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let mut fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    fields.find(|fields| fields.get(2) == Some(&uid.as_str())).map(|fields| fields[0].to_owned())
}

/// A Hive Metastore, on one or several hosts that serve the same. It connects when it is first asked,
/// and keeps one connection; threads that share it ask one after the other.
///
/// Every error names the host and what was asked. Its class is infrastructure (10) where the server
/// can't be reached, is too slow, or fails inside; denied (30) where it refuses this user; usage (2)
/// where the address is not that of a metastore that can be spoken to; data (20) where what was
/// asked for is not there.
#[derive(Debug)]
pub struct Metastore {
    hosts: Vec<Address>,
    timeouts: Timeouts,
    retries: Retries,
    user: User,
    notice: Notice,
    state: Mutex<State>,
}

/// Who is told, in a sentence, that no host answers and is tried again for a while.
pub type Notice = fn(&str);

#[derive(Debug, Default)]
struct State {
    connection: Option<Connection>,
    /// The host of the connection, or of the last one: an index into `hosts`.
    host: usize,
    /// When every host had been tried in vain for all rounds.
    given_up: Option<Instant>,
    /// Whether it was told that no host answers.
    told: bool,
}

impl State {
    /// Whether it is known that waiting does not help: so many tables are asked for, and a metastore that is
    /// away is away for each of them.
    fn is_away(&self) -> bool {
        self.given_up.is_some_and(|since| since.elapsed() < STILL_AWAY)
    }
}

/// Whether a call may be sent again when its outcome is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repeat {
    /// It changes nothing.
    Always,
    /// It may have been done.
    Never,
}

const SET_UGI: Call = Call { name: "set_ugi", throws: &[Exception::Meta] };

impl Metastore {
    /// A metastore that answers at each of `hosts`; they are tried in this order. Fails with a usage
    /// fault where there is none.
    pub fn new(hosts: &[Address], timeouts: Timeouts, user: User) -> Result<Metastore> {
        if hosts.is_empty() {
            return Err(Fault::usage("no host of the metastore is named").advise("write thrift://host:9083"));
        }
        let (hosts, retries, state) = (hosts.to_vec(), Retries::default(), Mutex::default());
        Ok(Metastore { hosts, timeouts, retries, user, notice: |_| (), state })
    }

    /// The same, which tells once that no host answers before it tries again; otherwise whoever waits for it
    /// hears nothing for all rounds.
    #[must_use]
    pub fn with_notice(mut self, notice: Notice) -> Metastore {
        self.notice = notice;
        self
    }

    /// The same, with other retries.
    #[must_use]
    pub fn with_retries(mut self, retries: Retries) -> Metastore {
        self.retries = retries;
        self
    }

    /// Where it answers.
    pub fn hosts(&self) -> &[Address] {
        &self.hosts
    }

    /// Starts an operation, whose `action` reads "for table mdm.accounts" or "to create table …".
    pub(crate) fn operation(&self, action: impl Into<String>) -> Operation<'_> {
        Operation {
            metastore: self,
            action: action.into(),
            deadline: Deadline::after(self.timeouts.operation),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A thread that panicked in a call took its connection out, so that what is left is sound.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The hosts in the order in which they are tried, once for each round: the last one that answered
    /// first.
    fn turns(&self, state: &State) -> impl Iterator<Item = Turn> + use<> {
        let (count, retries, first) = (self.hosts.len(), self.retries, state.host);
        let rounds = if state.is_away() { 1 } else { retries.rounds.max(1) };
        (0..rounds).flat_map(move |round| {
            (0..count).map(move |step| {
                let pause = if step == 0 { retries.before(round) } else { Duration::ZERO };
                Turn { round, pause, host: (first + step) % count }
            })
        })
    }

    /// A connection on which this user is announced, as Hive's own client does first.
    fn connect(&self, host: &Address, deadline: Deadline) -> Result<Connection, Failure> {
        let Timeouts { connect, answer, .. } = self.timeouts;
        let mut connection = Connection::open(host, connect, answer, deadline)?;
        let user = self.user.name();
        let arguments = Fields::new().text(1, user).texts(2, [user].into_iter());
        let request = request(SET_UGI, arguments)?;
        match connection.call(&request, deadline, texts) {
            // A proxy before metastores may not know it.
            Ok(_) | Err(Failure::UnknownCall) => Ok(connection),
            Err(Failure::Lost(error)) => {
                let failure = match error.kind() {
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
                        why_closed(host, error, deadline)
                    }
                    _ => Failure::Lost(error),
                };
                // Nothing that was asked for has been sent yet.
                Err(failure.before_the_call())
            }
            Err(failure) => Err(failure),
        }
    }

    fn ask<T>(
        &self,
        deadline: Deadline,
        request: &Request,
        repeat: Repeat,
        mut read: impl FnMut(&mut Input<'_>) -> thrift::Result<T>,
    ) -> Result<Option<T>, Failures> {
        let mut failures = Failures::none();
        let mut state = self.state();
        let mut turns = self.turns(&state);
        loop {
            let (mut connection, age) = match state.connection.take() {
                Some(connection) => (connection, Age::Kept),
                None => match self.next_connection(&mut turns, &mut state, deadline, &mut failures) {
                    Some(connection) => {
                        state.given_up = None;
                        (connection, Age::New)
                    }
                    None => {
                        if !state.is_away() {
                            state.given_up = Some(Instant::now());
                        }
                        return Err(failures);
                    }
                },
            };
            let failure = match connection.call(request, deadline, &mut read) {
                Ok(answer) => {
                    state.connection = Some(connection);
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            let is_for_another = failure.is_inside() && self.hosts.len() > 1;
            let again = repeat == Repeat::Always && (failure.may_pass() || is_for_another);
            if failure.keeps_step() && !again {
                state.connection = Some(connection);
            }
            // Its server was restarted since. That says nothing about the server that runs now.
            if age == Age::Kept && repeat == Repeat::Always && failure.is_broken_connection() {
                continue;
            }
            if age == Age::Kept {
                // That was this host's turn.
                turns.next();
            }
            failures.push(&self.hosts[state.host], failure);
            if !again {
                return Err(failures);
            }
        }
    }

    /// That no host answers, and for how long at least they are tried again.
    fn away(&self) -> String {
        let hosts: Vec<String> = self.hosts.iter().map(Address::to_string).collect();
        let rounds = 0..self.retries.rounds;
        let pauses = rounds.fold(Duration::ZERO, |sum, round| sum.saturating_add(self.retries.before(round)));
        let limit = pauses.min(self.timeouts.operation).as_secs();
        format!("the metastore {} does not answer; it is tried again for {limit} s", hosts.join(", "))
    }

    /// Connects to the next host that lets us. `None` where all were tried as often as they may, or the
    /// time is over: `failures` then say why.
    fn next_connection(
        &self,
        turns: &mut impl Iterator<Item = Turn>,
        state: &mut State,
        deadline: Deadline,
        failures: &mut Failures,
    ) -> Option<Connection> {
        for Turn { round, pause, host: index } in turns {
            let host = &self.hosts[index];
            if round > 0 && failures.are_final() {
                return None;
            }
            if !pause.is_zero() && !state.told {
                state.told = true;
                (self.notice)(&self.away());
            }
            let connected = deadline.at_most(pause.max(Duration::from_nanos(1))).and_then(|pause| {
                thread::sleep(pause);
                self.connect(host, deadline)
            });
            match connected {
                Ok(connection) => {
                    state.host = index;
                    return Some(connection);
                }
                Err(failure) => {
                    let goes_on = failure.is_for_others();
                    failures.push(host, failure);
                    if !goes_on {
                        return None;
                    }
                }
            }
        }
        None
    }
}

/// When a host is tried.
#[derive(Clone, Copy, Debug)]
struct Turn {
    round: u32,
    /// Before it.
    pause: Duration,
    /// An index into the hosts.
    host: usize,
}

/// Whether a connection was there before the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    New,
    Kept,
}

/// A request as it is sent.
fn request(call: Call, arguments: Fields) -> Result<Request, Failure> {
    let arguments =
        arguments.finish().map_err(|error| Failure::Connect(io::Error::other(error.to_string())))?;
    Ok(Request { call, arguments })
}

/// One thing that is done, in one or several calls, under one deadline.
pub(crate) struct Operation<'a> {
    metastore: &'a Metastore,
    action: String,
    deadline: Deadline,
}

impl Operation<'_> {
    /// Asks for something; hosts are tried until one answers.
    pub(crate) fn read<T>(
        &self,
        call: Call,
        arguments: Fields,
        read: impl FnMut(&mut Input<'_>) -> thrift::Result<T>,
    ) -> Result<Option<T>, Failures> {
        self.send(call, arguments, Repeat::Always, read)
    }

    /// Has something changed. It is sent once; a failure may leave open whether it was done.
    pub(crate) fn write<T>(
        &self,
        call: Call,
        arguments: Fields,
        read: impl FnMut(&mut Input<'_>) -> thrift::Result<T>,
    ) -> Result<Option<T>, Failures> {
        self.send(call, arguments, Repeat::Never, read)
    }

    fn send<T>(
        &self,
        call: Call,
        arguments: Fields,
        repeat: Repeat,
        read: impl FnMut(&mut Input<'_>) -> thrift::Result<T>,
    ) -> Result<Option<T>, Failures> {
        let request = request(call, arguments).map_err(|failure| {
            let mut failures = Failures::none();
            failures.push(&self.metastore.hosts[0], failure);
            failures
        })?;
        self.metastore.ask(self.deadline, &request, repeat, read)
    }

    /// Failures as the fault that the caller gets.
    pub(crate) fn fault(&self, failures: Failures) -> Fault {
        failures.fault(&self.action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_away_a_moment_ago_is_asked_once() {
        let hosts = Address::parse_list("thrift://127.0.0.1:1,thrift://127.0.0.1:2").unwrap();
        let metastore = Metastore::new(&hosts, Timeouts::default(), User::current()).unwrap();
        let metastore = metastore.with_retries(Retries { rounds: 3, pause: Duration::ZERO });
        let asked = |metastore: &Metastore| metastore.turns(&metastore.state()).count();
        assert_eq!(asked(&metastore), 6);
        metastore.databases().unwrap_err();
        assert_eq!(asked(&metastore), 2);
        metastore.state().given_up = Instant::now().checked_sub(STILL_AWAY);
        assert_eq!(asked(&metastore), 6);
    }

    #[test]
    fn that_nobody_answers_is_told_once() {
        static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());
        let hosts = Address::parse_list("thrift://127.0.0.1:1").unwrap();
        let metastore = Metastore::new(&hosts, Timeouts::default(), User::current()).unwrap();
        let metastore = metastore.with_retries(Retries { rounds: 3, pause: Duration::from_millis(1) });
        let metastore = metastore.with_notice(|text| TOLD.lock().unwrap().push(text.to_owned()));
        metastore.databases().unwrap_err();
        metastore.databases().unwrap_err();
        let told = TOLD.lock().unwrap();
        let text = "the metastore 127.0.0.1:1 does not answer; it is tried again for 0 s";
        assert_eq!(*told, [text], "once, however many questions there are");
    }

    #[test]
    fn pauses_double_and_outlast_a_restart_within_an_operation() {
        let seconds = |retries: Retries| -> Vec<u64> {
            (0..retries.rounds).map(|round| retries.before(round).as_secs()).collect()
        };
        assert_eq!(seconds(Retries::default()), [0, 2, 4, 8, 16, 30]);
        let whole: Duration = (0..ROUNDS).map(|round| Retries::default().before(round)).sum();
        assert!(whole >= Duration::from_secs(60) && whole < OPERATION_TIMEOUT, "{whole:?}");
        assert_eq!(seconds(Retries { rounds: 4, pause: Duration::from_secs(50) }), [0, 50, 50, 50]);
        let many = Retries { rounds: u32::MAX, pause: PAUSE };
        assert_eq!(many.before(u32::MAX), LONGEST_PAUSE);
    }
}
