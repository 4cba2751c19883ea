//! The session that may append to a topic's files.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use hivecast_contract::{Checksum, LedgerRecord, PartitionTotals};
use hivecast_run::{Fault, Result, crash_point};
use serde_json::value::RawValue;

use super::ledger::{self, Commit, LedgerFile};
use super::line::{self, HeaderText, Line};
use super::lock::{Lock, Turn};
use super::spool::Spool;
use super::topic::{TopicFile, partition_path};
use crate::{Committed, Headers, Ledger, Session, TopicSpec};

/// How many bytes of lines are put together before they are written to a partition's file.
const WRITE_BUFFER_BYTES: usize = 256 << 10;

/// What a session holds, and where its files lie.
pub(super) struct Places {
    /// Of its slot.
    pub(super) lock: Lock,
    /// What is locked for a commit.
    pub(super) commit_lock: PathBuf,
    /// The topic's directory.
    pub(super) dir: PathBuf,
    /// What its spools' names begin with.
    pub(super) spools: PathBuf,
}

pub(super) struct DirSession {
    places: Places,
    topic: String,
    file: TopicFile,
    ledger_file: LedgerFile,
    ledger: Ledger,
    partitions: Vec<Partition>,
    state: State,
}

enum State {
    Idle,
    Open(HeaderText),
    /// A commit failed and may have happened; or files could not be cut back.
    Dead,
}

/// A partition's file, and what the open transaction will add to it.
struct Partition {
    path: PathBuf,
    file: File,
    /// Committed bytes and the next offset behind them, as they were when this session looked last.
    committed: (u64, i64),
    spool: Spool,
    /// What is in the spool. Offsets are known once it is appended.
    totals: PartitionTotals,
    /// Bytes and the next offset with what was appended.
    appended: (u64, i64),
}

impl DirSession {
    /// Finds what is committed, and cuts off what an earlier session left behind it. Nobody else may be
    /// committing, which `_turn` says.
    pub(super) fn new(
        _turn: &Turn,
        places: Places,
        topic: &TopicSpec,
        file: TopicFile,
        mut ledger_file: LedgerFile,
    ) -> Result<Self> {
        let last = ledger_file.commits.iter().rev().find(|commit| commit.topic_id == file.id);
        let mut partitions = Vec::new();
        for partition in 0..file.partitions {
            let known = last.and_then(|commit| commit.place(partition as usize));
            let spool = Spool::new(places.spools.with_added_extension(format!("spool-{partition}")));
            partitions.push(Partition::open(partition_path(&places.dir, partition), known, spool)?);
        }
        let ledger = ledger::fold(&ledger_file.commits)?;
        if last.is_none() {
            // From here on a file that is longer than the ledger says has an open transaction, and
            // a topic that the ledger does not know has lost its ledger.
            let born = commit(&topic.topic, &file.id, &partitions, Vec::new());
            if born.lengths.iter().all(|length| *length == 0) {
                ledger_file.write(&born)?;
                ledger_file.sync()?;
            }
        }
        // Only the lengths above were needed of them, and they grow with the topic's age.
        ledger_file.commits = Vec::new();
        let state = State::Idle;
        Ok(DirSession { places, topic: topic.topic.clone(), file, ledger_file, ledger, partitions, state })
    }

    /// Fails where this session may not commit any more.
    fn check_alive(&self) -> Result<()> {
        if matches!(self.state, State::Dead) {
            return Err(Fault::infrastructure(format!("the session of topic {} is over", self.topic)));
        }
        self.places.lock.check()?;
        match TopicFile::load(&self.places.dir)? {
            Some(file) if file.id == self.file.id => Ok(()),
            _ => Err(Fault::conflict(format!("topic {} was deleted during the run", self.topic))
                .advise("find out who deletes topics; then publish with --replace")),
        }
    }

    /// Learns how far the others have committed.
    fn catch_up(&mut self) -> Result<()> {
        let commits = self.ledger_file.catch_up()?;
        if let Some(last) = commits.iter().rev().find(|commit| commit.topic_id == self.file.id) {
            for (index, partition) in self.partitions.iter_mut().enumerate() {
                partition.committed = last.place(index).unwrap_or(partition.committed);
            }
        }
        self.partitions.iter_mut().for_each(|partition| partition.appended = partition.committed);
        Ok(())
    }

    fn append_and_sync(&mut self) -> Result<()> {
        for partition in &mut self.partitions {
            partition.append()?;
        }
        for partition in self.partitions.iter().filter(|partition| partition.totals.records() > 0) {
            let synced = partition.file.sync_data();
            synced
                .map_err(|error| Fault::io(format!("failed to sync {}", partition.path.display()), error))?;
        }
        Ok(())
    }

    /// Appends what is gathered, and gives the ledger's line that commits it.
    fn prepare(
        &mut self,
        ledger_records: &mut dyn FnMut(&Committed) -> Result<Vec<LedgerRecord>>,
    ) -> Result<(Committed, Vec<LedgerRecord>, Commit)> {
        self.append_and_sync()?;
        crash_point("dir.data_synced");
        let totals = self.partitions.iter().map(|partition| partition.totals.clone());
        let committed = Committed { partitions: totals.collect() };
        let records = ledger_records(&committed)?;
        let raw = records.iter().map(|record| RawValue::from_string(record.to_json()));
        let raw = raw.collect::<Result<_, _>>();
        let raw = raw.map_err(|error| Fault::bug("failed to write a ledger record").because(error))?;
        Ok((committed, records, commit(&self.topic, &self.file.id, &self.partitions, raw)))
    }

    /// Cuts off what was appended and is not committed; only with the turn. What cannot be cut off now is
    /// behind what is committed, and so does not exist.
    fn cut_back(&mut self) {
        for partition in &self.partitions {
            let _ = partition.file.set_len(partition.committed.0);
        }
    }
}

fn commit(topic: &str, topic_id: &str, partitions: &[Partition], records: Vec<Box<RawValue>>) -> Commit {
    Commit {
        topic: topic.to_owned(),
        topic_id: topic_id.to_owned(),
        lengths: partitions.iter().map(|partition| partition.appended.0).collect(),
        offsets: partitions.iter().map(|partition| partition.appended.1).collect(),
        records,
    }
}

impl Session for DirSession {
    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn topic_id(&self) -> &str {
        &self.file.id
    }

    fn topic_has_records(&self) -> Result<bool> {
        Ok(self.partitions.iter().any(|partition| partition.committed.1 > 0))
    }

    fn end_offsets(&self) -> Result<Vec<i64>> {
        Ok(self.partitions.iter().map(|partition| partition.committed.1).collect())
    }

    fn begin(&mut self, headers: &Headers) -> Result<()> {
        self.check_alive()?;
        if matches!(self.state, State::Open(_)) {
            return Err(Fault::bug("failed to begin a transaction: one is open"));
        }
        self.state = State::Open(HeaderText::new(headers));
        Ok(())
    }

    fn send(&mut self, partition: u32, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        let State::Open(headers) = &self.state else {
            return Err(Fault::bug("failed to send a record: no transaction is open"));
        };
        let Some(partition) = self.partitions.get_mut(partition as usize) else {
            return Err(Fault::bug(format!("failed to send a record: no partition {partition}")));
        };
        partition.add(key, value, headers)
    }

    fn commit(
        &mut self,
        ledger_records: &mut dyn FnMut(&Committed) -> Result<Vec<LedgerRecord>>,
    ) -> Result<Committed> {
        if matches!(self.state, State::Idle) {
            return Err(Fault::bug("failed to commit: no transaction is open"));
        }
        let _turn = Turn::take(&self.places.commit_lock)?;
        self.check_alive()?;
        self.catch_up()?;
        let (committed, records, line) = match self.prepare(ledger_records) {
            Ok(prepared) => prepared,
            Err(fault) => {
                self.cut_back();
                return Err(fault);
            }
        };
        if let Err(fault) = self.ledger_file.write(&line) {
            // A full disk gets its room back at once; what fails here is cut off by the next commit.
            self.cut_back();
            self.state = State::Dead;
            return Err(fault);
        }
        crash_point("dir.ledger_written");
        if let Err(fault) = self.ledger_file.sync() {
            self.state = State::Dead;
            return Err(fault);
        }
        self.partitions.iter_mut().for_each(Partition::settle);
        records.into_iter().for_each(|record| self.ledger.apply(record));
        self.state = State::Idle;
        Ok(committed)
    }

    fn abort(&mut self) -> Result<()> {
        // A dead session's last line may be in the ledger: what it speaks of must stay.
        let State::Open(_) = std::mem::replace(&mut self.state, State::Dead) else { return Ok(()) };
        self.places.lock.check()?;
        self.partitions.iter_mut().for_each(Partition::forget);
        self.state = State::Idle;
        Ok(())
    }
}

impl Partition {
    /// Opens a partition's file and cuts it back to what is committed. Where the ledger knows
    /// nothing, or speaks of more than there is, the whole lines that are there count: the decision
    /// what to do about it is not the target's.
    fn open(path: PathBuf, known: Option<(u64, i64)>, spool: Spool) -> Result<Self> {
        let fault = |error| Fault::io(format!("failed to open {}", path.display()), error);
        let opened = OpenOptions::new().read(true).write(true).open(&path);
        let file = opened.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Fault::conflict(format!("{} is gone", path.display()))
                .advise("restore the file, or delete the topic's directory and publish with --replace"),
            _ => fault(error),
        })?;
        let length = file.metadata().map_err(fault)?.len();
        let committed = match known {
            Some(place) if place.0 <= length => place,
            _ => whole_lines(&path, &file)?,
        };
        file.set_len(committed.0).map_err(fault)?;
        let totals = PartitionTotals::default();
        Ok(Partition { path, file, committed, spool, totals, appended: committed })
    }

    fn add(&mut self, key: &[u8], value: Option<&[u8]>, headers: &HeaderText) -> Result<()> {
        self.spool.add(|out| line::write_rest(out, key, headers, value))?;
        self.totals.add(&PartitionTotals {
            documents: u64::from(value.is_some()),
            tombstones: u64::from(value.is_none()),
            bytes: (key.len() + value.map_or(0, <[u8]>::len)) as u64,
            checksum: Checksum::of_record(key, value),
            ..PartitionTotals::default()
        });
        Ok(())
    }

    /// Puts what is gathered behind what is committed, over whatever one that died has left there.
    fn append(&mut self) -> Result<()> {
        self.appended = self.committed;
        (self.totals.first_offset, self.totals.last_offset) = (None, None);
        if self.totals.records() == 0 {
            return Ok(());
        }
        let Partition { path, file, spool, appended, .. } = self;
        let fault = |error| Fault::io(format!("failed to write {}", path.display()), error);
        file.set_len(appended.0).map_err(fault)?;
        let mut buffer = Vec::new();
        let flush = |buffer: &mut Vec<u8>, at: &mut u64| {
            file.write_all_at(buffer, *at).map_err(fault)?;
            *at += buffer.len() as u64;
            buffer.clear();
            buffer.shrink_to(2 * WRITE_BUFFER_BYTES);
            Ok(())
        };
        let (position, next_offset) = appended;
        spool.each(&mut |rest| {
            line::write_offset(&mut buffer, *next_offset);
            buffer.extend_from_slice(rest);
            *next_offset += 1;
            if buffer.len() >= WRITE_BUFFER_BYTES { flush(&mut buffer, position) } else { Ok(()) }
        })?;
        flush(&mut buffer, position)?;
        self.totals.first_offset = Some(self.committed.1);
        self.totals.last_offset = Some(self.appended.1 - 1);
        Ok(())
    }

    /// What was appended is committed.
    fn settle(&mut self) {
        self.committed = self.appended;
        self.forget();
    }

    fn forget(&mut self) {
        self.spool.clear();
        self.totals = PartitionTotals::default();
    }
}

/// The bytes of the whole lines of a file, and the offset behind the last.
fn whole_lines(path: &Path, file: &File) -> Result<(u64, i64)> {
    let fault = |error| Fault::io(format!("failed to read {}", path.display()), error);
    let mut reader = BufReader::new(file.try_clone().map_err(fault)?);
    let (mut bytes, mut offset) = (0, 0);
    let mut text = Vec::new();
    while reader.read_until(b'\n', &mut text).map_err(fault)? > 0 {
        let Ok(line) = Line::parse(&text) else { break };
        if text.last() != Some(&b'\n') {
            break;
        }
        bytes += text.len() as u64;
        offset = line.offset + 1;
        text.clear();
    }
    Ok((bytes, offset))
}
