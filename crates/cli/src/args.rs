//! What may be written on the command line, typed by clap. Nothing here reads files or the clock;
//! `options` turns it into what a command needs.

mod plan;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Command as Line, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use hivecast_contract::{WRITERS_MAX, WriterId};

use crate::dates::{DateArg, one_day};
use values::{parse_duration, parse_size, whole};

pub(crate) use plan::{AllocationArg, ClusterArgs, DriverOn, ManagerArg, PlanArgs, PlanFor};

/// The environment where neither `--env` nor HIVECAST_ENV names one.
pub(crate) const DEFAULT_ENV: &str = "local";

/// Publishes each day's export of a Hive warehouse to Kafka, exactly once.
#[derive(Debug, Parser)]
#[command(name = "hivecast", version, max_term_width = 100, infer_subcommands = false)]
#[command(after_help = "\
Exit codes:
    0  done
    1  a bug in hivecast
    2  a mistake on the command line, in the feed or in the project file
   10  infrastructure: try again
   20  the data is not fit: missing, corrupt, or stopped by a gate
   30  access denied
   40  another run holds the feed
   50  conflict with what is published
  130  interrupted: run again to resume")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Reads the command line. What is wrong is told as clap tells it, with the option that it is about.
pub(crate) fn parse<I>(line: I) -> Result<Cli, clap::Error>
where
    I: IntoIterator,
    I::Item: Into<std::ffi::OsString> + Clone,
{
    let mut command = negative_numbers_are_values(Cli::command());
    let matches = command.try_get_matches_from_mut(line)?;
    plan::refuse_contradictions(&mut command, &matches)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// `--memory -1` is a mistake in `--memory`; clap would look for an option `-1` otherwise.
fn negative_numbers_are_values(command: Line) -> Line {
    command
        .mut_args(|arg| match arg.get_action().takes_values() && !arg.is_positional() {
            true => arg.allow_negative_numbers(true),
            false => arg,
        })
        .mut_subcommands(negative_numbers_are_values)
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// The project file [default: hivecast.yaml here or in the nearest directory above]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) project: Option<PathBuf>,

    /// Which environment of the project file
    #[arg(long, global = true, value_name = "NAME", env = "HIVECAST_ENV", hide_env_values = true, default_value = DEFAULT_ENV)]
    pub(crate) env: String,

    /// Which feed [default: the only one there is]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) feed: Option<String>,

    /// Print one JSON object on standard output, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Log more
    #[arg(long, short, global = true, conflicts_with = "quiet")]
    pub(crate) verbose: bool,

    /// Print nothing but results and errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a new project with the example feed
    Init(InitArgs),
    /// Write a realistic MDM export in Hive layout, day by day with realistic changes
    Sample(SampleArgs),
    /// Find every mistake that can be known before data is read
    Check(CheckArgs),
    /// Print documents; send nothing
    Preview(PreviewArgs),
    /// Build the edition and hold it against its gates; send nothing
    Build(BuildCommand),
    /// Build, gate, send exactly once, and verify what arrived
    Publish(PublishArgs),
    /// Estimate what a load_date will need: memory, executors, cores, time, money; send nothing
    Plan(PlanArgs),
    /// Read back what was published and compare it with its manifest
    Verify(VerifyArgs),
    /// Show what the warehouse, or --feed, has: tables, formats, days, rows, bytes, readiness
    Tables(TablesArgs),
    /// List past runs
    Runs(RunsArgs),
    /// Try what a publish needs, and send nothing: files, rights, brokers
    Doctor,
    /// Remove old editions, and with --exports old exports, but what a later publish needs
    Prune(PruneArgs),
    /// Print the JSON schema of the feed or project file, for editors
    Schema(SchemaArgs),
    /// Write the manual pages and the shells' completions, for packages
    #[command(hide = true)]
    Generate(GenerateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Where: an empty directory, or one that is made; nothing that exists is replaced
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct SampleArgs {
    /// Accounts on the first day
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = whole::<u64>(0, u64::MAX))]
    pub(crate) accounts: u64,

    /// How many days, of which --load-date is the last
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = whole::<u32>(1, 3660))]
    pub(crate) days: u32,

    /// Equal seeds give equal bytes
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = whole::<u64>(0, u64::MAX))]
    pub(crate) seed: u64,

    /// The last day: YYYY-MM-DD, today or yesterday
    #[arg(long, value_name = "DATE", default_value = "yesterday")]
    pub(crate) load_date: DateArg,

    /// Give one account this many parties, as skewed data has
    #[arg(long, value_name = "PARTIES", value_parser = whole::<u64>(0, u64::MAX))]
    pub(crate) skew: Option<u64>,

    /// The files' format
    #[arg(long, value_enum, default_value_t = SampleFormat::Parquet)]
    pub(crate) format: SampleFormat,

    /// The Hive database of the tables
    #[arg(long, value_name = "NAME", default_value = hivecast_sample::DATABASE)]
    pub(crate) database: String,

    /// Write tables of this metastore, not into the environment's warehouse; several addresses with
    /// commas between are tried in turn
    #[arg(long, value_name = "thrift://HOST:PORT")]
    pub(crate) metastore: Option<String>,

    /// Where the database is to lie that is made in a metastore: a URL, or a directory, relative to
    /// where this runs [default: where the metastore puts it]
    #[arg(long, value_name = "URL")]
    pub(crate) location: Option<String>,

    /// Replace days that are there already, which are refused otherwise
    #[arg(long)]
    pub(crate) force: bool,

    /// Keep days that are there already, and write those that are missing
    #[arg(long, conflicts_with = "force")]
    pub(crate) extend: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SampleFormat {
    Parquet,
    Orc,
    Avro,
    Json,
    Text,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The day whose files say what columns there are; latest is each table's newest
    #[arg(long, value_name = "DATE", default_value = "latest", value_parser = one_day)]
    pub(crate) load_date: DateArg,
}

#[derive(Debug, Args)]
pub(crate) struct PreviewArgs {
    /// The day: YYYY-MM-DD, today, yesterday or latest
    #[arg(long, value_name = "DATE", default_value = "latest", value_parser = one_day)]
    pub(crate) load_date: DateArg,

    /// Only the document with this key; may be given several times
    #[arg(long = "key", value_name = "KEY")]
    pub(crate) keys: Vec<String>,

    /// At most this many documents
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = whole::<u32>(1, u32::MAX.into()))]
    pub(crate) limit: u32,

    #[command(flatten)]
    pub(crate) resources: ResourceArgs,
}

/// What the engine may use.
#[derive(Clone, Debug, Args)]
pub(crate) struct ResourceArgs {
    /// Most memory, such as 2GiB or 512m [default: a quarter of the machine]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) memory: Option<u64>,

    /// Threads [default: as many as the machine offers]
    #[arg(long, value_name = "N", value_parser = whole::<u16>(1, 1024))]
    pub(crate) threads: Option<u16>,
}

#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// YYYY-MM-DD, today, yesterday, latest, or a range A..B worked through in order
    #[arg(long, value_name = "DATE")]
    pub(crate) load_date: DateArg,

    /// Wait this long (90s, 30m, 2h) for partitions that are not there or not whole yet
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) wait: Option<Duration>,

    #[command(flatten)]
    pub(crate) resources: ResourceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BuildCommand {
    #[command(flatten)]
    pub(crate) build: BuildArgs,

    /// Build nothing: print the SQL that a Spark Connect engine is asked for this load_date
    #[arg(long)]
    pub(crate) explain: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PublishArgs {
    #[command(flatten)]
    pub(crate) build: BuildArgs,

    /// Send a correction where another edition of this load_date is published, or the topic was made again
    #[arg(long)]
    pub(crate) replace: bool,

    /// Pass over load_dates that the target's ledger says are published whole, without looking at their
    /// exports
    #[arg(long, conflicts_with = "replace")]
    pub(crate) backfill: bool,

    /// Send one of N shares of the edition, as 2/4; the others are sent by N - 1 more processes, on this
    /// machine or others
    #[arg(long, value_name = "I/N", default_value = "1/1", value_parser = parse_writer)]
    pub(crate) writer: WriterId,

    /// How long any but writer 1 waits for writer 1, which builds and judges the edition first (90s, 30m, 2h)
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_duration)]
    pub(crate) writer_wait: Duration,
}

fn parse_writer(text: &str) -> Result<WriterId, String> {
    let writer: WriterId = text.parse()?;
    if writer.of <= WRITERS_MAX {
        Ok(writer)
    } else {
        Err(format!("an edition has at most {WRITERS_MAX} writers"))
    }
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The day: YYYY-MM-DD, today, yesterday, or latest, the one published last
    #[arg(long, value_name = "DATE", default_value = "latest", value_parser = one_day)]
    pub(crate) load_date: DateArg,

    /// Then write the records into this directory, one NDJSON file for each partition
    #[arg(long, value_name = "DIR")]
    pub(crate) records: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct TablesArgs {
    /// The day whose files are looked at: YYYY-MM-DD, today, yesterday, or latest, each table's newest
    #[arg(long, value_name = "DATE", default_value = "latest", value_parser = one_day)]
    pub(crate) load_date: DateArg,
}

#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    /// How many, counted from the last
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = whole::<u32>(1, u32::MAX.into()))]
    pub(crate) limit: u32,
}

/// None is no number to keep: what is published is needed to tell the next day's tombstones.
fn parse_keep(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1 load_date is kept".to_owned()),
        Ok(keep) => Ok(keep),
        Err(_) => Err("write a whole number, 1 at least".to_owned()),
    }
}

#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    /// Keep the editions of this many load_dates, counted from the newest, and whatever their age what
    /// is published last or begun
    #[arg(long, value_name = "N", default_value_t = crate::edition::KEEP_LOAD_DATES, value_parser = parse_keep)]
    pub(crate) keep: usize,

    /// Remove old exports too: of each of the feed's tables, the partitions that are older than the
    /// newest N load_dates and than what is published last or begun
    #[arg(long)]
    pub(crate) exports: bool,

    /// Only say what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Of which file
    #[arg(value_enum)]
    pub(crate) file: SchemaFile,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaFile {
    Feed,
    Project,
}

#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    /// Where; made if it does not exist
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,

    /// The day that the manual pages are of
    #[arg(long, value_name = "DATE")]
    pub(crate) date: chrono::NaiveDate,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_prunes_down_to_nothing() {
        for line in ["hivecast prune --keep 0", "hivecast prune --exports --keep 0"] {
            let told = parse(line.split(' ')).unwrap_err().to_string();
            assert!(told.contains("at least 1 load_date"), "{told}");
        }
        assert!(parse("hivecast prune --keep 1".split(' ')).is_ok());
    }

    #[test]
    fn the_command_line_is_well_formed() {
        negative_numbers_are_values(Cli::command()).debug_assert();
    }

    #[test]
    fn a_negative_number_is_told_with_its_option() {
        for (line, option) in [
            ("hivecast plan --memory -1", "--memory"),
            ("hivecast plan --nodes -1 --node-cores 1 --node-memory 1GiB", "--nodes"),
            ("hivecast plan --deadline -1.5", "--deadline"),
            ("hivecast build --load-date -1", "--load-date"),
            ("hivecast sample --accounts -1", "--accounts"),
        ] {
            let told = parse(line.split(' ')).unwrap_err().to_string();
            assert!(told.starts_with("error: invalid value '-1") && told.contains(option), "{told}");
        }
    }

    #[test]
    fn every_option_of_publish_is_understood() {
        let line = "hivecast --env qa publish --load-date 2026-11-20..2026-11-22 --wait 2h --memory 512MiB --threads 3 --replace --json";
        let cli = parse(line.split(' ')).unwrap();
        assert_eq!((cli.global.env.as_str(), cli.global.json), ("qa", true));
        let Command::Publish(publish) = cli.command else { panic!("not publish") };
        assert!(publish.replace);
        assert_eq!(publish.build.wait, Some(Duration::from_secs(7200)));
        assert_eq!(publish.build.resources.memory, Some(512 << 20));
        assert_eq!(publish.build.load_date, "2026-11-20..2026-11-22".parse().unwrap());
    }

    #[test]
    fn a_writer_is_one_of_several() {
        let parse = |writer| parse(["hivecast", "publish", "--load-date", "today", "--writer", writer]);
        assert!(parse("1/1").is_ok());
        assert!(parse("256/256").is_ok());
        for wrong in ["3/2", "0/2", "1/0", "2", "1/257"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
