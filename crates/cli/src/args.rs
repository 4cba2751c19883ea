//! What may be written on the command line, typed by clap. Nothing here reads files or the clock;
//! `options` turns it into what a command needs.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hivecast_contract::{WRITERS_MAX, WriterId};

use crate::dates::DateArg;

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
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) accounts: u64,

    /// How many days, of which --load-date is the last
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3660))]
    pub(crate) days: u32,

    /// Equal seeds give equal bytes
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,

    /// The last day: YYYY-MM-DD, today or yesterday
    #[arg(long, value_name = "DATE", default_value = "yesterday")]
    pub(crate) load_date: DateArg,

    /// Give one account this many parties, as skewed data has
    #[arg(long, value_name = "PARTIES")]
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
    #[arg(long, value_name = "DATE", default_value = "latest")]
    pub(crate) load_date: DateArg,
}

#[derive(Debug, Args)]
pub(crate) struct PreviewArgs {
    /// The day: YYYY-MM-DD, today, yesterday or latest
    #[arg(long, value_name = "DATE", default_value = "latest")]
    pub(crate) load_date: DateArg,

    /// Only the document with this key; may be given several times
    #[arg(long = "key", value_name = "KEY")]
    pub(crate) keys: Vec<String>,

    /// At most this many documents
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,

    #[command(flatten)]
    pub(crate) resources: ResourceArgs,
}

/// What the engine may use.
#[derive(Clone, Debug, Args)]
pub(crate) struct ResourceArgs {
    /// Most memory, such as 2GiB [default: a quarter of the machine]
    #[arg(long, value_name = "SIZE", value_parser = crate::machine::parse_size)]
    pub(crate) memory: Option<u64>,

    /// Threads [default: as many as the machine offers]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
}

#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// YYYY-MM-DD, today, yesterday, latest, or a range A..B worked through in order
    #[arg(long, value_name = "DATE")]
    pub(crate) load_date: DateArg,

    /// Wait this long (90s, 30m, 2h) for partitions that are not there or not whole yet
    #[arg(long, value_name = "TIME", value_parser = crate::machine::parse_duration)]
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
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = crate::machine::parse_duration)]
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
    #[arg(long, value_name = "DATE", default_value = "latest")]
    pub(crate) load_date: DateArg,

    /// Then write the records into this directory, one NDJSON file for each partition
    #[arg(long, value_name = "DIR")]
    pub(crate) records: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct TablesArgs {
    /// The day whose files are looked at: YYYY-MM-DD, today, yesterday, or latest, each table's newest
    #[arg(long, value_name = "DATE", default_value = "latest")]
    pub(crate) load_date: DateArg,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The day: YYYY-MM-DD, today, yesterday or latest
    #[arg(long, value_name = "DATE", default_value = "latest")]
    pub(crate) load_date: DateArg,

    #[command(flatten)]
    pub(crate) resources: ResourceArgs,

    /// The memory of the machine that will run Hivecast [default: this one's]
    #[arg(long, value_name = "SIZE", value_parser = crate::machine::parse_size)]
    pub(crate) machine_memory: Option<u64>,

    /// What the run is for
    #[arg(long = "for", value_name = "COMMAND", value_enum, default_value_t = PlanFor::Publish)]
    pub(crate) purpose: PlanFor,

    /// The wall time that the whole run may take (90s, 30m, 2h)
    #[arg(long, value_name = "TIME", value_parser = crate::machine::parse_duration)]
    pub(crate) deadline: Option<Duration>,

    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,

    /// Build 1 to 8 % of the keys with the environment's engine first, for 10 minutes at most, and measure
    #[arg(long, conflicts_with_all = ["quick", "facts"])]
    pub(crate) calibrate: bool,

    /// What --calibrate runs in processes of their own: one share of the keys, in percent
    #[arg(long, hide = true, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) calibrate_share: Option<u32>,

    /// … for so long at most
    #[arg(long, hide = true, value_name = "TIME", default_value = "10m", value_parser = crate::machine::parse_duration)]
    pub(crate) calibrate_for: Duration,

    /// Read no rows: footers and statistics alone. Rows that `where` leaves, and large keys, are then guessed
    #[arg(long)]
    pub(crate) quick: bool,

    /// Explain one number or setting, such as spark.executor.memory
    #[arg(long, value_name = "NAME")]
    pub(crate) why: Option<String>,

    /// Show what was foretold of the last runs, beside what was measured
    #[arg(long, conflicts_with_all = ["calibrate", "why", "write", "page"])]
    pub(crate) history: bool,

    /// Write spark.conf and spark-submit.sh into this directory
    #[arg(long, value_name = "DIR", requires = "nodes")]
    pub(crate) write: Option<PathBuf>,

    /// Write the answer as a page with a chart
    #[arg(long, value_name = "FILE")]
    pub(crate) page: Option<PathBuf>,

    /// Take what is known of the day from this file, as --save-facts wrote it; no project is needed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["quick", "load_date"])]
    pub(crate) facts: Option<PathBuf>,

    /// Write what is known of the day into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) save_facts: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFor {
    Build,
    Publish,
}

/// A Spark cluster.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "The Spark cluster")]
pub(crate) struct ClusterArgs {
    /// Its nodes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000), requires_all = ["node_cores", "node_memory"])]
    pub(crate) nodes: Option<u32>,

    /// Cores of a node
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096), requires = "nodes")]
    pub(crate) node_cores: Option<u32>,

    /// Memory of a node, such as 64GiB
    #[arg(long, value_name = "SIZE", value_parser = crate::machine::parse_size, requires = "nodes")]
    pub(crate) node_memory: Option<u64>,

    /// Cores of a node that are not Spark's, but its daemons' [default: 1]
    #[arg(long, value_name = "N", requires = "nodes")]
    pub(crate) reserved_cores: Option<u32>,

    /// Memory of a node that is not Spark's [default: an eighth, at least 1GiB]
    #[arg(long, value_name = "SIZE", value_parser = crate::machine::parse_size, requires = "nodes")]
    pub(crate) reserved_memory: Option<u64>,

    /// Who hands out the machines
    #[arg(long, value_enum, default_value_t = ManagerArg::Yarn, requires = "nodes")]
    pub(crate) manager: ManagerArg,

    /// What YARN rounds containers up to: yarn.scheduler.minimum-allocation-mb, or the FairScheduler's increment
    #[arg(long, value_name = "SIZE", value_parser = crate::machine::parse_size, default_value = "1GiB", requires = "nodes")]
    pub(crate) yarn_increment: u64,

    /// The largest container that YARN hands out: yarn.scheduler.maximum-allocation-mb [default: any]
    #[arg(long, value_name = "SIZE", value_parser = crate::machine::parse_size, requires = "nodes")]
    pub(crate) yarn_maximum: Option<u64>,

    /// Where the driver runs, with the Spark Connect server in it
    #[arg(long, value_enum, default_value_t = DriverOn::Node, requires = "nodes")]
    pub(crate) driver_on: DriverOn,

    /// Executors for as long as the server runs, or as tasks wait for them
    #[arg(long, value_enum, default_value_t = AllocationArg::Fixed, requires = "nodes")]
    pub(crate) allocation: AllocationArg,

    /// What a core with 4 GiB costs by the hour
    #[arg(long, value_name = "MONEY", default_value_t = 0.05, requires = "nodes")]
    pub(crate) core_price: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ManagerArg {
    Yarn,
    Kubernetes,
    Standalone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DriverOn {
    /// One of the nodes
    Node,
    /// A machine of its own
    Own,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AllocationArg {
    Fixed,
    Dynamic,
}

#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    /// How many, counted from the last
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
}

/// None is no number to keep: what is published is needed to tell the next day's tombstones.
fn parse_keep(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1 load_date is kept".to_owned()),
        Ok(keep) => Ok(keep),
        Err(error) => Err(format!("{error}")),
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
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn nobody_prunes_down_to_nothing() {
        for line in ["hivecast prune --keep 0", "hivecast prune --exports --keep 0"] {
            let told = Cli::try_parse_from(line.split(' ')).unwrap_err().to_string();
            assert!(told.contains("at least 1 load_date"), "{told}");
        }
        assert!(Cli::try_parse_from("hivecast prune --keep 1".split(' ')).is_ok());
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_option_of_publish_is_understood() {
        let line = "hivecast --env qa publish --load-date 2026-11-20..2026-11-22 --wait 2h --memory 512MiB --threads 3 --replace --json";
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        assert_eq!((cli.global.env.as_str(), cli.global.json), ("qa", true));
        let Command::Publish(publish) = cli.command else { panic!("not publish") };
        assert!(publish.replace);
        assert_eq!(publish.build.wait, Some(Duration::from_secs(7200)));
        assert_eq!(publish.build.resources.memory, Some(512 << 20));
        assert_eq!(publish.build.load_date, "2026-11-20..2026-11-22".parse().unwrap());
    }

    #[test]
    fn a_writer_is_one_of_several() {
        let parse =
            |writer| Cli::try_parse_from(["hivecast", "publish", "--load-date", "today", "--writer", writer]);
        assert!(parse("1/1").is_ok());
        assert!(parse("256/256").is_ok());
        for wrong in ["3/2", "0/2", "1/0", "2", "1/257"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
