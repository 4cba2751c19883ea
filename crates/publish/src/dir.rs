//! The `dir` target: a directory of NDJSON files with the promises of a transactional topic.
//!
//! ```text
//! <root>/<topic>/topic.json             identity, owner, partitions, settings
//! <root>/<topic>/partition-0.ndjson …   one record a line
//! <root>/.ledger/<feed>.ndjson          one committed transaction a line
//! <root>/.ledger/<feed>.lock            held by writer 1's session as long as it lives
//! <root>/.ledger/<feed>@writer-2.lock … by that of each other writer, and of who finishes
//! <root>/.ledger/<feed>@commit.lock     held by who commits, for as long as that takes
//! ```
//! What a session sends it gathers apart; only when it commits are the lines put behind those that others
//! have committed meanwhile. A transaction is one line of the ledger: it states how long each partition file is with the
//! transaction, and holds the ledger records that commit with it. Readers read each file only as far
//! as the last line says, so that what lies behind it does not exist for them; the next session cuts
//! it off. The files are synced before the line is written, and the line before `commit` returns.

mod files;
mod ledger;
mod line;
mod lock;
mod session;
mod spool;
mod topic;

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use hivecast_run::{Context, Fault, Result};

use crate::{Ledger, Probe, Record, Session, Slot, Target, TargetLimits, TopicSpec, View};
use files::check_name;
use ledger::LedgerFile;
use line::Line;
use topic::TopicFile;

pub use topic::random_topic_id;

/// Makes the identity of a new topic.
pub type TopicIds = dyn Fn() -> Result<String> + Send + Sync;

/// How many bytes are read from a partition file at once.
const READ_BUFFER_BYTES: usize = 256 << 10;

/// A directory that holds topics.
pub struct DirTarget {
    root: PathBuf,
    topic_ids: Box<TopicIds>,
}

impl DirTarget {
    /// Topics below `root`, which need not be there yet; `topic_ids` gives each new topic its
    /// identity, [`random_topic_id`] outside of tests.
    pub fn new(root: impl Into<PathBuf>, topic_ids: Box<TopicIds>) -> Self {
        DirTarget { root: root.into(), topic_ids }
    }

    fn topic_dir(&self, topic: &str) -> PathBuf {
        self.root.join(topic)
    }

    fn ledger_dir(&self) -> PathBuf {
        self.root.join(".ledger")
    }

    /// No feed's name has an `@`, so that no other feed has the same lock.
    fn lock_path(&self, feed: &str, slot: Slot) -> PathBuf {
        self.ledger_dir().join(match slot {
            Slot::FIRST => format!("{feed}.lock"),
            slot => format!("{feed}@{slot}.lock"),
        })
    }

    fn commit_lock_path(&self, feed: &str) -> PathBuf {
        self.ledger_dir().join(format!("{feed}@commit.lock"))
    }

    fn ledger_path(&self, feed: &str) -> PathBuf {
        self.ledger_dir().join(format!("{feed}.ndjson"))
    }
}

fn check_names(topic: &TopicSpec) -> Result<()> {
    check_name("feed", &topic.feed)?;
    check_name("topic", &topic.topic)
}

impl Target for DirTarget {
    fn name(&self) -> String {
        format!("dir {}", self.root.display())
    }

    fn preflight(&self, topic: &TopicSpec, context: &Context<'_>) -> Result<TargetLimits> {
        check_names(topic)?;
        files::check_writable(&self.root)?;
        if let Some(file) = TopicFile::load(&self.topic_dir(&topic.topic))? {
            file.check(topic)?;
            file.settings_that_differ(topic).into_iter().for_each(|warning| context.warn(warning));
        }
        Ok(TargetLimits { record_bytes: None })
    }

    fn compacts(&self) -> bool {
        false
    }

    fn probe(&self, topic: &TopicSpec, _context: &Context<'_>) -> Vec<Probe> {
        let outcome = check_names(topic).and_then(|()| files::try_writing(&self.root));
        let found = |()| format!("a file can be made, synced and removed in {}", self.root.display());
        vec![Probe { what: "writing".to_owned(), outcome: outcome.map(found) }]
    }

    fn open<'a>(
        &'a self,
        topic: &TopicSpec,
        slot: Slot,
        _context: &Context<'a>,
    ) -> Result<Box<dyn Session + 'a>> {
        check_names(topic)?;
        files::create_dir(&self.root)?;
        files::create_dir(&self.ledger_dir())?;
        let lock = lock::Lock::acquire(&self.lock_path(&topic.feed, slot), &topic.feed)?;
        let commit_lock = self.commit_lock_path(&topic.feed);
        // Nobody commits while what is there is made out, and what a crash left is cut off.
        let turn = lock::Turn::take(&commit_lock)?;
        let dir = self.topic_dir(&topic.topic);
        let file = match TopicFile::load(&dir)? {
            Some(file) => file,
            None => TopicFile::create(&dir, topic, (self.topic_ids)()?)?,
        };
        file.check(topic)?;
        let ledger = LedgerFile::open(&self.ledger_path(&topic.feed))?;
        let spools = self.ledger_dir().join(format!("{}@{slot}", topic.feed));
        let session = session::DirSession::new(
            &turn,
            session::Places { lock, commit_lock, dir, spools },
            topic,
            file,
            ledger,
        )?;
        Ok(Box::new(session))
    }

    fn fence(&self, topic: &TopicSpec, slot: Slot, _context: &Context<'_>) -> Result<()> {
        check_names(topic)?;
        // Who lives has the lock; who does not can't commit any more, and leaves nothing that is seen.
        lock::Lock::acquire(&self.lock_path(&topic.feed, slot), &topic.feed).map(drop)
    }

    fn check_free(&self, feed: &str, slot: Slot) -> Result<()> {
        check_name("feed", feed)?;
        lock::check_free(&self.lock_path(feed, slot), feed)
    }

    fn ledger(&self, feed: &str, _view: View, _context: &Context<'_>) -> Result<Ledger> {
        check_name("feed", feed)?;
        ledger::fold(&ledger::read(&self.ledger_path(feed))?.commits)
    }

    fn read(
        &self,
        topic: &str,
        partition: u32,
        from: i64,
        to: i64,
        context: &Context<'_>,
        each: &mut dyn FnMut(Record<'_>) -> Result<()>,
    ) -> Result<()> {
        check_name("topic", topic)?;
        let dir = self.topic_dir(topic);
        let Some(file) = TopicFile::load(&dir)? else { return Ok(()) };
        let commits = ledger::read(&self.ledger_path(&file.feed))?.commits;
        let commits = commits.into_iter().rev().filter(|commit| commit.topic_id == file.id);
        // Newest first: how far the file is committed, and places in it that are known by offset.
        let places: Vec<(u64, i64)> = commits.filter_map(|commit| commit.place(partition as usize)).collect();
        let Some(end) = places.first().copied() else { return Ok(()) };
        let path = topic::partition_path(&dir, partition);
        let start = places.into_iter().find(|(_, offset)| *offset <= from).unwrap_or((0, 0));
        let mut lines = Lines::open(&path, partition, end.0)?;
        if start != end {
            lines.seek(start)?;
            lines.each(from, to, context, each)?;
        }
        Ok(())
    }
}

/// The committed lines of a partition file.
struct Lines<'a> {
    path: &'a Path,
    partition: u32,
    file: BufReader<File>,
    position: u64,
    committed: u64,
    line: Vec<u8>,
}

impl<'a> Lines<'a> {
    fn open(path: &'a Path, partition: u32, committed: u64) -> Result<Self> {
        let file = File::open(path)
            .map_err(|error| Fault::io(format!("failed to read {}", path.display()), error))?;
        let file = BufReader::with_capacity(READ_BUFFER_BYTES, file);
        Ok(Lines { path, partition, file, position: 0, committed, line: Vec::new() })
    }

    /// Goes to where the offset is known to begin. A file that was damaged once may have another
    /// line there, or none, and is read from its start then.
    fn seek(&mut self, (position, offset): (u64, i64)) -> Result<()> {
        self.go_to(position)?;
        let is_there = self.next()? && self.parse().is_ok_and(|line| line.offset == offset);
        self.go_to(if is_there { position } else { 0 })
    }

    fn go_to(&mut self, position: u64) -> Result<()> {
        self.position = position;
        self.file.seek(SeekFrom::Start(position)).map_err(|error| self.fault(error))?;
        Ok(())
    }

    /// Takes the next line; false at the end of what is committed and there.
    fn next(&mut self) -> Result<bool> {
        self.line.clear();
        let rest = self.committed.saturating_sub(self.position);
        let read = (&mut self.file).take(rest).read_until(b'\n', &mut self.line);
        self.position += read.map_err(|error| self.fault(error))? as u64;
        Ok(self.line.last() == Some(&b'\n'))
    }

    fn parse(&self) -> Result<Line<'_>> {
        Line::parse(&self.line).map_err(|error| {
            let at = self.position - self.line.len() as u64;
            Fault::data(format!("failed to read {} at byte {at}", self.path.display())).because(error)
        })
    }

    fn each(
        &mut self,
        from: i64,
        to: i64,
        context: &Context<'_>,
        each: &mut dyn FnMut(Record<'_>) -> Result<()>,
    ) -> Result<()> {
        while self.next()? {
            context.check_cancelled()?;
            let line = self.parse()?;
            if line.offset > to {
                break;
            }
            if line.offset >= from {
                each(line.record(self.partition))?;
            }
        }
        Ok(())
    }

    fn fault(&self, error: std::io::Error) -> Fault {
        let what = format!("failed to read {}", self.path.display());
        match error.kind() {
            ErrorKind::InvalidData => Fault::data(what).because(error),
            _ => Fault::io(what, error),
        }
    }
}
