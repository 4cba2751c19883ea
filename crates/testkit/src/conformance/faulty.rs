//! A target that fails where a case asks for it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hivecast_contract::LedgerRecord;
use hivecast_publish::{Committed, Headers, Ledger, Session, Slot, Target, TopicSpec, View};
use hivecast_run::{Class, Context, Fault, Result};

use crate::forward_to_inner;

/// Where to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// After a session is open.
    Opened,
    /// After a slot was fenced.
    Fenced,
    /// After a transaction has begun.
    Began,
    /// After a record is sent.
    Sent,
    /// In `commit`, before anything.
    BeforeCommit,
    /// In `commit`, when the ledger record is made and nothing is committed.
    InCommit,
    /// In `commit`, when everything is committed.
    AfterCommit,
}

/// What a failure looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The process is gone: nothing reaches the target any more, not even an abort.
    Crash,
    /// The session is gone, and a new one may be opened.
    Lost,
    /// The run is asked to stop, and the session lives.
    Stopped,
    /// At [`Point::Sent`]: the record is taken and gets nowhere, and nobody is told.
    Swallowed,
}

/// Fails at the `nth` visit (from 1) of a point, once.
#[derive(Clone, Copy, Debug)]
pub struct Trip {
    /// Where.
    pub point: Point,
    /// At which visit, counted from 1.
    pub nth: u64,
    /// How.
    pub effect: Effect,
}

/// Wraps a target.
pub struct Faulty<'a> {
    inner: &'a dyn Target,
    trip: Trip,
    repeat: Repeat,
    visits: Mutex<u64>,
    crashed: AtomicBool,
    aborts: AtomicU64,
}

/// Whether a trip fails once or from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repeat {
    Once,
    Always,
}

impl<'a> Faulty<'a> {
    /// A target that fails once.
    pub fn once(inner: &'a dyn Target, trip: Trip) -> Self {
        Faulty {
            inner,
            trip,
            repeat: Repeat::Once,
            visits: Mutex::new(0),
            crashed: AtomicBool::new(false),
            aborts: AtomicU64::new(0),
        }
    }

    /// A target that fails at the `nth` visit and at every later one.
    pub fn always(inner: &'a dyn Target, trip: Trip) -> Self {
        Faulty { repeat: Repeat::Always, ..Faulty::once(inner, trip) }
    }

    /// Whether the failure happened.
    pub fn has_tripped(&self) -> bool {
        *self.visits.lock().expect("no test panics while holding it") >= self.trip.nth
    }

    /// How many transactions were aborted.
    pub fn aborts(&self) -> u64 {
        self.aborts.load(Ordering::SeqCst)
    }

    fn visit(&self, point: Point) -> Result<()> {
        self.alive()?;
        if point != self.trip.point {
            return Ok(());
        }
        let mut visits = self.visits.lock().expect("no test panics while holding it");
        *visits += 1;
        let now = match self.repeat {
            Repeat::Once => *visits == self.trip.nth,
            Repeat::Always => *visits >= self.trip.nth,
        };
        if !now {
            return Ok(());
        }
        match self.trip.effect {
            Effect::Crash => {
                self.crashed.store(true, Ordering::SeqCst);
                self.alive()
            }
            Effect::Lost => Err(Fault::infrastructure("the session was lost, as the case asks")),
            Effect::Swallowed => Err(Fault::bug("swallowed, as the case asks")),
            Effect::Stopped => Err(Fault::new(Class::Interrupted, "stopped, as the case asks")),
        }
    }

    fn alive(&self) -> Result<()> {
        match self.crashed.load(Ordering::SeqCst) {
            // No class that anyone answers with another try.
            true => Err(Fault::new(Class::Bug, CRASHED)),
            false => Ok(()),
        }
    }
}

const CRASHED: &str = "crashed, as the case asks";

/// Whether a fault is a crash that a case asked for.
pub fn is_crash(fault: &Fault) -> bool {
    fault.chain().contains(CRASHED)
}

impl Target for Faulty<'_> {
    forward_to_inner!(name, preflight, check_free, compacts, probe, read);

    fn open<'s>(
        &'s self,
        topic: &TopicSpec,
        slot: Slot,
        context: &Context<'s>,
    ) -> Result<Box<dyn Session + 's>> {
        self.alive()?;
        let inner = self.inner.open(topic, slot, context)?;
        self.visit(Point::Opened)?;
        Ok(Box::new(FaultySession { target: self, inner, is_lost: false }))
    }

    fn fence(&self, topic: &TopicSpec, slot: Slot, context: &Context<'_>) -> Result<()> {
        self.alive()?;
        self.inner.fence(topic, slot, context)?;
        self.visit(Point::Fenced)
    }

    fn ledger(&self, feed: &str, view: View, context: &Context<'_>) -> Result<Ledger> {
        self.alive()?;
        self.inner.ledger(feed, view, context)
    }
}

struct FaultySession<'s> {
    target: &'s Faulty<'s>,
    inner: Box<dyn Session + 's>,
    is_lost: bool,
}

impl FaultySession<'_> {
    fn alive(&self) -> Result<()> {
        match self.is_lost {
            true => Err(Fault::infrastructure("the session is lost")),
            false => self.target.alive(),
        }
    }

    fn visit(&mut self, point: Point) -> Result<()> {
        let visited = self.target.visit(point);
        self.note(&visited);
        visited
    }

    fn note<T>(&mut self, result: &Result<T>) {
        self.is_lost |= result.as_ref().is_err_and(|fault| fault.class() != Class::Interrupted);
    }
}

impl Session for FaultySession<'_> {
    fn ledger(&self) -> &Ledger {
        self.inner.ledger()
    }

    fn topic_id(&self) -> &str {
        self.inner.topic_id()
    }

    fn topic_has_records(&self) -> Result<bool> {
        self.inner.topic_has_records()
    }

    fn end_offsets(&self) -> Result<Vec<i64>> {
        self.inner.end_offsets()
    }

    fn begin(&mut self, headers: &Headers) -> Result<()> {
        self.alive()?;
        self.inner.begin(headers)?;
        self.visit(Point::Began)
    }

    fn send(&mut self, partition: u32, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        self.alive()?;
        if self.target.trip.effect == Effect::Swallowed {
            return match self.target.visit(Point::Sent) {
                Ok(()) => self.inner.send(partition, key, value),
                Err(_) => Ok(()),
            };
        }
        self.inner.send(partition, key, value)?;
        self.visit(Point::Sent)
    }

    fn commit(
        &mut self,
        ledger_records: &mut dyn FnMut(&Committed) -> Result<Vec<LedgerRecord>>,
    ) -> Result<Committed> {
        self.alive()?;
        self.visit(Point::BeforeCommit)?;
        let target = self.target;
        let committed = self.inner.commit(&mut |committed| {
            let records = ledger_records(committed)?;
            target.visit(Point::InCommit)?;
            Ok(records)
        });
        self.note(&committed);
        let committed = committed?;
        self.visit(Point::AfterCommit)?;
        Ok(committed)
    }

    fn abort(&mut self) -> Result<()> {
        self.alive()?;
        self.inner.abort()?;
        self.target.aborts.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}
