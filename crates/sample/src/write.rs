use std::collections::VecDeque;
use std::fs;
use std::num::NonZero;
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hivecast_contract::LoadDate;
use hivecast_run::{Context, Fault, Result};
use hivecast_storage::Location;

use crate::destination::{Counts, Destination, SUCCESS_FILE, Site, Slot};
use crate::lines::LineForm;
use crate::output::{Form, Output};
use crate::population::{MOST_ACCOUNTS, MOST_DAYS, MOST_SKEW, Population};
use crate::tables::{Day, Table, rows};

/// The database of the export where none is named.
pub const DATABASE: &str = "mdm";
/// Accounts whose rows go to one file.
const ACCOUNTS_PER_FILE: u64 = 1_000_000;
/// Files carry the time 04:00:00 UTC of their load_date, as if exported then, in seconds.
const EXPORTED_AT: u64 = 4 * 3600;
const SECONDS_PER_DAY: u64 = 86_400;
/// Threads at most; more would wait for the disk.
const MOST_THREADS: usize = 8;

/// How the export's files are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// Parquet, compressed with snappy.
    Parquet,
    /// ORC, compressed with snappy.
    Orc,
    /// Avro's object container files.
    Avro,
    /// One JSON object a line.
    Json,
    /// Text, `\N` for null: comma-separated with a header, and in a metastore's tables as Hive writes it,
    /// with control-A and without a header.
    Text,
}

impl FileFormat {
    fn form(self, destination: &Destination) -> Form {
        match self {
            FileFormat::Parquet => Form::Parquet,
            FileFormat::Orc => Form::Orc,
            FileFormat::Avro => Form::Avro,
            FileFormat::Json => Form::Lines(LineForm::Json),
            FileFormat::Text if destination.reads_hives_text() => Form::Lines(LineForm::Hive),
            FileFormat::Text => Form::Lines(LineForm::Csv),
        }
    }
}

/// What becomes of a load_date that is already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Nothing is written at all.
    Refuse,
    /// It is written again.
    Replace,
    /// It stays, and what is missing is written: an export is prolonged by asking for more days
    /// with the same first one.
    Keep,
}

/// What is to be written.
#[derive(Debug)]
pub struct Options {
    /// Where it is put.
    pub to: Destination,
    /// The Hive database of its tables: lower case letters, digits and `_`.
    pub database: String,
    /// Accounts on the first day.
    pub accounts: u64,
    /// Days, the last of which is `last_date`.
    pub days: u32,
    /// Two exports of one seed, first day and number of accounts are the same, byte for byte.
    pub seed: u64,
    /// The last day.
    pub last_date: LoadDate,
    /// How files are written.
    pub format: FileFormat,
    /// One account has this many parties.
    pub skew: Option<u64>,
    /// What becomes of days that are there.
    pub existing: Existing,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// By day, oldest first, those that were there and kept aside.
    pub days: Vec<DaySummary>,
}

/// One day of a [`Summary`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaySummary {
    /// The day.
    pub date: LoadDate,
    /// The tables that were written.
    pub tables: Vec<TableSummary>,
}

/// One table's day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSummary {
    /// The table's name in Hive.
    pub table: &'static str,
    /// Its directory.
    pub path: Location,
    /// Rows.
    pub rows: u64,
    /// Files, `_SUCCESS` aside.
    pub files: u64,
    /// Bytes of the files.
    pub bytes: u64,
}

/// Writes the export. Each table's day appears whole or not at all, and files carry a fixed time.
/// `Class::Usage` where an option makes no sense or a day is there already.
pub fn write(options: &Options, context: Context<'_>) -> Result<Summary> {
    let dates = dates(options)?;
    let site = Site::open(options)?;
    let partitions = partitions(options, &dates, &site)?;
    let population = Population::new(options.seed, options.accounts, options.days, options.skew);
    let first = dates.first().map_or(0, |date| date.days_since_epoch());
    let form = options.format.form(&options.to);
    let export = Export { options, form, site, population, first, partitions };
    let written = export.run(context);
    if written.is_err() {
        for partition in &export.partitions {
            // What is left is hidden from readers; the first fault is the one to tell.
            let _ = fs::remove_dir_all(&partition.slot.staging);
        }
    }
    Ok(summarise(&dates, written?))
}

fn summarise(dates: &[LoadDate], tables: Vec<(LoadDate, TableSummary)>) -> Summary {
    let of = |date: LoadDate| -> Vec<TableSummary> {
        tables.iter().filter(|(day, _)| *day == date).map(|(_, table)| table.clone()).collect()
    };
    let days = dates.iter().map(|&date| DaySummary { date, tables: of(date) });
    Summary { days: days.filter(|day| !day.tables.is_empty()).collect() }
}

fn dates(options: &Options) -> Result<Vec<LoadDate>> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if options.database.is_empty() || !options.database.chars().all(plain) {
        return Err(Fault::usage(format!("{:?} can't name a database", options.database))
            .advise("use lower case letters, digits and `_`"));
    }
    let limits = [
        ("accounts", options.accounts, MOST_ACCOUNTS),
        ("days", u64::from(options.days), u64::from(MOST_DAYS)),
        ("skew", options.skew.unwrap_or(1), MOST_SKEW),
    ];
    for (name, value, most) in limits {
        if value == 0 || value > most {
            return Err(Fault::usage(format!("{name} must be from 1 to {most}, not {value}")));
        }
    }
    let last = options.last_date.days_since_epoch();
    let first = last - i64::from(options.days) + 1;
    let dates = (first..=last).map(date_of).collect::<Option<Vec<LoadDate>>>();
    match dates {
        // Files carry their day's time, which is counted from 1970.
        Some(dates) if first >= 0 => Ok(dates),
        _ => Err(Fault::usage(format!(
            "{} days that end on {} begin before 1970-01-01",
            options.days, options.last_date
        ))),
    }
}

fn date_of(days: i64) -> Option<LoadDate> {
    let date = chrono::NaiveDate::from_epoch_days(i32::try_from(days).ok()?)?;
    date.to_string().parse().ok()
}

/// A table's day that is to be written.
struct Partition {
    slot: Slot,
    /// Counted from the first day, which is 0.
    day: u32,
}

fn partitions(options: &Options, dates: &[LoadDate], site: &Site<'_>) -> Result<Vec<Partition>> {
    let mut partitions = Vec::new();
    let mut existing = Vec::new();
    for (&date, day) in dates.iter().zip(0..) {
        for table in Table::ALL {
            let slot = site.slot(table, date)?;
            // What is replaced needs no look.
            let is_there = options.existing != Existing::Replace && site.has(&slot)?;
            match (is_there, options.existing) {
                (true, Existing::Keep) => {}
                (true, Existing::Refuse) => existing.push(slot.path.to_string()),
                _ => partitions.push(Partition { slot, day }),
            }
        }
    }
    let Some(one) = existing.first() else { return Ok(partitions) };
    let what = match existing.len() - 1 {
        0 => format!("{one} is there already"),
        1 => format!("{one} and 1 directory like it are there already"),
        more => format!("{one} and {more} directories like it are there already"),
    };
    Err(Fault::usage(what)
        .advise("--force replaces such days, --extend keeps them and writes those that are missing; or name another --load-date"))
}

/// One file to write.
struct Task {
    /// Its partition, as an index.
    partition: usize,
    number: u64,
    /// Places in the table's row order.
    places: Range<u64>,
}

/// How far a partition is.
struct Progress {
    files_left: u64,
    rows: u64,
    bytes: u64,
    files: u64,
}

struct Export<'a> {
    options: &'a Options,
    form: Form,
    site: Site<'a>,
    population: Population,
    /// Days from 1970-01-01 to the first day.
    first: i64,
    partitions: Vec<Partition>,
}

/// What the threads share.
struct Shared {
    tasks: VecDeque<Task>,
    progress: Vec<Progress>,
    done: Vec<(LoadDate, TableSummary)>,
    fault: Option<Fault>,
}

impl Export<'_> {
    fn run(&self, context: Context<'_>) -> Result<Vec<(LoadDate, TableSummary)>> {
        for partition in &self.partitions {
            // A run that was killed may have left one.
            remove_if_there(&partition.slot.staging)?;
            create_dir(&partition.slot.staging)?;
        }
        let shared = Mutex::new(self.all_tasks());
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| self.work(&shared, context));
            }
        });
        let shared = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
        match shared.fault {
            Some(fault) => Err(fault.within(format!("failed to write the sample to {}", self.options.to))),
            None => Ok(self.in_order(shared.done)),
        }
    }

    fn all_tasks(&self) -> Shared {
        let (mut tasks, mut progress) = (VecDeque::new(), Vec::new());
        for (at, partition) in self.partitions.iter().enumerate() {
            let places = self.population.issued(partition.day);
            let files = places.div_ceil(ACCOUNTS_PER_FILE);
            for number in 0..files {
                let start = number * ACCOUNTS_PER_FILE;
                let end = (start + ACCOUNTS_PER_FILE).min(places);
                tasks.push_back(Task { partition: at, number, places: start..end });
            }
            progress.push(Progress { files_left: files, rows: 0, bytes: 0, files });
        }
        Shared { tasks, progress, done: Vec::new(), fault: None }
    }

    /// By date and table, whichever thread was first.
    fn in_order(&self, done: Vec<(LoadDate, TableSummary)>) -> Vec<(LoadDate, TableSummary)> {
        let mut done = done;
        let place = |date: LoadDate, path: &Location| {
            let is_it = |slot: &Slot| slot.date == date && slot.path == *path;
            self.partitions.iter().position(|partition| is_it(&partition.slot))
        };
        done.sort_by_key(|(date, table)| place(*date, &table.path));
        done
    }

    /// Writes files until there are none left, or one failed.
    fn work(&self, shared: &Mutex<Shared>, context: Context<'_>) {
        let lock = || shared.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let task = {
                let mut shared = lock();
                if shared.fault.is_some() {
                    return;
                }
                match shared.tasks.pop_front() {
                    Some(task) => task,
                    None => return,
                }
            };
            let partition = &self.partitions[task.partition];
            let written = self.write_file(&task, partition, context);
            let mut shared = lock();
            match written {
                Ok((rows, bytes)) => {
                    let progress = &mut shared.progress[task.partition];
                    progress.rows += rows;
                    progress.bytes += bytes;
                    progress.files_left -= 1;
                    if progress.files_left > 0 {
                        continue;
                    }
                    let counts = Counts { rows: progress.rows, files: progress.files, bytes: progress.bytes };
                    // Another store takes a while, in which others may write.
                    drop(shared);
                    let finished = self.finish(partition, counts, context);
                    let mut shared = lock();
                    match finished {
                        Ok(()) => shared.done.push((partition.slot.date, summary_of(partition, counts))),
                        Err(fault) => shared.fault = shared.fault.take().or(Some(fault)),
                    }
                }
                Err(fault) => shared.fault = shared.fault.take().or(Some(fault)),
            }
        }
    }

    fn write_file(&self, task: &Task, partition: &Partition, context: Context<'_>) -> Result<(u64, u64)> {
        let Slot { table, date, staging, .. } = &partition.slot;
        let path = staging.join(format!("part-{:05}.{}", task.number, self.form.extension()));
        let mut output = Output::create(&path, self.form, *table)?;
        let mut count = 0;
        let day = Day { population: &self.population, number: partition.day, first: self.first };
        rows(*table, day, task.places.clone(), &mut |batch| {
            context.check_cancelled()?;
            count += batch.num_rows() as u64;
            output.write(&path, &batch)
        })?;
        let bytes = output.close(&path, exported_at(*date))?;
        Ok((count, bytes))
    }

    /// Marks a partition as whole and puts it where it belongs.
    fn finish(&self, partition: &Partition, counts: Counts, context: Context<'_>) -> Result<()> {
        let slot = &partition.slot;
        let success = slot.staging.join(SUCCESS_FILE);
        fs::File::create(&success)
            .and_then(|file| file.set_modified(exported_at(slot.date)))
            .map_err(|error| Fault::io(format!("failed to write {}", success.display()), error))?;
        self.site.deliver(slot, counts, self.options.existing)?;
        context.info(format!("wrote {} load_date {}", slot.table.name(), slot.date));
        Ok(())
    }
}

fn summary_of(partition: &Partition, counts: Counts) -> TableSummary {
    TableSummary {
        table: partition.slot.table.name(),
        path: partition.slot.path.clone(),
        rows: counts.rows,
        files: counts.files,
        bytes: counts.bytes,
    }
}

fn exported_at(date: LoadDate) -> SystemTime {
    let days = u64::try_from(date.days_since_epoch()).unwrap_or(0);
    UNIX_EPOCH + Duration::from_secs(days * SECONDS_PER_DAY + EXPORTED_AT)
}

fn create_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|error| Fault::io(format!("failed to make {}", path.display()), error))
}

fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Fault::io(format!("failed to remove {}", path.display()), error))
        }
        _ => Ok(()),
    }
}
