use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_schema::Fields;
use hivecast_contract::{HashRange, LoadDate, key_hash};
use hivecast_run::{Cancel, Fault, Result};
use xxhash_rust::xxh3::Xxh3;

use crate::description::{Description, EDITION_FORMAT, ShardDescription};
use crate::exclusion::{By, Excluded, Exclusion, Exclusions, Marks, Sent, Sorter};
use crate::files::read_if_there;
use crate::reader::{Batch, Columns, EditionReader, Source, locate, lower};
use crate::schema;
use crate::shared::Remote;
use crate::writer::{DESCRIPTION_FILE, QUARANTINE_FILE};

/// Bytes read at a time while a shard is verified.
const VERIFY_BYTES: usize = 1024 * 1024;

/// A whole edition in the store.
#[derive(Clone, Debug)]
pub struct Edition {
    /// What `edition.json` says.
    pub description: Description,
    /// Its directory.
    pub path: PathBuf,
    source: Arc<Source>,
    exclusions: Arc<Exclusions>,
    /// The shared store's edition, of which `path` has the files that were read.
    remote: Option<Arc<Remote>>,
}

impl Edition {
    /// Reads the description in `path`, and which documents are set aside. Fails with `Class::Data`
    /// where there is none, it is damaged, or a newer program wrote it.
    pub fn open(path: &Path) -> Result<Edition> {
        Edition::open_of(path, None)
    }

    /// As [`Edition::open`], of an edition whose other files come from a shared store.
    pub(crate) fn open_of(path: &Path, remote: Option<Arc<Remote>>) -> Result<Edition> {
        let file = path.join(DESCRIPTION_FILE);
        let json =
            read_if_there(&file)?.ok_or_else(|| Fault::data(format!("{} is not there", file.display())))?;
        let damaged = |cause: serde_json::Error| {
            Fault::data(format!("failed to read {}", file.display())).because(cause).advise(rebuild(path))
        };
        let value: serde_json::Value = serde_json::from_slice(&json).map_err(damaged)?;
        let format = value.get("format").and_then(serde_json::Value::as_u64);
        if format.is_some_and(|format| format > u64::from(EDITION_FORMAT)) {
            let format = format.unwrap_or_default();
            return Err(Fault::data(format!(
                "{} has format {format}, newer than this program's {EDITION_FORMAT}",
                file.display()
            ))
            .advise("use a newer hivecast"));
        }
        let description: Description = serde_json::from_value(value).map_err(damaged)?;
        let fields = schema::from_json(&description.schema)?;
        let shards = description.shards.clone();
        let source = Arc::new(Source::new(path.to_owned(), shards, fields, remote.clone()));
        let exclusions = Arc::new(Exclusions::open(path)?);
        Ok(Edition { description, path: path.to_owned(), source, exclusions, remote })
    }

    /// Documents that are sent: all but the excluded ones.
    pub fn documents(&self) -> u64 {
        self.description.documents - self.exclusions.len()
    }

    /// How many of them are in a range of the order. Little of the files is read.
    pub fn documents_in(&self, range: HashRange) -> Result<u64> {
        if range == HashRange::WHOLE {
            return Ok(self.documents());
        }
        let marks = self.exclusions.marks()?;
        let net = |gross: u64| gross - marks.before(gross);
        Ok(net(lower(&self.source, range.end)?) - net(lower(&self.source, range.start)?))
    }

    /// The document column's fields, as readers get them.
    pub fn fields(&self) -> &Fields {
        &self.source.fields
    }

    /// Where it lies, as people read it: for a shared edition its place in the shared store.
    pub fn shown(&self) -> String {
        match &self.remote {
            Some(remote) => remote.dir().to_string(),
            None => self.path.display().to_string(),
        }
    }

    /// Where the rows lie that gates set aside while it was built, if there are any.
    pub fn quarantine_file(&self) -> Option<PathBuf> {
        // Only for people to read: where it can't be had now, the run goes on.
        let _ = self.remote.as_ref().map(|remote| remote.ensure_quarantine());
        Some(self.path.join(QUARANTINE_FILE)).filter(|path| path.exists())
    }

    /// The documents that are set aside, in the edition's order, read one by one.
    pub fn excluded(&self) -> Result<impl Iterator<Item = Result<Excluded>>> {
        self.exclusions.read()
    }

    /// The documents that the engine named while it built the edition, in its order, read one by one.
    /// They are set aside when it is judged.
    pub fn named(&self) -> Result<impl Iterator<Item = Result<Exclusion>>> {
        if let Some((name, bytes, checksum)) = self.description.exclusions.file() {
            self.ensure(name, bytes, checksum)?;
        }
        self.description.exclusions.read(&self.path)
    }

    /// Has a file here that may be in a shared store alone.
    fn ensure(&self, name: &str, bytes: u64, checksum: &str) -> Result<()> {
        self.remote.as_ref().map_or(Ok(()), |remote| remote.ensure(name, bytes, checksum))
    }

    /// Has the shared store know of a file that was written anew.
    pub(crate) fn push_changed(&self, name: &str) -> Result<()> {
        self.remote.as_ref().map_or(Ok(()), |remote| remote.put_changed(name))
    }

    /// Sets documents aside, before the first is sent: readers leave them out and ordinals count
    /// without them. Keys that the edition lacks are passed over: a query may name any row. The list
    /// is written beside the edition even where it is empty. Fails with `Class::Conflict`, and leaves
    /// the list as it is, where part of the edition was sent with other documents set aside.
    pub fn exclude(&mut self, exclusions: impl IntoIterator<Item = Exclusion>, sent: Sent<'_>) -> Result<()> {
        let mut wanted = Sorter::new(&self.path);
        exclusions.into_iter().try_for_each(|exclusion| wanted.push(By::Gates, exclusion))?;
        self.set_aside(wanted, sent)
    }

    /// See [`Edition::exclude`].
    pub(crate) fn set_aside(&mut self, wanted: Sorter, sent: Sent<'_>) -> Result<()> {
        self.exclusions = Arc::new(Exclusions::write(self, wanted, sent)?);
        Ok(())
    }

    /// A digest, 16 hexadecimal digits, of what is sent of this edition: its documents' number and
    /// checksum, and which are set aside. Net ordinals of equal digests mean the same documents.
    pub fn fingerprint(&self) -> String {
        self.exclusions.fingerprint(&self.description)
    }

    /// Documents from the net ordinal `start` (0 is the first) to the end, in the edition's order.
    pub fn reader(&self, start: u64, columns: Columns) -> Result<EditionReader> {
        EditionReader::new(Arc::clone(&self.source), self.exclusions.marks()?, start, columns)
    }

    /// As [`Edition::reader`], with excluded documents, and ordinals that count them.
    pub fn reader_of_all(&self, start: u64, columns: Columns) -> Result<EditionReader> {
        EditionReader::new(Arc::clone(&self.source), Arc::<Marks>::default(), start, columns)
    }

    /// Documents of a range of the order, from its `start`th that is sent (0 is the first) to its end.
    pub fn reader_of_part(&self, range: HashRange, start: u64, columns: Columns) -> Result<EditionReader> {
        if range == HashRange::WHOLE {
            return self.reader(start, columns);
        }
        let first = lower(&self.source, range.start)?;
        let end = lower(&self.source, range.end)?;
        let first = first - self.exclusions.marks()?.before(first);
        Ok(self.reader(first + start, columns)?.until(end))
    }

    /// As [`Edition::reader_of_part`], from the range's start and with excluded documents.
    pub(crate) fn reader_of_all_in(&self, range: HashRange, columns: Columns) -> Result<EditionReader> {
        if range == HashRange::WHOLE {
            return self.reader_of_all(0, columns);
        }
        let reader = self.reader_of_all(lower(&self.source, range.start)?, columns)?;
        Ok(reader.until(lower(&self.source, range.end)?))
    }

    /// The document with this key as a batch of one row, if the edition has it and it is not
    /// excluded. Reads one row group's keys and one page a column.
    pub fn find(&self, key: &str) -> Result<Option<Batch>> {
        let Some(ordinal) = locate(&self.source, key_hash(key.as_bytes()), key)? else { return Ok(None) };
        let Some(ordinal) = self.exclusions.marks()?.net(ordinal) else { return Ok(None) };
        let batch = self.reader(ordinal, Columns::Documents)?.with_batch_rows(1).next();
        batch.transpose()
    }

    /// Holds each file's size and checksum against the description. Fails with `Class::Data`,
    /// naming the first file that is missing, truncated or altered.
    pub fn verify_files(&self) -> Result<()> {
        self.verify_files_unless(&Cancel::default())
    }

    /// As [`Edition::verify_files`], for a run that may be asked to stop while it reads.
    pub fn verify_files_unless(&self, cancel: &Cancel) -> Result<()> {
        self.verify_part_unless(HashRange::WHOLE, cancel)
    }

    /// As [`Edition::verify_files_unless`], of the shards alone that hold documents of a range.
    pub fn verify_part_unless(&self, range: HashRange, cancel: &Cancel) -> Result<()> {
        let is_in = |shard: &&ShardDescription| match (&shard.first, &shard.last) {
            _ if range == HashRange::WHOLE => true,
            (Some(first), Some(last)) => u64::from(first.0) < range.end && u64::from(last.0) >= range.start,
            _ => false,
        };
        for ShardDescription { file, bytes, file_checksum, .. } in
            self.description.shards.iter().filter(is_in)
        {
            self.verify_file(file, *bytes, file_checksum, cancel)?;
        }
        match self.description.exclusions.file() {
            Some((name, bytes, checksum)) => self.verify_file(name, bytes, checksum, cancel),
            None => Ok(()),
        }
    }

    fn verify_file(
        &self,
        name: &str,
        expected_bytes: u64,
        expected_checksum: &str,
        cancel: &Cancel,
    ) -> Result<()> {
        self.ensure(name, expected_bytes, expected_checksum)?;
        let path = self.path.join(name);
        let unfit =
            |why: String| Err(Fault::data(format!("{} {why}", path.display())).advise(rebuild(&self.path)));
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return unfit("is missing".to_owned()),
            Err(error) => return Err(Fault::io(format!("failed to open {}", path.display()), error)),
        };
        let (bytes, checksum) = checksum_of(file, &path, cancel)?;
        if bytes != expected_bytes {
            return unfit(format!("has {bytes} bytes, not the {expected_bytes} that were written"));
        }
        if checksum != expected_checksum {
            return unfit("has the size but not the checksum that it was written with".to_owned());
        }
        Ok(())
    }

    pub(crate) fn is(&self, feed: &str, load_date: LoadDate, id: &str) -> bool {
        let description = &self.description;
        description.feed == feed && description.load_date == load_date && description.id.0 == id
    }
}

fn checksum_of(mut file: File, path: &Path, cancel: &Cancel) -> Result<(u64, String)> {
    let mut buffer = vec![0; VERIFY_BYTES];
    let mut hash = Xxh3::new();
    let mut bytes = 0;
    loop {
        cancel.check()?;
        let read = file
            .read(&mut buffer)
            .map_err(|error| Fault::io(format!("failed to read {}", path.display()), error))?;
        if read == 0 {
            return Ok((bytes, format!("{:016x}", hash.digest())));
        }
        bytes += read as u64;
        hash.update(&buffer[..read]);
    }
}

/// What to do about a damaged edition.
pub(crate) fn rebuild(path: &Path) -> String {
    format!("remove {} and run the same command again: it is built anew from the same inputs", path.display())
}
